"""The handle of one call."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from patter_nb.agent import Agent
from patter_nb.call import Call
from patter_nb.callbacks import Callbacks
from patter_nb.callers import Line
from patter_nb.errors import ConfigError, PatterError
from patter_nb.live import Live, RevisionLine
from patter_nb.phone import Patter
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.records.facts import CallFacts
from patter_nb.records.log import CallLog
from patter_nb.records.shelf import RecordingShelf
from patter_nb.session.notices import Notices
from patter_nb.session.user_code import UserCode
from patter_nb.turns.events import MachineDetected
from patter_nb.turns.usage import Price

GREETING = "Hello there, good evening!"
LONG = "Dinner is served from six to ten, and the kitchen closes at half past nine on every Sunday of the year."
PRICES: dict[str, Any] = {
    "stt": ScriptedSTT(["one", "two"], price=Price(usd_per_audio_minute=0.6)),
    "llm": ScriptedLLM([LONG, "Second."], price=Price(usd_per_1m_output_tokens=1000)),
    "tts": ScriptedTTS(price=Price(usd_per_1k_characters=10)),
}


@pytest.fixture(scope="module")
def call() -> Call:
    """A call in virtual time: a greeting, an answer that was interrupted, another answer."""

    async def main() -> Call:
        phone = Patter(store=False)
        agent = phone.agent("You are a test.", first_message=GREETING, **PRICES)
        lines = ["One?", Line("Please stop that now.", interrupt_after_seconds=1.5)]
        return await phone.test(agent, lines, speed="max")

    return asyncio.run(main())


def test_a_call_tells_how_it_is_in_a_line(call: Call) -> None:
    assert (call.state, call.error, call.end_reason) == ("ended", None, "caller hung up")
    assert repr(call) == f"<Call {call.id}, caller hung up, {call.duration_seconds:.1f} s>"
    assert call.id.startswith("test_")


def test_what_was_said_is_in_order_and_as_it_was_heard(call: Call) -> None:
    heard = call.turns["heard_text"].iloc[1]
    assert 0 < len(heard) < len(LONG)
    assert call.transcript == [
        {"role": "assistant", "text": GREETING},
        {"role": "user", "text": "one"},
        {"role": "assistant", "text": heard},
        {"role": "user", "text": "two"},
        {"role": "assistant", "text": "Second."},
    ]


def test_latency_and_cost_are_there_in_patters_own_fields(call: Call) -> None:
    metrics = call.metrics
    assert metrics.call_id == call.id
    assert metrics.duration_seconds == call.duration_seconds
    assert [turn.user_text for turn in metrics.turns] == ["", "one", "two"]
    first = metrics.turns[1].latency
    assert first.agent_response_ms == pytest.approx(first.endpoint_ms + first.llm_ttft_ms + first.tts_ms)
    assert call.turns["llm_first_token_ms"].iloc[1] == pytest.approx(200)
    assert metrics.cost.total == pytest.approx(call.cost["usd"].iloc[-1])
    words = len(LONG.split())
    assert metrics.cost.llm == pytest.approx((words + 1) * 0.001)


def test_the_recording_has_the_caller_left_and_the_agent_right(call: Call, tmp_path: Path) -> None:
    audio = call.audio
    assert audio is not None
    assert audio.samples.shape == (len(audio.caller), 2)
    assert audio.seconds == pytest.approx(call.duration_seconds, abs=0.1)
    greeting = slice(int(0.2 * 8000), int(1.5 * 8000))
    assert audio.agent[greeting].any()
    assert not audio.caller[greeting].any()
    assert audio.save(tmp_path / "call.wav").stat().st_size == 44 + audio.samples.nbytes


def test_the_view_has_all_that_a_card_draws(call: Call) -> None:
    view = call.view()
    assert (view.call_id, view.state, view.end_reason, view.notes) == (call.id, "ended", "caller hung up", ())
    assert view.duration_seconds == call.duration_seconds
    assert view.recording is call.audio
    assert {speech.who for speech in view.speech} == {"caller", "agent"}
    assert [speech.interrupted for speech in view.speech if speech.who == "agent"] == [False, True, False]
    # Where in its gap each span of a measured turn lies.
    assert set(view.pieces) == {1, 2}
    for turn, pieces in view.pieces.items():
        gap = call.turns.set_index("turn").loc[turn, "gap_ms"]
        assert sum(piece.ended_ms - piece.started_ms for piece in pieces) == pytest.approx(gap)
    assert view.latency.loc["gap_ms", "n"] == 2


def test_the_view_says_whether_the_call_is_answered_and_is_shown_again_when_it_is() -> None:
    async def main() -> tuple[bool, bool, bool]:
        phone = Patter(store=False)
        call = phone.test(phone.agent("A test.", **scripted()), ["One?"])
        shown: list[bool] = []
        call.refresh = lambda: shown.append(call.view().answered)
        before = call.view().answered
        await call
        return before, shown[0], call.view().answered

    assert asyncio.run(main()) == (False, True, True)


def test_it_can_be_plotted_and_shows_itself_as_a_card_with_masked_numbers(call: Call) -> None:
    figure = call.plot()
    assert len(figure.axes) >= 1
    bundle = call._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert "latency, ms" in bundle["text/plain"]
    assert GREETING in bundle["text/html"]
    assert "+1•••••0001" in bundle["text/html"] or "•••••" in bundle["text/html"]
    assert "5550000001" not in bundle["text/html"] + bundle["text/plain"]


def test_waiting_for_what_is_over_gives_the_call_however_often(call: Call) -> None:
    async def main() -> list[Call]:
        phone = Patter(store=False)
        made = phone.test(phone.agent("A test.", **scripted()), ["One?"], speed="max")
        together = await asyncio.gather(made, made.ended(), made)
        return [made, *together, await made, await made.ended()]

    assert len(set(map(id, asyncio.run(main())))) == 1


def scripted(**given: Any) -> dict[str, Any]:
    return {"stt": ScriptedSTT(["one"]), "llm": ScriptedLLM(["Yes."]), "tts": ScriptedTTS(), **given}


# A call whose life is in the test's hands.


class Handle:
    """A call with a log and a shelf of its own; `work` holds it."""

    def __init__(self, directory: Path | None = None) -> None:
        self.log = CallLog(None)
        begun = datetime(2026, 1, 1, tzinfo=UTC)
        self.log.begin(CallFacts(call_id="c1", agent="agent", revision=1, direction="test", speed="max", started_at=begun))
        agent = Agent(system_prompt="A test.", stt=ScriptedSTT([]), llm=ScriptedLLM([]), tts=ScriptedTTS())
        line, loop = RevisionLine("agent"), asyncio.get_running_loop()
        notices = Notices(Callbacks(), UserCode(loop), loop, lambda *_: None)
        live = Live(line.stage(agent)[0], line, "c1")
        self.call = Call("c1", self.log, RecordingShelf(directory), live, notices)


def held(work: Callable[[Call], Any], *, act: Callable[[Call], Any] | None = None) -> Handle:
    async def main() -> Handle:
        handle = Handle()
        handle.call.hold(work, None)
        if act is not None:
            await act(handle.call)
        await asyncio.wait((asyncio.ensure_future(_quietly(handle.call)),))
        return handle

    return asyncio.run(main())


async def _quietly(call: Call) -> None:
    with contextlib.suppress(PatterError):
        await call


FAILURES = [
    (ZeroDivisionError("division by zero"), "the call raised ZeroDivisionError: division by zero"),
    (PatterError("There is no line."), "There is no line."),
    (ExceptionGroup("unhandled errors in a TaskGroup", [KeyError("a")]), "the call raised KeyError: 'a'"),
]


@pytest.mark.parametrize(("error", "sentence"), FAILURES)
def test_whatever_ends_a_call_before_it_begins_is_its_error_in_one_sentence(error: Exception, sentence: str) -> None:
    async def work(_: Call) -> None:
        raise error

    handle = held(work)
    assert (handle.call.state, handle.call.error, handle.call.end_reason) == ("failed", sentence, "failed")
    row = handle.log.row("c1")
    assert (row["end_reason"], row["error"], row["duration_seconds"]) == ("failed", sentence, 0.0)
    assert [(event.at, event.kind) for event in handle.log.event_rows("c1")] == [(0.0, "failed")]
    assert repr(handle.call) == f"<Call c1, {sentence}>"


def test_a_call_that_is_cancelled_before_it_has_a_session_is_written_down_as_ended() -> None:
    async def work(_: Call) -> None:
        await asyncio.Event().wait()

    async def cancel(call: Call) -> None:
        await asyncio.sleep(0)
        assert call._task is not None
        call._task.cancel()

    handle = held(work, act=cancel)
    assert (handle.call.state, handle.call.error, handle.call.end_reason) == ("ended", None, "cancelled")
    assert handle.log.row("c1")["end_reason"] == "cancelled"


def test_what_comes_before_a_session_is_cancelled_once_however_often_the_call_is_stopped() -> None:
    told: list[str] = []

    async def work(call: Call) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            call.stop("again")
            for _ in range(20):
                await asyncio.sleep(0)
            told.append("left in order")
            raise

    async def stop(call: Call) -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        call.stop("first")

    assert held(work, act=stop).call.end_reason == "first"
    assert told == ["left in order"]


def test_what_was_told_to_a_call_that_never_was_answered_is_written_down_as_unheeded() -> None:
    async def work(call: Call) -> None:
        call.say("Good evening.")
        call.send_dtmf("42")
        call.inject("They are in a hurry.")
        call._hand_over(MachineDetected("machine", "machine_end_beep", 2800.0))
        call.ends("no answer")

    handle = held(work)
    assert handle.call.end_reason == "no answer"
    assert [(event.kind, event.data) for event in handle.log.event_rows("c1")] == [
        ("unsaid", {"text": "Good evening."}),
        ("undone", {"order": "send_dtmf", "what": "42"}),
        ("machine_detected", {"classification": "machine", "raw": "machine_end_beep", "after_ms": 2800.0}),
    ]


@pytest.mark.parametrize("seconds", [0.0, 0.01])
def test_a_wait_that_is_too_long_says_so_and_the_call_goes_on(seconds: float) -> None:
    async def main() -> None:
        phone = Patter(store=False)
        call = phone.test(phone.agent("A test.", **scripted(tts=ScriptedTTS())), ["One?"])
        with pytest.raises(TimeoutError, match=f"The call is not over after {seconds:g} s; it goes on."):
            await call.ended(seconds)
        assert (call.state, call._stop_reason) == ("running", None)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call.ended(), 0.01)
        async with asyncio.timeout(30):
            assert await call.ended(timeout_seconds=30) is call
        assert call.end_reason == "interrupted"

    asyncio.run(main())


def test_a_wait_that_may_time_out_ends_with_its_call() -> None:
    async def main() -> None:
        phone = Patter(store=False)
        call = phone.test(phone.agent("A test.", **scripted()), ["One?"], speed="max")
        assert await call.ended(timeout_seconds=30) is call
        assert (call.state, call.end_reason) == ("ended", "caller hung up")

    asyncio.run(main())


def test_a_reason_to_stop_that_came_before_the_session_reaches_it() -> None:
    told: list[str] = []

    class Session:
        """Only what a call asks of its session."""

        end_reason, duration_seconds, recording, zero = "enough", 3.5, None, 10.0

        def stop(self, reason: str) -> None:
            told.append(reason)

    async def work(call: Call) -> None:
        call.stop("enough")
        call.stop("too much")
        call.attach(Session())  # type: ignore[arg-type]
        call.stop("again")
        assert call.duration_seconds == 3.5

    handle = held(work)
    assert told == ["enough", "again"]
    assert (handle.call.end_reason, handle.call.duration_seconds, handle.call.audio) == ("enough", 3.5, None)
    handle.call.stop("later")
    assert told == ["enough", "again"]


@pytest.mark.slow
def test_a_running_call_can_be_looked_at_from_another_thread() -> None:
    seen: list[tuple[str, float, int]] = []

    async def main() -> Call:
        phone = Patter(store=False)
        agent = phone.agent("A test.", **scripted(llm=ScriptedLLM([LONG] * 9), stt=ScriptedSTT(["x"] * 9)))
        call = phone.test(agent, ["One?"] * 9, speed="max")
        over = threading.Event()

        def look() -> None:
            while not over.is_set():
                audio = call.audio
                length = 0 if audio is None else int(np.abs(audio.samples).max(initial=0) > 0) + len(audio.samples)
                seen.append((call.state, call.duration_seconds, length))
                call.view()

        thread = threading.Thread(target=look)
        thread.start()
        try:
            await call
        finally:
            over.set()
            await asyncio.to_thread(thread.join)
        return call

    call = asyncio.run(main())
    assert len(call.turns) == 9
    assert seen
    durations = [duration for _, duration, _ in seen]
    assert durations == sorted(durations)
    lengths = [length for _, _, length in seen]
    assert lengths == sorted(lengths)


# What is done to a call while it is on.


def ordered(
    act: Callable[[Call], Any], *, at: int = 0, lines: int = 2, replies: Any = ("First.", "Second."), **given: Any
) -> Call:
    """A call in virtual time; `act` is done when the model is asked for the `at`-th time, -1: before the call is answered."""
    calls: list[Call] = []
    asked: list[list[Any]] = []

    def answer(messages: Any) -> Any:
        asked.append(list(messages))
        if len(asked) - 1 == at:
            act(calls[0])
        return replies[len(asked) - 1]

    async def main() -> Call:
        phone = Patter(store=False)
        settings = {"stt": ScriptedSTT(["one", "two", "three"]), "first_message": GREETING, **given}
        agent = phone.agent("You are a test.", **scripted(llm=ScriptedLLM(answer), **settings))
        calls.append(phone.test(agent, ["One?", "Two?", "Three?"][:lines], speed="max"))
        if at < 0:
            act(calls[0])
        return await calls[0]

    call = asyncio.run(main())
    call.asked = asked  # type: ignore[attr-defined]
    return call


def heard(call: Call) -> list[tuple[str, str]]:
    return list(zip(call.turns["kind"], call.turns["heard_text"], strict=True))


@pytest.mark.parametrize("at", [-1, 0])
def test_what_is_to_be_said_is_a_turn_of_its_own_after_what_is_being_said(at: int) -> None:
    call = ordered(lambda call: (call.say("By the way."), call.say("And this.")), at=at)
    said = [text for kind, text in heard(call) if kind == "said"]
    assert said == ["By the way.", "And this."]
    before = [text for _, text in heard(call)][: heard(call).index(("said", "By the way."))]
    assert before == ([GREETING] if at < 0 else [GREETING, "First."])


def test_what_is_said_at_once_cuts_off_what_is_being_said() -> None:
    call = ordered(lambda call: call.say("Stop.", interrupt=True), replies=[LONG, "Second."])
    texts = [text for _, text in heard(call)]
    assert "Stop." in texts
    assert LONG not in texts


@pytest.mark.parametrize("role", ["system", "user", "assistant"])
def test_what_is_injected_is_known_from_the_next_answer_on(role: str) -> None:
    call = ordered(lambda call: call.inject("The bar is open.", role=role))
    first, second = [[(each.role, each.content) for each in messages] for messages in call.asked]
    assert (role, "The bar is open.") not in first
    assert (role, "The bar is open.") in second
    assert [kind for kind, _ in heard(call)].count("said") == 0


def test_what_is_injected_for_a_reply_is_answered_when_nobody_speaks() -> None:
    call = ordered(lambda call: call.inject("The bar is open.", reply=True), replies=["First.", "It is open!", "Second."])
    assert ("said", "It is open!") in heard(call)
    assert len(call.asked) == 3


def test_hanging_up_waits_for_what_is_being_said_and_for_the_last_words() -> None:
    call = ordered(lambda call: call.hangup("Goodbye!"))
    assert [text for _, text in heard(call)] == [GREETING, "First.", "Goodbye!"]
    assert (call.end_reason, len(call.asked)) == ("hung up by the agent's side", 1)


def test_keys_are_pressed_when_the_agent_is_silent() -> None:
    call = ordered(lambda call: call.send_dtmf("1#", delay_ms=100))
    assert call.events[call.events["kind"] == "dtmf_sent"]["data"].tolist() == [{"digits": "1#"}]


def test_a_call_that_is_handed_on_ends_for_the_agent() -> None:
    call = ordered(lambda call: call.transfer("+1 (555) 123-4567"))
    assert [text for _, text in heard(call)] == [GREETING, "First."]
    assert (call.end_reason, len(call.asked)) == ("transferred", 1)
    assert call.events[call.events["kind"] == "transferred"]["data"].tolist() == [{"number": "+1•••••4567", "mode": "cold"}]


def test_a_muted_agent_answers_nothing_until_it_may_speak_again() -> None:
    call = ordered(lambda call: call.mute(), at=-1, lines=1)
    assert call.asked == []
    assert "muted" in call.events["kind"].tolist()
    both = ordered(lambda call: (call.mute(), call.unmute()), at=-1)
    assert len(both.asked) == 2


BAD_ORDERS: list[tuple[Callable[[Call], Any], str]] = [
    (lambda call: call.say(" "), "text is empty; give the words."),
    (lambda call: call.say(5), "text is int 5; it must be a string."),  # type: ignore[arg-type]
    (lambda call: call.inject("x", role="tool"), 'role is \'tool\'; it must be "system", "user" or "assistant".'),
    (lambda call: call.send_dtmf("1", delay_ms=10), "delay_ms is 10; it must be a whole number from 50 to 5000."),
    (lambda call: call.send_dtmf("x"), "digits"),
    (
        lambda call: call.transfer("555"),
        "number must be a number in E.164: a plus sign, the country's code and the number, in digits.",
    ),
    (lambda call: call.transfer("+15551234567", mode="hot"), "mode is 'hot'; it must be"),
    (lambda call: call.mute(1), "on is 1; it must be True or False."),  # type: ignore[arg-type]
    (lambda call: call.edit(first_message="x"), "first_message is in use as the call began with it"),
    (lambda call: call.edit(), "the edit changes nothing"),
    (lambda call: call.rollback(7), "revision is 7; 'agent' has the revisions 1 to 1."),
]


def test_an_order_that_cannot_be_carried_out_says_why_and_the_call_goes_on_as_if_it_had_not_been_given() -> None:
    told: list[str] = []

    def act(call: Call) -> None:
        for order, _ in BAD_ORDERS:
            with pytest.raises(ConfigError) as caught:
                order(call)
            told.append(str(caught.value))

    call = ordered(act)
    assert len(told) == len(BAD_ORDERS)
    for (_, words), text in zip(BAD_ORDERS, told, strict=True):
        assert text.startswith(words)
    assert heard(call) == [("greeting", GREETING), ("caller", "First."), ("caller", "Second.")]
    assert call.turns["revision"].tolist() == [1, 1, 1]


def test_on_a_call_that_is_over_only_hanging_up_is_harmless(call: Call) -> None:
    call.hangup("Bye!")
    orders: list[Callable[[], Any]] = [
        lambda: call.say("x"), lambda: call.inject("x"), lambda: call.send_dtmf("1"), lambda: call.transfer("+15551234567"),
        call.mute, call.unmute, lambda: call.edit(system_prompt="x"), lambda: call.rollback(1),
    ]  # fmt: skip
    for order in orders:
        with pytest.raises(ConfigError, match=r"^The call is over"):
            order()
    assert call.turns["heard_text"].tolist()[-1] == "Second."


def test_an_order_may_be_awaited_and_need_not_be() -> None:
    async def main() -> Call:
        phone = Patter(store=False)
        call = phone.test(phone.agent("A test.", **scripted()), ["One?"], speed="max")
        await call.say("Awaited.")
        return await call

    assert "Awaited." in asyncio.run(main()).turns["heard_text"].tolist()


def test_an_edit_in_mid_call_is_answered_by_from_the_next_reply_on_and_the_rows_say_since_when() -> None:
    edits: list[Any] = []
    call = ordered(lambda call: edits.append(call.edit(system_prompt="New.", note="n")), lines=3, replies=["1.", "2.", "3."])
    assert call.turns["revision"].tolist() == [1, 1, 2, 2]
    assert ["New." in str(messages[0].content) for messages in call.asked] == [False, True, True]
    assert (edits[0].state, [each.turn for each in edits[0].applied]) == ("applied", [2])
    assert call.turns["edit_effective_turn"].tolist()[2:] == [2, 2]
    assert call.turns["edit_effective_turn"].iloc[:2].isna().all()


def test_a_rollback_in_mid_call_takes_the_first_words_again() -> None:
    def act(call: Call) -> None:
        call.edit(system_prompt="New.")
        call.rollback(1)

    call = ordered(act)
    assert ["You are a test." in str(messages[0].content) for messages in call.asked] == [True, True]
    assert call.turns["revision"].tolist() == [1, 1, 3]


def test_an_edit_after_the_last_reply_is_unused() -> None:
    edits: list[Any] = []
    ordered(lambda call: edits.append(call.edit(system_prompt="New.")), at=1)
    assert (edits[0].state, edits[0].applied) == ("unused", ())


def test_a_stream_has_everything_from_the_beginning_however_late_it_is_read_and_ends_with_the_call() -> None:
    async def main() -> tuple[list[Any], list[Any]]:
        phone = Patter(store=False)
        call = phone.test(phone.agent("A test.", **scripted()), ["One?"], speed="max")
        first = [event async for event in call.stream()]
        await call
        return first, [event async for event in call.stream()]

    first, again = asyncio.run(main())
    assert first == again
    kinds = [event.kind for event in first]
    assert (*kinds[:2], kinds[-1]) == ("call_started", "answered", "call_ended")
    wanted = ["user_speech_started", "user_speech_ended", "user_speech_eos", "llm_token", "agent_speech_started"]
    assert [kind for kind in kinds if kind in wanted] == wanted
    assert [event.at for event in first] == sorted(event.at for event in first)


# Waiting on another loop than the call's.


def elsewhere(call: Call, work: Callable[[], Any]) -> Any:
    """What `work` returns on a loop of its own, in a thread of its own."""
    return asyncio.to_thread(lambda: asyncio.run(asyncio.wait_for(work(), 20)))


def test_the_end_of_a_call_can_be_waited_for_and_its_stream_read_on_any_loop() -> None:
    async def main() -> None:
        phone = Patter(store=False)
        call = phone.test(phone.agent("A test.", **scripted()), ["One?"], speed="real")

        async def read() -> list[str]:
            return [event.kind async for event in call.stream()]

        async def look() -> str:
            with pytest.raises(TimeoutError):
                await call.ended(timeout_seconds=0.01)
            return call.state

        waits = asyncio.gather(*(elsewhere(call, work) for work in (call.ended, read, look)))
        mine = asyncio.ensure_future(read())
        async with asyncio.timeout(20):
            await call
            ended, kinds, looked = await waits
        assert (ended is call, looked, call.end_reason) == (True, "running", "caller hung up")
        assert kinds == await mine
        assert (kinds[0], kinds[-1]) == ("call_started", "call_ended")
        assert await elsewhere(call, call.ended) is call
        assert await elsewhere(call, read) == kinds

    asyncio.run(main())


def test_a_wait_that_is_given_up_on_another_loop_ends_the_call_and_leaves_other_waits_and_the_stream_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        phone = Patter(store=False)
        call = phone.test(phone.agent("A test.", **scripted()), ["One?"] * 9)

        async def one() -> str:
            async for event in call.stream():
                return event.kind
            return ""

        async def give_up() -> None:
            waits = [asyncio.ensure_future(wait) for wait in (call.ended(), anext(call.stream()), one())]
            await waits[-1]
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

        async with asyncio.timeout(20):
            await elsewhere(call, give_up)
            assert await call is call
        assert call.end_reason == "interrupted"

    asyncio.run(main())
    assert caplog.records == []  # nobody was told of it on a loop that is closed
