"""How a call stands, in the words of a card: what kind of call it is, where it is on its way, and what to do when it fails."""

from __future__ import annotations

import math
import re
from typing import Any

from patter_nb.notebook.view import State, ms_text
from patter_nb.records.facts import CallFacts
from patter_nb.records.lines import LineFacts, Outcome

_ON_THE_WAY = {"ringing": "ringing", "in-progress": "connecting", "answered": "connecting"}
_ENDINGS: dict[Outcome, str] = {
    "voicemail": "voicemail",
    "no_answer": "no answer",
    "busy": "busy",
    "canceled": "canceled",
    "failed": "failed",
}


def short_number(number: str) -> str:
    """A number as a title has room for it, "•••34"; a word such as "anonymous" as it is."""
    digits = re.sub(r"\D", "", number)
    return f"•••{digits[-2:]}" if len(digits) >= 4 else number or "an unknown number"


def title_of(facts: CallFacts) -> str:
    """What kind of call it is, and with whom."""
    if facts.direction == "inbound":
        return f"call from {short_number(facts.caller)}"
    return f"call to {short_number(facts.callee)}" if facts.direction == "outbound" else "test call"


def standing_of(facts: CallFacts, state: State, line: LineFacts) -> str:
    """Where it is on its way, in a word or two; empty where its state says all."""
    if state == "running":
        if line.answered or facts.direction == "test":
            return ""
        before = "ringing" if facts.direction == "inbound" else "dialing"
        return _ON_THE_WAY.get(line.status or "", before)
    if state == "failed" or facts.direction == "test" or line.outcome is None:
        return ""
    return _ENDINGS.get(line.outcome, "")


def remarks_of(facts: CallFacts, line: LineFacts, *, error: str | None) -> list[str]:
    """What a reader must know of the line: who answered, and what to do where nobody did."""
    if facts.direction == "test":
        return []
    told = [_answerer(line)] if line.answered_by not in (None, "human") else []
    if error is None and line.outcome is not None and not line.answered:
        told.append(_remedy(facts, line))
    return told


def _answerer(line: LineFacts) -> str:
    after = "" if math.isnan(line.amd_ms) else f" after {ms_text(line.amd_ms)} ms"
    left = "; the message was left" if line.message_left else ""
    if line.answered_by == "unknown":
        return f"The carrier could not tell{after} whether a person answered{left}."
    return f"A {'fax' if line.answered_by == 'fax' else 'machine'} answered, as the carrier heard{after}{left}."


def _remedy(facts: CallFacts, line: LineFacts) -> str:
    because = f" ({line.reason.rstrip('.')})" if line.reason else ""
    inbound = facts.direction == "inbound"
    match line.outcome:
        case "no_answer":
            return f"Nobody picked up{because}: call again later, or give ring_timeout= more seconds."
        case "busy":
            return f"The line is busy{because}: call again later."
        case "canceled":
            return f"The caller hung up before the call was connected{because}." if inbound else f"It was given up{because}."
        case _:
            where = f", where it is {line.carrier_call_id}" if line.carrier_call_id else ""
            return f"The carrier could not connect it{because}: check the number, then the carrier's own log{where}."


def limits_of(events: list[Any], direction: str) -> list[str]:
    """What the limit of a call's cost cannot see. A test has no line that costs money."""
    if direction == "test":
        return []
    unseen = [event.data for event in events if event.kind == "cost_not_seen"]
    if not unseen:
        return []
    what = ", ".join(str(data.get("what")) for data in unseen)
    return [f"The limit of {unseen[-1].get('limit_usd'):g} USD does not see what has no known price: {what}."]
