"""Times of day, dates and weekdays."""

from __future__ import annotations

import pytest

from patter_nb.providers.local.calendar_words import clock, decade
from patter_nb.providers.local.normalise import normalise

CLOCKS = {
    (7, 30, ""): "seven thirty", (7, 5, ""): "seven oh five", (7, 0, ""): "seven o'clock", (0, 15, ""): "twelve fifteen A.M",
    (12, 0, ""): "twelve o'clock", (13, 0, ""): "one PM", (18, 30, ""): "six thirty PM", (6, 0, "pm"): "six PM",
    (12, 0, "am"): "twelve A.M", (23, 59, ""): "eleven fifty nine PM",
}  # fmt: skip


@pytest.mark.parametrize(("time", "spoken"), CLOCKS.items())
def test_times_of_day(time: tuple[int, int, str], spoken: str) -> None:
    assert clock(*time) == spoken


def test_decades() -> None:
    assert decade(19, 9) == "nineteen nineties"
    assert decade(20, 0) == "two thousands"


WRITTEN = {
    "Dinner is at 7:30.": "Dinner is at seven thirty.",
    "at 7:05": "at seven oh five",
    "at 7:00": "at seven o'clock",
    "18:00": "six PM",
    "18:30": "six thirty PM",
    "0:15": "twelve fifteen A.M",
    "6 pm": "six PM",
    "6pm.": "six PM.",
    "7.30pm": "seven thirty PM",
    "at 6 p.m. Then we close.": "at six PM. Then we close.",
    "at 6 p.m. on Monday": "at six PM on Monday",
    "at 6 a.m. tomorrow": "at six A.M tomorrow",
    "10:30:05": "ten thirty and five seconds",
    "6-10 pm": "six to ten PM",
    "7–8pm": "seven to eight PM",
    "9am-5pm": "nine A.M to five PM",
    "9:00-17:30": "nine to five thirty PM",
    "from 6:30 to 10": "from six thirty to ten",
    "25:99": "twenty five ninety nine",
    "It ended 3:1.": "It ended three to one.",
    "2026-11-22": "November twenty second, twenty twenty six",
    "2026-13-40": "two zero two six, one three, four zero",
    "on Nov 22": "on November twenty second",
    "Nov. 22nd, 2026": "November twenty second, twenty twenty six",
    "22 November 2026": "the twenty second of November, twenty twenty six",
    "the 5th of May": "the fifth of May",
    "3/4/2026": "March fourth, twenty twenty six",
    "13/4/2026": "April thirteenth, twenty twenty six",
    "22.11.2026": "November twenty second, twenty twenty six",
    "12/31/99": "December thirty first, nineteen ninety nine",
    "Nov 3-5": "November third to fifth",
    "Mar 2026": "March twenty twenty six",
    "on Dec. 24 at 9 am": "on December twenty fourth at nine A.M",
    "May 10:30 work?": "May ten thirty work?",
    "Mon-Fri 9-5": "Monday to Friday nine to five",
    "Sat. 10-4": "Saturday ten to four",
    "He sat 10 minutes.": "He sat ten minutes.",
    "the 1990s": "the nineteen nineties",
    "the 80's": "the eighties",
}


@pytest.mark.parametrize(("written", "spoken"), WRITTEN.items())
def test_what_a_calendar_or_clock_says(written: str, spoken: str) -> None:
    assert normalise(written) == spoken
