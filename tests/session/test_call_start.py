"""Before a call is answered: what `on_call_start` is told, and what it may change."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Callable
from typing import Any

import pytest

from patter_nb.callbacks import Callbacks

Hold = Callable[..., Any]


def test_on_call_start_is_told_of_the_call_before_it_is_answered(hold: Hold) -> None:
    told: list[Any] = []
    numbers = {"caller": "+15550000001", "callee": "+15550000002", "parameters": {"hotel": "Sea"}}
    held = hold(["One?"], callbacks=Callbacks(on_call_start=told.append), **numbers)
    assert told == [
        {
            "call_id": "call_1", "caller": "+15550000001", "callee": "+15550000002", "direction": "test",
            "telephony_provider": "simulated", "custom_params": {"hotel": "Sea"},
        }
    ]  # fmt: skip
    assert held.turn(1).heard_text == "First answer."


class Odd(UserDict[str, Any]):
    """A mapping that cannot be read."""

    def __iter__(self) -> Any:
        raise OSError("detached")


async def spanish(start: Any) -> dict[str, Any]:
    return {"first_message": "Hola!"}


@pytest.mark.parametrize("function", [spanish, lambda start: {"first_message": "Hola!"}])
def test_what_on_call_start_returns_is_different_in_this_call(hold: Hold, function: Any) -> None:
    held = hold(["One?"], callbacks=Callbacks(on_call_start=function))
    assert held.turn(0).heard_text == "Hola!"


@pytest.mark.parametrize(
    ("returned", "error"),
    [
        ("text", "on_call_start returned what cannot be used: it is str, and must be a dictionary of fields of the agent"),
        ({1: "x"}, "on_call_start returned what cannot be used: it is dict, and must be a dictionary of fields of the agent by"),
        ({"note": "x"}, "on_call_start returned what cannot be used: an agent has no note; it has system_prompt, "),
        (Odd({"first_message": "x"}), "on_call_start returned what cannot be used: it raised OSError: detached"),
        ({"first_mesage": "x"}, "on_call_start returned what cannot be used: "),
        ({"hangover_ms": 1}, "on_call_start returned what cannot be used: hangover_ms"),
        (ValueError("no"), "on_call_start raised ValueError: no"),
    ],
)
def test_what_on_call_start_cannot_return_is_told_and_the_agent_stays(hold: Hold, returned: Any, error: str) -> None:
    def function(start: Any) -> Any:
        if isinstance(returned, Exception):
            raise returned
        return returned

    held = hold(["One?"], callbacks=Callbacks(on_call_start=function))
    ((failure,),) = [held.events("callback_failed")]
    assert failure["callback"] == "on_call_start"
    assert failure["error"].startswith(error)
    assert held.turn(0).heard_text == "Hello there, good evening!"
