"""Strategies that confirm an interruption by its words."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from patter_nb.barge_in import BargeInStrategy, MinWordsStrategy
from patter_nb.errors import ConfigError, ConfigTypeError


def confirms(strategy: MinWordsStrategy, words: str, *, interim: bool = False, speaking: bool = True) -> bool:
    return asyncio.run(strategy.evaluate(transcript=words, is_interim=interim, agent_speaking=speaking))


@pytest.mark.parametrize(
    ("words", "interim", "speaking", "use_interim", "confirmed"),
    [
        ("stop it now", False, True, True, True),
        ("stop it", False, True, True, False),
        ("  stop \n it   now ", False, True, True, True),
        ("", False, True, True, False),
        ("stop it now", True, True, True, True),
        ("stop it now", True, True, False, False),
        ("stop it now", False, True, False, True),
        ("stop", False, False, True, True),
        ("", False, False, True, False),
        ("stop", True, False, False, False),
    ],
)
def test_three_words_over_the_agent_interrupt_and_one_is_enough_while_it_is_silent(
    words: str, interim: bool, speaking: bool, use_interim: bool, confirmed: bool
) -> None:
    strategy = MinWordsStrategy(min_words=3, use_interim=use_interim)
    assert confirms(strategy, words, interim=interim, speaking=speaking) is confirmed


def test_it_is_a_strategy_that_remembers_nothing() -> None:
    strategy = MinWordsStrategy(min_words=2)
    assert isinstance(strategy, BargeInStrategy)
    assert confirms(strategy, "stop it")
    assert asyncio.run(strategy.reset()) is None
    assert not confirms(strategy, "stop")
    assert strategy == MinWordsStrategy(min_words=2)


@pytest.mark.parametrize(
    ("given", "kind", "sentence"),
    [
        (0, ConfigError, "min_words is 0; it must be 1 or more."),
        (-3, ConfigError, "min_words is -3; it must be 1 or more."),
        (True, ConfigTypeError, "min_words is True; it must be a whole number, 1 or more."),
        (2.0, ConfigTypeError, "min_words is 2.0; it must be a whole number"),
        ("2", ConfigTypeError, "min_words is '2'; it must be a whole number"),
        (None, ConfigTypeError, "min_words is None"),
    ],
)
def test_what_is_no_number_of_words_is_one_sentence(given: Any, kind: type[Exception], sentence: str) -> None:
    with pytest.raises(kind) as refused:
        MinWordsStrategy(min_words=given)
    assert sentence in str(refused.value)


def test_an_object_without_both_functions_is_no_strategy() -> None:
    class Half:
        async def evaluate(self, **_: Any) -> bool:
            return True

    assert not isinstance(Half(), BargeInStrategy)
