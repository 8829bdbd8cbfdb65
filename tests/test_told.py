"""What callbacks are told."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from patter_nb.told import CallEnd, CallStart, MachineDetectionResult, Message, Metrics, SpeechEvent, Transcript

VERDICT = MachineDetectionResult("call_1", "twilio", "machine", "machine_end_beep", 1.8e9)


def test_a_verdict_on_who_answered_is_what_it_is() -> None:
    assert (VERDICT.classification, VERDICT.after_ms) == ("machine", None)
    with pytest.raises(FrozenInstanceError):
        VERDICT.classification = "human"  # type: ignore[misc]


@pytest.mark.parametrize("payload", [CallStart, CallEnd, Transcript, Message, Metrics])
def test_whatever_a_callback_is_told_names_the_call(payload: type) -> None:
    assert "call_id" in payload.__annotations__
    assert payload.__doc__


def test_every_speech_event_says_when_it_happened() -> None:
    assert {"at", "timestamp_ms", "turn_idx"} <= set(SpeechEvent.__annotations__)
