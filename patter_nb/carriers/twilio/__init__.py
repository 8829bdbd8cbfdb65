"""Twilio: the account, its REST API, TwiML, the webhooks it signs, and what it does with a call."""

from patter_nb.carriers.twilio.control import Legs, TwilioLine
from patter_nb.carriers.twilio.rest import Dial, TwilioRest
from patter_nb.carriers.twilio.settings import Twilio

__all__ = ["Dial", "Legs", "Twilio", "TwilioLine", "TwilioRest"]
