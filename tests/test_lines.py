"""How a phone begins its calls on a line: under which cell they stand, with which words, and where recordings are kept."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest

from patter_nb.carriers.twilio.webhooks import IncomingCall
from patter_nb.errors import ConfigError, PatterError
from patter_nb.lines import Order, Terms
from patter_nb.phone import Patter
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.telephony.call import LineCall
from patter_nb.telephony.desk import CallDesk
from patter_nb.testing import Callee, TwilioSimulator

FRIEND, NUMBER = "+15557654321", "+15550001234"
INCOMING = IncomingCall("CA" + "1" * 32, "AC" + "2" * 32, FRIEND, NUMBER)
CELL: contextvars.ContextVar[str] = contextvars.ContextVar("cell", default="none")


class Server:
    """As much of a server as a call that comes in asks."""

    host = "calls.example.com"
    origin = f"https://{host}"


def run(main: Any) -> Any:
    return asyncio.run(asyncio.wait_for(main, 30))


def scripted(phone: Patter, **settings: Any) -> Any:
    given = {"stt": ScriptedSTT([]), "llm": ScriptedLLM([]), "tts": ScriptedTTS(), "first_message": "Hi.", **settings}
    return phone.agent("A test.", **given)


def terms(phone: Patter, agent: Any = None, **settings: Any) -> Terms:
    callbacks = phone._callbacks(None, *(settings.pop(name, None) for name in ("on_call_start",)))
    given = {"agent": agent or scripted(phone), "callbacks": callbacks, "cell": contextvars.copy_context(), **settings}
    return Terms(**given)


async def ended(work: LineCall) -> LineCall:
    assert work.call is not None
    work.call.stop()
    await work.call.ended(10)
    return work


def test_a_call_that_comes_in_is_held_under_the_cell_that_served_and_with_both_numbers():
    cells: list[str] = []

    async def main():
        begun = asyncio.Event()

        async def begins(_: Any) -> None:
            cells.append(CELL.get())
            begun.set()

        phone = Patter(store=False, show=False)
        CELL.set("the cell that serves")
        served = terms(phone, on_call_start=begins)
        CELL.set("another cell")
        work = phone._take(served, Server(), INCOMING)  # type: ignore[arg-type]
        await begun.wait()
        assert work.call is phone.last_call
        await ended(work)
        return work, phone.calls.iloc[0]

    work, row = run(main())
    assert cells == ["the cell that serves"]
    assert (work.caller, work.callee, work.carrier_call_id) == (FRIEND, NUMBER, INCOMING.call_sid)
    assert (row["direction"], row["source"], row["carrier_call_id"]) == ("inbound", "telephone", INCOMING.call_sid)
    assert work.call.id.startswith("call_")


def test_what_was_changed_after_serving_holds_for_the_next_call_unless_the_agent_is_pinned():
    async def main():
        phone = Patter(store=False, show=False)
        agent = scripted(phone)
        both = [terms(phone, agent), terms(phone, agent, pinned=True)]
        phone.edit(first_message="Edited.")
        works = [await ended(phone._take(each, Server(), INCOMING)) for each in both]  # type: ignore[arg-type]
        return [work._agent.first_message for work in works]

    assert run(main()) == ["Edited.", "Hi."]


def test_an_agent_that_cannot_take_calls_is_refused_before_there_is_a_call():
    async def main():
        phone = Patter(store=False, show=False)
        with pytest.raises(ConfigError, match="llm"):
            phone._take(terms(phone, scripted(phone, llm=None)), Server(), INCOMING)  # type: ignore[arg-type]
        return len(phone.calls), phone.last_call

    assert run(main()) == (0, None)


def test_the_first_words_of_one_call_are_those_it_was_ordered_with():
    async def nowhere() -> Any:
        raise PatterError("There is no server.")

    async def main():
        phone = Patter(store=False, show=False)
        given = terms(phone)
        found = []
        for words in ("As ordered.", ""):
            call = phone._place(given, nowhere, Order(FRIEND, NUMBER, words, True, 25.0))
            found.append(call.live.current.agent.first_message)
            with pytest.raises(PatterError, match="There is no server"):
                await call
        return found, phone.calls["outcome"].tolist()

    assert run(main()) == (["As ordered.", "Hi."], ["failed", "failed"])


@pytest.mark.parametrize(
    ("order", "listens"),
    [
        ({}, True),
        ({"machine_detection": False}, False),
        ({"machine_detection": False, "voicemail_message": "Call us back."}, True),
        ({"machine_detection": False, "on_machine_detection": print}, True),
    ],
)
def test_machines_are_listened_for_where_anything_depends_on_it(order, listens):
    async def main():
        async with TwilioSimulator(callee=Callee(answers_after_seconds=20), synthetic=True) as simulator:
            line = {"carrier": simulator.carrier, "phone_number": simulator.number, "tunnel": simulator.tunnel}
            phone = Patter(store=False, show=False, **line)
            await phone.serve(scripted(phone), port=0, manage_webhook=True, block=False)
            call = await phone.call(FRIEND, **order)
            call.stop()
            await call.ended(10)
            await phone.disconnect()
            return [request.fields for request in simulator.requests if request.path.endswith("/Calls.json")]

    (form,) = run(main())
    assert ("MachineDetection" in form) is listens


def test_awaiting_an_order_that_waits_waits_for_the_end():
    async def nowhere() -> Any:
        await asyncio.Event().wait()

    async def main():
        phone = Patter(store=False, show=False)
        call = phone._place(terms(phone), nowhere, Order(FRIEND, NUMBER, "", True, 25.0, wait=True))
        waiting = asyncio.ensure_future(call)  # type: ignore[arg-type]
        await asyncio.sleep(0)
        assert not waiting.done()
        call.stop()
        return (await waiting).state

    assert run(main()) == "ended"


def test_the_carriers_recording_lies_beside_ours(tmp_path):
    async def main():
        phone = Patter(store=str(tmp_path / "calls.sqlite"), show=False)
        path = phone._keep_recording("call_0123456789ab", b"RIFF")
        phone.flush()
        return path

    path = run(main())
    assert path is not None
    assert path.read_bytes() == b"RIFF"
    assert path.name == "call_0123456789ab.carrier.wav"
    assert path.is_relative_to(tmp_path)


def test_without_a_store_the_carriers_recording_is_not_kept():
    async def main():
        return Patter(store=False)._keep_recording("call_0123456789ab", b"RIFF")

    assert run(main()) is None


def test_a_desk_without_a_taker_says_that_the_line_is_busy():
    async def main():
        return await CallDesk(None, print).incoming(INCOMING)  # type: ignore[arg-type]

    assert "<Reject" in run(main())


def test_the_folder_of_the_carriers_recordings_is_kept_out_of_git(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def main():
        return Patter(show=False)._keep_recording("call_0123456789ab", b"RIFF")

    assert run(main()).parts[-3:-1] == (".patter_nb", "recordings")
    assert (tmp_path / ".patter_nb" / ".gitignore").read_text() == "*\n"
