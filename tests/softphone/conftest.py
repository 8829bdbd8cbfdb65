"""A softphone's page without a browser: a socket to the real server, and the carrier's messages as a test's far end has them."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from patter_nb.agent import Agent
from patter_nb.carriers.simulated.wire import CarrierWire
from patter_nb.phone import Patter
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.softphone import Softphone

SILENCE = bytes([0xFF]) * 160
WAIT_SECONDS = 10


def browser() -> ModuleType:
    """What tests of JupyterLab know of browsers."""
    name = "tests_of_lab_harness"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / "lab" / "harness.py")
        assert spec is not None and spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


class Page:
    """One page. It reads all the time, and waits for what a test wants to see."""

    def __init__(self, line: Any, name: str = "page_1") -> None:
        self.line = line
        self.name = name
        self.wire = CarrierWire()
        self.came: list[dict[str, Any]] = []
        self.code: int | None = None
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())
        self._sending: asyncio.Task[None] | None = None

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in self.line:
                self.came.append(json.loads(text))
                self._news.set()
        self.code = self.line.close_code
        self._news.set()

    async def say(self, event: str, **data: Any) -> None:
        await self.line.send(json.dumps({"event": event, **data}))

    async def until(self, seen: Callable[[], Any]) -> Any:
        async with asyncio.timeout(WAIT_SECONDS):
            while not seen():
                self._news.clear()
                await self._news.wait()
        return seen()

    @property
    def state(self) -> dict[str, Any]:
        states = [message for message in self.came if message["event"] == "state"]
        return states[-1] if states else {"state": ""}

    async def until_state(self, state: str, reason: str = "") -> dict[str, Any]:
        await self.until(lambda: self.state["state"] == state and reason in self.state["reason"])
        return self.state

    async def until_event(self, event: str) -> dict[str, Any]:
        return await self.until(lambda: next((message for message in self.came if message["event"] == event), None))

    async def until_closed(self) -> int:
        await self.until(lambda: self.code is not None)
        assert self.code is not None
        return self.code

    async def talk(self) -> None:
        """Press Talk, begin the stream when it is told to, and send silence as a microphone does that hears nothing."""
        await self.say("talk")
        opened = await self.until_event("open")
        await self.line.send(self.wire.connected())
        await self.line.send(self.wire.start(opened["parameters"]))
        self._sending = asyncio.create_task(self._send())
        await self.until_state("talking")

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(60 * 50):
            await self.line.send(self.wire.media(SILENCE, number * 20))
            await asyncio.sleep(max(0, began + number * 0.02 - loop.time()))

    async def answer_marks(self) -> None:
        """Send every mark back when it comes, as if all had played at once."""
        done = 0
        while True:
            marks = [message for message in self.came if message["event"] == "mark"]
            for mark in marks[done:]:
                await self.line.send(self.wire.mark(mark["mark"]["name"]))
            done = len(marks)
            self._news.clear()
            await self._news.wait()

    async def close(self) -> None:
        self.stop()
        await self.line.close()
        await asyncio.wait((self._reading,))

    def begin_again(self) -> None:
        """Be ready for another call."""
        self.came = [message for message in self.came if message["event"] == "state"][-1:]
        self.wire = CarrierWire()

    def stop(self) -> None:
        if self._sending is not None:
            self._sending.cancel()


class Ends(list[str]):
    """Why a call was ended; `await one()` waits until it was."""

    def __init__(self) -> None:
        super().__init__()
        self._come = asyncio.Event()

    def append(self, reason: str) -> None:
        super().append(reason)
        self._come.set()

    async def one(self) -> str:
        await asyncio.wait_for(self._come.wait(), WAIT_SECONDS)
        return self[0]


def address(softphone: Softphone) -> tuple[str, str, str]:
    """Where the page's socket is, its origin, and its token."""
    parts = urlsplit(softphone.url)
    return f"ws://{parts.netloc}/softphone/line?{parts.query}", f"http://{parts.netloc}", parts.fragment


@contextlib.asynccontextmanager
async def page_of(
    softphone: Softphone, *, name: str = "page_1", origin: str | None = "", token: str | None = None, **hello: Any
) -> AsyncIterator[Page]:
    url, own, secret = address(softphone)
    async with connect(url, origin=own if origin == "" else origin, compression=None) as line:
        page = Page(line, name)
        await page.say("hello", page=name, token=secret if token is None else token, **{"control": True, **hello})
        try:
            yield page
        finally:
            await page.close()


def scripted(phone: Patter, **settings: Any) -> Agent:
    given = {
        "stt": ScriptedSTT(["one", "two"]), "llm": ScriptedLLM(["First.", "Second."]), "tts": ScriptedTTS(),
        "first_message": "Hi.", **settings,
    }  # fmt: skip
    return phone.agent("A test.", **given)


@pytest.fixture
def run() -> Callable[[Any], Any]:
    return lambda main: asyncio.run(asyncio.wait_for(main, 60))


@pytest.fixture
def phone() -> Patter:
    return Patter(store=False, show=False)
