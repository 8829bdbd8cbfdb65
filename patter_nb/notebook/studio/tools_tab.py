"""The Tools tab: which tools an agent has, what its model is told of them, and what they did."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from patter_nb.errors import ConfigError
from patter_nb.notebook.studio.editing import Refused, edit, standing
from patter_nb.notebook.studio.panel import Asked, Panel, plain
from patter_nb.notebook.studio.ports import BuiltIn, Ports, Tried
from patter_nb.notebook.studio.refresh import Refresh
from patter_nb.notebook.studio.rules import chosen, in_force, known, runs_of, split

SHOWN_RUNS = 50


def tools_tab(ports: Ports, agent: str) -> ToolsTab:
    """The tab of the agent of this name."""
    return ToolsTab(ports, agent)


class ToolsTab:
    """`widget` is what is displayed."""

    def __init__(self, ports: Ports, agent: str) -> None:
        self._ports = ports
        self._line = ports.phone.line(agent)
        self._trials: set[asyncio.Task[None]] = set()
        do = {"apply": self._apply, "try": self._try}
        self._panel = Panel(ports, ("draft", "edit", "lists", "tools"), self._collect(), do)
        self._refresh = Refresh(ports, self._collect, self._panel.show)
        self.widget = self._panel.widget

    def close(self) -> None:
        self._refresh.close()
        for trial in list(self._trials):
            trial.cancel()
        self._panel.close()

    def _collect(self) -> dict[str, Any]:
        now, all_of_them = in_force(self._line, "tools"), known(self._line, "tools")
        own = [tool_state(tool, on=name in now) for name, tool in all_of_them.items()]
        given = [built_in_state(each) for each in self._ports.built_in if each.name not in now]
        return plain(
            {
                **standing("tools", self._ports, self._line),
                "when": self._ports.applies["tools"],
                "tools": [*own, *given],
                "servers": [server.name or "a server" for server in self._line.newest.agent.mcp_servers or ()],
                "runs": runs_of(self._ports, SHOWN_RUNS),
            }
        )

    def _apply(self, content: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
        changes = split(content.get("changes") or {})
        had = known(self._line, "tools")
        tools = [changed_tool(had[name], changes.get(name, {})) for name in chosen(self._line, "tools", changes)]
        answer = edit(self._ports, self._line, content, asked, {"tools": tools})
        self._refresh.now()
        return answer

    def _try(self, content: Mapping[str, Any], asked: Asked) -> None:
        """Run a tool as it is in force; the page is told when it has ended, which may take as long as the tool may."""
        name, arguments = str(content.get("name")), str(content.get("arguments") or "{}")
        task = self._ports.loop.create_task(self._tried(name, arguments, asked), name=f"tool {name} is tried")
        self._trials.add(task)
        task.add_done_callback(self._trials.discard)

    async def _tried(self, name: str, arguments: str, asked: Asked) -> None:
        tried: Tried = await self._ports.try_tool(self._line.newest.agent, name, arguments)
        found = {"result": tried.result, "error": tried.error, "ms": tried.ms, "attempts": tried.attempts}
        asked.tell("tried", **found, progress=list(tried.progress))


def tool_state(tool: Any, *, on: bool) -> dict[str, Any]:
    """A tool as the form shows it."""
    return {
        "name": tool.name,
        "on": on,
        "kind": "webhook" if tool.handler is None else "function",
        "runs": runs(tool),
        "description": tool.description,
        "schema": schema_text(tool.spec.parameters),
        "parameters": tool.spec.parameters,
        "signature": tool.parameters is None and tool.handler is not None,
        "timeout_s": tool.timeout_s,
        "filler": "" if tool.filler is None else tool.filler.text,
        "idempotent": tool.idempotent,
    }


def runs(tool: Any) -> str:
    """What does the work of a tool: the name of its function, or the host that is asked."""
    if tool.handler is None:
        return urlsplit(tool.webhook_url).hostname or ""
    return str(getattr(tool.handler, "__qualname__", type(tool.handler).__name__)).rpartition("<locals>.")[2]


def built_in_state(tool: BuiltIn) -> dict[str, Any]:
    """A tool that every agent has, as the form shows it."""
    schema = dict(tool.parameters)
    return {
        "name": tool.name,
        "on": True,
        "kind": "built in",
        "description": tool.description,
        "schema": schema_text(schema),
        "parameters": schema,
    }


def schema_text(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False)


def changed_tool(tool: Any, changes: Mapping[str, Any]) -> Any:
    """The tool with another description or schema; itself where neither is another one."""
    for part in ("description", "schema"):
        if part in changes:
            tool = _with(tool, part, changes[part])
    return tool


def _with(tool: Any, part: str, text: Any) -> Any:
    field = f"{part}:{tool.name}"
    try:
        if part == "description":
            return replace(tool, description=str(text))
        return replace(tool, parameters=_schema(tool.name, str(text)))
    except ConfigError as error:
        raise Refused(field, error) from None


def _schema(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigError(f"The schema of {name} is not JSON: {error}.") from None
