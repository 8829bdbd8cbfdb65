"""What providers raise becomes a sentence."""

import asyncio

import pytest

from patter_nb.errors import ProviderError
from patter_nb.session.boundary import guarded


async def raising(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ProviderError("The voice is gone.", provider="local"), "The voice is gone."),
        (ZeroDivisionError("division by zero"), "scripted raised ZeroDivisionError: division by zero"),
    ],
)
def test_an_error_is_handed_on_as_one_sentence(error: Exception, sentence: str) -> None:
    told: list[str] = []
    asyncio.run(guarded(raising(error), told.append, who="scripted"))
    assert told == [sentence]


def test_cancellation_passes_through() -> None:
    told: list[str] = []
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(guarded(raising(asyncio.CancelledError()), told.append, who="scripted"))
    assert told == []
