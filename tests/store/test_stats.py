"""Stats tell what the disk holds, and what of it is shared."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_rewind.store.framing import OVERHEAD
from jupyter_rewind.store.plan import used_bytes
from jupyter_rewind.store.upkeep import group_sizes, stats
from tests.support.stores import Filled, fill, noise, segment_files


def test_bytes_on_disk_add_up(tmp_path: Path) -> None:
    """Every segment is listed with its size, and which of them are being written."""
    filled = fill(tmp_path, segments=2, entries=4)
    with filled.open() as store:
        filled.add(store)
        told = stats(store)
        sizes = {path.name: path.stat().st_size for path in segment_files(filled)}
        assert {each.name for each in told.segments} == sizes.keys()
        assert all(each.bytes == sizes[each.name] for each in told.segments if not each.busy)
        assert told.bytes == sum(each.bytes for each in told.segments)
        assert [each.name for each in told.segments if each.busy] == [store.writer.segment]
        assert told.entries == 9
        overhead = sum(each.chunks for each in told.segments) * OVERHEAD
        assert told.stored_bytes < overhead + told.bytes


def test_room_that_a_writer_holds_ready_does_not_count(tmp_path: Path) -> None:
    """What is told grows with each commit, and is what stays when the writer has ended."""
    filled = Filled(tmp_path)
    with filled.open() as store:
        filled.add(store)
        first = stats(store)
        filled.add(store)
        told = stats(store)
        assert first.bytes < told.bytes == used_bytes(store)
        assert told.bytes < sum(path.stat().st_size for path in segment_files(filled))
    # What closes a segment is a record, too.
    left = sum(path.stat().st_size for path in segment_files(filled))
    assert told.bytes <= left < told.bytes + 500


def test_sharing_is_told(tmp_path: Path) -> None:
    """Ten entries over the same content: it is there once, and would be there ten times."""
    filled = Filled(tmp_path)
    with filled.open() as store:
        for _ in range(10):
            with store.transaction() as tx:
                node = tx.put_node(noise("node", 100), tx.put(noise("same", 5000)))
                tx.add("checkpoint", keys=[], body={}, roots=[node])
        told = stats(store)
        assert told.sharing_ratio == pytest.approx(10)
        assert {each.kind: each.count for each in told.kinds} == {"chunk": 1, "node": 1}


def test_an_empty_store_has_stats(tmp_path: Path) -> None:
    """Nothing divided by nothing is no accident."""
    with Filled(tmp_path).open() as store:
        told = stats(store)
        assert (told.bytes, told.entries, told.sharing_ratio) == (0, 0, 1.0)


def test_groups_know_their_own_and_the_shared(tmp_path: Path) -> None:
    """Two notebooks with one cell in common: each has its own bytes, and the cell is shared."""
    with Filled(tmp_path).open() as store, store.transaction() as tx:
        common = tx.put(noise("common", 3000))
        own = {name: tx.put(noise(name, 1000)) for name in ("one", "two")}
        nodes = {
            name: tx.put_node(noise(f"node {name}", 200), [*common, *mine])
            for name, mine in own.items()
        }
        tx.add("checkpoint", keys=[], body={}, roots=list(nodes.values()))
    with Filled(tmp_path).open() as store:
        store.refresh()
        sizes = group_sizes(store, {name: [node] for name, node in nodes.items()})
    for each in sizes.values():
        assert each.shared_bytes == 3000 + OVERHEAD
        assert each.unique_bytes == 1000 + 200 + 2 * 32 + 6 + 2 * OVERHEAD
        assert each.raw_bytes == 3000 + 1000 + 200 + 2 * 32 + 6
