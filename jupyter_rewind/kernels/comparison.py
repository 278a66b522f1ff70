"""What a stored state says of its variables, and how two states differ: without loading values.

Small values are read by a reader that knows plain Python values and imports nothing.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from typing import Any

from jupyter_rewind.errors import Format
from jupyter_rewind.kernels.losses import WHOLE, HubLosses, worse
from jupyter_rewind.kernels.lost import Lost
from jupyter_rewind.kernels.lost import words_for as words_for_lost
from jupyter_rewind.kernels.ownvariables import (
    is_of_module_itself,
    split_key,
    words_for_key,
)
from jupyter_rewind.kernels.placeholders import FilePlaceholder, Placeholder, set_state
from jupyter_rewind.kernels.pods import HUB, MODULE, VARIABLE, is_whole
from jupyter_rewind.kernels.preview import preview, type_name
from jupyter_rewind.kernels.reading import PodReader
from jupyter_rewind.kernels.records import PodRecord, read_pod, read_state
from jupyter_rewind.kernels.reducers.modules import words_for, words_of
from jupyter_rewind.kernels.roots import is_result
from jupyter_rewind.kernels.sameness import Sameness
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.model.snapshot import (
    Fidelity,
    How,
    Snapshot,
    VariableChange,
    VariableReport,
)
from jupyter_rewind.store.keep import ContentSource

Described = dict[str, tuple[object, VariableReport]]
PLAIN = {kind: kind.__name__ for kind in (int, float, bool, str, bytes, complex, type(None))}
_MODULES = "jupyter_rewind.kernels.reducers.modules"
_CODE = "function or class"
_STANDS: dict[tuple[str, str], Callable[..., object]] = {
    ("builtins", "complex"): complex,
    (Placeholder.__module__, "Placeholder"): lambda *given: Placeholder(*given),
    (Placeholder.__module__, "FilePlaceholder"): lambda *given: FilePlaceholder(*given),
    (Placeholder.__module__, "set_state"): lambda *given: set_state(*given),
}
"""All that is called to show a state, whoever made it. By whole names: a dotted one leads on, to
what such a module has imported; and never the class itself, of which a stream could set
attributes."""


def report(store: ContentSource, snapshot: Snapshot) -> tuple[VariableReport, ...]:
    """Every variable of the state, by name. Raises NotFound, Integrity, Newer, Format."""
    records = _records(store, snapshot)
    losses = HubLosses(records)
    found = [*reports_of(records, losses), *small_reports(_small(store, records), losses)]
    return tuple(sorted(found, key=lambda one: one.name))


def compare(store: ContentSource, before: Snapshot, after: Snapshot) -> tuple[VariableChange, ...]:
    """How `after` differs from `before`, by name; pods that are the same are not looked into.

    Raises NotFound, Integrity, Newer, Format.
    """
    if before.state == after.state:
        return ()
    earlier, later = _described(store, before), _described(store, after)
    loaded = _modules(store, before), _modules(store, after)
    for name in loaded[0].keys() & loaded[1].keys():
        # What is told of a module that only one of them has is that it is there.
        earlier |= loaded[0][name]
        later |= loaded[1][name]
    changes, same = [], Sameness(store)
    for name in sorted(earlier.keys() | later.keys()):
        old, new = earlier.get(name), later.get(name)
        if old is not None and new is not None:
            if old[0] != new[0] and not _is_same(old[0], new[0], same):
                changes.append(_change(name, How.CHANGED, old[1], new[1]))
        elif new is not None:
            changes.append(_change(name, How.ADDED, None, new[1]))
        else:
            changes.append(_change(name, How.REMOVED, old[1] if old else None, None))
    return tuple(changes)


def reports_of(
    records: Iterable[PodRecord], losses: HubLosses, *, of_modules: bool = True
) -> list[VariableReport]:
    """What the pods say of their variables; small values are told by `small_reports`. Of those of
    modules, the ones that a restore leaves as they are."""
    found = []
    for record in records:
        for root in record.roots:
            fidelity, reason = losses.of_root(root, record)
            if root.key.startswith(VARIABLE) and not is_result(root.key[len(VARIABLE) :]):
                name = root.key[len(VARIABLE) :]
            elif of_modules and root.key.startswith(MODULE) and not is_whole(root):
                name = words_for_key(root.key)
                reason = f"it stays what the module makes it: {reason}"
            else:
                continue
            found.append(
                VariableReport(
                    name, root.type_name, record.size_bytes, fidelity, reason, False, root.preview
                )
            )
    return found


def small_reports(
    small: dict[str, Any],
    losses: HubLosses,
    uid_of: Callable[[Any], str | None] = lambda _: None,
) -> list[VariableReport]:
    """What is told of the small values; `uid_of` knows living classes and functions."""
    found = []
    whole = whole_modules(small)
    for key, value in small.items():
        if not key.startswith(VARIABLE):
            continue
        name = key[len(VARIABLE) :]
        if name.startswith("_") and is_result(name):
            continue
        plain = PLAIN.get(type(value))
        if plain is not None:
            # Nearly all of them, and there may be a hundred thousand.
            found.append(VariableReport(name, plain, 0, *WHOLE, preview=preview(value)))
            continue
        # Not `isinstance`, which would ask the value.
        if issubclass(type(value), Placeholder):
            found.append(VariableReport(name, value.type_name, 0, Fidelity.MISSING, value.how))
        elif type(value) is Lost:
            why = words_for_lost(value)
            found.append(VariableReport(name, _CODE, 0, Fidelity.MISSING, why))
        elif issubclass(type(value), Named):
            # A class or function is told by its uid, and is what its own pod says.
            fidelity, reason = worse(value.fidelity, losses.of([value.uid]))
            found.append(VariableReport(name, value.kind, 0, fidelity, reason, preview=value.name))
        else:
            text = preview(value)
            if type(value) is types.ModuleType:
                fidelity, reason = Fidelity.REFERENCE, words_of(value, whole)
            else:
                uid = uid_of(value)
                fidelity, reason = losses.of([uid] if uid is not None else ())
            found.append(VariableReport(name, type_name(value), 0, fidelity, reason, preview=text))
    return found


def whole_modules(small: Iterable[str]) -> frozenset[str]:
    """The modules of which the state has the variables, by the keys of its small values."""
    return frozenset(split_key(key)[0] for key in small if is_of_module_itself(key))


class Named:
    """Something that stands in the store by its name: a module, a function, a class."""

    __slots__ = ("is_own", "is_whole", "kind", "name", "uid")

    def __init__(
        self, kind: str, name: str, uid: str = "", *, is_own: bool = False, is_whole: bool = False
    ) -> None:
        self.kind = kind
        self.name = name
        self.uid = uid
        self.is_own = is_own
        self.is_whole = is_whole

    def _told(self) -> tuple[str, str, str]:
        return self.kind, self.name, self.uid

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named) and self._told() == other._told()

    def __hash__(self) -> int:
        return hash(self._told())

    @property
    def fidelity(self) -> tuple[Fidelity, str]:
        if self.kind == "module":
            return Fidelity.REFERENCE, words_for(
                self.name, is_own=self.is_own, is_whole=self.is_whole
            )
        return Fidelity.EXACT, ""


class _PlainReader(PodReader):
    """Reads plain values; whatever has a name stays a name. Imports and calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if name == "stand_for":
            return lambda uid, kind, *words: kind(*words)
        if name == "resolve_hub":
            return lambda uid: Named(_CODE, uid.partition(":")[0], uid)
        if name in ("import_module", "find_module", "import_own_module", "import_whole_module"):
            is_own, is_whole = name == "import_own_module", name == "import_whole_module"
            return lambda name: Named("module", name, is_own=is_own, is_whole=is_whole)
        if name == "find_lost":
            why = "it could not be imported when it was kept, either"
            return lambda module, name: Placeholder(_CODE, f"{module}.{name}", why)
        return _STANDS.get((module, name)) or _NamedMaker(module, name)


class _NamedMaker(Named):
    """A global by its name; what is made by calling it is known by it alone."""

    __slots__ = ()

    def __init__(self, module: str, name: str) -> None:
        if module == _MODULES:
            super().__init__("module", "")
        else:
            full = name if module == "builtins" else f"{module}.{name}"
            super().__init__(_CODE, full)

    def __call__(self, *given: object, **__: object) -> Named:
        if self.kind == "module":
            return Named("module made here", str(given[0]) if given else "")
        return Named(self.name, "")


def _small(store: ContentSource, records: Iterable[PodRecord]) -> dict[str, Any]:
    all_small: dict[str, Any] = {}
    for record in records:
        if record.names:
            stream = b"".join(map(store.get, record.stream))
            try:
                found = _PlainReader(stream, (None,) * 4, iter(())).load()
            except Exception as error:
                raise Format(f"The small values of a state do not read: {error}.") from error
            all_small.update(found)
    return all_small


def _records(store: ContentSource, snapshot: Snapshot) -> list[PodRecord]:
    return [read_pod(store, node) for node in read_state(store, snapshot.state).pods]


def _described(store: ContentSource, snapshot: Snapshot) -> Described:
    """For each variable: what is equal exactly when it has not changed, and its report."""
    records = _records(store, snapshot)
    small, losses = _small(store, records), HubLosses(records)
    found: Described = {}
    for record in records:
        for one in reports_of([record], losses, of_modules=False):
            found[one.name] = (record.node, one)
    keys = ((key, record.node) for record in records for key in record.keys)
    hubs = {key[len(HUB) :]: node for key, node in keys if key.startswith(HUB)}
    for one in small_reports(small, losses):
        value = small[VARIABLE + one.name]
        said = repr(value) if value != value else value
        node = hubs.get(value.uid) if isinstance(value, Named) else None
        found[one.name] = ((type(value), said, node), one)
    return found


def _modules(store: ContentSource, snapshot: Snapshot) -> dict[str, Described]:
    """For each module of which the state has the variables: the same of these."""
    records = _records(store, snapshot)
    small, losses = _small(store, records), HubLosses(records)
    found: dict[str, Described] = {name: {} for name in whole_modules(small)}
    for record in records:
        for root in record.roots:
            if root.key.startswith(MODULE):
                name, told = words_for_key(root.key), losses.of_root(root, record)
                one = VariableReport(
                    name, root.type_name, record.size_bytes, *told, False, root.preview
                )
                found.setdefault(split_key(root.key)[0], {})[name] = record.node, one
    for key, value in small.items():
        if key.startswith(MODULE) and not is_of_module_itself(key):
            name, kind = words_for_key(key), type(value)
            one = VariableReport(name, kind.__name__, 0, *WHOLE, False, preview(value))
            found[split_key(key)[0]][name] = (kind, value), one
    return found


def _is_same(old: object, new: object, same: Sameness) -> bool:
    """True for what two pods tell alike: of a variable, or of the class or function it names."""
    if type(old) is tuple and type(new) is tuple and len(old) == len(new) == 3:
        if old[:2] != new[:2]:
            return False
        old, new = old[2], new[2]
    return (
        isinstance(old, bytes) and isinstance(new, bytes) and same.holds(Digest(old), Digest(new))
    )


def _change(
    name: str, how: How, before: VariableReport | None, after: VariableReport | None
) -> VariableChange:
    told = after or before
    return VariableChange(
        name, how, told.type_name if told else "",
        before.size_bytes if before else 0, after.size_bytes if after else 0,
        before.preview if before else "", after.preview if after else "",
    )  # fmt: skip
