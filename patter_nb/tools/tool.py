"""A tool: something an agent can do besides talking. A function of yours, or a web address that does it."""

from __future__ import annotations

import inspect
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, partial
from typing import Any, Literal, TypedDict, Unpack, overload

from patter_nb.errors import ConfigError, ConfigTypeError, PatterError, brief, warn
from patter_nb.providers.base import ToolSpec
from patter_nb.tools.docstrings import docstring, inmost, summary
from patter_nb.tools.given import check_arguments, checked_parameters
from patter_nb.tools.schema import HANDED_IN, Signature, ToolArgumentsError
from patter_nb.tools.strict import strict_schema
from patter_nb.web.address import AddressError, check_form, shown_url

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What OpenAI and Anthropic take as the name of a tool."""

SHORTEST_SECONDS, LONGEST_SECONDS = 0.1, 300.0
MOST_CHARACTERS = 100_000
"""The longest arguments that are read; a model writes some hundreds."""

Kind = Literal["sync", "async", "progress", "webhook"]
Convention = Literal["keywords", "arguments", "arguments and context"]


class ToolError(PatterError):
    """A tool could not do what it was asked for; the message is for the model."""


@dataclass(frozen=True, slots=True)
class Reassurance:
    """What is said while a tool takes longer than `after_ms`, if nothing else is to be heard."""

    text: str
    after_ms: int = 1500

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not any(map(str.isalnum, self.text)):
            raise ConfigError(f"text of a reassurance is {brief(self.text)}; it must hold words to say.")
        if isinstance(self.after_ms, bool) or not isinstance(self.after_ms, int) or not 0 <= self.after_ms <= 60_000:
            raise ConfigError(f"after_ms of a reassurance is {brief(self.after_ms)}; it must be a whole number from 0 to 60000.")


@dataclass(slots=True)
class Bound:
    """One execution of a tool, its arguments checked. `call` takes nothing and does it."""

    name: str
    kind: Kind
    call: Callable[[], Any]
    arguments: dict[str, Any]
    attempts: int = 1
    """How often it was tried so far."""


@dataclass(frozen=True)
class Tool:
    """A function or a web address that a model may call: exactly one of `handler` and `webhook_url`.

    A handler is called with the arguments by their names, checked and in their annotated types. Written as `(arguments,
    call_context)` it gets two dictionaries; parameters named `call_context` (`{"call_id", "caller", "callee"}`) and
    `call_control` (a `CallControl`) are handed in. Sync handlers run in a thread, async ones on the notebook's loop; async
    generators report on the way with `yield {"progress": "..."}` and end with `yield {"result": ...}`. What a handler returns is
    told to the model, as JSON unless it is a string; what it raises is told as an error.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] | None = None
    """A JSON schema of an object. None: from the handler's signature and docstring; for a webhook: no arguments."""
    handler: Callable[..., Any] | None = None
    webhook_url: str = ""
    """Is sent `{"tool", "arguments", "call_id", "caller", "callee"}` as JSON, and answers with JSON."""
    strict: bool = False
    """Close the schema and require all of it, as strict tool calling of some providers wants."""
    reassurance: Reassurance | str | None = None
    timeout_s: float = 10.0
    """How long the model waits for it, all attempts together: 0.1 to 300 s."""
    idempotent: bool = False
    """Doing it twice does no harm, so a handler that raises is called up to three times. (A webhook is always asked again when
    it cannot be reached; its `Idempotency-Key` tells it so.)"""
    allow_private: bool = False
    """Let a webhook lead to this machine or its networks, for development."""
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    """Sent with a webhook, such as its credentials. Never shown."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not NAME.fullmatch(self.name):
            form = "1 to 64 letters, digits, hyphens or underscores"
            raise ConfigError(f"name of a tool is {brief(self.name)}; it must be {form}.")
        if (self.handler is None) == (not self.webhook_url):
            both = "both" if self.webhook_url else "neither"
            raise ConfigError(f"tool {self.name!r} has {both} of handler and webhook_url; give it exactly one.")
        if self.handler is not None and (not callable(self.handler) or isinstance(self.handler, type)):
            raise ConfigTypeError(f"handler of tool {self.name!r} is {brief(self.handler)}; it must be a function.")
        if self.handler is not None and _is(inspect.isgeneratorfunction, self.handler):
            raise ConfigError(f"handler of tool {self.name!r} is a generator; write it with async def, or return a value.")
        self._check_settings()
        if not isinstance(self.description, str):
            raise ConfigTypeError(f"description of tool {self.name!r} is {brief(self.description)}; it must be a string.")
        if not self.description and self.handler is not None:
            object.__setattr__(self, "description", summary(docstring(self.handler)))
        if self.parameters is not None:
            object.__setattr__(self, "parameters", checked_parameters(self.name, self.parameters))
        self.spec  # noqa: B018 (what is wrong with a signature is told here, and not in a call)
        if self.handler is not None:
            self.convention  # noqa: B018 (the same)
            # So that it is documented as the function it was made of.
            self.__dict__.update(__doc__=inspect.getdoc(inmost(self.handler)), __wrapped__=self.handler)

    def _check_settings(self) -> None:
        for name in ("strict", "idempotent", "allow_private"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigTypeError(f"{name} of tool {self.name!r} is {brief(getattr(self, name))}; it must be True or False.")
        seconds = self.timeout_s
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise ConfigTypeError(f"timeout_s of tool {self.name!r} is {brief(seconds)}; it must be a number of seconds.")
        if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
            raise ConfigError(f"timeout_s of tool {self.name!r} is {brief(seconds)}; it must lie from 0.1 to 300.")
        if isinstance(self.reassurance, str):
            object.__setattr__(self, "reassurance", Reassurance(self.reassurance) if self.reassurance else None)
        elif self.reassurance is not None and not isinstance(self.reassurance, Reassurance):
            given = brief(self.reassurance)
            raise ConfigTypeError(f"reassurance of tool {self.name!r} is {given}; it must be a text or a Reassurance.")
        if self.webhook_url:
            try:
                check_form(self.webhook_url)
            except AddressError as error:
                raise ConfigError(f"webhook_url of tool {self.name!r} cannot be used: {error}") from None
        for setting in ("idempotent",) if self.webhook_url else ("allow_private", "headers"):
            if getattr(self, setting):
                of = "handlers" if self.webhook_url else "webhooks"
                warn(f"{setting} of tool {self.name!r} is for {of} and has no effect.")

    @property
    def filler(self) -> Reassurance | None:
        """The reassurance, in the one form it has once the tool is made."""
        assert not isinstance(self.reassurance, str)
        return self.reassurance

    @cached_property
    def spec(self) -> ToolSpec:
        """The tool as a model is told of it."""
        if self.parameters is not None:
            schema = dict(self.parameters)
        else:
            schema = {"type": "object", "properties": {}} if self.signature is None else self.signature.schema
        return ToolSpec(self.name, self.description, strict_schema(self.name, schema) if self.strict else schema)

    @cached_property
    def signature(self) -> Signature | None:
        """The handler's parameters, where they are the schema."""
        if self.handler is None or self.parameters is not None or self.convention != "keywords":
            return None
        return Signature(self.handler, self.name)

    @cached_property
    def convention(self) -> Convention:
        """How the handler wants its arguments."""
        assert self.handler is not None
        try:
            taken = inspect.signature(self.handler).parameters
        except (TypeError, ValueError):  # a builtin that does not tell
            return "keywords" if self.parameters is None else "arguments"
        if list(taken) == ["arguments", "call_context"]:
            return "arguments and context"
        if self.parameters is None:
            return "keywords"
        return _convention(self.name, taken, set(self.parameters["properties"]))

    def bind(self, text: str, context: Mapping[str, Any], control: object = None) -> Bound:
        """One execution, with arguments that a model wrote as JSON. `ToolArgumentsError` tells the model what does not fit."""
        arguments = read_arguments(self.name, text)
        if self.signature is not None:
            values = self.signature.check(json.dumps(arguments), self.name)
        else:
            values = arguments
            if self.parameters is not None:
                check_arguments(self.name, self.parameters, arguments)
            elif self.handler is None and arguments:
                raise ToolArgumentsError(f"{self.name} takes no arguments.")
        if self.handler is None:
            return self._webhook(arguments, context)
        return Bound(self.name, _kind(self.handler), self._call(values, context, control), arguments)

    def _call(self, values: dict[str, Any], context: Mapping[str, Any], control: object) -> Callable[[], Any]:
        assert self.handler is not None
        if self.convention == "arguments and context":
            return partial(self.handler, values, dict(context))
        if self.convention == "arguments":
            return partial(self.handler, values)
        wanted = _parameter_names(self.handler)
        handed = {"call_context": dict(context), "call_control": control}
        return partial(self.handler, **values, **{name: handed[name] for name in HANDED_IN if name in wanted})

    def _webhook(self, arguments: dict[str, Any], context: Mapping[str, Any]) -> Bound:
        from patter_nb.tools.webhook import call_webhook

        async def call() -> Any:
            return await call_webhook(self, bound, context)

        bound = Bound(self.name, "webhook", call, arguments)
        return bound

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the handler as the function that it is."""
        if self.handler is None:
            raise ConfigError(f"tool {self.name!r} is a webhook; only a call can use it.")
        return self.handler(*arguments, **named)

    def __getstate__(self) -> dict[str, Any]:
        made = ("spec", "signature", "convention")  # they are made anew where it is unpickled
        return {name: value for name, value in self.__dict__.items() if name not in made}

    def __hash__(self) -> int:
        return hash((self.name, self.handler, self.webhook_url))

    def __repr__(self) -> str:
        what = shown_url(self.webhook_url) or getattr(self.handler, "__qualname__", type(self.handler).__name__)
        return f"Tool({self.name!r}, {what})"


class ToolSettings(TypedDict, total=False):
    """The fields of `Tool` that `tool(...)` takes beside a handler or a web address."""

    name: str
    description: str
    parameters: Mapping[str, Any] | None
    strict: bool
    reassurance: Reassurance | str | None
    timeout_s: float
    idempotent: bool
    allow_private: bool
    headers: Mapping[str, str] | None


@overload
def tool(fn: Callable[..., Any], /, **settings: Unpack[ToolSettings]) -> Tool: ...
@overload
def tool(*, handler: Callable[..., Any], **settings: Unpack[ToolSettings]) -> Tool: ...
@overload
def tool(*, webhook_url: str, **settings: Unpack[ToolSettings]) -> Tool: ...
@overload
def tool(**settings: Unpack[ToolSettings]) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(fn: Callable[..., Any] | None = None, /, **settings: Any) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """A `Tool`: of a function (`@tool`, `@tool(timeout_s=2)`), or of its settings (`tool(name="...", handler=...)`)."""
    known = set(Tool.__dataclass_fields__)
    if unknown := sorted(set(settings) - known):
        raise ConfigTypeError(f"tool() does not know {', '.join(unknown)}; it takes {', '.join(sorted(known))}.")
    if fn is not None:
        if not callable(fn):
            raise ConfigTypeError(f"tool() was given {brief(fn)}; use it over a function, or with name= and handler=.")
        return Tool(**{"name": _name_of(fn), **settings, "handler": fn})
    handler = settings.get("handler")
    if handler is not None or settings.get("webhook_url"):
        return Tool(**{"name": _name_of(handler) if handler is not None else "", **settings})
    return lambda function: Tool(**{"name": _name_of(function), **settings, "handler": function})


def _shown_signature() -> inspect.Signature:
    """What a notebook shows of `tool` (Shift-Tab) and completes: all that it takes, with its usual value."""
    fn = inspect.Parameter("fn", inspect.Parameter.POSITIONAL_ONLY, default=None)
    named = [
        inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default="" if each.name == "name" else each.default)
        for each in fields(Tool)
    ]
    return inspect.Signature([fn, *named])


vars(tool)["__signature__"] = _shown_signature()


def read_arguments(name: str, text: str) -> dict[str, Any]:
    """The arguments that a model wrote for this tool. `ToolArgumentsError` for what is no JSON object."""
    if len(text) > MOST_CHARACTERS:
        raise ToolArgumentsError(f"The arguments of {name} have {len(text)} characters, which is too long.")
    try:
        arguments = json.loads(text or "{}", parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError) as error:  # the latter from deep nesting
        raise ToolArgumentsError(f"The arguments of {name} are not JSON: {error}.") from None
    if arguments is None:
        return {}
    if not isinstance(arguments, dict):
        raise ToolArgumentsError(f"The arguments of {name} must be a JSON object, not {type(arguments).__name__}.")
    return arguments


def _name_of(function: Callable[..., Any]) -> str:
    function = inmost(function)
    return str(getattr(function, "__name__", type(function).__name__))


def _convention(name: str, taken: Mapping[str, inspect.Parameter], properties: set[str]) -> Convention:
    """Which of the three ways fits a handler whose schema was given."""
    positional = [each for each in taken.values() if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    anything = any(each.kind is each.VAR_KEYWORD for each in taken.values())
    named = {
        key
        for key, each in taken.items()
        if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY) and key not in HANDED_IN
    }
    needed = {each.name for each in taken.values() if each.default is each.empty and each.kind is not each.VAR_KEYWORD}
    if (properties <= named or anything) and needed - set(HANDED_IN) <= properties:
        return "keywords"
    if len(positional) in (1, 2) and not properties & named:
        return "arguments" if len(positional) == 1 else "arguments and context"
    raise ConfigError(
        f"handler of tool {name!r} takes {', '.join(taken) or 'nothing'}; with the parameters given it must take "
        f"{', '.join(sorted(properties)) or 'nothing'}, or one dictionary of arguments, or that and the call's context."
    )


def _parameter_names(function: Callable[..., Any]) -> set[str]:
    try:
        return set(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return set()


def _kind(handler: Callable[..., Any]) -> Kind:
    if _is(inspect.isasyncgenfunction, handler):
        return "progress"
    return "async" if _is(inspect.iscoroutinefunction, handler) else "sync"


def _is(asked: Callable[[object], bool], function: Callable[..., Any]) -> bool:
    """Whether the function, or the `__call__` of an object, is what is asked."""
    return asked(function) or asked(getattr(inmost(function), "__call__", None))  # noqa: B004


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)
