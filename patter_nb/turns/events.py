"""What happened in a call, as the turn engine is told it. Past tense; frozen; instants in seconds of the call's clock.

Whatever belongs to a reply carries its number, so that what arrives late can be dropped at the door.
"""

from __future__ import annotations

from dataclasses import dataclass

from patter_nb.turns.usage import Usage


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """The line is open. `greeting` is spoken first; empty: the caller speaks first.

    `voicemail` is left, and nothing else, where a machine turns out to have answered that records what it hears.
    """

    greeting: str = ""
    voicemail: str = ""


@dataclass(frozen=True, slots=True)
class CallerHungUp:
    """The far end closed the line."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Voice activity began; `at` is the start of the first voiced window."""

    at: float


@dataclass(frozen=True, slots=True)
class SpeechContinued:
    """Another voiced window, ending at `at`; gaps up to the detector's bridge lie inside the speech."""

    at: float


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """Voice activity ended; `at` is the end of the last voiced window, so the detector's own wait is not in it."""

    at: float


@dataclass(frozen=True, slots=True)
class InterimReceived:
    """A transcript that may still change."""

    text: str


@dataclass(frozen=True, slots=True)
class FinalReceived:
    """A transcript that will not change; empty when the sound held no words.

    `started_at` and `ended_at` bound the audio it stands for, where the provider says so. `arrived_at`: when it came from the
    recogniser, where text stages took their time with it since.
    """

    text: str
    started_at: float | None = None
    ended_at: float | None = None
    arrived_at: float | None = None


@dataclass(frozen=True, slots=True)
class ProviderTurnStarted:
    """A provider that owns turn-taking heard the caller begin."""

    at: float


@dataclass(frozen=True, slots=True)
class ProviderTurnEnded:
    """A provider that owns turn-taking decided the caller's turn is over; `text` when it also transcribes."""

    at: float
    text: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderReplyStarted:
    """A speech-to-speech provider began a reply by itself; the engine numbers it with `AdoptReply`."""

    id: str


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """The session took the ordered reply up with this revision of the agent.

    Where an edit made in this call brought it: when that was asked for, and the turn whose reply was the first with it.
    """

    reply: int
    revision: int
    edit_requested_at: float | None = None
    edit_effective_turn: int | None = None


@dataclass(frozen=True, slots=True)
class InstantRecorded:
    """An instant of the reply's turn, by its name in `turns.facts.INSTANTS`. The first one of a name stays.

    "cleared_at" carries the number of the reply that was cancelled with it.
    """

    reply: int
    name: str
    at: float


@dataclass(frozen=True, slots=True)
class SegmentReady:
    """A speakable piece of the reply goes to the synthesiser. Segments count from 0 within a reply."""

    reply: int
    segment: int
    text: str


@dataclass(frozen=True, slots=True)
class SegmentSynthesized:
    """All audio of a segment is there: so many seconds of it."""

    reply: int
    segment: int
    seconds: float


@dataclass(frozen=True, slots=True)
class SegmentAligned:
    """The provider said where words end: (characters of the segment, seconds of its audio), ascending."""

    reply: int
    segment: int
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class ReplyGenerated:
    """The reply's text is complete: no further segment will come (until tools, if any were called, have returned).

    `silenced`: that there is none was meant, since the user's own stages took out what the model wrote.
    """

    reply: int
    silenced: bool = False


@dataclass(frozen=True, slots=True)
class AudioHeard:
    """The carrier played the segment's first `seconds` of audio, by a mark that came back at `at`."""

    reply: int
    segment: int
    seconds: float
    at: float


@dataclass(frozen=True, slots=True)
class ReplyFailed:
    """A provider failed inside a reply. `stage` is "llm", "tts" or "tool"; `error` one sentence.

    When a synthesiser failed, `segment` is the one it failed on and `seconds` how much of its audio there is and will be played;
    no later segment will be. None: every segment that was not reported whole is lost.
    """

    reply: int
    stage: str
    error: str
    segment: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class TranscriptionFailed:
    """The speech recogniser failed; what was said since the last final is lost."""

    error: str


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """The model asked for a tool; `filler` is spoken if it takes longer than `filler_seconds`."""

    reply: int
    id: str
    name: str
    arguments: str
    filler: str = ""
    filler_seconds: float = 1.5


@dataclass(frozen=True, slots=True)
class ToolReturned:
    """A tool ended, with a result or an error sentence for the model, after so many attempts.

    `ends_reply`: the agent has nothing to add once something was said in this reply, so its model is not asked again.
    """

    reply: int
    id: str
    result: str | None = None
    error: str | None = None
    attempts: int = 1
    ends_reply: bool = False


@dataclass(frozen=True, slots=True)
class StageFailed:
    """A user's hook, check or transform failed; what it was to look at went on or was dropped, and the reply lives.

    `reply` is 0 for what concerns the caller's words.
    """

    reply: int
    stage: str
    error: str


@dataclass(frozen=True, slots=True)
class GuardrailHit:
    """A guardrail replaced the rest of a reply. `matched`: its term, or "check"; `added_ms`: how long the text was held for it.
    """

    reply: int
    guardrail: str
    matched: str
    added_ms: float
    stage: str


@dataclass(frozen=True, slots=True)
class BargeInConfirmed:
    """A strategy took what the caller is saying over the agent, or has just said, for an interruption.

    `spoken_at` is the middle of the audio its words stand for, where the recogniser says; `final`: the words are those of the
    final transcript that follows.
    """

    spoken_at: float | None = None
    final: bool = False


@dataclass(frozen=True, slots=True)
class UsageReported:
    """A provider's meter moved; `reply` is None when it belongs to no reply (transcription, prewarming)."""

    usage: Usage
    reply: int | None = None


@dataclass(frozen=True, slots=True)
class SayRequested:
    """The agent shall say this, word for word: after its present reply, or at once when `interrupt`."""

    text: str
    interrupt: bool = False


@dataclass(frozen=True, slots=True)
class InjectRequested:
    """The agent shall know this from now on; `reply` asks for an answer to it as soon as it is silent."""

    text: str
    role: str = "system"
    reply: bool = False


@dataclass(frozen=True, slots=True)
class DtmfReceived:
    """The caller pressed a key."""

    digit: str


@dataclass(frozen=True, slots=True)
class DtmfRequested:
    """The agent shall press keys once it is silent, with `delay_ms` of silence between them."""

    digits: str
    delay_ms: int = 300


@dataclass(frozen=True, slots=True)
class KeysPlayed:
    """The tones of one `SendDtmf` were heard, or dropped."""


@dataclass(frozen=True, slots=True)
class MuteRequested:
    """The agent shall fall silent and answer nothing while the caller is listened to; or it may speak again."""

    on: bool


@dataclass(frozen=True, slots=True)
class TransferRequested:
    """The call shall be handed to another number, once what is being said has been heard.

    `polite`: not over the caller, and not if they interrupt what is being said. `mode`: "cold", or "warm": the agent stays with
    the caller until somebody answers there, who is told the `summary` first.
    """

    number: str
    polite: bool = False
    mode: str = "cold"
    summary: str = ""


@dataclass(frozen=True, slots=True)
class TransferAnswered:
    """Somebody answered who was called for a warm transfer, and was told what there is to tell."""


@dataclass(frozen=True, slots=True)
class TransferFailed:
    """The call could not be handed on, and is as it was."""

    error: str


@dataclass(frozen=True, slots=True)
class MachineDetected:
    """The carrier's verdict on who answered, `after_ms` after the answer.

    `classification`: "human", "machine", "fax" or "unknown"; `raw`: the carrier's own word for it.
    """

    classification: str
    raw: str
    after_ms: float | None = None


@dataclass(frozen=True, slots=True)
class HangUpRequested:
    """The call shall end once what is being said has been heard; `text` is said first.

    `polite`: not over the caller, and not if they interrupt what is being said.
    """

    reason: str
    text: str = ""
    polite: bool = False


@dataclass(frozen=True, slots=True)
class LimitReached:
    """A limit outside the engine (money) was reached: goodbye, then hang up."""

    reason: str


Event = (
    CallAnswered | CallerHungUp | SpeechStarted | SpeechContinued | SpeechStopped | InterimReceived | FinalReceived
    | ProviderTurnStarted | ProviderTurnEnded | ProviderReplyStarted | ReplyStarted | InstantRecorded | SegmentReady
    | SegmentSynthesized | SegmentAligned | ReplyGenerated | AudioHeard | ReplyFailed | TranscriptionFailed | ToolCalled
    | ToolReturned | StageFailed | GuardrailHit | BargeInConfirmed | UsageReported | SayRequested | InjectRequested | DtmfReceived
    | DtmfRequested | KeysPlayed | MuteRequested | TransferRequested | TransferAnswered | TransferFailed | MachineDetected
    | HangUpRequested | LimitReached
)
