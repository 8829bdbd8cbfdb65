"""How many ways of writing "this machine" get through the guarded way to the web: `python tests/bench/ssrf.py`. Figures only.

A real listener on loopback counts who reaches it. Each spelling of tests/web/spellings.py is posted to, each name of it is
resolved to what its owner would answer, and each is tried once more with `allow_private=True`, to show that the listener can be
reached. Nothing is sent beyond this machine.
"""

from __future__ import annotations

import asyncio
import importlib.util
import ipaddress
import sys
from pathlib import Path

from patter_nb.web.address import AddressError, checked
from patter_nb.web.post import WebError, post_json

WEB_TESTS = Path(__file__).parents[1] / "web"


def load(name: str):
    spec = importlib.util.spec_from_file_location(f"tests_of_web_{name}", WEB_TESTS / f"{name}.py")
    sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[spec.name])
    return sys.modules[spec.name]


def answering(*addresses: str):
    async def resolve(host: str, port: int):
        return addresses

    return resolve


async def attempt(url: str, addresses: list[str], allow_private: bool) -> None:
    try:
        target = await checked(url, allow_private=allow_private, resolver=answering(*addresses))
        address = ipaddress.ip_address(target.address)
        if address.is_loopback or address.is_unspecified:
            await post_json(target, {}, timeout_seconds=2)
    except (AddressError, WebError):
        pass


async def reached(urls: dict[str, list[str]], allow_private: bool) -> int:
    async with load("listener").listening() as listener:
        for url, addresses in urls.items():
            await attempt(url.format(port=listener.port), addresses, allow_private)
        return len(listener.requests)


async def main() -> None:
    spellings = load("spellings")
    urls = {**{url: ["127.0.0.1"] for url in spellings.LOOPBACK}, **spellings.NAMES}
    print(f"spellings and names tried   {len(urls)}")
    print(f"reached                     {await reached(urls, allow_private=False)}")
    print(f"reached when allowed        {await reached(urls, allow_private=True)}")


asyncio.run(main())
