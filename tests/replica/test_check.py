"""A replica that was damaged or tampered with: it is told, and nothing of it is taken."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import Conflict, Format, Integrity, Unavailable
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.replica.check import CheckReport, check
from jupyter_rewind.store.replica.folder import FolderObjects
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.replica.refs import Piece, Ref, encode_ref
from tests.support.replicas import Machine, committed_bytes, first_machine, holds, next_machine
from tests.support.stores import QuickFiles, noise


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "replica"
    folder.mkdir()
    return folder


@pytest.fixture
def first(tmp_path: Path, place: Path) -> Machine:
    """A machine that has pushed three times: small, large, small."""
    machine = first_machine(tmp_path / "a", FolderObjects(place, QuickFiles()))
    machine.push()
    with machine.open() as repository:
        machine.filled.add(repository, parts=[noise("large", 3 << 20)])
    machine.push()
    machine.save()
    machine.push()
    return machine


def look(machine: Machine, *, read_data: bool = True) -> CheckReport:
    with machine.open() as repository:
        return check(repository.layout, QuickFiles(), machine.objects, read_share=float(read_data))


def refs(place: Path) -> list[Path]:
    return sorted(path for path in (place / "refs").rglob("*") if path.is_file())


def pack(place: Path) -> Path:
    [found] = [path for path in (place / "packs").rglob("*") if path.is_file()]
    return found


def spoil(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_whole_replica_is_whole(first: Machine) -> None:
    """All three pushes are counted, and nothing is left over."""
    for read_data in (False, True):
        report = look(first, read_data=read_data)
        assert report.ok and report.refs == 3 and report.packs == 1 and not report.unused_bytes
        assert report.bytes == sum(map(len, committed_bytes(first).values()))


@pytest.mark.parametrize("at", [0, 4, 6, 40, -60, -1])
def test_a_ref_with_any_bit_changed_is_told(
    at: int, tmp_path: Path, first: Machine, place: Path
) -> None:
    """Its head, its words, its bytes, its tag: none of it is believed, and nothing is pulled."""
    spoil(refs(place)[1], at)
    found = look(first, read_data=False)
    assert any(each.key.endswith(refs(place)[1].name) for each in found.faults)
    refuses_to_pull(tmp_path, first)


def test_a_ref_that_is_gone_is_told(tmp_path: Path, first: Machine, place: Path) -> None:
    """A hole in a branch is no end of it."""
    refs(place)[1].unlink()
    assert "missing" in {each.what for each in look(first).faults}
    refuses_to_pull(tmp_path, first)


def test_a_ref_under_another_number_is_told(tmp_path: Path, first: Machine, place: Path) -> None:
    """What was pushed once cannot be played again."""
    one, *_, last = refs(place)
    shutil.copy(one, last.with_name(f"{4:020d}"))
    assert not look(first).ok
    refuses_to_pull(tmp_path, first)


def test_a_pack_that_is_damaged_short_or_gone_is_told(
    tmp_path: Path, first: Machine, place: Path
) -> None:
    """Reading all finds any damage; a look at the list finds what is short or missing."""
    path = pack(place)
    data = path.read_bytes()
    spoil(path, 1_000_000)
    assert look(first, read_data=False).ok and not look(first).ok
    refuses_to_pull(tmp_path, first)
    path.write_bytes(data[:-1])
    assert not look(first, read_data=False).ok
    path.unlink()
    assert [each.what for each in look(first, read_data=False).faults] == ["missing"]


def test_what_is_damaged_here_is_brought_whole(tmp_path: Path, first: Machine) -> None:
    """Where a segment has grown there, and its beginning is damaged here, the replica's counts."""
    second = next_machine(tmp_path / "b", first)
    with first.open() as repository:
        first.filled.add(repository)
        first.push()
        second.pull()
        first.filled.add(repository)
        first.push()
        segment = repository.writer.segment
    spoil(second.store / "segments" / segment, 200)
    second.pull()
    assert holds(second, first)


def test_who_has_no_key_can_add_nothing(tmp_path: Path, first: Machine, place: Path) -> None:
    """A ref that somebody with access to the bucket makes up is refused whole."""
    with first.open() as repository:
        layout = repository.layout
    forged = Layout(layout.folder, layout.store_id, bytes(32))
    branch = clock.new_id()
    ref = Ref(branch, 1, "nonce", (Piece("0" * 16, 0, 4, "", 0),))
    replica = first.objects.get("rewind-replica").decode()
    data = encode_ref(ref, b"evil", forged, replica.split('"replica":"')[1][:16])
    assert first.objects.create(ref.key, data)
    assert not look(first).ok
    refuses_to_pull(tmp_path, first)


def test_a_replica_without_its_name_is_no_empty_one(
    tmp_path: Path, first: Machine, place: Path
) -> None:
    """Losing one object never makes the rest look as if it had not been there."""
    (place / "rewind-replica").unlink()
    for work in (first.push, first.pull, lambda: look(first)):
        with pytest.raises(Integrity, match="has lost"):
            work()


def test_a_disk_that_is_not_mounted_is_no_empty_replica(first: Machine, place: Path) -> None:
    """It is told, and nothing is made in its place."""
    place.rename(place.with_name("elsewhere"))
    for work in (first.push, first.pull, lambda: look(first)):
        with pytest.raises(Unavailable, match="no folder"):
            work()
    assert not place.exists()


def test_two_at_once_are_told_apart(first: Machine) -> None:
    """A second push of the same store to the same place waits for no one and says so."""
    from jupyter_rewind.store.replica.push import push, sole_pusher

    with (
        first.open() as repository,
        sole_pusher(repository.layout, first.url),
        pytest.raises(Conflict, match="at work"),
    ):
        push(repository, first.objects, first.url)


def refuses_to_pull(tmp_path: Path, first: Machine) -> None:
    """Nothing of a damaged replica is shown."""
    fresh = next_machine(tmp_path / clock.new_id(), first)
    with pytest.raises((Integrity, Format)):
        fresh.pull()
    with fresh.open() as repository:
        assert not repository.entries()


def test_the_pace_is_kept() -> None:
    """So many bytes a second, over all that ask; a limit of 0 is none."""
    with clock.use(clock.FakeClock()) as hands:
        assert isinstance(hands, clock.FakeClock)
        waited: list[float] = []

        def pause(seconds: float) -> None:
            waited.append(seconds)
            hands.advance(seconds)

        begun = clock.monotonic()
        pace = Pace(1000, pause)
        for _ in range(10):
            pace.wait(500)
        assert clock.monotonic() - begun == pytest.approx(4.5)
        Pace(0, pause).wait(10**9)
        assert len(waited) == 9


def test_a_share_that_is_read_finds_damage_in_the_end(tmp_path: Path, place: Path) -> None:
    """A tenth of all packs, drawn anew each time: what is damaged is met sooner or later, and at
    least one pack is read each time."""
    machine = first_machine(tmp_path / "a", FolderObjects(place, QuickFiles()))
    with machine.open() as repository:
        for number in range(6):
            machine.filled.add(repository, parts=[noise(f"large {number}", 2 << 20)])
            machine.push()
    found = sorted(path for path in (place / "packs").rglob("*") if path.is_file())
    packs = [path for path in found if path.stat().st_size > 1 << 20]
    assert len(packs) == 6
    read: list[int] = []

    def some() -> CheckReport:
        with machine.open() as repository:
            return check(
                repository.layout, QuickFiles(), machine.objects, read_share=0.1,
                progress=lambda done, total: read.append(total),
            )  # fmt: skip

    assert some().ok and 0 < read[-1] < sum(path.stat().st_size for path in packs) / 3
    spoil(packs[3], 1_000_000)
    damaged = next(report for report in (some() for _ in range(500)) if not report.ok)
    assert [each.key for each in damaged.faults] == [str(packs[3].relative_to(place))]
