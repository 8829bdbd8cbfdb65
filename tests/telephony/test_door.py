"""Who comes in by a webhook: what is small, in time, a form, and signed by the account for our public address."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from tests_of_telephony_wires import (
    ANSWER,
    FORM,
    HOST,
    ORIGIN,
    TOKEN,
    Answer,
    Pairs,
    ask,
    calling,
    closed,
    post,
    read,
    sid,
    signed,
)

from patter_nb.server import serve
from patter_nb.telephony import door as door_module
from patter_nb.telephony.door import BODY_BYTES, Door
from patter_nb.telephony.routes import make_app

TWIML = "<Response/>"
PAIRS = calling(sid("CA", 1))
URL = f"{ORIGIN}{ANSWER}"
ELSE = f"http://{HOST}{ANSWER}"


class Desk:
    """Notes who came in."""

    def __init__(self) -> None:
        self.came: list[str] = []

    async def incoming(self, call: Any) -> str:
        self.came.append(call.caller)
        return TWIML


@dataclass
class Served:
    port: int
    desk: Desk


@contextlib.asynccontextmanager
async def served(origin: Callable[[], str] = lambda: ORIGIN) -> AsyncIterator[Served]:
    desk = Desk()
    server = serve(lambda: make_app(desk, Door(lambda: TOKEN, origin)), loop=asyncio.get_running_loop(), lazy=True)
    try:
        yield Served(server.port, desk)
    finally:
        await server.stop()


def asked(run: Any, request: bytes, **settings: Any) -> tuple[Answer, list[str]]:
    """What one request gets, and who came in by it."""

    async def main() -> tuple[Answer, list[str]]:
        async with served(**settings) as server:
            return await ask(server.port, request), server.desk.came

    return run(main())


def signature(url: str = URL, pairs: Pairs = PAIRS, **settings: Any) -> list[tuple[str, str]]:
    return [("X-Twilio-Signature", signed(url, pairs, **settings))]


ODD: Pairs = [("CallSid", sid("CA", 2)), ("AccountSid", sid("AC", 1)), ("From", "+1 & ?=é☎"), ("To", ""), ("x", "")]
PROXIED = [("X-Forwarded-Host", "evil.example.com"), ("X-Forwarded-Proto", "http"), ("Forwarded", "host=evil.example.com")]

COMES_IN = {
    "signed for the public address": post(pairs=PAIRS),
    "also under the public Patter's name": post("/webhooks/twilio/voice", PAIRS),
    "the header's name in any case": post(pairs=PAIRS, headers=[("x-TWILIO-signature", signed(URL, PAIRS))]),
    "whatever the Host header says": post(pairs=PAIRS, host="127.0.0.1:8000"),
    "a Host header that is no host": post(pairs=PAIRS, host="["),
    "a Host header with a query and a fragment": post(pairs=PAIRS, host="evil.example.com/?call=1#"),
    "with what proxies add": post(pairs=PAIRS, headers=[*signature(), *PROXIED]),
    "signed with the port that https has": post(pairs=PAIRS, headers=signature(f"https://{HOST}:443{ANSWER}")),
    "a query, as it was signed": post(f"{ANSWER}?call=a%20b&x=%3F%23", PAIRS),
    "a path with a letter encoded, as it was signed": post("/webhooks/twilio/%61nswer", PAIRS),
    "values of any kind": post(pairs=ODD),
    "several values of one name": post(pairs=[*PAIRS, ("Extra", "b"), ("Extra", "a")]),
    "a charset beside the content type": post(pairs=PAIRS, content_type=f"{FORM}; charset=UTF-8"),
    "two hundred fields": post(pairs=[*PAIRS, *((f"F{n}", "x") for n in range(200 - len(PAIRS)))]),
}

LARGE: Pairs = [*PAIRS, ("Extra", "x" * BODY_BYTES)]
MANY: Pairs = [*PAIRS, *((f"F{n}", "x") for n in range(201 - len(PAIRS)))]
OF_A_BODY = urlencode(PAIRS).encode()

STAYS_OUT = {
    "no signature": (403, post(pairs=PAIRS, headers=())),
    "an empty one": (403, post(pairs=PAIRS, headers=[("X-Twilio-Signature", "")])),
    "a forged one": (403, post(pairs=PAIRS, headers=[("X-Twilio-Signature", "A" * 27 + "=")])),
    "one that is no base64": (403, post(pairs=PAIRS, headers=[("X-Twilio-Signature", "\xff\xfe")])),
    "one of another account": (403, post(pairs=PAIRS, headers=signature(token="f" * 32))),
    "one without the fields": (403, post(pairs=PAIRS, headers=signature(pairs=[]))),
    "one of another caller": (403, post(pairs=PAIRS, headers=signature(pairs=calling(sid("CA", 1), From="+15550009999")))),
    "one of a field less": (403, post(pairs=[*PAIRS, ("Extra", "1")], headers=signature())),
    "the right one twice": (403, post(pairs=PAIRS, headers=signature() * 2)),
    "the right one and a forged one": (403, post(pairs=PAIRS, headers=[*signature(), ("X-Twilio-Signature", "x")])),
    "made for http": (403, post(pairs=PAIRS, headers=signature(ELSE))),
    "made for the Host that asks": (
        403, post(pairs=PAIRS, host="evil.example.com", headers=signature(f"https://evil.example.com{ANSWER}")),
    ),
    "made for the forwarded host": (
        403, post(pairs=PAIRS, headers=[*signature(f"https://evil.example.com{ANSWER}"), *PROXIED]),
    ),
    "made for another port": (403, post(pairs=PAIRS, headers=signature(f"https://{HOST}:8443{ANSWER}"))),
    "made for another path": (403, post(pairs=PAIRS, headers=signature(f"{ORIGIN}/webhooks/twilio/status"))),
    "made for the path decoded": (403, post("/webhooks/twilio/%61nswer", PAIRS, headers=signature())),
    "made without the query": (403, post(f"{ANSWER}?call=1", PAIRS, headers=signature())),
    "made for another query": (403, post(f"{ANSWER}?call=2", PAIRS, headers=signature(f"{URL}?call=1"))),
    "made with a query that stands in the Host": (
        403, post(pairs=PAIRS, host="x?call=1#", headers=signature(f"{URL}?call=1")),
    ),
    "no content type": (415, post(pairs=PAIRS, content_type=None)),
    "JSON": (415, post(pairs=PAIRS, content_type="application/json")),
    "a form in parts": (415, post(pairs=PAIRS, content_type="multipart/form-data; boundary=x")),
    "a body that says it is too long": (413, post(pairs=PAIRS, length=BODY_BYTES + 1)),
    "a body that is too long": (413, post(pairs=LARGE)),
    "a field too many": (400, post(pairs=MANY)),
    "bytes that are no UTF-8": (400, post(pairs=b"CallSid=\xff", headers=signature(pairs=[]))),
    "UTF-8 that is none when it is decoded": (400, post(pairs=b"CallSid=%ff%fe", headers=signature(pairs=[]))),
    "a percent sign that stands for nothing": (403, post(pairs=b"CallSid=%zz&%", headers=signature(pairs=[]))),
    "nothing": (400, post(pairs=[])),
    "another method": (405, b"GET " + ANSWER.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    "another path": (404, post("/webhooks/twilio/other", PAIRS)),
    "a slash more": (404, post(f"{ANSWER}/", PAIRS)),
    "the path twice encoded": (404, post("/webhooks/twilio/%2561nswer", PAIRS)),
    "dots in the path": (404, post("/webhooks/twilio/../twilio/answer", PAIRS)),
    "a length that is none": (400, post(pairs=PAIRS).replace(b"Content-Length: ", b"Content-Length: x")),
    "a length of five thousand digits": (400, post(pairs=PAIRS).replace(b"Content-Length: ", b"Content-Length: " + b"1" * 5000)),
    "two lengths": (400, post(pairs=PAIRS).replace(b"Host:", b"Content-Length: 1\r\nHost:")),
}  # fmt: skip


@pytest.fixture(scope="module")
def answers() -> dict[str, tuple[Answer, int]]:
    """What each request gets from one server, and how many came in by it."""

    async def main() -> dict[str, tuple[Answer, int]]:
        found = {}
        async with served() as server:
            for name, request in {**COMES_IN, **{name: request for name, (_, request) in STAYS_OUT.items()}}.items():
                before = len(server.desk.came)
                answer = await ask(server.port, request)
                found[name] = answer, len(server.desk.came) - before
        return found

    return asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize("name", COMES_IN)
def test_a_signed_form_comes_in(name, answers):
    answer, came = answers[name]
    assert (answer.status, answer.body, came) == (200, TWIML, 1)
    assert answer.headers["content-type"].startswith("text/xml")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", STAYS_OUT)
def test_anything_else_stays_out_and_is_told_in_a_few_plain_words(name, answers):
    answer, came = answers[name]
    assert (answer.status, came) == (STAYS_OUT[name][0], 0)
    assert len(answer.body) < 80
    assert "location" not in answer.headers
    for given in ("CallSid", "+1555", TOKEN, "evil", "xxx", HOST):
        assert given not in answer.body + str(answer.headers)


def test_nobody_comes_in_while_there_is_no_public_address(run):
    answer, came = asked(run, post(pairs=PAIRS, headers=signature(ANSWER)), origin=lambda: "")
    assert (answer.status, came) == (403, [])


def test_the_address_is_the_one_that_is_public_now(run):
    origins = iter(["https://first.example.com", "https://second.example.com"])
    request = post(pairs=PAIRS, headers=signature(f"https://second.example.com{ANSWER}"))

    async def main():
        async with served(lambda: next(origins)) as server:
            return [(await ask(server.port, request)).status for _ in range(2)]

    assert run(main()) == [403, 200]


def chunked(body: bytes, size: int) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def in_chunks(body: bytes, size: int) -> bytes:
    head = post(pairs=PAIRS).partition(b"\r\n\r\n")[0].split(b"\r\n")
    lines = [line for line in head if not line.startswith(b"Content-Length")]
    return b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", b""]) + chunked(body, size)


@pytest.mark.parametrize(("body", "status"), [(OF_A_BODY, 200), (b"x" * (BODY_BYTES + 1), 413), (OF_A_BODY + b"&a=1", 403)])
def test_a_body_in_chunks_is_measured_as_it_comes(body, status, run):
    answer, came = asked(run, in_chunks(body, 4_000))
    assert (answer.status, len(came)) == (status, status == 200)


def test_a_chunk_that_is_none_is_refused(run):
    answer, came = asked(run, in_chunks(OF_A_BODY, 4_000).replace(b"\r\n\r\n", b"\r\n\r\nzz", 1))
    assert (answer.status, came) == (400, [])


def test_a_body_that_is_too_long_ends_its_socket(run):
    async def main():
        async with served() as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(post(pairs=PAIRS, length=30_000_000)[:-10])
            answer = await read(reader)
            assert (answer.status, answer.closed) == (413, True)
            assert await closed(reader) == b""
            writer.close()
            return server.desk.came

    assert run(main()) == []


def test_a_body_that_does_not_come_is_not_waited_for(run, monkeypatch):
    monkeypatch.setattr(door_module, "BODY_SECONDS", 0.1)

    async def main():
        async with served() as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(post(pairs=PAIRS)[:-1])
            answer = await read(reader)
            assert await closed(reader) == b""
            writer.close()
            return answer.status, answer.closed, server.desk.came

    assert run(main()) == (408, True, [])


def test_whoever_leaves_in_the_middle_of_a_body_leaves_nothing_behind(run, caplog):
    async def main():
        async with served() as server:
            await ask(server.port, post(pairs=PAIRS))  # the application is there
            others = asyncio.all_tasks()
            for _ in range(20):
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(post(pairs=PAIRS)[:-1])
                await writer.drain()
                writer.transport.abort()
            assert (await ask(server.port, post(pairs=PAIRS))).status == 200
            async with asyncio.timeout(5):
                while left := asyncio.all_tasks() - others:
                    await asyncio.wait(left, timeout=0.05)
            return len(server.desk.came)

    assert run(main()) == 2
    assert caplog.records == []


def test_one_socket_can_carry_one_request_after_the_other(run):
    async def main():
        async with served() as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            statuses = []
            for request in (post(pairs=PAIRS), post(pairs=PAIRS, headers=()), post("/nowhere", PAIRS), post(pairs=PAIRS)):
                writer.write(request)
                statuses.append((await read(reader)).status)
            writer.close()
            return statuses

    assert run(main()) == [200, 403, 404, 200]
