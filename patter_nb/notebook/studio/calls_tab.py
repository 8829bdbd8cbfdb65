"""The Calls tab: the calls that were held, the turns of one of them, and one turn with its audio and all that is known of it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from patter_nb.errors import ConfigError
from patter_nb.notebook.studio.calls_rows import call_row, turn_detail, turn_row
from patter_nb.notebook.studio.live_turn import legend
from patter_nb.notebook.studio.panel import Panel
from patter_nb.notebook.studio.playback import Clip, Silent, cut, cut_file, interval
from patter_nb.notebook.studio.ports import Archive, Ports
from patter_nb.records.readings import CallReading

MOST_CALLS = 500
"""Calls in the table, the newest; the others are in `phone.store.calls()`."""
MOST_TURNS = 1000
NOT_RECORDED = (
    "This call was not recorded. A test call is, unless it is held with record=False; a real one is with recording=True."
)
REMEMBERED = 8
"""Stored calls that are kept, so that going through their turns does not read the store each time."""


def calls_tab(ports: Ports, agent: str) -> CallsTab:
    """The tab. It shows the calls of every agent; `agent` is what the filter begins with."""
    return CallsTab(ports, agent)


class CallsTab:
    """`widget` is what is displayed."""

    title = "Calls"

    def __init__(self, ports: Ports, agent: str) -> None:
        self._archive = ports.archive
        self._stored: deque[CallReading] = deque(maxlen=REMEMBERED)
        do = {"calls": self._calls, "turns": self._turns, "turn": self._turn, "audio": self._audio}
        state = {"legend": legend(), "agent": agent, "stores": self._archive.stores}
        self._panel = Panel(ports, ("waterfall", "turn", "calls"), state, do)
        self._stop = ports.watch(self._changed)
        self.widget = self._panel.widget

    def close(self) -> None:
        self._stop()
        self._panel.close()

    def _changed(self) -> None:
        """A page asks for what it shows, in its own time."""
        self._panel.send({"kind": "changed"})

    async def _calls(self, content: Mapping[str, Any], _asked: Any) -> dict[str, Any]:
        everything = content.get("everything") is True
        began = time.monotonic()
        rows, count = await asyncio.to_thread(_newest, self._archive, everything)
        if everything:
            self._stored.clear()
        return {"calls": rows, "count": count, "seconds": time.monotonic() - began}

    async def _turns(self, content: Mapping[str, Any], _asked: Any) -> dict[str, Any]:
        return await asyncio.to_thread(self._list_turns, str(content.get("call")))

    async def _turn(self, content: Mapping[str, Any], _asked: Any) -> dict[str, Any]:
        return await asyncio.to_thread(self._detail, str(content.get("call")), content.get("index"))

    async def _audio(self, content: Mapping[str, Any], asked: Any) -> dict[str, Any]:
        """The audio goes beside the answer, which is remembered for a while."""
        found = await asyncio.to_thread(self._heard, str(content.get("call")), content.get("index"))
        if isinstance(found, Silent):
            return {"state": found.state, "reason": found.reason}
        asked.tell("clip", clip=await asyncio.to_thread(found.told))
        return {"state": "here", "reason": ""}

    # In a thread.

    def _list_turns(self, call_id: str) -> dict[str, Any]:
        call = self._reading(call_id)
        turns = call.turns[-MOST_TURNS:]
        return {"turns": [turn_row(turn) for turn in turns], "first": len(call.turns) - len(turns), "call": call_row(call)}

    def _detail(self, call_id: str, index: Any) -> dict[str, Any]:
        call = self._reading(call_id)
        turn, record = _at(call, index), call.record
        known = turn.facts.revision
        revision = None if known is None else self._archive.revision(record.phone_id, record.facts.agent, known)
        return {"turn": turn_detail(turn, revision)}

    def _heard(self, call_id: str, index: Any) -> Clip | Silent:
        reading, call = self._reading(call_id), self._archive.call(call_id)
        where = interval(_at(reading, index).facts)
        if where is None:
            return Silent("not recorded", "Nothing of this turn was timed, so it cannot be found in the recording.")
        recording = None if call is None else call.audio
        if recording is not None and len(recording.samples):
            return cut(recording, *where)
        end = reading.record.end
        if end is not None and end.recording_path:
            return cut_file(end.recording_path, *where)
        if end is None and call is None:
            return Silent("not recorded", "The process that held this call ended in the middle of it, and its recording with it.")
        return Silent("not recorded", NOT_RECORDED)

    def _reading(self, call_id: str) -> CallReading:
        if self._archive.call(call_id) is not None:
            return self._archive.reading(call_id)
        known = next((each for each in self._stored if each.record.facts.call_id == call_id), None)
        if known is None:
            known = self._archive.stored(call_id)
            if known is None:
                raise ConfigError(f"Nothing is known of call {call_id}.")
            self._stored.append(known)
        return known


def _newest(archive: Archive, everything: bool) -> tuple[list[dict[str, Any]], int]:
    """The newest calls, the newest first, and how many there are."""
    rows: deque[dict[str, Any]] = deque(maxlen=MOST_CALLS)
    count = 0
    for count, call in enumerate(archive.readings(everything=everything), start=1):  # noqa: B007
        rows.appendleft(call_row(call))
    return list(rows), count


def _at(call: CallReading, index: Any) -> Any:
    if not isinstance(index, int) or not 0 <= index < len(call.turns):
        raise ConfigError(f"turn is {index!r}; the call has {len(call.turns)}.")
    return call.turns[index]
