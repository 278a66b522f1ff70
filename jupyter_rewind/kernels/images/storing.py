"""An image's files into the store and back: memory by address, so that what did not change is
shared.

CRIU writes all present pages of a process one after the other. Here they are cut into windows of
64 KB of addresses, so that memory which grows in the middle shifts nothing. A window that is as it
was in the image before costs nothing; one that changed is stored as the difference.
"""

from __future__ import annotations

import os
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_rewind.errors import Integrity
from jupyter_rewind.kernels.images.messages import entries, numbers
from jupyter_rewind.model.encoding import parse_json, to_json
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.store.chunks import digest, pack
from jupyter_rewind.store.durable import Files, translate
from jupyter_rewind.store.transaction import Packed

if TYPE_CHECKING:
    from jupyter_rewind.model.entry import Json
    from jupyter_rewind.store.repository import Repository
    from jupyter_rewind.store.transaction import Transaction

FORMAT = 1
_PAGE = 4096
_WINDOW_PAGES = 16
_GROUP_WINDOWS = 512
_BATCH_BYTES = 2 << 20
_THREADS = min(4, os.cpu_count() or 1)
_AHEAD = 2 * _THREADS
_PRESENT = 1 << 2
_ADDRESS, _OLD_COUNT, _FLAGS, _COUNT = 1, 2, 4, 5
_ROW = struct.Struct("<QQ32sB")
_IS_PAGES = "pages-"
_LEFT_OUT = (".log", "stats-dump", "pid")


@dataclass(frozen=True, slots=True)
class Window:
    """Some pages of memory in the store: `raw` names their bytes, `link` how they are stored, and
    `told` is true where that is a difference."""

    address: int
    size: int
    raw: Digest
    link: Digest
    told: bool


@dataclass(slots=True)
class Memory:
    """The windows of an earlier image by address, and its groups by place."""

    windows: dict[tuple[str, int], Window] = field(default_factory=dict)
    groups: dict[tuple[str, int], Digest] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stored:
    """What names the image in the store, and its size before it was stored."""

    roots: tuple[Digest, ...]
    size_bytes: int


def store_folder(
    repository: Repository, tx: Transaction, folder: Path, before: Sequence[Digest]
) -> Stored:
    """All of the image in `folder` is in the transaction; `before` are the roots of an earlier
    image of the same kernel, or nothing. Raises Storage, Integrity."""
    memory = _read_memory(repository, before)
    rows: list[Json] = []
    links: list[Digest] = []
    size = 0
    maps = _page_maps(folder)
    for path in sorted(folder.iterdir()):
        if path.name.endswith(_LEFT_OUT[0]) or path.name in _LEFT_OUT[1:] or not path.is_file():
            continue
        size += path.stat().st_size
        if path.name.startswith(_IS_PAGES):
            found = _store_pages(tx, path, maps.get(path.name, []), memory)
            rows.append({"name": path.name, "groups": len(found)})
        else:
            found = list(tx.put(path.read_bytes()))
            rows.append({"name": path.name, "chunks": len(found)})
        links += found
    node = tx.put_node(to_json({"format": FORMAT, "files": rows}), links)
    return Stored((node,), size)


def load_folder(repository: Repository, roots: Sequence[Digest], folder: Path) -> None:
    """The image's files are in `folder`, each byte compared with its name. Raises Integrity,
    NotFound, Storage."""
    for name, links, is_memory in _files(repository, roots):
        path = folder / name
        descriptor = Files().create(path)
        try:
            at = 0
            for part in _parts(repository, links, is_memory):
                at += Files().write_at(descriptor, [part], at, path)
        finally:
            os.close(descriptor)


def read_file(repository: Repository, roots: Sequence[Digest], name: str) -> bytes:
    """One small file of an image. Raises Integrity, NotFound."""
    for each, links, is_memory in _files(repository, roots):
        if each == name:
            return b"".join(_parts(repository, links, is_memory))
    raise Integrity(f"The process image has no {name}.", hint="Choose another image.")


def _files(
    repository: Repository, roots: Sequence[Digest]
) -> Iterator[tuple[str, tuple[Digest, ...], bool]]:
    for root in roots:
        node = repository.get_node(root)
        told = parse_json(node.body)
        at = 0
        for row in told["files"]:
            is_memory = "groups" in row
            count = row["groups" if is_memory else "chunks"]
            name = os.path.basename(row["name"])
            yield name, tuple(node.links[at : at + count]), is_memory
            at += count


def _parts(repository: Repository, links: Sequence[Digest], is_memory: bool) -> Iterator[bytes]:
    for link in links:
        if not is_memory:
            yield repository.get(link)
            continue
        for window in _windows(repository, link):
            yield (
                repository.get_node(window.link).body
                if window.told
                else repository.get(window.link)
            )


def _windows(repository: Repository, group: Digest) -> Iterator[Window]:
    node = repository.get_node(group)
    for number, row in enumerate(_ROW.iter_unpack(node.body)):
        address, size, raw, told = row
        yield Window(address, size, Digest(raw), node.links[number], bool(told))


def _read_memory(repository: Repository, roots: Sequence[Digest]) -> Memory:
    memory = Memory()
    for name, links, is_memory in _files(repository, roots):
        if not is_memory:
            continue
        for place, group in enumerate(links):
            memory.groups[name, place] = group
            for window in _windows(repository, group):
                memory.windows[name, window.address] = window
    return memory


def _store_pages(
    tx: Transaction, path: Path, runs: list[tuple[int, int]], memory: Memory
) -> list[Digest]:
    groups: list[Digest] = []
    waiting: list[Window] = []

    def flush() -> None:
        if waiting:
            body = b"".join(_ROW.pack(w.address, w.size, w.raw, w.told) for w in waiting)
            base = memory.groups.get((path.name, len(groups)))
            groups.append(tx.put_node(body, [w.link for w in waiting], base=base))
            waiting.clear()

    for found in _looked_at(path, runs, memory):
        for window in _put(tx, found):
            waiting.append(window)
            if len(waiting) == _GROUP_WINDOWS:
                flush()
    flush()
    return groups


@dataclass(frozen=True, slots=True)
class _Found:
    """A window as it is now; `before` is what it was, where it was there. `packed` is how new
    content is stored; None where it is as it was, or is to be told as a difference."""

    address: int
    raw: Digest
    data: memoryview
    before: Window | None
    packed: Packed | None


def _put(tx: Transaction, found: Sequence[_Found]) -> Iterator[Window]:
    """These windows, which are in the transaction."""
    tx.put_packed([each.packed for each in found if each.packed is not None])
    for each in found:
        before, size = each.before, len(each.data)
        if before is None:
            yield Window(each.address, size, each.raw, each.raw, False)
        elif before.raw == each.raw:
            yield before
        else:
            link = tx.put_node(bytes(each.data), (), base=before.link)
            yield Window(each.address, size, each.raw, link, True)


def _looked_at(path: Path, runs: list[tuple[int, int]], memory: Memory) -> Iterator[list[_Found]]:
    """The file's windows, some megabytes at a time and in its order: read, named and packed by
    several threads, a little ahead of whoever stores them."""
    ahead: deque[Future[list[_Found]]] = deque()
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise translate(error, "read", path) from error
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="rewind-image")
    try:
        for start, spans in _batches(_spans(runs, os.fstat(descriptor).st_size)):
            ahead.append(pool.submit(_look, descriptor, path, start, spans, memory))
            if len(ahead) > _AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        os.close(descriptor)


def _look(
    descriptor: int, path: Path, start: int, spans: Sequence[tuple[int, int]], memory: Memory
) -> list[_Found]:
    size = sum(length for _, length in spans)
    try:
        view = memoryview(os.pread(descriptor, size, start))
    except OSError as error:
        raise translate(error, "read", path) from error
    if len(view) < size:
        raise Integrity("The process image became smaller while it was read.")
    found: list[_Found] = []
    at = 0
    for address, length in spans:
        data, at = view[at : at + length], at + length
        raw = digest(data)
        before = memory.windows.get((path.name, address))
        packed = None if before is not None else Packed(raw, length, *pack(data))
        found.append(_Found(address, raw, data, before, packed))
    return found


def _batches(
    spans: Iterator[tuple[int, int]],
) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """(where it begins in the file, windows) of each part that is looked at in one go."""
    at = start = 0
    batch: list[tuple[int, int]] = []
    for address, length in spans:
        batch.append((address, length))
        at += length
        if at - start >= _BATCH_BYTES:
            yield start, batch
            start, batch = at, []
    if batch:
        yield start, batch


def _spans(runs: list[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    """(address, bytes) of each window, one behind the other as in the file of that `size`; then
    what no map tells of. Raises Integrity."""
    start = length = 0
    for address, pages in runs:
        while pages:
            window = address // _PAGE // _WINDOW_PAGES
            if length and window != start // _PAGE // _WINDOW_PAGES:
                yield start, length
                size, length = size - length, 0
            count = min(pages, _WINDOW_PAGES - address // _PAGE % _WINDOW_PAGES)
            start = start if length else address
            length += count * _PAGE
            if length > size:
                raise Integrity("The process image has less memory than it tells of.")
            address, pages = address + count * _PAGE, pages - count
    if length:
        yield start, length
    size -= length
    at = 1  # no page begins there
    while size:
        length = min(size, _WINDOW_PAGES * _PAGE)
        yield at, length
        at, size = at + _WINDOW_PAGES * _PAGE, size - length


def _page_maps(folder: Path) -> dict[str, list[tuple[int, int]]]:
    """(address, pages) of what each file of pages holds, in its order. Raises Integrity."""
    found: dict[str, list[tuple[int, int]]] = {}
    for path in sorted(folder.glob("pagemap-*.img")):
        head, *runs = [numbers(each) for each in entries(path.read_bytes())]
        present = [
            (run[_ADDRESS], run.get(_COUNT) or run.get(_OLD_COUNT, 0))
            for run in runs
            if run.get(_FLAGS, _PRESENT) & _PRESENT
        ]
        found.setdefault(f"{_IS_PAGES}{head.get(1, 0)}.img", []).extend(present)
    return found
