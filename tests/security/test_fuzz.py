"""Webhooks and messages of streams that nobody would think of: no answer is an error, no call ends by them, nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests_of_security_served import SILENCE, Ringing, Served, serving
from tests_of_telephony_wires import ACCOUNT, CALLER, NUMBER, ORIGIN, post, sid, signed
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from patter_nb.telephony import call as call_module
from patter_nb.telephony import media as media_module
from patter_nb.telephony.media import BEFORE_START

pytestmark = pytest.mark.slow  # real processes and calls: half a minute together

EXAMPLES, MANY = 60, 1_500
"""Examples in a usual run, and in a slow one."""


class Fuzzed:
    """One served phone for all examples, and on it a call whose socket takes messages."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.run = runner.run
        self.tried = 0

    async def open(self) -> None:
        self._serving = serving()
        self.served: Served = await self._serving.__aenter__()
        await self.served.answers()
        self.before = self.served.held()
        self.socket: ClientConnection | None = None
        self.waiting: Ringing | None = None

    async def close(self) -> None:
        if self.socket is not None:
            await self.socket.close()
        await self.served.lets_go(self.before)
        self.served.quiet()
        await self.served.answers()
        await self._serving.__aexit__(None, None, None)

    async def webhook(self, path: str, form: dict[str, str]) -> None:
        self.tried += 1
        begun, pairs = self.served.calls_begun, list(form.items())
        answer = await self.served.ask(post(f"/webhooks/twilio/{path}", pairs))
        assert answer.status in (200, 204, 400), answer
        assert answer.status == 200 or len(answer.body) < 80
        for call in self.served.phone._calls[begun:]:
            call.stop()
            await asyncio.wait_for(call.over(), 10)
        self.served.quiet()

    async def body(self, path: str, body: bytes) -> None:
        """A body that need not be a form."""
        self.tried += 1
        headers = [("X-Twilio-Signature", signed(f"{ORIGIN}/webhooks/twilio/{path}", []))]
        answer = await self.served.ask(post(f"/webhooks/twilio/{path}", body, headers=headers))
        assert answer.status in (400, 403), answer
        self.served.quiet()

    async def first(self, messages: list[str | bytes]) -> None:
        """What a socket says that knows no token."""
        self.tried += len(messages)
        if self.waiting is None:
            self.waiting = await self.served.ring()
        async with self.waiting.open() as socket:
            with contextlib.suppress(ConnectionClosed):
                for message in messages:
                    await socket.send(message)
                while len(messages) < BEFORE_START:  # so that it need not wait for more
                    messages = [*messages, "{}"]
                    await socket.send("{}")
                await asyncio.wait_for(socket.recv(), 10)
            assert socket.close_code == 1008
        assert self.served.call_of(self.waiting).state == "running"
        self.served.quiet()

    async def messages(self, messages: list[str | bytes]) -> None:
        self.tried += len(messages)
        if self.socket is None:
            ringing = await self.served.ring()
            self.call = self.served.call_of(ringing)
            self.socket = await ringing.open()
            self.wire = ringing.wire
            await self.socket.send(self.wire.start({"token": ringing.token}))
            self.sent = 0
        for message in messages:
            await self.socket.send(message)
        self.sent += len(messages)
        async with asyncio.timeout(10):
            while not self._all_read():
                await asyncio.wait((asyncio.get_running_loop().create_future(),), timeout=0.001)
        assert self.call.state == "running", self.call.error
        self.served.quiet()

    def _all_read(self) -> bool:
        """Whether the call has taken every message, and waits for another."""
        opened = self.served.server.desk.waiting(self.call.id)._news
        return opened.done() and opened.result()._read > self.sent


@contextlib.contextmanager
def unhurried() -> Iterator[None]:
    """Messages come as fast as they can, and a call may wait for its audio meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(media_module, "FLOOD_MESSAGES", 1_000_000)
        patch.setattr(call_module, "SOCKET_SECONDS", 600.0)
        yield


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Fuzzed]:
    with unhurried(), asyncio.Runner() as runner:
        world = Fuzzed(runner)
        runner.run(world.open())
        yield world
        runner.run(asyncio.wait_for(world.close(), 60))


TEXTS = st.text(max_size=40) | st.sampled_from(
    ["", "completed", "ringing", "in-progress", "failed", "machine_start", CALLER, NUMBER, ACCOUNT, sid("CA", 1), sid("RE", 1)]
)
FIELDS = st.sampled_from(
    ["CallSid", "AccountSid", "From", "To", "CallStatus", "CallDuration", "AnsweredBy", "MachineDetectionDuration",
     "RecordingSid", "RecordingStatus", "RecordingDuration", "ErrorCode", "ErrorMessage", "SipResponseCode"]
)  # fmt: skip
USUAL = {
    "CallSid": sid("CA", 1), "AccountSid": ACCOUNT, "From": CALLER, "To": NUMBER, "CallStatus": "completed",
    "RecordingSid": sid("RE", 1), "RecordingStatus": "completed", "AnsweredBy": "human", "MachineDetectionDuration": "1000",
}  # fmt: skip
CHANGES = st.dictionaries(FIELDS | TEXTS, TEXTS, max_size=8)
FORMS = CHANGES.map(lambda changed: {**USUAL, **changed}) | CHANGES
QUERIES = st.sampled_from(["", "?call=", "?call=call_1", "?call=%00", "?call=a&call=b", "?x=%F0%28", "?&&=?"])
BODIES = st.binary(max_size=200) | st.text(max_size=100).map(str.encode) | st.binary(max_size=30).map(b"CallSid=%".__add__)
PATHS = st.builds(str.__add__, st.sampled_from(["answer", "voice", "status", "amd", "recording", "transfer"]), QUERIES)

PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
NESTED = PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(TEXTS, PLAIN, max_size=3)
JSON = NESTED | st.lists(NESTED, max_size=3) | st.dictionaries(TEXTS, NESTED, max_size=3)
OURS = "the stream's own"


def usual_messages(stream: str) -> list[dict[str, Any]]:
    """A message of each kind but `stop`, which ends the call as it should."""
    media = {"track": "inbound", "chunk": "1", "timestamp": "20", "payload": "/" * (len(SILENCE) // 3 * 4)}
    start = {"accountSid": ACCOUNT, "streamSid": stream, "callSid": sid("CA", 1), "tracks": ["inbound"], "customParameters": {}}
    return [
        {"event": "connected", "protocol": "Call", "version": "1.0.0"},
        {"event": "start", "sequenceNumber": "1", "start": start, "streamSid": stream},
        {"event": "media", "sequenceNumber": "2", "media": media, "streamSid": stream},
        {"event": "mark", "sequenceNumber": "3", "mark": {"name": "r1.s1.1"}, "streamSid": stream},
        {"event": "dtmf", "sequenceNumber": "4", "dtmf": {"track": "inbound_track", "digit": "5"}, "streamSid": stream},
    ]


def places(message: dict[str, Any]) -> list[list[str]]:
    """Where something stands in a message."""
    return [
        place
        for name, inner in message.items()
        for place in ([name], *([name, *deeper] for deeper in (places(inner) if isinstance(inner, dict) else ())))
    ]


@st.composite
def mutated(draw: Any) -> dict[str, Any]:
    """A usual message with something else in some of its places, and something that was never there."""
    message: dict[str, Any] = json.loads(json.dumps(draw(st.sampled_from(usual_messages(OURS)))))
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 0]))):
        *outer, name = draw(st.sampled_from(places(message)))
        inner = message
        for each in outer:
            inner = inner[each]
        del inner[name]
        if draw(st.sampled_from([True, True, False])):
            inner[name] = draw(draw(st.sampled_from([TEXTS, TEXTS, JSON])))
    return message


RAW = st.text(max_size=200) | st.binary(max_size=200) | JSON.map(json.dumps)
STREAM = st.lists(st.integers(0, 4).flatmap(lambda number: mutated() if number else RAW), min_size=3, max_size=12)

USUALLY = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
OFTEN = settings(USUALLY, max_examples=MANY)


def of(stream: str, messages: list[Any]) -> list[str | bytes]:
    """As they go over the wire of this stream."""
    return [json.dumps(each).replace(OURS, stream) if isinstance(each, dict) else each for each in messages]


def say(fuzzed: Fuzzed, messages: list[Any]) -> None:
    async def main() -> None:
        if fuzzed.socket is None:
            await fuzzed.messages([])
        await fuzzed.messages(of(fuzzed.wire.stream_sid, messages))

    fuzzed.run(main())


@USUALLY
@given(path=PATHS, form=FORMS)
def test_any_signed_form_is_answered_or_refused(fuzzed, path, form):
    fuzzed.run(fuzzed.webhook(path, form))


@USUALLY
@given(messages=STREAM)
def test_any_message_of_a_stream_loses_itself_and_never_the_call(fuzzed, messages):
    say(fuzzed, messages)


@USUALLY
@given(path=PATHS, body=BODIES)
def test_any_body_is_refused(fuzzed, path, body):
    fuzzed.run(fuzzed.body(path, body))


@USUALLY
@given(messages=STREAM)
def test_any_first_message_closes_its_socket_and_the_call_waits_on(fuzzed, messages):
    fuzzed.run(fuzzed.first(of("MZ" + "1" * 32, messages)))


@OFTEN
@given(path=PATHS, form=FORMS)
def test_many_signed_forms_are_answered_or_refused(fuzzed, path, form):
    fuzzed.run(fuzzed.webhook(path, form))


@OFTEN
@given(messages=STREAM)
def test_many_messages_of_a_stream_lose_themselves_and_never_the_call(fuzzed, messages):
    say(fuzzed, messages)
