"""The text of a reply on its way from the model to the voice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from patter_nb.callbacks import Callbacks
from patter_nb.callers import Line
from patter_nb.guardrails import Guardrail, guardrail
from patter_nb.hooks import PipelineHooks
from patter_nb.providers.base import TextDelta
from patter_nb.providers.scripted import ScriptedLLM
from patter_nb.text import filter_for_tts
from patter_nb.tools import Reassurance, tool
from patter_nb.turns.messages import ToolRequest

Hold = Callable[..., Any]
SORRY = "I'm sorry, I can't respond to that."
SECRET = guardrail("secret", blocked_terms=["hunter2"])


def pieces(text: str, size: int = 1) -> list[TextDelta]:
    return [TextDelta(text[start : start + size]) for start in range(0, len(text), size)]


def said(hold: Hold, answer: Any, **settings: Any) -> Any:
    """The first turn of a call whose model answers this, and then "Fine."."""
    return hold(["One?", "Two?"], llm=ScriptedLLM([answer, "Fine."]), **settings)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_blocked_term_is_nowhere_however_it_is_cut(hold: Hold, size: int) -> None:
    asked: list[Any] = []

    def answer(messages: Any) -> Any:
        asked.append(messages)
        return pieces("Sure. The password is Hunter2, okay? And more.", size) if len(asked) == 1 else "Fine."

    held = hold(["One?", "Two?"], llm=ScriptedLLM(answer), guardrails=[SECRET])
    assert held.turn(1).heard_text == f"Sure. {SORRY}"
    assert held.turn(1).guardrails == ("secret",)
    assert "hunter2" not in (repr(held.turns) + repr(asked)).lower()
    (hit,) = held.events("guardrail")
    assert (hit["name"], hit["matched"], hit["stage"]) == ("secret", "hunter2", "terms")
    assert held.turn(2).heard_text == "Fine."


def test_the_time_a_term_was_held_back_is_told(hold: Hold) -> None:
    async def slowly(messages: Any) -> Any:
        yield TextDelta("It is hun")
        await asyncio.sleep(0.5)
        yield TextDelta("ter2.")

    from patter_nb.providers.custom import CustomLLM

    held = hold(["One?"], llm=CustomLLM(slowly, virtual_time=True), guardrails=[SECRET])
    assert held.events("guardrail")[0]["added_ms"] == pytest.approx(500, abs=5)
    assert held.rows["guardrail_ms"].iloc[1] == pytest.approx(500, abs=5)


def test_what_only_begins_like_a_term_is_said(hold: Hold) -> None:
    assert said(hold, pieces("I am a hunter. Hunter"), guardrails=[SECRET]).turn(1).heard_text == "I am a hunter. Hunter"


def test_a_term_across_two_sentences_is_blocked_before_the_first_half_is_said(hold: Hold) -> None:
    rail = guardrail("film", blocked_terms=["kill. bill"])
    assert said(hold, pieces("They kill. Bill is here."), guardrails=[rail]).turn(1).heard_text == SORRY


def seen_by(texts: list[str]) -> Guardrail:
    def check(text: str) -> bool:
        texts.append(text)
        return "beta" in text and "alpha" in text

    return Guardrail("pair", check=check)


def test_a_check_sees_each_sentence_with_the_one_before(hold: Hold) -> None:
    texts: list[str] = []
    held = said(hold, "One alpha here. Two of them. Three alpha. Four beta.", guardrails=[seen_by(texts)])
    pairs = ["One alpha here. Two of them.", "Two of them. Three alpha.", "Three alpha. Four beta."]
    assert texts == ["One alpha here.", *pairs, "Fine."]
    assert held.turn(1).heard_text == f"One alpha here. Two of them. Three alpha. {SORRY}"


def test_a_check_sees_a_sentence_that_stayed_as_it_was_with_what_was_said_before_it(hold: Hold) -> None:
    words = {"Foo is.": "I say alpha.", "Two.": None}
    hooks = PipelineHooks(before_synthesize=lambda sentence, ctx: words.get(sentence, sentence))
    said_first = {"Foo is. A beta.": "I say alpha.", "Foo is. Two. A beta.": "I say alpha.", "A beta. Foo is.": "A beta."}
    for answer, heard in said_first.items():
        held = said(hold, answer, guardrails=[seen_by([])], hooks=hooks)
        assert held.turn(1).heard_text == f"{heard} {SORRY}"
        assert held.events("guardrail")[0]["stage"] == "last check"


async def _async_check(text: str) -> bool:
    await asyncio.sleep(0.01)
    return "bad" in text


def _raises(text: str) -> bool:
    raise KeyError("no model")


@pytest.mark.parametrize(
    ("rail", "heard", "error"),
    [
        (Guardrail("a", check=_async_check), f"Good. {SORRY}", None),
        (Guardrail("r", check=_raises), "Good. This is bad.", "guardrail r raised KeyError: 'no model'"),
        (Guardrail("r", check=_raises, fail_closed=True), SORRY, "guardrail r raised KeyError: 'no model'"),
    ],
)
def test_checks_may_be_async_and_one_that_raises_passes_or_blocks(hold: Hold, rail: Guardrail, heard: str, error: Any) -> None:
    turn = said(hold, "Good. This is bad.", guardrails=[rail]).turn(1)
    assert (turn.heard_text, turn.error) == (heard, error)


def test_the_first_match_wins(hold: Hold) -> None:
    rails = [guardrail("late", ["later"], replacement="The second."), guardrail("soon", ["soon"], replacement="The first.")]
    assert said(hold, "It is soon or later.", guardrails=rails).turn(1).heard_text == "The first."


def test_what_a_later_hook_puts_back_is_blocked_at_the_last_look(hold: Hold) -> None:
    hooks = PipelineHooks(before_synthesize=lambda sentence, ctx: sentence.replace("X", "hunter2"))
    turn = said(hold, "All fine. It is X. And more.", guardrails=[SECRET], hooks=hooks).turn(1)
    assert turn.heard_text == f"All fine. {SORRY}"


def test_a_check_looks_again_at_what_a_hook_changed(hold: Hold) -> None:
    rail = Guardrail("bad", check=lambda text: "bad" in text)
    hooks = PipelineHooks(after_llm={"on_sentence": lambda sentence, ctx: sentence.replace("X", "bad")})
    held = said(hold, "It is X.", guardrails=[rail], hooks=hooks)
    assert held.turn(1).heard_text == SORRY
    assert held.events("guardrail")[0]["stage"] == "last check"


def test_a_term_that_a_transform_uncovers_is_blocked(hold: Hold) -> None:
    rail = guardrail("g", blocked_terms=["bad word"])
    turn = said(hold, "A **bad** word.", guardrails=[rail], text_transforms=[filter_for_tts]).turn(1)
    assert turn.heard_text == SORRY


def test_nothing_more_is_asked_of_a_model_whose_answer_was_replaced(hold: Hold) -> None:
    taken: list[int] = []

    async def endless(messages: Any) -> Any:
        for number in range(1000):
            taken.append(number)
            yield TextDelta("It is hunter2. " if number == 3 else "Good. ")
            await asyncio.sleep(0.01)

    from patter_nb.providers.custom import CustomLLM

    held = hold(["One?"], llm=CustomLLM(endless, virtual_time=True), guardrails=[SECRET])
    assert len(taken) == 4
    assert held.turn(1).heard_text == f"Good. Good. Good. {SORRY}"
    assert held.tasks_left == []


HOOKED: list[tuple[dict[str, Any], str]] = [
    ({"after_llm": {"on_chunk": str.upper}}, "ONE. TWO."),
    ({"after_llm": {"on_chunk": lambda chunk: None}}, "One. Two."),
    ({"after_llm": {"on_sentence": lambda sentence, ctx: "" if "One" in sentence else None}}, "Two."),
    ({"after_llm": {"on_response": lambda text, ctx: text.replace("Two", "2")}}, "One. 2."),
    ({"after_llm": lambda text, ctx: "All new. Really."}, "All new. Really."),
    ({"before_synthesize": lambda sentence, ctx: None if "One" in sentence else sentence + " Ha."}, "Two. Ha."),
]


@pytest.mark.parametrize(("hooks", "heard"), HOOKED)
def test_each_text_hook_changes_what_is_said_and_remembered(hold: Hold, hooks: dict[str, Any], heard: str) -> None:
    held = said(hold, "One. Two.", hooks=PipelineHooks(**hooks))
    assert held.turn(1).heard_text == heard
    assert held.turn(1).agent_text == heard
    assert held.turn(1).error is None


def _broken(*_: Any) -> Any:
    raise ValueError("it broke")


STAGES: list[dict[str, Any]] = [
    {"after_llm": {"on_chunk": _broken}}, {"after_llm": {"on_sentence": _broken}}, {"after_llm": {"on_response": _broken}},
    {"before_synthesize": _broken}, {"before_llm": _broken},
]  # fmt: skip


@pytest.mark.parametrize(("closed", "heard"), [(False, "One. Two."), (True, "")])
def test_a_piece_that_becomes_no_text_is_a_failure_of_its_hook(hold: Hold, closed: bool, heard: str) -> None:
    hooks = PipelineHooks(after_llm={"on_chunk": lambda chunk: 5}, fail_closed=closed)
    turn = said(hold, "One. Two.", hooks=hooks).turn(1)
    assert turn.error.startswith("after_llm.on_chunk returned int; it returns a string or None")
    assert heard in turn.heard_text
    assert ("One" in turn.heard_text) is not closed


@pytest.mark.parametrize("hooks", STAGES, ids=lambda hooks: str(next(iter(hooks.items())))[:40])
@pytest.mark.parametrize("closed", [False, True])
def test_a_hook_that_raises_lets_the_text_pass_or_not_and_its_error_is_in_the_row(hold: Hold, hooks: Any, closed: bool) -> None:
    held = said(hold, "One. Two.", hooks=PipelineHooks(**hooks, fail_closed=closed))
    turn = held.turn(1)
    assert "it broke" in turn.error
    assert ("One. Two." in turn.heard_text) is not closed
    assert held.turn(2).caller_text == "two"


def test_a_hook_that_takes_too_long_is_left_behind(hold: Hold) -> None:
    async def slow(sentence: str, ctx: Any) -> str:
        await asyncio.sleep(3600)
        return "never"

    turn = said(hold, "One.", hooks=PipelineHooks(before_synthesize=slow)).turn(1)
    assert (turn.heard_text, "took longer than 5 s" in turn.error) == ("One.", True)


def test_a_transform_that_raises_or_returns_nonsense_is_left_out(hold: Hold) -> None:
    turn = said(hold, "One.", text_transforms=[_broken, lambda text: 5, str.upper]).turn(1)
    assert (turn.heard_text, turn.error) == ("ONE.", "the text transform _broken raised ValueError: it broke")


class Ambiguous:
    """As an array: neither true nor false."""

    def __bool__(self) -> bool:
        raise ValueError("the truth is ambiguous")


@pytest.mark.parametrize(("closed", "heard"), [(False, "Good."), (True, SORRY)])
def test_a_check_whose_answer_is_neither_true_nor_false_has_failed(hold: Hold, closed: bool, heard: str) -> None:
    rail = Guardrail("r", check=lambda text: Ambiguous(), fail_closed=closed)
    held = said(hold, "Good.", guardrails=[rail])
    assert held.turn(1).heard_text == heard
    assert held.turn(1).error.endswith("raised ValueError: the truth is ambiguous")
    assert held.error is None


class Odd(str):
    """A text of a user's class that fails where ours are trimmed."""

    def strip(self, *_: Any) -> str:
        raise KeyError("strip")


def test_a_sentence_that_cannot_go_on_is_left_out_and_the_call_goes_on(hold: Hold) -> None:
    hooks = PipelineHooks(before_synthesize=lambda sentence, ctx: Odd(sentence) if "One" in sentence else sentence)
    held = said(hold, "One. Two.", hooks=hooks)
    assert (held.turn(1).heard_text, held.error) == ("Two.", None)
    assert held.turn(1).error == "the stages of the text raised KeyError: 'strip'"


REWRITTEN: list[tuple[str, str]] = [
    # What is blocked, and what is heard of three sentences that a hook makes "foo", "bar" and "baz"
    ("foo bar baz", f"foo bar {SORRY}"),
    ("oo bar b", f"foo bar {SORRY}"),
    ("bar baz", f"foo bar {SORRY}"),
    ("foo baz", "foo bar baz"),
    ("foo bar baz foo", "foo bar baz"),
]


@pytest.mark.parametrize(("term", "heard"), REWRITTEN)
def test_a_term_that_hooks_spread_over_several_sentences_is_not_completed(hold: Hold, term: str, heard: str) -> None:
    words = {"One.": "foo", "Two.": "bar", "Three.": "baz"}
    hooks = PipelineHooks(before_synthesize=lambda sentence, ctx: words.get(sentence))
    held = said(hold, "One. Two. Three.", guardrails=[guardrail("g", blocked_terms=[term, "x"])], hooks=hooks)
    assert held.turn(1).heard_text == heard


LATE: list[dict[str, Any]] = [
    # Ways in which words are blocked some time after the model wrote them
    {"guardrails": [Guardrail("slow", check=_async_check)]},
    {
        "guardrails": [guardrail("bad", blocked_terms=["awful"])],
        "hooks": PipelineHooks(before_synthesize=lambda sentence, ctx: sentence.replace("bad", "awful")),
    },
    {
        "guardrails": [guardrail("bad", blocked_terms=["awful"])],
        "hooks": PipelineHooks(after_llm=lambda text, ctx: text.replace("bad", "awful")),
    },
    {"guardrails": [guardrail("bad", blocked_terms=["bad"])]},
]


@pytest.mark.parametrize("settings", LATE)
@pytest.mark.parametrize("end", [".", ""])
def test_a_tool_that_was_asked_for_after_blocked_words_is_not_run(hold: Hold, settings: dict[str, Any], end: str) -> None:
    done: list[str] = []
    order = tool(name="order", handler=lambda: done.append("x"))
    asks = ToolRequest("t1", "order", "{}")
    held = said(hold, [TextDelta(f"This is bad{end}"), asks], tools=[order], **settings)
    assert (held.turn(1).heard_text, held.turn(1).tools, done) == (SORRY, (), [])
    held = hold(["One?"], llm=ScriptedLLM([[TextDelta(f"This is fine{end}"), asks], "Done."]), tools=[order], **settings)
    assert [run.id for run in held.turn(1).tools] == ["t1"]
    assert held.turn(1).heard_text == f"This is fine{end} Done."


HALVES: list[tuple[list[list[Any]], list[str]]] = [
    # What the model answers one after another where "grand palace" is blocked, and which tools are run
    ([["The grand ", "f", "palace."]], []),
    ([["Grand ", "f", "palace."]], []),
    ([["The grand ", "f", "hall."]], ["f"]),
    ([["The grand ", "f", "hall. ", "g", "More."]], ["f", "g"]),
    ([["The grand", "f"], ["palace", "g"]], ["f"]),
    ([["The grand", "f"], ["palace now. ", "g"]], ["f"]),
    ([["The grand", "f"], ["hall", "g"]], ["f", "g"]),
]


@pytest.mark.parametrize(("answers", "run"), HALVES)
def test_a_tool_that_is_asked_for_within_a_blocked_term_is_not_run(hold: Hold, answers: list[list[str]], run: list[str]) -> None:
    done: list[str] = []
    run_by = {name: lambda name=name: done.append(name) for name in "fg"}
    tools = [tool(name=name, handler=handler, parameters={"type": "object"}) for name, handler in run_by.items()]
    replies = [[ToolRequest(each, each, "{}") if each in run_by else TextDelta(each) for each in answer] for answer in answers]
    rail = guardrail("palace", blocked_terms=["grand palace"])
    held = hold(["One?"], llm=ScriptedLLM([*replies, "Done."]), tools=tools, guardrails=[rail])
    assert done == run
    assert held.turn(1).heard_text.endswith("Done." if "hall" in repr(answers) else SORRY)


@pytest.mark.parametrize("rail", [guardrail("bad", blocked_terms=["bad"]), Guardrail("bad", check=lambda text: "bad" in text)])
def test_no_filler_line_is_said_after_the_replacement(hold: Hold, rail: Guardrail) -> None:
    async def slow() -> str:
        await asyncio.sleep(4)
        return "done"

    look = tool(name="look", handler=slow, reassurance=Reassurance("One moment.", after_ms=500))
    words = [ToolRequest("t1", "look", "{}"), *pieces("This is bad.", 4)]
    held = said(hold, words, tools=[look], guardrails=[rail])
    assert held.turn(1).heard_text == SORRY


def test_no_hook_and_no_check_looks_at_a_reply_that_was_cut_off(hold: Hold) -> None:
    at: list[tuple[float, str]] = []
    ended: list[str] = []

    async def check(text: str) -> bool:
        at.append((asyncio.get_running_loop().time(), text))
        try:
            await asyncio.sleep(0.6)
        except asyncio.CancelledError:
            ended.append(text)
            raise
        return False

    story = " ".join(f"Sentence number {number} is here now." for number in range(12))
    lines = ["One?", Line("Stop please right now and listen to me.", interrupt_after_seconds=1.0)]
    held = hold(lines, llm=ScriptedLLM([story, "Fine."]), guardrails=[Guardrail("slow", check=check)])
    cut_at = held.tap.zero + held.turn(1).instants["cleared_at"]
    assert [text for when, text in at if when > cut_at] == ["Fine."]
    assert len([text for when, text in at if when < cut_at]) < 8
    assert len(ended) == 1
    assert (held.turn(2).heard_text, held.tasks_left) == ("Fine.", [])


SILENCED: list[dict[str, Any]] = [
    {"hooks": PipelineHooks(after_llm=lambda text, ctx: "")},
    {"hooks": PipelineHooks(after_llm={"on_chunk": lambda chunk: ""})},
    {"hooks": PipelineHooks(after_llm={"on_sentence": lambda sentence, ctx: ""})},
    {"hooks": PipelineHooks(before_synthesize=lambda sentence, ctx: None)},
    {"text_transforms": [lambda text: ""]},
    {"text_transforms": [lambda text: " "]},
    {"llm": None, "callbacks": Callbacks(on_message=lambda message: "")},
]


@pytest.mark.parametrize("settings", SILENCED)
def test_a_reply_that_is_silenced_on_purpose_is_no_failure(hold: Hold, settings: dict[str, Any]) -> None:
    held = hold(["One?", "Two?", "Three?", "Four?"], no_reply_seconds=2.0, **settings)
    assert [(turn.heard_text, turn.error) for turn in held.turns[1:]] == [("", None)] * 4
    assert (held.events("reply_failed"), held.session.end_reason) == ([], "caller hung up")


def test_a_model_that_writes_nothing_fails_whatever_the_stages_do(hold: Hold) -> None:
    for answer in ("", " "):
        held = said(hold, answer, hooks=PipelineHooks(before_synthesize=lambda sentence, ctx: None), no_reply_seconds=2.0)
        assert held.turn(1).error == "the reply was empty"
        assert held.turn(2).error is None


def _odd(sentence: str, ctx: Any) -> str:
    return Odd(sentence)


@pytest.mark.parametrize(
    "settings",
    [
        {"hooks": PipelineHooks(before_synthesize=_broken, fail_closed=True)},
        {"hooks": PipelineHooks(after_llm={"on_chunk": _broken}, fail_closed=True)},
        {"hooks": PipelineHooks(before_synthesize=_odd)},
    ],
)
def test_a_reply_of_which_nothing_is_left_since_a_stage_failed_is_a_failure(hold: Hold, settings: dict[str, Any]) -> None:
    held = hold(["One?", "Two?", "Three?", "Four?"], no_reply_seconds=2.0, **settings)
    assert [event["error"] for event in held.events("reply_failed")] == ["the reply was empty"] * 3
    assert held.session.end_reason == "3 failures in a row"


def _cancels(*_: Any) -> Any:
    raise asyncio.CancelledError("x")


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"hooks": PipelineHooks(after_llm={"on_chunk": _cancels})}, "after_llm.on_chunk was cancelled."),
        ({"hooks": PipelineHooks(before_synthesize=_cancels)}, "before_synthesize was cancelled."),
        ({"text_transforms": [_cancels]}, "the text transform _cancels was cancelled."),
        ({"guardrails": [Guardrail("r", check=_cancels)]}, "guardrail r was cancelled."),
    ],
)
def test_a_stage_that_says_it_was_cancelled_has_failed(hold: Hold, settings: dict[str, Any], error: str) -> None:
    held = said(hold, "One. Two.", **settings)
    assert (held.turn(1).heard_text, held.turn(1).error) == ("One. Two.", error)
    assert held.turn(2).heard_text == "Fine."


def test_where_nothing_is_blocked_later_a_tool_runs_while_the_model_still_writes(hold: Hold) -> None:
    order = tool(name="order", handler=lambda: "done")
    words = [TextDelta("I do it. "), ToolRequest("t1", "order", "{}"), *pieces("And a few words more. " * 3, 5)]
    for settings in ({}, {"guardrails": [SECRET]}):
        held = hold(["One?"], llm=ScriptedLLM([words, "Done."], token_seconds=0.1), tools=[order], **settings)
        (run,) = held.turn(1).tools
        assert run.called_at < held.turn(1).instants["llm_finished_at"] - 0.5


def test_the_time_of_the_stages_has_a_span_of_its_own(hold: Hold) -> None:
    async def slow(sentence: str, ctx: Any) -> str:
        await asyncio.sleep(0.2)
        return sentence

    held = said(hold, "One.", hooks=PipelineHooks(before_synthesize=slow))
    row = held.rows.iloc[1]
    assert row["stages_ms"] == pytest.approx(200, abs=2)
    assert row["unexplained_ms"] == pytest.approx(0, abs=2)
