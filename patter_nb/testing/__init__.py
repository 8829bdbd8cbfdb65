"""Checks that a provider of your own keeps its protocol, wherever you wrote it.

    from patter_nb.testing import check_tts
    await check_tts(MyTTS())

They return when every rule holds; else `ConformanceError`, an `AssertionError`, says in one sentence which rule is broken. A
provider with `virtual_time=True` is checked on a loop of virtual time, any other in real time; both in a thread of their own.
"""

from patter_nb.testing.harness import ConformanceError
from patter_nb.testing.llm import check_llm
from patter_nb.testing.stt import check_stt
from patter_nb.testing.tts import check_tts

__all__ = ["ConformanceError", "check_llm", "check_stt", "check_tts"]
