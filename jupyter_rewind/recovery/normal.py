"""Cells and outputs of every nbformat, valid or not, as nbformat 4 has them; nothing is dropped.

What the format has no place for stays under `unknown` in the metadata. Texts are in one piece.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from jupyter_rewind.recovery.evidence import EvidenceCell, Output

_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")
_JSON = re.compile(r"application/(.*\+)?json\Z")
_KINDS = {
    "code": "code",
    "markdown": "markdown",
    "html": "markdown",
    "heading": "markdown",
    "text": "markdown",
    "raw": "raw",
}
_SOURCES = ("source", "input", "code", "text")
_OLD_TYPES = {"pyout": "execute_result", "pyerr": "error", "update_display_data": "display_data"}
_SHORT_MIMES = {
    "text": "text/plain",
    "html": "text/html",
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "latex": "text/latex",
    "json": "application/json",
    "javascript": "application/javascript",
    "pdf": "application/pdf",
}
_CELL_KEYS = frozenset(
    {"cell_type", "id", "metadata", "outputs", "execution_count", "prompt_number", "attachments"}
    | {"collapsed", "language", "level", *_SOURCES}
)


def cell_of(
    members: Mapping[str, Any], *, kind: str = "", is_whole: bool = True, is_old: bool = False
) -> EvidenceCell:
    """A cell of any format, from its members; `kind` where these do not tell.

    `is_old` is for formats before 4, in which lines of text had no line ends.
    """
    outputs = members.get("outputs")
    told = members.get("cell_type", kind)
    known = _KINDS.get(told) if isinstance(told, str) else None
    if known is None:
        has_run = bool(outputs) or "execution_count" in members or "prompt_number" in members
        known = "code" if has_run or not told else "raw"
    level = members.get("level", 1)
    source = _source(members, is_old)
    if told == "heading":
        depth = level if isinstance(level, int) and 0 < level < 7 else 1
        source = f"{'#' * depth} {' '.join(source.splitlines())}"
    count = members.get("execution_count", members.get("prompt_number"))
    cell_id = members.get("id")
    attachments = members.get("attachments")
    is_code = known == "code"
    has_outputs = is_code and isinstance(outputs, list)
    return EvidenceCell(
        kind=known,
        source=source,
        outputs=tuple(output_of(one, is_old) for one in outputs or ()) if has_outputs else (),
        execution_count=count if is_code and is_count(count) else None,
        cell_id=cell_id if isinstance(cell_id, str) and is_cell_id(cell_id) else None,
        metadata=_metadata(members, known),
        whole=is_whole and _is_sound(members),
        attachments=attachments if isinstance(attachments, dict) and not is_code else {},
    )


def is_cell_id(text: str) -> bool:
    """Whether nbformat 4.5 takes it for a cell's id."""
    return _ID.match(text) is not None


def is_count(value: Any) -> bool:
    """Whether nbformat takes it for an execution count."""
    return type(value) is int and value >= 0


def output_of(output: Any, is_old: bool = False) -> Output:
    """An output of any format as nbformat 4 has it; one that is none becomes JSON to look at."""
    if not isinstance(output, dict):
        return _unknown_output(output)
    kind = output.get("output_type")
    kind = _OLD_TYPES.get(kind, kind) if isinstance(kind, str) else None
    if kind == "stream":
        name = output.get("name", output.get("stream"))
        text = text_of(output.get("text", ""), is_old)
        return {
            "output_type": "stream",
            "name": name if isinstance(name, str) else "stdout",
            "text": text if text is not None else json.dumps(output.get("text")),
        }
    if kind == "error":
        trace = output.get("traceback")
        lines = trace if isinstance(trace, list) else [] if trace is None else [trace]
        return {
            "output_type": "error",
            "ename": _plain(output.get("ename")),
            "evalue": _plain(output.get("evalue")),
            "traceback": [_plain(line) for line in lines],
        }
    if kind in ("display_data", "execute_result"):
        return _display(kind, output, is_old)
    return _unknown_output(output)


def text_of(value: Any, is_old: bool = False) -> str | None:
    """nbformat's multi-line text as one text; None where it is neither text nor lines."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return join_lines(value, is_old)
    return None


def join_lines(lines: list[str], is_old: bool) -> str:
    """The lines as one text; those of old formats may lack their ends."""
    has_ends = not is_old or bool(lines and lines[0].endswith(("\n", "\r")))
    return ("" if has_ends else "\n").join(lines)


def bundle_of(data: Mapping[str, Any], is_old: bool = False) -> dict[str, Any]:
    """A MIME bundle that validates."""
    found: dict[str, Any] = {}
    for mime, value in data.items():
        if _JSON.match(mime):
            found[mime] = value
            continue
        text = text_of(value, is_old)
        found[mime] = json.dumps(value) if text is None else text
    return found


def _display(kind: str, output: Mapping[str, Any], is_old: bool) -> Output:
    data, metadata = output.get("data"), output.get("metadata")
    told = dict(metadata) if isinstance(metadata, dict) else {}
    if not isinstance(data, dict):
        data = {_mime(key): _old(key, output[key]) for key in output if _is_mime(key)}
        told = {_SHORT_MIMES.get(key, key): value for key, value in told.items()}
    made: dict[str, Any] = {"output_type": kind, "data": bundle_of(data, is_old), "metadata": told}
    if kind == "execute_result":
        count = output.get("execution_count", output.get("prompt_number"))
        made["execution_count"] = count if is_count(count) else None
    return made


def _is_mime(key: str) -> bool:
    return key in _SHORT_MIMES or "/" in key


def _mime(key: str) -> str:
    return _SHORT_MIMES.get(key, key)


def _old(key: str, value: Any) -> Any:
    """A payload of nbformat 3, which kept JSON as text."""
    if _mime(key) != "application/json":
        return value
    try:
        return json.loads(text_of(value) or "")
    except (ValueError, RecursionError):
        return value


def _unknown_output(output: Any) -> Output:
    return {"output_type": "display_data", "data": {"application/json": output}, "metadata": {}}


def _source(members: Mapping[str, Any], is_old: bool) -> str:
    for key in _SOURCES:
        value = members.get(key)
        if value is None:
            continue
        text = text_of(value, is_old)
        if text is not None:
            return text
        lines = value if isinstance(value, list) else [value]
        return "".join(_plain(line) for line in lines)
    return ""


def _is_sound(members: Mapping[str, Any]) -> bool:
    """Whether its source is text: where lines of it are none, something else stood there."""
    told = [members[key] for key in _SOURCES if key in members]
    return not told or text_of(told[0]) is not None


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value)


def _metadata(members: Mapping[str, Any], kind: str) -> dict[str, Any]:
    told = members.get("metadata")
    metadata = dict(told) if isinstance(told, dict) else {}
    collapsed = members.get("collapsed")
    if kind == "code" and isinstance(collapsed, bool):
        metadata["collapsed"] = collapsed
    unknown = {key: value for key, value in members.items() if key not in _CELL_KEYS}
    if told is not None and not isinstance(told, dict):
        unknown["metadata"] = told
    if kind == "code" and members.get("attachments"):
        unknown["attachments"] = members["attachments"]
    if kind != "code" and members.get("outputs"):
        unknown["outputs"] = members["outputs"]
    if unknown:
        metadata["unknown"] = unknown
    return metadata
