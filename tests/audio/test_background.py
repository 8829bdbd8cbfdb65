"""What is heard under a voice: the right sound, at its level, in its place, without touching the length or leaving the range."""

from __future__ import annotations

import copy
import pickle
from collections import Counter
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from patter_nb.agent.describe import described
from patter_nb.audio.background import AudioConfig, BackgroundAudioPlayer, BuiltinAudioClip, Mixer, check_background
from patter_nb.audio.clips import clip
from patter_nb.audio.wav import write_wav
from patter_nb.errors import ConfigError, ConfigTypeError

HZ = 8000
RAMP = (np.arange(1, 11, dtype=np.int16) * 100, HZ)
SILENCE = np.zeros(20, np.int16)


def tone(frequency: int, seconds: float, hz: int) -> np.ndarray:
    return np.rint(8000 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * hz)) / hz)).astype(np.int16)


def heard(player: BackgroundAudioPlayer, count: int, *, hz: int = HZ, seed: int = 0, piece: int = 160) -> np.ndarray:
    """What is mixed under so many samples of silence."""
    mixer = player.start(hz, seed)
    return np.concatenate([mixer.mix(np.zeros(min(piece, count - at), np.int16)) for at in range(0, count, piece)])


# Mixing.


def test_the_sound_lies_under_the_voice_at_its_volume():
    mixer = BackgroundAudioPlayer(RAMP, volume=0.5).start(HZ)
    assert mixer.mix(np.full(4, 7, np.int16)).tolist() == [57, 107, 157, 207]


@pytest.mark.parametrize(("loop", "rest"), [(True, [10, 20, 30]), (False, [0, 0, 0])])
def test_it_begins_again_or_is_silent_at_its_end(loop, rest):
    assert heard(BackgroundAudioPlayer(RAMP, loop=loop), 13)[-3:].tolist() == rest


@pytest.mark.parametrize("loop", [True, False])
@pytest.mark.parametrize("piece", [1, 3, 7, 160])
def test_how_the_voice_is_cut_changes_nothing(piece, loop):
    player = BackgroundAudioPlayer(RAMP, volume=1.0, loop=loop)
    assert heard(player, 47, piece=piece).tolist() == heard(player, 47, piece=47).tolist()


def test_a_piece_longer_than_the_sound_holds_it_several_times():
    assert heard(BackgroundAudioPlayer(RAMP, volume=1.0), 35, piece=35).tolist() == (RAMP[0].tolist() * 4)[:35]


def test_what_is_too_loud_is_clipped_and_does_not_wrap():
    mixer = BackgroundAudioPlayer((np.array([30_000, -30_000], np.int16), HZ), volume=1.0).start(HZ)
    assert mixer.mix(np.array([30_000, -30_000], np.int16)).tolist() == [32_767, -32_768]


def test_the_voice_itself_is_left_alone():
    voice = np.full(10, 500, np.int16)
    mixed = BackgroundAudioPlayer(RAMP, volume=1.0).start(HZ).mix(voice)
    assert voice.tolist() == [500] * 10
    assert (mixed.dtype, mixed.shape) == (np.int16, (10,))
    assert BackgroundAudioPlayer(RAMP).start(HZ).mix(np.zeros(0, np.int16)).shape == (0,)


def test_no_volume_is_silence():
    assert not heard(BackgroundAudioPlayer(RAMP, volume=0), 20).any()


def test_each_call_begins_at_the_beginning():
    player = BackgroundAudioPlayer(RAMP)
    first = player.start(HZ)
    first.mix(np.zeros(5, np.int16))
    assert player.start(HZ).mix(np.zeros(1, np.int16)).tolist() == [10]
    assert first.mix(np.zeros(1, np.int16)).tolist() == [60]


# Rates.


@pytest.mark.parametrize(("source_hz", "hz"), [(8000, 16_000), (16_000, 8000), (44_100, 8000), (8000, 24_000)])
def test_a_tone_keeps_its_pitch_and_has_no_seam_at_another_rate(source_hz, hz):
    player = BackgroundAudioPlayer((tone(400, 0.1, source_hz), source_hz), volume=1.0)
    sound = heard(player, hz, hz=hz)  # it begins again ten times
    wanted = 8000 * np.sin(2 * np.pi * 400 * np.arange(hz) / hz)
    assert np.abs(sound - wanted).max() < 15


@pytest.mark.parametrize("loop", [True, False])
@pytest.mark.parametrize(("source_hz", "hz", "length"), [(44_100, 8000, 44_100), (8000, 16_000, 5), (11_025, 8000, 1)])
def test_a_sound_is_as_long_at_another_rate(source_hz, hz, length, loop):
    sound = np.full(length, 1000, np.int16)
    mixer = BackgroundAudioPlayer((sound, source_hz), volume=1.0, loop=loop).start(hz)
    assert abs(len(mixer._sound) - length * hz / source_hz) < 1


def test_a_rate_that_is_none_is_refused_when_the_call_begins():
    with pytest.raises(ConfigError, match="target_hz must be a whole rate"):
        BackgroundAudioPlayer(RAMP).start(0)


# Sources.


def test_a_wav_file_is_read_once(tmp_path):
    path = write_wav(tmp_path / "hum.wav", RAMP[0], HZ)
    player = BackgroundAudioPlayer(path, volume=1.0)
    assert player == BackgroundAudioPlayer(str(path), volume=1.0)
    path.unlink()
    assert heard(player, 10).tolist() == RAMP[0].tolist()


def test_floats_are_full_scale_at_one():
    player = BackgroundAudioPlayer((np.array([1.0, -1.0, 0.5]), HZ), volume=1.0)
    assert heard(player, 3).tolist() == [32_767, -32_767, 16_384]


def test_changing_the_samples_afterwards_changes_nothing():
    samples = RAMP[0].copy()
    player = BackgroundAudioPlayer((samples, HZ), volume=1.0)
    samples[:] = 0
    assert heard(player, 2).tolist() == [100, 200]


@pytest.mark.parametrize("which", list(BuiltinAudioClip))
def test_a_builtin_clip_is_heard(which):
    assert heard(BackgroundAudioPlayer(which, volume=1.0), 64_000 + 160).tolist() == [*clip(which), *clip(which)[:160]]


# One of several.

LOW, HIGH = (np.full(4, 100, np.int16), HZ), (np.full(4, 200, np.int16), HZ)


def drawn(*choices: AudioConfig) -> Counter[int]:
    player = BackgroundAudioPlayer(list(choices), volume=1.0)
    return Counter(int(heard(player, 1, seed=seed)[0]) for seed in range(400))


@pytest.mark.parametrize(
    ("probabilities", "low", "high", "none"),
    [
        ((1.0, 0.0), 400, 0, 0),
        ((0.0, 1.0), 0, 400, 0),
        ((0.5, 0.25), 200, 100, 100),
        ((1.0, 1.0), 200, 200, 0),
        ((0.0, 0.0), 0, 0, 400),
    ],
)
def test_one_is_drawn_by_its_probability(probabilities, low, high, none):
    found = drawn(AudioConfig(LOW, probability=probabilities[0]), AudioConfig(HIGH, probability=probabilities[1]))
    assert [found[100], found[200], found[0]] == pytest.approx([low, high, none], abs=40 if 0 < low < 400 or none == 100 else 0)
    assert found.total() == 400


def test_the_same_seed_draws_the_same():
    player = BackgroundAudioPlayer([AudioConfig(LOW, probability=0.5), AudioConfig(HIGH, probability=0.5)], volume=1.0)
    assert [heard(player, 1, seed=seed)[0] for seed in range(9)] == [heard(player, 1, seed=seed)[0] for seed in range(9)]


def test_the_volumes_of_player_and_sound_multiply():
    assert heard(BackgroundAudioPlayer([AudioConfig(HIGH, volume=0.5)], volume=0.1), 1).tolist() == [10]


# As a part of an agent.


def test_it_is_equal_by_what_is_heard():
    same = BackgroundAudioPlayer((RAMP[0].copy(), HZ))
    assert same == BackgroundAudioPlayer(RAMP)
    assert hash(same) == hash(BackgroundAudioPlayer(RAMP))
    for other in (
        BackgroundAudioPlayer(RAMP, volume=0.2),
        BackgroundAudioPlayer(RAMP, loop=False),
        BackgroundAudioPlayer((RAMP[0], 16_000)),
        BackgroundAudioPlayer((RAMP[0] + 1, HZ)),
        BackgroundAudioPlayer([AudioConfig(RAMP, volume=0.5)]),
        BackgroundAudioPlayer([AudioConfig(RAMP, probability=0.5)]),
        BackgroundAudioPlayer(BuiltinAudioClip.HOLD_MUSIC),
    ):
        assert other != same


@pytest.mark.parametrize("source", [RAMP, BuiltinAudioClip.CROWDED_ROOM, [AudioConfig(RAMP, probability=0.5)]])
def test_it_can_be_copied_pickled_and_replaced(source):
    player = BackgroundAudioPlayer(source, volume=0.3)
    for twin in (copy.deepcopy(player), pickle.loads(pickle.dumps(player)), replace(player, volume=0.3)):
        assert twin == player
        assert heard(twin, 40).tolist() == heard(player, 40).tolist()


def test_it_is_frozen_and_its_list_is_its_own():
    sounds = [AudioConfig(LOW)]
    player = BackgroundAudioPlayer(sounds, volume=1.0)
    sounds[0] = AudioConfig(HIGH)
    assert heard(player, 1).tolist() == [100]
    with pytest.raises(FrozenInstanceError):
        player.volume = 0.5  # type: ignore[misc]


def test_a_revision_tells_what_is_heard_in_plain_values():
    content = described(BackgroundAudioPlayer(BuiltinAudioClip.HOLD_MUSIC, volume=0.2))
    assert content == {
        "class": "BackgroundAudioPlayer",
        "volume": 0.2,
        "loop": True,
        "sounds": ["hold music (synthetic), volume 1, probability 1"],
    }
    assert "sha256" in described(BackgroundAudioPlayer(RAMP))["sounds"][0]
    assert "array" not in repr(BackgroundAudioPlayer(RAMP))
    assert "array" not in repr(AudioConfig(RAMP))


# What is refused.

TYPES = {
    "volume of": lambda: BackgroundAudioPlayer(RAMP, volume="loud"),  # type: ignore[arg-type]
    "volume of background": lambda: BackgroundAudioPlayer(RAMP, volume=True),
    "loop of": lambda: BackgroundAudioPlayer(RAMP, loop=1),  # type: ignore[arg-type]
    "probability of": lambda: AudioConfig(RAMP, probability=None),  # type: ignore[arg-type]
    "source of background audio is a int": lambda: BackgroundAudioPlayer(3),
    "source of background audio is a ndarray": lambda: BackgroundAudioPlayer(RAMP[0]),
    "source of background audio holds a str": lambda: BackgroundAudioPlayer(["a.wav"]),
    "source of background audio is a list": lambda: AudioConfig([AudioConfig(RAMP)]),
    "samples of background audio are int32": lambda: BackgroundAudioPlayer((np.zeros(3, np.int32), HZ)),
}
VALUES = {
    "volume of background audio is 1.5": lambda: BackgroundAudioPlayer(RAMP, volume=1.5),
    "volume of background audio is -0.1": lambda: AudioConfig(RAMP, volume=-0.1),
    "volume of background audio is nan": lambda: BackgroundAudioPlayer(RAMP, volume=float("nan")),
    "probability of background audio is 2": lambda: AudioConfig(RAMP, probability=2),
    "empty list": lambda: BackgroundAudioPlayer([]),
    "hz of background": lambda: BackgroundAudioPlayer((RAMP[0], 0)),
    "hz of background audio is True": lambda: BackgroundAudioPlayer((RAMP[0], True)),
    r"have the shape \(0,\)": lambda: BackgroundAudioPlayer((np.zeros(0, np.int16), HZ)),
    r"have the shape \(2, 2\)": lambda: BackgroundAudioPlayer((np.zeros((2, 2), np.int16), HZ)),
    "floats that leave": lambda: BackgroundAudioPlayer((np.array([1.5]), HZ)),
    "leave -1..1": lambda: BackgroundAudioPlayer((np.array([np.nan]), HZ)),
}


@pytest.mark.parametrize(("said", "make"), TYPES.items(), ids=list(TYPES))
def test_what_has_the_wrong_type_is_refused(said, make):
    with pytest.raises(ConfigTypeError, match=said):
        make()


@pytest.mark.parametrize(("said", "make"), VALUES.items(), ids=list(VALUES))
def test_what_cannot_be_heard_is_refused(said, make):
    with pytest.raises(ConfigError, match=said):
        make()


@pytest.mark.parametrize(("content", "said"), [(None, "cannot be read: No such file"), (b"", "is empty"), (b"MP3", "is no WAV")])
def test_a_file_without_sound_is_refused(tmp_path, content, said):
    path = tmp_path / "hum.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        BackgroundAudioPlayer(path)


def test_an_agent_takes_a_player_and_nothing_else():
    check_background(BackgroundAudioPlayer(RAMP))
    for wrong in ("hum.wav", BuiltinAudioClip.HOLD_MUSIC, BackgroundAudioPlayer, Mixer(np.zeros(1, np.int32), loop=True)):
        with pytest.raises(ConfigTypeError, match=r"^background_audio is a "):
            check_background(wrong)
