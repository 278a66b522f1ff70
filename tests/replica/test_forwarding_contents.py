"""Contents that a server brings beside the work, after histories came first."""

from __future__ import annotations

from pathlib import Path

import pytest
from obstore.store import MemoryStore

from jupyter_rewind.errors import Integrity
from jupyter_rewind.store.replica import forwarding
from jupyter_rewind.store.replica.cloud import CloudObjects
from jupyter_rewind.store.replica.forwarding import State
from jupyter_rewind.store.replica.pull import found_store
from tests.support.forwarders import DEADLINE_SECONDS, Running, counted_looks, is_current
from tests.support.replicas import Line, Machine, holds, next_machine, with_contents
from tests.support.stores import QuickFiles


def test_the_first_use_brings_histories_at_once_and_then_all_contents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server on a fresh machine shows all histories before any content comes, says how much does
    not yet, and leaves nothing in the replica alone, unless it was told to."""
    monkeypatch.setattr(forwarding, "LONGEST_PAUSE_SECONDS", 0.05)
    line = Line(CloudObjects(MemoryStore(), "memory"), garbled=("packs/",))
    first = with_contents(tmp_path / "a", line, count=2)
    second = on_a_fresh_machine(tmp_path / "b", first)
    running = Running(second)
    running.forwarder.start()
    try:
        # None comes yet.
        running.until(lambda: running.account.failures > 0)
        assert running.account.absent_bytes > 600_000
        with second.open() as repository:
            assert {entry.id for entry in repository.entries()} == set(first.filled.bodies)
        line.mend()
        running.until(lambda: is_current(running) and not running.account.absent_bytes)
    finally:
        running.forwarder.end()
        assert running.forwarder.join(DEADLINE_SECONDS)
    assert not (second.store / "partial").exists()
    line.cut()
    assert holds(second, first)


def test_a_server_that_does_not_fill_leaves_contents_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `replica.fill` off it brings no content by itself, and pushes as ever; what is asked for
    comes."""
    line = Line(CloudObjects(MemoryStore(), "memory"))
    first = with_contents(tmp_path / "a", line, count=2)
    second = on_a_fresh_machine(tmp_path / "b", first)
    running = Running(second, fills=False)
    looks = counted_looks(monkeypatch)
    running.forwarder.start()
    try:
        running.until(lambda: is_current(running))
        seen = len(looks)
        running.until(lambda: len(looks) > seen + 5)
        second.save()
    finally:
        running.forwarder.end()
        assert running.forwarder.join(DEADLINE_SECONDS)
    assert running.account.absent_bytes > 600_000
    assert not any(key.startswith("packs/") for key in line.asked)
    first.pull()
    assert holds(first, first, second)


def on_a_fresh_machine(folder: Path, other: Machine) -> Machine:
    """An empty store, as a server begins it there."""
    made = next_machine(folder, other)
    found_store(made.store, made.filled.folder / "keys", made.objects, QuickFiles())
    return made


def test_what_came_lazily_is_brought_beside_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a lazy pull a server brings contents by itself, and what is saved meanwhile is pushed
    between them."""
    monkeypatch.setattr(forwarding, "_FILL_SECONDS", 0.0)
    first = with_contents(tmp_path / "a", CloudObjects(MemoryStore(), "memory"), count=5)
    second = next_machine(tmp_path / "b", first)
    second.pull(lazy=True)
    running = Running(second)
    running.forwarder.start()
    try:
        second.save()
        running.until(lambda: not (second.store / "partial").exists())
        running.until(lambda: is_current(running) and not running.account.lag.behind_bytes)
    finally:
        running.forwarder.end()
        assert running.forwarder.join(DEADLINE_SECONDS)
    assert holds(second, first, second)
    third = next_machine(tmp_path / "c", first)
    third.pull()
    assert holds(third, first, second)


def test_a_replica_that_cannot_send_contents_gets_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where what is missing cannot be brought, that is told, and pushing goes on."""
    monkeypatch.setattr(forwarding, "LONGEST_PAUSE_SECONDS", 0.05)
    line = Line(CloudObjects(MemoryStore(), "memory"))
    first = with_contents(tmp_path / "a", line)
    second = next_machine(tmp_path / "b", first)
    second.pull(lazy=True)
    line.garbled = ("packs/",)
    running = Running(second)
    running.forwarder.start()
    try:
        assert isinstance(running.until_told(State.FAILING).error, Integrity)
        second.save()
        running.until(lambda: any(told.state is State.CURRENT for told in running.told[1:]))
        line.mend()
        running.until(lambda: not (second.store / "partial").exists())
        running.until(lambda: is_current(running))
    finally:
        running.forwarder.end()
        assert running.forwarder.join(DEADLINE_SECONDS)
    assert holds(second, first, second)
