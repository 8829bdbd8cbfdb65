"""Tools and checks that are tried without a call: as a call would use them, with its deadlines."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from patter_nb.agent import Agent
from patter_nb.callbacks import CallControl
from patter_nb.guardrails import Guardrail
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.tools import tool
from patter_nb.tryout import CALL_ID, built_in, try_check, try_tool

released = threading.Event()


@tool
def told(call_context: dict[str, str]) -> str:
    """Tell what it was told."""
    return json.dumps(call_context)


@tool(timeout_s=0.1)
def slow() -> str:
    """Take long."""
    released.wait(10)
    return "late"


@tool
def exits() -> str:
    """Leave."""
    raise SystemExit


@tool
async def ordering(call_control: CallControl) -> str:
    """Order."""
    call_control.send_dtmf("1")
    call_control.hangup()
    return f"ended: {call_control.ended}"


calls: list[int] = []


@tool(idempotent=True)
def third_time() -> str:
    """Come right in the end."""
    calls.append(1)
    if len(calls) < 3:
        raise RuntimeError("not yet")
    return "lucky"


TOOLS = [told, slow, exits, ordering, third_time]


def tried(name: str, arguments: str = "{}") -> Any:
    agent = Agent(system_prompt="A test.", stt=ScriptedSTT([]), llm=ScriptedLLM([]), tts=ScriptedTTS(), tools=TOOLS)
    return asyncio.run(asyncio.wait_for(try_tool(agent, name, arguments), 10))


def test_a_tool_is_told_that_it_is_tried():
    assert json.loads(tried("told").result) == {"call_id": CALL_ID, "caller": "", "callee": ""}


def test_its_deadline_holds():
    found = tried("slow")
    released.set()
    assert (found.result, found.error) == (None, "slow took longer than 0.1 s.")
    assert 100 <= found.ms < 5000


def test_a_tool_that_leaves_the_program_is_a_sentence():
    found = tried("exits")
    assert found.result is None
    assert "SystemExit" in found.error


def test_what_it_orders_of_the_call_is_told_since_there_is_none():
    found = tried("ordering")
    assert (found.result, found.progress) == ("ended: False", ("in a call, this presses keys", "in a call, this hangs up"))


def test_it_is_tried_again_where_that_does_no_harm():
    calls.clear()
    found = tried("third_time")
    assert (found.result, found.attempts) == ("lucky", 3)


@pytest.mark.parametrize("arguments", ["[1]", "{", '{"reason": 3}'])
def test_arguments_that_do_not_fit_are_what_a_model_would_be_told(arguments):
    found = tried("end_call", arguments)
    assert (found.result, bool(found.error)) == (None, True)


def test_the_tools_that_are_always_there_have_their_schemas():
    assert {each.name: each.parameters["required"] for each in built_in()} == {"transfer_call": ["number"], "end_call": []}


def raises(text: str) -> bool:
    raise RuntimeError("no idea")


async def later(text: str) -> str:
    await asyncio.sleep(0)
    return "yes" if "bad" in text else ""


CHECKS = [
    (lambda text: "bad" in text, False, "a bad word", "blocked", False),
    (lambda text: "bad" in text, False, "a good word", "passes", False),
    (later, False, "a bad word", "blocked", False),
    (raises, False, "a word", "passes", True),
    (raises, True, "a word", "blocked", True),
]


@pytest.mark.parametrize(("check", "fail_closed", "text", "result", "failed"), CHECKS)
def test_a_check_is_asked_as_in_a_call(check, fail_closed, text, result, failed):
    found = asyncio.run(try_check(Guardrail("one", check=check, fail_closed=fail_closed), text))
    assert (found.result, found.error is not None) == (result, failed)
