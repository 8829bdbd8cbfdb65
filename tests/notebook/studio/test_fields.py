"""Which fields the Prompt tab offers for an agent, and what an edit of them is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from patter_nb.agent import Agent
from patter_nb.barge_in import MinWordsStrategy
from patter_nb.errors import ConfigError
from patter_nb.notebook.studio.fields import FIELDS, changes_of, form, settings, variables
from patter_nb.providers.local import LocalTTS
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS


class Voices(ScriptedTTS):
    """A voice that says which ones there are."""

    voices = ("ann", "bob")

    def __init__(self, voice: str = "ann") -> None:
        super().__init__()
        self.voice = voice


@dataclass(frozen=True)
class Engine:
    kind: str = "openai_realtime"
    voice: str = "alloy"
    model: str = "mini"


def agent(**settings: Any) -> Agent:
    usual = {"stt": ScriptedSTT([]), "llm": ScriptedLLM([]), "tts": ScriptedTTS()}
    return Agent(system_prompt="A test.", **{**usual, **settings})


@pytest.fixture
def offered(desk):
    async def handed() -> Any:
        return desk.ports()

    ports = desk.run(handed())
    return lambda agent: {each["name"]: each for each in form(agent, ports)}


def test_a_pipeline_is_not_offered_what_an_engine_has_and_every_field_says_when_it_applies(offered):
    found = offered(agent())
    assert not {"voice", "model", "barge_in_confirm_ms", "name"} & found.keys()
    at_once = ("system_prompt", "hangover_ms", "max_duration_seconds", "max_cost_usd")
    assert {found[name]["when"] for name in at_once} == {"next turn"}
    assert {found[name]["when"] for name in ("first_message", "language")} == {"next call"}


def test_an_engine_is_not_offered_what_a_pipeline_has(offered):
    found = offered(Agent(system_prompt="A test.", engine=Engine()))  # type: ignore[arg-type]
    assert {"voice", "model", "system_prompt", "language"} <= found.keys()
    assert not {"aggressive_first_flush", "llm_error_message", "disable_phone_preamble", "tts.voice"} & found.keys()


def test_the_time_to_confirm_is_offered_where_something_confirms(offered):
    assert "barge_in_confirm_ms" in offered(agent(barge_in_strategies=[MinWordsStrategy(min_words=2)]))


def test_every_field_is_one_of_an_agent():
    assert {each.name for each in FIELDS} <= set(Agent.__dataclass_fields__)


def test_a_voice_is_chosen_from_those_its_provider_names_and_its_speed_is_set_where_it_has_one(offered):
    found = offered(agent(tts=Voices()))
    voice = found["tts.voice"]
    assert (voice["choices"], voice["value"], voice["when"]) == (["ann", "bob"], "ann", "next turn")
    found = offered(agent(tts=LocalTTS(speed=1.1)))
    assert (found["tts.speed"]["value"], found["tts.pitch"]["value"], "tts.voice" in found) == (1.1, 1.0, False)


def test_a_setting_of_a_provider_makes_another_one_with_all_that_it_had():
    had = LocalTTS(pitch=1.2, cache=False)
    made = changes_of(agent(tts=had), {"tts.speed": 1.25, "hangover_ms": 200})
    assert made["hangover_ms"] == 200
    assert (made["tts"].speed, made["tts"].pitch, made["tts"].cache, had.speed) == (1.25, 1.2, False, 1.0)
    assert changes_of(agent(tts=Voices()), {"tts.voice": "bob"})["tts"].voice == "bob"
    with pytest.raises(ConfigError, match=r"^speed is 9"):
        changes_of(agent(tts=had), {"tts.speed": 9})


class Closed:
    def __init__(self, key: str) -> None:
        self._key = key


class Open:
    def __init__(self, *names: str) -> None:
        self.names = names


def test_a_provider_that_does_not_tell_what_it_was_made_with_is_not_made_again():
    assert settings(Closed("x")) is None
    assert settings(Open("x")) is None
    with pytest.raises(ConfigError, match=r"^tts\.tempo cannot be set in LocalTTS: edit tts= in a cell\.$"):
        changes_of(agent(tts=LocalTTS()), {"tts.tempo": 2})


class Fussy(ScriptedTTS):
    def __init__(self, mood: int = 1) -> None:
        super().__init__()
        if mood > 1:
            raise ValueError("not in this mood")
        self.mood = mood


def test_what_a_provider_of_the_users_raises_is_the_answer():
    with pytest.raises(ConfigError, match=r"^Fussy cannot be made with that: not in this mood$"):
        changes_of(agent(tts=Fussy()), {"tts.mood": 2})


def test_variables_keep_their_objects_and_secrets_are_not_shown():
    made = agent(variables={"company": "Acme", "tables": 12, "api_key": "sk-12345678"})
    shown = {each["name"]: each for each in variables(made) or []}
    assert shown["tables"] == {"name": "tables", "value": "12", "secret": False, "kind": "int"}
    assert "sk-12345678" not in str(shown)
    given = {"company": "Bell", "tables": "12", "api_key": shown["api_key"]["value"], "new": "x"}
    assert changes_of(made, {"variables": given})["variables"] == {**given, "tables": 12, "api_key": "sk-12345678"}
    assert changes_of(made, {"variables": {"tables": "13"}}) == {"variables": {"tables": "13"}}


def test_an_agent_without_variables_says_so():
    assert variables(agent()) is None
    assert variables(agent(variables={})) == []


def test_what_an_agent_says_as_usual_is_another_thing_than_nothing(offered):
    for said in (None, "", "Sorry."):
        assert offered(agent(llm_error_message=said))["llm_error_message"]["value"] == said
