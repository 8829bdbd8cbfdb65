"""A quick tunnel of Cloudflare: no account, a new name each time, by the program `cloudflared` on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from patter_nb.errors import CarrierError, ConfigError, brief, scrub
from patter_nb.tunnels.base import OpenTunnel, Tell
from patter_nb.tunnels.names import Server, known
from patter_nb.tunnels.program import Program

PROGRAM = "cloudflared"
ADDRESS_SECONDS = 30.0
"""How long it may take to say its address; Cloudflare's service answers within 15 s or not at all."""
NAME_SECONDS = 60.0
"""How long the new name may take to be known."""
UNSEEN_SECONDS = 15.0
"""What is waited instead where the name servers cannot be asked."""
REFUSALS = 3
"""After so many in a row Cloudflare does not know the tunnel any more, as after a night's sleep; one alone passes."""

INSTALL = {
    "macOS": "brew install cloudflared",
    "Windows": "winget install --id Cloudflare.cloudflared",
    "Debian and Ubuntu": "sudo apt-get install cloudflared, after adding the package source of https://pkg.cloudflare.com",
}

_ADDRESS = re.compile(r"https://((?!api\.)[a-z0-9-]+\.trycloudflare\.com)(?![\w.-])")
"""Errors name https://api.trycloudflare.com, where tunnels are asked for."""
_REGISTERED = "Registered tunnel connection"
_REFUSED = "Unauthorized"
_HARMLESS = re.compile(r" (?:INF|DBG|WRN) |\bConfiguration file \S+ was empty")
"""What is no reason for an end; the second is our doing."""


@dataclass(frozen=True, slots=True)
class CloudflareTunnel:
    """A public name under trycloudflare.com for as long as the server runs, by `cloudflared`, which must be on the PATH.

    Such a tunnel needs no account, has a new name each time, and Cloudflare does not promise that it stays up: it is for
    prototypes. The name servers of the zone are asked until they know the new name; `name_servers=("192.0.2.1:5353",)` asks
    others. Tried with a stand-in for `cloudflared` that prints what its source prints, never with the program itself.
    """

    name_servers: tuple[str, ...] = ()
    _servers: tuple[Server, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_servers", tuple(map(_server, self.name_servers)))

    @asynccontextmanager
    async def open(self, port: int, tell: Tell) -> AsyncIterator[OpenTunnel]:
        """Start `cloudflared`, wait for the address and until its name is known."""
        program = shutil.which(PROGRAM)
        if program is None:
            raise ConfigError(f"{PROGRAM} is not on the PATH, which CloudflareTunnel() runs: {_install()}.")
        log = _Log(asyncio.get_running_loop())
        # An update would restart it in the middle of a call, and rules of a configuration file would lead elsewhere.
        options = ["tunnel", "--no-autoupdate", "--config", os.devnull, "--url", f"http://127.0.0.1:{port}"]
        running = Program([program, *options], log.read)
        tell(f"Tunnel: {PROGRAM} is started")
        try:
            host = await _address(log, running)
            tell(f"Tunnel: https://{host}, waiting until the name is known")
            await _settled(host, self._servers, running, log)
            tell("Tunnel: ready")
            running.ended.add_done_callback(lambda ended: log.lose(_reason(ended, log)))
            yield OpenTunnel(host, log.lost)
        finally:
            log.lost.cancel()
            await running.stop()


class _Log:
    """What `cloudflared` has said so far: all that matters of it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.host: asyncio.Future[str] = loop.create_future()
        self.lost: asyncio.Future[str] = loop.create_future()
        self.trouble = ""
        self._loop = loop
        self._refused = 0

    def read(self, line: str) -> None:
        """Take a line, on any thread."""
        if not self.host.done() and (found := _ADDRESS.search(line)):
            self._hop(self._found, found[1])
        if _REGISTERED in line:
            self._refused, self.trouble = 0, ""
        elif line and not _HARMLESS.search(line):
            self.trouble = re.sub(r"^\S+Z ERR ", "", line)
        if _REFUSED in line:
            self._refused += 1
            if self._refused >= REFUSALS:
                self._hop(self.lose, f"Cloudflare does not know it any more{self.why()}")

    def lose(self, why: str) -> None:
        """The tunnel has ended by itself. On the loop."""
        if not self.lost.done():
            self.lost.set_result(why)

    def why(self) -> str:
        """The last trouble it told of, in brackets; "" when it told of none."""
        text = scrub(self.trouble)
        return f" ({text if len(text) <= 200 else f'{text[:200]}…'})" if text else ""

    def _found(self, host: str) -> None:
        if not self.host.done():
            self.host.set_result(host)

    def _hop(self, function: Tell, text: str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(function, text)


async def _address(log: _Log, running: Program) -> str:
    either: list[asyncio.Future[Any]] = [log.host, running.ended]
    await asyncio.wait(either, timeout=ADDRESS_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    if log.host.done():
        return log.host.result()
    if running.ended.done():
        raise CarrierError(
            f"{_reason(running.ended, log)} before it had an address: try again in a minute, or "
            'serve under a host name of your own with tunnel=Static("calls.example.com").'
        )
    raise CarrierError(
        f"{PROGRAM} had no address after {ADDRESS_SECONDS:g} s{log.why()}: does this network let it reach the internet?"
    )


async def _settled(host: str, servers: tuple[Server, ...], running: Program, log: _Log) -> None:
    """Wait until the name is known, unless `cloudflared` ends before."""
    asking = asyncio.ensure_future(known(host, servers=servers, seconds=NAME_SECONDS))
    try:
        either: list[asyncio.Future[Any]] = [asking, running.ended]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if asking.done() and asking.result() is None:
            await asyncio.wait([running.ended], timeout=UNSEEN_SECONDS)
    finally:
        asking.cancel()
    if running.ended.done():
        raise CarrierError(f"{_reason(running.ended, log)} before its name was known: serve again for a new tunnel.")
    if asking.result() is False:
        raise CarrierError(f"The name {host} was not known after {NAME_SECONDS:g} s: serve again for a tunnel with another name.")


def _reason(ended: asyncio.Future[int], log: _Log) -> str:
    return f"{PROGRAM} ended with code {ended.result()}{log.why()}"


def _install() -> str:
    here = {"darwin": "macOS", "win32": "Windows"}.get(sys.platform, "Debian and Ubuntu")
    first = f"{here}: {INSTALL[here]}"
    return "; ".join([first, *(f"{system}: {command}" for system, command in INSTALL.items() if system != here)])


def _server(text: object) -> Server:
    try:
        host, _, port = str(text).rpartition(":") if re.search(r"[\].]\S*:", str(text)) else (str(text), "", "53")
        return str(ipaddress.ip_address(host.strip("[]"))), int(port)
    except ValueError:
        example = '"192.0.2.1" or "192.0.2.1:53"'
        raise ConfigError(f"name_servers holds {brief(text)}; each must be an address, such as {example}.") from None
