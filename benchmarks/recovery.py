"""Recovery: disasters of known truth, how far its confidence is to be trusted, very large homes.

The simulated users, notebooks and seeds are others than those that the weights were fitted to.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.disasters import OURS, Cell
from benchmarks.material import (
    CORPUS,
    as_evidence,
    material,
    read_cells,
    real_versions,
    simulate,
)
from benchmarks.measure import Row, at_least, at_most, run_parts
from benchmarks.recovery_autosave import autosaved
from benchmarks.recovery_command import Process, lay_out, recover_in
from benchmarks.recovery_kept import Kept
from benchmarks.recovery_oldtab import old_states
from jupyter_rewind.recovery.rebuild import Rebuilt, rebuild

SIMULATED = 150
FIRST_SEED = 500_000
FILES = 10_000
EXECUTIONS = 1_000_000
BYTES = 2_000_000_000
Marked = list[tuple[float, bool, str]]
"""Of each cell its confidence, whether it was in the lost notebook so, and its kind."""


def measure() -> list[Row]:
    """All rows; about six minutes, most of them for the history of 2 GB."""
    # Times first, while this process is small: what it holds counts as held by those it starts.
    times = run_parts({"times": PARTS["times"]})
    return [*run_parts({"quality": PARTS["quality"]}), *times]


def quality(folder: Path) -> list[Row]:
    """What comes back, and how sure that is: the same on a slow machine or a busy one."""
    marked: Marked = []
    return [
        *simulated(marked),
        *autosaved(range(FIRST_SEED, FIRST_SEED + SIMULATED), partial(_mark, marked=marked)),
        *old_states(range(FIRST_SEED, FIRST_SEED + SIMULATED)),
        *real_disasters(folder / "real", marked),
        *calibration(marked),
    ]


def times(folder: Path) -> list[Row]:
    """How long it takes, and how much memory."""
    return [
        *large_home(folder / "home"),
        *large_history(folder / "history"),
        *middle(folder / "real"),
    ]


# ---------------------------------------------------------------------- how much is brought back


@dataclass(frozen=True, slots=True)
class Score:
    """What of one lost notebook was brought back, each from 0 to 1 (None: there was none)."""

    recall: float
    precision: float
    new: float | None
    order: float | None
    exact: float


def score(got: Sequence[Cell], truth: Sequence[Cell], stale: Sequence[Cell]) -> Score:
    """Code cells letter for letter; the order of all cells that are there once (Kendall)."""
    have, lost, old = _code(got), _code(truth), _code(stale)
    new = Counter(lost) - Counter(old)
    found = Counter(have) & Counter(lost)
    return Score(
        found.total() / max(1, len(lost)),
        found.total() / max(1, len(have)),
        (new & Counter(have)).total() / new.total() if new else None,
        _order([source for _, source in got], [source for _, source in truth]),
        float(have == lost),
    )


def _code(cells: Sequence[Cell]) -> list[str]:
    return [source for kind, source in cells if kind == "code" and source.strip()]


def _order(got: list[str], truth: list[str]) -> float | None:
    here, there = Counter(got), Counter(truth)
    place = {source: at for at, source in enumerate(truth)}
    places = [place[s] for s in got if s.strip() and here[s] == 1 and there[s] == 1]
    pairs = len(places) * (len(places) - 1) / 2
    if not pairs:
        return None
    wrong = sum(a > b for at, a in enumerate(places) for b in places[at + 1 :])
    return 1 - 2 * wrong / pairs


def _means(scores: Iterable[Score]) -> dict[str, float]:
    values: dict[str, list[float]] = defaultdict(list)
    for each in scores:
        for name in Score.__slots__:
            value = getattr(each, name)
            if value is not None:
                values[name].append(value)
    return {name: statistics.fmean(found) for name, found in values.items()}


def _cells(rebuilt: Rebuilt) -> list[Cell]:
    return [(each.cell.kind, each.cell.source.rstrip()) for each in rebuilt.cells]


def _mark(rebuilt: Rebuilt, truth: Sequence[Cell], marked: Marked) -> None:
    left = Counter(truth)
    for each, cell in zip(rebuilt.cells, _cells(rebuilt), strict=True):
        if cell[1].strip():
            marked.append((each.confidence, left[cell] > 0, cell[0]))
            left[cell] -= 1


def simulated(marked: Marked) -> list[Row]:
    """Two families: between two real versions of a notebook, and of notebooks that were changed."""
    notebooks = material()
    families = {
        "work between two real versions": real_versions(slice(1, None, 2)),
        "changed, copied, mixed; 15 % without any document": [],
    }
    rows = []
    for name, versions in families.items():
        scores, stale_scores, missing, ran = [], [], 0, 0
        for seed in range(FIRST_SEED, FIRST_SEED + SIMULATED):
            disaster = simulate(seed, notebooks, versions)
            if not _code(disaster.truth):
                continue
            rebuilt = rebuild(Path("/home/u") / OURS, as_evidence(disaster))
            stale = disaster.stale or ()
            scores.append(score(_cells(rebuilt), disaster.truth, stale))
            stale_scores.append(score(stale, disaster.truth, stale))
            _mark(rebuilt, disaster.truth, marked)
            kept = {source for _, source in _cells(rebuilt)}
            kept |= {each.source for each in rebuilt.alternatives}
            for number in disaster.own & {each.run.session - 1 for each in rebuilt.sessions}:
                ran += len(disaster.sessions[number].executed)
                missing += sum(s.rstrip() not in kept for s in disaster.sessions[number].executed)
        got, old = _means(scores), _means(stale_scores)
        rows.append(
            at_least(
                f"simulated, {name}: code cells brought back",
                "code cells lost; the document alone in brackets",
                got["recall"],
                0.85,
                f"{len(scores)} disasters; {_told(got)} (recall {old['recall']:.3f})",
            )
        )
        rows.append(
            at_most(
                f"simulated, {name}: executed code that is nowhere in the result",
                "what was run",
                missing / max(1, ran),
                0,
                f"{missing} of {ran}",
            )
        )
    return rows


def _told(means: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in means.items())


# ---------------------------------------------------------------------- given disasters, on disk


def real_disasters(folder: Path, marked: Marked) -> list[Row]:
    """Given disasters, laid out as a crash leaves them; the command is run."""
    scores, kept = [], Kept()
    for case in sorted((CORPUS / "disasters").glob("*/")):
        home = folder / case.name
        output = recover_in(lay_out(case, home), home).output
        book = json.loads(output.read_text(encoding="utf-8"))
        kept.add(case, book)
        got = read_cells(output)
        truth = read_cells(case / "truth.ipynb")
        scores.append(score(got, truth, read_cells(case / "stale.ipynb")))
        left = Counter(truth)
        for cell, (kind, source) in zip(book["cells"], got, strict=True):
            if source.strip():
                sure = cell["metadata"]["rewind"]["confidence"]
                marked.append((sure, left[kind, source] > 0, kind))
                left[kind, source] -= 1
        shutil.rmtree(home)
    if not scores:
        return []
    means, figures = _means(scores), f"{len(scores)} disasters, by the command"
    bars = {"recall": 0.97, "precision": 0.95, "new": 0.94, "order": 0.97, "exact": 0.45}
    against = {
        "recall": "code cells lost, those brought back",
        "precision": "code cells written, those that were there",
        "new": "code cells newer than the document, those brought back",
        "order": "order of cells (Kendall)",
        "exact": "notebooks, those with exactly their code cells",
    }
    rows = [
        at_least("given disasters", against[name], means[name], bar, figures)
        for name, bar in bars.items()
    ]
    return rows + kept.rows()


def middle(folder: Path) -> list[Row]:
    """How long the command takes for a given disaster."""
    processes = []
    for case in sorted((CORPUS / "disasters").glob("*/")):
        home = folder / case.name
        processes.append(recover_in(lay_out(case, home), home))
        shutil.rmtree(home)
    processes.sort(key=lambda each: each.seconds)
    median = processes[len(processes) // 2]
    return [at_most("`recover NOTEBOOK`, median", "1 s", median.seconds, 1, median.words)]


# ---------------------------------------------------------------------- confidence


def calibration(marked: Marked) -> list[Row]:
    """Of the cells marked with a confidence in a bin, how many were in the lost notebook so."""
    prose = [each for each in marked if each[2] == "markdown"]
    return [*_bins("cells", marked), *_bins("Markdown cells", prose)]


def _bins(what: str, marked: Marked) -> Iterator[Row]:
    for low, high in ((0.9, 1.01), (0.7, 0.9), (0.5, 0.7), (0.0, 0.5)):
        found = [right for confidence, right, _ in marked if low <= confidence < high]
        if not found:
            continue
        name = f"{low:.0%} or more" if high > 1 else f"{low:.0%} to {high:.0%}"
        yield at_least(
            f"{what} marked {name} certain",
            "those that were right",
            sum(found) / len(found),
            low,
            f"{sum(found)} of {len(found)}, simulated and given",
        )


# ---------------------------------------------------------------------- very large


def large_home(home: Path) -> list[Row]:
    """A home of 10 000 files, one lost notebook in it."""
    case = sorted((CORPUS / "disasters").glob("*/"))[0]
    notebook = lay_out(case, home)
    chance = random.Random(1)
    book = (case / "stale.ipynb").read_bytes()
    for number in range(FILES):
        folder = home / f"project{number % 97}" / f"part{number % 7}"
        folder.mkdir(parents=True, exist_ok=True)
        suffix = chance.choice((".py", ".csv", ".txt", ".png", ".ipynb"))
        content = book[:20_000] if suffix == ".ipynb" else chance.randbytes(300)
        (folder / f"file{number}{suffix}").write_bytes(content)
    return _large("home of 10 000 files", recover_in(notebook, home))


def large_history(home: Path) -> list[Row]:
    """A history of a million executions in 2 GB; the notebook's sessions are among its last."""
    case = sorted((CORPUS / "disasters").glob("*/"))[0]
    notebook = lay_out(case, home)
    grow_history(home / ".ipython/profile_default/history.sqlite")
    os.sync()  # else its writing is waited for by what is measured
    process = recover_in(notebook, home)
    here = score(
        read_cells(process.output),
        read_cells(case / "truth.ipynb"),
        read_cells(case / "stale.ipynb"),
    )
    return [
        *_large("history of 2 GB, a million executions", process),
        at_least("code cells brought back with it", "without it", here.recall, 1, "one disaster"),
    ]


def grow_history(path: Path) -> None:
    """Puts a million other executions before those that are there."""
    chance = random.Random(2)
    words = [f"{chance.choice('abcdefgh')}{number}" for number in range(5000)]
    size = BYTES // EXECUTIONS // 2
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        (first,) = connection.execute("SELECT min(session) FROM sessions").fetchone()
        shift = 2_000
        for table in ("sessions", "history", "output_history"):
            connection.execute(f"UPDATE {table} SET session = session + {shift}")
        each = EXECUTIONS // (shift - 1)
        for session in range(first, first + shift - 1):
            start = f"{2015 + session // 300}-0{1 + session % 9}-11 10:00:00.000000"
            connection.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, '')", (session, start, start, each)
            )
            connection.executemany(
                "INSERT INTO history VALUES (?, ?, ?, ?)",
                _lines(chance, words, session, each, size),
            )
        connection.execute("COMMIT")


def _lines(
    chance: random.Random, words: list[str], session: int, each: int, size: int
) -> Iterable[tuple[Any, ...]]:
    block = " ".join(chance.choices(words, k=size // 3))
    for line in range(1, each + 1):
        at = chance.randrange(len(block) - size) if len(block) > size else 0
        source = f"{chance.choice(words)} = {line}\n# {block[at : at + size - 20]}"
        yield session, line, source, source


def _large(name: str, process: Process) -> list[Row]:
    seconds, memory = process.seconds / 10, process.memory_bytes / 500e6
    most = f"{process.memory_bytes / 1e6:.0f} MB at most"
    return [
        at_most(f"`recover NOTEBOOK`, {name}", "10 s", seconds, 1, process.words),
        at_most(f"memory of it, {name}", "500 MB", memory, 1, most),
    ]


def given(folder: Path) -> list[Row]:
    """The given disasters alone: a minute."""
    return real_disasters(folder / "real", [])


PARTS: dict[str, Callable[[Path], list[Row]]] = {
    "quality": quality,
    "times": times,
    "given": given,
}
