"""A user's own code between the stages of a pipeline.

The order in a call: `before_send_to_stt` (each piece of the caller's audio), `after_transcribe` (each final transcript),
`before_llm` (each request to the model), `after_llm` (tokens, sentences or the whole answer), `before_synthesize` (each
sentence), `after_synthesize` (each piece of its audio). All may be sync or async, except `after_llm.on_chunk`, which runs for
every token. They run where the call runs, so what is slow in them makes the caller wait, and the turn's row says how long. A hook
that raises, takes longer than 5 s or returns something of the wrong type is skipped and its error stands in the row; with
`fail_closed=True` what it was to look at goes no further.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from patter_nb.audio.formats import AudioFormat
from patter_nb.errors import ConfigError, ConfigTypeError

Hook = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class HookContext:
    """What a hook may know of the call."""

    call_id: str
    caller: str
    """The caller's number."""
    callee: str
    history: tuple[dict[str, Any], ...] = ()
    """The conversation so far as it was heard: `{"role": ..., "content": ...}`, with tool calls in OpenAI's shape. Empty for the
    two audio hooks, which run many times a second."""
    audio: AudioFormat | None = None
    """The format of the audio an audio hook is given; None for the others."""


@dataclass(frozen=True, kw_only=True)
class AfterLLM:
    """The three tiers of `after_llm`: what the model wrote, before the voice says it."""

    on_chunk: Callable[[str], Any] | None = None
    """`(chunk) -> str | None`, sync, for each piece of text as it comes: None keeps the piece, "" drops it."""
    on_sentence: Hook | None = None
    """`(sentence, ctx) -> str | None`: None keeps the sentence, "" drops it."""
    on_response: Hook | None = None
    """`(text, ctx) -> str | None`: None keeps the answer, "" says nothing. The whole answer waits for it."""

    def __post_init__(self) -> None:
        for each in fields(self):
            _check_hook(f"after_llm.{each.name}", getattr(self, each.name))
        if inspect.iscoroutinefunction(self.on_chunk):
            raise ConfigTypeError("after_llm.on_chunk is async; it runs for every token and must be a plain function.")

    def __bool__(self) -> bool:
        return any(getattr(self, each.name) is not None for each in fields(self))


@dataclass(frozen=True, kw_only=True)
class PipelineHooks:
    """The six stages, in the order in which they run."""

    before_send_to_stt: Hook | None = None
    """`(audio, ctx) -> bytes | None`: the caller's audio as the recogniser will get it (`ctx.audio`); None drops the piece."""
    after_transcribe: Hook | None = None
    """`(transcript, ctx) -> str | None`: what it returns is all that anybody ever sees of those words; None: nothing was said."""
    before_llm: Hook | None = None
    """`(messages, ctx) -> list | None`: the messages of a request, without the system prompt's place being safe; None keeps
    them. It runs for each request, so also for the one that tells the model what its tools returned."""
    after_llm: AfterLLM | Mapping[str, Any] | Any = None
    """`AfterLLM`, a mapping or an object with some of `on_chunk`, `on_sentence`, `on_response`, or a function `(text, ctx)`,
    which is `on_response`."""
    before_synthesize: Hook | None = None
    """`(sentence, ctx) -> str | None`: None skips the sentence."""
    after_synthesize: Hook | None = None
    """`(audio, sentence, ctx) -> bytes | None`: audio as the voice made it (`ctx.audio`); None drops the piece."""
    fail_closed: bool = False
    """What happens to a stage's text or audio when its hook fails: False: it passes as it was; True: it does not pass. For
    `before_llm` that means that the model is not asked, and the reply fails."""

    def __post_init__(self) -> None:
        for name in ("before_send_to_stt", "after_transcribe", "before_llm", "before_synthesize", "after_synthesize"):
            _check_hook(name, getattr(self, name))
        if not isinstance(self.fail_closed, bool):
            raise ConfigTypeError(f"fail_closed is {self.fail_closed!r}; it must be True or False.")
        object.__setattr__(self, "after_llm", _three_tiers(self.after_llm))

    @property
    def tiers(self) -> AfterLLM:
        """`after_llm`, in the one form it has once the hooks are made."""
        assert isinstance(self.after_llm, AfterLLM)
        return self.after_llm


STAGES = tuple(each.name for each in fields(PipelineHooks) if each.name != "fail_closed")
"""The six, in the order in which they run."""

_TIERS = tuple(f"after_llm.{each.name}" for each in fields(AfterLLM))


def check_stage(stage: object) -> str:
    """`stage` itself; `ConfigError` with the six where it is none of them and no tier of `after_llm`."""
    if not isinstance(stage, str) or stage not in (*STAGES, *_TIERS):
        raise ConfigError(f"hook is for {stage!r}, which is no stage; there are {', '.join(STAGES)}.")
    return stage


def hook_at(hooks: PipelineHooks | None, stage: str) -> Any:
    """What stands at a stage ("after_transcribe") or a tier ("after_llm.on_sentence"); None where nothing does."""
    if hooks is None:
        return None
    stage, _, tier = stage.partition(".")
    return (getattr(hooks.tiers, tier) if tier else getattr(hooks, stage)) or None


def with_hook(hooks: PipelineHooks | None, stage: str, hook: Any) -> PipelineHooks | None:
    """The hooks with this one at a stage, in the place of what stood there; None takes it away, and no hooks at all are None."""
    hooks = hooks or PipelineHooks()
    stage, _, tier = stage.partition(".")
    changed: dict[str, Any] = {stage: replace(hooks.tiers, **{tier: hook}) if tier else hook}
    made = replace(hooks, **changed)
    return made if made.fail_closed or any(hook_at(made, each) for each in STAGES) else None


def _three_tiers(given: Any) -> AfterLLM:
    """`after_llm` in any of the forms it may be given in."""
    names = [each.name for each in fields(AfterLLM)]
    if given is None or isinstance(given, AfterLLM):
        return given or AfterLLM()
    if isinstance(given, Mapping):
        if unknown := sorted(set(map(str, given)) - set(names)):
            raise ConfigError(f"after_llm has the key {', '.join(map(repr, unknown))}; it takes {', '.join(names)}.")
        return AfterLLM(**given)
    if found := {name: getattr(given, name) for name in names if getattr(given, name, None) is not None}:
        return AfterLLM(**found)
    if callable(given) and not isinstance(given, type):
        return AfterLLM(on_response=given)
    raise ConfigTypeError(f"after_llm is {type(given).__name__}; it must have at least one of {', '.join(names)}.")


def _check_hook(name: str, value: object) -> None:
    if value is not None and not callable(value):
        raise ConfigTypeError(f"{name} is {type(value).__name__} {value!r}; it must be a function, or None.")
