"""Loudness and voice activity on recorded telephone prompts (Debian: asterisk-core-sounds-en-wav, asterisk-moh-opsound-wav)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from patter_nb.audio import g711
from patter_nb.audio.band import telephone_band, white_noise
from patter_nb.audio.loudness import speech_bounds
from patter_nb.audio.vad import EnergyModel, SileroModel, Voice, VoiceDetector, VoiceModel
from patter_nb.audio.wav import read_wav

SOUNDS = Path("/usr/share/asterisk/sounds/en")
MUSIC = Path("/usr/share/asterisk/moh")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SOUNDS.is_dir(), reason="Debian's asterisk-core-sounds-en-wav is not installed"),
]

HAND_MARKED = {
    "agent-pass": (0.055, 3.200),
    "cannot-complete-as-dialed": (0.027, 2.555),
    "check-number-dial-again": (0.046, 2.155),
    "conf-onlyone": (0.072, 3.185),
    "demo-thanks": (0.274, 5.290),
    "vm-goodbye": (0.072, 0.825),
    "vm-nobodyavail": (0.112, 2.670),
    "vm-sorry": (0.183, 2.885),
}
"""Start and end of speech in seconds of the file, marked by eye to about 5 ms: the waveform at 15 % of its height over a
spectrogram of 16 ms windows, 0.5 s around each edge. The end is where the last sound, its breath included, is no longer told
from the background. Two end in a fading s: in "demo-thanks" its last 90 ms lie more than 40 dB below the loudest block, and
behind a telephone's band so does most of it in "conf-onlyone"."""

LEAD_SECONDS = 0.5


def prompt(name: str) -> np.ndarray:
    samples, hz = read_wav(SOUNDS / f"{name}.wav")
    assert hz == 8000
    return samples


def on_the_line(samples: np.ndarray) -> np.ndarray:
    return g711.decode(g711.encode(telephone_band(samples, 8000)))


def in_silence(samples: np.ndarray) -> np.ndarray:
    return np.concatenate((np.zeros(int(LEAD_SECONDS * 8000), np.int16), samples, np.zeros(8000, np.int16)))


def listen(samples: np.ndarray, model: VoiceModel) -> list[Voice]:
    detector = VoiceDetector(model)
    frames = range(0, len(samples) - 159, 160)
    return [voice for at in frames for voice in detector.feed(samples[at : at + 160], (at + 160) / 8000)]


def edges(samples: np.ndarray, model: VoiceModel) -> tuple[float, float]:
    """The first start and the last stop, in seconds from the prompt's own beginning."""
    heard = listen(samples, model)
    assert heard[-1].kind == "stopped"
    return heard[0].at - LEAD_SECONDS, heard[-1].at - LEAD_SECONDS


def errors(found: dict[str, tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Distances to the hand marks, smallest first: of the starts, of the ends."""
    starts = sorted(abs(found[name][0] - start) for name, (start, _) in HAND_MARKED.items())
    ends = sorted(abs(found[name][1] - end) for name, (_, end) in HAND_MARKED.items())
    return starts, ends


def test_bounds_by_loudness_are_those_an_eye_finds():
    starts, ends = errors({name: speech_bounds(prompt(name), 8000) for name in HAND_MARKED})
    assert starts[-1] < 0.012
    assert ends[-2] < 0.025
    assert ends[-1] < 0.1


@pytest.mark.parametrize("model", [SileroModel, EnergyModel])
def test_speech_starts_and_stops_where_an_eye_finds_it(model):
    starts, ends = errors({name: edges(in_silence(prompt(name)), model()) for name in HAND_MARKED})
    assert starts[-1] < 0.03
    assert ends[-2] < 0.04
    assert ends[-1] < 0.1


@pytest.mark.parametrize("model", [SileroModel, EnergyModel])
def test_behind_a_telephones_band_the_ends_are_those_of_what_it_lets_pass(model):
    starts, ends = errors({name: edges(on_the_line(in_silence(prompt(name))), model()) for name in HAND_MARKED})
    assert starts[-1] < 0.03
    assert ends[-3] < 0.04
    assert ends[-1] < 0.16


def test_the_networks_own_end_is_late_which_is_why_loudness_decides():
    late = []
    for name, (_, end) in HAND_MARKED.items():
        model, samples = SileroModel(), in_silence(prompt(name))
        windows = [samples[at : at + 256] for at in range(0, len(samples) - 255, 256)]
        last = max(number for number, window in enumerate(windows) if model.probability(window) >= 0.35)
        late.append((last + 1) * 0.032 - LEAD_SECONDS - end)
    assert 0.05 < np.median(late) < 0.09
    assert min(late) > 0.03
    assert max(late) < 0.11


def corpus() -> list[np.ndarray]:
    """Every fourth prompt between half a second and twelve."""
    prompts = [read_wav(path)[0] for path in sorted(SOUNDS.rglob("*.wav"))[::4] if "silence" not in path.parts]
    return [on_the_line(in_silence(samples)) for samples in prompts if 4000 < len(samples) < 96_000]


def test_over_many_prompts_the_end_is_found_within_a_block():
    ends, delays = [], []
    for samples in corpus():
        bounds = speech_bounds(samples, 8000)
        heard = listen(samples, SileroModel())
        if bounds is None or not heard:
            continue
        ends.append(abs(heard[-1].at - bounds[1]))
        delays.append(heard[0].at - bounds[0])
    assert len(ends) > 80
    assert np.percentile(ends, 90) < 0.011
    assert np.percentile(np.abs(delays), 90) < 0.021


def test_in_noise_the_ends_are_not_biased():
    ends = []
    for number, samples in enumerate(corpus()):
        bounds = speech_bounds(samples, 8000)
        if bounds is None:
            continue
        voiced = samples[round(bounds[0] * 8000) : round(bounds[1] * 8000)].astype(float)
        noise = white_noise(number, len(samples), 8000, float(np.sqrt(np.mean(np.square(voiced)))) / 10)
        if heard := listen((samples.astype(int) + noise).clip(-32768, 32767).astype(np.int16), SileroModel()):
            ends.append(heard[-1].at - bounds[1])
    assert abs(np.median(ends)) < 0.03
    assert np.percentile(ends, 75) - np.percentile(ends, 25) < 0.12


def test_beeps_and_silence_are_no_voice_and_music_hardly_ever():
    quiet = [SOUNDS / f"{name}.wav" for name in ("beep", "beeperr", "ascending-2tone", "descending-2tone", "silence/5")]
    for path in quiet:
        assert listen(in_silence(read_wav(path)[0]), SileroModel()) == []
    minutes = [read_wav(path)[0][: 60 * 8000] for path in sorted(MUSIC.glob("*.wav"))]
    starts = [sum(voice.kind == "started" for voice in listen(minute, SileroModel())) for minute in minutes]
    assert sum(starts) <= 3
    assert sum(count > 0 for count in starts) <= 1
