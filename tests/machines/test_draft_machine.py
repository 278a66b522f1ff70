"""Everything that can happen to drafts, in any order, against an oracle of plain lists."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from jupyter_rewind.errors import NotFound
from jupyter_rewind.model.checkpoint import Checkpoint, Reason
from jupyter_rewind.model.draft import Opening
from jupyter_rewind.model.ids import DraftId
from jupyter_rewind.notebooks.drafts import Drafts, claim_of, dump_notebook
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.upkeep import collect, verify
from tests.support.drafts import Editor

PATH = "/home/a/work.ipynb"
texts = st.text(alphabet="abé \n😀", max_size=12)
numbers = st.integers(0, 10**6)


def code(text: str, name: str) -> dict[str, Any]:
    return {"cell_type": "code", "id": name, "metadata": {}, "outputs": [],
            "execution_count": None, "source": text.splitlines(True)}  # fmt: skip


def joined(book: dict[str, Any]) -> list[str]:
    return ["".join(cell["source"]) for cell in book["cells"]]


@dataclass
class Window:
    """What one browser window shows, and what it has handed over of that."""

    name: DraftId
    base: Checkpoint
    shown: list[tuple[str, str]]
    """Key and text of each cell."""
    editor: Editor = field(default_factory=Editor)
    told: list[str] | None = None
    """What the store was told that the cells say; None before the draft was begun."""
    sent: list[bytes] = field(default_factory=list)
    cells: int = 0


class DraftMachine(RuleBasedStateMachine):
    """Two processes, a file, any number of windows."""

    @initialize()
    def begin(self) -> None:
        """A notebook of three cells that was saved once."""
        self.folder = Path(tempfile.mkdtemp(prefix="rewind-drafts-"))
        self.stores = [self.open(number) for number in range(2)]
        self.windows: list[Window] = []
        self.dropped: list[DraftId] = []
        self.count = 0
        self.cells = ["x = 1\n", "", "y"]
        self.save_cells(0)

    def open(self, number: int) -> Repository:
        return Repository.open(
            self.folder / "store",
            key_folder=self.folder / "keys",
            index_path=self.folder / f"index-{number}",
            durability="process",
        )

    def drafts(self, store: int) -> Drafts:
        return Drafts(Histories(self.stores[store]))

    def save_cells(self, store: int) -> Checkpoint:
        cells = [code(text, f"c{at}") for at, text in enumerate(self.cells)]
        book = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        self.raw = dump_notebook(book)
        histories = Histories(self.stores[store])
        return histories.record(PATH, self.raw, reason=Reason.SAVE).checkpoint

    def pick(self, number: int) -> Window:
        return self.windows[number % len(self.windows)]

    # --- what a user does -----------------------------------------------------------------

    @precondition(lambda self: len(self.windows) < 4)
    @rule(store=st.integers(0, 1))
    def open_window(self, store: int) -> None:
        """A window reads the file as it is."""
        self.count += 1
        base = self.drafts(store).find_base(PATH, claim_of(self.raw), self.raw)
        shown = [(str(at), text) for at, text in enumerate(self.cells)]
        name = DraftId(f"{self.count:032x}")
        self.windows.append(Window(name, base, shown, cells=len(shown)))

    @precondition(lambda self: any(window.shown for window in self.windows))
    @rule(window=numbers, cell=numbers, text=texts)
    def type(self, window: int, cell: int, text: str) -> None:
        mine = self.pick(window)
        if mine.shown:
            at = cell % len(mine.shown)
            key, _ = mine.shown[at]
            mine.shown[at] = (key, text)
            mine.editor.set_source(key, text)

    @precondition(lambda self: self.windows)
    @rule(window=numbers, at=numbers, text=texts)
    def insert(self, window: int, at: int, text: str) -> None:
        mine = self.pick(window)
        key = f"n{mine.cells}"
        mine.cells += 1
        mine.shown.insert(at % (len(mine.shown) + 1), (key, text))
        mine.editor.set_source(key, text)
        for name, value in code("", key).items():
            if name not in ("source", "outputs"):
                mine.editor.set_field(key, name, value)
        mine.editor.set_outputs(key, [])
        self.tell_order(mine)

    @precondition(lambda self: self.windows)
    @rule(window=numbers, at=numbers)
    def delete(self, window: int, at: int) -> None:
        mine = self.pick(window)
        if mine.shown:
            del mine.shown[at % len(mine.shown)]
            self.tell_order(mine)

    @precondition(lambda self: self.windows)
    @rule(window=numbers, one=numbers, other=numbers)
    def swap(self, window: int, one: int, other: int) -> None:
        mine = self.pick(window)
        if mine.shown:
            a, b = one % len(mine.shown), other % len(mine.shown)
            mine.shown[a], mine.shown[b] = mine.shown[b], mine.shown[a]
            self.tell_order(mine)

    def tell_order(self, window: Window) -> None:
        keys = [key for key, _ in window.shown]
        window.editor.set_order([[int(key), 1] if key.isdigit() else key for key in keys])

    # --- what the browser does ------------------------------------------------------------

    @precondition(lambda self: self.windows)
    @rule(store=st.integers(0, 1), window=numbers, whole=st.booleans())
    def hand_over(self, store: int, window: int, whole: bool) -> None:
        """The first time it begins, and then it appends."""
        mine = self.pick(window)
        drafts = self.drafts(store)
        if mine.told is None:
            update = mine.editor.whole()
            opening = Opening(mine.name, mine.base.history, mine.base.id, "me", "here")
            drafts.begin(opening, mine.base, update)
        else:
            update = mine.editor.whole() if whole else mine.editor.update()
            drafts.append(mine.name, update, whole=whole)
        mine.sent.append(update)
        mine.told = [text for _, text in mine.shown]

    @precondition(lambda self: any(window.sent for window in self.windows))
    @rule(store=st.integers(0, 1), window=numbers, which=numbers)
    def send_again(self, store: int, window: int, which: int) -> None:
        """The answer to an earlier message was lost."""
        mine = self.pick(window)
        if mine.sent:
            self.drafts(store).append(mine.name, mine.sent[which % len(mine.sent)])

    @precondition(lambda self: self.windows)
    @rule(store=st.integers(0, 1), window=numbers)
    def save(self, store: int, window: int) -> None:
        """The file holds what the window shows; its draft goes, and another one begins."""
        mine = self.pick(window)
        self.cells = [text for _, text in mine.shown]
        base = self.save_cells(store)
        if mine.told is not None:
            self.drafts(store).discard(mine.name)
            self.dropped.append(mine.name)
        self.windows.remove(mine)
        self.count += 1
        shown = [(str(at), text) for at, text in enumerate(self.cells)]
        name = DraftId(f"{self.count:032x}")
        self.windows.append(Window(name, base, shown, cells=len(shown)))

    @precondition(lambda self: self.windows)
    @rule(store=st.integers(0, 1), window=numbers)
    def discard(self, store: int, window: int) -> None:
        mine = self.pick(window)
        if mine.told is None:
            with pytest.raises(NotFound):
                self.drafts(store).discard(mine.name)
        else:
            self.drafts(store).discard(mine.name)
            self.dropped.append(mine.name)
        self.windows.remove(mine)

    # --- what happens to the store --------------------------------------------------------

    @rule(number=st.integers(0, 1))
    def reopen(self, number: int) -> None:
        self.stores[number].close()
        self.stores[number] = self.open(number)

    @rule(number=st.integers(0, 1))
    def collect(self, number: int) -> None:
        """What nobody reaches goes; checkpoints expire that a draft may be an edit of."""
        for store in self.stores:
            store.end_segment()
        histories = Histories(self.stores[number])
        for checkpoint in histories.checkpoints(PATH)[:-1]:
            with contextlib.suppress(NotFound):
                histories.delete_checkpoint(checkpoint)
        collect(self.stores[number])

    # --- what always holds ----------------------------------------------------------------

    @invariant()
    def every_draft_reads_as_it_was_told(self) -> None:
        """In both processes, whatever the file holds by now."""
        begun = {each.name: each for each in self.windows if each.told is not None}
        for number in range(2):
            drafts = self.drafts(number)
            assert {each.id for each in drafts.of(PATH)} == set(begun)
            for window in begun.values():
                found = drafts.read(window.name)
                assert found.lost == 0
                assert joined(found.notebook) == window.told
            for name in self.dropped:
                with pytest.raises(NotFound):
                    drafts.read(name)

    def teardown(self) -> None:
        if hasattr(self, "stores"):
            assert verify(self.stores[0], read_data=True).ok
            for store in self.stores:
                store.close()
            shutil.rmtree(self.folder, ignore_errors=True)


DraftMachine.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestDrafts = pytest.mark.slow(DraftMachine.TestCase)
