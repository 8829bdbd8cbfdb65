"""A call that is typed."""

from __future__ import annotations

import asyncio
import io
import threading
from collections import Counter
from typing import Any

import pytest

from patter_nb import guardrail, tool
from patter_nb.call import Call
from patter_nb.console import told
from patter_nb.errors import ConfigError
from patter_nb.phone import Patter
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.session.notices import CallEvent
from patter_nb.turns.messages import ToolRequest


class Typist(io.StringIO):
    """Types its next line when the screen has shown what it waits for, once more than it waited for the same before.

    The script is pairs of (what is shown, what is typed then).
    """

    def __init__(self, *script: tuple[str, str]) -> None:
        super().__init__()
        self._script = list(script)
        self.shown: list[str] = []
        self._ready = threading.Event()
        self._waited: Counter[str] = Counter()

    def write_line(self, text: str) -> None:
        self.shown.append(text)
        self._ready.set()

    def readline(self, *_: Any) -> str:  # type: ignore[override]
        if not self._script:
            return ""
        wanted, line = self._script.pop(0)
        self._waited[wanted] += 1
        for _ in range(200):
            if sum(wanted in text for text in self.shown) >= self._waited[wanted]:
                return f"{line}\n"
            self._ready.wait(0.05)
            self._ready.clear()
        raise AssertionError(f"{wanted!r} was never shown: {self.shown}")


def typed(*script: tuple[str, str], phone: Patter | None = None, tests: dict[str, Any] | None = None, **settings: Any) -> Any:
    """A typed call that is over, and what was shown."""
    typist = Typist(*script)
    held = phone or Patter(store=False)

    async def main() -> Call:
        given: dict[str, Any] = {
            "stt": ScriptedSTT([]), "tts": ScriptedTTS(), "first_message": "Hello!",
            "llm": ScriptedLLM(["First.", "Second."], first_token_seconds=0.0), **settings,
        }  # fmt: skip
        call = held.console(held.agent("A test.", **given), read=typist, write=typist.write_line, **(tests or {}))
        async with asyncio.timeout(20):
            return await call

    return asyncio.run(main()), typist.shown


def test_what_is_typed_is_answered_on_the_screen_and_the_rows_say_what_stood_in() -> None:
    phone = Patter(store=False)
    call, shown = typed(("Hello!", "good evening"), ("first token", "and you?"), ("first token", "/quit"), phone=phone)
    assert [text for text in shown if text.startswith(" agent")] == [" agent  Hello!", " agent  First.", " agent  Second."]
    assert "/quit or /hangup end the call" in shown[0]
    assert shown[-1] == f"        call over: {call.end_reason}"
    assert call.turns["caller_text"].tolist()[1:] == ["good evening", "and you?"]
    assert [line["text"] for line in call.transcript] == ["Hello!", "good evening", "First.", "and you?", "Second."]
    row = phone.calls.iloc[0]
    assert (row["source"], row["carrier"], row["end_reason"]) == ("typed", "console", "caller hung up")
    assert call.audio is None
    assert any(text.strip().startswith("first token after") for text in shown)


@pytest.mark.parametrize("ending", [(("Hello!", "/hangup"),), (("Hello!", "/quit"),), ()])
def test_the_caller_hangs_up_by_command_or_when_nothing_more_comes(ending: tuple[tuple[str, str], ...]) -> None:
    call, shown = typed(*ending)
    assert (call.state, call.error, call.end_reason) == ("ended", None, "caller hung up")
    assert shown[-1] == "        call over: caller hung up"


def test_history_is_shown_unknown_commands_show_the_help_and_neither_is_said() -> None:
    call, shown = typed(
        ("Hello!", "one"), ("First.", "/nonsense"), ("first token after", "/history"), ("     user  one", "/quit")
    )
    assert [text for text in shown if text.startswith("/quit")] == [shown[0]] * 2
    assert "        assistant  Hello!" in shown
    assert call.turns["caller_text"].tolist()[1:] == ["one"]


def test_a_line_of_keys_is_pressed_and_not_said() -> None:
    call, _ = typed(("Hello!", "12#"), ("First.", "/quit"))
    pressed = call.events[call.events["kind"] == "dtmf_received"]["data"].tolist()
    assert [data["digit"] for data in pressed] == ["1", "2", "#"]
    assert call.turns["caller_text"].tolist()[1:] == ["[DTMF: 12#]"]


def test_a_number_to_transfer_to_is_checked_in_the_terminal_and_a_good_one_ends_the_call() -> None:
    call, shown = typed(("Hello!", "/transfer 12"), ("E.164", "/transfer +15551234567"))
    assert any(text.startswith("        number must be a number in E.164") for text in shown)
    assert "transfer" in call.end_reason


def test_tools_guardrails_and_callbacks_work_as_in_a_spoken_call_and_are_shown_with_numbers_masked() -> None:
    @tool
    def find(number: str) -> str:
        """Find a guest."""
        return f"Ann, {number}"

    told_of: list[str] = []
    llm = ScriptedLLM([[ToolRequest("1", "find", '{"number": "+15557654321"}')], "It is a secret thing."])
    rail = guardrail("secrets", blocked_terms=["secret"], replacement="I cannot say.")
    _, shown = typed(
        ("Hello!", "who?"), ("I cannot say.", "/quit"), llm=llm, tools=[find], guardrails=[rail],
        tests={"on_transcript": lambda data: told_of.append(data["role"])},
    )  # fmt: skip
    text = "\n".join(shown)
    assert "tool find" in text
    assert "tool find -> Ann" in text
    assert "guardrail secrets replaced the rest of the answer" in text
    assert "secret thing" not in text
    assert "7654321" not in text
    assert {"user", "assistant"} <= set(told_of)


def test_an_edit_of_the_voice_leaves_a_typed_call_its_screen_and_one_of_the_call_alone_says_so() -> None:
    phone, refused = Patter(store=False), list[str]()

    def answer(_: Any) -> str:
        phone.edit(tts=ScriptedTTS(model="other"), system_prompt="New.")
        try:
            phone.live_calls[0].edit(tts=ScriptedTTS())
        except ConfigError as error:
            refused.append(str(error))
        return "Yes."

    call, shown = typed(
        ("Hello!", "one"), ("agent  Yes.", "two"), ("agent  Yes.", "/quit"), phone=phone, llm=ScriptedLLM(answer),
        tests={"on_call_start": lambda _: {"stt": ScriptedSTT([])}},
    )  # fmt: skip
    assert [text for text in shown if text.startswith(" agent")][:2] == [" agent  Hello!", " agent  Yes."]
    assert refused[0] == "tts stays as it is in this call: phone.edit(...) changes it for others."
    (failed,) = call.events[call.events["kind"] == "callback_failed"]["data"].tolist()
    assert "stt stays as it is in this call" in failed["error"]
    assert phone.line().newest.agent.tts.model == "other"  # type: ignore[union-attr]


TOLD: list[tuple[str, dict[str, Any], list[str]]] = [
    ("tool_progress", {"name": "t", "text": "at +15557654321"}, ["tool t: at +1•••••4321"]),
    ("tool_returned", {"name": "t", "result": "", "error": "broke"}, ["tool t -> broke"]),
    ("tool_returned", {"name": "t", "result": "fine", "error": None}, ["tool t -> fine"]),
    ("revision", {"revision": 3}, ["revision 3 answers from here on"]),
    ("metrics", {"llm_ttft_ms": 12.4}, ["first token after 12 ms"]),
    ("metrics", {"llm_ttft_ms": None}, []),
    ("transcript", {"text": "x"}, []),
]


@pytest.mark.parametrize(("kind", "data", "lines"), TOLD)
def test_what_happens_besides_talking_is_a_line(kind: str, data: dict[str, Any], lines: list[str]) -> None:
    assert told(CallEvent(kind, 0.0, data)) == lines
