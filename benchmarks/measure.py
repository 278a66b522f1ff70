"""What every benchmark shares: medians of several rounds, and rows of ratios against a bar."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One measured ratio: what, against what, the bar, and the figures behind it."""

    what: str
    against: str
    ratio: float
    bar: float
    at_most: bool
    figures: str

    @property
    def holds(self) -> bool:
        return self.ratio <= self.bar if self.at_most else self.ratio >= self.bar

    def cells(self) -> tuple[str, ...]:
        sign = "≤" if self.at_most else "≥"
        verdict = "yes" if self.holds else "**no**"
        return (
            self.what, self.against, f"{self.ratio:.3g}", f"{sign} {self.bar:g}", verdict,
            self.figures,
        )  # fmt: skip


def at_most(what: str, against: str, ratio: float, bar: float, figures: str) -> Row:
    """A row that holds while `ratio` stays at or below `bar`."""
    return Row(what, against, ratio, bar, True, figures)


def at_least(what: str, against: str, ratio: float, bar: float, figures: str) -> Row:
    """A row that holds while `ratio` reaches `bar`."""
    return Row(what, against, ratio, bar, False, figures)


def run_parts(parts: Mapping[str, Callable[[Path], list[Row]]]) -> list[Row]:
    """The rows of all parts, each in a folder of its own below BENCHMARK_FOLDER, or among the
    temporary ones."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCHMARK_FOLDER")) as name:
        return [row for part, run in parts.items() for row in run(Path(name) / part)]


def wall(action: Callable[[], object]) -> float:
    """Seconds of wall time of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def cpu(action: Callable[[], object]) -> float:
    """Seconds of processor time of one call, all threads of this process together."""
    start = time.process_time()
    action()
    return time.process_time() - start


def side_by_side(
    first: Callable[[], float], second: Callable[[], float], rounds: int = 5
) -> tuple[float, float]:
    """The medians of two measurements whose rounds alternate, so that both see the same noise."""
    ones, twos = [], []
    for _ in range(rounds):
        ones.append(first())
        twos.append(second())
    return statistics.median(ones), statistics.median(twos)
