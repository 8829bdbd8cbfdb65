"""Where a store lies: the path of a file or the URL of a database, checked, with its passwords apart from it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from patter_nb.errors import ConfigError, brief, need, scrub

if TYPE_CHECKING:
    from sqlalchemy import URL

DIRECTORY = ".patter_nb"
FILE = "calls.sqlite3"
PSYCOPG = "postgresql+psycopg"
EXAMPLE = "give a path, or for example postgresql://user:password@host/name"


@dataclass(frozen=True, slots=True)
class Address:
    """`url` if one was given, and the absolute `path` of the file if there is one: the working directory may change."""

    url: URL | None
    path: Path | None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Passwords that stood among the parameters of the URL."""

    @property
    def name(self) -> str:
        """The path, or the URL without a password."""
        return str(self.path) if self.url is None else self.url.render_as_string(hide_password=True)


def address(given: str | os.PathLike[str] | None) -> Address:
    """Where this is; None is `.patter_nb/calls.sqlite3` in the working directory of this moment.

    `ConfigError` for a directory, for a URL that cannot be used, and for a database in memory; `MissingExtra` where PostgreSQL's
    driver is not installed.
    """
    if isinstance(given, str) and "://" in given:
        url, secrets = checked_url(given)
        plain_file = url.get_backend_name() == "sqlite" and url.database is not None and not url.database.startswith("file:")
        return Address(url, Path(url.database or "").absolute() if plain_file else None, secrets)
    path = Path(DIRECTORY, FILE).absolute() if given is None else Path(given).absolute()
    if path.is_dir():
        raise ConfigError(f"store is {brief(str(given))}, which is a directory: give the path of a file in it.")
    return Address(None, path)


def checked_url(text: str) -> tuple[URL, dict[str, str]]:
    """The URL with its driver at hand, and the passwords that stood among its parameters.

    PostgreSQL is spoken through psycopg 3 unless the URL names another driver.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
        if url.drivername in ("postgresql", "postgres"):
            url = url.set(drivername=PSYCOPG)
        dialect = url.get_dialect()
    except (ArgumentError, ValueError) as error:
        # Not raised from the error, which may quote the URL with its password.
        raise ConfigError(f"store is not a database URL ({scrub(str(error)).rstrip('.')}): {EXAMPLE}.") from None
    if "@" in (url.host or ""):
        raise ConfigError("store is a URL with more than one @: write one that belongs to the password as %40.")
    if dialect.is_async:
        raise ConfigError(f"store is a URL with the driver {url.get_driver_name()}, which is for asyncio alone: {EXAMPLE}.")
    if url.drivername == PSYCOPG:
        need("psycopg", extra="postgres", what="A store in PostgreSQL")
    try:
        dialect.import_dbapi()
    except ImportError as error:
        remedy = f"pip install {error.name}"
        raise ConfigError(f"store is a {url.get_backend_name()} URL, whose driver is not installed: {remedy}") from error
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise ConfigError("store is a database in memory, which would end with this process: give a path, or turn the store off.")
    return _without_passwords(url)


def _without_passwords(url: URL) -> tuple[URL, dict[str, str]]:
    """Parameters of a URL are shown wherever it is shown, its password is not."""
    secrets = {name: str(value) for name, value in url.query.items() if "passw" in name.lower()}
    return url.difference_update_query(list(secrets)), secrets
