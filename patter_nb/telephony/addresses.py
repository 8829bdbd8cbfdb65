"""Where a carrier finds us: the paths below our public address."""

WEBHOOKS = "/webhooks/twilio"
ANSWER = f"{WEBHOOKS}/answer"
VOICE = f"{WEBHOOKS}/voice"
"""The public Patter's name of the same."""
STATUS = f"{WEBHOOKS}/status"
MACHINE = f"{WEBHOOKS}/amd"
RECORDED = f"{WEBHOOKS}/recording"
LEG = f"{WEBHOOKS}/transfer"
"""The other leg of a warm transfer."""
STREAM = "/ws/stream"
"""Followed by the id of the call."""


def webhook(origin: str, path: str, call_id: str) -> str:
    """The address of a webhook about one call of ours."""
    return f"{origin}{path}?call={call_id}"
