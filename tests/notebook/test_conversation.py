from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest

from patter_nb.notebook.conversation import OPEN_TURNS, conversation_html, heard_and_unheard
from patter_nb.notebook.view import CallView
from patter_nb.turns.facts import ToolRun

Make = Callable[..., CallView]


def plain(html: str) -> str:
    return " ".join(unescape(re.sub("<[^>]+>", " ", html)).split())


@pytest.mark.parametrize(
    ("generated", "heard", "parts"),
    [
        ("Yes. We do.", "Yes. We do.", ("Yes. We do.", "")),
        ("Yes. We do.", "Yes.", ("Yes.", "We do.")),
        ("Yes. We do.", "", ("", "Yes. We do.")),
        ("", "", ("", "")),
        ("One moment.", "Something else.", ("Something else.", "One moment.")),
    ],
)
def test_words_are_either_heard_or_not(generated: str, heard: str, parts: tuple[str, str]) -> None:
    assert heard_and_unheard({"agent_text": generated, "heard_text": heard}) == parts


def test_what_was_generated_but_not_heard_is_struck_and_the_cut_is_marked(make_view: Make) -> None:
    html = conversation_html(make_view(2, changes={2: {"heard_text": "Yes, a mushroom risotto."}}))
    assert "Yes, a mushroom risotto. <del>Shall I put a table aside for you?</del>" in html
    assert plain(html).count("interrupted") == 1


def test_the_turns_stand_in_order_with_their_gaps(make_view: Make) -> None:
    view = make_view(3)
    said = plain(conversation_html(view))
    landmarks = ("Acme, good evening! greeting", "1 caller Hi, when", "2 caller Do you", "3 caller It's")
    order = [said.index(text) for text in landmarks]
    assert order == sorted(order)
    assert all(f"{gap:.0f} ms" in said for gap in view.turns["gap_ms"].dropna())


def test_overlapping_words_tools_and_errors_stand_with_their_turn(make_view: Make) -> None:
    changes = {1: {"overlap_text": "mhm", "tools": (ToolRun("1", "book", "{}"),), "error": "LocalTTS failed."}}
    said = plain(conversation_html(make_view(2, changes=changes)))
    assert "Dinner is served from six to ten. tools: book LocalTTS failed." in said
    assert "caller mhm over the agent" in said


RAN = {
    "with its time": (ToolRun("1", "book", "{}", "done", None, 2.5, 3.71), "book 1 210 ms"),
    "failed": (ToolRun("1", "book", "{}", None, "no table is free", 2.5, 2.6), "book 100 ms failed"),
    "not returned": (ToolRun("1", "book", "{}", None, "cancelled", 2.5), "book failed"),
    "of an earlier version": (ToolRun("1", "book", "{}", "done"), "book"),
}


@pytest.mark.parametrize(("run", "told"), RAN.values(), ids=RAN)
def test_a_tool_is_told_with_its_time_and_whether_it_failed(make_view: Make, run: ToolRun, told: str) -> None:
    other = ToolRun("2", "look", "{}", "ok", None, 2.0, 2.02)
    said = unescape(conversation_html(make_view(2, cut=(), changes={1: {"tools": (other, run)}})))
    assert f">tools: look 20 ms, {told}</span>" in said
    assert said.count("tools:") == 1


def test_where_the_executions_are_not_known_the_row_names_the_tools(make_view: Make) -> None:
    view = make_view(1, changes={1: {"tools": (ToolRun("1", "book", "{}", "done", None, 2.5, 3.0),)}}, tools={})
    assert "tools: book" in plain(conversation_html(view))
    assert "500 ms" not in plain(conversation_html(view))


def test_a_guardrail_is_told_with_the_reply_it_replaced(make_view: Make) -> None:
    said = plain(conversation_html(make_view(2, cut=(), changes={1: {"guardrails": ("no prices", "no <b>legal</b> advice")}})))
    assert "Dinner is served from six to ten. guardrail: no prices, no <b>legal</b> advice" in said
    assert said.count("guardrail") == 1


def test_an_edit_is_told_with_when_it_was_asked_for(make_view: Make) -> None:
    edited = {"revision": 3, "edit_requested_at": 12.34, "edit_effective_turn": 2}
    said = plain(conversation_html(make_view(3, changes={2: edited, 3: edited})))
    assert said.count("revision 3 of the agent from here, edited at 12.3 s") == 1
    assert said.count("edited") == 1


@pytest.mark.parametrize("words", ["", "[DTMF: 123]", "still there?"])
def test_a_turn_that_was_not_answered_while_the_agent_was_mute_has_its_place(make_view: Make, words: str) -> None:
    silent = {"caller_text": words, "agent_text": "", "heard_text": "", "reply": 0, "revision": None, "instants": {}}
    said = plain(conversation_html(make_view(3, cut=(), changes={2: silent})))
    assert f"2 caller {words or '(no words)'} agent (no reply) 3 caller It's" in said


def test_a_new_revision_is_told_where_it_took_over(make_view: Make) -> None:
    said = plain(conversation_html(make_view(3, changes={2: {"revision": 2}, 3: {"revision": 2}})))
    assert said.count("of the agent from here") == 1
    assert said.index("Dinner is served") < said.index("revision 2 of the agent from here") < said.index("vegetarian")


def test_a_turn_without_words_or_reply_says_so(make_view: Make) -> None:
    silent = {"caller_text": "", "agent_text": "", "heard_text": "", "instants": {}}
    said = plain(conversation_html(make_view(2, cut=(), changes={1: silent, 2: {"heard_text": "", "instants": {}}})))
    assert "1 caller (no words) agent (no reply)" in said
    assert said.endswith("not heard")


def test_a_long_conversation_is_folded_unless_the_call_still_runs(make_view: Make) -> None:
    assert conversation_html(make_view(OPEN_TURNS - 1)).startswith("<details open>")
    assert conversation_html(make_view(OPEN_TURNS)).startswith("<details>")
    assert conversation_html(make_view(OPEN_TURNS, state="running")).startswith("<details open>")


def test_no_rows_no_conversation(make_view: Make) -> None:
    view = make_view(0)
    assert conversation_html(make_view(0, turns=view.turns.iloc[:0])) == ""
