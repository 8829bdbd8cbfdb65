"""The conversation as a table of turns: what the caller said, what the caller heard, and what was generated but never heard."""

from __future__ import annotations

import math

from patter_nb.notebook.picture import markup
from patter_nb.notebook.view import CallView, Execution, Row, flag, ms_text, number, turn_rows, words
from patter_nb.notebook.waterfall import gap_of

OPEN_TURNS = 14
"""A longer conversation is folded until the reader opens it."""


def conversation_html(view: CallView) -> str:
    """All turns in the order of the call; nothing when there is none."""
    rows = turn_rows(view)
    if not rows:
        return ""
    lines, revision = [], number(view.revision)
    for row in rows:
        lines.append(_new_revision(row, revision))
        lines.append(_turn(row, _tools(view, row)))
        if not math.isnan(number(row.get("revision"))):
            revision = number(row.get("revision"))
    opened = " open" if len(rows) <= OPEN_TURNS or view.state == "running" else ""
    table = f'<table class="pnb-talk"><tbody>{"".join(lines)}</tbody></table>'
    return f"<details{opened}><summary>Conversation</summary>{table}</details>"


def heard_and_unheard(row: Row) -> tuple[str, str]:
    """What the caller's ear got of the reply, and what was generated beyond that."""
    generated, heard = words(row.get("agent_text")), words(row.get("heard_text"))
    if generated.startswith(heard):
        return heard, generated[len(heard) :].strip()
    return heard, generated


def _turn(row: Row, tools: str) -> str:
    turn, kind = number(row.get("turn")), words(row.get("kind"))
    label = f"{turn:.0f}" if kind == "caller" and math.isfinite(turn) else ""
    gap = gap_of(row)
    told = "" if math.isnan(gap) else f"{ms_text(gap)} ms"
    lines = []
    if kind == "caller" or words(row.get("caller_text")):
        lines.append(("caller", markup(words(row.get("caller_text"))) or _muted("(no words)"), ""))
    lines.append(('<span class="pnb-agent">agent</span>', _reply(row, kind, tools), told))
    if words(row.get("overlap_text")):
        lines.append(("caller", f"{markup(words(row.get('overlap_text')))} {_mark('over the agent')}", ""))
    return "".join(_line(label if index == 0 else "", *line, first=index == 0) for index, line in enumerate(lines))


def _line(turn: str, who: str, said: str, gap: str, *, first: bool) -> str:
    cells = f'<td class="pnb-turn">{turn}</td><td class="pnb-left pnb-who">{who}</td><td class="pnb-wrap pnb-words">{said}</td>'
    return f'<tr class="{"pnb-first" if first else ""}">{cells}<td class="pnb-gap">{gap}</td></tr>'


def _reply(row: Row, kind: str, tools: str) -> str:
    heard, unheard = heard_and_unheard(row)
    marks = [_mark(kind)] if kind in ("greeting", "said", "goodbye") else []
    if flag(row.get("interrupted")):
        marks.append(_mark("interrupted", "pnb-cut"))
    elif unheard:
        marks.append(_mark("not heard to its end" if heard else "not heard"))
    if tools:
        marks.append(_mark(f"tools: {tools}"))
    if words(row.get("guardrails")):
        marks.append(_mark(f"guardrail: {words(row.get('guardrails'))}", "pnb-cut"))
    if words(row.get("error")):
        marks.append(f'<span class="pnb-error">{markup(words(row.get("error")))}</span>')
    said = [markup(heard), f"<del>{markup(unheard)}</del>" if unheard else ""]
    return " ".join(part for part in (*said, *marks) if part) or _muted("(no reply)")


def _tools(view: CallView, row: Row) -> str:
    """What ran in the turn, each with its time where that is known."""
    turn = number(row.get("turn"))
    ran = view.tools.get(int(turn), ()) if math.isfinite(turn) else ()
    return ", ".join(map(_execution, ran)) or words(row.get("tools"))


def _execution(ran: Execution) -> str:
    length = "" if math.isnan(ran.ms) else f" {ms_text(ran.ms)} ms"
    return f"{ran.name}{length}{' failed' if ran.failed else ''}"


def _new_revision(row: Row, before: float) -> str:
    revision, edited_at = number(row.get("revision")), number(row.get("edit_requested_at"))
    if math.isnan(revision) or math.isnan(before) or revision == before:
        return ""
    edit = "" if math.isnan(edited_at) else f", edited at {edited_at:.1f} s"
    told = f"revision {revision:.0f} of the agent from here{edit}"
    return f'<tr><td></td><td class="pnb-left pnb-revision" colspan="3">{told}</td></tr>'


def _mark(text: str, extra: str = "") -> str:
    return f'<span class="pnb-mark {extra}">{markup(text)}</span>'


def _muted(text: str) -> str:
    return f'<span class="pnb-muted">{markup(text)}</span>'
