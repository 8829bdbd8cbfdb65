"""What it cost: US dollars by turn, by call, by service or by anything else, and what of it is not known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from patter_nb.frames import needs
from patter_nb.frames.plots.groups import (
    NUMBERED,
    By,
    absent,
    capital,
    count_of_calls,
    extent,
    many,
    name_of,
    numbered,
    numbers,
    places_of,
)
from patter_nb.frames.plots.sheet import WIDTH, empty, sheet, shown
from patter_nb.notebook.bars import (
    HEAD_HEIGHT,
    ROW_HEIGHT,
    Bar,
    Chart,
    Measure,
    axis_shapes,
    bar_shapes,
    legend,
)
from patter_nb.notebook.picture import Area, Picture, Shape
from patter_nb.notebook.view import Piece, usd_text, whole_text, words
from patter_nb.notebook.waterfall import MOST_ROWS, SLOWEST

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

HEADING = "What it cost"
UNKNOWN = "unknown"

_WHO = "cost()"
_ROLES = {
    "stt": "stt_final", "llm": "llm_first_token", "tts": "tts_first_byte", "stt rest": "hooks", "telephony": "send",
    "media stream": "leading_silence", "machine detection": "transcript_hooks", "recording": "failed_reply",
    "prewarm": "endpointing",
}  # fmt: skip
"""The colour of each part of a bill: that of the span which the same service owns, or one that no service has."""
_NAMES = {
    "stt": "speech recognition", "llm": "model", "tts": "voice", "stt rest": "recognition between turns",
    "telephony": "telephony", "media stream": "media stream", "machine detection": "machine detection",
    "recording": "carrier's recording", "prewarm": "prewarm", UNKNOWN: "not known",
}  # fmt: skip
_LEFT = 262.0
_STUB = 26.0
"""Pixels for an amount that is not known, and has no length."""

DOLLARS = Measure(
    text=usd_text,
    full=usd_text,
    names=_NAMES,
    role=lambda part: _ROLES.get(part, "muted"),
    label_role=lambda _: "on_bar",
    hatched=frozenset({UNKNOWN}),
    owners={},
    least=1e-6,
)


def cost(frame: pd.DataFrame, by: By = "turn", *, dark: bool | None = None) -> Figure:
    """What turns cost, by service; what is not known is hatched and counted in no sum.

    Of a table of turns, or of a bill (`call.cost`), which has telephony and prewarming, too. `by`: "turn", "call", "service", or
    a column or several ("revision"); of more than 14 the 12 dearest are shown. `dark` None: where matplotlib's own style is
    dark.
    """
    return shown(cost_picture(frame, by), dark)


def cost_picture(frame: pd.DataFrame, by: By = "turn") -> Picture:
    """The plot before it is painted."""
    items = _items(frame)
    if items.empty:
        return empty(HEADING, "No turn is in this table: hold a call, then draw again.")
    bars, count = _bars(items, by)
    what = by if isinstance(by, str) else ", ".join(by or ["turn"])
    which = f": the {len(bars)} dearest of {whole_text(count)} {what}s" if count > len(bars) else f" by {what}"
    right = 150.0
    longest = max(bar.total for bar in bars)
    limit = (longest or 1.0) * (1 + _STUB / (WIDTH - _LEFT - right - _STUB))
    several = bool(places_of(items)) and by == "turn"
    chart = Chart(DOLLARS, WIDTH, _LEFT, limit, 54.0 if several else 30.0 if by == "turn" else 0.0, right)
    rows = ROW_HEIGHT * len(bars)
    shapes: list[Shape] = axis_shapes(chart, HEAD_HEIGHT, HEAD_HEIGHT + rows) if longest else []
    for index, bar in enumerate(bars):
        shapes += bar_shapes(chart, _with_stub(bar, chart), HEAD_HEIGHT + ROW_HEIGHT * index)
    drawn = {piece.column for bar in bars for piece in bar.pieces}
    names = {part: name for part, name in _NAMES.items() if part in drawn and (by != "service" or part == UNKNOWN)}
    colours, bottom = legend(DOLLARS, names, 0.0, HEAD_HEIGHT + rows + 10, WIDTH)
    across, down = (0.0, limit), (-0.5, len(bars) - 0.5)
    area = Area(_LEFT, HEAD_HEIGHT, WIDTH - _LEFT - right, rows, across, down, "USD", "rows")
    reading, remark = _reading(frame, items), NUMBERED if several else ""
    return sheet(f"{HEADING}{which}", [*shapes, *colours], bottom, reading, remark=remark, area=area)


def _items(frame: pd.DataFrame) -> pd.DataFrame:
    """One row for each part of each turn: those of a bill, or the three services of each row of a table of turns."""
    import pandas as pd

    if {"part", "usd"} <= set(frame.columns):
        return frame[frame["part"] != "total"].rename(columns={"part": "service"})
    services = [name for name in ("stt", "llm", "tts") if f"{name}_usd" in frame.columns]
    if not services:
        needs.need_columns(frame, ["stt_usd", "llm_usd", "tts_usd"], _WHO)
    rest = frame.drop(columns=["service", "usd"], errors="ignore")
    parts = [rest.assign(service=name, usd=numbers(frame, f"{name}_usd"), row=np.arange(len(frame))) for name in services]
    return pd.concat(parts, ignore_index=True) if len(frame) else rest.assign(service=None, usd=math.nan)


def _bars(items: pd.DataFrame, by: By) -> tuple[list[Bar], int]:
    """The rows, of more than `MOST_ROWS` the dearest, and how many there are in all."""
    by_turn = by == "turn"
    names = _turn_keys(items) if by_turn else ["call_id"] if by == "call" else needs.listed(by, "by")
    needs.need_columns(items, names, _WHO)
    found = items.groupby(names or np.zeros(len(items)), sort=not (by_turn or by == "service"), dropna=False, observed=True)
    places = found.ngroup().to_numpy()
    totals = np.bincount(places, np.nan_to_num(numbers(items, "usd")))
    which = np.arange(len(totals)) if len(totals) <= MOST_ROWS else np.argsort(-totals, kind="stable")[:SLOWEST]
    calls = places_of(items)

    def labelled(first: pd.Series[Any]) -> tuple[str, str]:
        if by_turn:
            return numbered(first, calls) or _text(first.get("turn")), _words(first)
        if by == "service":
            return "", capital(_NAMES.get(first["service"], first["service"]))
        return "", name_of(names, tuple(first[name] for name in names)) if names else "all turns"

    found_items = (items[places == place] for place in which)
    return [_bar(*labelled(mine.iloc[0]), mine) for mine in found_items], len(totals)


def _turn_keys(items: pd.DataFrame) -> list[str]:
    return [name for name in ("call_id", "turn") if name in items.columns] or ["row"]


def _text(turn: object) -> str:
    return "–" if absent(turn) else str(turn)


def _words(first: pd.Series[Any]) -> str:
    """The words of a turn, or what it is."""
    kind = words(first.get("kind"))
    if kind == "call":
        return "the call as a whole"
    return words(first.get("caller_text")) or (kind if kind not in ("", "caller") else "(no words)")


def _bar(number: str, label: str, items: pd.DataFrame) -> Bar:
    """The known parts one after the other; the total is what is known of it."""
    usd, pieces, at = numbers(items, "usd"), [], 0.0
    services = items["service"].tolist()
    for service in dict.fromkeys(services):
        mine = usd[[each == service for each in services]]
        amount = float(np.nansum(mine))
        if amount > 0:
            pieces.append(Piece(service, at, at + amount))
            at += amount
    unknown = int(np.isnan(usd).sum())
    if unknown:
        pieces.append(Piece(UNKNOWN, at, at))
    if not unknown:
        return Bar(number, label, tuple(pieces), at, usd_text(at))
    told = f"{usd_text(at)} + unknown" if at > 0 else UNKNOWN
    return Bar(number, label, tuple(pieces), at, told)


def _with_stub(bar: Bar, chart: Chart) -> Bar:
    """The bar with a piece for what is not known."""
    if not bar.pieces or bar.pieces[-1].column != UNKNOWN:
        return bar
    stub = Piece(UNKNOWN, bar.total, bar.total + _STUB / chart.per_unit)
    return Bar(bar.number, bar.label, (*bar.pieces[:-1], stub), bar.total, bar.told, bar.mark)


def _reading(frame: pd.DataFrame, items: pd.DataFrame) -> str:
    usd = numbers(items, "usd")
    known, unknown = float(np.nansum(usd)), np.isnan(usd)
    turns = items.groupby(_turn_keys(items), dropna=True).ngroups
    parts = [f"{usd_text(known)} for {extent(turns, count_of_calls(items))}"]
    if known > 0:
        sums = items.assign(usd=np.nan_to_num(usd)).groupby("service", sort=False)["usd"].sum()
        parts.append(f"{float(sums.max()) / known:.0%} of it for the {_NAMES.get(str(sums.idxmax()), str(sums.idxmax()))}")
    if unknown.any():
        parts[0] = f"At least {parts[0]}" if known > 0 else f"Not known for {extent(turns, count_of_calls(items))}"
        parts.append(f"{many(int(unknown.sum()), 'amount')} not known{_why(items[unknown])}")
    call_rows = "part" in frame.columns
    without = "" if call_rows else " Telephony and prewarming belong to the calls, and are in phone.calls."
    return f"{'; '.join(parts)}.{without}"


def _why(items: pd.DataFrame) -> str:
    """The reason that is given most often."""
    reasons = items["unknown"].dropna().tolist() if "unknown" in items.columns else []
    each: Sequence[str] = [reason for text in reasons for reason in str(text).split("; ")]
    return f" ({max(dict.fromkeys(each), key=each.count)})" if each else ""
