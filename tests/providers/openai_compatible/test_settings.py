"""What may be set for a model behind a server."""

from __future__ import annotations

import pytest

from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.providers.openai_compatible import OpenAICompatibleLLM
from patter_nb.turns.usage import Price

NAN = float("nan")
REFUSED = [
    ({"model": ""}, ConfigTypeError, "model is ''; it must be the name of a model"),
    ({"model": None}, ConfigTypeError, "model is None"),
    ({"provider": None}, ConfigTypeError, "provider is None"),
    ({"api_key": None}, ConfigTypeError, "api_key is NoneType; it must be a string"),
    ({"api_key": "hunter2\n"}, ConfigError, "api_key holds a space, a line break"),
    ({"api_key": "hunter2 x"}, ConfigError, "api_key holds a space"),
    ({"temperature": "warm"}, ConfigTypeError, "temperature is 'warm'; it must be a number 0 or more"),
    ({"temperature": True}, ConfigTypeError, "temperature is True"),
    ({"temperature": -0.1}, ConfigError, "temperature is -0.1; it must be 0 or more"),
    ({"temperature": NAN}, ConfigError, "temperature is nan"),
    ({"top_p": 1.1}, ConfigError, "top_p is 1.1; it must be 0 or more, at most 1"),
    ({"max_tokens": 0}, ConfigError, "max_tokens is 0; it must be at least 1"),
    ({"max_tokens": 1.5}, ConfigTypeError, "max_tokens is 1.5; it must be a whole number"),
    ({"seed": "1"}, ConfigTypeError, "seed is '1'; it must be a whole number"),
    ({"stop": []}, ConfigTypeError, "stop is []; it must be a text, or a list of texts"),
    ({"stop": ["a", ""]}, ConfigTypeError, "none of them empty"),
    ({"stop": 3}, ConfigTypeError, "stop is 3"),
    ({"timeout_seconds": 0}, ConfigError, "timeout_seconds is 0; it must be above 0"),
    ({"timeout_seconds": None}, ConfigTypeError, "timeout_seconds is None; it must be a number above 0"),
    ({"price": 0.0}, ConfigTypeError, "price is 0.0; it must be a Price(...)"),
    ({"headers": ["a"]}, ConfigTypeError, "headers is list; it must be a dictionary"),
    ({"headers": {"a b": "hunter2"}}, ConfigTypeError, "headers holds 'a b'"),
    ({"headers": {"a": 1}}, ConfigTypeError, "headers holds 'a'; names and values are strings"),
    ({"headers": {"a": "hunter2\r\nb: c"}}, ConfigError, "headers holds a value of 'a' with characters"),
    ({"extra": [1]}, ConfigTypeError, "extra is list; it must be a dictionary"),
    ({"extra": {"model": "b", "seed": 1}}, ConfigError, "extra holds 'model', 'seed'; give settings by name"),
    ({"extra": {"a": object()}}, ConfigTypeError, "extra cannot be sent as JSON"),
    ({"extra": {"a": NAN}}, ConfigTypeError, "extra cannot be sent as JSON"),
]


@pytest.mark.parametrize(
    ("given", "kind", "told"),
    REFUSED,
    ids=[f"{name}={value!r}" for given, *_ in REFUSED for name, value in given.items()][: len(REFUSED)],
)
def test_a_setting_that_cannot_be_used_is_refused_by_name_where_it_is_given(given, kind, told):
    with pytest.raises(kind) as refused:
        OpenAICompatibleLLM(**{"model": "m", "base_url": "ollama", **given})
    assert told in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_server_on_this_machine_costs_nothing_unless_a_price_is_given_and_any_other_is_looked_up():
    mine = Price(usd_per_1m_output_tokens=1.0)
    prices = [
        OpenAICompatibleLLM("m", base_url=url, price=price).price
        for url, price in (("ollama", None), ("http://127.0.0.1:9", None), ("https://example.com", None), ("ollama", mine))
    ]
    assert prices == [Price(), Price(), None, mine]


def test_its_written_form_shows_what_was_given_and_no_secret():
    llm = OpenAICompatibleLLM(
        "m", base_url="ollama", api_key="hunter2", headers={"x-key": "hunter2"}, temperature=0.5, extra={"top_k": 3}
    )
    assert repr(llm) == (
        "OpenAICompatibleLLM('m', base_url='ollama', temperature=0.5, extra={'top_k': 3}, api_key='•••', headers='•••')"
    )
    assert repr(OpenAICompatibleLLM("m", base_url="vllm")) == "OpenAICompatibleLLM('m', base_url='vllm')"


def test_a_name_of_ones_own_takes_the_place_of_the_servers():
    assert OpenAICompatibleLLM("m", base_url="ollama", provider="desk").provider == "desk"
