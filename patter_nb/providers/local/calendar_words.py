"""Times, dates and weekdays as an American says them."""

from __future__ import annotations

import re
from collections.abc import Callable

from patter_nb.providers.local.numbers import cardinal, ordinal, year

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEKDAY_SHORT = {
    "Mon": 0, "Tue": 1, "Tues": 1, "Wed": 2, "Thu": 3, "Thur": 3, "Thurs": 3, "Fri": 4, "Sat": 5, "Sun": 6,
}  # fmt: skip
_DECADES = (
    "hundreds", "tens", "twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties",
)  # fmt: skip

_MONTH = r"(?P<month>" + "|".join([*MONTHS, "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec"]) + r")\b\.?"
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?\b"
_YEAR = r"(?P<year>1[5-9]\d\d|20\d\d)\b(?![.,:]\d)"
_HALF = r"(?P<half>[ap]\.m\.|[ap]m\b)"
_CLOCK = rf"(?P<hour>\d{{1,2}}):(?P<minute>\d\d)(?::(?P<second>\d\d))?(?!\d)(?:\s?{_HALF})?"
_SHORT_CLOCK = rf"(?P<hour>\d{{1,2}})(?:\.(?P<minute>[0-5]\d))?\s?{_HALF}"
_WEEKDAY = "|".join([*sorted(_WEEKDAY_SHORT, key=len, reverse=True), *WEEKDAYS])


def clock(hour: int, minute: int, half: str) -> str:
    """A time of day. `half`: "am", "pm" or "" where it was not written; hours from 13 on then say PM."""
    if not half and (hour >= 13 or hour == 0):
        half = "pm" if hour >= 12 else "am"
    spoken = cardinal(hour % 12 or 12)
    if minute:
        spoken += f" {'oh ' if minute < 10 else ''}{cardinal(minute)}"
    elif not half:
        spoken += " o'clock"
    # "AM" would be read as the word, "A.M" as letters; the dot behind it belongs to the sentence.
    return spoken + {"am": " A.M", "pm": " PM", "": ""}[half]


def decade(century: int, tens: int) -> str:
    """1990s is (19, 9): "nineteen nineties"; 2000s is (20, 0): "two thousands"."""
    return "two thousands" if (century, tens) == (20, 0) else f"{cardinal(century)} {_DECADES[tens]}"


def _month(name: str) -> str:
    return next(month for month in MONTHS if month.startswith(name.rstrip(".")[:3].capitalize()))


def _weekday(name: str) -> str:
    return name if name in WEEKDAYS else WEEKDAYS[_WEEKDAY_SHORT[name]]


def _date(month: str, day: int, written_year: str | None) -> str:
    return f"{month} {ordinal(day)}" + (f", {year(int(written_year))}" if written_year else "")


def _numbers_date(match: re.Match[str]) -> str:
    """A date in figures; what is no date of any year is left to the other rules."""
    first, second, written_year = int(match["first"]), int(match["second"]), match["year"]
    day_first = match["sign"] == "." or first > 12
    month, day = (second, first) if day_first else (first, second)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    if len(written_year) == 2:
        written_year = f"{'19' if int(written_year) >= 50 else '20'}{written_year}"
    return _date(MONTHS[month - 1], day, written_year)


def _iso_date(match: re.Match[str]) -> str:
    month, day = int(match["month"]), int(match["day"])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    return _date(MONTHS[month - 1], day, match["year"])


def _month_day(match: re.Match[str]) -> str:
    if not 1 <= int(match["day"]) <= 31:
        return match[0]
    spoken = _date(_month(match["month"]), int(match["day"]), None)
    if match["until"] and 1 <= int(match["until"]) <= 31:
        spoken += f" to {ordinal(int(match['until']))}"
    return spoken + (f", {year(int(match['year']))}" if match["year"] else "")


def _day_month(match: re.Match[str]) -> str:
    if not 1 <= int(match["day"]) <= 31:
        return match[0]
    spoken = f"the {ordinal(int(match['day']))} of {_month(match['month'])}"
    return spoken + (f", {year(int(match['year']))}" if match["year"] else "")


def _time(match: re.Match[str]) -> str:
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    written = match["half"] or ""
    if hour > 24 or minute > 59 or (written and not 1 <= hour <= 12):
        return f"{cardinal(hour)} {cardinal(minute)}" + (f" {written.upper()}" if written else "")
    spoken = clock(hour % 24, minute, written.replace(".", ""))
    second = match.groupdict().get("second")
    if second:
        spoken += f" and {cardinal(int(second))} seconds"
    ends = re.match(r"\s*$|\s+[A-Z]", match.string[match.end() :]) is not None
    return spoken + ("." if written.endswith(".") and ends else "")


def _opening_hour(match: re.Match[str]) -> str:
    """The first time of a range: its half of the day is said with the second."""
    return clock(int(match["hour"]), int(match["minute"] or 0), "").removesuffix(" o'clock") + " to "


RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"\b(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})(?:T(?=\d)|\b)"), _iso_date),
    (
        re.compile(r"(?<![\w./])(?P<first>\d{1,2})(?P<sign>[/.])(?P<second>\d{1,2})(?P=sign)(?P<year>\d{4}|\d\d)(?![\w/.]*\d)"),
        _numbers_date,
    ),
    (
        re.compile(
            rf"\b{_MONTH}\s+{_DAY}(?:\s?-\s?(?P<until>[0-3]?\d)(?:st|nd|rd|th)?\b)?(?!:)(?:,?\s+{_YEAR})?", re.IGNORECASE
        ),
        _month_day,
    ),
    (re.compile(rf"\b(?:the\s+)?{_DAY}(?:\s+of)?\s+{_MONTH}(?:,?\s+{_YEAR})?", re.IGNORECASE), _day_month),
    (re.compile(rf"\b{_MONTH}\s+{_YEAR}"), lambda m: f"{_month(m['month'])} {year(int(m['year']))}"),
    (re.compile(r"\b(Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec)\.(?=\s|,|$)"), lambda m: _month(m[1])),
    (
        re.compile(rf"\b(?P<low>{_WEEKDAY})\.?\s?-\s?(?P<high>{_WEEKDAY})\b\.?"),
        lambda m: f"{_weekday(m['low'])} to {_weekday(m['high'])}",
    ),
    (re.compile(r"\b(Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun)(?:\.(?=\s|,|$)|(?=[,:]?\s+\d))"), lambda m: _weekday(m[1])),
    (
        re.compile(
            rf"(?<![\w.:,$€£])(?P<hour>\d{{1,2}})(?::(?P<minute>\d\d))?\s?-\s?"
            rf"(?=\d{{1,2}}(?::\d\d|(?::\d\d)?\s?{_HALF}))",
            re.IGNORECASE,
        ),
        _opening_hour,
    ),
    (re.compile(rf"(?<![\w.:]){_CLOCK}", re.IGNORECASE), _time),
    (re.compile(rf"(?<![\w.:]){_SHORT_CLOCK}", re.IGNORECASE), _time),
    (re.compile(r"(?<=A\.M|.PM|ock)\s?-\s?(?=\w)"), lambda _: " to "),
    (re.compile(r"\b(\d+):(\d+)\b"), lambda m: f"{m[1]} to {m[2]}"),
    (re.compile(r"\b(1[5-9]|20)(\d)0'?s\b"), lambda m: decade(int(m[1]), int(m[2]))),
    (re.compile(r"(?<!\w)'?([2-9])0'?s\b"), lambda m: _DECADES[int(m[1])]),
)
"""In this order: dates before times, ranges before single times."""
