"""What the agent is told from outside to do: say something, know something, press keys, hand the call on, end it."""

from __future__ import annotations

from collections import deque
from typing import cast, get_args

from patter_nb.turns.commands import SendDtmf, TransferCall
from patter_nb.turns.events import (
    DtmfReceived,
    DtmfRequested,
    HangUpRequested,
    InjectRequested,
    LimitReached,
    SayRequested,
    TransferRequested,
)
from patter_nb.turns.floor import Floor
from patter_nb.turns.messages import Message, Role

Order = SayRequested | InjectRequested | TransferRequested | HangUpRequested


class Orders:
    """Takes the requests of a call, and keeps those that wait for silence in the order in which they came."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._waiting: deque[Order] = deque()

    # What is asked for.

    def say_requested(self, event: SayRequested, now: float) -> None:
        if not event.text.strip():
            raise ValueError("SayRequested.text is empty; give the words to say.")
        if event.interrupt:
            self._floor.yield_floor("say", now)
            self._waiting.appendleft(event)
        else:
            self._waiting.append(event)

    def inject_requested(self, event: InjectRequested, _now: float) -> None:
        roles = get_args(Role)
        if event.role not in roles:
            raise ValueError(f"InjectRequested.role is {event.role!r}; give one of {', '.join(roles)}.")
        self._floor.history.inject(Message(cast(Role, event.role), event.text))
        if event.reply:
            self._waiting.append(event)

    def wait(self, event: TransferRequested | HangUpRequested, _now: float) -> None:
        """Transfers and hang-ups wait until what is being said was heard."""
        self._waiting.append(event)

    def dtmf_requested(self, event: DtmfRequested, _now: float) -> None:
        self._floor.commands.append(SendDtmf(event.digits))
        self._floor.record("dtmf_sent", digits=event.digits)

    def dtmf_received(self, event: DtmfReceived, _now: float) -> None:
        self._floor.record("dtmf_received", digit=event.digit)

    def limit_reached(self, event: LimitReached, now: float) -> None:
        if self._floor.leaving is None:
            self._floor.record("limit_reached", reason=event.reason)
            self._floor.leave(event.reason, self._floor.policy.goodbye, now)

    # What becomes of it.

    def carry_out(self, now: float) -> bool:
        """The rule of orders: the next one, when its time has come."""
        floor = self._floor
        if not self._waiting or floor.speaking is not None or floor.answered_at is None:
            return False
        order = self._waiting[0]
        polite = isinstance(order, InjectRequested) or (isinstance(order, SayRequested) and not order.interrupt)
        if polite and floor.listening is not None:
            return False
        self._waiting.popleft()
        match order:
            case SayRequested(text):
                floor.order(floor.open("said"), "said", now, text)
            case InjectRequested():
                self.forget_injected()
                floor.order(floor.open("said"), "answer", now)
            case TransferRequested(number):
                floor.commands.append(TransferCall(number))
            case HangUpRequested(reason, text):
                floor.leave(reason, text, now)
        return True

    def forget_injected(self) -> None:
        """An answer was ordered: it also answers what was injected before."""
        self._waiting = deque(order for order in self._waiting if not isinstance(order, InjectRequested))

    def drop(self) -> None:
        """The call ends before these could be carried out."""
        for order in self._waiting:
            if isinstance(order, SayRequested):
                self._floor.record("unsaid", text=order.text)
        self._waiting.clear()
