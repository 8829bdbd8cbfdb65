"""A quick tunnel in a real kernel: the interrupt of a cell leaves it up, and it ends with the kernel."""

from __future__ import annotations

import asyncio
import sys
import time

import pytest
from jupyter_client.manager import start_new_kernel
from tests_of_tunnels_stand_ins import HOST, name_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the stand-in begins with #!: run this on Linux or macOS"),
]

KERNEL_SECONDS = 60
OPEN = """
import contextlib
from patter_nb import CloudflareTunnel

stack = contextlib.AsyncExitStack()
stands = await stack.enter_async_context(CloudflareTunnel(name_servers=("127.0.0.1:{port}",)).open(8000, print))
print(stands.host)
"""


class Kernel:
    """One kernel, driven from the test's loop."""

    def __init__(self, folder) -> None:
        self.manager, self.client = start_new_kernel(kernel_name="python3", cwd=str(folder))

    async def run(self, code):
        """The status of the cell, and what it printed."""
        printed = []
        reply = await asyncio.to_thread(
            self.client.execute_interactive,
            code,
            output_hook=lambda message: printed.append(message["content"].get("text", "")),
            timeout=KERNEL_SECONDS,
        )
        return reply["content"]["status"], "".join(printed)

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


async def gone(cloudflared):
    began = time.monotonic()
    async with asyncio.timeout(5):
        while cloudflared.is_alive:  # noqa: ASYNC110 (it sets no event of ours)
            await asyncio.sleep(0.01)
    return time.monotonic() - began


@pytest.mark.parametrize("end", ["restart", "kill", "close"])
def test_an_interrupt_leaves_it_up_and_it_ends_with_the_kernel(cloudflared, tmp_path, end):
    cloudflared("say(ASKING); say(ADDRESS); say(REGISTERED); stay()")

    async def main(kernel):
        async with name_server() as server:
            status, printed = await kernel.run(OPEN.format(port=server.port))
            assert (status, printed.split("\n")[-3:]) == ("ok", ["Tunnel: ready", HOST, ""])
            waiting = asyncio.ensure_future(kernel.run("import threading; print('waits'); threading.Event().wait(30)"))
            await asyncio.sleep(0.5)
            kernel.manager.interrupt_kernel()
            assert (await waiting)[0] == "error"
            assert await kernel.run("print(stands.lost.done())") == ("ok", "False\n")
            assert cloudflared.is_alive
            if end == "close":
                assert await kernel.run("await stack.aclose(); print(stands.lost.cancelled())") == ("ok", "True\n")
                assert not cloudflared.is_alive
            elif end == "restart":
                kernel.manager.restart_kernel(now=False)
            else:
                kernel.manager.shutdown_kernel(now=True)
            await gone(cloudflared)

    kernel = Kernel(tmp_path)
    try:
        asyncio.run(asyncio.wait_for(main(kernel), 120))
    finally:
        kernel.stop()
