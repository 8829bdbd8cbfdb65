"""Transfers and the end of a call, against a Twilio on loopback that keeps the state of each call."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from xml.etree.ElementTree import fromstring

import pytest
from tests_of_twilio_oracles import problems
from tests_of_twilio_wire import CALL, LEG, answer, call, sent, twilio

from patter_nb import CarrierError
from patter_nb.carriers.base import CallLine
from patter_nb.carriers.twilio import Legs, TwilioLine, control
from patter_nb.carriers.twilio.webhooks import CallStatus

OURS, THEIRS = "+15550001234", "+15557654321"
STATUS_URL = "https://rehearsal.example.com/webhooks/twilio/transfer?call=call_0123456789ab"
RINGING, ANSWERED, OVER = ("queued", "ringing"), "in-progress", ("completed", "canceled", "busy", "no-answer", "failed")


class Exchange:
    """What Twilio does with calls: "canceled" ends one that rings, "completed" any, TwiML is for one that was answered."""

    def __init__(self, **states: str) -> None:
        self.states = {CALL: states.get("call", ANSWERED), LEG: "queued"}
        self.happened: list[tuple[str, str]] = []
        self.placed = asyncio.Event()
        self.twiml: dict[str, str] = {}
        self.before_the_answer = lambda: None
        """Happens when a call was placed, before whoever placed it is told."""
        self.answered_meanwhile = states.get("answered_meanwhile", "")
        self.broken = False
        self.handed_over, self.tell_of_it = asyncio.Event(), asyncio.Event()
        self.tell_of_it.set()

    async def serve(self, reader, writer):
        written = self.answer(sent(self.listener.requests[-1]))
        if self.happened[-1:] == [("redirected", CALL)]:
            self.handed_over.set()
            await self.tell_of_it.wait()
        writer.write(written)
        await writer.drain()

    def answer(self, request):
        form = dict(request.form)
        operation = ("FetchCall" if request.method == "GET" else
                     "CreateCall" if request.path.endswith("/Calls.json") else "UpdateCall")  # fmt: skip
        assert problems(operation, request) == []
        if self.broken:
            return answer(500, {})
        if operation == "CreateCall":
            self.happened.append(("dialled", form["To"]))
            self.twiml[LEG], self.dialled = form["Twiml"], form
            self.before_the_answer()
            self.placed.set()
            return answer(201, call(self.states[LEG], LEG))
        sid = re.search(r"(CA\w{32})\.json$", request.path)[1]
        return answer(*self.changed(sid, form)) if operation == "UpdateCall" else answer(200, call(self.states[sid], sid))

    def changed(self, sid, form):
        if self.answered_meanwhile == sid:
            self.states[sid] = ANSWERED
        state, wanted = self.states[sid], form.get("Status")
        if state in OVER or ("Twiml" in form and state != ANSWERED):
            return 400, {"code": 21220, "message": "Call is not in-progress. Cannot redirect.", "status": 400}
        if "Twiml" in form:
            self.twiml[sid] = form["Twiml"]
            self.happened.append(("redirected", sid))
        elif wanted == "completed" or state in RINGING:
            self.states[sid] = wanted
            self.happened.append((wanted, sid))
        return 200, call(self.states[sid], sid)


class WatchedLegs(Legs):
    """Tells when somebody waits for a leg."""

    def __init__(self) -> None:
        super().__init__()
        self.expected, self.watched = asyncio.Event(), asyncio.Event()

    def expect(self, sid):
        self.expected.set()
        return super().expect(sid)

    async def when_ended(self, sid, action):
        self.watched.set()
        await super().when_ended(sid, action)


@asynccontextmanager
async def line(exchange: Exchange, **more):
    legs = WatchedLegs()
    async with twilio(exchange.serve) as (rest, listener):
        exchange.listener = listener
        yield TwilioLine(rest, CALL, number=OURS, legs=legs, status_url=STATUS_URL, **more), legs


def status(word: str, sid: str = LEG, error: str = "") -> CallStatus:
    return CallStatus(sid, word, None, error)


def no_greeting():
    async def answered():
        pass

    return answered


def with_line(work, exchange=None, **more):
    """Runs `work(line, legs)` and returns what the exchange saw."""
    exchange = exchange or Exchange()

    async def main():
        async with line(exchange, **more) as (ours, legs):
            await asyncio.wait_for(work(ours, legs), 20)

    asyncio.run(main())
    return exchange


def test_a_line_is_what_a_session_expects():
    promised = [name for name in vars(CallLine) if not name.startswith("_")]
    assert promised == ["transfer", "warm_transfer", "hang_up"]
    assert [name for name in promised if not hasattr(TwilioLine, name)] == []


# Cold.


@pytest.mark.parametrize(("caller_id", "shown"), [("", None), (OURS, OURS)], ids=["a call that came in", "a call of ours"])
def test_a_cold_transfer_hands_the_call_over(caller_id, shown):
    exchange = with_line(lambda ours, _: ours.transfer("+1 (555) 765-4321"), caller_id=caller_id)
    assert exchange.happened == [("redirected", CALL)]
    (dial,) = fromstring(exchange.twiml[CALL])
    assert (dial.tag, dial.get("callerId"), dial.find("Number").text) == ("Dial", shown, THEIRS)


@pytest.mark.parametrize("state", ["ringing", "completed"])
def test_a_cold_transfer_of_a_call_in_another_state_is_refused(state):
    with pytest.raises(CarrierError, match="not redirect the call: the call is not in progress"):
        with_line(lambda ours, _: ours.transfer(THEIRS), Exchange(call=state))


@pytest.mark.parametrize("number", ["", "reception", "sip:me@example.com", "911", THEIRS + "</Number><Hangup/>"])
def test_a_transfer_to_what_is_no_number_asks_nothing(number):
    exchange = Exchange()
    for transfer in (lambda ours: ours.transfer(number), lambda ours: ours.warm_transfer(number, "Hi.", no_greeting())):
        with pytest.raises(CarrierError, match="international form"):
            with_line(lambda ours, _, transfer=transfer: transfer(ours), exchange)
    assert exchange.happened == []


# Warm.


async def warm(ours, exchange, summary="Anna wants a table for four."):
    async def answered():
        exchange.happened.append(("told the caller", ""))

    await ours.warm_transfer(THEIRS, summary, answered)


def test_a_warm_transfer_keeps_the_caller_until_somebody_answers():
    exchange = Exchange()

    async def work(ours, legs):
        transfer = asyncio.create_task(warm(ours, exchange))
        await exchange.placed.wait()
        for word in ("initiated", "ringing"):
            await legs.tell(status(word))
            assert exchange.happened == [("dialled", THEIRS)]
        exchange.states[LEG] = ANSWERED
        await legs.tell(status(ANSWERED))
        await transfer

    with_line(work, exchange)
    assert exchange.happened == [("dialled", THEIRS), ("told the caller", ""), ("redirected", CALL)]


def test_both_meet_in_a_room_whose_name_tells_nothing():
    exchange = Exchange()
    exchange.before_the_answer = lambda: exchange.legs.answered(LEG)

    async def work(ours, legs):
        exchange.legs = legs
        await warm(ours, exchange, f"Call {THEIRS} </Say><Hangup/> back.")

    with_line(work, exchange)
    say, theirs = fromstring(exchange.twiml[LEG])
    (ours,) = fromstring(exchange.twiml[CALL])
    assert (say.tag, say.text, say.get("language")) == ("Say", f"Call {THEIRS} </Say><Hangup/> back.", "en-US")
    rooms = [theirs.find("Conference"), ours.find("Conference")]
    assert rooms[0].text == rooms[1].text
    assert re.fullmatch(r"transfer-[0-9a-f]{32}", rooms[0].text)
    for room in rooms:
        assert room.attrib == {"beep": "false", "startConferenceOnEnter": "true", "endConferenceOnExit": "true"}
    assert (exchange.dialled["From"], exchange.dialled["StatusCallback"]) == (OURS, STATUS_URL)
    assert "MachineDetection" not in exchange.dialled


def test_each_transfer_has_a_room_of_its_own():
    rooms = set()
    for _ in range(2):
        exchange = Exchange()
        exchange.before_the_answer = lambda exchange=exchange: exchange.legs.answered(LEG)

        async def work(ours, legs, exchange=exchange):
            exchange.legs = legs
            await warm(ours, exchange)

        with_line(work, exchange)
        rooms.add(fromstring(exchange.twiml[CALL]).find("Dial/Conference").text)
    assert len(rooms) == 2


NOBODY = {
    "busy": "the line is busy",
    "no-answer": "nobody answers",
    "canceled": "withdrawn",
    "completed": "hung up at once",
    "failed": r"failed \(SIP 503\)",
}


@pytest.mark.parametrize("early", [False, True], ids=["later", "before the request is answered"])
@pytest.mark.parametrize("word", NOBODY)
def test_when_nobody_answers_the_caller_stays_with_the_agent(word, early):
    exchange = Exchange()

    async def work(ours, legs):
        async def over():
            exchange.states[LEG] = word
            await legs.tell(status(word, error="SIP 503" if word == "failed" else ""))

        if early:
            exchange.before_the_answer = lambda: exchange.over.append(asyncio.ensure_future(over()))
            exchange.over = []
        transfer = asyncio.create_task(warm(ours, exchange))
        await exchange.placed.wait()
        if not early:
            await over()
        with pytest.raises(CarrierError, match=f"^The transfer was not made: .*{NOBODY[word]}"):
            await transfer

    with_line(work, exchange)
    assert exchange.happened == [("dialled", THEIRS)]
    assert exchange.states[CALL] == ANSWERED


def test_a_webhook_that_never_comes_ends_the_wait_and_the_ringing(monkeypatch):
    monkeypatch.setattr(control, "GRACE_SECONDS", -4.9)
    with pytest.raises(CarrierError, match=r"nobody answers within 0\.1 s"):
        with_line(lambda ours, _: warm(ours, Exchange()), exchange := Exchange(), ring_timeout_seconds=5)
    monkeypatch.undo()
    assert exchange.states[CALL] == ANSWERED


@pytest.mark.parametrize("placed", [True, False], ids=["while it rings", "before the request is answered"])
def test_a_caller_who_hangs_up_meanwhile_stops_the_ringing(placed):
    exchange = Exchange()

    async def work(ours, legs):
        transfer = asyncio.create_task(warm(ours, exchange))
        await exchange.placed.wait()
        if placed:
            await legs.tell(status("ringing"))
            await legs.expected.wait()
        transfer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await transfer

    with_line(work, exchange)
    assert exchange.happened == [("dialled", THEIRS), ("canceled", LEG)]


@pytest.mark.parametrize("times", [1, 2])
def test_a_session_that_ends_because_the_caller_was_taken_away_leaves_the_transfer_as_it_is(times):
    """The media stream ends before the request that caused it is answered."""
    exchange = Exchange()
    exchange.tell_of_it.clear()

    async def work(ours, legs):
        exchange.before_the_answer = lambda: legs.answered(LEG)
        transfer = asyncio.create_task(warm(ours, exchange))
        await exchange.handed_over.wait()
        for _ in range(times):
            transfer.cancel()
            await asyncio.sleep(0)
        assert transfer.done() == (times == 2)
        exchange.tell_of_it.set()
        with pytest.raises(asyncio.CancelledError):
            await transfer
        await legs.watched.wait()
        assert ("completed", LEG) not in exchange.happened
        await legs.tell(status("completed"))

    with_line(work, exchange)
    assert exchange.happened[-2:] == [("redirected", CALL), ("completed", CALL)]


def test_a_caller_who_is_gone_when_somebody_answers_is_not_waited_for():
    exchange = Exchange()

    async def work(ours, legs):
        def answered():
            exchange.states.update({LEG: ANSWERED, CALL: "completed"})
            legs.answered(LEG)

        exchange.before_the_answer = answered
        with pytest.raises(CarrierError, match="not in progress"):
            await warm(ours, exchange)

    with_line(work, exchange)
    assert exchange.happened[-1] == ("completed", LEG)


def test_what_goes_wrong_before_the_caller_is_taken_away_ends_the_other_leg():
    exchange = Exchange()

    async def work(ours, legs):
        def answered():
            exchange.states[LEG] = ANSWERED
            legs.answered(LEG)

        exchange.before_the_answer = answered

        async def fails():
            raise RuntimeError("no voice")

        with pytest.raises(RuntimeError, match="no voice"):
            await ours.warm_transfer(THEIRS, "Hi.", fails)

    with_line(work, exchange)
    assert exchange.happened == [("dialled", THEIRS), ("completed", LEG)]


@pytest.mark.parametrize("meanwhile", [False, True], ids=["after the caller was handed over", "before"])
def test_a_caller_does_not_wait_for_somebody_who_left_during_the_summary(meanwhile):
    exchange = Exchange()

    async def work(ours, legs):
        exchange.before_the_answer = lambda: legs.answered(LEG)

        async def answered():
            if meanwhile:
                await legs.tell(status("completed"))

        await ours.warm_transfer(THEIRS, "Hi.", answered)
        assert (exchange.states[CALL] == "completed") == meanwhile
        await legs.tell(status("completed"))
        await legs.tell(status("completed"))

    with_line(work, exchange)
    assert exchange.happened == [("dialled", THEIRS), ("redirected", CALL), ("completed", CALL)]


def test_trouble_at_twilio_after_a_transfer_is_nobodys_error():
    exchange = Exchange()

    async def work(ours, legs):
        exchange.before_the_answer = lambda: legs.answered(LEG)
        await warm(ours, exchange)
        exchange.broken = True
        await legs.tell(status("completed"))

    with_line(work, exchange)


# The end.

ENDS = {
    "queued": ["canceled"],
    "ringing": ["canceled"],
    "in-progress": ["completed"],
    "completed": [],
    "canceled": [],
    "busy": [],
    "no-answer": [],
    "failed": [],
}


@pytest.mark.parametrize("state", ENDS)
def test_a_call_is_ended_by_the_status_that_its_state_asks_for(state):
    exchange = with_line(lambda ours, _: ours.hang_up(), Exchange(call=state))
    assert exchange.happened == [(word, CALL) for word in ENDS[state]]


def test_a_call_that_is_answered_in_the_moment_it_is_canceled_is_ended_all_the_same():
    exchange = with_line(lambda ours, _: ours.hang_up(), Exchange(call="ringing", answered_meanwhile=CALL))
    assert exchange.happened == [("completed", CALL)]


def test_a_call_that_ends_in_the_moment_it_is_ended_is_no_error():
    exchange = Exchange()
    changed = exchange.changed

    def too_late(sid, form):
        exchange.states[sid] = "completed"
        return changed(sid, form)

    exchange.changed = too_late
    with_line(lambda ours, _: ours.hang_up(), exchange)
    assert exchange.happened == []


def test_a_call_that_cannot_be_ended_is_told():
    exchange = Exchange()
    exchange.broken = True
    with pytest.raises(CarrierError, match="trouble itself"):
        with_line(lambda ours, _: ours.hang_up(), exchange)


# The legs.


def test_legs_that_nobody_asks_for_are_forgotten_in_their_order():
    async def main():
        legs = Legs()
        for number in range(control.MOST_LEGS + 5):
            await legs.tell(status("completed", f"CA{number:032x}"))
        assert len(legs._legs) == control.MOST_LEGS
        assert not legs.expect(f"CA{0:032x}").done()
        assert legs.expect(f"CA{control.MOST_LEGS + 4:032x}").done()

    asyncio.run(main())


def test_a_line_does_not_show_its_number():
    async def work(ours, _):
        assert repr(ours) == f"TwilioLine({CALL!r}, number='+1•••••1234')"

    with_line(work)
