"""What callbacks are refused, and what may be ordered of a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import fields
from typing import Any

import pytest

from patter_nb.callbacks import SPEECH_EVENTS, Callbacks, CallControl, check_number
from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.phone import Patter
from patter_nb.records.masking import mask_text
from patter_nb.turns.events import (
    DtmfRequested,
    Event,
    HangUpRequested,
    InjectRequested,
    MuteRequested,
    SayRequested,
    TransferRequested,
)

NAMES = [each.name for each in fields(Callbacks)]


class Far:
    async def replies(self, payload: dict[str, Any]) -> AsyncIterator[str]:
        yield "a"


@pytest.mark.parametrize("name", NAMES)
def test_a_callback_is_a_function_or_nothing(name: str) -> None:
    def function(data: Any) -> None: ...

    assert Callbacks(**{name: function}).named(name) is function
    assert Callbacks(**{name: None}).named(name) is None
    for wrong in (5, "text", {}, []):
        with pytest.raises(ConfigTypeError, match=f"^{name} is {type(wrong).__name__} .*; it must be a function"):
            Callbacks(**{name: wrong})


def test_a_phone_takes_the_seven_speech_events_and_no_other_callback() -> None:
    phone: Any = Patter(store=False, show=False)
    with pytest.raises(ConfigError) as refused:
        phone.on_user_speech_start = print
    assert str(refused.value) == f"A phone has no on_user_speech_start; what may be set is {', '.join(SPEECH_EVENTS)}."
    for name in set(NAMES) - set(SPEECH_EVENTS):
        begins = r"serve\(\) or call\(\)" if name == "on_machine_detection" else r"test\(\), serve\(\) or call\(\)"
        with pytest.raises(ConfigError, match=rf"^{name} belongs to calls: give it to {begins}, as {name}=\.\.\.$"):
            setattr(phone, name, print)
    for name in SPEECH_EVENTS:
        setattr(phone, name, print)
        assert getattr(phone, name) is print
    phone.mine = 5
    assert phone.mine == 5


def test_what_is_said_of_a_wrong_number_is_the_same_where_numbers_are_masked() -> None:
    with pytest.raises(ConfigError) as refused:
        check_number("number", "0555")
    assert mask_text(str(refused.value)) == str(refused.value)


def test_only_on_message_may_be_somewhere_else() -> None:
    far: Any = Far()
    assert Callbacks(on_message=far).on_message is far
    with pytest.raises(ConfigTypeError, match="on_transcript is Far"):
        Callbacks(on_transcript=far)
    with pytest.raises(ConfigTypeError, match="it must be a function, a URL, or None"):
        Callbacks(on_message=5)  # type: ignore[arg-type]
    with pytest.raises(ConfigTypeError, match=r"on_transcript is str 'https://desk\.example/\?•••#[0-9a-f]{8}'; it must be a"):
        Callbacks(on_transcript="https://desk.example/?code=hunter2")  # type: ignore[arg-type]
    with pytest.raises(ConfigTypeError, match=r"on_transcript is dict \{'apiKey': '•••'\}; it must be a function"):
        Callbacks(on_transcript={"apiKey": "hunter2"})  # type: ignore[arg-type]


def test_a_name_that_is_none_has_no_callback() -> None:
    assert Callbacks().named("on_nothing") is None
    assert set(SPEECH_EVENTS) < set(NAMES)
    assert len(SPEECH_EVENTS) == 7


class Port:
    """A call that keeps what it is ordered."""

    def __init__(self, *, ended: bool = False) -> None:
        self.events: list[Event] = []
        self.ended = ended
        self.is_transferred = self.is_transferring = self.is_hung_up = False

    def post(self, event: Event) -> bool:
        if not self.ended:
            self.events.append(event)
        return not self.ended


def control(port: Port) -> CallControl:
    return CallControl("call_1", "+1", "+2", "simulated", port)


ORDERS: list[tuple[Callable[[CallControl], Any], Event]] = [
    (lambda call: call.say("Hi."), SayRequested("Hi.", False)),
    (lambda call: call.say("Hi.", interrupt=True), SayRequested("Hi.", True)),
    (lambda call: call.inject("He is a guest."), InjectRequested("He is a guest.", "system", False)),
    (lambda call: call.inject("Hm?", role="user", reply=True), InjectRequested("Hm?", "user", True)),
    (lambda call: call.hangup(), HangUpRequested("hung up by the agent's side", "")),
    (lambda call: call.hangup(""), HangUpRequested("hung up by the agent's side", "")),
    (lambda call: call.hangup("Bye."), HangUpRequested("hung up by the agent's side", "Bye.")),
    (lambda call: call.send_dtmf("1a#w"), DtmfRequested("1A#w", 300)),
    (lambda call: call.send_dtmf("1", delay_ms=50), DtmfRequested("1", 50)),
    (lambda call: call.transfer("+1 (555) 123-4567"), TransferRequested("+15551234567")),
    (
        lambda call: call.transfer("+15551234567", mode="warm", summary=" A guest.\n"),
        TransferRequested("+15551234567", mode="warm", summary="A guest."),
    ),
    (lambda call: call.transfer("+15551234567", mode="warm"), TransferRequested("+15551234567", mode="warm")),
    (lambda call: call.mute(), MuteRequested(True)),
    (lambda call: call.mute(False), MuteRequested(False)),
    (lambda call: call.unmute(), MuteRequested(False)),
]


@pytest.mark.parametrize(("order", "event"), ORDERS, ids=[str(case[1]) for case in ORDERS])
def test_an_order_is_handed_over_at_once_and_may_be_awaited(order: Callable[[CallControl], Any], event: Event) -> None:
    port = Port()
    done = order(control(port))
    assert port.events == [event]

    async def main() -> Any:
        return await done

    assert asyncio.run(main()) is None
    assert asyncio.run(main()) is None


@pytest.mark.parametrize(("order", "event"), ORDERS, ids=[str(case[1]) for case in ORDERS])
def test_nothing_can_be_done_to_a_call_that_is_over_but_hang_up(order: Callable[[CallControl], Any], event: Event) -> None:
    call = control(Port(ended=True))
    if isinstance(event, HangUpRequested):
        order(call)
        return
    with pytest.raises(ConfigError, match="The call is over"):
        order(call)


REFUSED: list[tuple[Callable[[Any], Any], type[Exception], str]] = [
    (lambda call: call.say(""), ConfigError, "text is empty; give the words."),
    (lambda call: call.say(" \n"), ConfigError, "text is empty"),
    (lambda call: call.say(5), ConfigTypeError, "text is int 5; it must be a string."),
    (lambda call: call.hangup(5), ConfigTypeError, "text is int 5; it must be a string."),
    (lambda call: call.hangup(None), ConfigTypeError, "text is NoneType None"),
    (lambda call: call.inject("a", role="tool"), ConfigError, "role is 'tool'; it must be"),
    (lambda call: call.inject(""), ConfigError, "text is empty"),
    (lambda call: call.send_dtmf(""), ConfigError, "digits has 0 keys"),
    (lambda call: call.send_dtmf("1x"), ConfigError, "digits holds 'X'"),
    (lambda call: call.send_dtmf(12), ConfigTypeError, "digits is int 12"),
    (lambda call: call.send_dtmf("1", delay_ms=49), ConfigError, "delay_ms is 49; it must be a whole number from 50 to 5000."),
    (lambda call: call.send_dtmf("1", delay_ms=5001), ConfigError, "delay_ms is 5001"),
    (lambda call: call.send_dtmf("1", delay_ms=100.0), ConfigError, "delay_ms is 100.0"),
    (lambda call: call.send_dtmf("1", delay_ms=True), ConfigError, "delay_ms is True"),
    (lambda call: call.transfer("the boss"), ConfigError, "number must be a number in E.164"),
    (lambda call: call.transfer("sip:desk@example.com"), ConfigError, "number is a SIP address; a call can be handed to a tele"),
    (lambda call: call.transfer(" SIPS:desk@example.com"), ConfigError, "number is a SIP address"),
    (lambda call: call.transfer("+15551234567", mode="hot"), ConfigError, "mode is 'hot'; it must be \"cold\" or \"warm\"."),
    (lambda call: call.transfer("+15551234567", mode=None), ConfigError, "mode is None; it must be"),
    (lambda call: call.transfer("+15551234567", summary="x"), ConfigError, "summary is told in a warm transfer only: give"),
    (lambda call: call.transfer("+15551234567", mode="warm", summary=5), ConfigTypeError, "summary is int 5; it must be a"),
    (lambda call: call.transfer("+15551234567", mode="warm", summary="x" * 1001), ConfigError, "summary has 1001 characters"),
    (lambda call: call.mute("yes"), ConfigTypeError, "on is 'yes'; it must be True or False."),
]


@pytest.mark.parametrize(("order", "kind", "sentence"), REFUSED, ids=[case[2] for case in REFUSED])
def test_what_makes_no_sense_is_refused_before_anything_is_handed_over(
    order: Callable[[Any], Any], kind: type[Exception], sentence: str
) -> None:
    port = Port()
    with pytest.raises(kind) as refused:
        order(control(port))
    assert sentence in str(refused.value)
    assert port.events == []


def test_a_call_that_is_being_handed_on_is_not_handed_to_somebody_else_meanwhile() -> None:
    port = Port()
    call = control(port)
    port.is_transferring = True
    with pytest.raises(ConfigError, match=r"^A transfer of this call is under way; .* when that has failed\.$"):
        call.transfer("+15551234567")
    assert (call.is_transferring, port.events) == (True, [])
    port.is_transferring = False
    call.transfer("+15551234567")
    assert len(port.events) == 1


def test_a_control_knows_the_carriers_name_of_the_call() -> None:
    assert control(Port()).carrier_call_id == ""
    assert CallControl("call_1", "+1", "+2", "twilio", Port(), carrier_call_id="CA1").carrier_call_id == "CA1"


@pytest.mark.parametrize(
    "number", ["5551234567", "+0555123456", "+12", "+1234567890123456", "", None, 15551234567, "+1555x234567"]
)
def test_what_is_no_number_in_e164_is_refused_without_being_repeated(number: Any) -> None:
    with pytest.raises(ConfigError, match=r"^to must be a number in E\.164") as refused:
        check_number("to", number)
    assert "555x" not in str(refused.value)


@pytest.mark.parametrize("number", ["+49 30 901820", "+49.30.901820", "+49(30)90-18-20"])
def test_a_number_may_be_written_as_people_do(number: str) -> None:
    assert check_number("to", number) == "+4930901820"


def test_a_control_shows_how_the_call_stands_and_no_number() -> None:
    port = Port()
    call = control(port)
    assert (call.ended, call.is_hung_up, call.is_transferred, repr(call)) == (False, False, False, "<CallControl of call_1>")
    port.ended = port.is_hung_up = port.is_transferred = True
    assert (call.ended, call.is_hung_up, call.is_transferred, repr(call)) == (True, True, True, "<CallControl of call_1, over>")
