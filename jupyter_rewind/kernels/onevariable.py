"""One variable out of a state, while all others stay as they are."""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from typing import Any

from jupyter_rewind.errors import NotFound, RestoreRefused, Storage
from jupyter_rewind.kernels import names as naming
from jupyter_rewind.kernels import standing
from jupyter_rewind.kernels.capture import Capturer, make_known
from jupyter_rewind.kernels.hubs import Hubs
from jupyter_rewind.kernels.loading import Loader
from jupyter_rewind.kernels.placeholders import FilePlaceholder, Placeholder
from jupyter_rewind.kernels.pods import HUB, OUTPUT, VARIABLE
from jupyter_rewind.kernels.records import PodRecord, check_trust, read_records
from jupyter_rewind.kernels.restore import load_records
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.model.snapshot import Fidelity, Snapshot
from jupyter_rewind.store.keep import ContentSource

_STANDING = (Placeholder, FilePlaceholder)


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
    nodes = set() if capturer is None else _present_nodes(capturer)
    same = {key: None for one in records if one.node in nodes for key in one.keys}
    hubs = capturer.hubs if capturer is not None else Hubs()

    def load(made_anew: PodRecord) -> Any:
        """Functions of this pod are not the living ones, which hold what lives."""
        for key in made_anew.keys:
            if isinstance(hubs.get(key[len(HUB) :]), types.FunctionType):
                same.pop(key, None)
        space, _, *others = make_known(namespace)
        outputs: dict[Any, Any] = {}  # not the living ones, where the variable is, or holds, `Out`
        known = (space, outputs, *others)
        loader = Loader(store, records, known, hubs=hubs, unchanged=same, in_place=False)
        try:
            value = _load(name, loader, records, record, capturer)
            if standing.holds(value, outputs):
                _fill_outputs(outputs, loader, records, capturer)
            return value
        finally:
            loader.let_go()

    found = load(record)
    _refuse_placeholder(found, record, name, snapshot)
    own = HUB + (hubs.uid_of(found) or "") if type(found) is types.FunctionType else None
    return load(next(one for one in records if own in one.keys)) if own in same else found


def _present_nodes(capturer: Capturer) -> set[Digest | None]:
    """The pods of what lives now, which is kept for it: cells may have run unseen, and this one has
    run in part. None where it cannot be kept: then nothing that lives is taken for what was."""
    try:
        capturer.keep_present()
    except Storage:
        return set()
    return {pod.node for pod in capturer.pods()}


def _fill_outputs(
    outputs: dict[Any, Any],
    loader: Loader,
    records: Sequence[PodRecord],
    capturer: Capturer | None,
) -> None:
    """`Out` as it was then; what is not there any more is not in it."""
    held = {
        key: record
        for record in records
        for key in (*record.keys, *record.names)
        if key.startswith(OUTPUT) or key == naming.OUTPUTS
    }
    load_records(loader, records, list({id(one): one for one in held.values()}.values()), capturer)
    wanted = {}
    for key, record in held.items():
        values = loader.values if key in record.keys else loader.values.get(record.keys[0], {})
        if key.startswith(OUTPUT) and key in values:
            wanted[key[len(OUTPUT) :]] = values[key]
    naming.put_outputs(outputs, wanted, loader.values.get(naming.OUTPUTS))


def _find(records: Sequence[PodRecord], name: str, snapshot: Snapshot) -> PodRecord:
    found = next((one for one in records if VARIABLE + name in (*one.keys, *one.names)), None)
    if found is None:
        raise NotFound(f"There is no variable {name} in the state after In[{snapshot.count}].")
    return found


def missing_part(store: ContentSource, snapshot: Snapshot, name: str) -> str:
    """Why the variable, or a part of it, was not kept in the state; "" where all of it was, or
    there is none. Raises NotFound, Integrity, Newer, Format."""
    from jupyter_rewind.kernels.comparison import report

    told = (one for one in report(store, snapshot) if one.name == name)
    return next((one.reason for one in told if one.fidelity is Fidelity.MISSING), "")


def check_place(
    store: ContentSource,
    present: Callable[[], Snapshot],
    value: object,
    wanted: tuple[str, str, str],
    target: str,
) -> Snapshot:
    """A state of now, made by `present`, which holds the `value` that `target` holds. Raises
    RestoreRefused where no undo could bring that back.

    `wanted` is the variable, the state and what is missing of it there.
    """
    name, at, lost = wanted
    if issubclass(type(value), Placeholder):
        return present()
    hint = (
        f"Nothing was changed. Take another name: %rewind get {name} --at {at} --as {target}_then"
    )
    if lost:
        raise RestoreRefused(
            f"A part of {name} was not kept at {at}: {lost}. What {target} holds now may be the"
            " living one, which nothing could bring back.",
            hint=hint,
        )
    now = present()
    living = "you left it out" if target in now.excluded else missing_part(store, now, target)
    if living:
        raise RestoreRefused(
            f"What {target} holds now is not kept: {living}. Nothing could bring it back.",
            hint=hint,
        )
    return now


def _refuse_placeholder(found: object, record: PodRecord, name: str, snapshot: Snapshot) -> None:
    """Raises RestoreRefused where the value was not kept, and this but stands for it: what lives,
    here or elsewhere, is worth more."""
    roots = (one for one in record.roots if one.key == VARIABLE + name)
    if not isinstance(found, Placeholder) or type(found) not in _STANDING:
        return
    if any(one.fidelity is Fidelity.MISSING for one in roots):
        how = "open it again" if type(found) is FilePlaceholder else found.how
        raise RestoreRefused(
            f"{name} was not kept in the state after In[{snapshot.count}]: it was {found.what}.",
            hint=f"Nothing was changed. To get it back: {how}.",
        )


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
