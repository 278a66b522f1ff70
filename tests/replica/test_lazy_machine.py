"""All that two machines with one replica may do in any order, while contents come as they are read.

The oracle is that of `test_machine`. Here every pull by hand is lazy, reading is a step of its own,
and so is bringing what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from jupyter_rewind.errors import Unavailable
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.store.partial import ABSENT, read_partial
from jupyter_rewind.store.replica import bringing, outline, packing, wholeness
from jupyter_rewind.store.replica.holding import HELD
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.replica.pull import found_store, pull
from jupyter_rewind.store.replica.wholeness import make_whole
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.verify import verify
from tests.replica.test_machine import MACHINES, URL, SharedReplica, Stopped, machine_settings
from tests.support.stores import QuickFiles


class LazyReplica(SharedReplica):
    """Machines of which each pulls histories first, and contents when it needs them."""

    @initialize(sealed=st.booleans())
    def begin(self, sealed: bool) -> None:
        self.patches = [
            mock.patch.object(packing, "INLINE_BYTES", 0),
            mock.patch.object(outline, "LEAST_BYTES", 64),
            mock.patch.object(bringing, "_REFUSED_SECONDS", 0.0),
            mock.patch.object(bringing, "open_replica", lambda url: self.objects),
            mock.patch.object(wholeness, "open_replica", lambda url: self.objects),
        ]
        for each in self.patches:
            each.start()
        super().begin(sealed)

    def teardown(self) -> None:
        for each in getattr(self, "patches", ()):
            each.stop()
        super().teardown()

    @rule(number=st.integers(0, MACHINES - 1), stop=st.none() | st.integers(0, 9))
    def pull(self, number: int, stop: int | None) -> None:
        self.objects.left = stop
        try:
            place = self.folder / str(number)
            found_store(place, self.folder / "keys", self.objects, QuickFiles())
            with self.open(number) as repository:
                pull(repository, self.objects, URL, lazy=True)
        except Stopped:
            return
        finally:
            self.objects.left = None
        self.oracles[number].must |= self.there - self.gone
        self.oracles[number].must -= self.gone

    @rule(number=st.integers(0, MACHINES - 1), stop=st.none() | st.integers(0, 6))
    def push(self, number: int, stop: int | None) -> None:
        with self.held():
            super().push(number, stop)
        self.oracles[number].must -= self.gone

    def shrink(self, number: int, stop: int | None, others: dict[int, Callable[[], None]]) -> None:
        with self.held():
            super().shrink(number, stop, others)

    @contextmanager
    def held(self) -> Iterator[None]:
        """What has expired on one machine may be gone before it is on another one."""
        try:
            yield
        except Unavailable as error:
            assert self.gone and error.code in (HELD, ABSENT), error

    @rule(number=st.integers(0, MACHINES - 1), keep=st.integers(0, 3))
    def expire_and_collect(self, number: int, keep: int) -> None:
        try:
            super().expire_and_collect(number, keep)
        except Unavailable:
            # What would have to move was collected by the other machine before it was here.
            self.pull(number, None)
            self.bring(number, None)
            with self.held():
                super().expire_and_collect(number, keep)

    @precondition(lambda self: not self.gone)
    @rule(number=st.integers(0, MACHINES - 1), is_gone=st.booleans())
    def forget(self, number: int, is_gone: bool) -> None:
        """What is known of missing contents is lost, or does not read, until the next pull. What no
        replica has any more is damage then."""
        path = self.folder / str(number) / "partial"
        if path.exists():
            path.unlink() if is_gone else path.write_bytes(b"{")
            self.pull(number, None)

    @rule(number=st.integers(0, MACHINES - 1), stop=st.none() | st.integers(0, 9))
    def bring(self, number: int, stop: int | None) -> None:
        """All that is missing comes, or as much as comes until it is killed."""
        self.objects.left = stop
        try:
            with self.open(number) as repository:
                missing = read_partial(repository.layout)
                try:
                    make_whole(repository, missing, self.objects, URL, Pace())
                except Unavailable as error:
                    assert self.gone and error.code == HELD, error
                    return
                assert not read_partial(repository.layout).keys() & {
                    path.name for path in repository.layout.segments.iterdir()
                }
        except Stopped:
            return
        finally:
            self.objects.left = None
        self.oracles[number].must -= self.gone

    @rule(number=st.integers(0, MACHINES - 1), stop=st.none() | st.integers(0, 4))
    def read(self, number: int, stop: int | None) -> None:
        """All contents read as they were put; what was collected by the other machine meanwhile
        does after a pull."""
        self.objects.left = stop
        must = self.oracles[number].must
        try:
            with self.open(number) as repository:
                self.read_all(repository, must)
        except Stopped:
            return
        except Unavailable as error:
            self.objects.left = None
            assert self.gone and "collected there" in error.message, error
            self.pull(number, None)
            self.bring(number, None)
            with self.open(number) as repository:
                self.read_all(repository, self.oracles[number].must)
        finally:
            self.objects.left = None

    def read_all(self, repository: Repository, must: set[EntryId]) -> None:
        for name in must:
            links = repository.get_node(repository.entry(name).roots[0]).links
            assert repository.get_blob(links) == self.contents[name]

    def look(self, repository: Repository, must: set[EntryId]) -> None:
        """Histories, without a look at contents: that would bring them. No damage is ever seen."""
        names = [entry.id for entry in repository.entries()]
        assert len(names) == len(set(names))
        assert not must - set(names) and set(names) <= self.contents.keys()
        for entry in repository.entries():
            repository.get_node(entry.roots[0])
        report = verify(repository, read_data=True)
        assert report.ok, report.damages


class MoreOfLazyReplica(LazyReplica):
    """The same for longer."""


LazyReplica.TestCase.settings = machine_settings(10)
MoreOfLazyReplica.TestCase.settings = machine_settings(60)
TestLazyReplica = pytest.mark.slow(pytest.mark.timeout(900)(LazyReplica.TestCase))
TestMoreOfLazyReplica = pytest.mark.long(pytest.mark.timeout(3600)(MoreOfLazyReplica.TestCase))
