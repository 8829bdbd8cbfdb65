"""Who calls in a spoken test, and who listens: which softphone, if one does."""

from __future__ import annotations

from typing import Any

from patter_nb.callers import Script, check_first_line
from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.live import Live
from patter_nb.notebook.display import in_notebook
from patter_nb.records.log import CallLog
from patter_nb.simulation import SimulatedTest
from patter_nb.softphone.call import SoftphoneTest
from patter_nb.softphone.softphone import Softphone


def calling(caller: Any, *, speed: str, noise_db: float | None) -> Softphone | None:
    """The softphone that was given; a new one in a notebook where no caller was given; else None."""
    if not isinstance(caller, Softphone) and not (caller is None and in_notebook()):
        return None
    if speed == "max":
        raise ConfigError('speed is "max", but the caller is a softphone, and people talk in real time: leave speed out.')
    if noise_db is not None:
        raise ConfigError("noise_db is given, but the caller is a softphone, whose microphone has its own noise: leave it out.")
    return caller if isinstance(caller, Softphone) else _new()


def _new() -> Softphone:
    """A softphone for the cell that runs. Those of cells before it are closed, unless somebody talks on one: their cells may have
    been run again."""
    for softphone in [each for each in _made if not each.is_busy]:
        softphone.close()
        _made.remove(softphone)
    _made.append(Softphone())
    return _made[-1]


_made: list[Softphone] = []
"""Those that were made because no caller was given."""


def listening(listen: Any, caller: Any, *, speed: str, record: bool) -> Softphone | None:
    """The softphone on which a test call is heard while it runs; None where it is not. `caller` is who calls."""
    if listen is False or listen is None:
        return None
    if listen is not True and not isinstance(listen, Softphone):
        raise ConfigTypeError(f"listen is {listen!r}; it must be True, a Softphone or False.")
    if caller is None or isinstance(caller, Softphone):
        raise ConfigError("listen is given, but it is you who calls, and you hear the call anyway: leave listen out.")
    if speed == "max":
        raise ConfigError('listen is given with speed="max", which nobody could follow: use speed="real".')
    if not record:
        raise ConfigError("listen plays what is recorded, but record is False: leave record out.")
    if listen is True and not in_notebook():
        remedy = "make softphone = Softphone(), open softphone.url in a browser, and give listen=softphone"
        raise ConfigError(f"listen is True, but there is no notebook to hear the call in: {remedy}.")
    softphone = _new() if listen is True else listen
    softphone.check_free("listen")
    return softphone


def spoken_test(
    log: CallLog, live: Live, caller: Script | Softphone, *, shown: bool, speed: Any, noise_db: float | None, **shared: Any
) -> SimulatedTest | SoftphoneTest:
    """The test call of this caller; `shown`: its softphone is displayed under the running cell."""
    if isinstance(caller, Softphone):
        if shown:
            show(caller)
        return SoftphoneTest(log, live, caller, **shared)
    check_first_line(caller, greets=bool(live.current.agent.greeting))
    return SimulatedTest(log, live, caller, speed=speed, noise_db=noise_db, **shared)


def show(softphone: Softphone) -> None:
    """Display it under the running cell."""
    from IPython.display import display

    display(softphone.widget)  # type: ignore[no-untyped-call]
