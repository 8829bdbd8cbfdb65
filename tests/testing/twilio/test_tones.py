from __future__ import annotations

import numpy as np
import pytest

from patter_nb.audio import g711
from patter_nb.audio.dtmf import dtmf_tones
from patter_nb.audio.synthetic import synthetic_voice
from patter_nb.testing.twilio.tones import BEEP_HZ, FAX_HZ, heard_keys, key_tones, tone

EVERY_KEY = "0123456789*#ABCD"


def on_the_wire(samples):
    return g711.decode(g711.encode(samples))


def test_every_key_of_the_agents_own_tones_is_heard_through_the_codec():
    assert heard_keys(on_the_wire(dtmf_tones(EVERY_KEY, 8000))) == EVERY_KEY


def test_every_key_that_is_made_here_is_heard_here():
    assert heard_keys(on_the_wire(key_tones(EVERY_KEY))) == EVERY_KEY


def test_a_key_that_is_pressed_twice_is_two_keys_and_a_long_one_is_one():
    assert heard_keys(dtmf_tones("55", 8000)) == "55"
    assert heard_keys(dtmf_tones("55", 8000, tone_ms=50, gap_ms=50)) == "55"
    assert heard_keys(dtmf_tones("5", 8000, tone_ms=1500)) == "5"


def test_a_click_within_a_key_does_not_make_it_two():
    sound = dtmf_tones("5", 8000, tone_ms=500)
    sound[2000:2040] = 0
    assert heard_keys(sound) == "5"


@pytest.mark.parametrize("offset", range(0, 160, 7))
def test_the_shortest_tones_that_receivers_must_take_are_heard_wherever_they_begin(offset):
    sound = np.concatenate((np.zeros(offset, np.int16), dtmf_tones("159D", 8000, tone_ms=50, gap_ms=50)))
    assert heard_keys(sound) == "159D"


@pytest.mark.parametrize("level", [1.0, 0.1, 0.03])
def test_keys_are_heard_at_any_usual_level(level):
    assert heard_keys((dtmf_tones("147*", 8000) * level).astype(np.int16)) == "147*"


def test_keys_are_heard_over_the_noise_of_a_line():
    noise = np.random.default_rng(1).normal(0, 300, 8 * 1600).astype(np.int16)
    assert heard_keys(dtmf_tones("12345678", 8000) + noise) == "12345678"


SOUNDS = {
    "silence": np.zeros(8000, np.int16),
    "too short": np.zeros(100, np.int16),
    "a beep": tone(BEEP_HZ, 0.4),
    "a fax": tone(FAX_HZ, 3.0),
    "one tone of a key": tone(697, 0.5),
    "a chord with the tones of a key in it": tone(697, 0.5, 0.2) + tone(1209, 0.5, 0.2) + tone(2100, 0.5, 0.3),
    "noise": np.random.default_rng(2).normal(0, 4000, 40_000).astype(np.int16),
    "talk": synthetic_voice("Dinner is served from six to ten, and we would be glad to see you.")[0],
}


@pytest.mark.parametrize("name", SOUNDS)
def test_no_key_is_heard_where_none_was_pressed(name):
    assert heard_keys(SOUNDS[name]) == ""


def test_a_pause_between_keys_is_half_a_second():
    assert len(key_tones("1w2")) == len(key_tones("12")) + 4000
    assert len(key_tones("")) == 0
