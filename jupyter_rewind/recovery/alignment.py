"""Follows the executions of a notebook, one by one, through the notebook as it changed.

The notebook starts as its newest surviving document. Each execution is a cell run again, a cell
whose text was changed, a new cell, or a passing look; runs of many cells in order (after a
restart, say) also tell where new cells stand, and which cells were no longer there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from jupyter_rewind.recovery.changes import Changes
from jupyter_rewind.recovery.likeness import is_look
from jupyter_rewind.recovery.slots import Slot, Step
from jupyter_rewind.recovery.staying import ENOUGH
from jupyter_rewind.recovery.sweeps import Sweep, find_sweep

TAIL = 2
HALF = 0.5


class Follower:
    """The cells as they most likely were after each execution."""

    def __init__(
        self,
        cells: Sequence[tuple[bool, str]],
        steps: Sequence[Step],
        ids: Mapping[str, int] | None = None,
    ) -> None:
        self.slots = [
            Slot(source, code, origin=at, versions=[(-1, source)] if code else [])
            for at, (code, source) in enumerate(cells)
        ]
        self._by_id = {cell_id: self.slots[at] for cell_id, at in (ids or {}).items()}
        self.steps = steps
        self.changes = Changes(self.slots, steps)
        self._of_text: dict[str, list[Slot]] = defaultdict(list)
        for slot in self.slots:
            if slot.code:
                self._of_text[slot.source].append(slot)
        self._ends = _ends_of_runs(steps)
        self.sweeps: list[tuple[int, frozenset[Slot], Slot]] = []
        """Of each sweep: its first step, the cells that it ran, the last of them."""
        self.cursor: Slot | None = None
        self.latest: Slot | None = None
        self.work: Slot | None = None
        self.floating: list[Slot] = []
        self._going_on: set[int] = set()

    # ------------------------------------------------------------------ following

    def go_on(
        self,
        places: Mapping[int, int | None],
        ran: frozenset[str] = frozenset(),
        failed: frozenset[int] = frozenset(),
    ) -> None:
        """These runs began before the document was saved, and stood at those of its cells.

        `ran` is what they had run until then; `failed` are its cells that show an error.
        """
        self._going_on = set(places)
        self.changes.going_on = frozenset(places)
        self.changes.saved_runs, self.changes.failed = ran, failed
        if 0 in places and places[0] is not None:
            self.cursor = self.latest = self.slots[places[0]]

    @property
    def spans(self) -> bool:
        """Whether all that ran is of kernels that went on after the document was saved."""
        return bool(self.steps) and all(step.run in self._going_on for step in self.steps)

    def follow(self) -> None:
        """Takes every step in turn."""
        at, last_run = 0, None
        while at < len(self.steps):
            step = self.steps[at]
            started = step.run != last_run and step.run not in self._going_on
            last_run = step.run
            if step.cell_id is not None:
                self._take_told(step, step.cell_id)
                at += 1
                continue
            sweep = self._sweep_from(at, self._ends[at], started)
            if sweep is not None:
                at = self._take_sweep(sweep, at, started)
            else:
                self._take(step)
                at += 1

    def _sweep_from(self, at: int, end: int, started: bool) -> Sweep | None:
        if not started and not self._four_in_a_row(at, end):
            return None
        code = [slot.source if slot.code else None for slot in self.slots]
        guessed = frozenset(s.source for s in self.slots if s.code and s.touched and not s.swept)
        return find_sweep([step.source for step in self.steps[at:end]], code, guessed)

    def _four_in_a_row(self, at: int, end: int) -> bool:
        wanted = [step.source for step in self.steps[at : min(at + 4, end)]]
        if len(wanted) < 4 or not all(self._of_text.get(source) for source in wanted):
            return False
        only = [slot.source for slot in self.slots if slot.code]
        return any(
            source == wanted[0] and only[place : place + 4] == wanted
            for place, source in enumerate(only)
        )

    # ------------------------------------------------------------------ sweeps

    def _take_sweep(self, sweep: Sweep, at: int, started: bool) -> int:
        """Takes the sweep that begins at `at`; the step after it."""
        slots = list(self.slots)
        pairs = [(at + step, slots[place]) for step, place in sweep.pairs]
        now = {slot for _, slot in pairs}
        edge, before = at, None
        for step, slot in pairs:
            self._take_gap(range(edge, step), before, slot, now)
            self._ran(slot, step, swept=True)
            edge, before = step + 1, slot
        end = at + sweep.length
        if started:
            end = self._end_of_tail(end, now)
        self._take_gap(range(edge, end), before, None, now)
        for slot in self.slots[
            self._top(pairs[0][1], len(pairs), started) : self._index(pairs[-1][1])
        ]:
            if slot.code and slot not in now:
                slot.skipped += 1
        self.sweeps.append((at, frozenset(now), pairs[-1][1]))
        self.cursor = self.latest = before
        after = self.slots[self._index(pairs[-1][1]) + 1 :]
        if started and self.work is not None and not any(s.code and s.source for s in after):
            self.cursor = self.work
        return end

    def _top(self, first: Slot, count: int, started: bool) -> int:
        """Where the sweep began: at the top, unless it left out too much before `first`."""
        place = self._index(first)
        before = sum(slot.code for slot in self.slots[:place])
        return 0 if started and before <= count else place

    def _end_of_tail(self, end: int, now: set[Slot]) -> int:
        """Past the last cells of a run of all, where their place had been guessed wrong."""
        same = end < len(self.steps) and self.steps[end].run == self.steps[end - 1].run
        stop = self._ends[end] if same else end
        if stop - end > TAIL:
            return end
        placed = [self._known_elsewhere(self.steps[at].source, now) for at in range(end, stop)]
        return stop if all(slot is not None and slot.touched for slot in placed) else end

    def _take_gap(
        self, steps: range, before: Slot | None, after: Slot | None, now: set[Slot]
    ) -> None:
        """Executions of a sweep between two cells that matched, and the cells between those."""
        here = before
        for at in steps:
            source = self.steps[at].source
            slot = self._known_elsewhere(source, now)
            if slot is not None:
                if slot.origin is not None and slot.touched:
                    slot = self._split(slot)
                self._move(slot, here, after)
                self._ran(slot, at, swept=True)
            else:
                slot = self._changed_in_gap(source, at, here, after, now)
            if slot is None:
                slot = self._insert(source, at, here, after)
                slot.swept = 1
            now.add(slot)
            here = slot

    def _known_elsewhere(self, source: str, now: set[Slot]) -> Slot | None:
        having = [slot for slot in self._of_text.get(source, ()) if slot not in now]
        return min(having, key=self._index, default=None)

    def _changed_in_gap(
        self, source: str, at: int, here: Slot | None, after: Slot | None, now: set[Slot]
    ) -> Slot | None:
        low = self._index(here) + 1 if here is not None else 0
        high = self._index(after) if after is not None else low
        best, score = None, 0.25
        for slot in self.slots[low:high]:
            if slot.code and slot not in now and not self.changes.runs_later(slot.source, at):
                alike = self.changes.alike(slot, source)
                if alike > score:
                    best, score = slot, alike
        if best is not None:
            self._change(best, source, at, score)
            best.swept = 1
        return best

    def _split(self, slot: Slot) -> Slot:
        """What was taken for a change of a document's cell stands elsewhere: it was a new one."""
        at, source = slot.versions.pop()
        while len(slot.versions) > 1 and slot.versions[-1][0] >= 0:
            slot.versions.pop()
        self._give_text(slot, slot.versions[-1][1])
        slot.ran = int(slot.source in self.changes.future)
        slot.swept, slot.skipped = 0, 1
        new = self._insert(source, at, slot, None)
        new.ran = 0
        return new

    # ------------------------------------------------------------------ single executions

    def _take_told(self, step: Step, cell_id: str) -> None:
        """An execution of which the cell is known, not guessed."""
        slot = self._by_id.get(cell_id)
        if slot is None:
            slot = self._insert(step.source, step.at, self.cursor, None)
            self._by_id[cell_id] = slot
        elif slot.source != step.source:
            self._change(slot, step.source, step.at, 1.0)
        else:
            self._ran(slot, step.at)
        slot.told = True
        self.cursor = self.latest = self.work = slot

    def _take(self, step: Step) -> None:
        exact = self._exact(step.source)
        if exact is not None:
            if self._is_next(exact):
                self.cursor = exact
            self._ran(exact, step.at)
            self._settle_before(exact)
            self.latest = exact
            return
        slot, score = self.choose(step)
        where, stays = self.cursor, 1.0
        if slot is not None:
            stays = self.changes.staying(slot, step, self.slots)
            if stays < ENOUGH:
                self._change(slot, step.source, step.at, score)
                self._settle_before(slot)
                self.cursor = self.latest = self.work = slot
                return
            slot.stays = min(slot.stays, stays)
            where = slot if stays < HALF else where
        slot = self._insert(step.source, step.at, where, None)
        slot.stays, slot.fit = stays, score if stays < 1 else slot.fit
        if where is None or where in self.floating:
            self.floating.append(slot)
        if not is_look(step.source):
            self.cursor = self.work = slot
        self.latest = slot

    def choose(self, step: Step) -> tuple[Slot | None, float]:
        """The cell whose text the execution changed, None if it is a new one; how alike it is."""
        return self.changes.choose(step, self.slots, self.cursor, self.latest)

    def _settle_before(self, slot: Slot) -> None:
        """New cells of which nothing told the place stand before the first that is known."""
        if slot in self.floating:
            return
        for each in self.floating:
            self._move(each, None, slot)
        self.floating.clear()

    # ------------------------------------------------------------------ bookkeeping

    def _exact(self, source: str) -> Slot | None:
        having = self._of_text.get(source)
        if not having:
            return None
        here = self._index(self.cursor) if self.cursor is not None else -1
        places = ((self._index(slot), slot) for slot in having)
        return min(
            ((p - here if p >= here else (here - p) * 2, p, slot) for p, slot in places),
            key=lambda each: each[:2],
        )[2]

    def _index(self, slot: Slot) -> int:
        return self.slots.index(slot)

    def _is_next(self, slot: Slot) -> bool:
        if self.cursor is None:
            return True
        here, there = self._index(self.cursor), self._index(slot)
        between = [one for one in self.slots[here + 1 : there] if one.code and not one.gone]
        return there >= here and len(between) <= 1

    def _ran(self, slot: Slot, at: int, swept: bool = False) -> None:
        slot.ran += 1
        slot.swept += swept
        slot.skipped = 0
        slot.last_ran = at

    def _change(self, slot: Slot, source: str, at: int, fit: float) -> None:
        self._give_text(slot, source)
        slot.versions.append((at, source))
        slot.fit = fit
        slot.ran, slot.swept, slot.skipped, slot.last_ran = 1, 0, 0, at

    def _insert(self, source: str, at: int, after: Slot | None, ahead: Slot | None) -> Slot:
        slot = Slot(source, born=at, versions=[(at, source)], ran=1, last_ran=at)
        self._of_text[source].append(slot)
        self.changes.note(slot)
        self._put(slot, after, ahead)
        return slot

    def _give_text(self, slot: Slot, source: str) -> None:
        self._of_text[slot.source].remove(slot)
        slot.source = source
        self._of_text[source].append(slot)
        self.changes.note(slot)

    def _move(self, slot: Slot, after: Slot | None, ahead: Slot | None) -> None:
        self.slots.remove(slot)
        self._put(slot, after, ahead)

    def _put(self, slot: Slot, after: Slot | None, ahead: Slot | None) -> None:
        if after is not None:
            place = self._index(after) + 1
        elif ahead is not None:
            place = self._index(ahead)
        else:
            place = len(self.slots)
        self.slots.insert(place, slot)


def _ends_of_runs(steps: Sequence[Step]) -> list[int]:
    """For each step, the number of the first step of the next run."""
    ends = [len(steps)] * len(steps)
    for at in range(len(steps) - 2, -1, -1):
        ends[at] = ends[at + 1] if steps[at].run == steps[at + 1].run else at + 1
    return ends
