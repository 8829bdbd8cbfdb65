"""A number that is pointed here while we serve: what it says, what it changes, and what it puts back."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from patter_nb import Patter, ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.carriers.twilio.rest import TwilioRest
from patter_nb.errors import CarrierError, ConfigError
from patter_nb.telephony import number as module
from patter_nb.telephony import number_question
from patter_nb.telephony.number import NumberWebhook
from patter_nb.telephony.number_records import FOLDER, read_changes, seal, shown, unseal
from patter_nb.testing.twilio import TwilioSimulator

spec = importlib.util.spec_from_file_location("tests_account", Path(__file__).parents[1] / "account.py")
assert spec is not None and spec.loader is not None
sys.modules["tests_account"] = account_module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(account_module)
pytestmark = pytest.mark.slow  # real processes, half a minute together

NUMBER, TOKEN, account = account_module.NUMBER, account_module.TOKEN, account_module.account

SHOP = "https://shop.example/voice"
HERE = "https://four-words.trycloudflare.com/webhooks/twilio/answer"
STATUS = "https://four-words.trycloudflare.com/webhooks/twilio/status"
THERE = HERE.replace("four-words", "other-words")


@pytest.fixture(autouse=True)
def nothing_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_answers", {})


@asynccontextmanager
async def webhook(there: Any, folder: Path | None, **given: Any) -> AsyncIterator[tuple[NumberWebhook, list[str]]]:
    """One serving of the number, and the lines it told."""
    rest, told = TwilioRest(there.carrier), list[str]()
    usual: dict[str, Any] = {"voice_url": HERE, "status_url": STATUS, "secret": TOKEN, "manage": True, "tell": told.append}
    made = NumberWebhook(rest, NUMBER, folder=folder, **{**usual, **given})
    try:
        yield made, told
    finally:
        await rest.close()


def run(scene: Callable[[Any], Any]) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), account() as there:
            await scene(there)

    asyncio.run(main())


def records(folder: Path) -> list[Path]:
    return sorted((folder / FOLDER).glob("*.json"))


def test_a_number_is_pointed_here_and_back_with_all_that_was_set(tmp_path: Path) -> None:
    async def scene(there: Any) -> None:
        there.number.update({"status_callback": "https://shop.example/status", "status_callback_method": "GET"})
        was = dict(there.number)
        async with webhook(there, tmp_path) as (number, told):
            await number.begin()
            assert number.points_here
            assert (there.number["voice_url"], there.number["voice_method"]) == (HERE, "POST")
            assert (there.number["status_callback"], there.number["status_callback_method"]) == (STATUS, "POST")
            assert len(records(tmp_path)) == 1
            await number.end()
            assert not number.points_here
            await number.end()
        assert there.number == was
        assert told == [f"+1•••••1234: {SHOP} → {HERE}", f"+1•••••1234 points to {SHOP} again."]
        assert records(tmp_path) == []

    run(scene)


def test_false_leaves_it_and_says_where_it_points(tmp_path: Path) -> None:
    async def scene(there: Any) -> None:
        async with webhook(there, tmp_path, manage=False) as (number, told):
            await number.begin()
            await number.end()
        assert there.changes == []
        (line,) = told
        assert line == f"+1•••••1234 points to {SHOP}, not here: its calls do not come here. manage_webhook=True points it here."
        assert not number.points_here

    run(scene)


@pytest.mark.parametrize("manage", [True, False, None])
@pytest.mark.parametrize("path", ["/webhooks/twilio/answer", "/webhooks/twilio/voice"])
def test_a_number_that_points_here_already_is_left_so_without_a_word(tmp_path: Path, manage: bool | None, path: str) -> None:
    async def scene(there: Any) -> None:
        there.number.update({"voice_url": HERE.replace("/webhooks/twilio/answer", path), "voice_method": "POST"})
        async with webhook(there, tmp_path, manage=manage) as (number, told):
            await number.begin()
            assert number.points_here
            await number.end()
        assert there.changes == []
        assert told == []

    run(scene)


def test_an_address_that_is_ours_but_for_its_method_is_changed(tmp_path: Path) -> None:
    async def scene(there: Any) -> None:
        there.number.update({"voice_url": HERE})  # by GET, which nobody answers here
        async with webhook(there, tmp_path) as (number, _):
            await number.begin()
            assert there.number["voice_method"] == "POST"
            await number.end()
        assert there.number["voice_method"] == "GET"

    run(scene)


def test_who_points_it_elsewhere_meanwhile_keeps_it(tmp_path: Path) -> None:
    async def scene(there: Any) -> None:
        async with webhook(there, tmp_path) as (number, told):
            await number.begin()
            there.number["voice_url"] = "https://mine.example/new"
            await number.end()
        assert there.number["voice_url"] == "https://mine.example/new"
        assert told[-1] == "+1•••••1234 points to https://mine.example/new by now, and is left so."
        assert records(tmp_path) == []

    run(scene)


TAKEN = [
    ({"trunk_sid": "TK" + "1" * 32}, "is on a SIP trunk, which takes its calls: take it off the trunk"),
    ({"voice_application_sid": "AP" + "1" * 32}, "is bound to a TwiML application, which takes its calls: let it use a webhook"),
]


@pytest.mark.parametrize(("fields", "words"), TAKEN)
def test_a_trunk_or_an_application_is_told_with_the_remedy_and_nothing_is_changed(
    tmp_path: Path, fields: dict[str, str], words: str
) -> None:
    async def scene(there: Any) -> None:
        there.number.update(fields)
        async with webhook(there, tmp_path) as (number, told):
            await number.begin()
            await number.end()
        assert len(told) == 1
        assert words in told[0]
        assert there.changes == []

    run(scene)


def test_a_number_of_another_account_raises_when_it_was_to_be_pointed_here_and_is_told_otherwise(tmp_path: Path) -> None:
    async def scene(there: Any) -> None:
        there.numbers.clear()
        async with webhook(there, tmp_path) as (number, told):
            with pytest.raises(CarrierError, match=r"\+1•••••1234 is no number of this Twilio account: give phone_number"):
                await number.begin()
            assert told == []
        async with webhook(there, tmp_path, manage=None) as (number, told):
            await number.begin()
            assert told[0].startswith("+1•••••1234 is no number of this Twilio account")

    run(scene)


def test_a_folder_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    async def scene(there: Any) -> None:
        (tmp_path / "store").write_text("a file in the way")
        async with webhook(there, tmp_path / "store") as (number, _):
            with pytest.raises(ConfigError, match="make that folder writable, or give another store"):
                await number.begin()
        assert there.changes == []

    run(scene)


def test_without_a_store_it_is_pointed_here_and_back_all_the_same() -> None:
    async def scene(there: Any) -> None:
        async with webhook(there, None) as (number, _):
            await number.begin()
            assert there.number["voice_url"] == HERE
            await number.end()
        assert there.number["voice_url"] == SHOP

    run(scene)


def test_a_change_whose_answer_is_lost_is_put_back(tmp_path: Path) -> None:
    async def scene(there: Any) -> None:
        there.refuses["POST", "/IncomingPhoneNumbers/"] = (500, 0)
        async with webhook(there, tmp_path) as (number, told):
            with pytest.raises(CarrierError):
                await number.begin()
            there.refuses.clear()
            there.number.update({"voice_url": HERE, "voice_method": "POST"})  # it was done after all
            await number.end()
        assert there.number["voice_url"] == SHOP
        assert told == [f"+1•••••1234 points to {SHOP} again."]

    run(scene)


def test_a_change_that_was_refused_leaves_nothing_to_put_back(tmp_path: Path) -> None:
    async def scene(there: Any) -> None:
        there.refuses["POST", "/IncomingPhoneNumbers/"] = (400, 21205)
        async with webhook(there, tmp_path) as (number, told):
            with pytest.raises(CarrierError, match="a webhook's URL is not accepted"):
                await number.begin()
            await number.end()
        assert told == []
        assert records(tmp_path) == []

    run(scene)


# After a kill.

KILLED = """
import sys
from pathlib import Path
from patter_nb.telephony.number_records import NumberRecords, Pointing

NumberRecords(Path(sys.argv[1]), sys.argv[2], sys.argv[3]).add("+1•••••1234", sys.argv[4], Pointing(sys.argv[5], "GET"))
print("kept", flush=True)
sys.stdin.read()
"""


def another_notebook(folder: Path, there: Any, *, here: str, before: str) -> subprocess.Popen[str]:
    """A process that keeps a change of the number until its input closes or it is killed."""
    command = [sys.executable, "-c", KILLED, str(folder), there.number["sid"], TOKEN, here, before]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "kept\n"
    there.number.update({"voice_url": here, "voice_method": "POST"})
    return other


def kill(other: subprocess.Popen[str]) -> None:
    other.kill()
    other.communicate(timeout=10)


@pytest.mark.parametrize("before", [SHOP, "https://ann:secret@shop.example/voice?token=abc"])
def test_after_a_kill_the_next_run_puts_back_what_was_there_at_first(tmp_path: Path, before: str) -> None:
    async def scene(there: Any) -> None:
        kill(another_notebook(tmp_path, there, here=THERE, before=before))
        (left,) = records(tmp_path)
        assert "secret" not in left.read_text()
        assert "abc" not in left.read_text()
        assert left.stat().st_mode & 0o077 == 0
        async with webhook(there, tmp_path) as (number, told):
            await number.begin()
            assert there.number["voice_url"] == HERE
            assert len(records(tmp_path)) == 1  # the one that was left has gone
            await number.end()
        assert (there.number["voice_url"], there.number["voice_method"]) == (before, "GET")
        assert told[0] == f"+1•••••1234: {shown(before)} → {HERE}"
        assert records(tmp_path) == []

    run(scene)


def test_after_a_kill_at_the_same_address_it_is_put_back_at_the_end(tmp_path: Path) -> None:
    async def scene(there: Any) -> None:
        kill(another_notebook(tmp_path, there, here=HERE, before=SHOP))
        there.number["status_callback"] = STATUS
        async with webhook(there, tmp_path, manage=None) as (number, told):
            await number.begin()
            assert number.points_here
            assert there.changes == []
            await number.end()
        assert there.number["voice_url"] == SHOP
        assert told[-1] == f"+1•••••1234 points to {SHOP} again."

    run(scene)


def test_a_record_that_another_key_sealed_is_told_and_not_guessed(tmp_path: Path) -> None:
    async def scene(there: Any) -> None:
        kill(another_notebook(tmp_path, there, here=THERE, before="https://ann:secret@shop.example/voice"))
        async with webhook(there, tmp_path, secret="another") as (number, told):
            await number.begin()
            words = "+1•••••1234 pointed to https://shop.example/voice, whose record was sealed with another key"
            assert told[0].startswith(words)
            await number.end()
        assert there.number["voice_url"] == THERE

    run(scene)


# Two notebooks with one number.


def test_two_notebooks_do_not_put_back_over_each_other_whichever_ends_first(tmp_path: Path) -> None:
    async def scene(there: Any) -> None:
        for first_ends_first in (True, False):
            async with webhook(there, tmp_path) as (first, _), webhook(there, tmp_path, voice_url=THERE) as (second, _):
                await first.begin()
                await second.begin()
                assert there.number["voice_url"] == THERE
                if first_ends_first:
                    await first.end()
                    assert there.number["voice_url"] == THERE
                    await second.end()
                else:
                    await second.end()
                    assert there.number["voice_url"] == HERE
                    await first.end()
            assert there.number["voice_url"] == SHOP, first_ends_first
            assert records(tmp_path) == []

    run(scene)


def test_nobody_forgets_the_change_of_another_notebook_that_lives(tmp_path: Path) -> None:
    async def scene(there: Any) -> None:
        async with webhook(there, tmp_path) as (first, _), webhook(there, tmp_path, voice_url=THERE) as (second, _):
            await first.begin()
            there.number["voice_url"] = "https://mine.example/new"
            await second.begin()
            assert len(records(tmp_path)) == 2
            await first.end()
            await second.end()
        assert there.number["voice_url"] == "https://mine.example/new"
        assert records(tmp_path) == []

    run(scene)


def test_another_notebook_that_lives_gets_its_number_back_and_one_that_was_killed_does_not(tmp_path: Path) -> None:
    async def scene(there: Any) -> None:
        for killed, expected in ((False, THERE), (True, SHOP)):
            there.number.update({"voice_url": SHOP, "voice_method": "GET"})
            other = another_notebook(tmp_path, there, here=THERE, before=SHOP)
            try:
                async with webhook(there, tmp_path) as (number, _):
                    await number.begin()
                    if killed:
                        kill(other)
                    await number.end()
                assert there.number["voice_url"] == expected
            finally:
                kill(other)

    run(scene)


def test_a_process_whose_id_was_given_again_is_gone(tmp_path: Path) -> None:
    async def scene(there: Any) -> None:
        kill(another_notebook(tmp_path, there, here=THERE, before=SHOP))
        (path,) = records(tmp_path)
        path.write_text(json.dumps({**json.loads(path.read_text()), "process": os.getppid()}))
        (change,) = read_changes(tmp_path)
        assert not change.holds
        path.write_text(json.dumps({**json.loads(path.read_text()), "machine": "elsewhere"}))
        assert read_changes(tmp_path)[0].holds  # nobody here knows

    run(scene)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"before": {}}', '{"before": {"sealed": "x"}}', '{"before": 1, "more": 2}'])
def test_a_file_that_is_no_record_is_passed_over(tmp_path: Path, text: str) -> None:
    async def scene(there: Any) -> None:
        (tmp_path / FOLDER).mkdir()
        (tmp_path / FOLDER / f"{there.number['sid']}.aa.json").write_text(text)
        async with webhook(there, tmp_path) as (number, _):
            await number.begin()
            await number.end()
        assert there.number["voice_url"] == SHOP

    run(scene)


# The question.


class Answers:
    """Somebody who answers in the place of the buttons."""

    def __init__(self, question: Any, tell: Any) -> None:
        self.question = question
        self.said: list[str] = []

    def say(self, text: str, *, pointed: bool = False) -> None:
        self.said.append(text)

    lapse = say


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Answers]:
    questions: list[Answers] = []

    def ask(question: Any, tell: Any) -> Answers:
        questions.append(Answers(question, tell))
        return questions[-1]

    monkeypatch.setattr(module, "ask", ask)
    return questions


def test_nobody_waits_for_the_answer_which_is_asked_for_once(tmp_path: Path, asked: list[Answers]) -> None:
    async def scene(there: Any) -> None:
        async with webhook(there, tmp_path, manage=None) as (number, _):
            await number.begin()
            assert there.changes == []
            (question,) = asked
            assert (question.question.number, question.question.now, question.question.here) == ("+1•••••1234", SHOP, HERE)
            question.question.answer(True)
            await number._changing
            assert there.number["voice_url"] == HERE
            assert question.said == [f"+1•••••1234: {SHOP} → {HERE}"]
            await number.end()
        async with webhook(there, tmp_path, manage=None, voice_url=THERE) as (number, _):  # the cell is run again
            await number.begin()
            assert there.number["voice_url"] == THERE
            await number.end()
        assert there.number["voice_url"] == SHOP
        assert len(asked) == 1

    run(scene)


def test_no_is_kept_to(tmp_path: Path, asked: list[Answers]) -> None:
    async def scene(there: Any) -> None:
        for _ in range(2):
            async with webhook(there, tmp_path, manage=None) as (number, _):
                await number.begin()
                if asked[0].said == []:
                    asked[0].question.answer(False)
                await number.end()
        assert there.changes == []
        assert asked[0].said == ["+1•••••1234 is left as it is: its calls do not come here."]
        assert len(asked) == 1

    run(scene)


def test_an_answer_after_the_end_changes_nothing(tmp_path: Path, asked: list[Answers]) -> None:
    async def scene(there: Any) -> None:
        async with webhook(there, tmp_path, manage=None) as (number, _):
            await number.begin()
            await number.end()
            asked[0].question.answer(True)
            await number._changing
        assert there.changes == []
        assert asked[0].said == ["The number was left as it is: the server stopped before an answer."]

    run(scene)


def test_a_stop_while_it_is_being_changed_waits_and_puts_it_back(tmp_path: Path, asked: list[Answers]) -> None:
    async def scene(there: Any) -> None:
        async with webhook(there, tmp_path, manage=None) as (number, _):
            await number.begin()
            there.waits = asyncio.Event()
            asked[0].question.answer(True)
            await asyncio.sleep(0)
            stopping = asyncio.ensure_future(number.end())
            await asyncio.sleep(0)
            there.waits.set()
            await stopping
        assert there.number["voice_url"] == SHOP

    run(scene)


def test_what_is_refused_after_the_answer_is_said_in_its_place(tmp_path: Path, asked: list[Answers]) -> None:
    async def scene(there: Any) -> None:
        async with webhook(there, tmp_path, manage=None) as (number, _):
            await number.begin()
            there.refuses["POST", "/IncomingPhoneNumbers/"] = (400, 21205)
            asked[0].question.answer(True)
            await number._changing
            assert "a webhook's URL is not accepted" in asked[0].said[0]
            await number.end()

    run(scene)


def test_a_cell_that_is_run_again_with_true_points_it_here(tmp_path: Path, asked: list[Answers]) -> None:
    async def scene(there: Any) -> None:
        async with webhook(there, tmp_path, manage=None) as (number, told):
            await number.begin()
            await number.again(True)
            assert there.number["voice_url"] == HERE
            await number.again(True)
            assert told == [f"+1•••••1234: {SHOP} → {HERE}"]
            there.number["voice_url"] = "https://mine.example/new"
            asked[0].question.answer(True)  # pressed all the same
            await number._changing
            await number.end()
        assert len(there.changes) == 1
        assert there.number["voice_url"] == "https://mine.example/new"

    run(scene)


def test_where_nobody_can_answer_one_line_says_how(tmp_path: Path) -> None:
    async def scene(there: Any) -> None:
        async with webhook(there, tmp_path, manage=None) as (number, told):
            await number.begin()
            assert there.changes == []
            await number.end()
            assert told == [f"+1•••••1234 points to {SHOP}, not here. manage_webhook=True points it to {HERE}."]

    run(scene)


@pytest.mark.parametrize(("typed", "url"), [("y\n", HERE), ("Yes\n", HERE), ("\n", SHOP), ("what?\n", SHOP)])
def test_in_a_terminal_it_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(number_question, "in_terminal", lambda: True)
    read, write = os.pipe()
    with os.fdopen(read) as terminal, os.fdopen(write, "w") as keyboard:
        monkeypatch.setattr(sys, "stdin", terminal)

        async def scene(there: Any) -> None:
            told = asyncio.Event()
            async with webhook(there, tmp_path, manage=None, tell=lambda _: told.set()) as (number, _):
                await number.begin()  # nobody has typed yet
                keyboard.write(typed)
                keyboard.flush()
                await told.wait()
                assert there.number["voice_url"] == url
                await number.end()
            assert there.number["voice_url"] == SHOP

        run(scene)
    assert capsys.readouterr().out == f"+1•••••1234: {SHOP} → {HERE}. Point it here? [y/N] "


# What is shown and sealed.

SHOWN = [
    ("", ""),
    (SHOP, SHOP),
    ("https://ann:secret@shop.example:8443/voice?token=abc#part", "https://shop.example:8443/voice?•••"),
    ("https://hooks.example/catch/123/q7Zk2Xw90fPplm4T", "https://hooks.example/catch/123/•••"),
    ("https://ann@shop.example/voice", "https://shop.example/voice"),
    ("http://[half", "•••"),
]


@pytest.mark.parametrize(("url", "expected"), SHOWN)
def test_an_address_is_shown_without_its_secrets(url: str, expected: str) -> None:
    assert shown(url) == expected


def test_only_the_secret_that_sealed_it_opens_it() -> None:
    sealed = seal("https://ann:secret@x", "one")
    assert unseal(sealed, "one") == "https://ann:secret@x"
    assert unseal(sealed, "two") == "null"
    assert seal("https://ann:secret@x", "one") != sealed


def test_without_a_secret_nothing_is_kept() -> None:
    assert seal("https://ann:secret@x", "") == ""
    assert unseal("", "") == "null"


# The whole way, over the simulated carrier.


def test_serve_points_the_number_here_when_it_is_said_in_a_cell_that_runs_again_and_stop_puts_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

    async def points_to(sim: TwilioSimulator) -> str:
        rest = TwilioRest(sim.carrier)
        number = await rest.find_number(sim.number)
        await rest.close()
        assert number is not None
        return number.voice_url

    async def main() -> None:
        async with asyncio.timeout(30), TwilioSimulator() as sim:
            phone = Patter(carrier=sim.carrier, phone_number=sim.number, tunnel=sim.tunnel)
            agent = phone.agent("A test.", stt=ScriptedSTT([]), llm=ScriptedLLM([]), tts=ScriptedTTS())
            was = await points_to(sim)
            server = await phone.serve(agent, port=port, block=False)
            assert await points_to(sim) == was
            assert await phone.serve(agent, port=port, block=False, manage_webhook=True) is server
            assert await points_to(sim) == f"{server.origin}/webhooks/twilio/answer"
            report = await phone.check(agent, port=port)
            assert report["webhook"].said == "+1•••••1234 points to this notebook."
            assert report["tunnel"].said == f"This notebook is public as {server.origin}."
            assert report["port"].said == f"Port {port} is served by this notebook already."
            await server.stop()
            assert await points_to(sim) == was
            phone.store.close()

    asyncio.run(main())
    out = capsys.readouterr().out
    assert out.count("manage_webhook=True points it to") == 1
    assert out.count(" → https://") == 1
    assert "was left as it is" not in out
