from __future__ import annotations

import pytest

from patter_nb.errors import ConfigError
from patter_nb.testing.twilio.clock import LineClock


def test_a_second_of_the_line_is_so_much_shorter_on_the_loop(virtual):
    async def main():
        import asyncio

        loop, clock = asyncio.get_running_loop(), LineClock(speed=10)
        began, at = loop.time(), clock.now()
        await clock.sleep(5)
        await clock.sleep_until(at)
        return loop.time() - began, clock.now() - at

    passed, told = virtual(main())
    assert passed == pytest.approx(0.5)
    assert told == pytest.approx(5)
    assert told >= 5


@pytest.mark.parametrize("speed", [0, -1, 101])
def test_a_speed_that_makes_no_sense_is_an_error(virtual, speed):
    async def main():
        with pytest.raises(ConfigError, match="speed of the simulator"):
            LineClock(speed)

    virtual(main())
