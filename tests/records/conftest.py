"""A call, its turns and two timelines whose every figure was worked out by hand; a PostgreSQL server and stores in it."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from patter_nb.records.facts import CallFacts, CallRecord
from patter_nb.records.log import CallLog
from patter_nb.records.prices import PriceBook
from patter_nb.records.readings import CallReading
from patter_nb.records.store import Store
from patter_nb.turns.facts import TurnFacts

for name in ("postgresql", "waiting"):
    spec = importlib.util.spec_from_file_location(f"tests_of_records_{name}", Path(__file__).with_name(f"{name}.py"))
    sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[spec.name])

from tests_of_records_postgresql import INSTALL, Server, programs  # noqa: E402 (it was loaded by its path)

STARTED_AT = datetime(2026, 7, 20, 18, 0, tzinfo=UTC)


@pytest.fixture
def worked() -> dict[str, float]:
    """150 ms to the final transcript, 80 in hooks, 300 to the first token, 400 to the first sentence, 120 to the first audio."""
    return {
        "speech_started_at": 0.0, "speech_ended_at": 2.0, "vad_stopped_at": 2.0, "endpointed_at": 2.0, "stt_requested_at": 2.0,
        "stt_final_at": 2.150, "hooks_started_at": 2.150, "hooks_ended_at": 2.230, "llm_requested_at": 2.230,
        "llm_first_token_at": 2.530, "sentence_started_at": 2.530, "sentence_ready_at": 2.930, "tts_requested_at": 2.930,
        "tts_first_byte_at": 3.050, "send_started_at": 3.050, "played_at": 3.050, "audible_at": 3.050,
    }  # fmt: skip


@pytest.fixture
def full() -> dict[str, float]:
    """Every instant of a turn that was not interrupted, with a millisecond between a stage and the next."""
    return {
        "speech_started_at": 0.5, "speech_ended_at": 2.0, "vad_stopped_at": 2.1, "stt_requested_at": 2.1, "stt_final_at": 2.25,
        "endpointed_at": 2.32, "reply_ordered_at": 2.32, "hooks_started_at": 2.321, "hooks_ended_at": 2.341,
        "llm_requested_at": 2.342, "llm_first_token_at": 2.642, "sentence_started_at": 2.642, "sentence_ready_at": 2.842,
        "tts_requested_at": 2.843, "tts_first_byte_at": 2.963, "send_started_at": 2.964, "sent_at": 2.965, "played_at": 3.005,
        "audible_at": 3.045, "llm_finished_at": 3.2, "tts_last_byte_at": 3.4, "finished_at": 5.0,
    }  # fmt: skip


@pytest.fixture
def call() -> Callable[..., CallFacts]:
    """`call(call_id, **fields)`: a call as it begins."""

    def make(call_id: str = "call_1", **fields: Any) -> CallFacts:
        given: dict[str, Any] = {
            "agent": "agent", "revision": 1, "direction": "test", "source": "2 lines", "caller": "+15557654321",
            "callee": "+15550001234", "started_at": STARTED_AT, "stt_provider": "local", "stt_model": "whisper-tiny.en",
            "llm_provider": "local", "llm_model": "demo", "tts_provider": "local", "tts_model": "joe",
        }  # fmt: skip
        return CallFacts(call_id=call_id, **{**given, **fields})

    return make


@pytest.fixture
def turn() -> Callable[..., TurnFacts]:
    """`turn(number, instants, **fields)`: a closed turn of the caller."""

    def make(number: int = 1, instants: Mapping[str, float] | None = None, **fields: Any) -> TurnFacts:
        given: dict[str, Any] = {"kind": "caller", "reply": number, "revision": 1}
        return TurnFacts(turn=number, instants=instants or {}, **{**given, **fields})

    return make


@pytest.fixture
def read(call: Callable[..., CallFacts]) -> Callable[..., CallReading]:
    """`read(*turns, events=(), facts=None, prices=None)`: the reading of a call that had these turns."""

    def make(
        *turns: TurnFacts, events: tuple[Any, ...] = (), facts: CallFacts | None = None, prices: PriceBook | None = None
    ) -> CallReading:
        return CallReading(CallRecord(facts or call(), None, turns, events), prices or PriceBook())

    return make


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store in a file of its own."""
    made = Store(tmp_path / "calls.sqlite3")
    yield made
    made.close()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server: `server.create()` is the URL of a new database."""
    if importlib.util.find_spec("psycopg") is None or programs() is None:
        pytest.skip(f"no PostgreSQL is installed: {INSTALL}")
    made = Server()
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store may be made: a path, or a URL."""
    return str(tmp_path / "calls.sqlite3" if request.param == "sqlite" else request.getfixturevalue("server").schema())


@pytest.fixture
def opened() -> Iterator[Callable[..., Store]]:
    """`opened(place)`: a store, which is closed after the test; rows that cannot be written are forgotten then."""
    stores: list[Store] = []

    def make(place: str | Path, **settings: Any) -> Store:
        stores.append(Store(place, **settings))
        return stores[-1]

    yield make
    for store in stores:
        if not store.close(timeout_seconds=10.0 if store.problem is None else 0.1):
            store._writer.begin_again()


@pytest.fixture
def log(store: Store) -> CallLog:
    """The log of a `Patter` object that keeps its calls in `store`."""
    return CallLog(store)


@pytest.fixture
def in_child() -> Callable[[Callable[[], bool]], int]:
    """`in_child(work)`: run `work` in a forked child; 0 when it returned True there."""

    def run(work: Callable[[], bool]) -> int:
        child = os.fork()
        if child == 0:
            code = 2
            try:
                code = 0 if work() else 1
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    return run
