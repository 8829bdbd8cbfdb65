"""The part of `Patter` that real telephone lines come in and go out by: `serve()`, `call()`, and whether they are ready."""

from __future__ import annotations

import asyncio
import contextvars
import errno
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from patter_nb.agent import Agent
from patter_nb.call import Call
from patter_nb.callbacks import Callback, Callbacks, check_number
from patter_nb.carriers.twilio import Twilio
from patter_nb.errors import ConfigError, ConfigTypeError, PatterError, brief, text_of, warn
from patter_nb.given import check_mode, checked, running_loop
from patter_nb.lines import Lines, Order, Terms
from patter_nb.notebook.display import in_notebook
from patter_nb.records.masking import mask_number
from patter_nb.remote import RemoteMessage
from patter_nb.telephony.addresses import ANSWER, STATUS
from patter_nb.telephony.number import NumberWebhook
from patter_nb.telephony.readiness import Readiness
from patter_nb.telephony.server import PhoneServer, need_tunnel, served
from patter_nb.tunnels import Tunnel, read_tunnel

PORT = 8000

CONSENT = "Calls are recorded: in many places everybody on the line must be told, and must agree."
"""Said once in a process."""


class Serving(Lines):
    """Real telephone lines."""

    _carrier: Twilio | None
    _phone_number: str
    _tunnel: Tunnel | None
    _callbacks: Callable[..., Callbacks]

    def __init__(self) -> None:
        super().__init__()
        self._readiness = Readiness()
        self._server: PhoneServer | None = None
        self._served: Terms | None = None
        self._starting: set[asyncio.Task[PhoneServer]] = set()

    @property
    def ready(self) -> asyncio.Future[str]:
        """Done with the public host name once calls can come in and go out; raises why they cannot. New with each start."""
        return self._readiness.hand_out("ready")

    @property
    def tunnel_ready(self) -> asyncio.Future[str]:
        """As `ready`, once the public host name is known."""
        return self._readiness.hand_out("tunnel")

    async def serve(
        self,
        agent: Agent,
        port: int = PORT,
        *,
        tunnel: Tunnel | bool | None = None,
        recording: bool = False,
        voicemail_message: str = "",
        on_call_start: Callback | None = None,
        on_call_end: Callback | None = None,
        on_transcript: Callback | None = None,
        on_message: Callback | RemoteMessage | str | None = None,
        on_metrics: Callback | None = None,
        on_machine_detection: Callback | None = None,
        manage_webhook: bool | None = None,
        dashboard: bool | None = None,
        pinned: bool = False,
        show: bool | None = None,
        block: bool | None = None,
    ) -> PhoneServer:
        """Answer the phone number with `agent`. In a notebook this returns once calls can come in; in a script it stays until the
        server stops. `block` decides otherwise.

        `port`: of 127.0.0.1, which only the tunnel makes public; 0 takes a free one. `tunnel`: another one than the phone's.
        `recording`: keep every call's audio, at the carrier as well. `voicemail_message`: what an answering machine gets that
        answers a `call()`. The callbacks count for each `call()` that has none of its own. `manage_webhook`: point the number
        here without asking (True), leave it as it is (False), or ask (None). `show=False`: no cards.

        Running this again gives back the server that is there, and its next calls are held as it says now; on another port or
        tunnel a new one takes its place, and its calls end.

        `ConfigError` for what is missing; `OSError` when another process has the port; `PatterError` when no tunnel opens.
        """
        if dashboard:
            warn("dashboard has no effect: there is no dashboard yet, phone.calls and phone.studio(agent) show the calls.")
        running_loop("serve")
        with ExitStack() as otherwise:
            otherwise.push(self._not_ready)
            callbacks = self._callbacks(on_message, on_call_start, on_call_end, on_transcript, on_metrics, on_machine_detection)
            check_mode(checked(agent), callbacks)
            terms = Terms(
                agent=agent,
                callbacks=callbacks,
                recording=check_recording(recording),
                voicemail=check_text("voicemail_message", voicemail_message),
                pinned=pinned,
                show=show,
                cell=contextvars.copy_context(),
            )
            otherwise.callback(setattr, self, "_served", self._served)
            self._served = terms
            server = await self._start(port, tunnel, check_manage(manage_webhook))
            otherwise.pop_all()
        server.answer(self, partial(self._take, terms, server), say)
        if not in_notebook() if block is None else block:
            try:
                await server.closed()
            finally:
                await self.disconnect()
        return server

    def call(
        self,
        to: str,
        agent: Agent | None = None,
        *,
        first_message: str = "",
        from_number: str = "",
        machine_detection: bool = True,
        on_machine_detection: Callback | None = None,
        voicemail_message: str | None = None,
        ring_timeout: float = 25,
        wait: bool = False,
        recording: bool | None = None,
        on_call_start: Callback | None = None,
        on_call_end: Callback | None = None,
        on_transcript: Callback | None = None,
        on_message: Callback | RemoteMessage | str | None = None,
        on_metrics: Callback | None = None,
        pinned: bool = False,
        show: bool | None = None,
    ) -> Call:
        """Call `to` (E.164). The call starts at once; `await` the returned `Call` until the carrier has accepted the dial, or
        with `wait=True` until the call is over, and `await call.ended()` for its end.

        `agent`: who talks; without it the one that is served. Where no server runs, one is started as `serve()` would.
        `first_message` and the callbacks are this call's; what is left out is that of `serve()`. `machine_detection`: let the
        carrier find out whether a person answered, which makes nobody wait; `on_machine_detection` is told a
        `MachineDetectionResult`, and a machine gets `voicemail_message`. False does without, unless this call is given one of the
        two. `ring_timeout`: seconds, at most 600.

        A number that does not answer, is busy or cannot be reached is a row of `phone.calls`, and no error. `ConfigError` for
        what is missing or cannot be; a dial that the carrier refuses makes `await call` raise `CarrierError`.
        """
        running_loop("call")
        number = check_number("to", to)
        self._need_carrier()
        caller = check_number("from_number", from_number) if from_number else self._need_number()
        if self._server is None or self._server.stopped:
            need_tunnel(self._tunnel)
        served = self._served
        chosen = agent if agent is not None or served is None else served.agent
        if chosen is None:
            raise ConfigError("agent is missing: give the agent that talks, call(to, agent=...), or serve one first.")
        given = (on_message, on_call_start, on_call_end, on_transcript, on_metrics, on_machine_detection)
        says = served.voicemail if voicemail_message is None and served is not None else voicemail_message or ""
        records = recording if recording is not None else served is not None and served.recording
        terms = Terms(
            agent=chosen,
            callbacks=self._callbacks(*given, otherwise=None if served is None else served.callbacks),
            recording=check_recording(records),
            voicemail=check_text("voicemail_message", says),
            pinned=pinned,
            show=show,
            cell=contextvars.copy_context(),
        )
        words, seconds = check_text("first_message", first_message), check_ring_timeout(ring_timeout)
        listens = machine_detection or bool(voicemail_message) or on_machine_detection is not None
        order = Order(number, caller, words, listens, seconds, wait)
        return self._place(terms, self._started, order)

    async def end_call(self, call_id: str) -> None:
        """Hang up a call by its `call_id`, or by the carrier's id of it. Harmless when it is over."""
        if not check_text("call_id", call_id):
            raise ConfigError("call_id is empty; give call.id, or call.carrier_call_id once the dial was accepted.")
        for call in self.live_calls:  # type: ignore[attr-defined]
            if call_id in (call.id, call.carrier_call_id):
                call.hangup()
                return

    async def disconnect(self) -> None:
        """Stop the server, and the calls with it. Harmless where there is none."""
        if self._server is not None and self._server.owner in (None, self):
            await self._server.stop()

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.disconnect()

    # How.

    def _not_ready(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Whoever waits for `ready` hears why it does not come. A server that runs goes on."""
        if isinstance(error, Exception) and (self._server is None or self._server.stopped):
            self._readiness.failed(text_of(error))

    async def _started(self) -> PhoneServer:
        """The server for a call. Whoever gives the call up meanwhile leaves it to start: other calls may wait for it."""
        starting = asyncio.create_task(self._start_for_a_call(), name="server for a call")
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)
        starting.add_done_callback(lambda done: done.cancelled() or done.exception())  # also when nobody waits any more
        return await asyncio.shield(starting)

    async def _start_for_a_call(self) -> PhoneServer:
        """The server that runs, or a new one: on any free port where the usual one is another's and the tunnel leads to any."""
        other, leads_to_one = served(PORT), bool(getattr(self._tunnel, "hostname", ""))
        fits = other is None or other.fits(self._need_carrier(), self._phone_number, self._tunnel)
        taken = not fits and other is not self._server
        if not taken or (self._server is not None and not self._server.stopped):
            try:
                return await self._start(PORT, None, False)
            except OSError as error:
                taken = error.errno == errno.EADDRINUSE
                if not taken:
                    raise
        if leads_to_one:
            raise PatterError(f"Port {PORT} is taken, so no server is started for the call: serve(agent, port=...) before it.")
        return await self._start(0, None, False)

    async def _start(self, port: int, tunnel: Tunnel | bool | None, manage: bool | None) -> PhoneServer:
        """The server that runs, or a new one."""
        running = self._server
        carrier, number = self._need_carrier(), self._need_number()
        goes = running if running is not None and not running.stopped else None
        left_out = self._tunnel if goes is None else goes.tunnel  # a call goes by the server that runs, whatever opened it
        way = read_tunnel(tunnel) if tunnel is not None else left_out
        if goes is not None and port in (0, PORT, goes.port) and way in (None, goes.tunnel):
            port, way = goes.port, goes.tunnel
        way = need_tunnel(way)
        known = served(port) if port else None
        if known is not None and not known.fits(carrier, number, way):
            if known is not running:
                say(f"The server of {mask_number(known.number)} on port {port} stops with its calls: this one takes its place.")
            await known.stop()
            known = None
        if known is None:
            known = PhoneServer(carrier, number, way, port=port, tell=say)
            known.listen()
            if goes is not None:
                self._readiness = Readiness()  # what is known of that one stays its own
            self._server = known
            self._readiness.begin()
            replaced = goes if goes is not None and goes.owner in (None, self) else None
            await known.start(self._readiness, self._webhook(known, manage), replaced)
            await known.until_ready()
            return known
        await known.until_ready()
        if known is not running:  # another phone's, of a cell that was run again
            self._readiness.opened(known.host)
            self._readiness.done(known.host)
            self._server, self._readiness = known, known.readiness
        if manage is not False:
            await known.point(manage)
        return known

    def _webhook(self, server: PhoneServer, manage: bool | None) -> Callable[[str], NumberWebhook]:
        folder = None if self._store is None else self._store.directory

        def tell(line: str) -> None:
            if self._served is not None:  # who only calls others need not know where the number points
                server.tell(line)

        def made(origin: str) -> NumberWebhook:
            return NumberWebhook(
                server.rest,
                server.number,
                voice_url=f"{origin}{ANSWER}",
                status_url=f"{origin}{STATUS}",
                folder=folder,
                secret=server.carrier.credentials().auth_token,
                tell=tell,
                manage=manage,
            )

        return made

    # What was given.

    def _need_carrier(self) -> Twilio:
        if self._carrier is None:
            raise ConfigError("carrier is missing: Patter(carrier=Twilio(), phone_number=...) says over which line calls go.")
        self._carrier.credentials()
        self._carrier.signing_token()  # what becomes of a call is told by signed webhooks
        return self._carrier

    def _need_number(self) -> str:
        if not self._phone_number:
            raise ConfigError("phone_number is missing: Patter(carrier=..., phone_number=...) needs one that the account owns.")
        return self._phone_number


def check_recording(recording: Any, *, people: bool = True) -> bool:
    """Whether calls are recorded; where there are `people` on the line, it is said once what that means."""
    if not isinstance(recording, bool):
        raise ConfigTypeError(f"recording is {recording!r}; it must be True or False.")
    if recording and people and not _consented:
        _consented.append(True)
        say(CONSENT)
    return bool(recording)


def check_manage(manage: Any) -> bool | None:
    """What is said of the number's webhook: a word for no would else point it here."""
    if manage is not None and not isinstance(manage, bool):
        raise ConfigTypeError(f"manage_webhook is {brief(manage)}; it must be True, False, or left out.")
    return manage


def check_text(name: str, text: Any) -> str:
    if not isinstance(text, str):
        raise ConfigTypeError(f"{name} is {type(text).__name__}; it must be a string.")
    return text


def check_ring_timeout(seconds: Any) -> float:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 5 <= seconds <= 600:
        raise ConfigError(f"ring_timeout is {seconds!r}; it must be seconds from 5 to 600.")
    return float(seconds)


def say(line: str) -> None:
    """A line under the cell that serves, where the one who asked looks."""
    print(line, flush=True)  # noqa: T201


_consented: list[bool] = []
"""Not empty once it was said."""
