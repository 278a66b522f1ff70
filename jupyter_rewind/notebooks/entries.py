"""How the facts of a history stand in the store's entries (format 1).

| kind | keys | body |
| --- | --- | --- |
| `checkpoint` | `h:<history>`, `c:<content>`; `x:<history>` if imported | a state; root: manifest |
| `bind` | `p:<path>`, `h:<history>` | from here on the path has this history |
| `unbind` | `p:<path>`, `h:<history>` | from here on it has none: moved or deleted |
| `file` | `ino:<device>:<inode>`, `h:<history>` | the file that carries it: birth, mode, disk |
| `absent` | `h:<history>` | its file was found to be gone; void once the history goes on |
| `mark` | `h:<history>`, `m:<checkpoint>` | a label, a pin, how one came to be |

A history is what these say when they are read in order; only imported checkpoints stand where
their time puts them. Body keys are one letter, for a checkpoint of one changed cell is a few
hundred bytes in all; what most of them would say alike is left out.
"""

from __future__ import annotations

import codecs
import logging
import os
import sys
from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from jupyter_rewind.errors import Integrity
from jupyter_rewind.model.checkpoint import Checkpoint, Counts, FileIdentity, Reason
from jupyter_rewind.model.entry import Entry, Json
from jupyter_rewind.model.ids import CheckpointId, Digest, EntryId, HistoryId

log = logging.getLogger(__name__)
CHECKPOINT, BIND, UNBIND, FILE, MARK = "checkpoint", "bind", "unbind", "file", "mark"
ABSENT = "absent"
BINDINGS = (BIND, UNBIND)
_USUAL = (4, 5)
_REASONS = {str(reason): reason for reason in Reason}
# A day before the last one that a date can hold, wherever on the globe.
_LAST_NS = 253_402_128_000 * 1_000_000_000


def history_key(history: str) -> str:
    return f"h:{history}"


# Bytes of a file name that are no text reach us as lone surrogates, which no key may hold: each
# stands in keys as a character of the private plane.
_BYTES = {0xDC00 + byte: 0x10FF00 + byte for byte in range(0x80, 0x100)}
_BYTES_BACK = {key: byte for byte, key in _BYTES.items()}


# Under a locale of the last century Python spells names otherwise; a file has one key all the same.
_IS_UTF8 = codecs.lookup(sys.getfilesystemencoding()).name == "utf-8"


def path_key(path: str) -> str:
    if not _IS_UTF8:
        with suppress(UnicodeEncodeError):
            path = os.fsencode(path).decode("utf-8", "surrogateescape")
    return f"p:{path.translate(_BYTES)}"


def path_of_key(key: str) -> str:
    path = key[2:].translate(_BYTES_BACK)
    return path if _IS_UTF8 else os.fsdecode(path.encode("utf-8", "surrogateescape"))


def content_key(content: bytes) -> str:
    return f"c:{_to_text(content)}"


def import_key(history: str) -> str:
    return f"x:{history}"


def mark_key(checkpoint: str) -> str:
    return f"m:{checkpoint}"


def history_of(entry: Entry) -> HistoryId:
    """The history that the entry belongs to. Raises Integrity."""
    for key in entry.keys:
        if key.startswith("h:"):
            return HistoryId(key[2:])
    raise Integrity(f"The record {entry.id} names no history.")


def file_body(identity: FileIdentity) -> dict[str, Json]:
    """The body of a file entry: what its keys do not tell, where it is known."""
    body: dict[str, Json] = {}
    if identity.born_ns is not None:
        body["b"] = identity.born_ns
    if identity.mode is not None:
        body["m"] = identity.mode
    if identity.disk:
        body["d"] = identity.disk
    return body


def read_identity(entry: Entry) -> FileIdentity | None:
    """The file that a file entry tells of."""
    born, mode, disk = (entry.body.get(name) for name in "bmd")
    for key in entry.keys:
        if key.startswith("ino:"):
            _, device, inode = key.split(":")
            return FileIdentity(
                int(device, 16),
                int(inode, 16),
                born if isinstance(born, int) else None,
                mode if isinstance(mode, int) else None,
                disk if isinstance(disk, str) else "",
            )
    return None


def is_imported(entry: Entry) -> bool:
    """True for a checkpoint that stands where its time puts it."""
    return any(key.startswith("x:") for key in entry.keys)


def sound_time(time_ns: int) -> int:
    """`time_ns`, or the nearest moment that a calendar knows: files' times can be anything."""
    return min(max(time_ns, 0), _LAST_NS)


def told_by_order(order: int) -> int:
    """The time, to the millisecond, that a checkpoint's place in the order tells."""
    return order - order % 1_000_000


def place_of(entry: Entry) -> tuple[int, int, str]:
    """Where a checkpoint stands among those of its history."""
    # A file time that lies in the future must not be the head for ever.
    moment = min(_integer(entry.body, "t"), entry.order) if is_imported(entry) else entry.order
    return moment, entry.order, entry.id


@dataclass(frozen=True, slots=True)
class Facts:
    """What a new checkpoint entry says; `time_ns` is None where its order tells it."""

    time_ns: int | None
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
    """The body of a checkpoint entry."""
    counts = facts.counts
    body: dict[str, Json] = {
        "a": facts.author,
        "o": facts.host,
        "n": [counts.cells, counts.added, counts.changed, counts.removed],
        "s": facts.size_bytes,
        "w": _to_text(facts.raw),
    }
    if facts.reason is not Reason.SAVE:
        body["r"] = str(facts.reason)
    if facts.time_ns is not None:
        body["t"] = facts.time_ns
    if facts.kind != "notebook":
        body["k"] = facts.kind
    if facts.nbformat != _USUAL:
        body["f"] = list(facts.nbformat or ())
    if facts.parent is not None:
        body["b"] = facts.parent
    if facts.note:
        body["m"] = facts.note
    return body


def read_checkpoints(
    entries: Sequence[Entry],
    bindings: Sequence[Entry],
    marks: Iterable[Entry],
    before: CheckpointId | None = None,
) -> list[Checkpoint]:
    """The checkpoints of one history, as they stand in it, with labels and pins. `before` is the
    one that the first of them follows.

    A record that does not read costs itself alone, in the log; Integrity is raised when none does.
    """
    places = [(entry.order, str(entry.body.get("path", ""))) for entry in bindings]
    found: list[Checkpoint] = []
    problem: Integrity | None = None
    at = 0
    for entry in entries:
        while at + 1 < len(places) and places[at + 1][0] <= entry.order:
            at += 1
        path = places[at][1] if places else ""
        try:
            found.append(read_checkpoint(entry, path, found[-1].id if found else before))
        except Integrity as error:
            log.warning("%s", error)
            problem = error
    if problem is not None and not found:
        raise problem
    if any(is_imported(entry) for entry in entries):
        found = _in_place(found, entries)
    return apply_marks(found, marks)


def _in_place(found: Sequence[Checkpoint], entries: Sequence[Entry]) -> list[Checkpoint]:
    where = {entry.id: place_of(entry) for entry in entries}
    told = {CheckpointId(entry.id) for entry in entries if "b" in entry.body}
    ordered: list[Checkpoint] = []
    for one in sorted(found, key=lambda one: where[EntryId(one.id)]):
        before = ordered[-1].id if ordered else None
        is_told = one.id in told or one.parent == before
        ordered.append(one if is_told else replace(one, parent=before))
    return ordered


def read_checkpoint(entry: Entry, path: str, before: CheckpointId | None) -> Checkpoint:
    """The checkpoint that `entry` tells of; `before` is its predecessor. Raises Integrity."""
    body = entry.body
    try:
        for key in entry.keys:
            if key[0] == "h":
                history = HistoryId(key[2:])
            elif key[0] == "c":
                content = _from_text(key[2:])
        counts = body["n"]
        version = body.get("f", _USUAL)
        return Checkpoint(
            id=CheckpointId(entry.id),
            history=history,
            path=path,
            time_ns=sound_time(_integer(body, "t")) if "t" in body else told_by_order(entry.order),
            order=entry.order,
            reason=_REASONS[body.get("r", "save")],  # type: ignore[index]
            author=str(body["a"]),
            host=str(body["o"]),
            counts=Counts(*counts),  # type: ignore[misc]
            size_bytes=_integer(body, "s"),
            kind=str(body.get("k", "notebook")),
            content=content,
            raw=Digest(_from_text(body["w"])),
            manifest=entry.roots[0],
            nbformat=(version[0], version[1]) if version else None,  # type: ignore[arg-type, index]
            parent=CheckpointId(str(body["b"])) if "b" in body else before,
            note=str(body.get("m", "")),
        )
    except (LookupError, ValueError, TypeError, UnboundLocalError) as error:
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
    parent = CheckpointId(str(body["b"])) if "b" in body else checkpoint.parent
    author = str(body["a"]) if "a" in body else checkpoint.author
    return replace(
        checkpoint, labels=labels, pinned=pinned, reason=reason, parent=parent, author=author
    )


def _to_text(data: bytes) -> str:
    return b64encode(data).decode().rstrip("=")


def _from_text(text: Json) -> bytes:
    return a2b_base64(f"{text}==")


def _integer(body: Mapping[str, Json], name: str) -> int:
    value = body[name]
    if not isinstance(value, int):
        raise ValueError(f"{name} is not a number")
    return value
