"""The document that a draft is: what a browser changed in a notebook, as a Yjs document of its own.

It holds what was touched and nothing else, whole and not as a difference, so that putting it onto
its base twice changes nothing. Format 1, all but texts as JSON:

    draft       map: `format`; `order`, once cells came, went or moved: runs of the base's cells as
                [first, count], others by their names; `metadata` and `nbformat_minor`, once changed
    cells       map of maps: a cell of the base under its place, another under its name
      source    text
      outputs   array of outputs; one that grows is a map of `output` and `text`
      …         any other field of the cell, as JSON; "" where the cell has none

Refuses to guess: an update that does not read costs itself and what was built on it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_rewind.errors import Integrity, Newer

FORMAT = 1
_TEXT_TYPES = ("image/svg+xml", "application/javascript")


@dataclass(frozen=True, slots=True)
class Replayed:
    """The notebook with the draft's edits; `lost` updates did not read."""

    notebook: dict[str, Any]
    lost: int


def replay(base: Mapping[str, Any], updates: Sequence[bytes]) -> Replayed:
    """`base`, a notebook of nbformat 4, with the edits. Raises Integrity, Newer."""
    document, lost = _document(updates)
    told = _plain(document, "draft")
    if int(told.get("format", FORMAT)) > FORMAT:
        raise Newer(
            f"The draft is in format {told['format']}, which this version does not know.",
            hint="Install a later version of Jupyter Rewind. The draft stays kept.",
        )
    try:
        return Replayed(_put_on(base, told, _plain(document, "cells")), lost)
    except (ValueError, TypeError, LookupError) as error:
        raise Integrity(
            f"The draft does not fit the notebook that it is an edit of: {error!r}.",
            hint="The notebook on disk and its checkpoints are whole.",
        ) from error


def _document(updates: Sequence[bytes]) -> tuple[Any, int]:
    from pycrdt import Doc

    document: Any = Doc()
    lost = 0
    for update in updates:
        try:
            document.apply_update(update)
        except BaseException as error:
            # A fault inside pycrdt's Rust half is no Exception.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            lost += 1
    return document, lost


def _plain(document: Any, name: str) -> dict[str, Any]:
    from pycrdt import Map

    return document.get(name, type=Map).to_py() or {}


def _put_on(
    base: Mapping[str, Any], told: Mapping[str, Any], touched: Mapping[str, Any]
) -> dict[str, Any]:
    notebook = {**base}
    for name in ("metadata", "nbformat_minor"):
        if name in told:
            notebook[name] = json.loads(told[name])
    before = base["cells"]
    order = json.loads(told["order"]) if "order" in told else [[0, len(before)]]
    has_ids = (notebook.get("nbformat", 4), notebook.get("nbformat_minor", 5)) >= (4, 5)
    cells = []
    for item in order:
        if isinstance(item, str):
            cells.append(_cell({}, touched[item], has_ids))
            continue
        first, count = item
        if not 0 <= first <= first + count <= len(before):
            raise ValueError(f"it names cells {first} to {first + count} of {len(before)}")
        for place in range(first, first + count):
            cells.append(_cell(before[place], touched.get(str(place), {}), has_ids))
    notebook["cells"] = cells
    return notebook


def _cell(before: Mapping[str, Any], fields: Mapping[str, Any], has_ids: bool) -> dict[str, Any]:
    """The cell with its changed fields, as Jupyter writes it."""
    if not fields:
        return {**before}
    cell = copy.deepcopy(dict(before))
    for name, value in fields.items():
        if name == "source":
            cell[name] = _lines(str(value))
        elif name == "outputs":
            cell[name] = [_output(each) for each in value]
        elif value == "":
            cell.pop(name, None)
        else:
            cell[name] = json.loads(value)
    if not has_ids:
        cell.pop("id", None)
    return cell


def _output(told: str | Mapping[str, str]) -> dict[str, Any]:
    if isinstance(told, str):
        output: dict[str, Any] = json.loads(told)
    else:
        output = {**json.loads(told["output"]), "text": str(told["text"])}
    if isinstance(output.get("text"), str):
        output["text"] = _lines(output["text"])
    for name, data in (output.get("data") or {}).items():
        if isinstance(data, str) and (name.startswith("text/") or name in _TEXT_TYPES):
            output["data"][name] = _lines(data)
    return output


def _lines(text: str) -> list[str]:
    return text.splitlines(True)
