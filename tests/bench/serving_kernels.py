"""What a notebook that serves survives, in real kernels of several versions: python tests/bench/serving_kernels.py

During a call whose far end is another process, cells are run again, a port is taken by another process, cells and kernel are
interrupted at seeded moments, and the kernel is started anew. Counted are kernels, calls and ports that are lost; a call is whole
when its far end was answered once more afterwards, ended it itself, and its row says so. A kernel that is started anew has to
hang up its call, and to serve again on the same port.

    python tests/bench/serving_kernels.py [--rounds 3] [--seed 5] [--versions 6.31.0 7.3.0 ""] [--pythons PATH ...]

Each version of ipykernel is laid by pip beside the rest of this environment; an empty one is what is installed. `--pythons` are
interpreters of environments of their own that have the package.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import random
import sys
import tempfile
import traceback
from functools import partial
from pathlib import Path
from typing import Any

from patter_nb.testing.twilio.process import TwilioProcess

FOLDER = Path(__file__).parents[1] / "serving"
for name in ("kernels", "scenarios"):
    spec = importlib.util.spec_from_file_location(f"tests_of_serving_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[spec.name])
kernels, scenes = sys.modules["tests_of_serving_kernels"], sys.modules["tests_of_serving_scenarios"]

ALONE = (
    *((name, partial(scenes.play, scenarios=((name, do),))) for name, do in scenes.SERVED),
    *((name, partial(scenes.play, scenarios=((name, do),), prepare=scenes.serve_and_await)) for name, do in scenes.AWAITED),
    *((name, partial(scenes.play, scenarios=((name, do),), outbound=True)) for name, do in scenes.PLACED),
    ("the first serve cell is interrupted before the server is ready", scenes.play_interrupted_start),
    ("the kernel is restarted", partial(scenes.play_restart, now=False)),
    ("the kernel is killed and started anew", partial(scenes.play_restart, now=True)),
)

LOST = ("kernels_lost", "calls_lost", "ports_leaked")


async def measure(rounds: int, seed: int, **which: str) -> tuple[int, int, int]:
    """One kernel after the other, in all scenarios; what was lost in all."""
    moments, total = random.Random(seed), [0, 0, 0]

    async def pause() -> None:
        await asyncio.sleep(moments.uniform(0, 1.5))

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with kernels.kernel(Path(folder), **which) as notebook, TwilioProcess("--synthetic") as carrier:
            stage = kernels.Stage(notebook, carrier, pause)
            said = await notebook.ask("import ipykernel; print(ipykernel.__version__)")
            for name, scene in ALONE:
                played = [await once(stage, scene) for _ in range(rounds)]
                lost = [sum(getattr(outcome, what) for outcome in played) for what in LOST]
                total = [before + now for before, now in zip(total, lost, strict=True)]
                problems = "; ".join(problem for outcome in played for problem in outcome.problems)
                print("|", *(f"{each} |" for each in (said, name, rounds, *lost, problems or "none")), flush=True)
            print(f"| {said} | the card of a call that comes in stands under | 1 | | | | {await scenes.card_of_a_call(stage)} |")
    return tuple(total)


async def once(stage: Any, scene: Any) -> Any:
    """A scenario; one that breaks off is a problem of its own."""
    try:
        return await asyncio.wait_for(scene(stage), 120)
    except (AssertionError, TimeoutError) as error:
        *_, where = traceback.extract_tb(error.__traceback__)
        cells = [cell.error or "no answer" for cell in stage.kernel.cells.values() if cell.status != "ok"]
        return scenes.Outcome(problems=[f"broke off: {type(error).__name__}: {error}, in {where.name}; cells: {cells}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--versions", nargs="*", default=["6.31.0", "7.3.0", ""])
    parser.add_argument("--pythons", nargs="*", default=[])
    asked = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, seed {asked.seed}, {asked.rounds} rounds")
    print("| ipykernel | during a call | n | kernels lost | calls lost | ports leaked | problems |", "|---" * 7 + "|", sep="\n")
    own = [{"python": str(Path(python).absolute())} for python in asked.pythons]
    which = own or [{"ipykernel": version} for version in asked.versions]
    lost = [asyncio.run(measure(asked.rounds, asked.seed, **one)) for one in which]
    print(f"kernels, calls, ports lost: {[sum(each) for each in zip(*lost, strict=True)]}; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
