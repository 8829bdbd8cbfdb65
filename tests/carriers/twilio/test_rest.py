"""The REST client: its requests before two oracles (see `oracles.py`), answers, refusals, retries, and what never shows."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest
from tests_of_twilio_oracles import OPERATIONS, official, problems
from tests_of_twilio_wire import ACCOUNT, CALL, KEY, NUMBER, RECORDING, SECRET, TOKEN, answer, call, sent, twilio
from tests_of_web_listener import listening

from patter_nb import CarrierError, ConfigError, Twilio
from patter_nb.carriers.twilio import Dial, TwilioRest
from patter_nb.carriers.twilio.rest import TwilioError

HOST = "https://rehearsal.example.com/webhooks/twilio"
TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response><Say>Ünïcode &amp; so on</Say></Response>'
DIAL = Dial(
    to="+15557654321",
    from_number="+15550001234",
    twiml=TWIML,
    status_url=f"{HOST}/status?call=call_0123456789ab",
    amd_url=f"{HOST}/amd?call=call_0123456789ab",
)
PLAIN = replace(DIAL, machine_detection=False, amd_url=None, ring_timeout_seconds=60)
EVENTS = ["initiated", "ringing", "answered", "completed"]

DIALLED = {"to": DIAL.to, "from_": DIAL.from_number, "twiml": TWIML, "status_callback": DIAL.status_url,
           "status_callback_method": "POST", "status_callback_event": EVENTS}  # fmt: skip
DETECTED = {"machine_detection": "DetectMessageEnd", "async_amd": "true", "async_amd_status_callback": DIAL.amd_url,
            "async_amd_status_callback_method": "POST"}  # fmt: skip
RECORDED = {"recording_status_callback": f"{HOST}/recording?call=call_0123456789ab", "recording_status_callback_method": "POST",
            "recording_status_callback_event": ["completed", "absent"], "recording_channels": "dual",
            "recording_track": "both"}  # fmt: skip
ROUTED = {"voice_url": f"{HOST}/answer", "voice_method": "POST", "status_callback": f"{HOST}/status",
          "status_callback_method": "POST"}  # fmt: skip

SAME = {
    # What it is: the description's operation, ours, and Twilio's own client asked for the same.
    "a call": (
        "CreateCall",
        lambda ours: ours.create_call(DIAL),
        lambda theirs: theirs.calls.create(**DIALLED, **DETECTED, timeout=25),
    ),
    "a call without detection": (
        "CreateCall",
        lambda ours: ours.create_call(PLAIN),
        lambda theirs: theirs.calls.create(**DIALLED, timeout=60),
    ),
    "a call redirected": (
        "UpdateCall",
        lambda ours: ours.update_call(CALL, twiml=TWIML),
        lambda theirs: theirs.calls(CALL).update(twiml=TWIML),
    ),
    "a call canceled": (
        "UpdateCall",
        lambda ours: ours.update_call(CALL, status="canceled"),
        lambda theirs: theirs.calls(CALL).update(status="canceled"),
    ),
    "a call completed": (
        "UpdateCall",
        lambda ours: ours.update_call(CALL, status="completed"),
        lambda theirs: theirs.calls(CALL).update(status="completed"),
    ),
    "a call looked up": ("FetchCall", lambda ours: ours.fetch_call(CALL), lambda theirs: theirs.calls(CALL).fetch()),
    "a recording": (
        "CreateCallRecording",
        lambda ours: ours.start_recording(CALL, RECORDED["recording_status_callback"]),
        lambda theirs: theirs.calls(CALL).recordings.create(**RECORDED),
    ),
    "a number found": (
        "ListIncomingPhoneNumber",
        lambda ours: ours.find_number("+1 (555) 000-1234"),
        lambda theirs: theirs.incoming_phone_numbers.list(phone_number="+15550001234"),
    ),
    "a number configured": (
        "UpdateIncomingPhoneNumber",
        lambda ours: ours.configure_number(NUMBER, voice_url=f"{HOST}/answer", voice_method="POST", status_url=f"{HOST}/status"),
        lambda theirs: theirs.incoming_phone_numbers(NUMBER).update(**ROUTED),
    ),
    "a number given back": (
        "UpdateIncomingPhoneNumber",
        lambda ours: ours.configure_number(NUMBER, voice_url="", voice_method="GET", status_url="", status_method="GET"),
        lambda theirs: theirs.incoming_phone_numbers(NUMBER).update(
            voice_url="", voice_method="GET", status_callback="", status_callback_method="GET"
        ),
    ),
    "the account": ("FetchAccount", lambda ours: ours.account(), lambda theirs: theirs.api.accounts(ACCOUNT).fetch()),
    "the verified numbers": (
        "ListOutgoingCallerId",
        lambda ours: ours.verified_numbers(),
        lambda theirs: theirs.outgoing_caller_ids.list(page_size=1000),
    ),
    "the balance": ("FetchBalance", lambda ours: ours.balance(), lambda theirs: theirs.balance.fetch()),
}

KEYS = {"account_sid": ACCOUNT, "auth_token": TOKEN}
BOTH = {**KEYS, "api_key": KEY, "api_secret": SECRET}


async def asked(operation, ours, **keys):
    """The one request that our client makes of it, which is answered with the description's example."""
    example = OPERATIONS[operation]
    async with twilio(answer(example["status"], example["answer"]), **keys) as (rest, listener):
        await ours(rest)
    (request,) = listener.requests
    return sent(request)


# The two oracles.


@pytest.mark.parametrize("with_key", [False, True], ids=["auth token", "API key"])
@pytest.mark.parametrize("name", SAME)
def test_a_request_is_the_one_that_twilios_own_client_makes(name, with_key):
    operation, ours, theirs = SAME[name]
    client, recorder = official(operation, with_key=with_key)
    theirs(client)
    (expected,) = recorder.sent
    assert asyncio.run(asked(operation, ours, **(BOTH if with_key else KEYS))) == expected


@pytest.mark.parametrize("name", SAME)
def test_a_request_is_as_twilio_describes_it(name):
    operation, ours, _ = SAME[name]
    assert problems(operation, asyncio.run(asked(operation, ours))) == []


REFUSED = {
    "a field misspelt": lambda form: [("StatusCallBack" if name == "StatusCallback" else name, value) for name, value in form],
    "a field too many": lambda form: [*form, ("Colour", "red")],
    "a field left out": lambda form: [pair for pair in form if pair[0] != "From"],
    "a number as a word": lambda form: [(name, "soon" if name == "Timeout" else value) for name, value in form],
    "a truth as Python writes it": lambda form: [(name, "True" if name == "AsyncAmd" else value) for name, value in form],
    "a mode that is none": lambda form: [(name, "Premium" if name == "MachineDetection" else value) for name, value in form],
    "events in one string": lambda form: [*(pair for pair in form if pair[0] != "StatusCallbackEvent"),
                                          ("StatusCallbackEvent", " ".join(EVENTS))],
    "an event that is none": lambda form: [*form, ("StatusCallbackEvent", "in-progress")],
    "a method that is none": lambda form: [(name, "PUT" if name == "StatusCallbackMethod" else value) for name, value in form],
    "a field twice": lambda form: [*form, ("To", "+15550009999")],
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_the_description_refuses(name):
    good = asyncio.run(asked("CreateCall", lambda ours: ours.create_call(DIAL)))
    assert problems("CreateCall", replace(good, form=tuple(sorted(REFUSED[name](good.form))))) != []


def test_the_description_refuses_other_paths_methods_and_queries():
    good = asyncio.run(asked("FetchCall", lambda ours: ours.fetch_call(CALL)))
    assert problems("FetchCall", replace(good, path=good.path.replace(CALL, "CA123"))) != []
    assert problems("FetchCall", replace(good, path=good.path.removesuffix(".json"))) != []
    assert problems("FetchCall", replace(good, method="POST")) != []
    assert problems("FetchCall", replace(good, query=(("Page", "1"),))) != []


def test_each_event_is_a_field_of_its_own():
    """Twilio takes them in one string, too, and then tells of none."""
    dialled = asyncio.run(asked("CreateCall", lambda ours: ours.create_call(DIAL)))
    assert sorted(value for name, value in dialled.form if name == "StatusCallbackEvent") == sorted(EVENTS)
    recorded = asyncio.run(asked("CreateCallRecording", lambda ours: ours.start_recording(CALL, HOST)))
    assert [value for name, value in recorded.form if name == "RecordingStatusCallbackEvent"] == ["absent", "completed"]


def test_a_call_is_detected_without_waiting_and_only_when_somebody_is_told():
    form = dict(asyncio.run(asked("CreateCall", lambda ours: ours.create_call(DIAL))).form)
    assert (form["MachineDetection"], form["AsyncAmd"]) == ("DetectMessageEnd", "true")
    for dial in (PLAIN, replace(DIAL, machine_detection=False), replace(DIAL, amd_url=None)):
        form = dict(asyncio.run(asked("CreateCall", lambda ours, dial=dial: ours.create_call(dial))).form)
        assert not [name for name in form if "Amd" in name or "Detection" in name]


# Answers.


def test_a_call_is_read():
    example = OPERATIONS["FetchCall"]["answer"]

    async def main():
        async with twilio(answer(200, example), answer(200, call("ringing"))) as (rest, _):
            return await rest.fetch_call(CALL), await rest.fetch_call(CALL)

    ended, ringing = asyncio.run(main())
    assert (ended.status, ended.direction, ended.duration_seconds) == (example["status"], "outbound-api", 4.0)
    assert (ended.price_usd, ended.price_unit) == (0.2, "USD")
    assert (ringing.status, ringing.duration_seconds, ringing.price_usd) == ("ringing", None, None)


def test_a_number_is_found_only_when_it_is_that_number():
    example = OPERATIONS["ListIncomingPhoneNumber"]["answer"]
    number = example["incoming_phone_numbers"][0]["phone_number"]

    async def main():
        async with twilio(answer(200, example)) as (rest, _):
            return await rest.find_number(number), await rest.find_number("+15550001234")

    found, other = asyncio.run(main())
    assert (found.phone_number, found.voice, other) == (number, True, None)
    assert number not in repr(found)


def test_the_account_its_verified_numbers_and_its_balance_are_read():
    async def main(operation, ask):
        async with twilio(answer(200, OPERATIONS[operation]["answer"])) as (rest, _):
            return await ask(rest)

    account = asyncio.run(main("FetchAccount", lambda rest: rest.account()))
    assert (account.status, account.type) == ("active", "Full")
    assert asyncio.run(main("ListOutgoingCallerId", lambda rest: rest.verified_numbers())) == ["+141586753096"]
    balance = asyncio.run(main("FetchBalance", lambda rest: rest.balance()))
    assert (balance.amount, balance.currency) == (0.05, "USD")


def page(number: str, following: object) -> bytes:
    return answer(200, {"outgoing_caller_ids": [{"phone_number": number}], "next_page_uri": following})


def test_the_verified_numbers_are_read_page_by_page_and_from_nowhere_else():
    following = f"/2010-04-01/Accounts/{ACCOUNT}/OutgoingCallerIds.json?PageSize=1000&Page=1&PageToken=PA%2B1"

    async def main(*answers):
        async with twilio(*answers) as (rest, listener):
            return await rest.verified_numbers(), [sent(each) for each in listener.requests]

    numbers, (first, second) = asyncio.run(main(page("+15550001111", following), page("+15550002222", None)))
    assert numbers == ["+15550001111", "+15550002222"]
    assert second.path == first.path
    assert dict(second.query) == {"PageSize": "1000", "Page": "1", "PageToken": "PA+1"}
    elsewhere = "https://elsewhere.example/OutgoingCallerIds.json.evil?Page=1"
    with pytest.raises(CarrierError, match="next page"):
        asyncio.run(main(page("+15550001111", elsewhere)))


def test_the_audio_of_a_recording_is_both_sides_as_wav():
    """No oracle has this request; after Twilio's page on recordings."""

    async def main():
        async with twilio(answer(200, b"RIFF....WAVE", content_type="audio/x-wav")) as (rest, listener):
            return await rest.recording_audio(RECORDING), sent(listener.requests[0])

    audio, request = asyncio.run(main())
    assert audio == b"RIFF....WAVE"
    assert (request.method, request.path) == ("GET", f"/2010-04-01/Accounts/{ACCOUNT}/Recordings/{RECORDING}.wav")
    assert request.query == (("RequestedChannels", "2"),)


@pytest.mark.parametrize("status", [302, 307])
def test_a_recording_that_lies_elsewhere_is_fetched_there_without_the_keys(status):
    async def main():
        async with listening(answer(200, b"RIFF")) as elsewhere:
            moved = answer(status, b"", location=f"http://127.0.0.1:{elsewhere.port}/bucket/1.wav?sign=x")
            async with twilio(moved) as (rest, _):
                return await rest.recording_audio(RECORDING), elsewhere.requests

    audio, (request,) = asyncio.run(main())
    assert audio == b"RIFF"
    assert request.startswith(b"GET /bucket/1.wav?sign=x HTTP/1.1")
    assert b"authorization" not in request.lower()


def test_nothing_else_is_fetched_elsewhere():
    async def main():
        async with listening(answer(200, call())) as elsewhere:
            async with twilio(answer(307, b"", location=f"http://127.0.0.1:{elsewhere.port}/")) as (rest, _):
                with pytest.raises(CarrierError, match="HTTP 307"):
                    await rest.fetch_call(CALL)
            return elsewhere.requests

    assert asyncio.run(main()) == []


ODD = {
    "no JSON": b"<html>busy</html>",
    "a list": [],
    "no SID": {"status": "queued"},
    "a SID of something else": {"sid": "PN" + "a" * 32},
    "a SID that is none": {"sid": "CA/../../Accounts"},
    "depth without end": b"[" * 100_000,
}


@pytest.mark.parametrize("name", ODD)
def test_an_answer_that_is_none_of_twilios_is_a_carrier_error(name):
    async def main():
        async with twilio(answer(201, ODD[name])) as (rest, _):
            await rest.create_call(DIAL)

    with pytest.raises(CarrierError, match="Twilio's answer"):
        asyncio.run(main())


def test_an_answer_has_a_longest_size():
    async def main():
        async with twilio(answer(200, b" " * (5 * 2**20))) as (rest, _):
            await rest.fetch_call(CALL)

    with pytest.raises(CarrierError, match="longer than 4 MiB"):
        asyncio.run(main())


# What is not asked at all.

NEVER = {
    "no number": (lambda rest: rest.create_call(replace(DIAL, to="alice")), CarrierError),
    "a SIP address": (lambda rest: rest.create_call(replace(DIAL, to="sip:alice@example.com")), CarrierError),
    "too much TwiML": (lambda rest: rest.create_call(replace(DIAL, twiml="x" * 4001)), ConfigError),
    "ringing for an hour": (lambda rest: rest.create_call(replace(DIAL, ring_timeout_seconds=3600)), ConfigError),
    "a path for a SID": (lambda rest: rest.fetch_call("CA1/../../Accounts"), CarrierError),
    "two changes at once": (lambda rest: rest.update_call(CALL, twiml=TWIML, status="completed"), ConfigError),
    "no change": (lambda rest: rest.update_call(CALL), ConfigError),
    "a status that is none": (lambda rest: rest.update_call(CALL, status="paused"), ConfigError),
}


@pytest.mark.parametrize("name", NEVER)
def test_what_twilio_would_refuse_or_misread_is_never_asked(name):
    ask, error = NEVER[name]

    async def main():
        async with twilio(answer(201, call())) as (rest, listener):
            with pytest.raises(error):
                await ask(rest)
            return listener.requests

    assert asyncio.run(main()) == []


# Again, and once.


def refused(status: int, **headers: object) -> bytes:
    return answer(status, {"code": 20429, "message": "Too Many Requests", "status": status}, **headers)


async def cut(reader, writer):
    """The connection breaks before there is an answer."""


BUSY = {"429": refused(429), "500": refused(500), "503 with a time": refused(503, retry_after=0), "a broken connection": cut}


@pytest.mark.parametrize("name", BUSY)
def test_a_question_is_asked_again_while_twilio_is_busy(name):
    async def main():
        async with twilio(BUSY[name], BUSY[name], answer(200, call("in-progress"))) as (rest, listener):
            return await rest.fetch_call(CALL), len(listener.requests)

    found, asked = asyncio.run(main())
    assert (found.status, asked) == ("in-progress", 3)


@pytest.mark.parametrize("name", BUSY)
def test_a_question_is_asked_three_times_at_most(name):
    async def main():
        async with twilio(BUSY[name]) as (rest, listener):
            with pytest.raises(CarrierError):
                await rest.fetch_call(CALL)
            return len(listener.requests)

    assert asyncio.run(main()) == 3


@pytest.mark.parametrize("name", BUSY)
def test_a_call_is_placed_once_whatever_happens(name):
    async def main():
        async with twilio(BUSY[name], answer(201, call("queued"))) as (rest, listener):
            with pytest.raises(CarrierError):
                await rest.create_call(DIAL)
            return len(listener.requests)

    assert asyncio.run(main()) == 1


def test_a_call_that_nobody_waits_for_any_more_is_ended():
    """Cancelled while the request is out, its SID would be lost and the phone would ring for nobody."""

    async def main():
        arrived, go_on = asyncio.Event(), asyncio.Event()

        async def slowly(reader, writer):
            arrived.set()
            await go_on.wait()
            writer.write(answer(201, call("queued")))

        answers = slowly, answer(200, call("ringing")), answer(200, call("canceled"))
        async with twilio(*answers) as (rest, listener):
            placing = asyncio.create_task(rest.create_call(DIAL))
            await arrived.wait()
            placing.cancel()
            go_on.set()
            with pytest.raises(asyncio.CancelledError):
                await placing
            return [sent(each) for each in listener.requests]

    placed, _, ended = asyncio.run(main())
    assert placed.path.endswith("/Calls.json")
    assert (ended.path.endswith(f"/Calls/{CALL}.json"), ended.form) == (True, (("Status", "canceled"),))


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_what_is_refused_is_not_asked_again(status):
    async def main():
        async with twilio(answer(status, {})) as (rest, listener):
            with pytest.raises(TwilioError) as caught:
                await rest.fetch_call(CALL)
            return caught.value.status, len(listener.requests)

    assert asyncio.run(main()) == (status, 1)


def test_nobody_waits_an_hour_because_twilio_says_so():
    async def main():
        async with twilio(refused(429, retry_after=3600)) as (rest, listener):
            with pytest.raises(TwilioError, match="too often"):
                await rest.fetch_call(CALL)
            return len(listener.requests)

    assert asyncio.run(main()) == 1


@pytest.mark.parametrize("name", ["a broken connection"])
def test_a_lost_answer_leaves_a_doubt_that_is_told(name):
    async def main(ask):
        async with twilio(BUSY[name]) as (rest, _):
            await ask(rest)

    with pytest.raises(CarrierError, match=r"It may have been done all the same\.$"):
        asyncio.run(main(lambda rest: rest.create_call(DIAL)))
    with pytest.raises(CarrierError, match=r"reaches the internet\.$"):
        asyncio.run(main(lambda rest: rest.fetch_call(CALL)))


def test_silence_has_an_end(monkeypatch):
    from patter_nb.carriers.twilio import rest as module

    async def silent(reader, writer):
        await reader.read()

    monkeypatch.setattr(module, "TRIES", 1)
    monkeypatch.setattr(module._Ask.__init__, "__defaults__", (replace(module.ANSWER, seconds=0.05),))

    async def main():
        async with twilio(silent) as (rest, _):
            await rest.fetch_call(CALL)

    with pytest.raises(CarrierError, match=r"did not look up the call within 0\.05 s"):
        asyncio.run(main())


def test_nobody_at_the_other_end_is_said():
    async def main():
        async with listening() as listener:
            port = listener.port
        rest = TwilioRest(Twilio(account_sid=ACCOUNT, auth_token=TOKEN, base_url=f"http://127.0.0.1:{port}"), pause_seconds=0.0)
        try:
            await rest.create_call(DIAL)
        finally:
            await rest.close()

    sentence = r"^Twilio cannot be reached to place the call \(.+\): see whether this machine reaches the internet\.$"
    with pytest.raises(CarrierError, match=sentence):
        asyncio.run(main())


# Loops and connections.


def test_one_client_serves_several_loops_one_after_the_other():
    rest = TwilioRest(Twilio(account_sid=ACCOUNT, auth_token=TOKEN))

    async def main():
        async with listening(answer(200, call("ringing"))) as listener:
            rest._twilio = Twilio(account_sid=ACCOUNT, auth_token=TOKEN, base_url=f"http://127.0.0.1:{listener.port}")
            first = await rest.fetch_call(CALL)
            opened = rest._client
            await rest.fetch_call(CALL)
            assert rest._client is opened
            return first.status, opened

    (first, one), (second, other) = asyncio.run(main()), asyncio.run(main())
    assert (first, second) == ("ringing", "ringing")
    assert one is not other, "its connections and locks belong to a loop that is over"


def test_closing_is_harmless_when_nothing_is_open():
    async def main():
        rest = TwilioRest(Twilio())
        await rest.close()
        await rest.close()

    asyncio.run(main())


def test_a_missing_key_is_said_before_anything_is_opened():
    with pytest.raises(ConfigError, match="TWILIO_ACCOUNT_SID"):
        asyncio.run(TwilioRest(Twilio()).account())


# What never shows.


def test_no_key_and_no_number_shows_in_errors_representations_and_logs(caplog):
    said = {"code": 99999, "message": f"From +15550001234 to +1 (555) 765-4321: {TOKEN}? auth_token={TOKEN}"}
    shown = []

    async def main():
        async with twilio(answer(400, said), answer(200, {"incoming_phone_numbers": []}), **BOTH) as (rest, _):
            with pytest.raises(TwilioError) as caught:
                await rest.create_call(DIAL)
            await rest.find_number("+15557654321")
            error = caught.value
            assert error.__cause__ is None
            shown.extend([str(error), repr(error), repr(rest), repr(DIAL), repr(rest._twilio), repr(rest._twilio.credentials())])

    with caplog.at_level(logging.INFO):
        asyncio.run(main())
    shown += [record.getMessage() for record in caplog.records]
    assert any("IncomingPhoneNumbers.json" in text for text in shown)  # httpx did log
    for text in shown:
        assert not [secret for secret in (TOKEN, SECRET, "5550001234", "765-4321", "5557654321") if secret in text]
