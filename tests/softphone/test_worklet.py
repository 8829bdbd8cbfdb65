"""What runs on the browser's audio thread, in a browser: µ-law, resampling, the queue, marks to the sample."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from patter_nb.audio import g711

from .conftest import browser

pytestmark = pytest.mark.slow

STATIC = files("patter_nb.softphone").joinpath("static")

HELPERS = """
function made() {
  const phone = new PatterPhone();
  phone.came = [];
  phone.blocks = 0;
  phone.port = {postMessage: message => phone.came.push({...message, block: phone.blocks})};
  phone.heard = [];
  phone.run = (count, input) => {
    for (let i = 0; i < count; i++) {
      const ears = [new Float32Array(128), new Float32Array(128)];
      phone.process([input ? [input(phone.blocks)] : []], [ears]);
      phone.left ??= []; phone.right ??= [];
      phone.left.push(...ears[0]); phone.right.push(...ears[1]);
      phone.blocks += 1;
    }
  };
  return phone;
}
const frames = (count, code) => new Uint8Array(160 * count).fill(code);
const LOUD = 0x90;
"""


@pytest.fixture(scope="module")
def ask() -> Iterator[Any]:
    """`ask(script, hz)`: what a script says in a page that has the processor at this rate."""
    browser().need_browser()
    pages: dict[int, Any] = {}
    with browser().chromium() as chromium:

        def asking(script: str, hz: int = 48_000) -> Any:
            if hz not in pages:
                page = pages[hz] = chromium.new_page()
                for source in (f"globalThis.sampleRate = {hz};", STATIC.joinpath("worklet.js").read_text("utf-8"), HELPERS):
                    page.add_script_tag(content=source)
            return pages[hz].evaluate(f"() => {{ {script} }}")

        yield asking


def test_its_mu_law_is_that_of_the_carriers(ask):
    codes = ask("return Array.from({length: 65536}, (_, n) => encode((n - 32768) / 32768));")
    ours = g711.encode(np.arange(-32768, 32768).astype(np.int16))
    assert bytes(codes) == ours
    values = ask("return Array.from({length: 256}, (_, n) => DECODED[n] * 32768);")
    assert np.array_equal(np.array(values), g711.decode(bytes(range(256))))


RATES = [44_100, 48_000, 96_000, 16_000]


def level_db(samples: list[float]) -> float:
    settled = np.array(samples)[len(samples) // 4 : -len(samples) // 4]
    return 20 * np.log10(max(1e-9, float(np.sqrt(2 * np.mean(settled**2)))))


TONE = """
const sampler = new Resampler({source}, {target});
const wave = Float32Array.from({{length: {source}}}, (_, n) => Math.sin(2 * Math.PI * {hz} * n / {source}));
const out = [];
for (let i = 0; i < wave.length; i += 128) out.push(...sampler.feed(wave.subarray(i, i + 128)));
return out;
"""


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("hz", [300, 1000, 3000])
def test_speech_passes_both_ways_as_loud_as_it_is(ask, rate, hz):
    for source, target in ((rate, 8000), (8000, rate)):
        out = ask(TONE.format(source=source, target=target, hz=hz))
        assert abs(len(out) - target) < 2
        assert abs(level_db(out)) < 0.2


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("hz", [4600, 5000, 7000])
def test_what_a_telephone_does_not_carry_does_not_come_back_as_another_tone(ask, rate, hz):
    assert level_db(ask(TONE.format(source=rate, target=8000, hz=hz))) < -55


@pytest.mark.parametrize("rate", RATES)
def test_the_ear_gets_no_mirror_of_a_tone(ask, rate):
    out = np.array(ask(TONE.format(source=8000, target=rate, hz=1000)))[rate // 4 : -rate // 4]
    spectrum = np.abs(np.fft.rfft(out * np.hanning(len(out))))
    loudest = spectrum.max()
    high = spectrum[int(4600 * len(out) / rate) :]
    assert 20 * np.log10(high.max() / loudest) < -55


@pytest.mark.parametrize("rate", RATES)
def test_the_microphone_gives_fifty_frames_a_second_without_a_gap(ask, rate):
    came = ask(f"""
        const phone = made();
        phone.order({{speaking: true}});
        phone.run({rate // 128}, () => new Float32Array(128).fill(0.25));
        return phone.came.filter(message => message.frame).map(message => [...message.frame, message.speaking]);
    """, rate)  # fmt: skip
    assert 49 <= len(came) <= 50
    assert all(len(frame) == 161 and frame[160] for frame in came)
    assert len({code for frame in came[1:] for code in frame[:160]}) == 1


@pytest.mark.parametrize("how", ["phone.order({muted: true})", "input = undefined"])
def test_a_microphone_that_is_muted_or_not_there_is_silence_and_no_gap(ask, how):
    came = ask(f"""
        const phone = made();
        let input = () => new Float32Array(128).fill(0.25);
        {how};
        phone.run(375, input);
        return phone.came.filter(message => message.frame).map(message => [...message.frame]);
    """)
    assert len(came) == 50
    assert {code for frame in came for code in frame} == {0xFF}


MARKED = """
const phone = made();
phone.run(3);
phone.order({{play: frames({frames}, LOUD)}});
phone.order({{mark: "m"}});
phone.order({{latency: {latency}}});
phone.run(400);
const mark = phone.came.find(message => message.mark);
const loud = sample => Math.abs(sample) > 0.1;
return [mark.block, phone.left.findLastIndex(loud), phone.left.findIndex(loud)];
"""


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("frames", [1, 3, 10, 33])
@pytest.mark.parametrize("latency", [0, 0.03])
def test_a_mark_comes_back_in_the_block_in_which_the_sample_before_it_was_played(ask, rate, frames, latency):
    block, last, first = ask(MARKED.format(frames=frames, latency=latency), rate)
    assert abs((last - first) / rate - frames * 0.02) < 0.001
    due = (last + latency * rate) / 128
    assert 0 <= block + 1 - due < 1.3  # a block is posted when it is handed over; the filter's slope is a third of one


def test_marks_stand_between_the_audio_before_and_after_them(ask):
    blocks = ask("""
        const phone = made();
        for (let n = 0; n < 20; n++) phone.order({play: frames(1, LOUD)}), phone.order({mark: String(n)});
        phone.run(200);
        return phone.came.filter(message => message.mark).map(message => [message.mark, message.block]);
    """)
    assert [name for name, _ in blocks] == [str(n) for n in range(20)]
    steps = np.diff([block for _, block in blocks])
    assert set(steps) <= {7, 8}
    assert abs(np.mean(steps) - 7.5) < 0.1


def test_a_mark_after_nothing_comes_back_at_once(ask):
    assert ask("""
        const phone = made();
        phone.order({mark: "empty"});
        phone.run(3);
        return phone.came.filter(message => message.mark).length;
    """) == 1  # fmt: skip


def test_a_clear_silences_at_once_and_gives_all_marks_back(ask):
    names, silent, later = ask("""
        const phone = made();
        phone.order({play: frames(50, LOUD)});
        phone.order({mark: "one"});
        phone.order({play: frames(50, LOUD)});
        phone.order({mark: "two"});
        phone.order({latency: 0.05});
        phone.run(100);
        phone.order({clear: true});
        const names = phone.came.map(message => message.mark).filter(name => name);
        const at = phone.left.length;
        phone.run(50);
        const silent = phone.left.slice(at).findLastIndex(sample => Math.abs(sample) > 0.01);
        phone.order({play: frames(5, LOUD)});
        phone.order({mark: "three"});
        phone.run(100);
        return [names, silent, phone.came.map(message => message.mark).filter(name => name).slice(2)];
    """)
    assert names == ["one", "two"]
    assert silent < 48_000 * 0.006  # what the filters held
    assert later == ["three"]


WAITS = [(1, 0.060), (2, 0.060), (3, 0.0), (10, 0.0)]


@pytest.mark.parametrize(("frames", "seconds"), WAITS)
def test_after_a_silence_three_frames_are_waited_for_or_their_time(ask, frames, seconds):
    first = ask(f"""
        const phone = made();
        phone.run(10);
        const at = phone.left.length;
        phone.order({{play: frames({frames}, LOUD)}});
        phone.run(100);
        return phone.left.slice(at).findIndex(sample => Math.abs(sample) > 0.1);
    """)
    assert abs(first / 48_000 - seconds - 0.004) < 0.003


LATE = [(2, "", 1, True), (2, 'phone.order({mark: "end"});', 0, False), (300, "", 0, False)]


@pytest.mark.parametrize(("frames_late", "mark", "gaps", "lost"), LATE)
def test_a_silence_in_the_middle_of_talk_is_a_gap_and_one_after_a_mark_or_a_long_one_is_none(ask, frames_late, mark, gaps, lost):
    counted = ask(f"""
        const phone = made();
        phone.order({{play: frames(5, LOUD)}});
        {mark}
        phone.run(Math.round(375 * (0.1 + {frames_late} * 0.02)));
        phone.order({{play: frames(5, LOUD)}});
        phone.run(100);
        phone.order({{count: true}});
        return phone.came.find(message => message.gaps !== undefined);
    """)
    assert counted["gaps"] == gaps
    assert (counted["lost"] > 0) is lost


def test_a_listener_hears_one_side_in_each_ear(ask):
    left, right = ask("""
        const phone = made();
        phone.order({play: frames(10, LOUD), right: frames(10, 0xFF)});
        phone.run(100);
        return [phone.left, phone.right].map(ear => Math.max(...ear.map(Math.abs)));
    """)
    assert left > 0.1
    assert right < 0.001
