"""An old state over newer work: a tab or a checkout wrote it, so the file is the newest of all.

Rewind's journal knows which cell ran. What was run since the old state must come back; a notebook
whose last state was saved must stay as it is, also where a text was typed back and not run again.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from benchmarks.disasters import SECOND, _Live
from benchmarks.material import TRACE, material, real_versions
from benchmarks.measure import Row, at_least, at_most
from benchmarks.recovery_autosave import EVERY, TARGET, Saved, Writer, session
from jupyter_rewind.recovery.evidence import (
    Evidence,
    EvidenceCell,
    Executed,
    FoundDocument,
    FoundRun,
    Trace,
)
from jupyter_rewind.recovery.rebuild import rebuild

LATER = 1000.0
FILE = Trace("file", str(TARGET), str(TARGET))
Cells = Sequence[EvidenceCell]


class Journaled(Writer):
    """Writes with autosaves; which cell each execution was of is known, as Rewind knows it."""

    def __init__(self, *given: Any) -> None:
        self.ran: dict[tuple[int, int], str] = {}
        self.texts: defaultdict[str, list[str]] = defaultdict(list)
        self._names: dict[_Live, str] = {}
        super().__init__(*given)

    def _name(self, cell: _Live) -> str:
        return self._names.setdefault(cell, f"{len(self._names):08x}")

    def _run(self, source: str, cell: _Live | None = None) -> None:
        super()._run(source, cell)
        if cell is not None:
            name = self._name(cell)
            self.ran[len(self.sessions) - 1, len(self.sessions[-1].executed)] = name
            self.texts[name].append(source.rstrip())

    def _save(self) -> None:
        self._next = self.clock + EVERY
        cells = (
            EvidenceCell(
                each.kind,
                each.source,
                execution_count=self._counts.get(each),
                cell_id=self._name(each),
            )
            for each in self.cells
        )
        self.saves.append(Saved(self.clock, tuple(cells)))

    def last(self) -> Cells:
        """The notebook as it is now."""
        self._save()
        return self.saves.pop().cells

    def journal(self) -> tuple[FoundRun, ...]:
        """All that ran, each run ended, each execution with its cell."""
        runs = []
        for number, one in enumerate(self.sessions):
            ran = tuple(
                Executed(line, source, cell_id=self.ran.get((number, line)))
                for line, source in enumerate(one.executed, 1)
            )
            began, ended = int(one.started * SECOND), int((one.ended or self.clock + 1) * SECOND)
            runs.append(FoundRun(TRACE, number + 1, ran, began, ended, str(TARGET), True))
        return tuple(runs)

    def typed_back(self, cells: Cells) -> Cells:
        """The cells, one of them with a text that it had before: typed again, and not run."""
        changed = list(cells)
        self.chance.shuffle(changed)
        for cell in changed:
            earlier = [
                e for e in self.texts.get(cell.cell_id or "", ()) if e != cell.source.rstrip()
            ]
            if earlier:
                return [replace(e, source=earlier[-1]) if e is cell else e for e in cells]
        return cells


def old_states(seeds: Iterable[int]) -> list[Row]:
    """How much comes back under an old state, and that a newest one is left alone."""
    notebooks, over, left = material(), Counter[str](), Counter[str]()
    for versions in (real_versions(slice(1, None, 2)), []):
        for seed in seeds:
            spanned = session(seed, notebooks, versions, Journaled)
            if spanned is None or not isinstance(spanned.user, Journaled):
                continue
            user, chance = spanned.user, random.Random(seed)
            newest = user.last()
            over += _compared(user, chance.choice(user.saves[-6:]).cells, newest)
            for cells in (newest, user.typed_back(newest)):
                left += _compared(user, cells, cells)
    files, was = f"{over['files']} files", over["saved"] / max(1, over["truth"])
    right = over["found"] / max(1, over["told"])
    return [
        at_least(
            "simulated, an old state over newer work, with the journal: code cells brought back",
            "code cells lost; the old state alone in brackets",
            over["found"] / max(1, over["truth"]),
            0.97,
            f"{files}, precision {right:.3f} (recall {was:.3f})",
        ),
        at_most(
            "files that are the newest state, and were changed",
            "files that are the newest state",
            left["changed"] / max(1, left["files"]),
            0.05,
            f"{left['changed']} of {left['files']}, half of them with a text typed back",
        ),
    ]


def _compared(user: Journaled, cells: Cells, truth: Cells) -> Counter[str]:
    when = int((user.clock + LATER) * SECOND)
    document = FoundDocument(FILE, tuple(cells), time_ns=when)
    rebuilt = rebuild(TARGET, Evidence((document,), user.journal()))
    got, saved, wanted = _code(e.cell for e in rebuilt.cells), _code(cells), _code(truth)
    return Counter(
        files=1,
        truth=wanted.total(),
        saved=(saved & wanted).total(),
        told=got.total(),
        found=(got & wanted).total(),
        changed=got != saved,
    )


def _code(cells: Iterable[EvidenceCell]) -> Counter[str]:
    code = (each.source.rstrip() for each in cells if each.kind == "code")
    return Counter(each for each in code if each)
