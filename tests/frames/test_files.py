"""Tables written to a file and read back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patter_nb.errors import ConfigError, MissingExtra
from patter_nb.frames import read_csv, read_parquet
from patter_nb.records.facts import CallFacts, RevisionFacts
from patter_nb.records.log import CallLog
from patter_nb.records.plain import storable
from patter_nb.records.tables import TABLES, frame
from patter_nb.turns.facts import ToolRun, TurnFacts
from patter_nb.turns.usage import Usage

KINDS: dict[str, tuple[Callable[[Any, Path], None], Callable[[Path], pd.DataFrame]]] = {
    "parquet": (lambda table, path: table.voice.to_parquet(path), read_parquet),
    "csv": (lambda table, path: table.voice.to_csv(path), read_csv),
}
NASTY = 'half \ud800, "quoted", a\nline\r\nand; comma, NA, =1+1, \U0001f600 \x00'


def through(kind: str, table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    write, read = KINDS[kind]
    write(table, folder / f"table.{kind}")
    return read(folder / f"table.{kind}")


@pytest.fixture(scope="module")
def log() -> CallLog:
    """Two calls with everything that is hard to write."""
    made = CallLog(None)
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    made.revision(RevisionFacts("desk", 1, "c1", None, NASTY, noon, {"system_prompt": NASTY, "n": [1, 2]}))
    for number in range(2):
        name = f"call_{number}"
        made.begin(CallFacts(call_id=name, agent="desk", revision=1, direction="test", started_at=noon))
        at = {"speech_started_at": 1.0, "speech_ended_at": 2.0, "endpointed_at": 2.1 + 1 / 3, "audible_at": 3.0000001}
        runs = (ToolRun("t", "look", '{"a": "é"}', "found", None, 2.2, 2.3),)
        spent = (Usage("llm", "acme", "m", input_tokens=3),)
        made.turn(name, TurnFacts(0, "greeting", 1, 1))
        made.turn(name, TurnFacts(1, "caller", 2, 1, caller_text=NASTY, agent_text="NaN", instants=at, tools=runs, usage=spent))
        made.event(name, 1.5, "note", {"deep": [{"text": NASTY, "none": None, "yes": True}], "n": 1.5}, 1)
    made.finish("call_0", duration_seconds=4.5, end_reason="caller_hung_up")
    return made


def tables(log: CallLog) -> Iterator[tuple[str, pd.DataFrame]]:
    yield from ((name, getattr(log, name)()) for name in TABLES if name != "cost")
    yield "cost", log.cost("call_0")


def written(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its texts as a file can hold them; what is JSON in a file is kept whole."""
    made = table.copy()
    for name, values in table.items():
        if str(values.dtype) == "string":
            made[name] = pd.Series([value if pd.isna(value) else storable(value) for value in values], dtype=values.dtype)
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", TABLES)
def test_each_table_comes_back_as_it_was(name: str, kind: str, log: CallLog, tmp_path: Path) -> None:
    table = dict(tables(log))[name]
    assert len(table) > 0
    pd.testing.assert_frame_equal(through(kind, table, tmp_path), written(table), check_exact=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", TABLES)
def test_an_empty_table_keeps_its_types(name: str, kind: str, tmp_path: Path) -> None:
    table = frame(TABLES[name], [])
    assert through(kind, table, tmp_path).dtypes.to_dict() == table.dtypes.to_dict()


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_user_made_of_a_table_is_kept_beside_ours(kind: str, log: CallLog, tmp_path: Path) -> None:
    table = log.turns()[["call_id", "turn", "gap_ms"]].assign(mine=[1.5, None, 2.0, 3.0], label=["a", "b", "", "d"])
    found = through(kind, table[table["turn"] == 1].sort_values("call_id"), tmp_path)
    assert found["mine"].tolist() == pytest.approx([float("nan"), 3.0], nan_ok=True)
    assert found["label"].tolist() == ["b", "d"]
    assert found["gap_ms"].tolist() == log.turns()["gap_ms"].dropna().tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_percentiles_are_a_table_too_with_their_index(kind: str, log: CallLog, tmp_path: Path) -> None:
    found = through(kind, log.turns().voice.percentiles(by="revision"), tmp_path)
    expected = log.turns().voice.percentiles(by="revision")
    assert found["turns"].dtype == "int64"  # what is no table of ours keeps types of its own
    column = found["p50"] if kind == "parquet" else found.set_index(["revision", "latency"])["p50"]
    assert column.to_numpy() == pytest.approx(expected["p50"].to_numpy(), nan_ok=True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_written_table_itself_stays_as_it_is(kind: str, log: CallLog, tmp_path: Path) -> None:
    table = log.events()
    before = table.copy(deep=True)
    through(kind, table, tmp_path)
    pd.testing.assert_frame_equal(table, before)
    assert isinstance(table["data"].iloc[0], dict)


def test_pandas_alone_reads_the_parquet_file(log: CallLog, tmp_path: Path) -> None:
    log.events().voice.to_parquet(tmp_path / "events.parquet")
    found = pd.read_parquet(tmp_path / "events.parquet")
    assert found["turn"].dtype == "Int64"
    assert found["data"].str.contains('"deep"').any()


def test_the_file_of_another_day_has_its_voice(log: CallLog, tmp_path: Path) -> None:
    log.turns().voice.to_parquet(tmp_path / "turns.parquet")
    code = f"from patter_nb.frames import read_parquet; read_parquet({str(tmp_path / 'turns.parquet')!r}).voice.percentiles()"
    subprocess.run([sys.executable, "-W", "error", "-c", code], timeout=120, check=True)


def test_without_pyarrow_the_command_that_brings_it_is_told(
    log: CallLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for use in (lambda: log.turns().voice.to_parquet(tmp_path / "a"), lambda: read_parquet(tmp_path / "a")):
        with pytest.raises(MissingExtra, match=r'arquet\(\) needs the package \'pyarrow\', .*pip install "\.\[parquet\]"'):
            use()


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    frame(TABLES["turns"], [])
    with pytest.raises(ConfigError, match="two columns of one name"):
        pd.DataFrame(np.zeros((1, 2)), columns=["a", "a"]).voice.to_csv(tmp_path / "a.csv")


numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("kind", KINDS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.data())
def test_any_event_comes_back(kind: str, tmp_path: Path, data: st.DataObject) -> None:
    turn = st.none() | st.integers(-(2**62), 2**62)
    event = st.tuples(st.text(), st.floats(allow_nan=False), turn, st.dictionaries(st.text(), plain))
    rows = data.draw(st.lists(event, max_size=6))
    names = ["kind", "at", "turn", "data"]
    types = {each.name: pd.StringDtype("python") if each.dtype == "string" else each.dtype for each in TABLES["events"]}
    table = pd.DataFrame({name: pd.Series([row[at] for row in rows], dtype=types[name]) for at, name in enumerate(names)})
    pd.testing.assert_frame_equal(through(kind, table, tmp_path), written(table), check_exact=True)
