"""Webhooks: one order each, asked again where that can help, with an answer that is JSON and not too long."""

from __future__ import annotations

import asyncio
import json
import re
import time

import pytest
from tests_of_web_listener import listening

from patter_nb.tools import Tool, ToolError
from patter_nb.tools.webhook import waiting_seconds

CONTEXT = {"call_id": "c1", "caller": "+1555", "callee": "+1556"}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def status(number, body=b"{}", *headers):
    lines = [f"HTTP/1.1 {number} So", f"content-length: {len(body)}", *headers, "connection: close", "", ""]
    return "\r\n".join(lines).encode() + body


async def reset(reader, writer):
    writer.transport.abort()


async def hang(reader, writer):
    await reader.read()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr("patter_nb.tools.webhook.FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr("patter_nb.tools.webhook.JITTER_SECONDS", 0.0)


def ask(*answers, deadline_seconds=10.0, **settings):
    """What became of one execution (a reply or an error), the attempts that were counted, and the requests a server saw."""

    async def main():
        async with listening(*answers) as server:
            url = f"http://127.0.0.1:{server.port}/book"
            made = Tool("book", parameters=CITY, **{"webhook_url": url, "allow_private": True, **settings})
            bound = made.bind('{"city": "Köln"}', CONTEXT)
            try:
                async with asyncio.timeout(deadline_seconds):
                    outcome = await bound.call()
            except (ToolError, TimeoutError) as error:
                outcome = error
            return outcome, bound.attempts, list(server.requests)

    return asyncio.run(main())


def header(request, name):
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    return [line.partition(": ")[2] for line in lines if line.lower().startswith(f"{name}: ")]


def test_the_order_says_what_is_wanted_and_in_which_call():
    outcome, attempts, (request,) = ask(status(200, b'{"room": 7}'), headers={"Authorization": "Bearer hunter2"})
    assert (outcome, attempts) == ({"room": 7}, 1)
    assert request.startswith(b"POST /book HTTP/1.1\r\n")
    assert header(request, "authorization") == ["Bearer hunter2"]
    assert header(request, "content-type") == ["application/json"]
    assert json.loads(request.partition(b"\r\n\r\n")[2]) == {"tool": "book", "arguments": {"city": "Köln"}, **CONTEXT}


@pytest.mark.parametrize(
    ("answers", "attempts"),
    [
        ([status(500), status(500), status(200)], 3),
        ([status(429), status(200)], 2),
        ([status(503, b"later"), status(200)], 2),
        ([status(501), status(200)], 2),
        ([reset, status(200)], 2),
        ([b"", status(200)], 2),
        ([b"SSH-2.0-x\r\n\r\n", reset, status(200)], 3),
        ([status(200)], 1),
        ([status(201)], 1),
    ],
)
def test_it_is_asked_again_where_that_can_help(answers, attempts):
    outcome, counted, requests = ask(*answers)
    assert (outcome, counted, len(requests)) == ({}, attempts, attempts)


def test_all_attempts_of_one_execution_carry_one_key_and_others_another():
    _, _, requests = ask(status(500), status(500), status(200))
    (one,) = {header(request, "idempotency-key")[0] for request in requests}
    _, _, requests = ask(status(200))
    (other,) = {header(request, "idempotency-key")[0] for request in requests}
    assert one != other
    assert len(one) == 32


FAILURES = [
    ([status(404)], 1, r"book answered with status 404\."),
    ([status(400)], 1, r"book answered with status 400\."),
    ([status(401)], 1, r"book answered with status 401\."),
    ([status(408)], 1, r"book answered with status 408\."),
    ([status(500)], 3, r"book answered with status 500\."),
    ([status(429)], 3, r"book answered with status 429\."),
    ([reset], 3, r"book failed: 127\.0\.0\.1 cannot be asked"),
    ([status(200, b"x" * 2 * 1024 * 1024)], 1, r"book failed: The answer is longer than 1 MiB\."),
    ([status(200, b"<html>")], 1, r"book failed: The answer is not JSON"),
    ([status(200, b'{"a": NaN}')], 1, r"book failed: The answer is not JSON"),
    (
        [status(302, b"", "location: /other")],
        1,
        r"book answered with status 302. It must answer itself: redirects are not followed",
    ),
    ([status(307, b"", "location: /other")], 1, r"book answered with status 307. It must answer itself"),
]


@pytest.mark.parametrize(("answers", "attempts", "sentence"), FAILURES, ids=[case[2] for case in FAILURES])
def test_a_failure_is_a_sentence_for_the_model(answers, attempts, sentence):
    outcome, counted, requests = ask(*answers)
    assert isinstance(outcome, ToolError)
    assert re.match(sentence, str(outcome))
    assert (counted, len(requests)) == (attempts, attempts)


@pytest.mark.parametrize("answer", [status(204, b""), status(200, b""), status(201, b" \r\n")])
def test_an_answer_without_a_body_is_null(answer):
    assert ask(answer)[:2] == (None, 1)


def test_who_sends_no_answer_is_told_with_one_full_stop():
    outcome, _, _ = ask(b"")
    assert re.fullmatch(r"book failed: 127\.0\.0\.1 cannot be asked: .*[^.]\.", str(outcome))


def test_a_slow_one_is_asked_again_within_its_own_time():
    outcome, attempts, requests = ask(hang, status(200), timeout_s=0.2)
    assert (outcome, attempts, len(requests)) == ({}, 2, 2)


def test_the_deadline_of_the_caller_ends_it_at_once():
    begun = time.monotonic()
    outcome, attempts, requests = ask(hang, deadline_seconds=0.2)
    assert isinstance(outcome, TimeoutError)
    assert (attempts, len(requests)) == (1, 1)
    assert time.monotonic() - begun < 2.0


def test_nothing_is_sent_to_this_machine_unless_that_is_allowed():
    outcome, attempts, requests = ask(status(200), allow_private=False)
    assert isinstance(outcome, ToolError)
    assert str(outcome).startswith("book cannot be reached: The host '127.0.0.1' leads to 127.0.0.1, which is not on the public")
    assert (attempts, requests) == (1, [])


def test_waits_grow_to_a_bound_with_a_little_chance(monkeypatch):
    monkeypatch.undo()
    for attempt, seconds in ((1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (5, 5.0), (9, 5.0)):
        waits = [waiting_seconds(attempt) for _ in range(200)]
        assert all(seconds <= wait <= seconds + 0.06 for wait in waits)
        assert max(waits) - min(waits) > 0.01


def test_a_wait_is_a_wait_of_the_loop(virtual, monkeypatch):
    monkeypatch.undo()

    async def main():
        loop = asyncio.get_running_loop()
        begun = loop.time()
        bound = Tool("book", webhook_url="http://127.0.0.1:9/", allow_private=True).bind("{}", CONTEXT)
        with pytest.raises(ToolError, match="book failed"):
            await bound.call()
        assert bound.attempts == 3
        return loop.time() - begun

    begun = time.monotonic()
    assert 1.5 <= virtual(main()) <= 1.7
    assert time.monotonic() - begun < 1.4
