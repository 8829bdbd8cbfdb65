"""Where the pages of all softphones of a loop are served: one loopback port, which the tunnel of a carrier never reaches."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any

from patter_nb.server import LoopServer, serve

if TYPE_CHECKING:
    from patter_nb.softphone.softphone import Softphone

_boards: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Switchboard] = weakref.WeakKeyDictionary()


class Switchboard:
    """The softphones of one loop, by their ids, and the server that their pages come from."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._phones: dict[str, Softphone] = {}
        self._server: LoopServer = serve(self._app, loop=loop, lazy=True)

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def url(self) -> str:
        """The page's address, without a phone."""
        return f"{self._server.url}/softphone"

    @property
    def stopped(self) -> bool:
        return self._server.stopped

    def add(self, phone: Softphone) -> None:
        self._phones[phone.id] = phone

    def remove(self, phone: Softphone) -> None:
        """It is closed; the last one to go puts out the light."""
        self._phones.pop(phone.id, None)
        if not self._phones:
            self._server.close()

    def find(self, number: str) -> Softphone | None:
        return self._phones.get(number)

    def _app(self) -> Any:
        from patter_nb.softphone.routes import make_app

        return make_app(self.find)


def switchboard(loop: asyncio.AbstractEventLoop) -> Switchboard:
    """The one of this loop; its server is started where it does not run."""
    board = _boards.get(loop)
    if board is None or board.stopped:
        board = _boards[loop] = Switchboard(loop)
    return board
