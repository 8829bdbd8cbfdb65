"""Webhooks and messages of streams that nobody would think of: no answer is an error, no call ends by them, nothing is left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests_of_security_served import SILENCE, Served, serving
from tests_of_telephony_wires import ACCOUNT, CALLER, NUMBER, post, sid
from websockets.asyncio.client import ClientConnection

from patter_nb.telephony import media as media_module

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


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Fuzzed]:
    with asyncio.Runner() as runner, pytest.MonkeyPatch.context() as patch:
        patch.setattr(media_module, "FLOOD_MESSAGES", 1_000_000)  # they come as fast as they can
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
PATHS = st.builds(str.__add__, st.sampled_from(["answer", "voice", "status", "amd", "recording", "transfer"]), QUERIES)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["event", "streamSid", "sequenceNumber", "media", "start", "mark", "dtmf", "stop", "track", "chunk", "timestamp", "payload",
     "name", "digit", "customParameters", "mediaFormat", "callSid", "tracks"]
)  # fmt: skip
PLACES = st.lists(NAMES, min_size=1, max_size=2)
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


def changed(message: dict[str, Any], changes: list[tuple[list[str], Any]]) -> dict[str, Any]:
    """The message with something else in these places."""
    message = json.loads(json.dumps(message))
    for place, value in changes:
        inner = message
        for name in place[:-1]:
            inner = inner[name] if isinstance(inner.get(name), dict) else inner
        inner[place[-1]] = value
    return message


MUTATED = st.builds(changed, st.sampled_from(usual_messages(OURS)), st.lists(st.tuples(PLACES, JSON), max_size=3))
RAW = st.text(max_size=200) | st.binary(max_size=200) | JSON.map(json.dumps)
STREAM = st.lists(MUTATED | RAW, min_size=1, max_size=8)

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


@pytest.mark.slow
@OFTEN
@given(path=PATHS, form=FORMS)
def test_many_signed_forms_are_answered_or_refused(fuzzed, path, form):
    fuzzed.run(fuzzed.webhook(path, form))


@pytest.mark.slow
@OFTEN
@given(messages=STREAM)
def test_many_messages_of_a_stream_lose_themselves_and_never_the_call(fuzzed, messages):
    say(fuzzed, messages)
