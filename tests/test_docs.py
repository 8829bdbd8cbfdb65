"""What our texts say is so: commands, names, links, licences, reasons."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
NOTICE = (ROOT / "NOTICE").read_text()
PYPROJECT_TEXT = (ROOT / "pyproject.toml").read_text()
PYPROJECT = tomllib.loads(PYPROJECT_TEXT)
EXTRAS = PYPROJECT["project"]["optional-dependencies"]

TEST_COMMAND = (
    'python3 -m venv .venv && .venv/bin/pip install -q "pip>=25.1" && '
    '.venv/bin/pip install -q -e ".[local,nb,dev]" --group oracle && .venv/bin/python -m pytest'
)


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def names_imported(source: str) -> list[tuple[str, str]]:
    """(module, name) of everything a snippet imports from this package."""
    tree = compile(source, "snippet", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return [
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "patter_nb"
        for alias in node.names
    ]


def test_the_second_shell_block_of_the_readme_tests_a_clone():
    """.ci/run reads it from there."""
    assert blocks(README, "sh")[1].strip() == TEST_COMMAND


def test_the_snippets_of_the_readme_compile_and_import_what_exists():
    imported = [pair for snippet in blocks(README, "python") for pair in names_imported(snippet)]
    assert [(module, name) for module, name in imported if not hasattr(importlib.import_module(module), name)] == []


async def run_snippets(snippets: list[str]) -> dict[str, Any]:
    """Run them one after the other, as cells of one notebook; returns the names they made."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, snippet in enumerate(snippets):
        code = compile(snippet, f"snippet {number}", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        waiting = eval(code, names)
        if inspect.iscoroutine(waiting):
            await waiting
    return names


@pytest.mark.slow
def test_the_snippets_of_the_readme_run_as_printed(tmp_path, monkeypatch, capsys):
    """With the models, in real time: about 40 s."""
    monkeypatch.chdir(tmp_path)
    names = asyncio.run(run_snippets(blocks(README, "python")))
    heard = names["phone"].turns["heard_text"].tolist()
    assert heard[0] == "Acme, good evening!"
    assert "six to ten" in heard[1]
    assert names["phone"].calls["outcome"].dropna().tolist()[-2:] == ["answered", "voicemail"]
    assert "gap_ms" in capsys.readouterr().out
    assert names["phone"].flush()
    names["phone"].store.close()


def test_snippets_share_their_names_and_may_await():
    names = asyncio.run(run_snippets(["import asyncio\na = 1", "await asyncio.sleep(0)\nb = a + 1"]))
    assert names["b"] == 2
    with pytest.raises(NameError):
        asyncio.run(run_snippets(["MyVoice()"]))


def test_the_readme_links_to_files_that_exist():
    links = re.findall(r"\]\(([^)#\s]+)|<img[^>]*src=\"([^\"]+)\"", README)
    targets = [link or image for link, image in links if "://" not in (link or image)]
    assert [target for target in targets if not (ROOT / target).exists()] == []


def extras_named(text: str) -> set[str]:
    """The extras in every `pip install ".[...]"` of a text; in a notebook its quotes are escaped."""
    named = re.findall(r'pip install[^\n]*?\.\[([a-z, ]+)\]', text)
    return {extra.strip() for group in named for extra in group.split(",")}


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted(ROOT.glob("notebooks/*.ipynb"))], ids=lambda path: path.name)
def test_every_extra_that_a_text_tells_to_install_exists(path):
    assert extras_named(path.read_text()) <= set(EXTRAS)


def test_every_extra_that_the_code_asks_for_exists():
    asked = {
        extra
        for path in (ROOT / "patter_nb").rglob("*.py")
        for found in re.findall(r'need\([^)]*extra="([^"]+)"|INSTALL_FROM_CLONE.format\(extra="([^"]+)"', path.read_text())
        for extra in found
        if extra
    }
    assert asked
    assert asked <= set(EXTRAS)


def test_each_dependency_has_a_reason_beside_it():
    wanted = [*PYPROJECT["project"]["dependencies"], *(each for extra in EXTRAS.values() for each in extra)]
    bare = [each for each in wanted if not re.search(rf'"{re.escape(each)}",\s+# \w', PYPROJECT_TEXT)]
    assert bare == [], 'write beside it in pyproject.toml what it is for: "name>=1",  # what for'


FORBIDDEN = ("piper-tts", "espeakng-loader", "phonemizer", "sanotts[espeak]", "piper-onnx")


@pytest.mark.parametrize("extra", EXTRAS)
def test_no_extra_brings_a_package_under_the_gpl(extra):
    assert [each for each in EXTRAS[extra] if each.startswith(FORBIDDEN)] == []
    assert extra == "dev" or not [each for each in EXTRAS[extra] if each.startswith("soxr")], "soxr is LGPL: in dev only"


@pytest.mark.parametrize("requirement", EXTRAS["local"])
def test_the_notice_names_every_package_of_the_models_with_its_pinned_version(requirement):
    package, _, pin = re.split(r"(==|>=)", requirement)
    assert f"{package} {pin}" in NOTICE if "==" in requirement else package in NOTICE


def test_the_notice_says_what_is_known_of_the_models_and_that_this_is_not_patter():
    said = " ".join(NOTICE.split())
    for sentence in ("independent implementation", "not affiliated with", "icence as declared by the packager",
                     "provenance of the base voice unverified"):  # fmt: skip
        assert sentence in said


def test_the_licence_is_mit():
    licence = (ROOT / "LICENSE").read_text()
    assert licence.startswith("MIT License\n\nCopyright (c) 2026 The patter_nb authors\n")
    assert PYPROJECT["project"]["license"] == "MIT"


def test_the_checks_above_see_what_is_wrong():
    text = "```sh\none\n```\n```python\nfrom patter_nb import Patter\nawait Patter()\n```\n```sh\ntwo\n```\n"
    assert blocks(text, "sh") == ["one\n", "two\n"]
    assert names_imported(blocks(text, "python")[0]) == [("patter_nb", "Patter")]
    assert extras_named('pip install -q -e ".[local, nb]" and `pip install \\".[dev]\\"`') == {"local", "nb", "dev"}
