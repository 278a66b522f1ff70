"""How faithfully a capture kept what it looked at: in numbers, and what is not exact by name."""

from __future__ import annotations

from collections.abc import Mapping

from jupyter_rewind.kernels.pods import VARIABLE
from jupyter_rewind.kernels.roots import Roots, is_result
from jupyter_rewind.kernels.state import Change
from jupyter_rewind.model.snapshot import Fidelity, FidelityCounts, VariableReport


def count_fidelity(change: Change, found: Roots) -> FidelityCounts:
    """How many variables are kept how."""
    counts: Mapping[Fidelity, int] = dict.fromkeys(Fidelity, 0)
    tally = dict(counts)
    tally[Fidelity.EXACT] += found.small - found.modules
    tally[Fidelity.REFERENCE] += found.modules
    for pod in change.pods.values():
        for root in pod.roots:
            if root.key.startswith(VARIABLE) and not is_result(root.key[len(VARIABLE) :]):
                tally[root.fidelity] += 1
    return FidelityCounts(*(tally[one] for one in Fidelity))


def list_losses(change: Change) -> tuple[VariableReport, ...]:
    """The variables that were told anew and are not exact."""
    return tuple(
        VariableReport(
            root.key[len(VARIABLE) :], root.type_name, pod.stream_size, root.fidelity, root.reason,
            True, root.preview,
        )
        for pod in change.changed
        for root in pod.roots
        if root.fidelity is not Fidelity.EXACT and root.key.startswith(VARIABLE)
    )  # fmt: skip
