"""A notebook that serves, in a real kernel, with a call up whose far end is another process: nothing a cell does ends it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from tests_of_serving_kernels import Stage, kernel
from tests_of_serving_scenarios import (
    AWAITED,
    PLACED,
    SERVED,
    Outcome,
    card_of_a_call,
    play,
    play_interrupted_start,
    play_restart,
    serve_and_await,
)

from patter_nb.testing.twilio.process import TwilioProcess

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """Runs `await scene(stage)`. Kernel and carrier are started once: most of what this costs is the start."""

    async def stage(stack):
        notebook = await stack.enter_async_context(kernel(tmp_path_factory.mktemp("notebook")))
        return Stage(notebook, await stack.enter_async_context(TwilioProcess("--synthetic", "--number", "+15550001234")))

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            ready = runner.run(stage(stack))
            yield lambda scene, *given, **more: runner.run(asyncio.wait_for(scene(ready, *given, **more), 120))
        finally:
            runner.run(stack.aclose())


def test_a_call_that_came_in_goes_on_whatever_is_done_to_the_notebook(staged):
    assert staged(play, SERVED) == Outcome()


def test_a_call_goes_on_when_the_first_serve_cell_is_interrupted_while_it_awaits_more(staged):
    assert staged(play, AWAITED, prepare=serve_and_await) == Outcome()


def test_a_call_that_was_placed_goes_on_when_the_cell_that_awaits_it_is_interrupted(staged):
    assert staged(play, PLACED, outbound=True) == Outcome()


def test_the_card_of_a_call_that_comes_in_stands_under_the_cell_that_serves(staged):
    assert staged(card_of_a_call) == "the serve cell"


@pytest.mark.parametrize("killed", [False, True])
def test_a_kernel_that_is_started_anew_hangs_up_and_leaves_no_port(staged, killed):
    assert staged(play_restart, now=killed) == Outcome()


def test_serving_that_is_interrupted_before_it_is_ready_leaves_nothing(staged):
    assert staged(play_interrupted_start) == Outcome()
