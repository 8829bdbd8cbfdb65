"""The tests of the turns are tested themselves: a broken engine must not pass them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LEAST_KILLED = 0.95
SAMPLE = 250
"""Of more than 900, which take ten minutes: `mutate.py` without a sample tries them all."""
SECONDS = 600.0


@pytest.mark.slow
def test_a_broken_engine_does_not_pass(mutate):
    command = [sys.executable, mutate.__file__, "--processes", "2", "--seconds", str(SECONDS), "--sample", str(SAMPLE)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    alive = {line.removeprefix(mutate.SURVIVES) for line in run.stdout.splitlines() if line.startswith(mutate.SURVIVES)}
    explained = set(json.loads(mutate.EXPLAINED.read_text()))
    assert alive - explained == set(), "survivors nobody has explained"
    assert explained - alive == set(), "explanations of mutants that are killed"
    mutants = [mutant for path in mutate.modules() for mutant in mutate.mutants_of(path)]
    assert 1 - len(alive) / len(mutate.sampled(mutants, SAMPLE)) >= LEAST_KILLED


def test_a_sample_is_in_order_and_holds_every_mutant_whose_survival_is_explained(mutate):
    mutants = [mutant for path in mutate.modules() for mutant in mutate.mutants_of(path)]
    sample = mutate.sampled(mutants, 5)
    assert set(json.loads(mutate.EXPLAINED.read_text())) <= {mutant.name for mutant in sample}
    assert 5 <= len(sample) <= 5 + len(json.loads(mutate.EXPLAINED.read_text()))
    assert [mutants.index(mutant) for mutant in sample] == sorted(mutants.index(mutant) for mutant in sample)
    assert mutate.sampled(mutants, len(mutants) + 1) == mutants


def test_every_explanation_is_of_a_mutant_that_exists(mutate):
    names = {mutant.name for path in mutate.modules() for mutant in mutate.mutants_of(path)}
    explained = json.loads(mutate.EXPLAINED.read_text())
    assert set(explained) <= names
    assert all(explanation.strip() for explanation in explained.values())


SOURCE = '''
def decide(a, b, ready: bool = True):
    if a < b and not ready:
        return 1
    if ready:
        return 2
    return [x for x in b if x] or 3
'''


def test_every_condition_and_early_return_is_a_mutant(mutate, tmp_path):
    path = tmp_path / "sample.py"
    path.write_text(SOURCE)
    assert [mutant.name for mutant in mutate.mutants_of(path)] == [
        "sample.decide: turn round: def decide(a, b, ready: bool = True):",
        "sample.decide: swap: if a < b and not ready:",
        "sample.decide: negate 0: if a < b and not ready:",
        "sample.decide: move 0: if a < b and not ready:",
        "sample.decide: affirm: if a < b and not ready:",
        "sample.decide: do not return: return 1",
        "sample.decide: negate test: if ready:",
        "sample.decide: do not return: return 2",
        "sample.decide: swap: return [x for x in b if x] or 3",
        "sample.decide: negate filter 0: for x in b if x",
    ]


@pytest.mark.parametrize(
    ("number", "results"),
    [
        (-1, [[3], 1, 2]),
        (0, [[3], 1, [4]]),
        (1, [1, 1, 2]),
        (2, [1, [4], 2]),
        (3, [1, 1, 2]),
        (4, [[3], [4], 2]),
        (5, [[3], [4], 2]),
        (6, [2, 1, [4]]),
        (7, [[3], 1, [4]]),
        (8, [3, 1, 2]),
        (9, [3, 1, 2]),
    ],
)
def test_a_mutant_does_otherwise(mutate, tmp_path, monkeypatch, number, results):
    monkeypatch.setattr(mutate, "PACKAGE", tmp_path)
    path = tmp_path / "sample.py"
    path.write_text(SOURCE.replace("a < b", "a < len(b)"))
    untouched = mutate.Mutant("sample", -1, "", "")
    mutant = mutate.mutants_of(path)[number] if number >= 0 else untouched
    space = {}
    exec(mutate.compiled(mutant), space)
    decide = space["decide"]
    assert [decide(1, [3], False), decide(0, [4], False), decide(9, [4])] == results
