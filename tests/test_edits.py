"""What cells change of a phone's agents: edits, and the tools, guardrails and hooks that belong to all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from patter_nb import AfterLLM, PipelineHooks
from patter_nb.agent import Agent
from patter_nb.call import Call
from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.phone import Patter
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.turns.messages import ToolRequest

GREETING = "Hello there, good evening!"


@pytest.fixture
def phone() -> Patter:
    return Patter(store=False)


def agent(phone: Patter, prompt: str = "You are a test.", **settings: Any) -> Agent:
    parts = {"stt": ScriptedSTT(["one", "two"]), "llm": ScriptedLLM(["First.", "Second."]), "tts": ScriptedTTS()}
    return phone.agent(prompt, **{"first_message": GREETING, **parts, **settings})


def in_call(phone: Patter, act: Callable[[], Any], *, at: int = 0, replies: Any = ("First.", "Second."), **settings: Any) -> Call:
    """A call of two lines in virtual time; `act` is done when its model is asked for the `at`-th time."""
    asked: list[Any] = []

    def answer(messages: Any) -> Any:
        asked.append(messages)
        if len(asked) - 1 == at:
            act()
        return replies[len(asked) - 1]

    async def main() -> Call:
        return await phone.test(agent(phone, llm=ScriptedLLM(answer), **settings), ["One?", "Two?"], speed="max")

    return asyncio.run(main())


def test_a_rollback_of_the_phone_is_a_revision_with_nothing_that_differs(phone: Patter) -> None:
    agent(phone, "One.")
    phone.edit(system_prompt="Two.")
    assert phone.diff(1).changes == {"system_prompt": ("One.", "Two.")}
    assert phone.rollback(1).revision.number == 3
    assert not phone.diff(1, 3)
    assert [revision.number for revision in phone.line("agent").revisions] == [1, 2, 3]


def test_an_agent_that_is_neither_one_nor_a_name_is_told(phone: Patter) -> None:
    with pytest.raises(ConfigTypeError, match="agent is list; it must be an Agent, or its name"):
        phone.edit(["x"], system_prompt="New.")  # type: ignore[arg-type]


def test_a_tool_whose_cell_is_run_again_while_a_call_is_on_is_the_one_that_runs(phone: Patter) -> None:
    def look() -> str:
        """Look."""
        return "old"

    def look_again() -> str:
        """Look."""
        return "new"

    phone.tool(look)
    request = ToolRequest("1", "look", "{}")
    replies = [[request], "First.", [request], "Second."]
    call = in_call(phone, lambda: phone.tool(look_again, name="look"), at=1, replies=replies)
    assert phone.tools_log[["turn", "name", "result"]].to_numpy().tolist() == [[1, "look", "old"], [2, "look", "new"]]
    assert call.turns["revision"].tolist() == [1, 1, 2]


def test_a_tool_with_settings_and_a_guardrail_over_a_check_belong_to_every_agent(phone: Patter) -> None:
    @phone.tool(name="other", timeout_s=3)
    def look() -> str:
        """Look."""
        return ""

    @phone.guardrail("shouting")
    def shouts(text: str) -> bool:
        return text.isupper()

    made = agent(phone)
    assert [each.name for each in made.tools] == ["other"]
    assert [each.name for each in made.guardrails] == ["shouting"]


def test_a_guardrail_whose_cell_is_run_again_while_a_call_is_on_holds_from_the_next_reply_on(phone: Patter) -> None:
    phone.guardrail("prices", blocked_terms=["dollars"], replacement="Old.")
    again = lambda: phone.guardrail("prices", blocked_terms=["dollars"], replacement="New.")  # noqa: E731
    call = in_call(phone, again, replies=["In dollars."] * 2)
    assert call.turns["heard_text"].tolist() == [GREETING, "Old.", "New."]


# Hooks.


def test_a_hook_whose_cell_is_run_again_while_a_call_is_on_changes_its_next_reply(phone: Patter) -> None:
    @phone.hook
    def before_synthesize(sentence: str, ctx: Any) -> str:
        return f"Old. {sentence}"

    assert before_synthesize("Hi.", None) == "Old. Hi."  # it stays a function that can be tried

    def again() -> None:
        @phone.hook("before_synthesize")
        def shout(sentence: str, ctx: Any) -> str:
            return sentence.upper()

    call = in_call(phone, again)
    assert call.turns["heard_text"].tolist() == [GREETING, "Old. First.", "SECOND."]  # a greeting passes no hook
    assert call.turns["revision"].tolist() == [1, 1, 2]
    assert phone.line().newest.note == "hook before_synthesize"


def test_a_hook_of_the_callers_side_is_asked_about_what_is_said_after_the_next_reply(phone: Patter) -> None:
    call = in_call(phone, lambda: phone.hook("after_transcribe", lambda text, ctx: text.upper()))
    assert call.turns["caller_text"].tolist()[1:] == ["one", "two"]
    later = asyncio.run(_again(phone))
    assert later.turns["caller_text"].tolist()[1:] == ["ONE"]


async def _again(phone: Patter) -> Call:
    return await phone.test(phone.line().newest.agent, ["One?"], speed="max")


def first(*given: Any) -> Any:
    return given[0]


def second(*given: Any) -> Any:
    return given[0]


def test_a_hook_joins_what_the_agent_has_at_other_stages_and_takes_the_place_of_the_one_at_its_own(phone: Patter) -> None:
    agent(phone, hooks=PipelineHooks(after_transcribe=first, before_llm=first, fail_closed=True))
    agent(phone, name="bare")
    phone.hook("after_transcribe", second)
    assert phone.line("agent").newest.agent.hooks == PipelineHooks(after_transcribe=second, before_llm=first, fail_closed=True)
    assert phone.line("bare").newest.agent.hooks == PipelineHooks(after_transcribe=second)
    own = agent(phone, name="later", hooks=PipelineHooks(after_transcribe=first))
    assert own.hooks == PipelineHooks(after_transcribe=first)  # what an agent brings itself comes first
    assert agent(phone, name="latest").hooks == PipelineHooks(after_transcribe=second)


def test_a_tier_of_after_llm_is_a_stage_of_its_own_and_the_whole_stage_takes_the_place_of_its_tiers(phone: Patter) -> None:
    agent(phone)

    def tiers() -> Any:
        newest = phone.line().newest.agent
        assert newest.hooks == agent(phone).hooks  # an agent that is made now has the same
        return newest.hooks and newest.hooks.tiers

    phone.hook("after_llm.on_sentence", first)
    phone.hook("after_llm.on_response", first)
    assert tiers() == AfterLLM(on_sentence=first, on_response=first)
    phone.hook("after_llm", second)
    assert tiers() == AfterLLM(on_response=second)
    phone.hook("after_llm", {"on_chunk": first})
    assert tiers() == AfterLLM(on_chunk=first)
    phone.hook("after_llm", None)
    assert tiers() is None


def test_a_hook_that_is_taken_away_is_gone_from_every_agent(phone: Patter) -> None:
    agent(phone)
    agent(phone, name="closed", hooks=PipelineHooks(fail_closed=True))
    phone.hook("before_llm", first)
    phone.hook("before_llm", None)
    assert phone.line("agent").newest.agent.hooks is None
    assert phone.line("closed").newest.agent.hooks == PipelineHooks(fail_closed=True)
    assert not phone.diff(1, None, "agent")


@dataclass(frozen=True)
class Service:
    """A speech-to-speech service, as an agent is given it."""

    voice: str = "marin"
    model: str = "m1"
    kind: str = "openai_realtime"


def test_an_agent_with_an_engine_has_no_use_for_hooks_and_is_given_none(phone: Patter) -> None:
    phone.agent("You are a test.", name="before", engine=Service())
    phone.hook("before_llm", first)  # would warn that it is not used, which is an error here
    after = phone.agent("You are a test.", name="after", engine=Service())
    assert (phone.agents["before"].hooks, after.hooks) == (None, None)
    assert len(phone.line("before").revisions) == 1


SIX = "before_send_to_stt, after_transcribe, before_llm, after_llm, before_synthesize, after_synthesize"
WRONG_HOOKS: list[tuple[Callable[[Patter], Any], type[ConfigError], str]] = [
    (lambda phone: phone.hook(first), ConfigError, rf"^hook is for 'first', which is no stage; there are {SIX}\.$"),
    (lambda phone: phone.hook("after_lllm"), ConfigError, rf"^hook is for 'after_lllm', which is no stage; there are {SIX}\.$"),
    (lambda phone: phone.hook("fail_closed", True), ConfigError, "^hook is for 'fail_closed', which is no stage"),
    (lambda phone: phone.hook("before_llm", 5), ConfigTypeError, "^before_llm is int 5; it must be a function, or None"),
    (lambda phone: phone.hook(5), ConfigTypeError, "^hook got 5; it takes a stage and a function, or decorates a function"),
    (lambda phone: phone.hook(first, second), ConfigTypeError, "^hook got <function first"),
    (lambda phone: phone.hook("after_llm", {"x": first}), ConfigError, "^after_llm has the key 'x'"),
]


@pytest.mark.parametrize("there", [True, False], ids=["an agent", "no agent"])
@pytest.mark.parametrize(("give", "kind", "words"), WRONG_HOOKS)
def test_what_is_no_hook_is_told_and_changes_nothing(
    phone: Patter, give: Callable[[Patter], Any], kind: type[ConfigError], words: str, there: bool
) -> None:
    if there:
        agent(phone)
    with pytest.raises(kind, match=words):
        give(phone)
    assert agent(phone).hooks is None
    assert len(phone.revisions) == 1
