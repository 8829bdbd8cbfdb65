"""Which agent speaks next: numbered revisions of one name, edits of them, and the one a call is running."""

from patter_nb.live.difference import Difference
from patter_nb.live.edit import Applied, Edit
from patter_nb.live.line import RevisionLine
from patter_nb.live.live import Live, Taken
from patter_nb.live.revision import Revision, Scope

__all__ = ["Applied", "Difference", "Edit", "Live", "Revision", "RevisionLine", "Scope", "Taken"]
