"""Colours and fonts, decided once: for figures, for cards, for the light and the dark page.

A colour is asked for by its role. Stage colours are the same on both pages: each is dark enough to stand on white, light enough
to stand on the dark surface, and carries its number in the colour of `label_role`. Neighbours on the way of a reply differ for
readers with any of the three common colour deficiencies; stages of one service share its hue.
"""

from __future__ import annotations

from collections.abc import Mapping

FONT_SIZE = 12.0
"""Body text in pixels."""
FIGURE_FONTS = ("DejaVu Sans",)
"""Comes with matplotlib, so figures look alike on every machine."""
CSS_FONTS = 'var(--jp-ui-font-family, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif)'

STAGES: Mapping[str, str] = {
    "endpointing_ms": "#c98508",
    "stt_final_ms": "#2f86c8",
    "transcript_hooks_ms": "#6c8454",
    "failed_reply_ms": "#9c54fc",
    "hooks_ms": "#8f9a2e",
    "llm_first_token_ms": "#1aa57a",
    "first_sentence_ms": "#5aa34a",
    "stages_ms": "#d824c0",
    "tts_first_byte_ms": "#cf6fae",
    "send_ms": "#8a7cf0",
    "leading_silence_ms": "#b98396",
    "stall_ms": "#cf2e2e",
}
"""By the span's column. The model's two stages are greens, the voice's two are pinks, the hooks' two are olives."""

_OTHER_STAGE = "#8c8f94"
"""For a span that has no colour of its own."""

_ANY_PAGE = {"on_bar": "#0b0f14", "on_stall": "#ffffff", "unexplained": "#8c8f94"}
_LIGHT = {
    "surface": "#ffffff", "raised": "#f4f6f8", "line": "#dde2e8", "ink": "#1b1f24", "muted": "#57606a",
    "caller": "#8a94a0", "agent": "#2d3640", "accent": "#b3400e", "error": "#b42318", "good": "#1a7348",
}
_DARK = {
    "surface": "#1b1f24", "raised": "#252b32", "line": "#3a424b", "ink": "#e8edf2", "muted": "#a3adb8",
    "caller": "#77818d", "agent": "#d5dce4", "accent": "#ff9a6b", "error": "#ff8f85", "good": "#6fd3a0",
}


def stage_role(column: str) -> str:
    """The role under which a span's colour is asked for."""
    return column.removesuffix("_ms")


def label_role(column: str) -> str:
    """The role of a number that stands on a span's bar."""
    return "on_stall" if column == "stall_ms" else "on_bar"


def palette(*, dark: bool) -> dict[str, str]:
    """Every role's colour as `#rrggbb`, for the light or the dark page."""
    stages = {stage_role(column): colour for column, colour in STAGES.items()}
    return {**_ANY_PAGE, **stages, **(_DARK if dark else _LIGHT)}


def colour(role: str, colours: Mapping[str, str]) -> str:
    """The colour of a role; a stage nobody chose a colour for is neutral."""
    return colours.get(role, _OTHER_STAGE)


def css_colour(role: str) -> str:
    """The role as a CSS value that follows the page's theme."""
    return f"var(--pnb-{role.replace('_', '-')}, {_OTHER_STAGE})"


def css_variables(*, dark: bool) -> str:
    """The palette as CSS custom properties."""
    return "".join(f"--pnb-{role.replace('_', '-')}:{value};" for role, value in palette(dark=dark).items())
