"""Evidence of a notebook, made by hand: documents, sessions, connection files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jupyter_rewind.recovery.evidence import (
    Evidence,
    EvidenceCell,
    Executed,
    FoundDocument,
    FoundKernel,
    FoundRun,
    Trace,
)
from jupyter_rewind.recovery.rebuild import Rebuilt, rebuild

TARGET = Path("/home/ann/analysis.ipynb")
SECOND = 1_000_000_000
SAVED = 1_000_000 * SECOND
HISTORY = Trace("history", "/home/ann/.ipython/profile_default/history.sqlite", words="IPython")
CHECKPOINT = Trace("checkpoint", "/home/ann/.ipynb_checkpoints/a.ipynb", str(TARGET))


def text_output(text: str) -> dict[str, object]:
    """What printing shows."""
    return {"output_type": "stream", "name": "stdout", "text": text}


def code(source: str, *shown: str, cell_id: str | None = None) -> EvidenceCell:
    """A code cell with what it printed."""
    return EvidenceCell("code", source, tuple(map(text_output, shown)), 1, cell_id)


def prose(source: str) -> EvidenceCell:
    """A Markdown cell."""
    return EvidenceCell("markdown", source)


def document(
    *cells: EvidenceCell | str,
    at: int = 0,
    complete: bool = True,
    trace: Trace = CHECKPOINT,
) -> FoundDocument:
    """A document of code (texts) and other cells, saved `at` seconds after the usual moment."""
    made = tuple(code(cell) if isinstance(cell, str) else cell for cell in cells)
    return FoundDocument(trace, made, time_ns=SAVED + at * SECOND, complete=complete)


def session(
    number: int,
    sources: Sequence[str | Executed],
    *,
    at: int = 10,
    lasting: int | None = 600,
    notebook: str | None = None,
) -> FoundRun:
    """A session that began `at` seconds after the usual moment; `lasting` None: it crashed."""
    executed = tuple(
        Executed(line, source) if isinstance(source, str) else source
        for line, source in enumerate(sources, 1)
    )
    started = SAVED + at * SECOND
    ended = None if lasting is None else started + lasting * SECOND
    return FoundRun(
        HISTORY, number, executed, started, ended, notebook, certain=notebook is not None
    )


def kernel(notebook: str | Path, *, at: int) -> FoundKernel:
    """The connection file of a kernel that began then."""
    return FoundKernel(HISTORY, str(notebook), SAVED + at * SECOND)


def rebuilt_of(
    documents: Sequence[FoundDocument] = (),
    runs: Sequence[FoundRun] = (),
    kernels: Sequence[FoundKernel] = (),
) -> Rebuilt:
    """The notebook that this evidence gives."""
    return rebuild(TARGET, Evidence(tuple(documents), tuple(runs), kernels=tuple(kernels)))


def sources_of(rebuilt: Rebuilt) -> list[str]:
    """The texts of its cells."""
    return [each.cell.source for each in rebuilt.cells]
