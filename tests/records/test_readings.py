"""What is read off a call's facts."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta

import pytest

from patter_nb.records.facts import CallEnd, CallFacts, CallRecord, EventFacts
from patter_nb.records.prices import PriceBook
from patter_nb.records.readings import GUARDRAIL, LOOP_STALL, PERCEIVED, CallReading
from patter_nb.turns.facts import TurnFacts

Turn = Callable[..., TurnFacts]
Read = Callable[..., CallReading]


def stall(started_at: float, seconds: float, cell: int | None = None) -> EventFacts:
    return EventFacts(started_at + seconds, LOOP_STALL, {"started_at": started_at, "seconds": seconds, "cell": cell})


def test_stalls_count_for_the_turn_they_lie_in_and_name_the_cell_of_the_longest(
    full: dict[str, float], turn: Turn, read: Read
) -> None:
    events = (stall(0.1, 0.2, 3), stall(0.4, 0.2, 3), stall(2.4, 0.15, 7), stall(6.0, 1.0, 8))
    found = read(turn(1, full), turn(2), events=events).turns
    assert found[0].loop_stall_ms == pytest.approx(100 + 150)
    assert found[0].loop_stall_cell == "7"
    assert found[0].attribution.part("stall").ms == pytest.approx(150)
    assert (found[1].loop_stall_ms, found[1].loop_stall_cell) == (0.0, None)


def test_in_virtual_time_there_is_no_figure_for_stalls(
    full: dict[str, float], turn: Turn, read: Read, call: Callable[..., CallFacts]
) -> None:
    found = read(turn(1, full), facts=call(speed="max")).turns[0]
    assert math.isnan(found.loop_stall_ms)
    assert math.isnan(found.attribution.part("stall").ms)


@pytest.mark.parametrize(
    ("events", "ms"),
    [
        ((EventFacts(9.0, PERCEIVED, {"turn": 1, "gap_ms": 1040.0}),), 1040.0),
        ((EventFacts(9.0, PERCEIVED, {"gap_ms": 1041.0}, turn=1),), 1041.0),
        ((EventFacts(9.0, PERCEIVED, {"turn": 2, "gap_ms": 1.0}),), math.nan),
        (tuple(EventFacts(9.0, PERCEIVED, {"turn": 1, "gap_ms": ms}) for ms in (1.0, 2.0)), 2.0),
        ((EventFacts(9.0, PERCEIVED, {"turn": 1, "gap_ms": None}),), math.nan),
        ((), math.nan),
    ],
)
def test_the_far_ends_figure_stands_beside_ours(
    events: tuple[EventFacts, ...], ms: float, full: dict[str, float], turn: Turn, read: Read
) -> None:
    assert read(turn(1, full), events=events).turns[0].perceived_ms == pytest.approx(ms, nan_ok=True)


def hit(turn: int | None, added_ms: float | None, **more: object) -> EventFacts:
    return EventFacts(3.0, GUARDRAIL, {"turn": turn, "reply": 1, "name": "no prices", "added_ms": added_ms, **more})


@pytest.mark.parametrize(
    ("events", "ms"),
    [
        ((), math.nan),
        ((hit(1, 12.5),), 12.5),
        ((hit(1, 12.5), hit(2, 99.0), hit(1, 7.5)), 20.0),
        ((hit(2, 99.0),), math.nan),
        ((hit(1, 0.0),), 0.0),
        ((hit(1, None),), 0.0),
        ((EventFacts(3.0, GUARDRAIL, {"added_ms": 4.0}, turn=1),), 4.0),
    ],
)
def test_what_guardrails_held_back_is_summed_over_a_turns_hits(
    events: tuple[EventFacts, ...], ms: float, turn: Turn, read: Read
) -> None:
    assert read(turn(1), turn(2), events=events).turns[0].guardrail_ms == pytest.approx(ms, nan_ok=True)


def test_a_turn_begins_with_its_first_instant_in_wall_time(full: dict[str, float], turn: Turn, read: Read) -> None:
    found = read(turn(1, full), turn(2))
    assert found.turns[0].started_at == found.record.facts.started_at + timedelta(seconds=0.5)
    assert found.turns[1].started_at is None


def test_statistics_are_over_all_turns_of_the_caller_and_only_those(worked: dict[str, float], turn: Turn, read: Read) -> None:
    slow = {name: at + 1.0 if at > 2.0 else at for name, at in worked.items()}
    greeting = turn(0, {"tts_requested_at": 0.0, "tts_first_byte_at": 9.0}, kind="greeting")
    found = read(greeting, turn(1, worked), turn(2, slow, interrupted=True), turn(3, kind="said"), turn(4))
    assert found.gap_ms(0.5) == pytest.approx(1550)
    assert found.metrics.latency_p50.tts_ms == pytest.approx(120)
    assert found.metrics.latency_n["tts_ms"] == 2
    assert [each.turn_index for each in found.metrics.turns] == [0, 1, 2, 3, 4]


def test_the_metrics_of_a_call_say_what_ran_and_how_it_ended(turn: Turn, call: Callable[..., CallFacts]) -> None:
    running = CallReading(CallRecord(call(), None, (turn(1, caller_text="hi"),), ()), PriceBook()).metrics
    assert math.isnan(running.duration_seconds)
    assert (running.error_code, running.stt_provider, running.llm_model) == (None, "local", "demo")
    assert running.telephony_provider == "simulated"
    failed = CallEnd(3.5, "tts_failed", "The voice is gone.")
    ended = CallReading(CallRecord(call(), failed, (), ()), PriceBook()).metrics
    assert (ended.duration_seconds, ended.error_code) == (3.5, "tts_failed")
    assert running.turns[0].user_text == "hi"
