"""`patter-nb doctor`: what is on this machine and in this folder, and the line that brings what is missing.

It opens nothing, asks nobody and shows no key.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sqlite3
import stat
import sys
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from patter_nb import __version__
from patter_nb.check import Finding, cloudflared_finding, port_finding, text_lines
from patter_nb.errors import INSTALL_FROM_CLONE
from patter_nb.keys import FILE as KEYS_FILE
from patter_nb.keys import where
from patter_nb.records.address import DIRECTORY, FILE
from patter_nb.telephony.number_question import NOWHERE
from patter_nb.telephony.number_records import read_changes, shown

KEYS = {
    "TWILIO_ACCOUNT_SID": "needed for a Twilio number",
    "TWILIO_AUTH_TOKEN": "needed for one, also beside an API key: Twilio signs with it",
    "TWILIO_API_KEY": "may take the auth token's place in requests",
    "TWILIO_API_SECRET": "belongs to TWILIO_API_KEY",
    "NGROK_AUTHTOKEN": "needed for Ngrok()",
}
"""The names that are looked up, and what for."""

NOT_FOR_USERS = ("dev",)
PORT = 8000

EXTRAS = {
    "local": "on-device speech",
    "nb": "JupyterLab, the studio, the softphone",
    "mcp": "tools of MCP servers",
    "postgres": "a store for a team",
    "parquet": "frames as Parquet files",
    "proxy": "the softphone under JupyterHub",
    "ngrok": "tunnels of ngrok",
}


@dataclass(frozen=True, slots=True)
class Examination:
    """What the doctor found, in sections."""

    sections: tuple[tuple[str, tuple[Finding, ...]], ...]

    @property
    def ok(self) -> bool:
        return not self.broken

    @property
    def broken(self) -> list[str]:
        return [finding.name for _, findings in self.sections for finding in findings if finding.ok is False]

    def text(self) -> str:
        """For a terminal of 80 columns."""
        room = max(len(finding.name) for _, findings in self.sections for finding in findings)
        lines = []
        for title, findings in self.sections:
            lines += [title, *(line for finding in findings for line in text_lines(finding, room)), ""]
        return "\n".join([*lines, "Nothing is broken." if self.ok else f"Broken: {', '.join(self.broken)}."])

    def json(self) -> str:
        """For programs: each finding's `ok` is true, false, or null for what is not broken and good to know."""
        sections = {
            title: [{"name": each.name, "ok": each.ok, "said": each.said, "remedy": each.remedy} for each in findings]
            for title, findings in self.sections
        }
        return json.dumps({"ok": self.ok, "sections": sections}, indent=2, ensure_ascii=False)


def examine(folder: Path | None = None) -> Examination:
    """Look at this machine and at the folder, where the notebook is: None is the working directory."""
    place = folder or Path.cwd()
    return Examination(
        (
            ("Versions", tuple(_versions())),
            ("Extras", tuple(_extras())),
            ("Keys", tuple(_keys(place))),
            ("Machine", (cloudflared_finding("cloudflared", needed=False), _port())),
            ("Folder", tuple(_store(place / DIRECTORY))),
        )
    )


# What is installed.


def _versions() -> Iterator[Finding]:
    yield Finding("patter_nb", True, f"{__version__}, in {Path(__file__).parent}")
    yield Finding("Python", True, f"{platform.python_version()} on {platform.system()} {platform.machine()}, {sys.executable}")
    needed = [requirement for requirement in _requirements() if requirement.marker is None or requirement.marker.evaluate()]
    there, wrong = _compare(needed)
    if wrong:
        yield Finding("packages", False, f"{'; '.join(wrong)}.", "pip install .")
    else:
        yield Finding("packages", True, ", ".join(there))


def _extras() -> Iterator[Finding]:
    for extra in metadata.metadata("patter_nb").get_all("Provides-Extra") or []:
        if extra in NOT_FOR_USERS:
            continue
        there, wrong = _compare([each for each in _requirements() if _belongs(each, extra)])
        what = EXTRAS.get(extra, "")
        if wrong:  # nothing is broken by it: packages of an extra may be there for reasons of their own
            said = f"{'; '.join(wrong)}." if there else f"Not installed{f': {what}' if what else ''}."
            yield Finding(extra, None, said, INSTALL_FROM_CLONE.format(extra=extra))
        else:
            yield Finding(extra, True, ", ".join(there))


def _belongs(requirement: Any, extra: str) -> bool:
    marker = requirement.marker
    return marker is not None and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""})


def _requirements() -> list[Any]:
    from packaging.requirements import Requirement

    return [Requirement(line) for line in metadata.requires("patter_nb") or []]


def _compare(needed: list[Any]) -> tuple[list[str], list[str]]:
    """Those that are there, with their versions, and what is wrong with the others."""
    there, wrong = [], []
    for requirement in needed:
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is not installed")
            continue
        if requirement.specifier.contains(version, prereleases=True):
            there.append(f"{requirement.name} {version}")
        else:
            wrong.append(f"{requirement.name} is {version}, needed is {requirement.specifier}")
    return there, wrong


# Keys.


def _keys(folder: Path) -> Iterator[Finding]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        places = {name: where(name) for name in KEYS}
    for name, place in places.items():
        yield Finding(name, True, f"In {_place(place)}.") if place else Finding(name, None, f"Not there; {KEYS[name]}.")
    for message in {str(warning.message) for warning in told}:
        yield Finding(KEYS_FILE, False, message)
    path = folder / KEYS_FILE
    if os.name == "posix" and path.is_file() and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        yield Finding(KEYS_FILE, None, "Others on this machine may read it.", f"chmod 600 {KEYS_FILE}")


def _place(place: str) -> str:
    return {"environment": "the environment"}.get(place, place)


# The machine and the folder.


def _port() -> Finding:
    """The port of `serve()`. One that is taken is no trouble yet: it may be a notebook that serves."""
    found = port_finding(PORT)
    if found.ok:
        return found
    return Finding("port", None, found.said, "A notebook that serves may have it; otherwise stop what uses it, or serve(port=0).")


def _store(directory: Path) -> Iterator[Finding]:
    path = directory / FILE
    nearest = next(each for each in (directory, *directory.parents) if each.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        remedy = "Work in another folder, or give Patter(store=...) a path."
        yield Finding("store", False, f"{nearest} cannot be written.", remedy)
    elif not path.exists():
        yield Finding("store", True, f"{DIRECTORY}/ is made with the first call.")
    else:
        yield _database(path)
    yield from _numbers(directory)
    if nearest == directory and (free := shutil.disk_usage(directory).free) < 200_000_000:
        yield Finding("disk", None, f"{free // 1_000_000} MB are free; an hour of recording takes 115 MB.")


def _database(path: Path) -> Finding:
    if not os.access(path, os.W_OK):
        return Finding("store", False, f"{path} cannot be written.", "Make it writable, or give Patter(store=...) another path.")
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1)) as database:
            count = database.execute("select count(*) from calls").fetchone()[0]
    except sqlite3.Error as error:
        return Finding("store", False, f"{path} cannot be read ({error}).", "Move it away: a new one is made.")
    return Finding("store", True, f"{count} call{'' if count == 1 else 's'} in {path}")


def _numbers(directory: Path) -> Iterator[Finding]:
    """Numbers that point at a notebook: of one that runs, or of one that was killed."""
    for change in read_changes(directory):
        here = shown(change.voice_url)
        if change.holds:
            yield Finding("number", True, f"{change.number} points to {here}, which a notebook serves.")
        else:
            before = change.before_shown or NOWHERE
            said = f"{change.number} may still point to {here}, of a server that did not stop in order; before, to {before}."
            remedy = "serve() in this folder puts it back when it stops; or do it in Twilio's console."
            yield Finding("number", None, said, remedy)
