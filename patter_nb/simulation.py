"""A test call as it was ordered: who calls, at what speed, and everything that is made before it can begin."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Literal

from patter_nb.call import Call
from patter_nb.callers import Script, Sound, caller_voice, render
from patter_nb.carriers.pipe import connection_pair
from patter_nb.carriers.simulated import NoiseSpec, SimulatedCaller, SpokenLine
from patter_nb.clock import run_virtual
from patter_nb.live import Live
from patter_nb.records.log import CallLog
from patter_nb.session.session import Session
from patter_nb.session.simulated_call import hold_simulated_call
from patter_nb.spoken import TEST_CALLEE, TEST_CALLER, SpokenCall, aside, pipeline

CALLER_SECONDS = 4 * 3600 + 60.0
"""When a test caller hangs up whatever happens: it outstays the longest limit that an agent may have, also one that an edit gives
it in mid-call, so that the agent's own limit is what ends the call."""


class SimulatedTest(SpokenCall):
    """One test call as it was ordered, of a caller that says what it is told."""

    def __init__(
        self,
        log: CallLog,
        live: Live,
        script: Script,
        *,
        speed: Literal["real", "max"],
        noise_db: float | None,
        **shared: Any,
    ) -> None:
        super().__init__(log, live, real=speed == "real", **shared)
        self._script = script
        self._noise = None if noise_db is None else NoiseSpec(snr_db=noise_db)
        self.source = script.name if isinstance(script, Sound) else f"{len(script)} lines"
        if not self._synthetic and not isinstance(script, Sound):
            caller_voice()

    @property
    def _synthetic(self) -> bool:
        """A recogniser that is told what it hears needs no words in the sound, so none of the models."""
        return pipeline(self._agent)[0].virtual_time and not isinstance(self._script, Sound)

    async def hold(self, call: Call) -> None:
        """Ask what is different in this call, render the caller and hold it."""
        terms = await self._begin(call)
        lines = await render(self._script, synthetic=self._synthetic)
        caller = await asyncio.to_thread(self._caller, lines)  # filters take their time
        ear = await self._ear(call.id)
        others = await self._prepare_greeting(call.id)
        near, far = connection_pair()
        work = partial(hold_simulated_call, self._setup(call, terms, ear, near), far, caller, call.attach)
        # The lines that may never be wanted must not make the caller wait.
        async with aside(self._prepare(call.id, *others)):
            await (work() if self._real else _in_virtual_time(call, work))

    def _caller(self, lines: Sequence[SpokenLine]) -> SimulatedCaller:
        agent = self._agent
        return SimulatedCaller(
            lines,
            expects_greeting=bool(agent.greeting),
            from_number=TEST_CALLER,
            to_number=TEST_CALLEE,
            noise=self._noise,
            seed=self._seed,
            max_seconds=CALLER_SECONDS,
        )


async def _in_virtual_time(call: Call, work: Callable[[], Coroutine[Any, Any, Session]]) -> None:
    """Hold the call in a thread, on a loop of its own. An interruption waits for the thread to end, so that its rows are kept."""
    # A future and no task: a loop that closes cancels its tasks, and would not wait for this thread then.
    running = asyncio.get_running_loop().run_in_executor(None, contextvars.copy_context().run, lambda: run_virtual(work()))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        call.stop("cancelled")
        while not running.done():  # however often it is interrupted
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait((running,))
        raise
