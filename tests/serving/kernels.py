"""Real kernels that serve a phone, and a simulated carrier that calls them from a process of its own.

    async with kernel(folder) as notebook, TwilioProcess("--synthetic") as carrier:
        stage = Stage(notebook, carrier)
        await stage.serve()                          # the cell a user would write
        sid = await stage.call_in()                  # somebody calls who talks for minutes
        await stage.talks_on(sid)                    # the agent has answered once more since
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager

from patter_nb.testing.twilio.process import Fact, TwilioProcess

ROOT = Path(__file__).parents[2]
SECONDS = 60.0
"""The longest that anything is waited for."""
OTHER = "+15557654321"
LINES = [{"text": "Go on.", "wait_seconds": 0.3}] * 100
"""More than any caller here comes to say: who ends a call is always known."""


@dataclass
class Cell:
    """A cell that was sent to a kernel."""

    id: str
    status: str = ""
    count: int | None = None
    error: str = ""
    """The name of the error it ended with."""
    says: str = ""
    """What that error says."""
    printed: str = ""
    displays: list[dict[str, Any]] = field(default_factory=list)
    """What was shown under it, also after its end."""


class Kernel:
    """One kernel. What it publishes is kept by the cell to which it belongs."""

    def __init__(self, manager: AsyncKernelManager) -> None:
        self.manager = manager
        self.cells: dict[str, Cell] = {}
        self._replied: set[str] = set()
        self._idle: set[str] = set()
        self._news = asyncio.Condition()

    async def connect(self) -> None:
        """Listen to it: at its start, and when it was started anew."""
        self.client = self.manager.client()
        self.client.start_channels()
        await self.client.wait_for_ready(timeout=SECONDS)
        for known in (self.cells, self._replied, self._idle):
            known.clear()  # messages are numbered from 1 again
        self._reading = [asyncio.create_task(self._read_shell()), asyncio.create_task(self._read_published())]

    async def disconnect(self) -> None:
        for task in self._reading:
            task.cancel()
        await asyncio.wait(self._reading)
        self.client.stop_channels()

    async def restart(self, *, now: bool) -> None:
        """Start it anew; `now`: it is killed, and cannot put anything in order before."""
        await self.disconnect()
        await self.manager.restart_kernel(now=now)
        await self.connect()

    async def interrupt(self) -> None:
        await self.manager.interrupt_kernel()

    async def is_alive(self) -> bool:
        """Whether it runs, and answers."""
        if not await self.manager.is_alive():
            return False
        with contextlib.suppress(TimeoutError):
            return (await self.run("print('alive')", seconds=20.0)).printed == "alive\n"
        return False

    def send(self, code: str) -> Cell:
        """Let it run a cell, without waiting."""
        cell = Cell(self.client.execute(code))
        self.cells[cell.id] = cell
        return cell

    async def run(self, code: str, *, seconds: float = SECONDS) -> Cell:
        """Let it run a cell, to its end."""
        return await self.ends(self.send(code), seconds=seconds)

    async def ends(self, cell: Cell, *, seconds: float = SECONDS) -> Cell:
        await self.until(lambda: cell.id in self._replied and cell.id in self._idle, seconds=seconds)
        return cell

    async def ask(self, code: str) -> str:
        """What a cell prints that must not fail."""
        cell = await self.run(code)
        assert cell.status == "ok", f"{code}\n{cell.error}: {cell.says}"
        return cell.printed.strip()

    async def begun(self, code: str) -> Cell:
        """Let it run a cell, and wait until it has printed something."""
        cell = self.send(code)
        await self.until(lambda: bool(cell.printed))
        return cell

    async def until(self, what: Callable[[], bool], *, seconds: float = SECONDS) -> None:
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(what)

    async def _read_shell(self) -> None:
        while True:
            message = await self.client.get_shell_msg()
            content, asked = message["content"], message["parent_header"].get("msg_id")
            if (cell := self.cells.get(asked)) is not None:
                cell.status, cell.count = content["status"], content.get("execution_count")
                cell.error, cell.says = content.get("ename", ""), content.get("evalue", "")
            await self._tell(self._replied, asked)

    async def _read_published(self) -> None:
        while True:
            message = await self.client.get_iopub_msg()
            content, asked = message["content"], message["parent_header"].get("msg_id")
            cell = self.cells.get(asked)
            if cell is not None and message["msg_type"] == "stream":
                cell.printed += content["text"]
            elif cell is not None and message["msg_type"] in ("display_data", "update_display_data"):
                cell.displays.append(message)
            await self._tell(self._idle if content.get("execution_state") == "idle" else set(), asked)

    async def _tell(self, where: set[str], asked: str) -> None:
        async with self._news:
            where.add(asked)
            self._news.notify_all()


@asynccontextmanager
async def kernel(folder: Path, *, python: str = sys.executable, ipykernel: str = "") -> AsyncIterator[Kernel]:
    """A kernel that works in `folder`, of any Python that has what the package needs.

    `ipykernel`: of this version, which pip lays beside the rest of that Python; empty: the one it has.
    """
    path = [str(ROOT)]
    if ipykernel:
        path.insert(0, str(folder / f"ipykernel-{ipykernel}"))
        await asyncio.to_thread(_install, python, ipykernel, path[0])
    manager = AsyncKernelManager(kernel_name="python3")
    manager.kernel_spec.argv[0] = python
    await manager.start_kernel(env={**os.environ, "PYTHONPATH": os.pathsep.join(path)}, cwd=str(folder))
    notebook = Kernel(manager)
    try:
        await notebook.connect()
        yield notebook
        await notebook.disconnect()
    finally:
        await manager.shutdown_kernel(now=True)


def _install(python: str, version: str, target: str) -> None:
    wanted = [f"ipykernel=={version}", *(["nest-asyncio"] if version < "7" else [])]
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--target", target]
    subprocess.run([*pip, *wanted], check=True)


AGENT = """
import asyncio, json, time
import psutil
from patter_nb import allow_nested_run, Patter, ScriptedLLM, ScriptedSTT, ScriptedTTS, Twilio
from patter_nb.audio.vad import EnergyModel

def listening():
    return sorted({each.laddr.port for each in psutil.Process().net_connections("tcp") if each.status == "LISTEN"})

phones = []

def live():
    return [call for each in phones for call in each.live_calls]

def new_phone(number):
    carrier = Twilio(account_sid="ACCOUNT", auth_token="TOKEN", base_url="URL")
    phones.append(Patter(carrier=carrier, phone_number=number, webhook_url="HOST"))
    return phones[-1]

def new_agent(phone):
    stt, llm = ScriptedSTT(["Go on."] * 100), ScriptedLLM(lambda messages: "I am here.")
    # The caller's sound has no words: a model that knows voices would miss it now and then.
    return phone.agent("A test.", stt=stt, llm=llm, tts=ScriptedTTS(), vad=EnergyModel("synthetic"), first_message="Hello.")

async def of_call(sid, over):
    # The row of a call; `over`: once it says how the call ended.
    async with asyncio.timeout(20):
        while True:
            tables = [*(each.calls for each in phones), phone.store.calls()]
            found = [table[table["carrier_call_id"] == sid][["outcome", "end_reason", "error"]] for table in tables]
            (row, *_) = [rows.iloc[-1] for rows in found if len(rows)]
            if not over or isinstance(row["end_reason"], str):
                return row
            await asyncio.sleep(0.02)
"""

SERVE = """
phone = new_phone("NUMBER")
agent = new_agent(phone)
server = await phone.serve(agent, port=PORT, manage_webhook=True)
"""


async def _at_once() -> None:
    pass


class Stage:
    """A kernel that serves, and a carrier. `port` is free when it begins; `pause` is awaited before something is done."""

    def __init__(self, notebook: Kernel, carrier: TwilioProcess, pause: Callable[[], Awaitable[None]] = _at_once) -> None:
        self.kernel = notebook
        self.carrier = carrier
        self.pause = pause
        self.number = carrier.ready["numbers"][0]
        self.served: Cell | None = None
        """The cell that served last."""
        self.move()

    def move(self) -> None:
        """Serve on another port from now on."""
        self.port = free_port()
        self.carrier.order("route", host=self.carrier.ready["hostname"], port=self.port)

    def fill(self, code: str) -> str:
        """A cell with this stage's names in it."""
        known = self.carrier.ready
        values = {"ACCOUNT": known["account_sid"], "TOKEN": known["auth_token"], "URL": known["url"], "HOST": known["hostname"]}
        for name, value in {**values, "NUMBER": self.number, "PORT": str(self.port)}.items():
            code = code.replace(name, value)
        return code

    async def begin(self) -> None:
        """What comes before the serve cell. `ports` are those that the kernel itself listens on."""
        self.kernel.cells.clear()
        await self.kernel.ask(self.fill(AGENT) + "ports = listening()")

    async def serve(self, more: str = "") -> None:
        """Run the serve cell, as it stands."""
        self.served = await self.kernel.run(self.fill(SERVE + more))
        assert self.served.status == "ok", f"{self.served.error}: {self.served.says}"

    # Calls.

    async def call_in(self) -> str:
        """Somebody calls and talks; the agent has answered them when this returns."""
        sid = await self.carrier.call(LINES)
        await self.talks_on(sid)
        return sid

    async def call_out(self) -> str:
        """The agent calls somebody, who talks; it has answered them when this returns."""
        await self.carrier.expect(OTHER, lines=LINES, answers_after_seconds=0.2, greets_after_seconds=None)
        sid = await self.kernel.ask(f"call = await phone.call('{OTHER}')\nprint(call.carrier_call_id)")
        await self.talks_on(sid)
        return sid

    async def talks_on(self, sid: str) -> Fact:
        """Wait until the far end has heard one more reply from now on, and marks came back to it."""
        before = None
        async with asyncio.timeout(SECONDS):
            while True:
                seen = await self.carrier.look(sid)
                before = before or seen
                assert not _is_over(self.carrier, sid), f"the call is over: {self.end_of(sid)}"
                if _replies(seen) > _replies(before) and _marks(seen) > _marks(before):
                    return seen
                await asyncio.sleep(0.1)

    async def hang_up(self, sid: str) -> Fact:
        """The far end hangs up; what it heard."""
        self.carrier.order("hang_up", call_sid=sid)
        return await self.carrier.fact("ended", call_sid=sid)

    def end_of(self, sid: str) -> str:
        """How a call ended, in words."""
        (fact,) = [fact for fact in self.carrier.facts if fact["is"] == "ended" and fact["call_sid"] == sid]
        ends = [f"stream ended by the {stream['ended_by']} after {stream['seconds']} s" for stream in fact["streams"]]
        return ", ".join([fact["status"], *ends, *(warning["text"] for warning in fact["warnings"])])

    async def row(self, sid: str, *, over: bool = True) -> dict[str, Any]:
        """What the call's row says of its end; `over`: which it is waited for."""
        return json.loads(await self.kernel.ask(f"print((await of_call('{sid}', {over})).to_json())"))

    # Ports.

    async def ports(self) -> list[int]:
        """Those that the kernel listens on and did not at first."""
        return json.loads(await self.kernel.ask("print(json.dumps(sorted(set(listening()) - set(ports))))"))


def _is_over(carrier: TwilioProcess, sid: str) -> bool:
    return any(fact["is"] == "ended" and fact["call_sid"] == sid for fact in tuple(carrier.facts))


def _replies(seen: Fact) -> int:
    return sum(exchange["reply"] is not None for stream in seen["streams"] for exchange in stream["exchanges"])


def _marks(seen: Fact) -> int:
    return sum(stream["marks"] for stream in seen["streams"])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether a program that starts now could listen on it."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
