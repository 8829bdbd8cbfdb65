"""What may be set for a model behind a server, checked where it is given."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.turns.usage import Price

OURS = ("model", "messages", "stream", "tools", "temperature", "max_tokens", "top_p", "seed", "stop")
"""What `extra` may not hold: it is said elsewhere."""


def number(name: str, value: object, *, most: float = math.inf, above_zero: bool = False) -> None:
    """`value` is a finite number from 0 (or above it) to `most`."""
    bound = f"{'above 0' if above_zero else '0 or more'}{'' if most == math.inf else f', at most {most:g}'}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigTypeError(f"{name} is {value!r}; it must be a number {bound}.")
    if not math.isfinite(value) or value < 0 or value > most or (above_zero and value == 0):
        raise ConfigError(f"{name} is {value!r}; it must be {bound}.")


def whole(name: str, value: object, *, least: int | None = None) -> None:
    """`value` is None or a whole number."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigTypeError(f"{name} is {value!r}; it must be a whole number.")
    if least is not None and value < least:
        raise ConfigError(f"{name} is {value}; it must be at least {least}.")


def stops(value: object) -> tuple[str, ...] | None:
    """What ends an answer: one text or several."""
    if value is None:
        return None
    given = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else (None,)
    texts = tuple(each for each in given if isinstance(each, str) and each)
    if not given or texts != given:
        raise ConfigTypeError(f"stop is {value!r}; it must be a text, or a list of texts, none of them empty.")
    return texts


def model_name(value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ConfigTypeError(f"model is {value!r}; it must be the name of a model as the server knows it.")


def provider(value: object) -> None:
    if not isinstance(value, str):
        raise ConfigTypeError(f"provider is {value!r}; it must be a name, or empty for that of the server.")


def price(value: object) -> None:
    if not isinstance(value, Price | None):
        raise ConfigTypeError(f"price is {value!r}; it must be a Price(...), or None where none is known.")


def key(value: object) -> None:
    """What HTTP can carry in a header. The error does not show it."""
    if not isinstance(value, str):
        raise ConfigTypeError(f"api_key is {type(value).__name__}; it must be a string.")
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise ConfigError("api_key holds a space, a line break or a letter that no key has; copy it again.")


def headers(value: object) -> dict[str, str]:
    """Names and values that HTTP can carry. The error does not show the values."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigTypeError(f"headers is {type(value).__name__}; it must be a dictionary of names and values.")
    for name, text in value.items():
        fits = isinstance(name, str) and isinstance(text, str)
        if not (fits and name and name.isascii() and name.isprintable() and " " not in name and ":" not in name):
            raise ConfigTypeError(f"headers holds {name!r}; names and values are strings, a name has letters, digits and dashes.")
        if not (text.isascii() and text.isprintable()):
            raise ConfigError(f"headers holds a value of {name!r} with characters that HTTP forbids.")
    return dict(value)


def extra(value: object) -> dict[str, Any]:
    """More fields of the request."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigTypeError(f"extra is {type(value).__name__}; it must be a dictionary of fields of the request.")
    if taken := [name for name in OURS if name in value]:
        raise ConfigError(f"extra holds {', '.join(map(repr, taken))}; give settings by name; the rest comes with each reply.")
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigTypeError(f"extra cannot be sent as JSON: {error}.") from error
    return dict(value)
