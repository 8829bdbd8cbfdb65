"""The softphone in JupyterLab: a call over each of its ways, and the states that a notebook brings about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from patter_nb.audio.synthetic import synthetic_voice
from patter_nb.audio.wav import write_wav

pytestmark = pytest.mark.slow

SETUP = """
from patter_nb import Patter, ScriptedLLM, ScriptedSTT, ScriptedTTS, Softphone
phone = Patter(store=False)
agent = phone.agent("A test.", stt=ScriptedSTT(["when is dinner"] * 9), llm=ScriptedLLM(["At six."] * 9), tts=ScriptedTTS(),
                    first_message="Hello!")
"""
BUSY = """
import time
until = time.time() + 6
while time.time() < until:
    pass
"""
CALL = "call = phone.test(agent)\ncall"
ROWS = "print(list(call.turns.heard_text), call.end_reason)"

NO_SOCKET = """
const Socket = WebSocket;
globalThis.WebSocket = class extends Socket {
  constructor(url, ...more) {
    super(PATTERN.test(url) ? 'ws://127.0.0.1:1024/closed' : url, ...more);
  }
};
"""
"""A page to which some sockets are closed: those whose address is of a pattern."""

DIRECT = r"/^ws:\/\/[^\/]*\/softphone\/line/"
ANY = r"/softphone\/line/"


@pytest.fixture
def microphone(tmp_path: Path) -> Path:
    samples, hz = synthetic_voice("hello there, when is dinner today")
    path = tmp_path / "speech.wav"
    write_wav(path, np.concatenate([np.zeros(2 * hz, np.int16), samples, np.zeros(4 * hz, np.int16)]), hz)
    return path


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A JupyterLab under a prefix, as JupyterHub runs one."""
    from tests_of_lab_harness import Lab, need_browser

    need_browser()
    server = Lab(tmp_path_factory.mktemp("hub"), base_url="/user/ann/")
    yield server
    server.close()


def start(open_page, microphone, closed: str = "", at=None, cells=(SETUP, CALL)):
    """A page whose notebook has run; the sockets of the pattern `closed` do not open there."""
    page = open_page([], microphone=microphone, **({} if at is None else {"at": at}))
    if closed:
        page.context.add_init_script(NO_SOCKET.replace("PATTERN", closed))
    page.open(list(cells))
    page.run_all()
    return page


def forget_closed_sockets(page) -> None:
    """The browser's own words about the sockets that a test has closed."""
    page.errors[:] = [error for error in page.errors if "127.0.0.1:1024" not in error]


def talk(page) -> None:
    page.page.get_by_text("agent is ready for your call").wait_for()
    page.page.get_by_role("button", name="Talk").click()
    page.page.get_by_text("On a call with agent").wait_for()


def until_answered(page) -> None:
    """Wait until the caller's turn was answered and heard."""
    page.ask("""
import asyncio
async def heard():
    async for event in call.stream():
        if event.kind == "transcript" and event.data["role"] == "assistant" and "six" in event.data["text"]:
            return
await asyncio.wait_for(heard(), 40)
""")  # fmt: skip


CLOSED = {"direct": "", "proxy": DIRECT, "comm": ANY}


@pytest.mark.parametrize("way", CLOSED)
def test_a_call_is_held_over_each_way(open_page, microphone, hub, pictures, way):
    page = start(open_page, microphone, CLOSED[way], hub if way == "proxy" else None)
    talk(page)
    until_answered(page)
    slow = page.page.get_by_text("slow way", exact=True)
    assert slow.is_visible() is (way == "comm")
    page.screenshot(pictures / f"softphone-{way}.png")
    page.page.get_by_role("button", name="Hang up").click()
    page.page.get_by_text("Call over").wait_for()
    page.ask("await call.ended(20)")
    told = page.ask(ROWS)
    assert told.startswith("['Hello!', 'At six.'")
    assert told.strip().endswith("caller hung up")
    forget_closed_sockets(page)


def test_a_notebook_that_is_closed_in_mid_call_drops_it(open_page, microphone, lab):
    page = start(open_page, microphone)
    talk(page)
    until_answered(page)
    page.page.evaluate("() => document.querySelector('.pnb-phone').closest('.jp-OutputArea-output').remove()")
    page.page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    page.ask("await call.ended(20)")
    assert "call dropped" in page.ask(ROWS)


def test_a_page_that_is_loaded_again_drops_the_call(open_page, microphone):
    page = start(open_page, microphone)
    talk(page)
    page.page.reload()
    page.page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.sessionContext.session?.kernel")
    page.ask("await call.ended(20)")
    assert "call dropped: its page was closed" in page.ask(ROWS)


def test_a_busy_cell_is_seen_and_the_call_outlives_it(open_page, microphone, pictures):
    page = start(open_page, microphone, cells=(SETUP, CALL, "1"))
    talk(page)
    page.run(2, source=BUSY, wait=False)
    page.page.get_by_text("The kernel is busy").wait_for()
    page.screenshot(pictures / "softphone-busy.png")
    page.page.get_by_text("Speak.").wait_for()
    until_answered(page)
    page.page.get_by_role("button", name="Hang up").click()
    page.ask("await call.ended(20)")
    assert page.ask(ROWS).strip().endswith("caller hung up")


def test_a_kernel_that_was_restarted_is_told(open_page, microphone):
    page = start(open_page, microphone)
    page.page.get_by_text("agent is ready").wait_for()
    page.restart_kernel()
    page.page.get_by_text("The kernel does not answer").wait_for()
    page.errors.clear()  # sockets that find nobody


def test_a_kernel_that_others_restart_in_mid_call_is_told_by_all_of_the_studio(open_page, microphone, lab, pictures):
    """The page is told nothing then, and its widgets are to it what they were."""
    page = start(open_page, microphone, cells=(SETUP, "phone.studio(agent)"))
    studio = page.output(1)
    studio.get_by_role("tab", name="Call", exact=True).click()
    studio.get_by_role("button", name="Talk").click()
    studio.get_by_text("Speak.").wait_for()
    run = studio.get_by_role("button", name="Run caller")
    studio.get_by_text("on the phone", exact=True).wait_for()
    assert (run.is_disabled(), run.get_attribute("title")) == (True, "A call is on.")
    page.show(1)
    page.screenshot(pictures / "studio-talking.png")
    kernel = page.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id")
    own = {"Authorization": f"token {lab.token}"}
    assert page.context.request.post(f"{lab.url}api/kernels/{kernel}/restart", headers=own).ok
    studio.get_by_text("The kernel does not answer").wait_for()
    studio.get_by_text("kernel gone", exact=True).wait_for()
    page.show(1)
    page.screenshot(pictures / "studio-kernel-gone.png")
    assert studio.get_by_text("The kernel has restarted, and this studio went with it").locator("visible=true").count() == 2
    for words in ("on the phone", "in call", "A call is on.", "The kernel is busy"):
        assert studio.get_by_text(words).locator("visible=true").count() == 0, words
    assert run.is_disabled()
    assert studio.get_by_role("button", name="Hang up").locator("visible=true").count() == 0
    page.errors.clear()  # sockets that find nobody


def test_running_the_cell_again_puts_another_softphone_there(open_page, microphone):
    page = start(open_page, microphone)
    page.page.get_by_text("agent is ready").wait_for()
    page.ask("first = call")
    page.run(1)
    page.page.get_by_text("agent is ready").wait_for()
    page.ask("await first.ended(20)")
    assert page.ask("print(first.end_reason, call.state)").strip() == "the softphone was closed running"
    talk(page)
    page.ask("call.stop()")


def test_the_notebook_keeps_no_token(open_page, microphone):
    page = start(open_page, microphone)
    page.page.get_by_text("agent is ready").wait_for()
    token = page.ask("from patter_nb.softphone import ordered\nprint(ordered._made[-1]._token)").strip()
    saved = page.page.evaluate("() => JSON.stringify(window.jupyterapp.shell.currentWidget.content.model.toJSON())")
    assert len(token) >= 32
    assert token not in saved
    page.ask("call.stop()")


def test_a_call_is_heard_while_it_runs(open_page, pictures):
    page = start(open_page, None, cells=(SETUP, 'call = phone.test(agent, caller=["Hello."] * 9, listen=True)\ncall'))
    page.page.get_by_text("A call with agent").wait_for()
    page.page.get_by_text("You hear both sides.").wait_for()
    page.screenshot(pictures / "softphone-listening.png")
    page.ask("call.stop()")
    page.page.get_by_text("Call over").wait_for()


def test_a_studio_whose_cell_is_run_again_keeps_its_call(open_page, microphone):
    page = start(open_page, microphone, cells=(SETUP, "phone.studio(agent)"))
    studio = page.output(1)
    studio.get_by_role("tab", name="Call", exact=True).click()
    studio.get_by_role("button", name="Talk").click()
    studio.get_by_text("On a call with agent").wait_for()
    page.ask("call = phone.last_call")
    for _ in range(2):
        page.run(1)
        studio.get_by_text("Speak.").wait_for()
    until_answered(page)
    studio.get_by_role("button", name="Hang up").first.click()
    page.ask("await call.ended(20)")
    assert page.ask(ROWS).strip().endswith("caller hung up")


def test_another_agent_is_refused_while_one_talks_and_the_refusal_goes_with_the_call(open_page, microphone):
    other = "phone.agent('Another.', name='other', stt=agent.stt, llm=agent.llm, tts=agent.tts)"
    page = start(open_page, microphone, cells=(SETUP + other, "phone.studio(agent)"))
    studio = page.output(1)
    studio.get_by_role("tab", name="Call", exact=True).click()
    studio.get_by_role("button", name="Talk").click()
    studio.get_by_text("Speak.").wait_for()
    studio.get_by_label("Agent", exact=True).select_option("other")
    refusal = studio.get_by_text("You are on the phone with agent: hang up first, then choose other.")
    refusal.wait_for()
    studio.get_by_role("button", name="Hang up").first.click()
    studio.get_by_text("no call", exact=True).wait_for()
    refusal.wait_for(state="hidden")


def test_a_call_goes_on_in_the_other_view_of_its_widget(open_page, microphone):
    one = "softphone = Softphone()\ncall = phone.test(agent, softphone)\nsoftphone"
    page = start(open_page, microphone, cells=(SETUP, one, "softphone"))
    page.output(1).get_by_role("button", name="Talk").click()
    page.output(2).get_by_text("You talk on another page.").wait_for()
    page.run(1, source="1")
    page.output(2).get_by_text("Speak.").wait_for()
    until_answered(page)
    page.output(2).get_by_role("button", name="Hang up").click()
    page.ask("await call.ended(20)")
    assert page.ask(ROWS).strip().endswith("caller hung up")
