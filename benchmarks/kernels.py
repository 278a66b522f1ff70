"""States of kernels: Rewind beside Kishu, dill and cloudpickle, on the same notebooks.

`python -m benchmarks kernels` plays each notebook in real kernels, once with each tool, and goes
back to a state in its middle and to its last one. `kernels/WORD` measures those alone whose name
has that word.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks.cells.driver import DUMPING, Played, play, play_plain
from benchmarks.cells.workloads import Workload, workloads
from benchmarks.measure import Row, at_least, at_most
from benchmarks.peer_environment import kishu_python

PATIENCE = 240.0
"""No cell of a peer begins later than this many seconds after its first one."""


def measure() -> list[Row]:
    """All rows of this benchmark; about half an hour, most of it Kishu's."""
    return measure_some("")


def measure_some(word: str) -> list[Row]:
    """The rows of the notebooks whose name has `word`."""
    kishu = kishu_python()
    chosen = [one for one in workloads() if word in one.name]
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
    """Pause, bytes and going back, as ratios to Kishu's, over the cells that Kishu kept."""
    kishu = peers.get("Kishu")
    if kishu is None or not kishu.kept:
        return []
    counts = kishu.kept
    short = f"; {len(counts)} of {len(workload.cells)} cells"
    short = short if len(counts) < len(workload.cells) else ""
    name = workload.name
    rows = [
        at_least(
            f"{name}: pause of all cells", "Kishu's, times less",
            kishu.pause(counts) / ours.pause(counts), 20,
            f"{cost(ours, counts)}; Kishu {cost(kishu, counts)}" + short + others(peers),
        ),
        stored(f"{name}: bytes stored", ours, kishu, counts, 3, short),
    ]  # fmt: skip
    edits = [count for count in counts if count > workload.makes]
    if workload.edits and edits:
        rows.append(stored(f"{name}: bytes stored by edits", ours, kishu, edits, 10, short))
    return [*rows, *going_back(name, ours, kishu)]


def stored(
    name: str, ours: Played, kishu: Played, counts: list[int], bar: float, short: str
) -> Row:
    mine, his = ours.stored(counts), kishu.stored(counts)
    figures = f"{size(mine)} against {size(his)}{short}"
    return at_least(name, "Kishu's, times less", his / mine, bar, figures)


def cost(played: Played, counts: list[int]) -> str:
    """What the pauses come to, and the usual one."""
    return f"{seconds(played.pause(counts))}, median {seconds(played.median(counts))}"


def others(peers: dict[str, Played]) -> str:
    """What a dump of everything costs."""
    found = [(who, one) for who, one in peers.items() if one.tool in DUMPING]
    return "".join(
        f"; {who} {cost(one, one.kept)}, {size(one.stored(one.kept))}" for who, one in found
    )


def going_back(name: str, ours: Played, kishu: Played) -> list[Row]:
    """Both ways together, and the worse one; where a peer fails, there is nothing to compare."""
    pairs = [
        (way, mine, his)
        for way, mine, his in zip(("back", "forth"), ours.backs, kishu.backs, strict=True)
        if not his.error
    ]
    if not pairs:
        return []
    figures = "; ".join(
        f"{way} {seconds(mine.seconds)} against {seconds(his.seconds)}" for way, mine, his in pairs
    )
    mine = sum(mine.seconds for _, mine, _ in pairs)
    his = sum(his.seconds for _, _, his in pairs)
    worst = min(his.seconds / mine.seconds for _, mine, his in pairs)
    return [
        at_least(f"{name}: going back", "Kishu's time, times less", his / mine, 5, figures),
        at_least(
            f"{name}: going back, the slower way", "Kishu's time, times less", worst, 1, figures
        ),
    ]


def correct(
    workload: Workload, ours: Played, peers: dict[str, Played], truths: dict[int, dict[str, str]]
) -> Row:
    """Variables that are not as they were, and states that were not kept."""
    figures = [describe_faults(ours, truths)]
    figures += [f"{who} {describe_faults(one, truths)}" for who, one in peers.items()]
    return at_most(
        f"{workload.name}: wrong variables after going back, states not kept", "none",
        wrong(ours, truths) + len(ours.failures), 0, "; ".join(figures),
    )  # fmt: skip


def wrong(played: Played, truths: dict[int, dict[str, str]]) -> int:
    return sum(back.wrong(truths[back.count]) for back in played.backs)


def describe_faults(played: Played, truths: dict[int, dict[str, str]]) -> str:
    asked = sum(len(truths[back.count]) for back in played.backs)
    failed = sum(bool(back.error) for back in played.backs)
    return (
        f"{wrong(played, truths)} of {asked} wrong"
        + (f" ({failed} of {len(played.backs)} ways failed)" if failed else "")
        + f", {len(played.failures)} of {len(played.cells)} not kept"
    )


def describe(played: Played, truths: dict[int, dict[str, str]]) -> str:
    """All figures of one tool, for whoever watches."""
    counts = list(range(1, len(played.cells) + 1))
    backs = ", ".join(seconds(back.seconds) for back in played.backs)
    behind = sum(cell.behind for cell in played.cells)
    said = [*list(played.failures.items())[:2], *(b.error for b in played.backs if b.error)]
    names = {
        name
        for back in played.backs
        for name, one in truths[back.count].items()
        if back.found.get(name) != one
    }
    return (
        f"{len(counts)} cells, pause {cost(played, counts)}, behind {seconds(behind)},"
        f" stored {size(played.stored(counts))}, back {backs}, peak {size(played.peak)},"
        f" {describe_faults(played, truths)} {said or ''} {sorted(names)[:8]}"
    )


def seconds(number: float) -> str:
    return f"{number:.1f} s" if number >= 1 else f"{number * 1e3:.3g} ms"


def size(count: float) -> str:
    number, units = float(count), ["B", "KB", "MB", "GB"]
    while number >= 1000 and len(units) > 1:
        number, units = number / 1000, units[1:]
    return f"{number:.3g} {units[0]}"


class _Words(Mapping[str, Callable[[Path], list[Row]]]):
    """A part for each word of a notebook's name."""

    def __getitem__(self, word: str) -> Callable[[Path], list[Row]]:
        if not any(word in name for name in self):
            raise KeyError(word)
        return lambda _: measure_some(word)

    def __iter__(self) -> Iterator[str]:
        return (one.name for one in workloads())

    def __len__(self) -> int:
        return len(workloads())


PARTS = _Words()
