"""A process image as one file, for another machine with the same environment.

The file holds all memory of the kernel, passwords in it too, and whoever restores it runs it: take
in only what you made yourself. Each part has its digest in the head.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from jupyter_rewind import clock
from jupyter_rewind.errors import Conflict, Integrity, Newer
from jupyter_rewind.kernels.images import linked, needs
from jupyter_rewind.kernels.images.openfiles import LIST
from jupyter_rewind.kernels.images.records import IMAGE, decode_image, image_keys
from jupyter_rewind.kernels.images.storing import load_folder, store_folder
from jupyter_rewind.model.encoding import parse_json, to_json
from jupyter_rewind.model.execution import kernel_key
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.model.image import IMPORTED
from jupyter_rewind.store.durable import Files, translate

if TYPE_CHECKING:
    from jupyter_rewind.model.entry import Json
    from jupyter_rewind.model.image import ProcessImage
    from jupyter_rewind.store.repository import Repository

FORMAT = 1
_HEAD = "rewind-image.json"
_PART_BYTES = 1 << 20
_LEVEL = 1


@dataclass(frozen=True, slots=True)
class TakenIn:
    """`image` is in the store; `differences` are what this machine has otherwise than the one that
    it came from: while there are any, it does not come back here."""

    image: ProcessImage
    differences: tuple[str, ...]


def export_image(repository: Repository, image: ProcessImage, target: Path) -> int:
    """The image is the new file `target`, which only its owner reads; how large that is.

    Raises Conflict where there is one already, Integrity, NotFound, Storage.
    """
    if target.exists():
        raise Conflict(f"{target} is there already.", hint="Name a new file. Nothing was changed.")
    entry = repository.entry(EntryId(image.id))
    store = Path(str(entry.body.get("store") or repository.folder))
    with _scratch(target.parent) as folder:
        load_folder(repository, entry.roots, folder)
        files = sorted(folder.iterdir())
        listed = (folder / LIST).read_bytes()
        wanted = needs.describe(listed, store, linked.taken_in(folder))
        head: dict[str, Json] = {
            "format": FORMAT,
            "image": {**entry.body, "needs": wanted},
            "parts": {path.name: _digest(path) for path in files},
        }
        temporary = folder / ".rewind-parcel"
        descriptor = Files().create(temporary)
        with os.fdopen(descriptor, "wb") as file:
            try:
                _pack(file, to_json(head), files)
            except OSError as error:
                raise translate(error, "write", target) from error
            file.flush()
            Files().sync_data(descriptor, temporary)
        size = temporary.stat().st_size
        Files().rename(temporary, target)
        Files().sync_folder(target.parent)
    return size


def import_image(repository: Repository, source: Path) -> TakenIn:
    """The image in the file `source` is in the store, and what stands in its way here is told.

    Raises NotFound, Integrity, Newer, Storage; nothing is stored then.
    """
    # An encrypted store holds nothing in the clear; the file does.
    is_encrypted = repository.layout.is_encrypted
    with _scratch(source.parent if is_encrypted else repository.layout.folder) as folder:
        try:
            with tarfile.open(source, "r|gz") as archive:
                head = _unpack(archive, folder)
        except (tarfile.TarError, EOFError, ValueError, KeyError, TypeError) as error:
            raise _no_parcel(source) from error
        except OSError as error:
            if error.errno is None:  # no archive of gzip
                raise _no_parcel(source) from error
            raise translate(error, "read", source) from error
        for name, digest in head["parts"].items():
            if not (folder / name).is_file() or _digest(folder / name) != digest:
                raise Integrity(
                    f"{source} is damaged: its part {name} is not as it was.",
                    hint="Nothing was stored. Export the image again.",
                )
        image = _store(repository, folder, head["image"])
    return TakenIn(image, needs.differences(head["image"]["needs"]))


def _store(repository: Repository, folder: Path, told: Mapping[str, Json]) -> ProcessImage:
    repository.refresh()
    kernel = str(told["kernel"])
    before = repository.latest(kinds=[IMAGE], key=kernel_key(kernel))
    with repository.transaction() as tx:
        stored = store_folder(repository, tx, folder, before.roots if before else ())
        body = {**told, "reason": IMPORTED, "new": tx.written_bytes}
        keys = image_keys(kernel, str(told["path"]))
        entry = tx.add(IMAGE, keys=keys, body=body, roots=stored.roots)
    return decode_image(entry, ())


def _pack(file: IO[bytes], head: bytes, paths: list[Path]) -> None:
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=_LEVEL) as archive:
        member = tarfile.TarInfo(_HEAD)
        member.size, member.mode = len(head), 0o600
        archive.addfile(member, io.BytesIO(head))
        for path in paths:
            archive.add(path, path.name, recursive=False)


def _unpack(archive: tarfile.TarFile, folder: Path) -> dict[str, Any]:
    head: dict[str, Any] = {}
    for member in archive:
        content = archive.extractfile(member)
        if content is None:
            raise ValueError(member.name)
        if not head:
            head = _read_head(member, content)
            continue
        if member.name not in head["parts"] or os.path.basename(member.name) != member.name:
            raise ValueError(member.name)
        path = folder / member.name
        descriptor = Files().create(path)
        try:
            at = 0
            while part := content.read(_PART_BYTES):
                at += Files().write_at(descriptor, [part], at, path)
        finally:
            os.close(descriptor)
    if not head:
        raise ValueError("empty")
    return head


def _read_head(member: tarfile.TarInfo, content: IO[bytes]) -> dict[str, Any]:
    if member.name != _HEAD:
        raise ValueError(member.name)
    head: dict[str, Any] = parse_json(content.read())
    if head["format"] != FORMAT:
        raise Newer(
            "The process image was exported by another version of Jupyter Rewind.",
            hint="Upgrade with `pip install -U jupyter-rewind`. Nothing was stored.",
        )
    return head


def _no_parcel(source: Path) -> Integrity:
    return Integrity(
        f"{source} is no exported process image, or is damaged.",
        hint="`jupyter rewind image export` writes them. Nothing was stored.",
    )


@contextmanager
def _scratch(beside: Path) -> Iterator[Path]:
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".rewind-{clock.new_id()}-", dir=beside))
    except OSError as error:
        raise translate(error, "write into", beside) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
