"""How pods, states and snapshots stand in the store (format 1).

pod      a node; body: its roots with what is told of each, the sizes of its stream and buffers,
         the hubs it names, the variables it holds as one value; links: the chunks of the stream,
         then those of each buffer
state    a node; body: the version of Python; links: the pods
snapshot an entry; its root is the state, its tag says that a holder of this store's key made it
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from jupyter_rewind.errors import Format, RestoreRefused
from jupyter_rewind.model.encoding import check_format, decode_node, parse_json, to_json
from jupyter_rewind.model.entry import Entry, Json
from jupyter_rewind.model.execution import execution_key, path_key, run_key
from jupyter_rewind.model.ids import Digest, ExecutionId, RunId, SnapshotId
from jupyter_rewind.model.snapshot import Fidelity, FidelityCounts, Snapshot
from jupyter_rewind.store.framing import make_tag
from jupyter_rewind.store.keep import ContentSource
from jupyter_rewind.store.layout import Layout

SNAPSHOT = "snapshot"
SNAPSHOT_MARK = "snapshot-mark"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class RootRecord:
    """What is told of one root of a pod."""

    key: str
    type_name: str
    fidelity: Fidelity
    reason: str
    preview: str


@dataclass(frozen=True, slots=True)
class Buffer:
    """Large memory of a pod: its size, its pieces, and whether it is read in place."""

    size: int
    pieces: tuple[Digest, ...]
    direct: bool = False


@dataclass(frozen=True, slots=True)
class PodRecord:
    """A pod as it stands in the store."""

    node: Digest
    roots: tuple[RootRecord, ...]
    stream: tuple[Digest, ...]
    stream_size: int
    buffers: tuple[Buffer, ...]
    refs: tuple[str, ...]
    names: tuple[str, ...] = ()
    """Roots that are told together as one dictionary: small values."""
    hollow: int = 0
    """How many containers stand empty at the head of the stream, and are filled by its end."""
    is_stand_in: bool = False
    """Its roots were not kept: it tells why."""

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(root.key for root in self.roots)

    @property
    def size_bytes(self) -> int:
        return self.stream_size + sum(one.size for one in self.buffers)


@dataclass(frozen=True, slots=True)
class StateRecord:
    """The whole state as it stands in the store."""

    python: tuple[int, int]
    pods: tuple[Digest, ...]


def encode_pod(
    roots: Sequence[RootRecord],
    stream: Sequence[Digest],
    stream_size: int,
    buffers: Sequence[Buffer],
    refs: Iterable[str],
    names: Iterable[str] = (),
    hollow: int = 0,
    is_stand_in: bool = False,
) -> tuple[bytes, list[Digest]]:
    """Body and links of the pod's node."""
    told: list[Json] = [
        [one.key, one.type_name, str(one.fidelity), one.reason, one.preview] for one in roots
    ]
    sizes: list[Json] = [[one.size, len(one.pieces), one.direct] for one in buffers]
    named: list[Json] = [*sorted(refs)]
    facts: dict[str, Json] = {
        "format": FORMAT, "roots": told, "stream": [len(stream), stream_size], "buffers": sizes,
        "refs": named, "names": list(names),
    }  # fmt: skip
    if hollow:
        facts["hollow"] = hollow
    if is_stand_in:
        facts["stand_in"] = True
    return to_json(facts), [*stream, *(name for one in buffers for name in one.pieces)]


def read_pod(store: ContentSource, node: Digest) -> PodRecord:
    """Raises NotFound, Integrity, Newer, Format."""
    body, links = decode_node(store.get(node))
    facts = _facts(body, "A pod")
    try:
        roots = tuple(
            RootRecord(key, name, Fidelity(fidelity), reason, preview)
            for key, name, fidelity, reason, preview in facts["roots"]
        )
        count, size = facts["stream"]
        buffers = []
        at = count
        for length, pieces, direct in facts["buffers"]:
            buffers.append(Buffer(length, links[at : at + pieces], direct))
            at += pieces
        refs, names = tuple(facts["refs"]), tuple(facts["names"])
        hollow, is_stand_in = facts.get("hollow", 0), bool(facts.get("stand_in"))
    except (KeyError, ValueError, TypeError) as error:
        raise Format(f"Pod {node.hex()[:12]} does not read: {error}.") from error
    return PodRecord(
        node, roots, links[:count], size, tuple(buffers), refs, names, cast(int, hollow),
        is_stand_in,
    )  # fmt: skip


def encode_state() -> bytes:
    return to_json({"format": FORMAT, "python": list(sys.version_info[:2])})


def read_state(store: ContentSource, node: Digest) -> StateRecord:
    """Raises NotFound, Integrity, Newer, Format."""
    body, links = decode_node(store.get(node))
    facts = _facts(body, "The state of a kernel")
    try:
        major, minor = facts["python"]
        return StateRecord((major, minor), links)
    except (KeyError, ValueError, TypeError) as error:
        raise Format(f"State {node.hex()[:12]} does not read: {error}.") from error


def _facts(body: bytes, what: str) -> dict[str, list]:  # type: ignore[type-arg]
    try:
        facts = parse_json(body)
        number = facts["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise Format(f"{what} does not read: {error}.") from error
    check_format(number, FORMAT, what)
    return facts  # type: ignore[no-any-return]


# --- snapshots --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Facts:
    """What a capture says of the snapshot that it makes."""

    run: RunId
    execution: ExecutionId
    count: int
    path: str
    time_ns: int
    parent: SnapshotId | None
    counts: FidelityCounts
    merged: tuple[ExecutionId, ...] = ()
    new_bytes: int = 0
    excluded: tuple[str, ...] = ()


def snapshot_keys(facts: Facts) -> list[str]:
    keys = [run_key(facts.run), execution_key(facts.execution)]
    return [*keys, path_key(facts.path)] if facts.path else keys


def encode_snapshot(facts: Facts, state: Digest, layout: Layout) -> dict[str, Json]:
    """The body of the snapshot's entry."""
    counts = facts.counts
    return {
        "format": FORMAT,
        "run": facts.run,
        "execution": facts.execution,
        "count": facts.count,
        "path": facts.path,
        "time_ns": facts.time_ns,
        "parent": facts.parent,
        "counts": [counts.exact, counts.rebuilt, counts.reference, counts.missing],
        "merged": list(facts.merged),
        "new_bytes": facts.new_bytes,
        "python": ".".join(map(str, sys.version_info[:3])),
        "tag": _tag(layout, facts.run, facts.execution, facts.time_ns, state),
        **({"excluded": list(facts.excluded)} if facts.excluded else {}),
    }


def retell_snapshot(entry: Entry, old: Layout, new: Layout) -> Entry:
    """The entry for a store with another key. A state that was ours is; a foreign one stays so."""
    if entry.kind != SNAPSHOT or not entry.roots:
        return entry
    body = entry.body
    said = str(body.get("run")), str(body.get("execution")), body.get("time_ns"), entry.roots[0]
    if body.get("tag") != _tag(old, *said):
        return entry
    return replace(entry, body={**body, "tag": _tag(new, *said)})


def _tag(layout: Layout, run: str, execution: str, time_ns: Json, state: Digest) -> str:
    said = "\0".join(("snapshot", run, execution, str(time_ns), state.hex()))
    return make_tag(layout, said.encode())


def decode_snapshot(entry: Entry, layout: Layout, marks: Iterable[Entry] = ()) -> Snapshot:
    """The snapshot that `entry` tells, with what `marks` say of it. Raises Newer, Format."""
    body = entry.body
    number = body.get("format")
    check_format(number if isinstance(number, int) else 0, FORMAT, "A snapshot")
    try:
        state = entry.roots[0]
        counts = FidelityCounts(*cast("list[int]", body["counts"]))
        run, execution = RunId(str(body["run"])), ExecutionId(str(body["execution"]))
        time_ns, count = int(body["time_ns"]), int(body["count"])  # type: ignore[arg-type]
        parent = body.get("parent")
        found = Snapshot(
            SnapshotId(entry.id), run, execution, count, str(body.get("path", "")), time_ns,
            entry.order, state, counts,
            SnapshotId(str(parent)) if parent is not None else None,
            tuple(ExecutionId(one) for one in cast("list[str]", body.get("merged", []))),
            int(body.get("new_bytes", 0)),  # type: ignore[arg-type]
            str(body.get("python", "")),
            trusted=body.get("tag") == _tag(layout, run, execution, time_ns, state),
            excluded=tuple(str(one) for one in cast("list[str]", body.get("excluded", []))),
        )  # fmt: skip
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise Format(f"Snapshot {entry.id} does not read: {error}.") from error
    for mark in marks:
        found = _marked(found, mark)
    return found


def _marked(snapshot: Snapshot, mark: Entry) -> Snapshot:
    body = mark.body
    if body.get("snapshot") != snapshot.id:
        return snapshot
    labels = list(snapshot.labels)
    if isinstance(body.get("label"), str) and body["label"] not in labels:
        labels.append(str(body["label"]))
    if body.get("unlabel") in labels:
        labels.remove(str(body["unlabel"]))
    pinned = body.get("pin", snapshot.pinned)
    return replace(snapshot, labels=tuple(labels), pinned=bool(pinned))


def mark_key(snapshot: SnapshotId) -> str:
    return f"snapshot:{snapshot}"


def check_trust(snapshot: Snapshot, trust: bool) -> None:
    """Nothing, or RestoreRefused: what another key made may run anybody's code when loaded."""
    if not snapshot.trusted and not trust:
        raise RestoreRefused(
            f"Snapshot {snapshot.id} was not made with the key of this store: loading it would run"
            " whatever its maker put into it. Nothing was changed.",
            code="untrusted",
            hint="If you know where it is from, ask again with `--trust` (in Python `trust=True`).",
        )


def read_records(store: ContentSource, snapshot: Snapshot) -> tuple[PodRecord, ...]:
    """The pods of the state, as they stand in the store."""
    return tuple(read_pod(store, node) for node in read_state(store, snapshot.state).pods)
