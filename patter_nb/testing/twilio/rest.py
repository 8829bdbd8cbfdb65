"""The account's REST API on loopback."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from patter_nb.testing.twilio import orders, resources
from patter_nb.testing.twilio.calling import place
from patter_nb.testing.twilio.line import FINAL, SimulatedLine
from patter_nb.testing.twilio.recorder import CallRecording
from patter_nb.testing.twilio.resources import Json, RefusedError
from patter_nb.testing.twilio.twiml import Document, UnreadableTwimlError, Verb, read

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from patter_nb.testing.twilio.exchange import Exchange
    from patter_nb.testing.twilio.simulator import TwilioSimulator

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class RestRequest:
    """One request to the account's API, and what came of it."""

    method: str
    path: str
    form: tuple[tuple[str, str], ...] = field(repr=False)
    """Of the query or the body, in order, repeated names included."""
    status: int
    code: int | None = None
    """Twilio's number of the error."""

    @property
    def fields(self) -> dict[str, str]:
        """The form with the last value of each name."""
        return dict(self.form)


class Rest:
    """Answers for one account."""

    def __init__(self, simulator: TwilioSimulator, exchange: Exchange) -> None:
        self._simulator = simulator
        self._exchange = exchange
        self.refusals: deque[RefusedError] = deque()
        """What the next requests are answered with, whatever they ask."""

    def app(self) -> Starlette:
        from starlette.applications import Starlette
        from starlette.routing import Route

        account = resources.account_path("{account}")
        routes: list[tuple[str, str, Handler]] = [
            ("POST", f"{account}/Calls.json", self._create_call),
            ("GET", f"{account}/Calls.json", self._list_calls),
            ("GET", f"{account}/Calls/{{sid}}.json", self._fetch_call),
            ("POST", f"{account}/Calls/{{sid}}.json", self._update_call),
            ("POST", f"{account}/Calls/{{sid}}/Recordings.json", self._record),
            ("GET", f"{account}/Recordings/{{sid}}.json", self._fetch_recording),
            ("GET", f"{account}/Recordings/{{sid}}.wav", self._recording_audio),
            ("GET", f"{account}/IncomingPhoneNumbers.json", self._list_numbers),
            ("GET", f"{account}/IncomingPhoneNumbers/{{sid}}.json", self._fetch_number),
            ("POST", f"{account}/IncomingPhoneNumbers/{{sid}}.json", self._update_number),
            ("GET", f"{account}/OutgoingCallerIds.json", self._list_verified),
            ("GET", f"{account}/Balance.json", self._balance),
            ("GET", f"{account}.json", self._account),
            ("GET", "/{path:path}", self._unknown),
            ("POST", "/{path:path}", self._unknown),
        ]
        return Starlette(routes=[Route(path, self._guarded(handler), methods=[method]) for method, path, handler in routes])

    def _guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            from starlette.responses import JSONResponse, Response

            body = (await request.body()).decode("utf-8", "replace") if request.method == "POST" else request.url.query
            pairs = parse_qsl(body, keep_blank_values=True)
            code, headers = None, {}
            try:
                self._authenticate(request)
                if self.refusals:
                    raise self.refusals.popleft()
                status, content = await handler(request.path_params.get("sid", ""), pairs)
            except RefusedError as refused:
                status, content, code, headers = refused.status, refused.body(), refused.code, refused.headers
            kept = RestRequest(request.method, request.url.path, tuple(pairs), status, code)
            self._simulator.requests.append(kept)
            self._exchange.changed()
            if isinstance(content, bytes):
                return Response(content, status, media_type="audio/x-wav")
            return JSONResponse(content, status, headers)

        return answer

    def _authenticate(self, request: Request) -> None:
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            user, _, password = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user = password = ""
        keys = {self._simulator.account_sid: self._simulator.auth_token, self._simulator.api_key: self._simulator.api_secret}
        if kind.lower() != "basic" or not hmac.compare_digest(keys.get(user, "\0").encode(), password.encode()):
            raise RefusedError(20003, "Authenticate", 401)
        if request.path_params.get("account", self._simulator.account_sid) != self._simulator.account_sid:
            raise resources.not_found(request.url.path)

    # Calls.

    async def _create_call(self, _: str, pairs: Pairs) -> tuple[int, Json]:
        simulator, exchange = self._simulator, self._exchange
        rights = orders.Rights(simulator.numbers, frozenset(simulator.verified), simulator.trial, tuple(simulator.blocked))
        asked = orders.placed_call(pairs, rights)
        line = SimulatedLine(exchange, "outbound-api", asked.from_number, asked.to_number, asked.callback)
        if asked.notice:
            line.warn(*asked.notice)
        body = resources.call(line, simulator.account_sid)
        exchange.hold(line, place(line, asked.order))
        return 201, body

    async def _list_calls(self, _: str, pairs: Pairs) -> tuple[int, Json]:
        given = orders.Given(pairs, frozenset({"Status", "To", "From", "PageSize", "Page"}))
        wanted = {name.lower(): given.one(name) for name in ("Status", "To", "From") if name in given}
        calls = [resources.call(line, self._simulator.account_sid) for line in reversed(tuple(self._simulator.lines.values()))]
        found = [call for call in calls if all(call[name] == value for name, value in wanted.items())]
        return 200, resources.page("calls", found, f"{self._path}/Calls.json")

    async def _fetch_call(self, sid: str, _: Pairs) -> tuple[int, Json]:
        return 200, resources.call(self._line(sid), self._simulator.account_sid)

    async def _update_call(self, sid: str, pairs: Pairs) -> tuple[int, Json]:
        line = self._line(sid)
        given = orders.Given(pairs, orders.UPDATE)
        status = given.choice("Status", ("", "completed", "canceled"), "")
        twiml, url = given.one("Twiml"), given.url("Url", 21205)
        if sum(map(bool, (status, twiml, url))) != 1:
            raise RefusedError(orders.INVALID_PARAMETER, "give one of Twiml, Url and Status")
        if line.status in FINAL or line.leaving:
            raise RefusedError(21220, "Call is not in-progress. Cannot redirect.")
        if status:
            rings = line.status in ("queued", "ringing")
            shown = resources.call(line, self._simulator.account_sid)
            if status == "completed" or rings:
                line.dismiss()
                shown["status"] = "canceled" if rings else "completed"
            return 200, shown
        if line.status != "in-progress":
            raise RefusedError(21220, "Call is not in-progress. Cannot redirect.")
        if twiml:
            self._redirect(line, twiml)
        else:
            line.redirect(Document((Verb("Redirect", {"method": given.method("Method")}, url),)))
        return 200, resources.call(line, self._simulator.account_sid)

    def _redirect(self, line: SimulatedLine, twiml: str) -> None:
        try:
            line.redirect(read(twiml))
        except UnreadableTwimlError as error:
            raise RefusedError(orders.INVALID_PARAMETER, f"Twiml is no TwiML: {error}") from error

    def _line(self, sid: str) -> SimulatedLine:
        if sid not in self._simulator.lines:
            raise resources.not_found(f"{self._path}/Calls/{sid}.json")
        return self._simulator.lines[sid]

    # Recordings.

    async def _record(self, sid: str, pairs: Pairs) -> tuple[int, Json]:
        line = self._line(sid)
        given = orders.Given(pairs, orders.RECORD)
        channels = given.choice("RecordingChannels", ("mono", "dual"), "mono")
        given.choice("RecordingTrack", ("both",), "both")
        given.choice("RecordingTrack", ("both",), "both")
        callback = given.url("RecordingStatusCallback", 21609)
        method = given.method("RecordingStatusCallbackMethod")
        if line.status != "in-progress":
            raise RefusedError(21220, "Requested resource is not eligible for recording")
        made = CallRecording(line.sid, line.position, 2 if channels == "dual" else 1, callback, method)
        line.record(made)
        return 201, resources.recording(made, line, self._simulator.account_sid)

    def _recording(self, sid: str, kind: str) -> CallRecording:
        for made in self._exchange.recordings():
            if made.sid == sid and (kind == "json" or made.status == "completed"):
                return made
        raise resources.not_found(f"{self._path}/Recordings/{sid}.{kind}")

    async def _fetch_recording(self, sid: str, _: Pairs) -> tuple[int, Json]:
        made = self._recording(sid, "json")
        return 200, resources.recording(made, self._line(made.call_sid), self._simulator.account_sid)

    async def _recording_audio(self, sid: str, _: Pairs) -> tuple[int, bytes]:
        return 200, self._recording(sid, "wav").wav()

    # The account.

    @property
    def _path(self) -> str:
        return resources.account_path(self._simulator.account_sid)

    async def _list_numbers(self, _: str, pairs: Pairs) -> tuple[int, Json]:
        given = orders.Given(pairs, frozenset({"PhoneNumber", "PageSize", "Page"}))
        part = given.one("PhoneNumber")
        found = [self._number(owned.sid) for owned in self._simulator.numbers.values() if part in owned.number]
        return 200, resources.page("incoming_phone_numbers", found, f"{self._path}/IncomingPhoneNumbers.json")

    def _number(self, sid: str) -> Json:
        for owned in self._simulator.numbers.values():
            if owned.sid == sid:
                return resources.number(owned, self._simulator.account_sid, self._simulator.since)
        raise resources.not_found(f"{self._path}/IncomingPhoneNumbers/{sid}.json")

    async def _fetch_number(self, sid: str, _: Pairs) -> tuple[int, Json]:
        return 200, self._number(sid)

    async def _update_number(self, sid: str, pairs: Pairs) -> tuple[int, Json]:
        self._number(sid)
        given = orders.Given(pairs, orders.NUMBER)
        owned = next(owned for owned in self._simulator.numbers.values() if owned.sid == sid)
        changes = {
            "voice_url": given.url("VoiceUrl", 21502),
            "voice_method": given.method("VoiceMethod"),
            "status_callback": given.url("StatusCallback", 21609),
            "status_callback_method": given.method("StatusCallbackMethod"),
            "friendly_name": given.one("FriendlyName"),
        }
        for name, value in changes.items():
            if "".join(part.capitalize() for part in name.split("_")) in given:
                setattr(owned, name, value)
        return 200, self._number(sid)

    async def _list_verified(self, _: str, pairs: Pairs) -> tuple[int, Json]:
        given = orders.Given(pairs, frozenset({"PhoneNumber", "PageSize", "Page"}))
        part = given.one("PhoneNumber")
        account = self._simulator.account_sid
        found = [
            resources.verified_number(phone, f"PN{binascii.crc32(phone.encode()):032x}", account, self._simulator.since)
            for phone in self._simulator.verified
            if part in phone
        ]
        return 200, resources.page("outgoing_caller_ids", found, f"{self._path}/OutgoingCallerIds.json")

    async def _balance(self, _: str, __: Pairs) -> tuple[int, Json]:
        balance = {"account_sid": self._simulator.account_sid, "balance": f"{self._simulator.balance_usd:.2f}", "currency": "USD"}
        return 200, balance

    async def _account(self, _: str, __: Pairs) -> tuple[int, Json]:
        since = self._simulator.since
        return 200, resources.account(self._simulator.account_sid, trial=self._simulator.trial, since=since)

    async def _unknown(self, _: str, __: Pairs) -> tuple[int, Json]:
        raise resources.not_found("asked for")


Handler = Callable[[str, Pairs], Awaitable[tuple[int, Json | bytes]]]
