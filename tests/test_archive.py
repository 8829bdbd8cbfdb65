"""What a studio looks up: calls and revisions of the phone, and of everything that is stored."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from patter_nb.archive import Archive
from patter_nb.errors import ConfigError
from patter_nb.phone import Patter
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS


def held(store: Any, prompt: str = "A test.") -> tuple[Patter, Any]:
    """A phone with one call that is over."""
    phone = Patter(store=store, show=False)

    async def main() -> Any:
        agent = phone.agent(prompt, stt=ScriptedSTT(["one"]), llm=ScriptedLLM(["Yes."]), tts=ScriptedTTS())
        return await phone.test(agent, ["One?"], speed="max")

    return phone, asyncio.run(main())


def archive(phone: Patter) -> Archive:
    return Archive(phone._calls, phone._log, phone._store)


def test_the_calls_of_the_phone_are_found_by_their_id() -> None:
    phone, call = held(False)
    found = archive(phone)
    assert (found.stores, found.calls(), found.call(call.id), found.call("nobody")) == (False, [call], call, None)
    assert [reading.record.facts.call_id for reading in found.readings(everything=False)] == [call.id]
    assert len(found.reading(call.id).turns) == 1


@pytest.mark.parametrize("ask", [lambda found: found.readings(everything=True), lambda found: found.stored("call")])
def test_without_a_store_there_is_nothing_stored(ask: Any) -> None:
    with pytest.raises(ConfigError, match="store is False"):
        ask(archive(held(False)[0]))


def test_what_another_phone_stored_is_found_with_its_revisions(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite3"
    other, theirs = held(path, "Theirs.")
    assert other.flush()
    phone, mine = held(path, "Mine.")
    assert phone.flush()
    found = archive(phone)
    assert [reading.record.facts.call_id for reading in found.readings(everything=True)] == [theirs.id, mine.id]
    stored = found.stored(theirs.id)
    assert stored is not None
    assert (len(stored.turns), stored.record.events[0].kind) == (1, "voice_activity")
    revision = found.revision(stored.record.phone_id, "agent", 1)
    assert revision is not None
    assert revision.content["system_prompt"] == "Theirs."
    own = found.revision(found.reading(mine.id).record.phone_id, "agent", 1)
    assert own is not None
    assert own.content["system_prompt"] == "Mine."
    assert found.revision(stored.record.phone_id, "agent", 7) is None
    for each in (other, phone):
        each.store.close()


def test_a_call_that_nobody_stored_is_none_or_refused_in_a_sentence(tmp_path: Path) -> None:
    phone, _ = held(tmp_path / "calls.sqlite3")
    assert phone.flush()
    with pytest.raises(ConfigError, match="nobody"):
        archive(phone).stored("nobody")
    phone.store.close()
