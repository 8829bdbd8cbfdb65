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
        "a about alright am an and any are as at be bring by can cool could did do does fine for from get give go got "
        "great has have hello help hey hi hm hmm hold how i if in is it know let like look make many may maybe me much "
        "my need no nope not of oh ok okay on one or our out perfect please possible right say so some sure tell than "
        "thank thanks that the their them then there they this time to uh um until up us wait want was way we well what "
        "when where which who will with would yeah yep yes you your",
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
    a goodbye and "I don't have that in my notes". It understands no paraphrases, follows no instructions about tone or tasks, and
    calls no tools: tools that are offered to it are left unused. For conversation, use a language model.
    """

    provider = PROVIDER
    model = "demo-brain"
    virtual_time = True
    phone_preamble = False
    """It is no language model, and is not told how to speak on a telephone."""

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
        elif (ours := _OURS.sub("Our ", sentence)) != sentence or not _INSTRUCTION.match(sentence):
            facts.append(ours if ours[-1] in ".!?" else f"{ours}.")
    return Notes(persona, tuple(facts))


def answer(messages: Sequence[Message]) -> str:
    """What the demo brain says next in this conversation."""
    notes = read_notes("\n".join(message.content for message in messages if message.role == "system"))
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


def _best(candidates: Sequence[str], wanted: set[str], shapes: Sequence[str], facts: Sequence[str], said: str) -> str | None:
    scored = {fact: _score(fact, wanted, shapes, facts) for fact in candidates}
    best = max(scored.values(), default=0.0)
    if best <= 0:
        return None
    close = sorted((fact for fact in scored if scored[fact] >= 0.6 * best), key=lambda fact: -scored[fact])
    return next((fact for fact in close if fact not in said), close[0])


def _score(fact: str, wanted: set[str], shapes: Sequence[str], facts: Sequence[str]) -> float:
    """Shared words, rare ones counting more; half a point for each shape that fits. 0 without a shared word."""
    held = stems(fact)
    shared = sum(1.0 / sum(stem in stems(other) for other in facts) for stem in wanted & held)
    shared += sum(0.5 for group in SYNONYMS if wanted & group and held & group and not wanted & held & group)
    return shared + sum(0.5 for shape in shapes if re.search(shape, fact)) if shared else 0.0


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
