"""The command `patter-nb`."""

from __future__ import annotations

import argparse
import asyncio
import runpy
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patter_nb import __version__
from patter_nb.agent import Agent
from patter_nb.call import Call
from patter_nb.demo import CALLER, demo_agent
from patter_nb.errors import ConfigError, PatterError
from patter_nb.lab import FOLDER, copy_notebooks, notebooks_folder, open_lab
from patter_nb.phone import Patter
from patter_nb.records.masking import mask_text
from patter_nb.session.boundary import guard

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POLL_SECONDS = 0.2


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="patter-nb", description="Prototype phone voice agents in a notebook.")
    parser.add_argument("--version", action="version", version=f"patter_nb {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    test = commands.add_parser("test", help="call the agent of a Python file by typing: the whole pipeline but ears and voice")
    test.add_argument("file", type=Path, help="a Python file that makes an agent: phone.agent(...)")
    demo = commands.add_parser("demo", help="hold a spoken test call on this machine and show its latency and cost")
    demo.add_argument("--store", type=Path, default=Path(".patter_nb"), help="folder for the store, the recording and the plot")
    lab = commands.add_parser("lab", help="open JupyterLab on the notebooks", usage="%(prog)s [folder] [--no-browser] [-- ...]")
    lab.add_argument("folder", type=Path, nargs="?", default=FOLDER, help=f"where they go; yours stay as they are ({FOLDER})")
    lab.add_argument("--no-browser", action="store_true", help="start it, and open no page; what follows -- is for JupyterLab")
    doctor = commands.add_parser("doctor", help="look at this machine and this folder: what is there, and what brings the rest")
    doctor.add_argument("--json", action="store_true", help="for programs; either way the exit code is 0 when nothing is broken")
    mine, jupyters = _split(sys.argv[1:] if arguments is None else arguments)
    given = parser.parse_args(mine)
    try:
        if given.command == "lab":
            return _lab(given.folder, browser=not given.no_browser, arguments=jupyters)
        if jupyters:
            parser.error(f"unrecognized arguments: {' '.join(jupyters)}")
        if given.command == "doctor":
            return _doctor(as_json=given.json)
        if given.command == "test":
            phone, agent = load_agent(given.file)  # before there is a loop: the file may run one of its own
            return asyncio.run(_typed(phone, agent))
        if given.store.exists() and not given.store.is_dir():
            raise ConfigError(f"--store is {str(given.store)!r}, which is a file: give the name of a folder.")
        return asyncio.run(_demo(given.store))
    except (PatterError, OSError) as error:
        print(f"patter-nb: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("patter-nb: interrupted; what was said so far is in the store.", file=sys.stderr)
        return 130


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """What stands before "--", and what stands behind it."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:end], arguments[end + 1 :]


def _lab(folder: Path, *, browser: bool, arguments: list[str]) -> int:
    """Bring the notebooks to the folder and open it."""
    copied = copy_notebooks(notebooks_folder(), folder)
    for line in copied.told(folder):
        print(f"patter-nb: {line}", flush=True)
    return open_lab(folder, browser=browser, arguments=arguments)


def _doctor(*, as_json: bool) -> int:
    """Print what is on this machine."""
    from patter_nb.doctor import examine

    found = examine()
    print(found.json() if as_json else found.text())
    return 0 if found.ok else 1


async def _typed(phone: Patter, agent: Agent) -> int:
    """Hold a typed call."""
    await phone.console(agent)
    await asyncio.to_thread(phone.flush)
    return 0


def load_agent(file: Path) -> tuple[Patter, Agent]:
    """The phone and the agent that a file makes. `ConfigError` when it makes none, or several of which none is named `agent`.

    `SystemExit` when the file itself raises, which is shown as Python shows it.
    """
    if not file.is_file():
        raise ConfigError(f"{file} is no file: give the Python file that makes the agent.")
    sys.path.insert(0, str(file.resolve().parent))  # as `python file.py` does: what it imports may lie beside it
    names = dict[str, Any]()
    with guard(lambda _: _show_error(file), who=str(file)):
        names |= runpy.run_path(str(file), run_name="__patter_nb__")
    phones = [value for value in names.values() if isinstance(value, Patter)]
    agents = {id(value): value for value in names.values() if isinstance(value, Agent)}
    agent = names.get("agent")
    if not isinstance(agent, Agent):
        if len(agents) != 1:
            raise ConfigError(f"{file} makes {len(agents) or 'no'} agents: let it make one, named agent, with phone.agent(...).")
        agent = next(iter(agents.values()))
    return (phones[0] if phones else Patter()), agent


def _show_error(file: Path) -> None:
    """Show what the file just raised from the file's own lines on, and exit. An error of ours is a sentence, without lines."""
    error = sys.exception()
    assert error is not None
    if isinstance(error, PatterError | SystemExit):
        raise error
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename != str(file):
        frames = frames.tb_next
    traceback.print_exception(error.with_traceback(frames))
    sys.exit(1)


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
