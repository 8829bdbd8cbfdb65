"""What the agent is told from outside to do: say something, know something, press keys, hand the call on, end it, be silent."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict
from typing import cast, get_args

from patter_nb.turns.commands import RecordEvent, ReleaseCaller, SendDtmf, TransferCall
from patter_nb.turns.events import (
    DtmfRequested,
    HangUpRequested,
    InjectRequested,
    KeysPlayed,
    LimitReached,
    MachineDetected,
    MuteRequested,
    SayRequested,
    TransferAnswered,
    TransferFailed,
    TransferRequested,
)
from patter_nb.turns.floor import Floor
from patter_nb.turns.messages import Message, Role

Order = SayRequested | InjectRequested | DtmfRequested | TransferRequested | HangUpRequested


KEY_SECONDS = 0.5
"""The longest that a key or a pause takes, beside the silence after it."""

LATE_SECONDS = 2.0
"""How long after their tones must have played keys that nobody reported count as played."""


RELEASE_SECONDS = 8.0
"""How long the agent may go on with what it is saying when somebody answered who is to take the call over."""

MODES = ("cold", "warm")


class Orders:
    """Takes the requests of a call, and keeps those that wait for silence in the order in which they came."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._waiting: deque[tuple[Order, int]] = deque()
        """Each with how often the caller had cut in when it came."""
        self._keys = 0
        """Orders to press keys whose tones have not played yet."""
        self._keys_until = 0.0
        """When they count as played whatever is heard of them."""
        self._transfer: TransferRequested | None = None
        """The one that waits or is under way."""
        self._release_by: float | None = None
        """When the caller is let go to whoever answered it, at the latest."""

    # What is asked for.

    def say_requested(self, event: SayRequested, now: float) -> None:
        if not event.text.strip():
            raise ValueError("SayRequested.text is empty; give the words to say.")
        if event.interrupt and not self._floor.muted:
            self._floor.yield_floor("say", now)
            self._waiting.appendleft((event, self._floor.cut_ins))
        else:
            self.wait(event, now)

    def inject_requested(self, event: InjectRequested, now: float) -> None:
        roles = get_args(Role)
        if event.role not in roles:
            raise ValueError(f"InjectRequested.role is {event.role!r}; give one of {', '.join(roles)}.")
        self._floor.history.inject(Message(cast(Role, event.role), event.text))
        if event.reply:
            self.wait(event, now)

    def wait(self, event: Order, _now: float) -> None:
        """It waits at least until what is being said was heard."""
        self._waiting.append((event, self._floor.cut_ins))

    def mute_requested(self, event: MuteRequested, now: float) -> None:
        floor = self._floor
        if event.on == floor.muted:
            return
        floor.muted = event.on
        if event.on:
            floor.record("muted")
            floor.yield_floor("muted", now)
        else:
            floor.record("unmuted")

    def transfer_requested(self, event: TransferRequested, now: float) -> None:
        if event.mode not in MODES:
            raise ValueError(f"TransferRequested.mode is {event.mode!r}; give one of {', '.join(MODES)}.")
        if self._transfer is not None:
            raise ValueError("a transfer is under way already; the call can be handed on again when that has failed")
        self._transfer = event
        self.wait(event, now)

    def transfer_answered(self, _event: TransferAnswered, now: float) -> None:
        if self._transfer is not None:
            self._floor.handed_on = True
            self._release_by = now + RELEASE_SECONDS

    def transfer_failed(self, event: TransferFailed, now: float) -> None:
        if self._transfer is None:
            return
        self._transfer = self._release_by = None
        self._floor.handed_on = False
        if self._floor.leaving is None:
            self.inject_requested(InjectRequested(f"The call could not be handed on: {event.error}", reply=True), now)

    def keys_played(self, _event: KeysPlayed, _now: float) -> None:
        self._keys = max(0, self._keys - 1)

    def limit_reached(self, event: LimitReached, now: float) -> None:
        if self._floor.leaving is None:
            self._floor.record("limit_reached", reason=event.reason)
            self._floor.leave(event.reason, self._floor.policy.goodbye, now)

    @property
    def transferring(self) -> bool:
        """Whether a transfer waits or is under way."""
        return self._transfer is not None

    # What becomes of it.

    def release(self, now: float) -> bool:
        """A warm transfer was answered: the caller may go when the agent has finished, or has had its time. Never applies as a
        rule."""
        if self._release_by is not None and (self._floor.speaking is None or now >= self._release_by):
            self._release_by = None
            self._floor.commands.append(ReleaseCaller())
        return False

    def carry_out(self, now: float) -> bool:
        """The rule of orders: the next one, when its time has come."""
        floor = self._floor
        if now >= self._keys_until:
            self._keys = 0
        if self._withdraw() or floor.speaking is not None or floor.answered_at is None:
            return False
        entry = next((entry for entry in self._waiting if self._may_do(entry[0])), None)
        if entry is None or (_is_polite(entry[0]) and floor.listening is not None):
            return False
        if _leaves(entry[0]) and self._keys:
            return False  # whoever leaves now cuts off what was pressed
        self._waiting.remove(entry)
        match entry[0]:
            case SayRequested(text):
                floor.order(floor.open("said"), "said", now, text)
            case InjectRequested():
                self.forget_injected()
                floor.order(floor.open("said"), "answer", now)
            case DtmfRequested(digits, delay_ms):
                self._pressed(digits, delay_ms, now)
                floor.commands.append(SendDtmf(digits, delay_ms))
                floor.record("dtmf_sent", digits=digits)
            case TransferRequested(number, _, mode, summary):
                floor.handed_on = mode == "cold"
                floor.commands.append(TransferCall(number, mode, summary))
            case HangUpRequested(reason, text):
                if text and floor.keeps_silent:
                    floor.record("unsaid", text=text)
                floor.leave(reason, "" if floor.keeps_silent else text, now)
        return True

    def next_timer(self) -> float | None:
        """When an order that waits for keys waits no longer, or the caller is let go although the agent still speaks."""
        if self._floor.speaking is not None:
            return self._release_by
        return self._keys_until if self._keys and self._waiting else None

    def forget_injected(self) -> None:
        """An answer was ordered: it also answers what was injected before."""
        self._waiting = deque(entry for entry in self._waiting if not isinstance(entry[0], InjectRequested))

    def drop(self) -> None:
        """The call ends before these could be carried out."""
        self._floor.commands += [told for order, _ in self._waiting if (told := undone(order)) is not None]
        self._waiting.clear()
        self._release_by = None

    def _may_do(self, order: Order) -> bool:
        if self._floor.handed_on:
            return isinstance(order, HangUpRequested)
        return not (self._floor.muted and _speaks(order))

    def _pressed(self, digits: str, delay_ms: int, now: float) -> None:
        self._keys += 1
        seconds = len(digits) * (KEY_SECONDS + delay_ms / 1000)
        self._keys_until = max(self._keys_until, now + LATE_SECONDS) + seconds

    def _withdraw(self) -> bool:
        """The caller cut in or was answered since the agent wanted to leave: it does not want to any more. Never applies as a
        rule."""
        for entry in tuple(self._waiting):
            order, cut_ins = entry
            if cut_ins == self._floor.cut_ins:
                continue
            match order:
                case HangUpRequested(reason, polite=True):
                    self._waiting.remove(entry)
                    self._floor.record("hang_up_withdrawn", reason=reason)
                case TransferRequested(number, polite=True):
                    self._waiting.remove(entry)
                    self._transfer = None
                    self._floor.record("transfer_withdrawn", number=number)
                case _:
                    pass
        return not self._waiting


def undone(event: object) -> RecordEvent | None:
    """What is told of an order, or of a verdict, that nobody heeded; None where nothing is lost with it, and for all else."""
    match event:
        case MachineDetected():
            return RecordEvent("machine_detected", asdict(event))
        case SayRequested(text):
            return RecordEvent("unsaid", {"text": text})
        case HangUpRequested(_, text) if text:
            return RecordEvent("unsaid", {"text": text})
        case DtmfRequested(digits):
            return RecordEvent("undone", {"order": "send_dtmf", "what": digits})
        case TransferRequested(number):
            return RecordEvent("undone", {"order": "transfer", "what": number})
        case InjectRequested(text, _, True):
            return RecordEvent("undone", {"order": "inject", "what": text})
        case _:
            return None


def _speaks(order: Order) -> bool:
    """Whether the agent would open its mouth for it."""
    return isinstance(order, SayRequested | InjectRequested)


def _leaves(order: Order) -> bool:
    """Whether the line is gone after it."""
    return isinstance(order, TransferRequested | HangUpRequested)


def _is_polite(order: Order) -> bool:
    """Whether it also waits for the caller."""
    if isinstance(order, HangUpRequested | TransferRequested):
        return order.polite
    return isinstance(order, InjectRequested) or (isinstance(order, SayRequested) and not order.interrupt)
