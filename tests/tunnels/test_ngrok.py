"""ngrok: by its package, a stand-in for which offers what the package's own types offer, or one that runs already."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import sys
import threading
import types
from pathlib import Path

import pytest

from patter_nb.errors import CarrierError, ConfigError, MissingExtra
from patter_nb.tunnels import Ngrok, ngrok, read_tunnel

TOKEN = "2abcDEF345ghiJKL678mnoPQR"


class StandIn(types.ModuleType):
    """The package `ngrok`: remembers what it was told, fails as it is told."""

    def __init__(self) -> None:
        super().__init__("ngrok")
        self.told = []
        self.refuses = {}
        self.on_stop = None
        self.SessionBuilder = lambda: Builder(self)

    def does(self, name, *arguments):
        self.told.append((name, *arguments))
        if name in self.refuses:
            raise self.refuses[name]


class Builder:
    def __init__(self, package) -> None:
        self.package = package

    def authtoken(self, authtoken):
        self.package.does("authtoken", authtoken)
        return self

    def handle_stop_command(self, handler):
        self.package.on_stop = handler
        return self

    async def connect(self):
        self.package.does("connect")
        return Session(self.package)


class Session:
    def __init__(self, package) -> None:
        self.package = package

    def http_endpoint(self):
        return Endpoint(self.package)

    async def close(self):
        self.package.does("close")


class Endpoint:
    def __init__(self, package) -> None:
        self.package, self.host = package, "9a8b7c.ngrok-free.app"

    def domain(self, domain):
        self.host = domain
        return self

    async def listen_and_forward(self, url):
        self.package.does("listen_and_forward", url)
        return Listener(self.host)


class Listener:
    def __init__(self, host) -> None:
        self.host = host

    def url(self):
        return f"https://{self.host}"


@pytest.fixture
def package(monkeypatch):
    found = StandIn()
    monkeypatch.setitem(sys.modules, "ngrok", found)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found)
    return found


@pytest.fixture
def no_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "ngrok", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


@pytest.fixture(autouse=True)
def no_key(monkeypatch, tmp_path):
    monkeypatch.delenv("NGROK_AUTHTOKEN", raising=False)
    monkeypatch.chdir(tmp_path)


async def opened(tunnel, told=None):
    async with tunnel.open(8000, [].append if told is None else told.append) as stands:
        return stands


def test_it_opens_one_that_leads_to_the_port_alone_and_closes_it(package, monkeypatch):
    monkeypatch.setenv("NGROK_AUTHTOKEN", TOKEN)
    told = []
    stands = asyncio.run(opened(Ngrok(), told))
    assert stands.host == "9a8b7c.ngrok-free.app"
    assert stands.lost.cancelled()
    assert package.told == [("authtoken", TOKEN), ("connect",), ("listen_and_forward", "http://127.0.0.1:8000"), ("close",)]
    assert told == ["Tunnel: https://9a8b7c.ngrok-free.app"]


def test_a_key_that_is_given_and_a_domain_that_is_asked_for_are_used(package):
    stands = asyncio.run(opened(Ngrok("https://calls.example.com", authtoken=TOKEN)))
    assert stands.host == "calls.example.com"
    assert ("authtoken", TOKEN) in package.told


def test_a_stop_from_the_dashboard_is_told_to_whoever_serves(package):
    async def main():
        async with Ngrok(authtoken=TOKEN).open(8000, [].append) as stands:
            for _ in "it may ask twice":
                await asyncio.to_thread(package.on_stop)  # on a thread of its own, as the package does
            return await asyncio.wait_for(asyncio.shield(stands.lost), 5)

    assert asyncio.run(main()) == "ngrok was stopped from its dashboard"


REFUSALS = {
    "connect": (
        ValueError("failed to connect session", "authentication failed, authtoken=2abc is invalid", "ERR_NGROK_107"),
        r"could not be opened: failed to connect session: authentication failed, authtoken=••• is invalid: ERR_NGROK_107\.$",
    ),
    "listen_and_forward": (
        ValueError("failed to start listener", "The endpoint is already online.\n\n", "ERR_NGROK_334"),
        r"could not be opened: failed to start listener: The endpoint is already online: ERR_NGROK_334\.$",
    ),
}


@pytest.mark.parametrize(("step", "refusal"), REFUSALS.items(), ids=REFUSALS)
def test_a_refusal_is_one_sentence_and_what_was_open_is_closed(package, step, refusal):
    package.refuses[step], sentence = refusal
    with pytest.raises(CarrierError, match=sentence):
        asyncio.run(opened(Ngrok(authtoken=TOKEN)))
    assert (("close",) in package.told) is (step != "connect")


def test_a_connection_that_takes_too_long_is_given_up(package, monkeypatch):
    monkeypatch.setattr(ngrok, "SECONDS", 0.05)
    monkeypatch.setattr(Builder, "connect", lambda self: asyncio.Event().wait())
    with pytest.raises(CarrierError, match=r"was not opened within 0\.05 s"):
        asyncio.run(opened(Ngrok(authtoken=TOKEN)))


def test_without_a_key_the_three_ways_to_give_it_are_named(package):
    with pytest.raises(ConfigError, match=r'Ngrok\(\) needs the key NGROK_AUTHTOKEN.*patter_nb\.keys\("NGROK_AUTHTOKEN"\)'):
        asyncio.run(opened(Ngrok()))


def test_without_the_package_and_a_hostname_the_command_is_named(no_package, monkeypatch):
    monkeypatch.setenv("NGROK_AUTHTOKEN", TOKEN)
    with pytest.raises(MissingExtra, match=r'Ngrok\(\) needs the package .ngrok., .*pip install "\.\[ngrok\]"'):
        asyncio.run(opened(Ngrok()))


@pytest.mark.parametrize("there", ["the package alone", "the key alone", "neither"])
def test_with_a_hostname_one_that_runs_already_is_taken_as_it_is(request, monkeypatch, there):
    request.getfixturevalue("package" if there == "the package alone" else "no_package")
    if there == "the key alone":
        monkeypatch.setenv("NGROK_AUTHTOKEN", TOKEN)
    told = []
    stands = asyncio.run(opened(Ngrok("calls.ngrok.app"), told))
    assert (stands.host, stands.lost) == ("calls.ngrok.app", None)
    assert told == ["Tunnel: the ngrok that runs at calls.ngrok.app must lead to port 8000"]


def test_the_key_is_never_shown():
    tunnel = Ngrok(authtoken=TOKEN)
    assert TOKEN not in repr(tunnel)
    with pytest.raises(ConfigError) as caught:
        read_tunnel(tunnel, "calls.example.com")
    assert TOKEN not in str(caught.value)


def types_of_the_package() -> dict[str, dict[str, list[str]]]:
    """Its classes, their methods and what these take, as the package itself declares them."""
    spec = importlib.util.find_spec("ngrok")
    assert spec is not None, 'pip install ".[ngrok]"'
    tree = ast.parse(Path(spec.origin).with_name("ngrok.pyi").read_text())
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return {
        each.name: {
            method.name: [argument.arg for argument in method.args.args]
            for method in each.body
            if isinstance(method, ast.FunctionDef)
        }
        for each in classes
    }


STOOD_IN_FOR = {"SessionBuilder": Builder, "Session": Session, "HttpListenerBuilder": Endpoint, "Listener": Listener}


@pytest.mark.parametrize("name", STOOD_IN_FOR)
def test_the_stand_in_offers_nothing_that_the_package_does_not(name):
    theirs = types_of_the_package()[name]
    ours = {key: value for key, value in vars(STOOD_IN_FOR[name]).items() if callable(value) and not key.startswith("__")}
    taken = {key: list(value.__code__.co_varnames[: value.__code__.co_argcount]) for key, value in ours.items()}
    assert {key: theirs.get(key) for key in taken} == taken


def test_the_package_itself_says_in_our_words_that_it_cannot_connect(monkeypatch):
    import ngrok as package

    class Nowhere:
        """Its builder, which dials loopback, where nobody listens."""

        def __new__(cls):
            return package.SessionBuilder().server_addr("127.0.0.1:9")

    monkeypatch.setitem(sys.modules, "ngrok", types.SimpleNamespace(SessionBuilder=Nowhere))
    threads = threading.active_count()
    with pytest.raises(CarrierError, match=r"opened: failed to connect session: failed to establish tcp connection\.$"):
        asyncio.run(opened(Ngrok(authtoken=TOKEN)))
    assert threading.active_count() <= threads + 1
