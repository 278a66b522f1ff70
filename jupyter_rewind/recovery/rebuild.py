"""The best notebook that all evidence gives, with provenance and confidence for every cell.

What surviving documents have is kept; what was run since is laid over it. Nothing that was run
is dropped: what finds no place in the notebook is among the alternatives. Outputs stand only
under exactly the source that made them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from jupyter_rewind import clock
from jupyter_rewind.recovery.advice import likely_lost, next_steps
from jupyter_rewind.recovery.alignment import Follower
from jupyter_rewind.recovery.assembly import AT, OF, as_notebook
from jupyter_rewind.recovery.attributed import Attributed, Split
from jupyter_rewind.recovery.attribution import Attribution
from jupyter_rewind.recovery.blends import other_text
from jupyter_rewind.recovery.choosing import Base, Based, choose_base
from jupyter_rewind.recovery.codeonly import outputs_in_words, with_saved_outputs
from jupyter_rewind.recovery.completing import completed, loose_of
from jupyter_rewind.recovery.confidence import Judged, judge
from jupyter_rewind.recovery.dating import dated
from jupyter_rewind.recovery.evidence import ON_DISK, Evidence, EvidenceCell, Executed, Trace
from jupyter_rewind.recovery.exactness import with_exact_markdown
from jupyter_rewind.recovery.failures import Failures
from jupyter_rewind.recovery.hearing import known_places
from jupyter_rewind.recovery.namesakes import KIND
from jupyter_rewind.recovery.needed import with_needed
from jupyter_rewind.recovery.outputs import (
    PIECE,
    TURNED_BACK,
    Loose,
    earlier_in_words,
    has_failed,
    with_outputs,
)
from jupyter_rewind.recovery.placing import place_by_need
from jupyter_rewind.recovery.reasons import Reasons
from jupyter_rewind.recovery.sharedkernels import without_others
from jupyter_rewind.recovery.since import Session, sessions_since
from jupyter_rewind.recovery.slots import Slot
from jupyter_rewind.recovery.unrecorded import as_old, unrecorded

GAVE_WAY = "the text that was saved; what ran later took its place"
CHANGED_PERHAPS = (
    "a later text of this cell was run, most likely in another notebook; it is among the"
    " alternatives"
)
ANOTHERS = "more likely it ran in another notebook"
HALF = 0.5


@dataclass(frozen=True, slots=True)
class Origin:
    """A trace that a cell rests on, and what it gave."""

    trace: Trace
    words: str


@dataclass(frozen=True, slots=True)
class RebuiltCell:
    """A cell of the notebook; `confidence` is how likely it was like this when work was lost."""

    cell: EvidenceCell
    provenance: tuple[Origin, ...]
    confidence: float
    words: str = ""


@dataclass(frozen=True, slots=True)
class Alternative:
    """Code that was run, or stood in a document, and is not in the rebuilt notebook."""

    source: str
    origin: Origin
    words: str = ""
    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The notebook as it most likely was, and everything that is known besides."""

    cells: tuple[RebuiltCell, ...]
    alternatives: tuple[Alternative, ...] = ()
    likely_lost: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    nbformat: tuple[int, int] = (4, 5)
    sessions: tuple[Attributed, ...] = ()
    loose: tuple[Loose, ...] = ()
    damages: tuple[str, ...] = ()
    """What is wrong with the document that it was built on."""
    passed_over: tuple[str, ...] = ()
    """Which newer documents it was not built on, each with the reason."""
    base: Trace | None = None
    """The document that it was built on."""


def rebuild(target: Path, evidence: Evidence) -> Rebuilt:
    """The best notebook for `target` that `evidence` gives; with no evidence, one of no cells."""
    places = known_places(target, evidence)
    code = [
        cell.source
        for document in evidence.documents
        if document.trace.notebook in places or document.trace.notebook is None
        for cell in document.cells
        if cell.kind == "code"
    ]
    placed = Attribution(evidence)
    split = without_others(placed, target, placed.split(target, code))
    attributed = split.own
    ran = {e.source for each in attributed if each.certain for e in each.run.executions}
    own = [each for each in evidence.documents if each.trace.notebook in places]
    base = with_exact_markdown(choose_base(evidence, places, ran), own)
    read = with_saved_outputs(base, own)
    base = dated(completed(read, attributed), own, attributed)
    silent = unrecorded(base, evidence, places, attributed)
    base = as_old(base, silent)
    followed = _Followed(base, attributed)
    judged = judge(
        followed.follower, followed.earlier, followed.doubtful, followed.shown, followed.failures()
    )
    judged = [followed.rather_saved(each) for each in judged]
    judged = with_needed(judged) if base.document is None else judged
    made = (followed.cell(each) for each in judged if each.kept)
    cells = tuple(each for each in made if each.cell.whole or each.cell.source.strip())
    return Rebuilt(
        cells=cells,
        alternatives=followed.alternatives(judged, cells, split),
        likely_lost=likely_lost(base, attributed, silent)
        + outputs_in_words(base)
        + earlier_in_words(one.words for one in cells),
        next_steps=next_steps(target, base, split, evidence, [each.cell for each in cells]),
        metadata=base.document.metadata if base.document else {},
        nbformat=base.document.nbformat if base.document else (4, 5),
        sessions=tuple(attributed),
        loose=loose_of(read, base),
        damages=base.document.damages if base.document is not None else (),
        passed_over=base.passed_over,
        base=base.document.trace if base.document else None,
    )


def to_notebook(rebuilt: Rebuilt, of: Path | None = None) -> dict[str, Any]:
    """A valid nbformat 4.5 notebook; `metadata["rewind"]` says where each cell comes from, and `of`
    which notebook it was. What is run from now on may be the result's own."""
    return as_notebook(
        [(each.cell, _cell_notes(each)) for each in rebuilt.cells],
        rebuilt.metadata,
        ({} if of is None else {OF: str(of), AT: clock.now_ns() / 1e9})
        | {
            "alternatives": [
                {"source": each.source, "from": each.origin.words, "words": each.words}
                for each in rebuilt.alternatives
            ],
            "likely_lost": list(rebuilt.likely_lost),
            "damages": list(rebuilt.damages),
            "passed_over": list(rebuilt.passed_over),
            "loose_outputs": [
                {"outputs": list(each.outputs), "source": each.source} for each in rebuilt.loose
            ],
        },
    )


def _cell_notes(each: RebuiltCell) -> dict[str, Any]:
    notes: dict[str, Any] = {
        "confidence": round(each.confidence, 3),
        "origins": [
            {"kind": origin.trace.kind, "place": origin.trace.place, "words": origin.words}
            for origin in each.provenance
        ],
    }
    return notes | ({"words": each.words} if each.words else {})


class _Followed:
    """The base and the sessions since, laid over it; makes cells of what came out."""

    def __init__(self, base: Base, attributed: list[Attributed]) -> None:
        self.base = base
        self.attributed = attributed
        self.sessions: list[Session] = sessions_since(base, attributed)
        self.steps = [step for session in self.sessions for step in session.steps]
        cells = [(each.cell.kind == "code", each.cell.source.rstrip()) for each in base.cells]
        ids = {
            each.cell.cell_id: at
            for at, each in enumerate(base.cells)
            if each.cell.cell_id and each.cell.kind == "code"
        }
        self.follower = Follower(cells, [each.step for each in self.steps], ids)
        saved = frozenset(e.source.rstrip() for each in self.sessions for e in each.before)
        failed = frozenset(at for at, each in enumerate(base.cells) if has_failed(each.cell))
        self.follower.go_on(self._last_saved(), saved, failed)
        self.follower.follow()
        place_by_need(self.follower.slots)
        laid = {id(each.attributed) for each in self.sessions}
        before = [each.before for each in self.sessions]
        before += [each.run.executions for each in attributed if id(each) not in laid]
        self.earlier = frozenset(each.source.rstrip() for ran in before for each in ran)
        self.doubtful = frozenset(at for at, each in enumerate(base.cells) if not each.certain)
        self.alike = Counter(slot.source for slot in self.follower.slots if slot.code)
        self.shown = frozenset(at for at, each in enumerate(base.cells) if each.cell.outputs)

    def failures(self) -> Failures:
        """Which of what was laid over the base are tries that failed."""
        ran = [(each.step.source, each.executed.status) for each in self.steps]
        saved = (each.cell.source for each in self.base.cells if each.cell.kind == "code")
        return Failures(ran, (*self.earlier, *saved), self.follower.changes.like)

    @cached_property
    def _is_whole(self) -> bool:
        """Whether the notebook is there, and whole: what was saved is certain then."""
        document = self.base.document
        return document is not None and document.trace.kind == ON_DISK and document.complete

    def _of(self, step: int) -> Attributed:
        return self.sessions[self.steps[step].step.run].attributed

    def _is_anothers(self, which: Attributed) -> bool:
        """Whether it is more likely another notebook's, and what was saved is there."""
        return self._is_whole and which.likely < HALF

    def _surest(self, step: int) -> float:
        """How sure a text is at most that only this execution tells of."""
        which = self._of(step)
        return (
            min(which.surest, which.share) if self._is_whole and which.by_likeness else which.surest
        )

    def rather_saved(self, judged: Judged) -> Judged:
        """The cell with its last text that is more likely this notebook's."""
        slot = judged.slot
        theirs = {at for at, _ in slot.versions if at >= 0 and self._is_anothers(self._of(at))}
        if not theirs or slot.versions[-1][0] not in theirs:
            return judged
        left = [each for each in slot.versions if each[0] not in theirs]
        if not left:
            return replace(judged, kept=False, words=ANOTHERS)
        at, text = left[-1]
        before = replace(slot, source=text, versions=left, last_ran=at)
        likely = 1 - self._of(slot.versions[-1][0]).likely
        kept = judged.kept or slot.origin is not None
        return Judged(before, min(likely, judged.confidence), kept, CHANGED_PERHAPS)

    def _last_saved(self) -> dict[int, int | None]:
        """Of the runs that went on after the document was saved: the cell that they ran last."""
        places: dict[tuple[int | None, str], int] = {}
        for at, each in enumerate(self.base.cells):
            if each.cell.kind == "code":
                source = each.cell.source.rstrip()
                places[each.cell.execution_count, source] = places[None, source] = at
        return {
            number: places.get((last.line, source), places.get((None, source)))
            for number, session in enumerate(self.sessions)
            for last in session.before[-1:]
            for source in [last.source.rstrip()]
        }

    def cell(self, judged: Judged) -> RebuiltCell:
        """The cell of a slot, with its outputs and where all of it is from."""
        slot = judged.slot
        based = self.base.cells[slot.origin] if slot.origin is not None else None
        if based is not None and based.cell.source.rstrip() == slot.source:
            cell, origins = based.cell, [_document_origin(based)]
            told = slot.gone or slot.stays < 1 or judged.words == CHANGED_PERHAPS
            words = based.words or (judged.words if told else "")
        else:
            cell, origins, words = self._changed(slot, based), [], judged.words
        ran = self._last_run(slot)
        if ran is not None:
            which = self.steps[slot.last_ran]
            origins.append(Origin(which.trace, which.words))
        is_sure = slot.told or slot.swept > 0 or self.alike[slot.source] == 1
        cell, shown = with_outputs(cell, ran, is_sure, self._is_later(slot, based))
        saved = based.shown_by if based is not None and cell.source == based.cell.source else None
        if saved is not None and (ran is None or cell.outputs != ran.outputs):
            origins.append(Origin(saved.trace, f"what it shows: {_called(saved.trace)}"))
        if based is not None and based.cell.source.rstrip() != slot.source:
            older = _called(based.document.trace)
            origins.append(Origin(based.document.trace, f"newer than its text in: {older}"))
        if shown == PIECE and based is not None and based.document.trace.kind == KIND:
            shown = TURNED_BACK
        words = "; ".join(each for each in (words, shown) if each)
        confidence = min(judged.confidence, based.surest if based is not None else 1.0)
        if slot.last_ran >= 0 and (based is None or based.cell.source.rstrip() != slot.source):
            confidence = min(confidence, self._surest(slot.last_ran))
        return RebuiltCell(cell, tuple(origins), confidence, words)

    def _changed(self, slot: Slot, based: Based | None) -> EvidenceCell:
        """The cell with the text that was run, and no output of the text before it."""
        told = self.steps[slot.last_ran].step.cell_id if slot.last_ran >= 0 else None
        made = EvidenceCell("code", slot.source, cell_id=told)
        if based is None:
            return made
        old = based.cell
        return replace(made, cell_id=old.cell_id, metadata=old.metadata)

    def _last_run(self, slot: Slot) -> Executed | None:
        """The newest execution of exactly the slot's source; None where it was not run."""
        if slot.last_ran < 0:
            return None
        which, ran = self._of(slot.last_ran), self.steps[slot.last_ran].executed
        if slot.origin is not None and self._is_anothers(which):
            return None
        if self._is_whole and which.surest < HALF and self._is_as_saved(slot):
            return None  # it may as well have run in another notebook
        if self._is_whole and slot.origin is not None and which.by_likeness:
            # A copy's, perhaps: it says that what was saved may be old, and not what is new.
            saved = self.base.cells[slot.origin].cell.outputs
            ran = replace(ran, outputs=(), text_output=None) if saved else ran
        return ran if ran.source.rstrip() == slot.source else None

    def _is_as_saved(self, slot: Slot) -> bool:
        """Whether the slot has the text that was saved."""
        if slot.origin is None:
            return False
        return self.base.cells[slot.origin].cell.source.rstrip() == slot.source

    def _is_later(self, slot: Slot, based: Based | None) -> bool:
        """Whether the slot ran last in a kernel of which its cell, as it was saved, shows nothing:
        it was started after that."""
        if slot.last_ran < 0 or based is None:
            return False
        session = self.sessions[self.steps[slot.last_ran].step.run]
        if based.document is self.base.document:
            return not session.is_shown
        started, saved = session.attributed.run.started_ns, based.document.time_ns
        return started is not None and saved is not None and started > saved

    def alternatives(
        self, judged: list[Judged], cells: tuple[RebuiltCell, ...], split: Split
    ) -> tuple[Alternative, ...]:
        """Every source that was run or stood in the base, and is not in `cells`."""
        here = {each.cell.source.rstrip() for each in cells}
        saved = self._saved_texts(judged, here)
        found = dict(saved)
        ran = [(each.run, f"more like {each.notebook}") for each in split.left_out]
        ran += [(each.run, f"it ran in {each.notebook}") for each in split.shared]
        ran += [(split.seeming.run, "nothing says whose it is")] if split.seeming else []
        ran += [(each.run, each.words) for each in split.doubts]
        ran += [(each.run, ANOTHERS) for each in self.attributed if self._is_anothers(each)]
        ran += [(each.run, "") for each in self.attributed if not self._is_anothers(each)]
        for run, why_not in ran:
            words = f"session {run.session}" if run.session else "a run"
            for executed in run.executions:
                source = executed.source.rstrip()
                if source and source not in here:
                    origin = Origin(run.trace, f"{words}, line {executed.line}")
                    why = saved[source].words if source in saved else why_not
                    found[source] = Alternative(source, origin, why)
        slots = {each.slot.source: each for each in judged}
        reasons = Reasons(judged, {each.step.source for each in self.steps})
        told = (
            replace(each, words=slots[source].words, confidence=slots[source].confidence)
            if source in slots
            else each
            for source, each in found.items()
        )
        return tuple(replace(each, words=each.words or reasons.of(each.source)) for each in told)

    def _saved_texts(self, judged: list[Judged], here: set[str]) -> dict[str, Alternative]:
        """What the document has and the notebook has not, each with the reason."""
        found = {}
        for each in judged:
            if each.slot.origin is not None:
                based = self.base.cells[each.slot.origin]
                source = based.cell.source.rstrip()
                if source and source not in here:
                    gave_way = each.kept and source != each.slot.source
                    words = GAVE_WAY if gave_way else each.words
                    found[source] = Alternative(source, _document_origin(based), words)
                other, words = other_text(based.cell)
                if other.strip() and other.rstrip() not in here:
                    origin = _document_origin(based)
                    found[other.rstrip()] = Alternative(other.rstrip(), origin, words)
        return found


def _document_origin(based: Based) -> Origin:
    return Origin(based.document.trace, _called(based.document.trace))


def _called(trace: Trace) -> str:
    return trace.words or trace.kind
