"""The command `patter-nb`."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from pathlib import Path

import pytest

from patter_nb import __version__
from patter_nb.cli import main, show
from patter_nb.phone import Patter
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS

WRONG = [
    ([], "the following arguments are required: command"),
    (["dmo"], "invalid choice: 'dmo'"),
    (["demo", "--stor3", "x"], "unrecognized arguments: --stor3 x"),
    (["demo", "--store"], "argument --store: expected one argument"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG)
def test_wrong_arguments_are_told_with_the_usage(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("usage: patter-nb")
    assert words in told


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"patter_nb {__version__}\n"


def test_an_error_of_ours_is_one_line_and_the_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    in_the_way = tmp_path / "notes.txt"
    in_the_way.write_text("mine")
    assert main(["demo", "--store", str(in_the_way)]) == 1
    told = capsys.readouterr()
    assert told.err == f"patter-nb: --store is {str(in_the_way)!r}, which is a file: give the name of a folder.\n"
    assert told.out == ""


def shown(folder: Path, speed: str = "max") -> None:
    async def hold() -> None:
        phone = Patter(store=folder / "calls.sqlite3")
        stt, llm = ScriptedSTT(["one", "at 555-765-4321"]), ScriptedLLM(["First.", "Second."])
        agent = phone.agent("A test.", stt=stt, llm=llm, tts=ScriptedTTS(), first_message="Hi!")
        await show(phone, phone.test(agent, ["One?", "Two?"], speed=speed), folder / "plots")
        phone.flush()
        phone.store.close()

    asyncio.run(hold())


def test_a_call_is_printed_as_it_goes_then_its_tables_and_where_everything_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown(tmp_path)
    out = capsys.readouterr().out
    said = [line.split(maxsplit=1) for line in out.splitlines()[:5]]
    assert said == [["agent", "Hi!"], ["caller", "one"], ["agent", "First."], ["caller", "at •••••4321"], ["agent", "Second."]]
    assert "latency, ms" in out
    assert "cost" in out
    places = dict(line.split(maxsplit=1) for line in out.splitlines()[-3:])
    assert list(places) == ["plot", "recording", "store"]
    for place in places.values():
        assert Path(place).stat().st_size > 1000
    assert Path(places["plot"]).read_bytes().startswith(b"\x89PNG")


def test_a_call_whose_folder_cannot_be_written_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "recordings").write_text("in the way")
    shown(tmp_path)
    out = capsys.readouterr().out
    assert "is kept in memory, since it cannot be written: File exists." in out
    assert "\nrecording  not on the disk\n" in out
    (tmp_path / "recordings").unlink()  # it is tried again until it is written


# A typed call with the agent of a file.

AGENT = """
from patter_nb import Patter, ScriptedLLM, ScriptedSTT, ScriptedTTS

phone = Patter(store="calls.sqlite3")
NAME = phone.agent("A test.", stt=ScriptedSTT([]), llm=ScriptedLLM(lambda m: f"You said {m[-1].content}."), tts=ScriptedTTS(),
    first_message="Hello!")
"""


@pytest.mark.parametrize("name", ["agent", "mine"])
def test_the_agent_of_a_file_is_called_by_typing_and_its_rows_are_kept(tmp_path: Path, name: str) -> None:
    (tmp_path / "bot.py").write_text(AGENT.replace("NAME", name))
    command = [
        sys.executable,
        "-W",
        "error",
        "-c",
        "import sys; from patter_nb.cli import main; sys.exit(main())",
        "test",
        "bot.py",
    ]
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        shown: list[str] = []
        for wanted, line in (("Hello!", "good evening"), ("You said good evening.", "/quit")):
            while wanted not in (shown or [""])[-1]:
                text = program.stdout.readline()
                assert text, (shown, program.stderr and program.stderr.read())
                shown.append(text)
            program.stdin.write(f"{line}\n")
            program.stdin.flush()
        out, err = program.communicate(timeout=60)
    assert (program.returncode, err) == (0, "")
    assert out.rstrip().endswith("call over: caller hung up")
    stored = Patter(store=tmp_path / "calls.sqlite3")
    assert stored.store.turns()["caller_text"].tolist()[-1] == "good evening"
    stored.store.close()


WRONG_FILES = [
    (None, "bot.py is no file: give the Python file that makes the agent."),
    ("x = 1", "bot.py makes no agents: let it make one, named agent, with phone.agent(...)."),
    (
        AGENT.replace("NAME", "a") + AGENT.replace("NAME", "b"),
        "bot.py makes 2 agents: let it make one, named agent, with phone.agent(...).",
    ),
]


@pytest.mark.parametrize(("text", "words"), WRONG_FILES)
def test_a_file_without_one_agent_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str | None, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    if text is not None:
        Path("bot.py").write_text(text)
    assert main(["test", "bot.py"]) == 1
    assert capsys.readouterr().err == f"patter-nb: {words}\n"


QUIET = AGENT.replace("NAME", "agent").replace('store="calls.sqlite3"', "store=False")


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str, typed: str = "") -> int | str | None:
    """The exit code of a typed call with the agent of this file, started from another folder than the file's."""
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    (folder / "bot.py").write_text(text)
    try:
        return main(["test", str(folder / "bot.py")])
    except SystemExit as ended:
        return ended.code


def test_a_conversation_that_is_piped_in_is_answered_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, tmp_path, QUIET, "hello\nhow are you\n12#\n") == 0
    said = [line.removeprefix(" agent  ") for line in capsys.readouterr().out.splitlines() if line.startswith(" agent")]
    assert said == ["Hello!", "You said hello.", "You said how are you.", "You said [DTMF: 12#]."]


def test_a_file_may_import_what_lies_beside_it_and_run_a_loop_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "beside_the_bot.py").write_text("import asyncio\nasyncio.run(asyncio.sleep(0))\n")
    assert run(monkeypatch, tmp_path, f"import beside_the_bot\n{QUIET}") == 0
    assert "call over: caller hung up" in capsys.readouterr().out


BEGINS = 'Traceback (most recent call last):\n  File "'
RAISES = [
    ("\n1/0\n", [f'{BEGINS}bot.py", line 2, in <module>\n    1/0\n', "ZeroDivisionError: division"]),
    ("open('nowhere')\n", [f'{BEGINS}bot.py", line 1, in <module>\n', "FileNotFoundError: "]),
    ("def f(:\n", ['  File "bot.py", line 1\n    def f(:\n', "SyntaxError: invalid syntax"]),
]


@pytest.mark.parametrize(("text", "ends"), RAISES)
def test_an_error_in_the_file_is_shown_from_the_files_own_lines_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, ends: list[str]
) -> None:
    assert run(monkeypatch, tmp_path, text) == 1
    told = capsys.readouterr().err.replace(str(tmp_path / "bot.py"), "bot.py")
    assert told.startswith(ends[0])
    assert told.splitlines()[-1].startswith(ends[1])
    assert "patter_nb" not in told
    assert "runpy" not in told


def test_a_file_that_exits_or_makes_an_agent_that_cannot_be_is_told_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, tmp_path, "import sys; sys.exit('no key')") == "no key"
    assert run(monkeypatch, tmp_path, QUIET.replace('first_message="Hello!"', "max_duration_seconds=0")) == 1
    told = capsys.readouterr().err
    assert told.startswith("patter-nb: max_duration_seconds")
    assert told.count("\n") == 1


def test_without_standard_input_a_typed_call_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bot.py").write_text(QUIET)
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.setattr("sys.stdin", None)
    assert main(["test", str(tmp_path / "bot.py")]) == 1
    assert capsys.readouterr().err.startswith("patter-nb: read is missing, and there is no standard input: give an open text")
