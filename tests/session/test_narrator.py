"""What users are told of a call: the seven speech events, transcripts, metrics, and its beginning."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from patter_nb.callbacks import SPEECH_EVENTS, Callbacks
from patter_nb.callers import Line
from patter_nb.phone import Patter
from patter_nb.providers.base import TextDelta
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.records import readings
from patter_nb.records.metrics import CostBreakdown, TurnMetrics
from patter_nb.tools import Reassurance, tool
from patter_nb.turns.messages import ToolRequest

pytestmark = pytest.mark.slow  # calls at the pace of talk

Hold = Callable[..., Any]
Told = list[tuple[str, dict[str, Any]]]

STORY = "Dinner is served from six to ten, and the kitchen closes at half past nine on every Sunday of the year."
NAMES = (*SPEECH_EVENTS, "on_transcript", "on_metrics")


def listener(told: Told, *, is_async: bool) -> Callbacks:
    """Callbacks that keep everything they are told."""

    def sync_one(name: str) -> Any:
        return lambda data: told.append((name, data))

    def async_one(name: str) -> Any:
        async def callback(data: dict[str, Any]) -> None:
            told.append((name, data))

        return callback

    make = async_one if is_async else sync_one
    return Callbacks(**{name: make(name) for name in NAMES})


def of(told: Told, name: str) -> list[dict[str, Any]]:
    return [data for kind, data in told if kind == name]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_turn_is_told_in_the_order_in_which_it_happened(hold: Hold, is_async: bool) -> None:
    told: Told = []
    hold(["One?"], callbacks=listener(told, is_async=is_async))
    assert [name.removeprefix("on_") for name, _ in told] == [
        "audio_out", "agent_speech_started", "agent_speech_ended", "transcript", "metrics",  # the greeting
        "user_speech_started", "user_speech_ended", "transcript", "user_speech_eos", "llm_token", "audio_out",
        "agent_speech_started", "agent_speech_ended", "transcript", "metrics",
    ]  # fmt: skip


def test_every_speech_event_has_its_turn_and_both_clocks(hold: Hold) -> None:
    told: Told = []
    began = time.time() * 1000
    held = hold(["One?", "Two?"], callbacks=listener(told, is_async=True))
    for name in SPEECH_EVENTS:
        events = of(told, name)
        assert len(events) == (2 if "user" in name or name == "on_llm_token" else 3), name
        assert [each["at"] for each in events] == sorted(each["at"] for each in events)
        for each in events:
            assert each["call_id"] == "call_1"
            assert 0 <= each["at"] <= held.session.duration_seconds
            # The clock of the day is real and the call's is virtual: what is told is at most dated back by a few seconds.
            assert began - 10_000 < each["timestamp_ms"] <= time.time() * 1000
    assert [each["turn_idx"] for each in of(told, "on_agent_speech_ended")] == [0, 1, 2]
    assert [each["turn_idx"] for each in of(told, "on_user_speech_eos")] == [1, 2]
    assert [each["turn_idx"] for each in of(told, "on_llm_token")] == [1, 2]


def test_speech_events_tell_the_instants_of_the_rows(hold: Hold) -> None:
    told: Told = []
    held = hold(["One?"], callbacks=listener(told, is_async=True))
    at, turn = held.turn(1).instants, 1
    assert of(told, "on_user_speech_started")[0]["at"] == pytest.approx(at["speech_started_at"])
    (ended,) = of(told, "on_user_speech_ended")
    assert ended["at"] == pytest.approx(at["speech_ended_at"])
    assert ended["speech_duration_ms"] == pytest.approx((at["speech_ended_at"] - at["speech_started_at"]) * 1000)
    (token,) = of(told, "on_llm_token")
    assert (token["at"], token["llm_provider"], token["model"]) == (at["llm_first_token_at"], "scripted", "replies")
    audio = of(told, "on_audio_out")[turn]
    assert (audio["at"], audio["tts_provider"]) == (at["send_started_at"], "scripted")
    started, ended = of(told, "on_agent_speech_started")[turn], of(told, "on_agent_speech_ended")[turn]
    assert started["at"] == pytest.approx(at["played_at"], abs=0.001)
    assert started["tts_provider"] == "scripted"
    assert ended["interrupted"] is False
    assert ended["speech_duration_ms"] == pytest.approx((ended["at"] - started["at"]) * 1000)
    assert ended["speech_duration_ms"] == pytest.approx(780, abs=40), "13 characters of a scripted voice"


ANSWERS = ("x", "Fine.", "First.", "Second.", "One. Two.", "So? Well, then. Yes.", STORY)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_said_each_beginning_of_the_agents_speech_has_its_one_end(hold: Hold, seed: int) -> None:
    draw = random.Random(seed)
    told: Told = []
    lines = [
        Line(draw.choice(("One?", "Two, please?", STORY)), interrupt_after_seconds=draw.choice((None, None, 0.2, 1.0)))
        for _ in range(draw.randrange(2, 6))
    ]
    voice = ScriptedTTS(seconds_per_character=draw.choice((0.02, 0.05, 0.06)), first_byte_seconds=draw.choice((0.0, 0.1)))
    answers = [draw.choice(ANSWERS) for _ in range(12)]
    stt = ScriptedSTT(["one"] * 12)
    greeting = draw.choice(("Hello!", "Hello there.", ""))
    lines[0] = replace(lines[0], interrupt_after_seconds=None) if not greeting else lines[0]
    hold(lines, stt=stt, llm=ScriptedLLM(answers), tts=voice, first_message=greeting, callbacks=listener(told, is_async=True))
    speech = [(name, data["turn_idx"]) for name, data in told if name.startswith("on_agent_speech")]
    assert len(speech) >= 4
    assert [name.removeprefix("on_agent_speech_") for name, _ in speech] == ["started", "ended"] * (len(speech) // 2)
    assert [turn for _, turn in speech[::2]] == [turn for _, turn in speech[1::2]]
    assert len({turn for _, turn in speech}) == len(speech) // 2


@pytest.mark.parametrize(
    ("stt", "trigger", "silence"),
    [(ScriptedSTT(["one"]), "vad_silence", 500.0), (ScriptedSTT(["one"], ends_turns="provider"), "provider", 0.0)],
)
def test_the_end_of_the_callers_turn_says_who_saw_it(hold: Hold, stt: ScriptedSTT, trigger: str, silence: float) -> None:
    told: Told = []
    hold(["One?"], stt=stt, hangover_ms=500, callbacks=listener(told, is_async=True))
    (eos,) = of(told, "on_user_speech_eos")
    assert (eos["trigger"], eos["trailing_silence_ms"], eos["transcript_so_far"]) == (trigger, silence, "one")


@pytest.mark.parametrize("role", ["system", "user"])
def test_an_answer_to_what_was_injected_is_no_end_of_the_callers_speech(hold: Hold, role: str) -> None:
    told: Told = []

    async def meanwhile(tap: Any, session: Any) -> None:
        await tap.at(2.2)  # the greeting was heard, and the caller has not begun
        session.control.inject("The guest is a regular.", role=role, reply=True)

    lines = [Line("One?", wait_seconds=1.5), "Two?"]
    held = hold(lines, meanwhile=meanwhile, callbacks=listener(told, is_async=True))
    assert [(turn.kind, turn.heard_text) for turn in held.turns] == [
        ("greeting", "Hello there, good evening!"), ("said", "First answer."),
        ("caller", "Second answer."), ("caller", "Third answer."),
    ]  # fmt: skip
    assert [(each["turn_idx"], each["transcript_so_far"]) for each in of(told, "on_user_speech_eos")] == [(2, "one"), (3, "two")]
    assert [each["turn_idx"] for each in of(told, "on_llm_token")] == [1, 2, 3]


def test_an_interrupted_turn_is_told_as_one_with_what_was_heard(hold: Hold) -> None:
    told: Told = []
    lines = [Line("One?"), Line("Please stop that now.", interrupt_after_seconds=1.5)]
    held = hold(lines, llm=ScriptedLLM([STORY, "Fine."]), callbacks=listener(told, is_async=False))
    ended = {each["turn_idx"]: each for each in of(told, "on_agent_speech_ended")}
    assert [ended[turn]["interrupted"] for turn in (0, 1, 2)] == [False, True, False]
    assert 1500 < ended[1]["speech_duration_ms"] < 3000
    assert [each["interrupted"] for each in of(told, "on_metrics")] == [False, True, False]
    assert of(told, "on_metrics")[1]["turn"].latency.bargein_ms is not None
    heard = {each["turn_idx"]: each["text"] for each in of(told, "on_transcript") if each["role"] == "assistant"}
    assert heard[1] == held.turn(1).heard_text
    assert STORY.startswith(heard[1].rstrip("…. "))
    assert len(heard[1]) < len(STORY)


def test_transcripts_are_told_with_the_conversation_so_far(hold: Hold) -> None:
    told: Told = []
    hold(["One?"], first_message="Hello!", callbacks=listener(told, is_async=True))
    said = of(told, "on_transcript")
    assert [(each["role"], each["text"]) for each in said] == [
        ("assistant", "Hello!"), ("user", "one"), ("assistant", "First answer."),
    ]  # fmt: skip
    assert [each["text"] for each in said[-1]["history"]] == ["Hello!", "one", "First answer."]
    assert [each.get("turn_idx") for each in said] == [0, None, 1]
    assert [each["at"] for each in said] == sorted(each["at"] for each in said)


def test_what_a_tool_returned_or_why_it_failed_is_told(hold: Hold) -> None:
    told: Told = []

    @tool
    def look(city: str) -> str:
        if city == "Rome":
            return "two rooms"
        raise ValueError("no such city")

    asked = [[ToolRequest(f"t{number}", "look", f'{{"city": "{city}"}}')] for number, city in enumerate(("Rome", "Atlantis"))]
    hold(["One?"], llm=ScriptedLLM([*asked, "Done."]), tools=[look], callbacks=listener(told, is_async=True))
    first, second = [each for each in of(told, "on_transcript") if each["role"] == "tool"]
    assert (first["tool_name"], first["tool_args"], first["tool_result"]) == ("look", '{"city": "Rome"}', "two rooms")
    assert first["text"] == "two rooms"
    assert second["tool_result"] == "look raised ValueError: no such city"
    assert len(of(told, "on_llm_token")) == 1, "the first token of an answer, not of each request"


@pytest.mark.slow
def test_a_tool_that_returns_late_is_told_with_the_turn_that_asked_for_it() -> None:
    @tool(reassurance=Reassurance("One moment, I have to look this up in the book.", 0))
    async def look() -> Any:
        yield {"progress": "begins"}
        await again.wait()
        yield {"progress": "half"}
        yield {"result": "two rooms"}

    again = asyncio.Event()

    async def main() -> list[tuple[str, int]]:
        phone = Patter(store=False, show=False)
        llm = ScriptedLLM([[ToolRequest("t1", "look", "{}")], "Fine.", "Finer."])
        agent = phone.agent("A hotel.", stt=ScriptedSTT(["one", "two", "three"]), llm=llm, tts=ScriptedTTS(), tools=[look])
        lines = ["One?", Line("Please stop that now.", interrupt_after_seconds=1.0), "Three?"]

        async def second(data: dict[str, Any]) -> None:
            if data["turn"].turn_index == 2:
                again.set()

        call = await phone.test(agent, caller=lines, speed="max", on_metrics=second)
        told = [event async for event in call.stream() if event.kind.startswith("tool_") or event.data.get("role") == "tool"]
        return [(event.kind, event.data["turn_idx"]) for event in told]

    assert asyncio.run(main()) == [
        ("tool_called", 1), ("tool_progress", 1), ("tool_progress", 1), ("tool_returned", 1), ("transcript", 1),
    ]  # fmt: skip


def test_what_a_tool_reports_is_told_with_its_run_also_when_another_of_it_is_on() -> None:
    both = asyncio.Event()

    @tool
    async def look(city: str) -> Any:
        yield {"progress": f"{city} begins"}
        if city == "Oslo":
            both.set()
        await both.wait()
        yield {"progress": f"{city} ends"}

    async def main() -> list[tuple[str, str, int]]:
        phone = Patter(store=False, show=False)
        asked: list[Any] = [
            [TextDelta(f"I look in {city} for you. "), ToolRequest("t", "look", f'{{"city": "{city}"}}')]
            for city in ("Rome", "Oslo")
        ]
        llm = ScriptedLLM([*asked, "Third.", "Fourth."])
        lines = ["One?", Line("Two is what I want now?", interrupt_after_seconds=0.5)]
        agent = phone.agent("A hotel.", stt=ScriptedSTT(["one", "two"]), llm=llm, tts=ScriptedTTS(), tools=[look])
        call = await phone.test(agent, caller=lines, speed="max")
        told = [event.data async for event in call.stream() if event.kind == "tool_progress"]
        return [(each["text"], each["id"], each["turn_idx"]) for each in told]

    told = asyncio.run(main())
    assert told[:2] == [("Rome begins", "t", 1), ("Oslo begins", "t_2", 2)]
    assert sorted(told[2:]) == [("Oslo ends", "t_2", 2), ("Rome ends", "t", 1)]


def test_metrics_are_told_for_every_turn_with_the_cost_so_far(hold: Hold) -> None:
    told: Told = []
    held = hold(["One?", "Two?"], callbacks=listener(told, is_async=True))
    metrics = of(told, "on_metrics")
    assert [isinstance(each["turn"], TurnMetrics) for each in metrics] == [True] * 3
    assert [isinstance(each["cost_so_far"], CostBreakdown) for each in metrics] == [True] * 3
    assert [each["llm_ttft_ms"] is None for each in metrics] == [True, False, False]
    final, token = (held.turn(1).instants[name] for name in ("stt_final_at", "llm_first_token_at"))
    assert metrics[1]["llm_ttft_ms"] == pytest.approx((token - final) * 1000, abs=0.1)
    assert metrics[1]["turn"].latency.llm_ttft_ms == metrics[1]["llm_ttft_ms"]


def test_sync_callbacks_run_in_a_thread_and_async_ones_on_the_loop(hold: Hold) -> None:
    threads: dict[str, bool] = {}

    def sync_one(data: Any) -> None:
        threads["sync"] = threading.current_thread() is threading.main_thread()

    async def async_one(data: Any) -> None:
        threads["async"] = threading.current_thread() is threading.main_thread()

    hold(["One?"], callbacks=Callbacks(on_llm_token=sync_one, on_audio_out=async_one))
    assert threads == {"sync": False, "async": True}


def test_a_callback_may_change_what_it_is_given_without_harm(hold: Hold) -> None:
    told: list[str] = []
    histories: list[list[str]] = []

    async def spoils(data: dict[str, Any]) -> None:
        told.append(data["text"])
        histories.append([line["text"] for line in data["history"]])
        for line in data["history"]:
            line.clear()
        data.clear()

    held = hold(["One?"], callbacks=Callbacks(on_transcript=spoils))
    assert told[1:] == ["one", "First answer."]
    assert histories[-1] == [*told[:1], "one", "First answer."]
    assert held.events("callback_failed") == []


def test_a_long_call_is_told_turn_by_turn_and_not_each_time_as_a_whole(hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a turn's metrics hold is read of that turn: its latencies once, the statistics of the call never."""
    asked: list[int] = []
    statistics: list[int] = []
    of_turn = readings.latency

    def latency(facts: Any) -> Any:
        asked.append(facts.turn)
        return of_turn(facts)

    monkeypatch.setattr(readings, "latency", latency)
    monkeypatch.setattr(readings, "statistics", lambda latencies: statistics.append(len(latencies)))
    hold(["One?", "Two?", "Three?"], callbacks=Callbacks(on_metrics=lambda data: None))
    assert (asked, statistics) == ([0, 1, 2, 3], [])


def test_every_callback_that_raises_is_an_event_of_its_own_and_the_call_goes_on(hold: Hold) -> None:
    def raises(data: Any) -> None:
        raise ValueError("no")

    held = hold(["One?"], callbacks=Callbacks(**dict.fromkeys(NAMES, raises)))
    assert {each["callback"] for each in held.events("callback_failed")} == set(NAMES)
    assert held.turn(1).heard_text == "First answer."


def test_the_pieces_of_a_reply_are_told_as_they_go_to_the_voice_and_before_they_are_heard() -> None:
    async def main() -> list[tuple[str, str]]:
        phone = Patter(store=False, show=False)
        llm = ScriptedLLM(["First of all, yes. And then no."])
        agent = phone.agent("A hotel.", stt=ScriptedSTT(["one"]), llm=llm, tts=ScriptedTTS(), first_message="")
        call = await phone.test(agent, caller=["One?"], speed="max")
        return [(event.kind, event.data.get("text", "")) async for event in call.stream()]

    told = asyncio.run(main())
    assert [text for kind, text in told if kind == "segment"] == ["First of all, yes.", "And then no."]
    assert told.index(("segment", "First of all, yes.")) < [kind for kind, _ in told].index("agent_speech_started")


def test_a_stall_of_the_loop_is_told_when_it_is_over() -> None:
    async def main() -> list[dict[str, Any]]:
        phone = Patter(store=False, show=False)
        agent = phone.agent("A hotel.", stt=ScriptedSTT(["one"]), llm=ScriptedLLM(["Yes."]), tts=ScriptedTTS())
        call = phone.test(agent, caller=["One?"])
        stalls = []
        async for event in call.stream():
            if event.kind == "answered":
                asyncio.get_running_loop().call_later(0.1, threading.Event().wait, 0.3)  # what a cell does that computes
            if event.kind == "stall":
                stalls.append(dict(event.data))
                call.stop()
        return stalls

    longest = max(asyncio.run(main()), key=lambda stall: stall["seconds"])
    assert longest["seconds"] > 0.2
    assert longest["started_at"] >= 0
    assert longest["cell"] is None


def test_it_is_told_when_the_agent_falls_silent_and_when_it_may_speak_again() -> None:
    async def main() -> list[str]:
        phone = Patter(store=False, show=False)
        llm = ScriptedLLM(["Yes.", "No."])
        agent = phone.agent("A hotel.", stt=ScriptedSTT(["one", "two"]), llm=llm, tts=ScriptedTTS())
        call = phone.test(agent, caller=["One?", "Two?"], speed="max")
        call.mute()
        call.unmute()
        await call
        return [event.kind async for event in call.stream() if event.kind in ("muted", "unmuted")]

    assert asyncio.run(main()) == ["muted", "unmuted"]
