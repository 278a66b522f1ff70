"""What this machine builds on contents that came from a replica is as durable as all else, and what
comes leaves the last room of the disk to what is saved."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_rewind.errors import Full, Unavailable
from jupyter_rewind.model.checkpoint import Checkpoint, Reason
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.notebooks.contents import read_bytes
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.keep import KernelStore
from jupyter_rewind.store.partial import ABSENT, read_partial
from jupyter_rewind.store.replica import bringing, forwarding, packing
from jupyter_rewind.store.replica import pull as pulling
from jupyter_rewind.store.replica.arrival import show_arrived
from jupyter_rewind.store.replica.filling import fill
from jupyter_rewind.store.replica.forwarding import State
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.stats import stats
from tests.support.forwarders import DEADLINE_SECONDS, Running
from tests.support.replicas import (
    Line,
    Machine,
    first_machine,
    fresh,
    holds,
    next_machine,
    with_contents,
)
from tests.support.stores import QuickFiles, noise


class Watching(QuickFiles):
    """Tells which segments were written to and not flushed since, at each flush of another one."""

    def __init__(self) -> None:
        self.dirty: set[str] = set()
        self.left_behind: set[str] = set()

    def write_at(
        self, descriptor: int, parts: list[bytes | memoryview], offset: int, path: Path
    ) -> int:
        self.dirty.add(path.name)
        return super().write_at(descriptor, parts, offset, path)

    def sync_data(self, descriptor: int, path: Path) -> None:
        self.dirty.discard(path.name)
        self.left_behind |= self.dirty


@pytest.mark.parametrize("way", ["named", "in hand", "the same state"])
def test_what_was_fetched_is_flushed_with_what_is_built_on_it(
    tmp_path: Path, line: Line, way: str
) -> None:
    """A commit that names what came from a replica, or does not store again what did, is
    acknowledged when that is on the disk, too; and so is a save that finds its state kept."""
    first, second = fresh(tmp_path, line)
    name = next(iter(first.filled.bodies))
    links, parts = first.filled.links[name], first.filled.parts[name]
    keys, files = second.filled.folder / "keys", Watching()
    with Repository.open(second.store, key_folder=keys, files=files) as repository:
        came = set(read_partial(repository.layout))
        if way != "named":
            assert first.filled.reads(repository, name)
            assert files.dirty & came
            files.left_behind.clear()
        if way == "the same state":
            assert repository.holds(links)
        else:
            with repository.transaction() as tx:
                roots = links if way == "named" else [each for p in parts for each in tx.put(p)]
                tx.add("note", keys=["k"], body={}, roots=roots)
        assert not (files.left_behind | files.dirty) & came


@pytest.fixture
def difference(
    tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch
) -> tuple[Machine, Digest, bytes]:
    """A machine that lacks what some content, which is here, is told as a difference from."""
    monkeypatch.setattr(packing, "INLINE_BYTES", 0)
    first = first_machine(tmp_path / "first", line, segments=0)
    before, after = noise("base", 60_000), b"another head" + noise("base", 60_000)
    store = KernelStore.open(first.store, key_folder=first.filled.folder / "keys")
    with store.block() as block:
        base = block.put_chunk(before)
        block.add("note", keys=["k"], body={}, roots=[base])
    with store.block() as block:
        told = block.put_chunk(after, base=base)
        block.add("note", keys=["k"], body={}, roots=[told])
    assert store.depth(told) == 1
    store.close()
    first.push()
    second = next_machine(tmp_path / "second", first)
    assert second.pull(lazy=True).absent_bytes > 50_000
    return second, told, after


def test_a_difference_is_not_here_without_what_it_is_told_from(
    line: Line, difference: tuple[Machine, Digest, bytes]
) -> None:
    """What a save has in hand is stored again; what it only names is fetched, with all that it is
    told from, before it is named."""
    second, told, raw = difference
    with second.open() as repository:
        assert repository.has(told) and not repository.known([told])
        with repository.transaction() as tx:
            tx.add("note", keys=["k"], body={}, roots=[told])
        line.cut()
        repository.forget_read()
        assert repository.get(told) == raw


def test_a_kernel_does_not_build_on_a_difference_from_what_is_not_here(
    line: Line, difference: tuple[Machine, Digest, bytes]
) -> None:
    """A kernel stores again what it has in hand, where what that is told from is not here."""
    second, told, raw = difference
    line.cut()
    store = KernelStore.open(second.store, key_folder=second.filled.folder / "keys")
    try:
        store.refresh()
        assert not store.knows(told)
        with store.block() as block:
            block.add("note", keys=["k"], body={}, roots=[block.put_chunk(raw)])
        assert store.knows(told)
    finally:
        store.close()


def test_what_is_read_while_a_pull_is_at_work_stays(
    tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lazy pull brings more of a segment, and shows it after somebody has fetched contents into
    what was there: they are there still."""
    first = with_contents(tmp_path / "first", line, count=1)
    second = next_machine(tmp_path / "second", first)
    with first.open() as repository:
        name = first.filled.add(repository, parts=[noise("one", 700_000)])
        first.push()
        second.pull(lazy=True)
        first.filled.add(repository, parts=[noise("two", 800_000)])
        first.push()

    def show_late(*about: object) -> None:
        with second.open() as repository, repository.transaction() as tx:
            tx.add("note", keys=["k"], body={}, roots=first.filled.links[name])
        show_arrived(*about)  # type: ignore[arg-type]

    monkeypatch.setattr(pulling, "show_arrived", show_late)
    assert second.pull(lazy=True).segments == 1
    line.cut()
    with second.open() as repository:
        assert first.filled.reads(repository, name)


# --- the last room of the disk ----------------------------------------------------------


class Disk:
    """What the system says of the disk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free: int | None = 1 << 30
        self.size = 1 << 40
        monkeypatch.setattr(os, "statvfs", self.tell)

    def tell(self, folder: object) -> SimpleNamespace:
        if self.free is None:
            raise OSError("not told")
        return SimpleNamespace(f_bavail=self.free, f_frsize=1, f_blocks=self.size)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def test_filling_leaves_the_last_room(tmp_path: Path, line: Line, disk: Disk) -> None:
    """All that is missing comes as long as there is room beside the last; then that is said, and
    nothing was fetched in vain. With room again, the rest comes."""
    first, second = fresh(tmp_path, line)
    disk.free = 64 << 20
    line.read_bytes = 0
    with second.open() as repository:
        with pytest.raises(Full, match="the last 67,108,864 are left to what is saved") as told:
            fill(repository.layout, repository.files, line)
        assert "Nothing is lost" in told.value.hint
        assert line.read_bytes < 200_000
        assert len(read_partial(repository.layout)) == 3
        disk.free = 1 << 30
        assert fill(repository.layout, repository.files, line).bytes > 700_000
    assert holds(second, first)


@pytest.mark.parametrize("lazy", [True, False])
def test_a_pull_leaves_the_last_room(tmp_path: Path, line: Line, disk: Disk, lazy: bool) -> None:
    """A pull that would take it ends, and shows nothing; a small disk keeps a twentieth."""
    first = with_contents(tmp_path / "first", line)
    second = next_machine(tmp_path / "second", first)
    disk.size, disk.free = 20_000_000, 1_000_010
    with pytest.raises(Full, match="the last 1,000,000 are left"):
        second.pull(lazy=lazy)
    with second.open() as repository:
        assert repository.entries() == []
    disk.free = None  # a system that does not tell
    second.pull(lazy=lazy)
    with second.open() as repository:
        fill(repository.layout, repository.files, line)
    assert holds(second, first)


def test_reading_and_saving_go_on_without_room(tmp_path: Path, line: Line, disk: Disk) -> None:
    """What is read is read and not kept; a save stores what it has in hand; only what would have to
    be fetched to be named is refused, and that is said."""
    first, second = fresh(tmp_path, line)
    name = next(iter(first.filled.bodies))
    disk.free = 0
    with second.open() as repository:
        assert first.filled.reads(repository, name)
        assert stats(repository).absent_bytes > 700_000
        kept = second.filled.add(repository, parts=first.filled.parts[name])
        with pytest.raises(Unavailable, match="no room"), repository.transaction() as tx:
            other = list(first.filled.links.values())[-1]
            tx.add("note", keys=["k"], body={}, roots=other)
        line.cut()
        assert second.filled.reads(repository, kept)


def test_what_a_kernel_asks_for_comes_into_the_last_room(
    tmp_path: Path, line: Line, disk: Disk
) -> None:
    """A kernel reads through the disk: what it needs comes, and nothing comes along with it."""
    first, second = fresh(tmp_path, line)
    disk.free = 0
    with second.open() as repository:
        layout, files = repository.layout, repository.files
        before = stats(repository).absent_bytes
        content = next(iter(first.filled.links.values()))[0]
        with repository.index() as index:
            [place] = index.places(content)
        apart = bringing.Bringer(layout, files, must_keep=True)
        assert apart.payload(place.segment, second.url, place.record)
        came = before - stats(repository).absent_bytes
    assert came == place.record.stored


def test_a_server_pushes_on_where_there_is_no_room_for_what_is_missing(
    tmp_path: Path, line: Line, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That not all contents come is no failure of the replica: what is saved goes there."""
    first, second = fresh(tmp_path, line)
    disk.free = 0
    running = Running(second)
    running.forwarder.start()
    try:
        running.until(lambda: running.forwarder._full_until > 0)
        with second.open() as repository:
            second.filled.add(repository)
        running.until(lambda: bool(running.account.pushed_ns))
        running.until(lambda: running.account.state is State.CURRENT)
        assert running.account.error is None and not running.account.failures
        monkeypatch.setattr(forwarding, "LONGEST_PAUSE_SECONDS", 0.01)
        disk.free = 1 << 30
        running.forwarder._full_until = 0.0
        running.until(lambda: not (second.store / "partial").exists())
    finally:
        running.forwarder.end()
        assert running.forwarder.join(DEADLINE_SECONDS)
    assert holds(second, first, second)


# --- labels and pins --------------------------------------------------------------------


@pytest.fixture
def away(tmp_path: Path, line: Line) -> Iterator[tuple[Histories, Checkpoint, bytes]]:
    """A history here, an older state of it, which is in the replica alone, and what that says."""
    first = first_machine(tmp_path / "first", line, segments=0)
    old, new = (raw_notebook(noise(each, 400_000).hex()) for each in ("old", "new"))
    with first.open() as repository:
        Histories(repository).record("a.ipynb", old, reason=Reason.SAVE)
        repository.end_segment()
        Histories(repository).record("a.ipynb", new, reason=Reason.SAVE)
    first.push()
    second = next_machine(tmp_path / "second", first)
    assert second.pull(lazy=True).absent_bytes > 700_000
    with second.open() as repository:
        histories = Histories(repository)
        yield histories, histories.checkpoints("a.ipynb")[0], old


def raw_notebook(source: str) -> bytes:
    cell = {
        "id": "c0", "cell_type": "code", "source": [source], "metadata": {}, "outputs": [],
        "execution_count": None,
    }  # fmt: skip
    whole = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    return json.dumps(whole).encode()


@pytest.mark.parametrize("mark", ["label", "pin"])
def test_what_is_to_be_kept_is_brought(
    line: Line, away: tuple[Histories, Checkpoint, bytes], mark: str
) -> None:
    """A state that gets a label or a pin is here from then on, whatever becomes of the replica;
    where it cannot be brought, that is said, and it gets none."""
    histories, state, raw = away
    line.cut()
    with pytest.raises(Unavailable, match=rf"{state.id} of a\.ipynb cannot be read now") as told:
        _mark(histories, state, mark)
    assert told.value.code == ABSENT
    now = histories.checkpoints("a.ipynb")[0]
    assert not now.labels and not now.pinned
    line.mend()
    _mark(histories, state, mark)
    now = histories.checkpoints("a.ipynb")[0]
    assert now.labels == ("good",) or now.pinned
    line.cut()
    histories.repository.forget_read()
    assert read_bytes(histories.repository, state.manifest) == raw
    # To take a mark away needs nothing.
    if mark == "pin":
        assert not histories.unpin(now).pinned


def _mark(histories: Histories, state: Checkpoint, mark: str) -> None:
    if mark == "label":
        histories.label(state, "good")
    else:
        histories.pin(state)


def test_a_label_that_came_with_a_flush_is_durable(
    line: Line, away: tuple[Histories, Checkpoint, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was brought for a label is on the disk when the label is."""
    histories, state, _ = away
    synced: list[str] = []
    segments = set(read_partial(histories.repository.layout))

    def note(files: Files, descriptor: int, path: Path) -> None:
        synced.append(path.name)

    monkeypatch.setattr(QuickFiles, "sync_data", note)
    histories.label(state, "good")
    assert segments & set(synced[:-1]) and synced[-1] not in segments
