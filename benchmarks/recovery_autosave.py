"""One session that spans an autosave: what is saved and right must not vanish for what ran later.

A user writes a notebook, cell by cell, and changes some again; Jupyter saves it every two minutes,
also in the middle of a cell. Then all dies at once. What is left is the last autosave, or one a
little before it, with the numbers its cells had; and IPython's history of the whole session.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.disasters import OURS, SECOND, Cell, Habits, User, _Live, earlier_version
from benchmarks.material import TRACE, material, real_versions
from benchmarks.measure import Row, at_least, at_most
from jupyter_rewind.recovery.evidence import (
    Evidence,
    EvidenceCell,
    Executed,
    FoundDocument,
    FoundRun,
    Trace,
)
from jupyter_rewind.recovery.rebuild import Rebuilt, rebuild

EVERY = 120.0
TARGET = Path("/home/u") / OURS
NOON = 1_700_000_000.0


@dataclass(frozen=True, slots=True)
class Saved:
    """The notebook as an autosave caught it."""

    at: float
    cells: tuple[EvidenceCell, ...]


@dataclass(frozen=True, slots=True)
class Spanned:
    """What is left after a session that spans an autosave, and what was lost."""

    saved: Saved
    truth: tuple[Cell, ...]
    user: Writer

    @property
    def evidence(self) -> Evidence:
        """What finders would have found of it."""
        trace = Trace("file", str(TARGET), notebook=str(TARGET))
        document = FoundDocument(trace, self.saved.cells, time_ns=int(self.saved.at * SECOND))
        runs = tuple(
            FoundRun(
                TRACE,
                number,
                tuple(Executed(line, source) for line, source in enumerate(one.executed, 1)),
                int(one.started * SECOND),
                None if one.ended is None else int(one.ended * SECOND),
                str(TARGET),
                True,
            )
            for number, one in enumerate(self.user.sessions, 1)
        )
        return Evidence((document,), runs)


class Writer(User):
    """Writes with autosaves; a cell has the text that was run, while it is worked on."""

    def __init__(self, chance: random.Random, stale: Sequence[Cell], habits: Habits) -> None:
        super().__init__(chance, stale, habits, NOON)
        self.saves: list[Saved] = []
        self._counts: dict[_Live, int] = {}
        self._next = NOON + chance.uniform(0, EVERY)

    def go_on(self, truth: Sequence[Cell], most: int) -> None:
        """At most so many changes towards `truth`, in the session that is open."""
        for change in self._changes(truth)[:most]:
            change()
            if self.chance.random() < self.habits.look:
                self._look()
            if self.chance.random() < self.habits.stray:
                self._stray()

    def _run(self, source: str, cell: _Live | None = None) -> None:
        self.clock += self.chance.expovariate(1 / 20)
        if cell is not None:
            cell.source = source
        if self.clock > self._next:
            self._save()
        super()._run(source, cell)
        if cell is not None and source.strip():
            self._counts[cell] = len(self.sessions[-1].executed)

    def _save(self) -> None:
        self._next = self.clock + EVERY
        cells = tuple(
            EvidenceCell(each.kind, each.source, execution_count=self._counts.get(each))
            for each in self.cells
        )
        self.saves.append(Saved(self.clock, cells))


def session(
    seed: int,
    notebooks: Sequence[Sequence[Cell]],
    versions: Sequence[tuple[Sequence[Cell], Sequence[Cell]]] = (),
    kind: type[Writer] = Writer,
) -> Spanned | None:
    """A session of about an hour; None where nothing was saved in it."""
    chance = random.Random(seed)
    if versions:
        first, truth = versions[seed % len(versions)]
    else:
        book = chance.choice(notebooks)
        truth = book[: chance.randint(4, 40)]
        first = earlier_version(chance, truth, ())
    habits = replace(
        Habits(), run_all=1.0, again=chance.choice((0.05, 0.2)), jump=chance.choice((0.0, 0.15))
    )
    writer = kind(chance, first if versions else (), habits)
    writer.start()
    if not versions:
        writer.go_on(first, 1000)
    writer.go_on(truth, chance.randint(3, 30))
    if not writer.saves:
        return None
    saved = writer.saves[-min(len(writer.saves), chance.choice((1, 1, 2, 3, 5)))]
    return Spanned(saved, tuple((one.kind, one.source) for one in writer.cells), writer)


# ---------------------------------------------------------------------- how much is brought back


def autosaved(seeds: Iterable[int], mark: Callable[[Rebuilt, Sequence[Cell]], None]) -> list[Row]:
    """Nothing that was saved and is right gives way to what ran later; `mark` hears each result."""
    notebooks, counts = material(), Counter[str]()
    for versions in (real_versions(slice(1, None, 2)), []):
        for seed in seeds:
            spanned = session(seed, notebooks, versions)
            if spanned is not None and _code(spanned.truth):
                rebuilt = rebuild(TARGET, spanned.evidence)
                mark(rebuilt, spanned.truth)
                counts += _counted(spanned, rebuilt)
    sessions, saved = f"{counts['sessions']} sessions", counts["right"]
    share = counts["found"] / max(1, counts["told"])
    return [
        at_least(
            "simulated, a session that spans an autosave: code cells brought back",
            "code cells lost; the autosave alone in brackets",
            counts["found"] / max(1, counts["truth"]),
            0.97,
            f"{sessions}, precision {share:.3f} (recall {saved / max(1, counts['truth']):.3f})",
        ),
        at_most(
            "saved cells that were right and gave way to what ran later",
            "saved cells that were right",
            counts["gone"] / max(1, saved),
            0.005,
            f"{counts['gone']} of {saved}",
        ),
        at_most(
            "saved code that is nowhere in the result",
            "code cells saved",
            counts["nowhere"] / max(1, saved),
            0,
            f"{counts['nowhere']} in {sessions}",
        ),
    ]


def _counted(spanned: Spanned, rebuilt: Rebuilt) -> Counter[str]:
    got = _code((each.cell.kind, each.cell.source) for each in rebuilt.cells)
    saved = _code((each.kind, each.source) for each in spanned.saved.cells)
    truth = _code(spanned.truth)
    listed = {each.source for each in rebuilt.alternatives} | set(got)
    right = saved & truth
    return Counter(
        sessions=1,
        truth=truth.total(),
        found=(got & truth).total(),
        told=got.total(),
        right=right.total(),
        gone=(right - got).total(),
        nowhere=sum(source not in listed for source in saved),
    )


def _code(cells: Iterable[Cell]) -> Counter[str]:
    return Counter(source.rstrip() for kind, source in cells if kind == "code" and source.strip())
