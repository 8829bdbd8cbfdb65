"""Facts as plain data."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patter_nb.records.plain import plain, storable, tool_from, usage_from
from patter_nb.turns.facts import ToolRun
from patter_nb.turns.usage import Usage


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (Usage("stt", "acme", "m", audio_seconds=1.5), {"service": "stt", "audio_seconds": 1.5}),
        ({"a": (1, 2), 3: {4}}, {"a": [1, 2], "3": [4]}),
        ({"at": datetime(2026, 7, 20, tzinfo=UTC)}, {"at": "2026-07-20T00:00:00+00:00"}),
        ({"nan": math.nan, "inf": math.inf, "big": 2**60, "yes": True}, {"nan": None, "inf": None, "big": str(2**60)}),
        ({"error": ValueError("too long")}, {"error": "too long"}),
        ({"zero\x00": "half \ud800 pair"}, {"zero\ufffd": "half ? pair"}),
    ],
)
def test_anything_becomes_what_json_can_hold(value: object, data: dict[str, object]) -> None:
    found = plain(value)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert {key: found[key] for key in data} == data


def test_usage_and_tools_come_back_as_they_were() -> None:
    usage = Usage("llm", "acme", "m", 0.0, 0, 10, 5, 3, "acme/m/llm@2026-01-01")
    run = ToolRun("t1", "book", '{"at": 8}', "ok")
    assert usage_from({**plain(usage), "of a later version": 1}) == usage
    assert tool_from(plain(run)) == run


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_every_text_can_be_stored(text: str) -> None:
    kept = storable(text)
    assert "\x00" not in kept
    assert kept.encode("utf-8").decode() == kept == storable(kept)
