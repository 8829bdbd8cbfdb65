"""Scripted providers say what they are told, when they are told to, and count what they used."""

from __future__ import annotations

import asyncio
import inspect
import math

import numpy as np
import pytest

from patter_nb.audio.convert import decode, encode
from patter_nb.audio.formats import MULAW_8K, PCM_8K, PCM_16K, PCM_24K, AudioFormat
from patter_nb.audio.loudness import first_audible, speech_blocks
from patter_nb.clock import run_virtual
from patter_nb.errors import ConfigError, ConfigTypeError, ProviderError
from patter_nb.phone import Patter
from patter_nb.providers.base import Alignment, AudioChunk, CallContext, TextDelta, Transcript, TurnEnded
from patter_nb.providers.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS, pitch_hz
from patter_nb.turns.messages import Message, ToolRequest
from patter_nb.turns.usage import Price, Usage

CALL = CallContext("call-1")


def final(text, **bounds):
    return Transcript(text, final=True, **bounds)


def heard(seconds, provider="scripted", model="lines"):
    return Usage("stt", provider, model, audio_seconds=pytest.approx(seconds))


async def timed(events):
    """The events and the error that ended them, each with the seconds since this began."""
    loop, began = asyncio.get_running_loop(), asyncio.get_running_loop().time()
    came = []
    try:
        async for event in events:
            came.append((round(loop.time() - began, 6), event))  # noqa: PERF401 (what came before an error counts)
    except ProviderError as error:
        came.append((round(loop.time() - began, 6), error))
    return came


def listen(stt, *steps, audio=MULAW_8K, openings=1):
    """What the recogniser said, as `timed` tells it. A step is (seconds to wait, method, arguments); "push" takes seconds."""

    async def main():
        said = []
        clock = asyncio.get_running_loop()
        for _ in range(openings):
            async with stt.open(CALL, audio) as stream:
                reader = asyncio.create_task(timed(stream))
                for wait, method, *arguments in steps:
                    await asyncio.sleep(wait)
                    if method == "push":
                        stream.push(b"\0" * round(arguments[0] * audio.hz) * audio.sample_bytes, clock.time())
                    elif method != "wait":
                        getattr(stream, method)(*arguments)
            said += await reader
        return said

    return run_virtual(main())


def utterance(at):
    return (0, "speech_started", at), (1, "push", 1.0), (0, "finalize"), (1, "wait")


def test_each_utterance_gets_the_next_line_after_the_stated_delay_and_its_audio_is_counted():
    said = listen(ScriptedSTT(["Hi.", "Bye."], final_seconds=0.25), *utterance(0.0), *utterance(2.0))
    assert said == [
        (1.25, final("Hi.", started_at=0.0, ended_at=1.0)),
        (1.25, heard(1.0)),
        (3.25, final("Bye.", started_at=2.0, ended_at=3.0)),
        (3.25, heard(1.0)),
    ]


def test_silence_finalises_to_nothing_and_uses_no_line():
    silence = (0, "push", 0.5), (0, "finalize"), (1, "wait")
    said = listen(ScriptedSTT(["Hi."]), *silence, *utterance(1.0))
    assert [event.text for _, event in said if isinstance(event, Transcript)] == ["", "Hi."]
    assert sum(event.audio_seconds for _, event in said if isinstance(event, Usage)) == pytest.approx(1.5)


def test_a_final_is_withheld_when_the_caller_goes_on_and_stands_for_both_parts():
    goes_on = (0, "speech_started", 0.0), (1, "push", 1.0), (0, "finalize"), (0.1, "speech_started", 1.1)
    ends = (0.9, "push", 0.5), (0, "finalize"), (1, "wait")
    said = listen(ScriptedSTT(["One line.", "Another."]), *goes_on, *ends)
    assert said == [(2.15, final("One line.", started_at=0.0, ended_at=2.0)), (2.15, heard(1.5))]


def test_asking_twice_for_the_same_silence_brings_one_final():
    said = listen(ScriptedSTT(["Hi.", "Bye."]), *utterance(0.0)[:-1], (0, "finalize"), (1, "wait"))
    assert [event.text for _, event in said if isinstance(event, Transcript)] == ["Hi."]


def test_when_the_lines_are_used_up_finals_are_empty():
    said = listen(ScriptedSTT(["Hi."]), *utterance(0.0), *utterance(2.0))
    assert [event.text for _, event in said if isinstance(event, Transcript)] == ["Hi.", ""]


def test_or_it_fails_when_the_lines_are_used_up_and_says_what_to_do():
    (_, error) = listen(ScriptedSTT([], used_up="fail"), *utterance(0.0))[0]
    assert isinstance(error, ProviderError)
    assert str(error) == "scripted has no line for utterance 0: it was given 0. Give it more lines."


def test_it_fails_at_the_utterance_it_was_told_to_and_goes_on_when_opened_again():
    stt = ScriptedSTT(["Hi.", "lost", "Bye."], fails_at=1, provider="acme")
    said = listen(stt, *utterance(0.0), openings=3)
    assert [event.text for _, event in said if isinstance(event, Transcript)] == ["Hi.", "Bye."]
    (error,) = [event for _, event in said if isinstance(event, ProviderError)]
    assert (str(error), error.provider) == ("acme failed at utterance 1, as it was told to.", "acme")


def test_another_call_begins_with_the_first_line():
    stt = ScriptedSTT(["Hi.", "Bye."])

    async def main():
        finals = []
        for call_id in ("one", "two"):
            async with stt.open(CallContext(call_id), MULAW_8K) as stream:
                stream.speech_started(0.0)
                stream.finalize()
                finals.append(await anext(aiter(stream)))
        return finals

    assert [event.text for event in run_virtual(main())] == ["Hi.", "Hi."]


def test_interims_grow_word_by_word_with_the_speech_that_is_pushed():
    speech = (0, "speech_started", 0.0), *[(0.1, "push", 0.1)] * 10, (0, "finalize"), (1, "wait")
    said = listen(ScriptedSTT(["A table for two please."], interims=True), *speech)
    assert [(at, event.text, event.final) for at, event in said if isinstance(event, Transcript)] == [
        (0.3, "A", False),
        (0.6, "A table", False),
        (0.9, "A table for", False),
        (1.15, "A table for two please.", True),
    ]


def test_a_recogniser_that_ends_turns_says_so_after_each_final_with_words():
    said = listen(ScriptedSTT(["Hi."], ends_turns="provider"), *utterance(0.0), *utterance(2.0))
    assert [event for _, event in said if isinstance(event, TurnEnded)] == [TurnEnded(1.0)]


def on_the_line(stt, *parts, audio=MULAW_8K):
    """What the recogniser said of a line of (amplitude, seconds), told of speech where that is loud or None."""

    async def main():
        async with stt.open(CALL, audio) as stream:
            reader = asyncio.create_task(timed(stream))
            frame, noise, at = round(0.02 * audio.hz), np.random.default_rng(3), 0.0
            for amplitude, seconds in parts:
                if amplitude is None or amplitude >= 1000:
                    stream.speech_started(at)
                for _ in range(round(seconds / 0.02)):
                    await asyncio.sleep(0.02)
                    at += 0.02
                    stream.push(
                        encode((amplitude * noise.standard_normal(frame)).clip(-32768, 32767).astype(np.int16), audio), at
                    )
        return [(round(at, 2), event) for at, event in await reader if not isinstance(event, Usage)]

    return run_virtual(main())


@pytest.mark.parametrize("audio", [MULAW_8K, PCM_8K, PCM_24K])
@pytest.mark.parametrize("noise", [0, 50, 200])
def test_a_recogniser_that_ends_turns_does_so_by_itself_when_the_voice_falls_silent(audio, noise):
    stt = ScriptedSTT(["Hi.", "Bye."], ends_turns="provider", silence_seconds=0.4, final_seconds=0.1)
    pause = (noise, 0.3)
    said = on_the_line(stt, (noise, 1.0), (12000, 1.0), pause, (9000, 0.5), (noise, 1.2), (2000, 0.5), (noise, 3.0), audio=audio)
    near = {name: pytest.approx(at, abs=0.021) for name, at in {"one": 2.8, "two": 4.5}.items()}
    assert said == [
        (pytest.approx(3.3, abs=0.021), final("Hi.", started_at=pytest.approx(1.0), ended_at=near["one"])),
        (pytest.approx(3.3, abs=0.021), TurnEnded(near["one"])),
        (pytest.approx(5.0, abs=0.021), final("Bye.", started_at=pytest.approx(4.0), ended_at=near["two"])),
        (pytest.approx(5.0, abs=0.021), TurnEnded(near["two"])),
    ]


def test_a_voice_that_goes_on_before_the_final_is_one_utterance_also_where_the_recogniser_ends_turns():
    stt = ScriptedSTT(["Hi.", "Bye."], ends_turns="provider", silence_seconds=0.4, final_seconds=0.2)
    said = on_the_line(stt, (3000, 1.0), (0, 0.5), (3000, 1.0), (0, 2.0))
    assert [event for _, event in said] == [
        final("Hi.", started_at=0.0, ended_at=pytest.approx(2.5, abs=0.021)),
        TurnEnded(pytest.approx(2.5, abs=0.021)),
    ]


def test_silence_counts_from_the_beginning_of_speech_however_long_it_was_before():
    stt = ScriptedSTT(["Hi."], ends_turns="provider", silence_seconds=0.4, final_seconds=0.1)
    ((at, said), _) = on_the_line(stt, (300, 1.0), (5, 3.0), (None, 0.0), (5, 0.3), (3000, 1.0), (5, 1.0))
    assert (at, said.text, said.started_at) == (pytest.approx(5.8, abs=0.021), "Hi.", pytest.approx(4.0))


def test_silence_alone_ends_no_turn_and_one_that_waits_to_be_asked_ends_none():
    assert on_the_line(ScriptedSTT(["Hi."], ends_turns="provider"), (300, 1.0), (5, 3.0)) == []
    assert on_the_line(ScriptedSTT(["Hi."]), (3000, 1.0), (0, 3.0)) == []


@pytest.mark.parametrize("noise_db", [None, 10])
def test_a_call_whose_recogniser_ends_turns_is_held_to_its_end(noise_db):
    async def main():
        phone = Patter(store=False, show=False)
        stt = ScriptedSTT(["one", "two"], ends_turns="provider")
        agent = phone.agent("A hotel.", stt=stt, llm=ScriptedLLM(["First.", "Second."]), tts=ScriptedTTS())
        lines = ["One?", "Two, which is a rather long sentence, and it goes on? Yes, it does."]
        call = await phone.test(agent, lines, speed="max", noise_db=noise_db)
        return call.turns[["caller_text", "heard_text"]].to_numpy().tolist()

    assert asyncio.run(main())[-2:] == [["one", "First."], ["two", "Second."]]


@pytest.mark.parametrize("audio", [MULAW_8K, PCM_8K, PCM_16K, PCM_24K])
def test_audio_of_every_format_is_counted_once_and_what_came_after_the_last_final_at_the_end(audio):
    said = listen(ScriptedSTT(["Hi."]), *utterance(0.0), (0, "push", 0.7), (0, "push", 0.1), audio=audio)
    assert [event.audio_seconds for _, event in said if isinstance(event, Usage)] == [pytest.approx(1.0), pytest.approx(0.8)]


def test_nothing_is_heard_after_the_end_and_nothing_breaks():
    async def main():
        async with ScriptedSTT(["Hi."]).open(CALL, MULAW_8K) as stream:
            stream.speech_started(0.0)
            stream.finalize()
        stream.push(b"\0" * 160, 1.0)
        stream.speech_started(1.0)
        stream.finalize()
        await asyncio.sleep(60)
        return [event async for event in stream], [event async for event in stream]

    assert run_virtual(main()) == ([], [])


def ask(llm, requests=1, messages=()):
    """What the model answered to each request, as `timed` tells it."""

    async def main():
        async with llm.open(CALL) as stream:
            return [await timed(stream.reply(messages, ())) for _ in range(requests)]

    return run_virtual(main())


def test_a_reply_comes_word_by_word_at_the_stated_pace_and_is_counted_at_its_end():
    llm = ScriptedLLM(["Dinner is at six."], first_token_seconds=0.3, token_seconds=0.05)
    asked = [Message("system", "You are kind."), Message("user", "When?")]
    assert ask(llm, messages=asked) == [
        [
            (0.3, TextDelta("Dinner ")),
            (0.35, TextDelta("is ")),
            (0.4, TextDelta("at ")),
            (0.45, TextDelta("six.")),
            (0.45, Usage("llm", "scripted", "replies", input_tokens=4, output_tokens=4)),
        ]
    ]


@pytest.mark.parametrize("reply", ["", " ", "One", "  Two  words\n", "A\n\nB  C ", "多言語 です"])
def test_the_words_of_a_reply_add_up_to_it_exactly(reply):
    ((*words, (_, usage)),) = ask(ScriptedLLM([reply]))
    assert "".join(event.text for _, event in words) == reply
    assert usage.output_tokens == len(words)


def test_replies_come_in_order_and_then_it_says_that_there_are_no_more():
    first, second, third = ask(ScriptedLLM(["One.", "Two."]), requests=3)
    assert [first[0][1], second[0][1]] == [TextDelta("One."), TextDelta("Two.")]
    assert str(third[0][1]) == "scripted has no reply to request 2: it was given 2. Give it more."


def test_a_list_is_said_as_it_is_with_its_requests_for_tools():
    look_up = ToolRequest("1", "look_up", '{"name": "Ann"}')
    ((first, second, (_, usage)),) = ask(ScriptedLLM([[TextDelta("One moment. "), look_up]]))
    assert (first, second) == ((0.2, TextDelta("One moment. ")), (0.21, look_up))
    assert usage.output_tokens == 2


def test_a_function_answers_from_the_messages():
    llm = ScriptedLLM(lambda messages: f"You said {messages[-1].content}.")
    ((*words, _),) = ask(llm, messages=[Message("user", "hello")])
    assert "".join(event.text for _, event in words) == "You said hello."


@pytest.mark.parametrize(("after", "said"), [(0, []), (2, ["One ", "two "]), (9, ["One ", "two ", "three."])])
def test_it_fails_at_the_request_it_was_told_to_and_reports_no_usage(after, said):
    llm = ScriptedLLM(["Fine.", "One two three.", "Fine again."], fails_at=1, fails_after_tokens=after, provider="acme")
    fine, (*words, (_, error)), again = ask(llm, requests=3)
    assert [event.text for _, event in words] == said
    assert (str(error), error.provider) == ("acme failed at request 1, as it was told to.", "acme")
    assert [fine[0][1], again[0][1]] == [TextDelta("Fine."), TextDelta("Fine ")]


def test_an_answer_that_never_comes_can_be_given_up():
    async def main():
        async with ScriptedLLM(["lost", "Here."], never_answers_at=0).open(CALL) as stream:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(3600):
                    await anext(stream.reply([], []))
            return await anext(stream.reply([], []))

    assert run_virtual(main()) == TextDelta("Here.")


def test_a_closed_answer_is_over_and_the_next_request_gets_the_next_reply():
    async def main():
        async with ScriptedLLM(["One two three.", "Four."]).open(CALL) as stream:
            answer = stream.reply([], [])
            await anext(answer)
            await answer.aclose()
            return [event async for event in answer], await anext(stream.reply([], []))

    assert run_virtual(main()) == ([], TextDelta("Four."))


def speak(tts, *texts, audio=PCM_8K):
    """What the voice brought for each text, as `timed` tells it."""

    async def main():
        async with tts.open(CALL, audio) as stream:
            return [await timed(stream.speak(text)) for text in texts]

    return run_virtual(main())


def samples(events, audio=PCM_8K):
    return decode(b"".join(event.audio for _, event in events if isinstance(event, AudioChunk)), audio)


def test_audio_comes_in_pieces_at_the_stated_pace_after_the_stated_delay():
    (events,) = speak(ScriptedTTS(first_byte_seconds=0.2, realtime_factor=5, seconds_per_character=0.05), "Hello")
    chunks = [(at, PCM_8K.seconds(len(event.audio))) for at, event in events if isinstance(event, AudioChunk)]
    assert chunks == [(0.2, 0.1), (0.22, 0.1), (0.24, pytest.approx(0.05))]


def test_usage_is_the_characters_once_and_comes_with_the_request():
    (events,) = speak(ScriptedTTS(model="m"), "Hello there.")
    usages = [(at, event) for at, event in events if isinstance(event, Usage)]
    assert usages == [(0.0, Usage("tts", "scripted", "m", characters=12))]


@pytest.mark.parametrize("audio", ScriptedTTS().formats)
@pytest.mark.parametrize("text", ["Hello, there.", "a", "One two three four five six seven."])
def test_every_format_is_as_long_as_the_text_whole_and_audible_at_once(audio, text):
    (events,) = speak(ScriptedTTS(), text, audio=audio)
    assert all(len(event.audio) % audio.sample_bytes == 0 for _, event in events if isinstance(event, AudioChunk))
    heard = samples(events, audio)
    assert len(heard) == round(len(text) * 0.06 * audio.hz)
    assert first_audible(heard, audio.hz) == 0.0


def test_each_word_is_one_tone():
    (events,) = speak(ScriptedTTS(), "One two three")
    loud = speech_blocks(samples(events), 8000).astype(int)
    assert np.count_nonzero(np.diff(loud, prepend=0) == 1) == 3


@pytest.mark.parametrize("audio", [MULAW_8K, PCM_16K])
def test_the_pitch_tells_which_segment_of_the_call_is_heard(audio):
    for segment, events in enumerate(speak(ScriptedTTS(), *["Hello there"] * 34, audio=audio)):
        heard = samples(events, audio)
        spectrum = np.abs(np.fft.rfft(heard))
        strongest = np.fft.rfftfreq(len(heard), 1 / audio.hz)[spectrum.argmax()]
        assert strongest == pytest.approx(pitch_hz(segment), abs=10)


def test_silence_leads_every_segment_when_asked_for():
    for events in speak(ScriptedTTS(leading_silence_seconds=0.25), "Hello", "there"):
        assert first_audible(samples(events), 8000) == pytest.approx(0.25, abs=0.011)


def test_alignments_come_before_the_audio_and_end_where_the_words_do():
    (events,) = speak(ScriptedTTS(alignments=True, leading_silence_seconds=0.1), "Hi  you. ")
    kinds = [type(event) for _, event in events]
    assert kinds[:3] == [Usage, Alignment, AudioChunk]
    assert kinds.count(Alignment) == 1
    assert events[1][1].points == ((2, pytest.approx(0.1 + 2 * 0.06)), (8, pytest.approx(0.1 + 8 * 0.06)))


@pytest.mark.parametrize(("text", "chunks"), [("a", 0), ("Hello there.", 4)])
def test_it_breaks_off_in_the_segment_it_was_told_to(text, chunks):
    fine, broken, again = speak(ScriptedTTS(fails_at_segment=1, provider="acme"), text, text, text)
    assert sum(isinstance(event, AudioChunk) for _, event in broken) == chunks
    assert (str(broken[-1][1]), broken[-1][1].provider) == ("acme failed in segment 1, as it was told to.", "acme")
    assert len(samples(fine)) == len(samples(again)) == round(len(text) * 0.06 * 8000)


@pytest.mark.parametrize("text", ["", "   "])
def test_a_text_without_words_is_silence_of_its_length(text):
    (events,) = speak(ScriptedTTS(), text)
    assert not samples(events).any()
    assert len(samples(events)) == round(len(text) * 0.06 * 8000)


def test_a_reader_that_comes_late_finds_what_was_due_meanwhile():
    async def main():
        loop = asyncio.get_running_loop()
        async with ScriptedTTS().open(CALL, PCM_8K) as stream:
            events = stream.speak("Hello there, hello there.")
            await anext(events)
            await anext(events)
            await asyncio.sleep(5)
            before = loop.time()
            rest = [event async for event in events]
            return len(rest), loop.time() - before

    assert run_virtual(main()) == (14, 0.0)


MADE = [
    (ScriptedSTT, ["Hi."]),
    (ScriptedLLM, ["Hi."]),
    (ScriptedTTS, None),
]


@pytest.mark.parametrize(("kind", "script"), MADE)
def test_they_carry_a_price_and_names_when_given_them(kind, script):
    price = Price(usd_per_audio_minute=0.01)
    provider = kind(*([script] if script else []), price=price, provider="acme", model="m-1")
    assert (provider.price, provider.provider, provider.model, provider.virtual_time) == (price, "acme", "m-1", True)
    assert provider.ready() is None


REPRS = [
    ScriptedSTT(("Hi.",)),
    ScriptedSTT(("Hi.", "Bye."), final_seconds=0.5, interims=True, formats=(PCM_16K,)),
    ScriptedLLM(("Hi.", (TextDelta("Yes"), ToolRequest("1", "look_up", "{}")))),
    ScriptedLLM(("Hi.",), never_answers_at=0, price=Price()),
    ScriptedTTS(),
    ScriptedTTS(realtime_factor=3.0, model="x"),
]


@pytest.mark.parametrize("provider", REPRS, ids=repr)
def test_a_repr_is_the_call_that_makes_the_same_provider(provider):
    names = {
        value.__name__: value for value in (ScriptedSTT, ScriptedLLM, ScriptedTTS, AudioFormat, Price, TextDelta, ToolRequest)
    }
    assert repr(eval(repr(provider), names)) == repr(provider)


def test_the_repr_holds_no_default():
    assert repr(ScriptedTTS()) == "ScriptedTTS()"
    assert repr(ScriptedSTT(["Hi."])) == "ScriptedSTT(('Hi.',))"


BAD = [
    (lambda: ScriptedSTT("Hi."), ConfigTypeError, "lines is 'Hi.'; it must be a list of strings"),
    (lambda: ScriptedSTT([1]), ConfigTypeError, "lines is [1]"),
    (lambda: ScriptedSTT(["x"], final_seconds=-0.1), ConfigError, "final_seconds is -0.1; it must be 0 or more"),
    (lambda: ScriptedSTT(["x"], final_seconds="1"), ConfigTypeError, "final_seconds is '1'; it must be a number of seconds"),
    (lambda: ScriptedSTT(["x"], final_seconds=math.nan), ConfigError, "final_seconds is nan"),
    (lambda: ScriptedSTT(["x"], fails_at=-1), ConfigError, "fails_at is -1; it is counted from 0"),
    (lambda: ScriptedSTT(["x"], fails_at=True), ConfigTypeError, "fails_at is True"),
    (lambda: ScriptedSTT(["x"], used_up="loop"), ConfigError, "used_up is 'loop'; it must be 'empty' or 'fail'"),
    (lambda: ScriptedSTT(["x"], ends_turns="never"), ConfigError, "ends_turns is 'never'"),
    (lambda: ScriptedSTT(["x"], silence_seconds=0), ConfigError, "silence_seconds is 0; it must be greater than 0"),
    (lambda: ScriptedSTT(["x"], formats=()), ConfigError, "formats is empty"),
    (lambda: ScriptedSTT(["x"], formats=MULAW_8K), ConfigTypeError, "it must be a tuple of AudioFormat"),
    (lambda: ScriptedSTT(["x"], provider=""), ConfigTypeError, "provider is ''"),
    (lambda: ScriptedSTT(["x"], price=0.1), ConfigTypeError, "price is 0.1; it must be a Price"),
    (lambda: ScriptedLLM("Hi."), ConfigTypeError, "replies is 'Hi.'; it must be a list of replies"),
    (lambda: ScriptedLLM(["x"], token_seconds=math.inf), ConfigError, "token_seconds is inf"),
    (lambda: ScriptedLLM(["x"], never_answers_at=1.5), ConfigTypeError, "never_answers_at is 1.5"),
    (lambda: ScriptedLLM(["x"], model=None), ConfigTypeError, "model is None"),
    (lambda: ScriptedTTS(realtime_factor=0), ConfigError, "realtime_factor is 0; it must be greater than 0"),
    (lambda: ScriptedTTS(seconds_per_character=0), ConfigError, "seconds_per_character is 0; it must be greater than 0"),
    (lambda: ScriptedTTS(voice="ann"), ConfigError, "voice is 'ann'; it must be 'tone'"),
    (lambda: ScriptedTTS(fails_at_segment="1"), ConfigTypeError, "fails_at_segment is '1'"),
]


@pytest.mark.parametrize(("make", "kind", "sentence"), BAD, ids=[bad[2] for bad in BAD])
def test_a_setting_that_cannot_work_is_refused_when_it_is_given(make, kind, sentence):
    with pytest.raises(kind) as caught:
        make()
    assert type(caught.value) is kind
    assert sentence in str(caught.value)


@pytest.mark.parametrize("provider", [ScriptedSTT([], formats=(PCM_16K,)), ScriptedTTS(formats=(PCM_16K,))])
def test_a_format_it_does_not_offer_is_refused(provider):
    async def main():
        async with provider.open(CALL, MULAW_8K):
            pass

    with pytest.raises(ConfigError, match="audio is AudioFormat"):
        run_virtual(main())


@pytest.mark.parametrize("kind", [ScriptedSTT, ScriptedLLM, ScriptedTTS])
def test_every_setting_says_what_it_is(kind):
    assert inspect.getdoc(kind)
    assert "dataclass" not in kind.__doc__
