"""A call that is typed."""

from __future__ import annotations

import asyncio
import io
import re
import threading
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from patter_nb import guardrail, tool
from patter_nb.audio.formats import MULAW_8K
from patter_nb.call import Call
from patter_nb.console import call as console
from patter_nb.console.devices import Keyboard
from patter_nb.console.shown import failure, told
from patter_nb.errors import ConfigError
from patter_nb.hooks import PipelineHooks
from patter_nb.phone import Patter
from patter_nb.providers.base import CallContext, Transcript
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.records.facts import EventFacts
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


class Person(Typist):
    """Sits at a terminal."""

    def isatty(self) -> bool:
        return True


def typed(*script: tuple[str, str], **given: Any) -> Any:
    """A typed call that is over, and what was shown."""
    return read_from(Typist(*script), **given)


def piped(text: str, **given: Any) -> Any:
    """A call whose lines are there from the beginning, and what was shown."""
    reader = io.StringIO(text)
    return read_from(reader, **given)


def read_from(reader: Any, phone: Patter | None = None, tests: dict[str, Any] | None = None, **settings: Any) -> Any:
    held = phone or Patter(store=False)
    shown: list[str] = reader.shown if isinstance(reader, Typist) else []

    async def main() -> Call:
        given: dict[str, Any] = {
            "stt": ScriptedSTT([]), "tts": ScriptedTTS(), "first_message": "Hello!",
            "llm": ScriptedLLM(["First.", "Second."], first_token_seconds=0.0), **settings,
        }  # fmt: skip
        call = held.console(held.agent("A test.", **given), read=reader, write=write, **(tests or {}))
        async with asyncio.timeout(20):
            return await call

    write = getattr(reader, "write_line", shown.append)
    return asyncio.run(main()), shown


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


# A whole conversation that is piped in.


def spoken(shown: list[str]) -> list[str]:
    return [text.removeprefix(" agent  ") for text in shown if text.startswith(" agent")]


async def echo(messages: Any) -> AsyncIterator[str]:
    """Answers with what was said, when other tasks have had their turn."""
    for _ in range(50):
        await asyncio.sleep(0)
    yield f"You said {messages[-1]['content']}."


@pytest.mark.parametrize("ending", ["/quit\n", "/quit\nunsaid\n", ""])
@pytest.mark.parametrize("greeting", ["Hello!", ""])
def test_each_line_that_is_piped_in_waits_for_the_answer_to_the_one_before(greeting: str, ending: str) -> None:
    call, shown = piped(f"good evening\nand you?\n12#\n/history\n{ending}", llm=echo, first_message=greeting)
    answers = ["You said good evening.", "You said and you?.", "You said [DTMF: 12#]."]
    assert spoken(shown) == [*filter(None, [greeting]), *answers]
    assert call.turns["caller_text"].tolist()[bool(greeting) :] == ["good evening", "and you?", "[DTMF: 12#]"]
    assert f"        assistant  {answers[-1]}" in shown  # the history comes when the line before it is answered
    assert (call.end_reason, shown[-1]) == ("caller hung up", "        call over: caller hung up")


class Watchful(io.StringIO):
    """Notes what had happened when it was first asked for a line."""

    phone: Patter
    before: list[str] | None = None

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.asked = threading.Event()

    def readline(self, *arguments: Any) -> str:  # type: ignore[override]
        if self.before is None:
            (call,) = self.phone.live_calls
            self.before = [*(line["text"] for line in call.transcript), *call.events["kind"]]
            self.asked.set()
        return super().readline(*arguments)

    def write_line(self, text: str) -> None:
        """It takes time to say something: long enough to be asked for a line meanwhile."""
        if text == " agent  Hello!":
            self.asked.wait(0.1)


@pytest.mark.parametrize(("greeting", "wanted"), [("Hello!", {"answered", "Hello!"}), ("", {"answered"})])
def test_the_first_line_that_is_piped_in_waits_for_the_answer_and_the_greeting(greeting: str, wanted: set[str]) -> None:
    reader = Watchful("one\n")
    reader.phone = Patter(store=False)

    read_from(reader, phone=reader.phone, first_message=greeting)
    assert wanted <= set(reader.before or [])


def test_a_person_at_a_terminal_can_type_over_an_answer_that_does_not_come_and_see_what_is_not_answered_yet() -> None:
    async def answer(messages: Any) -> AsyncIterator[str]:
        if messages[-1]["content"] == "one":
            person.write_line("asked")
            await asyncio.Event().wait()
        yield "Second."

    person = Person(
        ("Hello!", "one"), ("asked", "/history"), ("     user  one", "two"), ("first token", "/history"), ("", "/quit")
    )  # fmt: skip
    call, shown = read_from(person, llm=answer)
    assert spoken(shown) == ["Hello!", "Second."]
    assert call.turns["caller_text"].tolist()[1:] == ["one two"]
    assert [text for text in shown if text.startswith("             user")] == [
        "             user  one",
        "             user  one two",
    ]


def test_the_history_has_words_once_also_when_a_hook_changed_them() -> None:
    hooks = PipelineHooks(after_transcribe=lambda text, _: text.upper())
    _, shown = piped("one\none\n/history\n", hooks=hooks)
    assert [text.split()[-1] for text in shown if text.startswith("             user")] == ["ONE", "ONE"]


def test_a_line_that_is_not_heard_or_not_answered_is_waited_for_no_longer_than_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "TAKEN_SECONDS", 0.5)
    monkeypatch.setattr(console, "ANSWER_SECONDS", 0.5)

    async def answer(messages: Any) -> AsyncIterator[str]:
        if messages[-1]["content"] == "stuck":
            await asyncio.Event().wait()
        yield "Fine."

    hooks = PipelineHooks(after_transcribe=lambda text, _: "" if text == "secret" else text)
    call, shown = piped("secret\nstuck\n/history\nwell?\n", llm=answer, hooks=hooks)
    said = [text.strip() for text in shown if "so the next line follows" in text]
    assert said == ["not heard after 0.5 s, so the next line follows", "not answered after 0.5 s, so the next line follows"]
    assert "             user  stuck" in shown
    assert spoken(shown) == ["Hello!", "Fine."]
    assert call.turns["caller_text"].tolist()[1:] == ["stuck well?"]


# Readers that are none, or that break.


@pytest.mark.parametrize(
    ("reader", "words"),
    [
        (["hello"], "read is list, which gives no lines of text: give an open text stream"),
        ("hello", "read is str, which gives no lines of text: give an open text stream"),
        (io.BytesIO(b"hello"), "read is BytesIO, which gives no lines of text: give an open text stream"),
    ],
)
def test_what_gives_no_lines_of_text_is_refused_at_once_and_no_call_begins(reader: Any, words: str) -> None:
    phone = Patter(store=False)
    with pytest.raises(ConfigError, match=words):
        read_from(reader, phone=phone)
    assert phone.live_calls == ()


def test_a_closed_reader_and_a_closed_standard_input_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO("")
    closed.close()
    with pytest.raises(ConfigError, match="read is closed: give an open text stream"):
        read_from(closed)
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(ConfigError, match="read is missing, and there is no standard input: give an open text stream"):
        read_from(None)


class Breaks:
    """Gives a line, then does something else."""

    def __init__(self, then: Any) -> None:
        self._then = then
        self._read = False

    def readline(self) -> Any:
        if not self._read:
            self._read = True
            return "hello\n"
        if isinstance(self._then, BaseException):
            raise self._then
        return self._then


BREAKS = [
    (UnicodeDecodeError("utf-8", b"h\xff", 1, 2, "invalid\nbyte"), "read raised UnicodeDecodeError: 'utf-8' codec"),
    (OSError("gone"), "read raised OSError: gone; nothing more is read."),
    (RuntimeError("api_key=abc"), "read raised RuntimeError: api_key=•••; nothing more is read."),
    (KeyboardInterrupt(), "KeyboardInterrupt; nothing more is read."),
    (b"bytes\n", "read gave bytes; it must give text; nothing more is read."),
    (None, "read gave NoneType; it must give text; nothing more is read."),
]


@pytest.mark.parametrize(("then", "words"), BREAKS)
def test_a_reader_that_breaks_is_told_in_one_line_and_ends_the_call_as_the_end_of_input_does(
    then: Any, words: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    call, shown = read_from(Breaks(then))
    (line,) = (text for text in shown if "nothing more is read" in text)
    assert line.startswith("        read ")
    assert words in line
    assert "\n" not in line
    assert (call.state, call.end_reason) == ("ended", "caller hung up")
    assert spoken(shown) == ["Hello!", "First."]  # what was typed before is answered
    assert (caplog.records, capsys.readouterr().err) == ([], "")


# Failures.


def test_why_something_failed_is_a_line_with_keys_and_numbers_masked() -> None:
    def model(_: Any) -> str:
        raise RuntimeError("no answer\nfor +15557654321 with api_key=abcdef")

    def hook(text: str, _: Any) -> str:
        raise ValueError(text)

    def callback(_: Any) -> None:
        raise KeyError("gone")

    hooks = PipelineHooks(after_transcribe=hook)
    _, shown = piped("one\n", llm=ScriptedLLM(model), hooks=hooks, tests={"on_transcript": callback})
    failed = [text.strip() for text in shown if " failed (" in text]
    assert any(re.fullmatch(r"stage failed \(after_transcribe\): .* raised ValueError: one", text) for text in failed)
    assert "callback failed (on_transcript): on_transcript raised KeyError: 'gone'" in failed
    (reply,) = (text for text in failed if text.startswith("reply failed (llm): "))
    assert reply.endswith("raised RuntimeError: no answer for +1•••••4321 with api_key=•••")
    assert "abcdef" not in "".join(shown)


def test_why_a_reply_failed_stands_before_what_is_said_instead() -> None:
    async def model(_: Any) -> AsyncIterator[str]:
        for _ in range(50):  # until all that went before has been shown
            await asyncio.sleep(0)
        yield str(1 / 0)

    _, shown = piped("one\n", llm=model)
    kinds = [text.split()[0] for text in shown[1:]]
    assert kinds[:3] == ["agent", "reply", "agent"]
    assert spoken(shown)[1].startswith("I'm sorry")


FAILED: list[tuple[str, dict[str, Any], list[str]]] = [
    ("transcription_failed", {"error": "It broke."}, ["transcription failed: It broke."]),
    ("mcp_failed", {"error": "It\nbroke."}, ["mcp failed: It broke."]),
    ("callback_failed", {"callback": "on_metrics", "error": "x"}, ["callback failed (on_metrics): x"]),
    ("answered", {}, []),
]


@pytest.mark.parametrize(("kind", "data", "lines"), FAILED)
def test_an_event_that_says_why_something_failed_is_a_line(kind: str, data: dict[str, Any], lines: list[str]) -> None:
    assert failure(EventFacts(0.0, kind, data)) == lines


def test_a_keyboard_that_is_closed_has_nothing_more_to_say() -> None:
    async def main() -> list[str]:
        keyboard = Keyboard()
        async with keyboard.open(CallContext("call", "en"), MULAW_8K) as stream:
            keyboard.say("hello")
        return [event.text async for event in stream if isinstance(event, Transcript)]

    assert asyncio.run(asyncio.wait_for(main(), 5)) == ["hello"]
