"""What providers raise becomes a sentence."""

import asyncio
import types
from collections.abc import Iterator

import pytest

from patter_nb.errors import ConfigError, PatterError, ProviderError
from patter_nb.session.boundary import guard, guarded, naming


class WordlessError(Exception):
    """As an error of a client library whose words need an answer that never came."""

    def __str__(self) -> str:
        raise AttributeError("response")


class HopelessError(Exception):
    """One that fails at its words with something that fails at its own."""

    def __str__(self) -> str:
        raise HopelessError


class Failed(BaseException):
    """As what pytest.fail() raises."""


async def raising(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ProviderError("The voice is gone.", provider="local"), "The voice is gone."),
        (ConfigError("formats is empty."), "formats is empty."),
        (ZeroDivisionError("division by zero"), "scripted raised ZeroDivisionError: division by zero"),
        (AssertionError(), "scripted raised AssertionError"),
        (ExceptionGroup("tasks", [ExceptionGroup("more", [KeyError("a"), OSError("b")])]), "scripted raised KeyError: 'a'"),
        (ExceptionGroup("tasks", [ProviderError("The voice is gone.", provider="local")]), "The voice is gone."),
        (SystemExit(3), "scripted raised SystemExit: 3"),
        (WordlessError(), "scripted raised WordlessError"),
        (HopelessError(), "scripted raised HopelessError"),
        (Failed("must not be called"), "scripted raised Failed: must not be called"),
        (GeneratorExit(), "scripted raised GeneratorExit"),
    ],
)
def test_an_error_is_handed_on_as_one_sentence(error: BaseException, sentence: str) -> None:
    told: list[str] = []
    asyncio.run(guarded(raising(error), told.append, who="scripted"))
    assert told == [sentence]


def test_cancellation_passes_through() -> None:
    told: list[str] = []

    async def main() -> None:
        task = asyncio.create_task(guarded(asyncio.Event().wait(), told.append, who="scripted"))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert told == []


def test_a_cancellation_that_nobody_asked_for_is_a_failure() -> None:
    async def waits_for_another() -> None:
        other = asyncio.ensure_future(asyncio.sleep(5))
        other.cancel()
        await other

    told: list[str] = []
    asyncio.run(guarded(waits_for_another(), told.append, who="scripted"))
    assert told == ["scripted was cancelled."]


@types.coroutine
def _a_moment() -> Iterator[None]:
    yield


def test_a_coroutine_that_is_closed_has_not_failed() -> None:
    told: list[str] = []
    waiting = guarded(_a_moment(), told.append, who="scripted")
    waiting.send(None)  # type: ignore[attr-defined]
    waiting.close()  # type: ignore[attr-defined]
    assert told == []


def test_a_block_is_guarded_like_a_task_and_what_follows_it_runs() -> None:
    told: list[str] = []
    with guard(told.append, who="scripted"):
        raise KeyError("a")
    with guard(told.append, who="scripted"):
        pass
    assert told == ["scripted raised KeyError: 'a'"]


@pytest.mark.parametrize(("error", "sentence"), [(KeyError("a"), "KeyError: 'a'"), (SystemExit(1), "SystemExit: 1")])
def test_a_named_block_raises_one_sentence_that_names_it(error: BaseException, sentence: str) -> None:
    with pytest.raises(PatterError, match=f"^Filter raised {sentence}$"), naming("Filter"):
        raise error
    with naming("Filter"):
        pass


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt()])
def test_what_somebody_ends_passes_every_boundary(error: BaseException) -> None:
    told: list[str] = []
    for boundary in (guard(told.append, who="x"), naming("x")):
        with pytest.raises(type(error)), boundary:
            raise error
    assert told == []


def test_keys_that_stand_in_an_error_are_not_handed_on() -> None:
    said = "401 for https://x/?api_key=sk-live-123 Authorization: Bearer abc"
    hidden = "401 for https://x/?api_key=••• Authorization: Bearer •••"
    for error in (ProviderError(said, provider="acme"), OSError(said), ExceptionGroup("tasks", [ValueError(said)])):
        told: list[str] = []
        asyncio.run(guarded(raising(error), told.append, who="acme"))
        assert told[0].endswith(hidden)
    with pytest.raises(PatterError, match="api_key=•••"), naming("Filter"):
        raise KeyError(said)
