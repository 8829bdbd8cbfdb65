"""Cards in a real kernel: nbclient runs cells as a headless notebook does, a client of its own reads what a page would get."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient

from patter_nb.notebook.card import card_html
from patter_nb.notebook.display import CardHandle, in_notebook, mimebundle
from patter_nb.notebook.tables import text_summary
from patter_nb.notebook.view import CallView

pytestmark = pytest.mark.slow  # a real kernel

Make = Callable[..., CallView]
TIMEOUT_SECONDS = 60

PREPARE = f"""
import asyncio, runpy, threading
make = runpy.run_path({str(Path(__file__).with_name("conftest.py"))!r})["fake_view"]
from patter_nb.notebook.display import CardHandle, in_notebook, mimebundle

class FakeCall:
    def __init__(self, name):
        self.name, self.count, self.state = name, 0, "running"
        self.card = CardHandle(self.view())

    def view(self):
        return make(self.count, agent=self.name, state=self.state, speech=())

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {{"text/plain": self.name}} if self.card.in_its_cell() else mimebundle(self.view())
"""
CELLS = {
    "prepare": PREPARE,
    "alpha": "alpha = FakeCall('alpha'); alpha",
    "beta": "beta = FakeCall('beta'); beta",
    "begin": """
awaited = asyncio.Event()
async def hold(call):
    await awaited.wait()
    call.count, call.state = 2, "ended"
    await call.card.update(call.view)
holding = asyncio.create_task(hold(alpha))
""",
    "await": "awaited.set(); await holding",
    "thread": """
drawn = []
def view(count):
    drawn.append(count)
    return make(count, agent="beta", speech=())
thread = threading.Thread(target=lambda: [beta.card.refresh(lambda count=count: view(count)) for count in range(1, 21)])
thread.start(); thread.join()
await beta.card.update(lambda: view(21))
print(len(drawn) < 21, drawn[-1], drawn == sorted(drawn))
""",
    "slow": """
begun, gate = threading.Event(), threading.Event()
def slow():
    begun.set(); gate.wait(10)
    return make(23, agent="beta", speech=())
first = asyncio.create_task(beta.card.update(slow))
await asyncio.to_thread(begun.wait)
second = asyncio.create_task(beta.card.update(lambda: make(24, agent="beta", speech=())))
overtaken, _ = await asyncio.wait([second], timeout=0.2)
gate.set()
await asyncio.gather(first, second)
print("overtaken:", len(overtaken))
""",
    "other loop": """
def elsewhere():
    asyncio.run(beta.card.update(lambda: make(22, agent="beta", speech=())))
await asyncio.to_thread(elsewhere)
""",
    "failure": """
try:
    await beta.card.update(lambda: 1 / 0)
except ZeroDivisionError as error:
    print("told:", error)
beta.count, beta.state = 3, "ended"
await beta.card.update(beta.view)
""",
    "pull": "alpha",
    "no card": "print(in_notebook(), alpha.card.in_its_cell())",
}


@pytest.fixture(scope="module")
def outputs() -> dict[str, list[Any]]:
    """The outputs of each cell, after all cells have run."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS.values()])
    NotebookClient(notebook, timeout=TIMEOUT_SECONDS, kernel_name="python3").execute(cwd=str(Path(__file__).parents[2]))
    return {name: cell.outputs for name, cell in zip(CELLS, notebook.cells, strict=True)}


def cards(outputs: list[Any]) -> list[str]:
    return [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]


def printed(outputs: list[Any]) -> str:
    return "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")


def test_each_card_stays_in_the_cell_that_made_it_and_shows_its_own_call(outputs: dict[str, list[Any]]) -> None:
    for name, count in (("alpha", 2), ("beta", 3)):
        (card,) = cards(outputs[name])
        assert f">{name}<" in card
        assert f"{count} turns" in card
        assert "pnb-ended" in card
    assert [name for name in CELLS if cards(outputs[name])] == ["alpha", "beta", "pull"]


def test_the_call_itself_is_one_line_in_that_same_cell(outputs: dict[str, list[Any]]) -> None:
    results = [output.data for output in outputs["alpha"] if output.output_type == "execute_result"]
    assert results == [{"text/plain": "alpha"}]


def test_pulled_in_a_later_cell_the_call_shows_the_same_as_its_card(outputs: dict[str, list[Any]]) -> None:
    assert cards(outputs["pull"]) == cards(outputs["alpha"])
    (pulled,) = outputs["pull"]
    (pushed,) = (output for output in outputs["alpha"] if output.output_type == "display_data")
    assert pulled.data == pushed.data


def test_of_many_states_the_newest_is_drawn_and_none_out_of_order(outputs: dict[str, list[Any]]) -> None:
    assert printed(outputs["thread"]) == "True 21 True\n"


def test_a_state_never_overtakes_an_older_one_that_is_still_drawn(outputs: dict[str, list[Any]]) -> None:
    assert printed(outputs["slow"]) == "overtaken: 0\n"


def test_a_failed_drawing_is_told_to_whoever_waits_and_ends_nothing(outputs: dict[str, list[Any]]) -> None:
    assert printed(outputs["failure"]) == "told: division by zero\n"


def test_no_cell_complains(outputs: dict[str, list[Any]]) -> None:
    assert printed(outputs["no card"]) == "True False\n"
    assert [output for cell in outputs.values() for output in cell if "stderr" in (output.get("name"), output.output_type)] == []


@pytest.fixture
def kernel() -> Iterator[Any]:
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(Path(__file__).parents[2]))
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def published_until(client: Any, enough: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """What the kernel sends to pages, up to the first message that is enough."""
    messages: list[dict[str, Any]] = []
    while not messages or not enough(messages[-1]):
        messages.append(client.get_iopub_msg(timeout=TIMEOUT_SECONDS))
    return messages


BELL = """
import socket
alpha, bell = FakeCall("alpha"), socket.create_server(("127.0.0.1", 0))

def answer():
    with bell:
        bell.accept()[0].close()
    alpha.card.refresh(lambda: make(2))

threading.Thread(target=answer).start()
print(bell.getsockname()[1])
"""


def test_a_card_is_updated_at_its_own_place_while_no_cell_runs(kernel: Any) -> None:
    request = kernel.execute(PREPARE + BELL)
    messages = published_until(kernel, lambda message: _is_idle(message, request))
    (made,) = (message for message in messages if message["msg_type"] == "display_data")
    (port,) = (int(message["content"]["text"]) for message in messages if message["msg_type"] == "stream")
    socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS).close()
    *_, updated = published_until(kernel, lambda message: message["msg_type"] == "update_display_data")
    assert updated["content"]["transient"] == made["content"]["transient"]
    assert "2 turns" in updated["content"]["data"]["text/html"]


def _is_idle(message: dict[str, Any], request: str) -> bool:
    return bool(message["content"].get("execution_state") == "idle" and message["parent_header"].get("msg_id") == request)


def test_outside_a_notebook_a_card_shows_and_does_nothing(make_view: Make, capsys: pytest.CaptureFixture[str]) -> None:
    def never() -> CallView:
        raise AssertionError("nobody would see it")

    card = CardHandle(make_view(1))
    card.refresh(never)
    asyncio.run(card.update(never))
    assert not in_notebook()
    assert not card.in_its_cell()
    assert capsys.readouterr() == ("", "")


def test_the_bundle_is_the_card_and_the_tables(make_view: Make) -> None:
    view = make_view(2)
    assert mimebundle(view) == {"text/plain": text_summary(view), "text/html": card_html(view)}
