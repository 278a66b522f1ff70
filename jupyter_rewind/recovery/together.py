"""Kernels that began at one moment: what was run tells whose session was whose, their order little.

A server that starts the kernels of a whole workspace starts them at once, and each takes as long as
its luck is. The order of their sessions is kept where nothing else speaks, and called a guess.
"""

from __future__ import annotations

import os.path
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from jupyter_rewind.recovery.counts import Counts, Lines
from jupyter_rewind.recovery.evidence import FoundDocument, FoundKernel
from jupyter_rewind.recovery.homes import Home, Words
from jupyter_rewind.recovery.kernelruns import SECOND, Moments

HARDLY = 2 * SECOND
"""Kernels that start at one time take that much more or less, each as its luck is."""
SPEAKS, DECIDES = 0.1, 0.25
"""By so much better must another pairing fit to be taken, and the best one to be called certain."""


MOST = 2.0
"""How well a run fits a notebook at most: what a trace names."""
NONE_LEFT = ""
Key = int | str
Node = tuple[bool, Key]
"""A kernel (True) by its key, or a run by its place."""
Pair = tuple[int | None, int | None]


class Fits:
    """How well runs fit notebooks, by code, names and counts; asked of few."""

    def __init__(
        self, words: Words, lines: Sequence[Lines], documents: Iterable[FoundDocument]
    ) -> None:
        self._words, self._lines = words, lines
        self._documents: dict[str, list[FoundDocument]] = {}
        for each in documents:
            if each.trace.notebook is not None:
                place = os.path.normpath(each.trace.notebook)
                self._documents.setdefault(place, []).append(each)
        self._known: dict[str, tuple[Home, Counts]] = {}

    def of(self, number: int | None, notebook: str) -> float:
        """From 0 to 2; 0 for a run (None) that ran nothing, and a notebook of which nothing is
        left."""
        own = self._documents.get(os.path.normpath(notebook))
        if number is None or own is None:
            return 0.0
        if notebook not in self._known:
            code = {c.source for each in own for c in each.cells if c.kind == "code"}
            self._known[notebook] = Home(self._words, code), Counts(own)
        home, counts = self._known[notebook]
        return home.share(number) + counts.share(self._lines[number])


@dataclass(frozen=True, slots=True)
class Together:
    """Runs and kernels that began so close together that their order says little.

    `near` are the pairs that may be (the run's place among all, the kernel's in `kernels`) and how
    odd each is; `pairs` are those that the order tells.
    """

    runs: tuple[int, ...]
    kernels: tuple[FoundKernel, ...]
    near: Mapping[tuple[int, int], int]
    pairs: Mapping[int, int]


def all_together(moments: Moments) -> list[Together]:
    """The groups in which the order of starts leaves open whose run is whose."""
    groups: dict[Node, tuple[list[int], list[Key]]] = {}
    joined = _Joined()
    for key, at in _exchangeable(moments):
        joined.join((True, key), (False, at))
    for key in moments.near:
        groups.setdefault(joined.root((True, key)), ([], []))[1].append(key)
    for at in range(len(moments.starts)):
        if (root := joined.root((False, at))) in groups:
            groups[root][0].append(at)
    return [
        _together(moments, ats, keys)
        for ats, keys in groups.values()
        if len(ats) > 1 or (ats and len(keys) > 1)
    ]


class _Joined:
    """What was joined, one with another, has one root."""

    def __init__(self) -> None:
        self._above: dict[Node, Node] = {}

    def root(self, node: Node) -> Node:
        while (above := self._above.get(node, node)) != node:
            node = above
        return node

    def join(self, one: Node, other: Node) -> None:
        self._above[self.root(other)] = self.root(one)


def _exchangeable(moments: Moments) -> Iterator[tuple[Key, int]]:
    """Each kernel's key with the place of its run, and of those that it might have had instead:
    that would be hardly more odd."""
    near = moments.near
    own = {
        key: at
        for key, pairs in near.items()
        for at, (_, which) in pairs.items()
        if moments.paired.get(at) == which
    }
    holder = {at: key for key, at in own.items()}
    yield from own.items()
    for key, pairs in near.items():
        mine, oddity = own.get(key), 0
        if mine is not None:
            oddity = pairs[mine][0]
        for at in pairs:
            other = holder.get(at)
            if other is None:
                more = pairs[at][0] - oddity
                # What began as another ended is that one's restart.
                if not moments.has_just_ended(at) and more <= HARDLY:
                    yield key, at
            elif mine is None or mine in near[other]:
                theirs = 0 if mine is None else near[other][mine][0]
                if pairs[at][0] + theirs - oddity - near[other][at][0] <= HARDLY:
                    yield key, at


def _together(moments: Moments, ats: Sequence[int], keys: Sequence[Key]) -> Together:
    began = [moments.near[key] for key in keys]
    near = {
        (at, number): pairs[at] for number, pairs in enumerate(began) for at in ats if at in pairs
    }
    run = {at: moments.starts[at][1] for at in ats}
    return Together(
        tuple(run.values()),
        tuple(moments.kernels[min(pairs.values())[1]] for pairs in began),
        {(run[at], number): oddity for (at, number), (oddity, _) in near.items()},
        {
            run[at]: number
            for (at, number), (_, which) in near.items()
            if moments.paired.get(at) == which
        },
    )


@dataclass(frozen=True, slots=True)
class Begun:
    """The kernel of a run, None where its file is left for none; `certain` where that is sure.

    `others` are notebooks that the run may as well be of, since their kernels began with its own;
    NONE_LEFT stands for one whose kernel left no file.
    """

    kernel: FoundKernel | None
    certain: bool = True
    others: frozenset[str] = frozenset()

    @property
    def odds(self) -> float:
        """How likely the kernel is the run's among those that began with it."""
        return 1 / (1 + len(self.others))

    @property
    def notebooks(self) -> frozenset[str]:
        """All that the run may be of, where that is open."""
        own = NONE_LEFT if self.kernel is None else self.kernel.notebook
        return self.others | {own} if self.others else frozenset()


def settle(together: Together, fit: Callable[[int, str], float]) -> dict[int, Begun]:
    """Each run with its kernel, so that all of them fit best; `fit` tells how well a run fits a
    notebook."""
    return _Settling(together, fit).begun()


class _Settling:
    """Pairs of runs and kernels, in part without the one or the other, and exchanges of them."""

    def __init__(self, together: Together, fit: Callable[[int, str], float]) -> None:
        self.together = together
        self.worth = {
            (run, which): fit(run, together.kernels[which].notebook) for run, which in together.near
        }
        free = set(range(len(together.kernels))) - set(together.pairs.values())
        self.pairs: list[Pair] = [(run, together.pairs.get(run)) for run in together.runs]
        self.pairs += [(None, which) for which in sorted(free)]
        self._improve()

    def _improve(self) -> None:
        """Exchanges while that fits better; each exchange does, so that it ends."""
        better = True
        while better:
            better = False
            for a in range(len(self.pairs)):
                for b in range(a):
                    loss = self._loss(a, b)
                    if loss is not None and loss <= -SPEAKS:
                        (one, its), (two, others) = self.pairs[a], self.pairs[b]
                        self.pairs[a], self.pairs[b] = (one, others), (two, its)
                        better = True

    def begun(self) -> dict[int, Begun]:
        found = {}
        for at, (run, which) in enumerate(self.pairs):
            if run is not None:
                kernel = None if which is None else self.together.kernels[which]
                own = NONE_LEFT if kernel is None else kernel.notebook
                others = frozenset(self._others(at)) - {own}
                found[run] = Begun(kernel, not others, others)
        return found

    def _others(self, at: int) -> Iterator[str]:
        """The notebooks that the run of a pair would fit hardly less."""
        for b, (_, which) in enumerate(self.pairs):
            loss = self._loss(at, b) if b != at else None
            if loss is not None and loss < DECIDES and self._odder(at, b) <= HARDLY:
                yield NONE_LEFT if which is None else self.together.kernels[which].notebook

    def _loss(self, a: int, b: int) -> float | None:
        """How much less all would fit if the pairs exchanged their kernels; None: they cannot."""
        (one, its), (two, others) = self.pairs[a], self.pairs[b]
        if not (self._may_be(one, others) and self._may_be(two, its)):
            return None
        now = self._worth(one, its) + self._worth(two, others)
        return now - self._worth(one, others) - self._worth(two, its)

    def _may_be(self, run: int | None, which: int | None) -> bool:
        return run is None or which is None or (run, which) in self.together.near

    def _worth(self, run: int | None, which: int | None) -> float:
        return self.worth.get((run, which), 0.0) if run is not None and which is not None else 0.0

    def _odder(self, a: int, b: int) -> int:
        (one, its), (two, others) = self.pairs[a], self.pairs[b]
        return (
            self._odd(one, others) + self._odd(two, its) - self._odd(one, its)
            - self._odd(two, others)
        )  # fmt: skip

    def _odd(self, run: int | None, which: int | None) -> int:
        near = self.together.near
        return near.get((run, which), 0) if run is not None and which is not None else 0
