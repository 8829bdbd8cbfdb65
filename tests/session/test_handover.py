"""A call that its carrier hands on, or does not, or only after the call is over; the carrier is a class of a few lines."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from patter_nb.callers import Line
from patter_nb.errors import CarrierError, ConfigError
from patter_nb.providers.base import TextDelta
from patter_nb.providers.scripted import ScriptedLLM
from patter_nb.session.handover import ANSWER_SECONDS, LEAVING_SECONDS
from patter_nb.turns.messages import ToolRequest

Hold = Callable[..., Any]

NUMBER = "+15557654321"
PATIENT = Line("Three?", wait_seconds=12.0)


class Carrier:
    """Takes so long for each thing; `refuses` with what it raises instead of the last one.

    `takes_after`: when it takes the audio away, counted from the moment at which it has the call; negative: before it says so;
    None: never. `rings`: seconds until whoever is called for a warm transfer answers.
    """

    def __init__(
        self,
        *,
        seconds: float = 0.3,
        refuses: BaseException | None = None,
        takes_after: float | None = 0.2,
        rings: float = 0.0,
        hangs_up: BaseException | None = None,
    ) -> None:
        self.seconds, self.refuses, self.takes_after, self.rings, self.hangs_up = seconds, refuses, takes_after, rings, hangs_up
        self.did: list[str] = []
        self.at: dict[str, float] = {}
        self.tap: Any = None

    def _note(self, what: str) -> None:
        self.did.append(what)
        self.at[what] = asyncio.get_running_loop().time()

    async def transfer(self, number: str) -> None:
        self._note(f"transfer {number}")
        try:
            await self._take()
        except asyncio.CancelledError:
            self._note("cancelled")
            raise

    async def warm_transfer(self, number: str, summary: str, answered: Callable[[], Awaitable[None]]) -> None:
        self._note(f"call {number}")
        try:
            await asyncio.sleep(self.rings)
            if self.refuses is not None:
                raise self.refuses
            self._note(f"tell {summary!r}")
            await answered()
            self._note("released")
            await self._take()
        except asyncio.CancelledError:
            self._note("cancelled")
            raise

    async def hang_up(self) -> None:
        self._note("hang up")
        if self.hangs_up is not None:
            raise self.hangs_up

    async def _take(self) -> None:
        early = self.takes_after is not None and self.takes_after < 0
        if early:
            self.tap.post({"event": "stop", "stop": {}})
        await asyncio.sleep(self.seconds)
        if self.refuses is not None:
            raise self.refuses
        self._note("has it")
        if self.takes_after is not None and not early:
            asyncio.get_running_loop().call_later(self.takes_after, self.tap.post, {"event": "stop", "stop": {}})


def handed_on(carrier: Carrier, at: float = 2.0, *, then: Any = None, **order: Any) -> dict[str, Any]:
    """What `hold` needs for a call that is handed on from outside; `then(tap, session)` goes on with it."""

    async def meanwhile(tap: Any, session: Any) -> None:
        carrier.tap = tap
        await tap.at(at)
        session.control.transfer(NUMBER, **order)
        if then is not None:
            await then(tap, session)

    return {"call_line": carrier, "meanwhile": meanwhile}


def asks(arguments: str, *said: str) -> list[Any]:
    return [*(TextDelta(text) for text in said), ToolRequest("t1", "transfer_call", arguments)]


# It is taken.


@pytest.mark.parametrize("takes_after", [-1.0, 0.2])
def test_a_call_that_the_carrier_takes_is_transferred_whenever_its_audio_ends(hold: Hold, takes_after: float) -> None:
    carrier = Carrier(takes_after=takes_after)
    held = hold(["One?", PATIENT], **handed_on(carrier))
    assert carrier.did == [f"transfer {NUMBER}", "has it"]
    assert held.events("transferred") == [{"number": NUMBER, "mode": "cold"}]
    assert held.events("transfer_failed") == []
    assert (held.session.end_reason, held.session.is_transferred, held.session.is_hung_up) == ("transferred", True, False)
    assert (held.error, held.tasks_left) == (None, [])


def test_a_call_whose_audio_goes_on_is_closed_from_here(hold: Hold) -> None:
    carrier = Carrier(takes_after=None)
    held = hold([Line("One?", wait_seconds=30.0)], **handed_on(carrier))
    assert (held.session.end_reason, held.session.is_hung_up) == ("transferred", False)
    assert held.session.duration_seconds == pytest.approx(2.0 + 0.3 + LEAVING_SECONDS, abs=0.1)


def test_a_hang_up_after_it_was_taken_does_not_change_what_became_of_it(hold: Hold) -> None:
    async def then(tap: Any, session: Any) -> None:
        await tap.at(3.0)
        assert session.is_transferred
        session.control.hangup()

    carrier = Carrier(takes_after=None)
    held = hold([Line("One?", wait_seconds=30.0)], **handed_on(carrier, then=then))
    assert (held.session.end_reason, held.session.is_hung_up) == ("transferred", False)
    assert held.session.duration_seconds == pytest.approx(3.0, abs=0.1)
    assert "hang up" not in carrier.did, "it is somebody else's call by now"


# It is refused.

REFUSALS = [
    (CarrierError(f"The number {NUMBER} cannot be called (21215)."), f"The number {NUMBER} cannot be called (21215)."),
    (RuntimeError("broke"), "the carrier raised RuntimeError: broke"),
    (SystemExit(3), "the carrier raised SystemExit: 3"),
    (TimeoutError("slow"), "the carrier raised TimeoutError: slow"),
]


@pytest.mark.parametrize("mode", ["cold", "warm"])
@pytest.mark.parametrize(("raised", "error"), REFUSALS, ids=[type(case[0]).__name__ for case in REFUSALS])
def test_a_call_that_the_carrier_refuses_to_hand_on_goes_on_and_the_model_is_told(
    hold: Hold, raised: BaseException, error: str, mode: str
) -> None:
    carrier = Carrier(refuses=raised)
    held = hold([Line("One?", wait_seconds=4.0), "Two?"], first_message="", **handed_on(carrier, at=0.5, mode=mode))
    assert held.events("transfer_failed") == [{"number": NUMBER, "mode": mode, "error": error}]
    assert held.events("transferred") == []
    assert not held.session.is_transferred
    told = [m.content for m in held.session._engine.messages if m.role == "system"]
    assert told == [f"The call could not be handed on: {error.replace(NUMBER, '+1•••••4321')}"]
    assert [(turn.kind, turn.caller_text) for turn in held.turns] == [("said", ""), ("caller", "one"), ("caller", "two")]
    assert all(turn.heard_text and turn.error is None for turn in held.turns)
    assert (held.session.end_reason, held.error, held.tasks_left) == ("caller hung up", None, [])


@pytest.mark.parametrize("mode", ["cold", "warm"])
def test_a_carrier_that_does_not_answer_is_waited_for_no_longer_than_a_while(hold: Hold, mode: str) -> None:
    carrier = Carrier(seconds=500.0, rings=500.0)
    seconds = ANSWER_SECONDS[mode]
    held = hold([Line("One?", wait_seconds=seconds + 10)], no_reply_seconds=300.0, **handed_on(carrier, mode=mode))
    assert held.events("transfer_failed")[0]["error"] == f"The carrier did not do it within {seconds:g} s."
    assert carrier.did[-1] == "cancelled"
    assert held.session.end_reason == "caller hung up"


def test_a_call_that_could_not_be_handed_on_can_be_handed_to_somebody_else(hold: Hold) -> None:
    carrier = Carrier(refuses=CarrierError("No."))

    async def then(tap: Any, session: Any) -> None:
        await tap.at(6.0)
        assert not session.is_transferring
        carrier.refuses = None
        session.control.transfer("+15550000009")

    held = hold([Line("One?", wait_seconds=20.0)], **handed_on(carrier, then=then))
    assert held.events("transferred") == [{"number": "+15550000009", "mode": "cold"}]
    assert held.session.end_reason == "transferred"


def test_a_transfer_of_the_models_that_is_refused_is_answered_by_the_model(hold: Hold) -> None:
    reply = asks(f'{{"number": "{NUMBER}"}}', "One moment.")
    model = ScriptedLLM([reply, "I connect you now.", "They cannot be reached.", "Fine."])
    held = hold(["One?", "Two?"], llm=model, call_line=Carrier(refuses=CarrierError("No.")))
    assert [turn.heard_text for turn in held.turns][1:3] == ["One moment. I connect you now.", "They cannot be reached."]
    assert held.session.end_reason == "caller hung up"


# A warm one.


def test_the_agent_talks_on_while_it_rings_and_finishes_before_the_caller_is_taken(hold: Hold) -> None:
    story = "Dinner is served from six to ten, and the kitchen closes at half past nine."
    carrier = Carrier(rings=4.0)
    order = {"mode": "warm", "summary": "A guest."}
    held = hold(["One?", PATIENT], llm=ScriptedLLM([story]), **handed_on(carrier, at=0.5, **order))
    assert carrier.did == [f"call {NUMBER}", "tell 'A guest.'", "released", "has it"]
    assert held.turn(1).heard_text == story
    finished_at = held.session.zero + held.turn(1).instants["finished_at"]
    assert carrier.at["tell 'A guest.'"] + 1.0 < finished_at <= carrier.at["released"] <= finished_at + 0.1
    assert held.events("transferred") == [{"number": NUMBER, "mode": "warm", "summary": "A guest."}]
    assert held.session.end_reason == "transferred"


def test_a_caller_who_hangs_up_while_it_rings_ends_that_too(hold: Hold) -> None:
    carrier = Carrier(rings=60.0)
    held = hold(["One?"], **handed_on(carrier, mode="warm"))
    assert carrier.did == [f"call {NUMBER}", "cancelled"]
    assert carrier.at["cancelled"] <= held.session.zero + held.session.duration_seconds + 0.1, "it rings no longer"
    failed = {"number": NUMBER, "mode": "warm", "error": "the call ended before"}
    assert held.events("transfer_failed") == [failed]
    assert (held.session.end_reason, held.session.is_transferred, held.tasks_left) == ("caller hung up", False, [])


def test_an_agent_who_hangs_up_while_it_rings_ends_that_too(hold: Hold) -> None:
    async def then(tap: Any, session: Any) -> None:
        await tap.at(3.0)
        session.control.hangup("Goodbye.")

    carrier = Carrier(rings=60.0)
    held = hold([Line("One?", wait_seconds=30.0)], **handed_on(carrier, mode="warm", then=then))
    assert carrier.did == [f"call {NUMBER}", "cancelled"]
    assert (held.turns[-1].heard_text, held.session.end_reason) == ("Goodbye.", "hung up by the agent's side")
    assert held.session.is_hung_up


# The call ends first.


def test_a_caller_who_hangs_up_before_the_carrier_has_the_call_hung_up(hold: Hold) -> None:
    carrier = Carrier(seconds=1.0, refuses=CarrierError("The call is not in progress (21220)."), takes_after=-1.0)
    held = hold(["One?", PATIENT], **handed_on(carrier))
    assert held.events("transfer_failed")[0]["error"] == "The call is not in progress (21220)."
    assert (held.session.end_reason, held.session.is_transferred) == ("caller hung up", False)
    assert "hang up" not in carrier.did


def test_a_carrier_that_does_not_say_in_time_whether_it_took_the_call_is_asked_no_longer(hold: Hold) -> None:
    carrier = Carrier(seconds=12.0, takes_after=-1.0)
    held = hold(["One?", PATIENT], **handed_on(carrier))
    assert carrier.did[-1] == "cancelled"
    assert held.events("transfer_failed")[0]["error"] == "the call ended before"
    assert (held.session.end_reason, held.tasks_left) == ("caller hung up", [])


LEAVING: list[Callable[[Any], None]] = [lambda session: session.control.hangup(), lambda session: session.stop("stopped")]


@pytest.mark.parametrize("leave", LEAVING, ids=["hangup", "stop"])
def test_a_call_that_we_end_while_the_carrier_may_take_it_is_ended_there_too(hold: Hold, leave: Any) -> None:
    async def then(tap: Any, session: Any) -> None:
        await tap.at(3.0)
        leave(session)

    carrier = Carrier(seconds=10.0)
    held = hold([Line("One?", wait_seconds=30.0)], **handed_on(carrier, then=then))
    assert carrier.did == [f"transfer {NUMBER}", "cancelled", "hang up"]
    assert carrier.at["hang up"] <= held.session.zero + 3.1
    assert held.session.end_reason in ("hung up by the agent's side", "stopped")
    assert (held.session.is_transferred, held.tasks_left) == (False, [])


def test_what_became_of_an_earlier_transfer_says_nothing_of_the_next(hold: Hold) -> None:
    carrier = Carrier(refuses=CarrierError("No."))

    async def then(tap: Any, session: Any) -> None:
        await tap.at(6.0)
        carrier.refuses, carrier.seconds = None, 10.0
        session.control.transfer(NUMBER)
        await tap.at(7.0)
        session.control.hangup()

    held = hold([Line("One?", wait_seconds=30.0)], **handed_on(carrier, then=then))
    assert carrier.did[-2:] == ["cancelled", "hang up"]
    assert [each["error"] for each in held.events("transfer_failed")] == ["No.", "the call ended before"]


def test_a_carrier_that_does_not_hang_up_is_told_of(hold: Hold) -> None:
    async def then(tap: Any, session: Any) -> None:
        await tap.at(3.0)
        session.control.hangup()

    carrier = Carrier(seconds=10.0, hangs_up=CarrierError("Not found (20404)."))
    held = hold([Line("One?", wait_seconds=30.0)], **handed_on(carrier, then=then))
    assert {"error": "Not found (20404)."} in held.events("not_closed")
    assert held.error is None


def test_a_session_that_is_cancelled_leaves_no_transfer_behind(hold: Hold) -> None:
    carrier = Carrier(seconds=10.0)
    held = hold([Line("One?", wait_seconds=30.0)], cancel_at=3.0, **handed_on(carrier))
    assert carrier.did == [f"transfer {NUMBER}", "cancelled", "hang up"]
    assert (held.session.end_reason, held.tasks_left) == ("cancelled", [])


# One at a time.


def test_a_second_transfer_is_refused_while_one_is_under_way(hold: Hold) -> None:
    refused: list[str] = []

    async def then(tap: Any, session: Any) -> None:
        for at in (2.0, 2.5):
            await tap.at(at)
            with pytest.raises(ConfigError) as error:
                session.control.transfer("+15550000009")
            refused.append(str(error.value))

    carrier = Carrier(rings=3.0)
    held = hold([Line("One?", wait_seconds=30.0)], **handed_on(carrier, mode="warm", then=then))
    assert len(refused) == 2
    assert refused[0].startswith("A transfer of this call is under way;")
    assert (carrier.did[0], held.events("refused"), held.session.end_reason) == (f"call {NUMBER}", [], "transferred")


def test_a_model_that_asks_for_a_second_transfer_is_told_that_one_is_under_way(hold: Hold) -> None:
    reply = asks(f'{{"number": "{NUMBER}"}}')
    held = hold(["One?", PATIENT], llm=ScriptedLLM([reply, "Please wait."]), **handed_on(Carrier(rings=8.0), mode="warm"))
    (run,) = held.turn(1).tools
    assert run.error == "A transfer of this call is under way; the call can be handed on again when that has failed."


def test_a_carriers_name_of_the_call_is_known_to_its_control(hold: Hold) -> None:
    held = hold(["One?"], carrier_call_id="CA1")
    assert held.session.control.carrier_call_id == "CA1"
