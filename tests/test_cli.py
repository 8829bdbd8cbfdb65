"""The command `patter-nb`."""

from __future__ import annotations

import asyncio
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
