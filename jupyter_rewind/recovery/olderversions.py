"""Whether an older version of a notebook that is whole has cells that its file lacks.

An old tab or a checkout may have written an old state over a newer one: such a file is whole, and
yet it isn't all. A cell that was edited since (it has its id still) is not lacking. Histories that
the user keeps knowingly (git's commits, Rewind) have older versions by their nature: they are not
asked, but what git dropped is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.blends import without_blends
from jupyter_rewind.recovery.choosing import is_richer
from jupyter_rewind.recovery.evidence import Evidence, FoundDocument, Problem, Scope, Trace
from jupyter_rewind.recovery.filestate import LARGE_BYTES
from jupyter_rewind.recovery.traces.git import DROPPED

KINDS = frozenset({"checkpoint", "vscode", "backup", "trash", "snapshot", "collaboration"})
MOST_BYTES = 1 << 26
"""So much is read for one folder."""


@dataclass(frozen=True, slots=True)
class Older:
    """A version that has more than the file; `is_lost` where most of it is gone from the file, or
    cells of the file are blended: then recovering brings it back."""

    trace: Trace
    words: str
    is_lost: bool


class OlderVersions:
    """Reads older versions of a folder's notebooks, within a bound."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._room = MOST_BYTES
        self.problems: list[Problem] = []
        self.left_out = 0
        """How many notebooks have versions that were not read."""

    def find(self, file: FoundDocument, traces: Iterable[Trace]) -> Older | None:
        """The newest version that has more than the file has; None where none has."""
        wanted = search.choose(self._scope, [each for each in traces if _may_have_more(each)])
        wanted.sort(key=lambda each: each.time_ns or 0, reverse=True)
        for trace in wanted:
            if trace.size_bytes > min(self._room, LARGE_BYTES):
                self.left_out += 1
                return None
            self._room -= trace.size_bytes
            heard = search.gather(self._scope, [trace])
            self.problems += heard.problems
            for document in heard.documents:
                blends = without_blends(Evidence((file, document))).documents[0].damages
                if blends and not file.damages:
                    return Older(trace, f"{Path(file.trace.place).name}: {blends[0]}.", True)
                count = _lacking(file, document)
                if count:
                    words = _in_words(Path(file.trace.place).name, trace, count)
                    return Older(trace, words, is_richer(document, file))
        return None


def _may_have_more(trace: Trace) -> bool:
    return trace.kind in KINDS or DROPPED in trace.handle


def _lacking(file: FoundDocument, older: FoundDocument) -> int:
    """How many cells of `older` the file has neither as they are nor edited."""
    here = {each.source.strip() for each in file.cells}
    ids = {each.cell_id for each in file.cells if each.cell_id and each.source.strip()}
    texts = {
        each.source.strip()
        for each in older.cells
        if each.source.strip() and (each.cell_id is None or each.cell_id not in ids)
    }
    return len(texts - here)


def _in_words(name: str, trace: Trace, count: int) -> str:
    cells = "a cell" if count == 1 else f"{count} cells"
    when = ""
    if trace.time_ns is not None:
        when = f", {datetime.fromtimestamp(trace.time_ns / 1e9):%Y-%m-%d %H:%M}"
    return (
        f"{name} is whole, but another version of it has {cells} more"
        f" ({trace.words or trace.kind}{when})."
    )
