"""The agents of one phone: their lines of revisions, the tools, guardrails and hooks of its cells, and edits of all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from patter_nb.agent import Agent
from patter_nb.errors import ConfigError, ConfigTypeError
from patter_nb.guardrails import Guardrail
from patter_nb.hooks import PipelineHooks, hook_at, with_hook
from patter_nb.live import Difference, Edit, Revision, RevisionLine, Scope
from patter_nb.tools import Tool

Read = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class Agents:
    """`keep(name, revision)` is told each new revision, `read` makes settings of what users wrote for them. Safe to use from any
    thread."""

    def __init__(self, keep: Callable[[str, Revision], None], read: Read = dict) -> None:
        self.lock = threading.RLock()
        """Held while anything changes, and while a call chooses its revision."""
        self._keep = keep
        self._read = read
        self._lines: dict[str, RevisionLine] = {}
        self._tools: dict[str, Tool] = {}
        self._guardrails: dict[str, Guardrail] = {}
        self._hooks: dict[str, Any] = {}

    def stage(self, agent: Agent, note: str = "") -> Revision:
        """Make the agent the newest of its line."""
        with self.lock:
            return self._line_of(agent.name).stage(agent, note)[0]

    def known(self, agent: Any) -> Revision | None:
        """The revision of the agent's content, holding this very object; None for one that was never seen."""
        if not isinstance(agent, Agent):
            raise ConfigTypeError(f"agent is {type(agent).__name__}; it must be an Agent, as phone.agent(...) returns it.")
        line = self._lines.get(agent.name)
        return None if line is None or line.find(agent) is None else line.exact(agent)

    def newer(self, given: Revision) -> Revision | None:
        """The newest revision of the line, where that is another one."""
        newest = self._lines[given.agent.name].newest
        return None if newest.number == given.number else newest

    def line(self, agent: Agent | str | None = None) -> RevisionLine:
        """The line of an agent or a name; without either the only one there is. `ConfigError` where there is none, or more."""
        name = agent.name if isinstance(agent, Agent) else agent
        if not isinstance(name, str | None):
            raise ConfigTypeError(f"agent is {type(name).__name__}; it must be an Agent, or its name.")
        with self.lock:
            lines = dict(self._lines)
        names = ", ".join(map(repr, lines))
        if name is None and len(lines) == 1:
            return next(iter(lines.values()))
        if name is None:
            there = f"there are {names}: name one" if names else "there is none: use phone.agent(...)"
            raise ConfigError(f"Which agent is meant is not clear; {there}.")
        if name not in lines:
            raise ConfigError(f"agent is {name!r}, and there is none of that name; there are: {names or 'none at all'}.")
        return lines[name]

    def newest(self) -> dict[str, Agent]:
        """The newest revision of each agent, by its name."""
        with self.lock:
            return {name: line.newest.agent for name, line in self._lines.items()}

    def edit(self, agent: Agent | str | None, changes: Mapping[str, Any], *, note: str, scope: Scope) -> Edit:
        return self.line(agent).propose(changes, note=note, scope=scope)

    def roll_back(self, agent: Agent | str | None, number: int, *, note: str, scope: Scope) -> Edit:
        return self.line(agent).roll_back(number, note=note, scope=scope)

    def diff(self, agent: Agent | str | None, before: int, after: int | None) -> Difference:
        return self.line(agent).diff(before, after)

    # Tools, guardrails and hooks that a cell gave to the phone belong to every agent of it.

    def with_rules(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of a new agent with the phone's own tools, guardrails and hooks; those the settings name themselves come
        first."""
        with self.lock:
            joined = {
                "tools": _joined(settings.get("tools"), self._tools),
                "guardrails": _joined(settings.get("guardrails"), self._guardrails),
                "hooks": _hooked(settings, self._hooks),
            }
        return {**settings, **{name: rules for name, rules in joined.items() if rules or name in settings}}

    def add_tool(self, tool: Tool) -> list[Edit]:
        """From now on every agent has it; one of the same name is replaced, in calls that are on as well."""
        with self.lock:
            self._tools[tool.name] = tool
            return self._spread_rule("tools", tool)

    def add_guardrail(self, rail: Guardrail) -> list[Edit]:
        """From now on every agent has it; one of the same name is replaced, in calls that are on as well."""
        with self.lock:
            edits = self._spread_rule("guardrails", rail)  # first: an agent may refuse it beside its own
            self._guardrails[rail.name] = rail
            return edits

    def add_hook(self, stage: str, hook: Any) -> list[Edit]:
        """From now on every agent of a pipeline has it at this stage, in the place of what stood there, in calls that are on as
        well; None: nothing stands there."""
        made = {id(None): with_hook(None, stage, hook)}  # says what is wrong with it also where there is no agent yet

        def hooks_of(agent: Agent) -> PipelineHooks | None:
            """One object for all who had one, so that a call is not taken for one with hooks of its own."""
            if id(agent.hooks) not in made:
                made[id(agent.hooks)] = with_hook(agent.hooks, stage, hook)
            return made[id(agent.hooks)]

        with self.lock:
            edits = self._spread("hooks", hooks_of, note=f"hook {stage}")
            for name in [name for name in self._hooks if f"{name}.".startswith(f"{stage}.")]:
                del self._hooks[name]  # a whole stage takes the place of its tiers, too
            if hook is not None:
                self._hooks[stage] = hook
            return edits

    def _spread_rule(self, field: str, rule: Tool | Guardrail) -> list[Edit]:
        return self._spread(field, lambda agent: _replaced(getattr(agent, field), rule), note=f"{field[:-1]} {rule.name}")

    def _spread(self, field: str, make: Callable[[Agent], Any], *, note: str) -> list[Edit]:
        """Give each agent what `make` makes for it; a call may have rules of its own, and keeps them."""

        def changes(agent: Agent) -> dict[str, Any]:
            return {field: make(agent)}

        lines = [line for line in self._lines.values() if field != "hooks" or line.newest.agent.provider == "pipeline"]
        for line in lines:
            line.newest.agent.edited(**changes(line.newest.agent))  # all agents or none: one of them may refuse it
        return [line.propose_each(changes, (field,), note=note) for line in lines]

    def _line_of(self, name: str) -> RevisionLine:
        if name not in self._lines:
            self._lines[name] = RevisionLine(name, lambda revision: self._keep(name, revision), self.lock, self._read)
        return self._lines[name]


def _joined(given: Any, more: Mapping[str, Any]) -> Any:
    if given is not None and not isinstance(given, list | tuple):
        return given  # the agent says what is wrong with it
    own = list(given or ())
    names = {getattr(each, "name", None) for each in own}
    return [*own, *(rule for name, rule in more.items() if name not in names)]


def _hooked(settings: Mapping[str, Any], more: Mapping[str, Any]) -> Any:
    """The hooks of the settings, with others where they have none; an engine has no use for hooks."""
    hooks = settings.get("hooks")
    if settings.get("engine") is not None or not isinstance(hooks, PipelineHooks | None):
        return hooks
    for stage, hook in more.items():
        if hook_at(hooks, stage) is None:
            hooks = with_hook(hooks, stage, hook)
    return hooks


def _replaced(had: Any, rule: Any) -> list[Any]:
    """The rules with this one in the place of its namesake, or at the end."""
    rules = list(had or ())
    places = [place for place, each in enumerate(rules) if each.name == rule.name]
    if places:
        rules[places[0]] = rule
        return rules
    return [*rules, rule]
