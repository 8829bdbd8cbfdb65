"""The line of a call: keys on the wire, a sound under the agent's voice, and a stage of audio that breaks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from patter_nb.audio.background import BackgroundAudioPlayer
from patter_nb.audio.dtmf import KEYS, frequencies
from patter_nb.callers import Line
from patter_nb.errors import ConfigError
from patter_nb.providers.scripted import ScriptedLLM
from patter_nb.turns.events import DtmfRequested

Hold = Callable[..., Any]

HZ = 8000
BLOCK = HZ // 50
TONES = sorted({tone for key in KEYS for tone in frequencies(key)})
STORY = "Dinner is served from six to ten, and the kitchen closes at half past nine on every Sunday of the year."


def level(samples: Any, frequency: float) -> float:
    """The amplitude of one frequency, full scale 1."""
    wave = np.exp(-2j * math.pi * frequency * np.arange(len(samples)) / HZ)
    return float(2 * abs(np.dot(samples / 32768, wave)) / len(samples))


def key_in(block: Any) -> str:
    """The key that sounds in 20 ms; "" for none."""
    loud = tuple(tone for tone in TONES if level(block, tone) > 0.15)
    return next((key for key in KEYS if frequencies(key) == loud), "")


def keys_heard(samples: Any) -> list[tuple[str, float, float]]:
    """Each key with the second in which it begins and ends."""
    found: list[tuple[str, float, float]] = []
    last = ""
    for at in range(0, len(samples) - BLOCK + 1, BLOCK):
        key = key_in(samples[at : at + BLOCK])
        if key and key == last:
            found[-1] = (key, found[-1][1], (at + BLOCK) / HZ)
        elif key:
            found.append((key, at / HZ, (at + BLOCK) / HZ))
        last = key
    return [each for each in found if each[2] - each[1] >= 0.04]


def rms(samples: Any) -> float:
    return float(np.sqrt(np.mean(np.square(samples.astype(float))))) if len(samples) else 0.0


def pressing(*orders: tuple[float, str, int]) -> Any:
    async def meanwhile(tap: Any, session: Any) -> None:
        for at, digits, delay_ms in orders:
            await tap.at(at)
            session.control.send_dtmf(digits, delay_ms=delay_ms)

    return meanwhile


def test_keys_are_heard_at_the_far_end_once_the_agent_has_said_what_it_says(hold: Hold) -> None:
    held = hold(["One?"], meanwhile=pressing((0.5, "1#5", 200)), no_reply_seconds=3.0)
    heard = keys_heard(held.report.heard)
    assert [key for key, _, _ in heard] == ["1", "#", "5"]
    assert held.events("dtmf_sent") == [{"digits": "1#5"}]
    (spoken,) = [each for each in held.events("agent_speech") if each["reply"] == held.turn(0).reply]
    assert heard[0][1] >= spoken["ended_at"] - 0.05, "not over the greeting that was being said when they were ordered"
    assert [ends - starts for _, starts, ends in heard] == pytest.approx([0.1] * 3, abs=0.021)
    gaps = [later[1] - earlier[2] for earlier, later in itertools.pairwise(heard)]
    assert gaps == pytest.approx([0.2] * 2, abs=0.041)


@pytest.mark.parametrize("leave", ["transfer", "hangup"])
def test_keys_are_heard_to_the_last_before_the_agent_leaves(hold: Hold, leave: str) -> None:
    async def meanwhile(tap: Any, session: Any) -> None:
        await tap.at(0.5)
        session.control.send_dtmf("1#5", delay_ms=200)
        getattr(session.control, leave)(*(["+15551234567"] if leave == "transfer" else []))

    held = hold(["One?"], meanwhile=meanwhile, no_reply_seconds=3.0)
    assert [key for key, _, _ in keys_heard(held.report.heard)] == ["1", "#", "5"]
    assert held.session.is_transferred == (leave == "transfer")


def test_keys_that_a_caller_cuts_off_are_waited_for_no_longer(hold: Hold) -> None:
    async def meanwhile(tap: Any, session: Any) -> None:
        await tap.at(0.5)
        session.control.send_dtmf("1" * 32, delay_ms=1000)
        session.control.say("Now I say something.")
        await tap.at(1.5)
        session.control.say("At once!", interrupt=True)
        session.control.hangup()

    held = hold([Line("One?", wait_seconds=40.0)], meanwhile=meanwhile, first_message="", no_reply_seconds=60.0)
    assert held.session.duration_seconds < 10
    assert held.events("undone") == [{"order": "send_dtmf", "what": "1" * 32}]


def test_keys_are_in_the_recording_on_the_agents_side(hold: Hold) -> None:
    held = hold(["One?"], meanwhile=pressing((2.2, "42", 100)), no_reply_seconds=3.0)
    assert [key for key, _, _ in keys_heard(held.session.recording.agent)] == ["4", "2"]
    assert keys_heard(held.session.recording.caller) == []


def test_keys_are_no_speech_of_the_agents_and_the_conversation_goes_on(hold: Hold) -> None:
    held = hold(["One?", "Two?"], meanwhile=pressing((0.5, "12", 100)), no_reply_seconds=3.0)
    assert [turn.heard_text for turn in held.turns][1:] == ["First answer.", "Second answer."]
    assert all(turn.error is None and not turn.interrupted for turn in held.turns)


def test_two_orders_of_keys_come_one_after_the_other(hold: Hold) -> None:
    held = hold(["One?"], meanwhile=pressing((0.3, "1", 100), (0.4, "2w3", 100)), no_reply_seconds=3.0)
    heard = keys_heard(held.report.heard)
    assert [key for key, _, _ in heard] == ["1", "2", "3"]
    assert heard[2][1] - heard[1][2] > 0.5, "w is half a second"


def test_each_order_of_keys_is_a_stretch_of_sound_of_its_own(hold: Hold) -> None:
    orders = pressing((0.5, "1", 100), (5.0, "2", 100))
    held = hold(["One?", "Two?"], meanwhile=orders, no_reply_seconds=3.0)
    told = [(each["started_at"], each["ended_at"]) for each in held.events("agent_speech") if each["reply"] == 0]
    heard = keys_heard(held.report.heard)
    assert [key for key, _, _ in heard] == ["1", "2"]
    assert [ended - started for started, ended in told] == pytest.approx([0.2, 0.2], abs=0.03)
    assert [started for started, _ in told] == pytest.approx([started for _, started, _ in heard], abs=0.05)


HUM = (np.rint(3000 * np.sin(2 * math.pi * 1000 * np.arange(HZ) / HZ)).astype(np.int16), HZ)


def test_a_background_is_heard_under_the_voice_and_nowhere_else(hold: Hold) -> None:
    lines = ["One?", "Two?"]
    plain = hold(lines)
    held = hold(lines, background_audio=BackgroundAudioPlayer(HUM, volume=0.5))
    speech = [(round(each["started_at"] * HZ), round(each["ended_at"] * HZ)) for each in held.events("agent_speech")]
    assert len(speech) == 3
    heard, inside = held.session.recording.agent, np.zeros(len(held.session.recording.agent), bool)
    for start, end in speech:
        inside[max(0, start - BLOCK) : end + BLOCK] = True
        middle = slice(start + HZ // 10, start + HZ // 2)
        assert level(heard[middle], 1000) == pytest.approx(0.5 * 3000 / 32768, rel=0.35)
        assert level(plain.session.recording.agent[middle], 1000) < 0.01
    assert rms(heard[~inside]) < 50
    assert (~inside).mean() > 0.3
    # It changes nothing of the call.
    gaps = [each.rows["gap_ms"].dropna().tolist() for each in (held, plain)]
    assert gaps[0] == pytest.approx(gaps[1], abs=1)


def test_keys_are_sent_without_the_background(hold: Hold) -> None:
    background = BackgroundAudioPlayer(HUM, volume=1.0)
    held = hold(["One?"], background_audio=background, meanwhile=pressing((0.5, "5", 300)), no_reply_seconds=3.0)
    ((key, starts, ends),) = keys_heard(held.report.heard)
    assert key == "5"
    assert level(held.report.heard[round((starts + 0.03) * HZ) : round((ends - 0.03) * HZ)], 1000) < 0.02


def test_a_stage_of_audio_that_breaks_is_left_out_and_told_once(hold: Hold) -> None:
    def broken(samples: Any) -> Any:
        raise ValueError("no samples")

    held = hold(["One?"], audio_in=(broken,), audio_out=(broken,))
    told = [each["error"] for each in held.events("audio_stage_failed")]
    assert told == ["test_a_stage_of_audio_that_breaks_is_left_out_and_told_once.broken raised ValueError: no samples"] * 2
    assert held.turn(1).heard_text == "First answer."


def test_a_call_that_is_not_recorded_has_no_recording(hold: Hold) -> None:
    held = hold(["One?"], record=False)
    assert held.session.recording is None
    assert held.turn(1).heard_text == "First answer."


def test_what_was_sent_and_cleared_is_not_in_the_recording(hold: Hold) -> None:
    lines = ["One?", Line("Please stop that now.", interrupt_after_seconds=1.0)]
    held = hold(lines, llm=ScriptedLLM([STORY, "Fine."]))
    assert held.turn(1).interrupted
    (story,) = [each for each in held.events("agent_speech") if each["reply"] == held.turn(1).reply]
    assert story["interrupted"]
    assert 1.0 < story["ended_at"] - story["started_at"] < 2.5
    heard = held.session.recording.agent
    after = heard[round((story["ended_at"] + 0.1) * HZ) : round((story["ended_at"] + 0.5) * HZ)]
    assert rms(after) < 50
    assert held.report.clears


@pytest.mark.parametrize("broken", [ConnectionResetError("gone"), OSError("no route")])
def test_a_socket_that_breaks_ends_the_call_and_says_why(hold: Hold, broken: OSError) -> None:
    async def breaks(tap: Any, session: Any) -> None:
        await tap.at(2.5)
        tap.post(broken)

    held = hold(["One?"], meanwhile=breaks)
    assert held.error is None
    assert held.events("carrier_error")[0] == {"error": f"the carrier's socket raised {type(broken).__name__}: {broken}"}
    assert held.session.duration_seconds < 4
    assert held.tasks_left == []


def test_keys_for_a_call_that_is_over_are_refused_and_harmless(hold: Hold) -> None:
    held = hold(["One?"])
    assert held.session.post(DtmfRequested("1", 100)) is False
    with pytest.raises(ConfigError, match="The call is over"):
        held.session.control.send_dtmf("1")
