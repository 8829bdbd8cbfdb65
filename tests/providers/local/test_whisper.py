"""What Whisper is shown and what is believed of its answer. The model itself is heard in `test_stt`."""

from __future__ import annotations

import numpy as np
import pytest

from patter_nb.errors import ConfigError
from patter_nb.providers.local.models import WHISPER_TINY_EN, pinned_folder
from patter_nb.providers.local.whisper import (
    HZ,
    LONGEST_SECONDS,
    Heard,
    Whisper,
    is_made_up,
    is_quiet,
    log_mel,
    mel_filters,
    within,
    without_circles,
)

# text, seconds, probability of no speech, mean log probability: as the model gave them.
MADE_UP = [
    ("you", 1.0, 0.99, -1.03),  # silence
    ("Thank you.", 2.5, 0.92, -1.22),  # music
    ("Beep Beep Beep Beep", 2.0, 0.81, -0.94),  # a tone
    ("Thank you so much for watching, and I'll see you next time.", 3.79, 0.44, -1.36),  # music
    ("Thank you so much for joining us today.", 25.0, 0.24, -0.9),  # music
    ("Thank you for your time, " * 20, 25.0, 0.36, -0.4),  # music
    (". . .", 5.0, 0.1, -1.04),
    ("", 1.0, 0.1, -1.0),
]
SAID = [
    ("Lima.", 0.79, 0.46, -0.96),  # with noise
    ("The lead becomes fun.", 1.51, 0.32, -1.29),  # with much noise
    ("today.", 0.71, 0.01, -1.35),
    ("simultaneous call limit reached.", 2.37, 0.03, -0.74),
    ("Well... yes.", 8.0, 0.05, -0.6),
    ("Press 1 for sales. Press 2 for service. Press 3 for all else.", 5.0, 0.24, -0.5),
]


@pytest.mark.parametrize(("text", "seconds", "no_speech", "score"), MADE_UP)
def test_what_the_model_makes_up_for_sound_without_words_is_not_believed(
    text: str, seconds: float, no_speech: float, score: float
) -> None:
    assert is_made_up(text, seconds, no_speech=no_speech, score=score)


@pytest.mark.parametrize(("text", "seconds", "no_speech", "score"), SAID)
def test_what_was_said_is_believed(text: str, seconds: float, no_speech: float, score: float) -> None:
    assert not is_made_up(text, seconds, no_speech=no_speech, score=score)


CIRCLES = {
    ("Press 1 to call this number. Press 1 to call this number.", 2.6): "Press 1 to call this number.",
    ("beep " * 30, 2.0): "beep",
    ("No. No, that is not right.", 1.8): "No. No, that is not right.",
    ("Can you hear me? Can you hear me?", 4.0): "Can you hear me? Can you hear me?",
    ("Hello? Hello? Hello?", 1.0): "Hello? Hello? Hello?",
}


@pytest.mark.parametrize(("case", "expected"), CIRCLES.items())
def test_repeats_go_only_where_there_was_no_time_to_say_them(case: tuple[str, float], expected: str) -> None:
    text, seconds = case
    assert without_circles(text.strip(), seconds) == expected


TIME = 50363
SEGMENTS = {
    "one segment": ([TIME, 1, 2, TIME + 70], [1, 2]),
    "two segments": ([TIME, 1, TIME + 40, TIME + 40, 2, TIME + 70], [1, 2]),
    "the sentence again, behind the end": ([TIME, 1, 2, TIME + 80, TIME + 80, 1, 2, TIME + 160], [1, 2]),
    "again, and never ended": ([TIME, 1, 2, TIME + 80, TIME + 80, 1, 2], [1, 2]),
    "no time at all": ([1, 2], [1, 2]),
    "no end": ([TIME, 1, 2], [1, 2]),
    "nothing": ([TIME], []),
}


@pytest.mark.parametrize(("tokens", "kept"), SEGMENTS.values(), ids=SEGMENTS.keys())
def test_what_begins_behind_the_end_of_the_audio_is_dropped(tokens: list[int], kept: list[int]) -> None:
    assert within(tokens, 1.5, TIME) == kept


def test_mel_bands_are_triangles_of_equal_area_in_rising_order() -> None:
    filters = mel_filters(80)
    assert filters.shape == (201, 80)
    assert (filters >= 0).all()
    peaks = filters.argmax(axis=0)
    assert (np.diff(peaks) >= 0).all()
    areas = filters.sum(axis=0) * (HZ / 400)  # the low ones have only a bin or two
    assert np.allclose(areas[30:], 1.0, atol=0.15)


def test_a_tone_is_seen_in_its_band_and_nothing_behind_its_end() -> None:
    seconds = np.arange(HZ) / HZ
    tone = (8000 * np.sin(2 * np.pi * 1000 * seconds)).astype(np.int16)
    seen = log_mel(tone, 2.0, 80)
    assert seen.shape == (1, 80, 200)
    assert seen.dtype == np.float32
    loudest = int(seen[0, :, 50].argmax())
    assert abs(mel_filters(80)[:, loudest].argmax() * 40 - 1000) <= 40
    assert seen[0, :, 110:].max() == seen.min()
    assert seen.max() - seen.min() == pytest.approx(2.0)  # 8 decades, scaled by 4


def test_silence_is_quiet_and_a_soft_voice_is_not() -> None:
    assert is_quiet(np.zeros(0, np.int16))
    assert is_quiet(np.full(1600, 40, np.int16))
    assert not is_quiet(np.full(1600, 80, np.int16))


def test_a_folder_that_is_no_model_is_named(models: None, tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match="cannot be loaded as a Whisper model"):
        Whisper(tmp_path)


def test_the_model_says_nothing_to_silence_and_refuses_more_than_it_can_hold(models: None) -> None:
    whisper = Whisper(pinned_folder(WHISPER_TINY_EN, what="LocalSTT"))
    assert whisper.transcribe(np.zeros(HZ, np.int16)) == Heard("", 1.0)
    with pytest.raises(ValueError, match="does not fit"):
        whisper.transcribe(np.zeros(int((LONGEST_SECONDS + 1) * HZ), np.int16))
