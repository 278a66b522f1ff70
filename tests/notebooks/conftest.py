"""A real store on a temporary folder and a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.repository import Repository
from tests.notebooks.support import open_store


@pytest.fixture
def fake_clock() -> Iterator[clock.FakeClock]:
    """Time passes when a test says so."""
    with clock.use(clock.FakeClock()) as hands:
        assert isinstance(hands, clock.FakeClock)
        yield hands


@pytest.fixture
def repository(tmp_path: Path, fake_clock: clock.FakeClock) -> Iterator[Repository]:
    with open_store(tmp_path / "rewind") as opened:
        yield opened


@pytest.fixture
def histories(repository: Repository) -> Histories:
    return Histories(repository)


@pytest.fixture
def others(tmp_path: Path, repository: Repository) -> Iterator[Histories]:
    """The same store, open a second time: what another process sees and does."""
    with open_store(tmp_path / "rewind") as opened:
        yield Histories(opened)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's project folder."""
    place = tmp_path / "project"
    place.mkdir()
    return place
