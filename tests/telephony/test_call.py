"""Calls on a line: who is let in, what the carrier tells; and whole calls over real sockets, in real time, many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from tests_of_telephony_stage import (
    DESK,
    FRIEND,
    Stage,
    audible_seconds,
    data,
    happened,
    marks_came_back_in_order,
    staged,
    texts,
)

from patter_nb.callers import Line
from patter_nb.carriers.simulated import SpokenLine
from patter_nb.carriers.twilio.webhooks import CallStatus, MachineVerdict
from patter_nb.errors import PatterError
from patter_nb.phone import Patter
from patter_nb.providers.base import TextDelta
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.telephony import call as lines
from patter_nb.telephony.call import LineCall, LineTerms
from patter_nb.testing import Callee
from patter_nb.turns.messages import ToolRequest
from patter_nb.turns.usage import Price

SID, OTHER_SID = "CA" + "1" * 32, "CA" + "2" * 32


class Server:
    host = "calls.example.com"


def line_call(**terms: Any) -> LineCall:
    """A call that has not begun."""
    phone = Patter(store=False, show=False)
    agent = phone.agent("A test.", stt=ScriptedSTT([]), llm=ScriptedLLM([]), tts=ScriptedTTS())
    loop = asyncio.get_running_loop()
    call, setting = phone._make(phone._agents.stage(agent), phone._callbacks(None), lambda _: None, loop, "call")
    given = {"direction": "inbound", "caller": FRIEND, "callee": "+15550001234", "carrier_call_id": SID, **terms}
    work = LineCall(phone._log, call.live, LineTerms(**given), record=False, **setting)
    work.call = call
    phone._log.begin(work.facts(call.id))
    return work


def kinds(work: LineCall) -> list[tuple[str, Any]]:
    events = work._log.call_events(work.call_id)
    return list(zip(events["kind"], events["data"], strict=True))


# Before there is audio.


def test_a_socket_is_let_in_once_with_the_token_and_the_carriers_id_of_the_call(run):
    async def main():
        work = line_call()
        wrong = [("", SID), (work.token[:-1], SID), (work.token, OTHER_SID), (work.token, ""), ("\ud800ü", SID)]
        assert not any(work.admits(*given) for given in wrong)
        assert not work.is_spent
        assert work.admits(work.token, SID)
        return work.is_spent, work.admits(work.token, SID)

    assert run(main()) == (True, False)


def test_a_call_that_is_over_lets_nobody_in(run):
    async def main():
        work = line_call()
        work.told(CallStatus(SID, "canceled", None, ""))
        return work.is_spent, work.admits(work.token, SID)

    assert run(main()) == (True, False)


def test_the_first_socket_of_a_placed_call_tells_the_carriers_id_when_it_is_not_known_yet(run):
    async def main():
        work = line_call(direction="outbound", carrier_call_id="")
        assert work.admits(work.token, SID)
        return work.carrier_call_id

    assert run(main()) == SID


def test_no_two_calls_have_the_same_token(run):
    async def main():
        return len({line_call().token for _ in range(5)}), len(line_call().token)

    assert run(main()) == (5, 43)


def test_what_the_carrier_is_told_to_do_holds_the_token_and_names_of_bounded_length(run):
    async def main():
        work = line_call(server=Server(), caller="sip:" + "x" * 600)
        stream = fromstring(work.twiml).find("./Connect/Stream")
        assert stream is not None
        return work, stream.get("url"), {each.get("name"): each.get("value") for each in stream}

    work, url, parameters = run(main())
    assert url == f"wss://calls.example.com/ws/stream/{work.call_id}"
    assert parameters == {"token": work.token, "caller": ("sip:" + "x" * 600)[:400], "callee": "+15550001234"}


def test_the_carriers_last_word_is_its_last(run):
    async def main():
        work = line_call()
        for status in ("ringing", "in-progress", "completed", "ringing", "busy"):
            work.told(CallStatus(SID, status, None, ""))
        return work.status, work.over.is_set(), [data["status"] for kind, data in kinds(work) if kind == "carrier_status"]

    assert run(main()) == ("completed", True, ["ringing", "in-progress", "completed"])


def test_a_verdict_that_comes_when_the_call_is_over_is_written_down(run):
    async def main():
        work = line_call()
        work.call.hold(work.hold, None)
        work.told(CallStatus(SID, "completed", 0, ""))
        await work.call.ended(10)
        work.machine(MachineVerdict(SID, "human", "human", 480.0))
        return kinds(work)[-1]

    assert run(main()) == ("machine_detected", {"classification": "human", "raw": "human", "after_ms": 480.0})


def test_a_call_whose_audio_does_not_come_fails_with_the_reason_and_lets_nobody_in_any_more(run, monkeypatch):
    monkeypatch.setattr(lines, "SOCKET_SECONDS", 0.05)

    async def main():
        work = line_call()
        work.call.hold(work.hold, None)
        with pytest.raises(PatterError, match="answered, and then its audio never came"):
            await work.call.ended(10)
        return work.admits(work.token, SID), [kind for kind, _ in kinds(work)]

    admitted, told = run(main())
    assert not admitted
    assert told[0] == "incoming"
    assert told[-1] == "failed"


def test_a_call_that_ends_before_its_audio_is_a_row_and_no_error(run):
    async def main():
        work = line_call()
        work.call.hold(work.hold, None)
        work.told(CallStatus(SID, "completed", 0, ""))
        await work.call.ended(10)
        return work.call.end_reason, work.call.state

    assert run(main()) == ("hung up before it was connected", "ended")


# Whole calls.

Scenario = Callable[[Stage], Awaitable[None]]
AT_ONCE = 6
LONG = "One two three four five six seven eight nine ten."
MESSAGE = "This is a message for you."
SUMMARY = "They ask for a table."
STAYS = {"no_reply_seconds": 30, "hang_up_seconds": 30}


async def transcript_marks_and_callbacks(stage: Stage) -> None:
    told: list[Any] = []
    await stage.serve(on_transcript=told.append, on_call_end=told.append)
    line, call = await stage.incoming(["Hello.", "And more."])
    row = await stage.over(line, call)
    assert texts(call) == ["Hi.", "one", "First.", "two", "First."]
    assert [each.get("text", each.get("end_reason")) for each in told] == [*texts(call), "caller hung up"]
    assert marks_came_back_in_order(line)
    assert (row["direction"], row["outcome"], row["turns"]) == ("inbound", "answered", 2)


async def after_a_clear_no_mark_counts(stage: Stage) -> None:
    agent = stage.agent(llm=ScriptedLLM([LONG, "Second."]))
    over_it = Line("No, stop, I meant something else.", interrupt_after_seconds=0.7)
    line, call = await stage.incoming(["Hello.", over_it], agent=agent)
    await stage.over(line, call)
    assert marks_came_back_in_order(line)
    assert len(line.report.clears) == 1
    assert len([mark for mark in line.report.marks if mark.cleared]) > 3
    cut, after = call.turns[call.turns.kind == "caller"].itertuples()
    assert cut.interrupted
    assert LONG.startswith(cut.heard_text)
    reply = line.report.exchanges[0].reply  # until the clear, by the far end's own clock; 0.06 s a character
    assert reply.cleared
    assert 0 < 0.06 * len(cut.heard_text) < reply.end_at - reply.start_at + 0.1 < 0.06 * len(LONG)
    assert after.heard_text == "Second."


async def keys_go_both_ways(stage: Stage) -> None:
    keys = SpokenLine("", np.zeros(0, np.int16), 8000, wait_seconds=3.0, keys="12#")
    line, call = await stage.incoming([keys])
    await happened(call, "answered")
    call.send_dtmf("90*#")
    await stage.over(line, call)
    assert line.keys == "90*#"
    (turn,) = call.turns[call.turns.kind == "caller"].itertuples()
    assert "12" in turn.caller_text
    assert turn.heard_text == "First."


async def the_model_ends_the_call(stage: Stage) -> None:
    agent = stage.agent(llm=ScriptedLLM([[TextDelta("Goodbye!"), ToolRequest("1", "end_call", "{}")], "Bye."]))
    line, call = await stage.incoming(agent=agent, **STAYS)
    row = await stage.over(line, call)
    assert (line.report.ended_by, line.status, row["outcome"]) == ("agent", "completed", "answered")
    assert row["end_reason"] == "ended by the agent"
    assert texts(call) == ["Hi.", "one", "Goodbye!"]


async def we_hang_up_with_a_word(stage: Stage) -> None:
    line, call = await stage.placed(Callee(answers_after_seconds=0.2))
    await happened(call, "metrics")
    call.hangup("Goodbye.")
    row = await stage.over(line, call)
    assert (line.report.ended_by, row["end_reason"], row["outcome"]) == ("agent", "hung up by the agent's side", "answered")
    assert texts(call) == ["Hi.", "Goodbye."]


async def the_caller_hangs_up_over_a_reply(stage: Stage) -> None:
    line, call = await stage.incoming(agent=stage.agent(llm=ScriptedLLM([LONG])), **STAYS)
    await happened(call, "agent_speech_started", times=2)
    line.hang_up()
    row = await stage.over(line, call)
    assert (line.report.ended_by, row["end_reason"]) == ("caller", "caller hung up")
    assert len(call.turns.iloc[-1].heard_text) < len(LONG) / 2


async def a_call_that_rings_is_given_up(stage: Stage) -> None:
    line, call = await stage.placed(Callee(answers_after_seconds=20))
    await stage.until(lambda: line.status == "ringing")
    call.hangup("Goodbye.")
    row = await stage.over(line, call)
    assert (line.status, row["outcome"], row["end_reason"]) == ("canceled", "canceled", "hung up by the agent's side")


async def a_call_is_ended_by_its_id_while_it_rings(stage: Stage) -> None:
    line, call = await stage.placed(Callee(answers_after_seconds=20))
    await stage.phone.end_call(call.carrier_call_id)
    row = await stage.over(line, call)
    assert (line.status, row["outcome"]) == ("canceled", "canceled")


async def a_call_is_handed_on(stage: Stage) -> None:
    stage.simulator.callees[DESK] = Callee(lines=["Here is the desk."], answers_after_seconds=0.2)
    line, call = await stage.incoming(**STAYS)
    await happened(call, "metrics", times=2)
    call.transfer(DESK)
    row = await stage.over(line, call)
    desk = stage.line_to(DESK)
    assert (line.joined, desk.joined) == ([desk.sid], [line.sid])
    assert desk.from_number == FRIEND
    assert (row["end_reason"], row["outcome"]) == ("transferred", "answered")
    assert audible_seconds(line.heard[-8000:]) > 0.3


async def a_refused_transfer_leaves_the_call_as_it_was(stage: Stage) -> None:
    asked: list[Any] = []

    def answers(messages: Any) -> str:
        asked.append([message.content for message in messages])
        return "First." if len(asked) == 1 else "Sorry, not now."

    line, call = await stage.incoming(agent=stage.agent(llm=ScriptedLLM(answers)), hang_up_seconds=4)
    await happened(call, "metrics", times=2)
    stage.simulator.refuse(21220)
    call.transfer(DESK)
    row = await stage.over(line, call)
    (failed,) = data(call, "transfer_failed")
    assert DESK not in str(failed)  # tables mask numbers
    assert texts(call)[-1] == "Sorry, not now."
    assert any(told.startswith("The call could not be handed on") for told in asked[-1])
    assert (row["end_reason"], row["outcome"], line.joined) == ("caller hung up", "answered", [])


async def whoever_takes_the_call_over_is_told_first(stage: Stage) -> None:
    stage.simulator.callees[DESK] = Callee(answers_after_seconds=0.5, stays_seconds=1)
    line, call = await stage.incoming(**STAYS)
    await happened(call, "metrics", times=2)
    call.transfer(DESK, mode="warm", summary=SUMMARY)
    row = await stage.over(line, call)
    desk = stage.line_to(DESK)
    await desk.ended()
    assert desk.said == [SUMMARY]
    assert len(line.joined) == 1
    assert line.joined == desk.joined
    assert row["end_reason"] == "transferred"
    assert line.status == desk.status == "completed"


async def nobody_takes_the_call_over(stage: Stage) -> None:
    stage.simulator.callees[DESK] = Callee(kind="busy", answers_after_seconds=0.5)
    line, call = await stage.incoming(agent=stage.agent(llm=ScriptedLLM(["First.", "They are busy."])), hang_up_seconds=4)
    await happened(call, "metrics", times=2)
    call.transfer(DESK, mode="warm", summary=SUMMARY)
    row = await stage.over(line, call)
    assert [failed["error"] for failed in data(call, "transfer_failed")] == ["The transfer was not made: the line is busy."]
    assert texts(call)[-1] == "They are busy."
    assert (row["end_reason"], line.joined) == ("caller hung up", [])


async def a_caller_leaves_while_somebody_is_called_for_them(stage: Stage) -> None:
    stage.simulator.callees[DESK] = Callee(answers_after_seconds=20)
    line, call = await stage.incoming(**STAYS)
    await happened(call, "metrics", times=2)
    call.transfer(DESK, mode="warm", summary=SUMMARY)
    desk = await stage.until(lambda: stage.line_to(DESK))
    line.hang_up()
    row = await stage.over(line, call)
    await desk.ended()
    assert (desk.status, desk.said, row["end_reason"]) == ("canceled", [], "caller hung up")


def voicemail(word: str) -> Scenario:
    async def left(stage: Stage) -> None:
        verdicts: list[Any] = []
        greeting = ["Nobody is here, speak after the tone."]
        callee = Callee(kind="machine", lines=greeting, answered_by=word, answers_after_seconds=0.2)
        line, call = await stage.placed(callee, voicemail_message=MESSAGE, on_machine_detection=verdicts.append)
        row = await stage.over(line, call)
        assert (row["outcome"], row["answered_by"], row["end_reason"]) == ("voicemail", "machine", "left a voicemail")
        assert [(each.classification, each.raw) for each in verdicts] == [("machine", word)]
        assert [each["text"] for each in data(call, "voicemail")] == [MESSAGE]
        recorded = line.heard[int(8000 * line.person.beep_seconds) :]
        tones = sum(not character.isspace() for character in MESSAGE)
        assert audible_seconds(recorded) == pytest.approx(0.06 * tones, rel=0.25)  # the message, and nothing else
        assert (texts(call)[-1], line.report.ended_by) == (MESSAGE, "agent")

    return left


async def a_machine_that_is_heard_over_the_message_does_not_cut_it(stage: Stage) -> None:
    said = ["Nobody is here.", Line("One minute is left for you to speak.", interrupt_after_seconds=0.4)]
    callee = Callee(
        lines=said, answered_by="machine_end_other", verdict_after_seconds=3.5, answers_after_seconds=0.2, no_reply_seconds=20,
        hang_up_seconds=20,
    )  # fmt: skip
    agent = stage.agent(first_message="", stt=ScriptedSTT([]))
    line, call = await stage.placed(callee, agent=agent, voicemail_message=MESSAGE)
    row = await stage.over(line, call)
    assert len(line.report.exchanges) == 2
    assert line.report.clears == ()
    assert (row["outcome"], [each["text"] for each in data(call, "voicemail")]) == ("voicemail", [MESSAGE])


def answered_by(kind: str, word: str) -> Scenario:
    async def told(stage: Stage) -> None:
        lines = {} if kind == "fax" else {"lines": ["Hello."], "greets_after_seconds": None}
        callee = Callee(kind=kind, answered_by=word, answers_after_seconds=0.2, no_reply_seconds=2, **lines)  # type: ignore[arg-type]
        line, call = await stage.placed(callee, voicemail_message=MESSAGE)
        row = await stage.over(line, call)
        assert (row["answered_by"], row["outcome"]) == (word, "answered")
        assert data(call, "voicemail") == []
        assert row["amd_ms"] >= 400

    return told


async def nobody_listens_for_machines(stage: Stage) -> None:
    line, call = await stage.placed(Callee(lines=["Hello."], answers_after_seconds=0.2), machine_detection=False)
    row = await stage.over(line, call)
    assert stage.simulator.posted("amd") == []
    assert stage.phone.calls["answered_by"].isna().all()
    assert row["outcome"] == "answered"


async def both_recordings_have_each_side_in_its_channel(stage: Stage) -> None:
    server = await stage.serve(recording=True)
    line, call = await stage.incoming(["Hello, is anybody there?"])
    await stage.over(line, call)
    await stage.until(lambda: stage.simulator.posted("recording"))
    await server.afterwards.done(call.id)
    (kept,) = data(call, "carrier_recording")
    (theirs,) = line.recordings
    assert kept["bytes"] == len(theirs.wav())
    assert call.audio.hz == 8000
    for stereo in (call.audio.samples, theirs.samples):
        assert audible_seconds(stereo[:, 0]) == pytest.approx(audible_seconds(line.report.spoken), abs=0.2)
        assert audible_seconds(stereo[:, 1]) == pytest.approx(audible_seconds(line.report.heard), abs=0.2)
    assert audible_seconds(line.report.spoken) != pytest.approx(audible_seconds(line.report.heard), abs=0.4)


async def an_edit_reaches_the_next_reply(stage: Stage) -> None:
    def answers(messages: Any) -> str:
        return "Edited." if "other" in messages[0].content else "First."

    agent = stage.agent(llm=ScriptedLLM(answers))
    line, call = await stage.incoming(["Hello.", Line("And more.", wait_seconds=1.5)], agent=agent)
    await happened(call, "metrics", times=2)
    call.edit(system_prompt="An other test.")
    await stage.over(line, call)
    assert texts(call)[2::2] == ["First.", "Edited."]
    assert call.turns[call.turns.kind == "caller"].revision.nunique() == 2


async def what_on_call_start_returns_holds_for_this_call(stage: Stage) -> None:
    begun: list[Any] = []

    def begins(start: Any) -> Any:
        begun.append(start)
        return {"first_message": "For you."} if len(begun) == 1 else None

    await stage.serve(on_call_start=begins)
    for wanted in ("For you.", "Hi."):
        line, call = await stage.incoming()
        await stage.over(line, call)
        assert texts(call)[0] == wanted
    assert [(each["direction"], each["telephony_provider"]) for each in begun] == [("inbound", "twilio")] * 2


async def a_limit_of_money_ends_the_call(stage: Stage) -> None:
    priced = {
        "stt": ScriptedSTT(["one"], price=Price()),
        "llm": ScriptedLLM(["First."], price=Price()),
        "tts": ScriptedTTS(price=Price(usd_per_1k_characters=20.0)),
    }
    line, call = await stage.incoming(agent=stage.agent(**priced, max_cost_usd=0.1), **STAYS)
    row = await stage.over(line, call)
    assert (row["end_reason"], line.report.ended_by) == ("the call cost 0.1 USD, its limit", "agent")
    assert "Goodbye" in texts(call)[-1]
    assert row["usd"] > 0.1


async def a_limit_of_time_ends_the_call(stage: Stage) -> None:
    line, call = await stage.incoming([], agent=stage.agent(max_duration_seconds=2))
    row = await stage.over(line, call)
    assert (line.report.ended_by, row["outcome"]) == ("agent", "answered")
    assert 2 <= row["duration_seconds"] < 8
    assert "Goodbye" in texts(call)[-1]


async def greetings_that_are_made_ahead_are_heard_at_once(stage: Stage) -> None:
    """The voice takes 1.5 s for its first sound."""
    heard: dict[bool, float] = {}
    stage.simulator.callee = Callee(answers_after_seconds=2.5)
    await stage.serve()
    for prewarm in (True, False):
        agent = stage.agent(name=f"prewarm {prewarm}", prewarm=prewarm, tts=ScriptedTTS(first_byte_seconds=1.5))
        call = await stage.phone.call(FRIEND, agent)
        line = stage.simulator.lines[call.carrier_call_id]
        await happened(call, "agent_speech_started")
        call.hangup()
        await stage.over(line, call)
        heard[prewarm] = line.report.greeting.start_at
    assert heard[True] < 1.0
    assert heard[False] > 1.5


SCENARIOS: dict[str, Scenario] = {
    work.__name__: work
    for work in (
        transcript_marks_and_callbacks, after_a_clear_no_mark_counts, keys_go_both_ways, the_model_ends_the_call,
        we_hang_up_with_a_word, the_caller_hangs_up_over_a_reply, a_call_that_rings_is_given_up,
        a_call_is_ended_by_its_id_while_it_rings, a_call_is_handed_on, a_refused_transfer_leaves_the_call_as_it_was,
        whoever_takes_the_call_over_is_told_first, nobody_takes_the_call_over, a_caller_leaves_while_somebody_is_called_for_them,
        a_machine_that_is_heard_over_the_message_does_not_cut_it, nobody_listens_for_machines,
        both_recordings_have_each_side_in_its_channel, an_edit_reaches_the_next_reply,
        what_on_call_start_returns_holds_for_this_call, a_limit_of_money_ends_the_call, a_limit_of_time_ends_the_call,
        greetings_that_are_made_ahead_are_heard_at_once,
    )
}  # fmt: skip
SCENARIOS |= {f"voicemail_{word}": voicemail(word) for word in ("machine_end_beep", "machine_end_silence", "machine_end_other")}
VERDICTS = (("fax", "fax"), ("human", "human"), ("human", "unknown"))
SCENARIOS |= {f"answered_by_{word}": answered_by(kind, word) for kind, word in VERDICTS}


@pytest.fixture(scope="module")
def played() -> dict[str, BaseException | None]:
    """What went wrong in each scenario, if anything. Each has its own account, port and phone."""

    async def main() -> dict[str, BaseException | None]:
        places = asyncio.Semaphore(AT_ONCE)

        async def play(work: Scenario) -> None:
            async with places, staged() as stage, asyncio.timeout(60):
                await work(stage)

        found = await asyncio.gather(*map(play, SCENARIOS.values()), return_exceptions=True)
        return dict(zip(SCENARIOS, found, strict=True))

    return asyncio.run(asyncio.wait_for(main(), 300))


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_call_over_real_sockets_goes_as_it_should(played, name):
    if (error := played[name]) is not None:
        raise error


@pytest.mark.slow
def test_two_calls_at_once_each_have_their_agent(run):
    async def main():
        async with staged() as stage:
            await stage.serve()
            stage.simulator.callee = Callee(lines=["Hello."], answers_after_seconds=0.2, greets_after_seconds=None)
            other = stage.agent(name="other", llm=ScriptedLLM(["Other."]), first_message="Here is the other.")
            (line, call), out = await asyncio.gather(stage.incoming(), stage.phone.call(FRIEND, other))
            far = stage.simulator.lines[out.carrier_call_id]
            await stage.over(line, call)
            await stage.over(far, out)
            assert line.answered_at < far.ended_at
            assert far.answered_at < line.ended_at
            return texts(call), texts(out)

    assert run(main()) == (["Hi.", "one", "First."], ["Here is the other.", "one", "Other."])


@pytest.mark.slow
def test_a_call_that_our_own_clock_gives_up_is_withdrawn_at_the_carrier(run, monkeypatch):
    monkeypatch.setattr(lines, "GRACE_SECONDS", -4.0)

    async def main():
        async with staged() as stage:
            line, call = await stage.placed(Callee(answers_after_seconds=30), ring_timeout=5)
            row = await stage.over(line, call)
            return row["outcome"], row["end_reason"], line.status

    assert run(main()) == ("canceled", "no answer", "canceled")
