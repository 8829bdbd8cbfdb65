"""What the conformance checks share: rules held against a provider one by one, each bounded, on a loop of their own."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from types import UnionType
from typing import Any

from patter_nb.audio.formats import AudioFormat
from patter_nb.clock import VirtualTimeLoop, at_real_pace
from patter_nb.errors import ProviderError
from patter_nb.providers.base import CallContext
from patter_nb.turns.usage import Price, Usage

STOP_SECONDS = 1.0
"""How long closing an iterator may take, and how long a task may outlive what it worked for."""


class ConformanceError(AssertionError):
    """A provider broke a rule of its protocol; the message says which."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done to a provider, in words that can begin a sentence, and the coroutine function that does it."""

    doing: str
    hold: Callable[[], Coroutine[Any, Any, None]]


def require(holds: bool, sentence: str) -> None:
    if not holds:
        raise ConformanceError(sentence)


def kind(value: object) -> str:
    """The name of a value's class; a coroutine, which nobody will await, is closed."""
    if inspect.iscoroutine(value):
        value.close()
    return type(value).__name__


def call_context() -> CallContext:
    return CallContext("conformance-check")


def require_members(provider: Any, protocol: type) -> None:
    """It is an instance with everything its protocol names, each of the right kind; and it gets ready."""
    require(not isinstance(provider, type), f"{provider!r} is a class; give an instance of it.")
    name = type(provider).__name__
    wanted = [*inspect.get_annotations(protocol), "ready", "open"]
    missing = [member for member in wanted if not hasattr(provider, member)]
    require(not missing, f"{name} lacks {', '.join(missing)}; see patter_nb.providers.base.{protocol.__name__}.")
    for member in ("ready", "open"):
        require(callable(getattr(provider, member)), f"{name}.{member} is no method.")
    for member in {"provider", "model", "voice"}.intersection(wanted):
        value = getattr(provider, member)
        require(isinstance(value, str) and bool(value), f"{name}.{member} is {value!r}; it must be a name that is not empty.")
    _require_settings(provider, name)
    require(kind(provider.ready()) == "NoneType", f"{name}.ready() returned something; it returns None or raises ConfigError.")


def _require_settings(provider: Any, name: str) -> None:
    virtual, price = provider.virtual_time, provider.price
    require(isinstance(virtual, bool), f"{name}.virtual_time is {virtual!r}; it must be True or False.")
    require(isinstance(price, Price | None), f"{name}.price is {price!r}; it must be a Price, or None where none is known.")
    ends = getattr(provider, "ends_turns", "session")
    require(ends in ("session", "provider"), f'{name}.ends_turns is {ends!r}; it must be "session" or "provider".')
    if hasattr(provider, "formats"):
        formats = provider.formats
        fits = isinstance(formats, tuple) and formats and all(isinstance(item, AudioFormat) for item in formats)
        require(bool(fits), f"{name}.formats is {formats!r}; it must be a tuple of at least one AudioFormat, best first.")


def require_usage(provider: Any, service: str, usages: Sequence[Usage], doing: str) -> Usage:
    """Exactly one usage, of this service, under the provider's own names, with nothing negative in it."""
    require(len(usages) == 1, f"{doing} reported its usage {len(usages)} times; each request yields one Usage.")
    require_names(provider, service, usages[0], doing)
    return usages[0]


def require_names(provider: Any, service: str, usage: Usage, doing: str) -> None:
    given = (usage.service, usage.provider, usage.model)
    own = [(service, each.provider, each.model) for each in (provider, *getattr(provider, "members", ()))]
    shown = " or ".join(map(str, own))
    require(given in own, f"{doing} reported the usage of {given}; prices are looked up under {shown}.")
    numbers = (usage.audio_seconds, usage.characters, usage.input_tokens, usage.cached_input_tokens, usage.output_tokens)
    require(min(numbers) >= 0, f"{doing} reported a negative usage: {usage}.")


def require_context(opened: object) -> AbstractAsyncContextManager[Any]:
    fits = isinstance(opened, AbstractAsyncContextManager)
    require(fits, f"open() returned a {kind(opened)}; it returns an async context manager (contextlib.asynccontextmanager).")
    assert isinstance(opened, AbstractAsyncContextManager)
    return opened


def require_iterator(events: object, doing: str) -> AsyncIterator[Any]:
    fits = isinstance(events, AsyncIterator) and hasattr(events, "aclose")
    require(fits, f"{doing} returned a {kind(events)}; it returns an async iterator with aclose() (an async generator).")
    assert isinstance(events, AsyncIterator)
    return events


async def stop_early(events: AsyncIterator[Any], doing: str, wanted: type | UnionType) -> None:
    """Close an iterator at its first event of the wanted kind: it must stop soon, and then be over."""
    async for event in events:
        if isinstance(event, wanted):
            break
    await _close(events, doing)
    rest = [event async for event in events]
    require(not rest, f"{doing} yielded more after it was closed.")


async def _close(events: Any, doing: str) -> None:
    closing = asyncio.ensure_future(events.aclose())
    _, late = await asyncio.wait({closing}, timeout=STOP_SECONDS)
    closing.cancel()
    require(not late, f"{doing} did not stop within {STOP_SECONDS:g} s of being closed.")
    await closing


async def check(
    provider: Any, failing: Any, protocol: type, rules: Callable[[Any], Sequence[Rule]], patience_seconds: float
) -> None:
    """Hold the protocol and `rules(provider)` against `provider`; `failing`, if given, must fail at the first of its rules."""
    require_members(provider, protocol)
    await _conduct(provider, rules(provider), patience_seconds)
    if failing is not None:
        require_members(failing, protocol)
        first = rules(failing)[0]
        await _conduct(failing, [Rule("failing", lambda: _fail(failing, first.hold))], patience_seconds)


async def _fail(provider: Any, use: Callable[[], Coroutine[Any, Any, None]]) -> None:
    task = asyncio.ensure_future(use())
    await asyncio.wait({task})
    error = task.exception()
    require(error is not None, "failing= did not fail; give a provider that is set up so that its first request fails.")
    own = isinstance(error, ProviderError) and error.provider == provider.provider
    require(own, f"failing= raised {error!r}; a failure raises ProviderError(..., provider={provider.provider!r}).")


async def _conduct(provider: Any, rules: Sequence[Rule], patience_seconds: float) -> None:
    """Hold the rules on a loop of their own, in a thread of their own: of virtual time if the provider claims to keep it."""

    async def main() -> None:
        for rule in rules:
            await _bounded(provider, rule, patience_seconds)

    virtual: bool = provider.virtual_time
    limit = patience_seconds * (1 if virtual else 2 * len(rules) + 1)
    outcome: Future[None] = Future()
    stop = _in_thread(main, VirtualTimeLoop if virtual else asyncio.new_event_loop, outcome)
    waiting = asyncio.wrap_future(outcome)
    try:
        with at_real_pace():
            _, late = await asyncio.wait({waiting}, timeout=limit)
    finally:
        stop()
        waiting.cancel()
    cause = "declares virtual_time=True but waits for more than its loop's clock" if virtual else "blocks the loop it runs on"
    require(not late, f"{type(provider).__name__} {cause}: the check was not through after {limit:g} s.")
    await waiting


def _in_thread(
    main: Callable[[], Coroutine[Any, Any, None]], new_loop: Callable[[], asyncio.AbstractEventLoop], outcome: Future[None]
) -> Callable[[], None]:
    """Run `main` in a new thread; what comes of it is put into `outcome`. Returned: the function that gives it up."""
    running: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = Future()

    async def started() -> BaseException | None:
        task = asyncio.create_task(main())
        running.set_result((asyncio.get_running_loop(), task))
        await asyncio.wait({task})
        return ConformanceError("the check was given up") if task.cancelled() else task.exception()

    def run() -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            error = runner.run(started())
        outcome.set_result(None) if error is None else outcome.set_exception(error)

    outcome.set_running_or_notify_cancel()
    # A daemon, so that a provider that blocks for good does not keep the interpreter from ending.
    threading.Thread(target=run, name="conformance check", daemon=True).start()

    def stop() -> None:
        loop, task = running.result(timeout=60)
        if not task.done():
            with suppress(RuntimeError):  # it ended this very moment, and its loop with it
                loop.call_soon_threadsafe(task.cancel)

    return stop


async def _bounded(provider: Any, rule: Rule, patience_seconds: float) -> None:
    """Hold one rule: in time, without an error of an unknown kind, and without a task left behind."""
    before = asyncio.all_tasks()
    task = asyncio.ensure_future(rule.hold())
    _, late = await asyncio.wait({task}, timeout=patience_seconds)
    if late:
        task.cancel()
        await asyncio.wait({task}, timeout=STOP_SECONDS)
        raise ConformanceError(f"{rule.doing} came to no end within {patience_seconds:g} s.")
    require(not task.cancelled(), f"{rule.doing} cancelled the task that asked for it.")
    _judge(provider, rule, task.exception())
    left = asyncio.all_tasks() - before
    if left:
        _, left = await asyncio.wait(left, timeout=STOP_SECONDS)
    for stray in left:
        stray.cancel()
    names = ", ".join(sorted(stray.get_coro().__qualname__ for stray in left))  # type: ignore[union-attr]
    require(not left, f"{rule.doing} left a task running: {names}. Whatever a stream starts must have ended when it is closed.")


def _judge(provider: Any, rule: Rule, error: BaseException | None) -> None:
    if error is None:
        return
    if isinstance(error, ProviderError):
        own = error.provider == provider.provider
        require(own, f"{rule.doing} raised a ProviderError of {error.provider!r}; this provider's name is {provider.provider!r}.")
    elif not isinstance(error, ConformanceError):
        wanted = f"ProviderError(..., provider={provider.provider!r})"
        raise ConformanceError(f"{rule.doing} raised {type(error).__name__} ({error}); a failure raises {wanted}.") from error
    raise error
