"""Calls to show: real facts, read through the real tables, so that what is drawn here is what a call hands over."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from patter_nb.audio.recording import Recording
from patter_nb.notebook.view import CallView, pieces_of, speech_of, tools_of
from patter_nb.records.facts import CallEnd, CallFacts, CallRecord, EventFacts
from patter_nb.records.prices import PriceBook
from patter_nb.records.readings import CallReading
from patter_nb.records.tables import cost_frame, percentiles, tools_frame, turns_frame
from patter_nb.turns.facts import TurnFacts
from patter_nb.turns.usage import Price, Usage

LINES = (
    ("Hi, when is dinner?", "Dinner is served from six to ten."),
    ("Do you have anything vegetarian on the menu tonight?", "Yes, a mushroom risotto. Shall I put a table aside for you?"),
    ("It's Johnson.", "Thank you, Mr Johnson. Your table is booked."),
    ("Thanks, bye.", "Goodbye, see you tonight!"),
)
# Name of the instant that ends a stage, and its usual seconds; each stage begins where the one before ended, plus a crack.
STAGES = (
    ("speech_ended_at", "endpointed_at", 0.32),
    ("stt_requested_at", "stt_final_at", 0.06),
    ("hooks_started_at", "hooks_ended_at", 0.001),
    ("llm_requested_at", "llm_first_token_at", 0.03),
    ("sentence_started_at", "sentence_ready_at", 0.015),
    ("tts_requested_at", "tts_first_byte_at", 0.17),
    ("send_started_at", "played_at", 0.004),
    ("played_at", "audible_at", 0.04),
)


def instants(spoken_at: float, dice: random.Random) -> dict[str, float]:
    at = spoken_at
    found = {"speech_started_at": at - 1.4, "speech_ended_at": at, "vad_stopped_at": at + 0.03}
    for start, end, usual in STAGES:
        found.setdefault(start, at)
        at = found[end] = found[start] + usual * dice.uniform(0.7, 1.5)
        at += 0.001 if end != "played_at" else 0.0
    return found


def turn_facts(number: int, spoken_at: float, dice: random.Random, **changes: Any) -> TurnFacts:
    said, answer = LINES[(number - 1) % len(LINES)]
    usage = (
        Usage("stt", "acme", "ear", audio_seconds=1.4, price_id=PRICES.find("stt", "acme", "ear")),
        Usage("llm", "acme", "brain", input_tokens=310, output_tokens=22, price_id=PRICES.find("llm", "acme", "brain")),
        Usage("tts", "acme", "mouth", characters=len(answer), price_id=PRICES.find("tts", "acme", "mouth")),
    )
    usual: dict[str, Any] = {
        "turn": number, "kind": "caller", "reply": number + 1, "revision": 1, "caller_text": said, "agent_text": answer,
        "heard_text": answer, "instants": instants(spoken_at, dice), "usage": usage,
    }  # fmt: skip
    return TurnFacts(**{**usual, **changes})


PRICES = PriceBook()
PRICES.register("stt", "acme", "ear", Price(usd_per_audio_minute=0.006))
PRICES.register("llm", "acme", "brain", Price(usd_per_1m_input_tokens=0.15, usd_per_1m_output_tokens=0.6))
PRICES.register("tts", "acme", "mouth", Price(usd_per_1k_characters=0.05))


def fake_record(count: int, *, cut: tuple[int, ...] = (2,), changes: dict[int, dict[str, Any]] | None = None) -> CallRecord:
    """A call of `count` caller turns after a greeting. `cut`: turns the caller interrupts. `changes`: fields of turns."""
    dice, turns, events, at = random.Random(7), [], [EventFacts(1.7, "agent_speech", _speech(0.2, 1.7))], 2.2
    turns.append(TurnFacts(0, "greeting", 1, 1, agent_text="Acme, good evening!", heard_text="Acme, good evening!"))
    for number in range(1, count + 1):
        more = dict((changes or {}).get(number, {}))
        facts = turn_facts(number, at + 1.4, dice, interrupted=number in cut, **more)
        turns.append(facts)
        events.append(EventFacts(at + 1.4, "caller_speech", _speech(at, at + 1.4)))
        if "audible_at" in facts.instants:
            begin = facts.instants["audible_at"]
            events.append(EventFacts(begin + 2, "agent_speech", {**_speech(begin, begin + 2), "interrupted": number in cut}))
        at += 4.9
    facts = CallFacts(
        call_id="test_1", agent="reception", revision=1, direction="test", source="4 lines",
        started_at=datetime(2026, 11, 3, 14, 2, tzinfo=UTC), caller="+15557654321",
        stt_provider="acme", llm_provider="acme", tts_provider="acme",
    )  # fmt: skip
    return CallRecord(facts, CallEnd(at, "caller_hung_up"), tuple(turns), tuple(events))


def _speech(started_at: float, ended_at: float) -> dict[str, float]:
    return {"started_at": started_at, "ended_at": ended_at}


Changes = dict[int, dict[str, Any]]


def fake_view(count: int = 6, *, cut: tuple[int, ...] = (2,), changes: Changes | None = None, **fields: Any) -> CallView:
    """The view of `fake_record`; `fields` replace fields of the view."""
    record = fake_record(count, cut=cut, changes=changes)
    reading = CallReading(record, PRICES)
    turns = turns_frame([reading])
    usual: dict[str, Any] = {
        "call_id": record.facts.call_id, "title": "test call", "state": "ended", "started_at": record.facts.started_at,
        "duration_seconds": record.end.duration_seconds if record.end else 0.0, "caller": "+1•••••4321", "callee": "",
        "agent": record.facts.agent, "revision": 1, "turns": turns, "cost": cost_frame(reading), "latency": percentiles(turns),
        "speech": speech_of({"kind": event.kind, **event.data} for event in record.events), "end_reason": "caller_hung_up",
        "pieces": pieces_of((turn.facts, turn.attribution) for turn in reading.turns),
        "tools": tools_of(tools_frame([reading])),
    }  # fmt: skip
    return CallView(**{**usual, **fields})


def fake_recording(seconds: float = 1.0) -> Recording:
    tone = (8000 * np.sin(np.arange(int(seconds * 8000)) / 9)).astype(np.int16)
    return Recording(np.stack([tone, tone[::-1]], axis=1), 8000)


@pytest.fixture
def make_view() -> Callable[..., CallView]:
    return fake_view


@pytest.fixture
def recording() -> Recording:
    return fake_recording()
