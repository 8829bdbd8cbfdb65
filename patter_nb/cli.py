"""The command `patter-nb`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from patter_nb import __version__
from patter_nb.call import Call
from patter_nb.demo import CALLER, demo_agent
from patter_nb.errors import ConfigError, PatterError
from patter_nb.phone import Patter
from patter_nb.records.masking import mask_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POLL_SECONDS = 0.2


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="patter-nb", description="Prototype phone voice agents in a notebook.")
    parser.add_argument("--version", action="version", version=f"patter_nb {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="hold a spoken test call on this machine and show its latency and cost")
    demo.add_argument("--store", type=Path, default=Path(".patter_nb"), help="folder for the store, the recording and the plot")
    given = parser.parse_args(arguments)
    try:
        if given.store.exists() and not given.store.is_dir():
            raise ConfigError(f"--store is {str(given.store)!r}, which is a file: give the name of a folder.")
        return asyncio.run(_demo(given.store))
    except (PatterError, OSError) as error:
        print(f"patter-nb: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("patter-nb: interrupted; what was said so far is in the store.", file=sys.stderr)
        return 130


async def _demo(folder: Path) -> int:
    phone = Patter(store=folder / "calls.sqlite3")
    print("A caller and an agent talk on this machine, in real time, for about half a minute. Loading the models ...", flush=True)
    await show(phone, phone.test(demo_agent(phone), caller=list(CALLER)), folder / "plots")
    written = await asyncio.to_thread(phone.flush)
    return 0 if written else 1


async def show(phone: Patter, call: Call, plots: Path) -> None:
    """Print what is said while the call is on; then its tables, and where its plot, its recording and its rows are."""
    from patter_nb.notebook.tables import text_summary

    await _follow(call)
    await call
    figure = call.plot()
    plot = plots / f"{call.id}.png"
    await asyncio.to_thread(_save, figure, plot)
    print(text_summary(call.view()))
    recording = phone.calls.set_index("call_id")["recording_path"].fillna("not on the disk")[call.id]
    print(f"plot       {plot}\nrecording  {recording}\nstore      {phone.store.name}")


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


async def _follow(call: Call) -> None:
    """Print what is said as the turns land, over a line that shows the call is alive."""
    live = sys.stdout.isatty()
    shown, running = 0, True
    while running:
        running = call.state == "running"  # before the lines are read, so that the last ones are read too
        lines = call.transcript
        for line in lines[shown:]:
            who = "caller" if line["role"] == "user" else "agent"
            print(f"{chr(13) if live else ''}{who:>7}  {mask_text(line['text'])}", flush=True)
        shown = len(lines)
        if live:
            print(f"\r        {call.duration_seconds:5.1f} s", end="", flush=True)
        if running:
            await asyncio.sleep(POLL_SECONDS)
    if live:
        print("\r" + " " * 20, end="\r")
