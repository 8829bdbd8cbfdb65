"""Tables of turns to draw: from a few to very many, and everything that goes wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from patter_nb.notebook.picture import Dots, Lines, Picture, Rect, Text

SHARES = {
    "endpointing_ms": 0.46, "stt_final_ms": 0.12, "hooks_ms": 0.002, "llm_first_token_ms": 0.16, "first_sentence_ms": 0.06,
    "tts_first_byte_ms": 0.15, "send_ms": 0.01, "leading_silence_ms": 0.02,
}  # fmt: skip
"""What part of a gap each span takes; the rest is unexplained."""
SAID = ("Hi, when is dinner?", "Do you have anything vegetarian?", "It's Johnson.", "Thanks, bye.")


def fake_turns(count: int, calls: int = 1, revisions: int = 1, *, seed: int = 1, better_ms: float = 25.0) -> pd.DataFrame:
    """`count` turns of the caller in `calls` calls, of which later ones have later revisions, each `better_ms` faster."""
    dice = np.random.default_rng(seed)
    call = np.sort(np.arange(count) % calls) if count else np.zeros(0, dtype=int)
    revision = 1 + call * revisions // calls if calls >= revisions else 1 + np.arange(count) * revisions // max(1, count)
    gap = (820 - better_ms * revision + 60 * dice.standard_normal(calls)[call]) * np.exp(0.22 * dice.standard_normal(count))
    first = np.searchsorted(call, call)
    at = pd.Timestamp("2026-11-03T14:00Z") + pd.to_timedelta(call * 600 + (np.arange(count) - first) * 7.3, unit="s")
    number = np.arange(count) - first + 1
    rows: dict[str, Any] = {
        "call_id": pd.Series([f"test_{each:06x}" for each in call], dtype="str"), "turn": pd.Series(number, dtype="Int64"),
        "kind": "caller", "started_at": at.as_unit("us"), "revision": pd.Series(revision, dtype="Int64"),
        "caller_text": [SAID[each % len(SAID)] for each in range(count)], "heard_text": "Yes.",
        "interrupted": pd.Series(dice.random(count) < 0.08, dtype="boolean"), "gap_ms": gap,
        **{name: gap * share for name, share in SHARES.items()},
        "loop_stall_ms": 0.0, "stt_usd": 0.00015, "llm_usd": 0.00006, "tts_usd": 0.0012 + 0.0004 * dice.random(count),
        "unknown": None, "error": None, "missing": None,
    }  # fmt: skip
    frame = pd.DataFrame(rows)
    frame["unexplained_ms"] = frame["gap_ms"] - frame[list(SHARES)].sum(axis=1)
    frame["usd"] = frame[["stt_usd", "llm_usd", "tts_usd"]].sum(axis=1)
    return frame


def _missing_gaps(count: int) -> pd.DataFrame:
    frame = fake_turns(count)
    frame[["gap_ms", *SHARES, "unexplained_ms"]] = np.nan
    frame["missing"] = "gap_ms: audible_at was not recorded; tts_ms: none"
    return frame


def _outlier() -> pd.DataFrame:
    frame = fake_turns(40, 4, 2)
    frame.loc[17, "gap_ms"] = 60_000.0
    frame.loc[17, "unexplained_ms"] = 60_000.0 - frame.loc[17, list(SHARES)].sum()
    frame.loc[17, "loop_stall_ms"] = 58_000.0
    return frame


def _unpriced(all_of_it: bool) -> pd.DataFrame:
    frame = fake_turns(8)
    which = slice(None) if all_of_it else slice(2, 4)
    names = ["stt_usd", "llm_usd", "tts_usd"] if all_of_it else ["tts_usd"]
    frame.loc[which, [*names, "usd"]] = np.nan
    frame.loc[which, "unknown"] = "no price of tts acme/mouth"
    return frame


def _wordy() -> pd.DataFrame:
    frame = fake_turns(5)
    frame["caller_text"] = ["really " * 60, "晚饭" * 60, "", "$\\frac and 5$ <b>&", "مرحبا " * 30]
    frame.loc[2, ["gap_ms", *SHARES]] = np.nan
    frame.loc[2, "error"] = "LocalTTS failed in the middle of a reply: its worker process was killed. " * 3
    return frame


def _interrupted_and_stalled() -> pd.DataFrame:
    frame = fake_turns(14, 1, 3)
    frame.loc[[3, 9], "interrupted"] = True
    frame.loc[6, "loop_stall_ms"] = 1200.0
    frame.loc[11, "gap_ms"] = np.nan
    return frame


def _free() -> pd.DataFrame:
    frame = fake_turns(6)
    frame[["stt_usd", "llm_usd", "tts_usd", "usd"]] = 0.0
    return frame


CASES: dict[str, Callable[[], pd.DataFrame]] = {
    "no calls": lambda: fake_turns(0),
    "one turn": lambda: fake_turns(1),
    "one call": _interrupted_and_stalled,
    "fourteen turns in three calls": lambda: fake_turns(14, 3, 2),
    "five hundred turns": lambda: fake_turns(500, 40, 3),
    "a hundred thousand turns": lambda: fake_turns(100_000, 10_000, 4),
    "all gaps missing": lambda: _missing_gaps(9),
    "a gap of a minute": _outlier,
    "long words": _wordy,
    "twelve revisions": lambda: fake_turns(600, 96, 12),
    "twenty revisions in one call": lambda: fake_turns(40, 1, 20),
    "some prices unknown": lambda: _unpriced(False),
    "no price known": lambda: _unpriced(True),
    "nothing costs anything": _free,
}


def fake_events(calls: int, *, stalls: int = 0) -> pd.DataFrame:
    """Calls in which both speak in turns; in each the caller cuts in once."""
    rows: list[tuple[str, float, str, dict[str, Any]]] = []
    for call in range(calls):
        at = 0.2
        for turn in range(4 + call % 3):
            for who, seconds in (("agent_speech", 1.9), ("caller_speech", 1.3)):
                cut = turn == 2 and who == "agent_speech"
                data = {"started_at": at, "ended_at": at + seconds, "interrupted": cut}
                rows.append((f"test_{call:06x}", at + seconds, who, data))
                at += seconds + 0.6
        if call < stalls:
            rows.append((f"test_{call:06x}", at, "loop_stall", {"started_at": 4.0, "seconds": 1.2, "cell": "[7]"}))
    return pd.DataFrame(rows, columns=["call_id", "at", "kind", "data"])


def texts(picture: Picture) -> list[str]:
    return [shape.text for shape in picture.shapes if isinstance(shape, Text)]


def rects(picture: Picture, fill: str) -> list[Rect]:
    return [shape for shape in picture.shapes if isinstance(shape, Rect) and shape.fill == fill]


def lines(picture: Picture, stroke: str) -> list[Lines]:
    return [shape for shape in picture.shapes if isinstance(shape, Lines) and shape.stroke == stroke]


def dots(picture: Picture) -> list[Dots]:
    return [shape for shape in picture.shapes if isinstance(shape, Dots)]
