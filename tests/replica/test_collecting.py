"""A replica gives back what was collected on a machine, and never what another one builds on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from jupyter_rewind.errors import Conflict, Integrity, NotFound
from jupyter_rewind.store.replica.check import check
from jupyter_rewind.store.replica.cloud import CloudObjects
from jupyter_rewind.store.replica.collecting import (
    CollectedReport,
)
from jupyter_rewind.store.replica.objects import Listed
from jupyter_rewind.store.replica.push import push
from jupyter_rewind.store.replica.turns import BUSY
from tests.support.collecting import Meddled, every, expire, is_whole, kept, knows, shrink, total
from tests.support.replicas import first_machine, holds, next_machine
from tests.support.stores import QuickFiles, noise


@pytest.fixture
def objects() -> Meddled:
    return Meddled()


@pytest.mark.parametrize("sealed", [False, True])
def test_what_is_expired_and_collected_frees_its_room(
    sealed: bool, tmp_path: Path, objects: Meddled
) -> None:
    """A dry run says how much, and changes nothing; then it is free, and the rest is whole."""
    first = first_machine(tmp_path / "a", objects, segments=4, entries=5)
    first.push(sealed=sealed)
    for _ in range(5):
        first.save()
        first.push(sealed=sealed)
    names = list(first.filled.bodies)
    expire(first, names[:20])
    first.push(sealed=sealed)
    before = sorted(each.key for each in every(objects))
    size = total(objects)
    told = shrink(first, dry_run=True, sealed=sealed)
    assert told.dry_run and told.freed_bytes > size // 2
    assert sorted(each.key for each in every(objects)) == before
    done = shrink(first, sealed=sealed)
    assert done.segments and done.freed_bytes > size // 2
    assert total(objects) < size // 2
    assert abs(done.freed_bytes - told.freed_bytes) < size // 8
    assert is_whole(first)
    second = next_machine(tmp_path / "b", first)
    second.pull()
    assert holds(second, first)


def test_a_replica_that_was_collected_is_pushed_to_and_collected_again(
    tmp_path: Path, objects: Meddled
) -> None:
    """Nothing piles up: after many rounds there is about as much as after one."""
    first = first_machine(tmp_path / "a", objects)
    sizes = []
    for _ in range(6):
        names = first.save(6)
        first.push()
        expire(first, names[:5])
        shrink(first)
        sizes.append(total(objects))
        assert is_whole(first)
        before = [each.key for each in every(objects)]
        assert shrink(first) == CollectedReport(kept_bytes=kept(objects))
        assert [each.key for each in every(objects)] == before
    assert sizes[-1] < sizes[0] + 5 * (sizes[1] - sizes[0] + 4096)
    assert len(list(objects.find("refs/"))) == 1
    second = next_machine(tmp_path / "b", first)
    second.pull()
    assert holds(second, first)


def test_what_another_machine_builds_on_is_pushed_again(tmp_path: Path, objects: Meddled) -> None:
    """It pulled before, and saves after, without having heard of the collecting."""
    first = first_machine(tmp_path / "a", objects)
    first.push()
    second = next_machine(tmp_path / "b", first)
    second.pull()
    knows(second, first)
    expire(first, list(first.filled.bodies))
    assert shrink(first).segments
    second.save()
    second.push()
    third = next_machine(tmp_path / "c", first)
    third.pull()
    assert holds(third, second)
    # What was claimed so is not fought over.
    assert not shrink(first).segments
    expire(second, list(second.filled.bodies)[:-1])
    shrink(second)
    shrink(first)
    assert is_whole(first)


def test_a_push_between_two_steps_keeps_what_it_builds_on(tmp_path: Path, objects: Meddled) -> None:
    """The other machine is faster than the barrier: what it has pushed is read first."""
    first = first_machine(tmp_path / "a", objects)
    first.push()
    second = next_machine(tmp_path / "b", first)
    second.pull()
    knows(second, first)
    second.save()
    second.push()
    expire(first, list(first.filled.bodies))

    def meanwhile() -> None:
        second.save()
        second.push()

    for step in ("log/", "refs/", "bases/"):
        objects.before_create[step] = meanwhile
    objects.before_delete = meanwhile
    shrink(first)
    third = next_machine(tmp_path / "c", first)
    third.pull()
    with third.open() as repository:
        for name in second.saved:
            assert second.filled.reads(repository, name)
    assert is_whole(third)


class Counted(CloudObjects):
    """A place where something happens once, before the request with a certain number."""

    def __init__(self) -> None:
        super().__init__(MemoryStore(), "memory")
        self.left: int | None = None
        self.act: Callable[[], object] = lambda: None

    def _step(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                self.act()

    def create(self, key: str, data: bytes) -> bool:
        self._step()
        return super().create(key, data)

    def get(self, key: str) -> bytes:
        self._step()
        return super().get(key)

    def find(self, prefix: str, *, after: str = "") -> Iterator[Listed]:
        self._step()
        return super().find(prefix, after=after)

    def delete(self, key: str) -> None:
        self._step()
        super().delete(key)


def push_before(folder: Path, at: int, *, is_new: bool) -> bool:
    """The other machine pushes what it builds on the condemned before this request of the
    collecting; all of it is there in the end. False when there are not so many requests.

    `is_new` is one that has not pushed before.
    """
    objects = Counted()
    first = first_machine(folder / "a", objects)
    first.push()
    second = next_machine(folder / "b", first)
    second.pull()
    knows(second, first)
    if not is_new:
        with second.open() as repository:
            second.filled.add(repository, parts=[noise("its own", 700)])
        second.push()
    shared = next(iter(first.filled.parts.values()))
    with second.open() as repository:
        late = second.filled.add(repository, parts=shared)
    expire(first, list(first.filled.bodies))
    objects.left, objects.act = at, second.push
    shrink(first)
    done = objects.left is None
    objects.left = None
    if not done:
        second.push()
    third = next_machine(folder / "c", first)
    third.pull()
    with third.open() as repository:
        assert second.filled.reads(repository, late)
    second.push()
    # A number that was free again, and taken too late, is nothing to anybody.
    assert is_whole(third, unused_bytes=1000)
    return done


@pytest.mark.parametrize("is_new", [False, True])
@pytest.mark.parametrize(
    "every",
    [pytest.param(9, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.long)],
)
def test_whenever_another_machine_pushes_what_it_builds_on_stays(
    every: int, is_new: bool, tmp_path: Path
) -> None:
    """Before every single request of the collecting, or before some of them, one after the
    other."""
    at = is_new * every // 2
    while push_before(tmp_path / str(at), at, is_new=is_new):
        at += every
    assert at > 20


def test_a_pull_that_is_overtaken_begins_again(tmp_path: Path, objects: Meddled) -> None:
    """What it was about to fetch is deleted under its hands; it gets what is left."""
    first = first_machine(tmp_path / "a", objects, segments=3)
    first.push()
    names = list(first.filled.bodies)
    second = next_machine(tmp_path / "b", first)
    real, done = objects.get, []

    def get(key: str) -> bytes:
        if key.startswith(("packs/", "refs/")) and not done:
            done.append(key)
            expire(first, names[:6])
            shrink(first)
        return real(key)

    objects.get = get  # type: ignore[method-assign]
    second.pull()
    assert done and holds(second, first)


def test_of_two_at_work_the_later_one_does_it(tmp_path: Path, objects: Meddled) -> None:
    """The other one is told so, and has taken nothing away that is in use."""
    first = first_machine(tmp_path / "a", objects)
    first.push()
    second = next_machine(tmp_path / "b", first)
    second.pull()
    second.save()
    second.push()
    expire(first, list(first.filled.bodies)[:2])
    objects.before_create["bases/"] = lambda: shrink(second)
    with pytest.raises(Conflict) as caught:
        shrink(first)
    assert caught.value.code == BUSY
    shrink(first)
    assert is_whole(first)
    third = next_machine(tmp_path / "c", first)
    third.pull()
    assert holds(third, first, second)


def test_what_grew_elsewhere_after_it_was_collected_here_comes(
    tmp_path: Path, objects: Meddled
) -> None:
    """A segment that another machine still writes is no garbage because its beginning is."""
    first = first_machine(tmp_path / "a", objects)
    first.push()
    second = next_machine(tmp_path / "b", first)
    with first.open() as repository:
        first.saved.append(first.filled.add(repository))
        push(repository, objects, first.url)
        second.pull()
        knows(second, first)
        expire(second, list(second.filled.bodies))
        late = first.filled.add(repository)
        push(repository, objects, first.url)
    shrink(second)
    with second.open() as repository:
        assert first.filled.reads(repository, late)
    third = next_machine(tmp_path / "c", first)
    third.pull()
    with third.open() as repository:
        assert first.filled.reads(repository, late)


def test_nothing_is_collected_where_there_is_no_replica(tmp_path: Path, objects: Meddled) -> None:
    """Words, and no replica is made for it."""
    first = first_machine(tmp_path / "a", objects)
    with pytest.raises(NotFound):
        shrink(first)
    assert not list(objects.find("refs/"))


def test_a_base_that_is_gone_is_damage(tmp_path: Path, objects: Meddled) -> None:
    """It is told, and not taken for an empty replica."""
    first = first_machine(tmp_path / "a", objects)
    first.push()
    shrink(first)
    [only] = objects.find("refs/")
    objects.delete(only.key)
    second = next_machine(tmp_path / "b", first)
    with pytest.raises(Integrity, match="lost"):
        second.pull()
    with first.open() as repository:
        assert not check(repository.layout, QuickFiles(), objects).ok
