"""One reply of the agent: what is being generated, synthesised, played and heard of it. It keeps count and decides nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from patter_nb.turns.commands import ReplyKind
from patter_nb.turns.events import (
    AudioHeard,
    InstantRecorded,
    ReplyFailed,
    ReplyGenerated,
    ReplyStarted,
    SegmentAligned,
    SegmentReady,
    SegmentSynthesized,
    ToolCalled,
    ToolReturned,
)
from patter_nb.turns.facts import INSTANTS, ToolRun
from patter_nb.turns.heard import Segment
from patter_nb.turns.messages import Message, ToolRequest

CANCELLED = "cancelled before it returned"
"""What the row and the model are told of a tool whose reply was cut off. What it did in the world may have been done."""


@dataclass(slots=True, eq=False)
class Tool:
    """A tool the model asked for, and what became of it."""

    id: str
    name: str
    arguments: str
    filler: str
    filler_at: float
    """When its filler line is due."""
    round: int
    called_at: float
    ordered: bool = False
    returned: bool = False
    returned_at: float | None = None
    attempts: int = 1
    ends_reply: bool = False
    result: str | None = None
    error: str | None = None

    def returns(self, event: ToolReturned, now: float) -> None:
        """It ended; a late result replaces the note that it was cancelled."""
        self.returned, self.result, self.error = True, event.result, event.error
        self.returned_at, self.attempts, self.ends_reply = now, event.attempts, event.ends_reply

    def cancel(self) -> None:
        """Its reply is over before it is."""
        if not self.returned:
            self.returned, self.error = True, CANCELLED

    def run(self) -> ToolRun:
        """As the turn's row has it."""
        times = (self.called_at, self.returned_at)
        return ToolRun(self.id, self.name, self.arguments, self.result, self.error, *times, self.attempts)

    def message(self) -> Message:
        """As the model is told."""
        return Message("tool", self.result or self.error or "", tool_id=self.id)


@dataclass(slots=True, eq=False)
class Reply:
    """A reply by its number, from the order to the last word heard."""

    number: int
    kind: ReplyKind
    begun_at: float
    """When it was ordered, or a provider began it."""
    adopted: bool = False
    """A speech-to-speech provider began it by itself."""
    revision: int | None = None
    edit_requested_at: float | None = None
    edit_effective_turn: int | None = None
    segments: dict[int, Segment] = field(default_factory=dict)
    tools: list[Tool] = field(default_factory=list)
    instants: dict[str, float] = field(default_factory=dict)
    waits_since: float = field(init=False)
    """Since when the model has brought nothing: since it was asked (at the order, or after tools) or its first token."""
    token_came: bool = False
    """Whether a token has come since it was asked."""
    round: int = 0
    generated: bool = False
    silenced: bool = False
    """Whether it is meant to be empty, if it is."""
    progressed: bool = False
    """Whether the model has brought a segment or a tool call since it was asked."""
    filled: bool = False
    failure: ReplyFailed | None = None
    """A failure the engine has not faced yet."""
    failed: bool = False
    torn: bool = False
    """It failed, and nobody knows how much of its last segment still plays."""
    heard_from: float | None = None
    """When its first audio began to play; None while none of it was heard."""
    heard_until: float | None = None

    def __post_init__(self) -> None:
        self.waits_since = self.begun_at

    # What is reported of it, each by the event of that name.

    def started(self, event: ReplyStarted, _now: float) -> None:
        self.revision = event.revision
        self.edit_requested_at, self.edit_effective_turn = event.edit_requested_at, event.edit_effective_turn

    def instant_recorded(self, event: InstantRecorded, now: float) -> None:
        self.instants.setdefault(known_instant(event.name), event.at)
        if event.name == "llm_first_token_at" and not self.token_came:
            self.token_came, self.waits_since = True, now

    def segment_ready(self, event: SegmentReady, _now: float) -> None:
        self.progressed = True
        if not self.failed:
            self.segments.setdefault(event.segment, Segment(event.text, self.round))

    def segment_synthesized(self, event: SegmentSynthesized, _now: float) -> None:
        if (segment := self.segments.get(event.segment)) is not None:
            segment.synthesized(event.seconds)

    def segment_aligned(self, event: SegmentAligned, _now: float) -> None:
        if (segment := self.segments.get(event.segment)) is not None:
            segment.aligned(event.points)

    def text_generated(self, event: ReplyGenerated, _now: float) -> None:
        self.generated, self.silenced = True, event.silenced

    def audio_heard(self, event: AudioHeard, _now: float) -> None:
        segment = self.segments.get(event.segment)
        if segment is None or event.seconds <= 0.0:
            return
        segment.heard(event.seconds)
        for index, earlier in self.segments.items():
            # Audio plays in order, so a mark also proves all that was sent before it.
            if index < event.segment and earlier.plays_seconds is not None:
                earlier.heard(earlier.plays_seconds)
        if self.heard_from is None:
            self.heard_from = event.at - event.seconds
        self.heard_until = event.at

    def provider_failed(self, event: ReplyFailed, _now: float) -> None:
        self.failure = event

    def tool_called(self, event: ToolCalled, now: float) -> None:
        self.progressed = True
        if not self.failed:
            asked = (event.id, event.name, event.arguments, event.filler, now + event.filler_seconds)
            self.tools.append(Tool(*asked, self.round, called_at=now))

    def tool_returned(self, event: ToolReturned, now: float) -> None:
        for tool in self.tools:
            if tool.id == event.id:
                tool.returns(event, now)

    # What the engine does with it.

    def next_round(self, now: float) -> None:
        """The tools have returned and the model is asked again."""
        self.round += 1
        self.generated = self.progressed = self.token_came = False
        self.waits_since = now

    def give_up(self, failure: ReplyFailed) -> None:
        """Nothing is added to it: what was synthesised plays out, and the segment that failed as far as it was made."""
        self.failed = self.generated = self.progressed = True
        self.cancel_tools()
        if failure.stage == "tts":
            self._lose_audio(failure)

    def _lose_audio(self, failure: ReplyFailed) -> None:
        self.torn = self.torn or failure.segment is None
        for index, segment in self.segments.items():
            if failure.segment is None:
                segment.abandoned(0.0)
            elif index == failure.segment:
                segment.abandoned(failure.seconds)
            elif index > failure.segment:
                segment.dropped()

    def cancel_tools(self) -> None:
        """Tools that still run are none of the conversation's business any more."""
        for tool in self.tools:
            tool.cancel()

    # What the engine asks of it.

    def overdue(self, timeout_seconds: float, now: float) -> ReplyFailed | None:
        """The failure it amounts to that the model has brought nothing for so long; None while that is not so."""
        if self.progressed or now < self.waits_since + timeout_seconds:
            return None
        failing = "brought no sentence" if self.token_came else "did not answer"
        since = " of its first token" if self.token_came else ""
        return ReplyFailed(self.number, "llm", f"the model {failing} within {timeout_seconds:g} s{since}")

    @property
    def is_heard(self) -> bool:
        return self.heard_from is not None

    @property
    def heard_seconds(self) -> float:
        """Seconds of its audio that were heard, over all segments."""
        return sum((segment.heard_seconds for segment in self.segments.values()), start=0.0)

    @property
    def quiet(self) -> bool:
        """Whether nothing of it plays, or is about to."""
        return all(segment.played_out for segment in self.segments.values())

    @property
    def complete(self) -> bool:
        """Whether it was said and heard to its end; for an empty one that is when it was generated."""
        return self.generated and self.quiet and not self._round_tools()

    @property
    def round_returned(self) -> bool:
        """Whether the model waits to be asked again."""
        tools = self._round_tools()
        return self.generated and not self.failed and bool(tools) and all(tool.returned for tool in tools)

    def tools_to_run(self) -> Iterator[Tool]:
        """The tools asked for and not yet ordered; they count as ordered then."""
        for tool in self.tools:
            if not tool.ordered:
                tool.ordered = True
                yield tool

    def filler(self) -> Tool | None:
        """The running tool whose filler line is due first, while that line would break a silence and none was spoken."""
        if self.filled or not self.quiet:
            return None
        running = [tool for tool in self.tools if tool.filler and not tool.returned]
        return min(running, key=lambda tool: tool.filler_at, default=None)

    def next_timer(self, reply_timeout_seconds: float) -> float | None:
        """When it will be overdue, or its filler line is due."""
        if not self.progressed:
            return self.waits_since + reply_timeout_seconds
        tool = self.filler()
        return None if tool is None else tool.filler_at

    # What is told of it.

    def text(self) -> str:
        """All that was generated."""
        return " ".join(segment.text for segment in self.segments.values())

    def heard_text(self) -> str:
        """What the caller's ear got."""
        return " ".join(filter(None, (segment.heard_text() for segment in self.segments.values())))

    @property
    def heard_estimated(self) -> bool:
        """False when every segment of which something was heard came with an alignment."""
        heard = [segment for segment in self.segments.values() if segment.heard_seconds > 0.0]
        return not heard or not all(segment.points for segment in heard)

    def messages(self, *, as_generated: bool = False) -> list[Message]:
        """Its part of the conversation: per round what was said, then the tools asked for and what they returned."""
        messages: list[Message] = []
        for number in range(self.round + 1):
            said = [s.text if as_generated else s.heard_text() for s in self.segments.values() if s.round == number]
            tools = [tool for tool in self.tools if tool.round == number]
            requests = tuple(ToolRequest(tool.id, tool.name, tool.arguments) for tool in tools)
            content = " ".join(filter(None, said))
            if content or requests:
                messages.append(Message("assistant", content, requests))
            messages += [tool.message() for tool in tools]
        return messages

    def _round_tools(self) -> list[Tool]:
        """The tools after which the model is to be asked again."""
        tools = [] if self.failed else [tool for tool in self.tools if tool.round == self.round]
        return [] if self._ended_by(tools) else tools

    def _ended_by(self, tools: list[Tool]) -> bool:
        """Whether they have returned and one of them leaves nothing to add to what was said, a filler line aside."""
        said = len(self.segments) > self.filled
        return said and all(tool.returned for tool in tools) and any(tool.ends_reply for tool in tools)


def known_instant(name: str) -> str:
    """`name`, or ValueError when no turn has such an instant."""
    if name not in INSTANTS:
        raise ValueError(f"There is no instant named {name!r}; patter_nb.turns.facts.INSTANTS lists them.")
    return name
