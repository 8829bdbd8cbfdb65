"""A quick tunnel: what is waited for is told, nothing is left behind, and its end is known."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests_of_tunnels_stand_ins import HOST, name_server

from patter_nb.errors import CarrierError, ConfigError
from patter_nb.tunnels import CloudflareTunnel, cloudflare, names, program

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in begins with #!: run this on Linux or macOS")

USUAL = "say(ASKING); say(ADDRESS); say(REGISTERED); stay()"
SOON_SECONDS = 5.0


@pytest.fixture(autouse=True)
def no_long_waits(monkeypatch):
    monkeypatch.setattr(names, "PAUSE_SECONDS", 0.05)


def run(main):
    return asyncio.run(asyncio.wait_for(main, 30))


@contextlib.asynccontextmanager
async def opened(told=None, knows_after=1.0, port=8000):
    """The tunnel with a name server that knows the name."""
    async with name_server(knows_after) as server:
        tunnel = CloudflareTunnel(name_servers=(f"127.0.0.1:{server.port}",))
        async with tunnel.open(port, [].append if told is None else told.append) as stands:
            yield stands, server


async def until(true):
    """What another process does is looked for."""
    async with asyncio.timeout(SOON_SECONDS):
        while not true():  # noqa: ASYNC110 (it sets no event of ours)
            await asyncio.sleep(0.01)


def test_the_tunnel_leads_to_the_port_alone_and_each_phase_is_told_once(cloudflared):
    cloudflared(USUAL)
    told = []

    async def main():
        async with opened(told, port=8123) as (stands, _):
            assert stands.host == HOST
            assert not stands.lost.done()

    run(main())
    assert cloudflared.options == ["tunnel", "--no-autoupdate", "--config", os.devnull, "--url", "http://127.0.0.1:8123"]
    assert told == [
        "Tunnel: cloudflared is started",
        f"Tunnel: https://{HOST}, waiting until the name is known",
        "Tunnel: ready",
    ]


def test_it_is_not_ready_before_its_name_is_known_and_no_cache_is_asked(cloudflared):
    cloudflared(USUAL)

    async def main():
        async with opened(knows_after=4) as (_, server):
            return server

    server = run(main())
    assert server.questions == [f"{HOST}."] * 4
    assert not any(server.recursive)


def test_closing_leaves_no_process_no_thread_and_no_pipe_and_takes_less_than_a_second(cloudflared):
    cloudflared(USUAL)
    descriptors = Path("/proc/self/fd") if Path("/proc/self/fd").exists() else Path("/dev/fd")

    async def once():
        async with opened():
            assert cloudflared.is_alive
            until = time.monotonic()
        return time.monotonic() - until

    async def main():
        await once()  # what is loaded and kept once is there now
        before = len(list(descriptors.iterdir())), threading.active_count()
        took = [await once() for _ in range(3)]
        assert not cloudflared.is_alive
        assert (len(list(descriptors.iterdir())), threading.active_count()) == before
        assert max(took) < 1

    run(main())


STUBBORN = {
    "ignores the order to end": "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "ends only after half a minute": "signal.signal(signal.SIGTERM, lambda *_: time.sleep(30))",
}


@pytest.mark.slow
@pytest.mark.parametrize("lines", STUBBORN.values(), ids=STUBBORN)
def test_a_program_that_does_not_want_to_end_is_killed_within_a_second(cloudflared, lines):
    cloudflared(f"{lines}; {USUAL}")

    async def main():
        async with opened():
            began = time.monotonic()
        assert time.monotonic() - began < 1
        assert not cloudflared.is_alive

    run(main())


def test_a_program_that_says_much_after_its_address_is_never_held_up(cloudflared):
    # Far more than a pipe holds: were nobody to read, it would never come to its last line.
    cloudflared("say(ADDRESS); say(REGISTERED); [say('x' * 997) for _ in range(4000)]; (folder / 'done').touch(); stay()")

    async def main():
        async with opened():
            await until((cloudflared.folder / "done").exists)

    run(main())


def test_an_address_that_comes_in_pieces_and_a_line_without_an_end_are_read(cloudflared):
    cloudflared(
        f"say('y' * 100_000, end=''); say('x' * 50 + 'https://{HOST[:9]}', end=''); time.sleep(0.1); say('{HOST[9:]}  |'); stay()"
    )

    async def main():
        async with opened() as (stands, _):
            return stands.host

    assert run(main()) == HOST


@pytest.mark.slow
def test_the_loop_goes_on_while_the_address_is_waited_for(cloudflared):
    cloudflared(f"time.sleep(0.3); {USUAL}")

    async def main():
        loop = asyncio.get_running_loop()
        latest = 0.0
        async with opened():  # what is loaded once is loaded before it is measured
            pass
        opening = asyncio.ensure_future(once())
        while not opening.done():
            began = loop.time()
            await asyncio.sleep(0.01)
            latest = max(latest, loop.time() - began)
        await opening
        return latest

    async def once():
        async with opened():
            pass

    assert run(main()) < 0.25


ENDS = {
    "an error that names the service it asked": (
        'say(\'failed to request quick Tunnel: Post "https://api.trycloudflare.com/tunnel": no such host\'); sys.exit(1)',
        r'cloudflared ended with code 1 \(failed to request quick Tunnel: Post "https://api\.trycloudflare\.com/tunnel": '
        r"no such host\) before it had an address: try again in a minute, or serve under a host name of your own",
    ),
    "too many tunnels": (
        "say(ASKING); say(STAMP + ' ERR Error unmarshaling QuickTunnel response: error code: 1015 "
        'status_code="429 Too Many Requests"\'); sys.exit(1)',
        r"\(Error unmarshaling QuickTunnel response: error code: 1015 status_code=.429 Too Many Requests.\)",
    ),
    "nothing said": ("sys.exit(3)", "cloudflared ended with code 3 before it had an address"),
    "what is said about the empty configuration is not the reason": (
        f"say(STAMP + ' ERR Configuration file {os.devnull} was empty'); sys.exit(3)",
        "cloudflared ended with code 3 before it had an address",
    ),
    "a secret within": ("say('token=abc123def456'); sys.exit(1)", r"\(token=•••\)"),
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", "cloudflared ended with code 137 before it had an address"),
    "the program cannot be run": (None, "cloudflared ended with code"),
}


@pytest.mark.parametrize(("lines", "sentence"), ENDS.values(), ids=ENDS)
def test_a_program_that_ends_without_an_address_is_told_with_its_own_words(cloudflared, lines, sentence):
    cloudflared(lines or "")
    if lines is None:
        (cloudflared.folder / "cloudflared").write_bytes(b"\x7fELF of another machine")

    async def main():
        async with opened():
            pytest.fail("there was no address")

    with pytest.raises(CarrierError, match=sentence) as caught:
        run(main())
    assert "abc123" not in str(caught.value)


def test_a_program_that_never_says_an_address_is_ended_in_time(cloudflared, monkeypatch):
    monkeypatch.setattr(cloudflare, "ADDRESS_SECONDS", 0.3)
    cloudflared("say(ASKING); say('see https://api.trycloudflare.com and https://www.cloudflare.com/website-terms/'); stay()")

    async def main():
        with pytest.raises(CarrierError, match=r"cloudflared had no address after 0\.3 s( \(.*\))?: does this network let it"):
            async with opened():
                pytest.fail("there was no address")
        assert not cloudflared.is_alive

    run(main())


def test_a_program_that_dies_later_is_told_to_whoever_serves(cloudflared):
    cloudflared("say(ADDRESS); say(REGISTERED); wait('die'); say(STAMP + ' ERR the edge is gone'); sys.exit(7)")

    async def main():
        async with opened() as (stands, _):
            cloudflared.let("die")
            return await asyncio.wait_for(asyncio.shield(stands.lost), SOON_SECONDS)

    assert run(main()) == "cloudflared ended with code 7 (the edge is gone)"


def test_a_program_that_dies_before_the_name_is_known_is_an_error(cloudflared):
    cloudflared("say(ADDRESS); time.sleep(0.1); say('no route'); sys.exit(1)")

    async def main():
        async with opened(knows_after=1_000):
            pytest.fail("the name was not known")

    with pytest.raises(CarrierError, match=r"cloudflared ended with code 1 \(no route\) before its name was known"):
        run(main())


def test_a_tunnel_that_cloudflare_has_forgotten_is_lost_although_the_program_goes_on(cloudflared):
    # At its start a refusal is usual, until the edge has heard of it, and one alone passes later, too.
    begins = "say(ADDRESS); [say(it) for it in (REFUSED, REFUSED, REGISTERED, REFUSED)]"
    cloudflared(f"{begins}; (folder / 'said').touch(); wait('night'); say(REFUSED); say(REFUSED); stay()")

    async def main():
        async with opened() as (stands, _):
            await until((cloudflared.folder / "said").exists)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(stands.lost), 0.2)
            assert not stands.lost.done()
            cloudflared.let("night")
            return await asyncio.wait_for(asyncio.shield(stands.lost), SOON_SECONDS)

    assert run(main()).startswith("Cloudflare does not know it any more (Register tunnel error")


def test_lost_is_cancelled_when_the_tunnel_is_closed(cloudflared):
    cloudflared(USUAL)

    async def main():
        async with opened() as (stands, _):
            pass
        assert stands.lost.cancelled()

    run(main())


@pytest.mark.slow
def test_a_name_that_stays_unknown_is_an_error_in_time(cloudflared, monkeypatch):
    monkeypatch.setattr(cloudflare, "NAME_SECONDS", 0.2)
    cloudflared(USUAL)

    async def main():
        with pytest.raises(CarrierError, match=f"The name {HOST} was not known after 0.2 s: serve again"):
            async with opened(knows_after=1_000):
                pytest.fail("the name was not known")
        assert not cloudflared.is_alive

    run(main())


@pytest.mark.slow
def test_where_no_name_server_can_be_asked_the_name_is_given_some_time(cloudflared, monkeypatch):
    monkeypatch.setattr(names, "SILENCE_SECONDS", 0.05)
    monkeypatch.setattr(cloudflare, "UNSEEN_SECONDS", 0.4)
    cloudflared(USUAL)

    async def main():
        began = time.monotonic()
        async with name_server(silent=True) as server:
            tunnel = CloudflareTunnel(name_servers=(f"127.0.0.1:{server.port}",))
            async with tunnel.open(8000, [].append) as stands:
                return stands.host, time.monotonic() - began

    host, took = run(main())
    assert host == HOST
    assert 0.4 < took < SOON_SECONDS


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before the address", "while the name is waited for", "when it stands"])
def test_whoever_is_cancelled_leaves_nothing_running(cloudflared, when):
    cloudflared("stay()" if when == "before the address" else USUAL)

    async def main():
        async with opened(knows_after=1 if when == "when it stands" else 1_000) as (_, server):
            await asyncio.Event().wait()
        return server

    async def cancelled():
        task = asyncio.ensure_future(main())
        await until((cloudflared.folder / "pid").exists)
        await asyncio.sleep(0.2 if when != "before the address" else 0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not cloudflared.is_alive

    run(cancelled())


def test_it_is_out_of_reach_of_an_interrupt_of_the_kernel(cloudflared):
    cloudflared(USUAL)

    async def main():
        async with opened():
            return os.getsid(cloudflared.pid)

    assert run(main()) != os.getsid(0)


OWNER = """
import asyncio, sys
from patter_nb.tunnels.program import Program

async def main():
    Program([sys.argv[1]], lambda line: print(line, flush=True))
    await asyncio.Event().wait()

asyncio.run(main())
"""


HELPER = "import subprocess; helper = subprocess.Popen(['sleep', '60']); (folder / 'helper').write_text(str(helper.pid)); "
"""It starts a program itself."""


async def helper_ends(cloudflared):
    state = ["ps", "-o", "stat=", "-p", (cloudflared.folder / "helper").read_text()]
    await until(lambda: subprocess.run(state, check=False, capture_output=True).stdout.strip()[:1] in (b"", b"Z"))


@pytest.mark.slow
@pytest.mark.parametrize("stubborn", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN); "])
def test_it_ends_with_the_process_that_began_it_however_that_one_ends(cloudflared, stubborn):
    cloudflared(f"{stubborn}{HELPER}say('here'); stay()")
    path = str(cloudflared.folder / "cloudflared")
    with subprocess.Popen([sys.executable, "-c", OWNER, path], stdout=subprocess.PIPE) as owner:
        assert owner.stdout.readline() == b"here\n"
        assert cloudflared.is_alive
        owner.send_signal(signal.SIGKILL)
    asyncio.run(until(lambda: not cloudflared.is_alive))
    asyncio.run(helper_ends(cloudflared))


@pytest.mark.slow
def test_what_it_has_started_itself_ends_with_it(cloudflared):
    cloudflared(f"{HELPER}{USUAL}")

    async def main():
        async with opened():
            pass
        await helper_ends(cloudflared)

    run(main())


def test_without_the_program_the_error_says_how_to_install_it_this_machine_first(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    async def main(system):
        monkeypatch.setattr(sys, "platform", system)
        async with CloudflareTunnel().open(8000, [].append):
            pytest.fail("there is no cloudflared")

    for system, first in (("darwin", "macOS: brew"), ("win32", "Windows: winget"), ("linux", "Debian and Ubuntu: sudo")):
        with pytest.raises(ConfigError, match=rf"not on the PATH, which CloudflareTunnel\(\) runs: {first} ") as caught:
            run(main(system))
        assert all(re.search(command, str(caught.value)) for command in cloudflare.INSTALL.values())


def test_a_loop_that_is_closed_is_told_nothing_and_nothing_breaks(cloudflared):
    cloudflared("say('here'); wait('die')")
    loop = asyncio.new_event_loop()

    async def main():
        return program.Program([str(cloudflared.folder / "cloudflared")], lambda line: None)

    running = loop.run_until_complete(main())
    loop.close()
    cloudflared.let("die")
    assert running._process.wait(SOON_SECONDS) == 0
    for thread in threading.enumerate():
        if thread.name.startswith("output of"):
            thread.join(SOON_SECONDS)
    running._process.stdin.close()


@pytest.mark.parametrize("given", ["ns.example.com", "192.0.2.1:", "192.0.2.1:x", "", 53])
def test_a_name_server_that_is_no_address_is_refused(given):
    with pytest.raises(ConfigError, match=r'name_servers holds .*; each must be an address, such as "192\.0\.2\.1"'):
        CloudflareTunnel(name_servers=(given,))


def test_two_tunnels_with_the_same_settings_are_equal():
    assert CloudflareTunnel() == CloudflareTunnel()
    assert CloudflareTunnel(name_servers=("192.0.2.1",)) != CloudflareTunnel()
