"""What is done to a store while the power may fail. Each takes a run and leaves marks in it."""

from __future__ import annotations

import random
from pathlib import Path

from tests.support.recording import RecordingFiles
from tests.support.scenario import Run


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def make_and_save(run: Run) -> None:
    """A store is made, three small commits, closed, opened again, one more."""
    with run.open() as repository:
        run.save(repository, b"first")
        run.save(repository, b"second " * 50, noise(1, 700))
        run.save(repository)
    with run.open() as repository:
        run.save(repository, noise(2, 1200), b"first")


def two_writers(run: Run) -> None:
    """A second writer names what the first has written and not yet synced."""
    with run.open() as one, run.open() as two:
        run.save(one, noise(20, 800))
        run.save(two, b"of the second", noise(20, 800))
        fresh = noise(3, 900)
        files = run.files
        if isinstance(files, RecordingFiles):
            files.before_sync = lambda _: run.save(two, fresh) and None
        run.save(one, fresh)
        run.save(one, b"and on")
        run.save(two, fresh, b"and on")


def many_flushes(run: Run) -> None:
    """Commits larger than what is staged in memory, and one that is given up half way."""
    with run.open() as repository:
        run.save(repository, noise(4, 300))
        run.save(repository, *(noise(10 + n, 3000) for n in range(8)))
        try:
            with repository.transaction() as tx:
                for n in range(8):
                    tx.put(noise(30 + n, 3000))
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass
        run.save(repository, noise(5, 200))
        run.save(repository, noise(30, 3000), noise(33, 3000))


def expire_and_rotate(run: Run) -> None:
    """Entries expire, and the writer goes on to another segment."""
    with run.open() as repository:
        first = run.save(repository, noise(6, 500))
        second = run.save(repository, noise(7, 500))
        run.expire(repository, first)
        repository.end_segment()
        run.save(repository, noise(6, 500), noise(8, 300))
        run.expire(repository, second)


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (make_and_save, two_writers, many_flushes, expire_and_rotate)
}


def replace_notebook(run: Run) -> None:
    """A notebook of the user's is replaced three times."""
    path = run.root / "notebook.ipynb"
    for number in range(3):
        run.files.replace_file(path, notebook(number))
        if isinstance(run.files, RecordingFiles):
            run.files.mark(("replaced", number))


def notebook(number: int) -> bytes:
    return b"{" + noise(100 + number, 1500 + 400 * number) + b"}"


def check_notebook(folder: Path, told: list[tuple[str, int]]) -> None:
    """The notebook holds what was last acknowledged or what came after, whole; never a mixture."""
    least = told[-1][1] if told else -1
    path = folder / "notebook.ipynb"
    if not path.exists():
        assert least < 0, "the notebook is gone"
        return
    data = path.read_bytes()
    assert data in [notebook(number) for number in range(max(least, 0), 3)], "a torn notebook"
