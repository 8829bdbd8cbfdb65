"""Revisions with the turns they answered."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from patter_nb.records.facts import CallFacts, CallRecord, RevisionFacts
from patter_nb.records.log import CallLog
from patter_nb.records.prices import PriceBook
from patter_nb.records.readings import CallReading
from patter_nb.records.revised import RevisionReading, revisions_with_turns
from patter_nb.records.store import Store
from patter_nb.records.tables import revisions_frame
from patter_nb.turns.facts import TurnFacts
from patter_nb.turns.usage import Price, Usage

Call = Callable[..., CallFacts]
Turn = Callable[..., TurnFacts]

MADE_AT = datetime(2026, 7, 20, tzinfo=UTC)


def revision(number: int, parent: int | None = None, agent: str = "agent", **content: Any) -> RevisionFacts:
    made_at = MADE_AT + timedelta(seconds=number)
    return RevisionFacts(agent, number, f"id{number}", parent, "", made_at, {"system_prompt": "Be kind.", **content})


def held(call: CallFacts, *turns: TurnFacts, phone: str = "p") -> CallReading:
    return CallReading(CallRecord(call, None, turns, (), phone_id=phone), PriceBook())


def of(number: int, found: list[RevisionReading]) -> RevisionReading:
    (reading,) = (each for each in found if each.facts.number == number)
    return reading


def test_each_turn_counts_for_the_revision_that_answered_it(call: Call, turn: Turn, full: dict[str, float]) -> None:
    slow = {name: at + 1.0 if at > 2.0 else at for name, at in full.items()}
    calls = [
        held(call("a"), turn(0, kind="greeting"), turn(1, full), turn(2, slow, revision=2)),
        held(call("b", revision=2), turn(0, kind="greeting", revision=2), turn(1, full, revision=2), turn(2, full, revision=2)),
    ]
    found = revisions_with_turns([("p", revision(number)) for number in (1, 2, 3)], calls)
    assert [[each.turn for each in reading.turns] for reading in found] == [[0, 1], [2, 0, 1, 2], []]
    assert [len(reading.caller_turns) for reading in found] == [1, 3, 0]
    assert of(1, found).gap_p50_ms == pytest.approx(1045)
    assert of(2, found).gap_p50_ms == pytest.approx(1045)
    assert math.isnan(of(3, found).gap_p50_ms)


def test_calls_and_revisions_are_gone_through_once(call: Call, turn: Turn) -> None:
    """So that ten thousand calls cost no more per call than ten."""
    calls = (held(call(f"c{number}"), turn(1, revision=1 + number % 3)) for number in range(9))
    found = revisions_with_turns((("p", revision(number)) for number in (1, 2, 3)), calls)
    assert [len(reading.turns) for reading in found] == [3, 3, 3]


def test_a_turn_that_nobody_answered_counts_for_none(call: Call, turn: Turn) -> None:
    found = revisions_with_turns([("p", revision(1))], [held(call(), turn(1, revision=None, reply=0))])
    assert found[0].turns == []


def test_revisions_are_numbered_within_an_agent_and_a_patter_object(call: Call, turn: Turn) -> None:
    calls = [
        held(call("a"), turn(1)),
        held(call("b", agent="other"), turn(1), turn(2)),
        held(call("c"), turn(1), turn(2), turn(3), phone="q"),
    ]
    made = [("p", revision(1)), ("p", revision(1, agent="other")), ("q", revision(1)), ("q", revision(1, agent="other"))]
    assert [len(reading.turns) for reading in revisions_with_turns(made, calls)] == [1, 2, 3, 0]


@pytest.mark.parametrize(
    ("content", "changed"),
    [
        ({}, []),
        ({"system_prompt": "Be warm."}, ["system_prompt"]),
        ({"voice": "amy", "system_prompt": "Be warm."}, ["system_prompt", "voice"]),
        ({"tools": [{"name": "book"}]}, ["tools"]),
    ],
)
def test_what_changed_are_the_fields_that_differ_from_the_parents(content: dict[str, Any], changed: list[str]) -> None:
    first, second = revision(1, voice="joe", tools=[]), revision(2, 1, **{"voice": "joe", "tools": [], **content})
    found = revisions_with_turns([("p", first), ("p", second)], [])
    assert of(2, found).changed == changed
    assert of(1, found).changed == []
    assert revisions_frame([("p", first), ("p", second)], [])["changed"].isna().tolist() == [True, not changed]


def test_the_parent_is_the_one_it_names_and_not_the_one_before_it() -> None:
    made = [revision(1, voice="joe"), revision(2, 1, voice="amy"), revision(3, 1, voice="joe"), revision(4, 2, voice="joe")]
    found = revisions_with_turns([("p", each) for each in made], [])
    assert [reading.changed for reading in found] == [[], ["voice"], [], ["voice"]]


def test_a_parent_that_is_not_there_leaves_open_what_changed() -> None:
    assert revisions_with_turns([("p", revision(7, 6))], [])[0].changed == []
    other_phone = [("q", revision(6, voice="joe")), ("p", revision(7, 6))]
    assert revisions_with_turns(other_phone, [])[1].changed == []


def test_a_revision_costs_what_its_turns_did_of_every_kind(call: Call, turn: Turn) -> None:
    prices = PriceBook()
    price_id = prices.register("tts", "acme", "v", Price(usd_per_1k_characters=1))
    spoken = {"usage": (Usage("tts", "acme", "v", characters=10, price_id=price_id),)}
    record = CallRecord(call(), None, (turn(0, kind="greeting", **spoken), turn(1, **spoken), turn(2, revision=2)), ())
    found = revisions_with_turns([("", revision(number)) for number in (1, 2, 3)], [CallReading(record, prices)])
    assert [reading.usd for reading in found] == pytest.approx([0.02, 0.0, math.nan], nan_ok=True)
    unknown = turn(3, usage=(Usage("tts", "acme", "nobody knows", characters=10),))
    dearer = CallReading(CallRecord(call("b"), None, (unknown,), ()), prices)
    assert math.isnan(revisions_with_turns([("", revision(1))], [CallReading(record, prices), dearer])[0].usd)


def test_the_log_and_the_store_show_the_same_revisions(log: CallLog, store: Store, call: Call, turn: Turn) -> None:
    for made in (revision(1, voice="joe"), RevisionFacts("agent", 2, "id2", 1, "amy", MADE_AT + timedelta(seconds=9), {
        "system_prompt": "Be kind.", "voice": "amy"}, "all calls")):  # fmt: skip
        log.revision(made)
    log.begin(call())
    log.turn("call_1", turn(1))
    log.turn("call_1", turn(2, revision=2, edit_requested_at=4.5, edit_effective_turn=2))
    assert log.flush(10)
    for kept in (log, store):
        frame = kept.revisions()
        assert frame["turns"].tolist() == [1, 1]
        assert frame["scope"].tolist() == ["next call", "all calls"]
        assert frame["changed"].tolist()[1] == "voice"
        edits = kept.turns()[["edit_requested_at", "edit_effective_turn"]]
        assert edits.isna().to_numpy().tolist() == [[True, True], [False, False]]
        assert edits.iloc[1].tolist() == [4.5, 2]
    pd.testing.assert_frame_equal(store.revisions(), log.revisions())


def test_a_store_that_several_share_keeps_their_revisions_apart(store: Store, call: Call, turn: Turn) -> None:
    for count in (1, 2):
        log = CallLog(store)
        log.revision(revision(1))
        for number in range(count):
            log.begin(call(f"c{count}{number}"))
            log.turn(f"c{count}{number}", turn(1))
        assert log.revisions()["turns"].tolist() == [count]
    assert store.flush(10)
    assert sorted(store.revisions()["turns"]) == [1, 2]
