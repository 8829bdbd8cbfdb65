"""What a phone tells of its calls, and its store of all calls."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path

import pandas as pd
import pytest

from patter_nb import Patter, ScriptedLLM, ScriptedSTT, ScriptedTTS, columns
from patter_nb.errors import ConfigError
from patter_nb.history import History
from patter_nb.records.store import Store
from patter_nb.records.tables import TABLES

FRAMES = ("calls", "turns", "spans", "events", "tools_log", "revisions")


@pytest.fixture
def phone(tmp_path: Path) -> Patter:
    """A phone that has held a call of two turns."""
    made = Patter(store=tmp_path / "calls.sqlite3", show=False)

    async def hold() -> None:
        agent = made.agent("Be kind.", stt=ScriptedSTT(["Hello?", "Bye."]), llm=ScriptedLLM(["Yes.", "Bye."]), tts=ScriptedTTS())
        await made.test(agent, caller=["Hello?", "Bye."], speed="max")

    asyncio.run(hold())
    return made


def test_a_phone_and_its_store_have_the_same_tables_by_the_same_names(phone: Patter) -> None:
    assert phone.flush()
    for name in FRAMES:
        mine, stored = getattr(phone, name), getattr(phone.store, name)()
        assert list(mine.columns) == columns(name).index.tolist()
        assert len(mine) == len(stored)
        pd.testing.assert_frame_equal(stored, mine)
    phone.store.close()


def test_every_table_but_a_calls_bill_is_found_on_both() -> None:
    told = {name for name, member in inspect.getmembers(History) if isinstance(member, property)} & set(TABLES)
    assert told == set(FRAMES) == set(TABLES) - {"cost"}
    assert all(callable(getattr(Store, name)) for name in FRAMES)


def test_the_spans_of_a_turn_add_up_to_its_gap(phone: Patter) -> None:
    sums = phone.spans.groupby("turn")["ms"].sum(min_count=1)
    assert sums.tolist() == pytest.approx(phone.turns["gap_ms"].tolist(), nan_ok=True)
    assert phone.turns.voice.percentiles().loc["gap_ms", "turns"] == 2
    phone.store.close()


def test_without_a_store_there_is_none_to_ask() -> None:
    with pytest.raises(ConfigError, match="store is False: nothing is stored"):
        _ = Patter(store=False).store
