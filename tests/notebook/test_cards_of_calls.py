"""Real calls in a real kernel: a card ends under the cell that made it, whatever runs meanwhile, and is pulled anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

TIMEOUT_SECONDS = 60

PREPARE = """
import threading
from patter_nb import Patter, Price, ScriptedLLM, ScriptedSTT, ScriptedTTS

phone, lines = Patter(store=False), ["When is dinner?", "Thanks, bye."]
agent = phone.agent(
    "You answer.", stt=ScriptedSTT(lines, price=Price()), llm=ScriptedLLM(["From six to ten.", "Goodbye."], price=Price()),
    tts=ScriptedTTS(price=Price()),
)

def start():
    return phone.test(agent, caller=lines, speed="max")
"""
WHILE = {
    "a cell awaits": ["call = start(); await call.ended()"],
    "a cell computes": ["call = start(); _ = threading.Event().wait(1.0)"],  # the loop stands still for as long
    "another cell awaits": ["call = start()", "await call.ended()"],
    "no cell runs": ["call = start()"],
}


@pytest.fixture
def kernel() -> Iterator[Any]:
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(Path(__file__).parents[2]))
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def published(client: Any) -> Iterator[dict[str, Any]]:
    """What the kernel sends to pages, one message after the other."""
    while True:
        yield client.get_iopub_msg(timeout=TIMEOUT_SECONDS)


def run(client: Any, source: str) -> list[dict[str, Any]]:
    """What the cell put out until it was done."""
    request, messages = client.execute(source), []
    for message in published(client):
        messages.append(message)
        done = message["content"].get("execution_state") == "idle" and message["parent_header"].get("msg_id") == request
        if done:
            return messages
    raise AssertionError("the kernel went silent")


def is_ended(message: dict[str, Any]) -> bool:
    return message["msg_type"] == "update_display_data" and "pnb-ended" in message["content"]["data"]["text/html"]


@pytest.mark.slow  # a kernel for each case
@pytest.mark.parametrize("cells", WHILE.values(), ids=WHILE)
def test_a_card_is_finished_under_its_own_cell_and_pulled_the_same(kernel: Any, cells: list[str]) -> None:
    run(kernel, PREPARE)
    messages = [message for source in cells for message in run(kernel, source)]
    (made,) = (message for message in messages if message["msg_type"] == "display_data")
    ended = next((message for message in messages if is_ended(message)), None)
    if ended is None:
        ended = next(message for message in published(kernel) if is_ended(message))
    assert ended["content"]["transient"] == made["content"]["transient"]
    assert not [message for message in messages if message["msg_type"] in ("error", "stream")]

    (pulled,) = (message for message in run(kernel, "phone.last_call") if message["msg_type"] == "execute_result")
    assert pulled["content"]["data"] == ended["content"]["data"]
    (drawn,) = (message for message in run(kernel, "call.plot()") if message["msg_type"] == "execute_result")
    assert drawn["content"]["metadata"]["image/png"]["alt"].startswith("Waterfall of 2 caller turns")
    assert f'aria-label="{drawn["content"]["data"]["text/plain"]}"' in ended["content"]["data"]["text/html"]
