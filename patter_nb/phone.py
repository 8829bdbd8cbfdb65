"""`Patter`: the phone you hold. It makes agents, holds calls, and keeps what happened in them."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, TextIO, TypedDict, Unpack

from patter_nb.agent import Agent, AgentSettings
from patter_nb.agents import Agents
from patter_nb.call import Call
from patter_nb.callbacks import SPEECH_EVENTS, Callback, Callbacks, SpeechCallbacks
from patter_nb.callers import read_caller
from patter_nb.carriers.twilio import Twilio
from patter_nb.check import Checks
from patter_nb.console import ConsoleTest
from patter_nb.edits import Edits
from patter_nb.errors import ConfigTypeError
from patter_nb.given import (
    check_line,
    check_mode,
    check_numbers,
    check_settings,
    check_speed,
    in_terminal,
    refuse,
    running_loop,
    tell_newer,
    with_model,
)
from patter_nb.history import History
from patter_nb.live import Live, Revision
from patter_nb.notebook.display import CardHandle, in_notebook
from patter_nb.notebook.studio.watch import Watch
from patter_nb.records.facts import RevisionFacts
from patter_nb.records.log import CallLog
from patter_nb.records.shelf import RecordingShelf
from patter_nb.records.store import Store
from patter_nb.rehearsal import Rehearsing
from patter_nb.remote import RemoteMessage
from patter_nb.serving import Serving
from patter_nb.session.boundary import guard
from patter_nb.session.notices import Notices
from patter_nb.session.user_code import UserCode
from patter_nb.softphone import Softphone
from patter_nb.softphone.listening import let_hear
from patter_nb.softphone.ordered import calling, listening, spoken_test
from patter_nb.spoken import SpokenCall
from patter_nb.studio import Studio
from patter_nb.tunnels import Tunnel, read_tunnel

CALLBACKS = ("on_call_start", "on_call_end", "on_transcript", "on_metrics", "on_machine_detection")


class Setting(TypedDict):
    """What a call shares with whoever ordered it."""

    user_code: UserCode
    callbacks: Callbacks
    notices: Notices


class Patter(Checks, Rehearsing, Serving, Edits, History, Studio, SpeechCallbacks):
    """A phone for prototyping voice agents.

    `carrier` and `phone_number` (E.164, one that the account owns): the real line of `serve()` and `call()`; `test()` needs none.
    `tunnel`: what makes this machine public: True for one of Cloudflare's, or a `CloudflareTunnel`, `Ngrok` or `Static`;
    `webhook_url`: the public host name, where it is so already.
    `pricing`: prices of your own by provider, in force from today: `{"twilio": {"price": 0.01}}` is US dollars a minute.
    `store`: where calls are kept. None: SQLite in `.patter_nb/` of the working directory; a path or any SQLAlchemy URL; False:
    only in memory. `store_numbers`: keep phone numbers in the clear instead of masked plus a keyed hash. `show`: draw a card
    under the cell that started a call.

    A process that is killed (`kill -9`, a crash of the kernel) in mid-call leaves every turn that was closed in the store, and
    the call without an end. The turn that was open is lost, and so is the recording: it is in memory until the call ends.

    `on_user_speech_started` and its six siblings may be set to functions; they hold for calls that begin afterwards.
    """

    def __init__(
        self,
        *,
        carrier: Twilio | None = None,
        phone_number: str = "",
        webhook_url: str = "",
        tunnel: Tunnel | bool | None = None,
        pricing: Mapping[str, Any] | None = None,
        store: str | Path | Literal[False] | None = None,
        store_numbers: bool = False,
        show: bool = True,
        **refused: object,
    ) -> None:
        refuse(refused)
        super().__init__()
        if not (store is None or store is False or isinstance(store, str | os.PathLike)):
            raise ConfigTypeError(f"store is {store!r}; it must be a path, a database URL, None for .patter_nb/, or False.")
        self._carrier, self._phone_number = check_line(carrier, phone_number)
        self._tunnel = read_tunnel(tunnel, webhook_url)
        self._store = None if store is False else Store(store, store_numbers=store_numbers)
        self._log = CallLog(self._store)
        if pricing is not None:
            self._log.prices.override(pricing)
        self._shelf = RecordingShelf(None if self._store is None else self._store.directory, self._log.recorded)
        self._show = show
        self._agents = Agents(self._keep, with_model)
        self._calls: list[Call] = []
        self._watch = Watch()
        self._studios = []

    def agent(self, system_prompt: str, **settings: Unpack[AgentSettings]) -> Agent:
        """Make an agent; fields, defaults and checks are those of `Agent`. Slow parts (models) begin to load now.

        `llm` may be an async generator of the messages, too. Running this again with the same `name` stages a revision for the
        next call. Tools and guardrails that cells gave to this phone (`@phone.tool`) are part of it.
        """
        check_settings(settings)
        agent = Agent(system_prompt=system_prompt, **with_model(self._agents.with_rules(settings)))
        for provider in (agent.stt, agent.llm, agent.tts):
            if provider is not None:
                provider.ready()
        self._agents.stage(agent)
        return agent

    def test(
        self,
        agent: Agent,
        caller: Any = None,
        *,
        on_message: Callback | RemoteMessage | str | None = None,
        on_call_start: Callback | None = None,
        on_call_end: Callback | None = None,
        on_transcript: Callback | None = None,
        on_metrics: Callback | None = None,
        speed: Literal["real", "max"] = "real",
        noise_db: float | None = None,
        seed: int = 0,
        record: bool = True,
        listen: bool | Softphone = False,
        pinned: bool = False,
        show: bool | None = None,
    ) -> Call:
        """Call the agent without a phone. The call starts at once; `await` the returned `Call` for its end.

        `caller`: a list of lines (strings or `Line`), the path of a WAV file, `(samples, hz)`, or a `Softphone`. Left out, it is
        you: in a notebook with a softphone under the cell, in a terminal by typing. `speed="max"`: as fast as the machine can,
        for providers that wait with the loop's clock only.
        `noise_db`: white noise on the caller's line, this many dB below its voice, drawn with `seed`. `pinned`: run exactly this
        object, also when its name has a newer revision. `listen`: hear the call while it runs, in the notebook or on a softphone.

        `on_message` answers instead of a model: a function of the message, an async generator of pieces, a URL or a
        `RemoteMessage`. The other callbacks are told what happens; `patter_nb.callbacks` says with which keys.
        """
        ear = listening(listen, caller, speed=speed, record=record)
        if caller is None and in_terminal():
            return self.console(
                agent,
                on_message=on_message,
                on_call_start=on_call_start,
                on_call_end=on_call_end,
                on_transcript=on_transcript,
                on_metrics=on_metrics,
                pinned=pinned,
            )
        loop = running_loop("test")
        who = calling(caller, speed=speed, noise_db=noise_db) or read_caller(caller)
        callbacks = self._callbacks(on_message, on_call_start, on_call_end, on_transcript, on_metrics)
        check_numbers(noise_db, seed)

        def fits(agent: Agent) -> None:
            check_mode(agent, callbacks)
            check_speed(speed, agent)

        with self._chosen(agent, callbacks, pinned, fits, loop) as (call, setting):
            asked: dict[str, Any] = {"speed": speed, "noise_db": noise_db, "seed": seed, "record": record}
            work = spoken_test(self._log, call.live, who, shown=caller is None, **asked, **setting)
        if ear is not None:
            let_hear(call, ear, shown=listen is True)
        return self._hold(call, work, show)

    def console(
        self,
        agent: Agent,
        *,
        on_message: Callback | RemoteMessage | str | None = None,
        on_call_start: Callback | None = None,
        on_call_end: Callback | None = None,
        on_transcript: Callback | None = None,
        on_metrics: Callback | None = None,
        pinned: bool = False,
        read: TextIO | None = None,
        write: Callable[[str], None] | None = None,
    ) -> Call:
        """Call the agent by typing: the whole pipeline but its ears and voice. The call starts at once; `await` it for its end.

        `read` is where lines come from (standard input), `write` gets each line that is shown (standard output). The commands are
        shown when the call begins.
        """
        loop = running_loop("console")
        callbacks = self._callbacks(on_message, on_call_start, on_call_end, on_transcript, on_metrics)
        with self._chosen(agent, callbacks, pinned, lambda agent: check_mode(agent, callbacks), loop) as (call, setting):
            work = ConsoleTest(self._log, call.live, read=read, write=write, **setting)
        return self._hold(call, work, show=False)

    def _keep(self, name: str, revision: Revision) -> None:
        self._log.revision(
            RevisionFacts(
                agent=name,
                number=revision.number,
                content_id=revision.content_id,
                parent=revision.parent,
                note=revision.note,
                created_at=revision.created_at,
                scope=revision.scope,
                content=revision.agent.content(),
            )
        )
        self._watch.changed()

    @contextmanager
    def _chosen(
        self,
        agent: Agent,
        callbacks: Callbacks,
        pinned: bool,
        fits: Callable[[Agent], None],
        loop: asyncio.AbstractEventLoop,
        *,
        kind: str = "test",
        quiet: bool = False,
    ) -> Iterator[tuple[Call, Setting]]:
        """A call that has not begun, of the newest revision unless it is `pinned`, and what it is held with.

        Chosen and joined to its line in one step, so that an edit of all calls reaches it from wherever it comes; what raises in
        the block takes it back.
        """
        with self._agents.lock:
            given = self._agents.known(agent)
            newer = None if given is None or pinned else self._agents.newer(given)
            fits(agent if newer is None else newer.agent)
            if newer is not None and given is not None and not quiet:
                tell_newer(newer, given)
            call, setting = self._make(newer or given or self._agents.stage(agent), callbacks, fits, loop, kind)
            with ExitStack() as otherwise:
                otherwise.callback(call.live.end)
                yield call, setting
                otherwise.pop_all()

    def _make(
        self, revision: Revision, callbacks: Callbacks, fits: Callable[[Agent], None], loop: asyncio.AbstractEventLoop, kind: str
    ) -> tuple[Call, Setting]:
        call_id = f"{kind}_{uuid.uuid4().hex[:12]}"

        def failed(name: str, error: str) -> None:
            self._log.event(call.id, call.duration_seconds, "callback_failed", {"callback": name, "error": error})

        def tell(listener: Callable[[], None]) -> None:
            with guard(partial(failed, "Edit.on_applied"), who="a listener of an edit"):
                listener()

        live, user_code = Live(revision, self._agents.line(revision.agent.name), call_id, fits, tell), UserCode(loop)
        notices = Notices(callbacks, user_code, loop, failed)
        call = Call(call_id, self._log, self._shelf, live, notices, real=kind != "test")
        return call, Setting(user_code=user_code, callbacks=callbacks, notices=notices)

    def _hold(self, call: Call, work: SpokenCall | ConsoleTest, show: bool | None) -> Call:
        """Let the call begin."""
        shown = self._show if show is None else show
        self._calls.append(call)
        self._log.begin(work.facts(call.id))
        call.hold(work.hold, CardHandle(call.view()) if shown and in_notebook() else None)
        self._watch.follow(call)
        return call

    def _callbacks(
        self, on_message: Callback | RemoteMessage | str | None, *others: Callback | None, otherwise: Callbacks | None = None
    ) -> Callbacks:
        """The callbacks of a call that begins now; `otherwise` has those that are not given."""
        answers = RemoteMessage(on_message) if isinstance(on_message, str) else on_message
        given = {"on_message": answers, **dict(zip(CALLBACKS, others, strict=False))}
        given = {name: function for name, function in given.items() if function is not None}
        kept = {} if otherwise is None else {name: getattr(otherwise, name) for name in ("on_message", *CALLBACKS)}
        speech = {name: self._speech_events.get(name) for name in SPEECH_EVENTS}
        return Callbacks(**{**kept, **given, **speech})

    def __repr__(self) -> str:
        return f"<Patter, {len(self._calls)} calls, store {self._store.name if self._store else 'off'}>"
