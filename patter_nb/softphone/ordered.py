"""Which softphone calls in a test, if one does."""

from __future__ import annotations

from typing import Any

from patter_nb.errors import ConfigError
from patter_nb.notebook.display import in_notebook
from patter_nb.softphone.softphone import Softphone


def calling(caller: Any, *, speed: str, noise_db: float | None) -> Softphone | None:
    """The softphone that was given; a new one in a notebook where no caller was given; else None."""
    if not isinstance(caller, Softphone) and not (caller is None and in_notebook()):
        return None
    if speed == "max":
        raise ConfigError('speed is "max", but the caller is a softphone, and people talk in real time: leave speed out.')
    if noise_db is not None:
        raise ConfigError("noise_db is given, but the caller is a softphone, whose microphone has its own noise: leave it out.")
    return caller if isinstance(caller, Softphone) else Softphone()


def show(softphone: Softphone) -> None:
    """Display it under the running cell."""
    from IPython.display import display

    display(softphone.widget)  # type: ignore[no-untyped-call]
