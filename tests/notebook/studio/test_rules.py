"""Tools and guardrails as a form has them: those in force, those that were, and which are on after a change."""

from __future__ import annotations

import pytest

from patter_nb.notebook.studio.rules import chosen, in_force, known, split
from patter_nb.tools import Tool, tool


def made(name: str, text: str = "x") -> Tool:
    return tool(name=name, description=text)(lambda: text)


A, B, C = made("a"), made("b"), made("c")


@pytest.fixture
def line(desk):
    """Three revisions: a and b, then b alone and another one, then b and c."""
    desk.agent(tools=[A, B])
    desk.phone.edit(tools=[made("b", "another")])
    desk.phone.edit(tools=[B, C])
    return desk.phone.line()


def test_what_a_line_has_had_is_known_with_what_is_in_force_as_it_is(line):
    assert in_force(line, "tools") == {"b": B, "c": C}
    assert known(line, "tools") == {"a": A, "b": B, "c": C}


def test_what_one_call_was_given_alone_is_not_what_others_have(desk, line):
    desk.phone.call().propose(tools=[made("b", "for this call")])
    assert known(line, "tools")["b"] is B


CHOICES = [
    ({}, ["b", "c"]),
    ({"a": {"on": True}}, ["b", "c", "a"]),
    ({"b": {"on": False}}, ["c"]),
    ({"b": {"on": False}, "a": {"on": True}}, ["c", "a"]),
    ({"c": {"description": "new"}}, ["b", "c"]),
    ({"a": {"description": "new"}}, ["b", "c"]),
    ({"nobody": {"on": True}}, ["b", "c"]),
]


@pytest.mark.parametrize(("changes", "names"), CHOICES)
def test_those_in_force_keep_their_order_and_others_come_after_them(line, changes, names):
    assert chosen(line, "tools", changes) == names


def test_changes_are_told_apart_by_what_they_change_whatever_its_name():
    given = {"on:a": True, "description:a": "x", "terms:of: a kind": ["y"]}
    assert split(given) == {"a": {"on": True, "description": "x"}, "of: a kind": {"terms": ["y"]}}
