"""A `cloudflared` of our own, in a process of its own, and a name server on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

HOST = "seven-wet-lemon-trees.trycloudflare.com"

PROGRAM = '''#!{python} -I
import os, signal, sys, threading, time
from pathlib import Path

HOST = "{host}"
STAMP = "2026-11-29T14:00:00Z"
ASKING = STAMP + " INF Requesting new quick Tunnel on trycloudflare.com..."
ADDRESS = "\\n".join([
    STAMP + " INF +---------------------------------------------------------------------------------------+",
    STAMP + " INF |  Your quick Tunnel has been created! Visit it at (it may take some time to be reachable):  |",
    STAMP + " INF |  https://" + HOST + "                                          |",
    STAMP + " INF +---------------------------------------------------------------------------------------+",
])
REGISTERED = STAMP + " INF Registered tunnel connection connIndex=0 event=0 ip=192.0.2.1 location=ams01 protocol=quic"
REFUSED = STAMP + ' ERR Register tunnel error from server side error="Unauthorized: Tunnel not found" connIndex=0'

def say(text, end="\\n"):
    sys.stderr.write(text + end)
    sys.stderr.flush()

def stay():
    threading.Event().wait(60)

def wait(name):
    while not (folder / name).exists():
        time.sleep(0.005)

folder = Path(__file__).parent
(folder / "argv").write_text("\\n".join(sys.argv[1:]))
(folder / "pid.new").write_text(str(os.getpid()))
(folder / "pid.new").rename(folder / "pid")
{lines}
'''


class Cloudflared:
    """Writes the program; tells of the one that runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, lines: str) -> None:
        path = self.folder / "cloudflared"
        path.write_text(PROGRAM.format(python=sys.executable, host=HOST, lines=lines))
        path.chmod(0o755)

    def let(self, name: str) -> None:
        """What the program waits for with `wait(name)`."""
        (self.folder / name).touch()

    @property
    def options(self) -> list[str]:
        return (self.folder / "argv").read_text().split("\n")

    @property
    def pid(self) -> int:
        return int((self.folder / "pid").read_text())

    @property
    def is_alive(self) -> bool:
        """Whether its process is there, as a zombie too."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True


class NameServer(asyncio.DatagramProtocol):
    """A name server of the zone: knows the host from its `knows_after`th question on. `records` are of other names."""

    def __init__(self, knows_after: float, records: dict[str, tuple[str, ...]] | None = None, silent: bool = False) -> None:
        self.knows_after = knows_after
        self.records = records or {}
        self.silent = silent
        self.questions: list[str] = []
        self.recursive: list[bool] = []

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data, address) -> None:
        question = dns.message.from_wire(data)
        name = question.question[0].name
        self.questions.append(str(name))
        self.recursive.append(bool(question.flags & dns.flags.RD))
        if self.silent:
            return
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA if self.records else dns.flags.AA
        kind, *values = self.records.get(str(name).removesuffix("."), ("A", "192.0.2.9"))
        if self.records or len(self.questions) >= self.knows_after:
            answer.answer = [dns.rrset.from_text(name, 60, "IN", kind, *values)]
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), address)


@contextlib.asynccontextmanager
async def name_server(knows_after=1.0, records=None, silent=False):
    """One that listens on loopback."""
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: NameServer(knows_after, records, silent), local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()
