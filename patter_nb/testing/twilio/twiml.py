"""TwiML as the carrier reads it: elements with the attributes that are known, everything else a warning as Twilio logs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from xml.etree import ElementTree

INVALID, UNKNOWN = 12100, 12200
"""Twilio's "Document parse failure" and "Schema validation warning"."""

LONGEST_PARAMETER = 500
"""Characters of a parameter's name and value together."""


@dataclass(frozen=True, slots=True)
class LineWarning:
    """Something Twilio would log about a call, with its code."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Verb:
    """One instruction: `name`, its attributes, its text, and for `Stream` the parameters."""

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Of a stream, which must not be shown: tokens are among them."""

    def __repr__(self) -> str:
        return f"<Verb {self.name}>"


@dataclass(frozen=True, slots=True)
class Document:
    """Verbs in order. `Connect` and `Dial` with something inside have the name of both, such as "Dial Conference"."""

    verbs: tuple[Verb, ...]
    warnings: tuple[LineWarning, ...] = ()


class UnreadableTwimlError(ValueError):
    """Not TwiML at all: Twilio says that an application error has occurred, and hangs up."""


_KNOWN: dict[str, frozenset[str]] = {
    "Say": frozenset({"voice", "language", "loop"}),
    "Play": frozenset({"digits", "loop"}),
    "Pause": frozenset({"length"}),
    "Hangup": frozenset(),
    "Reject": frozenset({"reason"}),
    "Redirect": frozenset({"method"}),
    "Connect": frozenset({"action", "method"}),
    "Dial": frozenset({"action", "method", "callerId", "timeout", "answerOnBridge", "hangupOnStar", "timeLimit"}),
    "Connect Stream": frozenset({"url", "name", "track"}),
    "Dial Number": frozenset({"statusCallback", "statusCallbackEvent", "statusCallbackMethod"}),
    "Dial Conference": frozenset({"startConferenceOnEnter", "endConferenceOnExit", "beep", "muted", "waitUrl", "waitMethod"}),
    "Connect Stream Parameter": frozenset({"name", "value"}),
}
"""Elements by their path and the attributes this carrier acts on, or may ignore because nobody would hear the difference."""


def read(text: str) -> Document:
    """The verbs of a document. `UnreadableTwimlError` when it is none."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UnreadableTwimlError("a document type or an entity stands in it")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise UnreadableTwimlError(str(error)) from None
    if root.tag != "Response":
        raise UnreadableTwimlError(f"its root is <{root.tag}>, not <Response>")
    warnings: list[LineWarning] = []
    verbs = [verb for element in root if (verb := _verb(element, "", warnings))]
    return Document(tuple(verbs), tuple(warnings))


def _verb(element: ElementTree.Element, inside: str, warnings: list[LineWarning]) -> Verb | None:
    name = f"{inside} {element.tag}".strip()
    if name not in _KNOWN:
        warnings.append(LineWarning(UNKNOWN, f"<{element.tag}> is not known in <{inside or 'Response'}>; it was skipped"))
        return None
    unknown = sorted(set(element.attrib) - _KNOWN[name])
    warnings += [LineWarning(UNKNOWN, f"<{element.tag}> has no attribute {key!r}; it was ignored") for key in unknown]
    text = (element.text or "").strip()
    if name in ("Connect", "Dial") and len(element):
        return _with_noun(name, element, warnings)
    if name == "Connect":
        warnings.append(LineWarning(UNKNOWN, "<Connect> is empty; it was skipped"))
        return None
    parameters = _parameters(element, warnings) if name == "Connect Stream" else {}
    return Verb(name, dict(element.attrib), text, parameters)


def _with_noun(name: str, element: ElementTree.Element, warnings: list[LineWarning]) -> Verb | None:
    nouns = [noun for child in element if (noun := _verb(child, name, warnings))]
    if len(nouns) != 1:
        warnings.append(LineWarning(UNKNOWN, f"<{name}> holds {len(nouns)} nouns that are known; this carrier takes one"))
        return None
    noun = nouns[0]
    return Verb(noun.name, {**element.attrib, **noun.attributes}, noun.text, noun.parameters)


def _parameters(stream: ElementTree.Element, warnings: list[LineWarning]) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for child in stream:
        verb = _verb(child, "Connect Stream", warnings)
        if verb is None:
            continue
        name, value = verb.attributes.get("name", ""), verb.attributes.get("value", "")
        if not name or len(name) + len(value) > LONGEST_PARAMETER:
            warnings.append(LineWarning(UNKNOWN, f"a <Parameter> needs a name, and has {LONGEST_PARAMETER} characters at most"))
            continue
        parameters[name] = value
    return parameters


def stream_fault(verb: Verb) -> LineWarning | None:
    """What is wrong with the address or the track of a stream, as Twilio numbers it."""
    try:
        url = urlsplit(verb.attributes.get("url", ""))
    except ValueError:
        return LineWarning(31923, "the stream's address is malformed")
    if url.scheme != "wss":
        return LineWarning(31922, f"the stream's address begins with {url.scheme!r}; it must be wss")
    if not url.hostname or url.query or url.fragment:
        return LineWarning(31923, "the stream's address has no host or has a query, which is not taken: use <Parameter>")
    if verb.attributes.get("track", "inbound_track") != "inbound_track":
        return LineWarning(31941, "a stream in both directions carries the inbound track only")
    return None
