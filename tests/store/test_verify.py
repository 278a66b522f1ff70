"""Verify names what no longer reads, with what hangs on it, and cries no wolf."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from blake3 import blake3

from jupyter_rewind.errors import Integrity, Newer
from jupyter_rewind.store.framing import HEAD_SIZE, TAG_SIZE, Kind, Seal
from jupyter_rewind.store.stream import read_lenient
from jupyter_rewind.store.upkeep import verify
from tests.support.processes import anybodys_folder, run_unprivileged
from tests.support.stores import entry_segments, fill, is_commit, records, segment_files

_WRITER = """
import os, sys
from pathlib import Path
from jupyter_rewind.store.repository import Repository
folder = Path(sys.argv[1])
store = Repository.open(folder / "store", key_folder=folder / "keys", create=False)
print("ready", flush=True)
while not (folder / "enough").exists():
    with store.transaction() as tx:
        node = tx.put_node(os.urandom(40), tx.put(os.urandom(3000)))
        tx.add("checkpoint", keys=["k"], body={}, roots=[node])
"""


def zero(path: Path, offset: int, length: int) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(bytes(length))


def test_a_whole_store_has_no_damage(tmp_path: Path) -> None:
    """Everything is counted, and nothing is wrong."""
    filled = fill(tmp_path)
    with filled.open() as store:
        report = verify(store, read_data=True)
    assert report.ok and not report.unfinished and not report.known_losses
    assert (report.segments, report.entries) == (3, 24)
    assert report.chunks >= 24 * 2
    assert report.bytes == sum(path.stat().st_size for path in segment_files(filled))


def test_reading_the_data_finds_a_rotten_payload(tmp_path: Path) -> None:
    """The record, its content and the checkpoint that needs it are named; the others still read."""
    filled = fill(tmp_path)
    with filled.open() as store:
        hurt = next(iter(filled.bodies))
        segment = entry_segments(store)[hurt]
        content = filled.links[hurt][0]
        record = next(each for each in records(store, segment) if each.id == content)
        zero(store.layout.segments / segment, record.offset + HEAD_SIZE + 100, 8)
        assert verify(store).ok, "the structure is whole"
        report = verify(store, read_data=True)
        assert [(each.segment, each.offset) for each in report.damages] == [
            (segment, record.offset)
        ]
        assert report.damages[0].length == record.end - record.offset
        assert report.damages[0].chunks == (content,)
        assert report.damages[0].affected == (hurt,)
        for name in filled.bodies:
            if name != hurt:
                assert filled.reads(store, name)


def test_damage_is_reported_every_time(tmp_path: Path) -> None:
    """A second verify, structure only, still knows what the first one found."""
    filled = fill(tmp_path)
    with filled.open() as store:
        hurt = next(iter(filled.bodies))
        segment = entry_segments(store)[hurt]
        record = next(r for r in records(store, segment) if r.id == filled.links[hurt][0])
        zero(store.layout.segments / segment, record.offset + HEAD_SIZE, 8)
        assert not verify(store, read_data=True).ok
        again = verify(store)
        assert [each.affected for each in again.damages] == [(hurt,)]
        assert again.damages[0].segment == segment


def test_lost_content_is_stored_again(tmp_path: Path) -> None:
    """What was found damaged heals when somebody saves the same content once more."""
    filled = fill(tmp_path)
    with filled.open() as store:
        hurt = next(iter(filled.bodies))
        segment = entry_segments(store)[hurt]
        record = next(r for r in records(store, segment) if r.id == filled.links[hurt][0])
        zero(store.layout.segments / segment, record.offset + HEAD_SIZE, 8)
        verify(store, read_data=True)
        filled.add(store, parts=filled.parts[hurt])
        assert filled.reads(store, hurt)


@pytest.mark.parametrize("how", ["removed", "truncated", "zeroed", "shortened"])
@pytest.mark.parametrize("reopen", [False, True], ids=["open", "reopened"])
def test_a_segment_that_is_gone_is_named(tmp_path: Path, how: str, reopen: bool) -> None:
    """The index knew what stood there: the segment and all its checkpoints are told."""
    filled = fill(tmp_path)
    store = filled.open()
    store.refresh()
    placed = entry_segments(store)
    path = segment_files(filled)[1]
    size = path.stat().st_size
    if reopen:
        store.close()
    match how:
        case "removed":
            path.unlink()
        case "truncated":
            os.truncate(path, 0)
        case "zeroed":
            path.write_bytes(bytes(size))
        case "shortened":
            os.truncate(path, size // 2)
    if reopen:
        store = filled.open()
    report = verify(store)
    store.close()
    assert not report.ok
    assert path.name in {each.segment for each in report.damages}
    hurt = {name for each in report.damages for name in each.affected}
    inside = {name for name, segment in placed.items() if segment == path.name}
    assert hurt & inside
    if how != "shortened":
        assert inside <= hurt


def test_a_removed_segment_is_no_empty_list(tmp_path: Path) -> None:
    """Its checkpoints are still listed, and reading one says that it cannot be had."""
    filled = fill(tmp_path)
    with filled.open() as store:
        placed = entry_segments(store)
        path = segment_files(filled)[0]
        path.unlink()
        store.refresh()
        lost = [name for name, segment in placed.items() if segment == path.name]
        assert all(store.entry(name) for name in lost)
        with pytest.raises(Integrity, match=path.name):
            store.get(filled.links[lost[0]][0])


def test_dangling_names_are_found_without_an_index(tmp_path: Path) -> None:
    """With index and witness thrown away too, what is named and nobody holds is damage."""
    filled = fill(tmp_path, segments=3, entries=2)
    with filled.open() as store:
        placed = entry_segments(store)
    first = next(iter(filled.bodies))
    (tmp_path / "store" / "segments" / placed[first]).unlink()
    for path in (tmp_path / "store").glob("index*"):
        path.unlink()
    (tmp_path / "store" / "witness").unlink()
    with filled.open() as store:
        report = verify(store)
    assert [each.segment for each in report.damages] == [""]
    sharer = list(filled.bodies)[2]
    assert sharer in report.damages[0].affected


def test_an_unfinished_write_is_no_damage(tmp_path: Path) -> None:
    """A writer that died in the middle of a commit had promised nothing."""
    filled = fill(tmp_path)
    path = segment_files(filled)[0]
    end = path.stat().st_size
    with open(path, "ab") as file:
        file.write(os.urandom(500))
    with filled.open() as store:
        report = verify(store, read_data=True)
        assert report.ok
        assert [(each.segment, each.offset) for each in report.unfinished] == [(path.name, end)]
        assert 490 <= report.unfinished[0].length <= 500


@pytest.mark.slow
def test_writers_at_work_are_no_damage(tmp_path: Path) -> None:
    """Three processes commit as fast as they can; verify beside them finds nothing wrong."""
    filled = fill(tmp_path)
    command = [sys.executable, "-c", _WRITER, str(tmp_path)]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
    with filled.open() as store:
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.readline()
        end, runs = time.monotonic() + 4, 0
        while any(writer.poll() is None for writer in writers):
            report = verify(store, read_data=runs % 2 == 0)
            assert report.damages == ()
            runs += 1
            if time.monotonic() > end and runs >= 3:
                (tmp_path / "enough").touch()
    assert runs >= 3
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0


def test_a_later_format_is_refused_with_words(tmp_path: Path) -> None:
    """A record of a later format is never half read."""
    filled = fill(tmp_path, segments=1)
    path = segment_files(filled)[0]
    with filled.open() as store:
        commit = [each for each in records(store, path.name) if is_commit(each)][-1]
        layout = store.layout
    data = bytearray(path.read_bytes())
    payload = bytes(data[commit.offset + HEAD_SIZE : commit.end - TAG_SIZE])
    head = (
        struct.pack("<4sBBHII", b"\xabJRW", Kind.COMMIT, commit.codec, 3, len(payload), commit.raw)
        + commit.id
    )
    tag = Seal(layout.key, layout.store_id, path.name).tag(commit.offset, head, payload)
    data[commit.offset : commit.end] = head + payload + tag
    path.write_bytes(data)
    for each in (tmp_path / "store").glob("index*"):
        each.unlink()
    with filled.open() as store, pytest.raises(Newer, match="format 3"):
        verify(store)


def test_a_bad_sector_costs_what_lies_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes around an unreadable page still count."""
    path = tmp_path / "file"
    data = blake3(b"x").digest(40_000)
    path.write_bytes(data)
    real = os.pread

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        if offset < 12_288 and offset + size > 8_192:
            raise OSError(errno.EIO, "Input/output error")
        return real(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", pread)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        got = read_lenient(descriptor, 39_000, 500)
    finally:
        os.close(descriptor)
    assert got == data[500:8_192] + bytes(4_096) + data[12_288:39_500]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork to act as another user")
@pytest.mark.parametrize("read_data", [False, True])
def test_a_read_only_store_is_verified(read_data: bool) -> None:
    """A copy that nobody may write is verified, also one that was made while it was in use."""
    with anybodys_folder() as folder:
        filled = fill(folder)
        with filled.open() as store:
            whole = verify(store, read_data=read_data)
            for path in [folder, *folder.rglob("*")]:
                os.chmod(path, 0o555 if path.is_dir() else 0o444)

            def child() -> None:
                with filled.open() as copy:
                    assert verify(copy, read_data=read_data) == whole

            try:
                run_unprivileged(child)
            finally:
                for path in [folder, *folder.rglob("*")]:
                    os.chmod(path, 0o700)
