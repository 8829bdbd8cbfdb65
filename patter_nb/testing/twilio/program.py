"""What a call does: TwiML, verb by verb, until it ends, somebody hangs up, or the account sends it elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urljoin

import numpy as np

from patter_nb.audio.synthetic import synthetic_voice
from patter_nb.carriers.simulated.far_end import FarEnd
from patter_nb.carriers.simulated.hearing import Ear
from patter_nb.carriers.simulated.wire import CarrierWire
from patter_nb.testing.twilio.bridge import connect_number, join_conference
from patter_nb.testing.twilio.line import SimulatedLine
from patter_nb.testing.twilio.recorder import HZ
from patter_nb.testing.twilio.tones import key_tones
from patter_nb.testing.twilio.twiml import INVALID, UNKNOWN, Document, UnreadableTwimlError, Verb, read, stream_fault

APPLICATION_ERROR = "We are sorry, an application error has occurred."
"""What a caller hears when there is no TwiML to follow."""

_UNANSWERED = ("Reject", "Redirect", "Pause")
"""Verbs that do not answer an inbound call."""


async def follow(line: SimulatedLine, document: Document | None) -> None:
    """Do what the document says, and those that replace it. The line is over, or has nothing more to do, when this returns."""
    while document is not None and not line.leaving:
        following = await _run(line, document)
        document = line.take_redirect() or following
    line.dismissed = True  # nothing can send it elsewhere any more


async def _run(line: SimulatedLine, document: Document) -> Document | None:
    for warning in document.warnings:
        line.warn(warning.code, warning.text)
    for verb in document.verbs:
        if line.status == "ringing" and verb.name not in _UNANSWERED:
            line.set_status("in-progress", "answered")
        following = await _VERBS[verb.name](line, verb)
        if line.interrupted.is_set() or line.leaving or following is not None:
            return following
    return None


async def fetch(line: SimulatedLine, kind: str, url: str, method: str = "POST", **more: str) -> Document | None:
    """The TwiML at a public address. None when there is none, which Twilio tells the caller in a sentence."""
    try:
        url = urljoin(line.document_url, url)
    except ValueError:
        await _application_error(line, 11100, f"the {kind} address is malformed")
        return None
    posted = await line.exchange.posts.post(kind, url, line.exchange.forms.call(line, **more), method)
    if not posted.ok:
        what = f"answered {posted.status}" if posted.status else posted.error
        await _application_error(line, 11200, f"the {kind} address {what}")
        return None
    line.document_url = url
    if not posted.content_type.startswith(("text/xml", "application/xml", "text/html")):
        await _application_error(line, 12300, f"the {kind} address answered with the type {posted.content_type!r}")
        return None
    return await readable(line, posted.body)


async def readable(line: SimulatedLine, twiml: str) -> Document | None:
    """The document, or None when it is no TwiML and the caller was told so."""
    try:
        return read(twiml)
    except UnreadableTwimlError as error:
        await _application_error(line, INVALID, f"this is no TwiML: {error}")
        return None


async def _application_error(line: SimulatedLine, code: int, text: str) -> None:
    line.warn(code, text)
    if line.leaving:
        return
    if line.status == "ringing":
        line.set_status("in-progress", "answered")
    await _say(line, Verb("Say", text=APPLICATION_ERROR))


async def _say(line: SimulatedLine, verb: Verb) -> None:
    line.said.append(verb.text)
    line.exchange.changed()
    await line.play(synthetic_voice(verb.text)[0])


async def _play(line: SimulatedLine, verb: Verb) -> None:
    keys = verb.attributes.get("digits", "")
    if verb.text or not keys or set(keys) - set("0123456789*#ABCDw"):
        line.warn(UNKNOWN, "this carrier plays digits only; <Play> was skipped")
        return
    await line.play(key_tones(keys))


async def _pause(line: SimulatedLine, verb: Verb) -> None:
    length = verb.attributes.get("length", "1")
    if not length.isdecimal():
        line.warn(UNKNOWN, f"length of <Pause> is {length!r}, not whole seconds; it was skipped")
        return
    await line.play(np.zeros(int(length) * HZ, np.int16))


async def _hang_up(line: SimulatedLine, _: Verb) -> None:
    line.dismiss()


async def _reject(line: SimulatedLine, verb: Verb) -> None:
    if line.status == "ringing":
        line.status = "busy" if verb.attributes.get("reason") == "busy" else "no-answer"
    line.dismiss()


async def _redirect(line: SimulatedLine, verb: Verb) -> Document | None:
    return await fetch(line, "redirect", verb.text, verb.attributes.get("method", "POST"))


async def _stream(line: SimulatedLine, verb: Verb) -> Document | None:
    fault = stream_fault(verb)
    if fault is not None:
        line.warn(fault.code, fault.text)
        return None
    try:
        socket = await line.exchange.posts.media(verb.attributes["url"])
    except OSError as error:
        line.warn(31920, f"the media stream cannot be opened: {error}")
        return None
    ear, person = Ear(), line.person
    script = person.script(ear)
    far_end = FarEnd(
        socket,
        line.exchange.clock,
        lines=person.lines,
        script=script,
        ear=ear,
        noise=None,
        parameters=verb.parameters,
        max_seconds=person.max_seconds,
        wire=CarrierWire(account_sid=line.exchange.account_sid, call_sid=line.sid),
    )
    if line.interrupted.is_set():
        far_end.hang_up("caller" if line.person_left else "carrier")
    line.far_end = far_end
    line.streaming.set()
    line.exchange.changed()
    try:
        await far_end.run()
    finally:
        line.far_end = None
    report = far_end.report()
    line.tape.add(report.spoken, report.heard)
    line.reports.append(report)
    person.lines, person.waits = person.lines[len(script.spoken) :], True
    if far_end.fault is not None or socket.binary:
        line.warn(31924, str(far_end.fault or "a binary message came on the media stream; it takes text"))
    if report.ended_by in ("caller", "limit") and far_end.fault is None:
        line.leave()
    line.exchange.changed()
    return await _action(line, verb)


async def _number(line: SimulatedLine, verb: Verb) -> Document | None:
    child = await connect_number(line, verb)
    return await _action(
        line,
        verb,
        DialCallStatus=child.status,
        DialCallSid=child.sid,
        DialCallDuration=str(child.duration_seconds),
    )


async def _conference(line: SimulatedLine, verb: Verb) -> Document | None:
    await join_conference(line, verb)
    return await _action(line, verb, DialCallStatus="answered")


async def _action(line: SimulatedLine, verb: Verb, **result: str) -> Document | None:
    if not (url := verb.attributes.get("action")) or line.interrupted.is_set() or line.leaving:
        return None
    following = await fetch(line, "action", url, verb.attributes.get("method", "POST"), **result)
    return following or Document(())


_VERBS: dict[str, Callable[[SimulatedLine, Verb], Awaitable[Document | None]]] = {
    "Say": _say,
    "Play": _play,
    "Pause": _pause,
    "Hangup": _hang_up,
    "Reject": _reject,
    "Redirect": _redirect,
    "Connect Stream": _stream,
    "Dial": _number,
    "Dial Number": _number,
    "Dial Conference": _conference,
}

