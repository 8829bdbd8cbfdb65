"""The signature of webhooks: Twilio's vectors, its validator on made-up requests, and what must never hold."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from patter_nb.carriers.twilio.signature import is_signed, signature

# The vectors with which Twilio tests its own clients.

TOKEN = "12345"
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
FORM = [("CallSid", "CA1234567890ABCDE"), ("Digits", "1234"), ("From", "+14158675309"), ("To", "+18005551212"),
        ("Caller", "+14158675309")]  # fmt: skip
TWICE = [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234")]
BODY = b'{"property": "value", "boolean": true}'
WITH_BODY = f"{URL}&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"

VECTORS = {
    "a form": (URL, FORM, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
    "a port that is not signed": (URL.replace(".com", ".com:1234"), FORM, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
    "a port that is signed, plain": ("http://mycompany.com:1234/myapp.php?foo=1&bar=2", FORM, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
    "the usual port, signed": (URL, FORM, "kvajT1Ptam85bY51eRf/AJRuM3w="),
    "the usual port, signed, plain": (URL.replace("https", "http"), FORM, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
    "fields that come twice": (URL, TWICE, "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
}


@pytest.mark.parametrize("name", VECTORS)
def test_a_vector_of_twilios_holds(name):
    url, form, given_signature = VECTORS[name]
    assert is_signed(TOKEN, url, form, given_signature)
    assert is_signed(TOKEN, url, reversed(form), given_signature)


def test_twilios_vectors_come_out():
    assert signature(TOKEN, URL, FORM) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert signature(TOKEN, URL, TWICE) == "IK+Dwps556ElfBT0I3Rgjkr1wJU="
    assert signature(TOKEN, WITH_BODY, ()) == "a9nBmqA0ju/hNViExpshrM61xv4="


def test_a_body_that_is_no_form_holds_by_its_hash():
    assert is_signed(TOKEN, WITH_BODY, (), "a9nBmqA0ju/hNViExpshrM61xv4=", body=BODY)
    assert is_signed(TOKEN, WITH_BODY, FORM, "a9nBmqA0ju/hNViExpshrM61xv4=", body=BODY), "what is no form has no fields"
    assert not is_signed(TOKEN, WITH_BODY, (), "a9nBmqA0ju/hNViExpshrM61xv4=", body=BODY + b" ")
    assert not is_signed(TOKEN, URL, (), signature(TOKEN, URL, ()), body=BODY), "no hash, so the body is not signed"


# Twilio's validator on made-up requests.


class Form:
    """A form as the validator takes it where a field may come twice."""

    def __init__(self, pairs):
        self.pairs = pairs

    def __iter__(self):
        return iter([name for name, _ in self.pairs])

    def __bool__(self):
        return bool(self.pairs)

    def getall(self, wanted):
        return [value for name, value in self.pairs if name == wanted]


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
words = st.text("abcXYZ019._~-", min_size=1, max_size=8)
hosts = st.lists(st.text("abcxyz019", min_size=1, max_size=8), min_size=1, max_size=3).map(".".join)
urls = st.builds(
    lambda scheme, host, port, path, query: f"{scheme}://{host}{f':{port}' if port else ''}/{path}{'?' + query if query else ''}",
    st.sampled_from(["https", "http"]),
    hosts,
    st.none() | st.sampled_from([80, 443, 1234, 8443]),
    st.lists(words, max_size=3).map("/".join),
    st.lists(st.builds("{}={}".format, words, st.text("abc019%+&=", max_size=8)), max_size=3).map("&".join),
)
forms = st.lists(st.tuples(st.sampled_from(["CallSid", "From", "To", "Digits", "ZZ", "a"]) | text, text), max_size=8)
HOLD = ["as it is", "without its port", "with the usual port"]
spellings = st.sampled_from([*HOLD, "of another form", "of another token", "cut"])


def respelt(url: str, spelling: str) -> str:
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    bare, _, port = host.partition(":")
    if spelling == "without its port":
        host = bare
    elif spelling == "with the usual port" and not port:
        host = f"{bare}:{'443' if scheme == 'https' else '80'}"
    return f"{scheme}://{host}/{path}"


@settings(max_examples=500, deadline=None)
@given(text.filter(bool), urls, forms, spellings)
def test_a_signature_holds_exactly_when_twilios_validator_says_so(token, url, pairs, spelling):
    validator = RequestValidator(token)
    signer = RequestValidator("another") if spelling == "of another token" else validator
    signed = [*pairs, ("one more", "1")] if spelling == "of another form" else pairs
    header = signer.compute_signature(respelt(url, spelling), Form(signed))
    header = header[:-2] if spelling == "cut" else header
    assert signature(token, url, pairs) == validator.compute_signature(url, Form(pairs))
    assert is_signed(token, url, pairs, header) == validator.validate(url, Form(pairs), header)
    assert is_signed(token, url, pairs, header) == (spelling in HOLD)


@settings(max_examples=300, deadline=None)
@given(text.filter(bool), urls, st.dictionaries(words, text), st.booleans(), st.booleans())
def test_a_json_body_holds_exactly_when_twilios_validator_says_so(token, url, content, whole, signed):
    body = json.dumps(content)
    url += f"{'&' if '?' in url else '?'}bodySHA256={hashlib.sha256(body.encode()).hexdigest()}"
    header = RequestValidator(token if signed else token + "x").compute_signature(url, {})
    arrived = body if whole else body + "\n"
    expected = RequestValidator(token).validate(url, arrived, header)
    assert is_signed(token, url, (), header, body=arrived.encode()) == expected == (whole and signed)


# What must never hold.

SIGNED = signature(TOKEN, URL, FORM)
FORGED = {
    "no signature": (TOKEN, URL, FORM, ""),
    "no token": ("", URL, FORM, signature("", URL, FORM)),
    "another token": ("54321", URL, FORM, SIGNED),
    "another host": (TOKEN, URL.replace("mycompany", "yourcompany"), FORM, SIGNED),
    "another scheme": (TOKEN, URL.replace("https", "http"), FORM, SIGNED),
    "another path": (TOKEN, URL.replace("myapp", "yourapp"), FORM, SIGNED),
    "another query": (TOKEN, URL + "&more=1", FORM, SIGNED),
    "a port for a host": (TOKEN, "https://mycompany.com.evil:443/myapp.php?foo=1&bar=2", FORM, SIGNED),
    "a field changed": (TOKEN, URL, [*FORM[:-1], ("Caller", "+14158675308")], SIGNED),
    "a field more": (TOKEN, URL, [*FORM, ("Called", "")], SIGNED),
    "a field less": (TOKEN, URL, FORM[:-1], SIGNED),
    "no form": (TOKEN, URL, [], SIGNED),
    "letters in the other case": (TOKEN, URL, FORM, SIGNED.swapcase()),
    "a blank more": (TOKEN, URL, FORM, SIGNED + " "),
    "letters of the world": (TOKEN, URL, FORM, "Zoë東京\udc80"),
    "half of it": (TOKEN, URL, FORM, SIGNED[:14]),
    "no URL": (TOKEN, "", FORM, SIGNED),
    "a URL that is none": (TOKEN, "https://[::1", FORM, SIGNED),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forgery_does_not_hold(name):
    assert not is_signed(*FORGED[name])


@pytest.mark.parametrize("url", ["wss://h.example/ws/stream/call_1", "https://[::1]:8443/x", "https://me:secret@h.example:8443/x"])
def test_other_urls_hold_with_and_without_their_port(url):
    """The validator takes 80 for the usual port of wss and cuts such hosts at their first colon; both are its own."""
    assert is_signed(TOKEN, url, (), signature(TOKEN, url, ()))
    bare = url.replace(":8443", "")
    assert is_signed(TOKEN, url, (), signature(TOKEN, bare, ()))
    if url.startswith("wss"):
        assert is_signed(TOKEN, url, (), signature(TOKEN, url.replace(".example", ".example:443"), ()))


@given(st.text(max_size=60), st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=3), st.text(max_size=40))
def test_nothing_that_arrives_raises(url, form, header):
    assert is_signed(TOKEN, url, form, header) is False
    assert is_signed(TOKEN, url, (), header, body=url.encode(errors="surrogatepass")) is False
