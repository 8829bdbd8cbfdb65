"""What a phone's user reads: its calls, and their tables."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from patter_nb.call import Call
from patter_nb.errors import ConfigError
from patter_nb.frames import accessor as _accessor  # noqa: F401 (gives the frames their .voice)
from patter_nb.records.log import CallLog
from patter_nb.records.shelf import RecordingShelf
from patter_nb.records.store import Store

if TYPE_CHECKING:
    import pandas as pd


class History:
    """The part of `Patter` that tells what happened."""

    _calls: list[Call]
    _log: CallLog
    _shelf: RecordingShelf
    _store: Store | None

    @property
    def live_calls(self) -> tuple[Call, ...]:
        """The calls that are on."""
        return tuple(call for call in self._calls if call.state == "running")

    @property
    def last_call(self) -> Call | None:
        """The call that was started last, or None."""
        return self._calls[-1] if self._calls else None

    @property
    def calls(self) -> pd.DataFrame:
        """One row per call of this object."""
        return self._log.calls()

    @property
    def turns(self) -> pd.DataFrame:
        """One row per turn of this object's calls."""
        return self._log.turns()

    @property
    def spans(self) -> pd.DataFrame:
        """One row per span of a turn: what the caller waited for, and whose it is."""
        return self._log.spans()

    @property
    def revisions(self) -> pd.DataFrame:
        """One row per revision of an agent, with the turns it answered, their median gap and their cost."""
        return self._log.revisions()

    @property
    def tools_log(self) -> pd.DataFrame:
        """One row per execution of a tool in this object's calls."""
        return self._log.tools_log()

    @property
    def events(self) -> pd.DataFrame:
        """One row per event of this object's calls."""
        return self._log.events()

    @property
    def store(self) -> Store:
        """Everything that was ever stored: `phone.store.calls()`, `.turns()`. `ConfigError` with `store=False`."""
        if self._store is None:
            raise ConfigError("store is False: nothing is stored; leave store= out to keep calls in .patter_nb/.")
        return self._store

    def flush(self, timeout_seconds: float = 10.0) -> bool:
        """Wait until all rows and recordings are written; False when they could not be in that time (each card says why)."""
        deadline = time.monotonic() + timeout_seconds
        kept = self._shelf.retry(timeout_seconds)
        return self._log.flush(max(0.0, deadline - time.monotonic())) and kept
