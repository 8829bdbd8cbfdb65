"""The Call tab: talk to the agent yourself or let a scripted caller do it, and watch the call while it is on."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from patter_nb.errors import ConfigError, need
from patter_nb.notebook.studio.live import LivePanel
from patter_nb.notebook.studio.panel import WHAT, Panel, close_widget
from patter_nb.notebook.studio.ports import Ports

FIRST_LINES = ("Hi, when is dinner?", "Thanks, bye.")
MOST_LINES = 200


def call_tab(ports: Ports, agent: str) -> CallTab:
    """The tab of the agent of this name."""
    return CallTab(ports, agent)


class CallTab:
    """`widget` is what is displayed: the softphone, the scripted caller, and below them the call."""

    title = "Call"

    def __init__(self, ports: Ports, agent: str) -> None:
        widgets: Any = need("ipywidgets", extra="nb", what=WHAT)
        self._ports = ports
        self._line = ports.phone.line(agent)
        self._softphone = ports.softphone()
        self._softphone.on_talk(self._talk)
        lines = [{"text": text} for text in FIRST_LINES]
        self._caller: dict[str, Any] = {"lines": lines, "listen": True, "noise_db": "", "running": False, "error": ""}
        self._editor = Panel(ports, ("caller",), self._caller, {"keep": self._keep, "run": self._run})
        self._live = LivePanel(ports)
        self._stop = ports.watch(self._look)
        layout = widgets.Layout(display="flex", flex_flow="row wrap", align_items="flex-start", grid_gap="20px 28px")
        both = [_sized(self._softphone.widget, "1 1 440px"), _sized(self._editor.widget, "1 1 480px")]
        self._callers = widgets.Box(both, layout=layout)
        self.widget = widgets.VBox([self._callers, self._live.widget], layout=widgets.Layout(grid_gap="20px"))
        for name in ("pnb-ui", "pnb-body"):
            self.widget.add_class(name)
        self._look()

    def close(self) -> None:
        self._stop()
        self._live.close()
        self._editor.close()
        self._softphone.off_talk(self._talk)
        self._softphone.close()
        for widget in (self._softphone.widget, self._callers, self.widget):
            close_widget(widget)

    @property
    def on_the_phone(self) -> bool:
        """Whether somebody talks, or listens, on the softphone of the tab."""
        return bool(self._softphone.is_busy)

    def _talk(self) -> None:
        """Talk was pressed while no call was on. What is wrong with the agent, the softphone says."""
        self._ports.phone.test(self._line.newest.agent, caller=self._softphone, show=False)

    def _keep(self, content: Mapping[str, Any], _asked: Any) -> None:
        """What the caller's editor holds, for pages that are opened later."""
        lines = content.get("lines")
        if isinstance(lines, list):
            kept = [line for line in lines[:MOST_LINES] if isinstance(line, dict)]
            more = {"listen": content.get("listen") is True, "noise_db": str(content.get("noise_db") or "")}
            self._show(lines=kept or [{"text": ""}], **more)

    def _run(self, content: Mapping[str, Any], asked: Any) -> dict[str, Any]:
        self._keep(content, asked)
        lines = [self._said(line) for line in self._caller["lines"] if str(line.get("text") or "").strip()]
        if not lines:
            raise ConfigError("The caller says nothing: write at least one line.")
        settings: dict[str, Any] = {}
        if self._caller["noise_db"]:
            settings["noise_db"] = float(self._caller["noise_db"])
        if self._caller["listen"]:
            if self._softphone.in_use:
                raise ConfigError("The softphone is in use: hang up first, or switch “heard while it runs” off.")
            settings["listen"] = self._softphone
        call = self._ports.phone.test(self._line.newest.agent, caller=lines, show=False, **settings)
        return {"call": call.id}

    def _said(self, line: Mapping[str, Any]) -> Any:
        text = str(line["text"]).strip()
        if not line.get("interrupts"):
            return self._ports.caller_line(text)
        seconds = line.get("seconds")
        with contextlib.suppress(TypeError, ValueError):  # what is no number is refused below, with a sentence
            seconds = float(seconds)  # type: ignore[arg-type]
        return self._ports.caller_line(text, interrupt_after_seconds=seconds)

    def _look(self) -> None:
        self._show(running=any(call.live.line is self._line for call in self._ports.phone.live_calls))

    def _show(self, **changes: Any) -> None:
        now = {**self._caller, **changes}
        if now != self._caller:
            self._caller = now
            self._editor.show(now)


def _sized(widget: Any, flex: str) -> Any:
    widget.layout.flex = flex
    widget.layout.min_width = "280px"
    return widget
