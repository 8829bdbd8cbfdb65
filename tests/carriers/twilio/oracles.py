"""What judges our requests: Twilio's own client, and Twilio's description of its API. Neither has a line of ours.

What neither can refuse, each with our own check:

- A value of `StatusCallbackEvent`, `MachineDetection`, `AsyncAmd` or `RecordingStatusCallbackEvent`: free strings in both.
  `VALUES` lists what Twilio's pages name, and `problems` holds a body to it.
- Events in one string ("ringing completed") instead of a field each: the client sends whatever list it is given, and Twilio takes
  it and then tells of nothing. `test_rest` counts a field for each.
- `Twiml` over 4000 characters: text, to both. `test_rest` has it refused before the request, and `test_twiml` has a summary cut.
- `<Stream url>` that is not `wss://` or has a query, and parameters over 500 characters: the builder takes any. `test_twiml` has
  them refused.
- `<Conference>` names with somebody's number in them: free text. `test_control` reads the name that was sent.
- A phone number that is none: the description has no pattern. `test_numbers` and `test_rest` have it refused before the request.
- The audio of a recording (`/Recordings/RE....wav`): no operation of the client or the description. `test_rest` holds it to
  Twilio's page on recordings, literally.
- Webhooks, which Twilio sends: no model in any package. `test_webhooks` has forms after Twilio's pages, and a property test.
- The URL that Twilio signs: the validator takes what it is given. `test_signature` has other hosts, schemes, paths and queries
  refused.
- Which state a call must be in ("canceled" while it rings, TwiML when it is answered): no oracle has states. `test_control` has.
- Twilio's errors: codes and sentences are in no package. `test_refusals` has each code that is known here with its remedy.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator
from requests import Request
from tests_of_twilio_wire import ACCOUNT, KEY, SECRET, TOKEN, Sent
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

OPERATIONS = json.loads(Path(__file__).with_name("openapi.json").read_text())["operations"]

_EVENTS = ("initiated", "ringing", "answered", "completed")
VALUES: dict[str, dict[str, tuple[str, ...]]] = {
    "CreateCall": {
        "StatusCallbackEvent": _EVENTS,
        "MachineDetection": ("Enable", "DetectMessageEnd"),
        "AsyncAmd": ("true", "false"),
        "StatusCallbackMethod": ("POST",),
        "AsyncAmdStatusCallbackMethod": ("POST",),
    },
    "CreateCallRecording": {
        "RecordingStatusCallbackEvent": ("in-progress", "completed", "absent"),
        "RecordingChannels": ("mono", "dual"),
        "RecordingTrack": ("inbound", "outbound", "both"),
        "Trim": ("trim-silence", "do-not-trim"),
    },
}
"""By hand, after Twilio's pages on the Calls and Recordings resources: the description has free strings there."""


class Recorder(HttpClient):
    """Keeps what Twilio's client would send, and answers with the description's example."""

    def __init__(self, operation: str) -> None:
        super().__init__(None, False, None)
        self.operation = operation
        self.sent: list[Sent] = []

    def request(self, method, url, *more, params=None, data=None, headers=None, auth=None, **_):
        assert not more  # it names what it gives
        made = Request(method, url, params=params, data=data, headers=headers, auth=auth).prepare()
        parts = urlsplit(made.url)
        assert parts.netloc == "api.twilio.com"
        target = made.path_url
        lowered = {name.lower(): value for name, value in made.headers.items()}
        self.sent.append(Sent.read(made.method, target, lowered, made.body or ""))
        found = OPERATIONS[self.operation]
        return Response(found["status"], json.dumps(found["answer"]))


def official(operation: str, *, with_key: bool = False) -> tuple[Client, Recorder]:
    recorder = Recorder(operation)
    user, password = (KEY, SECRET) if with_key else (ACCOUNT, TOKEN)
    return Client(user, password, ACCOUNT, http_client=recorder), recorder


def problems(operation: str, request: Sent) -> list[str]:
    """What the description (and our lists) have against a request; nothing when it is as described."""
    found = OPERATIONS[operation]
    wrong = []
    if request.method != found["method"]:
        wrong.append(f"{request.method} instead of {found['method']}")
    wrong += _path_problems(found, request.path)
    for where, given, schema in (
        ("query", request.query, {"type": "object", "properties": found["query"], "additionalProperties": False}),
        ("form", request.form, found.get("body", {"type": "object", "additionalProperties": False})),
    ):
        try:
            value = _typed(given, schema.get("properties", {}))
        except ValueError as error:
            wrong.append(f"{where}: {error}")
            continue
        validator = Draft202012Validator(schema)
        wrong += [f"{where}: {error.message}" for error in validator.iter_errors(value)]
    for name, value in request.form:
        allowed = VALUES.get(operation, {}).get(name)
        if allowed and value not in allowed:
            wrong.append(f"form: {name} is {value!r}, not one of {allowed}")
    return wrong


def _path_problems(found: dict[str, Any], path: str) -> list[str]:
    names = re.findall(r"\{(\w+)\}", found["path"])
    pattern = re.sub(r"\\\{\w+\\\}", "([^/]+?)", re.escape(found["path"]))
    matched = re.fullmatch(pattern, path)
    if matched is None:
        return [f"path: {path} is not {found['path']}"]
    return [
        f"path: {name} is {value!r}"
        for name, value in zip(names, matched.groups(), strict=True)
        if not re.fullmatch(found["pathParameters"][name]["pattern"], value)
    ]


def _typed(given: tuple[tuple[str, str], ...], properties: dict[str, Any]) -> dict[str, Any]:
    """The pairs as JSON values, by the types that are described; a name that comes twice is a list."""
    value: dict[str, Any] = {}
    for name, text in given:
        kind = properties.get(name, {}).get("type")
        if kind == "array":
            value.setdefault(name, []).append(text)
        elif name in value:
            raise ValueError(f"{name} comes twice")
        elif kind == "integer":
            value[name] = int(text) if re.fullmatch(r"\d+", text) else text
        elif kind == "boolean":
            value[name] = {"true": True, "false": False}.get(text, text)
        else:
            value[name] = text
    return value
