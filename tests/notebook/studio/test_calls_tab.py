"""The Calls tab: which calls it lists, their turns, and the audio of a turn from wherever it is."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from patter_nb.audio.wav import read_wav
from patter_nb.notebook.studio import calls_tab as calls_module
from patter_nb.notebook.studio.calls_tab import calls_tab

LINES = ["One?", "Two?"]


def open_tab(desk: Any, phone: Any) -> tuple[Any, Any]:
    tab = calls_tab(phone._ports(asyncio.get_running_loop()), "reception")
    return tab, desk.page(tab.widget)


async def hear(page: Any, desk: Any, call: str, index: int) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """What is said of a turn's audio, and the clip."""
    answer = await page.ask("audio", call=call, index=index)
    clips = page.told(answer["number"], "clip")
    return answer, clips[0]["clip"] if clips else None


def test_before_any_call_there_is_none(desk, reception):
    async def main() -> None:
        tab, page = open_tab(desk, reception()[0])
        assert (await page.ask("calls", everything=False))["calls"] == []
        assert tab.widget.state["stores"] is False
        tab.close()

    desk.run(main())


def test_the_calls_of_the_phone_stand_there_the_newest_first_and_each_has_its_turns(desk, reception):
    async def main() -> None:
        phone, agent = reception()
        tab, page = open_tab(desk, phone)
        first = await phone.test(agent, LINES, speed="max")
        second = await phone.test(agent, ["One?"], speed="max")
        answer = await page.ask("calls", everything=False)
        assert [row["id"] for row in answer["calls"]] == [second.id, first.id]
        assert answer["count"] == 2
        turns = await page.ask("turns", call=first.id)
        assert [(turn["turn"], turn["kind"]) for turn in turns["turns"]] == [(0, "greeting"), (1, "caller"), (2, "caller")]
        turn = (await page.ask("turn", call=first.id, index=1))["turn"]
        assert (turn["turn"], turn["call"], turn["configured"]["number"]) == (1, first.id, 1)
        tab.close()

    desk.run(main())


def test_a_page_is_told_when_there_is_more_and_no_longer_when_the_tab_is_closed(desk, reception):
    async def main() -> None:
        phone, agent = reception()
        tab, page = open_tab(desk, phone)
        await phone.test(agent, LINES, speed="max")
        await desk.until(lambda: any(message["kind"] == "changed" for message in page.messages))
        tab.close()
        assert phone._watch.lookers == 0

    desk.run(main())


def test_everything_stored_holds_the_calls_of_other_phones_too_with_their_prompts(desk, reception, tmp_path):
    async def main() -> None:
        path = tmp_path / "calls.sqlite3"
        other, agent = reception(path)
        theirs = await other.test(agent, LINES, speed="max")
        assert other.flush()
        phone, _ = reception(path)
        tab, page = open_tab(desk, phone)
        assert (await page.ask("calls", everything=False))["calls"] == []
        answer = await page.ask("calls", everything=True)
        assert [row["id"] for row in answer["calls"]] == [theirs.id]
        turn = (await page.ask("turn", call=theirs.id, index=1))["turn"]
        assert turn["configured"]["prompt"] == "You are the receptionist. Ring +1•••••4321."
        _, clip = await hear(page, desk, theirs.id, 1)
        assert clip is not None
        tab.close()
        for each in (other, phone):
            each.store.close()

    desk.run(main())


def test_without_a_store_there_is_nothing_stored_and_it_says_so(desk, reception):
    async def main() -> None:
        tab, page = open_tab(desk, reception()[0])
        assert "store is False" in (await page.ask("calls", everything=True))["error"]
        tab.close()

    desk.run(main())


def test_only_the_newest_of_very_many_calls_stand_there(desk, reception, monkeypatch):
    monkeypatch.setattr(calls_module, "MOST_CALLS", 2)

    async def main() -> None:
        phone, agent = reception(first_message="")
        calls = [await phone.test(agent, ["One?"], speed="max") for _ in range(3)]
        tab, page = open_tab(desk, phone)
        answer = await page.ask("calls", everything=False)
        assert ([row["id"] for row in answer["calls"]], answer["count"]) == ([calls[2].id, calls[1].id], 3)
        tab.close()

    desk.run(main())


def test_a_turn_is_heard_from_memory_both_sides_and_again_from_the_disk(desk, reception, tmp_path):
    async def main() -> None:
        phone, agent = reception(tmp_path / "calls.sqlite3")
        tab, page = open_tab(desk, phone)
        call = await phone.test(agent, LINES, speed="max")
        assert phone.flush()
        answer, clip = await hear(page, desk, call.id, 1)
        assert (answer["state"], max(clip["caller"]) > 0.01, max(clip["agent"]) > 0.01) == ("here", True, True)
        call._recording = None  # as in another kernel
        _, again = await hear(page, desk, call.id, 1)
        assert again == clip
        samples, _ = read_wav(base64.b64decode(again["url"].split(",")[1]))
        row = call.turns.set_index("turn").loc[1]
        assert len(samples) / 8000 == pytest.approx(clip["seconds"])
        assert clip["seconds"] > row["gap_ms"] / 1000
        tab.close()
        phone.store.close()

    desk.run(main())


def test_a_turn_that_cannot_be_heard_says_why(desk, reception, tmp_path):
    async def main() -> None:
        phone, agent = reception(tmp_path / "calls.sqlite3")
        tab, page = open_tab(desk, phone)
        silent = await phone.test(agent, ["One?"], speed="max", record=False)
        answer, clip = await hear(page, desk, silent.id, 1)
        assert (answer["state"], clip) == ("not recorded", None)
        assert answer["reason"].startswith("This call was not recorded. A test call is, unless it is held with record=False; ")
        lost = await phone.test(agent, ["One?"], speed="max")
        assert phone.flush()
        (tmp_path / "recordings" / f"{lost.id}.wav").unlink()
        lost._recording = None
        answer, _ = await hear(page, desk, lost.id, 1)
        assert answer["state"] == "gone"
        assert f"{lost.id}.wav" in answer["reason"]
        tab.close()
        phone.store.close()

    desk.run(main())


def test_a_call_that_is_on_can_be_heard_as_far_as_it_is(desk, reception):
    async def main() -> None:
        phone, agent = reception()
        tab, page = open_tab(desk, phone)
        call = phone.test(agent, LINES * 5)
        await desk.until(lambda: len(phone._log.facts(call.id)) > 0)
        answer, clip = await hear(page, desk, call.id, 0)
        assert (answer["state"], max(clip["agent"]) > 0.01) == ("here", True)
        call.stop()
        await call
        tab.close()

    desk.run(main())


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("turns", {"call": "nobody"}, "nobody"),
    ("turn", {"index": 99}, "turn is 99; the call has 2."),
    ("turn", {"index": "one"}, "turn is 'one'; the call has 2."),
    ("audio", {"index": -1}, "turn is -1; the call has 2."),
]


@pytest.mark.parametrize("wrong", WRONG, ids=[f"{order} {content}" for order, content, _ in WRONG])
def test_what_is_not_there_is_refused(desk, reception, tmp_path, wrong):
    order, content, said = wrong

    async def main() -> None:
        phone, agent = reception(tmp_path / "calls.sqlite3")
        tab, page = open_tab(desk, phone)
        call = await phone.test(agent, ["One?"], speed="max")
        assert phone.flush()
        answer = await page.ask(order, **{"call": call.id, **content})
        assert (answer["ok"], said in answer["error"]) == (False, True)
        tab.close()
        phone.store.close()

    desk.run(main())
