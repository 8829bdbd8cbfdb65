"""The next model answers when one cannot, and only before anything was heard."""

from __future__ import annotations

import asyncio
import gc
from contextlib import asynccontextmanager

import pytest

from patter_nb.agent.describe import describe
from patter_nb.errors import ConfigError, ConfigTypeError, ProviderError
from patter_nb.providers.base import LLM, CallContext, TextDelta
from patter_nb.providers.custom import CustomLLM
from patter_nb.providers.fallback import FallbackLLM
from patter_nb.providers.scripted import ScriptedLLM
from patter_nb.records.prices import PriceBook
from patter_nb.session.meter import Meter
from patter_nb.testing import check_llm
from patter_nb.turns.messages import Message
from patter_nb.turns.usage import Price, Usage

CALL = CallContext("call-1")
ASKED = (Message("user", "When is dinner?"),)
WORDS = ["Six ", "to ", "ten."]


def model(name, **settings):
    """A model that says its name, at once."""
    told = {"first_token_seconds": 0.0, "token_seconds": 0.0, "provider": name, "model": f"{name}-1", **settings}
    return ScriptedLLM([name] * 9, **told)


def broken(name, **settings):
    """A model that fails at its first request, and says its name at others."""
    return model(name, fails_at=0, **settings)


class Unopened(ScriptedLLM):
    """A model that cannot be opened so many times."""

    times = 1
    openings = 0

    @asynccontextmanager
    async def open(self, call):
        self.openings += 1
        if self.openings <= self.times:
            raise ConnectionError("nobody listens")
        async with super().open(call) as opened:
            yield opened


async def replies(llm, *, waits=(0.0,)):
    """What each of several replies brought; an error is the last of its own."""
    brought = []
    async with llm.open(CALL) as opened:
        for seconds in waits:
            await asyncio.sleep(seconds)
            events = []
            try:
                async for event in opened.reply(ASKED, ()):
                    events.append(event)  # noqa: PERF401 (what came before an error counts)
            except (ProviderError, KeyError) as error:
                events.append(error)
            brought.append(events)
    return brought


def who(events):
    """The text of an answer and the provider that it was counted under."""
    *texts, usage = events
    return "".join(text.text for text in texts), usage.provider, usage.model


def test_the_first_answers_when_it_can(virtual):
    (events,) = virtual(replies(FallbackLLM([model("one"), model("two")])))
    assert who(events) == ("one", "one", "one-1")


def test_it_keeps_the_rules_of_a_model():
    working = FallbackLLM([broken("one"), model("two")])
    assert isinstance(working, LLM)
    asyncio.run(check_llm(working, failing=FallbackLLM([broken("one"), broken("two")])))


async def fails_at_once(messages):
    raise LookupError("no words")
    yield


async def exits(messages):
    raise SystemExit(3)


def exits_in_a_thread(messages):
    raise SystemExit(3)


class ExitsAtOpening(ScriptedLLM):
    """A model whose code ends the process where a key is missing."""

    @asynccontextmanager
    async def open(self, call):
        raise SystemExit("no key")
        yield


class ExitsAtReply(ScriptedLLM):
    """The same, when it is asked."""

    @asynccontextmanager
    async def open(self, call):
        yield self

    async def reply(self, messages, tools):
        raise SystemExit("no key")
        yield


FAILING = {
    "an exit": (lambda: CustomLLM(exits, name="one"), "one: one raised SystemExit: 3"),
    "an exit in a thread": (lambda: CustomLLM(exits_in_a_thread, name="one"), "one: one raised SystemExit: 3"),
    "an exit at opening": (lambda: ExitsAtOpening([], provider="one"), "one: one raised SystemExit: no key"),
    "an exit of an own class": (lambda: ExitsAtReply([], provider="one"), "one: one raised SystemExit: no key"),
    "an error": (lambda: broken("one"), "one: one failed at request 0, as it was told to."),
    "what its function raises": (lambda: CustomLLM(fails_at_once, name="one"), "one: one raised LookupError: no words"),
    "an opening that fails": (lambda: Unopened([], provider="one"), "one: nobody listens"),
    "silence": (lambda: model("one", never_answers_at=0), "one: nothing came within 2 s"),
    "a slow first word": (lambda: model("one", first_token_seconds=3.0), "one: nothing came within 2 s"),
    "no script": (lambda: ScriptedLLM([], provider="one", first_token_seconds=0), "one: one has no reply to request 0"),
}


@pytest.mark.parametrize(("make", "reason"), FAILING.values(), ids=FAILING.keys())
def test_the_next_answers_when_one_fails_before_its_first_word(make, reason, virtual):
    first = make()
    if isinstance(first, Unopened):
        first.times = 10
    (events,) = virtual(replies(FallbackLLM([first, model("two")], first_token_seconds=2)))
    assert who(events) == ("two", "two", "two-1")


@pytest.mark.parametrize(("make", "reason"), FAILING.values(), ids=FAILING.keys())
def test_when_all_fail_each_is_named_with_its_reason(make, reason, virtual):
    first = make()
    if isinstance(first, Unopened):
        first.times = 10
    ((error,),) = virtual(replies(FallbackLLM([first, broken("two")], first_token_seconds=2)))
    assert str(error).startswith(f"No language model answered ({reason}")
    assert "; two: two failed at request 0" in str(error)
    assert (error.provider, error.retryable) == ("fallback", True)


def test_an_answer_that_began_is_not_begun_again(virtual):
    first = ScriptedLLM(["Six to ten.", "Yes."], provider="one", fails_at=0, fails_after_tokens=1)
    (events, again) = virtual(replies(FallbackLLM([first, model("two")]), waits=(0.0, 0.0)))
    assert events[0] == TextDelta("Six ")
    assert isinstance(events[1], ProviderError)
    assert events[1].provider == "one"
    assert who(again)[0] == "two"  # it is left out, having failed


def test_a_first_word_that_is_slow_is_waited_for_unless_told_otherwise(virtual):
    (events,) = virtual(replies(FallbackLLM([model("one", first_token_seconds=29.0), model("two")])))
    assert who(events)[0] == "one"


def test_pauses_after_the_first_word_are_no_failure(virtual):
    first = ScriptedLLM(["Six to ten."], provider="one", first_token_seconds=0.1, token_seconds=5.0)
    (events,) = virtual(replies(FallbackLLM([first, model("two")], first_token_seconds=1.0)))
    assert who(events)[0] == "Six to ten."


@pytest.mark.parametrize(("waited", "answers"), [(29.9, "two"), (30.1, "one")])
def test_a_model_that_failed_is_left_out_for_a_while(waited, answers, virtual):
    first, second = virtual(replies(FallbackLLM([broken("one"), model("two")]), waits=(0.0, waited)))
    assert [who(first)[0], who(second)[0]] == ["two", answers]


def test_it_is_left_out_in_the_next_call_too(virtual):
    llm = FallbackLLM([broken("one"), model("two")])

    async def two_calls():
        return [who((await replies(llm))[0])[0] for _ in range(2)]

    assert virtual(two_calls()) == ["two", "two"]
    assert virtual(two_calls()) == ["two", "two"]  # another loop has another clock, and asks the first one again


def test_all_are_asked_when_every_one_has_failed_lately(virtual):
    (first, second) = virtual(replies(FallbackLLM([broken("one"), broken("two")]), waits=(0.0, 0.0)))
    assert isinstance(first[0], ProviderError)
    assert who(second)[0] == "one"


def test_what_could_not_be_opened_is_opened_anew_when_its_time_has_come(virtual, caplog):
    first = Unopened(["", "One."], provider="one")
    first.times = 2  # as the call begins, and as the first reply wants it
    llm = FallbackLLM([first, model("two")])
    answers = virtual(replies(llm, waits=(0.1, 1.0, 31.0)))
    assert [who(answers[0])[0], who(answers[1])[0]] == ["two", "two"]
    assert answers[2][-1].provider == "one"
    assert first.openings == 3
    gc.collect()
    assert caplog.messages == []  # such as that an error was never looked at


def test_nobody_waits_for_the_opening_of_a_model_that_is_not_asked(virtual):
    class Slow(ScriptedLLM):
        @asynccontextmanager
        async def open(self, call):
            await asyncio.sleep(1000)
            yield

    async def main():
        clock = asyncio.get_running_loop()
        (events,) = await replies(FallbackLLM([model("one"), Slow([], provider="two")]))
        return who(events)[0], clock.time()

    assert virtual(main()) == ("one", 0.0)


class Closing(ScriptedLLM):
    """A model that remembers where it was opened and closed, and may fail to close."""

    fails = False

    @asynccontextmanager
    async def open(self, call):
        self.tasks = [asyncio.current_task()]
        async with super().open(call) as opened:
            yield opened
        self.tasks.append(asyncio.current_task())
        if self.fails:
            raise ConnectionError("it broke")


def test_each_model_is_opened_and_closed_in_one_task(virtual):
    first = Closing(["Hi"], provider="one")
    virtual(replies(FallbackLLM([first])))
    opened, closed = first.tasks
    assert opened is closed


def test_an_error_of_closing_is_told(virtual):
    first = Closing(["Hi"], provider="one")
    first.fails = True
    with pytest.raises(ConnectionError, match="it broke"):
        virtual(replies(FallbackLLM([first])))


def test_a_mistake_in_a_models_code_is_told_as_one(virtual):
    class Mistaken(ScriptedLLM):
        def open(self, call):
            raise KeyError("typo")

    ((error,),) = virtual(replies(FallbackLLM([Mistaken([], provider="one"), model("two")])))
    assert isinstance(error, KeyError)


def test_closing_the_iterator_closes_the_answer(virtual):
    ends = []

    async def generate(messages):
        try:
            for word in WORDS:
                yield word
        finally:
            ends.append("closed")

    async def main():
        async with FallbackLLM([broken("one"), CustomLLM(generate)]).open(CALL) as opened:
            events = opened.reply(ASKED, ())
            assert await anext(events) == TextDelta("Six ")
            await events.aclose()
            return list(ends)

    assert virtual(main()) == ["closed"]


def test_a_reply_that_is_cancelled_before_its_first_word_is_nobodys_failure(virtual):
    async def main():
        llm = FallbackLLM([model("one", never_answers_at=0), model("two")])
        async with llm.open(CALL) as opened:
            waiting = asyncio.ensure_future(anext(opened.reply(ASKED, ())))
            await asyncio.sleep(1)
            waiting.cancel()
            await asyncio.wait({waiting})
            return [event async for event in opened.reply(ASKED, ())]

    assert who(virtual(main()))[0] == "one"


def test_each_answer_has_the_price_of_the_model_that_gave_it(virtual):
    dear = Price(usd_per_1m_output_tokens=1_000_000.0)
    llm = FallbackLLM([broken("one", price=Price()), model("two", price=dear)])
    prices, reported = PriceBook(), []

    class Agent:
        stt = tts = None

    Agent.llm = llm
    meter = Meter(prices, reported.append)
    meter.know(Agent)
    (events,) = virtual(replies(llm))
    meter(events[-1], 1)
    assert prices.usd(reported[0].usage) == 1.0


@pytest.mark.parametrize(
    ("prices", "price"),
    [((Price(), Price()), Price()), ((Price(), None), None), ((Price(), Price(usd_per_1m_output_tokens=1.0)), None)],
)
def test_a_cancelled_request_is_known_to_cost_nothing_only_when_all_are_free(prices, price):
    assert FallbackLLM([model("one", price=each) for each in prices]).price == price


def test_it_is_what_all_of_them_are():
    class English(ScriptedLLM):
        languages = ("en", "en-GB")

    class Many(ScriptedLLM):
        languages = ("de", "en")

    async def generate(messages):
        yield "Hi"

    inner = FallbackLLM([model("two"), CustomLLM(generate)])
    outer = FallbackLLM([model("one"), inner])
    assert (outer.provider, outer.model) == ("fallback", "one-1, two-1, custom")
    assert [member.provider for member in outer.members] == ["one", "two", "custom"]
    assert (FallbackLLM([model("one")]).virtual_time, outer.virtual_time) == (True, False)
    assert outer.languages is None
    assert FallbackLLM([model("one"), English([]), Many([])]).languages == ("en",)
    assert (FallbackLLM([model("one")]).phone_preamble, outer.phone_preamble) == (False, True)


def test_ready_gets_all_ready():
    class Keyless(ScriptedLLM):
        def ready(self):
            raise ConfigError("no key")

    FallbackLLM([model("one"), model("two")]).ready()
    with pytest.raises(ConfigError, match="no key"):
        FallbackLLM([model("one"), Keyless([])]).ready()


REFUSED = [
    ({"llms": model("one")}, ConfigTypeError, "llms of a FallbackLLM is ScriptedLLM; it must be a list"),
    ({"llms": []}, ConfigError, "llms of a FallbackLLM is empty"),
    ({"llms": ["gpt"]}, ConfigTypeError, "llms of a FallbackLLM holds 'gpt'"),
    ({"llms": [ScriptedLLM]}, ConfigTypeError, "it takes language models"),
    ({"retry_after_seconds": -1}, ConfigError, "retry_after_seconds of a FallbackLLM is -1; it must be 0 or more"),
    ({"retry_after_seconds": None}, ConfigTypeError, "retry_after_seconds of a FallbackLLM is None"),
    ({"first_token_seconds": 0}, ConfigError, "first_token_seconds of a FallbackLLM is 0; it must be above 0"),
    ({"first_token_seconds": "2"}, ConfigTypeError, "it must be a number of seconds, above 0"),
]


@pytest.mark.parametrize(("given", "kind", "told"), REFUSED)
def test_settings_that_cannot_be_used_are_refused_by_name(given, kind, told):
    with pytest.raises(kind) as refused:
        FallbackLLM(**{"llms": [model("one")], **given})
    assert told in str(refused.value)


def test_an_agents_revision_holds_the_settings_of_each():
    told = describe(FallbackLLM([ScriptedLLM(["Hi"], provider="one"), ScriptedLLM(["Yes"], provider="two")]))
    assert "'provider': 'one'" in told["llms"]
    assert "Yes" in told["llms"]


def test_usage_of_one_answer_comes_once(virtual):
    (events,) = virtual(replies(FallbackLLM([broken("one"), broken("two"), model("three")])))
    assert [event.provider for event in events if isinstance(event, Usage)] == ["three"]
