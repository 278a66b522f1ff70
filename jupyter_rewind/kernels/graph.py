"""The object graph cut into pods: what shares an object is one pod, and what does not is not.

A pod is told again after a cell unless it is proved untouched. Two pods that turn out to share an
object become one; a pod of several roots is taken apart when one of them was bound anew. Classes
and functions are roots of their own, and are named by uid wherever they are met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from jupyter_rewind import clock
from jupyter_rewind.kernels import buffers, pods, texts
from jupyter_rewind.kernels.budget import OutOfTime
from jupyter_rewind.kernels.buffers import BufferState
from jupyter_rewind.kernels.byname import notes_of
from jupyter_rewind.kernels.closure import Binding, find_opening
from jupyter_rewind.kernels.codec import Session
from jupyter_rewind.kernels.groups import (
    SLIGHT_SECONDS,
    Group,
    Refuse,
    binding_of,
    guess_seconds,
    in_place,
    partition,
    predecessor,
    regroup,
    whole_of_modules,
)
from jupyter_rewind.kernels.memory import Memory
from jupyter_rewind.kernels.pods import ENVIRONMENT, HUB, SMALL
from jupyter_rewind.kernels.records import RootRecord
from jupyter_rewind.kernels.standins import LATE, words_for, write_stand_ins
from jupyter_rewind.kernels.state import Change, Pod
from jupyter_rewind.kernels.tokens import tokens_of

Skip = Callable[[Pod], bool]
_TURNS = 3
_FOR_HUBS, _FOR_THE_REST, _FOR_THE_END = 0.5, 0.3, 0.15
"""Shares of the time that are left when the roots are told, then their classes and functions, and
when it is known what shares an object."""
_MOST_LATE = 20
"""Where there is no time for more roots than these, it is no state."""


class Survey:
    """One look at the whole graph; the result is a `Change`, and nothing else is touched."""

    def __init__(
        self,
        session: Session,
        before: Mapping[tuple[str, ...], Pod],
        roots: dict[str, Any],
        skip: Skip,
        refuse: Refuse = lambda *_: "",
        harmless: Sequence[Binding] = (),
        memory: Memory | None = None,
    ) -> None:
        self._session = session
        self._before = before
        self._roots = roots
        self._skip = skip
        self._refuse = refuse
        self._harmless = harmless
        self._memory = memory
        self._kept: dict[tuple[str, ...], Pod] = {}
        self._groups: list[Group] = []
        self._deadline = session.deadline
        self._promised = 0.0

    def look(self) -> Change:
        """Raises nothing of the user's: what cannot be told is noted on its root. Raises OutOfTime
        where there is no time for many a root, Awaited."""
        try:
            self._find_hubs()
            self._gather()
            self._deadline.begin_anew()
            self._deadline.leave(_FOR_HUBS)
            self._tell_all(self._groups)
            self._split()
            self._deadline.leave(_FOR_THE_REST)
            self._add_hubs()
            self._deadline.leave(_FOR_THE_END)
            self._merge()
            self._look_again()
            self._deadline.leave(0.0)
            return self._conclude()
        finally:
            for group in self._groups:
                group.let_go()

    def _find_hubs(self) -> None:
        """Classes and functions that had a pod and live are roots again; for the time being."""
        for keys in self._before:
            for key in keys:
                if key.startswith(HUB):
                    value = self._session.hubs.get(key[len(HUB) :])
                    if value is not None:
                        self._roots[key] = value

    def _gather(self) -> None:
        self._kept, found = regroup(self._before, self._roots, self._skip)
        for keys, known, before in found:
            if known is not None and self._is_untouched(known):
                self._kept[keys] = known
            else:
                self._groups.append(Group(keys, before))

    def _is_untouched(self, pod: Pod) -> bool:
        bound = tuple(id(self._roots[key]) for key in pod.keys)
        if bound != pod.ids:
            return False
        is_code = pod.token is not None and not texts.is_token(pod.token)
        if not is_code and self._skip(pod):
            return True
        try:
            return pod.token is not None and pod.token == self._token(pod.keys)
        except OutOfTime:
            return False

    def _tell_all(self, groups: Iterable[Group]) -> None:
        """What is known to be quick first: what takes long leaves no time for the rest."""
        late = 0
        told = sorted(groups, key=lambda one: (not self._known(one), self._expect(one)))
        # What only modules hold comes after what the notebook holds, and is no state's loss.
        for group in sorted(told, key=lambda one: one.is_of_modules):
            self._tell(group)
            late += group.is_late and not group.is_of_modules
            if late > _MOST_LATE:
                raise OutOfTime

    def _known(self, group: Group) -> float:
        return group.known_seconds(self._ids(group))

    def _expect(self, group: Group) -> float:
        """Seconds: as the last time, or what it takes at least."""
        return self._known(group) or max(guess_seconds(self._roots[key]) for key in group.keys)

    def _tell(self, group: Group) -> None:
        began = clock.working()
        try:
            is_slight = self._is_slight(group)
            with (
                self._session.in_any_case(group.is_small),
                self._session.deadline.at_least(SLIGHT_SECONDS if is_slight else 0.0),
            ):
                if self._expect(group) > self._session.deadline.left() and not is_slight:
                    raise OutOfTime
                self._tell_now(group)
                group.seconds = clock.working() - began
        except OutOfTime:
            group.give_up(clock.working() - began, self._ids(group))

    def _is_slight(self, group: Group) -> bool:
        return group.is_slight(map(self._roots.get, group.keys), self._session.deadline)

    def _ids(self, group: Group) -> tuple[int, ...]:
        return tuple(id(self._roots[key]) for key in group.keys)

    def _tell_now(self, group: Group) -> None:
        if group.before is not None and group.before.names:
            self._put_in_order(group.keys[0], group.before.names)
        # First, while nothing else of ours refers to the values.
        twice: set[type] = set()
        group.closed = self._is_closed(group, twice)
        group.may_share_dicts = dict in twice or not group.closed
        self._write(group)

    def _write(self, group: Group, owners: Sequence[Any] = ()) -> None:
        roots = self._roots_of(group)
        for turn in range(_TURNS):
            try:
                group.written = pods.write_pod(self._session, roots, owners)
                break
            except RuntimeError as error:
                # A thread of the user's changed it meanwhile; mostly it rests the next time.
                group.error = error.with_traceback(None) if turn == _TURNS - 1 else None
            except Exception as error:
                group.error = error.with_traceback(None)
                break

    def _put_in_order(self, key: str, names: Sequence[str]) -> None:
        """Small values are told in the order of the last time, whatever came back since."""
        held = self._roots[key]
        if type(held) is dict and tuple(held) != names:
            self._roots[key] = {name: held[name] for name in names if name in held} | held

    def _token(self, keys: Sequence[str], is_told: bool = True) -> tuple[Any, ...] | None:
        try:
            values = [self._roots[key] for key in keys]
            if not all(key.startswith(HUB) for key in keys):
                return texts.token_of(values, self._session.deadline.check) if is_told else None
            if any(map(self._session.hubs.homes.has, values)):
                return None
            return tokens_of(values, self._session.hubs.uid_of)
        except Exception:
            return None

    def _is_closed(self, group: Group, twice: set[type]) -> bool:
        """True when the values are proved to be out of everybody else's reach; `twice` gets the
        types of what several of their parts refer to then."""
        if group.keys[0].startswith((SMALL, ENVIRONMENT)):
            return True
        known = self._session.known
        bindings = [
            binding_of(key, known, self._roots) for key in group.keys if not key.startswith(HUB)
        ]
        if len(bindings) < len(group.keys):
            return False
        try:
            # One more reference to each value is ours: that of the roots.
            check = self._session.deadline.check
            opening = find_opening(
                bindings, held=1, harmless=self._harmless, check=check, twice=twice
            )
            return not opening
        except Exception:
            return False

    def _split(self) -> None:
        """A pod that cannot be told is told root by root."""
        for group in list(self._groups):
            if len(group.keys) == 1 or group.error is None:
                continue
            self._groups.remove(group)
            for key in group.keys:
                alone = Group((key,), group.before)
                self._groups.append(alone)
                self._tell(alone)

    def _add_hubs(self) -> None:
        """Each class and function that some pod names has a pod."""
        held = {key for keys in self._kept for key in keys} | {
            key for group in self._groups for key in group.keys
        }
        wanted = [uid for pod in self._kept.values() for uid in pod.refs]
        wanted += [uid for group in self._groups for uid in group.refs]
        while wanted:
            uid = wanted.pop()
            value = self._session.hubs.get(uid)
            if HUB + uid in held or value is None:
                continue
            held.add(HUB + uid)
            self._roots[HUB + uid] = value
            group = Group((HUB + uid,), None)
            self._groups.append(group)
            self._tell(group)
            wanted += group.refs

    def _merge(self) -> None:
        """What shares an object is told together."""
        while True:
            parts = partition(self._groups, self._session, self._ids)
            if len(parts) == len(self._groups):
                return
            merged = []
            for part in parts:
                if len(part) == 1:
                    merged.append(part[0])
                    continue
                for group in part:
                    group.let_go()
                keys = in_place((key for group in part for key in group.keys), self._roots)
                merged.append(Group(keys, predecessor(self._before, part, keys)))
            self._groups = merged
            self._tell_all(one for one in merged if not (one.written or one.error or one.is_late))

    def _roots_of(self, group: Group) -> list[pods.Root]:
        return [(key, self._roots[key]) for key in group.keys]

    def _look_again(self) -> None:
        """Now that it is known what goes together: objects whose attributes something else holds,
        too, are told so that both are one; and what modules hold besides is noted."""
        whole = whole_of_modules(self._kept.values(), self._groups, self._refuse)
        self._session.kept_of_modules.update(whole)
        for group in self._groups:
            if group.written is None or not group.may_share_dicts:
                continue
            try:
                with self._session.in_any_case(self._is_slight(group)):
                    owners = pods.find_owners(group.written, self._session)
                    if owners:
                        group.let_go()
                        self._write(group, owners)
                    self._note_held(group)
            except OutOfTime:
                group.give_up(group.seconds, self._ids(group))

    def _note_held(self, group: Group) -> None:
        if group.written is not None and not group.closed and not group.is_of_modules:
            pods.note_held(group.written, self._session, self._roots_of(group))

    def _conclude(self) -> Change:
        change = Change(dict(self._kept), verified=len(self._groups))
        if self._memory is not None:
            told = (group.written for group in self._groups if group.written is not None)
            kept = (state for pod in self._kept.values() for state in pod.buffers)
            self._memory.begin((view for one in told for view in one.buffers.views), kept)
        late = 0
        for group in sorted(self._groups, key=lambda one: one.size_bytes):
            pod = self._find_pod(group)
            if not any(pod is one for one in group.earlier):
                change.changed.append(pod)
            change.pods[group.keys] = pod
            late += group.is_late and not group.is_of_modules
        if late > _MOST_LATE:
            raise OutOfTime
        change.late = tuple(key for one in self._groups if one.is_late for key in one.keys)
        change.drop_unnamed()
        return change

    def _find_pod(self, group: Group) -> Pod:
        """The pod as it is now: the one of before where it tells the same."""
        began = clock.working()
        pod = None
        if not group.is_late:
            try:
                with self._session.in_any_case(self._is_slight(group)):
                    pod = self._pod(group)
                    self._promise(pod)
            except OutOfTime:
                group.give_up(group.seconds + clock.working() - began, self._ids(group))
                for state in pod.buffers if pod is not None else ():
                    state.drop()
                pod = None
        if pod is None:
            pod = self._stand_in(group, LATE)
        else:
            group.seconds += clock.working() - began
        for same in group.earlier:
            if same.keys == group.keys and pod.is_as(same):
                same.ids, same.closed, same.token = pod.ids, pod.closed, pod.token
                same.arrays = pod.arrays
                pod = same
                break
        pod.seconds = group.seconds
        return pod

    def _promise(self, pod: Pod) -> None:
        """What is new of it is stored in time, too. Raises OutOfTime."""
        if not self._deadline.is_near:
            return
        self._promised += self._deadline.seconds_to_store(pod.fresh_bytes)
        if self._promised > self._session.deadline.left():
            self._promised -= self._deadline.seconds_to_store(pod.fresh_bytes)
            raise OutOfTime

    def _pod(self, group: Group) -> Pod:
        if group.written is not None and (why := self._refuse(group.keys, group.written)):
            group.let_go()
            group.error = ValueError(why)
        if group.written is None:
            return self._stand_in(group, words_for(group.error))
        before = group.before.content if group.before is not None else None
        views = group.written.buffers.views
        earlier = buffers.pair(views, before.buffers if before is not None else ())
        check = self._session.deadline.check
        states = [
            buffers.look(view, was, direct, self._memory, check)
            for view, was, direct in zip(views, earlier, group.written.buffers.direct, strict=True)
        ]
        return self._make_pod(group, group.written, states, before)

    def _stand_in(self, group: Group, reason: str) -> Pod:
        """A pod that says why the roots are not kept."""
        roots = self._roots_of(group)
        with self._session.in_any_case(True):
            written = write_stand_ins(self._session, roots, reason)
        before = group.before
        was_standing = before is not None and before.is_stand_in
        pod = self._make_pod(group, written, [], before if was_standing else None)
        pod.is_stand_in = True
        if group.is_late:
            # To be told the next time, in any case.
            pod.closed, pod.token = False, None
        pod.kept = before.kept if before is not None and was_standing else before
        if pod.kept is not None:
            # What the system told of its memory was told for the last time.
            pod.kept.unwatch()
        return pod

    def _describe(self, key: str, notes: Sequence[pods.Note]) -> RootRecord:
        value = self._roots[key]
        return pods.describe_root(key, value, [*notes, *notes_of(key, value, self._session)])

    def _make_pod(
        self, group: Group, written: pods.Written, states: list[BufferState], before: Pod | None
    ) -> Pod:
        first, notes = group.keys[0], written.notes
        found = Pod(
            tuple(self._describe(key, notes.get(key, ())) for key in written.keys),
            self._ids(group), written.stream.digest(), len(written.stream), states,
            written.refs, tuple(self._roots[first]) if first.startswith(SMALL) else (),
            group.closed, self._token(group.keys, group.written is written), written.stream,
            before=before, hollow=written.hollow, arrays=pods.arrays_of(written) if states else (),
        )  # fmt: skip
        written.release()
        return found
