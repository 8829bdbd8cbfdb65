"""A call that is typed: the whole of an agent but its ears and voice, in a terminal.

Guardrails, hooks, tools, the model, callbacks and the rows are those of a spoken call; a keyboard stands in for the recogniser
and the screen for the voice, and each row says so (`stand_in`).
"""

from __future__ import annotations

import asyncio
import io
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, TextIO

from patter_nb.audio.vad import EnergyModel
from patter_nb.call import Call
from patter_nb.callbacks import Callbacks
from patter_nb.carriers.base import Connection
from patter_nb.carriers.pipe import connection_pair
from patter_nb.carriers.twilio_media import TwilioMediaCodec
from patter_nb.console.devices import Keyboard, QuietPhone, Screen
from patter_nb.console.shown import failure, in_one_line, told
from patter_nb.errors import ConfigError, ConfigTypeError, PatterError
from patter_nb.live import Live
from patter_nb.records.facts import CallFacts
from patter_nb.records.log import CallLog
from patter_nb.session.call_start import start_call
from patter_nb.session.notices import Notices
from patter_nb.session.session import Session
from patter_nb.session.setup import CallSetup, CallTerms
from patter_nb.session.threads import in_thread
from patter_nb.session.user_code import UserCode
from patter_nb.spoken import TEST_CALLEE, TEST_CALLER, terms_of
from patter_nb.turns.facts import TurnFacts

HANGOVER_MS = 150
"""A typed line is complete when it comes, so the least silence is granted."""

TAKEN_SECONDS = 10.0
"""How long a line that was not typed at a terminal may take to be heard; one that a hook takes back never is."""

ANSWER_SECONDS = 60.0
"""How long nothing at all may happen in the call before such a line is taken for one that is not answered."""

KEYS = re.compile(r"[0-9*#]+")
HELP = """/quit or /hangup end the call, /transfer NUMBER hands it over, /history shows it so far.
A line of digits, * and # is pressed on the telephone; anything else is said."""


class ConsoleTest:
    """One typed call as it was ordered. `read` and `write` are the terminal.

    Whoever types at a terminal may type whenever they like. Lines that come from elsewhere (a pipe, a file) are a whole
    conversation: each is obeyed when the one before is answered.
    """

    def __init__(
        self,
        log: CallLog,
        live: Live,
        *,
        user_code: UserCode,
        callbacks: Callbacks,
        notices: Notices,
        read: TextIO | None = None,
        write: Callable[[str], None] | None = None,
    ) -> None:
        self._log = log
        self._live = live
        self._user_code = user_code
        self._callbacks = callbacks
        self._notices = notices
        self._read = _reader(read)
        self._write = write or _print
        self._keyboard = Keyboard()
        self._waits = not (hasattr(self._read, "isatty") and self._read.isatty())
        self._news = asyncio.Event()
        """Something happened in the call."""
        self._taken = 0
        """What was heard of the caller: their lines, as they passed the hooks, and each key."""
        self._unanswered: list[str] = []
        self._looked_at = 0
        """Events of the log that were looked at for failures."""
        screen = Screen(self._speak)
        live.keep("typed in a terminal", stt=self._keyboard, tts=screen, hangover_ms=HANGOVER_MS)

    def facts(self, call_id: str) -> CallFacts:
        """The call's row as it begins."""
        agent = self._live.current.agent
        llm = None if self._callbacks.on_message is not None else agent.llm
        return CallFacts(
            call_id=call_id,
            agent=agent.name,
            revision=self._live.current.number,
            direction="test",
            source="typed",
            carrier="console",
            caller=TEST_CALLER,
            callee=TEST_CALLEE,
            started_at=datetime.now(UTC),
            stt_provider=self._keyboard.provider,
            stt_model=self._keyboard.model,
            llm_provider="on_message" if llm is None else llm.provider,
            llm_model="" if llm is None else llm.model,
            tts_provider="screen",
            tts_model="printed",
            stand_in=("stt", "tts"),
        )

    async def hold(self, call: Call) -> None:
        """Hold the call until one side ends it."""
        terms = terms_of(call, self._log, self._user_code, self._callbacks, self._notices, carrier="console")
        await start_call(terms)
        self._log.amend(self.facts(call.id))
        near, far = connection_pair()
        phone = QuietPhone(far)
        session = Session(self._setup(call, terms, near))
        call.attach(session)
        self._write(HELP)
        works = (phone.run(), self._listen(call, phone), self._follow(call))
        beside = [asyncio.create_task(work, name="console") for work in works]
        try:
            await session.run()
        finally:
            await near.close()
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)
            self._tell_failures()
            self._tell(f"call over: {session.end_reason}")

    def _setup(self, call: Call, terms: CallTerms, connection: Connection) -> CallSetup:
        return CallSetup(
            **vars(terms),
            connection=connection,
            codec=TwilioMediaCodec(),
            voice_model=EnergyModel("Voice activity is not needed: the call is typed"),
            record=False,
            turn_closed=partial(self._turn_closed, call),
        )

    # What is typed.

    async def _listen(self, call: Call, phone: QuietPhone) -> None:
        """Do what is typed, line by line, until there is no more."""
        if self._waits:
            await self._until(lambda: self._is_greeted(call), ANSWER_SECONDS)
        while line := await self._line():
            command, _, rest = line.strip().partition(" ")
            if command in ("/quit", "/hangup"):
                break
            if command.startswith("/"):
                self._command(call, command, rest)
            elif command:
                await self._say(call, phone, line.strip())
        await phone.hang_up()

    async def _line(self) -> str:
        """The next line. None comes after the last one, nor where reading fails, which is told."""
        line: Any = ""
        try:
            line = await in_thread(self._read.readline, who="read")
            if not isinstance(line, str):
                raise ConfigTypeError(f"read gave {type(line).__name__}; it must give text.")
        except PatterError as error:
            self._tell(f"{in_one_line(str(error)).rstrip('.')}; nothing more is read.")
            return ""
        return line

    def _command(self, call: Call, command: str, rest: str) -> None:
        if command == "/transfer":
            try:
                call.transfer(rest)
            except ConfigError as error:
                self._tell(str(error))
        elif command == "/history":
            lines = [(said["role"], said["text"]) for said in call.transcript]
            for role, text in (*lines, *(("user", text) for text in self._unanswered)):
                self._tell(f"{role:>9}  {text}")
        else:
            self._write(HELP)

    async def _say(self, call: Call, phone: QuietPhone, line: str) -> None:
        """Say a line, or press it on the telephone."""
        taken, answered = self._taken, self._answered(call)
        if KEYS.fullmatch(line):
            self._unanswered.append(f"[DTMF: {line}]")
            await phone.press(line)
        else:
            self._unanswered.append(line)
            self._keyboard.say(line)
        if not self._waits:
            return
        if not await self._until(lambda: self._taken > taken, TAKEN_SECONDS):
            self._tell(f"not heard after {TAKEN_SECONDS:g} s, so the next line follows")
        elif not await self._until(lambda: self._answered(call) > answered, ANSWER_SECONDS):
            self._tell(f"not answered after {ANSWER_SECONDS:g} s, so the next line follows")

    async def _until(self, come: Callable[[], bool], seconds: float) -> bool:
        """Wait until that has come; False when nothing at all has happened for so long."""
        while not come():
            self._news.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            except TimeoutError:
                return False
        return True

    def _is_greeted(self, call: Call) -> bool:
        """Whether the call is answered, and the agent has said its greeting, where it has one."""
        if self._live.current.agent.greeting:
            return bool(self._log.facts(call.id))
        return any(event.kind == "answered" for event in self._log.event_rows(call.id))

    def _answered(self, call: Call) -> int:
        """In how many turns the caller said something."""
        return sum(bool(_words(facts)) for facts in self._log.facts(call.id))

    # What is shown.

    async def _follow(self, call: Call) -> None:
        """Show what happens besides talking."""
        async for event in call.stream():
            if event.kind == "dtmf":
                self._taken += 1
            elif event.kind == "transcript" and event.data["role"] == "user":
                self._taken += 1
                if event.data["text"] not in self._unanswered:  # a hook changed what was typed last
                    self._unanswered[-1:] = [event.data["text"]]
            self._tell_failures()
            for line in told(event):
                self._tell(line)
            self._news.set()

    def _turn_closed(self, call: Call) -> None:
        call.refresh()
        said = _words(self._log.facts(call.id)[-1])
        for number, text in reversed(list(enumerate(self._unanswered))):
            if text in said:
                del self._unanswered[: number + 1]
                break
        self._news.set()

    def _tell_failures(self) -> None:
        """Why something failed, as far as it was not told yet."""
        events = self._log.event_rows(self._live.call_id)
        for event in events[self._looked_at :]:
            for line in failure(event):
                self._tell(line)
        self._looked_at = len(events)

    def _speak(self, text: str) -> None:
        self._tell_failures()  # before the words that stand in for what failed
        self._write(f" agent  {text}")

    def _tell(self, text: str) -> None:
        self._write(f"        {text}")


def _reader(given: TextIO | None) -> TextIO:
    """Where lines come from; `ConfigError` for what gives none."""
    source: Any = sys.stdin if given is None else given
    remedy = 'give an open text stream, such as open("lines.txt") or io.StringIO("hello\\n")'
    if source is None:
        raise ConfigError(f"read is missing, and there is no standard input: {remedy}.")
    if isinstance(source, io.RawIOBase | io.BufferedIOBase) or not callable(getattr(source, "readline", None)):
        raise ConfigTypeError(f"read is {type(source).__name__}, which gives no lines of text: {remedy}.")
    if getattr(source, "closed", False):
        raise ConfigError(f"read is closed: {remedy}.")
    reader: TextIO = source
    return reader


def _words(facts: TurnFacts) -> str:
    """What the caller said in a turn."""
    return f"{facts.caller_text} {facts.overlap_text}".strip()


def _print(text: Any) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
