"""The widget: what goes over its comm, in batches, to the view that it is for. The page's end of the comm is the test."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from patter_nb.carriers.base import SendAudio, SendClear, SendMark
from patter_nb.carriers.simulated.wire import CarrierWire
from patter_nb.carriers.twilio_media import TwilioMediaCodec
from patter_nb.softphone import Softphone
from patter_nb.softphone.widget import MOST_TEXTS

from .conftest import Ends, page_of, scripted

pytest.importorskip("anywidget", reason="needs anywidget: pip install -e '.[nb]'")

CODEC = TwilioMediaCodec()
CODEC.decode(CarrierWire().start({}))
MEDIA, MARK, CLEAR = (CODEC.encode(message)[0] for message in (SendAudio(b"x"), SendMark("r1.s1.1"), SendClear()))


class Views:
    """Everything that the views of a widget were sent, and what they send."""

    def __init__(self, softphone: Softphone) -> None:
        self.widget = softphone.widget
        self.sent: list[dict[str, Any]] = []
        self.widget.send = self.sent.append

    def say(self, page: str, *texts: Any) -> None:
        """As the comm would, on whichever thread."""
        self.widget._handle_custom_msg({"page": page, "texts": list(texts)}, [])

    def of(self, page: str) -> list[dict[str, Any]]:
        return [json.loads(text) for message in self.sent if message["to"] == page for text in message["texts"]]


def test_a_view_is_told_where_the_server_is_and_the_notebook_keeps_nothing_of_it(run):
    async def main():
        softphone = Softphone()
        views = Views(softphone)
        assert softphone.widget is views.widget
        views.say("v1", '{"event":"hello"}')
        state, here = views.of("v1")
        assert (state["event"], here["event"]) == ("state", "here")
        token = softphone.url.partition("#")[2]
        assert (here["token"], here["phone"]) == (token, softphone.id)
        kept = json.dumps(views.widget.get_state(), default=str)
        assert token not in kept
        softphone.close()

    run(main())


def test_audio_goes_in_batches_and_what_else_is_said_at_once(run):
    async def main():
        softphone = Softphone()
        views = Views(softphone)
        views.say("v1", '{"event":"hello"}')
        line = softphone.ring("call_1", "Mia")
        views.say("v1", '{"event":"talk"}')
        views.sent.clear()
        for _ in range(3):
            await line.send(MEDIA)
        assert views.sent == []
        await asyncio.wait_for(_until(lambda: views.sent), 5)
        assert views.sent == [{"to": "v1", "texts": [MEDIA] * 3}]
        await line.send(MEDIA)
        await line.send(MARK)
        assert len(views.sent) == 1
        await line.send(CLEAR)
        assert views.sent[1:] == [{"to": "v1", "texts": [MEDIA, MARK, CLEAR]}]
        softphone.close()

    run(main())


async def _until(seen: Any) -> None:
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def look() -> None:
        if seen():
            done.set_result(None)
        else:
            loop.call_later(0.01, look)

    look()
    await done


def test_a_call_is_held_over_the_comm_from_a_thread_of_its_own(run, phone):
    async def main():
        softphone, wire = Softphone(), CarrierWire()
        views = Views(softphone)
        call = phone.test(scripted(phone), caller=softphone)
        await asyncio.to_thread(views.say, "v1", '{"event":"hello"}')
        await asyncio.to_thread(views.say, "v1", '{"event":"talk"}')
        await asyncio.wait_for(_until(lambda: [each for each in views.of("v1") if each["event"] == "open"]), 20)
        await asyncio.to_thread(views.say, "v1", wire.connected(), wire.start({}))
        await asyncio.wait_for(_until(lambda: [each for each in views.of("v1") if each["event"] == "mark"]), 20)
        assert softphone.state == "talking"
        await asyncio.to_thread(views.say, "v1", wire.stop())
        await call.ended(10)
        softphone.close()
        return call

    assert run(main()).end_reason == "caller hung up"


def test_what_a_view_sends_is_done_on_the_notebooks_loop(run):
    async def main():
        softphone, threads = Softphone(), []
        views = Views(softphone)
        softphone.on_talk(lambda: threads.append(threading.current_thread()))
        await asyncio.to_thread(views.say, "v1", '{"event":"hello"}', '{"event":"talk"}')
        await asyncio.wait_for(_until(lambda: threads), 5)
        softphone.close()
        return threads

    assert run(main()) == [threading.current_thread()]


def test_a_view_with_a_socket_loses_the_call_with_the_socket_and_not_with_its_comm(run):
    async def main():
        softphone, ended = Softphone(), Ends()
        views = Views(softphone)
        softphone.ring("call_1", "Mia").ends_with(ended.append)
        views.say("v1", '{"event":"hello"}')
        async with page_of(softphone, name="v1", control=False) as page:
            await page.until_event("welcome")
            await page.say("talk")
            await page.say("ping")
            await page.until_event("pong")
            assert softphone.state == "connecting"
            views.say("v1", '{"event":"bye"}')
            assert ended == []
        assert await ended.one() == "call dropped: its page was closed"
        softphone.close()

    run(main())


def test_a_view_that_is_closed_in_mid_call_drops_it(run, phone):
    async def main():
        softphone = Softphone()
        views = Views(softphone)
        call = phone.test(scripted(phone), caller=softphone)
        views.say("v1", '{"event":"hello"}')
        views.say("v1", '{"event":"talk"}')
        views.say("v1", '{"event":"bye"}')
        views.say("v1", '{"event":"talk"}')
        await call.ended(10)
        softphone.close()
        return call

    assert run(main()).end_reason == "call dropped: its view in the notebook was closed"


NONSENSE = [
    None, "text", 3, [], {}, {"page": 3, "texts": []}, {"page": "v1"}, {"page": "v1", "texts": "hello"},
    {"page": "v1", "texts": [None, 3]},
    {"page": "v1", "texts": ["{", "[]", '{"event":3}']}, {"page": "v1", "texts": ['{"event":"talk"}'] * (MOST_TEXTS + 1)},
    {"page": "v1", "texts": ["x" * 70_000]}, {"page": "v" * 100, "texts": ['{"event":"hello"}']},
]  # fmt: skip


@pytest.mark.parametrize("content", NONSENSE, ids=range(len(NONSENSE)))
def test_nonsense_on_the_comm_is_nothing(run, content):
    async def main():
        softphone = Softphone()
        views = Views(softphone)
        softphone.on_talk(lambda: None)
        views.say("v1", '{"event":"hello"}')
        views.widget._handle_custom_msg(content, [])
        assert softphone.state == "idle"
        assert len(softphone._handsets) == 1
        softphone.close()
        views.say("v1", '{"event":"hello"}')
        assert not softphone._handsets

    run(main())


def test_two_views_are_two_handsets(run):
    async def main():
        softphone = Softphone()
        views = Views(softphone)
        for name in ("v1", "v2"):
            views.say(name, '{"event":"hello"}')
        softphone.ring("call_1", "Mia")
        views.say("v2", '{"event":"talk"}')
        assert views.of("v1")[-1]["holder"] == "v2"
        softphone.close()

    run(main())
