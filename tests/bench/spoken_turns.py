"""Latency of spoken turns on this machine: gap, spans, what is unexplained, and the far end's own measurement.

    python tests/bench/spoken_turns.py [--calls 6]

Each call is the demonstration's six lines with the on-device parts; the voice's cache of rendered lines is off, nothing else is
switched on. Prints every turn.
"""

import argparse
import asyncio
import os
import tempfile

import pandas as pd

from patter_nb.demo import CALLER, demo_agent
from patter_nb.phone import Patter
from patter_nb.records.spans import SPANS


async def main(calls: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        phone = Patter(store=f"{folder}/calls.sqlite", show=False)
        agent = demo_agent(phone, cache=False)
        await agent.stt.wait_ready(60)
        for number in range(calls):
            await phone.test(agent, caller=list(CALLER), seed=number)
        turns = phone.turns
        phone.flush()
    caller = turns[turns.kind == "caller"].copy()
    caller["witness_ms"] = caller.gap_ms - caller.perceived_ms
    spans = [f"{span.name}_ms" for span in SPANS]
    shown = ["turn", "interrupted", "caller_text", "gap_ms", "perceived_ms", "witness_ms", *spans, "unexplained_ms", "error"]
    pd.set_option("display.width", 400, "display.max_columns", 40, "display.max_rows", 200, "display.max_colwidth", 28)
    print(caller[shown].round(1).to_string())
    figures = ["gap_ms", *spans, "unexplained_ms", "witness_ms"]
    summary = pd.DataFrame(
        {
            "n": caller[figures].notna().sum(),
            "median": caller[figures].median(),
            "p95": caller[figures].quantile(0.95),
            "worst": caller[figures].abs().max(),
        }
    )
    print(f"\nload at the end {os.getloadavg()[0]:.2f}, calls {calls}, caller turns {len(caller)}, errors {caller.error.count()}")
    print(summary.round(1).to_string())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=6)
    asyncio.run(main(parser.parse_args().calls))
