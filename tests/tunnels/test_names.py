"""When a new name is known: the zone's own servers are asked, and they alone."""

from __future__ import annotations

import asyncio
import importlib
import socket

import pytest
from tests_of_tunnels_stand_ins import HOST, name_server

from patter_nb.tunnels import names
from patter_nb.tunnels.names import known, zone_servers

ZONE = "trycloudflare.com"


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(names, "PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(names, "SILENCE_SECONDS", 0.2)
    importlib.import_module("dns.asyncresolver")


def run(main):
    return asyncio.run(asyncio.wait_for(main, 30))


def test_one_server_that_knows_the_name_is_enough():
    async def main():
        async with name_server(knows_after=1_000) as first, name_server(knows_after=3) as second:
            servers = [("127.0.0.1", first.port), ("127.0.0.1", second.port)]
            return await known(HOST, servers=servers, seconds=10), len(second.questions)

    assert run(main()) == (True, 3)


def test_a_server_that_does_not_answer_does_not_hold_up_the_others_word():
    async def main():
        async with name_server(silent=True) as first, name_server(knows_after=2) as second:
            return await known(HOST, servers=[("127.0.0.1", first.port), ("127.0.0.1", second.port)], seconds=10)

    assert run(main()) is True


def test_a_name_that_stays_unknown_is_false_and_servers_that_stay_silent_are_none():
    async def main(**server):
        async with name_server(**server) as asked:
            return await known(HOST, servers=[("127.0.0.1", asked.port)], seconds=0.3)

    assert run(main(knows_after=1_000)) is False
    assert run(main(silent=True)) is None


def test_where_the_zones_servers_are_not_found_nothing_is_known(monkeypatch):
    async def none_found(zone):
        assert zone == ZONE
        return []

    monkeypatch.setattr(names, "zone_servers", none_found)
    assert run(known(HOST)) is None


RECORDS = {
    ZONE: ("NS", "ns2.example.com.", "ns1.example.com.", "ns3.example.com."),
    "ns1.example.com": ("A", "192.0.2.1"),
    "ns2.example.com": ("A", "192.0.2.2"),
    "ns3.example.com": ("A", "192.0.2.3"),
}


def test_the_resolver_is_asked_for_the_zones_servers_and_never_for_the_new_name():
    async def main():
        async with name_server(records=RECORDS) as resolver:
            found = await zone_servers(ZONE, through=[("127.0.0.1", resolver.port)])
            return found, resolver.questions

    found, questions = run(main())
    assert found == [("192.0.2.1", 53), ("192.0.2.2", 53)]
    assert questions == [f"{name}." for name in (ZONE, "ns1.example.com", "ns2.example.com")]


def test_a_resolver_that_is_silent_or_away_finds_no_servers():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        assert run(zone_servers(ZONE, through=[("127.0.0.1", taken.getsockname()[1])])) == []
