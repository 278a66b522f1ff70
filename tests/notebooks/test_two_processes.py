"""Several processes keep notebooks at once: nothing that was acknowledged is lost."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.notebooks.history import Histories
from tests.notebooks.support import make_notebook, open_store

SHARED = "/home/a/shared.ipynb"
SAVES = 20


def save_at_once(folder: str, name: str, start: object, told: object) -> None:
    """One process: saves a notebook of its own and one that all save, and renames its own."""
    acknowledged: list[tuple[str, str, str]] = []
    with open_store(Path(folder)) as opened:
        histories = Histories(opened)
        own = f"/home/a/{name}.ipynb"
        start.wait()  # type: ignore[attr-defined]
        for number in range(SAVES):
            for path in (SHARED, own):
                text = f"{name} {number} {path}"
                made = histories.record(path, make_notebook(text), reason=Reason.SAVE)
                acknowledged.append((made.checkpoint.history, made.checkpoint.id, text))
            if number % 5 == 4:
                old, own = own, f"/home/a/{name}-{number}.ipynb"
                histories.rename(old, own)
    told.put((name, own, acknowledged))  # type: ignore[attr-defined]


@pytest.mark.slow
def test_processes_that_save_the_same_notebook_lose_no_checkpoint(tmp_path: Path) -> None:
    """Three of them begin the shared history at the same moment, and there is one of it."""
    context = multiprocessing.get_context("spawn")
    start, told = context.Barrier(3), context.Queue()
    folder = tmp_path / "rewind"
    with open_store(folder):
        pass
    names = ["ada", "bob", "eve"]
    workers = [
        context.Process(target=save_at_once, args=(str(folder), name, start, told))
        for name in names
    ]
    for worker in workers:
        worker.start()
    answers = [told.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
    with open_store(folder) as opened:
        histories = Histories(opened)
        for name, own, acknowledged in answers:
            for history, checkpoint, text in acknowledged:
                found = histories.get(None, checkpoint)
                assert found.history == history
                assert histories.read(found) == make_notebook(text)
            assert len(histories.checkpoints(own)) == SAVES, name
        assert len(histories.checkpoints(SHARED)) == SAVES * len(names)
        assert len(histories.all()) == 1 + len(names)
        assert histories.deleted() == []
