"""Which tool the demo brain asks for, and what it says of a result. Rules over shared words; it understands nothing.

All that was asked and answered stands in the messages: a request that lacks an argument is worked out anew from the turn that
made it and the answers since.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from patter_nb.providers.base import ToolSpec
from patter_nb.providers.local.brain_arguments import filled, missing, told_beside
from patter_nb.providers.local.brain_parameters import parameters, words_of
from patter_nb.providers.local.brain_words import SYNONYMS, score, stems
from patter_nb.turns.messages import Message

DID_NOT_WORK = "I'm sorry, that did not work."
DONE = "That is done."
CONNECTING = "I'm connecting you now."

TRANSFER, END = "transfer_call", "end_call"
_CALL_TOOLS = (TRANSFER, END)
"""Never chosen by their words: the first is asked for when a person is wanted, the second never."""
_USUAL = stems(
    "check get find lookup fetch set list show search query call create update new info return given current caller user customer"
)
"""Words of tools that say nothing about what they are for."""
_OWN = re.compile(r"\b(?:my|mine|me|i)\b", re.IGNORECASE)
_PERSON = r"(?:human|person|someone|somebody|operator|agent|representative|manager|colleague|staff|people)"
_WANTS_PERSON = re.compile(
    rf"\b(?:transfer|connect|forward) (?:me|us|the call|this call|my call)\b|\bput me through\b"
    rf"|\b(?:speak|talk) (?:to|with)\b.*\b{_PERSON}\b|^\W*(?:(?:a|an|the|real|human|please)\W+)*{_PERSON}\W*(?:please\W*)?$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\+\d[\d ().-]{5,}\d")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n")
_CALLED_OFF = re.compile(
    r"\bnever ?mind\b|\bforget (?:it|about|that)\b|\bcancel (?:that|it)\b|^\W*(?:no|stop)\b|\bnothing\b|\b(?:good)?bye\b"
    r"|don['’]?t know",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Call:
    """A tool to ask for."""

    name: str
    arguments: Mapping[str, Any]


Choose = Callable[[str], ToolSpec | None]
"""The tool a caller's turn is about, if any."""


def usable(tools: Sequence[ToolSpec]) -> list[ToolSpec]:
    """The tools whose arguments rules can fill, without those of the call itself."""
    return [
        spec
        for spec in tools
        if spec.name not in _CALL_TOOLS and not any(each.required and each.kind == "object" for each in parameters(spec))
    ]


def transfer(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Call | None:
    """A transfer, when the caller's last turn asks for a person and the prompt or the tool's description names a number.

    Only numbers with a plus count: any other may be none of a telephone. Of several it is the one whose sentence shares most
    words with the request, else the first.
    """
    spec = next((spec for spec in tools if spec.name == TRANSFER and "number" in spec.parameters.get("properties", {})), None)
    said = next((message.content for message in reversed(messages) if message.role == "user"), "")
    if spec is None or not _WANTS_PERSON.search(said):
        return None
    texts = [*(message.content for message in messages if message.role == "system"), spec.description]
    named = [sentence for text in texts for sentence in _SENTENCE.split(text) if _NUMBER.search(sentence)]
    if not named:
        return None
    best = max(named, key=lambda sentence: len(stems(sentence) & stems(said)))
    number = next(iter(_NUMBER.findall(best)))
    return Call(TRANSFER, {"number": "+" + re.sub(r"\D", "", number)})


def best_tool(question: str, tools: Sequence[ToolSpec], texts: Sequence[str], to_beat: float) -> ToolSpec | None:
    """The tool that shares most with a question, if that is more than `to_beat`; `texts` say which words are rare.

    It needs a telling word of the tool's name, or two of all its words. A question about the caller's own ("my order") is
    half a point more for a tool, since no notes know that.
    """
    wanted = stems(question)
    scores = {spec.name: score(text_of(spec), wanted, (), texts) for spec in tools if _is_meant(spec, wanted)}
    own = 0.5 if _OWN.search(question) else 0.0
    best = max(scores, key=lambda name: scores[name], default=None)
    return next(spec for spec in tools if spec.name == best) if best is not None and scores[best] + own > to_beat else None


def text_of(spec: ToolSpec) -> str:
    """The words by which a tool is found: its name, its description, its parameters and their choices."""
    words = [f"{each.words} {' '.join(map(str, each.choices))}" for each in parameters(spec)]
    return words_of(" ".join((spec.name, spec.description, *words)))


def _is_meant(spec: ToolSpec, wanted: AbstractSet[str]) -> bool:
    name = stems(words_of(spec.name)) - _USUAL
    likes = any(name & group and wanted & group for group in SYNONYMS)
    return bool(name & wanted) or likes or len(stems(text_of(spec)) & wanted) >= 2


def continued(messages: Sequence[Message], tools: Sequence[ToolSpec], choose: Choose) -> Call | str | None:
    """The request that the caller's last turn goes on with: the tool, the next question, or None when there is none."""
    questions = {each.question for spec in tools for each in parameters(spec) if each.required}
    for exchanges in _chains(messages, questions):
        (text, _), *answers = exchanges
        if (spec := choose(text)) is None:
            continue
        values: dict[str, Any] | None = filled(spec, text)
        for (_, asked), (said, _) in zip(exchanges, answers, strict=False):
            values = None if values is None else _answered(spec, values, asked, said)
        if values is not None:
            return request(spec, values)
    return None


def request(spec: ToolSpec, values: Mapping[str, Any]) -> Call | str:
    """The tool, or the question for the first argument that is missing."""
    lacking = missing(spec, values)
    return Call(spec.name, values) if lacking is None else lacking.question


def _chains(messages: Sequence[Message], questions: AbstractSet[str]) -> Iterator[list[tuple[str, str]]]:
    """Turns that end with the caller's last one, from the shortest on: what the caller said, and the question that was asked."""
    spoken = [message for message in messages if message.role != "system"]
    if not spoken or spoken[-1].role != "user":
        return
    chain = [(spoken[-1].content, "")]
    for asked, said in zip(spoken[-2::-2], spoken[-3::-2], strict=False):
        if asked.role != "assistant" or said.role != "user" or not any(_asks(asked.content, each) for each in questions):
            return
        chain.insert(0, (said.content, asked.content))
        yield list(chain)


def _answered(spec: ToolSpec, values: dict[str, Any], asked: str, said: str) -> dict[str, Any] | None:
    """The arguments with an answer among them; None when that was no question of ours, or this no answer."""
    lacking = missing(spec, values)
    if lacking is None or not _asks(asked, lacking.question):
        return None
    value = None if _CALLED_OFF.search(said) and lacking.kind != "boolean" else lacking.answered(said)
    if value is None:
        return None
    counts = lacking.kind in ("integer", "number")  # then a number in the answer is taken
    others = [each for each in parameters(spec) if each.name not in values and each.name != lacking.name]
    others = [each for each in others if not counts or each.kind not in ("integer", "number")]
    return {**told_beside(others, said.replace(str(value), " ")), **values, lacking.name: value}


def _asks(heard: str, question: str) -> bool:
    """Whether a question was heard, or its beginning, before the caller answered."""
    return bool(heard) and (heard.endswith(question) or question.startswith(heard))


def told(messages: Sequence[Message]) -> str | None:
    """What is said of the results that the messages end with; None when they do not."""
    results: list[Message] = []
    for message in reversed(messages):
        if message.role == "tool":
            results.insert(0, message)
        elif message.role != "system":
            break
    names = {request.id: request.name for message in messages for request in message.tool_requests}
    return " ".join(_told(names.get(each.tool_id or "", ""), each.content) for each in results) or None


def _told(name: str, result: str) -> str:
    if _failed(name, result):
        return DID_NOT_WORK
    if name == TRANSFER:
        return CONNECTING
    try:
        value = json.loads(result)
    except ValueError:
        value = result
    said = in_words(value).strip()
    return f"{said[0].upper()}{said[1:]}{'' if said[-1] in '.!?' else '.'}" if said else DONE


def _failed(name: str, result: str) -> bool:
    """Whether a result is an error: by the sentences that a session has for them, or a JSON object that says "error"."""
    tool = re.escape(name)
    sentences = (
        rf"{tool} (?:raised|took longer than|was cancelled|failed|cannot be reached|answered with status|has no argument)\b"
        rf"|There is no tool named\b|The arguments of {tool} do not fit\b|What {tool} returned cannot be told\b"
        rf"|[\w.\[\]]+ of {tool} (?:is|lacks) |cancelled before it returned$"
    )
    if re.match(sentences, result):
        return True
    try:
        value = json.loads(result)
    except ValueError:
        return False
    return isinstance(value, dict) and bool(value.get("error"))


def in_words(value: Any) -> str:
    """A result as it is said: "key: value" for each of an object's, items with commas, yes and no."""
    if isinstance(value, dict):
        return ", ".join(f"{words_of(str(key))}: {in_words(each)}" for key, each in value.items())
    if isinstance(value, list):
        *most, last = [in_words(each) for each in value] or ["nothing"]
        return f"{', '.join(most)} and {last}" if most else last
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "yes", False: "no"}[value]
    return str(value)
