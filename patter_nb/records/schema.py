"""The tables of the store. Types and statements are those every SQL database knows.

`SCHEMA_VERSION` changes with any change of a table, a new instant of a turn included.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING

from patter_nb.turns.facts import INSTANTS
from patter_nb.turns.usage import Price

if TYPE_CHECKING:
    from sqlalchemy import MetaData

SCHEMA_VERSION = 3
"""2: edits, guardrails, text stages, and for whom a revision was made. 3: whole numbers of 64 bits."""

_CALL_TEXTS = (
    "phone_id", "agent", "direction", "source", "carrier", "mode", "speed", "caller", "caller_hash", "caller_number", "callee",
    "callee_hash", "callee_number", "stt_provider", "stt_model", "llm_provider", "llm_model", "tts_provider", "tts_model",
    "end_reason", "error", "recording_path",
)  # fmt: skip


@cache
def schema() -> MetaData:
    """All tables, each with a primary key that its writer makes, so that writing a row twice can be noticed."""
    from sqlalchemy import JSON, BigInteger, Boolean, Column, DateTime, Float, Index, MetaData, String, Table, Text

    metadata = MetaData()
    data = JSON(none_as_null=True)
    Table("meta", metadata, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False))
    Table(
        "prices", metadata,
        Column("id", String(255), primary_key=True),
        *(Column(name, Text, nullable=False) for name in ("service", "provider", "model", "valid_from")),
        *(Column(each.name, Float, nullable=False) for each in fields(Price)),
    )  # fmt: skip
    Table(
        "calls", metadata,
        Column("call_id", String(64), primary_key=True),
        *(Column(name, Text) for name in _CALL_TEXTS),
        Column("revision", BigInteger),
        Column("stand_in", data),
        Column("started_at", DateTime(timezone=True), nullable=False, index=True),
        Column("duration_seconds", Float),
    )  # fmt: skip
    Table(
        "events", metadata,
        Column("call_id", String(64), primary_key=True),
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        Column("at", Float),
        Column("kind", Text, nullable=False),
        Column("turn", BigInteger),
        Column("data", data),
    )  # fmt: skip
    Table(
        "turns", metadata,
        Column("call_id", String(64), primary_key=True),
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        *(Column(name, BigInteger) for name in ("turn", "reply", "revision", "resumed")),
        *(Column(name, Text) for name in ("kind", "caller_text", "overlap_text", "agent_text", "heard_text", "error")),
        *(Column(name, Boolean) for name in ("heard_estimated", "interrupted")),
        *(Column(name, Float) for name in (*INSTANTS, "edit_requested_at")),
        Column("edit_effective_turn", BigInteger),
        *(Column(name, data) for name in ("tools", "usage", "guardrails")),
    )  # fmt: skip
    revisions = Table(
        "revisions", metadata,
        Column("phone_id", String(64), primary_key=True),
        Column("agent", String(255), primary_key=True),
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        Column("content_id", String(128), nullable=False),
        Column("parent", BigInteger),
        Column("note", Text),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("content", data),
        Column("scope", Text),
    )  # fmt: skip
    Index("revisions_content", revisions.c.content_id)
    return metadata
