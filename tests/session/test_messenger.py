"""`on_message` in the place of a model: functions of every kind, what they must not give, and somebody over the network."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from patter_nb.callbacks import Callbacks, CallControl
from patter_nb.callers import Line
from patter_nb.errors import PatterError
from patter_nb.providers.scripted import ScriptedSTT
from patter_nb.remote import RemoteMessage
from patter_nb.session.messenger import Messenger
from patter_nb.session.user_code import UserCode

Hold = Callable[..., Any]


def held_with(hold: Hold, on_message: Any, lines: Any = ("One?",), **given: Any) -> Any:
    return hold(list(lines), llm=None, callbacks=Callbacks(on_message=on_message), **given)


def plain(message: Any) -> str:
    return f"You said {message['text']}."


async def waiting(message: Any) -> str:
    await asyncio.sleep(0.3)
    return plain(message)


async def pieces(message: Any) -> AsyncIterator[str]:
    for piece in ("You ", "said ", message["text"], "."):
        await asyncio.sleep(0.1)
        yield piece


def makes_pieces(message: Any) -> Any:
    return pieces(message)


class Desk:
    def __call__(self, message: Any) -> str:
        return plain(message)

    async def later(self, message: Any) -> str:
        return await waiting(message)


class Streams:
    async def __call__(self, message: Any) -> AsyncIterator[str]:
        async for piece in pieces(message):
            yield piece


@pytest.mark.parametrize("on_message", [plain, waiting, pieces, makes_pieces, Desk(), Desk().later, Streams()])
def test_a_function_of_every_kind_answers_each_turn(hold: Hold, on_message: Any) -> None:
    held = held_with(hold, on_message, ["One?", "Two?"])
    assert [turn.heard_text for turn in held.turns[1:]] == ["You said one.", "You said two."]
    assert all(turn.error is None for turn in held.turns)
    assert list(held.log.cost("call_1").query("part == 'llm'")["usd"]) == [0.0, 0.0, 0.0], "a known nothing"


def test_a_message_holds_the_words_the_numbers_and_what_was_said_before(hold: Hold) -> None:
    told: list[Any] = []

    def answer(message: Any) -> str:
        told.append(message)
        return "Fine."

    held_with(hold, answer, ["One?", "Two?"], caller="+15550000001", callee="+15550000002", first_message="Hello!")
    assert told[1] == {
        "text": "two", "call_id": "call_1", "caller": "+15550000001", "callee": "+15550000002",
        "history": [
            {"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "one"},
            {"role": "assistant", "content": "Fine."}, {"role": "user", "content": "two"},
        ],
    }  # fmt: skip


def test_a_function_of_two_arguments_may_act_on_the_call(hold: Hold) -> None:
    def answer(message: Any, control: CallControl) -> str:
        control.hangup("Goodbye.")
        return "That is all."

    held = held_with(hold, answer)
    assert [turn.heard_text for turn in held.turns[1:]] == ["That is all.", "Goodbye."]
    assert held.session.is_hung_up


def test_a_second_argument_that_only_goes_by_its_name_is_left_alone(hold: Hold) -> None:
    def answer(message: Any, *, tone: str = "kind") -> str:
        return f"A {tone} answer."

    assert held_with(hold, answer).turn(1).heard_text == "A kind answer."


def warm(message: Any, warmth: float = 0.3) -> str:
    return f"{message['text']}, {warmth!r}"


class Warm:
    def answer(self, message: Any, warmth: float = 0.3) -> str:
        return warm(message, warmth)

    def act(self, message: Any, call: Any) -> str:
        return acts(message, call)


def acts(message: Any, control: Any = None) -> str:
    return f"{message['text']}, {type(control).__name__}"


def acts_by_name(message: Any, call_control: Any = None) -> str:
    return acts(message, call_control)


def acts_only_by_name(message: Any, warmth: float = 0.3, *, control: Any) -> str:
    return acts(message, control)


async def acts_piece_by_piece(message: Any, *, call_control: Any = None) -> AsyncIterator[str]:
    yield f"{message['text']}, "
    yield type(call_control).__name__


class ActsByName:
    async def __call__(self, message: Any, *, control: Any) -> str:
        return acts(message, control)


def told_first(tone: str, message: Any, call: Any) -> str:
    return acts(message, call)


@pytest.mark.parametrize(
    ("on_message", "said"),
    [
        (warm, "one, 0.3"),
        (Warm().answer, "one, 0.3"),
        (partial(warm, warmth=0.5), "one, 0.5"),
        (acts, "one, CallControl"),
        (acts_by_name, "one, CallControl"),
        (Warm().act, "one, CallControl"),
        (acts_only_by_name, "one, CallControl"),
        (acts_piece_by_piece, "one, CallControl"),
        (ActsByName(), "one, CallControl"),
        (partial(told_first, "kind"), "one, CallControl"),
        (partial(Warm.act, Warm()), "one, CallControl"),
    ],
)
def test_a_second_argument_is_the_control_where_it_must_be_given_or_is_named_so(hold: Hold, on_message: Any, said: str) -> None:
    assert held_with(hold, on_message).turn(1).heard_text == said


def raises(message: Any) -> str:
    raise ValueError("no answer today, api_key=hunter2hunter2")


async def raises_later(message: Any) -> AsyncIterator[str]:
    yield "Well, it is so. "
    raise ValueError("broke off")


async def never(message: Any) -> str:
    await asyncio.Event().wait()
    return ""


BAD = [
    (raises, "on_message raised ValueError: no answer today, api_key="),
    (raises_later, "on_message raised ValueError: broke off"),
    (never, "the model did not answer within 15 s"),
    (lambda message: 5, "on_message gave int; it gives a string, or an async generator of strings."),
    (lambda message: None, "on_message gave NoneType; it gives a string"),
    (lambda message: ["a"], "on_message gave list; it gives a string"),
    (lambda message: (piece for piece in "ab"), "on_message gave generator; it gives a string"),
    (lambda message: message["nothing"], "on_message raised KeyError: 'nothing'"),
    (lambda: "too few", "positional argument"),
]


@pytest.mark.parametrize(("on_message", "error"), BAD, ids=[case[1] for case in BAD])
def test_what_is_no_answer_is_the_turns_error_and_the_call_goes_on(hold: Hold, on_message: Any, error: str) -> None:
    held = held_with(hold, on_message, no_reply_seconds=40.0, llm_error_message="Pardon?")
    assert error in held.turn(1).error
    assert "hunter2" not in held.turn(1).error
    assert held.turn(1).heard_text.endswith("Pardon?")
    assert held.session.end_reason == "caller hung up"
    assert held.tasks_left in ([], ["callbacks"])


def test_an_empty_answer_says_nothing_and_is_no_failure(hold: Hold) -> None:
    held = held_with(hold, lambda message: "", no_reply_seconds=2.0)
    assert (held.turn(1).heard_text, held.turn(1).error) == ("", None)
    assert held.events("reply_failed") == []


def test_a_generator_of_an_interrupted_answer_is_closed(hold: Hold) -> None:
    closed: list[str] = []

    async def stories(message: Any) -> AsyncIterator[str]:
        try:
            for number in range(8 if message["text"] == "one" else 1):
                yield f"{message['text']} and then came number {number}. "
                await asyncio.sleep(0.2)
        finally:
            closed.append(message["text"])

    lines = [Line("One?"), Line("Please stop that now.", interrupt_after_seconds=1.0)]
    held = held_with(hold, stories, lines, no_reply_seconds=2.0, stt=ScriptedSTT(["one", "two"]))
    assert held.turn(1).interrupted
    assert closed[0] == "one"


# Somebody over the network.


class Answering(BaseHTTPRequestHandler):
    asked: list[Any] = []  # noqa: RUF012 (of the server of one test)
    status = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        message = json.loads(body)
        self.asked.append(message)
        time.sleep(0.2)  # somebody thinks
        reply = json.dumps({"text": f"From afar: {message['text']}."}).encode()
        self.send_response(self.status)
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""


@pytest.fixture
def desk() -> Iterator[tuple[str, type[Answering]]]:
    handler = type("Desk", (Answering,), {"asked": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", handler
        server.shutdown()
        thread.join()


def test_somebody_over_the_network_answers_in_virtual_time_too(hold: Hold, desk: Any) -> None:
    url, handler = desk
    held = held_with(hold, RemoteMessage(url, allow_private=True), ["One?", "Two?"])
    assert [turn.heard_text for turn in held.turns[1:]] == ["From afar: one.", "From afar: two."]
    assert [message["text"] for message in handler.asked] == ["one", "two"]
    assert held.turn(1).error is None
    waited = held.rows.set_index("turn")["llm_first_token_ms"]
    assert ((waited[1:] > 100) & (waited[1:] < 1200)).all(), "as long as it really took, and not what timers made of it"


def test_a_network_that_fails_is_the_turns_error(hold: Hold, desk: Any) -> None:
    url, handler = desk
    handler.status = 500
    held = held_with(hold, RemoteMessage(url, allow_private=True), llm_error_message="Pardon?")
    assert held.turn(1).error.endswith("127.0.0.1 answered with status 500.")
    assert held.turn(1).heard_text == "Pardon?"


def test_what_a_remote_yields_closes_with_the_reply(virtual: Hold) -> None:
    closed: list[bool] = []

    class Far:
        async def replies(self, payload: dict[str, Any]) -> AsyncIterator[str]:
            try:
                yield payload["text"] or "a"
                yield "b"
            finally:
                closed.append(True)

    class Nowhere:
        ended = is_transferred = is_transferring = is_hung_up = False

        def post(self, event: Any) -> bool:
            raise PatterError("nothing is posted")

    async def main() -> Any:
        reply = Messenger(Far(), CallControl("c", "", "", "", Nowhere()), UserCode()).reply((), ())
        first = await anext(reply)
        await reply.aclose()
        return first.text

    assert virtual(main()) == "a"
    assert closed == [True]
