"""The edges of speech, told by loudness around where a model heard it."""

from __future__ import annotations

import numpy as np
import pytest

from patter_nb.audio.edges import SpeechEdges

HZ = 8000
WINDOW = 256


def square(amplitude: int, samples: int) -> np.ndarray:
    wave = np.full(samples, amplitude, np.int16)
    wave[::2] *= -1
    return wave


def hear(samples: np.ndarray, voiced: range) -> tuple[SpeechEdges, list[bool]]:
    """Feed whole windows; those whose number is in `voiced` are what the model took for a voice."""
    edges = SpeechEdges(HZ)
    windows = [samples[n : n + WINDOW] for n in range(0, len(samples) - WINDOW + 1, WINDOW)]
    return edges, [edges.add(window, voiced=number in voiced) for number, window in enumerate(windows)]


def test_a_window_holds_speech_when_the_model_says_so_and_a_block_is_loud():
    samples = np.concatenate((square(5000, 1024), square(40, 1024), square(5000, 1024)))
    _, speech = hear(samples, range(1, 12))
    assert speech == [False, True, True, True, True, False, False, False, True, True, True, True]


def test_a_windows_first_block_may_have_begun_in_the_window_before():
    """1024 samples are 12.8 blocks: the thirteenth is loud and complete only in the next window."""
    _, speech = hear(np.concatenate((square(5000, 1024), np.zeros(1024, np.int16))), range(8))
    assert speech == [True] * 5 + [False] * 3


def test_the_start_is_the_first_loud_block_before_the_models_window():
    samples = np.concatenate((np.zeros(4000, np.int16), square(4000, 2400)))
    edges, _ = hear(samples, range(18, 25))
    assert edges.start(18 * WINDOW, 0) == 4000


def test_the_start_is_not_looked_for_more_than_300_ms_back():
    samples = np.concatenate((np.zeros(800, np.int16), square(4000, 5600)))
    edges, _ = hear(samples, range(20, 25))
    assert edges.start(20 * WINDOW, 0) == (20 * WINDOW // 80 - 30) * 80


def test_the_start_is_never_before_the_last_stop():
    samples = np.concatenate((np.zeros(800, np.int16), square(4000, 5600)))
    edges, _ = hear(samples, range(20, 25))
    assert edges.start(20 * WINDOW, 4001) == 4080


def test_speech_from_the_very_first_sample_is_not_taken_for_noise():
    _, speech = hear(square(5000, 5120), range(8, 20))
    assert speech == [False] * 8 + [True] * 12


@pytest.mark.parametrize(("closure", "start"), [(0.03, 4000), (0.04, 4880), (0.05, 4960)])
def test_a_stop_consonants_closure_is_bridged_and_a_longer_silence_is_not(closure, start):
    silence = np.zeros(round(closure * HZ), np.int16)
    samples = np.concatenate((np.zeros(4000, np.int16), square(4000, 560), silence, square(4000, 2400)))
    edges, _ = hear(samples, range(20, 27))
    assert edges.start(20 * WINDOW, 0) == start


def test_a_pause_after_the_first_voiced_window_does_not_move_the_start():
    samples = np.concatenate((np.zeros(4096, np.int16), square(4000, 160), np.zeros(400, np.int16), square(4000, 1200)))
    edges, _ = hear(samples, range(16, 23))
    assert edges.start(16 * WINDOW, 0) == 4080


def test_the_end_is_the_last_loud_block_although_the_model_hangs_on():
    samples = np.concatenate((square(4000, 4000), np.zeros(2400, np.int16)))
    edges, _ = hear(samples, range(18))
    assert edges.end(0, 18 * WINDOW) == 4000


def test_the_end_may_lie_behind_the_models():
    samples = np.concatenate((square(4000, 4000), square(60, 800), np.zeros(1600, np.int16)))
    edges, _ = hear(samples, range(14))
    assert edges.end(0, 14 * WINDOW) == 4800


def test_noise_that_hides_the_end_moves_it_by_the_models_usual_lateness():
    noise = square(300, 3200)
    samples = np.concatenate((noise, square(4000, 3200), noise))
    edges, _ = hear(samples, range(12, 30))
    assert edges.end(12 * WINDOW, 30 * WINDOW) == 30 * WINDOW - 560


def test_in_noise_the_end_is_not_before_the_last_block_above_it():
    noise = square(300, 3200)
    samples = np.concatenate((noise, square(4000, 3200), noise))
    edges, _ = hear(samples, range(12, 26))
    assert edges.end(12 * WINDOW, 26 * WINDOW) == 6400


def test_a_voiced_window_of_mere_noise_holds_no_speech():
    noise = square(300, 2560)
    _, speech = hear(np.concatenate((noise, square(4000, 2560), noise)), range(10, 30))
    assert speech == [False] * 10 + [True] * 10 + [False] * 10


def test_how_loud_an_utterance_was_counts_until_it_is_forgotten():
    edges = SpeechEdges(HZ)
    assert edges.add(square(20000, WINDOW), voiced=True)
    edges.add(np.zeros(160, np.int16), voiced=False)
    assert not edges.add(square(150, WINDOW), voiced=True)
    edges.forget()
    assert edges.add(square(150, WINDOW), voiced=True)


def test_an_end_is_never_before_its_start():
    edges = SpeechEdges(HZ)
    edges.add(square(20000, 320), voiced=True)
    edges.add(np.zeros(4000, np.int16), voiced=False)
    assert edges.end(2000, 2100) == 2000


def test_a_model_that_hears_voice_where_nothing_is_loud_keeps_its_own_start():
    edges = SpeechEdges(HZ)
    edges.add(np.zeros(2560, np.int16), voiced=True)
    assert edges.start(1000, 0) == 1000
