"""A call on a real line as it was ordered, or as it came in: dialled, rung, held, and looked after when it is over."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patter_nb.call import Call
from patter_nb.carriers.twilio import twiml
from patter_nb.carriers.twilio.control import TwilioLine
from patter_nb.carriers.twilio.webhooks import ENDED, RINGING, CallStatus, MachineVerdict
from patter_nb.errors import CarrierError
from patter_nb.live import Live
from patter_nb.records.facts import Direction
from patter_nb.records.line_usage import line_usage, usage_beside
from patter_nb.records.lines import told_at
from patter_nb.records.log import CallLog
from patter_nb.records.price_list import MACHINE_DETECTION, MEDIA_STREAM, RECORDING
from patter_nb.session.boundary import guard, guarded
from patter_nb.session.session import Session
from patter_nb.spoken import SpokenCall, aside
from patter_nb.telephony.addresses import LEG, RECORDED, STREAM, webhook
from patter_nb.telephony.dialling import Dialling
from patter_nb.telephony.media import MediaSocket
from patter_nb.telephony.prewarm import Warm
from patter_nb.turns.events import MachineDetected

if TYPE_CHECKING:
    from patter_nb.telephony.server import PhoneServer

SOCKET_SECONDS = 15.0
"""How long the carrier may take to open the media stream of a call that is answered."""
GRACE_SECONDS = 30.0
"""How long after the ringing was to end its outcome may come."""

OUTCOMES = {"no-answer": "no answer", "busy": "busy", "failed": "failed", "canceled": "canceled"}
"""What ends a call that nobody answered, by the carrier's word for it."""
NO_AUDIO = "its audio never came"
SHOWN = ("dialed", "carrier_status", "machine_detected", "carrier_price")
"""Events that change what a card says."""
SHOWN_CHARACTERS = 400
"""Of a caller's or callee's name in the stream's parameters: a carrier takes no more than 500. A SIP address may be longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineTerms:
    """What a call on a line is held under."""

    direction: Direction
    caller: str
    callee: str
    source: str = "telephone"
    server: PhoneServer | None = None
    """Where it came in; one that is dialled has its server from `dialling`."""
    carrier_call_id: str = ""
    dialling: Dialling | None = None
    voicemail: str = ""
    recording: bool = False
    """Whether the carrier records it as well."""
    keep: Callable[[str, bytes], Path | None] = lambda *_: None
    """Keeps the carrier's recording (call id, WAV) beside ours; None where nothing is kept."""


class LineCall(SpokenCall):
    """One call. It begins before it is answered, so that what it needs is there when it is."""

    carrier = "twilio"

    def __init__(self, log: CallLog, live: Live, terms: LineTerms, **shared: Any) -> None:
        super().__init__(log, live, **shared)
        self.terms = terms
        self.direction, self.caller, self.callee = terms.direction, terms.caller, terms.callee
        self.source = terms.source
        self.carrier_call_id = terms.carrier_call_id
        self.call: Call | None = None
        self.server = terms.server
        self.token = secrets.token_urlsafe(32)
        self.answered = False
        self.status = ""
        """The carrier's last word on it."""
        self.asked_price = False
        """Whether the carrier is asked, or was, what it charged."""
        self.recordings: set[str] = set()
        """The carrier's ids of recordings that it has told of."""
        self._spent = False
        self._news: asyncio.Future[MediaSocket | str] = asyncio.get_running_loop().create_future()
        """Its audio, or the word with which it ended before there was any."""
        self.over = asyncio.Event()

    @property
    def call_id(self) -> str:
        return self._live.call_id

    @property
    def is_on(self) -> bool:
        """Whether it goes on, or is about to begin."""
        return self.call is None or self.call.state == "running"

    @property
    def is_spent(self) -> bool:
        """Whether nobody is let in for its audio any more: it has been there, or the call is over without it."""
        return self._spent or self._news.done()

    @property
    def twiml(self) -> str:
        """What the carrier is told to do with the call: stream its audio here, and hang up when we do."""
        assert self.server is not None
        url = f"wss://{self.server.host}{STREAM}/{self.call_id}"
        sides = {"caller": self.caller[:SHOWN_CHARACTERS], "callee": self.callee[:SHOWN_CHARACTERS]}
        return twiml.connect_stream(url, {"token": self.token, **sides})

    # What the carrier tells.

    def admits(self, token: str, carrier_call_id: str) -> bool:
        """Whether a socket is this call's: it has the token, for the first time, and the carrier's id of the call."""
        known = hmac.compare_digest(token.encode(errors="surrogatepass"), self.token.encode())
        same = not self.carrier_call_id or carrier_call_id == self.carrier_call_id
        if not known or not same or self.is_spent:
            return False
        self._spent = True
        self.carrier_call_id = carrier_call_id
        return True

    def connected(self, socket: MediaSocket) -> None:
        """Its audio is there."""
        self._news.set_result(socket)

    def told(self, status: CallStatus) -> None:
        """The carrier said how the call stands."""
        if self.status in ENDED:
            return
        self.status = status.status
        self.event("carrier_status", {"status": status.status, "reason": status.error, "told_at": told_at()})
        if status.ended:
            if not self._news.done():
                self._news.set_result(OUTCOMES.get(status.status, "hung up before it was connected"))
            self.over.set()

    def machine(self, verdict: MachineVerdict) -> None:
        """The carrier said who answered."""
        told = MachineDetected(verdict.classification, verdict.raw, verdict.after_ms)
        if self.call is None or not self.call._hand_over(told):
            self.event("machine_detected", asdict(told))

    def event(self, kind: str, data: Mapping[str, object]) -> None:
        """Write down what happened, at this instant of the call's clock."""
        at = 0.0 if self.call is None else self.call.duration_seconds
        self._log.event(self.call_id, at, kind, data)
        if self.call is not None and kind in SHOWN:
            self.call.refresh()

    # The call.

    async def hold(self, call: Call) -> None:
        """Dial where it is ours to dial, and hold the call when it is answered."""
        self.call = call
        call.carried(self.carrier_call_id)
        if self.carrier_call_id:
            self.event("incoming", {"carrier_call_id": self.carrier_call_id, "told_at": told_at()})
        async with AsyncExitStack() as ending:
            ending.push_async_callback(self._shut)
            terms = await self._begin(call)
            asks_model = self._callbacks.on_message is None
            warm = await ending.enter_async_context(Warm.begin(self._agent, call.id, self._log, asks_model=asks_model))
            if self.terms.dialling is not None:
                ending.push_async_callback(self._let_go)
                await self._dial(call, self.terms.dialling)
            ear = await self._ear(call.id)
            socket = await self._picked_up(call)
            if socket is None:
                return
            ending.push_async_callback(socket.close)
            carried = {"call_line": self._control(), "carrier_call_id": self.carrier_call_id, "voicemail": self.terms.voicemail}
            session = Session(self._setup(call, terms, ear, socket, streams=warm.adopt(self._agent), **carried))
            call.attach(session)
            try:
                async with aside(self._started()):
                    await session.run()
            finally:
                self._bill(session.duration_seconds)
                if self.server is not None:  # not all numbers tell us of an end: their owner set no address for it
                    self.server.afterwards.over(self)
            if socket.flooded:
                raise CarrierError("The carrier sent more messages than a call has, so the call was ended.")

    async def _shut(self) -> None:
        """Let nobody in any more, and hang up where somebody is: also when the call ends before it comes to its audio."""
        news = self._news.result() if self._news.done() else None
        self._spent, self._news = True, asyncio.get_running_loop().create_future()  # which keeps no socket
        if isinstance(news, MediaSocket):
            await news.close()

    async def _dial(self, call: Call, dialling: Dialling) -> None:
        """Order the call. `CarrierError` when the carrier refuses it."""
        self.server = server = await dialling.server()
        server.desk.add(self)
        self.carrier_call_id = await dialling.dial(server, self)
        call.carried(self.carrier_call_id)
        self.event("dialed", {"carrier_call_id": self.carrier_call_id, "told_at": told_at()})

    async def _picked_up(self, call: Call) -> MediaSocket | None:
        """Wait until its audio is there; None when the call ends before."""
        dialling = self.terms.dialling
        seconds = SOCKET_SECONDS if dialling is None else dialling.ring_timeout_seconds + GRACE_SECONDS
        await asyncio.wait((self._news,), timeout=seconds)
        if not self._news.done():
            rings = dialling is not None and self.status in ("", *RINGING)
            self._news.set_result("no answer" if rings else NO_AUDIO)
        news = self._news.result()
        if isinstance(news, MediaSocket):
            self.answered = True
            return news
        if news == NO_AUDIO:
            raise CarrierError(f"The call was answered, and then {NO_AUDIO}: is the public address still that of this server?")
        call.ends(news)
        return None

    def _control(self) -> TwilioLine:
        server = self.server
        assert server is not None
        return TwilioLine(
            server.rest,
            self.carrier_call_id,
            number=server.number,
            legs=server.desk.legs,
            status_url=webhook(server.origin, LEG, self.call_id),
            caller_id=self.caller if self.direction == "outbound" else "",
            language=twiml.spoken_language(self._agent.language),
        )

    async def _let_go(self) -> None:
        """Let the carrier stop ringing for a call that nobody waits for any more."""
        if self.carrier_call_id and not self.answered and self.status not in ENDED:
            await guarded(self._control().hang_up(), self._failed, who="the carrier")

    async def _started(self) -> None:
        """What the carrier is asked for once the call is answered."""
        if self.terms.recording and self.server is not None:
            with guard(self._failed, who="the carrier"):
                url = webhook(self.server.origin, RECORDED, self.call_id)
                await self.server.rest.start_recording(self.carrier_call_id, url)

    def _bill(self, seconds: float) -> None:
        """Write down what the carrier bills for, by our own clock; its price, once it is known, counts in the place of this."""
        prices, terms = self._log.prices, self.terms
        usage = [line_usage(self.direction, seconds, self.callee, prices=prices)]
        usage.append(usage_beside(MEDIA_STREAM, seconds, prices=prices))
        if terms.dialling is not None and terms.dialling.machine_detection:
            usage.append(usage_beside(MACHINE_DETECTION, prices=prices))
        if terms.recording:
            usage.append(usage_beside(RECORDING, seconds, prices=prices))
        for each in usage:
            self.event("call_usage", {"usage": each})

    def _failed(self, error: str) -> None:
        self.event("carrier_error", {"error": error})
