"""What a carrier finds at our public address: its webhooks, and the sockets of its media streams. Nothing else is there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from patter_nb.carriers.twilio.webhooks import (
    CallStatus,
    IncomingCall,
    MachineVerdict,
    RecordingReady,
    call_status,
    incoming_call,
    machine_verdict,
    recording_ready,
)
from patter_nb.errors import CarrierError
from patter_nb.telephony.addresses import ANSWER, LEG, MACHINE, RECORDED, STATUS, STREAM, VOICE
from patter_nb.telephony.door import Door, Form, Refused
from patter_nb.telephony.media import Waiting, admit

if TYPE_CHECKING:
    from fastapi import FastAPI

HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class Desk(Protocol):
    """Where it all arrives. `call_id` is the one that the webhook's address names; "" where it names none."""

    async def incoming(self, call: IncomingCall) -> str:
        """The TwiML that answers a call."""

    def status(self, call_id: str, status: CallStatus) -> None: ...

    def machine(self, call_id: str, verdict: MachineVerdict) -> None: ...

    def recorded(self, call_id: str, recording: RecordingReady) -> None: ...

    async def leg(self, call_id: str, status: CallStatus) -> None:
        """The other leg of a warm transfer."""

    def waiting(self, call_id: str) -> Waiting | None:
        """The call that waits for its media stream."""


def make_app(desk: Desk, door: Door) -> FastAPI:
    """The application of the carrier's port."""
    from fastapi import FastAPI
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route, WebSocketRoute

    def hook(path: str, take: Callable[[str, Form], Awaitable[str | None]]) -> Route:
        async def answer(request: Any) -> Response:
            try:
                form = await door.form(request)
                said = await take(request.query_params.get("call", ""), form)
            except Refused as refused:
                closes = {"connection": "close"} if refused.unread else {}
                return Response(f"{refused.reason}\n", refused.status, HEADERS | closes, "text/plain")
            except CarrierError:
                return Response("the form is malformed\n", 400, HEADERS, "text/plain")
            return Response(status_code=204, headers=HEADERS) if said is None else Response(said, 200, HEADERS, "text/xml")

        return Route(path, answer, methods=["POST"])

    async def incoming(_: str, form: Form) -> str:
        return await desk.incoming(incoming_call(form))

    async def status(call_id: str, form: Form) -> None:
        desk.status(call_id, call_status(form))

    async def machine(call_id: str, form: Form) -> None:
        desk.machine(call_id, machine_verdict(form))

    async def recorded(call_id: str, form: Form) -> None:
        desk.recorded(call_id, recording_ready(form))

    async def leg(call_id: str, form: Form) -> None:
        await desk.leg(call_id, call_status(form))

    async def stream(websocket: Any) -> None:
        await admit(websocket, desk.waiting(websocket.path_params["call_id"]))

    async def health(_: Any) -> JSONResponse:
        return JSONResponse({"status": "ok", "mode": "local"}, headers=HEADERS)

    return FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # a redirect would name the host that the request names
        routes=[
            Route("/health", health),
            hook(ANSWER, incoming),
            hook(VOICE, incoming),
            hook(STATUS, status),
            hook(MACHINE, machine),
            hook(RECORDED, recorded),
            hook(LEG, leg),
            WebSocketRoute(f"{STREAM}/{{call_id}}", stream),
        ],
    )

