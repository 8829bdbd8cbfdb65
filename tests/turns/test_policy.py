"""Numbers that mean nothing are refused when they are given, not in the middle of a call."""

from __future__ import annotations

from dataclasses import fields

import pytest

from patter_nb.turns.policy import TurnPolicy


@pytest.mark.parametrize("name", [field.name for field in fields(TurnPolicy) if field.name.endswith("_seconds")])
@pytest.mark.parametrize("value", [-0.1, float("nan")])
def test_a_wait_is_a_number_of_seconds(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value!r}; give a number of seconds, 0 or more"):
        TurnPolicy(**{name: value})


def test_waits_may_be_nothing_and_interruptions_switched_off():
    assert TurnPolicy(hangover_seconds=0.0, barge_in_seconds=None).barge_in_seconds is None


def test_at_least_one_failure_is_needed_to_give_up():
    with pytest.raises(ValueError, match="max_failures is 0; give a whole number, 1 or more"):
        TurnPolicy(max_failures=0)
    assert TurnPolicy(max_failures=1).max_failures == 1
