"""Reads the store back and compares: what no longer reads is named, with what hangs on it.

The segments are scanned as they lie on the disk; the index is a witness, for it knew what stood
where, and so is the store's own list of segments, which needs no index. Changes nothing but the
index: content found lost is forgotten there, so that the next time it is stored, it is stored.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from jupyter_rewind.errors import Denied, Integrity, NotFound, RewindError
from jupyter_rewind.model.ids import Digest, EntryId
from jupyter_rewind.store import chunks, room
from jupyter_rewind.store.framing import HEAD_SIZE, OVERHEAD, TAG_SIZE, Kind, Record, Seal
from jupyter_rewind.store.locks import is_locked
from jupyter_rewind.store.partial import Partial, absent_bytes, read_partial
from jupyter_rewind.store.reach import Reach, affected_entries, mark
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.segments import Scan
from jupyter_rewind.store.shut import is_segment, say_shut
from jupyter_rewind.store.stream import ByteStream
from jupyter_rewind.store.witness import missing_segments, read_witness, without_retired

log = logging.getLogger(__name__)
Progress = Callable[[int, int], None]
SALVAGE_KIND = "salvage"
_GIVEN_UP = (
    "{} {} lost, and an earlier salvage kept all else. Saving the same content again brings"
    " it back; else this is told until the checkpoints that need it expire, which they do"
    " before others"
)


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that no longer read. `segment` is empty where nobody knows where they stood.

    `chunks` is the content lost with them; `affected` are the entries that lost something by it,
    their own record or content they lead to.
    """

    segment: str
    offset: int
    length: int
    what: str
    chunks: tuple[Digest, ...] = ()
    affected: tuple[EntryId, ...] = ()
    salvaged: bool = False
    """True for what an earlier salvage gave up: another one does not bring it back."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An unfinished write at the end of a segment; nothing acknowledged was lost with it."""

    segment: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was read, and what of it was damaged."""

    segments: int
    commits: int
    entries: int
    chunks: int
    bytes: int
    damages: tuple[Damage, ...]
    unfinished: tuple[Unfinished, ...]
    known_losses: tuple[EntryId, ...]
    """Entries that lead to content which a salvage has already given up for lost."""
    absent_bytes: int = 0
    """Of the contents, what lies in a replica alone and comes as it is read: no damage."""

    @property
    def ok(self) -> bool:
        return not self.damages


@dataclass(slots=True)
class Findings:
    """What the scan of the segments brought to light so far."""

    segments: int = 0
    commits: int = 0
    entries: int = 0
    chunks: int = 0
    bytes: int = 0
    absent_bytes: int = 0
    damages: list[Damage] = field(default_factory=list)
    unfinished: list[Unfinished] = field(default_factory=list)


def verify(
    repository: Repository, *, read_data: bool = False, progress: Progress | None = None
) -> VerifyReport:
    """What the store holds and what of it does not read; with `read_data`, every byte is read.

    Writers may go on meanwhile. Memory grows with one segment and with the number of chunks.
    Raises Storage, and Newer where a later version has written.
    """
    repository.refresh()
    repository.forget_read()
    findings = Findings()
    # Asked before the scan: what is noted later may stand behind what the scan saw.
    try:
        ends = known_ends(repository)
    except Integrity as error:
        findings.damages.append(Damage("", 0, 0, str(error)))
        with repository.index() as index:
            ends = index.synced_ends()
    is_partial_known = True
    try:
        read_partial(repository.layout)
    except Integrity as error:
        is_partial_known = False
        findings.damages.append(Damage("", 0, 0, str(error)))
    files = segment_sizes(repository)
    total = sum(files.values())
    for name, size in files.items():
        try:
            _look_at(repository, name, findings, read_data, ends.get(name, 0))
        except NotFound:
            log.info("segment %s was taken away while the store was verified", name)
            continue
        except Denied as error:
            why = say_shut(repository.layout.segments / name, error)
            findings.damages.append(Damage(name, 0, size, why))
        findings.segments += 1
        findings.bytes += size
        if progress is not None:
            progress(findings.bytes, total)
    repository.refresh()
    for name, end in missing_ends(repository, ends).items():
        findings.damages.append(Damage(name, 0, end, "the file of this segment is gone"))
    reach = mark(repository)
    damages, known = attribute(repository, findings.damages, reach)
    return VerifyReport(
        findings.segments,
        findings.commits,
        findings.entries,
        findings.chunks,
        findings.bytes,
        damages,
        tuple(findings.unfinished),
        known,
        count_absent(repository) if is_partial_known and not read_data else findings.absent_bytes,
    )


def count_absent(repository: Repository, url: str | None = None) -> int:
    """Bytes of payloads that lie in a replica alone, about. Raises Integrity, Newer, Storage."""
    with repository.index() as index:
        return absent_bytes(repository.layout, repository.files, index, url)


def known_ends(repository: Repository) -> dict[str, int]:
    """How far each segment was on the disk once, as the store's witness or the index tells.
    Raises Integrity where the witness does not read, Newer, Storage."""
    with repository.index() as index:
        ends = index.synced_ends()
    for name, end in read_witness(repository.layout).items():
        ends[name] = max(end, ends.get(name, 0))
    return ends


def missing_ends(repository: Repository, ends: dict[str, int]) -> dict[str, int]:
    """Those of `ends` whose file is gone though nobody took it away."""
    absent = missing_segments(repository.layout, ends)
    return without_retired(repository.layout, {name: ends[name] for name in sorted(absent)})


def is_overwritten(repository: Repository, name: str) -> bool:
    """True for a segment that nobody writes and that no writer can have left so: without a single
    commit, and without the room that a writer which was killed leaves behind it."""
    if _is_alive(repository, name):
        return False
    # Its writer may have ended since somebody looked.
    with repository.reader(name) as reader:
        return 0 < reader.size < room.RESERVE and not reader.scan(0).batches


def segment_sizes(repository: Repository) -> dict[str, int]:
    """Bytes on disk of every segment, by name."""
    found = {}
    for path in sorted(repository.layout.segments.iterdir()):
        try:
            status = path.stat()
            if is_segment(path.name, status):
                found[path.name] = status.st_size
        except FileNotFoundError:
            continue
    return found


def known_losses(repository: Repository) -> set[Digest]:
    """Content that a salvage has named as lost for good."""
    found: set[Digest] = set()
    for entry in repository.entries(kind=SALVAGE_KIND):
        names = entry.body.get("lost", ())
        if isinstance(names, list):
            found.update(Digest(bytes.fromhex(str(name))) for name in names)
    return found


def find_bad_records(stream: ByteStream, seal: Seal, scan: Scan) -> list[tuple[Record, str]]:
    """Records whose bytes do not fit their tag or their digest. Reads everything once."""
    bad = []
    for batch in scan.batches:
        for record in batch.records:
            why = _what_is_wrong(stream, seal, record)
            if why:
                bad.append((record, why))
    return bad


def without_absent(
    bad: list[tuple[Record, str]],
) -> tuple[list[tuple[Record, str]], list[Record]]:
    """What is damaged of a segment that may lack payloads, and what is only not here."""
    absent = [record for record, _ in bad if record.kind == Kind.CHUNK]
    return [each for each in bad if each[0].kind != Kind.CHUNK], absent


def _what_is_wrong(stream: ByteStream, seal: Seal, record: Record) -> str:
    data = stream.read(record.offset, record.end - record.offset)
    if len(data) != OVERHEAD + record.stored:
        return "the file ends inside of it"
    if not seal.fits(record.offset, data):
        return "its bytes are not those that were written"
    if record.codec == chunks.Codec.DELTA or (
        record.codec == chunks.Codec.RAW and seal.cipher is None
    ):
        # What a delta is a difference from is checked by itself, and nodes in use are read later.
        return ""
    try:
        payload = seal.show(record, bytes(data[HEAD_SIZE:-TAG_SIZE]))
        raw = chunks.unpack(record.codec, payload, record.raw, _no_base)
    except RewindError as error:
        return str(error)
    return "" if chunks.digest(raw) == record.id else "its content does not fit its name"


def _look_at(
    repository: Repository, name: str, findings: Findings, read_data: bool, known_end: int
) -> None:
    with repository.index() as index:
        number, scanned = index.segments().get(name, (-1, 0))
        known = {at for (at,) in index.rows("SELECT at FROM chunks WHERE seg=?", [number])}
        listed = set(index.entry_places(number))
        doubted = {at for _, segment, at, _ in index.evidence.chunks() if segment == name}
    # Asked first: whoever fills the segment takes its name away when all of it is here.
    is_partial = name in Partial(repository.layout).places()
    with repository.reader(name) as reader:
        scan, size = reader.scan(0), reader.size
        bad = find_bad_records(reader.stream(), repository.seal(name), scan) if read_data else []
    if is_partial:
        bad, absent = without_absent(bad)
        findings.absent_bytes += sum(record.stored for record in absent)
    for record, why in bad:
        findings.damages.append(Damage(name, record.offset, record.end - record.offset, why))
    for gap in scan.gaps:
        findings.damages.append(Damage(name, gap.offset, gap.length, gap.what))
    known_end = max(known_end, scanned)
    if known_end > scan.end:
        what = "what was committed here no longer reads"
        findings.damages.append(Damage(name, scan.end, known_end - scan.end, what))
    elif not scan.batches and is_overwritten(repository, name):
        what = "no commit of this segment reads; what it held is not known"
        findings.damages.append(Damage(name, 0, size, what))
    elif scan.torn and not _is_alive(repository, name):
        findings.unfinished.append(Unfinished(name, scan.end, scan.torn))
    seen = {record.offset for batch in scan.batches for record in batch.records}
    told = {entry.id for batch in scan.batches for entry in batch.commit.entries}
    findings.commits += len(scan.batches)
    findings.chunks += len(seen)
    findings.entries += len(told)
    gone = (known - seen) | {record.offset for record, _ in bad}
    if not read_data:
        # An earlier verify read these and found them damaged; this one does not look so closely.
        gone |= doubted
    forgotten = any(at < scanned for at in seen - known - gone)
    if number >= 0 and (gone or listed - told or forgotten):
        _tell_index(repository, name, scan, gone, listed - told)


def _tell_index(
    repository: Repository, name: str, scan: Scan, gone: set[int], untold: set[EntryId]
) -> None:
    with repository.index() as index, index.writing():
        number, _ = index.segments().get(name, (-1, 0))
        if number >= 0:
            index.add_batches(number, scan.batches, scan.end)
            index.evidence.bury_chunks(number, name, gone)
            index.evidence.bury_entries(number, name, untold)


def attribute(
    repository: Repository, damages: list[Damage], reach: Reach
) -> tuple[tuple[Damage, ...], tuple[EntryId, ...]]:
    """The damages with what each cost, those that only dangling names tell of included; and the
    entries that lead to content which a salvage gave up: damage, for as long as they are kept."""
    hurt = affected_entries(repository, reach)
    given_up = known_losses(repository)
    with repository.index() as index:
        with index.writing():
            index.evidence.forgive()
            index.evidence.drop_chunks(list(reach.lost))
        chunk_rows = [row for row in index.evidence.chunks() if row[0] not in given_up]
        entry_rows = index.evidence.entries()
    by_segment: dict[str, list[tuple[Digest, int, int]]] = {}
    for digest, segment, at, stored in chunk_rows:
        by_segment.setdefault(segment, []).append((digest, at, at + OVERHEAD + stored))
    found = []
    for damage in damages:
        end = damage.offset + damage.length
        mine: list[tuple[Digest, int, int]] = []
        others: list[tuple[Digest, int, int]] = []
        for row in by_segment.get(damage.segment, ()):
            (mine if damage.offset <= row[1] < end else others).append(row)
        found.append(replace(damage, chunks=tuple(digest for digest, _, _ in mine)))
        by_segment[damage.segment] = others
    found += _told_by_evidence(repository, by_segment, entry_rows, found)
    placed = {digest for damage in found for digest in damage.chunks}
    nowhere = reach.lost - placed - given_up
    if nowhere:
        what = f"{len(nowhere)} chunks are named but do not read or are stored nowhere"
        found.append(Damage("", 0, 0, what, tuple(sorted(nowhere))))
    named = [_name_affected(damage, hurt, entry_rows) for damage in found]
    known = sorted(name for name, lost in hurt.items() if lost & given_up)
    if known:
        missed = tuple(sorted(set().union(*(hurt[name] for name in known)) & given_up))
        named.append(
            Damage(
                "",
                0,
                0,
                _GIVEN_UP.format(len(missed), "chunk is" if len(missed) == 1 else "chunks are"),
                missed,
                tuple(known),
                True,
            )
        )
    return tuple(named), tuple(known)


def _told_by_evidence(
    repository: Repository,
    by_segment: dict[str, list[tuple[Digest, int, int]]],
    entry_rows: list[tuple[EntryId, str]],
    found: list[Damage],
) -> list[Damage]:
    """Losses that no scan shows: the index knew of them, and something alive needs them."""
    told = {damage.segment for damage in found}
    names = {name for name, rows in by_segment.items() if rows}
    names |= {segment for _, segment in entry_rows if segment not in told}
    more = []
    for name in sorted(names):
        rows = by_segment.get(name, [])
        start = min((at for _, at, _ in rows), default=0)
        end = max((end for _, _, end in rows), default=0)
        if (repository.layout.segments / name).exists():
            what = "records that stood here no longer read"
        else:
            what, start = "the file of this segment is gone", 0
        more.append(Damage(name, start, end - start, what, tuple(row[0] for row in rows)))
    return more


def _name_affected(
    damage: Damage,
    hurt: dict[EntryId, set[Digest]],
    entry_rows: list[tuple[EntryId, str]],
) -> Damage:
    mine = set(damage.chunks)
    names = {name for name, lost in hurt.items() if lost & mine}
    names |= {name for name, segment in entry_rows if segment == damage.segment}
    return replace(damage, affected=tuple(sorted(names)))


def _is_alive(repository: Repository, name: str) -> bool:
    try:
        return is_locked(repository.layout.lock_of(name))
    except RewindError:
        return True


def _no_base(_: Digest) -> bytes:
    raise NotFound("Only deltas have a base.")
