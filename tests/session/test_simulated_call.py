"""Both ends of a test call: in virtual time on one loop, in real time with the caller in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from patter_nb.agent import Agent
from patter_nb.audio.vad import EnergyModel
from patter_nb.callers import Line, read_caller, render
from patter_nb.carriers.base import CarrierMessage, Connection, SendMark
from patter_nb.carriers.pipe import connection_pair
from patter_nb.carriers.simulated import SimulatedCaller
from patter_nb.carriers.twilio_media import TwilioMediaCodec
from patter_nb.clock import run_virtual
from patter_nb.errors import CarrierError, PatterError
from patter_nb.live import Live, RevisionLine
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.records.facts import CallFacts
from patter_nb.records.log import CallLog
from patter_nb.session.session import Session
from patter_nb.session.setup import CallSetup
from patter_nb.session.simulated_call import hold_simulated_call

LONG = "Dinner is served from six to ten, and the kitchen closes at half past nine on every Sunday of the year."
FRAME_MS = 20.0


@dataclass
class Order:
    """One call that is to be held."""

    setup: CallSetup
    far: Connection
    caller: SimulatedCaller
    sessions: list[Session]

    async def hold(self) -> Session:
        return await hold_simulated_call(self.setup, self.far, self.caller, self.sessions.append)

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [dict(event.data) for event in self.setup.log.event_rows("call_1") if event.kind == kind]

    @property
    def rows(self) -> Any:
        return self.setup.log.call_turns("call_1").set_index("turn")


async def order(
    *lines: str | Line, real_time: bool = False, codec: TwilioMediaCodec | None = None, wait: float = 0.4, **settings: Any
) -> Order:
    given = {
        "system_prompt": "A test.", "stt": ScriptedSTT(["one", "two", "three"]), "tts": ScriptedTTS(),
        "llm": ScriptedLLM(["First.", "Second.", "Third."]), **settings,
    }  # fmt: skip
    agent = Agent(**given)
    log = CallLog(None)
    speed, begun = "real" if real_time else "max", datetime(2026, 1, 1, tzinfo=UTC)
    log.begin(CallFacts(call_id="call_1", agent="agent", revision=1, direction="test", speed=speed, started_at=begun))
    near, far = connection_pair()
    line = RevisionLine("agent")
    setup = CallSetup(
        call_id="call_1",
        live=Live(line.stage(agent)[0], line, "call_1"),
        connection=near,
        codec=codec or TwilioMediaCodec(),
        log=log,
        voice_model=EnergyModel(),
        real_time=real_time,
    )
    spoken = await render(read_caller(list(lines)), synthetic=True)
    caller = SimulatedCaller(spoken, expects_greeting=bool(agent.greeting), hang_up_seconds=wait)
    return Order(setup, far, caller, [])


def held(*lines: str | Line, **settings: Any) -> Order:
    async def main() -> Order:
        made = await order(*lines, **settings)
        await made.hold()
        return made

    return run_virtual(main())


def test_what_the_caller_measured_stands_beside_each_turn() -> None:
    call = held("One?", "Two?", "Three?")
    rows = call.rows
    assert [event["turn"] for event in call.events("perceived")] == [1, 2, 3]
    assert (rows["perceived_ms"] - rows["gap_ms"]).abs().max() < FRAME_MS
    (far_end,) = call.events("far_end")
    assert far_end["ended_by"] == "caller"
    assert far_end["frames"] * 0.02 == pytest.approx(call.sessions[0].duration_seconds, abs=0.03)


def test_a_turn_that_was_answered_twice_for_one_line_is_measured_once() -> None:
    # Two stretches of one line become two turns; the caller's last word belongs to the second.
    call = held("One. Two.", hangover_ms=150, barge_in_threshold_ms=0, stt=ScriptedSTT(["one", "two"], final_seconds=0.0),
                llm=ScriptedLLM(["Yes.", "No."], first_token_seconds=0.0), tts=ScriptedTTS(first_byte_seconds=0.0))  # fmt: skip
    assert len({event["turn"] for event in call.events("perceived")}) == len(call.events("perceived")) == 1


def test_how_soon_the_agent_fell_silent_is_told_for_an_interruption() -> None:
    call = held("One?", Line("Please stop that now.", interrupt_after_seconds=1.0), llm=ScriptedLLM([LONG, "Fine."]))
    (stopped,) = call.events("barge_in_heard")
    assert stopped["line"] == 1
    assert 0.2 <= stopped["stop_seconds"] <= 0.4


def test_a_caller_who_waited_in_vain_says_so() -> None:
    call = held("One?", stt=ScriptedSTT([]))
    assert [event["line"] for event in call.events("far_end_no_reply")] == [0]
    assert call.events("perceived") == []


class Misspelt(TwilioMediaCodec):
    """Says "marc" from its third mark on."""

    marks = 0

    def encode(self, message: CarrierMessage) -> list[str]:
        self.marks += isinstance(message, SendMark)
        return [text.replace('"mark"', '"marc"') if self.marks > 2 else text for text in super().encode(message)]


def test_what_a_carrier_would_refuse_fails_the_call_and_keeps_its_rows() -> None:
    async def main() -> Order:
        made = await order("One?", codec=Misspelt(), first_message="Hello there, good evening!")
        with pytest.raises(CarrierError, match="the agent sent the carrier the event 'marc'"):
            await made.hold()
        return made

    call = run_virtual(main())
    assert call.rows["kind"].tolist() == ["greeting"]
    assert call.sessions[0].duration_seconds < 1


class NoVoice(ScriptedTTS):
    def open(self, call: Any, audio: Any) -> Any:
        raise ZeroDivisionError("division by zero")


@pytest.mark.parametrize("real_time", [False, True])
def test_a_session_that_cannot_begin_calls_nobody(real_time: bool) -> None:
    async def main() -> None:
        made = await order("One?", real_time=real_time, tts=NoVoice())
        with pytest.raises(PatterError, match="scripted raised ZeroDivisionError: division by zero"):
            await made.hold()
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
        assert made.events("far_end") == []

    run_virtual(main()) if not real_time else asyncio.run(main())
    no_thread_left()


class Dreams(ScriptedSTT):
    """A recogniser that never wakes up."""

    @asynccontextmanager
    async def open(self, call: Any, audio: Any) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield


def test_a_call_that_is_stopped_before_anybody_was_called_ends_as_it_was_told() -> None:
    async def main() -> None:
        made = await order("One?", stt=Dreams([]))
        holding = asyncio.create_task(made.hold())
        await asyncio.sleep(2)
        made.sessions[0].stop("enough")
        session = await holding
        assert (session.end_reason, session.duration_seconds) == ("enough", 0.0)
        assert made.events("far_end") == []
        assert asyncio.get_running_loop().time() < 6

    run_virtual(main())


def test_a_recogniser_that_does_not_wake_up_is_not_waited_for_for_ever() -> None:
    call = held("One?", stt=Dreams([]), first_message="Hello there, good evening!")
    assert call.events("transcription_failed")[0] == {"error": "scripted was not open within 30 s."}
    assert call.rows["heard_text"].iloc[0] == "Hello there, good evening!"


def no_thread_left() -> None:
    for thread in threading.enumerate():
        if thread.name == "far-end":
            thread.join(5)
            assert not thread.is_alive()


def quick() -> dict[str, Any]:
    return {
        "stt": ScriptedSTT(["one"], final_seconds=0.02), "llm": ScriptedLLM(["Yes."], first_token_seconds=0.02),
        "tts": ScriptedTTS(first_byte_seconds=0.02, seconds_per_character=0.03), "hangover_ms": 200,
    }  # fmt: skip


def in_real_time(act: Callable[[Order], Coroutine[Any, Any, Any]], **settings: Any) -> Order:
    async def main() -> Order:
        made = await order("Hm?", real_time=True, wait=0.1, **{**quick(), **settings})
        await act(made)
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
        return made

    made = asyncio.run(main())
    no_thread_left()
    return made


def test_in_real_time_the_caller_lives_in_a_thread_of_its_own_and_measures_the_same() -> None:
    threads: list[str] = []

    async def act(made: Order) -> None:
        holding = asyncio.create_task(made.hold())
        while not made.setup.log.facts("call_1"):
            threads.extend(thread.name for thread in threading.enumerate())
            await asyncio.sleep(0.02)
        await holding

    call = in_real_time(act)
    assert "far-end" in threads
    row = call.rows.loc[1]
    assert (row["caller_text"], row["heard_text"]) == ("one", "Yes.")
    late_ms = call.events("far_end")[0]["late_seconds"] * 1000
    assert abs(row["perceived_ms"] - row["gap_ms"]) < FRAME_MS + late_ms + row["loop_stall_ms"]
    assert call.sessions[0].end_reason == "caller hung up"


def test_a_loop_that_stands_still_is_told_with_the_turn_it_fell_into() -> None:
    def busy() -> None:
        threading.Event().wait(0.3)  # what a cell does that computes

    async def act(made: Order) -> None:
        asyncio.get_running_loop().call_later(0.7, busy)
        await made.hold()

    call = in_real_time(act)
    longest = max(call.events("loop_stall"), key=lambda stall: stall["seconds"])
    assert longest["seconds"] > 0.2
    assert longest["cell"] is None
    assert call.rows["loop_stall_ms"].max() > 200


def test_an_interrupted_call_in_real_time_keeps_its_open_row_and_ends_the_callers_thread() -> None:
    async def act(made: Order) -> None:
        holding = asyncio.create_task(made.hold())
        await asyncio.wait((holding,), timeout=0.4)
        holding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holding

    call = in_real_time(act, first_message="Hello there, good evening, this is a rather long greeting!")
    assert call.rows["kind"].tolist() == ["greeting"]
    assert call.rows.loc[0, "heard_text"] != ""
    assert call.sessions[0].end_reason == "cancelled"
    assert call.events("far_end")[0]["ended_by"] == "agent"
