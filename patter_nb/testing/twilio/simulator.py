"""The simulated carrier, as its user sees it."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from patter_nb.carriers.twilio.finish import to_its_end
from patter_nb.errors import ConfigError
from patter_nb.testing.twilio.callee import Callee
from patter_nb.testing.twilio.calling import come_in
from patter_nb.testing.twilio.clock import LineClock
from patter_nb.testing.twilio.exchange import Exchange, OwnedNumber, new_sid
from patter_nb.testing.twilio.line import SimulatedLine, StatusCallback
from patter_nb.testing.twilio.person import caller as people_caller
from patter_nb.testing.twilio.posts import Posted
from patter_nb.testing.twilio.resources import RefusedError
from patter_nb.testing.twilio.rest import Rest, RestRequest

if TYPE_CHECKING:
    from patter_nb.carriers.twilio import Twilio
    from patter_nb.server import LoopServer
    from patter_nb.tunnels.base import OpenTunnel, Tell

T = TypeVar("T")

START_SECONDS = 30.0


class SimulatedTunnel:
    """A tunnel that only the simulator knows: its public name reaches the port of this machine."""

    def __init__(self, simulator: TwilioSimulator, hostname: str) -> None:
        self._simulator = simulator
        self.hostname = hostname

    @asynccontextmanager
    async def open(self, port: int, tell: Tell) -> AsyncIterator[OpenTunnel]:
        from patter_nb.tunnels.base import OpenTunnel

        self._simulator.route(self.hostname, port)
        tell(f"The simulated carrier reaches port {port} as {self.hostname}.")
        try:
            yield OpenTunnel(self.hostname)
        finally:
            self._simulator.hosts.pop(self.hostname, None)

    def __repr__(self) -> str:
        return f"<SimulatedTunnel {self.hostname}>"


class TwilioSimulator:
    """A Twilio account with `numbers`, on this machine. Use it with `async with`, from any loop.

    `speed` is how many seconds of the telephone pass in one of the clock; the served side has its own. `trial`: calls go to
    `verified` numbers only. `synthetic`: texts of callers are spoken by a signal without words, made without any model.
    `callees` says who answers which number, `callee` who answers any other.
    """

    def __init__(
        self,
        numbers: Sequence[str] = ("+15550001234",),
        *,
        hostname: str = "rehearsal.example.com",
        callee: Callee | None = None,
        trial: bool = False,
        verified: Sequence[str] = (),
        speed: float = 1.0,
        synthetic: bool = False,
        price_per_minute_usd: float = 0.014,
        price_after_seconds: float = 0.5,
        account_sid: str = "",
        auth_token: str = "",
    ) -> None:
        if not numbers:
            raise ConfigError("numbers of the simulator is empty; give the account at least one, such as +15550001234.")
        self.numbers = {number: OwnedNumber(number) for number in numbers}
        self.number = numbers[0]
        self.callee = callee or Callee()
        self.callees: dict[str, Callee] = {}
        self.trial = trial
        self.verified = list(verified)
        self.blocked: list[str] = []
        """Beginnings of numbers that the account has no permission to call."""
        self.balance_usd = 20.0
        self.price_per_minute_usd = price_per_minute_usd
        self.price_after_seconds = price_after_seconds
        self.account_sid = account_sid or new_sid("AC")
        self.auth_token = auth_token or uuid.uuid4().hex
        self.api_key, self.api_secret = new_sid("SK"), uuid.uuid4().hex
        self.synthetic = synthetic
        self.tunnel = SimulatedTunnel(self, hostname)
        self.since = datetime.now(UTC)
        self.lines: dict[str, SimulatedLine] = {}
        """Every call by its sid, also those that were dialled from others."""
        self.requests: list[RestRequest] = []
        """What was asked of the REST API."""
        self.webhooks: list[Posted] = []
        """What was sent to the served side, and what came back."""
        self.hosts: dict[str, int] = {}
        self._speed = speed
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"<TwilioSimulator {len(self.numbers)} numbers, {len(self.lines)} calls>"

    # Its life.

    async def __aenter__(self) -> TwilioSimulator:
        try:
            await to_its_end(asyncio.to_thread(self.start))
        except asyncio.CancelledError:  # whoever enters it was cancelled, and it has begun meanwhile
            await asyncio.shield(asyncio.to_thread(self.close))
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.shield(asyncio.to_thread(self.close))

    def start(self, port: int = 0) -> None:
        """Begin, in a thread with a loop of its own."""
        if self._loop is not None:
            raise RuntimeError("this simulator runs already; make another one")
        loop = self._loop = asyncio.new_event_loop()
        runner = asyncio.Runner(loop_factory=lambda: loop)  # which leaves this thread without a loop of its own
        self._thread = threading.Thread(target=_serve, args=(runner,), name="simulated carrier", daemon=True)
        self._thread.start()
        opened = False
        try:
            self._there(self._open(port)).result(START_SECONDS)
            opened = True
        finally:
            if not opened:
                self._leave_thread()

    def close(self) -> None:
        """End every call and stop. Harmless twice."""
        if self._loop is None or self._loop.is_closed():
            return
        try:
            self._there(self._close()).result(START_SECONDS)
        finally:
            self._leave_thread()

    def _leave_thread(self) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_SECONDS)

    async def _open(self, port: int) -> None:
        from patter_nb.server import serve

        self._exchange = Exchange(self, LineClock(self._speed))
        self._exchange.posts.hosts = self.hosts
        self._rest = Rest(self, self._exchange)
        self._server: LoopServer = serve(self._rest.app(), loop=asyncio.get_running_loop(), port=port)

    async def _close(self) -> None:
        await self._exchange.close()
        self._server.close()  # its task ends with the loop, which is sooner than it would by itself

    # The account.

    @property
    def url(self) -> str:
        """Where the REST API listens."""
        return self._server.url

    @property
    def carrier(self) -> Twilio:
        """A `Twilio` with this account's made-up credentials, pointed at this machine."""
        from patter_nb.carriers.twilio import Twilio

        return Twilio(account_sid=self.account_sid, auth_token=self.auth_token, base_url=self.url)

    def route(self, hostname: str, port: int) -> None:
        """Let a public host name reach a port of this machine. Names without a route reach nothing."""
        self.hosts[hostname] = port

    def dial_in(self, url: str, *, number: str = "", method: str = "POST") -> None:
        """Let calls to a number go to this address, as if it had been configured by hand."""
        owned = self._owned(number)
        owned.voice_url, owned.voice_method = url, method

    def refuse(
        self,
        code: int,
        message: str = "refused for the test",
        *,
        status: int = 400,
        times: int = 1,
        retry_after: int | None = None,
    ) -> None:
        """Answer the next `times` REST requests with this error."""
        refused = [RefusedError(code, message, status, retry_after=retry_after) for _ in range(times)]
        self._rest.refusals.extend(refused)

    # Calls.

    async def call(
        self,
        caller: Any = (),
        *,
        from_number: str = "+15557654321",
        to_number: str = "",
        url: str = "",
        expects_greeting: bool = True,
        no_reply_seconds: float = 8.0,
        hang_up_seconds: float = 1.0,
        max_seconds: float = 600.0,
    ) -> SimulatedLine:
        """Call a number of the account, as somebody who says the lines of `caller`, hears the replies and hangs up.

        `caller` is what `phone.test(caller=...)` takes, or a list of `SpokenLine`s; empty: somebody who listens until the other
        side hangs up. `url` is called instead of what is configured for the number. The line comes back when the telephone
        rings; `await line.ended()` waits for its end.
        """
        owned = self._owned(to_number)
        voice_url = url or owned.voice_url
        if not voice_url:
            raise ConfigError(f"nothing is configured to answer {owned.number}: serve with manage_webhook=True, or give url=.")
        manners = {
            "waits": expects_greeting,
            "no_reply_seconds": no_reply_seconds,
            "hang_up_seconds": hang_up_seconds,
            "max_seconds": max_seconds,
        }
        person = await people_caller(caller, synthetic=self.synthetic, **manners)

        async def begin() -> SimulatedLine:
            callback = StatusCallback(owned.status_callback, owned.status_callback_method)
            line = SimulatedLine(self._exchange, "inbound", from_number, owned.number, callback)
            line.person = person
            return self._exchange.hold(line, come_in(line, voice_url, owned.voice_method))

        return await asyncio.wrap_future(self._there(begin()))

    def _owned(self, number: str) -> OwnedNumber:
        owned = self.numbers.get(number or self.number)
        if owned is None:
            raise ConfigError(f"the simulated account has no number {number}; it has {', '.join(self.numbers)}.")
        return owned

    # What happened.

    def posted(self, kind: str) -> list[Posted]:
        """The webhooks of one kind: voice, status, amd, recording, redirect or action."""
        return [posted for posted in tuple(self.webhooks) if posted.kind == kind]

    async def until(self, what: Callable[[TwilioSimulator], T], *, seconds: float = 10.0) -> T:
        """Wait until `what(simulator)` is true and give it back; `TimeoutError` after `seconds`."""
        waiter = (asyncio.get_running_loop(), asyncio.Event())
        self._waiting.add(waiter)
        try:
            async with asyncio.timeout(seconds):
                while not (found := what(self)):
                    await waiter[1].wait()
                    waiter[1].clear()
                return found
        finally:
            self._waiting.discard(waiter)

    def changed(self) -> None:
        """Wake whoever waits for something to happen."""
        for loop, event in tuple(self._waiting):
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def _there(self, work: Coroutine[Any, Any, T]) -> Any:
        if self._loop is None:
            work.close()
            raise RuntimeError("the simulator does not run: use it with `async with TwilioSimulator() as sim:`")
        return asyncio.run_coroutine_threadsafe(work, self._loop)


def _serve(runner: asyncio.Runner) -> None:
    with runner:
        runner.get_loop().run_forever()
