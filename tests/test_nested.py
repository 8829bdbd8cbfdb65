"""A pasted `asyncio.run(main())`, in real kernels: it works when asked for, and cells that wait behind it are run."""

from __future__ import annotations

import subprocess
import sys

import pytest
from jupyter_client.manager import start_new_kernel

KERNEL_SECONDS = 60


def alone(code):
    """In a Python of its own: what asyncio is changed to stays."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_is_applied_by_an_import():
    code = "import asyncio, sys, patter_nb; print(hasattr(asyncio, '_nest_patched'), 'nest_asyncio2' in sys.modules)"
    assert alone(code) == "False False\n"


NESTED = """
import asyncio
from patter_nb import allow_nested_run

async def inner():
    await asyncio.sleep(0)
    return "inner"

async def outer():
    return asyncio.run(inner())
"""


@pytest.mark.slow
def test_a_nested_run_works_once_it_is_allowed_and_allowing_it_twice_is_harmless():
    assert alone(f"{NESTED}\nfor _ in 'twice':\n    allow_nested_run()\nprint(asyncio.run(outer()))") == "inner\n"


@pytest.mark.slow
def test_it_can_be_allowed_from_within_a_running_loop():
    code = f"{NESTED}\nasync def late():\n    allow_nested_run()\n    return await outer()\nprint(asyncio.run(late()))"
    assert alone(code) == "inner\n"


INTERRUPTED = """
import asyncio, os, signal, threading
from patter_nb import allow_nested_run

async def inner():
    asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGINT)
    try:
        await asyncio.sleep(30)
    finally:
        print("cancelled")

async def outer():
    other = asyncio.create_task(asyncio.sleep(0.2, "goes on"))
    try:
        asyncio.run(inner())
    except KeyboardInterrupt:
        print("interrupted")
    print(await other)

allow_nested_run()
"""


@pytest.mark.slow
@pytest.mark.parametrize("run", ["asyncio.run(outer())", "asyncio.new_event_loop().run_until_complete(outer())"])
def test_an_interrupt_ends_the_nested_run_alone_and_nothing_else_on_its_loop(run):
    first = "loop = asyncio.new_event_loop(); asyncio.set_event_loop(loop); " if "new_event_loop" in run else ""
    code = f"{INTERRUPTED}{first}{run.replace('asyncio.new_event_loop()', 'loop')}\n"
    code += "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    assert alone(code) == "cancelled\ninterrupted\ngoes on\n"


# What the older package leaves in asyncio, and a kernel of a version.
PATCHED = """
import asyncio, sys, types, warnings
asyncio._nest_patched = True
sys.modules["ipykernel"] = types.SimpleNamespace(version_info=({version}, 0, 0))
from patter_nb import allow_nested_run
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    for _ in "twice":
        allow_nested_run()
print(len(told), *(each.category.__name__ for each in told))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("version", "told"), [(6, "0"), (7, "1 PatterWarning"), (8, "1 PatterWarning")])
def test_the_package_that_loses_cells_is_warned_of_once_where_it_does(version, told):
    code = PATCHED.format(version=version)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"{told}\n"


def run_all(cells):
    """All cells at once, as "Run All" sends them, in a new kernel: each one's status and what it printed."""
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        requests = [client.execute(cell) for cell in cells]
        replies, printed = {}, dict.fromkeys(requests, "")
        while len(replies) < len(requests):
            message = client.get_shell_msg(timeout=KERNEL_SECONDS)
            if message["parent_header"].get("msg_id") in printed:
                replies[message["parent_header"]["msg_id"]] = message["content"]["status"]
        idle = set()
        while not idle.issuperset(requests):
            message = client.get_iopub_msg(timeout=KERNEL_SECONDS)
            request, content = message["parent_header"].get("msg_id"), message["content"]
            if message["msg_type"] == "stream" and request in printed:
                printed[request] += content["text"]
            if content.get("execution_state") == "idle":
                idle.add(request)
        return [(replies[request], printed[request]) for request in requests]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


PASTED = """
import asyncio

async def main():
    await asyncio.sleep(0.3)
    return "{}"

print(asyncio.run(main()))
"""


@pytest.mark.slow
def test_cells_that_wait_behind_a_nested_run_are_not_lost():
    cells = ["import patter_nb; patter_nb.allow_nested_run()", PASTED.format("one"), PASTED.format("two"), "print('three')"]
    assert run_all(cells) == [("ok", ""), ("ok", "one\n"), ("ok", "two\n"), ("ok", "three\n")]


@pytest.mark.slow
def test_what_an_earlier_cell_began_goes_on_while_a_nested_run_waits():
    ticking = """
ticks = 0
async def tick():
    global ticks
    while True:
        await asyncio.sleep(0.01)
        ticks += 1
ticker = asyncio.create_task(tick())
"""
    cells = [
        f"import asyncio, patter_nb; patter_nb.allow_nested_run()\n{ticking}",
        f"before = ticks\n{PASTED.format('one')}\nprint(ticks - before > 5)",
        "ticker.cancel(); await asyncio.sleep(0.05)",
        "print(ticker.cancelled())",
    ]
    assert run_all(cells) == [("ok", ""), ("ok", "one\nTrue\n"), ("ok", ""), ("ok", "True\n")]


@pytest.mark.slow
def test_without_it_the_kernel_says_what_python_says():
    assert run_all([PASTED.format("one"), "print('two')"])[0][0] == "error"
