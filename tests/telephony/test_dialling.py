"""How a call is dialled: what the simulated carrier's REST API was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from patter_nb.carriers.twilio.rest import TwilioRest
from patter_nb.errors import CarrierError
from patter_nb.telephony.dialling import Dialling
from patter_nb.testing import Callee, TwilioSimulator

FRIEND = "+15557654321"
HOST = "rehearsal.example.com"


@dataclass
class Server:
    """As much of a server as dialling asks."""

    rest: TwilioRest
    origin: str = f"https://{HOST}"


@dataclass
class Ordered:
    """As much of a call as dialling asks."""

    call_id: str = "call_0123456789ab"
    caller: str = "+15550001234"
    callee: str = FRIEND
    twiml: str = "<Response><Hangup/></Response>"


async def nowhere() -> Any:
    raise AssertionError("the server is there already")


async def dialled(simulator: TwilioSimulator, rings: float = 25.0, machine_detection: bool = True, **line: str) -> str:
    dialling = Dialling(server=nowhere, ring_timeout_seconds=rings, machine_detection=machine_detection)
    rest = TwilioRest(simulator.carrier)
    try:
        return await dialling.dial(Server(rest), Ordered(**line))  # type: ignore[arg-type]
    finally:
        await rest.close()


def asked(run: Any, **order: Any) -> tuple[tuple[tuple[str, str], ...], str, list[str]]:
    async def main() -> Any:
        async with TwilioSimulator(callee=Callee(answers_after_seconds=30)) as simulator:
            sid = await dialled(simulator, **order)
            (request,) = simulator.requests
            return request.form, sid, list(simulator.lines)

    return run(main())


def test_the_carrier_is_told_whom_to_call_and_where_to_tell_what_becomes_of_it(run):
    form, sid, calls = asked(run)
    told = dict(form)
    assert [sid] == calls
    assert (told["To"], told["From"], told["Twiml"]) == (FRIEND, "+15550001234", Ordered.twiml)
    assert told["StatusCallback"] == f"https://{HOST}/webhooks/twilio/status?call=call_0123456789ab"
    events = [value for name, value in form if name == "StatusCallbackEvent"]
    assert events == ["initiated", "ringing", "answered", "completed"]


def test_machines_are_listened_for_beside_the_call_which_waits_for_no_verdict(run):
    told = dict(asked(run)[0])
    assert (told["MachineDetection"], told["AsyncAmd"]) == ("DetectMessageEnd", "true")
    assert told["AsyncAmdStatusCallback"] == f"https://{HOST}/webhooks/twilio/amd?call=call_0123456789ab"


def test_nobody_listens_for_machines_who_was_not_asked_to(run):
    told = dict(asked(run, machine_detection=False)[0])
    assert not [name for name in told if "Machine" in name or "Amd" in name]


@pytest.mark.parametrize(("seconds", "told"), [(5.0, "5"), (25.0, "25"), (30.9, "30"), (600.0, "600")])
def test_it_rings_for_whole_seconds(run, seconds, told):
    assert dict(asked(run, rings=seconds)[0])["Timeout"] == told


def test_a_dial_that_is_refused_raises_the_remedy_and_is_not_repeated(run):
    async def main():
        async with TwilioSimulator() as simulator:
            simulator.blocked.append("+44")
            with pytest.raises(CarrierError, match="21215"):
                await dialled(simulator, callee="+447700900123")
            return len(simulator.requests), len(simulator.lines)

    assert run(main()) == (1, 0)
