"""The studio in a real JupyterLab: edits from the widget, however busy the kernel is, and what a restart of the kernel leaves."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.slow

PHONE = '''
import asyncio, os, time
from patter_nb import Line, Patter, ScriptedLLM, ScriptedSTT, ScriptedTTS, guardrail, tool
from patter_nb.live import Live
import patter_nb.notebook.studio.shell as shell
shell.TABS = shell.TABS[:3]

@tool
def free_table(guests: int, hour: int = 19) -> str:
    """Look for a free table."""
    return f"Table four is free for {guests} at {hour}."

phone = Patter(store=False)
agent = phone.agent("You are the receptionist of {company}.", variables={"company": "Acme"}, first_message="{company}!",
    stt=ScriptedSTT(["one", "two", "three"]), llm=ScriptedLLM(["One.", "Two.", "Three."]), tts=ScriptedTTS(), tools=[free_table],
    guardrails=[guardrail("others", blocked_terms=["grand palace"], replacement="Only our own house.")])
'''
STUDIO = "phone.studio(agent)"


def prompt(page: Any, cell: int = 1) -> Any:
    return page.output(cell).get_by_label("System prompt")


def status(page: Any, state: str, cell: int = 1) -> Any:
    """The line of the tab that is shown, once it says this."""
    found = page.output(cell).locator(f".pnb-status[data-state='{state}']:visible")
    found.wait_for()
    return found


def apply(page: Any, cell: int = 1) -> Any:
    return page.output(cell).get_by_role("button", name="Apply from next turn").locator("visible=true")


def test_an_edit_is_unsaved_then_staged_then_live_as_of_its_turn(open_page):
    page = open_page([PHONE, STUDIO, "call = phone.test(agent, [Line('One?', wait_seconds=8), 'Two?', 'Three?'], show=False)"])
    page.run_all()
    prompt(page).fill("You are the owner of {company}.")
    status(page, "unsaved")
    prompt(page).press("Control+Enter")
    assert "Revision 2 is staged: the next reply begins with it" in status(page, "staged").inner_text()
    assert "Revision 2 is live as of turn" in status(page, "live").inner_text()
    assert page.ask("await call.ended(); print(phone.turns.revision.iloc[-1], phone.revisions.turns.tolist())").startswith("2 ")
    page.output(1).get_by_text("no call").wait_for()
    assert "next call begins with it" in status(page, "ready").inner_text()


BUSY = {
    "idle": None,
    "a sync cell": "time.sleep(3)",
    "an awaiting cell": "await asyncio.sleep(3)",
}


@pytest.mark.parametrize("cell", BUSY.values(), ids=BUSY)
def test_fifty_edits_from_the_widget_all_arrive_and_in_order(open_page, cell):
    page = open_page([PHONE, STUDIO, cell or "pass"])
    page.run(0)
    page.run(1)
    prompt(page).wait_for()
    page.ask("line = phone.line(); live = Live(line.newest, line, 'call'); live.begin()")
    if cell is not None:
        page.run(2, wait=False)
        page.page.wait_for_function("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'")
    # Somebody who applies faster than anybody can: not waiting for an answer, as the form would.
    page.page.evaluate(
        """async () => {
          const area = document.querySelector('.pnb-marked-area');
          const button = [...document.querySelectorAll('.pnb-primary')][0];
          for (let number = 1; number <= 50; number += 1) {
            area.value = `Edit ${number}.`;
            area.dispatchEvent(new Event('input'));
            while (button.disabled) await new Promise(resolve => setTimeout(resolve, 5));
            button.click();
          }
        }"""
    )
    status(page, "ready")
    page.wait_idle()
    texts = json.loads(page.ask("import json; print(json.dumps([r.agent.system_prompt for r in line.revisions[1:]]))"))
    assert texts == [f"Edit {number}." for number in range(1, 51)]


def test_a_busy_kernel_is_said_after_a_second_and_the_edit_is_made_once(open_page):
    page = open_page([PHONE, STUDIO, "while not os.path.exists('go'): time.sleep(0.05)"])
    page.run(0)
    page.run(1)
    prompt(page).fill("Written while a cell runs.")
    page.run(2, wait=False)
    page.page.wait_for_function("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'")
    apply(page).click()
    assert "waiting for the kernel" in status(page, "waiting").inner_text()
    page.page.wait_for_timeout(4000)  # it is sent again meanwhile
    (page.lab.notebooks / "go").touch()
    status(page, "ready")
    page.wait_run(2)
    assert page.ask("print(*[r.agent.system_prompt for r in phone.line().revisions[1:]])").strip() == "Written while a cell runs."


def test_a_kernel_that_restarts_is_said_and_what_was_unsaved_is_there_when_the_cells_are_run_again(open_page):
    page = open_page([PHONE, STUDIO])
    page.run_all()
    prompt(page).fill("Applied before the restart.")
    apply(page).click()
    status(page, "ready")
    prompt(page).press("End")
    prompt(page).type(" And typed after it")
    status(page, "unsaved")
    page.restart_kernel()
    page.output(1).get_by_role("alert").get_by_text("The kernel has restarted").first.wait_for()
    status(page, "gone")
    assert prompt(page).input_value() == "Applied before the restart. And typed after it"
    assert apply(page).is_disabled()
    page.run(0)
    page.run(1)
    status(page, "unsaved")
    assert prompt(page).input_value() == "Applied before the restart. And typed after it"
    apply(page).click()
    status(page, "ready")
    assert page.ask("print(phone.line().newest.agent.system_prompt)").strip() == "Applied before the restart. And typed after it"


def test_a_cell_that_is_run_again_leaves_one_studio_and_what_was_unsaved(open_page):
    page = open_page([PHONE, STUDIO])
    page.run_all()
    prompt(page).fill("Not applied yet.")
    status(page, "unsaved")
    for _ in range(3):
        page.run(1)
        status(page, "unsaved")
    assert prompt(page).input_value() == "Not applied yet."
    assert page.ask("print(phone._watch.lookers, len(phone._studios))").strip() == "4 1"


def test_two_studios_stay_in_step_and_a_phone_shows_one_by_itself(open_page):
    page = open_page([PHONE, STUDIO, "phone"])
    page.run_all()
    prompt(page, 1).fill("From the first one.")
    apply(page, 1).click()
    status(page, "ready", 1)
    page.page.wait_for_function("() => [...document.querySelectorAll('.pnb-marked-area')].at(2).value === 'From the first one.'")
    prompt(page, 2).fill("From the second one.")
    apply(page, 2).click()
    page.page.wait_for_function("() => document.querySelector('.pnb-marked-area').value === 'From the second one.'")


def test_keys_in_the_studio_are_not_the_notebooks(open_page):
    page = open_page([PHONE, STUDIO])
    page.run_all()
    page.output(1).get_by_role("button", name="Compare revision 1").focus()
    page.page.keyboard.press("d")
    page.page.keyboard.press("d")
    page.page.keyboard.press("b")
    assert page.page.locator(".jp-Notebook .jp-Cell").count() == 2
