"""What speaks: the frozen configuration of an agent, checked when it is made."""

from patter_nb.agent.agent import Agent
from patter_nb.agent.describe import describe
from patter_nb.agent.modes import APPLIES, ProviderMode
from patter_nb.agent.settings import AgentSettings

__all__ = ["APPLIES", "Agent", "AgentSettings", "ProviderMode", "describe"]
