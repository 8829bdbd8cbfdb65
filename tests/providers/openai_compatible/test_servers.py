"""Which server a base URL or a name means."""

from __future__ import annotations

import pytest

from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.providers.openai_compatible.servers import server

NAMES = {
    "ollama": "http://localhost:11434/v1",
    "LM Studio": "http://localhost:1234/v1",
    "lmstudio": "http://localhost:1234/v1",
    "llama.cpp": "http://localhost:8080/v1",
    "vllm": "http://localhost:8000/v1",
}
URLS = [
    ("http://localhost:9/v1", "localhost", True),
    ("http://127.0.0.1:9/v1", "127.0.0.1", True),
    ("http://127.8.0.1/v1", "127.8.0.1", True),
    ("http://[::1]:9/v1", "::1", True),
    ("http://model.localhost/v1", "model.localhost", True),
    ("https://API.Example.com/v1/", "api.example.com", False),
    ("http://192.168.0.7:11434/v1", "192.168.0.7", False),
    ("https://localhost.example.com", "localhost.example.com", False),
]
REFUSED = {
    "olama": "base_url is 'olama'; it must be a URL",
    "": "base_url is ''; it must be a URL",
    "localhost:11434": "it must be a URL such as",
    "ws://localhost/v1": "it must be a URL such as",
    "http:///v1": "it must be a URL such as",
    "http://localhost:70000/v1": "host or port is malformed",
    "http://[::1/v1": "host or port is malformed",
    "http://local host/v1": "it must be a URL such as",
    "http://me:hunter2@example.com/v1": "base_url holds a user name or a password",
    "https://example.com/v1?key=hunter2": "has a query or a fragment",
    "https://example.com/v1/chat/completions/": "base_url ends in /chat/completions",
}


@pytest.mark.parametrize(("name", "url"), NAMES.items())
def test_a_name_is_the_program_on_this_machine_at_its_default_port(name, url):
    found = server(name)
    assert (found.url, found.local) == (url, True)
    assert found.provider == name.lower().replace("lmstudio", "lm studio")
    assert "start it with `" in found.remedy


@pytest.mark.parametrize(("url", "host", "local"), URLS)
def test_any_other_server_goes_by_its_host(url, host, local):
    found = server(url)
    assert (found.provider, found.url, found.local) == (host, url.rstrip("/"), local)


@pytest.mark.parametrize(("url", "told"), REFUSED.items())
def test_what_is_no_base_url_is_refused_with_a_sentence_and_no_secret(url, told):
    with pytest.raises(ConfigError) as refused:
        server(url)
    assert told in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_base_url_is_a_string():
    with pytest.raises(ConfigTypeError, match="base_url is NoneType; it must be a URL or one of 'ollama'"):
        server(None)
