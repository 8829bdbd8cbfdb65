"""Attacks on the carrier's port. Each tries something on a served phone while somebody talks on it, asserts what the attacker
gets, and gives the number of its tries. The `QUICK` ones take a moment, the others seconds."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

from tests_of_security_served import SILENCE, Caller, Ringing, Served
from tests_of_telephony_wires import (
    ANSWER,
    CALLER,
    HOST,
    NUMBER,
    ORIGIN,
    Answer,
    calling,
    closed,
    post,
    sid,
    signed,
)
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

Attack = Callable[[Served, Caller], Awaitable[int]]

REFUSED, TOO_LARGE = 1008, 1009
MANY = 100_000
"""Frames of a flood."""
SLOW = 50
"""Slow clients of each kind."""
LARGE = 30_000_000
"""Bytes of a body."""
NUL_FRAME = b"\x81\x80" + bytes(4)
"""An empty text, masked."""


async def turned_away(answer: Answer, served: Served, *statuses: int) -> None:
    """Refused, in a few plain words that say nothing of what was sent."""
    assert answer.status in statuses, answer
    assert len(answer.body) < 80
    for secret in (CALLER, NUMBER, HOST, "CallSid", "<script>"):
        assert secret not in answer.body + str(answer.headers)


async def forged(served: Served, caller: Caller) -> int:
    """Requests with no signature, or with one that nobody made for them."""
    calls = served.calls_begun
    rng, pairs = random.Random(1), calling(sid("CA", 700))
    right = signed(f"{ORIGIN}{ANSWER}", pairs)
    guesses = [None, "", "null", right[:-1], right.lower(), right + "=", "=" * 28, "\xff" * 20, "A" * 10_000]
    guesses += [base64.b64encode(rng.randbytes(20)).decode() for _ in range(60)]
    guesses += [right[:at] + ("A" if right[at] != "A" else "B") + right[at + 1 :] for at in range(len(right) - 1)]
    for guess in guesses:
        headers = () if guess is None else [("X-Twilio-Signature", guess)]
        await turned_away(await served.ask(post(pairs=pairs, headers=headers)), served, 403)
    assert served.calls_begun == calls
    return len(guesses)


async def replayed(served: Served, caller: Caller) -> int:
    """A request that was signed, sent again: as it was, and with something else in it."""
    ringing = await served.ring()
    calls = served.calls_begun
    pairs = calling(ringing.call_sid)
    header = [("X-Twilio-Signature", signed(f"{ORIGIN}{ANSWER}", pairs))]
    for _ in range(5):
        answer = await served.ask(post(pairs=pairs, headers=header))
        assert ringing.token in answer.body  # as long as the call waits for its audio: the carrier may ask again
    changed = [
        post("/webhooks/twilio/voice", pairs, headers=header),
        post("/webhooks/twilio/status", pairs, headers=header),
        post(f"{ANSWER}?call=1", pairs, headers=header),
        post(pairs=[*pairs, ("Extra", "")], headers=header),
        post(pairs=[*pairs, ("From", "+15550000000")], headers=header),
        post(pairs=pairs[:-1], headers=header),
        post(pairs=calling(sid("CA", 701)), headers=header),
        post(pairs=calling(ringing.call_sid, From="+15550000000"), headers=header),
    ]
    for request in changed:
        await turned_away(await served.ask(request), served, 403)
    async with ringing.open() as socket:
        await begin(ringing, socket)
        await heard(socket)
        answer = await served.ask(post(pairs=pairs, headers=header))
        assert "<Hangup" in answer.body
        assert ringing.token not in answer.body
    assert served.calls_begun == calls
    return 6 + len(changed)


async def begin(ringing: Ringing, socket: ClientConnection, **parameters: str) -> Any:
    """Open the stream of a call, as the carrier does."""
    wire = ringing.wire
    await socket.send(wire.connected())
    await socket.send(wire.start({"token": ringing.token, **parameters}))
    return wire


async def heard(socket: ClientConnection) -> None:
    """Wait for the agent's voice."""
    async with asyncio.timeout(10):
        while json.loads(await socket.recv())["event"] != "media":
            pass


async def code_of(socket: ClientConnection) -> int | None:
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(10):
            while True:
                await socket.recv()
    return socket.close_code


async def without_token(served: Served, caller: Caller) -> int:
    """Media sockets without a token, with one that is another call's, or for another call's id."""
    ringing, other = await served.ring(), await served.ring()
    rng = random.Random(2)
    wrong: list[dict[str, Any]] = [{}, {"token": ""}, {"token": other.token}, {"token": ringing.token[:-1]}, {"token": "\ud800"}]
    wrong += [{"token": base64.urlsafe_b64encode(rng.randbytes(32)).decode().strip("=")} for _ in range(20)]
    for parameters in wrong:
        async with ringing.open() as socket:
            await socket.send(ringing.wire.connected())
            await socket.send(ringing.wire.start(parameters))
            assert await code_of(socket) == REFUSED, parameters
    async with ringing.open() as socket:
        await socket.send(other.wire.start({"token": ringing.token}))
        assert await code_of(socket) == REFUSED
    async with ringing.open() as socket:  # which all that has not spent
        await begin(ringing, socket)
        await heard(socket)
    return len(wrong) + 1


async def used_token(served: Served, caller: Caller) -> int:
    """The socket, and the token, of a call that is on; and sockets of no call."""
    ringing = await served.ring()
    async with ringing.open() as racer, ringing.open() as socket:
        await begin(ringing, socket)
        await heard(socket)
        await begin(ringing, racer)  # which was open before the token was spent
        assert await code_of(racer) == REFUSED
        paths = [ringing.path, f"/ws/stream/{caller.call.id}", "/ws/stream/call_000000000000", "/ws/stream/", "/ws/other", "/"]
        for path in paths:
            try:
                async with ringing.open(path):
                    raise AssertionError(f"{path} was opened")
            except InvalidStatus as refused:
                assert refused.response.status_code == 403
    return 1 + len(paths)


def nonsense(wire: Any) -> list[str | bytes]:
    """Messages of a stream with something wrong in each."""
    usual = json.loads(wire.media(SILENCE, 0))
    fields = ("event", "streamSid", "media", "sequenceNumber")
    values: list[Any] = [None, 1, -1, 1e400, "", "\x00", "\ud800", [], {}, True, "x" * 60_000, "9" * 400, [[[[]]]]]
    found: list[Any] = [{**usual, name: value} for name in fields for value in values]
    found += [{**usual, "media": {**usual["media"], name: value}} for name in usual["media"] for value in values]
    found += [{name: value for name, value in usual.items() if name != left_out} for left_out in usual]
    texts = [json.dumps(message) for message in found]
    texts += ["", "{", "[]", "null", "NaN", '"media"', "[" * 50_000, "1" * 5_000, "\x00", '{"event":"media"}' * 2, " " * 60_000]
    texts += [wire.mark(name) for name in ("", "r1.s1.1" * 1_000, "nobody's", "\ud800")]
    texts += [wire.dtmf(key) for key in ("x", "", "11", "\ud800")]
    payloads = ["=", "AAA", "AAAA====", "!" * 100, "é", "/" * 60_000]
    texts += [json.dumps({**usual, "media": {**usual["media"], "payload": payload}}) for payload in payloads]
    return [*texts, b"", b"\x00" * 1_000, json.dumps(usual).encode()]


async def malformed(served: Served, caller: Caller) -> int:
    """A call whose messages make no sense: each loses itself, and the call goes on."""
    ringing = await served.ring()
    async with ringing.open() as socket:
        wire = await begin(ringing, socket)
        await heard(socket)
        messages = nonsense(wire)
        for message in messages:
            await socket.send(message)
        await socket.send(wire.dtmf("7"))
        await socket.send(wire.stop())
        assert await code_of(socket) == 1000
    call = served.call_of(ringing)
    await call.ended(10)
    assert call.end_reason == "caller hung up"
    assert "dtmf_received" in served.kinds(call) or "7" in str(call.events["data"].tolist())
    return len(messages)


async def out_of_order(served: Served, caller: Caller) -> int:
    """Media before the start, a second start, another stream's messages, another call's start on a socket that is let in."""
    tried = 0
    for first in ("media", "mark", "dtmf", "stop"):
        ringing = await served.ring()
        async with ringing.open() as socket:
            wire = ringing.wire
            early = {"media": wire.media(SILENCE, 0), "mark": wire.mark("m"), "dtmf": wire.dtmf("1"), "stop": wire.stop()}
            await socket.send(early[first])
            assert await code_of(socket) == REFUSED
        tried += 1
    ringing, other = await served.ring(), await served.ring()
    async with ringing.open() as socket:
        wire = await begin(ringing, socket)
        await heard(socket)
        stranger = other.wire
        wrong = [
            wire.start({"token": ringing.token}),
            stranger.start({"token": other.token}),
            stranger.media(SILENCE, 0),
            stranger.mark("r1.s1.1"),
            stranger.dtmf("5"),
            stranger.stop(),
            wire.connected(),
        ]
        for message in wrong:
            await socket.send(message)
        await socket.send(wire.mark("r9.s9.9"))
        call = served.call_of(ringing)
        assert call.state == "running"
        await socket.send(wire.stop())
        assert await code_of(socket) == 1000
    await call.ended(10)
    assert call.end_reason == "caller hung up"
    return tried + len(wrong)


async def long_message(served: Served, caller: Caller) -> int:
    """One message of a megabyte on a call: its socket is closed, and with it that call."""
    ringing = await served.ring()
    async with ringing.open() as socket:
        await begin(ringing, socket)
        await heard(socket)
        with contextlib.suppress(ConnectionClosed):
            await socket.send("x" * 1_000_000)
        assert await code_of(socket) in (TOO_LARGE, 1006)
    await served.call_of(ringing).over()
    return 1


async def wrong_requests(served: Served, caller: Caller) -> int:
    """What is no HTTP, or no request that anybody has here."""
    lines = [
        b"", b"\r\n" * 100, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
        b"\x00" * 20_000, b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 5_000 + b"\r\n", b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /%00%ff%zz HTTP/1.1\r\nhost: [::1\r\n\r\n", b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + b"f" * 30 + b"\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\ncontent-length: 3\r\n\r\nabc",
        b"GET /ws/stream/x HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT evil.example.com:443 HTTP/1.1\r\nhost: x\r\n\r\n", b"GET http://evil.example.com/ HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: <script>\r\nx-forwarded-host: evil.example.com\r\n\r\n" * 50,
    ]  # fmt: skip
    for line in lines:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(line)
        writer.write_eof()
        answer = (await closed(reader)).decode("latin-1")
        assert "evil" not in answer
        assert "script" not in answer
        assert " 500 " not in answer
        writer.close()
    return len(lines)


async def slow_clients(served: Served, caller: Caller) -> int:
    """Fifty of each: sockets that say nothing, headers and bodies that come letter by letter, media sockets without a start."""
    ringing = await served.ring()
    signed_head = post(pairs=calling(sid("CA", 702)))
    kinds = {
        "nothing": b"",
        "half a header": b"POST /webhooks/twilio/answer HTTP/1.1\r\nhost: x\r\nx-slow: ",
        "half a body": signed_head[:-20],
        "half a body where nothing is": b"POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 30000\r\n\r\n",
        "half another request": b"GET /health HTTP/1.1\r\nhost: x\r\n\r\nGET /hea",
    }

    async def creep(start: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(start)
        ended = asyncio.create_task(closed(reader))
        while not ended.done():
            if start:
                writer.write(b"a")
            await asyncio.wait((ended,), timeout=0.2)
        writer.close()

    async def wait() -> None:
        async with ringing.open() as socket:
            assert await code_of(socket) == REFUSED

    async with asyncio.timeout(40):
        await asyncio.gather(*(creep(start) for start in kinds.values() for _ in range(SLOW)), *(wait() for _ in range(SLOW)))
    return SLOW * (len(kinds) + 1)


async def large_bodies(served: Served, caller: Caller) -> int:
    """Thirty megabytes for each address, with their length told or in parts."""
    paths = ("answer", "status", "amd", "recording", "transfer")
    targets = [*(f"/webhooks/twilio/{path}" for path in paths), "/health", "/nowhere"]
    piece = b"a" * 65_536

    async def pour(target: str, chunked: bool) -> Answer:
        head = post(target, b"", headers=[("X-Twilio-Signature", "x")], length=LARGE)
        if chunked:
            head = head.replace(b"Content-Length: %d" % LARGE, b"Transfer-Encoding: chunked")
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        answered = asyncio.create_task(closed(reader))
        try:
            writer.write(head)
            for _ in range(LARGE // len(piece)):
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
                await writer.drain()
                if target not in ("/health", "/nowhere") and answered.done():
                    break
        except ConnectionError:
            pass
        writer.close()
        text = (await answered).decode("latin-1")
        return Answer(int(text.split()[1]) if text else 0)

    for target in targets:
        for chunked in (False, True):
            answer = await pour(target, chunked)
            assert answer.status in (0, 404, 405, 413), (target, answer)
    return 2 * len(targets)


async def flood(served: Served, caller: Caller) -> int:
    """A hundred thousand frames on calls that are on, of five kinds; each call ends by them, and nothing else does."""
    kinds = ("media", "nonsense", "marks", "pings", "parts")
    tried = dict.fromkeys(kinds, 0)
    for kind in kinds:
        while tried[kind] < MANY // len(kinds):
            ringing = await served.ring()
            async with ringing.open() as socket:
                tried[kind] += await flood_call(ringing, socket, kind)
            call = served.call_of(ringing)
            await asyncio.wait_for(call.over(), 20)
    return sum(tried.values())


async def flood_call(ringing: Ringing, socket: ClientConnection, kind: str) -> int:
    """As many frames as it takes until the socket is closed."""
    wire = await begin(ringing, socket)
    await heard(socket)
    text = {"media": wire.media(SILENCE, 0), "nonsense": "{", "marks": wire.mark("x")}.get(kind)
    part, sent = b"\x01", 0
    with contextlib.suppress(ConnectionClosed, ConnectionError):
        while not socket.transport.is_closing():
            if text is not None:
                await socket.send(text)
            else:
                socket.transport.write((b"\x89" if kind == "pings" else part) + b"\x80" + bytes(4))
                part = b"\x00"
            sent += 1
            if sent % 100 == 0:
                await asyncio.sleep(0)
    await code_of(socket)
    return sent


async def flood_before_the_start(served: Served, caller: Caller) -> int:
    """A hundred thousand frames on media sockets that never prove what they are."""
    ringing = await served.ring()
    frames = (b"\x89\x80" + bytes(4), NUL_FRAME, b"\x81\x82" + bytes(4) + b"{}")
    tried = 0
    while tried < MANY:
        async with ringing.open() as socket:
            with contextlib.suppress(ConnectionError):
                while not socket.transport.is_closing():
                    socket.transport.write(frames[tried // 100 % 3] * 100)
                    tried += 100
                    await asyncio.sleep(0)
            await code_of(socket)
    async with ringing.open() as socket:
        await begin(ringing, socket)
        await heard(socket)
    return tried


async def half_open(served: Served, caller: Caller) -> int:
    """A call whose far end is there no more: it answers no ping, and closes nothing."""
    ringing = await served.ring()
    async with ringing.open() as socket:
        await begin(ringing, socket)
        await heard(socket)
        socket.transport.pause_reading()
        call = served.call_of(ringing)
        await asyncio.wait_for(call.over(), 60)
        assert call.state == "ended"
        socket.transport.abort()
    return 1


async def many_sockets(served: Served, caller: Caller) -> int:
    """More sockets than there may be. Those that were there stay, and calls come in again once some are gone."""
    opened = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(600)]
    async with asyncio.timeout(30):
        await asyncio.gather(*(closed(reader) for reader, _ in opened))
    for _, writer in opened:
        writer.close()
    return len(opened)


async def hostile_names(served: Served, caller: Caller) -> int:
    """Signed calls whose caller is called something that XML, a log or a table could take for its own."""
    names = [
        "", "anonymous", "+266696687", "sip:<Hangup/>@evil.example.com", "\"/><Say>hello</Say>", "]]>", "&#0;&bogus;", "\x00\x1f",
        "'; DROP TABLE calls; --", "{token}", "%s%n", "\u202e\u0000", "é" * 1_000, "x" * 4_000, "\r\nSet-Cookie: a=b", "=1+1",
        "../../etc/passwd", "<script>alert(1)</script>", "\ufffe\uffff", "😀" * 300,
    ]  # fmt: skip
    for number, name in enumerate(names):
        answer = await served.ask(post(pairs=calling(sid("CA", 800 + number), From=name, To=name)))
        assert answer.status == 200, (name, answer)
        assert answer.body.count("<Stream") == 1
        assert answer.body.count("<Parameter") == 3
        assert "<Say" not in answer.body
        assert "<Hangup" not in answer.body
        assert "set-cookie" not in answer.headers
        ended = [("CallSid", sid("CA", 800 + number)), ("CallStatus", "completed"), ("ErrorMessage", name)]
        assert (await served.tell("status", ended)).status == 204
    return len(names)


QUICK: dict[str, Attack] = {
    "forged and missing signatures": forged,
    "signed requests replayed and changed": replayed,
    "media sockets without the call's token": without_token,
    "media sockets with a used token": used_token,
    "malformed messages on a call": malformed,
    "messages out of order, second starts, other streams": out_of_order,
    "a message of a megabyte": long_message,
    "requests that are none": wrong_requests,
    "callers with hostile names": hostile_names,
}

LONG: dict[str, Attack] = {
    "slow clients": slow_clients,
    "bodies of 30 MB": large_bodies,
    "100,000 frames on a call": flood,
    "100,000 frames before the start": flood_before_the_start,
    "a far end that is gone": half_open,
    "600 sockets": many_sockets,
}
