"""What a studio is handed: the phone as it sees it, and what else it may ask for. It imports none of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from patter_nb.audio.recording import Recording
from patter_nb.live import Difference, Edit, Live, RevisionLine, Scope

if TYPE_CHECKING:
    import pandas as pd

    from patter_nb.records.facts import RevisionFacts
    from patter_nb.records.readings import CallReading

When = Literal["next turn", "next call", "never"]
"""From when on a field that was edited is another one."""


class CallOnAir(Protocol):
    """A call, as the studio looks at it."""

    id: str
    live: Live

    state: Literal["running", "ended", "failed"]

    @property
    def audio(self) -> Recording | None: ...
    @property
    def duration_seconds(self) -> float: ...

    def stream(self) -> AsyncIterator[Any]: ...
    def say(self, text: str) -> object: ...
    def hangup(self) -> object: ...
    def mute(self, on: bool = True) -> object: ...


class Archive(Protocol):
    """The calls of the phone as facts. May be used from any thread; slow where it reads the store."""

    @property
    def stores(self) -> bool: ...

    def calls(self) -> Sequence[CallOnAir]: ...
    def call(self, call_id: str) -> CallOnAir | None: ...
    def reading(self, call_id: str) -> CallReading: ...
    def readings(self, *, everything: bool) -> Iterable[CallReading]: ...
    def stored(self, call_id: str) -> CallReading | None: ...
    def revision(self, phone_id: str, agent: str, number: int) -> RevisionFacts | None: ...


class Phone(Protocol):
    """The phone, as the studio holds it. All of it may be used from any thread."""

    def edit(self, agent: Any = None, *, note: str = "", scope: Scope = "all calls", **changes: Any) -> Edit: ...
    def rollback(self, number: int, agent: Any = None, *, note: str = "", scope: Scope = "all calls") -> Edit: ...
    def diff(self, before: int, after: int | None = None, agent: Any = None) -> Difference: ...
    def line(self, agent: Any = None) -> RevisionLine: ...
    def test(self, agent: Any, caller: Any = None, *, show: bool | None = None, **settings: Any) -> CallOnAir: ...

    @property
    def live_calls(self) -> Sequence[CallOnAir]: ...
    @property
    def revisions(self) -> pd.DataFrame: ...
    @property
    def tools_log(self) -> pd.DataFrame: ...


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a tool, or of a check, that was tried: a result, or the sentence that the model would be told."""

    result: str | None
    error: str | None
    ms: float
    attempts: int = 1
    progress: tuple[str, ...] = ()
    """What it reported on its way."""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A tool that every agent has, unless one of its own takes the name."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything that the studio's tabs are made with."""

    phone: Phone
    loop: asyncio.AbstractEventLoop
    """The kernel's: whatever a widget orders is done there, by `on_loop`."""
    guard: Callable[..., AbstractContextManager[None]]
    """`with guard(failed, who=...)`: whatever the block raises is handed to `failed` as one sentence about `who`."""
    watch: Callable[[Callable[[], None]], Callable[[], None]]
    """`stop = watch(changed)`: `changed()` is called on `loop` when a revision, a call or a turn of the phone may be another one
    than before."""
    applies: Mapping[str, When]
    """For each field of an agent, when an edit of it takes effect."""
    unused: Mapping[str, Sequence[str]]
    """For each mode of an agent, the fields it has no use for."""
    built_in: Sequence[BuiltIn]
    try_tool: Callable[[Any, str, str], Awaitable[Tried]]
    """`await try_tool(agent, name, arguments)`: run it as a call would, its arguments being the JSON that a model would write."""
    try_check: Callable[[Any, str], Awaitable[Tried]]
    """`await try_check(guardrail, text)`: ask a guardrail's check as a call would; the result is "blocked" or "passes"."""
    blocked_spans: Callable[[Sequence[Any], str], list[tuple[int, int, str]]]
    """Which parts of a text hold terms of guardrails: (start, end, name of the guardrail)."""
    make_guardrail: Callable[..., Any]
    """A guardrail of its fields; `ConfigError` where they make none."""
    softphone: Callable[[], Any]
    """A new telephone on a page."""
    archive: Archive
    """What is known of the phone's calls, and of all that are stored."""
    caller_line: Callable[..., Any]
    """A line of a test caller: `caller_line(text, wait_seconds=, interrupt_after_seconds=)`; `ConfigError` for what is none."""
