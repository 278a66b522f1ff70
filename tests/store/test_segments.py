"""What is believed of a segment: damage costs what lies on it, and a torn end nothing before it."""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_rewind.errors import Integrity, Newer
from jupyter_rewind.model.encoding import Commit, encode_commit
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.store import chunks, segments
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.framing import HEAD_SIZE, Kind, Seal, frame
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.segments import Scan, SegmentReader
from tests.support.scenario import Run


@dataclass
class Written:
    """A segment of six commits with one chunk each, and where all of it stands."""

    run: Run
    path: Path
    names: list[EntryId]
    scan: Scan
    whole: bytes

    @contextmanager
    def open(self) -> Iterator[Repository]:
        """The store, with nothing remembered from before."""
        with Repository.open(
            self.run.root / "store",
            key_folder=self.run.root / "keys",
            index_path=self.run.root / "none" / "index",
        ) as repository:
            repository.refresh()
            yield repository

    def spoil(self, offset: int, data: bytes) -> None:
        self.path.write_bytes(self.whole[:offset] + data + self.whole[offset + len(data) :])

    def listed(self, repository: Repository) -> list[EntryId]:
        return [entry.id for entry in repository.entries()]


def _content(number: int) -> bytes:
    return random.Random(number).randbytes(700)


@pytest.fixture(params=[True, False], ids=["closed", "killed"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Written]:
    """As a closed writer leaves it, and as one leaves it that was killed."""
    run = Run(tmp_path, Files())
    repository = run.open(index="none/x")
    names = [run.save(repository, _content(number)) for number in range(6)]
    path = repository.layout.segments / repository.writer.segment
    if request.param:
        repository.close()
    else:
        os.sync()
    with repository.reader(path.name) as reader:
        scan = reader.scan(0)
    yield Written(run, path, names, scan, path.read_bytes())
    repository.close()


def test_all_is_read_back(written: Written) -> None:
    with written.open() as repository:
        assert written.listed(repository) == written.names
        assert repository.gaps() == []
    assert written.scan.torn == 0


@pytest.mark.parametrize("number", range(5))
def test_a_damaged_payload_costs_that_content_alone(written: Written, number: int) -> None:
    """All is listed; the one checkpoint says that it is damaged, the others read."""
    record = written.scan.batches[number].records[0]
    written.spoil(record.offset + HEAD_SIZE + 100, b"\0" * 50)
    with written.open() as repository:
        assert written.listed(repository) == written.names
        for each, name in enumerate(written.names):
            root = repository.entry(name).roots[0]
            if each == number:
                with pytest.raises(Integrity):
                    repository.get(root)
                with pytest.raises(Integrity):
                    repository.get(root)
            else:
                assert repository.get(root) == _content(each)


def test_damaged_content_is_stored_anew_when_it_is_saved_again(written: Written) -> None:
    """The next save of the same content heals what was damaged."""
    record = written.scan.batches[2].records[0]
    written.spoil(record.offset + HEAD_SIZE + 100, b"\0" * 50)
    with written.open() as repository:
        root = repository.entry(written.names[2]).roots[0]
        with pytest.raises(Integrity):
            repository.get(root)
        written.run.save(repository, _content(2))
        assert repository.get(root) == _content(2)
    with written.open() as repository:
        assert repository.get(root) == _content(2)


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("part", ["head of the chunk", "commit record"])
def test_a_damaged_record_costs_its_commit_and_is_remembered(
    written: Written, number: int, part: str
) -> None:
    """The other five are listed, and the store says that one place does not read."""
    batch = written.scan.batches[number]
    record = batch.records[0]
    written.spoil(record.offset if part.startswith("head") else record.end + 60, b"\xff" * 20)
    with written.open() as repository:
        listed = written.listed(repository)
        expected = [name for each, name in enumerate(written.names) if each != number]
        # A commit record that is whole still says what it said; its chunk is what is lost.
        assert [name for name in listed if name != written.names[number]] == expected
        assert (written.names[number] in listed) == part.startswith("head")
        assert [segment for segment, _ in repository.gaps()] == [written.path.name]
        (gap,) = [gap for _, gap in repository.gaps()]
        if part.startswith("head"):
            assert (gap.offset, gap.length) == (record.offset, record.end - record.offset)
            with pytest.raises(Integrity):
                repository.get(record.id)
        else:
            assert (gap.offset, gap.offset + gap.length) == (record.end, batch.end)
        for each, name in enumerate(written.names):
            if each != number:
                assert repository.get(repository.entry(name).roots[0]) == _content(each)


def test_zeros_in_the_middle_are_damage_and_at_the_end_are_room(written: Written) -> None:
    second, third = written.scan.batches[1], written.scan.batches[2]
    written.spoil(second.start, bytes(third.end - second.start))
    with written.open() as repository:
        kept = [name for at, name in enumerate(written.names) if at not in (1, 2)]
        assert written.listed(repository) == kept
        assert len(repository.gaps()) == 1


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_damage_leaves_what_it_did_not_touch(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Wherever bytes are spoilt: no error, nothing invented, and commits elsewhere are whole."""
    folder = tmp_path_factory.mktemp("any")
    run = Run(folder, Files())
    with run.open(index="none/x") as repository:
        names = [run.save(repository, _content(number)) for number in range(4)]
        path = repository.layout.segments / repository.writer.segment
    with repository.reader(path.name) as reader:
        scan = reader.scan(0)
    whole = path.read_bytes()
    at = data.draw(st.integers(0, scan.end - 1))
    spoilt = data.draw(st.binary(min_size=1, max_size=600))
    path.write_bytes((whole[:at] + spoilt + whole[at + len(spoilt) :])[: len(whole)])
    w = Written(run, path, names, scan, whole)
    with w.open() as repository:
        listed = w.listed(repository)
        assert set(listed) <= set(names)
        for number, (batch, name) in enumerate(zip(scan.batches, names, strict=False)):
            if batch.end <= at or batch.start >= at + len(spoilt):
                assert name in listed
                assert repository.get(repository.entry(name).roots[0]) == _content(number)
        run.ledger.acked.clear()
        after = run.save(repository, b"after")
        assert after in w.listed(repository)


@pytest.mark.parametrize("cut", [1, 17, 200, 700, 790])
def test_a_torn_end_costs_nothing_before_it(written: Written, cut: int) -> None:
    """The last commit was never acknowledged, as far as the file can tell; the others are whole."""
    last = written.scan.batches[5]
    end = last.end - cut
    if end < last.start:
        end = last.start
    written.path.write_bytes(written.whole[:end])
    with written.open() as repository:
        assert written.listed(repository) == written.names[:5]
        assert repository.gaps() == []


def test_records_of_another_key_store_or_segment_are_not_believed(tmp_path: Path) -> None:
    """A record only counts where its writer put it."""
    run = Run(tmp_path / "one", Files())
    other = Run(tmp_path / "two", Files())
    with run.open(index="none/x") as repository, other.open(index="none/y") as foreign:
        run.save(repository, b"mine")
        other.save(foreign, b"theirs")
        mine = repository.layout.segments / repository.writer.segment
        theirs = foreign.layout.segments / foreign.writer.segment
    (mine.parent / theirs.name).write_bytes(theirs.read_bytes())
    (mine.parent / "copy").write_bytes(mine.read_bytes())
    with run.open(index="none/x") as repository:
        repository.refresh()
        assert len(repository.entries()) == 1


def _forge(repository: Repository, payload: bytes, format_number: int = 1) -> None:
    """A segment with one record that is authentic in every way."""
    name = "f" * 16
    seal = Seal(repository.layout.key, repository.store_id, name)
    head, _, _ = frame(seal, 0, Kind.COMMIT, 0, len(payload), chunks.digest(payload), payload)
    head = head[:6] + format_number.to_bytes(2, "little") + head[8:]
    tag = seal.tag(0, head, payload)
    (repository.layout.segments / name).write_bytes(head + payload + tag)


@pytest.mark.parametrize("where", ["record", "commit"])
def test_a_later_format_is_refused_whole(tmp_path: Path, where: str) -> None:
    """Never half read, and never an empty list."""
    run = Run(tmp_path, Files())
    with run.open() as repository:
        run.save(repository, b"ours")
        payload = encode_commit(Commit(0, 0, repository.seal("f" * 16).batch([])))
        if where == "commit":
            payload = b"\x02\x00" + payload[2:]
        _forge(repository, payload, 3 if where == "record" else 1)
        with pytest.raises(Newer):
            repository.refresh()
        with pytest.raises(Newer), repository.transaction():
            pass


def test_garbage_that_looks_like_a_later_format_is_garbage(tmp_path: Path) -> None:
    run = Run(tmp_path, Files())
    with run.open() as repository:
        run.save(repository, b"ours")
        head = struct.pack("<4sBBHII", segments.MAGIC, 3, 0, 9, 5, 5)
        fake = head + b"x" * 32 + b"hello" + b"y" * 16
        (repository.layout.segments / ("e" * 16)).write_bytes(fake * 20)
        repository.refresh()
        assert len(repository.entries()) == 1


def test_content_that_looks_like_records_is_content(tmp_path: Path) -> None:
    """A notebook may hold the very bytes of a segment."""
    run = Run(tmp_path, Files())
    with run.open() as repository:
        run.save(repository, b"first")
        bytes_of_it = (repository.layout.segments / repository.writer.segment).read_bytes()[:400]
        run.save(repository, bytes_of_it, segments.MAGIC * 30)
        path = repository.layout.segments / repository.writer.segment
        with repository.reader(path.name) as reader:
            assert len(reader.scan(0).batches) == 2


def test_a_reader_sees_only_whole_commits_of_a_writer_at_work(tmp_path: Path) -> None:
    """At whichever byte the writer stands, no more and no less than its commits is read."""
    run = Run(tmp_path, Files())
    with run.open() as repository:
        for number in range(3):
            run.save(repository, _content(number))
        path = repository.layout.segments / repository.writer.segment
        with repository.reader(path.name) as reader:
            ends = [batch.end for batch in reader.scan(0).batches]
        whole, seal = path.read_bytes(), repository.seal(path.name)
    probe = tmp_path / "probe"
    for size in range(0, ends[-1] + 1, 37):
        probe.write_bytes(whole[:size].ljust(len(whole), b"\0"))
        descriptor = os.open(probe, os.O_RDONLY)
        scan = SegmentReader(descriptor, seal, len(whole)).scan(0)
        os.close(descriptor)
        assert [batch.end for batch in scan.batches] == [end for end in ends if end <= size]
        assert not scan.gaps
