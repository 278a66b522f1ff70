"""One variable out of a state, while all others stay as they are."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Any

from jupyter_rewind.errors import NotFound, RestoreRefused
from jupyter_rewind.kernels.capture import Capturer, make_known
from jupyter_rewind.kernels.hubs import Hubs
from jupyter_rewind.kernels.loading import Loader
from jupyter_rewind.kernels.pods import HUB, VARIABLE
from jupyter_rewind.kernels.records import PodRecord, check_trust, read_records
from jupyter_rewind.kernels.restore import load_records
from jupyter_rewind.model.snapshot import Snapshot
from jupyter_rewind.store.keep import ContentSource


def load_variable(
    store: ContentSource,
    snapshot: Snapshot,
    name: str,
    namespace: dict[str, Any],
    capturer: Capturer | None = None,
    *,
    trust: bool = False,
) -> Any:
    """One variable as it was then; shares nothing with the present but unchanged classes, and
    functions that share nothing with it.

    Raises NotFound where the state has no such variable, RestoreRefused where it was not kept or
    does not load, or the snapshot is not this store's.
    """
    check_trust(snapshot, trust)
    records = read_records(store, snapshot)
    record = _find(records, name, snapshot)
    nodes = set()
    if capturer is not None:
        capturer.flush()
        nodes = {pod.node for pod in capturer.pods()}
    same = {key: None for one in records if one.node in nodes for key in one.keys}
    hubs = capturer.hubs if capturer is not None else Hubs()

    def load(made_anew: PodRecord) -> Any:
        """Functions of this pod are not the living ones, which hold what lives."""
        for key in made_anew.keys:
            if isinstance(hubs.get(key[len(HUB) :]), types.FunctionType):
                same.pop(key, None)
        known = make_known(namespace)
        loader = Loader(store, records, known, hubs=hubs, unchanged=same, in_place=False)
        try:
            return _load(name, loader, records, record, capturer)
        finally:
            loader.let_go()

    found = load(record)
    own = HUB + (hubs.uid_of(found) or "") if type(found) is types.FunctionType else None
    return load(next(one for one in records if own in one.keys)) if own in same else found


def _find(records: Sequence[PodRecord], name: str, snapshot: Snapshot) -> PodRecord:
    found = next((one for one in records if VARIABLE + name in (*one.keys, *one.names)), None)
    if found is None:
        raise NotFound(f"There is no variable {name} in the state after In[{snapshot.count}].")
    return found


def _load(
    name: str,
    loader: Loader,
    records: Sequence[PodRecord],
    record: PodRecord,
    capturer: Capturer | None,
) -> Any:
    key = VARIABLE + name
    load_records(loader, records, [record], capturer)
    held = key if key in record.keys else record.keys[0]
    if held in loader.failures:
        raise RestoreRefused(f"{name} could not be loaded: {loader.failures[held]}.")
    return loader.values[held] if held == key else loader.values[held][key]
