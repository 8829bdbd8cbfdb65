"""The JSON of Twilio's REST resources, as far as calls need them, and of its errors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from patter_nb.testing.twilio.forms import API_URL, API_VERSION

if TYPE_CHECKING:
    from patter_nb.testing.twilio.exchange import OwnedNumber
    from patter_nb.testing.twilio.line import SimulatedLine
    from patter_nb.testing.twilio.recorder import CallRecording

Json = dict[str, Any]

E164 = re.compile(r"\+[1-9]\d{6,14}")
"""A telephone number."""


class RefusedError(Exception):
    """A request that Twilio refuses: its HTTP status, its code and its message."""

    def __init__(self, code: int, message: str, status: int = 400, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status
        self.headers = {} if retry_after is None else {"Retry-After": str(retry_after)}

    def body(self) -> Json:
        more_info = f"https://www.twilio.com/docs/errors/{self.code}"
        return {"code": self.code, "message": self.message, "more_info": more_info, "status": self.status}


def not_found(path: str) -> RefusedError:
    return RefusedError(20404, f"The requested resource {path} was not found", 404)


def date(when: datetime | None) -> str | None:
    return when.strftime("%a, %d %b %Y %H:%M:%S +0000") if when else None


def account_path(account_sid: str) -> str:
    return f"/{API_VERSION}/Accounts/{account_sid}"


def call(line: SimulatedLine, account_sid: str) -> Json:
    path = f"{account_path(account_sid)}/Calls/{line.sid}"
    inner = ("notifications", "recordings", "payments", "events", "siprec", "streams", "transcriptions")
    return {
        "sid": line.sid,
        "account_sid": account_sid,
        "parent_call_sid": line.parent_sid or None,
        "api_version": API_VERSION,
        "date_created": date(line.started_at),
        "date_updated": date(line.ended_at or line.answered_at or line.started_at),
        "to": line.to_number,
        "to_formatted": line.to_number,
        "from": line.from_number,
        "from_formatted": line.from_number,
        "phone_number_sid": None,
        "status": line.status,
        "start_time": date(line.answered_at),
        "end_time": date(line.ended_at),
        "duration": str(line.duration_seconds) if line.ended_at else None,
        "price": None if line.price_usd is None else f"{-line.price_usd:.5f}",
        "price_unit": "USD",
        "direction": line.direction,
        "answered_by": line.answered_by or None,
        "forwarded_from": None,
        "group_sid": None,
        "caller_name": None,
        "queue_time": "0",
        "stir_verstat": None,
        "trunk_sid": None,
        "uri": f"{path}.json",
        "subresource_uris": {name: f"{path}/{name.capitalize()}.json" for name in inner},
    }


def recording(made: CallRecording, line: SimulatedLine, account_sid: str) -> Json:
    done = made.status == "completed"
    return {
        "sid": made.sid,
        "account_sid": account_sid,
        "call_sid": made.call_sid,
        "conference_sid": None,
        "api_version": API_VERSION,
        "date_created": date(line.started_at),
        "date_updated": date(line.ended_at or line.started_at),
        "start_time": date(line.answered_at),
        "duration": str(made.seconds) if done else None,
        "channels": made.channels,
        "source": "StartCallRecordingAPI",
        "status": made.status,
        "track": "both",
        "error_code": None,
        "encryption_details": None,
        "price": None,
        "price_unit": "USD",
        "uri": f"{account_path(account_sid)}/Recordings/{made.sid}.json",
        "media_url": f"{API_URL}{account_path(account_sid)}/Recordings/{made.sid}",
        "subresource_uris": {},
    }


def number(owned: OwnedNumber, account_sid: str, since: datetime) -> Json:
    empty = ("address_sid", "bundle_sid", "identity_sid", "trunk_sid", "emergency_address_sid", "voice_receive_mode")
    return {
        "sid": owned.sid,
        "account_sid": account_sid,
        "friendly_name": owned.friendly_name or owned.number,
        "phone_number": owned.number,
        "api_version": API_VERSION,
        "capabilities": {"voice": True, "sms": True, "mms": True, "fax": False},
        "voice_url": owned.voice_url,
        "voice_method": owned.voice_method,
        "voice_fallback_url": "",
        "voice_fallback_method": "POST",
        "voice_application_sid": "",
        "voice_caller_id_lookup": False,
        "status_callback": owned.status_callback,
        "status_callback_method": owned.status_callback_method,
        "sms_url": "",
        "sms_method": "POST",
        "sms_fallback_url": "",
        "sms_fallback_method": "POST",
        "sms_application_sid": "",
        "address_requirements": "none",
        "beta": False,
        "origin": "twilio",
        "status": "in-use",
        "type": "local",
        "emergency_status": "Active",
        "emergency_address_status": "unregistered",
        "date_created": date(since),
        "date_updated": date(since),
        "uri": f"{account_path(account_sid)}/IncomingPhoneNumbers/{owned.sid}.json",
        **dict.fromkeys(empty),
    }


def verified_number(phone: str, sid: str, account_sid: str, since: datetime) -> Json:
    return {
        "sid": sid,
        "account_sid": account_sid,
        "friendly_name": phone,
        "phone_number": phone,
        "date_created": date(since),
        "date_updated": date(since),
        "uri": f"{account_path(account_sid)}/OutgoingCallerIds/{sid}.json",
    }


def account(account_sid: str, *, trial: bool, since: datetime) -> Json:
    return {
        "sid": account_sid,
        "owner_account_sid": account_sid,
        "friendly_name": "Rehearsal",
        "status": "active",
        "type": "Trial" if trial else "Full",
        "auth_token": "",
        "date_created": date(since),
        "date_updated": date(since),
        "uri": f"{account_path(account_sid)}.json",
        "subresource_uris": {},
    }


def page(name: str, items: Sequence[Json], path: str) -> Json:
    return {
        name: list(items),
        "page": 0,
        "page_size": max(50, len(items)),
        "start": 0,
        "end": max(0, len(items) - 1),
        "uri": path,
        "first_page_uri": f"{path}?Page=0",
        "next_page_uri": None,
        "previous_page_uri": None,
    }
