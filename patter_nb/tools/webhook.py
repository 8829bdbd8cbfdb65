"""A tool that is done somewhere on the web: one POST of JSON, tried again where that can help."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from patter_nb.tools.tool import ToolError

if TYPE_CHECKING:
    from patter_nb.tools.tool import Bound, Tool

ATTEMPTS = 3
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, JITTER_SECONDS = 0.5, 5.0, 0.06
"""Waits between attempts: doubled each time, with a little chance so that many callers do not come at once."""


async def call_webhook(tool: Tool, bound: Bound, context: Mapping[str, Any]) -> Any:
    """What the tool's address answers; None for nothing. `ToolError`, a sentence for the model, when it fails at that.

    Every attempt carries the same `Idempotency-Key`, so that a server can tell a second try from a second order. The caller's
    deadline bounds all of it.
    """
    from patter_nb.web.address import AddressError, checked
    from patter_nb.web.post import WebError, post_json

    payload = {"tool": tool.name, "arguments": bound.arguments, **context}
    headers = {"idempotency-key": uuid.uuid4().hex, **(tool.headers or {})}
    for attempt in range(1, ATTEMPTS + 1):
        bound.attempts = attempt
        last = attempt == ATTEMPTS
        try:
            target = await checked(tool.webhook_url, allow_private=tool.allow_private)
            reply = await post_json(target, payload, timeout_seconds=tool.timeout_s, headers=headers)
            if reply.status < 300:
                return reply.json() if reply.body.strip() else None  # "204 No Content", say: it is done
            if last or not (reply.status == 429 or reply.status >= 500):
                moved = " It must answer itself: redirects are not followed." if reply.status < 400 else ""
                raise ToolError(f"{tool.name} answered with status {reply.status}.{moved}")
        except AddressError as error:
            raise ToolError(f"{tool.name} cannot be reached: {error}") from error
        except WebError as error:
            if not error.retryable or last:
                raise ToolError(f"{tool.name} failed: {error}") from error
        await asyncio.sleep(waiting_seconds(attempt))
    raise AssertionError("the last attempt returns or raises")


def waiting_seconds(attempt: int) -> float:
    """How long to wait after that attempt, the first being 1."""
    doubled: float = FIRST_WAIT_SECONDS * 2 ** (attempt - 1)
    return min(LONGEST_WAIT_SECONDS, doubled) + random.uniform(0, JITTER_SECONDS)
