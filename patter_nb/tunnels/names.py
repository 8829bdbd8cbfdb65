"""Waits until a new name is known in the DNS, without asking too early where the answer "no" is kept.

A resolver remembers that a name did not exist, for half an hour with the names of quick tunnels, and everything behind it
believes that. So the question goes to the name servers of the zone themselves, which remember nothing; the resolver is asked for
those only.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence

SILENCE_SECONDS = 2.0
"""How long a name server may take."""
PAUSE_SECONDS = 1.0
ROUNDS_OF_SILENCE = 2
"""After so many without any answer they cannot be reached from here."""

Server = tuple[str, int]


async def known(host: str, *, servers: Sequence[Server] = (), seconds: float = 60.0) -> bool | None:
    """Whether the name is known within that time; None when its name servers cannot be asked from here.

    `servers` are asked instead of those of its zone.
    """
    # The package takes its time to load, and must not take the loop's.
    await asyncio.to_thread(importlib.import_module, "dns.asyncresolver")
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    silent = 0
    asked = list(servers) or await zone_servers(host.partition(".")[2])
    while asked and silent < ROUNDS_OF_SILENCE:
        answers = await asyncio.gather(*(_answer(host, server) for server in asked))
        if any(answers):
            return True
        silent = silent + 1 if all(answer is None for answer in answers) else 0
        if loop.time() + PAUSE_SECONDS > until:
            return None if silent else False
        await asyncio.sleep(PAUSE_SECONDS)
    return None


async def zone_servers(zone: str, *, through: Sequence[Server] = ()) -> list[Server]:
    """Two name servers of a zone, by the system's resolver or `through` others; none when it cannot be asked."""
    import dns.asyncresolver
    import dns.exception

    try:
        resolver = dns.asyncresolver.Resolver(configure=not through)
        resolver.lifetime = 2 * SILENCE_SECONDS
        if through:
            resolver.nameservers, resolver.port = [address for address, _ in through], through[0][1]
        names = [str(record.target) for record in await resolver.resolve(zone, "NS")]
        found = [await resolver.resolve(name, "A") for name in sorted(names)[:2]]
    except (dns.exception.DNSException, OSError):
        return []
    return [(str(answer[0].address), 53) for answer in found]


async def _answer(host: str, server: Server) -> bool | None:
    """Whether that server knows an address of the name; None when it does not answer."""
    import dns.asyncquery
    import dns.exception
    import dns.flags
    import dns.message

    question = dns.message.make_query(host, "A")
    question.flags &= ~dns.flags.RD
    try:
        told = await dns.asyncquery.udp(question, server[0], timeout=SILENCE_SECONDS, port=server[1])
    except (dns.exception.DNSException, OSError):
        return None
    return bool(told.answer)
