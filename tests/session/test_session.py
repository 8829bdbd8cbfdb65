"""One call, from answer to hang-up, with the simulated caller at the other end."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from patter_nb.callbacks import Callbacks
from patter_nb.callers import Line
from patter_nb.carriers.base import CarrierMessage, SendClear
from patter_nb.carriers.twilio_media import TwilioMediaCodec
from patter_nb.errors import CarrierError, ConfigError, PatterError
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.session.boundary import guarded
from patter_nb.told import MachineDetectionResult
from patter_nb.turns.events import MachineDetected
from patter_nb.turns.messages import Message
from patter_nb.turns.usage import Price

Hold = Callable[..., Any]

GREETING = "Hello there, good evening!"
LONG = "Dinner is served from six to ten, and the kitchen closes at half past nine on every Sunday of the year."
"""103 characters: 6.18 s of a scripted voice."""
FRAME_MS = 20.0


def said(messages: Sequence[Message]) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in messages]


# A call that goes well.


def test_a_call_has_a_greeting_and_an_answer_to_each_thing_the_caller_said(hold: Hold) -> None:
    held = hold(["One?", "Two?"])
    assert [(t.turn, t.kind, t.caller_text, t.heard_text) for t in held.turns] == [
        (0, "greeting", "", GREETING),
        (1, "caller", "one", "First answer."),
        (2, "caller", "two", "Second answer."),
    ]
    assert all(t.revision == 1 and t.error is None and not t.interrupted and not t.resumed for t in held.turns)
    assert held.error is None
    assert held.session.end_reason == "caller hung up"
    assert held.report.ended_by == "caller"
    assert held.session.duration_seconds == pytest.approx(held.report.duration_seconds, abs=0.03)
    assert held.tasks_left == []


DELAYS = [
    # hangover_ms, STT final, LLM first token, LLM token, TTS first byte, leading silence (seconds)
    (320, 0.15, 0.2, 0.01, 0.1, 0.0),
    (320, 0.0, 0.0, 0.0, 0.0, 0.0),
    (320, 0.9, 0.35, 0.02, 0.25, 0.0),
    (700, 0.15, 0.5, 0.1, 0.3, 0.08),
    (150, 0.02, 0.013, 0.007, 0.011, 0.0),
]


@pytest.mark.parametrize("delays", DELAYS)
def test_the_gap_is_the_sum_of_what_the_parts_were_told_to_take(hold: Hold, delays: tuple[float, ...]) -> None:
    hangover_ms, final, first_token, token, first_byte, leading = delays
    held = hold(
        ["One?", "Two?"],
        hangover_ms=int(hangover_ms),
        stt=ScriptedSTT(["one", "two"], final_seconds=final),
        llm=ScriptedLLM(["It is six. Or ten.", "Yes."], first_token_seconds=first_token, token_seconds=token),
        tts=ScriptedTTS(first_byte_seconds=first_byte, leading_silence_seconds=leading),
    )
    rows = held.rows.set_index("turn")
    for number, later_tokens in ((1, 2), (2, 0)):
        row, at = rows.loc[number], held.turn(number).instants
        noticed_ms = (at["vad_stopped_at"] - at["speech_ended_at"]) * 1000
        granted = max(hangover_ms, noticed_ms)  # nobody can act on a silence before it is noticed
        final_ms = noticed_ms + final * 1000
        waited = max(granted, final_ms)
        expected = waited + (first_token + later_tokens * token + first_byte + leading) * 1000
        assert row["gap_ms"] == pytest.approx(expected, abs=0.1)
        assert row["unexplained_ms"] == pytest.approx(0, abs=0.1)
        spans = {
            "endpointing_ms": granted,
            "stt_final_ms": max(0.0, final_ms - granted),
            "llm_first_token_ms": first_token * 1000,
            "first_sentence_ms": later_tokens * token * 1000,
            "tts_first_byte_ms": first_byte * 1000,
            "leading_silence_ms": leading * 1000,
        }
        assert {name: row[name] for name in spans} == pytest.approx(spans, abs=0.1)
        # The far end, with an ear of its own, measured the same.
        assert held.report.exchanges[number - 1].gap_seconds * 1000 == pytest.approx(row["gap_ms"], abs=FRAME_MS)


def test_every_usage_is_paid_once_and_the_rows_add_up(hold: Hold) -> None:
    held = hold(
        ["One?", "Two?"],
        stt=ScriptedSTT(["one", "two"], price=Price(usd_per_audio_minute=0.6)),
        llm=ScriptedLLM(
            ["First answer.", "Second answer."], price=Price(usd_per_1m_input_tokens=1000, usd_per_1m_output_tokens=2000)
        ),
        tts=ScriptedTTS(price=Price(usd_per_1k_characters=10)),
    )
    cost = held.log.cost("call_1")
    by_part = cost[cost["part"] != "total"].groupby("part")["usd"].sum()
    # The model is asked with 4 words of prompt, 4 of the greeting and 1 of the caller; then with 2 and 1 words more.
    assert by_part["llm"] == pytest.approx((9 + 12) * 0.001 + (2 + 2) * 0.002)
    assert by_part["tts"] == pytest.approx((26 + 13 + 14) * 0.01)
    assert by_part["stt"] + by_part["stt rest"] == pytest.approx(held.report.frames_sent * 0.02 * 0.01)
    total = cost[cost["part"] == "total"]["usd"].item()
    assert total == pytest.approx(by_part.sum())
    # What was heard after the last final belongs to no turn.
    rest = cost[cost["part"] == "stt rest"]
    assert rest["turn"].isna().all()
    assert rest["audio_seconds"].item() > 1.0
    assert held.events("call_usage")[0]["usage"]["service"] == "stt"


def test_a_price_that_nobody_knows_is_nan_and_so_is_the_sum(hold: Hold) -> None:
    held = hold(["One?"], llm=ScriptedLLM(["First answer."], price=Price(usd_per_1m_output_tokens=1)))
    cost = held.log.cost("call_1").set_index(["kind", "part"])["usd"]
    assert cost["caller", "llm"] == pytest.approx(2e-6)
    assert math.isnan(cost["caller", "tts"])
    assert math.isnan(cost["call", "total"])


def test_the_start_of_a_call_is_its_answer(hold: Hold) -> None:
    before = datetime.now(UTC)
    held = hold(["One?"])
    assert held.kinds[0] == "answered"
    assert before <= held.log.row("call_1")["started_at"] <= datetime.now(UTC)  # it was ordered in 2020
    assert held.session.zero == pytest.approx(held.tap.zero, abs=0.001)


def test_an_agent_without_a_greeting_lets_the_caller_begin(hold: Hold) -> None:
    held = hold(["One?"], first_message="")
    assert [(t.turn, t.kind, t.heard_text) for t in held.turns] == [(1, "caller", "First answer.")]


def test_keys_are_recorded(hold: Hold) -> None:
    async def press(tap: Any, _: Any) -> None:
        await tap.at(1.0)
        tap.post({"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": "5"}})

    assert hold(["One?"], meanwhile=press).events("dtmf_received") == [{"digit": "5"}]


# The caller speaks over the agent.


@pytest.mark.parametrize("threshold_ms", [300, 100])
def test_an_interruption_leaves_only_what_was_heard(hold: Hold, threshold_ms: int) -> None:
    asked: list[list[tuple[str, str]]] = []

    def answer(messages: Sequence[Message]) -> str:
        asked.append(said(messages))
        return [LONG + " More follows.", "Fine."][len(asked) - 1]

    held = hold(
        ["One?", Line("Please stop that now.", interrupt_after_seconds=1.5)],
        llm=ScriptedLLM(answer),
        barge_in_threshold_ms=threshold_ms,
    )
    first, second = held.turn(1), held.turn(2)
    assert first.interrupted
    assert not second.interrupted
    assert first.agent_text == f"{LONG} More follows."
    assert 0 < len(first.heard_text) < len(LONG)
    assert LONG.startswith(first.heard_text)
    assert second.caller_text == "two"
    assert second.heard_text == "Fine."
    # The model is told what was heard, and nothing else of that reply.
    assert asked[1] == [
        ("system", "You are a test."),
        ("assistant", GREETING),
        ("user", "one"),
        ("assistant", first.heard_text),
        ("user", "two"),
    ]
    at = first.instants
    assert at["barge_in_at"] - at["barge_in_started_at"] == pytest.approx(threshold_ms / 1000, abs=0.06)
    assert at["cleared_at"] == pytest.approx(at["barge_in_at"], abs=0.001)
    stopped = held.report.exchanges[1].barge_in_stop_seconds
    assert stopped == pytest.approx(threshold_ms / 1000, abs=0.1)


def test_after_a_clear_nothing_of_the_reply_is_heard_recorded_or_made(hold: Hold) -> None:
    held = hold(
        ["One?", Line("Please stop that now.", interrupt_after_seconds=1.0)],
        llm=ScriptedLLM(["One long sentence to begin with. " * 8, "Fine."]),
        tts=ScriptedTTS(realtime_factor=2.0, price=Price(usd_per_1k_characters=1)),
    )
    first, second = held.turn(1), held.turn(2)
    cleared, resumed = first.instants["cleared_at"], second.instants["send_started_at"]
    assert held.tap.of("clear") == [pytest.approx(cleared, abs=0.001)]
    assert [at for at in held.tap.of("media") if cleared < at < resumed] == []
    recording = held.session.recording
    assert recording is not None
    agent = recording.agent.astype(np.int32)
    silent = agent[math.ceil(cleared * 8000) + 1 : int(second.instants["played_at"] * 8000) - 1]
    assert len(silent) > 8000
    assert not silent.any()
    before = agent[int((cleared - 0.1) * 8000) : int(cleared * 8000)]
    assert before.any()
    # What the agent's recording holds is what the far end heard, sample for sample (the loudest of a frame's delay apart).
    heard = held.report.heard
    assert np.count_nonzero(np.abs(heard) > 300) == pytest.approx(np.count_nonzero(np.abs(agent) > 300), rel=0.02)
    # Of the eight sentences only those that were begun before the interruption were asked of the voice.
    spoken = sum(usage.characters for usage in first.usage if usage.service == "tts")
    assert spoken < len(first.agent_text)


def test_marks_that_come_back_because_of_a_clear_prove_nothing(hold: Hold) -> None:
    held = hold(["One?", Line("Please stop that now.", interrupt_after_seconds=1.0)], llm=ScriptedLLM([LONG, "Fine."]))
    first = held.turn(1)
    echoed = [mark for mark in held.report.marks if mark.cleared]
    assert echoed
    heard_seconds = first.instants["cleared_at"] - first.instants["played_at"]
    assert len(first.heard_text) <= len(LONG) * heard_seconds / 6.18 + 1


def test_a_mark_sent_back_late_after_a_clear_proves_nothing_either(hold: Hold) -> None:
    async def repeat_marks(tap: Any, _: Any) -> None:
        await tap.at(6.5)
        for name in [message["mark"]["name"] for _, message in tap.sent if message["event"] == "mark"]:
            tap.post({"event": "mark", "mark": {"name": name}})

    lines = ["One?", Line("Please stop that now.", interrupt_after_seconds=1.0)]
    plain = hold(lines, llm=ScriptedLLM([LONG, "Fine."]))
    repeated = hold(lines, llm=ScriptedLLM([LONG, "Fine."]), meanwhile=repeat_marks)
    assert plain.turn(1).instants["cleared_at"] < 6.5
    assert [t.heard_text for t in repeated.turns] == [t.heard_text for t in plain.turns]


def test_who_spoke_when_is_told_with_who_was_interrupted(hold: Hold) -> None:
    held = hold(["One?", Line("Please stop that now.", interrupt_after_seconds=1.0)], llm=ScriptedLLM([LONG, "Fine."]))
    speech = held.events("agent_speech")
    assert [event["interrupted"] for event in speech] == [False, True, False]
    cut = held.turn(1).instants
    assert (speech[1]["started_at"], speech[1]["ended_at"]) == pytest.approx((cut["played_at"], cut["cleared_at"]))
    assert all(before["ended_at"] <= after["started_at"] for before, after in itertools.pairwise(speech))


def test_with_a_threshold_of_zero_the_agent_is_never_interrupted(hold: Hold) -> None:
    held = hold(
        ["One?", Line("Please stop that now.", interrupt_after_seconds=1.0)],
        llm=ScriptedLLM([LONG, "Fine."]),
        barge_in_threshold_ms=0,
    )
    assert not any(turn.interrupted for turn in held.turns)
    assert held.turn(1).heard_text == LONG
    assert held.turn(1).overlap_text == "two"
    assert held.tap.of("clear") == []


def test_a_short_word_over_the_agent_is_overlap_and_starts_no_turn(hold: Hold) -> None:
    held = hold(
        ["One?", Line("Mhm.", interrupt_after_seconds=1.0), "Three?"],
        llm=ScriptedLLM([LONG, "Fine."]),
        barge_in_threshold_ms=600,
    )
    first, second = held.turn(1), held.turn(2)
    assert (first.overlap_text, first.interrupted, first.heard_text) == ("two", False, LONG)
    assert second.caller_text == "three"
    assert len(held.turns) == 3


def test_a_caller_who_goes_on_before_the_reply_is_heard_has_one_row(hold: Hold) -> None:
    asked: list[str] = []

    def answer(messages: Sequence[Message]) -> str:
        asked.append(messages[-1].content)
        return "It is at six."

    held = hold(
        ["One? Two please."],
        hangover_ms=150,
        stt=ScriptedSTT(["when is", "dinner"], final_seconds=0.0),
        llm=ScriptedLLM(answer, first_token_seconds=0.6),
    )
    (row,) = [turn for turn in held.turns if turn.kind == "caller"]
    assert row.resumed >= 1
    assert asked == ["when is", "when is dinner"]
    assert (row.caller_text, row.heard_text) == ("when is dinner", "It is at six.")


def test_the_greeting_can_be_interrupted(hold: Hold) -> None:
    held = hold([Line("Please stop that now.", interrupt_after_seconds=0.5)])
    greeting = held.turn(0)
    assert greeting.interrupted
    assert GREETING.startswith(greeting.heard_text)
    assert len(greeting.heard_text) < len(GREETING)
    assert held.turn(1).heard_text == "First answer."


# How calls end.


def test_a_caller_who_hangs_up_in_the_middle_of_a_reply_leaves_its_row(hold: Hold) -> None:
    async def hang_up(tap: Any, _: Any) -> None:
        await tap.at(5.0)
        tap.post({"event": "stop", "stop": {"accountSid": "AC1", "callSid": "CA1"}})

    held = hold(["One?"], llm=ScriptedLLM([LONG]), meanwhile=hang_up)
    last = held.turns[-1]
    assert (last.caller_text, last.agent_text, last.interrupted) == ("one", LONG, False)
    assert 0 < len(last.heard_text) < len(LONG)
    assert held.session.end_reason == "caller hung up"
    assert held.session.duration_seconds == pytest.approx(5.0, abs=0.05)
    assert held.report.ended_by == "agent"
    assert (held.error, held.tasks_left) == (None, [])


def test_the_longest_duration_ends_with_a_goodbye_that_is_heard(hold: Hold) -> None:
    held = hold(["One?", "Two?", "Three?"], llm=ScriptedLLM([LONG] * 3), max_duration_seconds=8)
    goodbye = held.turns[-1]
    assert (goodbye.kind, goodbye.heard_text) == ("goodbye", "I'm sorry, I have to end the call here. Goodbye.")
    assert held.session.end_reason == "the call lasted 8 s, its limit"
    cut = held.turns[-2]
    assert (cut.interrupted, len(cut.heard_text) < len(LONG)) == (False, True)
    assert held.events("agent_speech")[-2]["interrupted"] is False
    assert 8 < held.session.duration_seconds < 8 + 10
    assert held.report.ended_by == "agent"


def test_what_was_said_last_before_a_hang_up_is_in_the_log(hold: Hold) -> None:
    async def stop(tap: Any, session: Any) -> None:
        await tap.at(2.1)
        session.stop("enough")

    held = hold(["One?", "Two?"], llm=ScriptedLLM([LONG, "Fine."]), meanwhile=stop)
    assert [(t.kind, t.caller_text, t.reply) for t in held.turns][-1] == ("caller", "one", 0)
    assert "no_words" not in held.kinds
    assert held.session.duration_seconds == pytest.approx(2.1, abs=0.05)


@pytest.mark.parametrize("at", [0.0, 0.05, 0.7, 2.1, 3.0, 3.3, 3.45, 3.6, 5.0, 9.8])
def test_a_call_can_be_stopped_at_any_moment_from_any_thread(hold: Hold, at: float) -> None:
    async def stop(tap: Any, session: Any) -> None:
        await tap.at(at)
        thread = threading.Thread(target=session.stop, args=("enough",))
        thread.start()
        thread.join()

    held = hold(["One?", "Two?"], llm=ScriptedLLM([LONG, "Fine."]), meanwhile=stop)
    assert held.session.end_reason == "enough"
    assert held.session.duration_seconds == pytest.approx(at, abs=0.05)
    assert (held.error, held.tasks_left) == (None, [])
    assert [t.turn for t in held.turns] == list(range(len(held.turns)))


def test_a_call_that_is_stopped_before_it_is_answered_has_no_rows(hold: Hold) -> None:
    held = hold(["One?"], before=lambda session: session.stop("enough"))
    assert held.session.end_reason == "enough"
    assert held.turns == []
    assert held.error is None


@pytest.mark.slow
def test_at_whatever_moment_a_call_is_stopped_or_cancelled_its_rows_are_whole(hold: Hold) -> None:
    dice, lines = random.Random(3), ["One?", Line("Please stop that now.", interrupt_after_seconds=1.0), "Two?"]
    for number in range(40):
        at = dice.uniform(0, 9)

        async def stop(tap: Any, session: Any, at: float = at) -> None:
            await tap.at(at)
            session.stop("enough")

        how: dict[str, Any] = {"meanwhile": stop} if number % 2 else {"cancel_at": at}
        llm, tts = ScriptedLLM([LONG, "Fine. " * 5, "Yes."]), ScriptedTTS(realtime_factor=1.5)
        held = hold(lines, llm=llm, tts=tts, **how)
        assert held.session.end_reason == ("enough" if number % 2 else "cancelled"), at
        assert [turn.turn for turn in held.turns] == list(range(len(held.turns))), at
        assert len(held.turns) == len({turn.reply for turn in held.turns}), at
        assert held.tasks_left == [], at


def test_stopping_what_is_over_is_harmless(hold: Hold) -> None:
    held = hold(["One?"])
    held.session.stop("again")  # its loop is closed
    assert held.session.end_reason == "caller hung up"


@pytest.mark.parametrize("at", [0.7, 2.5, 3.3, 5.0])
def test_a_call_that_is_cancelled_keeps_the_row_that_was_open_and_leaves_no_task(hold: Hold, at: float) -> None:
    held = hold(["One?"], llm=ScriptedLLM([LONG]), cancel_at=at)
    assert isinstance(held.error, asyncio.CancelledError)
    assert held.session.end_reason == "cancelled"
    last = held.turns[-1]
    assert last.kind == ("caller" if at > 3 else "greeting")
    assert (last.caller_text == "one") == (at > 3)
    assert held.session.duration_seconds == pytest.approx(at, abs=0.01)
    assert held.tasks_left == []
    if at == 5.0:
        assert 0 < len(last.heard_text) < len(LONG)
        assert held.events("agent_speech")[-1]["ended_at"] <= 5.0


@pytest.mark.slow
def test_fifty_calls_in_a_row_leave_neither_tasks_nor_threads(hold: Hold) -> None:
    threads = threading.active_count()
    for _ in range(50):
        assert hold(["Hi."], first_message="").tasks_left == []
    assert threading.active_count() <= threads


# What goes wrong on the line.


BROKEN_MESSAGES = [
    "",
    "no JSON",
    "[]",
    '{"event": 3}',
    '{"event": "media"}',
    '{"event": "media", "streamSid": "MZother", "media": {"track": "inbound", "timestamp": "1", "payload": "AAAA"}}',
    {"event": "media", "media": {"track": "inbound", "timestamp": "soon", "payload": "AAAA"}},
    {"event": "media", "media": {"track": "inbound", "timestamp": "20", "payload": "no base64!"}},
    {"event": "mark", "mark": {}},
    {"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": "55"}},
    {"event": "start", "start": {}},
]


def test_a_malformed_message_loses_itself_and_nothing_else(hold: Hold) -> None:
    async def disturb(tap: Any, _: Any) -> None:
        for at, message in enumerate(BROKEN_MESSAGES):
            await tap.at(0.5 + at * 0.4)
            tap.post(message)

    plain, disturbed = hold(["One?", "Two?"]), hold(["One?", "Two?"], meanwhile=disturb)
    assert len(disturbed.events("carrier_error")) == len(BROKEN_MESSAGES)
    assert disturbed.turns == plain.turns


def test_what_the_carrier_says_that_means_nothing_to_us_is_passed_over(hold: Hold) -> None:
    async def chat(tap: Any, _: Any) -> None:
        await tap.at(0.5)
        tap.post({"event": "weather"})
        tap.post({"event": "mark", "mark": {"name": "somebody else's"}})

    held = hold(["One?"], meanwhile=chat)
    assert (len(held.turns), held.events("carrier_error")) == (2, [])


def test_a_socket_that_breaks_while_it_is_read_ends_the_call_as_a_hang_up(hold: Hold) -> None:
    async def tear(tap: Any, _: Any) -> None:
        await tap.at(5.0)
        tap.post(ConnectionResetError("reset by peer"))

    held = hold(["One?"], llm=ScriptedLLM([LONG]), meanwhile=tear)
    assert held.events("carrier_error") == [{"error": "the carrier's socket raised ConnectionResetError: reset by peer"}]
    assert held.session.end_reason == "caller hung up"
    assert held.turns[-1].agent_text == LONG
    assert held.error is None


def test_a_socket_that_breaks_while_it_is_written_to_ends_the_call_as_a_hang_up(hold: Hold) -> None:
    async def tear(tap: Any, _: Any) -> None:
        await tap.at(2.5)
        tap.fails_to_send = OSError("broken pipe")

    held = hold(["One?"], meanwhile=tear)
    assert held.events("carrier_error") == [{"error": "the carrier's socket raised OSError: broken pipe"}]
    assert (held.session.end_reason, held.error) == ("caller hung up", None)
    assert held.turns[-1].heard_text == ""


# What goes wrong with providers as a whole.


class Broken:
    """A provider as a user may write it: raises when a call opens it, or when the call closes it."""

    def __init__(self, inner: Any, *, at_open: bool) -> None:
        self._inner = inner
        self._at_open = at_open

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @asynccontextmanager
    async def open(self, *arguments: Any) -> AsyncIterator[Any]:
        if self._at_open:
            raise ZeroDivisionError("division by zero")
        async with self._inner.open(*arguments) as stream:
            yield stream
        raise ZeroDivisionError("division by zero")


@pytest.mark.parametrize(("part", "whole"), [("llm", ScriptedLLM([])), ("tts", ScriptedTTS())])
def test_a_model_or_a_voice_that_cannot_be_opened_is_named_in_one_sentence(hold: Hold, part: str, whole: Any) -> None:
    held = hold(["One?"], **{part: Broken(whole, at_open=True)})
    assert isinstance(held.error, PatterError)
    assert str(held.error) == "scripted raised ZeroDivisionError: division by zero"
    assert (held.turns, held.tasks_left, held.session.end_reason) == ([], [], "failed")


def test_what_is_raised_at_the_end_takes_nothing_from_a_call_that_went_well(hold: Hold) -> None:
    held = hold(["One?"], llm=Broken(ScriptedLLM(["First answer."]), at_open=False))
    assert held.error is None
    assert held.turns[-1].heard_text == "First answer."
    assert held.events("not_closed") == [{"error": "scripted raised ZeroDivisionError: division by zero"}]


class Hangs(Broken):
    @asynccontextmanager
    async def open(self, *arguments: Any) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield


@pytest.mark.parametrize(("part", "whole"), [("llm", ScriptedLLM([])), ("tts", ScriptedTTS())])
def test_a_model_or_a_voice_that_does_not_open_is_not_waited_for_for_ever(hold: Hold, part: str, whole: Any) -> None:
    held = hold(["One?"], **{part: Hangs(whole, at_open=True)})
    assert str(held.error) == "scripted was not open within 30 s."
    assert (held.turns, held.tasks_left, held.session.end_reason) == ([], [], "failed")


@pytest.mark.parametrize(("part", "whole"), [("llm", ScriptedLLM([])), ("tts", ScriptedTTS())])
def test_a_call_can_be_stopped_while_it_is_being_opened(hold: Hold, part: str, whole: Any) -> None:
    async def stop(tap: Any, session: Any) -> None:
        await tap.at(2.0)
        for _ in range(3):
            session.stop("enough")

    held = hold(["One?"], meanwhile=stop, **{part: Hangs(whole, at_open=True)})
    assert (held.error, held.session.end_reason, held.turns, held.tasks_left) == (None, "enough", [], [])
    assert held.report.duration_seconds == pytest.approx(2.0, abs=0.03)


class TornCodec(TwilioMediaCodec):
    """A codec that cannot say "clear"."""

    def encode(self, message: CarrierMessage) -> list[str]:
        if isinstance(message, SendClear):
            raise CarrierError("there is no word for it")
        return super().encode(message)


def test_a_session_that_fails_in_the_middle_keeps_its_rows(hold: Hold) -> None:
    held = hold(
        ["One?", Line("Please stop that now.", interrupt_after_seconds=1.0)], llm=ScriptedLLM([LONG]), codec=TornCodec()
    )
    told: list[str] = []
    asyncio.run(guarded(_raising(held.error), told.append, who="the call"))
    assert told == ["there is no word for it"]
    assert held.session.end_reason == "failed"
    last = held.turns[-1]
    assert (last.caller_text, last.agent_text, last.interrupted) == ("one", LONG, True)
    assert 0 < len(last.heard_text) < len(LONG)
    assert held.tasks_left == []


async def _raising(error: BaseException) -> None:
    raise error


def test_an_order_that_comes_after_the_last_word_is_told_or_refused(hold: Hold) -> None:
    refused: list[str] = []

    async def meanwhile(tap: Any, session: Any) -> None:
        await tap.at(1.0)
        session.stop("enough")
        session.control.say("Wait!")
        session.control.send_dtmf("77")
        await tap.at(3.0)
        try:
            session.control.say("Too late.")
        except ConfigError as error:
            refused.append(str(error))

    held = hold(["One?"], meanwhile=meanwhile)
    assert held.events("unsaid") == [{"text": "Wait!"}]
    assert held.events("undone") == [{"order": "send_dtmf", "what": "77"}]
    assert refused == ["The call is over; nothing can be done to it any more."]


# A machine that answers.

MESSAGE = "This is the hotel with a message for you. Please call us back when you can."
RECORDING = MachineDetected("machine", "machine_end_beep", 4200.0)


def verdict(at: float, told: MachineDetected) -> Any:
    async def meanwhile(tap: Any, session: Any) -> None:
        await tap.at(at)
        session.post(told)

    return meanwhile


def test_a_machine_gets_the_message_word_for_word_whatever_it_says_meanwhile_and_is_hung_up_on(hold: Hold) -> None:
    noise = Line("Please leave a message after the tone, or press one for more options.", interrupt_after_seconds=0.5)
    held = hold([noise], voicemail=MESSAGE, meanwhile=verdict(0.8, RECORDING))
    last = held.turns[-1]
    assert (last.kind, last.heard_text, last.interrupted) == ("said", MESSAGE, False)
    assert held.events("machine_detected") == [{"classification": "machine", "raw": "machine_end_beep", "after_ms": 4200.0}]
    assert held.events("voicemail") == [{"text": MESSAGE}]
    assert (held.session.end_reason, held.session.is_hung_up, held.error) == ("left a voicemail", True, None)
    assert held.report.ended_by == "agent"
    assert held.turn(0).heard_text != GREETING, "the greeting was cut off"


@pytest.mark.parametrize(
    "told", [MachineDetected("human", "human"), MachineDetected("fax", "fax"), MachineDetected("machine", "machine_start")]
)
def test_who_is_no_recording_machine_is_talked_to(hold: Hold, told: MachineDetected) -> None:
    held = hold(["One?"], voicemail=MESSAGE, meanwhile=verdict(0.8, told))
    assert [turn.heard_text for turn in held.turns] == [GREETING, "First answer."]
    assert held.events("machine_detected")[0]["raw"] == told.raw
    assert (held.events("voicemail"), held.session.end_reason) == ([], "caller hung up")


def test_a_verdict_before_the_stream_is_there_is_kept(hold: Hold) -> None:
    held = hold([Line("One?", wait_seconds=20.0)], voicemail=MESSAGE, before=lambda session: session.post(RECORDING))
    assert [(turn.kind, turn.heard_text) for turn in held.turns] == [("said", MESSAGE)]
    assert held.session.end_reason == "left a voicemail"


@pytest.mark.parametrize("is_async", [False, True])
def test_who_answered_is_told_to_its_callback(hold: Hold, is_async: bool) -> None:
    told: list[Any] = []

    async def later(result: MachineDetectionResult) -> None:
        told.append(result)

    given = {"callbacks": Callbacks(on_machine_detection=later if is_async else told.append), "carrier": "twilio"}
    hold(["One?"], meanwhile=verdict(0.8, RECORDING), **given)
    (result,) = told
    assert result == MachineDetectionResult("call_1", "twilio", "machine", "machine_end_beep", result.detected_at, 4200.0)
    assert result.detected_at == pytest.approx(datetime.now(UTC).timestamp(), abs=60)


def test_a_callback_that_breaks_on_who_answered_ends_nothing(hold: Hold) -> None:
    def breaks(result: MachineDetectionResult) -> None:
        raise RuntimeError(result.raw)

    line = Line("One?", wait_seconds=20.0)
    held = hold([line], voicemail=MESSAGE, callbacks=Callbacks(on_machine_detection=breaks), meanwhile=verdict(0.8, RECORDING))
    assert held.session.end_reason == "left a voicemail"
    failed = {"callback": "on_machine_detection", "error": "on_machine_detection raised RuntimeError: machine_end_beep"}
    assert held.events("callback_failed") == [failed]


def test_a_verdict_that_comes_as_the_call_ends_is_written_down(hold: Hold) -> None:
    told: list[Any] = []

    async def meanwhile(tap: Any, session: Any) -> None:
        await tap.at(3.0)
        session.stop("stopped")
        session.post(MachineDetected("human", "human", 900.0))

    held = hold([Line("One?", wait_seconds=20.0)], callbacks=Callbacks(on_machine_detection=told.append), meanwhile=meanwhile)
    assert held.events("machine_detected") == [{"classification": "human", "raw": "human", "after_ms": 900.0}]
    assert [result.raw for result in told] == ["human"]
