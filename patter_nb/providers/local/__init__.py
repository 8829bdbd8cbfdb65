"""Speech and a demo brain on this machine: no key, no account, no network.

The models live in one worker process, started when an agent first receives one of these providers. What is installed with the
extra `local` is used, or a path you give; nothing is downloaded.
"""

from patter_nb.providers.local.brain import DemoBrain
from patter_nb.providers.local.stt import LocalSTT
from patter_nb.providers.local.tts import LocalTTS

__all__ = ["DemoBrain", "LocalSTT", "LocalTTS"]
