"""The card of a call as HTML that stands alone: no script, nothing loaded from anywhere, readable on light and dark pages.

Where a viewer strips styles and drawings (a notebook that is not trusted), its tables and texts remain.
"""

from __future__ import annotations

from patter_nb.notebook.card_style import STYLE
from patter_nb.notebook.conversation import conversation_html
from patter_nb.notebook.picture import markup, svg
from patter_nb.notebook.tables import (
    NO_COST,
    NOTHING_MEASURED,
    CostLine,
    LatencyLine,
    cost_lines,
    latency_lines,
    summary_parts,
    turn_costs,
    unknown_costs,
)
from patter_nb.notebook.theme import css_colour, stage_role
from patter_nb.notebook.view import PERCENTILES, CallView, caller_rows, standing, usd_text, words
from patter_nb.notebook.waterfall import UNEXPLAINED, call_picture
from patter_nb.records.spans import SPANS

_COLOURED = {kind.column for kind in SPANS}


def card_html(view: CallView) -> str:
    """Everything there is to see of one call, as one HTML element."""
    parts = [
        _head(view),
        _player(view),
        f'<div class="pnb-figure">{svg(call_picture(view))}</div>' if view.answered else "",
        f'<div class="pnb-tables">{tables}</div>' if (tables := _latency(view) + _cost(view)) else "",
        conversation_html(view),
    ]
    return f'<div class="pnb-card"><style>{STYLE}</style>{"".join(parts)}</div>'


def _head(view: CallView) -> str:
    state = f'<span class="pnb-state pnb-{_tone(view)}">{markup(standing(view))}</span>'
    when = "" if view.started_at is None else f'<span class="pnb-when">{view.started_at:%Y-%m-%d %H:%M %Z}</span>'
    name = f'<span class="pnb-name">{markup(words(view.agent))}</span>'
    what = f"<span>{markup(' · '.join(summary_parts(view)))}</span>"
    error = f'<p class="pnb-error">{markup(words(view.error))}</p>' if view.error else ""
    notes = "".join(f'<p class="pnb-note">{markup(words(note))}</p>' for note in view.notes)
    return f'<div class="pnb-head">{name} {state} {what} {when}</div>{error}{notes}'


def _tone(view: CallView) -> str:
    """The class that colours how the call stands: an end before any answer stands out."""
    early = view.state == "ended" and not view.answered
    return "failed" if early and standing(view) == "failed" else "unanswered" if early else view.state


def _player(view: CallView) -> str:
    if view.recording is None or not len(view.recording.samples):
        return ""
    return f'{view.recording._repr_html_()}<p class="pnb-ears">left ear: the caller · right ear: the agent, as it was heard</p>'


def _latency(view: CallView) -> str:
    lines = latency_lines(view)
    if not caller_rows(view):
        return ""
    if not lines:
        return f'<p class="pnb-latency pnb-muted">{NOTHING_MEASURED}</p>'
    heads = "".join(f"<th>{name}</th>" for name in (*PERCENTILES, "n"))
    body = "".join(_latency_row(line) for line in lines)
    head = f'<thead><tr><th class="pnb-left" colspan="2"></th>{heads}</tr></thead>'
    return f'<div class="pnb-latency"><table><caption>Latency, ms</caption>{head}<tbody>{body}</tbody></table></div>'


def _latency_row(line: LatencyLine) -> str:
    strong = ' class="pnb-strong"' if line.column == "gap_ms" else ""
    label = f'<th class="pnb-left">{_swatch(line.column)}{markup(line.label)}</th>'
    owner = f'<td class="pnb-left"><span class="pnb-muted">{markup(line.owner)}</span></td>'
    numbers = "".join(f"<td>{text}</td>" for text in (*line.percentiles, str(line.n)))
    return f"<tr{strong}>{label}{owner}{numbers}</tr>"


def _swatch(column: str) -> str:
    if column == UNEXPLAINED:
        return '<span class="pnb-swatch pnb-hatched"></span>'
    return f'<span class="pnb-swatch" style="background:{css_colour(stage_role(column))}"></span>' if column in _COLOURED else ""


def _cost(view: CallView) -> str:
    lines = cost_lines(view)
    if view.state == "running" and not caller_rows(view):
        return ""
    if not view.answered and all(line.usd == 0 for line in lines):
        return ""  # nobody answered, and nothing was spent on it
    if not lines:
        return f'<p class="pnb-cost pnb-muted">{NO_COST}</p>'
    body = "".join(_cost_row(line) for line in lines)
    head = '<thead><tr><th class="pnb-left"></th><th class="pnb-left">used</th><th>USD</th></tr></thead>'
    reasons = "".join(f'<p class="pnb-note">{markup(reason)}</p>' for reason in unknown_costs(view))
    table = f"<table><caption>Cost</caption>{head}<tbody>{body}</tbody></table>"
    return f'<div class="pnb-cost">{table}{reasons}{_cost_by_turn(view)}</div>'


def _cost_row(line: CostLine) -> str:
    provider = f'<br><span class="pnb-muted">{markup(line.provider)}</span>' if line.provider else ""
    used = f'<td class="pnb-left"><span class="pnb-muted">{markup(line.used)}</span></td>'
    summed = ' class="pnb-sum"' if line.part == "total" else ""
    return f'<tr{summed}><th class="pnb-left">{markup(line.part)}{provider}</th>{used}<td>{usd_text(line.usd)}</td></tr>'


def _cost_by_turn(view: CallView) -> str:
    turns = turn_costs(view)
    if not any(turn.usd["total"] for turn in turns):
        return ""
    parts = list(dict.fromkeys(part for turn in turns for part in turn.usd))
    head = "".join(f"<th>{markup(part)}</th>" for part in ("turn", *parts))
    rows = "".join(
        f"<tr><td>{turn.turn}</td>{''.join(f'<td>{usd_text(turn.usd[part])}</td>' for part in parts)}</tr>" for turn in turns
    )
    return f"<details><summary>by turn</summary><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></details>"
