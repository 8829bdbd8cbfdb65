"""The house: who may import whom, how large modules and functions may be, where a broad `except` may stand, what lies at the top.

Every rule is a function that reads source text and returns sentences; it is held against this package, and against sources that
break it on purpose.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "patter_nb"

LEAVES = ("errors", "clock", "keys", "turns", "audio", "web", "told")
BASES = (*LEAVES, "providers.base", "carriers.base")
RULES = ("tools", "guardrails", "hooks", "text", "barge_in", "callbacks", "remote")
"""What an agent can be told, each by itself; the agent is made of them."""
BELOW_SESSION = (*BASES, *RULES, "agent", "live", "records")

MAY_IMPORT: dict[str, tuple[str, ...]] = {
    # A room, and what it may import beside itself; the longest name that fits a module is its room.
    "errors": (),
    "clock": (),
    "turns": (),
    "audio": ("errors",),
    "web": ("errors",),
    "told": (),
    "keys": ("errors",),  # a provider or a carrier asks it when it needs a key
    "nested": ("errors",),
    "tunnels": ("errors", "keys", "web"),
    "providers.base": LEAVES,
    "carriers.base": LEAVES,
    "providers": (*LEAVES, "providers.base"),
    "carriers": (*LEAVES, "carriers.base"),
    **dict.fromkeys(RULES, BASES),
    "agent": (*BASES, *RULES),
    "live": (*BASES, "agent"),
    "records": ("turns", "agent", "errors", "audio"),
    "frames": ("records", "notebook", "errors", "turns"),
    "session": (*BELOW_SESSION, "carriers.pipe", "carriers.simulated"),  # a test call has both ends in one process
    "server": (*BELOW_SESSION, "session"),
    "telephony": (*BELOW_SESSION, "session", "carriers", "tunnels", "server", "notebook", "call", "spoken", "given"),
    "lines": (*BELOW_SESSION, "call", "given", "telephony", "carriers.twilio"),
    "serving": (*BELOW_SESSION, "call", "given", "lines", "telephony", "tunnels", "notebook", "carriers.twilio"),
    "check": (*BELOW_SESSION, "given", "telephony", "tunnels", "notebook", "carriers.twilio", "server", "session.threads"),
    "doctor": ("",),
    "rehearsal": ("",),
    "notebook": ("live", "records", "audio", "errors", "turns"),
    "console": ("",),
    "agents": BELOW_SESSION,
    "edits": (*BELOW_SESSION, "agents"),
    "history": (*BELOW_SESSION, "call", "frames"),
    "archive": (*BELOW_SESSION, "call"),
    "softphone": ("",),
    "studio": (*BELOW_SESSION, "session.boundary", "agents", "archive", "call", "callers", "tryout", "softphone", "notebook"),
    "tryout": (*BELOW_SESSION, "session", "notebook"),
    "given": (*BELOW_SESSION, "providers", "notebook", "carriers"),
    "callers": (*BASES, "agent", "providers", "carriers"),
    "call": (*BELOW_SESSION, "session", "notebook", "callers"),
    "simulation": ("",),
    "spoken": (*BELOW_SESSION, "session", "call", "carriers.twilio_media"),
    "phone": ("",),
    "testing": ("",),
    "demo": ("",),
    "magics": ("",),
    "lab": ("errors",),
    "cli": ("",),
    "__main__": ("",),
    "__init__": ("",),
}
SIBLINGS = ("providers", "carriers")
"""Rooms in which each module (or package) is a room of its own."""

NOT_IN_TURNS = frozenset(
    {
        *("asyncio", "concurrent", "multiprocessing", "queue", "sched", "subprocess", "threading"),
        *("datetime", "time"),
        *("random", "secrets", "uuid"),
        *("http", "io", "logging", "os", "pathlib", "select", "selectors", "signal", "socket", "socketserver", "ssl", "tempfile"),
        *("urllib", "contextvars"),
    }
)
"""Of the standard library: what waits, draws lots, reads a clock or does I/O."""

ANYWHERE = frozenset({"numpy"})
"""The only package of others that may be imported when a module is loaded."""

MODULE_LINES = 400
FUNCTION_LINES = 60
LONG_FUNCTIONS: dict[str, str] = {}
"""At most five functions that may be longer: "module:function" and the reason."""

BROAD_EXCEPTS = {
    "session/boundary.py:guard": "a session's task boundary",
    "session/user_code.py:UserCode.call": "a user's hook, tool or callback",
}
"""The places where everything is caught; the third that the design grants is the webhook route."""

TOP_LEVEL = {"pyproject.toml", "patter_nb", "notebooks", "tests", "binder", "README.md", "LICENSE", "NOTICE"}


# The sources.


def modules() -> dict[str, str]:
    """Every module of the package by its dotted name below it ("turns.engine"; a package is its name), with its source."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = path.read_text()
    return found


SOURCES = modules()


def inside(name: str, rooms: tuple[str, ...]) -> bool:
    return any(room in ("", name) or name.startswith(f"{room}.") for room in rooms)


def room_of(name: str) -> str | None:
    return max((room for room in MAY_IMPORT if inside(name, (room,))), key=len, default=None)


def own_rooms(name: str) -> tuple[str, ...]:
    """What is the module's own: its room, or where siblings live the one file or package that it is part of."""
    room = room_of(name)
    if room in SIBLINGS:
        return (".".join(name.split(".")[:2]),)
    return (room,) if room else ()


# The rules.


def imports(source: str, name: str, known: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything imported, wherever it stands. "patter_nb" alone is the package itself."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = [PACKAGE, *name.split(".")]
                is_package = any(other.startswith(f"{name}.") for other in known)
                parents = parents[: len(parents) + is_package - node.level]
                base = ".".join([*parents, *([base] if base else [])])
            for alias in node.names:
                module = f"{base}.{alias.name}".removeprefix(f"{PACKAGE}.")
                yield node.lineno, f"{PACKAGE}.{module}" if module in known else base


def wrong_directions(source: str, name: str, known: frozenset[str]) -> list[str]:
    """Imports that go against the direction of the house."""
    room = room_of(name)
    if room is None:
        return [f"{name} belongs to no room: add it to MAY_IMPORT in tests/test_rooms.py, with what it may import."]
    allowed = (*own_rooms(name), *MAY_IMPORT[room])
    wrong = []
    for line, imported in imports(source, name, known):
        if imported == PACKAGE and "" not in allowed:
            wrong.append(f"{name}:{line} imports from {PACKAGE} itself: import from the module that defines the name.")
        elif imported.startswith(f"{PACKAGE}.") and not inside(imported.removeprefix(f"{PACKAGE}."), allowed):
            may = ", ".join(MAY_IMPORT[room]) or "nothing of ours"
            wrong.append(f"{name}:{line} imports {imported}, but {room} may import {may}: hand it in, or move it to a leaf.")
    return wrong


def noisy_turns(source: str, name: str) -> list[str]:
    """Imports under `turns` that are not of the standard library, or that wait, draw lots, read a clock or do I/O."""
    if not inside(name, ("turns",)):
        return []
    wrong = []
    for line, imported in imports(source, name, frozenset()):
        top = imported.partition(".")[0]
        if top != PACKAGE and (top in NOT_IN_TURNS or top not in sys.stdlib_module_names):
            wrong.append(f"{name}:{line} imports {top}: turns decides in a quiet room, so pass what it needs in as an argument.")
    return wrong


def loaded_statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a module is loaded: not those in functions, nor those for the type checker."""
    for node in body:
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from loaded_statements(node.orelse)
            continue
        for inner in ("body", "orelse", "finalbody"):
            yield from loaded_statements(getattr(node, inner, []))
        for clause in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
            yield from loaded_statements(clause.body)


def heavy_at_load(source: str, name: str) -> list[str]:
    """Packages of others that are imported when the module is loaded."""
    wrong = []
    for node in loaded_statements(ast.parse(source).body):
        if isinstance(node, ast.Import):
            tops = [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            tops = [(node.module or "").partition(".")[0]]
        else:
            continue
        wrong += [
            f"{name}:{node.lineno} imports {top} at load: import it in the function that uses it (a type: TYPE_CHECKING)."
            for top in tops
            if top not in sys.stdlib_module_names and top not in ANYWHERE and top != PACKAGE
        ]
    return wrong


def too_long(source: str, path: str) -> list[str]:
    """Modules over 400 lines and functions over 60."""
    wrong = []
    if (lines := len(source.splitlines())) > MODULE_LINES:
        wrong.append(f"{path} has {lines} lines: split it by what it does, {MODULE_LINES} are enough for one thing.")
    for name, node in functions(ast.parse(source)):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > FUNCTION_LINES and f"{path}:{name}" not in LONG_FUNCTIONS:
            wrong.append(f"{path}:{node.lineno} {name} has {length} lines: split it, or give LONG_FUNCTIONS a reason.")
    return wrong


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function with its qualified name; methods and inner functions too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}{node.name}"
            if not isinstance(node, ast.ClassDef):
                yield name, node
            yield from functions(node, f"{name}.")
        else:
            yield from functions(node, prefix)


def broad_excepts(source: str, path: str) -> list[str]:
    """Where everything is caught or suppressed: "path:function" for each."""
    tree = ast.parse(source)
    owners = {id(inner): name for name, node in functions(tree) for inner in ast.walk(node)}
    found = []
    for node in ast.walk(tree):
        caught: list[ast.expr | None] = []
        if isinstance(node, ast.ExceptHandler):
            caught = list(node.type.elts) if isinstance(node.type, ast.Tuple) else [node.type]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            caught = list(node.args)
        if any(kind is None or ast.unparse(kind) in ("Exception", "BaseException") for kind in caught):
            found.append(f"{path}:{owners.get(id(node), 'module')}")
    return found


# The rules held against this package.


def path_of(name: str) -> str:
    return f"{name.replace('.', '/')}.py"


@pytest.mark.parametrize("name", SOURCES)
def test_imports_go_one_way_through_the_house(name):
    assert wrong_directions(SOURCES[name], name, frozenset(SOURCES)) == []


def test_turns_is_a_quiet_room():
    assert [sentence for name, source in SOURCES.items() for sentence in noisy_turns(source, name)] == []


def test_heavy_packages_are_imported_where_they_are_used():
    assert [sentence for name, source in SOURCES.items() for sentence in heavy_at_load(source, name)] == []


def test_no_module_is_over_400_lines_and_few_functions_are_over_60():
    assert [sentence for name, source in SOURCES.items() for sentence in too_long(source, path_of(name))] == []
    assert len(LONG_FUNCTIONS) <= 5
    existing = {f"{path_of(name)}:{function}" for name, source in SOURCES.items() for function, _ in functions(ast.parse(source))}
    assert set(LONG_FUNCTIONS) <= existing, "LONG_FUNCTIONS names a function that does not exist: take it out."


def test_everything_is_caught_in_the_named_places_only_and_once_in_each():
    found = sorted(place for name, source in SOURCES.items() for place in broad_excepts(source, path_of(name)))
    assert found == sorted(BROAD_EXCEPTS), "catch the errors you expect by name; everything is caught at the boundaries alone."
    assert len(BROAD_EXCEPTS) <= 3


def test_importing_the_package_loads_nothing_heavy():
    code = f"import sys, {PACKAGE}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True, cwd=ROOT)
    heavy = {"pandas", "matplotlib", "sqlalchemy", "onnxruntime", "IPython", "ctranslate2", "tokenizers", "fastapi", "scipy"}
    assert heavy & set(done.stdout.split()) == set()


def top_level() -> set[str]:
    """What lies at the top of the repository: what git holds or would add; without git, what is there."""
    if not (ROOT / ".git").exists():
        return {path.name for path in ROOT.iterdir()}
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listed, capture_output=True, text=True, timeout=60, check=True, cwd=ROOT)
    return {line.partition("/")[0] for line in done.stdout.splitlines()}


def test_the_top_of_the_repository_holds_what_a_newcomer_looks_for_and_nothing_else():
    more = {name for name in top_level() if not name.startswith(".")} - TOP_LEVEL
    assert more == set(), "put it into patter_nb/, tests/ or notebooks/; the top level stays as it is."


# The rules held against sources that break them.

KNOWN = frozenset({"errors", "turns", "turns.engine", "audio", "audio.g711", "providers", "providers.base", "providers.acme",
                   "providers.local", "providers.local.stt", "providers.local.wire", "carriers", "carriers.base", "agent", "live",
                   "tools", "tools.tool", "hooks",
                   "session", "session.session", "records", "records.store", "notebook", "phone", "call"})  # fmt: skip

DIRECTIONS = [
    ("turns.engine", "from patter_nb.errors import ConfigError", "turns.engine:1 imports patter_nb.errors"),
    ("audio.g711", "from patter_nb.turns import engine", "audio.g711:1 imports patter_nb.turns.engine"),
    ("errors", "import patter_nb.audio.g711", "errors:1 imports patter_nb.audio.g711"),
    ("providers.base", "from patter_nb.providers.acme import Acme", "providers.base:1 imports patter_nb.providers.acme"),
    ("providers.acme", "from patter_nb.providers import local", "providers.acme:1 imports patter_nb.providers.local"),
    ("providers.acme", "from . import local", "providers.acme:1 imports patter_nb.providers.local"),
    ("providers.acme", "from .local.stt import LocalSTT", "providers.acme:1 imports patter_nb.providers.local.stt"),
    ("providers.local", "from ..acme import Acme", "providers.local:1 imports patter_nb.providers.acme"),
    ("carriers.acme", "from patter_nb.providers.base import STT", "carriers.acme:1 imports patter_nb.providers.base"),
    ("agent", "from patter_nb.live import Live", "agent:1 imports patter_nb.live"),
    ("live", "from patter_nb.hooks import Hooks", "live:1 imports patter_nb.hooks"),
    ("hooks", "from patter_nb.agent import Agent", "hooks:1 imports patter_nb.agent"),
    ("tools.tool", "from patter_nb.hooks import HookContext", "tools.tool:1 imports patter_nb.hooks"),
    ("live", "def late():\n    from patter_nb.session.session import Session", "live:2 imports patter_nb.session.session"),
    ("session.session", "from patter_nb.providers.acme import Acme", "session.session:1 imports patter_nb.providers.acme"),
    ("session.session", "from patter_nb.phone import Patter", "session.session:1 imports patter_nb.phone"),
    ("records.store", "from patter_nb.session.session import Session", "records.store:1 imports patter_nb.session.session"),
    ("notebook", "from patter_nb.carriers.base import Connection", "notebook:1 imports patter_nb.carriers.base"),
    ("call", "from patter_nb.phone import Patter", "call:1 imports patter_nb.phone"),
    ("live", "from patter_nb import Agent", "live:1 imports from patter_nb itself"),
    ("attic", "import json", "attic belongs to no room"),
]


@pytest.mark.parametrize(("name", "source", "sentence"), DIRECTIONS, ids=[case[2] for case in DIRECTIONS])
def test_an_import_against_the_direction_is_found(name, source, sentence):
    (found,) = wrong_directions(source, name, KNOWN)
    assert found.startswith(sentence)


FINE = [
    ("providers.local.stt", "from patter_nb.providers.local.wire import frame\nfrom .wire import frame\nfrom . import wire"),
    ("providers.local", "from .stt import LocalSTT"),
    ("providers.acme", "from patter_nb.providers.base import STT\nfrom patter_nb.audio import g711\nimport httpx"),
    ("records.store", "from patter_nb.turns.engine import TurnEngine\nfrom patter_nb.agent import Agent"),
    ("session.session", "from patter_nb.live import Live\nfrom patter_nb.records.store import Store"),
    ("phone", "from patter_nb.session.session import Session\nfrom patter_nb import __version__"),
]


@pytest.mark.parametrize(("name", "source"), FINE, ids=[case[0] for case in FINE])
def test_an_import_along_the_direction_is_fine(name, source):
    assert wrong_directions(source, name, KNOWN) == []


@pytest.mark.parametrize("imported", ["asyncio", "time", "random", "threading", "socket", "numpy", "asyncio.tasks"])
def test_a_noise_in_turns_is_found(imported):
    (found,) = noisy_turns(f"def quiet():\n    import {imported}", "turns.engine")
    assert found.startswith(f"turns.engine:2 imports {imported.partition('.')[0]}:")
    assert noisy_turns(f"import {imported}", "audio.g711") == []


def test_the_quiet_part_of_the_standard_library_is_fine_in_turns():
    source = "import math, re, itertools\nfrom dataclasses import dataclass\nfrom patter_nb.turns import engine"
    assert noisy_turns(source, "turns.heard") == []


HEAVY = [
    "import pandas as pd",
    "from sqlalchemy import text",
    "try:\n    import onnxruntime\nexcept ImportError:\n    onnxruntime = None",
    "try:\n    pass\nexcept ImportError:\n    import onnxruntime",
    "class Table:\n    import pandas",
    "if True:\n    import matplotlib.pyplot as plt",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    pass\nelse:\n    import pandas",
    "with open('x') as f:\n    import pandas",
    "match 1:\n    case 1:\n        import pandas",
]


@pytest.mark.parametrize("source", HEAVY)
def test_a_heavy_import_at_load_is_found(source):
    (found,) = heavy_at_load(source, "records.tables")
    assert "at load: import it in the function that uses it" in found


LIGHT = [
    "def draw():\n    import matplotlib.pyplot as plt",
    "class Table:\n    async def frame(self):\n        from pandas import DataFrame",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas",
    "import typing\nif typing.TYPE_CHECKING:\n    import pandas",
    "import numpy as np, json\nfrom patter_nb.errors import need\nfrom . import tables",
]


@pytest.mark.parametrize("source", LIGHT)
def test_an_import_where_it_is_used_is_fine(source):
    assert heavy_at_load(source, "records.tables") == []


def test_a_long_module_and_a_long_function_are_found_and_the_longest_allowed_are_not():
    body = "    x = 1\n"
    assert too_long("x = 1\n" * 400, "a.py") == []
    assert too_long("x = 1\n" * 401, "a.py")[0].startswith("a.py has 401 lines: split it")
    assert too_long("def f():\n" + body * 59, "a.py") == []
    (found,) = too_long("class C:\n    async def f(self):\n" + "    " + "    ".join([body] * 60), "a.py")
    assert found.startswith("a.py:2 C.f has 61 lines: split it")


BROAD = [
    ("def f():\n    try: x()\n    except: pass", ["a.py:f"]),
    ("class C:\n    def f(self):\n        try: x()\n        except Exception as error: pass", ["a.py:C.f"]),
    ("try: x()\nexcept BaseException: raise", ["a.py:module"]),
    ("def f():\n    try: x()\n    except (KeyError, Exception): pass", ["a.py:f"]),
    ("def f():\n    with contextlib.suppress(Exception): x()", ["a.py:f"]),
    ("def f():\n    def g():\n        try: x()\n        except Exception: pass", ["a.py:f.g"]),
    ("def f():\n    try: x()\n    except (KeyError, ValueError): pass\n    except OSError: pass", []),
    ("def f():\n    with suppress(KeyError): x()", []),
]


@pytest.mark.parametrize(("source", "places"), BROAD)
def test_everything_that_is_caught_is_found_with_its_function(source, places):
    assert broad_excepts(source, "a.py") == places
