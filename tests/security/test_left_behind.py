"""Sockets that come too early, too late or for nothing: each is closed, so that no caller stays on a line where nobody is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests_of_security_attacks import begin, code_of
from tests_of_security_served import Served, serving
from websockets.exceptions import InvalidStatus

from patter_nb.errors import PatterError


async def with_a_hook(act: Any, on_call_start: Any) -> None:
    """A served phone that asks this first, and `act(served, ringing, call)` on a call of it; nothing is left after it."""
    async with serving(on_call_start=on_call_start) as served:
        before = served.held()
        ringing = await served.ring()
        await act(served, ringing, served.call_of(ringing))
        await served.lets_go(before)
        await served.answers()


def test_a_call_that_is_stopped_before_it_comes_to_its_audio_closes_its_socket(run):
    asked = asyncio.Event()

    async def wait(call: Any) -> None:
        asked.set()
        await asyncio.Event().wait()

    async def act(served: Served, ringing: Any, call: Any) -> None:
        async with ringing.open() as socket:
            await begin(ringing, socket)
            await asyncio.wait_for(asked.wait(), 5)
            line = served.server.desk.waiting(call.id)
            async with asyncio.timeout(5):
                while not line.is_spent or not line._news.done():
                    await asyncio.wait((asyncio.get_running_loop().create_future(),), timeout=0.01)
            call.hangup()
            assert await code_of(socket) == 1000
        await call.over()

    run(with_a_hook(act, wait))


def test_a_call_that_failed_before_it_came_to_its_audio_lets_nobody_in(run):
    async def act(served: Served, ringing: Any, call: Any) -> None:
        call.stop()
        await call.over()
        with pytest.raises(InvalidStatus):
            async with ringing.open():
                pass
        assert "<Hangup" in (await served.tell("answer", served.form(ringing))).body

    run(with_a_hook(act, None))


def test_a_call_whose_audio_never_comes_fails_with_the_reason(run, monkeypatch):
    monkeypatch.setattr("patter_nb.telephony.call.SOCKET_SECONDS", 0.2)

    async def act(served: Served, ringing: Any, call: Any) -> None:
        with pytest.raises(PatterError, match="its audio never came"):
            await call.ended(10)

    run(with_a_hook(act, None))


def test_a_caller_who_hangs_up_before_the_audio_comes_is_a_row_and_no_error(run):
    async def act(served: Served, ringing: Any, call: Any) -> None:
        await served.tell("status", [("CallSid", ringing.call_sid), ("CallStatus", "completed")])
        await call.ended(10)
        assert (call.state, call.end_reason) == ("ended", "hung up before it was connected")

    run(with_a_hook(act, None))


def test_a_server_that_stops_ends_its_calls_and_closes_every_socket(run):
    async def main() -> None:
        async with serving() as served, served.talking() as caller:
            waiting = await served.ring()
            async with waiting.open() as socket:
                await served.server.stop()
                assert await code_of(socket) in (1006, 1012)
            assert caller.call.end_reason == "server stopped"
            assert all(call.state != "running" for call in served.phone._calls)

    run(main())
