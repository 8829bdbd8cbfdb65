"""The agents of one phone: which one is meant, and the tools and guardrails that belong to all of them."""

from __future__ import annotations

from typing import Any

import pytest

from patter_nb.agent import Agent
from patter_nb.agents import Agents
from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.guardrails import Guardrail
from patter_nb.live import Live
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.tools import Tool, tool


def agent(prompt: str = "A test.", **settings: Any) -> Agent:
    return Agent(system_prompt=prompt, stt=ScriptedSTT([]), llm=ScriptedLLM([]), tts=ScriptedTTS(), **settings)


def named(name: str, text: str = "It.") -> Tool:
    def look() -> str:
        return text

    return tool(name=name, description=text)(look)


@pytest.fixture
def kept() -> list[tuple[str, int]]:
    return []


@pytest.fixture
def agents(kept: list[tuple[str, int]]) -> Agents:
    return Agents(lambda name, revision: kept.append((name, revision.number)))


def test_each_new_revision_is_kept_under_its_name_and_in_order(agents: Agents, kept: list[tuple[str, int]]) -> None:
    for made in (agent(name="a"), agent(name="b"), agent(name="a"), agent("Two.", name="a")):
        agents.stage(made)
    agents.edit("b", {"system_prompt": "Three."}, note="", scope="all calls")
    agents.edit("b", {"system_prompt": "Three."}, note="", scope="all calls")
    assert kept == [("a", 1), ("b", 1), ("a", 2), ("b", 2)]


def test_an_agent_that_was_seen_is_known_with_its_own_object_and_what_is_newer_is_told(agents: Agents) -> None:
    first, again = agent(), agent()
    assert agents.known(first) is None
    agents.stage(first)
    known = agents.known(again)
    assert known is not None
    assert (known.number, known.agent is again, agents.newer(known)) == (1, True, None)
    assert agents.known(agent("Never seen.")) is None
    newest = agents.stage(agent("Two."))
    assert agents.newer(known) == newest
    with pytest.raises(ConfigTypeError, match=r"^agent is str; it must be an Agent, as phone\.agent\(\.\.\.\) returns it\.$"):
        agents.known("agent")


def test_which_agent_is_meant_need_not_be_said_where_there_is_one(agents: Agents) -> None:
    with pytest.raises(ConfigError, match=r"not clear; there is none: use phone\.agent\(\.\.\.\)\.$"):
        agents.line()
    with pytest.raises(ConfigError, match="agent is 'a', and there is none of that name; there are: none at all"):
        agents.line("a")
    agents.stage(agent(name="a"))
    assert agents.line() is agents.line("a") is agents.line(agent("Unseen.", name="a"))
    agents.stage(agent(name="b"))
    with pytest.raises(ConfigError, match=r"not clear; there are 'a', 'b': name one\.$"):
        agents.line()
    with pytest.raises(ConfigError, match="agent is 'c', and there is none of that name; there are: 'a', 'b'"):
        agents.line("c")


def test_edits_rollbacks_and_differences_are_those_of_the_agent_that_is_named(agents: Agents) -> None:
    for name in ("a", "b"):
        agents.stage(agent("One.", name=name))
    agents.edit("a", {"system_prompt": "Two."}, note="n", scope="all calls")
    assert agents.diff("a", 1, None).changes == {"system_prompt": ("One.", "Two.")}
    assert agents.roll_back("a", 1, note="", scope="next call").revision.agent.system_prompt == "One."
    assert [len(agents.line(name).revisions) for name in ("a", "b")] == [3, 1]


@pytest.mark.parametrize("field", ["tools", "guardrails"])
def test_a_rule_of_the_phone_reaches_every_agent_and_the_calls_that_are_on(agents: Agents, field: str) -> None:
    add: Any = agents.add_tool if field == "tools" else agents.add_guardrail

    def rule(name: str, text: str) -> Any:
        return named(name, text) if field == "tools" else Guardrail(name, blocked_terms=[text])

    own = rule("own", "Own.")
    for name in ("a", "b"):
        agents.stage(agent(name=name, **{field: [own]}))
    live = Live(agents.line("a").newest, agents.line("a"), "call")
    first, second = rule("x", "First."), rule("x", "Second.")
    edits = add(first)
    assert [(edit.state, edit.revision.note) for edit in edits] == [("staged", f"{field[:-1]} x"), ("unused", f"{field[:-1]} x")]
    assert list(getattr(live.current.agent, field)) == [own]
    assert list(getattr(live.take(1).revision.agent, field)) == [own, first]
    add(rule("y", "Y."))
    add(second)
    for name in ("a", "b"):  # the one that came again stands where its namesake stood
        rules = getattr(agents.line(name).newest.agent, field)
        assert [each.name for each in rules] == ["own", "x", "y"]
        assert rules[1] is second
    assert [each.name for each in agents.with_rules({field: [own]})[field]] == ["own", "x", "y"]


def test_a_guardrail_of_the_phone_that_an_agent_cannot_have_is_refused_and_not_kept(agents: Agents) -> None:
    own, bad = Guardrail("own", blocked_terms=["bar"]), Guardrail("x", blocked_terms=["foo"], replacement="I can't say bar.")
    line = agents.stage(agent(guardrails=[own]))
    refused = "^replacement of guardrail 'x' holds 'bar', which guardrail 'own' blocks; say it otherwise.$"
    with pytest.raises(ConfigError, match=refused):
        agents.add_guardrail(bad)
    with pytest.raises(ConfigError, match=refused):
        agents.edit(None, {"guardrails": [bad, own]}, note="", scope="all calls")
    assert agents.line().newest is line
    assert agents.with_rules({}) == {}


def test_a_rule_of_the_phone_leaves_a_call_the_rules_that_it_alone_was_given(agents: Agents) -> None:
    agents.stage(agent())
    line, mine, shared = agents.line(), named("mine"), named("shared")
    live = Live(line.newest, line, "call")
    live.begin_with({"tools": [mine]}, "on_call_start")
    agents.add_tool(shared)
    assert live.take(1).revision.agent.tools == (mine, shared)
    assert line.newest.agent.tools == (shared,)


def test_what_an_agent_brings_itself_comes_before_the_phones_of_the_same_name(agents: Agents) -> None:
    shared, mine, rail = named("x", "Shared."), named("x", "Mine."), Guardrail("g", blocked_terms=["x"])
    assert agents.with_rules({"name": "a"}) == {"name": "a"}
    agents.add_tool(shared)
    agents.add_guardrail(rail)
    assert agents.with_rules({}) == {"tools": [shared], "guardrails": [rail]}
    assert agents.with_rules({"tools": [mine]})["tools"] == [mine]
    assert agents.with_rules({"tools": "nonsense"})["tools"] == "nonsense"  # the agent says what is wrong with it


def test_a_guardrail_of_the_phone_that_one_agent_refuses_reaches_none(agents: Agents) -> None:
    agents.stage(agent(name="a"))
    agents.stage(agent(name="b", guardrails=[Guardrail("own", blocked_terms=["bar"])]))
    with pytest.raises(ConfigError, match="holds 'bar', which guardrail 'own' blocks"):
        agents.add_guardrail(Guardrail("x", blocked_terms=["foo"], replacement="I can't say bar."))
    assert not agents.line("a").newest.agent.guardrails
    assert "guardrails" not in agents.with_rules({})
