"""Looks for traces as the command does, with one finder, in a home folder of the test's own."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_rewind.recovery.evidence import Evidence, Finder, Problem, Scope, Trace


@dataclass
class Home:
    """A person's home folder with a folder for work, and a place for copies."""

    path: Path

    def __post_init__(self) -> None:
        for folder in (self.work, self.path / "scratch"):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def work(self) -> Path:
        return self.path / "work"

    def scope(self, notebook: str | Path | None = "analysis.ipynb", **more: Any) -> Scope:
        """Where to look for a notebook of the work folder, or for all of it."""
        environ = {"HOME": str(self.path), "PATH": os.environ["PATH"]}
        given: dict[str, Any] = {"folder": self.work, "environ": environ, **more}
        return Scope(
            notebook=None if notebook is None else self.work / notebook,
            home=self.path,
            scratch=self.path / "scratch",
            **given,
        )


def look_with(finder: Finder, scope: Scope) -> tuple[list[Trace], list[Problem]]:
    """The traces and the problems that a finder finds."""
    found = list(finder.find(scope))
    traces = [each for each in found if isinstance(each, Trace)]
    return traces, [each for each in found if isinstance(each, Problem)]


def traces_of(finder: Finder, scope: Scope) -> list[Trace]:
    """The traces that a finder finds, where nothing goes wrong."""
    traces, problems = look_with(finder, scope)
    assert not problems, problems
    return traces


def sources(finder: Finder, trace: Trace, scope: Scope) -> list[str]:
    """The text of the cells of the one document that a trace holds."""
    evidence: Evidence = finder.read(trace, scope)
    assert not evidence.problems, evidence.problems
    [document] = evidence.documents
    return [cell.source for cell in document.cells]


def notebook_text(*sources: str) -> str:
    """A notebook of code cells, as Jupyter writes it."""
    cells = [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"cell-{number}",
            "metadata": {},
            "outputs": [],
            "source": source.splitlines(keepends=True),
        }
        for number, source in enumerate(sources)
    ]
    book = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n"
