from __future__ import annotations

import asyncio

import numpy as np
import pytest

from patter_nb import Line
from patter_nb.carriers.simulated import SpokenLine
from patter_nb.carriers.simulated.hearing import Ear
from patter_nb.testing import Callee
from patter_nb.testing.twilio import person as people

from .conftest import tone

SPOKEN = SpokenLine("hello", tone(0.3), 8000)


def answering(callee):
    return asyncio.run(people.person(callee, synthetic=True))


def test_somebody_without_lines_listens_for_good():
    script = answering(Callee()).script(Ear())
    for end in range(160, 8000 * 600, 8000):
        assert script.advance(end - 160, end) is None
    assert script.hang_up_at is None


def test_a_human_greets_at_the_time_given_or_waits_for_the_agent():
    early = answering(Callee(lines=[SPOKEN], greets_after_seconds=0.7))
    assert (early.waits, early.lines[0].line.wait_seconds) == (False, 0.7)
    assert answering(Callee(lines=[SPOKEN], greets_after_seconds=None)).waits


def test_a_machine_says_its_greeting_and_a_beep_at_once():
    machine = answering(Callee("machine", [SPOKEN]))
    (line,) = machine.lines
    assert line.line.wait_seconds == 0.0
    assert machine.beep_seconds == pytest.approx(0.3 + 0.2 + 0.4)
    spectrum = np.abs(np.fft.rfft(line.samples[-3200:].astype(float)))
    assert np.argmax(spectrum) * 8000 / 3200 == pytest.approx(1000, abs=3)


def test_a_machine_without_a_greeting_only_beeps():
    assert answering(Callee("machine")).beep_seconds == pytest.approx(0.6)


def test_a_fax_answers_with_its_tone():
    (line,) = answering(Callee("fax")).lines
    spectrum = np.abs(np.fft.rfft(line.samples.astype(float)))
    assert np.argmax(spectrum) * 8000 / len(line.samples) == pytest.approx(2100, abs=1)


# What lines may be given as, and the texts that come of it.
GIVEN = {
    "texts": (["One.", "Two."], ["One.", "Two."]),
    "a tuple of texts": (("One.", "Two."), ["One.", "Two."]),
    "lines": ([Line("One.", wait_seconds=1.0)], ["One."]),
    "spoken lines": ([SPOKEN], ["hello"]),
    "some of each": ([SPOKEN, "Two."], ["hello", "Two."]),
    "samples": ((tone(0.2), 8000), [""]),
    "nothing": ([], []),
}


@pytest.mark.parametrize("name", GIVEN)
def test_lines_are_given_in_any_usual_form(name):
    given, texts = GIVEN[name]
    lines = asyncio.run(people.spoken_lines(given, synthetic=True))
    assert [line.text for line in lines] == texts
    assert all(len(line.samples) for line in lines)


def test_a_voice_is_all_lines_after_each_other():
    both = answering(Callee(lines=[SPOKEN, SPOKEN]))
    assert len(both.voice()) == 2 * 2400
    assert len(people.Person().voice()) == 0
