"""The Call tab: a scripted caller that is run from it, what its editor keeps, and Talk."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from patter_nb.notebook.studio.call_tab import FIRST_LINES, call_tab
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS


def open_tab(desk: Any, phone: Any) -> tuple[Any, Any]:
    tab = call_tab(phone._ports(asyncio.get_running_loop()), "reception")
    return tab, desk.page(tab._editor.widget)


def brief(reception: Any) -> tuple[Any, Any]:
    """A phone whose calls in real time take about a second."""
    stt = ScriptedSTT(["one"] * 9, final_seconds=0.01)
    llm = ScriptedLLM(["Yes."] * 9, first_token_seconds=0.01)
    tts = ScriptedTTS(first_byte_seconds=0.01, seconds_per_character=0.02)
    return reception(first_message="", hangover_ms=200, stt=stt, llm=llm, tts=tts, tools=[])


def text(*lines: str) -> list[dict[str, Any]]:
    return [{"text": line, "interrupts": False, "seconds": 1} for line in lines]


def test_it_begins_with_lines_that_can_be_run_at_once(desk, reception):
    async def main() -> None:
        phone, _ = reception()
        tab, page = open_tab(desk, phone)
        state = page.widget.state
        assert [line["text"] for line in state["lines"]] == list(FIRST_LINES)
        assert (state["listen"], state["running"]) == (True, False)
        assert len(tab.widget.children) == 2
        tab.close()

    desk.run(main())


def test_run_holds_a_call_of_the_newest_revision_with_these_lines(desk, reception):
    async def main() -> None:
        phone, agent = brief(reception)
        tab, page = open_tab(desk, phone)
        phone.edit(agent, system_prompt="You are another one.")
        answer = await page.ask("run", lines=text("One?", "", "Two?"), listen=False, noise_db="20")
        call = phone.last_call
        assert (answer["ok"], answer["call"]) == (True, call.id)
        assert call.live.current.number == 2
        assert phone.calls["source"].tolist() == ["2 lines"]
        await desk.until(lambda: page.widget.state["running"])
        call.stop()
        await call
        await desk.until(lambda: not page.widget.state["running"])
        assert [line["text"] for line in page.widget.state["lines"]] == ["One?", "", "Two?"]
        tab.close()

    desk.run(main())


def test_a_line_may_interrupt_the_agent(desk, reception):
    async def main() -> None:
        phone, _ = brief(reception)
        tab, _ = open_tab(desk, phone)
        said = tab._said({"text": " But stop! ", "interrupts": True, "seconds": "1.5"})
        assert (said.text, said.interrupt_after_seconds) == ("But stop!", 1.5)
        assert tab._said({"text": "Hello"}).interrupt_after_seconds is None
        tab.close()

    desk.run(main())


REFUSED = [
    ("no line", text("", " "), "The caller says nothing: write at least one line."),
    ("no words", text("..."), "text of a caller's line is '...'; it must hold words to say."),
    ("no number", [{"text": "Stop", "interrupts": True, "seconds": "soon"}], "interrupt_after_seconds of a caller's line"),
    ("no greeting", [{"text": "Stop", "interrupts": True, "seconds": 1}], "the agent has no first_message"),
]


@pytest.mark.parametrize(("lines", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_caller_that_cannot_be_run_says_why_and_no_call_begins(desk, reception, lines, said):
    async def main() -> None:
        phone, _ = brief(reception)
        tab, page = open_tab(desk, phone)
        answer = await page.ask("run", lines=lines, listen=False, noise_db="")
        assert (answer["ok"], said in answer["error"], phone.last_call) == (False, True, None)
        tab.close()

    desk.run(main())


def test_what_is_written_is_kept_for_pages_that_are_opened_later(desk, reception):
    async def main() -> None:
        phone, _ = reception()
        tab, page = open_tab(desk, phone)
        await page.ask("keep", lines=text("Hello?"), listen=False, noise_db="10")
        state = page.widget.state
        assert ([line["text"] for line in state["lines"]], state["listen"], state["noise_db"]) == (["Hello?"], False, "10")
        await page.ask("keep", lines="nonsense")
        assert [line["text"] for line in page.widget.state["lines"]] == ["Hello?"]
        tab.close()

    desk.run(main())


def test_a_caller_that_is_heard_is_played_on_the_tabs_own_softphone(desk, reception):
    async def main() -> None:
        phone, _ = brief(reception)
        tab, page = open_tab(desk, phone)
        await page.ask("run", lines=text("One?"), listen=True, noise_db="")
        await desk.until(lambda: tab._softphone.state == "listening")
        call = phone.last_call
        call.stop()
        await call
        tab.close()

    desk.run(main())


def test_talk_calls_the_agent_with_the_tabs_own_softphone(desk, reception):
    async def main() -> None:
        phone, _ = brief(reception)
        tab, _ = open_tab(desk, phone)
        tab._talk()
        call = phone.last_call
        await desk.until(lambda: tab._softphone.in_use)
        call.stop()
        await call
        assert phone.calls["direction"].tolist() == ["test"]
        tab.close()
        assert (tab._softphone.state, phone._watch.lookers) == ("closed", 0)

    desk.run(main())
