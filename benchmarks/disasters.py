"""Makes disasters whose truth is known: notebooks that were worked on, and what is left of them.

A user is played who turns one version of a notebook into another: cell by cell, with slips, half
finished tries, numbers tuned by running again, looks at values, restarts, cells that are never
run; other notebooks are worked on at the same time, and code is copied between them. What is kept
is what a crash leaves: perhaps an old document, IPython's history, connection files.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import partial

Cell = tuple[str, str]
SECOND = 1_000_000_000
NAME = re.compile(r"\b[a-zA-Z_]\w{2,}\b")
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")
LOOKS = (
    "{}", "{}.shape", "{}.head()", "print({})", "len({})", "type({})", "{}[:3]", "{}.describe()",
    "list({})[:5]", "dir({})", "%who", "!ls", "{}?", "2**10", "help({})", "repr({})",
    "sum({})", "{}.dtypes", "%timeit {}", "import os; os.getcwd()",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Habits:
    """How the played user works; every number is a probability or a mean."""

    slip: float = 0.12
    half: float = 0.25
    tune: float = 0.12
    look: float = 0.12
    again: float = 0.15
    stray: float = 0.12
    jump: float = 0.15
    restart: float = 0.04
    run_all: float = 0.7
    never_run: float = 0.05
    unrun_edit: float = 0.05
    skip: float = 0.01


@dataclass(slots=True)
class Played:
    """One session: when it began and ended (None: it crashed), and what was run."""

    started: float
    ended: float | None = None
    executed: list[str] = field(default_factory=list)
    notebook: str = ""
    marks: list[int | None] = field(default_factory=list)
    """Of each execution, the number of the cell that it was (None: a look, no cell)."""


@dataclass(frozen=True, slots=True)
class Disaster:
    """What is left, and what was lost. `stale` is None where no document is left."""

    stale: tuple[Cell, ...] | None
    stale_at: float
    truth: tuple[Cell, ...]
    sessions: tuple[Played, ...]
    kernels: tuple[tuple[float, str], ...]
    own: frozenset[int]


# ---------------------------------------------------------------------- the two versions


def earlier_version(
    chance: random.Random, truth: Sequence[Cell], others: Sequence[str]
) -> list[Cell]:
    """What the notebook may have been before: cells missing, other cells, other names."""
    cells: list[Cell] = []
    heavy = chance.choice((0.05, 0.15, 0.3))
    renames = _renames(chance, truth) if chance.random() < 0.4 else {}
    for kind, source in truth:
        roll = chance.random()
        if roll < heavy * 0.45 and len(cells) > 1:
            continue
        if kind == "code":
            for new, old in renames.items():
                source = re.sub(rf"\b{re.escape(new)}\b", old, source)
            if roll < heavy:
                source = _older_text(chance, source)
            if roll > 1 - heavy * 0.1 and "\n\n" in source:
                first, rest = source.split("\n\n", 1)
                cells.append((kind, first))
                source = rest
        elif roll < heavy:
            source = source[: len(source) // 2] or source
        cells.append((kind, source))
        if others and chance.random() < heavy * 0.3:
            cells.append(("code", chance.choice(others)))
    return cells


def _renames(chance: random.Random, truth: Sequence[Cell]) -> dict[str, str]:
    words = [word for kind, source in truth if kind == "code" for word in NAME.findall(source)]
    often = sorted({word for word in words if words.count(word) > 2 and len(word) > 3})
    picked = chance.sample(often, min(len(often), 2))
    return {word: chance.choice((word + "_old", "my_" + word, word[:-1])) for word in picked}


def _older_text(chance: random.Random, source: str) -> str:
    lines = source.split("\n")
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(lines))
        how = chance.random()
        if how < 0.4 and len(lines) > 1:
            del lines[at]
        elif how < 0.7:
            lines[at] = NUMBER.sub(lambda found: str(chance.randint(1, 99)), lines[at])
        else:
            words = NAME.findall(lines[at])
            if words:
                lines[at] = lines[at].replace(chance.choice(words), chance.choice(words) + "2")
    return "\n".join(lines)


# ---------------------------------------------------------------------- the work between them


@dataclass(slots=True, eq=False)
class _Live:
    kind: str
    source: str
    never: bool = False
    mark: int = -1


class User:
    """Turns `stale` into `truth`, running cells as people do; `sessions` is what was run."""

    def __init__(
        self, chance: random.Random, stale: Sequence[Cell], habits: Habits, started: float
    ) -> None:
        self.chance, self.habits = chance, habits
        self.cells = [
            _Live(kind, source, chance.random() < habits.never_run) for kind, source in stale
        ]
        for number, cell in enumerate(self.cells):
            cell.mark = number
        self.marks = len(self.cells)
        self.clock = started
        self.sessions: list[Played] = []
        self.frontier: _Live | None = None

    def work(self, truth: Sequence[Cell]) -> None:
        """All changes, in about the order of the cells."""
        self.start()
        for change in self._changes(truth):
            if self.chance.random() < self.habits.restart:
                self.restart()
            change()
            if self.chance.random() < self.habits.look:
                self._look()
            if self.chance.random() < self.habits.stray:
                self._stray()

    def start(self) -> None:
        """A new kernel; often the cells are run up to where the user works."""
        self.sessions.append(Played(self.clock))
        if self.chance.random() < self.habits.run_all:
            self._run_all()

    def restart(self) -> None:
        """The kernel goes, cleanly or not, and another starts; sometimes days later."""
        here = self.sessions[-1]
        here.ended = self.clock if self.chance.random() < 0.7 else None
        self.clock += self.chance.choice((5, 40, 600, 40_000))
        self.start()

    def _run_all(self) -> None:
        until = self.frontier if self.chance.random() < 0.4 else None
        for cell in list(self.cells):
            if cell.kind == "code" and not cell.never and self.chance.random() > self.habits.skip:
                self._run(cell.source, cell)
            if cell is until:
                return

    def _run(self, source: str, cell: _Live | None = None) -> None:
        self.clock += self.chance.expovariate(1 / 20)
        if source.strip():
            self.sessions[-1].executed.append(source)
            self.sessions[-1].marks.append(None if cell is None else cell.mark)

    def _changes(self, truth: Sequence[Cell]) -> list[Callable[[], None]]:
        """What is to be done, in the order in which it will be."""
        now = [(cell.kind, cell.source) for cell in self.cells]
        places: dict[int, _Live] = {}
        changes: list[Callable[[], None]] = []
        matcher = SequenceMatcher(None, now, list(truth), autojunk=False)
        for kind, a, b, x, y in matcher.get_opcodes():
            if kind == "equal":
                places.update(zip(range(x, y), self.cells[a:b], strict=True))
                continue
            pairs = _pair(now[a:b], truth[x:y])
            kept = {here: there for there, here in pairs}
            for at in range(b - a):
                if at not in kept:
                    changes.append(partial(self._delete, self.cells[a + at]))
            paired = dict(pairs)
            for at in range(y - x):
                if at in paired:
                    live = self.cells[a + paired[at]]
                    places[x + at] = live
                    if live.source != truth[x + at][1]:
                        changes.append(partial(self._edit, live, truth[x + at][1]))
                else:
                    changes.append(partial(self._add, places, x + at, truth[x + at]))
        for at in range(len(changes) - 1):
            if self.chance.random() < self.habits.jump:
                other = min(len(changes) - 1, at + self.chance.randint(1, 4))
                changes[at], changes[other] = changes[other], changes[at]
        return changes

    def _delete(self, live: _Live) -> None:
        self.cells.remove(live)
        if self.frontier is live:
            self.frontier = None

    def _edit(self, live: _Live, text: str) -> None:
        if live.kind == "code" and self.chance.random() > self.habits.unrun_edit:
            self._towards(live, live.source, text)
        live.source = text
        self.frontier = live

    def _add(self, places: dict[int, _Live], at: int, cell: Cell) -> None:
        live = _Live(*cell, mark=self.marks)
        self.marks += 1
        present = [place for place in places if place < at and places[place] in self.cells]
        before = max(present, default=None)
        where = self.cells.index(places[before]) + 1 if before is not None else 0
        self.cells.insert(where, live)
        places[at] = live
        self.frontier = live
        live.never = self.chance.random() < self.habits.never_run
        if live.kind == "code" and not live.never:
            self._towards(live, "", cell[1])

    def _towards(self, live: _Live, old: str, text: str) -> None:
        """Runs of the cell until its text is right, and perhaps a few more."""
        chance, habits = self.chance, self.habits
        while chance.random() < habits.half:
            self._run(_half_way(chance, old, text), live)
        if chance.random() < habits.tune and NUMBER.search(text):
            for _ in range(chance.randint(1, 4)):
                self._run(
                    NUMBER.sub(lambda found: str(chance.randint(1, 500)), text, count=1), live
                )
        while chance.random() < habits.slip:
            self._run(_slipped(chance, text), live)
        live.source = text
        self._run(text, live)
        while chance.random() < habits.again:
            self._run(text, live)

    def _look(self) -> None:
        words = NAME.findall("\n".join(self.sessions[-1].executed[-3:])) or ["x"]
        for _ in range(self.chance.choice((1, 1, 1, 2, 3))):
            self._run(self.chance.choice(LOOKS).format(self.chance.choice(words)))

    def _stray(self) -> None:
        code = [cell for cell in self.cells if cell.kind == "code" and not cell.never]
        if code:
            cell = self.chance.choice(code)
            self._run(cell.source, cell)


def _pair(old: Sequence[Cell], new: Sequence[Cell]) -> list[tuple[int, int]]:
    """(place in new, place in old) of cells that are the same one, edited; in order."""
    pairs: list[tuple[int, int]] = []
    start = 0
    for at, (kind, source) in enumerate(new):
        for here in range(start, len(old)):
            other, text = old[here]
            alike = SequenceMatcher(None, text[:2000], source[:2000], autojunk=False)
            if other == kind and alike.quick_ratio() > 0.5:
                pairs.append((at, here))
                start = here + 1
                break
    return pairs


def _half_way(chance: random.Random, old: str, text: str) -> str:
    """A state of the text between `old` and what it becomes."""
    a, b = old.split("\n"), text.split("\n")
    if not old or chance.random() < 0.4:
        return "\n".join(b[: chance.randint(1, len(b))])
    made: list[str] = []
    for kind, a0, a1, b0, b1 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        made += a[a0:a1] if kind == "equal" or chance.random() < 0.5 else b[b0:b1]
    return "\n".join(made)


def _slipped(chance: random.Random, text: str) -> str:
    """The text with one slip of the fingers, or without one of its lines."""
    lines = text.split("\n")
    if len(lines) > 2 and chance.random() < 0.3:
        del lines[chance.randrange(len(lines))]
        return "\n".join(lines)
    at = chance.randrange(max(1, len(text)))
    how = chance.random()
    if how < 0.4:
        return text[:at] + text[at + 1 :]
    if how < 0.7:
        return text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]
    return text[:at] + chance.choice("()[]:,.abxy") + text[at:]


# ---------------------------------------------------------------------- the whole disaster

MIDDAY = 1_700_000_000.0
OURS = "lost.ipynb"


def make_disaster(
    chance: random.Random,
    stale: Sequence[Cell],
    truth: Sequence[Cell],
    others: Sequence[Sequence[str]],
    no_document: float = 0.15,
) -> Disaster:
    """What is left after someone made `truth` of `stale`, beside work on `others`."""
    habits = _habits(chance)
    clock = MIDDAY + chance.uniform(0, 3e6)
    user = User(chance, stale, habits, clock - chance.choice((3_000, 90_000)))
    left = chance.random() >= no_document
    if chance.random() < 0.8:
        user.start()
        user.sessions[-1].ended = user.clock if chance.random() < 0.7 else None
    user.clock = max(clock, user.clock + 60)
    stale_at = user.clock - chance.uniform(5, 300)
    user.work(truth)
    own = [Played(s.started, s.ended, s.executed, OURS, s.marks) for s in user.sessions]
    foreign: list[Played] = []
    for code in others:
        foreign += _elsewhere(chance, code, own, [text for kind, text in truth if kind == "code"])
    sessions = sorted(own + foreign, key=lambda each: each.started)
    kernels = [
        (each.started - 1, each.notebook)
        for each in sessions
        if each.ended is None and chance.random() < 0.7
    ]
    numbers = frozenset(at for at, each in enumerate(sessions) if each.notebook == OURS)
    if not left and not any(name == OURS for _, name in kernels):
        kernels.append((own[-1].started - 1, OURS))
    return Disaster(
        tuple(stale) if left else None,
        stale_at,
        tuple((cell.kind, cell.source) for cell in user.cells),
        tuple(sessions),
        tuple(kernels),
        numbers,
    )


def _habits(chance: random.Random) -> Habits:
    def about(mean: float) -> float:
        return min(0.9, mean * chance.choice((0.3, 1.0, 1.0, 2.0)))

    usual = Habits()
    return Habits(
        slip=about(usual.slip),
        half=about(usual.half),
        tune=about(usual.tune),
        look=about(usual.look),
        again=about(usual.again),
        stray=about(usual.stray),
        jump=about(usual.jump),
        restart=about(usual.restart),
        run_all=chance.choice((0.3, 0.7, 0.9)),
        never_run=about(usual.never_run),
        unrun_edit=about(usual.unrun_edit),
        skip=chance.choice((0.0, 0.0, 0.01, 0.03)),
    )


def _elsewhere(
    chance: random.Random, code: Sequence[str], own: Sequence[Played], ours: Sequence[str]
) -> list[Played]:
    """Sessions of another notebook, at other times and at the same; some code is copied over."""
    made: list[Played] = []
    name = f"other-{chance.randrange(10**6)}.ipynb"
    for _ in range(chance.randint(1, 3)):
        near = chance.choice(own).started
        started = near + chance.choice((-400_000, -3_000, -60, 30, 900, 50_000))
        first = chance.randrange(len(code))
        ran = list(code[first : first + chance.randint(2, 40)])
        if chance.random() < 0.3 and ours:
            ran.insert(chance.randrange(len(ran) + 1), chance.choice(list(ours)))
        ended = started + 20 * len(ran) if chance.random() < 0.7 else None
        made.append(Played(started, ended, ran, name))
    return made
