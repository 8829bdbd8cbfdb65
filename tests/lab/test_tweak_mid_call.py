"""The story of the house in a real JupyterLab: pick up the phone, change a sentence while talking, hear it, roll back.

The microphone is Chromium's fake device, which plays a recorded question over and over; the voice, the recogniser and the brain
are those of this machine. What the agent said is judged by the recogniser, on the recording of the call.
"""

from __future__ import annotations

import asyncio
import re
import time
import wave
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from patter_nb.audio import g711
from patter_nb.audio.formats import MULAW_8K
from patter_nb.audio.wav import write_wav
from patter_nb.callers import caller_voice
from patter_nb.providers.base import CallContext, Transcript
from patter_nb.providers.local import LocalSTT
from patter_nb.records.store import Store

pytestmark = pytest.mark.slow

PHONE = """
from patter_nb import DemoBrain, LocalSTT, LocalTTS, Patter

phone = Patter()
agent = phone.agent("Dinner is served from six to ten.", stt=LocalSTT(), llm=DemoBrain(), tts=LocalTTS(), first_message="Hello!")
"""
QUESTION = "When is dinner?"
PAUSE_SECONDS = 6.0
"""How long the microphone is silent after the question: the answer has been heard by then."""
CALL_SECONDS = 150.0
EARLY = {"six": "early", "6": "early"}
"""Dinner as the first prompt has it; recognisers write hours in either way."""
STORY = ["early", "late", "early"]


@pytest.fixture
def microphone(tmp_path: Path) -> Path:
    """The question and a pause, as a WAV file."""
    samples, hz = asyncio.run(caller_voice().render(QUESTION))
    pause = np.zeros(int(PAUSE_SECONDS * hz), np.int16)
    return write_wav(tmp_path / "question.wav", np.concatenate([samples, pause]), hz)


async def words(samples: Any) -> str:
    """What the recogniser hears in 8 kHz samples."""
    async with LocalSTT().open(CallContext("judge"), MULAW_8K) as stream:
        stream.speech_started(0.0)
        stream.push(g711.encode(samples), len(samples) / 8000)
        stream.finalize()
        async for event in stream:
            if isinstance(event, Transcript) and event.final:
                return event.text.lower()
    return ""


def agent_said(store: Path) -> list[str]:
    """Each stretch of the agent's speech in the recording of the last call, as the recogniser hears it."""
    kept = Store(store)
    calls, events = kept.calls(), kept.events()
    kept.close()
    with wave.open(calls["recording_path"].iloc[-1]) as file:
        assert (file.getframerate(), file.getnchannels()) == (8000, 2)
        agent = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)[:, 1]
    spoken = list(events.loc[events["kind"] == "agent_speech", "data"])
    stretches = [agent[int(each["started_at"] * 8000) : int((each["ended_at"] + 0.3) * 8000)] for each in spoken]

    async def all_words() -> list[str]:
        return [await words(stretch) for stretch in stretches]

    with ThreadPoolExecutor(1) as beside:  # the browser's driver has a loop running in this thread
        return beside.submit(asyncio.run, all_words()).result(120)


def replies(page: Any) -> int:
    return int(page.ask("print((phone.turns.kind == 'caller').sum())"))


def wait_for_replies(page: Any, count: int) -> None:
    """Wait until so many turns were answered. The page's own clock lets time pass."""
    until = time.monotonic() + CALL_SECONDS
    while replies(page) < count:
        assert time.monotonic() < until, f"{replies(page)} of {count} turns after {CALL_SECONDS} s: {page.text(1)}"
        page.page.wait_for_timeout(250)


def test_a_sentence_changed_while_talking_is_heard_in_the_next_reply_and_rolled_back_is_heard_again(
    open_page, microphone, lab, pictures
):
    page = open_page([PHONE, "phone.studio(agent)"], microphone=microphone, permissions=("microphone",))
    page.run_all()
    studio = page.output(1)
    studio.get_by_role("tab", name="Call", exact=True).click()
    studio.get_by_role("button", name="Talk").click()
    wait_for_replies(page, 2)
    page.show(1)
    page.screenshot(pictures / "story_call.png")
    studio.get_by_role("tab", name="Prompt").click()
    prompt = studio.get_by_label("System prompt")
    prompt.fill("Dinner is served from eight to eleven.")
    prompt.press("Control+Enter")
    studio.get_by_text("Revision 2 is live as of turn").locator("visible=true").wait_for(timeout=60_000)
    page.screenshot(pictures / "story_edited.png")
    wait_for_replies(page, replies(page) + 2)
    studio.get_by_role("button", name="Roll back to revision 1").click()
    studio.get_by_text("Revision 3 is live as of turn").locator("visible=true").wait_for(timeout=60_000)
    wait_for_replies(page, replies(page) + 2)
    page.screenshot(pictures / "story_back.png")
    studio.get_by_role("tab", name="Call", exact=True).click()
    page.show(1)
    page.screenshot(pictures / "story_end.png")
    studio.get_by_role("group", name="Softphone").get_by_role("button", name="Hang up").click()
    assert page.ask("await phone.last_call.ended(); print(phone.last_call.end_reason, phone.flush())") == "caller hung up True\n"
    turns = page.ask("t = phone.turns; t = t[t.kind == 'caller']; print(t[['turn', 'revision', 'caller_text', 'heard_text']])")
    heard = agent_said(lab.notebooks / ".patter_nb" / "calls.sqlite3")
    told = f"{turns}\n{heard}"
    hours = [found.group() for each in heard if (found := re.search(r"six|6|eight|8", each))]
    assert [hour for hour, _ in groupby(EARLY.get(hour, "late") for hour in hours)] == STORY, told
