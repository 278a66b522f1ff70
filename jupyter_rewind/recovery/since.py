"""What was run since a document was the notebook; what was run before is in it already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jupyter_rewind.recovery.attribution import Attributed
from jupyter_rewind.recovery.choosing import Base
from jupyter_rewind.recovery.completing import part_of, read_of
from jupyter_rewind.recovery.evidence import Executed, FoundRun, Trace
from jupyter_rewind.recovery.likeness import is_look, parses
from jupyter_rewind.recovery.slots import Step

LAST = 10
HALF = 0.5


@dataclass(frozen=True, slots=True)
class Taken:
    """A step and the execution behind it."""

    step: Step
    executed: Executed
    trace: Trace
    words: str


@dataclass(frozen=True, slots=True)
class Session:
    """One run that may have changed the notebook since the document.

    `before` is what it ran until the document was saved: that is in the document already.
    """

    attributed: Attributed
    steps: tuple[Taken, ...]
    before: tuple[Executed, ...] = ()


def sessions_since(base: Base, attributed: Sequence[Attributed]) -> list[Session]:
    """The runs whose code is to be laid over the document, oldest first, their steps numbered."""
    texts = {each.cell.source.rstrip() for each in base.cells if each.cell.kind == "code"}
    kept: list[Attributed] = []
    part = part_of(base, attributed)
    for place in range(len(attributed) - 1, -1, -1):
        run = attributed[place].run
        following = attributed[place + 1].run if place + 1 < len(attributed) else None
        before = base.time_ns is not None and _is_before(run, following, base, texts)
        before = before and run is not part and not run.asked
        if before and _is_in(run, texts):
            break
        kept.append(attributed[place])
    number = 0
    sessions: list[Session] = []
    for each in reversed(kept):
        taken = []
        saved = _saved_at(base, each.run)
        if part is not None and each.run is part and not _is_later(part, base):
            saved = read_of(base, part)
        for executed in each.run.executions[saved:]:
            source = executed.source.rstrip()
            if source:
                run = each.run
                words = f"session {run.session}, line {executed.line}" if run.session else "a run"
                step = Step(number, len(sessions), source, executed.cell_id)
                taken.append(Taken(step, executed, run.trace, words))
                number += 1
        sessions.append(Session(each, tuple(taken), each.run.executions[:saved]))
    return sessions


def _saved_at(base: Base, run: FoundRun) -> int:
    """How many of its executions the run had behind it when the document was saved.

    A saved cell that has the number and the source of an execution shows that one. A run that
    began after the document was saved had none, whatever the numbers are.
    """
    if base.time_ns is None or _is_later(run, base):
        return 0
    shown = {
        (each.cell.execution_count, each.cell.source.rstrip())
        for each in base.cells
        if each.cell.kind == "code" and each.cell.execution_count is not None
    }
    saved = 0
    for at, each in enumerate(run.executions, 1):
        is_over = each.time_ns is not None and each.time_ns <= base.time_ns and not run.asked
        if is_over or (each.line, each.source.rstrip()) in shown:
            saved = at
    return saved


def _is_later(run: FoundRun, base: Base) -> bool:
    """Whether the run began after the document was saved."""
    return base.time_ns is None or (run.started_ns is not None and run.started_ns > base.time_ns)


def _is_before(run: FoundRun, following: FoundRun | None, base: Base, texts: set[str]) -> bool:
    """Whether the run was over when the document was the notebook."""
    time_ns = base.time_ns or 0
    if run.started_ns is None or run.started_ns > time_ns:
        return False
    ended = run.ended_ns
    if ended is None and following is not None:
        ended = following.started_ns
    if ended is not None and ended <= time_ns:
        return True
    saved = _saved_at(base, run)
    if saved:
        # What was run again after the save is in the document too, but not what it showed then.
        return saved == len(run.executions)
    shows = any(each.outputs or each.text_output is not None for each in run.executions)
    return not shows and all(each.source.rstrip() in texts for each in run.executions)


def _is_in(run: FoundRun, texts: set[str]) -> bool:
    """Whether what the run ended with is in the document; where not, an old copy lies over it."""
    last: list[str] = []
    for executed in reversed(run.executions):
        source = executed.source.rstrip()
        if source and source not in last and parses(source) and not is_look(source):
            last.append(source)
        if len(last) == LAST:
            break
    return not last or sum(source in texts for source in last) >= HALF * len(last)
