"""What disasters are made of: real notebooks; and what finders would have found of them."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

from benchmarks.disasters import (
    OURS,
    SECOND,
    Cell,
    Disaster,
    earlier_version,
    make_disaster,
)
from jupyter_rewind.recovery.evidence import (
    Evidence,
    EvidenceCell,
    Executed,
    FoundDocument,
    FoundKernel,
    FoundRun,
    Trace,
)

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"
TRACE = Trace("history", "simulated")


def read_cells(path: Path) -> list[Cell]:
    """Code and Markdown of a notebook file."""
    book = json.loads(path.read_text(encoding="utf-8"))
    return [
        (cell["cell_type"], "".join(cell["source"]).rstrip())
        for cell in book["cells"]
        if cell["cell_type"] in ("code", "markdown")
    ]


def material() -> list[list[Cell]]:
    """Real notebooks of a middling length; empty where the corpus is not there."""
    found = []
    for path in sorted((CORPUS / "notebooks").rglob("*.ipynb")):
        try:
            cells = read_cells(path)
        except (ValueError, KeyError, TypeError):
            continue
        if sum(kind == "code" and bool(source) for kind, source in cells) >= 8 and len(cells) < 250:
            found.append(cells)
    return found


def real_versions(which: slice) -> list[tuple[list[Cell], list[Cell]]]:
    """Pairs of consecutive real versions of notebooks, where the corpus has them."""
    folders = sorted((CORPUS / "disasters").glob("*/"))[which]
    return [(read_cells(f / "stale.ipynb"), read_cells(f / "truth.ipynb")) for f in folders]


def simulate(
    seed: int,
    notebooks: Sequence[list[Cell]],
    versions: Sequence[tuple[list[Cell], list[Cell]]] = (),
) -> Disaster:
    """A disaster of real notebooks: of two real `versions` of one, or of one and its mutation."""
    chance = random.Random(seed)
    truth: Sequence[Cell] = (
        versions[seed % len(versions)][1] if versions else chance.choice(notebooks)
    )
    mine = {source for kind, source in truth if kind == "code"}
    others: list[list[str]] = []
    while not others or chance.random() < 0.5:
        code = [source for kind, source in chance.choice(notebooks) if kind == "code" and source]
        if sum(source in mine for source in code) < 0.2 * len(code):
            others.append(code)
    if versions:
        return make_disaster(chance, versions[seed % len(versions)][0], truth, others, 0.0)
    stale = earlier_version(chance, truth, [source for code in others for source in code])
    return make_disaster(chance, stale, truth, others)


def as_evidence(disaster: Disaster, folder: str = "/home/u") -> Evidence:
    """What finders would have found of it."""
    runs = tuple(
        FoundRun(
            TRACE,
            number,
            tuple(Executed(line, source) for line, source in enumerate(played.executed, 1)),
            int(played.started * SECOND),
            None if played.ended is None else int(played.ended * SECOND),
        )
        for number, played in enumerate(disaster.sessions, 1)
    )
    kernels = tuple(
        FoundKernel(TRACE, f"{folder}/{name}", int(started * SECOND))
        for started, name in disaster.kernels
    )
    if disaster.stale is None:
        return Evidence((), runs, kernels=kernels)
    trace = Trace("checkpoint", "simulated", notebook=f"{folder}/{OURS}")
    cells = tuple(EvidenceCell(kind, source) for kind, source in disaster.stale)
    document = FoundDocument(trace, cells, time_ns=int(disaster.stale_at * SECOND))
    return Evidence((document,), runs, kernels=kernels)
