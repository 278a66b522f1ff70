"""What must come back of a given disaster: text cells, outputs, all that ran; no other output."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, at_least, at_most

Shown = tuple[str, str]
"""A source and what stands below it, without its number."""


class Kept:
    """Counts over given disasters."""

    def __init__(self) -> None:
        self.cases = self.ran = self.missing = self.shows = self.wrong = 0
        self.prose, self.saved, self.outputs = list[float](), list[float](), list[float]()

    def add(self, case: Path, book: Any) -> None:
        """Takes what came back of one of them."""
        self.cases += 1
        truth, stale = (
            json.loads((case / name).read_text(encoding="utf-8"))
            for name in ("truth.ipynb", "stale.ipynb")
        )
        lost = Counter(_prose(truth))
        for found, shares in ((book, self.prose), (stale, self.saved)):
            if lost:
                shares.append((Counter(_prose(found)) & lost).total() / lost.total())
        here, known = Counter(_shown(book)), Counter(_shown(stale))
        self.shows += here.total()
        self.wrong += (here - known).total()
        code = {_source(each) for each in truth["cells"] if each["cell_type"] == "code"}
        kept = Counter(each for each in known.elements() if each[0] in code)
        if kept:
            self.outputs.append((kept & here).total() / kept.total())
        found = {_source(each) for each in book["cells"]}
        found |= {each["source"].rstrip() for each in book["metadata"]["rewind"]["alternatives"]}
        ran = [source.rstrip() for source in _ran(case) if source.strip()]
        self.ran += len(ran)
        self.missing += sum(source not in found for source in ran)

    def rows(self) -> list[Row]:
        """What came back of all."""
        figures = f"{self.cases} disasters, by the command"
        prose, saved, outputs = map(_mean, (self.prose, self.saved, self.outputs))
        told = f"{prose:.3f} against {saved:.3f}"
        return [
            at_least("given disasters", "text cells of the old document", prose / saved, 1, told),
            at_least("given disasters", "outputs of unchanged cells", outputs, 1, figures),
            at_most(
                "given disasters: outputs that another source made",
                "cells that show something", self.wrong / self.shows, 0,
                f"{self.wrong} of {self.shows}",
            ),
            at_most(
                "given disasters: executed code that is nowhere in the result",
                "what was run", self.missing / self.ran, 0, f"{self.missing} of {self.ran}",
            ),
        ]  # fmt: skip


def _mean(shares: Sequence[float]) -> float:
    return sum(shares) / len(shares)


def _source(cell: Any) -> str:
    return "".join(cell["source"]).rstrip()


def _prose(book: Any) -> Iterator[str]:
    texts = (_source(each) for each in book["cells"] if each["cell_type"] == "markdown")
    return (text for text in texts if text)


def _shown(book: Any) -> Iterator[Shown]:
    for cell in book["cells"]:
        if cell.get("outputs"):
            bare = [
                {
                    key: _joined(one[key])
                    for key in one
                    if key not in ("execution_count", "metadata")
                }
                for one in cell["outputs"]
            ]
            yield _source(cell), json.dumps(bare, sort_keys=True)


def _joined(value: Any) -> Any:
    """The value with its texts in one piece, however they were cut into lines."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    if isinstance(value, dict):
        return {key: _joined(each) for key, each in value.items()}
    return value


def _ran(case: Path) -> list[str]:
    """All that the notebook's own sessions ran."""
    sessions = json.loads((case / "case.json").read_text())["true_sessions"]
    marks = ", ".join("?" * len(sessions))
    query = f"SELECT source_raw FROM history WHERE session IN ({marks})"
    address = f"{(case / 'history.sqlite').as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        return [source for (source,) in connection.execute(query, sessions)]
