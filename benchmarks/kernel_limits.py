"""States of kernels against the machine: what they cost at least, and what they may cost."""

from __future__ import annotations

import statistics
import subprocess
import sys
from itertools import pairwise

from benchmarks.cells.driver import Cell, Kernel, running
from benchmarks.measure import Row, at_most, run_parts

ARRAY = ("import numpy as np", "big = np.random.default_rng(0).random(62_500_000)")
DICTS = ("rows = [{'id': i, 'name': f'n{i}', 'value': i * 0.5} for i in range(1_000_000)]",)
PAGES = "JUPYTER_REWIND_KERNELS_PAGE_TRACKING"
TEXT = "text = ''.join(map(chr, np.random.default_rng(0).integers(97, 123, 1_000_000))) * 500"
LOOP = "for i in range(1_000_000):\n    x = i * 2 + 1"
KB, MB = 1 << 10, 1 << 20


def measure() -> list[Row]:
    """All rows of this benchmark; about two minutes."""
    return run_parts(PARTS)


def costs(kernel: Kernel, sources: list[str]) -> list[Cell]:
    """What each of these cells cost; `stored` is what it alone stored."""
    before = [Cell(**each) for each in kernel.ask("finish")["cells"]]
    # What was asked may have changed anything: the first cell after it is looked at in full.
    kernel.run("None")
    for source in sources:
        kernel.run(source)
    cells = [Cell(**each) for each in kernel.ask("finish")["cells"]][len(before) :]
    return [
        Cell(cell.pause, cell.wall, cell.behind, cell.stored - last.stored)
        for last, cell in pairwise(cells)
    ]


def median(cells: list[Cell]) -> float:
    return statistics.median(cell.pause for cell in cells)


def tiny_cells() -> list[Row]:
    """A thousand of them."""
    with running("rewind", ()) as kernel:
        cells = costs(kernel, [f"x{number} = {number}" for number in range(1000)])
    first, last = median(cells[:50]), median(cells[-50:])
    return [
        at_most(
            "tiny cell, median of 1 000", "5 ms", median(cells) / 5e-3, 1,
            f"{median(cells) * 1e3:.2f} ms, {statistics.mean(c.stored for c in cells):.0f} bytes",
        ),
        at_most(
            "the last 50 of 1 000 tiny cells", "the first 50", last / first, 1.3,
            f"{last * 1e3:.2f} ms against {first * 1e3:.2f} ms",
        ),
    ]  # fmt: skip


def one_element() -> list[Row]:
    """A large array read again in full, for there is no other way to be sure."""
    with running("rewind", ARRAY) as kernel:
        for source in ARRAY:
            kernel.run(source)
        cells = costs(kernel, [f"big[{number * 1_000_003}] = {number}" for number in range(1, 10)])
        reads = costs(kernel, ["big.max() > 2;"] * 5)
        passes = kernel.ask("evaluate", "__import__('xxhash').xxh3_128_digest(big)", 7)
    stored = max(cell.stored for cell in cells)
    once = statistics.median(passes)
    return [
        at_most(
            "one element of a 500 MB array, bytes stored", "64 KB", stored / (64 * KB), 1,
            f"{stored} bytes at most, journal and all",
        ),
        at_most(
            "one element of a 500 MB array, pause", "one pass of xxh3 over it",
            median(cells) / once, 1.5, f"{median(cells) * 1e3:.1f} ms against {once * 1e3:.1f} ms",
        ),
        at_most(
            "a cell that only reads it, bytes stored", "4 KB: that it was run",
            max(cell.stored for cell in reads) / (4 * KB), 1,
            f"{max(cell.stored for cell in reads)} bytes at most;"
            f" pause {median(reads) * 1e3:.1f} ms",
        ),
    ]  # fmt: skip


def one_element_by_pages() -> list[Row]:
    """The same where the system tells which pages were written."""
    with running("rewind", ARRAY, **{PAGES: "1"}) as kernel:
        for source in ARRAY:
            kernel.run(source)
        cells = costs(kernel, [f"big[{number * 1_000_003}] = {number}" for number in range(1, 10)])
    # The first two looks learn that it rests, and begin to watch it.
    known = cells[2:]
    return [
        at_most(
            "one element of a 500 MB array, pause with page tracking", "15 ms",
            median(known) / 15e-3, 1, f"{median(known) * 1e3:.1f} ms",
        )
    ]  # fmt: skip


def one_dict() -> list[Row]:
    """A list of a million dictionaries, told again in full."""
    with running("rewind", DICTS) as kernel:
        kernel.run(DICTS[0])
        cells = costs(kernel, ["rows.append({'id': 0, 'name': 'new', 'value': 1.5})"] * 5)
        passes = kernel.ask("evaluate", "__import__('pickle').dumps(rows, 5)", 5)
    stored, once = max(cell.stored for cell in cells), statistics.median(passes)
    return [
        at_most(
            "append one to 1e6 dictionaries, bytes stored", "64 KB", stored / (64 * KB), 1,
            f"{stored} bytes at most, journal and all",
        ),
        at_most(
            "append one to 1e6 dictionaries, pause", "one pass of the C pickler",
            median(cells) / once, 1.5, f"{median(cells) * 1e3:.0f} ms against {once * 1e3:.0f} ms",
        ),
    ]  # fmt: skip


def plain_loop() -> list[Row]:
    """What the user's own code pays while it runs: nothing watches it."""
    ours, plain = [], []
    with running("rewind", ()) as with_, running("plain", ()) as without:
        for _ in range(15):
            for kernel in (with_, without):
                kernel.run(LOOP)
        for kernel, found in ((with_, ours), (without, plain)):
            cells = [Cell(**each) for each in kernel.ask("finish")["cells"]]
            found += [cell.wall - cell.pause for cell in cells]
    one, other = statistics.median(ours), statistics.median(plain)
    return [
        at_most(
            "a loop of 1e6 turns at the top level", "without Rewind", one / other, 1.02,
            f"{one * 1e3:.1f} ms against {other * 1e3:.1f} ms, median of {len(ours)}",
        )
    ]  # fmt: skip


def start() -> list[Row]:
    """What a kernel that has Rewind imports more."""
    source = (
        "import ipykernel.ipkernel, sys, time; start = time.perf_counter();"
        " import jupyter_rewind.faces.ipython.extension; print(time.perf_counter() - start)"
    )
    command = [sys.executable, "-c", source]
    taken = [float(subprocess.check_output(command, text=True)) for _ in range(9)]
    found = statistics.median(taken)
    return [
        at_most(
            "import of what a kernel needs", "150 ms", found / 0.15, 1,
            f"{found * 1e3:.0f} ms, median of {len(taken)}",
        )
    ]  # fmt: skip


def peaks() -> list[Row]:
    """The most memory that keeping a changed array or text takes, beyond what was there before."""
    rows = []
    with running("rewind", ARRAY) as kernel:
        for source in (*ARRAY, TEXT):
            kernel.run(source)
        for what, source, changed in (
            ("all of a 500 MB array changed", "big += 1", 500_000_000),
            ("one element of a 500 MB array changed", "big[5] = 1", 8),
            ("another text of 500 MB", "del text; text = 'é' * 500_000_000", 500_000_000),
        ):
            before = kernel.ask("reset_peak")
            kernel.run(source)
            more = kernel.ask("peak") - before
            rows.append(
                at_most(
                    f"peak of memory, {what}", "the changed data and 64 MB",
                    more / (changed + 64 * MB), 1, f"{more / 1e6:.0f} MB more than before",
                )
            )  # fmt: skip
    return rows


PARTS = {
    "tiny": lambda _: tiny_cells(),
    "array": lambda _: one_element(),
    "pages": lambda _: one_element_by_pages(),
    "dict": lambda _: one_dict(),
    "loop": lambda _: plain_loop(),
    "start": lambda _: start(),
    "peaks": lambda _: peaks(),
}
