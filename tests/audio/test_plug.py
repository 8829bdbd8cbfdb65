"""Users' filters and detectors: what is taken, what each call has of its own, and what is said when it is wrong."""

from __future__ import annotations

import threading
import warnings
from functools import partial

import numpy as np
import pytest

from patter_nb.audio.band import white_noise
from patter_nb.audio.plug import (
    AudioFilter,
    EdgeModel,
    FilterStage,
    VADEvent,
    VADProvider,
    check_filter,
    check_vad,
)
from patter_nb.audio.synthetic import synthetic_voice
from patter_nb.audio.vad import VAD_HZ, EnergyModel, SileroModel, VoiceDetector, VoiceModel
from patter_nb.errors import ConfigError, ConfigTypeError, PatterWarning
from patter_nb.session.copies import audio_stage, voice_model

WINDOW = np.arange(256, dtype=np.int16)


class Halved:
    """A filter in Patter's form, that counts."""

    def __init__(self) -> None:
        self.frames = 0
        self.heard: list[tuple[int, int]] = []
        self.closed = 0

    def process(self, pcm: bytes, sample_rate: int) -> bytes:
        self.frames += 1
        self.heard.append((len(pcm), sample_rate))
        return (np.frombuffer(pcm, "<i2") // 2).astype("<i2").tobytes()

    def close(self) -> str:
        self.closed += 1
        return "closed"


class Locked(Halved):
    """Cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class Inverter:
    """A function with a memory."""

    def __init__(self) -> None:
        self.frames = 0

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        self.frames += 1
        return -samples

    def turned(self, samples: np.ndarray) -> np.ndarray:
        return self(samples)


class Told:
    """A detector that says what it was told, frame by frame."""

    def __init__(self, *events: object) -> None:
        self.events = list(events)
        self.heard: list[tuple[bytes, int]] = []
        self.resets = 0

    def process_frame(self, pcm: bytes, sample_rate: int) -> VADEvent | None:
        self.heard.append((pcm, sample_rate))
        return self.events.pop(0) if self.events else None  # type: ignore[return-value]

    def reset(self) -> None:
        self.resets += 1


class Least:
    """Has what a detector must have."""

    def process_frame(self, pcm: bytes, sample_rate: int) -> VADEvent | None:
        return None


START, END, SILENCE = VADEvent("speech_start", 0.9), VADEvent("speech_end"), VADEvent("silence")


def told(*events: object) -> list[float]:
    model = EdgeModel(Told(*events))
    return [model.probability(WINDOW) for _ in events]


# Filters.


def test_a_filter_hears_bytes_and_its_rate():
    given = Halved()
    stage = audio_stage(given, 8000)
    assert stage(np.array([4, -8], np.int16)).tolist() == [2, -4]
    assert stage(np.zeros(160, np.int16)).dtype == np.int16
    assert isinstance(given, AudioFilter)
    assert isinstance(stage, FilterStage)
    assert stage.__qualname__ == "Halved.process"
    assert stage._filter.heard == [(4, 8000), (320, 8000)]


def test_what_a_stage_returns_can_be_written_to():
    samples = audio_stage(Halved(), 8000)(np.array([4], np.int16))
    samples[0] = 7
    assert samples.tolist() == [7]


FUNCTIONS = (np.negative, lambda samples: -samples, partial(np.multiply, np.int16(-1)), Inverter(), Inverter().turned)


@pytest.mark.parametrize("given", FUNCTIONS)
def test_a_function_of_samples_is_a_filter(given):
    check_filter(given)
    assert audio_stage(given, 8000)(np.array([4, -8], np.int16)).tolist() == [-4, 8]


def test_each_call_has_a_filter_of_its_own():
    given = Halved()
    first, second = audio_stage(given, 8000), audio_stage(given, 8000)
    first(WINDOW)
    assert [first._filter.frames, second._filter.frames, given.frames] == [1, 0, 0]


@pytest.mark.parametrize("of", [lambda given: given, lambda given: given.turned], ids=["object", "method"])
def test_each_call_has_a_function_of_its_own_when_that_remembers(of):
    given = Inverter()
    audio_stage(of(given), 8000)(WINDOW)
    assert given.frames == 0


def test_a_filter_of_one_call_is_closed_with_it():
    stage = audio_stage(Halved(), 8000)
    assert stage.close() == "closed"
    assert stage._filter.closed == 1


def test_a_filter_need_not_be_closed():
    class Plain:
        def process(self, pcm, sample_rate):
            return pcm

    assert audio_stage(Plain(), 8000).close() is None


def test_a_filter_that_cannot_be_copied_is_shared_told_once_and_left_open():
    given = Locked()
    said = r"^audio_filter \(Locked\) cannot be copied \(.*lock.*\), so it is shared between calls\.$"
    with pytest.warns(PatterWarning, match=said):
        first = audio_stage(given, 8000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        audio_stage(given, 8000)(WINDOW)
        audio_stage(Locked(), 8000)
    first(WINDOW)
    assert given.frames == 2
    assert first.close() is None
    assert given.closed == 0


@pytest.mark.parametrize(("returned", "said"), [(b"\0\0", "2 bytes for 512"), (None, "NoneType"), (WINDOW, "ndarray")])
def test_a_filter_that_returns_something_else_is_told_by_name(returned, said):
    class Odd:
        def process(self, pcm, sample_rate):
            return returned

    with pytest.raises(ConfigError, match=rf"Odd\.process.*{said}"):
        audio_stage(Odd(), 8000)(WINDOW)


# Detectors.


@pytest.mark.parametrize(
    ("events", "probabilities"),
    [
        ((), []),
        ((None, None), [0, 0]),
        ((None, START, None, END, None), [0, 1, 1, 0, 0]),
        ((START, START, END, END), [1, 1, 0, 0]),
        ((START, SILENCE, None, END, SILENCE), [1, 1, 1, 0, 0]),
        ((SILENCE, START, END, START), [0, 1, 0, 1]),
    ],
)
def test_edges_become_windows(events, probabilities):
    assert told(*events) == probabilities


@pytest.mark.parametrize("event", [True, 0.7, "speech_start", VADEvent("start")])  # type: ignore[arg-type]
def test_what_is_no_event_is_told_by_name(event):
    with pytest.raises(ConfigTypeError, match=r"^Told\.process_frame returned .*; it must return None or a VADEvent"):
        told(event)


def test_a_detector_hears_windows_of_32_ms_and_a_new_stream_begins_in_silence():
    provider = Told(START)
    model = EdgeModel(provider)
    assert model.probability(WINDOW) == 1.0
    assert provider.heard == [(WINDOW.astype("<i2").tobytes(), 8000)]
    model.reset()
    assert (provider.resets, model.probability(WINDOW)) == (1, 0.0)
    EdgeModel(Least()).reset()


def test_each_call_has_a_detector_of_its_own():
    given = Told(START, END)
    first, second = voice_model(given), voice_model(given)
    assert [first.probability(WINDOW), first.probability(WINDOW)] == [1.0, 0.0]
    assert second.probability(WINDOW) == 1.0
    assert given.heard == []
    assert "Told" in first.reason
    assert isinstance(first, VoiceModel)
    assert isinstance(given, VADProvider)


def test_each_call_has_a_model_of_its_own():
    given = EnergyModel("mine")
    own = voice_model(given)
    own.probability(WINDOW)
    assert own is not given
    assert own.reason == "mine"
    assert not given._levels


def test_copies_of_the_network_share_its_weights_and_remember_apart():
    given = SileroModel()
    voice, _ = synthetic_voice("hello there", 3)
    heard = [given.probability(voice[at : at + 256]) for at in (0, 256, 512)]
    own = voice_model(given)
    assert own._session is given._session
    own.reset()
    assert [own.probability(voice[at : at + 256]) for at in (0, 256, 512)] == heard
    assert given._state.any()


class Waiting:
    """A detector that says the end late, as many do."""

    def __init__(self, windows: int) -> None:
        self.windows = windows
        self.quiet = 0
        self.speaks = False

    def process_frame(self, pcm: bytes, sample_rate: int) -> VADEvent | None:
        loud = np.abs(np.frombuffer(pcm, "<i2").astype(int)).mean() > 900
        self.quiet = 0 if loud else self.quiet + 1
        if loud and not self.speaks:
            self.speaks = True
            return START
        if self.speaks and self.quiet == self.windows:
            self.speaks = False
            return END
        return None


def stop_said_at(model: VoiceModel, samples: np.ndarray) -> float:
    detector = VoiceDetector(model)
    said = [
        (at + 160) / VAD_HZ
        for at in range(0, len(samples), 160)
        for voice in detector.feed(samples[at : at + 160], (at + 160) / VAD_HZ)
        if voice.kind == "stopped"
    ]
    return said[-1]


@pytest.mark.parametrize(("noise_rms", "least", "most"), [(0.0, 0.1, 0.2), (600.0, 0.5, 0.65)])
def test_a_wait_of_480_ms_costs_nothing_in_quiet_and_all_of_it_in_noise(noise_rms, least, most):
    voice, _ = synthetic_voice("hello there my good friend", 3)
    heard = np.concatenate([np.zeros(8000, np.int16), voice, np.zeros(12_000, np.int16)])
    if noise_rms:
        heard = (heard + white_noise(1, len(heard), VAD_HZ, noise_rms)).astype(np.int16)
    assert least < stop_said_at(EdgeModel(Waiting(15)), heard) - (8000 + len(voice)) / VAD_HZ < most


# What an agent takes.


async def slow(samples):
    return samples


class Slow:
    async def process(self, pcm, sample_rate):
        return pcm

    async def process_frame(self, pcm, sample_rate):
        return None


class SlowCall:
    async def __call__(self, samples):
        return samples


class SlowModel(EnergyModel):
    async def probability(self, samples):
        return 0.0


async def pieces(samples):
    yield samples


class NoWindow(EnergyModel):
    window = 0


@pytest.mark.parametrize("given", [Told(), Least(), EnergyModel(), EdgeModel(Told())], ids=lambda given: type(given).__name__)
def test_a_detector_is_taken(given):
    check_vad(given)


@pytest.mark.parametrize("given", [Halved(), Locked(), lambda samples: samples, Inverter()])
def test_a_filter_is_taken(given):
    check_filter(given)


@pytest.mark.parametrize(
    ("check", "given", "said"),
    [
        (check_vad, "silero", "vad is a str; it must be an object with window"),
        (check_vad, EnergyModel, "vad is the class EnergyModel"),
        (check_vad, Halved(), "vad is a Halved"),
        (check_vad, Slow(), "vad.process_frame is async"),
        (check_vad, SlowModel(), "vad.probability is async"),
        (check_filter, "noise", "audio_filter is a str; it must be an object with process"),
        (check_filter, Halved, "audio_filter is the class Halved"),
        (check_filter, slow, "audio_filter is async"),
        (check_filter, partial(slow), "audio_filter is async"),
        (check_filter, pieces, "audio_filter is async"),
        (check_filter, Slow(), "audio_filter is async"),
        (check_filter, SlowCall(), "audio_filter is async"),
    ],
)
def test_what_is_none_is_refused(check, given, said):
    with pytest.raises(ConfigTypeError) as raised:
        check(given)
    assert str(raised.value).startswith(said)


def test_a_window_has_samples():
    with pytest.raises(ConfigError, match=r"^vad\.window is 0; it must be the number of samples"):
        check_vad(NoWindow())
