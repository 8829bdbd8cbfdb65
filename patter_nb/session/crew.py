"""Everything that works in one call, made and joined together: the line, the ear, the model's and the voice's side, the tools."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial

from patter_nb.agent import Agent
from patter_nb.audio.convert import decode, encode
from patter_nb.audio.formats import PCM_8K, AudioFormat
from patter_nb.audio.plug import FilterStage
from patter_nb.callbacks import CallControl
from patter_nb.clock import CallClock
from patter_nb.errors import ConfigError
from patter_nb.hooks import HookContext
from patter_nb.live import Revision
from patter_nb.providers.base import CLOSING_SECONDS, LLM, CallContext
from patter_nb.session.boundary import guard
from patter_nb.session.caller_audio import HookedRecogniser
from patter_nb.session.chains import AudioChain
from patter_nb.session.copies import audio_stage
from patter_nb.session.dialogue import to_dicts
from patter_nb.session.hooks import Hooks
from patter_nb.session.inbound import Recogniser
from patter_nb.session.line import Line
from patter_nb.session.listening import Listening
from patter_nb.session.messenger import Messenger
from patter_nb.session.meter import Meter
from patter_nb.session.narrator import Narrator
from patter_nb.session.pipeline import Pipeline, Reply
from patter_nb.session.servers import Servers
from patter_nb.session.setup import CallSetup
from patter_nb.session.speech import Speech
from patter_nb.session.streams import Streams
from patter_nb.session.toolbox import Toolbox
from patter_nb.session.transcripts import Transcripts
from patter_nb.session.wording import Wording
from patter_nb.turns.commands import RunTool
from patter_nb.turns.engine import TurnEngine
from patter_nb.turns.events import Event, FinalReceived, InterimReceived, SpeechStarted, StageFailed, ToolReturned

Spawn = Callable[[Coroutine[None, None, None], str], asyncio.Task[None]]


class Crew:
    """The parts of one call. What is opened here is closed by `close`."""

    def __init__(
        self,
        setup: CallSetup,
        *,
        clock: CallClock,
        post: Callable[[Event], None],
        meter: Meter,
        narrator: Narrator,
        control: CallControl,
        engine: TurnEngine,
        spawn: Spawn,
        event: Callable[[str, Mapping[str, object]], None],
        changed: Callable[[Revision], None],
        answered: Callable[[], None],
        over: Callable[[], None],
    ) -> None:
        self._setup = setup
        self._clock = clock
        self._post = post
        self._meter = meter
        self._narrator = narrator
        self._engine = engine
        self._spawn = spawn
        self._event = event
        self._first = agent = setup.live.current.agent
        self._messenger = self._make_messenger(control)
        self._streams = self._adopt_streams(agent)
        self._servers = Servers(agent, lambda error: event("mcp_failed", {"error": error}))
        self.toolbox = Toolbox(control, setup.user_code, more=self._servers.tools, post=post, progress=self._progressed)
        self.line = self._make_line(answered, over)
        self.transcripts = self._make_transcripts()
        stt = agent.stt
        assert stt is not None
        self.listening = Listening(
            agent,
            partial(self._streams.stt, stt),
            audio=setup.codec.audio,
            inbound=self.line.inbound,
            post=self._heard,
            meter=meter,
            front=self._front,
        )
        self._out = AudioChain(setup.audio_out, self.line.stage_failed)
        self.pipeline = self._make_pipeline(changed)

    async def open(self) -> None:
        """Open the model, the voice and the tools' servers. `PatterError` when model or voice cannot be."""
        await self._streams.llm(self._model(self._first))
        if self._first.tts is not None:
            await self._streams.tts(self._first.tts)
        await self._servers.open()

    async def close(self) -> None:
        """Close what was opened."""
        with guard(self._not_closed, who="the model or the voice"):
            await self._streams.close()
        await self._servers.close()
        for each in self._filters:
            name = "audio_filter.close"
            closed = await self._setup.user_code.call(each.close, deadline_seconds=CLOSING_SECONDS, name=name)
            if closed.error is not None:
                self._not_closed(closed.error)

    def run_tool(self, command: RunTool) -> None:
        """Run a tool for the reply that asked for it."""
        agent = self.pipeline.agent_of(command.reply)

        def failed(error: str) -> None:
            self._post(ToolReturned(command.reply, command.id, error=error))

        async def work() -> None:
            with guard(failed, who=command.name):
                self._post(await self.toolbox.run(agent, command))

        self._spawn(work(), f"tool {command.name}")

    # What the parts are made of.

    def _adopt_streams(self, agent: Agent) -> Streams:
        """What was opened for the call before it began, if anything was."""
        streams = self._setup.streams
        if streams is None:
            return Streams(CallContext(self._setup.call_id, agent.language), self._setup.codec.audio, self._not_closed)
        streams.failed = self._not_closed
        return streams

    def _make_messenger(self, control: CallControl) -> Messenger | None:
        on_message = self._setup.callbacks.on_message
        return None if on_message is None else Messenger(on_message, control, self._setup.user_code)

    def _make_transcripts(self) -> Transcripts:
        setup, engine = self._setup, self._engine
        return Transcripts(
            spawn=self._spawn,
            hooks=self._caller_hooks,
            strategies=lambda: setup.live.current.agent.barge_in_strategies or (),
            speaking=lambda: engine.state == "speaking",
            user_code=setup.user_code,
            post=self._post,
            told=self._narrator.transcribed,
            now=self._clock.now,
            failed=partial(self._stage_failed, 0),
        )

    def _make_pipeline(self, changed: Callable[[Revision], None]) -> Pipeline:
        return Pipeline(
            spawn=self._spawn,
            live=self._setup.live,
            streams=self._streams,
            model=self._model,
            speech=self._speech,
            hooks=self._hooks,
            wording=self._wording,
            tools=self.toolbox.specs,
            reassurance=self.toolbox.reassurance,
            changed=changed,
            post=self._post,
            meter=self._meter,
            now=self._clock.now,
        )

    def _make_line(self, answered: Callable[[], None], over: Callable[[], None]) -> Line:
        setup, agent = self._setup, self._first
        stages = [] if agent.audio_filter is None else [audio_stage(agent.audio_filter, PCM_8K.hz)]
        self._filters = [stage for stage in stages if isinstance(stage, FilterStage)]
        return Line(
            setup.connection,
            setup.codec,
            clock=self._clock,
            voice_model=setup.voice_model,
            record=setup.record,
            audio_in=(*setup.audio_in, *stages),
            mix=self._background(setup.codec.audio),
            post=self._from_line,
            event=self._event,
            answered=answered,
            over=over,
        )

    def _background(self, audio: AudioFormat) -> Callable[[bytes], bytes] | None:
        if self._first.background_audio is None:
            return None
        mixer = self._first.background_audio.start(audio.hz, self._setup.seed)
        return lambda played: encode(mixer.mix(decode(played, audio)), audio)

    def _model(self, agent: Agent) -> LLM:
        if self._messenger is not None:
            return self._messenger
        if agent.llm is None:
            raise ConfigError("The agent has no llm: give it one.")
        return agent.llm

    def _speech(self, number: int, agent: Agent, hooks: Hooks) -> Speech:
        tts = agent.tts
        if tts is None:
            raise ConfigError("The agent has no tts: give it one.")
        return Speech(
            number,
            spawn=self._spawn,
            voice=lambda: self._streams.tts(tts),
            provider=tts.provider,
            heard_as=self._setup.codec.audio,
            chain=self._out,
            after_synthesize=hooks.after_synthesize,
            playout=self.line.playout,
            post=self._post,
            meter=self._meter,
            now=self._clock.now,
        )

    def _wording(self, reply: Reply) -> Wording:
        return Wording(
            reply.number,
            reply.agent,
            hooks=reply.hooks,
            user_code=self._setup.user_code,
            spawn=self._spawn,
            say=reply.speech.say,
            post=self._post,
            now=self._clock.now,
            blocked=reply.stop_reading,
            may_be_empty=self._messenger is not None,
        )

    def _hooks(self, number: int, agent: Agent, told: set[tuple[str, str]] | None = None) -> Hooks:
        return Hooks(agent.hooks, self._hook_context, self._setup.user_code, partial(self._stage_failed, number), told)

    def _caller_hooks(self, told: set[tuple[str, str]] | None = None) -> Hooks:
        return self._hooks(0, self._setup.live.current.agent, told)

    def _hook_context(self, audio: AudioFormat | None) -> HookContext:
        setup = self._setup
        history = () if audio is not None else tuple(to_dicts(self._engine.messages))
        return HookContext(setup.call_id, setup.caller, setup.callee, history, audio)

    def _front(self, recogniser: Recogniser, audio: AudioFormat) -> Recogniser:
        return HookedRecogniser(recogniser, audio, self._caller_hooks, self._spawn)

    # What the parts tell each other.

    def _heard(self, event: Event) -> None:
        """What the recogniser posts: words go through their door first."""
        if isinstance(event, FinalReceived | InterimReceived):
            self.transcripts.put(event)
        else:
            self._post(event)

    def _from_line(self, event: Event) -> None:
        if isinstance(event, SpeechStarted):
            self.transcripts.speech_started(event)
        self._post(event)

    def _progressed(self, identity: str, name: str, text: str) -> None:
        self._event("tool_progress", {"id": identity, "name": name, "text": text})
        self._narrator.tool_progress(identity, name, text)

    def _stage_failed(self, reply: int, stage: str, error: str) -> None:
        self._post(StageFailed(reply, stage, error))

    def _not_closed(self, error: str) -> None:
        self._event("not_closed", {"error": error})
