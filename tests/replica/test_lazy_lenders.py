"""Where contents are asked for that are not here: of any replica that has them, at its address."""

from __future__ import annotations

from pathlib import Path

import pytest
from obstore.store import MemoryStore

from jupyter_rewind.errors import Unavailable
from jupyter_rewind.store.partial import read_partial
from jupyter_rewind.store.replica import bringing
from jupyter_rewind.store.replica.cloud import CloudObjects
from jupyter_rewind.store.replica.notes import forget_address
from tests.support.replicas import URL, Line, Machine, next_machine, with_contents

OTHER = "test://other"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> dict[str, Line]:
    """The ways to two places, for whoever opens a replica by its address, too."""
    lines = {url: Line(CloudObjects(MemoryStore(), url)) for url in (URL, OTHER)}
    monkeypatch.setattr(bringing, "open_replica", lines.__getitem__)
    monkeypatch.setattr(bringing, "_REFUSED_SECONDS", 0.0)
    return lines


def at(machine: Machine, lines: dict[str, Line], url: str) -> Machine:
    """The same machine, and another replica of its store."""
    return Machine(machine.filled, lines[url], url)


def test_what_one_replica_cannot_send_comes_from_another(
    tmp_path: Path, lines: dict[str, Line]
) -> None:
    """While the first one is away, its contents are read from the second one; not from one that is
    no replica of this store any more."""
    first = with_contents(tmp_path / "first", lines[URL])
    at(first, lines, OTHER).push()
    second = next_machine(tmp_path / "second", first)
    second.pull(lazy=True)
    at(second, lines, OTHER).pull(lazy=True)
    assert set(read_partial_of(second).values()) == {URL}
    lines[URL].cut()
    name = next(iter(first.filled.bodies))
    with second.open() as repository:
        forget_address(repository.layout, OTHER, repository.files)
        with pytest.raises(Unavailable):
            first.filled.reads(repository, name)
    at(second, lines, OTHER).pull(lazy=True)
    with second.open() as repository:
        assert all(first.filled.reads(repository, each) for each in first.filled.bodies)


def test_a_replica_that_has_moved_is_asked_where_it_is(
    tmp_path: Path, lines: dict[str, Line]
) -> None:
    """Another region, another endpoint, another spelling: what is missing is asked for where the
    last pull has found the replica."""
    first = with_contents(tmp_path / "first", lines[URL])
    second = next_machine(tmp_path / "second", first)
    second.pull(lazy=True)
    lines[OTHER].objects = lines[URL].objects
    at(second, lines, OTHER).pull(lazy=True)
    assert set(read_partial_of(second).values()) == {OTHER}
    lines[URL].cut()
    with second.open() as repository:
        assert all(first.filled.reads(repository, each) for each in first.filled.bodies)


def read_partial_of(machine: Machine) -> dict[str, str]:
    with machine.open() as repository:
        return read_partial(repository.layout)
