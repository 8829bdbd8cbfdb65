"""Every notebook runs from top to bottom in a real kernel, and is committed without its outputs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CELL_SECONDS = 300
"""The longest a cell may take, on a machine that does other work too; a spoken call takes about a minute."""

by_name = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)

async def run(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Execute the notebook in a kernel of this interpreter whose working directory is `folder`."""
    client = NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    await client.async_execute()


@pytest.mark.slow  # calls in notebooks last as long as calls do
@by_name
def test_a_notebook_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(path, as_version=4)
    asyncio.run(run(notebook, tmp_path))
    unfinished = [cell.source for cell in notebook.cells if cell.cell_type == "code" and cell.execution_count is None]
    assert unfinished == []


@by_name
def test_a_notebook_is_committed_without_what_it_put_out(path):
    left = [
        f"cell {number}: {cell.source[:60]!r}"
        for number, cell in enumerate(nbformat.read(path, as_version=4).cells)
        if cell.cell_type == "code" and (cell.outputs or cell.execution_count is not None)
    ]
    assert left == [], "clear all outputs before committing (jupyter nbconvert --clear-output --inplace)"


@by_name
def test_a_notebook_is_valid_and_asks_for_no_particular_kernel(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert "widgets" not in notebook.metadata, "the state of widgets is output: save the notebook without it"


def test_there_is_a_notebook_to_run():
    assert NOTEBOOKS


def test_a_cell_that_raises_fails_its_notebook(tmp_path):
    cells = [nbformat.v4.new_code_cell("first = 1"), nbformat.v4.new_code_cell("1 / 0")]
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        asyncio.run(run(nbformat.v4.new_notebook(cells=cells), tmp_path))
