"""A caller that isn't a phone: it speaks Twilio Media Streams, hears the agent, and reports what it heard on its own clock."""

from patter_nb.carriers.simulated.caller import SimulatedCaller
from patter_nb.carriers.simulated.lines import NoiseSpec, SpokenLine
from patter_nb.carriers.simulated.report import Exchange, FarEndEvent, FarEndReport, HeardReply, MarkEcho

__all__ = ["Exchange", "FarEndEvent", "FarEndReport", "HeardReply", "MarkEcho", "NoiseSpec", "SimulatedCaller", "SpokenLine"]
