"""Patter's figures."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb.records.metrics import CORE, FORMULAS, LATENCIES, LatencyBreakdown, latency, percentile, statistics
from patter_nb.records.readings import CallReading
from patter_nb.turns.facts import INSTANTS, TurnFacts

Turn = Callable[..., TurnFacts]


def test_formulas_name_instants_that_exist() -> None:
    named = {name for groups in FORMULAS.values() for group in groups for name in group}
    assert named - set(INSTANTS) == {"endpoint_signal_at"}


def test_the_worked_timeline_reports_730_ms_for_a_wait_of_1050(worked: dict[str, float], turn: Turn) -> None:
    found = latency(turn(1, {**worked, "llm_finished_at": 3.2, "tts_last_byte_at": 3.5}))
    expected = {
        "stt_ms": 150, "llm_ms": 380, "tts_ms": 120, "total_ms": 3050, "user_speech_duration_ms": 2000, "llm_ttft_ms": 380,
        "llm_total_ms": 1050, "endpoint_ms": 230, "tts_total_ms": 970, "agent_response_ms": 730,
    }  # fmt: skip
    assert {name: found.value(name) for name in expected} == pytest.approx(expected)
    assert found.missing == {"bargein_ms": "no barge_in_at and no cleared_at was recorded"}


@pytest.mark.parametrize(("vad", "final", "endpoint"), [(2.1, 2.3, 300), (2.3, 2.1, 300), (None, 2.2, 200), (2.2, None, 200)])
def test_the_endpoint_signal_is_the_earlier_of_the_two(
    vad: float | None, final: float | None, endpoint: float, turn: Turn
) -> None:
    given_instants = {"vad_stopped_at": vad, "stt_final_at": final, "llm_requested_at": 2.4}
    found = latency(turn(1, {name: at for name, at in given_instants.items() if at is not None}))
    assert found.endpoint_ms == pytest.approx(endpoint)


def test_hooks_after_the_recogniser_count_for_the_endpoint_and_not_for_the_recogniser(
    worked: dict[str, float], turn: Turn
) -> None:
    later = {name: at + 0.1 if at > worked["stt_final_at"] else at for name, at in worked.items()}
    stages = {"transcript_hooks_started_at": 2.15, "transcript_hooks_ended_at": 2.25}
    before, after = latency(turn(1, worked)), latency(turn(1, {**later, **stages}))
    assert after.stt_ms == before.stt_ms == pytest.approx(150)
    assert after.endpoint_ms == pytest.approx((before.endpoint_ms or 0) + 100) == pytest.approx(330)
    assert after.tts_ms == pytest.approx(before.tts_ms)


def test_what_lies_before_its_start_counts_as_nothing(worked: dict[str, float], turn: Turn) -> None:
    assert latency(turn(1, {**worked, "llm_first_token_at": 2.0})).llm_ttft_ms == 0


def test_without_tokens_the_model_took_until_its_end(worked: dict[str, float], turn: Turn) -> None:
    instants = {name: at for name, at in worked.items() if name not in {"llm_first_token_at", "sentence_ready_at"}}
    found = latency(turn(1, {**instants, "llm_finished_at": 2.95}))
    assert (found.llm_ms, found.tts_ms) == pytest.approx((800, 100))
    assert found.llm_ttft_ms is None
    assert found.agent_response_ms is None
    assert found.missing["agent_response_ms"] == "no llm_first_token_at was recorded"


def test_a_greeting_has_the_time_of_its_voice_and_of_nothing_else(turn: Turn) -> None:
    found = latency(turn(0, {"tts_requested_at": 0.01, "tts_first_byte_at": 0.13, "tts_last_byte_at": 0.5}, kind="greeting"))
    assert (found.tts_ms, found.tts_total_ms) == pytest.approx((120, 490))
    assert set(found.missing) == set(LATENCIES) - {"tts_ms", "tts_total_ms"}


def test_a_barge_in_is_measured_from_the_decision_to_the_clear(turn: Turn) -> None:
    assert latency(turn(1, {"barge_in_at": 4.0, "cleared_at": 4.012})).bargein_ms == pytest.approx(12)


@given(st.dictionaries(st.sampled_from(sorted(INSTANTS)), st.floats(0, 100)))
def test_a_value_is_missing_exactly_when_a_reason_is_told_and_is_never_negative(instants: dict[str, float]) -> None:
    found = latency(TurnFacts(1, "caller", 1, instants=instants))
    for name in LATENCIES:
        assert math.isnan(found.value(name)) == (name in found.missing)
        assert not found.value(name) < 0
        if name in CORE:
            assert isinstance(getattr(found, name), float)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40), st.sampled_from([0.0, 0.5, 0.9, 0.95, 0.99, 1.0]))
def test_percentiles_are_linear_between_ranks(values: list[float], p: float) -> None:
    assert percentile([*values, math.nan], p) == pytest.approx(float(np.quantile(values, p)), abs=1e-6)


def test_a_percentile_of_nothing_is_nan() -> None:
    assert math.isnan(percentile([math.nan], 0.5))


def test_statistics_leave_missing_values_out_and_count_the_rest() -> None:
    turns = [LatencyBreakdown(stt_ms=ms, bargein_ms=ms if ms > 200 else None) for ms in (100.0, 200.0, 300.0, 400.0)]
    found, counts = statistics([*turns, LatencyBreakdown()])
    assert [found[name].stt_ms for name in ("avg", "p50", "p90", "p95", "p99")] == pytest.approx([250, 250, 370, 385, 397])
    assert (counts["stt_ms"], counts["bargein_ms"], counts["llm_ms"]) == (4, 2, 0)
    assert found["p50"].bargein_ms == 350
    assert found["p50"].agent_response_ms is None
    assert math.isnan(found["avg"].llm_ms)
    assert found["avg"].missing["llm_ms"] == "no turn of the caller has it"


def test_the_repr_masks_numbers_and_the_texts_stay_as_they_were_said(
    turn: Callable[..., TurnFacts], read: Callable[..., CallReading]
) -> None:
    metrics = read(turn(1, caller_text="call (555) 765-4321", agent_text="at 10:30 on +15557654321")).metrics
    assert metrics.turns[0].user_text == "call (555) 765-4321"
    for shown in (repr(metrics), repr(metrics.turns[0])):
        assert "user_text='call •••••4321', agent_text='at 10:30 on +1•••••4321'" in shown
        assert "765" not in shown
