"""Which kernel a session of IPython's was: by the moment it began, and by restarts.

A connection file is written about a second before the session of its kernel begins, and stays
as it is when the kernel is restarted. So a session that begins with no file of its own, just when
another ended, is that other's kernel, restarted.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_rewind.recovery.evidence import FoundDocument, FoundKernel, FoundRun

SECOND = 1_000_000_000
BEFORE, AFTER = 2 * SECOND, 15 * SECOND
"""A kernel's connection file is written about a second before IPython opens its session."""
RESTARTED = 3 * SECOND
RESTARTED_SURELY = 10 * SECOND
"""A restarted kernel is back about a second after it ended, on a loaded machine later."""
_ROUNDING = SECOND // 5
_AT_HOME = ("python", "sage", "coconut", "xonsh")
"""What the languages of kernels that are IPython are called, in whole or in part."""


def is_ipython(language: str) -> bool:
    """Whether a kernel of that language can have written IPython's history ("": not known)."""
    told = language.lower()
    return not told or any(each in told for each in _AT_HOME)


def language_of(document: FoundDocument) -> str:
    """The language that a notebook says it is in; "" where it says none."""
    return language_in(document.metadata)


def language_in(metadata: Mapping[str, Any]) -> str:
    """The language that a notebook's metadata name; "" where they name none."""
    for key, name in (("kernelspec", "language"), ("language_info", "name")):
        told = metadata.get(key)
        language = told.get(name) if isinstance(told, Mapping) else None
        if isinstance(language, str) and language:
            return language
    return ""


class Moments:
    """When runs and kernels began: which may belong together, and which do by their order.

    `starts` are the runs (by their place among all) in the order in which they began. `near` has
    the places in `starts` of each kernel's runs, how odd each would be, and the kernel's place.
    """

    def __init__(self, runs: Sequence[FoundRun], kernels: Sequence[FoundKernel]) -> None:
        self.kernels = kernels
        self.starts = sorted((run.started_ns, at) for at, run in enumerate(runs) if run.started_ns)
        self._ends = sorted(run.ended_ns for run in runs if run.ended_ns)
        # One kernel may be told of twice, by its file and its process: it served one run at most.
        languages = {each.kernel: each.language for each in kernels if each.language}
        self.near: dict[int | str, dict[int, tuple[int, int]]] = {}
        for which, kernel in enumerate(kernels):
            language = languages.get(kernel.kernel, "") if kernel.kernel else kernel.language
            if kernel.started_ns is not None and is_ipython(language):
                self._add(which, kernel.kernel or which, kernel.started_ns)
        self.paired = dict(_pair_in_order(self.near, kernels))

    def _add(self, which: int, key: int | str, began: int) -> None:
        for at in range(bisect_left(self.starts, (began - BEFORE, -1)), len(self.starts)):
            delay = self.starts[at][0] - began
            if delay > AFTER:
                break
            if delay >= 0 or not self.has_just_ended(at):
                pairs = self.near.setdefault(key, {})
                pairs[at] = min(pairs.get(at, (_oddity(delay), which)), (_oddity(delay), which))

    def has_just_ended(self, at: int) -> bool:
        """Whether any run ended just before that one: it was a restart, not a kernel of later."""
        moment = self.starts[at][0]
        last = bisect_right(self._ends, moment)
        return last > 0 and moment - self._ends[last - 1] <= RESTARTED

    def kernels_of(self) -> dict[int, FoundKernel]:
        """The kernel of each run whose start its connection file tells; each serves for one run."""
        return {self.starts[at][1]: self.kernels[which] for at, which in self.paired.items()}


def kernels_of(runs: Sequence[FoundRun], kernels: Sequence[FoundKernel]) -> dict[int, FoundKernel]:
    """The kernel of each run whose start its connection file tells; each serves for one run."""
    return Moments(runs, kernels).kernels_of()


def _pair_in_order(
    near: Mapping[int | str, Mapping[int, tuple[int, int]]], kernels: Sequence[FoundKernel]
) -> Iterator[tuple[int, int]]:
    """Place of a session and of its kernel, for as many as can be, the least odd together: whose
    kernel was started first began first. `near` has each kernel's sessions, how odd each would be,
    and the place of the kernel's record.

    Pair by pair, the second of two kernels might be given away to the first one's session.
    """
    ordered = sorted(near.values(), key=lambda pairs: min(
        kernels[which].started_ns or 0 for _, which in pairs.values()
    ))  # fmt: skip
    # Paths by the last session that they use: how many pairs (negative), their oddity, the pairs.
    paths: dict[int, tuple[int, int, Any]] = {-1: (0, 0, None)}
    for pairs in ordered:
        longer: dict[int, tuple[int, int, Any]] = {}
        for at, (oddity, which) in pairs.items():
            count, sum_, path = min(
                (each for last, each in paths.items() if last < at), key=lambda each: each[:2]
            )
            longer[at] = count - 1, sum_ + oddity, (at, which, path)
        for at, one in longer.items():
            if at not in paths or one[:2] < paths[at][:2]:
                paths[at] = one
    path = min(paths.values(), key=lambda each: each[:2])[2]
    while path is not None:
        at, which, path = path
        yield at, which


@dataclass(frozen=True, slots=True)
class Restart:
    """The run (by its place among all) whose kernel was restarted; `certain` where that is sure.

    A kernel that is shut down loses its connection file: where the file of one that ended is
    still there, it was restarted.
    """

    of: int
    certain: bool


def restarts_of(runs: Sequence[FoundRun], kernels: Mapping[int, FoundKernel]) -> dict[int, Restart]:
    """The runs that are restarts of another, each with that one; doubtful pairs are left out."""
    found: dict[int, Restart] = {}
    ended = sorted(
        (run.ended_ns, number) for number, run in enumerate(runs) if run.ended_ns is not None
    )
    taken: set[int] = set()
    for _, number in sorted((run.started_ns or 0, at) for at, run in enumerate(runs)):
        started = runs[number].started_ns
        if started is None or number in kernels:
            continue
        near = [
            before
            for end, before in ended[bisect_left(ended, (started - RESTARTED_SURELY, -1)) :]
            if -_ROUNDING <= started - end <= _reach(before, kernels)
            and before != number
            and before not in taken
        ]
        near = [each for each in near if each in kernels] or near
        if len(near) != 1:
            # Where two ended just then, either may have come back.
            continue
        before = near[0]
        certain = before in kernels or (before in found and found[before].certain)
        found[number] = Restart(before, certain)
        taken.add(before)
    return found


def _reach(number: int, kernels: Mapping[int, FoundKernel]) -> int:
    return RESTARTED_SURELY if number in kernels else RESTARTED


def _oddity(delay_ns: int) -> int:
    """How unlike a kernel's start it is that its session begins so long after its file. Half a
    second on a fast machine, more on a slow one; never before, but for clocks that round."""
    if delay_ns < 0:
        return 10 * SECOND - delay_ns
    return delay_ns - SECOND if delay_ns > SECOND else (SECOND - delay_ns) // 4
