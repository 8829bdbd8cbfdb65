"""Patter's own figures of a turn and of a call, computed from the instants that were recorded.

The formulas are Patter's. They do not add up to the wait of the caller: `llm_ttft_ms` begins at the final transcript, so it
counts the text stages that `endpoint_ms` holds as well, and no field holds the time from the first token to the first sentence.
`gap_ms` (see `spans`) is the measured wait and stands beside them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields

from patter_nb.records.masking import mask_text
from patter_nb.turns.facts import TurnFacts

FORMULAS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "stt_ms": (("endpoint_signal_at", "speech_started_at"), ("stt_final_at",)),
    "llm_ms": (("stt_final_at",), ("llm_first_token_at", "llm_finished_at")),
    "tts_ms": (("sentence_ready_at", "llm_finished_at", "tts_requested_at"), ("tts_first_byte_at",)),
    "total_ms": (("speech_started_at",), ("tts_first_byte_at",)),
    "user_speech_duration_ms": (("speech_started_at",), ("endpoint_signal_at",)),
    "llm_ttft_ms": (("stt_final_at",), ("llm_first_token_at",)),
    "llm_total_ms": (("stt_final_at",), ("llm_finished_at",)),
    "endpoint_ms": (("endpoint_signal_at",), ("llm_requested_at",)),
    "bargein_ms": (("barge_in_at",), ("cleared_at",)),
    "tts_total_ms": (("llm_first_token_at", "sentence_ready_at", "llm_finished_at", "tts_requested_at"), ("tts_last_byte_at",)),
}
"""Each field from the first recorded instant of the first group to the first recorded one of the second, in ms, never below 0.

`endpoint_signal_at` is the earlier of `vad_stopped_at` and `stt_final_at`. `agent_response_ms` is `endpoint_ms` + `llm_ttft_ms` +
`tts_ms`. `tts_requested_at` stands in where no model was asked: greetings and what the agent was told to say.
"""

CORE = ("stt_ms", "llm_ms", "tts_ms", "total_ms")
"""The fields that are always numbers (NaN when missing); the others are None when missing."""
LATENCIES = (*FORMULAS, "agent_response_ms")


@dataclass(frozen=True, slots=True)
class LatencyBreakdown:
    """Milliseconds of one turn, or a statistic of them over the turns of a call."""

    stt_ms: float = math.nan
    """From the endpoint signal to the final transcript."""
    llm_ms: float = math.nan
    """From the final transcript to the model's first token, or to its end where no token was seen."""
    tts_ms: float = math.nan
    """From the first sentence to its first audio."""
    total_ms: float = math.nan
    """From the beginning of the caller's speech to the first audio, so it includes how long the caller spoke."""
    user_speech_duration_ms: float | None = None
    llm_ttft_ms: float | None = None
    llm_total_ms: float | None = None
    endpoint_ms: float | None = None
    """From the endpoint signal to the request to the model."""
    bargein_ms: float | None = None
    """From the decision that the caller interrupts to the clear."""
    tts_total_ms: float | None = None
    agent_response_ms: float | None = None
    missing: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Why a field has no value, by the field's name."""

    def value(self, name: str) -> float:
        """The field of this name; NaN when missing."""
        value: float | None = getattr(self, name)
        return math.nan if value is None else value


@dataclass(frozen=True, slots=True)
class CostBreakdown:
    """US dollars of a call. NaN where a price is not known; then `total` is NaN and `unknown` says what is missing.

    Prewarming counts for the service that was warmed, so the four parts add up to `total`.
    """

    stt: float
    tts: float
    llm: float
    telephony: float
    total: float
    llm_cached_savings: float
    """What reading prompt tokens from a cache saved; not part of `total`."""
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TurnMetrics:
    """One turn in Patter's terms. Texts are those of an interrupted turn too, word for word; the repr masks phone numbers."""

    turn_index: int
    user_text: str
    agent_text: str
    latency: LatencyBreakdown
    stt_audio_seconds: float
    tts_characters: int
    timestamp: float
    """When the turn began, in seconds since 1970 UTC; NaN when no instant of it was recorded."""

    def __repr__(self) -> str:
        shown = (f"{each.name}={_masked(getattr(self, each.name))!r}" for each in fields(self))
        return f"TurnMetrics({', '.join(shown)})"


@dataclass(frozen=True, slots=True)
class CallMetrics:
    """One call in Patter's terms. Statistics are over the caller's turns, interrupted ones included, missing values left out."""

    call_id: str
    duration_seconds: float
    """NaN while the call runs."""
    turns: tuple[TurnMetrics, ...]
    cost: CostBreakdown
    latency_avg: LatencyBreakdown
    latency_p50: LatencyBreakdown
    latency_p90: LatencyBreakdown
    latency_p95: LatencyBreakdown
    latency_p99: LatencyBreakdown
    latency_n: Mapping[str, int]
    """How many turns had a value, by the field's name."""
    provider_mode: str
    stt_provider: str | None
    tts_provider: str | None
    llm_provider: str | None
    telephony_provider: str
    stt_model: str | None
    tts_model: str | None
    llm_model: str | None
    error_code: str | None
    """The reason the call ended for, where it ended with an error."""
    context_tokens: int
    """The most prompt tokens one request to the model had."""
    preemptive_hits: int = 0
    """Replies begun before the caller's turn was over and used; none are begun that early, so always 0."""
    preemptive_misses: int = 0


def _masked(value: object) -> object:
    return mask_text(value) if isinstance(value, str) else value


def latency(facts: TurnFacts) -> LatencyBreakdown:
    """The latencies of one turn."""
    instants = {**facts.instants, **_endpoint_signal(facts.instants)}
    found = {name: _elapsed_ms(instants, start, end) for name, (start, end) in FORMULAS.items()}
    parts = [found[name] for name in ("endpoint_ms", "llm_ttft_ms", "tts_ms")]
    known = [part for part in parts if not isinstance(part, str)]
    found["agent_response_ms"] = sum(known) if len(known) == len(parts) else next(part for part in parts if isinstance(part, str))
    values = {name: value for name, value in found.items() if not isinstance(value, str)}
    return LatencyBreakdown(**values, missing={name: value for name, value in found.items() if isinstance(value, str)})


def _endpoint_signal(instants: Mapping[str, float]) -> dict[str, float]:
    signals = [instants[name] for name in ("vad_stopped_at", "stt_final_at") if name in instants]
    return {"endpoint_signal_at": min(signals)} if signals else {}


def _elapsed_ms(instants: Mapping[str, float], start: Sequence[str], end: Sequence[str]) -> float | str:
    """Milliseconds between the first recorded ones of each group, or the reason why there are none."""
    began, ended = _first(instants, start), _first(instants, end)
    if began is None or ended is None:
        absent = [" or ".join(names) for names, at in ((start, began), (end, ended)) if at is None]
        return f"no {' and no '.join(absent)} was recorded"
    return max(0.0, (ended - began) * 1000)


def _first(instants: Mapping[str, float], names: Sequence[str]) -> float | None:
    for name in names:
        if name in instants:
            return instants[name]
    return None


def percentile(values: Iterable[float], p: float) -> float:
    """The quantile `p` (0 to 1) by linear interpolation between ranks (type 7), NaN left out; NaN when nothing is left."""
    ranked = sorted(value for value in values if not math.isnan(value))
    if not ranked:
        return math.nan
    rank = p * (len(ranked) - 1)
    below = math.floor(rank)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (ranked[above] - ranked[below]) * (rank - below)


def mean(values: Iterable[float]) -> float:
    """The mean, NaN left out; NaN when nothing is left."""
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else math.nan


STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "avg": mean,
    "p50": lambda values: percentile(values, 0.50),
    "p90": lambda values: percentile(values, 0.90),
    "p95": lambda values: percentile(values, 0.95),
    "p99": lambda values: percentile(values, 0.99),
}


def statistics(latencies: Sequence[LatencyBreakdown]) -> tuple[dict[str, LatencyBreakdown], dict[str, int]]:
    """Each of `STATISTICS` over these turns, by its name, and the number of turns that had a value, by field."""
    columns = {name: [each.value(name) for each in latencies] for name in LATENCIES}
    counts = {name: sum(not math.isnan(value) for value in values) for name, values in columns.items()}
    return {statistic: _breakdown(columns, compute) for statistic, compute in STATISTICS.items()}, counts


def _breakdown(columns: Mapping[str, Sequence[float]], compute: Callable[[Sequence[float]], float]) -> LatencyBreakdown:
    found = {name: compute(values) for name, values in columns.items()}
    missing = {name: "no turn of the caller has it" for name, value in found.items() if math.isnan(value)}
    return LatencyBreakdown(**{name: value for name, value in found.items() if name not in missing}, missing=missing)
