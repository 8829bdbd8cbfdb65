"""Several language models in the place of one: the next answers when one cannot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import KW_ONLY, dataclass, field

from patter_nb.errors import ConfigError, ConfigTypeError, PatterError, ProviderError
from patter_nb.providers.base import LLM, CallContext, LLMEvent, LLMStream, ToolSpec, closing
from patter_nb.turns.messages import Message
from patter_nb.turns.usage import Price

FAILURES = (PatterError, OSError, TimeoutError, EOFError, ValueError, RuntimeError)
"""What a model that cannot answer may raise. Anything else is a mistake in its code, and is told as one."""


@dataclass(frozen=True)
class FallbackLLM:
    """Asks `llms` in their order until one begins to answer.

    Another one is asked only before anything of an answer came: what the caller has begun to hear is not begun again. A model
    that failed is left out for `retry_after_seconds`, unless none is left. `first_token_seconds`: a model that has brought
    nothing by then has failed (None: the session's own patience counts). Usage is reported under the model that answered, with
    its price.
    """

    llms: Sequence[LLM]
    _: KW_ONLY
    retry_after_seconds: float = 30.0
    first_token_seconds: float | None = None

    provider: str = field(default="fallback", init=False)
    price: Price | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.llms, list | tuple) or not self.llms:
            raise ConfigError("llms of a FallbackLLM is empty or no list; give it at least one language model.")
        for each in self.llms:
            if isinstance(each, type) or not isinstance(each, LLM):
                raise ConfigTypeError(f"llms of a FallbackLLM holds {each!r}; it takes language models.")
        object.__setattr__(self, "llms", tuple(self.llms))
        for name in ("retry_after_seconds", "first_token_seconds"):
            seconds = getattr(self, name)
            if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0):
                raise ConfigError(f"{name} of a FallbackLLM is {seconds!r}; it must be a number of seconds, 0 or more.")

    @property
    def members(self) -> tuple[LLM, ...]:
        """The models that stand behind it: their prices count."""
        return tuple(self.llms)

    @property
    def model(self) -> str:
        return ", ".join(each.model or each.provider for each in self.llms)

    @property
    def virtual_time(self) -> bool:
        return all(each.virtual_time for each in self.llms)

    @property
    def phone_preamble(self) -> bool:
        """Whether any of them is told how to speak on a telephone; it is told to all of them then."""
        return any(getattr(each, "phone_preamble", True) for each in self.llms)

    def ready(self) -> None:
        for each in self.llms:
            each.ready()

    @asynccontextmanager
    async def open(self, call: CallContext) -> AsyncIterator[_Stream]:
        """Open those that can be opened. `ProviderError` when none can."""
        async with AsyncExitStack() as opened:
            members: list[_Member] = []
            reasons: list[str] = []
            for each in self.llms:
                try:
                    members.append(_Member(each, await opened.enter_async_context(each.open(call))))
                except FAILURES as error:
                    reasons.append(f"{each.provider}: {error}")
            if not members:
                raise ProviderError(f"No language model can be opened ({'; '.join(reasons)}).", provider=self.provider)
            yield _Stream(self, members)


@dataclass
class _Member:
    llm: LLM
    stream: LLMStream
    failed_at: float | None = None


class _Stream:
    """One call's share of a `FallbackLLM`."""

    def __init__(self, settings: FallbackLLM, members: Sequence[_Member]) -> None:
        self._settings = settings
        self._members = members

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> AsyncIterator[LLMEvent]:
        reasons: list[str] = []
        for member in self._order():
            answer = member.stream.reply(messages, tools)
            async with closing(answer) as events:
                try:
                    first = await self._first(events)
                except FAILURES as error:
                    member.failed_at = asyncio.get_running_loop().time()
                    reasons.append(f"{member.llm.provider}: {str(error) or type(error).__name__}")
                    continue
                member.failed_at = None
                if first is not None:
                    yield first
                    async for event in events:
                        yield event
                return
        raise ProviderError(f"No language model answered ({'; '.join(reasons)}).", provider=self._settings.provider)

    async def _first(self, events: AsyncIterator[LLMEvent]) -> LLMEvent | None:
        """The first event of an answer; None of an empty one."""
        try:
            async with asyncio.timeout(self._settings.first_token_seconds) as deadline:
                return await anext(events, None)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise TimeoutError(f"nothing came within {self._settings.first_token_seconds:g} s") from None

    def _order(self) -> list[_Member]:
        """Those that may answer now; all of them when every one has failed lately."""
        since = asyncio.get_running_loop().time() - self._settings.retry_after_seconds
        rested = [member for member in self._members if member.failed_at is None or member.failed_at <= since]
        return rested or list(self._members)
