"""A front end's messages: numbered orders, each answered once, from whatever thread they come."""

from __future__ import annotations

import asyncio
import math
import threading
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from patter_nb.errors import ConfigError, MissingExtra
from patter_nb.notebook.studio import panel as panels
from patter_nb.notebook.studio.panel import Asked, Panel, plain, plain_rows


def header(desk: Any, do: dict[str, Any]) -> Panel:
    return Panel(desk.ports(), ("header",), {"agent": None}, do)


def test_an_order_is_carried_out_and_answered_once_however_often_it_is_sent(desk):
    async def main() -> None:
        done: list[str] = []

        def add(content: Any, _asked: Asked) -> dict[str, Any]:
            done.append(content["what"])
            return {"count": len(done)}

        page = desk.page(header(desk, {"add": add}).widget)
        page.order("add", what="one")
        for _ in range(3):
            page.order("add", 1, what="one")
        assert done == ["one"]
        assert page.told(1) == [{"kind": "answer", "page": "page", "number": 1, "ok": True, "count": 1}] * 4

    desk.run(main())


def test_orders_that_overtake_each_other_are_carried_out_in_order(desk):
    async def main() -> None:
        done: list[int] = []
        page = desk.page(header(desk, {"add": lambda content, _: done.append(content["n"])}).widget)
        for number in (2, 4, 3, 1, 5):
            page.order("add", number, n=number)
        assert done == [1, 2, 3, 4, 5]
        assert [message["number"] for message in page.messages] == [1, 2, 3, 4, 5]

    desk.run(main())


def test_orders_from_a_subshells_thread_are_carried_out_on_the_panels_loop(desk):
    async def main() -> None:
        ran_on: list[int] = []
        page = desk.page(header(desk, {"add": lambda *_: ran_on.append(threading.get_ident())}).widget)

        async def callback() -> None:
            page.order("add")

        thread = threading.Thread(target=lambda: asyncio.run(callback()))
        thread.start()
        await desk.until(lambda: bool(ran_on))
        thread.join(10)
        assert ran_on == [threading.get_ident()]

    desk.run(main())


def test_what_an_order_refuses_is_its_answer_with_the_field_it_is_about(desk):
    async def main() -> None:
        def refuse(_content: Any, _asked: Asked) -> None:
            raise ConfigError("hangover_ms is 3; it must lie from 150 to 5000.")

        async def refuse_later(_content: Any, _asked: Asked) -> None:
            raise ConfigError("name is empty.")

        page = desk.page(header(desk, {"now": refuse, "later": refuse_later}).widget)
        answer = await page.ask("now", changes={"language": "en", "hangover_ms": 3})
        assert (answer["ok"], answer["field"]) == (False, "hangover_ms")
        assert answer["error"] == "hangover_ms is 3; it must lie from 150 to 5000."
        answer = await page.ask("later", changes={})
        assert (answer["ok"], answer["field"], answer["error"]) == (False, "", "name is empty.")
        answer = await page.ask("never heard of")
        assert (answer["ok"], answer["error"]) == (False, "There is no order 'never heard of'.")

    desk.run(main())


def test_whatever_an_order_raises_is_its_answer_and_the_orders_after_it_are_carried_out(desk):
    async def main() -> None:
        def fail(_content: Any, _asked: Asked) -> None:
            raise ValueError("no such table")

        async def fail_later(_content: Any, _asked: Asked) -> None:
            raise ZeroDivisionError

        async def end_later(_content: Any, _asked: Asked) -> None:
            raise asyncio.CancelledError

        def name_itself(_content: Any, _asked: Asked) -> dict[str, Any]:
            answer: dict[str, Any] = {}
            answer["answer"] = answer
            return answer

        page = desk.page(header(desk, {"now": fail, "later": fail_later, "end": end_later, "round": name_itself}).widget)
        for number, order in ((2, "later"), (3, "end"), (4, "round"), (5, "ping"), (1, "now")):
            page.order(order, number)
        await desk.until(lambda: all(page.told(number) for number in range(1, 6)))
        told = [page.told(number)[0] for number in range(1, 6)]
        assert [each["ok"] for each in told] == [False, False, False, False, True]
        assert [each["error"] for each in told[:3]] == [
            "The order 'now' raised ValueError: no such table",
            "The order 'later' raised ZeroDivisionError",
            "The order 'end' was cancelled.",
        ]
        page.order("now", 1)
        assert page.told(1) == told[:1] * 2

    desk.run(main())


def test_an_order_that_takes_its_time_does_not_hold_up_the_next_one(desk):
    async def main() -> None:
        go = asyncio.Event()

        async def slow(_content: Any, _asked: Asked) -> dict[str, Any]:
            await go.wait()
            return {"slow": True}

        page = desk.page(header(desk, {"slow": slow}).widget)
        first = page.order("slow")
        assert (await page.ask("ping"))["ok"]
        assert page.told(first) == []
        go.set()
        await desk.until(lambda: bool(page.told(first)))
        assert page.told(first)[0]["slow"] is True

    desk.run(main())


def test_effects_are_told_with_the_order_that_had_them(desk):
    async def main() -> None:
        asked: list[Asked] = []
        page = desk.page(header(desk, {"edit": lambda _content, order: asked.append(order)}).widget)
        number = page.order("edit")
        threading.Thread(target=lambda: asked[0].tell("applied", turn=3)).start()
        await desk.until(lambda: bool(page.told(number, "applied")))
        assert page.told(number, "applied")[0]["turn"] == 3

    desk.run(main())


@pytest.mark.parametrize("message", ["text", None, {"page": "a"}, {"page": "a", "number": "1"}, {"number": 1.5, "order": "ping"}])
def test_a_message_that_is_no_order_is_let_go(desk, message):
    async def main() -> None:
        page = desk.page(header(desk, {}).widget)
        page.widget._handle_custom_msg(message, [])
        assert page.messages == []

    desk.run(main())


def test_a_closed_panel_carries_out_nothing_and_shows_nothing(desk):
    async def main() -> None:
        done: list[int] = []
        go = asyncio.Event()

        async def slow(_content: Any, _asked: Asked) -> None:
            await go.wait()
            done.append(1)

        panel = header(desk, {"add": lambda *_: done.append(2), "slow": slow})
        page = desk.page(panel.widget)
        page.order("slow")
        await asyncio.sleep(0)
        panel.close()
        panel.close()
        page.order("add")
        panel.show({"agent": "other"})
        panel.send({"kind": "anything"})
        go.set()
        await asyncio.sleep(0)
        assert (done, page.messages) == ([], [])

    desk.run(main())


def test_without_anywidget_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "anywidget", None)
    panels.widget_class.cache_clear()
    with pytest.raises(MissingExtra, match=r"^phone\.studio\(\) needs the package 'anywidget'.*pip install \"\.\[nb\]\"$"):
        panels.widget_class("dom", "channel", "header")
    panels.widget_class.cache_clear()


def test_plain_values_are_what_json_has():
    given = {"a": math.nan, "b": np.int64(3), "c": datetime(2026, 1, 2, tzinfo=UTC), "d": pd.NA, "e": len, "f": [np.float32(0.5)]}
    found = plain(given)
    assert found == {"a": None, "b": 3, "c": "2026-01-02T00:00:00+00:00", "d": None, "e": str(len), "f": [0.5]}


def test_rows_are_plain_and_the_newest_comes_first():
    table = pd.DataFrame({"n": pd.Series([1, None], dtype="Int64"), "x": [math.nan, 2.0], "other": ["a", "b"]})
    assert plain_rows(table, ("n", "x")) == [{"n": None, "x": 2.0}, {"n": 1, "x": None}]
