"""The gap and what it went to."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb.records.spans import KEYS, SPANS, Attribution, SpanKind, Stall, attribute
from patter_nb.turns.facts import INSTANTS, TurnFacts
from patter_nb.turns.keys import _words as keys_as_words

CHAIN = (
    "speech_ended_at", "endpointed_at", "hooks_started_at", "hooks_ended_at", "llm_requested_at", "llm_first_token_at",
    "sentence_started_at", "sentence_ready_at", "tts_requested_at", "tts_first_byte_at", "send_started_at", "played_at",
    "audible_at",
)  # fmt: skip
"""The instants of the critical path of the fixture `full`, in their order."""


def known(found: Attribution) -> dict[str, float]:
    return {part.kind.name: round(part.ms, 6) for part in found.parts if not math.isnan(part.ms)}


def test_spans_are_named_by_instants_that_exist() -> None:
    assert all(name in INSTANTS for kind in SPANS if kind.name != "stall" for name in (kind.start, kind.end))
    assert [kind.name for kind in SPANS[:2]] == ["endpointing", "stall"]


def test_the_worked_timeline_is_explained_to_the_millisecond(worked: dict[str, float], turn: Callable[..., TurnFacts]) -> None:
    found = attribute(turn(1, worked))
    assert found.gap_ms == pytest.approx(1050)
    assert known(found) == {
        "stall": 0, "endpointing": 0, "stt_final": 150, "transcript_hooks": 0, "failed_reply": 0, "hooks": 80,
        "llm_first_token": 300, "first_sentence": 400, "stages": 0, "tts_first_byte": 120, "send": 0, "leading_silence": 0,
    }  # fmt: skip
    assert found.unexplained_ms == pytest.approx(0)


def test_overlapping_time_belongs_to_the_earlier_stage_and_hops_stay_unexplained(
    full: dict[str, float], turn: Callable[..., TurnFacts]
) -> None:
    found = attribute(turn(1, full))
    assert found.gap_ms == pytest.approx(1045)
    assert known(found) == {
        "stall": 0, "endpointing": 320, "stt_final": 0, "transcript_hooks": 0, "failed_reply": 0, "hooks": 20,
        "llm_first_token": 300, "first_sentence": 200, "stages": 0, "tts_first_byte": 120, "send": 41, "leading_silence": 40,
    }  # fmt: skip
    assert found.unexplained_ms == pytest.approx(4)
    assert len(found.unexplained_pieces) == 4


def test_a_final_transcript_after_the_hangover_counts_only_from_its_end(
    full: dict[str, float], turn: Callable[..., TurnFacts]
) -> None:
    parts = known(attribute(turn(1, {**full, "stt_final_at": 2.321})))
    assert (parts["endpointing"], parts["stt_final"]) == (320, 1)


@pytest.mark.parametrize("place", range(1, len(CHAIN)))
def test_a_hop_that_nobody_recorded_makes_the_unexplained_part_grow_and_a_slower_stage_does_not(
    place: int, full: dict[str, float], turn: Callable[..., TurnFacts]
) -> None:
    before, after = CHAIN[place - 1], CHAIN[place]
    later = {name: at + 0.05 if at > full[before] or name in CHAIN[place:] else at for name, at in full.items()}
    later["stt_requested_at"], later["stt_final_at"] = full["stt_requested_at"], full["stt_final_at"]
    found = attribute(turn(1, later))
    within = any((kind.start, kind.end) == (before, after) for kind in SPANS)
    assert found.gap_ms == pytest.approx(1095)
    assert found.unexplained_ms == pytest.approx(4 if within else 54)


@pytest.mark.parametrize("name", [name for name in CHAIN if name not in {"speech_ended_at", "audible_at"}])
def test_a_missing_instant_makes_its_spans_nan_and_their_time_unexplained(
    name: str, full: dict[str, float], turn: Callable[..., TurnFacts]
) -> None:
    complete = attribute(turn(1, full))
    found = attribute(turn(1, {key: at for key, at in full.items() if key != name}))
    lost = [part for part in complete.parts if name in {part.kind.start, part.kind.end}]
    for part in lost:
        assert math.isnan(found.part(part.kind.name).ms)
        assert found.part(part.kind.name).reason == f"{name} was not recorded"
    behind = 150 if name == "endpointed_at" else 0  # the final transcript, which the hangover had covered
    assert found.unexplained_ms == pytest.approx(4 + sum(part.ms for part in lost) - behind)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "greeting"}, "a turn of kind 'greeting' answers no caller speech"),
        ({"without": "speech_ended_at"}, "speech_ended_at was not recorded"),
        ({"without": "audible_at"}, "audible_at was not recorded"),
        ({"audible_at": 1.0}, "audible_at lies before speech_ended_at"),
        ({"without": "speech_ended_at", "caller_text": "[DTMF: 42#]"}, "no speech: the caller pressed keys"),
        ({"without": "speech_ended_at", "caller_text": "my DTMF: 4"}, "speech_ended_at was not recorded"),
        ({"kind": "said", "caller_text": "[DTMF: 1]"}, "a turn of kind 'said' answers no caller speech"),
    ],
)
def test_without_a_gap_nothing_is_a_number_and_the_reason_is_told(
    change: dict[str, object], reason: str, full: dict[str, float], turn: Callable[..., TurnFacts]
) -> None:
    instants = {name: change.get(name, at) for name, at in full.items() if name != change.get("without")}
    found = attribute(turn(1, instants, kind=change.get("kind", "caller"), caller_text=change.get("caller_text", "")))
    assert found.reason == reason
    assert all(math.isnan(ms) for ms in (found.gap_ms, found.unexplained_ms, *(part.ms for part in found.parts)))
    assert {part.reason for part in found.parts} == {reason}


def test_a_span_that_ends_before_it_begins_is_nan(full: dict[str, float], turn: Callable[..., TurnFacts]) -> None:
    part = attribute(turn(1, {**full, "stt_final_at": 2.0})).part("stt_final")
    assert (math.isnan(part.ms), part.reason) == (True, "stt_final_at lies before stt_requested_at")


@pytest.mark.parametrize(
    ("stalls", "stall", "llm_first_token"),
    [
        ([Stall(2.4, 0.1)], 100, 200),
        ([Stall(2.4, 0.1), Stall(2.45, 0.1)], 150, 150),
        ([Stall(0.0, 1.9), Stall(9.0, 1.0)], 0, 300),
        ([Stall(1.9, 2.0)], 725, 0),
        ([Stall(2.05, 0.2)], 0, 300),
        ([Stall(2.25, 0.2)], 130, 192),
    ],
)
def test_a_stall_takes_its_time_from_every_stage_after_the_silence_that_is_granted_anyway(
    stalls: list[Stall], stall: float, llm_first_token: float, full: dict[str, float], turn: Callable[..., TurnFacts]
) -> None:
    found = attribute(turn(1, full), stalls)
    assert found.part("stall").ms == pytest.approx(stall)
    assert found.part("llm_first_token").ms == pytest.approx(llm_first_token)
    assert sum(part.ms for part in found.parts) + found.unexplained_ms == pytest.approx(1045)


def test_in_virtual_time_a_stall_is_not_zero_but_unknown(full: dict[str, float], turn: Callable[..., TurnFacts]) -> None:
    part = attribute(turn(1, full), None).part("stall")
    assert (math.isnan(part.ms), part.reason) == (True, "virtual time has no stalls")


@given(
    st.dictionaries(
        st.sampled_from(sorted({name for kind in SPANS if kind.start for name in (kind.start, kind.end)})), st.integers(0, 60)
    ),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=3),
)
def test_every_millisecond_of_the_gap_is_counted_once_for_the_first_stage_that_covers_it(
    ticks: dict[str, int], stalls: list[tuple[int, int]]
) -> None:
    """Against a count of whole milliseconds, one by one."""
    facts = TurnFacts(1, "caller", 1, instants={name: at / 1000 for name, at in ticks.items()})
    found = attribute(facts, [Stall(start / 1000, length / 1000) for start, length in stalls])
    if found.reason is not None:
        return
    counts = dict.fromkeys([*(kind.name for kind in SPANS), "unexplained"], 0)
    for ms in range(ticks["speech_ended_at"], ticks["audible_at"]):
        stalled = any(start <= ms < start + length for start, length in stalls)
        covers = {kind.name: ticks.get(kind.start, 99) <= ms < ticks.get(kind.end, 0) for kind in SPANS} | {"stall": stalled}
        counts[next((kind.name for kind in SPANS if covers[kind.name]), "unexplained")] += 1
    assert found.unexplained_ms == pytest.approx(counts["unexplained"])
    for part in found.parts:
        assert counts[part.kind.name] == (0 if math.isnan(part.ms) else pytest.approx(part.ms))
        assert part.ms == pytest.approx(sum(end - start for start, end in part.pieces) * 1000, nan_ok=True) or part.reason


def test_the_wait_for_a_reply_that_failed_is_explained(full: dict[str, float], turn: Callable[..., TurnFacts]) -> None:
    later = {name: at + 3.0 if at >= full["tts_requested_at"] else at for name, at in full.items()}
    spoken = {name: at for name, at in later.items() if not name.startswith(("hooks", "llm", "sentence"))}
    failed = {"failed_reply_ordered_at": full["hooks_started_at"], "failed_reply_ended_at": later["tts_requested_at"] - 0.001}
    found = attribute(turn(1, {**spoken, **failed}))
    assert found.part("failed_reply").ms == pytest.approx((failed["failed_reply_ended_at"] - full["hooks_started_at"]) * 1000)
    assert found.unexplained_ms == pytest.approx(3, abs=1.5)


def test_keys_that_end_a_spoken_turn_leave_it_its_gap(full: dict[str, float], turn: Callable[..., TurnFacts]) -> None:
    assert attribute(turn(1, full, caller_text="my number is [DTMF: 42#]")).gap_ms == pytest.approx(1045)
    assert attribute(turn(1, full, caller_text="[DTMF: 42#] that is it")).gap_ms == pytest.approx(1045)


def test_the_words_of_keys_begin_as_the_turn_engine_writes_them() -> None:
    assert keys_as_words("1").startswith(KEYS)


def with_stages(full: dict[str, float]) -> dict[str, float]:
    """100 ms of hooks after the recogniser, from the end of the hangover on, and 50 before the voice."""
    late = {name: at + 0.1 if at > full["endpointed_at"] else at for name, at in full.items()}
    late = {name: at + 0.05 if at >= late["tts_requested_at"] else at for name, at in late.items()}
    return {
        **late, "transcript_hooks_started_at": 2.32, "transcript_hooks_ended_at": 2.42, "stages_started_at": 2.942,
        "stages_ended_at": 2.992,
    }  # fmt: skip


def test_the_time_of_text_stages_is_theirs_and_no_neighbours(full: dict[str, float], turn: Callable[..., TurnFacts]) -> None:
    before, after = attribute(turn(1, full)), attribute(turn(1, with_stages(full)))
    assert after.gap_ms == pytest.approx(1195)
    assert (after.part("transcript_hooks").ms, after.part("stages").ms) == pytest.approx((100, 50))
    assert after.unexplained_ms == pytest.approx(before.unexplained_ms)
    for part in before.parts:
        if not part.kind.rare:
            assert after.part(part.kind.name).ms == pytest.approx(part.ms)


@pytest.mark.parametrize("kind", [kind for kind in SPANS if kind.rare], ids=lambda kind: kind.name)
def test_a_stage_that_did_not_happen_took_no_time_and_one_half_recorded_is_nan(
    kind: SpanKind, full: dict[str, float], turn: Callable[..., TurnFacts]
) -> None:
    part = attribute(turn(1, full)).part(kind.name)
    assert (part.ms, part.reason) == (0, None)
    for there, absent in ((kind.start, kind.end), (kind.end, kind.start)):
        found = attribute(turn(1, {**full, there: 2.4}))
        assert (math.isnan(found.part(kind.name).ms), found.part(kind.name).reason) == (True, f"{absent} was not recorded")
        assert found.unexplained_ms == pytest.approx(4)


def test_hooks_that_run_while_the_silence_is_granted_cost_the_caller_nothing(
    full: dict[str, float], turn: Callable[..., TurnFacts]
) -> None:
    found = attribute(turn(1, {**full, "transcript_hooks_started_at": 2.25, "transcript_hooks_ended_at": 2.31}))
    assert (found.part("endpointing").ms, found.part("transcript_hooks").ms) == pytest.approx((320, 0))
    assert found.gap_ms == pytest.approx(1045)


def test_the_pieces_of_a_span_are_in_the_order_of_time_whatever_order_stalls_came_in(
    full: dict[str, float], turn: Callable[..., TurnFacts]
) -> None:
    found = attribute(turn(1, full), [Stall(2.9, 0.02), Stall(2.4, 0.1), Stall(2.45, 0.1)])
    pieces = found.part("stall").pieces
    assert list(pieces) == sorted(pieces)
    assert found.part("stall").ms == pytest.approx(170)
