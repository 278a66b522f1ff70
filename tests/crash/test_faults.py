"""One step fails, or the user interrupts it, and the same process goes on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from jupyter_rewind.errors import Storage
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.repository import Repository
from tests.crash.scenarios import noise
from tests.support.faults import FAULTS, FaultyFiles
from tests.support.scenario import Run, true_to

pytestmark = pytest.mark.crash
_FAILURES = (Storage, KeyboardInterrupt)


def _go_on(run: Run) -> None:
    """Two writers; each commit is tried, and tried again when it fails."""
    first = noise(1, 300)
    with run.open() as one, run.open() as two:
        for number in range(2):
            for repository in (one, two):
                contents = [first, noise(2 + number, 400), noise(90 + number, 5000)]
                for _ in range(3):
                    with suppress(*_FAILURES):
                        run.save(repository, *contents)
                        break
                true_to(two, run.ledger)
                true_to(one, run.ledger)
        one.end_segment()
        with suppress(*_FAILURES):
            run.save(one, first)
        true_to(two, run.ledger)


def _rebuilt(run: Run) -> None:
    with Repository.open(
        run.root / "store", key_folder=run.root / "keys", index_path=run.root / "none" / "index"
    ) as repository:
        true_to(repository, run.ledger)


def _steps(tmp_path: Path, durability: str) -> int:
    files = FaultyFiles()
    _go_on(Run(tmp_path / "count", files, durability=durability))
    return files.count


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is such a place: nothing here needs a disk."""
    place = Path("/dev/shm")
    if not place.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="rewind-faults-", dir=place) as folder:
        yield Path(folder)


@pytest.mark.parametrize("durability", ["power", "process"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_step_that_fails_costs_no_commit_before_or_after(
    fault: str, durability: str, quick_folder: Path
) -> None:
    """After an error or an interrupt the store goes on, and holds all that it acknowledged."""
    for at in range(_steps(quick_folder, durability)):
        folder = quick_folder / f"{at}"
        (folder / "work").mkdir(parents=True)
        run = Run(folder / "work", FaultyFiles(at, fault), durability=durability)
        try:
            _go_on(run)
        except _FAILURES:
            # The store itself could not be made, or closed.
            run.files = Files()
            _go_on(run)
        try:
            _rebuilt(run)
        except AssertionError as error:
            raise AssertionError(f"step {at}: {error}") from error
