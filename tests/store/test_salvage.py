"""Salvage keeps everything that reads, names everything that does not, and deletes nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_rewind.errors import Denied, Format, Integrity, InvalidInput, NotFound
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.store.framing import HEAD_SIZE
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.upkeep import collect, salvage, verify
from tests.support.stores import (
    Filled,
    QuickFiles,
    Stopped,
    StoppingFiles,
    entry_segments,
    fill,
    noise,
    records,
    segment_files,
)


def run(filled: Filled, **options: object):  # type: ignore[no-untyped-def]
    options.setdefault("files", QuickFiles())
    return salvage(filled.folder / "store", filled.folder / "keys", **options)  # type: ignore[arg-type]


def forget_index(filled: Filled) -> None:
    for path in (filled.folder / "store").glob("index*"):
        path.unlink()


def whole(filled: Filled, store: Repository) -> set[EntryId]:
    """Entries that read byte for byte."""
    store.refresh()
    store.forget_read()
    found = set()
    for name in filled.bodies:
        try:
            assert filled.reads(store, name)
        except (NotFound, Integrity):
            continue
        found.add(name)
    return found


def damage(path: Path, how: str, offset: int, length: int) -> tuple[int, int]:
    """Does it; returns the range of bytes that are not what they were."""
    data = bytearray(path.read_bytes())
    offset %= len(data)
    if how == "truncated":
        path.write_bytes(data[:offset])
        return offset, len(data)
    end = min(offset + length, len(data))
    data[offset:end] = bytes(end - offset) if how == "zeroed" else noise(how, end - offset)
    path.write_bytes(data)
    return offset, end


@pytest.mark.parametrize("indexed", [True, False])
@settings(max_examples=25, deadline=None)
@given(
    which=st.integers(0, 2),
    how=st.sampled_from(["truncated", "zeroed", "garbled"]),
    offset=st.integers(0, 1 << 20),
    length=st.one_of(st.integers(1, 40), st.integers(1, 1 << 14)),
)
def test_damage_costs_only_what_it_touched(
    indexed: bool, which: int, how: str, offset: int, length: int
) -> None:
    """Whatever is done to a segment: what was not touched reads, what was is named, and saving
    the same content again brings it back."""
    folder = Path(tempfile.mkdtemp())
    try:
        filled = fill(folder, segments=3, entries=5)
        path = segment_files(filled)[which]
        with filled.open() as store:
            store.refresh()
            placed = entry_segments(store)
            table = {
                record.id: (file.name, record)
                for file in segment_files(filled)
                for record in records(store, file.name)
            }
            bases = {node: store.delta_base(node) for node in filled.roots.values()}
        start, end = damage(path, how, offset, length)
        if not indexed:
            forget_index(filled)

        def touched(digest: object) -> bool:
            name, record = table[digest]  # type: ignore[index]
            below = bases.get(digest)  # type: ignore[call-overload]
            hit = name == path.name and record.offset < end and start < record.end
            return hit or (below is not None and touched(below))

        safe = {
            name
            for name in filled.bodies
            if not any(touched(each) for each in (filled.roots[name], *filled.links[name]))
            and (indexed or placed[name] != path.name)
        }
        report = run(filled)
        with filled.open() as store:
            left = whole(filled, store)
            assert safe <= left
            gone = set(filled.bodies) - left
            if indexed:
                assert gone <= set(report.affected)
                assert {entry.id for entry in store.entries(kind="checkpoint")} == set(
                    filled.bodies
                )
                assert not report.untold
            elif gone - set(report.affected):
                assert [each.segment for each in report.untold] == [path.name]
            assert not set(report.affected) & left
            again = verify(store, read_data=True)
            assert all(each.salvaged for each in again.damages), again.damages
            assert set(again.known_losses) == set(report.affected)
            collect(store)
            assert whole(filled, store) == left
        assert not run(filled).changed
        for name in report.set_aside:
            assert (filled.folder / "store" / "damaged" / name).exists()
        with filled.open() as store:
            filled._base = None
            with store.transaction() as tx:
                for name in report.affected:
                    links = [link for part in filled.parts[name] for link in tx.put(part)]
                    tx.put_node(filled.bodies[name], links)
                tx.add("checkpoint", keys=[], body={})
            assert set(report.affected) <= whole(filled, store)
    finally:
        shutil.rmtree(folder)


def test_each_lost_record_is_named(tmp_path: Path) -> None:
    """Segment, offset, content and the checkpoints that need it."""
    filled = fill(tmp_path)
    hurt = list(filled.bodies)[3]
    with filled.open() as store:
        segment = entry_segments(store)[hurt]
        record = next(r for r in records(store, segment) if r.id == filled.links[hurt][0])
    damage(tmp_path / "store" / "segments" / segment, "zeroed", record.offset + HEAD_SIZE, 9)
    report = run(filled)
    assert [(each.segment, each.offset, each.digest) for each in report.lost] == [
        (segment, record.offset, record.id)
    ]
    assert report.lost[0].affected == report.affected == (hurt,)
    assert report.set_aside == (segment,)
    assert report.kept_entries == 8


def test_the_damaged_file_is_kept(tmp_path: Path) -> None:
    """It lies under damaged/, byte for byte as it was found."""
    filled = fill(tmp_path)
    path = segment_files(filled)[0]
    damage(path, "garbled", 500, 300)
    data = path.read_bytes()
    run(filled)
    assert not path.exists()
    assert (tmp_path / "store" / "damaged" / path.name).read_bytes() == data


def test_a_removed_segment_comes_back_as_far_as_known(tmp_path: Path) -> None:
    """Its entries are told again by the index, and their content is named as lost."""
    filled = fill(tmp_path)
    with filled.open() as store:
        store.refresh()
        placed = entry_segments(store)
    path = segment_files(filled)[0]
    path.unlink()
    report = run(filled)
    inside = {name for name, segment in placed.items() if segment == path.name}
    assert report.entries_from_index == len(inside)
    assert inside <= set(report.affected)
    assert {each.segment for each in report.lost} == {path.name}
    forget_index(filled)
    with filled.open() as store:
        store.refresh()
        assert {entry.id for entry in store.entries(kind="checkpoint")} == set(filled.bodies)
        found = verify(store)
        assert not found.ok and all(each.salvaged for each in found.damages)


def test_a_healthy_store_is_left_alone(tmp_path: Path) -> None:
    """Nothing moves, and nothing is written."""
    filled = fill(tmp_path)
    names = segment_files(filled)
    report = run(filled)
    assert not report.changed and not report.lost
    assert segment_files(filled) == names


@pytest.mark.parametrize("how", ["gone", "garbled", "empty"])
def test_a_lost_config_is_made_again(tmp_path: Path, how: str) -> None:
    """The key folder tells which store it is; other stores' keys do not confuse it."""
    for number in range(3):
        fill(tmp_path / f"other{number}", segments=1, entries=1)
        for key in (tmp_path / f"other{number}" / "keys").iterdir():
            (tmp_path / "keys").mkdir(exist_ok=True)
            shutil.copy(key, tmp_path / "keys" / key.name)
    filled = fill(tmp_path)
    config = tmp_path / "store" / "config"
    match how:
        case "gone":
            config.unlink()
        case "garbled":
            config.write_bytes(b"\x00garbage")
        case "empty":
            config.write_bytes(b"")
    with pytest.raises((Format, NotFound)):
        filled.open()
    report = run(filled)
    assert report.config_mended
    with filled.open() as store:
        assert whole(filled, store) == set(filled.bodies)


def test_without_its_key_a_store_is_not_touched(tmp_path: Path) -> None:
    """The refusal says how to go on."""
    filled = fill(tmp_path)
    shutil.rmtree(tmp_path / "keys")
    (tmp_path / "keys").mkdir()
    with pytest.raises(Denied, match="--trust-foreign"):
        run(filled)
    with pytest.raises(InvalidInput, match="--into"):
        run(filled, trust_foreign=True)


@pytest.mark.parametrize("hurt", [False, True])
def test_a_store_without_key_is_taken_into_a_new_one(tmp_path: Path, hurt: bool) -> None:
    """On the user's word, all whose content fits its name; damage costs what it touched."""
    filled = fill(tmp_path)
    if hurt:
        damage(segment_files(filled)[0], "zeroed", 3000, 50)
    before = {path.name: path.read_bytes() for path in segment_files(filled)}
    shutil.rmtree(tmp_path / "keys")
    report = run(filled, trust_foreign=True, into=tmp_path / "new" / "store")
    assert report.folder == tmp_path / "new" / "store"
    again = run(filled, trust_foreign=True, into=tmp_path / "new" / "store")
    assert (again.kept_records, again.kept_entries) == (0, 0)
    assert before == {path.name: path.read_bytes() for path in segment_files(filled)}
    taken = Filled(tmp_path / "new", filled.bodies, filled.parts, filled.roots, filled.links)
    shutil.copytree(tmp_path / "keys", tmp_path / "new" / "keys")
    with taken.open() as store:
        left = whole(taken, store)
        assert len(left) >= (16 if hurt else 24)
        assert set(report.affected) | left >= {e.id for e in store.entries(kind="checkpoint")}
        assert all(each.salvaged for each in verify(store, read_data=True).damages)


def test_a_copy_can_be_made_elsewhere(tmp_path: Path) -> None:
    """With `into`, the damaged store stays as it is; expired entries stay expired."""
    filled = fill(tmp_path)
    gone = list(filled.bodies)[2]
    path = segment_files(filled)[1]
    with filled.open() as store, store.transaction(exclusive=True) as tx:
        tx.expire([gone])
    damage(path, "garbled", 2000, 100)
    before = {path.name: path.read_bytes() for path in segment_files(filled)}
    run(filled, into=tmp_path / "new" / "store")
    assert before == {path.name: path.read_bytes() for path in segment_files(filled)}
    with Repository.open(tmp_path / "new" / "store", key_folder=tmp_path / "keys") as store:
        assert gone not in {entry.id for entry in store.entries()}
        assert len(whole(filled, store)) >= 14


def test_a_damaged_segment_in_use_waits(tmp_path: Path) -> None:
    """Nobody takes a file away from under its writer: it is named and left for later."""
    filled = fill(tmp_path, segments=1)
    with filled.open() as writer:
        late = [filled.add(writer) for _ in range(6)]
        name = writer.writer.segment
        record = next(r for r in records(writer, name) if r.id == filled.links[late[1]][0])
        damage(tmp_path / "store" / "segments" / name, "zeroed", record.offset + 70, 9)
        report = run(filled)
        assert [segment for segment, _ in report.skipped] == [name]
        assert report.set_aside == ()
        assert filled.add(writer)
    report = run(filled)
    assert report.set_aside == (name,)


@pytest.mark.crash
def test_stopped_at_any_step_it_can_be_begun_again(tmp_path: Path) -> None:
    """Before every single step the process may end: nothing that read before is lost, and the
    next salvage comes to the same end."""
    step = 0
    while True:
        filled = fill(tmp_path / str(step), segments=2, entries=4)
        with filled.open() as store:
            store.refresh()
        path = segment_files(filled)[0]
        damage(path, "garbled", 2500, 900)
        with filled.open() as store:
            before = whole(filled, store)
        stopped = False
        try:
            run(filled, files=StoppingFiles(step))
        except Stopped:
            stopped = True
        with filled.open() as store:
            assert before <= whole(filled, store)
        report = run(filled)
        with filled.open() as store:
            assert before <= whole(filled, store)
            assert all(each.salvaged for each in verify(store, read_data=True).damages)
            assert {entry.id for entry in store.entries(kind="checkpoint")} == set(filled.bodies)
        assert os.listdir(tmp_path / str(step) / "store" / "damaged") == [path.name]
        if not stopped:
            assert not report.changed
            break
        step += 1
    assert step > 6


def test_whole_content_before_a_cut_is_kept_for_those_who_name_it(tmp_path: Path) -> None:
    """A segment loses its end, and a commit with it; another writer had built on its content."""
    folder, keys = tmp_path / "store", tmp_path / "keys"
    shared, rest = os.urandom(5_000), os.urandom(5_000)
    with Repository.open(folder, key_folder=keys) as one:
        with one.transaction() as tx:
            names = tx.put(shared)
            tx.add("checkpoint", keys=[], body={}, roots=[*names, *tx.put(rest)])
        path = folder / "segments" / one.writer.segment
        with Repository.open(folder, key_folder=keys) as two, two.transaction() as tx:
            tx.add("checkpoint", keys=["built-on-it"], body={}, roots=tx.put(shared))
        with one.reader(path.name) as reader:
            (batch, *_) = reader.scan(0).batches
    cut = next(record for record in batch.records if record.id == names[0]).end
    path.write_bytes(path.read_bytes()[: cut + 40])
    for index in folder.glob("index*"):
        index.unlink()
    report = salvage(folder, keys)
    assert report.set_aside == (path.name,)
    with Repository.open(folder, key_folder=keys) as store:
        store.refresh()
        (entry,) = store.entries(key="built-on-it")
        assert store.get_blob(entry.roots) == shared
        assert verify(store, read_data=True).ok
