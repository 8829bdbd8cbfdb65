"""The demonstration call: its lines and its agent hold together, without any model being loaded."""

from __future__ import annotations

from typing import Any

from patter_nb.agent import Agent
from patter_nb.agent.agent import PLACEHOLDER
from patter_nb.callers import check_first_line, read_caller
from patter_nb.demo import CALLER, PROMPT, demo_agent
from patter_nb.phone import Patter


class NotReady(Patter):
    """Makes agents without letting their models load."""

    def agent(self, system_prompt: str, **settings: Any) -> Agent:
        return Agent(system_prompt=system_prompt, **settings)


def test_the_caller_can_call_and_one_line_interrupts() -> None:
    assert read_caller(list(CALLER)) == CALLER
    check_first_line(CALLER, greets=False)
    assert [line.interrupt_after_seconds is not None for line in CALLER].count(True) == 1
    assert CALLER[-1].text.endswith("goodbye.")


def test_the_agent_runs_on_this_machine_and_all_its_placeholders_are_filled_in() -> None:
    agent = demo_agent(NotReady(store=False))
    assert {provider.provider for provider in (agent.stt, agent.llm, agent.tts)} == {"local"}
    assert not PLACEHOLDER.search(agent.prompt + agent.greeting)
    assert agent.system_prompt == PROMPT
    assert agent.greeting.startswith("Acme Hotel, good evening!")
