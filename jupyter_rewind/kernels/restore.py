"""Going back: a stored state is built aside and checked, then takes the place of the present.

The present is kept first, so that every restore can be undone. What has not changed since stays
the very object that it is; what has is made anew, but living containers that somebody outside the
namespace may hold are filled instead, and living classes and functions are changed in place. Until
`Prepared.swap`, nothing live has been touched; a swap that fails puts everything back.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from jupyter_rewind.kernels import names as naming
from jupyter_rewind.kernels import roots as rooting
from jupyter_rewind.kernels.apart import Shared
from jupyter_rewind.kernels.caches import may_be_another
from jupyter_rewind.kernels.capture import Capturer, make_known, make_session
from jupyter_rewind.kernels.filling import MOST, can_be_filled, fill_living
from jupyter_rewind.kernels.hubs import Hubs
from jupyter_rewind.kernels.leftout import untouched
from jupyter_rewind.kernels.loading import Loader
from jupyter_rewind.kernels.outcome import report_on
from jupyter_rewind.kernels.ownvariables import import_modules, living_in_modules
from jupyter_rewind.kernels.patching import Patch, find_patch
from jupyter_rewind.kernels.places import ids_under, living_plain, living_roots, spare
from jupyter_rewind.kernels.pods import ENVIRONMENT, MODULE, OUTPUT, SMALL, VARIABLE, is_whole
from jupyter_rewind.kernels.records import PodRecord, RootRecord, check_trust, read_records
from jupyter_rewind.kernels.staging import Stage
from jupyter_rewind.kernels.state import Pod
from jupyter_rewind.kernels.undoing import Entries, as_it_was, take_back
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.model.snapshot import Snapshot, VariableReport
from jupyter_rewind.store.keep import ContentSource


@dataclass(frozen=True, slots=True)
class Undone:
    """A restore was taken back: `to` is there again; `kept` is what was restored; `left` are ids of
    what it found alive, and left as it was."""

    to: Snapshot
    kept: Snapshot
    problems: tuple[str, ...]
    left: set[int]


@dataclass(slots=True)
class Prepared:
    """A state, built aside. `present` is the snapshot of what it will replace."""

    snapshot: Snapshot
    present: Snapshot | None
    report: tuple[VariableReport, ...]
    _namespace: dict[str, Any]
    _loader: Loader
    _records: tuple[PodRecord, ...]
    _kept: dict[str, Any]
    _capturer: Capturer | None
    _patches: list[Patch] = field(default_factory=list)
    _undo: list[Callable[[], Any]] = field(default_factory=list)
    _around: dict[str, Any] = field(default_factory=dict)
    _before: list[Pod] = field(default_factory=list)
    _births: Any = None
    _problems: tuple[str, ...] = ()

    def swap(self) -> tuple[str, ...]:
        """The state is the present now; says what of the surroundings could not be set. On any
        error everything is as it was before."""
        capturer, problems = self._capturer, self._problems
        if capturer is not None:
            self._before, self._births = capturer.pods(), capturer.bindings.births()
        environment = capturer.environment if capturer is not None else None
        self._around = environment.read() if environment is not None else {}
        shared = self._shared()
        try:
            for patch in self._patches:
                self._undo.append(patch.apply())
            self._run_deferred()
            values = self._values()
            self._fill_living(values)
            self._set_outputs(values)
            self._set_names(values)
            problems += self._set_modules(values)
            problems += shared.words(self._namespace) if shared is not None else ()
            if environment is not None:
                around = self._loader.values.get(ENVIRONMENT)
                scopes = self._loader.homes.used.values()
                problems += environment.move(self._around, around, scopes)
            if capturer is not None:
                self._hand_over(capturer, values)
        except BaseException as error:
            for failed in self._put_back()[0]:
                error.add_note(f"Something was not put back: {type(failed).__name__}: {failed}")
            self._let_go()
            raise
        self._let_go(is_used=True)
        return problems

    def _hand_over(self, capturer: Capturer, values: dict[str, Any]) -> None:
        """What comes next branches off from this state."""
        made = self._loader
        nodes = {record.node for record in self._records}
        same = [pod for pod in self._before if pod.node in nodes and is_as_told(pod.roots)]
        capturer.adopt(self.snapshot, same, self._pods(), made.made, made.cells)
        capturer.hubs.homes.adopt(made.homes.used, made.made.values())
        capturer.moved = self
        capturer.bindings.note(self.snapshot.execution, values, capturer.pods())

    def _let_go(self, *, is_used: bool = False) -> None:
        for undo in self._undo:
            if isinstance(undo, Entries):
                undo.thin_out()
        self._loader.let_go(is_used=is_used)
        self._kept.clear()
        self._namespace = {}

    def drop(self) -> None:
        """It is not to be the present: what was built goes away."""
        self._let_go()

    def take_back(self) -> Undone | None:
        """The very objects of before are there again; None where anything has changed since: then
        their state is to be brought back. Raises Storage."""
        capturer = self._capturer
        if capturer is None or self.present is None:
            return None
        kept = capturer.keep_present()
        if capturer.moved is not self or kept is None:
            return None
        errors, problems = self._put_back()
        return Undone(self.present, kept, problems, self._loader.left) if not errors else None

    def _put_back(self) -> tuple[list[BaseException], tuple[str, ...]]:
        """Everything is as it was before the move: what failed of that, and what of the
        surroundings could not be set."""
        errors, capturer = take_back(self._undo), self._capturer
        if capturer is None or self.present is None:
            return errors, ()
        capturer.moved = None
        if errors:
            capturer.note_outside("a restore was not taken back whole")
            return errors, ()
        environment = capturer.environment
        problems = environment.apply(self._around) if environment is not None else ()
        capturer.return_to(self.present, {pod.keys: pod for pod in self._before})
        capturer.bindings.return_to(self.present.execution, self._births)
        return [], problems

    def _shared(self) -> Shared | None:
        """What the variables that stay share with those that come back; None where all do."""
        if self._capturer is None:
            return None
        stay = (*self._loader.spared, *self._loader.finals.stayed)
        names = {key[len(VARIABLE) :] for key in stay} | untouched(self.snapshot, self._capturer)
        staying = {name: self._namespace[name] for name in names if name in self._namespace}
        if not staying:
            return None
        state = {key for one in self._records for key in (*one.keys, *one.names)}
        coming = {
            name: value
            for name, value in self._namespace.items()
            if VARIABLE + name in state - self._kept.keys() and name not in staying
        }
        return Shared(staying, coming)

    def _values(self) -> dict[str, Any]:
        """Every root of the state that is a variable or an output."""
        values = dict(self._kept)
        whole = {root.key for one in self._records for root in one.roots if is_whole(root)}
        for key, value in self._loader.values.items():
            if key.startswith(SMALL):
                values.update(value)
            elif key.startswith((VARIABLE, OUTPUT)) or key in whole - self._loader.failures.keys():
                values[key] = value
        # What does not load stays as it is.
        return values | {key: self._kept[key] for key in self._loader.spared}

    def _run_deferred(self) -> None:
        for action, arguments in self._loader.deferred:
            self._undo.append(as_it_was(arguments[0]))
            action(*arguments)
        # What was made is held by the state alone now.
        self._loader.deferred.clear()

    def _fill_living(self, values: dict[str, Any]) -> None:
        """What others outside the notebook may hold takes the content of what was made for it."""
        if self._capturer is None:
            return  # it holds nothing yet
        # Not the namespace and IPython's own containers, nor what stays under some name of it.
        used = {id(one) for one in (*make_known(self._namespace), *values.values())}
        capturer = self._capturer
        modules = living_in_modules(values) if capturer.modules is not None else {}
        now = itertools.chain(self._namespace.values(), modules.values())
        then = modules | capturer.bindings.find(self.snapshot.execution, now)
        used |= ids_under(capturer.closed_keys(), self._namespace, modules)
        chosen: dict[int, tuple[str, Any]] = {}
        for key, live in then.items():
            if id(live) in used or key not in values:
                continue
            if (
                type(live) is type(values[key])
                and live is not values[key]
                and not self._loader.finals.is_living(values[key])
                and can_be_filled(type(live))
            ):
                used.add(id(live))
                chosen.setdefault(id(values[key]), (key, live))
        pairs = self._loader.take_homes()
        first, told = len(pairs), {id(one) for one, _ in pairs}
        found = (one for number, one in chosen.items() if number not in told)
        pairs += [(values[key], live) for key, live in itertools.islice(found, MOST)]
        hubs = (*self._loader.made.values(), *(one for _, one in capturer.hubs.living()))
        fill_living(pairs, hubs, self._undo, self._loader.sharing, first=first)

    def _set_outputs(self, values: dict[str, Any]) -> None:
        outputs: dict[Any, Any] = rooting.outputs_of(self._namespace)
        self._undo.append(Entries(lambda: outputs))
        wanted = {key[len(OUTPUT) :]: one for key, one in values.items() if key.startswith(OUTPUT)}
        order = self._loader.values.get(naming.OUTPUTS)
        if order is None and any(naming.OUTPUTS in record.keys for record in self._records):
            order = list(outputs)  # it is what it was then
        naming.put_outputs(outputs, wanted, order)

    def _set_names(self, values: dict[str, Any]) -> None:
        namespace = self._namespace
        excluded = untouched(self.snapshot, self._capturer)
        self._undo.append(self._names_as_they_are())
        wanted = {
            key[len(VARIABLE) :]: value for key, value in values.items() if key.startswith(VARIABLE)
        }
        ours = sys.modules.get("jupyter_rewind.kernel", self)  # what goes back may go on with it
        for name, value in list(namespace.items()):
            if name in wanted or value is ours:
                continue
            if rooting.is_variable(name, value, excluded):
                del namespace[name]
        for name, value in wanted.items():
            if namespace.get(name, wanted) is not value and rooting.is_kept(name, excluded):
                namespace[name] = value
        keys = (key for record in self._records for key in record.keys)
        naming.set_odd_names(namespace, keys, self._loader.values)
        naming.put_in_order(namespace, self._loader.values.get(naming.ORDER))

    def _names_as_they_are(self) -> Entries:
        capturer, namespace = self._capturer, self._namespace
        if capturer is None:
            return Entries(lambda: namespace)
        # The namespace itself is not held: the capturer has it anyway.
        return Entries(
            lambda: capturer.namespace,
            lambda name, value: (
                isinstance(name, str) and not rooting.is_variable(name, value, capturer.excluded)
            ),
        )

    def _set_modules(self, values: dict[str, Any]) -> tuple[str, ...]:
        modules = self._capturer.modules if self._capturer is not None else None
        if modules is None:
            return ()
        known = {key for one in self._records for key in (*one.keys, *one.names)}
        return modules.put(values, known, self._undo)

    def _pods(self) -> dict[tuple[str, ...], Pod]:
        """What the next capture compares with."""
        found = {patch.record.keys: patch.patched_pod() for patch in self._patches}
        for record in self._records:
            known = self._loader.hashes.get(record.node)
            if known is not None and not any(key in self._loader.failures for key in record.keys):
                stream_hash, states = known
                found[record.keys] = Pod(
                    record.roots, self._ids(record), stream_hash, record.stream_size, states,
                    frozenset(record.refs), record.names, chunks=record.stream,
                    node=record.node, hollow=record.hollow,
                )  # fmt: skip
        return found

    def _ids(self, record: PodRecord) -> tuple[int, ...]:
        """What its roots are bound to now: the next look tells them together, as they were told.
        Empty where that is not known."""
        try:
            living = living_roots(record, self._namespace)
        except KeyError:
            return ()
        if living.keys() != set(record.keys):
            return ()
        return tuple(id(living[key]) for key in record.keys)


def prepare(
    store: ContentSource,
    snapshot: Snapshot,
    namespace: dict[str, Any],
    capturer: Capturer | None = None,
    *,
    trust: bool = False,
) -> Prepared:
    """The state of `snapshot`, built aside for `namespace`; the present is kept first.

    Raises RestoreRefused for a snapshot that this store's key did not make, unless `trust` is
    given; NotFound, Integrity, Newer, Format where the state itself does not read.
    """
    check_trust(snapshot, trust)
    if capturer is None:
        return _prepare(store, snapshot, namespace, None)
    with capturer.hubs.lives.held():
        return _prepare(store, snapshot, namespace, capturer)


def _prepare(
    store: ContentSource,
    snapshot: Snapshot,
    namespace: dict[str, Any],
    capturer: Capturer | None,
) -> Prepared:
    present, unchanged = None, set[Digest]()
    if capturer is not None:
        present = capturer.keep_present()
        unchanged = {pod.node for pod in capturer.pods() if pod.node and is_as_told(pod.roots)}
    records = read_records(store, snapshot)
    same = {key for record in records if record.node in unchanged for key in record.keys}
    loader = Loader(
        store, records, make_known(namespace), unchanged=dict.fromkeys(same),
        hubs=capturer.hubs if capturer is not None else Hubs(), in_place=capturer is not None,
    )  # fmt: skip
    with contextlib.ExitStack() as stack:
        stack.callback(loader.let_go)
        kept: dict[str, Any] = {}
        patches, wanted = [], []
        for record in records:
            if record.node in unchanged and not record.names:
                kept.update(living_roots(record, namespace))
            elif (patch := _find_patch(store, snapshot, record, namespace, capturer)) is not None:
                kept.update(living_roots(record, namespace))
                patches.append(patch)
            elif record.node in unchanged and (living := living_plain(record, namespace)):
                loader.keep(record, living)
            else:
                wanted.append(record)
        problems = load_records(loader, records, wanted, capturer)
        for record in records if capturer is not None and loader.failures else ():
            kept.update(spare(record, loader, namespace))
        loader.finals.give_up(loader.failures, loader.deferred)
        report = report_on(records, loader, same)
        stack.pop_all()
    return Prepared(
        snapshot, present, report, namespace, loader, records, kept, capturer, patches,
        _problems=problems,
    )  # fmt: skip


def is_as_told(roots: Iterable[RootRecord]) -> bool:
    """False where what lives may be another than what tells the same."""
    return not any(may_be_another(root.reason) for root in roots)


def load_records(
    loader: Loader,
    records: Sequence[PodRecord],
    wanted: Sequence[PodRecord],
    capturer: Capturer | None,
) -> tuple[str, ...]:
    """The pods are built, among the surroundings of their own state; says which modules are not
    there."""
    environment = capturer.environment if capturer is not None else None
    with Stage(loader, records, as_it_was, environment) as stage:
        stage.set_around()
        problems: tuple[str, ...] = ()
        if capturer is not None and capturer.modules is not None:
            problems = import_modules(name for record in records for name in record.names)
        stage.set_up(wanted)
        for record in wanted:
            loader.load(record)
    return problems


def _find_patch(
    store: ContentSource,
    snapshot: Snapshot,
    record: PodRecord,
    namespace: dict[str, Any],
    capturer: Capturer | None,
) -> Patch | None:
    kinds = (VARIABLE, OUTPUT, MODULE)
    if capturer is None or not all(key.startswith(kinds) for key in record.keys):
        return None
    pod = capturer.pod(record.keys)
    if pod is None:
        return None
    living = living_roots(record, namespace)
    if not pod.closed and not capturer.bindings.has_same_arrays(snapshot.execution, pod):
        return None  # others may hold what would be changed, and it was not there then
    session = make_session(namespace, capturer.hubs)
    return find_patch(store, record, pod, session, [(key, living[key]) for key in record.keys])
