"""The errors: whose move it is, and what one can do with them."""

from __future__ import annotations

import asyncio
import copy
import pickle
import sys
import warnings

import pytest

from patter_nb import errors
from patter_nb.errors import (
    CarrierError,
    ConfigError,
    ConfigTypeError,
    MissingExtra,
    PatterError,
    PatterWarning,
    ProviderError,
    brief,
    looks_random,
    names_secret,
    need,
    scrub,
)

KINDS = [
    (ConfigError, (PatterError, ValueError)),
    (ConfigTypeError, (ConfigError, ValueError, TypeError)),
    (MissingExtra, (ConfigError, ImportError)),
    (CarrierError, (PatterError,)),
    (ProviderError, (PatterError,)),
]


@pytest.mark.parametrize(("kind", "parents"), KINDS, ids=lambda value: getattr(value, "__name__", ""))
def test_each_error_can_be_caught_as_what_python_would_raise(kind, parents):
    assert issubclass(kind, parents if isinstance(parents, type) else tuple(parents))
    assert all(issubclass(kind, parent) for parent in parents)


def test_every_error_of_ours_is_a_patter_error_and_says_what_it_means():
    ours = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(ours) == 7
    assert all(issubclass(kind, PatterError | PatterWarning) and kind.__doc__ for kind in ours)


def test_a_provider_error_tells_who_failed_and_whether_to_try_again():
    error = ProviderError("Acme closed the stream.", provider="acme", retryable=True)
    assert (str(error), error.provider, error.retryable) == ("Acme closed the stream.", "acme", True)
    assert ProviderError("x", provider="acme").retryable is False


class LateError(ProviderError):
    """As a user may derive one."""


@pytest.mark.parametrize("carry", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_a_provider_error_survives_copying_and_pickling(carry):
    error = carry(ProviderError("Acme closed the stream.", provider="acme", retryable=True))
    assert (type(error), str(error)) == (ProviderError, "Acme closed the stream.")
    assert (error.provider, error.retryable) == ("acme", True)


def test_a_derived_provider_error_stays_what_it_is_when_copied():
    assert type(copy.copy(LateError("x", provider="acme"))) is LateError


def test_need_returns_the_module():
    assert need("json", extra="local", what="LocalTTS") is sys.modules["json"]


@pytest.mark.parametrize("module", ["patter_nb_absent", "patter_nb_absent.inner"])
def test_a_missing_module_names_the_part_the_package_and_the_command(module):
    with pytest.raises(MissingExtra) as caught:
        need(module, extra="local", what="LocalTTS")
    assert str(caught.value) == (
        f"LocalTTS needs the package {module!r}, which is not installed: pip install \".[local]\""
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import patter_nb_absent", "No module named 'patter_nb_absent'"),
        ("raise ImportError('libfoo.so.1: cannot open shared object file')", "libfoo.so.1: cannot open shared object file"),
    ],
)
def test_a_module_that_is_there_but_broken_is_not_called_missing(tmp_path, monkeypatch, source, reason):
    (tmp_path / "patter_nb_broken.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtra) as caught:
        need("patter_nb_broken", extra="local", what="LocalTTS")
    assert f"which is installed but cannot be imported ({reason})" in str(caught.value)
    assert 'pip install ".[local]"' in str(caught.value)


def test_a_module_with_a_bug_of_its_own_raises_that_bug(tmp_path, monkeypatch):
    (tmp_path / "patter_nb_buggy.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ZeroDivisionError):
        need("patter_nb_buggy", extra="local", what="LocalTTS")


SECRETS = [
    (
        "401 for https://x/?api_key=sk-live-123 Authorization: Bearer abc",
        "401 for https://x/?api_key=••• Authorization: Bearer •••",
    ),
    ("no access to https://x/v1?key=AIzaSy0&alt=json", "no access to https://x/v1?key=•••&alt=json"),
    ("wss://x/listen?token=abc123&model=a", "wss://x/listen?token=•••&model=a"),
    ("the header was {'api_key': 'abc', 'model': 'a'}", "the header was {'api_key': '•••', 'model': 'a'}"),
    ("api_key: abc is not known", "api_key: ••• is not known"),
    ("xi-api-key: 0a1b2c, X-Request: 7", "xi-api-key: •••, X-Request: 7"),
    ("Incorrect API key provided: sk-proj-1a2b3c4d.", "Incorrect API key provided: •••."),
    ("{'Authorization': 'Basic dXNlcg=='}", "{'Authorization': 'Basic •••'}"),
    ("postgresql://me:geheim@host/db refused", "postgresql://me:•••@host/db refused"),
    ("password=geheim client_secret=abc", "password=••• client_secret=•••"),
    ("it raised KeyError: 'name'", "it raised KeyError: 'name'"),
    ("{'apiKey': 'abc', 'userPassword': 'geheim'}", "{'apiKey': '•••', 'userPassword': '•••'}"),
    ("X-Auth: abc, bearer=abc, creds: abc", "X-Auth: •••, bearer=•••, creds: •••"),
    ("proxy-authorization: Basic dXNlcg==", "proxy-authorization: Basic •••"),
    ("author: Ann, authority=7, tokens: 5, keyboard=de", "author: Ann, authority=7, tokens: 5, keyboard=de"),
    ("max_tokens=512 at http://127.0.0.1:8080/v1", "max_tokens=512 at http://127.0.0.1:8080/v1"),
    ("monkey=5, task-runner, a desk-lamp-with-bulb", "monkey=5, task-runner, a desk-lamp-with-bulb"),
]


@pytest.mark.parametrize(("text", "shown"), SECRETS)
def test_what_looks_like_a_secret_is_hidden_and_its_name_stays(text, shown):
    assert scrub(text) == shown
    assert scrub(shown) == shown


SECRET_NAMES = [
    "api_key", "apiKey", "apikey", "api-key", "API-KEY", "APIKey", "APIkey", "ApiKEY", "OPENAI_APIKEY", "api_key2", "key", "keys",
    "xi.api.key", "privateKey", "secretkey", "secret", "secretWord", "clientSecret", "client_secrets", "token", "Token",
    "accessToken", "access_token", "accesstoken", "token_2", "password", "userPassword", "dbpasswd", "DB_PASSWORD", "passphrase",
    "passcode", "pwd", "pin", "pinCode", "auth", "X-Auth", "basic_auth", "authHeader", "oauth2", "Authorization",
    "proxyAuthorization", "authentication", "bearer", "bearerValue", "credential", "credentials", "creds",
    "jwt", "awsCredentials", "headers", "defaultHeaders", "cookie",
]  # fmt: skip
OPEN_NAMES = [
    "author", "authors", "authority", "authored_by", "authentic", "tokens", "max_tokens", "maxTokens", "token_count", "tokenizer",
    "first_token_seconds", "keyboard", "keyword", "keywords", "keynote", "monkey", "turkey", "hockey", "secretary", "passenger",
    "passport", "compass", "spin", "pinned", "opinion", "bearing", "credit", "credits", "city", "", "größe", "header",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_name_of_a_secret_is_known_in_every_usual_spelling(name):
    assert names_secret(name)


@pytest.mark.parametrize("name", OPEN_NAMES)
def test_a_name_that_only_sounds_like_one_of_a_secret_is_none(name):
    assert not names_secret(name)


RANDOM = [
    "s3cr3t-VALUE-987", "aB3dE5fG7hI9jK1lM3nO5pQ7", "550e8400-e29b-41d4-a716-446655440000", "aBcDeFgHiJkLmNoPqRsTuVwX",
    "bot123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11", "XXXXXXXXXXXXXXXXXXXXXXXX", "d41d8cd98f00b204e9800998ecf8427e",
]  # fmt: skip
WRITTEN = [
    "gpt-4o-mini-realtime-preview", "claude-3-5-sonnet-20241022", "llama-3-70b-instruct-v2", "getCustomerOrderHistory",
    "2024-01-15T10:00:00Z", "123456789012345678", "patter_nb.barge_in.MinWordsStrategy", "hunter2", "report-2024-final-version12",
    "averyveryverylongwordindeed", "0x7f4e0b5df920",
]  # fmt: skip


def test_a_token_of_a_machine_is_told_from_what_people_write():
    assert [text for text in RANDOM if not looks_random(text)] == []
    assert [text for text in WRITTEN if looks_random(text)] == []


BRIEF = [
    ("s3cr3t-VALUE-987", "'•••'"),
    (["s3cr3t-VALUE-987", "look"], "['•••', 'look']"),
    ({"apiKey": "abc", "city": "Rome"}, "{'apiKey': '•••', 'city': 'Rome'}"),
    ("https://hooks.example/services/aB3dE5fG7hI9jK1lM3nO5pQ7", "'https://hooks.example/services/•••'"),
    ("x" * 100, f"'{'x' * 58}…"),
    (5, "5"),
]


@pytest.mark.parametrize(("value", "shown"), BRIEF)
def test_an_error_repeats_what_was_given_without_what_looks_like_a_secret(value, shown):
    assert brief(value) == shown


def test_a_warning_stands_at_the_line_that_gave_what_it_is_about_and_at_none_of_the_event_loops():
    async def main():
        errors.warn("in a cell")
        asyncio.get_running_loop().call_soon(errors.warn, "in a task")
        await asyncio.sleep(0)

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        asyncio.run(main())
    assert [warning.filename for warning in told] == [__file__, "<patter_nb>"]
