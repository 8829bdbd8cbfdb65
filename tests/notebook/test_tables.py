from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from patter_nb.notebook.tables import NOTHING_MEASURED, cost_lines, latency_lines, text_summary, turn_costs, unknown_costs
from patter_nb.notebook.view import CallView
from patter_nb.records.spans import SPANS, SpanKind
from patter_nb.turns.usage import Usage

Make = Callable[..., CallView]
UNKNOWN = {1: {"usage": (Usage("tts", "nobody", "knows", characters=20),)}}


def test_the_gap_comes_first_then_its_parts_in_their_order(make_view: Make) -> None:
    columns = [line.column for line in latency_lines(make_view(4))]
    parts = [kind.column for kind in SPANS if not kind.rare]
    assert columns == ["gap_ms", *parts, "unexplained_ms", "agent_response_ms"]


@pytest.mark.parametrize("rare", [kind for kind in SPANS if kind.rare], ids=lambda kind: kind.name)
def test_a_stage_that_few_turns_have_is_told_as_soon_as_one_has_it(make_view: Make, rare: SpanKind) -> None:
    turn = {"speech_ended_at": 2.0, rare.start: 2.4, rare.end: 2.5, "audible_at": 3.0}
    lines = {line.column: line for line in latency_lines(make_view(4, changes={1: {"instants": turn}}))}
    assert (lines[rare.column].n, lines[rare.column].percentiles[-1]) == (4, "97")
    assert rare.column not in {line.column for line in latency_lines(make_view(4))}


def test_percentiles_are_the_views_own(make_view: Make) -> None:
    view = make_view(4)
    gap = latency_lines(view)[0]
    assert gap.n == 4
    assert gap.percentiles == tuple(f"{view.latency.at['gap_ms', name]:.0f}" for name in ("p50", "p90", "p95", "p99"))


def test_what_was_never_measured_is_left_out(make_view: Make) -> None:
    assert "perceived_ms" not in [line.column for line in latency_lines(make_view(4))]
    assert latency_lines(make_view(0)) == []


def test_costs_are_summed_by_part_and_end_with_the_total(make_view: Make) -> None:
    view = make_view(6)
    lines = {line.part: line for line in cost_lines(view)}
    assert list(lines) == ["stt", "llm", "tts", "telephony", "total"]
    assert lines["stt"].usd == pytest.approx(6 * 1.4 / 60 * 0.006)
    assert lines["llm"].used == "1\u2009860\u00a0tokens\u00a0in, 132\u00a0out"
    assert lines["total"].usd == pytest.approx(sum(line.usd for line in lines.values() if line.part != "total"))
    assert lines["tts"].provider == "acme mouth"


def test_costs_by_turn_add_up_to_the_turns_share(make_view: Make) -> None:
    costs = turn_costs(make_view(3))
    assert [cost.turn for cost in costs] == [0, 1, 2, 3]
    assert all(cost.usd["total"] == pytest.approx(cost.usd["stt"] + cost.usd["llm"] + cost.usd["tts"]) for cost in costs)


def test_an_unknown_price_makes_the_sum_unknown_and_says_why_once(make_view: Make) -> None:
    view = make_view(2, changes=UNKNOWN | {2: UNKNOWN[1]})
    lines = {line.part: line for line in cost_lines(view)}
    assert math.isnan(lines["tts"].usd)
    assert math.isnan(lines["total"].usd)
    assert "no price of tts nobody/knows" in unknown_costs(view)
    assert len(unknown_costs(view)) == len(set(unknown_costs(view)))


def test_the_terminal_gets_aligned_tables(make_view: Make) -> None:
    summary = text_summary(make_view(6, notes=("The voice is a demo voice.",)))
    head, *rest = summary.splitlines()
    assert head == "reception (ended): test call · +1•••••4321 · 0:32 · 6 turns · caller hung up"
    assert "The voice is a demo voice." in rest
    table = rest[rest.index("") + 1 : rest.index("", rest.index("") + 1)]
    column = table[0].index("n", table[0].index("p99"))
    assert {line[column] for line in table[1:]} == {"6"}
    assert max(len(line) for line in summary.splitlines()) <= 100


def test_an_empty_call_has_a_summary_too(make_view: Make) -> None:
    summary = text_summary(make_view(0, state="failed", error="The microphone is gone.", end_reason="failed"))
    assert NOTHING_MEASURED in summary
    assert "The microphone is gone." in summary
    assert summary.count("failed") == 1


def test_no_number_reaches_the_terminal(make_view: Make) -> None:
    secret = "call +1 555 765 4321 now"
    told = dict.fromkeys(("title", "error", "end_reason"), secret)
    view = make_view(1, caller="+15557654321", callee="+15550001234", notes=(secret,), **told)
    assert not any(digits in text_summary(view) for digits in ("7654321", "765 4321", "0001234"))
