"""The studio of a phone: widgets to change its agents with, between calls and during them."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any, cast

from patter_nb.agent import APPLIES, Agent
from patter_nb.agent.modes import ENGINE_ONLY, PIPELINE_ONLY
from patter_nb.archive import Archive
from patter_nb.callers import Line
from patter_nb.errors import ConfigError, MissingExtra
from patter_nb.guardrails import Guardrail, blocked_spans
from patter_nb.notebook.display import in_notebook
from patter_nb.notebook.loops import kernel_loop, on_loop
from patter_nb.notebook.studio.ports import Phone, Ports
from patter_nb.notebook.studio.watch import Watch
from patter_nb.session.boundary import guard
from patter_nb.tryout import built_in, try_check, try_tool

if TYPE_CHECKING:
    from patter_nb.agents import Agents
    from patter_nb.call import Call
    from patter_nb.notebook.studio.shell import Shell
    from patter_nb.records.log import CallLog
    from patter_nb.records.store import Store

_every: weakref.WeakSet[Shell] = weakref.WeakSet()
"""The studios of all phones, since a cell that is run again may have made its phone again, too."""


class Studio:
    """The part of `Patter` that a notebook shows as widgets."""

    _agents: Agents
    _calls: list[Call]
    _log: CallLog
    _store: Store | None
    _watch: Watch
    _studios: list[Shell]

    def studio(self, agent: Agent | str | None = None) -> Any:
        """Widgets that edit an agent, between calls and during them; the last expression of a cell shows them.

        `agent`: the agent or its name; left out, the one that was made last. Several studios stay in step. A cell that is run
        again shows the studio that it showed before, with a call that is on there, or closes it where it shows another agent
        now. `MissingExtra` where anywidget or ipywidgets is not installed.
        """
        name = None if agent is None else self._agents.line(agent).name
        loop = kernel_loop() or _running_loop()
        from patter_nb.notebook.studio.shell import Shell, running_cell

        for other in [each for each in _every if each.shown_by(running_cell())]:
            if other in self._studios and other.shows(name):
                return other.widget
            other.close()
        shell = Shell(self._ports(loop), lambda: list(self._agents.newest()), name)
        self._studios = [*(other for other in self._studios if not other.closed), shell]
        _every.add(shell)
        on_loop(loop, self._follow_calls)
        return shell.widget

    def _follow_calls(self) -> None:
        for call in self._calls:
            if call.state == "running":
                self._watch.follow(call)

    def _ports(self, loop: asyncio.AbstractEventLoop) -> Ports:
        return Ports(
            phone=cast("Phone", self),
            loop=loop,
            guard=guard,
            watch=lambda changed: self._watch.look(loop, changed),
            applies=APPLIES,
            unused={"pipeline": ENGINE_ONLY, "openai_realtime": PIPELINE_ONLY, "elevenlabs_convai": PIPELINE_ONLY},
            built_in=built_in(),
            try_tool=try_tool,
            try_check=try_check,
            blocked_spans=blocked_spans,
            make_guardrail=Guardrail,
            softphone=_softphone,
            archive=Archive(self._calls, self._log, self._store),
            caller_line=Line,
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Any:  # noqa: ARG002 (IPython's)
        """In a notebook the studio; anywhere else one line."""
        line = {"text/plain": repr(self)}
        if not in_notebook():
            return line
        try:
            widget = self.studio()
        except MissingExtra as error:
            return {"text/plain": f"{self!r}\n{error}"}
        shown = widget._repr_mimebundle_()
        return {**(shown[0] if isinstance(shown, tuple) else shown), **line}


def _running_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigError("studio() shows widgets: use it in a notebook; elsewhere phone.edit(...) does the same.") from None


def _softphone() -> Any:
    from patter_nb.softphone import Softphone

    return Softphone()
