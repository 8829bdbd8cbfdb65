"""What every test stands on: no connection leaves this machine, and a suite that must be whole skips nothing."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from patter_nb.clock import run_virtual

REFUSED = "a test tried to reach {}: tests speak to loopback only; give the client a base URL on 127.0.0.1"


def _is_loopback(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host in {None, "", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(str(host).split("%")[0]).is_loopback
    except ValueError:
        return False  # a name: looking it up would already leave this machine


def _refuse_the_network(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: it sees every connection Python makes, in whatever library, and cannot be taken off."""
    if event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
        if isinstance(address, tuple) and not _is_loopback(address[0]):
            raise RuntimeError(REFUSED.format(address))
    elif event == "socket.getaddrinfo" and not _is_loopback(arguments[0]):
        raise RuntimeError(REFUSED.format(arguments[0]))


sys.addaudithook(_refuse_the_network)


@pytest.fixture
def virtual() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Runs a coroutine on a loop of virtual time and returns its result: `virtual(main())`."""
    return run_virtual


@pytest.fixture(autouse=True)
def no_keys_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = sys.modules["patter_nb.keys"]  # as a name of the package it is the function
    monkeypatch.setattr(keys, "_reading", keys._Reading(("", 0, 0, 0), {}))


_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped:
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where CI=true, everything a test needs is installed: a skipped test is a failed one."""
    passed = exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
    if os.environ.get("CI") == "true" and _skipped and passed:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if os.environ.get("CI") == "true" and _skipped:
        terminalreporter.section("skipped although CI=true", red=True)
        for name in _skipped:
            terminalreporter.line(name)
