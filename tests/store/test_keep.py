"""The store as a kernel writes it: no index, and everybody else still finds and keeps it all."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from jupyter_rewind.errors import NotFound
from jupyter_rewind.model.encoding import decode_node
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.store.aside import Aside
from jupyter_rewind.store.block import Staged
from jupyter_rewind.store.framing import Kind
from jupyter_rewind.store.keep import KernelStore
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.upkeep import collect, verify
from tests.support.stores import QuickFiles, noise


def open_store(folder: Path) -> KernelStore:
    return KernelStore.open(folder / "store", key_folder=folder / "keys", files=QuickFiles())


def open_repository(folder: Path) -> Repository:
    return Repository.open(folder / "store", key_folder=folder / "keys", files=QuickFiles())


def fill(store: KernelStore, number: int, base: Digest | None = None) -> tuple[Digest, Digest]:
    """One entry over a node over two chunks; its node and its first chunk."""
    with store.block() as block:
        first = block.put_chunk(noise(f"part {number}", 90_000))
        second = block.put_chunk(noise("shared", 5_000))
        node = block.put_node(noise("node", 3_000) + b"%d" % number, [first, second], base=base)
        block.add("snapshot", keys=["run:r"], body={"n": number}, roots=[node])
    return node, first


def test_what_a_kernel_put_is_found_by_the_index_and_by_other_kernels(tmp_path: Path) -> None:
    """A state that a kernel has kept can be listed and read by the server at once."""
    store = open_store(tmp_path)
    node, first = fill(store, 1)
    other = open_store(tmp_path)
    other.refresh()
    with open_repository(tmp_path) as repository:
        repository.refresh()
        assert [entry.body["n"] for entry in repository.entries(kind="snapshot")] == [1]
        for reader in (store, other, repository):
            assert reader.get(first) == noise("part 1", 90_000)
            assert decode_node(reader.get(node))[0] == noise("node", 3_000) + b"1"
    assert [entry.body["n"] for entry in other.entries(key="run:r")] == [1]


def test_the_same_content_is_stored_once(tmp_path: Path) -> None:
    """Keeping what is kept already costs no room."""
    store = open_store(tmp_path)
    fill(store, 1)
    with store.block() as block:
        block.put_chunk(noise("part 1", 90_000))
        assert block.written_bytes == 0


def test_a_small_difference_is_stored_as_one(tmp_path: Path) -> None:
    """One byte of a large piece costs some hundred bytes, again and again."""
    store = open_store(tmp_path)
    piece = bytearray(noise("piece", 200_000))
    with store.block() as block:
        base = block.put_chunk(bytes(piece))
        block.add("k", keys=[], body={}, roots=[base])
    for number in range(60):
        piece[number * 1000] ^= 255
        with store.block() as block:
            base = block.put_chunk(bytes(piece), base=base)
            assert block.written_bytes < 3_000
            block.add("k", keys=[], body={}, roots=[base])
    assert store.get(base) == piece
    target = bytearray(len(piece))
    store.get_into(base, memoryview(target))
    assert target == piece


def test_a_block_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """A state that could not be kept is not there in part."""
    store = open_store(tmp_path)
    with pytest.raises(ZeroDivisionError), store.block() as block:
        name = block.put_chunk(b"x" * 1000)
        block.add("k", keys=[], body={}, roots=[name])
        raise ZeroDivisionError
    assert not store.entries()
    with pytest.raises(NotFound):
        store.get(name)


def test_a_link_to_nothing_is_refused(tmp_path: Path) -> None:
    """No state is kept that names what is not there."""
    store = open_store(tmp_path)
    with pytest.raises(NotFound), store.block() as block:
        block.put_node(b"", [Digest(bytes(32))])


def test_upkeep_follows_what_kernels_keep(tmp_path: Path) -> None:
    """Collect frees what expired states alone used, and verify finds the rest whole."""
    store = open_store(tmp_path)
    node = None
    for number in range(12):
        node, _ = fill(store, number, node)
    store.close()
    with open_repository(tmp_path) as repository:
        repository.refresh()
        old = [entry.id for entry in repository.entries(kind="snapshot")][:-1]
        with repository.transaction(exclusive=True) as tx:
            tx.expire(old)
        assert collect(repository).freed_bytes > 900_000
        assert verify(repository, read_data=True).damages == ()
        entry = repository.entries(kind="snapshot")[0]
        body, links = decode_node(repository.get(entry.roots[0]))
        assert body.endswith(b"11")
        assert repository.get(links[0]) == noise("part 11", 90_000)


def test_content_that_a_collect_moved_is_found_again(tmp_path: Path) -> None:
    """A kernel that runs while the store is tidied goes on building on what it kept before."""
    store = open_store(tmp_path)
    for number in range(6):
        node, first = fill(store, number)
    store._writer.close()  # as where the segment has become large: the next one is begun
    with open_repository(tmp_path) as repository:
        repository.refresh()
        old = [entry.id for entry in repository.entries(kind="snapshot")][:-1]
        with repository.transaction(exclusive=True) as tx:
            tx.expire(old)
        assert collect(repository).freed_bytes > 0
        with store.block() as block:
            again = block.put_node(b"next", [node, first])
            gone = block.put_chunk(noise("part 0", 90_000))
            block.add("snapshot", keys=["run:r"], body={"n": 7}, roots=[again, gone])
        assert store.get(first) == noise("part 5", 90_000)
        assert store.get(gone) == noise("part 0", 90_000)
        repository.refresh()
        assert verify(repository, read_data=True).damages == ()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs Linux's /proc")
def test_a_segment_that_was_collected_is_not_held_open(tmp_path: Path) -> None:
    """Its room on the disk comes back, and an image of the kernel does not need its bytes."""
    store, other = open_store(tmp_path), open_store(tmp_path)
    _, first = fill(other, 1)
    name = other.segment
    other.close()
    store.refresh()
    store.get(first)

    def is_held() -> bool:
        links = (os.path.join("/proc/self/fd", each) for each in os.listdir("/proc/self/fd"))
        return any(name in os.readlink(link) for link in links if os.path.lexists(link))

    assert is_held()
    (store.layout.segments / name).unlink()
    fill(store, 2)
    assert not is_held()


def test_what_was_kept_survives_a_kill(tmp_path: Path) -> None:
    """A state that was kept is there after kill -9, though nothing was closed."""
    open_store(tmp_path).close()
    child = os.fork()
    if child == 0:
        fill(open_store(tmp_path), 1)
        os.kill(os.getpid(), signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    with open_repository(tmp_path) as repository:
        repository.refresh()
        entry = repository.entries(kind="snapshot")[0]
        assert decode_node(repository.get(entry.roots[0]))[0].endswith(b"1")


def test_two_stores_that_told_each_other_apart_still_read(tmp_path: Path) -> None:
    """Two kernels may each keep a piece as a difference from the other's: both still read."""
    one, other = noise("x", 50_000) + b"1", noise("x", 50_000) + b"2"
    for first, second in ((one, other), (other, one)):
        store = open_store(tmp_path)  # knows nothing of what the other kernel kept
        with store.block() as block:
            base = block.put_chunk(first)
            block.add("k", keys=[], body={}, roots=[base])
        with store.block() as block:
            block.add("k", keys=[], body={}, roots=[block.put_chunk(second, base=base)])
        store.close()
    store = open_store(tmp_path)
    store.refresh()
    names = [entry.roots[0] for entry in store.entries()]
    assert [store.get(name) for name in names] == [one, other, other, one]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_that_an_editor_locks_a_file_with_is_no_segment(tmp_path: Path) -> None:
    """It leads nowhere, and its name begins with a dot."""
    store = open_store(tmp_path)
    node, _ = fill(store, 1)
    (tmp_path / "store" / "segments" / ".#notes").symlink_to("me@here.1:2")
    other = open_store(tmp_path)
    other.refresh()
    assert other.get(node) == store.get(node)


@pytest.mark.parametrize("removed", [0, 1])
@pytest.mark.parametrize("into", [False, True])
def test_what_stands_twice_is_found_when_one_of_the_two_goes(
    tmp_path: Path, removed: int, into: bool
) -> None:
    """What is laid aside and then stored in its place is read there, whatever was seen of both."""
    writers = [open_store(tmp_path), open_store(tmp_path)]
    part = noise("part 1", 90_000)
    # Neither has seen the other's: both store it.
    ((_, first), _) = [fill(store, 1) for store in writers]
    assert writers[0].segment != writers[1].segment
    reader = open_store(tmp_path)
    reader.refresh()
    segments = [reader.layout.segments / store.segment for store in writers]
    if into:
        reader.get(first)
    segments[removed].unlink()
    if into:
        target = bytearray(len(part))
        reader.get_into(first, memoryview(target))
        assert target == part
    assert reader.get(first) == part
    reader.refresh()
    assert reader.get(first) == part


def test_what_was_laid_aside_is_read_at_home_in_the_process_that_laid_it_aside(
    tmp_path: Path,
) -> None:
    """A look at all segments while both stand, and then the first goes."""
    home = open_store(tmp_path)
    aside = Aside(home)
    base = noise("base", 90_000)
    parts = [base[:-1] + b"%d" % number for number in range(3)]
    with home.block() as block:
        below = block.put_chunk(base)
        block.add("snapshot", keys=["run:r"], body={}, roots=[below])
    with aside.block(plain=True) as block:
        staged = [Staged(Kind.CHUNK, block.put_chunk(part), below) for part in parts]
        block.add("snapshot", keys=["run:r"], body={}, roots=[one.name for one in staged])
    aside.move_home(staged, home.entries()[:1])
    assert {home.depth(one.name) for one in staged} == {1}
    home.refresh()
    assert aside.discard(patience_seconds=5)
    home.forget_recent()
    assert [home.get(one.name) for one in staged] == parts
    home.close()
