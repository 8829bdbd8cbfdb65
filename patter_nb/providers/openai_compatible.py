"""Language models behind OpenAI's chat completions, wherever they run: Ollama, LM Studio, llama.cpp, vLLM, or any other server.

The wire is `POST {base_url}/chat/completions` with `stream: true`, answered by server-sent events, as OpenAI's API reference has
it.
"""

from __future__ import annotations

import asyncio
import json
import weakref
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from patter_nb.errors import ConfigError, ConfigTypeError, ProviderError, scrub
from patter_nb.providers.base import CallContext, LLMEvent, TextDelta, ToolSpec
from patter_nb.turns.messages import Message, ToolRequest
from patter_nb.turns.usage import Price, Usage
from patter_nb.web.post import tls

if TYPE_CHECKING:
    import httpx

LOCAL_SERVERS: Mapping[str, tuple[str, str]] = {
    "ollama": ("http://localhost:11434/v1", "start it with: ollama serve"),
    "lm studio": ("http://localhost:1234/v1", "start its local server in the Developer tab"),
    "llama.cpp": ("http://localhost:8080/v1", "start it with: llama-server -m MODEL.gguf"),
    "vllm": ("http://localhost:8000/v1", "start it with: vllm serve MODEL"),
}
"""Servers for this machine by name: where they listen unless told otherwise, and how they are started."""

MOST_LINE = 1024 * 1024
"""The longest line of an answer."""
MOST_ERROR = 2000
"""Characters of an error's body that are read."""

_clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = weakref.WeakKeyDictionary()
"""One client for each event loop: making one takes tens of milliseconds, and its connections are used again."""


@dataclass(frozen=True)
class OpenAICompatibleLLM:
    """A model on a server that speaks OpenAI's chat completions.

    `base_url`: up to and without `/chat/completions`, or the name of a server on this machine: "ollama", "lm studio",
    "llama.cpp", "vllm". Settings that are None are left to the server. What a server on this machine does costs nothing; of any
    other the price is looked up by `provider` and `model`, and unknown is NaN.
    """

    model: str
    _: KW_ONLY
    base_url: str
    api_key: str = field(default="", repr=False)
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: Sequence[str] | None = None
    extra: Mapping[str, Any] | None = None
    """More fields of the request, as the server knows them."""
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    price: Price | None = None
    timeout_seconds: float = 30.0
    """For connecting, and for each piece of the answer."""
    provider: str = ""
    """The id under which prices and rows know it; empty: the server's name, or the host."""
    virtual_time: bool = field(default=False, init=False)
    remedy: str = field(default="", init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("model", "base_url"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise ConfigTypeError(f"{name} is {getattr(self, name)!r}; it must be a string that is not empty.")
        named = self.base_url.lower().replace("lmstudio", "lm studio")
        url, remedy = LOCAL_SERVERS.get(named, (self.base_url, ""))
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            names = ", ".join(map(repr, LOCAL_SERVERS))
            given = scrub(self.base_url)
            raise ConfigError(f"base_url is {given!r}; it must begin with http:// or https://, or be one of {names}.")
        object.__setattr__(self, "base_url", url.rstrip("/"))
        object.__setattr__(self, "remedy", remedy)
        object.__setattr__(self, "provider", self.provider or (named if named in LOCAL_SERVERS else parts.hostname))
        if self.price is None and parts.hostname in ("localhost", "127.0.0.1", "::1"):
            object.__setattr__(self, "price", Price())
        seconds = self.timeout_seconds
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0:
            raise ConfigError(f"timeout_seconds is {seconds!r}; it must be a number of seconds above 0.")

    def ready(self) -> None:
        """Nothing: the server is asked when a call begins to need it."""

    @asynccontextmanager
    async def open(self, call: CallContext) -> AsyncIterator[OpenAICompatibleLLM]:  # noqa: ARG002 (the protocol's)
        """One client serves all calls of a loop."""
        await _client()
        yield self

    def request(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> dict[str, Any]:
        """The body that is sent."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [_message(each) for each in messages],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        for name in ("temperature", "top_p", "max_tokens", "seed", "stop"):
            if getattr(self, name) is not None:
                body[name] = getattr(self, name)
        if tools:
            body["tools"] = [each.plain() for each in tools]
        return {**body, **(self.extra or {})}

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> AsyncIterator[LLMEvent]:
        """One answer. Closing it closes the connection it comes through, which ends the generation."""
        import httpx

        client = await _client()
        headers = {**({"authorization": f"Bearer {self.api_key}"} if self.api_key else {}), **(self.headers or {})}
        url, body = f"{self.base_url}/chat/completions", self.request(messages, tools)
        try:
            async with client.stream("POST", url, json=body, headers=headers, timeout=self.timeout_seconds) as response:
                if response.status_code != 200:
                    raise await self._refused(response)
                answer = _Answer(self)
                async for line in _lines(response):
                    for event in answer.line(line):
                        yield event
                    if answer.over:
                        break
                for event in answer.end():
                    yield event
        except httpx.ConnectError as error:
            raise self._error(f"is not there at {self.base_url}", retryable=True) from error
        except httpx.TimeoutException as error:
            raise self._error(f"brought nothing within {self.timeout_seconds:g} s", retryable=True) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._error(f"broke off ({str(error) or type(error).__name__})", retryable=True) from error

    async def _refused(self, response: httpx.Response) -> ProviderError:
        told = (await response.aread())[: 4 * MOST_ERROR].decode("utf-8", "replace")[:MOST_ERROR]
        status = response.status_code
        retryable = status in (408, 409, 425, 429) or status >= 500
        return self._error(f"answered with status {status}: {_reason(told)}", retryable=retryable)

    def _error(self, what: str, *, retryable: bool = False) -> ProviderError:
        remedy = f"; {self.remedy}" if self.remedy and " is not there " in f" {what} " else ""
        return ProviderError(scrub(f"{self.provider} {what}{remedy}."), provider=self.provider, retryable=retryable)


class _Answer:
    """One answer as it comes, line by line."""

    def __init__(self, settings: OpenAICompatibleLLM) -> None:
        self._settings = settings
        self._tools: dict[int, dict[str, str]] = {}
        self._usage: Mapping[str, Any] | None = None
        self._finished = False
        self.over = False

    def line(self, line: str) -> list[LLMEvent]:
        """The events of one line of the stream."""
        field_name, _, value = line.partition(":")
        if field_name != "data" or not value.strip():
            return []
        value = value.strip()
        if value == "[DONE]":
            self.over = True
            return []
        try:
            chunk = json.loads(value)
        except ValueError as error:
            raise self._settings._error(f"sent what is not JSON ({error})") from error
        if not isinstance(chunk, dict):
            raise self._settings._error("sent a chunk that is no object")
        if chunk.get("error"):
            raise self._settings._error(f"failed: {_reason(json.dumps(chunk))}", retryable=True)
        if isinstance(chunk.get("usage"), dict):
            self._usage = chunk["usage"]
        return [event for choice in chunk.get("choices") or () for event in self._choice(choice)]

    def end(self) -> list[LLMEvent]:
        """What is known only at the end: the tools that were asked for, and the usage. `ProviderError` when it broke off."""
        if not (self.over or self._finished):
            raise self._settings._error("ended its answer in the middle", retryable=True)
        requests: list[LLMEvent] = [
            ToolRequest(tool["id"] or f"call_{place}", tool["name"], tool["arguments"] or "{}")
            for place, tool in sorted(self._tools.items())
            if tool["name"]
        ]
        return [*requests, *self._consumed()]

    def _choice(self, choice: Mapping[str, Any]) -> list[LLMEvent]:
        if choice.get("finish_reason"):
            self._finished = True
        delta = choice.get("delta") or {}
        for place, part in enumerate(delta.get("tool_calls") or ()):
            index = part.get("index")
            tool = self._tools.setdefault(place if index is None else index, {"id": "", "name": "", "arguments": ""})
            function = part.get("function") or {}
            tool["id"] = tool["id"] or part.get("id") or ""
            tool["name"] += function.get("name") or ""
            tool["arguments"] += _arguments(function.get("arguments"))
        text = delta.get("content")
        return [TextDelta(text)] if isinstance(text, str) and text else []

    def _consumed(self) -> list[Usage]:
        """The tokens the server counted; none where it did not: then the cost is not known."""
        told, settings = self._usage, self._settings
        if told is None:
            return []
        cached = int((told.get("prompt_tokens_details") or {}).get("cached_tokens") or 0)
        usage = Usage(
            "llm",
            settings.provider,
            settings.model,
            input_tokens=max(0, int(told.get("prompt_tokens") or 0) - cached),
            cached_input_tokens=cached,
            output_tokens=int(told.get("completion_tokens") or 0),
        )
        return [usage]


async def _client() -> httpx.AsyncClient:
    """The client of the running loop."""
    loop = asyncio.get_running_loop()
    client = _clients.get(loop)
    if client is None or client.is_closed:
        import httpx

        trusted = await asyncio.to_thread(tls)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=30.0)
        client = _clients[loop] = httpx.AsyncClient(verify=trusted, limits=limits, trust_env=False)
    return client


async def _lines(response: httpx.Response) -> AsyncIterator[str]:
    """The lines of a stream; `ValueError` for one without an end."""
    rest = ""
    async for text in response.aiter_text():
        rest += text
        *lines, rest = rest.split("\n")
        for line in lines:
            yield line.rstrip("\r")
        if len(rest) > MOST_LINE:
            raise ProviderError("The server sent a line without an end.", provider="openai_compatible")
    if rest:
        yield rest.rstrip("\r")


def _message(message: Message) -> dict[str, Any]:
    """A message as the API takes it: an assistant that only asked for tools has no content."""
    plain = message.plain()
    if message.tool_requests and not message.content:
        plain["content"] = None
    return plain


def _arguments(part: Any) -> str:
    """A piece of a tool's arguments; some servers send the whole object instead of its text."""
    return part if isinstance(part, str) else "" if part is None else json.dumps(part)


def _reason(told: str) -> str:
    """The server's own words of what went wrong."""
    try:
        error = json.loads(told)
    except ValueError:
        return " ".join(told.split())[:300] or "no reason given"
    for key in ("error", "message", "detail"):
        if isinstance(error, dict) and error.get(key):
            error = error[key]
    return str(error)[:300]
