"""How facts become bytes: canonical JSON, and the payload of a commit record (format 1).

Every payload opens with its format number; an unknown one is refused with words.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from jupyter_rewind.errors import Format, Newer
from jupyter_rewind.model.entry import LAST_ORDER, Entry, Json
from jupyter_rewind.model.ids import Digest, EntryId

COMMIT_FORMAT = 1
DIGEST_SIZE = 32
_COMMIT = struct.Struct("<HIQ16sI")
_NODE = struct.Struct("<HI")
NODE_FORMAT = 1
# Taken once, for all of ours: in a kernel, a cell may put something else in their place.
dump_json, parse_json = json.dumps, json.loads
# json.dumps makes an encoder for every call.
_PLAIN = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_ESCAPED = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def to_json(value: Json) -> bytes:
    """The one spelling of `value`: sorted keys, no spaces, UTF-8 (lone surrogates escaped)."""
    try:
        return _PLAIN.encode(value).encode()
    except UnicodeEncodeError:
        return _ESCAPED.encode(value).encode()


@dataclass(frozen=True, slots=True)
class Commit:
    """What one commit record says.

    `records` is how many records stand before it in its batch, `batch` a keyed digest over their
    heads and tags, `synced` the offset in its segment up to which the writer knew all to be on
    the disk when it wrote this.
    """

    records: int
    synced: int
    batch: bytes
    entries: tuple[Entry, ...] = ()
    expired: tuple[EntryId, ...] = ()


def encode_commit(commit: Commit) -> bytes:
    """The payload of `commit`: a fixed head, a JSON text, then the roots of the entries."""
    rows: list[Json] = [
        [entry.id, entry.kind, entry.order, list(entry.keys), entry.body, len(entry.roots)]
        for entry in commit.entries
    ]
    facts: dict[str, Json] = {}
    if rows:
        facts["e"] = rows
    if commit.expired:
        facts["x"] = list(commit.expired)
    text = to_json(facts) if facts else b""
    head = _COMMIT.pack(COMMIT_FORMAT, commit.records, commit.synced, commit.batch, len(text))
    return b"".join([head, text, *(root for entry in commit.entries for root in entry.roots)])


def decode_commit(payload: bytes) -> Commit:
    """The commit in `payload`. Raises Newer for an unknown format, Format for anything else."""
    try:
        number, records, synced, batch, size = _COMMIT.unpack_from(payload)
    except struct.error as error:
        raise Format("A commit record is too short to be read.") from error
    check_format(number, COMMIT_FORMAT, "A commit record")
    text = payload[_COMMIT.size : _COMMIT.size + size]
    try:
        facts = parse_json(text) if text else {}
        entries = _entries(facts.get("e", ()), payload[_COMMIT.size + size :])
        expired = tuple(EntryId(str(name)) for name in facts.get("x", ()))
    except (ValueError, TypeError, KeyError) as error:
        raise Format(f"A commit record cannot be read: {error}.") from error
    return Commit(records, synced, batch, entries, expired)


def _entries(rows: Sequence[list[object]], roots: bytes) -> tuple[Entry, ...]:
    entries = []
    at = 0
    for name, kind, order, keys, body, count in rows:
        if not (isinstance(count, int) and isinstance(order, int) and isinstance(body, dict)):
            raise ValueError("an entry has fields of the wrong type")
        if abs(order) > LAST_ORDER:
            raise ValueError("an entry's place in the order is beyond all clocks")
        if not isinstance(keys, list):
            raise ValueError("an entry's keys are not a list")
        mine = split_digests(roots[at : at + count * DIGEST_SIZE], count)
        at += count * DIGEST_SIZE
        entries.append(
            Entry(EntryId(str(name)), str(kind), order, tuple(map(str, keys)), body, mine)
        )
    return tuple(entries)


def split_digests(data: bytes, count: int) -> tuple[Digest, ...]:
    """The `count` digests that stand one after the other in `data`. Raises ValueError."""
    if len(data) != count * DIGEST_SIZE:
        raise ValueError("digests are missing")
    return tuple(Digest(data[at : at + DIGEST_SIZE]) for at in range(0, len(data), DIGEST_SIZE))


def encode_node(body: bytes, links: Sequence[Digest]) -> bytes:
    """A node's raw content: a count, the digests it links to, then its body."""
    return b"".join([_NODE.pack(NODE_FORMAT, len(links)), *links, body])


def decode_node(raw: bytes) -> tuple[bytes, tuple[Digest, ...]]:
    """A node's body and links. Raises Newer, Format."""
    try:
        number, count = _NODE.unpack_from(raw)
        check_format(number, NODE_FORMAT, "A node")
        end = _NODE.size + count * DIGEST_SIZE
        return raw[end:], split_digests(raw[_NODE.size : end], count)
    except (struct.error, ValueError) as error:
        raise Format(f"A node cannot be read: {error}.") from error


def check_format(number: int, known: int, what: str) -> None:
    """Nothing, when this version reads format `number`. Raises Newer."""
    if not 1 <= number <= known:
        raise Newer(
            f"{what} has format {number}; this version of Jupyter Rewind reads up to {known}.",
            hint="Nothing was changed. Upgrade with `pip install -U jupyter-rewind`.",
        )
