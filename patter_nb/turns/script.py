"""Play a call on paper: timed events in, timed commands out. What tests are written with, and a way to try a policy."""

from __future__ import annotations

from collections.abc import Iterable

from patter_nb.turns.commands import Command
from patter_nb.turns.engine import DEFAULT_POLICY, TurnEngine
from patter_nb.turns.events import Event
from patter_nb.turns.policy import TurnPolicy


def play(
    script: Iterable[tuple[float, Event]], policy: TurnPolicy = DEFAULT_POLICY, *, seconds_after: float = 1.0
) -> list[tuple[float, Command]]:
    """Every command of a call with the instant at which it was given.

    `script` holds (instant in seconds, event), ascending. Timers fire when they are due, at an event's instant before the event;
    after the last one time goes on for `seconds_after`.
    """
    return play_on(TurnEngine(policy), script, seconds_after=seconds_after)


def play_on(
    engine: TurnEngine, script: Iterable[tuple[float, Event]], *, seconds_after: float = 0.0
) -> list[tuple[float, Command]]:
    """As `play`, with an engine whose call is already on its way and can be looked at afterwards."""
    played: list[tuple[float, Command]] = []
    now = 0.0
    for at, event in script:
        if at < now:
            raise ValueError(f"The event {event!r} stands at {at} s, after one at {now} s; a script ascends.")
        now = at
        played += let_time_pass(engine, now)
        played += [(now, command) for command in engine.receive(event, now)]
    return played + let_time_pass(engine, now + seconds_after)


def let_time_pass(engine: TurnEngine, until: float) -> list[tuple[float, Command]]:
    """Fire the timers of `engine` that are due up to the instant `until`."""
    played: list[tuple[float, Command]] = []
    while (due := engine.next_timer()) is not None and due <= until:
        played += [(due, command) for command in engine.handle_timer(due)]
    return played
