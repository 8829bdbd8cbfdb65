"""The page as it is served, and sockets that prove nothing or send nonsense."""

from __future__ import annotations

import asyncio
import json
import logging

import httpx
import pytest
from websockets.asyncio.client import connect

from patter_nb.softphone import Softphone, routes

from .conftest import address, page_of


def get(path: str, **headers: str) -> httpx.Response:
    async def main():
        softphone = Softphone()
        base = softphone.url.split("/softphone")[0]
        async with httpx.AsyncClient() as client:
            response = await client.get(f"{base}{path}", headers=headers, timeout=20)
        token = softphone.url.partition("#")[2]
        assert token not in response.text
        softphone.close()
        return response

    return asyncio.run(main())


SERVED = [("?phone=1234", "text/html"), ("/softphone.js", "text/javascript"), ("/page.js", "text/javascript")]


@pytest.mark.parametrize(("path", "kind"), SERVED)
def test_what_is_served_holds_no_token_and_is_kept_by_nobody(path, kind):
    response = get(f"/softphone{path}")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(kind)
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "server" not in response.headers


def test_nothing_else_is_served():
    for path in ("/", "/docs", "/openapi.json", "/softphone/", "/softphone/worklet.js", "/softphone/../softphone.py"):
        assert get(path).status_code in (404, 307)


def test_the_page_is_not_given_to_who_asks_for_another_name():
    assert get("/softphone", host="evil.example").status_code == 403
    assert get("/softphone", host="hub.example.org", **{"x-forwarded-context": "/user/ann/proxy/1"}).status_code == 200


NO_HELLO = [
    "", "no json", "[]", "{}", '{"event":1}', '{"event":"talk"}', '{"event":"hello"}',
    '{"event":"hello","page":"p","token":"wrong"}', '{"event":"hello","page":"p","token":["x"]}',
    '{"event":"hello","page":"p","token":"\\ud800"}',
    '{"event":"hello","page":"","token":"x"}', "[" * 50_000,
]  # fmt: skip


@pytest.mark.parametrize("hello", NO_HELLO, ids=range(len(NO_HELLO)))
def test_whoever_proves_nothing_is_let_out_again(run, hello):
    async def main():
        softphone = Softphone()
        url, origin, _ = address(softphone)
        async with connect(url, origin=origin) as line:
            await line.send(hello)
            await line.wait_closed()
            assert line.close_code == 4401
        softphone.close()

    run(main())


@pytest.mark.parametrize("wrong", ["token", "phone", "binary", "page"])
def test_the_token_is_of_this_softphone_alone(run, wrong):
    async def main():
        softphone, other = Softphone(), Softphone()
        url, origin, secret = address(softphone)
        if wrong == "phone":
            url = url.replace(softphone.id, other.id)
        name, token = "p" * (65 if wrong == "page" else 1), secret[:-1] if wrong == "token" else secret
        hello = {"event": "hello", "page": name, "token": token}
        async with connect(url, origin=origin) as line:
            text = json.dumps(hello)
            await line.send(text.encode() if wrong == "binary" else text)
            await line.wait_closed()
            assert line.close_code == 4401
        softphone.close()
        other.close()

    run(main())


def test_whoever_says_nothing_is_let_out_again(run, monkeypatch):
    monkeypatch.setattr(routes, "HELLO_SECONDS", 0.1)

    async def main():
        softphone = Softphone()
        url, origin, _ = address(softphone)
        async with connect(url, origin=origin) as line:
            await line.wait_closed()
            assert line.close_code == 4401
        softphone.close()

    run(main())


NONSENSE = ["", "{", "[]", '{"event":7}', '{"no":"event"}', "[" * 50_000, '"text"', b"\x00binary"]


@pytest.mark.parametrize("nonsense", NONSENSE, ids=range(len(NONSENSE)))
def test_nonsense_closes_its_socket_and_nothing_else(run, nonsense):
    async def main():
        softphone = Softphone()
        async with page_of(softphone) as page, page_of(softphone, name="page_2") as other:
            await page.until_state("idle")
            await page.line.send(nonsense)
            assert await page.until_closed() in (4400, 1000)
            await other.say("ping")
            await other.until_event("pong")
        softphone.close()

    run(main())


HARMLESS = [
    {"event": "unheard of"}, {"event": "mute"}, {"event": "mute", "on": "yes"}, {"event": "tune", "on": 3},
    {"event": "hangup", "x": {}}, {"event": "media", "media": 3}, {"event": "start"}, {"event": "hello", "token": "again"},
]  # fmt: skip


@pytest.mark.parametrize("message", HARMLESS, ids=lambda message: json.dumps(message)[:40])
def test_a_message_that_means_nothing_here_changes_nothing(run, message):
    async def main():
        softphone = Softphone()
        async with page_of(softphone) as page:
            await page.line.send(json.dumps(message))
            await page.say("ping")
            await page.until_event("pong")
            assert page.state["state"] == "idle"
        softphone.close()

    run(main())


def test_a_message_longer_than_any_of_ours_closes_its_socket(run):
    async def main():
        softphone = Softphone()
        async with page_of(softphone) as page:
            await page.until_state("idle")
            await page.line.send(json.dumps({"event": "x", "y": "z" * 70_000}))
            assert await page.until_closed() == 1009
        softphone.close()

    run(main())


def test_malformed_messages_of_the_stream_are_written_down_and_the_call_goes_on(run, phone):
    from .conftest import scripted

    async def main():
        softphone = Softphone()
        call = phone.test(scripted(phone), caller=softphone)
        async with page_of(softphone) as page:
            await page.talk()
            for text in ('{"event":"media","media":{"track":"inbound"}}', '{"event":"dtmf"}', '{"event":"media"' + "x" * 60_000):
                await page.line.send(text)
            await page.line.send(page.wire.dtmf("1"))
            async for event in call.stream():
                if event.kind == "dtmf":
                    break
            call.stop()
            await call.ended(10)
        softphone.close()
        return call

    call = run(main())
    assert list(call.events.kind).count("carrier_error") == 3


def test_the_token_is_written_to_no_log(run, caplog):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, "websockets")  # the test's own client

    async def main():
        softphone = Softphone()
        token = softphone.url.partition("#")[2]
        async with page_of(softphone) as page:
            await page.until_state("idle")
        softphone.close()
        return token

    token = run(main())
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("websockets.client")]
    assert [message for message in ours if token in message] == []
