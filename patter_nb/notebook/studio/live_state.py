"""What the Call tab shows of a call, kept from the events of its stream: lines of what happened, a bar for each turn, a head.

It is told one event after the other and says what has changed since it was asked last, so that a page is sent little however
long the call is. It keeps the last lines only; everything else of a call stands in its tables.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from patter_nb.notebook.conversation import heard_and_unheard
from patter_nb.notebook.studio.live_turn import ClosedTurn
from patter_nb.notebook.view import ms_text, usd_text, words
from patter_nb.records.masking import mask_text

MOST_LINES = 200
MOST_BARS = 30
LONGEST_TEXT = 600
"""Characters of a tool's arguments or result that are shown."""
ONE_STALL_SECONDS = 2.0
"""Stalls that follow one another so closely, in the same cell, are told in one line."""

Line = dict[str, Any]


class Happened(Protocol):
    """An event of a call's stream."""

    @property
    def kind(self) -> str: ...
    @property
    def at(self) -> float: ...
    @property
    def data(self) -> Mapping[str, Any]: ...


class LiveState:
    """One call, from its first event on."""

    def __init__(self, revision: int | None = None) -> None:
        self.head: dict[str, Any] = {
            "phase": "connecting", "caller": False, "agent": False, "thinking": False, "muted": False, "tools": [],
            "revision": revision, "turns": 0, "usd": None, "unknown": [], "parts": {}, "stalls": 0, "stall_ms": 0.0,
            "waiting_at": None, "duration": None, "ending": "", "error": "", "notes": [], "who": "", "standing": "",
        }  # fmt: skip
        self.lines: dict[int, Line] = {}
        self.bars: dict[int, dict[str, Any]] = {}
        self.dropped = 0
        """How many lines were too many."""
        self._last = 0
        self._changed: dict[int, None] = {}
        self._gone: list[int] = []
        self._changed_bars: dict[int, None] = {}
        self._told_head: dict[str, Any] = {}
        self._caller: int | None = None
        """The line of caller's words that belong to no turn yet."""
        self._finals = ""
        self._caller_of: dict[int, int] = {}
        self._agent_of: dict[int, int] = {}
        self._tool_of: dict[str, int] = {}

    # What is told.

    def take(self, event: Happened) -> None:
        """Something happened in the call."""
        taker = _TAKERS.get(event.kind)
        if taker is not None:
            taker(self, event.data, event.at)

    def close(self, turn: ClosedTurn) -> None:
        """A turn has its row: what was said and heard in it is known now."""
        self._close_caller(turn)
        self._close_agent(turn)
        self.head["turns"] += turn.kind == "caller"
        if turn.bar is not None:
            self.bars[turn.number] = turn.bar
            self._changed_bars[turn.number] = None
            for number in sorted(self.bars)[:-MOST_BARS]:
                del self.bars[number]

    def note(self, text: str) -> None:
        """Something that a reader must know to judge the rest."""
        if text and text not in self.head["notes"]:
            self.head["notes"] = [*self.head["notes"], text]

    def stand(self, who: str, standing: str) -> None:
        """Of a call on a telephone line: with whom it is, and where it is on its way, as its card says it."""
        self.head |= {"who": who, "standing": standing}

    # What is asked.

    def changes(self) -> dict[str, Any]:
        """What has changed since this was asked last: lines, bars, and the head where it is another one."""
        found: dict[str, Any] = {
            "lines": [self.lines[number] for number in self._changed if number in self.lines],
            "gone": self._gone,
            "bars": [self.bars[number] for number in self._changed_bars if number in self.bars],
            "dropped": self.dropped,
        }
        self._changed, self._gone, self._changed_bars = {}, [], {}
        if self.head != self._told_head:
            self._told_head = dict(self.head)
            found["head"] = self._told_head
        return found

    def everything(self) -> dict[str, Any]:
        """All that is kept."""
        bars = [self.bars[number] for number in sorted(self.bars)]
        return {"lines": list(self.lines.values()), "bars": bars, "dropped": self.dropped, "head": dict(self.head)}

    # The call.

    def _answered(self, _data: Mapping[str, Any], _at: float) -> None:
        self.head["phase"] = "on"

    def _ended(self, data: Mapping[str, Any], at: float) -> None:
        if (metrics := data.get("metrics")) is not None:  # what a carrier bills once a call is in none of its turns
            self._cost({"cost_so_far": metrics.cost}, at)
        error = words(data.get("error"))
        self.head |= {"phase": "failed" if error else "ended", "ending": words(data.get("end_reason")), "error": error}
        self.head |= {"duration": at, "caller": False, "agent": False, "thinking": False, "tools": [], "waiting_at": None}
        for number in [*self.lines]:
            line = self.lines[number]
            if line["kind"] == "caller" and not line["text"]:
                self._drop(number)
            elif line.get("live"):
                self._set(number, live=False, interim="")
            elif line["kind"] == "tool" and line["state"] == "running":
                self._set(number, state="unanswered")

    def _muted(self, _data: Mapping[str, Any], at: float) -> None:
        self.head["muted"] = True
        self._add("sign", at, text="the agent was muted")

    def _unmuted(self, _data: Mapping[str, Any], at: float) -> None:
        self.head["muted"] = False
        self._add("sign", at, text="the agent may speak again")

    def _cost(self, data: Mapping[str, Any], _at: float) -> None:
        cost = data["cost_so_far"]
        self.head["usd"] = usd_text(cost.total)
        self.head["unknown"] = list(cost.unknown)
        self.head["parts"] = {name: usd_text(getattr(cost, name)) for name in ("stt", "llm", "tts", "telephony")}

    # The caller.

    def _caller_began(self, _data: Mapping[str, Any], at: float) -> None:
        self.head |= {"caller": True, "waiting_at": None}
        if self._caller is None:
            self._caller, self._finals = self._add("caller", at, text="", interim="", live=True, over=self.head["agent"]), ""

    def _caller_ended(self, _data: Mapping[str, Any], at: float) -> None:
        self.head["caller"] = False
        if not self.head["agent"]:
            self.head["waiting_at"] = at

    def _interim(self, data: Mapping[str, Any], at: float) -> None:
        number = self._caller_line(at)
        self._set(number, interim=words(data.get("text")))

    def _transcript(self, data: Mapping[str, Any], at: float) -> None:
        if data.get("role") == "user":
            number = self._caller_line(at)
            self._finals = f"{self._finals} {words(data.get('text'))}".strip()
            self._set(number, text=self._finals, interim="")

    def _caller_line(self, at: float) -> int:
        if self._caller is None:
            self._caller, self._finals = self._add("caller", at, text="", interim="", live=True, over=self.head["agent"]), ""
        return self._caller

    def _asked(self, data: Mapping[str, Any], at: float) -> None:
        """The caller's turn is over, and a reply to it is ordered."""
        self.head["thinking"] = True
        turn, said = data.get("turn_idx", 0), words(data.get("transcript_so_far"))
        known = self._caller_of.get(turn)
        if known is not None and known in self.lines:
            if self._caller is not None and self._caller != known:
                self._drop(self._caller)
            self._set(known, text=said, interim="", live=False)
        else:  # it is no speech over the agent but a turn
            self._caller_of[turn] = self._caller_line(at)
            self._set(self._caller_of[turn], text=said or self._finals, interim="", live=False, over=False, turn=turn)
        self._caller = None

    def _close_caller(self, turn: ClosedTurn) -> None:
        number = self._caller_of.pop(turn.number, None)
        if turn.said:
            if number is None and self._caller is not None and self._finals and self._finals in turn.said:
                number, self._caller = self._caller, None  # its turn was answered by nobody
            if number is None or number not in self.lines:
                number = self._add("caller", turn.at, before=self._agent_of.get(turn.number), text="", interim="", over=False)
            self._set(number, text=turn.said, interim="", live=False, over=False, turn=turn.number)
        if turn.overlap:
            over = self._caller
            if over is not None and not (self._finals and self._finals not in turn.overlap):
                self._caller = None
            else:
                over = self._add("caller", turn.at, text="", interim="", over=True)
            self._set(over, text=turn.overlap, interim="", live=False, over=True)

    # The agent.

    def _segment(self, data: Mapping[str, Any], at: float) -> None:
        turn, reply, text = data.get("turn_idx", 0), data.get("reply"), words(data.get("text"))
        number = self._agent_of.get(turn)
        if number is None or number not in self.lines:
            number = self._add("agent", at, text="", unheard="", live=True, turn=turn, reply=reply, marks=[])
            self._agent_of[turn] = number
        line = self.lines[number]
        before = line["text"] if line["reply"] == reply else ""  # another reply of the turn takes the place of the one before
        self._set(number, text=f"{before} {text}".strip(), reply=reply)

    def _agent_began(self, _data: Mapping[str, Any], _at: float) -> None:
        self.head |= {"agent": True, "thinking": False, "waiting_at": None}

    def _agent_ended(self, _data: Mapping[str, Any], _at: float) -> None:
        self.head["agent"] = False

    def _close_agent(self, turn: ClosedTurn) -> None:
        self.head["thinking"] = False
        if not self.head["caller"]:
            self.head["waiting_at"] = None
        number = self._agent_of.pop(turn.number, None)
        heard, unheard = heard_and_unheard({"agent_text": turn.generated, "heard_text": turn.heard})
        if not (heard or unheard or turn.error or turn.said):
            if number is not None:
                self._drop(number)
            return
        if number is None or number not in self.lines:
            number = self._add("agent", turn.at, turn=turn.number, reply=None)
        told = {"text": heard, "unheard": unheard, "marks": list(turn.marks), "error": turn.error, "gap": turn.gap}
        self._set(number, live=False, **told)

    # What else happens.

    def _tool_called(self, data: Mapping[str, Any], at: float) -> None:
        told: Line = {"name": words(data.get("name")), "arguments": _short(data.get("arguments")), "state": "running"}
        self._tool_of[str(data.get("id"))] = self._add("tool", at, **told, result="", progress="", ms="")
        self.head["tools"] = [*self.head["tools"], told["name"]]

    def _tool_progress(self, data: Mapping[str, Any], _at: float) -> None:
        number = self._tool_of.get(str(data.get("id")))
        if number in self.lines:
            self._set(number, progress=_short(data.get("text")))

    def _tool_returned(self, data: Mapping[str, Any], at: float) -> None:
        names = [*self.head["tools"]]
        if (name := words(data.get("name"))) in names:
            names.remove(name)
        self.head["tools"] = names
        number = self._tool_of.pop(str(data.get("id")), None)
        if number in self.lines:
            failed = data.get("error") is not None
            result = _short(data.get("error") if failed else data.get("result"))
            ms = ms_text((at - self.lines[number]["at"]) * 1000)
            self._set(number, state="failed" if failed else "returned", result=result, ms=ms)

    def _guardrail(self, data: Mapping[str, Any], at: float) -> None:
        held = data.get("added_ms")
        told: Line = {"name": words(data.get("name")), "matched": words(data.get("matched"))}
        self._add("guardrail", at, **told, ms=ms_text(math.nan if held is None else held))

    def _revision(self, data: Mapping[str, Any], at: float) -> None:
        self.head["revision"] = data.get("revision")
        self._add("revision", at, revision=data.get("revision"), note=words(data.get("note")))

    def _key(self, data: Mapping[str, Any], at: float) -> None:
        self._add("sign", at, text=f"the caller pressed {data.get('digit')}")

    def _stall(self, data: Mapping[str, Any], at: float) -> None:
        ms, cell = float(data.get("seconds") or 0.0) * 1000, data.get("cell")
        self.head["stalls"] += 1
        self.head["stall_ms"] += ms
        last = next(reversed(self.lines.values()), None)
        if last is not None and last["kind"] == "stall" and last["cell"] == cell and at - last["until"] < ONE_STALL_SECONDS:
            self._set(last["id"], total=last["total"] + ms, ms=ms_text(last["total"] + ms), until=at)
        else:
            self._add("stall", at, cell=cell, total=ms, ms=ms_text(ms), until=at)

    # Lines.

    def _add(self, kind: str, at: float, *, before: int | None = None, **fields: Any) -> int:
        self._last += 1
        number = self._last
        place = number if before is None or before not in self.lines else self.lines[before]["place"] - 0.5
        self.lines[number] = {"id": number, "place": place, "kind": kind, "at": at, **fields}
        self._changed[number] = None
        while len(self.lines) > MOST_LINES:
            self._drop(next(iter(self.lines)))
            self.dropped += 1
        return number

    def _set(self, number: int, **fields: Any) -> None:
        self.lines[number] = {**self.lines[number], **fields}
        self._changed[number] = None

    def _drop(self, number: int) -> None:
        """Take a line away."""
        line = self.lines.pop(number, None)
        if line is None:
            return
        self._gone.append(number)
        if number == self._caller:
            self._caller = None

    def __iter__(self) -> Iterator[Line]:
        """The lines in their order."""
        return iter(sorted(self.lines.values(), key=lambda line: line["place"]))


def _short(value: object) -> str:
    """A text on one line, numbers masked, as far as it is shown."""
    text = mask_text(" ".join(str("" if value is None else value).split()))
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


_TAKERS = {
    "answered": LiveState._answered,
    "call_ended": LiveState._ended,
    "muted": LiveState._muted,
    "unmuted": LiveState._unmuted,
    "metrics": LiveState._cost,
    "user_speech_started": LiveState._caller_began,
    "user_speech_ended": LiveState._caller_ended,
    "user_speech_eos": LiveState._asked,
    "interim": LiveState._interim,
    "transcript": LiveState._transcript,
    "segment": LiveState._segment,
    "agent_speech_started": LiveState._agent_began,
    "agent_speech_ended": LiveState._agent_ended,
    "tool_called": LiveState._tool_called,
    "tool_progress": LiveState._tool_progress,
    "tool_returned": LiveState._tool_returned,
    "guardrail": LiveState._guardrail,
    "revision": LiveState._revision,
    "dtmf": LiveState._key,
    "stall": LiveState._stall,
}
