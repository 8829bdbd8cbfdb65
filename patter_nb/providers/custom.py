"""A language model of your own: an async generator of its text, or any function that returns it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import KW_ONLY, dataclass
from typing import Any

from patter_nb.errors import ConfigError, ConfigTypeError, ProviderError
from patter_nb.providers.base import CallContext, LLMEvent, TextDelta, ToolSpec, closing
from patter_nb.turns.messages import Message, ToolRequest
from patter_nb.turns.usage import Price, Usage


@dataclass(frozen=True)
class CustomLLM:
    """Answers with what `generate` gives: an async generator of `(messages)` or `(messages, tools)`, or a function that returns
    a text.

    `messages` are dictionaries in OpenAI's shape, the system prompt first; `tools` likewise. It yields strings, and may yield
    `TextDelta`, `ToolRequest` and `Usage` as well. A sync function runs in a thread, everything else on the call's loop. What it
    does not report is not known: without a `Usage` the cost of a turn is NaN unless `price` is a price of nothing.
    """

    generate: Callable[..., Any]
    _: KW_ONLY
    name: str = "custom"
    model: str = "custom"
    price: Price | None = None
    virtual_time: bool = False
    """True when it waits with the loop's clock only, so that `speed="max"` may hurry it."""

    def __post_init__(self) -> None:
        if not callable(self.generate) or isinstance(self.generate, type):
            raise ConfigTypeError(f"generate is {self.generate!r}; it must be a function of the messages.")
        if self._places() not in (1, 2):
            raise ConfigError(f"generate takes {self._places()} arguments; it must take (messages) or (messages, tools).")
        if not self.name:
            raise ConfigError("name of a custom model is empty; give it one, under which its price can be found.")

    @property
    def provider(self) -> str:
        return self.name

    def ready(self) -> None:
        """There is nothing to open."""

    @asynccontextmanager
    async def open(self, call: CallContext) -> AsyncIterator[CustomLLM]:  # noqa: ARG002 (the protocol's)
        yield self

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> AsyncIterator[LLMEvent]:
        """One answer. Closing it closes the generator."""
        arguments = ([each.plain() for each in messages], [each.plain() for each in tools])[: self._places()]
        if inspect.iscoroutinefunction(self.generate) or _generates(self.generate):
            given = self.generate(*arguments)
        else:
            given = await asyncio.to_thread(self.generate, *arguments)
        if inspect.isawaitable(given):
            given = await given
        if hasattr(given, "__aiter__"):
            async with closing(aiter(given)) as pieces:
                async for piece in pieces:
                    yield self._event(piece)
        else:
            yield self._event(given)

    def _event(self, piece: Any) -> LLMEvent:
        if isinstance(piece, str):
            return TextDelta(piece)
        if isinstance(piece, TextDelta | ToolRequest | Usage):
            return piece
        told = f"{self.name} gave {type(piece).__name__}; it gives strings, TextDelta, ToolRequest or Usage."
        raise ProviderError(told, provider=self.provider)

    def _places(self) -> int:
        try:
            taken = inspect.signature(self.generate).parameters.values()
        except (TypeError, ValueError):  # a builtin that does not tell
            return 1
        return sum(each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD) for each in taken)


def _generates(function: Callable[..., Any]) -> bool:
    return inspect.isasyncgenfunction(function) or inspect.isasyncgenfunction(getattr(function, "__call__", None))  # noqa: B004
