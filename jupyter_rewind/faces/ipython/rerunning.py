"""Running cells again to get at a state: the plan is shown and asked for, then carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jupyter_rewind.errors import NotFound, RestoreRefused
from jupyter_rewind.faces.ipython.answers import Answer, Words, describe_state, table
from jupyter_rewind.kernels.cellcode import awaits
from jupyter_rewind.kernels.rerun import Plan, plan_after, plan_for
from jupyter_rewind.kernels.unkept import name_cells
from jupyter_rewind.model.snapshot import Snapshot

if TYPE_CHECKING:
    from jupyter_rewind.faces.ipython.verbs import Verbs


class Rerun:
    """One wish to get at a state with cells run again."""

    def __init__(self, verbs: Verbs, shell: Any, ask: Callable[[str], bool]) -> None:
        self._verbs = verbs
        self._shell = shell
        self._ask = ask

    def to(self, ref: str, *, trust: bool = False) -> Answer:
        """The state `ref`, with what was not kept of it made again by the cells that made it; what
        else these cells set is as it was at `ref`.

        Raises RestoreRefused where the user says no, or a cell cannot be run from here; nothing was
        changed then.
        """
        plan = self.plan(ref)
        if not plan.steps:
            return self._verbs.to(plan.base.id, trust=trust)
        _check_can_run(plan)
        if not self._ask(describe_plan(plan)):
            raise RestoreRefused("No cell was run.", hint="Nothing was changed.")
        back = self._verbs.to(plan.base.id, trust=trust)
        made: dict[str, Any] = {}
        ready: set[str] = set()
        for done, step in enumerate(plan.steps):
            if step.before is not None:
                self._go(step.before, made)
            result = self._shell.run_cell(step.execution.source, store_history=False)
            if not result.success and step.execution.status != "error":
                raise RestoreRefused(
                    f"In[{step.execution.count}] failed when it was run again; {done} of"
                    f" {len(plan.steps)} cells had run.",
                    hint="`%rewind undo` brings back what was before.",
                )
            ready |= set(step.makes)
            made = self._made(ready)
        if not plan.wanted:
            return Words(f"{back}\nCells run again: {len(plan.steps)}.")
        self._go(plan.base, made)
        return Words(
            f"{back}\nCells run again: {len(plan.steps)}. They made"
            f" {', '.join(sorted(made)) or 'nothing'}; all else is as it was.\n"
            + "\n".join(_reservations(plan))
        )

    def _made(self, names: set[str]) -> dict[str, Any]:
        """What stands under these names now."""
        from jupyter_rewind.kernels.placeholders import Placeholder

        space = self._verbs.session.namespace
        return {
            name: space[name]
            for name in names
            if name in space and not isinstance(space[name], Placeholder)
        }

    def _go(self, to: Snapshot, made: dict[str, Any]) -> None:
        """The variables are those of that state, and beside them what was made."""
        session = self._verbs.session
        session.timeline.settle(to)
        session.namespace.update(made)

    def plan(self, ref: str) -> Plan:
        """What would be run. Raises NotFound."""
        session = self._verbs.session
        timeline = session.timeline
        executions = session.archive.runs.executions(session.run.id)
        try:
            target = timeline.resolve(ref)
        except NotFound:
            if not ref.strip().isdecimal():
                raise
            base = _last_before(timeline.snapshots(), int(ref))
            if base is None:
                raise
            return plan_after(base, executions, int(ref))
        names = timeline.missing_at(target)
        return plan_for(target, timeline.snapshots(), executions, names)


def _check_can_run(plan: Plan) -> None:
    """Nothing, or RestoreRefused: in a kernel the loop that would run an `await` is at work on the
    cell that asks for it."""
    awaiting = [each.execution.count for each in plan.steps if awaits(each.execution.source)]
    if not awaiting or asyncio._get_running_loop() is None:
        return
    raise RestoreRefused(
        f"{name_cells(awaiting)} cannot be run again by another cell: `await` stands at the top.",
        hint="Nothing was changed. Go back without `--rerun`, and run that yourself.",
    )


def describe_plan(plan: Plan) -> str:
    """The plan in the words of the question."""
    rows = [
        (
            f"In[{each.execution.count}]",
            ", ".join(each.effects) or "-",
            each.execution.source.strip().partition("\n")[0],
        )
        for each in plan.steps
    ]
    heads = ("cell", "likely effects outside", "")
    wanted = f", to make {', '.join(plan.wanted)} again" if plan.wanted else ""
    return (
        f"Back to {describe_state(plan.base)}, then run these cells again{wanted}:\n"
        f"{table(heads, rows)}\nRun them? [y/N] "
    )


def _reservations(plan: Plan) -> list[str]:
    """What may differ from the first time."""
    words = [
        "Only cells that name what was wanted were run, each among the variables of its time: what"
        " others did to it is not in it."
    ]
    for step in plan.steps:
        if not step.is_exact and step.before is not None:
            words.append(
                f"In[{step.execution.count}] ran with the variables of"
                f" {describe_state(step.before)}: those that it found the first time were not kept."
            )
    return words


def _last_before(snapshots: list[Snapshot], count: int) -> Snapshot | None:
    return next((each for each in reversed(snapshots) if 0 < each.count <= count), None)
