"""The worker's process: started once, for any loop and thread, gone with its parent, started again when it dies."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
import threading

import pytest

from patter_nb.audio.formats import MULAW_8K
from patter_nb.errors import ConfigError, ProviderError
from patter_nb.providers.base import AudioChunk, CallContext
from patter_nb.providers.local import LocalTTS
from patter_nb.providers.local.client import WORKER, Model, loaded
from patter_nb.providers.local.models import whisper_folder
from patter_nb.providers.local.stt import LocalSTT
from patter_nb.providers.local.wire import pack

pytestmark = pytest.mark.slow  # real workers that start, load and die

CALL = CallContext("call")
BOUND_SECONDS = 60.0
LONG = " ".join(f"This is sentence number {n} of a very long speech that nobody will hear to its end." for n in range(40))


def run(main) -> object:  # type: ignore[no-untyped-def]
    async def bounded() -> object:
        async with asyncio.timeout(BOUND_SECONDS):
            return await main()

    return asyncio.run(bounded())


async def say(text: str) -> int:
    async with LocalTTS().open(CALL, MULAW_8K) as stream:
        return sum([len(event.audio) async for event in stream.speak(text) if isinstance(event, AudioChunk)])


def gone(pid: int) -> bool:
    """Whether the process ends within the bound."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], BOUND_SECONDS)[0])
    finally:
        os.close(handle)


def test_one_process_serves_all_loops_and_threads(models: None) -> None:
    pid = WORKER.start().pid
    heard: dict[int, object] = {}

    def call(number: int) -> None:
        heard[number] = run(lambda: say(f"Hello, caller number {number}."))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND_SECONDS)
    assert sorted(heard) == [0, 1, 2]
    assert all(isinstance(size, int) and size > 4000 for size in heard.values())
    assert WORKER.start().pid == pid


def test_the_kernels_interrupt_is_not_the_workers(models: None) -> None:
    pid = WORKER.start().pid
    assert os.getpgid(pid) == pid != os.getpgid(0)
    assert os.getsid(pid) == pid


def test_a_stranger_on_this_machine_is_not_served(models: None) -> None:
    async def main() -> None:
        port = await asyncio.wrap_future(WORKER.start().port)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(pack({"secret": "guess"}))
        assert await reader.read() == b""
        writer.close()

    run(main)


def test_a_killed_worker_fails_what_it_was_doing_and_the_next_request_starts_another(models: None) -> None:
    async def main() -> None:
        async with LocalTTS().open(CALL, MULAW_8K) as stream:
            events = stream.speak(LONG)
            await anext(events)
            killed = WORKER.start().pid
            os.kill(killed, signal.SIGKILL)
            with pytest.raises(ProviderError, match=r"ended unexpectedly \(by signal 9\); the next request starts it") as failure:
                async for _ in events:
                    pass
            assert failure.value.provider == "local"
            assert failure.value.retryable
            again = [event async for event in stream.speak("I am back.")]
            assert isinstance(again[0], AudioChunk)
            assert WORKER.start().pid != killed

    run(main)


def test_getting_ready_does_not_wait_and_a_worker_that_went_away_meanwhile_is_not_missed(models: None) -> None:
    async def main() -> None:
        async with LocalTTS().open(CALL, MULAW_8K) as stream:
            await anext(stream.speak("Before the worker went away."))
            WORKER.stop()
            LocalTTS().ready()
            process = WORKER.start()
            assert not any(load.done() for load in process.loads.values())
            assert isinstance(await anext(stream.speak("After the worker went away.")), AudioChunk)
            assert process is WORKER.start()

    run(main)


PARENT = """
import sys
from patter_nb.providers.local import LocalSTT, LocalTTS
from patter_nb.providers.local.client import WORKER
LocalSTT().ready()
LocalTTS().ready()
print(WORKER.start().pid, WORKER.start().port.result(60) and "", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("last_words", [b"", None], ids=["the parent ends", "the parent is killed"])
def test_no_worker_outlives_its_parent(models: None, last_words: bytes | None) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        if last_words is None:
            parent.kill()
        else:
            parent.communicate(last_words)
        assert gone(worker)
        assert gone(parent.pid)


def test_what_the_worker_prints_is_not_printed_here(models: None, capfd: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        with pytest.raises(ConfigError, match="cannot be loaded as a Whisper model"):
            await loaded(Model("stt", "/no/such/model"))

    run(main)
    assert capfd.readouterr() == ("", "")


def test_a_model_that_could_not_be_loaded_is_asked_for_again(models: None, tmp_path) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path / "mine"
    stt = LocalSTT(folder)

    async def main() -> None:
        folder.mkdir()
        for name in ("model.bin", "tokenizer.json"):
            (folder / name).touch()
        with pytest.raises(ConfigError, match="cannot be loaded"):
            await stt.wait_ready()
        real = whisper_folder(None)
        for name in ("model.bin", "tokenizer.json", "config.json", "vocabulary.txt"):
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to(real / name)
        await stt.wait_ready()

    run(main)
    assert stt.model == "mine"
