"""Phone numbers and Twilio's names of things (SIDs): what is one, and how it may be shown."""

from __future__ import annotations

import re

from patter_nb.errors import CarrierError, brief

_SEPARATORS = re.compile(r"[\s().\-]")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_SID = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}")
_DIGITS = re.compile(r"(?<![A-Za-z0-9])\+?\d(?:[\s().\-]{0,2}\d){6,}(?![A-Za-z0-9])")
_HIDDEN = "•" * 5


def e164(number: str) -> str:
    """The number in international form, without separators: "+1 (555) 765-4321" becomes "+15557654321".

    `CarrierError` for everything else. A model may have made it up, so that what is dialled is a phone number and nothing more.
    """
    bare = _SEPARATORS.sub("", number)
    if not _E164.fullmatch(bare):
        raise CarrierError(
            f"{masked(brief(number))} is no phone number that can be called: write it in international form, "
            f"a plus, the country and the number, such as +15550001234."
        )
    return bare


def masked(text: str) -> str:
    """The text with each phone number in it masked, as the tables show them: "+1•••••4321"."""
    return _DIGITS.sub(_mask, text)


def _mask(found: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", found.group())
    head = f"+{digits[0]}" if found.group().startswith("+") else ""
    return f"{head}{_HIDDEN}{digits[-4:]}"


def is_sid(text: str, kind: str) -> bool:
    """Whether it names a thing of that kind at Twilio: two letters ("CA" is a call) and 32 hexadecimal digits."""
    return text.startswith(kind) and _SID.fullmatch(text) is not None


def sid(text: str, kind: str) -> str:
    """The SID, which then may stand in a path; `CarrierError` for anything else."""
    if not is_sid(text, kind):
        raise CarrierError(f"{brief(text)} does not name what Twilio calls {kind}..., with 32 hexadecimal digits after it.")
    return text
