"""Where a URL leads: nothing that is not of the public internet is ever connected to, however it is spelled."""

from __future__ import annotations

import asyncio
import ipaddress
import re

import pytest
from tests_of_web_listener import listening
from tests_of_web_spellings import INSIDE, LOOPBACK, NAMES, OUTSIDE

from patter_nb.errors import ConfigError
from patter_nb.web.address import AddressError, Target, checked, is_public, shown_url
from patter_nb.web.post import WebError, post_json

PUBLIC = "93.184.215.14"


def resolver(*answers):
    """One that gives the next of `answers` each time it is asked, and remembers for whom."""
    asked = []

    async def resolve(host, port):
        asked.append((host, port))
        return answers[min(len(asked), len(answers)) - 1]

    resolve.asked = asked
    return resolve


def target(url, **settings):
    return asyncio.run(checked(url, **settings))


@pytest.mark.parametrize("spelling", LOOPBACK)
def test_no_spelling_of_this_machine_is_connected_to(spelling):
    async def main():
        async with listening() as listener:
            with pytest.raises(AddressError) as refused:
                await post_json(spelling.format(port=listener.port), {}, timeout_seconds=5)
            assert listener.requests == []
        assert "hunter2" not in str(refused.value)

    asyncio.run(main())


@pytest.mark.parametrize("spelling", NAMES)
def test_no_name_that_leads_to_this_machine_is_connected_to(spelling):
    async def main():
        async with listening() as listener:
            with pytest.raises(AddressError, match="not on the public internet: set allow_private=True"):
                await checked(spelling.format(port=listener.port), resolver=resolver(NAMES[spelling]))
            assert listener.requests == []

    asyncio.run(main())


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_of_no_public_network_is_refused(address):
    assert not is_public(ipaddress.ip_address(address))
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(AddressError, match="not on the public internet"):
        target(f"https://{host}/")
    allowed = target(f"https://{host}/", allow_private=True)
    assert ipaddress.ip_address(allowed.address) == ipaddress.ip_address(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_of_the_public_internet_is_taken(address):
    host = f"[{address}]" if ":" in address else address
    found = target(f"https://{host}/hook?a=b")
    assert (found.url, found.scheme, found.host, found.port) == (f"https://{host}/hook?a=b", "https", address, 443)
    assert ipaddress.ip_address(found.address) == ipaddress.ip_address(address)


def test_a_name_is_looked_up_once_and_its_first_address_is_the_one_to_connect_to():
    resolve = resolver([PUBLIC, "1.1.1.1"])
    found = target("https://Hooks.Example.:8443/a", resolver=resolve)
    assert found == Target("https://Hooks.Example.:8443/a", "https", "hooks.example", 8443, PUBLIC)
    assert resolve.asked == [("hooks.example", 8443)]


def test_a_name_that_answers_differently_the_second_time_gains_nothing():
    async def main():
        async with listening() as listener:
            resolve = resolver([PUBLIC], ["127.0.0.1"])
            found = await checked(f"http://rebinding.example:{listener.port}/", resolver=resolve)
            # That the tests refuse the connection shows where it was to go: to the address that was checked.
            with pytest.raises(ExceptionGroup) as tried:
                await post_json(found, {}, timeout_seconds=5)
            assert PUBLIC in str(tried.value.exceptions)
            assert len(resolve.asked) == 1
            assert listener.requests == []

    asyncio.run(main())


def test_a_server_of_ones_own_is_reached_when_that_is_allowed():
    async def main():
        async with listening() as listener:
            for spelling in ("http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://2130706433:{port}/"):
                reply = await post_json(spelling.format(port=listener.port), {}, timeout_seconds=5, allow_private=True)
                assert (reply.status, reply.body) == (200, b"{}")
            assert len(listener.requests) == 3

    asyncio.run(main())


def test_what_is_allowed_is_only_where_and_not_how():
    for url in ("http://me:hunter2@127.0.0.1/", "gopher://127.0.0.1/", "http://127.0.0.1:0/", "http://127.0.0.1\\/"):
        with pytest.raises(AddressError):
            target(url, allow_private=True)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (None, "A URL is NoneType; it must be a string that begins with http:// or https://."),
        ("", "A URL must begin with http:// or https://."),
        ("hooks.example/a", "A URL must begin with http:// or https://."),
        ("ftp://hooks.example/", "A URL must begin with http:// or https://."),
        ("http://", "A URL names no host."),
        ("http://:80/", "A URL names no host."),
        ("http://a b/", "A URL holds a space, a backslash or a control character; write it without, or encoded as in %20."),
        ("http://me:hunter2@hooks.example/", "A URL holds a user name or a password; put credentials into headers."),
        ("http://hooks.example:hunter2/", "The port of a URL must be a number from 1 to 65535."),
        ("http://hooks.example:65536/", "The port of a URL must be a number from 1 to 65535."),
        ("http://hooks.example:0/", "The port of a URL must be a number from 1 to 65535."),
        ("http://me:hunter2/@hooks.example/", "The port of a URL must be a number from 1 to 65535."),
        ("http://me:hunter2@hooks℀.example/", "A URL cannot be read: its host is malformed."),
        ("http://[::1/", "A URL cannot be read: its host is malformed."),
        ("http://ho..st/", "A URL names the host 'ho..st', which is no name of a host."),
        ("http://-a.example/", "A URL names the host '-a.example', which is no name of a host."),
        ("http://300.1.1.1/", "A URL names the host '300.1.1.1', which is no address."),
        ("http://4294967296/", "A URL names the host '4294967296', which is no address."),
        ("http://09.1.1.1/", "A URL names the host '09.1.1.1', which is no address."),
    ],
)
def test_a_url_that_cannot_be_used_is_one_sentence_without_its_secrets(url, sentence):
    with pytest.raises(AddressError) as refused:
        target(url)
    assert str(refused.value) == sentence
    assert isinstance(refused.value, ConfigError)
    assert "hunter2" not in repr(refused.value.__cause__)


def test_a_name_that_cannot_be_found_is_told():
    async def nowhere(host, port):
        raise OSError("Name or service not known")

    with pytest.raises(AddressError, match=r"The host 'nowhere.example' cannot be found"):
        target("https://nowhere.example/", resolver=nowhere)
    with pytest.raises(AddressError, match=r"The host 'nowhere.example' has no address."):
        target("https://nowhere.example/", resolver=resolver([]))


def test_a_resolver_that_does_not_answer_is_not_waited_for(virtual):
    async def silent(host, port):
        await asyncio.Event().wait()

    async def main():
        with pytest.raises(AddressError, match=r"cannot be found \(TimeoutError\)"):
            await checked("https://slow.example/", resolver=silent)

    virtual(main())


def test_other_schemes_are_for_those_who_ask_for_them():
    found = target("wss://1.1.1.1/socket", schemes=("ws", "wss"))
    assert (found.scheme, found.port) == ("wss", 443)
    with pytest.raises(AddressError, match="must begin with ws:// or wss://"):
        target("https://1.1.1.1/", schemes=("ws", "wss"))


def test_a_redirect_is_an_answer_and_not_followed():
    async def main():
        async with listening() as inside:
            moved = f"HTTP/1.1 307 Moved\r\nlocation: http://127.0.0.1:{inside.port}/\r\ncontent-length: 0\r\n\r\n"
            async with listening(moved.encode()) as server:
                public = Target(f"http://hooks.example:{server.port}/", "http", "hooks.example", server.port, "127.0.0.1")
                reply = await post_json(public, {}, timeout_seconds=5)
            assert reply.status == 307
            assert inside.requests == []

    asyncio.run(main())


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch):
    async def main():
        async with listening() as proxy, listening() as server:
            for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            await post_json(f"http://127.0.0.1:{server.port}/", {}, timeout_seconds=5, allow_private=True)
            assert (len(proxy.requests), len(server.requests)) == (0, 1)

    asyncio.run(main())


def test_a_closed_port_is_one_sentence():
    async def main():
        async with listening() as gone:
            pass
        with pytest.raises(WebError, match=r"^127\.0\.0\.1 cannot be asked") as failed:
            await post_json(f"http://127.0.0.1:{gone.port}/", {}, timeout_seconds=5, allow_private=True)
        assert failed.value.retryable

    asyncio.run(main())


SHOWN = [
    # the URL, and what stands before what was taken away; None: nothing is taken away
    ("https://desk.example/mcp?key=hunter2", "https://desk.example/mcp"),
    ("https://desk.example/mcp#hunter2", "https://desk.example/mcp"),
    ("https://desk.example?hunter2", "https://desk.example"),
    ("https://me:hunter2@desk.example:8443/mcp", "https://desk.example:8443/mcp"),
    ("https://hunter2@desk.example/a@b?x@y", "https://desk.example/a@b"),
    ("https://me:hunt@er2@desk.example/", "https://desk.example/"),
    ("postgresql+psycopg://me:hunter2@desk.example/calls", "postgresql+psycopg://desk.example/calls"),
    (" https://desk.example/?hunter2\n", "https://desk.example/"),
    ("https://desk.example/sk-hunter2hunter2/mcp", "https://desk.example/•••/mcp"),
    ("https://desk.example/mcp", None),
    ("https://desk.example/a@b", None),
    ("Ask https://desk.example/?page=2 for the hours.", None),
    ("You are a hotel. What is it?", None),
    ("", None),
]


@pytest.mark.parametrize(("url", "before"), SHOWN)
def test_a_url_is_shown_without_what_may_be_a_key(url, before):
    if before is None:
        assert shown_url(url) == url
        return
    start, _, digits = shown_url(url).partition("?•••#")
    assert (start, len(digits)) == (before, 8)
    assert shown_url(url) == shown_url(url) != shown_url(url.replace("hunter2", "hunter3").replace("er2", "er3"))


PATHS = [
    ("https://hooks.slack.com/services/T012AB3CD/B012AB3CD/{}", "aB3dE5fG7hI9jK1lM3nO5pQ7"),
    ("https://discord.com/api/webhooks/123456789012345678/{}", "aBcD-eFgH_iJkL1234567890mNoPqRsTuVwXyZ"),
    ("https://api.telegram.org/{}/sendMessage", "bot123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11"),
    ("https://hook.eu1.make.example/{}", "550e8400-e29b-41d4-a716-446655440000"),
]


@pytest.mark.parametrize(("url", "token"), PATHS)
def test_a_token_in_the_path_of_a_webhook_is_shown_as_digits_that_differ_when_it_does(url, token):
    shown = shown_url(url.format(token))
    begin, end = url.split("{}")
    assert re.fullmatch(f"{re.escape(begin)}•••[0-9a-f]{{8}}{re.escape(end)}", shown)
    assert shown == shown_url(url.format(token)) != shown_url(url.format(token.swapcase()))
    assert shown_url(shown) == shown
    assert re.fullmatch(rf"{re.escape(shown)}\?•••#[0-9a-f]{{8}}", shown_url(f"{url.format(token)}?key=hunter2"))


@pytest.mark.parametrize(
    "path",
    ["v1/models/gpt-4o-mini-realtime-preview", "crm/getCustomerOrderHistory", "2024-01-15/report", "T00000000/B0", "a@b//c/"],
)
def test_an_ordinary_path_stays_readable(path):
    assert shown_url(f"https://desk.example/{path}") == f"https://desk.example/{path}"
