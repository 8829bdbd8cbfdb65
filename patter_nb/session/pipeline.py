"""Performs replies with a language model and a voice: tokens are read on while sentences are synthesised."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial

from patter_nb.agent import Agent
from patter_nb.errors import ConfigError
from patter_nb.live import Live, Revision, Taken
from patter_nb.providers.base import LLM, LLMEvent, TextDelta, ToolSpec, closing
from patter_nb.session.boundary import guard, naming
from patter_nb.session.hooks import Hooks
from patter_nb.session.patience import timely
from patter_nb.session.speech import Speech
from patter_nb.session.streams import Streams
from patter_nb.session.wording import Wording
from patter_nb.turns.commands import ContinueReply, StartReply
from patter_nb.turns.events import Event, InstantRecorded, ReplyFailed, ReplyGenerated, ReplyStarted, ToolCalled
from patter_nb.turns.messages import Message, ToolRequest
from patter_nb.turns.sentences import Segmenter
from patter_nb.turns.usage import Usage

SILENCE_SECONDS = 20.0
"""How long a model may bring nothing in the middle of an answer; before it brings anything the engine's patience counts."""

MOST_ROUNDS = 10
"""How often a model may be asked again after tools within one reply; more is a model that goes round in circles."""


class Reply:
    """A reply in the making: the agent it was ordered with, its text and voice, and the task that works on it."""

    def __init__(self, number: int, turn: int, agent: Agent, speech: Speech, hooks: Hooks) -> None:
        self.number = number
        self.turn = turn
        self.agent = agent
        self.speech = speech
        self.hooks = hooks
        self.wording: Wording
        self.asked_for: list[ToolRequest] = []
        """Tools that wait until what was said before them can no longer be blocked."""
        self.rounds = 0
        self.reading: asyncio.Timeout | None = None
        self.stamped: set[str] = set()
        self.task: asyncio.Task[None] | None = None

    def stop_reading(self) -> None:
        """The rest of what the model writes is not wanted."""
        if self.reading is not None:
            self.reading.reschedule(asyncio.get_running_loop().time())


class Pipeline:
    """The replies of one call. Its methods start or stop work and never wait for it.

    `changed(revision)` is called when a reply begins with another revision than the one before; `speech`, `hooks` and `wording`
    make a reply's voice, hooks and text; `tools(agent)` says what the model may call, `reassurance(agent, name)` what is said
    while a tool runs, and after how many seconds.
    """

    def __init__(
        self,
        *,
        spawn: Callable[[Coroutine[None, None, None], str], asyncio.Task[None]],
        live: Live,
        streams: Streams,
        model: Callable[[Agent], LLM],
        speech: Callable[[int, Agent, Hooks], Speech],
        hooks: Callable[[int, Agent], Hooks],
        wording: Callable[[Reply], Wording],
        tools: Callable[[Agent], Sequence[ToolSpec]],
        reassurance: Callable[[Agent, str], tuple[str, float]],
        changed: Callable[[Revision], None],
        post: Callable[[Event], None],
        meter: Callable[[Usage, int | None], None],
        now: Callable[[], float],
    ) -> None:
        self._spawn = spawn
        self._live = live
        self._streams = streams
        self._model = model
        self._speech = speech
        self._hooks = hooks
        self._wording = wording
        self._tools = tools
        self._reassurance = reassurance
        self._changed = changed
        self._post = post
        self._meter = meter
        self._now = now
        self._replies: dict[int, Reply] = {}
        self._tool_ids: set[str] = set()

    def start(self, command: StartReply) -> None:
        """Begin a reply with the agent that is live at this moment."""
        before = self._live.current
        taken = self._live.take(command.turn)
        if taken.revision is not before:
            self._changed(taken.revision)
        self._post(ReplyStarted(command.reply, taken.revision.number, taken.edit_requested_at, taken.edit_effective_turn))
        made = list[Reply]()
        with guard(partial(self._failed, command.reply), who="the reply"):
            made.append(self._make(command, taken))
        self._replies = {reply.number: reply for reply in made}
        for reply in made:
            self._begin(reply, command)

    def _begin(self, reply: Reply, command: StartReply) -> None:
        if command.text is None:
            self._work(reply, partial(self._answer, reply, command.messages))
        else:
            self._work(reply, partial(self._recite, reply, command.text))

    def proceed(self, command: ContinueReply) -> None:
        """Ask the model again within the same reply, now that its tools have returned."""
        if (reply := self._replies.get(command.reply)) is not None:
            reply.stamped.discard("llm_first_token_at")  # the turn keeps the first, and patience with the model counts each
            reply.rounds += 1
            self._work(reply, partial(self._answer, reply, command.messages))

    def agent_of(self, number: int) -> Agent:
        """The agent that reply was begun with; the one that is live when it is not known any more."""
        reply = self._replies.get(number)
        return self._live.current.agent if reply is None else reply.agent

    def fill(self, number: int, text: str) -> None:
        """Say a filler line within a reply that waits for its tool."""
        reply = self._replies.get(number)
        if reply is not None and not reply.wording.is_blocked:  # else the replacement is the last thing that is said
            reply.speech.say(text)

    def cancel(self, number: int) -> None:
        """Stop generating and synthesising."""
        if (reply := self._replies.pop(number, None)) is not None:
            reply.speech.cancel()
            reply.wording.cancel()
            if reply.task is not None:
                reply.task.cancel()

    def stop(self) -> None:
        """Cancel whatever is at work; the call is over."""
        for number in list(self._replies):
            self.cancel(number)

    def _make(self, command: StartReply, taken: Taken) -> Reply:
        agent = taken.revision.agent
        hooks = self._hooks(command.reply, agent)
        reply = Reply(command.reply, command.turn, agent, self._speech(command.reply, agent, hooks), hooks)
        reply.wording = self._wording(reply)
        return reply

    def _work(self, reply: Reply, work: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            with guard(partial(self._failed, reply.number), who="the reply"):
                await work()

        reply.task = self._spawn(run(), f"reply {reply.number}")

    def _failed(self, reply: int, error: str) -> None:
        self._post(ReplyFailed(reply, "llm", error))

    async def _recite(self, reply: Reply, text: str) -> None:
        segmenter = Segmenter(aggressive_first_flush=reply.agent.aggressive_first_flush, language=reply.agent.language)
        for segment in (*segmenter.push(text), *segmenter.flush()):
            reply.speech.say(segment)
        await self._complete(reply)

    async def _answer(self, reply: Reply, messages: Sequence[Message]) -> None:
        if not reply.wording.is_blocked:  # else a guardrail has replaced the answer, and there is nothing to add to it
            llm = self._model(reply.agent)
            with naming(llm.provider):
                await self._ask(reply, llm, messages)
                await reply.wording.end()
            asked_for, reply.asked_for = reply.asked_for, []
            for request in asked_for:
                self._call_tool(reply, request)
        await self._complete(reply)

    async def _ask(self, reply: Reply, llm: LLM, messages: Sequence[Message]) -> None:
        self._stamp(reply, "hooks_started_at")
        prompt = await reply.hooks.before_llm([Message("system", reply.agent.instructions), *messages])
        self._stamp(reply, "hooks_ended_at")
        stream = await self._streams.llm(llm)
        self._stamp(reply, "llm_requested_at")
        tools = () if reply.rounds >= MOST_ROUNDS else tuple(self._tools(reply.agent))
        answer = timely(stream.reply(prompt, tools), SILENCE_SECONDS, provider=llm.provider, what="token")
        try:
            async with asyncio.timeout(None) as reply.reading, closing(answer) as events:
                async for event in events:
                    self._take(reply, event)
        except TimeoutError:
            if not reply.wording.is_blocked:
                raise
        finally:
            reply.reading = None
        self._stamp(reply, "llm_finished_at")

    def _take(self, reply: Reply, event: LLMEvent) -> None:
        """One event of the model."""
        if isinstance(event, TextDelta):
            self._stamp(reply, "llm_first_token_at")
            reply.wording.feed(event.text)
        elif isinstance(event, ToolRequest):
            if reply.rounds >= MOST_ROUNDS:
                raise ConfigError(f"The model still asks for tools after {MOST_ROUNDS} rounds of them in one reply.")
            if reply.asked_for or reply.wording.may_block:
                reply.asked_for.append(event)
            else:
                self._call_tool(reply, event)
        else:
            self._meter(event, reply.number)

    def _call_tool(self, reply: Reply, request: ToolRequest) -> None:
        """A tool that was asked for after words a guardrail blocked is not run: nothing of that answer counts."""
        if reply.wording.is_blocked:
            return
        filler, after_seconds = self._reassurance(reply.agent, request.name)
        identity = self._unique(request.id)
        self._post(ToolCalled(reply.number, identity, request.name, request.arguments, filler, after_seconds))

    def _unique(self, given: str) -> str:
        """An id that no other tool call of this call has: models may give none, or the same one in each answer."""
        number, identity = 1, given or "call_1"
        while identity in self._tool_ids:
            number += 1
            identity = f"{given or 'call'}_{number}"
        self._tool_ids.add(identity)
        return identity

    async def _complete(self, reply: Reply) -> None:
        self._post(ReplyGenerated(reply.number, silenced=reply.wording.is_silenced))
        await reply.speech.finished()
        self._stamp(reply, "tts_last_byte_at")

    def _stamp(self, reply: Reply, name: str) -> None:
        """Record the first time this happens in the reply."""
        if name not in reply.stamped:
            reply.stamped.add(name)
            self._post(InstantRecorded(reply.number, name, self._now()))
