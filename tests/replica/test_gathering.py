"""Many small pushes are said once more by a later one, and a fresh machine reads that one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from jupyter_rewind.errors import Integrity
from jupyter_rewind.store.replica import gathering
from jupyter_rewind.store.replica.check import check
from jupyter_rewind.store.replica.cloud import CloudObjects
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.opening import require_store
from jupyter_rewind.store.replica.refs import decode_ref, ref_key
from tests.support.replicas import Machine, first_machine, holds, next_machine
from tests.support.stores import QuickFiles

EVERY = 8


class Counting(CloudObjects):
    """Counts the refs that are read."""

    def __init__(self) -> None:
        super().__init__(MemoryStore(), "memory")
        self.refs = 0

    def get(self, key: str) -> bytes:
        self.refs += key.startswith("refs/")
        return super().get(key)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(gathering, "EVERY", EVERY)
    yield


@pytest.fixture
def objects() -> Counting:
    return Counting()


@pytest.fixture
def first(tmp_path: Path, objects: Objects) -> Machine:
    return first_machine(tmp_path / "a", objects)


def push_often(machine: Machine, count: int, *, sealed: bool = False) -> None:
    for _ in range(count):
        machine.save()
        machine.push(sealed=sealed)


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("pushes", [EVERY - 1, EVERY, EVERY + 1, 5 * EVERY + 3])
def test_a_fresh_machine_reads_few_of_many_refs(
    pushes: int, sealed: bool, tmp_path: Path, first: Machine, objects: Counting
) -> None:
    """One in so many, and those after the last of them, once for what they say and once for the
    bytes in them; what it gets is the same."""
    push_often(first, pushes, sealed=sealed)
    objects.refs = 0
    second = next_machine(tmp_path / "b", first)
    second.pull()
    assert holds(second, first)
    whole, rest = divmod(pushes, EVERY)
    assert objects.refs <= 2 * (whole + rest)
    with first.open() as repository:
        report = check(repository.layout, QuickFiles(), objects, read_share=1.0)
    assert report.ok and report.refs == pushes, report.faults


def test_who_has_some_already_gets_the_rest(tmp_path: Path, first: Machine) -> None:
    """A pull in the middle of a row that is gathered later."""
    push_often(first, EVERY - 2)
    second = next_machine(tmp_path / "b", first)
    second.pull()
    push_often(first, EVERY + 5)
    second.pull()
    assert holds(second, first)


def test_what_others_need_is_said_again(tmp_path: Path, first: Machine, objects: Counting) -> None:
    """A covered ref that was built on another machine's is not read without that one's."""
    push_often(first, 2)
    second = next_machine(tmp_path / "b", first)
    second.pull()
    push_often(second, 3)
    first.pull()
    push_often(first, 2 * EVERY)
    third = next_machine(tmp_path / "c", first)
    third.pull()
    assert holds(third, first, second)
    with first.open() as repository:
        layout = repository.layout
    replica = require_store(objects, layout).replica
    branches = {len(list(objects.find(f"refs/{each}/"))): each for each in objects.folders("refs/")}
    key = ref_key(branches[max(branches)], EVERY)
    assert branches[3] in decode_ref(objects.get(key), key, layout, replica)[0].needs


def test_a_ref_that_is_lost_is_missed_all_the_same(
    tmp_path: Path, first: Machine, objects: Counting
) -> None:
    """Also where what it said was said again: a hole is told."""
    push_often(first, EVERY + 2)
    [branch] = objects.folders("refs/")
    objects.delete(f"refs/{branch}/{3:020d}")
    with pytest.raises(Integrity, match="has lost"):
        next_machine(tmp_path / "b", first).pull()


def test_a_damaged_ref_keeps_nobody_from_pushing(
    tmp_path: Path, first: Machine, objects: Counting
) -> None:
    """It is not gathered; verify tells of it, and what is pushed later is there."""
    push_often(first, 3)
    [branch] = objects.folders("refs/")
    key = f"refs/{branch}/{2:020d}"
    objects.delete(key)
    objects.create(key, b"not a ref")
    push_often(first, EVERY)
    with first.open() as repository:
        report = check(repository.layout, QuickFiles(), objects)
    assert report.refs == EVERY + 3 and [each.key for each in report.faults if each.key == key]
