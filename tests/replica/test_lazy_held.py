"""What a lazy pull has left in a replica, and the replica has no more: nothing that is here is
removed or called expired, what is whole is pushed, and no machine gets what it cannot read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from jupyter_rewind.errors import Conflict, Integrity, Unavailable
from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.notebooks.contents import read_bytes
from jupyter_rewind.notebooks.drafts import Drafts, claim_of
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.notebooks.search import search
from jupyter_rewind.replication import mending_command
from jupyter_rewind.store.collect import collect
from jupyter_rewind.store.partial import read_partial
from jupyter_rewind.store.replica import arrival, filling, forwarding
from jupyter_rewind.store.replica.cloud import CloudObjects
from jupyter_rewind.store.replica.collecting import collect_replica
from jupyter_rewind.store.replica.forwarding import State
from jupyter_rewind.store.replica.holding import HELD
from jupyter_rewind.store.replica.ledger import Ledger
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.opening import require_store
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.salvage import salvage
from jupyter_rewind.store.verify import verify
from tests.support.forwarders import DEADLINE_SECONDS, Running
from tests.support.replicas import (
    Line,
    Machine,
    fresh,
    holds,
    lead_through,
    next_machine,
    with_contents,
)
from tests.support.stores import QuickFiles, noise


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    line = Line(CloudObjects(MemoryStore(), "memory"))
    lead_through(line, monkeypatch)
    return line


def expire_there(machine: Machine, name: EntryId) -> None:
    """The machine lets it expire, and the replica has nothing of it any more."""
    with machine.open() as repository:
        with repository.transaction(exclusive=True) as tx:
            tx.expire([name])
        collect(repository, must=[p.name for p in repository.layout.segments.iterdir()])
        collect_replica(repository, machine.objects, machine.url)
    if name in machine.filled.bodies:
        machine.filled.forget(name)


def build_on(repository: Repository, old: EntryId) -> tuple[EntryId, EntryId]:
    """An entry that names an older state, with words of its own; and one that stands alone."""
    roots = repository.entry(old).roots
    with repository.transaction() as tx:
        own = tx.put(b"my own words " * 2000)
        mine = tx.add("note", keys=["k"], body={"path": "a.ipynb"}, roots=[*roots, *own])
    repository.end_segment()
    with repository.transaction() as tx:
        alone = tx.add("note", keys=["l"], body={}, roots=tx.put(b"alone " * 2000))
    return mine.id, alone.id


def files_of(machine: Machine) -> set[str]:
    return {path.name for path in (machine.store / "segments").iterdir()}


@pytest.mark.parametrize("is_written", [False, True])
def test_own_work_on_what_another_machine_collected_stays(
    tmp_path: Path, line: Line, is_written: bool
) -> None:
    """An older state was built on while the replica was out of reach, and the other machine lets
    it expire: no push removes anything, each says what is held back, the rest goes, and no other
    machine sees damage; also while the writer is at it."""
    first, second = fresh(tmp_path, line)
    old = next(iter(first.filled.bodies))
    line.cut()
    repository = second.open()
    mine, alone = build_on(repository, old)
    line.mend()
    if not is_written:
        repository.close()
    expire_there(first, old)
    before = files_of(second)
    for _ in range(3):
        with pytest.raises(Unavailable, match="held back from memory: .*a.ipynb") as told:
            second.push()
        assert told.value.code == HELD and "expired" not in str(told.value)
        assert "Nothing was removed" in told.value.hint
        assert before <= files_of(second)
    repository.close()
    with second.open() as repository:
        assert {mine, alone} < {entry.id for entry in repository.entries()}
        own = repository.entry(mine).roots[1:]
        assert repository.get_blob(own) == b"my own words " * 2000
    third = next_machine(tmp_path / "third", first)
    for machine in (first, third):
        machine.pull()
        with machine.open() as repository:
            assert verify(repository, read_data=True).ok
            found = {entry.id for entry in repository.entries()}
            assert alone in found and mine not in found


def test_a_server_that_is_held_back_brings_the_rest(
    tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is gone from the replica keeps a server from nothing else: all that is there still
    comes."""
    monkeypatch.setattr(forwarding, "LONGEST_PAUSE_SECONDS", 0.05)
    first, second = fresh(tmp_path, line)
    old, *rest = first.filled.bodies
    line.cut()
    with second.open() as repository:
        build_on(repository, old)
    line.mend()
    expire_there(first, old)
    with first.open() as repository:
        rest.append(first.filled.add(repository, parts=[noise("later", 900_000)]))
    first.push()
    second.pull(lazy=True)
    running = Running(second)
    running.forwarder.start()
    try:
        running.until(lambda: running.account.state is State.FAILING)
        running.until(lambda: all(second_reads(first, second, name) for name in rest))
    finally:
        running.forwarder.end()
        assert running.forwarder.join(DEADLINE_SECONDS)
    assert running.account.error is not None and running.account.error.code == HELD


def second_reads(first: Machine, second: Machine, name: EntryId) -> bool:
    """Whether the other machine has all of it, without asking the replica."""
    with second.open() as repository:
        links = first.filled.links[name]
        return len(repository.known(links)) == len(set(links))


def test_the_way_out_that_is_told_helps(tmp_path: Path, line: Line) -> None:
    """Where contents are lost for good, a salvage names them and keeps the rest; then all of that
    is pushed."""
    first, second = fresh(tmp_path, line)
    old = next(iter(first.filled.bodies))
    line.cut()
    with second.open() as repository:
        _, alone = build_on(repository, old)
    line.mend()
    expire_there(first, old)
    with pytest.raises(Unavailable) as told:
        second.push()
    assert mending_command(told.value, second.url) == "jupyter rewind replica pull"
    assert "`jupyter rewind salvage --without-replicas`" in told.value.hint
    with second.open() as repository:
        filling.fill(repository.layout, repository.files, line)
    keys = second.filled.folder / "keys"
    assert not salvage(second.store, key_folder=keys, files=QuickFiles()).lost
    report = salvage(second.store, key_folder=keys, files=QuickFiles(), without_replicas=True)
    assert report.lost and not (second.store / "partial").exists()
    second.push()
    with second.open() as repository:
        assert alone in {entry.id for entry in repository.entries()}
        assert all(first.filled.reads(repository, name) for name in first.filled.bodies)


def test_an_emptied_replica_is_no_word_that_anything_expired(tmp_path: Path, line: Line) -> None:
    """A folder that is not mounted, or a bucket put back to nothing: histories stay as they are;
    with the replica back all is read."""
    first, second = fresh(tmp_path, line)
    kept = line.objects
    line.objects = CloudObjects(MemoryStore(), "memory")
    with second.open() as repository:
        mine = second.filled.add(repository, parts=[b"mine"])
    with pytest.raises(Unavailable) as told:
        second.push()
    assert told.value.code == HELD
    with second.open() as repository:
        assert {e.id for e in repository.entries()} == {mine, *first.filled.bodies}
        assert len(read_partial(repository.layout)) == 3
    line.objects = kept
    second.push()
    with second.open() as repository:
        filling.fill(repository.layout, repository.files, line)
    assert holds(second, first, second)


@pytest.mark.parametrize("way", ["emptied", "cut"])
def test_another_replica_gets_what_is_whole_without_the_old_one(
    tmp_path: Path, line: Line, way: str
) -> None:
    """Where the replica that has contents is gone or does not answer, a new one gets all that can
    do without them."""
    first, second = fresh(tmp_path, line)
    with second.open() as repository:
        mine = second.filled.add(repository, parts=[b"mine"])
    kept: Objects = line.objects
    if way == "cut":
        line.cut()
    else:
        line.objects = CloudObjects(MemoryStore(), "memory")
    second.objects, second.url = CloudObjects(MemoryStore(), "other"), "test://other"
    with pytest.raises(Unavailable, match="3 segments .* held back from other"):
        second.push()
    third = next_machine(tmp_path / "third", second)
    third.pull()
    with third.open() as repository:
        assert {entry.id for entry in repository.entries()} == {mine}
        assert second.filled.reads(repository, mine)
    line.mend()
    line.objects = kept
    second.push()
    third.pull()
    assert holds(third, first, second)


def test_filling_beside_a_pull_that_was_killed_forgets_nothing(
    tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lazy pull dies before it shows a segment, or what it has grown by: a server that fills
    then goes on knowing that contents of it are in the replica."""
    first, second = fresh(tmp_path, line)
    with second.open() as repository:
        filling.fill(repository.layout, repository.files, line)
    grown = first.open()
    with grown as repository:
        names = [first.filled.add(repository, parts=[noise("one", 900_000)])]
        first.push()
        second.pull()
        names.append(first.filled.add(repository, parts=[noise("two", 900_000)]))
        first.push()

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    server = second.open()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(arrival, "_show", dies)
        second.pull(lazy=True)
    assert len(read_partial(server.layout)) == 1
    filling.fill(server.layout, server.files, line)
    server.refresh()
    report = verify(server, read_data=True)
    assert report.ok, report.damages
    assert all(first.filled.reads(server, name) for name in names)
    filling.fill(server.layout, server.files, line)
    server.close()
    line.cut()
    assert holds(second, first)


def test_one_bad_pack_keeps_nothing_else_from_coming(tmp_path: Path, line: Line) -> None:
    """A filling goes on behind what the replica cannot give, and names it in the end."""
    first = with_contents(tmp_path / "first", line, count=1)
    for number in range(2):
        with first.open() as repository:
            first.filled.add(repository, parts=[noise(f"more {number}", 900_000)])
        first.push()
    second = next_machine(tmp_path / "second", first)
    second.pull(lazy=True)
    with second.open() as repository:
        layout = repository.layout
        bad, *_ = sorted(read_partial(layout))
        ledger = Ledger(layout, require_store(line, layout).replica)
        ledger.read(line)
        line.garbled = (ledger.cover(bad)[0].key,)
        with pytest.raises(Integrity):
            filling.fill(layout, repository.files, line)
        assert list(read_partial(layout)) == [bad]


def test_what_is_not_here_does_not_keep_a_search_or_a_draft_from_the_rest(
    tmp_path: Path, line: Line
) -> None:
    """A search names what it could not read beside its hits, and a draft is begun with the whole
    notebook."""
    first = with_contents(tmp_path / "first", line, count=1)
    old, new = (
        raw_notebook(f"{each} word", noise("big", 600_000).hex()) for each in ("old", "new")
    )
    with first.open() as repository:
        Histories(repository).record("a.ipynb", old, reason=Reason.SAVE)
    first.push()
    second = next_machine(tmp_path / "second", first)
    second.pull(lazy=True)
    line.cut()
    with second.open() as repository:
        histories = Histories(repository)
        with pytest.raises(Conflict) as told:
            Drafts(histories).find_base("a.ipynb", claim_of(old), new)
        assert told.value.code == "unknown_base"
        histories.record("a.ipynb", raw_notebook("my word"), reason=Reason.SAVE)
        found = search(histories, "a.ipynb", "my word")
        assert len(found.hits) == 1 and "still only in the replica" in found.problems[0]


def raw_notebook(*sources: str) -> bytes:
    cells = [
        {
            "id": f"c{at}", "cell_type": "code", "source": [source], "metadata": {}, "outputs": [],
            "execution_count": None,
        }
        for at, source in enumerate(sources)
    ]  # fmt: skip
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).encode()


def test_the_state_in_hand_is_kept_though_the_replica_has_it(tmp_path: Path, line: Line) -> None:
    """A save of the very state whose contents are not here keeps it here, with its label; whatever
    becomes of the older one."""
    first = with_contents(tmp_path / "first", line, count=1)
    raw = raw_notebook(noise("big", 600_000).hex())
    with first.open() as repository:
        old = Histories(repository).record("a.ipynb", raw, reason=Reason.SAVE).checkpoint
    first.push()
    second = next_machine(tmp_path / "second", first)
    second.pull(lazy=True)
    line.cut()
    with second.open() as repository:
        done = Histories(repository).record("a.ipynb", raw, reason=Reason.SAVE, label="important")
        assert done.created and done.checkpoint.id != old.id
        assert read_bytes(repository, done.checkpoint.manifest) == raw
        again = Histories(repository).record("a.ipynb", raw, reason=Reason.SAVE)
        assert not again.created
    line.mend()
    expire_there(first, EntryId(old.id))
    second.push()
    with second.open() as repository:
        head = Histories(repository).head("a.ipynb")
        assert head is not None and head.labels == ("important",)
        assert read_bytes(repository, head.manifest) == raw
