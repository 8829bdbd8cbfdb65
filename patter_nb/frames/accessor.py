"""`frame.voice`: what can be asked of a table of ours, also after it was filtered, cut or joined.

Every method works on any DataFrame that has the columns it needs, and names the one that is missing. Here is where a method is
found; what it does is written in a module of its own.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from patter_nb.errors import warn
from patter_nb.frames import documentation
from patter_nb.records import tables

if TYPE_CHECKING:
    import pandas as pd

NAME = "voice"


class Voice:
    """The methods of `frame.voice`."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def columns(self) -> pd.DataFrame:
        """What each column is, its unit, its owner, and when it is missing and why."""
        return documentation.columns_of(self._frame)


@cache
def register() -> None:
    """Give every DataFrame its `.voice`. Loads pandas. Where somebody else's `.voice` is there already, that one stays."""
    import pandas as pd

    there = getattr(pd.DataFrame, NAME, None)
    if there is not None and f"{getattr(there, '__module__', '')}.{getattr(there, '__qualname__', '')}" != f"{__name__}.Voice":
        warn(f"DataFrame.{NAME} is {there!r}; ours is patter_nb.frames.accessor.Voice(frame).")
        return
    if there is not None:
        delattr(pd.DataFrame, NAME)  # of this module before it was reloaded
    pd.api.extensions.register_dataframe_accessor(NAME)(Voice)


tables.before_frames(register)
