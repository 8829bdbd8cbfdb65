"""The one door to what users wrote."""

import asyncio
import contextvars
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import pytest

from patter_nb.clock import run_virtual
from patter_nb.session.user_code import Outcome, UserCode


def run(coroutine: object) -> Outcome:
    return asyncio.run(coroutine)


@pytest.fixture
def users() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop in a thread of its own, as a notebook's is to a call that has another."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


class Failed(BaseException):
    """As what pytest.fail() raises."""


class Ambiguous:
    """As an array: neither true nor false."""

    def __bool__(self) -> bool:
        raise ValueError("the truth is ambiguous")


def test_sync_and_async_functions_and_returned_awaitables_give_their_value() -> None:
    async def double(x: int) -> int:
        return x * 2

    def returns_awaitable(x: int) -> object:
        return double(x)

    for function in (lambda x: x * 2, double, returns_awaitable):
        assert run(UserCode().call(function, 21, deadline_seconds=5)) == Outcome(42)


def test_what_a_function_raises_is_a_sentence_that_names_it() -> None:
    def broken() -> None:
        raise KeyError("phone")

    outcome = run(UserCode().call(broken, deadline_seconds=5))
    assert outcome.error is not None
    assert outcome.error.endswith("broken raised KeyError: 'phone'")


def test_a_slow_async_function_is_given_up_and_cancelled() -> None:
    seen = []

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("cancelled")

    outcome = run(UserCode().call(slow, deadline_seconds=0.01))
    assert outcome.error is not None
    assert "longer than 0.01 s" in outcome.error
    assert seen == ["cancelled"]


def test_a_slow_sync_function_does_not_hold_the_loop() -> None:
    release = threading.Event()

    async def main() -> Outcome:
        outcome = await UserCode().call(release.wait, deadline_seconds=0.01)
        release.set()
        return outcome

    assert run(main()).error is not None


def test_a_quick_function_runs_on_the_very_thread_of_the_call() -> None:
    async def main() -> tuple[object, int]:
        outcome = await UserCode().call(threading.get_ident, deadline_seconds=1, quick=True)
        return outcome.value, threading.get_ident()

    value, here = asyncio.run(main())
    assert value == here


def test_an_async_function_runs_on_the_users_loop_when_the_call_has_another() -> None:
    users = asyncio.new_event_loop()
    thread = threading.Thread(target=users.run_forever)
    thread.start()
    try:

        async def where() -> asyncio.AbstractEventLoop:
            return asyncio.get_running_loop()

        def returns_awaitable() -> object:
            return where()

        async def main() -> tuple[Outcome, Outcome]:
            code = UserCode(users)
            return await code.call(where, deadline_seconds=5), await code.call(returns_awaitable, deadline_seconds=5)

        assert [outcome.value for outcome in asyncio.run(main())] == [users, users]
    finally:
        users.call_soon_threadsafe(users.stop)
        thread.join()
        users.close()


def test_interrupting_the_call_is_not_taken_for_a_users_error() -> None:
    async def main() -> None:
        task = asyncio.create_task(UserCode().call(asyncio.Event().wait, deadline_seconds=60))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_a_timeout_that_the_function_raises_is_its_own() -> None:
    def slow_server() -> None:
        raise TimeoutError("the server is slow")

    outcome = run(UserCode().call(slow_server, deadline_seconds=60))
    assert outcome.error is not None
    assert outcome.error.endswith("slow_server raised TimeoutError: the server is slow")


def test_a_function_that_cancels_itself_is_a_sentence_and_no_interruption() -> None:
    async def gives_up() -> None:
        raise asyncio.CancelledError

    outcome = run(UserCode().call(gives_up, deadline_seconds=60))
    assert outcome.error is not None
    assert outcome.error.endswith("gives_up was cancelled.")


def test_in_virtual_time_a_function_on_the_users_loop_has_its_real_time() -> None:
    users = asyncio.new_event_loop()
    thread = threading.Thread(target=users.run_forever)
    thread.start()
    try:

        async def takes_a_moment() -> str:
            await asyncio.sleep(0.05)
            return "done"

        for function in (takes_a_moment, partial(takes_a_moment)):
            outcome = run_virtual(UserCode(users).call(function, deadline_seconds=60))
            assert outcome == Outcome("done")
    finally:
        users.call_soon_threadsafe(users.stop)
        thread.join()
        users.close()


def test_keys_that_stand_in_what_a_function_raises_are_not_handed_on() -> None:
    def look_up() -> None:
        raise OSError("401 for https://x/?api_key=sk-live-123 Authorization: Bearer abc")

    outcome = run(UserCode().call(look_up, deadline_seconds=5))
    assert outcome.error is not None
    assert outcome.error.endswith("look_up raised OSError: 401 for https://x/?api_key=••• Authorization: Bearer •••")


def test_what_is_read_out_of_a_returned_object_may_fail_as_the_function_may() -> None:
    def checks() -> object:
        return Ambiguous()

    outcome = run(UserCode().call(checks, deadline_seconds=5, read=bool))
    assert outcome.value is None
    assert outcome.error is not None
    assert outcome.error.endswith("checks raised ValueError: the truth is ambiguous")
    assert run(UserCode().call(lambda: [0], deadline_seconds=5, read=bool)) == Outcome(True)


def leaves() -> None:
    raise SystemExit(3)


async def leaves_later() -> None:
    await asyncio.sleep(0)
    raise SystemExit(3)


@pytest.mark.parametrize("function", [leaves, leaves_later])
@pytest.mark.parametrize("quick", [False, True])
def test_a_function_that_exits_ends_neither_the_call_nor_its_loop(function: object, quick: bool) -> None:
    async def main() -> tuple[Outcome, str]:
        outcome = await UserCode().call(function, deadline_seconds=5, quick=quick, name="it")
        return outcome, "still here"

    assert asyncio.run(main()) == (Outcome(error="it raised SystemExit: 3"), "still here")


def test_one_that_exits_on_the_users_loop_leaves_that_loop_running(users: asyncio.AbstractEventLoop) -> None:
    outcome = run(UserCode(users).call(leaves_later, deadline_seconds=5, name="it"))
    assert outcome == Outcome(error="it raised SystemExit: 3")
    assert users.is_running()


async def fails_as_no_exception() -> None:
    raise Failed("must not be called")


def closes_itself() -> None:
    raise GeneratorExit


@pytest.mark.parametrize(
    ("function", "error"),
    [(fails_as_no_exception, "it raised Failed: must not be called"), (closes_itself, "it raised GeneratorExit")],
)
@pytest.mark.parametrize("quick", [False, True])
def test_what_is_no_exception_is_a_sentence_too(function: Callable[..., Any], error: str, quick: bool) -> None:
    assert run(UserCode().call(function, deadline_seconds=5, quick=quick, name="it")) == Outcome(error=error)


def test_ctrl_c_passes() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(UserCode().call(interrupted, deadline_seconds=5, quick=True))


class Stubborn:
    """Takes its time to clean up, and then fails."""

    def __init__(self) -> None:
        self.cancelled = 0
        self.kept: Callable[[], asyncio.Event | None] = lambda: None

    async def __call__(self) -> None:
        leave = asyncio.Event()
        self.kept = weakref.ref(leave)
        for _ in range(10):
            try:
                await leave.wait()
                break
            except asyncio.CancelledError:
                self.cancelled += 1
        raise ValueError("too late for anybody")


async def left_alone(stubborn: Stubborn, wrong: list[Any]) -> None:
    """Let one that nobody waits for any more come to its end, without a complaint of the loop."""
    asyncio.get_running_loop().set_exception_handler(lambda _, told: wrong.append(told))
    gc.collect()  # what it waits for is known to itself alone, so nothing but the door keeps it
    leave = stubborn.kept()
    assert leave is not None
    assert stubborn.cancelled == 1
    leave.set()
    await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})
    gc.collect()


@pytest.mark.parametrize("quick", [False, True])
def test_one_that_does_not_heed_its_cancellation_is_left_to_itself_after_its_deadline(quick: bool) -> None:
    async def main() -> None:
        stubborn, wrong = Stubborn(), list[Any]()
        began = asyncio.get_running_loop().time()
        outcome = await UserCode().call(stubborn, deadline_seconds=0.5, quick=quick, name="it")
        assert outcome == Outcome(error="it took longer than 0.5 s.", late=True)
        assert asyncio.get_running_loop().time() - began == pytest.approx(0.5)
        await asyncio.sleep(0)
        await left_alone(stubborn, wrong)
        assert wrong == []

    run_virtual(main())


def test_a_call_that_is_cancelled_cancels_it_once_and_does_not_wait() -> None:
    async def main() -> None:
        stubborn, wrong = Stubborn(), list[Any]()
        waiting = asyncio.create_task(UserCode().call(stubborn, deadline_seconds=60, quick=True))
        await asyncio.sleep(1)
        waiting.cancel()
        done, _ = await asyncio.wait((waiting,), timeout=5)
        assert done == {waiting}
        assert waiting.cancelled()
        await left_alone(stubborn, wrong)
        assert wrong == []

    run_virtual(main())


def test_a_coroutine_finds_the_context_of_whoever_calls_and_a_quick_function_makes_no_task() -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who")
    made: list[str] = []

    async def asks() -> str:
        return who.get()

    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **settings: Any) -> asyncio.Task[Any]:
        made.append(coroutine.__qualname__)
        return asyncio.Task(coroutine, loop=loop, **settings)

    async def main() -> list[Any]:
        asyncio.get_running_loop().set_task_factory(factory)
        who.set("the caller")
        plain = await UserCode().call(who.get, deadline_seconds=5, quick=True)
        assert made == []
        asked = await UserCode().call(asks, deadline_seconds=5)
        assert len(made) == 1
        return [plain.value, asked.value]

    assert asyncio.run(main()) == ["the caller", "the caller"]


def test_only_a_deadline_makes_an_outcome_late() -> None:
    async def says_so() -> None:
        raise TimeoutError("the server took longer than 5 s.")

    assert run(UserCode().call(asyncio.Event().wait, deadline_seconds=0.01)).late
    assert not run(UserCode().call(says_so, deadline_seconds=60)).late


async def _ticks() -> AsyncIterator[int]:
    for number in range(10):
        yield number
        await asyncio.sleep(0.4)


def pieces_of(function: Any, *arguments: object, together: bool | None = None) -> list[Outcome]:
    """What comes of the function; with `together`, of its generator alone."""

    async def main() -> list[Outcome]:
        settings: dict[str, Any] = {"deadline_seconds": 1.0, "name": "it"}
        if together is None:
            return [piece async for piece in UserCode().pieces(function, arguments, **settings)]
        return [piece async for piece in UserCode().yielded(function(), **settings, together=together)]

    return run_virtual(main())


def test_a_deadline_holds_for_each_piece_or_for_all_of_them_together() -> None:
    assert [piece.value for piece in pieces_of(_ticks)] == list(range(10))
    assert [piece.value for piece in pieces_of(_ticks, together=False)] == list(range(10))
    *there, last = pieces_of(_ticks, together=True)
    assert [piece.value for piece in there] == [0, 1, 2]
    assert last.late


def test_a_generator_is_read_whoever_made_it() -> None:
    async def makes_it() -> object:
        return _ticks()

    for function in (makes_it, partial(_ticks)):
        assert [piece.value for piece in pieces_of(function)] == list(range(10))


def test_a_generator_finds_what_it_left_in_context_variables() -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")

    async def remembers() -> AsyncIterator[str]:
        token = who.set("the generator")
        try:
            yield who.get()
            yield who.get()
        finally:
            who.reset(token)

    assert pieces_of(remembers) == [Outcome("the generator")] * 2
    assert who.get() == "nobody"


def test_a_generator_that_cannot_even_be_made_is_a_sentence() -> None:
    (piece,) = pieces_of(_ticks, "too", "many")
    assert piece.error is not None
    assert "takes 0 positional arguments but 2 were given" in piece.error
