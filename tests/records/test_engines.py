"""What each kind of database is told on every connection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, event
from tests_of_records_postgresql import Server

from patter_nb.records.address import address
from patter_nb.records.engines import LIBPQ, make_engine, to_read, to_write


def given_to_driver(url: str) -> dict[str, Any]:
    """What the driver would be given to connect with."""
    engine = make_engine(address(url))
    found: dict[str, Any] = {}

    class Stop(Exception):  # noqa: N818
        pass

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: object, _record: object, _arguments: object, parameters: dict[str, Any]) -> None:
        found.update(parameters)
        raise Stop

    with pytest.raises(Stop):
        engine.connect()
    return found


def test_a_server_that_is_gone_is_given_up_in_time_unless_the_url_says_otherwise() -> None:
    found = given_to_driver("postgresql://me@host/calls")
    assert {name: found[name] for name in LIBPQ} == LIBPQ
    found = given_to_driver("postgresql://me@host/calls?connect_timeout=60&application_name=mine")
    assert (found["connect_timeout"], found["application_name"], found["keepalives_idle"]) == ("60", "mine", 15)


def test_no_connection_is_kept_for_later(tmp_path: Path) -> None:
    for place in (tmp_path / "calls.sqlite3", "postgresql://host/calls"):
        assert isinstance(make_engine(address(place)).pool, NullPool)


def test_a_reader_may_write_nothing_and_a_writer_does_not_wait_for_ever(server: Server) -> None:
    engine = make_engine(address(server.schema()))
    names = ("transaction_isolation", "transaction_read_only", "lock_timeout")
    ask = f"select {', '.join(f'current_setting({name!r})' for name in names)}"
    with to_read(engine) as connection:
        assert tuple(connection.exec_driver_sql(ask).one()) == ("repeatable read", "on", "0")
    with to_write(engine) as connection, connection.begin():
        assert tuple(connection.exec_driver_sql(ask).one()) == ("read committed", "off", "5s")
    with engine.connect() as connection:  # for SQL of one's own
        assert tuple(connection.exec_driver_sql(ask).one()) == ("read committed", "off", "0")
        assert connection.exec_driver_sql("show timezone").scalar_one() == "UTC"
