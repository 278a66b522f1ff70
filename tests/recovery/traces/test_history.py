"""IPython's history as a trace: real kernels of three IPythons, killed; files moved and damaged."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import struct
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from jupyter_rewind.recovery.evidence import Evidence, FoundRun, Scope, Trace
from jupyter_rewind.recovery.traces.connections import ConnectionFinder
from jupyter_rewind.recovery.traces.history import HistoryFinder
from tests.support.histories import SCHEMA, make_history
from tests.support.interpreters import ipython_environment
from tests.support.ipythons import running_kernel, wait_until
from tests.support.processes import anybodys_folder, run_unprivileged
from tests.support.traces import Home, look_with, traces_of

CELLS = ["import math", "x = math.pi", "def area(r):\n    return x * r * r\n", "%time area(2)", "x"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def read(home: Home, **more: object) -> tuple[Trace, Evidence]:
    """The one history of the home, read."""
    scope = home.scope(**more)
    [trace] = traces_of(HistoryFinder(), scope)
    return trace, HistoryFinder().read(trace, scope)


def sources_of(run: FoundRun) -> list[str]:
    return [one.source for one in run.executions]


def default(home: Home) -> Path:
    return home.path / ".ipython" / "profile_default" / "history.sqlite"


@pytest.mark.slow
@pytest.mark.parametrize("major", ["7", "8", "9"])
def test_cells_of_a_killed_kernel_come_back_as_typed(home: Home, major: str) -> None:
    """Whatever IPython you use, a killed kernel's cells are there, magics as you wrote them."""
    notebook = home.work / "analysis.ipynb"
    with running_kernel(ipython_environment(major), home.path, notebook=notebook) as kernel:
        assert kernel.ipython.startswith(f"{major}.")
        for cell in CELLS:
            kernel.run(cell)
        wait_until(lambda: _stored(default(home)) >= len(CELLS))
        kernel.kill()
    _, evidence = read(home)
    assert not evidence.problems
    [run] = evidence.runs
    assert sources_of(run) == [cell.rstrip("\n") for cell in CELLS]
    assert [one.line for one in run.executions] == [1, 2, 3, 4, 5]
    assert run.started_ns is not None
    kernels = [
        kernel
        for trace in traces_of(ConnectionFinder(), home.scope())
        for kernel in ConnectionFinder().read(trace, home.scope()).kernels
    ]
    # The kernels that go with IPython 7 write the file anew, without the notebook.
    assert len(kernels) == (0 if major == "7" else 1)
    for kernel_found in kernels:
        assert kernel_found.notebook == str(notebook)
        assert kernel_found.started_ns is not None
        assert abs(run.started_ns - kernel_found.started_ns) < 120e9


def _stored(path: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return int(database.execute("SELECT count(*) FROM history").fetchone()[0])
    except sqlite3.Error:
        return 0


@pytest.mark.slow
def test_kill_in_the_middle_of_writing_loses_nothing_of_either_state(home: Home) -> None:
    """A kernel killed while it writes leaves half a change; both sides of it are read."""
    seen_journal = False
    for attempt in range(12):
        with running_kernel(sys.executable, home.path) as kernel:
            for number in range(60):
                kernel.submit(f"value_{attempt}_{number} = {number}")
            wait_until(
                lambda a=attempt: _stored(default(home)) >= 60 * a + 1 or _hot(default(home))
            )
            kernel.kill()
        seen_journal |= _hot(default(home))
        trace, evidence = read(home)
        assert seen_journal is False or trace.problem or not _hot(default(home))
        found = {one.source for run in evidence.runs for one in run.executions}
        assert _visible(default(home), home.path / "check") <= found
        if _hot(default(home)):
            break


def _hot(path: Path) -> bool:
    journal = Path(f"{path}-journal")
    return journal.exists() and journal.stat().st_size > 0


def _visible(path: Path, aside: Path) -> set[str]:
    """What SQLite shows of a copy, with its journal."""
    aside.mkdir(exist_ok=True)
    for suffix in ("", "-journal"):
        source, target = Path(f"{path}{suffix}"), aside / f"seen.sqlite{suffix}"
        target.unlink(missing_ok=True)
        if source.exists():
            target.write_bytes(source.read_bytes())
    with closing(sqlite3.connect(aside / "seen.sqlite")) as database:
        return {row[0] for row in database.execute("SELECT source_raw FROM history")}


HALF_DONE = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("PRAGMA cache_size = 1")
database.execute("PRAGMA cache_spill = 1")
for line in range(2, 60):
    source = f"late_{line} = " + "1 + " * 400 + "1"
    database.execute("INSERT INTO history VALUES (1, ?, ?, ?)", (line, source, source))
print("ready", flush=True)
sys.stdin.read()
"""


def test_hot_journal_gives_the_state_before_and_what_was_being_written(home: Home) -> None:
    """An unfinished write is read both ways: as recovery would leave it, and as it lies there."""
    path = default(home)
    make_history(path, [["early = 1"]])
    child = subprocess.Popen(
        [sys.executable, "-c", HALF_DONE, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert child.stdin is not None
    child.stdin.close()
    assert _hot(path)
    assert _visible(path, home.path / "check") == {"early = 1"}
    trace, evidence = read(home)
    found = {one.source.split(" = ")[0] for run in evidence.runs for one in run.executions}
    assert "early" in found
    assert "late_2" in found
    assert trace.problem is not None
    assert "journal" in trace.problem


def test_journal_whose_head_is_garbage_costs_nothing(home: Home) -> None:
    """A journal that would blow the database up to terabytes is taken for none."""
    path = default(home)
    make_history(path, [["early = 1"]])
    head = bytes.fromhex("d9d505f920a163d7") + struct.pack(">5I", 3, 1, 0x7FFFFFFF, 512, 4096)
    Path(f"{path}-journal").write_bytes(head + bytes(9000))
    _, evidence = read(home)
    assert [sources_of(run) for run in evidence.runs] == [["early = 1"]]
    sizes = [each.stat().st_size for each in (home.path / "scratch").rglob("*.sqlite")]
    assert max(sizes) < 1 << 20


def test_rows_still_in_the_write_ahead_log_are_read(home: Home) -> None:
    """A database in WAL mode is read with its log."""
    path = default(home)
    make_history(path, [["early = 1"]])
    writer = sqlite3.connect(path)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("INSERT INTO history VALUES (1, 2, 'late = 2', 'late = 2')")
    writer.commit()
    try:
        _, evidence = read(home)
        assert sources_of(evidence.runs[0]) == ["early = 1", "late = 2"]
    finally:
        writer.close()


def test_database_that_a_program_has_locked_is_read_and_left_alone(home: Home) -> None:
    """Your history is copied, never opened: no lock, no byte and no file beside it changes."""
    path = default(home)
    make_history(path, [["a = 1", "b = 2"]])
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    before = _fingerprint(path.parent)
    _, evidence = read(home)
    assert sources_of(evidence.runs[0]) == ["a = 1", "b = 2"]
    assert _fingerprint(path.parent) == before
    holder.execute("INSERT INTO history VALUES (1, 3, 'c', 'c')")
    holder.execute("COMMIT")
    holder.close()


def _fingerprint(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.iterdir()
    }


def test_histories_are_found_wherever_ipython_keeps_them(home: Home) -> None:
    """Every profile, IPYTHONDIR, a moved file, and those IPython set aside are all looked at."""
    profile = home.path / ".ipython" / "profile_default"
    other = home.path / "elsewhere" / "profile_lab"
    moved = home.path / "moved" / "cells.db"
    wanted = [
        profile / "history.sqlite",
        profile / "history-corrupt-2026-01-02T03.04.05.sqlite",
        profile / "history.sqlite.2",
        home.path / ".ipython" / "profile_r" / "history.sqlite",
        other / "history.sqlite",
        moved,
    ]
    for number, path in enumerate(wanted):
        make_history(path, [[f"cell_{number} = 1"]])
    config = f"c = get_config()\nc.HistoryManager.hist_file = '{moved}'\n"
    (profile / "ipython_config.py").write_text(config)
    environ = {"IPYTHONDIR": str(home.path / "elsewhere")}
    traces = traces_of(HistoryFinder(), home.scope(environ=environ))
    assert {trace.place for trace in traces} == {str(path) for path in wanted}


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
@pytest.mark.slow
def test_history_that_a_running_kernel_keeps_elsewhere_is_found(home: Home) -> None:
    """A history moved by an option of the kernel is found while the kernel runs."""
    moved = home.path / "moved" / "my_history.sqlite"
    moved.parent.mkdir()
    option = f"--HistoryManager.hist_file={moved}"
    with running_kernel(sys.executable, home.path, arguments=(option,)) as kernel:
        kernel.run("x = 1")
        wait_until(lambda: _stored(moved) == 1)
        [trace] = traces_of(HistoryFinder(), home.scope())
        assert trace.place == str(moved)
        evidence = HistoryFinder().read(trace, home.scope())
    assert [sources_of(run) for run in evidence.runs] == [["x = 1"]]


def test_profile_that_may_not_be_read_costs_itself_alone() -> None:
    """A profile closed to you is told; the other profiles are read."""
    with anybodys_folder() as folder:
        home = Home(folder / "home")
        make_history(default(home), [["a = 1"]])
        closed = home.path / ".ipython" / "profile_closed"
        closed.mkdir(mode=0o000)

        def look() -> None:
            traces, problems = look_with(HistoryFinder(), home.scope())
            assert [trace.place for trace in traces] == [str(default(home))]
            assert [problem.place for problem in problems] == [str(closed)]

        run_unprivileged(look)


def test_named_history_comes_first_and_is_read_once(home: Home) -> None:
    """A file you name with --history is read, also outside IPython's folders, and not twice."""
    make_history(default(home), [["a = 1"]])
    extra = home.path / "usb" / "old.db"
    make_history(extra, [["b = 1"]])
    scope = home.scope(histories=(extra, default(home)))
    assert [trace.place for trace in traces_of(HistoryFinder(), scope)] == [
        str(extra),
        str(default(home)),
    ]


def test_table_named_session_by_old_recipes_is_read(home: Home) -> None:
    """Databases whose table is called `session` are understood too."""
    path = default(home)
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(SCHEMA.replace("CREATE TABLE sessions", "CREATE TABLE session"))
        start = "2019-05-06 07:08:09.000001"
        database.execute("INSERT INTO session VALUES (1, ?, NULL, 1, 'thesis')", (start,))
        database.execute("INSERT INTO history VALUES (1, 1, 'a = 1', 'a = 1')")
    _, evidence = read(home)
    [run] = evidence.runs
    assert run.remark == "thesis"
    assert run.started_ns is not None


def test_text_outputs_are_told_where_ipython_kept_them(home: Home) -> None:
    """With IPython's output cache on, the text of a value comes back with its cell."""
    path = default(home)
    make_history(path, [["6 * 7"]])
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("INSERT INTO output_history VALUES (1, 1, '42')")
    _, evidence = read(home)
    assert evidence.runs[0].executions[0].text_output == "42"


def test_only_the_sessions_asked_for_are_given(home: Home) -> None:
    """--session and --until keep other sessions out."""
    make_history(default(home), [["a = 1"], ["b = 1"], ["c = 1"]])
    _, evidence = read(home, sessions=(2,))
    assert [run.session for run in evidence.runs] == [2]
    _, evidence = read(home, until_ns=evidence.runs[0].started_ns)
    assert [run.session for run in evidence.runs] == [1, 2]


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 400, b"\0" * 9000])
def test_file_that_is_no_database_is_a_problem_in_words(home: Home, content: bytes) -> None:
    """A history that holds nothing says so; it isn't silently passed over."""
    path = default(home)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    _, evidence = read(home)
    assert evidence.runs == ()
    assert evidence.problems


def test_other_database_is_told_to_be_no_history(home: Home) -> None:
    """A database without IPython's tables is named as such."""
    path = default(home)
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE accounts (name text)")
    _, evidence = read(home)
    assert "no history" in evidence.problems[0].words


@pytest.mark.slow
def test_database_that_ipython_set_aside_is_found_and_read(home: Home) -> None:
    """IPython renames a history that it cannot read; its cells come back all the same."""
    path = default(home)
    cells = [[f"number_{session}_{line} = {line}" for line in range(80)] for session in range(6)]
    wanted = make_history(path, cells)
    raw = bytearray(path.read_bytes())
    raw[:100] = os.urandom(100)
    path.write_bytes(raw)
    with running_kernel(sys.executable, home.path) as kernel:
        kernel.run("after = 1")
        wait_until(lambda: _stored(path) == 1)
    scope: Scope = home.scope()
    traces, problems = look_with(HistoryFinder(), scope)
    assert not problems
    assert len(traces) == 2
    [aside] = [trace for trace in traces if "corrupt" in trace.place]
    evidence = HistoryFinder().read(aside, scope)
    found = {(run.session, one.line): one.source for run in evidence.runs for one in run.executions}
    assert found == wanted
    assert evidence.problems
