"""A notebook's bytes as evidence: well-formed ones at once, all others through salvage."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_rewind.notebooks.faults import fault_in, fault_of
from jupyter_rewind.notebooks.strangers import HEAD_BYTES, strange_content
from jupyter_rewind.recovery.evidence import (
    Evidence,
    EvidenceCell,
    FoundDocument,
    Problem,
    Trace,
)
from jupyter_rewind.recovery.filestate import LARGE_BYTES
from jupyter_rewind.recovery.misnamed import misnamed_in
from jupyter_rewind.recovery.normal import cell_of, text_of
from jupyter_rewind.recovery.regular import MOST_BYTES, open_file, read_file
from jupyter_rewind.recovery.salvage import salvage_notebook

KINDS = frozenset({"code", "markdown", "raw"})


def read_notebook(trace: Trace, copy: Path | None = None) -> Evidence:
    """As `read_document`, of the file where the trace lies, or of its copy.

    A large one is read in place: it is not held in memory. Raises OSError.
    """
    path = copy or Path(trace.place)
    if not LARGE_BYTES < path.stat().st_size <= MOST_BYTES:
        return read_document(trace, read_file(path))
    return _salvaged(trace, path, trace.time_ns)


def read_document(trace: Trace, raw: bytes, *, time_ns: int | None = None) -> Evidence:
    """The notebook in `raw` as the trace's evidence; what is broken is salvaged.

    Bytes in which no cell reads are a problem, told as such.
    """
    when = trace.time_ns if time_ns is None else time_ns
    if not raw.strip(b"\0 \t\r\n"):
        size = f"{len(raw)} bytes, all blank" if raw else "0 bytes"
        return Evidence(problems=(Problem(trace.place, f"The file is empty ({size}).", trace),))
    document = _well_formed(trace, raw, when) if len(raw) <= LARGE_BYTES else None
    return _salvaged(trace, raw, when) if document is None else Evidence(documents=(document,))


def _salvaged(trace: Trace, source: Path | bytes, time_ns: int | None) -> Evidence:
    salvaged = salvage_notebook(source)
    if not salvaged.cells and not salvaged.whole:
        strange = strange_content(_head(source))
        why = f"it is {strange}" if strange else "; ".join(salvaged.damages)
        words = f"No cell of it reads: {why}."
        return Evidence(problems=(Problem(trace.place, words, trace),))
    return Evidence(documents=(salvaged.as_document(trace, time_ns),))


def _head(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:HEAD_BYTES]
    with open_file(source) as file:
        return file.read(HEAD_BYTES)


def as_document(trace: Trace, notebook: Any, time_ns: int | None) -> FoundDocument | None:
    """An nbformat 4 notebook, parsed, as a document; None where it isn't one throughout."""
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4:
        return None
    cells = notebook.get("cells")
    minor = notebook.get("nbformat_minor", 0)
    metadata = notebook.get("metadata", {})
    if not isinstance(cells, list) or not isinstance(minor, int) or not isinstance(metadata, dict):
        return None
    found = [_cell(cell) for cell in cells]
    whole = tuple(cell for cell in found if cell is not None)
    if len(whole) != len(found):
        return None
    return FoundDocument(trace, whole, metadata, (4, minor), time_ns)


def _well_formed(trace: Trace, raw: bytes, time_ns: int | None) -> FoundDocument | None:
    try:
        book = json.loads(raw)
        document = as_document(trace, book, time_ns)
    except (ValueError, RecursionError):
        return None
    if document is None or misnamed_in(book):
        return None
    fault = fault_of(raw) or fault_in(book)
    if not fault:
        return document
    return replace(document, damages=(f"{fault}, so Jupyter does not open it",))


def _cell(cell: Any) -> EvidenceCell | None:
    if not isinstance(cell, dict) or cell.get("cell_type") not in KINDS:
        return None
    return None if text_of(cell.get("source")) is None else cell_of(cell)
