"""What of the agent reached the caller's ear: the right side of the recording, and from when to when each reply sounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from patter_nb.audio.convert import decode
from patter_nb.audio.formats import AudioFormat
from patter_nb.audio.recording import StereoRecorder
from patter_nb.session.playout import Heard


@dataclass(slots=True)
class _Stretch:
    started_at: float
    ended_at: float


class AgentSpeech:
    """`report` is told of each reply's stretch of sound once it is known how it ended."""

    def __init__(
        self, audio: AudioFormat, recorder: StereoRecorder | None, report: Callable[[Mapping[str, object]], None]
    ) -> None:
        self._audio = audio
        self._recorder = recorder
        self._report = report
        self._stretches: dict[int, _Stretch] = {}

    def heard(self, heard: Heard) -> None:
        """A mark came back."""
        if not heard.reply_seconds:
            return
        began = heard.at - self._audio.seconds(len(heard.audio))
        self._stretches.setdefault(heard.reply, _Stretch(began, heard.at)).ended_at = heard.at
        self._record(heard.audio, began)

    def cleared(self, reply: int, unheard: bytes, since: float | None, now: float) -> None:
        """The carrier was told at `now` to drop `unheard`, which had been playing since `since` (None: nothing was)."""
        if since is None:
            return
        # What was playing between the last mark and now reached the ear, though no mark will ever say so.
        played = min(max(0.0, now - since), self._audio.seconds(len(unheard)))
        self._record(unheard[: int(played * self._audio.hz) * self._audio.sample_bytes], since)
        if reply in self._stretches:
            self._stretches[reply].ended_at = since + played

    def closed(self, reply: int, *, interrupted: bool) -> None:
        """Nothing more will be heard of this reply; `interrupted`: because the caller spoke."""
        if (stretch := self._stretches.pop(reply, None)) is not None:
            times = {"started_at": stretch.started_at, "ended_at": stretch.ended_at}
            self._report({"reply": reply, **times, "interrupted": interrupted})

    def over(self) -> None:
        """The call is over."""
        for reply in list(self._stretches):
            self.closed(reply, interrupted=False)

    def _record(self, audio: bytes, at: float) -> None:
        if self._recorder is not None and audio:
            self._recorder.agent(decode(audio, self._audio), at)
