"""Keeping the state of a kernel after a cell: what can have changed is told again, and stored.

Runs in the kernel, after the user's cell, within a budget: at most a share of the cells' own time,
and never less than a floor for each cell. What does not fit is merged with the next cell, and the
state between them is said to be not restorable. Holds no user object between two captures.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_rewind import clock
from jupyter_rewind.errors import Full
from jupyter_rewind.kernels import roots as rooting
from jupyter_rewind.kernels.bindings import Bindings
from jupyter_rewind.kernels.budget import HOPE, Budget, Deadline, OutOfTime
from jupyter_rewind.kernels.captured import Captured
from jupyter_rewind.kernels.closure import Binding
from jupyter_rewind.kernels.codec import Session
from jupyter_rewind.kernels.depth import within_the_stack
from jupyter_rewind.kernels.environment import Environment
from jupyter_rewind.kernels.graph import Survey
from jupyter_rewind.kernels.hubs import Hubs
from jupyter_rewind.kernels.keeping import Job, Keeper
from jupyter_rewind.kernels.limits import Limits
from jupyter_rewind.kernels.memory import start_memory
from jupyter_rewind.kernels.names import ORDER
from jupyter_rewind.kernels.ownvariables import OwnVariables, words_for_key
from jupyter_rewind.kernels.pods import ENVIRONMENT, MODULE, SMALL, VARIABLE
from jupyter_rewind.kernels.records import Facts
from jupyter_rewind.kernels.roots import Gatherer, Roots
from jupyter_rewind.kernels.state import Change, Pod, ordered
from jupyter_rewind.kernels.tally import count_fidelity, list_losses
from jupyter_rewind.kernels.trouble import Trouble
from jupyter_rewind.kernels.watching import Tracking
from jupyter_rewind.model.ids import ExecutionId, RunId
from jupyter_rewind.model.snapshot import ASKED, PRESENT, Snapshot
from jupyter_rewind.store.keep import KernelStore


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """What a user may set. A budget of None is no limit; sizes in bytes, times in seconds."""

    budget_share: float | None = 0.05
    budget_floor_seconds: float = 0.05
    cooldown_seconds: float = 0.0
    max_variable_bytes: int | None = None
    max_module_bytes: int = 0
    """For each variable of a module of the user's own; 0 keeps none of them."""
    page_tracking: bool = False


class Capturer:
    """Keeps the states of one kernel. One thread at a time."""

    def __init__(
        self,
        namespace: dict[str, Any],
        store: KernelStore,
        *,
        run: RunId,
        options: CaptureOptions | None = None,
        tracker: Tracking | None = None,
        environment: Environment | None = None,
        harmless: Callable[[], Iterable[Binding]] = tuple,
    ) -> None:
        """Writes through a companion of `store`, so that nothing waits for a large state.

        `environment`, where given, is kept and restored as well; `harmless` tells of references
        to variables through which nobody writes (IPython's own to the last results).
        """
        self.namespace = namespace
        self.hubs = Hubs()
        self.run = run
        self.options = options or CaptureOptions()
        self.enabled = True
        self.excluded: set[str] = set()
        self._gatherer = Gatherer(self.hubs)
        self._limits = Limits(
            namespace, self.hubs, self.options.max_variable_bytes, self.options.max_module_bytes
        )
        self.modules = OwnVariables(namespace) if self.options.max_module_bytes else None
        self.keeper = Keeper(store.companion(), self._note_failure)
        self.environment = environment
        self._harmless = harmless
        self._memory = start_memory() if self.options.page_tracking else None
        self._tracker = tracker
        self._pods: dict[tuple[str, ...], Pod] = {}
        self.bindings = Bindings()
        self.moved: object | None = None
        """What takes the last restore back by itself; gone as soon as anything has changed."""
        self.trouble: Trouble | None = None
        """Why the last states could not be stored, if so."""
        self._unsure: list[tuple[Job, tuple[Pod, ...]]] = []
        self._failed = False
        self._everything = True
        self._touched: set[str] = set()
        self._mentioned: set[str] = set()
        self._merged: list[ExecutionId] = []
        self._budget = Budget(self.options.budget_share, self.options.budget_floor_seconds)
        self._least = 0.0
        """A state that takes less than so many seconds need not be tried."""
        self._last_end = 0.0
        self._path = ""
        self._pid = clock.process()

    def begin(self, source: str) -> None:
        """A cell is about to run."""
        if self._tracker is not None:
            self._tracker.begin(source, self.namespace)

    def note_outside(self, why: str) -> None:
        """The user's code ran outside a cell: everything is looked at after the next one."""
        self._everything = True
        if self._tracker is not None:
            self._tracker.start_anew(why)

    def exclude(self, name: str) -> None:
        """The variable is not kept, and no restore touches it, from now on."""
        self.excluded.add(name)

    def capture(
        self,
        execution: ExecutionId,
        *,
        count: int = 0,
        path: str = "",
        seconds: float = 0.0,
        force: bool = False,
    ) -> Captured:
        """The state after the cell is kept, unless there is a reason not to, which is told.

        `seconds` is what the cell took. With `force`, neither budget nor cooldown counts.
        Raises Storage where a small state could not be stored; the next capture stores it all.
        """
        self._budget.share = self.options.budget_share
        self._budget.floor_seconds = self.options.budget_floor_seconds
        self._budget.of_cells += seconds
        self._path = path or self._path
        allowed = None if force else self._budget.allowance()
        deadline = Deadline(allowed, None, self.keeper.seconds_for)
        self._end_tracking(deadline.left())
        reason = "" if force else self._reason_to_skip(allowed)
        if self._pid != clock.process():
            return Captured(execution, "this process was forked from the kernel")
        if reason:
            self._merged.append(execution)
            return Captured(execution, reason)
        try:
            return self._capture(execution, count, path, deadline)
        except OutOfTime:
            self._least = 2 * deadline.spent()
            self._merged.append(execution)
            return Captured(execution, _too_long(self._least))
        finally:
            self._last_end = clock.monotonic()
            self._budget.draw(deadline.spent())

    def capture_late(
        self,
        execution: ExecutionId,
        *,
        count: int,
        path: str,
        is_awaited: Callable[[], bool] | None = None,
    ) -> Captured:
        """The state after a cell that was passed over is kept after all, while no cell runs. Raises
        Storage, and Awaited where the next cell comes before it is done: `is_awaited` tells."""
        if not self.enabled or self._pid != clock.process():
            return Captured(execution, "keeping states is switched off")
        if self._tracker is not None:
            self._tracker.catch_up()
        before, self._merged = self._merged, [one for one in self._merged if one != execution]
        self._everything = True
        try:
            captured = self._capture(execution, count, path, Deadline(None, is_awaited))
        except BaseException:
            self._merged = before
            raise
        self._last_end = clock.monotonic()
        return captured

    def keep_present(self, *, asked: bool = False) -> Snapshot | None:
        """The present is in the store, whole; the snapshot of it. Raises Storage."""
        self._everything = True
        execution = ExecutionId(f"{ASKED if asked else PRESENT}{clock.new_id()}")
        return self._capture(execution, 0, self._path, Deadline()).wait()

    def pods(self) -> list[Pod]:
        """The pods of the last capture."""
        return list(self._pods.values())

    def pod(self, keys: tuple[str, ...]) -> Pod | None:
        """The pod of just these roots as of the last capture."""
        return self._pods.get(keys)

    def closed_keys(self) -> set[str]:
        """Roots of pods that nothing outside the namespace can hold."""
        return {key for pod in self._pods.values() if pod.closed for key in pod.keys}

    def adopt(
        self,
        snapshot: Snapshot,
        same: Iterable[Pod],
        pods: Mapping[tuple[str, ...], Pod],
        made: Mapping[str, Any],
        cells: Mapping[str, Any],
    ) -> None:
        """The namespace holds this state now; what comes next branches off from it. `same` are
        pods of the last capture that belong to it as well."""
        uids = {id(cell): uid for uid, cell in cells.items()}
        for uid, value in made.items():
            self.hubs.adopt(uid, value, uids)
        self.return_to(snapshot, {**{pod.keys: pod for pod in same}, **pods})

    def return_to(self, snapshot: Snapshot, pods: Mapping[tuple[str, ...], Pod]) -> None:
        """The namespace holds this state, of which these are the pods."""
        same = (keys[0] for keys, pod in pods.items() if self._pods.get(keys) is pod)
        self._gatherer.distrust_all_but(same)
        if self.modules is not None:
            self.modules.distrust()
        self._pods = dict(pods)
        self._everything = True
        if self._tracker is not None:
            self._tracker.start_anew("a state was brought back")
        self.keeper.last = snapshot

    def flush(self) -> None:
        """Everything captured is in the store, or has failed."""
        self.keeper.flush()

    def close(self) -> None:
        """As `flush`, and nothing is held any more."""
        self.keeper.close()
        if self._memory is not None:
            self._memory.close()

    def _capture(
        self, execution: ExecutionId, count: int, path: str, deadline: Deadline
    ) -> Captured:
        self.look_after()
        self.bindings.let_go()
        found = self._gatherer.gather(self.namespace, self.excluded)
        if self.modules is not None:
            self.modules.gather(self.namespace, found, self.excluded)
        if self.environment is not None:
            found.values[ENVIRONMENT] = self.environment.read()
        before = self._pods
        try:
            return self._keep(execution, count, path, deadline, found)
        except BaseException:
            # What the system told was told for the last time: from now on memory is read again.
            for pod in (*before.values(), *self._pods.values()):
                pod.unwatch()
            raise

    def _keep(
        self, execution: ExecutionId, count: int, path: str, deadline: Deadline, found: Roots
    ) -> Captured:
        change = self._look(found, deadline)
        facts = Facts(
            self.run, execution, count, path, clock.now_ns(), None,
            count_fidelity(change, found, self.hubs),
            tuple(self._merged), excluded=tuple(sorted(self.excluded)),
        )  # fmt: skip
        job = Job(facts, tuple(ordered(change)), change.fresh_bytes)
        around = all(pod.keys[0].startswith(ENVIRONMENT) for pod in change.changed)
        if not around or change.pods.keys() != self._pods.keys():
            self.moved = None
        self.bindings.note(execution, found.values, change.pods.values())
        self._pods = change.pods
        self._gatherer.settle()
        if self.modules is not None:
            self.modules.settle()
        self._mentioned = set()
        self._everything, self._touched, self._merged, self._least = False, set(), [], 0.0
        self._unsure.append((job, tuple(pod for pod in job.pods if pod.node is None)))
        self.keeper.submit(job)
        self.look_after()
        return Captured(
            execution, "", list_losses(change), _names(change.late), deadline.spent(),
            change.verified, len(change.changed), job,
        )  # fmt: skip

    def _look(self, found: Roots, deadline: Deadline) -> Change:
        session = make_session(self.namespace, self.hubs)
        session.deadline = deadline
        if self.modules is not None:
            session.modules = self.modules.names

        def skip(pod: Pod) -> bool:
            first = pod.keys[0]
            if first.startswith(SMALL):
                return first in found.unchanged
            if first == ORDER:
                return True  # it is the very list
            return not first.startswith(ENVIRONMENT) and self._is_untouched(pod)

        harmless, refuse, memory = tuple(self._harmless()), self._limits.refuse, self._memory
        with within_the_stack():
            return Survey(session, self._pods, found.values, skip, refuse, harmless, memory).look()

    def _is_untouched(self, pod: Pod) -> bool:
        if not pod.closed or self._everything:
            return False
        return not any(map(self._may_be_touched, pod.keys))

    def _may_be_touched(self, key: str) -> bool:
        if key.startswith(MODULE):
            return self.modules is None or self.modules.may_touch(self._mentioned, key)
        return key[len(VARIABLE) :] in self._touched

    def _end_tracking(self, seconds: float) -> None:
        if self._tracker is None:
            self._everything = True
            return
        touched = self._tracker.end(seconds)
        self._everything = self._everything or touched.everything
        self._touched |= touched.names
        self._mentioned |= touched.mentioned

    def _reason_to_skip(self, allowed: float | None) -> str:
        if not self.enabled:
            self._everything = True
            return "keeping states is switched off"
        if self.cooldown_left() > 0:
            return f"the last state is less than {self.options.cooldown_seconds:g} seconds old"
        if self.trouble is not None and not self.trouble.is_worth_a_try(
            self.keeper.store.layout.folder, self.namespace
        ):
            return f"{self.trouble.words}; it is tried again by itself"
        if allowed is not None and allowed > self._least:
            self._least = max(self._least, self._gatherer.time_for_new(self.namespace, allowed))
        if allowed is not None and (allowed <= 0 or allowed < self._least):
            self._least *= HOPE
            return _too_long(self._least)
        return ""

    def cooldown_left(self) -> float:
        """Seconds until a state may be kept again."""
        left = self._last_end + self.options.cooldown_seconds - clock.monotonic()
        return left if self._last_end else 0.0

    def look_after(self) -> None:
        """What became of the states that were handed over is known, as far as they are done."""
        while self._unsure and self._unsure[0][0].done.is_set():
            job, fresh = self._unsure.pop(0)
            if job.error is None:
                self.trouble = None
            else:
                self._face_failure(job, fresh, job.error)
        if self._failed:
            # It was not a job's: nothing is known of what is stored.
            self._failed, self._pods, self._everything = False, {}, True

    def _face_failure(self, job: Job, fresh: tuple[Pod, ...], error: BaseException) -> None:
        self._failed, self._everything = False, True
        self._merged[:0] = [*job.facts.merged, job.facts.execution]
        if isinstance(error, Full) and not self._unsure:
            # What was stored before stays stored: only the rest is told again.
            unstored = {pod.keys for pod in fresh}
            for pod in fresh:
                pod.node = None
                pod.unwatch()
            self._pods = {keys: pod for keys, pod in self._pods.items() if keys not in unstored}
        else:
            self._pods = {}
        names = [
            key[len(VARIABLE) :] for pod in fresh for key in pod.keys if key.startswith(VARIABLE)
        ]
        self.trouble = self.trouble or Trouble(error)
        folder = self.keeper.store.layout.folder
        self.trouble.fail_again(error, job.fresh_bytes, folder, names, self.namespace)

    def _note_failure(self, error: BaseException) -> None:
        self._failed = True


def make_known(namespace: dict[str, Any]) -> tuple[Any, ...]:
    """The objects that whoever tells a pod and whoever loads it both know."""
    outputs, inputs = rooting.outputs_of(namespace), rooting.inputs_of(namespace)
    return namespace, outputs, inputs, vars(builtins)


def make_session(namespace: dict[str, Any], hubs: Hubs) -> Session:
    """What the pods of this namespace are told with."""
    return Session(namespace, hubs, make_known(namespace)[1:])


def _too_long(seconds: float) -> str:
    return f"it would take {seconds:.2g} s or more, and " * (seconds > 0) + "the budget is used up"


def _names(keys: Sequence[str]) -> tuple[str, ...]:
    names = [key[len(VARIABLE) :] for key in keys if key.startswith(VARIABLE)]
    return tuple(sorted([*names, *(words_for_key(key) for key in keys if key.startswith(MODULE))]))
