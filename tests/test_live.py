"""Numbered revisions of one name."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from patter_nb.agent import APPLIES, Agent
from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.live import Applied, Live, RevisionLine
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.tools import Tool, tool


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


# Edits, and the calls they reach.


def a_line(calls: int = 1) -> tuple[RevisionLine, list[Live]]:
    line = RevisionLine("agent")
    first, _ = line.stage(agent("One."))
    return line, [Live(first, line, f"call {number}") for number in range(1, calls + 1)]


def prompt(live: Live, turn: int) -> str:
    return live.take(turn).revision.agent.system_prompt


def test_what_was_taken_last_is_told_with_its_turn_and_not_what_waits() -> None:
    line, (live,) = a_line()
    assert (live.taken.revision.number, live.taken.edit_effective_turn) == (1, None)
    line.propose({"system_prompt": "Two."})
    assert live.taken.revision.number == 1
    taken = live.take(3)
    line.propose({"system_prompt": "Three."})
    assert (live.taken, taken.edit_effective_turn, live.newest.number) == (taken, 3, 3)


def test_an_edit_of_all_calls_waits_in_each_for_its_next_reply_and_is_what_later_calls_begin_with() -> None:
    line, (one, two) = a_line(2)
    edit = line.propose({"system_prompt": "Two."}, note="why")
    assert (edit.state, edit.scope, edit.applies) == ("staged", "all calls", {"system_prompt": "next turn"})
    assert (edit.revision, line.newest.parent, line.newest.note) == (line.newest, 1, "why")
    assert (one.current.number, one.newest.number) == (1, 2)
    assert prompt(one, 4) == "Two."
    assert edit.state == "staged"  # the other call has not replied since
    assert prompt(two, 7) == "Two."
    assert (edit.state, one.current.number) == ("applied", 2)
    assert [(each.call_id, each.turn) for each in edit.applied] == [("call 1", 4), ("call 2", 7)]


def test_an_edit_of_one_call_reaches_neither_the_others_nor_later_ones() -> None:
    line, (one, two) = a_line(2)
    edit = one.propose(system_prompt="Mine.")
    assert (edit.scope, edit.revision.number, line.newest.number) == ("this call", 2, 1)
    assert (prompt(one, 1), prompt(two, 1)) == ("Mine.", "One.")
    assert [each.call_id for each in edit.applied] == ["call 1"]


def test_an_edit_of_the_next_call_waits_nowhere() -> None:
    line, (one,) = a_line()
    edit = line.propose({"system_prompt": "Two.", "first_message": "Hi!"}, scope="next call")
    assert edit.applies == {"system_prompt": "next turn", "first_message": "next call"}
    assert (edit.state, line.newest.number, prompt(one, 1)) == ("unused", 2, "One.")


def test_a_later_edit_takes_the_place_of_one_that_waits_and_holds_its_changes_too() -> None:
    _, (one,) = a_line()
    first, second = one.propose(system_prompt="Two."), one.propose(hangover_ms=900)
    assert (first.state, second.state) == ("superseded", "staged")
    taken = one.take(1).revision
    assert (taken.agent.system_prompt, taken.agent.hangover_ms) == ("Two.", 900)
    assert (first.state, second.state, first.applied) == ("superseded", "applied", ())


def test_a_call_keeps_its_own_changes_where_an_edit_of_all_calls_does_not_touch_them() -> None:
    line, (one, two) = a_line(2)
    one.propose(system_prompt="Mine.")
    line.propose({"hangover_ms": 900})
    agents = [live.take(1).revision.agent for live in (one, two)]
    assert [(each.system_prompt, each.hangover_ms) for each in agents] == [("Mine.", 900), ("One.", 900)]
    assert (line.newest.agent.system_prompt, line.newest.agent.hangover_ms) == ("One.", 900)


def test_a_reply_tells_when_the_edit_that_brought_it_was_asked_for_and_which_turn_was_the_first() -> None:
    _, (one,) = a_line()
    seconds = [3.0]
    one.clock(lambda: seconds[0])
    begun = one.take(0)
    assert (begun.edit_requested_at, begun.edit_effective_turn) == (None, None)
    edit = one.propose(system_prompt="Two.")
    seconds[0] = 5.0
    for turn in (2, 3):
        taken = one.take(turn)
        assert (taken.revision.number, taken.edit_requested_at, taken.edit_effective_turn) == (2, 3.0, 2)
    assert edit.applied == (Applied("call 1", 2, at=5.0, requested_at=3.0),)


def test_a_listener_is_told_once_at_the_swap_and_at_once_when_it_comes_late() -> None:
    _, (one,) = a_line()
    edit = one.propose(system_prompt="Two.")
    told: list[tuple[str, int]] = []
    edit.on_applied(lambda applied: told.append(("early", applied.turn)))
    assert told == []
    one.take(3)
    one.take(4)
    edit.on_applied(lambda applied: told.append(("late", applied.turn)))
    assert told == [("early", 3), ("late", 3)]


def test_what_waits_in_a_call_that_ends_is_unused_and_later_edits_do_not_reach_it() -> None:
    line, (one,) = a_line()
    waits = line.propose({"system_prompt": "Two."})
    one.end()
    one.end()
    later = [line.propose({"system_prompt": "Three."}), one.propose(system_prompt="Four.")]
    assert [edit.state for edit in (waits, *later)] == ["unused"] * 3
    assert (prompt(one, 9), line.newest.agent.system_prompt) == ("One.", "Three.")


def test_an_edit_that_changes_nothing_makes_no_revision() -> None:
    line, (one,) = a_line()
    for edit in (line.propose({"system_prompt": "One."}), one.propose(system_prompt="One.")):
        assert (edit.revision.number, edit.state) == (1, "unused")
    assert len(line.revisions) == 1


REFUSED: list[tuple[dict[str, Any], type, str]] = [
    ({}, ConfigError, 'the edit changes nothing: name at least one field, such as system_prompt="...".'),
    ({"promt": "x", "system_prompt": "Two."}, ConfigTypeError, "an agent has no promt; it has system_prompt,"),
    ({"name": "other"}, ConfigError, "name cannot be edited: make another agent with phone.agent(..., name=...)."),
    ({"system_prompt": "Two.", "hangover_ms": 1}, ConfigError, "hangover_ms is 1; it must lie from 150 to 5000."),
    ({"system_prompt": "{guest}", "variables": {}}, ConfigError, "system_prompt has the placeholder {guest}"),
]


@pytest.mark.parametrize(("changes", "kind", "words"), REFUSED)
@pytest.mark.parametrize("of", ["all calls", "this call", "next call"])
def test_an_edit_that_is_refused_says_what_to_do_and_changes_nothing(
    of: Any, changes: dict[str, Any], kind: type, words: str
) -> None:
    line, (one,) = a_line()
    with pytest.raises(kind) as caught:
        one.propose(**changes) if of == "this call" else line.propose(changes, scope=of)
    assert str(caught.value).startswith(words) or words in str(caught.value)
    assert (len(line.revisions), one.newest.number, prompt(one, 1)) == (1, 1, "One.")


@pytest.mark.parametrize("name", sorted(name for name, when in APPLIES.items() if when == "next call"))
def test_what_is_open_for_a_whole_call_is_edited_for_the_next_one_only(name: str) -> None:
    line, (one,) = a_line()
    value = getattr(one.current.agent, name)
    with pytest.raises(ConfigError, match=rf"^{name} is in use as the call began with it .* phone\.edit\(\.\.\.\) changes it"):
        one.propose(**{name: value, "system_prompt": "Two."})
    assert (len(line.revisions), prompt(one, 1)) == (1, "One.")


def test_the_scope_of_a_call_is_asked_of_the_call() -> None:
    line, (one,) = a_line()
    with pytest.raises(ConfigError, match=r'"all calls" or "next call" \(call\.edit\(\) changes one call\)'):
        line.propose({"system_prompt": "Two."}, scope="this call")
    assert (len(line.revisions), one.newest.number) == (1, 1)


def test_when_one_call_cannot_take_an_edit_of_all_calls_none_does() -> None:
    line, (one, two) = a_line(2)
    two.propose(system_prompt="Dear {guest}.", variables={"guest": "Ann"})
    with pytest.raises(ConfigError, match="guest"):
        line.propose({"variables": {}, "hangover_ms": 900})
    assert (line.newest.number, one.newest.number, two.newest.agent.hangover_ms) == (1, 1, one.newest.agent.hangover_ms)


def test_edits_from_threads_at_once_are_all_kept_here_and_in_the_call() -> None:
    fields = {"system_prompt": "Two.", "hangover_ms": 900, "llm_error_message": "Pardon?", "max_duration_seconds": 77}
    for _ in range(20):
        line, (one,) = a_line()
        barrier = threading.Barrier(len(fields))

        def work(name: str, line: RevisionLine = line, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            line.propose({name: fields[name]})

        threads = [threading.Thread(target=work, args=(name,)) for name in fields]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(line.revisions) == 5
        for made in (line.newest.agent, one.take(1).revision.agent):
            assert {name: getattr(made, name) for name in fields} == fields


def look(answer: str) -> Tool:
    def look() -> str:
        """Look."""
        return answer

    return tool(look)


def test_an_edit_that_only_what_a_function_has_caught_tells_apart_is_in_force_and_keeps_its_number() -> None:
    line, (one, two) = a_line(2)
    first, again = look("one"), look("two")
    line.propose({"tools": [first]})
    edit = line.propose({"tools": [again]})
    assert (edit.revision.number, len(line.revisions)) == (2, 2)
    for holder in (line.newest, one.take(1).revision, two.take(1).revision):
        assert holder.agent.tools is not None
        assert holder.agent.tools[0] is again
    mine = one.propose(tools=[first])
    assert (mine.revision.number, one.take(2).revision.agent.tools) == (2, (first,))
    assert line.newest.agent.tools == (again,)  # of one call is of one call
    assert two.propose(tools=[again]).state == "unused"


def test_an_edit_that_one_call_cannot_be_held_with_changes_nothing_anywhere() -> None:
    line, (one,) = a_line()

    def fits(agent: Agent) -> None:
        if agent.system_prompt == "Never.":
            raise ConfigError("system_prompt is not for this call.")

    strict = Live(line.newest, line, "strict", fits)
    for change in (line.propose, lambda changes: strict.propose(**changes), strict.begin_with):
        with pytest.raises(ConfigError, match="not for this call"):
            change({"system_prompt": "Never."})
    assert (len(line.revisions), one.newest.number, strict.newest.number) == (1, 1, 1)


def test_a_call_begins_with_what_waited_for_it_and_the_edit_is_applied_at_turn_0() -> None:
    line, (one,) = a_line()
    edit = line.propose({"system_prompt": "Two."})
    one.begin_with({"hangover_ms": 400}, "changed")
    assert (one.current.agent.system_prompt, one.current.agent.hangover_ms) == ("Two.", 400)
    assert [(each.call_id, each.turn) for each in edit.applied] == [("call 1", 0)]
    taken = one.take(0)
    assert (taken.edit_requested_at, taken.edit_effective_turn) == (0.0, 0)


@pytest.mark.parametrize("of_call", [False, True])
def test_rolling_back_is_a_new_revision_of_the_old_content(of_call: bool) -> None:
    line, (one,) = a_line()
    line.propose({"system_prompt": "Two.", "hangover_ms": 900})
    assert prompt(one, 1) == "Two."
    edit = line.roll_back(1, live=one if of_call else None)
    assert (edit.revision.number, edit.revision.parent, edit.revision.note) == (3, 2, "back to revision 1")
    assert edit.revision.content_id == line.revision(1).content_id
    assert (prompt(one, 2), edit.state) == ("One.", "applied")
    assert line.newest.number == (2 if of_call else 3)


def test_a_rollback_changes_what_differs_and_leaves_a_call_what_it_alone_was_given() -> None:
    line, (one,) = a_line()
    one.propose(llm_error_message="Mine.")
    line.propose({"hangover_ms": 700})
    edit = line.roll_back(1)
    assert (dict(edit.applies), line.newest.agent.hangover_ms) == ({"hangover_ms": "next turn"}, 320)
    taken = one.take(1).revision.agent
    assert (taken.hangover_ms, taken.llm_error_message) == (320, "Mine.")
    nothing = line.roll_back(line.newest.number)
    assert (dict(nothing.applies), nothing.revision, one.newest) == ({}, line.newest, one.current)


def test_a_rollback_of_one_call_takes_what_an_edit_of_it_may_change() -> None:
    line, (one,) = a_line()
    line.propose({"system_prompt": "Two.", "first_message": "Hello!"})
    one.take(1)
    edit = one.line.roll_back(1, live=one)
    assert dict(edit.applies) == {"system_prompt": "next turn"}
    assert (one.newest.agent.system_prompt, one.newest.agent.first_message) == ("One.", "Hello!")


def test_what_belongs_to_one_call_alone_is_rolled_back_to_in_no_other() -> None:
    line, (typed,) = a_line()
    typed.keep("typed", tts=ScriptedTTS(model="screen"), hangover_ms=200)
    typed.propose(system_prompt="Tried while typing.")
    assert typed.newest.kept == ("tts", "hangover_ms")
    with pytest.raises(ConfigError, match="tts stays as it is in this call"):
        typed.propose(tts=ScriptedTTS())
    assert typed.line.roll_back(1, live=typed).revision.agent.tts is typed.current.agent.tts
    line.roll_back(3)
    newest = line.newest.agent
    assert newest.tts is not None
    assert (newest.system_prompt, newest.tts.model, newest.hangover_ms) == ("Tried while typing.", "tones", 320)


def test_an_edit_of_what_is_opened_with_a_call_need_not_fit_the_call_that_is_on() -> None:
    line, _ = a_line()

    def fits(agent: Agent) -> None:
        assert agent.stt is not None
        if agent.stt.model == "other" or agent.system_prompt == "Never.":
            raise ConfigError("It is not for this call.")

    live = Live(line.newest, line, "call", fits)
    with pytest.raises(ConfigError, match="not for this call"):  # it has not begun
        line.propose({"stt": ScriptedSTT([], model="other")})
    live.begin()
    line.propose({"stt": ScriptedSTT([], model="other")})
    line.propose({"system_prompt": "Two."})
    with pytest.raises(ConfigError, match=r'A call that is on cannot be held with it: It is .* scope="next call" changes later'):
        line.propose({"system_prompt": "Never."})
    taken = live.take(1).revision.agent
    assert taken.stt is not None
    assert taken.stt.model == "other"
    assert live.held(taken).stt is live.line.revision(1).agent.stt


def test_what_a_listener_raises_is_handed_on_and_the_others_are_told() -> None:
    line, _ = a_line()
    told: list[Any] = []

    def tell(listener: Callable[[], None]) -> None:
        try:
            listener()
        except ZeroDivisionError as error:
            told.append(str(error))

    live = Live(line.newest, line, "call", tell=tell)
    edit = live.propose(system_prompt="Two.")
    edit.on_applied(lambda _: 1 / 0)
    edit.on_applied(told.append)
    live.take(3)
    assert told == ["division by zero", Applied("call", 3, 0.0, 0.0)]


@pytest.mark.parametrize("number", [0, 2, -1, True, "1", 1.0])
def test_a_revision_that_is_not_there_is_told_with_those_that_are(number: Any) -> None:
    line, _ = a_line()
    for ask in (line.revision, line.roll_back, line.diff):
        with pytest.raises(ConfigError, match=r"^revision is .*; 'agent' has the revisions 1 to 1\.$"):
            ask(number)
    assert len(line.revisions) == 1


def test_a_difference_names_each_field_with_what_it_was_and_is_and_long_texts_line_by_line() -> None:
    line, _ = a_line()
    line.propose({"hangover_ms": 900, "system_prompt": "Be kind.\nBe <brief>."})
    line.propose({"system_prompt": "Be kind.\nBe long."})
    both = line.diff(1)
    before = line.revision(1).agent.hangover_ms
    assert both.changes == {"system_prompt": ("One.", "Be kind.\nBe long."), "hangover_ms": (before, 900)}
    assert (f"hangover_ms: {before} -> 900" in both.lines(), both.before, both.after, bool(both)) == (True, 1, 3, True)
    text = line.diff(2, 3)
    assert str(text) == "revision 2 -> 3:\nsystem_prompt:\n- Be <brief>.\n+ Be long."
    page = text._repr_html_()
    assert "Be &lt;brief&gt;." in page
    assert "<brief>" not in page
    assert repr(text) == "Difference(2 -> 3: system_prompt)"
    none = line.diff(3)
    assert (bool(none), str(none), repr(none)) == (False, "revision 3 -> 3: no difference", "Difference(3 -> 3: none)")
    assert line.diff(3, 1).changes["hangover_ms"] == (900, before)
