"""A call as on a real line, with a carrier that is simulated on this machine: nothing is spent, and no account is needed."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from patter_nb.agent import Agent
from patter_nb.call import Call
from patter_nb.callbacks import Callback, Callbacks
from patter_nb.errors import ConfigError, PatterError
from patter_nb.given import check_mode, checked, running_loop
from patter_nb.lines import Lines, Order, Terms
from patter_nb.remote import RemoteMessage
from patter_nb.serving import check_recording, check_ring_timeout, check_text
from patter_nb.telephony.addresses import ANSWER, STATUS
from patter_nb.telephony.number import NumberWebhook
from patter_nb.telephony.readiness import Readiness
from patter_nb.telephony.server import PhoneServer

if TYPE_CHECKING:
    from patter_nb.testing.twilio import Callee, TwilioSimulator

NUMBER = "+15550001234"
"""Ours, where the phone has none."""
OTHER = "+15557654321"
"""Who calls, or is called."""
PRICE_SECONDS = 10.0
"""How long the simulated carrier may take to tell the price."""

_closing: set[asyncio.Task[None]] = set()
"""What is cleared away after a rehearsal: a loop alone does not keep a task."""


class Rehearsing(Lines):
    """Rehearsals."""

    _phone_number: str
    _callbacks: Callable[..., Callbacks]

    async def rehearse(
        self,
        agent: Agent,
        caller: Any = None,
        *,
        callee: Callee | None = None,
        recording: bool = False,
        voicemail_message: str = "",
        first_message: str = "",
        machine_detection: bool = True,
        ring_timeout: float = 25,
        on_call_start: Callback | None = None,
        on_call_end: Callback | None = None,
        on_transcript: Callback | None = None,
        on_message: Callback | RemoteMessage | str | None = None,
        on_metrics: Callback | None = None,
        on_machine_detection: Callback | None = None,
        pinned: bool = False,
        show: bool | None = None,
    ) -> Call:
        """Hold a call over a simulated Twilio: real HTTP and WebSockets on this machine, in real time, and no key.

        Give `caller`, whatever `test(caller=...)` takes, for a call that comes in; or `callee`, a `patter_nb.testing.Callee`, for
        one that is placed: a person, an answering machine, a fax, a busy line, nobody. The call comes back when it rings; `await
        call.ended()` waits for its end. The other settings are those of `serve()` and `call()`. What the line would have cost
        stands in its cost.
        """
        running_loop("rehearse")
        if (caller is None) == (callee is None):
            raise ConfigError("rehearse() takes a caller, whose call comes in, or a callee, who is called: give one of them.")
        if callee is None and (first_message or voicemail_message):
            raise ConfigError("first_message and voicemail_message are for a callee: give callee=, or leave them out.")
        callbacks = self._callbacks(on_message, on_call_start, on_call_end, on_transcript, on_metrics, on_machine_detection)
        check_mode(checked(agent), callbacks)
        terms = Terms(
            agent=agent,
            callbacks=callbacks,
            recording=check_recording(recording, people=False),
            voicemail=check_text("voicemail_message", voicemail_message),
            pinned=pinned,
            show=show,
            source="rehearsal",
            cell=contextvars.copy_context(),
        )
        seconds, words = check_ring_timeout(ring_timeout), check_text("first_message", first_message)
        async with AsyncExitStack() as stage:
            simulator = await self._simulator(stage)
            server = await _server(stage, simulator)
            if callee is None:
                call = await self._called(terms, server, simulator, caller)
            else:
                simulator.callee = callee
                listens = machine_detection or bool(voicemail_message) or on_machine_detection is not None
                order = Order(OTHER, server.number, words, listens, seconds)
                call = await self._place(terms, partial(_already, server), order)
            task = asyncio.create_task(_clear(server, call, stage.pop_all()), name=f"after rehearsal {call.id}")
        _closing.add(task)
        task.add_done_callback(_closing.discard)
        return call

    async def _simulator(self, stage: AsyncExitStack) -> TwilioSimulator:
        from patter_nb.testing.twilio import TwilioSimulator

        return await stage.enter_async_context(TwilioSimulator([self._phone_number or NUMBER]))

    async def _called(self, terms: Terms, server: PhoneServer, simulator: TwilioSimulator, caller: Any) -> Call:
        """Let the caller call, and wait until it rings here."""
        rung: asyncio.Future[Call] = asyncio.get_running_loop().create_future()

        def take(incoming: Any) -> Any:
            line = self._take(terms, server, incoming)
            if not rung.done() and line.call is not None:
                rung.set_result(line.call)
            return line

        def failed(error: str) -> None:
            if not rung.done():
                rung.set_exception(PatterError(error))

        server.answer(self, take, failed)
        line = await simulator.call(caller, from_number=OTHER)
        ended = asyncio.ensure_future(line.ended())
        await asyncio.wait((rung, ended), return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not rung.done():
            raise PatterError(f"The simulated call did not come in: {'; '.join(warning.text for warning in line.warnings)}.")
        return rung.result()


async def _server(stage: AsyncExitStack, simulator: TwilioSimulator) -> PhoneServer:
    server = PhoneServer(simulator.carrier, simulator.number, simulator.tunnel, port=0, tell=_quiet)
    secret = simulator.carrier.credentials().auth_token

    def webhook(origin: str) -> NumberWebhook:
        urls = {"voice_url": f"{origin}{ANSWER}", "status_url": f"{origin}{STATUS}"}
        return NumberWebhook(server.rest, server.number, **urls, folder=None, secret=secret, tell=_quiet, manage=True)

    stage.push_async_callback(server.stop)
    await server.start(Readiness(), webhook)
    return server


async def _already(server: PhoneServer) -> PhoneServer:
    return server


async def _clear(server: PhoneServer, call: Call, after: AsyncExitStack) -> None:
    """Let go of carrier and server once the call is over and its price is known, or the loop is about to close."""
    try:
        await call.over()
        line = server.desk.waiting(call.id)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PRICE_SECONDS):
                if line is not None and line.carrier_call_id:
                    await line.over.wait()
                    await server.afterwards.done(call.id)
    finally:
        await after.aclose()


def _quiet(line: str) -> None:
    """Nobody needs to read how a rehearsal is set up."""
