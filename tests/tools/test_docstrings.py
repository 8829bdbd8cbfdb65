"""Docstrings, in the three forms that people write: what a tool does, and what each of its parameters is."""

from __future__ import annotations

import functools
from typing import Annotated

import pytest
from pydantic import Field

from patter_nb.tools import tool

DOCSTRINGS = [
    (
        """Look up the
        weather.

        More of it.

        Args:
            city (str): The city,
                with its country.
            days: How many: 1 to 5.

        Returns:
            text: What it is like.
        """,
        "Look up the weather.",
        {"city": "The city, with its country.", "days": "How many: 1 to 5."},
    ),
    (
        """Look up.

        Parameters
        ----------
        city : str
            The city,
            with its country.
        days : int, optional
            How many.

        Returns
        -------
        days
            Not this.
        """,
        "Look up.",
        {"city": "The city, with its country.", "days": "How many."},
    ),
    (
        """Look up.
        :param city: The city,
            with its country.
        :param int days: How many.
        :returns: city: not this
        """,
        "Look up.",
        {"city": "The city, with its country.", "days": "How many."},
    ),
    ("""Look up.\n    Args:\n        city: The city.""", "Look up.", {"city": "The city."}),
    ("""\n    Args:\n        city: The city.\n""", "", {"city": "The city."}),
    (""":param city: The city.""", "", {"city": "The city."}),
    ("", "", {}),
    (None, "", {}),
]


@pytest.mark.parametrize(("doc", "summary", "descriptions"), DOCSTRINGS)
def test_a_docstring_describes_the_tool_and_its_parameters(doc, summary, descriptions):
    def look(city: str, days: int = 1): ...

    look.__doc__ = doc
    spec = tool(look).spec
    assert spec.description == summary
    found = {name: schema["description"] for name, schema in spec.parameters["properties"].items() if "description" in schema}
    assert found == descriptions


def test_an_annotation_says_more_than_a_docstring():
    def look(city: Annotated[str, "Annotated."], town: Annotated[str, Field(description="Field.")]):
        """Look.

        Args:
            city: Docstring.
            town: Docstring.
        """

    properties = tool(look).spec.parameters["properties"]
    assert [properties[name]["description"] for name in ("city", "town")] == ["Annotated.", "Field."]


class Desk:
    """A desk."""

    async def __call__(self, room: int):
        """Book a room."""


class Plain:
    """Give a room back."""

    def __call__(self, room: int): ...


def test_what_is_called_describes_the_tool():
    assert tool(name="x", handler=Desk()).description == "Book a room."
    assert tool(name="x", handler=functools.partial(Desk().__call__)).description == "Book a room."
    assert tool(name="x", handler=functools.partial(Desk())).description == "Book a room."
    assert tool(name="x", handler=Plain()).description == "Give a room back."
