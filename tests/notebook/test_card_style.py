from __future__ import annotations

import re

from patter_nb.notebook.card_style import STYLE
from patter_nb.notebook.theme import css_variables


def selectors(css: str) -> list[str]:
    heads = re.findall(r"([^{}]+)\{", css)
    return [one.strip() for head in heads if not head.startswith("@") for one in head.split(",")]


def test_no_rule_reaches_beyond_the_card() -> None:
    assert len(selectors(STYLE)) > 40
    assert all(".pnb-card" in selector for selector in selectors(STYLE))


def test_braces_are_balanced_and_nothing_is_loaded() -> None:
    assert STYLE.count("{") == STYLE.count("}")
    assert not re.search(r"url\(|@import|@font-face|//", STYLE)


def test_the_pages_own_theme_goes_before_the_system_setting() -> None:
    light, dark = css_variables(dark=False), css_variables(dark=True)
    system = STYLE.index("@media (prefers-color-scheme:dark)")
    for page, declared in (("true", light), ("false", dark)):
        rule = STYLE.index(f'[data-jp-theme-light="{page}"] .pnb-card')
        assert rule > system
        assert STYLE[STYLE.index("{", rule) + 1 :].startswith(declared)


def test_every_class_that_is_used_is_styled_or_only_a_name(make_view) -> None:  # type: ignore[no-untyped-def]
    from patter_nb.notebook.card import card_html

    html = card_html(make_view(3, cut=(1, 2), error="It broke.", notes=("A note.",)))
    used = {name for value in re.findall(r'class="([^"]*)"', html) for name in value.split()}
    assert {name for name in used if f".{name}" not in STYLE} <= {"pnb-ended", "pnb-words"}
