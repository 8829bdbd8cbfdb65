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
_NUMBER = re.compile(r"\+(?:[ ().\-]{0,2}\d){7,15}(?!\d)")
"""E.164, also with the separators people write."""


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
    """The text with each number in international form masked."""
    return _NUMBER.sub(lambda found: mask_number(found.group()), text) if "+" in text else text


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
