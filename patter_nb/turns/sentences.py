"""Cutting a reply, while it is being written, into segments that can be spoken.

A sentence goes out with the token that ends it. Only a full stop may mean something else: after a digit (3.50), a
listed abbreviation (Dr. Who) or a single letter (J. Smith) the next token is waited for, since it tells. Every
character is looked at once, so a long reply costs no more per token than a short one.

What is asked of a full stop, in this order:
- what follows without a space belongs to the word: example.com, 3.50, U.S.
- dots in a row are a pause and no end, as in "well...";
- a title (Dr.) is followed by a name;
- a number alone is the head of a list item, "1. First";
- other abbreviations (Inc., p.m.) and initials end a sentence only if the next word is one that likes to begin one.
"""

from __future__ import annotations

MAX_CHARACTERS = 250
"""Text without an end is cut here at the latest: about 15 s of English speech."""

FIRST_CLAUSE_CHARACTERS = 40
"""How long the first clause must be to go out alone: about 2.5 s of speech, in which the rest can be made."""

_FULL_STOP = "."
_ENDS = frozenset("!?;…" "。！？；．｡" "।॥" "؟۔؛" "։՞" "።፧፨" "។៕" "။" "།༎")
"""Marks that always end a sentence: Latin, East Asian, Devanagari, Arabic, Armenian, Ethiopic, Khmer, Burmese, Tibetan."""
_CLOSERS = frozenset("\"'”’»)]}」』）】*")
"""What may stand between the mark and the space after it, and belongs to the sentence; emphasis written with stars included."""
_TRAILERS = _CLOSERS | _ENDS | {_FULL_STOP}
_CLAUSE_ENDS = frozenset(",—–")
_PAUSES = frozenset(",:—–")
_WIDE_PAUSES = frozenset("、，：،")
"""Pauses that no space follows."""
_CURRENCIES = frozenset("$€£¥₹")
_PAIRS = (("(", ")"), ("[", "]"), ("{", "}"))


def _words(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


_TITLES = _words(
    "Mr Mrs Ms St Dr Prof Gen Sen Rep Lt Cpt Capt Col Cmdr Adm",  # English
    "Sig Sgr Dott Avv Ing Geom Rag Arch On Egr Spett Gent Ill",  # Italian
    "Sr Sra Sres Sras Srta Srtas Dra Dres Lic Licda Profa Arq Mtro Mtra",  # Spanish
    "Hr Fr Frl Dipl Mag",  # German
    "Mme Mmes Mlle Mlles MM Pr Mgr Me",  # French
    "Srs Eng Enga",  # Portuguese
)
"""Abbreviations before a name, of all languages at once: people switch between them in mid-sentence."""

_SUFFIXES = _words(
    "Inc Ltd Jr Co ecc cit cap sez art pag fig tab cfr vol ed vs etc No Vol pp cf ca op Mt Hwy Rt Pl Ave Blvd Sq Ph.D",
)
"""Abbreviations that may also end a sentence. As the first word of one they are plain words ("No.")."""

_STARTERS = _words(
    "A All Also An And Are As At But Can Could Did Do Does For From He Her Here His How However I If In Is It Its Let My No",
    "Now Of On Or Our Please She Since So That The Their Then There These They This Those To Today We Well Were What When",
    "Where Which While Who Why Will Would Yes You Your",
)
"""Words that are rather the beginning of a sentence than a name."""


class Segmenter:
    """Takes the tokens of one reply in order; gives segments: stripped, never empty, together all the text but white space.

    With `aggressive_first_flush` the first clause goes out as soon as it is long enough (not in Italian, where a comma often
    stands inside of a number). `language` is a code such as "en" or "it-IT". The last segment may hold no letter.
    """

    def __init__(self, aggressive_first_flush: bool = False, language: str = "en") -> None:
        self._wants_clause = aggressive_first_flush and not language.lower().startswith("it")
        self._text = ""
        self._begin("")
        self._first = True

    def push(self, token: str) -> list[str]:
        """The segments that are complete with this token."""
        self._text = (self._text + token.replace("\n", " ").replace("\r", " ")).lstrip()
        return self._cut()

    @property
    def holds_text(self) -> bool:
        """Whether something was pushed that is in no segment yet."""
        return bool(self._text)

    def flush(self) -> list[str]:
        """What is left, when the reply's text is complete. The segmenter can then be used for another one."""
        rest = self._text.strip()
        self._begin("")
        self._first = True
        return [rest] if rest else []

    def _begin(self, text: str) -> None:
        self._text = text
        self._at = 0
        """How far it was looked at."""
        self._spoken = False
        """Whether a letter or digit was seen: without one there is nothing to say."""

    def _cut(self) -> list[str]:
        segments: list[str] = []
        while self._at < len(self._text):
            end = self._end()
            if end is None:
                break
            if end == 0:
                self._spoken = self._spoken or self._text[self._at].isalnum()
                self._at += 1
                continue
            segments.append(self._text[:end].strip())
            self._first = False
            self._begin(self._text[end:].lstrip())
        return segments

    def _end(self) -> int | None:
        """Where the segment ends if it ends with the character looked at; 0 if it does not; None if the next token tells."""
        text, at = self._text, self._at
        if at >= MAX_CHARACTERS:
            return self._last_resort()
        if text[at] in _ENDS and self._spoken:
            return self._with_closers(at)
        if text[at] == _FULL_STOP and self._spoken:
            return self._full_stop()
        if self._wants_clause and self._first and text[at] in _CLAUSE_ENDS:
            return self._clause()
        return 0

    def _with_closers(self, at: int) -> int:
        """The end of the sentence whose mark stands at `at`, with the marks and closing quotes that follow it."""
        end = at + 1
        while self._text[end : end + 1] in _TRAILERS:
            end += 1
        return end

    def _full_stop(self) -> int | None:
        text, at = self._text, self._at
        end = self._with_closers(at)
        if not text[end : end + 1].isspace() and end < len(text):
            return 0
        if _FULL_STOP in (text[at - 1], text[at + 1 : at + 2]):
            return 0
        before, _, word = text[:at].rpartition(" ")
        word, first = word.lstrip("\"'“‘«([{*"), not before.strip()
        if word in _TITLES:
            return 0
        if word[-1:].isdigit():
            if end == len(text):
                return None
            return 0 if first and word.isdigit() else end
        if not (_is_initial(word) or _is_acronym(word) or (word in _SUFFIXES and not first)):
            return end
        following = text[end:].split()
        if not following:
            return None
        return end if following[0].strip("\"'“‘,.!?") in _STARTERS else 0

    def _clause(self) -> int | None:
        """The end of the first clause, if it can stand alone."""
        before, after = self._text[: self._at], self._text[self._at + 1 : self._at + 2]
        if len(before) + 1 < FIRST_CLAUSE_CHARACTERS or _is_open(before) or _CURRENCIES & set(before[-8:]):
            return 0
        if before[-1].isdigit() and not after:
            return None
        return 0 if after == '"' or after.isdigit() or before.endswith("..") else self._at + 1

    def _last_resort(self) -> int:
        """Where text that has no end is cut: after its last pause in the second half, else between words, else anywhere."""
        text = self._text[:MAX_CHARACTERS]
        for cut in range(len(text) - 1, MAX_CHARACTERS // 2, -1):
            if text[cut - 1] in _WIDE_PAUSES or (text[cut - 1] in _PAUSES and text[cut].isspace()):
                return cut
        return text.rindex(" ") if " " in text else len(text)


def _is_initial(word: str) -> bool:
    """One letter, of a script that has capitals."""
    return len(word) == 1 and word.lower() != word.upper()


def _is_acronym(word: str) -> bool:
    """Letters with full stops between them: U.S, p.m"""
    letters = word.split(".")
    return len(letters) > 1 and all(len(letter) == 1 and letter.isalpha() for letter in letters)


def _is_open(text: str) -> bool:
    """Whether a quote or bracket in `text` was not closed."""
    return text.count('"') % 2 == 1 or any(text.count(opens) != text.count(closes) for opens, closes in _PAIRS)
