"""Everything that can happen to notebooks, in any order, against an oracle of plain dicts.

Two writers have the store open, as a server and the command line have, and take turns. Files lie
on a real disk; a file that goes is linked into a graveyard first, for a file system that gives
its inode to a new file would make the answers depend on the machine.
"""

from __future__ import annotations

import json
import os
import shutil

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.model.retention import Policy
from jupyter_rewind.notebooks import expiry
from jupyter_rewind.notebooks.documents import restore_document, undelete_document
from jupyter_rewind.store.upkeep import collect
from tests.machines.oracle import Line, State
from tests.machines.project import FOLDERS, LABELS, NAMES, PATHS, Project, dump

writers = st.integers(0, 1)
paths = st.sampled_from(PATHS)
numbers = st.integers(0, 10**6)


class Histories2Writers(Project):
    """All that happens to the notebooks of a project."""

    # --- saves ----------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        """A project that was worked on: two notebooks and one in a folder."""
        for path in ("a.ipynb", "b.ipynb", "x/a.ipynb"):
            self.write(path, self.fresh())
            for writer in range(3):
                self.keep(writer % 2, path, Reason.SAVE)
                self.write(path, self.edited(self.oracle.files[path]))
                self.hands.advance(60)

    @rule(writer=writers, path=paths, reason=st.sampled_from([Reason.SAVE, Reason.AUTOSAVE]))
    def save(self, writer: int, path: str, reason: Reason) -> None:
        before = self.oracle.files.get(path)
        self.write(path, self.fresh() if before is None else self.edited(before))
        self.keep(writer, path, reason)

    @precondition(lambda self: self.oracle.files)
    @rule(writer=writers, number=numbers, reason=st.sampled_from(["autosave", "manual", "save"]))
    def save_again(self, writer: int, number: int, reason: str) -> None:
        path = self.pick_file(number)
        if path in self.oracle.at:
            self.keep(writer, path, Reason(reason))

    @precondition(lambda self: self.oracle.files)
    @rule(writer=writers, number=numbers)
    def run_cells(self, writer: int, number: int) -> None:
        """Nothing changes but the times of execution."""
        path = self.pick_file(number)
        if path not in self.oracle.at:
            return
        try:
            book = json.loads(self.oracle.files[path])
        except ValueError:
            return
        book["cells"][0]["metadata"]["execution"] = {"shell.execute_reply": self.unique()}
        self.write(path, dump(book))
        self.keep(writer, path, Reason.AUTOSAVE)

    @precondition(lambda self: self.oracle.files)
    @rule(writer=writers, number=numbers, indent=st.integers(0, 3))
    def reformat(self, writer: int, number: int, indent: int) -> None:
        """The same words in other bytes, which must come back as they are."""
        path = self.pick_file(number)
        if path not in self.oracle.at or not self.oracle.files[path].startswith(b"{"):
            return
        book = json.loads(self.oracle.files[path])
        self.write(path, json.dumps(book, indent=indent).encode())
        self.keep(writer, path, Reason.SAVE)

    @precondition(lambda self: self.oracle.files)
    @rule(writer=writers, number=numbers, reason=st.sampled_from(["broken", "empty", "edit"]))
    def edit_outside(self, writer: int, number: int, reason: str) -> None:
        path = self.pick_file(number)
        if path is None:
            return
        if reason == "edit":
            raw = self.edited(self.oracle.files[path])
        else:
            raw = b"" if reason == "empty" else b"<<<<<<< HEAD " + self.unique().encode() * 9
        if number % 2:
            self.bury(path)
            self.file(path).unlink()
        self.write(path, raw)
        if raw or path in self.oracle.at:
            self.keep(writer, path, Reason.EXTERNAL_CHANGE)

    # --- files come and go ----------------------------------------------------------------

    def carry(self, old: str, new: str) -> None:
        """The file moves on the disk."""
        self.file(new).parent.mkdir(exist_ok=True)
        self.file(old).rename(self.file(new))
        self.oracle.files[new] = self.oracle.files.pop(old)

    @precondition(lambda self: self.oracle.files)
    @rule(writer=writers, number=numbers, new=paths)
    def rename(self, writer: int, number: int, new: str) -> None:
        old = self.pick_file(number)
        if old is None or new in self.oracle.files:
            return
        self.carry(old, new)
        self.open[writer].rename(self.name(old), self.name(new))
        line = self.oracle.at.get(old)
        if line is not None:
            self.oracle.bind(new, line, self.hands.time_ns)

    @precondition(lambda self: any("/" in path for path in self.oracle.files))
    @rule(writer=writers, old=st.sampled_from(FOLDERS[1:]), new=st.sampled_from(FOLDERS[1:]))
    def rename_folder(self, writer: int, old: str, new: str) -> None:
        if not self.file(old).is_dir() or self.file(new).exists():
            return
        self.file(old).rename(self.file(new))
        for path in [path for path in self.oracle.files if path.startswith(old + "/")]:
            self.oracle.files[new + path[len(old) :]] = self.oracle.files.pop(path)
        for line in self.oracle.lines:
            # What was deleted in the folder goes along with it.
            target = new + line.path[len(old) :]
            if line.path.startswith(old + "/") and not line.bound and target not in self.oracle.at:
                line.path = target
        count = self.open[writer].rename_folder(self.name(old), self.name(new))
        moving = [path for path in self.oracle.at if path.startswith(old + "/")]
        assert count == len(moving)
        for path in moving:
            self.oracle.bind(new + path[len(old) :], self.oracle.at[path], self.hands.time_ns)

    @precondition(lambda self: self.oracle.files)
    @rule(writer=writers, number=numbers, new=paths)
    def move_outside(self, writer: int, number: int, new: str) -> None:
        """`mv`: nobody tells us; the next look must find out."""
        old = self.pick_file(number)
        if old not in self.oracle.at or new in self.oracle.files:
            return
        if new in self.oracle.at:
            return  # whether a history that was there goes on depends on how alike the two are
        self.write(old, self.edited(self.oracle.files[old]))
        self.keep(writer, old, Reason.SAVE)
        self.carry(old, new)
        self.keep(1 - writer, new, Reason.EXTERNAL_CHANGE)

    @precondition(lambda self: self.oracle.files)
    @rule(writer=writers, number=numbers, new=paths, is_new_first=st.booleans())
    def move_outside_and_use_the_name(
        self, writer: int, number: int, new: str, is_new_first: bool
    ) -> None:
        """`mv`, and another notebook under the old name before anybody looks at either."""
        old = self.pick_file(number)
        if old not in self.oracle.at or new in self.oracle.files or new in self.oracle.at:
            return
        if is_new_first and os.path.dirname(old) != os.path.dirname(new):
            return  # where the old one is then, nobody knows
        self.write(old, self.edited(self.oracle.files[old]))
        self.keep(writer, old, Reason.SAVE)
        line = self.oracle.at[old]
        self.carry(old, new)
        self.write(old, self.fresh())
        self.oracle.bind(new, line, self.hands.time_ns)
        for path in (old, new) if is_new_first else (new, old):
            self.keep(1 - writer, path, Reason.EXTERNAL_CHANGE)

    @rule(writer=writers, folder=st.sampled_from(FOLDERS), is_first=st.booleans())
    def swap_outside(self, writer: int, folder: str, is_first: bool) -> None:
        """Two notebooks of a folder swap names: each history goes with its file."""
        a, b = (os.path.join(folder, name) for name in NAMES)
        if a not in self.oracle.at or b not in self.oracle.at:
            return
        if a not in self.oracle.files or b not in self.oracle.files:
            return
        for path in (a, b):
            self.write(path, self.edited(self.oracle.files[path]))
            self.keep(writer, path, Reason.SAVE)
        between = self.home / "between"
        self.file(a).rename(between)
        self.file(b).rename(self.file(a))
        between.rename(self.file(b))
        files, at = self.oracle.files, self.oracle.at
        files[a], files[b] = files[b], files[a]
        at[a], at[b] = at[b], at[a]
        at[a].path, at[b].path = a, b
        for path in (a, b) if is_first else (b, a):
            self.keep(1 - writer, path, Reason.EXTERNAL_CHANGE)

    @precondition(lambda self: self.oracle.files)
    @rule(writer=writers, number=numbers, new=paths, told=st.booleans())
    def copy(self, writer: int, number: int, new: str, told: bool) -> None:
        old = self.pick_file(number)
        if old not in self.oracle.at or new in self.oracle.files:
            return
        self.write(old, self.edited(self.oracle.files[old]))
        self.keep(writer, old, Reason.SAVE)
        self.write(new, self.oracle.files[old])
        if told:
            self.open[writer].copy(self.name(old), self.name(new))
            if new not in self.oracle.at:
                self.oracle.begin(new, came_from=old)
        self.keep(writer, new, Reason.SAVE)

    @precondition(lambda self: self.oracle.files)
    @rule(writer=writers, number=numbers, told=st.booleans())
    def delete(self, writer: int, number: int, told: bool) -> None:
        path = self.pick_file(number)
        if path is None:
            return
        self.bury(path)
        self.file(path).unlink()
        del self.oracle.files[path]
        if told:
            self.open[writer].delete(self.name(path))
            self.oracle.unbind(path, self.hands.time_ns)

    @precondition(lambda self: any("/" in path for path in self.oracle.files))
    @rule(writer=writers, folder=st.sampled_from(FOLDERS[1:]))
    def delete_folder(self, writer: int, folder: str) -> None:
        if not self.file(folder).is_dir():
            return
        for path in [path for path in self.oracle.files if path.startswith(folder + "/")]:
            self.bury(path)
            del self.oracle.files[path]
        shutil.rmtree(self.file(folder))
        gone = [path for path in self.oracle.at if path.startswith(folder + "/")]
        assert self.open[writer].delete_folder(self.name(folder)) == len(gone)
        for path in gone:
            self.oracle.unbind(path, self.hands.time_ns)

    @precondition(lambda self: self.trashed())
    @rule(writer=writers, number=numbers)
    def bring_the_same_back(self, writer: int, number: int) -> None:
        """Out of the trash, to where it was."""
        line = self.pick_line(number, self.trashed())
        assert line is not None
        self.write(line.path, line.states[-1].raw)
        self.keep(writer, line.path, Reason.EXTERNAL_CHANGE)
        assert self.oracle.at[line.path] is line

    # --- going back -----------------------------------------------------------------------

    @precondition(lambda self: self.homeless())
    @rule(writer=writers, number=numbers)
    def undelete(self, writer: int, number: int) -> None:
        line = self.pick_line(number, self.homeless())
        assert line is not None
        path, raw = line.path, line.states[-1].raw
        done = undelete_document(self.open[writer], line.id)
        assert (done.path, done.path.read_bytes()) == (self.file(path), raw)
        self.oracle.files[path] = raw
        self.oracle.bind(path, line, self.hands.time_ns)
        assert not self.oracle.expect(line, raw, "restore")

    @rule(writer=writers, number=numbers, back=st.integers(0, 5), is_live=st.booleans())
    def restore(self, writer: int, number: int, back: int, is_live: bool) -> None:
        lines = [line for line in self.oracle.lines if line.bound and line.states]
        line = self.pick_line(number, lines)
        if line is None:
            return
        path, source = line.path, line.states[-1 - min(back, len(line.states) - 1)]
        live = self.fresh() if is_live else None
        before = [raw for raw in (self.oracle.files.get(path), live) if raw is not None]
        if path in self.oracle.files:
            self.bury(path)
        known = {state.id for state in line.states}
        done = restore_document(self.open[writer], self.file(path), source.id, present=live)
        made = [one for one in self.open[writer].checkpoints(line.id) if one.id not in known]
        self.oracle.files[path] = source.raw
        for raw in before:
            if self.oracle.expect(line, raw, "before-restore"):
                self.note(line, made.pop(0), raw, True)
        if self.oracle.expect(line, source.raw, "restore"):
            self.note(line, made.pop(0), source.raw, True)
        assert made == []
        assert self.file(path).read_bytes() == source.raw
        assert (done.kept is not None) == bool(before)

    # --- marks and upkeep -----------------------------------------------------------------

    def pick_state(self, number: int) -> tuple[Line, State] | None:
        all_states = [(line, state) for line in self.oracle.lines for state in line.states]
        return all_states[number % len(all_states)] if all_states else None

    @rule(writer=writers, number=numbers, label=st.sampled_from(LABELS))
    def label(self, writer: int, number: int, label: str) -> None:
        picked = self.pick_state(number)
        if picked is None:
            return
        line, state = picked
        histories = self.open[writer]
        checkpoint = histories.get(None, state.id)
        if label in state.labels:
            histories.unlabel(checkpoint, label)
            state.labels.remove(label)
            return
        histories.label(checkpoint, label)
        for other in line.states:
            if label in other.labels:
                other.labels.remove(label)
        state.labels.append(label)

    @rule(writer=writers, number=numbers)
    def pin(self, writer: int, number: int) -> None:
        picked = self.pick_state(number)
        if picked is None:
            return
        histories, state = self.open[writer], picked[1]
        mark = histories.unpin if state.pinned else histories.pin
        mark(histories.get(None, state.id))
        state.pinned = not state.pinned

    @rule(writer=writers, number=numbers)
    def delete_checkpoint(self, writer: int, number: int) -> None:
        picked = self.pick_state(number)
        if picked is None or len(picked[0].states) < 2:
            return
        line, state = picked
        self.open[writer].delete_checkpoint(
            self.open[writer].get(None, state.id), force=state.is_named
        )
        line.states.remove(state)

    @rule(writer=writers, keep_last=st.integers(1, 4), is_collected=st.booleans())
    def expire(self, writer: int, keep_last: int, is_collected: bool) -> None:
        # Since when a file that vanished untold counts as deleted is shown in tests of its own.
        lines = [line for line in self.oracle.lines if line.bound and line.states]
        is_sure = all(line.path in self.oracle.files for line in lines)
        days = 10 if is_sure else 10_000
        policy = Policy(keep_last=keep_last, hourly=0, daily=0, weekly=0, deleted_days=days)
        gone = self.oracle.expire(keep_last, days, self.hands.time_ns)
        assert {one.id for one in expiry.expire(self.open[writer], policy)} == gone
        if is_collected:
            collect(self.open[1 - writer].repository)

    @rule(hours=st.sampled_from([1, 100, 400]))
    def wait(self, hours: int) -> None:
        self.hands.advance(3600 * hours + 1)

    @rule(writer=writers)
    def reopen(self, writer: int) -> None:
        self.open[writer].repository.close()
        self.open[writer] = self.opened()


class TestHistories(Histories2Writers.TestCase):  # type: ignore[misc, name-defined]
    """A few dozen lives of a project; part of every run."""

    settings = settings(
        max_examples=40,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.long
class TestHistoriesLong(Histories2Writers.TestCase):  # type: ignore[misc, name-defined]
    """The same, for minutes."""

    settings = settings(
        max_examples=1000,
        stateful_step_count=80,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
