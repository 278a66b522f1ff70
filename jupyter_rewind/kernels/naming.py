"""How snapshots are called: by the count of a cell, a ref, a label; and the lines they form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from jupyter_rewind import clock
from jupyter_rewind.errors import InvalidInput, NotFound
from jupyter_rewind.kernels.records import mark_key
from jupyter_rewind.model.entry import Json
from jupyter_rewind.model.execution import run_key
from jupyter_rewind.model.ids import SnapshotId
from jupyter_rewind.model.reference import check_label, resolve_ref
from jupyter_rewind.model.snapshot import Snapshot

_COUNT = re.compile(r"(?:in\s*)?\[?\s*(\d{1,9})\s*\]?", re.IGNORECASE)


def mark(snapshot: Snapshot, said: dict[str, Json]) -> dict[str, Any]:
    """What an entry says of a snapshot after it was made: arguments for `add`."""
    return {
        "keys": [mark_key(snapshot.id), run_key(snapshot.run)],
        "body": {"snapshot": snapshot.id, **said},
    }


def check_name(text: str) -> str:
    """`text` without the space around it, fit to be a snapshot's label. Raises InvalidInput."""
    label = check_label(text)
    if _COUNT.fullmatch(label):
        raise InvalidInput(
            f'"{label}" already means the state after a cell.',
            hint="Choose other words for the label.",
        )
    return label


def count_in(ref: str) -> int | None:
    """The count of a cell that `ref` names, if it names one."""
    counted = _COUNT.fullmatch(ref.strip())
    return None if counted is None else int(counted[1])


def find_snapshot(ref: str, snapshots: Sequence[Snapshot]) -> Snapshot:
    """The one of `snapshots` (oldest first) that `ref` names: a number is the count of a cell, and
    means the last state after a cell with this count. Raises NotFound, Conflict, InvalidInput."""
    count = count_in(ref)
    if count == 0:  # which is what states have that came after no cell
        raise _no_such_count(count, snapshots)
    if count is not None:
        found = next((each for each in reversed(snapshots) if each.count == count), None)
        if found is not None:
            return found
    try:
        return resolve_ref(ref, snapshots, clock.now_ns(), noun="snapshot")
    except NotFound as error:
        if count is None:
            raise
        raise _no_such_count(count, snapshots) from error


def _no_such_count(count: int, snapshots: Sequence[Snapshot]) -> NotFound:
    before = [each.count for each in snapshots if 0 < each.count < count]
    after = [each.count for each in snapshots if each.count > count]
    near = [f"In[{max(before)}]"] if before else []
    near += [f"In[{min(after)}]"] if after else []
    hint = f"The nearest states are those after {' and '.join(near)}." if near else ""
    if not (before and after):
        return NotFound(f"There is no state after In[{count}].", hint=hint)
    following = next(each for each in reversed(snapshots) if each.count == min(after))
    if len(following.merged) < min(after) - max(before) - 1:
        what = f"There is no state after In[{count}]: it was deleted, it expired or was not kept."
    else:
        what = f"The state after In[{count}] was not kept by itself: it went into a later one."
    return NotFound(
        what, hint=f"{hint} `%rewind to {count} --rerun` can run the cells in between again."
    )


def split_lines(
    snapshots: Sequence[Snapshot], head: SnapshotId | None
) -> list[tuple[Snapshot, ...]]:
    """The lines that `snapshots` (oldest first) form, each from where it left another one to its
    newest state. The line of `head`, the present, comes last and reaches back to the beginning."""
    known = {each.id: each for each in snapshots}
    parents = {each.parent for each in snapshots}
    tips = [each for each in snapshots if each.id not in parents or each.id == head]
    tips.sort(key=lambda each: (each.id != head, -each.order))
    claimed: set[SnapshotId] = set()
    lines = []
    for tip in tips:
        line: list[Snapshot] = []
        at: Snapshot | None = tip
        while at is not None and at.id not in claimed:
            line.append(at)
            claimed.add(at.id)
            at = known.get(at.parent) if at.parent is not None else None
        lines.append(tuple(reversed(line)))
    return lines[::-1]
