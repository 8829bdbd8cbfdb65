"""Readable for everyone: contrast by WCAG's formula, hues by simulation of the three colour deficiencies."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

from patter_nb.notebook.theme import STAGES, colour, css_colour, css_variables, label_role, palette, stage_role
from patter_nb.records.spans import SPANS

# Severity 1.0 of the model of Machado, Oliveira and Fernandes (2009), on linear RGB.
DEFICIENCIES = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
PAGES = [pytest.param(palette(dark=False), id="light"), pytest.param(palette(dark=True), id="dark")]


def linear(code: str) -> NDArray[np.float64]:
    channels = np.array([int(code[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    low, high = sorted(float(linear(code) @ [0.2126, 0.7152, 0.0722]) for code in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    ratio = to_xyz @ np.clip(rgb, 0, 1) / [0.9505, 1.0, 1.089]
    f = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("colours", PAGES)
@pytest.mark.parametrize("ground", ["surface", "raised"])
@pytest.mark.parametrize("text", ["ink", "muted", "accent", "error", "good"])
def test_text_stands_out_from_its_ground(colours: dict[str, str], ground: str, text: str) -> None:
    assert contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("colours", PAGES)
@pytest.mark.parametrize("column", STAGES)
def test_a_bar_can_be_seen_and_its_number_read(colours: dict[str, str], column: str) -> None:
    bar = colours[stage_role(column)]
    assert contrast(bar, colours["surface"]) >= 3.0
    assert contrast(colours[label_role(column)], bar) >= 4.5


@pytest.mark.parametrize("colours", PAGES)
@pytest.mark.parametrize("role", ["caller", "agent", "unexplained", "accent"])
def test_lanes_hatching_and_interruptions_can_be_seen(colours: dict[str, str], role: str) -> None:
    assert contrast(colours[role], colours["surface"]) >= 3.0


@pytest.mark.parametrize("colours", PAGES)
def test_an_interruption_stands_out_from_both_speakers(colours: dict[str, str]) -> None:
    assert contrast(colours["caller"], colours["agent"]) >= 2.5


def test_every_span_has_a_colour_of_its_own_and_no_other_has() -> None:
    assert set(STAGES) == {kind.column for kind in SPANS}
    assert len(set(STAGES.values())) == len(STAGES)


def distances(deficiency: str | None, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], float]:
    """How far two spans' colours lie apart in CIELAB (1976) for an eye of this kind."""
    matrix = np.array(DEFICIENCIES[deficiency]) if deficiency else np.eye(3)
    seen = {column: lab(matrix @ linear(code)) for column, code in STAGES.items()}
    return {pair: float(np.linalg.norm(seen[f"{pair[0]}_ms"] - seen[f"{pair[1]}_ms"])) for pair in pairs}


ORDER = (
    "endpointing", "stt_final", "transcript_hooks", "failed_reply", "hooks", "llm_first_token", "first_sentence", "stages",
    "tts_first_byte", "send", "leading_silence",
)  # fmt: skip
WITHOUT_THE_RARE = [
    ("stt_final", "failed_reply"), ("stt_final", "hooks"), ("first_sentence", "tts_first_byte"), ("endpointing", "failed_reply"),
    ("endpointing", "transcript_hooks"), ("transcript_hooks", "hooks"), ("failed_reply", "tts_first_byte"),
]  # fmt: skip
"""Neighbours too: most replies do not fail, most agents have no hooks, and the fallback line of a failed reply needs no model."""
RELATED = {("llm_first_token", "first_sentence"), ("tts_first_byte", "leading_silence"), ("transcript_hooks", "hooks")}
"""One service's two stages are meant to look alike, yet not the same."""


@pytest.mark.parametrize("deficiency", [None, *DEFICIENCIES])
def test_neighbours_on_the_way_of_a_reply_differ_for_every_eye(deficiency: str | None) -> None:
    neighbours = distances(deficiency, {*itertools.pairwise(ORDER), *WITHOUT_THE_RARE} - RELATED)
    assert min(neighbours.values()) >= 20, neighbours
    assert min(distances(deficiency, RELATED).values()) >= 12


def test_every_span_has_its_place_on_the_way_of_a_reply() -> None:
    assert [kind.name for kind in SPANS if kind.name != "stall"] == list(ORDER)


@pytest.mark.parametrize("deficiency", [None, *DEFICIENCIES])
@pytest.mark.parametrize("name", ["transcript_hooks", "stages"])
def test_a_stage_that_few_turns_have_is_told_from_all_others(deficiency: str | None, name: str) -> None:
    others = distances(deficiency, [(name, other) for other in (*ORDER, "stall") if other != name])
    assert min(others.values()) >= 10, others


@pytest.mark.parametrize("deficiency", [None, *DEFICIENCIES])
def test_a_stall_is_told_from_whatever_it_falls_into(deficiency: str | None) -> None:
    stalled = distances(deficiency, [("stall", name) for name in ORDER])
    assert min(stalled.values()) >= 10, stalled


def test_a_stage_is_the_same_on_both_pages() -> None:
    light, dark = palette(dark=False), palette(dark=True)
    assert all(light[stage_role(column)] == dark[stage_role(column)] for column in STAGES)


def test_a_role_nobody_chose_a_colour_for_is_neutral_everywhere() -> None:
    neutral = colour("teleport", palette(dark=True))
    assert neutral == colour("teleport", palette(dark=False))
    assert css_colour("teleport") == f"var(--pnb-teleport, {neutral})"


def test_css_has_every_role_of_the_palette() -> None:
    declared = css_variables(dark=True)
    assert all(f"--pnb-{role.replace('_', '-')}:{value};" in declared for role, value in palette(dark=True).items())
