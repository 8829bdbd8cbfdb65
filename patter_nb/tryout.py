"""Tries what an agent is told, without a call: a tool as a model would ask for it, a guardrail's check as a reply would."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from patter_nb.agent import Agent
from patter_nb.callbacks import CallControl
from patter_nb.guardrails import Guardrail
from patter_nb.notebook.studio.ports import BuiltIn, Tried
from patter_nb.session.boundary import guard
from patter_nb.session.hooks import HOOK_SECONDS
from patter_nb.session.toolbox import BUILT_IN, Toolbox
from patter_nb.session.user_code import UserCode
from patter_nb.turns.commands import RunTool
from patter_nb.turns.events import (
    DtmfRequested,
    Event,
    HangUpRequested,
    InjectRequested,
    SayRequested,
    ToolReturned,
    TransferRequested,
)

CALL_ID = "tried"
"""What a tool that is tried is told its call is."""

ORDERS: dict[type, str] = {
    HangUpRequested: "hangs up",
    TransferRequested: "transfers the call",
    SayRequested: "says something",
    InjectRequested: "tells the model something",
    DtmfRequested: "presses keys",
}
"""What there is no call for, in the words of a report."""


def built_in() -> tuple[BuiltIn, ...]:
    """The tools that every agent has."""
    return tuple(BuiltIn(spec.name, spec.description, spec.parameters) for spec in BUILT_IN)


class _NoCall:
    """What a tool's control controls when there is no call: it writes down what was ordered."""

    is_transferred = is_transferring = is_hung_up = ended = False

    def __init__(self, said: list[str]) -> None:
        self._said = said

    def post(self, event: Event) -> bool:
        self.write_down(event)
        return True

    def write_down(self, event: Event) -> None:
        self._said.append(f"in a call, this {ORDERS.get(type(event), 'orders something of it')}")


async def try_tool(agent: Agent, name: str, arguments: str) -> Tried:
    """Run a tool of the agent once, with its checks, its deadline and its attempts; `arguments`: JSON, as a model writes it."""
    said, failed = list[str](), list[str]()
    no_call = _NoCall(said)
    toolbox = Toolbox(
        CallControl(CALL_ID, "", "", "none", no_call),
        UserCode(asyncio.get_running_loop()),
        more=lambda: (),
        post=no_call.write_down,
        progress=lambda _id, _name, text: said.append(text),
    )
    started = time.perf_counter()
    returned: ToolReturned | None = None
    with guard(failed.append, who=name):  # as in a call: the user's objects may raise when they are looked at
        returned = await toolbox.run(agent, RunTool(1, CALL_ID, name, arguments))
    ms = (time.perf_counter() - started) * 1000
    if returned is None:
        return Tried(None, failed[0], ms, progress=tuple(said))
    return Tried(returned.result, returned.error, ms, returned.attempts, tuple(said))


async def try_check(rail: Guardrail, text: str) -> Tried:
    """Ask the check of a guardrail, with the deadline it has in a call."""
    user_code, started = UserCode(asyncio.get_running_loop()), time.perf_counter()
    check: Any = rail.check
    name = f"guardrail {rail.name}"
    outcome = await user_code.call(check, text, deadline_seconds=HOOK_SECONDS, quick=True, name=name, read=bool)
    ms = (time.perf_counter() - started) * 1000
    blocks = outcome.value or (outcome.error is not None and rail.fail_closed)
    return Tried("blocked" if blocks else "passes", outcome.error, ms)
