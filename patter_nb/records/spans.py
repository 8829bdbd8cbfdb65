"""What the caller's wait for a reply went to.

`gap_ms` runs from the caller's last speech to the first audible sample of the reply. Its parts are named spans; each has a start
and an end of its own, recorded by whoever owned it, and none begins by assignment where its neighbour ends. What no span covers
is `unexplained_ms`: it is measured, not made to be nothing.

Where spans overlap, the time counts for the one that stands first in `SPANS`, and what lies outside of the gap counts for none.
The silence granted passes by the clock whether the loop of the call runs or not, so endpointing stands before the stall: within
it nobody waited longer. Every other stage is worked on, sent or noticed by that loop, so a stall takes its time from all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from patter_nb.turns.facts import TurnFacts

KEYS = "[DTMF: "
"""How words begin that were pressed and not spoken."""

Interval = tuple[float, float]
"""Start and end, in seconds of the call's clock."""


@dataclass(frozen=True, slots=True)
class SpanKind:
    """A stage of the way from the caller's last word to the reply's first sound."""

    name: str
    label: str
    """For a legend."""
    start: str
    """The instant it begins at, a name of `turns.facts.INSTANTS`; "" for stalls, which are intervals of their own."""
    end: str
    owner: str
    """The setting or the part that this time belongs to."""
    doc: str
    rare: bool = False
    """Most turns go without it: where neither instant was recorded it took 0 ms, which is known."""

    @property
    def column(self) -> str:
        """Its name in tables."""
        return f"{self.name}_ms"


SPANS: tuple[SpanKind, ...] = tuple(
    SpanKind(*kind)
    for kind in (
        ("endpointing", "endpointing", "speech_ended_at", "endpointed_at", "hangover_ms", "the silence granted to the caller"),
        ("stall", "stall", "", "", "notebook cell", "the loop of the call was busy with something else"),
        ("stt_final", "STT final", "stt_requested_at", "stt_final_at", "stt", "the wait for the final transcript"),
        (
            "transcript_hooks", "transcript hooks", "transcript_hooks_started_at", "transcript_hooks_ended_at",
            "hooks.after_transcribe", "the text stages after the recogniser", True,
        ),
        (
            "failed_reply", "failed reply", "failed_reply_ordered_at", "failed_reply_ended_at", "llm or tts",
            "a reply that failed before any of it was heard", True,
        ),
        ("hooks", "hooks", "hooks_started_at", "hooks_ended_at", "hooks", "the text stages before the model"),
        (
            "llm_first_token", "LLM first token", "llm_requested_at", "llm_first_token_at", "llm",
            "the model until its first token",
        ),
        (
            "first_sentence", "first sentence", "sentence_started_at", "sentence_ready_at", "aggressive_first_flush",
            "tokens until there was a piece to speak",
        ),
        (
            "stages", "text stages", "stages_started_at", "stages_ended_at", "guardrails and hooks",
            "guardrails, hooks and transforms between the first sentence and the voice", True,
        ),
        ("tts_first_byte", "TTS first byte", "tts_requested_at", "tts_first_byte_at", "tts", "the voice until its first audio"),
        ("send", "send", "send_started_at", "played_at", "carrier", "the first audio on its way to the caller's ear"),
        ("leading_silence", "leading silence", "played_at", "audible_at", "tts", "silence before the voice's first sound"),
    )
)  # fmt: skip
"""In the order in which overlapping time is attributed: the first one takes it."""


@dataclass(frozen=True, slots=True)
class Stall:
    """A time in which the loop of the call could not run."""

    started_at: float
    seconds: float
    cell: str | None = None
    """What kept it busy, where that is known."""

    @property
    def interval(self) -> Interval:
        return (self.started_at, self.started_at + self.seconds)


class SpanPart(NamedTuple):
    """One span of one turn, and how much of the gap is attributed to it."""

    kind: SpanKind
    ms: float
    """Milliseconds of the gap; NaN when the span was not measured."""
    pieces: tuple[Interval, ...] = ()
    """Where they lie on the call's clock."""
    reason: str | None = None
    """Why `ms` is NaN."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """The gap of one turn, divided."""

    gap_ms: float
    parts: tuple[SpanPart, ...]
    """One for each of `SPANS`, in that order. Their known milliseconds and `unexplained_ms` add up to `gap_ms`."""
    unexplained_ms: float
    unexplained_pieces: tuple[Interval, ...] = ()
    reason: str | None = None
    """Why `gap_ms` is NaN."""

    def part(self, name: str) -> SpanPart:
        """The part of this span."""
        return self.parts[_PLACES[name]]


_PLACES = {kind.name: place for place, kind in enumerate(SPANS)}


def attribute(facts: TurnFacts, stalls: Sequence[Stall] | None = ()) -> Attribution:
    """Divide the gap of a turn among its spans. `stalls` is None where nobody could notice them: in virtual time."""
    gap, reason = _gap(facts)
    if gap is None:
        return Attribution(math.nan, tuple(SpanPart(kind, math.nan, (), reason) for kind in SPANS), math.nan, (), reason)
    parts, left = [], [gap]
    for kind in SPANS:
        found = _measured(kind, facts.instants) if kind.start else _stalled(stalls)
        if isinstance(found, str):
            parts.append(SpanPart(kind, math.nan, (), found))
            continue
        pieces, left = _taken(left, found)
        parts.append(SpanPart(kind, _length_ms(pieces), tuple(pieces)))
    return Attribution((gap[1] - gap[0]) * 1000, tuple(parts), _length_ms(left), tuple(left))


def recorded(kind: SpanKind, facts: TurnFacts, stalls: Sequence[Stall] | None) -> tuple[Interval, ...]:
    """The span as it was recorded, whether anybody waited for it or not; of stalls, those that touch the gap."""
    if kind.start:
        found = _measured(kind, facts.instants)
        return () if isinstance(found, str) else tuple(found)
    gap, _ = _gap(facts)
    if gap is None:
        return ()
    return tuple(stall.interval for stall in stalls or () if stall.started_at < gap[1] and stall.interval[1] > gap[0])


def _gap(facts: TurnFacts) -> tuple[Interval | None, str | None]:
    if facts.kind != "caller":
        return None, f"a turn of kind {facts.kind!r} answers no caller speech"
    if "speech_ended_at" not in facts.instants and facts.caller_text.startswith(KEYS):
        return None, "no speech: the caller pressed keys"
    for name in ("speech_ended_at", "audible_at"):
        if name not in facts.instants:
            return None, f"{name} was not recorded"
    start, end = facts.instants["speech_ended_at"], facts.instants["audible_at"]
    return ((start, end), None) if start <= end else (None, "audible_at lies before speech_ended_at")


def _stalled(stalls: Sequence[Stall] | None) -> list[Interval] | str:
    return "virtual time has no stalls" if stalls is None else [stall.interval for stall in stalls]


def _measured(kind: SpanKind, instants: Mapping[str, float]) -> Sequence[Interval] | str:
    """The span as it was recorded, or the reason why there is none."""
    start, end = instants.get(kind.start), instants.get(kind.end)
    if start is not None and end is not None:
        return ((start, end),) if start <= end else f"{kind.end} lies before {kind.start}"
    if start is end and kind.rare:
        return ()
    missing = [name for name, at in ((kind.start, start), (kind.end, end)) if at is None]
    return f"{' and '.join(missing)} {'was' if len(missing) == 1 else 'were'} not recorded"


def _taken(these: list[Interval], those: Sequence[Interval]) -> tuple[list[Interval], list[Interval]]:
    """What of `these` (ascending, without overlap) lies within `those`, and what lies outside."""
    within: list[Interval] = []
    for start, end in those:
        rest: list[Interval] = []
        for piece in these:
            a, b = piece
            if b <= start or end <= a:
                rest.append(piece)
                continue
            if a < start:
                rest.append((a, start))
                a = start
            if end < b:
                rest.append((end, b))
                b = end
            if a < b:
                within.append((a, b))
        these = rest
    return sorted(within) if len(those) > 1 else within, these


def _length_ms(pieces: Sequence[Interval]) -> float:
    if len(pieces) == 1:
        return (pieces[0][1] - pieces[0][0]) * 1000
    return math.fsum([end - start for start, end in pieces]) * 1000
