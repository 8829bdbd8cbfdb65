"""Keys: where they are looked for, how they are asked for, and that nobody ever sees one."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
import traceback
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

import patter_nb
from patter_nb import keys as public_keys
from patter_nb.errors import ConfigError, ConfigTypeError, PatterWarning, scrub
from patter_nb.keys import find, keys, missing, where

NAME = "TWILIO_AUTH_TOKEN"
SECRET = "0f9e8d7c6b5a49382716f5e4d3c2b1a0"
OTHER = "ffffeeeeddddccccbbbbaaaa99998888"
KERNEL_SECONDS = 60

# The module itself: in the package its name is the function's.
MODULE = sys.modules["patter_nb.keys"]


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch, tmp_path):
    """No key is known and the working directory is empty."""
    monkeypatch.setattr(MODULE, "_typed", {})
    monkeypatch.setattr(MODULE, "_missed", {})
    monkeypatch.setattr(MODULE, "_reading", MODULE._Reading(("", 0, 0, 0), {}))
    monkeypatch.delenv(NAME, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def typing(monkeypatch):
    """Someone who types the answers, one after the other; the questions are kept."""
    answers, questions = [], []

    def ask(prompt):
        questions.append(prompt)
        return answers.pop(0)

    monkeypatch.setattr(getpass, "getpass", ask)
    return answers, questions


def test_a_key_that_is_nowhere_is_empty():
    assert (find(NAME), where(NAME)) == ("", "")


def test_what_was_typed_beats_the_environment_which_beats_the_file(tmp_path, monkeypatch, typing):
    (tmp_path / ".env").write_text(f"{NAME}=written\n")
    assert (find(NAME), where(NAME)) == ("written", ".env")
    monkeypatch.setenv(NAME, "given")
    assert (find(NAME), where(NAME)) == ("given", "environment")
    typing[0].append("typed")
    keys(NAME, again=True)
    assert (find(NAME), where(NAME)) == ("typed", "typed")


def test_an_empty_place_counts_as_none_and_space_around_a_key_is_no_part_of_it(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text(f"{NAME}=' written '\n")
    monkeypatch.setenv(NAME, " ")
    assert find(NAME) == "written"
    monkeypatch.setenv(NAME, f" {SECRET}\n")
    assert find(NAME) == SECRET


WRITTEN = {
    "plain": f"{NAME}={SECRET}",
    "with spaces": f"  {NAME} = {SECRET}  ",
    "exported": f"export {NAME}={SECRET}",
    "in double quotes": f'{NAME}="{SECRET}"',
    "in single quotes": f"{NAME}='{SECRET}'",
    "with a comment": f"# keys\n{NAME}={SECRET} # the main account",
    "from Windows": f"\r\n{NAME}={SECRET}\r\nOTHER=1\r\n",
    "with a byte order mark": f"\ufeff{NAME}={SECRET}",
    "twice, the last one counts": f"{NAME}={OTHER}\n{NAME}={SECRET}",
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_the_file_is_read_as_people_write_it(tmp_path, text):
    (tmp_path / ".env").write_bytes(text.encode())
    assert find(NAME) == SECRET


def test_nothing_in_a_key_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME_OF", "here")
    (tmp_path / ".env").write_text(f"{NAME}=a${{HOME_OF}}$HOME_OF#b\n")
    assert find(NAME) == "a${HOME_OF}$HOME_OF#b"


def test_the_file_is_read_again_when_it_changed_and_not_otherwise(tmp_path, monkeypatch):
    readings = []
    parsed = MODULE._parsed
    monkeypatch.setattr(MODULE, "_parsed", lambda text: readings.append(text) or parsed(text))
    path = tmp_path / ".env"
    path.write_text(f"{NAME}={SECRET}\n")
    assert [find(NAME), find(NAME), len(readings)] == [SECRET, SECRET, 1]
    path.write_text(f"{NAME}={OTHER}x\n")
    assert [find(NAME), find(NAME), len(readings)] == [f"{OTHER}x", f"{OTHER}x", 2]
    path.unlink()
    assert find(NAME) == ""


def test_the_file_beside_another_notebook_is_another_one(tmp_path, monkeypatch):
    for name, value in (("a", SECRET), ("b", OTHER)):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".env").write_text(f"{NAME}={value}\n")
        monkeypatch.chdir(tmp_path / name)
        assert find(NAME) == value


def test_a_cell_that_changes_the_working_directory_takes_no_key_away(tmp_path, monkeypatch):
    path = tmp_path / ".env"
    path.write_text(f"{NAME}={SECRET}\n")
    assert find(NAME) == SECRET
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path / "data")
    assert (find(NAME), where(NAME)) == (SECRET, ".env")
    path.write_text(f"{NAME}={OTHER}x\n")
    assert find(NAME) == f"{OTHER}x"
    path.unlink()
    assert find(NAME) == ""


def test_a_folder_of_that_name_and_a_folder_that_is_gone_hold_no_keys(tmp_path, monkeypatch):
    (tmp_path / ".env").mkdir()
    assert find(NAME) == ""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.warns(PatterWarning, match=r"\.env beside the notebook cannot be read \(No such file or directory\)"):
        assert find(NAME) == ""


def test_nothing_is_written_to_the_environment(tmp_path, typing):
    (tmp_path / ".env").write_text(f"{NAME}={SECRET}\n")
    typing[0].append(OTHER)
    before = dict(os.environ)
    keys("OTHER_KEY")
    assert (find(NAME), find("OTHER_KEY")) == (SECRET, OTHER)
    assert dict(os.environ) == before


UNCLEAR = {
    "a key alone": (f"\n\n{SECRET}\nOTHER=1\n", "Line 3 of"),
    "a name without a value": (f"{NAME}\nOTHER=1\n", "Line 1 of"),
    "a quote without an end": (f'# first\n{NAME}="{SECRET}\nOTHER=1\n', "Line 2 of"),
    "with a colon": (f"OTHER=1\n{NAME}: {SECRET}\n", "Line 2 of"),
    "several": (f"{SECRET}\nOTHER=1\n{NAME}: {SECRET}\n", "Lines 1, 3 of"),
}


@pytest.mark.parametrize(("text", "begins"), UNCLEAR.values(), ids=UNCLEAR)
def test_an_unclear_line_is_told_of_once_without_what_it_holds(tmp_path, text, begins):
    (tmp_path / ".env").write_text(text)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert [find("OTHER"), find("OTHER"), find(NAME)] == ["1", "1", ""]
    (warning,) = told
    assert warning.category is PatterWarning
    assert str(warning.message) == f"{begins} the file .env beside the notebook: not NAME=value, and passed over."
    assert warning.filename == __file__


def test_a_file_that_is_not_utf_8_is_told_of_once(tmp_path):
    (tmp_path / ".env").write_bytes(f"{NAME}={SECRET}\n".encode("utf-16"))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert [find(NAME), find(NAME)] == ["", ""]
    (warning,) = told
    assert "is not UTF-8, so its keys are not used: save it as UTF-8" in str(warning.message)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80))
def test_whatever_the_file_holds_it_is_read_without_an_error(text):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = MODULE._parsed(text)
    assert all(isinstance(key, str) and isinstance(value, str) for key, value in values.items())


def test_what_is_missing_is_named_with_the_three_ways_to_give_it():
    told = str(missing(NAME, "Twilio()"))
    assert told == (
        f"Twilio() needs the key {NAME}, which is not there: give it in a line of the file .env beside the notebook, in the "
        f'environment, or at the hidden prompt of patter_nb.keys("{NAME}").'
    )
    assert scrub(told) == told
    assert isinstance(missing(NAME, "Twilio()"), ConfigError)


def test_several_that_are_missing_are_named_together_and_then_asked_for(typing):
    answers, questions = typing
    answers += ["AC", SECRET]
    assert str(missing(("TWILIO_ACCOUNT_SID", NAME), "Twilio")) == (
        f"Twilio needs the keys TWILIO_ACCOUNT_SID and {NAME}, which are not there: give them in lines of the file .env beside "
        f'the notebook, in the environment, or at the hidden prompt of patter_nb.keys("TWILIO_ACCOUNT_SID", "{NAME}").'
    )
    keys()
    assert questions == ["TWILIO_ACCOUNT_SID: ", f"{NAME}: "]


def test_the_public_name_is_the_function():
    assert patter_nb.keys is public_keys is keys


# The prompt.


def test_each_missing_name_is_asked_for_and_those_that_are_there_are_not(tmp_path, typing):
    answers, questions = typing
    (tmp_path / ".env").write_text("TWILIO_ACCOUNT_SID=written\n")
    answers += [f" {SECRET} ", ""]
    told = keys("TWILIO_ACCOUNT_SID", NAME, "TWILIO_API_KEY")
    assert questions == [f"{NAME}: ", "TWILIO_API_KEY: "]
    assert told == {"TWILIO_ACCOUNT_SID": ".env", NAME: "typed", "TWILIO_API_KEY": "missing"}
    assert find(NAME) == SECRET


def test_a_cell_that_runs_again_asks_for_nothing_and_again_corrects(typing):
    answers, questions = typing
    answers += [OTHER, SECRET, ""]
    keys(NAME)
    keys(NAME)
    assert len(questions) == 1
    keys(NAME, again=True)
    assert find(NAME) == SECRET
    keys(NAME, again=True)  # an empty answer changes nothing
    assert find(NAME) == SECRET


def test_without_names_it_asks_for_what_errors_have_named(typing):
    answers, questions = typing
    assert keys() == {}
    find("OPTIONAL_KEY")  # looked for, and not needed
    missing(NAME, "Twilio()")
    missing("NGROK_AUTHTOKEN", "Ngrok()")
    missing(NAME, "Twilio()")
    answers += [SECRET, OTHER]
    assert keys() == {NAME: "typed", "NGROK_AUTHTOKEN": "typed"}
    assert questions == [f"{NAME}: ", "NGROK_AUTHTOKEN: "]


@pytest.mark.parametrize("wrong", [SECRET, "sk-abcdefgh1234", "a+key", "", "AC0123456789abcdef0123456789abcdef"])
def test_a_key_given_as_a_name_is_refused_and_not_repeated(typing, wrong):
    with pytest.raises(ConfigError, match="what was given is no name, and is not repeated here") as caught:
        keys(wrong)
    assert not wrong or wrong not in str(caught.value)
    assert typing[1] == []


def test_what_is_no_text_is_a_type_error():
    with pytest.raises(ConfigTypeError, match="a dict was given"):
        keys({NAME: SECRET})


@pytest.mark.parametrize("refusal", [NotImplementedError("no stdin"), EOFError(), getpass.GetPassWarning("echo")])
def test_where_nobody_can_type_the_other_two_ways_are_named(monkeypatch, refusal):
    def refuse(prompt):
        raise refusal

    monkeypatch.setattr(getpass, "getpass", refuse)
    with pytest.raises(ConfigError, match=r"nobody can type where this runs: give it in .*\.env .*, or in the env"):
        keys(NAME)


def test_an_interrupt_of_the_prompt_is_an_interrupt(monkeypatch):
    def interrupt(prompt):
        raise KeyboardInterrupt

    monkeypatch.setattr(getpass, "getpass", interrupt)
    with pytest.raises(KeyboardInterrupt):
        keys(NAME)


def test_a_key_is_in_no_repr_and_no_traceback(tmp_path, typing):
    (tmp_path / ".env").write_text(f"{NAME}={SECRET}\n")
    typing[0].append(OTHER)
    shown = [repr(keys("OTHER_KEY")), repr(MODULE._written), repr(MODULE._reading)]
    find(NAME)
    shown.append(repr(MODULE._reading))
    try:
        keys(SECRET)
    except ConfigError as error:
        shown.append("".join(traceback.format_exception(error)))
    assert not [text for text in shown if SECRET in text or OTHER in text]


@pytest.mark.slow
def test_without_a_terminal_nothing_is_asked_for_in_the_open():
    code = f"from patter_nb.keys import keys; keys({NAME!r})"
    command, nobody = [sys.executable, "-c", code], {"input": f"{SECRET}\n", "start_new_session": True}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **nobody)
    assert "ConfigError" in done.stderr
    assert "nobody can type where this runs" in done.stderr
    assert SECRET not in done.stdout + done.stderr


# In a kernel.


@pytest.mark.slow
def test_in_a_notebook_the_prompt_hides_what_is_typed_and_no_output_holds_it(tmp_path):
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(tmp_path))
    asked, outputs = [], []

    def answer(message):
        asked.append((message["content"]["prompt"], message["content"]["password"]))
        client.input(SECRET)

    try:
        reply = client.execute_interactive(
            f"import os, patter_nb\nprint(patter_nb.keys({NAME!r}))\nfrom patter_nb.keys import find\n"
            f"print(len(find({NAME!r})), {NAME!r} in os.environ)",
            allow_stdin=True,
            stdin_hook=answer,
            output_hook=outputs.append,
            timeout=KERNEL_SECONDS,
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert reply["content"]["status"] == "ok"
    assert asked == [(f"{NAME}: ", True)]
    printed = "".join(each["content"]["text"] for each in outputs if each["msg_type"] == "stream")
    assert printed == f"{{'{NAME}': 'typed'}}\n32 False\n"
    assert SECRET not in repr(outputs)


@pytest.mark.slow
def test_in_a_notebook_that_runs_by_itself_the_error_is_one_sentence(tmp_path):
    cell = f"import patter_nb\ntry:\n    patter_nb.keys({NAME!r})\nexcept ValueError as error:\n    print(repr(error))"
    notebook = new_notebook(cells=[new_code_cell(cell)])
    beside = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=KERNEL_SECONDS, kernel_name="python3", resources=beside).execute()
    (output,) = notebook.cells[0].outputs
    begins = f"ConfigError('{NAME} cannot be asked for here, since nobody can type where this runs: give it in"
    assert output.text.startswith(begins)
