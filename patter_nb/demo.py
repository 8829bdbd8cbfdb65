"""The demonstration call that `patter-nb demo` holds; the first notebook holds a shorter one."""

from __future__ import annotations

from patter_nb.agent import Agent
from patter_nb.callers import Line
from patter_nb.phone import Patter

PROMPT = """You are Mia, the receptionist of the {company}.
Dinner is served from six to ten. Breakfast is served from seven to eleven on the terrace.
A double room costs ninety five dollars a night, breakfast included. The pool is open until nine in the evening.
Parking is free for guests, behind the house. Dogs are welcome and stay for free.
The nearest station is Market Street, five minutes on foot."""

CALLER = (
    Line("Hi, when is dinner?"),
    Line("And how much is a double room?"),
    Line("And is parking free?"),
    Line("When does the pool close?", interrupt_after_seconds=0.8),
    Line("How far is the station?"),
    Line("Great, thanks, goodbye."),
)
"""The fourth line interrupts the answer to the third."""


def demo_agent(phone: Patter, *, cache: bool = True) -> Agent:
    """A receptionist that runs on this machine, without a key. `cache=False`: its voice renders every line anew."""
    from patter_nb.providers.local import DemoBrain, LocalSTT, LocalTTS

    return phone.agent(
        PROMPT,
        stt=LocalSTT(),
        llm=DemoBrain(),
        tts=LocalTTS(cache=cache),
        variables={"company": "Acme Hotel"},
        first_message="{company}, good evening! This is Mia. How can I help?",
    )
