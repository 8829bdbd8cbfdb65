"""Turns of calls as frames, with gaps that are drawn with a seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from patter_nb.records.tables import TABLES, frame


@pytest.fixture
def turns() -> Callable[..., pd.DataFrame]:
    """`turns(calls, each, **columns)`: that many calls of so many turns of the caller; `gap_ms` is drawn."""
    frame(TABLES["turns"], [])  # DataFrames have their voice from here on

    def make(calls: int, each: int, **columns: Any) -> pd.DataFrame:
        draw = np.random.default_rng(7)
        rows = calls * each
        made = {
            "call_id": np.repeat([f"call_{number}" for number in range(calls)], each),
            "turn": np.tile(np.arange(1, each + 1), calls),
            "kind": "caller",
            "interrupted": False,
            "revision": np.repeat(np.arange(calls) % 2 + 1, each),
            "gap_ms": np.exp(6.3 + 0.3 * np.repeat(draw.normal(size=calls), each) + 0.4 * draw.normal(size=rows)),
        }
        types = {"call_id": "string", "kind": "string", "turn": "Int64", "interrupted": "boolean", "revision": "Int64"}
        return pd.DataFrame({**made, **columns}).astype(types)

    return make
