"""A revision: one configuration of an agent, numbered within the agent's name, its id made of its content."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from patter_nb.agent import Agent

Scope = Literal["next call", "all calls", "this call"]
"""For whom it was made: for calls that begin later; for those as well as for every call of the name that is on; for one call."""


@dataclass(frozen=True, slots=True)
class Revision:
    """An immutable agent configuration."""

    number: int
    content_id: str
    agent: Agent
    parent: int | None
    """The revision it was made from."""
    note: str
    created_at: datetime
    scope: Scope = "next call"
    kept: tuple[str, ...] = ()
    """Fields that belong to its call alone; see `Live.keep`."""
