"""`Patter`: the phone you hold. It makes agents, holds calls, and keeps what happened in them."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from patter_nb.agent import Agent, AgentSettings
from patter_nb.call import Call
from patter_nb.callers import check_first_line, read_caller
from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.live import Revision, RevisionLine
from patter_nb.notebook.display import CardHandle, in_notebook
from patter_nb.records.facts import RevisionFacts
from patter_nb.records.log import CallLog
from patter_nb.records.shelf import RecordingShelf
from patter_nb.records.store import Store
from patter_nb.simulation import SimulatedTest

if TYPE_CHECKING:
    import pandas as pd

CLOUD = ("api_key", "backend_url", "rest_url", "mode")
"""Settings of Patter's hosted mode, which does not exist here."""

NEEDED = {
    "stt": "LocalSTT() listens on this machine without a key",
    "llm": "DemoBrain() answers from the prompt without a key",
    "tts": "LocalTTS() speaks on this machine without a key",
}


class Patter:
    """A phone for prototyping voice agents.

    `store`: where calls are kept. None: SQLite in `.patter_nb/` of the working directory; a path or any SQLAlchemy URL; False:
    only in memory. `store_numbers`: keep phone numbers in the clear instead of masked plus a keyed hash. `show`: draw a card
    under the cell that started a call.

    A process that is killed (`kill -9`, a crash of the kernel) in mid-call leaves every turn that was closed in the store, and
    the call without an end. The turn that was open is lost, and so is the recording: it is in memory until the call ends.
    """

    def __init__(
        self,
        *,
        carrier: None = None,
        phone_number: str = "",
        store: str | Path | Literal[False] | None = None,
        store_numbers: bool = False,
        show: bool = True,
        **refused: object,
    ) -> None:
        _refuse(refused)
        if not (store is None or store is False or isinstance(store, str | os.PathLike)):
            raise ConfigTypeError(f"store is {store!r}; it must be a path, a database URL, None for .patter_nb/, or False.")
        if carrier is not None:
            line = f"carrier is {type(carrier).__name__}, but real phone lines are not there yet"
            raise ConfigError(f"{line}: leave it out and use test().")
        if phone_number:
            raise ConfigError("phone_number needs a carrier, and there are no real phone lines yet: leave it out and use test().")
        self._store = None if store is False else Store(store, store_numbers=store_numbers)
        self._log = CallLog(self._store)
        self._shelf = RecordingShelf(None if self._store is None else self._store.directory, self._log.recorded)
        self._show = show
        self._lines: dict[str, RevisionLine] = {}
        self._calls: list[Call] = []

    def agent(self, system_prompt: str, **settings: Unpack[AgentSettings]) -> Agent:
        """Make an agent; fields, defaults and checks are those of `Agent`. Slow parts (models) begin to load now.

        Running this again with the same `name` stages a revision for the next call.
        """
        _check_settings(settings)
        agent = Agent(system_prompt=system_prompt, **settings)
        for provider in (agent.stt, agent.llm, agent.tts):
            provider.ready()
        self._stage(agent)
        return agent

    def test(
        self,
        agent: Agent,
        caller: Any = None,
        *,
        speed: Literal["real", "max"] = "real",
        noise_db: float | None = None,
        seed: int = 0,
        record: bool = True,
        pinned: bool = False,
        show: bool | None = None,
    ) -> Call:
        """Call the agent without a phone. The call starts at once; `await` the returned `Call` for its end.

        `caller`: a list of lines (strings or `Line`), the path of a WAV file, or `(samples, hz)`. `speed="max"`: as fast as the
        machine can, for providers that wait with the loop's clock only. `noise_db`: white noise on the caller's line, this many
        dB below its voice, drawn with `seed`. `pinned`: run exactly this object, also when its name has a newer revision.
        """
        loop = _running_loop()
        script = read_caller(caller)
        given = self._known(agent)
        newer = None if given is None or pinned else self._newer(given)
        speaks = agent if newer is None else newer.agent
        _check_speed(speed, speaks)
        _check_numbers(noise_db, seed)
        check_first_line(script, greets=bool(speaks.greeting))
        if newer is not None and given is not None:
            _tell_newer(newer, given)
        revision = newer or given or self._stage(agent)
        call = Call(f"test_{uuid.uuid4().hex[:12]}", self._log, self._shelf)
        work = SimulatedTest(self._log, revision, script, speed=speed, noise_db=noise_db, seed=seed, record=record, loop=loop)
        shown = self._show if show is None else show
        self._calls.append(call)
        self._log.begin(work.facts(call.id))
        call.hold(work.hold, CardHandle(call.view()) if shown and in_notebook() else None)
        return call

    @property
    def last_call(self) -> Call | None:
        """The call that was started last, or None."""
        return self._calls[-1] if self._calls else None

    @property
    def calls(self) -> pd.DataFrame:
        """One row per call of this object."""
        return self._log.calls()

    @property
    def turns(self) -> pd.DataFrame:
        """One row per turn of this object's calls."""
        return self._log.turns()

    @property
    def events(self) -> pd.DataFrame:
        """One row per event of this object's calls."""
        return self._log.events()

    @property
    def store(self) -> Store:
        """Everything that was ever stored: `phone.store.calls()`, `.turns()`. `ConfigError` with `store=False`."""
        if self._store is None:
            raise ConfigError("store is False: nothing is stored; leave store= out to keep calls in .patter_nb/.")
        return self._store

    def flush(self, timeout_seconds: float = 10.0) -> bool:
        """Wait until all rows and recordings are written; False when they could not be in that time (each card says why)."""
        deadline = time.monotonic() + timeout_seconds
        kept = self._shelf.retry(timeout_seconds)
        return self._log.flush(max(0.0, deadline - time.monotonic())) and kept

    def _stage(self, agent: Agent, note: str = "") -> Revision:
        line = self._lines.setdefault(agent.name, RevisionLine(agent.name))
        revision, new = line.stage(agent, note)
        if new:
            self._log.revision(
                RevisionFacts(
                    agent=agent.name,
                    number=revision.number,
                    content_id=revision.content_id,
                    parent=revision.parent,
                    note=note,
                    created_at=revision.created_at,
                    content=agent.content(),
                )
            )
        return revision

    def _known(self, agent: Agent) -> Revision | None:
        """The revision of the agent's content, holding this very object; None for one that was never seen."""
        if not isinstance(agent, Agent):
            raise ConfigTypeError(f"agent is {type(agent).__name__}; it must be an Agent, as phone.agent(...) returns it.")
        line = self._lines.get(agent.name)
        return None if line is None or line.find(agent) is None else line.exact(agent)

    def _newer(self, given: Revision) -> Revision | None:
        newest = self._lines[given.agent.name].newest
        return None if newest.number == given.number else newest

    def __repr__(self) -> str:
        return f"<Patter, {len(self._calls)} calls, store {self._store.name if self._store else 'off'}>"


def _running_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        remedy = "in a notebook it has one; elsewhere put it into a coroutine and use asyncio.run(main())"
        raise ConfigError(f"test() needs a running event loop: {remedy}.") from None


def _tell_newer(newer: Revision, given: Revision) -> None:
    told = f"{given.agent.name!r}: revision {newer.number} is newer than the one given ({given.number}) and is used"
    print(f"{told}; pinned=True keeps yours.")  # noqa: T201 (a line under the cell, where the one who gave it looks)


def _check_settings(settings: Mapping[str, object]) -> None:
    known = AgentSettings.__annotations__
    if unknown := [name for name in settings if name not in known]:
        raise ConfigTypeError(f"agent() does not know {', '.join(unknown)}; it takes system_prompt, {', '.join(known)}.")
    for name, remedy in NEEDED.items():
        if settings.get(name) is None:
            raise ConfigError(f"{name} is missing: {remedy}, or give any object that follows patter_nb.providers.base.")


def _check_numbers(noise_db: object, seed: object) -> None:
    if noise_db is not None and (isinstance(noise_db, bool) or not isinstance(noise_db, int | float)):
        raise ConfigTypeError(f"noise_db is {noise_db!r}; it must be a number of dB below the caller's voice, or None.")
    if noise_db is not None and not -20 <= noise_db <= 80:
        raise ConfigError(f"noise_db is {noise_db!r}; it must lie from -20 to 80 dB.")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ConfigTypeError(f"seed is {seed!r}; it must be a whole number, 0 or more.")


def _check_speed(speed: str, agent: Agent) -> None:
    if speed not in ("real", "max"):
        raise ConfigError(f'speed is {speed!r}; it must be "real" or "max".')
    if speed == "max":
        for name, provider in (("stt", agent.stt), ("llm", agent.llm), ("tts", agent.tts)):
            if not provider.virtual_time:
                raise ConfigError(
                    f'{name} is {type(provider).__name__}, which works in real time only: use speed="real", or a scripted {name}.'
                )


def _refuse(given: dict[str, object]) -> None:
    if cloud := [name for name in given if name in CLOUD]:
        what = f"{cloud[0]}= belongs to a hosted mode, which does not exist"
        raise NotImplementedError(f"{what}: everything runs on this machine, leave it out.")
    if given:
        raise TypeError(f"Patter() does not know {', '.join(sorted(given))}.")
