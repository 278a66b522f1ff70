"""Where a variable can be had that a state is without, for want of time: an earlier state has it.

It is named and not brought back: cells may have changed the variable since, and a move makes no
state that never was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from jupyter_rewind.errors import NotFound, RestoreRefused, RewindError
from jupyter_rewind.kernels.pods import VARIABLE
from jupyter_rewind.kernels.records import PodRecord, read_pod, read_state
from jupyter_rewind.kernels.standins import LATE
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.model.snapshot import Fidelity, Snapshot, VariableReport
from jupyter_rewind.store.keep import ContentSource

if TYPE_CHECKING:
    from jupyter_rewind.kernels.archive import Archive  # a move does without, and it loads an index

log = logging.getLogger(__name__)
_Pods = dict[Digest, dict[str, bool]]
_FAR = 1000
"""So many states are looked through."""


def name_earlier(
    report: tuple[VariableReport, ...], snapshot: Snapshot, open_archive: Callable[[], Archive]
) -> tuple[VariableReport, ...]:
    """The report on `snapshot`, which names for each variable that there was no time for the
    newest state before it that has the variable. The archive is opened where there is one. Best
    effort: the report is true without it."""
    late = {one.name for one in report if _is_late(one)}
    if not late:
        return report
    try:
        found = find_earlier(late, snapshot, open_archive())
    except RewindError as error:
        log.warning("no earlier state was looked for: %s", error)
        return report
    return tuple(_told(one, found) if _is_late(one) else one for one in report)


def explain_late(
    error: RestoreRefused, name: str, snapshot: Snapshot, open_archive: Callable[[], Archive]
) -> None:
    """The refusal to load a variable that there was no time for says where it can be had, if an
    earlier state has it. Best effort."""
    if error.hint or not error.message.endswith(f"{LATE}."):
        return
    try:
        at = find_earlier([name], snapshot, open_archive()).get(name)
    except RewindError as fault:
        log.warning("no earlier state was looked for: %s", fault)
        return
    if at is not None:
        where = _where(name, at)
        error.hint = f"{where[0].upper()}{where[1:]}."


def find_earlier(names: Iterable[str], snapshot: Snapshot, archive: Archive) -> dict[str, Snapshot]:
    """The newest state before `snapshot` that has each of these variables whole. One that a state
    is without altogether was another variable before that. Raises Integrity, Newer, Format."""
    wanted = set(names)
    found: dict[str, Snapshot] = {}
    pods: _Pods = {}
    at = snapshot
    for _ in range(_FAR):
        if not wanted or at.parent is None:
            break
        try:
            at = archive.snapshot(at.parent)
            holds = _look_into(at, archive.repository, pods)
        except NotFound:
            break  # it has expired, and with it what leads on
        found |= {name: at for name in wanted if holds.get(name)}
        wanted = {name for name in wanted if holds.get(name) is False}
    return found


def _look_into(snapshot: Snapshot, store: ContentSource, pods: _Pods) -> dict[str, bool]:
    """The variables of the state, and whether it has their values. What `pods` knows is not read
    again: from one state to the next, few change."""
    holds: dict[str, bool] = {}
    for node in read_state(store, snapshot.state).pods:
        if node not in pods:
            pods[node] = _variables(read_pod(store, node))
        holds |= pods[node]
    return holds


def _variables(pod: PodRecord) -> dict[str, bool]:
    keys = {root.key: root.fidelity is not Fidelity.MISSING for root in pod.roots}
    keys |= dict.fromkeys(pod.names, True)
    return {
        key[len(VARIABLE) :]: has and not pod.is_stand_in
        for key, has in keys.items()
        if key.startswith(VARIABLE)
    }


def _is_late(one: VariableReport) -> bool:
    return one.fidelity is Fidelity.MISSING and one.reason.endswith(LATE)


def _told(one: VariableReport, found: Mapping[str, Snapshot]) -> VariableReport:
    at = found.get(one.name)
    if at is None:
        return one
    return replace(one, reason=f"{one.reason}; {_where(one.name, at)}")


def _where(name: str, at: Snapshot) -> str:
    where = f"after {at.place}" if at.count else f"in the state kept {at.place}"
    return f"what it was {where}, `%rewind get {name} --at {at.id}` brings back"
