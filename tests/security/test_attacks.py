"""Attacks on a served phone while somebody talks on it: each gets what it should, the call goes on, and nothing is left."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests_of_security_attacks import LONG, QUICK, Attack
from tests_of_security_served import serving

from patter_nb.server import Bounds

pytestmark = pytest.mark.slow  # real processes and calls: half a minute together

IMPATIENT = Bounds(sockets=512, request_seconds=1.5, idle_seconds=1.0, ping_seconds=1.0)
"""The port's own patience would make the tests slow."""


@dataclass
class Course:
    """What came of a group of attacks, one after the other in one call."""

    repelled: dict[str, str] = field(default_factory=dict)
    """By attack, the traceback of what was not as it should be; "" where all was."""
    unharmed: str = ""
    left: str = ""
    """What was open afterwards that was not before."""
    noise: str = ""


async def course(attacks: Mapping[str, Attack], bounds: Bounds | None) -> Course:
    found = Course()
    async with serving(bounds) as served:
        async with served.talking() as caller:  # everything is loaded and warm
            await caller.says(1)
            await caller.hang_up()
        before = served.held()
        async with served.talking() as caller:
            await caller.says(1)
            for name, attack in attacks.items():
                found.repelled[name] = await told(attack(served, caller)) or await told(served.answers())
            await caller.says(2)
            report = await caller.hang_up()
        found.unharmed = await told(checked(served.unharmed, caller, report))
        found.left = await told(served.lets_go(before)) and f"{before} before, {served.held()} after"
        found.noise = await told(checked(served.quiet))
    return found


async def checked(check: Any, *given: Any) -> None:
    check(*given)


async def told(work: Any) -> str:
    """What was wrong with it; "" for nothing."""
    try:
        await work
    except (AssertionError, OSError, ValueError, TimeoutError):
        return traceback.format_exc()
    return ""


@pytest.fixture(scope="module")
def quick() -> Course:
    return asyncio.run(asyncio.wait_for(course(QUICK, None), 60))


@pytest.fixture(scope="module")
def long() -> Course:
    return asyncio.run(asyncio.wait_for(course(LONG, IMPATIENT), 120))


@pytest.mark.parametrize("name", QUICK)
def test_an_attack_gets_what_it_should_and_calls_still_come_in(name, quick):
    assert quick.repelled[name] == ""


def test_whoever_talked_meanwhile_was_heard_and_answered_line_by_line(quick):
    assert quick.unharmed == ""


def test_nothing_is_left_of_the_attacks(quick):
    assert quick.left == ""


def test_nothing_was_said_of_the_attacks_and_no_secret_of_ours(quick):
    assert quick.noise == ""


@pytest.mark.parametrize("name", LONG)
def test_an_attack_that_lasts_gets_what_it_should_and_calls_still_come_in(name, long):
    assert long.repelled[name] == ""


def test_whoever_talked_through_the_long_attacks_was_heard_and_answered(long):
    assert long.unharmed == ""


def test_nothing_is_left_of_the_long_attacks_and_nothing_was_said_of_them(long):
    assert (long.left, long.noise) == ("", "")


def test_a_caller_that_is_harmed_would_be_noticed():
    async def main() -> str:
        async with serving() as served, served.talking() as caller:
            await caller.says(1)
            caller.call.hangup()
            report = await caller.hang_up()
            return await told(checked(served.unharmed, caller, report))

    assert asyncio.run(asyncio.wait_for(main(), 60))
