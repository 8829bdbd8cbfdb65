"""A model that answers what it is told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import KW_ONLY, dataclass, field

from patter_nb.errors import ConfigTypeError, ProviderError
from patter_nb.providers.base import CallContext, LLMEvent, TextDelta, ToolSpec
from patter_nb.providers.scripted import settings
from patter_nb.turns.messages import Message, ToolRequest
from patter_nb.turns.usage import Price, Usage

Reply = str | Sequence[TextDelta | ToolRequest]
"""What a scripted model answers: a text, or its pieces of text and requests for tools one by one."""


@dataclass(eq=False, repr=False)
class ScriptedLLM:
    """Answers with its replies in their order, or with what a function of the messages returns.

    A string comes word by word; a list comes as it is, with its requests for tools. Each request takes one reply, also the one
    that follows a tool's result and the one that is cancelled. Tokens are counted as words: those of the messages, and the pieces
    of the answer; usage comes at the end of an answer that is read to its end.
    """

    replies: Sequence[Reply] | Callable[[Sequence[Message]], Reply]
    _: KW_ONLY
    first_token_seconds: float = 0.2
    """From the request to the first word."""
    token_seconds: float = 0.01
    """From one word to the next."""
    fails_at: int | None = None
    """The request, counted from 0, that ends in a `ProviderError`."""
    fails_after_tokens: int = 0
    """How many words of that answer come before it fails."""
    never_answers_at: int | None = None
    """The request, counted from 0, that is never answered and never fails."""
    provider: str = "scripted"
    model: str = "replies"
    price: Price | None = None
    virtual_time: bool = field(default=True, init=False)
    phone_preamble: bool = field(default=False, init=False)
    """It is no language model, and is not told how to speak on a telephone."""

    def __post_init__(self) -> None:
        if not callable(self.replies):
            if not isinstance(self.replies, list | tuple):
                raise ConfigTypeError(f"replies is {self.replies!r}; it must be a list of replies or a function of the messages.")
            self.replies = tuple(reply if isinstance(reply, str) else tuple(reply) for reply in self.replies)
        settings.names_and_price(self)
        settings.seconds("first_token_seconds", self.first_token_seconds)
        settings.seconds("token_seconds", self.token_seconds)
        for name in ("fails_at", "fails_after_tokens", "never_answers_at"):
            settings.index(name, getattr(self, name))

    def ready(self) -> None:
        """Always ready."""

    @asynccontextmanager
    async def open(self, call: CallContext) -> AsyncIterator[_Model]:  # noqa: ARG002 (the protocol's)
        """Answer in a call, from the first reply on."""
        yield _Model(self)

    def __repr__(self) -> str:
        return settings.written(self)


class _Model:
    """One call's share of a `ScriptedLLM`."""

    def __init__(self, script: ScriptedLLM) -> None:
        self._script = script
        self._requests = 0

    def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> AsyncIterator[LLMEvent]:  # noqa: ARG002
        number = self._requests
        self._requests += 1
        return self._answer(number, messages)

    async def _answer(self, number: int, messages: Sequence[Message]) -> AsyncIterator[LLMEvent]:
        script = self._script
        if number == script.never_answers_at:
            await asyncio.get_running_loop().create_future()
        wait = settings.Pace(script.first_token_seconds, script.token_seconds)
        said = 0
        for piece in self._pieces(number, messages):
            await wait.next()
            if number == script.fails_at and said == script.fails_after_tokens:
                break
            said += 1
            yield piece
        if number == script.fails_at:
            raise ProviderError(f"{script.provider} failed at request {number}, as it was told to.", provider=script.provider)
        asked = sum(len(message.content.split()) for message in messages)
        yield Usage("llm", script.provider, script.model, input_tokens=asked, output_tokens=said)

    def _pieces(self, number: int, messages: Sequence[Message]) -> list[TextDelta | ToolRequest]:
        script = self._script
        if callable(script.replies):
            reply = script.replies(messages)
        elif number < len(script.replies):
            reply = script.replies[number]
        else:
            message = f"{script.provider} has no reply to request {number}: it was given {len(script.replies)}. Give it more."
            raise ProviderError(message, provider=script.provider)
        return [TextDelta(word) for word in re.findall(r"\S+\s*|\s+", reply)] if isinstance(reply, str) else list(reply)
