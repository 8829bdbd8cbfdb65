"""What tests of a store wait for."""

from __future__ import annotations

import time
from typing import Protocol


class Written(Protocol):
    """A store, or the log that writes to it."""

    @property
    def problem(self) -> str | None: ...

    def flush(self, timeout_seconds: float) -> bool: ...


def trouble(written: Written, told: str = "") -> str:
    """Why rows are not written, as soon as that is told in these words."""
    deadline = time.monotonic() + 20.0
    while ((problem := written.problem) is None or told not in problem) and time.monotonic() < deadline:
        assert not written.flush(0.02)
    return problem or ""
