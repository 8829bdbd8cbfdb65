"""Work that is not left half done."""

from __future__ import annotations

import asyncio
import gc

import pytest

from patter_nb.carriers.twilio.finish import _alone, to_its_end


def test_its_result_and_its_error_come_back():
    async def works():
        return 5

    async def fails():
        raise ValueError("no")

    async def main():
        assert await to_its_end(works()) == 5
        with pytest.raises(ValueError, match="no"):
            await to_its_end(fails())

    asyncio.run(main())


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("times", [1, 2])
def test_whoever_is_cancelled_waits_for_its_end_and_whoever_insists_does_not(times, fails):
    done, troubles = [], []

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
        go_on = asyncio.Event()

        async def work():
            await go_on.wait()
            done.append(True)
            if fails:
                raise ValueError("no")

        waiting = asyncio.create_task(to_its_end(work()))
        await asyncio.sleep(0)
        for _ in range(times):
            waiting.cancel()
            await asyncio.sleep(0)
        assert (waiting.done(), done) == (times == 2, [])
        gc.collect()
        go_on.set()
        await asyncio.wait((waiting, *_alone))
        assert waiting.cancelled()
        assert done == [True]

    asyncio.run(main())
    gc.collect()
    assert troubles == []
    assert not _alone
