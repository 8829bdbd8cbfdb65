"""Asks whether a number may be pointed here: under the cell with two buttons, in a terminal by typing, else in one line.

Nobody waits for the answer, which comes on the loop that asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from patter_nb.errors import MissingExtra, PatterError, need
from patter_nb.given import in_terminal
from patter_nb.notebook.display import in_notebook
from patter_nb.notebook.loops import on_loop
from patter_nb.notebook.picture import markup
from patter_nb.notebook.studio.style import STUDIO_STYLE
from patter_nb.session.threads import in_thread

POINT = "Point it here"
LEAVE = "Leave it"
POINTED = "They come here until the server stops."
NOWHERE = "nowhere"

STYLE = """
.pnb-ui.pnb-ask{padding:12px 16px;gap:10px;max-width:760px}
.pnb-ui.pnb-ask .widget-html,.pnb-ui.pnb-ask .widget-html-content,.pnb-ui.pnb-ask .widget-hbox{
height:auto;min-height:0;margin:0;padding:0;line-height:1.5;font-size:13px;color:inherit;overflow:visible}
.pnb-ui.pnb-ask .pnb-ways{display:grid;grid-template-columns:40px 1fr;gap:2px 12px;margin:6px 0 0}
.pnb-ui.pnb-ask dt{margin:0;color:var(--pnb-muted);font-weight:400;font-size:12px;line-height:20px}
.pnb-ui.pnb-ask dd{margin:0;line-height:20px;overflow-wrap:anywhere}
.pnb-ui.pnb-ask .widget-hbox{gap:8px;min-height:30px;align-items:center}
.pnb-ui.pnb-ask button.jupyter-button{width:auto;height:30px;margin:0;padding:4px 12px;border:1px solid var(--pnb-line);
border-radius:6px;background:var(--pnb-surface);color:var(--pnb-ink);font:inherit;font-weight:500;line-height:20px;
box-shadow:none;cursor:pointer}
.pnb-ui.pnb-ask button.jupyter-button:hover:enabled{background:var(--pnb-raised);border-color:var(--pnb-muted);box-shadow:none}
.pnb-ui.pnb-ask button.pnb-primary{border-color:var(--pnb-agent);background:var(--pnb-agent);color:var(--pnb-surface)}
.pnb-ui.pnb-ask button.pnb-primary:hover:enabled{border-color:var(--pnb-ink);background:var(--pnb-ink);color:var(--pnb-surface)}
"""
"""Upon the studio's style sheet; ipywidgets' own rules for a button are outweighed."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: the number (masked), where it points, where it would, as they may be shown."""

    number: str
    now: str
    here: str
    answer: Callable[[bool], None]
    """Told the answer on the loop, at most once."""

    def line(self) -> str:
        return f"{self.number} points to {self.now or NOWHERE}, not here. manage_webhook=True points it to {self.here}."


class Asking(Protocol):
    """A question that was asked."""

    def say(self, text: str, *, pointed: bool = False) -> None:
        """What has become of it, in the place of the question. `pointed`: the number points here now. On the loop."""

    def lapse(self, text: str) -> None:
        """It is not asked any more, and was not answered. On the loop."""


def ask(question: Question, tell: Callable[[str], None]) -> Asking:
    """Ask, on the running loop. `tell` takes the lines of whoever has no buttons."""
    if in_notebook():
        try:
            return _Buttons(question)
        except MissingExtra:
            return _Line(question, tell)
    return _Prompt(question, tell) if in_terminal() else _Line(question, tell)


class _Line:
    """One line: nobody is there to answer."""

    def __init__(self, question: Question, tell: Callable[[str], None]) -> None:
        self._tell = tell
        tell(question.line())

    def say(self, text: str, *, pointed: bool = False) -> None:  # noqa: ARG002 (the line says it)
        self._tell(text)

    def lapse(self, text: str) -> None:
        pass


class _Prompt:
    """A line to be answered, in a thread that nobody waits for."""

    def __init__(self, question: Question, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._question = question
        self._task = asyncio.get_running_loop().create_task(self._ask(), name="ask about the number")

    async def _ask(self) -> None:
        question = self._question
        words = f"{question.number}: {question.now or NOWHERE} → {question.here}. {POINT}? [y/N] "
        try:
            text = await in_thread(input, words, who="input")
        except PatterError:  # nobody types any more
            self._tell(question.line())
            return
        question.answer(text.strip().lower() in ("y", "yes"))

    def say(self, text: str, *, pointed: bool = False) -> None:  # noqa: ARG002 (the line says it)
        self._task.cancel()
        self._tell(text)

    def lapse(self, text: str) -> None:
        self.say(text)


class _Buttons:
    """A small form under the cell. Who has no page to press them on reads the line in their place."""

    def __init__(self, question: Question) -> None:
        widgets: Any = need("ipywidgets", extra="nb", what="A question under the cell")
        from IPython.display import display

        self._question = question
        self._loop = asyncio.get_running_loop()
        self._answered = False
        self._words = widgets.HTML(_asked(question))
        self._outcome = widgets.HTML("", layout=widgets.Layout(display="none"))
        point = widgets.Button(description=POINT, tooltip=f"{POINT}: {question.here}")
        leave = widgets.Button(description=LEAVE, tooltip=f"{LEAVE}: {question.now or NOWHERE}")
        point.add_class("pnb-primary")
        point.on_click(lambda _: on_loop(self._loop, self._answer, True))
        leave.on_click(lambda _: on_loop(self._loop, self._answer, False))
        self._buttons = [point, leave]
        foot = widgets.HBox([*self._buttons, self._outcome])
        style = widgets.HTML(f"<style>{STUDIO_STYLE}{STYLE}</style>", layout=widgets.Layout(display="none"))
        self._box = widgets.VBox([style, self._words, foot])
        for name in ("pnb-ui", "pnb-surface", "pnb-ask"):
            self._box.add_class(name)
        bundle = self._box._repr_mimebundle_()
        display({**bundle, "text/plain": question.line()}, raw=True)  # type: ignore[no-untyped-call]

    def say(self, text: str, *, pointed: bool = False) -> None:
        # It stands where the buttons were, so that nothing below it jumps.
        self._answered = True
        for button in self._buttons:
            button.layout.display = "none"
        self._words.value = _asked(self._question, answered=True, pointed=pointed)
        self._outcome.value = f'<p role="status">{markup(POINTED if pointed else text)}</p>'
        self._outcome.layout.display = ""

    def lapse(self, text: str) -> None:
        self.say(text)

    def _answer(self, yes: bool) -> None:
        if not self._answered:
            self._answered = True
            for button in self._buttons:
                button.disabled = True
            self._question.answer(yes)


def _asked(question: Question, *, answered: bool = False, pointed: bool = False) -> str:
    now = f"<code>{markup(question.now)}</code>" if question.now else f'<span class="pnb-muted">{NOWHERE}</span>'
    first = f"<dt>{'before' if pointed else 'now'}</dt><dd>{now}</dd>"
    ways = f"{first}<dt>here</dt><dd><code>{markup(question.here)}</code></dd>"
    words = "" if answered else " do not come to this notebook. Point the number here until the server stops?"
    head = f'<div>Calls to <span class="pnb-strong">{markup(question.number)}</span>{words}</div>'
    return f'{head}<dl class="pnb-ways">{ways}</dl>'
