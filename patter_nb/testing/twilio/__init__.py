"""Twilio's side of the telephone, on this machine: a REST server, signed webhooks, and media streams over real sockets.

    async with TwilioSimulator(numbers=["+15550001234"]) as sim:
        phone = Patter(carrier=sim.carrier, phone_number=sim.number, tunnel=sim.tunnel)
        await phone.serve(agent, manage_webhook=True)
        line = await sim.call(caller=["Hi, when is dinner?"])
        await line.ended()

It shares no code with what it is the far end of: signatures, messages, TwiML and key tones are its own. It lives in a thread and
a loop of its own, so it hears what a stalled notebook does to a call. `python -m patter_nb.testing.twilio` runs it as a process,
which `TwilioProcess` starts and drives.
"""

from patter_nb.testing.twilio.callee import Callee
from patter_nb.testing.twilio.line import SimulatedLine
from patter_nb.testing.twilio.process import TwilioProcess
from patter_nb.testing.twilio.simulator import TwilioSimulator

__all__ = ["Callee", "SimulatedLine", "TwilioProcess", "TwilioSimulator"]
