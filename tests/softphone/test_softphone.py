"""A softphone and its pages: who may come in, what they see, and what is pressed."""

from __future__ import annotations

import asyncio
import threading

import pytest
from websockets.exceptions import InvalidStatus

from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.softphone import Softphone
from patter_nb.softphone.line import Line

from .conftest import Ends, page_of


def ring(softphone: Softphone, ended: list[str] | None = None) -> Line:
    return softphone.ring("call_1", "Mia").ends_with(([] if ended is None else ended).append)


def test_a_page_is_told_what_is_known(run):
    async def main():
        softphone = Softphone()
        async with page_of(softphone) as page:
            first = await page.until_state("idle")
            assert (first["agent"], first["holder"], first["can_talk"], first["muted"]) == ("", "", False, False)
            softphone.on_talk(lambda: None)
            await page.until(lambda: page.state["can_talk"])
            ring(softphone)
            assert (await page.until_state("ringing"))["agent"] == "Mia"
        softphone.close()

    run(main())


def test_talk_answers_what_rings_and_the_page_that_talks_holds_it(run):
    async def main():
        softphone = Softphone()
        line = ring(softphone)
        async with page_of(softphone) as page, page_of(softphone, name="page_2") as other:
            await other.until_state("ringing")
            await page.say("talk")
            assert (await other.until_state("connecting"))["holder"] == "page_1"
            assert line.is_picked_up
            line.open({"caller": "+1"})
            assert (await page.until_event("open"))["parameters"] == {"caller": "+1"}
            await other.say("talk")
            await page.line.send(page.wire.start({}))
            assert (await other.until_state("talking"))["holder"] == "page_1"
            assert "open" not in [message["event"] for message in other.came]
        softphone.close()

    run(main())


def test_what_another_page_sends_of_a_stream_does_not_reach_the_call(run):
    async def main():
        softphone = Softphone()
        line = ring(softphone)
        async with page_of(softphone) as page, page_of(softphone, name="page_2") as other:
            await page.say("talk")
            await page.until_state("connecting")
            await other.line.send(other.wire.start({}))
            await other.say("ping")
            await other.until_event("pong")
            await page.line.send(page.wire.start({}))
            assert page.wire.stream_sid in (await asyncio.wait_for(line.receive(), 5))
        softphone.close()

    run(main())


def test_talk_asks_whoever_wants_to_know_and_the_call_that_follows_is_answered(run):
    async def main():
        softphone, lines, threads = Softphone(), [], set()

        def call() -> None:
            threads.add(threading.current_thread())
            lines.append(ring(softphone))

        softphone.on_talk(call)
        async with page_of(softphone) as page:
            await page.until(lambda: page.state.get("can_talk"))
            await page.say("talk")
            await page.until_state("connecting")
            assert lines[0].is_picked_up
            told = [(each["state"], each["holder"]) for each in page.came if each["event"] == "state"]
            assert told[told.index(("calling", page.name)) :] == [("calling", page.name), ("connecting", page.name)], (
                "a page that hears of a ringing phone lets go of its microphone"
            )
            await page.say("talk")
            await page.say("ping")
            await page.until_event("pong")
            assert len(lines) == 1
            assert threads == {threading.main_thread()}
            softphone.off_talk(call)
            await page.until(lambda: not page.state["can_talk"])
        softphone.close()

    run(main())


def test_what_on_talk_raises_is_shown(run):
    async def main():
        softphone = Softphone()

        def refuse() -> None:
            raise ConfigError("llm is missing: give one.")

        softphone.on_talk(refuse)
        async with page_of(softphone) as page:
            await page.until_state("idle")
            await page.say("talk")
            assert (await page.until_state("ended"))["reason"] == "llm is missing: give one."
        softphone.close()

    run(main())


def test_talk_is_nothing_where_nobody_asked_for_it(run):
    async def main():
        softphone = Softphone()
        async with page_of(softphone) as page:
            await page.say("talk")
            await page.say("ping")
            await page.until_event("pong")
            assert page.state["state"] == "idle"
        softphone.close()

    run(main())


HANG_UPS = [(False, "hung up before it was answered"), (True, "caller hung up")]


@pytest.mark.parametrize(("talks", "reason"), HANG_UPS)
def test_any_page_may_hang_up(run, talks, reason):
    async def main():
        softphone, ended = Softphone(), Ends()
        line = ring(softphone, ended)
        async with page_of(softphone) as page, page_of(softphone, name="page_2") as other:
            if talks:
                await page.say("talk")
                await page.until_state("connecting")
                line.open({})
                await page.line.send(page.wire.start({}))
            await other.until_state("talking" if talks else "ringing")
            await other.say("hangup")
            await other.say("ping")
            await other.until_event("pong")
            assert ended == [reason]
        softphone.close()

    run(main())


def test_a_page_that_is_closed_in_mid_call_drops_it_and_one_that_only_looks_on_does_not(run):
    async def main():
        softphone, ended = Softphone(), Ends()
        line = ring(softphone, ended)
        async with page_of(softphone) as page:
            async with page_of(softphone, name="page_2") as other:
                await other.until_state("ringing")
            await page.say("talk")
            await page.until_state("connecting")
            assert ended == []
        await ended.one()
        assert line.dropped
        assert ended == ["call dropped: its page was closed"]
        await line.close()
        softphone.over(line, ended[0])
        assert (softphone.state, softphone.reason) == ("dropped", "call dropped: its page was closed")
        softphone.close()

    run(main())


@pytest.mark.parametrize("lost", ["abort", "nonsense"])
def test_a_connection_that_is_lost_drops_the_call_and_says_how(run, lost):
    async def main():
        softphone, ended = Softphone(), Ends()
        ring(softphone, ended)
        async with page_of(softphone) as page:
            await page.say("talk")
            await page.until_state("connecting")
            if lost == "abort":
                page.line.transport.abort()
            else:
                await page.line.send("no message")
                assert await page.until_closed() == 4400
            await ended.one()
        told = "the connection to its page was lost" if lost == "abort" else "its page sent what is no message"
        assert ended == [f"call dropped: {told}"]
        softphone.close()

    run(main())


def test_a_softphone_that_is_in_use_or_closed_takes_no_call(run):
    async def main():
        softphone = Softphone()
        ring(softphone)
        assert softphone.in_use
        with pytest.raises(ConfigError, match="in use by call call_1: hang up first"):
            ring(softphone)
        softphone.close()
        with pytest.raises(ConfigError, match=r"closed: make another one, Softphone\(\)"):
            ring(softphone)
        with pytest.raises(ConfigError, match="closed"):
            _ = softphone.url
        softphone.close()

    run(main())


def test_closing_it_hangs_up_and_lets_nobody_in(run):
    async def main():
        softphone, other, ended = Softphone(), Softphone(), []
        url, kept = softphone.url, other.url
        ring(softphone, ended)
        async with page_of(softphone) as page:
            await page.until_state("ringing")
            async with page_of(other) as second:
                await second.until_state("idle")
                softphone.close()
                assert ended == ["the softphone was closed"]
                await page.until_closed()
                assert page.state["state"] == "closed"
                assert await second.line.ping()
        assert url != kept
        other.close()

    run(main())


def test_the_last_one_that_is_closed_takes_the_server_along(run):
    async def main():
        first, second = Softphone(), Softphone()
        assert first.url.split("?")[0] == second.url.split("?")[0]
        first.close()
        async with page_of(second) as page:
            await page.until_state("idle")
        board = second._board
        second.close()
        await asyncio.sleep(0)
        assert board.stopped
        third = Softphone()
        async with page_of(third) as page:
            await page.until_state("idle")
        third.close()

    run(main())


def test_no_more_pages_come_in_than_there_may_be(run, monkeypatch):
    monkeypatch.setattr("patter_nb.softphone.softphone.MOST_HANDSETS", 1)

    async def main():
        softphone = Softphone()
        async with page_of(softphone) as page, page_of(softphone, name="page_2") as other:
            assert await other.until_closed() == 4429
            await page.until_state("idle")
        softphone.close()

    run(main())


def test_the_token_is_in_no_repr_and_in_no_request(run):
    async def main():
        softphone = Softphone()
        address, _, token = softphone.url.partition("#")
        assert len(token) >= 32
        assert token not in address
        assert token not in repr(softphone) + repr(softphone._board) + str(vars(softphone)["id"])
        assert softphone._repr_mimebundle_() == {"text/plain": repr(softphone)}
        softphone.close()

    run(main())


WRONG = [
    ({"pick_up_seconds": "2"}, ConfigTypeError, "pick_up_seconds is '2'; it must be a number"),
    ({"pick_up_seconds": 0}, ConfigError, "must lie from 1 to 3600"),
    ({"pick_up_seconds": float("nan")}, ConfigError, "must lie from 1 to 3600"),
]


@pytest.mark.parametrize(("given", "kind", "told"), WRONG)
def test_what_makes_no_softphone_is_refused(given, kind, told):
    with pytest.raises(kind, match=told):
        Softphone(**given)


def test_on_talk_needs_a_function():
    with pytest.raises(ConfigTypeError, match="on_talk is int; it must be a function"):
        Softphone().on_talk(3)


def test_without_a_loop_it_has_no_page_and_says_where_it_would():
    with pytest.raises(ConfigError, match=r"needs a running event loop: .* asyncio.run\(main\(\)\)"):
        _ = Softphone().url
    Softphone().close()


def test_a_page_of_another_site_is_refused_before_it_says_anything(run):
    async def main():
        softphone = Softphone()
        for origin in ("https://evil.example", "null", None, "file://", "http://127.0.0.1.evil.example"):
            with pytest.raises(InvalidStatus) as refused:
                async with page_of(softphone, origin=origin):
                    pass
            assert refused.value.response.status_code == 403
        softphone.close()

    run(main())


@pytest.mark.parametrize("origin", ["http://localhost:8888", "http://127.0.0.1:9999", "https://localhost", "http://[::1]:8888"])
def test_a_page_of_this_machine_may_come_in_whatever_its_port(run, origin):
    async def main():
        softphone = Softphone()
        async with page_of(softphone, origin=origin) as page:
            await page.until_state("idle")
        softphone.close()

    run(main())
