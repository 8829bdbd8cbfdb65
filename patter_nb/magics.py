"""Cells as editors: `%load_ext patter_nb` brings `%%prompt`, `%%guardrail`, `%call` and `%turns`.

Each is a thin cover of a function that works without IPython, and those of what `Patter` offers. What stands in a cell or in its
first line is data: it is neither evaluated nor formatted, so `{company}` is a placeholder of the agent and not a Python name.
"""

from __future__ import annotations

import argparse
import difflib
import inspect
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn

from patter_nb.agent import Agent
from patter_nb.call import Call
from patter_nb.errors import ConfigError
from patter_nb.guardrails import REPLACEMENT
from patter_nb.live import RevisionLine, Scope
from patter_nb.phone import Patter

if TYPE_CHECKING:
    import pandas as pd

Names = Mapping[str, Any]
"""What the user's cells have named."""

SHORT = ("turn", "revision", "caller_text", "heard_text", "interrupted", "gap_ms", "unexplained_ms", "usd")
"""The columns of a turn that `%turns` shows, rounded; with --all it shows each as it is."""


# Without IPython.


def find_phone(names: Names, name: str | None = None) -> Patter:
    """The phone that is meant: the one of this name; else the one named `phone`, or the only one there is."""
    if name is not None:
        if not isinstance(found := names.get(name), Patter):
            raise ConfigError(f"--phone is {name!r}, which names no phone here: phone = Patter() makes one.")
        return found
    if isinstance(found := names.get("phone"), Patter):
        return found
    own = {key: value for key, value in names.items() if isinstance(value, Patter) and not key.startswith("_")}
    phones = list({id(value): value for value in own.values()}.values())
    if len(phones) > 1:
        which = f"there are {', '.join(own)}: say --phone {next(iter(own))}"
        raise ConfigError(f"Which phone is meant is not clear; {which}.")
    if not phones:
        raise ConfigError("There is no phone here: phone = Patter() makes one.")
    return phones[0]


def edit_prompt(phone: Patter, text: str, agent: str | None = None, *, note: str = "", next_call: bool = False) -> str:
    """Make the text the agent's system prompt. Returns what came of it, in one line."""
    if not (prompt := text.strip("\n")).strip():
        raise ConfigError("The cell holds no prompt: write it under the line with %%prompt.")
    line = phone.line(agent)
    before = line.newest
    scope: Scope = "next call" if next_call else "all calls"
    edit = phone.edit(line.name, system_prompt=prompt, note=note, scope=scope)
    if edit.revision.number == before.number and edit.state != "staged":
        return f"{line.name}: revision {before.number} says this already; nothing has changed."
    size = words_changed(before.agent.system_prompt, prompt)
    return f"{line.name}: revision {edit.revision.number}, {size}; {_when(phone, line, staged=edit.state == 'staged')}"


def give_guardrail(phone: Patter, terms: str, name: str, replacement: str = REPLACEMENT) -> str:
    """Give all agents a guardrail of the terms, one a line. Returns what came of it, in one line."""
    blocked = [term.strip() for term in terms.splitlines() if term.strip()]
    if not blocked:
        raise ConfigError("The cell holds no terms: write one a line under the line with %%guardrail.")
    phone.guardrail(name, blocked_terms=blocked, replacement=replacement)
    count = "1 term" if len(blocked) == 1 else f"{len(blocked)} terms"
    on = len(phone.live_calls)
    return f"guardrail {name}: {count}, for every agent; {_since(on) if on else 'from the next call on'}."


def start_call(phone: Patter, words: Sequence[str], names: Names, *, listen: bool = False) -> Call:
    """Start a test call with an agent, the first word being its name or a variable's; it may be left out where there is one. The
    rest are the lines of a scripted caller, to be heard where `listen` says so; without any you are the caller."""
    agent, lines = _agent_and_lines(phone, list(words), names)
    return phone.test(agent, lines, listen=listen) if lines else phone.test(agent)


def turns_of(phone: Callable[[], Patter], word: str | None, names: Names, *, every_column: bool = False) -> pd.DataFrame:
    """The turns of a call: of the one that a variable of this name holds; without a name of the one that is on, or the last."""
    call = names.get(word) if word else _call_of(phone())
    if not isinstance(call, Call):
        raise ConfigError(f"{word!r} is no variable that holds a call; without a name it is the call that is on, or the last.")
    if every_column:
        return call.turns
    return call.turns[list(SHORT)].round({"gap_ms": 0, "unexplained_ms": 0, "usd": 5})


def words_changed(before: str, after: str) -> str:
    """How far one text is from the other: "+3 −1 words"."""
    old, new = before.split(), after.split()
    steps = [step for step in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if step[0] != "equal"]
    return f"+{sum(step[4] - step[3] for step in steps)} −{sum(step[2] - step[1] for step in steps)} words"


def _when(phone: Patter, line: RevisionLine, *, staged: bool) -> str:
    on = sum(call.live.line is line for call in phone.live_calls)
    return f"{_since(on)}." if staged and on else "from the next call on."


def _since(calls: int) -> str:
    which = "the call that is" if calls == 1 else f"the {calls} calls that are"
    return f"from the next reply on in {which} on, and in later calls"


def _agent_and_lines(phone: Patter, words: list[str], names: Names) -> tuple[Agent, list[str]]:
    if words:
        if isinstance(agent := names.get(words[0]), Agent):
            return phone.agents.get(agent.name, agent), words[1:]  # as edited since
        if words[0] in phone.agents:
            return phone.agents[words[0]], words[1:]
        if not any(map(str.isspace, words[0])):
            there = ", ".join(phone.agents) or "none: make one with phone.agent(...)"
            what = "no agent, and a line of the caller stands in quotes and has more than one word"
            raise ConfigError(f"{words[0]!r} is {what}; the agents are {there}.")
    return phone.line().newest.agent, words


def _call_of(phone: Patter) -> Call:
    call = phone.live_calls[-1] if phone.live_calls else phone.last_call
    if call is None:
        raise ConfigError("No call has been held yet: %call starts one.")
    return call


# With IPython.


class _Line(argparse.ArgumentParser):
    """The rest of a magic's line. What is wrong with it is one sentence, and ends no process."""

    def __init__(self, usage: str) -> None:
        super().__init__(prog=usage.partition(" ")[0].replace("%", "%%"), usage=usage.replace("%", "%%"), add_help=False,
                         allow_abbrev=False)  # fmt: skip
        self._shown = usage

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; the line is {self._shown}")

    def read(self, line: str) -> argparse.Namespace:
        try:
            words = shlex.split(line)
        except ValueError:
            what = 'A quote is not closed; put what holds an apostrophe into "double quotes"'
            raise ConfigError(f"{what}; the line is {self._shown}") from None
        return self.parse_args(words)


def load(ipython: Any) -> None:
    """Give IPython the magics."""
    for kind, name, magic in _magics(ipython):
        ipython.register_magic_function(_told(magic), magic_kind=kind, magic_name=name)


def unload(ipython: Any) -> None:
    """Take them away."""
    for kind, name, _ in _magics(ipython):
        ipython.magics_manager.magics[kind].pop(name, None)


def _told(magic: Callable[..., Any]) -> Callable[..., Any]:
    """The magic, with errors as one line under the cell, and its line left as it was written."""
    from IPython.core.error import UsageError
    from IPython.core.magic import no_var_expand

    @wraps(magic)
    def told(*given: str) -> Any:
        try:
            return magic(*given)
        except ConfigError as error:
            raise UsageError(str(error)) from None

    told.__doc__ = inspect.getdoc(magic)
    return no_var_expand(told)


def _magics(ipython: Any) -> list[tuple[str, str, Callable[..., Any]]]:
    def prompt(line: str, cell: str) -> None:
        """%%prompt [agent] [--note "why"] [--next-call] [--phone name]

        The text of the cell becomes the agent's system prompt: from the next reply on in calls that are on, and in later calls;
        with --next-call in later calls only. `{name}` in it is a placeholder for the agent's variables."""
        asked = lines["prompt"].read(line)
        phone = find_phone(ipython.user_ns, asked.phone)
        print(edit_prompt(phone, cell, asked.agent, note=asked.note, next_call=asked.next_call))  # noqa: T201

    def guardrail(line: str, cell: str) -> None:
        """%%guardrail name [--replacement "what is said instead"] [--phone name]

        The agents must not say what the cell holds, one term a line. It replaces the guardrail of that name."""
        asked = lines["guardrail"].read(line)
        print(give_guardrail(find_phone(ipython.user_ns, asked.phone), cell, asked.name, asked.replacement))  # noqa: T201

    def call(line: str) -> Call:
        """%call [agent] ["a line of the caller" ...] [--listen] [--phone name]

        Start a test call and go on: with a caller who says these lines (and is heard, with --listen), or without any with you, on
        the softphone. `call = %call ...` keeps the call."""
        asked = lines["call"].read(line)
        return start_call(find_phone(ipython.user_ns, asked.phone), asked.words, ipython.user_ns, listen=asked.listen)

    def turns(line: str) -> Any:
        """%turns [call] [--all] [--phone name]

        The turns so far of the call that is on, or of the last one; with --all every column."""
        asked = lines["turns"].read(line)
        names = ipython.user_ns
        return turns_of(lambda: find_phone(names, asked.phone), asked.call, names, every_column=asked.all)

    lines = {magic.__name__: _line_of(magic) for magic in (prompt, guardrail, call, turns)}
    return [("cell", "prompt", prompt), ("cell", "guardrail", guardrail), ("line", "call", call), ("line", "turns", turns)]


def _line_of(magic: Callable[..., Any]) -> _Line:
    """What may stand in the line of a magic; its docstring begins with the usage."""
    line = _Line((inspect.getdoc(magic) or "").partition("\n")[0])
    match magic.__name__:
        case "prompt":
            line.add_argument("agent", nargs="?")
            line.add_argument("--note", default="")
            line.add_argument("--next-call", action="store_true")
        case "guardrail":
            line.add_argument("name")
            line.add_argument("--replacement", default=REPLACEMENT)
        case "call":
            line.add_argument("words", nargs="*")
            line.add_argument("--listen", action="store_true")
        case "turns":
            line.add_argument("call", nargs="?")
            line.add_argument("--all", action="store_true")
    line.add_argument("--phone")
    return line
