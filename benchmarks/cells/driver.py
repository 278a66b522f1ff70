"""Plays the cells of a notebook in a real kernel with one tool, and goes back with it."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

ROOT = Path(__file__).parents[2]
LONGEST = 3600.0
INSTALLED = "site-packages"
DUMPING = ("dill", "cloudpickle")
"""They have the states of two cells alone."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one cell cost."""

    pause: float
    wall: float
    behind: float
    stored: int


@dataclass(frozen=True, slots=True)
class Back:
    """A state that was brought back: how long it took, and what the variables hold now."""

    count: int
    seconds: float
    error: str
    found: dict[str, str]

    def wrong(self, truth: dict[str, str]) -> int:
        """Variables that differ, are gone, or should not be there; all, where it failed."""
        names = {*truth, *self.found} if not self.error else set(truth)
        return sum(bool(self.error) or truth.get(name) != self.found.get(name) for name in names)


@dataclass(slots=True)
class Played:
    """A notebook played with one tool, up to where its time was up."""

    tool: str
    cells: list[Cell] = field(default_factory=list)
    failures: dict[int, str] = field(default_factory=dict)
    """Cells whose state was not kept, and why."""
    backs: list[Back] = field(default_factory=list)
    truths: dict[int, dict[str, str]] = field(default_factory=dict)
    peak: int = 0

    @property
    def kept(self) -> list[int]:
        """The counts of the cells whose state was kept."""
        return [count for count in range(1, len(self.cells) + 1) if count not in self.failures]

    def pause(self, counts: Sequence[int]) -> float:
        """Seconds after these cells together."""
        return sum(self.cells[count - 1].pause for count in counts)

    def median(self, counts: Sequence[int]) -> float:
        return statistics.median(self.cells[count - 1].pause for count in counts)

    def stored(self, counts: Sequence[int]) -> int:
        """Bytes written for these cells."""
        sizes = [0, *(cell.stored for cell in self.cells)]
        return sum(sizes[count] - sizes[count - 1] for count in counts)


class Kernel:
    """A kernel of `python` in a home folder of its own, with one tool in it."""

    def __init__(self, tool: str, python: Path, folder: Path, variables: dict[str, str]) -> None:
        self.folder = folder
        self.manager = KernelManager(connection_file=str(folder / "kernel-measured.json"))
        arguments = ["-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        self.manager._kernel_spec = KernelSpec(
            argv=[str(python), *arguments], language="python", display_name="Measured"
        )
        self.manager.start_kernel(
            env=environment(folder, tool) | variables, cwd=str(folder / "work")
        )
        self.client: BlockingKernelClient = self.manager.client()  # type: ignore[assignment]
        self.client.start_channels()
        self.client.wait_for_ready(timeout=120)
        self._ask(f"start(get_ipython(), {tool!r}, {str(folder)!r})")

    def run(self, source: str) -> None:
        """The cell has ended."""
        self.client.execute_interactive(
            source, timeout=LONGEST, output_hook=_unheard, allow_stdin=False
        )

    def ask(self, what: str, *args: Any) -> Any:
        """What the inside answers. No cell, so it is not measured."""
        self._ask(f"answer{(what, *args)!r}")
        return json.loads((self.folder / "answer.json").read_text())

    def _ask(self, call: str) -> None:
        inside = "__import__('benchmarks.cells.inside', fromlist=['_'])"
        said: list[str] = []
        reply = self.client.execute_interactive(
            f"{inside}.{call}", silent=True, timeout=LONGEST, allow_stdin=False,
            output_hook=lambda message: said.append(repr(message["content"])),
        )  # fmt: skip
        if reply["content"]["status"] != "ok":
            raise RuntimeError(f"{call}: {reply['content'].get('evalue')}: {''.join(said)[-600:]}")

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


def _unheard(_: Any) -> None:
    """Outputs are of no interest."""


def environment(folder: Path, tool: str) -> dict[str, str]:
    """That of a user with no settings; every state is kept, whatever it costs. Rewind is on in
    kernels of its own alone."""
    mine = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JUPYTER", "_JUPYTER", "JPY", "IPYTHON", "XDG_", "PYTHON"))
    }
    return {
        **mine,
        "HOME": str(folder),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JPY_SESSION_NAME": str(folder / "work" / "book.ipynb"),
        "JUPYTER_REWIND_KERNELS_ENABLED": str(int(tool == "rewind")),
        "JUPYTER_REWIND_KERNELS_BUDGET_FLOOR_MS": "600000",
        "ENV_KISHU_TEST_MODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join((str(folder / INSTALLED), str(ROOT))),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


@contextmanager
def running(
    tool: str, cells: Sequence[str], *, python: Path | None = None, **variables: str
) -> Iterator[Kernel]:
    """A kernel whose notebook holds these cells; it and its folder are gone afterwards."""
    folder = Path(tempfile.mkdtemp(dir=os.environ.get("BENCHMARK_FOLDER")))
    try:
        (folder / "work").mkdir()
        (folder / "work" / "book.ipynb").write_text(json.dumps(as_notebook(cells)))
        (folder / "wanted.json").write_text(json.dumps([middle(cells), len(cells)]))
        install(folder / INSTALLED / "benchmarks" / "cells")
        kernel = Kernel(tool, python or Path(sys.executable), folder, variables)
        try:
            yield kernel
        finally:
            kernel.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def install(folder: Path) -> None:
    """What measures a kernel from the inside stands where libraries do: a module of the user's own
    that reaches for his variables, as this one does, is watched, and would slow each cell down."""
    folder.mkdir(parents=True)
    for name in ("inside.py", "likeness.py"):
        shutil.copy(Path(__file__).parent / name, folder)
    for each in (folder, folder.parent):
        (each / "__init__.py").touch()


def as_notebook(cells: Sequence[str]) -> dict[str, Any]:
    made = [
        {
            "cell_type": "code", "execution_count": None, "id": f"cell-{number}", "metadata": {},
            "outputs": [], "source": source,
        }
        for number, source in enumerate(cells, 1)
    ]  # fmt: skip
    kernelspec = {"display_name": "Python", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernelspec}
    return {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def play(
    tool: str, cells: Sequence[str], *, python: Path | None = None, seconds: float = LONGEST
) -> Played:
    """The cells played, then a state from the middle brought back, then the last one.

    Stops before a cell that would begin later than `seconds` after the first one.
    """
    played = Played(tool)
    with running(tool, cells, python=python) as kernel:
        began, done = time.perf_counter(), 0
        for source in cells:
            if time.perf_counter() - began > seconds:
                break
            kernel.run(source)
            done += 1
        _finish(kernel, played)
        kept = played.kept
        for count in (kept[(len(kept) - 1) // 2], kept[-1]) if kept else ():
            if tool not in DUMPING or count in (middle(cells), done):
                played.backs.append(Back(count, **kernel.ask("restore", count)))
    return played


def play_plain(cells: Sequence[str], counts: Sequence[int]) -> Played:
    """The cells without any tool, and what the variables hold after those with these counts."""
    played = Played("plain")
    with running("plain", cells) as kernel:
        for count, source in enumerate(cells, 1):
            kernel.run(source)
            if count in counts:
                played.truths[count] = kernel.ask("describe")
        _finish(kernel, played)
    return played


def _finish(kernel: Kernel, played: Played) -> None:
    found = kernel.ask("finish")
    played.cells = [Cell(**each) for each in found["cells"]]
    played.failures, played.peak = dict(found["failures"]), found["peak"]


def middle(cells: Sequence[str]) -> int:
    """The count of the cell that is gone back to."""
    return (len(cells) + 1) // 2
