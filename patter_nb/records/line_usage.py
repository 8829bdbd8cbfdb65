"""What a call on a telephone line consumed, in the units its carrier bills it in."""

from __future__ import annotations

import math
from typing import Literal

from patter_nb.records.price_list import MACHINE_DETECTION
from patter_nb.records.prices import PriceBook
from patter_nb.turns.usage import Usage

Beside = Literal["media stream", "machine detection", "recording"]

BILLED_SECONDS = {"twilio": 60}
"""What a carrier rounds up to; of one that is not named here each second counts by itself."""

TOLL_FREE = frozenset({"800", "833", "844", "855", "866", "877", "888"})
OTHER_COUNTRIES = frozenset(
    {
        *("242", "246", "264", "268", "284", "340", "345", "441", "473", "649", "658", "664", "670", "671", "684", "721", "758"),
        *("767", "784", "787", "809", "829", "849", "868", "869", "876", "939"),
    }
)
"""Area codes behind +1 of islands whose minutes cost more."""


def line_usage(direction: str, seconds: float, number: str, *, prices: PriceBook, carrier: str = "twilio") -> Usage:
    """The minutes of one call, rounded up as the carrier does; none for a call that was not answered (0 seconds).

    `direction`: inbound or outbound. `number`: the one that was called, for it says what a minute costs: with +1 it counts as
    one of the United States (Canada's, too), unless it is toll-free or an island's. A minute of any other number has no price
    until it is given one, so it costs NaN.
    """
    return _usage(f"{_place(number)} {direction}", _rounded(seconds, carrier), prices, carrier)


def usage_beside(what: Beside, seconds: float = 0.0, *, prices: PriceBook, carrier: str = "twilio") -> Usage:
    """What the carrier bills for a call beside its minutes: the stream of its audio, a recording, one detection of a machine."""
    return _usage(what, 60.0 if what == MACHINE_DETECTION else _rounded(seconds, carrier), prices, carrier)


def _usage(model: str, seconds: float, prices: PriceBook, carrier: str) -> Usage:
    return Usage("telephony", carrier, model, audio_seconds=seconds, price_id=prices.find("telephony", carrier, model))


def _rounded(seconds: float, carrier: str) -> float:
    unit = BILLED_SECONDS.get(carrier)
    return seconds if unit is None else float(unit * math.ceil(seconds / unit))


def _place(number: str) -> str:
    """Which prices a number has: "us", or the name of what has none."""
    if not number.startswith("+1"):
        return "other country"
    area = number[2:5]
    return "us toll-free" if area in TOLL_FREE else "other country" if area in OTHER_COUNTRIES else "us"
