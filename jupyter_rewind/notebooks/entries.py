"""How the facts of a history stand in the store's entries (format 1).

| kind | keys | body |
| --- | --- | --- |
| `checkpoint` | `h:<history>`, `c:<content>` | one state; its manifest is the one root |
| `bind` | `p:<path>`, `h:<history>` | from here on the path has this history |
| `unbind` | `p:<path>`, `h:<history>` | from here on it has none: moved or deleted |
| `file` | `i:<device>:<inode>`, `h:<history>` | the file that carries it |
| `mark` | `h:<history>` | a label, a pin, a stronger reason for one checkpoint |

A history is what these say when they are read in order. Body keys are one letter, for a
checkpoint of one changed cell is a few hundred bytes in all.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from jupyter_rewind.errors import Integrity
from jupyter_rewind.model.checkpoint import Checkpoint, Counts, Reason
from jupyter_rewind.model.entry import Entry, Json
from jupyter_rewind.model.ids import CheckpointId, Digest, HistoryId

CHECKPOINT, BIND, UNBIND, FILE, MARK = "checkpoint", "bind", "unbind", "file", "mark"
BINDINGS = (BIND, UNBIND)


def history_key(history: str) -> str:
    return f"h:{history}"


# Bytes of a file name that are no text reach us as lone surrogates, which no key may hold: each
# stands in keys as a character of the private plane.
_BYTES = {0xDC00 + byte: 0x10FF00 + byte for byte in range(0x80, 0x100)}
_BYTES_BACK = {key: byte for byte, key in _BYTES.items()}


def path_key(path: str) -> str:
    return f"p:{path.translate(_BYTES)}"


def path_of_key(key: str) -> str:
    return key[2:].translate(_BYTES_BACK)


def content_key(content: bytes) -> str:
    return f"c:{content.hex()}"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a new checkpoint entry says."""

    time_ns: int
    reason: Reason
    author: str
    host: str
    counts: Counts
    size_bytes: int
    kind: str
    raw: Digest
    nbformat: tuple[int, int] | None
    parent: CheckpointId | None
    note: str


def checkpoint_body(facts: Facts) -> dict[str, Json]:
    """The body of a checkpoint entry. The time stands in the entry's order where they agree."""
    counts = facts.counts
    body: dict[str, Json] = {
        "r": str(facts.reason),
        "a": facts.author,
        "o": facts.host,
        "n": [counts.cells, counts.added, counts.changed, counts.removed],
        "s": facts.size_bytes,
        "w": b64encode(facts.raw).decode(),
        "t": facts.time_ns,
    }
    if facts.kind != "notebook":
        body["k"] = facts.kind
    if facts.nbformat is not None:
        body["f"] = list(facts.nbformat)
    if facts.parent is not None:
        body["b"] = facts.parent
    if facts.note:
        body["m"] = facts.note
    return body


def read_checkpoints(
    entries: Sequence[Entry], bindings: Sequence[Entry], marks: Iterable[Entry]
) -> list[Checkpoint]:
    """The checkpoints of one history, in order, with their labels and pins. Raises Integrity."""
    found: list[Checkpoint] = []
    places = [entry for entry in bindings if entry.kind == BIND]
    at = -1
    for entry in entries:
        while at + 1 < len(places) and places[at + 1].order <= entry.order:
            at += 1
        place = places[max(at, 0)] if places else None
        path = str(place.body.get("path", "")) if place else ""
        found.append(read_checkpoint(entry, path, found[-1].id if found else None))
    return apply_marks(found, marks)


def read_checkpoint(entry: Entry, path: str, before: CheckpointId | None) -> Checkpoint:
    """The checkpoint that `entry` tells of; `before` is its predecessor. Raises Integrity."""
    body = entry.body
    try:
        keys = dict(key.split(":", 1) for key in entry.keys)
        cells, added, changed, removed = map(int, body["n"])  # type: ignore[arg-type]
        version = body.get("f")
        parent = body.get("b")
        return Checkpoint(
            id=CheckpointId(entry.id),
            history=HistoryId(keys["h"]),
            path=path,
            time_ns=_integer(body, "t"),
            order=entry.order,
            reason=Reason(str(body["r"])),
            author=str(body["a"]),
            host=str(body["o"]),
            counts=Counts(cells, added, changed, removed),
            size_bytes=_integer(body, "s"),
            kind=str(body.get("k", "notebook")),
            content=bytes.fromhex(keys["c"]),
            raw=Digest(b64decode(str(body["w"]))),
            manifest=entry.roots[0],
            nbformat=(int(version[0]), int(version[1])) if isinstance(version, list) else None,  # type: ignore[arg-type]
            parent=CheckpointId(str(parent)) if parent else before,
            note=str(body.get("m", "")),
        )
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise Integrity(
            f"The record of checkpoint {entry.id} does not read: {error!r}.",
            hint="The other checkpoints are whole. `jupyter rewind verify` tells more.",
        ) from error


def apply_marks(checkpoints: Sequence[Checkpoint], marks: Iterable[Entry]) -> list[Checkpoint]:
    """The same checkpoints with what was said of them later: the last word on each counts."""
    by_id = {checkpoint.id: checkpoint for checkpoint in checkpoints}
    for mark in marks:
        checkpoint = by_id.get(CheckpointId(str(mark.body.get("c"))))
        if checkpoint is not None:
            by_id[checkpoint.id] = _marked(checkpoint, mark.body)
    return [by_id[checkpoint.id] for checkpoint in checkpoints]


def _marked(checkpoint: Checkpoint, body: Mapping[str, Json]) -> Checkpoint:
    labels = checkpoint.labels
    if "label" in body:
        label = str(body["label"])
        labels = (*(one for one in labels if one != label), label)
    if "unlabel" in body:
        labels = tuple(one for one in labels if one != str(body["unlabel"]))
    pinned = bool(body["pin"]) if "pin" in body else checkpoint.pinned
    reason = Reason(str(body["reason"])) if "reason" in body else checkpoint.reason
    return replace(checkpoint, labels=labels, pinned=pinned, reason=reason)


def _integer(body: Mapping[str, Json], name: str) -> int:
    value = body[name]
    if not isinstance(value, int):
        raise ValueError(f"{name} is not a number")
    return value
