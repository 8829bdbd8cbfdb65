"""The page in a real browser: whole calls with a microphone that plays speech, and every state that people meet."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from patter_nb.audio.synthetic import synthetic_voice
from patter_nb.audio.wav import write_wav
from patter_nb.carriers.simulated.wire import CarrierWire
from patter_nb.carriers.twilio_media import TwilioMediaCodec
from patter_nb.errors import ConfigError
from patter_nb.notebook.studio.style import STUDIO_STYLE
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT
from patter_nb.softphone import Softphone

from .conftest import browser, scripted

pytestmark = pytest.mark.slow

NO_MICROPHONE = {
    # What a browser says, and what the page tells its user.
    "NotAllowedError": "The microphone is not allowed",
    "NotFoundError": "No microphone was found",
    "NotReadableError": "The microphone cannot be opened",
}


@pytest.fixture
def microphone(tmp_path: Path) -> Path:
    """Speech of some two seconds and a silence of four, over and over."""
    samples, hz = synthetic_voice("hello there, when is dinner today")
    path = tmp_path / "speech.wav"
    write_wav(path, np.concatenate([np.zeros(2 * hz, np.int16), samples, np.zeros(4 * hz, np.int16)]), hz)
    return path


@contextlib.asynccontextmanager
async def opened(url: str, microphone: Path | None = None, script: str = "", **settings: Any) -> AsyncIterator[Any]:
    """The page in a Chromium; what its console says as an error fails the test."""
    from playwright.async_api import async_playwright

    browser().need_browser()
    flags = [flag for flag in browser().FLAGS if not flag.startswith("--autoplay")]
    if microphone is not None:
        flags += ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
        flags += [f"--use-file-for-fake-audio-capture={microphone}"]
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=str(browser().CHROMIUM), args=flags)
        page = await (await chromium.new_context(**settings)).new_page()
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.errors = errors
        if script:
            await page.add_init_script(script)
        await page.goto(url)
        try:
            yield page
        finally:
            await chromium.close()
    assert errors == []


def refusing(name: str) -> str:
    return f"navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('no', '{name}'); }};"


async def happens(call: Any, kind: str, count: int = 1) -> None:
    async for event in call.stream():
        count -= event.kind == kind
        if count == 0:
            return


def test_a_call_is_held_in_a_browser(run, phone, microphone):
    async def main():
        softphone = Softphone()
        call = phone.test(scripted(phone), caller=softphone)
        async with opened(softphone.url, microphone) as page:
            await page.get_by_text("agent is ready for your call").wait_for()
            await page.get_by_role("button", name="Talk").click()
            await page.get_by_text("On a call with agent").wait_for()
            await happens(call, "transcript", 3)  # greeting, caller, answer
            await page.keyboard.press("4")
            await page.get_by_role("button", name="Keys").click()
            await page.get_by_role("button", name="Key #").click()
            await happens(call, "dtmf", 2)
            await page.get_by_role("button", name="Hang up").click()
            await call.ended(10)
            await page.get_by_text("Caller hung up.").wait_for()
            assert softphone.state == "ended"
        softphone.close()
        return call

    call = run(main())
    assert call.end_reason == "caller hung up"
    assert call.turns.loc[0, "heard_text"] == "Hi."
    assert call.turns.loc[1, "caller_text"] == "one"
    assert call.turns.loc[1, "heard_text"] == "First."
    assert 300 < call.turns.loc[1, "gap_ms"] < 2000
    assert call.audio.caller.any()
    assert call.audio.agent.any()


def test_the_agent_is_interrupted_by_a_voice_and_the_page_falls_silent(run, phone, microphone):
    async def main():
        softphone = Softphone()
        agent = scripted(phone, first_message=" ".join(["This greeting is a long one and goes on."] * 12))
        call = phone.test(agent, caller=softphone)
        async with opened(softphone.url, microphone) as page:
            await page.get_by_role("button", name="Talk").click()
            await happens(call, "transcript", 2)
            call.stop()
            await call.ended(10)
        softphone.close()
        return call

    call = run(main())
    greeting = call.turns.loc[0]
    assert greeting.interrupted
    assert 0 < len(greeting.heard_text) < len(" ".join(["This greeting is a long one and goes on."] * 12))


def test_muting_is_heard_as_silence_and_seen(run, phone, microphone):
    async def main():
        softphone = Softphone()
        call = phone.test(scripted(phone), caller=softphone)
        async with opened(softphone.url, microphone) as page:
            await page.get_by_role("button", name="Talk").click()
            await page.get_by_text("On a call").wait_for()
            await page.get_by_role("button", name="Mute").click()
            await page.get_by_text("You are muted").wait_for()
            assert await page.get_by_role("button", name="Muted").get_attribute("aria-pressed") == "true"
            with pytest.raises(TimeoutError):
                await call.ended(timeout_seconds=6 - call.duration_seconds)
            muted = call.between(2, 6)
            await page.keyboard.press("m")
            await happens(call, "user_speech_started")
            await page.get_by_role("button", name="Hang up").click()
            await call.ended(10)
        softphone.close()
        return muted

    assert not run(main()).caller.any()


@pytest.mark.parametrize("name", NO_MICROPHONE)
def test_without_a_microphone_the_page_says_what_to_do_and_the_call_rings_on(run, phone, name):
    async def main():
        softphone = Softphone()
        call = phone.test(scripted(phone), caller=softphone)
        async with opened(softphone.url, script=refusing(name)) as page:
            await page.get_by_role("button", name="Talk").click()
            await page.get_by_role("alert").get_by_text(NO_MICROPHONE[name]).wait_for()
            assert softphone.state == "ringing"
            assert await page.get_by_role("button", name="Talk").is_enabled()
            call.stop()
            await call.ended(10)
        softphone.close()

    run(main())


LATE = """
globalThis.WebSocket = class extends WebSocket {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", ({ data }) => { if (JSON.parse(data).event === "state") this.state = data; });
  }
  send(text) {
    super.send(text);
    if (JSON.parse(text).event === "talk") this.onmessage({ data: this.state });
  }
};
"""
"""A page to which the state before a press of Talk comes once more after it, as from a kernel that was busy."""


def test_a_state_from_before_the_press_of_talk_does_not_close_the_microphone(run, phone, microphone):
    async def main():
        softphone = Softphone()
        call = phone.test(scripted(phone), caller=softphone)
        async with opened(softphone.url, microphone, LATE) as page:
            await page.get_by_role("button", name="Talk").click()
            await happens(call, "transcript", 3)
            await page.get_by_role("button", name="Hang up").click()
            await call.ended(10)
        softphone.close()
        return call

    assert run(main()).turns.loc[1, "caller_text"] == "one"


def test_a_refusal_stands_there_as_it_is_and_a_few_words_become_a_sentence(run, microphone):
    reasons = iter(["llm is missing: give llm=.", "no agent is there"])

    def refuse() -> None:
        raise ConfigError(next(reasons))

    async def main() -> None:
        softphone = Softphone()
        softphone.on_talk(refuse)
        async with opened(softphone.url, microphone) as page:
            for shown in ("llm is missing: give llm=. Press Talk to call again.", "No agent is there. Press Talk to call again."):
                await page.get_by_role("button", name="Talk").click()
                await page.get_by_text(shown).wait_for()
                assert await page.get_by_role("status").inner_text() == shown
        softphone.close()

    run(main())


@pytest.mark.parametrize("width", [440, 620])
def test_its_controls_stand_in_one_row(run, width):
    async def main() -> None:
        softphone = Softphone()
        async with opened(softphone.url, viewport={"width": 1280, "height": 600}) as page:
            await page.add_style_tag(content=STUDIO_STYLE)  # in a notebook another widget may bring it after the softphone's own
            await page.locator(".pnb-phone").evaluate("(panel, width) => { panel.style.width = `${width}px`; }", width)
            middles = await page.evaluate(
                """() => [...document.querySelector('.pnb-phone-row').children].map((each) => {
                  const { top, bottom } = each.getBoundingClientRect();
                  return Math.round((top + bottom) / 2);
                })"""
            )
            assert max(middles) - min(middles) <= 2
            assert await page.locator(".pnb-phone").evaluate("panel => panel.scrollWidth <= panel.clientWidth")
        softphone.close()

    run(main())


def test_a_page_that_is_not_secure_says_where_it_would_be(run, phone):
    async def main():
        softphone = Softphone()
        softphone.on_talk(lambda: None)
        script = "Object.defineProperty(globalThis, 'isSecureContext', {value: false});"
        async with opened(softphone.url, script=script) as page:
            await page.get_by_role("button", name="Talk").click()
            await page.get_by_text("https or on this machine only").wait_for()
        softphone.close()

    run(main())


@pytest.mark.parametrize("how", ["reload", "close"])
def test_a_page_that_is_loaded_again_or_closed_drops_the_call(run, phone, microphone, how):
    async def main():
        softphone = Softphone()
        call = phone.test(scripted(phone), caller=softphone)
        async with opened(softphone.url, microphone) as page:
            await page.get_by_role("button", name="Talk").click()
            await happens(call, "agent_speech_ended")
            if how == "reload":
                await page.reload()
                await page.get_by_text("Call dropped").wait_for()
                await page.get_by_text("Its page was closed").wait_for()
            else:
                await page.close()
            await call.ended(10)
        softphone.close()
        return call

    call = run(main())
    assert call.end_reason == "call dropped: its page was closed"
    assert call.turns.loc[0, "heard_text"] == "Hi."


def test_a_second_page_shows_the_call_and_may_end_it(run, phone, microphone):
    async def main():
        softphone = Softphone()
        call = phone.test(scripted(phone), caller=softphone)
        async with opened(softphone.url, microphone) as page:
            second = await page.context.new_page()
            await second.goto(softphone.url)
            await page.get_by_role("button", name="Talk").click()
            await second.get_by_text("You talk on another page.").wait_for()
            await second.get_by_role("button", name="Hang up").click()
            await call.ended(10)
            await page.get_by_text("Call over").wait_for()
        softphone.close()

    run(main())


def test_a_softphone_that_was_closed_is_not_looked_for(run):
    async def main():
        softphone = Softphone()
        async with opened(softphone.url) as page:
            await page.get_by_text("No call").wait_for()
            softphone.close()
            await page.get_by_text("This softphone is closed").wait_for()
            await page.wait_for_timeout(1500)  # by then a page that looks for it has an error in its console

    run(main())


def test_a_wrong_token_is_told_and_nothing_else(run):
    async def main():
        softphone = Softphone()
        async with opened(softphone.url[:-4] + "abcd") as page:
            await page.get_by_text("This softphone is closed").wait_for()
            assert await page.get_by_role("button", name="Talk").is_disabled()
        softphone.close()

    run(main())


FOREIGN = """
new Promise(done => {
  const socket = new WebSocket('URL');
  socket.onopen = () => done('open');
  socket.onclose = ({code}) => done(code);
})
"""


def test_a_page_of_another_site_in_the_same_browser_gets_no_socket(run):
    async def main():
        softphone = Softphone()
        base = softphone.url.split("?")[0].replace("http", "ws")
        async with opened("about:blank") as page:
            await page.route("http://evil.example/**", lambda route: route.fulfill(body="<p>x</p>", content_type="text/html"))
            await page.goto("http://evil.example/")
            closed = await page.evaluate(FOREIGN.replace("URL", f"{base}/line?phone={softphone.id}"))
            assert closed == 1006
            page.errors.clear()  # the browser says so itself
        softphone.close()

    run(main())


LOOK = "globalThis.seen = []; setInterval(() => seen.push(document.querySelector('[role=status]').textContent), 100)"
"""Notes what the page says, while nobody here can look."""


def test_a_busy_kernel_is_told_and_the_call_goes_on_after_it(run, phone, microphone):
    async def main():
        softphone = Softphone()
        call = phone.test(scripted(phone), caller=softphone)
        async with opened(softphone.url, microphone) as page:
            await page.get_by_role("button", name="Talk").click()
            await happens(call, "agent_speech_ended")
            await page.evaluate(LOOK)
            until = time.perf_counter() + 4.5
            while time.perf_counter() < until:
                pass  # a cell that computes: nothing of this loop runs
            assert any("The kernel is busy" in text for text in await page.evaluate("seen"))
            await page.get_by_text("Speak.").wait_for()
            await page.get_by_role("button", name="Hang up").click()
            await call.ended(10)
        softphone.close()
        return call

    assert run(main()).end_reason == "caller hung up"


LEVELS = """
() => [...document.querySelectorAll('.pnb-phone-level')].every(
  bar => (bar.seen ||= Number(/scaleX\\((.*)\\)/.exec(bar.style.transform)?.[1]) > 0.3))
"""
"""Whether both sides have been seen to be loud."""


def test_a_call_is_heard_on_a_page(run, phone):
    async def main():
        softphone = Softphone()
        agent = scripted(phone, stt=ScriptedSTT(["one"] * 20), llm=ScriptedLLM(["And on it goes."] * 20))
        call = phone.test(agent, caller=["Hello."] * 20, listen=softphone)
        async with opened(softphone.url) as page:
            # A page that has been clicked listens by itself, and what Playwright evaluates may count as a click.
            button = page.get_by_role("button", name=re.compile("^(Listen|Stop)$"))
            await button.wait_for()
            if await button.text_content() == "Listen":
                await button.click()
            await page.get_by_text("You hear both sides.").wait_for()
            await page.wait_for_function(LEVELS)
            call.stop()
            await call.ended(30)
            await page.get_by_text("Call over").wait_for()
        softphone.close()

    run(main())


BUTTONS = """
() => {
  const button = document.querySelector('.pnb-phone-main');
  globalThis.seen = [];
  new MutationObserver(() => seen.push(button.textContent)).observe(button, { childList: true });
  const build = AudioWorklet.prototype.addModule;
  AudioWorklet.prototype.addModule = async function (url) {
    await new Promise((done) => setTimeout(done, 500));
    return build.call(this, url);
  };
}
"""
"""Notes what the main button says, and opens the sound slowly."""


def test_the_button_says_what_was_wished_while_the_sound_opens(run, phone):
    async def main():
        softphone = Softphone()
        agent = scripted(phone, stt=ScriptedSTT(["one"] * 20), llm=ScriptedLLM(["And on it goes."] * 20))
        async with opened(softphone.url) as page:
            await page.evaluate(BUTTONS)
            await page.get_by_text("No call").click()  # from here on the page may play sound
            call = phone.test(agent, caller=["Hello."] * 20, listen=softphone)
            for name in ("Stop", "Listen", "Stop"):
                await page.get_by_role("button", name=name).click()
            await page.get_by_role("button", name="Listen").click()
            await page.get_by_text("You hear both sides.").wait_for()
            await page.wait_for_function(LEVELS)
            call.stop()
            await call.ended(30)
            seen = await page.evaluate("seen")
        softphone.close()
        return seen

    seen = run(main())
    assert seen[seen.index("Stop") :][:5] == ["Stop", "Listen", "Stop", "Listen", "Stop"]
    assert "Listen" not in seen[: seen.index("Stop")]


def shape(value: Any) -> Any:
    """The fields of a message and the types of their values; ids by their form."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, str) and len(value) == 34 and value[:2].isupper():
        return f"{value[:2]}…"
    return type(value).__name__ if not isinstance(value, list) else value


CARRIER = """
async () => {
  const {Carrier} = await import("./softphone/softphone.js");
  const sent = [], orders = [];
  const carrier = new Carrier(text => sent.push(text), {order: order => orders.push(order)});
  carrier.start({caller: "+1"});
  carrier.frame(new Uint8Array(160).fill(255));
  carrier.frame(new Uint8Array(160).fill(0));
  carrier.mark("r1.s1.1");
  carrier.press("#");
  const stream = carrier.stream;
  carrier.take({event: "clear", streamSid: stream});
  carrier.take({event: "clear", streamSid: "another"});
  carrier.stop();
  carrier.frame(new Uint8Array(160));
  return [sent, orders];
}
"""


def test_the_page_speaks_as_the_carrier_does(run):
    async def main():
        softphone = Softphone()
        async with opened(softphone.url) as page:
            said = await page.evaluate(CARRIER)
        softphone.close()
        return said

    sent, orders = run(main())
    wire = CarrierWire()
    expected = [
        wire.connected(), wire.start({"caller": "+1"}), wire.media(b"\xff" * 160, 0), wire.media(b"\x00" * 160, 20),
        wire.mark("r1.s1.1"), wire.dtmf("#"), wire.stop(),
    ]  # fmt: skip
    assert [shape(json.loads(text)) for text in sent] == [shape(json.loads(text)) for text in expected]
    ids = ("accountSid", "streamSid", "callSid")

    def without_ids(text: str) -> Any:
        message = json.loads(text)
        event = message["event"]
        inner = message.get(event, {})
        return {**message, "streamSid": "", event: {name: value for name, value in inner.items() if name not in ids}}

    assert [without_ids(text) for text in sent] == [without_ids(text) for text in expected]
    assert orders == [{"clear": True, "speaking": True}, {"clear": True}, {"clear": True, "speaking": False}]
    codec = TwilioMediaCodec()
    assert sum(len(codec.decode(text)) for text in sent) == 6


def test_nothing_is_asked_of_anybody_but_our_server(run, phone, microphone):
    async def main():
        softphone = Softphone()
        call = phone.test(scripted(phone), caller=softphone)
        asked: list[str] = []
        async with opened("about:blank", microphone) as page:
            page.on("request", lambda request: asked.append(request.url))
            await page.goto(softphone.url)
            await page.get_by_role("button", name="Talk").click()
            await page.get_by_text("On a call").wait_for()
            page.errors.clear()
        await call.ended(20)
        base = softphone.url.split("/softphone")[0]
        softphone.close()
        return [url for url in asked if not url.startswith((base, "blob:"))]

    assert run(main()) == []


