"""What of the agent was heard: recorded where it lay, and told once it is known how it ended."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from patter_nb.audio.formats import MULAW_8K
from patter_nb.audio.recording import StereoRecorder
from patter_nb.session.agent_speech import AgentSpeech
from patter_nb.session.playout import Heard


def mark(reply: int, at: float, seconds: float, total: float | None = None) -> Heard:
    """The mark that came back at `at` and proves the `seconds` before it."""
    return Heard(reply, 0, seconds, seconds if total is None else total, b"\x10" * round(seconds * 8000), at)


def make() -> tuple[AgentSpeech, StereoRecorder, list[dict[str, Any]]]:
    told: list[dict[str, Any]] = []
    recorder = StereoRecorder()
    return AgentSpeech(MULAW_8K, recorder, lambda data: told.append(dict(data))), recorder, told


def sounding(recorder: StereoRecorder) -> list[tuple[float, float]]:
    """From when to when the agent's side sounds."""
    (edges,) = np.nonzero(np.diff(np.concatenate(([0], recorder.recording().agent != 0, [0])).astype(int)))
    return [(start / 8000, end / 8000) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def test_a_reply_is_told_when_it_is_closed_from_its_first_to_its_last_mark() -> None:
    speech, recorder, told = make()
    speech.heard(mark(1, 1.2, 0.2))
    speech.heard(mark(1, 1.5, 0.3, total=0.5))
    assert told == []
    speech.closed(1, interrupted=False)
    assert told == [{"reply": 1, "started_at": pytest.approx(1.0), "ended_at": 1.5, "interrupted": False}]
    assert sounding(recorder) == [(1.0, 1.5)]


def test_what_played_between_the_last_mark_and_a_clear_was_heard_and_nothing_after_it() -> None:
    speech, recorder, told = make()
    speech.heard(mark(1, 1.2, 0.2))
    speech.cleared(1, b"\x10" * 16000, 1.2, 1.35)
    speech.closed(1, interrupted=True)
    assert told == [{"reply": 1, "started_at": 1.0, "ended_at": pytest.approx(1.35), "interrupted": True}]
    assert sounding(recorder) == [(1.0, pytest.approx(1.35, abs=0.001))]


def test_a_clear_when_all_had_played_ends_the_stretch_where_the_audio_ended() -> None:
    speech, recorder, told = make()
    speech.heard(mark(1, 1.2, 0.2))
    speech.cleared(1, b"\x10" * 800, 1.2, 9.0)
    speech.closed(1, interrupted=False)
    assert told[0]["ended_at"] == pytest.approx(1.3)
    assert sounding(recorder) == [(1.0, pytest.approx(1.3))]


def test_a_reply_of_which_nothing_was_heard_leaves_nothing() -> None:
    speech, recorder, told = make()
    speech.heard(mark(1, 1.0, 0.0))
    speech.cleared(1, b"", None, 1.1)
    speech.closed(1, interrupted=False)
    speech.closed(2, interrupted=True)
    assert (told, sounding(recorder)) == ([], [])


def test_at_the_end_what_was_still_open_is_told() -> None:
    speech, _, told = make()
    speech.heard(mark(1, 1.2, 0.2))
    speech.heard(mark(2, 2.2, 0.2))
    speech.over()
    speech.over()
    assert [event["reply"] for event in told] == [1, 2]


def test_without_a_recording_it_is_told_all_the_same() -> None:
    told: list[Any] = []
    speech = AgentSpeech(MULAW_8K, None, told.append)
    speech.heard(mark(1, 1.2, 0.2))
    speech.cleared(1, b"\x10" * 800, 1.2, 1.25)
    speech.over()
    assert len(told) == 1
