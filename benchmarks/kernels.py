"""States of kernels: Rewind beside Kishu, dill and cloudpickle, on the same notebooks.

`python -m benchmarks kernels` plays each notebook in real kernels, once with each tool, and goes
back to a state in its middle and to its last one. $BENCHMARK_WORKLOADS names some of them (parts
of names, with commas between) where not all are wanted.
"""

from __future__ import annotations

import os
import statistics
import sys
from pathlib import Path

from benchmarks.cells.driver import Played, play, play_plain
from benchmarks.cells.workloads import Workload, workloads
from benchmarks.measure import Row, at_least, at_most
from benchmarks.peer_environment import kishu_python

PATIENCE = 240.0
"""No cell of a peer begins later than this many seconds after its first one."""


def measure() -> list[Row]:
    """All rows of this benchmark; about half an hour, most of it Kishu's."""
    kishu = kishu_python()
    wanted = os.environ.get("BENCHMARK_WORKLOADS", "").split(",")
    chosen = [one for one in workloads() if any(part in one.name for part in wanted)]
    return [row for workload in chosen for row in measure_workload(workload, kishu)]


def measure_workload(workload: Workload, kishu: Path | None) -> list[Row]:
    """The rows of one notebook."""
    cells = workload.cells
    peers = {}
    if kishu is not None:
        peers["Kishu"] = play("kishu", cells, python=kishu, seconds=PATIENCE)
    for name in ("dill", "cloudpickle"):
        peers[name] = play(name, cells, seconds=PATIENCE)
    ours = play("rewind", cells)
    everyone = [ours, *peers.values()]
    counts = {back.count for each in everyone for back in each.backs}
    truths = play_plain(cells, sorted(counts)).truths
    for name, each in {"Rewind": ours, **peers}.items():
        sys.stderr.write(f"{workload.name}: {name}: {describe(each, truths)}\n")
    return [
        *beside(workload, ours, peers),
        correct(workload, ours, peers, truths),
    ]


def beside(workload: Workload, ours: Played, peers: dict[str, Played]) -> list[Row]:
    """Pause, bytes and going back, as ratios to Kishu's."""
    kishu = peers.get("Kishu")
    if kishu is None:
        return []
    count = len(kishu.cells)
    short = f"; the first {count} cells" if count < len(workload.cells) else ""
    name = workload.name
    rows = [
        at_least(
            f"{name}: pause of all cells", "Kishu's, times less",
            kishu.pause(count) / ours.pause(count), 20,
            f"{seconds(ours.pause(count))}, median {seconds(median(ours))}; "
            + "; ".join(f"{who} {seconds(one.pause(count))}, median {seconds(median(one))}"
                        for who, one in peers.items()) + short,
        ),
        at_least(
            f"{name}: bytes stored", "Kishu's, times less",
            kishu.stored(count) / ours.stored(count), 3,
            f"{size(ours.stored(count))}; "
            + "; ".join(f"{who} {size(one.stored(len(one.cells)))}" for who, one in peers.items())
            + short,
        ),
    ]  # fmt: skip
    if workload.edits and count > workload.makes:
        made = workload.makes
        rows.append(
            at_least(
                f"{name}: bytes stored by edits", "Kishu's, times less",
                kishu.stored(count, made) / ours.stored(count, made), 10,
                f"{size(ours.stored(count, made))} against {size(kishu.stored(count, made))}"
                + short,
            )
        )  # fmt: skip
    return [*rows, *going_back(name, ours, kishu, short)]


def going_back(name: str, ours: Played, kishu: Played, short: str) -> list[Row]:
    """Both ways together, and the worse one."""
    pairs = list(zip(ours.backs, kishu.backs, strict=True))
    figures = "; ".join(
        f"{way} {seconds(mine.seconds)} against {seconds(his.seconds)}"
        for way, (mine, his) in zip(("back", "forth"), pairs, strict=True)
    )
    mine, his = sum(each.seconds for each in ours.backs), sum(each.seconds for each in kishu.backs)
    return [
        at_least(f"{name}: going back", "Kishu's time, times less", his / mine, 5, figures + short),
        at_least(
            f"{name}: going back, the slower way", "Kishu's time, times less",
            min(his.seconds / mine.seconds for mine, his in pairs), 1, figures + short,
        ),
    ]  # fmt: skip


def correct(
    workload: Workload, ours: Played, peers: dict[str, Played], truths: dict[int, dict[str, str]]
) -> Row:
    """Variables that are not as they were, and states that were not kept."""
    figures = [f"{describe_faults(ours, truths)}"]
    figures += [f"{who} {describe_faults(one, truths)}" for who, one in peers.items()]
    return at_most(
        f"{workload.name}: wrong variables after going back, states not kept", "none",
        wrong(ours, truths) + len(ours.failures), 0, "; ".join(figures),
    )  # fmt: skip


def wrong(played: Played, truths: dict[int, dict[str, str]]) -> int:
    return sum(back.wrong(truths[back.count]) for back in played.backs)


def describe_faults(played: Played, truths: dict[int, dict[str, str]]) -> str:
    asked = sum(len(truths[back.count]) for back in played.backs)
    return (
        f"{wrong(played, truths)} of {asked} wrong,"
        f" {len(played.failures)} of {len(played.cells)} not kept"
    )


def describe(played: Played, truths: dict[int, dict[str, str]]) -> str:
    """All figures of one tool, for whoever watches."""
    count = len(played.cells)
    backs = ", ".join(seconds(back.seconds) for back in played.backs)
    errors = [back.error for back in played.backs if back.error]
    behind = sum(cell.behind for cell in played.cells)
    names = [
        name
        for back in played.backs
        for name, one in truths[back.count].items()
        if back.found.get(name) != one
    ]
    return (
        f"{count} cells, pause {seconds(played.pause(count))}, median {seconds(median(played))},"
        f" behind {seconds(behind)}, stored {size(played.stored(count))}, back {backs},"
        f" peak {size(played.peak)}, {describe_faults(played, truths)}"
        f" {played.failures[:2]} {errors} {names[:8]}"
    )


def median(played: Played) -> float:
    return statistics.median(cell.pause for cell in played.cells)


def seconds(number: float) -> str:
    return f"{number:.1f} s" if number >= 10 else f"{number * 1e3:.3g} ms"


def size(count: float) -> str:
    number, units = float(count), ["B", "KB", "MB", "GB"]
    while number >= 1000 and len(units) > 1:
        number, units = number / 1000, units[1:]
    return f"{number:.3g} {units[0]}"
