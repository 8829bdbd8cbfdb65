"""`on_message` in the place of a language model: a function of the user's, or somebody who is asked over the network."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from patter_nb.callbacks import Callback, CallControl, Remote
from patter_nb.clock import at_real_pace
from patter_nb.errors import ProviderError
from patter_nb.providers.base import CallContext, LLMEvent, TextDelta, ToolSpec, closing
from patter_nb.session.dialogue import to_dicts
from patter_nb.session.user_code import UserCode
from patter_nb.turns.messages import Message
from patter_nb.turns.usage import Price

ANSWER_SECONDS = 30.0
"""How long a function may take for its answer, or for the next piece of it."""

CONTROL_NAMES = ("control", "call_control")


@dataclass(eq=False)
class Messenger:
    """Answers each turn of the caller with what `on_message` returns. It costs a known nothing."""

    on_message: Callback | Remote
    control: CallControl
    user_code: UserCode
    provider: str = "on_message"
    model: str = ""
    virtual_time: bool = True
    price: Price | None = field(default_factory=Price)

    def ready(self) -> None:
        """There is nothing to open."""

    @asynccontextmanager
    async def open(self, call: CallContext) -> AsyncIterator[Messenger]:  # noqa: ARG002 (it is made for one call)
        yield self

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> AsyncIterator[LLMEvent]:  # noqa: ARG002
        """The answer to the caller's last words, in pieces."""
        said = [message for message in messages if message.role != "system"]
        text = next((message.content for message in reversed(said) if message.role == "user"), "")
        numbers = {"caller": self.control.caller, "callee": self.control.callee}
        payload = {"text": text, "call_id": self.control.call_id, **numbers, "history": to_dicts(said)}
        if isinstance(self.on_message, Remote):
            async with closing(aiter(self.on_message.replies(payload))) as pieces:
                while (piece := await _next(pieces)) is not None:
                    yield TextDelta(piece)
            return
        function, *arguments = self._called_with(payload)
        async for given in self.user_code.pieces(function, arguments, deadline_seconds=ANSWER_SECONDS, name="on_message"):
            if given.error is not None:
                raise ProviderError(given.error, provider=self.provider)
            if not isinstance(given.value, str):
                what = f"on_message gave {type(given.value).__name__}"
                raise ProviderError(f"{what}; it gives a string, or an async generator of strings.", provider=self.provider)
            yield TextDelta(given.value)

    def _called_with(self, payload: dict[str, Any]) -> tuple[Any, ...]:
        """`on_message` and its arguments."""
        assert callable(self.on_message)
        place = _place_of_control(self.on_message)
        if place is None:
            return self.on_message, payload
        if place.kind is place.KEYWORD_ONLY:
            return partial(self.on_message, **{place.name: self.control}), payload
        return self.on_message, payload, self.control


async def _next(pieces: AsyncIterator[str]) -> str | None:
    """The next piece; None after the last one."""
    with at_real_pace():  # virtual time knows nothing of the network
        return await anext(pieces, None)


def _place_of_control(function: Callable[..., Any]) -> inspect.Parameter | None:
    """The parameter that takes the call's control: the second, where it must be given or is named so, or a later one that goes
    by such a name. A second one with another default stays."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a builtin without a signature
        return None
    by_place = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    by_name = [each for each in parameters if each.kind is each.KEYWORD_ONLY and each.name in CONTROL_NAMES]
    second = [each for each in by_place[1:2] if each.default is each.empty or each.name in CONTROL_NAMES]
    return next(iter([*second, *by_name]), None)
