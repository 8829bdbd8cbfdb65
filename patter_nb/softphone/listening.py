"""Lets a running call of another caller be heard on a softphone: both sides, as they are recorded."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode

from patter_nb.audio import g711
from patter_nb.call import Call
from patter_nb.softphone.ordered import show
from patter_nb.softphone.softphone import Softphone

BEHIND_SECONDS = 0.5
"""How far behind the call one listens. What the agent said is known when its mark has come back, 0.2 s later at most."""
STEP_SECONDS = 0.1
MOST_SECONDS = 5.0
"""Of one message, after a cell that took its time."""

_following: set[asyncio.Task[None]] = set()


def let_hear(call: Call, softphone: Softphone, *, shown: bool) -> None:
    """Play the call on the softphone until it is over; `shown`: display it under the running cell."""
    if shown:
        show(softphone)
    task = asyncio.get_running_loop().create_task(_follow(call, softphone), name=f"listen to call {call.id}")
    _following.add(task)
    task.add_done_callback(_following.discard)


async def _follow(call: Call, softphone: Softphone) -> None:
    line = softphone.listen(call.id, call.live.current.agent.name).ends_with(call.stop)
    call.when_over(lambda: softphone.over(line, call.error or call.end_reason))
    at = 0.0
    try:
        while call.state == "running":
            await asyncio.sleep(STEP_SECONDS)
            at = _play(call, softphone, at, call.duration_seconds - BEHIND_SECONDS)
        end = call.duration_seconds
        while at < end:
            at = _play(call, softphone, at, end)
        await asyncio.sleep(BEHIND_SECONDS)  # until it has been heard
    finally:
        await line.close()


def _play(call: Call, softphone: Softphone, since: float, until: float) -> float:
    """Send what is new; returns until when that is."""
    if until <= since:
        return since
    until = min(until, since + MOST_SECONDS)
    heard = call.between(since, until) if softphone.is_heard else None
    if heard is not None and len(heard.samples):
        sides = {name: b64encode(g711.encode(side)).decode() for name, side in (("caller", heard.caller), ("agent", heard.agent))}
        softphone.play(json.dumps({"event": "listen", **sides}))
    return until
