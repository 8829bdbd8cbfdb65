"""Numbered revisions of one name."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from patter_nb.agent import Agent
from patter_nb.live import Live, RevisionLine
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS


def agent(prompt: str = "A test.", **settings: Any) -> Agent:
    return Agent(system_prompt=prompt, stt=ScriptedSTT([]), llm=ScriptedLLM([]), tts=ScriptedTTS(), **settings)


def test_changed_content_is_the_next_revision_and_equal_content_keeps_its_number_with_the_new_object() -> None:
    line, first, again, changed = RevisionLine("agent"), agent(), agent(), agent("Another.")
    one, new = line.stage(first, "begun")
    assert (one.number, one.parent, one.note, one.agent is first, new) == (1, None, "begun", True, True)
    same, new = line.stage(again)
    assert (same.number, same.agent is again, new) == (1, True, False)
    two, new = line.stage(changed)
    assert (two.number, two.parent, new) == (2, 1, True)
    assert [revision.number for revision in line.revisions] == [1, 2]
    assert line.newest == two
    assert one.created_at <= two.created_at


def test_going_back_to_an_older_content_is_a_revision_of_its_own() -> None:
    line = RevisionLine("agent")
    for prompt in ("One.", "Two.", "One."):
        line.stage(agent(prompt))
    assert [revision.number for revision in line.revisions] == [1, 2, 3]
    assert line.revisions[0].content_id == line.revisions[2].content_id
    found = line.find(agent("One."))
    assert found is not None
    assert found.number == 3


def test_an_exact_revision_holds_the_object_that_was_asked_for() -> None:
    line, asked = RevisionLine("agent"), agent("One.")
    line.stage(agent("One."))
    line.stage(agent("Two."))
    exact = line.exact(asked)
    assert (exact.number, exact.agent is asked) == (1, True)
    assert line.find(agent("Three.")) is None
    with pytest.raises(LookupError, match="'agent' has no such revision"):
        line.exact(agent("Three."))
    with pytest.raises(IndexError):
        _ = RevisionLine("empty").newest


def test_revisions_that_are_staged_from_many_threads_have_numbers_of_their_own() -> None:
    line, barrier = RevisionLine("agent"), threading.Barrier(8)

    def work(number: int) -> None:
        barrier.wait()
        for round_ in range(20):
            line.stage(agent(f"Prompt {number} {round_}."))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [revision.number for revision in line.revisions] == list(range(1, 161))
    assert [revision.parent for revision in line.revisions[1:]] == list(range(1, 160))


def test_a_call_runs_the_revision_it_was_given() -> None:
    line = RevisionLine("agent")
    revision, _ = line.stage(agent())
    assert Live(revision, line).current is revision
