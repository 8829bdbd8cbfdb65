"""A real JupyterLab in a real browser: a server with folders of its own, and pages in a headless Chromium.

    lab = Lab(folder)                                   # the server, ready when this returns
    with chromium(microphone=path) as browser:
        page = LabPage(browser, lab, dark=True)
        page.open(["print('hello')"])                   # a new notebook of these cells
        page.run_all()
        page.text(0), page.errors, page.screenshot(path)

`page.page` is the page of playwright, for everything else: `page.page.get_by_role("button", name="Talk").click()`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = Path("/usr/bin/chromium")
INSTALL = "apt-get install chromium && pip install -e '.[nb,dev]'"
START_SECONDS = 60
CELL_SECONDS = 60
SIZE = {"width": 1280, "height": 900}

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip

SETTINGS = {
    "@jupyterlab/apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
    "@jupyterlab/notebook-extension/tracker": '{"windowingMode": "none"}',  # a cell out of sight is in the page as well
    "@jupyterlab/docmanager-extension/plugin": '{"autosave": false}',
}

NOISE = ("favicon", "Could not restore the debugger state")
"""What JupyterLab itself says in the console: the second one when a kernel restarts."""


def need_browser() -> None:
    """Skip, with the line that installs what is missing."""
    if not CHROMIUM.exists():
        pytest.skip(f"needs Chromium: {INSTALL}")
    for module in ("jupyterlab", "playwright", "anywidget"):
        pytest.importorskip(module, reason=f"needs {module}: {INSTALL}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


class Lab:
    """A running JupyterLab, whose notebooks and settings lie in `folder`. `python` runs its kernels and itself; `env` is added to
    its environment, and so to that of its kernels; `base_url` is the path below which it answers, as under JupyterHub."""

    def __init__(
        self, folder: Path, *, python: str = sys.executable, env: dict[str, str] | None = None, base_url: str = "/"
    ) -> None:
        self.notebooks = folder / "notebooks"
        self.token = secrets.token_hex(16)
        self.port = free_port()
        self.base_url = base_url
        self.url = f"http://127.0.0.1:{self.port}{base_url}"
        self._log = (folder / "server.log").open("w")
        for name in ("notebooks", "config", "data", "runtime", "settings", "workspaces", "ipython"):
            (folder / name).mkdir()
        for name, text in SETTINGS.items():
            path = folder / "settings" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        own = {
            "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime", "IPYTHONDIR": "ipython",
            "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        }  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **{name: str(folder / path) for name, path in own.items()}}
        command = [
            python, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0", f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={self.notebooks}",
            f"--ServerApp.base_url={base_url}", "--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command, env={**environment, **(env or {})}, stdout=self._log, stderr=subprocess.STDOUT, cwd=folder
        )
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + START_SECONDS
        request = urllib.request.Request(f"{self.url}api/status", headers={"Authorization": f"token {self.token}"})
        while time.monotonic() < until:
            assert self._process.poll() is None, f"JupyterLab ended: {Path(self._log.name).read_text()[-2000:]}"
            with contextlib.suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(request, timeout=5):
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.1)  # a pause that ends with the server
        self.close()
        raise TimeoutError(f"JupyterLab did not answer in {START_SECONDS} s: {Path(self._log.name).read_text()[-2000:]}")

    def write(self, cells: list[str]) -> str:
        """A new notebook of these cells; its name."""
        name = f"{secrets.token_hex(4)}.ipynb"
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.notebooks / name)
        return name

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)
        self._log.close()


@contextlib.contextmanager
def chromium(microphone: Path | None = None) -> Iterator[Any]:
    """A headless Chromium; `microphone`: a WAV file that it hears over and over, asked for without a question."""
    from playwright.sync_api import sync_playwright

    fake = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    flags = [*FLAGS, *(() if microphone is None else (*fake, f"--use-file-for-fake-audio-capture={microphone}"))]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=flags)
        try:
            yield browser
        finally:
            browser.close()


class LabPage:
    """One page of JupyterLab, 1280 by 900, light or dark."""

    def __init__(self, browser: Any, lab: Lab, *, dark: bool = False, permissions: tuple[str, ...] = ()) -> None:
        self.lab = lab
        self.dark = dark
        self.errors: list[str] = []
        """What the console said as an error, and what was raised in the page."""
        scheme = "dark" if dark else "light"
        self.context = browser.new_context(viewport=SIZE, color_scheme=scheme, permissions=list(permissions))
        self.page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(f"raised: {error}"))

    def _console(self, message: Any) -> None:
        if message.type == "error" and not any(noise in message.text for noise in NOISE):
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def open(self, cells: list[str]) -> str:
        """Write a notebook of these cells and open it in a workspace of its own; returns its name. Its kernel is idle then."""
        name = self.lab.write(cells)
        self.visit(name)
        return name

    def visit(self, name: str) -> None:
        """Open the notebook of this name. Its kernel is idle then."""
        workspace = secrets.token_hex(4)
        self.page.goto(f"{self.lab.url}lab/workspaces/{workspace}/tree/{name}?token={self.lab.token}")
        self.page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.sessionContext", timeout=60_000)
        self.page.evaluate(
            """async theme => {
              const app = window.jupyterapp;
              await app.restored;
              await app.commands.execute('apputils:change-theme', {theme});
              app.shell.collapseLeft();
              app.shell.collapseRight();
              await app.shell.currentWidget.sessionContext.ready;
            }""",
            "JupyterLab Dark" if self.dark else "JupyterLab Light",
        )
        self.page.wait_for_function(f"() => document.body.dataset.jpThemeLight === '{str(not self.dark).lower()}'")
        self.wait_idle()

    def wait_idle(self, seconds: float = CELL_SECONDS) -> None:
        idle = "() => window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
        self.page.wait_for_function(idle, timeout=seconds * 1000)

    def run_all(self, seconds: float = CELL_SECONDS) -> None:
        """Run every cell and wait until all of them have."""
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
        self.wait_run(seconds=seconds)

    def wait_run(self, *numbers: int, seconds: float = CELL_SECONDS) -> None:
        """Wait until these cells have run; without a number, all. `AssertionError` where one raised and stopped others."""
        failed = self.page.wait_for_function(
            """numbers => {
              const cells = [...window.jupyterapp.shell.currentWidget.content.widgets];
              const chosen = numbers.length ? numbers.map(number => cells[number]) : cells;
              const prompts = chosen.map(cell => cell.promptNode.textContent);
              if (prompts.every(text => /\\d/.test(text))) return {error: ''};
              if (prompts.some(text => text.includes('*'))) return false;
              const wrong = cells.flatMap(cell => cell.model.outputs.toJSON()).find(output => output.output_type === 'error');
              return wrong ? {error: `${wrong.ename}: ${wrong.evalue}`} : false;
            }""",
            arg=list(numbers),
            timeout=seconds * 1000,
        ).json_value()["error"]
        assert failed == "", failed

    def run(self, number: int, *, source: str | None = None, wait: bool = True, seconds: float = CELL_SECONDS) -> None:
        """Run one cell, with another `source` if there is one; `wait`: until it has run."""
        self.page.evaluate(
            """async ([number, source]) => {
              const {content} = window.jupyterapp.shell.currentWidget;
              if (source !== null) content.widgets[number].model.sharedModel.setSource(source);
              content.activeCellIndex = number;
              content.deselectAll();
              content.widgets[number].model.executionCount = null;
              window.jupyterapp.commands.execute('notebook:run-cell');
            }""",
            [number, source],
        )
        if wait:
            self.wait_run(number, seconds=seconds)

    def text(self, number: int) -> str:
        """What stands under a cell, as text."""
        return str(self.output(number).inner_text())

    def output(self, number: int) -> Any:
        """Where the outputs of a cell are: a locator of playwright."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number).locator(".jp-Cell-outputWrapper")

    def show(self, number: int) -> None:
        """Scroll so that the outputs of a cell begin at the top of the page."""
        self.output(number).evaluate("element => element.scrollIntoView({block: 'start'})")

    def restart_kernel(self) -> None:
        """Restart the kernel without a question. It is idle again then."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
        self.wait_idle()

    def ask(self, code: str, seconds: float = CELL_SECONDS) -> str:
        """Run code in the kernel without a cell and return what it printed; raises what it raised."""
        self.page.set_default_timeout(seconds * 1000)
        return str(
            self.page.evaluate(
                """async code => {
                  const {kernel} = window.jupyterapp.shell.currentWidget.sessionContext.session;
                  const future = kernel.requestExecute({code, store_history: false});
                  let text = '';
                  future.onIOPub = message => {
                    if (message.header.msg_type === 'stream') text += message.content.text;
                    if (message.header.msg_type === 'error') text += message.content.traceback.join('\\n');
                  };
                  const reply = await future.done;
                  if (reply.content.status !== 'ok') throw new Error(text);
                  return text;
                }""",
                code,
            )
        )

    def screenshot(self, path: Path | str) -> Path:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(path), animations="disabled")
        return path

    def close(self) -> None:
        self.context.close()
