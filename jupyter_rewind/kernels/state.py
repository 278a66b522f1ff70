"""What is known of the state that was captured last, and what a new look at it found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jupyter_rewind.kernels import buffers
from jupyter_rewind.kernels.buffers import BufferState
from jupyter_rewind.kernels.pods import HUB, Arrays
from jupyter_rewind.kernels.records import RootRecord
from jupyter_rewind.kernels.sink import Stream
from jupyter_rewind.model.ids import Digest


@dataclass(slots=True)
class Pod:
    """One pod as of the last capture. Holds no user object, but for copies of changed memory
    until they are stored."""

    roots: tuple[RootRecord, ...]
    ids: tuple[int, ...]
    stream_hash: bytes
    stream_size: int
    buffers: list[BufferState]
    refs: frozenset[str]
    names: tuple[str, ...] = ()
    closed: bool = False
    """Nobody but its roots can reach what it holds."""
    token: tuple[Any, ...] | None = None
    """Tells that a function is as it was, without telling it again."""
    stream: Stream | None = None
    chunks: tuple[Digest, ...] = ()
    node: Digest | None = None
    before: Pod | None = None
    seconds: float = 0.0
    """How long it took to tell it and to look at its memory."""
    hollow: int = 0
    """How many containers stand empty at its head, and are filled by its end."""
    arrays: Arrays = ()
    """Those in it, in order."""

    is_stand_in: bool = False
    """Its roots are not kept: it tells why."""
    kept: Pod | None = None
    """What such a pod stands for, as it was kept last."""

    keys: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        # Asked for hundreds of times after each cell.
        self.keys = tuple(root.key for root in self.roots)

    @property
    def content(self) -> Pod:
        """The last one that holds the values, where there is one."""
        return self.kept or self

    @property
    def fresh_bytes(self) -> int:
        held = len(self.stream) if self.stream is not None else 0
        return held + sum(state.fresh_bytes for state in self.buffers)

    def unwatch(self) -> None:
        """Nothing is known of writes to its memory any more."""
        for state in self.buffers:
            state.is_watched = state.is_calm = False

    def is_as(self, other: Pod) -> bool:
        """True when both tell the same."""
        return (
            self.stream_hash == other.stream_hash
            and self.roots == other.roots
            and self.refs == other.refs
            and self.names == other.names
            and self.is_stand_in == other.is_stand_in
            and len(self.buffers) == len(other.buffers)
            and all(map(buffers.is_same, self.buffers, other.buffers))
        )


@dataclass(slots=True)
class Change:
    """What a capture found: the pods of the new state, and which of them are new."""

    pods: dict[tuple[str, ...], Pod]
    changed: list[Pod] = field(default_factory=list)
    verified: int = 0
    late: tuple[str, ...] = ()
    """Roots that there was no time for."""

    @property
    def fresh_bytes(self) -> int:
        return sum(pod.fresh_bytes for pod in self.changed)

    def drop_unnamed(self) -> None:
        """Classes and functions that no pod names any more are not part of the state."""
        owner = {key: pod for pod in self.pods.values() for key in pod.keys}
        named: set[int] = set()
        wait = [pod for pod in self.pods.values() if not pod.keys[-1].startswith(HUB)]
        while wait:
            pod = wait.pop()
            if id(pod) not in named:
                named.add(id(pod))
                wait += [owner[HUB + uid] for uid in pod.refs if HUB + uid in owner]
        self.pods = {keys: pod for keys, pod in self.pods.items() if id(pod) in named}
        self.changed = [pod for pod in self.changed if id(pod) in named]


def ordered(change: Change) -> list[Pod]:
    """The pods in an order that changes little: small values, hubs, outputs, variables."""
    pods = change.pods
    return [pods[keys] for keys in sorted(pods)]
