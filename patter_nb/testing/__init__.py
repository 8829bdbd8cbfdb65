"""What stands in for the world outside: checks of a provider of your own, and a carrier on this machine.

`check_stt`, `check_llm` and `check_tts` check that a provider keeps its protocol, wherever you wrote it.

    from patter_nb.testing import check_tts
    await check_tts(MyTTS())

They return when every rule holds; else `ConformanceError`, an `AssertionError`, says in one sentence which rule is broken. A
provider with `virtual_time=True` is checked on a loop of virtual time, any other in real time; both in a thread of their own.

`TwilioSimulator` is the carrier's side of a telephone number, over real sockets; `Callee` is who answers when
it is told to place a call.
"""

from patter_nb.testing.harness import ConformanceError
from patter_nb.testing.llm import check_llm
from patter_nb.testing.stt import check_stt
from patter_nb.testing.tts import check_tts
from patter_nb.testing.twilio import Callee, TwilioSimulator

__all__ = ["Callee", "ConformanceError", "TwilioSimulator", "check_llm", "check_stt", "check_tts"]
