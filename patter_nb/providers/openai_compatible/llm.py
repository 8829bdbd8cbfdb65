"""The model as an agent is given it, and its answers within one call."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from typing import Any

from patter_nb.errors import HIDDEN, ConfigError
from patter_nb.providers.base import CallContext, LLMEvent, ToolSpec
from patter_nb.providers.openai_compatible import settings
from patter_nb.providers.openai_compatible.answer import Answer
from patter_nb.providers.openai_compatible.client import http_client, load
from patter_nb.providers.openai_compatible.connection import Connection
from patter_nb.providers.openai_compatible.failures import Failures
from patter_nb.providers.openai_compatible.request import body
from patter_nb.providers.openai_compatible.servers import server
from patter_nb.turns.messages import Message
from patter_nb.turns.usage import Price, Usage


@dataclass(eq=False, repr=False)
class OpenAICompatibleLLM:
    """A model behind a server of chat completions. With a server on this machine it needs no key.

    `base_url` is a URL without `/chat/completions`, or the name of a program: "ollama", "lm studio", "llama.cpp", "vllm", each at
    the port it listens on by default.

    Usage is what the server reports. A server that reports none brings no `Usage`: its cost is unknown, not nothing, unless its
    price is known to be nothing. That is so for servers on this machine, unless `price` says otherwise.
    """

    model: str
    """As the server knows it: "llama3.2" (`ollama list` shows yours)."""
    _: KW_ONLY
    base_url: str
    api_key: str = field(default="", repr=False)
    """Sent as `Authorization: Bearer`, when there is one. It is not looked up in the environment."""
    temperature: float | None = None
    """This and the other settings of sampling are sent only when they are given."""
    max_tokens: int | None = None
    """Of an answer. For a model that only takes `max_completion_tokens`: `extra={"max_completion_tokens": 200}`."""
    top_p: float | None = None
    seed: int | None = None
    stop: str | Sequence[str] | None = None
    """Texts that end an answer, and are no part of it."""
    extra: Mapping[str, Any] | None = None
    """More fields of the request, such as `{"reasoning_effort": "low"}`; None takes one away (`{"stream_options": None}`, for a
    server that refuses it)."""
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    """More headers of the request; never shown."""
    price: Price | None = None
    timeout_seconds: float = 30.0
    """How long the server may send nothing."""
    provider: str = ""
    """The name under which prices and rows know it; empty: the program's, or the host of the URL."""
    virtual_time: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        settings.model_name(self.model)
        self._server = server(self.base_url)
        settings.provider(self.provider)
        self.provider = self.provider or self._server.provider
        settings.key(self.api_key)
        if self.temperature is not None:
            settings.number("temperature", self.temperature)
        settings.whole("max_tokens", self.max_tokens, least=1)
        if self.top_p is not None:
            settings.number("top_p", self.top_p, most=1.0)
        settings.whole("seed", self.seed)
        self.stop = settings.stops(self.stop)
        self.extra = self._extra = settings.extra(self.extra)
        self.headers = self._headers = settings.headers(self.headers)
        settings.price(self.price)
        settings.number("timeout_seconds", self.timeout_seconds, above_zero=True)
        if self.price is None and self._server.local:
            self.price = Price()

    def ready(self) -> None:
        """Load what is slow to load. Nothing is asked of the server, which may start later: the first reply shows a wrong key."""
        import httpx

        load()
        try:
            httpx.URL(self._server.url)
        except httpx.InvalidURL as error:
            raise ConfigError(f"base_url is {self.base_url!r}, which is no URL: {error}.") from error

    @asynccontextmanager
    async def open(self, call: CallContext) -> AsyncIterator[_Stream]:  # noqa: ARG002 (the protocol's)
        """Answer in a call. A connection is made meanwhile, so that the first answer need not wait for it."""
        secrets = tuple(text for text in (self.api_key, *self._headers.values()) if text)
        failures = Failures(self._server, self.provider, self.model, secrets)
        authorization = {"authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        # Events that were packed would come in lumps.
        wanted = {"accept": "text/event-stream", "accept-encoding": "identity", "content-type": "application/json"}
        headers = {**wanted, **authorization, **{name.lower(): text for name, text in self._headers.items()}}
        async with http_client() as client:
            connection = Connection(client, failures, headers, self.timeout_seconds)
            connection.warm()
            try:
                yield _Stream(self, connection)
            finally:
                await connection.close()

    def request_settings(self) -> dict[str, Any]:
        """What was set, by the names of the request."""
        stop = None if self.stop is None else list(self.stop)
        return {
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "top_p": self.top_p,
            "seed": self.seed,
            "stop": stop,
            **self._extra,
        }

    def __repr__(self) -> str:
        shown = [f.name for f in fields(self) if f.init and f.repr and f.name not in ("model", "base_url", "provider", "price")]
        given = [f"{name}={value!r}" for name in shown if (value := getattr(self, name)) not in (_DEFAULTS[name].default, {})]
        hidden = [f"{name}={HIDDEN!r}" for name in ("api_key", "headers") if getattr(self, name)]
        return f"OpenAICompatibleLLM({', '.join([repr(self.model), f'base_url={self.base_url!r}', *given, *hidden])})"


_DEFAULTS = OpenAICompatibleLLM.__dataclass_fields__


class _Stream:
    """One call's share of the model."""

    def __init__(self, llm: OpenAICompatibleLLM, connection: Connection) -> None:
        self._llm = llm
        self._connection = connection
        self._failures = connection.failures

    def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> AsyncIterator[LLMEvent]:
        llm = self._llm
        return self._answer(json.dumps(body(llm.model, messages, tools, llm.request_settings())).encode())

    async def _answer(self, content: bytes) -> AsyncIterator[LLMEvent]:
        response = await self._connection.ask(content)
        answer = Answer()
        ended = False
        try:
            async with aclosing(self._connection.chunks(response, lambda: answer.finish_reason is not None)) as chunks:
                async for chunk in chunks:
                    for event in self._understood(answer, chunk):
                        yield event
            for event in self._rest(answer):
                yield event
            ended = True
        finally:
            await response.aclose()
            if not ended:
                self._connection.warm()  # the connection went with the answer, and the next one shall not wait for another

    def _understood(self, answer: Answer, chunk: Mapping[str, Any]) -> list[LLMEvent]:
        """The events that a chunk brings; tools are asked for as soon as the answer is said to be over."""
        try:
            events: list[LLMEvent] = list(answer.chunk(chunk))
            return [*events, *answer.requests()] if answer.finish_reason else events
        except ValueError as error:
            raise self._failures.error(f"sent a chunk that cannot be read: {error}.") from None

    def _rest(self, answer: Answer) -> list[Usage]:
        """What the end of the stream brings."""
        if answer.finish_reason is None:
            raise self._failures.error("ended the connection in the middle of its answer.", retryable=True)
        if answer.finish_reason == "content_filter" and not answer.said:
            raise self._failures.error("withheld its answer: its content filter took it.")
        tokens = answer.tokens
        if tokens is None:
            return []
        usage = Usage("llm", self._llm.provider, self._llm.model, input_tokens=tokens.input, output_tokens=tokens.output)
        return [replace(usage, cached_input_tokens=tokens.cached)]
