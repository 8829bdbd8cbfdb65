"""Tools: how they are made, called, bound to a model's arguments; and everything that cannot be one."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import functools
import inspect
import json
import pickle
import re
import typing
import warnings
from dataclasses import FrozenInstanceError, replace

import pytest

from patter_nb.errors import ConfigError, ConfigTypeError, PatterWarning
from patter_nb.providers.base import ToolSpec
from patter_nb.tools import Reassurance, Tool, ToolArgumentsError, tool
from patter_nb.tools.tool import ToolSettings

CONTEXT = {"call_id": "c1", "caller": "+1555", "callee": "+1556"}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
NONE = {"type": "object", "properties": {}}


def lookup(city: str, days: int = 1):
    """Look up the weather."""
    return city, days


async def lookup_later(city: str):
    return city


async def lookup_in_steps(city: str):
    yield {"progress": "looking"}
    yield {"result": city}


class Desk:
    def __init__(self, name="desk"):
        self.name = name

    def __eq__(self, other):
        return isinstance(other, Desk) and self.name == other.name

    __hash__ = None

    def book(self, city: str):
        return self.name, city

    async def book_later(self, city: str):
        return self.name, city

    def __call__(self, city: str):
        return self.name, city


class LaterDesk:
    async def __call__(self, city: str):
        return "later", city


class StepsDesk:
    async def __call__(self, city: str):
        yield city


# How a tool is made.


@tool
def decorated(city: str) -> str:
    """Look up the weather.

    Twice.
    """
    return f"sunny in {city}"


@tool(timeout_s=2, name="look-up", reassurance="One moment.", idempotent=True)
async def decorated_with_settings(city: str) -> str:
    return f"sunny in {city}"


def test_a_decorated_function_is_a_tool_and_stays_a_function():
    assert decorated == Tool("decorated", "Look up the weather.", handler=decorated.handler)
    assert decorated("Rome") == decorated(city="Rome") == "sunny in Rome"
    assert decorated.__doc__ == "Look up the weather.\n\nTwice."
    assert decorated.__wrapped__ is decorated.handler
    assert str(inspect.signature(decorated)) == "(city: 'str') -> 'str'"


def test_a_decorator_takes_settings():
    made = decorated_with_settings
    assert (made.name, made.timeout_s, made.idempotent, made.reassurance) == (
        "look-up",
        2,
        True,
        Reassurance("One moment.", 1500),
    )
    assert asyncio.run(made(city="Rome")) == "sunny in Rome"


def test_an_editor_and_a_notebook_are_told_all_that_a_tool_takes():
    known = [each.name for each in dataclasses.fields(Tool)]
    assert sorted([*ToolSettings.__annotations__, "handler", "webhook_url"]) == sorted(known)
    shown = inspect.signature(tool).parameters
    assert list(shown) == ["fn", *known]
    assert shown["timeout_s"].default == 10.0
    assert {shown[name].kind for name in known} == {inspect.Parameter.KEYWORD_ONLY}
    types = typing.get_type_hints(Tool)
    assert {name: types[name] for name in ToolSettings.__annotations__} == typing.get_type_hints(ToolSettings)


def test_keywords_and_positions_make_the_same_tool():
    assert tool(name="x", description="Does x.", handler=lookup) == Tool("x", "Does x.", handler=lookup)
    assert tool(handler=lookup) == Tool("lookup", "Look up the weather.", None, lookup)
    assert tool(name="x", webhook_url="https://hooks.example/") == Tool("x", webhook_url="https://hooks.example/")
    assert tool(handler=functools.partial(lookup, days=2)).name == "lookup"


def test_a_tool_tells_a_model_of_itself():
    assert Tool("x", "Does x.", CITY, lookup_later).spec == ToolSpec("x", "Does x.", CITY)
    assert Tool("x", webhook_url="https://hooks.example/").spec == ToolSpec("x", "", NONE)
    assert Tool("x", handler=lambda: None).spec == ToolSpec("x", "", NONE)


def test_reassurance_takes_one_form():
    assert Tool("x", handler=lookup).reassurance is None
    assert Tool("x", handler=lookup, reassurance="").reassurance is None
    assert Tool("x", handler=lookup, reassurance="Wait.").reassurance == Reassurance("Wait.", after_ms=1500)
    assert Tool("x", handler=lookup, reassurance=Reassurance("Wait.", after_ms=0)).reassurance.after_ms == 0


# What no tool can be made of.

WEB = "https://hooks.example/"
REFUSED = [
    (lambda: Tool("", handler=lookup), ConfigError, "name of a tool is ''"),
    (lambda: Tool("a b", handler=lookup), ConfigError, "1 to 64 letters, digits, hyphens or underscores"),
    (lambda: Tool("a\n", handler=lookup), ConfigError, "name of a tool is 'a\\n'"),
    (lambda: Tool("é", handler=lookup), ConfigError, "name of a tool is 'é'"),
    (lambda: Tool("a" * 65, handler=lookup), ConfigError, "1 to 64 letters"),
    (lambda: Tool(None, handler=lookup), ConfigError, "name of a tool is None"),
    (lambda: Tool("x"), ConfigError, "tool 'x' has neither of handler and webhook_url; give it exactly one."),
    (lambda: Tool("x", handler=lookup, webhook_url=WEB), ConfigError, "tool 'x' has both of handler and webhook_url"),
    (lambda: Tool("x", handler="lookup"), ConfigTypeError, "handler of tool 'x' is 'lookup'; it must be a function."),
    (lambda: Tool("x", handler="s3cr3t-VALUE-987"), ConfigTypeError, "handler of tool 'x' is '•••'; it must be a function."),
    (lambda: Tool("x", handler=lookup, timeout_s={"apiKey": "a"}), ConfigTypeError, "timeout_s of tool 'x' is {'apiKey': '•••'}"),
    (lambda: Tool("x", handler=Desk), ConfigTypeError, "it must be a function"),
    (lambda: Tool("x", 5, handler=lookup), ConfigTypeError, "description of tool 'x' is 5"),
    (
        lambda: Tool("x", handler=lookup, timeout_s=0.05),
        ConfigError,
        "timeout_s of tool 'x' is 0.05; it must lie from 0.1 to 300.",
    ),
    (lambda: Tool("x", handler=lookup, timeout_s=301), ConfigError, "must lie from 0.1 to 300"),
    (lambda: Tool("x", handler=lookup, timeout_s=float("nan")), ConfigError, "must lie from 0.1 to 300"),
    (lambda: Tool("x", handler=lookup, timeout_s=None), ConfigTypeError, "must be a number of seconds"),
    (lambda: Tool("x", handler=lookup, timeout_s=True), ConfigTypeError, "must be a number of seconds"),
    (lambda: Tool("x", handler=lookup, strict="yes"), ConfigTypeError, "strict of tool 'x' is 'yes'; it must be True or False."),
    (lambda: Tool("x", handler=lookup, idempotent=1), ConfigTypeError, "idempotent of tool 'x' is 1"),
    (lambda: Tool("x", webhook_url=WEB, allow_private=None), ConfigTypeError, "allow_private of tool 'x' is None"),
    (lambda: Tool("x", handler=lookup, reassurance=5), ConfigTypeError, "reassurance of tool 'x' is 5"),
    (lambda: Reassurance("..."), ConfigError, "it must hold words to say"),
    (lambda: Reassurance("Wait.", after_ms=-1), ConfigError, "a whole number from 0 to 60000"),
    (lambda: Reassurance("Wait.", after_ms=1.5), ConfigError, "a whole number from 0 to 60000"),
    (
        lambda: Tool("x", webhook_url="hooks.example"),
        ConfigError,
        "webhook_url of tool 'x' cannot be used: A URL must begin with",
    ),
    (lambda: Tool("x", webhook_url="https://me:pw@hooks.example/"), ConfigError, "put credentials into headers"),
    (lambda: Tool("x", webhook_url=5), ConfigError, "A URL is int"),
    (lambda: tool(5), ConfigTypeError, "tool() was given 5; use it over a function"),
    (lambda: tool("x", name="x"), ConfigTypeError, "tool() was given 'x'"),
    (
        lambda: tool(handler=lookup, timeout=5),
        ConfigTypeError,
        "tool() does not know timeout; it takes allow_private, description",
    ),
    (lambda: tool(lookup, webhook_url=WEB), ConfigError, "has both of handler and webhook_url"),
    (lambda: tool(webhook_url=WEB), ConfigError, "name of a tool is ''"),
    (lambda: Tool("x", handler=(lambda: (yield))), ConfigError, "handler of tool 'x' is a generator; write it with async def"),
]


@pytest.mark.parametrize(("make", "kind", "sentence"), REFUSED, ids=[case[2] for case in REFUSED])
def test_what_is_no_tool_is_one_sentence(make, kind, sentence):
    with pytest.raises(kind) as refused:
        make()
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"handler": lookup, "allow_private": True}, "allow_private of tool 'x' is for webhooks and has no effect."),
        ({"handler": lookup, "headers": {"x-key": "1"}}, "headers of tool 'x' is for webhooks and has no effect."),
        ({"webhook_url": WEB, "idempotent": True}, "idempotent of tool 'x' is for handlers and has no effect."),
    ],
)
def test_what_has_no_effect_is_told_where_it_was_given(settings, sentence):
    with pytest.warns(PatterWarning) as told:
        Tool("x", **settings)
    assert [str(each.message) for each in told] == [sentence]
    assert told[0].filename == __file__


def test_what_has_an_effect_is_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Tool("x", webhook_url=WEB, allow_private=True, headers={"x-key": "1"})
        Tool("x", handler=lookup, idempotent=True)


# A tool as a value.


def test_a_tool_is_frozen_and_equal_by_what_it_holds():
    made = Tool("x", handler=lookup)
    with pytest.raises(FrozenInstanceError):
        made.name = "y"
    assert made == Tool("x", "Look up the weather.", handler=lookup)
    assert made != replace(made, timeout_s=2)
    assert replace(made, timeout_s=2).spec == made.spec
    assert len({made, Tool("x", handler=lookup), replace(made, name="y")}) == 2


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])
@pytest.mark.parametrize("handler", [lookup, lookup_later, Desk().book, Desk()], ids=["sync", "async", "method", "object"])
def test_a_tool_survives_being_copied(again, handler):
    made = Tool("x", handler=handler, reassurance="Wait.", parameters=CITY)
    made.spec  # noqa: B018 (what was computed on the way must not stand in the way)
    copied = again(made)
    if not inspect.ismethod(handler):  # which is equal only where its object is the same
        assert copied == made
    assert copied.spec == made.spec
    assert copied.bind('{"city": "Rome"}', CONTEXT).arguments == {"city": "Rome"}


def test_nothing_secret_is_shown():
    made = Tool("x", webhook_url="https://hooks.example/a?key=hunter2", headers={"Authorization": "Bearer hunter2"})
    assert "hunter2" not in repr(made)
    assert re.fullmatch(r"Tool\('x', https://hooks\.example/a\?•••#[0-9a-f]{8}\)", repr(made))
    assert repr(Tool("x", webhook_url="https://hooks.example/a")) == "Tool('x', https://hooks.example/a)"
    assert repr(Tool("x", handler=lookup)) == "Tool('x', lookup)"


def test_a_webhook_is_not_called_by_hand():
    with pytest.raises(ConfigError, match="tool 'x' is a webhook"):
        Tool("x", webhook_url=WEB)()


# A tool and a model's arguments.


def run(bound):
    """What one execution gives, as a list for what gives several."""

    async def gather(generator):
        return [each async for each in generator]

    if bound.kind == "async":
        return asyncio.run(bound.call())
    return asyncio.run(gather(bound.call())) if bound.kind == "progress" else bound.call()


STEPS = [{"progress": "looking"}, {"result": "Rome"}]
HANDLERS = [
    (lookup, "sync", ("Rome", 1)),
    (lookup_later, "async", "Rome"),
    (lookup_in_steps, "progress", STEPS),
    (Desk("front").book, "sync", ("front", "Rome")),
    (Desk("front").book_later, "async", ("front", "Rome")),
    (Desk("front"), "sync", ("front", "Rome")),
    (LaterDesk(), "async", ("later", "Rome")),
    (StepsDesk(), "progress", ["Rome"]),
    (functools.partial(lookup, days=3), "sync", ("Rome", 3)),
    (functools.partial(lookup_later), "async", "Rome"),
    (functools.partial(lookup_in_steps), "progress", STEPS),
    (functools.partial(LaterDesk()), "async", ("later", "Rome")),
]


@pytest.mark.parametrize(("handler", "kind", "result"), HANDLERS)
def test_every_kind_of_handler_is_called_in_its_way(handler, kind, result):
    bound = tool(name="x", handler=handler).bind('{"city": "Rome"}', CONTEXT)
    assert (bound.name, bound.kind, bound.arguments) == ("x", kind, {"city": "Rome"})
    assert run(bound) == result


def both_dictionaries(arguments, call_context):
    return arguments, call_context


def by_name(city):
    return city


def by_name_with_more(city, days=1, *, call_context, call_control):
    return city, days, call_context, call_control


def all_names(**arguments):
    return arguments


def one_dictionary(args):
    return args


def one_dictionary_without_a_name(args, /):
    return args


def two_dictionaries(args, ctx):
    return args, ctx


def dictionary_and_optional_context(args, ctx=None):
    return args, ctx


CONTROL = object()
CONVENTIONS = [
    (both_dictionaries, None, '{"city": "Rome"}', ({"city": "Rome"}, CONTEXT)),
    (both_dictionaries, CITY, '{"city": "Rome"}', ({"city": "Rome"}, CONTEXT)),
    (by_name, CITY, '{"city": "Rome"}', "Rome"),
    (by_name_with_more, CITY, '{"city": "Rome"}', ("Rome", 1, CONTEXT, CONTROL)),
    (all_names, CITY, '{"city": "Rome"}', {"city": "Rome"}),
    (one_dictionary, CITY, '{"city": "Rome"}', {"city": "Rome"}),
    (one_dictionary, NONE, "{}", {}),
    (one_dictionary_without_a_name, {**CITY, "properties": {"args": {}, "city": {}}}, '{"city": "Rome"}', {"city": "Rome"}),
    (two_dictionaries, CITY, '{"city": "Rome"}', ({"city": "Rome"}, CONTEXT)),
    (dictionary_and_optional_context, CITY, '{"city": "Rome"}', ({"city": "Rome"}, CONTEXT)),
]


@pytest.mark.parametrize(("handler", "parameters", "text", "result"), CONVENTIONS)
def test_a_handler_gets_its_arguments_as_it_is_written(handler, parameters, text, result):
    made = Tool("x", parameters=parameters, handler=handler)
    assert run(made.bind(text, CONTEXT, CONTROL)) == result


def test_a_handler_cannot_change_the_context_of_others():
    made = Tool("x", handler=both_dictionaries)
    _, context = run(made.bind("{}", CONTEXT))
    context["caller"] = "changed"
    assert CONTEXT["caller"] == "+1555"


def too_few(city): ...
def two_others(city, zip_code): ...
def too_many(args, context, more): ...
def nothing(): ...


@pytest.mark.parametrize("handler", [too_few, two_others, too_many, nothing])
def test_a_handler_that_does_not_fit_the_parameters_given_is_told(handler):
    schema = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
    with pytest.raises(ConfigError, match="with the parameters given it must take city, days, or one dictionary of arguments"):
        Tool("x", parameters=schema, handler=handler)


NOT_ARGUMENTS = [
    ("{", "The arguments of x are not JSON"),
    ("city", "The arguments of x are not JSON"),
    ('{"city": NaN}', "NaN is no number of JSON"),
    ('{"city": -Infinity}', "-Infinity is no number of JSON"),
    ('{"city": 1e999}', "1e999 is no number of JSON"),
    ('{"city": ' + "9" * 5000 + "}", "The arguments of x are not JSON"),
    ("[" * 50_000, "The arguments of x are not JSON"),
    ('{"a":' * 15_000, "The arguments of x are not JSON"),
    ('["Rome"]', "The arguments of x must be a JSON object, not list."),
    ('"Rome"', "The arguments of x must be a JSON object, not str."),
    ("5", "must be a JSON object, not int."),
    ('{"city": "' + "x" * 100_000 + '"}', "characters, which is too long"),
    ('{"city": "\\ud800"}', "The arguments of x do not fit"),
]


@pytest.mark.parametrize(("text", "sentence"), NOT_ARGUMENTS, ids=[case[0][:20] for case in NOT_ARGUMENTS])
def test_what_is_no_object_of_arguments_is_a_sentence_for_the_model(text, sentence):
    with pytest.raises(ToolArgumentsError) as refused:
        tool(name="x", handler=lookup).bind(text, CONTEXT)
    assert sentence in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("text", ["", "null", "{}"])
def test_no_arguments_may_be_written_in_three_ways(text):
    assert Tool("x", handler=lambda: "done").bind(text, CONTEXT).call() == "done"


def test_a_webhook_without_parameters_takes_none():
    with pytest.raises(ToolArgumentsError, match="x takes no arguments"):
        Tool("x", webhook_url=WEB).bind('{"city": "Rome"}', CONTEXT)


def test_a_webhook_with_parameters_checks_them():
    made = Tool("x", parameters=CITY, webhook_url=WEB)
    bound = made.bind(json.dumps({"city": "Rome"}), CONTEXT)
    assert (bound.kind, bound.arguments) == ("webhook", {"city": "Rome"})
    assert inspect.iscoroutinefunction(bound.call)
    with pytest.raises(ToolArgumentsError, match="city is missing"):
        made.bind("{}", CONTEXT)
