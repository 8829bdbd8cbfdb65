"""A PostgreSQL server of the tests' own: a new data directory, a port of loopback, and everybody who asks is let in."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

INSTALL = "apt-get install postgresql && pip install -e '.[postgres]'"
"""What brings the server and the driver on Debian."""


def programs() -> Path | None:
    """The folder of `initdb` and `pg_ctl`; None where no server is installed."""
    found = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(found).resolve().parent if found else debian[-1].parent if debian else None


class Server:
    """`safe`: writes reach the disk before a commit is answered, as in a team's server. It is stopped with `close()`."""

    def __init__(self, *, safe: bool = False) -> None:
        folder = programs()
        if folder is None or not hasattr(os, "getuid"):
            raise RuntimeError(f"no PostgreSQL server is installed: {INSTALL}")
        self._programs = folder
        self._user = "postgres" if os.getuid() == 0 else None  # it refuses to run as root
        self.place = Path(tempfile.mkdtemp(prefix="postgresql_"))  # not in pytest's folders, which other users may not enter
        if self._user is not None:
            shutil.chown(self.place, self._user)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        settings = "-c max_connections=40 -c timezone=Asia/Kathmandu"  # far from UTC, so that who forgets it is found out
        self._options = f"-p {self.port} -h 127.0.0.1 -k {self.place} {settings} {'' if safe else '-F'}"
        self._names = itertools.count()
        self._run("initdb", "-A", "trust", "-U", "calls", "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync")
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._run("pg_ctl", "-o", self._options, "-l", self.place / "log", "-w", "start")

    def stop(self, how: str = "fast") -> None:
        """`how`: "fast" ends every connection and shuts down in order, "immediate" is what a crash is."""
        self._run("pg_ctl", "-m", how, "-w", "stop")

    def url(self, database: str, user: str = "calls") -> str:
        """The URL of a database, for SQLAlchemy with psycopg."""
        return f"postgresql+psycopg://{user}@127.0.0.1:{self.port}/{database}"

    def create(self, more: str = "") -> str:
        """The URL of a new, empty database."""
        name = f"store_{next(self._names)}"
        self.sql(f"create database {name} {more}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.sql(f"drop database {url.rpartition('/')[2]} with (force)")

    def schema(self) -> str:
        """The URL of a new, empty schema in a database with others: as good for most tests, and made at once."""
        name = f"store_{next(self._names)}"
        self.sql(f"create schema {name}")
        return f"{self.url('postgres')}?options=-csearch_path%3D{name}"

    def sql(self, statement: str, url: str | None = None) -> list[tuple[object, ...]]:
        """The rows of a statement that is run on a connection of its own."""
        import psycopg

        with psycopg.connect((url or self.url("postgres")).replace("+psycopg", ""), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def connections(self, url: str) -> int:
        """How many connections there are to this database."""
        name = url.rpartition("/")[2]
        return int(str(self.sql(f"select count(*) from pg_stat_activity where datname = '{name}'")[0][0]))

    def is_left(self, url: str) -> bool:
        """Whether nobody is connected to this database; the server needs a moment to notice that somebody has gone."""
        deadline = time.monotonic() + 5.0
        while (there := self.connections(url)) and time.monotonic() < deadline:
            pass
        return there == 0

    def close(self) -> None:
        """Stop it and remove its files."""
        try:
            if (self.place / "data" / "postmaster.pid").exists():
                self.stop("immediate")
        finally:
            shutil.rmtree(self.place)

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._programs / program), "-D", str(self.place / "data"), *(str(each) for each in arguments)]
        subprocess.run(command, user=self._user, cwd=self.place, check=True, timeout=120, stdout=subprocess.DEVNULL)
