"""Text between a model and a voice: what is not spoken is taken out, and a model is told how to speak on a telephone."""

from __future__ import annotations

import re

PHONE_PREAMBLE = (
    "You are speaking with somebody on a live telephone call, and everything you write is read out by a voice. "
    "Keep each answer to one or two sentences unless the caller asks for more, and ask one question at a time. "
    "Write plain spoken language: no lists, headings, markdown, code or emoji. "
    "Spell out numbers, amounts, dates, times and units the way they are said aloud."
)
"""Stands ahead of the system prompt, unless `disable_phone_preamble`."""

_FENCE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[ \t]*[\w+#.-]*[ \t]*$\n?", re.MULTILINE)
_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_HALF_FENCE = re.compile(r"`{3,}")
"""Of a block of code that was cut into sentences."""
_IMAGE = re.compile(r"!\[([^\]\n]*)\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:\s+\"[^\"\n]*\")?\)")
_LINK = re.compile(r"\[([^\]\n]*)\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:\s+\"[^\"\n]*\")?\)")
_STRIKE = re.compile(r"~~(?=\S)(.+?)(?<=\S)~~")
_HEADER = re.compile(r"^[ \t]{0,3}(?:#{1,6}[ \t]+)+(.*?)[ \t]*#*[ \t]*$", re.MULTILINE)
_RULE = re.compile(r"^[ \t]{0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$\n?", re.MULTILINE)
_STRONG = re.compile(r"(?:(?<!\d)\*\*(?=\S)|(?<=\d)\*\*(?=[^\s\d]))(.+?)(?:(?<=[^\s\d])\*\*|(?<=\d)\*\*(?!\d))")
"""Between digits two stars are a power."""
_STRONG_LOW_LINES = re.compile(r"(?<!\w)__(?=\S)(.+?)(?<=\S)__(?!\w)")
_STARS = re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])")
_LOW_LINES = re.compile(r"(?<![\w_])_(?=\S)([^_\n]+?)(?<=\S)_(?![\w_])")
_QUOTE = re.compile(r"^[ \t]*(?:>[ \t]?)+", re.MULTILINE)
_BULLET = re.compile(r"^[ \t]*(?:[-*+•][ \t]+|\d{1,3}[.)][ \t]+(?=\S*[^\W\d]))", re.MULTILINE)
_ATTRIBUTES = r"(?:\s+[\w:.-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s<>\"']+))*\s*/?>"
"""They have values, so that "a <b and c> d" stays."""
_BREAK = re.compile(
    rf"(?<=\S)(?:</?(?:br|hr|p|div|[uo]l|li|h[1-6]|pre|blockquote|table|t[rdh]){_ATTRIBUTES})+(?=\w)", re.IGNORECASE
)
"""Tags that part words."""
_TAG = re.compile(rf"</?[A-Za-z][A-Za-z0-9-]*{_ATTRIBUTES}|<!--.*?-->", re.DOTALL)
_GAP = re.compile(r"\n{3,}")

_PICTURE = (
    "\U0001f600-\U0001f64f\U0001f300-\U0001f5ff\U0001f680-\U0001f6ff\U0001f1e0-\U0001f1ff\U0001f900-\U0001f9ff"
    "\U0001fa00-\U0001faff\u2600-\u26ff\u2700-\u27bf\u20e3\U000e0020-\U000e007f"
)
"""Pictures, flags and symbols; no letters, digits or currency signs."""
_JOINER = "\ufe00-\ufe0f\u200d"
"""What colours and joins them."""
_EMOJI = re.compile(f"[{_PICTURE}{_JOINER}]+")
_EMOJI_BETWEEN_WORDS = re.compile(rf"(?<=\w)[{_JOINER}]*[{_PICTURE}][{_PICTURE}{_JOINER}]*(?=\w)")
"""A space takes their place, else two words would become one. A joiner alone stands within a word (of Sinhala, say)."""
_SPACES = re.compile(r"[ \t]{2,}")
_SPACE_BEFORE_MARK = re.compile(r"[ \t]+(?=[,.!?;:](?:\s|$))")

_IN_ORDER = (
    (_FENCE, ""), (_CODE, r"\2"), (_HALF_FENCE, ""), (_IMAGE, r"\1"), (_LINK, r"\1"), (_STRIKE, r"\1"), (_RULE, ""),
    (_HEADER, r"\1"), (_QUOTE, ""), (_BULLET, ""), (_STRONG, r"\1"), (_STRONG_LOW_LINES, r"\1"), (_STARS, r"\1"),
    (_LOW_LINES, r"\1"), (_BREAK, " "), (_TAG, ""), (_GAP, "\n\n"),
)  # fmt: skip


def filter_markdown(text: str) -> str:
    """The words without Markdown and HTML marks: fences, code, links (their text), emphasis, headings, quotes, list marks, tags.

    What only looks like it stays: "2 * 3 * 4", "snake_case_name", "5 < 6".
    """
    before = ""
    while text != before:  # marks within marks; each pass makes the text shorter, so there is a last one
        before = text
        for pattern, shown in _IN_ORDER:
            text = pattern.sub(shown, text)
    return text


def filter_emoji(text: str) -> str:
    """The text without emoji and pictographs, and without the spaces that stood around them."""
    filtered = _EMOJI.sub("", _EMOJI_BETWEEN_WORDS.sub(" ", text))
    if filtered == text:
        return text
    return _SPACE_BEFORE_MARK.sub("", _SPACES.sub(" ", filtered)).strip(" \t")


def filter_for_tts(text: str) -> str:
    """`filter_markdown` and `filter_emoji`, until neither finds anything: a list mark may stand behind an emoji."""
    before = ""
    while text != before:
        before = text
        text = filter_emoji(filter_markdown(text))
    return text
