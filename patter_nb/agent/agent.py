"""`Agent`: all that an agent is told, frozen, and checked when it is made."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, get_args

from patter_nb.agent import checks
from patter_nb.agent.describe import described
from patter_nb.agent.display import agent_html
from patter_nb.agent.modes import DEFAULT_MODEL, DEFAULT_VOICE, ENGINE_ONLY, PIPELINE_ONLY, Engine, ProviderMode
from patter_nb.agent.variables import read_variables
from patter_nb.audio.background import check_background
from patter_nb.audio.plug import check_filter, check_vad
from patter_nb.barge_in import BargeInStrategy
from patter_nb.errors import ConfigError, ConfigTypeError, brief, warn
from patter_nb.guardrails import Guardrail
from patter_nb.hooks import PipelineHooks
from patter_nb.providers.base import LLM, STT, TTS
from patter_nb.text import PHONE_PREAMBLE
from patter_nb.tools import Tool
from patter_nb.turns.policy import TurnPolicy

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""Only `{identifier}` is a placeholder, so JSON braces in a prompt pass."""

USUAL = TurnPolicy()

LONGEST_NAME = 255
"""Characters of an agent's name, which databases keep in an index."""

USE_STRATEGY = "use MinWordsStrategy(min_words=3), or a class with both"


@dataclass(frozen=True, kw_only=True)
class Agent:
    """Everything an agent is told: who it is, with what it hears, thinks and speaks, and by which rules.

    Frozen: a changed agent is a new one (`agent.edited(...)`, or `phone.agent(...)` again). Wrong values raise `ConfigError`
    (a `ValueError`) or `ConfigTypeError` (also a `TypeError`) here, never inside a call. What the agent's mode has no use for
    warns (`PatterWarning`). When an edit of each field takes effect is in `patter_nb.agent.APPLIES`.
    """

    system_prompt: str
    """What the model is told; `{variables}` are filled in when a reply begins."""
    stt: STT | None = None
    """Speech to text. With `tts` it makes a pipeline."""
    llm: LLM | None = None
    """The model of a pipeline. None: the call must be given `on_message`, which answers instead."""
    tts: TTS | None = None
    """Text to speech."""
    engine: Engine | None = None
    """A speech-to-speech service instead of the three."""
    provider: ProviderMode | None = None
    """The mode; None: what `engine`, or `stt` and `tts`, say. Once made, an agent always has one of the three."""
    first_message: str = ""
    """Spoken when the line opens; empty: the caller speaks first. `{variables}` are filled in here too."""
    variables: Mapping[str, object] | None = None
    """Values of the placeholders. None: nothing is replaced and nothing is checked; given: an unknown placeholder raises. The
    agent keeps a copy that cannot be changed."""
    name: str = "agent"
    """Revisions of one name form a line."""
    language: str = "en"
    """A tag such as "en" or "en-US"; it must be one of the `languages` of the providers that name theirs."""
    voice: str | None = None
    """The voice of an engine; None: the engine's own, or "alloy". A pipeline's voice belongs to `tts`."""
    model: str | None = None
    """The model of an engine; None: the engine's own, or the default. A pipeline's model belongs to `llm`."""
    tools: Sequence[Tool] | None = ()
    """What it can do besides talking. `transfer_call` and `end_call` are always there; a tool of that name replaces them."""
    mcp_servers: Sequence[Any] | None = ()
    """Servers of the Model Context Protocol whose tools it also has: a URL, `{"url", "headers", "name"}`, or
    `{"command", "args", "env"}`. Connected when a call begins, kept for the call."""
    guardrails: Sequence[Guardrail] | None = ()
    """What it must not say; the first that matches replaces the rest of the answer."""
    hooks: PipelineHooks | None = None
    """Your code between the stages of a pipeline."""
    text_transforms: Sequence[Callable[[str], str]] | None = ()
    """Applied in order to each sentence before the voice gets it, such as `filter_for_tts`."""
    disable_phone_preamble: bool = False
    """Leave out the sentences ahead of the system prompt that tell a model how to speak on a telephone."""
    vad: Any = None
    """Voice activity detection of your own: a `VoiceModel`, or an object with `process_frame(pcm, sample_rate)`."""
    audio_filter: Any = None
    """Sees the caller's audio before anything else does: an object with `process(pcm, sample_rate)`, or a function of samples."""
    background_audio: Any = None
    """A `BackgroundAudioPlayer`: heard under the agent's voice."""
    hangover_ms: int = round(USUAL.hangover_seconds * 1000)
    """Silence granted after the caller's last word before the agent takes the turn, in ms, at least 150:
    voice activity needs that long to be sure of a silence."""
    barge_in_threshold_ms: int = round((USUAL.barge_in_seconds or 0.0) * 1000)
    """Speech over the agent that interrupts it, in ms; 0: the agent cannot be interrupted."""
    barge_in_strategies: Sequence[BargeInStrategy] | None = ()
    """If any, one of them must confirm by the caller's words that speech over the threshold is an interruption."""
    barge_in_confirm_ms: int = 1500
    """How long after the threshold they may take; then it was a backchannel and the agent goes on. At least 100."""
    aggressive_first_flush: bool = False
    """Let the first clause of a reply go to the voice before its sentence is complete."""
    prewarm: bool = True
    """Open model, voice and recogniser before the call is answered; False: when it is."""
    prewarm_first_message: bool | None = None
    """Let the voice render the greeting before the call is answered. None: yes in a pipeline, as far as the voice can."""
    llm_error_message: str | None = None
    """Spoken when a reply fails before anything of it was heard. None: a plain apology; empty: nothing."""
    max_duration_seconds: float = USUAL.max_duration_seconds
    """Length after which the agent says goodbye and hangs up."""
    max_cost_usd: float = 2.0
    """Cost of a call after which the agent says goodbye and hangs up: what its providers reported, and the line by the clock, as
    far as their prices are known."""

    def __post_init__(self) -> None:
        self._tell_unused(self._settle())

    def _settle(self) -> list[str]:
        """Check every field and give it the form it keeps; the names of those that the mode has no use for."""
        self._check_texts()
        unused = self._settle_mode()
        self._check_rules()
        self._check_numbers()
        if self.variables is not None:
            self._set("variables", read_variables(self.variables))
            for name in ("system_prompt", "first_message"):
                self._fill(name)
        return unused

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _check_texts(self) -> None:
        for name in ("system_prompt", "first_message", "name", "language"):
            checks.expect(name, getattr(self, name), str, "a string")
        if not self.system_prompt.strip():
            raise ConfigError("system_prompt is empty: say in a sentence or two who the agent is and what it knows.")
        if not self.name.strip():
            raise ConfigError("name is empty: give the agent a name, or leave it out.")
        if self.name != self.name.strip() or not self.name.isprintable():
            raise ConfigError(f"name is {brief(self.name)}; write it in one line, without white space around it.")
        if len(self.name) > LONGEST_NAME:
            raise ConfigError(f"name has {len(self.name)} characters; {LONGEST_NAME} are the most.")
        for name in ("llm_error_message", "voice", "model"):
            if getattr(self, name) is not None:
                checks.expect(name, getattr(self, name), str, "a string or None")
        if self.prewarm_first_message is not None:  # before the mode makes one of the two of it
            checks.expect("prewarm_first_message", self.prewarm_first_message, bool, "True, False or None")

    def _settle_mode(self) -> list[str]:
        """One of the three modes, with what it needs; returns what is of another."""
        if self.provider is not None and self.provider not in get_args(ProviderMode):
            raise ConfigError(f"provider is {brief(self.provider)}; it must be one of {', '.join(get_args(ProviderMode))}.")
        if self.engine is None and self.provider in (None, "pipeline"):
            return self._settle_pipeline()
        return self._settle_engine()

    def _settle_pipeline(self) -> list[str]:
        for name, kind in (("stt", STT), ("llm", LLM), ("tts", TTS)):
            value = getattr(self, name)
            if value is not None:
                checks.check_provider(name, value, kind)
            elif name != "llm":
                raise ConfigError(
                    f"{name} is missing: a pipeline needs stt= and tts=, such as LocalSTT() and LocalTTS(), which need no key; "
                    "or give engine=."
                )
        for name in ("stt", "tts"):
            checks.check_formats(name, getattr(self, name).formats)
        checks.check_language(self.language, [("stt", self.stt), ("llm", self.llm), ("tts", self.tts)])
        usual = {"voice": DEFAULT_VOICE, "model": DEFAULT_MODEL}
        unused = [name for name in ENGINE_ONLY if getattr(self, name) not in (None, usual[name])]
        self._set("provider", "pipeline")
        for name, value in usual.items():
            self._set(name, getattr(self, name) or value)
        self._set("prewarm_first_message", self.prewarm_first_message is not False)
        return unused

    def _settle_engine(self) -> list[str]:
        if given := [name for name in ("stt", "llm", "tts") if getattr(self, name) is not None]:
            what = "engine= is given" if self.engine is not None else f"provider is {self.provider!r}"
            raise ConfigError(f"{what}, and so is {given[0]}=: an engine hears, thinks and speaks by itself; leave one out.")
        if self.engine is None:
            raise ConfigError(f"engine is missing: provider={self.provider!r} needs one; or give stt=, llm= and tts=.")
        if not isinstance(self.engine, Engine) or isinstance(self.engine, type):
            wanted = "a speech-to-speech service, such as OpenAIRealtime()"
            raise ConfigTypeError(f"engine is {brief(self.engine)}; it must be {wanted}.")
        if self.engine.kind not in get_args(ProviderMode) or self.engine.kind == "pipeline":
            raise ConfigError(f"engine.kind is {brief(self.engine.kind)}; it must be openai_realtime or elevenlabs_convai.")
        if self.provider not in (None, self.engine.kind):
            raise ConfigError(f"provider is {self.provider!r}, but engine is of {self.engine.kind!r}: leave provider= out.")
        checks.check_language(self.language, [("engine", self.engine)])
        self._set("provider", self.engine.kind)
        self._set("voice", self.voice or self.engine.voice or DEFAULT_VOICE)
        self._set("model", self.model or self.engine.model or DEFAULT_MODEL)
        defaults = {f.name: f.default for f in fields(self)}
        unused = [name for name in PIPELINE_ONLY if getattr(self, name) not in (None, False, (), [], defaults[name])]
        self._set("prewarm_first_message", False)
        return unused

    def _tell_unused(self, names: Sequence[str]) -> None:
        if names:
            told = "does not apply" if len(names) == 1 else "do not apply"
            warn(f"{', '.join(names)} {told} to the mode {self.provider!r} and will not be used.")

    def _check_rules(self) -> None:
        for name, kind, what, of_functions in (
            ("tools", Tool, "Tool objects", "use @tool or tool(handler={name})"),
            ("guardrails", Guardrail, "Guardrail objects", 'use Guardrail("a name", check={name})'),
            ("text_transforms", None, "functions of a string", ""),
            ("barge_in_strategies", BargeInStrategy, "objects with evaluate() and reset()", USE_STRATEGY),
        ):
            self._set(name, checks.several(name, getattr(self, name), kind, what, of_functions))
        checks.unique("tools", [tool.name for tool in self.tools or ()])
        checks.unique("guardrails", [rail.name for rail in self.guardrails or ()])
        checks.replacements(tuple(self.guardrails or ()))
        if self.hooks is not None:
            checks.expect("hooks", self.hooks, PipelineHooks, "a PipelineHooks")
        if self.mcp_servers:
            from patter_nb.tools.mcp import read_servers

            self._set("mcp_servers", tuple(read_servers(self.mcp_servers)))
        else:
            self._set("mcp_servers", checks.several("mcp_servers", self.mcp_servers, None, "servers"))
        for value, check in ((self.vad, check_vad), (self.audio_filter, check_filter), (self.background_audio, check_background)):
            if value is not None:
                check(value)

    def _check_numbers(self) -> None:
        checks.in_range("hangover_ms", self.hangover_ms, 150, 5000)
        checks.in_range("barge_in_threshold_ms", self.barge_in_threshold_ms, 0, 5000)
        checks.in_range("barge_in_confirm_ms", self.barge_in_confirm_ms, 100, 10_000)
        checks.in_range("max_duration_seconds", self.max_duration_seconds, 1, 4 * 3600)
        checks.in_range("max_cost_usd", self.max_cost_usd, 0.01, 1000)
        for name in ("aggressive_first_flush", "disable_phone_preamble", "prewarm"):
            checks.expect(name, getattr(self, name), bool, "True or False")

    @property
    def prompt(self) -> str:
        """`system_prompt` with its variables filled in."""
        return self._fill("system_prompt")

    @property
    def instructions(self) -> str:
        """What the model is told first: the phone preamble, unless it is left out, then `prompt`."""
        told = not self.disable_phone_preamble and getattr(self.llm, "phone_preamble", True)
        return f"{PHONE_PREAMBLE}\n\n{self.prompt}" if told else self.prompt

    @property
    def greeting(self) -> str:
        """`first_message` with its variables filled in."""
        return self._fill("first_message")

    def policy(self) -> TurnPolicy:
        """The numbers the turn engine runs with."""
        return TurnPolicy(
            hangover_seconds=self.hangover_ms / 1000,
            barge_in_seconds=self.barge_in_threshold_ms / 1000 or None,
            confirm_seconds=self.barge_in_confirm_ms / 1000 if self.barge_in_strategies else None,
            max_duration_seconds=self.max_duration_seconds,
            ends_turns="provider" if self.stt is None else self.stt.ends_turns,
            fallback=USUAL.fallback if self.llm_error_message is None else self.llm_error_message,
        )

    def edited(self, **changes: Any) -> Agent:
        """A copy with these fields changed, checked like any other. `ConfigTypeError` for a field that does not exist."""
        known = {each.name for each in fields(self)}
        if unknown := [name for name in changes if name not in known]:
            raise ConfigTypeError(f"an agent has no {', '.join(unknown)}; it has {', '.join(sorted(known))}.")
        agent = object.__new__(type(self))
        agent.__dict__.update({**self.__dict__, **self._engine_leaves(changes), **changes})
        unused = agent._settle()
        if agent.provider == self.provider:  # what was of no use before has been told where it was given
            unused = [name for name in unused if name in changes and changes[name] != getattr(self, name)]
        agent._tell_unused(unused)
        return agent

    def _engine_leaves(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """With another engine, or none, what the old one settled goes, to be settled anew. A voice and a model that were given
        beside it are names of its service, and stay for another engine of the same kind."""
        if "engine" not in changes or changes["engine"] == self.engine:
            return {}
        left: dict[str, Any] = {"provider": None, "prewarm_first_message": None}
        same_kind = self.engine is not None and getattr(changes["engine"], "kind", None) == self.engine.kind
        for name, usual in (("voice", DEFAULT_VOICE), ("model", DEFAULT_MODEL)):
            if not same_kind or getattr(self, name) == (getattr(self.engine, name) or usual):
                left[name] = None
        return left

    def content(self) -> dict[str, Any]:
        """What makes this revision what it is, as plain values without secrets."""
        plain = {each.name: described(getattr(self, each.name)) for each in fields(self) if each.name != "variables"}
        return {**plain, "variables": described({key: str(value) for key, value in (self.variables or {}).items()})}

    def content_id(self) -> str:
        """The first 12 hex digits of a SHA-256 over `content()`: equal agents have equal ids."""
        text = json.dumps(self.content(), sort_keys=True, ensure_ascii=False, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def __hash__(self) -> int:
        return hash((self.name, self.system_prompt, self.first_message))  # values of variables need not have a hash

    def _fill(self, name: str) -> str:
        text: str = getattr(self, name)
        values = self.variables
        if values is None:
            return text

        def value(match: re.Match[str]) -> str:
            key = match.group(1)
            if key not in values:
                known = ", ".join(sorted(values)) or "none"
                raise ConfigError(f"{name} has the placeholder {{{key}}}, but variables= has no {key!r} (it has: {known}).")
            return str(values[key])

        return PLACEHOLDER.sub(value, text)

    def __repr__(self) -> str:
        if self.engine is not None:
            services = f"{self.provider}/{self.model}"
        else:
            parts = (self.stt, self.llm, self.tts)
            services = " + ".join("on_message" if part is None else f"{part.provider}/{part.model}" for part in parts)
        return f"Agent({self.name!r}, {services}, prompt {checks.short(self.system_prompt, 50)!r})"

    def _repr_html_(self) -> str:
        idle = ENGINE_ONLY if self.provider == "pipeline" else PIPELINE_ONLY
        return agent_html(self.content_id(), {name: value for name, value in self.content().items() if name not in idle})
