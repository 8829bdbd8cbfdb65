"""Two people connected without an agent: a number that is dialled from a call, and conferences."""

from __future__ import annotations

import asyncio

import numpy as np

from patter_nb.testing.twilio.calling import ring
from patter_nb.testing.twilio.line import SimulatedLine
from patter_nb.testing.twilio.recorder import HZ
from patter_nb.testing.twilio.twiml import UNKNOWN, Verb

DIAL_TIMEOUT_SECONDS = 30.0


async def connect_number(line: SimulatedLine, verb: Verb) -> SimulatedLine:
    """Call a number for the person on the line, and connect the two while both stay. Returns the call that was made."""
    number = verb.text
    caller_id = verb.attributes.get("callerId", line.from_number)
    child = line.exchange.add(SimulatedLine(line.exchange, "outbound-dial", caller_id, number, parent_sid=line.sid))
    if fault := line.exchange.dial_fault(number, caller_id, {line.from_number, line.to_number}):
        line.warn(*fault)
        await child.finish("failed")
        return child
    timeout = verb.attributes.get("timeout", "")
    seconds = float(timeout) if timeout.isdecimal() else DIAL_TIMEOUT_SECONDS
    ringing = asyncio.ensure_future(ring(child, seconds))
    if not await line.wait(asyncio.shield(ringing)):
        child.dismiss()
    outcome = await ringing
    if outcome == "in-progress":
        await _talk(line, child)
        outcome = "completed"
    await child.finish(outcome)
    return child


async def _talk(line: SimulatedLine, child: SimulatedLine) -> None:
    line.joined.append(child.sid)
    child.joined.append(line.sid)
    line.exchange.changed()
    clock = line.exchange.clock
    began, stays = clock.now(), child.person.stays_seconds
    stay = clock.sleep(stays) if stays is not None else asyncio.Event().wait()
    await line.wait(child.wait(stay))
    size = round((clock.now() - began) * HZ)
    voice = child.person.voice()[:size]
    heard = np.concatenate((voice, np.zeros(size - len(voice), np.int16)))
    line.tape.add(np.zeros(size, np.int16), heard)
    child.tape.add(heard, np.zeros(size, np.int16))


class Conference:
    """A room with a name. It begins when somebody enters who starts it, and is over when somebody leaves who ends it."""

    def __init__(self) -> None:
        self.members: list[SimulatedLine] = []
        self.begun = asyncio.Event()
        self.over = asyncio.Event()
        self.fewer = asyncio.Event()

    async def alone(self) -> None:
        """Wait until one person is left of several."""
        await self.begun.wait()
        while len(self.members) > 1 or not self.fewer.is_set():
            self.fewer.clear()
            await self.fewer.wait()


async def join_conference(line: SimulatedLine, verb: Verb) -> None:
    """Be in a conference until it is over, the person hangs up, or the call is sent elsewhere."""
    name = verb.text
    if not name:
        line.warn(UNKNOWN, "a <Conference> needs a name; it was skipped")
        return
    room = line.exchange.conferences.setdefault(name, Conference())
    room.members.append(line)
    line.joined.append(name)
    if verb.attributes.get("startConferenceOnEnter", "true") == "true":
        room.begun.set()
    line.exchange.changed()
    began = line.exchange.clock.now()
    try:
        await line.wait(_stay(line, room))
    finally:
        room.members.remove(line)
        room.fewer.set()
        if verb.attributes.get("endConferenceOnExit", "false") == "true" or not room.members:
            room.over.set()
            line.exchange.conferences.pop(name, None)
        size = round((line.exchange.clock.now() - began) * HZ)
        line.tape.add(np.zeros(size, np.int16), np.zeros(size, np.int16))
        line.exchange.changed()


async def _stay(line: SimulatedLine, room: Conference) -> None:
    """Return when the room is over; the person hangs up when they have talked enough, or are left alone."""
    reasons = [asyncio.ensure_future(room.over.wait()), asyncio.ensure_future(_had_enough(line, room))]
    try:
        await asyncio.wait(reasons, return_when=asyncio.FIRST_COMPLETED)
        if not room.over.is_set():
            line.leave()
    finally:
        for reason in reasons:
            reason.cancel()
        await asyncio.wait(reasons)


async def _had_enough(line: SimulatedLine, room: Conference) -> None:
    clock, stays = line.exchange.clock, line.person.stays_seconds
    alone = asyncio.ensure_future(room.alone())
    await room.begun.wait()
    try:
        if stays is None:
            await alone
        else:
            await asyncio.wait({alone}, timeout=stays / clock.speed)
    finally:
        alone.cancel()
        await asyncio.wait({alone})
