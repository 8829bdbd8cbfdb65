"""TwiML: the same documents as Twilio's own builders make, and nothing that stands in them becomes a part of them."""

from __future__ import annotations

from xml.etree.ElementTree import canonicalize, fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.twiml.voice_response import Connect, VoiceResponse
from twilio.twiml.voice_response import Dial as TwilioDial

from patter_nb import CarrierError, ConfigError
from patter_nb.carriers.twilio import twiml

URL = "wss://rehearsal.example.com/ws/stream/call_0123456789ab"
NUMBER = "+15557654321"

NASTY = {
    "an element": "</Parameter><Hangup/>",
    "an attribute": '" onload="x',
    "an entity": "&amp;&lt;&unknown;",
    "a declaration": "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY y 'z'>]>",
    "a section": "]]><![CDATA[<Dial>+1900</Dial>]]>",
    "quotes of both kinds": "'\"",
    "letters of the world": "Zoë, 東京, 🎉",
    "lines": "one\r\ntwo\tthree\n",
    "a comment": "--><!--",
}


def stream(url: str, **parameters: str) -> VoiceResponse:
    response, connect = VoiceResponse(), Connect()
    element = connect.stream(url=url)
    for name, value in parameters.items():
        element.parameter(name=name, value=value)
    response.append(connect)
    return response


def dialled(number: str, **attributes: str) -> VoiceResponse:
    response, dial = VoiceResponse(), TwilioDial(**attributes)
    dial.number(number)
    response.append(dial)
    return response


def conference(name: str, *, starts: bool, ends: bool, said: str = "", language: str = "en-US") -> VoiceResponse:
    response, dial = VoiceResponse(), TwilioDial()
    if said:
        response.say(said, language=language)
    dial.conference(name, beep="false", start_conference_on_enter=starts, end_conference_on_exit=ends)
    response.append(dial)
    return response


def ended(reason: str = "") -> VoiceResponse:
    response = VoiceResponse()
    if reason:
        response.reject(reason=reason)
    else:
        response.hangup()
    return response


SAME = {
    "a stream": (twiml.connect_stream(URL, {}), stream(URL)),
    "a stream with parameters": (
        twiml.connect_stream(URL, {"token": "t-_1", "caller": NUMBER, "callee": "sip:a@b"}),
        stream(URL, token="t-_1", caller=NUMBER, callee="sip:a@b"),
    ),
    "a number": (twiml.dial("+1 (555) 765-4321"), dialled(NUMBER)),
    "a number and who calls": (twiml.dial(NUMBER, caller_id="+15550001234"), dialled(NUMBER, caller_id="+15550001234")),
    "a room to wait in": (twiml.join_conference("r-1", starts=False, ends=True), conference("r-1", starts=False, ends=True)),
    "a room that begins": (twiml.join_conference("r-1", starts=True, ends=False), conference("r-1", starts=True, ends=False)),
    "a summary and a room": (
        twiml.say_then_join("Anna wants a table.", "r-1"),
        conference("r-1", starts=True, ends=True, said="Anna wants a table."),
    ),
    "another language": (
        twiml.say_then_join("Anna möchte einen Tisch.", "r-1", "de-DE"),
        conference("r-1", starts=True, ends=True, said="Anna möchte einen Tisch.", language="de-DE"),
    ),
    "no summary": (twiml.say_then_join("  \n", "r-1"), conference("r-1", starts=True, ends=True)),
    "the end": (twiml.hang_up(), ended()),
    "no answer": (twiml.reject(), ended("rejected")),
    "a busy tone": (twiml.reject("busy"), ended("busy")),
    **{
        f"a stream with {name}": (twiml.connect_stream(URL, {"caller": text}), stream(URL, caller=text))
        for name, text in NASTY.items()
    },
    **{
        f"a summary with {name}": (
            twiml.say_then_join(text, "r-1"),
            conference("r-1", starts=True, ends=True, said=" ".join(text.split())),
        )
        for name, text in NASTY.items()
    },
}


@pytest.mark.parametrize("name", SAME)
def test_a_document_is_the_one_that_twilios_builder_makes(name):
    ours, theirs = SAME[name]
    assert canonicalize(ours) == canonicalize(str(theirs))


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_text_becomes_an_element_or_an_attribute(name, value):
    document = fromstring(twiml.connect_stream(URL, {name: value}))
    assert [element.tag for element in document.iter()] == ["Response", "Connect", "Stream", "Parameter"]
    (parameter,) = document.iter("Parameter")
    assert set(parameter.attrib) == {"name", "value"}
    assert (parameter.get("name"), parameter.get("value")) == (kept(name), kept(value))


@given(st.text(max_size=5000))
def test_a_summary_is_said_as_far_as_it_fits_and_nothing_else_happens(summary):
    written = twiml.say_then_join(summary, "r-1")
    assert len(written) <= 4000
    document = fromstring(written)
    said = [element.text for element in document.iter("Say")]
    words = " ".join(kept(summary).split())
    assert said == ([words] if words and len(written) < 3900 else said)
    assert words.startswith("".join(text or "" for text in said))
    assert [element.tag for element in document.iter()] == ["Response", *["Say"] * len(said), "Dial", "Conference"]


def kept(text: str) -> str:
    """The text as XML can hold it."""
    return "".join(each if each in "\t\n\r" or _in_xml(ord(each)) else "\ufffd" for each in text)


def _in_xml(point: int) -> bool:
    return 0x20 <= point <= 0xD7FF or 0xE000 <= point <= 0xFFFD or point >= 0x10000


@pytest.mark.parametrize("summary", ["word " * 3000, "x" * 20_000, "& " * 4000, "<&>" * 4000, "Zoë 🎉 " * 900])
def test_a_long_summary_loses_its_end(summary):
    written = twiml.say_then_join(summary, "r-1")
    (said,) = fromstring(written).iter("Say")
    assert 3800 < len(written) <= 4000
    assert summary.startswith(said.text)
    assert summary[len(said.text) :][:1] in (" ", "x", "<", "&", ">")
    assert " " not in summary or summary[len(said.text)] == " "


WRONG = {
    "a stream without encryption": (lambda: twiml.connect_stream("ws://h/ws", {}), ConfigError, "wss://"),
    "a stream with a query": (lambda: twiml.connect_stream(URL + "?call=1", {}), ConfigError, "without a query"),
    "a stream with a fragment": (lambda: twiml.connect_stream(URL + "#x", {}), ConfigError, "without a query"),
    "a long parameter": (lambda: twiml.connect_stream(URL, {"name": "x" * 497}), ConfigError, "501 characters"),
    "no number": (lambda: twiml.dial("reception"), CarrierError, "international form"),
    "another scheme": (lambda: twiml.dial("sip:me@example.com"), CarrierError, "international form"),
    "no number of ours": (lambda: twiml.dial(NUMBER, caller_id="me"), CarrierError, "international form"),
    "a room with spaces": (lambda: twiml.join_conference("a room", starts=True, ends=True), ConfigError, "conference"),
    "a room without a name": (lambda: twiml.join_conference("", starts=True, ends=True), ConfigError, "conference"),
    "a language that is none": (lambda: twiml.say_then_join("Hi.", "r-1", "English please"), ConfigError, "en-US"),
    "a reason that is none": (lambda: twiml.reject("because"), ConfigError, "busy"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_twilio_does_not_take_is_refused_here(name):
    build, error, sentence = WRONG[name]
    with pytest.raises(error, match=sentence):
        build()


def test_a_refused_parameter_does_not_show_its_value():
    with pytest.raises(ConfigError) as caught:
        twiml.connect_stream(URL, {"token": "s3cret" * 100})
    assert "s3cret" not in str(caught.value)


SPOKEN = [("de-DE", "de-DE"), ("en", "en-US"), ("de", "en-US"), ("", "en-US"), ("x y-z", "en-US")]


@pytest.mark.parametrize(("language", "spoken"), SPOKEN)
def test_a_summary_is_read_in_a_language_that_names_its_country(language, spoken):
    assert twiml.spoken_language(language) == spoken
    assert f'language="{spoken}"' in twiml.say_then_join("Ann calls.", "room", twiml.spoken_language(language))
