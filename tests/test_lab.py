"""`patter-nb lab`, and the notebooks that travel inside of what is installed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import subprocess
import sys
import tarfile
import threading
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from patter_nb.cli import main
from patter_nb.errors import ConfigError
from patter_nb.lab import Copied, copy_notebooks, notebooks_folder

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
OURS = {str(path.relative_to(NOTEBOOKS)) for pattern in ("*.ipynb", "images/*.png") for path in NOTEBOOKS.glob(pattern)}

# The copies.


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    others = (".ipynb_checkpoints/01.ipynb", ".patter_nb/calls.sqlite3", "notes.txt")
    for name in ("01.ipynb", "02.ipynb", "images/card.png", *others):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"ours: {name}")
    return folder


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_notebooks_and_pictures_are_copied_and_nothing_else(source: Path, tmp_path: Path) -> None:
    mine = tmp_path / "far" / "mine"
    copied = copy_notebooks(source, mine)
    assert copied == Copied(new=("01.ipynb", "02.ipynb", "images/card.png"))
    assert files(mine) == {name: f"ours: {name}" for name in copied.new}
    assert copied.told(mine) == [f"3 files are new in {mine}"]
    again = copy_notebooks(source, mine)
    assert (again, again.told(mine)) == (Copied(), [])


def test_what_somebody_has_worked_in_stays_as_it_is_and_that_is_said(source: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "01.ipynb").write_text("mine")
    copied = copy_notebooks(source, mine)
    assert (copied.new, copied.kept) == (("02.ipynb", "images/card.png"), ("01.ipynb",))
    assert (mine / "01.ipynb").read_text() == "mine"
    assert copied.told(mine)[1] == "yours stay as they are: 01.ipynb (delete one, and the next start brings ours)"


def test_whoever_works_in_the_clone_works_in_its_notebooks(source: Path) -> None:
    before = files(source)
    assert copy_notebooks(source, source.parent / "source" / "." / "images" / "..") == Copied()
    assert files(source) == before


def test_a_file_is_no_folder(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("in the way")
    with pytest.raises(ConfigError, match="which is a file: give the name of a folder"):
        copy_notebooks(source, tmp_path / "mine")
    assert main(["lab", str(tmp_path / "mine")]) == 1
    assert capsys.readouterr().err.startswith("patter-nb: folder is ")


def test_a_clone_shows_the_notebooks_that_lie_in_it() -> None:
    assert notebooks_folder() == ROOT / "notebooks"


def test_without_jupyterlab_it_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "jupyterlab", None)  # as if it were not installed
    assert main(["lab", str(tmp_path / "mine")]) == 1
    assert capsys.readouterr().err.endswith('pip install ".[nb]"\n')


def test_what_follows_two_dashes_is_for_jupyterlab_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["demo", "--", "--port", "1"])
    assert "unrecognized arguments: --port 1" in capsys.readouterr().err


# What is installed.


def built(kind: str, folder: Path, root: Path = ROOT) -> Path:
    """A wheel, an editable one, or a source archive of the tree at `root`."""
    code = f"from hatchling.build import build_{kind}; print(build_{kind}({str(folder)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True, cwd=root)
    return folder / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("wheel", tmp_path_factory.mktemp("wheel"))


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_the_wheel_holds_the_package_with_its_front_ends_and_the_notebooks(wheel: Path) -> None:
    names = names_in(wheel)
    assert {name for name in names if not name.startswith("patter_nb/")} == set()
    inside = {name.removeprefix("patter_nb/notebooks/") for name in names if name.startswith("patter_nb/notebooks/")}
    assert inside == OURS
    package = [path for path in (ROOT / "patter_nb").rglob("*.*") if path.is_file() and path.suffix != ".pyc"]
    assert names - {f"patter_nb/notebooks/{name}" for name in inside} == {str(path.relative_to(ROOT)) for path in package}


def test_what_is_installed_from_the_wheel_finds_its_own_notebooks(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    code = "from patter_nb.lab import notebooks_folder; print(notebooks_folder())"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path, env=environment
    )
    assert done.stdout.strip() == str(tmp_path / "installed" / "patter_nb" / "notebooks")


def test_an_editable_install_points_to_the_clone(tmp_path: Path) -> None:
    editable = built("editable", tmp_path)
    with zipfile.ZipFile(editable) as archive:
        (pth,) = (name for name in archive.namelist() if name.endswith(".pth"))
        assert archive.read(pth).decode().strip() == str(ROOT)
        assert not [name for name in archive.namelist() if name.endswith(".ipynb")]


def test_the_source_archive_makes_the_same_wheel_and_holds_what_tests_it(wheel: Path, tmp_path: Path) -> None:
    archive = built("sdist", tmp_path)
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    (unpacked,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert {path.name for path in unpacked.iterdir() if not path.name.startswith(".")} == {
        "patter_nb", "notebooks", "tests", "binder", "README.md", "LICENSE", "NOTICE", "pyproject.toml", "PKG-INFO"
    }  # fmt: skip
    assert names_in(built("wheel", tmp_path, unpacked)) == names_in(wheel)


# JupyterLab.


@contextlib.contextmanager
def lab(folder: Path, token: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """`patter-nb lab` on a free port, without a page, ended after two minutes at the latest; and what it tells."""
    code = "import sys; from patter_nb.cli import main; sys.exit(main())"
    jupyters = ["--ServerApp.port=0", f"--IdentityProvider.token={token}", "--allow-root"]
    command = [sys.executable, "-c", code, "lab", str(folder), "--no-browser", "--", *jupyters]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JUPYTER_RUNTIME_DIR": str(folder.parent / "runtime")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder.parent, env=environment
    ) as program:
        told: list[str] = []
        late = threading.Timer(120, program.kill)
        late.start()
        try:
            yield program, told
        finally:
            late.cancel()
            program.terminate()


def address(program: subprocess.Popen[str], told: list[str]) -> str:
    """Where the server says that it answers."""
    assert program.stdout is not None
    for line in program.stdout:
        told.append(line)
        if found := re.search(r"(http://127[^/]+/)lab", line):
            for _ in range(200):  # it says so a moment before it listens
                with contextlib.suppress(urllib.error.URLError), urllib.request.urlopen(f"{found[1]}api", timeout=10):
                    return found[1]
                with contextlib.suppress(subprocess.TimeoutExpired):
                    program.wait(0.05)
    raise AssertionError("".join(told))


@pytest.mark.slow  # starts JupyterLab
def test_jupyterlab_is_opened_on_the_notebooks_and_ends_when_it_is_shut_down(tmp_path: Path) -> None:
    token = secrets.token_hex(16)
    with lab(tmp_path / "mine", token) as (program, told):
        url = address(program, told)

        def ask(path: str, method: str = "GET") -> bytes:
            request = urllib.request.Request(f"{url}{path}", method=method, headers={"Authorization": f"token {token}"})
            with urllib.request.urlopen(request, timeout=30) as answer:
                return bytes(answer.read())

        listed = {each["name"] for each in json.loads(ask("api/contents"))["content"]}
        assert {name for name in OURS if "/" not in name} <= listed
        assert b"JupyterLab" in ask("lab")
        ask("api/shutdown", "POST")
        assert program.wait(60) == 0
    assert "/lab/tree/01_first_call.ipynb?token=" in told[-1]
    assert told[0] == f"patter-nb: {len(OURS)} files are new in {tmp_path / 'mine'}\n"
