"""The frozen configuration of an agent, checked where it is made."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from patter_nb.agent import Agent, AgentSettings, describe
from patter_nb.barge_in import MinWordsStrategy
from patter_nb.errors import ConfigError, ConfigTypeError, PatterWarning
from patter_nb.guardrails import Guardrail
from patter_nb.hooks import PipelineHooks
from patter_nb.live import RevisionLine
from patter_nb.live.difference import difference
from patter_nb.providers.local import LocalSTT, LocalTTS
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.tools import Tool
from patter_nb.turns.policy import TurnPolicy


def make(**settings: Any) -> Agent:
    given = {"system_prompt": "You are a test.", "stt": ScriptedSTT([]), "llm": ScriptedLLM([]), "tts": ScriptedTTS()}
    return Agent(**{**given, **settings})


class NoFormats(ScriptedTTS):
    def __post_init__(self) -> None:
        self.formats = ()


class NoText:
    def __str__(self) -> str:
        raise RuntimeError("no words, api_key=geheim")


SECRET = "s3cr3t-VALUE-987"


class Deaf:
    provider, model = "mine", "m"


BAD = [
    ({"system_prompt": 5}, ConfigTypeError, "system_prompt is int 5; it must be a string."),
    (
        {"guardrails": [Guardrail("a", None, ["foo"], "I can't say bar."), Guardrail("b", blocked_terms=["the", "BAR"])]},
        ConfigError, "replacement of guardrail 'a' holds 'BAR', which guardrail 'b' blocks; say it otherwise.",
    ),
    ({"system_prompt": " \n"}, ConfigError, "system_prompt is empty: say in a sentence or two who the agent is"),
    ({"first_message": None}, ConfigTypeError, "first_message is NoneType None; it must be a string."),
    ({"name": " "}, ConfigError, "name is empty: give the agent a name"),
    ({"name": " x\n"}, ConfigError, r"name is ' x\n'; write it in one line, without white space around it."),
    ({"name": " x"}, ConfigError, "name is ' x'; write it in one line, without white space around it."),
    ({"name": "a\nb"}, ConfigError, r"name is 'a\nb'; write it in one line, without white space around it."),
    ({"name": "a" * 256}, ConfigError, "name has 256 characters; 255 are the most."),
    ({"name": 3}, ConfigTypeError, "name is int 3; it must be a string."),
    ({"language": None}, ConfigTypeError, "language is NoneType None; it must be a string."),
    ({"language": ""}, ConfigError, "language is ''; it must be a tag of BCP 47, such as 'en' or 'en-US'."),
    ({"language": "en_US"}, ConfigError, "language is 'en_US'; it must be a tag of BCP 47"),
    ({"language": "English, please"}, ConfigError, "language is 'English, please'; it must be a tag"),
    ({"llm_error_message": 1}, ConfigTypeError, "llm_error_message is int 1; it must be a string or None."),
    ({"variables": ["company"]}, ConfigTypeError, "variables is list ['company']; it must be a dict of names to values."),
    ({"variables": {1: "Acme"}}, ConfigTypeError, "a name in variables is int 1; it must be a string."),
    ({"stt": ScriptedSTT}, ConfigTypeError, "stt is the class ScriptedSTT, not an instance: write ScriptedSTT()."),
    ({"llm": ScriptedLLM}, ConfigTypeError, "llm is the class ScriptedLLM, not an instance"),
    ({"tts": "alloy"}, ConfigTypeError, "tts is str, which lacks parts of patter_nb.providers.base.TTS: formats, model,"),
    ({"stt": Deaf()}, ConfigTypeError, "stt is Deaf, which lacks parts of patter_nb.providers.base.STT: ends_turns, formats,"),
    ({"stt": ScriptedTTS()}, ConfigTypeError, "stt is ScriptedTTS, which lacks parts of patter_nb.providers.base.STT: ends_"),
    ({"tts": ScriptedSTT([])}, ConfigTypeError, "tts is ScriptedSTT, which lacks parts of patter_nb.providers.base.TTS: voice."),
    ({"llm": ScriptedTTS()}, ConfigTypeError, "llm is ScriptedTTS, which listens or speaks; it must be a language model."),
    ({"llm": ScriptedSTT([])}, ConfigTypeError, "llm is ScriptedSTT, which listens or speaks; it must be a language model."),
    ({"tts": NoFormats()}, ConfigTypeError, "tts.formats is (); it must be a tuple of AudioFormat, such as (MULAW_8K,)."),
    ({"hangover_ms": "320"}, ConfigTypeError, "hangover_ms is str '320'; it must be a number from 150 to 5000."),
    ({"hangover_ms": True}, ConfigTypeError, "hangover_ms is bool True; it must be a number"),
    ({"hangover_ms": 149}, ConfigError, "hangover_ms is 149; it must lie from 150 to 5000."),
    ({"hangover_ms": float("nan")}, ConfigError, "hangover_ms is nan; it must lie from 150 to 5000."),
    ({"barge_in_threshold_ms": -1}, ConfigError, "barge_in_threshold_ms is -1; it must lie from 0 to 5000."),
    ({"max_duration_seconds": 0}, ConfigError, "max_duration_seconds is 0; it must lie from 1 to 14400."),
    ({"max_cost_usd": 0}, ConfigError, "max_cost_usd is 0; it must lie from 0.01 to 1000."),
    ({"max_cost_usd": "2"}, ConfigTypeError, "max_cost_usd is str '2'; it must be a number from 0.01 to 1000."),
    ({"aggressive_first_flush": 1}, ConfigTypeError, "aggressive_first_flush is int 1; it must be True or False."),
    ({"prewarm_first_message": "yes"}, ConfigTypeError, "prewarm_first_message is str 'yes'; it must be True, False or None."),
    ({"prewarm_first_message": 0}, ConfigTypeError, "prewarm_first_message is int 0; it must be True, False or None."),
    ({"prewarm": 1}, ConfigTypeError, "prewarm is int 1; it must be True or False."),
    (
        {"variables": {"who": NoText()}},
        ConfigError,
        "variables['who'] is NoText, which has no text (RuntimeError: no words, api_key=•••): give it as a string.",
    ),
    ({"tools": ["x"]}, ConfigTypeError, "tools holds str 'x'; it takes Tool objects only."),
    ({"tools": [len]}, ConfigTypeError, "tools holds builtin_function_or_method <built-in function len>; it takes Tool objects "
     "only: use @tool or tool(handler=len)."),
    ({"tools": [Tool]}, ConfigTypeError, "tools holds the class Tool, not an instance: write Tool(...)."),
    ({"tools": [dict]}, ConfigTypeError, "tools holds type <class 'dict'>; it takes Tool objects only."),
    ({"guardrails": [len]}, ConfigTypeError, "guardrails holds builtin_function_or_method <built-in function len>; it takes "
     'Guardrail objects only: use Guardrail("a name", check=len).'),
    ({"barge_in_strategies": [MinWordsStrategy]}, ConfigTypeError, "barge_in_strategies holds the class MinWordsStrategy, not an "
     "instance: write MinWordsStrategy(...)."),
    ({"barge_in_strategies": [len]}, ConfigTypeError, "barge_in_strategies holds builtin_function_or_method <built-in function "
     "len>; it takes objects with evaluate() and reset() only: use MinWordsStrategy(min_words=3), or a class with both."),
    ({"text_transforms": ["upper"]}, ConfigTypeError, "text_transforms holds str 'upper'; it takes functions of a string only."),
    ({"tools": [SECRET]}, ConfigTypeError, "tools holds str '•••'; it takes Tool objects only."),
    ({"tools": SECRET}, ConfigTypeError, "tools is str '•••'; it must be a list of Tool objects."),
    ({"tools": [{"apiKey": "geheim"}]}, ConfigTypeError, "tools holds dict {'apiKey': '•••'}; it takes Tool objects only."),
    ({"variables": SECRET}, ConfigTypeError, "variables is str '•••'; it must be a dict of names to values."),
    ({"language": SECRET}, ConfigError, "language is '•••'; it must be a tag of BCP 47, such as 'en' or 'en-US'."),
    ({"provider": SECRET}, ConfigError, "provider is '•••'; it must be one of openai_realtime, elevenlabs_convai, pipeline."),
    ({"hangover_ms": SECRET}, ConfigTypeError, "hangover_ms is str '•••'; it must be a number from 150 to 5000."),
    (
        {"system_prompt": "You work for {company}.", "variables": {"city": "Rome"}},
        ConfigError,
        "system_prompt has the placeholder {company}, but variables= has no 'company' (it has: city).",
    ),
    (
        {"first_message": "{who}!", "variables": {}},
        ConfigError,
        "first_message has the placeholder {who}, but variables= has no 'who' (it has: none).",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "kind", "words"), BAD)
def test_a_wrong_value_is_one_sentence_that_names_the_field(settings: dict[str, Any], kind: type, words: str) -> None:
    with pytest.raises(kind) as caught:
        make(**settings)
    assert str(caught.value).startswith(words)
    assert type(caught.value) is kind
    assert isinstance(caught.value, TypeError if kind is ConfigTypeError else ValueError)


def test_a_function_without_a_name_is_told_what_to_put_around_it() -> None:
    with pytest.raises(ConfigTypeError, match=r'it takes Guardrail objects only: use Guardrail\("a name", check=\.\.\.\)\.$'):
        make(guardrails=[lambda text: "no" in text])


def test_headers_of_an_own_provider_are_not_shown() -> None:
    assert "geheim" not in json.dumps(make(tts=Plain(headers=("X-Custom", "geheim"))).content())


SPOKEN = [
    ("en", True), ("EN-us", True), ("en-GB-oxendict", True), ("pt", True), ("pt-BR", True),
    ("pt-PT", False), ("eng", False), ("de", False),
]  # fmt: skip


@pytest.mark.parametrize(("language", "known"), SPOKEN)
@pytest.mark.parametrize("name", ["stt", "llm", "tts"])
def test_a_language_that_a_provider_does_not_know_is_refused_before_any_call(name: str, language: str, known: bool) -> None:
    provider = {"stt": ScriptedSTT([]), "llm": ScriptedLLM([]), "tts": ScriptedTTS()}[name]
    provider.languages = ("en", "pt-BR")  # type: ignore[union-attr]
    if known:
        assert make(**{name: provider, "language": language}).language == language
        return
    with pytest.raises(ConfigError) as caught:
        make(**{name: provider, "language": language})
    known_by = f"{type(provider).__name__}, which knows only 'en', 'pt-BR'"
    told = f"language is {language!r}, and {name} is {known_by}: use another {name}, or another language."
    assert str(caught.value) == told


@pytest.mark.parametrize("languages", ["en", 5, (1,)])
def test_languages_that_are_no_tuple_of_tags_are_told(languages: Any) -> None:
    voice = ScriptedTTS()
    voice.languages = languages  # type: ignore[attr-defined]
    with pytest.raises(ConfigTypeError, match=r"tts\.languages is .*; it must be a tuple of tags, such as"):
        make(tts=voice)


def test_the_parts_on_this_machine_know_english_and_an_own_recogniser_whatever_it_knows(tmp_path: Path) -> None:
    for name, provider in (("stt", LocalSTT()), ("tts", LocalTTS()), ("tts", LocalTTS(model_path=tmp_path / "voice.onnx"))):
        with pytest.raises(ConfigError, match=f"language is 'de', and {name} is Local.*, which knows only 'en'"):
            make(**{name: provider, "language": "de"})
        assert make(**{name: provider, "language": "en-GB"}).language == "en-GB"
    assert make(stt=LocalSTT(model_path=tmp_path), language="de").language == "de"


def test_placeholders_are_filled_in_and_the_braces_of_json_pass() -> None:
    prompt = 'You work for {company}. Answer with {"key": {"a": 1}, "b": {}} or {1} or { company }.'
    agent = make(system_prompt=prompt, first_message="{company}{company}!", variables={"company": "{Acme}", "n": 3})
    assert agent.prompt == prompt.replace("{company}", "{Acme}")
    assert agent.greeting == "{Acme}{Acme}!"
    assert agent.system_prompt == prompt


def test_without_variables_nothing_is_filled_in_and_nothing_is_checked() -> None:
    assert make(system_prompt="You work for {company}.").prompt == "You work for {company}."


def test_an_agent_is_frozen_and_keeps_variables_of_its_own() -> None:
    variables = {"company": "Acme"}
    agent = make(system_prompt="For {company}.", variables=variables)
    variables.clear()
    assert agent.prompt == "For Acme."
    with pytest.raises(TypeError):
        agent.variables["company"] = "Other"  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        agent.name = "other"  # type: ignore[misc]


def test_an_agent_can_be_copied_changed_and_pickled_with_its_variables() -> None:
    whole = make(system_prompt="For {company}.", variables={"company": "Acme"})
    for agent in (whole, make()):
        for other in (pickle.loads(pickle.dumps(agent)), copy.deepcopy(agent), copy.copy(agent), dataclasses.replace(agent)):
            assert other.content() == agent.content()
            assert other.variables == agent.variables
            assert type(other.variables) is type(agent.variables)
    assert isinstance(whole.variables, Mapping)
    assert dataclasses.replace(whole, variables={"company": "B"}).prompt == "For B."


def test_variables_cannot_be_changed_by_any_of_the_ways_of_a_dictionary() -> None:
    variables: Any = make(variables={"a": 1}).variables
    changes: list[Callable[[], Any]] = [
        lambda: variables.update(a=2), lambda: variables.pop("a"), lambda: variables.setdefault("b", 2), variables.clear,
        variables.popitem, lambda: variables.__delitem__("a"), lambda: variables.__ior__({"a": 2}),
    ]  # fmt: skip
    for change in changes:
        with pytest.raises(TypeError, match="the variables of an agent cannot be changed"):
            change()
    assert variables == {"a": 1}


def test_an_agent_with_variables_has_a_hash_and_can_be_taken_apart() -> None:
    given: dict[str, Any] = {"system_prompt": "For {names}.", "variables": {"names": ["Ann"]}}
    parts = {"stt": ScriptedSTT([]), "llm": ScriptedLLM([]), "tts": ScriptedTTS()}
    one, same = make(**given, **parts), make(**given, **parts)
    assert one == same
    assert hash(one) == hash(same)
    apart = dataclasses.asdict(one)
    assert apart["variables"] == {"names": ["Ann"]}
    assert apart["system_prompt"] == "For {names}."


def test_the_settings_that_can_be_given_by_name_are_the_fields() -> None:
    fields = [each.name for each in dataclasses.fields(Agent)]
    assert ["system_prompt", *AgentSettings.__annotations__] == fields


POLICIES = [
    ({}, {}),
    ({"hangover_ms": 500}, {"hangover_seconds": 0.5}),
    ({"barge_in_threshold_ms": 100}, {"barge_in_seconds": 0.1}),
    ({"barge_in_threshold_ms": 0}, {"barge_in_seconds": None}),
    ({"max_duration_seconds": 20}, {"max_duration_seconds": 20}),
    ({"llm_error_message": "Pardon?"}, {"fallback": "Pardon?"}),
    ({"llm_error_message": ""}, {"fallback": ""}),
    ({"stt": ScriptedSTT([], ends_turns="provider")}, {"ends_turns": "provider"}),
]


@pytest.mark.parametrize(("settings", "differing"), POLICIES)
def test_each_setting_reaches_the_turn_engine(settings: dict[str, Any], differing: dict[str, Any]) -> None:
    assert make(**settings).policy() == dataclasses.replace(TurnPolicy(), **differing)


CHANGES = [
    {"system_prompt": "You are another test."}, {"first_message": "Hello!"}, {"variables": {"a": 1}}, {"name": "other"},
    {"language": "it"}, {"hangover_ms": 400}, {"barge_in_threshold_ms": 100}, {"aggressive_first_flush": True},
    {"llm_error_message": "Pardon?"}, {"max_duration_seconds": 60}, {"stt": ScriptedSTT(["one"])}, {"llm": ScriptedLLM(["one"])},
    {"tts": ScriptedTTS(leading_silence_seconds=1)}, {"llm": ScriptedLLM([], first_token_seconds=0.5)},
]  # fmt: skip


def test_equal_content_has_an_equal_id_and_every_change_another() -> None:
    ids = [make(**change).content_id() for change in CHANGES]
    assert make().content_id() == make(tts=ScriptedTTS()).content_id()
    assert len({make().content_id(), *ids}) == len(CHANGES) + 1
    assert [make(**change).content_id() for change in CHANGES] == ids


@dataclass
class Cloud(ScriptedTTS):
    """A voice with secrets, and with settings that only sound like some."""

    api_key: str = "sk-1234"
    auth_token: str = "tok-1234"
    client_secret: str = "sec-1234"
    authorization: str = "Bearer 1234"
    hidden: str = field(default="hid-1234", repr=False)
    max_tokens: int = 500
    keyboard: str = "qwerty"


def test_secrets_are_neither_shown_nor_part_of_a_revision_and_what_only_sounds_like_one_is() -> None:
    agent = make(tts=Cloud())
    for text in (repr(agent), agent._repr_html_(), str(agent.content())):
        assert "1234" not in text
    assert agent.content_id() == make(tts=Cloud(api_key="sk-9", hidden="h")).content_id()
    assert agent.content_id() != make(tts=Cloud(max_tokens=9)).content_id()
    assert describe(agent.tts)["keyboard"] == "qwerty"
    assert agent.content_id() != make(tts=Cloud(first_byte_seconds=0.7)).content_id()


class Plain(LocalTTS):
    """A provider like one out of a cell: no dataclass."""

    tempo = 3
    __slots__ = ("slot",)

    def __init__(self, slot: Any = 1, **given: Any) -> None:
        super().__init__()
        self.slot = slot
        for name, value in given.items():
            setattr(self, name, value)

    @property
    def breaks(self) -> str:
        raise AssertionError("describing a provider runs none of its code")


PLAIN = [{"slot": 2}, {"rate": 2}, {"rate": None}, {"tempo": 4}, {"names": ("a", ("b", 1.5))}, {"on": True}, {"file": Path("a")}]
UNSEEN = [{"_calls": 5}, {"api_key": "sk-1"}, {"client": object()}, {"seen": [1]}, {"parts": ("a", object())}]


def test_the_settings_of_any_object_are_part_of_a_revision_and_its_state_and_secrets_are_not() -> None:
    plain = make(tts=Plain()).content_id()
    assert len({plain, *(make(tts=Plain(**given)).content_id() for given in PLAIN)}) == len(PLAIN) + 1
    assert {make(tts=Plain(**given)).content_id() for given in UNSEEN} == {plain}


def test_a_text_of_a_function_that_somebody_interns_does_not_make_another_revision():
    space: dict[str, Any] = {}
    exec(compile("def look(text): return 'a seldom written text!'", "cell", "exec"), space)
    before = make(text_transforms=[space["look"]]).content_id()
    sys.intern(space["look"]("x"))
    assert make(text_transforms=[space["look"]]).content_id() == before


@dataclass
class Far(ScriptedTTS):
    """A voice somewhere else, and what it is given there."""

    base_url: str = "https://voice.example/v1"
    mirrors: tuple[str, ...] = ()
    finish: Any = None
    others: Sequence[Any] = ()


class FarPlain(Plain):
    """The same as no dataclass."""

    api_base = "https://voice.example/v1"


def spoken(text: str, key: str = "") -> str:
    return f"{text}{key[:0]}"


KEYS: list[Callable[[str], dict[str, Any]]] = [
    lambda key: {"text_transforms": [partial(spoken, key=key)]},
    lambda key: {"text_transforms": [partial(partial(spoken, key=key), "Well.")]},
    lambda key: {"hooks": PipelineHooks(before_synthesize=partial(spoken, key))},
    lambda key: {"guardrails": [Guardrail("prices", check=partial(spoken, key))]},
    lambda key: {"tools": [Tool("look", handler=partial(spoken, key=key))]},
    lambda key: {"tools": [Tool("look", webhook_url=f"https://desk.example/hook?code={key}")]},
    lambda key: {"tools": [Tool("look", webhook_url=f"https://desk.example/services/aB3dE5fG7hI9jK1lM3n{key}")]},
    lambda key: {"mcp_servers": [f"https://desk.example/mcp?code={key}"]},
    lambda key: {"mcp_servers": [{"url": f"https://desk.example/mcp?code={key}", "name": "desk"}]},
    lambda key: {"variables": {"link": f"https://me:{key}@desk.example/"}},
    lambda key: {"tts": Far(base_url=f"https://me:{key}@voice.example/v1")},
    lambda key: {"tts": Far(mirrors=("https://one.example/", f"https://two.example/?code={key}"))},
    lambda key: {"tts": Far(finish=partial(spoken, key))},
    lambda key: {"tts": Far(others=[partial(spoken, key), {"url": f"https://two.example/?code={key}"}])},
    lambda key: {"tts": FarPlain(api_base=f"https://voice.example/v1?code={key}")},
]


@pytest.mark.parametrize("given", KEYS)
def test_a_key_in_a_partial_or_a_url_is_never_shown_and_another_key_is_another_revision(given: Any) -> None:
    one, same, other = (make(**given(key)) for key in ("hunter2", "hunter2", "hunter3"))
    for text in (repr(one), one._repr_html_(), json.dumps(one.content()), repr(one.tools), repr(one.mcp_servers)):
        assert "hunter" not in text
    assert one.content_id() == same.content_id() != other.content_id()
    line = RevisionLine("agent")
    changed = difference(line.stage(one)[0], line.stage(other)[0])
    assert changed
    for text in (str(changed), changed._repr_html_()):
        assert "hunter" not in text


def test_a_voice_on_this_machine_with_another_setting_is_the_next_revision() -> None:
    line = RevisionLine("agent")
    settings: list[dict[str, Any]] = [
        {}, {"speed": 1.5}, {"pitch": 1.1}, {"cache": False}, {"model_path": "a/v.onnx"}, {"model_path": "b/v.onnx"}
    ]  # fmt: skip
    assert [line.stage(make(tts=LocalTTS(**given)))[0].number for given in settings] == [1, 2, 3, 4, 5, 6]
    assert line.stage(make(tts=LocalTTS(model_path="b/v.onnx")))[0].number == 6
    assert make(stt=LocalSTT()).content_id() != make(stt=LocalSTT(model_path="tiny")).content_id()


def test_an_agent_shows_itself_in_a_line_and_in_a_table_whose_text_is_only_text() -> None:
    agent = make(system_prompt="Say <b>hello</b> " * 30, first_message="<script>")
    assert repr(agent).startswith("Agent('agent', scripted/lines + scripted/replies + scripted/tones, prompt 'Say <b>")
    assert len(repr(agent)) < 200
    table = agent._repr_html_()
    assert agent.content_id() in table
    assert "<script>" not in table
    assert "&lt;script&gt;" in table


def test_a_table_of_a_pipeline_leaves_out_what_only_an_engine_uses() -> None:
    table = make()._repr_html_()
    assert ">voice<" not in table
    assert ">model<" not in table
    assert ">tts<" in table


def test_the_value_of_a_variable_whose_name_is_that_of_a_secret_is_not_shown() -> None:
    agent = make(variables={"crm_api_key": "geheim-1", "city": "Rome", "password": "geheim-2"})
    assert agent.content()["variables"] == {"crm_api_key": "•••", "city": "Rome", "password": "•••"}
    for shown in (repr(agent), agent._repr_html_(), str(agent.content())):
        assert "geheim" not in shown
    assert make(system_prompt="Say {password}.", variables={"password": "geheim-2"}).prompt == "Say geheim-2."


SPELLINGS = ["apiKey", "api-key", "API-KEY", "accessToken", "userPassword", "X-Auth", "apikey", "bearer"]


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_secret_is_known_by_its_name_however_that_is_spelled(name: str) -> None:
    settings: list[Callable[[str], dict[str, Any]]] = [
        lambda value: {"variables": {name: value}},
        lambda value: {"tts": Plain(**{name: value})},
        lambda value: {"tts": Far(others=[{name: value}])},
    ]
    for given in settings:
        one, other = make(**given("geheim-1")), make(**given("geheim-2"))
        for shown in (repr(one), one._repr_html_(), json.dumps(one.content())):
            assert "geheim" not in shown
        assert one.content_id() == other.content_id()


def test_a_variable_that_only_sounds_like_a_secret_is_shown() -> None:
    variables = {"author": "Ann", "maxTokens": "5", "keyboard": "qwerty", "authority": "city", "monkey": "Bo"}
    assert make(variables=variables).content()["variables"] == variables


@dataclass
class Service:
    """A speech-to-speech service."""

    voice: str = ""
    model: str = ""
    kind: str = "openai_realtime"


PARTS = {"stt": None, "llm": None, "tts": None}


def served(engine: Any, **settings: Any) -> Agent:
    return Agent(system_prompt="You are a test.", engine=engine, **settings)


def settled(agent: Agent) -> tuple[Any, ...]:
    return agent.provider, agent.voice, agent.model, agent.prewarm_first_message


def test_an_edit_of_the_engine_brings_its_voice_and_its_model() -> None:
    agent = served(Service("marin", "m1"))
    assert settled(agent) == ("openai_realtime", "marin", "m1", False)
    assert settled(agent.edited(engine=Service("cedar", "m2"))) == ("openai_realtime", "cedar", "m2", False)
    convai = agent.edited(engine=Service("rachel", "m3", kind="elevenlabs_convai"))
    assert settled(convai) == ("elevenlabs_convai", "rachel", "m3", False)
    assert settled(agent.edited(engine=Service("cedar", "m2"), voice="alloy")) == ("openai_realtime", "alloy", "m2", False)
    assert agent.edited(first_message="Hello.").voice == "marin"


def test_a_voice_given_beside_an_engine_stays_for_another_engine_of_its_kind_only() -> None:
    agent = served(Service("marin", "m1"), voice="ash", model="own")
    assert settled(agent.edited(engine=Service("cedar", "m2")))[1:3] == ("ash", "own")
    assert settled(agent.edited(engine=Service("rachel", "m3", kind="elevenlabs_convai")))[1:3] == ("rachel", "m3")


def test_a_pipeline_becomes_an_engine_and_back_with_nothing_that_nobody_gave() -> None:
    pipeline = make()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        engine = pipeline.edited(engine=Service("marin", "m1"), **PARTS)
        named = pipeline.edited(engine=Service("marin", "m1"), provider=None, **PARTS)
        again = engine.edited(engine=None, stt=pipeline.stt, llm=pipeline.llm, tts=pipeline.tts)
    assert settled(engine) == settled(named) == ("openai_realtime", "marin", "m1", False)
    assert settled(again) == settled(pipeline) == ("pipeline", "alloy", "gpt-4o-mini-realtime-preview", True)
    assert again.content_id() == pipeline.content_id()


def test_going_back_over_a_change_of_mode_restores_what_was_and_the_next_engine_still_brings_its_voice() -> None:
    line = RevisionLine("agent")
    line.stage(served(Service("marin", "m1")))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        line.propose({"engine": None, "stt": ScriptedSTT([]), "llm": ScriptedLLM([]), "tts": ScriptedTTS()})
        back = line.roll_back(1).revision
        line.roll_back(2)
        line.roll_back(1)
        cedar = line.propose({"engine": Service("cedar", "m2")}).revision
    assert back.content_id == line.revision(1).content_id
    assert settled(cedar.agent) == ("openai_realtime", "cedar", "m2", False)


def told_of(make_it: Callable[[], Any]) -> tuple[list[str], Any]:
    """What is warned of, all of it at this file, and what is made."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = make_it()
    assert {each.filename for each in caught} <= {__file__}
    assert all(each.category is PatterWarning for each in caught)
    return [str(each.message) for each in caught], made


def test_a_field_without_effect_is_told_once_and_at_the_line_that_gave_it() -> None:
    nova = "voice does not apply to the mode 'pipeline' and will not be used."
    told, agent = told_of(lambda: make(voice="nova"))
    assert told == [nova]
    assert told_of(lambda: agent.edited(first_message="Hello."))[0] == []
    assert told_of(lambda: agent.edited(voice="nova"))[0] == []
    assert told_of(lambda: agent.edited(voice="ash"))[0] == [nova]
    assert told_of(lambda: dataclasses.replace(agent, voice="ash"))[0] == [nova]
    line = RevisionLine("agent")
    line.stage(agent)
    assert told_of(lambda: line.propose({"model": "m"}))[0] == [nova.replace("voice", "model")]
    assert told_of(lambda: line.propose({"system_prompt": "Another."}))[0] == []
    assert told_of(lambda: line.roll_back(2))[0] == []


def test_an_edit_of_an_engine_that_gives_it_what_is_a_pipelines_is_told() -> None:
    prewarmed = "prewarm_first_message does not apply to the mode 'openai_realtime' and will not be used."
    told, agent = told_of(lambda: served(Service(), prewarm_first_message=True))
    assert told == [prewarmed]
    assert told_of(lambda: agent.edited(first_message="Hello."))[0] == []
    assert told_of(lambda: agent.edited(prewarm_first_message=True))[0] == [prewarmed]
    pipeline = make(disable_phone_preamble=True)
    told, engine = told_of(lambda: pipeline.edited(engine=Service(), **PARTS))
    assert told == ["disable_phone_preamble does not apply to the mode 'openai_realtime' and will not be used."]
    assert told_of(lambda: engine.edited(engine=Service("cedar")))[0] == []
