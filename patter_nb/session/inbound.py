"""The caller's audio on its way in: decoded once, then to voice activity detection, the recogniser and the recording.

Frames never enter the engine's queue; it is told only what they mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from patter_nb.audio.convert import Converter, decode, encode
from patter_nb.audio.formats import FRAME_SECONDS, PCM_8K, AudioFormat
from patter_nb.audio.recording import StereoRecorder
from patter_nb.audio.samples import Samples
from patter_nb.audio.vad import EnergyModel, Voice, VoiceDetector
from patter_nb.clock import Clock
from patter_nb.session.boundary import guard
from patter_nb.session.chains import AudioChain
from patter_nb.turns.events import Event, SpeechContinued, SpeechStarted, SpeechStopped

DRIFT_SECONDS_PER_FRAME = 1e-6
"""How fast the carrier's clock may run away from ours (50 ppm of 20 ms)."""

_EVENTS: dict[str, Callable[[float], Event]] = {"started": SpeechStarted, "continued": SpeechContinued, "stopped": SpeechStopped}


class StreamClock:
    """When audio was really heard: the carrier's own time stamps, laid on our clock by the least delayed frame so far.

    A frame that waited in a busy loop is thus dated by its stamp and not by its handling.
    """

    def __init__(self) -> None:
        self._offset: float | None = None

    def ends_at(self, at_ms: float, seconds: float, now: float) -> float:
        """The call-clock instant of the last sample of a frame stamped `at_ms` and handled at `now`."""
        end = at_ms / 1000 + seconds
        late = now - end
        self._offset = late if self._offset is None else min(late, self._offset + DRIFT_SECONDS_PER_FRAME)
        return end + self._offset


class Recogniser(Protocol):
    """Where the caller's audio goes: the first methods of `providers.base.STTStream`. None of them raises."""

    def push(self, audio: bytes, at: float) -> None: ...

    def speech_started(self, at: float) -> None: ...

    def finalize(self) -> None: ...


class Inbound:
    """One call's inbound audio. `post` takes the engine's events; `stretch(started_at, ended_at)` each stretch of speech."""

    def __init__(
        self,
        *,
        audio: AudioFormat,
        clock: Clock,
        detector: VoiceDetector,
        post: Callable[[Event], None],
        stretch: Callable[[float, float], None],
        recorder: StereoRecorder | None,
        chain: AudioChain,
        failed: Callable[[str], None],
    ) -> None:
        self._audio = audio
        self._clock = clock
        self._detector = detector
        self._post = post
        self._stretch = stretch
        self._recorder = recorder
        self._chain = chain
        self._failed = failed
        self._staged = bool(chain)
        self._stream = StreamClock()
        self._stt: Recogniser | None = None
        self._convert: Converter | None = None
        self._to_8k = Converter(audio, PCM_8K)
        self._started_at: float | None = None
        self._until: float | None = None

    def listen(self, stt: Recogniser, wanted: AudioFormat) -> None:
        """From now on audio also goes to `stt`, in the format it was opened with."""
        self._stt = stt
        self._convert = Converter(PCM_8K if self._staged else self._audio, wanted)

    @property
    def speaking(self) -> bool:
        """Whether the caller's voice is on, as far as the frames tell."""
        return self._started_at is not None

    def dated(self) -> float:
        """When a message that is read now was sent: no later than a frame after the one read before it on the same line.

        What waited in a busy loop is thus dated by the line, not by its handling.
        """
        now = self._clock.now()
        return now if self._until is None else min(now, self._until + FRAME_SECONDS)

    def frame(self, audio: bytes, at_ms: float) -> None:
        """Take what the carrier sent. Never waits."""
        ends_at = self._stream.ends_at(at_ms, self._audio.seconds(len(audio)), self._clock.now())
        self._until = ends_at
        samples = decode(self._to_8k.feed(audio), PCM_8K)
        if self._staged:
            samples = self._chain.run(samples)
            audio = encode(samples, PCM_8K)
        if self._recorder is not None:
            self._recorder.caller(samples, ends_at - samples.size / PCM_8K.hz)
        for voice in self._voices(samples, ends_at):
            self._voice(voice)
        if self._stt is not None and self._convert is not None:
            self._stt.push(self._convert.feed(audio), ends_at)

    def end(self) -> None:
        """The line is closed: whoever was speaking has stopped."""
        if self._started_at is not None and self._until is not None:
            self._stopped(self._until)

    def _voices(self, samples: Samples, ends_at: float) -> Sequence[Voice]:
        """What the detector finds. One of the user's that raises gives way to loudness: a call without ears is lost."""
        with guard(self._failed, who=f"vad ({type(self._detector.model).__name__})"):
            return self._detector.feed(samples, ends_at)
        self._detector = VoiceDetector(EnergyModel("The agent's own voice activity detection raised"))
        return self._detector.feed(samples, ends_at)

    def _voice(self, voice: Voice) -> None:
        self._post(_EVENTS[voice.kind](voice.at))
        if voice.kind == "started":
            self._started_at = voice.at
            if self._stt is not None:
                self._stt.speech_started(voice.at)
        elif voice.kind == "stopped" and self._started_at is not None:
            self._stopped(voice.at)

    def _stopped(self, at: float) -> None:
        self._stretch(self._started_at or at, at)
        self._started_at = None
        if self._stt is not None:
            # Asked for here and not by the engine's order, which comes through the mailbox: after a stall the caller may be
            # speaking again by then, and the recogniser must hear of both in the order of the audio.
            self._stt.finalize()
