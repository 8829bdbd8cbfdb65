"""A language model of your own: an async generator of its text, or any function that returns it."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import KW_ONLY, dataclass, field
from types import TracebackType
from typing import Any

from patter_nb.clock import at_real_pace
from patter_nb.errors import ConfigError, ConfigTypeError, ProviderError, scrub, text_of
from patter_nb.providers.base import CallContext, LLMEvent, TextDelta, ToolSpec, closing
from patter_nb.turns.messages import Message, ToolRequest
from patter_nb.turns.usage import Price, Usage

TAKES = "it must take (messages) or (messages, tools)"
GIVES = "it gives strings, TextDelta, ToolRequest or Usage"


@dataclass(eq=False)
class CustomLLM:
    """Answers with what `generate` gives: an async generator of `(messages)` or `(messages, tools)`, or any function of these
    that returns a text.

    `messages` are dictionaries in OpenAI's shape, the system prompt first; `tools` likewise. It yields strings, and may yield
    `TextDelta`, `ToolRequest` and `Usage` as well. A sync function or generator runs in a thread, everything else on the call's
    loop. What it raises is a `ProviderError` of this name.

    No usage is made up: without a `Usage` the cost of a turn is NaN, unless `price` is a price of nothing (`Price()`). A `Usage`
    is counted under the names it bears, so that of another provider's model has that model's price; `price` is for usage that
    bears `name` and `model`.
    """

    generate: Callable[..., Any]
    _: KW_ONLY
    name: str = "custom"
    model: str = "custom"
    price: Price | None = None
    virtual_time: bool = False
    """True when it waits with the loop's clock only, so that `speed="max"` may hurry it."""
    provider: str = field(init=False)

    def __post_init__(self) -> None:
        if not callable(self.generate) or isinstance(self.generate, type):
            raise ConfigTypeError(f"generate is {self.generate!r}; it must be a function of the messages.")
        for name in ("name", "model"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                raise ConfigTypeError(
                    f"{name} of a custom model is {value!r}; it must be a name, as prices and rows shall know it."
                )
        if not isinstance(self.price, Price | None):
            raise ConfigTypeError(f"price is {self.price!r}; it must be a Price(...), or None where none is known.")
        if not isinstance(self.virtual_time, bool):
            raise ConfigTypeError(f"virtual_time is {self.virtual_time!r}; it must be True or False.")
        self.provider = self.name
        self._takes_tools = _takes_tools(self.generate)

    def ready(self) -> None:
        """There is nothing to open."""

    @asynccontextmanager
    async def open(self, call: CallContext) -> AsyncIterator[CustomLLM]:  # noqa: ARG002 (the protocol's)
        """Nothing belongs to one call."""
        yield self

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> AsyncIterator[LLMEvent]:
        """One answer. Closing it closes the generator; a thread ends at its next piece."""
        plain = [each.plain() for each in messages]
        arguments = (plain, [each.plain() for each in tools]) if self._takes_tools else (plain,)
        with _Blame(self.name):
            async with closing(_pieces(self.name, self.generate, arguments)) as pieces:
                async for piece in pieces:
                    if piece != "":
                        yield self._event(piece)

    def _event(self, piece: object) -> LLMEvent:
        if isinstance(piece, str):
            return TextDelta(piece)
        if isinstance(piece, Usage) and piece.service != "llm":
            raise ProviderError(f'{self.name} gave a Usage of "{piece.service}"; its service is "llm".', provider=self.name)
        if isinstance(piece, TextDelta | ToolRequest | Usage):
            return piece
        raise ProviderError(f"{self.name} gave {type(piece).__name__}; {GIVES}.", provider=self.name)


class _Blame:
    """What is raised in the block is raised on as a `ProviderError`. Cancellation and Ctrl-C pass through.

    The function is the user's and may raise anything, such as the errors of a vendor's SDK. To whoever asks a model they all mean
    the same: it failed, and another one may be asked. So does `exit()`, which ends no call.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, Exception | SystemExit) and not isinstance(error, ProviderError):
            raise _failure(self._name, error) from error


def _failure(name: str, error: BaseException) -> ProviderError:
    if isinstance(error, ProviderError):
        return error
    told = scrub(f"{name} raised {type(error).__name__}: {text_of(error)}".removesuffix(": "))
    return ProviderError(told, provider=name, retryable=isinstance(error, OSError))


async def _pieces(name: str, generate: Callable[..., Any], arguments: tuple[Any, ...]) -> AsyncIterator[Any]:
    """What the function yields, one by one, or what it returns, once."""
    if not _is_async(generate):
        async with closing(_in_thread(name, generate, arguments)) as pieces:
            async for piece in pieces:
                async with closing(_unfolded(piece)) as parts:
                    async for part in parts:
                        yield part
        return
    async with closing(_unfolded(generate(*arguments))) as parts:
        async for part in parts:
            yield part


async def _unfolded(given: Any) -> AsyncIterator[Any]:
    """A coroutine's result, an async iterator's pieces, or the value itself."""
    if inspect.isawaitable(given):
        given = await given
    if not hasattr(given, "__aiter__"):
        yield given
        return
    async with closing(aiter(given)) as pieces:
        async for piece in pieces:
            yield piece


async def _in_thread(name: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> AsyncIterator[Any]:
    """What a sync function returns, or its generator yields, run in a thread of its own that lets the process end."""
    loop, context = asyncio.get_running_loop(), contextvars.copy_context()
    came: asyncio.Queue[tuple[Any, ...] | ProviderError | None] = asyncio.Queue()
    unwanted = threading.Event()

    def tell(item: tuple[Any, ...] | ProviderError | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(came.put_nowait, item)

    def work() -> None:
        with _Told(tell, name):
            given = function(*arguments)
            if not inspect.isgenerator(given):
                tell((given,))
                return
            for piece in given:
                if unwanted.is_set():
                    given.close()
                    return
                tell((piece,))

    threading.Thread(target=context.run, args=(work,), name="custom language model", daemon=True).start()
    try:
        while True:
            with at_real_pace():  # virtual time knows nothing of other threads
                item = await came.get()
            if item is None:
                return
            if isinstance(item, ProviderError):
                raise item
            yield item[0]
    finally:
        unwanted.set()


class _Told:
    """Hands what is raised in the block to `tell`, or None when nothing is: an error crosses from its thread as a value.

    All of it, also `KeyboardInterrupt`: Ctrl-C never reaches a thread, so here it is one more thing that the function raised.
    """

    def __init__(self, tell: Callable[[ProviderError | None], None], name: str) -> None:
        self._tell = tell
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        failure = None if error is None else _failure(self._name, error)
        if failure is not None and failure is not error:
            failure.__cause__ = error
        self._tell(failure)
        return True


def _is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it runs none of it; an object is asked for its `__call__`."""
    while isinstance(function, functools.partial):
        function = function.func
    calls = (function, getattr(function, "__call__", None))  # noqa: B004 (its kind is asked for)
    return any(inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each) for each in calls)


def _takes_tools(function: Callable[..., Any]) -> bool:
    """Whether the second argument is the tools: it has to be given, or is called so. `ConfigError` for other signatures."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a builtin that does not tell
        return False
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    places = [each for each in signature.parameters.values() if each.kind in kinds]
    takes = len(places) > 1 and (places[1].default is inspect.Parameter.empty or places[1].name == "tools")
    try:
        signature.bind(*([], []) if takes else ([],))
    except TypeError:
        name = getattr(function, "__qualname__", type(function).__name__)
        raise ConfigError(f"generate is {name}{signature}; {TAKES}.") from None
    return takes
