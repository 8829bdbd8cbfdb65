"""The softphone as a widget. Its comm carries what is said about the softphone, and its audio where no socket can be had."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from typing import TYPE_CHECKING, Any

from patter_nb.errors import need
from patter_nb.notebook.loops import on_loop
from patter_nb.softphone import front
from patter_nb.softphone.handset import Handset, read, word

if TYPE_CHECKING:
    from patter_nb.softphone.softphone import Softphone

BATCH_SECONDS = 0.06
"""Audio goes over a comm in batches: a message for each frame is more than a notebook's page can take."""
CAN_WAIT = ('{"event":"media"', '{"event": "mark"')
"""How those messages begin that go in batches, as the codec writes them."""
MOST_TEXTS = 200
MOST_CHARACTERS = 65_536
"""In one message from a view."""


@cache
def widget_class() -> Any:
    """The class of the widget. It synchronises nothing, so a notebook that keeps its widgets' state keeps no token."""
    anywidget = need("anywidget", extra="nb", what="The softphone's widget")

    class SoftphoneWidget(anywidget.AnyWidget):  # type: ignore[misc, name-defined]
        _esm = front.module()
        _css = front.style()

    return SoftphoneWidget


class CommChannel:
    """The way to one view of a widget. What is neither audio nor a mark goes at once, and takes those before it along."""

    def __init__(self, widget: Any, number: str) -> None:
        self._widget = widget
        self._number = number
        self._texts: list[str] = []
        self._timer: asyncio.TimerHandle | None = None

    def send(self, text: str) -> None:
        self._texts.append(text)
        if not text.startswith(CAN_WAIT):
            self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(BATCH_SECONDS, self._flush)

    def close(self) -> None:
        self.send('{"event":"gone"}')

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        texts, self._texts = self._texts, []
        self._widget.send({"to": self._number, "texts": texts})


class SoftphoneView:
    """The widget of one softphone, and the views of it that notebooks show."""

    def __init__(self, phone: Softphone) -> None:
        self._phone = phone
        self._views: dict[str, tuple[Handset, CommChannel]] = {}
        self.widget = widget_class()()
        self.widget.on_msg(self._came)

    def _came(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """A message from a view. On any thread."""
        if self._phone.loop is not None:
            on_loop(self._phone.loop, self._take, content)

    def _take(self, content: Any) -> None:
        if not isinstance(content, dict) or not (number := word(content, "page")):
            return
        texts = content.get("texts")
        if not isinstance(texts, list) or len(texts) > MOST_TEXTS:
            return
        for text in texts:
            if isinstance(text, str) and len(text) <= MOST_CHARACTERS:
                self._text(number, text)

    def _text(self, number: str, text: str) -> None:
        known = read(text)
        if known is None or self._phone.state == "closed":
            return
        if known[0] == "hello":
            self._hello(number)
        elif number in self._views:
            handset, channel = self._views[number]
            if known[0] == "bye":
                del self._views[number]
                self._phone.leave(handset, channel, "its view in the notebook was closed")
            else:
                self._phone.take(handset, channel, text)

    def _hello(self, number: str) -> None:
        channel = CommChannel(self.widget, number)
        handset = self._phone.join(number, channel, control=True, audio=False)
        if handset is not None:
            self._views[number] = handset, channel
            channel.send(json.dumps({"event": "here", **self._phone.secret()}))
