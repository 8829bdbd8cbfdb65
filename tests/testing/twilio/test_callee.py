from __future__ import annotations

import pytest

from patter_nb.errors import ConfigError
from patter_nb.testing import Callee

WRONG = {
    "kind": ({"kind": "robot"}, "kind of a Callee is 'robot'"),
    "verdict": ({"answered_by": "machine"}, "answered_by of a Callee is 'machine'"),
    "time": ({"answers_after_seconds": -1}, "answers_after_seconds of a Callee is -1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_policy_that_makes_no_sense_is_an_error_that_names_the_field(name):
    settings, words = WRONG[name]
    with pytest.raises(ConfigError, match=words):
        Callee(**settings)


def test_only_humans_machines_and_faxes_answer():
    assert [kind for kind in ("human", "machine", "fax", "busy", "no-answer", "failed") if Callee(kind).answers] == [
        "human",
        "machine",
        "fax",
    ]


def test_a_path_or_samples_count_as_lines():
    assert Callee(lines="greeting.wav").has_lines
    assert not Callee(lines=[]).has_lines
