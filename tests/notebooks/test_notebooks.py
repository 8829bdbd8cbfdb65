"""Every notebook runs from top to bottom in a real kernel, and is committed without its outputs."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from tests_of_notebooks_scan import findings

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CELL_SECONDS = 300
"""The longest a cell may take, on a machine that does other work too; a spoken call takes about a minute."""

by_name = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)

KEYS = {
    "OPENAI_API_KEY": "sk-test-51HxQ8ZbN0tARealKey42",
    "TWILIO_AUTH_TOKEN": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "DEEPGRAM_API_KEY": "d3adb33f00112233445566778899aabbccddeeff",
    "ELEVENLABS_API_KEY": "xi-9f8e7d6c5b4a39281706",
    "PGPASSWORD": "correct-horse-battery",
}
"""What the kernel of a notebook finds in its environment, and must not show."""

TOKENS = """
import gc, json
from patter_nb import Softphone
print(json.dumps([phone._token for phone in gc.get_objects() if isinstance(phone, Softphone)]))
"""
"""A cell behind the last: the ways into the softphones that a notebook has made."""


async def run(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Execute the notebook in a kernel of this interpreter whose working directory is `folder`."""
    client = NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    await client.async_execute()


@pytest.mark.slow  # calls in notebooks last as long as calls do
@by_name
def test_a_notebook_runs_from_top_to_bottom_and_shows_no_secret_and_no_number(path, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(TOKENS))
    asyncio.run(run(notebook, tmp_path))
    tokens = json.loads(notebook.cells.pop().outputs[0].text)
    unfinished = [cell.source for cell in notebook.cells if cell.cell_type == "code" and cell.execution_count is None]
    assert unfinished == []
    assert findings(notebook, [*KEYS.values(), *tokens]) == []


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


# What the scan of outputs finds, and what it leaves alone.


def png(kind: bytes, body: bytes) -> str:
    """A picture of one pixel with this chunk, as a notebook keeps it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0\0"))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + head + chunk(kind, body) + pixels + chunk(b"IEND", b"")).decode()


def wav(comment: bytes) -> str:
    """A recording without a sound, with this comment."""
    info = b"INFOICMT" + struct.pack("<I", len(comment)) + comment
    body = b"WAVE" + b"LIST" + struct.pack("<I", len(info)) + info + b"data" + struct.pack("<I", 0)
    return base64.b64encode(b"RIFF" + struct.pack("<I", len(body)) + body).decode()


def data(mime: str, shown: Any) -> nbformat.NotebookNode:
    return nbformat.v4.new_output("display_data", data={mime: shown})


KEY = KEYS["TWILIO_AUTH_TOKEN"]
PLANTED = [
    (nbformat.v4.new_output("stream", text=f"key {KEY}"), "holds the secret 0f1e…"),
    (nbformat.v4.new_output("error", ename="E", evalue="", traceback=["\x1b[31mx", f"\x1b[0m{KEY}"]), "holds the secret"),
    (data("text/html", f"<b title='{KEY}'>x</b>"), "holds the secret"),
    (data("text/html", f"<!-- x --><style>a{{}}</style><i>{KEY[:9]}</i>{KEY[9:]}"), "holds the secret"),
    (data("text/html", "<a href='x?password=correct%2Dhorse-battery'>x</a>"), "holds the secret corr…"),
    (data("application/json", {"a": [{"b": KEY}]}), "holds the secret"),
    (data("application/json", {KEY: 1}), "holds the secret"),
    (data("image/png", png(b"tEXt", b"Comment\0" + KEY.encode())), "holds the secret"),
    (data("image/png", png(b"zTXt", b"Comment\0\0" + zlib.compress(KEY.encode()))), "holds the secret"),
    (data("image/png", png(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(KEY.encode()))), "holds the secret"),
    (data("text/html", f"<img src='data:image/png;base64,{png(b'tEXt', b'k' + bytes(1) + KEY.encode())}'>"), "holds the secret"),
    (data("text/html", f"<audio src='data:audio/wav;base64,{wav(KEY.encode())}'></audio>"), "holds the secret"),
    (data("image/svg+xml", f"<svg><text>{KEY}</text></svg>"), "holds the secret"),
    (data("text/plain", "sk-proj-0123456789abcdef"), "a key: sk-proj-0123"),
    (data("text/plain", f"AC{'0a' * 16}"), "an account of Twilio"),
    (data("text/plain", "{'Authorization': 'Bearer abcdefghij'}"), "a bearer token"),
    (data("text/plain", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx"), "a web token"),
    (data("text/plain", "postgresql://me:opensesame@127.0.0.1/x"), "a password in an address"),
    (data("application/json", {"api_key": "abcdef123"}), "a secret by its name"),
    (data("text/html", "<a href='http://127.0.0.1:8888/lab?token=abcdef0123'>x</a>"), "a token in an address"),
    (data("text/html", "<a href='http://127.0.0.1:1/softphone?phone=0a#abcdefghijklmnopqrst'>x</a>"), "the way into a soft"),
    (data("text/plain", "+15557654321"), "an unmasked number: +15557654321"),
    (data("text/plain", "such as +15551234567 or +15551234568"), "an unmasked number: +15551234568"),
    (data("text/html", "<td>+44 20 7946 <b>0958</b></td>"), "an unmasked number"),
    (data("text/plain", "call (555) 765-4321 now"), "an unmasked number"),
    (data("text/plain", "call 555.765.4321 now"), "an unmasked number"),
    (data("text/plain", "15557654321"), "an unmasked number"),
    (data("application/json", {"caller": 15557654321}), "an unmasked number"),
    (data("text/html", "<i aria-label='from &#43;15557654321'></i>"), "an unmasked number"),
]


@pytest.mark.parametrize(("output", "words"), PLANTED)
def test_the_scan_finds_what_was_planted(output, words):
    code = nbformat.v4.new_code_cell("x", outputs=[output])
    found = findings(nbformat.v4.new_notebook(cells=[code]), KEYS.values())
    assert any(words in sentence and sentence.startswith("cell 0, ") for sentence in found), found


def test_the_scan_reads_the_state_of_widgets():
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {"0a": {"state": {"value": KEY}}}}}
    assert findings(notebook, [KEY]) == [
        "metadata, widgets, application/vnd.jupyter.widget-state+json, state, 0a, state: holds the secret 0f1e…",
        "metadata, widgets, application/vnd.jupyter.widget-state+json, state, 0a, state, value: holds the secret 0f1e…",
    ]


LEFT_ALONE = [
    "+1•••••4321 → +1•••••0002",
    "2026-11-29 10:37:26.590697+00:00",
    "1795948646 1795948646123 1795948646.590697",
    "gap_ms 625.453366 1627.107176",
    "test_8a385ed6d9ab, revision 3f9a00112233",
    "api_key=••• Authorization: Bearer •••",
    "postgresql://me:•••@127.0.0.1/x",
    "12,345,678 tokens, $1234567.50, 100-200-300",
    "max_tokens=1000000",
    "The number in international form, such as +15551234567.",
]


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_the_scan_leaves_masks_instants_and_figures_alone(text):
    outputs = [data("text/plain", text), data("text/html", f"<p>{text}</p>"), data("image/png", png(b"tEXt", b"Software\0x"))]
    assert findings(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=outputs)]), KEYS.values()) == []
