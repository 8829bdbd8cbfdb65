"""The Guardrails tab: edits of terms and replacements, and a box that shows what would be blocked and where."""

from __future__ import annotations

from typing import Any

import pytest

from patter_nb.guardrails import REPLACEMENT, Guardrail, guardrail
from patter_nb.notebook.studio.guardrails_tab import GuardrailsTab, guardrails_tab, utf16

OTHERS = guardrail("others", blocked_terms=["grand palace", "the ritz"], replacement="Only our own house.")


@guardrail("polite")
def polite(text: str) -> bool:
    return "stupid" in text


def shown(tab: GuardrailsTab, name: str) -> dict[str, Any]:
    return next(each for each in tab.widget.state["guardrails"] if each["name"] == name)


def names(phone: Any) -> list[str]:
    return [rail.name for rail in phone.line().newest.agent.guardrails]


def test_guardrails_are_shown_with_their_terms_and_checks(desk):
    async def main() -> None:
        desk.agent(guardrails=[OTHERS, polite])
        tab = guardrails_tab(desk.ports(), "agent")
        assert shown(tab, "others") == {
            "name": "others", "on": True, "terms": ["grand palace", "the ritz"], "replacement": "Only our own house.",
            "check": None, "fail_closed": False,
        }  # fmt: skip
        assert shown(tab, "polite")["check"] == "polite"

    desk.run(main())


def test_terms_and_replacement_are_edited_for_the_next_turn(desk):
    async def main() -> None:
        desk.agent(guardrails=[OTHERS, polite])
        page, live = desk.page(guardrails_tab(desk.ports(), "agent").widget), desk.phone.call()
        answer = await page.apply(terms__others=["the ritz", "Savoy"], replacement__others="We are better.")
        assert (answer["state"], answer["applies"]) == ("staged", {"guardrails": "next turn"})
        live.take(1)
        changed, other = live.current.agent.guardrails
        assert (changed.blocked_terms, changed.replacement, other) == (("the ritz", "Savoy"), "We are better.", polite)

    desk.run(main())


def test_a_guardrail_is_switched_off_and_on_again_and_a_new_one_is_made(desk):
    async def main() -> None:
        desk.agent(guardrails=[OTHERS, polite])
        tab = guardrails_tab(desk.ports(), "agent")
        page = desk.page(tab.widget)
        await page.apply(on__others=False)
        assert names(desk.phone) == ["polite"]
        await desk.until(lambda: not shown(tab, "others")["on"])
        await page.apply(on__others=True, new__prices={"terms": ["$"], "replacement": ""})
        assert sorted(names(desk.phone)) == ["others", "polite", "prices"]
        made = next(rail for rail in desk.phone.line().newest.agent.guardrails if rail.name == "prices")
        assert (made.blocked_terms, made.replacement) == (("$",), REPLACEMENT)

    desk.run(main())


WRONG = [
    ({"terms:others": []}, "terms:others", "guardrail 'others' blocks nothing"),
    ({"terms:others": ["\u200b"]}, "terms:others", "blocked_terms of guardrail 'others'"),
    ({"replacement:others": "..."}, "replacement:others", "replacement of guardrail 'others'"),
    ({"replacement:others": "Try the Ritz."}, "replacement:others", "replacement of guardrail 'others' holds 'the ritz'"),
    ({"new:prices": {"terms": []}}, "new:prices", "guardrail 'prices' blocks nothing"),
    ({"new:house": {"terms": ["house"]}}, "", "replacement of guardrail 'others' holds 'house'"),
]


@pytest.mark.parametrize(("changes", "at", "says"), WRONG, ids=[case[2] for case in WRONG])
def test_what_makes_no_guardrail_is_refused_beside_its_field(desk, changes, at, says):
    async def main() -> None:
        desk.agent(guardrails=[OTHERS])
        page = desk.page(guardrails_tab(desk.ports(), "agent").widget)
        answer = await page.ask("apply", changes=changes)
        assert (answer["ok"], answer["field"], len(desk.phone.line().revisions)) == (False, at, 1)
        assert answer["error"].startswith(says), answer["error"]

    desk.run(main())


def test_the_box_shows_what_would_be_blocked_and_where_with_what_is_unsaved(desk):
    async def main() -> None:
        desk.agent(guardrails=[OTHERS])
        page = desk.page(guardrails_tab(desk.ports(), "agent").widget)
        text = "🙂 The  Ritz or the Savoy?"
        found = await page.ask("test", text=text, changes={"new:savoy": {"terms": ["savoy"], "replacement": "No."}})
        places = [text.encode("utf-16-le")[2 * start : 2 * end].decode("utf-16-le") for start, end, _ in found["spans"]]
        assert places == ["The  Ritz", "Savoy"]
        assert [name for _, _, name in found["spans"]] == ["others", "savoy"]
        assert found["replacements"] == {"others": "Only our own house.", "savoy": "No."}
        off = await page.ask("test", text=text, changes={"on:others": False})
        assert (off["spans"], len(desk.phone.line().revisions)) == ([], 1)

    desk.run(main())


def test_checks_are_asked_sentence_by_sentence_with_the_one_before_until_one_blocks(desk):
    asked: list[str] = []

    def note(text: str) -> bool:
        asked.append(text)
        return "three" in text

    async def main() -> None:
        desk.agent(guardrails=[Guardrail("note", check=note)])
        page = desk.page(guardrails_tab(desk.ports(), "agent").widget)
        found = await page.ask("check", text="This is one. Here is two. This is three. Now four.")
        assert asked == ["This is one.", "This is one. Here is two.", "Here is two. This is three."]
        assert found["said"] == [{"name": "note", "sentence": "This is three.", "blocks": True, "error": None}]

    desk.run(main())


@pytest.mark.parametrize("fail_closed", [False, True])
def test_a_check_that_raises_says_so_and_blocks_only_where_it_fails_closed(desk, fail_closed):
    def broken(text: str) -> bool:
        raise RuntimeError("no idea")

    async def main() -> None:
        desk.agent(guardrails=[Guardrail("broken", check=broken, fail_closed=fail_closed)])
        page = desk.page(guardrails_tab(desk.ports(), "agent").widget)
        (said,) = (await page.ask("check", text="A sentence."))["said"]
        assert (said["blocks"], "no idea" in said["error"]) == (fail_closed, True)

    desk.run(main())


def test_places_in_a_text_are_counted_as_a_page_counts_them():
    assert utf16("a🙂b", 2, 3, "x") == (3, 4, "x")
