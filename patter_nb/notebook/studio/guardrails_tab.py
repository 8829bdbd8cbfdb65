"""The Guardrails tab: what an agent must not say, what it says instead, and a box to try that with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from patter_nb.errors import ConfigError
from patter_nb.notebook.studio.editing import Refused, edit, standing
from patter_nb.notebook.studio.panel import Asked, Do, Panel, plain
from patter_nb.notebook.studio.ports import Ports
from patter_nb.notebook.studio.refresh import Refresh
from patter_nb.notebook.studio.rules import chosen, in_force, known, split
from patter_nb.turns.sentences import Segmenter

LONGEST_TEXT = 20_000
"""Characters of a text that is tried."""


def guardrails_tab(ports: Ports, agent: str) -> GuardrailsTab:
    """The tab of the agent of this name."""
    return GuardrailsTab(ports, agent)


class GuardrailsTab:
    """`widget` is what is displayed."""

    def __init__(self, ports: Ports, agent: str) -> None:
        self._ports = ports
        self._line = ports.phone.line(agent)
        do: dict[str, Do] = {"apply": self._apply, "test": self._test, "check": self._check}
        self._panel = Panel(ports, ("draft", "edit", "lists", "guardrails"), self._collect(), do)
        self._refresh = Refresh(ports, self._collect, self._panel.show)
        self.widget = self._panel.widget

    def close(self) -> None:
        self._refresh.close()
        self._panel.close()

    def _collect(self) -> dict[str, Any]:
        now = in_force(self._line, "guardrails")
        rails = [rail_state(rail, on=name in now) for name, rail in known(self._line, "guardrails").items()]
        when = self._ports.applies["guardrails"]
        return plain({**standing("guardrails", self._ports, self._line), "when": when, "guardrails": rails})

    def _apply(self, content: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
        answer = edit(self._ports, self._line, content, asked, {"guardrails": self._rails(content)})
        self._refresh.now()
        return answer

    def _rails(self, content: Mapping[str, Any]) -> list[Any]:
        """The guardrails as they are with the changes of a form."""
        changes = split(content.get("changes") or {})
        had = known(self._line, "guardrails")
        rails = [changed_rail(had[name], changes.get(name, {})) for name in chosen(self._line, "guardrails", changes)]
        new = {name: change["new"] for name, change in changes.items() if change.get("new") and name not in had}
        return rails + [self._made(name, fields) for name, fields in new.items()]

    def _made(self, name: str, fields: Mapping[str, Any]) -> Any:
        more = {"replacement": str(fields["replacement"])} if fields.get("replacement") else {}
        try:
            return self._ports.make_guardrail(name, blocked_terms=_terms(fields.get("terms")), **more)
        except ConfigError as error:
            raise Refused(f"new:{name}", error) from None

    def _test(self, content: Mapping[str, Any], _asked: Asked) -> dict[str, Any]:
        """Which parts of a text the terms block, with what is unsaved."""
        text, rails = str(content.get("text") or "")[:LONGEST_TEXT], self._rails(content)
        spans = [(start, end, name) for start, end, name in self._ports.blocked_spans(rails, text)]
        told = {rail.name: rail.replacement for rail in rails}
        return {"text": text, "spans": [utf16(text, *span) for span in spans], "replacements": told}

    async def _check(self, content: Mapping[str, Any], _asked: Asked) -> dict[str, Any]:
        """What the checks say to a text, sentence by sentence with the one before, as a reply goes through them."""
        text, rails = str(content.get("text") or "")[:LONGEST_TEXT], self._rails(content)
        checks = [rail for rail in rails if rail.check is not None]
        said, before = list[dict[str, Any]](), ""
        for sentence in sentences(text, self._line.newest.agent.language):
            for rail in checks:
                tried = await self._ports.try_check(rail, f"{before} {sentence}" if before else sentence)
                blocks = tried.result == "blocked"
                if blocks or tried.error is not None:
                    said.append({"name": rail.name, "sentence": sentence, "blocks": blocks, "error": tried.error})
                if blocks:  # it takes the place of the rest
                    return {"text": text, "said": said, "checks": len(checks)}
            before = sentence
        return {"text": text, "said": said, "checks": len(checks)}


def rail_state(rail: Any, *, on: bool) -> dict[str, Any]:
    """A guardrail as the form shows it."""
    check = rail.check
    return {
        "name": rail.name,
        "on": on,
        "terms": list(rail.blocked_terms or ()),
        "replacement": rail.replacement,
        "check": None if check is None else str(getattr(check, "__qualname__", type(check).__name__)).rpartition("<locals>.")[2],
        "fail_closed": rail.fail_closed,
    }


def changed_rail(rail: Any, changes: Mapping[str, Any]) -> Any:
    """The guardrail with other terms or another replacement; itself where neither is another one."""
    fields = {"terms": "blocked_terms", "replacement": "replacement"}
    changed = {fields[part]: value for part, value in changes.items() if part in fields}
    if not changed:
        return rail
    if "blocked_terms" in changed:
        changed["blocked_terms"] = _terms(changed["blocked_terms"])
    try:
        return replace(rail, **changed)
    except ConfigError as error:
        part = next((part for part in ("replacement", "terms") if part in changes and part in str(error)), None)
        raise Refused(f"{part or next(part for part in fields if part in changes)}:{rail.name}", error) from None


def _terms(given: Any) -> list[str]:
    return [str(term) for term in given] if isinstance(given, list) else []


def sentences(text: str, language: str) -> Sequence[str]:
    """The text as it would go to the voice, piece by piece."""
    segmenter = Segmenter(language=language)
    return [*segmenter.push(text), *segmenter.flush()]


def utf16(text: str, start: int, end: int, name: str) -> tuple[int, int, str]:
    """Places in a text as JavaScript counts them, where characters beyond the first 65,536 are two."""

    def place(at: int) -> int:
        return len(text[:at].encode("utf-16-le")) // 2

    return place(start), place(end), name
