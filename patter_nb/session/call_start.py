"""Before anything of a call is made: `on_call_start` is told of it, and may change its agent for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from patter_nb.errors import ConfigTypeError
from patter_nb.session.boundary import guard
from patter_nb.session.notices import CALLBACK_SECONDS
from patter_nb.session.setup import CallTerms

WANTED = "a dictionary of fields of the agent by their names, or None"


async def start_call(terms: CallTerms) -> None:
    """Tell of the call, and settle which revision it begins with: `terms.live.current`.

    What is wrong with what `on_call_start` did or returned is an event of the call, which begins as if it had returned nothing.
    """
    start: dict[str, Any] = {
        "call_id": terms.call_id,
        "caller": terms.caller,
        "callee": terms.callee,
        "direction": terms.direction,
        "telephony_provider": terms.carrier,
        "custom_params": dict(terms.parameters),
    }
    if terms.notices is not None:
        terms.notices.tell("call_started", 0.0, start)
    error = await _ask(terms, start)
    if error is not None:
        terms.log.event(terms.call_id, 0.0, "callback_failed", {"callback": "on_call_start", "error": error})
    terms.live.begin()


async def _ask(terms: CallTerms, start: dict[str, Any]) -> str | None:
    """Let `on_call_start` change the agent; why that could not be done, in one sentence."""
    function = terms.callbacks.on_call_start
    if function is None:
        return None
    outcome = await terms.user_code.call(function, start, deadline_seconds=CALLBACK_SECONDS, name="on_call_start")
    changes = outcome.value
    if outcome.error is not None or changes is None:
        return outcome.error
    told: list[str] = []
    with guard(told.append, who="it"):  # its parts are the user's as well
        if not isinstance(changes, Mapping) or not all(isinstance(name, str) for name in changes):
            raise ConfigTypeError(f"it is {type(changes).__name__}, and must be {WANTED}.")
        if changes:
            terms.live.begin_with(dict(changes), "on_call_start")
    return f"on_call_start returned what cannot be used: {told[0]}" if told else None
