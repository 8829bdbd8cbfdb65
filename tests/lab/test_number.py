"""What a phone number shows under a cell: the question whether to point it here, and the report of a dry run."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ACCOUNT = Path(__file__).parents[1] / "account.py"
SHOP = "https://shop.example/voice"
HERE = "https://four-words.trycloudflare.com/webhooks/twilio/answer"

SETUP = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("tests_account", {str(ACCOUNT)!r})
sys.modules["tests_account"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
running = module.account()
there = await running.__aenter__()
from patter_nb.carriers.twilio.rest import TwilioRest
from patter_nb.telephony.number import NumberWebhook
number = NumberWebhook(TwilioRest(there.carrier), module.NUMBER, voice_url={HERE!r}, status_url="", folder=None,
                       secret=module.TOKEN, tell=print)
"""
ASK = "await number.begin()"
REPORT = """
from patter_nb import Patter, ScriptedLLM, ScriptedSTT, ScriptedTTS, CloudflareTunnel
there.type, there.balance = "Trial", "0.40"
phone = Patter(carrier=there.carrier, phone_number=module.NUMBER, store=False, tunnel=True)
agent = phone.agent("A test.", stt=ScriptedSTT([]), llm=ScriptedLLM([]), tts=ScriptedTTS())
report = await phone.check(agent, to="+15550009876", port=0)
report
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_question_is_answered_with_a_button_and_says_what_became_of_it(open_page, pictures: Path, dark: bool) -> None:
    page = open_page([SETUP, ASK, REPORT], dark=dark)
    page.run_all()
    asked = page.output(1)
    asked.get_by_role("button", name="Point it here").wait_for()
    assert "Calls to +1•••••1234 do not come to this notebook." in page.text(1)
    height = asked.locator(".pnb-ask").bounding_box()["height"]
    assert SHOP in page.text(1)
    assert HERE in page.text(1)
    page.show(1)
    page.screenshot(pictures / f"number_{'dark' if dark else 'light'}.png")
    asked.get_by_role("button", name="Point it here").focus()
    page.page.keyboard.press("Enter")
    asked.get_by_text("They come here until the server stops.").wait_for()
    assert asked.get_by_role("button", name="Leave it").is_hidden()
    assert asked.locator(".pnb-ask").bounding_box()["height"] == height  # nothing below it jumps
    assert page.ask("print(there.number['voice_url'])").strip() == HERE
    page.screenshot(pictures / f"number_answered_{'dark' if dark else 'light'}.png")
    assert page.ask("await number.end()\nprint(there.number['voice_url'])").split()[-1] == SHOP


def test_it_is_answered_while_a_cell_awaits(open_page) -> None:
    page = open_page([SETUP, ASK, "import asyncio\nwhile there.number['voice_url'] == module.SHOP: await asyncio.sleep(0.05)"])
    page.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    page.output(1).get_by_role("button", name="Leave it").wait_for()
    page.output(1).get_by_role("button", name="Point it here").click()
    page.wait_run()
