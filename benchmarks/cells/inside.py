"""Inside a kernel that is measured: a tool that keeps states, and how long it held up each cell.

Runs in kernels of any environment, so it needs nothing that is not theirs. What is timed are the
callbacks that the tool put around a cell; what it does behind the user's back is waited for after
each cell, and told apart.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.cells.likeness import describe_all, user_variables

AROUND = ("pre_execute", "pre_run_cell", "post_execute", "post_run_cell")


class Tool:
    """Keeps nothing: what the others are compared with."""

    def __init__(self, shell: Any, folder: Path) -> None:
        self.shell = shell
        self.folder = folder
        self.failures: list[tuple[int, str]] = []
        """Cells whose state was not kept, and why."""
        self.cells = 0

    def owns(self, callback: Any) -> bool:
        """Whether IPython calls it for this tool's sake."""
        return getattr(callback, "__self__", None) is self

    def settle(self) -> None:
        """Nothing goes on in the background any more."""

    def stored_bytes(self) -> int:
        return 0

    def restore(self, count: int) -> None:
        """The variables are as they were after the cell with this count."""

    def note_cell(self) -> None:
        self.cells += 1


class Rewind(Tool):
    """As users load it; the setting that limits its time is off, so that it keeps every state."""

    def __init__(self, shell: Any, folder: Path) -> None:
        super().__init__(shell, folder)
        shell.extension_manager.load_extension("jupyter_rewind")
        extension = importlib.import_module("jupyter_rewind.faces.ipython.extension")
        self.verbs = extension.find_extension(shell).verbs

    def owns(self, callback: Any) -> bool:
        return str(getattr(callback, "__module__", "")).startswith("jupyter_rewind.")

    def settle(self) -> None:
        keeper = self.verbs.session.timeline.capturer.keeper
        keeper.settle()
        # What was put aside goes a moment later.
        for _ in range(1000):
            if keeper._aside is None:
                return
            time.sleep(0.01)

    def stored_bytes(self) -> int:
        # Without the room that is held ready behind the last record.
        session = self.verbs.session
        writers = (session.timeline.store._writer, session.log._writer)
        ready = {writer._path: writer._end for writer in writers}
        return sum(
            ready.get(file, file.stat().st_size)
            for file in Path(session.layout.folder).rglob("*")
            if file.is_file()
        )

    def restore(self, count: int) -> None:
        self.verbs.to(count)

    def note_cell(self) -> None:
        super().note_cell()
        if self.verbs.session.last_skip:
            self.failures.append((self.cells, self.verbs.session.last_skip))


class Kishu(Tool):
    """As its users start it, but for the front end, which it would wait for."""

    def __init__(self, shell: Any, folder: Path) -> None:
        super().__init__(shell, folder)
        self.commits: list[str] = []
        importlib.import_module("kishu.jupyterint").init_kishu(str(folder / "work" / "book.ipynb"))
        self.kishu = shell.user_ns["_kishu"]
        shell.events.unregister("post_run_cell", self.kishu.post_run_cell)
        shell.events.register("post_run_cell", self._after)

    def owns(self, callback: Any) -> bool:
        return getattr(callback, "__self__", None) in (self, self.kishu)

    def _after(self, result: Any) -> None:
        try:
            self.kishu.post_run_cell(result)
        except Exception as error:
            self.failures.append((self.cells + 1, f"{type(error).__name__}: {error}"))

    def note_cell(self) -> None:
        super().note_cell()
        self.commits.append(self.kishu._kishu_branch.get_head().commit_id)

    def stored_bytes(self) -> int:
        return sum(file.stat().st_size for file in (self.folder / "work").glob("*.kishudb*"))

    def restore(self, count: int) -> None:
        self.kishu.checkout(self.commits[count - 1], skip_notebook=True)


class Dumping(Tool):
    """Writes everything into one file after each cell; only those that are asked for stay."""

    def __init__(self, shell: Any, folder: Path) -> None:
        super().__init__(shell, folder)
        self.wanted: set[int] = set(json.loads((folder / "wanted.json").read_text()))
        self.total = 0
        shell.events.register("post_run_cell", self._after)

    def _after(self, _: Any) -> None:
        try:
            self.dump(self._file(self.cells + 1))
        except Exception as error:
            words = str(error).partition("\n")[0]
            self.failures.append((self.cells + 1, f"{type(error).__name__}: {words}"))

    def note_cell(self) -> None:
        super().note_cell()
        file = self._file(self.cells)
        if file.exists():
            self.total += file.stat().st_size
            # Those that are asked for, and the last one in any case.
            if self.cells - 1 not in self.wanted:
                self._file(self.cells - 1).unlink(missing_ok=True)

    def stored_bytes(self) -> int:
        return self.total

    def _file(self, count: int) -> Path:
        return self.folder / f"dump-{count}"

    def restore(self, count: int) -> None:
        self.load(self._file(count))

    def dump(self, file: Path) -> None:
        raise NotImplementedError

    def load(self, file: Path) -> None:
        raise NotImplementedError


class Dill(Dumping):
    """dill.dump_session and dill.load_session."""

    def dump(self, file: Path) -> None:
        importlib.import_module("dill").dump_session(str(file))

    def load(self, file: Path) -> None:
        importlib.import_module("dill").load_session(str(file))


class Cloudpickle(Dumping):
    """A dictionary of all variables in one pickle."""

    def dump(self, file: Path) -> None:
        with file.open("wb") as target:
            importlib.import_module("cloudpickle").dump(user_variables(self.shell.user_ns), target)

    def load(self, file: Path) -> None:
        with file.open("rb") as source:
            found = importlib.import_module("cloudpickle").load(source)
        for name in set(user_variables(self.shell.user_ns)) - set(found):
            del self.shell.user_ns[name]
        self.shell.user_ns.update(found)


TOOLS: dict[str, Callable[[Any, Path], Tool]] = {
    "plain": Tool,
    "rewind": Rewind,
    "kishu": Kishu,
    "dill": Dill,
    "cloudpickle": Cloudpickle,
}


class Inside:
    """Times the callbacks around each cell, and answers the benchmark."""

    def __init__(self, shell: Any, tool: str, folder: Path) -> None:
        self.shell = shell
        self.folder = folder
        self.tool = TOOLS[tool](shell, folder)
        self.at_start = self.tool.stored_bytes()
        self.cells: list[dict[str, float]] = []
        self._pause = self._began = 0.0
        self._trigger = shell.events.trigger
        shell.events.trigger = self.trigger
        for event in AROUND:
            # Others have callbacks too: matplotlib draws its figures in one.
            found = shell.events.callbacks[event]
            found[:] = [self._timed(one) if self.tool.owns(one) else one for one in found]

    def _timed(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any) -> None:
            start = time.perf_counter()
            try:
                callback(*args)
            finally:
                self._pause += time.perf_counter() - start

        return run

    def trigger(self, event: str, *args: Any, **more: Any) -> None:
        if event == "pre_execute":
            self._pause, self._began = 0.0, time.perf_counter()
        self._trigger(event, *args, **more)
        if event == "post_run_cell":
            self.tool.note_cell()
            wall = time.perf_counter() - self._began
            start = time.perf_counter()
            self.tool.settle()
            behind = time.perf_counter() - start
            stored = self.tool.stored_bytes() - self.at_start
            self.cells.append(
                {"pause": self._pause, "wall": wall, "behind": behind, "stored": stored}
            )

    def finish(self) -> dict[str, Any]:
        return {
            "cells": self.cells,
            "failures": self.tool.failures,
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
        }

    def describe(self) -> dict[str, str]:
        return describe_all(self.shell.user_ns)

    def evaluate(self, source: str, rounds: int) -> list[float]:
        """Seconds that an expression over the user's variables took, each time."""
        code = compile(source, "<reference>", "eval")
        found = []
        for _ in range(rounds):
            start = time.perf_counter()
            eval(code, self.shell.user_ns)
            found.append(time.perf_counter() - start)
        return found

    def reset_peak(self) -> int:
        """The memory that the process takes now; from here on, the peak is looked for anew."""
        Path("/proc/self/clear_refs").write_text("5")
        return memory("VmRSS")

    def peak(self) -> int:
        return memory("VmHWM")

    def restore(self, count: int) -> dict[str, Any]:
        before = len(self.cells)
        start = time.perf_counter()
        error = ""
        try:
            self.tool.restore(count)
        except Exception as fault:
            error = f"{type(fault).__name__}: {fault}".partition("\n")[0]
        seconds = time.perf_counter() - start
        del self.cells[before:]
        return {"seconds": seconds, "error": error, "found": self.describe()}


_inside: list[Inside] = []


def start(shell: Any, tool: str, folder: str) -> None:
    """The kernel is measured from now on."""
    _inside.append(Inside(shell, tool, Path(folder)))


def answer(what: str, *args: Any) -> None:
    """Writes down what was asked for, where the benchmark finds it."""
    inside = _inside[0]
    found = getattr(inside, what)(*args)
    (inside.folder / "answer.json").write_text(json.dumps(found))


def memory(what: str) -> int:
    """Bytes of this process's memory, as the system counts them."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) << 10
    raise LookupError(what)


sys.setrecursionlimit(max(sys.getrecursionlimit(), 3000))
