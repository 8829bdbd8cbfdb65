"""Whose pages may open a socket to the softphone, and to whom its page is given."""

from __future__ import annotations

import pytest

from patter_nb.softphone.origins import may_ask, may_connect

HERE = "127.0.0.1:4711"

SOCKETS = [
    # origin, host that was asked, may it
    ("http://127.0.0.1:4711", HERE, True),
    ("http://localhost:8888", HERE, True),
    ("https://localhost", HERE, True),
    ("http://[::1]:8888", HERE, True),
    ("http://lab.localhost:8888", HERE, True),
    ("https://hub.example.org", "hub.example.org", True),  # as a proxy of the notebook's server passes it on
    ("https://hub.example.org:8443", "hub.example.org:8443", True),
    ("https://HUB.example.org", "hub.EXAMPLE.org", True),
    ("https://hub.example.org", HERE, False),
    ("https://hub.example.org", "hub.example.org:8443", False),
    ("https://evil.example", HERE, False),
    ("http://127.0.0.1.evil.example", HERE, False),
    ("http://localhost.evil.example", HERE, False),
    ("http://evil.example#localhost", HERE, False),
    ("http://localhost@evil.example", HERE, False),
    ("null", HERE, False),
    ("null", "null", False),
    ("file://", HERE, False),
    ("vscode-webview://abc", HERE, False),
    ("chrome-extension://localhost", HERE, False),
    ("http://[::1", HERE, False),
    ("http://", "", False),
    ("", "", False),
]


@pytest.mark.parametrize(("origin", "host", "may"), SOCKETS)
def test_a_socket_is_for_pages_of_this_machine_and_of_the_host_that_was_asked(origin, host, may):
    assert may_connect({"origin": origin, "host": host}) is may


def test_whoever_does_not_say_where_they_come_from_stays_outside():
    assert not may_connect({"host": HERE})


PAGES = [
    ({"host": HERE}, True),
    ({"host": "localhost:4711"}, True),
    ({"host": "[::1]:4711"}, True),
    ({"host": "evil.example:4711"}, False),
    ({"host": "evil.example"}, False),
    ({"host": "hub.example.org", "x-forwarded-context": "/user/ann/proxy/4711"}, True),
    ({"host": "hub.example.org", "x-proxycontextpath": "/user/ann/proxy/4711"}, True),
    ({"host": "[::1"}, False),
    ({}, False),
]


@pytest.mark.parametrize(("headers", "may"), PAGES)
def test_the_page_is_for_this_machine_and_for_proxies(headers, may):
    assert may_ask(headers) is may
