"""Runs a user's pipeline hooks in one call: which one is in force, what it is told, and what becomes of what it returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from patter_nb.audio.formats import AudioFormat
from patter_nb.hooks import Hook, HookContext, PipelineHooks
from patter_nb.session.dialogue import from_dicts, to_dicts
from patter_nb.session.user_code import UserCode
from patter_nb.turns.messages import Message

HOOK_SECONDS = 5.0
"""How long a hook may take before it counts as failed: the caller waits for it."""

NOTHING = PipelineHooks()


class Hooks:
    """The hooks of one agent in one call, for one reply or for the caller's side.

    `failed(stage, error)` is told of each that raised, took too long, or returned what it must not.
    """

    def __init__(
        self,
        hooks: PipelineHooks | None,
        context: Callable[[AudioFormat | None], HookContext],
        user_code: UserCode,
        failed: Callable[[str, str], None],
    ) -> None:
        self.given = hooks or NOTHING
        self._context = context
        self._user_code = user_code
        self._failed = failed

    # The caller's side.

    async def before_send_to_stt(self, audio: bytes, audio_format: AudioFormat) -> bytes:
        """The caller's audio as the recogniser shall get it; empty when it was dropped."""
        hook = self.given.before_send_to_stt
        if hook is None:
            return audio
        returned = await self._run("before_send_to_stt", hook, audio, audio=audio_format, otherwise=audio, closed=b"")
        return checked_audio(returned, audio, partial(self._failed, "before_send_to_stt"))

    async def after_transcribe(self, text: str) -> str:
        """The words as everybody shall see them; empty when they were vetoed."""
        return await self._text("after_transcribe", self.given.after_transcribe, text, none="")

    # The agent's side.

    async def before_llm(self, messages: Sequence[Message]) -> list[Message]:
        """The messages of the request."""
        hook = self.given.before_llm
        if hook is None:
            return list(messages)
        returned = await self._run("before_llm", hook, to_dicts(messages))
        if returned is None:
            return list(messages)
        try:
            return from_dicts(returned)
        except ValueError as error:
            self._failed("before_llm", str(error))
            return list(messages)

    async def on_sentence(self, sentence: str) -> str:
        return await self._text("after_llm.on_sentence", self.given.tiers.on_sentence, sentence)

    async def on_response(self, text: str) -> str:
        return await self._text("after_llm.on_response", self.given.tiers.on_response, text)

    async def before_synthesize(self, sentence: str) -> str:
        return await self._text("before_synthesize", self.given.before_synthesize, sentence, none="")

    def after_synthesize(self, audio_format: AudioFormat) -> Callable[[bytes, str], Any] | None:
        """The hook for audio of this format; None when there is none."""
        hook = self.given.after_synthesize
        return None if hook is None else partial(self._audio, "after_synthesize", hook, audio_format)

    async def _audio(self, stage: str, hook: Hook, audio_format: AudioFormat, audio: bytes, sentence: str) -> bytes:
        returned = await self._run(stage, hook, audio, sentence, audio=audio_format, otherwise=audio, closed=b"")
        return checked_audio(returned, audio, partial(self._failed, stage))

    async def _text(self, stage: str, hook: Hook | None, text: str, *, none: str | None = None) -> str:
        """What `hook` makes of `text`; `none`: what its None stands for (by default the text as it was)."""
        if hook is None:
            return text
        returned = await self._run(stage, hook, text, otherwise=text, closed="")
        if returned is None:
            return text if none is None else none
        if not isinstance(returned, str):
            self._failed(stage, f"{stage} returned {type(returned).__name__}; it returns a string or None")
            return "" if self.given.fail_closed else text
        return returned

    async def _run(
        self, stage: str, hook: Hook, *arguments: Any, audio: AudioFormat | None = None, otherwise: Any = None, closed: Any = None
    ) -> Any:
        """What `hook` returned; where it failed, `otherwise`, or `closed` if failures are to close."""
        outcome = await self._user_code.call(hook, *arguments, self._context(audio), deadline_seconds=HOOK_SECONDS, quick=True)
        if outcome.error is None:
            return outcome.value
        self._failed(stage, outcome.error)
        return closed if self.given.fail_closed else otherwise


def checked_audio(returned: Any, audio: bytes, failed: Callable[[str], None]) -> bytes:
    """The audio a hook returned, none for None; what it was given where it returned something else."""
    if returned is None:
        return b""
    if not isinstance(returned, bytes | bytearray):
        failed(f"it returned {type(returned).__name__}; it returns bytes or None")
        return audio
    return bytes(returned)
