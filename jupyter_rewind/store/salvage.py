"""Makes a damaged store whole again with everything that still reads, and names what does not.

Nothing is deleted. What reads of a damaged segment is written into new segments and synced
before the damaged one is set aside under `damaged/`; a salvage that is stopped is begun again and
comes to the same end. A store whose key is gone can be taken, on the user's word, into a new one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_rewind.errors import Conflict, Denied, Format, Integrity, InvalidInput, Newer, NotFound
from jupyter_rewind.model.encoding import Commit
from jupyter_rewind.model.ids import StoreId
from jupyter_rewind.model.shell import quoted
from jupyter_rewind.store import intake
from jupyter_rewind.store.apart import without_key
from jupyter_rewind.store.collect import upkeep_lock
from jupyter_rewind.store.durable import Files, translate
from jupyter_rewind.store.framing import Kind, is_encrypted, seal_of
from jupyter_rewind.store.layout import Layout, mend_config, open_layout
from jupyter_rewind.store.mending import (
    Lost,
    Mender,
    Progress,
    SalvageReport,
    commits_of,
    entries_of,
    name_losses,
)
from jupyter_rewind.store.partial import require_whole
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.segments import SegmentReader
from jupyter_rewind.store.shut import find_shut
from jupyter_rewind.store.untold import Untold, find_untold
from jupyter_rewind.store.verify import known_ends, missing_ends, segment_sizes

log = logging.getLogger(__name__)
__all__ = ["Lost", "Progress", "SalvageReport", "salvage"]


def salvage(
    folder: Path,
    key_folder: Path,
    *,
    trust_foreign: bool = False,
    into: Path | None = None,
    without_replicas: bool = False,
    encrypt: bool = False,
    index_path: Path | None = None,
    files: Files | None = None,
    progress: Progress | None = None,
) -> SalvageReport:
    """The store at `folder` reads without damage, with all that could be kept.

    With `into`, the store stays as it is, and what reads goes into a store there, made where there
    is none. `trust_foreign` takes records without a key, by their content's own names: only that
    way, and only with `into`, can a store be read whose key is gone. `without_replicas` gives up
    contents that are in a replica alone; else segments that lack some are left for a pull. A store
    that is made is encrypted where `encrypt` says so, or the store itself is.

    Writers may go on meanwhile; a damaged segment that is being written is left for later.
    Raises Denied (no key), InvalidInput, Newer, Storage, Conflict (another upkeep is at work).
    """
    files = files or Files()
    if without_replicas and into is not None:
        raise InvalidInput(
            "What is only in a replica is given up in the store itself, not in another one.",
            hint="Leave --into or --without-replicas away.",
        )
    if trust_foreign:
        if into is None:
            raise InvalidInput(
                "Records of unknown origin are only taken into another store.",
                hint="Say where it is to be: `jupyter rewind salvage --trust-foreign --into"
                " FOLDER`.",
            )
        if is_encrypted(folder):
            raise Denied(
                f"The store at {folder} is encrypted: without its key nothing of it can be read.",
                code="no_key",
                hint="Nothing was changed. Put the store's key back (`jupyter rewind key import`).",
            )
        with Repository.open(into, key_folder=key_folder, encrypt=encrypt, files=files) as target:
            return _take_foreign(folder, target, progress)
    mended = _open_anyhow(folder, key_folder, files)
    with Repository.open(
        folder, key_folder=key_folder, index_path=index_path, create=False, files=files
    ) as source:
        if into is not None:
            encrypt = encrypt or source.layout.is_encrypted
            with Repository.open(
                into, key_folder=key_folder, encrypt=encrypt, files=files
            ) as target:
                _require_hidden(source, target)
                return _take_own(source, target, progress)
        with upkeep_lock(source.layout, "salvage"):
            return Mender(source, mended, progress, without_replicas=without_replicas).run()


def _require_hidden(source: Repository, target: Repository) -> None:
    if source.layout.is_encrypted and not target.layout.is_encrypted:
        raise Conflict(
            f"The store at {source.folder} is encrypted, and the one at {target.folder} is not.",
            hint="Nothing was taken. Name a new folder, or encrypt that store first: `jupyter"
            f" rewind --store {quoted(str(target.folder))} key rotate --encrypt --yes`.",
        )


def _open_anyhow(folder: Path, key_folder: Path, files: Files) -> bool:
    """The config reads; True when it had to be made again from the keys at hand.

    Raises NotFound, Denied, Newer.
    """
    if not (folder / "segments").is_dir():
        raise NotFound(f"There is no Jupyter Rewind store at {folder}.")
    try:
        open_layout(folder, key_folder, files, create=False)
        return False
    except Newer:
        raise
    except (NotFound, Format, Integrity, Denied) as error:
        found = _find_key(folder, key_folder, files)
        if found is None and isinstance(error, Denied) and error.code != "no_key":
            raise  # what it is may be opened again: nothing is to be given up
        if found is None:
            raise Denied(
                f"No key in {key_folder} fits the records at {folder}.",
                code="no_key",
                hint=f"Put the store's key back{without_key(is_encrypted(folder))}.",
            ) from error
    mend_config(folder, found.store_id, found.key, files, encrypted=found.is_encrypted)
    return True


def _find_key(folder: Path, key_folder: Path, files: Files) -> Layout | None:
    """The store whose id and key some record here is authentic under. Raises Denied."""
    keys, lacking = [], None
    for path in sorted(key_folder.glob("*.key")):
        try:
            key = path.read_bytes()
        except OSError:
            continue
        if len(key) == 32:
            keys.append((StoreId(path.stem), key))
    for segment in sorted((folder / "segments").iterdir()):
        if segment.name.startswith(".") or not segment.is_file():
            continue
        try:
            descriptor = files.open(segment)
        except Denied:
            continue
        try:
            size = segment.stat().st_size
            for store_id, key in keys:
                # The config may be lost, or say what is not so.
                for hidden in (False, True):
                    layout = Layout(folder, store_id, key, hidden)
                    try:
                        seal = seal_of(layout, segment.name)
                    except Denied as error:
                        lacking = error
                        continue
                    reader = SegmentReader(descriptor, seal, size)
                    if next(reader.intact(), None) is not None:
                        return layout
        finally:
            files.close(descriptor)
    if lacking is not None and is_encrypted(folder):
        raise lacking
    return None


# --- into another store -----------------------------------------------------------------


@dataclass(slots=True)
class _OwnSegment:
    """A segment whose key is at hand: its records are believed by their tags."""

    source: Repository
    name: str
    size: int
    commits: list[Commit] = field(default_factory=list)

    def read(self) -> Iterator[intake.Piece]:
        with self.source.index() as index:
            scanned = index.segments().get(self.name, (0, 0))[1]
        try:
            with self.source.reader(self.name) as reader:
                scan = reader.scan(0)
                records = list(reader.intact())
                self.commits += commits_of(reader, scan, records, scanned)
                for record in records:
                    if record.kind != Kind.COMMIT:
                        yield record, reader.shown(record)
        except NotFound:
            log.info("segment %s was taken away meanwhile", self.name)


def _take_own(source: Repository, target: Repository, progress: Progress | None) -> SalvageReport:
    """All that reads of `source` stands in `target` too; `source` is left as it is."""
    require_whole(source.layout, "Not all of the store at {} can be taken into another one")
    source.refresh()
    ends = known_ends(source)
    sizes = segment_sizes(source)
    shut = find_shut(source.layout, source.files, sizes)
    own = [_OwnSegment(source, name, size) for name, size in sizes.items() if name not in shut]
    taken = intake.take(own, target, progress)
    untold = find_untold(source, sizes.keys() - shut, missing_ends(source, ends), ends)
    return _report(target, taken, untold, shut)


def _take_foreign(folder: Path, target: Repository, progress: Progress | None) -> SalvageReport:
    try:
        paths = sorted((folder / "segments").iterdir())
    except OSError as error:
        raise translate(error, "read the segments in", folder / "segments") from error
    found = [
        intake.ForeignSegment(path, target.files, path.stat().st_size)
        for path in paths
        if not path.name.startswith(".") and path.is_file()
    ]
    return _report(target, intake.take(found, target, progress))


def _report(
    target: Repository,
    taken: intake.Taken,
    untold: tuple[Untold, ...] = (),
    shut: Mapping[str, str] | None = None,
) -> SalvageReport:
    lost = name_losses(target, {})
    skipped = tuple(sorted((shut or {}).items()))
    return SalvageReport(
        target.folder, target.store_id, False, (), taken.records, taken.bytes, taken.entries, 0,
        lost, entries_of(lost), skipped, untold=untold,
    )  # fmt: skip
