"""What is known of the line a call came over: read off its events, also where nobody answered."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pandas as pd
import pytest

from patter_nb.records.facts import CallEnd, CallFacts, CallRecord, EventFacts
from patter_nb.records.line_usage import line_usage, usage_beside
from patter_nb.records.lines import CARRIER_STATUS, line_facts
from patter_nb.records.log import CallLog
from patter_nb.records.plain import plain
from patter_nb.records.price_list import MACHINE_DETECTION, MEDIA_STREAM, RECORDING
from patter_nb.records.prices import PriceBook
from patter_nb.records.readings import CALL_USAGE, CallReading
from patter_nb.records.store import Store
from patter_nb.records.tables import calls_frame, cost_frame, percentiles, spans_frame, tools_frame, turns_frame
from patter_nb.turns.facts import TurnFacts
from patter_nb.turns.usage import Price, Usage

ZERO = datetime(2026, 11, 3, 14, 2, tzinfo=UTC)
"""When the carrier took the call."""
CALLER, CALLEE = "+12125550123", "+12125559876"
SID = "CA0123456789abcdef0123456789abcdef"

Call = Callable[..., CallFacts]


def told(kind: str, after: float, **data: Any) -> EventFacts:
    return EventFacts(0.0, kind, {"told_at": (ZERO + timedelta(seconds=after)).isoformat(), **data})


def status(word: str, after: float, reason: str | None = None) -> EventFacts:
    return told(CARRIER_STATUS, after, status=word, reason=reason)


def verdict(by: str, ms: float, raw: str = "") -> EventFacts:
    return EventFacts(3.0, "machine_detected", {"classification": by, "raw": raw or by, "after_ms": ms})


DIALED = told("dialed", 0.0, carrier_call_id=SID)
RINGS = (DIALED, status("initiated", 0.2), status("ringing", 1.0))
PICKED_UP = (*RINGS, status("in-progress", 7.5), EventFacts(0.0, "answered", {}))

class Case(NamedTuple):
    """A call, with the outcome and the seconds of ringing it has."""

    what: str
    events: Sequence[EventFacts]
    end: CallEnd | None
    outcome: str | None
    rang: float


ENDS = [
    Case("answered", PICKED_UP, CallEnd(30.0, "caller hung up"), "answered", 6.5),
    Case("a person", (*PICKED_UP, verdict("human", 900.0)), CallEnd(30.0, "caller hung up"), "answered", 6.5),
    Case("a machine", (*PICKED_UP, verdict("machine", 3400.0)), CallEnd(9.0, "left a voicemail"), "voicemail", 6.5),
    Case("a fax", (*PICKED_UP, verdict("fax", 3400.0)), CallEnd(9.0, "caller hung up"), "answered", 6.5),
    Case("no answer", (*RINGS, status("no-answer", 26.0)), CallEnd(0.0, "no answer"), "no_answer", 25.0),
    Case("no answer, and no word of it", RINGS, CallEnd(0.0, "no answer"), "no_answer", math.nan),
    Case("busy", (DIALED, status("initiated", 0.2), status("busy", 2.0)), CallEnd(0.0, "busy"), "busy", math.nan),
    Case("failed", (DIALED, status("failed", 1.0, "unallocated")), CallEnd(0.0, "failed"), "failed", math.nan),
    Case("refused", (), CallEnd(0.0, "failed", "The carrier refused it."), "failed", math.nan),
    Case("canceled", (*RINGS, status("canceled", 4.0)), CallEnd(0.0, "stopped"), "canceled", 3.0),
    Case("given up", RINGS, CallEnd(0.0, "interrupted"), "canceled", math.nan),
    Case("running", PICKED_UP, None, None, 6.5),
    Case("ringing", RINGS, None, None, math.nan),
    Case("just begun", (), None, None, math.nan),
]
NAMES = [case.what for case in ENDS]


def record(
    call: Call, events: Sequence[EventFacts], end: CallEnd | None, turns: Sequence[TurnFacts] = (), **fields: Any
) -> CallRecord:
    given = {"direction": "outbound", "carrier": "twilio", "caller": CALLER, "callee": CALLEE, **fields}
    facts = call("call_1", started_at=ZERO + timedelta(seconds=8), **given)
    return CallRecord(facts, end, tuple(turns), tuple(events))


@pytest.mark.parametrize("case", ENDS, ids=NAMES)
def test_a_call_has_the_outcome_and_the_ring_that_its_carrier_told(case: Case, call: Call) -> None:
    found = line_facts(record(call, case.events, case.end))
    assert found.outcome == case.outcome
    assert found.ring_seconds == pytest.approx(case.rang, nan_ok=True)


@pytest.mark.parametrize("case", ENDS, ids=NAMES)
def test_every_table_of_such_a_call_has_its_rows_and_its_types(case: Case, call: Call) -> None:
    found = CallReading(record(call, case.events, case.end), PriceBook())
    calls, empty = calls_frame([found]), calls_frame([])
    assert list(calls.dtypes) == list(empty.dtypes)
    row = calls.iloc[0]
    assert (None if pd.isna(row["outcome"]) else row["outcome"]) == case.outcome
    assert row["turns"] == 0
    for name in ("gap_p50_ms", "gap_p95_ms", "carrier_price_usd"):
        assert math.isnan(row[name])
    assert math.isnan(row["amd_ms"]) == pd.isna(row["answered_by"])
    for frame in (turns_frame([found]), spans_frame([found]), tools_frame([found])):
        assert len(frame) == 0
    assert percentiles(turns_frame([found]))["n"].sum() == 0
    lasted = math.nan if case.end is None else case.end.duration_seconds
    assert found.metrics.duration_seconds == pytest.approx(lasted, nan_ok=True)


def test_a_caller_rings_from_the_moment_their_carrier_tells_of_them(call: Call) -> None:
    events = (told("incoming", 6.0, carrier_call_id=SID), EventFacts(0.0, "answered", {}))
    found = line_facts(record(call, events, CallEnd(5.0, "caller hung up"), direction="inbound"))
    assert (found.outcome, found.ring_seconds, found.carrier_call_id) == ("answered", 2.0, SID)


def test_a_test_call_has_an_outcome_and_nothing_that_only_a_line_has(call: Call) -> None:
    answered = record(call, (EventFacts(0.0, "answered", {}),), CallEnd(5.0, "caller hung up"), direction="test")
    alone = record(call, (), CallEnd(0.0, "not picked up within 30 s"), direction="test")
    assert [line_facts(each).outcome for each in (answered, alone)] == ["answered", "no_answer"]
    assert line_facts(answered).answered_by is None
    assert math.isnan(line_facts(answered).ring_seconds)


def test_a_store_that_knew_nothing_of_lines_still_tells_that_a_call_was_answered(
    call: Call, turn: Callable[..., TurnFacts]
) -> None:
    found = line_facts(record(call, (), CallEnd(30.0, "caller hung up"), [turn(1)]))
    assert (found.answered, found.outcome, found.carrier_call_id) == (True, "answered", None)


def test_later_words_of_the_carrier_correct_earlier_ones(call: Call) -> None:
    later = (verdict("machine", 4000.0), EventFacts(9.0, "carrier_price", {"usd": -0.014}))
    found = line_facts(record(call, (*PICKED_UP, verdict("unknown", 100.0), *later), CallEnd(9.0, "caller hung up")))
    assert (found.answered_by, found.amd_ms, found.carrier_price_usd) == ("machine", 4000.0, 0.014)


@pytest.mark.parametrize("bad", [None, "soon", 7, "2026-11-03T14:02:00"])
def test_a_moment_that_cannot_be_read_leaves_the_ring_unknown(bad: object, call: Call) -> None:
    events = (EventFacts(0.0, CARRIER_STATUS, {"status": "ringing", "told_at": bad}), *PICKED_UP[-2:])
    assert math.isnan(line_facts(record(call, events, CallEnd(9.0, "caller hung up"))).ring_seconds)


def test_the_log_dates_what_comes_before_the_clock_runs(call: Call) -> None:
    log = CallLog(None)
    log.begin(call("call_1", direction="outbound", carrier="twilio", started_at=datetime.now(UTC)))
    log.event("call_1", 0.0, "dialed", {"carrier_call_id": SID})
    log.event("call_1", 0.0, "carrier_status", {"status": "ringing", "reason": None})
    log.event("call_1", 0.0, "note", {})
    first, second, other = log.event_rows("call_1")
    assert first.data["told_at"] <= second.data["told_at"]
    assert "told_at" not in other.data
    log.event("call_1", 0.0, "answered", {})
    log.answered("call_1", datetime.now(UTC) + timedelta(seconds=4))
    log.finish("call_1", duration_seconds=3.0, end_reason="caller hung up")
    assert log.calls()["ring_seconds"][0] == pytest.approx(4.0, abs=1.0)


def test_what_is_read_off_events_is_the_same_from_a_store(store: Store, call: Call) -> None:
    log = CallLog(store)
    log.begin(call("call_1", direction="outbound", carrier="twilio", caller=CALLER, callee=CALLEE))
    for event in (*PICKED_UP, verdict("machine", 3400.0), EventFacts(9.0, "carrier_price", {"usd": 0.014})):
        log.event("call_1", event.at, event.kind, event.data)
    log.event("call_1", 9.0, CALL_USAGE, {"usage": line_usage("outbound", 9.0, CALLEE, prices=log.prices)})
    log.finish("call_1", duration_seconds=9.0, end_reason="left a voicemail")
    names = ["carrier_call_id", "outcome", "answered_by", "amd_ms", "ring_seconds", "carrier_price_usd"]
    assert log.calls()[names].iloc[0].tolist() == [SID, "voicemail", "machine", 3400.0, 6.5, 0.014]
    pd.testing.assert_frame_equal(log.calls()[names], store.calls()[names])


# What the line costs.

PLACES = [
    # direction, number, seconds, minutes, US dollars
    ("inbound", CALLEE, 61.0, 2, 0.017),
    ("outbound", CALLEE, 60.0, 1, 0.014),
    ("outbound", CALLEE, 0.4, 1, 0.014),
    ("outbound", CALLEE, 0.0, 0, 0.0),
    ("outbound", "+442071234567", 61.0, 2, math.nan),
    ("outbound", "+18761234567", 61.0, 2, math.nan),
    ("inbound", "+18005550123", 61.0, 2, math.nan),
    ("inbound", "", 61.0, 2, math.nan),
]


@pytest.mark.parametrize(("direction", "number", "seconds", "minutes", "usd"), PLACES)
def test_minutes_are_rounded_up_and_priced_by_the_country_of_the_called_number(
    direction: str, number: str, seconds: float, minutes: int, usd: float
) -> None:
    book = PriceBook()
    usage = line_usage(direction, seconds, number, prices=book)
    assert usage.audio_seconds == 60 * minutes
    assert book.usd(usage) == pytest.approx(usd, nan_ok=True)
    assert not number or number not in repr(usage)


def test_a_carrier_that_is_not_known_to_round_is_billed_by_the_second() -> None:
    assert line_usage("inbound", 61.0, CALLEE, prices=PriceBook(), carrier="acme").audio_seconds == 61.0


@pytest.mark.parametrize(
    ("what", "seconds", "usd"), [(MEDIA_STREAM, 61.0, 0.0088), (RECORDING, 59.0, 0.0025), (MACHINE_DETECTION, 0.0, 0.0075)]
)
def test_what_is_billed_beside_the_minutes_has_its_own_price(what: Any, seconds: float, usd: float) -> None:
    book = PriceBook()
    assert book.usd(usage_beside(what, seconds, prices=book)) == pytest.approx(usd)


def used(book: PriceBook, *, seconds: float = 61.0, number: str = CALLEE) -> list[EventFacts]:
    usage = [
        line_usage("outbound", seconds, number, prices=book), usage_beside(MEDIA_STREAM, seconds, prices=book),
        usage_beside(MACHINE_DETECTION, prices=book), usage_beside(RECORDING, seconds, prices=book),
    ]  # fmt: skip
    return [EventFacts(61.0, CALL_USAGE, {"usage": plain(each)}) for each in usage]


LISTED = {"telephony": 0.028, "media stream": 0.0088, "machine detection": 0.0075, "recording": 0.005}


def test_the_bill_of_a_line_has_a_row_for_each_thing_the_carrier_bills(call: Call) -> None:
    book = PriceBook()
    found = CallReading(record(call, (*PICKED_UP, *used(book)), CallEnd(61.0, "caller hung up")), book)
    cost = cost_frame(found).set_index("part")
    assert cost["usd"].reindex(list(LISTED)).to_dict() == pytest.approx(LISTED)
    assert cost["usd"]["total"] == pytest.approx(sum(LISTED.values()))
    assert found.metrics.cost.telephony == pytest.approx(sum(LISTED.values()))
    assert found.metrics.cost.total == pytest.approx(sum(LISTED.values()))
    assert cost["price_id"]["telephony"] == "twilio/us outbound/telephony@2026-08-27"


def test_what_the_carrier_charged_stands_in_place_of_the_estimate_also_where_there_was_none(call: Call) -> None:
    book = PriceBook()
    charged = EventFacts(61.0, "carrier_price", {"usd": 0.1234})
    for number in (CALLEE, "+442071234567"):
        events = (*PICKED_UP, *used(book, number=number), charged)
        found = CallReading(record(call, events, CallEnd(61.0, "caller hung up"), callee=number), book)
        line = cost_frame(found).set_index("part").loc["telephony"]
        assert (line["usd"], line["audio_seconds"]) == (0.1234, 120.0)
        assert pd.isna(line["price_id"])
        assert found.metrics.cost.telephony == pytest.approx(0.1234 + sum(LISTED.values()) - LISTED["telephony"])
        assert calls_frame([found])["carrier_price_usd"][0] == 0.1234
        assert calls_frame([found])["usd"][0] == pytest.approx(0.1234 + sum(LISTED.values()) - LISTED["telephony"])


def test_a_call_that_nobody_answered_costs_its_line_nothing_and_its_prewarming_what_it_cost(call: Call) -> None:
    book = PriceBook()
    price_id = book.register("tts", "acme", "mouth", Price(usd_per_1k_characters=0.05))
    warmed = EventFacts(0.0, CALL_USAGE, {"usage": plain(Usage("tts", "acme", "mouth", characters=100, price_id=price_id))})
    events = (*RINGS, warmed, status("no-answer", 26.0))
    found = CallReading(record(call, events, CallEnd(0.0, "no answer")), book)
    cost = cost_frame(found).set_index("part")["usd"]
    assert (cost["telephony"], cost["prewarm"], cost["total"]) == pytest.approx((0.0, 0.005, 0.005))
    assert calls_frame([found])["unknown"].isna().all()


def test_while_a_call_is_on_its_line_is_counted_as_far_as_it_has_come(call: Call) -> None:
    def usd(*events: EventFacts) -> float:
        cost = cost_frame(CallReading(record(call, (*PICKED_UP, *events), None), PriceBook())).set_index("part")["usd"]
        return float(cost["telephony"] + cost["media stream"])

    assert usd() == pytest.approx(0.0184)
    assert usd(EventFacts(61.0, "note", {})) == pytest.approx(2 * 0.0184)


def test_an_answered_call_whose_line_was_never_reported_is_unknown_and_not_free(call: Call) -> None:
    found = CallReading(record(call, PICKED_UP, CallEnd(61.0, "caller hung up")), PriceBook())
    assert math.isnan(found.total.usd)
    assert found.total.unknown == ("no usage of telephony was reported by twilio",)
