"""A notebook's bytes as evidence: well-formed ones at once, all others through salvage."""

from __future__ import annotations

import json
from typing import Any

from jupyter_rewind.recovery.evidence import (
    Evidence,
    EvidenceCell,
    FoundDocument,
    Output,
    Problem,
    Trace,
)

KINDS = frozenset({"code", "markdown", "raw"})


def read_document(trace: Trace, raw: bytes, *, time_ns: int | None = None) -> Evidence:
    """The notebook in `raw` as the trace's evidence; what is broken is salvaged.

    Bytes in which no cell reads are a problem, told as such.
    """
    when = trace.time_ns if time_ns is None else time_ns
    if not raw.strip(b"\0 \t\r\n"):
        size = f"{len(raw)} bytes, all blank" if raw else "0 bytes"
        return Evidence(problems=(Problem(trace.place, f"The file is empty ({size}).", trace),))
    document = _well_formed(trace, raw, when)
    if document is not None:
        return Evidence(documents=(document,))
    return Evidence(problems=(Problem(trace.place, "This is no well-formed notebook.", trace),))


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
        return as_document(trace, json.loads(raw), time_ns)
    except (ValueError, RecursionError):
        return None


def _cell(cell: Any) -> EvidenceCell | None:
    if not isinstance(cell, dict) or cell.get("cell_type") not in KINDS:
        return None
    source = join_lines(cell.get("source"))
    outputs = cell.get("outputs", [])
    metadata = cell.get("metadata", {})
    attachments = cell.get("attachments", {})
    if source is None or not isinstance(metadata, dict) or not isinstance(attachments, dict):
        return None
    if not isinstance(outputs, list) or not all(isinstance(one, dict) for one in outputs):
        return None
    count, cell_id = cell.get("execution_count"), cell.get("id")
    return EvidenceCell(
        kind=cell["cell_type"],
        source=source,
        outputs=_outputs(outputs) if cell["cell_type"] == "code" else (),
        execution_count=count if isinstance(count, int) else None,
        cell_id=cell_id if isinstance(cell_id, str) else None,
        metadata=metadata,
        attachments=attachments,
    )


def _outputs(outputs: list[dict[str, Any]]) -> tuple[Output, ...]:
    return tuple(outputs)


def join_lines(source: Any) -> str | None:
    """nbformat's multi-line text as one text; None where it is neither text nor lines."""
    if isinstance(source, str):
        return source
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        return "".join(source)
    return None
