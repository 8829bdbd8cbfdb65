"""One POST: to the address that was checked, as the host that was meant, with an answer no longer than wanted."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
import subprocess
from contextlib import suppress

import pytest
from tests_of_web_listener import OK, listening

from patter_nb.web.address import AddressError, Target
from patter_nb.web.post import MOST_BYTES, Reply, WebError, post_json, tls


def answer(body, *headers, status="200 OK", length=True):
    lines = [f"HTTP/1.1 {status}", *headers, *([f"content-length: {len(body)}"] if length else [])]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode() + body


def at(port, host="hooks.example", scheme="http", path="/hook?a=b#c"):
    return Target(f"{scheme}://{host}:{port}{path}", scheme, host, port, "127.0.0.1")


def posted(*answers, payload=None, **settings):
    """The reply of a server that gives `answers`, and the first request it saw."""

    async def main():
        async with listening(*answers) as server:
            reply = await post_json(at(server.port), payload, **{"timeout_seconds": 5, **settings})
            assert len(server.requests) == 1
            return reply, server.requests[0], server.port

    return asyncio.run(main())


def test_the_request_is_json_for_the_host_that_was_meant():
    reply, request, port = posted(payload={"city": "Köln"}, headers={"X-Key": "1", "Content-Type": "application/problem+json"})
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /hook?a=b http/1.1"
    assert f"host: hooks.example:{port}" in lines
    assert "x-key: 1" in lines
    assert "accept-encoding: identity" in lines
    assert [line for line in lines if line.startswith("content-type")] == ["content-type: application/problem+json"]
    assert json.loads(body) == {"city": "Köln"}
    assert reply == Reply(200, b"{}")


def test_a_header_of_the_user_does_not_change_the_host():
    _, request, port = posted(headers={"Host": "other.example"})
    assert request.lower().count(b"\r\nhost: ") == 1
    assert f"host: hooks.example:{port}".encode() in request.lower()


@pytest.mark.parametrize("status", [200, 204, 301, 404, 500])
def test_every_status_is_an_answer(status):
    reply, _, _ = posted(answer(b"", status=f"{status} So"))
    assert reply.status == status


def test_an_answer_of_the_longest_length_is_read_and_a_longer_one_is_not():
    reply, _, _ = posted(answer(b"x" * MOST_BYTES))
    assert len(reply.body) == MOST_BYTES
    for longer in (answer(b"x" * (MOST_BYTES + 1)), answer(b"x" * (2 * MOST_BYTES), length=False)):
        with pytest.raises(WebError, match=r"^The answer is longer than 1 MiB\.$") as failed:
            posted(longer)
        assert not failed.value.retryable
    with pytest.raises(WebError, match="The answer is longer than 3 bytes"):
        posted(answer(b"four"), most_bytes=3)


def test_an_answer_without_end_is_left_at_the_bound():
    sent = 0

    async def pour(reader, writer):
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x" * 65536)
            sent += 65536
            await writer.drain()

    with pytest.raises(WebError, match="longer than 1 MiB"):
        posted(pour)
    assert sent < 16 * MOST_BYTES  # what the sockets buffered, far from the 62 MiB that were to come


def test_a_packed_answer_is_refused_before_it_is_unpacked():
    with pytest.raises(WebError, match="The answer is packed"):
        posted(answer(gzip.compress(b"0" * 50_000_000), "content-encoding: gzip"))


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"], ids=["no head", "half a body"])
def test_who_does_not_answer_in_time_may_be_asked_again(first):
    async def hang(reader, writer):
        writer.write(first)
        await reader.read()

    with pytest.raises(WebError, match=r"^hooks\.example did not answer within 0\.1 s\.$") as failed:
        posted(hang, timeout_seconds=0.1)
    assert failed.value.retryable


def test_drops_do_not_put_off_the_deadline():
    async def drip(reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(100):
            writer.write(b" ")
            await writer.drain()
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.read(), 0.02)

    with pytest.raises(WebError, match=r"did not answer within 0\.2 s"):
        posted(drip, timeout_seconds=0.2)


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"])
def test_who_breaks_off_or_speaks_something_else_may_be_asked_again(said):
    with pytest.raises(WebError, match=r"^hooks.example cannot be asked: ") as failed:
        posted(said)
    assert failed.value.retryable


@pytest.mark.parametrize("value", ["hunter2\r\nX: 1", "hunter2\n", "hunter2é€"])
def test_a_header_that_cannot_be_sent_is_told_without_its_value(value):
    with pytest.raises(WebError, match=r"A header for hooks\.example cannot be sent") as failed:
        posted(headers={"Authorization": value})
    assert "hunter2" not in str(failed.value)
    assert failed.value.__cause__ is None


@pytest.mark.parametrize("payload", [float("nan"), {"a": {1, 2}}, b"x"])
def test_what_is_not_json_is_not_sent(payload):
    with pytest.raises(WebError, match="What was to be sent is not JSON"):
        posted(payload=payload)


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_not_json_is_told_when_it_is_read_as_json(body):
    with pytest.raises(WebError, match="The answer is not JSON"):
        Reply(200, body).json()


def test_a_url_that_the_client_cannot_read_is_an_address_error():
    async def main():
        with pytest.raises(AddressError, match=r"The URL of 127\.0\.0\.1 cannot be used"):
            await post_json("http://127.0.0.1/" + "a" * 70_000, {}, timeout_seconds=5, allow_private=True)

    asyncio.run(main())


@pytest.fixture
def certified(tmp_path, monkeypatch):
    """TLS of a server that calls itself hooks.example, trusted by this process."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    names = ("-subj", "/CN=hooks.example", "-addext", "subjectAltName=DNS:hooks.example", "-days", "2")
    made = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", *names)
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls.cache_clear()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    yield context
    tls.cache_clear()


def test_the_certificate_is_that_of_the_host_and_not_of_the_address(certified):
    named = []

    def remember(socket, name, context):
        named.append(name)

    certified.sni_callback = remember

    async def main():
        async with listening(OK, ssl=certified) as server:
            assert await post_json(at(server.port, scheme="https"), {}, timeout_seconds=5) == Reply(200, b"{}")
            for host in ("other.example", "127.0.0.1"):
                with pytest.raises(WebError, match="CERTIFICATE_VERIFY_FAILED"):
                    await post_json(at(server.port, host=host, scheme="https"), {}, timeout_seconds=5)
            assert len(server.requests) == 1

    asyncio.run(main())
    assert named[:2] == ["hooks.example", "other.example"]


def test_certificates_are_read_once_per_process():
    tls.cache_clear()
    assert tls() is tls()
    posted()
    posted()
    assert tls.cache_info().misses == 1
