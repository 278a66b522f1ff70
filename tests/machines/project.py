"""A user's notebooks on a real disk, kept by two processes, and the oracle that is told of it all.

`Project` holds the means and what must hold at all times; the rules are with the test.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition

from jupyter_rewind import clock
from jupyter_rewind.model.checkpoint import Checkpoint, Reason
from jupyter_rewind.notebooks.documents import checkpoint_document
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.upkeep import verify
from tests.machines.oracle import Line, Oracle, State
from tests.notebooks.support import make_cell

FOLDERS = ("", "x", "y", "z")
NAMES = ("a.ipynb", "b.ipynb")
PATHS = [os.path.join(folder, name) for folder in FOLDERS for name in NAMES]
LABELS = ("good", "thesis")


def dump(book: Any) -> bytes:
    return (json.dumps(book, indent=1) + "\n").encode()


class Project(RuleBasedStateMachine):
    """One user's notebooks, and two processes that keep them."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(os.path.realpath(tempfile.mkdtemp(prefix="rewind-machine-")))
        self.root = self.home / "project"
        self.root.mkdir()
        (self.home / "graveyard").mkdir()
        self.hands = clock.FakeClock()
        self.clock = clock.use(self.hands)
        self.clock.__enter__()
        self.oracle = Oracle()
        self.open: list[Histories] = [self.opened(), self.opened()]
        self.count = 0
        self.turn = 0

    def teardown(self) -> None:
        try:
            for histories in self.open:
                histories.repository.close()
            last = self.opened()
            self.check_lists(last)
            for line in self.oracle.lines:
                for state in line.states:
                    assert last.read(last.get(None, state.id)) == state.raw
            assert verify(last.repository, read_data=True).ok
            last.repository.close()
        finally:
            self.clock.__exit__(None, None, None)
            shutil.rmtree(self.home)

    # --- means ----------------------------------------------------------------------------

    def opened(self) -> Histories:
        folder, keys = self.home / "store", self.home / "keys"
        return Histories(Repository.open(folder, key_folder=keys, durability="process"))

    def name(self, path: str) -> str:
        return str(self.root / path)

    def file(self, path: str) -> Path:
        return self.root / path

    def unique(self) -> str:
        self.count += 1
        return f"value = {self.count}"

    def fresh(self) -> bytes:
        """A new notebook that is like no other."""
        cells = [make_cell(f"{self.count}-{n}", self.unique()) for n in range(3)]
        return dump({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})

    def edited(self, raw: bytes) -> bytes:
        """The same notebook with one cell changed."""
        try:
            book = json.loads(raw)
        except ValueError:
            return self.fresh()
        book["cells"][self.count % len(book["cells"])]["source"] = self.unique()
        return dump(book)

    def bury(self, path: str) -> None:
        self.count += 1
        os.link(self.file(path), self.home / "graveyard" / str(self.count))

    def write(self, path: str, raw: bytes) -> None:
        self.file(path).parent.mkdir(exist_ok=True)
        self.file(path).write_bytes(raw)
        self.oracle.files[path] = raw

    def keep(self, writer: int, path: str, reason: Reason) -> None:
        """The file of `path` is recorded, and the oracle told."""
        raw = self.oracle.files[path]
        line = self.oracle.line_for(path, raw, self.hands.time_ns)
        is_new = self.oracle.expect(line, raw, str(reason))
        made = checkpoint_document(self.open[writer], self.file(path), reason=reason)
        assert made.created == is_new
        self.note(line, made.checkpoint, raw, is_new)

    def note(self, line: Line, made: Checkpoint, raw: bytes, is_new: bool) -> None:
        assert line.id in ("", made.history)
        line.id = made.history
        if is_new:
            line.states.append(State(made.id, raw, str(made.reason), made_at=self.hands.time_ns))
        assert made.id == line.states[-1].id

    def pick_file(self, number: int) -> str | None:
        files = sorted(self.oracle.files)
        return files[number % len(files)] if files else None

    def pick_line(self, number: int, lines: list[Line]) -> Line | None:
        return lines[number % len(lines)] if lines else None

    def homeless(self) -> list[Line]:
        """Histories whose file is gone."""
        files = self.oracle.files
        return [line for line in self.oracle.lines if line.states and line.path not in files]

    def trashed(self) -> list[Line]:
        """Deleted notebooks whose place is free, and whose newest state is theirs alone."""
        return [
            line
            for line in self.homeless()
            if not line.bound
            and line.path not in self.oracle.at
            and line.states[-1].raw.startswith(b"{")
            and self.oracle.holders(line.states[-1].raw) == [line]
        ]

    # --- what must hold at all times ------------------------------------------------------

    @invariant()
    @precondition(lambda self: self.oracle.lines)
    def everything_is_as_it_must_be(self) -> None:
        self.turn += 1
        histories = self.open[self.turn % 2]
        if self.turn % 4 == 0:
            self.check_lists(histories)
        line = self.oracle.lines[self.turn % len(self.oracle.lines)]
        self.check_line(histories, line)
        if line.states:
            state = line.states[self.turn % len(line.states)]
            assert histories.read(histories.get(None, state.id)) == state.raw

    def source_of(self, line: Line) -> str:
        return self.name(line.came_from) if line.came_from else ""

    def check_line(self, histories: Histories, line: Line) -> None:
        found = histories.checkpoints(line.id) if line.id else []
        told = [(one.id, str(one.reason), list(one.labels), one.pinned) for one in found]
        must = [(one.id, one.reason, one.labels, one.pinned) for one in line.states]
        assert told == must

    def check_lists(self, histories: Histories) -> None:
        oracle = self.oracle
        for line in oracle.lines:
            self.check_line(histories, line)
        for path in PATHS:
            mine = oracle.at.get(path)
            assert histories.find(self.name(path)) == (mine.id if mine else None)
            file = self.file(path)
            assert (file.read_bytes() if file.exists() else None) == oracle.files.get(path)
        told = {(info.id, info.path, info.deleted, info.came_from) for info in histories.all()}
        must = {
            (line.id, self.name(line.path), not line.bound, self.source_of(line))
            for line in oracle.lines
            if line.states
        }
        assert told == must
