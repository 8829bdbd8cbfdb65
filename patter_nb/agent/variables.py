"""The values of an agent's placeholders: a copy that nobody can change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from patter_nb.agent import checks
from patter_nb.errors import UNTELLABLE, ConfigError, scrub, text_of


class Variables(dict[str, object]):
    """A dictionary that stays as it was made. It is a `dict`, so that it can be pickled, copied and written as JSON."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("the variables of an agent cannot be changed: edit it with variables={...}.")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return Variables, (dict(self),)  # without this it would be filled item by item, which it refuses


def read_variables(given: object) -> Variables:
    """`variables=` as an agent keeps it. `ConfigError` for what is no dictionary of names to values that have a text."""
    checks.expect("variables", given, Mapping, "a dict of names to values")
    assert isinstance(given, Mapping)
    for key, value in given.items():
        checks.expect("a name in variables", key, str, "a string")
        try:
            str(value)
        except UNTELLABLE as error:
            failed = f"{type(error).__name__}: {text_of(error)}".removesuffix(": ")
            raise ConfigError(
                f"variables[{key!r}] is {type(value).__name__}, which has no text ({scrub(failed)}): give it as a string."
            ) from error
    return Variables(given)
