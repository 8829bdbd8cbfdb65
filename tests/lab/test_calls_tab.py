"""The Calls tab in JupyterLab: calls and turns are chosen with the mouse and with keys, heard, sorted and filtered."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

AGENT = """
from patter_nb import Patter, ScriptedLLM, ScriptedSTT, ScriptedTTS, tool
from patter_nb.callers import Line
from patter_nb.turns.messages import ToolRequest
from patter_nb.turns.usage import Price
@tool
def free_table(guests: int, hour: int = 19) -> str:
    "Look for a free table."
    return f"Table four is free for {guests} at {hour}. Ask +1 555 765 4321."
price = Price(usd_per_1m_input_tokens=0.15, usd_per_1m_output_tokens=0.6, usd_per_1k_characters=0.05, usd_per_audio_minute=0.006)
SAID = ["Hi, do you have a table for two tonight?", "It is Johnson, and please hurry", "Thanks, bye."]
ANSWERS = [
    [ToolRequest("t1", "free_table", '{"guests": 2}')],
    "Table four is free for two at seven. Shall I put it aside for you, under which name please?",
    "Thank you, Mr Johnson. Your table is booked.",
    "Goodbye!",
]
LINES = [SAID[0], Line(SAID[1], interrupt_after_seconds=2.0), SAID[2]]
def make(phone, **settings):
    usual = {
        "stt": ScriptedSTT(SAID, price=price), "llm": ScriptedLLM(ANSWERS, price=price), "tts": ScriptedTTS(price=price),
        "tools": [free_table], "first_message": "Acme, good evening!", "name": "reception",
    }
    return phone.agent("You are the receptionist of Acme. Ring +1 555 765 4321.", **{**usual, **settings})
phone = Patter(show=False)
agent = make(phone)
"""
CALLS = """
await phone.test(agent, LINES, speed="max")
edit = phone.edit(agent, system_prompt="You are the receptionist of Acme. Be brief.", note="brief")
await phone.test(phone.line("reception").newest.agent, LINES[:1], speed="max", record=False)
await phone.test(phone.line("reception").newest.agent, LINES, speed="max")
other = make(phone, name="night porter", tools=[], llm=ScriptedLLM(["Closed."]), first_message="")
await phone.test(other, ["Hello?"], speed="max")
phone.flush()
"""


@pytest.fixture
def calls_tab(open_page):
    """A page with the Calls tab, and the cells of calls that may be run above it."""

    def open_(dark: bool = False):
        page = open_page([AGENT, CALLS, "phone.studio(agent)"], dark=dark)
        page.run(0)
        page.run(2)
        page.tab = page.output(2)
        page.tab.get_by_role("tab", name="Calls", exact=True).click()
        page.calls = page.tab.locator(".pnb-calls")
        page.show(2)
        return page

    return open_


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_calls_come_as_they_are_held_and_a_turn_is_seen_and_heard(calls_tab, dark, pictures):
    tone = "dark" if dark else "light"
    page = calls_tab(dark)
    calls = page.calls
    calls.get_by_text("No calls yet").wait_for()
    page.screenshot(pictures / f"calls-empty-{tone}.png")
    page.run(1)
    page.show(2)
    calls.get_by_text("4 calls", exact=True).wait_for()
    calls.locator("tr[data-call]").nth(3).click()
    calls.locator(".pnb-turn-row", has_text="table for two tonight").click()
    calls.get_by_role("heading", name="Turn 1").wait_for()
    audio = calls.locator("audio")
    audio.wait_for()
    page.page.wait_for_function("audio => audio.currentTime > 0.3", arg=audio.element_handle())
    page.screenshot(pictures / f"calls-turn-{tone}.png")
    detail = calls.locator(".pnb-detail").inner_text()
    assert "Shall I put it aside for you, under which name please?" in calls.locator(".pnb-detail del").inner_text()
    told = ("endpointing", "hangover_ms", "interrupted", "revision 1", 'free_table({"guests": 2})', "+1•••••4321", "is estimated")
    for said in told:
        assert said in detail, said
    calls.get_by_text("Prompt of revision 1").click()
    assert calls.locator(".pnb-detail pre").inner_text() == "You are the receptionist of Acme. Ring +1•••••4321."
    calls.locator(".pnb-detail").evaluate("element => element.scrollIntoView()")
    page.screenshot(pictures / f"calls-detail-{tone}.png")


def test_what_was_not_recorded_and_what_is_gone_say_so(calls_tab, pictures):
    page = calls_tab()
    page.run(1)
    page.show(2)
    calls = page.calls
    calls.get_by_text("4 calls", exact=True).wait_for()
    calls.locator("tr[data-call]").nth(2).click()
    calls.get_by_text("This call was not recorded.").wait_for()
    page.screenshot(pictures / "calls-not-recorded.png")
    page.ask(
        "import os\n"
        "first = phone._calls[0]\n"
        "os.remove(phone.calls.set_index('call_id').loc[first.id, 'recording_path'])\n"
        "first._recording = None"
    )
    calls.locator("tr[data-call]").nth(3).click()
    calls.get_by_text("The recording is gone").wait_for()
    page.screenshot(pictures / "calls-gone.png")


def test_keys_walk_through_calls_and_turns_and_play(calls_tab):
    page = calls_tab()
    page.run(1)
    page.show(2)
    calls, keys = page.calls, page.page.keyboard
    calls.get_by_text("4 calls", exact=True).wait_for()
    calls.locator("tr[data-call]").first.click()
    keys.press("End")
    calls.locator("tr.pnb-picked", has_text="0:1").wait_for()
    assert calls.locator("tr[data-call]").nth(3).evaluate("row => row === document.activeElement")
    calls.locator(".pnb-turn-row.pnb-picked").focus()
    keys.press("Home")
    calls.get_by_role("heading", name="Turn 0, greeting").wait_for()
    keys.press("ArrowDown")
    calls.get_by_role("heading", name="Turn 1").wait_for()
    audio = calls.locator("audio")
    audio.wait_for()
    assert audio.evaluate("audio => audio.paused")
    keys.press("Enter")
    page.page.wait_for_function("audio => !audio.paused", arg=audio.element_handle())
    keys.press(" ")
    page.page.wait_for_function("audio => audio.paused", arg=audio.element_handle())
    page.page.wait_for_function("() => window.jupyterapp.shell.currentWidget.content.widgets.length === 3")


def test_calls_are_sorted_filtered_and_all_that_is_stored_is_there_after_a_restart(calls_tab, pictures):
    page = calls_tab()
    page.run(1)
    page.show(2)
    calls = page.calls
    calls.get_by_text("4 calls", exact=True).wait_for()
    calls.get_by_role("button", name="turns", exact=True).click()
    counts = [int(row.locator("td").nth(5).inner_text()) for row in calls.locator("tr[data-call]").all()]
    assert counts == sorted(counts, reverse=True)
    calls.get_by_label("every agent").select_option("reception")
    calls.get_by_text("3 of 4 calls").wait_for()
    calls.get_by_label("every revision").select_option("2")
    calls.get_by_text("2 of 4 calls").wait_for()
    calls.get_by_label("every kind of turn").select_option("greeting")
    assert calls.locator(".pnb-turn-row").count() == 1
    page.restart_kernel()
    page.run(0)
    page.run(2)
    page.tab.get_by_role("tab", name="Calls", exact=True).click()
    page.show(2)
    calls.get_by_text("No calls yet").wait_for()
    calls.get_by_role("button", name="Everything stored").click()
    calls.locator("tr[data-call]").nth(3).wait_for()
    calls.locator("tr[data-call]").nth(3).click()
    calls.locator(".pnb-turn-row", has_text="table for two tonight").click()
    calls.locator("audio").wait_for()
    page.screenshot(pictures / "calls-stored.png")
    page.errors[:] = [error for error in page.errors if "/softphone/" not in error]  # it looked for the kernel that had gone


LINE_CALLS = """
from datetime import UTC, datetime, timedelta
from patter_nb.records.facts import CallFacts
from patter_nb.records.line_usage import line_usage
log, begun = phone._log, datetime.now(UTC)
def line_call(name, direction, statuses, end=None, seconds=0.0, error=None):
    log.begin(CallFacts(
        call_id=name, agent="reception", revision=1, direction=direction, carrier="twilio", source="telephone",
        caller="+12125550134", callee="+12125559877", started_at=begun + timedelta(seconds=len(name)),
        stt_provider="scripted", llm_provider="scripted", tts_provider="scripted"))
    log.event(name, 0.0, "dialed" if direction == "outbound" else "incoming", {"carrier_call_id": "CA0123456789abcdef"})
    for status in statuses:
        log.event(name, 0.0, "carrier_status", {"status": status, "reason": None})
    if seconds:
        log.event(name, 0.0, "answered", {})
        log.event(name, seconds, "machine_detected", {"classification": "machine", "raw": "machine_end_beep", "after_ms": 3412.0})
        log.event(name, seconds, "call_usage", {"usage": line_usage(direction, seconds, "+12125559877", prices=log.prices)})
    if end:
        log.finish(name, duration_seconds=seconds, end_reason=end, error=error)
line_call("a", "outbound", ["ringing", "no-answer"], "no answer")
line_call("ab", "outbound", ["busy"], "busy")
line_call("abc", "outbound", [], "failed", error="Twilio refused the call (21219): verify the number first.")
line_call("abcd", "outbound", ["ringing", "in-progress"], "left a voicemail", 9.0)
line_call("abcde", "inbound", [], "caller hung up")
line_call("abcdef", "outbound", ["ringing"])
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_calls_over_a_line_say_whom_they_were_with_and_what_became_of_them(open_page, dark, pictures):
    page = open_page([AGENT, LINE_CALLS, "phone.studio(agent)"], dark=dark)
    for cell in range(3):
        page.run(cell)
    tab = page.output(2)
    tab.get_by_role("tab", name="Calls", exact=True).click()
    calls = tab.locator(".pnb-calls")
    page.show(2)
    calls.get_by_text("6 calls", exact=True).wait_for()
    rows = [row.replace("\t", " ") for row in calls.locator("tr[data-call]").all_inner_texts()]
    for row, said in zip(rows, ("ringing", "–", "0:09", "–", "–", "–"), strict=True):
        assert said in row
    assert "call from •••34" in rows[1]
    assert all("call to •••77" in rows[index] for index in (0, 2, 3, 4, 5))
    for index, ending in enumerate(("caller hung up", "left a voicemail", "failed", "busy", "no answer"), start=1):
        assert ending in rows[index]
    calls.locator("tr[data-call]").nth(5).click()
    calls.get_by_text("This call has no turn. Nobody picked up").wait_for()
    assert calls.get_by_text("Choose a turn").count() == 0
    calls.locator("tr[data-call]").nth(3).click()
    calls.get_by_text("This call has no turn. Twilio refused the call (21219)").wait_for()
    page.screenshot(pictures / f"calls-line-{'dark' if dark else 'light'}.png")
