"""What a phone was given, checked before anything begins: each check raises one sentence with the remedy."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from patter_nb.agent import Agent, AgentSettings
from patter_nb.callbacks import Callbacks, check_number
from patter_nb.carriers.twilio import Twilio
from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.live import Revision
from patter_nb.notebook.display import in_notebook
from patter_nb.providers.base import LLM

CLOUD = ("api_key", "backend_url", "rest_url", "mode")
"""Settings of Patter's hosted mode, which does not exist here."""

NEEDED = {
    "stt": "LocalSTT() listens on this machine without a key",
    "tts": "LocalTTS() speaks on this machine without a key",
}


def running_loop(what: str) -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        remedy = "in a notebook it has one; elsewhere put it into a coroutine and use asyncio.run(main())"
        raise ConfigError(f"{what}() needs a running event loop: {remedy}.") from None


def checked(agent: object) -> Agent:
    """The agent; `ConfigTypeError` for anything else."""
    if not isinstance(agent, Agent):
        raise ConfigTypeError(f"agent is {type(agent).__name__}; it must be an Agent, as phone.agent(...) returns it.")
    return agent


def check_line(carrier: object, number: object) -> tuple[Twilio | None, str]:
    """The carrier of a phone and its number in E.164; a carrier without a number, or the other way round, is an error."""
    if carrier is not None and not isinstance(carrier, Twilio):
        raise ConfigTypeError(f"carrier is {type(carrier).__name__}; it must be a Twilio, or left out for test calls.")
    if not number:
        if carrier is not None:
            raise ConfigError("phone_number is missing: a carrier needs one that its account owns, in E.164.")
        return None, ""
    if carrier is None:
        raise ConfigError("phone_number is given without a carrier: give carrier=Twilio(), or leave it out for test calls.")
    return carrier, check_number("phone_number", number)


def in_terminal() -> bool:
    """Whether somebody can type: not in a notebook, nor where input comes from a file."""
    return not in_notebook() and sys.stdin is not None and sys.stdin.isatty()


def tell_newer(newer: Revision, given: Revision) -> None:
    told = f"{given.agent.name!r}: revision {newer.number} is newer than the one given ({given.number}) and is used"
    print(f"{told}; pinned=True keeps yours.")  # noqa: T201 (a line under the cell, where the one who gave it looks)


def with_model(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with a model in the place of a bare function."""
    llm = settings.get("llm")
    if llm is None or isinstance(llm, type | LLM) or not callable(llm):
        return dict(settings)
    from patter_nb.providers.custom import CustomLLM

    return {**settings, "llm": CustomLLM(llm)}


def check_mode(agent: Agent, callbacks: Callbacks) -> None:
    """What answers in this call, and that it is one thing."""
    if agent.provider != "pipeline":
        engine = type(agent.engine).__name__
        raise ConfigError(f"engine is {engine}; calls with speech-to-speech engines are not there yet: give stt=, llm= and tts=.")
    if agent.llm is not None and callbacks.on_message is not None:
        raise ConfigError("on_message is given, and the agent has llm=: leave one of them out, since only one can answer.")
    if agent.llm is None and callbacks.on_message is None:
        raise ConfigError("llm is missing: DemoBrain() answers from the prompt without a key; or give on_message= to test().")


def check_settings(settings: Mapping[str, object]) -> None:
    known = AgentSettings.__annotations__
    if unknown := [name for name in settings if name not in known]:
        raise ConfigTypeError(f"agent() does not know {', '.join(unknown)}; it takes system_prompt, {', '.join(known)}.")
    if settings.get("engine") is not None or settings.get("provider") not in (None, "pipeline"):
        return
    for name, remedy in NEEDED.items():
        if settings.get(name) is None:
            raise ConfigError(f"{name} is missing: {remedy}, or give any object that follows patter_nb.providers.base.")


def check_numbers(noise_db: object, seed: object) -> None:
    if noise_db is not None and (isinstance(noise_db, bool) or not isinstance(noise_db, int | float)):
        raise ConfigTypeError(f"noise_db is {noise_db!r}; it must be a number of dB below the caller's voice, or None.")
    if noise_db is not None and not -20 <= noise_db <= 80:
        raise ConfigError(f"noise_db is {noise_db!r}; it must lie from -20 to 80 dB.")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ConfigTypeError(f"seed is {seed!r}; it must be a whole number, 0 or more.")


def check_speed(speed: str, agent: Agent) -> None:
    if speed not in ("real", "max"):
        raise ConfigError(f'speed is {speed!r}; it must be "real" or "max".')
    if speed == "max":
        for name, provider in (("stt", agent.stt), ("llm", agent.llm), ("tts", agent.tts)):
            if provider is not None and not provider.virtual_time:
                raise ConfigError(
                    f'{name} is {type(provider).__name__}, which works in real time only: use speed="real", or a scripted {name}.'
                )


def refuse(given: dict[str, object]) -> None:
    if cloud := [name for name in given if name in CLOUD]:
        what = f"{cloud[0]}= belongs to a hosted mode, which does not exist"
        raise NotImplementedError(f"{what}: everything runs on this machine, leave it out.")
    if given:
        raise TypeError(f"Patter() does not know {', '.join(sorted(given))}.")
