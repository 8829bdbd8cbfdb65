"""What comes when a call is over: its price, and the carrier's recording, from a simulated Twilio."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from patter_nb.carriers.twilio.rest import TwilioRest
from patter_nb.carriers.twilio.webhooks import RecordingReady
from patter_nb.telephony.afterwards import PRICE_AFTER_SECONDS, Afterwards
from patter_nb.testing import Callee, TwilioSimulator

FRIEND = "+15557654321"
SOON = (0.0, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0)


@dataclass
class Ended:
    """As much of a call as is asked."""

    carrier_call_id: str
    status: str = "completed"
    call_id: str = "call_0123456789ab"
    kept: list[Any] = field(default_factory=list)
    told: list[tuple[str, Any]] = field(default_factory=list)
    path: Path | None = None
    asked_price: bool = False
    recordings: set[str] = field(default_factory=set)

    @property
    def terms(self) -> Any:
        return SimpleNamespace(keep=self.keep)

    def keep(self, call_id: str, audio: bytes) -> Path | None:
        self.kept.append((call_id, audio))
        return self.path

    def event(self, kind: str, data: Any) -> None:
        self.told.append((kind, data))


async def called(simulator: TwilioSimulator, rest: TwilioRest, *, record: bool = False) -> Any:
    """A call that was answered and is over."""
    from patter_nb.carriers.twilio.resources import Dial

    simulator.callee = Callee(answers_after_seconds=0.0)
    pause = "<Response><Pause length='30'/></Response>"
    status = "https://nowhere.example.com/status"
    sid = await rest.create_call(Dial(to=FRIEND, from_number=simulator.number, twiml=pause, status_url=status))
    line = simulator.lines[sid]
    await simulator.until(lambda _: line.status == "in-progress")
    if record:
        await rest.start_recording(sid, "https://nowhere.example.com/recording")
    line.hang_up()
    await line.ended()
    return line


def afterwards(run: Any, work: Any, price_after: Any = SOON, **settings: Any) -> Ended:
    """What was told of a call, when `work(simulator, afterwards, call, line)` is done."""

    async def main() -> Ended:
        async with TwilioSimulator(synthetic=True, price_after_seconds=0.2) as simulator:
            rest = TwilioRest(simulator.carrier)
            try:
                line = await called(simulator, rest, record=settings.pop("record", False))
                call, after = Ended(line.sid, **settings), Afterwards(rest, price_after)
                await work(simulator, after, call, line)
                await after.close()
                return call
            finally:
                await rest.close()

    return run(main())


def fetches(simulator: TwilioSimulator) -> int:
    return sum(request.method == "GET" for request in simulator.requests)


def test_the_price_is_asked_for_until_it_is_there(run):
    asked = []

    async def work(simulator, after, call, _):
        after.over(call)
        await after.done(call.call_id)
        asked.append(fetches(simulator))

    assert afterwards(run, work).told == [("carrier_price", {"usd": 0.014})]
    assert 1 < asked[0] < len(SOON)


def test_a_price_that_cannot_be_asked_for_is_asked_for_again(run):
    async def work(simulator, after, call, _):
        simulator.refuse(20404, "not found", status=404)
        after.over(call)
        await after.done(call.call_id)

    assert afterwards(run, work).told == [("carrier_price", {"usd": 0.014})]


def test_a_price_that_never_can_be_asked_for_is_told(run):
    async def work(simulator, after, call, _):
        simulator.refuse(20404, "not found", status=404, times=9)
        after.over(call)
        await after.done(call.call_id)

    ((kind, told),) = afterwards(run, work, price_after=(0.0, 0.01)).told
    assert kind == "carrier_error"
    assert "20404" in told["error"]


def test_a_call_that_nobody_answered_has_no_price_to_ask_for(run):
    async def work(simulator, after, call, _):
        before = fetches(simulator)
        for status in ("no-answer", "busy", "failed", "canceled"):
            call.status = status
            after.over(call)
            assert not call.asked_price
            await after.done(call.call_id)
        assert fetches(simulator) == before

    assert afterwards(run, work).told == []


def ready(line: Any, status: str = "completed") -> RecordingReady:
    (recording,) = line.recordings
    return RecordingReady(line.sid, recording.sid, recording.seconds, status)


def test_the_carriers_recording_is_fetched_and_kept_where_the_call_says(run, tmp_path):
    async def work(_, after, call, line):
        call.path = tmp_path / "call.carrier.wav"
        after.recorded(call, ready(line))
        after.recorded(call, ready(line))  # told twice, fetched once
        await after.done(call.call_id)
        assert call.kept == [(call.call_id, line.recordings[0].wav())]

    call = afterwards(run, work, record=True)
    ((kind, told),) = call.told
    assert (kind, told["path"]) == ("carrier_recording", str(tmp_path / "call.carrier.wav"))
    assert told["recording_sid"].startswith("RE")


def test_a_recording_that_is_kept_nowhere_is_told_with_its_size(run):
    async def work(_, after, call, line):
        after.recorded(call, ready(line))
        await after.done(call.call_id)

    call = afterwards(run, work, record=True)
    assert call.told[0][1]["bytes"] == len(call.kept[0][1])
    assert "path" not in call.told[0][1]


def test_a_recording_that_was_not_made_is_told(run):
    async def work(_, after, call, line):
        for status in ("failed", "absent", "in-progress"):
            after.recorded(call, ready(line, status))

    told = [data["error"] for _, data in afterwards(run, work, record=True).told]
    assert told == ["The carrier's recording is failed.", "The carrier's recording is absent."]


def test_what_waits_is_asked_a_last_time_when_the_server_stops(run):
    async def work(simulator, after, call, line):
        after.over(call)
        after.over(call)  # of the session's end and of the carrier's word: asked once
        await simulator.until(lambda _: line.price_usd is not None)
        await after.close()

    assert afterwards(run, work, price_after=(60.0, 60.0)).told == [("carrier_price", {"usd": 0.014})]


def test_what_is_not_known_then_is_given_up(run):
    async def work(simulator, after, call, line):
        simulator.price_after_seconds = 60
        after.over(call)
        await after.close()
        await after.done(call.call_id)

    assert afterwards(run, work, price_after=PRICE_AFTER_SECONDS).told == []
