"""The conversation as the caller heard it, in the form a language model is given.

Each turn tells its own part: what the caller said, the tools that ran, and what was heard of the reply. Nothing
unheard is in it, with one exception: the reply in progress, when it goes on after its tools, is shown to the model as
it wrote it.
"""

from __future__ import annotations

from patter_nb.turns.messages import Message
from patter_nb.turns.reply import Reply
from patter_nb.turns.turn import Turn


class History:
    """Turns and injected messages, in the order in which they became part of the conversation."""

    def __init__(self) -> None:
        self._entries: list[Turn | Message] = []

    def place(self, turn: Turn) -> None:
        """Put a turn last: it was opened, or its reply begins now."""
        if turn in self._entries:
            self._entries.remove(turn)
        self._entries.append(turn)

    def inject(self, message: Message) -> None:
        """Add something that nobody said."""
        self._entries.append(message)

    def messages(self, in_progress: Reply | None = None) -> tuple[Message, ...]:
        """Everything so far; `in_progress` as it was generated, all else as it was heard."""
        messages: list[Message] = []
        for entry in self._entries:
            if isinstance(entry, Message):
                messages.append(entry)
            else:
                messages += entry.messages(in_progress)
        return tuple(messages)
