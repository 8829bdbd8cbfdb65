"""The callbacks by which a user is told of a call while it happens, and what they may do to it from inside.

Each is told one dictionary, or one object; `patter_nb.told` says which. Sync ones run in a thread, async ones on the notebook's
loop, one after the other in the order in which things happened. One that raises, or takes too long, is an event of the call
("callback_failed"); the call goes on.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Generator
from dataclasses import dataclass, fields
from typing import Any, Protocol, runtime_checkable

from patter_nb.audio.dtmf import check_keys
from patter_nb.errors import ConfigError, ConfigTypeError, brief
from patter_nb.turns.events import (
    DtmfRequested,
    Event,
    HangUpRequested,
    InjectRequested,
    MuteRequested,
    SayRequested,
    TransferRequested,
)
from patter_nb.web.address import shown_url

Callback = Callable[..., Any]
"""Sync or async; takes one argument."""

MODES = ("cold", "warm")

MOST_SUMMARY = 1000
"""Characters of what is read out to whoever takes a call over: about a minute."""

TRANSFERRING = "A transfer of this call is under way; the call can be handed on again when that has failed."

HUNG_UP = "hung up by the agent's side"
"""Why a call ended that we were told to end."""

NUMBER = re.compile(r"\+[1-9]\d{6,14}")
"""E.164: a plus sign, the country's code, at most 15 digits."""


@runtime_checkable
class Remote(Protocol):
    """Somewhere else that answers messages."""

    def replies(self, payload: dict[str, Any]) -> AsyncIterator[str]:
        """The pieces of the answer to a `Message`."""


SPEECH_EVENTS = (
    "on_user_speech_started", "on_user_speech_ended", "on_user_speech_eos", "on_agent_speech_started", "on_agent_speech_ended",
    "on_llm_token", "on_audio_out",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Callbacks:
    """The callbacks of one call."""

    on_call_start: Callback | None = None
    on_call_end: Callback | None = None
    on_transcript: Callback | None = None
    on_metrics: Callback | None = None
    on_message: Callback | Remote | None = None
    """Answers instead of a model: a function of the message, or of the message and the `CallControl` (a second parameter without
    a default, or one named `control` or `call_control`); or a `RemoteMessage`."""
    on_machine_detection: Callback | None = None
    on_user_speech_started: Callback | None = None
    on_user_speech_ended: Callback | None = None
    on_user_speech_eos: Callback | None = None
    on_agent_speech_started: Callback | None = None
    on_agent_speech_ended: Callback | None = None
    on_llm_token: Callback | None = None
    on_audio_out: Callback | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is None or callable(value) or (each.name == "on_message" and isinstance(value, Remote)):
                continue
            also = ", a URL" if each.name == "on_message" else ""
            shown = brief(shown_url(value) if isinstance(value, str) else value)
            raise ConfigTypeError(f"{each.name} is {type(value).__name__} {shown}; it must be a function{also}, or None.")

    def named(self, name: str) -> Callback | None:
        """The callback of this name; None when there is none."""
        value: Callback | None = getattr(self, name, None)
        return value


CALL_CALLBACKS = tuple(each.name for each in fields(Callbacks) if each.name not in SPEECH_EVENTS)
"""Those of one call, which the method takes that begins it."""


class SpeechCallback:
    """One of the seven speech events of a phone: a function of one dictionary, sync or async, or None."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, phone: SpeechCallbacks | None, owner: type | None = None) -> Callback | None:
        return None if phone is None else phone._speech_events.get(self._name)

    def __set__(self, phone: SpeechCallbacks, function: Callback | None) -> None:
        Callbacks(**{self._name: function})  # says what is wrong with it
        phone._speech_events[self._name] = function


class SpeechCallbacks:
    """The seven speech events as attributes that may be set to functions, and no other `on_` name, which nobody would call."""

    on_user_speech_started = SpeechCallback()
    on_user_speech_ended = SpeechCallback()
    on_user_speech_eos = SpeechCallback()
    on_agent_speech_started = SpeechCallback()
    on_agent_speech_ended = SpeechCallback()
    on_llm_token = SpeechCallback()
    on_audio_out = SpeechCallback()

    def __init__(self) -> None:
        self._speech_events: dict[str, Callback | None] = {}

    def __setattr__(self, name: str, value: object) -> None:
        if name in CALL_CALLBACKS:
            begins = "serve() or call()" if name == "on_machine_detection" else "test(), serve() or call()"
            raise ConfigError(f"{name} belongs to calls: give it to {begins}, as {name}=...")
        if name.startswith("on_") and name not in SPEECH_EVENTS:
            raise ConfigError(f"A phone has no {name}; what may be set is {', '.join(SPEECH_EVENTS)}.")
        super().__setattr__(name, value)


class Done:
    """What an order to a call returns: it was handed over. It may be awaited, and need not be."""

    def __await__(self) -> Generator[Any, None, None]:
        yield from ()


class Orders:
    """What may be done to a call that is on, from any thread. Each order returns at once and may be awaited.

    Orders are carried out in their sequence when the agent has said what it is saying. On a call that is over, `hangup` does
    nothing and the others raise `ConfigError`.
    """

    def _hand_over(self, event: Event) -> bool:
        """Hand an event to the call; False when it is over."""
        raise NotImplementedError

    def say(self, text: str, *, interrupt: bool = False) -> Done:
        """Say this word for word: when nobody speaks, or at once. It is a turn of its own, of kind "said"."""
        return self._order(SayRequested(_words("text", text), interrupt))

    def inject(self, text: str, *, role: str = "system", reply: bool = False) -> Done:
        """Let the model know this from its next answer on; `reply`: let it answer to it as soon as nobody speaks."""
        if role not in ("system", "user", "assistant"):
            raise ConfigError(f'role is {role!r}; it must be "system", "user" or "assistant".')
        return self._order(InjectRequested(_words("text", text), role, reply))

    def hangup(self, text: str = "") -> Done:
        """End the call when what is being said was heard, and `text` after it."""
        self._hand_over(HangUpRequested(HUNG_UP, _string("text", text)))
        return Done()

    def send_dtmf(self, digits: str, *, delay_ms: int = 300) -> Done:
        """Press keys (0-9, *, #, A-D; "w" is half a second of pause) when the agent is silent, with `delay_ms` between them."""
        if isinstance(delay_ms, bool) or not isinstance(delay_ms, int) or not 50 <= delay_ms <= 5000:
            raise ConfigError(f"delay_ms is {delay_ms!r}; it must be a whole number from 50 to 5000.")
        return self._order(DtmfRequested(check_keys(digits), delay_ms))

    def transfer(self, number: str, *, mode: str = "cold", summary: str = "") -> Done:
        """Hand the call to `number` (E.164) when what is being said was heard. The call ends for the agent then.

        `mode` "warm": the number is called while the agent stays with the caller, and whoever answers is told the `summary`
        before the two are joined. When the carrier refuses, or nobody answers, the call goes on: the model is told why, and so
        are you by the event "transfer_failed". On a test call nobody is called; "transferred" tells what was asked for.
        """
        order = transfer_order(number, mode, summary)
        if self._transferring:
            raise ConfigError(TRANSFERRING)
        return self._order(order)

    def mute(self, on: bool = True) -> Done:
        """Let the agent fall silent and answer nothing, while the caller is still listened to; `mute(False)` ends that."""
        if not isinstance(on, bool):
            raise ConfigTypeError(f"on is {on!r}; it must be True or False.")
        return self._order(MuteRequested(on))

    def unmute(self) -> Done:
        """Let the agent speak again."""
        return self.mute(False)

    @property
    def _transferring(self) -> bool:
        """Whether a transfer was ordered or is under way."""
        return False

    def _order(self, event: Event) -> Done:
        if not self._hand_over(event):
            raise ConfigError("The call is over; nothing can be done to it any more.")
        return Done()


class Port(Protocol):
    """The call behind a control, from any thread."""

    def post(self, event: Event) -> bool:
        """Hand an event over; False when the call is over."""

    @property
    def is_transferred(self) -> bool: ...

    @property
    def is_transferring(self) -> bool: ...

    @property
    def is_hung_up(self) -> bool: ...

    @property
    def ended(self) -> bool: ...


class CallControl(Orders):
    """The call, as a callback or a tool is given it."""

    def __init__(
        self, call_id: str, caller: str, callee: str, telephony_provider: str, port: Port, *, carrier_call_id: str = ""
    ) -> None:
        self.call_id = call_id
        self.caller = caller
        self.callee = callee
        self.telephony_provider = telephony_provider
        self._port = port
        self._carrier_call_id = carrier_call_id

    @property
    def carrier_call_id(self) -> str:
        """The carrier's own name of the call; "" on a test call."""
        return self._carrier_call_id

    @property
    def is_transferred(self) -> bool:
        """Whether somebody else has the call."""
        return self._port.is_transferred

    @property
    def is_transferring(self) -> bool:
        """Whether a transfer was ordered or is under way."""
        return self._port.is_transferring

    _transferring = is_transferring

    @property
    def is_hung_up(self) -> bool:
        """Whether the agent's side ended the call."""
        return self._port.is_hung_up

    @property
    def ended(self) -> bool:
        return self._port.ended

    def _hand_over(self, event: Event) -> bool:
        return self._port.post(event)

    def __repr__(self) -> str:
        return f"<CallControl of {self.call_id}{', over' if self.ended else ''}>"


def transfer_order(number: object, mode: object, summary: object, *, polite: bool = False) -> TransferRequested:
    """The order to hand a call on; `ConfigError` for what cannot be meant."""
    if isinstance(number, str) and number.strip().lower().startswith(("sip:", "sips:")):
        raise ConfigError("number is a SIP address; a call can be handed to a telephone number in E.164 alone.")
    plain = check_number("number", number)
    if mode not in MODES:
        raise ConfigError(f'mode is {brief(mode)}; it must be "cold" or "warm".')
    words = _string("summary", summary).strip()
    if words and mode == "cold":
        raise ConfigError('summary is told in a warm transfer only: give mode="warm" too, or leave the summary out.')
    if len(words) > MOST_SUMMARY:
        raise ConfigError(f"summary has {len(words)} characters; give {MOST_SUMMARY} at most, since it is read out.")
    return TransferRequested(plain, polite, str(mode), words)


def check_number(name: str, number: object) -> str:
    """`number` in E.164, without the spaces, dots and brackets people write it with; `ConfigError` for anything else."""
    plain = re.sub(r"[\s().-]", "", number) if isinstance(number, str) else ""
    if not NUMBER.fullmatch(plain):
        # Without an example: errors are shown with the numbers in them masked. Without what was given, which may be one.
        raise ConfigError(f"{name} must be a number in E.164: a plus sign, the country's code and the number, in digits.")
    return plain


def _string(name: str, text: object) -> str:
    if not isinstance(text, str):
        raise ConfigTypeError(f"{name} is {type(text).__name__} {text!r}; it must be a string.")
    return text


def _words(name: str, text: object) -> str:
    words = _string(name, text)
    if not words.strip():
        raise ConfigError(f"{name} is empty; give the words.")
    return words
