"""The prices that are known without being told: of what runs on this machine, and of Twilio's lines in the United States."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from patter_nb.turns.usage import Price, Service

MEDIA_STREAM: Final = "media stream"
MACHINE_DETECTION: Final = "machine detection"
RECORDING: Final = "recording"
BESIDE_THE_LINE = (MEDIA_STREAM, MACHINE_DETECTION, RECORDING)
"""What a carrier bills for a call beside its minutes: the models of usage of its own, and parts of the bill."""

TWILIO_LISTED = date(2026, 8, 27)
"""Since when Twilio's page of prices for the United States is known to show these."""


@dataclass(frozen=True, slots=True)
class PriceRow:
    """The price of one model of one provider for one service, from a day on."""

    id: str
    """For example "deepgram/nova-3/stt@2026-05-08"."""
    service: Service
    provider: str
    model: str
    """Covers this model and the ones whose name begins with it; "" covers every model of the provider."""
    price: Price
    valid_from: date


def _free(service: Service, provider: str) -> PriceRow:
    return PriceRow(f"{provider}/*/{service}@2000-01-01", service, provider, "", Price(), date(2000, 1, 1))


def _twilio(model: str, usd_per_minute: float) -> PriceRow:
    price = Price(usd_per_audio_minute=usd_per_minute)
    return PriceRow(f"twilio/{model}/telephony@{TWILIO_LISTED}", "telephony", "twilio", model, price, TWILIO_LISTED)


BUILT_IN: tuple[PriceRow, ...] = (
    _free("stt", "local"),
    _free("llm", "local"),
    _free("llm", "on_message"),
    _free("tts", "local"),
    _free("telephony", "simulated"),
    _free("telephony", "softphone"),
    _free("telephony", "console"),
    _twilio("us inbound", 0.0085),
    _twilio("us outbound", 0.0140),
    _twilio(MEDIA_STREAM, 0.0044),
    _twilio(MACHINE_DETECTION, 0.0075),
    _twilio(RECORDING, 0.0025),
)
"""What runs on this machine, or is answered by a function of the user's, costs nothing, and that is known.

Twilio's are its list prices for local numbers of the United States, as read from August to October 2026, before volume discounts,
taxes and the monthly price of a number. Machine detection is billed once for each call, which is kept as one minute. Toll-free
numbers and all other countries have no row: `PriceBook.override` gives them one.
"""
