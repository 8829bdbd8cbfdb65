"""What a phone's user changes while calls are on: edits of its agents, and rules that cells give to all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import EllipsisType
from typing import Any, Unpack

from patter_nb.agent import Agent
from patter_nb.agents import Agents
from patter_nb.errors import ConfigTypeError
from patter_nb.guardrails import REPLACEMENT, Guardrail, guardrail
from patter_nb.hooks import AfterLLM, Hook, check_stage
from patter_nb.live import Difference, Edit, RevisionLine, Scope
from patter_nb.tools import Tool, ToolSettings, tool


class Edits:
    """The part of `Patter` that edits. Safe to use from any thread."""

    _agents: Agents

    @property
    def agents(self) -> dict[str, Agent]:
        """What the next call of each agent begins with, by the agent's name."""
        return self._agents.newest()

    def edit(self, agent: Agent | str | None = None, *, note: str = "", scope: Scope = "all calls", **changes: Any) -> Edit:
        """Change an agent: `phone.edit(system_prompt="...")`. From any thread.

        `scope` "all calls": every call that is on changes with its next reply, and later calls begin with it; "next call": only
        later calls. `agent`: the agent or its name; it may be left out where there is one. `ConfigError` when the changes make no
        agent; nothing has changed then.
        """
        return self._agents.edit(agent, changes, note=note, scope=scope)

    def rollback(self, number: int, agent: Agent | str | None = None, *, note: str = "", scope: Scope = "all calls") -> Edit:
        """Take what revision `number` says again, as a new revision."""
        return self._agents.roll_back(agent, number, note=note, scope=scope)

    def diff(self, before: int, after: int | None = None, agent: Agent | str | None = None) -> Difference:
        """What differs between two revisions; `after`: by default the newest."""
        return self._agents.diff(agent, before, after)

    def line(self, agent: Agent | str | None = None) -> RevisionLine:
        """The revisions of an agent, oldest first, and the calls that run one of them."""
        return self._agents.line(agent)

    def tool(
        self,
        fn: Callable[..., Any] | None = None,
        /,
        *,
        handler: Callable[..., Any] | None = None,
        webhook_url: str | None = None,
        **settings: Unpack[ToolSettings],
    ) -> Any:
        """`@phone.tool` over a function gives it to every agent of this phone, those of calls that are on included, from their
        next reply on. Running the cell again replaces it. Settings and what is returned are those of `patter_nb.tool`."""
        what = {"handler": handler, "webhook_url": webhook_url}
        given: dict[str, Any] = {**settings, **{name: value for name, value in what.items() if value is not None}}
        made: Any = tool(**given) if fn is None else tool(fn, **given)
        if isinstance(made, Tool):
            self._agents.add_tool(made)
            return made

        def keep(function: Callable[..., Any]) -> Tool:
            kept: Tool = made(function)
            self._agents.add_tool(kept)
            return kept

        return keep

    def guardrail(
        self,
        name: str | Callable[[str], Any],
        blocked_terms: Sequence[str] | None = None,
        check: Callable[[str], Any] | None = None,
        replacement: str = REPLACEMENT,
        *,
        fail_closed: bool = False,
    ) -> Any:
        """A guardrail for every agent of this phone, those of calls that are on included, from their next reply on: over a
        check, or as `phone.guardrail("prices", blocked_terms=[...])`. Running the cell again replaces it."""
        made = guardrail(name, blocked_terms, check, replacement, fail_closed=fail_closed)
        if isinstance(made, Guardrail):
            self._agents.add_guardrail(made)
            return made

        def keep(function: Callable[..., Any]) -> Guardrail:
            kept: Guardrail = made(function)
            self._agents.add_guardrail(kept)
            return kept

        return keep

    def hook(
        self, stage: str | Hook, function: Hook | AfterLLM | Mapping[str, Any] | EllipsisType | None = ..., /
    ) -> Any:
        """`@phone.hook` over a function that is named as a stage of `PipelineHooks` (`def after_transcribe(text, ctx)`) gives it
        to every agent of this phone at that stage, those of calls that are on included, from their next reply on; hooks of the
        caller's side are asked about what is said after that. Running the cell again replaces it.

        `@phone.hook("after_transcribe")` names the stage, or one of the tiers of `after_llm` ("after_llm.on_sentence").
        `phone.hook("after_transcribe", None)` takes it away. What an agent has at other stages stays, and so does whether its
        failures close; an agent that is made later with a hook of its own at this stage keeps that one.
        """
        if not isinstance(stage, str):
            if not callable(stage) or function is not ...:
                raise ConfigTypeError(f"hook got {stage!r}; it takes a stage and a function, or decorates a function.")
            self._agents.add_hook(check_stage(getattr(stage, "__name__", type(stage).__name__)), stage)
            return stage
        name = check_stage(stage)
        if function is not ...:
            self._agents.add_hook(name, function)
            return function

        def keep(decorated: Hook) -> Hook:
            self._agents.add_hook(name, decorated)
            return decorated

        return keep
