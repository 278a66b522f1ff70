"""What a real kernel's journal holds after cells ended well, badly, or not at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.kernels import Home, eventually, running


@pytest.mark.matrix
def test_every_cell_stands_in_the_journal_with_what_it_put_out(home: Home) -> None:
    """Source, count, notebook, status, duration and outputs, as the notebook shows them."""
    with running(home) as kernel:
        kernel.run("x = 20")
        kernel.run("print('hello')\nimport sys\nprint('oh', file=sys.stderr)\nx + 1")
        kernel.run("1 / 0")
        kernel.run("%%capture kept\nprint('not shown')")
    found = home.executions()
    assert [each.count for each in found] == [1, 2, 3, 4]
    assert [each.status for each in found] == ["ok", "ok", "error", "ok"]
    assert found[0].source == "x = 20"
    assert {each.path for each in found} == {os.path.realpath(home.notebook)}
    assert found[1].outputs[:2] == (
        {"output_type": "stream", "name": "stdout", "text": "hello\n"},
        {"output_type": "stream", "name": "stderr", "text": "oh\n"},
    )
    result = {"text/plain": "21"}
    assert found[1].outputs[2]["data"] == result
    assert found[2].error == "ZeroDivisionError"
    assert found[2].outputs[0]["ename"] == "ZeroDivisionError"
    assert found[3].outputs == ()
    assert all((each.finished_ns or 0) >= each.started_ns for each in found)


def test_displays_are_updated_and_cleared_as_in_the_notebook(home: Home) -> None:
    """What was cleared is not kept as an output, and a display has its last content."""
    with running(home) as kernel:
        kernel.run(
            "from IPython.display import clear_output, display\n"
            "print('gone'); clear_output(wait=True)\n"
            "handle = display('first', display_id=True)\n"
            "handle.update('second')"
        )
    (found,) = home.executions()
    assert [each["output_type"] for each in found.outputs] == ["display_data"]
    assert found.outputs[0]["data"] == {"text/plain": "'second'"}
    assert "transient" not in found.outputs[0]


@pytest.mark.matrix
def test_a_killed_kernel_leaves_its_source_and_what_it_printed(home: Home) -> None:
    """kill -9 in a cell: the source is there, and all that was printed a tenth of a second ago."""
    sign = home.folder / "printed"
    with running(home) as kernel:
        kernel.run("kept = 1")
        kernel.begin(
            "import pathlib, time\n"
            "for number in range(40):\n    print(number); time.sleep(0.02)\n"
            # Of the kernel's own time: on a machine that is busy, a moment may pass without any.
            "stop = time.process_time() + 0.5\n"
            "while time.process_time() < stop: pass\n"
            f"pathlib.Path({str(sign)!r}).touch()\n"
            "while True: pass"
        )
        eventually(sign.exists, "the cell printed its numbers")
        kernel.kill()
    last = home.executions()[-1]
    assert last.status == "running"
    assert last.source.startswith("import pathlib")
    assert last.outputs[0]["text"] == "".join(f"{number}\n" for number in range(40))


def test_the_first_words_survive_code_that_never_lets_go(home: Home) -> None:
    """A cell that prints and then holds the interpreter until it is killed has its words kept."""
    with running(home) as kernel:
        kernel.run("print('before')")
        kernel.begin(
            "import os, signal\nprint('last words')\nsum(range(10**7))\n"
            "os.kill(os.getpid(), signal.SIGKILL)"
        )
        eventually(lambda: not kernel.manager.is_alive(), "the kernel killed itself")
    assert str(home.executions()[-1].outputs[0]["text"]).startswith("last words")


def test_a_run_that_lives_one_that_ended_and_one_that_was_killed(home: Home) -> None:
    """Everybody can see which kernel lives, which was shut down and which was cut short."""
    with running(home) as kernel:
        kernel.run("1")
        assert [each.alive for each in home.runs()] == [True]
    (ended,) = home.runs()
    assert not ended.alive
    assert not ended.was_cut_short
    with running(home) as kernel:
        kernel.run("1")
        kernel.kill()
    assert [each.was_cut_short for each in home.runs()] == [False, True]


def test_workers_of_a_kernel_write_nothing_and_are_not_taken_for_it(home: Home) -> None:
    """A forked child prints and outlives the kernel: the run has ended all the same."""
    with running(home) as kernel:
        kernel.run(
            "import os, time\nif os.fork() == 0:\n"
            "    print('child')\n"
            f"    open({str(home.folder / 'forked')!r}, 'w').close()\n"
            f"    end = time.monotonic() + 60\n"
            f"    while time.monotonic() < end and not os.path.exists({str(home.folder / 'go')!r}):"
            " time.sleep(0.05)\n"
            "    os._exit(0)"
        )
        eventually((home.folder / "forked").exists, "the child is at work")
        kernel.kill()
        (state,) = home.runs()
        assert state.was_cut_short
        (home.folder / "go").touch()
    said = home.executions()[0].outputs
    assert [each for each in said if each["name"] == "stdout"] == []


@pytest.mark.matrix
def test_silent_requests_and_completions_are_no_executions(home: Home) -> None:
    """What a front end asks in silence stays out of the journal."""
    with running(home) as kernel:
        kernel.run("y = 1", silent=True)
        kernel.run("z = 2", store_history=False)
        kernel.run("y + z")
    found = home.executions()
    assert [each.source for each in found] == ["z = 2", "y + z"]
    assert [each.kept for each in found] == [False, True]
    assert found[-1].count == 1


def test_large_sources_and_outputs_are_whole(home: Home) -> None:
    """Beyond a few kilobytes, source and outputs are content of their own, and come back whole."""
    source = "# " + "x" * 50_000 + "\nprint('é' * 200_000)"
    with running(home) as kernel:
        kernel.run(source)
    (found,) = home.executions()
    assert found.source == source
    assert found.outputs[0]["text"] == "é" * 200_000 + "\n"


def test_outputs_beyond_the_limit_are_left_out_and_said_to_be(home: Home) -> None:
    """A cell that prints without end does not fill the disk."""
    limit = {"JUPYTER_REWIND_KERNELS_MAX_OUTPUT_MB": "1"}
    with running(home, **limit) as kernel:
        kernel.run("for _ in range(30): print('x' * 100_000)")
        kernel.run("print('small')")
    large, small = home.executions()
    assert large.truncated
    assert sum(len(str(each.get("text"))) for each in large.outputs) <= 1 << 20
    assert not small.truncated


@pytest.mark.matrix
def test_a_late_print_of_a_thread_belongs_to_its_cell(home: Home) -> None:
    """What a thread prints after its cell has ended stands with that cell."""
    with running(home) as kernel:
        kernel.run(
            "import threading, time\nevent = threading.Event()\n"
            "def late():\n    event.wait(); print('late')\n"
            "thread = threading.Thread(target=late); thread.start()"
        )
        kernel.run("event.set(); thread.join()\nprint('now')")
    outputs = ["".join(str(o.get("text")) for o in each.outputs) for each in home.executions()]
    assert sorted(outputs) in (["", "late\nnow\n"], ["", "now\nlate\n"], ["late\n", "now\n"])


@pytest.mark.parametrize("trouble", ["a file in its place", "no segments folder"])
def test_a_store_that_cannot_be_written_costs_no_cell(home: Home, trouble: str) -> None:
    """The kernel starts and works as always, and says once what is not kept."""
    store = home.folder / "data" / "rewind"
    if trouble == "a file in its place":
        store.parent.mkdir()
        store.write_text("no store")
    else:
        home.repository().close()
        shutil.rmtree(store / "segments")
        (store / "segments").write_text("no folder")
    with running(home) as kernel:
        assert kernel.run("6 * 7").result == "42"
        assert kernel.run("print('still here')").text == "still here\n"


def test_the_journal_follows_a_renamed_notebook(home: Home) -> None:
    """The server's word of a rename reaches the running kernel."""
    from jupyter_rewind.kernels.host import leave_notice

    with running(home) as kernel:
        kernel.run("1")
        renamed = home.notebook.with_name("renamed.ipynb")
        leave_notice(Path(kernel.manager.connection_file), str(renamed))
        kernel.run("2")
    assert [Path(each.path).name for each in home.executions()] == [
        "analysis.ipynb",
        "renamed.ipynb",
    ]
    assert Path(home.runs()[0].run.path).name == "renamed.ipynb"


def test_loading_costs_little() -> None:
    """Loading imports no framework that the kernel did not have, and no library of the user's."""
    script = (
        "import sys, ipykernel.kernelapp, IPython; before = set(sys.modules)\n"
        "import jupyter_rewind.faces.ipython.extension\n"
        "print(*sorted({m.split('.')[0] for m in set(sys.modules) - before}))"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    loaded = set(said.stdout.split())
    assert "jupyter_rewind" in loaded, said.stderr
    assert not loaded & {
        "numpy", "pandas", "torch", "polars", "pyarrow", "scipy", "matplotlib",
        "jupyter_server", "tornado", "typer", "rich", "nbformat", "nbdime", "sqlite3",
    }  # fmt: skip
