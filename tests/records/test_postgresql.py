"""What only a server does: it stops and comes back, loses answers, refuses, locks, counts its connections."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import psycopg
import pytest
from tests_of_records_postgresql import Server
from tests_of_records_waiting import trouble

from patter_nb.errors import ConfigError
from patter_nb.records import engines, upgrade, writer
from patter_nb.records.facts import CallFacts
from patter_nb.records.log import CallLog
from patter_nb.records.prices import PriceBook
from patter_nb.records.store import Store
from patter_nb.turns.facts import TurnFacts
from patter_nb.turns.usage import Price, Usage

pytestmark = pytest.mark.slow  # servers that start, stop and lock take their time

Call = Callable[..., CallFacts]
Turn = Callable[..., TurnFacts]
Open = Callable[..., Store]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Whatever the server does, nothing is printed or logged: it would end up in somebody's cell."""
    yield
    assert [record.getMessage() for record in caplog.get_records("call")] == []
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def url(server: Server) -> Iterator[str]:
    """The URL of a new database."""
    made = server.create()
    yield made
    server.drop(made)


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that the test may stop."""
    made = Server()
    yield made
    made.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits seconds for a lock and between tries waits a moment."""
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(writer, "LONGEST_WAIT_SECONDS", 0.2)


def connected(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(url.replace("+psycopg", ""))


def name_of(url: str) -> str:
    return url.rpartition("/")[2]


# Tables that are made, and rows that are written, by several at once.


def test_stores_that_make_the_tables_at_once_have_one_key_and_lose_nothing(
    server: Server, call: Call, turn: Turn, opened: Open
) -> None:
    used = Usage("llm", "acme", "m", input_tokens=1000, price_id=None)
    for _ in range(2):
        url = server.create()
        stores = [opened(url) for _ in range(5)]
        gate = threading.Barrier(len(stores))

        def work(number: int, stores: list[Store] = stores, gate: threading.Barrier = gate) -> None:
            log = CallLog(stores[number])
            price = log.prices.register("llm", "acme", "m", Price(usd_per_1m_input_tokens=1.0))
            gate.wait(20)
            log.begin(call(f"c{number}"))
            log.turn(f"c{number}", turn(1, usage=(Usage("llm", "acme", "m", input_tokens=1000, price_id=price), used)))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(len(stores))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert [store.flush(30) for store in stores] == [True] * len(stores)
        assert [store.problem for store in stores] == [None] * len(stores)
        assert len({store.hash_key for store in stores}) == 1
        assert sorted(stores[0].turns()["call_id"]) == [f"c{number}" for number in range(len(stores))]
        assert server.sql("select count(*) from prices", url) == [(1,)]
        assert server.sql("select count(*) from meta", url) == [(2,)]
        for store in stores:
            assert store.close()


def test_whoever_prepares_the_tables_is_waited_for(server: Server, url: str, call: Call, opened: Open) -> None:
    store = opened(url)
    log = CallLog(store)
    with connected(url) as other:
        other.execute(f"select pg_advisory_xact_lock({upgrade.LOCK})")
        log.begin(call())
        assert not log.flush(0.3)
        assert log.problem is None
        assert server.sql("select count(*) from pg_tables where schemaname = 'public'", url) == [(0,)]
    assert log.flush(10)
    assert len(store.calls()) == 1


@pytest.mark.parametrize("committed", [True, False])
def test_a_price_that_another_kernel_is_about_to_add_is_waited_for(
    committed: bool, url: str, call: Call, turn: Turn, opened: Open
) -> None:
    store, prices = opened(url), PriceBook()
    price = prices.register("llm", "acme", "m", Price(usd_per_1m_input_tokens=1.0))
    log = CallLog(store, prices)
    log.begin(call())
    assert log.flush(10)
    with connected(url) as other:
        values = "'llm', 'acme', 'm', '2026-01-01', 0, 0, 1, 0, 0"
        other.execute(f"insert into prices values (%s, {values})", (price,))
        log.turn("call_1", turn(1, usage=(Usage("llm", "acme", "m", input_tokens=1, price_id=price),)))
        assert not log.flush(0.2)
        if not committed:
            other.rollback()
    assert log.flush(10)
    assert log.problem is None
    assert store.turns()["usd"].notna().all()
    assert len(store.turns()) == 1


def test_a_reader_sees_one_moment_while_rows_are_written(url: str, call: Call, turn: Turn, opened: Open) -> None:
    store = opened(url)
    log = CallLog(store)
    log.begin(call("a"))
    assert log.flush(10)
    with store._database.reading() as read:
        assert read("turns", "number") == []
        log.turn("a", turn(1))
        log.begin(call("b"))
        assert log.flush(10)
        assert read("events", "number") == []
        assert [row["call_id"] for row in read("calls", "call_id")] == ["a"]
    assert len(store.turns()) == 1


def test_settings_of_the_environment_change_nothing_that_is_written_or_read(
    url: str, call: Call, turn: Turn, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    monkeypatch.setenv("PGTZ", "<+0545>-5:45")  # a zone that PostgreSQL knows and Python does not
    monkeypatch.setenv("PGDATESTYLE", "German")
    store = opened(url)
    log = CallLog(store)
    log.begin(call())
    log.turn("call_1", turn(1, caller_text="“∑” +1 555 765 4321"))
    assert log.flush(10), log.problem
    assert store.turns()["caller_text"].tolist() == ["“∑” +1•••••4321"]
    assert store.calls()["started_at"].tolist() == log.calls()["started_at"].tolist()


# A server that is gone, and comes back.


@dataclass(slots=True)
class Relay:
    """A wire to the server. It can be cut right after the server was told something, before its answer comes through."""

    port: int
    """Of the server."""
    cut_after: bytes | None = None
    cuts: int = 0
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    def url(self, database: str) -> str:
        return f"postgresql://calls@127.0.0.1:{self._listener.getsockname()[1]}/{database}?sslmode=disable&gssencmode=disable"

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._relay, args=(self._listener.accept()[0],), daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _relay(self, near: socket.socket) -> None:
        cut = threading.Event()
        with near, socket.create_connection(("127.0.0.1", self.port)) as far:
            back = threading.Thread(target=self._back, args=(far, near, cut), daemon=True)
            back.start()
            with contextlib.suppress(OSError):
                while data := near.recv(65536):
                    if self.cut_after is not None and self.cut_after in data:
                        self.cut_after, self.cuts = None, self.cuts + 1
                        cut.set()
                    far.sendall(data)
            with contextlib.suppress(OSError):
                far.shutdown(socket.SHUT_WR)
            back.join(10)

    @staticmethod
    def _back(far: socket.socket, near: socket.socket, cut: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := far.recv(65536):
                if cut.is_set():
                    near.shutdown(socket.SHUT_RDWR)
                    return
                near.sendall(data)
            near.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def relay(server: Server) -> Iterator[Relay]:
    """A wire to the server."""
    made = Relay(server.port)
    thread = threading.Thread(target=made.serve, daemon=True)
    thread.start()
    yield made
    made.close()
    thread.join(10)


@pytest.mark.parametrize("told", [b"COMMIT", b"INSERT INTO turns", b"UPDATE calls"])
def test_a_line_that_is_cut_loses_no_row_and_doubles_none(
    told: bytes, relay: Relay, url: str, *, call: Call, turn: Turn, opened: Open
) -> None:
    """After COMMIT the rows are there although nobody was told so."""
    store = opened(relay.url(name_of(url)))
    log = CallLog(store)
    log.begin(call())
    assert log.flush(10)
    relay.cut_after = told
    for number in range(5):
        log.turn("call_1", turn(number))
    log.finish("call_1", duration_seconds=1.0, end_reason="done")
    assert log.flush(10)
    assert relay.cuts == 1
    assert log.problem is None
    assert store.turns()["turn"].tolist() == list(range(5))
    assert store.events()["turn"].tolist() == list(range(5))
    assert store.calls()["end_reason"].tolist() == ["done"]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_while_the_server_is_down_rows_wait_and_are_written_when_it_is_back(
    how: str, own_server: Server, call: Call, turn: Turn, opened: Open
) -> None:
    store = opened(own_server.create())
    log = CallLog(store)
    log.begin(call())
    log.turn("call_1", turn(0))
    assert log.flush(10)
    own_server.stop(how)
    for number in range(1, 20):
        log.turn("call_1", turn(number))
    where = f'connection to server at "127.0.0.1", port {own_server.port} failed: Connection refused'
    assert trouble(log, "refused") == f"The store {store.name} is not being written ({where}); rows waiting in memory: 38."
    assert len(log.turns()) == 20
    with pytest.raises(ConfigError, match=r"^The store postgresql.* cannot be read: connection to server .* refused\.$"):
        store.turns()
    own_server.start()
    assert log.flush(10)
    assert log.problem is None
    assert store.turns()["turn"].tolist() == list(range(20))
    assert len(store.events()) == 20


def test_a_restart_in_the_middle_of_writing_loses_no_row_and_doubles_none(
    own_server: Server, call: Call, turn: Turn, opened: Open
) -> None:
    store = opened(own_server.create())
    log = CallLog(store)
    log.begin(call())
    stop = threading.Event()
    told: list[int] = []

    def work() -> None:
        while not stop.is_set():
            log.turn("call_1", turn(len(told)))
            told.append(len(told))
            stop.wait(0.001)

    thread = threading.Thread(target=work)
    thread.start()
    for how in ("immediate", "fast"):
        own_server.stop(how)
        own_server.start()
    stop.set()
    thread.join(10)
    assert log.flush(20), log.problem
    assert log.problem is None
    assert store.turns()["turn"].tolist() == told
    assert store.events()["turn"].tolist() == told
    assert len(told) > 50


def test_connections_that_the_server_ends_are_made_again(server: Server, url: str, call: Call, turn: Turn, opened: Open) -> None:
    store = opened(url)
    log = CallLog(store)
    log.begin(call())
    for number in range(5):
        assert log.flush(10)
        server.sql(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name_of(url)}'")
        log.turn("call_1", turn(number))
    assert log.flush(10)
    assert store.turns()["turn"].tolist() == list(range(5))


# A server that refuses.


@pytest.fixture
def written(url: str, call: Call, turn: Turn, opened: Open) -> Store:
    """A store with a call in which one turn was closed."""
    store = opened(url)
    log = CallLog(store)
    log.begin(call("before"))
    log.turn("before", turn(1))
    assert store.flush(10)
    return store


@pytest.fixture
def guest(written: Store, server: Server, url: str) -> str:
    """The URL for somebody who may read and write its tables, and no more."""
    if not server.sql("select 1 from pg_roles where rolname = 'guest'"):
        server.sql("create role guest login")
    server.sql("grant select, insert, update on all tables in schema public to guest", url)
    return server.url(name_of(url), "guest")


REFUSALS = {
    "read-only": (
        "alter database {name} set default_transaction_read_only = on",
        "alter database {name} set default_transaction_read_only = off",
        "(cannot execute INSERT in a read-only transaction)",
    ),
    "full": (
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception using errcode = '53100', "
        "message = 'could not extend file: No space left on device'; end $$; "
        "create trigger refuse before insert on turns for each row execute function refuse()",
        "drop trigger refuse on turns",
        "(could not extend file: No space left on device)",
    ),
    "no more connections": (
        "alter database {name} connection limit 0",
        "alter database {name} connection limit 10",
        'too many connections for database "{name}")',
    ),
    "no right to write": (
        "revoke insert on turns from guest",
        "grant insert on turns to guest",
        "(permission denied for table turns)",
    ),
}
"""What makes the server refuse, what ends that, and what is told."""


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("begin", "end", "told"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_told_while_it_lasts_and_then_all_rows_are_written(
    begin: str, end: str, told: str, *, server: Server, url: str, guest: str, call: Call, turn: Turn, opened: Open
) -> None:
    name = name_of(url)
    server.sql(begin.format(name=name), None if "database" in begin else url)
    store = opened(guest)
    log = CallLog(store)
    log.begin(call())
    for number in range(3):
        log.turn("call_1", turn(number))
    assert told.format(name=name) + "; rows waiting in memory: " in trouble(log)
    server.sql(end.format(name=name), None if "database" in end else url)
    assert log.flush(10), log.problem
    assert log.problem is None
    assert store.turns()["turn"].tolist() == [1, 0, 1, 2]


@pytest.mark.usefixtures("impatient")
def test_what_somebody_else_has_locked_is_waited_for_a_while_and_then_told(
    url: str, written: Store, turn: Turn, call: Call
) -> None:
    log = CallLog(written)
    with connected(url) as other:
        other.execute("lock table turns in access exclusive mode")
        log.begin(call())
        log.turn("call_1", turn(1))
        assert "(canceling statement due to lock timeout); rows waiting in memory: " in trouble(log)
    assert log.flush(10)
    assert log.problem is None
    assert len(written.turns()) == 2


def test_a_server_that_does_not_answer_is_told(
    url: str, written: Store, turn: Turn, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PATIENCE_SECONDS", 0.1)
    log = CallLog(written)
    with connected(url) as other:
        other.execute("lock table turns in access exclusive mode")
        log.begin(call())
        log.turn("call_1", turn(1))
        assert "is not being written (no answer for 0 seconds); rows waiting in memory: " in trouble(log)
    assert log.flush(10)
    assert log.problem is None


@pytest.mark.usefixtures("impatient")
def test_a_database_that_is_not_there_yet_is_told_until_it_is(server: Server, call: Call, opened: Open) -> None:
    store = opened(server.url("later"))
    log = CallLog(store)
    log.begin(call())
    assert 'database "later" does not exist); rows waiting in memory: 1.' in trouble(log)
    with pytest.raises(ConfigError, match=r'cannot be read: .* database "later" does not exist\.$'):
        store.calls()
    server.sql("create database later")
    assert log.flush(10)
    assert store.calls()["call_id"].tolist() == ["call_1"]


@pytest.mark.usefixtures("impatient")
def test_whoever_may_make_no_tables_is_told(server: Server, url: str, guest: str, call: Call, opened: Open) -> None:
    store = opened(server.url(name_of(server.create()), "guest"))
    log = CallLog(store)
    log.begin(call())
    assert "is not being written (permission denied for schema public); rows waiting" in trouble(log)
    assert store.calls().empty


@pytest.mark.usefixtures("impatient")
def test_a_database_that_cannot_hold_every_character_is_told_before_anything_is_made(
    server: Server, call: Call, opened: Open
) -> None:
    url = server.create("encoding latin1 lc_collate 'C' lc_ctype 'C' template template0")
    log = CallLog(opened(url))
    log.begin(call())
    assert "(the database's encoding is LATIN1: make one with the encoding UTF8)" in trouble(log)
    assert server.sql("select count(*) from pg_tables where schemaname = 'public'", url) == [(0,)]


def test_a_row_that_no_index_can_hold_is_left_out_alone_and_told(written: Store, call: Call, turn: Turn) -> None:
    """The server calls that a limit of the program, and trying again would hold up all that follows."""
    with written.engine.connect().execution_options(writes=True) as connection, connection.begin():
        connection.exec_driver_sql("create index by_text on turns (caller_text)")
    log = CallLog(written)
    log.begin(call())
    noise = "".join(chr(code) for code in random.Random(1).choices(range(0x4E00, 0x9FFF), k=5000))
    for number, text in enumerate(("a", noise, "b")):
        log.turn("call_1", turn(number, caller_text=text))
    assert log.flush(10)
    assert "refused rows, which are only in memory: 1 (index row " in (log.problem or "")
    assert written.turns()["caller_text"].tolist() == ["", "a", "b"]


def test_tables_that_were_removed_are_made_again(server: Server, url: str, written: Store, call: Call, turn: Turn) -> None:
    server.sql("drop schema public cascade; create schema public", url)
    log = CallLog(written)
    price = log.prices.register("llm", "acme", "m", Price(usd_per_1m_input_tokens=1.0))
    log.begin(call())
    log.turn("call_1", turn(1, usage=(Usage("llm", "acme", "m", input_tokens=1, price_id=price),)))
    assert log.flush(10)
    assert written.turns()["usd"].notna().tolist() == [True]
    assert written.problem is None


@pytest.mark.usefixtures("impatient")
def test_a_password_is_told_to_the_server_alone(server: Server, url: str, written: Store, call: Call, opened: Open) -> None:
    server.sql("create role keeper login superuser password 'open-sesame'")
    rules = server.place / "data" / "pg_hba.conf"
    rules.write_text("host all keeper 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
    server.sql("select pg_reload_conf()")
    where = f"127.0.0.1:{server.port}/{name_of(url)}"
    for wrong in (f"postgresql://keeper:close-sesame@{where}", f"postgresql://{where}?user=keeper&password=close-sesame"):
        store = opened(wrong)
        log = CallLog(store)
        log.begin(call())
        assert trouble(log)
        with pytest.raises(ConfigError) as found:
            store.calls()
        for told in (log.problem or "", str(found.value), str(found.value.__cause__), repr(store), store.name):
            assert "keeper" in told
            assert "sesame" not in told
    for number, right in enumerate((f"keeper:open-sesame@{where}", f"{where}?user=keeper&password=open-sesame")):
        store = opened(f"postgresql://{right}")
        CallLog(store).begin(call(f"right{number}"))
        assert store.flush(10), store.problem


# Connections.


def test_a_store_holds_one_connection_while_it_writes_and_none_when_it_rests(
    server: Server, url: str, *, call: Call, turn: Turn, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(url)
    log = CallLog(store)
    log.begin(call())
    for number in range(20):
        log.turn("call_1", turn(number))
        assert len(store.turns()) == number + 1
        assert server.connections(url) == 1
    found = server.sql(f"select application_name from pg_stat_activity where datname = '{name_of(url)}'")
    assert found == [("patter_nb",)]
    assert store.close()
    assert server.is_left(url)
    assert len(store.turns()) == 20
    assert server.is_left(url)
    monkeypatch.setattr(writer, "IDLE_SECONDS", 0.01)
    log.turn("call_1", turn(20))
    thread = store._writer._thread
    assert thread is not None
    thread.join(10)
    assert server.is_left(url)
    assert len(store.turns()) == 21


def test_a_store_that_cannot_write_holds_no_connection(server: Server, url: str, written: Store, turn: Turn, call: Call) -> None:
    assert written.close()
    server.sql("alter table turns rename to hidden", url)
    log = CallLog(written)
    log.begin(call())
    log.turn("call_1", turn(1))
    assert 'relation "turns" does not exist' in trouble(log)
    assert server.is_left(url)
    server.sql("alter table hidden rename to turns", url)
    assert log.flush(10)
