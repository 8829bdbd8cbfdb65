"""A dry run before money: what is found, how it is said, and that nothing is spent by it."""

from __future__ import annotations

import asyncio
import html
import importlib.util
import re
import socket
import sys
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from patter_nb import Patter, ScriptedLLM, ScriptedSTT, ScriptedTTS, Twilio
from patter_nb import check as module
from patter_nb.check import Finding, Report, failed
from patter_nb.errors import ConfigError
from patter_nb.tunnels import CloudflareTunnel, Ngrok, Static

spec = importlib.util.spec_from_file_location("tests_account", Path(__file__).with_name("account.py"))
assert spec is not None and spec.loader is not None
sys.modules["tests_account"] = account_module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(account_module)
NUMBER, OTHER, SID, TOKEN, account = (getattr(account_module, name) for name in ("NUMBER", "OTHER", "SID", "TOKEN", "account"))

KEYS = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_API_KEY", "TWILIO_API_SECRET", "NGROK_AUTHTOKEN")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def check(change: Callable[[Any], None] = lambda _: None, **given: Any) -> tuple[Report, Any]:
    """The report on a phone of an account that was changed, and the account."""

    async def main() -> tuple[Report, Any]:
        async with asyncio.timeout(20), account() as there:
            change(there)
            settings = {"carrier": there.carrier, "phone_number": NUMBER, "store": False, **given}
            asked = {"port": free_port(), **{name: settings.pop(name) for name in ("agent", "to", "port") if name in settings}}
            return await Patter(**settings).check(**asked), there

    return asyncio.run(main())


def test_all_is_well_and_nothing_was_changed_or_spent(capsys: pytest.CaptureFixture[str]) -> None:
    report, there = check()
    assert report.ok
    looked_at = ["keys", "account", "balance", "number", "webhook", "tunnel", "port", "agent", "store"]
    assert [finding.name for finding in report] == looked_at
    assert {method for method, _, _ in there.asked} == {"GET"}
    assert capsys.readouterr() == ("", "")


def refuse(*what: Any) -> Callable[[Any], None]:
    return lambda there: there.refuses.update({(what[0], what[1]): what[2:]})


def change(**fields: Any) -> Callable[[Any], None]:
    return lambda there: [setattr(there, name, value) for name, value in fields.items()]


def of_number(**fields: Any) -> Callable[[Any], None]:
    return lambda there: there.number.update(fields)


class Case(NamedTuple):
    """How the account or the phone is, and the finding that tells of it. `ok`: "yes", "no", or "to know"."""

    name: str
    ok: str
    said: str
    remedy: str = ""
    changed: Callable[[Any], Any] = change()
    given: Mapping[str, Any] = MappingProxyType({})


TRUNK, APPLICATION = of_number(trunk_sid="TK" + "1" * 32), of_number(voice_application_sid="AP" + "1" * 32)
NONE_VERIFIED, ONE_VERIFIED = change(type="Trial"), change(type="Trial", verified=[OTHER])

CASES = [
    Case("keys", "yes", "Account AC…0a0a, with its auth token."),
    Case("account", "yes", "The account is active."),
    Case("account", "no", "The account is suspended.", "Reactivate it in Twilio's console.", change(status="suspended")),
    Case("account", "yes", "The account is active, on trial.", "", NONE_VERIFIED),
    Case("balance", "yes", "12.34 USD are left."),
    Case("balance", "to know", "0.40 USD are left.", "Add funds", change(balance="0.40")),
    Case("balance", "no", "-0.10 USD are left.", "without them no call is connected", change(balance="-0.10")),
    Case("balance", "to know", "Twilio does not tell the balance", "", refuse("GET", "/Balance", 404, 20404)),
    Case("trial", "no", "verified numbers only (none yet)", "Verify more numbers", NONE_VERIFIED),
    Case("trial", "to know", "(+1•••••9876), for at most 10 minutes", "upgrade the account", ONE_VERIFIED, {"to": OTHER}),
    Case("trial", "no", "+1•••••1234 is not verified, and a trial", "Verify it", ONE_VERIFIED, {"to": NUMBER}),
    Case("trial", "to know", "for at most 10 minutes", "", ONE_VERIFIED, {"to": " ".join(OTHER)}),
    Case("to", "no", "to must be a number in E.164.", "A plus sign, the country's code", given={"to": "0"}),
    Case("number", "yes", "+1•••••1234 is yours and takes calls."),
    Case("number", "no", "+1•••••1234 is no number of this account.", "the account that owns it", change(numbers={})),
    Case("number", "no", "+1•••••1234 takes no calls.", "with the capability Voice", of_number(capabilities={"voice": False})),
    Case("number", "no", "look up the number", "international form", refuse("GET", "/IncomingPhone", 400, 21401)),
    Case("webhook", "to know", "+1•••••1234 points to https://shop.example/voice.", "serve() shows what it would change"),
    Case("webhook", "to know", "+1•••••1234 points to nowhere.", "serve() shows", of_number(voice_url="")),
    Case("webhook", "to know", " https://x.example/v?•••.", "", of_number(voice_url="https://a:pass@x.example/v?k=1")),
    Case("webhook", "no", "is on a SIP trunk, which takes its calls.", "Take it off the trunk", TRUNK),
    Case("webhook", "no", "is bound to a TwiML application", "Let it use a webhook instead", APPLICATION),
    Case("tunnel", "to know", "No tunnel is set", "tunnel=True"),
    Case("agent", "to know", "No agent was given.", "check(agent)"),
    Case("store", "to know", "Calls are kept in memory only (store=False)."),
    Case("store", "yes", "calls.sqlite3", given={"store": None}),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.name}: {case.said}" for case in CASES])
def test_each_thing_is_told_in_one_sentence_with_its_remedy(case: Case) -> None:
    report, there = check(case.changed, **case.given)
    finding = report[case.name]
    assert finding.ok is {"yes": True, "no": False, "to know": None}[case.ok]
    assert case.said in finding.said
    assert case.remedy in finding.remedy
    assert bool(finding.remedy) is (finding.ok is False) or finding.ok is None
    assert report.ok is (case.ok != "no" and case.changed is not NONE_VERIFIED)
    assert {method for method, _, _ in there.asked} <= {"GET"}


def test_keys_that_are_missing_are_named_with_the_ways_to_give_them_and_nobody_is_asked() -> None:
    report, there = check(carrier=Twilio())
    assert not report.ok
    assert "TWILIO_ACCOUNT_SID" in report["keys"].said
    assert 'patter_nb.keys("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN")' in report["keys"].remedy
    assert there.asked == []


def test_without_a_carrier_that_is_what_is_missing() -> None:
    report = check(carrier=None, phone_number="")[0]
    assert report["keys"].said == "There is no carrier."
    assert not report.ok


def test_keys_that_are_not_accepted_end_the_questions_to_the_account() -> None:
    report, there = check(refuse("GET", "", 401, 20003))
    assert "the keys are not accepted" in report["account"].said
    assert report["account"].remedy.startswith("Compare TWILIO_ACCOUNT_SID")
    assert [path for _, path, _ in there.asked] == [f"/2010-04-01/Accounts/{SID}.json"]


def test_an_api_key_without_the_auth_token_cannot_answer_calls() -> None:
    key = {"api_key": "SK" + "1" * 32, "api_secret": "x" * 32}
    report, _ = check(carrier=Twilio(account_sid=SID, base_url="http://127.0.0.1:9", **key))
    assert report["keys"].ok is False
    assert report["keys"].remedy == "Give TWILIO_AUTH_TOKEN as well: Twilio signs its webhooks with it."


def test_an_account_that_does_not_answer_is_a_finding_within_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.1)
    report, _ = check(lambda there: setattr(there, "waits", asyncio.Event()))
    assert report["account"].ok is False
    assert report["account"].said == "No answer within 0.1 s."


# This machine.


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        report, _ = check(port=port)
    assert report["port"].ok is False
    assert report["port"].said.startswith(f"Port {port} cannot be used (Address already in use)")
    assert check(port=70_000)[0]["port"].said == "Port 70000 does not exist."


def test_a_port_that_this_notebook_serves_is_fine() -> None:
    async def main() -> Finding:
        async with account() as there:
            port = int(there.carrier.base_url.rpartition(":")[2])
            report = await Patter(carrier=there.carrier, phone_number=NUMBER, store=False).check(port=port)
            return report["port"]

    found = asyncio.run(main())
    assert found.ok
    assert "is served by this notebook already" in found.said


def program(folder: Path, name: str) -> None:
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


@pytest.mark.parametrize("tunnel", [True, CloudflareTunnel()])
def test_cloudflared_is_looked_for_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tunnel: Any) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = check(tunnel=tunnel)[0]["tunnel"]
    assert missing.ok is False
    assert "install cloudflared" in missing.remedy
    program(tmp_path, "cloudflared")
    assert check(tunnel=tunnel)[0]["tunnel"] == Finding("tunnel", True, f"cloudflared is at {tmp_path / 'cloudflared'}.")


@pytest.mark.parametrize("known", [True, False])
def test_a_name_of_your_own_must_resolve(monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    resolve = socket.getaddrinfo

    def answer(host: Any, *more: Any, **others: Any) -> Any:
        if host != "calls.example.com":
            return resolve(host, *more, **others)
        if not known:
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    found = check(tunnel=Static("calls.example.com"))[0]["tunnel"]
    assert found.ok is known
    assert found.said == ("The name calls.example.com resolves." if known else "The name calls.example.com does not resolve.")


def test_ngrok_needs_its_package_and_its_key_or_one_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "ngrok" else found(name, *more))
    assert check(tunnel=Ngrok())[0]["tunnel"].remedy == 'pip install ".[ngrok]"'
    assert check(tunnel=Ngrok(hostname="calls.example.com"))[0]["tunnel"].ok is None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: object() if name == "ngrok" else found(name, *more))
    assert "NGROK_AUTHTOKEN" in check(tunnel=Ngrok())[0]["tunnel"].said
    assert check(tunnel=Ngrok(authtoken="2x"))[0]["tunnel"].ok is True


# The agent.


def scripted(**changes: Any) -> Any:
    parts: dict[str, Any] = {"stt": ScriptedSTT([]), "llm": ScriptedLLM([]), "tts": ScriptedTTS()}
    return Patter(store=False).agent("A test.", **{**parts, **changes})


def test_an_agent_whose_providers_are_ready_is_fine() -> None:
    found = check(agent=scripted())[0]["agent"]
    assert found == Finding("agent", True, "'agent' is ready: stt ScriptedSTT, llm ScriptedLLM, tts ScriptedTTS.")


def test_what_a_provider_lacks_is_said_by_its_part_and_whatever_it_raises_is_no_more_than_a_finding() -> None:
    agent = scripted()

    class NoKey(type(agent.llm)):  # type: ignore[misc]
        def ready(self) -> None:
            raise ConfigError("Brain needs the key BRAIN_API_KEY, which is not there: give it in .env.")

    class Broken(type(agent.tts)):  # type: ignore[misc]
        def ready(self) -> None:
            raise KeyError("sk-1234567890abcdef")

    object.__setattr__(agent, "llm", NoKey([]))
    object.__setattr__(agent, "tts", Broken())
    report, _ = check(agent=agent)
    assert report["llm"] == Finding("llm", False, "Brain needs the key BRAIN_API_KEY, which is not there.", "Give it in .env.")
    assert report["tts"].ok is False
    assert "1234567890" not in report["tts"].said


# How it is shown.

LONG = Report(
    [
        Finding("keys", True, "Account AC…0a0a, with its auth token."),
        Finding("number", False, "+1•••••1234 is no number of this account.", "Give one as it stands in Twilio's console. " * 4),
        Finding("trial", None, "A trial calls verified numbers only."),
    ]
)


def test_it_reads_well_in_80_columns() -> None:
    lines = repr(LONG).splitlines()
    assert lines[0] == "Not ready: number"
    assert lines[1] == "  ✓ keys    Account AC…0a0a, with its auth token."
    assert lines[2] == "  ✗ number  +1•••••1234 is no number of this account."
    assert lines[3].startswith("            → Give one")
    assert lines[4].startswith("              ")
    assert all(len(line) <= 80 for line in lines)
    assert repr(Report([Finding("keys", None, "x")])).startswith("Ready to call: nothing stands in the way")


class Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)


def test_the_page_shows_text_as_text_and_says_each_sign_in_words() -> None:
    evil = "<script>alert(1)</script>\"'><img src=x>"
    shown = Report([Finding(evil, False, evil, evil)])._repr_html_()
    reader = Words()
    reader.feed(shown)
    assert reader.tags == {"div", "style", "span", "table", "tbody", "tr", "td"}
    assert html.escape("<script>") in shown
    assert re.findall(r'pnb-unseen">([^<]*)', LONG._repr_html_()) == ["fine", "in the way", "to know"]


def test_what_is_kept_holds_no_number_and_no_secret() -> None:
    found = Finding("x", False, "+15557654321 with token=abcdef", "https://ann:secret@x.example")
    assert found.said == "+1•••••4321 with token=•••"
    assert "secret" not in found.remedy


@pytest.mark.parametrize(
    ("text", "said", "remedy"),
    [
        ("a is b: do c.", "a is b.", "Do c."),
        ("a is b", "a is b.", ""),
        ("a: b is wrong: do c (Twilio's error 1).", "a: b is wrong.", "Do c (Twilio's error 1)."),
    ],
)
def test_an_error_is_a_sentence_and_its_remedy(text: str, said: str, remedy: str) -> None:
    assert failed("x", ConfigError(text)) == Finding("x", False, said, remedy)
