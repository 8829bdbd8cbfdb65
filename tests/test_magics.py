"""Cells as editors: the functions behind the magics, the magics in IPython, and in a kernel while a call is on."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from patter_nb.agent import Agent
from patter_nb.call import Call
from patter_nb.errors import ConfigError
from patter_nb.magics import SHORT, edit_prompt, find_phone, give_guardrail, start_call, turns_of, words_changed
from patter_nb.phone import Patter
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS

ROOT = Path(__file__).parents[1]


@pytest.fixture
def phone() -> Patter:
    return Patter(store=False, show=False)


def agent(phone: Patter, prompt: str = "You are a test.", **settings: Any) -> Agent:
    parts = {"stt": ScriptedSTT(["one", "two"]), "llm": ScriptedLLM(["First.", "Second."]), "tts": ScriptedTTS()}
    return phone.agent(prompt, **{**parts, **settings})


# Which phone is meant.


def test_the_phone_is_the_one_that_is_named_or_the_one_called_phone_or_the_only_one() -> None:
    one, two = Patter(store=False), Patter(store=False)
    assert find_phone({"one": one, "two": two}, "two") is two
    assert find_phone({"one": one, "phone": two}) is two
    assert find_phone({"one": one, "again": one, "other": 5, "_": two}) is one  # IPython keeps what cells have shown as _
    with pytest.raises(ConfigError, match=r"^Which phone is meant is not clear; there are one, two: say --phone one\.$"):
        find_phone({"one": one, "two": two})
    with pytest.raises(ConfigError, match=r"^There is no phone here: phone = Patter\(\) makes one\.$"):
        find_phone({"phone": "a string"})
    with pytest.raises(ConfigError, match=r"^--phone is 'three', which names no phone here"):
        find_phone({"phone": one}, "three")


# Prompts.

DATA = "You are {not a name} of {company}: {1 + 1} $HOME `ls` %s {{x}} \\n.\n\n  Be 'kind', and \"brief\"."


def test_the_text_of_a_prompt_is_taken_as_it_is(phone: Patter) -> None:
    agent(phone, name="mia")
    told = edit_prompt(phone, f"\n{DATA}\n", note="{why} $x")
    assert phone.agents["mia"].system_prompt == DATA
    assert phone.line().newest.note == "{why} $x"
    assert told == f"mia: revision 2, +{len(DATA.split()) - 3} −1 words; from the next call on."


def test_a_prompt_that_the_agent_has_already_or_that_is_none_changes_nothing(phone: Patter) -> None:
    agent(phone, "One.")
    assert edit_prompt(phone, "One.\n") == "agent: revision 1 says this already; nothing has changed."
    with pytest.raises(ConfigError, match=r"^The cell holds no prompt: write it under the line with %%prompt"):
        edit_prompt(phone, " \n\n")
    agent(phone, name="filled", variables={"company": "Acme"})
    with pytest.raises(ConfigError, match="compny"):
        edit_prompt(phone, "You are {compny}.", "filled")
    assert len(phone.revisions) == 2


def test_which_agent_is_meant_is_asked_where_it_is_not_clear(phone: Patter) -> None:
    with pytest.raises(ConfigError, match=r"there is none: use phone\.agent\(\.\.\.\)"):
        edit_prompt(phone, "Hi.")
    for name in ("mia", "leo"):
        agent(phone, name=name)
    with pytest.raises(ConfigError, match=r"^Which agent is meant is not clear; there are 'mia', 'leo': name one\.$"):
        edit_prompt(phone, "Hi.")
    with pytest.raises(ConfigError, match=r"^agent is 'max', and there is none of that name; there are: 'mia', 'leo'"):
        edit_prompt(phone, "Hi.", "max")
    edit_prompt(phone, "Hi.", "leo")
    assert [phone.agents[name].system_prompt for name in ("mia", "leo")] == ["You are a test.", "Hi."]


WORDS = [
    ("", "", "+0 −0 words"),
    ("Dinner is at six.", "Dinner is at seven.", "+1 −1 words"),
    ("one two  three", "one\ntwo three", "+0 −0 words"),
    ("a b c d", "a x y c", "+2 −2 words"),
    ("", "a b", "+2 −0 words"),
]


@pytest.mark.parametrize(("before", "after", "size"), WORDS)
def test_the_size_of_a_change_is_counted_in_words(before: str, after: str, size: str) -> None:
    assert words_changed(before, after) == size


def during(phone: Patter, act: Callable[[], str]) -> tuple[str, Call]:
    """What `act` tells in a call in virtual time, while the model is asked for the first time; and the call."""
    told: list[str] = []

    def answer(messages: Any) -> str:
        if not told:
            told.append(act())
        return f"Told: {messages[0].content.split()[-1]}"

    async def main() -> Call:
        return await phone.test(agent(phone, "At six.", llm=ScriptedLLM(answer)), ["One?", "Two?"], speed="max")

    call = asyncio.run(main())
    return told[0], call


def test_a_prompt_reaches_the_call_that_is_on_with_its_next_reply_and_says_so(phone: Patter) -> None:
    told, call = during(phone, lambda: edit_prompt(phone, "At seven."))
    assert told == "agent: revision 2, +1 −1 words; from the next reply on in the call that is on, and in later calls."
    assert call.turns["heard_text"].tolist() == ["Told: six.", "Told: seven."]


def test_a_prompt_for_the_next_call_leaves_the_one_that_is_on_alone(phone: Patter) -> None:
    told, call = during(phone, lambda: edit_prompt(phone, "At seven.", next_call=True))
    assert told == "agent: revision 2, +1 −1 words; from the next call on."
    assert call.turns["heard_text"].tolist() == ["Told: six.", "Told: six."]
    assert phone.agents["agent"].system_prompt == "At seven."


# Guardrails.


def test_the_terms_of_a_guardrail_stand_one_a_line_as_they_are(phone: Patter) -> None:
    made = agent(phone)
    told = give_guardrail(phone, "{grand} palace\n\n  other house \n", "others", "We do not say.")
    (rail,) = phone.agents[made.name].guardrails or ()
    assert (rail.name, rail.blocked_terms, rail.replacement) == ("others", ("{grand} palace", "other house"), "We do not say.")
    assert told == "guardrail others: 2 terms, for every agent; from the next call on."
    told, call = during(phone, lambda: give_guardrail(phone, "told", "others"))
    assert told == "guardrail others: 1 term, for every agent; from the next reply on in the call that is on, and in later calls."
    assert call.turns["guardrails"].notna().tolist() == [False, True]
    with pytest.raises(ConfigError, match=r"^The cell holds no terms: write one a line under the line with %%guardrail"):
        give_guardrail(phone, " \n", "others")


# Calls and their turns.


def started(phone: Patter, words: list[str], names: dict[str, Any]) -> tuple[str, list[str]]:
    """The agent's prompt, and what its caller said, of a call that a line started."""

    async def main() -> Call:
        call = start_call(phone, words, names)
        call.stop()
        return await call

    call = asyncio.run(main())
    return call.live.current.agent.system_prompt, words


LINES = [
    (["Hello there", "Bye."], "Mia."),
    (["mia", "Hello"], "Mia."),
    (["held", "Hello"], "Mia again."),
]


@pytest.mark.parametrize(("words", "prompt"), LINES)
def test_a_call_is_started_with_the_agent_that_is_named_or_the_only_one(phone: Patter, words: list[str], prompt: str) -> None:
    held = agent(phone, "Mia.", name="mia")
    if words[0] == "held":
        edit_prompt(phone, "Mia again.")  # what a variable holds is called as it was edited since
    assert started(phone, words, {"held": held})[0] == prompt


def test_a_first_word_that_is_no_agent_is_no_line_either(phone: Patter) -> None:
    what = "is no agent, and a line of the caller stands in quotes and has more than one word"
    with pytest.raises(ConfigError, match=rf"^'Hi,' {what}; the agents are none: make one with phone\.agent\(\.\.\.\)\.$"):
        start_call(phone, ["Hi,", "when"], {})
    agent(phone, name="mia")
    with pytest.raises(ConfigError, match=rf"^'mai' {what}; the agents are mia\.$"):
        start_call(phone, ["mai"], {})


def test_turns_are_those_of_the_call_that_is_on_or_the_last_or_a_named_one(phone: Patter) -> None:
    with pytest.raises(ConfigError, match=r"^No call has been held yet: %call starts one"):
        turns_of(lambda: phone, None, {})
    seen: list[int] = []

    def count() -> str:
        seen.append(len(turns_of(lambda: phone, None, {})))
        return ""

    _, first = during(phone, lambda: "")
    _, second = during(phone, count)
    assert seen == [0]  # the one that is on has no turn yet
    last = turns_of(lambda: phone, None, {})
    assert tuple(last.columns) == SHORT
    assert last["heard_text"].tolist() == second.turns["heard_text"].tolist()
    named = turns_of(lambda: phone, "mine", {"mine": first}, every_column=True)
    assert set(named["call_id"]) == {first.id}
    with pytest.raises(ConfigError, match=r"^'mine' is no variable that holds a call"):
        turns_of(lambda: phone, "mine", {"mine": 5})


# In IPython.

SHELL = """
import json, sys
from traitlets.config import Config
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell(config=config)
told = []
for cell in json.load(sys.stdin):
    with capture_output() as shown:
        shell.run_cell(cell)
    told.append((shown.stdout.strip(), shown.stderr.strip()))
print(json.dumps(told))
"""

MADE = """from patter_nb import Patter, ScriptedLLM, ScriptedSTT, ScriptedTTS
phone, secret = Patter(store=False), "not shown"
mia = phone.agent("You are a test.", name="mia", stt=ScriptedSTT([]), llm=ScriptedLLM([]), tts=ScriptedTTS())"""

USAGE = 'the line is %%prompt [agent] [--note "why"] [--next-call] [--phone name]'
CELLS = [
    ("%load_ext patter_nb", "", ""),
    ("%%prompt\nHi.", "", "UsageError: There is no phone here: phone = Patter() makes one."),
    (MADE, "", ""),
    ("%%prompt mia --note '{secret} $secret'\nYou say {secret} and $secret.",
     "mia: revision 2, +4 −3 words; from the next call on.", ""),
    ("print(mia := phone.agents['mia'].system_prompt, phone.line().newest.note)",
     "You say {secret} and $secret. {secret} $secret", ""),
    ("%%prompt --nxt\nHi.", "", f"UsageError: unrecognized arguments: --nxt; {USAGE}"),
    ("%%prompt mia --next\nHi.", "", f"UsageError: unrecognized arguments: --next; {USAGE}"),
    ("%%prompt mia's\nHi.", "",
     f'UsageError: A quote is not closed; put what holds an apostrophe into "double quotes"; {USAGE}'),
    ("%%prompt leo\nHi.", "", "UsageError: agent is 'leo', and there is none of that name; there are: 'mia'."),
    ("%%guardrail others --replacement \"I'd rather not.\"\ngrand palace", "guardrail others: 1 term, for every agent; "
     "from the next call on.", ""),
    ("print(phone.agents['mia'].guardrails[0].replacement)", "I'd rather not.", ""),
    ("%turns", "", "UsageError: No call has been held yet: %call starts one."),
    ("%call 'Hello there'", "", "UsageError: test() needs a running event loop: in a notebook it has one; elsewhere put it "
     "into a coroutine and use asyncio.run(main())."),
    ("other = Patter(store=False)\n%turns --phone other", "", "UsageError: No call has been held yet: %call starts one."),
    ("%unload_ext patter_nb", "", ""),
    ("%turns", "", "UsageError: Line magic function `%turns` not found."),
]  # fmt: skip


def in_ipython(cells: list[str], folder: Path) -> list[tuple[str, str]]:
    """What each cell puts out, and what it says is wrong."""
    environment = {**os.environ, "IPYTHONDIR": str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error::UserWarning:patter_nb", "-c", SHELL]
    ran = subprocess.run(
        command, input=json.dumps(cells), capture_output=True, text=True, timeout=120, check=True, env=environment, cwd=folder
    )
    return [(out, err) for out, err in json.loads(ran.stdout)]


def test_in_ipython_text_is_data_and_what_is_wrong_is_one_sentence(tmp_path: Path) -> None:
    assert in_ipython([cell for cell, _, _ in CELLS], tmp_path) == [(out, err) for _, out, err in CELLS]


def test_the_cells_in_the_readme_do_what_they_say(tmp_path: Path) -> None:
    prompt, guardrail, _ = re.findall(r"^```ipython\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    (_, _, prompted, guarded) = in_ipython(["%load_ext patter_nb", MADE, prompt, guardrail], tmp_path)
    assert prompted == ("mia: revision 2, +11 −2 words; from the next call on.", "")
    assert guarded == ("guardrail prices: 1 term, for every agent; from the next call on.", "")


# In a kernel.

MID_CALL = [
    "%load_ext patter_nb",
    """from patter_nb import Patter, ScriptedLLM, ScriptedSTT, ScriptedTTS
phone = Patter(store=False)
def answer(messages):
    return f"Dinner is {messages[0].content.split()[-1]}"
agent = phone.agent("At six.", stt=ScriptedSTT(["one", "two", "three"]), llm=ScriptedLLM(answer), tts=ScriptedTTS())
async def answered(turn):
    async for event in phone.last_call.stream():
        if event.kind == "metrics" and event.data["turn"].turn_index == turn:
            return""",
    '%call "When is dinner?" "And tomorrow?" "And on Sunday?"',
    "await answered(1)",
    "%%prompt --note later\nAt seven.",
    "%turns",
    "await answered(2)",
    "edit = phone.rollback(1)",
    "await phone.last_call.ended()\n%turns",
    "phone.last_call.turns[['revision', 'heard_text']].to_numpy().tolist(), edit.state",
]


@pytest.mark.slow  # a call at real pace
def test_in_a_kernel_cells_change_a_call_that_is_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in MID_CALL])
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}})
    asyncio.run(client.async_execute())
    shown = ["".join(str(out.get("text") or out["data"]["text/plain"]) for out in cell.outputs) for cell in notebook.cells]
    assert shown[2].endswith(", running>")
    assert shown[4] == "agent: revision 2, +1 −1 words; from the next reply on in the call that is on, and in later calls.\n"
    assert "Dinner is six." in shown[5]
    assert " ".join(shown[-1].split()) == "([[1, 'Dinner is six.'], [2, 'Dinner is seven.'], [3, 'Dinner is six.']], 'applied')"
