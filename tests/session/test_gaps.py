"""What the public Patter has and does not do, or does wrongly, done here: one test for each, named after it, in whole calls."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from patter_nb.audio.background import BackgroundAudioPlayer
from patter_nb.audio.dtmf import dtmf_tones
from patter_nb.barge_in import MinWordsStrategy
from patter_nb.callbacks import Callbacks
from patter_nb.callers import Line
from patter_nb.errors import ProviderError
from patter_nb.guardrails import guardrail
from patter_nb.hooks import PipelineHooks
from patter_nb.providers.fallback import FallbackLLM
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT
from patter_nb.tools import tool
from patter_nb.turns.messages import ToolRequest

Hold = Callable[..., Any]
LONGER = "stop now please hear me"
STORY = "Once upon a time there was a hotel by the sea, and it had a hundred rooms with a hundred beds in each of them."


def agents_side(held: Any) -> Any:
    return held.session.recording.samples[:, 1].astype(float)


def test_background_audio_is_heard(hold: Hold) -> None:
    hum = np.full(8000, 3000, np.int16)
    quiet, humming = (hold(["One?"], record=True, background_audio=each) for each in (None, BackgroundAudioPlayer((hum, 8000))))
    louder = np.abs(agents_side(humming)).mean() - np.abs(agents_side(quiet)).mean()
    assert louder > 20, "a tenth of the hum lies under the agent's voice"


@pytest.mark.parametrize(("threshold", "interrupted"), [(0, False), (200, True), (5000, False)])
def test_the_threshold_of_barge_in_is_a_time_and_not_a_switch(hold: Hold, threshold: int, interrupted: bool) -> None:
    lines = ["One?", Line("Stop, please, that is enough for me now.", interrupt_after_seconds=1.0)]
    held = hold(
        lines, llm=ScriptedLLM([STORY, "Fine."]), stt=ScriptedSTT(["one", "stop please"]), barge_in_threshold_ms=threshold
    )
    assert held.turn(1).interrupted is interrupted


def test_blocked_text_is_not_spoken_remembered_or_sent_again(hold: Hold) -> None:
    asked: list[str] = []

    def answer(messages: Any) -> str:
        asked.append(str(messages))
        return "We have it. Bad. Word is nothing." if len(asked) == 1 else "Fine."

    back = PipelineHooks(after_llm={"on_sentence": lambda text, ctx: f"{text} Badword." if text == "Fine." else text})
    rail = guardrail("words", blocked_terms=["bad. word", "badword"], replacement="No.")
    held = hold(["One?", "Two?"], llm=ScriptedLLM(answer), guardrails=[rail], hooks=back)
    assert held.turn(1).heard_text.endswith("No.")
    hits = held.events("guardrail")
    assert {hit["matched"] for hit in hits} == {"bad. word", "badword"}
    events = [event.data for event in held.log.event_rows("call_1") if event.kind != "guardrail"]
    everywhere = f"{asked[1:]} {held.turns} {events}".lower()
    assert "badword" not in everywhere
    assert "bad. word" not in everywhere


class Broken:
    """A model that cannot be reached."""

    provider, model, virtual_time, price = "broken", "none", True, None

    def ready(self) -> None:
        """There is nothing to open."""

    @asynccontextmanager
    async def open(self, call: Any) -> AsyncIterator[Broken]:
        yield self

    async def reply(self, messages: Any, tools: Any) -> AsyncIterator[Any]:
        raise ProviderError("Nobody is there.", provider=self.provider, retryable=True)
        yield


def test_a_fallback_answers_where_the_first_model_fails(hold: Hold) -> None:
    held = hold(["One?"], llm=FallbackLLM([Broken(), ScriptedLLM(["From the second."])]))
    assert (held.turn(1).heard_text, held.turn(1).error) == ("From the second.", None)


def test_keys_of_the_caller_reach_the_model_in_a_pipeline(hold: Hold) -> None:
    asked: list[str] = []

    def answer(messages: Any) -> str:
        asked.append(messages[-1].content)
        return "Room four two."

    async def press(tap: Any, session: Any) -> None:
        await tap.at(4.0)
        for digit in "42#":
            tap.post({"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": digit}})

    hold([Line("One?", wait_seconds=8.0)], llm=ScriptedLLM(answer), meanwhile=press)
    assert asked[0] == "[DTMF: 42#]"


def test_the_agent_presses_keys(hold: Hold) -> None:
    async def press(tap: Any, session: Any) -> None:
        await tap.at(1.0)
        session.control.send_dtmf("12", delay_ms=100)

    heard = agents_side(hold([Line("One?", wait_seconds=6.0)], record=True, meanwhile=press))
    wanted = dtmf_tones("12", 8000, gap_ms=100).astype(float)
    near = np.correlate(heard, wanted, mode="valid").max() / (wanted @ wanted)
    assert 0.8 < near < 1.2


def test_a_sync_tool_does_not_block_the_loop_its_time_limit_holds_and_it_runs_once(hold: Hold) -> None:
    runs, over = [], threading.Event()

    @tool(timeout_s=0.2, reassurance=None)
    def slow() -> str:
        runs.append(threading.current_thread())
        over.wait(30)
        return "late"

    began = time.monotonic()
    held = hold(["One?"], llm=ScriptedLLM([[ToolRequest("t1", "slow", "{}")], "It did not work."]), tools=[slow])
    over.set()
    (run,) = held.turn(1).tools
    assert run.error == "slow took longer than 0.2 s."
    assert len(runs) == 1
    assert runs[0] is not threading.main_thread()
    assert time.monotonic() - began < 20
    assert held.turn(1).heard_text == "It did not work."


def test_a_sync_tool_that_raises_is_not_run_again(hold: Hold) -> None:
    runs = []

    @tool
    def book() -> str:
        runs.append(1)
        raise RuntimeError("the calendar is closed")

    held = hold(["One?"], llm=ScriptedLLM([[ToolRequest("t1", "book", "{}")], "Sorry."]), tools=[book])
    assert len(runs) == 1
    assert "the calendar is closed" in held.turn(1).tools[0].error


def test_callbacks_may_be_sync_and_one_that_raises_is_an_event(hold: Hold) -> None:
    told: list[str] = []

    def on_transcript(said: Any) -> None:
        told.append(said["text"])
        raise ValueError("no room")

    held = hold(["One?"], callbacks=Callbacks(on_transcript=on_transcript))
    assert "one" in told
    assert held.turn(1).heard_text == "First answer."
    assert any("no room" in str(each) for each in held.events("callback_failed"))


def test_a_strategy_belongs_to_its_call_and_words_decide(hold: Hold) -> None:
    lines = ["One?", Line("Stop, please, that is enough for me now.", interrupt_after_seconds=1.0)]
    given = {"llm": ScriptedLLM([STORY, "Fine."]), "barge_in_strategies": [MinWordsStrategy(min_words=3)]}
    few, many = (
        hold(lines, stt=ScriptedSTT(["one", words], interims=True), **given).turn(1).interrupted for words in ("mhm", LONGER)
    )
    assert (few, many) == (False, True)


def test_interrupted_turns_are_in_the_metrics_with_how_long_the_interruption_took(hold: Hold) -> None:
    told: list[Any] = []
    lines = ["One?", Line("Stop, please, that is enough for me now.", interrupt_after_seconds=1.0)]
    held = hold(lines, llm=ScriptedLLM([STORY, "Fine."]), callbacks=Callbacks(on_metrics=told.append))
    (interrupted,) = [each for each in told if each["interrupted"]]
    assert interrupted["turn"].latency.bargein_ms == pytest.approx(held.rows.set_index("turn").loc[1, "bargein_ms"], abs=0.1)
    assert interrupted["cost_so_far"] is not None
