"""TwiML, what Twilio does with a call: small documents, each built by a pure function.

Whatever stands in them, a caller's name or a summary by a model, is text: it cannot become an element or an attribute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement, tostring

from patter_nb.carriers.twilio.numbers import e164
from patter_nb.errors import ConfigError, brief

MOST_CHARACTERS = 4000
"""The longest document that the REST API takes."""
MOST_PARAMETER_CHARACTERS = 500
"""The longest name and value, together, of a stream's parameter."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, escaped or not."""
_CONFERENCE = re.compile(r"[A-Za-z0-9_.\-]{1,128}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def connect_stream(url: str, parameters: Mapping[str, str]) -> str:
    """Connect the call's audio, both ways, to a WebSocket. The parameters arrive with its first message: `url` takes no query."""
    if not url.startswith("wss://") or set("?#") & set(url):
        raise ConfigError(f"Twilio streams to wss:// without a query; given: {brief(url)}.")
    document = Element("Response")
    stream = SubElement(SubElement(document, "Connect"), "Stream", url=_text(url))
    for name, value in parameters.items():
        if (length := len(name) + len(value)) > MOST_PARAMETER_CHARACTERS:
            raise ConfigError(
                f"The parameter {brief(name)} of the stream has {length} characters; Twilio takes {MOST_PARAMETER_CHARACTERS}."
            )
        SubElement(stream, "Parameter", name=_text(name), value=_text(value))
    return _written(document)


def dial(number: str, *, caller_id: str = "") -> str:
    """Hand the call to `number`. It sees `caller_id`, or what Twilio chooses: the caller's own number where the call came in."""
    document = Element("Response")
    element = SubElement(document, "Dial", {"callerId": e164(caller_id)} if caller_id else {})
    SubElement(element, "Number").text = e164(number)
    return _written(document)


def join_conference(name: str, *, starts: bool, ends: bool) -> str:
    """Put the call into the conference. `starts`: nobody waits any longer; `ends`: it is over for all when this one leaves.

    The name must tell nothing of anybody: Twilio keeps it. Whoever is alone hears Twilio's music.
    """
    document = Element("Response")
    _conference(document, name, starts=starts, ends=ends)
    return _written(document)


def spoken_language(language: str) -> str:
    """The language in which Twilio reads a text: one with its country, such as de-DE; any other is read as en-US."""
    return language if _LANGUAGE.fullmatch(language) and "-" in language else "en-US"


def say_then_join(summary: str, name: str, language: str = "en-US") -> str:
    """Tell whoever answers the summary, then put them into the conference, which is over when they leave.

    A summary too long for Twilio loses its end, between two words.
    """
    if not _LANGUAGE.fullmatch(language):
        raise ConfigError(f"{brief(language)} is no language that Twilio speaks: write it as en-US.")
    text = " ".join(_text(summary).split())
    while True:
        document = Element("Response")
        if text:
            SubElement(document, "Say", language=language).text = text
        _conference(document, name, starts=True, ends=True)
        written = _written(document)
        if len(written) <= MOST_CHARACTERS:
            return written
        kept = text[: len(text) - max(1, (len(written) - MOST_CHARACTERS) // _LONGEST_ESCAPE)]
        text = kept.rpartition(" ")[0] or kept


def hang_up() -> str:
    """End the call."""
    document = Element("Response")
    SubElement(document, "Hangup")
    return _written(document)


def reject(reason: str = "rejected") -> str:
    """Do not answer, which costs nothing. The caller hears a busy tone ("busy") or that the number is not in service."""
    if reason not in ("rejected", "busy"):
        raise ConfigError(f'reject() takes "rejected" or "busy"; given: {brief(reason)}.')
    document = Element("Response")
    SubElement(document, "Reject", reason=reason)
    return _written(document)


_LONGEST_ESCAPE = len("&amp;")


def _conference(document: Element, name: str, *, starts: bool, ends: bool) -> None:
    if not _CONFERENCE.fullmatch(name):
        raise ConfigError(f"{brief(name)} is no name for a conference: letters, digits, '.', '_' and '-', at most 128.")
    attributes = {"beep": "false", "startConferenceOnEnter": _word(starts), "endConferenceOnExit": _word(ends)}
    SubElement(SubElement(document, "Dial"), "Conference", attributes).text = name


def _word(value: bool) -> str:
    return "true" if value else "false"


def _text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def _written(document: Element) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>{tostring(document, encoding="unicode")}'
