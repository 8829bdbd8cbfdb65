"""The fields of Twilio's requests about a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from patter_nb.testing.twilio.line import SimulatedLine
    from patter_nb.testing.twilio.recorder import CallRecording

API_VERSION = "2010-04-01"
API_URL = "https://api.twilio.com"
"""What addresses in Twilio's messages begin with, wherever the API is reached."""
_PLACES = ("City", "State", "Zip", "Country")
"""Told of both numbers, empty where nothing is known: they count in the signature nevertheless."""
_REASONS = {"busy": "486", "no-answer": "487", "failed": "404", "canceled": "487"}
"""SIP's words for why nobody answered."""


@dataclass(frozen=True, slots=True)
class Forms:
    """Builds the forms of one account."""

    account_sid: str

    def call(self, line: SimulatedLine, **more: str) -> dict[str, str]:
        """What every request about a call holds."""
        status = "initiated" if line.status == "queued" else line.status
        form = {
            "AccountSid": self.account_sid,
            "ApiVersion": API_VERSION,
            "CallSid": line.sid,
            "CallStatus": status,
            "Direction": line.direction,
            "From": line.from_number,
            "To": line.to_number,
            "Caller": line.from_number,
            "Called": line.to_number,
        }
        for party in ("From", "To", "Caller", "Called"):
            form |= {f"{party}{place}": "US" if place == "Country" else "" for place in _PLACES}
        if line.parent_sid:
            form["ParentCallSid"] = line.parent_sid
        if line.direction == "inbound":
            form["StirVerstat"] = "TN-Validation-Passed-A"
        if status in _REASONS and line.direction != "inbound":
            form["SipResponseCode"] = _REASONS[status]
        return form | more

    def verdict(self, line: SimulatedLine, seconds: float) -> dict[str, str]:
        return {
            "AccountSid": self.account_sid,
            "CallSid": line.sid,
            "AnsweredBy": line.answered_by,
            "MachineDetectionDuration": str(round(seconds * 1000)),
        }

    def recording(self, line: SimulatedLine, recording: CallRecording) -> dict[str, str]:
        return {
            "AccountSid": self.account_sid,
            "CallSid": line.sid,
            "RecordingSid": recording.sid,
            "RecordingUrl": f"{API_URL}/{API_VERSION}/Accounts/{self.account_sid}/Recordings/{recording.sid}",
            "RecordingStatus": recording.status,
            "RecordingDuration": str(recording.seconds),
            "RecordingChannels": str(recording.channels),
            "RecordingStartTime": (line.answered_at or line.started_at).strftime("%a, %d %b %Y %H:%M:%S +0000"),
            "RecordingSource": "StartCallRecordingAPI",
            "RecordingTrack": "both",
            "ErrorCode": "0",
        }
