"""A phone with calls that are on, and a page that gives orders: the front end's side of the messages, without a browser."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from patter_nb.guardrails import guardrail
from patter_nb.live import Live
from patter_nb.notebook.studio.ports import Ports
from patter_nb.phone import Patter
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.tools import tool
from patter_nb.turns.messages import ToolRequest
from patter_nb.turns.usage import Price

SECONDS = 10
"""The longest that a test waits for anything."""


@dataclass(frozen=True)
class OnAir:
    """A call as far as the studio's first tabs look at it; its replies are taken by the test itself."""

    id: str
    live: Live
    state: str = "running"


class Phone(Patter):
    """A phone whose calls are held by the test."""

    def __init__(self) -> None:
        super().__init__(store=False)
        self.on: list[OnAir] = []

    @property
    def live_calls(self) -> Any:
        return tuple(self.on)

    def call(self, name: str = "agent") -> Live:
        """A call that is on, of the newest revision."""
        line = self.line(name)
        live = Live(line.newest, line, f"call_{len(self.on) + 1}")
        live.begin()
        self.on.append(OnAir(live.call_id, live))
        return live


class Page:
    """One open page of a widget: it numbers its orders and reads what it is sent."""

    def __init__(self, widget: Any, name: str = "page") -> None:
        self.widget = widget
        self.name = name
        self.number = 0
        self.messages: list[dict[str, Any]] = []
        self._send = widget.send
        widget.send = self._read

    def _read(self, content: dict[str, Any], buffers: Any = None) -> None:
        self.messages.append(content)
        self._send(content, buffers)

    def order(self, order: str, number: int | None = None, /, **content: Any) -> int:
        """Give an order; its number."""
        if number is None:
            self.number += 1
            number = self.number
        self.widget._handle_custom_msg({"page": self.name, "number": number, "order": order, "content": content}, [])
        return number

    def told(self, number: int, kind: str = "answer") -> list[dict[str, Any]]:
        """What this page was told about one of its orders."""
        wanted = (kind, self.name, number)
        return [each for each in self.messages if (each["kind"], each.get("page"), each.get("number")) == wanted]

    async def ask(self, order: str, /, **content: Any) -> dict[str, Any]:
        """Give an order and wait for its answer."""
        number = self.order(order, **content)
        await until(lambda: bool(self.told(number)))
        return self.told(number)[0]

    async def apply(self, scope: str = "all calls", note: str = "", **changes: Any) -> dict[str, Any]:
        """Apply changes of a form; "__" in a name stands for the colon between a part and what it is a part of."""
        named = {name.replace("__", ":"): value for name, value in changes.items()}
        return await self.ask("apply", changes=named, scope=scope, note=note)


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, looking again whenever the loop has gone round."""
    async with asyncio.timeout(SECONDS):
        while not holds():  # noqa: ASYNC110 (what is waited for has no event of its own)
            await asyncio.sleep(0)


class Desk:
    """What a test of the studio works with."""

    page = Page
    until = staticmethod(until)

    def __init__(self) -> None:
        self.phone = Phone()
        self.complaints: list[dict[str, Any]] = []
        """What went wrong on the loop behind the test's back."""

    def agent(self, prompt: str = "You are {company}.", **settings: Any) -> Any:
        """An agent of scripted providers."""
        usual: dict[str, Any] = {"stt": ScriptedSTT([]), "llm": ScriptedLLM([]), "tts": ScriptedTTS()}
        return self.phone.agent(prompt, **{**usual, "variables": {"company": "Acme"}, **settings})

    def ports(self) -> Ports:
        """What a studio of this phone is handed; on a running loop."""
        return self.phone._ports(asyncio.get_running_loop())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a test's coroutine, in bounded time."""

        async def bounded() -> Any:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: self.complaints.append(context))
            async with asyncio.timeout(SECONDS):
                return await work

        return asyncio.run(bounded())


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    assert made.complaints == []


@tool
def free_table(guests: int) -> str:
    """Look for a free table."""
    return f"Table four is free for {guests}, says +1 555 765 4321."


SAID = ["A table for two, please", "It is Johnson", "Better than the palace?"]
ANSWERS: list[Any] = [
    [ToolRequest("t1", "free_table", '{"guests": 2}')],
    "Table four is free for two at seven. Under which name shall I put it aside?",
    "Thank you, Mr Johnson.",
    "Yes. Far better than the grand palace.",
]


@pytest.fixture
def reception() -> Callable[..., tuple[Patter, Any]]:
    """A phone and its agent: three turns with a tool, prices and a guardrail, in virtual time if it is held so."""

    def make(store: Any = False, **settings: Any) -> tuple[Patter, Any]:
        price = Price(usd_per_1m_input_tokens=1.0, usd_per_1k_characters=0.05, usd_per_audio_minute=0.006)
        usual: dict[str, Any] = {
            "stt": ScriptedSTT(SAID, price=price), "llm": ScriptedLLM(ANSWERS, price=price), "tts": ScriptedTTS(price=price),
            "tools": [free_table], "first_message": "Acme, good evening!", "name": "reception",
            "guardrails": [guardrail("others", blocked_terms=["grand palace"], replacement="We speak for our own house.")],
        }  # fmt: skip
        phone = Patter(store=store, show=False)
        return phone, phone.agent("You are the receptionist. Ring +1 555 765 4321.", **{**usual, **settings})

    return make
