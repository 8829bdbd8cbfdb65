"""What the caller's ear got of a segment: the words whose audio the carrier's marks prove to have played.

Audio is all a mark speaks of. Words follow from it by the provider's alignment where there is one, else in
proportion: the first half of the audio stands for the first half of the characters. A word counts only when all of it
lies within, so the estimate errs towards having said less.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

TOLERANCE_SECONDS = 0.001
"""Audio is counted in frames and bytes by several parties; what is nearer than this to the end is the end."""


@dataclass(slots=True)
class Segment:
    """A speakable piece of a reply, on its way from text to the ear."""

    text: str
    round: int = 0
    """Which of the model's answers within the reply it belongs to; tools lie between them."""
    plays_seconds: float | None = None
    """How much audio will play in all; None while it is being made."""
    whole: bool = False
    """Whether that audio stands for all of the text; not so when its synthesis failed on the way."""
    heard_seconds: float = 0.0
    points: tuple[tuple[int, float], ...] = ()
    """Where the provider says that words end: (characters, seconds), ascending."""

    def synthesized(self, seconds: float) -> None:
        """All of its audio is there."""
        self.plays_seconds, self.whole = seconds, True

    def abandoned(self, seconds: float) -> None:
        """Its synthesis ended early, after so many seconds of audio."""
        if not self.whole:
            self.plays_seconds = seconds

    def dropped(self) -> None:
        """None of its audio will play, however much of it there is."""
        self.plays_seconds, self.whole = 0.0, False

    def aligned(self, points: tuple[tuple[int, float], ...]) -> None:
        """More of its alignment is known."""
        self.points = tuple(sorted({*self.points, *points}))

    def heard(self, seconds: float) -> None:
        """Its first `seconds` have played. What was heard stays heard."""
        self.heard_seconds = max(self.heard_seconds, seconds)

    @property
    def played_out(self) -> bool:
        """Whether all that will ever play of it has played."""
        return self.plays_seconds is not None and self.heard_seconds >= self.plays_seconds - TOLERANCE_SECONDS

    def heard_text(self) -> str:
        """The words that were heard, whole ones only."""
        if self.heard_seconds <= 0.0:
            return ""
        if self.whole and self.played_out:
            return self.text
        return whole_words(self.text, self._heard_characters())

    def _heard_characters(self) -> int:
        heard_seconds = self.heard_seconds + TOLERANCE_SECONDS
        if self.points:
            return max((characters for characters, at in self.points if at <= heard_seconds), default=0)
        if self.plays_seconds is None or not self.whole:
            # How long the text will sound is unknown, and so is what any part of the audio says.
            return 0
        return int(len(self.text) * heard_seconds / self.plays_seconds)


def whole_words(text: str, characters: int) -> str:
    """The words that lie entirely within the first `characters` of `text`, with the spaces between them."""
    end = min(characters, len(text))
    while 0 < end < len(text) and not _ends_word(text[end - 1], text[end]):
        end -= 1
    return text[:end].rstrip()


def _ends_word(before: str, after: str) -> bool:
    """Whether a word ends between two characters. Wide ones (Chinese, Japanese, Korean) are each a word of their own."""
    return before.isspace() or after.isspace() or unicodedata.east_asian_width(before) in "WF"
