from __future__ import annotations

import pandas as pd
import pytest
from tests_of_plots_tables import fake_events, lines, rects, texts

from patter_nb.frames.plots.speech import MOST_CALLS, speech_picture


def test_each_stretch_of_speech_lies_where_it_was() -> None:
    events = fake_events(2)
    picture = speech_picture(events)
    assert picture.area is not None
    for who in ("caller", "agent"):
        mine = events[events["kind"] == f"{who}_speech"]["data"]
        drawn = [bar for bar in rects(picture, who) if bar.height == 11]
        x_of = picture.area.x_of
        assert [bar.x for bar in drawn] == pytest.approx([x_of(each["started_at"]) for each in mine])
        assert [bar.x + bar.width for bar in drawn] == pytest.approx([x_of(each["ended_at"]) for each in mine])


def test_interruptions_and_stalls_are_marked_and_counted() -> None:
    picture = speech_picture(fake_events(3, stalls=1))
    assert sum(len(shape.segments) for shape in lines(picture, "accent")) == 3
    (stall,) = (bar for bar in rects(picture, "error") if bar.height == 3)
    assert picture.area is not None
    assert (stall.x, stall.x + stall.width) == pytest.approx((picture.area.x_of(4.0), picture.area.x_of(5.2)))
    assert "3 interruptions; the loop stood still for 1.2 s in all." in picture.description


def test_the_reading_tells_who_spoke_for_how_long() -> None:
    events = fake_events(2)
    lengths = events["data"].map(lambda data: data["ended_at"] - data["started_at"]).groupby(events["kind"]).sum()
    caller, agent = lengths["caller_speech"], lengths["agent_speech"]
    told = f"the caller spoke for {caller:.0f} s, the agent for {agent:.0f} s, {agent / (caller + agent):.0%} of all speech"
    assert f"In 2 calls {told}" in speech_picture(events).description


def test_of_many_calls_the_last_are_shown_and_that_is_said() -> None:
    picture = speech_picture(fake_events(20))
    names = [text for text in texts(picture) if text.startswith("test_")]
    assert names == [f"test_{call:06x}" for call in range(20 - MOST_CALLS, 20)]
    assert f"the last {MOST_CALLS} of 20 calls" in texts(picture)


def test_events_without_speech_say_so() -> None:
    events = pd.DataFrame({"call_id": ["a"], "kind": ["answered"], "data": [{}]})
    assert "Nobody spoke in the calls of this table" in speech_picture(events).description
    assert "Nobody spoke" in speech_picture(events.iloc[:0]).description
