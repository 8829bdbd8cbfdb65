"""What pipeline hooks may be made of, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.hooks import AfterLLM, HookContext, PipelineHooks

STAGES = ("before_send_to_stt", "after_transcribe", "before_llm", "before_synthesize", "after_synthesize")
TIERS = ("on_chunk", "on_sentence", "on_response")


def function(*given: Any) -> Any:
    return given[0]


async def later(*given: Any) -> Any:
    return given[0]


class Whole:
    on_response: Any = None

    def __call__(self, text: str, ctx: HookContext) -> str:
        return text


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_a_function_of_either_kind_or_nothing(name: str) -> None:
    for hook in (function, later, None):
        assert getattr(PipelineHooks(**{name: hook}), name) is hook
    for wrong in (5, "text", {}, AfterLLM(on_sentence=function)):
        with pytest.raises(ConfigTypeError, match=f"^{name} is {type(wrong).__name__} .*; it must be a function, or None"):
            PipelineHooks(**{name: wrong})


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize(
    "form",
    [lambda given: AfterLLM(**given), dict, lambda given: SimpleNamespace(**given, other=5)],
    ids=["AfterLLM", "dict", "object"],
)
def test_the_three_tiers_may_be_given_in_any_form(form: Callable[[dict[str, Any]], Any], tier: str) -> None:
    hooks = PipelineHooks(after_llm=form({tier: function}))
    assert hooks.tiers == AfterLLM(**{tier: function})
    assert hooks.tiers


@pytest.mark.parametrize("given", [function, later, Whole()])
def test_a_function_alone_is_of_the_whole_answer(given: Any) -> None:
    assert PipelineHooks(after_llm=given).tiers == AfterLLM(on_response=given)


@pytest.mark.parametrize("given", [None, {}, AfterLLM()])
def test_without_any_tier_there_is_nothing_to_do(given: Any) -> None:
    tiers = PipelineHooks(after_llm=given).tiers
    assert tiers == AfterLLM()
    assert not tiers


REFUSED: list[tuple[Any, type[Exception], str]] = [
    ({"on_token": function}, ConfigError, "after_llm has the key 'on_token'; it takes on_chunk, on_sentence, on_response."),
    ({"on_chunk": 5}, ConfigTypeError, "after_llm.on_chunk is int 5; it must be a function, or None."),
    (SimpleNamespace(on_sentence="x"), ConfigTypeError, "after_llm.on_sentence is str 'x'; it must be a function"),
    ({"on_chunk": later}, ConfigTypeError, "after_llm.on_chunk is async; it runs for every token and must be a plain function."),
    (5, ConfigTypeError, "after_llm is int; it must have at least one of on_chunk, on_sentence, on_response."),
    (Whole, ConfigTypeError, "after_llm is type; it must have at least one of"),
    (SimpleNamespace(), ConfigTypeError, "after_llm is SimpleNamespace; it must have"),
]


@pytest.mark.parametrize(("given", "kind", "sentence"), REFUSED, ids=[case[2] for case in REFUSED])
def test_what_is_no_tier_is_one_sentence(given: Any, kind: type[Exception], sentence: str) -> None:
    with pytest.raises(kind) as refused:
        PipelineHooks(after_llm=given)
    assert sentence in str(refused.value)


@pytest.mark.parametrize("given", [1, "yes", None])
def test_fail_closed_is_yes_or_no(given: Any) -> None:
    with pytest.raises(ConfigTypeError, match=r"fail_closed is .*; it must be True or False\."):
        PipelineHooks(fail_closed=given)


def test_hooks_cannot_be_changed_and_take_no_unknown_name() -> None:
    with pytest.raises(AttributeError):
        PipelineHooks().before_llm = function  # type: ignore[misc]
    with pytest.raises(TypeError, match="before_stt"):
        PipelineHooks(before_stt=function)  # type: ignore[call-arg]
