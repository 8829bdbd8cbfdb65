"""Holds a test call: a session on one end of a line, a simulated caller on the other.

What that caller heard, by its own clock, is put beside the rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from patter_nb.carriers.base import Connection
from patter_nb.carriers.simulated import FarEndReport, SimulatedCaller
from patter_nb.clock import CallClock
from patter_nb.errors import CarrierError
from patter_nb.session.session import Session
from patter_nb.session.setup import CallSetup

MATCH_SECONDS = 0.5
"""How far the two ends' ideas of one last word may lie apart to be the same word."""


async def hold_simulated_call(
    setup: CallSetup, far: Connection, caller: SimulatedCaller, attach: Callable[[Session], None]
) -> Session:
    """Hold the call on this loop; `far` is the other end of its connection.

    In real time the caller lives in a thread of its own; in virtual time on this very loop.

    Raises what `Session.run` raises, and `CarrierError` when the agent's side sent what a carrier would refuse.
    """
    session = Session(setup)
    attach(session)

    called: list[asyncio.Future[FarEndReport]] = []

    async def phone() -> None:
        if setup.live.current.agent.prewarm:
            await session.ready()
        if setup.real_time:
            # Not awaited in a task: a loop that closes cancels all tasks, and the caller's thread ends by itself.
            called.append(asyncio.wrap_future(caller.run_in_thread(far)))
        else:
            called.append(asyncio.ensure_future(caller.run(far, CallClock())))

    phoning = asyncio.create_task(phone(), name="phone")
    try:
        await session.run()
    finally:
        await setup.connection.close()
        phoning.cancel()
        await asyncio.wait((phoning,))
        fault = await _look_back(setup, session, called)
    if fault is not None:
        raise fault
    return session


async def _look_back(setup: CallSetup, session: Session, called: list[asyncio.Future[FarEndReport]]) -> BaseException | None:
    """Keep what the caller heard; returns what went wrong at its end. Nothing did when nobody was ever called."""
    for far_end in called:
        await asyncio.wait((far_end,))
        if far_end.cancelled():
            return CarrierError("The caller's end of the call was cancelled.")
        if (fault := far_end.exception()) is not None:
            return fault
        _record_what_was_heard(setup, session, far_end.result())
    return None


def _record_what_was_heard(setup: CallSetup, session: Session, report: FarEndReport) -> None:
    """Put beside the rows what the caller measured with its own clock and its own ear."""

    def record(kind: str, data: dict[str, object]) -> None:
        setup.log.event(setup.call_id, session.duration_seconds, kind, data)

    ends = {f.turn: f.instants["speech_ended_at"] for f in setup.log.facts(setup.call_id) if "speech_ended_at" in f.instants}
    shift = report.zero_loop_seconds - session.zero
    for exchange in report.exchanges:
        if exchange.barge_in_stop_seconds is not None:
            record("barge_in_heard", {"line": exchange.line, "stop_seconds": exchange.barge_in_stop_seconds})
        if exchange.gap_seconds is None or exchange.last_speech_at is None or not ends:
            continue
        said = exchange.last_speech_at + shift
        turn = min(ends, key=lambda number: abs(ends[number] - said))
        if abs(ends[turn] - said) <= MATCH_SECONDS:
            record("perceived", {"turn": turn, "gap_ms": exchange.gap_seconds * 1000})
    for event in report.events:
        record(f"far_end_{event.kind}", {"line": event.line, "at": event.at + shift})
    record("far_end", {"late_seconds": report.late_seconds, "ended_by": report.ended_by, "frames": report.frames_sent})
