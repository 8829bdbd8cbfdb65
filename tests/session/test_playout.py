"""The ledger of what was sent and heard."""

import asyncio
import random

from patter_nb.audio import g711
from patter_nb.audio.formats import MULAW_8K
from patter_nb.carriers.base import SendAudio, SendMark
from patter_nb.clock import CallClock, run_virtual
from patter_nb.session.playout import LEAD_SECONDS, Ledger, Playout


def second(count: float = 1.0) -> bytes:
    return bytes(int(8000 * count))


def sent_at(ledger: Ledger, now: float) -> list[SendAudio | SendMark]:
    messages = []
    while due := ledger.due(now):
        messages += due
    return messages


def marks(messages: list) -> list[str]:
    return [message.name for message in messages if isinstance(message, SendMark)]


def seconds(messages: list) -> float:
    return sum(len(message.audio) for message in messages if isinstance(message, SendAudio)) / 8000


def test_the_first_mark_stands_after_one_frame_and_the_others_every_200_ms() -> None:
    ledger = Ledger(MULAW_8K, LEAD_SECONDS)
    ledger.append(1, 0, second(0.5), last=True)
    sizes = [len(m.audio) if isinstance(m, SendAudio) else "mark" for m in sent_at(ledger, 0.0)]
    assert sizes == [160, "mark", 1600, "mark", 1600, "mark", 640, "mark"]


def test_no_more_than_the_lead_is_sent_ahead_and_the_rest_when_time_has_passed() -> None:
    ledger = Ledger(MULAW_8K, 1.0)
    ledger.append(1, 0, second(3.0), last=True)
    ahead = seconds(sent_at(ledger, 10.0))
    assert 1.0 <= ahead < 1.2 + 1e-9
    assert sent_at(ledger, 10.0) == []
    assert ledger.wait_until() is not None
    assert abs(ledger.wait_until() - (10.0 + ahead - 1.0)) < 1e-9
    assert abs(seconds(sent_at(ledger, 11.0)) - 1.0) < 0.2 + 1e-9


def test_a_returned_mark_says_what_was_heard_of_the_segment_and_of_the_reply() -> None:
    ledger = Ledger(MULAW_8K, LEAD_SECONDS)
    ledger.append(1, 0, second(0.3), last=True)
    ledger.append(1, 1, second(0.1), last=True)
    names = marks(sent_at(ledger, 0.0))
    heard = [ledger.reached(name, 1.0) for name in names]
    assert [(h.segment, round(h.seconds, 3), round(h.reply_seconds, 3)) for h in heard] == [
        (0, 0.02, 0.02),
        (0, 0.22, 0.22),
        (0, 0.3, 0.3),
        (1, 0.1, 0.4),
    ]
    assert b"".join(h.audio for h in heard) == second(0.4)


def test_a_mark_after_a_clear_proves_nothing() -> None:
    ledger = Ledger(MULAW_8K, LEAD_SECONDS)
    ledger.append(1, 0, second(0.5), last=True)
    names = marks(sent_at(ledger, 0.0))
    assert ledger.reached(names[0], 0.02) is not None
    assert ledger.clear() == second(0.48)
    assert [ledger.reached(name, 0.1) for name in names] == [None] * len(names)
    assert ledger.due(0.1) == []


def test_an_unknown_mark_is_not_ours() -> None:
    assert Ledger(MULAW_8K, 1.0).reached("somebody's", 0.0) is None


def test_after_a_clear_the_next_reply_is_sent_at_once_and_counts_from_zero() -> None:
    ledger = Ledger(MULAW_8K, 0.2)
    ledger.append(1, 0, second(2.0), last=True)
    sent_at(ledger, 0.0)
    ledger.clear()
    ledger.append(2, 0, second(0.02), last=True)
    names = marks(sent_at(ledger, 0.0))
    assert [ledger.reached(name, 0.1).reply_seconds for name in names] == [0.02]


def test_an_empty_end_of_segment_still_sends_a_mark_so_that_its_end_is_known() -> None:
    ledger = Ledger(MULAW_8K, LEAD_SECONDS)
    ledger.append(1, 0, second(0.1))
    before = marks(sent_at(ledger, 0.0))
    ledger.append(1, 0, b"", last=True)
    (name,) = marks(sent_at(ledger, 0.0))
    assert len(before) == 1
    ledger.reached(before[0], 0.0)
    assert ledger.reached(name, 0.1).seconds == 0.1


def test_the_first_mark_of_a_reply_tells_when_it_began_and_the_one_past_its_silence_when_it_could_be_heard() -> None:
    async def main() -> list[tuple[int, str, float]]:
        told: list[tuple[int, str, float]] = []
        clock, sent = CallClock(), []
        playout = Playout(
            audio=MULAW_8K, clears=True, clock=clock, send=sent.append, decode=g711.decode, on_heard=lambda _: None,
            on_instant=lambda *instant: told.append(instant),
        )  # fmt: skip
        await asyncio.sleep(1)
        playout.append(1, 0, b"\xff" * 2400 + b"\x10" * 2400, last=True)  # 0.3 s of silence, 0.3 s of sound
        for name in marks(sent):
            played = 2.0 + playout._ledger._sent[name].reply_seconds
            await clock.sleep_until(played)
            playout.mark(name, clock.now())
        playout.append(2, 0, b"", last=True)
        playout.mark(marks(sent)[-1], clock.now())  # nothing of it ever played
        return told

    told = run_virtual(main())
    assert [(reply, name, round(at, 3)) for reply, name, at in told] == [
        (1, "send_started_at", 1.0),
        (1, "sent_at", 1.0),
        (1, "played_at", 2.0),
        (1, "audible_at", 2.3),
        (2, "send_started_at", 2.6),
        (2, "sent_at", 2.6),
    ]


def test_what_was_too_far_ahead_is_sent_when_its_time_has_come_and_waiting_ends() -> None:
    async def main() -> list[float]:
        dice, clock, at = random.Random(7), CallClock(), []
        await asyncio.sleep(dice.uniform(1000, 5000))  # where a clock's rounding is coarse
        clock.start()

        def send(message: object) -> None:
            if isinstance(message, SendAudio):
                at.append(clock.now())

        playout = Playout(
            audio=MULAW_8K, clears=False, clock=clock, send=send, decode=g711.decode, on_heard=lambda _: None,
            on_instant=lambda *_: None,
        )  # fmt: skip
        running = asyncio.create_task(playout.run())
        for reply in range(1, 40):
            await asyncio.sleep(dice.uniform(0, 3))
            playout.append(reply, 0, second(dice.uniform(0.01, 4)), last=True)
        await asyncio.sleep(200)
        running.cancel()
        return at

    assert run_virtual(main())[-1] > 50


def test_what_is_left_to_play_is_what_was_sent_and_not_yet_played_and_what_is_pending() -> None:
    ledger = Ledger(MULAW_8K, 1.0)
    ledger.append(1, 0, second(3.0), last=True)
    assert ledger.unplayed_seconds(10.0) == 3.0
    sent_at(ledger, 10.0)
    assert abs(ledger.unplayed_seconds(10.5) - 2.5) < 1e-9
    ledger.clear()
    assert ledger.unplayed_seconds(10.5) == 0.0
