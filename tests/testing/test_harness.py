"""The checks themselves: bounded, away from the loop that awaits them, gone when they are given up."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager

import pytest

from patter_nb.clock import run_virtual
from patter_nb.errors import ConfigError
from patter_nb.providers.base import TextDelta
from patter_nb.providers.scripted import ScriptedLLM
from patter_nb.testing import ConformanceError, check_llm
from patter_nb.turns.usage import Usage


class Model:
    """Answers; tells in which thread and loop it was used."""

    provider = "mine"
    model = "m"
    virtual_time = False
    price = None

    def __init__(self):
        self.threads = set()
        self.loops = set()

    def ready(self):
        pass

    @asynccontextmanager
    async def open(self, call):
        self.threads.add(threading.current_thread())
        self.loops.add(asyncio.get_running_loop())
        yield self

    async def reply(self, messages, tools):
        yield TextDelta("Six.")
        yield Usage("llm", "mine", "m")


class Waiting(Model):
    """Never answers."""

    def __init__(self):
        super().__init__()
        self.asked = threading.Event()
        self.gone = threading.Event()

    async def reply(self, messages, tools):
        self.asked.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.gone.set()
        yield TextDelta("never")


class Blocking(Model):
    """Holds its thread until it is let go."""

    def __init__(self):
        super().__init__()
        self.release = threading.Event()

    async def reply(self, messages, tools):
        self.release.wait(60)
        yield TextDelta("late")


class NoKey(Model):
    def ready(self):
        raise ConfigError("The key of mine is missing: set MINE_KEY.")


def test_a_check_uses_a_loop_and_a_thread_of_its_own():
    model = Model()

    async def main():
        await check_llm(model)
        return asyncio.get_running_loop()

    loop = asyncio.run(main())
    assert len(model.loops) == len(model.threads) == 1
    assert loop not in model.loops
    assert threading.current_thread() not in model.threads
    assert all(each.is_closed() for each in model.loops)


@pytest.mark.parametrize("llm", [Model(), ScriptedLLM(["Six."] * 4)], ids=["real", "virtual"])
def test_a_check_can_be_awaited_in_virtual_time(llm):
    assert run_virtual(check_llm(llm)) is None


def test_a_check_that_is_given_up_stops_what_it_had_begun():
    model = Waiting()

    async def main():
        check = asyncio.create_task(check_llm(model))
        await asyncio.to_thread(model.asked.wait, 30)
        check.cancel()
        with pytest.raises(asyncio.CancelledError):
            await check
        return await asyncio.to_thread(model.gone.wait, 30)

    assert asyncio.run(main())


def test_a_provider_that_never_answers_is_waited_for_no_longer_than_stated():
    with pytest.raises(ConformanceError, match=r"^answering came to no end within 0\.05 s\.$"):
        asyncio.run(check_llm(Waiting(), patience_seconds=0.05))


def test_a_provider_that_blocks_its_loop_is_told_so():
    model = Blocking()
    with pytest.raises(ConformanceError, match=r"^Blocking blocks the loop it runs on: .* not through after 0\.35 s\.$"):
        asyncio.run(check_llm(model, patience_seconds=0.05))
    model.release.set()


def test_what_is_missing_for_a_check_is_not_called_a_broken_rule():
    with pytest.raises(ConfigError, match="set MINE_KEY"):
        asyncio.run(check_llm(NoKey()))


def test_a_broken_rule_is_an_assertion_that_failed():
    assert issubclass(ConformanceError, AssertionError)
