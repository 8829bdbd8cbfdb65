"""A telephone on a page: talk to an agent with the microphone of a browser.

The page is the carrier: it speaks Twilio's Media Streams messages, so a call with it takes the same way as one from a real phone.
"""

from patter_nb.softphone.softphone import Softphone

__all__ = ["Softphone"]
