"""Homes that do not last: each begins a branch of its own, and a year of them is read at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from obstore.store import MemoryStore

from jupyter_rewind.store.replica import collecting
from jupyter_rewind.store.replica.cloud import CloudObjects
from jupyter_rewind.store.replica.notes import notes_path, read_notes
from tests.support.forwarders import Running, is_current
from tests.support.replicas import Line, Machine, first_machine, holds, next_machine

HOMES, PUSHES = 12, 5


@pytest.fixture
def line() -> Line:
    return Line(CloudObjects(MemoryStore(), "memory"))


@pytest.fixture
def machine(tmp_path: Path, line: Line) -> Machine:
    """One whose home was lost again and again, but for what it knows by itself."""
    machine = first_machine(tmp_path / "a", line)
    machine.push()
    for _ in range(HOMES):
        with machine.open() as repository:
            notes_path(repository.layout, machine.url).unlink()
        for _ in range(PUSHES):
            machine.save()
            machine.push()
    return machine


def test_each_push_is_read_once_and_all_branches_are_listed_at_once(
    tmp_path: Path, machine: Machine, line: Line
) -> None:
    """A fresh machine asks for each push once, and a few things more, however many homes there
    were: over a network each request takes its time."""
    line.requests = 0
    fresh = next_machine(tmp_path / "b", machine)
    fresh.pull()
    assert holds(fresh, machine)
    assert line.requests <= 1 + HOMES * (PUSHES + 1) + 8


def test_a_server_says_them_again_as_one(
    tmp_path: Path, machine: Machine, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who had to read many pushes of homes that are gone collects the replica: whoever comes next
    reads one for each home, and has everything."""
    monkeypatch.setattr(collecting, "_MANY_READS", HOMES * (PUSHES - 1))
    fresh = next_machine(tmp_path / "b", machine)
    fresh.pull()
    running = Running(fresh, collect_hours=24)
    running.forwarder.start()
    try:
        running.until(lambda: is_current(running) and notes_of(fresh).collected_ns > 0)
    finally:
        running.forwarder.end()
        assert running.forwarder.join(60)
    assert notes_of(fresh).reads < HOMES
    line.requests = 0
    last = next_machine(tmp_path / "c", machine)
    last.pull()
    assert holds(last, machine)
    assert line.requests <= 2 * HOMES + 15


def notes_of(machine: Machine):  # type: ignore[no-untyped-def] # what it is, the module says
    with machine.open() as repository:
        return read_notes(repository.layout, machine.url)
