"""For the moment in which an image of the process is made, keeping states takes no memory."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jupyter_rewind.faces.ipython.lightening import offer_lightening
from jupyter_rewind.kernels.keeping import Job
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.upkeep import verify
from tests.support.cells import Cells
from tests.support.kernels import eventually

LARGE = "import numpy as np; x = np.random.default_rng(1).random(500_000)"


def begin_and_pause(cells: Cells, *, breaks: int) -> Job:
    """A state that is being compressed when a pause begins."""
    keeper = cells.capturer.keeper
    with keeper.store._lock:  # it has begun and comes no further
        job = cells.try_run(LARGE).job
        assert job is not None
        job.breaks = breaks
        eventually(lambda: keeper._is_at_work, "the state is being compressed")
        pausing = threading.Thread(target=keeper.pause, args=(600,))
        pausing.start()
        eventually(lambda: keeper._pause_left() > 0, "the pause has begun")
    pausing.join()
    return job


def test_what_is_being_compressed_is_given_up_and_begun_anew(tmp_path: Path) -> None:
    """The state stays where it was put aside meanwhile; in the end it stands as it should."""
    cells = Cells(tmp_path)
    keeper = cells.capturer.keeper
    job = begin_and_pause(cells, breaks=0)
    assert job.breaks == 1 and list(keeper._jobs) == [job] and keeper._aside is not None
    assert not keeper.store._recent._held and not keeper._aside._recent._held
    state = cells.run("x[5] = 7; y = 1")
    keeper.settle()
    assert not keeper._jobs and keeper._aside is None
    cells.run("x = y = None")
    cells.go(state)
    cells.check("x[5] == 7 and len(x) == 500_000 and y == 1")
    cells.close()
    with Repository.open(tmp_path / "store", key_folder=tmp_path / "keys") as repository:
        assert verify(repository, read_data=True).ok


def test_pause_after_pause_a_state_comes_to_an_end(tmp_path: Path) -> None:
    cells = Cells(tmp_path)
    begin_and_pause(cells, breaks=2)
    eventually(lambda: not cells.capturer.keeper._jobs, "it is compressed all the same")
    cells.close()


def test_a_kernel_answers_whatever_becomes_of_it() -> None:
    """A fault of ours, or no session: the image is only larger."""
    sent: list[Any] = []
    kernel = SimpleNamespace(
        control_handlers={}, session=SimpleNamespace(send=lambda *words, **_: sent.append(words[1]))
    )

    def fail() -> None:
        raise OSError("a fault")

    for find in (lambda: None, fail):
        offer_lightening(SimpleNamespace(kernel=kernel), find)
        kernel.control_handlers["rewind_lighten_request"]("stream", b"ident", {})
    assert sent == ["rewind_lighten_reply"] * 2
    offer_lightening(SimpleNamespace(kernel=None), fail)
