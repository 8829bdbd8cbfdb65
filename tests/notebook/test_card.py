from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patter_nb.audio.recording import Recording
from patter_nb.notebook.card import card_html
from patter_nb.notebook.picture import drawable
from patter_nb.notebook.view import CallView
from patter_nb.records.masking import mask_text

Make = Callable[..., CallView]
VOID = {"br", "img", "hr", "meta", "input", "link"}
MARKUP = ("<b>", "</div>", "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "&lt;", "]]>", "<!--", "</style>", "'")


class Strict(HTMLParser):
    """Reads HTML and fails where a browser would have to guess."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len({name for name, _ in attrs}), f"<{tag}> has an attribute twice"
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")


def read(html: str) -> Strict:
    parser = Strict()
    parser.feed(html)
    parser.close()
    assert not parser.open
    return parser


def shown(html: str) -> str:
    return " ".join(" ".join(read(html).text).split())


TEXTS = st.one_of(st.text(max_size=60), st.sampled_from(MARKUP), st.lists(st.sampled_from(MARKUP), max_size=4).map("".join))
ALLOWED = {
    "div", "span", "p", "table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary", "del", "br", "style",
    "audio", "svg", "rect", "text", "path", "title",
}  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=TEXTS, answered=TEXTS, other=TEXTS)
def test_a_card_is_well_formed_and_escaped_whatever_was_said(make_view: Make, said: str, answered: str, other: str) -> None:
    facts = {"caller_text": said, "agent_text": answered, "heard_text": answered[:3], "overlap_text": other, "error": other}
    around = dict.fromkeys(("title", "caller", "end_reason", "error"), other)
    view = make_view(1, changes={1: facts}, agent=said, notes=(answered,), **around)
    card = read(card_html(view))
    assert card.tags <= ALLOWED
    assert not [name for name, _ in card.attributes if name.startswith("on")]
    words = " ".join(drawable(" ".join(said.split())).split())
    holds_a_number = mask_text(said) != said or mask_text(words) != words
    assert holds_a_number or words in " ".join(" ".join(card.text).split())


@pytest.mark.parametrize("count", [0, 1, 6, 40])
@pytest.mark.parametrize("state", ["running", "ended", "failed"])
def test_a_card_of_any_size_is_well_formed_and_small(make_view: Make, count: int, state: str) -> None:
    html = card_html(make_view(count, state=state))
    assert read(html).tags <= ALLOWED
    assert len(html.encode()) < 150_000


def test_the_parts_stand_in_their_order(make_view: Make, recording: Recording) -> None:
    html = card_html(make_view(3, recording=recording))
    landmarks = ("reception", "<audio", "Reply gap by turn", "Who spoke when", "Latency, ms", "Cost", "Conversation")
    places = [html.index(landmark, html.index("</style>")) for landmark in landmarks]
    assert places == sorted(places)


def test_the_head_tells_who_called_how_long_and_how_it_ended(make_view: Make) -> None:
    assert shown(card_html(make_view(6))).startswith(
        "reception ended test call · +1•••••4321 · 0:32 · 6 turns · caller hung up 2026-11-03 14:02 UTC"
    )


def test_nothing_is_loaded_from_anywhere_and_nothing_runs(make_view: Make, recording: Recording) -> None:
    html = card_html(make_view(6, recording=recording))
    sources = [value for name, value in read(html).attributes if name in ("src", "href", "srcset", "data", "action")]
    assert [source[:22] for source in sources] == ["data:audio/wav;base64,"]
    assert not re.search(r"https?:|url\(|@import|<script|javascript:", html)


def test_no_phone_number_is_shown_raw(make_view: Make) -> None:
    secret = "my number is +1 555 765 4321, or +15557654321"
    told = dict.fromkeys(("caller_text", "agent_text", "heard_text", "overlap_text", "error"), secret)
    view = make_view(1, changes={1: told}, title=secret, error=secret, notes=(secret,))
    html = card_html(replace(view, agent=secret, end_reason=secret, caller="+15557654321", callee="+15557654321"))
    assert "•••••4321" in html
    assert not re.search(r"765.?4321", html)


def test_an_error_is_one_line_and_comes_before_everything_else(make_view: Make) -> None:
    html = card_html(make_view(1, state="failed", error="The store is gone.\nStart it again.", end_reason="failed"))
    assert '<p class="pnb-error">The store is gone. Start it again.</p>' in html
    assert html.index("The store is gone.") < html.index("Reply gap by turn")


def test_a_call_that_only_rings_is_not_said_to_be_on(make_view):
    assert "not answered yet" in card_html(make_view(0, state="running", answered=False))
    assert "not answered yet" not in card_html(make_view(1, state="running"))


def test_a_running_call_shows_no_empty_tables(make_view: Make) -> None:
    text = shown(card_html(make_view(0, state="running", speech=())))
    assert "in call" in text
    assert "Cost" not in text
    assert "measured" not in text


def test_unknown_prices_are_told_with_their_reason(make_view: Make) -> None:
    cost = make_view(1).cost.copy()
    cost.loc[cost["part"] == "tts", ["usd", "unknown"]] = [float("nan"), "no price of tts acme/voice"]
    text = shown(card_html(make_view(1, cost=cost)))
    assert "unknown" in text
    assert text.count("no price of tts acme/voice") == 1


def test_without_a_recording_there_is_no_player(make_view: Make, recording: Recording) -> None:
    assert "<audio" not in card_html(make_view(1))
    assert "<audio" not in card_html(make_view(1, recording=Recording(recording.samples[:0], 8000)))
