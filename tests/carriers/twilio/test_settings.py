"""The account: where its keys come from, what is said when one is missing or wrong, and that none of them shows."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
from tests_of_twilio_wire import ACCOUNT, KEY, SECRET, TOKEN

import patter_nb
from patter_nb import ConfigError, Twilio
from patter_nb.carriers.twilio.settings import Credentials

ENVIRONMENT = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN}


def test_an_account_can_be_named_before_there_is_a_key():
    assert Twilio().kind == "twilio"
    assert patter_nb.carriers.twilio.Twilio is Twilio


def test_keys_are_taken_as_given():
    keys = Twilio(account_sid=f" {ACCOUNT}\n", auth_token=TOKEN).credentials()
    assert keys == Credentials(ACCOUNT, TOKEN)
    assert keys.basic == (ACCOUNT, TOKEN)


def test_keys_are_taken_from_the_environment(monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    assert Twilio().credentials().basic == (ACCOUNT, TOKEN)
    assert Twilio().signing_token() == TOKEN


def test_keys_are_taken_from_the_file_beside_the_notebook():
    Path(".env").write_text("".join(f"{name}={value}\n" for name, value in ENVIRONMENT.items()))
    assert Twilio().credentials().basic == (ACCOUNT, TOKEN)


def test_what_is_given_beats_what_is_found(monkeypatch):
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", "AC" + "9" * 32)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "another")
    assert Twilio(account_sid=ACCOUNT, auth_token=TOKEN).credentials().basic == (ACCOUNT, TOKEN)


def test_an_api_key_asks_and_the_auth_token_checks_signatures(monkeypatch):
    account = Twilio(account_sid=ACCOUNT, api_key=KEY, api_secret=SECRET)
    assert account.credentials().basic == (KEY, SECRET)
    with pytest.raises(ConfigError, match="TWILIO_AUTH_TOKEN"):
        account.signing_token()
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
    assert account.signing_token() == TOKEN
    assert account.credentials().basic == (KEY, SECRET)


MISSING = {
    "everything": ({}, "TWILIO_ACCOUNT_SID"),
    "the token": ({"account_sid": ACCOUNT}, "TWILIO_AUTH_TOKEN"),
    "the account of an API key": ({"api_key": KEY, "api_secret": SECRET}, "TWILIO_ACCOUNT_SID"),
    "the secret of an API key": ({"account_sid": ACCOUNT, "api_key": KEY}, "TWILIO_API_SECRET"),
}


@pytest.mark.parametrize("name", MISSING)
def test_a_missing_key_is_named_with_the_three_ways_to_give_it(name):
    given, key = MISSING[name]
    with pytest.raises(ConfigError) as caught:
        Twilio(**given).credentials()
    for part in (key, ".env", "environment", "patter_nb.keys("):
        assert part in str(caught.value)


WRONG = {
    "a token for an account": ({"account_sid": TOKEN, "auth_token": ACCOUNT}, "begins with AC"),
    "an API key for an account": ({"account_sid": KEY, "auth_token": TOKEN}, "begins with AC"),
    "half an account": ({"account_sid": ACCOUNT[:-1], "auth_token": TOKEN}, "34 letters"),
    "a secret for an API key": ({"account_sid": ACCOUNT, "api_key": SECRET, "api_secret": KEY}, "begins with SK"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_key_of_another_kind_is_told_and_not_shown(name):
    given, sentence = WRONG[name]
    with pytest.raises(ConfigError, match=sentence) as caught:
        Twilio(**given).credentials()
    assert not [value for value in given.values() if value in str(caught.value)]


@pytest.mark.parametrize("field", ["account_sid", "auth_token", "api_key", "api_secret", "base_url"])
def test_a_setting_of_another_type_is_told(field):
    with pytest.raises(TypeError, match=f"{field}=...\\) takes a string; a int"):
        Twilio(**{field: 12345})


@pytest.mark.parametrize("url", ["https://api.twilio.com", "https://api.dublin.ie1.twilio.com/", "http://127.0.0.1:8080",
                                 "http://localhost:1", "http://[::1]:8080/base"])  # fmt: skip
def test_the_keys_go_to_an_encrypted_place_or_stay_on_this_machine(url):
    assert Twilio(base_url=url).base_url == url


@pytest.mark.parametrize("url", ["http://api.twilio.com", "api.twilio.com", "", "ftp://127.0.0.1", "https://", "https://me:pw@h.example",
                                 "http://127.0.0.1.evil.example", "https://h.example?x=1", "https://h.example:x"])  # fmt: skip
def test_the_keys_go_nowhere_else(url):
    with pytest.raises(ConfigError, match="base_url"):
        Twilio(base_url=url)


def test_no_key_shows():
    account = Twilio(account_sid=ACCOUNT, auth_token=TOKEN, api_key=KEY, api_secret=SECRET)
    for shown in (repr(account), str(account), repr(account.credentials()), f"{account!r:>80}"):
        assert TOKEN not in shown
        assert SECRET not in shown


def test_an_account_is_frozen_and_can_be_copied():
    account = Twilio(account_sid=ACCOUNT, auth_token=TOKEN)
    with pytest.raises(AttributeError):
        account.auth_token = "another"
    assert copy.copy(account) == pickle.loads(pickle.dumps(account)) == account
