"""Calls over a simulated Twilio, in speech and in real time: one row per scenario, with what was expected and what was seen.

    python tests/bench/rehearsals.py [--only transfer,busy] [--at-once 2]

Real HTTP and WebSockets on loopback; the on-device recogniser, demo brain and voice hold the calls. What the far end heard is
written down by the same recogniser, from the carrier's own record. A scenario is ok when everything it looks at was as expected.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import difflib
import io
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from patter_nb.audio.formats import PCM_8K
from patter_nb.audio.wav import read_wav
from patter_nb.callers import Line
from patter_nb.carriers.simulated import SpokenLine
from patter_nb.errors import PatterError
from patter_nb.phone import Patter
from patter_nb.providers.base import CallContext, TextDelta, Transcript
from patter_nb.providers.local import DemoBrain, LocalSTT, LocalTTS
from patter_nb.providers.local.normalise import normalise
from patter_nb.providers.scripted import ScriptedLLM, ScriptedTTS
from patter_nb.testing import Callee, TwilioSimulator
from patter_nb.turns.messages import ToolRequest
from patter_nb.turns.usage import Price

FRIEND, DESK = "+15557654321", "+15557650001"
PROMPT = f"""You are Mia, the receptionist of the Acme Hotel.
Dinner is served from six to ten.
A double room costs ninety five dollars a night.
Dogs are welcome and stay for free.
If the caller wants to talk to a person, transfer them to {DESK}."""
GREETING = "Acme Hotel, good evening! How can I help?"
DINNER, ROOM = "Hi, when is dinner?", "How much is a double room?"
SIX_TO_TEN, DOLLARS = "Dinner is served from six to ten.", "A double room costs ninety five dollars a night."
MESSAGE = "This is the Acme Hotel. Your room is ready for you. Please call us back tomorrow morning."
OUTGOING = "Hello, nobody is at home. Please leave a message after the tone."
LONG = "A double room costs ninety five dollars a night, and breakfast is served on the terrace from seven until eleven."
CALL_SECONDS = 90.0
AUDIBLE = 32768 * 10 ** (-50 / 20)


@dataclass
class Stage:
    """One scenario's account, phone, and what was looked at."""

    simulator: TwilioSimulator
    phone: Patter
    seen: list[tuple[str, Any, bool]] = field(default_factory=list)

    def see(self, what: str, found: Any, wanted: Any = True) -> None:
        """Look at something. `wanted`: a value, or a function that says whether it is right."""
        self.seen.append((what, found, bool(wanted(found)) if callable(wanted) else found == wanted))

    def agent(self, **settings: Any) -> Any:
        given = {"stt": LocalSTT(), "llm": DemoBrain(), "tts": LocalTTS(), "first_message": GREETING}
        return self.phone.agent(settings.pop("prompt", PROMPT), **{**given, **settings})

    async def serve(self, agent: Any = None, **settings: Any) -> Any:
        return await self.phone.serve(agent or self.agent(), port=0, manage_webhook=True, block=False, **settings)

    async def incoming(self, caller: Any, **manners: Any) -> tuple[Any, Any]:
        """A call that comes in: its line and its call."""
        line = await self.simulator.call(caller, **manners)

        def call(_: object) -> Any:
            return next((call for call in self.phone._calls if call.carrier_call_id == line.sid), None)

        return line, await self.simulator.until(call)

    async def placed(self, callee: Callee, agent: Any = None, **order: Any) -> tuple[Any, Any]:
        """A call that is dialled: its line and its call."""
        self.simulator.callee = callee
        if self.phone._server is None:
            await self.serve(agent)
        call = await self.phone.call(FRIEND, agent, **order)
        return self.simulator.lines[call.carrier_call_id], call

    async def over(self, line: Any, call: Any) -> Any:
        """Wait for both ends; the call's row."""
        with contextlib.suppress(PatterError):
            await call.ended(CALL_SECONDS)
        await asyncio.wait_for(line.ended(), 20)
        self.see("carrier's warnings", [warning.text for warning in line.warnings], [])
        return self.row(call)

    def row(self, call: Any) -> Any:
        return self.phone.calls.set_index("call_id").loc[call.id]

    def texts(self, call: Any) -> list[str]:
        return [line["text"] for line in call.transcript]

    def data(self, call: Any, kind: str) -> list[dict[str, Any]]:
        events = call.events
        return list(events[events.kind == kind]["data"])

    async def event(self, call: Any, kind: str, times: int = 1) -> None:
        """Wait until this happens, or has happened, in a call that is on."""
        async with asyncio.timeout(CALL_SECONDS):
            async for event in call.stream():
                times -= event.kind == kind
                if not times:
                    return
        raise AssertionError(f"the call ended without {kind}")

    def marks(self, line: Any) -> None:
        """Our marks are numbered as they are sent: all come back, in that order, but for those of a call that is cut off."""
        for report in line.reports:
            numbers = [int(mark.name.rsplit(".", 1)[1]) for mark in report.marks]
            self.see("marks back", len(numbers), lambda n: n > 0)
            self.see("marks in order", numbers == list(range(1, len(numbers) + 1)))


def words(text: str) -> list[str]:
    return re.sub(r"[^a-z ]", " ", normalise(text).lower()).split()


def alike(wanted: str, least: float = 0.8) -> Callable[[str], bool]:
    """Whether a text has these words, but for a few that a recogniser got wrong."""
    return lambda found: difflib.SequenceMatcher(None, words(wanted), words(found), autojunk=False).ratio() >= least


def bids_goodbye(text: str) -> bool:
    return "goodbye" in "".join(words(text))


async def written_down(samples: Any) -> str:
    """What the on-device recogniser makes of a sound of 8 kHz, from where it begins to where it ends."""
    loud = np.flatnonzero(np.abs(samples) > AUDIBLE)
    samples = samples[max(0, loud[0] - 2400) : loud[-1] + 2400] if len(loud) else samples
    async with LocalSTT().open(CallContext("witness"), PCM_8K) as stream:
        stream.speech_started(0.0)
        stream.push(samples.astype("<i2").tobytes(), len(samples) / 8000)
        stream.finalize()
        async for event in stream:
            if isinstance(event, Transcript) and event.final:
                return event.text
    return ""


def onset(samples: Any) -> float | None:
    """Second of the first audible 10 ms."""
    blocks = samples[: len(samples) // 80 * 80].reshape(-1, 80).astype(float)
    audible = np.flatnonzero(np.sqrt(np.mean(np.square(blocks), axis=1)) >= AUDIBLE)
    return float(audible[0]) / 100 if len(audible) else None


def likeness(one: Any, other: Any) -> float:
    """How alike the loudness of two tracks is in the course of time: the best correlation within half a second."""

    def course(samples: Any) -> Any:
        blocks = samples[: len(samples) // 160 * 160].reshape(-1, 160).astype(float)
        return np.log10(1 + np.sqrt(np.mean(np.square(blocks), axis=1)))

    a, b = course(one), course(other)

    def at(shift: int) -> float:
        left, right = (a[shift:], b) if shift >= 0 else (a, b[-shift:])
        size = min(len(left), len(right))
        return float(np.corrcoef(left[:size], right[:size])[0, 1])

    return max(at(shift) for shift in range(-25, 26))


Scenario = Callable[[Stage], Awaitable[None]]
SCENARIOS: dict[str, tuple[str, Scenario]] = {}


def scenario(name: str, expected: str) -> Callable[[Scenario], Scenario]:
    def kept(work: Scenario) -> Scenario:
        SCENARIOS[name] = expected, work
        return work

    return kept


# Calls that come in.


@scenario("inbound", "both sides' words, marks in order, heard by the far end, callbacks, price of the carrier")
async def inbound(stage: Stage) -> None:
    told: list[Any] = []
    ends: list[Any] = []
    server = await stage.serve(on_transcript=told.append, on_call_end=ends.append)
    line, call = await stage.incoming([DINNER, ROOM])
    row = await stage.over(line, call)
    said = stage.texts(call)
    for wanted, found in zip([GREETING, DINNER, SIX_TO_TEN, ROOM, DOLLARS], [*said, *[""] * 5], strict=False):
        stage.see("said", found, alike(wanted))
    stage.see("heard at the far end", await written_down(line.heard[: 28 * 8000]), alike(f"{GREETING} {SIX_TO_TEN} {DOLLARS}"))
    stage.marks(line)
    stage.see("row", (row.direction, row.outcome, row.end_reason, row.turns), ("inbound", "answered", "caller hung up", 2))
    finals = [each["text"] for each in told]  # two where the caller paused; the transcript has the turn
    stage.see("on_transcript", finals, lambda found: " ".join(found) == " ".join(said))
    stage.see("on_call_end", [end["end_reason"] for end in ends], ["caller hung up"])
    await server.afterwards.done(call.id)
    stage.see("price", stage.row(call).carrier_price_usd, 0.014)


@scenario("barge-in", "one clear; no mark after it counts; the row holds what was heard; the recording is what the ear got")
async def barge_in(stage: Stage) -> None:
    await stage.serve(stage.agent(llm=ScriptedLLM([LONG, SIX_TO_TEN])), recording=True)
    line, call = await stage.incoming([ROOM, Line("Stop, when is dinner?", interrupt_after_seconds=1.5)])
    await stage.over(line, call)
    stage.marks(line)
    cleared = [mark for mark in line.report.marks if mark.cleared]
    stage.see("clears", len(line.report.clears), 1)
    stage.see("marks of the clear", len(cleared), lambda n: n > 0)
    turns = call.turns[call.turns.kind == "caller"]
    heard, generated = str(turns.iloc[0].heard_text), str(turns.iloc[0].agent_text)
    stage.see("heard", heard, lambda text: 0 < len(text) < len(generated) and generated.startswith(text))
    cut = line.heard[: int(8000 * line.report.exchanges[0].reply.end_at)]
    witness = await written_down(cut[-8000 * 3 :])
    stage.see("witness", witness, lambda text: "eleven" not in words(text))
    stage.see("recording like the ear", round(likeness(call.audio.agent, line.heard), 2), lambda x: x > 0.8)


@scenario("caller's keys", "pressed keys are the words of a turn, '#' ends it")
async def callers_keys(stage: Stage) -> None:
    await stage.serve(stage.agent(llm=ScriptedLLM(["Thank you."] * 3)))
    line, call = await stage.incoming([SpokenLine("", np.zeros(0, np.int16), 8000, keys="4711#")])
    await stage.over(line, call)
    turns = call.turns[call.turns.kind == "caller"]
    stage.see("caller_text", list(turns.caller_text), lambda found: len(found) == 1 and "4711" in found[0].replace(" ", ""))
    stage.see("reply", list(turns.heard_text), ["Thank you."])


@scenario("agent's keys", "tones of send_dtmf are decoded at the far end")
async def agents_keys(stage: Stage) -> None:
    await stage.serve()
    line, call = await stage.incoming([Line(DINNER, wait_seconds=5.0)])
    await stage.event(call, "answered")
    call.send_dtmf("12*#0")
    await stage.over(line, call)
    stage.see("keys", line.keys, "12*#0")


@scenario("hang-up: tool", "the model's end_call: its goodbye is heard, then the line is closed by us")
async def hang_up_tool(stage: Stage) -> None:
    ends = [TextDelta("Thanks for calling. Goodbye!"), ToolRequest("1", "end_call", "{}")]
    await stage.serve(stage.agent(llm=ScriptedLLM([ends, "Bye."])))
    line, call = await stage.incoming(["That is all, thank you."], no_reply_seconds=20, hang_up_seconds=20)
    row = await stage.over(line, call)
    stage.see("goodbye", await written_down(line.heard), bids_goodbye)
    stage.see("ended by", (line.report.ended_by, row.outcome, line.status), ("agent", "answered", "completed"))
    stage.see("reason", row.end_reason, lambda reason: "caller" not in reason and "fail" not in reason)


@scenario("hang-up: order", "call.hangup('Goodbye'): heard, then closed by us")
async def hang_up_order(stage: Stage) -> None:
    await stage.serve()
    line, call = await stage.incoming([DINNER], no_reply_seconds=20, hang_up_seconds=20)
    await stage.event(call, "metrics", times=2)
    call.hangup("That was all from the hotel, goodbye.")
    row = await stage.over(line, call)
    stage.see("goodbye", stage.texts(call)[-1], "That was all from the hotel, goodbye.")
    stage.see("heard", await written_down(line.heard[: 28 * 8000]), lambda text: "hotel goodbye" in " ".join(words(text)))
    stage.see("ended by", (line.report.ended_by, row.end_reason), ("agent", "hung up by the agent's side"))


@scenario("hang-up: caller", "in the middle of a reply: the row holds what was heard")
async def hang_up_caller(stage: Stage) -> None:
    await stage.serve(stage.agent(llm=ScriptedLLM([LONG])))
    line, call = await stage.incoming([ROOM], no_reply_seconds=20)
    await stage.event(call, "agent_speech_started", times=2)
    await asyncio.sleep(1.5)
    line.hang_up()
    row = await stage.over(line, call)
    stage.see("reason", (row.end_reason, line.report.ended_by), ("caller hung up", "caller"))
    stage.see("heard", str(call.turns.iloc[-1].heard_text), lambda text: len(text) < len(LONG))


@scenario("transfer: cold", "the demo brain connects the caller to the desk; the caller is with them")
async def cold(stage: Stage) -> None:
    stage.simulator.callees[DESK] = Callee(lines=["Front desk, good evening."], answers_after_seconds=1.0, stays_seconds=2.0)
    await stage.serve()
    line, call = await stage.incoming(["Please transfer me to the front desk."])
    row = await stage.over(line, call)
    desk = desk_of(stage)
    stage.see("words", stage.texts(call), lambda _: desk is not None)
    if desk is None:
        return
    stage.see("reason", (row.end_reason, row.outcome), ("transferred", "answered"))
    stage.see("joined", (line.joined, desk.joined), ([desk.sid], [line.sid]))
    stage.see("told first", stage.texts(call)[-1], "I'm connecting you now.")
    stage.see("desk is heard", await written_down(line.heard[-8000 * 3 :]), lambda text: "desk" in words(text))


@scenario("transfer: cold, refused", "REST says no: transfer_failed, the model is told and answers, the call goes on")
async def cold_refused(stage: Stage) -> None:
    asked: list[list[Any]] = []

    def answers(messages: Any) -> Any:
        asked.append(list(messages))
        if any("transfer" in message.content.lower() and "not" in message.content for message in messages[-1:]):
            return "I could not connect you. What else can I do?"
        if len(asked) == 1:
            return [TextDelta("One moment."), ToolRequest("1", "transfer_call", f'{{"number": "{DESK}"}}')]
        return SIX_TO_TEN

    await stage.serve(stage.agent(llm=ScriptedLLM(answers)))
    line, call = await stage.incoming(["A person please.", Line(DINNER, wait_seconds=4.0)])
    await stage.event(call, "answered")
    stage.simulator.refuse(21220, "Call is not in-progress. Cannot redirect.")
    row = await stage.over(line, call)
    stage.see("event", [each["number"][-4:] for each in stage.data(call, "transfer_failed")], ["0001"])
    stage.see("goes on", stage.texts(call)[-1], SIX_TO_TEN)
    stage.see("model is told", any("transfer" in m.content.lower() and m.role == "system" for m in asked[-1]))
    stage.see("row", (row.end_reason, row.outcome, row.error), lambda seen: seen[:2] == ("caller hung up", "answered"))


SUMMARY = "A guest asks for a late arrival."


async def warm(stage: Stage, callee: Callee, hang_up_seconds: float) -> tuple[Any, Any]:
    stage.simulator.callees[DESK] = callee
    asked: list[Any] = []
    tool = ToolRequest("1", "transfer_call", f'{{"number": "{DESK}", "mode": "warm", "summary": "{SUMMARY}"}}')

    def answers(messages: Any) -> Any:
        asked.append(list(messages))
        if len(asked) == 1:
            return [TextDelta("One moment please."), tool]
        told = [message.content for message in messages if "not made" in message.content]
        return "Nobody is there now. I can help you myself." if told else "I am calling them."

    await stage.serve(stage.agent(llm=ScriptedLLM(answers)))
    return await stage.incoming(["A person please."], no_reply_seconds=40, hang_up_seconds=hang_up_seconds)


def desk_of(stage: Stage) -> Any:
    return next((each for each in stage.simulator.lines.values() if each.to_number == DESK), None)


@scenario("transfer: warm", "the desk hears the summary, then both are in one conference")
async def warm_answered(stage: Stage) -> None:
    line, call = await warm(stage, Callee(answers_after_seconds=2, stays_seconds=3), 20)
    row = await stage.over(line, call)
    desk = desk_of(stage)
    await desk.ended()
    stage.see("summary", desk.said, [SUMMARY])
    stage.see("conference", len(line.joined) == 1 and line.joined == desk.joined)
    stage.see("row", (row.end_reason, row.outcome), ("transferred", "answered"))
    stage.see("both over", (line.status, desk.status), ("completed", "completed"))


@scenario("transfer: warm, busy", "the caller stays and is told")
async def warm_busy(stage: Stage) -> None:
    line, call = await warm(stage, Callee(kind="busy", answers_after_seconds=1), 5)
    row = await stage.over(line, call)
    stage.see("event", [each["error"] for each in stage.data(call, "transfer_failed")], lambda e: len(e) == 1 and "busy" in e[0])
    stage.see("told", stage.texts(call)[-1], lambda text: "Nobody is there" in text)
    stage.see("row", (row.end_reason, row.outcome), ("caller hung up", "answered"))
    stage.see("conferences", line.joined, [])


@scenario("transfer: warm, no answer", "after 25 s of ringing the caller, who stayed, is told")
async def warm_nobody(stage: Stage) -> None:
    line, call = await warm(stage, Callee(kind="no-answer"), 35)
    await stage.over(line, call)
    failed = stage.data(call, "transfer_failed")
    stage.see("event", [each["error"] for each in failed], lambda errors: len(errors) == 1 and "nobody answers" in errors[0])
    stage.see("told", [text for text in stage.texts(call) if "Nobody is there" in text], lambda found: len(found) >= 1)


@scenario("transfer: warm, caller leaves", "the caller hangs up while the desk rings: the desk rings no longer")
async def warm_left(stage: Stage) -> None:
    line, call = await warm(stage, Callee(answers_after_seconds=20), 30)
    await stage.simulator.until(lambda _: (desk := desk_of(stage)) and desk.status == "ringing", seconds=30)
    line.hang_up()
    row = await stage.over(line, call)
    desk = desk_of(stage)
    await asyncio.wait_for(desk.ended(), 15)
    stage.see("desk", desk.status, "canceled")
    stage.see("row", row.end_reason, "caller hung up")


@scenario("recording", "ours and the carrier's beside it: the caller left, the agent right, in both")
async def recording(stage: Stage) -> None:
    server = await stage.serve(recording=True)
    line, call = await stage.incoming([DINNER])
    await stage.over(line, call)
    await stage.simulator.until(lambda simulator: simulator.posted("recording"))
    await server.afterwards.done(call.id)
    (kept,) = stage.data(call, "carrier_recording")
    theirs, hz = read_stereo(kept["path"])
    stage.phone.flush()
    ours, _ = read_stereo(str(stage.row(call).recording_path))
    stage.see("rates", (call.audio.hz, hz), (8000, 8000))
    sides = (("theirs", theirs), ("ours", ours), ("call.audio", call.audio.samples))
    for name, stereo in sides:
        stage.see(f"{name}, left", await written_down(stereo[:, 0]), alike(DINNER, 0.6))
        stage.see(f"{name}, right", await written_down(stereo[:, 1]), alike(f"{GREETING} {SIX_TO_TEN}"))
    stage.see("ours like theirs", round(likeness(ours[:, 1], theirs[:, 1]), 2), lambda x: x > 0.8)


@scenario("edit", "a prompt that is edited in mid-call answers the next turn, under its revision")
async def edit(stage: Stage) -> None:
    await stage.serve()
    line, call = await stage.incoming([DINNER, Line("And when is dinner tomorrow?", wait_seconds=3.0)])
    await stage.event(call, "metrics", times=2)  # the greeting's, and the first answer's
    call.edit(system_prompt="You are Mia. Dinner is served at half past eight tomorrow.")
    await stage.over(line, call)
    turns = call.turns[call.turns.kind == "caller"]
    stage.see("answers", list(turns.heard_text)[-1], lambda text: "half past eight" in text)
    stage.see("revisions", turns.revision.nunique(), 2)


@scenario("two calls", "one in, one out, at once, each with its agent and its words")
async def two_calls(stage: Stage) -> None:
    await stage.serve()
    bakery = "You are Max of the Blue Bakery. Bread costs four dollars."
    other = stage.agent(name="other", prompt=bakery, first_message="Blue Bakery.")
    (line, call), (far, out) = await asyncio.gather(
        stage.incoming([DINNER]),
        stage.placed(Callee(lines=["How much is the bread?"], answers_after_seconds=0.5, greets_after_seconds=None), other),
    )
    rows = [await stage.over(line, call), await stage.over(far, out)]
    stage.see("agents", [row.agent for row in rows], ["agent", "other"])
    stage.see("hotel", stage.texts(call), lambda found: alike(SIX_TO_TEN)(found[-1]))
    stage.see("bakery", stage.texts(out), lambda found: "four dollars" in found[-1])
    stage.see("at once", line.answered_at < far.ended_at and far.answered_at < line.ended_at)


@scenario("on_call_start", "what it returns holds for this call alone")
async def on_call_start(stage: Stage) -> None:
    starts: list[Any] = []

    def begins(start: Any) -> Any:
        starts.append(start)
        return {"first_message": "Good evening, Mister Miller."} if len(starts) == 1 else None

    await stage.serve(on_call_start=begins)
    for wanted in ("Good evening, Mister Miller.", GREETING):
        line, call = await stage.incoming([DINNER])
        await stage.over(line, call)
        stage.see("greeting", stage.texts(call)[0], wanted)
    told = [(start["direction"], start["telephony_provider"], start["caller"]) for start in starts]
    stage.see("told", told, [("inbound", "twilio", FRIEND)] * 2)


@scenario("money limit", "a price that trips it within seconds: a goodbye is heard, and the call ends")
async def money(stage: Stage) -> None:
    voice = LocalTTS()
    voice.price = Price(usd_per_1k_characters=10.0)
    await stage.serve(stage.agent(tts=voice, max_cost_usd=0.5))
    line, call = await stage.incoming([DINNER], no_reply_seconds=30, hang_up_seconds=30)
    row = await stage.over(line, call)
    stage.see("reason", row.end_reason, "the call cost 0.5 USD, its limit")
    stage.see("goodbye", await written_down(line.heard), lambda text: "have to end the call here" in text)
    stage.see("ended by", line.report.ended_by, "agent")
    stage.see("usd", float(row.usd), lambda usd: 0.5 <= usd < 1.5)


@scenario("duration limit", "after max_duration_seconds a goodbye, and the end")
async def duration(stage: Stage) -> None:
    await stage.serve(stage.agent(max_duration_seconds=6))
    line, call = await stage.incoming([DINNER], no_reply_seconds=30, hang_up_seconds=30)
    row = await stage.over(line, call)
    stage.see("ended by", (line.report.ended_by, row.outcome), ("agent", "answered"))
    stage.see("goodbye", await written_down(line.heard), lambda text: "have to end the call here" in text)
    stage.see("seconds", round(float(row.duration_seconds), 1), lambda seconds: 6 <= seconds < 13)


# Calls that are placed.


@scenario("outbound: human", "verdict human; nobody waits for it; first_message of this call")
async def human(stage: Stage) -> None:
    verdicts: list[Any] = []
    callee = Callee(lines=[DINNER], answers_after_seconds=2.0, greets_after_seconds=None)
    words_of_it = "This is a call as it was ordered."
    line, call = await stage.placed(callee, first_message=words_of_it, on_machine_detection=verdicts.append)
    row = await stage.over(line, call)
    stage.see("row", (row.direction, row.outcome, row.answered_by), ("outbound", "answered", "human"))
    stage.see("amd_ms", float(row.amd_ms), lambda ms: 400 <= ms < 5000)
    stage.see("ring_seconds", float(row.ring_seconds), lambda seconds: 1.5 < seconds < 4)
    stage.see("on_machine_detection", [each.classification for each in verdicts], ["human"])
    said = stage.texts(call)
    stage.see("words", said, lambda found: words_of_it in found and alike(SIX_TO_TEN)(found[-1]))
    stage.marks(line)


async def machine(stage: Stage, word: str, **callee: Any) -> None:
    verdicts: list[Any] = []
    answers = Callee(kind="machine", lines=[OUTGOING], answered_by=word, answers_after_seconds=0.5, hang_up_seconds=10, **callee)
    line, call = await stage.placed(answers, voicemail_message=MESSAGE, on_machine_detection=verdicts.append)
    row = await stage.over(line, call)
    stage.see("row", (row.outcome, row.answered_by, row.end_reason), ("voicemail", "machine", "left a voicemail"))
    stage.see("verdict", [each.raw for each in verdicts], [word])
    stage.see("voicemail event", [each["text"] for each in stage.data(call, "voicemail")], [MESSAGE])
    beep = int(8000 * (line.person.beep_seconds or 0))
    recorded = await written_down(line.heard[beep:])
    if callee:  # the verdict comes after the beep: the agent had begun to answer the machine's greeting
        recorded = " ".join(words(recorded)[-len(words(MESSAGE)) :])
    stage.see("what was recorded", recorded, alike(MESSAGE))
    stage.see("said last", stage.texts(call)[-1], MESSAGE)
    stage.see("ended by", line.report.ended_by, "agent")


for _word, _more in (
    ("machine_end_beep", {}),
    ("machine_end_silence", {}),
    ("machine_end_other", {"verdict_after_seconds": 8.0}),
):

    async def _machine(stage: Stage, word: str = _word, more: dict[str, Any] = _more) -> None:
        await machine(stage, word, **more)

    scenario(f"voicemail: {_word}", "what it records after the beep is the message, word for word, and nothing else")(_machine)


@scenario("voicemail: noise", "a machine that makes itself heard over the message does not cut it")
async def noisy(stage: Stage) -> None:
    lines = [OUTGOING, Line("You have one minute left, please go on talking.", interrupt_after_seconds=1.5)]
    verdict = {"answered_by": "machine_end_other", "verdict_after_seconds": 5.5}
    callee = Callee(lines=lines, **verdict, no_reply_seconds=30, hang_up_seconds=20)
    line, call = await stage.placed(callee, stage.agent(first_message=""), voicemail_message=MESSAGE)
    row = await stage.over(line, call)
    stage.see("spoke over it", len(line.report.exchanges), 2)
    stage.see("row", (row.outcome, row.end_reason), ("voicemail", "left a voicemail"))
    recorded = words(await written_down(line.heard))[-len(words(MESSAGE)) :]
    stage.see("what was recorded", " ".join(recorded), alike(MESSAGE))
    stage.see("clears after the verdict", len([at for at in line.report.clears if at > 6.5]), 0)


@scenario("machine without a message", "answered_by machine; no message, the call is the agent's")
async def no_message(stage: Stage) -> None:
    callee = Callee(kind="machine", lines=[OUTGOING], answers_after_seconds=0.5, no_reply_seconds=3)
    line, call = await stage.placed(callee)
    row = await stage.over(line, call)
    stage.see("row", (row.answered_by, row.outcome), lambda seen: seen[0] == "machine")
    stage.see("voicemail", stage.data(call, "voicemail"), [])


@scenario("fax", "answered_by fax; its tone is no turn; no message is left")
async def fax(stage: Stage) -> None:
    callee = Callee(kind="fax", answers_after_seconds=0.5, hang_up_seconds=2, no_reply_seconds=4)
    line, call = await stage.placed(callee, voicemail_message=MESSAGE)
    row = await stage.over(line, call)
    stage.see("row", (row.answered_by, row.outcome), ("fax", "answered"))
    stage.see("voicemail", stage.data(call, "voicemail"), [])


@scenario("unknown", "answered_by unknown: treated as a person")
async def unknown(stage: Stage) -> None:
    callee = Callee(lines=["Hello?", DINNER], answered_by="unknown", verdict_after_seconds=2.0, answers_after_seconds=0.5)
    line, call = await stage.placed(callee, voicemail_message=MESSAGE)
    row = await stage.over(line, call)
    stage.see("row", (row.answered_by, row.outcome, row.end_reason), ("unknown", "answered", "caller hung up"))
    stage.see("words", stage.texts(call)[-1], alike(SIX_TO_TEN))


async def nobody(stage: Stage, kind: str) -> None:
    ends: list[Any] = []
    outcome = kind.replace("-", "_")
    callee = Callee(kind=kind, answers_after_seconds=1.0)  # type: ignore[arg-type]
    line, call = await stage.placed(callee, ring_timeout=5, on_call_end=ends.append)
    row = await stage.over(line, call)
    stage.see("row", (row.outcome, row.end_reason, row.duration_seconds), (outcome, kind.replace("-", " "), 0.0))
    stage.see("error", call.error, None)
    stage.see("on_call_end", [end["end_reason"] for end in ends], [kind.replace("-", " ")])
    stage.see("line", line.status, kind)


for _kind in ("no-answer", "busy", "failed"):

    async def _nobody(stage: Stage, kind: str = _kind) -> None:
        await nobody(stage, kind)

    scenario(_kind, "a row with its outcome and end_reason, no error, on_call_end told")(_nobody)


@scenario("canceled while ringing", "call.hangup() or stop() while it rings: the carrier rings no longer")
async def canceled(stage: Stage) -> None:
    for ends in ("stop", "hangup"):
        line, call = await stage.placed(Callee(answers_after_seconds=20))
        await stage.simulator.until(lambda _, line=line: line.status == "ringing")
        getattr(call, ends)()
        row = await stage.over(line, call)
        stage.see(ends, (line.status, row.outcome), ("canceled", "canceled"))


@scenario("outbound: we hang up", "call.hangup('Goodbye') of a placed call")
async def outbound_hang_up(stage: Stage) -> None:
    line, call = await stage.placed(Callee(answers_after_seconds=0.5), first_message="Your taxi is here.")
    await stage.event(call, "answered")
    call.hangup("Goodbye.")
    row = await stage.over(line, call)
    stage.see("texts", stage.texts(call), ["Your taxi is here.", "Goodbye."])
    stage.see("row", (row.end_reason, line.report.ended_by), ("hung up by the agent's side", "agent"))


SOUNDS = 5


async def first_sounds(stage: Stage, prewarm: bool, voice: Any) -> list[int]:
    """Milliseconds from the answer to the first audible sample at the far end, of so many calls one after the other."""
    await stage.serve()
    found = []
    for number in range(SOUNDS):
        words_of_it = f"Good evening, this is call {number}, {'warm' if prewarm else 'cold'}."  # none that a cache may know
        agent = stage.agent(name=f"{prewarm} {number}", prewarm=prewarm, tts=voice, first_message=words_of_it)
        line, call = await stage.placed(Callee(answers_after_seconds=3.0), agent)
        await stage.event(call, "agent_speech_started")
        await stage.event(call, "metrics")
        line.hang_up()
        await stage.over(line, call)
        answer = line._born + dict(line.history)["in-progress"]
        sound = onset(line.report.heard)
        assert sound is not None
        found.append(round((line.report.zero_loop_seconds + sound - answer) * 1000))
    return sorted(found)


@scenario("first sound, on-device voice, warm", "ms from answer to the first audible sample, greeting made while it rings")
async def warm_sound(stage: Stage) -> None:
    stage.see("ms", await first_sounds(stage, True, LocalTTS(cache=False)), lambda ms: ms[SOUNDS // 2] < 200)


@scenario("first sound, on-device voice, cold", "the same with prewarm=False")
async def cold_sound(stage: Stage) -> None:
    stage.see("ms", await first_sounds(stage, False, LocalTTS(cache=False)), lambda ms: ms[0] > 0)


@scenario("first sound, voice of 800 ms, warm", "a voice as slow as some over the network: as soon as the other")
async def slow_warm_sound(stage: Stage) -> None:
    stage.see("ms", await first_sounds(stage, True, ScriptedTTS(first_byte_seconds=0.8)), lambda ms: ms[SOUNDS // 2] < 200)


@scenario("first sound, voice of 800 ms, cold", "prewarm=False: its 800 ms are heard as silence")
async def slow_cold_sound(stage: Stage) -> None:
    stage.see("ms", await first_sounds(stage, False, ScriptedTTS(first_byte_seconds=0.8)), lambda ms: ms[0] >= 800)


def read_stereo(path: str) -> tuple[Any, int]:
    import wave

    with wave.open(path) as file:
        assert file.getnchannels() == 2
        if file.getsampwidth() == 2:
            return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2), file.getframerate()
    return read_wav(path)


@contextlib.asynccontextmanager
async def staged(folder: str) -> AsyncIterator[Stage]:
    async with TwilioSimulator() as simulator:
        line = {"carrier": simulator.carrier, "phone_number": simulator.number, "tunnel": simulator.tunnel}
        phone = Patter(**line, store=f"{folder}/calls.sqlite", show=False)
        try:
            yield Stage(simulator, phone)
        finally:
            await phone.disconnect()
            phone.flush()


@dataclass(frozen=True)
class Row:
    name: str
    expected: str
    wrong: list[str]
    looked_at: list[str]
    seconds: float


async def play(name: str) -> Row:
    expected, work = SCENARIOS[name]
    began, looked, wrong = time.monotonic(), list[tuple[str, Any, bool]](), list[str]()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with staged(folder) as stage:
            try:
                async with asyncio.timeout(CALL_SECONDS + 30):
                    await work(stage)
            except Exception as error:  # noqa: BLE001 (a row must come of it)
                wrong.append(f"{type(error).__name__}: {error}")
            looked = stage.seen
    wrong += [f"{what}: {found!r}" for what, found, ok in looked if not ok]
    return Row(name, expected, wrong, [f"{what}: {found!r}" for what, found, _ in looked], time.monotonic() - began)


def tell(text: str) -> None:
    print(text, file=sys.__stdout__, flush=True)


async def main(only: list[str], at_once: int, every: bool) -> int:
    await LocalSTT().wait_ready(60)
    await LocalTTS().wait_ready(60)
    names = [name for name in SCENARIOS if not only or any(part in name for part in only)]
    places, rows, began = asyncio.Semaphore(at_once), list[Row](), time.monotonic()

    async def one(name: str) -> None:
        async with places:
            row = await play(name)
        rows.append(row)
        tell(f"{'ok   ' if not row.wrong else 'WRONG'} {row.seconds:5.1f} s  {name}: {row.expected}")
        for text in [*(row.looked_at if every else ()), *row.wrong]:
            tell(f"              {text[:400]}")

    with contextlib.redirect_stdout(io.StringIO()):  # where serve() tells what becomes of the number
        await asyncio.gather(*map(one, names))
    good = sum(not row.wrong for row in rows)
    load = os.getloadavg()[0]
    tell(f"\n{good} of {len(rows)} as expected; {time.monotonic() - began:.0f} s, {at_once} at once, load {load:.1f}")
    return len(rows) - good


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--every", action="store_true", help="print all that was looked at")
    given = parser.parse_args()
    raise SystemExit(asyncio.run(main([part for part in given.only.split(",") if part], given.at_once, given.every)))
