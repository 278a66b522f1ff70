"""What a person is told of a recovery: what was found where, how sure it is, what is lost.

Made once, shown in three forms: text (the command line), JSON, and a page (`webpage.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind.model.entry import Json
from jupyter_rewind.recovery.evidence import Problem, Trace
from jupyter_rewind.recovery.filestate import MISSING, WHOLE
from jupyter_rewind.recovery.rebuild import RebuiltCell
from jupyter_rewind.recovery.recover import Recovery
from jupyter_rewind.recovery.sentences import listed

CERTAIN = 0.9
LIKELY = 0.5


@dataclass(frozen=True, slots=True)
class Used:
    """A trace that was read and how many cells of the notebook rest on it.

    `sessions` are those of the notebook in it, with `executions` in all, and `alike` those of them
    that nothing but likeness speaks for; `time_ns` is when its part of the notebook was written or
    run.
    """

    trace: Trace
    cells: int
    executions: int
    sessions: tuple[int, ...]
    time_ns: int | None
    alike: tuple[int, ...] = ()

    @property
    def words(self) -> str:
        """What it is: `IPython's history (profile_default), sessions 3 and 4 (4 by likeness)`."""
        numbers = [each for each in self.sessions if each]
        words = self.trace.words or self.trace.kind
        if not numbers:
            return words
        words = f"{words}, session{'s' if len(numbers) > 1 else ''} {listed(numbers)}"
        alike = [each for each in self.alike if each]
        which = "" if alike == numbers else f"{listed(alike)} "
        return f"{words} ({which}by likeness)" if alike else words


@dataclass(frozen=True, slots=True)
class Report:
    """The recovery in numbers and words."""

    notebook: Path
    cells: int
    certain: int
    likely: int
    doubtful: int
    used: tuple[Used, ...]
    unused: tuple[Trace, ...]
    alternatives: int
    likely_lost: tuple[str, ...]
    next_steps: tuple[str, ...]
    problems: tuple[Problem, ...]
    adds_nothing: bool
    file: str = ""
    damages: tuple[str, ...] = ()
    """What was wrong with the documents that it rests on."""
    passed_over: tuple[str, ...] = ()
    """Which newer documents it was not built on, and why."""
    others: int = 0
    """How many other versions have cells that are not in it."""
    newer: int = 0
    """How many of these are newer than the file on the disk."""
    state: str = WHOLE
    """How the file lies on the disk: whole, missing, empty, damaged or unreadable."""

    @property
    def trouble(self) -> str:
        """What is wrong with a file that is there; "" where nothing is, or there is none."""
        return "" if self.state in (WHOLE, MISSING) else self.file


def report(recovery: Recovery) -> Report:
    """The report on `recovery`."""
    cells = recovery.rebuilt.cells
    sure = Counter(sureness(each.confidence) for each in cells)
    used = tuple(_used(recovery))
    places = {(each.trace.kind, each.trace.place) for each in used}
    unused = [t for t in recovery.found.traces if (t.kind, t.place) not in places]
    return Report(
        notebook=recovery.notebook,
        cells=len(cells),
        certain=sure["certain"],
        likely=sure["likely"],
        doubtful=sure["doubtful"],
        used=used,
        unused=tuple(unused),
        alternatives=len(recovery.rebuilt.alternatives),
        likely_lost=tuple(recovery.rebuilt.likely_lost),
        next_steps=tuple(recovery.rebuilt.next_steps),
        problems=recovery.problems,
        adds_nothing=recovery.adds_nothing,
        file=recovery.file.words,
        damages=recovery.rebuilt.damages,
        passed_over=recovery.rebuilt.passed_over,
        others=len(recovery.others),
        newer=_newer(recovery),
        state=recovery.file.state,
    )


def _newer(recovery: Recovery) -> int:
    """How many other versions are newer than the file; none where its time is not known."""
    if recovery.present is None or recovery.present.time_ns is None:
        return 0
    here = recovery.present.time_ns
    return sum((each.time_ns or 0) > here for each in recovery.others)


def sureness(confidence: float) -> str:
    """`certain`, `likely` or `doubtful`."""
    if confidence >= CERTAIN:
        return "certain"
    return "likely" if confidence >= LIKELY else "doubtful"


def provenance(recovery: Recovery) -> list[dict[str, Json]]:
    """Each cell of the notebook for programs: how sure it is, and where it is from."""
    return [
        {
            "cell_type": each.cell.kind,
            "source": each.cell.source,
            "confidence": round(each.confidence, 3),
            "sureness": sureness(each.confidence),
            "origins": [
                {"kind": one.trace.kind, "place": one.trace.place, "words": one.words}
                for one in each.provenance
            ],
            "words": each.words,
        }
        for each in recovery.rebuilt.cells
    ]


def main_origin(cell: RebuiltCell) -> Trace | None:
    """The trace that the cell's text comes from."""
    return cell.provenance[0].trace if cell.provenance else None


def _used(recovery: Recovery) -> Iterator[Used]:
    """The traces that cells rest on, the one with the most cells first."""
    counts: Counter[Trace] = Counter()
    for cell in recovery.rebuilt.cells:
        counts.update({origin.trace for origin in cell.provenance})
    for trace, number in counts.most_common():
        own = [each for each in recovery.rebuilt.sessions if each.run.trace == trace]
        runs = [each.run for each in own]
        times = [run.ended_ns or run.started_ns or 0 for run in runs]
        yield Used(
            trace=trace,
            cells=number,
            executions=sum(len(run.executions) for run in runs),
            sessions=tuple(sorted({run.session for run in runs})),
            time_ns=max(times, default=0) or trace.time_ns,
            alike=tuple(sorted({each.run.session for each in own if each.by_likeness})),
        )


def as_json(told: Report) -> dict[str, Json]:
    """The report for programs."""
    used: list[Json] = [
        {
            "kind": each.trace.kind,
            "place": each.trace.place,
            "time_ns": each.time_ns,
            "words": each.words,
            "cells": each.cells,
            "executions": each.executions,
        }
        for each in told.used
    ]
    problems: list[Json] = [{"place": each.place, "words": each.words} for each in told.problems]
    return {
        "notebook": str(told.notebook),
        "cells": told.cells,
        "certain": told.certain,
        "likely": told.likely,
        "doubtful": told.doubtful,
        "used": used,
        "alternatives": told.alternatives,
        "likely_lost": list(told.likely_lost),
        "next_steps": list(told.next_steps),
        "problems": problems,
        "adds_nothing": told.adds_nothing,
        "state": told.state,
        "file": told.file,
        "damages": list(told.damages),
        "passed_over": list(told.passed_over),
    }
