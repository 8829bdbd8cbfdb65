"""A front end and its kernel's side: what it shows goes out as state, what is done there comes in as orders.

Orders are messages, never synced traits: ipywidgets holds the changes of traits back while a kernel is busy, and may hold them
back for good. A page numbers its orders, sends one again until it is answered, and says when the kernel is slow to answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from patter_nb.errors import ConfigError, need
from patter_nb.notebook.loops import on_loop
from patter_nb.notebook.studio.front import css, esm
from patter_nb.notebook.studio.inbox import Inbox
from patter_nb.notebook.studio.ports import Ports

if TYPE_CHECKING:
    import pandas as pd

Answer = Mapping[str, Any]
Do = Callable[[Mapping[str, Any], "Asked"], Awaitable[Answer | None] | Answer | None]
"""`do(content, asked)`: what an order does. What it returns is the answer, and so is whatever it raises."""

WHAT = "phone.studio()"


@cache
def widget_class(*names: str) -> Any:
    """The class of widgets whose front end is made of the files `static/<name>.js`, with their style sheets."""
    anywidget = need("anywidget", extra="nb", what=WHAT)
    traitlets = need("traitlets", extra="nb", what=WHAT)
    parts = {"_esm": esm(*names), "_css": css(*names), "state": traitlets.Dict().tag(sync=True), "__module__": __name__}
    return type(f"{names[-1].title()}Panel", (anywidget.AnyWidget,), parts)


def close_widget(widget: Any) -> None:
    """Close a widget with its layout, which ipywidgets keeps, and every page with it, as a widget of its own."""
    layout = widget.layout
    widget.close()
    layout.close()


class Asked:
    """The order that is being carried out: whoever is told of its effects later says which order had them."""

    def __init__(self, panel: Panel, page: str, number: int) -> None:
        self._panel = panel
        self.page = page
        self.number = number

    def tell(self, kind: str, **content: Any) -> None:
        """Tell the page that gave the order. From any thread."""
        on_loop(self._panel.loop, self._panel.send, {"kind": kind, "page": self.page, "number": self.number, **content})


class Panel:
    """One front end. `names`: its files, see `widget_class`; `do`: what each of its orders does, by the order's name."""

    def __init__(self, ports: Ports, names: tuple[str, ...], state: Mapping[str, Any], do: Mapping[str, Do]) -> None:
        self.loop = ports.loop
        self._guard = ports.guard
        self.widget = widget_class("dom", "channel", *names)(state=dict(state))
        self.closed = False
        self._do = {"ping": lambda _content, _asked: {}, **do}
        self._inbox = Inbox()
        self._tasks: set[asyncio.Task[None]] = set()
        self.widget.on_msg(self._arrived)

    def show(self, state: Mapping[str, Any]) -> None:
        """What the front end shows from now on. On the panel's loop."""
        if not self.closed:
            self.widget.state = dict(state)

    def send(self, message: Mapping[str, Any]) -> None:
        """Send every page a message. On the panel's loop."""
        if not self.closed:
            self.widget.send(dict(message))

    def close(self) -> None:
        """Take it from every page. Orders that come now are nobody's."""
        if not self.closed:
            self.closed = True
            self.widget.on_msg(self._arrived, remove=True)
            for task in list(self._tasks):
                task.cancel()
            close_widget(self.widget)

    def _arrived(self, _widget: Any, content: Any, _buffers: Any) -> None:
        on_loop(self.loop, self._take, content)

    def _take(self, message: Any) -> None:
        if self.closed or not isinstance(message, dict):
            return
        page, number = str(message.get("page", "")), message.get("number")
        if not isinstance(number, int):
            return
        if (known := self._inbox.answered(page, number)) is not None:
            self.send(known)
        for due, order in self._inbox.take(page, number, message):
            self._carry_out(page, due, order)

    def _carry_out(self, page: str, number: int, order: Mapping[str, Any]) -> None:
        asked, name = Asked(self, page, number), str(order.get("order"))
        do = self._do.get(name)
        content = order.get("content")
        if do is None:
            self._answer(asked, {"ok": False, "error": f"There is no order {order.get('order')!r}."})
            return
        with self._answering(asked, name, content):
            outcome = do(content if isinstance(content, dict) else {}, asked)
            if isinstance(outcome, Awaitable):
                task = self.loop.create_task(self._later(asked, name, outcome, content), name=f"order of a studio: {name}")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                self._answer(asked, {"ok": True, **(outcome or {})})

    async def _later(self, asked: Asked, name: str, outcome: Awaitable[Answer | None], content: Any) -> None:
        with self._answering(asked, name, content):
            self._answer(asked, {"ok": True, **(await outcome or {})})

    @contextmanager
    def _answering(self, asked: Asked, name: str, content: Any) -> Iterator[None]:
        """Whatever is raised in the block is the answer: an order that is not answered is sent again and again."""
        with self._guard(lambda told: self._answer(asked, refusal(told, content)), who=f"The order {name!r}"):
            try:
                yield
            except ConfigError as error:
                self._answer(asked, refusal(error, content))

    def _answer(self, asked: Asked, answer: Answer) -> None:
        message = {"kind": "answer", "page": asked.page, "number": asked.number, **plain(answer)}
        self._inbox.answer(asked.page, asked.number, message)
        self.send(message)


def refusal(error: ConfigError | str, content: Any) -> dict[str, Any]:
    """Why an order was not carried out, and which of the fields that were changed it is about."""
    text, field = str(error), getattr(error, "field", None)
    changed = content.get("changes") if isinstance(content, dict) else None
    named = [(text.find(name), name) for name in changed or {} if name in text]
    return {"ok": False, "error": text, "field": field or (min(named)[1] if named else "")}


def plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """A value as JSON has it: what is missing is None, what has no form of its own is its text."""
    found: dict[str, Any] = json.loads(json.dumps(value, default=_plain), parse_constant=lambda _: None)
    return found


def plain_rows(table: pd.DataFrame, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of a table as plain values, the newest first; what is missing is None."""
    return [plain({name: row[name] for name in columns}) for row in table.iloc[::-1].to_dict("records")]


def _plain(value: Any) -> Any:
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    for form in ("isoformat", "item"):  # an instant, a number of numpy
        if hasattr(value, form):
            return getattr(value, form)()
    return str(value)
