"""Hooks in a call: what they are told, in what order they run, and what becomes of what they return."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from patter_nb.audio.formats import AudioFormat
from patter_nb.callbacks import Callbacks
from patter_nb.hooks import HookContext, PipelineHooks
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT
from patter_nb.tools import tool
from patter_nb.turns.messages import ToolRequest

Hold = Callable[..., Any]
FALLBACK = "I'm sorry, I had a problem just now. Could you say that again?"


def test_the_six_stages_run_in_their_order_and_know_the_call(hold: Hold) -> None:
    order: list[str] = []
    contexts: list[HookContext] = []

    def note(name: str, result: int) -> Callable[..., Any]:
        def hook(*given: Any) -> Any:
            if name not in order:
                order.append(name)
                contexts.append(given[-1])
            return given[result]

        return hook

    hooks = PipelineHooks(
        before_send_to_stt=note("before_send_to_stt", 0),
        after_transcribe=note("after_transcribe", 0),
        before_llm=note("before_llm", 0),
        after_llm={"on_sentence": note("on_sentence", 0)}, before_synthesize=note("before_synthesize", 0),
        after_synthesize=note("after_synthesize", 0),
    )  # fmt: skip
    held = hold(["One?"], hooks=hooks, first_message="", caller="+15550000001")
    assert order == [
        "before_send_to_stt",
        "after_transcribe",
        "before_llm",
        "on_sentence",
        "before_synthesize",
        "after_synthesize",
    ]
    assert {(each.call_id, each.caller) for each in contexts} == {("call_1", "+15550000001")}
    assert [isinstance(each.audio, AudioFormat) for each in contexts] == [True, False, False, False, False, True]
    assert contexts[2].history == ({"role": "user", "content": "one"},)
    assert held.turn(1).heard_text == "First answer."


def test_what_after_transcribe_takes_out_is_nowhere(hold: Hold) -> None:
    asked: list[Any] = []
    told: list[Any] = []

    def answer(messages: Any) -> str:
        asked.append(messages)
        return "Fine."

    async def redact(text: str, ctx: HookContext) -> str:
        await asyncio.sleep(0.05)
        return text.replace("4711", "[number]")

    stt = ScriptedSTT(["my card is 4711", "and again 4711"], interims=True)
    callbacks = Callbacks(on_transcript=told.append)
    held = hold(
        ["One?", "Two?"], stt=stt, llm=ScriptedLLM(answer), hooks=PipelineHooks(after_transcribe=redact), callbacks=callbacks
    )
    assert [turn.caller_text for turn in held.turns[1:]] == ["my card is [number]", "and again [number]"]
    assert [each["text"] for each in told if each["role"] == "user"] == ["my card is [number]", "and again [number]"]
    assert "4711" not in repr((held.turns, asked, told, held.log.event_rows("call_1")))
    assert held.rows["transcript_hooks_ms"].iloc[1] < 50, "most of it fell into the silence that is granted anyway"


def test_a_slow_hook_after_the_recogniser_has_its_span(hold: Hold) -> None:
    async def slow(text: str, ctx: HookContext) -> str:
        await asyncio.sleep(0.6)
        return text

    row = hold(["One?"], hooks=PipelineHooks(after_transcribe=slow)).rows.iloc[1]
    assert 300 < row["transcript_hooks_ms"] <= 600
    assert row["unexplained_ms"] == pytest.approx(0, abs=2)


def test_words_that_are_vetoed_were_never_said(hold: Hold) -> None:
    hooks = PipelineHooks(after_transcribe=lambda text, ctx: None if text == "one" else text)
    held = hold(["One?", "Two?"], hooks=hooks, no_reply_seconds=2.0)
    assert [turn.caller_text for turn in held.turns if turn.kind == "caller"] == ["two"]
    assert held.events("no_words")


def test_words_keep_their_order_whatever_the_hook_takes(hold: Hold) -> None:
    async def uneven(text: str, ctx: HookContext) -> str:
        await asyncio.sleep(0.5 if text == "one" else 0.0)
        return text

    held = hold(["One?", "Two?"], hooks=PipelineHooks(after_transcribe=uneven))
    assert [turn.caller_text for turn in held.turns[1:]] == ["one", "two"]


@pytest.mark.parametrize("closed", [False, True])
def test_a_failing_hook_after_the_recogniser(hold: Hold, closed: bool) -> None:
    def broken(text: str, ctx: HookContext) -> str:
        raise ValueError("it broke")

    held = hold(["One?", "Two?"], hooks=PipelineHooks(after_transcribe=broken, fail_closed=closed), no_reply_seconds=2.0)
    heard = [turn.caller_text for turn in held.turns if turn.caller_text]
    assert heard == ([] if closed else ["one", "two"])
    assert held.events("stage_failed")[0]["error"] == "after_transcribe raised ValueError: it broke"
    assert held.session.end_reason == "caller hung up"


def test_before_llm_changes_the_request_and_runs_once_for_each(hold: Hold) -> None:
    asked: list[Any] = []
    seen: list[Any] = []

    def answer(messages: Any) -> str:
        asked.append(messages)
        return "Fine."

    def before(messages: list[dict[str, Any]], ctx: HookContext) -> Any:
        seen.append(messages)
        return [*messages, {"role": "system", "content": "Be brief."}]

    hold(["One?", "Two?"], llm=ScriptedLLM(answer), hooks=PipelineHooks(before_llm=before))
    assert [messages[-1].content for messages in asked] == ["Be brief.", "Be brief."]
    assert len(seen) == 2
    assert seen[0][0] == {"role": "system", "content": "You are a test."}


def test_what_a_tool_returned_passes_before_llm_too(hold: Hold) -> None:
    asked: list[Any] = []

    def answer(messages: Any) -> Any:
        asked.append(messages)
        return [ToolRequest("t1", "look", "{}")] if len(asked) == 1 else "Fine."

    async def redact(messages: list[dict[str, Any]], ctx: HookContext) -> list[dict[str, Any]]:
        await asyncio.sleep(0.2)
        return [{**message, "content": message["content"].replace("4711", "[number]")} for message in messages]

    look = tool(name="look", handler=lambda: "The card is 4711.")
    held = hold(["One?"], llm=ScriptedLLM(answer), tools=[look], hooks=PipelineHooks(before_llm=redact))
    assert [message.content for message in asked[1] if message.role == "tool"] == ["The card is [number]."]
    assert "4711" not in repr(asked)
    at = held.turn(1).instants
    assert at["hooks_ended_at"] - at["hooks_started_at"] == pytest.approx(0.2, abs=0.01), "the first ones are the row's"
    assert at["hooks_ended_at"] < held.turn(1).tools[0].called_at


class Ambiguous:
    """As an array: neither true nor false, nor equal to anything."""

    def __bool__(self) -> bool:
        raise ValueError("the truth is ambiguous")

    def __eq__(self, other: object) -> Any:
        return self

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    "returned",
    ["text", [1], [{"role": "boss", "content": "x"}], [{"role": "user", "content": 5}], [{"role": "user", "tool_calls": [{}]}],
     [{"role": Ambiguous(), "content": "x"}], [{"role": "user", "content": Ambiguous()}]],
)  # fmt: skip
@pytest.mark.parametrize("closed", [False, True])
def test_a_request_that_is_none_is_not_sent_and_none_is_where_failures_close(hold: Hold, returned: Any, closed: bool) -> None:
    asked: list[Any] = []

    def answer(messages: Any) -> str:
        asked.append(messages)
        return "First answer."

    hooks = PipelineHooks(before_llm=lambda messages, ctx: returned, fail_closed=closed)
    held = hold(["One?"], llm=ScriptedLLM(answer), hooks=hooks)
    assert held.turn(1).heard_text == (FALLBACK if closed else "First answer.")
    assert len(asked) == (0 if closed else 1)
    assert [event["stage"] for event in held.events("stage_failed")] == ["before_llm"]
    failures = [event["error"] for event in held.events("reply_failed")]
    assert [error.startswith("The model was not asked, since before_llm failed: ") for error in failures] == [True] * closed
    assert held.turn(1).error
    assert (held.error, held.session.end_reason) == (None, "caller hung up")


@pytest.mark.parametrize("closed", [False, True])
def test_audio_hooks_that_return_no_audio_let_it_pass_or_not(hold: Hold, closed: bool) -> None:
    to_recogniser = PipelineHooks(before_send_to_stt=lambda audio, ctx: "text", fail_closed=closed)
    held = hold(["One?"], hooks=to_recogniser, no_reply_seconds=2.0)
    heard = sum(usage.audio_seconds for turn in held.turns for usage in turn.usage if usage.service == "stt")
    assert (heard == 0) is closed
    told = [event["error"] for event in held.events("stage_failed")]
    assert told == ["before_send_to_stt returned str; it returns bytes or None"] * 2, "before the caller's words, and within them"

    from_voice = PipelineHooks(after_synthesize=lambda audio, sentence, ctx: [1], fail_closed=closed)
    held = hold(["One?"], hooks=from_voice, no_reply_seconds=2.0)
    assert (held.events("agent_speech") == []) is closed
    told = [event["error"] for event in held.events("stage_failed")]
    assert told == ["after_synthesize returned list; it returns bytes or None"] * 2, "one for each reply"


def test_audio_hooks_change_and_drop_audio(hold: Hold) -> None:
    sizes: list[int] = []

    def cut(audio: bytes, sentence: str, ctx: HookContext) -> bytes | None:
        sizes.append(len(audio))
        return None if "Second" in sentence else audio

    held = hold(["One?", "Two?"], hooks=PipelineHooks(after_synthesize=cut), no_reply_seconds=2.0)
    assert sizes
    assert held.turn(1).heard_text == "First answer."
    assert held.turn(2).error is None
    spoken = {event["reply"] for event in held.events("agent_speech")}
    assert held.turn(2).reply not in spoken


@pytest.mark.parametrize(("hook", "hears"), [(lambda audio, ctx: audio, True), (lambda audio, ctx: None, False)])
def test_what_before_send_to_stt_drops_is_not_paid_for(hold: Hold, hook: Any, hears: bool) -> None:
    held = hold(["One?"], hooks=PipelineHooks(before_send_to_stt=hook), no_reply_seconds=2.0)
    seconds = sum(usage.audio_seconds for turn in held.turns for usage in turn.usage if usage.service == "stt")
    assert (seconds > 0.5) is hears


def test_an_audio_hook_may_be_async_and_keeps_the_order(hold: Hold) -> None:
    async def slow(audio: bytes, ctx: HookContext) -> bytes:
        await asyncio.sleep(0.03)
        return audio

    held = hold(["One?", "Two?"], hooks=PipelineHooks(before_send_to_stt=slow))
    assert [turn.caller_text for turn in held.turns[1:]] == ["one", "two"]
    assert held.tasks_left == []


def test_hooks_run_with_on_message_too(hold: Hold) -> None:
    hooks = PipelineHooks(
        after_transcribe=lambda text, ctx: text.upper(), before_llm=lambda messages, ctx: None,
        after_llm={"on_chunk": lambda chunk: chunk + "!", "on_response": lambda text, ctx: text + " Yes."},
    )  # fmt: skip
    held = hold(["One?"], llm=None, hooks=hooks, callbacks=Callbacks(on_message=lambda message: f"You said {message['text']}"))
    assert held.turn(1).heard_text == "You said ONE! Yes."
