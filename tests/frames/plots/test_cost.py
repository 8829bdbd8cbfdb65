from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests_of_plots_tables import CASES, fake_turns, rects, texts

from patter_nb.frames.plots.cost import cost_picture
from patter_nb.notebook.bars import BAR_HEIGHT
from patter_nb.notebook.picture import Picture
from patter_nb.notebook.view import usd_text
from patter_nb.notebook.waterfall import SLOWEST

VOICE = "tts_first_byte"
"""The colour of the voice's part."""


def amounts(picture: Picture, role: str) -> list[float]:
    """The lengths of the pieces of this colour, in US dollars."""
    assert picture.area is not None
    scale = picture.area.across[1] / picture.area.width
    return [(bar.width + 1) * scale for bar in rects(picture, role) if bar.height == BAR_HEIGHT]


def hatched(picture: Picture) -> int:
    return len([bar for bar in rects(picture, "raised") if bar.height == BAR_HEIGHT])


def bill() -> pd.DataFrame:
    """What `call.cost` gives: parts of turns, parts of the call, and their sum."""
    rows = [
        (1, "caller", "stt", 0.001), (1, "caller", "llm", 0.002), (1, "caller", "tts", 0.003), (None, "call", "stt rest", 0.0005),
        (None, "call", "telephony", 0.0085), (None, "call", "prewarm", np.nan), (None, "call", "total", np.nan),
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["turn", "kind", "part", "usd"]).astype({"turn": "Int64"})
    unknown = [None, None, None, None, None, "no price of tts acme/mouth", "no price of tts acme/mouth"]
    return frame.assign(call_id="a", unknown=unknown)


def test_each_turn_has_its_services_as_long_as_they_cost() -> None:
    turns = fake_turns(6)
    picture = cost_picture(turns)
    assert amounts(picture, VOICE) == pytest.approx(turns["tts_usd"].tolist())
    assert amounts(picture, "stt_final") == pytest.approx(turns["stt_usd"].tolist())
    assert {usd_text(each) for each in turns["usd"]} <= set(texts(picture))


def test_what_is_not_known_is_hatched_and_never_nothing() -> None:
    turns = CASES["some prices unknown"]()
    picture = cost_picture(turns)
    assert hatched(picture) == turns["usd"].isna().sum()
    said = texts(picture)
    assert said.count(f"{usd_text(0.00021)} + unknown") == turns["usd"].isna().sum()
    assert "$0" not in said[said.index("1") :]
    assert "At least $" in picture.description
    assert "3 amounts not known (no price of tts acme/mouth)" in picture.description


def test_where_no_price_is_known_there_is_no_scale_and_no_sum() -> None:
    picture = cost_picture(CASES["no price known"]())
    assert texts(picture).count("unknown") == hatched(picture) == 8
    assert not any("$" in text for text in texts(picture))
    assert "Not known for 8 turns in 1 call; 24 amounts not known" in picture.description


def test_what_costs_nothing_is_nothing() -> None:
    picture = cost_picture(CASES["nothing costs anything"]())
    assert texts(picture).count("$0") == 6
    assert hatched(picture) == 0
    assert "$0 for 6 turns in 1 call." in picture.description


@pytest.mark.parametrize("by", ["call", "revision", "kind"])
def test_groups_are_the_sums_of_their_turns(by: str) -> None:
    turns = fake_turns(24, 4, 2)
    sums = turns.groupby("call_id" if by == "call" else by)["tts_usd"].sum()
    assert amounts(cost_picture(turns, by), VOICE) == pytest.approx(sums.tolist())


def test_services_have_a_row_each_and_none_is_cut_short() -> None:
    turns = fake_turns(24, 4)
    picture = cost_picture(turns, "service")
    assert texts(picture)[texts(picture).index("Speech recognition") :].count("Voice") == 1
    assert amounts(picture, VOICE) == pytest.approx([turns["tts_usd"].sum()])
    assert amounts(picture, "llm_first_token") == pytest.approx([turns["llm_usd"].sum()])


def test_of_many_turns_the_dearest_are_shown_but_all_are_summed() -> None:
    turns = fake_turns(40, 4)
    picture = cost_picture(turns)
    dearest = turns.nlargest(SLOWEST, "usd")
    assert amounts(picture, VOICE) == pytest.approx(dearest["tts_usd"].tolist())
    assert f"What it cost: the {SLOWEST} dearest of 40 turns" in texts(picture)
    assert f"{usd_text(turns['usd'].sum())} for 40 turns in 4 calls" in picture.description


def test_the_reading_names_the_largest_part_and_where_the_rest_of_the_bill_is() -> None:
    turns = fake_turns(8)
    part = turns["tts_usd"].sum() / turns["usd"].sum()
    told = cost_picture(turns).description
    assert f"{part:.0%} of it for the voice." in told
    assert "Telephony and prewarming belong to the calls, and are in phone.calls." in told


def test_a_bill_has_the_call_as_a_whole_too_and_its_total_is_not_counted_twice() -> None:
    picture = cost_picture(bill())
    assert "the call as a whole" in texts(picture)
    told = "At least $0.01500 for 1 turn in 1 call; 57% of it for the telephony; 1 amount not known (no price of tts acme/mouth)."
    assert told in picture.description
    assert {"Telephony", "Prewarm", "Voice"} <= set(texts(cost_picture(bill(), "service")))


def test_what_a_carrier_bills_beside_its_minutes_has_a_name_and_a_colour_of_its_own() -> None:
    beside = pd.DataFrame({"part": ["media stream", "machine detection", "recording"], "usd": [0.0044, 0.0075, 0.0025]})
    picture = cost_picture(pd.concat([bill(), beside.assign(kind="call", call_id="a")], ignore_index=True), by="service")
    assert {"Media stream", "Machine detection", "Carrier's recording"} <= set(texts(picture))
    roles = ("send", "leading_silence", "transcript_hooks", "failed_reply")
    lengths = [amounts(picture, role)[0] for role in roles]
    assert lengths == pytest.approx([0.0085, 0.0044, 0.0075, 0.0025])
