"""Why code that ran is not in the notebook, where nothing else was said of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from jupyter_rewind.recovery.confidence import Judged
from jupyter_rewind.recovery.likeness import is_look

EARLIER = "an earlier text of a cell: what ran later took its place"
LOOK = "a passing look"
BEFORE = "it ran before that document was saved, and is not in it"


class Reasons:
    """The reason for each source: it gave way, it was a look, or it ran before the save.

    `laid` are all sources that were laid over the document.
    """

    def __init__(self, judged: Iterable[Judged], laid: Collection[str]) -> None:
        self._earlier = {
            text
            for each in judged
            for _, text in each.slot.versions
            if each.kept and text != each.slot.source
        }
        self._laid = laid

    def of(self, source: str) -> str:
        """The reason; "" where none is known."""
        if source in self._earlier:
            return EARLIER
        if is_look(source):
            return LOOK
        return "" if source in self._laid else BEFORE
