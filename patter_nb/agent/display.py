"""An agent as a table under a cell."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from patter_nb.agent.checks import short

LONGEST = 300


def agent_html(content_id: str, content: Mapping[str, Any]) -> str:
    """The fields that say something, one row each; secrets are not in `content`."""
    rows = "".join(
        f"<tr><th style='text-align:left;vertical-align:top'>{html.escape(key)}</th>"
        f"<td style='text-align:left'>{html.escape(short(_shown(value), LONGEST))}</td></tr>"
        for key, value in content.items()
        if value not in ("", None, {}, [], False)
    )
    return f"<table><caption style='text-align:left'>Agent {content_id}</caption>{rows}</table>"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        named = value.get("name")
        return str(named) if named else ", ".join(f"{key}: {_shown(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return str(value)
