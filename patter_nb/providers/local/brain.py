"""A demo brain: no language model, but a few rules that quote the prompt."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from patter_nb.providers.base import CallContext, LLMEvent, TextDelta, ToolSpec
from patter_nb.providers.local.client import PROVIDER
from patter_nb.turns.messages import Message
from patter_nb.turns.usage import Price, Usage

STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a about am an and any are as at be bring by can could did do does for from get give go got has have hello help "
        "hey hi how i if in is it know let like look make may me much many my need no not of ok okay on one or our out "
        "please possible right say so some tell than thank thanks that the their them then there they this time to "
        "until up us want was way we well what when where which who will with would yeah yes you your",
    )
)
SYNONYMS = (
    {"hour", "open", "clos"}, {"pric", "cost", "fee", "rat", "charg"}, {"park", "car", "garag"}, {"dog", "pet", "cat", "animal"},
    {"kid", "child", "children"}, {"addres", "locat", "find"}, {"book", "reserv", "reservation"}, {"wifi", "internet"},
)  # fmt: skip
"""Stems that mean the same to a caller."""
_AMOUNT = (
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|seventy|eighty"
    r"|ninety|hundred)\b"
)
CUES = (
    (r"\bwhen\b|what time|\bhours\b|how late|how early", rf"{_AMOUNT}|noon|midnight|day\b|daily|\bp\.?m|\ba\.?m"),
    (r"how much|price|cost|charge|\bfee", r"dollar|euro|pound|[$€£]|free|percent"),
    (r"\bwhere\b|address|located|directions", r"street|avenue|road|floor|behind|next to|near|corner|opposite|downtown"),
    (r"\bwho\b", r"(?<!^)\b[A-Z][a-z]+"),
    (r"how (?:far|long)", r"minute|hour|mile|kilometer|block|walk|foot"),
    (r"how many", _AMOUNT),
)
"""What is asked, and what a fact that answers it looks like."""
_INSTRUCTION = re.compile(
    r"(?:be|answer|speak|talk|keep|never|always|do|don['’]t|ask|use|say|help|greet|respond|reply|try|avoid|offer|make|act|stay|tell"
    r"|you|your|if|when)\s|.*\b(?:callers?|users?|customers?) (?:ask|want|say|is|are)\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(
    r"(?<=[.!?])(?<!\bDr\.)(?<!\bSt\.)(?<!\bMr\.)(?<!\bMrs\.)(?<!\bMs\.)(?<!e\.g\.)\s+(?=[^a-z])|\s*\n[\s*•-]*"
)
_HELLO = re.compile(r"\W*(?:hello|hi|hey|good (?:morning|afternoon|evening))\b", re.IGNORECASE)
NOT_KNOWN = ("I'm sorry, I don't have that in my notes.", "I'm afraid my notes say nothing about that, either.")
PROGRAM = "I'm a demonstration program. I answer from a few notes."


class DemoBrain:
    """A demo brain and no language model: it quotes the sentences of the system prompt that share words with the question.

    It runs without a key and without a model, and its answers change with the prompt. It makes up nothing but a greeting, thanks,
    a goodbye and "I don't have that in my notes". It understands no paraphrases, follows no instructions about tone or tasks, and
    calls no tools: tools that are offered to it are left unused. For conversation, use a language model.
    """

    provider = PROVIDER
    model = "demo-brain"
    virtual_time = True

    def __init__(self) -> None:
        self.price: Price | None = Price()

    def __repr__(self) -> str:
        return "DemoBrain()  # a demo brain, no language model: it quotes the prompt's own sentences"

    def _repr_html_(self) -> str:
        return "<b>DemoBrain</b>: a demo brain, no language model. It quotes the prompt's own sentences."

    def ready(self) -> None:
        """There is nothing to load."""

    @asynccontextmanager
    async def open(self, call: CallContext) -> AsyncIterator[DemoBrainStream]:  # noqa: ARG002 (it is the same for each call)
        """Answer in a call."""
        yield DemoBrainStream()


class DemoBrainStream:
    """The demo brain in one call; all it remembers stands in the messages."""

    async def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],  # noqa: ARG002 (it calls none)
    ) -> AsyncGenerator[LLMEvent, None]:
        """The answer, word by word; `tools` are left unused."""
        for word in re.findall(r"\S+\s*", answer(messages)):
            yield TextDelta(word)
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
        elif not _INSTRUCTION.match(sentence):
            facts.append(sentence if sentence[-1] in ".!?" else f"{sentence}.")
    return Notes(persona, tuple(facts))


def answer(messages: Sequence[Message]) -> str:
    """What the demo brain says next in this conversation."""
    notes = read_notes("\n".join(message.content for message in messages if message.role == "system"))
    said = " ".join(message.content for message in messages if message.role == "assistant")
    asked = [message.content for message in messages if message.role == "user"]
    if not asked:
        return _greeting(notes)
    before = asked[-2] if len(asked) > 1 else ""
    found: list[str] = []
    for question in _questions(asked[-1]):
        fact = _best_fact(question, before, notes.facts, said)
        if fact is not None and fact not in found:
            found.append(fact)
    if found:
        return " ".join(_once_more(fact) if said.count(fact) == 1 else fact for fact in found[:2])
    return _without_facts(asked[-1], notes, said)


def stems(text: str) -> set[str]:
    """The words of a text that mean something, without their endings."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"['’](?:s|re|m|ll|ve|d|t)\b|-", "", text.lower()))
    return {_stem(word) for word in words if word not in STOP_WORDS}


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def _questions(text: str) -> list[str]:
    """A turn in parts, so that two questions may have two answers."""
    parts = re.split(r"(?<=[.?!])\s+|,?\s+and\s+(?=(?:when|what|where|who|how|is|are|do|does|can)\b)", text, flags=re.IGNORECASE)
    return [part for part in parts if part.strip()]


def _best_fact(question: str, before: str, facts: Sequence[str], said: str) -> str | None:
    """The fact that shares most with the question; None when none shares a word that means something."""
    wanted = stems(question)
    cues = [shape for cue, shape in CUES if re.search(cue, question, re.IGNORECASE)]
    if not wanted and cues:
        wanted = stems(before)  # "And how much is it?"
    ranked = sorted(((_score(fact, wanted, cues, facts), -number) for number, fact in enumerate(facts)), reverse=True)
    if not ranked or ranked[0][0] <= 0:
        return None
    for score, number in ranked:
        if score >= 0.6 * ranked[0][0] and said.count(facts[-number]) < 1:
            return facts[-number]
    fact = facts[-ranked[0][1]]
    return fact if said.count(fact) < 3 else None


def _score(fact: str, wanted: set[str], cues: Sequence[str], facts: Sequence[str]) -> float:
    """Shared words, rare ones counting more; half a point for each cue that fits. 0 without a shared word."""
    held = stems(fact)
    shared = sum(1.0 / sum(stem in stems(other) for other in facts) for stem in wanted & held)
    shared += sum(0.5 for group in SYNONYMS if wanted & group and held & group and not wanted & held & group)
    return shared + sum(0.5 for shape in cues if re.search(shape, fact)) if shared else 0.0


def _once_more(fact: str) -> str:
    return f"As I said: {fact}"


def _greeting(notes: Notes) -> str:
    return " ".join(filter(None, ["Hello!", notes.persona, "How can I help?"]))


def _without_facts(text: str, notes: Notes, said: str) -> str:
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
    return NOT_KNOWN[said.count(NOT_KNOWN[0]) % 2]
