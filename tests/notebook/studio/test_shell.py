"""The studio as a whole: which agent it shows, what it is without one, and that nothing of it is left when it is closed."""

from __future__ import annotations

import asyncio

import pytest
from ipywidgets.widgets.widget import _instances

from patter_nb import Patter
from patter_nb.errors import ConfigError
from patter_nb.notebook.studio import shell as shells


@pytest.fixture(autouse=True)
def _own_tabs(monkeypatch):
    """The three tabs that edit; the others have tests of their own."""
    monkeypatch.setattr(shells, "TABS", shells.TABS[:3])


def test_without_an_agent_it_says_so_and_shows_the_first_one_that_is_made(desk):
    async def main() -> None:
        box = desk.phone.studio()
        assert (box.children[0].state["agent"], len(box.children)) == (None, 1)
        desk.agent(name="first")
        await desk.until(lambda: len(box.children) == 2)
        assert box.children[0].state["agent"] == "first"
        assert box.children[1].titles == ("Prompt", "Tools", "Guardrails")
        assert [tab.state["agent"] for tab in box.children[1].children] == ["first"] * 3

    desk.run(main())


def test_it_shows_the_agent_that_is_given_else_the_one_that_was_made_last(desk):
    async def main() -> None:
        one = desk.agent(name="one")
        desk.agent(name="two")
        assert desk.phone.studio().children[0].state["agent"] == "two"
        assert desk.phone.studio(one).children[0].state["agent"] == "one"
        assert desk.phone.studio("one").children[0].state["agent"] == "one"
        with pytest.raises(ConfigError, match=r"^agent is 'three', and there is none of that name"):
            desk.phone.studio("three")

    desk.run(main())


def test_another_agent_can_be_chosen_and_the_tabs_of_the_one_before_are_closed(desk):
    async def main() -> None:
        desk.agent(name="one")
        desk.agent(name="two")
        box = desk.phone.studio()
        page, lookers = desk.page(box.children[0]), desk.phone._watch.lookers
        assert (await page.ask("choose", agent="one"))["ok"]
        assert (box.children[0].state["agent"], box.children[1].children[0].state["agent"]) == ("one", "one")
        assert desk.phone._watch.lookers == lookers
        assert (await page.ask("choose", agent="three"))["error"] == "agent is 'three', and there is none of that name."

    desk.run(main())


def test_the_line_over_the_tabs_says_who_speaks_and_whether_a_call_is_on(desk):
    async def main() -> None:
        desk.agent()
        box = desk.phone.studio()
        state = box.children[0].state
        assert (state["services"], state["revision"], state["calls"]) == (["ScriptedSTT", "ScriptedLLM", "ScriptedTTS"], 1, [])
        desk.phone.call()
        desk.phone._watch.changed()
        await desk.until(lambda: bool(box.children[0].state["calls"]))

    desk.run(main())


def test_a_closed_studio_listens_to_nothing(desk):
    async def main() -> None:
        desk.agent()
        boxes = [desk.phone.studio() for _ in range(3)]
        assert desk.phone._watch.lookers == 12
        for box in boxes:
            box.close()
            box.close()
        assert desk.phone._watch.lookers == 0
        desk.agent("Another {company}.")
        await asyncio.sleep(0)

    desk.run(main())


def test_a_cell_that_is_run_again_shows_the_studio_that_it_had(desk, monkeypatch):
    async def main() -> None:
        one = desk.agent(name="one")
        boxes = []
        for cell in ("a", "b", "a", "a", None, None):
            monkeypatch.setattr(shells, "running_cell", lambda cell=cell: cell)
            boxes.append(desk.phone.studio())
        assert [boxes.index(box) for box in boxes] == [0, 1, 0, 0, 4, 5]
        assert desk.phone._watch.lookers == 16
        boxes[0].close()
        monkeypatch.setattr(shells, "running_cell", lambda: "a")
        again = desk.phone.studio()
        assert again is not boxes[0]
        desk.agent(name="two")
        assert desk.phone.studio(one) is again
        assert desk.phone.studio() is not again
        assert again.shell.closed

    desk.run(main())


def test_a_cell_that_makes_its_phone_again_closes_the_studio_of_the_phone_before(desk, monkeypatch):
    async def main() -> None:
        desk.agent()
        monkeypatch.setattr(shells, "running_cell", lambda: "a")
        before = desk.phone.studio()
        after = Patter(store=False)
        box = after.studio()
        assert before.shell.closed
        assert not box.shell.closed
        box.close()

    desk.run(main())


def test_an_agent_is_not_changed_while_somebody_talks_to_it(desk, monkeypatch):
    async def main() -> None:
        desk.agent(name="one")
        desk.agent(name="two")
        box = desk.phone.studio()
        page, tabs = desk.page(box.children[0]), box.shell._tabs
        tabs[0].on_the_phone = True
        answer = await page.ask("choose", agent="one")
        assert answer["error"] == "You are on the phone with two: hang up first, then choose one."
        assert box.shell._tabs is tabs
        tabs[0].on_the_phone = False
        assert (await page.ask("choose", agent="one"))["ok"]

    desk.run(main())


def test_nothing_of_a_closed_studio_stays_with_ipywidgets(desk):
    async def main() -> None:
        desk.agent()
        before = len(_instances)
        desk.phone.studio().close()
        assert len(_instances) == before

    desk.run(main())
