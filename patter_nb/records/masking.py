"""Phone numbers as they may be shown and kept: masked for the eye, hashed with a key so that they can still be filtered by."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

_HIDDEN = "•" * 5
"""Always five, so that the mask does not tell how long the number is."""
_FEWEST_DIGITS = 7
"""Shorter ones are extensions and short codes, which are nobody's own; E.164 numbers have 7 to 15 digits."""

_YEAR = r"(?:19|20)\d\d"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0?[1-9]|1[0-2])"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?"
_MONEY = r"[$€£¥]|\b(?:USD|EUR|GBP|CHF|JPY|dollars?|euros?|pounds?|francs?|cents?)\b"
_LEFT = (
    rf"{_YEAR}([-/. ]){_MONTH}\1{_DAY}(?:[T ]{_CLOCK})?(?!\d|[-. ]?\d{{2}})",
    rf"{_DAY}([-/. ]){_MONTH}\2{_YEAR}(?!\d|[-. ]?\d{{2}})",
    rf"{_MONTH}([-/. ]){_DAY}\3{_YEAR}(?!\d|[-. ]?\d{{2}})",
    _CLOCK,
    rf"{_YEAR}(?:(?: ?[-–] ?| ){_YEAR})+(?![-. ]?\d)",
    rf"(?:{_MONEY})\s?\d(?:[\d.,]| (?=\d{{3}}(?!\d)))*",
    rf"\d(?:[\d.,]|[ '](?=\d{{3}}(?!\d)))*\s?(?:{_MONEY}|%)",
    r"\d{1,2}(?:[., ']000)+(?![-. ]?\d)",
    r"\d{1,2}(?:\.\d{3}){2,}(?![-. ]?\d)",
    r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)",
    r"\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)",
    r"0\.\d+",
    r"\d+\.\d{1,2}(?!\d|[-. ]?\d)",
)
"""What has many digits and is no phone number: dates, times, years, sums of money, round and grouped thousands, addresses of the
internet, fractions."""
_PLUS = r"\+(?:[ ().\-]{0,2}\d){7,15}(?!\d)"
"""E.164, also with the separators people write."""
_RUN = r"\d{7,}(?!\w)"
_GROUPS = r"(?:\d{1,3}[ .\-]{1,2})?\(?\d{2,5}(?:\)[ .\-]{0,2}|[ .\-]{1,2})\d{2,8}(?:[ .\-]\d{2,5}){0,4}(?!\w)"
_FOUND = re.compile(rf"(?<![\w.,\-])(?:{'|'.join(_LEFT)})|(?P<number>{_PLUS}|(?<![\w.\-])(?:{_RUN}|{_GROUPS}|\({_GROUPS}))")

_MANY_DIGITS = re.compile(rf"(?:\d\D*+){{{_FEWEST_DIGITS}}}").search


def mask_number(number: str) -> str:
    """A phone number with its first digit (when it has a plus) and its last four: "+15557654321" becomes "+1•••••4321".

    What has fewer than seven digits comes back as it is, so a masked number stays what it is.
    """
    digits = re.sub(r"\D", "", number)
    if len(digits) < _FEWEST_DIGITS:
        return number
    head = f"+{digits[0]}" if number.lstrip().startswith("+") else ""
    return f"{head}{_HIDDEN}{digits[-4:]}"


def mask_text(text: str) -> str:
    """The text with each phone number masked: seven digits or more in a row, or in groups as people write them.

    Dates, times, years, sums of money and what has six digits or fewer stay. A number spelled out in words stays too.
    """
    if not _MANY_DIGITS(text):  # most texts have none at all, and this is ten times as fast as looking for numbers
        return text
    return _FOUND.sub(lambda found: mask_number(found.group()) if found["number"] else found.group(), text)


def mask_data(data: Any) -> Any:
    """Plain data (mappings, lists, scalars) with every string in it masked, a mapping's keys excepted."""
    if isinstance(data, str):
        return mask_text(data)
    if isinstance(data, Mapping):
        return {key: mask_data(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [mask_data(value) for value in data]
    return data


def hash_number(number: str, key: bytes) -> str | None:
    """HMAC-SHA256 (first 32 hex digits) of the number without its separators; None for no number.

    The same number has the same hash wherever the key is the same, and without the key nobody can try all numbers.
    """
    bare = re.sub(r"[\s().\-]", "", number)
    return hmac.new(key, bare.encode(), hashlib.sha256).hexdigest()[:32] if bare else None
