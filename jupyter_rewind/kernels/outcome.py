"""What a restore tells of each variable: what came back, what stayed alive, what did not load."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from jupyter_rewind.kernels import lost as lost_things
from jupyter_rewind.kernels.comparison import PLAIN, reports_of, small_reports
from jupyter_rewind.kernels.finalized import STAYS
from jupyter_rewind.kernels.loading import Loader
from jupyter_rewind.kernels.losses import WHOLE, HubLosses, Loss, worse
from jupyter_rewind.kernels.pods import HUB, SMALL, VARIABLE, words_for_root
from jupyter_rewind.kernels.records import PodRecord
from jupyter_rewind.kernels.standing import holds_placeholder
from jupyter_rewind.kernels.whereabouts import place_notes
from jupyter_rewind.model.snapshot import Fidelity, VariableReport

_MOST = 50
"""So many things that are gone are looked for in the variables of a pod."""


def report_on(
    records: tuple[PodRecord, ...], loader: Loader, same: set[str]
) -> tuple[VariableReport, ...]:
    found, losses = [], HubLosses(records)
    lost = _find_lost(records, loader)
    for key, loss in lost.items():
        if key.startswith(HUB):
            losses.add(key[len(HUB) :], loss)
    for key, reason in loader.failures.items():
        # Who refers to a function that does not load has a placeholder in its place.
        if key.startswith(HUB) and loader.live(key[len(HUB) :]) is None:
            losses.add(key[len(HUB) :], (Fidelity.MISSING, reason))
    every = reports_of(records, losses)
    of_notebook = reports_of(records, losses, of_modules=False)
    stand_ins = {key for one in records if one.is_stand_in for key in one.keys}
    # Those of modules stay as they are.
    found += [one for one in every if one not in of_notebook]
    for one in of_notebook:
        key = VARIABLE + one.name
        fidelity, reason = _what_came(key, one, loader, key in same)
        fidelity, reason = worse((fidelity, reason), lost.get(key, WHOLE))
        is_left = fidelity is Fidelity.REFERENCE and reason == _ALIVE
        if is_left and key in stand_ins:
            reason = f"{_ALIVE}: {one.reason}"
        is_other = key not in same and not (is_left and _is_left(key, one.name, loader))
        found.append(
            VariableReport(
                one.name, one.type_name, one.size_bytes, fidelity, reason, is_other, one.preview,
                is_left,
            )
        )  # fmt: skip
    small: dict[str, Any] = {}
    for key, held in loader.values.items():
        if key.startswith(SMALL):
            small |= held
    for one in small_reports(small, losses, loader.uid_of):
        fidelity, reason = worse((one.fidelity, one.reason), lost.get(VARIABLE + one.name, WHOLE))
        is_other = differs(loader.namespace, one.name, small[VARIABLE + one.name])
        found.append(replace(one, fidelity=fidelity, reason=reason, changed=is_other))
    return tuple(sorted(found, key=lambda one: one.name))


def _find_lost(records: tuple[PodRecord, ...], loader: Loader) -> dict[str, Loss]:
    """What could not be imported, by the roots that lead to it."""
    found: dict[str, Loss] = {}
    for record in records:
        lost = [one for one in loader.lost.get(record.node, ()) if not lost_things.has_made(one)]
        noted = [(id(one), Fidelity.MISSING, lost_things.words_for(one)) for one in lost[:_MOST]]
        if not noted:
            continue
        values = {key: loader.values[key] for key in record.keys if key in loader.values}
        for key in record.keys:
            if key.startswith(SMALL):
                values |= values.pop(key, {})
        known = (loader.namespace,)
        for key, notes in place_notes([*values.items()], noted, {}, known, words_for_root).items():
            found[key] = Fidelity.MISSING, "; ".join(reason for _, reason in notes[:3])
    return found


def _what_came(
    key: str, one: VariableReport, loader: Loader, is_same: bool
) -> tuple[Fidelity, str]:
    failure = loader.failures.get(key)
    if failure is not None:
        stays = "it stays what it is now: " if key in loader.spared else ""
        return Fidelity.MISSING, stays + failure
    if key in loader.lost_entries:
        return Fidelity.REBUILT, "some of its keys have become equal: an entry of those is lost"
    if key in loader.finals.stayed and not is_same:
        return Fidelity.MISSING, STAYS
    if one.fidelity is Fidelity.REBUILT and is_same:
        return Fidelity.EXACT, ""
    is_alive = is_same or (key in loader.living and key not in loader.dead)
    if one.fidelity is Fidelity.MISSING and is_alive:
        if holds_placeholder(loader.values.get(key, loader.namespace.get(one.name))):
            return one.fidelity, one.reason  # what it stands for is gone
        return Fidelity.REFERENCE, _ALIVE
    return one.fidelity, one.reason


_ALIVE = "what was not kept of it is still alive, and stays what it is now"


def _is_left(key: str, name: str, loader: Loader) -> bool:
    """Whether the variable is such a thing itself, and names it now: nothing is done to it."""
    value = loader.values.get(key)
    return id(value) in loader.left and loader.namespace.get(name, loader) is value


def told_alive(
    report: Iterable[VariableReport], changed: Collection[str], namespace: Mapping[str, Any]
) -> tuple[VariableReport, ...]:
    """The report on a state whose very objects are there; `changed` are the names of those that
    were others, or not what they are."""
    return tuple(
        replace(
            one,
            fidelity=Fidelity.REFERENCE,
            reason=_ALIVE,
            changed=one.name in changed,
            left_alive=True,
        )
        if one.fidelity is Fidelity.MISSING and not holds_placeholder(namespace.get(one.name))
        else replace(one, changed=one.name in changed)
        for one in report
    )


def differs(before: Mapping[str, Any], name: str, value: Any) -> bool:
    """Whether the variable was not there, or was another value."""
    held = before.get(name, before)
    if held is value:
        return False
    return type(held) is not type(value) or type(value) not in PLAIN or repr(held) != repr(value)
