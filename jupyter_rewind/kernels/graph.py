"""The object graph cut into pods: what shares an object is one pod, and what does not is not.

A pod is told again after a cell unless it is proved untouched. Two pods that turn out to share an
object become one; a pod of several roots is taken apart when one of them was bound anew. Classes
and functions are roots of their own, and are named by uid wherever they are met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xxhash import xxh3_128_digest

from jupyter_rewind import clock
from jupyter_rewind.kernels import buffers, pods
from jupyter_rewind.kernels.closure import Binding, find_opening
from jupyter_rewind.kernels.codec import Session
from jupyter_rewind.kernels.memory import Memory
from jupyter_rewind.kernels.placeholders import Placeholder
from jupyter_rewind.kernels.pods import (
    ENVIRONMENT,
    HUB,
    OUTPUT,
    SMALL,
    VARIABLE,
    Note,
    Root,
    Written,
    write_pod,
)
from jupyter_rewind.kernels.preview import preview, type_name
from jupyter_rewind.kernels.records import RootRecord
from jupyter_rewind.kernels.state import Change, Pod
from jupyter_rewind.kernels.tokens import tokens_of
from jupyter_rewind.model.snapshot import Fidelity


@dataclass(slots=True)
class _Group:
    """Roots that are told together, and the pod they were before."""

    keys: tuple[str, ...]
    before: Pod | None
    written: Written | None = None
    error: Exception | None = None
    closed: bool = False
    seconds: float = 0.0


Skip = Callable[[Pod], bool]
_TURNS = 3


class Survey:
    """One look at the whole graph; the result is a `Change`, and nothing else is touched."""

    def __init__(
        self,
        session: Session,
        before: Mapping[tuple[str, ...], Pod],
        roots: dict[str, Any],
        skip: Skip,
        max_bytes: int | None = None,
        harmless: Sequence[Binding] = (),
        memory: Memory | None = None,
    ) -> None:
        self._session = session
        self._before = before
        self._roots = roots
        self._skip = skip
        self._max_bytes = max_bytes
        self._harmless = harmless
        self._memory = memory
        self._kept: dict[tuple[str, ...], Pod] = {}
        self._groups: list[_Group] = []

    def look(self) -> Change:
        """Raises nothing of the user's: what cannot be told is noted on its root."""
        try:
            self._find_hubs()
            self._gather()
            self._tell_all(self._groups)
            self._split()
            self._add_hubs()
            self._merge()
            return self._conclude()
        finally:
            for group in self._groups:
                if group.written is not None:
                    group.written.release()

    def _find_hubs(self) -> None:
        """Classes and functions that had a pod and live are roots again; for the time being."""
        for keys in self._before:
            for key in keys:
                if key.startswith(HUB):
                    value = self._session.hubs.get(key[len(HUB) :])
                    if value is not None:
                        self._roots[key] = value

    def _gather(self) -> None:
        """Names of one object go together from the start, and so do the roots of a pod, unless one
        of them was bound anew that held it together."""
        left = dict.fromkeys(self._roots)
        earlier: dict[str, Pod] = {}
        groups: dict[int, list[str]] = {}
        whole: dict[tuple[str, ...], Pod] = {}
        for keys, pod in self._before.items():
            if keys[0].startswith(SMALL) and keys[0] in left and self._skip(pod):
                self._kept[keys] = pod
                del left[keys[0]]
                continue
            bound = dict(zip(keys, pod.ids, strict=False))
            present = [key for key in keys if key in left]
            stay = [key for key in present if bound.get(key) == id(self._roots[key])]
            earlier.update(dict.fromkeys(present, pod))
            values = {bound[key] for key in stay}
            # Under names that may be fewer by now, all that it was is still here.
            if values == {bound.get(key) for key in keys} and values.isdisjoint(groups):
                groups.update(dict.fromkeys(values, stay))
                for key in stay:
                    del left[key]
                if len(stay) == len(keys):
                    whole[keys] = pod
        for key in left:
            groups.setdefault(self._identity(key), []).append(key)
        for group in {id(group): group for group in groups.values()}.values():
            keys = tuple(group)
            known = whole.get(keys)
            if known is not None and self._is_untouched(known):
                self._kept[keys] = known
                continue
            if known is None:
                keys = tuple(sorted(keys, key=pods.place))
            self._groups.append(_Group(keys, earlier.get(group[0])))

    def _identity(self, key: str) -> int:
        """The same for names of one object; that of a class or a function is told apart."""
        is_alone = key.startswith((HUB, SMALL, ENVIRONMENT))
        return -id(key) if is_alone else id(self._roots[key])

    def _is_untouched(self, pod: Pod) -> bool:
        bound = tuple(id(self._roots[key]) for key in pod.keys)
        if bound != pod.ids:
            return False
        if pod.token is not None:
            return pod.token == self._token(pod.keys)
        return self._skip(pod)

    def _tell_all(self, groups: Iterable[_Group]) -> None:
        for group in groups:
            self._tell(group)

    def _tell(self, group: _Group) -> None:
        began = clock.monotonic()
        if group.before is not None and group.before.names:
            self._put_in_order(group.keys[0], group.before.names)
        # First, while nothing else of ours refers to the values.
        group.closed = self._is_closed(group)
        roots: list[Root] = [(key, self._roots[key]) for key in group.keys]
        for turn in range(_TURNS):
            try:
                group.written = write_pod(self._session, roots)
                break
            except RuntimeError as error:
                # A thread of the user's changed it meanwhile; mostly it rests the next time.
                group.error = error.with_traceback(None) if turn == _TURNS - 1 else None
            except Exception as error:
                group.error = error.with_traceback(None)
                break
        group.seconds = clock.monotonic() - began

    def _put_in_order(self, key: str, names: Sequence[str]) -> None:
        """Small values are told in the order of the last time, whatever came back since."""
        held = self._roots[key]
        if type(held) is dict and tuple(held) != names:
            self._roots[key] = {name: held[name] for name in names if name in held} | held

    def _token(self, keys: Sequence[str]) -> tuple[Any, ...] | None:
        if not all(key.startswith(HUB) for key in keys):
            return None
        try:
            return tokens_of((self._roots[key] for key in keys), self._session.hubs.uid_of)
        except Exception:
            return None

    def _is_closed(self, group: _Group) -> bool:
        """True when the values are proved to be out of everybody else's reach."""
        if group.keys[0].startswith((SMALL, ENVIRONMENT)):
            return True
        bindings = [self._binding(key) for key in group.keys if not key.startswith(HUB)]
        if len(bindings) < len(group.keys):
            return False
        try:
            # One more reference to each value is ours: that of the roots.
            return not find_opening(bindings, held=1, harmless=self._harmless)
        except Exception:
            return False

    def _binding(self, key: str) -> tuple[Mapping[Any, Any], Any]:
        namespace, outputs = self._session.known[:2]
        if key.startswith(VARIABLE):
            return namespace, key[len(VARIABLE) :]
        number = key[len(OUTPUT) :]
        if key.startswith(OUTPUT) and number.isdecimal():
            return outputs, int(number)
        return self._roots, key

    def _split(self) -> None:
        """A pod that cannot be told is told root by root."""
        for group in list(self._groups):
            if len(group.keys) == 1 or group.error is None:
                continue
            self._groups.remove(group)
            for key in group.keys:
                alone = _Group((key,), group.before)
                self._groups.append(alone)
                self._tell(alone)

    def _add_hubs(self) -> None:
        """Each class and function that some pod names has a pod."""
        held = {key for keys in self._kept for key in keys} | {
            key for group in self._groups for key in group.keys
        }
        wanted = [uid for pod in self._kept.values() for uid in pod.refs]
        wanted += [uid for group in self._groups for uid in _refs(group)]
        while wanted:
            uid = wanted.pop()
            value = self._session.hubs.get(uid)
            if HUB + uid in held or value is None:
                continue
            held.add(HUB + uid)
            self._roots[HUB + uid] = value
            group = _Group((HUB + uid,), None)
            self._groups.append(group)
            self._tell(group)
            wanted += _refs(group)

    def _merge(self) -> None:
        """What shares an object is told together."""
        while True:
            parts = self._partition()
            if len(parts) == len(self._groups):
                return
            merged = []
            for part in parts:
                if len(part) == 1:
                    merged.append(part[0])
                    continue
                for group in part:
                    if group.written is not None:
                        group.written.release()
                        group.written = None
                keys = tuple(sorted((key for group in part for key in group.keys), key=pods.place))
                merged.append(_Group(keys, self._largest(part, keys)))
            self._groups = merged
            self._tell_all(group for group in merged if group.written is None and not group.error)

    def _largest(self, part: Sequence[_Group], keys: tuple[str, ...]) -> Pod | None:
        before = self._before.get(keys)
        if before is not None:
            return before
        earlier = [group.before for group in part if group.before is not None]
        return max(earlier, key=lambda pod: pod.stream_size, default=None)

    def _partition(self) -> list[list[_Group]]:
        groups = self._groups
        parent = list(range(len(groups)))

        def find(one: int) -> int:
            while parent[one] != one:
                parent[one] = one = parent[parent[one]]
            return one

        owner: dict[int, int] = {}
        for number, group in enumerate(groups):
            if group.written is None or group.closed:
                continue
            for name in pods.shared_ids(group.written, self._session):
                first = owner.setdefault(name, number)
                if first != number:
                    parent[find(number)] = find(first)
        parts: dict[int, list[_Group]] = {}
        for number, group in enumerate(groups):
            parts.setdefault(find(number), []).append(group)
        return list(parts.values())

    def _conclude(self) -> Change:
        change = Change(dict(self._kept), verified=len(self._groups))
        if self._memory is not None:
            told = (group.written for group in self._groups if group.written is not None)
            kept = (state for pod in self._kept.values() for state in pod.buffers)
            self._memory.begin((view for one in told for view in one.buffers.views), kept)
        for group in self._groups:
            began = clock.monotonic()
            pod = self._pod(group)
            seconds = group.seconds + clock.monotonic() - began
            same = group.before
            if same is not None and same.keys == group.keys and pod.is_as(same):
                same.ids, same.closed, same.token = pod.ids, pod.closed, pod.token
                pod = same
            else:
                change.changed.append(pod)
            pod.seconds = seconds
            change.pods[group.keys] = pod
        _drop_unnamed(change)
        return change

    def _pod(self, group: _Group) -> Pod:
        if group.written is not None and self._is_too_large(group.written):
            group.written.release()
            limit = (self._max_bytes or 0) >> 20
            group.error = ValueError(f"it is larger than the limit of {limit} MB a variable")
            group.written = None
        written = group.written or self._missing(group)
        before = group.before
        views = written.buffers.views
        earlier = buffers.pair(views, before.buffers if before is not None else ())
        found = Pod(
            tuple(self._record(key, written.notes.get(key, ())) for key in written.keys),
            tuple(id(self._roots[key]) for key in written.keys),
            xxh3_128_digest(written.stream),
            len(written.stream),
            [
                buffers.look(view, was, direct, self._memory)
                for view, was, direct in zip(views, earlier, written.buffers.direct, strict=True)
            ],
            written.refs,
            tuple(self._roots[group.keys[0]]) if group.keys[0].startswith(SMALL) else (),
            group.closed,
            self._token(group.keys),
            stream=written.stream,
            before=before,
            hollow=written.hollow,
        )
        written.release()
        return found

    def _is_too_large(self, written: Written) -> bool:
        return self._max_bytes is not None and written.size_bytes > self._max_bytes

    def _missing(self, group: _Group) -> Written:
        """What stands where a value was that cannot be told at all."""
        reason = str(group.error).partition("\n")[0] or type(group.error).__name__
        stands: list[Root] = []
        notes: dict[str, tuple[Note, ...]] = {}
        for key in group.keys:
            kind = type_name(self._roots[key])
            stands.append((key, Placeholder(kind, f"a {kind}", reason)))
            notes[key] = ((Fidelity.MISSING, reason),)
        written = write_pod(self._session, stands)
        written.notes = notes
        return written

    def _record(self, key: str, notes: Sequence[Note]) -> RootRecord:
        value = self._roots[key]
        worst = max((fidelity for fidelity, _ in notes), key=lambda one: one.loss, default=None)
        reasons = "; ".join(dict.fromkeys(reason for _, reason in notes))
        return RootRecord(key, type_name(value), worst or Fidelity.EXACT, reasons, preview(value))


def _drop_unnamed(change: Change) -> None:
    """Classes and functions that no pod names any more are not part of the state."""
    owner = {key: pod for pod in change.pods.values() for key in pod.keys}
    named: set[int] = set()
    wait = [pod for pod in change.pods.values() if not pod.keys[-1].startswith(HUB)]
    while wait:
        pod = wait.pop()
        if id(pod) not in named:
            named.add(id(pod))
            wait += [owner[HUB + uid] for uid in pod.refs if HUB + uid in owner]
    change.pods = {keys: pod for keys, pod in change.pods.items() if id(pod) in named}
    change.changed = [pod for pod in change.changed if id(pod) in named]


def _refs(group: _Group) -> Iterable[str]:
    return group.written.refs if group.written is not None else ()
