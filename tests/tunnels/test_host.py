"""A host name as users write it: what a carrier can reach is taken, the rest refused in one sentence."""

from __future__ import annotations

import asyncio

import pytest

from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.tunnels import CloudflareTunnel, Ngrok, OpenTunnel, Static, Tunnel, read_tunnel

TAKEN = {
    "calls.example.com": "calls.example.com",
    "  Calls.Example.COM ": "calls.example.com",
    "https://calls.example.com": "calls.example.com",
    "https://calls.example.com/": "calls.example.com",
    "http://calls.example.com": "calls.example.com",
    "WSS://calls.example.com/": "calls.example.com",
    "calls.example.com.": "calls.example.com",
    "calls.example.com:443": "calls.example.com",
    "calls.example.com:8443": "calls.example.com:8443",
    "https://calls.example.com:8443/": "calls.example.com:8443",
    "anrufe.bücher.example": "anrufe.xn--bcher-kva.example",
    "93.184.215.14": "93.184.215.14",
    "[2606:4700:4700::1111]:8443": "[2606:4700:4700::1111]:8443",
    "locallocal.com": "locallocal.com",
}


@pytest.mark.parametrize(("given", "host"), TAKEN.items())
def test_a_name_or_a_url_of_a_host_is_taken(given, host):
    assert Static(given).hostname == host


REFUSED = {
    "": "is no public host name",
    "https://": "is no public host name",
    "calls": "is no public host name",
    "calls example.com": "is no public host name",
    "-calls.example.com": "is no public host name",
    "calls..example.com": "is no public host name",
    "calls.example.com:99999": "cannot be read",
    "calls.example.com:http": "cannot be read",
    "[::1": "cannot be read",
    "1.2.3": "is no public host name",
    "https://calls.example.com/webhooks": "give the host name alone: the paths below it are ours",
    "calls.example.com/voice/": "give the host name alone",
    "calls.example.com?x=1": "give the host name alone",
    "calls.example.com/?": "give the host name alone",
    "calls.example.com#top": "give the host name alone",
    "ftp://calls.example.com": "begins with 'ftp'://; give the host name alone, or a URL with https://",
    "https://me:secret@calls.example.com": "holds a user name or a password; give the host name alone",
    "localhost": "no carrier can reach",
    "http://localhost:8000": "no carrier can reach",
    "127.0.0.1:8000": "no carrier can reach",
    "192.168.1.20": "no carrier can reach",
    "10.0.0.7": "no carrier can reach",
    "100.64.0.1": "no carrier can reach",
    "169.254.169.254": "no carrier can reach",
    "[::1]": "no carrier can reach",
    "mac.local": "no carrier can reach",
    "server.internal": "no carrier can reach",
    "router.home.arpa": "no carrier can reach",
}


@pytest.mark.parametrize(("given", "sentence"), REFUSED.items())
def test_what_no_carrier_could_reach_is_refused_in_one_sentence(given, sentence):
    with pytest.raises(ConfigError, match=sentence) as caught:
        Static(given)
    told = str(caught.value)
    assert told.startswith("Static(hostname) ")
    assert "secret" not in told


@pytest.mark.parametrize("given", [None, 8000, b"calls.example.com"])
def test_what_is_no_text_is_a_type_error(given):
    with pytest.raises(ConfigTypeError, match="it must be a host name"):
        Static(given)


def test_a_static_tunnel_gives_its_name_and_cannot_be_lost():
    told = []

    async def main():
        async with Static("calls.example.com").open(8000, told.append) as stands:
            return stands

    assert asyncio.run(main()) == OpenTunnel("calls.example.com", None)
    assert told == []


OWN = Static("calls.example.com")
GIVEN = [
    (True, "", CloudflareTunnel()),
    (False, "", None),
    (None, "", None),
    (OWN, "", OWN),
    (Ngrok(), "", Ngrok()),
    (None, "https://calls.example.com/", OWN),
    (False, "calls.example.com", OWN),
    (OWN, "calls.example.com", OWN),
    (Ngrok("calls.example.com"), "https://calls.example.com", Ngrok("calls.example.com")),
]


@pytest.mark.parametrize(("tunnel", "webhook_url", "chosen"), GIVEN)
def test_tunnel_and_webhook_url_name_one_way(tunnel, webhook_url, chosen):
    assert read_tunnel(tunnel, webhook_url) == chosen


CONFLICTS = [(True, "calls.example.com"), (OWN, "other.example.com"), (Ngrok(), "calls.example.com")]


@pytest.mark.parametrize(("tunnel", "webhook_url"), CONFLICTS)
def test_two_ways_at_once_are_refused(tunnel, webhook_url):
    with pytest.raises(ConfigError, match="tunnel and webhook_url name two ways to this machine"):
        read_tunnel(tunnel, webhook_url)


def test_a_webhook_url_is_named_in_its_error():
    with pytest.raises(ConfigError, match=r"^webhook_url is 'localhost:8000', which no carrier can reach"):
        read_tunnel(None, "localhost:8000")


@pytest.mark.parametrize("tunnel", ["calls.example.com", 8000, object()])
def test_what_is_no_tunnel_is_a_type_error(tunnel):
    with pytest.raises(ConfigTypeError, match=r"it must be True, CloudflareTunnel\(\), Ngrok\(\) or Static"):
        read_tunnel(tunnel)


@pytest.mark.parametrize("kind", [CloudflareTunnel, Ngrok, Static])
def test_a_class_without_its_brackets_is_a_type_error(kind):
    assert issubclass(kind, Tunnel)
    with pytest.raises(ConfigTypeError, match=rf"tunnel is the class {kind.__name__}; give {kind.__name__}\(\), with brackets"):
        read_tunnel(kind)
