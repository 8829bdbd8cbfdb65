"""What is made ready before a call is answered, and that nothing of it is left, repeated or taken by the wrong agent."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from patter_nb.agent import Agent
from patter_nb.audio.vad import EnergyModel
from patter_nb.callbacks import Callbacks
from patter_nb.callers import read_caller, render
from patter_nb.carriers.base import Connection
from patter_nb.carriers.pipe import connection_pair
from patter_nb.carriers.simulated import SimulatedCaller
from patter_nb.carriers.twilio_media import TwilioMediaCodec
from patter_nb.clock import CallClock
from patter_nb.errors import ProviderError
from patter_nb.live import Live, RevisionLine
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.records.facts import CallFacts
from patter_nb.records.log import CallLog
from patter_nb.session.session import Session
from patter_nb.session.setup import CallSetup
from patter_nb.session.user_code import UserCode
from patter_nb.telephony.prewarm import MOST_PARKED, PARKED_SECONDS, Warm
from patter_nb.turns.usage import Price, Usage

Virtual = Callable[..., Any]

CALL = "call_1"
GREETING = "Hello there, good evening!"
"""26 characters."""
OPENING_SECONDS = 1.0


class Noted:
    """A scripted provider that takes its time to open, and notes what becomes of its streams.

    `opens`: the seconds that takes, or what is raised the first time. `ends`: the first stream of a recogniser ends by itself
    after so many seconds, with this error or none.
    """

    def __init__(self, *given: Any, opens: Any = OPENING_SECONDS, ends: Any = None, **more: Any) -> None:
        super().__init__(*given, **more)
        self._opens, self._ends = opens, ends
        self.log: list[str] = []

    @asynccontextmanager
    async def open(self, *given: Any) -> AsyncIterator[Any]:
        first = not self.log
        self.log.append("opens")
        if isinstance(self._opens, BaseException):
            if first:
                raise self._opens
        else:
            await asyncio.sleep(self._opens)
        async with super().open(*given) as stream:  # type: ignore[misc]
            self.log.append("open")
            try:
                yield Ending(stream, *self._ends) if self._ends and first else stream
            finally:
                self.log.append("closed")


class Ending:
    """A recogniser's stream that ends by itself."""

    def __init__(self, stream: Any, seconds: float, error: BaseException | None) -> None:
        self._seconds, self._error = seconds, error
        self.push, self.speech_started, self.finalize = stream.push, stream.speech_started, stream.finalize

    async def __aiter__(self) -> AsyncIterator[Any]:
        await asyncio.sleep(self._seconds)
        yield Usage("stt", "scripted", "lines", audio_seconds=self._seconds)
        if self._error is not None:
            raise self._error


class STT(Noted, ScriptedSTT):
    pass


class LLM(Noted, ScriptedLLM):
    pass


class TTS(Noted, ScriptedTTS):
    pass


PRICED = Price(usd_per_1k_characters=10.0)


def make_agent(**settings: Any) -> Agent:
    given: dict[str, Any] = {
        "system_prompt": "A test.", "first_message": GREETING, "stt": STT(["one", "two"], price=Price()),
        "llm": LLM(["First answer.", "Second answer."], price=Price()), "tts": TTS(price=PRICED),
    }  # fmt: skip
    return Agent(**{**given, **settings})


class Near:
    """The session's end of the line: notes when the first audio is sent."""

    def __init__(self, connection: Connection) -> None:
        self.receive, self.close, self._send = connection.receive, connection.close, connection.send
        self.first_audio_at: float | None = None

    async def send(self, text: str) -> None:
        if self.first_audio_at is None and json.loads(text)["event"] == "media":
            self.first_audio_at = asyncio.get_running_loop().time()
        await self._send(text)


@dataclass
class World:
    """A call that rings, and what is known of it."""

    agent: Agent
    log: CallLog
    live: Live
    silent_seconds: float = 0.0
    """From the answer to the agent's first sound."""

    def begin(self, **given: Any) -> Warm:
        return Warm.begin(self.agent, CALL, self.log, **given)

    async def answer(self, warm: Warm, **more: Any) -> None:
        """Hold the call with what is warm, to its end."""
        agent = self.live.current.agent
        near, far = connection_pair()
        line = Near(near)
        setup = CallSetup(
            call_id=CALL, live=self.live, log=self.log, connection=line, codec=TwilioMediaCodec(), voice_model=EnergyModel(),
            real_time=False, streams=warm.adopt(agent), user_code=UserCode(asyncio.get_running_loop()), **more,
        )  # fmt: skip
        caller = SimulatedCaller(await render(read_caller(["One?"]), synthetic=True), expects_greeting=bool(agent.greeting))
        answered_at = asyncio.get_running_loop().time()
        ringing = asyncio.create_task(caller.run(far, CallClock()))
        try:
            await Session(setup).run()
        finally:
            await near.close()
            await asyncio.wait((ringing,))
        self.silent_seconds = (line.first_audio_at or 0.0) - answered_at

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [dict(event.data) for event in self.log.event_rows(CALL) if event.kind == kind]

    @property
    def prewarmed(self) -> dict[str, Any]:
        (told,) = self.events("prewarmed")
        return told

    def usd(self, part: str) -> float:
        bill = self.log.cost(CALL)
        return float(bill[bill["part"] == part]["usd"].sum())

    @property
    def characters_paid(self) -> int:
        bill = self.log.cost(CALL)
        return round(float(bill[bill["part"].isin(["tts", "prewarm"])]["usd"].sum()) * 1000 / PRICED.usd_per_1k_characters)

    @property
    def heard(self) -> list[str]:
        return [facts.heard_text for facts in self.log.facts(CALL)]


def make_world(agent: Agent) -> World:
    log = CallLog(None)
    stt, llm, tts = agent.stt, agent.llm, agent.tts
    assert stt is not None
    assert tts is not None
    facts = CallFacts(
        call_id=CALL, agent=agent.name, revision=1, direction="outbound", started_at=datetime(2026, 1, 1, tzinfo=UTC),
        stt_provider=stt.provider, stt_model=stt.model, tts_provider=tts.provider, tts_model=tts.model,
        llm_provider=llm.provider if llm else "on_message", llm_model=llm.model if llm else "",
    )  # fmt: skip
    log.begin(facts)
    line = RevisionLine(agent.name)
    return World(agent, log, Live(line.stage(agent)[0], line, CALL))


@pytest.fixture
def ring(virtual: Virtual) -> Callable[..., World]:
    """`ring(act, **agent settings)`: a world in which `act(world)` happened, and of which no task was left."""

    def run(act: Callable[[World], Awaitable[None]], agent: Agent | None = None, **settings: Any) -> World:
        async def main() -> World:
            world = make_world(agent or make_agent(**settings))
            await act(world)
            assert [task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}] == []  # type: ignore[arg-type]
            return world

        world: World = virtual(main())
        for provider in (world.agent.stt, world.agent.llm, world.agent.tts):
            opened = getattr(provider, "log", [])
            assert opened.count("open") == opened.count("closed"), f"{provider} was left open"
        return world

    return run


def rings(seconds: float, **more: Any) -> Callable[[World], Awaitable[None]]:
    """It rings for so long, and is answered then."""

    async def act(world: World) -> None:
        async with world.begin() as warm:
            await asyncio.sleep(seconds)
            await world.answer(warm, **more)

    return act


def unanswered(seconds: float) -> Callable[[World], Awaitable[None]]:
    async def act(world: World) -> None:
        async with world.begin():
            await asyncio.sleep(seconds)

    return act


ONCE = ["opens", "open", "closed"]
ALL = {"llm": "scripted", "tts": "scripted", "stt": "scripted"}


def logs(world: World) -> dict[str, list[str]]:
    return {kind: getattr(world.agent, kind).log for kind in ("llm", "tts", "stt")}


def test_a_call_that_rang_long_enough_speaks_at_once(ring: Callable[..., World]) -> None:
    world = ring(rings(5.0))
    assert world.silent_seconds < 0.03
    assert world.heard == [GREETING, "First answer."]
    assert logs(world) == dict.fromkeys(ALL, ONCE)
    seconds = pytest.approx(OPENING_SECONDS + 0.25, abs=0.01)
    assert world.prewarmed == {"providers": ALL, "seconds": seconds, "greeting": True, "used": True}
    greeting = world.log.facts(CALL)[0].instants
    assert greeting["tts_first_byte_at"] - greeting["tts_requested_at"] < 0.001


def test_a_call_costs_the_same_warm_or_cold(ring: Callable[..., World]) -> None:
    warm, cold = ring(rings(5.0)), ring(rings(5.0), prewarm=False)
    assert cold.silent_seconds == pytest.approx(OPENING_SECONDS * 2 + 0.1, abs=0.05)
    assert (warm.heard, warm.characters_paid) == (cold.heard, cold.characters_paid)
    assert (warm.usd("prewarm"), cold.usd("prewarm")) == (0.0, 0.0)


@pytest.mark.parametrize("seconds", [0.0, 0.3, 0.999, 1.0, 1.05, 1.2])
def test_what_is_still_being_made_ready_at_the_answer_is_awaited_and_not_repeated(
    ring: Callable[..., World], seconds: float
) -> None:
    world = ring(rings(seconds))
    assert logs(world) == dict.fromkeys(ALL, ONCE)
    assert world.heard == [GREETING, "First answer."]
    assert world.characters_paid == len(GREETING) + len("First answer.")
    assert world.silent_seconds == pytest.approx(max(0.0, OPENING_SECONDS + 0.1 - seconds), abs=0.03)
    assert world.prewarmed["used"]
    assert world.prewarmed["seconds"] == pytest.approx(seconds)


@pytest.mark.parametrize("seconds", [0.0, 0.3, 0.999, 1.05, 1.2, 3.0, PARKED_SECONDS + 5])
def test_of_a_call_that_nobody_answers_nothing_is_left_and_its_waste_is_on_the_bill(
    ring: Callable[..., World], seconds: float
) -> None:
    world = ring(unanswered(seconds))
    told = world.prewarmed
    assert (told["used"], told["providers"], told["greeting"]) == (False, ALL, seconds > 1.3)
    assert world.characters_paid == (len(GREETING) if seconds > OPENING_SECONDS else 0)
    assert world.usd("prewarm") == pytest.approx(world.characters_paid / 100)
    assert world.events("not_closed") == []


def test_a_greeting_that_is_still_being_spoken_holds_nobody_up(ring: Callable[..., World]) -> None:
    async def act(world: World) -> None:
        await unanswered(5.0)(world)
        assert asyncio.get_running_loop().time() == pytest.approx(5.0, abs=0.001)

    world = ring(act, tts=TTS(first_byte_seconds=20.0, price=PRICED))
    assert (world.prewarmed["greeting"], world.events("not_closed")) == (False, [])
    assert world.prewarmed["seconds"] == pytest.approx(5.0)
    assert world.characters_paid == len(GREETING)


def test_closing_again_changes_nothing(ring: Callable[..., World]) -> None:
    async def act(world: World) -> None:
        warm = world.begin()
        await asyncio.sleep(2)
        await asyncio.gather(warm.close(), warm.close())
        await warm.close()
        assert warm.adopt(world.agent) is None

    world = ring(act)
    assert world.prewarmed["used"] is False
    assert world.characters_paid == len(GREETING)


def test_a_call_that_is_cancelled_while_it_rings_leaves_nothing(ring: Callable[..., World]) -> None:
    async def act(world: World) -> None:
        ringing = asyncio.create_task(unanswered(20.0)(world))
        await asyncio.sleep(1.1)
        ringing.cancel()
        await asyncio.wait((ringing,))

    assert ring(act).prewarmed["used"] is False


@pytest.mark.parametrize("moment", [0.0, 0.5, 1.0, 1.05, 1.5])
def test_whoever_closes_it_may_be_cancelled_too(ring: Callable[..., World], moment: float) -> None:
    async def act(world: World) -> None:
        warm = world.begin()
        await asyncio.sleep(moment)
        for _ in range(3):
            closing = asyncio.create_task(warm.close())
            await asyncio.sleep(0)
            closing.cancel()
            await asyncio.wait((closing,))
        await asyncio.sleep(3)

    assert ring(act).prewarmed["used"] is False


def test_what_was_taken_for_a_call_that_never_began_is_closed(ring: Callable[..., World]) -> None:
    async def act(world: World) -> None:
        async with world.begin() as warm:
            await asyncio.sleep(2)
            assert warm.adopt(world.agent) is not None

    world = ring(act)
    assert world.characters_paid == len(GREETING)


# Its bounds.


def test_no_more_than_a_number_of_calls_are_warm_at_once(ring: Callable[..., World]) -> None:
    async def act(world: World) -> None:
        agent = make_agent()
        others = [Warm.begin(agent, CALL, world.log) for _ in range(MOST_PARKED)]
        await asyncio.sleep(2)
        await rings(3.0)(world)
        assert world.events("prewarm_full") == [{"most": MOST_PARKED}]
        assert world.events("prewarmed") == []
        assert world.silent_seconds > OPENING_SECONDS
        await others[0].close()
        await unanswered(0.0)(world)
        assert len(world.events("prewarm_full")) == 1
        for each in others:
            await each.close()
        again = [Warm.begin(agent, CALL, world.log) for _ in range(MOST_PARKED)]
        for each in again:
            await each.close()
        assert len(world.events("prewarm_full")) == 1

    world = ring(act)
    assert world.heard == [GREETING, "First answer."]


def test_what_has_waited_too_long_makes_room_for_others(ring: Callable[..., World]) -> None:
    async def act(world: World) -> None:
        others = [Warm.begin(world.agent, CALL, world.log) for _ in range(MOST_PARKED)]
        await asyncio.sleep(OPENING_SECONDS + PARKED_SECONDS + 0.1)
        async with world.begin():
            pass
        for each in others:
            await each.close()

    assert ring(act).events("prewarm_full") == []


def test_a_call_that_was_answered_is_none_of_the_parked(ring: Callable[..., World]) -> None:
    async def act(world: World) -> None:
        async with world.begin() as mine:
            others = [Warm.begin(world.agent, CALL, world.log) for _ in range(MOST_PARKED - 1)]
            mine.adopt(world.agent)
            others.append(world.begin())
            for each in others:
                await each.close()

    assert ring(act).events("prewarm_full") == []


def test_what_waited_too_long_is_closed_and_opened_again_at_the_answer(ring: Callable[..., World]) -> None:
    async def act(world: World) -> None:
        async with world.begin() as warm:
            await asyncio.sleep(OPENING_SECONDS + PARKED_SECONDS - 0.1)
            assert logs(world) == dict.fromkeys(ALL, ONCE[:2])
            await asyncio.sleep(0.2)
            assert logs(world) == dict.fromkeys(ALL, ONCE)
            await world.answer(warm)

    world = ring(act)
    assert logs(world) == dict.fromkeys(ALL, ONCE * 2)
    expired = [{"kind": kind, "provider": "scripted", "seconds": PARKED_SECONDS} for kind in ALL]
    assert sorted(world.events("prewarm_expired"), key=str) == sorted(expired, key=str)
    assert world.heard == [GREETING, "First answer."]
    assert world.characters_paid == len(GREETING) + len("First answer.")
    assert world.prewarmed["greeting"], "the audio of the greeting does not age"


# Whose they are.


@pytest.mark.parametrize("kind", ["llm", "tts", "stt"])
def test_a_call_that_begins_with_another_provider_has_that_one_and_the_wrong_one_is_closed(
    ring: Callable[..., World], kind: str
) -> None:
    others = {"llm": LLM(["Other answer."], price=Price()), "tts": TTS(price=PRICED, voice="tone"), "stt": STT(["other"])}
    other = others[kind]

    async def act(world: World) -> None:
        async with world.begin() as warm:
            await asyncio.sleep(3)
            world.live.begin_with({kind: other})
            await world.answer(warm)

    world = ring(act)
    assert world.events("prewarm_replaced") == [{"kind": kind, "provider": "scripted"}]
    assert logs(world) == dict.fromkeys(ALL, ONCE)
    assert other.log == ONCE
    assert world.log.facts(CALL)[1].caller_text == ("other" if kind == "stt" else "one")
    assert world.heard[-1] == ("Other answer." if kind == "llm" else "First answer.")
    assert world.prewarmed["greeting"] is (kind != "tts")
    assert world.usd("prewarm") == pytest.approx(len(GREETING) / 100 if kind == "tts" else 0.0)


CHANGES = [
    ({"first_message": "Good morning to you!"}, True, ONCE),
    ({"first_message": ""}, True, ONCE),
    ({"language": "en-GB"}, False, ONCE * 2),
    ({"prewarm": False}, False, ONCE * 2),
]


@pytest.mark.parametrize(("changes", "used", "opened"), CHANGES, ids=[next(iter(case[0])) for case in CHANGES])
def test_a_call_never_begins_with_what_was_made_for_another_revision(
    ring: Callable[..., World], changes: dict[str, Any], used: bool, opened: list[str]
) -> None:
    async def act(world: World) -> None:
        async with world.begin() as warm:
            await asyncio.sleep(3)
            world.live.begin_with(changes)
            await world.answer(warm)

    world = ring(act)
    assert (world.prewarmed["used"], world.prewarmed["greeting"]) == (used, False)
    assert logs(world) == dict.fromkeys(ALL, opened)
    greeting = changes.get("first_message", GREETING)
    assert world.heard == [line for line in (greeting, "First answer.") if line]
    assert world.usd("prewarm") == pytest.approx(len(GREETING) / 100)
    assert world.characters_paid == len(GREETING) + len(greeting) + len("First answer.")


@pytest.mark.parametrize("name", ["llm", "tts"])
def test_an_edit_while_it_rings_is_in_force_from_the_first_word_on(ring: Callable[..., World], name: str) -> None:
    """The call has begun to be this agent's, so the edit waits for its first reply, and so do its providers."""
    other = LLM(["Other answer."], price=Price()) if name == "llm" else TTS(price=PRICED)

    async def act(world: World) -> None:
        world.live.begin()
        async with world.begin() as warm:
            await asyncio.sleep(3)
            world.live.propose(**{name: other})
            await world.answer(warm)

    world = ring(act)
    assert (logs(world), other.log) == (dict.fromkeys(ALL, ONCE), ONCE)
    assert world.heard == [GREETING, "Other answer." if name == "llm" else "First answer."]
    assert world.usd("prewarm") == pytest.approx(len(GREETING) / 100 if name == "tts" else 0.0)


def test_the_wrong_streams_are_closed_at_the_answer_and_not_at_the_end(ring: Callable[..., World]) -> None:
    async def act(world: World) -> None:
        async with world.begin() as warm:
            await asyncio.sleep(3)
            assert warm.adopt(world.agent.edited(language="en-GB")) is None
            await asyncio.sleep(0.001)
            assert logs(world) == dict.fromkeys(ALL, ONCE)

    ring(act)


# What an agent may leave out.


def test_an_agent_that_is_not_to_be_warmed_is_not(ring: Callable[..., World]) -> None:
    async def act(world: World) -> None:
        async with world.begin() as warm:
            await asyncio.sleep(3)
            assert not any(logs(world).values())
            assert warm.adopt(world.agent) is None

    world = ring(act, prewarm=False)
    assert [kind for kind in (event.kind for event in world.log.event_rows(CALL)) if "prewarm" in kind] == []


def test_a_greeting_that_is_not_to_be_spoken_ahead_is_not(ring: Callable[..., World]) -> None:
    world = ring(unanswered(3.0), prewarm_first_message=False)
    assert (world.prewarmed["greeting"], world.characters_paid, world.prewarmed["providers"]) == (False, 0, ALL)


def test_where_on_message_answers_no_model_is_opened(ring: Callable[..., World]) -> None:
    async def act(world: World) -> None:
        async with world.begin(asks_model=False) as warm:
            await asyncio.sleep(3)
            await world.answer(warm, callbacks=Callbacks(on_message=lambda _: "From here."))

    world = ring(act)
    assert (logs(world)["llm"], world.heard) == ([], [GREETING, "From here."])
    assert "llm" not in world.prewarmed["providers"]


# What goes wrong.


@pytest.mark.parametrize("error", [ValueError("no key"), SystemExit("no key"), ProviderError("mine: no key", provider="mine")])
@pytest.mark.parametrize("kind", ["llm", "tts", "stt"])
@pytest.mark.parametrize("seconds", [0.0, 3.0])
def test_what_cannot_be_opened_ahead_is_told_and_opened_at_the_answer(
    ring: Callable[..., World], kind: str, error: BaseException, seconds: float
) -> None:
    making: dict[str, Any] = {"llm": (LLM, ["First answer."]), "tts": (TTS,), "stt": (STT, ["one"])}
    made, *given = making[kind]
    world = ring(rings(seconds), **{kind: made(*given, opens=error, price=PRICED if kind == "tts" else Price())})
    (failed,) = world.events("prewarm_failed") if seconds else [{"kind": kind, "error": "no key"}]
    assert failed["kind"] == kind
    assert "no key" in failed["error"]
    assert logs(world)[kind] == ["opens", *ONCE]
    assert world.heard == [GREETING, "First answer."]
    assert world.events("transcription_failed") == []
    assert world.prewarmed["used"]
    assert (kind in world.prewarmed["providers"]) is (seconds == 0.0)


@pytest.mark.parametrize("error", [None, ProviderError("It heard nothing for too long.", provider="scripted")])
def test_a_recogniser_that_ends_while_it_waits_is_opened_again_at_the_answer(
    ring: Callable[..., World], error: BaseException | None
) -> None:
    world = ring(rings(5.0), stt=STT(["one"], ends=(2.0, error), price=Price()))
    why = "scripted ended before the call came." if error is None else str(error)
    assert world.events("prewarm_failed") == [{"kind": "stt", "provider": "scripted", "error": why}]
    assert world.events("transcription_failed") == []
    assert world.log.facts(CALL)[1].caller_text == "one"
    assert logs(world)["stt"] == ONCE * 2
    paid = [told["usage"]["audio_seconds"] for told in world.events("call_usage")]
    assert 2.0 in paid, "what it used before it ended is paid all the same"


def test_a_voice_that_breaks_off_ahead_speaks_anew_at_the_answer(ring: Callable[..., World]) -> None:
    world = ring(rings(3.0), tts=TTS(fails_at_segment=0, price=PRICED))
    (failed,) = world.events("prewarm_failed")
    assert failed == {"kind": "greeting", "provider": "scripted", "error": "scripted failed in segment 0, as it was told to."}
    assert world.heard == [GREETING, "First answer."]
    assert world.prewarmed["greeting"] is False
    assert world.usd("prewarm") == pytest.approx(len(GREETING) / 100)


def test_what_does_not_close_in_time_is_told(ring: Callable[..., World]) -> None:
    class Stuck(TTS):
        @asynccontextmanager
        async def open(self, *given: Any) -> AsyncIterator[Any]:
            async with super().open(*given) as stream:
                yield stream
                await asyncio.sleep(60)

    world = ring(unanswered(3.0), tts=Stuck(price=PRICED))
    assert world.events("not_closed") == [{"error": "The model or the voice was not closed within 2 s."}]


@pytest.mark.parametrize("seed", range(40))
def test_however_it_ends_no_task_and_no_stream_is_left(ring: Callable[..., World], seed: int) -> None:
    """Openings of any length that succeed or fail, and a call that is answered, given up or cancelled at any moment."""
    chance = random.Random(seed)

    def opens() -> Any:
        return chance.choice([0.0, chance.uniform(0, 3), chance.uniform(0, 40), ValueError("no key")])

    async def act(world: World) -> None:
        seconds = chance.uniform(0, 4)
        ends = chance.choice([rings(seconds), rings(seconds), unanswered(seconds)])
        calling = asyncio.ensure_future(ends(world))
        if chance.random() < 0.5:
            await asyncio.sleep(chance.uniform(0, 8))
            calling.cancel()
        await asyncio.wait((calling,))
        if not calling.cancelled() and (error := calling.exception()) is not None:
            assert str(error) == "scripted was not open within 30 s."

    stt, llm, tts = STT(["one"], opens=opens(), price=Price()), LLM(["Yes."], opens=opens()), TTS(opens=opens(), price=PRICED)
    world = ring(act, stt=stt, llm=llm, tts=tts)
    assert len(world.events("prewarmed")) == 1
