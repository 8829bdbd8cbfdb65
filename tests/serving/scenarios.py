"""What a user does to a notebook that serves while a call is up, and what must be left of it: kernel, call, and no port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests_of_serving_kernels import AGENT, SERVE, Cell, Stage, is_free

Do = Callable[[Stage], Awaitable[None]]


@dataclass
class Outcome:
    kernels_lost: int = 0
    calls_lost: int = 0
    ports_leaked: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def is_harmless(self) -> bool:
        return not (self.kernels_lost or self.calls_lost or self.ports_leaked or self.problems)


async def serve(stage: Stage) -> None:
    await stage.serve()


async def run_again(stage: Stage) -> None:
    again = await stage.kernel.ask(
        stage.fill("before = server\nserver = await phone.serve(agent, port=PORT, manage_webhook=True)\nprint(server is before)")
    )
    assert again == "True", "another server came up"


async def run_anew(stage: Stage) -> None:
    await stage.kernel.ask("first, before = phone, server")
    await stage.serve("print(server is before, phone is first)")
    assert stage.served is not None
    assert stage.served.printed.endswith("True False\n"), stage.served.printed


async def reset_and_run_anew(stage: Stage) -> None:
    """Nobody holds phone and server any more but the server itself."""
    ports = await stage.kernel.ask("print(ports)")
    await stage.kernel.ask("%reset -f\nimport gc\nprint(gc.collect() > 0)")
    await stage.kernel.ask(f"{stage.fill(AGENT)}ports = {ports}")
    await stage.serve()


async def port_taken(stage: Stage) -> None:
    """By this process, which is another one than the kernel."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        cell = await stage.kernel.run(f"server = await phone.serve(agent, port={port}, manage_webhook=True)")
        assert (cell.status, cell.error) == ("error", "OSError"), f"{cell.status} {cell.error}"
        assert "is taken: stop what uses it, or give another port" in cell.says, cell.says


async def other_port_works_after(stage: Stage) -> None:
    """A second phone finds its port taken, then free."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        second = (
            "second = new_phone('+15550009999')\n"
            f"other = await second.serve(new_agent(second), port={port}, manage_webhook=False)"
        )
        cell = await stage.kernel.run(second)
        assert (cell.status, cell.error) == ("error", "OSError"), f"{cell.status} {cell.error}"
    await stage.kernel.ask(f"{second}\nprint(other)")
    assert not is_free(port)
    await stage.kernel.ask("await other.stop()")
    assert is_free(port), "the second server's port"


async def interrupt_busy(stage: Stage) -> None:
    cell = await stage.kernel.begun("print('begun', flush=True)\ntime.sleep(30)")
    await stage.kernel.interrupt()
    await _is_interrupted(stage, cell)


async def interrupt_awaiting(stage: Stage) -> None:
    cell = await stage.kernel.begun("print('begun', flush=True)\nawait live()[0].ended()")
    await stage.kernel.interrupt()
    await _is_interrupted(stage, cell)


async def interrupt_idle(stage: Stage) -> None:
    for _ in range(3):
        await stage.kernel.interrupt()
        assert await stage.kernel.is_alive()


async def interrupt_nested(stage: Stage) -> None:
    nested = "print('begun', flush=True)\nallow_nested_run()\nasyncio.run(asyncio.sleep(60))"
    for _ in range(3):
        cell = await stage.kernel.begun(nested)
        await stage.pause()
        await stage.kernel.interrupt()
        await _is_interrupted(stage, cell)


async def serve_and_await(stage: Stage) -> None:
    """The cell that served goes on awaiting."""
    stage.served = await stage.kernel.begun(stage.fill(SERVE + "print('begun', flush=True)\nawait asyncio.sleep(60)"))


async def interrupt_served(stage: Stage) -> None:
    assert stage.served is not None
    await stage.kernel.interrupt()
    await _is_interrupted(stage, stage.served)


async def _is_interrupted(stage: Stage, cell: Cell) -> None:
    ended = await stage.kernel.ends(cell)
    assert (ended.status, ended.error) in (("error", "KeyboardInterrupt"), ("error", "CancelledError")), f"{ended}"


Scenarios = tuple[tuple[str, Do], ...]

SERVED: Scenarios = (
    ("the serve cell is run again", run_again),
    ("the serve cell is run again and makes a new phone", run_anew),
    ("the phone is served on a port that another process has", port_taken),
    ("another phone finds its port taken and then free", other_port_works_after),
    ("a busy cell is interrupted", interrupt_busy),
    ("an awaiting cell is interrupted", interrupt_awaiting),
    ("an idle kernel is interrupted", interrupt_idle),
    ("a nested run is interrupted", interrupt_nested),
    ("all names are reset and the cells run again", reset_and_run_anew),
)
"""What is done during a call that came in. It goes on in each."""

AWAITED: Scenarios = (("the first serve cell awaits more and is interrupted", interrupt_served),)
PLACED: Scenarios = (
    ("a call that was placed is awaited in a cell that is interrupted", interrupt_awaiting),
    ("the serve cell is run again during a call that was placed", run_anew),
)


async def play(stage: Stage, scenarios: Scenarios, *, prepare: Do = serve, outbound: bool = False) -> Outcome:
    """Let them happen while a call is up, one after the other, and see what is left."""
    outcome = Outcome()
    await stage.begin()
    await prepare(stage)
    sid = await (stage.call_out() if outbound else stage.call_in())
    for name, do in scenarios:
        await stage.pause()
        try:
            await do(stage)
        except (AssertionError, TimeoutError) as error:
            outcome.problems.append(f"{name}: {type(error).__name__}: {error}")
        if not await stage.kernel.is_alive():
            outcome.kernels_lost += 1
            outcome.problems.append(f"{name}: the kernel died")
            await stage.kernel.restart(now=True)
            return outcome
        try:
            await stage.talks_on(sid)
        except (AssertionError, TimeoutError) as error:
            outcome.calls_lost += 1
            outcome.problems.append(f"{name}: the call: {type(error).__name__}: {error}")
            break
    await _end(stage, sid, outcome)
    return outcome


async def _end(stage: Stage, sid: str, outcome: Outcome) -> None:
    """Its far end hangs up, the phone leaves: the call was whole, and nothing is left."""
    await stage.hang_up(sid)
    row, end = await stage.row(sid), stage.end_of(sid)
    whole = end.startswith("completed, stream ended by the caller")
    if not outcome.calls_lost and (not whole or (row["outcome"], row["end_reason"]) != ("answered", "caller hung up")):
        outcome.calls_lost += 1
        outcome.problems.append(f"the call: {end}; {row}")
    await stage.kernel.ask("await phone.disconnect()")
    if left := await stage.ports():
        outcome.ports_leaked += len(left)
        outcome.problems.append(f"ports still listening: {left} (served on {stage.port})")
        stage.move()


async def play_restart(stage: Stage, *, now: bool) -> Outcome:
    """The kernel is started anew during a call: the far end is let go, the row is there, and the same cells serve again."""
    outcome = Outcome()
    await stage.begin()
    await stage.serve()
    sid = await stage.call_in()
    await stage.kernel.restart(now=now)
    if not is_free(stage.port):
        outcome.ports_leaked += 1
    try:
        await stage.carrier.fact("ended", call_sid=sid, seconds=20)
        assert stage.end_of(sid).startswith("completed, stream ended by the agent"), stage.end_of(sid)
    except (AssertionError, TimeoutError) as error:
        outcome.calls_lost += 1
        outcome.problems.append(f"the far end hangs: {error}")
    if not await stage.kernel.is_alive():
        outcome.kernels_lost += 1
        return outcome
    await stage.begin()
    await stage.serve()
    second = await stage.call_in()
    await stage.hang_up(second)
    outcome.problems += [] if await stage.row(sid, over=False) else ["the call that was cut has no row"]
    await stage.kernel.ask("await phone.disconnect()")
    outcome.ports_leaked += len(await stage.ports())
    return outcome


async def play_interrupted_start(stage: Stage) -> Outcome:
    """The cell that serves is interrupted before the server is ready: nothing of it is left, and serving again works."""
    outcome = Outcome()
    await stage.begin()
    slow = """
class Slow:
    def open(self, port, tell):
        import contextlib
        @contextlib.asynccontextmanager
        async def opening():
            print("begun", flush=True)
            await asyncio.sleep(60)
            yield
        return opening()

phone = new_phone("NUMBER")
server = await phone.serve(new_agent(phone), port=PORT, tunnel=Slow(), manage_webhook=True)
"""
    cell = await stage.kernel.begun(stage.fill(slow))
    await stage.kernel.interrupt()
    try:
        await asyncio.wait_for(_is_interrupted(stage, cell), 20)
    except (AssertionError, TimeoutError) as error:
        outcome.problems.append(str(error))
    outcome.kernels_lost += not await stage.kernel.is_alive()
    outcome.ports_leaked += len(await stage.ports())
    await stage.serve()
    sid = await stage.call_in()
    await stage.hang_up(sid)
    await stage.kernel.ask("await phone.disconnect()")
    outcome.ports_leaked += len(await stage.ports())
    return outcome


async def card_of_a_call(stage: Stage) -> str:
    """Under which cell the card of a call that comes in stands."""
    await stage.begin()
    await stage.serve()
    assert stage.served is not None
    later = await stage.kernel.run("1 + 1")
    sid = await stage.call_in()
    await stage.hang_up(sid)
    ended = await stage.row(sid)
    assert ended["end_reason"] == "caller hung up", ended
    shown = {cell.id for cell in stage.kernel.cells.values() if any("call from" in _html(message) for message in cell.displays)}
    await stage.kernel.ask("await phone.disconnect()")
    where = {stage.served.id: "the serve cell", later.id: "the cell that ran last"}
    return ", ".join(where.get(cell, "another cell") for cell in shown)


def _html(message: dict) -> str:
    return message["content"]["data"].get("text/html", "") if message["msg_type"] == "display_data" else ""
