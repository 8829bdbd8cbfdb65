"""`serve()`, `call()` and `ready`, held against a simulated Twilio over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import subprocess
import sys
from typing import Any

import httpx
import pytest

from patter_nb import serving
from patter_nb.callers import Line
from patter_nb.carriers.twilio import Twilio
from patter_nb.errors import CarrierError, ConfigError, ConfigTypeError, PatterError, PatterWarning
from patter_nb.phone import Patter
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from patter_nb.testing import TwilioSimulator
from patter_nb.testing.twilio import Callee
from patter_nb.tunnels import OpenTunnel, Static

pytestmark = pytest.mark.slow

WAIT_SECONDS = 20.0
OTHER = "+15557654321"


def run(main: Any) -> Any:
    return asyncio.run(asyncio.wait_for(main, 60))


def scripted(phone: Patter, **settings: Any) -> Any:
    given = {"stt": ScriptedSTT(["one", "two"]), "llm": ScriptedLLM(["First.", "Second."]), "tts": ScriptedTTS()}
    return phone.agent("A test.", **{**given, "first_message": "Hi.", **settings})


@contextlib.asynccontextmanager
async def on_line(**settings: Any) -> Any:
    """A simulated account, and a phone on its number."""
    async with TwilioSimulator(synthetic=True) as simulator:
        given = {"carrier": simulator.carrier, "phone_number": simulator.number, "tunnel": simulator.tunnel, "store": False}
        phone = Patter(**{**given, **settings})
        try:
            yield simulator, phone
        finally:
            await phone.disconnect()


async def served(phone: Patter, agent: Any = None, **settings: Any) -> Any:
    given = {"port": 0, "manage_webhook": True, "block": False, **settings}
    return await phone.serve(scripted(phone) if agent is None else agent, **given)


async def held(simulator: TwilioSimulator, phone: Patter, caller: Any = ("Hello.",), **more: Any) -> Any:
    """A call that came in, when it is over on both sides."""
    line = await simulator.call(list(caller), **more)
    await line.ended()
    call = phone.last_call
    assert call is not None
    return await call.ended(WAIT_SECONDS)


async def answered(simulator: TwilioSimulator, phone: Patter) -> None:
    """Wait until the call that comes in is on."""
    (call,) = await simulator.until(lambda _: phone.live_calls)
    async for event in call.stream():
        if event.kind == "answered":
            return


def test_a_call_that_comes_in_is_answered_by_the_agent_that_is_served():
    async def main():
        async with on_line() as (simulator, phone):
            await served(phone)
            call = await held(simulator, phone)
            return call, phone.calls.iloc[0]

    call, row = run(main())
    assert [line["text"] for line in call.transcript] == ["Hi.", "one", "First."]
    assert (row["direction"], row["carrier"], row["outcome"], row["source"]) == ("inbound", "twilio", "answered", "telephone")
    assert call.carrier_call_id == row["carrier_call_id"]
    assert call.carrier_call_id.startswith("CA")
    assert call.id.startswith("call_")


LOADED = """
import asyncio, sys
from patter_nb import DemoBrain, Patter, ScriptedSTT, ScriptedTTS
from patter_nb.testing import TwilioSimulator

async def main():
    async with TwilioSimulator(synthetic=True) as simulator:
        phone = Patter(carrier=simulator.carrier, phone_number=simulator.number, tunnel=simulator.tunnel, store=False)
        agent = phone.agent("A test.", stt=ScriptedSTT([]), llm=DemoBrain(), tts=ScriptedTTS())
        assert "fastapi" not in sys.modules
        await phone.serve(agent, port=0, manage_webhook=True, block=False)
        assert "fastapi" in sys.modules
        await phone.disconnect()

asyncio.run(main())
"""


def test_what_answers_the_carrier_is_loaded_before_the_first_call_comes():
    subprocess.run([sys.executable, "-c", LOADED], check=True, timeout=60)


def test_a_call_is_placed_and_awaiting_it_waits_for_the_dial_alone():
    async def main():
        async with on_line() as (simulator, phone):
            simulator.callee = Callee(lines=["Hello."], answers_after_seconds=0.5)
            await served(phone)
            call = await phone.call(OTHER)
            assert (call.state, call.duration_seconds) == ("running", 0.0)
            assert call.carrier_call_id.startswith("CA")
            await call.ended(WAIT_SECONDS)
            return phone.calls.iloc[0]

    row = run(main())
    assert (row["direction"], row["outcome"], row["answered_by"]) == ("outbound", "answered", "human")
    assert row["turns"] == 1


NOBODY = [("busy", "busy"), ("no-answer", "no_answer"), ("failed", "failed")]


@pytest.mark.parametrize(("kind", "outcome"), NOBODY)
def test_a_call_that_nobody_answers_is_a_row_and_no_error(kind, outcome):
    ends: list[Any] = []

    async def main():
        async with on_line() as (simulator, phone):
            simulator.callee = Callee(kind=kind, answers_after_seconds=0.2)
            await served(phone)
            call = await phone.call(OTHER, ring_timeout=5, on_call_end=ends.append)
            await call.ended(WAIT_SECONDS)
            return call, phone.calls.iloc[0]

    call, row = run(main())
    assert (row["outcome"], row["duration_seconds"], call.error) == (outcome, 0.0, None)
    assert [end["end_reason"] for end in ends] == [outcome.replace("_", " ")]


def test_who_wants_no_machine_detection_does_not_pay_for_it_because_of_what_is_served():
    async def main():
        async with on_line() as (simulator, phone):
            simulator.callee = Callee(lines=["Hello."], answers_after_seconds=0.2)
            await served(phone, voicemail_message="Call us back.", on_machine_detection=print)
            await phone.call(OTHER, machine_detection=False, wait=True)
            (dial,) = [request.fields for request in simulator.requests if request.path.endswith("/Calls.json")]
            return dial, phone.last_call.cost

    dial, cost = run(main())
    assert "MachineDetection" not in dial
    assert "machine detection" not in cost["part"].tolist()


def test_a_dial_that_the_carrier_refuses_raises_where_it_is_awaited_and_is_a_row():
    async def main():
        async with on_line() as (simulator, phone):
            simulator.trial = True
            await served(phone)
            with pytest.raises(CarrierError, match="a trial account calls verified numbers only"):
                await phone.call(OTHER)
            assert len(asyncio.all_tasks()) < 20
            return phone.calls.iloc[0]

    row = run(main())
    assert (row["outcome"], row["end_reason"]) == ("failed", "failed")
    assert OTHER not in str(row["error"])


def test_a_call_without_a_server_starts_one_which_leaves_the_number_alone(capsys):
    async def main():
        async with on_line() as (simulator, phone):
            simulator.callee = Callee(lines=["Hello."], answers_after_seconds=0.2)
            call = await phone.call(OTHER, agent=scripted(phone), wait=True)
            assert call.state == "ended"
            assert (await phone.ready) == simulator.tunnel.hostname
            refused = await simulator.call(url=f"https://{simulator.tunnel.hostname}/webhooks/twilio/answer")
            await refused.ended()
            return simulator.posted("voice")[-1]

    assert "<Reject" in run(main()).body
    assert "points to" not in capsys.readouterr().out


class AnyPort:
    """A tunnel that leads to any port, as a name of its own."""

    def __init__(self, simulator: TwilioSimulator, host: str = "any.example.com") -> None:
        self.simulator, self.host = simulator, host

    @contextlib.asynccontextmanager
    async def open(self, port: int, tell: Any) -> Any:
        await asyncio.sleep(0.1)
        self.simulator.route(self.host, port)
        yield OpenTunnel(self.host)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def test_who_gives_a_call_up_leaves_the_server_that_it_started_to_the_other_calls(monkeypatch):
    monkeypatch.setattr(serving, "PORT", free_port())

    async def main():
        async with on_line() as (simulator, phone):
            phone._tunnel = AnyPort(simulator)
            simulator.callee = Callee(lines=["Hello."], answers_after_seconds=0.2)
            first, second = (phone.call(OTHER, agent=scripted(phone)) for _ in range(2))
            await simulator.until(lambda _: phone._server is not None)
            first.hangup()
            for call in (first, second):
                await call.ended(WAIT_SECONDS)
            return first.carrier_call_id, second.end_reason

    assert run(main()) == ("", "caller hung up")


def test_a_call_takes_no_port_away_from_another_phone_nor_from_another_process(monkeypatch):
    port = free_port()
    monkeypatch.setattr(serving, "PORT", port)

    async def main():
        async with on_line() as (simulator, phone):
            simulator.callee = Callee(lines=["Hello."], answers_after_seconds=0.2)
            server = await served(phone, port=port)
            other = Patter(carrier=phone._carrier, phone_number=phone._phone_number, tunnel=AnyPort(simulator), store=False)
            assert (await other.call(OTHER, agent=scripted(other), wait=True)).end_reason == "caller hung up"
            fixed = Patter(carrier=phone._carrier, phone_number=phone._phone_number, webhook_url="x.example.com", store=False)
            said = f"Port {port} is taken, so no server is started for the call: serve"
            with pytest.raises(CarrierError, match=said):
                await fixed.call(OTHER, agent=scripted(fixed))
            await other.disconnect()
            assert not server.stopped
            await phone.disconnect()
            with socket.create_server(("127.0.0.1", port)):
                assert (await other.call(OTHER, agent=scripted(other), wait=True)).end_reason == "caller hung up"
                with pytest.raises(CarrierError, match=said):
                    await fixed.call(OTHER, agent=scripted(fixed))
            await other.disconnect()

    run(main())


def test_each_call_has_the_agent_and_the_first_words_it_was_ordered_with():
    async def main():
        async with on_line() as (simulator, phone):
            simulator.callee = Callee(lines=["Hello."], answers_after_seconds=0.2, greets_after_seconds=None)
            await served(phone)
            other = scripted(phone, name="other", llm=ScriptedLLM(["Other."]), first_message="Other here.")
            first = phone.call(OTHER, agent=other)
            second = phone.call("+15557654322", agent=other, first_message="As ordered.")
            third = asyncio.ensure_future(held(simulator, phone))
            for call in (first, second):
                await call.ended(WAIT_SECONDS)
            await third
            return [call.transcript[0]["text"] for call in phone._calls]

    assert sorted(run(main())) == ["As ordered.", "Hi.", "Other here."]


def test_serving_again_gives_the_same_server_back_and_changes_what_comes_next():
    async def main():
        async with on_line() as (simulator, phone):
            server = await served(phone)
            again = await served(phone, scripted(phone, name="second", first_message="Hello again."), port=server.port)
            call = await held(simulator, phone)
            return server is again, call.transcript[0]["text"]

    assert run(main()) == (True, "Hello again.")


def test_an_auth_token_that_was_corrected_holds_when_the_cell_is_run_again(monkeypatch):
    async def main():
        async with on_line() as (simulator, phone):
            keys = simulator.carrier.credentials()
            monkeypatch.setenv("TWILIO_AUTH_TOKEN", "f" * 32)
            phone._carrier = Twilio(account_sid=keys.account_sid, base_url=simulator.carrier.base_url)
            server = await served(phone, manage_webhook=False)
            url = f"{server.origin}/webhooks/twilio/answer"
            await (await simulator.call(url=url)).ended()
            monkeypatch.setenv("TWILIO_AUTH_TOKEN", keys.auth_token)
            assert await served(phone, port=server.port, manage_webhook=False) is server
            await held(simulator, phone, url=url)
            return [post.status for post in simulator.posted("voice")], len(phone.calls)

    assert run(main()) == ([403, 200], 1)


def test_serving_twice_on_any_free_port_gives_the_same_server_back():
    async def main():
        async with on_line() as (_, phone):
            return await served(phone) is await served(phone)

    assert run(main())


def test_a_cell_that_was_run_again_with_a_new_phone_takes_the_server_over_with_the_call_that_is_on():
    async def main():
        async with on_line() as (simulator, phone):
            server = await served(phone)
            line = await simulator.call([])
            await answered(simulator, phone)
            other = Patter(carrier=phone._carrier, phone_number=phone._phone_number, tunnel=simulator.tunnel, store=False)
            again = await served(other, scripted(other, first_message="New."), port=server.port)
            assert again is server
            assert await other.ready == simulator.tunnel.hostname
            await phone.disconnect()  # the server is no longer its own
            assert not server.stopped
            assert phone.live_calls[0].state == "running"
            line.hang_up()
            await phone.last_call.ended(WAIT_SECONDS)
            call = await held(simulator, other)
            await other.disconnect()
            return server.stopped, call.transcript[0]["text"]

    assert run(main()) == (True, "New.")


def test_a_phone_of_another_number_that_takes_the_port_says_whose_server_stops(capsys):
    async def main():
        async with on_line() as (simulator, phone):
            server = await served(phone)
            other = Patter(carrier=phone._carrier, phone_number="+15550009876", tunnel=simulator.tunnel, store=False)
            capsys.readouterr()
            again = await served(other, scripted(other), port=server.port, manage_webhook=False)
            await other.disconnect()
            return server.port, server.stopped, again is server

    port, stopped, same = run(main())
    assert (stopped, same) == (True, False)
    told = f"The server of +1•••••1234 on port {port} stops with its calls: this one takes its place."
    assert told in capsys.readouterr().out.splitlines()


def test_a_server_that_stops_ends_its_calls_and_frees_its_port():
    async def main():
        async with on_line() as (simulator, phone):
            server = await served(phone)
            port, line = server.port, await simulator.call([])
            await answered(simulator, phone)
            await server.stop()
            await line.ended()
            assert phone.last_call.end_reason == "server stopped"
            with socket.socket() as listener:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(("127.0.0.1", port))
            again = await served(phone)
            assert again is not server
            return (await held(simulator, phone)).transcript[0]["text"]

    assert run(main()) == "Hi."


def test_ready_waits_and_is_new_with_each_start_and_says_why_it_failed():
    class Broken:
        def open(self, port: int, tell: Any) -> Any:
            @contextlib.asynccontextmanager
            async def opening() -> Any:
                raise PatterError("The tunnel did not open: no network.")
                yield

            return opening()

    async def main():
        async with on_line() as (simulator, phone):
            serving = asyncio.create_task(phone.serve(scripted(phone), port=0, manage_webhook=True, block=True))
            first = phone.ready
            assert await phone.tunnel_ready == await first == simulator.tunnel.hostname
            await phone.disconnect()
            await serving
            second = phone.ready
            assert second is not first
            assert not second.done()
            with pytest.raises(PatterError, match="no network"):
                await served(phone, tunnel=Broken())
            with pytest.raises(PatterError, match="no network"):
                await second
            with pytest.raises(PatterError, match="no network"):
                await phone.ready
            await served(phone)
            return await phone.ready

    assert run(main()) == "rehearsal.example.com"


def test_a_tunnel_that_is_lost_is_opened_again_under_its_new_name():
    hosts = iter(["first.example.com", "second.example.com"])

    class Fickle:
        def __init__(self, simulator: TwilioSimulator) -> None:
            self.simulator = simulator
            self.lost: asyncio.Future[str]

        @contextlib.asynccontextmanager
        async def open(self, port: int, tell: Any) -> Any:
            host = next(hosts)
            self.simulator.route(host, port)
            self.lost = asyncio.get_running_loop().create_future()
            yield OpenTunnel(host, self.lost)

    async def main():
        async with on_line() as (simulator, phone):
            tunnel = Fickle(simulator)
            server = await served(phone, tunnel=tunnel)
            assert server.host == "first.example.com"
            tunnel.lost.set_result("the wire was cut")
            await simulator.until(lambda _: server.host == "second.example.com")
            assert await phone.ready == "second.example.com"
            return (await held(simulator, phone)).end_reason

    assert run(main()) == "caller hung up"


def test_a_tunnel_that_cannot_be_opened_again_is_told_where_nobody_waits(capsys):
    class Once:
        def __init__(self, simulator: TwilioSimulator) -> None:
            self.simulator = simulator
            self.lost: list[asyncio.Future[str]] = []

        @contextlib.asynccontextmanager
        async def open(self, port: int, tell: Any) -> Any:
            if self.lost:
                raise CarrierError("There is no network.")
            self.simulator.route("first.example.com", port)
            self.lost.append(asyncio.get_running_loop().create_future())
            yield OpenTunnel("first.example.com", self.lost[0])

    async def main():
        async with on_line() as (simulator, phone):
            tunnel = Once(simulator)
            server = await served(phone, tunnel=tunnel)
            tunnel.lost[0].set_result("the wire was cut")
            with pytest.raises(PatterError, match="There is no network"):
                await server.closed()

    run(main())
    assert capsys.readouterr().out.splitlines()[-1] == "The server has stopped: There is no network."


def test_a_cell_that_is_interrupted_while_the_tunnel_opens_leaves_no_server_and_no_noise(caplog):
    class Slow:
        @contextlib.asynccontextmanager
        async def open(self, port: int, tell: Any) -> Any:
            await asyncio.Event().wait()
            yield

    async def main():
        async with on_line() as (_, phone):
            serving = asyncio.create_task(served(phone, tunnel=Slow()))
            await asyncio.sleep(0)
            serving.cancel()
            await asyncio.wait((serving,))
            del serving
            gc.collect()  # a failure that nobody has looked at is told then
            return phone._server.stopped

    assert run(main())
    assert caplog.records == []


def test_in_a_script_serving_lasts_until_it_is_stopped_and_an_interrupt_stops_it():
    async def main():
        async with on_line() as (_, phone):
            serving = asyncio.create_task(phone.serve(scripted(phone), port=0, manage_webhook=True))
            await phone.ready
            server = phone._server
            assert not serving.done()
            serving.cancel()
            await asyncio.wait((serving,))
            return server.stopped

    assert run(main())


def test_a_phone_in_async_with_stops_its_server_at_the_end():
    async def main():
        async with on_line() as (_, phone):
            async with phone as same:
                assert same is phone
                server = await served(phone)
                assert not server.stopped
            return server.stopped

    assert run(main())


def test_a_port_that_another_process_has_is_an_error_with_its_remedy():
    async def main():
        async with on_line() as (_, phone):
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                taken.listen()
                ready = phone.ready
                with pytest.raises(OSError, match="is taken: stop what uses it, or give another port"):
                    await served(phone, port=taken.getsockname()[1])
                with pytest.raises(PatterError, match="is taken"):
                    await ready

    run(main())


def test_a_word_for_no_does_not_point_the_number_here():
    async def main():
        async with on_line() as (simulator, phone):
            with pytest.raises(ConfigTypeError, match="manage_webhook is 'no'; it must be True, False, or left out"):
                await served(phone, manage_webhook="no")
            assert simulator.requests == []

    run(main())


@pytest.mark.parametrize(("agent", "why"), [(None, "is not the SID of an account"), ("no agent", "agent is str")])
def test_whoever_waits_for_ready_hears_why_serving_did_not_begin(agent, why):
    async def main():
        async with on_line(carrier=Twilio(account_sid="AC"), tunnel=Static("calls.example.com")) as (_, phone):
            serving = asyncio.create_task(phone.serve(agent or scripted(phone), port=0))
            with pytest.raises(PatterError, match=why):
                await phone.ready
            with pytest.raises(ConfigError, match=why):
                await serving

    run(main())


def test_a_server_that_runs_goes_on_when_another_port_is_taken_and_stops_with_its_phone():
    async def main():
        async with on_line() as (simulator, phone):
            server = await served(phone)
            with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="is taken"):
                await served(phone, port=taken.getsockname()[1])
            assert await phone.ready == simulator.tunnel.hostname
            call = await held(simulator, phone)
            await phone.disconnect()
            return server.stopped, call.end_reason

    assert run(main()) == (True, "caller hung up")


def test_on_another_port_a_new_server_takes_the_place_of_the_one_that_runs():
    async def main():
        async with on_line(tunnel=Static("calls.example.com")) as (simulator, phone):
            first = await served(phone)
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            second = await served(phone, port=port)
            assert (first.stopped, second.stopped, second.port) == (True, False, port)
            assert await phone.ready == "calls.example.com"
            simulator.route("calls.example.com", port)
            return (await held(simulator, phone)).end_reason

    assert run(main()) == "caller hung up"


def test_a_call_goes_by_the_server_that_runs_though_the_phone_was_made_with_another_tunnel():
    async def main():
        async with on_line(tunnel=Static("calls.example.com")) as (simulator, phone):
            simulator.callee = Callee(lines=["Hello."], answers_after_seconds=0.2)
            server = await served(phone, tunnel=simulator.tunnel)
            call = await phone.call(OTHER)
            assert (phone._server is server, server.stopped) == (True, False)
            return (await call.ended(WAIT_SECONDS)).end_reason

    assert run(main()) == "caller hung up"


def test_a_real_call_goes_on_when_nobody_waits_for_it_any_more():
    async def main():
        async with on_line() as (simulator, phone):
            simulator.callee = Callee(lines=["Hello."], answers_after_seconds=0.2)
            await served(phone)
            call = await phone.call(OTHER)
            waiting = asyncio.create_task(call.ended())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait((waiting,))
            assert call.state == "running"
            return (await call.ended(WAIT_SECONDS)).end_reason

    assert run(main()) == "caller hung up"


def test_a_call_that_still_rings_can_be_hung_up():
    async def main():
        async with on_line() as (simulator, phone):
            simulator.callee = Callee(answers_after_seconds=20)
            await served(phone)
            call = await phone.call(OTHER)
            call.stop()
            await call.ended(WAIT_SECONDS)
            (line,) = simulator.lines.values()
            await line.ended()
            return line.status, call.end_reason

    assert run(main()) == ("canceled", "stopped")


def test_the_other_side_of_the_line_is_told_what_the_agent_did():
    """Keys both ways, both recordings, and the price that the carrier charged."""

    async def main():
        async with on_line() as (simulator, phone):
            simulator.callee = Callee(lines=["Hello."], answers_after_seconds=0.2, hang_up_seconds=2)
            server = await served(phone, recording=True)
            call = await phone.call(OTHER)
            call.send_dtmf("42#")
            await call.ended(WAIT_SECONDS)
            (line,) = simulator.lines.values()
            await line.ended()
            await simulator.until(lambda _: simulator.posted("recording"))
            await server.afterwards.done(call.id)
            assert {"carrier_price", "carrier_recording"} <= set(call.events["kind"])
            return line, call, phone.calls.iloc[0]

    line, call, row = run(main())
    assert line.keys == "42#"
    assert call.audio is not None
    assert row["carrier_price_usd"] == pytest.approx(0.014)


def test_end_call_hangs_up_the_call_that_is_named_and_no_other():
    async def main():
        phone = Patter(store=False, show=False)
        first, second = (phone.test(scripted(phone), [Line("Hello?", wait_seconds=30)]) for _ in range(2))
        for wrong, kind in (("", ConfigError), (None, ConfigTypeError)):
            with pytest.raises(kind, match="call_id"):
                await phone.end_call(wrong)
        await phone.end_call("CA" + "0" * 32)
        await phone.end_call(second.id)
        await second.ended(WAIT_SECONDS)
        assert (first.state, second.end_reason) == ("running", "hung up by the agent's side")
        first.stop()
        await first.ended(WAIT_SECONDS)

    run(main())


WRONG_CALLS = [
    ({"to": "5557654321"}, ConfigError, "to must be a number in E.164"),
    ({"to": OTHER, "ring_timeout": 1}, ConfigError, "ring_timeout is 1; it must be seconds from 5 to 600."),
    ({"to": OTHER, "ring_timeout": True}, ConfigError, "ring_timeout is True"),
    ({"to": OTHER, "from_number": "x"}, ConfigError, "from_number must be a number in E.164"),
    ({"to": OTHER, "voicemail_message": 5}, ConfigTypeError, "voicemail_message is int; it must be a string."),
    ({"to": OTHER, "first_message": 5}, ConfigTypeError, "first_message is int; it must be a string."),
    ({"to": OTHER, "recording": "yes"}, ConfigTypeError, "recording"),
    ({"to": OTHER, "on_call_end": 5}, ConfigTypeError, "on_call_end is int"),
]


@pytest.mark.parametrize(("order", "kind", "sentence"), WRONG_CALLS)
def test_a_call_that_cannot_be_says_why_before_anything_is_dialled(order, kind, sentence):
    async def main():
        async with on_line() as (simulator, phone):
            agent = scripted(phone)
            with pytest.raises(kind, match=sentence):
                phone.call(agent=agent, **order)
            assert len(phone.calls) == 0
            assert simulator.requests == []

    run(main())


def test_what_is_missing_is_named_with_its_remedy(monkeypatch):
    async def main():
        bare = Patter(store=False)
        with pytest.raises(ConfigError, match=r"carrier is missing: Patter\(carrier=Twilio\(\)"):
            await bare.serve(scripted(bare), block=False)
        with pytest.raises(ConfigError, match="carrier is missing"):
            bare.call(OTHER, agent=scripted(bare))
        key = {"account_sid": "AC" + "0" * 32, "api_key": "SK" + "0" * 32, "api_secret": "secret"}
        unsigned = Patter(carrier=Twilio(**key), phone_number="+15550001234", store=False)
        with pytest.raises(ConfigError, match="Checking that a webhook comes from Twilio needs the key TWILIO_AUTH_TOKEN"):
            await unsigned.serve(scripted(unsigned), block=False)
        with pytest.raises(ConfigError, match="needs the key TWILIO_AUTH_TOKEN"):
            unsigned.call(OTHER, agent=scripted(unsigned))
        async with on_line(tunnel=None) as (_, phone):
            with pytest.raises(ConfigError, match="tunnel is missing: a carrier must reach this machine"):
                await served(phone)
            with pytest.raises(ConfigError, match="tunnel is missing: a carrier must reach this machine"):
                phone.call(OTHER, agent=scripted(phone))
            assert len(phone.calls) == 0
        async with on_line() as (_, phone):
            with pytest.raises(ConfigError, match="agent is missing: give the agent that talks"):
                phone.call(OTHER)
            with pytest.raises(ConfigTypeError, match="agent is str; it must be an Agent"):
                await phone.serve("agent", block=False)

    run(main())


def test_a_dashboard_that_is_not_there_yet_is_told_once():
    async def main():
        async with on_line() as (_, phone):
            with pytest.warns(PatterWarning, match="dashboard has no effect"):
                await served(phone, dashboard=True)

    run(main())


def test_the_carriers_port_answers_with_nothing_but_its_webhooks():
    async def main():
        async with on_line() as (_, phone):
            server = await served(phone)
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
                found = [await client.get(path) for path in ("/health", "/", "/docs", "/softphone", "/openapi.json")]
                posted = await client.post("/webhooks/twilio/answer", data={"CallSid": "CA" + "0" * 32})
            return [answer.status_code for answer in found], posted.status_code

    assert run(main()) == ([200, 404, 404, 404, 404], 403)


def test_a_static_name_is_what_signatures_are_checked_against():
    async def main():
        async with on_line(tunnel=Static("calls.example.com")) as (simulator, phone):
            server = await served(phone)
            simulator.route("calls.example.com", server.port)
            return (await held(simulator, phone)).end_reason, repr(server)

    reason, shown = run(main())
    assert reason == "caller hung up"
    assert "https://calls.example.com" in shown
    assert "+15550001234" not in shown
