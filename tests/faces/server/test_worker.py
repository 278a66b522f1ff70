"""The queue: order is kept for each path, waiting ends when it must, stopping is bounded."""

from __future__ import annotations

import threading
import time

import pytest

from jupyter_rewind.errors import Unavailable
from jupyter_rewind.faces.server.worker import Worker, is_touched

# Less than what jobs here wait for where nobody hastens them.
PATIENCE = 30


@pytest.fixture
def worker() -> Worker:
    return Worker("test-worker")


def test_jobs_of_one_path_run_in_order(worker: Worker) -> None:
    """Whatever is asked for first is done first."""
    done: list[int] = []
    for number in range(20):
        worker.submit(lambda number=number: done.append(number), ("/a",))
    assert worker.stop(PATIENCE) == 0
    assert done == list(range(20))


def test_a_waiting_job_lets_others_pass_but_not_its_own_path(worker: Worker) -> None:
    """A job that waits for a moment is overtaken by other paths, and never by its own."""
    done: list[str] = []
    worker.submit(lambda: done.append("waits"), ("/d/a",), delay_seconds=60)
    worker.submit(lambda: done.append("other"), ("/b",)).result(PATIENCE)
    assert done == ["other"]
    worker.submit(lambda: done.append("folder"), ("/d",)).result(PATIENCE)
    assert done == ["other", "waits", "folder"]


def test_a_waiting_job_runs_at_its_moment(worker: Worker) -> None:
    """Nobody needs to hasten it."""
    assert worker.submit(lambda: 7, ("/a",), delay_seconds=0.05).result(PATIENCE) == 7


def test_a_failure_belongs_to_its_future_alone(worker: Worker) -> None:
    """The next job runs as if nothing had happened."""
    failing = worker.submit(lambda: 1 // 0, ("/a",))
    assert worker.submit(lambda: 7, ("/a",)).result(PATIENCE) == 7
    assert isinstance(failing.exception(), ZeroDivisionError)


def test_pending_finds_the_last_job_of_a_path(worker: Worker) -> None:
    """A reader knows whom to wait for."""
    gate = threading.Event()
    worker.submit(gate.wait, ("/x",))
    job = worker.submit(lambda: None, ("/a",))
    late = worker.submit(lambda: None, ("/b",), delay_seconds=60)
    assert worker.pending("/a") is job
    assert worker.pending("/b") is late
    assert worker.pending("/b", waiting=False) is None
    gate.set()
    job.result(PATIENCE)


def test_stopping_does_all_the_work_there_is(worker: Worker) -> None:
    """Jobs that wait for a moment are done at once when the server stops."""
    done: list[int] = []
    worker.submit(lambda: done.append(1), ("/a",), delay_seconds=60)
    assert worker.stop(PATIENCE) == 0
    assert done == [1]
    assert isinstance(worker.submit(lambda: 1).exception(), Unavailable)


def test_stopping_takes_no_longer_than_allowed(worker: Worker) -> None:
    """A job that hangs does not keep the server from stopping; what is left is counted."""
    gate = threading.Event()
    worker.submit(gate.wait)
    late = worker.submit(lambda: 1)
    assert worker.stop(0.1) == 2
    assert isinstance(late.exception(), Unavailable)
    gate.set()


@pytest.mark.parametrize(
    ("path", "by", "touched"),
    [("/a", "/a", True), ("/a/b", "/a", True), ("/a", "/a/b", True), ("/ab", "/a", False)],
)
def test_folders_touch_what_lies_in_them(path: str, by: str, touched: bool) -> None:
    """A folder and a file in it touch each other; equal beginnings of names do not."""
    assert is_touched(path, by) is touched


def test_a_polite_job_makes_way_for_a_bounded_time(worker: Worker) -> None:
    """While saves are under way it waits, but not for ever; whoever asks ends the wait."""
    done: list[str] = []
    first = worker.submit(lambda: done.append("a"), ("/a",), delay_seconds=0.05, polite_seconds=0.2)
    worker.submit(lambda: done.append("b"), ("/b",), delay_seconds=60, polite_seconds=60)
    worker.make_way(60)
    first.result(PATIENCE)
    assert done == ["a"]
    worker.hasten(("/b",), only_polite=True)
    assert worker.stop(PATIENCE) == 0
    assert done == ["a", "b"]


def test_a_polite_job_goes_on_once_the_way_is_free(worker: Worker) -> None:
    """The end of a save is heard of, though its beginning woke nobody."""
    done = worker.submit(lambda: "done", ("/a",), delay_seconds=0.2, polite_seconds=60)
    worker.make_way(60)
    time.sleep(0.3)  # the worker has seen by now that it is to wait
    worker.make_way(0.05)
    assert done.result(PATIENCE) == "done"
