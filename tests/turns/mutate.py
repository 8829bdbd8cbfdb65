"""Breaks the engine on purpose, one place at a time, and sees whether its tests notice.

    python tests/turns/mutate.py [--processes 2] [--only caller] [--sample 250]

Under patter_nb/turns every comparison is negated and has its bound moved, every `and`/`or` is swapped, every `not`, every other
condition and every True/False is turned round, and every early return is taken away. Each mutant runs the tests of this folder in
a fork of a process that has pytest loaded, its own module's tests first; the random calls come last. Survivors are printed.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import gc
import importlib.util
import json
import os
import random
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PACKAGE = ROOT / "patter_nb" / "turns"
EXPLAINED = HERE / "survivors.json"
HISTORIES = 60
SURVIVES = "survives  "
ENDS = {0: "survived", 1: "failed a test", -signal.SIGXCPU: "ran for ever", **dict.fromkeys((2, 4, 70), "could not be loaded")}
CPU_SECONDS_PER_MUTANT = 5
"""A mutant may loop for ever; the whole of the tests takes less than a second."""
MEMORY_BYTES = 4 << 30
RELOADED = ("patter_nb.turns", "tests.turns", "tests_of_turns")

NEGATED = {
    ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
MOVED = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}


@dataclass(frozen=True)
class Mutant:
    """One change at one place. `name` tells it by what stands there, so that it survives edits elsewhere."""

    module: str
    place: int
    change: str
    name: str


def changes_of(node: ast.AST, parent: ast.AST | None) -> Iterator[str]:
    """What can be done to this node."""
    if isinstance(node, ast.Compare):
        for index, op in enumerate(node.ops):
            yield f"negate {index}"
            if type(op) in MOVED:
                yield f"move {index}"
    elif isinstance(node, ast.BoolOp):
        yield "swap"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "affirm"
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "turn round"
    elif isinstance(node, ast.Return) and isinstance(parent, ast.If | ast.For | ast.While):
        yield "do not return"
    if isinstance(node, ast.If | ast.While | ast.IfExp) and not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp):
        yield "negate test"
    if isinstance(node, ast.comprehension):
        for index, test in enumerate(node.ifs):
            if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):
                yield f"negate filter {index}"


def apply(node: ast.AST, change: str) -> ast.AST:
    """The node as it is after the change."""
    kind, _, index = change.rpartition(" ") if change[-1].isdigit() else (change, "", "0")
    match node, kind:
        case ast.Compare(), "negate":
            node.ops[int(index)] = NEGATED[type(node.ops[int(index)])]()
        case ast.Compare(), "move":
            node.ops[int(index)] = MOVED[type(node.ops[int(index)])]()
        case ast.BoolOp(), "swap":
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case ast.UnaryOp(), "affirm":
            return node.operand
        case ast.Constant(), "turn round":
            node.value = not node.value
        case ast.Return(), "do not return":
            return ast.copy_location(ast.Pass(), node)
        case (ast.If() | ast.While() | ast.IfExp()), "negate test":
            node.test = ast.UnaryOp(ast.Not(), node.test)
        case ast.comprehension(), "negate filter":
            node.ifs[int(index)] = ast.UnaryOp(ast.Not(), node.ifs[int(index)])
    return node


class _Walk(ast.NodeTransformer):
    """Visits the nodes in a fixed order, numbers them, and changes one of them if it is told to."""

    def __init__(self, place: int = -1, change: str = "") -> None:
        self.found: list[tuple[int, ast.AST, str, str]] = []
        self._place, self._change = place, change
        self._count = 0
        self._stack: list[ast.AST] = []
        self._names: list[str] = []

    def visit(self, node: ast.AST) -> ast.AST:
        if _is_annotation(node, self._stack):
            return node
        place, self._count = self._count, self._count + 1
        named = isinstance(node, ast.FunctionDef | ast.ClassDef)
        if named:
            self._names.append(node.name)
        where = ".".join(self._names) or "module"
        parent = self._stack[-1] if self._stack else None
        self.found += [(place, node, change, where) for change in changes_of(node, parent)]
        self._stack.append(node)
        self.generic_visit(node)
        self._stack.pop()
        if named:
            self._names.pop()
        return apply(node, self._change) if place == self._place else node


def _is_annotation(node: ast.AST, stack: list[ast.AST]) -> bool:
    parent = stack[-1] if stack else None
    return isinstance(parent, ast.AnnAssign | ast.arg) and node is parent.annotation


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.glob("*.py") if path.name != "__init__.py")


def mutants_of(path: Path) -> list[Mutant]:
    source = path.read_text()
    walk = _Walk()
    walk.visit(ast.parse(source))
    lines, seen, mutants = source.splitlines(), Counter[str](), []
    for place, node, change, where in walk.found:
        line = lines[node.lineno - 1].strip() if hasattr(node, "lineno") else ast.unparse(node).strip()
        name = f"{path.stem}.{where}: {change}: {line}"
        seen[name] += 1
        mutants.append(Mutant(path.stem, place, change, name if seen[name] == 1 else f"{name} #{seen[name]}"))
    return mutants


def compiled(mutant: Mutant) -> object:
    path = PACKAGE / f"{mutant.module}.py"
    tree = _Walk(mutant.place, mutant.change).visit(copy.deepcopy(ast.parse(path.read_text())))
    return compile(ast.fix_missing_locations(tree), str(path), "exec")


def test_files(module: str) -> tuple[list[str], list[str]]:
    """The test modules of this folder: those likely to notice a change in `module`, and all others, the random calls last."""
    names = {path.name for path in HERE.glob("test_*.py")} - {"test_mutations.py", "test_histories.py"}
    likely = {f"test_{module}.py"} & names
    if module != "sentences":
        likely |= {"test_engine.py", "test_caller.py", "test_overlap.py", "test_failures.py"}
    first, rest = sorted(likely, key=lambda name: name != f"test_{module}.py"), [*sorted(names - likely), "test_histories.py"]
    return [str(HERE / name) for name in first], [str(HERE / name) for name in rest]


def run_tests(*arguments: str) -> int:
    """pytest in this process, in silence, with few random calls."""
    os.environ |= {"PATTER_NB_HISTORIES": str(HISTORIES), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    idle = ["cacheprovider", "unraisableexception", "threadexception", "logging", "doctest", "junitxml", "pastebin"]
    options = ["-x", "-q", "--assert=plain", "--capture=no", "--rootdir", str(ROOT), *(f"-pno:{name}" for name in idle)]
    with Path(os.devnull).open("w") as null, contextlib.redirect_stdout(null), contextlib.redirect_stderr(null):
        return int(pytest.main([*options, *arguments]))


def run_child(mutant: Mutant) -> int:
    """In the fork: put the mutant in the place of its module, and run the tests until one fails."""
    gc.disable()
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_PER_MUTANT, CPU_SECONDS_PER_MUTANT + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for name in [name for name in sys.modules if name.startswith(RELOADED)]:
        del sys.modules[name]
    full = f"patter_nb.turns.{mutant.module}"
    spec = importlib.util.find_spec(full)
    assert spec is not None
    module = sys.modules[full] = importlib.util.module_from_spec(spec)
    exec(compiled(mutant), module.__dict__)
    setattr(sys.modules["patter_nb.turns"], mutant.module, module)
    likely, others = test_files(mutant.module)
    return run_tests(*likely) or run_tests(*others)


def start(mutant: Mutant) -> int:
    """The process that tries this mutant; its exit code is 0 if the mutant survives."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        code = run_child(mutant)
    finally:
        os._exit(code)


def survivors(mutants: list[Mutant], *, processes: int, seconds: float) -> list[Mutant]:
    """Those that no test notices, printed as they are found. TimeoutError when not all could be tried within `seconds`."""
    # From here on every fork inherits pytest with its plugins, and loads anew only what is tested and its tests.
    assert run_tests("--collect-only", str(HERE)) == 0
    gc.freeze()
    deadline = time.monotonic() + seconds
    untouched = [Mutant(module, -1, "", f"{module} untouched") for module in sorted({mutant.module for mutant in mutants})]
    waiting, running, alive, how = [*reversed(mutants), *untouched], {}, [], Counter[str]()
    while waiting or running:
        while waiting and len(running) < processes:
            mutant = waiting.pop()
            running[start(mutant)] = mutant
        child, status = os.wait()
        mutant = running.pop(child)
        ends = os.waitstatus_to_exitcode(status)
        survives = ends == 0
        how[ENDS.get(ends, f"ended with {ends}")] += mutant not in untouched
        if mutant in untouched:
            assert survives, f"the tests fail with {mutant.name}: no mutant proves anything"
        elif survives:
            alive.append(mutant)
            print(f"{SURVIVES}{mutant.name}", flush=True)
        if time.monotonic() > deadline:
            for child in running:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            raise TimeoutError(f"{len(waiting) + len(running)} of {len(mutants)} mutants were not tried within {seconds:g} s")
    print(", ".join(f"{count} {what}" for what, count in how.most_common()))
    return alive


def sampled(mutants: list[Mutant], count: int) -> list[Mutant]:
    """`count` of them, others when there are others to choose from, and all whose survival is explained; in their order."""
    chosen = set(random.Random(len(mutants)).sample(range(len(mutants)), min(count, len(mutants))))
    explained = set(json.loads(EXPLAINED.read_text()))
    return [mutant for number, mutant in enumerate(mutants) if number in chosen or mutant.name in explained]


def main() -> None:
    parser = argparse.ArgumentParser(description="Mutate patter_nb/turns and run its tests.")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", help="one module, without .py")
    parser.add_argument("--sample", type=int, help="so many of them alone, and those whose survival is explained")
    parser.add_argument("--seconds", type=float, default=1200.0)
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    mutants = [m for path in modules() if arguments.only in (None, path.stem) for m in mutants_of(path)]
    if arguments.sample is not None:
        mutants = sampled(mutants, arguments.sample)
    began = time.monotonic()
    alive = survivors(mutants, processes=arguments.processes, seconds=arguments.seconds)
    killed = len(mutants) - len(alive)
    print(f"{killed} of {len(mutants)} mutants killed ({killed / len(mutants):.1%}) in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
