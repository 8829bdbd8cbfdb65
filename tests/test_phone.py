"""`Patter` as its users hold it: scripted providers, the real simulated caller, mostly in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import math
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event

from patter_nb import BackgroundAudioPlayer, BuiltinAudioClip, Guardrail, MinWordsStrategy, PipelineHooks, tool
from patter_nb.agent import Agent, AgentSettings
from patter_nb.audio.vad import EnergyModel
from patter_nb.audio.wav import read_wav
from patter_nb.call import Call
from patter_nb.callers import Line
from patter_nb.carriers.twilio import Twilio
from patter_nb.errors import ConfigError, ConfigTypeError, PatterError
from patter_nb.phone import Patter
from patter_nb.providers.custom import CustomLLM
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.tunnels import Static
from patter_nb.turns.usage import Price

GREETING = "Hello there, good evening!"
LONG = "Dinner is served from six to ten, and the kitchen closes at half past nine on every Sunday of the year."
LINES = ["One?", "Two?"]

Main = Callable[[], Coroutine[Any, Any, Any]]


@pytest.fixture
def phone() -> Patter:
    return Patter(store=False)


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Patter]:
    made = Patter(store=tmp_path / "calls.sqlite3")
    yield made
    made.store.close()


def providers(**given: Any) -> dict[str, Any]:
    stt, llm = ScriptedSTT(["one", "two", "three"]), ScriptedLLM(["First.", "Second.", "Third."])
    return {"stt": stt, "llm": llm, "tts": ScriptedTTS(), **given}


def free(**given: Any) -> dict[str, Any]:
    """Those of a price that is known: nothing."""
    stt, llm = ScriptedSTT(["one", "two", "three"], price=Price()), ScriptedLLM(["First.", "Second.", "Third."], price=Price())
    return {"stt": stt, "llm": llm, "tts": ScriptedTTS(price=Price()), **given}


def agent(phone: Patter, prompt: str = "You are a test.", **settings: Any) -> Agent:
    return phone.agent(prompt, **{"first_message": GREETING, **providers(), **settings})


def hold(phone: Patter, caller: Any = LINES, *, record: bool = True, **settings: Any) -> Call:
    """One test call in virtual time, awaited."""

    async def main() -> Call:
        return await phone.test(agent(phone, **settings), caller, speed="max", record=record)

    return asyncio.run(main())


async def until(reached: Callable[[], object]) -> None:
    """Wait for it, half a minute at most."""
    for _ in range(3000):
        if reached():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came")


def quick(**given: Any) -> dict[str, Any]:
    """Settings with which a call in real time takes about a second."""
    return {
        **providers(
            stt=ScriptedSTT(["one"], final_seconds=0.02),
            llm=ScriptedLLM(["Yes."], first_token_seconds=0.02),
            tts=ScriptedTTS(first_byte_seconds=0.02, seconds_per_character=0.03),
        ),
        "first_message": "", "hangover_ms": 200, **given,
    }  # fmt: skip


# What a phone shows of its calls.


def test_calls_turns_and_events_of_all_calls_are_tables_and_the_last_call_is_the_call(phone: Patter) -> None:
    assert phone.last_call is None
    assert (len(phone.calls), len(phone.turns), len(phone.events)) == (0, 0, 0)
    first, second = hold(phone), hold(phone, ["One?"])
    assert phone.last_call is second
    assert phone.calls["call_id"].tolist() == [first.id, second.id]
    assert phone.calls["source"].tolist() == ["2 lines", "1 lines"]
    assert phone.turns.groupby("call_id")["turn"].apply(list).to_dict() == {first.id: [0, 1, 2], second.id: [0, 1]}
    assert set(phone.events["call_id"]) == {first.id, second.id}
    assert repr(phone) == "<Patter, 2 calls, store off>"
    assert phone.flush()


def test_phone_numbers_are_masked_wherever_they_are_shown(phone: Patter) -> None:
    call = hold(phone, stt=ScriptedSTT(["call me at +1 555 765 4321", "bye"]))
    assert phone.calls["caller"].tolist() == ["+1•••••0001"]
    shown = [repr(phone), repr(call), str(call._repr_mimebundle_()), phone.calls.to_string(), str(call.view().caller)]
    shown += [phone.turns.to_string(), phone.events.to_string()]
    for text in shown:
        assert "5550000001" not in text
        assert "5557654321" not in text.replace(" ", "")


def test_without_a_store_there_is_none_to_look_into(phone: Patter) -> None:
    with pytest.raises(ConfigError, match="store is False: nothing is stored; leave store= out"):
        _ = phone.store


def test_rows_and_recordings_are_on_the_disk_when_they_are_flushed(stored: Patter, tmp_path: Path) -> None:
    call = hold(stored)
    assert stored.flush()
    with sqlite3.connect(tmp_path / "calls.sqlite3") as database:
        (row,) = database.execute("select call_id, end_reason, duration_seconds, recording_path, caller from calls").fetchall()
        path = str(tmp_path / "recordings" / f"{call.id}.wav")
        assert row == (call.id, "caller hung up", call.duration_seconds, path, "+1•••••0001")
        assert database.execute("select turn, heard_text from turns order by number").fetchall() == [
            (0, GREETING),
            (1, "First."),
            (2, "Second."),
        ]
        assert database.execute("select agent, number from revisions").fetchall() == [("agent", 1)]
        assert database.execute("select count(*) from events").fetchone()[0] == len(call.events)
    database.close()
    samples, hz = read_wav(row[3])
    assert (hz, len(samples)) == (8000, len(call.audio.samples))
    assert stored.store.turns()["call_id"].tolist() == [call.id] * 3
    assert repr(stored) == f"<Patter, 1 calls, store {tmp_path / 'calls.sqlite3'}>"


def test_a_call_that_is_not_recorded_has_no_audio(stored: Patter, tmp_path: Path) -> None:
    call = hold(stored, record=False)
    assert call.audio is None
    assert stored.flush()
    assert not (tmp_path / "recordings").exists()
    assert stored.store.calls()["recording_path"].isna().all()


def test_a_caller_may_be_a_recording(phone: Patter, tmp_path: Path) -> None:
    from patter_nb.audio.synthetic import synthetic_voice

    samples, hz = synthetic_voice("When is dinner tonight, please?")
    call = hold(phone, (samples.astype(np.float64) / 32767, hz), hangover_ms=500)
    assert phone.calls["source"].tolist() == ["samples"]
    assert "one" in " ".join(line["text"] for line in call.transcript)


# Two calls at once.


def test_two_calls_in_virtual_time_at_once_keep_their_rows_apart(phone: Patter) -> None:
    async def main() -> list[Call]:
        prices = {"Anna": Price(usd_per_1k_characters=1.0), "Bert": Price(usd_per_1k_characters=10.0)}
        agents = [
            agent(phone, f"You are {name}.", name=name, llm=ScriptedLLM([name] * 3), tts=ScriptedTTS(price=price))
            for name, price in prices.items()
        ]
        calls = [phone.test(each, LINES, speed="max") for each in agents for _ in range(2)]
        return [await call for call in calls]

    calls = asyncio.run(main())
    for call, name, usd in zip(calls, ("Anna", "Anna", "Bert", "Bert"), (1.0, 1.0, 10.0, 10.0), strict=True):
        assert call.turns["heard_text"].tolist() == [GREETING, name, name]
        assert phone.calls.set_index("call_id").loc[call.id, "agent"] == name
        spoken = len(GREETING) + 2 * len(name)
        assert call.cost[call.cost["part"] == "tts"]["usd"].sum() == pytest.approx(spoken * usd / 1000)
    assert len(phone.turns) == 12


def test_a_call_in_real_time_and_one_in_virtual_time_simply_work_together(phone: Patter) -> None:
    async def main() -> tuple[Call, Call]:
        real = phone.test(agent(phone, name="real", **quick()), ["Hm?"], speed="real")
        fast = phone.test(agent(phone, name="fast"), LINES, speed="max")
        assert (real.state, fast.state) == ("running", "running")
        await fast
        assert real.state == "running"
        return await real, fast

    real, fast = asyncio.run(main())
    assert real.turns["heard_text"].tolist() == ["Yes."]
    assert fast.turns["heard_text"].tolist() == [GREETING, "First.", "Second."]
    speeds = phone.calls.set_index("call_id")["speed"].to_dict()
    assert speeds == {real.id: "real", fast.id: "max"}
    assert real.turns["loop_stall_ms"].notna().all()
    assert fast.turns["loop_stall_ms"].isna().all()


def open_files() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.slow
def test_calls_leave_no_task_no_thread_and_no_socket_behind(phone: Patter) -> None:
    async def main() -> None:
        made = agent(phone)
        for _ in range(50):
            await phone.test(made, ["One?"], speed="max")
            assert asyncio.all_tasks() == {asyncio.current_task()}
        await phone.test(agent(phone, **quick()), ["Hm?"])
        assert asyncio.all_tasks() == {asyncio.current_task()}

    hold(Patter(store=False))  # what is imported and opened once
    before, files = set(threading.enumerate()), open_files()
    asyncio.run(main())
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive(), thread.name
    assert len(phone.calls) == 51
    assert open_files() <= files


# Interruptions and failures.


@pytest.mark.parametrize("speed", ["real", "max"])
def test_interrupting_whoever_awaits_a_test_ends_that_test_and_no_other(phone: Patter, speed: str) -> None:
    slow = quick(first_message="", llm=ScriptedLLM([LONG], first_token_seconds=0.02), tts=ScriptedTTS())

    async def main() -> tuple[Call, Call]:
        other = phone.test(agent(phone, name="other", **quick()), ["Hm?"])
        call = phone.test(agent(phone, **(slow if speed == "real" else slow | {"stt": Waits(["one"])})), ["Hm?"], speed=speed)
        cell = asyncio.ensure_future(call.ended())
        await until(lambda: call.audio is not None and call.audio.agent.any())
        cell.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cell
        assert other.state == "running"
        await call
        return call, await other

    call, other = asyncio.run(main())
    assert (call.state, call.error, call.end_reason) == ("ended", None, "interrupted")
    assert (other.end_reason, other.turns["heard_text"].tolist()) == ("caller hung up", ["Yes."])
    row = phone.calls.set_index("call_id").loc[call.id]
    assert row["end_reason"] == "interrupted"
    assert row["duration_seconds"] == pytest.approx(call.duration_seconds)
    assert call.turns["caller_text"].tolist() == ["one"]


class Waits(ScriptedSTT):
    """Holds a call in virtual time up until it is stopped: its last words come from a thread, which takes its real time."""

    def next_line(self, call_id: str) -> str:
        text = super().next_line(call_id)
        if text:
            asyncio.get_running_loop().run_in_executor(None, threading.Event().wait, 1.0)
        return text


@pytest.mark.parametrize("speed", ["real", "max"])
def test_a_call_can_be_stopped_as_soon_as_it_is_there(phone: Patter, speed: str) -> None:
    async def main() -> Call:
        call = phone.test(agent(phone), LINES, speed=speed)
        thread = threading.Thread(target=call.stop)
        thread.start()
        thread.join()
        return await call

    call = asyncio.run(main())
    assert (call.state, call.error, call.end_reason) == ("ended", None, "stopped")
    assert phone.calls["end_reason"].tolist() == ["stopped"]
    call.stop("later")
    assert call.end_reason == "stopped"


def test_threads_that_stop_calls_in_virtual_time_at_any_moment_do_no_harm(phone: Patter) -> None:
    async def main() -> None:
        made = agent(phone)
        for number in range(30):
            call = phone.test(made, LINES * 4, speed="max")
            thread = threading.Timer(number * 0.004, call.stop, args=("enough",))
            thread.start()
            await call
            thread.join()
            assert call.end_reason in ("enough", "caller hung up")
            assert call.error is None

    asyncio.run(main())
    reasons = phone.calls["end_reason"].tolist()
    assert "enough" in reasons
    for _, rows in phone.turns.groupby("call_id"):
        assert rows["turn"].tolist() == list(range(len(rows)))


class NoVoice(ScriptedTTS):
    def open(self, call: Any, audio: Any) -> Any:
        raise ZeroDivisionError("no voice today")


@pytest.mark.parametrize("speed", ["real", "max"])
def test_a_call_that_fails_and_is_not_awaited_shows_it_and_nothing_else_does(
    phone: Patter, speed: str, caplog: pytest.LogCaptureFixture
) -> None:
    sentence = "scripted raised ZeroDivisionError: no voice today"

    async def main() -> Call:
        call = phone.test(agent(phone, tts=NoVoice()), LINES, speed=speed)
        await until(lambda: call.state != "running")
        return call

    call = asyncio.run(main())
    assert (call.state, call.error, call.end_reason) == ("failed", sentence, "failed")
    assert sentence in repr(call)
    assert call.view().error == sentence
    assert sentence in call._repr_mimebundle_()["text/html"]
    row = phone.calls.iloc[0]
    assert (row["end_reason"], row["error"]) == ("failed", sentence)
    gc.collect()
    assert caplog.records == []


def test_awaiting_a_call_that_failed_raises_its_sentence_each_time(phone: Patter) -> None:
    async def main() -> None:
        call = phone.test(agent(phone, tts=NoVoice()), LINES, speed="max")
        for _ in range(2):
            with pytest.raises(PatterError, match=r"^scripted raised ZeroDivisionError: no voice today$"):
                await call

    asyncio.run(main())


class Unprepared(ScriptedTTS):
    async def prepare(self, text: str) -> None:
        raise ConnectionError("not yet")


def test_a_greeting_that_cannot_be_prepared_is_made_when_it_is_wanted(phone: Patter) -> None:
    call = hold(phone, tts=Unprepared())
    assert call.turns["heard_text"].tolist()[0] == GREETING
    (told,) = call.events[call.events["kind"] == "not_prewarmed"]["data"].tolist()
    assert told == {"error": "scripted raised ConnectionError: not yet"}


ENDS_IN_MID_CALL = """
import asyncio, sys
from patter_nb.callers import Line
from patter_nb.phone import Patter
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS

async def main():
    phone = Patter(store=sys.argv[1])
    stt, llm = ScriptedSTT(["one"] * 90), ScriptedLLM(["Yes."] * 90)
    agent = phone.agent("A test.", stt=stt, llm=llm, tts=ScriptedTTS(), first_message="Hello there! " * 9)
    call = phone.test(agent, ["One?"] * 90, speed=sys.argv[2])
    while call.duration_seconds < float(sys.argv[3]):
        await asyncio.sleep(0.01)

asyncio.run(main())
"""


@pytest.mark.parametrize(("speed", "seconds"), [("real", "1.5"), ("max", "4.0")])
def test_a_program_that_ends_in_mid_call_keeps_its_rows_and_its_recording(tmp_path: Path, speed: str, seconds: str) -> None:
    command = [sys.executable, "-W", "error", "-c", ENDS_IN_MID_CALL, str(tmp_path / "calls.sqlite3"), speed, seconds]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    stored = Patter(store=tmp_path / "calls.sqlite3")
    (reason,) = stored.store.calls()["end_reason"].tolist()
    assert reason in ("cancelled", "interrupted")
    turns = stored.store.turns()
    assert turns["heard_text"].iloc[0].startswith("Hello there!")
    assert 0 < len(turns) < 90
    samples, _ = read_wav(stored.store.calls()["recording_path"].iloc[0])
    assert len(samples) / 8000 == pytest.approx(stored.store.calls()["duration_seconds"].iloc[0], abs=0.2)
    stored.store.close()


INTERRUPTED = """
import asyncio, sys
from patter_nb.phone import Patter
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS

async def main():
    phone = Patter(store=sys.argv[1])
    parts = dict(stt=ScriptedSTT(["one"]), llm=ScriptedLLM(["Yes."]), tts=ScriptedTTS(), first_message="Hello there! " * 9)
    call = phone.test(phone.agent("A test.", **parts), ["One?"])
    asyncio.get_running_loop().call_later(1.5, lambda: print("listening", flush=True))
    await call

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupt_from_the_keyboard_ends_the_call_and_keeps_its_rows(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", INTERRUPTED, str(tmp_path / "calls.sqlite3")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "listening\n"
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=60)
    assert (out, err, program.returncode) == ("interrupted\n", "", 0)
    stored = Patter(store=tmp_path / "calls.sqlite3")
    assert stored.store.calls()["end_reason"].tolist() == ["interrupted"]
    assert stored.store.turns()["kind"].tolist() == ["greeting"]
    stored.store.close()


# No room.


@pytest.mark.slow
def test_without_room_under_the_store_a_call_ends_as_calls_do_and_its_rows_follow(stored: Patter) -> None:
    limit = {"pages": 1_000_000}
    narrow = "pragma max_page_count = {pages}"  # for every transaction, whichever connection it is on
    event.listen(stored.store.engine, "begin", lambda connection: connection.exec_driver_sql(narrow.format(**limit)))
    hold(stored, **free())
    assert stored.flush()
    limit["pages"] = 1  # SQLite takes the present size instead of less
    calls = [hold(stored, **free(llm=ScriptedLLM([LONG * 20, LONG], price=Price()))) for _ in range(3)]
    assert not stored.flush(0.1)
    for call in calls:
        assert (call.error, call.end_reason) == (None, "caller hung up")
        (note,) = call.view().notes
        assert "is not being written (database or disk is full); rows waiting in memory:" in note
        assert "database or disk is full" in call._repr_mimebundle_()["text/html"]
    assert len(stored.turns) == 12
    limit["pages"] = 1_000_000
    assert stored.flush()
    assert calls[0].view().notes == ()
    assert len(stored.store.turns()) == 12
    assert stored.store.calls()["end_reason"].tolist() == ["caller hung up"] * 4


def test_without_room_under_the_recording_a_call_ends_as_calls_do_and_it_follows(stored: Patter, tmp_path: Path) -> None:
    in_the_way = tmp_path / "recordings"
    in_the_way.write_text("a file where the folder should be")
    call = hold(stored, **free())
    problem = f"The recording {call.id}.wav is kept in memory, since it cannot be written: File exists."
    assert (call.error, call.end_reason) == (None, "caller hung up")
    assert call.view().notes == (problem,)
    assert problem in call._repr_mimebundle_()["text/html"]
    assert call.events[call.events["kind"] == "recording_not_saved"]["data"].tolist() == [{"error": problem}]
    assert call.audio.seconds > 1
    other = hold(stored, record=False, **free())
    assert other.view().notes == ()
    assert "recording_not_saved" not in other.events["kind"].tolist()
    assert not stored.flush(1)
    assert stored.calls["recording_path"].isna().all()
    in_the_way.unlink()
    assert stored.flush()
    assert call.view().notes == ()
    path = in_the_way / f"{call.id}.wav"
    assert path.exists()
    assert stored.calls["recording_path"].iloc[0] == stored.store.calls()["recording_path"].iloc[0] == str(path)


# Revisions.


def test_the_same_content_keeps_its_revision_and_changed_content_is_the_next(stored: Patter) -> None:
    calls = [hold(stored, prompt=prompt) for prompt in ("One.", "One.", "Two.", "One.")]
    assert stored.calls["revision"].tolist() == [1, 1, 2, 3]
    assert [call.turns["revision"].tolist() for call in calls] == [[1] * 3, [1] * 3, [2] * 3, [3] * 3]
    assert stored.flush()
    revisions = stored.store.revisions()
    assert revisions["number"].tolist() == [1, 2, 3]
    assert [content["system_prompt"] for content in revisions["content"]] == ["One.", "Two.", "One."]


def test_each_name_has_revisions_of_its_own(phone: Patter) -> None:
    for name in ("a", "b", "a"):
        hold(phone, name=name)
    assert phone.calls[["agent", "revision"]].to_numpy().tolist() == [["a", 1], ["b", 1], ["a", 1]]


CHOICES = [
    # which agent is given (in the order of making), pinned, the revision that runs, what is printed
    (0, False, 2, "'agent': revision 2 is newer than the one given (1) and is used; pinned=True keeps yours.\n"),
    (0, True, 1, ""),
    (1, False, 2, ""),
    (1, True, 2, ""),
]


@pytest.mark.parametrize("choice", CHOICES)
def test_a_call_runs_the_newest_revision_unless_it_is_pinned(
    phone: Patter, capsys: pytest.CaptureFixture[str], choice: tuple[int, bool, int, str]
) -> None:
    given, pinned, runs, printed = choice

    async def main() -> Call:
        agents = [agent(phone, first_message=f"Revision {number}.") for number in (1, 2)]
        return await phone.test(agents[given], LINES, speed="max", pinned=pinned)

    call = asyncio.run(main())
    assert call.turns["revision"].tolist() == [runs] * 3
    assert call.turns["heard_text"].iloc[0] == f"Revision {runs}."
    assert capsys.readouterr().out == printed


def test_an_object_that_was_replaced_and_never_seen_is_staged(phone: Patter, capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> Call:
        changed = dataclasses.replace(agent(phone), first_message="Replaced.")
        return await phone.test(changed, LINES, speed="max")

    call = asyncio.run(main())
    assert call.turns["heard_text"].iloc[0] == "Replaced."
    assert phone.calls["revision"].tolist() == [2]
    assert capsys.readouterr().out == ""


def test_bad_input_stages_nothing_and_begins_nothing(phone: Patter, capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        old, _ = agent(phone, "One."), agent(phone, "Two.")
        unseen = dataclasses.replace(old, system_prompt="Three.")
        for given, settings in ((unseen, {"speed": "fast"}), (old, {"speed": "fast"}), (old, {"noise_db": 99})):
            with pytest.raises(ConfigError):
                phone.test(given, LINES, **settings)
        assert phone.last_call is None
        assert (await phone.test(unseen, ["One?"], speed="max")).turns["revision"].tolist() == [3, 3]

    asyncio.run(main())
    assert capsys.readouterr().out == ""


# Bad input.


BAD_PHONES = [
    ({"api_key": "sk-1"}, NotImplementedError, "api_key= belongs to a hosted mode, which does not exist: everything runs"),
    ({"api_key": None}, NotImplementedError, "api_key= belongs to a hosted mode"),
    ({"mode": "cloud"}, NotImplementedError, "mode= belongs to a hosted mode"),
    ({"colour": 1, "api": 2}, TypeError, "Patter() does not know api, colour."),
    ({"carrier": object()}, ConfigTypeError, "carrier is object; it must be a Twilio, or left out for test calls."),
    ({"phone_number": "+15550001234"}, ConfigError, "phone_number is given without a carrier: give carrier=Twilio()"),
    ({"carrier": Twilio()}, ConfigError, "phone_number is missing: a carrier needs one that its account owns, in E.164."),
    ({"carrier": Twilio(), "phone_number": "5550001"}, ConfigError, "phone_number must be a number in E.164"),
    ({"tunnel": "mine"}, ConfigTypeError, "tunnel"),
    ({"webhook_url": 7}, ConfigTypeError, "webhook_url is 7; it must be a host name"),
    ({"webhook_url": "a.example.com", "tunnel": Static("b.example.com")}, ConfigError, "tunnel and webhook_url name two ways"),
    ({"store": True}, ConfigTypeError, "store is True; it must be a path, a database URL, None for .patter_nb/, or False."),
    ({"store": 5}, ConfigTypeError, "store is 5; it must be a path"),
    ({"store": "."}, ConfigError, "store is '.', which is a directory: give the path of a file in it."),
    ({"store": "nonsense://"}, ConfigError, "store is not a database URL"),
    ({"store": "sqlite://"}, ConfigError, "store is a database in memory"),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "kind", "words"), BAD_PHONES)
def test_a_phone_that_cannot_be_made_says_why(settings: dict[str, Any], kind: type, words: str) -> None:
    with pytest.raises(kind) as caught:
        Patter(**settings)
    assert str(caught.value).startswith(words)
    assert "1234" not in str(caught.value)


BAD_AGENTS = [
    ({"stt": None}, ConfigError, "stt is missing: LocalSTT() listens on this machine without a key, or give any object that"),
    ({"tts": None}, ConfigError, "tts is missing: LocalTTS() speaks on this machine without a key"),
    ({"vioce": "alloy"}, ConfigTypeError, "agent() does not know vioce; it takes system_prompt, stt, llm, tts, engine,"),
    ({"rate": 1, "tool": 2}, ConfigTypeError, "agent() does not know rate, tool; it takes"),
    ({"hangover_ms": 1}, ConfigError, "hangover_ms is 1; it must lie from 150 to 5000."),
    ({"tts": ScriptedTTS}, ConfigTypeError, "tts is the class ScriptedTTS, not an instance: write ScriptedTTS()."),
    ({"variables": {}, "first_message": "{x}"}, ConfigError, "first_message has the placeholder {x}, but variables= has no 'x'"),
]


@pytest.mark.parametrize(("settings", "kind", "words"), BAD_AGENTS)
def test_an_agent_that_cannot_be_made_says_why_and_stages_nothing(
    phone: Patter, settings: dict[str, Any], kind: type, words: str
) -> None:
    with pytest.raises(kind) as caught:
        agent(phone, **settings)
    assert str(caught.value).startswith(words)
    assert phone._log.revisions().empty


def look_up(city: str) -> str:
    """Look something up."""
    return city


def test_every_setting_of_an_agent_can_be_given(phone: Patter) -> None:
    values: dict[str, Any] = {
        **providers(), "first_message": "Hi {x}!", "variables": {"x": 1}, "name": "n", "language": "it", "hangover_ms": 400,
        "barge_in_threshold_ms": 100, "aggressive_first_flush": True, "llm_error_message": "Pardon?", "max_duration_seconds": 60,
        "engine": None, "provider": "pipeline", "voice": "alloy", "model": "gpt-4o-mini-realtime-preview",
        "tools": (tool(look_up),), "mcp_servers": (), "guardrails": (Guardrail("g", blocked_terms=["x"]),),
        "hooks": PipelineHooks(before_llm=look_up), "text_transforms": (str.strip,), "disable_phone_preamble": True,
        "vad": EnergyModel(), "audio_filter": look_up, "background_audio": BackgroundAudioPlayer(BuiltinAudioClip.HOLD_MUSIC),
        "barge_in_strategies": (MinWordsStrategy(min_words=2),), "barge_in_confirm_ms": 900, "prewarm": False,
        "prewarm_first_message": False, "max_cost_usd": 0.5,
    }  # fmt: skip
    assert set(values) == set(AgentSettings.__annotations__)
    made = phone.agent("Prompt.", **values)
    assert {name: getattr(made, name) for name in values} == values


class RealTimeOnly(ScriptedTTS):
    virtual_time = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.virtual_time = False


BAD_TESTS = [
    ({"caller": None}, ConfigError, "caller is missing: give a list of lines"),
    ({"caller": []}, ConfigError, "caller is an empty list: give a list of lines"),
    ({"caller": "none.wav"}, ConfigError, "caller is 'none.wav', and there is no such file"),
    ({"caller": np.zeros(5, np.int16)}, ConfigTypeError, "caller is a bare array of shape (5,), whose rate is unknown"),
    ({"agent": None}, ConfigTypeError, "agent is NoneType; it must be an Agent, as phone.agent(...) returns it."),
    ({"agent": "You are a test."}, ConfigTypeError, "agent is str; it must be an Agent, as phone.agent(...) returns it."),
    ({"speed": "fast"}, ConfigError, "speed is 'fast'; it must be \"real\" or \"max\"."),
    ({"speed": 2}, ConfigError, "speed is 2; it must be \"real\" or \"max\"."),
    (
        {"speed": "max", "tts": RealTimeOnly()},
        ConfigError,
        "tts is RealTimeOnly, which works in real time only: use speed=\"real\", or a scripted tts.",
    ),
    ({"noise_db": "loud"}, ConfigTypeError, "noise_db is 'loud'; it must be a number of dB below the caller's voice, or None."),
    ({"noise_db": -21}, ConfigError, "noise_db is -21; it must lie from -20 to 80 dB."),
    ({"noise_db": math.nan}, ConfigError, "noise_db is nan; it must lie from -20 to 80 dB."),
    ({"seed": -1}, ConfigTypeError, "seed is -1; it must be a whole number, 0 or more."),
    ({"seed": 1.5}, ConfigTypeError, "seed is 1.5; it must be a whole number, 0 or more."),
    (
        {"caller": [Line("Hi.", interrupt_after_seconds=1)], "first_message": ""},
        ConfigError,
        "interrupt_after_seconds of the caller's first line interrupts a greeting, but the agent has no first_message",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("given", "kind", "words"), BAD_TESTS)
def test_a_test_that_cannot_begin_says_why_in_the_cell(phone: Patter, given: dict[str, Any], kind: type, words: str) -> None:
    of_agent = {name: given[name] for name in given if name in AgentSettings.__annotations__}
    of_test = {name: given[name] for name in given if name not in of_agent}

    async def main() -> None:
        made = agent(phone, **of_agent)
        arguments = {"agent": made, "caller": LINES, **of_test}
        with pytest.raises(kind) as caught:
            phone.test(**arguments)
        assert str(caught.value).startswith(words)
        assert type(caught.value) is kind
        assert phone.last_call is None
        assert phone.calls.empty

    asyncio.run(main())


def test_outside_of_a_loop_the_remedy_is_named(phone: Patter) -> None:
    with pytest.raises(ConfigError, match=r"test\(\) needs a running event loop: .* use asyncio\.run\(main\(\)\)"):
        phone.test(agent(phone), LINES)


def test_noise_on_the_line_is_drawn_with_its_seed(phone: Patter) -> None:
    async def caller_side(seed: int) -> np.ndarray:
        call = await phone.test(agent(phone), LINES, speed="max", noise_db=10, seed=seed)
        assert call.audio is not None
        return call.audio.caller[:8000]

    async def main() -> list[np.ndarray]:
        return [await caller_side(seed) for seed in (1, 1, 2)]

    first, again, other = asyncio.run(main())
    assert first.any()
    assert (first == again).all()
    assert (first != other).any()


# Keys.

SAID = "401 for https://x/?api_key=sk-live-123 Authorization: Bearer abc"


class Refused:
    """A model out of a notebook cell whose server refuses the key, and says so with the key."""

    provider, model, price, virtual_time = "acme", "m", None, True

    def ready(self) -> None: ...

    @contextlib.asynccontextmanager
    async def open(self, call: Any) -> Any:
        yield self

    async def reply(self, messages: Any, tools: Any) -> Any:
        raise OSError(SAID)
        yield


def test_a_key_that_stands_in_a_providers_error_is_shown_and_stored_nowhere(stored: Patter, tmp_path: Path) -> None:
    call = hold(stored, llm=Refused())
    assert "api_key=••• Authorization: Bearer •••" in call.turns["error"].iloc[1]
    assert stored.flush()
    shown = [call.turns.to_string(), str(call.events["data"].tolist()), str(call._repr_mimebundle_()), repr(call)]
    shown += [stored.store.turns().to_string(), str(stored.store.events()["data"].tolist())]
    with sqlite3.connect(tmp_path / "calls.sqlite3") as database:
        shown.append("\n".join(database.iterdump()))
    database.close()
    for text in shown:
        assert "sk-live" not in text
        assert "Bearer abc" not in text


# What cells change while a call is on.


def in_call(
    phone: Patter, act: Callable[[Call], Any], *, at: int = 0, lines: int = 2, test: dict[str, Any] | None = None, **given: Any
) -> tuple[Call, list[list[Any]]]:
    """A call in virtual time, and what its model was asked; `act` is done when it is asked for the `at`-th time."""
    asked: list[list[Any]] = []
    calls: list[Call] = []
    replies = given.pop("replies", ["First.", "Second.", "Third."])

    def answer(messages: Any) -> Any:
        asked.append(list(messages))
        if len(asked) - 1 == at:
            act(calls[0])
        return replies[len(asked) - 1]

    async def main() -> Call:
        made = agent(phone, **{"llm": ScriptedLLM(answer), **given})
        calls.append(phone.test(made, ["One?", "Two?", "Three?"][:lines], speed="max", **(test or {})))
        return await calls[0]

    return asyncio.run(main()), asked


def test_an_edit_of_the_phone_is_answered_by_from_the_next_reply_on_and_by_later_calls_from_the_first(phone: Patter) -> None:
    call, asked = in_call(phone, lambda _: phone.edit(system_prompt="New.", first_message="New hello!", note="why"))
    assert ["New." in str(messages[0].content) for messages in asked] == [False, True]
    assert call.turns["revision"].tolist() == [1, 1, 2]
    assert call.turns["heard_text"].iloc[0] == GREETING
    revisions = phone.revisions
    assert revisions[["number", "note", "turns"]].to_numpy().tolist() == [[1, "", 1], [2, "why", 1]]  # a greeting is no answer
    assert phone.line().newest.agent.greeting == "New hello!"

    async def later() -> Call:
        return await phone.test(phone.line().newest.agent, ["One?"], speed="max")

    assert asyncio.run(later()).turns["heard_text"].iloc[0] == "New hello!"


def test_an_edit_that_is_refused_leaves_the_call_and_the_phone_as_they_were(phone: Patter) -> None:
    def act(_: Call) -> None:
        with pytest.raises(ConfigError, match="hangover_ms is 1"):
            phone.edit(system_prompt="New.", hangover_ms=1)

    call, _ = in_call(phone, act)
    assert call.turns["revision"].tolist() == [1, 1, 1]
    assert len(phone.revisions) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"llm": None}, "llm"),
        ({"tts": None}, "tts"),
        ({"tts": RealTimeOnly()}, "real time only"),
    ],
)
def test_an_edit_that_the_call_cannot_be_held_with_is_refused_in_the_cell(
    phone: Patter, changes: dict[str, Any], words: str
) -> None:
    def act(call: Call) -> None:
        for edit in (phone.edit, call.edit):
            with pytest.raises(ConfigError, match=words):
                edit(**changes)

    call, _ = in_call(phone, act)
    assert (call.error, call.turns["heard_text"].tolist()) == (None, [GREETING, "First.", "Second."])


def test_a_listener_of_an_edit_that_raises_is_an_event_and_the_call_goes_on(phone: Patter) -> None:
    call, _ = in_call(phone, lambda call: call.edit(system_prompt="New.").on_applied(lambda _: 1 / 0))
    assert (call.error, call.turns["revision"].tolist()) == (None, [1, 1, 2])
    (failed,) = call.events[call.events["kind"] == "callback_failed"]["data"].tolist()
    assert failed == {"callback": "Edit.on_applied", "error": "a listener of an edit raised ZeroDivisionError: division by zero"}


def test_an_edit_of_the_recogniser_while_a_call_is_on_changes_neither_its_ear_nor_its_price(phone: Patter) -> None:
    cheap, dear = (Price(usd_per_audio_minute=usd) for usd in (1.0, 100.0))
    stt = ScriptedSTT(["one", "two"], price=cheap)
    call, _ = in_call(phone, lambda _: phone.edit(stt=ScriptedSTT(["x"], price=dear)), stt=stt)
    assert call.turns["caller_text"].tolist()[1:] == ["one", "two"]
    assert call.turns["stt_usd"].max() < 0.1


def test_an_edit_takes_a_bare_function_for_a_model(phone: Patter) -> None:
    async def answer(_: Any) -> AsyncIterator[str]:
        yield "From a function."

    def act(call: Call) -> None:
        with pytest.raises(ConfigError, match="llm is CustomLLM, which works in real time only"):
            call.edit(llm=answer)

    in_call(phone, act)
    made = phone.edit(llm=answer).revision.agent
    assert isinstance(made.llm, CustomLLM)


class EditsFromAThread(ScriptedLLM):
    """Edits the phone from another thread in the moment in which a test asks what this model can do."""

    phone: Patter

    @property
    def virtual_time(self) -> bool:  # type: ignore[override]
        if (phone := self.__dict__.pop("phone", None)) is not None:
            edit = threading.Thread(target=phone.edit, kwargs={"system_prompt": "New."}, daemon=True)
            edit.start()
            edit.join(0.2)
            self.edit = edit
        return True


def test_an_edit_from_a_thread_in_the_moment_in_which_a_test_begins_reaches_its_call(phone: Patter) -> None:
    async def main() -> Call:
        llm = EditsFromAThread(["First."])
        made = agent(phone, llm=llm)
        llm.phone = phone
        call = phone.test(made, ["One?"], speed="max")
        llm.edit.join(5)
        assert call.live.newest == phone.line().newest
        return await call

    assert asyncio.run(main()).live.current.agent.system_prompt == "New."


def test_live_calls_are_those_that_are_on(phone: Patter) -> None:
    seen: list[Any] = []
    call, _ = in_call(phone, lambda _: seen.append(phone.live_calls))
    assert seen == [(call,)]
    assert phone.live_calls == ()


# What cells are told.

SPEECH = ("user_speech_started", "user_speech_ended", "user_speech_eos", "llm_token", "audio_out", "agent_speech_started",
          "agent_speech_ended")  # fmt: skip


def test_the_seven_speech_events_are_told_in_their_order_to_the_functions_that_were_set_when_the_call_began(
    phone: Patter,
) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    for name in SPEECH:
        assert getattr(phone, f"on_{name}") is None
        setattr(phone, f"on_{name}", lambda data, name=name: told.append((name, data)))
    call, _ = in_call(phone, lambda _: setattr(phone, "on_llm_token", None), lines=2, first_message="")
    of_first = [name for name, _ in told]
    assert set(of_first) == set(SPEECH)
    assert of_first.index("user_speech_started") < of_first.index("user_speech_eos") < of_first.index("llm_token")
    assert of_first.index("llm_token") < of_first.index("audio_out") < of_first.index("agent_speech_ended")
    assert [name for name, _ in told].count("llm_token") == 2  # what was set when the call began
    for _, data in told:
        assert data["call_id"] == call.id
        assert data["timestamp_ms"] > 1e12
    ended = next(data for name, data in told if name == "agent_speech_ended")
    assert (ended["interrupted"], ended["speech_duration_ms"] > 0) == (False, True)
    assert phone.on_llm_token is None
    with pytest.raises(ConfigTypeError, match="on_audio_out is int 5; it must be a function"):
        phone.on_audio_out = 5  # type: ignore[assignment]


def broken(_: Any) -> None:
    raise ZeroDivisionError("never mind")


@pytest.mark.parametrize("name", ["on_call_start", "on_transcript", "on_metrics", "on_call_end", "on_llm_token"])
def test_a_callback_that_raises_is_an_event_and_the_call_goes_on(phone: Patter, name: str) -> None:
    if name == "on_llm_token":
        phone.on_llm_token = broken
    call, _ = in_call(phone, lambda _: None, test={} if name == "on_llm_token" else {name: broken})
    assert (call.error, call.turns["heard_text"].tolist()) == (None, [GREETING, "First.", "Second."])
    failed = call.events[call.events["kind"] == "callback_failed"]["data"].tolist()
    assert failed
    for data in failed:
        assert data["callback"] == name
        assert "ZeroDivisionError: never mind" in data["error"]


@pytest.mark.parametrize("is_async", [False, True])
def test_what_on_call_start_returns_holds_for_that_call_alone(phone: Patter, is_async: bool) -> None:
    def start(data: dict[str, Any]) -> dict[str, Any]:
        return {"first_message": f"Hello, {data['direction']}!", "system_prompt": "Changed."}

    async def start_later(data: dict[str, Any]) -> dict[str, Any]:
        return start(data)

    call, asked = in_call(phone, lambda _: None, test={"on_call_start": start_later if is_async else start})
    assert call.turns["heard_text"].iloc[0] == "Hello, test!"
    assert "Changed." in str(asked[0][0].content)
    assert phone.line().newest.number == 1
    assert hold(phone).turns["heard_text"].iloc[0] == GREETING


class Ear(EnergyModel):
    """Counts what it was asked."""

    asked = 0

    def probability(self, window: Any) -> float:
        Ear.asked += 1
        return super().probability(window)


def test_what_on_call_start_changes_of_ear_voice_and_greeting_is_what_the_call_and_its_row_have(phone: Patter) -> None:
    made = {
        "stt": ScriptedSTT(["eins", "zwei"], model="other"), "tts": ScriptedTTS(model="louder"),
        "vad": Ear(), "first_message": "",
    }  # fmt: skip
    call, _ = in_call(phone, lambda _: None, test={"on_call_start": lambda _: made})
    assert call.error is None
    assert call.turns["caller_text"].tolist() == ["eins", "zwei"]
    row = phone.calls.iloc[0]
    assert (row["revision"], row["stt_model"], row["tts_model"]) == (2, "other", "louder")
    assert Ear.asked > 100


def test_an_edit_between_the_order_of_a_call_and_its_beginning_is_what_it_begins_with(phone: Patter) -> None:
    async def main() -> Call:
        call = phone.test(agent(phone), ["One?"], speed="max")
        phone.edit(first_message="Edited!", note="in the same cell")
        return await call

    call = asyncio.run(main())
    assert call.turns["heard_text"].iloc[0] == "Edited!"
    assert (phone.calls.iloc[0]["revision"], call.turns["edit_effective_turn"].tolist()) == (2, [0, 0])


@pytest.mark.parametrize("speed", ["real", "max"])
def test_a_call_that_is_stopped_while_on_call_start_takes_its_time_is_over_at_once(phone: Patter, speed: str) -> None:
    async def main() -> Call:
        asked, never = asyncio.Event(), asyncio.Event()

        async def start(_: Any) -> None:
            asked.set()
            await never.wait()

        call = phone.test(agent(phone, **quick()), ["One?"], speed=speed, on_call_start=start)  # type: ignore[arg-type]
        await asyncio.wait_for(asked.wait(), 5)
        threading.Thread(target=call.stop).start()
        return await asyncio.wait_for(call, 5)

    call = asyncio.run(main())
    assert (call.state, call.end_reason, call.error, len(call.turns)) == ("ended", "stopped", None, 0)


@pytest.mark.parametrize("returned", [5, {"hangover_ms": 1}, {"nonsense": 1}, {"name": "x"}])
def test_what_on_call_start_returns_wrongly_is_an_event_and_the_call_is_held_as_it_was(phone: Patter, returned: Any) -> None:
    call, _ = in_call(phone, lambda _: None, test={"on_call_start": lambda _: returned})
    assert call.turns["heard_text"].tolist() == [GREETING, "First.", "Second."]
    (failed,) = call.events[call.events["kind"] == "callback_failed"]["data"].tolist()
    assert failed["callback"] == "on_call_start"
    assert "on_call_start returned" in failed["error"]
