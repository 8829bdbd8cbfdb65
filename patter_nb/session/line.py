"""The line of one call: everything between the carrier's socket and what a session knows of audio."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from patter_nb.audio.convert import decode, encode
from patter_nb.audio.dtmf import dtmf_tones
from patter_nb.audio.recording import Recording, StereoRecorder
from patter_nb.audio.vad import VoiceDetector, VoiceModel
from patter_nb.carriers.base import Connection, MediaCodec
from patter_nb.clock import CallClock
from patter_nb.session.agent_speech import AgentSpeech
from patter_nb.session.boundary import guarded
from patter_nb.session.chains import AudioChain, AudioStage
from patter_nb.session.inbound import Inbound
from patter_nb.session.outbound import Outbound
from patter_nb.session.playout import Heard, Playout
from patter_nb.session.reception import Reception
from patter_nb.turns.events import AudioHeard, DtmfReceived, Event, InstantRecorded, KeysPlayed

KEYS = 0
"""The number under which tones of keys are played: no reply has it."""


class Line:
    """Both directions of a call's audio. `post` takes the engine's events, `event(kind, data)` what is only written down.

    `answered` is called when the stream starts, `over` when the line is closed by whoever.
    """

    def __init__(
        self,
        connection: Connection,
        codec: MediaCodec,
        *,
        clock: CallClock,
        voice_model: VoiceModel,
        record: bool,
        audio_in: Sequence[AudioStage],
        mix: Callable[[bytes], bytes] | None,
        post: Callable[[Event], None],
        event: Callable[[str, Mapping[str, object]], None],
        answered: Callable[[], None],
        over: Callable[[], None],
    ) -> None:
        self.audio = codec.audio
        self._clock = clock
        self._post = post
        self._event = event
        self._over = over
        self._pressed = 0
        self._sounding: dict[int, tuple[str, float]] = {}
        """Keys whose tones have not played yet and the seconds of those, by their segment."""
        self._outbound = Outbound(connection, codec)
        self._recorder = StereoRecorder() if record else None
        self._agent_speech = AgentSpeech(codec.audio, self._recorder, lambda data: event("agent_speech", data))
        self.playout = Playout(
            audio=codec.audio,
            clears=codec.clears,
            clock=clock,
            send=self._outbound.put,
            decode=lambda audio: decode(audio, codec.audio),
            mix=mix,
            on_heard=self._heard,
            on_instant=self.stamp,
        )
        self.inbound = Inbound(
            audio=codec.audio,
            clock=clock,
            detector=VoiceDetector(voice_model),
            post=post,
            stretch=lambda since, until: event("caller_speech", {"started_at": since, "ended_at": until}),
            recorder=self._recorder,
            chain=AudioChain(audio_in, self.stage_failed),
            failed=self.stage_failed,
        )
        self._reception = Reception(
            connection,
            codec,
            started=answered,
            audio=self.inbound.frame,
            mark=lambda name: self.playout.mark(name, self.inbound.dated()),
            key=lambda digit: post(DtmfReceived(digit)),
            stopped=self._closed,
            failed=self._failed,
        )

    @property
    def recording(self) -> Recording | None:
        """What was said and heard so far; None when the call is not recorded."""
        return None if self._recorder is None else self._recorder.recording()

    def between(self, since: float, until: float) -> Recording | None:
        """A stretch of it, as far as it is known now."""
        return None if self._recorder is None else self._recorder.between(since, until)

    def work(self) -> tuple[tuple[str, Coroutine[Any, Any, None]], ...]:
        """What has to run while the line is open, each with a name."""
        both = (("receive", self._direction(self._reception.run)), ("send", self._direction(self._outbound.run)))
        return (*both, ("playout", self.playout.run()))

    async def close(self) -> None:
        """Hang up."""
        await guarded(self._outbound.close(), self._failed, who="the carrier's socket")

    def clear(self, reply: int) -> None:
        """Drop what is waiting to be played: the audio of this reply."""
        unheard, since = self.playout.clear()
        for press, (keys, _) in tuple(self._sounding.items()):
            self._event("undone", {"order": "send_dtmf", "what": keys})
            self._played(press)
        now = self._clock.now()
        self.stamp(reply, "cleared_at", now)
        self._agent_speech.cleared(reply, unheard, since, now)

    def press(self, keys: str, delay_ms: int) -> None:
        """Send the tones of keys: what a telephone does when it is told to press them."""
        tones = dtmf_tones(keys, self.audio.hz, gap_ms=delay_ms)
        self._agent_speech.closed(KEYS, interrupted=False)  # keys that were pressed before are a sound of their own
        self._pressed += 1
        self._sounding[self._pressed] = keys, len(tones) / self.audio.hz
        self.playout.append(KEYS, self._pressed, encode(tones, self.audio), last=True)

    def stamp(self, reply: int, name: str, at: float) -> None:
        """Post an instant of a reply."""
        self._post(InstantRecorded(reply, name, at))

    def reply_closed(self, reply: int, *, interrupted: bool) -> None:
        """Nothing more will be heard of this reply."""
        self._agent_speech.closed(reply, interrupted=interrupted)

    def end(self) -> None:
        """The call is over, and everything that was heard is known."""
        self._agent_speech.over()

    def stage_failed(self, error: str) -> None:
        """A stage of audio raised, and is left out from now on."""
        self._event("audio_stage_failed", {"error": error})

    async def _direction(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """One direction: when it ends or breaks, the call is over."""
        await guarded(work(), self._failed, who="the carrier's socket")
        self._closed()

    def _closed(self) -> None:
        self.inbound.end()
        self._over()

    def _failed(self, error: str) -> None:
        self._event("carrier_error", {"error": error})

    def _heard(self, heard: Heard) -> None:
        self._post(AudioHeard(heard.reply, heard.segment, heard.seconds, heard.at))
        self._agent_speech.heard(heard)
        if heard.reply == KEYS and heard.seconds >= self._sounding.get(heard.segment, ("", math.inf))[1]:
            self._played(heard.segment)

    def _played(self, press: int) -> None:
        del self._sounding[press]
        self._post(KeysPlayed())
