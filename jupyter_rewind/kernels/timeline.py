"""The states of one run, and the way back and forth between them.

Before every move the present is kept, so that every move can be undone. What is restored is built
aside and verified first, and a failure changes nothing. Cells are never run again here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jupyter_rewind import clock
from jupyter_rewind.errors import Full, RestoreRefused, RewindError
from jupyter_rewind.kernels.capture import CaptureOptions, Capturer
from jupyter_rewind.kernels.closure import Binding
from jupyter_rewind.kernels.environment import Environment
from jupyter_rewind.kernels.interrupts import HeldInterrupt
from jupyter_rewind.kernels.leftout import words_for
from jupyter_rewind.kernels.naming import check_name, find_snapshot, mark, split_lines
from jupyter_rewind.kernels.pods import ENVIRONMENT, HUB, SMALL, VARIABLE
from jupyter_rewind.kernels.records import SNAPSHOT, SNAPSHOT_MARK, Facts, decode_snapshot
from jupyter_rewind.kernels.tracking import Tracker
from jupyter_rewind.kernels.trouble import cause_of
from jupyter_rewind.model.execution import run_key
from jupyter_rewind.model.ids import ExecutionId, RunId
from jupyter_rewind.model.snapshot import (
    MOVED,
    Fidelity,
    Snapshot,
    VariableChange,
    VariableReport,
)
from jupyter_rewind.store.keep import ContentSource, KernelStore

if TYPE_CHECKING:
    from jupyter_rewind.settings import Rewind

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move did: `to` came back, `kept` is the state before; `report` tells of what came
    back, variable by variable."""

    to: Snapshot
    kept: Snapshot
    report: tuple[VariableReport, ...]
    problems: tuple[str, ...] = ()
    """What of the surroundings (working folder, options of libraries…) could not be set."""
    removed: tuple[str, ...] = ()
    """The user's names that were there before and are not in the state, sorted."""


class Timeline:
    """Keeps the states of a kernel's namespace, and brings them back."""

    def __init__(
        self,
        namespace: dict[str, Any],
        store: KernelStore,
        run: RunId,
        options: CaptureOptions,
        harmless: Callable[[], Iterable[Binding]] = tuple,
        path: Callable[[], str] = str,
        is_in_cell: Callable[[], bool] = lambda: True,
    ) -> None:
        """`path` says where the notebook lies; `is_in_cell` whether a cell runs, whose end will be
        kept."""
        self.namespace = namespace
        self.run = run
        self._path = path
        self._is_in_cell = is_in_cell
        self._tracker = Tracker()
        self.capturer = Capturer(
            namespace,
            store,
            run=run,
            options=options,
            tracker=self._tracker,
            environment=Environment(),
            harmless=harmless,
        )
        self._undo: list[Snapshot] = []
        self._redo: list[Snapshot] = []

    def follow(self, before: Timeline) -> None:
        """This is the same run in another process: it goes on from where `before` stood, and has
        its states. Raises Storage."""
        self.capturer.enabled = before.capturer.enabled
        self.capturer.excluded |= before.capturer.excluded
        if self.run == before.run:
            self.capturer.keeper.last = before.capturer.keeper.last
            self.store.refresh()

    @property
    def store(self) -> KernelStore:
        """Where this run's own snapshots can be read."""
        return self.capturer.keeper.store

    @property
    def head(self) -> Snapshot | None:
        """The state that the next one will stand on."""
        self.capturer.flush()
        return self.capturer.keeper.last

    def snapshots(self) -> list[Snapshot]:
        """Those of this run, oldest first."""
        self.capturer.flush()
        marks = self.store.entries(kind=SNAPSHOT_MARK, key=run_key(self.run))
        entries = self.store.entries(kind=SNAPSHOT, key=run_key(self.run))
        return [decode_snapshot(each, self.store.layout, marks) for each in entries]

    def resolve(self, ref: str) -> Snapshot:
        """The snapshot of this run that `ref` names. Raises NotFound, Conflict, InvalidInput."""
        return find_snapshot(ref, self.snapshots())

    def present(self, *, asked: bool = False) -> Snapshot:
        """The state as it is now, kept; `asked` when that is the user's own wish.

        Raises RestoreRefused where it cannot be, Storage.
        """
        snapshot = self.capturer.keep_present(asked=asked)
        if snapshot is None:
            raise RestoreRefused(
                "The present cannot be kept in this process.", hint="Nothing was changed."
            )
        return snapshot

    def go_to(
        self,
        target: Snapshot,
        *,
        source: ContentSource | None = None,
        trust: bool = False,
    ) -> Moved:
        """The namespace holds the state `target`; the present is kept first, and can come back.

        Raises RestoreRefused, Integrity, NotFound, Storage; nothing was changed then.
        """

        def note(moved: Moved) -> None:
            self._undo.append(moved.kept)
            self._redo.clear()
            self._write_down(target)

        return self._move(target, source or self.store, trust, note)

    def keep_first(self, kept: Snapshot | None = None) -> Snapshot:
        """The present is kept, unless it is as `kept`; what is about to change can be undone as a
        move can.

        Raises RestoreRefused where it cannot be, Storage.
        """
        kept = self.present() if kept is None else kept
        self._undo.append(kept)
        self._redo.clear()
        return kept

    def settle(self, target: Snapshot) -> Moved:
        """As `go_to`, as the end of a move that began with one: one undo takes back both."""
        return self._move(target, self.store, False)

    def missing_at(self, target: Snapshot) -> list[str]:
        """The variables of the state that a move to it would not bring back, nor find alive. The
        present is kept first; nothing else happens. Raises RestoreRefused, Integrity, Storage."""
        from jupyter_rewind.kernels.restore import prepare

        prepared = prepare(self.store, target, self.namespace, self.capturer)
        prepared.drop()
        return [one.name for one in prepared.report if one.fidelity is Fidelity.MISSING]

    def undo(self) -> Moved:
        """The namespace is as it was before the last move. Raises RestoreRefused."""
        if not self._undo:
            raise RestoreRefused("There is no move to undo in this run.")

        def note(moved: Moved) -> None:
            self._undo.pop()
            self._redo.append(moved.kept)
            self._write_down(moved.to)

        with HeldInterrupt() as held:
            taken = self._take_back()
            if taken is not None:
                note(taken)
        held.pass_on()
        return taken or self._move(self._undo[-1], self.store, False, note)

    def redo(self) -> Moved:
        """The move that was undone last is made again. Raises RestoreRefused."""
        if not self._redo:
            raise RestoreRefused("There is no move to make again in this run.")

        def note(moved: Moved) -> None:
            self._redo.pop()
            self._undo.append(moved.kept)
            self._write_down(moved.to, in_any_case=True)

        return self._move(self._redo[-1], self.store, False, note)

    def note_change(self) -> None:
        """What changed since `keep_first` is kept, where no cell will do so. Best effort."""
        if self._is_in_cell():
            return
        try:
            self.present(asked=True)
        except RewindError as error:
            log.warning("what was changed outside a cell is not kept yet: %s", error)

    def compare(
        self, before: Snapshot, after: Snapshot, source: ContentSource | None = None
    ) -> tuple[VariableChange, ...]:
        """How the variables differ between two states. Raises NotFound, Integrity, Format."""
        from jupyter_rewind.kernels.comparison import compare

        return compare(source or self.store, before, after)

    def report(
        self, snapshot: Snapshot, source: ContentSource | None = None
    ) -> tuple[VariableReport, ...]:
        """How faithfully each variable of the state is kept. Raises NotFound, Integrity, Format."""
        from jupyter_rewind.kernels.comparison import report

        return report(source or self.store, snapshot)

    def load(
        self,
        snapshot: Snapshot,
        name: str,
        *,
        source: ContentSource | None = None,
        trust: bool = False,
    ) -> object:
        """One variable out of a state, as an object of its own. Raises NotFound, Integrity."""
        from jupyter_rewind.kernels.onevariable import load_variable

        return load_variable(
            source or self.store, snapshot, name, self.namespace, self.capturer, trust=trust
        )

    def label(self, snapshot: Snapshot, text: str) -> None:
        """The state has this name, and does not expire. Raises InvalidInput, Storage."""
        label = check_name(text)
        with self.store.block() as block:
            for other in self.snapshots():
                if label in other.labels and other.id != snapshot.id:
                    block.add(SNAPSHOT_MARK, **mark(other, {"unlabel": label}))
            block.add(SNAPSHOT_MARK, **mark(snapshot, {"label": label}))

    def lines(self) -> list[tuple[Snapshot, ...]]:
        """The lines that the states of this run form, each from where it left another one to its
        newest state; the line of the present comes last."""
        head = self.head
        return split_lines(self.snapshots(), None if head is None else head.id)

    def _move(
        self,
        target: Snapshot,
        source: ContentSource,
        trust: bool,
        note: Callable[[Moved], None] = lambda _: None,
    ) -> Moved:
        """What is built aside may be interrupted; what is changed then, and `note`, are not."""
        from jupyter_rewind.kernels.restore import prepare

        try:
            prepared = prepare(source, target, self.namespace, self.capturer, trust=trust)
        except Full as error:
            raise RestoreRefused(
                f"The present cannot be kept before the move: {cause_of(error)}.",
                hint="Nothing was changed. Free some space and try again.",
            ) from error
        if prepared.present is None:
            raise RestoreRefused("The present could not be kept.", hint="Nothing was changed.")
        with HeldInterrupt() as held:
            before = self._names()
            problems = prepared.swap()
            problems += words_for(target, self.capturer.excluded, self.namespace)
            removed = tuple(sorted(before - self._names()))
            report = self._touched(prepared.report)
            moved = Moved(target, prepared.present, report, problems, removed)
            note(moved)
        held.pass_on()
        return moved

    def _write_down(self, target: Snapshot, *, in_any_case: bool = False) -> None:
        """What was moved to is the newest state of this run, by reference: until a cell ends,
        nothing else would say that this run has it. Best effort: the move has been made, and the
        next cell's state tells of it, too."""
        if target.run == self.run and self._is_in_cell() and not in_any_case:
            return
        execution = ExecutionId(f"{MOVED}{clock.new_id()}")
        facts = Facts(
            self.run, execution, 0, self._path(), clock.now_ns(), target.id, target.counts,
            excluded=target.excluded,
        )  # fmt: skip
        try:
            self.capturer.keeper.refer(facts, target.state)
        except RewindError as error:
            log.warning("the move to %s is not written down: %s", target.id, error)
            return
        self.capturer.bindings.note_again(execution, target.execution)

    def _take_back(self) -> Moved | None:
        """The last move, where nothing has changed since: with the very objects of before."""
        from jupyter_rewind.kernels.outcome import told_alive
        from jupyter_rewind.kernels.restore import Prepared

        last = self.capturer.moved
        if not isinstance(last, Prepared) or last.present != self._undo[-1]:
            return None
        before, values = self._names(), dict(self.namespace)
        pods = {pod.node for pod in self.capturer.pods()}
        undone = last.take_back()
        if undone is None:
            return None
        if self._was_written_into():
            # The very objects are there, and somebody else has written into them meanwhile.
            return replace(self._move(undone.to, self.store, False), kept=undone.kept)
        told = [pod for pod in self.capturer.pods() if pod.node not in pods]
        changed = {key[len(VARIABLE) :] for pod in told for key in pod.keys}
        changed |= {
            name for name in self._names() if values.get(name, self) is not self.namespace[name]
        }
        left = {name for name in changed if id(values.get(name, self)) in undone.left}
        changed -= {name for name in left if values[name] is self.namespace.get(name)}
        del values
        report = self._touched(told_alive(self.report(undone.to), changed, self.namespace))
        removed = tuple(sorted(before - self._names()))
        return Moved(undone.to, undone.kept, report, undone.problems, removed)

    def _was_written_into(self) -> bool:
        """True where what several variables hold, or somebody else as well, is not what was kept:
        a cell may have put an equal one in the place of one of them."""
        ours = (HUB, ENVIRONMENT, SMALL)
        known = {
            one.keys: one.node
            for one in self.capturer.pods()
            if (not one.closed or len(one.keys) > 1) and not one.keys[-1].startswith(ours)
        }
        if not known:
            return False
        self.present()
        now = {one.keys: one.node for one in self.capturer.pods()}
        return any(now.get(keys) != node for keys, node in known.items())

    def _touched(self, report: Iterable[VariableReport]) -> tuple[VariableReport, ...]:
        """Without what is left out: whatever the state has of it, it stays as it is."""
        return tuple(one for one in report if one.name not in self.capturer.excluded)

    def _names(self) -> set[str]:
        """The user's names: those that begin with `_` are mostly IPython's own."""
        names: list[Any] = list(self.namespace)
        return {each for each in names if isinstance(each, str) and not each.startswith("_")}

    def close(self) -> None:
        """All that was captured is in the store, and nothing is held."""
        self._tracker.close()
        self.capturer.close()


def capture_options(settings: Rewind) -> CaptureOptions:
    """What the settings say about captures."""
    return CaptureOptions(
        budget_share=settings.kernels_budget_percent / 100,
        budget_floor_seconds=settings.kernels_budget_floor_ms / 1000,
        cooldown_seconds=float(settings.kernels_cooldown_seconds),
        max_variable_bytes=settings.kernels_max_variable_mb << 20 or None,
        max_module_bytes=settings.kernels_max_module_mb << 20,
        page_tracking=settings.kernels_page_tracking,
    )
