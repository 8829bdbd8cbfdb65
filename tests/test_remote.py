"""Answers from a web address, asked for on real sockets."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from contextlib import aclosing, asynccontextmanager, suppress

import pytest
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from patter_nb.errors import ConfigError, ConfigTypeError, PatterError
from patter_nb.remote import MOST_BYTES, RemoteError, RemoteMessage
from patter_nb.web.address import AddressError
from patter_nb.web.post import WebError

PAYLOAD = {"text": "When is dinner, Zoë?", "call_id": "call-1", "caller": "+1", "callee": "+2", "history": [{"role": "user"}]}


# Over HTTP.


async def closed(writer):
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@asynccontextmanager
async def posting(body=b"", status=200, headers=()):
    """A server that gives one answer; the requests that reached it are kept as (head, body)."""
    requests, answering = [], set()

    async def answer(reader, writer):
        answering.add(asyncio.current_task())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(line.lower().split(": ", 1) for line in head.strip().split("\r\n")[1:])
        requests.append((head, fields, await reader.readexactly(int(fields["content-length"]))))
        lines = [f"HTTP/1.1 {status} Told", f"content-length: {len(body)}", "connection: close", *headers, "", ""]
        writer.write("\r\n".join(lines).encode() + body)
        await closed(writer)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/answer?desk=1", requests
        finally:
            if answering:
                await asyncio.wait(answering)


async def replies(url, **settings):
    return [piece async for piece in RemoteMessage(url, allow_private=True, **settings).replies(PAYLOAD)]


def post(body=b"", status=200, headers=(), **settings):
    async def main():
        async with posting(body, status, headers) as (url, requests):
            return await replies(url, **settings), requests

    return asyncio.run(main())


ANSWERS = [
    (b'{"text": "Six to ten."}', ["Six to ten."]),
    (b'{"text": "Six.", "mood": "good"}', ["Six."]),
    (b"Six to ten.", ["Six to ten."]),
    ('"Sechs bis zehn, Zoë."'.encode(), ["Sechs bis zehn, Zoë."]),
    (b"6", ["6"]),
    (b'{"text": ""}', []),
    (b"", []),
    (b"{not json", ["{not json"]),
]


@pytest.mark.parametrize(("body", "pieces"), ANSWERS)
def test_an_answer_is_an_object_with_a_text_or_text(body, pieces):
    assert post(body)[0] == pieces


def test_the_message_is_posted_as_json_to_the_whole_url():
    _, ((head, fields, body),) = post(b"Hi")
    assert head.startswith("POST /answer?desk=1 HTTP/1.1\r\n")
    assert fields["content-type"] == "application/json"
    assert "x-patter-signature" not in fields
    assert json.loads(body) == PAYLOAD


def test_the_signature_is_that_of_the_bytes_that_are_sent():
    _, ((_, fields, body),) = post(b"Hi", secret="hunter2")
    assert fields["x-patter-signature"] == hmac.new(b"hunter2", body, hashlib.sha256).hexdigest()


WRONG = [
    (b'{"error": "no such guest, api_key=hunter2"}', 'answered {"error": "no such guest, api_key=•••'),
    (b"null", "answered null; an answer is"),
    (b"[1]", r"answered [1]; an answer is"),
    (b"true", "answered true; an answer is"),
    (b'{"text": ["Six"]}', "the text of 127.0.0.1 is list; it must be a string."),
]


@pytest.mark.parametrize(("body", "told"), WRONG)
def test_what_is_no_answer_is_an_error_and_not_spoken(body, told):
    with pytest.raises(RemoteError) as failed:
        post(body)
    assert told in str(failed.value)
    assert "hunter2" not in str(failed.value)


@pytest.mark.parametrize("status", [301, 307, 400, 404, 500])
def test_other_statuses_are_errors_and_redirects_are_not_followed(status):
    with pytest.raises(RemoteError, match=rf"on_message: 127\.0\.0\.1 answered with status {status}\."):
        post(b"Hi", status, ["location: http://127.0.0.1:1/"])


def test_an_answer_may_have_64_kilobytes_and_no_more():
    assert len(post(b"x" * MOST_BYTES)[0][0]) == 64 * 1024
    with pytest.raises(WebError, match="longer than 65536 bytes"):
        post(b"x" * (MOST_BYTES + 1))


def test_a_server_that_is_not_there_or_silent_is_an_error():
    async def silent():
        async with asyncio.timeout(20), quiet() as port:
            await replies(f"http://127.0.0.1:{port}/", timeout_seconds=0.05)

    async def gone():
        async with posting() as (url, _):
            pass
        await replies(url)

    with pytest.raises(WebError, match=r"did not answer within 0\.05 s"):
        asyncio.run(silent())
    with pytest.raises(WebError, match="cannot be asked"):
        asyncio.run(gone())


@asynccontextmanager
async def quiet():
    """A port that takes connections and says nothing."""
    writers = []
    server = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0)
    async with server:
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            for writer in writers:
                await closed(writer)


# Over a socket.


@asynccontextmanager
async def talking(talk, **settings):
    """A server of sockets; each is handed to `talk`. `None` is put into the queue when one is closed."""
    ends = asyncio.Queue()

    async def handle(socket):
        try:
            await talk(socket)
        finally:
            ends.put_nowait(None)

    async with serve(handle, "127.0.0.1", 0, **settings) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/talk", ends


def says(*messages, closes=True):
    async def talk(socket):
        await socket.recv()
        for message in messages:
            await socket.send(message)
        if not closes:
            await socket.wait_closed()

    return talk


def talk_to(talk, **settings):
    async def main():
        async with asyncio.timeout(20), talking(talk) as (url, _):
            return await replies(url, **settings)

    return asyncio.run(main())


TALKS = {
    "until done": (
        (json.dumps({"text": "Six "}), json.dumps({"text": "to ten."}), '{"done": true}', "not heard"),
        ["Six ", "to ten."],
    ),
    "until closed": (('{"text": "Six."}', "Plain."), ["Six.", "Plain."]),
    "with the last text done": (('{"text": "Six.", "done": true}', "not heard"), ["Six."]),
    "done false goes on": (('{"text": "Six.", "done": false}', '{"done": 1}'), ["Six."]),
    "as bytes": ((b'{"text": "Six."}',), ["Six."]),
    "nothing": ((), []),
}


@pytest.mark.parametrize(("messages", "pieces"), TALKS.values(), ids=TALKS.keys())
def test_a_sockets_messages_are_the_pieces_of_an_answer(messages, pieces):
    assert talk_to(says(*messages)) == pieces


def test_a_piece_is_there_before_the_next_one_is_sent():
    async def main():
        go_on = asyncio.Event()

        async def talk(socket):
            await socket.recv()
            await socket.send("Six ")
            await go_on.wait()
            await socket.send("to ten.")

        async with asyncio.timeout(20), talking(talk) as (url, _):
            pieces = RemoteMessage(url, allow_private=True).replies(PAYLOAD)
            first = await anext(pieces)
            go_on.set()
            return [first, *[piece async for piece in pieces]]

    assert asyncio.run(main()) == ["Six ", "to ten."]


def test_the_message_is_sent_as_json_and_signed_in_the_opening():
    came = []

    async def talk(socket):
        came.extend((socket.request.path, socket.request.headers, await socket.recv()))

    talk_to(talk, secret="hunter2")
    path, headers, message = came
    assert path == "/talk"
    assert json.loads(message) == PAYLOAD
    assert headers["X-Patter-Signature"] == hmac.new(b"hunter2", message.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize("ending", ["close", "cancel"])
def test_ending_the_reply_early_closes_the_socket(ending):
    async def main():
        async with asyncio.timeout(20), talking(says("Six ", closes=False)) as (url, ends):
            pieces = RemoteMessage(url, allow_private=True).replies(PAYLOAD)
            assert await anext(pieces) == "Six "
            if ending == "cancel":
                waiting = asyncio.ensure_future(anext(pieces))
                await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.wait({waiting})
            else:
                await pieces.aclose()
            await ends.get()

    asyncio.run(main())


async def breaks_off(socket):
    await socket.recv()
    await socket.send("Six ")
    await socket.close(1011, "no more")


async def cuts(socket):
    await socket.recv()
    await socket.send("Six ")
    socket.transport.abort()


async def too_long(socket):
    await socket.recv()
    await socket.send("Six ")
    with pytest.raises(ConnectionClosed):
        await socket.send("x" * (MOST_BYTES + 1))
        await socket.recv()


BREAKS = [
    (breaks_off, r"127\.0\.0\.1 broke off its answer \(.*1011.*no more"),
    (cuts, r"127\.0\.0\.1 broke off its answer"),
    (too_long, r"127\.0\.0\.1 broke off its answer \(.*1009"),
    (says("Six ", closes=False), r"127\.0\.0\.1 sent nothing for 0\.2 s"),
    (says("Six ", '{"error": "lost"}'), r'127\.0\.0\.1 answered {"error": "lost"}'),
]


@pytest.mark.parametrize(("talk", "told"), BREAKS, ids=["closed with an error", "cut", "too long", "silent", "an error"])
def test_an_answer_that_breaks_off_is_an_error_after_what_was_said(talk, told):
    async def main():
        heard = []
        async with asyncio.timeout(20), talking(talk) as (url, _):
            pieces = RemoteMessage(url, allow_private=True, timeout_seconds=0.2).replies(PAYLOAD)
            with pytest.raises(RemoteError, match=told):
                async with aclosing(pieces):
                    async for piece in pieces:
                        heard.append(piece)  # noqa: PERF401 (what came before an error counts)
        return heard

    assert asyncio.run(main()) == ["Six "]


def opening_refused(status, **headers):
    def refuse(connection, request):
        response = connection.respond(status, "no")
        for name, value in headers.items():
            response.headers[name] = value
        return response

    async def main():
        async with asyncio.timeout(20), talking(says("Six."), process_request=refuse) as (url, _):
            await replies(url)

    return main


def test_a_socket_that_does_not_open_is_an_error():
    async def gone():
        async with talking(says()) as (url, _):
            pass
        await replies(url)

    async def silent():
        async with asyncio.timeout(20), quiet() as port:
            await replies(f"ws://127.0.0.1:{port}/", timeout_seconds=0.05)

    with pytest.raises(RemoteError, match=r"127\.0\.0\.1 opened no socket \(.*HTTP 403"):
        asyncio.run(opening_refused(403)())
    with pytest.raises(RemoteError, match=r"127\.0\.0\.1 opened no socket"):
        asyncio.run(gone())
    with pytest.raises(RemoteError, match=r"127\.0\.0\.1 did not open a socket within 0\.05 s"):
        asyncio.run(silent())


def test_a_socket_is_not_sent_to_an_address_that_nobody_checked():
    reached = []

    async def main():
        async def listen(socket):
            reached.append(socket)

        async with talking(listen) as (elsewhere, _):
            await opening_refused(302, Location=elsewhere)()

    with pytest.raises(RemoteError, match="cross-origin redirect"):
        asyncio.run(main())
    assert reached == []


# Where it leads.


PRIVATE = ["http://127.0.0.1:8000/x", "http://localhost/x", "ws://[::1]/x", "https://192.168.0.7/x", "ws://desk.localhost/x"]


@pytest.mark.parametrize("url", PRIVATE)
def test_this_machine_and_its_networks_are_refused_where_they_are_given(url):
    with pytest.raises(ConfigError) as refused:
        RemoteMessage(url)
    assert "not on the public internet: set allow_private=True" in str(refused.value)
    assert f"RemoteMessage({url!r}, allow_private=True)" in str(refused.value)
    RemoteMessage(url, allow_private=True)


@pytest.mark.parametrize("url", ["http://0x7f000001/x", "http://2130706433/x", "ws://127.1/x"])
def test_other_spellings_of_this_machine_are_refused_before_anything_is_sent(url):
    async def main():
        await anext(RemoteMessage(url).replies(PAYLOAD))

    with pytest.raises(AddressError, match="not on the public internet"):
        asyncio.run(main())


REFUSED = [
    ({"url": None}, ConfigTypeError, "url of on_message is NoneType; it must be a string"),
    ({"url": "example.com"}, ConfigError, "url of on_message must begin with http://"),
    ({"url": "ftp://example.com"}, ConfigError, "url of on_message must begin with http://"),
    ({"url": "https:///x"}, ConfigError, "and name a host"),
    ({"url": "https://[::1/x"}, ConfigError, "its host is malformed"),
    ({"url": "https://me:hunter2@example.com/"}, ConfigError, "holds a user name or a password"),
    ({"secret": b"hunter2"}, ConfigTypeError, "secret of on_message is bytes"),
    ({"allow_private": "yes"}, ConfigTypeError, "allow_private of on_message is 'yes'"),
    ({"timeout_seconds": "1"}, ConfigTypeError, "timeout_seconds of on_message is '1'"),
    ({"timeout_seconds": 0}, ConfigError, "timeout_seconds of on_message is 0; it must be above 0"),
    ({"timeout_seconds": float("inf")}, ConfigError, "timeout_seconds of on_message is inf"),
]


@pytest.mark.parametrize(("given", "kind", "told"), REFUSED)
def test_settings_that_cannot_be_used_are_refused_by_name(given, kind, told):
    with pytest.raises(kind) as refused:
        RemoteMessage(**{"url": "https://example.com/", **given})
    assert told in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_its_written_form_shows_no_secret():
    shown = repr(RemoteMessage("https://example.com/?token=hunter2", secret="hunter2", timeout_seconds=5.0))
    assert shown == "RemoteMessage('https://example.com/?•••#5a617e8a', secret='•••', timeout_seconds=5.0)"
    assert repr(RemoteMessage("ws://localhost/", allow_private=True)) == "RemoteMessage('ws://localhost/', allow_private=True)"


def test_its_errors_are_this_librarys():
    assert issubclass(RemoteError, PatterError)
