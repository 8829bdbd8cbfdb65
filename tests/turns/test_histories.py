"""Random calls in a simulated world, judged by their content: what was said, played, heard, transcribed and consumed.

`PATTER_NB_HISTORIES` sets how many; the seeds are 0, 1, 2, ...
"""

from __future__ import annotations

import os
import re
from collections import Counter

import pytest

from patter_nb.turns.commands import (
    AdoptReply,
    CancelReply,
    ClearAudio,
    EndCall,
    RecordEvent,
    RecordTurn,
    ReleaseCaller,
    RunTool,
    StartReply,
    TransferCall,
)
from patter_nb.turns.events import (
    BargeInConfirmed,
    CallerHungUp,
    DtmfReceived,
    HangUpRequested,
    InjectRequested,
    ReplyStarted,
    ToolReturned,
    TranscriptionFailed,
    TransferAnswered,
    TransferFailed,
)
from patter_nb.turns.machine import LEFT, REACHED
from patter_nb.turns.orders import RELEASE_SECONDS

KEYS = re.compile(r"\[DTMF: ([0-9*#]+)\]")

HISTORIES = int(os.environ.get("PATTER_NB_HISTORIES", "600"))
PER_TEST = 50


def rows_of(world):
    return [command.facts for _, command in world.commands if isinstance(command, RecordTurn)]


def recorded(world, kind):
    return [command.data for _, command in world.commands if isinstance(command, RecordEvent) and command.kind == kind]


def the_call_ends_once(world):
    """EndCall is the last command, and there is one."""
    ends = [command for _, command in world.commands if isinstance(command, EndCall)]
    assert len(ends) == 1
    assert world.commands[-1][1] is ends[0]
    assert world.engine.next_timer() is None
    limit = world.policy.max_duration_seconds + world.policy.goodbye_seconds + world.policy.last_words_seconds
    assert world.now <= limit + 0.05, "a call is bounded"


def rows_are_written_once(world):
    """Each turn has one row, numbers have no gap, and every reply that was ordered stands in the row of its turn."""
    numbers = [row.turn for row in rows_of(world)]
    assert len(numbers) == len(set(numbers))
    assert sorted(numbers)[-1:] in ([], [len(numbers) - (0 in numbers)])
    last = {}
    for _, command in world.commands:
        if isinstance(command, StartReply | AdoptReply):
            last[command.turn] = command.reply
    assert {row.turn: row.reply for row in rows_of(world) if row.reply} == last
    assert [row.kind for row in rows_of(world) if row.turn == 0] == (["greeting"] if 0 in numbers else [])


def reply_numbers_rise_by_one(world):
    """None is left out and none used twice, and there is only one mouth."""
    numbers, live = [], None
    for _, command in world.commands:
        if isinstance(command, StartReply | AdoptReply):
            assert live is None, f"reply {command.reply} begins while {live} is live"
            numbers.append(command.reply)
            live = command.reply
        elif isinstance(command, CancelReply) or (isinstance(command, RecordTurn) and command.facts.reply == live):
            live = None
        if live is not None and _is_over(world, live):
            live = None
    assert numbers == list(range(1, len(numbers) + 1))


def _is_over(world, reply):
    """Whether its row is only held back: the carrier has played all of it, or there never was anything to play."""
    segments = world.jobs[reply].segments
    empty = [data["reply"] for data in recorded(world, "reply_failed") if data["error"] == "the reply was empty"]
    return reply in empty or (bool(segments) and all(segment.marked >= segment.seconds - 0.001 for segment in segments))


def every_word_stands_in_one_place(world):
    """What was transcribed is in the rows, once, in the order in which it was said within each text."""
    texts = [KEYS.sub("", text) for row in rows_of(world) for text in (row.caller_text, row.overlap_text)]
    assert Counter(word for text in texts for word in text.split()) == Counter(world.transcribed)
    order = {word: index for index, word in enumerate(world.transcribed)}
    for text in texts:
        places = [order[word] for word in text.split()]
        assert places == sorted(places)


def every_key_stands_in_one_place(world):
    """What was pressed is in the rows, once, unless somebody else answers by himself."""
    if world.mode == "speech to speech":
        return
    pressed = Counter(data["digit"] for data in recorded(world, "dtmf_received"))
    texts = [text for row in rows_of(world) for text in (row.caller_text, row.overlap_text)]
    assert Counter(key for text in texts for keys in KEYS.findall(text) for key in keys) == pressed


def nobody_is_answered_who_did_not_speak(world):
    """An answer has words of the caller or something injected before it, and is not ordered while his voice is heard."""
    noted = {event.text for _, event in world.told if isinstance(event, InjectRequested)}
    noted |= {f"The call could not be handed on: {event.error}" for _, event in world.told if isinstance(event, TransferFailed)}
    rows = {row.turn: row for row in rows_of(world)}
    for _, order, while_ in world.orders:
        if order.kind != "answer":
            continue
        assert while_ == "silence", f"reply {order.reply} was ordered over the caller"
        if rows[order.turn].kind == "caller":
            (said,) = [message.content for message in order.messages if message.role == "user" and message.content][-1:]
            assert said
            assert KEYS.sub("", rows[order.turn].caller_text).startswith(KEYS.sub("", said).rstrip())
        else:
            assert any(message.content in noted for message in order.messages)


def whoever_spoke_is_answered(world):
    """A row of the caller without a reply is one the end of the call overtook, or has an error and no line to say so, or was said
    to an agent that had to be silent."""
    leaving = min((at for at, command in world.commands if _leaves(world, command)), default=world.now)
    held = world.policy.final_timeout_seconds + world.policy.hangover_seconds + 0.05
    for at, command in world.commands:
        if isinstance(command, RecordTurn) and command.facts.kind == "caller" and not command.facts.reply:
            silent = [*_mutes(world), *_handed_on(world)]
            muted = any(since <= at <= until + held for since, until in silent)
            assert at >= leaving or command.facts.error or muted


def _handed_on(world):
    """From when to when the carrier had the caller, or the one who answered a warm transfer waited for them."""
    changes = [(at, 0, True) for at, each in world.commands if isinstance(each, TransferCall) and each.mode == "cold"]
    changes += [(at, 1, isinstance(each, TransferAnswered)) for at, each in world.told
                if isinstance(each, TransferAnswered | TransferFailed)]  # fmt: skip
    spans, since = [], None
    for at, _, on in sorted(changes):
        if on:
            since = at if since is None else since
        elif since is not None:
            spans.append((since, at))
            since = None
    return spans if since is None else [*spans, (since, world.now)]


def who_was_handed_on_is_told_nothing_new(world):
    """The agent begins nothing but a goodbye, or what takes the place of a reply that failed."""
    for since, until in _handed_on(world):
        begun = [command for at, command in world.commands if isinstance(command, StartReply) and since < at < until]
        assert {command.kind for command in begun} <= {"goodbye", "fallback"}


def a_caller_is_released_when_the_agent_has_finished(world):
    """Within the time it has for that, and only to somebody who answered."""
    answers = [at for at, event in world.told if isinstance(event, TransferAnswered)]
    for at, _ in [each for each in world.commands if isinstance(each[1], ReleaseCaller)]:
        assert any(since <= at <= since + RELEASE_SECONDS + 0.05 for since in answers)


def a_machine_has_the_message_or_the_call_ends_without(world):
    """It is the last thing that is said; that it was left is told when it was heard to its end."""
    said = [command for _, command in world.commands if _is_message(world, command)]
    reason = world.commands[-1][1].reason
    assert bool(recorded(world, "voicemail")) == (reason == LEFT)
    for data in recorded(world, "voicemail"):
        assert data["text"] == world.voicemail
        assert rows_of(world)[-1].kind == "said"
    if said:
        assert said == [order for _, order, _ in world.orders][-1:]
    elif reason == REACHED:
        assert recorded(world, "unsaid")[-1] == {"text": world.voicemail} or recorded(world, "muted")


def _mutes(world):
    """From when to when the agent had to be silent."""
    events = [(at, command.kind) for at, command in world.commands if isinstance(command, RecordEvent)]
    changes = [(at, kind == "muted") for at, kind in events if kind in {"muted", "unmuted"}]
    assert [on for _, on in changes] == [index % 2 == 0 for index in range(len(changes))]
    times = [at for at, _ in changes] + [world.now]
    return list(zip(times[::2], times[1::2], strict=False))


def a_muted_agent_is_silent(world):
    """Nothing is begun, and what it was saying is not heard any longer than the clear takes."""
    for since, until in _mutes(world):
        begun = [order.kind for at, order, _ in world.orders if since < at < until]
        assert begun == []
        assert not [reply for _, ended, reply in world.carrier.audible if since + world.network_seconds + 1e-6 < ended < until]


def overlap_is_told_as_it_stands_in_the_row(world):
    """Every event of overlap is of words that stand in the row of its turn, in their order."""
    told = {}
    for data in recorded(world, "overlap"):
        told[data["turn"]] = [*told.get(data["turn"], []), data["text"]]
    assert {row.turn: row.overlap_text for row in rows_of(world) if row.overlap_text} == {
        turn: " ".join(texts) for turn, texts in told.items()
    }


def a_voice_interrupts_or_is_a_backchannel_and_told_once(world):
    """Where somebody must confirm it, nothing but a key or a provider interrupts without."""
    began = [(data["turn"], data["started_at"]) for kind in ("barge_in", "backchannel") for data in recorded(world, kind)]
    assert len(began) == len(set(began))
    if world.policy.confirm_seconds is None:
        assert recorded(world, "backchannel") == []
    elif world.mode != "speech to speech":
        allowed = [at for at, event in world.told if isinstance(event, BargeInConfirmed | DtmfReceived)]
        for at, command in world.commands:
            if isinstance(command, RecordEvent) and command.kind == "barge_in":
                assert any(command.data["started_at"] <= told <= at for told in allowed)


def a_row_has_the_edit_of_its_reply(world):
    """The revision with which the last reply of a turn was begun, where that was told in time."""
    begun = {event.reply: event for _, event in world.told if isinstance(event, ReplyStarted)}
    for row in rows_of(world):
        if row.revision is not None:
            event = begun[row.reply]
            assert (row.revision, row.edit_requested_at, row.edit_effective_turn) == (
                event.revision,
                event.edit_requested_at,
                event.edit_effective_turn,
            )


def nobody_is_hung_up_on_after_a_withdrawal(world):
    """A polite hang-up is withdrawn or carried out at most once each time it was asked for."""
    asked = sum(isinstance(event, HangUpRequested) and event.polite for _, event in world.told)
    withdrawn = len(recorded(world, "hang_up_withdrawn"))
    assert withdrawn + (world.commands[-1][1].reason == "polite") <= asked


def _leaves(world, command):
    goodbye = isinstance(command, StartReply) and command.kind == "goodbye"
    limit = isinstance(command, RecordEvent) and command.kind == "limit_reached"
    return goodbye or limit or isinstance(command, EndCall) or _is_message(world, command)


def _is_message(world, command):
    return isinstance(command, StartReply) and command.text == world.voicemail != ""


def heard_text_is_what_the_ear_heard(world):
    """Exactly the words whose audio the marks proved while the reply was live, and none that the ear did not truly hear."""
    for row in rows_of(world):
        job = world.jobs.get(row.reply)
        segments = [] if job is None else job.segments
        proved = [word for s in segments if s.reported_whole for word in s.words_within(s.marked)]
        truly = {word for segment in segments for word in segment.words_within(segment.heard)}
        assert row.heard_text.split() == proved
        assert set(row.heard_text.split()) <= truly


def nothing_heard_is_forgotten_or_invented(world):
    """The conversation holds the words heard of all replies, and no others of the agent."""
    remembered = [word for message in world.engine.messages if message.role == "assistant" for word in message.content.split()]
    assert Counter(remembered) == Counter(word for row in rows_of(world) for word in row.heard_text.split())
    said = [word for message in world.engine.messages if message.role == "user" for word in message.content.split()]
    assert Counter(said) == Counter(word for row in rows_of(world) for word in row.caller_text.split())


def a_cancelled_reply_falls_silent(world):
    """Nothing of a reply is heard once its cancellation and its clear have reached the carrier."""
    for job in world.jobs.values():
        if job.cancelled_at is not None:
            assert job.last_heard_at <= job.cancelled_at + world.network_seconds + 1e-6


def no_reply_is_talked_over_by_another(world):
    """Nothing of an older reply is heard after a newer one began to be."""
    replies = [reply for _, _, reply in sorted(world.carrier.audible)]
    assert replies == sorted(replies)


def the_caller_can_interrupt(world):
    """Voice much longer than the threshold, over an agent that is known to be heard, ends what the agent says."""
    threshold = world.policy.barge_in_seconds
    if threshold is None or world.policy.confirm_seconds is not None:
        return  # in the latter case somebody has to confirm it first
    slack = threshold + 2 * world.network_seconds + 0.3
    last = {order.reply for _, order, _ in world.orders if order.kind == "goodbye" or _is_message(world, order)}
    for start, end in world.caller.voiced:
        for since, until, reply in world.carrier.audible:
            if reply in last or world.jobs[reply].cancelled_at is not None:
                continue
            began = min(at for at, _, number in world.carrier.audible if number == reply)
            went_on = since > max(start, began) + slack and until < end - 0.1
            assert not went_on, f"reply {reply} went on over the caller at {since}"


def interruptions_are_told_as_they_were(world):
    """An interrupted row says since when, and its reply was cleared; no other row says so."""
    cleared = {
        before.reply
        for (_, before), (_, command) in zip(world.commands, world.commands[1:], strict=False)
        if isinstance(before, CancelReply) and isinstance(command, ClearAudio)
    }
    for row in rows_of(world):
        assert row.interrupted == ("barge_in_at" in row.instants)
        if row.interrupted:
            assert row.reply in cleared
            assert row.instants["barge_in_started_at"] <= row.instants["barge_in_at"]
            assert "finished_at" not in row.instants
    assert len(recorded(world, "barge_in")) == sum(row.interrupted for row in rows_of(world))


def instants_are_in_order(world):
    """Each cause before its effect."""
    chains = (
        ("speech_started_at", "speech_ended_at", "vad_stopped_at", "reply_ordered_at", "finished_at"),
        ("speech_ended_at", "endpointed_at", "reply_ordered_at"),
        ("stt_final_at", "reply_ordered_at"),
    )
    for row in rows_of(world):
        if row.reply and world.jobs[row.reply].cancelled_at is None:
            for chain in chains:
                known = [row.instants[name] for name in chain if name in row.instants]
                assert known == sorted(known), (row.turn, chain, known)


def everything_consumed_is_paid_for_once(world):
    """In a row, or as an event."""
    paid = [usage for row in rows_of(world) for usage in row.usage]
    paid += [data["usage"] for kind in ("late_usage", "call_usage") for data in recorded(world, kind)]
    assert Counter(paid) == Counter(world.consumed)


def tools_run_once_and_keep_their_results(world):
    """Each tool asked for by a live reply runs once; what it returned stands in its row, or beside it."""
    runs = [command.id for _, command in world.commands if isinstance(command, RunTool)]
    assert len(runs) == len(set(runs))
    rows = {run.id: run for row in rows_of(world) for run in row.tools}
    assert set(rows) == set(runs)
    late = {data["id"]: data["result"] for data in recorded(world, "late_tool_result")}
    for _, event in world.told[:-1]:
        if isinstance(event, ToolReturned):
            assert event.result in {rows[event.id].result, late.get(event.id)}


def failures_are_counted(world):
    """A row with an error has its event, and the other way round."""
    failed = {data["turn"] for kind in ("reply_failed", "stage_failed") for data in recorded(world, kind)} - {None}
    asked_again = any(isinstance(event, TranscriptionFailed) for _, event in world.told)
    with_error = {row.turn for row in rows_of(world) if row.error}
    late = {data["turn"] for data in recorded(world, "stage_failed")}
    assert failed - late <= with_error
    assert with_error <= failed or asked_again or None in late


def the_far_end_was_waited_for(world):
    """A call that was not ended by the caller said goodbye first, if there is something to say."""
    if any(isinstance(event, CallerHungUp) for _, event in world.told) or recorded(world, "muted"):
        return
    reason = world.commands[-1][1].reason
    if world.policy.goodbye and reason not in {"meddled", "polite", LEFT, REACHED}:
        assert any(isinstance(command, StartReply) and command.kind == "goodbye" for _, command in world.commands)


INVARIANTS = [
    the_call_ends_once,
    rows_are_written_once,
    reply_numbers_rise_by_one,
    every_word_stands_in_one_place,
    every_key_stands_in_one_place,
    nobody_is_answered_who_did_not_speak,
    whoever_spoke_is_answered,
    a_muted_agent_is_silent,
    overlap_is_told_as_it_stands_in_the_row,
    a_voice_interrupts_or_is_a_backchannel_and_told_once,
    a_row_has_the_edit_of_its_reply,
    who_was_handed_on_is_told_nothing_new,
    a_caller_is_released_when_the_agent_has_finished,
    a_machine_has_the_message_or_the_call_ends_without,
    nobody_is_hung_up_on_after_a_withdrawal,
    heard_text_is_what_the_ear_heard,
    nothing_heard_is_forgotten_or_invented,
    a_cancelled_reply_falls_silent,
    no_reply_is_talked_over_by_another,
    the_caller_can_interrupt,
    interruptions_are_told_as_they_were,
    instants_are_in_order,
    everything_consumed_is_paid_for_once,
    tools_run_once_and_keep_their_results,
    failures_are_counted,
    the_far_end_was_waited_for,
]


@pytest.mark.parametrize("first", range(0, HISTORIES, PER_TEST))
def test_whatever_happens_in_a_call_its_content_is_right(world, first):
    for seed in range(first, min(first + PER_TEST, HISTORIES)):
        call = world.World(seed)
        try:
            call.run()
            for holds in INVARIANTS:
                holds(call)
        except AssertionError as broken:
            broken.add_note(f"in the call of seed {seed} ({call.mode}), at {call.now:.3f} s")
            raise
