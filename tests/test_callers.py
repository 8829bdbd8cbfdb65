"""Who calls in a test: what `caller=` takes, and every sentence about what it does not."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from patter_nb.audio.wav import write_wav
from patter_nb.callers import HOW, Line, Sound, check_first_line, read_caller, render
from patter_nb.errors import ConfigError, ConfigTypeError

TONE = (8000 * np.sin(np.arange(8000) / 9)).astype(np.int16)


def test_lines_are_strings_or_lines() -> None:
    slow = Line("Bye.", wait_seconds=2)
    assert read_caller(["Hi.", slow]) == (Line("Hi."), slow)
    assert read_caller(("Hi.",)) == (Line("Hi."),)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (TONE, TONE),
        (TONE.astype(np.float64) / 32767, TONE),
        (np.array([-1.0, 0.0, 1.0], np.float32), np.array([-32767, 0, 32767])),
    ],
)
def test_samples_are_int16_or_floats_from_minus_one_to_one(samples: Any, expected: Any) -> None:
    sound = read_caller((samples, np.int64(16_000)))
    assert isinstance(sound, Sound)
    assert (sound.hz, type(sound.hz), sound.samples.dtype) == (16_000, int, np.int16)
    assert sound.samples.tolist() == expected.tolist()


def test_a_file_is_given_by_its_path(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "hi.wav", TONE, 8000)
    for given in (path, str(path)):
        sound = read_caller(given)
        assert isinstance(sound, Sound)
        assert (sound.name, sound.hz, sound.samples.tolist()) == ("hi.wav", 8000, TONE.tolist())


def bad_file(name: str, content: bytes) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        (folder / name).write_bytes(content)
        return str(folder / name)

    return make


HEADER = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\0\0\0\0"
BAD = [
    (lambda _: None, ConfigError, f"caller is missing: {HOW}."),
    (lambda _: [], ConfigError, f"caller is an empty list: {HOW}."),
    (lambda _: "", ConfigError, f"caller is '', a file that cannot be read (Is a directory): {HOW}."),
    (str, ConfigError, "a file that cannot be read (Is a directory)"),
    (lambda folder: folder / "none.wav", ConfigError, "none.wav', and there is no such file: give a list of lines"),
    (lambda _: "Hi, when is dinner?", ConfigError, "caller is 'Hi, when is dinner?', and there is no such file: give a list"),
    (lambda _: "Hi, I would like to know about dinner. " * 20, ConfigError, "a file that cannot be read (File name too long)"),
    (bad_file("text.wav", b"hello, this is no wav"), ConfigError, "text.wav is no WAV file"),
    (bad_file("nothing.wav", b""), ConfigError, "nothing.wav is empty (0 bytes)"),
    (bad_file("silent.wav", HEADER), ConfigError, "silent.wav has no audio in it (0 samples)"),
    (bad_file("cut.wav", HEADER[:-4] + b"\x10\0\0\0ab"), ConfigError, "cut.wav is cut short (2 of 16 bytes of audio are there)"),
    (lambda _: TONE, ConfigTypeError, "caller is a bare array of shape (8000,), whose rate is unknown: give (samples, hz)."),
    (lambda _: (TONE, 0), ConfigError, "hz of the caller's samples is 0; it must lie from 4000 to 192000."),
    (lambda _: (TONE, 8000.0), ConfigTypeError, "hz of the caller's samples is float 8000.0; it must be a whole number."),
    (lambda _: (TONE, True), ConfigTypeError, "hz of the caller's samples is bool True; it must be a whole number."),
    (lambda _: (TONE / 100, 8000), ConfigError, "samples of the caller are floats beyond -1..1; scale them to -1..1, or give"),
    (lambda _: (np.array([np.nan]), 8000), ConfigError, "samples of the caller are floats beyond -1..1"),
    (lambda _: (TONE.reshape(-1, 2), 8000), ConfigError, "samples of the caller have the shape (4000, 2); they must be mono"),
    (lambda _: (TONE[:0], 8000), ConfigError, "samples of the caller have the shape (0,); they must be mono, shape (n,), and"),
    (lambda _: (TONE.astype(np.int32), 8000), ConfigTypeError, "samples of the caller are int32; they must be int16, or floats"),
    (lambda _: (TONE > 0, 8000), ConfigTypeError, "samples of the caller are bool; they must be int16, or floats in -1..1."),
    (lambda _: ([0.1, 0.2], 8000), ConfigTypeError, "line 1 of caller is list; it must be a string or a Line."),
    (lambda _: ["Hi.", 5], ConfigTypeError, "line 2 of caller is int; it must be a string or a Line."),
    (lambda _: Line("Hi."), ConfigTypeError, f"caller is Line: {HOW}."),
    (lambda _: b"Hi.", ConfigTypeError, f"caller is bytes: {HOW}."),
    (lambda _: {"Hi."}, ConfigTypeError, f"caller is set: {HOW}."),
    (lambda _: 5, ConfigTypeError, f"caller is int: {HOW}."),
    (lambda _: ["Hi.", "..."], ConfigError, "text of a caller's line is '...'; it must hold words to say."),
    (lambda _: [""], ConfigError, "text of a caller's line is ''; it must hold words to say."),
]  # fmt: skip


@pytest.mark.parametrize(("make", "kind", "words"), BAD)
def test_what_is_no_caller_is_told_in_one_sentence(tmp_path: Path, make: Any, kind: type, words: str) -> None:
    with pytest.raises(kind) as caught:
        read_caller(make(tmp_path))
    assert words in str(caught.value)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)


BAD_LINES = [
    ({"text": 5}, ConfigTypeError, "text of a caller's line is int 5; it must be a string."),
    ({"text": "?"}, ConfigError, "text of a caller's line is '?'; it must hold words to say."),
    ({"wait_seconds": -1}, ConfigError, "wait_seconds of a caller's line is -1; it must lie from 0 to 600 seconds."),
    ({"wait_seconds": 601}, ConfigError, "wait_seconds of a caller's line is 601; it must lie from 0 to 600 seconds."),
    ({"wait_seconds": float("nan")}, ConfigError, "wait_seconds of a caller's line is nan"),
    ({"wait_seconds": "1"}, ConfigTypeError, "wait_seconds of a caller's line is '1'; it must be a number of seconds."),
    ({"wait_seconds": None}, ConfigTypeError, "wait_seconds of a caller's line is None; it must be a number of seconds."),
    ({"interrupt_after_seconds": -0.1}, ConfigError, "interrupt_after_seconds of a caller's line is -0.1"),
    ({"interrupt_after_seconds": True}, ConfigTypeError, "interrupt_after_seconds of a caller's line is True"),
]


@pytest.mark.parametrize(("settings", "kind", "words"), BAD_LINES)
def test_a_wrong_line_is_told_where_it_is_made(settings: dict[str, Any], kind: type, words: str) -> None:
    with pytest.raises(kind) as caught:
        Line(**{"text": "Hi.", **settings})
    assert str(caught.value).startswith(words)
    assert type(caught.value) is kind


def test_nobody_can_interrupt_a_greeting_that_does_not_come() -> None:
    script = read_caller([Line("Hi.", interrupt_after_seconds=0.5)])
    check_first_line(script, greets=True)
    check_first_line(read_caller(["Hi."]), greets=False)
    check_first_line(read_caller((TONE, 8000)), greets=False)
    with pytest.raises(ConfigError, match="interrupts a greeting, but the agent has no first_message: give it one"):
        check_first_line(script, greets=False)


def test_lines_are_rendered_with_their_waits_and_a_recording_as_it_is(virtual: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
    lines = virtual(render(read_caller(["One?", Line("Two.", wait_seconds=2, interrupt_after_seconds=1)]), synthetic=True))
    assert [(line.text, line.wait_seconds) for line in lines] == [("One?", 0.4), ("Two.", 2)]
    assert [line.interrupt_after_seconds for line in lines] == [None, 1]
    assert all(line.hz == 8000 and len(line.samples) > 800 for line in lines)
    (whole,) = virtual(render(read_caller((TONE, 16_000)), synthetic=False))
    assert (whole.text, whole.hz, whole.samples.tolist()) == ("", 16_000, TONE.tolist())
