"""What is done to a store while the power may fail. Each takes a run and leaves marks in it."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.model.draft import Opening
from jupyter_rewind.model.ids import DraftId
from jupyter_rewind.notebooks.documents import restore_document
from jupyter_rewind.notebooks.drafts import Drafts
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.rotation import rotate
from jupyter_rewind.store.upkeep import collect, salvage, verify
from tests.support.drafts import Editor
from tests.support.recording import RecordingFiles
from tests.support.scenario import Run, hold

Check = Callable[[Path, list[Any]], None]


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def make_and_save(run: Run) -> None:
    """A store is made, three small commits, closed, opened again, one more."""
    with run.open() as repository:
        run.save(repository, b"first")
        run.save(repository, b"second " * 50, noise(1, 700))
        run.save(repository)
    with run.open() as repository:
        run.save(repository, noise(2, 1200), b"first")


def two_writers(run: Run) -> None:
    """A second writer names what the first has written and not yet synced."""
    with run.open() as one, run.open() as two:
        run.save(one, noise(20, 800))
        run.save(two, b"of the second", noise(20, 800))
        fresh = noise(3, 900)
        files = run.files

        def look_and_save(_: Path) -> None:
            two.refresh()
            run.save(two, fresh)

        if isinstance(files, RecordingFiles):
            files.before_sync = look_and_save
        run.save(one, fresh)
        run.save(one, b"and on")
        run.save(two, fresh, b"and on")


def many_flushes(run: Run) -> None:
    """Commits larger than what is staged in memory, and one that is given up half way."""
    with run.open() as repository:
        run.save(repository, noise(4, 300))
        run.save(repository, *(noise(10 + n, 3000) for n in range(8)))
        try:
            with repository.transaction() as tx:
                for n in range(8):
                    tx.put(noise(30 + n, 3000))
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass
        run.save(repository, noise(5, 200))
        run.save(repository, noise(30, 3000), noise(33, 3000))


def expire_and_rotate(run: Run) -> None:
    """Entries expire, and the writer goes on to another segment."""
    with run.open() as repository:
        first = run.save(repository, noise(6, 500))
        second = run.save(repository, noise(7, 500))
        run.expire(repository, first)
        repository.end_segment()
        run.save(repository, noise(6, 500), noise(8, 300))
        run.expire(repository, second)


def in_groups(run: Run) -> None:
    """Process-safe commits, which only a sync of their group puts on the disk."""
    run.durability = "process"
    with run.open() as one:
        run.in_groups = True
        for number in range(3):
            run.save(one, noise(40 + number, 300))
        one.writer.sync_now()
        run.told_group()
        run.save(one, noise(43, 500), noise(40, 300))
        run.save(one, noise(44, 200))
    run.told_group()


def collect_what_expired(run: Run) -> None:
    """Half of what is stored expires and is collected, while the rest stays."""
    with run.open() as repository:
        names = [run.save(repository, noise(50 + n, 900), noise(60, 700)) for n in range(6)]
        repository.end_segment()
        names += [run.save(repository, noise(70 + n, 400)) for n in range(3)]
        run.expire(repository, *names[:4], names[7])
        collect(repository)
        run.save(repository, noise(50, 900))
        collect(repository)


def salvage_a_damaged_store(run: Run) -> None:
    """A chunk is damaged for good; salvage goes on without it."""
    with run.open() as repository:
        names = [run.save(repository, noise(80 + n, 600)) for n in range(4)]
        segment = repository.layout.segments / repository.writer.segment
    at = segment.read_bytes().index(noise(81, 600))
    descriptor = os.open(segment, os.O_RDWR)
    run.files.write_at(descriptor, [b"\xff" * 16], at, segment)
    run.files.sync_data(descriptor, segment)
    run.files.close(descriptor)
    run.ledger.lost.add(names[1])
    salvage(
        run.root / "store",
        run.root / "keys",
        index_path=run.root.parent / "salvage.sqlite",
        files=run.files,
    )
    with run.open() as repository:
        run.save(repository, noise(81, 600), noise(82, 600))


def change_the_key(run: Run) -> None:
    """A store of two segments, with something expired, gets another key; then work goes on."""
    with run.open() as repository:
        first = run.save(repository, noise(60, 500))
        run.save(repository, noise(61, 900), b"second")
        repository.end_segment()
        run.save(repository, noise(60, 500))
        run.expire(repository, first)
        layout = repository.layout
    rotate(layout, run.root / "keys", run.files, lambda entry, old, new: entry)
    with run.open() as repository:
        run.save(repository, noise(62, 300), b"second")


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        make_and_save,
        two_writers,
        many_flushes,
        expire_and_rotate,
        in_groups,
        collect_what_expired,
        salvage_a_damaged_store,
        change_the_key,
    )
}


def restore_notebook(run: Run) -> None:
    """A notebook is saved three times, labelled, and restored over what nobody has saved."""
    path = run.root / "work.ipynb"
    files = run.files
    assert isinstance(files, RecordingFiles)
    with run.open() as repository:
        histories = Histories(repository)
        for number in range(3):
            files.replace_file(path, cells(number))
            kept = histories.record(str(path), cells(number), reason=Reason.SAVE)
            files.mark(("kept", number))
        histories.label(kept.checkpoint, "good")
        files.mark(("labelled", 2))
        files.replace_file(path, cells(3))
        files.mark(("written", 3))
        restore_document(histories, path, "head~1", files=files)
        files.mark(("kept", 3))
        files.mark(("written", 1))


def cells(number: int) -> bytes:
    """A notebook with two cells, one of which changes."""
    big = noise(200, 400).hex()
    source = [{"cell_type": "code", "id": f"c{n}", "metadata": {}, "outputs": [],
               "execution_count": None, "source": text}
              for n, text in enumerate((f"x = {number}", big))]  # fmt: skip
    book = {"cells": source, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book, indent=1).encode() + b"\n"


def check_histories(original: Path) -> Check:
    """What was kept reads byte for byte; the file is whole, and as it was last acknowledged."""
    path = str(original / "work.ipynb")

    def check(folder: Path, told: list[tuple[str, int]]) -> None:
        known = {cells(number): number for number in range(4)}
        places = {"key_folder": folder / "keys", "index_path": folder / "none" / "index"}
        with Repository.open(folder / "store", **places) as repository:
            histories = Histories(repository)
            history = histories.find(path)
            points = histories.checkpoints(path) if history else []
            there = {known[histories.read(point)] for point in points}
            kept = {number for what, number in told if what == "kept"}
            hold("lost", kept <= there, f"acknowledged checkpoints are gone: {kept - there}")
            if ("labelled", 2) in told:
                assert histories.read(histories.resolve(path, "good")) == cells(2)
            hold("unclean", verify(repository, read_data=True).ok, "after the cut")
            histories.record(path, cells(9), reason=Reason.SAVE)
            assert histories.read(histories.resolve(path, "head")) == cells(9)
        file = folder / "work.ipynb"
        hold("lost", file.exists() or not kept, "the notebook is gone")
        now = known[file.read_bytes()] if file.exists() else 0
        if ("written", 1) in told:
            assert now == 1
        elif ("written", 3) in told:
            # Restoring keeps the present first.
            assert now == 3 or (now == 1 and 3 in there)
        else:
            assert now in {max(kept, default=0), max(kept, default=0) + 1}

    return check


DRAFT = DraftId("d" * 32)


def hand_over_drafts(run: Run) -> None:
    """A draft is begun, goes on, is sent whole, goes on; another one is saved and dropped."""
    files = run.files
    assert isinstance(files, RecordingFiles)
    with run.open() as repository:
        histories = Histories(repository)
        drafts = Drafts(histories)
        base = histories.record(str(run.root / "work.ipynb"), cells(0), reason=Reason.SAVE)
        for name in (DRAFT, DraftId("e" * 32)):
            editor = Editor()
            editor.set_source("0", said(0))
            opening = Opening(name, base.checkpoint.history, base.checkpoint.id, "me", "here")
            drafts.begin(opening, base.checkpoint, editor.whole())
            if name == DRAFT:
                files.mark(("said", 0))
                for number in range(1, 6):
                    editor.set_source("0", said(number))
                    whole = number == 3
                    drafts.append(name, editor.whole() if whole else editor.update(), whole=whole)
                    files.mark(("said", number))
        drafts.discard(DraftId("e" * 32))
        files.mark(("dropped", 0))


def said(number: int) -> str:
    """Some are too long to stand in the record itself."""
    return f"x = {number}" + (noise(300 + number, 3000).hex() if number in (2, 3) else "")


def check_drafts(original: Path) -> Check:
    """The draft says what was last acknowledged, or what came after; what went stays away."""
    path = str(original / "work.ipynb")

    def check(folder: Path, told: list[tuple[str, int]]) -> None:
        least = max((number for what, number in told if what == "said"), default=-1)
        places = {"key_folder": folder / "keys", "index_path": folder / "none" / "index"}
        with Repository.open(folder / "store", **places) as repository:
            drafts = Drafts(Histories(repository))
            found = {each.id: drafts.read(each.id) for each in drafts.of(path)}
            hold("lost", least < 0 or DRAFT in found, "an acknowledged draft is gone")
            for name, draft in found.items():
                hold("other bytes", draft.lost == 0, "an update does not read")
                now = "".join(draft.notebook["cells"][0]["source"])
                known = [said(number) for number in range(6)]
                hold("other bytes", now in known, "a mixture of drafts")
                if name == DRAFT:
                    hold("lost", now in known[max(least, 0) :], "an acknowledged edit is gone")
            hold("back again", ("dropped", 0) not in told or len(found) == 1, "it was dropped")
            hold("unclean", verify(repository, read_data=True).ok, "after the cut")
            if DRAFT in found:
                drafts.append(DRAFT, Editor().whole())

    return check


def replace_notebook(run: Run) -> None:
    """A notebook of the user's is replaced three times."""
    path = run.root / "notebook.ipynb"
    for number in range(3):
        run.files.replace_file(path, notebook(number))
        if isinstance(run.files, RecordingFiles):
            run.files.mark(("replaced", number))


def notebook(number: int) -> bytes:
    return b"{" + noise(100 + number, 1500 + 400 * number) + b"}"


def check_notebook(folder: Path, told: list[tuple[str, int]]) -> None:
    """The notebook holds what was last acknowledged or what came after, whole; never a mixture."""
    least = told[-1][1] if told else -1
    path = folder / "notebook.ipynb"
    if not path.exists():
        hold("lost", least < 0, "the notebook is gone")
        return
    data, known = path.read_bytes(), [notebook(number) for number in range(3)]
    hold("other bytes", data in known, "a torn notebook")
    hold("lost", data in known[max(least, 0) :], "the notebook as it was last acknowledged")
