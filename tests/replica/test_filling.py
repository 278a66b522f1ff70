"""Contents that come behind the histories: each byte in its place, wherever packs begin and end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from obstore.store import MemoryStore

from jupyter_rewind.store.collect import collect
from jupyter_rewind.store.partial import read_partial
from jupyter_rewind.store.replica import packing
from jupyter_rewind.store.replica.cloud import CloudObjects
from jupyter_rewind.store.replica.collecting import collect_replica
from jupyter_rewind.store.replica.filling import fill
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.replica.wholeness import make_whole
from tests.support.replicas import Line, first_machine, fresh, holds, lead_through, next_machine
from tests.support.stores import QuickFiles, noise


@dataclass
class Interrupted(Line):
    """Something happens before the first content is sent."""

    act: Callable[[], None] | None = None

    def get(self, key: str) -> bytes:
        if key.startswith("packs/") and self.act is not None:
            act, self.act = self.act, None
            act()
        return super().get(key)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    line = Line(CloudObjects(MemoryStore(), "memory"))
    lead_through(line, monkeypatch)
    return line


@pytest.mark.parametrize("hands", [1, 4])
@pytest.mark.parametrize("pack_bytes", [30_000, 100_000])
def test_contents_that_go_over_the_end_of_packs_come_whole(
    tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch, hands: int, pack_bytes: int
) -> None:
    """A content may lie in two packs, or in several; and one that ends in zeros is one."""
    monkeypatch.setattr(packing, "PACK_BYTES", pack_bytes)
    first = first_machine(tmp_path / "first", line, segments=0)
    with first.open() as repository:
        for number in range(3):
            ends = noise(f"{number}", 50_000) + bytes(200) + noise("all", 3)
            parts = [noise(f"contents {number}", 400_000), ends, bytes(70_000)]
            first.filled.add(repository, parts=parts)
    first.push()
    second = next_machine(tmp_path / "second", first)
    second.pull(lazy=True)
    with second.open() as repository:
        assert (
            fill(repository.layout, repository.files, line, pace=Pace(hands=hands)).bytes > 300_000
        )
    line.cut()
    assert not (second.store / "partial").exists()
    assert holds(second, first)


def test_what_is_here_already_needs_no_replica(tmp_path: Path, line: Line) -> None:
    """All contents have been read, one that ends in zeros, too: that it is whole is found out
    though the replica has nothing any more."""
    first = first_machine(tmp_path / "first", line, segments=0)
    with first.open() as repository:
        parts = [noise("contents", 600_000), noise("ends", 50_000) + bytes(100)]
        name = first.filled.add(repository, parts=parts)
    first.push()
    second = next_machine(tmp_path / "second", first)
    second.pull(lazy=True)
    with second.open() as repository:
        assert first.filled.reads(repository, name)
        for each in list(line.find("packs/")):
            line.delete(each.key)
        assert not fill(repository.layout, repository.files, line).left
        assert not read_partial(repository.layout)


def test_what_is_collected_there_while_it_comes_is_left(tmp_path: Path, line: Line) -> None:
    """Another machine takes a segment away in the middle: the filling says which it could not
    fill, and the next one brings what is in use of it from where it stands now."""
    first, second = fresh(tmp_path, line, count=4)
    gone = next(iter(first.filled.bodies))

    def collect_there() -> None:
        with first.open() as repository:
            with repository.transaction(exclusive=True) as tx:
                tx.expire([gone])
            collect(repository, must=[path.name for path in repository.layout.segments.iterdir()])
            collect_replica(repository, line, first.url)

    with second.open() as repository:
        before = set(read_partial(repository.layout))
        found = fill(repository.layout, repository.files, Interrupted(line, act=collect_there))
        assert found.left and set(found.left) <= before
        first.filled.forget(gone)
        make_whole(repository, found.left, line, second.url, Pace())
        assert not fill(repository.layout, repository.files, line).left
        assert not read_partial(repository.layout)
    line.cut()
    assert holds(second, first)


class CountingFiles(QuickFiles):
    """Counts how often the file `partial` is written."""

    count = 0

    def replace_file(self, path: Path, *rest: Any, **more: Any) -> Any:
        self.count += path.name == "partial"
        return super().replace_file(path, *rest, **more)


def test_many_short_sessions_are_told_whole_together(tmp_path: Path, line: Line) -> None:
    """What it costs to say that a segment is whole is not paid for each of a thousand."""
    first = first_machine(tmp_path / "first", line, segments=0)
    for number in range(40):
        with first.open() as repository:
            first.filled.add(repository, parts=[noise(f"contents {number}", 20_000)])
    first.push()
    second = next_machine(tmp_path / "second", first)
    second.pull(lazy=True)
    files = CountingFiles()
    with second.open() as repository:
        assert len(read_partial(repository.layout)) == 40
        fill(repository.layout, files, line)
    assert files.count <= 2 and not (second.store / "partial").exists()
    assert holds(second, first)
