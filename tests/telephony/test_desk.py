"""The calls of a served phone: who takes those that come in, and to which one the carrier's word belongs."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from tests_of_telephony_wires import ACCOUNT, CALLER, HOST, NUMBER, parameters, sid

from patter_nb.agent import Agent
from patter_nb.callbacks import Callbacks
from patter_nb.carriers.twilio.webhooks import CallStatus, IncomingCall, MachineVerdict, RecordingReady
from patter_nb.errors import ConfigError
from patter_nb.live import Live, RevisionLine
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.records.facts import CallFacts
from patter_nb.records.log import CallLog
from patter_nb.session.user_code import UserCode
from patter_nb.telephony import desk as desk_module
from patter_nb.telephony.call import LineCall, LineTerms
from patter_nb.telephony.desk import CallDesk

FIRST, SECOND, STRANGE = sid("CA", 1), sid("CA", 2), sid("CA", 3)


@dataclass
class Afterwards:
    """Who is told what comes after a call."""

    over_of: list[str]
    recorded_of: list[str]

    def over(self, line: LineCall) -> None:
        self.over_of.append(line.call_id)

    def recorded(self, line: LineCall, recording: RecordingReady) -> None:
        self.recorded_of.append(line.call_id)


class World:
    """A desk at which calls come in and are never held."""

    def __init__(self) -> None:
        self.log = CallLog(None)
        self.after = Afterwards([], [])
        self.failed: list[str] = []
        self.taken: list[LineCall] = []
        self.desk = CallDesk(self.after, self.failed.append)
        self.desk.take = self.take
        self._agent = Agent(system_prompt="A test.", stt=ScriptedSTT(["one"]), llm=ScriptedLLM(["First."]), tts=ScriptedTTS())

    def take(self, incoming: IncomingCall) -> LineCall:
        self.taken.append(self.line(incoming.call_sid, caller=incoming.caller))
        return self.taken[-1]

    def line(self, carrier_call_id: str = "", caller: str = CALLER) -> LineCall:
        call_id = f"call_{len(self.log.readings()) + 1}"
        facts = {"call_id": call_id, "agent": "agent", "revision": 1, "direction": "inbound", "started_at": datetime.now(UTC)}
        self.log.begin(CallFacts(**facts, **dict.fromkeys(NAMES, "scripted")))
        line = RevisionLine("agent")
        terms = LineTerms(
            direction="inbound", caller=caller, callee=NUMBER, carrier_call_id=carrier_call_id, server=SimpleNamespace(host=HOST)
        )
        shared: dict[str, Any] = {"user_code": UserCode(asyncio.get_running_loop()), "callbacks": Callbacks(), "notices": None}
        return LineCall(self.log, Live(line.stage(self._agent)[0], line, call_id), terms, record=False, **shared)

    async def rings(self, call_sid: str = FIRST, **fields: str) -> ET.Element:
        """The verb that a call gets which comes in."""
        given = {"call_sid": call_sid, "account_sid": ACCOUNT, "caller": CALLER, "callee": NUMBER, **fields}
        self.answer = await self.desk.incoming(IncomingCall(**given))
        return ET.fromstring(self.answer)[0]

    def events(self, line: LineCall) -> list[str]:
        return [event.kind for event in self.log.event_rows(line.call_id)]

    def end(self, line: LineCall) -> None:
        line.call = SimpleNamespace(state="ended", duration_seconds=1.0, _hand_over=lambda told: False, refresh=lambda: None)


NAMES = [f"{kind}_{what}" for kind in ("stt", "llm", "tts") for what in ("provider", "model")]


@pytest.fixture
def at_a_desk(run: Any) -> Callable[[Any], None]:
    async def main(act: Any) -> None:
        await act(World())

    return lambda act: run(main(act))


def status(call_sid: str, word: str) -> CallStatus:
    return CallStatus(call_sid, word, None, "")


def test_a_call_that_comes_in_is_taken_and_its_audio_ordered_with_a_token_of_its_own(at_a_desk):
    async def act(world):
        assert (await world.rings(FIRST)).tag == "Connect"
        first = parameters(world.answer)
        assert (await world.rings(SECOND)).tag == "Connect"
        second = parameters(world.answer)
        assert (first["path"], first["caller"], first["callee"]) == ("/ws/stream/call_1", CALLER, NUMBER)
        assert first["token"] != second["token"]
        assert len(first["token"]) >= 43
        assert first["token"] not in first["path"]
        assert [line.call_id for line in world.desk.open_lines] == ["call_1", "call_2"]

    at_a_desk(act)


def test_a_carrier_that_asks_again_gets_the_same_answer_until_the_audio_has_been_there_and_then_a_hang_up(at_a_desk):
    async def act(world):
        await world.rings(FIRST)
        first = world.answer
        await world.rings(FIRST)
        assert world.answer == first
        line = world.taken[0]
        assert line.admits(line.token, FIRST)
        assert (await world.rings(FIRST)).tag == "Hangup"
        assert len(world.taken) == 1

    at_a_desk(act)


def test_a_carrier_that_asks_again_for_a_call_that_ended_without_audio_gets_a_hang_up(at_a_desk):
    async def act(world):
        await world.rings(FIRST)
        world.desk.status("", status(FIRST, "completed"))
        assert (await world.rings(FIRST)).tag == "Hangup"
        assert not world.taken[0].admits(world.taken[0].token, FIRST)

    at_a_desk(act)


ADMITTED = {
    "its token": (True, lambda line: (line.token, FIRST)),
    "its token with another call's id": (False, lambda line: (line.token, SECOND)),
    "its token with no id": (False, lambda line: (line.token, "")),
    "no token": (False, lambda line: ("", FIRST)),
    "a part of it": (False, lambda line: (line.token[:-1], FIRST)),
    "half a character": (False, lambda line: ("\ud800", FIRST)),
}


@pytest.mark.parametrize("name", ADMITTED)
def test_audio_is_let_in_for_the_calls_own_token_and_id(name, at_a_desk):
    async def act(world):
        await world.rings(FIRST)
        admitted, given = ADMITTED[name]
        line = world.taken[0]
        assert line.admits(*given(line)) is admitted
        assert line.is_spent is admitted
        assert line.admits(line.token, FIRST) is not admitted

    at_a_desk(act)


def test_whoever_is_called_anything_is_told_to_the_stream_as_far_as_the_carrier_takes_it(at_a_desk):
    async def act(world):
        name = "sip:<&\x00\"'>" + "é" * 600
        assert (await world.rings(FIRST, caller=name)).tag == "Connect"
        told = parameters(world.answer)["caller"]
        assert told == name.replace("\x00", "\ufffd")[:400]
        assert world.failed == []

    at_a_desk(act)


def test_when_nobody_serves_the_line_is_busy(at_a_desk):
    async def act(world):
        world.desk.take = None
        verb = await world.rings()
        assert (verb.tag, verb.attrib) == ("Reject", {"reason": "busy"})

    at_a_desk(act)


def test_one_call_more_than_there_may_be_hears_that_the_line_is_busy(at_a_desk, monkeypatch):
    monkeypatch.setattr(desk_module, "MOST_CALLS", 2)

    async def act(world):
        assert [(await world.rings(sid("CA", number))).tag for number in range(3)] == ["Connect", "Connect", "Reject"]
        world.end(world.taken[0])
        assert (await world.rings(sid("CA", 9))).tag == "Connect"

    at_a_desk(act)


def test_a_call_that_cannot_be_taken_hears_that_the_line_is_busy_and_the_cell_why(at_a_desk):
    async def act(world):
        def take(incoming: IncomingCall) -> LineCall:
            raise ConfigError("stt is missing.")

        world.desk.take = take
        assert (await world.rings()).tag == "Reject"
        assert world.failed == ["stt is missing."]
        assert world.desk.open_lines == []

    at_a_desk(act)


WHOSE = {
    "the call that the address names": ("call_1", FIRST, True),
    "where it names none, the call with the carrier's id": ("", FIRST, True),
    "another call's id under this call's name": ("call_1", SECOND, False),
    "a name that is no call's": ("call_9", FIRST, False),
    "an id that is no call's": ("", STRANGE, False),
}


@pytest.mark.parametrize("name", WHOSE)
def test_a_word_of_the_carrier_reaches_the_call_that_it_names_and_no_other(name, at_a_desk):
    call_id, call_sid, arrives = WHOSE[name]

    async def act(world):
        await world.rings(FIRST)
        await world.rings(SECOND)
        first, second = world.taken
        world.end(first)
        world.desk.machine(call_id, MachineVerdict(call_sid, "human", "human", 1.0))
        world.desk.recorded(call_id, RecordingReady(call_sid, sid("RE", 1), 1.0, "completed"))
        world.desk.status(call_id, status(call_sid, "completed"))
        assert world.events(first) == (["machine_detected", "carrier_status"] if arrives else [])
        assert world.after.over_of == world.after.recorded_of == (["call_1"] if arrives else [])
        assert world.events(second) == []

    at_a_desk(act)


def test_a_call_is_over_once_however_often_the_carrier_says_so(at_a_desk):
    async def act(world):
        await world.rings(FIRST)
        for word in ("in-progress", "completed", "completed", "failed", "ringing"):
            world.desk.status("call_1", status(FIRST, word))
        assert world.after.over_of == ["call_1"]
        assert world.events(world.taken[0]) == ["carrier_status", "carrier_status"]

    at_a_desk(act)


def test_what_the_carrier_says_of_a_call_before_its_id_is_known_is_believed(at_a_desk):
    async def act(world):
        line = world.line()
        world.desk.add(line)
        world.desk.status(line.call_id, status(FIRST, "ringing"))
        assert world.events(line) == ["carrier_status"]

    at_a_desk(act)


def test_the_other_leg_of_a_transfer_is_believed_for_a_call_of_ours_only(at_a_desk):
    async def act(world):
        await world.rings(FIRST)
        expected = world.desk.legs.expect(STRANGE)
        await world.desk.leg("call_9", status(STRANGE, "in-progress"))
        assert not expected.done()
        await world.desk.leg("call_1", status(STRANGE, "in-progress"))
        assert expected.done()

    at_a_desk(act)


def test_calls_that_are_over_are_forgotten_when_there_are_many_and_those_that_are_on_never(at_a_desk, monkeypatch):
    monkeypatch.setattr(desk_module, "KEPT", 3)

    async def act(world):
        await world.rings(sid("CA", 0))
        for number in range(1, 10):
            await world.rings(sid("CA", number))
            world.end(world.taken[-1])
        await world.rings(sid("CA", 10))
        kept = [number for number in range(11) if world.desk.waiting(f"call_{number + 1}") is not None]
        assert kept == [0, 7, 8, 9, 10]

    at_a_desk(act)
