"""Where a server is, by the name of the program or by URL."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from patter_nb.errors import ConfigError, ConfigTypeError


@dataclass(frozen=True, slots=True)
class Server:
    """A server of chat completions. `url` has no slash at its end."""

    provider: str
    """The name of the program, or the host of the URL."""
    url: str
    local: bool
    """On this machine."""
    remedy: str = ""
    """What to do when nothing listens there."""
    install: str = ""
    """The command that brings a model which is not there; `{model}` stands for its name."""


KNOWN = {
    # The ports are the defaults of these programs; whoever changed theirs gives the URL.
    "ollama": Server("ollama", "http://localhost:11434/v1", True, "start it with `ollama serve`", "ollama pull {model}"),
    "lm studio": Server(
        "lm studio",
        "http://localhost:1234/v1",
        True,
        "start it with `lms server start`",
        "lms get {model}",
    ),
    "llama.cpp": Server("llama.cpp", "http://localhost:8080/v1", True, "start it with `llama-server -m model.gguf --jinja`"),
    "vllm": Server("vllm", "http://localhost:8000/v1", True, "start it with `vllm serve <model>`", "vllm serve {model}"),
}
ALIASES = {"lmstudio": "lm studio"}
ENDPOINT = "/chat/completions"


def server(base_url: object) -> Server:
    """The server that `base_url` means. A `ConfigError` never shows a URL that may hold credentials."""
    if not isinstance(base_url, str):
        raise ConfigTypeError(f"base_url is {type(base_url).__name__}; it must be a URL or one of {_names()}.")
    name = base_url.strip().lower()
    if known := KNOWN.get(ALIASES.get(name, name)):
        return known
    host = _host(base_url)
    return Server(host, base_url.rstrip("/"), _is_local(host), "check that the server runs and listens on this port")


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        raise ConfigError("base_url is no URL: its host or port is malformed.") from None
    if parts.username is not None or parts.password is not None:
        raise ConfigError("base_url holds a user name or a password; give them as headers={'Authorization': ...}.")
    if scheme not in ("http", "https") or not host or port == 0 or not url.isprintable() or " " in url:
        shown = url if host is None and url.isprintable() else "not such a URL"
        raise ConfigError(f"base_url is {shown!r}; it must be a URL such as 'http://localhost:8080/v1', or one of {_names()}.")
    if parts.query or parts.fragment:
        raise ConfigError("base_url has a query or a fragment; give the part before it.")
    if parts.path.rstrip("/").endswith(ENDPOINT):
        raise ConfigError(f"base_url ends in {ENDPOINT}; leave that away, it is added to every request.")
    return host


def _is_local(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _names() -> str:
    return ", ".join(map(repr, KNOWN))
