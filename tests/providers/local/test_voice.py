"""Speech is trimmed to its sound, keeps its tempo at any pitch, and bad files are named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from patter_nb.audio.loudness import speech_bounds
from patter_nb.errors import ConfigError
from patter_nb.providers.local.models import settings_of, voice_file
from patter_nb.providers.local.voice import LEAD_SECONDS, LONGEST_PAUSE_SECONDS, Voice, shorter_pauses, trimmed

HZ = 22050


@pytest.fixture(scope="module")
def voice(models: None) -> Voice:
    return Voice(voice_file(None))


def tone(seconds: float, level: float = 8000.0) -> np.ndarray:
    return (level * np.sin(2 * np.pi * 300 * np.arange(round(seconds * HZ)) / HZ)).astype(np.int16)


def test_silence_before_the_sound_goes_and_the_pause_behind_it_comes() -> None:
    sound = np.concatenate([np.zeros(HZ // 2, np.int16), tone(0.4), np.zeros(HZ, np.int16)])
    kept = trimmed(sound, HZ, 0.2)
    assert len(kept) / HZ == pytest.approx(0.6 + LEAD_SECONDS, abs=0.02)
    bounds = speech_bounds(kept, HZ)
    assert bounds is not None
    assert bounds[0] <= 0.02
    assert bounds[1] == pytest.approx(0.4, abs=0.03)


def test_a_pause_longer_than_what_was_rendered_is_filled_with_silence() -> None:
    kept = trimmed(tone(0.3), HZ, 0.5)
    assert len(kept) / HZ == pytest.approx(0.8, abs=0.02)
    assert not kept[-HZ // 4 :].any()


def test_edges_are_silent_so_that_joins_do_not_click() -> None:
    kept = trimmed(tone(0.3), HZ, 0.0)
    assert kept[0] == 0
    assert kept[-1] == 0


def test_long_pauses_are_cut_in_their_middle_and_short_ones_stay() -> None:
    silence = np.zeros(HZ // 10, np.int16)
    short = np.concatenate([tone(0.3), silence, tone(0.3)])
    assert np.array_equal(shorter_pauses(short, HZ), short)
    long = np.concatenate([tone(0.3), *[silence] * 6, tone(0.3)])
    cut = shorter_pauses(long, HZ)
    assert len(cut) / HZ == pytest.approx(0.6 + LONGEST_PAUSE_SECONDS, abs=0.02)
    assert np.array_equal(cut[: HZ // 3], long[: HZ // 3])
    assert np.array_equal(cut[-HZ // 3 :], long[-HZ // 3 :])
    assert shorter_pauses(silence, HZ).size == silence.size


def test_no_sound_is_no_samples() -> None:
    assert trimmed(np.zeros(HZ, np.int16), HZ, 0.2).size == 0


def test_text_without_a_sound_renders_nothing(voice: Voice) -> None:
    assert voice.render("—").size == 0
    assert voice.speak("...", pitch=1.0, speed=1.0, pause_seconds=0.2, target_hz=8000).size < 4000


def test_a_higher_voice_keeps_its_tempo_and_speed_changes_it(voice: Voice) -> None:
    text = "Dinner is served from six to ten and breakfast on the terrace"

    def seconds(pitch: float, speed: float) -> float:
        return len(voice.speak(text, pitch=pitch, speed=speed, pause_seconds=0.0, target_hz=8000)) / 8000

    plain = seconds(1.0, 1.0)
    assert seconds(1.25, 1.0) == pytest.approx(plain, rel=0.2)
    assert 0.5 * plain < seconds(1.0, 2.0) < 0.8 * plain  # the model rounds each sound up to whole steps of 12 ms
    assert 1.6 * plain < seconds(1.0, 0.5) < 2.4 * plain
    assert voice.sounding_hz(1.25) == 27550


def test_each_worker_begins_with_the_same_random_numbers(voice: Voice) -> None:
    other, third = Voice(voice_file(None)), Voice(voice_file(None))
    assert np.array_equal(other.render("Good evening."), third.render("Good evening."))


def test_words_in_another_alphabet_do_not_stop_it(voice: Voice) -> None:
    voice.render("The 漢字 café, naïve Ω.")


Change = Callable[[dict], object]
WRONG_SETTINGS: dict[str, tuple[Change, str]] = {
    "no rate": (lambda settings: settings.pop("audio"), "not the description of a Piper voice"),
    "another language": (lambda settings: settings["espeak"].update(voice="de"), "speaks 'de'; LocalTTS speaks English only"),
    "no phonemes": (lambda settings: settings.pop("phoneme_id_map"), "not the description of a Piper voice"),
}


@pytest.mark.parametrize(("change", "said"), WRONG_SETTINGS.values(), ids=WRONG_SETTINGS.keys())
def test_settings_that_do_not_fit_are_named(models: None, tmp_path: Path, change: Change, said: str) -> None:
    settings = json.loads(settings_of(voice_file(None)).read_text(encoding="utf-8"))
    change(settings)
    (tmp_path / "me.onnx").write_bytes(b"no network")
    (tmp_path / "me.onnx.json").write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        Voice(tmp_path / "me.onnx")


def test_a_file_that_is_no_network_is_named(models: None, tmp_path: Path) -> None:
    (tmp_path / "me.onnx").write_bytes(b"no network")
    (tmp_path / "me.onnx.json").write_bytes(settings_of(voice_file(None)).read_bytes())
    with pytest.raises(ConfigError, match="cannot be loaded as an ONNX model"):
        Voice(tmp_path / "me.onnx")
