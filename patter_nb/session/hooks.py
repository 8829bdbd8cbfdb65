"""Runs a user's pipeline hooks in one call: which one is in force, what it is told, and what becomes of what it returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from patter_nb.audio.formats import AudioFormat
from patter_nb.errors import ConfigTypeError, PatterError
from patter_nb.hooks import Hook, HookContext, PipelineHooks
from patter_nb.session.dialogue import from_dicts, to_dicts
from patter_nb.session.user_code import Outcome, UserCode
from patter_nb.turns.messages import Message

HOOK_SECONDS = 5.0
"""How long a hook may take before it counts as failed: the caller waits for it."""

MOST_TOLD = 5
"""How many errors of hooks for audio are told, of one reply or one stretch of the caller's speech."""

NOTHING = PipelineHooks()

T = TypeVar("T")


class Hooks:
    """The hooks of one agent in one call, for one reply or for the caller's side.

    `failed(stage, error)` is told of each that raised, took too long, or returned what it must not. Of those for audio, which run
    many times a second, it is told each error once; `told` holds which those were.
    """

    def __init__(
        self,
        hooks: PipelineHooks | None,
        context: Callable[[AudioFormat | None], HookContext],
        user_code: UserCode,
        failed: Callable[[str, str], None],
        told: set[tuple[str, str]] | None = None,
    ) -> None:
        self.given = hooks or NOTHING
        self._context = context
        self._user_code = user_code
        self._failed = failed
        self._told: set[tuple[str, str]] = set() if told is None else told
        self.kept_back = False
        """Whether something went no further since its hook failed."""

    # The caller's side.

    async def before_send_to_stt(self, audio: bytes, audio_format: AudioFormat) -> bytes:
        """The caller's audio as the recogniser shall get it; empty when it was dropped."""
        hook = self.given.before_send_to_stt
        if hook is None:
            return audio
        return await self._audio("before_send_to_stt", hook, audio, self._context(audio_format))

    async def after_transcribe(self, text: str) -> str:
        """The words as everybody shall see them; empty when they were vetoed."""
        return await self._text("after_transcribe", self.given.after_transcribe, text, none="")

    # The agent's side.

    async def before_llm(self, messages: Sequence[Message]) -> list[Message]:
        """The messages of the request. `PatterError` when the hook failed and is to close: the model must not be asked."""
        hook = self.given.before_llm
        if hook is None:
            return list(messages)
        outcome = await self._run("before_llm", hook, to_dicts(messages), self._context(None), read=_messages_of)
        if outcome.error is not None and self.given.fail_closed:
            raise PatterError(f"The model was not asked, since before_llm failed: {outcome.error}")
        return list(messages) if outcome.value is None else outcome.value

    async def on_sentence(self, sentence: str) -> str:
        return await self._text("after_llm.on_sentence", self.given.tiers.on_sentence, sentence)

    async def on_response(self, text: str) -> str:
        return await self._text("after_llm.on_response", self.given.tiers.on_response, text)

    async def before_synthesize(self, sentence: str) -> str:
        return await self._text("before_synthesize", self.given.before_synthesize, sentence, none="")

    def after_synthesize(self, audio_format: AudioFormat) -> Callable[[bytes, str], Any] | None:
        """The hook for audio of this format; None when there is none."""
        hook = self.given.after_synthesize
        return None if hook is None else partial(self._synthesised, hook, audio_format)

    async def _synthesised(self, hook: Hook, audio_format: AudioFormat, audio: bytes, sentence: str) -> bytes:
        return await self._audio("after_synthesize", hook, audio, sentence, self._context(audio_format))

    async def _audio(self, stage: str, hook: Hook, audio: bytes, *more: Any) -> bytes:
        outcome = await self._run(stage, hook, audio, *more, read=partial(audio_of, stage), once=True)
        return self._passed(outcome, audio, b"")

    async def _text(self, stage: str, hook: Hook | None, text: str, *, none: str | None = None) -> str:
        """What `hook` makes of `text`; `none`: what its None stands for (by default the text as it was)."""
        if hook is None:
            return text
        outcome = await self._run(stage, hook, text, self._context(None), read=partial(text_of, stage))
        if outcome.error is None and outcome.value is None:
            return text if none is None else none
        return self._passed(outcome, text, "")

    def _passed(self, outcome: Outcome, otherwise: T, closed: T) -> T:
        """What the hook made of it; where it failed, `otherwise`, or `closed` if failures are to close."""
        if outcome.error is not None:
            self.kept_back = self.kept_back or self.given.fail_closed
            return closed if self.given.fail_closed else otherwise
        made: T = outcome.value
        return made

    async def _run(self, stage: str, hook: Hook, *arguments: Any, read: Callable[[Any], Any], once: bool = False) -> Outcome:
        """What `read` makes of what `hook` returned; something of the wrong type is a failure like one that was raised."""
        outcome = await self._user_code.call(hook, *arguments, deadline_seconds=HOOK_SECONDS, quick=True, name=stage, read=read)
        if outcome.error is not None and not (once and self._is_told(stage, outcome.error)):
            self._failed(stage, outcome.error)
        return outcome

    def _is_told(self, stage: str, error: str) -> bool:
        """Whether this was told before; errors that differ every time are told a few times."""
        if (stage, error) in self._told or len(self._told) == MOST_TOLD:
            return True
        self._told.add((stage, error))
        return False


# What hooks may return.


def text_of(stage: str, returned: Any) -> str | None:
    """A text, or None. `ConfigTypeError` for what is neither."""
    if returned is not None and not isinstance(returned, str):
        raise ConfigTypeError(f"{stage} returned {type(returned).__name__}; it returns a string or None")
    return returned


def audio_of(stage: str, returned: Any) -> bytes:
    """Audio, none for None. `ConfigTypeError` for what is neither."""
    if returned is None:
        return b""
    if not isinstance(returned, bytes | bytearray):
        raise ConfigTypeError(f"{stage} returned {type(returned).__name__}; it returns bytes or None")
    return bytes(returned)


def _messages_of(returned: Any) -> list[Message] | None:
    return None if returned is None else from_dicts(returned)
