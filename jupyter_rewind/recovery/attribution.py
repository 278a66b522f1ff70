"""Which runs belong to a notebook: IPython's history doesn't say.

A connection file names the notebook of a kernel that started at the same moment. Otherwise a
run belongs where its code is at home: code and names weigh by how rare they are among all that
was found. What belongs brings others: a session of only new cells resembles the session after it.
"""

from __future__ import annotations

import math
import os.path
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jupyter_rewind.recovery.evidence import Evidence, FoundKernel, FoundRun
from jupyter_rewind.recovery.likeness import is_look, names

SECOND = 1_000_000_000
BEFORE, AFTER = 2 * SECOND, 15 * SECOND
"""A kernel's connection file is written about a second before IPython opens its session."""
ENOUGH = 0.35
AT_ONCE = 0.6
RESTART = 180 * SECOND
ROUNDS = 4
LONG, SEVERAL, SOME = 20, 3, 0.25
"""So many cells of that length, letter for letter, are no chance where the rest fits a little."""


@dataclass(frozen=True, slots=True)
class Attributed:
    """A run of the notebook: how sure that is, and why."""

    run: FoundRun
    share: float
    certain: bool
    words: str


def attribute(target: Path, evidence: Evidence, sources: Iterable[str]) -> list[Attributed]:
    """The runs of `target`, oldest first. `sources` is the code of its documents."""
    runs = merge_runs(evidence.runs)
    places = known_places(target, evidence)
    home, away = _Home(runs, set(sources)), _Home(runs, set())
    kernels = _kernels_of(runs, evidence)
    chosen: dict[int, Attributed] = {}
    waiting: list[int] = []
    for number, run in enumerate(runs):
        ours, words = _told(run, places, kernels.get(number))
        if ours:
            chosen[number] = Attributed(run, 1.0, True, words)
            home.add(number)
        elif ours is None:
            waiting.append(number)
        else:
            away.add(number)
    if not chosen and not home.sources and waiting:
        newest = max(waiting, key=lambda number: _moment(runs[number]))
        words = "the newest session of all: a guess, for no document is left"
        chosen[newest] = Attributed(runs[newest], ENOUGH, False, words)
        home.add(newest)
    waiting = [
        number
        for number in waiting
        if number not in chosen and away.share(number) <= home.share(number)
    ]
    _settle(runs, waiting, chosen, home)
    return sorted(chosen.values(), key=lambda each: _moment(each.run))


def known_places(target: Path, evidence: Evidence) -> frozenset[str]:
    """Every path that the notebook is known to have had."""
    places = {_normal(str(target))}
    for name in evidence.names:
        if _normal(name.notebook) in places and name.name:
            places.add(_normal(name.name))
    return frozenset(places)


def merge_runs(runs: Sequence[FoundRun]) -> list[FoundRun]:
    """Each run once: two traces may hold the same (a database and its copy), in part each."""
    merged: dict[object, FoundRun] = {}
    for run in runs:
        key: object = (run.session, run.started_ns // SECOND) if run.started_ns else id(run)
        known = merged.get(key)
        if known is None:
            merged[key] = run
        elif _agree(known, run):
            merged[key] = _union(known, run)
        else:
            merged[id(run)] = run
    return list(merged.values())


def _agree(a: FoundRun, b: FoundRun) -> bool:
    there = {each.line: each.source for each in a.executions}
    return all(there.get(each.line, each.source) == each.source for each in b.executions)


def _union(a: FoundRun, b: FoundRun) -> FoundRun:
    by_line = {each.line: each for each in b.executions}
    for each in a.executions:
        other = by_line.get(each.line)
        if other is None or not other.outputs or each.outputs:
            by_line[each.line] = each
    executions = tuple(by_line[line] for line in sorted(by_line))
    named = a if a.notebook or not b.notebook else b
    ended = a.ended_ns if a.ended_ns is not None else b.ended_ns
    return replace(named, executions=executions, ended_ns=ended)


def _told(
    run: FoundRun, places: frozenset[str], kernel: FoundKernel | None
) -> tuple[bool | None, str]:
    """Whether a trace says that the run is of the notebook (None: nothing says)."""
    if run.notebook is not None and run.certain:
        return _normal(run.notebook) in places, "the trace names this notebook"
    if kernel is None:
        return None, ""
    words = "a kernel's connection file names this notebook"
    return _normal(kernel.notebook) in places, words


def _kernels_of(runs: Sequence[FoundRun], evidence: Evidence) -> dict[int, FoundKernel]:
    """The kernel of each run whose start its connection file tells; each serves for one run."""
    near = sorted(
        (_oddity(run.started_ns - kernel.started_ns), number, which)
        for which, kernel in enumerate(evidence.kernels)
        for number, run in enumerate(runs)
        if kernel.started_ns is not None
        and run.started_ns is not None
        and -BEFORE <= run.started_ns - kernel.started_ns <= AFTER
    )
    found: dict[int, FoundKernel] = {}
    used: set[int] = set()
    for _, number, which in near:
        if number not in found and which not in used:
            found[number] = evidence.kernels[which]
            used.add(which)
    return found


class _Home:
    """The code that is known to be the notebook's, and how well a run fits it."""

    def __init__(self, runs: Sequence[FoundRun], sources: set[str]) -> None:
        self.sources = {source.rstrip() for source in sources if source.strip()}
        self.names = {name for source in self.sources for name in names(source)}
        self._in_source: Counter[str] = Counter()
        self._in_name: Counter[str] = Counter()
        self._of: list[tuple[frozenset[str], frozenset[str]]] = []
        for run in runs:
            code = frozenset(each.source.rstrip() for each in run.executions)
            words = frozenset(name for source in code for name in names(source))
            self._of.append((code, words))
            self._in_source.update(code)
            self._in_name.update(words)
        self._runs = max(len(runs), 1)

    def add(self, number: int) -> None:
        code, words = self._of[number]
        self.sources |= {source for source in code if not is_look(source)}
        self.names |= words

    def share(self, number: int) -> float:
        """How much of the run is at home here, from 0 to 1."""
        code, words = self._of[number]
        telling = [source for source in code if not is_look(source)] or list(code)
        by_code = self._weigh(telling, self._in_source, self.sources)
        by_name = self._weigh(words, self._in_name, self.names)
        shared = sum(source in self.sources and len(source) >= LONG for source in code) - 1
        rather = shared / (shared + SEVERAL) if shared > 0 and by_code > SOME else 0.0
        return max((by_name**3 + max(by_code, by_name**3)) / 2, rather)

    def _weigh(self, found: Iterable[str], counts: Counter[str], here: set[str]) -> float:
        shared = total = 0.0
        for each in found:
            weight = math.log(1 + self._runs / counts[each])
            total += weight
            shared += weight if each in here else 0.0
        return shared / total if total else 0.0


def _settle(
    runs: Sequence[FoundRun], waiting: list[int], chosen: dict[int, Attributed], home: _Home
) -> None:
    """Chooses what is at home, then what that makes at home, and so on."""
    for _ in range(ROUNDS):
        moved = []
        for number in waiting:
            share = home.share(number)
            if share >= _needed(runs[number], (each.run for each in chosen.values())):
                words = f"{share:.0%} of its code is this notebook's"
                chosen[number] = Attributed(runs[number], share, share >= AT_ONCE, words)
                moved.append(number)
        if not moved:
            return
        for number in moved:
            home.add(number)
        waiting = [number for number in waiting if number not in chosen]


def _needed(run: FoundRun, chosen: Iterable[FoundRun]) -> float:
    """Less where a restart lies between it and a run of the notebook, more while one went on."""
    needed = ENOUGH
    for other in chosen:
        if _within(run, other):
            return AT_ONCE
        if _restarted(other, run) or _restarted(run, other):
            needed = ENOUGH - 0.2
    return needed


def _within(run: FoundRun, other: FoundRun) -> bool:
    if run.started_ns is None or other.started_ns is None or other.ended_ns is None:
        return False
    return other.started_ns < run.started_ns < other.ended_ns


def _oddity(delay_ns: int) -> int:
    """How unlike a kernel's start it is that its session begins so long after its file. Half a
    second on a fast machine, more on a slow one; never before, but for clocks that round."""
    if delay_ns < 0:
        return 10 * SECOND - delay_ns
    return delay_ns - SECOND if delay_ns > SECOND else (SECOND - delay_ns) // 4


def _restarted(first: FoundRun, second: FoundRun) -> bool:
    if first.ended_ns is None or second.started_ns is None:
        return False
    return 0 <= second.started_ns - first.ended_ns <= RESTART


def _moment(run: FoundRun) -> tuple[int, int]:
    return (run.started_ns or 0, run.session)


def _normal(place: str) -> str:
    return os.path.normpath(place)
