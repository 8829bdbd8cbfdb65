"""The simulated carrier in another process, driven from here: what its far end hears of a stall is not itself stalled."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from patter_nb.errors import CarrierError

STOP_SECONDS = 10.0

Fact = dict[str, Any]


class TwilioProcess:
    """`python -m patter_nb.testing.twilio` with these arguments. Use it with `async with`; `ready` tells address and credentials.

    It is read in a thread, so orders reach it and facts are kept while the loop is blocked.
    """

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self.facts: list[Fact] = []
        """All that it told, in order."""
        self._numbers = itertools.count(1)
        """Of the orders that are answered."""
        self._more = threading.Condition()
        self._writing = threading.Lock()
        self._ended = False

    async def __aenter__(self) -> TwilioProcess:
        await asyncio.to_thread(self._start)
        self.ready = await self.fact("ready", seconds=60.0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.shield(asyncio.to_thread(self._stop))

    def _start(self) -> None:
        command = [sys.executable, "-m", "patter_nb.testing.twilio", *self._arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, name="simulated carrier", daemon=True).start()

    def order(self, do: str, **settings: Any) -> None:
        """Give an order. From any thread. `CarrierError` when the process has ended."""
        assert self._process.stdin is not None
        try:
            with self._writing:
                self._process.stdin.write(json.dumps({"do": do, **settings}) + "\n")
                self._process.stdin.flush()
        except (BrokenPipeError, ValueError) as error:  # the latter where it is closed here
            raise CarrierError(f"the simulated carrier has ended and takes no order {do!r}") from error

    async def fact(self, kind: str, *, seconds: float = 30.0, **values: Any) -> Fact:
        """The first fact of this kind with these values, waited for. `CarrierError` when the process ends before."""
        wanted = {"is": kind, **values}
        return await asyncio.to_thread(self._wait, lambda fact: wanted.items() <= fact.items(), kind, seconds)

    async def call(self, lines: Sequence[Any] = (), *, url: str = "", **settings: Any) -> str:
        """Call in, at `url` or what is configured for the number, and give the call's sid."""
        number = next(self._numbers)
        self.order("call", id=number, lines=list(lines), url=url, **settings)
        return str((await self.fact("calling", id=number))["call_sid"])

    async def expect(self, number: str = "", **callee: Any) -> None:
        """Let somebody answer at `number`, or anywhere: the fields of a `Callee`. They are there when this returns."""
        known = next(self._numbers)
        self.order("callee", id=known, number=number, **callee)
        await self.fact("expected", id=known)

    async def look(self, call_sid: str) -> Fact:
        """What was heard on a call so far."""
        number = next(self._numbers)
        self.order("look", id=number, call_sid=call_sid)
        return await self.fact("seen", id=number)

    def _wait(self, fits: Callable[[Fact], bool], kind: str, seconds: float) -> Fact:
        def found() -> Fact | None:
            return next((fact for fact in self.facts if fits(fact)), None)

        with self._more:
            self._more.wait_for(lambda: found() is not None or self._ended, seconds)
            fact = found()
        if fact is None:
            errors = [fact["text"] for fact in self.facts if fact["is"] == "error"]
            state = "ended" if self._ended else f"told nothing of {kind!r} within {seconds:g} s"
            raise CarrierError(f"the simulated carrier {state}; its errors: {errors or 'none'}")
        return fact

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._more:
                self.facts.append(json.loads(line))
                self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()

    def _stop(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_SECONDS)
        with self._more:
            self._more.wait_for(lambda: self._ended, STOP_SECONDS)
        self._process.stdout.close()
