"""`Softphone`: what is known of it in the kernel. Its page and its widget show this state, and send what is pressed and said."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.notebook.display import in_notebook
from patter_nb.notebook.loops import kernel_loop, on_loop
from patter_nb.session.boundary import guard
from patter_nb.softphone.handset import CARRIER_EVENTS, MOST_HANDSETS, Channel, Handset, read
from patter_nb.softphone.line import Line
from patter_nb.softphone.switchboard import Switchboard, switchboard

State = Literal["idle", "calling", "ringing", "connecting", "talking", "ended", "dropped", "listening", "closed"]

PICK_UP_SECONDS = 120.0
"""How long a call waits for somebody to press Talk."""

ANSWER_SECONDS = 10.0
"""How long after Talk was pressed a call may take to begin."""


class Softphone:
    """One telephone on a page, for test calls with your own voice: `phone.test(agent, caller=softphone)`.

    `widget` shows it in a notebook, `url` is a page with the same telephone for any browser on this machine. A call rings until
    somebody presses Talk, for `pick_up_seconds` at most. `on_talk` says what happens when Talk is pressed while no call is on.
    `state` is "idle", "calling", "ringing", "connecting", "talking", "ended", "dropped", "listening" or "closed", `reason` says
    why the last call ended.

    The address of the page carries a token that is valid for this softphone alone, until it is closed.
    """

    def __init__(self, *, pick_up_seconds: float = PICK_UP_SECONDS) -> None:
        if isinstance(pick_up_seconds, bool) or not isinstance(pick_up_seconds, int | float):
            raise ConfigTypeError(f"pick_up_seconds is {pick_up_seconds!r}; it must be a number of seconds.")
        if not 1 <= pick_up_seconds <= 3600:
            raise ConfigError(f"pick_up_seconds is {pick_up_seconds!r}; it must lie from 1 to 3600 seconds.")
        self.id = secrets.token_hex(4)
        self.state: State = "idle"
        self.reason = ""
        self.pick_up_seconds = float(pick_up_seconds)
        self._token = secrets.token_urlsafe(24)
        self._handsets: dict[str, Handset] = {}
        self._talks: list[Callable[[], object]] = []
        self._line: Line | None = None
        self._last: Line | None = None
        self._off_hook: Handset | None = None
        """Where Talk was pressed, until there is a call for it."""
        self._muted = False
        self._give_up: asyncio.TimerHandle | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self._board: Switchboard | None = None
        self._widget: Any = None

    # What users do with it.

    @property
    def url(self) -> str:
        """The page with this telephone, for a browser on this machine. Whoever has this address may talk, so do not show it."""
        return f"{self._switchboard().url}?phone={self.id}#{self._token}"

    @property
    def widget(self) -> Any:
        """The telephone as a widget for a notebook. `MissingExtra` where anywidget is not installed."""
        if self._widget is None:
            from patter_nb.softphone.widget import SoftphoneView

            self._switchboard()
            self._widget = SoftphoneView(self).widget
        return self._widget

    def on_talk(self, function: Callable[[], object]) -> None:
        """Call `function()`, on the notebook's loop, when Talk is pressed while no call is on."""
        if not callable(function):
            raise ConfigTypeError(f"on_talk is {type(function).__name__}; it must be a function without arguments.")
        self._talks.append(function)
        self._tell_state()

    def off_talk(self, function: Callable[[], object]) -> None:
        """Call it no more."""
        if function in self._talks:
            self._talks.remove(function)
            self._tell_state()

    def close(self) -> None:
        """Hang up, and let no page in any more. From any thread; harmless twice."""
        if self.state == "closed":
            return
        if self.loop is not None:
            on_loop(self.loop, self._close)
        else:
            self.state = "closed"

    def __repr__(self) -> str:
        return f"<Softphone {self.id}, {self.state}{f': {self.reason}' if self.reason else ''}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self.widget._repr_mimebundle_(**kwargs) if in_notebook() else {"text/plain": repr(self)}

    # What a test call does with it. On its loop.

    @property
    def in_use(self) -> bool:
        """Whether a call rings or is on."""
        return self._line is not None

    @property
    def is_busy(self) -> bool:
        """Whether somebody uses it just now."""
        return self.state in ("calling", "connecting", "talking", "listening")

    def ring(self, call_id: str, agent: str) -> Line:
        """A call waits for somebody to press Talk; it is picked up already where somebody did."""
        self._switchboard()
        self.check_free()
        line = self._line = Line(call_id, agent, closed=self._hung_up)
        off_hook, self._off_hook = self._off_hook, None
        if off_hook is not None and not off_hook.gone:
            self._pick_up(off_hook)  # at once: a page lets go of its microphone while a call only rings
        else:
            self._enter("ringing")
        return line

    def check_free(self, name: str = "caller") -> None:
        """`ConfigError` where it cannot take a call."""
        if self.state == "closed":
            raise ConfigError(f"{name} is a softphone that is closed: make another one, Softphone().")
        if self._line is not None:
            remedy = "hang up first, or make another softphone for this call"
            raise ConfigError(f"{name} is a softphone that is in use by call {self._line.call_id}: {remedy}.")

    def over(self, line: Line, reason: str) -> None:
        """The call is over, and this is why."""
        line.reason = reason
        if self._last is line and self._line is None and self.state in ("ended", "dropped"):
            self._enter(self.state, reason)

    def listen(self, call_id: str, agent: str) -> Line:
        """The call of another caller can be heard here."""
        line = self.ring(call_id, agent)
        self._enter("listening")
        return line

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens."""
        return any(handset.listens for handset in self._handsets.values())

    def play(self, text: str) -> None:
        """Let all who listen hear this."""
        for handset in tuple(self._handsets.values()):
            if handset.listens:
                handset.play(text)

    # What its handsets do with it. On its loop.

    def admits(self, token: str) -> bool:
        """Whether whoever has this token may come in."""
        return self.state != "closed" and secrets.compare_digest(token.encode(errors="surrogatepass"), self._token.encode())

    def secret(self) -> dict[str, Any]:
        """What a widget needs to find the server; told to it alone, and never kept in a notebook."""
        return {"port": self._switchboard().port, "phone": self.id, "token": self._token}

    def join(self, number: str, channel: Channel, *, control: bool, audio: bool) -> Handset | None:
        """A page or a view is there; None where there are too many."""
        handset = self._handsets.get(number)
        if handset is None:
            if len(self._handsets) >= MOST_HANDSETS:
                return None
            handset = self._handsets[number] = Handset(number)
        if control:
            handset.control = channel
        if audio:
            if handset.audio is not None:
                handset.audio.close()
            handset.audio = channel
        self._tell_state(handset)
        return handset

    def leave(self, handset: Handset, channel: Channel, reason: str) -> None:
        """One of its ways is gone."""
        if not handset.answers_on(channel):
            return
        stream_lost = handset.lose(channel)
        if handset.gone:
            self._handsets.pop(handset.id, None)
        if stream_lost and self._line is not None and self._line.handset is handset:
            self._line.drop(f"call dropped: {reason}")
        if handset.gone and self._off_hook is handset:
            self._off_hook = None
            self._enter("idle")

    def take(self, handset: Handset, channel: Channel, text: str) -> bool:
        """A message came from a handset; False for what is no message."""
        known = read(text)
        if known is None:
            return False
        event, message = known
        if event in CARRIER_EVENTS:
            if self._line is not None and self._line.handset is handset:
                self._line.take(text)
                if event == "start" and self._line.is_open:
                    self._enter("talking")
            return True
        match event:
            case "ping":
                channel.send('{"event":"pong"}')
            case "talk":
                self._talk(handset)
            case "hangup":
                self._hang_up(handset)
            case "mute":
                self._muted = message.get("on") is True
                self._tell_state()
            case "tune":
                handset.listens = message.get("on") is True
        return True

    def _talk(self, handset: Handset) -> None:
        if self._line is not None:
            if not self._line.is_picked_up and self.state == "ringing":
                self._pick_up(handset)
            return
        if self._off_hook is not None or not self._talks:
            return
        self._off_hook = handset
        self._enter("calling")
        loop = asyncio.get_running_loop()
        self._give_up = loop.call_later(ANSWER_SECONDS, partial(self._no_call, "no call began"))
        for function in tuple(self._talks):
            with guard(self._no_call, who="on_talk"):
                function()

    def _no_call(self, reason: str) -> None:
        if self._off_hook is not None:
            self._off_hook = None
            self._enter("ended", reason)

    def _pick_up(self, handset: Handset) -> None:
        if self._line is not None:
            self._muted = False
            self._line.pick_up(handset)
            self._enter("connecting")

    def _hang_up(self, handset: Handset) -> None:
        if self._off_hook is handset:
            self._off_hook = None
            self._enter("ended", "hung up")
        elif self._line is not None:
            self._line.hang_up("caller hung up" if self.state == "talking" else "hung up before it was answered")

    def _hung_up(self, line: Line) -> None:
        """The line was closed from the session's side."""
        if line.handset is not None:
            line.handset.tell("closed")
        if self._line is line:
            self._line, self._last = None, line
            self._enter("dropped" if line.dropped else "ended", line.reason)

    def _enter(self, state: State, reason: str = "") -> None:
        if self._give_up is not None and state != "calling":
            self._give_up.cancel()
            self._give_up = None
        self.state, self.reason = state, reason
        self._tell_state()

    def _tell_state(self, handset: Handset | None = None) -> None:
        if self.loop is None:
            return
        on_loop(self.loop, self._tell_now, handset)

    def _tell_now(self, only: Handset | None) -> None:
        line = self._line
        holder = line.handset if line is not None else self._off_hook
        told = {
            "state": self.state,
            "reason": self.reason,
            "call": line.call_id if line is not None else "",
            "agent": line.agent if line is not None else "",
            "holder": holder.id if holder is not None else "",
            "muted": self._muted,
            "can_talk": bool(self._talks),
        }
        for handset in (only,) if only is not None else tuple(self._handsets.values()):
            handset.tell("state", told)

    def _switchboard(self) -> Switchboard:
        """The server that this softphone stands at; it is started here."""
        if self.state == "closed":
            raise ConfigError("The softphone is closed: make another one, Softphone().")
        if self._board is None or self._board.stopped:
            loop = kernel_loop() or _running()
            if loop is None:
                remedy = "in a notebook it has one; elsewhere use it in a coroutine, with asyncio.run(main())"
                raise ConfigError(f"A softphone needs a running event loop: {remedy}.")
            self.loop, self._board = loop, switchboard(loop)
            self._board.add(self)
        return self._board

    def _close(self) -> None:
        if self._line is not None:
            self._line.hang_up("the softphone was closed")
        self._enter("closed")
        for handset in tuple(self._handsets.values()):
            for channel in (handset.audio, handset.control):
                if channel is not None:
                    channel.close()
        self._handsets.clear()
        if self._board is not None:
            self._board.remove(self)


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
