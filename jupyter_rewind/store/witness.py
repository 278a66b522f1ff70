"""What the store itself remembers of its segments: their names, and how far each was on the disk.

The index knows that too and can be lost; without either, a segment that is gone is like one that
never was. Only what was surely on the disk is said, so nothing here is ever taken back by a power
cut. A witness, no promise: where it cannot be written, work goes on. It never grows beyond the
segments there are, but for those whose loss no salvage has settled yet.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import suppress

from blake3 import blake3

from jupyter_rewind.errors import Integrity, Unavailable
from jupyter_rewind.model.encoding import check_format, parse_json, to_json
from jupyter_rewind.model.entry import Json
from jupyter_rewind.store.durable import Files, translate
from jupyter_rewind.store.layout import Layout, read_retired, read_store_id
from jupyter_rewind.store.locks import FileLock

WITNESS_FORMAT = 1
_WAIT_SECONDS = 2.0


def read_witness(layout: Layout) -> dict[str, int]:
    """Segment -> the offset up to which its bytes were on the disk; empty in a store that never
    noted any. Raises Integrity where it is damaged, Newer, Storage."""
    try:
        data = layout.witness.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise translate(error, "read", layout.witness) from error
    try:
        facts = parse_json(data)
        number, ends = int(facts["format"]), facts.get("ends", {})
        check_format(number, WITNESS_FORMAT, f"The witness of the store at {layout.folder}")
        if facts["check"] == _check(layout, ends):
            return {str(name): int(end) for name, end in ends.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    raise Integrity(
        f"The witness {layout.witness}, the list of segments, does not read.",
        hint="The segments are not touched by that. `jupyter rewind salvage` makes it again.",
    )


def note_segments(layout: Layout, files: Files, known: Mapping[str, int]) -> None:
    """The witness says at least what `known` says, and nothing of what upkeep took away. Durable.

    Raises Integrity, Newer (it is left as it is), Storage, Unavailable (others are noting).
    """
    lock = FileLock(layout.locks / "witness")
    try:
        lock.acquire(exclusive=True, timeout_seconds=_WAIT_SECONDS, doing="note the segments")
    except Unavailable as error:
        if error.code != "no_locks":
            raise
    try:
        if read_store_id(layout.folder) != layout.store_id:
            raise Unavailable(f"Another store is at {layout.folder} now.", code="replaced")
        before = read_witness(layout)
        ends = {name: max(end, known.get(name, 0)) for name, end in before.items()}
        ends = without_retired(layout, {**known, **ends})
        if ends != before:
            facts: dict[str, Json] = {"format": WITNESS_FORMAT, "ends": {**ends}}
            facts["check"] = _check(layout, ends)
            files.replace_file(layout.witness, to_json(facts))
    finally:
        lock.release()


def without_retired(layout: Layout, ends: Mapping[str, int]) -> dict[str, int]:
    """`ends` but for the segments that are gone because upkeep took them away."""
    absent = missing_segments(layout, ends)
    retired = read_retired(layout) if absent else set()
    return {name: end for name, end in ends.items() if not (name in absent and name in retired)}


def missing_segments(layout: Layout, ends: Mapping[str, int]) -> set[str]:
    """Those of `ends` that have no file. Raises Storage."""
    try:
        return set(ends).difference(os.listdir(layout.segments))
    except OSError as error:
        raise translate(error, "read the segments in", layout.segments) from error


def segment_sizes(layout: Layout) -> dict[str, int]:
    """How many bytes each file among the segments has. Raises Storage."""
    found = {}
    try:
        with os.scandir(layout.segments) as files:
            for one in files:
                with suppress(FileNotFoundError):  # collected while it is looked at
                    status = one.stat()
                    if stat.S_ISREG(status.st_mode):
                        found[one.name] = status.st_size
    except OSError as error:
        raise translate(error, "read the segments in", layout.segments) from error
    return found


def _check(layout: Layout, ends: Mapping[str, Json] | Mapping[str, int]) -> str:
    return blake3(b"witness " + to_json({**ends}), key=layout.key).hexdigest(16)
