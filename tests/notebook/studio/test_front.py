"""The front ends as they are shipped: files beside the code, one module each, nothing from anywhere else."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from patter_nb.notebook.studio.front import css, esm
from patter_nb.notebook.studio.style import STUDIO_STYLE

STATIC = [each for each in files("patter_nb.notebook.studio").joinpath("static").iterdir() if each.name.endswith((".js", ".css"))]
SCRIPTS = [each for each in STATIC if each.name.endswith(".js")]


@pytest.mark.parametrize("file", STATIC, ids=lambda file: file.name)
def test_nothing_is_loaded_from_anywhere(file):
    text = file.read_text("utf-8")
    assert not re.search(r"https?://(?!www\.w3\.org/)|@import|import\s*\(|^import\s|\burl\((?!#)", text, re.MULTILINE)


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_data_never_becomes_markup(file):
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", file.read_text("utf-8"))


@pytest.mark.parametrize("file", [each for each in STATIC if each.name.endswith(".css")], ids=lambda file: file.name)
def test_a_style_sheet_touches_the_studio_alone(file):
    text = re.sub(r"/\*.*?\*/", "", file.read_text("utf-8"), flags=re.DOTALL)
    rules = [rule.strip() for rule in re.findall(r"([^{}]+)\{", text)]
    assert [rule for rule in rules if ".pnb-" not in rule and not re.fullmatch(r"@.*|from|to|[\d., %]+", rule)] == []


def test_the_shared_style_sheet_touches_the_studio_alone():
    rules = re.findall(r"([^{}]+)\{", re.sub(r"@media[^{]+\{", "", STUDIO_STYLE))
    assert [rule for rule in rules if ".pnb-" not in rule] == []


def test_files_are_joined_and_only_the_last_one_exports():
    joined = esm("dom", "channel", "draft", "edit", "prompt_text", "prompt")
    assert joined.count("export default") == 1
    assert joined.index("class Channel") < joined.index("class Editing") < joined.index("export default")


def test_a_style_sheet_begins_with_the_shared_one_and_needs_no_file_of_its_own():
    assert css("dom") == STUDIO_STYLE
    assert css("prompt").startswith(STUDIO_STYLE)


def test_a_style_sheet_of_its_own_outweighs_the_shared_one_of_another_widget():
    own = css("lists").removeprefix(STUDIO_STYLE)
    assert ".pnb-ui.pnb-ui .pnb-list {" in own
    assert not re.search(r"\.pnb-ui(?!\.pnb-ui| |\.pnb-surface)", own.replace(".pnb-ui.pnb-ui", ".pnb-ui"))
