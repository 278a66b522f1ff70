"""Answers what a server or a command asks a running kernel: a text of JSON in, one out.

Only whoever may run code in this kernel gets here; nothing is allowed that code may not do.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from json import dumps, loads
from typing import Any

from jupyter_rewind import clock
from jupyter_rewind.errors import InvalidInput, RewindError, Unavailable
from jupyter_rewind.faces.ipython.answers import Back
from jupyter_rewind.faces.ipython.extension import current_verbs
from jupyter_rewind.faces.ipython.verbs import Verbs
from jupyter_rewind.kernels.telling import changes_json, report_json, snapshot_json


def answer(request: str) -> str:
    """The JSON of `{"answer": …}`, or of `{"error": …}`; never raises an error of ours."""
    try:
        asked = loads(base64.b64decode(request))
        verbs = current_verbs()
        if verbs is None:
            raise Unavailable("Jupyter Rewind is not on in this kernel.")
        act = _VERBS.get(asked["verb"])
        if act is None:
            raise InvalidInput(f"A kernel knows no verb {asked['verb']}.")
        if clock.now_ns() > asked.get("until_ns", math.inf):
            raise Unavailable("This was asked long ago, and nobody waits for it any more.")
        return dumps({"answer": act(verbs, asked["words"])})
    except RewindError as error:
        told = {
            "class": type(error).__name__,
            "code": error.code,
            "message": error.message,
            "hint": error.hint,
        }
        return dumps({"error": told})


def _back(back: Back) -> dict[str, Any]:
    return {
        "snapshot": snapshot_json(back.snapshot),
        "kept": snapshot_json(back.kept),
        "report": report_json(back.variables),
        "words": str(back),
    }


def _to(verbs: Verbs, words: Mapping[str, Any]) -> dict[str, Any]:
    return _back(verbs.to(str(words["ref"]), trust=bool(words.get("trust"))))


def _resume(verbs: Verbs, words: Mapping[str, Any]) -> dict[str, Any]:
    ref = words.get("ref")
    return _back(verbs.resume(None if ref is None else str(ref), trust=bool(words.get("trust"))))


def _undo(verbs: Verbs, words: Mapping[str, Any]) -> dict[str, Any]:
    return _back(verbs.undo())


def _redo(verbs: Verbs, words: Mapping[str, Any]) -> dict[str, Any]:
    return _back(verbs.redo())


def _get(verbs: Verbs, words: Mapping[str, Any]) -> dict[str, Any]:
    name, ref, new = str(words["name"]), str(words["ref"]), words.get("new")
    kept, missing = verbs.take(
        name,
        at=ref,
        new=None if new is None else str(new),
        replace=bool(words.get("replace")),
        trust=bool(words.get("trust")),
    )
    present = None if kept is None else snapshot_json(kept)
    return {"name": new or name, "kept": present, "missing": missing}


def _create(verbs: Verbs, words: Mapping[str, Any]) -> dict[str, Any]:
    timeline = verbs.session.timeline
    snapshot = timeline.present(asked=True)
    label = words.get("label")
    if label:
        timeline.label(snapshot, str(label))
        snapshot = timeline.resolve(snapshot.id)
    return {"snapshot": snapshot_json(snapshot)}


def _report(verbs: Verbs, words: Mapping[str, Any]) -> dict[str, Any]:
    return {"report": report_json(verbs.report(words.get("ref")).variables)}


def _diff(verbs: Verbs, words: Mapping[str, Any]) -> dict[str, Any]:
    return {"changes": changes_json(verbs.diff(words.get("before"), words.get("after")).changes)}


_VERBS: Mapping[str, Callable[[Verbs, Mapping[str, Any]], dict[str, Any]]] = {
    "to": _to,
    "resume": _resume,
    "undo": _undo,
    "redo": _redo,
    "get": _get,
    "create": _create,
    "report": _report,
    "diff": _diff,
}
