"""A caller made of lines, which phones the agent as Twilio would connect it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future

from patter_nb.carriers.base import Connection
from patter_nb.carriers.simulated.far_end import FarEnd
from patter_nb.carriers.simulated.hearing import Ear
from patter_nb.carriers.simulated.lines import NoiseSpec, SpokenLine, line_noise, on_the_telephone
from patter_nb.carriers.simulated.report import FarEndReport
from patter_nb.carriers.simulated.script import Script
from patter_nb.clock import CallClock, Clock
from patter_nb.errors import ConfigError

NO_REPLY_SECONDS = 8.0
HANG_UP_SECONDS = 1.0
MAX_SECONDS = 600.0


class SimulatedCaller:
    """Says `lines` one after the other, each when the agent has replied to the one before, and hangs up after the last reply.

    A line starts `wait_seconds` after the agent falls silent, or after `no_reply_seconds` of waiting in vain, which is recorded.
    With `expects_greeting` that holds for the first line too; otherwise it starts `wait_seconds` after the stream. After the
    reply to the last line the caller stays `hang_up_seconds` more. At `max_seconds` it hangs up whatever happens, also recorded.

    The agent gets the numbers as the stream's parameters `caller` and `callee`, beside those of `parameters`. One caller can hold
    any number of calls, also at the same time; the lines' audio is prepared when it is made. `ConfigError` for what does not fit.
    """

    def __init__(
        self,
        lines: Sequence[SpokenLine],
        *,
        expects_greeting: bool,
        from_number: str = "+15550000001",
        to_number: str = "+15550000002",
        parameters: Mapping[str, str] | None = None,
        noise: NoiseSpec | None = None,
        seed: int = 0,
        no_reply_seconds: float = NO_REPLY_SECONDS,
        hang_up_seconds: float = HANG_UP_SECONDS,
        max_seconds: float = MAX_SECONDS,
    ) -> None:
        if not lines:
            raise ConfigError("a simulated caller needs at least one line to say; lines is empty")
        for name, seconds in (("no_reply", no_reply_seconds), ("hang_up", hang_up_seconds), ("max", max_seconds)):
            if not 0 < seconds <= 86_400:
                raise ConfigError(f"{name}_seconds must be above 0 and at most a day, not {seconds!r}")
        self._lines = [on_the_telephone(line) for line in lines]
        self._noise = line_noise(self._lines, noise, seed) if noise else None
        self._numbers = (from_number, to_number)
        self._parameters = {"caller": from_number, "callee": to_number, **(parameters or {})}
        self._expects_greeting = expects_greeting
        self._no_reply_seconds = no_reply_seconds
        self._hang_up_seconds = hang_up_seconds
        self._max_seconds = max_seconds

    def __repr__(self) -> str:
        numbers = " -> ".join(f"•••{number[-2:]}" for number in self._numbers)
        return f"SimulatedCaller({len(self._lines)} lines, {numbers})"

    async def run(self, connection: Connection, clock: Clock) -> FarEndReport:
        """Hold one call over `connection` on the running loop and report what was heard.

        `CarrierError` when the agent's side sent what a carrier would refuse; the call has ended then.
        """
        ear = Ear()
        script = Script(
            self._lines,
            ear,
            expects_greeting=self._expects_greeting,
            no_reply_seconds=self._no_reply_seconds,
            hang_up_seconds=self._hang_up_seconds,
        )
        far_end = FarEnd(
            connection,
            clock,
            lines=self._lines,
            script=script,
            ear=ear,
            noise=self._noise,
            parameters=self._parameters,
            max_seconds=self._max_seconds,
        )
        await far_end.run()
        if far_end.fault is not None:
            raise far_end.fault
        return far_end.report()

    def run_in_thread(self, connection: Connection) -> Future[FarEndReport]:
        """Hold one call in real time, in a thread with its own event loop, whose clock does not stall with the agent's.

        Cancelling the future, or closing the other end of the connection, ends the call. The thread ends with it and never keeps
        the process alive.
        """
        loop = asyncio.new_event_loop()
        runner = asyncio.Runner(loop_factory=lambda: loop)
        threading.Thread(target=_serve, args=(runner,), name="far-end", daemon=True).start()
        future = asyncio.run_coroutine_threadsafe(self._run_in_real_time(connection), loop)
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(loop.stop))
        return future

    async def _run_in_real_time(self, connection: Connection) -> FarEndReport:
        return await self.run(connection, CallClock())


def _serve(runner: asyncio.Runner) -> None:
    with runner:
        runner.get_loop().run_forever()
