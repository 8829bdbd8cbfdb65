"""Calls from their first ring to their end: those that come in, and those that the account places."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from patter_nb.testing.twilio import person as people
from patter_nb.testing.twilio.callee import Callee
from patter_nb.testing.twilio.line import SimulatedLine

LONGEST_SILENCE_SECONDS = 5.0
"""How long the detector waits for a machine to begin."""
HUMAN_VERDICT_SECONDS, FAX_VERDICT_SECONDS, MACHINE_START_SECONDS = 0.5, 2.0, 1.0


@dataclass(frozen=True, slots=True)
class Detection:
    """Answering machine detection of one call."""

    mode: str
    """Enable, or DetectMessageEnd."""
    url: str = ""
    """Where the verdict is told."""
    method: str = "POST"
    timeout_seconds: float = 30.0
    waits: bool = False
    """Whether the call waits for the verdict."""


async def ring(line: SimulatedLine, seconds: float) -> str:
    """Let the called party's telephone ring. The status that comes of it; "in-progress" when they have answered."""
    callee = line.exchange.callee_for(line.to_number)
    if callee.kind == "failed":
        return "failed"
    if callee.answers:
        line.person = await people.person(callee, synthetic=line.exchange.synthetic)
    line.set_status("ringing", "ringing")
    waits = seconds if callee.kind == "no-answer" else callee.answers_after_seconds
    if not await line.wait(line.exchange.clock.sleep(min(waits, seconds))):
        return "canceled"
    if waits >= seconds:
        return "no-answer"
    if callee.kind == "busy":
        return "busy"
    line.set_status("in-progress", "answered")
    return "in-progress"


def verdict(callee: Callee, line: SimulatedLine, detection: Detection) -> tuple[str, float]:
    """What the detector says of who answered, and how many seconds after the answer."""
    by_kind = {"human": ("human", HUMAN_VERDICT_SECONDS), "fax": ("fax", FAX_VERDICT_SECONDS)}
    word, seconds = by_kind.get(callee.kind, ("machine_end_beep", line.person.beep_seconds or 0.0))
    word = callee.answered_by or word
    if detection.mode == "Enable" and word.startswith("machine"):
        word, seconds = "machine_start", min(seconds, MACHINE_START_SECONDS)
    if callee.verdict_after_seconds is not None:
        seconds = callee.verdict_after_seconds
    return (word, seconds) if seconds <= detection.timeout_seconds else ("unknown", detection.timeout_seconds)


async def detect(line: SimulatedLine, detection: Detection) -> None:
    """Find out who answered, and tell it. Nothing is told of a call that has ended before."""
    callee = line.exchange.callee_for(line.to_number)
    word, seconds = verdict(callee, line, detection)
    if callee.kind == "machine" and callee.verdict_after_seconds is None and not detection.waits:
        # Its greeting, which the verdict is about, is heard from the start of the stream.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(line.streaming.wait(), LONGEST_SILENCE_SECONDS / line.exchange.clock.speed)
    await line.exchange.clock.sleep(seconds)
    line.answered_by = word
    line.exchange.changed()
    if detection.url:
        form = line.exchange.forms.verdict(line, line.since_answer)
        await line.exchange.posts.post("amd", detection.url, form, detection.method)


async def place(line: SimulatedLine, order: Order) -> None:
    """Hold a call that the account placed, to its end."""
    from patter_nb.testing.twilio.program import fetch, follow, readable

    line.set_status("queued", "initiated")
    outcome = await ring(line, order.ring_seconds)
    if outcome != "in-progress":
        await line.finish(outcome)
        return
    detecting = asyncio.ensure_future(detect(line, order.detection)) if order.detection else None
    try:
        if detecting and order.detection and order.detection.waits:
            await line.wait(asyncio.shield(detecting))
        if order.twiml:
            document = await readable(line, order.twiml)
        else:
            more = {"AnsweredBy": line.answered_by} if line.answered_by else {}
            document = await fetch(line, "voice", order.url, order.method, **more)
        await follow(line, document)
    finally:
        if detecting:
            detecting.cancel()
            await asyncio.wait({detecting})
    await line.finish("completed")


@dataclass(frozen=True, slots=True)
class Order:
    """How an account wants a call to be placed."""

    twiml: str
    url: str
    method: str
    ring_seconds: float
    detection: Detection | None


async def come_in(line: SimulatedLine, url: str, method: str) -> None:
    """Hold a call to a number of the account, to its end."""
    from patter_nb.testing.twilio.program import fetch, follow

    line.set_status("ringing", "ringing")
    fetching = asyncio.ensure_future(fetch(line, "voice", url, method))
    if not await line.wait(asyncio.shield(fetching)):
        fetching.cancel()
        await asyncio.wait({fetching})
        await line.finish("canceled")
        return
    await follow(line, fetching.result())
    await line.finish(_inbound_end(line.status))


def _inbound_end(status: str) -> str:
    if status in ("busy", "no-answer"):
        return status
    return "completed" if status == "in-progress" else "canceled"
