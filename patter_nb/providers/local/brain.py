"""A demo brain: no language model, but a few rules that quote the prompt and ask for tools."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass

from patter_nb.providers.base import CallContext, LLMEvent, TextDelta, ToolSpec
from patter_nb.providers.local.brain_arguments import filled
from patter_nb.providers.local.brain_tools import Call, best_tool, continued, request, text_of, told, transfer, usable
from patter_nb.providers.local.brain_words import score, stems
from patter_nb.providers.local.client import PROVIDER
from patter_nb.turns.messages import Message, ToolRequest
from patter_nb.turns.usage import Price, Usage

_AMOUNT = (
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|seventy|eighty"
    r"|ninety|hundred)\b"
)
CUES = (
    (r"\bwhen\b|what time|\bhours\b|how late|how early", rf"{_AMOUNT}|noon|midnight|day\b|daily|\bp\.?m|\ba\.?m", "open hours"),
    (r"how much|price|cost|charge|\bfee", r"dollar|euro|pound|[$€£]|free|percent", "costs prices"),
    (
        r"\bwhere\b|address|located|directions",
        r"(?i:street|avenue|road|floor|behind|next to|near|corner|opposite)",
        "address located",
    ),
    (r"\bwho\b", r"(?<!^)\b[A-Z][a-z]+", ""),
    (r"how (?:far|long)", r"minute|hour|mile|kilometer|block|walk|foot", ""),
    (r"how many", _AMOUNT, ""),
)
"""What is asked, what a fact that answers it looks like, and what is meant when nothing else is named ("Where are you?")."""
_INSTRUCTION = re.compile(
    r"(?:be|answer|speak|talk|keep|never|always|do|don['’]t|ask|use|say|help|greet|respond|reply|try|avoid|offer|make|act|stay|tell"
    r"|you|your|if|when)\s|.*\b(?:callers?|users?|customers?) (?:ask|want|say|is|are)\b",
    re.IGNORECASE,
)
_OURS = re.compile(r"^your (?!name|job|task|goal|role|tone|style|answers|purpose|responses)", re.IGNORECASE)
_SENTENCE_END = re.compile(
    r"(?<=[.!?])(?<!\bDr\.)(?<!\bSt\.)(?<!\bMr\.)(?<!\bMrs\.)(?<!\bMs\.)(?<!e\.g\.)\s+(?=[^a-z])|\s*\n[\s*•-]*"
)
_NEXT_QUESTION = re.compile(r"(?<=[.?!])\s+|,?\s+and\s+(?=(?:when|what|where|who|how|is|are|do|does|can)\b)", re.IGNORECASE)
_HELLO = re.compile(r"\W*(?:hello|hi|hey|good (?:morning|afternoon|evening))\b", re.IGNORECASE)
NOT_KNOWN = "I'm sorry, I don't have that in my notes."
NOT_KNOWN_EITHER = "I'm afraid my notes say nothing about that, either."
NOTHING_MORE = "That is all my notes say about it."
PROGRAM = "I'm a demonstration program. I answer from a few notes."


class DemoBrain:
    """A demo brain and no language model: it quotes the sentences of the system prompt that share words with the question.

    It runs without a key and without a model, and its answers change with the prompt. It makes up nothing but a greeting, thanks,
    a goodbye and "I don't have that in my notes". It understands no paraphrases and follows no instructions about tone or tasks.

    So that tools can be tried, it asks for one by rule, too: when a question shares more words with the tool than with any
    sentence of the prompt. It takes the arguments from what is named, counted, or shaped like a day, a time or a code, asks for
    what is missing, and says the result as it is. It asks for `transfer_call` when the caller wants a person and the prompt names
    a number with a plus, and never for `end_call`. That is no understanding either: it will pick the wrong tool, and take the
    wrong word for an argument. For conversation, use a language model.
    """

    provider = PROVIDER
    model = "demo-brain"
    virtual_time = True
    phone_preamble = False
    """It is no language model, and is not told how to speak on a telephone."""

    def __init__(self) -> None:
        self.price: Price | None = Price()

    def __repr__(self) -> str:
        return "DemoBrain()  # a demo brain, no language model: it quotes the prompt and calls tools by rule"

    def _repr_html_(self) -> str:
        return "<b>DemoBrain</b>: a demo brain, no language model. It quotes the prompt's own sentences and calls tools by rule."

    def ready(self) -> None:
        """There is nothing to load."""

    @asynccontextmanager
    async def open(self, call: CallContext) -> AsyncIterator[DemoBrainStream]:  # noqa: ARG002 (it is the same for each call)
        """Answer in a call."""
        yield DemoBrainStream()


class DemoBrainStream:
    """The demo brain in one call; all it remembers stands in the messages, but for how many tools it has asked for."""

    def __init__(self) -> None:
        self._requests = 0

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> AsyncGenerator[LLMEvent, None]:
        """The answer, word by word, and at most one request for a tool after it."""
        text, call = respond(messages, tools)
        for word in re.findall(r"\S+\s*", text):
            yield TextDelta(word)
        if call is not None:
            self._requests += 1
            yield ToolRequest(f"demo-{self._requests}", call.name, json.dumps(call.arguments, ensure_ascii=False))
        yield Usage("llm", PROVIDER, DemoBrain.model)


@dataclass(frozen=True, slots=True)
class Notes:
    """What a prompt holds: who the agent is, and sentences that may be quoted. The rest are instructions."""

    persona: str
    facts: tuple[str, ...]


def read_notes(prompt: str) -> Notes:
    """Sort a prompt's sentences."""
    persona, facts = "", []
    for sentence in filter(None, (part.strip(" \t*•-") for part in _SENTENCE_END.split(prompt))):
        if (match := re.match(r"(?:you are|you're|your name is) (.+)", sentence, re.IGNORECASE)) and not persona:
            persona = f"I'm {match[1].rstrip('.!')}."
        elif (ours := _OURS.sub("Our ", sentence)) != sentence or not _INSTRUCTION.match(sentence):
            facts.append(ours if ours[-1] in ".!?" else f"{ours}.")
    return Notes(persona, tuple(facts))


def respond(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> tuple[str, Call | None]:
    """What the demo brain says next in this conversation, and the tool it asks for."""
    if (result := told(messages)) is not None:
        return result, None
    spoken = [message for message in messages if message.role != "system"]
    if not tools or not spoken or spoken[-1].role != "user":
        return answer(messages), None
    if (person := transfer(messages, tools)) is not None:
        return "", person
    desk = _Desk(_notes(messages).facts, usable(tools))
    found = continued(messages, desk.tools, desk.tool)
    facts: tuple[str, ...] = ()
    if found is None and (spec := desk.tool(spoken[-1].content)) is not None:
        found = request(spec, filled(spec, spoken[-1].content))
        facts = desk.beside(spoken[-1].content)
    if found is None:
        return answer(messages), None
    text, call = (found, None) if isinstance(found, str) else ("", found)
    return " ".join(filter(None, (*facts, text))), call


@dataclass(frozen=True, slots=True)
class _Desk:
    """Facts and tools, of which a question may mean either."""

    facts: Sequence[str]
    tools: Sequence[ToolSpec]

    def tool(self, text: str) -> ToolSpec | None:
        """The tool of the first question in a turn that means one."""
        return next((spec for part in _questions(text) if (spec := self._meant(part)) is not None), None)

    def beside(self, text: str) -> tuple[str, ...]:
        """What the prompt says to the other questions of that turn."""
        facts = (_best_fact(part, "", self.facts, "") for part in _questions(text) if self._meant(part) is None)
        return tuple(fact for fact in facts if fact is not None)[:1]

    def _meant(self, part: str) -> ToolSpec | None:
        texts = (*self.facts, *map(text_of, self.tools))
        shapes = [shape for cue, shape, _ in CUES if re.search(cue, part, re.IGNORECASE)]
        to_beat = max((score(fact, stems(part), shapes, texts) for fact in self.facts), default=0.0)
        return best_tool(part, self.tools, texts, to_beat)


def _notes(messages: Sequence[Message]) -> Notes:
    return read_notes("\n".join(message.content for message in messages if message.role == "system"))


def answer(messages: Sequence[Message]) -> str:
    """What the demo brain says next in this conversation."""
    notes = _notes(messages)
    said = [message.content for message in messages if message.role == "assistant"]
    asked = [message.content for message in messages if message.role == "user"]
    if not asked:
        return _greeting(notes)
    before = asked[-2] if len(asked) > 1 else ""
    found: list[str] = []
    for question in _questions(asked[-1]):
        fact = _best_fact(question, before, notes.facts, " ".join(said))
        if fact is not None and fact not in found:
            found.append(fact)
    if found:
        return " ".join(_not_forever(fact, " ".join(said).count(fact)) for fact in found[:2])
    return _without_facts(asked[-1], notes, said[-1] if said else "")


def _not_forever(fact: str, times_said: int) -> str:
    return fact if times_said == 0 else f"As I said: {fact}" if times_said < 3 else NOTHING_MORE


def _questions(text: str) -> list[str]:
    """A turn in parts, so that two questions may have two answers."""
    parts = _NEXT_QUESTION.split(_HELLO.sub("", text))
    return [part for part in parts if part.strip()]


def _best_fact(question: str, before: str, facts: Sequence[str], said: str) -> str | None:
    """The fact that shares most with the question, one not said yet if it comes close; None when none shares a word."""
    cues = [(shape, meant) for cue, shape, meant in CUES if re.search(cue, question, re.IGNORECASE)]
    shapes = [shape for shape, _ in cues]
    if wanted := stems(question):
        return _best(facts, wanted, shapes, facts, said)
    # "And how much is it?" names nothing: what was named before is meant, as far as it fits, or the place itself.
    fitting = [fact for fact in facts if any(re.search(shape, fact) for shape in shapes)]
    meant = stems(" ".join(words for _, words in cues))
    return _best(fitting, stems(before), shapes, facts, said) or _best(fitting, meant, shapes, facts, said)


def _best(
    candidates: Sequence[str], wanted: AbstractSet[str], shapes: Sequence[str], facts: Sequence[str], said: str
) -> str | None:
    scored = {fact: score(fact, wanted, shapes, facts) for fact in candidates}
    best = max(scored.values(), default=0.0)
    if best <= 0:
        return None
    close = sorted((fact for fact in scored if scored[fact] >= 0.6 * best), key=lambda fact: -scored[fact])
    return next((fact for fact in close if fact not in said), close[0])


def _greeting(notes: Notes) -> str:
    return " ".join(filter(None, ["Hello!", notes.persona, "How can I help?"]))


def _without_facts(text: str, notes: Notes, last_said: str) -> str:
    """The fixed sentences."""
    lowered = text.lower()
    parts = []
    if re.search(r"robot|human|real person|\bai\b|computer|machine", lowered):
        parts.append(PROGRAM)
    elif re.search(r"your name|who (?:are you|am i|is this)|speaking (?:to|with)", lowered):
        parts.append(notes.persona or PROGRAM)
    if re.search(r"\bthank|\bthanks\b|\bcheers\b", lowered):
        parts.append("You're welcome.")
    if re.search(r"\b(?:good)?bye\b|see you|good night|have a (?:nice|good|great)", lowered):
        parts.append("Goodbye!")
    if parts:
        return " ".join(parts)
    rest = stems(_HELLO.sub("", text))
    if _HELLO.match(text) and not rest:
        return _greeting(notes)
    if not rest:
        return "What would you like to know?"
    return NOT_KNOWN_EITHER if last_said == NOT_KNOWN else NOT_KNOWN
