"""Calls and turns as the Calls tab lists them, and one turn with all that is known of it. Numbers masked, amounts in words."""

from __future__ import annotations

import json
import math
from typing import Any

from patter_nb.notebook.conversation import heard_and_unheard
from patter_nb.notebook.standing import remarks_of, standing_of, title_of
from patter_nb.notebook.studio.live_turn import bar_of, marks_of
from patter_nb.notebook.view import ms_text, usd_text, words
from patter_nb.records.facts import RevisionFacts
from patter_nb.records.masking import mask_text
from patter_nb.records.metrics import LATENCIES
from patter_nb.records.readings import GUARDRAIL, CallReading, TurnReading
from patter_nb.records.toolruns import ToolReading, tool_runs

LONGEST_TEXT = 4000
"""Characters of a prompt, or of what a tool was given or returned."""

Row = dict[str, Any]


def call_row(call: CallReading) -> Row:
    """A call as a line of the table."""
    facts, end, line = call.record.facts, call.record.end, call.line
    gap = call.gap_ms(0.5)
    revisions = sorted({turn.facts.revision for turn in call.turns if turn.facts.revision is not None} or {facts.revision})
    return {
        "id": facts.call_id,
        "at": facts.started_at.isoformat(),
        "agent": words(facts.agent),
        "revisions": revisions,
        "kind": words(facts.direction),
        "source": words(facts.source),
        "caller": words(facts.caller),
        "who": words(facts.source) if facts.direction == "test" else title_of(facts),
        "seconds": None if end is None or not line.answered else end.duration_seconds,
        "over": end is not None,
        "standing": standing_of(facts, "running" if end is None else "ended", line),
        "remarks": [words(remark) for remark in remarks_of(facts, line, error=None if end is None else end.error)],
        "turns": len(call.caller_turns),
        "gap_ms": _known(gap),
        "usd": _known(call.total.usd),
        "usd_told": usd_text(call.total.usd),
        "unknown": list(call.total.unknown),
        "ended": "" if end is None else words(end.end_reason),
        "error": "" if end is None else words(end.error),
    }


def turn_row(turn: TurnReading) -> Row:
    """A turn as a line of the list."""
    facts = turn.facts
    heard, unheard = heard_and_unheard({"agent_text": facts.agent_text, "heard_text": facts.heard_text})
    return {
        "turn": facts.turn,
        "kind": facts.kind,
        "revision": facts.revision,
        "said": words(facts.caller_text),
        "heard": heard,
        "unheard": unheard,
        "gap_ms": _known(turn.attribution.gap_ms),
        "bar": bar_of(turn) if facts.kind == "caller" else None,
        "marks": list(marks_of(turn)),
        "usd": _known(turn.total.usd),
        "tools": len(facts.tools),
        "guardrails": len(facts.guardrails),
        "error": words(facts.error),
    }


def turn_detail(turn: TurnReading, revision: RevisionFacts | None) -> Row:
    """All there is to say of one turn."""
    facts = turn.facts
    return {
        **turn_row(turn),
        "call": turn.call.record.facts.call_id,
        "at": _known(turn.began_at),
        "spoken_at": facts.instants.get("speech_ended_at"),
        "overlap": words(facts.overlap_text),
        "estimated": facts.heard_estimated,
        "gap_reason": turn.attribution.reason or "",
        "perceived": "" if math.isnan(turn.perceived_ms) else f"{ms_text(turn.perceived_ms)} ms",
        "spans": _spans(turn),
        "patter": _patter(turn),
        "runs": [_run(run) for run in tool_runs(turn.call) if run.turn is turn],
        "hits": [_hit(event.data) for event in turn.call.late(GUARDRAIL, facts.turn)],
        "costs": [_cost(item.part, item.usd, item.unknown) for item in (*turn.cost_items, turn.total)],
        "errors": _errors(turn),
        "stalls": [{"ms": ms_text(ms), "cell": cell} for ms, cell in turn.stalls],
        "configured": None if revision is None else _configured(revision),
    }


def _spans(turn: TurnReading) -> list[Row]:
    """The parts of the wait; a rare stage that took no time is left out. Where the gap is unknown its own reason says all."""
    gap = turn.attribution
    if math.isnan(gap.gap_ms):
        return []
    shown = [part for part in gap.parts if part.ms != 0 or not (part.kind.rare or part.kind.name == "stall")]
    rows = [(part.kind.column, part.kind.label, part.kind.owner, part.ms, part.reason) for part in shown]
    rows.append(("unexplained_ms", "unexplained", "no span covers it", gap.unexplained_ms, None))
    return [
        {"column": column, "name": name, "owner": owner, "ms": ms_text(ms), "why": why or ""}
        for column, name, owner, ms, why in rows
    ]


def _patter(turn: TurnReading) -> list[Row]:
    """Patter's own fields, each with the reason where it is missing."""
    latency = turn.latency
    return [{"name": name, "ms": ms_text(latency.value(name)), "why": latency.missing.get(name, "")} for name in LATENCIES]


def _run(tool: ToolReading) -> Row:
    run = tool.run
    state = "failed" if run.error is not None else "returned" if run.returned_at is not None else "never returned"
    return {
        "name": words(run.name),
        "arguments": _pretty(run.arguments),
        "result": _short(run.error if run.error is not None else run.result),
        "state": state,
        "ms": "" if math.isnan(tool.ms) else f"{ms_text(tool.ms)} ms",
        "attempts": run.attempts,
        "late": tool.late,
    }


def _hit(data: Any) -> Row:
    added = data.get("added_ms")
    held = "" if added is None else f"{ms_text(added)} ms"
    return {"name": words(data.get("name")), "matched": words(data.get("matched")), "held": held}


def _cost(part: str, usd: float, unknown: tuple[str, ...]) -> Row:
    return {"part": part, "usd": usd_text(usd), "unknown": list(unknown)}


def _errors(turn: TurnReading) -> list[str]:
    """What went wrong in the turn: its first error, and the stages of the user's that failed."""
    failed = (event.data for event in turn.call.late("stage_failed", turn.facts.turn))
    told = [words(turn.facts.error), *(words(f"{data.get('stage')}: {data.get('error')}") for data in failed)]
    return list(dict.fromkeys(text for text in told if text))


def _configured(revision: RevisionFacts) -> Row:
    content = revision.content
    return {
        "number": revision.number,
        "note": words(revision.note),
        "scope": revision.scope,
        "made_at": revision.created_at.isoformat(),
        "prompt": _short(content.get("system_prompt"), lines=True),
        "first_message": words(content.get("first_message")),
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _pretty(arguments: str) -> str:
    """Arguments as a model wrote them; an empty object is nothing."""
    try:
        value = json.loads(arguments or "{}")
    except ValueError:
        return _short(arguments)
    return "" if value == {} else _short(json.dumps(value, ensure_ascii=False))


def _short(value: object, *, lines: bool = False) -> str:
    text = "" if value is None else str(value)
    text = mask_text(text if lines else " ".join(text.split()))
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
