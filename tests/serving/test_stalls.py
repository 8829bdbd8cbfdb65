"""A cell blocks the loop while the agent talks: the far end hears next to nothing of it, and the turn's row names the cell."""

from __future__ import annotations

import asyncio

import pytest
from tests_of_serving_kernels import Stage, kernel
from tests_of_serving_stalled import COMPUTE, FIRST_FIGURE, SLEEP, Block, hear, serve

from patter_nb.testing.twilio.process import TwilioProcess

pytestmark = pytest.mark.slow

BLOCKS = (Block(FIRST_FIGURE, 1.0), Block(COMPUTE.format(seconds=1), 0.6))


def test_audio_that_was_sent_ahead_covers_a_busy_cell_which_the_row_names_and_a_barge_in_comes_when_it_is_over(tmp_path):
    async def main():
        async with kernel(tmp_path) as notebook, TwilioProcess("--synthetic") as carrier:
            stage = Stage(notebook, carrier)
            await serve(stage)
            heard = await hear(stage, BLOCKS)
            return heard, await hear(stage, [Block(SLEEP.format(seconds=1), 1.0)], interrupts_after=1.5)

    heard, (interrupted,) = asyncio.run(asyncio.wait_for(main(), 120))
    for reply in (*heard, interrupted):
        assert reply.is_named, reply
        assert reply.stall_ms > 100
    for reply in heard:
        assert reply.reply_ms > 4000
        assert reply.silence_ms < 0.1 * reply.stall_ms
    assert interrupted.rest_ms > 200, "the caller spoke while the loop stood still"
    assert interrupted.bargein_ms - interrupted.rest_ms < 0.5 * interrupted.stall_ms
