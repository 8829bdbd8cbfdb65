"""The model and the voice of one call, and of each revision that brings another: opened once, when first wanted, closed with the
call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

from patter_nb.audio.formats import AudioFormat
from patter_nb.errors import PatterError
from patter_nb.providers.base import CLOSING_SECONDS, LLM, TTS, CallContext, LLMStream, TTSStream, choose_format
from patter_nb.session.boundary import guard, naming
from patter_nb.session.patience import opened


class Streams:
    """Open streams by the provider they belong to. `failed` is told what goes wrong while they are closed.

    Each is opened and closed in a task of its own, so that one can be opened in the middle of a reply and closed by whoever ends
    the call, whatever it is made of.
    """

    def __init__(self, context: CallContext, audio: AudioFormat, failed: Callable[[str], None]) -> None:
        self._context = context
        self._audio = audio
        self._failed = failed
        self._over = asyncio.Event()
        self._open: list[tuple[Any, asyncio.Future[Any]]] = []
        self._owners: dict[asyncio.Task[None], asyncio.Future[Any]] = {}

    async def llm(self, llm: LLM) -> LLMStream:
        """The call's stream of this model. `PatterError` when it cannot be opened."""
        stream: LLMStream = await self._stream(llm, lambda: llm.open(self._context))
        return stream

    async def tts(self, tts: TTS) -> tuple[TTSStream, AudioFormat]:
        """The call's stream of this voice, and the format in which it speaks there."""
        made_as = choose_format(tts.formats, self._audio)
        return await self._stream(tts, lambda: tts.open(self._context, made_as)), made_as

    async def close(self) -> None:
        """Close what was opened; no longer than a provider may take for it."""
        self._over.set()
        for owner, stream in self._owners.items():
            if not stream.done():  # nobody wants it any more
                owner.cancel()
        if self._owners:
            _, late = await asyncio.wait(list(self._owners), timeout=CLOSING_SECONDS)
            for task in late:
                task.cancel()
            if late:
                self._failed(f"The model or the voice was not closed within {CLOSING_SECONDS:g} s.")
                await asyncio.wait(late, timeout=CLOSING_SECONDS)

    async def _stream(self, provider: Any, open_it: Callable[[], AbstractAsyncContextManager[Any]]) -> Any:
        for known, stream in self._open:
            if known is provider:
                return await asyncio.shield(stream)
        stream = asyncio.get_running_loop().create_future()
        self._open.append((provider, stream))
        owner = asyncio.create_task(self._own(provider, open_it, stream), name=f"hold {provider.provider}")
        self._owners[owner] = stream
        owner.add_done_callback(lambda done: self._owners.pop(done, None))
        return await asyncio.shield(stream)

    async def _own(
        self, provider: Any, open_it: Callable[[], AbstractAsyncContextManager[Any]], stream: asyncio.Future[Any]
    ) -> None:
        def failed(error: str) -> None:
            if stream.done():
                self._failed(error)

        try:
            with guard(failed, who=provider.provider):
                await self._hold(provider, open_it, stream)
        finally:
            if not stream.done():
                stream.cancel()

    async def _hold(
        self, provider: Any, open_it: Callable[[], AbstractAsyncContextManager[Any]], stream: asyncio.Future[Any]
    ) -> None:
        async with AsyncExitStack() as streams:
            try:
                with naming(provider.provider):
                    found = await opened(streams, open_it(), provider=provider.provider)
            except PatterError as error:
                self._forget(stream, error)
                return
            stream.set_result(found)
            await self._over.wait()

    def _forget(self, stream: asyncio.Future[Any], error: BaseException) -> None:
        """It could not be opened; whoever wants it again may try again."""
        self._open = [(known, each) for known, each in self._open if each is not stream]
        stream.set_exception(error)
        stream.exception()  # it was looked at, also when nobody waits any more
