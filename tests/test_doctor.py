"""What is on this machine and in this folder, as `patter-nb doctor` tells of it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from patter_nb import __version__, doctor
from patter_nb.check import Finding
from patter_nb.cli import main
from patter_nb.doctor import KEYS, Examination, examine
from patter_nb.records.address import DIRECTORY, FILE
from patter_nb.records.store import Store
from patter_nb.telephony.number_records import FOLDER, NumberRecords, Pointing

SECRET = "q7Zk2Xw90fPplm4TsecretToken"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        free = listening.getsockname()[1]
    monkeypatch.setattr(doctor, "PORT", free)
    yield


def found(name: str) -> Finding:
    return next(each for _, findings in examine().sections for each in findings if each.name == name)


def names(section: str) -> list[str]:
    return [each.name for each in dict(examine().sections)[section]]


def test_versions_are_those_of_this_machine() -> None:
    assert found("patter_nb").said.startswith(f"{__version__}, in ")
    assert found("Python").said.startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    packages = found("packages")
    assert packages.ok
    for name in ("numpy", "pandas", "sqlalchemy", "fastapi"):
        assert f"{name} {metadata.version(name)}" in packages.said


def test_a_package_that_is_too_old_or_missing_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.requires
    more = ["numpy>=99", "a-package-of-nobody>=1"]
    monkeypatch.setattr(metadata, "requires", lambda name: [*(real(name) or []), *more])
    packages = found("packages")
    assert packages.ok is False
    assert f"numpy is {metadata.version('numpy')}, needed is >=99" in packages.said
    assert "a-package-of-nobody is not installed" in packages.said


def test_an_extra_is_there_or_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "dev" not in names("Extras")
    assert {"local", "nb", "ngrok", "postgres"} <= set(names("Extras"))
    real = metadata.version

    def version(name: str) -> str:
        if name in ("mcp", "anywidget"):
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    assert found("mcp") == Finding("mcp", None, "Not installed: tools of MCP servers.", 'pip install ".[mcp]"')
    assert found("nb") == Finding("nb", None, "anywidget is not installed.", 'pip install ".[nb]"')


def test_every_extra_says_what_it_is_for() -> None:
    assert set(names("Extras")) <= set(doctor.EXTRAS)


def test_a_key_is_named_with_its_place_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", SECRET)
    (tmp_path / ".env").write_text(f"TWILIO_AUTH_TOKEN={SECRET}\n")
    (tmp_path / ".env").chmod(0o600)
    assert found("TWILIO_ACCOUNT_SID").said == "In the environment."
    assert found("TWILIO_AUTH_TOKEN").said == "In .env."
    assert found("TWILIO_API_KEY").ok is None
    assert SECRET not in examine().text() + examine().json()
    assert ".env" not in names("Keys")


@pytest.mark.skipif(os.name != "posix", reason="files have no such modes on Windows")
def test_keys_that_others_may_read_are_told_of(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=b\n")
    (tmp_path / ".env").chmod(0o644)
    assert found(".env") == Finding(".env", None, "Others on this machine may read it.", "chmod 600 .env")


def test_a_file_of_keys_that_cannot_be_read_is_told_of_without_its_words(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"what {SECRET} is\n")
    (tmp_path / ".env").chmod(0o600)
    broken = found(".env")
    assert broken.ok is False
    assert "Line 1 of the file .env" in broken.said
    assert SECRET not in broken.said


def test_a_port_that_is_taken_may_be_a_notebooks(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(doctor, "PORT", taken.getsockname()[1])
        taken_by = found("port")
        assert taken_by.ok is None
        assert "cannot be used (Address already in use)" in taken_by.said
        assert taken_by.remedy.startswith("A notebook that serves may have it")


def test_cloudflared_is_only_needed_by_who_wants_such_a_tunnel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert found("cloudflared").ok is None
    assert "install cloudflared" in found("cloudflared").remedy


def test_a_store_that_is_not_there_yet_is_made_and_looking_makes_nothing(tmp_path: Path) -> None:
    assert found("store") == Finding("store", True, ".patter_nb/ is made with the first call.")
    assert list(tmp_path.iterdir()) == []


def test_a_store_says_how_many_calls_it_has() -> None:
    store = Store()
    assert len(store.calls()) == 0
    store.write(lambda _: None)
    store.close()
    assert "0 calls in " in found("store").said


def test_a_store_that_is_no_database_is_broken(tmp_path: Path) -> None:
    (tmp_path / DIRECTORY).mkdir()
    (tmp_path / DIRECTORY / FILE).write_text("a shopping list that is long enough to be no database at all" * 20)
    assert found("store").ok is False
    assert found("store").remedy == "Move it away: a new one is made."


def test_a_file_in_the_place_of_the_folder_is_broken(tmp_path: Path) -> None:
    (tmp_path / DIRECTORY).write_text("in the way")
    assert found("store").ok is False


def test_a_number_that_a_killed_server_left_is_told_of_with_the_remedy(tmp_path: Path) -> None:
    folder = tmp_path / DIRECTORY
    records = NumberRecords(folder, "PN" + "1" * 32, "key")
    name = records.add("+1•••••1234", "https://four-words.example/answer", Pointing("https://ann:secret@shop.example/voice"))
    assert found("number").ok is True
    records.end(name)
    left = found("number")
    assert left.ok is None
    assert left.said.startswith("+1•••••1234 may still point to https://four-words.example/answer")
    assert left.said.endswith("before, to https://shop.example/voice.")
    assert left.remedy.startswith("serve() in this folder puts it back")
    assert len(list((folder / FOLDER).iterdir())) == 1


# The command.


def test_the_table_fits_80_columns_and_the_exit_code_says_whether_anything_is_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert out.endswith("\nNothing is broken.\n")
    long = [line for line in out.splitlines() if len(line) > 80]
    assert all(" " not in line.strip() for line in long), long  # a path alone may be longer
    (tmp_path / DIRECTORY).write_text("in the way")
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out.endswith("\nBroken: store.\n")


def test_as_json_it_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    assert list(told["sections"]) == ["Versions", "Extras", "Keys", "Machine", "Folder"]
    assert told["sections"]["Keys"][0] == {
        "name": "TWILIO_ACCOUNT_SID",
        "ok": None,
        "said": "Not there; needed for a Twilio number.",
        "remedy": "",
    }


def test_the_summary_names_what_is_broken() -> None:
    fine, broken = Finding("a", True, "x"), Finding("b", False, "y")
    assert Examination((("One", (fine,)),)).text().endswith("Nothing is broken.")
    assert Examination((("One", (fine, broken)),)).text().endswith("Broken: b.")


def test_where_it_is_not_imported_nothing_heavy_is_loaded_by_the_command_line() -> None:
    code = "import patter_nb.cli, sys; assert 'patter_nb.doctor' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
