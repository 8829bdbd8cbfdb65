"""What a phone shows of itself: a studio in a notebook, one line elsewhere."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from patter_nb import studio as studios
from patter_nb.errors import ConfigError, MissingExtra
from patter_nb.notebook.studio import shell
from patter_nb.phone import Patter
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS


@pytest.fixture
def phone(monkeypatch: pytest.MonkeyPatch) -> Patter:
    monkeypatch.setattr(shell, "TABS", shell.TABS[:3])
    return Patter(store=False)


def make(phone: Patter) -> Any:
    return phone.agent("A test.", stt=ScriptedSTT(["one", "two"]), llm=ScriptedLLM(["One.", "Two."]), tts=ScriptedTTS())


def test_outside_of_a_notebook_a_phone_is_one_line(phone):
    assert phone._repr_mimebundle_() == {"text/plain": "<Patter, 0 calls, store off>"}


def test_in_a_notebook_a_phone_is_its_studio(phone, monkeypatch):
    monkeypatch.setattr(studios, "in_notebook", lambda: True)

    async def main() -> dict[str, Any]:
        make(phone)
        return phone._repr_mimebundle_()

    shown = asyncio.run(main())
    assert shown["text/plain"] == "<Patter, 0 calls, store off>"
    assert "application/vnd.jupyter.widget-view+json" in shown


def test_without_a_loop_it_says_what_does_the_same(phone):
    with pytest.raises(ConfigError, match=r"^studio\(\) shows widgets: use it in a notebook; elsewhere phone\.edit\(\.\.\.\)"):
        phone.studio()


def test_without_its_packages_the_studio_says_how_to_install_them_and_the_phone_is_a_line_with_that(phone, monkeypatch):
    def missing(*_: object) -> None:
        raise MissingExtra("phone.studio() needs the package 'anywidget'")

    monkeypatch.setattr(shell, "Panel", missing)
    monkeypatch.setattr(studios, "in_notebook", lambda: True)

    async def main() -> dict[str, Any]:
        make(phone)
        with pytest.raises(MissingExtra):
            phone.studio()
        return phone._repr_mimebundle_()

    assert asyncio.run(main()) == {"text/plain": "<Patter, 0 calls, store off>\nphone.studio() needs the package 'anywidget'"}


def test_a_real_call_is_seen_in_the_studio_from_its_beginning_to_its_end(phone):
    async def main() -> None:
        agent = make(phone)
        box = phone.studio(agent)
        header, prompt = box.children[0], box.children[1].children[0]
        seen: list[int] = []
        begun = asyncio.Event()

        def look(change: dict[str, Any]) -> None:
            seen.append(len(change["new"]["calls"]))
            begun.set()

        async def wait_until_it_is_seen(_: object) -> None:
            await begun.wait()

        header.observe(look, "state")
        call = phone.test(agent, ["One?", "Two?"], speed="max", show=False, on_call_start=wait_until_it_is_seen)
        await call.ended()
        async with asyncio.timeout(10):
            while prompt.state["revisions"][0]["turns"] != 2 or header.state["calls"]:  # noqa: ASYNC110 (no event of its own)
                await asyncio.sleep(0)
        assert prompt.state["revisions"][0]["gap_p50_ms"] > 0
        assert seen[0] == 1
        assert seen[-1] == 0

    asyncio.run(main())


def test_a_studio_that_is_opened_during_a_call_follows_it(phone):
    async def main() -> None:
        agent = make(phone)
        call = phone.test(agent, ["One?", "Two?"], speed="max", show=False)
        box = phone.studio(agent)
        await call.ended()
        prompt = box.children[1].children[0]
        async with asyncio.timeout(10):
            while prompt.state["revisions"][0]["turns"] != 2:  # noqa: ASYNC110 (no event of its own)
                await asyncio.sleep(0)

    asyncio.run(main())
