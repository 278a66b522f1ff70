"""Pushes beside writers: what a push shows is what the store was at one moment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from jupyter_rewind.store.replica.cloud import CloudObjects
from jupyter_rewind.store.replica.pull import found_store
from jupyter_rewind.store.replica.push import push
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.verify import verify
from tests.support.replicas import Machine, next_machine
from tests.support.stores import Filled, QuickFiles, fill, noise


class Watching(QuickFiles):
    """Calls `between` when the second of two segments is about to be looked at."""

    def __init__(self, second: str, between: Callable[[], None], times: int) -> None:
        self.second, self.between, self.left = second, between, times

    def open(self, path: Path) -> int:
        if path.name == self.second and self.left:
            self.left -= 1
            self.between()
        return super().open(path)


def begin(filled: Filled, text: str) -> Repository:
    repository = filled.open()
    with repository.transaction() as tx:
        tx.add("checkpoint", keys=["k"], body={}, roots=tx.put(text.encode()))
    return repository


@pytest.mark.parametrize("times", [1, 3, 1000])
def test_content_and_the_commit_that_names_it_go_together(tmp_path: Path, times: int) -> None:
    """A writer stores content in a segment that was just looked at, and another one names it in a
    segment that is looked at next: once, a few times, or whenever somebody looks."""
    objects = CloudObjects(MemoryStore(), "memory")
    first = Machine(fill(tmp_path / "a"), objects)
    with begin(first.filled, "one") as one, begin(first.filled, "two") as two:
        early, late = sorted((one, two), key=lambda each: each.writer.segment)
        count = 0

        def between() -> None:
            nonlocal count
            count += 1
            data = noise(f"late {count}", 900)
            for each in (early, late):
                # The second one finds it stored, and only names it.
                each.refresh()
                with each.transaction() as tx:
                    tx.add("checkpoint", keys=["k"], body={}, roots=tx.put(data))

        files = Watching(late.writer.segment, between, times)
        with Repository.open(
            first.store, key_folder=first.filled.folder / "keys", files=files,
            index_path=tmp_path / "index",
        ) as repository:  # fmt: skip
            if times > 100:
                # While it is kept out, a writer cannot commit; so nobody does in that look.
                files.between = _but_not_behind_the_barrier(repository, between)
            push(repository, objects, first.url)
        assert count >= min(times, 3)
        _look(tmp_path / "b", first)


def _but_not_behind_the_barrier(
    repository: Repository, between: Callable[[], None]
) -> Callable[[], None]:
    from jupyter_rewind.store.locks import is_locked

    def guarded() -> None:
        if not is_locked(repository.layout.barrier):
            between()

    return guarded


def _look(folder: Path, first: Machine) -> None:
    """A fresh machine finds all that it finds named."""
    fresh = next_machine(folder, first)
    found_store(fresh.store, folder / "keys", first.objects, QuickFiles())
    fresh.pull()
    with fresh.open() as repository:
        report = verify(repository)
        assert report.ok, report.damages[:3]
        for entry in repository.entries():
            for root in entry.roots:
                assert repository.get(root)
