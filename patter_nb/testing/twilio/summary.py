"""What was heard on a line, as plain figures."""

from __future__ import annotations

from typing import Any

from patter_nb.carriers.simulated import Exchange, FarEndReport, HeardReply
from patter_nb.testing.twilio.line import SimulatedLine
from patter_nb.testing.twilio.recorder import silences


def summary(line: SimulatedLine) -> dict[str, Any]:
    """A call, also one that is on, as JSON holds it. Times of a stream count from its start, in milliseconds."""
    on = [] if line.far_end is None else [line.far_end.report()]
    return {
        "call_sid": line.sid,
        "status": line.status,
        "duration_seconds": line.duration_seconds,
        "said": list(line.said),
        "keys": line.keys,
        "joined": list(line.joined),
        "answered_by": line.answered_by,
        "warnings": [{"code": warning.code, "text": warning.text} for warning in line.warnings],
        "streams": [_stream(report) for report in (*line.reports, *on)],
    }


def _stream(report: FarEndReport) -> dict[str, Any]:
    return {
        "ended_by": report.ended_by,
        "seconds": round(report.duration_seconds, 3),
        "silences_ms": silences(report.heard),
        "dry_ms": [(_ms(start), _ms(end - start)) for start, end in report.dry],
        "greeting": _reply(report.greeting),
        "exchanges": [_exchange(exchange) for exchange in report.exchanges],
        "marks": len(report.marks),
        "clears": len(report.clears),
        "clears_ms": [_ms(at) for at in report.clears],
        "late_ms": _ms(report.late_seconds),
        "events": [{"kind": event.kind, "at_ms": _ms(event.at), "line": event.line} for event in report.events],
    }


def _exchange(exchange: Exchange) -> dict[str, Any]:
    return {
        "line": exchange.line,
        "onset_ms": _ms(exchange.onset_at),
        "last_speech_ms": _ms(exchange.last_speech_at),
        "gap_ms": _ms(exchange.gap_seconds),
        "barge_in_stop_ms": _ms(exchange.barge_in_stop_seconds),
        "reply": _reply(exchange.reply),
    }


def _reply(reply: HeardReply | None) -> dict[str, Any] | None:
    if reply is None:
        return None
    return {
        "start_ms": _ms(reply.start_at),
        "end_ms": _ms(reply.end_at),
        "underrun_ms": round(reply.underrun_ms, 1),
        "cleared": reply.cleared,
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
