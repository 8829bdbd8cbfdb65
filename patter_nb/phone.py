"""`Patter`: the phone you hold. It makes agents, holds calls, and keeps what happened in them."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from patter_nb.agent import Agent, AgentSettings
from patter_nb.audio.vad import EnergyModel, VoiceModel, default_model
from patter_nb.call import Call
from patter_nb.callers import Script, Sound, caller_voice, read_caller, render
from patter_nb.carriers.pipe import connection_pair
from patter_nb.carriers.simulated import NoiseSpec, SimulatedCaller
from patter_nb.carriers.twilio_media import TwilioMediaCodec
from patter_nb.clock import run_virtual
from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.live import Line as AgentLine
from patter_nb.live import Live, Revision
from patter_nb.notebook.display import CardHandle, in_notebook
from patter_nb.providers.base import Prewarms
from patter_nb.records.facts import CallFacts, RevisionFacts
from patter_nb.records.log import CallLog
from patter_nb.records.shelf import RecordingShelf
from patter_nb.records.store import Store
from patter_nb.session.session import CallSetup, Session
from patter_nb.session.simulated_call import hold_simulated_call
from patter_nb.session.user_code import UserCode

if TYPE_CHECKING:
    import pandas as pd

CLOUD = ("api_key", "backend_url", "rest_url", "mode")
"""Settings of Patter's hosted mode, which does not exist here."""

TEST_CALLER = "+15550000001"
TEST_CALLEE = "+15550000002"

LINGER_SECONDS = 60.0
"""How long a test caller outstays the agent's own limit, so that the limit is what ends the call."""

NEEDED = {
    "stt": "LocalSTT() listens on this machine without a key",
    "llm": "DemoBrain() answers from the prompt without a key",
    "tts": "LocalTTS() speaks on this machine without a key",
}


class Patter:
    """A phone for prototyping voice agents.

    `store`: where calls are kept. None: SQLite in `.patter_nb/` of the working directory; a path or any SQLAlchemy URL; False: only
    in memory. `store_numbers`: keep phone numbers in the clear instead of masked plus a keyed hash. `show`: draw a card under the
    cell that started a call.
    """

    def __init__(
        self,
        *,
        carrier: None = None,
        phone_number: str = "",
        store: str | Path | Literal[False] | None = None,
        store_numbers: bool = False,
        show: bool = True,
        **refused: object,
    ) -> None:
        _refuse(refused)
        if carrier is not None:
            raise ConfigError(f"carrier is {type(carrier).__name__}, but real phone lines are not there yet: leave it out and use test().")
        if phone_number:
            raise ConfigError("phone_number needs a carrier, and real phone lines are not there yet: leave it out and use test().")
        self._store = None if store is False else Store(store, store_numbers=store_numbers)
        self._log = CallLog(self._store)
        self._shelf = RecordingShelf(None if self._store is None else self._store.directory)
        self._show = show
        self._lines: dict[str, AgentLine] = {}
        self._calls: list[Call] = []

    def agent(self, system_prompt: str, **settings: Unpack[AgentSettings]) -> Agent:
        """Make an agent; fields, defaults and checks are those of `Agent`. Slow parts (models) begin to load now.

        Running this again with the same `name` stages a revision for the next call.
        """
        for name, remedy in NEEDED.items():
            if settings.get(name) is None:
                raise ConfigError(f"{name} is missing: {remedy}, or give any object that follows patter_nb.providers.base.")
        agent = Agent(system_prompt=system_prompt, **settings)
        for provider in (agent.stt, agent.llm, agent.tts):
            provider.ready()
        self._stage(agent)
        return agent

    def test(
        self,
        agent: Agent,
        caller: Any = None,
        *,
        speed: Literal["real", "max"] = "real",
        noise_db: float | None = None,
        seed: int = 0,
        record: bool = True,
        pinned: bool = False,
        show: bool | None = None,
    ) -> Call:
        """Call the agent without a phone. The call starts at once; `await` the returned `Call` for its end.

        `caller`: a list of lines (strings or `Line`), the path of a WAV file, or `(samples, hz)`. `speed="max"`: as fast as the
        machine can, for providers that wait with the loop's clock only. `noise_db`: white noise on the caller's line, this many dB
        below its voice, drawn with `seed`. `pinned`: run exactly this object, also when its name has a newer revision.
        """
        loop = _running_loop()
        script = read_caller(caller)
        revision = self._choose(agent, pinned)
        _check_speed(speed, revision.agent)
        call = Call(f"test_{uuid.uuid4().hex[:12]}", self._log)
        work = _TestCall(self._log, self._shelf, revision, script, speed=speed, noise_db=noise_db, seed=seed, record=record, loop=loop)
        shown = self._show if show is None else show
        self._calls.append(call)
        self._log.begin(work.facts(call.id))
        call.hold(work.hold, CardHandle(call.view()) if shown and in_notebook() else None)
        return call

    @property
    def last_call(self) -> Call | None:
        """The call that was started last, or None."""
        return self._calls[-1] if self._calls else None

    @property
    def calls(self) -> pd.DataFrame:
        """One row per call of this object."""
        return self._log.calls()

    @property
    def turns(self) -> pd.DataFrame:
        """One row per turn of this object's calls."""
        return self._log.turns()

    @property
    def events(self) -> pd.DataFrame:
        """One row per event of this object's calls."""
        return self._log.events()

    @property
    def store(self) -> Store:
        """Everything that was ever stored: `phone.store.calls()`, `.turns()`. `ConfigError` with `store=False`."""
        if self._store is None:
            raise ConfigError("store is False: nothing is stored; leave store= out to keep calls in .patter_nb/.")
        return self._store

    def flush(self, timeout_seconds: float = 10.0) -> bool:
        """Wait until everything is written; False when it could not be in that time (`store` problems stand in each card)."""
        return self._log.flush(timeout_seconds) and self._shelf.retry()

    def _stage(self, agent: Agent, note: str = "") -> Revision:
        line = self._lines.setdefault(agent.name, AgentLine(agent.name))
        revision, new = line.stage(agent, note)
        if new:
            self._log.revision(
                RevisionFacts(
                    agent=agent.name,
                    number=revision.number,
                    content_id=revision.content_id,
                    parent=revision.parent,
                    note=note,
                    created_at=revision.created_at,
                    content=agent.content(),
                )
            )
        return revision

    def _choose(self, agent: Agent, pinned: bool) -> Revision:
        """The revision a call starts with: the newest of the agent's name, or exactly this object's."""
        if not isinstance(agent, Agent):
            raise ConfigTypeError(f"agent is {type(agent).__name__}; it must be an Agent, as phone.agent(...) returns it.")
        line = self._lines.get(agent.name)
        known = None if line is None else line.find(agent)
        if line is None or known is None:
            return self._stage(agent)
        if pinned or known.number == line.newest.number:
            return line.exact(agent)
        newest = line.newest
        print(f"{agent.name!r}: revision {newest.number} is newer than the one given ({known.number}) and is used; pinned=True keeps yours.")
        return newest

    def __repr__(self) -> str:
        return f"<Patter, {len(self._calls)} calls, store {self._store.name if self._store else 'off'}>"


class _TestCall:
    """One test call as it was ordered."""

    def __init__(
        self,
        log: CallLog,
        shelf: RecordingShelf,
        revision: Revision,
        script: Script,
        *,
        speed: Literal["real", "max"],
        noise_db: float | None,
        seed: int,
        record: bool,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._log = log
        self._shelf = shelf
        self._revision = revision
        self._script = script
        self._real = speed == "real"
        self._noise = None if noise_db is None else NoiseSpec(snr_db=noise_db)
        self._seed = seed
        self._record = record
        self._user_code = UserCode(loop)
        # A recogniser that is told what it hears needs no words in the sound, so none of the models.
        self._synthetic = revision.agent.stt.virtual_time and not isinstance(script, Sound)
        if not self._synthetic and not isinstance(script, Sound):
            caller_voice()

    def facts(self, call_id: str) -> CallFacts:
        """The call's row as it begins."""
        agent = self._revision.agent
        return CallFacts(
            call_id=call_id,
            agent=agent.name,
            revision=self._revision.number,
            direction="test",
            source=self._script.name if isinstance(self._script, Sound) else f"{len(self._script)} lines",
            carrier="simulated",
            mode="pipeline",
            speed="real" if self._real else "max",
            caller=TEST_CALLER,
            callee=TEST_CALLEE,
            started_at=datetime.now(UTC),
            stt_provider=agent.stt.provider,
            stt_model=agent.stt.model,
            llm_provider=agent.llm.provider,
            llm_model=agent.llm.model,
            tts_provider=agent.tts.provider,
            tts_model=agent.tts.model,
        )

    async def hold(self, call: Call) -> None:
        """Render the caller, hold the call, keep its recording."""
        lines = await render(self._script, synthetic=self._synthetic)
        # Made in a thread: the first one of a process imports onnxruntime.
        voice_model = await asyncio.to_thread(self._voice_model)
        agent = self._revision.agent
        if isinstance(agent.tts, Prewarms) and agent.greeting:
            await agent.tts.prepare(agent.greeting)
        simulated = SimulatedCaller(
            lines,
            expects_greeting=bool(agent.greeting),
            from_number=TEST_CALLER,
            to_number=TEST_CALLEE,
            noise=self._noise,
            seed=self._seed,
            max_seconds=agent.max_duration_seconds + LINGER_SECONDS,
        )
        work = partial(hold_simulated_call, self._setup(call.id, voice_model), simulated, call.attach)
        session: Session = await (work() if self._real else asyncio.to_thread(lambda: run_virtual(work())))
        recording = session.recording
        path = None if recording is None else await asyncio.to_thread(self._shelf.save, call.id, recording)
        if self._shelf.problem:
            self._log.event(call.id, session.duration_seconds, "recording_not_saved", {"error": self._shelf.problem})
        self._log.finish(call.id, duration_seconds=session.duration_seconds, end_reason=session.end_reason, recording_path=path)
        call.finish(session.end_reason, recording)

    def _setup(self, call_id: str, voice_model: VoiceModel) -> CallSetup:
        return CallSetup(
            call_id=call_id,
            live=Live(self._revision),
            connection=connection_pair()[0],
            codec=TwilioMediaCodec(),
            log=self._log,
            voice_model=voice_model,
            record=self._record,
            real_time=self._real,
            user_code=self._user_code,
        )

    def _voice_model(self) -> VoiceModel:
        return EnergyModel() if self._synthetic else default_model()


def _running_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigError(
            "test() needs a running event loop: in a notebook it has one; elsewhere put it into a coroutine and use asyncio.run(main())."
        ) from None


def _check_speed(speed: str, agent: Agent) -> None:
    if speed not in ("real", "max"):
        raise ConfigError(f'speed is {speed!r}; it must be "real" or "max".')
    if speed == "max":
        for name, provider in (("stt", agent.stt), ("llm", agent.llm), ("tts", agent.tts)):
            if not provider.virtual_time:
                raise ConfigError(
                    f'{name} is {type(provider).__name__}, which works in real time only: use speed="real", or a scripted {name}.'
                )


def _refuse(given: dict[str, object]) -> None:
    if cloud := [name for name in given if name in CLOUD]:
        raise NotImplementedError(f"{cloud[0]}= belongs to a hosted mode, which does not exist: everything runs on this machine, leave it out.")
    if given:
        raise TypeError(f"Patter() does not know {', '.join(sorted(given))}.")
