"""How likely each cell was in the notebook, in this form, when the work was lost.

What speaks for and against a cell is counted (`signs`), and weighed by numbers that were fitted
to simulated disasters (`benchmarks/calibration.py`): a logistic model for each of four kinds of
cell. Markdown is always kept, for nothing records that it was deleted.
"""

from __future__ import annotations

import builtins
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from jupyter_rewind.recovery.alignment import Follower
from jupyter_rewind.recovery.failures import Failures
from jupyter_rewind.recovery.likeness import defined, is_command, is_look, names, parses, values
from jupyter_rewind.recovery.slots import Slot
from jupyter_rewind.recovery.weights import WEIGHTS

HALF, DOUBTED = 0.5, 0.45
ENOUGH_NEW = 0.3
"""Of new work below one half: a cell left out costs more than one to delete again."""
NEAR = 8
TOLD = 0.9
FAILED = 0.1
_FAILED = "a try that failed: what ran later took its place"
BUILT_IN = frozenset(dir(builtins)) | {"_"}
MOST, LEAST = 0.995, 0.005
_ALIKE = "something like it was run after the save: it may be the older text of that cell"
_DOUBLE = "stands more than once in the document; left out when the cells were run again"


@dataclass(frozen=True, slots=True)
class Judged:
    """A cell, how likely it was in the notebook like this, and whether it is kept in it."""

    slot: Slot
    confidence: float
    kept: bool
    words: str = ""


def judge(
    follower: Follower,
    earlier: frozenset[str],
    doubtful: frozenset[int],
    shown: frozenset[int] = frozenset(),
    failures: Failures | None = None,
) -> list[Judged]:
    """All cells that there ever were, in the notebook's order.

    `earlier` is what was run before the document; `doubtful` are the places in the document of
    cells that may not have been in it any more, `shown` of those that have outputs. `failures`
    knows which new cells are tries that failed.
    """
    known = Known(follower, earlier)
    judged = []
    for slot in follower.slots:
        likely = _likely(slot, known)
        if slot.told and not slot.skipped:
            likely = max(likely, TOLD)
        unmarked = slot.origin is not None and not slot.touched and not slot.gone
        if unmarked and slot.code:
            likely = max(likely, HALF)  # nothing but work elsewhere speaks of its deletion
        if slot.origin is not None and not slot.touched:
            likely = min(likely, slot.stays)
        if slot.origin in doubtful:
            likely = min(likely, DOUBTED)
        is_work = slot.origin is None and not is_look(slot.source)
        kept = likely >= (ENOUGH_NEW if is_work else HALF) or unmarked
        # Its saved text gave way to it: without the doubtful cell neither would be there.
        kept = kept or (slot.origin in doubtful and slot.touched and not slot.gone)
        words = _words(slot, kept)
        if kept and failures is not None and failures.is_try(slot, known.slots, likely):
            likely, kept, words = min(likely, FAILED), False, _FAILED
        judged.append(Judged(slot, likely, kept, words))
    return _with_doubles(judged, shown)


def _likely(slot: Slot, known: Known) -> float:
    """How likely the cell was there, by the model for its kind; by both where that is open."""
    told = signs(slot, known)
    likely = _by_model(kind_of(slot, known.spans), told)
    if slot.origin is None and slot.stays < 1:
        likely = slot.stays * likely + (1 - slot.stays) * _by_model("changed", told)
    return min(MOST, max(LEAST, likely))


def _by_model(kind: str, told: Mapping[str, float]) -> float:
    odds = sum(WEIGHTS[kind].get(sign, 0.0) * value for sign, value in told.items())
    return 1 / (1 + math.exp(-odds))


def _with_doubles(judged: list[Judged], shown: frozenset[int]) -> list[Judged]:
    """Of two cells alike, the outputs of that which a run left out may be those to keep."""
    here = {each.slot.source for each in judged if each.kept and each.slot.code}
    return [
        replace(each, kept=True, words=_DOUBLE)
        if not each.kept
        and each.slot.origin in shown
        and not each.slot.touched
        and each.slot.source in here
        else each
        for each in judged
    ]


def kind_of(slot: Slot, spans: bool = False) -> str:
    """Which model a cell is weighed by; `spans`: all that ran is of kernels that went on after
    the document was saved, so that it is no older than a session."""
    if not slot.code:
        return "saved prose" if spans else "prose"
    if slot.origin is None:
        return "new"
    if len(slot.versions) > 1:
        return "changed"
    return "saved" if spans else "kept"


class Known:
    """What all cells together say: how much was changed, which names come from where."""

    def __init__(self, follower: Follower, earlier: frozenset[str]) -> None:
        self.steps = len(follower.steps)
        self.follower = follower
        self.earlier = earlier
        self.slots = follower.slots
        self.spans = follower.spans
        code = [slot for slot in self.slots if slot.code]
        old = [slot for slot in code if slot.origin is not None]
        self.place = {slot: place for place, slot in enumerate(self.slots)}
        self.churn = self._share((s.touched for s in code if s.origin is not None), old)
        self.gone = self._share((s.gone and self.was_run(s) for s in old), old)
        self.left_out = self._share((s.gone and not s.ran for s in old), old)
        self.grown = min(1.0, (len(code) - len(old)) / max(1, len(old)))
        self.definers: Counter[str] = Counter()
        self.redefined: dict[str, int] = {}
        self.users: Counter[str] = Counter()
        for slot in code:
            for name in defined(slot.source):
                if not slot.gone:
                    self.definers[name] += 1
                if slot.touched:
                    self.redefined[name] = max(slot.last_ran, self.redefined.get(name, -1))
            if not slot.gone and slot.ran:
                self.users.update(names(slot.source))
        self.code_cells = max(1, len(code))
        self.edits = sorted(
            (slot.versions[-1][0], self.place[slot])
            for slot in code
            if slot.touched and not is_look(slot.source)
        )
        self.values: Counter[str] = Counter()
        for slot in code:
            if not is_look(slot.source):
                self.values.update(values(slot.source))
        self.look_style = self._share((is_look(s.versions[0][1]) for s in old), old)
        last = follower.sweeps[-1] if follower.sweeps else None
        self.last_sweep = last[1] if last else frozenset()
        self.swept_to = self.place[last[2]] if last else -1
        self.since = self.steps - last[0] - len(last[1]) if last else self.steps

    @staticmethod
    def _share(which: Iterable[bool], of: Sequence[Slot]) -> float:
        return sum(which) / len(of) if of else 0.0

    def was_run(self, slot: Slot) -> bool:
        """Whether the cell, as the document has it, was ever run."""
        return slot.ran > 0 or slot.versions[0][1] in self.earlier


def signs(slot: Slot, known: Known) -> dict[str, float]:
    """What speaks for the cell and against it, as numbers between about -1 and 3."""
    every = {"bias": 1.0}
    whole = {"churn": known.churn, "gone": known.gone, "grown": known.grown}
    if not slot.code:
        return every | whole | _signs_of_prose(slot, known)
    unrun = 1.0 if known.earlier and not known.was_run(slot) else 0.0
    later = known.steps - 1 - slot.last_ran if slot.ran else known.steps
    every |= {
        "skipped": float(min(slot.skipped, 3)),
        "skipped_once": float(slot.skipped > 0),
        "swept": float(slot.swept > 0),
        "in_last_sweep": float(slot in known.last_sweep),
        "confirmed": float(slot.swept > 0 and not slot.skipped),
        "beyond_sweep": float(bool(known.last_sweep) and known.place[slot] > known.swept_to),
        "since": math.log1p(min(later, known.since)) / 3,
        "look": float(is_look(slot.source)),
        "broken": float(not parses(slot.source)),
        "short": float(len(slot.source) < 40),
        "again": float(min(slot.ran, 3) - 1 if slot.ran else 0),
    }
    if kind_of(slot) == "kept":  # and saved, which has the same signs
        return every | _signs_of_kept(slot, known, unrun)
    newest = slot.versions[-1][0]
    if is_look(slot.source):
        about = values(slot.source) - BUILT_IN
        every |= {
            "look_command": float(is_command(slot.source)),
            "look_unknown": float(not all(known.values[name] for name in about)),
            "look_style": min(1.0, 4 * known.look_style),
            "look_confirmed": float(slot.swept > 0 and not slot.skipped),
        }
    return (
        every
        | whole
        | {
            "fit": slot.fit,
            "tries": float(min(len(slot.versions) - 1, 3)),
            "last_step": float(newest >= known.steps - 1),
            "odd": float(known.follower.changes.like.is_odd(slot.source)),
            "needed": _needed(slot, known),
        }
    )


def _signs_of_kept(slot: Slot, known: Known, unrun: float) -> dict[str, float]:
    """A cell of the document: the more was changed since it was last run, the likelier deleted."""
    replaced = any(known.redefined.get(n, -1) > slot.last_ran for n in defined(slot.source))
    place = known.place[slot]
    since = [where for at, where in known.edits if at > slot.last_ran]
    work = min(2.0, len(since) / known.code_cells)
    near = sum(abs(where - place) <= NEAR for where in since)
    passed = bool(since) and min(since) < place < max(since)
    skipped = float(slot.skipped > 0)
    needed = _needed(slot, known)
    return {
        "unrun": unrun,
        "unrun_skipped": unrun * skipped,
        "unknown_skipped": skipped * float(not known.earlier and not slot.ran),
        "ran_skipped": skipped * float(slot.ran > 0),
        "gone_skipped": skipped * known.gone,
        "idle_skipped": skipped * float(not slot.ran) * min(1.0, 4 * known.left_out),
        "ran": float(slot.ran > 0),
        "replaced": float(replaced),
        "replaced_unskipped": float(replaced) * (1 - skipped),
        "new_beside": min(_beside(slot, known), 3.0) * (1 - skipped),
        "needed": needed,
        "needed_skipped": needed * skipped,
        "work": work * (1 - skipped),
        "work_gone": work * known.gone * (1 - skipped),
        "work_grown": work * known.grown * (1 - skipped),
        "work_near": min(near, 4) / 4 * (1 - skipped),
        "passed": float(passed) * (1 - skipped),
        "passed_work": float(passed) * work * (1 - skipped),
        "gone_unswept": known.gone * float(slot not in known.last_sweep),
        "swept_idle": float(slot in known.last_sweep and not since),
    }


def _signs_of_prose(slot: Slot, known: Known) -> dict[str, float]:
    """A text stands with the code around it."""
    place = known.place[slot]
    near = [s for s in known.slots[max(0, place - 3) : place + 4] if s.code]
    count = max(1, len(near))
    return {
        "near_gone": sum(s.gone for s in near) / count,
        "near_changed": sum(s.touched for s in near) / count,
        "first": float(place == 0),
        "heading": float(slot.source.lstrip().startswith("#") and "\n" not in slot.source.strip()),
        "long": float(len(slot.source) > 200),
    }


def _beside(slot: Slot, known: Known) -> float:
    """How many new or changed cells stand right beside this one, run after it was."""
    place, count = known.place[slot], 0
    for step in (-1, 1):
        at = place + step
        while 0 <= at < len(known.slots) and abs(at - place) <= 6:
            other = known.slots[at]
            if other.code:
                if other.origin is not None:
                    break
                count += other.last_ran > slot.last_ran and not other.gone
            at += step
    return float(count)


def _needed(slot: Slot, known: Known) -> float:
    """1 where other cells use a name that only this one gives a meaning to."""
    own = names(slot.source)
    for name in defined(slot.source):
        others = known.definers[name] - (not slot.gone)
        users = known.users[name] - (not slot.gone and slot.ran > 0 and name in own)
        if others == 0 and users > 0:
            return 1.0
    return 0.0


def _words(slot: Slot, kept: bool) -> str:
    if not slot.code:
        return ""
    if kept and slot.stays < TOLD and not slot.touched:
        return _ALIKE
    if kept:
        return "" if parses(slot.source) else "the last that was run of it was not whole"
    if slot.gone:
        return "left out when the notebook's cells were run again: probably deleted"
    if is_look(slot.source):
        return "a passing look"
    return "a try that could not run" if not parses(slot.source) else "more likely not kept"
