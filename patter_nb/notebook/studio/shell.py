"""The studio: a line that says which agent it is and whether it is on the phone, and tabs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from patter_nb.errors import ConfigError, need
from patter_nb.notebook.loops import kernel_shell
from patter_nb.notebook.studio.call_tab import call_tab
from patter_nb.notebook.studio.calls_tab import calls_tab
from patter_nb.notebook.studio.editing import on_air
from patter_nb.notebook.studio.guardrails_tab import guardrails_tab
from patter_nb.notebook.studio.panel import WHAT, Asked, Panel, close_widget
from patter_nb.notebook.studio.ports import Ports
from patter_nb.notebook.studio.prompt_tab import prompt_tab
from patter_nb.notebook.studio.refresh import Refresh
from patter_nb.notebook.studio.tools_tab import tools_tab


class Tab(Protocol):
    """One tab. `close` ends whatever it listens to."""

    widget: Any

    def close(self) -> None: ...


TABS: Sequence[tuple[str, Callable[[Ports, str], Tab]]] = (
    ("Prompt", prompt_tab),
    ("Tools", tools_tab),
    ("Guardrails", guardrails_tab),
    ("Call", call_tab),
    ("Calls", calls_tab),
)
"""The title of each tab, and what makes it for the agent of a name."""


@cache
def _box_class() -> Any:
    widgets = need("ipywidgets", extra="nb", what=WHAT)

    class StudioBox(widgets.VBox):  # type: ignore[misc,name-defined]
        """What is displayed. Closing it closes the studio."""

        shell: Shell

        def close(self) -> None:
            super().close()
            self.shell.close()

    return StudioBox


class Shell:
    """One studio. `names()` are those of the phone's agents, in the order in which they came; `agent` is the one it shows: None
    for the last of them, also when it is made later."""

    def __init__(self, ports: Ports, names: Callable[[], Sequence[str]], agent: str | None) -> None:
        self._ports = ports
        self._names = names
        self._agent = agent
        self._cell = running_cell()
        self._tabs: list[Tab] = []
        self._box: Any = None
        self.closed = False
        self._header = Panel(ports, ("header",), self._collect(), {"choose": self._choose})
        self.widget = _box_class()(children=(self._header.widget,))
        self.widget.shell = self
        for name in ("pnb-ui", "pnb-surface", "pnb-studio"):
            self.widget.add_class(name)
        self._shown: str | None = None
        self._show(self._collect())
        self._refresh = Refresh(ports, self._collect, self._show)

    def shown_by(self, cell: str | None) -> bool:
        """Whether this cell shows it; one that is run again shows only the last of its studios."""
        return cell is not None and cell == self._cell and not self.closed

    def shows(self, agent: str | None) -> bool:
        """Whether it stands where a new one of this agent would: None for the last of them."""
        names = list(self._names())
        return self._shown == (agent or (names[-1] if names else None))

    def close(self) -> None:
        """Close the tabs, and listen to nothing any more."""
        if self.closed:
            return
        self.closed = True
        self._refresh.close()
        self._close_tabs()
        self._header.close()
        close_widget(self.widget)

    def _close_tabs(self) -> None:
        for tab in self._tabs:
            tab.close()
        self._tabs = []
        if self._box is not None:
            close_widget(self._box)
            self._box = None

    def _collect(self) -> dict[str, Any]:
        names = list(self._names())
        name = self._agent or (names[-1] if names else None)
        if name is None:
            return {"agent": None, "names": [], "calls": []}
        line = self._ports.phone.line(name)
        newest = line.newest
        return {
            "agent": name,
            "names": names,
            "services": services(newest.agent),
            "revision": newest.number,
            "calls": on_air(self._ports, line),
        }

    def _show(self, state: Mapping[str, Any]) -> None:
        self._header.show(state)
        name = state["agent"]
        if name is not None and name != self._shown:
            self._shown = self._agent = name
            self._close_tabs()
            self._open_tabs(name)

    def _open_tabs(self, name: str) -> None:
        widgets = need("ipywidgets", extra="nb", what=WHAT)
        self._tabs = [make(self._ports, name) for _, make in TABS]
        shown, titles = tuple(tab.widget for tab in self._tabs), tuple(title for title, _ in TABS)
        self._box = widgets.Tab(children=shown, titles=titles, selected_index=0)
        self._box.add_class("pnb-tabs")
        self.widget.children = (self._header.widget, self._box)

    def _choose(self, content: Mapping[str, Any], _asked: Asked) -> None:
        name = content.get("agent")
        if name not in self._names():
            raise ConfigError(f"agent is {name!r}, and there is none of that name.")
        if name != self._shown and any(getattr(tab, "on_the_phone", False) for tab in self._tabs):
            raise ConfigError(f"You are on the phone with {self._shown}: hang up first, then choose {name}.")
        self._agent = str(name)
        self._show(self._collect())


def services(agent: Any) -> list[str]:
    """Who hears, thinks and speaks, in a few words each."""
    if agent.engine is not None:
        return [f"{agent.provider}, {agent.model}"]
    parts = (agent.stt, agent.llm, agent.tts)
    return ["on_message" if part is None else type(part).__name__ for part in parts]


def running_cell() -> str | None:
    """What identifies the running cell, however often it is run; None where the page does not say."""
    shell = kernel_shell()
    if shell is None:
        return None
    metadata = shell.get_parent().get("metadata", {})
    cell = metadata.get("cellId")
    return str(cell) if cell else None
