"""Which cell, if any, got the text of an execution that no cell has.

Every cell that resembles it is weighed against the others and against "a new cell", by weights
that were fitted to simulated work (`benchmarks/calibration.py`). What counts most is the text that
the document has: cells that resemble one another stay apart so.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from jupyter_rewind.recovery.likeness import (
    Likeness,
    defined,
    is_look,
    is_slip,
    names,
    used_before_bound,
    values,
)
from jupyter_rewind.recovery.slots import Slot, Step
from jupyter_rewind.recovery.staying import likely_to_stay, signs_of_staying
from jupyter_rewind.recovery.weights import CHANGES

SOON = 4
FAINT = 0.2
UNLIKE, WITHIN = 0.3, 0.7
FEW_LINES = 3
FEW, MOST, COMMONEST = 60, 40, 400
"""In a notebook of many cells only the nearest are compared in full."""

Option = tuple[Slot | None, dict[str, float]]


class Changes:
    """Weighs, for an execution, the cells that it may be a new text of."""

    def __init__(self, slots: Iterable[Slot], steps: Sequence[Step]) -> None:
        code = [slot.source for slot in slots if slot.code]
        self.like = Likeness(code + [step.source for step in steps])
        self.definers = Counter(name for source in code for name in defined(source))
        self.going_on: frozenset[int] = frozenset()
        """The runs that began before the document was saved: it is nearly what they worked on."""
        self.saved_runs: frozenset[str] = frozenset()
        """What they had run until then."""
        self.failed: frozenset[int] = frozenset()
        """The places in the document of cells whose saved output is an error."""
        self._weighed: list[tuple[float, Slot | None, dict[str, float]]] = []
        self._having: dict[str, set[Slot]] = defaultdict(set)
        for slot in slots:
            if slot.code:
                self.note(slot)
        self.future: dict[str, list[int]] = defaultdict(list)
        for step in steps:
            self.future[step.source].append(step.at)

    def note(self, slot: Slot) -> None:
        """The cell has a text that it had not before."""
        for word, _ in self.like.telling(slot.source):
            self._having[word].add(slot)

    def _nearest(self, source: str) -> set[Slot]:
        """The cells that share the most telling words with a source, not all that share any."""
        shared: dict[Slot, float] = defaultdict(float)
        for word, weight in self.like.telling(source):
            having = self._having.get(word, ())
            if len(having) <= COMMONEST:
                for slot in having:
                    shared[slot] += weight
        if len(shared) <= MOST:
            return set(shared)
        return set(sorted(shared, key=lambda slot: -shared[slot])[:MOST])

    def choose(
        self, step: Step, slots: Sequence[Slot], cursor: Slot | None, latest: Slot | None
    ) -> tuple[Slot | None, float]:
        """The cell that was changed (None: it is a new one), and how alike old and new are."""
        self._weighed = [
            (sum(CHANGES.get(sign, 0.0) * value for sign, value in signs.items()), slot, signs)
            for slot, signs in self.options(step, slots, cursor, latest)
        ]
        best = max(self._weighed, key=lambda each: each[0])[1]
        return (None, 0.0) if best is None else (best, self.alike(best, step.source))

    def staying(self, slot: Slot, step: Step, slots: Sequence[Slot]) -> float:
        """How likely the saved cell that was just chosen stays; 0 where that is not in question."""
        if not self.is_open(slot, step):
            return 0.0
        return likely_to_stay(self.staying_signs(slot, step, slots))

    def is_open(self, slot: Slot, step: Step) -> bool:
        """Whether the text that ran may be another cell, and not one of the saved cell that it
        resembles.

        It may where the kernel went on after the save: a document from before the kernel's start
        may be old, and is weighed as such. A text that had run before and was not saved was an
        earlier one of that cell, and is so again; a cell that had failed was mended.
        """
        is_saved = slot.origin not in {None, *self.failed} and not slot.touched
        return step.run in self.going_on and is_saved and step.source not in self.saved_runs

    def staying_signs(self, slot: Slot, step: Step, slots: Sequence[Slot]) -> dict[str, float]:
        """What speaks for it that the saved cell that was just chosen stays."""
        new = next(odds for odds, each, _ in self._weighed if each is None)
        change, signs = next((odds, told) for odds, each, told in self._weighed if each is slot)
        others = [odds for odds, each, _ in self._weighed if each is not None and each is not slot]
        last = next(each for each in reversed(slots) if each.code and each.origin is not None)
        return signs_of_staying(
            (slot.source, step.source),
            signs,
            (change, new, others),
            was_run=slot.source in self.saved_runs,
            is_last=slot is last,
        )

    def options(
        self, step: Step, slots: Sequence[Slot], cursor: Slot | None, latest: Slot | None
    ) -> list[Option]:
        """The new cell first, then every cell that may have been changed; what speaks for each."""
        new = step.source
        look, short = float(is_look(new)), float(len(new) < 60)
        made: list[Option] = [
            (None, {"new": 1.0, "new_look": look, "new_short": short * (1 - look)})
        ]
        code = [slot for slot in slots if slot.code]
        here = code.index(cursor) if cursor is not None else -1
        alikes: list[float] = []
        near = self._nearest(new) if len(code) > FEW else None
        for place, slot in enumerate(code):
            if near is not None and slot not in near and slot is not latest:
                continue
            alike = self.alike(slot, new)
            if alike < FAINT and slot is not latest:
                continue
            alikes.append(alike)
            if self.runs_later(slot.source, step.at):
                if self._is_passing(slot.source, step):
                    made.append((slot, {"passing": 1.0}))
                continue
            away = abs(place - here - 0.5) - 0.5
            signs = self._signs(slot, new, away, slot is latest, look, short)
            if _is_another(signs) or self._binds_another(slot, step, code):
                continue
            signs["orphans"] = float(_orphans(slot, new, code))
            signs["failed"] = float(slot.origin in self.failed and not slot.touched)
            made.append((slot, signs))
        self._compare(made, new, alikes, latest)
        return made

    def _compare(
        self, made: list[Option], new: str, alikes: list[float], latest: Slot | None
    ) -> None:
        """Adds what the options say of one another."""
        first = {slot: self.like(slot.versions[0][1], new) for slot, _ in made[1:] if slot}
        for slot, signs in made[1:]:
            if slot is not None and "passing" not in signs:
                alike = self.alike(slot, new)
                others = sum(each > alike - 0.15 for each in alikes) - 1
                signs["family"] = min(others, 4) / 4 * float(alike < 0.85)
                signs["not_best"] = max(alikes) - alike
                if slot is latest:
                    own = first[slot] if slot.origin is not None else alike
                    rivals = [like for other, like in first.items() if other.origin is not None]
                    rival = max(rivals, default=0.0) - own
                    signs["rival"] = max(0.0, rival)
                    signs["rival_any"] = float(rival > 0.03)

    def alike(self, slot: Slot, source: str) -> float:
        """How alike the text and the nearest of the cell's texts are."""
        texts = {slot.source, slot.versions[0][1], slot.versions[max(0, len(slot.versions) - 2)][1]}
        return max(self.like(text, source) for text in texts)

    def _signs(
        self, slot: Slot, new: str, away: float, latest: bool, look: float, short: float
    ) -> dict[str, float]:
        old = slot.source
        first, now = self.like(slot.versions[0][1], new), self.like(old, new)
        contained = self.like.contained(old, new)
        odd = is_slip(old, new) and (self.like.is_odd(old, new) or self.like.is_odd(new, old))
        kind = "new" if slot.origin is None else "touched" if slot.touched else "kept"
        again = float(latest)
        signs = {
            "change": 1.0,
            "near": 1 / (1 + away / 4),
            "slip": float(odd),
            "latest": again,
            "latest_now": again * now,
            "latest_contained": again * contained,
            "latest_contained_all": again * float(contained > 0.95),
            "look": look,
            "short": short,
            "meaning": self._meaning(old, new),
        }
        return signs | {
            kind: 1.0,
            f"{kind}_first": first,
            f"{kind}_now": now,
            f"{kind}_alike": float(max(first, now) > 0.5),
            f"{kind}_very": float(max(first, now) > 0.8),
            f"{kind}_contained": contained,
        }

    def _meaning(self, old: str, new: str) -> float:
        """1 where both give a meaning to the same name, less where they do to others."""
        before, after = defined(old), defined(new)
        if not before or not after:
            return 0.0
        rare = any(self.definers[name] <= 2 for name in before & after)
        return 1.0 if rare else (0.0 if before & after else -0.5)

    def _binds_another(self, slot: Slot, step: Step, code: Sequence[Slot]) -> bool:
        """Whether a saved cell and a new one are two by the names that they bind.

        The new one needs what only the old one gives; or it binds other names, and what the old
        one binds is still used, or both are so short that they are alike without being one.
        Where the kernel went on after the save, one line that lacks a name of the saved one's
        line is another.
        """
        old, new = slot.source, step.source
        if slot.origin is None:
            return False
        is_short = max(old.count("\n"), new.count("\n")) < FEW_LINES
        others = [each.source for each in code if each is not slot]
        only = defined(old) - {name for source in others for name in defined(source)}
        if is_short and (used_before_bound(new) & only) - used_before_bound(old):
            return True
        if step.run in self.going_on and "\n" not in old + new and not defined(old + "\n" + new):
            is_typed = is_slip(old, new) and self.like.is_odd(old, new)
            return bool(names(old) - names(new)) and not is_typed
        if not defined(old) or not defined(new) or defined(old) & defined(new):
            return False
        return is_short or any(
            self._last_use.get(name, -1) > step.at or any(name in values(one) for one in others)
            for name in only
        )

    @cached_property
    def _last_use(self) -> Mapping[str, int]:
        last: dict[str, int] = {}
        for source, times in self.future.items():
            for name in values(source):
                last[name] = max(last.get(name, -1), times[-1])
        return last

    def runs_later(self, source: str, at: int) -> bool:
        """Whether a cell of just this text was run after that step: it was still there."""
        times = self.future.get(source)
        return times is not None and times[-1] > at

    def _is_passing(self, old: str, step: Step) -> bool:
        """Whether it is a slip or a try that was taken back: the old text runs soon after it."""
        soon = any(step.at < at <= step.at + SOON for at in self.future[old])
        if not soon or self.runs_later(step.source, step.at):
            return False
        if is_slip(old, step.source):
            return self.like.is_odd(step.source, old)
        return len(old) > 40 and self.like.contained(old, step.source) > 0.9


def _is_another(signs: Mapping[str, float]) -> bool:
    """Whether it is so unlike a cell of the document that this would be lost for it by guess."""
    alike = signs.get("kept_first", 1.0) >= UNLIKE or signs["kept_contained"] >= WITHIN
    return not alike and signs["meaning"] < 1


def _orphans(slot: Slot, new: str, code: Sequence[Slot]) -> bool:
    """Whether the new text uses a name that only the old one gives a meaning to."""
    free = (defined(slot.source) - defined(new)) & values(new)
    return bool(free) and not all(
        any(name in defined(other.source) for other in code if other is not slot) for name in free
    )
