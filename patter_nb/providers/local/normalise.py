"""Text as it is written, turned into text as it is spoken: times, dates, money, phone numbers, signs.

A list of rules, applied in order; each finds one way of writing and puts words in its place, which no later rule finds again.
Where a form means two things, the American reading is taken: 3/4/2026 is the fourth of March.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from patter_nb.providers.local import calendar_words, phrasebook
from patter_nb.providers.local.numbers import cardinal, decimal, digits, ordinal, plural, year

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_AMOUNT = rf"\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+,\d\d(?!\d)|{_NUMBER}"
"""A number in front of or behind a currency, which may have a decimal comma."""
_CODES = "|".join(phrasebook.CURRENCIES)
_SIGNS = "".join(phrasebook.CURRENCY_SIGNS)
_PLAIN = str.maketrans("“”‘’–\u2011\u2212\u2044", "\"\"''---/")
_UNITS = "|".join(sorted((re.escape(unit) for unit in phrasebook.UNITS), key=len, reverse=True))


def normalise(text: str, language: str = "en") -> str:
    """The words to say for `text`: no digits, no emoji, no signs that a voice would stumble over; punctuation stays.

    For languages other than English only emoji, markup and surplus blanks are taken out.
    """
    text = _without_markup(_without_emoji(unicodedata.normalize("NFKC", text.replace("™", ""))))
    if language.lower().split("-")[0] == "en":
        for pattern, say in _RULES:
            text = pattern.sub(say, text)
        text = "".join(phrasebook.SIGNS.get(character, character) for character in text)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r" (?=[.,;:!?](?:\s|$))", "", text)
    return re.sub(r",(?:\s?,)*\s?(?=[.,;:!?](?:\s|$))", "", text).strip(" ,") if "," in text else text.strip()


def _without_emoji(text: str) -> str:
    """Drops pictures, what combines with them, and invisible characters; a degree sign is kept."""
    dropped = {"So", "Sk", "Cs", "Co", "Cn", "Cf", "Cc", "Me"}
    return "".join(
        character
        for character in text.replace("\u200b", " ")
        if character in "°`^\n\t" or (unicodedata.category(character) not in dropped and not "\ufe00" <= character <= "\ufe0f")
    )


def _without_markup(text: str) -> str:
    """Drops Markdown, keeps the text of links, and writes quotation marks, dashes and dots in their plain forms."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"^\s{0,3}(?:#{1,6}|[*\-+>])\s+", "", text, flags=re.MULTILINE)
    text = re.sub(r"[*_`~|<>{}\[\]\\^]+", " ", text)
    text = text.translate(_PLAIN)
    return re.sub(r"\s*(?:—|--+)\s*", ", ", text)


def _address(match: re.Match[str]) -> str:
    """A web or mail address, sign by sign."""
    address = re.sub(r"^(?:https?://)?(?:www\.)?", "", match[0]).rstrip("/")
    names = phrasebook.ADDRESS_SIGNS
    spoken = re.sub(r"[^\w\s]|_", lambda sign: f" {names.get(sign[0], ' ')} ", address)
    return re.sub(r"\d+", lambda run: f" {_run(run[0])} ", spoken).strip()


def _money(sign: str, number: str, scale: str | None) -> str:
    """An amount: "$12.50" -> "twelve dollars and fifty cents", "$1.5 million" -> "one point five million dollars"."""
    if re.fullmatch(r"\d+,\d\d", number):
        number = number.replace(",", ".")
    one, many, cent, cents = phrasebook.CURRENCIES[phrasebook.CURRENCY_SIGNS.get(sign, sign)]
    if scale:
        return f"{decimal(number)} {phrasebook.SCALES[scale.lower()]} {many}"
    whole, _, fraction = number.replace(",", "").partition(".")
    if not cent or (fraction and len(fraction) != 2):
        return f"{decimal(number)} {plural(number, one, many)}"
    parts = []
    if int(whole) or not int(fraction or "0"):
        parts.append(f"{cardinal(int(whole))} {plural(whole, one, many)}")
    if int(fraction or "0"):
        parts.append(f"{cardinal(int(fraction))} {cent if int(fraction) == 1 else cents}")
    return " and ".join(parts)


def _money_range(match: re.Match[str]) -> str:
    return f"{decimal(match['low'])} to {_money(match['sign'], match['high'], None)}"


def _phone(match: re.Match[str]) -> str:
    """A telephone number, digit by digit, with a pause between its groups."""
    text = match[0]
    groups = re.findall(r"\d+", text)
    if len(groups) == 1:
        groups = _grouped(groups[0])
    return ("plus " if text.lstrip("(").startswith("+") else "") + ", ".join(digits(group) for group in groups)


def _grouped(run: str) -> list[str]:
    """A run of digits in threes, the last group of four if one is left over: the groups of an American number."""
    if len(run) == 11 and run.startswith("1"):
        return ["1", *_grouped(run[1:])]
    groups = [run[start : start + 3] for start in range(0, len(run), 3)]
    if len(groups) > 1 and len(groups[-1]) == 1:
        groups[-2:] = [groups[-2] + groups[-1]]
    return groups


def _run(run: str) -> str:
    """A bare run of digits: a quantity, or digit by digit when it is long or begins with zero."""
    if (len(run) >= 7 and not run.endswith("000")) or (len(run) > 1 and run.startswith("0")):
        return ", ".join(digits(group) for group in _grouped(run))
    number = int(run)
    return year(number) if 1900 <= number < 2100 else cardinal(number)


def _fraction(match: re.Match[str]) -> str:
    known = phrasebook.FRACTIONS.get(f"{match['top']}/{match['bottom']}")
    if known is None:
        return f"{cardinal(int(match['top']))} {'' if match[0] == '24/7' else 'slash '}{cardinal(int(match['bottom']))}"
    if match["whole"]:
        return f"{cardinal(int(match['whole']))} and {known}"
    return "one half" if known == "a half" else known


def _release(match: re.Match[str]) -> str:
    """A number with several points, such as a release's."""
    return f" {' point '.join(cardinal(int(part)) for part in match[0].split('.'))} "


def _abbreviation(match: re.Match[str]) -> str:
    spoken = phrasebook.ABBREVIATIONS[match["short"].lower()]
    ends = match.end() == len(match.string) or re.match(r"\s+[A-Z]", match.string[match.end() :]) is not None
    return spoken + ("." if ends and match["short"].lower() in phrasebook.MAY_END else "")


def _unit(match: re.Match[str]) -> str:
    one, many = phrasebook.UNITS[match["unit"]]
    return f"{decimal(match['number'])} {plural(match['number'], one, many)}"


def _percents(match: re.Match[str]) -> str:
    return f"{decimal(match['low'])} to {decimal(match['high'])} percent"


def _year(match: re.Match[str]) -> str:
    return match["cue"] + year(int(match["year"]))


def _plain_money(match: re.Match[str]) -> str:
    return _money(match["sign"], match["number"], None)


def _scaled_money(match: re.Match[str]) -> str:
    return ("minus " if match["minus"] else "") + _money(match["sign"], match["number"], match["scale"])


_SCALE = "|".join(phrasebook.SCALES)
_SHORT = "|".join(map(re.escape, phrasebook.ABBREVIATIONS))

_ADDRESSES: tuple[Rule, ...] = (
    (re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), _address),
    (re.compile(r"\bhttps?://[^\s,;!?\"')]*[^\s,;!?\"').]"), _address),
    (re.compile(r"\bwww\.[\w-]+(?:\.[\w-]+)+(?:/[\w./?=&%#~+-]*[\w/])?"), _address),
    (re.compile(rf"\b[\w-]+(?:\.[\w-]+)*\.(?:{phrasebook.DOMAINS})\b(?:/[\w./-]*\w)?(?!\.\w)", re.IGNORECASE), _address),
)
"""First: nothing in them is a number, a time or the end of a sentence."""

_MONEY: tuple[Rule, ...] = (
    (re.compile(rf"(?P<sign>[{_SIGNS}])\s?(?P<low>{_AMOUNT})\s?-\s?[{_SIGNS}]?(?P<high>{_AMOUNT})\b"), _money_range),
    (
        re.compile(
            rf"(?P<minus>(?<![\w)])-)?(?P<sign>[{_SIGNS}])\s?(?P<number>{_AMOUNT})(?:\s?(?P<scale>{_SCALE})\b)?", re.IGNORECASE
        ),
        _scaled_money,
    ),
    (re.compile(rf"\b(?P<sign>{_CODES})\s?(?P<number>{_AMOUNT})\b"), _plain_money),
    (re.compile(rf"(?<![\w.,])(?P<number>{_AMOUNT})\s?(?P<sign>{_CODES}|[{_SIGNS}])(?!\w)"), _plain_money),
    (re.compile(r"(?<![\w.,])1\s?¢"), lambda _: "one cent"),
    (re.compile(r"(?<![\w.,])(?P<number>\d+)\s?¢"), lambda m: f"{cardinal(int(m['number']))} cents"),
    (re.compile(rf"(?P<what>dollars?|euros?|pounds?|cents?)/(?P<per>{phrasebook.PER})\b"), lambda m: f"{m['what']} a {m['per']}"),
)

_PHONES: tuple[Rule, ...] = (
    (re.compile(r"(?<![\w.])\+\d{1,3}(?:[ .-]?\(?\d{1,5}\)?){1,6}(?!\w)"), _phone),
    (re.compile(r"(?<![\w.])(?:1[ .-])?\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?!\w)"), _phone),
    (re.compile(r"(?<![\w.-])\d{3}-\d{4}(?![\w-])"), _phone),
    (re.compile(r"(?<![\w.-])\d+(?:-\d+){2,}(?![\w-])"), _phone),
    (re.compile(r"\b(?:911|411|311|988)\b"), lambda m: digits(m[0])),
)
"""Groups of digits joined like a telephone number, and the short numbers of the United States."""

_QUANTITIES: tuple[Rule, ...] = (
    (re.compile(r"""(?<!\w)(\d)'\s?(\d{1,2})(?:"|'')"""), lambda m: f"{cardinal(int(m[1]))} foot {cardinal(int(m[2]))}"),
    (re.compile(rf"(?<![\w.,])(?P<low>{_NUMBER})\s?-\s?(?P<high>{_NUMBER})\s?%"), _percents),
    (re.compile(rf"(?<![\w.,])(?P<number>{_NUMBER})\s?%"), lambda m: f"{decimal(m['number'])} percent"),
    (re.compile(r"\b(\d+)(?:st|nd|rd|th)\b", re.IGNORECASE), lambda m: ordinal(int(m[1]))),
    (re.compile(r"(?<![\w./])(?:(?P<whole>\d+)\s+)?(?P<top>\d{1,2})/(?P<bottom>\d{1,2})(?![\w/])"), _fraction),
    (re.compile(r"#\s?(?=\d)|\bNo\.\s?(?=\d)"), lambda _: "number "),
    (re.compile(rf"(?<![\w.,])(?P<low>{_NUMBER})-(?P<high>{_NUMBER})(?![\w-])"), lambda m: f"{m['low']} to {m['high']}"),
    (re.compile(rf"(?<![\w.,])(?P<number>{_NUMBER})\s?(?P<unit>{_UNITS})(?![\w'])"), _unit),
)

_SHORT_FORMS: tuple[Rule, ...] = (
    (re.compile(rf"\b(?P<short>{_SHORT})(?!\w)", re.IGNORECASE), _abbreviation),
    *((re.compile(pattern), lambda m, spoken=spoken: m.expand(spoken)) for pattern, spoken in phrasebook.TITLES),
)

_LAST_DIGITS: tuple[Rule, ...] = (
    (re.compile(rf"(?<![\w.])-(?={_NUMBER})"), lambda _: "minus "),
    (re.compile(r"(?<![\d.])(\d+)((?:\.\d+){2,})"), _release),
    (re.compile(rf"(?P<cue>\b(?:{phrasebook.YEAR_CUES})\s)(?P<year>1[1-9]\d\d|20\d\d)\b(?![.,]?\d)", re.IGNORECASE), _year),
    (re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+"), lambda m: f" {decimal(m[0])} "),
    (re.compile(r"\d+"), lambda m: f" {_run(m[0])} "),
)

_RULES = (*_ADDRESSES, *calendar_words.RULES, *_MONEY, *_PHONES, *_QUANTITIES, *_SHORT_FORMS, *_LAST_DIGITS)
