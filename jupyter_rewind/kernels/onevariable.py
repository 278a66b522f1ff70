"""One variable out of a state, while all others stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jupyter_rewind.errors import NotFound, RestoreRefused
from jupyter_rewind.kernels.capture import Capturer, make_known
from jupyter_rewind.kernels.hubs import Hubs
from jupyter_rewind.kernels.loading import Loader
from jupyter_rewind.kernels.pods import VARIABLE
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
    """One variable as it was then; shares nothing with the present but unchanged classes.

    Raises NotFound where the state has no such variable, RestoreRefused where it was not kept or
    does not load, or the snapshot is not this store's.
    """
    check_trust(snapshot, trust)
    records = read_records(store, snapshot)
    nodes = set()
    if capturer is not None:
        capturer.flush()
        nodes = {pod.node for pod in capturer.pods()}
    same = {key: None for one in records if one.node in nodes for key in one.keys}
    hubs = capturer.hubs if capturer is not None else Hubs()
    loader = Loader(
        store, records, make_known(namespace), hubs=hubs, unchanged=same, in_place=False
    )
    try:
        return _load(name, loader, records, snapshot, capturer)
    finally:
        loader.let_go()


def _load(
    name: str,
    loader: Loader,
    records: Sequence[PodRecord],
    snapshot: Snapshot,
    capturer: Capturer | None,
) -> Any:
    key = VARIABLE + name
    record = next((one for one in records if key in (*one.keys, *one.names)), None)
    if record is None:
        raise NotFound(f"There is no variable {name} in the state after In[{snapshot.count}].")
    load_records(loader, records, [record], capturer)
    held = key if key in record.keys else record.keys[0]
    if held in loader.failures:
        raise RestoreRefused(f"{name} could not be loaded: {loader.failures[held]}.")
    return loader.values[held] if held == key else loader.values[held][key]
