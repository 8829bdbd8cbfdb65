"""The simulated carrier as a process of its own: orders as JSON lines on stdin, what happens as JSON lines on stdout.

Orders (`do`):
  {"do": "route", "host": "rehearsal.example.com", "port": 8000}    let a public name reach a port of this machine
  {"do": "call", "id": 1, "url": "https://...", "lines": [...]}     call in; further settings as for TwilioSimulator.call
  {"do": "callee", "id": 3, "number": "+1...", "kind": "human"}     who answers there (no number: anywhere); fields of Callee
  {"do": "hang_up", "call_sid": "CA..."}
  {"do": "press", "call_sid": "CA...", "keys": "12#"}
  {"do": "look", "call_sid": "CA...", "id": 2}                      tell what was heard so far
  {"do": "stop"}                                                    as the end of stdin
A line is a text, or {"text", "tone_seconds", "wait_seconds", "interrupt_after_seconds", "keys"}.

Answers (`is`): "ready" with the REST address and the credentials; "calling", "expected" (a callee) and "seen" with the id that
was given; "status" of any call; "ended" with what was heard (silences in milliseconds, replies, marks, keys, warnings), which
"seen" has of a call that is on; "price"; and "error" for a wrong order.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import threading
from collections.abc import Mapping
from typing import Any, TextIO

import numpy as np

from patter_nb.carriers.simulated import SpokenLine
from patter_nb.errors import PatterError
from patter_nb.testing.twilio.callee import Callee
from patter_nb.testing.twilio.person import spoken_lines
from patter_nb.testing.twilio.simulator import TwilioSimulator
from patter_nb.testing.twilio.summary import summary
from patter_nb.testing.twilio.tones import HZ, tone

FOREVER_SECONDS = 86_400.0


class Desk:
    """Takes orders for one simulator and tells what happens."""

    def __init__(self, simulator: TwilioSimulator, out: TextIO) -> None:
        self._simulator = simulator
        self._out = out
        self._told: dict[str, int] = {}
        self._over: set[str] = set()
        self._priced: set[str] = set()

    def say(self, kind: str, **facts: Any) -> None:
        self._out.write(json.dumps({"is": kind, **facts}) + "\n")
        self._out.flush()

    async def take(self, text: str) -> bool:
        """Do what one line orders; False when it is the last. A wrong one is told and has no effect."""
        try:
            order = json.loads(text)
            if not isinstance(order, dict):
                raise ValueError("it is no JSON object")
            return await self._do(str(order.pop("do", "")), order)
        except (PatterError, ValueError, TypeError, KeyError) as error:
            self.say("error", text=f"{type(error).__name__}: {error}", order=text.strip()[:200])
            return True

    async def _do(self, what: str, order: dict[str, Any]) -> bool:
        sim = self._simulator
        if what == "route":
            sim.route(order["host"], int(order["port"]))
        elif what == "call":
            number = order.pop("id", None)
            lines = await self._lines(order.pop("lines", []))
            line = await sim.call(lines, **order)
            self.say("calling", id=number, call_sid=line.sid)
        elif what == "callee":
            known, number = order.pop("id", None), order.pop("number", "")
            callee = Callee(**{**order, "lines": await self._lines(order.get("lines", []))})
            if number:
                sim.callees[number] = callee
            else:
                sim.callee = callee
            self.say("expected", id=known)
        elif what == "hang_up":
            sim.lines[order["call_sid"]].hang_up()
        elif what == "press":
            sim.lines[order["call_sid"]].press(order["keys"])
        elif what == "look":
            self.say("seen", id=order.get("id"), **summary(sim.lines[order["call_sid"]]))
        elif what == "stop":
            return False
        else:
            raise ValueError(f"do is {what!r}; it must be route, call, callee, hang_up, press, look or stop")
        return True

    async def _lines(self, lines: list[Any]) -> list[SpokenLine]:
        return [await self._line(line) for line in lines]

    async def _line(self, line: str | Mapping[str, Any]) -> SpokenLine:
        given: dict[str, Any] = dict(line) if isinstance(line, Mapping) else {"text": line}
        text, seconds = str(given.pop("text", "")), float(given.pop("tone_seconds", 0.0))
        if seconds or not text:
            return SpokenLine(text, tone(440.0, seconds) if seconds else np.zeros(0, np.int16), HZ, **given)
        (spoken,) = await spoken_lines([text], synthetic=self._simulator.synthetic)
        return SpokenLine(text, spoken.samples, spoken.hz, **given)

    async def tell(self) -> None:
        """Tell what happens to the calls, as it happens."""
        while True:
            await self._simulator.until(lambda _: self._news(), seconds=FOREVER_SECONDS)

    def _news(self) -> bool:
        for sid, line in tuple(self._simulator.lines.items()):
            for status, at in line.history[self._told.get(sid, 0) :]:
                self.say("status", call_sid=sid, status=status, at_seconds=round(at, 3), direction=line.direction)
                self._told[sid] = self._told.get(sid, 0) + 1
            if line.is_over and sid not in self._over:
                self._over.add(sid)
                self.say("ended", **summary(line))
            if line.price_usd is not None and sid not in self._priced:
                self._priced.add(sid)
                self.say("price", call_sid=sid, usd=line.price_usd)
        return False


async def run(simulator: TwilioSimulator, orders: TextIO, out: TextIO) -> None:
    """Serve `orders` until they end."""
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[str]()

    def read() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for orders any more
            for line in orders:
                loop.call_soon_threadsafe(lines.put_nowait, line)
            loop.call_soon_threadsafe(lines.put_nowait, "")

    desk = Desk(simulator, out)
    async with simulator as sim:
        desk.say(
            "ready",
            url=sim.url,
            account_sid=sim.account_sid,
            auth_token=sim.auth_token,
            api_key=sim.api_key,
            api_secret=sim.api_secret,
            numbers=list(sim.numbers),
            hostname=sim.tunnel.hostname,
        )
        telling = asyncio.create_task(desk.tell())
        threading.Thread(target=read, name="orders", daemon=True).start()
        while (line := await lines.get()) and await desk.take(line):
            pass
        telling.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m patter_nb.testing.twilio", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--number", action="append", help="a number of the account; may be given several times")
    parser.add_argument("--hostname", default="rehearsal.example.com", help="the public name of the served side")
    parser.add_argument("--account-sid", default="", help="made up where it is not given")
    parser.add_argument("--auth-token", default="", help="made up where it is not given")
    parser.add_argument("--speed", type=float, default=1.0, help="seconds of the telephone in one of the clock")
    parser.add_argument("--synthetic", action="store_true", help="texts are spoken without words, and without any model")
    parser.add_argument("--trial", action="store_true", help="a trial account, which calls verified numbers only")
    parser.add_argument("--verified", action="append", default=[], help="a verified number; may be given several times")
    given = vars(parser.parse_args())
    numbers = given.pop("number") or ["+15550001234"]
    asyncio.run(run(TwilioSimulator(numbers, **given), sys.stdin, sys.stdout))


if __name__ == "__main__":
    main()
