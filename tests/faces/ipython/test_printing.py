"""What a cell prints: all of it is kept, in its order; what listens to it is not kept itself."""

from __future__ import annotations

import io
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_rewind import clock
from jupyter_rewind.faces.ipython.outputs import OutputListener
from jupyter_rewind.kernels.journal import INTERVAL_SECONDS
from tests.support.kernels import Home, eventually, running
from tests.support.processes import run_in_fork
from tests.support.runs import QuickKernel

MUCH = """
import sys, threading
from IPython.display import display
for number in range(5000):
    print(number, end=' ')
    if number % 1000 == 999:
        print('!', file=sys.stderr, end='')
        display(number)
"""


@pytest.mark.matrix
def test_all_that_is_printed_quickly_is_kept_in_its_order(home: Home) -> None:
    """Thousands of short texts, with errors and displays between them."""
    with running(home) as kernel:
        kernel.run(MUCH)
        kernel.run("print('next')")
    first, second = home.executions()
    told = [(each["output_type"], each.get("name"), each.get("text")) for each in first.outputs]
    wanted: list[tuple[str, str | None, str | None]] = []
    for begin in range(0, 5000, 1000):
        text = "".join(f"{number} " for number in range(begin, begin + 1000))
        wanted += [("stream", "stdout", text), ("stream", "stderr", "!")]
        wanted += [("display_data", None, None)]
    assert told == wanted
    assert second.outputs[0]["text"] == "next\n"


def test_what_a_thread_prints_in_a_later_cell_does_not_mix_with_that_cells_text(
    home: Home,
) -> None:
    """Two cells print at once, quickly: each text stands with its own cell, and whole."""
    with running(home) as kernel:
        kernel.run(
            "import threading, time\n"
            "go = threading.Event()\n"
            "def work():\n    go.wait()\n"
            "    for number in range(2000):\n        print('a', end=''); time.sleep(0)\n"
            "thread = threading.Thread(target=work); thread.start()"
        )
        kernel.run(
            "go.set()\nfor number in range(2000):\n    print('b', end=''); time.sleep(0)\n"
            "thread.join()"
        )
    texts = ["".join(each["text"] for each in cell.outputs) for cell in home.executions()]
    assert sorted("".join(texts)) == ["a"] * 2000 + ["b"] * 2000
    # From ipykernel 7 on a thread's text belongs to the cell that began it; before, to the last.
    assert texts in (["a" * 2000, "b" * 2000], ["", texts[1]])


def test_the_last_text_of_a_silent_cell_is_kept_though_the_kernel_dies(home: Home) -> None:
    """What comes quickly behind another text does not wait for a third one."""
    with running(home) as kernel:
        sign = home.folder / "silent"
        kernel.begin(
            "import time\nprint('one')\nfor _ in range(20):\n    print('more', end=' ')\n"
            f"print('last')\nopen({str(sign)!r}, 'w').close()\ntime.sleep(600)"
        )
        eventually(sign.exists, "the cell fell silent")
        told = eventually(
            lambda: [each for each in home.executions() if "last" in str(each.outputs)],
            "its last text in the journal",
        )
        time.sleep(INTERVAL_SECONDS)
        kernel.kill()
    assert told[0].status == "running"
    (found,) = home.executions()
    assert found.outputs[0]["text"] == "one\n" + "more " * 20 + "last\n"


class Stream(io.StringIO):
    """Looks like that of ipykernel to whoever listens."""

    pub_thread = None
    parent_header: Any = None


def test_what_a_forked_child_prints_right_after_its_kernel_is_not_written_by_the_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker of multiprocessing prints: it is its parent's to tell."""
    session = QuickKernel(tmp_path, {}).session
    monkeypatch.setattr(sys, "stdout", Stream())
    listener = OutputListener(session)
    listener.install(SimpleNamespace(session=SimpleNamespace(send=lambda *args: None)))
    session.begin("cell", 1, None, True)
    sys.stdout.write("parent\n")  # the first is written at once, with no need of a thread
    # However long it takes from here to the child's print, it comes at once.
    session.journal.last_write = clock.monotonic() + 3600

    def work() -> None:
        print("child")
        assert "rewind-journal" not in [thread.name for thread in threading.enumerate()]
        assert not session.journal.is_awake

    run_in_fork(work)
    print("again")
    session.end("ok")
    listener.remove()
    session.close("exit")
    archive = session.open_archive()
    archive.repository.refresh()
    (found,) = archive.runs.executions(session.run.id)
    assert found.outputs == (
        {"output_type": "stream", "name": "stdout", "text": "parent\nagain\n"},
    )


def test_a_variable_that_leads_to_rewind_itself_does_not_keep_rewind(home: Home) -> None:
    """`sys.stdout.write` is listened to: what listens is not kept, and the rest costs no more."""
    with running(home) as kernel:
        kernel.run(
            "import sys; w = sys.stdout.write; hooks = get_ipython().events.callbacks; x = 1"
        )
        kernel.run("x = 2")
        kernel.run("%rewind to 1")
        assert kernel.run("w('hello')").text.startswith("hello")
        assert kernel.run("x").result == "1"
        rows = {row.split()[0]: row for row in kernel.run("%rewind report").text.splitlines()}
    assert "exact" in rows["x"]
    assert "missing" in rows["w"]
    assert "missing" in rows["hooks"]
    kept = sum(file.stat().st_size for file in home.folder.rglob("*") if "rewind" in str(file))
    assert kept < 200_000
