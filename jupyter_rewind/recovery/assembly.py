"""Evidence cells as a valid nbformat 4.5 notebook, whatever they were salvaged from.

Outputs keep their texts in one piece: `notebookjson` cuts them into lines while it writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from jupyter_rewind.recovery.blends import BLEND
from jupyter_rewind.recovery.broken.welds import WELD
from jupyter_rewind.recovery.evidence import EvidenceCell
from jupyter_rewind.recovery.lineends import as_written

_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
NOTES = "rewind"
OF = "of"
"""In the notes of a notebook: the path of the one that it was brought back for."""
AT = "at"
"""In the same notes: when it was brought back, in seconds since 1970."""
_MADE = "recovered-"
_IN_LINES = frozenset({"application/javascript", "image/svg+xml"})


def as_notebook(
    cells: Iterable[tuple[EvidenceCell, Mapping[str, Any]]],
    metadata: Mapping[str, Any],
    notes: Mapping[str, Any],
) -> dict[str, Any]:
    """The notebook; each cell and the whole carry their notes as `metadata["rewind"]`."""
    taken: set[str] = set()
    made = [_cell(cell, own, taken) for cell, own in cells]
    return {
        "cells": made,
        "metadata": _sound_metadata(metadata) | {NOTES: dict(notes)},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cell(cell: EvidenceCell, notes: Mapping[str, Any], taken: set[str]) -> dict[str, Any]:
    metadata = _sound_cell_metadata(cell.metadata)
    made: dict[str, Any] = {
        "cell_type": cell.kind,
        "id": _free_id(cell.cell_id, taken),
        "metadata": metadata | {NOTES: dict(notes)},
        "source": as_written(cell).splitlines(True),
    }
    if cell.kind == "code":
        outputs = [sound for sound in map(_sound_output, cell.outputs) if sound is not None]
        count = cell.execution_count if _is_count(cell.execution_count) else None
        made |= {"execution_count": count, "outputs": outputs}
    elif cell.attachments:
        attachments = {
            name: _bundle_in_lines(bundle)
            for name, bundle in cell.attachments.items()
            if isinstance(bundle, Mapping) and _is_bundle(bundle)
        }
        if attachments:
            made["attachments"] = attachments
    return made


def _free_id(cell_id: str | None, taken: set[str]) -> str:
    free = cell_id if cell_id is not None and _ID.fullmatch(cell_id) else f"{_MADE}{len(taken)}"
    number = len(taken)
    while free in taken:
        number += 1
        free = f"{_MADE}{number}"
    taken.add(free)
    return free


def _sound_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The notebook's metadata without what the format forbids."""
    sound = {str(key): value for key, value in metadata.items() if key != NOTES}
    kernel = sound.get("kernelspec")
    if "kernelspec" in sound and not (
        isinstance(kernel, Mapping)
        and isinstance(kernel.get("name"), str)
        and isinstance(kernel.get("display_name"), str)
    ):
        del sound["kernelspec"]
    language = sound.get("language_info")
    if "language_info" in sound and not (
        isinstance(language, Mapping) and isinstance(language.get("name"), str)
    ):
        del sound["language_info"]
    for key, kind in (("title", str), ("authors", list), ("orig_nbformat", int)):
        if key in sound and not isinstance(sound[key], kind):
            del sound[key]
    return sound


def _sound_cell_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    sound = {str(key): value for key, value in metadata.items() if key not in (NOTES, BLEND, WELD)}
    tags = sound.get("tags", [])
    if not (isinstance(tags, list) and _are_tags(tags)):
        del sound["tags"]
    if not (isinstance(sound.get("name", "x"), str) and sound.get("name", "x")):
        del sound["name"]
    for key in ("collapsed", "deletable", "editable"):
        if key in sound and not isinstance(sound[key], bool):
            del sound[key]
    if "scrolled" in sound and sound["scrolled"] not in (True, False, "auto"):
        del sound["scrolled"]
    for key in ("jupyter", "execution"):
        if key in sound and not isinstance(sound[key], Mapping):
            del sound[key]
    if "execution" in sound:
        times = sound["execution"].items()
        sound["execution"] = {name: time for name, time in times if isinstance(time, str)}
    if "format" in sound and not isinstance(sound["format"], str):
        del sound["format"]
    return sound


def _are_tags(tags: list[Any]) -> bool:
    texts = [tag for tag in tags if isinstance(tag, str) and tag and "," not in tag]
    return len(texts) == len(tags) == len(set(texts))


def _sound_output(output: Mapping[str, Any]) -> dict[str, Any] | None:
    """The output with all that the format asks for; None where it can't be one."""
    kind = output.get("output_type")
    if kind == "stream" and _is_text(output.get("text")):
        name = output.get("name")
        named = name if isinstance(name, str) else "stdout"
        return {"output_type": "stream", "name": named, "text": output["text"]}
    if kind == "error":
        trace = output.get("traceback")
        lines = [str(line) for line in trace] if isinstance(trace, list) else []
        return {
            "output_type": "error",
            "ename": str(output.get("ename", "")),
            "evalue": str(output.get("evalue", "")),
            "traceback": lines,
        }
    data, metadata = output.get("data"), output.get("metadata", {})
    if kind not in ("display_data", "execute_result") or not isinstance(data, Mapping):
        return None
    made: dict[str, Any] = {
        "output_type": kind,
        "data": {name: value for name, value in data.items() if _is_data(name, value)},
        "metadata": dict(metadata) if isinstance(metadata, Mapping) else {},
    }
    if kind == "execute_result":
        count = output.get("execution_count")
        made["execution_count"] = count if _is_count(count) else None
    return made


def _bundle_in_lines(bundle: Mapping[str, Any]) -> dict[str, Any]:
    """What is sound of a MIME bundle, its texts cut into lines."""
    return {
        name: _in_lines(value) if name.startswith("text/") or name in _IN_LINES else value
        for name, value in bundle.items()
        if _is_data(name, value)
    }


def _in_lines(text: Any) -> Any:
    return text.splitlines(True) if isinstance(text, str) else text


def _is_count(count: Any) -> bool:
    return isinstance(count, int) and not isinstance(count, bool) and count >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(line, str) for line in value)
    )


def _is_data(name: Any, value: Any) -> bool:
    if not isinstance(name, str):
        return False
    return _is_text(value) or name == "application/json" or name.endswith("+json")


def _is_bundle(bundle: Mapping[Any, Any]) -> bool:
    return all(isinstance(name, str) and _is_text(value) for name, value in bundle.items())
