"""What a telephone makes of a line, the noise on it, and lines that cannot be said."""

from __future__ import annotations

import numpy as np
import pytest

from patter_nb.carriers.simulated import NoiseSpec, SimulatedCaller, SpokenLine
from patter_nb.carriers.simulated.lines import on_the_telephone
from patter_nb.errors import ConfigError, ConfigTypeError


def _level(samples: np.ndarray) -> float:
    """RMS in dB relative to full scale."""
    return float(20 * np.log10(np.sqrt(np.mean(np.square(samples.astype(float)))) / 32768 + 1e-9))


def _spoken(hold, line: SpokenLine, **settings) -> np.ndarray:
    report, _ = hold(SimulatedCaller([line], expects_greeting=False, no_reply_seconds=1.0, **settings))
    return report.spoken


@pytest.mark.parametrize("hz", [8000, 16000, 22050, 24000, 48000])
def test_a_line_of_any_rate_lasts_as_long_and_is_as_loud(hold, tone, hz):
    spoken = _spoken(hold, SpokenLine("x", tone(1.0, hz=hz, pitch=1000), hz))
    middle = spoken[int(0.5 * 8000) : int(1.3 * 8000)]
    assert _level(middle) == pytest.approx(_level(tone(1.0, pitch=1000)), abs=0.2)
    loud = np.flatnonzero(np.abs(spoken.astype(int)) > 800) / 8000
    assert (loud[0], loud[-1]) == pytest.approx((0.4, 1.4), abs=0.003)


@pytest.mark.parametrize(("hz", "size", "expected"), [(8000, 801, 801), (16000, 801, 401), (22050, 2205, 800), (48000, 1, 1)])
def test_no_sample_of_a_line_is_lost(hz, size, expected):
    assert len(on_the_telephone(SpokenLine("x", np.ones(size, np.int16), hz)).samples) == expected


@pytest.mark.parametrize(
    ("pitch", "passes"), [(100, False), (400, True), (1000, True), (3300, True), (3800, False), (6000, False)]
)
def test_only_the_telephones_band_passes(hold, tone, pitch, passes):
    spoken = _spoken(hold, SpokenLine("x", tone(1.0, hz=16000, pitch=pitch), 16000))
    loss = _level(tone(1.0)) - _level(spoken[int(0.5 * 8000) : int(1.3 * 8000)])
    assert (loss < 1.0) if passes else (loss > 35)


def test_between_lines_there_is_true_silence(hold, line):
    report, _ = hold(SimulatedCaller([line(0.5)], expects_greeting=False, no_reply_seconds=1.0))
    assert not report.spoken[: int(0.39 * 8000)].any()
    assert not report.spoken[int(0.92 * 8000) :].any()


@pytest.mark.parametrize("snr_db", [20.0, 10.0])
def test_noise_lies_so_far_below_the_speech_from_the_first_frame_to_the_last(hold, tone, snr_db):
    # half of the line is a pause, which does not count as speech
    samples = np.concatenate((tone(0.5, pitch=1000), tone(1.0, amplitude=0), tone(0.5, pitch=1000)))
    spoken = _spoken(hold, SpokenLine("x", samples, 8000), noise=NoiseSpec(snr_db), seed=3)
    expected = _level(tone(1.0)) - snr_db
    stretches = [spoken[:3000], spoken[int(1.0 * 8000) : int(1.8 * 8000)], spoken[-4000:]]
    assert [_level(stretch) for stretch in stretches] == pytest.approx([expected] * 3, abs=0.6)


def test_the_same_seed_makes_the_same_noise_and_another_seed_another(hold, line):
    first, again, other = (_spoken(hold, line(), noise=NoiseSpec(20.0), seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_noise_does_not_move_the_measured_speech(hold, line):
    clean, noisy = (
        hold(SimulatedCaller([line()], expects_greeting=False, no_reply_seconds=1.0, noise=noise))[0].exchanges[0]
        for noise in (None, NoiseSpec(5.0))
    )
    assert (clean.onset_at, clean.last_speech_at) == (noisy.onset_at, noisy.last_speech_at)


def test_noise_under_a_line_without_speech_lies_under_the_nominal_level(hold, tone):
    spoken = _spoken(hold, SpokenLine("silence", tone(1.0, amplitude=0), 8000), noise=NoiseSpec(20.0))
    assert _level(spoken) == pytest.approx(-46.0, abs=0.6)


REFUSED = [
    ({"samples": np.zeros(0, np.int16)}, ConfigError, "no samples"),
    ({"samples": np.zeros(10)}, ConfigTypeError, "int16"),
    ({"samples": [1, 2, 3]}, ConfigTypeError, "int16"),
    ({"samples": np.zeros((10, 2), np.int16)}, ConfigError, "mono"),
    ({"wait_seconds": -1.0}, ConfigError, "wait_seconds.*'hello'"),
    ({"wait_seconds": float("nan")}, ConfigError, "wait_seconds"),
    ({"interrupt_after_seconds": -0.1}, ConfigError, "interrupt_after_seconds"),
    ({"keys": "12x"}, ConfigError, "keys"),
]


@pytest.mark.parametrize(("settings", "error", "says"), REFUSED, ids=str)
def test_a_line_that_cannot_be_said_is_refused(settings, error, says):
    with pytest.raises(error, match=says):
        SpokenLine(**{"text": "hello", "samples": np.ones(10, np.int16), "hz": 8000, **settings})


def test_a_rate_that_cannot_be_resampled_is_refused(line):
    with pytest.raises(ConfigError, match="source_hz"):
        SimulatedCaller([SpokenLine("x", np.ones(10, np.int16), 8)], expects_greeting=False)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"max_seconds": 0}, "max_seconds"),
        ({"no_reply_seconds": -1}, "no_reply_seconds"),
        ({"hang_up_seconds": float("inf")}, "hang_up_seconds"),
    ],
)
def test_settings_of_a_caller_that_do_not_fit_are_refused(line, settings, says):
    with pytest.raises(ConfigError, match=says):
        SimulatedCaller([line()], expects_greeting=True, **settings)


def test_a_caller_without_lines_is_refused():
    with pytest.raises(ConfigError, match="at least one line"):
        SimulatedCaller([], expects_greeting=True)


@pytest.mark.parametrize("snr_db", [-21, 81, float("nan")])
def test_noise_out_of_reach_is_refused(snr_db):
    with pytest.raises(ConfigError, match="snr_db"):
        NoiseSpec(snr_db)


def test_no_repr_shows_a_number_or_what_was_keyed_in(line):
    caller = SimulatedCaller(
        [line(keys="4711")],
        expects_greeting=True,
        from_number="+15551234567",
        to_number="+15557654321",
        parameters={"token": "s3cret"},
    )
    shown = f"{caller!r} {line(keys='4711')!r}"
    assert repr(caller) == "SimulatedCaller(1 lines, •••67 -> •••21)"
    assert not any(secret in shown for secret in ("5551234", "5557654", "s3cret", "4711"))
