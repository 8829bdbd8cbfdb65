"""What a terminal shows of a call besides what is said."""

from __future__ import annotations

from patter_nb.errors import scrub
from patter_nb.records.facts import EventFacts
from patter_nb.records.masking import mask_text
from patter_nb.session.notices import CallEvent


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def failure(event: EventFacts) -> list[str]:
    """What a terminal shows of an event that says why something failed, numbers and keys masked."""
    if not event.kind.endswith("_failed"):
        return []
    place = event.data.get("stage") or event.data.get("callback")
    what = event.kind.replace("_", " ") + (f" ({place})" if place else "")
    return [mask_text(scrub(in_one_line(f"{what}: {event.data.get('error')}")))]


def told(event: CallEvent) -> list[str]:
    """What a terminal shows of an event, numbers masked."""
    data = event.data
    if event.kind == "tool_called":
        return [mask_text(f"tool {data['name']} {data['arguments']}")]
    if event.kind == "tool_progress":
        return [mask_text(f"tool {data['name']}: {data['text']}")]
    if event.kind == "tool_returned":
        return [mask_text(f"tool {data['name']} -> {data['result'] if data['error'] is None else data['error']}")]
    if event.kind == "guardrail":
        return [f"guardrail {data['name']} replaced the rest of the answer"]
    if event.kind == "revision":
        return [f"revision {data['revision']} answers from here on"]
    if event.kind == "metrics" and data["llm_ttft_ms"] is not None:
        return [f"first token after {data['llm_ttft_ms']:.0f} ms"]
    return []
