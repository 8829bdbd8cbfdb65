"""The Call tab in JupyterLab: a call is run from it and watched, and every state it can be in is one that somebody designed."""

from __future__ import annotations

import pytest

from patter_nb.notebook.studio.style import STUDIO_STYLE

pytestmark = pytest.mark.slow

AGENT = """
from patter_nb import Patter, ScriptedLLM, ScriptedSTT, ScriptedTTS, guardrail, tool
from patter_nb.callers import Line
from patter_nb.turns.messages import ToolRequest
from patter_nb.turns.usage import Price
@tool
def free_table(guests: int, hour: int = 19) -> str:
    "Look for a free table."
    return f"Table four is free for {guests} at {hour}. Ask +1 555 765 4321."
price = Price(usd_per_1m_input_tokens=0.15, usd_per_1m_output_tokens=0.6, usd_per_1k_characters=0.05, usd_per_audio_minute=0.006)
SAID = ["A table for two, please?", "It is Johnson, and please hurry", "And is it better than the palace?", "Thanks, bye."]
ANSWERS = [
    [ToolRequest("t1", "free_table", '{"guests": 2}')],
    "Table four is free for two at seven. Shall I put it aside for you, under which name please?",
    "Thank you, Mr Johnson. Your table is booked for seven o'clock this evening.",
    "We are better than the grand palace, sir.",
    "Goodbye!",
]
LINES = [SAID[0], Line(SAID[1], interrupt_after_seconds=2.0), *SAID[2:]]
def make(phone, **settings):
    usual = {
        "stt": ScriptedSTT(SAID, price=price, interims=True), "llm": ScriptedLLM(ANSWERS, price=price),
        "tts": ScriptedTTS(price=price), "tools": [free_table], "first_message": "Acme, good evening!", "name": "reception",
        "guardrails": [guardrail("others", blocked_terms=["grand palace"], replacement="I can only speak for our own house.")],
    }
    return phone.agent("You are the receptionist of Acme. Dinner is served from six to ten.", **{**usual, **settings})
phone = Patter(store=False)
"""
LONG_CALL = """
long = Patter(store=False)
told = [f"{number} is a number and the caller says it" for number in range(120)]
agent = make(long, stt=ScriptedSTT(told), llm=ScriptedLLM(["Yes."] * 120), guardrails=[], max_duration_seconds=14400)
await long.test(agent, told, speed="max", record=False, show=False)
long.studio(agent)
"""
NO_VOICE = """
class NoVoice(ScriptedTTS):
    def open(self, call, audio):
        raise ConnectionError("the voice cannot be reached")
broken = Patter(store=False)
agent = make(broken, tts=NoVoice())
call = broken.test(agent, ["Hello?"], speed="max", show=False)
broken.studio(agent)
"""


@pytest.fixture
def call_tab(open_page):
    """A page with the Call tab of the studio that the last of these cells shows."""

    def open_(*cells: str, dark: bool = False):
        page = open_page([AGENT, *cells], dark=dark)
        for number in range(len(cells) + 1):
            page.run(number)
        page.last = len(cells)
        page.tab = page.output(page.last)
        page.tab.get_by_role("tab", name="Call", exact=True).click()
        page.live, page.caller = page.tab.locator(".pnb-live"), page.tab.locator(".pnb-caller-panel")
        page.show(page.last)
        return page

    return open_


def lines(page):
    return [line.inner_text().split("\n") for line in page.live.locator(".pnb-line").all()]


def test_talk_keeps_its_colour_under_the_pointer(call_tab):
    """Its words are white, and the pointer rests on the same button when it has become Hang up."""
    page = call_tab("phone.studio(make(phone))")
    page.tab.get_by_text("Press Talk to call.").wait_for()
    page.page.add_style_tag(content=STUDIO_STYLE)  # which widget brings its style sheet last is chance
    talk = page.tab.get_by_role("group", name="Softphone").get_by_role("button", name="Talk")
    colour = "button => getComputedStyle(button).backgroundColor"
    away = talk.evaluate(colour)
    talk.hover()
    assert (talk.evaluate("button => button.matches(':hover')"), talk.evaluate(colour)) == (True, away)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_call_that_is_run_there_is_watched_from_its_first_word_to_its_end(call_tab, dark, pictures):
    tone = "dark" if dark else "light"
    page = call_tab("phone.studio(make(phone))", dark=dark)
    caller, live = page.caller, page.live
    live.get_by_text("No call yet").wait_for()
    page.screenshot(pictures / f"call-empty-{tone}.png")
    first = caller.get_by_label("Line 1 of the caller")
    first.fill("")
    first.evaluate(
        """(input, text) => {
          const data = new DataTransfer();
          data.setData("text", text);
          input.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true}));
        }""",
        "A table for two, please?\nIt is Johnson, and please hurry\nAnd is it better than the palace?\nThanks, bye.",
    )
    caller.get_by_label("Line 5 of the caller").press("End")
    caller.get_by_role("button", name="Remove line 5").click()
    caller.get_by_label("When line 2 is said").select_option("cuts")
    caller.get_by_label("Seconds of the agent's speech before line 2 interrupts it").fill("2")
    caller.locator(".pnb-switch").uncheck()
    caller.get_by_role("button", name="Run caller").click()
    live.locator(".pnb-badge", has_text="in call").wait_for()
    live.locator(".pnb-is-tool").wait_for()
    live.locator(".pnb-is-caller").nth(1).wait_for()
    page.screenshot(pictures / f"call-on-{tone}.png")
    page.ask("phone.edit('reception', system_prompt='You are brief.', note='brief')")
    live.get_by_text("revision 2 from here: brief").wait_for()
    live.get_by_text("caller hung up").wait_for()
    live.locator(".pnb-bar-row .pnb-total").nth(3).wait_for()
    page.screenshot(pictures / f"call-over-{tone}.png")
    words = "\n".join(" ".join(line) for line in lines(page))
    assert "free_table({\"guests\": 2})" in words
    assert "+1•••••4321" in words
    assert "others stopped the reply" in words
    assert live.locator("del").first.inner_text() != ""
    assert live.locator(".pnb-value").nth(1).inner_text() == "4"


def test_a_call_of_another_cell_is_followed_and_can_be_told_what_to_say_muted_and_hung_up(call_tab):
    page = call_tab("phone.studio(make(phone))")
    page.ask("call = phone.test('reception' and phone.line('reception').newest.agent, ['One?'] * 9, show=False)")
    live = page.live
    live.get_by_text("Acme, good evening!").wait_for()
    live.get_by_role("button", name="Mute agent").click()
    live.get_by_text("the agent was muted").wait_for()
    live.get_by_role("button", name="Unmute agent").click()
    live.get_by_text("the agent may speak again").wait_for()
    live.get_by_label("What the agent shall say").fill("We close in five minutes.")
    live.get_by_label("What the agent shall say").press("Enter")
    live.locator(".pnb-is-agent", has_text="We close in five minutes.").wait_for()
    live.get_by_role("button", name="Hang up", exact=True).last.click()
    live.get_by_text("hung up by the agent's side").wait_for()
    assert live.get_by_role("button", name="Say", exact=True).is_hidden()


def test_a_busy_kernel_is_told_as_that_and_the_stall_names_its_cell(call_tab, pictures):
    page = call_tab("import time", "phone.studio(make(phone))")
    page.ask("call = phone.test(phone.line('reception').newest.agent, LINES, show=False)")
    live = page.live
    live.get_by_text("Acme, good evening!").wait_for()
    page.run(1, source="time.sleep(4)", wait=False)
    live.get_by_text("The kernel is busy with a cell").first.wait_for()
    page.show(page.last)
    page.screenshot(pictures / "call-busy.png")
    live.locator(".pnb-stalled", has_text="cell [4] kept the notebook busy").wait_for()
    live.get_by_role("button", name="Hang up", exact=True).last.click()
    live.locator(".pnb-badge", has_text="ended").wait_for()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_call_that_failed_says_why(call_tab, dark, pictures):
    page = call_tab(NO_VOICE, dark=dark)
    page.live.locator(".pnb-error", has_text="the voice cannot be reached").wait_for()
    page.screenshot(pictures / f"call-failed-{'dark' if dark else 'light'}.png")


def test_where_no_model_is_installed_it_says_what_installs_it(call_tab, pictures):
    page = call_tab(
        "import sys\n"
        "class Ear(ScriptedSTT):\n"
        "    virtual_time = False\n"
        "sys.modules['onnxruntime'] = None\n"
        "phone.studio(make(phone, stt=Ear(SAID)))"
    )
    page.caller.get_by_role("button", name="Run caller").click()
    install = page.caller.locator("pre", has_text="pip install")
    install.wait_for()
    page.screenshot(pictures / "call-no-model.png")
    assert install.inner_text() == 'pip install ".[local]"'


def test_a_long_call_stays_small_in_the_page(call_tab, pictures):
    page = call_tab(LONG_CALL)
    page.live.get_by_text("earlier lines not shown here").wait_for()
    assert page.live.locator(".pnb-line").count() == 200
    assert page.live.locator(".pnb-bars .pnb-bar").count() == 30
    for name in (".pnb-transcript", ".pnb-bars"):
        box = page.live.locator(name)
        assert box.evaluate("box => box.scrollHeight - box.scrollTop - box.clientHeight") < 24, name
    assert "earlier lines" in page.live.locator(".pnb-transcript > :first-child").inner_text()
    page.screenshot(pictures / "call-long.png")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_dropped_call_says_that_the_line_was_lost_and_an_earlier_call_can_be_chosen(call_tab, dark, pictures):
    page = call_tab("phone.studio(make(phone))", dark=dark)
    newest = "phone.line('reception').newest.agent"
    page.ask(f"first = phone.test({newest}, LINES, speed='max', show=False)")
    page.live.get_by_text("caller hung up").wait_for()
    page.ask(f"call = phone.test({newest}, LINES, show=False)")
    page.live.get_by_text("Acme, good evening!").wait_for()
    page.ask("call.stop('call dropped: its page was closed')")
    page.live.get_by_text("The line was lost").wait_for()
    page.screenshot(pictures / f"call-dropped-{'dark' if dark else 'light'}.png")
    page.live.get_by_label("Which call is shown").select_option(index=2)
    page.live.get_by_text("caller hung up").wait_for()
    assert page.live.get_by_text("The line was lost").count() == 0
