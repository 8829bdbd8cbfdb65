"""What Twilio's webhooks say: the fields of a signed form as frozen values; `CarrierError` for a form that is none of Twilio's.

Fields are read by their name, so more of them do no harm: Twilio adds some from time to time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from patter_nb.carriers.twilio.numbers import is_sid, masked
from patter_nb.errors import CarrierError, brief

MOST_FIELDS = 200
"""A form of Twilio's has some thirty."""
MOST_CHARACTERS = 4096
"""The longest value taken."""

RINGING = frozenset({"queued", "initiated", "ringing"})
"""The statuses of a call that nobody has answered yet."""
ENDED = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
"""The statuses after which a call has no other."""

_MOST_REASON = 200
_WORD = re.compile(r"[a-z][a-z_\-]{0,31}")
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_MACHINES = "machine_start", "machine_end_beep", "machine_end_silence", "machine_end_other"


@dataclass(frozen=True, slots=True)
class IncomingCall:
    """Somebody calls one of the account's numbers."""

    call_sid: str
    account_sid: str
    caller: str
    callee: str

    def __repr__(self) -> str:
        return f"IncomingCall({self.call_sid!r}, caller={masked(self.caller)!r}, callee={masked(self.callee)!r})"


@dataclass(frozen=True, slots=True)
class CallStatus:
    """What a call has come to: "initiated", "ringing", "in-progress" (answered), or one of `ENDED`.

    `duration_seconds` is known when it has ended, and `error` holds Twilio's reason when it failed.
    """

    call_sid: str
    status: str
    duration_seconds: float | None
    error: str

    @property
    def ended(self) -> bool:
        return self.status in ENDED


@dataclass(frozen=True, slots=True)
class MachineVerdict:
    """Who answered: "human", "machine", "fax" or "unknown"; `raw` in Twilio's own word, `after_ms` since the answer."""

    call_sid: str
    classification: str
    raw: str
    after_ms: float | None


@dataclass(frozen=True, slots=True)
class RecordingReady:
    """A recording has become "completed", "absent" (nothing to hear) or "failed"."""

    call_sid: str
    recording_sid: str
    seconds: float | None
    status: str


def form_pairs(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form in their order, the empty ones too: what a signature is made of."""
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError as error:  # UnicodeDecodeError is one
        raise CarrierError("A webhook's body is no form of UTF-8, or has too many fields.") from error


def incoming_call(form: Mapping[str, str]) -> IncomingCall:
    """The call that asks what to do. `caller` is as Twilio gives it: a number, a SIP address, or "anonymous"."""
    return IncomingCall(_sid(form, "CallSid", "CA"), _sid(form, "AccountSid", "AC"), _value(form, "From"), _value(form, "To"))


def call_status(form: Mapping[str, str]) -> CallStatus:
    """A step of a call, as its status callback tells it."""
    return CallStatus(_sid(form, "CallSid", "CA"), _word(form, "CallStatus"), _number(form, "CallDuration"), _reason(form))


def machine_verdict(form: Mapping[str, str]) -> MachineVerdict:
    """What the answering machine detection found."""
    raw = _word(form, "AnsweredBy")
    kind = "machine" if raw in _MACHINES else raw if raw in ("human", "fax") else "unknown"
    return MachineVerdict(_sid(form, "CallSid", "CA"), kind, raw, _number(form, "MachineDetectionDuration"))


def recording_ready(form: Mapping[str, str]) -> RecordingReady:
    """What became of a recording."""
    call, recording = _sid(form, "CallSid", "CA"), _sid(form, "RecordingSid", "RE")
    return RecordingReady(call, recording, _number(form, "RecordingDuration"), _word(form, "RecordingStatus"))


def _value(form: Mapping[str, str], name: str) -> str:
    value = form.get(name, "")
    if len(value) > MOST_CHARACTERS:
        raise CarrierError(f"The field {name} of a webhook has {len(value)} characters.")
    return value


def _sid(form: Mapping[str, str], name: str, kind: str) -> str:
    value = _value(form, name)
    if not is_sid(value, kind):
        raise CarrierError(f"The field {name} of a webhook is not {kind}... with 32 hexadecimal digits: {masked(brief(value))}.")
    return value


def _word(form: Mapping[str, str], name: str) -> str:
    value = _value(form, name)
    if not _WORD.fullmatch(value):
        raise CarrierError(f"The field {name} of a webhook is no word of Twilio's: {masked(brief(value))}.")
    return value


def _number(form: Mapping[str, str], name: str) -> float | None:
    value = _value(form, name)
    if not value:
        return None
    if not _NUMBER.fullmatch(value):
        raise CarrierError(f"The field {name} of a webhook is no number: {masked(brief(value))}.")
    return None if value.startswith("-") else float(value)  # -1 is what Twilio does not know


def _reason(form: Mapping[str, str]) -> str:
    """Why a call failed, as far as Twilio tells."""
    parts = []
    if code := _value(form, "ErrorCode"):
        parts.append(f"Twilio's error {code}")
    if message := _value(form, "ErrorMessage"):
        parts.append(message)
    sip = _value(form, "SipResponseCode")
    if sip and not sip.startswith("2"):
        parts.append(f"SIP {sip}")
    return masked(_line(": ".join(parts)))


def _line(text: str) -> str:
    """One line, shortened."""
    line = " ".join(text.split())
    return line if len(line) <= _MOST_REASON else line[: _MOST_REASON - 1] + "…"
