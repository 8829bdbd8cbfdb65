"""Twilio's REST API of 2010-04-01, as far as calls need it.

A request that changes something is sent once: whether a call was placed is unknown when its answer is lost, and a second request
would ring again. What only asks is asked again when Twilio is busy or the connection fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from patter_nb.carriers.twilio.finish import to_its_end
from patter_nb.carriers.twilio.numbers import e164, masked, sid
from patter_nb.carriers.twilio.refusals import NOT_IN_PROGRESS, TwilioError, refusal
from patter_nb.carriers.twilio.resources import (
    AccountResource,
    BalanceResource,
    CallResource,
    Dial,
    NumberResource,
    account_resource,
    balance_resource,
    call_resource,
    named,
    number_resource,
)
from patter_nb.carriers.twilio.settings import Credentials, Twilio
from patter_nb.carriers.twilio.twiml import MOST_CHARACTERS
from patter_nb.carriers.twilio.webhooks import ENDED, RINGING
from patter_nb.errors import CarrierError, ConfigError
from patter_nb.web.post import tls

if TYPE_CHECKING:
    import httpx

__all__ = ["AccountResource", "BalanceResource", "CallResource", "Dial", "NumberResource", "TwilioError", "TwilioRest"]

VERSION = "/2010-04-01"
TRIES = 3
LONGEST_PAUSE_SECONDS = 10.0
"""Whoever is told to wait for longer is not kept waiting."""
MOST_PAGES = 20

Fields = Sequence[tuple[str, str]]


class TwilioRest:
    """The REST API of one account, for the loop that uses it. `CarrierError` says what was refused, and the remedy."""

    def __init__(self, twilio: Twilio, *, pause_seconds: float = 0.5) -> None:
        self._twilio = twilio
        self._pause_seconds = pause_seconds
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"TwilioRest({self._twilio!r})"

    # Calls.

    async def create_call(self, dial: Dial) -> str:
        """Place a call, and return its SID: it rings from now on. It is asked for once, whatever happens.

        Who is cancelled meanwhile never learns the SID, so the call is ended before that goes on.
        """
        placed = []

        async def place() -> None:
            placed.append(named(await self._post("/Calls.json", _dial_fields(dial), "place the call"), "CA"))

        try:
            await to_its_end(place())
        except asyncio.CancelledError:
            for call_sid in placed:
                with contextlib.suppress(CarrierError):
                    await self.end_call(call_sid)
            raise
        return placed[0]

    async def update_call(self, call_sid: str, *, twiml: str | None = None, status: str | None = None) -> CallResource:
        """Give a running call other TwiML, or end it: "canceled" while it rings, "completed" also when it was answered."""
        if (twiml is None) == (status is None):
            raise ConfigError("update_call() takes either twiml= or status=.")
        if status not in (None, "canceled", "completed"):
            raise ConfigError('update_call(status=...) takes "canceled" or "completed".')
        fields = [("Status", status)] if status is not None else [("Twiml", _short_enough(twiml or ""))]
        what = "end the call" if status is not None else "redirect the call"
        return call_resource(await self._post(f"/Calls/{sid(call_sid, 'CA')}.json", fields, what))

    async def end_call(self, call_sid: str) -> None:
        """End a call, in whatever state it is: one that rings is withdrawn, one that was answered is completed."""
        status = (await self.fetch_call(call_sid)).status
        if status in ENDED:
            return
        if status in RINGING and await self._ended(call_sid, "canceled"):
            return
        await self._ended(call_sid, "completed")  # answered, perhaps in this moment

    async def _ended(self, call_sid: str, status: str) -> bool:
        """Whether the call is over by that; it may have been already."""
        try:
            return (await self.update_call(call_sid, status=status)).status in ENDED
        except TwilioError as error:
            if error.code != NOT_IN_PROGRESS:
                raise
            return False

    async def fetch_call(self, call_sid: str) -> CallResource:
        """The call as Twilio sees it now."""
        return call_resource(await self._get(f"/Calls/{sid(call_sid, 'CA')}.json", (), "look up the call"))

    # Recordings.

    async def start_recording(self, call_sid: str, callback_url: str) -> str:
        """Record an answered call, each side in a channel; the recording's SID. `callback_url` is told when it is there."""
        fields = [
            ("RecordingStatusCallback", callback_url),
            ("RecordingStatusCallbackMethod", "POST"),
            ("RecordingStatusCallbackEvent", "completed"),
            ("RecordingStatusCallbackEvent", "absent"),
            ("RecordingChannels", "dual"),
            ("RecordingTrack", "both"),
        ]
        found = await self._post(f"/Calls/{sid(call_sid, 'CA')}/Recordings.json", fields, "record the call")
        return named(found, "RE")

    async def recording_audio(self, recording_sid: str) -> bytes:
        """A WAV file of both sides. It may lie elsewhere, where the keys do not go along."""
        path = f"/Recordings/{sid(recording_sid, 'RE')}.wav?RequestedChannels=2"
        return await self._ask(_Ask("GET", path, (), "hand over the recording", AUDIO))

    # Numbers.

    async def find_number(self, number: str) -> NumberResource | None:
        """The account's number, None when it has no such one."""
        wanted = e164(number)
        found = await self._get("/IncomingPhoneNumbers.json", (("PhoneNumber", wanted),), "look up the number")
        numbers = [number_resource(each) for each in _listed(found, "incoming_phone_numbers")]
        return next((each for each in numbers if each.phone_number == wanted), None)

    async def configure_number(
        self, number_sid: str, *, voice_url: str, voice_method: str, status_url: str, status_method: str = "POST"
    ) -> NumberResource:
        """Where the number's calls go, and where what becomes of them is told; "" takes a URL away."""
        fields = [
            ("VoiceUrl", voice_url),
            ("VoiceMethod", voice_method),
            ("StatusCallback", status_url),
            ("StatusCallbackMethod", status_method),
        ]
        path = f"/IncomingPhoneNumbers/{sid(number_sid, 'PN')}.json"
        return number_resource(await self._post(path, fields, "change where the number's calls go"))

    # The account.

    async def account(self) -> AccountResource:
        """Whether it is active, and whether it is a trial."""
        return account_resource(await self._get(".json", (), "look up the account"))

    async def verified_numbers(self) -> list[str]:
        """The numbers that a trial account may call."""
        path = "/OutgoingCallerIds.json"
        query: Fields = (("PageSize", "1000"),)
        numbers: list[str] = []
        for _ in range(MOST_PAGES):
            found = await self._get(path, query, "list the verified numbers")
            listed = [each.get("phone_number") for each in _listed(found, "outgoing_caller_ids")]
            numbers += [number for number in listed if isinstance(number, str)]
            if not (following := found.get("next_page_uri")):
                break
            query = _next_query(following, path)
        return numbers

    async def balance(self) -> BalanceResource:
        """What is left to spend; a subaccount has none of its own."""
        return balance_resource(await self._get("/Balance.json", (), "tell the balance"))

    async def close(self) -> None:
        """Close the connections. Harmless when there are none; the next request opens others."""
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            await client.aclose()

    # Requests.

    async def _get(self, path: str, query: Fields, what: str) -> dict[str, Any]:
        return _object(await self._ask(_Ask("GET", path, query, what)), what)

    async def _post(self, path: str, fields: Fields, what: str) -> dict[str, Any]:
        return _object(await self._ask(_Ask("POST", path, fields, what)), what)

    async def _ask(self, ask: _Ask) -> bytes:
        """What came back with success: of the only try, or where nothing changes by it, of one of several."""
        tries = TRIES if ask.method == "GET" else 1
        for tried in range(1, tries):
            try:
                return await self._once(ask)
            except CarrierError as error:
                pause = _pause(error, self._pause_seconds * 2 ** (tried - 1))
                if pause is None:
                    raise
                await asyncio.sleep(pause)
        return await self._once(ask)

    async def _once(self, ask: _Ask) -> bytes:
        """One request and its answer; `CarrierError` with what is wrong, and never with the keys."""
        keys = self._twilio.credentials()
        client = await self._opened()
        try:
            async with asyncio.timeout(ask.bounds.seconds):
                status, headers, body = await _send(client, self._request(client, keys, ask), ask)
        except TimeoutError:
            told = f"Twilio did not {ask.what} within {ask.bounds.seconds:g} s: {_CHECK}.{ask.doubt}"
            raise _UnreachableError(told) from None
        if 200 <= status < 300:
            return body
        raise refusal(ask.what, status, _parsed(body), retry_after=headers.get("retry-after", ""))

    def _request(self, client: httpx.AsyncClient, keys: Credentials, ask: _Ask) -> httpx.Request:
        """The request. A query goes past the URL, which `httpx` logs: it may hold a phone number."""
        import httpx

        url = f"{self._twilio.base_url.rstrip('/')}{VERSION}/Accounts/{keys.account_sid}{ask.path}"
        fields = urlencode(ask.fields).encode()
        if ask.method == "POST":
            headers = {"content-type": "application/x-www-form-urlencoded"}
            request = client.build_request("POST", url, content=fields, headers=headers)
        else:
            request = client.build_request("GET", url)
            if fields:
                request.extensions["target"] = request.url.raw_path + b"?" + fields
        next(httpx.BasicAuth(*keys.basic).auth_flow(request))
        return request

    async def _opened(self) -> httpx.AsyncClient:
        """The client of this loop, made when it is first needed: another loop cannot use its connections."""
        trusted = await asyncio.to_thread(tls)  # the first time it would hold up the loop
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            import httpx

            limits = httpx.Limits(max_connections=20, max_keepalive_connections=5, keepalive_expiry=30.0)
            encrypted = self._twilio.base_url.startswith("https")
            self._client = httpx.AsyncClient(verify=trusted, limits=limits, timeout=None, trust_env=encrypted, max_redirects=3)
            self._loop = loop
        return self._client


@dataclass(frozen=True, slots=True)
class _Bounds:
    seconds: float
    most_bytes: int
    elsewhere: bool = False
    """Whether the answer may lie at another place."""


ANSWER = _Bounds(15.0, 4 * 2**20)
AUDIO = _Bounds(120.0, 256 * 2**20, elsewhere=True)
"""The audio of a recording: some two hours of both sides."""


@dataclass(frozen=True, slots=True)
class _Ask:
    """One request: `what` it is for completes "Twilio does not ..."."""

    method: str
    path: str
    fields: Fields
    what: str
    bounds: _Bounds = ANSWER

    @property
    def doubt(self) -> str:
        """What to add when the request went out and its answer was lost."""
        return "" if self.method == "GET" else " It may have been done all the same."


_CHECK = "see whether this machine reaches the internet"


class _UnreachableError(CarrierError):
    """The connection failed, or Twilio was silent."""


async def _send(client: httpx.AsyncClient, request: httpx.Request, ask: _Ask) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers and bounded body."""
    import httpx

    try:
        response = await client.send(request, stream=True, follow_redirects=ask.bounds.elsewhere)
        try:
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > ask.bounds.most_bytes:
                    most = ask.bounds.most_bytes // 2**20
                    raise CarrierError(f"Twilio does not {ask.what}: its answer is longer than {most} MiB.")
            return response.status_code, response.headers, bytes(body)
        finally:
            await response.aclose()
    except httpx.HTTPError as error:  # the cause is left out: it holds the request with its keys
        said = masked(str(error).rstrip(".")) or type(error).__name__
        doubt = "" if isinstance(error, httpx.ConnectError) else ask.doubt
        raise _UnreachableError(f"Twilio cannot be reached to {ask.what} ({said}): {_CHECK}.{doubt}") from None


def _dial_fields(dial: Dial) -> list[tuple[str, str]]:
    fields = [
        ("To", e164(dial.to)),
        ("From", e164(dial.from_number)),
        ("Twiml", _short_enough(dial.twiml)),
        ("Timeout", str(dial.ring_timeout_seconds)),
        ("StatusCallback", dial.status_url),
        ("StatusCallbackMethod", "POST"),
        *(("StatusCallbackEvent", event) for event in ("initiated", "ringing", "answered", "completed")),
    ]
    if not 1 <= dial.ring_timeout_seconds <= 600:
        raise ConfigError(f"A call rings for 1 to 600 seconds; ring_timeout of {dial.ring_timeout_seconds} was given.")
    if dial.machine_detection and dial.amd_url:  # without the URL the call would wait for the verdict
        fields += [
            ("MachineDetection", "DetectMessageEnd"),
            ("AsyncAmd", "true"),
            ("AsyncAmdStatusCallback", dial.amd_url),
            ("AsyncAmdStatusCallbackMethod", "POST"),
        ]
    return fields


def _short_enough(twiml: str) -> str:
    if len(twiml) > MOST_CHARACTERS:
        raise ConfigError(f"The TwiML of a call has {len(twiml)} characters; Twilio takes {MOST_CHARACTERS}.")
    return twiml


def _pause(error: CarrierError, usual: float) -> float | None:
    """How long to wait before asking again; None when that would not help, or takes longer than anybody waits."""
    if isinstance(error, TwilioError):
        if error.status != 429 and error.status < 500:
            return None
        told = error.retry_after
        if told.isascii() and told.isdigit():
            return float(told) if float(told) <= LONGEST_PAUSE_SECONDS else None
    elif not isinstance(error, _UnreachableError):
        return None
    return usual * random.uniform(0.75, 1.25)


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _object(body: bytes, what: str) -> dict[str, Any]:
    found = _parsed(body)
    if not isinstance(found, dict):
        raise CarrierError(f"Twilio's answer, when asked to {what}, is no JSON object: see whether base_url= is Twilio's.")
    return found


def _listed(found: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    listed = found.get(name)
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise CarrierError(f"Twilio's answer holds no list of {name}.")
    return listed


def _next_query(following: object, path: str) -> Fields:
    """The query of the next page. The rest of its address is ours: the keys go nowhere else."""
    from urllib.parse import parse_qsl

    parts = urlsplit(following) if isinstance(following, str) else None
    if parts is None or not parts.path.endswith(path):
        raise CarrierError("Twilio's answer names a next page that is not one of this list.")
    return tuple(parse_qsl(parts.query, keep_blank_values=True))
