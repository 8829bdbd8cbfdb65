"""A test call that is heard while it runs."""

from __future__ import annotations

import asyncio
from base64 import b64decode

import numpy as np
import pytest

from patter_nb.audio import g711
from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.softphone import Softphone

from .conftest import page_of, scripted


def heard(page) -> np.ndarray:
    """What a page that listens was sent, caller and agent."""
    pieces = [message for message in page.came if message["event"] == "listen"]
    sides = [np.concatenate([g711.decode(b64decode(piece[side])) for piece in pieces]) for side in ("caller", "agent")]
    return np.stack(sides, axis=1)


@pytest.mark.slow
def test_both_sides_are_heard_as_they_are_recorded(run, phone):
    async def main():
        softphone = Softphone()
        async with page_of(softphone) as page:
            call = phone.test(scripted(phone), caller=["Hello.", "Bye."], listen=softphone)
            state = await page.until_state("listening")
            assert (state["call"], state["agent"]) == (call.id, "agent")
            await page.say("tune", on=True)
            await call.ended(30)
            await page.until_state("ended", "caller hung up")
            samples = heard(page)
        softphone.close()
        return call, samples

    call, samples = run(main())
    kept = call.audio.samples
    assert abs(len(samples) - len(kept)) < 8000
    for side in (0, 1):
        told, recorded = samples[:, side], g711.decode(g711.encode(kept[:, side]))
        # It may have begun a step later than the call; from there on it is the recording.
        first = int(np.flatnonzero(recorded)[0])
        offset = first - int(np.flatnonzero(told)[0])
        length = min(len(told), len(recorded) - offset)
        assert offset >= 0
        assert np.mean(told[:length] != recorded[offset : offset + length]) < 0.01


@pytest.mark.slow
def test_nobody_is_sent_anything_who_does_not_listen(run, phone):
    async def main():
        softphone = Softphone()
        async with page_of(softphone) as page, page_of(softphone, name="page_2") as other:
            call = phone.test(scripted(phone), caller=["Hello."], listen=softphone)
            await page.until_state("listening")
            await page.say("tune", on=True)
            await call.ended(30)
            await other.until_state("ended")
            assert "listen" in {message["event"] for message in page.came}
            assert "listen" not in {message["event"] for message in other.came}
        softphone.close()

    run(main())


def test_hanging_up_ends_the_call_that_is_heard(run, phone):
    async def main():
        softphone = Softphone()
        async with page_of(softphone) as page:
            call = phone.test(scripted(phone), caller=["Hello.", "And on.", "And on."], listen=softphone)
            await page.until_state("listening")
            await page.say("hangup")
            await call.ended(10)
        softphone.close()
        return call

    assert run(main()).turns.shape[0] <= 1


WRONG = [
    ({"listen": True}, ConfigError, r"listen is True, but there is no notebook .* give listen=softphone"),
    ({"listen": "yes"}, ConfigTypeError, "listen is 'yes'; it must be True, a Softphone or False"),
    ({"listen": 1}, ConfigTypeError, "listen is 1"),
    ({"listen": True, "speed": "max"}, ConfigError, 'listen is given with speed="max"'),
    ({"listen": True, "record": False}, ConfigError, "record is False: leave record out"),
]


@pytest.mark.parametrize(("given", "kind", "told"), WRONG)
def test_what_cannot_be_heard_is_refused_before_anything_begins(run, phone, given, kind, told):
    async def main():
        with pytest.raises(kind, match=told):
            phone.test(scripted(phone), caller=["Hello."], **given)

    run(main())
    assert len(phone.calls) == 0


def test_whoever_calls_hears_the_call_anyway(run, phone):
    async def main():
        softphone = Softphone()
        with pytest.raises(ConfigError, match="it is you who calls, and you hear the call anyway"):
            phone.test(scripted(phone), caller=softphone, listen=True)
        softphone.close()

    run(main())


def test_one_softphone_hears_one_call(run, phone):
    async def main():
        softphone = Softphone()
        call = phone.test(scripted(phone), caller=["Hello."], listen=softphone)
        await asyncio.sleep(0)
        with pytest.raises(ConfigError, match=f"listen is a softphone that is in use by call {call.id}"):
            phone.test(scripted(phone), caller=["Hello."], listen=softphone)
        call.stop()
        await call.ended(10)
        softphone.close()

    run(main())
