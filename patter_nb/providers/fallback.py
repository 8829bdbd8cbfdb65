"""Several language models in the place of one: the next answers when one cannot."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import KW_ONLY, dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from patter_nb.errors import ConfigError, ConfigTypeError, PatterError, ProviderError
from patter_nb.providers.base import CLOSING_SECONDS, LLM, CallContext, LLMEvent, LLMStream, ToolSpec, closing
from patter_nb.turns.messages import Message
from patter_nb.turns.usage import Price

FAILURES = (PatterError, OSError, TimeoutError, EOFError, ValueError, RuntimeError)
"""What a model that cannot answer may raise. Anything else is a mistake in its code, and is told as one."""


@dataclass(eq=False)
class FallbackLLM:
    """Asks `llms` in their order until one begins to answer.

    Another one is asked only before anything of an answer came: what the caller has begun to hear is not begun again. A model
    that failed is left out for `retry_after_seconds`, in every call, unless none is left. `first_token_seconds`: a model that has
    brought nothing by then has failed (None: only the session's own patience counts). Usage is reported under the model that
    answered, with its price.
    """

    llms: Sequence[LLM]
    _: KW_ONLY
    retry_after_seconds: float = 30.0
    first_token_seconds: float | None = None
    provider: str = field(default="fallback", init=False)
    model: str = field(init=False)
    virtual_time: bool = field(init=False)
    price: Price | None = field(init=False)
    """Known when all of them cost nothing: then so does a request that was cancelled, whichever of them it went to."""

    def __post_init__(self) -> None:
        self.llms = _checked(self.llms)
        _check_seconds("retry_after_seconds", self.retry_after_seconds)
        if self.first_token_seconds is not None:
            _check_seconds("first_token_seconds", self.first_token_seconds, above_zero=True)
        self.model = ", ".join(each.model for each in self.llms)
        self.virtual_time = all(each.virtual_time for each in self.llms)
        self.price = Price() if all(each.price == Price() for each in self.members) else None
        self._failed_at: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, float]] = WeakKeyDictionary()

    @property
    def members(self) -> tuple[LLM, ...]:
        """The models that stand behind it, also behind another `FallbackLLM` among them: their prices count."""
        return tuple(member for each in self.llms for member in getattr(each, "members", (each,)))

    @property
    def languages(self) -> tuple[str, ...] | None:
        """What all of them know; None: any."""
        known = [tuple(found) for each in self.llms if (found := getattr(each, "languages", None)) is not None]
        return tuple(tag for tag in known[0] if all(tag in each for each in known)) if known else None

    @property
    def phone_preamble(self) -> bool:
        """Whether any of them is told how to speak on a telephone; it is told to all of them then."""
        return any(getattr(each, "phone_preamble", True) for each in self.llms)

    def ready(self) -> None:
        """Get all of them ready: one that is wanted only later must not turn out to lack its key then."""
        for each in self.llms:
            each.ready()

    @asynccontextmanager
    async def open(self, call: CallContext) -> AsyncIterator[_Stream]:
        """Open all of them, each in its own time: nobody waits for one that is not asked."""
        # Per loop, since loops of virtual time have clocks of their own.
        failed_at = self._failed_at.setdefault(asyncio.get_running_loop(), {})
        members = [_Member(each, call) for each in self.llms]
        try:
            yield _Stream(self, members, failed_at)
        finally:
            closed = await asyncio.gather(*(each.close(CLOSING_SECONDS / 2) for each in members), return_exceptions=True)
            for error in filter(None, closed):
                raise error


class _Member:
    """A model open for one call.

    It is opened and closed in a task of its own, so that it can be opened again in the middle of a reply, whatever it is made of.
    """

    def __init__(self, llm: LLM, call: CallContext) -> None:
        self.llm = llm
        self._call = call
        self._over = asyncio.Event()
        self.begin()

    def begin(self) -> None:
        self._stream: asyncio.Future[LLMStream] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._hold(self._stream), name=f"hold {self.llm.provider}")

    async def stream(self) -> LLMStream:
        """The open stream; raises what opening raised. What could not be opened is opened anew."""
        if self._task.done():
            self._task.exception()  # it was not asked for then
            self.begin()
        opening: set[asyncio.Future[Any]] = {self._task, self._stream}
        await asyncio.wait(opening, return_when=asyncio.FIRST_COMPLETED)
        if not self._stream.done():
            await self._task  # raises
        return self._stream.result()

    async def close(self, seconds: float) -> None:
        """Close what was opened; raises what closing raises. What is being opened is given up."""
        self._over.set()
        if not self._stream.done():
            self._task.cancel()
        _, late = await asyncio.wait({self._task}, timeout=seconds)
        if late:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=seconds)
        if self._task.done() and not self._task.cancelled():
            error = self._task.exception()
            if error is not None and self._stream.done():
                raise error

    async def _hold(self, stream: asyncio.Future[LLMStream]) -> None:
        with _exits_fail(self.llm):
            async with self.llm.open(self._call) as opened:
                stream.set_result(opened)
                await self._over.wait()


class _Stream:
    """One call's share of a `FallbackLLM`. `failed_at`: when a model failed, by its place."""

    def __init__(self, settings: FallbackLLM, members: Sequence[_Member], failed_at: dict[int, float]) -> None:
        self._settings = settings
        self._members = members
        self._failed_at = failed_at

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> AsyncIterator[LLMEvent]:
        reasons: list[str] = []
        for place in self._order():
            member = self._members[place]
            async with closing(_answer(member, messages, tools)) as events:
                try:
                    first = await self._first(events)
                except FAILURES as error:
                    self._failed(place)
                    reasons.append(f"{member.llm.provider}: {str(error) or type(error).__name__}")
                    continue
                if first is not None:
                    yield first
                try:
                    async for event in events:
                        yield event
                except FAILURES:
                    self._failed(place)
                    raise
                self._failed_at.pop(place, None)
                return
        raise ProviderError(
            f"No language model answered ({'; '.join(reasons)}).", provider=self._settings.provider, retryable=True
        )

    async def _first(self, events: AsyncIterator[LLMEvent]) -> LLMEvent | None:
        """The first event of an answer; None of an empty one."""
        try:
            async with asyncio.timeout(self._settings.first_token_seconds) as deadline:
                return await anext(events, None)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise TimeoutError(f"nothing came within {self._settings.first_token_seconds:g} s") from None

    def _failed(self, place: int) -> None:
        self._failed_at[place] = asyncio.get_running_loop().time()

    def _order(self) -> list[int]:
        """Those that may answer now; all of them when every one has failed lately."""
        since = asyncio.get_running_loop().time() - self._settings.retry_after_seconds
        places = range(len(self._members))
        return [place for place in places if self._failed_at.get(place, -math.inf) <= since] or list(places)


async def _answer(member: _Member, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> AsyncIterator[LLMEvent]:
    stream = await member.stream()
    with _exits_fail(member.llm):
        async with closing(stream.reply(messages, tools)) as events:
            async for event in events:
                yield event


@contextmanager
def _exits_fail(llm: LLM) -> Iterator[None]:
    """`exit()` in a model's code is that model's failure: out of a task it would end the loop, and with it every call."""
    try:
        yield
    except SystemExit as error:
        told = f"{llm.provider} raised SystemExit: {error}".removesuffix(": ")
        raise ProviderError(told, provider=llm.provider) from error


def _checked(llms: object) -> tuple[LLM, ...]:
    if not isinstance(llms, list | tuple):
        raise ConfigTypeError(f"llms of a FallbackLLM is {type(llms).__name__}; it must be a list of language models.")
    if not llms:
        raise ConfigError("llms of a FallbackLLM is empty; give it at least one language model.")
    for each in llms:
        if isinstance(each, type) or not isinstance(each, LLM):
            raise ConfigTypeError(f"llms of a FallbackLLM holds {each!r}; it takes language models.")
    return tuple(llms)


def _check_seconds(name: str, value: object, *, above_zero: bool = False) -> None:
    bound = "above 0" if above_zero else "0 or more"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigTypeError(f"{name} of a FallbackLLM is {value!r}; it must be a number of seconds, {bound}.")
    if not math.isfinite(value) or value < 0 or (above_zero and value == 0):
        raise ConfigError(f"{name} of a FallbackLLM is {value!r}; it must be {bound}.")
