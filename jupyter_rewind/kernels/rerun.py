"""Which cells would have to run again to get at a state, and what they would do to the world.

Nothing is run here: a plan is made, and whoever shows it asks.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from jupyter_rewind.kernels.cellcode import parse_cell
from jupyter_rewind.kernels.effects import Notebook
from jupyter_rewind.model.execution import Execution
from jupyter_rewind.model.ids import ExecutionId
from jupyter_rewind.model.snapshot import Snapshot

_WORD = re.compile(r"[^\W\d]\w*")
_OWN = ("%rewind", "%load_ext jupyter_rewind")


@dataclass(frozen=True, slots=True)
class Step:
    """One cell that would run again; `effects` are what it likely does outside the kernel."""

    execution: Execution
    effects: tuple[str, ...]
    before: Snapshot | None = None
    """The state that it is to find; None for what stands there when its turn comes."""
    is_exact: bool = True
    """Whether that is the state that it found the first time."""
    makes: tuple[str, ...] = ()
    """The wanted variables that have their value from here on."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Start from `base`, then run `steps` in order; `wanted` are the variables that need it."""

    base: Snapshot
    steps: tuple[Step, ...]
    wanted: tuple[str, ...] = ()


def plan_after(base: Snapshot, executions: Sequence[Execution], count: int) -> Plan:
    """What leads from `base` to the state after `In[count]`."""
    steps = [
        each
        for each in executions
        if each.kept and base.count < each.count <= count and not _is_own(each.source)
    ]
    effects = _effects_of(steps, executions)
    return Plan(base, tuple(Step(each, effects[each.id]) for each in steps))


def plan_for(
    base: Snapshot,
    snapshots: Sequence[Snapshot],
    executions: Sequence[Execution],
    names: Iterable[str],
) -> Plan:
    """What makes the variables `names` again, which `base` does not hold: for each of them the last
    cell on the way there that gave it a value, and those after it that name it, each from the state
    of `snapshots` (oldest first) that it found."""
    line = _line_to(base, snapshots)
    past = [each for each in _past_of(line, executions) if not _is_own(each.source)]
    found: dict[str, Execution] = {}
    makes: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        last = next((at for at in range(len(past))[::-1] if _gives(past[at], name)), None)
        if last is None:
            continue
        makes.setdefault(past[last].id, []).append(name)
        found[past[last].id] = past[last]
        words = {name}
        for each in past[last + 1 :]:
            if not words.isdisjoint(named_in(each.source)):
                found[each.id] = each
                words |= _ways_to(words, each.source)
    effects, steps = _effects_of(found.values(), executions), []
    for each in sorted(found.values(), key=lambda one: one.started_ns):
        before = _found_by(each, line)
        is_exact = before is None or not any(
            before.time_ns < one.started_ns < each.started_ns for one in past
        )
        steps.append(
            Step(each, effects[each.id], before, is_exact, tuple(makes.get(each.id, ())))
        )  # fmt: skip
    made = sorted(name for one in makes.values() for name in one)
    return Plan(base, tuple(steps), tuple(made))


def _line_to(base: Snapshot, snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """The states on the way to `base`, oldest first."""
    known = {each.id: each for each in snapshots}
    line: list[Snapshot] = []
    at: Snapshot | None = base
    while at is not None:
        line.append(at)
        at = known.get(at.parent) if at.parent is not None else None
    return line[::-1]


def _past_of(line: Sequence[Snapshot], executions: Sequence[Execution]) -> list[Execution]:
    """The cells that led to the last of these states; all of those before the first one."""
    ids = {one for each in line for one in (each.execution, *each.merged)}
    first = line[0]
    older = first.time_ns if first.parent is not None else 0
    found = [one for one in executions if one.id in ids or one.started_ns < older]
    return sorted(found, key=lambda one: one.started_ns)


def _found_by(execution: Execution, line: Sequence[Snapshot]) -> Snapshot | None:
    older = [each for each in line if each.time_ns <= execution.started_ns]
    return older[-1] if older else None


def _gives(execution: Execution, name: str) -> bool:
    return name in assigned_names(execution.source)


def named_in(source: str) -> set[str]:
    """The variables that the cell names, in its functions too."""
    tree = parse_cell(source)
    if tree is None:
        return set(_WORD.findall(source))
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _ways_to(names: set[str], source: str) -> set[str]:
    """The functions and classes of the cell that name one of these."""
    tree = parse_cell(source)
    found = set()
    for node in tree.body if tree is not None else ():
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            inner = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
            if not names.isdisjoint(inner):
                found.add(node.name)
    return found


def assigned_names(source: str) -> set[str]:
    """The variables that the cell's own lines give a value."""
    tree = parse_cell(source)
    return set() if tree is None else set(_assigned(tree))


def _effects_of(
    steps: Iterable[Execution], executions: Sequence[Execution]
) -> dict[ExecutionId, tuple[str, ...]]:
    """What each of these cells likely does, with what the cells before it had defined."""
    wanted = {each.id for each in steps}
    notebook, found = Notebook(), dict[ExecutionId, tuple[str, ...]]()
    for each in sorted(executions, key=lambda one: one.started_ns):
        notebook.add(each.source)
        if each.id in wanted:
            found[each.id] = notebook.effects_of(each.source)
    return found


def _is_own(source: str) -> bool:
    return source.strip().startswith(_OWN)


def _assigned(tree: ast.Module) -> Iterator[str]:
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0]
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        if not isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp)):
            pending.extend(ast.iter_child_nodes(node))
