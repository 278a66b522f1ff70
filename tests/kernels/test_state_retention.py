"""How long states of kernels stay."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind.kernels.archive import Archive
from jupyter_rewind.kernels.retention import choose_expired_snapshots, expire_snapshots
from jupyter_rewind.model.execution import RUN, Run, run_key
from jupyter_rewind.model.ids import Digest, ExecutionId, RunId, SnapshotId
from jupyter_rewind.model.snapshot import FidelityCounts, Snapshot
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.upkeep import collect, verify
from tests.support.cells import Cells
from tests.support.stores import QuickFiles


def a_run(number: int, path: str) -> Run:
    return Run(RunId(f"r{number}"), "k", "c", 1, "h", "b", "3.11", "python", path, number)


def a_state(run: Run, number: int, *, label: str = "") -> Snapshot:
    return Snapshot(
        SnapshotId(f"{run.id}-{number}"), run.id, ExecutionId("e"), number, run.path, number,
        number, Digest(b""), FidelityCounts(), labels=(label,) if label else (),
    )  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from("pq"), st.integers(0, 6), st.booleans()), max_size=8),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_the_newest_of_the_newest_runs_stay(
    told: list[tuple[str, int, bool]], keep_runs: int, keep_snapshots: int
) -> None:
    """Of each notebook the newest runs keep their newest states; a run that lives keeps its
    newest, and a label keeps any; choosing again takes nothing more."""
    runs = [a_run(number, path) for number, (path, _, _) in enumerate(told)]
    states = {
        run.id: [a_state(run, one, label="x" if one == 1 else "") for one in range(count)]
        for run, (_, count, _) in zip(runs, told, strict=True)
    }
    living = [run.id for run, (_, _, lives) in zip(runs, told, strict=True) if lives]

    def choose(held: dict[RunId, list[Snapshot]]) -> set[SnapshotId]:
        return set(
            choose_expired_snapshots(
                runs, held, keep_runs=keep_runs, keep_snapshots=keep_snapshots, living=living
            )
        )

    gone = choose(states)
    left = {run: [one for one in held if one.id not in gone] for run, held in states.items()}
    assert not any(one.labels for held in states.values() for one in held if one.id in gone)
    for path in "pq":
        mine = [run for run in reversed(runs) if run.path == path and states[run.id]]
        for place, run in enumerate(mine):
            newest = states[run.id][-keep_snapshots:]
            if place < keep_runs:
                assert left[run.id][-len(newest) :] == newest
            elif run.id not in living:
                assert all(one.labels for one in left[run.id])
    assert all(left[run][-1:] == states[run][-1:] for run in living)
    assert not choose(left)


def test_what_expired_frees_its_room_and_the_rest_comes_back(tmp_path: Path) -> None:
    """After expire and collect, the states that stay are whole, and the kernel goes on."""
    cells = Cells(tmp_path)
    with cells.store.block() as block:
        body = {
            "format": 1, "phase": "begin", "run": "run", "kernel": "k", "connection": "",
            "pid": 0, "host": "elsewhere", "boot": "", "python": "", "executable": "",
            "path": "/a.ipynb", "started_ns": 1,
        }  # fmt: skip
        block.add(RUN, keys=[run_key("run")], body=body)
    cells.run("import numpy as np")
    states = [cells.run(f"x = np.random.default_rng({n}).random(50_000)") for n in range(6)]
    repository = Repository.open(
        tmp_path / "store", key_folder=tmp_path / "keys", files=QuickFiles()
    )
    with repository:
        gone = expire_snapshots(repository, keep_runs=1, keep_snapshots=2)
        assert gone[-1] == states[3].id
        kept = Archive(repository).snapshots(RunId("run"))
        assert [one.id for one in kept] == [states[4].id, states[5].id]
        cells.capturer.keeper.store._writer.close()  # as where its segment has become large
        assert collect(repository).freed_bytes > 1_000_000
        next_state = cells.run("y = [x]")
        cells.go(states[4])
        cells.check("x[0] == np.random.default_rng(4).random(50_000)[0]")
        cells.go(next_state)
        cells.check("y[0] is x")
        repository.refresh()
        assert verify(repository, read_data=True).damages == ()
    cells.close()
