"""What goes wrong between the user's code and Rewind: said once, in a line, and nobody is hurt."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from jupyter_rewind.kernels.archive import Archive
from tests.support.kernels import Home, Kernel, eventually, running

SHELL = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_cell("%load_ext jupyter_rewind")
for cell in sys.argv[1:]:
    print(">>>", cell, flush=True)
    print(">>>", cell, file=sys.stderr, flush=True)
    shell.run_cell(cell, store_history=True)
    sys.stdout.flush()
"""


def run_cells(home: Home, *cells: str) -> tuple[str, str]:
    """What the cells put out, and what else was said, in an IPython without a kernel."""
    done = subprocess.run(
        [sys.executable, "-c", SHELL, *cells],
        env=home.environment, cwd=home.folder, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def said_about(text: str, cell: str) -> str:
    """The part of `text` that came with the cell."""
    return text.partition(f">>> {cell}\n")[2].partition(">>> ")[0]


# --- what cannot be written ------------------------------------------------------------------


def store_of(home: Home) -> Path:
    return home.folder / "data" / "rewind"


def test_a_store_that_was_removed_is_told_once_and_keeps_nobody_waiting(home: Home) -> None:
    """The cells run on; status says what is not kept, and a move that cannot be says why."""
    with running(home) as kernel:
        kernel.run("x = [1]")
        # At once: what the kernel makes there meanwhile would keep the folder from being removed.
        shutil.rmtree(store_of(home).rename(home.folder / "gone"))
        told = [kernel.run(f"x.append({number})").text for number in range(4)]
        assert sum("cannot be kept" in each for each in told) == 1, told
        assert "taken away" in "".join(told)
        assert "Traceback" not in "".join(told)
        status = kernel.run("%rewind status").text
        assert "States cannot be kept at present" in status
        assert "Not kept: In[2] to In[" in status
        refused = kernel.run("%rewind to 3")
        assert refused.status == "ok" or "could not be kept" in refused.error, refused
        assert kernel.run("x").result == "[1, 0, 1, 2, 3]"


def test_a_fault_of_ours_is_one_line_and_its_details_are_in_a_file(home: Home) -> None:
    """No traceback of ours stands below a cell, with or without loggers of the user's."""
    broken = (
        "import logging; logging.basicConfig(level=logging.DEBUG)\n"
        "from jupyter_rewind.kernels.capture import Capturer\n"
        "def fail(*a, **k): raise ZeroDivisionError('broken on purpose')\n"
        "Capturer.capture = fail"
    )
    with running(home) as kernel:
        kernel.run("x = 1")
        told = [kernel.run(source).text for source in (broken, "x = 2", "x = 3")]
        assert sum("fault of its own" in each for each in told) == 1, told
        assert "broken on purpose" in "".join(told)
        assert "Traceback" not in "".join(told)
        (details,) = (store_of(home) / "faults").glob("*.log")
        assert "Traceback" in details.read_text()
        assert str(details) in "".join(told)


def test_functions_of_libraries_that_a_cell_replaced_are_not_ours(home: Home) -> None:
    """The states of such cells are kept like any other."""
    breaking = (
        "import json, time\n"
        "def fail(*a, **k): raise RuntimeError('replaced')\n"
        "json.dumps = json.loads = time.time = time.time_ns = time.monotonic = fail; x.append(2)"
    )
    out, errors = run_cells(home, "x = [1]", breaking, "x.append(3)", "%rewind to 2", "x")
    assert "Traceback" not in errors
    assert "fault" not in errors
    assert "Back to the state after In[2]" in out
    assert "[1, 2]" in said_about(out, "x"), out


def test_a_builtin_that_a_cell_replaced_costs_the_states_until_it_is_back(home: Home) -> None:
    """Nothing of ours runs on what could ruin what is in the store: a `len` that lies, say."""
    replaced = "import builtins; real = sorted; builtins.sorted = lambda value, **more: []"
    out, errors = run_cells(
        home, "x = [1]", replaced, "x.append(2)", "builtins.sorted = real; x.append(3)",
        "x.append(4)", "%rewind status", "%rewind to 5", "x",
    )  # fmt: skip
    assert errors.count("builtin `sorted` is not Python's own") == 1, errors
    assert "Not kept: In[2] to In[3]" in out
    assert "[1, 2, 3, 4]" in said_about(out, "x"), out


# --- interrupts ------------------------------------------------------------------------------


SLOW = """
import os, time
from jupyter_rewind.kernels.capture import Capturer
real = Capturer.capture
def slow(self, *given, **more):
    open("capturing", "w").close()
    end = time.monotonic() + 1
    while time.monotonic() < end or os.path.exists("held up"): sum(range(1000))
    return real(self, *given, **more)
Capturer.capture = slow
"""


def interrupt_while_keeping(home: Home, kernel: Kernel, source: str) -> str:
    """The reply's status, when the interrupt came while the cell's state was being kept."""
    mark, hold = home.notebook.parent / "capturing", home.notebook.parent / "held up"
    mark.unlink(missing_ok=True)
    hold.touch()
    request = kernel.begin(source)
    eventually(mark.exists, "the state is being kept")
    os.kill(kernel.pid, signal.SIGINT)
    hold.unlink()
    while True:
        reply = kernel.client.get_shell_msg(timeout=90)
        if reply["parent_header"].get("msg_id") == request:
            return str(reply["content"].get("ename") or reply["content"]["status"])


def test_an_interrupt_while_a_state_is_kept_stops_the_queue_and_loses_no_state(home: Home) -> None:
    """Whoever presses stop gets his KeyboardInterrupt, and the cell's state all the same."""
    with running(home) as kernel:
        kernel.run("x = [1]")
        kernel.run(SLOW)
        assert interrupt_while_keeping(home, kernel, "x.append(2)") == "KeyboardInterrupt"
        kernel.run("x.append(3)")
        assert "Back to" in kernel.run("%rewind to 3").text
        assert kernel.run("x").result == "[1, 2]"


SLOW_TO_SAY = """
import sys, time
class Slow:
    def __init__(self, real): self.real = real
    def __getattr__(self, name): return getattr(self.real, name)
    def write(self, text):
        end = time.monotonic() + 0.2
        while time.monotonic() < end: sum(range(1000))
        return self.real.write(text)
sys.stderr = Slow(sys.stderr)
"""


IPYTHONS_OWN = "InteractiveShell._clear_warning_registry"


def interrupt_often(kernel: Kernel, source: str, times: int) -> str:
    """All that the cell says, while somebody holds the keys down that interrupt."""
    request = kernel.begin(source)
    said: list[str] = []

    def press() -> None:
        for _ in range(times):
            os.kill(kernel.pid, signal.SIGINT)
            time.sleep(0.01)

    fingers = threading.Thread(target=press)
    fingers.start()
    while True:
        message = kernel.client.get_iopub_msg(timeout=90)
        if message["parent_header"].get("msg_id") != request:
            continue
        content = message["content"]
        said += [str(content.get("text", "")), *content.get("traceback", [])]
        if content.get("execution_state") == "idle":
            break
    fingers.join()
    return "".join(said)


def test_interrupts_that_never_end_are_the_cells_alone(home: Home) -> None:
    """A key that is held down stops the cell, and what is kept of it at the second time; nobody
    reads of a callback, and the next cell runs as if nothing had been."""
    with running(home) as kernel:
        kernel.run("x = [1]")
        kernel.run(SLOW_TO_SAY)
        kernel.run(SLOW)
        for source in ("x[1:] = [2]", "for n in range(10**9): x[0] = n", "x[2:] = [3]"):
            said = interrupt_often(kernel, source, 60)
            while IPYTHONS_OWN in said:
                # An interrupt met IPython in a callback of its own, ahead of all of ours.
                said = interrupt_often(kernel, source, 60)
            assert "callback" not in said, said
            assert "Error" not in said, said
        eventually(lambda: kernel.run("y = [4, 5]; len(y)").result == "2", "the kernel goes on")
        # Each of the cells may have been stopped before its first line, or not.
        assert kernel.run("x[1:]").result in ("[]", "[2]", "[3]", "[2, 3]")
        assert kernel.run("%rewind status").status == "ok"


# --- tracers and profilers --------------------------------------------------------------------


def test_a_tracer_of_the_users_sees_little_of_ours(home: Home) -> None:
    """What is counted in a notebook is the notebook's own code."""
    tracer = """
import sys
seen = []
def trace(frame, event, argument):
    seen.append(frame.f_code.co_filename)
    return trace
def note(frame, event, argument):
    seen.append(frame.f_code.co_filename)
"""
    count = "print(sum('jupyter_rewind' in name for name in seen), len(seen) > 0)"
    with running(home) as kernel:
        kernel.run(tracer)
        for name, function in (("settrace", "trace"), ("setprofile", "note")):
            kernel.run(f"seen.clear(); sys.{name}({function})")
            kernel.run("value = [1, 2]; print(value)")
            kernel.run(f"same = sys.{name.replace('set', 'get')}() is {function}")
            kernel.run(f"sys.{name}(None)")
            ours, some = kernel.run(count).text.split()
            assert some == "True"
            assert int(ours) < 1000, (name, ours)
            assert kernel.run("same").result == "True"


# --- words -------------------------------------------------------------------------------------


def test_what_a_move_says_to_do_next_is_true(home: Home) -> None:
    """After `undo` it is `redo` that makes the move again."""
    with running(home) as kernel:
        kernel.run("x = 1")
        kernel.run("x = 2")
        assert "`%rewind undo` takes this back" in kernel.run("%rewind to 1").text
        assert "`%rewind redo` makes the move again" in kernel.run("%rewind undo").text
        assert "`%rewind undo` takes this back" in kernel.run("%rewind redo").text


def test_results_that_ipython_names_are_no_variables(home: Home) -> None:
    """Counts and reports tell of the user's own names; `_` comes back all the same."""
    with running(home) as kernel:
        kernel.run("x = [1]")
        kernel.run("x")
        rows = kernel.run("%rewind report").text.splitlines()[2:]
        assert [row.split()[0] for row in rows] == ["x"], rows
        first = kernel.run("%rewind history").text.splitlines()[1]
        assert first.split()[2] == "1", first


@pytest.mark.parametrize("label", ["1", "In[3]", "[2]", "in 7"])
def test_a_label_cannot_be_what_means_a_cell(home: Home, label: str) -> None:
    """`%rewind to 1` always means the state after In[1]."""
    out, errors = run_cells(home, "x = 1", f"%rewind label {label}", "%rewind to 1", "x")
    assert "already means the state after a cell" in errors
    assert "Back to the state after In[1]" in out


def test_other_words_say_what_is_so(home: Home) -> None:
    """Times before the first state, names that do not exist yet, states kept before a move."""
    out, errors = run_cells(
        home, "x = 1", "%rewind to 10 minutes ago", "%rewind exclude nosuch", "x = 2",
        "%rewind to 1", "%rewind undo", "x = 3", "%rewind history", "%rewind branch",
        "import types; m = types.ModuleType('made')", "%rewind report",
    )  # fmt: skip
    assert 'No snapshot is as old as "10 minutes ago"' in errors
    assert "There is no nosuch yet" in out
    assert "In[0]" not in out
    assert "rebuild_module" not in out


def test_a_state_that_somebody_deleted_is_gone_for_the_kernel_too(home: Home) -> None:
    """What the server or a command deletes can be gone to no more."""
    with running(home) as kernel:
        for number in range(1, 4):
            kernel.run(f"x = {number}")
        with home.repository() as repository:
            archive = Archive(repository)
            (run,) = archive.runs.all()
            archive.delete(next(each for each in archive.snapshots(run.id) if each.count == 2))
        refused = kernel.run("%rewind to 2")
        assert refused.status == "error", refused
        assert "In[2]" not in kernel.run("%rewind history").text.partition("rewind")[0]
        assert kernel.run("x").result == "3"
