"""`python -m benchmarks.calibration`: fits the weights of `jupyter_rewind/recovery/weights.py`.

With `saved` behind it, only those are fitted that are for kernels that went on after the save.

Simulated disasters (`disasters.py`), half of them between two real versions of a notebook, give
the truth of two questions: which cell an execution changed (a choice among cells, fitted step by
step with the truth known up to there), and whether a cell of the outcome was in the lost notebook
(four logistic models). Only every second pair of real versions is used: the others are left to
judge by. Needs numpy, and the corpus; takes about five minutes.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.disasters import OURS, Cell, Disaster
from benchmarks.material import as_evidence, material, real_versions, simulate
from benchmarks.recovery_autosave import TARGET as SAVED_TARGET
from benchmarks.recovery_autosave import session
from jupyter_rewind.recovery import confidence, rebuild
from jupyter_rewind.recovery.alignment import Follower
from jupyter_rewind.recovery.changes import Changes
from jupyter_rewind.recovery.evidence import Evidence
from jupyter_rewind.recovery.slots import Slot, Step

WEIGHTS = Path(rebuild.__file__).with_name("weights.py")
TARGET = Path("/home/u") / OURS
EACH = 600
SESSIONS = 1500
FOR = frozenset({"swept", "confirmed", "in_last_sweep", "needed", "again"})
AGAINST = frozenset({"skipped", "skipped_once", "broken", "look", "odd", "idle_skipped"})
BY_HAND = {"orphans": -2.0, "failed": 2.0}
"""Signs of what code means: the played user never runs any, so nothing can be learned of them."""
RIDGES = {"prose": 30.0}
"""Few notebooks tell of Markdown: this holds best for those that are left out of the fitting."""
HEAD = '"""Fitted weights of signs; made by `python -m benchmarks.calibration`."""\n'
Choice = tuple[list[dict[str, float]], int]
Judged = tuple[str, dict[str, float], bool, str]


def main() -> None:
    """Fits, and writes `weights.py`."""
    from jupyter_rewind.recovery import weights

    notebooks, pairs = material(), real_versions(slice(0, None, 2))
    if sys.argv[1:] == ["saved"]:
        fit_saved(notebooks, pairs, dict(weights.CHANGES) | BY_HAND)
        return
    disasters = [
        (family, simulate(seed, notebooks, versions))
        for family, versions in (("versions", pairs), ("made", []))
        for seed in range(2000, 2000 + EACH)
    ]
    changes = fit_choices([choices_of(disaster) for _, disaster in disasters]) | BY_HAND
    write({}, changes)  # the outcome is judged with the choices as they will be made
    judged = [
        row
        for family, disaster in disasters
        for row in judged_of(family, TARGET, as_evidence(disaster), disaster.truth)
    ]
    kinds = ("kept", "changed", "new", "prose")
    write({kind: fit_judgement(judged, kind) for kind in kinds}, changes)
    fit_saved(notebooks, pairs, changes)


def fit_saved(
    notebooks: Sequence[list[Cell]],
    pairs: Sequence[tuple[list[Cell], list[Cell]]],
    changes: dict[str, float],
) -> None:
    """Fits what is for sessions that span an autosave, one after the other."""
    write({"stays": fit_staying(notebooks, pairs)}, changes)
    rows = [
        row
        for family, versions in (("versions", pairs), ("made", ()))
        for seed in range(100_000, 100_000 + SESSIONS)
        for spanned in [session(seed, notebooks, versions)]
        if spanned is not None
        for row in judged_of(family, SAVED_TARGET, spanned.evidence, spanned.truth)
    ]
    write({kind: fit_judgement(rows, kind) for kind in ("saved", "saved prose")}, changes)


def write(kinds: dict[str, dict[str, float]], changes: dict[str, float]) -> None:
    """Weights as Python; what was not fitted keeps the weights that it has."""
    from jupyter_rewind.recovery import weights

    weights.CHANGES.clear()
    weights.CHANGES.update(changes)
    weights.WEIGHTS.update(kinds)
    lines = [HEAD, "WEIGHTS: dict[str, dict[str, float]] = {"]
    for kind, fitted in weights.WEIGHTS.items():
        lines += [f'    "{kind}": {{', *_lines(fitted, 8), "    },"]
    lines += ["}\n", "CHANGES: dict[str, float] = {", *_lines(changes, 4), "}\n"]
    waiting = WEIGHTS.with_suffix(".new")
    waiting.write_text("\n".join(lines))
    waiting.replace(WEIGHTS)


def _lines(fitted: dict[str, float], indent: int) -> Iterable[str]:
    return (f'{" " * indent}"{sign}": {weight:.3f},' for sign, weight in sorted(fitted.items()))


# ---------------------------------------------------------------------- which cell was changed


class Taught(Follower):
    """Follows with the truth known, and keeps each choice that there was."""

    def learn(self, marks: list[int | None]) -> list[Choice]:
        """All choices, with the right one; `marks` has the cell of each step."""
        self.marks, self.choices = marks, list[Choice]()
        self.where = {s.origin: s for s in self.slots if s.origin is not None and s.code}
        self.follow()
        return self.choices

    def choose(self, step: Step) -> tuple[Slot | None, float]:
        mark = self.marks[step.at]
        right = self.where.get(mark) if mark is not None else None
        options = self.changes.options(step, self.slots, self.cursor, self.latest)
        slots = [slot for slot, _ in options]
        if right in slots and len(options) > 1:
            self.choices.append(([signs for _, signs in options], slots.index(right)))
        return right, 1.0

    def _take(self, step: Step) -> None:
        super()._take(step)
        self._learn_place(range(step.at, step.at + 1))

    def _take_sweep(self, sweep: Any, at: int, started: bool) -> int:
        end = super()._take_sweep(sweep, at, started)
        self._learn_place(range(at, end))
        return end

    def _learn_place(self, steps: range) -> None:
        for at in steps:
            mark = self.marks[at]
            if mark is not None and mark not in self.where:
                for slot in self.slots:
                    if slot.code and slot.origin is None and slot.source == self.steps[at].source:
                        self.where[mark] = slot


def choices_of(disaster: Disaster) -> list[Choice]:
    """The choices in following a disaster's sessions."""
    steps: list[Step] = []
    marks: list[int | None] = []
    for number, played in enumerate(disaster.sessions):
        if number in disaster.own and played.started > disaster.stale_at:
            for source, mark in zip(played.executed, played.marks, strict=True):
                steps.append(Step(len(steps), number, source.rstrip()))
                marks.append(mark)
    if not steps or disaster.stale is None:
        return []
    cells = [(kind == "code", source.rstrip()) for kind, source in disaster.stale]
    return Taught(cells, steps).learn(marks)


def fit_choices(
    lots: list[list[Choice]], ridge: float = 0.2, rounds: int = 900
) -> dict[str, float]:
    """Weights under which the right option is the likeliest (a conditional logit)."""
    signs = sorted({sign for lot in lots for options, _ in lot for o in options for sign in o})
    column = {sign: at for at, sign in enumerate(signs)}
    table: list[Any] = []
    group: list[int] = []
    right: list[int] = []
    weight: list[float] = []
    for lot in lots:
        for options, which in lot:
            right.append(len(table) + which)
            weight.append(len(lot) ** -0.5)
            for option in options:
                row = np.zeros(len(signs))
                for sign, value in option.items():
                    row[column[sign]] = value
                table.append(row)
                group.append(len(right) - 1)
    x, of, share = np.array(table), np.array(group), np.array(weight)
    share /= share.mean()
    fitted, first, second = (np.zeros(len(signs)) for _ in range(3))
    for step in range(1, rounds + 1):
        odds = x @ fitted
        most = np.full(len(right), -np.inf)
        np.maximum.at(most, of, odds)
        grown = np.exp(odds - most[of])
        likely = grown / np.bincount(of, grown, len(right))[of]
        slope = (x[right] * share[:, None]).sum(0) - x.T @ (likely * share[of]) - ridge * fitted
        first, second = 0.9 * first + 0.1 * slope, 0.99 * second + 0.01 * slope**2
        pace = 0.05 if step < 0.7 * rounds else 0.015
        fitted += pace * first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
    return dict(zip(signs, fitted.tolist(), strict=True))


# ---------------------------------------------------------------------- does a saved cell stay


def fit_staying(
    notebooks: Sequence[list[Cell]], pairs: Sequence[tuple[list[Cell], list[Cell]]]
) -> dict[str, float]:
    """Logistic weights for a saved cell that something like it was run after."""
    rows = [
        row
        for family, versions in (("versions", pairs), ("made", ()))
        for seed in range(100_000, 100_000 + SESSIONS)
        for row in _staying_of(family, seed, notebooks, versions)
    ]
    return _fit_signs(rows, sorted({sign for row in rows for sign in row[1]}))


def _staying_of(
    family: str,
    seed: int,
    notebooks: Sequence[list[Cell]],
    versions: Sequence[tuple[list[Cell], list[Cell]]],
) -> list[Judged]:
    """Each time that it was asked: the signs, and whether the saved cell was in the notebook."""
    spanned = session(seed, notebooks, versions)
    if spanned is None:
        return []
    truth = {source.rstrip() for kind, source in spanned.truth if kind == "code"}
    rows: list[Judged] = []

    def staying(changes: Changes, slot: Slot, step: Step, slots: Sequence[Slot]) -> float:
        if changes.is_open(slot, step):
            signs = changes.staying_signs(slot, step, slots)
            rows.append(("stays", signs, slot.source in truth, family))
        return 0.0

    original = Changes.staying
    Changes.staying = staying  # type: ignore[method-assign]
    try:
        rebuild.rebuild(SAVED_TARGET, spanned.evidence)
    finally:
        Changes.staying = original  # type: ignore[method-assign]
    return rows


# ---------------------------------------------------------------------- was the cell in it


def judged_of(family: str, target: Path, evidence: Evidence, truth: Sequence[Cell]) -> list[Judged]:
    """Every cell of the outcome, kept or not: its signs, and whether it was in the notebook."""
    seen: list[tuple[list[confidence.Judged], confidence.Known]] = []

    def judge(
        follower: Follower,
        earlier: frozenset[str],
        doubtful: frozenset[int],
        shown: frozenset[int] = frozenset(),
    ) -> list[confidence.Judged]:
        judged = confidence.judge(follower, earlier, doubtful, shown)
        seen.append((judged, confidence.Known(follower, earlier)))
        return judged

    original = rebuild.judge
    rebuild.judge = judge  # type: ignore[attr-defined]
    try:
        rebuild.rebuild(target, evidence)
    finally:
        rebuild.judge = original  # type: ignore[attr-defined]
    left = Counter((kind, source.rstrip()) for kind, source in truth)
    rows: list[Judged] = []
    cells, known = seen[0]
    for each in sorted(cells, key=lambda one: (-one.kept, -one.confidence)):
        slot = each.slot
        key = ("code" if slot.code else "markdown", slot.source)
        if slot.source.strip():
            rows.append(
                (
                    confidence.kind_of(slot, known.spans),
                    confidence.signs(slot, known),
                    left[key] > 0,
                    family,
                )
            )
            left[key] -= 1
    return rows


def fit_judgement(judged: list[Judged], kind: str) -> dict[str, float]:
    """Logistic weights for one kind of cell, both families counting alike.

    A sign that can only speak for a cell never counts against it, whatever stands beside it in
    the sample; nor the other way round. What becomes of Markdown is learned of real versions
    alone: those that are made up change it without regard to the code.
    """
    real = [row for row in judged if row[3] == "versions"]
    rows = [row for row in (real if kind == "prose" else judged) if row[0] == kind]
    signs = sorted({sign for row in rows for sign in row[1]})
    while True:
        fitted = _fit_signs(rows, signs, RIDGES.get(kind, 1.0))
        wrong = {
            sign
            for sign, weight in fitted.items()
            if (sign in FOR and weight < 0) or (sign in AGAINST and weight > 0)
        }
        if not wrong:
            return fitted
        signs = [sign for sign in signs if sign not in wrong]


def _fit_signs(rows: list[Judged], signs: list[str], ridge: float = 1.0) -> dict[str, float]:
    x = np.array([[row[1].get(sign, 0.0) for sign in signs] for row in rows])
    y = np.array([float(row[2]) for row in rows])
    counts = Counter(row[3] for row in rows)
    share = np.array([len(rows) / len(counts) / counts[row[3]] for row in rows])
    held = np.array([0.01 if sign == "bias" else ridge for sign in signs])
    fitted = np.zeros(len(signs))
    for _ in range(60):
        likely = 1 / (1 + np.exp(-x @ fitted))
        slope = x.T @ (share * (y - likely)) - held * fitted
        bend = (x * (share * likely * (1 - likely))[:, None]).T @ x + np.diag(held)
        fitted += np.linalg.solve(bend, slope)
    return dict(zip(signs, fitted.tolist(), strict=True))


if __name__ == "__main__":
    main()
