"""Where a store lies."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from patter_nb.errors import ConfigError, MissingExtra
from patter_nb.phone import Patter
from patter_nb.records.address import address
from patter_nb.records.engines import make_engine
from patter_nb.records.store import Store


def test_nothing_is_a_file_in_the_working_directory_of_this_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = address(None)
    monkeypatch.chdir("/")
    assert (found.url, found.path) == (None, tmp_path / ".patter_nb" / "calls.sqlite3")
    assert found.name == str(found.path)


def test_a_path_and_a_url_of_sqlite_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for given in ("mine.db", Path("mine.db"), "sqlite:///mine.db"):
        assert address(given).path == tmp_path / "mine.db"


@pytest.mark.parametrize("place", [".", "/"])
def test_a_directory_is_not_a_file(place: str) -> None:
    with pytest.raises(ConfigError, match=r"which is a directory: give the path of a file in it\.$"):
        address(place)


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("postgresql://me@host/calls", "postgresql+psycopg"),
        ("postgres://me@host/calls", "postgresql+psycopg"),
        ("postgresql+psycopg://me@host/calls", "postgresql+psycopg"),
        ("postgresql:///calls?host=/run/postgresql", "postgresql+psycopg"),
    ],
)
def test_postgresql_is_spoken_through_psycopg_3(given: str, driver: str) -> None:
    url = address(given).url
    assert url is not None
    assert (url.drivername, url.database) == (driver, "calls")


@pytest.mark.parametrize("given", ["postgresql://host/calls", "postgres://host/calls", "postgresql+psycopg://host/calls"])
def test_a_missing_driver_is_told_with_the_command_that_brings_it(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def missing(name: str, package: str | None = None) -> ModuleType:
        if name == "psycopg":
            raise ModuleNotFoundError("No module named 'psycopg'", name="psycopg")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", missing)
    expected = r"^A store in PostgreSQL needs the package 'psycopg', which is not installed: pip install \"\.\[postgres\]\"$"
    with pytest.raises(MissingExtra, match=expected):
        Patter(store=given)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgres//host", None),
        ("nonsense://host/name", "store is not a database URL .*: give a path, or for example postgresql://"),
        ("postgresql://me:secret@host:port/calls", "store is not a database URL"),
        ("://host", "store is not a database URL"),
        ("postgresql://me:se@secret@host/calls", "more than one @: write one that belongs to the password as %40"),
        ("postgresql+asyncpg://me:secret@host/calls", "with the driver asyncpg, which is for asyncio alone: give a path, or"),
        ("sqlite://", "a database in memory, which would end with this process"),
        ("sqlite:///:memory:", "a database in memory"),
        ("oracle://host/name", "store is a oracle URL, whose driver is not installed: pip install"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_at_once_and_without_its_password(url: str, message: str | None) -> None:
    if message is None:
        assert address(url).url is None  # a path like any other
        return
    with pytest.raises(ConfigError, match=message) as found:
        address(url)
    error: BaseException | None = found.value
    while error is not None:
        assert "secret" not in str(error)
        error = None if error.__suppress_context__ else error.__context__


@pytest.mark.parametrize(
    "given",
    [
        "postgresql://me:secret@host/calls",
        "postgresql://me@host/calls?password=secret",
        "postgresql://host/calls?user=me&password=secret&sslpassword=secret2&sslmode=require",
    ],
)
def test_a_password_is_shown_nowhere_and_reaches_the_driver(given: str) -> None:
    store = Store(given)
    phone = Patter(store=given)
    shown = [store.name, repr(store), repr(store.engine), str(store.engine.url), repr(phone), repr(address(given))]
    assert [text for text in shown if "secret" in text] == []
    found = make_engine(address(given))
    arguments = found.dialect.create_connect_args(found.url)[1] | dict(address(given).secrets)
    assert arguments["password"] == "secret"
    assert arguments.get("sslpassword", "secret2") == "secret2"
