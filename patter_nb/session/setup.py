"""What one call is held under, and everything it is held with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from patter_nb.audio.vad import VoiceModel
from patter_nb.callbacks import Callbacks
from patter_nb.carriers.base import CallLine, Connection, MediaCodec
from patter_nb.live import Live
from patter_nb.records.log import CallLog
from patter_nb.session.chains import AudioStage
from patter_nb.session.notices import Notices
from patter_nb.session.streams import Streams
from patter_nb.session.user_code import UserCode


@dataclass(frozen=True, kw_only=True)
class CallTerms:
    """What is known of a call before anything of it is made."""

    call_id: str
    live: Live
    log: CallLog
    caller: str = ""
    callee: str = ""
    direction: str = "test"
    carrier: str = "simulated"
    parameters: Mapping[str, str] = field(default_factory=dict)
    """What the carrier sent along with the call."""
    user_code: UserCode = field(default_factory=UserCode)
    callbacks: Callbacks = field(default_factory=Callbacks)
    notices: Notices | None = None
    """Whom to tell what happens; None: nobody."""


@dataclass(frozen=True, kw_only=True)
class CallSetup(CallTerms):
    """Everything one call is held with."""

    connection: Connection
    codec: MediaCodec
    call_line: CallLine | None = None
    """What the carrier does with the call beside its audio; None on a line without a carrier, where a transfer is only told."""
    carrier_call_id: str = ""
    """The carrier's own name of the call."""
    voicemail: str = ""
    """What is said to a machine that records, instead of everything else; empty: nothing is."""
    voice_model: VoiceModel
    """The call's own voice activity model."""
    streams: Streams | None = None
    """What was opened for the call before it began; it is closed with the call."""
    record: bool = True
    real_time: bool = True
    """False on a virtual-time loop, where nothing can stall."""
    seed: int = 0
    """Of what is drawn by chance, such as one of several background sounds."""
    answered: Callable[[], None] = lambda: None
    """Called when the call is answered."""
    turn_closed: Callable[[], None] = lambda: None
    """Called when the row of a turn is in the log."""
    audio_in: Sequence[AudioStage] = ()
    """See the caller's samples, at 8 kHz, before anything else does."""
    audio_out: Sequence[AudioStage] = ()
    """See the agent's samples, at the carrier's rate, before they are queued for the ear."""
