"""What the verbs answer: values with the words that a user reads, in a cell or from a magic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from jupyter_rewind.model.snapshot import (
    Fidelity,
    How,
    Snapshot,
    VariableChange,
    VariableReport,
)

_NAMED = 5
_SIGNS = {How.ADDED: "+", How.CHANGED: "~", How.REMOVED: "-"}


class Answer:
    """Shown as its words."""

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True, repr=False)
class Words(Answer):
    """A sentence or two."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, repr=False)
class Report(Answer):
    """How faithfully each variable of a state is kept."""

    title: str
    variables: tuple[VariableReport, ...]
    notes: tuple[str, ...] = ()
    """What else there is to know: which states went into this one or could not be kept."""

    def __str__(self) -> str:
        return "\n".join([self._words(), *self.notes])

    def _words(self) -> str:
        if not self.variables:
            return f"{self.title}: no variables."
        rows = [
            (each.name, each.type_name, size(each.size_bytes), str(each.fidelity), each.reason
             or each.preview)
            for each in self.variables
        ]  # fmt: skip
        return f"{self.title}\n{table(('name', 'type', 'size', 'kept', ''), rows)}"


@dataclass(frozen=True, repr=False)
class Changes(Answer):
    """How the variables differ between two states."""

    title: str
    changes: tuple[VariableChange, ...]

    def __str__(self) -> str:
        if not self.changes:
            return f"{self.title}: no difference."
        rows = [
            (_SIGNS[each.how], each.name, each.type_name, _sizes(each), _previews(each))
            for each in self.changes
        ]
        return f"{self.title}\n{table(('', 'name', 'type', 'size', ''), rows)}"


@dataclass(frozen=True, repr=False)
class Back(Answer):
    """A state came back: which, what was not kept faithfully, and how to undo it."""

    what: str
    snapshot: Snapshot
    kept: Snapshot
    variables: tuple[VariableReport, ...]
    problems: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    again: str = "`%rewind undo` takes this back."

    def __str__(self) -> str:
        lost = [each for each in self.variables if each.fidelity is Fidelity.MISSING]
        changed = sum(each.changed for each in self.variables if each not in lost)
        left = [each for each in self.variables if each.left_alive]
        as_now = sum(not each.changed for each in left)
        same = len(self.variables) - changed - len(lost) - as_now
        parts = [f"{amount(changed, 'variable')} brought back"]
        parts += [f"{same} as they were"] if same else []
        parts += [f"{as_now} left as they are now"] if as_now else []
        parts += [f"{len(lost)} missing"] if lost else []
        parts += [f"{len(self.removed)} removed"] if self.removed else []
        words = [f"{self.what}: {', '.join(parts)}."]
        words += [f"  {self._gone()}"] if self.removed else []
        for fidelity, verb in ((Fidelity.MISSING, "is missing"), (Fidelity.REBUILT, "was rebuilt")):
            words += [
                f"  {each.name} ({each.type_name}) {verb}: {each.reason}"
                for each in self.variables
                if each.fidelity is fidelity
            ]
        words += [f"  {_left_alive(left)}"] if left else []
        words += [f"  {each}" for each in self.problems]
        words.append(self.again)
        return "\n".join(words)

    def _gone(self) -> str:
        """Which names the state did not have."""
        shown, rest = self.removed[:_NAMED], len(self.removed) - _NAMED
        names = ", ".join(shown) + (f" and {rest} more" if rest > 0 else "")
        return f"{names} {'was' if len(self.removed) == 1 else 'were'} not there then."


@dataclass(frozen=True)
class Row:
    """One state of a run, and the cell it came after."""

    snapshot: Snapshot
    is_head: bool
    branches_off: str
    """The state it stands on, where that is not the one above; else empty."""
    source: str = ""


@dataclass(frozen=True, repr=False)
class History(Answer):
    """The states of a run, the newest last."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    """Which states could not be kept, and why."""

    def __str__(self) -> str:
        words = "No state has been kept in this run yet."
        if self.rows:
            heads = ("", "after", "time", "variables", "new", "", "")
            words = table(heads, [_row(each) for each in self.rows])
        return "\n".join([words, *self.notes])


def describe_state(snapshot: Snapshot) -> str:
    """`the state after In[7] (14:05:03)`."""
    if snapshot.count == 0:
        return f"the state kept at {clock_time(snapshot.time_ns)}"
    return f"the state after In[{snapshot.count}] ({clock_time(snapshot.time_ns)})"


def amount(number: int, noun: str) -> str:
    """`1 state`, `2 states`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def clock_time(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9).strftime("%H:%M:%S")


def day_and_time(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9).strftime("%Y-%m-%d %H:%M")


def size(count: int) -> str:
    """`17 bytes`, `1.2 MB`."""
    number, units = float(count), ["bytes", "KB", "MB", "GB", "TB"]
    while number >= 1000 and len(units) > 1:
        number /= 1000
        units.pop(0)
    return f"{count} bytes" if units[0] == "bytes" else f"{number:.3g} {units[0]}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they have to be, the last one cut at a line's end."""
    widths = [max(len(heads[at]), *(len(row[at]) for row in rows)) for at in range(len(heads) - 1)]
    lines = []
    for row in (heads, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        last = " ".join(row[-1].split())
        cells.append(last if len(last) <= 60 else f"{last[:59]}…")
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _left_alive(left: Sequence[VariableReport]) -> str:
    """Which variables are, or hold, what no move takes back."""
    names = ", ".join(f"{each.name} ({each.type_name})" for each in left[:_NAMED])
    names += f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
    return f"What was not kept of {names} is still alive, and stays what it is now."


def _row(row: Row) -> tuple[str, ...]:
    snapshot = row.snapshot
    lost = snapshot.counts.missing + snapshot.counts.rebuilt
    counts = f"{snapshot.counts.variables}" + (f" ({lost} not exact)" if lost else "")
    marks = [f'"{each}"' for each in snapshot.labels]
    if row.branches_off:
        marks.append(f"from {row.branches_off}")
    if snapshot.merged:
        marks.append(f"with {amount(len(snapshot.merged), 'cell')} before it")
    return (
        "*" if row.is_head else "", snapshot.place, clock_time(snapshot.time_ns), counts,
        size(snapshot.new_bytes), " ".join(marks), row.source.strip().partition("\n")[0],
    )  # fmt: skip


def _sizes(change: VariableChange) -> str:
    if change.how is How.CHANGED and change.before_bytes != change.after_bytes:
        return f"{size(change.before_bytes)} → {size(change.after_bytes)}"
    return size(change.before_bytes if change.how is How.REMOVED else change.after_bytes)


def _previews(change: VariableChange) -> str:
    if change.how is How.CHANGED and change.before != change.after:
        return f"{change.before} → {change.after}"
    return change.before if change.how is How.REMOVED else change.after
