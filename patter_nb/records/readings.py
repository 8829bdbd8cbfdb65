"""What is read off the facts of a call: everything that tables and figures show and that no row stores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cached_property

from patter_nb.records.cost import TURN_SERVICES, CostItem, breakdown, call_items, total_item, turn_items
from patter_nb.records.facts import CallRecord, EventFacts
from patter_nb.records.line_usage import line_usage, usage_beside
from patter_nb.records.lines import LINE_EVENTS, LineFacts, line_facts
from patter_nb.records.metrics import CallMetrics, CostBreakdown, LatencyBreakdown, TurnMetrics, latency, percentile, statistics
from patter_nb.records.plain import usage_from
from patter_nb.records.price_list import MEDIA_STREAM
from patter_nb.records.prices import PriceBook
from patter_nb.records.spans import Attribution, Stall, attribute
from patter_nb.turns.facts import TurnFacts
from patter_nb.turns.usage import Service, Usage

LATE_USAGE = "late_usage"
"""Usage of a turn that was reported after its row was written: {"usage": the fields of a `Usage`}."""
CALL_USAGE = "call_usage"
"""Usage that belongs to no turn, in the same form."""
LATE_TOOL = "late_tool_result"
"""A tool returned after its turn's row was written: {"turn", "reply", "id", "result", "error", "at"}."""
TOOL_PROGRESS = "tool_progress"
"""A tool reported on its way: {"id", "name", "text"}."""
GUARDRAIL = "guardrail"
"""A guardrail replaced the rest of a reply: {"turn", "reply", "name", "matched", "added_ms", "stage"}."""
PERCEIVED = "perceived"
"""A turn's gap as the far end measured it by its own clock: {"gap_ms"}."""
LOOP_STALL = "loop_stall"
"""The call's loop could not run: {"started_at", "seconds", "cell"}."""

READ_EVENTS = (LATE_USAGE, CALL_USAGE, LATE_TOOL, TOOL_PROGRESS, GUARDRAIL, PERCEIVED, LOOP_STALL, *LINE_EVENTS)
"""The kinds of events that something is read off; all others are in the table of events only."""


class CallReading:
    """One call, read with the prices of a price book."""

    def __init__(self, record: CallRecord, prices: PriceBook) -> None:
        self.record = record
        self.prices = prices

    @cached_property
    def turns(self) -> tuple[TurnReading, ...]:
        """The closed turns, in the order in which they closed."""
        return tuple(TurnReading(self, facts) for facts in self.record.turns)

    @cached_property
    def caller_turns(self) -> tuple[TurnReading, ...]:
        """The turns that statistics are over."""
        return tuple(turn for turn in self.turns if turn.facts.kind == "caller")

    @cached_property
    def stalls(self) -> tuple[Stall, ...] | None:
        """When the loop stood still; None in virtual time, where that cannot be noticed."""
        if self.record.facts.speed == "max":
            return None
        found = (event.data for event in self.events(LOOP_STALL))
        return tuple(Stall(data["started_at"], data["seconds"], _text(data.get("cell"))) for data in found)

    @cached_property
    def line(self) -> LineFacts:
        """How the call came over its line."""
        return line_facts(self.record)

    @cached_property
    def stt_reported(self) -> bool:
        """Whether any usage of speech recognition was reported in this call."""
        of_turns = [usage for facts in self.record.turns for usage in facts.usage]
        later = [usage_from(event.data["usage"]) for kind in (LATE_USAGE, CALL_USAGE) for event in self.events(kind)]
        return any(usage.service == "stt" for usage in (*of_turns, *later))

    @cached_property
    def cost_items(self) -> tuple[CostItem, ...]:
        """Every item of the bill, the total excepted."""
        usage = [usage_from(event.data["usage"]) for event in self.events(CALL_USAGE)]
        of_turns = [item for turn in self.turns for item in turn.cost_items]
        usage += self._line_so_far(usage)
        return (*of_turns, *call_items(usage, self.record.facts, self.prices, line=self.line))

    def _line_so_far(self, usage: Sequence[Usage]) -> list[Usage]:
        """What the line of a call has consumed that is still on; its carrier bills it when it is over."""
        facts, reported = self.record.facts, any(each.service == "telephony" for each in usage)
        if self.record.end is not None or reported or facts.direction == "test" or not self.line.answered:
            return []
        last = (max(turn.instants.values(), default=0.0) for turn in self.record.turns)
        seconds = max((*last, *(event.at for event in self.record.events if event.at is not None), 1.0))
        minutes = line_usage(facts.direction, seconds, facts.callee, prices=self.prices, carrier=facts.carrier)
        return [minutes, usage_beside(MEDIA_STREAM, seconds, prices=self.prices, carrier=facts.carrier)]

    @cached_property
    def total(self) -> CostItem:
        """The sum of the bill."""
        return total_item(self.cost_items)

    @property
    def cost(self) -> CostBreakdown:
        """The bill by service."""
        return breakdown(self.cost_items, self.prices)

    @cached_property
    def metrics(self) -> CallMetrics:
        """The call in Patter's terms."""
        facts, end = self.record.facts, self.record.end
        over_turns, counts = statistics([turn.latency for turn in self.caller_turns])
        return CallMetrics(
            call_id=facts.call_id,
            duration_seconds=math.nan if end is None else end.duration_seconds,
            turns=tuple(turn.metrics for turn in self.turns),
            cost=self.cost,
            latency_avg=over_turns["avg"],
            latency_p50=over_turns["p50"],
            latency_p90=over_turns["p90"],
            latency_p95=over_turns["p95"],
            latency_p99=over_turns["p99"],
            latency_n=counts,
            provider_mode=facts.mode,
            stt_provider=facts.stt_provider,
            tts_provider=facts.tts_provider,
            llm_provider=facts.llm_provider,
            telephony_provider=facts.carrier,
            stt_model=facts.stt_model,
            tts_model=facts.tts_model,
            llm_model=facts.llm_model,
            error_code=end.end_reason if end is not None and end.error else None,
            context_tokens=max((each.input_tokens + each.cached_input_tokens for each in self.total.usage), default=0),
        )

    def gap_ms(self, p: float) -> float:
        """A quantile (0 to 1) of the gap over the caller's turns."""
        return percentile((turn.attribution.gap_ms for turn in self.caller_turns), p)

    def events(self, kind: str) -> list[EventFacts]:
        """The events of this kind."""
        return self._events.get(kind, [])

    @cached_property
    def _events(self) -> dict[str, list[EventFacts]]:
        found: dict[str, list[EventFacts]] = {}
        for event in self.record.events:
            found.setdefault(event.kind, []).append(event)
        return found

    def late(self, kind: str, turn: int) -> list[EventFacts]:
        """The events of this kind that belong to this turn."""
        return [event for event in self.events(kind) if _turn_of(event) == turn]


class TurnReading:
    """One turn of a call."""

    def __init__(self, call: CallReading, facts: TurnFacts) -> None:
        self.call = call
        self.facts = facts

    @cached_property
    def usage(self) -> tuple[Usage, ...]:
        """What the turn consumed, as far as it is known now."""
        late = self.call.late(LATE_USAGE, self.facts.turn)
        return (*self.facts.usage, *(usage_from(event.data["usage"]) for event in late))

    @cached_property
    def latency(self) -> LatencyBreakdown:
        """Patter's latencies."""
        return latency(self.facts)

    @cached_property
    def attribution(self) -> Attribution:
        """The gap and what it went to."""
        return attribute(self.facts, self.call.stalls)

    @cached_property
    def perceived_ms(self) -> float:
        """The gap as the far end measured it, the last time it told; NaN when it did not."""
        seen = self.call.late(PERCEIVED, self.facts.turn)
        value = seen[-1].data.get("gap_ms") if seen else None
        return math.nan if value is None else float(value)

    @property
    def guardrail_ms(self) -> float:
        """How long text of this turn was held back for guardrails that matched; NaN when none did."""
        hits = self.call.late(GUARDRAIL, self.facts.turn)
        return math.fsum(float(event.data.get("added_ms") or 0.0) for event in hits) if hits else math.nan

    @cached_property
    def cost_items(self) -> tuple[CostItem, ...]:
        """Speech recognition, model and voice of this turn."""
        call = self.call
        return tuple(turn_items(self.facts, self.usage, call.record.facts, call.prices, stt_reported=call.stt_reported))

    def usd(self, service: Service) -> float:
        """What one service cost in this turn."""
        return self.cost_items[TURN_SERVICES.index(service)].usd

    @cached_property
    def total(self) -> CostItem:
        """The sum of the turn."""
        return total_item(self.cost_items)

    @cached_property
    def stalls(self) -> Sequence[tuple[float, str | None]]:
        """Milliseconds of each stall that lie within the turn, and the cell that caused it."""
        if not self.facts.instants:
            return ()
        start, end = self.began_at, max(self.facts.instants.values())
        cut = [(min(stall.interval[1], end) - max(stall.started_at, start), stall.cell) for stall in self.call.stalls or ()]
        return [(seconds * 1000, cell) for seconds, cell in cut if seconds > 0]

    @property
    def loop_stall_ms(self) -> float:
        """How long the loop stood still in this turn; NaN in virtual time."""
        return math.nan if self.call.stalls is None else math.fsum(ms for ms, _ in self.stalls)

    @property
    def loop_stall_cell(self) -> str | None:
        """The cell of the longest stall of this turn."""
        return max(self.stalls, key=lambda stall: stall[0])[1] if self.stalls else None

    @property
    def began_at(self) -> float:
        """The first instant of the turn, in seconds of the call's clock; NaN without any."""
        return min(self.facts.instants.values(), default=math.nan)

    @property
    def started_at(self) -> datetime | None:
        """The first instant of the turn, as a time of day; None without any, and beyond the calendar."""
        try:
            return None if math.isnan(self.began_at) else self.call.record.facts.started_at + timedelta(seconds=self.began_at)
        except OverflowError:
            return None

    @cached_property
    def metrics(self) -> TurnMetrics:
        """The turn in Patter's terms."""
        return TurnMetrics(
            turn_index=self.facts.turn,
            user_text=self.facts.caller_text,
            agent_text=self.facts.agent_text,
            latency=self.latency,
            stt_audio_seconds=math.fsum(each.audio_seconds for each in self.usage if each.service == "stt"),
            tts_characters=sum(each.characters for each in self.usage if each.service == "tts"),
            timestamp=math.nan if self.started_at is None else self.started_at.timestamp(),
        )


def _turn_of(event: EventFacts) -> int | None:
    return event.turn if event.turn is not None else event.data.get("turn")


def _text(value: object) -> str | None:
    return None if value is None else str(value)
