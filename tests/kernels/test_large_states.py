"""Large states: safe from a kill when the cell has ended, small and alone soon after."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import Unavailable
from jupyter_rewind.kernels.records import SNAPSHOT, decode_snapshot
from jupyter_rewind.model.snapshot import Snapshot
from jupyter_rewind.store.collect import collect
from jupyter_rewind.store.locks import Barrier
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.upkeep import verify
from tests.support.cells import Cells

MAKE = """
import numpy as np
def make(mb, seed):
    noise = np.random.default_rng(seed).random(mb << 16)
    return {'noise': noise, 'steps': np.arange(mb << 15), 'same': noise[5:], 'rows': [[seed]] * mb}
"""
CHECK = """
want = make({mb}, {seed})
assert all(np.array_equal(want[k], x[k]) for k in want if k != 'rows') and x['rows'] == want['rows']
assert np.shares_memory(x['same'], x['noise']) and x['rows'][0] is x['rows'][-1] and y == {seed}
"""


def newest(cells: Cells) -> Snapshot:
    cells.store.refresh()
    found = cells.store.entries(kind=SNAPSHOT, newest_first=True)
    return decode_snapshot(found[0], cells.store.layout)


def run_and_die(folder: Path, mb: int, wait: float) -> None:
    """Runs three cells, and is killed when the last has ended, or a moment later."""
    cells = Cells(folder)
    cells.try_run(MAKE)
    cells.try_run(f"x = make({mb}, 1); y = 1")
    cells.try_run(f"x = make({mb}, 2); y = 2")
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    signal.setitimer(signal.ITIMER_REAL, wait) if wait else os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


@pytest.mark.crash
@pytest.mark.parametrize(
    ("mb", "wait"), [(1, 0), (3, 0), (9, 0), (60, 0), (60, 0.05), (60, 0.3), (120, 0)]
)
def test_a_state_of_any_size_survives_a_kill_right_after_its_cell(
    tmp_path: Path, mb: int, wait: float
) -> None:
    """The kernel is killed the moment its cell has ended, or while the state is compressed: the
    state is there, exact."""
    child = multiprocessing.get_context("spawn").Process(
        target=run_and_die, args=(tmp_path, mb, wait)
    )
    child.start()
    child.join(240)
    assert child.exitcode == -signal.SIGKILL
    cells = Cells(tmp_path, run="next")
    state = newest(cells)
    cells.go(state)
    exec(CHECK.format(mb=mb, seed=2), cells.namespace)
    cells.close()
    with Repository.open(tmp_path / "store", key_folder=tmp_path / "keys") as repository:
        assert verify(repository, read_data=True).ok
        collect(repository)
        assert verify(repository, read_data=True).ok
    cells = Cells(tmp_path, run="last")
    cells.go(state)
    exec(CHECK.format(mb=mb, seed=2), cells.namespace)
    cells.close()


def test_what_was_put_aside_goes(tmp_path: Path) -> None:
    """A large state takes no more of the disk than one that was compressed at once."""
    cells = Cells(tmp_path)
    cells.run("import numpy as np; x = np.arange(4_000_000)")
    first = newest(cells)
    cells.run("x[5] = 7")
    cells.run("y = np.zeros(3_000_000)")
    last = newest(cells)
    cells.capturer.keeper.settle()
    cells.close()
    with Repository.open(tmp_path / "store", key_folder=tmp_path / "keys") as repository:
        assert verify(repository, read_data=True).ok
    files = [one.stat().st_size for one in (tmp_path / "store" / "segments").iterdir()]
    assert len(files) == 1
    assert sum(files) < 12 << 20
    again = Cells(tmp_path, run="next")
    again.go(first)
    again.check("x[5] == 5 and x[-1] == 3_999_999 and 'y' not in globals()")
    again.go(last)
    again.check("x[5] == 7 and len(y) == 3_000_000")
    again.close()


def hold(folder: Path, taken: object, let_go: object) -> None:
    with Barrier(folder / "store" / "locks" / "collect").held(exclusive=True):
        taken.set()  # type: ignore[attr-defined]
        let_go.wait(240)  # type: ignore[attr-defined]


def test_a_store_that_takes_nothing_is_asked_more_and_more_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its disk is away, say, which it tells at once: the kernel has better things to do. In
    the end the state is there."""
    cells = Cells(tmp_path)
    cells.run("x = 0")
    store = cells.capturer.keeper.store
    taking, asked = store.block, []

    @contextmanager
    def block(**options: Any) -> Iterator[Any]:
        asked.append(clock.monotonic())
        if len(asked) <= 4:
            raise Unavailable("It is away.", retryable=True)
        with taking(**options) as found:
            yield found

    monkeypatch.setattr(store, "block", block)
    late = cells.try_run("x = [1]")
    assert late.late_because == "It is away."
    cells.capturer.keeper.flush()
    rests = [after - before for before, after in itertools.pairwise(asked[1:])]
    assert all(rest >= least for rest, least in zip(rests, (0.05, 0.1, 0.2), strict=True))
    assert late.snapshot is not None
    cells.close()


@pytest.mark.parametrize("make", ["x = [1]", "x = bytearray(9_000_000)"])
def test_a_cell_never_waits_for_a_collect(tmp_path: Path, make: str) -> None:
    """While somebody removes bytes from the store my cells go on; their states follow, in order,
    and say why they are late."""
    cells = Cells(tmp_path)
    cells.run("x = 0")
    context = multiprocessing.get_context("spawn")
    taken, let_go = context.Event(), context.Event()
    assert cells.store.layout.barrier == tmp_path / "store" / "locks" / "collect"
    other = context.Process(target=hold, args=(tmp_path, taken, let_go))
    other.start()
    assert taken.wait(240)
    late = [cells.try_run(make), cells.try_run("y = 2"), cells.try_run("x = [5]")]
    assert all(one.late_because and not one.job.done.is_set() for one in late)  # type: ignore[union-attr]
    let_go.set()
    other.join(240)
    first, *_, last = [one.snapshot for one in late]
    assert first is not None and last is not None and not cells.try_run("z = 1").late_because
    cells.go(first)
    cells.check("'y' not in globals() and x")
    cells.go(last)
    cells.check("x == [5] and y == 2")
    cells.close()
