"""`.voice.patter()`: Patter's fields and rules."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from patter_nb.errors import ConfigError
from patter_nb.records.facts import CallFacts
from patter_nb.records.log import CallLog
from patter_nb.records.metrics import CORE, LATENCIES
from patter_nb.turns.facts import TurnFacts

STATISTICS = ["avg", "p50", "p90", "p95", "p99"]
Turns = Callable[..., pd.DataFrame]


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """200 timelines in 20 calls, and what getpatter 0.7.0 told of them; `tests/bench/patter_equality.py --write` made it."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("patter_0_7_0.json").read_text())
    return found


@pytest.fixture(scope="module")
def ours(told: dict[str, Any]) -> pd.DataFrame:
    """Our table of the same turns."""
    log = CallLog(None)
    for number, call in enumerate(told["calls"]):
        name = f"call_{number:02}"
        log.begin(CallFacts(call_id=name, agent="a", revision=1, direction="test", started_at=datetime(2026, 7, 1, tzinfo=UTC)))
        for place, instants in enumerate(call["timelines"], 1):
            log.turn(name, TurnFacts(place, "caller", place, 1, instants=instants))
    return log.turns()


@pytest.mark.parametrize("name", LATENCIES)
def test_each_turn_has_the_fields_that_patter_tells(told: dict[str, Any], ours: pd.DataFrame, name: str) -> None:
    theirs = [turn[name] for call in told["calls"] for turn in call["turns"]]
    assert len(theirs) == len(ours) == 200
    for mine, their in zip(ours[name], theirs, strict=True):
        if their is None or (their == 0 and name in CORE and math.isnan(mine)):
            assert math.isnan(mine) or (name == "llm_ttft_ms" and mine == 0)
        else:
            assert mine == pytest.approx(their, abs=0.0501)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_statistics_of_each_call_and_of_all_are_patters(told: dict[str, Any], ours: pd.DataFrame, statistic: str) -> None:
    calls, everything = ours.voice.patter(by="call_id"), ours.voice.patter()
    for name in LATENCIES:
        pairs = [(calls.loc[(f"call_{n:02}", name), statistic], call[statistic][name]) for n, call in enumerate(told["calls"])]
        for mine, their in [*pairs, (everything.loc[name, statistic], told["all"][statistic][name])]:
            assert (math.isnan(mine) and their is None) or mine == pytest.approx(their, abs=0.1001)


def turn_table(turns: Turns, **columns: Any) -> pd.DataFrame:
    """Four turns of one call with every field of Patter; `columns` say what is not 100."""
    return turns(1, 4, **{name: columns.get(name, [100.0] * 4) for name in LATENCIES})


def test_a_worked_table(turns: Turns) -> None:
    found = turn_table(turns, tts_ms=[10, 20, 30, 40], stt_ms=[0, 8, np.nan, 16], endpoint_ms=[0, 7.04, 9, np.nan]).voice.patter()
    assert found.columns.tolist() == ["n", *STATISTICS]
    assert found.index.tolist() == list(LATENCIES)
    assert found.loc["tts_ms"].tolist() == pytest.approx([4, 25, 25, 37, 38.5, 39.7])
    assert found.loc["stt_ms"].tolist() == pytest.approx([2, 8, 12, 15.2, 15.6, 15.9])  # a zero is in the average alone
    assert found.loc["endpoint_ms"].tolist() == pytest.approx([2, 8, 8, 8.8, 8.9, 9])  # and in an optional field in neither


def test_values_are_rounded_before_they_are_counted(turns: Turns) -> None:
    found = turn_table(turns, tts_ms=[7.04, 9.74, np.nan, np.nan]).voice.patter()
    assert found.loc["tts_ms", "p90"] == 9.4  # of 7.0 and 9.7; of what was measured it is 9.47


def test_interrupted_turns_other_kinds_and_turns_without_a_total_do_not_count(turns: Turns) -> None:
    frame = turn_table(turns, total_ms=[100, 200, 0, np.nan])
    frame.loc[0, "interrupted"] = True
    found = frame.voice.patter()
    assert found["n"].tolist() == [1] * len(LATENCIES)
    assert found.loc["total_ms", "p50"] == 200
    frame["kind"] = "greeting"
    assert frame.voice.patter()["n"].sum() == 0
    assert frame.voice.patter()["p50"].isna().all()


def test_a_frame_without_one_of_the_fields_says_which(turns: Turns) -> None:
    with pytest.raises(ConfigError, match=r"^patter\(\) needs the column bargein_ms, which this frame has not"):
        turn_table(turns).drop(columns="bargein_ms").voice.patter()
