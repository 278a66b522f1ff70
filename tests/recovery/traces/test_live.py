"""Running kernels as traces: asked while idle, left alone while busy, unchanged by it."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.errors import Unavailable
from jupyter_rewind.recovery.evidence import Evidence, Trace
from jupyter_rewind.recovery.grep import Hit, by_definition, grep
from jupyter_rewind.recovery.kernelquestions import shows_value
from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.sameruns import merge_runs
from jupyter_rewind.recovery.traces.history import HistoryFinder
from jupyter_rewind.recovery.traces.live import LiveKernelFinder
from jupyter_rewind.recovery.traces.running import RunningFinder
from tests.support.interpreters import ipython_environment
from tests.support.ipythons import Kernel, running_kernel, wait_until
from tests.support.traces import Home, traces_of

pytestmark = pytest.mark.slow

CELLS = [
    "def area(r):\n    return 3 * r * r",
    "class Shape:\n    def area(self):\n        return 0",
    "area(2)",
    "print('shown')",
    "'<b>text</b>'",
    "x = 5",
]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def ask(home: Home, **more: Any) -> tuple[Trace, Evidence]:
    """What an idle kernel tells; on a loaded machine it may take a while to be idle."""
    found: list[tuple[Trace, Evidence]] = []

    def has_answered() -> bool:
        with contextlib.suppress(Unavailable):
            found.append(ask_once(home, **more))
        return bool(found) and bool(found[-1][1].runs)

    wait_until(has_answered)
    return found[-1]


def ask_once(home: Home, *, ask_kernels: bool = True) -> tuple[Trace, Evidence]:
    [trace] = traces_of(LiveKernelFinder(), home.scope())
    return trace, LiveKernelFinder().read(trace, home.scope(ask_kernels=ask_kernels))


@pytest.mark.parametrize("major", ["7", "8", "9"])
def test_running_kernel_tells_cells_values_and_functions(home: Home, major: str) -> None:
    """While your kernel lives, it gives back every cell it ran, in order, and what they gave."""
    notebook = home.work / "analysis.ipynb"
    with running_kernel(ipython_environment(major), home.path, notebook=notebook) as kernel:
        assert kernel.ipython.startswith(f"{major}.")
        for cell in CELLS:
            kernel.run(cell)
        _, evidence = ask(home)
        [run] = evidence.runs
        assert [each.source for each in run.executions] == CELLS
        assert [each.line for each in run.executions] == [1, 2, 3, 4, 5, 6]
        assert [each.text_output for each in run.executions] == [
            None, None, "12", None, "'<b>text</b>'", None,
        ]  # fmt: skip
        assert (run.notebook, run.certain) == (str(notebook), True)
        assert ("function", "area", CELLS[0] + "\n") in [
            (each.kind, each.name, each.source) for each in evidence.fragments
        ]
        wait_until(lambda: len(_history(home)) == len(CELLS))
        [trace] = traces_of(HistoryFinder(), home.scope())
        [kept] = HistoryFinder().read(trace, home.scope()).runs
        assert (kept.session, kept.started_ns) == (run.session, run.started_ns)


SILENT = "def silent(y):\n    return y * 3"
TWICE = "def twice(y):\n    return y * 2"


def test_function_that_no_history_has_is_found_and_kept(home: Home) -> None:
    """A function that a program ran silently in your kernel is searched, and kept beside the
    notebook; one that a cell has is told once."""
    notebook = home.work / "analysis.ipynb"
    with running_kernel(sys.executable, home.path, notebook=notebook) as kernel:
        kernel.run(TWICE)
        kernel.run(SILENT, silent=True)
        hits: list[Hit] = []

        def has_found() -> bool:
            everything = grep(home.scope(None, ask_kernels=True), by_definition("def *"))
            hits[:] = [each for each in everything if isinstance(each, Hit)]
            return any(each.words for each in hits)

        wait_until(has_found)
        assert {(each.line, each.source.rstrip(), each.words) for each in hits} == {
            (1, TWICE, ""),
            (0, SILENT, "function silent, as it lives in the kernel"),
        }
        found: list[Recovery] = []

        def has_kept() -> bool:
            # One scope asks a kernel once, and this one may have been busy.
            told = recover(home.scope(ask_kernels=True))
            found[:] = [told] if isinstance(told, Recovery) else []
            return bool(found) and bool(found[0].rebuilt.alternatives)

        wait_until(has_kept)
    rebuilt = found[0].rebuilt
    assert [each.cell.source for each in rebuilt.cells] == [TWICE]
    assert [each.source for each in rebuilt.alternatives] == [SILENT]
    assert any("(function silent)" in each for each in rebuilt.next_steps)


def _history(home: Home) -> list[str]:
    return [
        each.source
        for trace in traces_of(HistoryFinder(), home.scope())
        for run in HistoryFinder().read(trace, home.scope()).runs
        for each in run.executions
    ]


def test_values_of_all_forms_come_back_from_a_new_ipython(home: Home) -> None:
    """Tables and pictures that a cell evaluated to are given in every form the kernel kept."""
    source = "class Table:\n    def _repr_html_(self):\n        return '<table></table>'\nTable()"
    with running_kernel(sys.executable, home.path, notebook=home.work / "analysis.ipynb") as kernel:
        kernel.run(source)
        _, evidence = ask(home)
    [output] = evidence.runs[0].executions[0].outputs
    assert output["output_type"] == "execute_result"
    assert output["data"]["text/html"] == "<table></table>"
    assert output["execution_count"] == 1


def test_being_asked_changes_nothing_in_the_kernel(home: Home) -> None:
    """After the question, the kernel's names, counts, outputs and history are what they were."""
    look = (
        "(sorted(globals()), len(In), dict(Out), get_ipython().execution_count,"
        " list(get_ipython().history_manager.get_range()))"
    )
    with running_kernel(sys.executable, home.path, notebook=home.work / "analysis.ipynb") as kernel:
        for cell in CELLS:
            kernel.run(cell)
        before = _evaluate(kernel, look)
        ask(home)
        ask(home)
        assert _evaluate(kernel, look) == before


def _evaluate(kernel: Kernel, expression: str) -> Any:
    message = kernel.client.execute("", silent=True, user_expressions={"look": expression})
    while True:
        reply = kernel.client.get_shell_msg(timeout=60)
        if reply["parent_header"].get("msg_id") == message:
            return reply["content"]["user_expressions"]["look"]["data"]["text/plain"]


SPIES = """
import IPython
seen = []
for event in ("pre_execute", "post_execute", "pre_run_cell", "post_run_cell"):
    get_ipython().events.register(event, lambda *given, event=event: seen.append(event))
def exec(*given):
    seen.append("exec")
def getattr(*given):
    seen.append("getattr")
class Told(dict):
    def __repr__(self):
        seen.append("repr")
        return "told"
    def _repr_mimebundle_(self, **given):
        return {"text/plain": "told", "x/y": self}
""".strip()


@pytest.mark.parametrize("major", ["7", "8", "9"])
def test_asking_for_history_runs_nothing_of_yours(home: Home, major: str) -> None:
    """Unless you say so, no callback and no function of yours is run, and code and values come."""
    notebook = home.work / "analysis.ipynb"
    with running_kernel(ipython_environment(major), home.path, notebook=notebook) as kernel:
        for cell in (SPIES, "Told()", "6 * 7"):
            kernel.run(cell)
        # Looking is itself an execution, around which the callbacks run.
        look = "(seen.clear(), len(seen))"
        _evaluate(kernel, look)
        before = _evaluate(kernel, "list(seen)")
        wait_until(lambda: len(_history(home)) == 3)
        _, evidence = ask(home, ask_kernels=False)
        after = _evaluate(kernel, "list(seen)")
        assert (before, after) == ("['post_execute']", "['post_execute', 'post_execute']")
        [run] = evidence.runs
        assert [each.source for each in run.executions] == [SPIES, "Told()", "6 * 7"]
        assert run.executions[2].text_output == "42"
        [kept] = [
            each
            for history in traces_of(HistoryFinder(), home.scope())
            for each in HistoryFinder().read(history, home.scope()).runs
        ]
        [merged] = merge_runs([run, kept])
        assert (merged.session, merged.executions[2].text_output) == (kept.session, "42")
        assert merge_runs([run])[0].executions[2].text_output is None


def test_asking_inside_runs_callbacks_after_execution_alone(home: Home) -> None:
    """With your yes IPython runs post_execute once; what you called `exec` is not called."""
    with running_kernel(sys.executable, home.path, notebook=home.work / "analysis.ipynb") as kernel:
        for cell in (SPIES, "Told()", "6 * 7"):
            kernel.run(cell)
        _evaluate(kernel, "seen.clear()")
        _, evidence = ask(home)
        assert _evaluate(kernel, "list(seen)") == "['post_execute', 'post_execute']"
    [run] = evidence.runs
    assert run.executions[2].text_output == "42"
    assert {each.name for each in evidence.fragments} >= {"exec", "getattr"}


def test_busy_kernel_is_left_alone_and_says_so(home: Home, tmp_path: Path) -> None:
    """A kernel that computes is not interrupted, asked further or held up."""
    gate = tmp_path / "gate"
    wait = (
        f"import os, time\nwhile not os.path.exists({str(gate)!r}):\n    time.sleep(0.01)\ndone = 1"
    )
    with running_kernel(sys.executable, home.path, notebook=home.work / "analysis.ipynb") as kernel:
        kernel.run("before = 1")
        kernel.submit(wait)
        wait_until(lambda: len(_history(home)) == 2)
        with pytest.raises(Unavailable, match="busy"):
            ask_once(home)
        gate.touch()
        kernel.run("after = done")
        assert _evaluate(kernel, "(before, after, len(In))") == "(1, 1, 4)"


def test_kernel_that_is_gone_is_no_trace(home: Home) -> None:
    """A connection file whose kernel was killed is not asked."""
    with running_kernel(sys.executable, home.path, notebook=home.work / "analysis.ipynb") as kernel:
        kernel.kill()
        assert traces_of(LiveKernelFinder(), home.scope()) == []


def test_output_is_given_only_where_line_and_count_agree(home: Home) -> None:
    """Typing `exit` shifts IPython's lines: then no output is laid under any cell."""
    with running_kernel(sys.executable, home.path, notebook=home.work / "analysis.ipynb") as kernel:
        kernel.run("1 + 1")
        # Else the kernel ends a moment after `exit`, on most machines before it is asked.
        kernel.run("get_ipython().ask_exit = print")
        kernel.run("get_ipython().history_manager.store_inputs(3, 'quit')")
        kernel.run("x = 2")
        kernel.client.execute("exit", allow_stdin=False)
        message = kernel.client.execute("20 + 1")
        while kernel.client.get_shell_msg(timeout=60)["parent_header"].get("msg_id") != message:
            pass
        _, evidence = ask(home)
    [run] = evidence.runs
    assert all(each.text_output is None and not each.outputs for each in run.executions)


def test_key_of_the_connection_stays_where_it_is(home: Home) -> None:
    """Nothing that is reported holds the key that lets one run code in your kernel."""
    with running_kernel(sys.executable, home.path, notebook=home.work / "analysis.ipynb") as kernel:
        kernel.run("x = 1")
        key = kernel.manager.session.key.decode()
        trace, evidence = ask(home)
    assert key
    assert key not in repr(trace) + repr(evidence)


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_running_process_names_its_notebook(home: Home) -> None:
    """On Linux the process of a kernel tells which notebook it runs, and since when."""
    notebook = home.work / "analysis.ipynb"
    with running_kernel(sys.executable, home.path, notebook=notebook) as kernel:
        child = "import subprocess\np = subprocess.Popen(['sleep', '600'])"
        kernel.run(child)
        [trace] = traces_of(RunningFinder(), home.scope())
        [found] = RunningFinder().read(trace, home.scope()).kernels
        kernel.run("p.kill()")
        assert found.pid == kernel.pid
        assert found.notebook == str(notebook)
        assert found.alive
        assert found.started_ns is not None
        assert abs(found.started_ns - kernel.connection_file.stat().st_mtime_ns) < 120e9


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("x", True),
        ("x = 1", False),
        ("x;", False),
        ("print(x)", False),
        ("%matplotlib inline\ndf.head()", True),
        ("for x in y: pass", False),
        ("x +", False),
    ],
)
def test_cell_that_shows_no_value_gets_none(source: str, shown: bool) -> None:
    """A value is laid only under a cell that ends in an expression."""
    assert shows_value(source) is shown
