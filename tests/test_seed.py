"""What Patter's public documents show, run here to the end as they show it: examples of agents, tools and guardrails."""

from __future__ import annotations

import asyncio
from dataclasses import FrozenInstanceError, dataclass
from typing import Any, Literal

import pytest

from patter_nb import (
    Agent,
    ConfigError,
    Guardrail,
    Patter,
    PatterWarning,
    ScriptedLLM,
    ScriptedSTT,
    ScriptedTTS,
    Tool,
    guardrail,
    tool,
)
from patter_nb.turns.messages import ToolRequest

REPLACEMENT = "I'm sorry, I can't respond to that."


@dataclass(frozen=True)
class OpenAIRealtime:
    """An engine's marker as an agent is given it."""

    kind: Literal["openai_realtime"] = "openai_realtime"
    voice: str = "alloy"
    model: str = "gpt-4o-mini-realtime-preview"


@pytest.fixture
def phone() -> Patter:
    return Patter(store=False)


def answered(phone: Patter, answers: list[Any], **settings: Any) -> Any:
    """A call of one line, with the agent's answers to it."""

    async def main() -> Any:
        agent = phone.agent(
            "You are a receptionist.", stt=ScriptedSTT(["What is it?"]), llm=ScriptedLLM(answers), tts=ScriptedTTS(), **settings
        )
        return await phone.test(agent, ["What is it?"], speed="max")

    return asyncio.run(main())


class CRM:
    async def find(self, phone: str) -> str:
        return f"the account of {phone}"


crm = CRM()


def test_the_example_of_a_decorated_tool(phone: Patter) -> None:
    @tool
    async def lookup_account(phone: str) -> str:
        """Look up the account for a caller."""
        return await crm.find(phone)

    assert isinstance(lookup_account, Tool)
    assert (lookup_account.name, lookup_account.description) == ("lookup_account", "Look up the account for a caller.")
    asked = ToolRequest("t1", "lookup_account", '{"phone": "five five"}')
    call = answered(phone, [[asked], "Found."], tools=[lookup_account])
    (row,) = phone.tools_log.to_dict("records")
    assert (row["name"], row["result"], row["error"]) == ("lookup_account", "the account of five five", None)
    assert call.turns.iloc[-1]["agent_text"] == "Found."


def test_the_example_of_a_tool_by_name_takes_the_place_of_the_built_in_one(phone: Patter) -> None:
    async def my_handler() -> str:
        return "somebody will call back"

    t = tool(name="transfer_call", description="Transfer the call.", handler=my_handler)
    call = answered(phone, [[ToolRequest("t1", "transfer_call", "{}")], "They will call you back."], tools=[t])
    assert list(phone.tools_log["result"]) == ["somebody will call back"]
    assert "transferred" not in set(call.events["kind"])
    assert call.turns.iloc[-1]["agent_text"] == "They will call you back."


def test_a_tool_is_frozen_and_has_a_handler_or_a_webhook() -> None:
    made = tool(name="look", handler=lambda: "x")
    with pytest.raises(FrozenInstanceError):
        made.name = "other"  # type: ignore[misc]
    for given in ({}, {"handler": lambda: "x", "webhook_url": "https://example.com/look"}):
        with pytest.raises(ConfigError, match=r"handler.*webhook_url"):
            Tool(name="look", description="Look.", **given)


@pytest.mark.parametrize(
    ("given", "heard"), [({"replacement": "Let me rephrase that."}, "Let me rephrase that."), ({}, REPLACEMENT)]
)
def test_the_example_of_a_guardrail(phone: Patter, given: dict[str, str], heard: str) -> None:
    rail = guardrail("profanity", blocked_terms=["badword"], **given)
    assert isinstance(rail, Guardrail)
    call = answered(phone, ["It is a badword, sir.", "Never asked."], guardrails=[rail])
    row = call.turns.iloc[-1]
    assert (row["agent_text"], row["guardrails"]) == (heard, "profanity")


@tool
def transfer_tool(department: str) -> str:
    """Say who would take the call."""
    return department


profanity_rail = guardrail("profanity", blocked_terms=["badword"])


def test_the_example_of_an_agent_with_an_engine(phone: Patter) -> None:
    agent = phone.agent(
        engine=OpenAIRealtime(),
        system_prompt="You are a friendly receptionist.",
        first_message="Hello! How can I help?",
        tools=[transfer_tool],
        guardrails=[profanity_rail],
    )
    assert (agent.provider, agent.voice, agent.model) == ("openai_realtime", "alloy", "gpt-4o-mini-realtime-preview")
    assert (agent.tools, agent.guardrails) == ((transfer_tool,), (profanity_rail,))
    with pytest.raises(FrozenInstanceError):
        agent.voice = "verse"  # type: ignore[misc]


def test_an_engine_and_parts_of_a_pipeline_conflict(phone: Patter) -> None:
    with pytest.raises(ConfigError, match=r"engine.*stt"):
        phone.agent("A test.", engine=OpenAIRealtime(), stt=ScriptedSTT([]), tts=ScriptedTTS())


def test_parts_of_a_pipeline_imply_its_mode_and_what_it_has_no_use_for_is_told_once(phone: Patter) -> None:
    parts = {"stt": ScriptedSTT([]), "llm": ScriptedLLM([]), "tts": ScriptedTTS()}
    assert phone.agent("A test.", **parts).provider == "pipeline"
    with pytest.warns(PatterWarning, match="voice"):
        phone.agent("A test.", voice="verse", **parts)
    with pytest.raises(ConfigError, match="openai_realtime"):
        phone.agent("A test.", provider="openai", **parts)


def test_the_documented_defaults_of_an_agent_are_its_defaults(phone: Patter) -> None:
    agent = Agent(system_prompt="A test.", engine=OpenAIRealtime())
    documented = {
        "provider": "openai_realtime", "voice": "alloy", "model": "gpt-4o-mini-realtime-preview", "hooks": None, "prewarm": True,
        "barge_in_threshold_ms": 300, "disable_phone_preamble": False,
    }  # fmt: skip
    assert {name: getattr(agent, name) for name in documented} == documented
    assert not agent.tools
    assert not agent.guardrails
    made = phone.agent("A test.", stt=ScriptedSTT([]), llm=ScriptedLLM([]), tts=ScriptedTTS())
    assert made.prewarm_first_message is True


def test_placeholders_in_the_prompt_are_filled_in(phone: Patter) -> None:
    asked: list[Any] = []

    def answer(messages: Any) -> str:
        asked.append(messages[0].content)
        return "Welcome."

    async def main() -> None:
        parts = {"stt": ScriptedSTT(["Hi."]), "llm": ScriptedLLM(answer), "tts": ScriptedTTS()}
        agent = phone.agent("You serve {hotel}.", variables={"hotel": "the Acme"}, disable_phone_preamble=True, **parts)
        await phone.test(agent, ["Hi."], speed="max")

    asyncio.run(main())
    assert asked == ["You serve the Acme."]
