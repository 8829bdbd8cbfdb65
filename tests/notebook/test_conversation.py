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
