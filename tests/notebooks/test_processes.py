"""Several processes at one history at once: nothing is lost, and there is one history."""

from __future__ import annotations

import itertools
import multiprocessing
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.model.checkpoint import Counts, Reason
from jupyter_rewind.notebooks import recording
from jupyter_rewind.notebooks.history import Histories
from tests.notebooks.support import make_notebook, open_store

A = "/home/a/analysis.ipynb"
SCRIPT = """
import sys
from pathlib import Path
from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.notebooks.history import Histories
from tests.notebooks.support import make_notebook, open_store

with open_store(Path(sys.argv[1])) as repository:
    histories = Histories(repository)
    sys.stdin.readline()
    for number in range(int(sys.argv[3])):
        raw = make_notebook(f"{sys.argv[2]} {number}")
        made = histories.record(sys.argv[4], raw, reason=Reason.SAVE)
        print(made.checkpoint.id, flush=True)
"""


def start(store: Path, name: str, count: int, path: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(store), name, str(count), path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def test_processes_that_save_one_new_notebook_at_once_write_one_history(tmp_path: Path) -> None:
    """Whoever is first, each acknowledged checkpoint stands in the notebook's history."""
    store = tmp_path / "rewind"
    open_store(store).close()
    running = [start(store, name, 12, A) for name in ("one", "two", "three")]
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = {}
    for process, name in zip(running, ("one", "two", "three"), strict=True):
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        told.update(
            {line: make_notebook(f"{name} {number}") for number, line in enumerate(out.split())}
        )
    with open_store(store) as repository:
        histories = Histories(repository)
        found = histories.checkpoints(A)
        assert {one.id: histories.read(one) for one in found} == told
        assert len(told) == 36
        assert len(histories.all()) == 1


def test_two_that_begin_a_history_before_they_see_each_other_begin_the_same(
    histories: Histories, others: Histories
) -> None:
    with histories.repository.transaction() as mine, others.repository.transaction() as theirs:
        first = histories.bindings.name_new(A)
        histories.bindings.bind(mine, A, first, "created")
        second = others.bindings.name_new(A)
        others.bindings.bind(theirs, A, second, "created")
    assert first == second
    kept = histories.record(A, make_notebook("1"), reason=Reason.SAVE).checkpoint
    assert others.find(A) == kept.history == first
    assert others.head(A) == kept
    again = others.record(A, make_notebook("1"), reason=Reason.SAVE)
    assert not again.created


def test_a_name_given_up_begins_another_history_the_next_time(histories: Histories) -> None:
    first = histories.record(A, make_notebook("1"), reason=Reason.SAVE).checkpoint
    histories.rename(A, "/home/a/moved.ipynb")
    second = histories.record(A, make_notebook("other"), reason=Reason.SAVE).checkpoint
    histories.delete(A)
    third = histories.record(A, make_notebook("third"), reason=Reason.SAVE).checkpoint
    assert len({first.history, second.history, third.history}) == 3


def test_the_head_that_vanished_while_a_save_was_compared_with_it_costs_nothing(
    histories: Histories, others: Histories
) -> None:
    """Another process deletes the checkpoint between the look and the decision."""
    kept = histories.record(A, make_notebook("1"), reason=Reason.AUTOSAVE).checkpoint
    refresh = histories.repository.refresh

    def late() -> None:
        refresh()
        histories.repository.refresh = refresh  # type: ignore[method-assign]
        others.delete_checkpoint(kept)

    histories.repository.refresh = late  # type: ignore[method-assign]
    made = histories.record(A, make_notebook("1"), reason=Reason.MANUAL, label="kept")
    assert made.checkpoint.id in {one.id for one in others.checkpoints(A)} or made.created
    assert others.read(others.checkpoints(A)[-1]) == make_notebook("1")


def test_threads_of_one_server_keep_every_state(tmp_path: Path) -> None:
    with open_store(tmp_path / "rewind") as repository:
        histories = Histories(repository)
        errors: list[BaseException] = []

        def work(name: int) -> None:
            try:
                for number in range(10):
                    raw = make_notebook(f"{name} {number}")
                    histories.record(f"/home/a/{name % 2}.ipynb", raw, reason=Reason.SAVE)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
        assert [len(histories.checkpoints(f"/home/a/{n}.ipynb")) for n in (0, 1)] == [20, 20]


def _keep_in_child(histories: Histories) -> None:
    histories.record(A, make_notebook("child"), reason=Reason.SAVE)


def test_a_forked_child_records_too(tmp_path: Path) -> None:
    """As a kernel's child does that inherits an open store."""
    with open_store(tmp_path / "rewind") as repository:
        histories = Histories(repository)
        histories.record(A, make_notebook("parent"), reason=Reason.SAVE)
        child = multiprocessing.get_context("fork").Process(
            target=_keep_in_child, args=(histories,)
        )
        child.start()
        child.join(60)
        assert child.exitcode == 0
        histories.record(A, make_notebook("parent again"), reason=Reason.SAVE)
        states = [histories.read(one) for one in histories.checkpoints(A)]
        assert states == [make_notebook(one) for one in ("parent", "child", "parent again")]


def test_processes_that_keep_the_same_states_at_once_keep_each_once(tmp_path: Path) -> None:
    """Servers and watchers that see one save at the same moment wait for one another."""
    store = tmp_path / "rewind"
    open_store(store).close()
    running = [start(store, "state", 40, A) for _ in range(3)]
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [process.communicate(timeout=120)[0].split() for process in running]
    with open_store(store) as repository:
        histories = Histories(repository)
        found = histories.checkpoints(A)
        for one, after in itertools.pairwise(found):
            assert one.raw != after.raw
        assert {one.id for one in found} == {line for out in told for line in out}
        assert {histories.read(one) for one in found} == {
            make_notebook(f"state {number}") for number in range(40)
        }


def test_two_that_keep_the_same_state_at_once_make_one_checkpoint(
    histories: Histories, others: Histories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server's listener and `jupyter rewind watch` see the same save, and cannot wait for one
    another: there are no locks, or one of them takes too long."""
    monkeypatch.setattr(recording, "PATIENCE_SECONDS", 0.0)
    histories.record(A, make_notebook("1"), reason=Reason.SAVE)
    counted = recording.count_changes
    told = []

    def count_late(*states: Any) -> Counts:
        if not told:
            told.append(None)
            told.append(others.record(A, make_notebook("2"), reason=Reason.EXTERNAL_CHANGE))
        return counted(*states)

    monkeypatch.setattr(recording, "count_changes", count_late)
    made = histories.record(A, make_notebook("2"), reason=Reason.MANUAL, label="both")
    found = histories.checkpoints(A)
    assert len(found) == 2
    assert told[1] is not None
    assert found[-1].id == made.checkpoint.id == told[1].checkpoint.id
    assert (found[-1].reason, found[-1].labels) == (Reason.MANUAL, ("both",))
    assert not made.created
