"""The Prompt tab: what it shows of an agent, and what becomes of an edit, told by the swap itself."""

from __future__ import annotations

import threading

import pytest

from patter_nb.notebook.studio.prompt_tab import PromptTab, prompt_tab


def field(tab: PromptTab, name: str) -> dict:
    return next(each for each in tab.widget.state["fields"] if each["name"] == name)


def test_it_shows_the_agent_its_revisions_and_that_no_call_is_on(desk):
    async def main() -> None:
        desk.agent("You are {company}.", first_message="{company}, hello!")
        tab = prompt_tab(desk.ports(), "agent")
        state = tab.widget.state
        assert (state["agent"], state["mode"], state["revision"], state["calls"]) == ("agent", "pipeline", 1, [])
        assert field(tab, "system_prompt")["value"] == "You are {company}."
        assert state["variables"] == [{"name": "company", "value": "Acme", "secret": False, "kind": ""}]
        (row,) = state["revisions"]
        assert (row["number"], row["parent"], row["turns"], row["gap_p50_ms"], row["usd"]) == (1, None, 0, None, None)

    desk.run(main())


def test_braces_are_kept_where_the_variable_is_what_is_written(desk):
    """As the tab says beside a placeholder that has no value."""

    async def main() -> None:
        desk.agent()
        tab = prompt_tab(desk.ports(), "agent")
        answer = await desk.page(tab.widget).apply(system_prompt="Answer {{y}}.", variables={"y": "{y}"})
        assert answer["ok"]
        assert desk.phone.line().newest.agent.prompt == "Answer {{y}}."

    desk.run(main())


def test_an_edit_is_staged_and_then_live_as_of_the_turn_that_took_it(desk):
    async def main() -> None:
        desk.agent()
        tab = prompt_tab(desk.ports(), "agent")
        page, live = desk.page(tab.widget), desk.phone.call()
        answer = await page.apply(system_prompt="You were {company}.", note="tense")
        assert (answer["ok"], answer["revision"], answer["state"]) == (True, 2, "staged")
        assert answer["applies"] == {"system_prompt": "next turn"}
        await desk.until(lambda: tab.widget.state["revision"] == 2)
        assert tab.widget.state["calls"] == [{"id": "call_1", "revision": 1, "since": None, "staged": 2}]
        assert page.told(1, "applied") == []  # a receipt is no acknowledgement

        live.take(3)
        await desk.until(lambda: bool(page.told(1, "applied")))
        (applied,) = page.told(1, "applied")
        assert (applied["revision"], applied["turn"], applied["call_id"]) == (2, 3, "call_1")
        desk.phone._watch.changed()  # as the call's own event would
        await desk.until(lambda: tab.widget.state["calls"] == [{"id": "call_1", "revision": 2, "since": 3, "staged": None}])

    desk.run(main())


def test_a_swap_on_another_thread_is_told_on_the_panels_loop(desk):
    async def main() -> None:
        desk.agent()
        page, live = desk.page(prompt_tab(desk.ports(), "agent").widget), desk.phone.call()
        await page.apply(system_prompt="Two.")
        threading.Thread(target=lambda: live.take(1)).start()
        await desk.until(lambda: bool(page.told(1, "applied")))

    desk.run(main())


def test_an_edit_for_the_next_call_leaves_the_one_that_is_on(desk):
    async def main() -> None:
        desk.agent()
        page, live = desk.page(prompt_tab(desk.ports(), "agent").widget), desk.phone.call()
        answer = await page.apply("next call", system_prompt="Two.")
        assert (answer["state"], live.newest.number, desk.phone.line().newest.number) == ("unused", 1, 2)

    desk.run(main())


INVALID = [
    ({"system_prompt": " "}, "system_prompt", "system_prompt is empty"),
    ({"system_prompt": "You are {nobody}."}, "system_prompt", "system_prompt has the placeholder {nobody}"),
    ({"language": "en", "hangover_ms": 20}, "hangover_ms", "hangover_ms is 20"),
    ({"hangover_ms": None}, "hangover_ms", "hangover_ms is NoneType"),
    ({"language": "???"}, "language", "language is '???'"),
    ({"variables": {}}, "variables", "system_prompt has the placeholder {company}"),
    ({"variables": "Acme"}, "variables", "variables must be names with their values"),
]


@pytest.mark.parametrize(("changes", "at", "says"), INVALID, ids=[case[2] for case in INVALID])
def test_an_edit_that_makes_no_agent_is_refused_beside_its_field(desk, changes, at, says):
    async def main() -> None:
        desk.agent()
        page = desk.page(prompt_tab(desk.ports(), "agent").widget)
        answer = await page.ask("apply", changes=changes)
        assert (answer["ok"], answer["field"]) == (False, at)
        assert answer["error"].startswith(says)
        assert len(desk.phone.line().revisions) == 1

    desk.run(main())


def test_fifty_edits_arrive_in_order_each_acknowledged_by_its_own_swap(desk):
    async def main() -> None:
        desk.agent()
        page, live = desk.page(prompt_tab(desk.ports(), "agent").widget), desk.phone.call()
        for number in range(1, 51):
            assert (await page.apply(system_prompt=f"Edit {number}."))["ok"]
            live.take(number)
            assert live.current.agent.system_prompt == f"Edit {number}."
        await desk.until(lambda: all(page.told(number, "applied") for number in range(1, 51)))
        assert [page.told(number, "applied")[0]["turn"] for number in range(1, 51)] == list(range(1, 51))

    desk.run(main())


def test_rolling_back_is_a_new_revision_and_the_difference_to_any_is_told(desk):
    async def main() -> None:
        desk.agent("One {company}.")
        page = desk.page(prompt_tab(desk.ports(), "agent").widget)
        await page.apply(system_prompt="Two {company}.", hangover_ms=500)
        lines = (await page.ask("diff", before=1, after=2))["lines"]
        assert lines[0] == "system_prompt: One {company}. -> Two {company}."
        assert [line.partition(":")[0] for line in lines] == ["system_prompt", "hangover_ms"]
        unsaved = await page.ask("diff", before=2, changes={"system_prompt": "Three {company}."})
        assert unsaved["lines"] == ["system_prompt: Two {company}. -> Three {company}."]
        assert not (await page.ask("diff", before=9, after=1))["ok"]
        answer = await page.ask("rollback", number=1)
        assert (answer["revision"], desk.phone.line().newest.agent.system_prompt) == (3, "One {company}.")
        refused = await page.ask("rollback", number="1")
        assert refused["error"] == "revision is '1'; 'agent' has the revisions 1 to 3."

    desk.run(main())


def test_what_a_cell_changes_is_shown_in_every_studio(desk):
    async def main() -> None:
        desk.agent()
        handed = desk.ports()
        tabs = [prompt_tab(handed, "agent") for _ in range(3)]
        desk.phone.edit(system_prompt="From a cell.")
        await desk.until(lambda: all(tab.widget.state["revision"] == 2 for tab in tabs))
        assert {field(tab, "system_prompt")["value"] for tab in tabs} == {"From a cell."}
        for tab in tabs:
            tab.close()
        assert desk.phone._watch.lookers == 0

    desk.run(main())


def test_one_studio_of_many_is_acknowledged_and_all_show_it(desk):
    async def main() -> None:
        desk.agent()
        handed = desk.ports()
        one, other = prompt_tab(handed, "agent"), prompt_tab(handed, "agent")
        page, elsewhere = desk.page(one.widget), desk.page(other.widget, "other")
        await page.apply(system_prompt="From one.")
        await desk.until(lambda: field(other, "system_prompt")["value"] == "From one.")
        assert elsewhere.messages == []

    desk.run(main())


def test_only_the_agent_of_the_tab_is_shown(desk):
    async def main() -> None:
        desk.agent(name="one")
        desk.agent(name="two")
        desk.phone.call("two")
        tab = prompt_tab(desk.ports(), "one")
        desk.phone.edit("two", system_prompt="Another.")
        desk.phone.edit("one", system_prompt="Mine.")
        await desk.until(lambda: tab.widget.state["revision"] == 2)
        assert (len(tab.widget.state["revisions"]), tab.widget.state["calls"]) == (2, [])

    desk.run(main())
