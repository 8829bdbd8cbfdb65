"""Screenshots of the studio at 1280 by 900, light and dark: each tab that edits, and each state that people meet.

Run with PATTER_NB_PICTURES=folder to look at them. The tests see to it that a state is reached by what a person does, that
nothing is wider than the page, and that the console has nothing to say.
"""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.slow

PHONE = '''
import os, time
from patter_nb import DemoBrain, Line, Patter, ScriptedSTT, ScriptedTTS, Tool, guardrail, tool

phone = Patter(store=False)

@tool(reassurance="One moment, I am looking.")
def free_table(guests: int, hour: int = 19, indoors: bool = True) -> str:
    """Look for a free table.

    Args:
        guests: How many people.
        hour: The hour of the day.
    """
    return f"Table four is free for {guests} at {hour}."

@tool
def book(name: str) -> str:
    """Book the table under this name."""
    raise ValueError("the book is closed")

@guardrail("polite")
def polite(text):
    return "stupid" in text

lines = ["hi when is dinner", "is there a table for four people at eight", "please book the table for Jones", "thanks bye"]
agent = phone.agent(
    "You are the receptionist of {company}. Dinner is served from six to ten, seven days a week.\\n\\n"
    "Be brief. Use the caller's name, {caller}, once.",
    stt=ScriptedSTT(lines * 5), llm=DemoBrain(), tts=ScriptedTTS(), first_message="{company}, good evening!",
    variables={"company": "Acme", "caller": "Ms Jones"},
    tools=[free_table, book, Tool("weather", "The weather there.", webhook_url="https://weather.example.com/now")],
    guardrails=[guardrail("others", blocked_terms=["grand palace", "the ritz"], replacement="I can only speak for us."), polite],
)
'''
CALLS = """
for note, hours in (("longer hours", "six to eleven"), ("as the chef wants it", "seven to ten")):
    await phone.test(agent, caller=lines, speed="max", show=False, pinned=False)
    edit = phone.edit(system_prompt=agent.system_prompt.replace("six to ten", hours), note=note)
await phone.test(agent, caller=lines, speed="max", show=False)
"""
STUDIO = "phone.studio(agent)"


class Scene:
    """A page with a studio, and what a person does in it."""

    def __init__(self, page: Any, pictures: Any) -> None:
        self.page = page
        self.pictures = pictures
        self.cell = page.output(2)

    def tab(self, name: str) -> None:
        self.cell.get_by_role("tab", name=name, exact=True).click()

    def button(self, name: str) -> Any:
        return self.cell.get_by_role("button", name=name).locator("visible=true").first

    def field(self, name: str) -> Any:
        return self.cell.get_by_label(name, exact=True).locator("visible=true").first

    def says(self, text: str) -> None:
        self.cell.get_by_text(text).locator("visible=true").first.wait_for()

    def state(self, state: str) -> None:
        self.cell.locator(f".pnb-status[data-state='{state}']:visible").wait_for()

    def picture(self, name: str) -> None:
        """Take it, and see that nothing sticks out of the studio."""
        self.page.show(2)
        theme = "dark" if self.page.dark else "light"
        self.page.screenshot(self.pictures / f"studio-{name}-{theme}.png")
        wide = self.page.page.evaluate(
            """() => [...document.querySelectorAll('.pnb-studio *')].filter(element => {
              const outer = element.closest('.pnb-studio').getBoundingClientRect();
              const {right, width} = element.getBoundingClientRect();
              const hidden = element.closest('.pnb-scroll, .pnb-unseen, .pnb-marked-back');
              return width > 0 && !hidden && right > outer.right + 1;
            }).map(element => element.outerHTML.slice(0, 120))"""
        )
        assert wide == []


def unsaved(scene: Scene) -> None:
    scene.field("System prompt").fill("You are the receptionist of {company}. Dinner is from {opening} to ten.\n\nBe brief.")
    scene.state("unsaved")


def invalid(scene: Scene) -> None:
    unsaved(scene)
    scene.cell.get_by_text("Turns", exact=True).locator("visible=true").first.click()
    scene.field("Hangover").fill("20")
    scene.button("Apply from next turn").click()
    scene.says("hangover_ms is 20; it must lie from 150 to 5000.")


def compared(scene: Scene) -> None:
    scene.button("Compare revision 1").click()
    scene.says("From revision 1 to revision 4")


def staged(scene: Scene) -> None:
    scene.page.ask("call = phone.test(agent, caller=[Line('One?', wait_seconds=8), 'Two?', 'Three?'], show=False)")
    scene.says("on the phone")
    scene.field("System prompt").fill("You are the owner of {company}, and {caller} is welcome.")
    scene.button("Apply from next turn").click()
    scene.state("staged")


def live(scene: Scene) -> None:
    """What was staged is in force."""
    scene.state("live")


def busy(scene: Scene) -> None:
    scene.field("System prompt").fill("You are the owner of {company}.")
    go = scene.page.lab.notebooks / f"go-{scene.page.dark}"
    scene.page.run(3, source=f"while not os.path.exists({go.name!r}): time.sleep(0.05)", wait=False)
    scene.page.page.wait_for_function("() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'")
    scene.button("Apply from next turn").click()
    scene.state("waiting")
    scene.picture("busy")
    go.touch()
    scene.state("ready")


def gone(scene: Scene) -> None:
    scene.field("System prompt").fill("You are the owner of {company}.")
    scene.page.restart_kernel()
    scene.state("gone")


def tools(scene: Scene) -> None:
    scene.tab("Tools")
    scene.field("Description").wait_for()


def tried(scene: Scene) -> None:
    tools(scene)
    scene.field("guests").fill("3")
    scene.button("Run").click()
    scene.says("Table four is free for 3 at 19.")


def tool_failed(scene: Scene) -> None:
    tools(scene)
    scene.cell.get_by_role("button", name="book").click()
    scene.field("Arguments, as JSON schema").fill("{")
    scene.button("Apply from next turn").click()
    scene.says("The schema of book is not JSON")
    scene.field("name").fill("Ann")
    scene.button("Run").click()
    scene.says("the book is closed")


def built_in(scene: Scene) -> None:
    tools(scene)
    scene.cell.get_by_role("button", name="end_call").click()
    scene.button("Run").click()
    scene.says("in a call, this hangs up")


def guardrails(scene: Scene) -> None:
    scene.tab("Guardrails")
    scene.field("Try it").fill("We are better than The Ritz. And you are stupid, 🙂 the Grand  Palace?")
    scene.says("The caller hears")
    scene.button("Ask the checks").click()
    scene.says("polite blocks")


def new_guardrail(scene: Scene) -> None:
    scene.tab("Guardrails")
    scene.field("Name of a new guardrail").fill("prices")
    scene.button("Add").click()
    scene.field("Blocked terms").fill("dollar")
    scene.field("Blocked terms").press("Enter")
    scene.field("Said instead").fill("Ask for a dollar at the desk.")
    scene.button("Apply from next turn").click()
    scene.says("replacement of guardrail 'prices' holds 'dollar'")


TAKEN = [unsaved, invalid, compared, tools, tried, tool_failed, built_in, guardrails, new_guardrail, staged, live, gone]
THEMES = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])


@THEMES
def test_every_state_of_the_tabs_that_edit(open_page, pictures, dark):
    page = open_page([PHONE, CALLS, STUDIO, "pass"], dark=dark)
    page.run_all()
    scene = Scene(page, pictures)
    scene.field("System prompt").wait_for()
    scene.picture("prompt")
    busy(scene)
    for state in TAKEN:
        if state is not live:  # it follows the one before
            page.page.evaluate("() => sessionStorage.clear()")
            page.run(2)  # the same studio, with its tab and what is unsaved in it
            scene.tab("Prompt")
            scene.field("System prompt").wait_for()
            if (revert := scene.button("Revert")).is_enabled():
                revert.click()
        state(scene)
        scene.picture(state.__name__.replace("_", "-"))


BARE = """
from patter_nb import Patter, ScriptedLLM, ScriptedSTT, ScriptedTTS
phone = Patter(store=False)
"""
PLAIN = 'agent = phone.agent("You are a test.", stt=ScriptedSTT([]), llm=ScriptedLLM([]), tts=ScriptedTTS())'


@THEMES
def test_without_an_agent_and_without_rules(open_page, pictures, dark):
    page = open_page([BARE, "pass", "phone", PLAIN], dark=dark)
    for cell in range(3):
        page.run(cell)
    scene = Scene(page, pictures)
    scene.says("No agent yet")
    scene.picture("no-agent")
    page.run(3)
    scene.field("System prompt").wait_for()
    scene.picture("no-variables")
    scene.tab("Tools")
    scene.says("No tools of its own")
    scene.picture("no-tools")
    scene.tab("Guardrails")
    scene.says("No guardrails")
    scene.picture("no-guardrails")
