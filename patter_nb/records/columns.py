"""Every column of every table: its name, how it is read, its type, its unit, and when it is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from operator import attrgetter
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from patter_nb.records.cost import CostItem
from patter_nb.records.facts import EventFacts
from patter_nb.records.masking import mask_data, mask_number, mask_text
from patter_nb.records.metrics import FORMULAS
from patter_nb.records.readings import CallReading, TurnReading
from patter_nb.records.revised import RevisionReading
from patter_nb.records.spans import SPANS, SpanKind
from patter_nb.records.toolruns import ToolReading

Row = TypeVar("Row")
Dtype = Literal["string", "Int64", "float64", "boolean", "datetime64[us, UTC]", "object"]


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column of a table whose rows are read from a `Row`."""

    name: str
    read: Callable[[Row], Any]
    dtype: Dtype
    """How pandas holds it; each of them can hold a missing value."""
    doc: str
    _: KW_ONLY
    unit: str = ""
    owner: str = ""
    """The setting or the part that its value belongs to."""
    missing: str = "never"
    """When it is missing, and why."""


class EventRow(NamedTuple):
    """An event and the call it belongs to."""

    call: CallReading
    event: EventFacts


def _facts(name: str) -> Callable[[CallReading], Any]:
    return lambda call: getattr(call.record.facts, name)


def _end(name: str) -> Callable[[CallReading], Any]:
    return lambda call: None if call.record.end is None else getattr(call.record.end, name)


def _line(name: str) -> Callable[[CallReading], Any]:
    return attrgetter(f"line.{name}")


def _turn(name: str) -> Callable[[TurnReading], Any]:
    return attrgetter(f"facts.{name}")  # written in C, and called for every row


def _text(name: str) -> Callable[[TurnReading], str | None]:
    return lambda turn: _masked(getattr(turn.facts, name))


def _masked(text: str | None) -> str | None:
    return None if text is None else mask_text(text)


def reasons(item: CostItem) -> str | None:
    return "; ".join(item.unknown) or None


def names_of(names: Sequence[str]) -> str | None:
    return ", ".join(dict.fromkeys(names)) or None


_RUNNING = "while the call runs"
_KILLED = "while the call runs; when the process died in mid-call"
_HASH = "without a number; while the store that keeps the key cannot be read"
_NO_GAP = "when no turn has a gap"
UNPRICED = "when a price or a usage is not known: see unknown"


def _provider(service: str, label: str) -> tuple[Column[CallReading], Column[CallReading]]:
    return (
        Column(
            f"{service}_provider", _facts(f"{service}_provider"), "string", f"Who did {label} when the call began.",
            owner=service, missing="when nobody did",
        ),
        Column(
            f"{service}_model", _facts(f"{service}_model"), "string", f"The model that did {label} when the call began.",
            owner=service, missing="when nobody did",
        ),
    )  # fmt: skip


CALL_COLUMNS: tuple[Column[CallReading], ...] = (
    Column("call_id", _facts("call_id"), "string", "Names the call."),
    Column("started_at", _facts("started_at"), "datetime64[us, UTC]", "When the call's clock read 0.", unit="UTC"),
    Column("duration_seconds", _end("duration_seconds"), "float64", "From the answer to the end.", unit="s", missing=_KILLED),
    Column("agent", _facts("agent"), "string", "The agent's name."),
    Column("revision", _facts("revision"), "Int64", "The revision the call began with; each turn has its own."),
    Column("direction", _facts("direction"), "string", "test, inbound or outbound."),
    Column(
        "outcome", _line("outcome"), "string",
        "answered, voicemail (by a machine), no_answer, busy, failed, or canceled (given up before an answer).",
        owner="carrier", missing=_KILLED,
    ),
    Column("source", lambda call: mask_text(call.record.facts.source), "string", "What the caller was."),
    Column("carrier", _facts("carrier"), "string", "Who carried it; simulated for test calls.", owner="carrier"),
    Column("mode", _facts("mode"), "string", "pipeline: recognition, model and voice are three providers."),
    Column("speed", _facts("speed"), "string", "real, or max for virtual time."),
    Column("caller", lambda call: mask_number(call.record.facts.caller), "string", "The caller's number, masked."),
    Column("callee", lambda call: mask_number(call.record.facts.callee), "string", "The called number, masked."),
    Column("caller_hash", lambda call: call.record.hashes[0], "string", "Keyed hash of the caller's number.", missing=_HASH),
    Column("callee_hash", lambda call: call.record.hashes[1], "string", "Keyed hash of the called number.", missing=_HASH),
    Column(
        "carrier_call_id", _line("carrier_call_id"), "string", "The carrier's own name of the call.", owner="carrier",
        missing="for test calls; when the carrier did not take the call",
    ),
    Column(
        "ring_seconds", _line("ring_seconds"), "float64",
        "From the first ring until somebody answered or the line gave up, by when the carrier told us.",
        unit="s", owner="ring_timeout", missing="for test calls; when the carrier told of no ring",
    ),
    Column(
        "answered_by", _line("answered_by"), "string", "human, machine, fax or unknown, as the carrier heard.",
        owner="machine_detection", missing="when it was not to listen, or has no verdict",
    ),
    Column(
        "amd_ms", _line("amd_ms"), "float64", "How long that verdict took; nobody waited for it.", unit="ms",
        owner="machine_detection", missing="when answered_by is",
    ),
    *_provider("stt", "speech recognition"),
    *_provider("llm", "the answers"),
    *_provider("tts", "the voice"),
    Column(
        "stand_in", lambda call: names_of(call.record.facts.stand_in), "string",
        "The parts that stood in for a provider without a key.", owner="stand_in", missing="when nothing stood in",
    ),
    Column("turns", lambda call: len(call.caller_turns), "Int64", "The caller's turns that are closed."),
    Column("gap_p50_ms", lambda call: call.gap_ms(0.50), "float64", "Median of gap_ms.", unit="ms", missing=_NO_GAP),
    Column("gap_p95_ms", lambda call: call.gap_ms(0.95), "float64", "95th percentile of gap_ms.", unit="ms", missing=_NO_GAP),
    Column("usd", lambda call: call.total.usd, "float64", "What the call cost.", unit="USD", missing=UNPRICED),
    Column(
        "carrier_price_usd", _line("carrier_price_usd"), "float64",
        "What the carrier says it charged for the line; it stands in usd in place of the estimate.", unit="USD",
        owner="carrier", missing="for test calls; until the carrier tells, some minutes after the end",
    ),
    Column("unknown", lambda call: reasons(call.total), "string", "Why usd is not known.", missing="when it is known"),
    Column("end_reason", _end("end_reason"), "string", "Why the call ended.", missing=_KILLED),
    Column(
        "error", lambda call: _masked(_end("error")(call)), "string", "What went wrong, in one sentence.",
        missing=f"when nothing did; {_KILLED}",
    ),
    Column("recording_path", _end("recording_path"), "string", "The stereo recording.", missing="until it is on the disk"),
)  # fmt: skip


def _span(kind: SpanKind) -> Column[TurnReading]:
    from_to = f"from {kind.start} to {kind.end}" if kind.start else "from loop_stall events"
    missing = "without a gap; when one of its instants was not recorded" if kind.start else "without a gap; in virtual time"
    doc = f"Part of gap_ms: {kind.doc} ({from_to}), as far as no stage before it took that time."
    place = SPANS.index(kind)
    return Column(
        kind.column, lambda turn: turn.attribution.parts[place].ms, "float64", doc, unit="ms", owner=kind.owner, missing=missing
    )


_LATENCY_OWNERS = {
    "stt_ms": "stt",
    "llm_ms": "llm",
    "llm_ttft_ms": "llm",
    "llm_total_ms": "llm",
    "tts_ms": "tts",
    "tts_total_ms": "tts",
    "bargein_ms": "carrier",
}


_SIGNAL = {"endpoint_signal_at": "the earlier of vad_stopped_at and stt_final_at"}


def _latency(name: str) -> Column[TurnReading]:
    start, end = (" or ".join(_SIGNAL.get(each, each) for each in group) for group in FORMULAS[name])
    doc = f"Patter's field: from {start} to {end}, never below 0."
    missing = "when one of its instants was not recorded"
    owner = _LATENCY_OWNERS.get(name, "")
    return Column(name, attrgetter(f"latency.{name}"), "float64", doc, unit="ms", owner=owner, missing=missing)


def _usd(service: Literal["stt", "llm", "tts"], label: str) -> Column[TurnReading]:
    doc = f"What {label} cost in this turn."
    return Column(f"{service}_usd", lambda turn: turn.usd(service), "float64", doc, unit="USD", owner=service, missing=UNPRICED)


def why_missing(turn: TurnReading) -> str | None:
    """Each missing measurement of the turn with its reason; None when none is missing."""
    gap = turn.attribution
    reasons = {"gap_ms": gap.reason} if gap.reason else {part.kind.column: part.reason for part in gap.parts if part.reason}
    formulas = {name: why for name, why in turn.latency.missing.items() if name != "bargein_ms" or turn.facts.interrupted}
    told = [f"{name}: {reason}" for name, reason in {**reasons, **formulas}.items()]
    return "; ".join(told) or None


TURN_COLUMNS: tuple[Column[TurnReading], ...] = (
    Column("call_id", lambda turn: turn.call.record.facts.call_id, "string", "The call it belongs to."),
    Column("agent", lambda turn: turn.call.record.facts.agent, "string", "The agent's name; its revisions have numbers."),
    Column("turn", _turn("turn"), "Int64", "0 is the greeting; the caller's turns count from 1."),
    Column("kind", _turn("kind"), "string", "greeting, caller, said (the agent was told to say it) or goodbye."),
    Column(
        "started_at", lambda turn: turn.started_at, "datetime64[us, UTC]", "The turn's first instant.", unit="UTC",
        missing="when no instant was recorded",
    ),
    Column("revision", _turn("revision"), "Int64", "The agent's revision that replied.", missing="when no reply was begun"),
    Column(
        "edit_requested_at", _turn("edit_requested_at"), "float64",
        "When the edit was asked for that brought this revision into the call, by the call's clock.", unit="s",
        missing="when the call began with the revision",
    ),
    Column(
        "edit_effective_turn", _turn("edit_effective_turn"), "Int64", "The first turn that was answered with it.",
        missing="when the call began with the revision",
    ),
    Column("caller_text", _text("caller_text"), "string", "What the caller said; empty when nothing."),
    Column("overlap_text", _text("overlap_text"), "string", "What the caller said over the agent without interrupting it."),
    Column("agent_text", _text("agent_text"), "string", "What was generated, whether heard or not."),
    Column("heard_text", _text("heard_text"), "string", "What the caller heard of it."),
    Column(
        "heard_estimated", _turn("heard_estimated"), "boolean",
        "True when heard_text is a proportion of the played audio, False when the voice said where words end.", owner="tts",
    ),
    Column("interrupted", _turn("interrupted"), "boolean", "The caller's barge-in ended it.", owner="barge_in_threshold_ms"),
    Column("resumed", _turn("resumed"), "Int64", "How often the caller went on before any of the reply had played."),
    Column(
        "gap_ms", lambda turn: turn.attribution.gap_ms, "float64", "The caller's wait: from speech_ended_at to audible_at.",
        unit="ms", missing="for turns of other kinds than caller; when one of its instants was not recorded",
    ),
    *(_span(kind) for kind in SPANS),
    Column(
        "unexplained_ms", lambda turn: turn.attribution.unexplained_ms, "float64", "What no span covers of gap_ms.", unit="ms",
        missing="without a gap",
    ),
    Column(
        "perceived_ms", lambda turn: turn.perceived_ms, "float64", "The gap as the far end measured it, by its own clock.",
        unit="ms", missing="when the far end did not measure",
    ),
    *(_latency(name) for name in FORMULAS),
    Column(
        "agent_response_ms", attrgetter("latency.agent_response_ms"), "float64",
        "Patter's field: endpoint_ms + llm_ttft_ms + tts_ms.", unit="ms", missing="when one of the three is",
    ),
    Column(
        "loop_stall_ms", lambda turn: turn.loop_stall_ms, "float64",
        "How long the loop of the call stood still within the turn; 0 when no stall was noticed.",
        unit="ms", owner="notebook cell", missing="in virtual time",
    ),
    Column(
        "loop_stall_cell", lambda turn: turn.loop_stall_cell, "string", "The notebook cell of the longest of these stalls.",
        owner="notebook cell", missing="without a stall, and outside a notebook",
    ),
    _usd("stt", "speech recognition"),
    _usd("llm", "the model"),
    _usd("tts", "the voice"),
    Column("usd", lambda turn: turn.total.usd, "float64", "The sum of these three.", unit="USD", missing="when one of them is"),
    Column("unknown", lambda turn: reasons(turn.total), "string", "Why usd is not known.", missing="when it is known"),
    Column(
        "tools", lambda turn: names_of([run.name for run in turn.facts.tools]), "string", "The tools that ran.",
        missing="when none did",
    ),
    Column(
        "guardrails", lambda turn: names_of(turn.facts.guardrails), "string", "The guardrails that replaced a reply.",
        owner="guardrails", missing="when none did",
    ),
    Column(
        "guardrail_ms", lambda turn: turn.guardrail_ms, "float64", "How long they had held the text they replaced.", unit="ms",
        owner="guardrails", missing="when none replaced a reply",
    ),
    Column(
        "stand_in", lambda turn: names_of(turn.call.record.facts.stand_in), "string",
        "The parts that stood in for a provider without a key.", owner="stand_in", missing="when nothing stood in",
    ),
    Column("error", _text("error"), "string", "What went wrong in this turn, in one sentence.", missing="when nothing did"),
    Column("missing", why_missing, "string", "Why each missing measurement is missing.", missing="when none is"),
)  # fmt: skip

EVENT_COLUMNS: tuple[Column[EventRow], ...] = (
    Column("call_id", lambda row: row.call.record.facts.call_id, "string", "The call it belongs to."),
    Column("at", lambda row: row.event.at, "float64", "When it was recorded, by the call's clock.", unit="s"),
    Column("kind", lambda row: row.event.kind, "string", "What happened."),
    Column("turn", lambda row: row.event.turn, "Int64", "The turn it belongs to.", missing="when it names none"),
    Column("data", lambda row: mask_data(row.event.data), "object", "What else is known of it: a dictionary."),
)


def _revision(name: str) -> Callable[[RevisionReading], Any]:
    return lambda revision: getattr(revision.facts, name)


REVISION_COLUMNS: tuple[Column[RevisionReading], ...] = (
    Column("agent", _revision("agent"), "string", "The agent's name."),
    Column("number", _revision("number"), "Int64", "Counts within the name, from 1 in each `Patter` object."),
    Column("content_id", _revision("content_id"), "string", "A hash of the content."),
    Column("parent", _revision("parent"), "Int64", "The revision it was made from.", missing="for the first one"),
    Column(
        "changed", lambda revision: names_of(revision.changed), "string", "The fields that differ from the parent's.",
        missing="for the first one; when none does",
    ),
    Column("scope", _revision("scope"), "string", "For whom it was made: next call, all calls, or this call."),
    Column("note", _revision("note"), "string", "What you wrote beside it."),
    Column("created_at", _revision("created_at"), "datetime64[us, UTC]", "When it was made.", unit="UTC"),
    Column("turns", lambda revision: len(revision.caller_turns), "Int64", "The caller's turns it answered."),
    Column(
        "gap_p50_ms", lambda revision: revision.gap_p50_ms, "float64", "Median of gap_ms over those.", unit="ms", missing=_NO_GAP
    ),
    Column(
        "usd", lambda revision: revision.usd, "float64", "What its turns cost, greetings and the like included.", unit="USD",
        missing="without turns; when the cost of one is not known",
    ),
    Column("content", lambda revision: dict(revision.facts.content), "object", "The agent's fields, without secrets."),
)  # fmt: skip


def _run(name: str) -> Callable[[ToolReading], Any]:
    return lambda tool: getattr(tool.run, name)


def _run_text(name: str) -> Callable[[ToolReading], str | None]:
    return lambda tool: _masked(getattr(tool.run, name))


TOOL_COLUMNS: tuple[Column[ToolReading], ...] = (
    Column("call_id", lambda tool: tool.turn.call.record.facts.call_id, "string", "The call it ran in."),
    Column("turn", lambda tool: tool.turn.facts.turn, "Int64", "The turn it was asked for in."),
    Column("revision", lambda tool: tool.turn.facts.revision, "Int64", "The agent's revision.", missing="without a reply"),
    Column("id", _run("id"), "string", "The model's name of this execution."),
    Column("name", _run("name"), "string", "The tool."),
    Column("arguments", _run_text("arguments"), "string", "The arguments as the model wrote them: JSON."),
    Column("result", _run_text("result"), "string", "What the model was told.", missing="when it failed, or did not return"),
    Column("error", _run_text("error"), "string", "What went wrong, as the model was told.", missing="when nothing did"),
    Column(
        "called_at", _run("called_at"), "float64", "When the model asked for it, by the call's clock.", unit="s",
        missing="in rows of an earlier version",
    ),
    Column(
        "ms", lambda tool: tool.ms, "float64", "From then to its return.", unit="ms",
        missing="when it did not return before the call was over; in rows of an earlier version",
    ),
    Column("attempts", _run("attempts"), "Int64", "How often it was tried.", owner="idempotent"),
    Column("progress", lambda tool: tool.progress, "Int64", "How often it reported on its way."),
    Column("late", lambda tool: tool.late, "boolean", "It returned when its turn was over."),
)  # fmt: skip
