"""Performs replies with a language model and a voice: tokens are read on while sentences are synthesised."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial

from patter_nb.agent import Agent
from patter_nb.live import Live
from patter_nb.providers.base import LLMStream, TextDelta, ToolSpec, closing
from patter_nb.session.boundary import guard
from patter_nb.session.chains import TextChain
from patter_nb.session.patience import timely
from patter_nb.session.speech import Speech
from patter_nb.turns.commands import ContinueReply, StartReply
from patter_nb.turns.events import Event, InstantRecorded, ReplyFailed, ReplyGenerated, ReplyStarted, ToolCalled
from patter_nb.turns.messages import Message, ToolRequest
from patter_nb.turns.sentences import Segmenter
from patter_nb.turns.usage import Usage

SILENCE_SECONDS = 20.0
"""How long a model may bring nothing in the middle of an answer; before it brings anything the engine's patience counts."""


class _Reply:
    """A reply in the making: the agent it was ordered with, its voice and the task that works on it."""

    def __init__(self, number: int, agent: Agent, speech: Speech) -> None:
        self.number = number
        self.agent = agent
        self.speech = speech
        self.segmenter = Segmenter(aggressive_first_flush=agent.aggressive_first_flush, language=agent.language)
        self.stamped: set[str] = set()
        self.task: asyncio.Task[None] | None = None


class Pipeline:
    """The replies of one call. Its methods start or stop work and never wait for it."""

    def __init__(
        self,
        *,
        spawn: Callable[[Coroutine[None, None, None], str], asyncio.Task[None]],
        live: Live,
        llm: LLMStream,
        speech: Callable[[int], Speech],
        chain: Callable[[], TextChain],
        tools: Sequence[ToolSpec],
        post: Callable[[Event], None],
        meter: Callable[[Usage, int | None], None],
        now: Callable[[], float],
    ) -> None:
        self._spawn = spawn
        self._live = live
        self._llm = llm
        self._speech = speech
        self._chain = chain
        self._tools = tools
        self._post = post
        self._meter = meter
        self._now = now
        self._replies: dict[int, _Reply] = {}

    def start(self, command: StartReply) -> None:
        """Begin a reply with the agent that is live at this moment."""
        revision = self._live.current
        self._post(ReplyStarted(command.reply, revision.number))
        reply = _Reply(command.reply, revision.agent, self._speech(command.reply))
        self._replies = {command.reply: reply}
        if command.text is None:
            self._work(reply, partial(self._answer, reply, command.messages))
        else:
            self._work(reply, partial(self._recite, reply, command.text))

    def proceed(self, command: ContinueReply) -> None:
        """Ask the model again within the same reply, now that its tools have returned."""
        if (reply := self._replies.get(command.reply)) is not None:
            reply.stamped.discard("llm_first_token_at")  # the turn keeps the first, and patience with the model counts each
            self._work(reply, partial(self._answer, reply, command.messages))

    def fill(self, number: int, text: str) -> None:
        """Say a filler line within a reply that waits for its tool."""
        if (reply := self._replies.get(number)) is not None:
            reply.speech.say(text)

    def cancel(self, number: int) -> None:
        """Stop generating and synthesising."""
        if (reply := self._replies.pop(number, None)) is not None:
            reply.speech.cancel()
            if reply.task is not None:
                reply.task.cancel()

    def stop(self) -> None:
        """Cancel whatever is at work; the call is over."""
        for number in list(self._replies):
            self.cancel(number)

    def _work(self, reply: _Reply, work: Callable[[], Awaitable[None]]) -> None:
        def failed(error: str) -> None:
            self._post(ReplyFailed(reply.number, "llm", error))

        async def run() -> None:
            with guard(failed, who=reply.agent.llm.provider):
                await work()

        reply.task = self._spawn(run(), f"reply {reply.number}")

    async def _recite(self, reply: _Reply, text: str) -> None:
        for segment in (*reply.segmenter.push(text), *reply.segmenter.flush()):
            reply.speech.say(segment)
        await self._complete(reply)

    async def _answer(self, reply: _Reply, messages: Sequence[Message]) -> None:
        self._stamp(reply, "hooks_started_at")
        chain = self._chain()
        prompt = [Message("system", reply.agent.prompt), *messages]
        self._stamp(reply, "hooks_ended_at")
        self._stamp(reply, "llm_requested_at")
        answer = self._llm.reply(prompt, self._tools)
        async with closing(timely(answer, SILENCE_SECONDS, provider=reply.agent.llm.provider, what="token")) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    self._stamp(reply, "llm_first_token_at")
                    self._text(reply, chain.feed(event.text))
                elif isinstance(event, ToolRequest):
                    self._post(ToolCalled(reply.number, event.id, event.name, event.arguments))
                else:
                    self._meter(event, reply.number)
        self._stamp(reply, "llm_finished_at")
        self._text(reply, chain.end())
        for segment in reply.segmenter.flush():
            self._say(reply, segment)
        await self._complete(reply)

    def _text(self, reply: _Reply, text: str) -> None:
        if text:
            self._stamp(reply, "sentence_started_at")
            for segment in reply.segmenter.push(text):
                self._say(reply, segment)

    def _say(self, reply: _Reply, segment: str) -> None:
        self._stamp(reply, "sentence_ready_at")
        reply.speech.say(segment)

    async def _complete(self, reply: _Reply) -> None:
        self._post(ReplyGenerated(reply.number))
        await reply.speech.finished()
        self._stamp(reply, "tts_last_byte_at")

    def _stamp(self, reply: _Reply, name: str) -> None:
        """Record the first time this happens in the reply."""
        if name not in reply.stamped:
            reply.stamped.add(name)
            self._post(InstantRecorded(reply.number, name, self._now()))
