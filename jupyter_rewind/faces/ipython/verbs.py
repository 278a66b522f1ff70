"""What a user can ask a kernel for: the same verbs for `%rewind`, Python and the server.

Each answers with a value that shows itself in words. Nothing is run again unless it is asked for.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from jupyter_rewind.errors import Conflict, InvalidInput, NotFound, RestoreRefused, Unavailable
from jupyter_rewind.faces.ipython.answers import (
    Answer,
    Back,
    Changes,
    History,
    Report,
    Row,
    Words,
    amount,
    clock_time,
    day_and_time,
    describe_state,
    size,
)
from jupyter_rewind.kernels.unkept import name_cells
from jupyter_rewind.model.ids import ExecutionId, SnapshotId
from jupyter_rewind.model.snapshot import Fidelity, Snapshot, VariableReport

if TYPE_CHECKING:
    from jupyter_rewind.faces.ipython.templates import Templates
    from jupyter_rewind.kernels.predecessor import Predecessor
    from jupyter_rewind.kernels.session import KernelSession
    from jupyter_rewind.kernels.timeline import Moved


class Verbs:
    """The verbs of one kernel."""

    def __init__(self, session: KernelSession, predecessor: Predecessor) -> None:
        self.session = session
        self.predecessor = predecessor
        self.templates: Templates | None = None
        self.has_resumed = False

    # --- going back and forth -----------------------------------------------------------

    def to(self, ref: str | int, *, trust: bool = False) -> Back:
        """The variables are as they were at `ref`; the present is kept first."""
        target, source = self._find(str(ref))
        moved = self.session.timeline.go_to(target, source=source, trust=trust)
        return self._back("Back to", moved)

    def whole(self, ref: str) -> Words:
        """The whole process goes back to its template of `ref` when this cell has ended. Raises
        NotFound, Unavailable."""
        return self._templates().choose(ref)

    def list_templates(self) -> Answer:
        """The templates that there are, and why cells have none. Raises Unavailable."""
        return self._templates().show()

    def _templates(self) -> Templates:
        if self.templates is None:
            raise Unavailable(
                "This kernel has no templates: kernels.templates is 0.",
                hint="`jupyter rewind config set kernels.templates 3`, kernels.host too, and start"
                " the kernel anew.",
            )
        return self.templates

    def undo(self) -> Back:
        """The last move is taken back."""
        moved = self.session.timeline.undo()
        return self._back("Undone: this is", moved, "`%rewind redo` makes the move again.")

    def redo(self) -> Back:
        """The move that was undone last is made again."""
        return self._back("Done again: this is", self.session.timeline.redo())

    def resume(self, ref: str | None = None, *, trust: bool = False) -> Back:
        """The variables of the kernel before this one are back: its last state, or `ref` of it."""
        archive = self.session.archive
        if ref is None:
            target = self.predecessor.newest().snapshot
        else:
            target, _ = self._find_elsewhere(ref)
        moved = self.session.timeline.go_to(target, source=archive.repository, trust=trust)
        self.has_resumed = True
        when = day_and_time(target.time_ns)
        return self._back(f"The kernel of {when} goes on here, with", moved)

    def get(
        self, name: str, *, at: str | int, new: str | None = None, trust: bool = False
    ) -> object:
        """One variable as it was at `at`; it becomes `new` where that is given, or else itself.
        What has that name now is kept first."""
        return self._put(name, str(at), new, trust)[0]

    def take(
        self, name: str, *, at: str, new: str | None, replace: bool, trust: bool = False
    ) -> tuple[Snapshot | None, str]:
        """`get`, which without `replace` refuses if something else has that name. The state that is
        kept then, and what is missing of the variable. Raises Conflict (code `name_taken`)."""
        target = new or name
        if target in self.session.namespace and not replace:
            raise Conflict(
                f"There is a variable {target} already.",
                code="name_taken",
                hint="Nothing was changed. Choose another name.",
            )
        return self._put(name, at, new, trust)[1:]

    def _put(
        self, name: str, at: str, new: str | None, trust: bool
    ) -> tuple[object, Snapshot | None, str]:
        from jupyter_rewind.kernels.onevariable import check_place, missing_part

        target = new or name
        if not target.isidentifier() or keyword.iskeyword(target):
            raise InvalidInput(f"{target!r} is no name for a variable.")
        timeline, namespace = self.session.timeline, self.session.namespace
        snapshot, source = self._find(at)
        try:
            value = timeline.load(snapshot, name, source=source, trust=trust)
        except RestoreRefused as error:
            from jupyter_rewind.kernels.earlier import explain_late

            explain_late(error, name, snapshot, lambda: self.session.archive)
            raise
        lost, kept = missing_part(source or timeline.store, snapshot, name), None
        if target in namespace:
            # A ref like `head~1` is another state's, once the present is kept.
            wanted = name, at if at.isdigit() else str(snapshot.id), lost
            kept = timeline.keep_first(
                check_place(timeline.store, timeline.present, namespace[target], wanted, target)
            )
        namespace[target] = value
        timeline.note_change()
        return value, kept, lost

    # --- looking ------------------------------------------------------------------------

    def status(self) -> Words:
        """Whether states are kept, how many there are, and what they take."""
        session = self.session
        session.learn()
        snapshots = session.snapshots()
        head = session.timeline.head
        capturer = session.timeline.capturer
        taken = size(sum(each.new_bytes for each in snapshots))
        lines = [
            f"Journal and states of {session.run.path or 'this kernel'}, run {session.run.id}.",
            _keeping(session, capturer.enabled),
            f"{amount(len(snapshots), 'state')}, {taken} in {session.layout.folder}.",
        ]  # fmt: skip
        if head is not None:
            lines.append(f"The present stands on {describe_state(head)}.")
        if capturer.excluded:
            lines.append(f"Left out: {', '.join(sorted(capturer.excluded))}.")
        if head is not None and session.unkept.too_large:
            lines += _too_large(session.timeline.report(head), session.unkept.too_large)
        lines += session.unkept.lines()
        if session.last_skip and not session.unkept.present:
            lines.append(f"The state before this cell was not kept: {session.last_skip}.")
        if session.last_late:
            lines.append(
                f"The state before this cell is without {', '.join(session.last_late[:8])}: there"
                " was no time for more. The next pause is used for it."
            )
        return Words("\n".join(lines))

    def history(self) -> History:
        """The states of this run, the newest last, with the cells they came after."""
        timeline = self.session.timeline
        snapshots = self.session.snapshots()
        head = timeline.head
        self.session.learn()
        sources = self.session.archive.runs.sources(self.session.run.id)
        by_id = {each.id: each for each in snapshots}
        rows, before = [], None
        for each in snapshots:
            parent = by_id.get(each.parent) if each.parent is not None else None
            is_branch = before is not None and parent is not None and parent.id != before
            rows.append(
                Row(each, head is not None and each.id == head.id,
                    _origin(parent) if is_branch and parent is not None else "",
                    sources.get(each.execution, ""))
            )  # fmt: skip
            before = each.id
        return History(tuple(rows), tuple(self.session.unkept.lines()))

    def diff(self, before: str | int | None = None, after: str | int | None = None) -> Changes:
        """The variables that differ: since the state before the last, or from one to another."""
        timeline = self.session.timeline
        if before is None:
            snapshots = self.session.snapshots()
            if len(snapshots) < 2:
                raise NotFound("There are no two states to compare yet.")
            head = timeline.head or snapshots[-1]
            first = next((one for one in snapshots if one.id == head.parent), snapshots[-2])
            return _changes(first, head, timeline.compare(first, head), "the present")
        first, source = self._find(str(before))
        if after is None:
            second, words = timeline.present(asked=True), "the present"
        else:
            second, other = self._find(str(after))
            source, words = source or other, describe_state(second)
        if source is not None:
            source = self.session.archive.repository  # it reads both, once it is up to date
        return _changes(first, second, timeline.compare(first, second, source), words)

    def report(self, ref: str | int | None = None) -> Report:
        """How faithfully each variable is kept, in the newest state or in `ref`."""
        timeline = self.session.timeline
        if ref is None:
            snapshot, source = timeline.head or timeline.present(asked=True), None
        else:
            snapshot, source = self._find(str(ref))
        title = describe_state(snapshot)
        notes = []
        if source is None:
            self.session.learn()
            notes = [*_merged(snapshot, self.session.counts), *self.session.unkept.lines()]
        found = self._with_earlier(timeline.report(snapshot, source), snapshot)
        return Report(f"{title[0].upper()}{title[1:]}", found, tuple(notes))

    def branch(self, name: str | None = None) -> Answer:
        """The lines of states, or, with `name`, this line is called so from here on."""
        timeline = self.session.timeline
        if name is not None:
            head = timeline.head or timeline.present(asked=True)
            timeline.label(head, name)
            return Words(f'This line is "{name}" from {describe_state(head)} on.')
        lines = timeline.lines()
        if not lines:
            return Words("No state has been kept in this run yet.")
        return Words("\n".join(_line(each, each is lines[-1]) for each in lines))

    # --- telling ------------------------------------------------------------------------

    def label(self, text: str, ref: str | int | None = None) -> Words:
        """The newest state, or `ref`, has a name, and stays for as long as it has one."""
        timeline = self.session.timeline
        if ref is None:
            snapshot = timeline.head or timeline.present(asked=True)
        else:
            snapshot = self.find_here(str(ref))
        timeline.label(snapshot, text)
        return Words(f'"{text}" is {describe_state(snapshot)}.')

    def off(self) -> Words:
        """No state is kept from now on; the journal is."""
        self.session.timeline.capturer.enabled = False
        return Words("States are not kept any more in this run; the journal of cells goes on.")

    def on(self) -> Words:
        """States are kept again."""
        self.session.timeline.capturer.enabled = True
        return Words("States are kept again, from this cell on.")

    def exclude(self, *names: str) -> Words:
        """The variables are not kept, and no move touches them, from now on."""
        if not names:
            raise InvalidInput("Say which variables: `%rewind exclude NAME`.")
        for name in names:
            if not name.isidentifier():
                raise InvalidInput(f"{name!r} is no name of a variable.")
        for name in names:
            self.session.timeline.capturer.exclude(name)
        words = f"Left out from now on, and touched by no move: {', '.join(names)}."
        absent = [name for name in names if name not in self.session.namespace]
        if absent:
            words += f" There is no {' and no '.join(absent)} yet."
        return Words(words)

    def include(self, *names: str) -> Words:
        """What was left out is kept again, from this cell on, and moves bring it back."""
        excluded = self.session.timeline.capturer.excluded
        if not names:
            raise InvalidInput("Say which variables: `%rewind include NAME`.")
        for name in names:
            if name not in excluded:
                left_out = ", ".join(sorted(excluded)) or "nothing"
                raise InvalidInput(f"{name} is not left out; left out: {left_out}.")
        excluded.difference_update(names)
        self.session.note_outside("a variable is kept again")
        return Words(f"Kept again, from this cell on: {', '.join(names)}.")

    def find_here(self, ref: str) -> Snapshot:
        """The state of this run that `ref` names. Raises NotFound, with the reason where it could
        not be kept, Conflict, InvalidInput."""
        from jupyter_rewind.kernels.naming import count_in, find_snapshot

        try:
            return find_snapshot(ref, self.session.snapshots())
        except NotFound as error:
            self.session.learn()
            count = count_in(ref)
            cause = "" if count is None else self.session.unkept.cause(count)
            if not cause:
                raise
            raise NotFound(
                f"The state after In[{count}] could not be kept: {cause}.", hint=error.hint
            ) from error

    def _find(self, ref: str) -> tuple[Snapshot, Any]:
        """The snapshot that `ref` names in this run, or else in an earlier one of the notebook, and
        where it can be read."""
        try:
            return self.find_here(ref), None
        except NotFound as error:
            if ref.strip().isdecimal():
                raise
            try:
                return self._find_elsewhere(ref)
            except NotFound:
                raise error from None

    def _find_elsewhere(self, ref: str) -> tuple[Snapshot, Any]:
        from jupyter_rewind.kernels.naming import find_snapshot

        archive = self.session.archive
        if _ID.fullmatch(ref):
            # By its whole id, also that of another notebook, or of this one under another name.
            return archive.snapshot(SnapshotId(ref)), archive.repository
        snapshots = archive.snapshots_of(self.predecessor.runs(archive))
        return find_snapshot(ref, snapshots), archive.repository

    def _back(
        self, what: str, moved: Moved, again: str = "`%rewind undo` takes this back."
    ) -> Back:
        title = f"{what} {describe_state(moved.to)}"
        report = self._with_earlier(moved.report, moved.to)
        return Back(title, moved.to, moved.kept, report, moved.problems, moved.removed, again)

    def _with_earlier(
        self, report: tuple[VariableReport, ...], snapshot: Snapshot
    ) -> tuple[VariableReport, ...]:
        """The report, which names where what there was no time for can be had."""
        from jupyter_rewind.kernels.earlier import name_earlier

        return name_earlier(report, snapshot, lambda: self.session.archive)


_ID = re.compile("[0-9a-f]{16}")


def _keeping(session: KernelSession, is_on: bool) -> str:
    if not is_on:
        return "States are not kept: `%rewind on` keeps them again."
    cause = session.unkept.present
    if cause:
        return f"States cannot be kept at present: {cause}. It is tried again by itself."
    return "States are kept after each cell."


def _origin(snapshot: Snapshot) -> str:
    place = snapshot.place
    return place if snapshot.count else f"the state kept {place}"


def _merged(snapshot: Snapshot, counts: Mapping[ExecutionId, int]) -> list[str]:
    """Which states went into this one, in words."""
    cells = [counts[each] for each in snapshot.merged if counts.get(each)]
    if not cells:
        return []
    return [f"Not kept by themselves, but went into this one: {name_cells(cells)}."]


def _too_large(report: Iterable[VariableReport], names: set[str]) -> list[str]:
    """A line for each of the variables that the state is without for its size."""
    found = (one for one in report if one.name in names and one.fidelity is Fidelity.MISSING)
    return [f"Not kept: {one.name}: {one.reason}." for one in found]


def _changes(first: Snapshot, second: Snapshot, found: Any, words: str) -> Changes:
    return Changes(f"From {describe_state(first)} to {words}", tuple(found))


def _line(line: tuple[Snapshot, ...], is_present: bool) -> str:
    first, last = line[0], line[-1]
    labels = [label for each in line for label in each.labels]
    name = f' "{labels[-1]}"' if labels else ""
    sign = "*" if is_present else " "
    counts = [each.count for each in line if each.count]
    span = name_cells([counts[0]]) if counts else first.place
    if len(set(counts)) > 1:
        span = f"{span} to In[{counts[-1]}]"
    states = amount(len(line), "state")
    return f"{sign}{name} {span}, {states}, until {clock_time(last.time_ns)}: {last.id}"
