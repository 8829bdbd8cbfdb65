"""The live panel: which call it follows, what it tells pages and how often, and what they may order."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from patter_nb.notebook.studio import live as live_module
from patter_nb.notebook.studio.live import LivePanel
from patter_nb.notebook.view import usd_text
from patter_nb.providers.scripted import ScriptedTTS
from patter_nb.testing.twilio import Callee


class NoVoice(ScriptedTTS):
    def open(self, call: Any, audio: Any) -> Any:
        raise ZeroDivisionError("no voice today")


class Watching:
    """A live panel of a phone, and a page that reads it."""

    def __init__(self, desk: Any, phone: Any) -> None:
        self.panel = LivePanel(phone._ports(asyncio.get_running_loop()))
        self.page = desk.page(self.panel.widget)
        self.until = desk.until

    @property
    def frames(self) -> list[dict[str, Any]]:
        return [message for message in self.page.messages if message["kind"] == "frame"]

    def phase(self) -> str:
        return self.panel._state.head["phase"]

    async def all(self) -> dict[str, Any]:
        return (await self.page.ask("ready"))["all"]


def seen(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines that a page has after all frames."""
    lines: dict[int, dict[str, Any]] = {}
    for frame in frames:
        lines = {number: line for number, line in lines.items() if number not in frame["gone"]}
        lines |= {line["id"]: line for line in frame["lines"]}
    return sorted(lines.values(), key=lambda line: line["place"])


def test_before_any_call_there_is_nothing_to_show(desk, reception):
    async def main() -> None:
        watching = Watching(desk, reception()[0])
        answer = await watching.page.ask("ready")
        assert (answer["calls"], answer["all"], answer["chosen"]) == ([], None, None)
        watching.panel.close()

    desk.run(main())


def test_a_call_of_any_cell_is_followed_to_its_end_and_a_page_that_comes_late_has_all_of_it(desk, reception):
    async def main() -> None:
        phone, agent = reception()
        watching = Watching(desk, phone)
        call = phone.test(agent, ["One?", "Two?", "Three?"], speed="max")
        await call
        await desk.until(lambda: watching.phase() == "ended" and watching.panel._following.done())
        whole = await watching.all()
        assert (whole["call"], whole["agent"]) == (call.id, "reception")
        assert seen(watching.frames) == sorted(whole["lines"], key=lambda line: line["place"])
        assert [bar["turn"] for bar in whole["bars"]] == [1, 2, 3]
        assert whole["head"]["revision"] == 1
        watching.panel.close()

    desk.run(main())


def test_the_newest_call_is_followed_unless_another_one_was_chosen(desk, reception):
    async def main() -> None:
        phone, agent = reception()
        first = await phone.test(agent, ["One?"], speed="max")
        watching = Watching(desk, phone)
        assert (await watching.all())["call"] == first.id
        second = await phone.test(agent, ["One?"], speed="max")
        await desk.until(lambda: watching.panel._call.id == second.id)
        await watching.page.ask("choose", call=first.id)
        third = await phone.test(agent, ["One?"], speed="max")
        await desk.until(lambda: any(entry["id"] == third.id for entry in watching.panel._told_calls))
        answer = await watching.page.ask("ready")
        assert (answer["all"]["call"], answer["chosen"]) == (first.id, first.id)
        assert [entry["id"] for entry in answer["calls"]] == [third.id, second.id, first.id]
        await watching.page.ask("choose", call="")
        assert (await watching.all())["call"] == third.id
        watching.panel.close()

    desk.run(main())


def test_an_edit_in_the_middle_shows_as_a_revision_from_there_on(desk, reception):
    async def main() -> None:
        phone, agent = reception()
        watching = Watching(desk, phone)
        edits: list[Any] = []

        def edit(_: Any) -> None:
            edits.append(edits or phone.edit(agent, system_prompt="Be brief.", note="brief"))

        await phone.test(agent, ["One?", "Two?"] * 8, speed="max", on_metrics=edit)
        await desk.until(lambda: watching.phase() == "ended")
        whole = await watching.all()
        assert [(line["revision"], line["note"]) for line in whole["lines"] if line["kind"] == "revision"] == [(2, "brief")]
        assert whole["head"]["revision"] == 2
        watching.panel.close()

    desk.run(main())


def test_frames_come_no_oftener_than_pages_can_follow_and_go_on_while_nothing_happens(desk, reception, monkeypatch):
    monkeypatch.setattr(live_module, "HEARTBEAT_SECONDS", 0.3)
    told: list[float] = []

    async def main() -> None:
        phone, agent = reception(first_message="")
        watching = Watching(desk, phone)
        send = watching.panel._panel.send
        now = asyncio.get_running_loop().time

        def timed(message: dict[str, Any]) -> None:
            if message["kind"] == "frame":
                told.append(now())
            send(message)

        monkeypatch.setattr(watching.panel._panel, "send", timed)
        call = phone.test(agent, ["One?"])
        await desk.until(lambda: len(told) >= 5)
        call.stop()
        await call
        watching.panel.close()

    desk.run(main())
    gaps = [later - earlier for earlier, later in pairwise(told[:5])]
    assert min(gaps) >= live_module.FRAME_SECONDS * 0.9


def test_orders_reach_the_call_that_is_shown_and_are_refused_when_it_is_over(desk, reception):
    async def main() -> None:
        phone, agent = reception(first_message="")
        watching = Watching(desk, phone)
        call = phone.test(agent, ["One?"] * 9)
        await desk.until(lambda: watching.phase() == "on")
        assert (await watching.page.ask("mute", on=True))["ok"]
        await desk.until(lambda: watching.panel._state.head["muted"])
        assert (await watching.page.ask("mute", on=False))["ok"]
        await desk.until(lambda: not watching.panel._state.head["muted"])
        assert "text is" in (await watching.page.ask("say", text=""))["error"]
        assert (await watching.page.ask("hangup"))["ok"]
        await call
        assert call.end_reason == "hung up by the agent's side"
        for order in ("say", "mute", "hangup"):
            answer = await watching.page.ask(order, text="Hello", on=True)
            assert answer["error"] == "The call is over; nothing can be done to it any more."
        watching.panel.close()

    desk.run(main())


def test_a_call_that_fails_shows_its_error(desk, reception):
    async def main() -> None:
        phone, agent = reception(tts=NoVoice())
        watching = Watching(desk, phone)
        phone.test(agent, ["One?"], speed="max")
        await desk.until(lambda: watching.phase() == "failed")
        assert watching.panel._state.head["error"] == "scripted raised ZeroDivisionError: no voice today"
        watching.panel.close()

    desk.run(main())


@pytest.mark.parametrize("over", [True, False], ids=["a call that is over", "a call that is on"])
def test_a_panel_that_is_closed_leaves_nothing_behind(desk, reception, over):
    async def main() -> None:
        phone, agent = reception(first_message="")
        watching = Watching(desk, phone)
        call = phone.test(agent, ["One?"], speed="max" if over else "real")
        await desk.until(lambda: watching.panel._call is not None)
        if over:
            await call
        watching.panel.close()
        call.stop()
        await call
        await desk.until(lambda: not [task for task in asyncio.all_tasks() if "of call" in task.get_name()])
        assert phone._watch.lookers == 0

    desk.run(main())


def test_a_flood_of_events_lets_others_run(desk, reception):
    async def main() -> None:
        phone, agent = reception(first_message="")
        call = await phone.test(agent, ["One?"], speed="max")
        rounds: list[int] = []

        async def flood() -> Any:
            for number in range(1000):
                yield SimpleNamespace(kind="interim", at=1.0, data={"text": str(number)})
            rounds.append(watching.rounds)

        call.stream = flood
        watching = Watching(desk, phone)
        watching.rounds = 0

        def again() -> None:
            watching.rounds += 1
            if not rounds:
                asyncio.get_running_loop().call_soon(again)

        await desk.until(lambda: watching.panel._state.head["revision"] is not None)
        again()
        await desk.until(lambda: bool(rounds))
        assert rounds[0] >= 1000 // live_module.AT_ONCE
        watching.panel.close()

    desk.run(main())


@pytest.mark.slow
def test_a_call_that_rings_on_a_telephone_line_says_so_and_with_whom_until_it_is_hung_up(desk, reception):
    async def main() -> None:
        phone, agent = reception()
        watching = Watching(desk, phone)
        call = await phone.rehearse(agent, callee=Callee(answers_after_seconds=60))
        await desk.until(lambda: watching.panel._state.head["standing"] == "ringing")
        head = (await watching.all())["head"]
        assert (head["phase"], head["who"]) == ("connecting", "call to •••21")
        await watching.page.ask("hangup")
        await call.ended(10)
        await desk.until(lambda: watching.phase() == "ended" and watching.panel._following.done())
        head = (await watching.all())["head"]
        assert (head["standing"], [note[:15] for note in head["notes"]]) == ("canceled", ["It was given up"])
        watching.panel.close()

    desk.run(main())


@pytest.mark.slow
def test_of_a_call_that_no_person_answered_the_note_says_so(desk, reception):
    async def main() -> None:
        phone, agent = reception()
        watching = Watching(desk, phone)
        found: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        fax = Callee(kind="fax", answers_after_seconds=0.1, verdict_after_seconds=0.1)
        call = await phone.rehearse(agent, callee=fax, on_machine_detection=found.set_result)
        await found
        call.hangup()
        await call.ended(10)
        await desk.until(lambda: watching.phase() == "ended" and watching.panel._following.done())
        head = (await watching.all())["head"]
        assert (head["who"], [note[:14] for note in head["notes"]]) == ("call to •••21", ["A fax answered"])
        assert head["usd"] == usd_text(call.metrics.cost.total)
        assert call.metrics.cost.total == call.cost.query("part == 'total'")["usd"].iloc[-1] > 0.025
        watching.panel.close()

    desk.run(main())
