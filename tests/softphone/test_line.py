"""The line between a page and a session."""

from __future__ import annotations

import asyncio
import json

import pytest

from patter_nb.softphone import line as module
from patter_nb.softphone.handset import Handset
from patter_nb.softphone.line import Line


class Sent:
    """A way to a page that keeps what it is given."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def send(self, text: str) -> None:
        self.texts.append(text)

    def close(self) -> None:
        pass


def made(handset: Handset | None = None) -> tuple[Line, list[str], list[Line]]:
    ended: list[str] = []
    closed: list[Line] = []
    line = Line("call_1", "Mia", closed=closed.append).ends_with(ended.append)
    if handset is not None:
        line.pick_up(handset)
    return line, ended, closed


def test_what_came_before_a_close_is_still_read_and_then_nothing(run):
    async def main():
        line, _, closed = made()
        line.take("one")
        line.take("two")
        await line.close()
        await line.close()
        line.take("late")
        assert [await line.receive() for _ in range(3)] == ["one", "two", None]
        assert closed == [line]

    run(main())


def test_whoever_waits_is_woken(run):
    async def main():
        line, _, _ = made()
        waiting = asyncio.create_task(line.receive())
        await asyncio.sleep(0)
        line.take("one")
        assert await waiting == "one"
        waiting = asyncio.create_task(line.receive())
        await asyncio.sleep(0)
        await line.close()
        assert await waiting is None

    run(main())


def test_audio_goes_to_the_page_until_it_is_closed(run):
    async def main():
        audio, control = Sent(), Sent()
        line, _, _ = made(Handset("p", control, audio))
        await line.send("a")
        line.open({"caller": "+1"})
        await line.close()
        await line.send("b")
        line.open({})
        assert audio.texts == ["a"]
        assert [json.loads(text) for text in control.texts] == [{"event": "open", "parameters": {"caller": "+1"}}]

    run(main())


def test_a_line_that_is_not_picked_up_says_so(run):
    async def main():
        line, _, _ = made()
        assert not await line.picked_up(0.01)
        assert not line.is_picked_up
        line.pick_up(Handset("p"))
        assert await line.picked_up(0.01)

    run(main())


def test_it_is_dropped_once(run):
    async def main():
        line, ended, _ = made()
        line.drop("gone")
        line.drop("gone again")
        assert ended == ["gone"]
        assert line.dropped
        other, ended, _ = made()
        await other.close()
        other.drop("gone")
        assert (ended, other.dropped) == ([], False)

    run(main())


def test_a_page_that_sends_more_than_is_read_is_cut_off(run, monkeypatch):
    monkeypatch.setattr(module, "MOST_UNREAD", 3)

    async def main():
        line, ended, _ = made()
        for _ in range(4):
            line.take("x")
        assert ended == ["call dropped: the page sent more than could be read"]

    run(main())


def test_silence_is_counted_from_the_opening_on_and_in_time_of_the_loop(virtual):
    async def main():
        line, ended, _ = made(Handset("p", Sent()))
        watching = asyncio.create_task(line.watch())
        await asyncio.sleep(30)
        assert ended == []
        line.open({})
        for _ in range(20):
            await asyncio.sleep(module.SILENT_SECONDS - 2)
            line.take("x")
        assert ended == []
        await asyncio.sleep(module.SILENT_SECONDS - 1.5)
        assert ended == []
        await asyncio.sleep(4)
        assert ended == [f"call dropped: nothing came from the page for {module.SILENT_SECONDS} s"]
        await watching

    virtual(main())


WAYS = [("both", "audio", True), ("both", "control", False), ("control", "control", True), ("both", "other", False)]


@pytest.mark.parametrize(("has", "loses", "stream"), WAYS)
def test_a_handset_knows_with_which_way_its_stream_is_lost(has, loses, stream):
    ways = {"audio": Sent(), "control": Sent(), "other": Sent()}
    handset = Handset("p", ways["control"], ways["audio"] if has == "both" else None)
    assert handset.lose(ways[loses]) is stream
    assert handset.gone is (has == "control")
