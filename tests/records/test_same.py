"""Whatever SQLite takes PostgreSQL takes too, and both give the same frames back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests_of_records_postgresql import Server

from patter_nb.records.facts import CallFacts, RevisionFacts
from patter_nb.records.log import CallLog
from patter_nb.records.prices import PriceBook
from patter_nb.records.schema import schema
from patter_nb.records.store import Store
from patter_nb.records.writer import Job
from patter_nb.turns.facts import INSTANTS, ToolRun, TurnFacts
from patter_nb.turns.usage import Price, Usage

texts = st.text(alphabet=st.characters(exclude_categories=()), max_size=40) | st.sampled_from(
    ["\x00", "a\x00b", "\ud800", "\udfff half", "x" * 3_000, "\U0001f600", "'; drop table x; --", "%s {} \\u0000", "\r\n\x1b"]
)
"""Every character there is, half surrogate pairs and zeros among them."""
names = texts.filter(lambda text: len(text) <= 255)
whole = st.integers(-(2**63), 2**63 - 1)
counts = st.integers(0, 2**53)
"""Within JSON, whose readers round what is larger."""
fractions = st.floats(-1e6, 1e6) | st.sampled_from([float("nan"), float("inf"), -float("inf"), -0.0, 5e-324])
"""Seconds and counts as a clock might tell them, or fail to."""
moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.timezones())
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | fractions | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
usage = st.builds(
    Usage, st.sampled_from(["stt", "llm", "tts"]), texts, texts, fractions, counts, counts, counts, counts, st.none() | texts
)
runs = st.builds(ToolRun, texts, texts, texts, st.none() | texts, st.none() | texts, fractions, fractions, counts)
turns = st.builds(
    TurnFacts,
    turn=whole,
    kind=st.sampled_from(["greeting", "caller", "said", "goodbye"]),
    reply=whole,
    revision=st.none() | whole,
    edit_requested_at=st.none() | fractions,
    edit_effective_turn=st.none() | whole,
    **dict.fromkeys(("caller_text", "overlap_text", "agent_text", "heard_text"), texts),
    error=st.none() | texts,
    heard_estimated=st.booleans(),
    interrupted=st.booleans(),
    resumed=whole,
    tools=st.lists(runs, max_size=2).map(tuple),
    usage=st.lists(usage, max_size=2).map(tuple),
    guardrails=st.lists(texts, max_size=2).map(tuple),
    instants=st.dictionaries(st.sampled_from(sorted(INSTANTS)), fractions, max_size=6),
)
calls = st.builds(
    CallFacts,
    call_id=st.just("call"),
    direction=st.just("test"),
    revision=whole,
    started_at=moments,
    stand_in=st.lists(texts, max_size=2).map(tuple),
    agent=names,
    **dict.fromkeys(("source", "carrier", "mode", "speed", "caller", "callee"), texts),
    **{f"{part}_{what}": st.none() | texts for part in ("stt", "llm", "tts") for what in ("provider", "model")},
)
content = st.dictionaries(texts, anything, max_size=3)
revisions = st.builds(RevisionFacts, names, whole, st.just("c1"), st.none() | whole, texts, moments, content, texts)


@dataclass(frozen=True, slots=True)
class Both:
    """Two stores that are handed the same rows."""

    stores: tuple[Store, Store]
    hash_key: bytes | None = None
    problem: str | None = None

    def write(self, job: Job) -> None:
        for store in self.stores:
            store.write(job)


@pytest.fixture(scope="module")
def both(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """An SQLite and a PostgreSQL store that hash numbers with one key."""
    made = Both((Store(tmp_path_factory.mktemp("same") / "calls.sqlite3"), Store(server.schema())))
    CallLog(made).revision(RevisionFacts("a", 1, "c", None, "", datetime.fromisoformat("2026-07-20T00:00Z")))  # makes the tables
    for store in made.stores:
        assert store.close(), store.problem
        with store.engine.connect().execution_options(writes=True) as connection, connection.begin():
            meta = schema().tables["meta"]
            connection.execute(meta.update().where(meta.c.key == "hash_key").values(value="0123" * 16))
    yield made
    for store in made.stores:
        assert store.close(), store.problem


def frames(store: Store) -> dict[str, pd.DataFrame]:
    return {name: getattr(store, name)() for name in ("calls", "turns", "events", "revisions")}


def emptied(store: Store) -> None:
    with store.engine.connect().execution_options(writes=True) as connection, connection.begin():
        for table in ("calls", "turns", "events", "revisions", "prices"):
            connection.execute(schema().tables[table].delete())


EVERYTHING = given(call=calls, closed=st.lists(turns, max_size=3), data=content, at=fractions, kind=texts, seconds=fractions,
                   ended=texts, revision=revisions, provider=texts, model=texts)  # fmt: skip
A_FEW, MANY = (
    settings(max_examples=number, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.reuse, Phase.generate])
    for number in (10, 100)
)


@EVERYTHING
@A_FEW
def test_a_row_of_facts_is_taken_by_both_and_read_alike(both: Both, **facts: Any) -> None:
    hold_and_compare(both, **facts)


@pytest.mark.slow
@EVERYTHING
@MANY
def test_any_row_of_facts_is_taken_by_both_and_read_alike(both: Both, **facts: Any) -> None:
    hold_and_compare(both, **facts)


def hold_and_compare(
    both: Both, *, call: CallFacts, closed: list[TurnFacts], data: dict[str, Any], at: float, kind: str, seconds: float,
    ended: str, revision: RevisionFacts, provider: str, model: str,
) -> None:  # fmt: skip
    for store in both.stores:
        emptied(store)
    prices = PriceBook()
    log = CallLog(both, prices)
    log.revision(revision)
    log.begin(call)
    log.event("call", at, kind, data, 2**40)
    price = prices.register("llm", provider, model, Price(usd_per_1m_input_tokens=1.5))
    log.event("call", at, "call_usage", {"usage": Usage("llm", provider, model, input_tokens=1000, price_id=price)})
    for facts in closed:
        log.turn("call", facts)
    log.finish("call", duration_seconds=seconds, end_reason=ended, error=ended)
    for store in both.stores:
        assert store.flush(20)
        assert store.problem is None
    sqlite, postgresql = map(frames, both.stores)
    assert len(sqlite["turns"]) == len(closed)
    assert len(sqlite["events"]) == len(closed) + 2
    assert len(sqlite["calls"]) == len(sqlite["revisions"]) == 1
    for name, expected in sqlite.items():
        pd.testing.assert_frame_equal(postgresql[name], expected)
    records = [store.readings()[0].record for store in both.stores]
    assert records[0] == records[1]
