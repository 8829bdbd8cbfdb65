"""The live panel of the Call tab: it follows the newest call of the phone, or the one chosen, while it is on and after."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from patter_nb.errors import ConfigError
from patter_nb.notebook.standing import remarks_of, standing_of, title_of
from patter_nb.notebook.studio.live_state import LiveState
from patter_nb.notebook.studio.live_turn import ClosedTurn, closed_turn, legend
from patter_nb.notebook.studio.panel import Panel
from patter_nb.notebook.studio.ports import Archive, CallOnAir, Ports
from patter_nb.notebook.view import words
from patter_nb.records.readings import CallReading

FRAME_SECONDS = 0.2
"""How often a page is told of what is new, at most."""
HEARTBEAT_SECONDS = 1.0
"""How often it is told that the kernel is there, while a call is on."""
MOST_CALLS = 30
"""Calls that may be chosen."""
AT_ONCE = 200
"""Events of a call that is over which are read before others may run."""

_log = logging.getLogger(__name__)


class LivePanel:
    """On the loop of its ports, `close` included."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._chosen: str | None = None
        """The call that stays whatever begins; None: the newest one."""
        self._call: CallOnAir | None = None
        self._state = LiveState()
        self._following: asyncio.Task[None] | None = None
        self._due = asyncio.Event()
        self._told_calls: list[dict[str, Any]] = []
        do = {"ready": self._ready, "choose": self._choose, "hangup": self._hang_up, "mute": self._mute, "say": self._say}
        self._panel = Panel(ports, ("waterfall", "live"), {"legend": legend()}, do)
        self.widget = self._panel.widget
        self._stop = ports.watch(self.look)
        self.look()

    def close(self) -> None:
        self._stop()
        if self._following is not None:
            self._following.cancel()
        self._panel.close()

    def look(self) -> None:
        """A call may have begun, or ended."""
        calls = list(self._ports.archive.calls())
        wanted = next((call for call in calls if call.id == self._chosen), None) or (calls[-1] if calls else None)
        if wanted is not None and (self._call is None or wanted.id != self._call.id):
            self._follow(wanted)
        told = [_entry(call) for call in reversed(calls[-MOST_CALLS:])]
        if told != self._told_calls:
            self._told_calls = told
            self._panel.send({"kind": "calls", "calls": told, "chosen": self._chosen})

    # What pages order.

    def _ready(self, _content: Mapping[str, Any], _asked: Any) -> dict[str, Any]:
        return {"calls": self._told_calls, "chosen": self._chosen, "all": self._everything()}

    def _choose(self, content: Mapping[str, Any], _asked: Any) -> None:
        chosen = content.get("call")
        self._chosen = chosen if isinstance(chosen, str) and chosen else None
        self._told_calls = []
        self.look()

    def _hang_up(self, _content: Mapping[str, Any], _asked: Any) -> None:
        self._running().hangup()

    def _mute(self, content: Mapping[str, Any], _asked: Any) -> None:
        self._running().mute(content.get("on") is True)

    def _say(self, content: Mapping[str, Any], _asked: Any) -> None:
        self._running().say(str(content.get("text", "")))

    def _running(self) -> CallOnAir:
        if self._call is None or self._call.state != "running":
            raise ConfigError("The call is over; nothing can be done to it any more.")
        return self._call

    # Following a call.

    def _follow(self, call: CallOnAir) -> None:
        if self._following is not None:
            self._following.cancel()
        self._call, self._state = call, LiveState()
        self._panel.send({"kind": "all", "all": self._everything()})
        self._following = self._ports.loop.create_task(self._read(call, self._state), name=f"live panel of call {call.id}")
        self._following.add_done_callback(_report)

    async def _read(self, call: CallOnAir, state: LiveState) -> None:
        sending = asyncio.create_task(self._tell(call, state), name=f"frames of call {call.id}")
        try:
            state.head["revision"] = await asyncio.to_thread(_first_revision, self._ports.archive, call.id)
            read = 0
            async for event in call.stream():
                state.take(event)
                if event.kind == "metrics":
                    number = event.data["turn"].turn_index
                    turn = await asyncio.to_thread(_closed, self._ports.archive, call.id, number)
                    if turn is not None:
                        state.close(turn)
                elif event.kind in ("answered", "call_ended"):
                    await self._look_up(call, state)
                self._due.set()
                read += 1
                if read % AT_ONCE == 0:
                    await asyncio.sleep(0)
        finally:
            sending.cancel()
        self._send_frame(call, state)
        self.look()

    async def _tell(self, call: CallOnAir, state: LiveState) -> None:
        """Tell pages what is new, no oftener than they can follow, and that the kernel is there."""
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._due.wait()
            except TimeoutError:
                pass
            self._due.clear()
            if state.head["phase"] == "connecting":  # what a telephone line does meanwhile is no event of the call's stream
                await self._look_up(call, state)
            self._send_frame(call, state)
            await asyncio.sleep(FRAME_SECONDS)

    async def _look_up(self, call: CallOnAir, state: LiveState) -> None:
        """What the facts say of the call as a whole."""
        reading = await asyncio.to_thread(self._ports.archive.reading, call.id)
        facts = reading.record.facts
        if facts.direction != "test":
            over = state.head["phase"] in ("ended", "failed")
            state.stand(words(title_of(facts)), words(standing_of(facts, call.state if over else "running", reading.line)))
        for note in _notes(reading):
            state.note(note)

    def _send_frame(self, call: CallOnAir, state: LiveState) -> None:
        if state is self._state:
            self._panel.send({"kind": "frame", "call": call.id, "at": call.duration_seconds, **state.changes()})

    def _everything(self) -> dict[str, Any] | None:
        """The call as it stands, for a page that has nothing of it; None where there is no call yet."""
        if self._call is None:
            return None
        told = {"call": self._call.id, "agent": words(self._call.live.line.name), "at": self._call.duration_seconds}
        return {**told, **self._state.everything()}


def _entry(call: CallOnAir) -> dict[str, Any]:
    """A call in the list of those that may be chosen."""
    return {"id": call.id, "agent": words(call.live.line.name), "state": call.state}


def _closed(archive: Archive, call_id: str, number: int) -> ClosedTurn | None:
    turns = archive.reading(call_id).turns
    found = next((turn for turn in reversed(turns) if turn.facts.turn == number), None)
    return None if found is None else closed_turn(found)


def _first_revision(archive: Archive, call_id: str) -> int:
    return archive.reading(call_id).record.facts.revision


def _notes(reading: CallReading) -> list[str]:
    """What a reader must know to judge what is shown."""
    by_loudness = [event.data for event in reading.events("voice_activity") if event.data.get("fallback")]
    unsaved = [event.data for event in reading.events("recording_not_saved")]
    end = reading.record.end
    return [
        *map(words, remarks_of(reading.record.facts, reading.line, error=None if end is None else end.error)),
        *(words(f"Voice activity by loudness alone ({data.get('reason')}).") for data in by_loudness),
        *(words(str(data.get("error"))) for data in unsaved),
    ]


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("the live panel could not follow its call", exc_info=error)
