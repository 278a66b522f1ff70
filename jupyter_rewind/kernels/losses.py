"""What classes and functions lose is lost to all that refer to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from jupyter_rewind.kernels.pods import HUB
from jupyter_rewind.kernels.records import RootRecord
from jupyter_rewind.model.snapshot import Fidelity

Loss = tuple[Fidelity, str]
WHOLE: Loss = (Fidelity.EXACT, "")


class Told(Protocol):
    """A pod, in memory or in the store."""

    @property
    def roots(self) -> Sequence[RootRecord]: ...
    @property
    def refs(self) -> Iterable[str]: ...


class HubLosses:
    """How faithfully the classes and functions of one state are kept, with all they refer to."""

    def __init__(self, pods: Iterable[Told]) -> None:
        self._own: dict[str, Loss] = {}
        self._refs: dict[str, Iterable[str]] = {}
        for pod in pods:
            for root in pod.roots:
                if root.key.startswith(HUB):
                    uid = root.key[len(HUB) :]
                    self._refs[uid] = pod.refs
                    if root.fidelity in (Fidelity.REBUILT, Fidelity.MISSING):
                        self._own[uid] = root.fidelity, root.reason

    def add(self, uid: str, loss: Loss) -> None:
        """One that did not come back as it was kept."""
        self._own[uid] = worse(self._own.get(uid, WHOLE), loss)

    def of(self, uids: Iterable[str]) -> Loss:
        """The worst of these, and of what they refer to. What comes back by its name is whole."""
        worst, seen, left = WHOLE, set[str](), list(uids) if self._own else []
        while left:
            uid = left.pop()
            if uid in seen:
                continue
            seen.add(uid)
            worst = worse(worst, self._own.get(uid, WHOLE))
            left += self._refs.get(uid, ())
        return worst

    def of_root(self, root: RootRecord, pod: Told) -> Loss:
        """How a root is kept, with the classes and functions that its pod refers to."""
        own = root.fidelity, root.reason
        # Asked for each of what may be a hundred thousand.
        return worse(own, self.of(pod.refs)) if self._own and pod.refs else own


def worse(one: Loss, other: Loss) -> Loss:
    """The one of which more is lost; the first where both lose as much."""
    return other if other[0].loss > one[0].loss else one
