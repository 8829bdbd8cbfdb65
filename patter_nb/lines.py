"""How a phone begins its calls on a telephone line: when they come in, and when they are dialled."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from patter_nb.agent import Agent
from patter_nb.call import Call
from patter_nb.callbacks import Callbacks
from patter_nb.carriers.twilio.webhooks import IncomingCall
from patter_nb.given import check_mode
from patter_nb.records.database import make_directory
from patter_nb.records.log import CallLog
from patter_nb.records.store import Store
from patter_nb.telephony.call import LineCall, LineTerms
from patter_nb.telephony.dialling import Dialling
from patter_nb.telephony.server import PhoneServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What calls on a line are held under from now on."""

    agent: Agent
    callbacks: Callbacks
    recording: bool = False
    voicemail: str = ""
    pinned: bool = False
    show: bool | None = None
    source: str = "telephone"
    cell: contextvars.Context
    """Of the cell that asked: what calls show stands under it."""


@dataclass(frozen=True, slots=True)
class Order:
    """A call that is dialled."""

    to: str
    caller: str
    """The number it shows."""
    first_message: str
    machine_detection: bool
    ring_timeout_seconds: float
    wait: bool = False
    """Whether whoever awaits the call waits for its end."""


class Lines:
    """Calls on telephone lines."""

    _log: CallLog
    _store: Store | None
    _chosen: Callable[..., AbstractContextManager[Any]]
    _hold: Callable[..., Call]

    def _take(self, terms: Terms, server: PhoneServer, incoming: IncomingCall) -> LineCall:
        """Begin a call that comes in."""
        return terms.cell.copy().run(self._begin_incoming, terms, server, incoming)

    def _begin_incoming(self, terms: Terms, server: PhoneServer, incoming: IncomingCall) -> LineCall:
        line = LineTerms(
            direction="inbound",
            source=terms.source,
            caller=incoming.caller,
            callee=incoming.callee,
            carrier_call_id=incoming.call_sid,
            server=server,
            recording=terms.recording,
            keep=self._keep_recording,
        )
        with self._picked(terms, quiet=True) as (call, setting):
            work = LineCall(self._log, call.live, line, record=terms.recording, **setting)
        work.call = self._hold(call, work, terms.show)
        return work

    def _place(self, terms: Terms, server: Callable[[], Awaitable[PhoneServer]], order: Order) -> Call:
        """Begin a call that is dialled."""
        seconds, listens = order.ring_timeout_seconds, order.machine_detection
        line = LineTerms(
            direction="outbound",
            source=terms.source,
            caller=order.caller,
            callee=order.to,
            dialling=Dialling(server=server, ring_timeout_seconds=seconds, machine_detection=listens),
            voicemail=terms.voicemail,
            recording=terms.recording,
            keep=self._keep_recording,
        )
        with self._picked(terms) as (call, setting):
            if order.first_message:
                call.live.begin_with({"first_message": order.first_message}, "call(first_message=...)")
            work = LineCall(self._log, call.live, line, record=terms.recording, **setting)
        if not order.wait:
            call.dialled()
        return self._hold(call, work, terms.show)

    def _picked(self, terms: Terms, *, quiet: bool = False) -> AbstractContextManager[Any]:
        def fits(agent: Agent) -> None:
            check_mode(agent, terms.callbacks)

        loop = asyncio.get_running_loop()
        return self._chosen(terms.agent, terms.callbacks, terms.pinned, fits, loop, kind="call", quiet=quiet)

    def _keep_recording(self, call_id: str, audio: bytes) -> Path | None:
        """Keep the carrier's recording beside ours."""
        if self._store is None or self._store.directory is None:
            return None
        path = self._store.directory / "recordings" / f"{call_id}.carrier.wav"
        make_directory(self._store.directory)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(audio)
        return path
