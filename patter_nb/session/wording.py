"""The text of one reply on its way from the model to the voice: users' hooks, guardrails and transforms, sentence by sentence.

In this order: `on_chunk` for each piece; the whole answer through `on_response`; guardrails' terms over the stream; sentences;
for each of them guardrails' checks (with the sentence before), `on_sentence`, the transforms, `before_synthesize`, and once more
the guardrails, since what came after their first look may have put something back. What nothing looks at goes to the voice at
once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial

from patter_nb.agent import Agent
from patter_nb.errors import ConfigTypeError
from patter_nb.guardrails import Guardrail, Hit, TermFilter, find, normalised
from patter_nb.session.boundary import guard
from patter_nb.session.hooks import HOOK_SECONDS, Hooks, text_of
from patter_nb.session.user_code import UserCode
from patter_nb.turns.events import Event, GuardrailHit, InstantRecorded, StageFailed
from patter_nb.turns.sentences import Segmenter


@dataclass(slots=True)
class Before:
    """What stands before the sentence that is looked at."""

    written: str = ""
    """The sentence before, as the model wrote it."""
    said: str = ""
    """The last one that was said, as it was said: hooks may have made another of it, or left some out."""
    tail: str = ""
    """The end of all that was said, as terms are compared: as much of it as a term can begin in."""


class Wording:
    """The text of one reply. `say` gets what may be spoken; `blocked` is called once, when the rest of the reply is replaced.

    `may_be_empty`: whoever writes the answers says nothing on purpose when one is empty.
    """

    def __init__(
        self,
        reply: int,
        agent: Agent,
        *,
        hooks: Hooks,
        user_code: UserCode,
        spawn: Callable[[Coroutine[None, None, None], str], asyncio.Task[None]],
        say: Callable[[str], None],
        post: Callable[[Event], None],
        now: Callable[[], float],
        blocked: Callable[[], None],
        may_be_empty: bool = False,
    ) -> None:
        self._reply = reply
        self._agent = agent
        self._rails: tuple[Guardrail, ...] = tuple(agent.guardrails or ())
        self._checks = [rail for rail in self._rails if rail.check is not None]
        self._hooks = hooks
        self._user_code = user_code
        self._spawn = spawn
        self._speak = say
        self._post = post
        self._now = now
        self._tell_blocked = blocked
        self._segmenter = Segmenter(aggressive_first_flush=agent.aggressive_first_flush, language=agent.language)
        self._terms = TermFilter(self._rails)
        self._response: list[str] = []
        self._before = Before()
        self._longest = max((len(normalised(term)) for rail in self._rails for term in rail.blocked_terms or ()), default=0)
        self._held_since: float | None = None
        self._stamped: set[str] = set()
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None
        given = hooks.given
        self._staged = bool(self._checks or given.tiers.on_sentence or agent.text_transforms or given.before_synthesize)
        self._blocks_late = bool(self._rails) and (self._staged or given.tiers.on_response is not None)
        self._written = may_be_empty
        """Whether there was an answer that could have been said."""
        self._kept_back = False
        """Whether some of it was not said since something failed."""
        self._cancelled = False
        self.is_blocked = False

    @property
    def may_block(self) -> bool:
        """Whether guardrails have not seen all that was fed: some of it may be blocked until `end` has returned."""
        return bool(self._rails) and (self._blocks_late or self._terms.held > 0 or self._segmenter.holds_text)

    @property
    def is_silenced(self) -> bool:
        """Whether there was an answer and nothing is said of it on purpose: the user's stages took all of it out."""
        failed = self._kept_back or self._hooks.kept_back
        return self._written and not self._before.said and not failed

    def cancel(self) -> None:
        """The reply is cut off: no hook and no check looks at it any more."""
        self._cancelled = True
        if self._worker is not None:
            self._worker.cancel()

    def feed(self, text: str) -> None:
        """A piece of the model's text."""
        if self.is_blocked or self._cancelled or not text:
            return
        self._written = self._written or bool(text.strip())
        text = self._chunk(text)
        if self._hooks.given.tiers.on_response is not None:
            self._response.append(text)
        elif text:
            self._write(text)

    async def end(self) -> None:
        """An answer of the model is complete. Returns when all of it was handed to the voice."""
        if self._cancelled:
            return
        if self._response:
            whole, self._response = "".join(self._response), []
            self._write(await self._hooks.on_response(whole))
        if not self.is_blocked:
            self._segments(self._terms.end())
            self._terms, self._held_since = TermFilter(self._rails), None
            for segment in self._segmenter.flush():
                self._ready(segment)
        if self._worker is not None:
            self._queue.put_nowait(None)
            await asyncio.wait((self._worker,))
            self._worker = None

    def _chunk(self, text: str) -> str:
        hook, chunks, stage = self._hooks.given.tiers.on_chunk, list[str | None](), "after_llm.on_chunk"
        if hook is None:
            return text
        with guard(partial(self._failed, stage), who=stage):
            chunks.append(text_of(stage, hook(text)))
        if not chunks:
            closed = self._hooks.given.fail_closed
            self._kept_back = self._kept_back or closed
            return "" if closed else text
        return text if chunks[0] is None else chunks[0]

    def _write(self, text: str) -> None:
        """Text that is subject to the terms of guardrails."""
        if self.is_blocked:
            return
        if not self._rails:
            self._segments(text)
            return
        passed = self._terms.feed(text)
        if self._terms.held and self._held_since is None:
            self._held_since = self._now()
        self._segments(passed)
        hit = self._terms.hit
        if hit is not None and not self.is_blocked:
            held = 0.0 if self._held_since is None else self._now() - self._held_since
            self._block(hit, held * 1000, "terms")
        elif not self._terms.held:
            self._held_since = None

    def _segments(self, text: str) -> None:
        if text:
            self._stamp("sentence_started_at")
            for segment in self._segmenter.push(text):
                self._ready(segment)

    def _ready(self, segment: str) -> None:
        """A sentence is complete."""
        self._stamp("sentence_ready_at")
        if not self._staged:
            self._say(segment)
            return
        if self._worker is None:
            self._worker = self._spawn(self._work(), f"wording {self._reply}")
        self._queue.put_nowait(segment)

    async def _work(self) -> None:
        while (segment := await self._queue.get()) is not None:
            if not self.is_blocked:
                self._stamp("stages_started_at")
                with guard(self._left_out, who="the stages of the text"):
                    await self._through_stages(segment)
                self._stamp("stages_ended_at")

    def _left_out(self, error: str) -> None:
        self._kept_back = True
        self._failed("stages", error)

    async def _through_stages(self, segment: str) -> None:
        written, said = self._before.written, self._before.said
        if await self._blocked_by_check(segment, written, "check"):
            return
        self._before.written = segment
        text = self._transformed(await self._hooks.on_sentence(segment))
        text = (await self._hooks.before_synthesize(text)).strip() if text else ""
        if not text or self.is_blocked:
            return
        # The same sentence is another matter after one that was changed.
        if (text != segment or said != written) and await self._blocked_by_check(text, said, "last check"):
            return
        self._say(text)

    def _say(self, text: str) -> None:
        """The last look: nothing that a guardrail names gets past here, whoever wrote it."""
        if self._longest:
            spoken = normalised(f"{self._before.tail} {text}")
            if (hit := find(self._rails, spoken)) is not None:
                self._block(hit, 0.0, "last look")
                return
            self._before.tail = spoken[-self._longest :]
        self._before.said = text
        self._speak(text)

    async def _blocked_by_check(self, text: str, before: str, stage: str) -> bool:
        asked_at = self._now()
        for rail in self._checks:
            assert rail.check is not None
            seen = f"{before} {text}" if before else text
            name = f"guardrail {rail.name}"
            outcome = await self._user_code.call(
                rail.check, seen, deadline_seconds=HOOK_SECONDS, quick=True, name=name, read=bool
            )
            if outcome.error is not None:
                self._failed(name, outcome.error)
            if outcome.value or (outcome.error is not None and rail.fail_closed):
                self._block(Hit(rail, None), (self._now() - asked_at) * 1000, stage)
                return True
        return False

    def _transformed(self, text: str) -> str:
        for transform in self._agent.text_transforms or ():
            if not text:
                break
            with guard(partial(self._failed, "text_transforms"), who=_name(transform)):
                text = _applied(transform, text)
        return text

    def _block(self, hit: Hit, added_ms: float, stage: str) -> None:
        """The first match wins: what was not said yet never will be, and the replacement ends the reply."""
        if self.is_blocked:
            return
        self.is_blocked = True
        self._segmenter.flush()
        matched = "check" if hit.term is None else hit.term
        self._post(GuardrailHit(self._reply, hit.guardrail.name, matched, added_ms, stage))
        self._stamp("sentence_ready_at")
        replacement = Segmenter(language=self._agent.language)
        for segment in (*replacement.push(hit.guardrail.replacement), *replacement.flush()):
            self._speak(segment)
        self._tell_blocked()

    def _failed(self, stage: str, error: str) -> None:
        self._post(StageFailed(self._reply, stage, error))

    def _stamp(self, name: str) -> None:
        if name not in self._stamped:
            self._stamped.add(name)
            self._post(InstantRecorded(self._reply, name, self._now()))


def _applied(transform: Callable[[str], str], text: str) -> str:
    returned: object = transform(text)
    if not isinstance(returned, str):
        raise ConfigTypeError(f"{_name(transform)} returned {type(returned).__name__}; it returns a string")
    return returned


def _name(function: object) -> str:
    name = getattr(function, "__qualname__", type(function).__name__).replace("<locals>.", "")
    return f"the text transform {name}"
