from __future__ import annotations

import httpx
import numpy as np
import pytest

from patter_nb.carriers.simulated import SpokenLine
from patter_nb.testing import Callee

from .conftest import place, stream_twiml, tone

TARGET = "+15558880000"
ROOM = "warm-1"


async def update(sim, line, **form):
    path = f"{sim.url}/2010-04-01/Accounts/{sim.account_sid}/Calls/{line.sid}.json"
    async with httpx.AsyncClient(auth=(sim.account_sid, sim.auth_token), trust_env=False) as rest:
        answer = await rest.post(path, data=form)
    assert answer.status_code == 200, answer.text


def conference(starts="true", ends="false"):
    attributes = f'startConferenceOnEnter="{starts}" endConferenceOnExit="{ends}"'
    return f"<Dial><Conference {attributes}>{ROOM}</Conference></Dial>"


def child_of(sim, line):
    return next(child for child in sim.lines.values() if child.parent_sid == line.sid)


def test_a_running_call_is_handed_to_a_number_and_the_two_talk(carried):
    async def scenario(sim, app):
        sim.callees[TARGET] = Callee(lines=[SpokenLine("", tone(0.5), 8000)], answers_after_seconds=0.2, stays_seconds=1.0)
        line = await sim.call(url=app.answer("/voice", stream_twiml()))
        await sim.until(lambda sim: line.far_end)
        await update(sim, line, Twiml=f"<Response><Dial>{TARGET}</Dial><Say>Bye</Say></Response>")
        await line.ended()
        return sim, line

    sim, line = carried(scenario)
    child = child_of(sim, line)
    assert line.reports[0].ended_by == "carrier"
    assert (line.joined, child.joined) == ([child.sid], [line.sid])
    assert (child.status, child.to_number, child.direction) == ("completed", TARGET, "outbound-dial")
    assert line.said == ["Bye"]
    talk = line.heard[len(line.reports[0].heard) :][:8000]
    assert np.abs(talk[:4000]).max() > 4000, "the other's line of half a second"
    assert np.abs(talk[4200:]).max() == 0, "and silence until the second is over"


# Who is called by a Dial, and how it ends there.
TARGETS = {
    "busy": Callee("busy", answers_after_seconds=0.1),
    "no-answer": Callee("no-answer"),
    "failed": Callee("failed"),
}


@pytest.mark.parametrize("status", TARGETS)
def test_a_number_that_does_not_answer_leaves_the_caller_to_the_next_instructions(carried, status):
    async def scenario(sim, app):
        sim.callees[TARGET] = TARGETS[status]
        action = app.answer("/after", "<Response><Say>Sorry</Say></Response>")
        twiml = f'<Response><Dial action="{action}" timeout="1">{TARGET}</Dial></Response>'
        line = await sim.call(url=app.answer("/voice", twiml))
        await line.ended()
        return sim, line, app.at("/after")[0].form

    sim, line, form = carried(scenario)
    assert (form["DialCallStatus"], form["DialCallSid"]) == (status, child_of(sim, line).sid)
    assert line.said == ["Sorry"]
    assert line.joined == []


# A Dial that Twilio does not make, and the code of its warning.
FORBIDDEN = {
    "as somebody else": (f'<Dial callerId="+15559990000">{TARGET}</Dial>', 13214),
    "of no number": ("<Dial>reception</Dial>", 13223),
    "of a country without permission": ("<Dial>+441632960000</Dial>", 13227),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_transfer_that_is_not_allowed_fails_with_a_warning(carried, name):
    twiml, code = FORBIDDEN[name]

    async def scenario(sim, app):
        sim.blocked.append("+44")
        line = await sim.call(url=app.answer("/voice", f"<Response>{twiml}<Say>Sorry</Say></Response>"))
        await line.ended()
        return line, child_of(sim, line)

    line, child = carried(scenario)
    assert [warning.code for warning in line.warnings] == [code]
    assert (child.status, line.said) == ("failed", ["Sorry"])


def test_a_number_of_the_account_may_be_shown_and_otherwise_the_caller_is(carried):
    async def scenario(sim, app):
        sim.callees[TARGET] = Callee(answers_after_seconds=0.1, stays_seconds=0.1)
        twiml = f'<Response><Dial callerId="{sim.number}">{TARGET}</Dial><Dial>{TARGET}</Dial></Response>'
        line = await sim.call(url=app.answer("/voice", twiml), from_number="+15551110000")
        await line.ended()
        return sim, line

    sim, line = carried(scenario)
    assert [child.from_number for child in sim.lines.values() if child.parent_sid] == [sim.number, "+15551110000"]
    assert line.warnings == []


def test_a_caller_who_hangs_up_ends_the_transfer_too(carried):
    async def scenario(sim, app):
        sim.callees[TARGET] = Callee(answers_after_seconds=0.1, stays_seconds=None)
        line = await sim.call(url=app.answer("/voice", f"<Response><Dial>{TARGET}</Dial></Response>"))
        await sim.until(lambda sim: line.joined)
        line.hang_up()
        await line.ended()
        return child_of(sim, line)

    assert carried(scenario).status == "completed"


def test_a_caller_who_hangs_up_while_it_rings_cancels_the_transfer(carried):
    async def scenario(sim, app):
        sim.callees[TARGET] = Callee("no-answer")
        line = await sim.call(url=app.answer("/voice", f"<Response><Dial>{TARGET}</Dial></Response>"))
        await sim.until(lambda sim: any(other.status == "ringing" and other.parent_sid for other in sim.lines.values()))
        line.hang_up()
        await line.ended()
        return child_of(sim, line)

    assert carried(scenario).status == "canceled"


async def warm(sim, app, *, ends="true", **callee):
    """A caller with the agent, and somebody who was called and told the summary; both end in one room."""
    sim.callees[TARGET] = Callee(answers_after_seconds=0.1, **callee)
    line = await sim.call(url=app.answer("/voice", stream_twiml()))
    await sim.until(lambda sim: line.far_end)
    path = f"{sim.url}/2010-04-01/Accounts/{sim.account_sid}/Calls.json"
    twiml = f"<Response><Say>Mr Smith wants a table.</Say>{conference(starts='true', ends=ends)}</Response>"
    async with httpx.AsyncClient(auth=(sim.account_sid, sim.auth_token), trust_env=False) as rest:
        made = (await rest.post(path, data={"To": TARGET, "From": sim.number, "Twiml": twiml})).json()
    target = sim.lines[made["sid"]]
    await sim.until(lambda sim: target.status == "in-progress")
    assert line.far_end is not None, "the caller stays with the agent until somebody answers"
    await update(sim, line, Twiml=f"<Response>{conference(starts='false')}<Say>Bye</Say></Response>")
    return line, target


def test_two_calls_meet_in_a_conference_after_the_summary_was_said(carried):
    async def scenario(sim, app):
        line, target = await warm(sim, app, stays_seconds=1.0)
        await sim.until(lambda sim: line.joined and target.joined)
        assert sim.lines[target.sid].said == ["Mr Smith wants a table."]
        await line.ended()
        await target.ended()
        return line, target

    line, target = carried(scenario)
    assert (line.joined, target.joined) == ([ROOM], [ROOM])
    assert (line.status, target.status) == ("completed", "completed")


@pytest.mark.parametrize(("ends", "said"), [("true", ["Bye"]), ("false", [])])
def test_a_conference_is_over_for_all_when_somebody_leaves_who_ends_it(carried, ends, said):
    """Otherwise the caller is left alone in it, and hangs up."""

    async def scenario(sim, app):
        line, target = await warm(sim, app, ends=ends, stays_seconds=1.0)
        await line.ended()
        await target.ended()
        return line

    assert carried(scenario).said == said


def test_nobody_talks_in_a_conference_before_it_begins(carried):
    async def scenario(sim, app):
        sim.callee = Callee(answers_after_seconds=0.1, stays_seconds=0.2)
        early = await place(sim, app, twiml=f"<Response>{conference(starts='false')}</Response>")
        await sim.until(lambda sim: early.joined)
        late = await sim.call(url=app.answer("/voice", "<Response><Pause length='2'/><Hangup/></Response>"))
        await late.ended()
        waited = not early.is_over
        await sim.call(url=app.answer("/voice", f"<Response>{conference()}</Response>"))
        await early.ended()
        return waited

    assert carried(scenario, speed=20)


def test_somebody_who_is_left_alone_in_a_conference_hangs_up(carried):
    async def scenario(sim, app):
        line, target = await warm(sim, app, stays_seconds=None)
        await sim.until(lambda sim: line.joined and target.joined)
        line.hang_up()
        await line.ended()
        await target.ended()
        return target

    assert carried(scenario).status == "completed"


def test_a_conference_that_nobody_began_is_waited_in(carried):
    async def scenario(sim, app):
        line = await sim.call(url=app.answer("/voice", f"<Response>{conference(starts='false')}</Response>"))
        await sim.until(lambda sim: line.joined)
        await update(sim, line, Twiml="<Response><Say>Nobody came.</Say></Response>")
        await line.ended()
        return line

    assert carried(scenario).said == ["Nobody came."]
