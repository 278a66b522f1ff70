"""Whether an older version of a notebook that is whole has cells that its file lacks.

An old tab or a checkout may have written an old state over a newer one: such a file is whole, and
yet it isn't all. A cell that was edited since (it has its id still) is not lacking. Histories that
the user keeps knowingly (git's commits, Rewind) have older versions by their nature: they are not
asked, but what git dropped is. A commit without the cells says that they were taken away knowingly.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

from blake3 import blake3

from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.blends import without_blends
from jupyter_rewind.recovery.choosing import MUCH_MORE, NEARLY_ALL, is_cleaned_up, is_richer
from jupyter_rewind.recovery.evidence import Evidence, FoundDocument, Problem, Scope, Trace
from jupyter_rewind.recovery.filestate import LARGE_BYTES
from jupyter_rewind.recovery.kernelruns import SECOND
from jupyter_rewind.recovery.namesakes import MADE, PAIR, is_edited_pair
from jupyter_rewind.recovery.regular import read_file
from jupyter_rewind.recovery.thinning import select
from jupyter_rewind.recovery.traces.git import BRANCH, DROPPED, FETCHED, GitFinder
from jupyter_rewind.recovery.traces.rewind import RAW, RewindFinder
from jupyter_rewind.recovery.unnamed import ENOUGH, ids_of, share_of, share_of_ids

KINDS = frozenset({"checkpoint", "vscode", "backup", "trash", "snapshot", "collaboration"})
MOST_BYTES = 1 << 26
"""So much is read for one folder."""
MOST_LOOSE = 200
"""So many of what git dropped without a name are read for one folder."""
_MANY_WORDS = 8
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Older:
    """A version that has more than the file; `is_lost` where most of it is gone from the file, or
    cells of the file are blended: then recovering brings it back."""

    trace: Trace
    words: str
    is_lost: bool


class OlderVersions:
    """Reads older versions of a folder's notebooks, within a bound."""

    def __init__(self, scope: Scope, traces: Iterable[Trace] = ()) -> None:
        self._scope = scope
        self._loose = [each for each in traces if each.notebook is None and DROPPED in each.handle]
        self._room = MOST_BYTES
        self.problems: list[Problem] = []
        self.left_out = 0
        """How many notebooks have versions that were not read."""

    def find(self, file: FoundDocument, traces: Sequence[Trace]) -> Older | None:
        """The newest version that has more than the file has; None where none has.

        A file that equals a state of before was written anew, by git or an old tab: what differs
        from it in a state of between was not edited since, but taken away.
        """
        every = [each for each in traces if _may_have_more(each)]
        wanted = list(select(self._scope, every).read)
        wanted.sort(key=lambda each: each.time_ns or 0, reverse=True)
        age = self._age_of(file, traces) if wanted else None
        for trace in wanted:
            heard = self._read(trace)
            if heard is None:
                return None
            for document in heard.documents:
                blends = without_blends(Evidence((file, document))).documents[0].damages
                if blends and not file.damages:
                    return Older(trace, f"{Path(file.trace.place).name}: {blends[0]}.", True)
                found = _compared(file, document, _is_later(trace, age))
                if found is not None and found.is_lost:
                    kept = self._kept_by_git(traces, since=document.time_ns or 0)
                    return replace(found, is_lost=not is_cleaned_up(file, document, kept))
                if found is not None:
                    return found
        return self._find_made(file, traces) or self._find_nameless(file, traces)

    def _kept_by_git(self, traces: Iterable[Trace], since: int) -> Iterator[FoundDocument]:
        """What git was told to keep of the notebook since that moment, the newest first."""
        kept = [
            each
            for each in traces
            if each.kind == GitFinder.kind
            and not {DROPPED, BRANCH, FETCHED} & each.handle.keys()
            and (each.time_ns or 0) >= since
        ]
        for trace in sorted(kept, key=lambda each: each.time_ns or 0, reverse=True):
            heard = self._read(trace)
            yield from heard.documents if heard is not None else ()

    def _find_made(self, file: FoundDocument, traces: Iterable[Trace]) -> Older | None:
        """A jupytext pair of the file that was edited since; or a script or page that has code
        which the file has not: of that, nothing says that it is a later state."""
        name, code = Path(file.trace.place).name, _code(file)
        here = {_pressed(each) for each in code}
        for trace in traces:
            if MADE not in trace.handle or (trace.time_ns or 0) <= (file.time_ns or 0):
                continue
            heard = self._read(trace)
            for made in heard.documents if heard is not None else ():
                count = _lacking(file, made)
                begin = f"{Path(trace.place).name} is newer, and"
                if is_edited_pair(made, file):
                    differs = f"has {_cells(count)} more than" if count else "differs from"
                    return Older(trace, f"{begin} {differs} {name}.", True)
                more = sum(_pressed(each) not in here for each in _code(made))
                if trace.handle[MADE] != PAIR and more and share_of(made, code) >= ENOUGH:
                    pieces = "code of a cell" if more == 1 else f"code of {more} cells"
                    return Older(trace, f"{begin} has {pieces} that {name} has not.", False)
        return None

    def _find_nameless(self, file: FoundDocument, traces: Sequence[Trace]) -> Older | None:
        """As `find`, of what git dropped without a name and is like the file."""
        code, ids = _code(file), ids_of(file.cells)
        alike = [
            each
            for each in self._nameless
            if max(share_of(each, code), share_of_ids(each, ids)) >= ENOUGH
        ]
        age = self._age_of(file, traces) if alike else None
        found = (_compared(file, each, _is_later(each.trace, age)) for each in alike)
        return next((each for each in found if each is not None), None)

    def _age_of(self, file: FoundDocument, traces: Iterable[Trace]) -> int | None:
        """When the oldest state was saved that is the file, byte for byte; None for none."""
        age = file.time_ns or 0
        older = [
            each for each in traces if _can_be_compared(each) and 0 < (each.time_ns or 0) < age
        ]
        return min((each.time_ns or 0 for each in _the_same(file.trace, older)), default=None)

    @cached_property
    def _nameless(self) -> list[FoundDocument]:
        """The notebooks without a name that git dropped, the newest first."""
        wanted = sorted(self._loose, key=lambda each: each.time_ns or 0, reverse=True)
        if more := wanted[MOST_LOOSE:]:
            words = f"Git dropped it, and {len(more) - 1} older ones, without a name: not compared."
            self.problems.append(Problem(more[0].place, words))
        heard = (self._read(trace) for trace in wanted[:MOST_LOOSE])
        return [document for each in heard if each is not None for document in each.documents]

    def _read(self, trace: Trace) -> Evidence | None:
        """What the trace holds; None where there is no room for it."""
        if trace.size_bytes > min(self._room, LARGE_BYTES):
            self.left_out += 1
            return None
        self._room -= trace.size_bytes
        heard = search.gather(self._scope, [trace])
        self.problems += heard.problems
        return heard

    def telling_age(
        self, file: FoundDocument, traces: Iterable[Trace]
    ) -> tuple[FoundDocument, ...]:
        """The older versions that are the file byte for byte, and what was saved after the first of
        them; none where the file is as old as it says."""
        age = file.time_ns or 0
        every = [*traces, *self._checkpoints(file.trace, traces)]
        older = [each for each in every if _can_be_compared(each) and 0 < (each.time_ns or 0) < age]
        same = _the_same(file.trace, older)
        if not same:
            return ()
        documents = [replace(file, trace=each, time_ns=each.time_ns) for each in same]
        first = min(each.time_ns or 0 for each in same)
        later = [each for each in older if each not in same and (each.time_ns or 0) >= first]
        for trace in select(self._scope, later).read:
            heard = self._read(trace)
            documents += heard.documents if heard is not None else ()
        return tuple(documents)

    def _checkpoints(self, file: Trace, traces: Iterable[Trace]) -> tuple[Trace, ...]:
        """All that Rewind kept of the notebook, where it kept anything: a folder's list has the
        newest alone."""
        if all(each.kind != RewindFinder.kind for each in traces):
            return ()
        place = Path(file.place)
        scope = replace(self._scope, notebook=place, folder=place.parent)
        found = search.look(scope, [RewindFinder()])
        self.problems += found.problems
        return tuple(each for each in found.traces if each not in traces)


def _code(document: FoundDocument) -> set[str]:
    return {each.source.strip() for each in document.cells if each.kind == "code"} - {""}


def _pressed(source: str) -> str:
    """The text without blanks: tools that make a script of a notebook change them."""
    return "".join(source.split())


def _compared(file: FoundDocument, older: FoundDocument, is_later: bool = False) -> Older | None:
    count = _lacking(file, older, is_later)
    shorter = 0 if count else _shorter(file, older)
    if not count and not shorter:
        return None
    more = f"{_cells(count)} more" if count else f"much more text in {_cells(shorter)}"
    words = _in_words(Path(file.trace.place).name, older.trace, more)
    return Older(older.trace, words, is_richer(older, file))


def _is_later(trace: Trace, age: int | None) -> bool:
    """Whether it was saved after the state that the file is now; a commit's time is in seconds."""
    return age is not None and (trace.time_ns or 0) > age + SECOND


def _shorter(file: FoundDocument, older: FoundDocument) -> int:
    """How many text cells of the file have a part of what they said, and little else: who edits
    says something else, or more."""
    here = {
        each.cell_id: Counter(_WORD.findall(each.source))
        for each in file.cells
        if each.kind == "markdown" and each.cell_id and each.source.strip()
    }
    count = 0
    for cell in older.cells:
        now = here.get(cell.cell_id or "")
        if now is None or cell.kind != "markdown":
            continue
        then = Counter(_WORD.findall(cell.source))
        much = then.total() >= max(MUCH_MORE * now.total(), now.total() + _MANY_WORDS)
        count += much and (then & now).total() >= NEARLY_ALL * now.total()
    return count


def _can_be_compared(trace: Trace) -> bool:
    """Whether it is a version of the notebook with a time that says when it was the newest."""
    return trace.kind in KINDS or trace.kind == GitFinder.kind or RAW in trace.handle


def _the_same(file: Trace, traces: Iterable[Trace]) -> list[Trace]:
    """The traces whose bytes are the file's."""
    size = file.size_bytes
    wanted = [each for each in traces if "blob" in each.handle or each.size_bytes == size]
    raw = _bytes_of(file.place) if wanted else None
    return [] if raw is None else list(filter(_Bytes(raw).are_in, wanted))


class _Bytes:
    """The content of a file, and its digests: made once, however many traces are asked about."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._digests: dict[str, str] = {}

    def are_in(self, trace: Trace) -> bool:
        """Whether the trace holds just these bytes."""
        blob, digest = trace.handle.get("blob"), trace.handle.get(RAW)
        if digest is not None:
            return self._digest("blake3") == digest
        if blob is not None:
            return self._digest("sha1" if len(blob) == 40 else "sha256") == blob
        return _bytes_of(trace.place) == self._raw

    def _digest(self, form: str) -> str:
        if form not in self._digests:
            self._digests[form] = _digest_of(self._raw, form)
        return self._digests[form]


def _digest_of(raw: bytes, form: str) -> str:
    """As Rewind names the bytes (blake3), or as git does."""
    if form == "blake3":
        return blake3(raw).hexdigest()
    made = hashlib.new(form, b"blob %d\0" % len(raw), usedforsecurity=False)
    made.update(raw)
    return made.hexdigest()


def _bytes_of(place: str) -> bytes | None:
    try:
        return read_file(place, LARGE_BYTES)
    except OSError:
        return None  # who reads it itself tells of it


def _may_have_more(trace: Trace) -> bool:
    return trace.kind in KINDS or DROPPED in trace.handle


def _lacking(file: FoundDocument, older: FoundDocument, is_later: bool = False) -> int:
    """How many cells of `older` the file has neither as they are nor edited; nothing was edited
    since a state that `is_later`."""
    here = {each.source.strip() for each in file.cells}
    ids = {each.cell_id for each in file.cells if each.cell_id and each.source.strip()}
    ids = set() if is_later else ids
    texts = {
        each.source.strip()
        for each in older.cells
        if each.source.strip() and (each.cell_id is None or each.cell_id not in ids)
    }
    return len(texts - here)


def _cells(count: int) -> str:
    return "a cell" if count == 1 else f"{count} cells"


def _in_words(name: str, trace: Trace, more: str) -> str:
    when = ""
    if trace.time_ns is not None:
        when = f", {datetime.fromtimestamp(trace.time_ns / 1e9):%Y-%m-%d %H:%M}"
    return (
        f"{name} is whole, but another version of it has {more}"
        f" ({trace.words or trace.kind}{when})."
    )
