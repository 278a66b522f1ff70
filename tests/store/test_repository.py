"""The store as its users see it, compared with a plain dict that never asks the store."""

from __future__ import annotations

import os
import random
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from jupyter_rewind import clock
from jupyter_rewind.errors import Internal, NotFound, Storage, Unavailable
from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.ids import Digest, EntryId
from jupyter_rewind.store import room, writer
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.repository import Repository
from tests.crash.scenarios import noise
from tests.support.processes import anybodys_folder, run_in_fork, run_unprivileged
from tests.support.scenario import Run, true_to
from tests.support.stores import Filled, QuickFiles


def test_content_and_entries_come_back(tmp_path: Path) -> None:
    run = Run(tmp_path, Files())
    with run.open() as repository, repository.transaction() as tx:
        blob = tx.put(noise(1, 1 << 20))
        small = tx.put(b"")
        node = tx.put_node(b"body", [*blob, *small])
        later = tx.put_node(b"body2", [node], base=node)
        entry = tx.add("kind", keys=["a:1", "b:2"], body={"ü": [1, None]}, roots=[later])
        assert len(blob) > 1
        assert tx.written_bytes > 1 << 20
    with run.open(index="other.sqlite") as repository:
        repository.refresh()
        assert repository.entries() == [entry]
        assert repository.entry(entry.id) == entry
        assert repository.get_blob(blob) == noise(1, 1 << 20)
        assert bytes(repository.get_buffer(blob)) == noise(1, 1 << 20)
        assert repository.get_blob(small) == b""
        assert repository.get_node(later).links == (node,)
        assert repository.get_node(node).links == (*blob, *small)
        assert repository.keys("a:") == ["a:1"]
        assert repository.entry_ids(entry.id[:5], kind="kind") == [entry.id]
        with pytest.raises(NotFound):
            repository.get(Digest(b"\1" * 32))
        with pytest.raises(NotFound):
            repository.entry(EntryId("0" * 16))


def test_stored_content_costs_nothing_again(tmp_path: Path) -> None:
    run = Run(tmp_path, Files())
    with run.open() as one, run.open() as two:
        run.save(one, noise(1, 300_000))
        for repository in (one, two):
            with repository.transaction() as tx:
                tx.put(noise(1, 300_000))
                assert tx.written_bytes == 0


def test_what_a_failed_block_put_was_never_there(tmp_path: Path) -> None:
    run = Run(tmp_path, Files())
    with run.open() as repository:
        with pytest.raises(ZeroDivisionError), repository.transaction() as tx:
            name = tx.put(b"never")[0]
            tx.add("note", keys=[], body={})
            raise ZeroDivisionError
        assert repository.entries() == []
        assert not repository.has(name)


def test_nothing_can_be_named_that_is_not_stored(tmp_path: Path) -> None:
    run = Run(tmp_path, Files())
    with run.open() as repository, pytest.raises(NotFound), repository.transaction() as tx:
        tx.add("note", keys=[], body={}, roots=[Digest(b"\1" * 32)])


def test_a_transaction_inside_another_is_a_fault_of_ours(tmp_path: Path) -> None:
    run = Run(tmp_path, Files())
    with run.open() as repository:
        with repository.transaction(), pytest.raises(Internal), repository.transaction():
            pass
        run.save(repository, b"still works")


def test_order_grows_also_when_the_clock_is_set_back(tmp_path: Path) -> None:
    """Entries stay in the order in which they were made, by whichever process."""
    run = Run(tmp_path, Files())
    hands = clock.FakeClock()
    with clock.use(hands), run.open() as one, run.open() as two:
        made: list[Entry] = []
        for number in range(6):
            repository = (one, two)[number % 2]
            hands.advance(-3600)
            with repository.transaction() as tx:
                made.append(tx.add("note", keys=["k"], body={"n": number}))
                made.append(tx.add("note", keys=["k"], body={"n": number}))
        one.refresh()
        assert one.entries() == made
        assert one.entries(newest_first=True, key="k", limit=3) == made[:-4:-1]
        assert one.latest(kinds=["note"], key="k") == made[-1]
        assert [e.order for e in made] == sorted({e.order for e in made})


def test_a_clock_of_another_century_writes_nothing(tmp_path: Path) -> None:
    """What no index can order would keep every process from the store, for ever."""
    run, hands = Run(tmp_path, Files()), clock.FakeClock()
    with clock.use(hands), run.open() as repository:
        first = _note(repository)
        now, hands.time_ns = hands.time_ns, 2**63 + 10**18
        with pytest.raises(Unavailable, match="2293"), repository.transaction() as tx:
            tx.add("note", keys=["k"], body={})
        hands.time_ns = now
        second = _note(repository)
    with run.open(index="other.sqlite") as repository:
        assert repository.entries() == [first, second]


def test_what_another_program_ordered_beyond_all_numbers_costs_itself_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is damage of its segment, as `verify` tells; all else is there."""
    run = Run(tmp_path, Files())
    with run.open() as repository:
        first = _note(repository)
        with monkeypatch.context() as patch:
            patch.setattr(repository._catalog, "next_order", lambda: 2**63 + 10**18)
            patch.setattr(repository._catalog, "add_own", lambda *_: None)
            lost = _note(repository)
        second = _note(repository)
    with run.open(index="other.sqlite") as repository:
        repository.refresh()
        assert lost not in repository.entries()
        assert repository.entries() == [first, second]
        assert repository.gaps()


def _note(repository: Repository) -> Entry:
    with repository.transaction() as tx:
        return tx.add("note", keys=["k"], body={})


def test_threads_write_and_read_at_once(tmp_path: Path) -> None:
    """One repository, eight threads: all that was acknowledged is there."""
    run = Run(tmp_path, QuickFiles())
    problems: list[BaseException] = []

    def work(repository: Repository, number: int) -> None:
        try:
            for turn in range(15):
                name = run.save(repository, noise(number * 100 + turn, 3000))
                assert repository.get(repository.entry(name).roots[0])
                repository.refresh()
        except BaseException as error:
            problems.append(error)

    with run.open() as one, run.open() as two:
        threads = [
            threading.Thread(target=work, args=((one, two)[number % 2], number))
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not problems
        assert len(run.ledger.acked) == 120
        true_to(one, run.ledger)
        true_to(two, run.ledger)


# --- other processes ------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_writes_beside_its_parent(tmp_path: Path) -> None:
    """Each has a segment of its own, and each sees the other's commits."""
    run = Run(tmp_path, Files())
    with run.open() as repository:
        run.save(repository, b"before")
        segment = repository.writer.segment

        def child() -> None:
            true_to(repository, run.ledger)
            run.save(repository, b"child")
            assert repository.writer.segment != segment
            true_to(repository, run.ledger)
            repository.close()

        run_in_fork(child)
        run.save(repository, b"after")
        assert repository.writer.segment == segment
        repository.refresh()
        assert len(repository.entries()) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_sees_what_its_parent_saves_later(tmp_path: Path) -> None:
    run = Run(tmp_path, Files())
    to_child, from_parent = os.pipe()
    with run.open() as repository:
        run.save(repository, b"before")
        child = os.fork()
        if child == 0:
            os.read(to_child, 1)
            repository.refresh()
            os._exit(0 if len(repository.entries()) == 2 else 1)
        run.save(repository, b"after the fork")
        os.write(from_parent, b"x")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_during_a_commit_of_another_thread_hangs_nobody(tmp_path: Path) -> None:
    """The child has none of the parent's threads, and waits for none of their locks."""
    inside, go_on = threading.Event(), threading.Event()

    class Slow(Files):
        def sync_data(self, descriptor: int, path: Path) -> None:
            if threading.current_thread() is not threading.main_thread():
                inside.set()
                go_on.wait(60)
            super().sync_data(descriptor, path)

    run = Run(tmp_path, Slow())
    with run.open() as repository:
        run.save(repository, b"before")
        thread = threading.Thread(target=run.save, args=(repository, b"slow"))
        thread.start()
        assert inside.wait(60)

        def child() -> None:
            run.save(repository, b"child")
            true_to(repository, run.ledger)

        try:
            run_in_fork(child)
        finally:
            go_on.set()
            thread.join()
        true_to_all = {entry.id for entry in _fresh(run)}
        assert run.ledger.acked <= true_to_all
        assert len(true_to_all) == 3


def _fresh(run: Run) -> list[Entry]:
    with Repository.open(
        run.root / "store", key_folder=run.root / "keys", index_path=run.root / "none" / "index"
    ) as repository:
        repository.refresh()
        return repository.entries()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_read_only_store_can_be_read_and_says_that_it_is() -> None:
    """Listing and reading work without leave to write; saving is denied in words."""
    with anybodys_folder() as folder:
        run = Run(folder, Files())
        with run.open() as repository:
            run.save(repository, b"x" * 900)
        for path in [folder, *folder.rglob("*")]:
            os.chmod(path, 0o555 if path.is_dir() else 0o444)

        def child() -> None:
            with Repository.open(folder / "store", key_folder=folder / "keys") as repository:
                true_to(repository, run.ledger)
                with pytest.raises(Storage) as caught:
                    run.save(repository, b"y")
                assert caught.value.code == "denied"
                true_to(repository, run.ledger)

        try:
            run_unprivileged(child)
        finally:
            for path in [folder, *folder.rglob("*")]:
                os.chmod(path, 0o700)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_segment_that_may_not_be_read_is_told_as_damage_and_stops_no_commit() -> None:
    with anybodys_folder() as folder:
        run = Run(folder, Files())
        with run.open() as repository:
            run.save(repository, b"x")
            segment = repository.layout.segments / repository.writer.segment
        for path in folder.rglob("*"):
            os.chmod(path, 0o777 if path.is_dir() else 0o666)
        os.chmod(segment, 0o000)

        def child() -> None:
            with Repository.open(
                folder / "store", key_folder=folder / "keys", index_path=folder / "no" / "i"
            ) as repository:
                assert repository.shut().keys() == {segment.name} == dict(repository.gaps()).keys()
                with repository.transaction() as tx:
                    tx.add("kind", keys=["key"], body={})
                assert len(repository.entries()) == 1

        run_unprivileged(child)


# --- any order of events --------------------------------------------------------------------


class AnyOrder(RuleBasedStateMachine):
    """Two writers of one store do anything in any order; a dict knows what must be there."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="rewind-any-")
        root = Path(self._folder.name) / "work"
        root.mkdir()
        self.run = Run(root, QuickFiles())
        self.open: list[Repository] = [self.run.open(), self.run.open()]

    @rule(
        which=st.integers(0, 1),
        sizes=st.lists(st.integers(0, 4000), max_size=4),
        seed=st.integers(0, 8),
    )
    def save(self, which: int, sizes: list[int], seed: int) -> None:
        contents = [random.Random(seed).randbytes(size) for size in sizes]
        self.run.save(self.open[which], *contents)

    @rule(which=st.integers(0, 1), seed=st.integers(0, 8))
    def give_up(self, which: int, seed: int) -> None:
        with pytest.raises(ZeroDivisionError), self.open[which].transaction() as tx:
            for size in (100, 3000, 9000):
                tx.put(random.Random(seed).randbytes(size))
            tx.add("note", keys=[], body={})
            raise ZeroDivisionError

    @precondition(lambda self: self.run.ledger.acked)
    @rule(which=st.integers(0, 1), data=st.data())
    def expire(self, which: int, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.run.ledger.acked)))
        self.run.expire(self.open[which], name)

    @rule(which=st.integers(0, 1))
    def reopen(self, which: int) -> None:
        self.open[which].close()
        self.open[which] = self.run.open()

    @rule(which=st.integers(0, 1))
    def end_segment(self, which: int) -> None:
        self.open[which].end_segment()

    @rule()
    def throw_the_index_away(self) -> None:
        for repository in self.open:
            repository.close()
        for path in self.run.root.parent.glob("index.sqlite*"):
            path.unlink()
        self.open = [self.run.open(), self.run.open()]

    @rule(which=st.integers(0, 1))
    def forget_the_index(self, which: int) -> None:
        with self.open[which].index() as index:
            index.clear()

    @invariant()
    def both_tell_the_truth(self) -> None:
        for repository in self.open:
            true_to(repository, self.run.ledger)

    def teardown(self) -> None:
        for repository in self.open:
            repository.close()
        self._folder.cleanup()


@pytest.fixture(autouse=True)
def small_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_STAGE", 4000)
    monkeypatch.setattr(room, "RESERVE", 1 << 14)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_keys_that_begin_with_the_last_character_there_is_are_found(tmp_path: Path) -> None:
    """As the names of files do that begin with the byte 0xFF."""
    names = ["path:/a/\U0010ffff.ipynb", "path:/a/\U0010ffff\U0010ffff", "path:/a/b"]
    with Filled(tmp_path).open() as store:
        with store.transaction() as tx:
            for name in [*names, "path:/b"]:
                tx.add("kind", keys=[name], body={})
        assert sorted(store.keys("path:/a/")) == sorted(names)
