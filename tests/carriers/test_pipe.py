"""The socket within the process: order, close and cancel, on one loop and between two."""

from __future__ import annotations

import asyncio
import threading

import pytest

from patter_nb.carriers import pipe
from patter_nb.carriers.pipe import connection_pair


def test_messages_arrive_in_order_both_ways(virtual):
    async def main():
        near, far = connection_pair()
        for number in range(3):
            await near.send(f"to far {number}")
            await far.send(f"to near {number}")
        return [await far.receive() for _ in range(3)], [await near.receive() for _ in range(3)]

    assert virtual(main()) == ([f"to far {n}" for n in range(3)], [f"to near {n}" for n in range(3)])


def test_a_waiting_receiver_wakes_in_the_same_instant_of_virtual_time(virtual):
    async def main():
        near, far = connection_pair()
        loop = asyncio.get_running_loop()
        waiting = asyncio.create_task(far.receive())
        await asyncio.sleep(2.5)
        await near.send("now")
        return await waiting, loop.time()

    assert virtual(main()) == ("now", pytest.approx(2.5))


def test_what_was_sent_before_a_close_is_still_received(virtual):
    async def main():
        near, far = connection_pair()
        await near.send("last words")
        await near.close()
        await near.close()
        return [await far.receive(), await far.receive(), await near.receive()]

    assert virtual(main()) == ["last words", None, None]


def test_sending_after_a_close_does_nothing(virtual):
    async def main():
        near, far = connection_pair()
        await far.close()
        await near.send("into the void")
        await far.send("into the void")
        return [await far.receive(), await near.receive()]

    assert virtual(main()) == [None, None]


def test_a_close_wakes_both_receivers(virtual):
    async def main():
        near, far = connection_pair()
        waiting = [asyncio.create_task(near.receive()), asyncio.create_task(far.receive())]
        await asyncio.sleep(0)
        await near.close()
        return await asyncio.gather(*waiting)

    assert virtual(main()) == [None, None]


def test_a_cancelled_receiver_loses_nothing(virtual):
    async def main():
        near, far = connection_pair()
        waiting = asyncio.create_task(far.receive())
        await asyncio.sleep(0)
        waiting.cancel()
        await near.send("kept")
        return await far.receive()

    assert virtual(main()) == "kept"


def test_a_side_that_never_reads_is_cut_off(virtual, monkeypatch):
    monkeypatch.setattr(pipe, "_MOST_UNREAD", 10)

    async def main():
        near, far = connection_pair()
        for number in range(50):
            await near.send(str(number))
        received = 0
        while await far.receive() is not None:
            received += 1
        return received

    assert virtual(main()) == 11


def test_the_ends_may_live_in_two_threads():
    near, far = connection_pair()
    count = 3000

    async def echo():
        while (text := await far.receive()) is not None:
            await far.send(f"{text}!")

    async def ask():
        answers = []
        for number in range(count):
            await near.send(str(number))
            if number % 7 == 0:  # sometimes alone, sometimes many at once
                while len(answers) <= number:
                    answers.append(await near.receive())
        while len(answers) < count:
            answers.append(await near.receive())
        await near.close()
        return answers

    thread = threading.Thread(target=asyncio.run, args=(echo(),))
    thread.start()
    answers = asyncio.run(asyncio.wait_for(ask(), 60))
    thread.join(60)
    assert not thread.is_alive()
    assert answers == [f"{number}!" for number in range(count)]


def test_a_receiver_whose_loop_is_gone_does_not_hurt_the_sender():
    near, far = connection_pair()

    async def give_up():
        await asyncio.wait_for(far.receive(), 0.001)

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())
    # A loop that was closed under a receiver: its waiter stays behind.
    loop = asyncio.new_event_loop()
    far._waiter = loop.create_future()
    loop.close()

    async def main():
        await near.send("anyone?")
        return await far.receive()

    assert asyncio.run(main()) == "anyone?"
