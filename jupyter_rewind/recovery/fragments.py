"""Code that traces hold and that is not known to be a cell: it is kept beside the notebook.

A text that damage may have changed, a function as it lives in a kernel, a script without marks of
cells: none of them takes a cell's place. What stands in a cell, or among what found no place, is
not told again. A row that belongs to no session of the notebook is left to `grep`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from jupyter_rewind.model.shell import quoted
from jupyter_rewind.recovery.evidence import (
    CHANGED,
    ON_DISK,
    SCRIPT,
    Evidence,
    FoundDocument,
    FoundRun,
    Fragment,
    Scope,
)
from jupyter_rewind.recovery.hearing import known_places
from jupyter_rewind.recovery.kernelruns import kernels_of
from jupyter_rewind.recovery.rebuild import Alternative, Origin, Rebuilt

DOUBTFUL = 0.3
_MOST_NAMES = 5
MAY_BE_CHANGED = "its history is damaged: this may be changed"
AS_IT_LIVES = "as it lives in the kernel"
_NO_MARKS = "the whole file, which has no marks of cells: it may be of another program"


def with_fragments(scope: Scope, rebuilt: Rebuilt, evidence: Evidence) -> Rebuilt:
    """`rebuilt` with the notebook's fragments among its alternatives, each kind of them told."""
    if not evidence.fragments or scope.notebook is None:
        return rebuilt
    own = _Own(scope.notebook, rebuilt, evidence)
    found = [each for each in evidence.fragments if own.has(each) and _is_within(each, scope)]
    known = _Known(rebuilt)
    changed = [each for row in _rows(found) if not known.has_any(row) for each in row]
    lives = [each for each in found if each.kind not in (CHANGED, SCRIPT) and not known.has(each)]
    scripts = [each for each in found if each.kind == SCRIPT and not known.has_lines_of(each)]
    scripts = [] if own.is_whole else scripts
    near = [each for each in scripts if _is_near(each, scope)]
    more = {each.source.rstrip(): _alternative(each) for each in (*changed, *lives, *near)}
    steps = (*_changed_in_words(changed), *_lives_in_words(lives))
    return replace(
        rebuilt,
        alternatives=(*rebuilt.alternatives, *more.values()),
        next_steps=(*rebuilt.next_steps, *steps, *_scripts_in_words(scripts, near)),
    )


class _Own:
    """Which fragments are the notebook's: by its name, or by a session that is."""

    def __init__(self, target: Path, rebuilt: Rebuilt, evidence: Evidence) -> None:
        self._places = known_places(target, evidence)
        self._runs = [each.run for each in rebuilt.sessions]
        # A session of which no text is sound ran nothing, as far as attribution knows.
        self._runs += [
            evidence.runs[at]
            for at, kernel in kernels_of(evidence.runs, evidence.kernels).items()
            if kernel.notebook in self._places and not evidence.runs[at].executions
        ]
        self._lines = [{one.line for one in each.executions} for each in self._runs]
        self._started = {
            (run.trace.place, run.session): run.started_ns
            for run in evidence.runs
            if run.started_ns is not None
        }
        here = (each for each in evidence.documents if each.trace.kind == ON_DISK)
        self.is_whole = any(map(_is_whole, here))

    def has(self, fragment: Fragment) -> bool:
        """Whether it is of this notebook; what a sound trace has at its line needs no second."""
        if not fragment.source.strip():
            return False
        if fragment.kind != CHANGED and fragment.trace.notebook is not None:
            return fragment.trace.notebook in self._places
        runs = [at for at, each in enumerate(self._runs) if self._is_of(fragment, each)]
        if fragment.kind == CHANGED and any(fragment.order in self._lines[at] for at in runs):
            return False
        return bool(runs)

    def _is_of(self, fragment: Fragment, run: FoundRun) -> bool:
        """Whether it is of that session, of which several traces may tell."""
        place = fragment.trace.place
        if not fragment.session or run.session != fragment.session:
            return False
        started = self._started.get((place, fragment.session))
        return run.trace.place == place or (started is not None and started == run.started_ns)


def _is_whole(document: FoundDocument) -> bool:
    has_code = any(each.kind == "code" and each.source.strip() for each in document.cells)
    return document.complete and not document.damages and has_code


def _is_within(fragment: Fragment, scope: Scope) -> bool:
    """Whether it was so at the time asked for; sessions were chosen when they were read."""
    if scope.until_ns is None or fragment.kind == CHANGED:
        return True
    return fragment.kind == SCRIPT and (fragment.trace.time_ns or 0) <= scope.until_ns


def _is_near(script: Fragment, scope: Scope) -> bool:
    """Whether it lies beside the notebook, or was named: many programs have the same name."""
    path = Path(script.trace.place)
    return path in scope.scan or path.parent == (scope.notebook or path).parent


@dataclass(slots=True)
class _Known:
    """What stands in the notebook, and what found no place in it."""

    rebuilt: Rebuilt
    texts: frozenset[str] = field(init=False)
    lines: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        cells = (each.cell.source for each in self.rebuilt.cells)
        others = (each.source for each in self.rebuilt.alternatives)
        self.texts = frozenset(each.rstrip() for each in (*cells, *others))
        self.lines = frozenset(_lines(self.texts))

    def has(self, fragment: Fragment) -> bool:
        return any(fragment.source.strip() in each for each in self.texts)

    def has_any(self, row: Sequence[Fragment]) -> bool:
        """Whether one of a row's texts is known: then it is the one that was run."""
        return any(each.source.rstrip() in self.texts for each in row)

    def has_lines_of(self, script: Fragment) -> bool:
        return self.lines.issuperset(_lines([script.source]))


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """The lines of code; comments may be a tool's, or what was Markdown."""
    stripped = (line.strip() for text in texts for line in text.splitlines())
    return (line for line in stripped if line and not line.startswith("#"))


def _rows(fragments: Iterable[Fragment]) -> list[list[Fragment]]:
    """The texts that damage may have changed, those of one row together."""
    changed = (each for each in fragments if each.kind == CHANGED)
    by_row = groupby(changed, lambda each: (each.trace.place, each.name))
    return [list(row) for _, row in by_row]


def _alternative(fragment: Fragment) -> Alternative:
    told = fragment.trace.words or fragment.trace.kind
    if fragment.kind == CHANGED:
        origin, words = fragment.name, MAY_BE_CHANGED
    elif fragment.kind == SCRIPT:
        origin, words = f"{fragment.name} ({told})", _NO_MARKS
    else:
        origin, words = f"{told}, {fragment.kind} {fragment.name}", AS_IT_LIVES
    source = fragment.source.rstrip()
    return Alternative(source, Origin(fragment.trace, origin), words, DOUBTFUL)


def _changed_in_words(changed: Sequence[Fragment]) -> Iterator[str]:
    rows = len(_rows(changed))
    if rows:
        pieces, are = ("1 piece", "is") if rows == 1 else (f"{rows} pieces", "are")
        yield (
            f"{pieces} of code that ran {are} known from a damaged history alone, and may be"
            f" changed: {'it is' if rows == 1 else 'they are'} among what found no place."
        )


def _lives_in_words(lives: Sequence[Fragment]) -> Iterator[str]:
    if lives:
        names = [f"{each.kind} {each.name}" for each in lives]
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        yield (
            f"What lives in a running kernel and stands in no cell that was found"
            f" ({', '.join(names[:_MOST_NAMES])}{more}) is among what found no place."
        )


def _scripts_in_words(scripts: Iterable[Fragment], near: Iterable[Fragment]) -> Iterator[str]:
    taken = {each.trace.place for each in near}
    for place in (each.trace.place for each in scripts):
        told = f"{place} has the notebook's name, and no marks of cells."
        if place in taken:
            yield (
                f"{told} Its text was kept as one piece, doubtful: it may be the notebook's code,"
                " or another program's."
            )
        else:
            yield (
                f"{told} It lies in another folder and was not taken. If it is the notebook's code:"
                f" --scan {quoted(place)}"
            )
