"""Runs a program for as long as standard input stays open, so that it ends with the process that began it, however that one ends.

Run as a file, by itself: it imports nothing of this package.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

GRACE_SECONDS = 0.3
"""What the program has to say goodbye before it is killed."""


def main(command: list[str]) -> None:
    """Run the command; when standard input ends, so does the command and what it has started."""
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    stopping = threading.Event()
    threading.Thread(target=_follow, args=(program, stopping), daemon=True).start()
    sys.stdin.buffer.read()
    stopping.set()
    program.terminate()
    try:
        program.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():  # the group is ours alone: what the program has started, and this
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def _follow(program: subprocess.Popen[bytes], stopping: threading.Event) -> None:
    """End as the program ends, when it does so by itself."""
    code = program.wait()
    if not stopping.is_set():
        os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main(sys.argv[1:])
