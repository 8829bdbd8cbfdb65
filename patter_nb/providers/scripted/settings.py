"""What the scripted providers share: checked settings, their repr, and waiting by the loop's clock."""

from __future__ import annotations

import asyncio
import math
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from patter_nb.audio.formats import MULAW_8K, PCM_8K, PCM_16K, PCM_22K, PCM_24K, AudioFormat
from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.turns.usage import Price

FORMATS = (MULAW_8K, PCM_8K, PCM_16K, PCM_22K, PCM_24K)


def names_and_price(provider: Any) -> None:
    """Its provider and model are names, its price a `Price` or None."""
    for name in ("provider", "model"):
        value = getattr(provider, name)
        if not isinstance(value, str) or not value:
            raise ConfigTypeError(f"{name} is {value!r}; it must be a name, as prices and rows shall know it.")
    if not isinstance(provider.price, Price | None):
        raise ConfigTypeError(f"price is {provider.price!r}; it must be a Price(...), or None where none is known.")


def seconds(name: str, value: object, *, above_zero: bool = False) -> None:
    """`value` is a finite number of at least 0, or greater than 0."""
    _number(name, value, "seconds", above_zero)


def factor(name: str, value: object) -> None:
    """`value` is a finite number greater than 0."""
    _number(name, value, "a factor", above_zero=True)


def index(name: str, value: object) -> None:
    """`value` is None or counts from 0."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigTypeError(f"{name} is {value!r}; it must be a whole number, counted from 0, or None.")
    if value < 0:
        raise ConfigError(f"{name} is {value}; it is counted from 0.")


def one_of(name: str, value: object, *choices: str) -> None:
    if value not in choices:
        raise ConfigError(f"{name} is {value!r}; it must be {' or '.join(map(repr, choices))}.")


def audio_formats(value: object) -> tuple[AudioFormat, ...]:
    """`value` as a tuple of at least one format."""
    given = tuple(value) if isinstance(value, list | tuple) else (None,)
    if not all(isinstance(item, AudioFormat) for item in given):
        raise ConfigTypeError(f"formats is {value!r}; it must be a tuple of AudioFormat, such as (MULAW_8K,).")
    if not given:
        raise ConfigError("formats is empty; name at least one, such as (MULAW_8K,).")
    return given


def offered(audio: AudioFormat, formats: tuple[AudioFormat, ...]) -> None:
    """`audio` is one of `formats`."""
    if audio not in formats:
        raise ConfigError(f"audio is {audio}; this provider was given formats={formats}.")


def written(provider: object) -> str:
    """The call that makes such a provider: its class with every setting that differs from the default."""
    assert is_dataclass(provider)
    first, *_ = shown = [f for f in fields(provider) if f.init]
    parts = [
        repr(getattr(provider, f.name)) if f is first and not f.kw_only else f"{f.name}={getattr(provider, f.name)!r}"
        for f in shown
        if getattr(provider, f.name) != _default(f)
    ]
    return f"{type(provider).__name__}({', '.join(parts)})"


class Pace:
    """Waits for moments at fixed distances from its making: the first after `first` seconds, each later one after `step` more.

    A reader that comes late is not kept waiting: what was due meanwhile is there.
    """

    def __init__(self, first: float, step: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._at = self._loop.time() + first
        self._step = step

    async def next(self) -> None:
        await asyncio.sleep(max(0.0, self._at - self._loop.time()))
        self._at += self._step


def _default(setting: Field[Any]) -> object:
    return setting.default if setting.default_factory is MISSING else setting.default_factory()


def _number(name: str, value: object, kind: str, above_zero: bool) -> None:
    bound = "greater than 0" if above_zero else "0 or more"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigTypeError(f"{name} is {value!r}; it must be a number of {kind}, {bound}.")
    if not math.isfinite(value) or value < 0 or (above_zero and value == 0):
        raise ConfigError(f"{name} is {value!r}; it must be {bound}.")
