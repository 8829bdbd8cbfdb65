"""How a call over a line stands, in the words of its card."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from patter_nb.notebook.card import card_html
from patter_nb.notebook.standing import limits_of, remarks_of, short_number, standing_of, title_of
from patter_nb.notebook.tables import summary_parts, text_summary
from patter_nb.notebook.view import CallView
from patter_nb.records.facts import CallFacts, Direction, EventFacts
from patter_nb.records.lines import LineFacts

Make = Callable[..., CallView]
NOTHING = LineFacts(False, None, None, None, math.nan, math.nan, math.nan, None, None)


def facts(direction: Direction, caller: str = "+12125550134", callee: str = "+12125559877") -> CallFacts:
    return CallFacts(
        call_id="call_1", agent="reception", revision=1, direction=direction, caller=caller, callee=callee,
        started_at=datetime(2026, 11, 3, tzinfo=UTC),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("number", "short"),
    [
        ("+12125550134", "•••34"), ("+1•••••0134", "•••34"), ("anonymous", "anonymous"), ("", "an unknown number"),
        ("112", "112"), ("sip:reception@example.com", "sip:reception@example.com"),
    ],
)  # fmt: skip
def test_a_title_has_the_end_of_a_number(number: str, short: str) -> None:
    assert short_number(number) == short


def test_a_title_says_who_called_whom() -> None:
    kinds: tuple[Direction, ...] = ("inbound", "outbound", "test")
    assert [title_of(facts(each)) for each in kinds] == ["call from •••34", "call to •••77", "test call"]


class Case(NamedTuple):
    """A call on its way, with what is said of it."""

    direction: Direction
    state: Any
    line: LineFacts
    standing: str
    remark: str = ""


UNANSWERED = replace(NOTHING, outcome="no_answer", status="no-answer")
ANSWERED = replace(NOTHING, answered=True)
CASES = [
    Case("outbound", "running", NOTHING, "dialing"),
    Case("outbound", "running", replace(NOTHING, status="initiated"), "dialing"),
    Case("outbound", "running", replace(NOTHING, status="ringing"), "ringing"),
    Case("outbound", "running", replace(NOTHING, status="in-progress"), "connecting"),
    Case("inbound", "running", NOTHING, "ringing"),
    Case("inbound", "running", ANSWERED, ""),
    Case("test", "running", NOTHING, ""),
    Case("test", "ended", replace(NOTHING, outcome="no_answer"), ""),
    Case("outbound", "ended", replace(ANSWERED, outcome="answered"), ""),
    Case("outbound", "ended", UNANSWERED, "no answer", "Nobody picked up: call again later, or give ring_timeout= more seconds."),
    Case("outbound", "ended", replace(NOTHING, outcome="busy"), "busy", "The line is busy: call again later."),
    Case("outbound", "ended", replace(NOTHING, outcome="canceled"), "canceled", "It was given up."),
    Case(
        "inbound", "ended", replace(NOTHING, outcome="canceled"), "canceled", "The caller hung up before the call was connected.",
    ),
    Case(
        "outbound", "ended", replace(NOTHING, outcome="failed", reason="Not in service.", carrier_call_id="CA1"), "failed",
        "The carrier could not connect it (Not in service): check the number, then the carrier's own log, where it is CA1.",
    ),
    Case(
        "outbound", "ended", replace(ANSWERED, outcome="voicemail", answered_by="machine", amd_ms=3412.0, message_left=True),
        "voicemail", "A machine answered, as the carrier heard after 3\u2009412 ms; the message was left.",
    ),
    Case("outbound", "ended", replace(ANSWERED, answered_by="fax"), "", "A fax answered, as the carrier heard."),
    Case(
        "outbound", "running", replace(ANSWERED, answered_by="unknown", amd_ms=900.0), "",
        "The carrier could not tell after 900 ms whether a person answered.",
    ),
    Case("outbound", "running", replace(ANSWERED, answered_by="human", amd_ms=900.0), ""),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.direction} {case.state} {case.standing or '-'}")
def test_a_call_stands_where_its_carrier_says_and_one_that_failed_has_a_remedy(case: Case) -> None:
    assert standing_of(facts(case.direction), case.state, case.line) == case.standing
    assert "; ".join(remarks_of(facts(case.direction), case.line, error=None)) == case.remark


def test_an_error_has_its_own_remedy_and_needs_no_other() -> None:
    assert remarks_of(facts("outbound"), replace(NOTHING, outcome="failed"), error="Twilio refused it: verify the number.") == []
    assert standing_of(facts("outbound"), "failed", replace(NOTHING, outcome="failed")) == ""


def test_what_the_limit_of_a_call_cannot_see_is_told_in_one_line() -> None:
    events = [EventFacts(1.0, "cost_not_seen", {"what": what, "limit_usd": 2.0}) for what in ("llm acme m", "tts acme v")]
    assert limits_of(events, "test") == []
    assert limits_of(events, "outbound") == ["The limit of 2 USD does not see what has no known price: llm acme m, tts acme v."]
    assert limits_of([EventFacts(1.0, "answered", {})], "inbound") == []


# On a card.


def shown(view: CallView) -> str:
    """The words that stand on the card."""
    return " ".join(re.sub(r"<[^>]+>", " ", card_html(view).split("</style>")[1]).split())


def test_a_call_that_nobody_answered_tells_how_long_it_rang_and_draws_nothing(make_view: Make) -> None:
    cost = make_view(0).cost.assign(usd=0.0, unknown=None)
    view = make_view(
        0, title="call to •••77", caller="", answered=False, standing="no answer", ring_seconds=25.0, end_reason="no answer",
        notes=("Nobody picked up.",), cost=cost, speech=(),
    )  # fmt: skip
    assert summary_parts(view) == ["call to •••77", "rang 25 s"]
    assert text_summary(view).startswith("reception (no answer): call to •••77 · rang 25 s\n")
    assert shown(view).startswith("reception no answer call to •••77 · rang 25 s")
    assert "pnb-unanswered" in card_html(view).split("</style>")[1]
    assert not {"Reply gap", "Cost", "0:00", "turns"} & set(re.findall("Reply gap|Cost|0:00|turns", shown(view)))


def test_what_was_spent_before_anybody_answered_stays_on_the_card(make_view: Make) -> None:
    view = make_view(1, answered=False, standing="busy")
    assert "Cost" in shown(view)


@pytest.mark.parametrize("standing", ["dialing", "ringing", "connecting"])
def test_a_call_on_its_way_is_a_line_without_empty_room(standing: str, make_view: Make) -> None:
    view = make_view(0, state="running", answered=False, standing=standing, end_reason="", speech=())
    assert shown(view).startswith(f"reception {standing} test call")
    assert "pnb-tables" not in card_html(view).split("</style>")[1]
