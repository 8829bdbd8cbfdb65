"""What lies at the public address: a webhook for each thing that a carrier tells, the streams of calls, and nothing else."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

import pytest
from tests_of_telephony_wires import ACCOUNT, CALLER, NUMBER, ORIGIN, TOKEN, Answer, Pairs, ask, calling, post, sid

from patter_nb.errors import CarrierError
from patter_nb.server import serve
from patter_nb.telephony.door import Door
from patter_nb.telephony.routes import make_app

CALL, RECORDING = sid("CA", 1), sid("RE", 2)
TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response><Hangup/></Response>'


class Desk:
    """Notes what arrives, and is never of use."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, dict[str, Any]]] = []

    def _note(self, what: str, call_id: str, value: Any) -> None:
        self.told.append((what, call_id, asdict(value)))

    async def incoming(self, call: Any) -> str:
        self._note("incoming", "", call)
        return TWIML

    def status(self, call_id: str, status: Any) -> None:
        self._note("status", call_id, status)

    def machine(self, call_id: str, verdict: Any) -> None:
        self._note("machine", call_id, verdict)

    def recorded(self, call_id: str, recording: Any) -> None:
        self._note("recorded", call_id, recording)

    async def leg(self, call_id: str, status: Any) -> None:
        self._note("leg", call_id, status)

    def waiting(self, call_id: str) -> None:
        return None


def form(**fields: str) -> Pairs:
    return list({"CallSid": CALL, "AccountSid": ACCOUNT, **fields}.items())


WEBHOOKS = {
    "a call that comes in": (
        "answer", calling(CALL),
        ("incoming", "", {"call_sid": CALL, "account_sid": ACCOUNT, "caller": CALLER, "callee": NUMBER}),
    ),
    "the same under the public Patter's name": (
        "voice", calling(CALL),
        ("incoming", "", {"call_sid": CALL, "account_sid": ACCOUNT, "caller": CALLER, "callee": NUMBER}),
    ),
    "how a call stands": (
        "status?call=call_1", form(CallStatus="no-answer", CallDuration="0"),
        ("status", "call_1", {"call_sid": CALL, "status": "no-answer", "duration_seconds": 0.0, "error": ""}),
    ),
    "the same of a number's own calls": (
        "status", form(CallStatus="completed", CallDuration="12"),
        ("status", "", {"call_sid": CALL, "status": "completed", "duration_seconds": 12.0, "error": ""}),
    ),
    "who answered": (
        "amd?call=call_1", form(AnsweredBy="machine_end_beep", MachineDetectionDuration="4321"),
        ("machine", "call_1",
         {"call_sid": CALL, "classification": "machine", "raw": "machine_end_beep", "after_ms": 4321.0}),
    ),
    "a recording": (
        "recording?call=call_1", form(RecordingSid=RECORDING, RecordingStatus="completed", RecordingDuration="7"),
        ("recorded", "call_1", {"call_sid": CALL, "recording_sid": RECORDING, "seconds": 7.0, "status": "completed"}),
    ),
    "the other leg of a transfer": (
        "transfer?call=call_1", form(CallStatus="in-progress"),
        ("leg", "call_1", {"call_sid": CALL, "status": "in-progress", "duration_seconds": None, "error": ""}),
    ),
}  # fmt: skip

MALFORMED = {
    "a call without an id": ("answer", calling("")),
    "a call whose id is none": ("answer", calling("CA123")),
    "a call whose id is another's": ("answer", calling(sid("SM", 1))),
    "a call of no account": ("answer", calling(CALL, AccountSid="x")),
    "a caller of five thousand characters": ("answer", calling(CALL, From="1" * 5_000)),
    "a status that is no word": ("status", form(CallStatus="<completed>")),
    "a status that is none": ("status", form()),
    "a duration that is no number": ("status", form(CallStatus="completed", CallDuration="1e9")),
    "a verdict that is none": ("amd", form()),
    "a recording without an id": ("recording", form(RecordingStatus="completed")),
    "a leg without a status": ("transfer", form()),
}

NOTHING = {
    "GET /": 404, "GET /docs": 404, "GET /redoc": 404, "GET /openapi.json": 404, "GET /webhooks": 404, "GET /softphone": 404,
    "GET /webhooks/twilio/answer": 405, "PUT /webhooks/twilio/answer": 405, "OPTIONS /webhooks/twilio/answer": 405,
    "GET /ws/stream/call_1": 404, "POST /health": 405, "TRACE /": 404, "GET /health/": 404, "GET //health": 404,
    "GET /static/../health": 404, "GET http://elsewhere.example.com/health": 404,
}  # fmt: skip


@pytest.fixture(scope="module")
def answers() -> dict[str, tuple[Answer, list[Any]]]:
    """What each gets from one server, and what arrived by it."""
    posts = {name: post(f"/webhooks/twilio/{path}", pairs) for name, (path, pairs, _) in WEBHOOKS.items()}
    posts |= {name: post(f"/webhooks/twilio/{path}", pairs) for name, (path, pairs) in MALFORMED.items()}
    posts |= {line: f"{line} HTTP/1.1\r\nHost: evil.example.com\r\n\r\n".encode() for line in ("GET /health", *NOTHING)}

    async def main() -> dict[str, tuple[Answer, list[Any]]]:
        desk, found = Desk(), {}
        server = serve(make_app(desk, Door(lambda: TOKEN, lambda: ORIGIN)), loop=asyncio.get_running_loop())
        for name, request in posts.items():
            answer = await ask(server.port, request)
            found[name], desk.told = (answer, desk.told), []
        await server.stop()
        return found

    return asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize("name", WEBHOOKS)
def test_what_a_carrier_tells_arrives_with_the_call_that_its_address_names(name, answers):
    answer, told = answers[name]
    path, _, expected = WEBHOOKS[name]
    assert told == [expected]
    if path in ("answer", "voice"):
        assert (answer.status, answer.body) == (200, TWIML)
        assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    else:
        assert (answer.status, answer.body) == (204, "")
    assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")


@pytest.mark.parametrize("name", MALFORMED)
def test_a_form_that_is_none_of_the_carriers_is_refused_without_an_echo(name, answers):
    answer, told = answers[name]
    assert (answer.status, answer.body, told) == (400, "the form is malformed\n", [])


@pytest.mark.parametrize("line", NOTHING)
def test_nothing_else_is_there_and_no_host_is_believed(line, answers):
    answer, told = answers[line]
    assert (answer.status, told) == (NOTHING[line], [])
    assert "evil" not in answer.body + str(answer.headers)
    assert len(answer.body) < 80


def test_whoever_asks_hears_that_it_is_up_and_nothing_about_it(answers):
    answer, _ = answers["GET /health"]
    assert (answer.status, answer.body) == (200, '{"status":"ok","mode":"local"}')
    assert "server" not in answer.headers


def test_a_desk_that_takes_no_call_answers_as_a_malformed_form_does(run):
    class Refusing(Desk):
        async def incoming(self, call: Any) -> str:
            raise CarrierError("The caller +15557654321 is not wanted.")

    async def main():
        server = serve(make_app(Refusing(), Door(lambda: TOKEN, lambda: ORIGIN)), loop=asyncio.get_running_loop())
        answer = await ask(server.port, post(pairs=calling(CALL)))
        await server.stop()
        return answer

    answer = run(main())
    assert (answer.status, answer.body) == (400, "the form is malformed\n")
