"""Segments of which some payloads may still lie in a replica alone.

<store>/partial   JSON: format, and for each such segment the address of its replica

Such a segment has its full length, with every head, tag, node and commit; where the payloads of
chunks go, there may be holes. The file never says which: bytes that fit their tag are here. So a
hole may be filled by anybody at any time, and what a power cut tore is a hole again. A segment is
named here before it is shown, and no more after all of it was compared and flushed.

Where the file does not read, every segment may lack some: what fits its tag is read, and nothing is
taken for damage or for whole. A pull finds out which they are, and names them anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from jupyter_rewind.errors import Conflict, Integrity, NotFound, Unavailable
from jupyter_rewind.model.encoding import check_format, parse_json, to_json
from jupyter_rewind.model.entry import Json
from jupyter_rewind.store.durable import Files, read_at, translate
from jupyter_rewind.store.framing import HEAD_SIZE, Kind, Record, seal_of
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.segments import Scan, SegmentReader

if TYPE_CHECKING:
    from jupyter_rewind.store.index import Index
    from jupyter_rewind.store.replica.bringing import Bringer

ABSENT = "absent"
"""The code of the error that tells of contents which cannot be fetched from a replica now."""
UNKNOWN = "partial_unknown"
"""The code of the error that tells that nobody knows which contents are here."""
_FIND_OUT = (
    "`jupyter rewind replica pull` finds out what is missing, and brings it. Where no replica is"
    " left, `jupyter rewind salvage --without-replicas` gives it up."
)
_FORMAT = 1
_LOOK = 64
_CHUNKS = (
    "SELECT c.at, c.stored FROM chunks c JOIN segments s ON s.num=c.seg WHERE c.kind=? AND s.name=?"
)


class _Every(Mapping[str, str]):
    """Every segment may lack payloads, and nobody knows where those are."""

    def __getitem__(self, segment: str) -> str:
        return ""

    def __contains__(self, segment: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 1


class Partial:
    """The segments that may lack payloads, as the store says it now. Thread-safe."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._path = os.fspath(layout.partial)
        self._seen: tuple[tuple[int, int, int], Mapping[str, str]] | None = None

    def places(self) -> Mapping[str, str]:
        """Segment -> the address of the replica that has its payloads; empty in most stores. Every
        segment, and no address, where the file does not read.

        To be asked before a payload is read: one that is whole by then may be named no more.
        Raises Newer, Storage.
        """
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise translate(error, "read", self._layout.partial) from error
        mark = (status.st_mtime_ns, status.st_ino, status.st_size)
        seen = self._seen
        if seen is None or seen[0] != mark:
            try:
                found: Mapping[str, str] = read_partial(self._layout)
            except Integrity:
                found = _Every()
            seen = self._seen = (mark, found)
        return seen[1]


class Payloads(Partial):
    """The payloads of such segments. What fetches is imported when something is missing."""

    def __init__(self, layout: Layout, files: Files, *, apart: bool = False) -> None:
        """With `apart` another process fetches."""
        super().__init__(layout)
        self._files = files
        self._apart = apart
        self._made: Bringer | None = None

    def get(self, segment: str, url: str, record: Record) -> bytes:
        """See `Bringer.payload`."""
        return self._bringer.payload(segment, url, record)

    def is_here(self, segment: str, record: Record) -> bool:
        """Whether the payload is here, and what was written."""
        try:
            return self._bringer.is_here(segment, record)
        except NotFound:
            return False

    @property
    def _bringer(self) -> Bringer:
        from jupyter_rewind.store.replica.bringing import Bringer

        if self._made is None:
            self._made = Bringer(self._layout, self._files, apart=self._apart)
        return self._made


def may_lack(layout: Layout) -> bool:
    """Whether some payloads may not be here. Raises Newer, Storage."""
    return bool(Partial(layout).places())


def read_partial(layout: Layout) -> dict[str, str]:
    """Segment -> the address of its replica. Raises Integrity (`UNKNOWN`), Newer, Storage."""
    try:
        facts = parse_json(layout.partial.read_bytes())
        check_format(int(facts["format"]), _FORMAT, f"{layout.partial}")
        return {str(name): str(url) for name, url in facts["segments"].items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise translate(error, "read", layout.partial) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Integrity(
            f"{layout.partial} does not read: which contents of the store are still only in a"
            " replica is not known.",
            code=UNKNOWN,
            hint=f"Nothing was changed. {_FIND_OUT}",
        ) from error


def is_known(layout: Layout) -> bool:
    """Whether it is known which segments may lack payloads. Raises Newer, Storage."""
    return not isinstance(Partial(layout).places(), _Every)


def out_of_sight(layout: Layout) -> Unavailable:
    """The error for what is not here while nobody knows whether a replica has it."""
    return Unavailable(
        f"What is asked for is not here. It may be in a replica: {layout.partial}, which says that,"
        " does not read.",
        code=ABSENT,
        hint=f"What is here is read as ever. {_FIND_OUT}",
    )


def absent_bytes(layout: Layout, files: Files, index: Index, url: str | None = None) -> int:
    """Bytes of payloads that lie in a replica alone, or in that at `url`, by a look at the end of
    each. Raises Integrity, Newer, Storage."""
    size = 0
    for name, lender in sorted(read_partial(layout).items()):
        if url is not None and lender != url:
            continue
        try:
            descriptor = files.open(layout.segments / name)
        except NotFound:
            continue
        try:
            for at, stored in index.rows(_CHUNKS, [int(Kind.CHUNK), name]):
                short = min(stored, _LOOK)
                end = read_at(descriptor, short, at + HEAD_SIZE + stored - short)
                size += 0 if end.strip(b"\0") else stored
        finally:
            files.close(descriptor)
    return size


def require_whole(layout: Layout, what: str) -> None:
    """Nothing, where the store lacks no payloads. Raises Conflict, which begins with `what`."""
    if read_partial(layout):
        raise Conflict(
            f"{what.format(layout.folder)}: some of its contents are in a replica alone.",
            hint="Nothing was changed. `jupyter rewind replica pull` brings them; then try again."
            " If that replica is gone for good, `jupyter rewind salvage --without-replicas` gives"
            " up what is missing.",
        )


def note_partial(layout: Layout, files: Files, lenders: Mapping[str, str]) -> None:
    """These segments may lack payloads from now on, durably; each value is the address of the
    replica that has them. Only who pulls may say so."""
    _write(layout, files, {**read_partial(layout), **lenders})


def replace_partial(layout: Layout, files: Files, lenders: Mapping[str, str]) -> None:
    """As `note_partial`, and no others may, whatever was said before. Only who pulls, and has
    looked at all of them, may say so."""
    _write(layout, files, lenders)


def drop_partial(layout: Layout, files: Files, names: Iterable[str]) -> None:
    """These segments lack nothing, and all of them is on the disk. Only who pulls may say so."""
    before = read_partial(layout)
    gone = set(names)
    left = {name: url for name, url in before.items() if name not in gone}
    if left != before:
        _write(layout, files, left)


def _write(layout: Layout, files: Files, segments: Mapping[str, str]) -> None:
    if not segments:
        files.remove(layout.partial)
        files.sync_folder(layout.folder)
        return
    facts: dict[str, Json] = {"format": _FORMAT, "segments": dict(segments)}
    files.replace_file(layout.partial, to_json(facts))


class PartialReader(SegmentReader):
    """Reads a segment that may lack payloads."""

    def _doubt(self, scan: Scan, start: int) -> None:
        """Nothing: it was whole and on the disk when it came, but for what is known to lack."""


def read_segment(
    layout: Layout, name: str, descriptor: int, size: int | None = None
) -> SegmentReader:
    """Reads the records of the open segment `name`, whether or not it may lack payloads."""
    kind = PartialReader if name in Partial(layout).places() else SegmentReader
    size = os.fstat(descriptor).st_size if size is None else size
    return kind(descriptor, seal_of(layout, name), size)
