"""A draft: edits of one notebook that a browser has handed over and that are in no save yet.

| kind | keys | body |
| --- | --- | --- |
| `draft` | `d:<draft>`, `h:<history>` | when and by whom it was begun; root: manifest of its base |
| `draft-update` | `d:<draft>` | a Yjs update: in the body, or, a large one, in the content |
| `draft-end` | `d:<draft>` | nobody writes it any more, and why |
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass

from jupyter_rewind.errors import Integrity, InvalidInput, Newer
from jupyter_rewind.model.entry import Entry, Json
from jupyter_rewind.model.ids import CheckpointId, Digest, DraftId, HistoryId

DRAFT, UPDATE, END = "draft", "draft-update", "draft-end"
FORMAT = 1
INLINE_BYTES = 4096
ENDS = ("closed", "reverted", "restored")
_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Draft:
    """What is known of a draft without reading its edits. `checkpoint` is the state that it is an
    edit of, where that is one; `ended` says why nobody writes it any more, "" while somebody may.
    `browser` tells windows of one browser from those of others."""

    id: DraftId
    history: HistoryId
    path: str
    base: Digest
    checkpoint: CheckpointId | None
    begun_ns: int
    changed_ns: int
    author: str
    browser: str
    updates: int
    size_bytes: int
    ended: str


@dataclass(frozen=True, slots=True)
class Opening:
    """How a draft begins."""

    id: DraftId
    history: HistoryId
    checkpoint: CheckpointId | None
    author: str
    browser: str


def draft_key(draft: str) -> str:
    return f"d:{draft}"


def check_draft_id(text: str) -> DraftId:
    """`text`, which names a draft. Raises InvalidInput."""
    if not _ID.fullmatch(text):
        raise InvalidInput("A draft is named by 32 hexadecimal digits in lower case.")
    return DraftId(text)


def opening_body(opening: Opening, now_ns: int) -> dict[str, Json]:
    """The body of the entry that begins a draft."""
    return {
        "format": FORMAT, "draft": opening.id, "time_ns": now_ns, "author": opening.author,
        "browser": opening.browser, "checkpoint": opening.checkpoint,
    }  # fmt: skip


def read_opening(entry: Entry) -> tuple[Opening, Digest, int]:
    """How the draft began, from what base, and when. Raises Integrity, Newer."""
    body = entry.body
    check_version(entry)
    history = next((key[2:] for key in entry.keys if key.startswith("h:")), "")
    try:
        checkpoint = body["checkpoint"]
        opening = Opening(
            DraftId(str(body["draft"])),
            HistoryId(history),
            None if checkpoint is None else CheckpointId(str(checkpoint)),
            str(body["author"]),
            str(body["browser"]),
        )
        return opening, entry.roots[0], int(str(body["time_ns"]))
    except (LookupError, ValueError) as error:
        raise Integrity(f"The record of draft {entry.id} does not read: {error!r}.") from error


def update_body(update: bytes, now_ns: int) -> dict[str, Json]:
    """The body of an update's entry; a large update stands in its content instead."""
    body: dict[str, Json] = {"format": FORMAT, "time_ns": now_ns, "size": len(update)}
    if len(update) <= INLINE_BYTES:
        body["update"] = b64encode(update).decode()
    return body


def read_inline(entry: Entry) -> bytes | None:
    """The update in an entry's body; None where it stands in its content. Raises Integrity."""
    check_version(entry)
    told = entry.body.get("update")
    if told is None:
        return None
    try:
        return b64decode(str(told), validate=True)
    except ValueError as error:
        raise Integrity(f"The update {entry.id} of a draft does not read.") from error


def check_version(entry: Entry) -> None:
    """Raises Newer for a record of a later version."""
    number = entry.body.get("format")
    if number != FORMAT:
        raise Newer(
            f"A draft was written in format {number}, which this version does not know.",
            hint="Install the version of Jupyter Rewind that wrote it, or a later one.",
        )


def time_of(entry: Entry) -> int:
    """When the entry was made, by the clock of who made it."""
    told = entry.body.get("time_ns")
    return told if isinstance(told, int) else entry.order


def size_of(entry: Entry) -> int:
    """How many bytes the update has."""
    told = entry.body.get("size")
    return told if isinstance(told, int) else 0
