"""The tools of one call."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic_core import core_schema

from patter_nb.callbacks import CallControl
from patter_nb.callers import Line
from patter_nb.guardrails import guardrail
from patter_nb.providers.base import TextDelta
from patter_nb.providers.scripted import ScriptedLLM
from patter_nb.session.pipeline import MOST_ROUNDS
from patter_nb.tools import tool
from patter_nb.turns.messages import ToolRequest

Hold = Callable[..., Any]


def asks(name: str, arguments: str = "{}", *before: str) -> list[Any]:
    return [*map(TextDelta, before), ToolRequest("t1", name, arguments)]


def run_of(held: Any) -> Any:
    (run,) = held.turn(1).tools
    return run


def test_a_sync_tool_runs_in_a_thread_and_knows_its_call(hold: Hold) -> None:
    seen: dict[str, Any] = {}

    @tool
    def who(number: int, call_context: Any, call_control: Any) -> int:
        seen.update(context=call_context, control=call_control, thread=threading.current_thread())
        return number + 1

    held = hold(["One?"], llm=ScriptedLLM([asks("who", '{"number": "41"}'), "Done."]), tools=[who], caller="+1555")
    assert run_of(held).result == "42"
    assert seen["context"] == {"call_id": "call_1", "caller": "+1555", "callee": ""}
    assert isinstance(seen["control"], CallControl)
    assert seen["thread"] is not threading.main_thread()


@dataclass
class Room:
    number: int


@pytest.mark.parametrize(("value", "told"), [("text", "text"), (None, "null"), ([1, 2], "[1, 2]"), (Room(4), '{"number": 4}')])
def test_what_a_tool_returns_is_told_as_json_unless_it_is_text(hold: Hold, value: Any, told: str) -> None:
    made = tool(name="give", handler=lambda: value)
    assert run_of(hold(["One?"], llm=ScriptedLLM([asks("give"), "Done."]), tools=[made])).result == told


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ('{"city": 5}', "The arguments of look do not fit: city: Input should be a valid string."),
        ("{}", "The arguments of look do not fit: city is missing."),
        ("[]", "The arguments of look must be a JSON object, not list."),
        ("oops", "The arguments of look are not JSON"),
    ],
)
def test_arguments_that_do_not_fit_reach_the_model_and_not_the_handler(hold: Hold, arguments: str, error: str) -> None:
    called: list[Any] = []

    @tool
    def look(city: str) -> str:
        called.append(city)
        return city

    held = hold(["One?"], llm=ScriptedLLM([asks("look", arguments), "Done."]), tools=[look])
    assert run_of(held).error.startswith(error)
    assert called == []
    assert held.turn(1).heard_text == "Done."


def test_a_handler_that_raises_is_called_once_and_one_that_may_be_repeated_three_times(hold: Hold) -> None:
    calls: list[str] = []

    def fails() -> str:
        calls.append("x")
        raise OSError("no line")

    once = hold(["One?"], llm=ScriptedLLM([asks("fails"), "Done."]), tools=[tool(fails)])
    assert (run_of(once).error, run_of(once).attempts, len(calls)) == ("fails raised OSError: no line", 1, 1)
    calls.clear()
    thrice = hold(["One?"], llm=ScriptedLLM([asks("fails"), "Done."]), tools=[tool(idempotent=True)(fails)])
    assert (run_of(thrice).attempts, len(calls)) == (3, 3)


def test_one_that_succeeds_at_the_second_attempt_is_not_called_again(hold: Hold) -> None:
    calls: list[str] = []

    @tool(idempotent=True)
    async def second() -> str:
        calls.append("x")
        if len(calls) < 2:
            raise OSError("no line")
        return "there"

    held = hold(["One?"], llm=ScriptedLLM([asks("second"), "Done."]), tools=[second])
    assert (run_of(held).result, run_of(held).attempts) == ("there", 2)


def test_the_deadline_ends_the_wait_for_a_thread_that_never_returns(hold: Hold) -> None:
    leave = threading.Event()

    @tool(timeout_s=0.2)
    def hangs() -> str:
        leave.wait(30)
        return "too late"

    began = time.monotonic()
    held = hold(["One?"], llm=ScriptedLLM([asks("hangs"), "Done."]), tools=[hangs])
    leave.set()
    assert run_of(held).error == "hangs took longer than 0.2 s."
    assert time.monotonic() - began < 20
    assert held.turn(1).heard_text == "Done."


def test_the_deadline_holds_for_all_reports_together(hold: Hold) -> None:
    @tool(timeout_s=1)
    async def reports() -> Any:
        for number in range(100):
            yield {"progress": f"{number} %"}
            await asyncio.sleep(0.3)

    held = hold(["One?"], llm=ScriptedLLM([asks("reports"), "Done."]), tools=[reports])
    assert run_of(held).error == "reports took longer than 1 s."


def test_the_deadline_of_reports_is_no_longer_for_the_last_of_them(hold: Hold) -> None:
    @tool(timeout_s=1)
    async def reports() -> Any:
        yield {"progress": "half"}
        await asyncio.sleep(0.9)
        yield {"progress": "nearly"}
        await asyncio.sleep(0.9)
        yield {"result": "late"}

    held = hold(["One?"], llm=ScriptedLLM([asks("reports"), "Done."]), tools=[reports])
    run = run_of(held)
    assert run.error == "reports took longer than 1 s."
    assert run.returned_at - run.called_at == pytest.approx(1.0, abs=0.05)


def test_a_result_that_came_in_time_counts_whatever_the_tool_does_after_it(hold: Hold) -> None:
    closed: list[str] = []

    @tool(timeout_s=1)
    async def reports() -> Any:
        try:
            yield {"result": "in time"}
            await asyncio.sleep(3600)
        finally:
            closed.append("x")

    held = hold(["One?"], llm=ScriptedLLM([asks("reports"), "Done."]), tools=[reports])
    assert (run_of(held).result, closed) == ("in time", ["x"])


@pytest.mark.parametrize("ends", ["fails", "waits"])
def test_a_result_is_told_at_once_and_nothing_after_it_is_waited_for(hold: Hold, ends: str) -> None:
    @tool(timeout_s=3)
    async def reports() -> Any:
        yield {"result": "forty"}
        if ends == "fails":
            raise ValueError("it went on")
        await asyncio.sleep(2)

    run = run_of(hold(["One?"], llm=ScriptedLLM([asks("reports"), "Done."]), tools=[reports]))
    assert (run.result, run.error) == ("forty", None)
    assert run.returned_at - run.called_at == pytest.approx(0, abs=0.01)


def _wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def inner(*given: Any, **named: Any) -> Any:
        return function(*given, **named)

    return inner


async def _half_way() -> Any:
    yield {"progress": "half"}
    yield {"result": "forty"}


async def _makes_one() -> Any:
    return _half_way()


@pytest.mark.parametrize("handler", [_wrapped(_half_way), _makes_one, functools.partial(_half_way)])
def test_a_handler_that_gives_a_generator_reports_as_one_that_is_a_generator(hold: Hold, handler: Any) -> None:
    made = tool(name="reports", handler=handler)
    held = hold(["One?"], llm=ScriptedLLM([asks("reports"), "Done."]), tools=[made])
    assert run_of(held).result == "forty"
    assert [event["text"] for event in held.events("tool_progress")] == ["half"]


def test_a_mapping_that_a_function_returns_is_told_as_it_is(hold: Hold) -> None:
    made = tool(name="give", handler=lambda: {"result": 5, "progress": "half"})
    held = hold(["One?"], llm=ScriptedLLM([asks("give"), "Done."]), tools=[made])
    assert run_of(held).result == '{"result": 5, "progress": "half"}'


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (lambda: (i for i in range(3)), "generator"),
        (lambda: [_makes_one()], "coroutine"),
        (lambda: [_half_way()], "async generator"),
    ],
)
def test_what_holds_no_value_yet_is_not_told(hold: Hold, made: Any, kind: str) -> None:
    held = hold(["One?"], llm=ScriptedLLM([asks("give"), "Done."]), tools=[tool(name="give", handler=made)])
    said = f"What give returned cannot be told to the model: a {kind} holds no value yet; return what it gives."
    assert (run_of(held).result, run_of(held).error) == (None, said)


class Report(Mapping[str, Any]):
    """What a tool yields, in a class of the user's that fails when it is read."""

    def __getitem__(self, key: str) -> Any:
        if key == "progress":
            return Unwritable()
        raise OSError("no disk")

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class Unwritable:
    def __str__(self) -> str:
        raise OSError("no words")


@pytest.mark.parametrize(("given", "error"), [(Report(), "no disk"), ({"progress": Unwritable()}, "no words")])
def test_a_report_that_cannot_be_read_is_a_sentence_for_the_model(hold: Hold, given: Any, error: str) -> None:
    closed: list[str] = []

    @tool
    async def reports() -> Any:
        try:
            yield given
        finally:
            closed.append("x")

    held = hold(["One?"], llm=ScriptedLLM([asks("reports"), "Done."]), tools=[reports])
    assert (run_of(held).error, closed) == (f"reports raised OSError: {error}", ["x"])
    assert (held.turn(1).heard_text, held.error) == ("Done.", None)


class Room7:
    """A type of an argument that refuses what it is given in a way of its own."""

    error: BaseException = ValueError()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        def check(value: Any) -> Any:
            raise cls.error

        return core_schema.no_info_plain_validator_function(check, serialization=core_schema.to_string_ser_schema())

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        return {"type": "string"}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyError("room"), "The arguments of book do not fit: KeyError: 'room'."),
        (FileNotFoundError("rooms.csv"), "book raised FileNotFoundError: rooms.csv"),
        (SystemExit(2), "book raised SystemExit: 2"),
    ],
)
def test_an_argument_whose_type_raises_whatever_it_likes_is_a_sentence_for_the_model(
    hold: Hold, monkeypatch: pytest.MonkeyPatch, error: BaseException, told: str
) -> None:
    monkeypatch.setattr(Room7, "error", error)

    def book(room: Room7) -> str:
        return "booked"

    held = hold(["One?"], llm=ScriptedLLM([asks("book", '{"room": "7"}'), "Done."]), tools=[tool(book)])
    assert (run_of(held).error, held.turn(1).heard_text, held.error) == (told, "Done.", None)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_tool_that_exits_ends_neither_the_call_nor_the_process(hold: Hold, is_async: bool) -> None:
    def leave() -> None:
        raise SystemExit(2)

    async def leave_later() -> None:
        leave()

    made = tool(name="leave", handler=leave_later if is_async else leave)
    held = hold(["One?"], llm=ScriptedLLM([asks("leave"), "Done."]), tools=[made])
    assert (run_of(held).error, held.turn(1).heard_text, held.error) == ("leave raised SystemExit: 2", "Done.", None)


def test_an_error_that_speaks_of_another_deadline_is_told_as_it_is(hold: Hold) -> None:
    def asks_server() -> None:
        raise OSError("the server took longer than 30 s.")

    held = hold(["One?"], llm=ScriptedLLM([asks("asks_server"), "Done."]), tools=[tool(asks_server)])
    assert run_of(held).error == "asks_server raised OSError: the server took longer than 30 s."


def test_progress_is_an_event_and_the_result_is_told(hold: Hold) -> None:
    @tool
    async def reports() -> Any:
        yield {"progress": "half"}
        yield {"result": {"rooms": 2}}

    held = hold(["One?"], llm=ScriptedLLM([asks("reports"), "Done."]), tools=[reports])
    assert run_of(held).result == '{"rooms": 2}'
    assert held.events("tool_progress") == [{"id": "t1", "name": "reports", "text": "half"}]


def test_a_filler_line_covers_a_slow_tool_after_the_time_it_says(hold: Hold) -> None:
    from patter_nb.tools import Reassurance

    @tool(reassurance=Reassurance("One moment.", after_ms=400))
    async def slow() -> str:
        await asyncio.sleep(1.5)
        return "found"

    held = hold(["One?"], llm=ScriptedLLM([asks("slow"), "Done."]), tools=[slow])
    assert held.turn(1).heard_text == "One moment. Done."
    asked_at = held.turn(1).tools[0].called_at
    first = min(event["started_at"] for event in held.events("agent_speech") if event["reply"] == held.turn(1).reply)
    assert first - asked_at == pytest.approx(0.4 + 0.1, abs=0.06)


def test_results_of_finished_tools_survive_an_interruption(hold: Hold) -> None:
    asked: list[Any] = []

    @tool
    async def quick() -> str:
        return "table 4"

    def answer(messages: Any) -> Any:
        asked.append(messages)
        return (
            asks("quick", "{}", "Let me look that up for you, it will not take very long. ") if len(asked) == 1 else "Well. " * 20
        )

    lines = ["One?", Line("Please stop that now.", interrupt_after_seconds=1.5)]
    held = hold(lines, llm=ScriptedLLM(answer), tools=[quick])
    assert held.turn(1).interrupted
    assert [message.content for message in asked[-1] if message.role == "tool"] == ["table 4"]


def test_end_call_lets_the_farewell_be_heard(hold: Hold) -> None:
    reply = asks("end_call", '{"reason": "the caller was served"}', "Goodbye, and have a very nice evening.")
    held = hold(["One?"], llm=ScriptedLLM([reply]))
    assert held.turn(1).heard_text == "Goodbye, and have a very nice evening."
    assert held.session.end_reason == "ended by the agent: the caller was served"
    assert held.session.is_hung_up


def test_a_reason_for_the_end_that_a_guardrail_blocks_is_not_kept(hold: Hold) -> None:
    reply = asks("end_call", '{"reason": "asked about the Grand Palace"}', "Goodbye.")
    held = hold(["One?"], llm=ScriptedLLM([reply]), guardrails=[guardrail("others", blocked_terms=["grand palace"])])
    assert (held.turn(1).heard_text, held.session.end_reason) == ("Goodbye.", "ended by the agent")


def test_end_call_without_a_word_lets_the_model_say_goodbye_first(hold: Hold) -> None:
    held = hold(["One?"], llm=ScriptedLLM([asks("end_call"), "Goodbye."]))
    assert (held.turn(1).heard_text, held.session.end_reason) == ("Goodbye.", "ended by the agent")


def test_a_caller_who_interrupts_the_farewell_is_not_hung_up_on(hold: Hold) -> None:
    farewell = asks("end_call", "{}", "Goodbye, and have a very nice evening wherever you may be tonight.")
    lines = ["One?", Line("Please wait a moment.", interrupt_after_seconds=1.0)]
    held = hold(lines, llm=ScriptedLLM([farewell, "Of course."]))
    assert held.events("hang_up_withdrawn") == [{"reason": "ended by the agent"}]
    assert held.turn(2).heard_text == "Of course."
    assert held.session.end_reason == "caller hung up"


def test_transfer_call_hands_the_call_over_when_what_is_said_was_heard(hold: Hold) -> None:
    reply = asks("transfer_call", '{"number": "+1 (555) 765-4321"}', "I connect you now.")
    held = hold(["One?"], llm=ScriptedLLM([reply, "Goodbye."]))
    assert held.turn(1).heard_text == "I connect you now. Goodbye."
    assert held.events("transferred") == [{"number": "+15557654321", "mode": "cold"}]
    assert held.session.is_transferred
    assert (held.session.end_reason, held.session.is_hung_up) == ("transferred", False)


def test_a_warm_transfer_is_asked_for_with_what_is_to_be_told(hold: Hold) -> None:
    arguments = '{"number": "+15557654321", "mode": "warm", "summary": " A guest of room 12 is locked out. "}'
    held = hold(["One?"], llm=ScriptedLLM([asks("transfer_call", arguments, "One moment."), "I am calling them."]))
    assert run_of(held).result.endswith("stay with the caller.")
    told = {"number": "+15557654321", "mode": "warm", "summary": "A guest of room 12 is locked out."}
    assert held.events("transferred") == [told]


UNFIT = [
    ('{"number": "+15557654321", "summary": "A guest."}', 'give mode="warm" too'),
    ('{"number": "+15557654321", "mode": "hot"}', 'mode is "hot" and must be one of ["cold", "warm"]'),
    ('{"number": "sip:desk@example.com"}', "number is a SIP address"),
    ('{"number": "+15557654321", "mode": "warm", "summary": "He said damn."}', "put it in other words"),
]


@pytest.mark.parametrize(("arguments", "sentence"), UNFIT, ids=[case[1] for case in UNFIT])
def test_a_transfer_that_cannot_be_meant_is_the_models_to_correct(hold: Hold, arguments: str, sentence: str) -> None:
    rails = [guardrail("words", blocked_terms=["damn"])]
    held = hold(["One?"], llm=ScriptedLLM([asks("transfer_call", arguments), "Sorry."]), guardrails=rails)
    assert sentence in run_of(held).error
    assert held.events("transferred") == []


def test_a_number_that_is_none_is_the_models_to_correct(hold: Hold) -> None:
    held = hold(["One?"], llm=ScriptedLLM([asks("transfer_call", '{"number": "the boss"}'), "Sorry."]))
    assert run_of(held).error.startswith("number must be a number in E.164")
    assert held.session.end_reason == "caller hung up"


def test_a_tool_of_the_users_takes_the_place_of_a_built_in_one(hold: Hold) -> None:
    seen: list[Any] = []
    mine = tool(name="transfer_call", description="Transfer the call.", handler=lambda number: seen.append(number) or "done")
    held = hold(["One?"], llm=ScriptedLLM([asks("transfer_call", '{"number": "5"}'), "Done."]), tools=[mine])
    assert (seen, run_of(held).result) == (["5"], "done")
    assert not held.session.is_transferred


def test_a_model_that_goes_round_in_circles_is_stopped(hold: Hold) -> None:
    made = tool(name="again", handler=lambda: "again")
    held = hold(["One?"], llm=ScriptedLLM([asks("again")] * 50), tools=[made])
    assert len(held.turn(1).tools) == MOST_ROUNDS
    assert f"after {MOST_ROUNDS} rounds" in held.turn(1).error


def test_a_model_is_offered_what_its_agent_has(hold: Hold) -> None:
    offered: list[Any] = []

    from patter_nb.providers.custom import CustomLLM

    async def generate(messages: Any, tools: Any) -> Any:
        offered.append([each["function"]["name"] for each in tools])
        yield "Fine."

    hold(["One?"], llm=CustomLLM(generate, virtual_time=True), tools=[tool(name="mine", handler=lambda: 1)])
    assert offered == [["transfer_call", "end_call", "mine"]]
