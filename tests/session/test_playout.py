"""The ledger of what was sent and heard."""

from patter_nb.audio.formats import MULAW_8K
from patter_nb.carriers.base import SendAudio, SendMark
from patter_nb.session.playout import LEAD_SECONDS, Ledger


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
