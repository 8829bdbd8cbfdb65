"""The bill of a call: each item of it as a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from patter_nb.records.columns import UNPRICED, Column, Dtype, names_of, reasons
from patter_nb.records.cost import CostItem
from patter_nb.records.readings import CallReading


class CostRow(NamedTuple):
    """An item of a bill and the call it belongs to."""

    call: CallReading
    item: CostItem


def _usage(name: str, services: Sequence[str]) -> Callable[[CostRow], float | None]:
    def read(row: CostRow) -> float | None:
        mine = [each for each in row.item.usage if each.service in services]
        return sum(getattr(each, name) for each in mine) if mine else None

    return read


def _of_usage(name: str) -> Callable[[CostRow], str | None]:
    def read(row: CostRow) -> str | None:
        found = [str(getattr(each, name)) for each in row.item.usage if getattr(each, name) is not None]
        return None if row.item.part == "total" else names_of(found)

    return read


_AS_BILLED = "a carrier's as it bills it, 60 for the one detection of a machine"
_UNITS: tuple[tuple[str, Dtype, str, str, tuple[str, ...]], ...] = (
    ("audio_seconds", "float64", "s", f"Audio recognised, or time on the line; {_AS_BILLED}.", ("stt", "telephony")),
    ("characters", "Int64", "", "Characters synthesised.", ("tts",)),
    ("input_tokens", "Int64", "", "Prompt tokens that were not read from a cache.", ("llm",)),
    ("cached_input_tokens", "Int64", "", "Prompt tokens that were.", ("llm",)),
    ("output_tokens", "Int64", "", "Tokens of the answer.", ("llm",)),
)

COST_COLUMNS: tuple[Column[CostRow], ...] = (
    Column("call_id", lambda row: row.call.record.facts.call_id, "string", "The call it belongs to."),
    Column("turn", lambda row: row.item.turn, "Int64", "The turn it belongs to.", missing="for what belongs to the whole call"),
    Column("kind", lambda row: row.item.kind, "string", "The turn's kind, or call."),
    Column(
        "part", lambda row: row.item.part, "string",
        "stt, llm and tts of each turn; stt rest (audio between turns), telephony and prewarm of the call; total. On a "
        "carrier's line also media stream, machine detection and recording.",
    ),
    *(
        Column(name, _of_usage(name), "string", doc, missing="without usage; in the total")
        for name, doc in (("provider", "Who did it."), ("model", "With which model."), ("price_id", "The dated price row."))
    ),
    *(
        Column(name, _usage(name, services), dtype, doc, unit=unit, owner=services[0], missing="where it is not what is paid for")
        for name, dtype, unit, doc, services in _UNITS
    ),
    Column("usd", lambda row: row.item.usd, "float64", "What it cost; rows add up to the total.", unit="USD", missing=UNPRICED),
    Column("unknown", lambda row: reasons(row.item), "string", "Why usd is not known.", missing="when it is known"),
)  # fmt: skip
