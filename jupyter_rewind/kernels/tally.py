"""How faithfully a capture kept what it looked at: in numbers, and what is not exact by name."""

from __future__ import annotations

from collections.abc import Mapping

from jupyter_rewind.kernels.hubs import Hubs
from jupyter_rewind.kernels.losses import HubLosses
from jupyter_rewind.kernels.pods import VARIABLE
from jupyter_rewind.kernels.roots import NAMED, Roots, is_result
from jupyter_rewind.kernels.state import Change
from jupyter_rewind.model.snapshot import Fidelity, FidelityCounts, VariableReport


def count_fidelity(change: Change, found: Roots, hubs: Hubs) -> FidelityCounts:
    """How many variables are kept how."""
    counts: Mapping[Fidelity, int] = dict.fromkeys(Fidelity, 0)
    tally, losses = dict(counts), HubLosses(change.pods.values())
    tally[Fidelity.EXACT] += found.small - found.modules
    tally[Fidelity.REFERENCE] += found.modules
    for key, value in found.values.get(NAMED, {}).items():
        uid = hubs.uid_of(value)
        fidelity, _ = losses.of([uid] if uid is not None else ())
        if fidelity is not Fidelity.EXACT and key.startswith(VARIABLE):
            tally[Fidelity.EXACT] -= 1
            tally[fidelity] += 1
    for pod in change.pods.values():
        for root in pod.roots:
            if root.key.startswith(VARIABLE) and not is_result(root.key[len(VARIABLE) :]):
                tally[losses.of_root(root, pod)[0]] += 1
    return FidelityCounts(*(tally[one] for one in Fidelity))


def list_losses(change: Change) -> tuple[VariableReport, ...]:
    """The variables that were told anew and are not exact."""
    losses = HubLosses(change.pods.values())
    told = (
        (root, pod, losses.of_root(root, pod))
        for pod in change.changed
        for root in pod.roots
        if root.key.startswith(VARIABLE)
    )
    return tuple(
        VariableReport(
            root.key[len(VARIABLE) :], root.type_name, pod.stream_size, fidelity, reason, True,
            root.preview,
        )
        for root, pod, (fidelity, reason) in told
        if fidelity is not Fidelity.EXACT
    )  # fmt: skip
