"""What was run since a document was the notebook; what was run before is in it already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jupyter_rewind.recovery.attributed import Attributed
from jupyter_rewind.recovery.choosing import Base, Based
from jupyter_rewind.recovery.completing import part_of, read_of
from jupyter_rewind.recovery.evidence import Executed, FoundDocument, FoundRun, Trace
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

    `before` is what it ran until the document was saved: that is in the document already. With
    `is_shown` the document shows something of this run; where not, equal numbers are another's.
    """

    attributed: Attributed
    steps: tuple[Taken, ...]
    before: tuple[Executed, ...] = ()
    is_shown: bool = False


def sessions_since(base: Base, attributed: Sequence[Attributed]) -> list[Session]:
    """The runs whose code is to be laid over the document, oldest first, their steps numbered."""
    part, outrun = part_of(base, attributed), _outrun(base, attributed)
    number = 0
    sessions: list[Session] = []
    for each in attributed[_first_since(base, attributed) :]:
        taken = []
        saved = _saved_at(base, each.run, outrun)
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
        is_shown = not _is_later(each.run, base) and _shown_of(base, each.run) > 0
        sessions.append(Session(each, tuple(taken), each.run.executions[:saved], is_shown))
    return sessions


def went_on(
    base: Base, attributed: Sequence[Attributed]
) -> tuple[FoundRun, tuple[str, ...]] | None:
    """The last run that is taken to be in the document, and the code that it ran after all that the
    document shows of it: deleted before the save, or the document is an older state. None where
    there is no such code, or where the document shows nothing of that run."""
    first = _first_since(base, attributed)
    if not first:
        return None
    run = attributed[first - 1].run
    texts = _texts(base)
    shown = _shown_of(base, run)
    if not shown or any(map(_is_uncounted, base.cells)):
        places = (at for at, each in enumerate(run.executions, 1) if each.source.rstrip() in texts)
        shown = max(places, default=0)
    if not shown:
        return None
    told = _lacking(run.executions[shown:], texts)
    return (run, told) if told else None


def ran_beside(base: Base, attributed: Sequence[Attributed]) -> tuple[str, ...]:
    """The code of runs that began before the document was saved, and that it lacks: it was deleted
    before the save, or the document is an older state."""
    texts = _texts(base)
    sessions = sessions_since(base, attributed)
    beside = (each for each in sessions if not _is_later(each.attributed.run, base))
    return _lacking((step.executed for each in beside for step in each.steps), texts)


def _lacking(ran: Iterable[Executed], texts: set[str]) -> tuple[str, ...]:
    """What ran well and is in no cell, each once; looks and tries aside."""
    after = (each.source.rstrip() for each in ran if each.status in (None, "ok"))
    lacks = (each for each in after if each and parses(each) and not is_look(each))
    return tuple(dict.fromkeys(each for each in lacks if each not in texts))


def _first_since(base: Base, attributed: Sequence[Attributed]) -> int:
    """The place of the first run that may have changed the notebook since the document."""
    if base.time_ns is None:
        return _first_by_count(base, attributed)
    texts = _texts(base)
    part, outrun = part_of(base, attributed), _outrun(base, attributed)
    for place in range(len(attributed) - 1, -1, -1):
        run = attributed[place].run
        following = attributed[place + 1].run if place + 1 < len(attributed) else None
        may_be_before = run is not part and run is not outrun and not run.asked
        is_before = may_be_before and _is_before(run, following, base, texts)
        if is_before and is_in(run.executions, texts):
            return place + 1
        if not run.asked and any(_is_saved_on(each, run, texts) for each in base.branches):
            return place + 1
    return 0


def _is_saved_on(branch: FoundDocument, run: FoundRun, texts: set[str]) -> bool:
    """Whether what the run ended with was saved on another branch, and is nowhere else."""
    if run.started_ns is None or run.started_ns > (branch.time_ns or 0):
        return False
    there = {each.source.rstrip() for each in branch.cells if each.kind == "code"}
    return is_in(run.executions, there) and not is_in(run.executions, texts)


def _first_by_count(base: Base, attributed: Sequence[Attributed]) -> int:
    """As `_first_since`, of a document of which nobody knows when it was saved: the last run that
    the document shows most of its cells of tells it."""
    counted = sum(
        each.cell.kind == "code" and bool(each.cell.execution_count) for each in base.cells
    )
    for place in range(len(attributed) - 1, -1, -1):
        run = attributed[place].run
        ran = {(each.line, each.source.rstrip()) for each in run.executions}
        if run.asked or not counted or 2 * len(_shown_in(base) & ran) <= counted:
            continue
        return place + (_shown_of(base, run) == len(run.executions))
    return 0


def _is_uncounted(each: Based) -> bool:
    """Whether it is code that does not say when it ran."""
    cell = each.cell
    return cell.kind == "code" and cell.execution_count is None and bool(cell.source.strip())


def _texts(base: Base) -> set[str]:
    return {each.cell.source.rstrip() for each in base.cells if each.cell.kind == "code"}


def _saved_at(base: Base, run: FoundRun, outrun: FoundRun | None = None) -> int:
    """How many of its executions the run had behind it when the document was saved.

    A saved cell that has the number and the source of an execution shows that one. The time tells
    it too, unless what ran until then isn't in the document: then an old copy was saved over it. A
    run that began after the document was saved had none, whatever the numbers are.
    """
    if _is_later(run, base):
        return 0
    shown = _shown_of(base, run)
    over = 0
    for at, each in enumerate(run.executions, 1):
        if each.time_ns is not None and each.time_ns <= (base.time_ns or 0) and not run.asked:
            over = at
    if over > shown and not is_in(run.executions[:over], _texts(base)):
        return shown
    return shown if run is outrun else max(shown, over)


def _shown_of(base: Base, run: FoundRun) -> int:
    """How many executions the run had behind it with the last one that the document shows; 0 where
    most cells that it had run by then have other numbers: those that are equal are so by chance."""
    shown = _shown_in(base)
    ran = [(each.line, each.source.rstrip()) for each in run.executions]
    last = max((at for at, each in enumerate(ran, 1) if each in shown), default=0)
    until = set(ran[:last])
    same = {source for _, source in until & shown}
    numbered = {source for _, source in until} & {source for _, source in shown}
    return last if 2 * len(same) >= len(numbered) else 0


def _outrun(base: Base, attributed: Sequence[Attributed]) -> FoundRun | None:
    """The last run that the document shows anything of, where cells went on in it since."""
    for each in reversed(attributed):
        if _shown_of(base, each.run):
            return each.run if _is_outrun(base, each.run) else None
    return None


def _is_outrun(base: Base, run: FoundRun) -> bool:
    """Whether a cell of the document ran again after the run of it that the document shows.

    Who edits a text back does not take the number back: the file is an older state, however new it
    is. Only a journal says which cell ran.
    """
    cells = (each.cell for each in base.cells)
    shows = {each.cell_id: each for each in cells if each.cell_id and each.execution_count}
    known: set[str] = set()
    for each in run.executions:
        cell = shows.get(each.cell_id) if each.cell_id else None
        if cell is None or cell.cell_id is None:
            continue
        if cell.cell_id in known and each.source.rstrip() != cell.source.rstrip():
            return True
        if (each.line, each.source.rstrip()) == (cell.execution_count, cell.source.rstrip()):
            known.add(cell.cell_id)
    return False


def _shown_in(base: Base) -> set[tuple[int | None, str]]:
    return {
        (each.cell.execution_count, each.cell.source.rstrip())
        for each in base.cells
        if each.cell.kind == "code" and each.cell.execution_count is not None
    }


def _is_later(run: FoundRun, base: Base) -> bool:
    """Whether the run began after the document was saved."""
    if base.time_ns is None:
        return False
    return run.started_ns is not None and run.started_ns > base.time_ns


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


def is_in(ran: Sequence[Executed], texts: set[str]) -> bool:
    """Whether what ended it is in the document; where not, an old copy lies over it."""
    last: list[str] = []
    for executed in reversed(ran):
        source = executed.source.rstrip()
        if source and source not in last and parses(source) and not is_look(source):
            last.append(source)
        if len(last) == LAST:
            break
    return not last or sum(source in texts for source in last) >= HALF * len(last)
