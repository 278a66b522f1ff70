"""An image's files in the store: what went in comes out, and only what changed is stored again."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_rewind.errors import Integrity
from jupyter_rewind.kernels.images.historybook import write_book
from jupyter_rewind.kernels.images.messages import pack_entries, pack_fields
from jupyter_rewind.kernels.images.openfiles import (
    check_files,
    describe_written,
    is_database,
    read_files,
    with_sizes,
)
from jupyter_rewind.kernels.images.storing import load_folder, read_file, store_folder
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.store.repository import Repository

PAGE = 4096
HEAD = struct.pack("<II", 0x54564319, 0x56084025)
Runs = dict[int, bytes]  # what each page of memory holds, by its number


def write_image(folder: Path, memory: Runs) -> None:
    """The files that CRIU would write of this memory."""
    folder.mkdir()
    runs: list[tuple[int, int]] = []
    for page in sorted(memory):
        if runs and sum(runs[-1]) == page:
            runs[-1] = runs[-1][0], runs[-1][1] + 1
        else:
            runs.append((page, 1))
    told = [
        pack_fields([(1, 0, start * PAGE), (2, 0, 0), (4, 0, 4), (5, 0, count)])
        for start, count in runs
    ]
    (folder / "pagemap-7.img").write_bytes(pack_entries(HEAD, [pack_fields([(1, 0, 1)]), *told]))
    (folder / "pages-1.img").write_bytes(b"".join(memory[page] for page in sorted(memory)))
    (folder / "core-7.img").write_bytes(os.urandom(300))


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def store(
    repository: Repository, folder: Path, before: tuple[Digest, ...] = ()
) -> tuple[tuple[Digest, ...], int]:
    with repository.transaction() as tx:
        stored = store_folder(repository, tx, folder, before)
        written = tx.written_bytes
        tx.add("image", keys=["x"], body={}, roots=stored.roots)
    return stored.roots, written


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], tuple[Repository, Path]]:
    def make() -> tuple[Repository, Path]:
        folder = tmp_path_factory.mktemp("images")
        repository = Repository.open(folder / "store", key_folder=folder / "keys", create=True)
        return repository, folder

    return make


pages = st.dictionaries(
    st.integers(0, 200), st.integers(0, 5).map(lambda n: bytes([n]) * PAGE), max_size=80
)


@settings(max_examples=25, deadline=None)
@given(first=pages, second=pages)
def test_any_two_images_come_back_as_they_were(
    opened: Callable[[], tuple[Repository, Path]], first: Runs, second: Runs
) -> None:
    """Whatever memory grew, shrank or moved between them."""
    repository, folder = opened()
    with repository:
        roots: tuple[Digest, ...] = ()
        for number, memory in enumerate((first, second)):
            source, target = folder / f"in{number}", folder / f"out{number}"
            write_image(source, memory)
            roots, _ = store(repository, source, roots)
            target.mkdir()
            load_folder(repository, roots, target)
            assert content(target) == content(source)


def test_a_page_that_changed_costs_a_page(
    opened: Callable[[], tuple[Repository, Path]],
) -> None:
    """Also where memory grew in front of it."""
    repository, folder = opened()
    with repository:
        memory = {page: os.urandom(PAGE) for page in range(1000, 2000)}
        write_image(folder / "a", memory)
        roots, first = store(repository, folder / "a")
        assert first > 1000 * PAGE
        memory[1500] = os.urandom(PAGE)
        memory[900] = os.urandom(PAGE)
        write_image(folder / "b", memory)
        _, second = store(repository, folder / "b", roots)
        assert second < 10 * PAGE


def test_what_has_no_map_is_stored_all_the_same(
    opened: Callable[[], tuple[Repository, Path]],
) -> None:
    """Pages beyond those that a map tells of."""
    repository, folder = opened()
    with repository:
        write_image(folder / "a", {5: os.urandom(PAGE)})
        with (folder / "a" / "pages-1.img").open("ab") as file:
            file.write(os.urandom(200_000))
        (folder / "a" / "dump.log").write_text("not a part of it")
        roots, _ = store(repository, folder / "a")
        assert (
            read_file(repository, roots, "pages-1.img")
            == (folder / "a" / "pages-1.img").read_bytes()
        )
        with pytest.raises(Integrity):
            read_file(repository, roots, "dump.log")


def list_of(*files: tuple[str, int, int]) -> bytes:
    """CRIU's list of these files: name, flags of opening, size."""
    entries = []
    for number, (name, flags, size) in enumerate(files):
        inner = [(1, 0, number), (2, 0, flags), (3, 0, 0), (5, 2, b"\x08\x00"),
                 (6, 2, os.fsencode(name)), (8, 0, size)]  # fmt: skip
        entries.append(pack_fields([(1, 0, 1), (2, 0, number), (3, 2, pack_fields(inner))]))
    return pack_entries(HEAD, entries)


def test_files_are_looked_at_before_a_restore(tmp_path: Path) -> None:
    """What is gone or has changed is named; what may grow is put right."""
    log, data, base, library = (tmp_path / name for name in ("log", "data", "base", "lib.so"))
    log.write_text("12345678")
    data.write_text("12345")
    base.write_bytes(b"SQLite format 3\0" + bytes(100))
    library.write_text("1")
    append = os.O_WRONLY | os.O_APPEND
    listed = list_of(
        (str(log), append, 3), (str(data), os.O_RDWR, 3), (str(base), os.O_RDWR, 3),
        (str(library), 0, 5), (str(tmp_path / "gone"), 0, 5), ("/proc/1/maps", 0, 5),
    )  # fmt: skip
    found = check_files(read_files(listed))
    assert [each.replace(f"{tmp_path}/", "") for each in found.problems] == [
        "data has changed since: the process would write over it",
        "lib.so has been replaced by another version",
        "gone is gone",
    ]
    assert found.sizes == {str(log): 8, str(base): 116}
    after = {each.name: each.size for each in read_files(with_sizes(listed, found.sizes))}
    assert after[str(log)] == 8 and after[str(data)] == 3
    assert with_sizes(listed, {}) == listed


def test_what_is_written_in_place_is_known_by_its_time(tmp_path: Path) -> None:
    """Files that are open for writing, and databases that are locked; memory of several is not."""
    names = ("data", "locked", "free", "mapped", "log", "read")
    paths = {name: tmp_path / name for name in names}
    for name, path in paths.items():
        path.write_bytes(
            b"SQLite format 3\0" if name in ("locked", "free") else b"1234567890123456"
        )
    flags = {"log": os.O_WRONLY | os.O_APPEND, "read": os.O_RDONLY}
    listed = list_of(*((str(path), flags.get(name, os.O_RDWR), 16) for name, path in paths.items()))
    (tmp_path / "files.img").write_bytes(listed)
    opened = [pack_fields([(1, 0, n), (4, 0, n + 10)]) for n, name in enumerate(names) if n != 3]
    (tmp_path / "fdinfo-2.img").write_bytes(pack_entries(HEAD, opened))
    (tmp_path / "filelocks.img").write_bytes(pack_entries(HEAD, [pack_fields([(4, 0, 11)])]))
    written = describe_written(tmp_path)
    assert set(written) == {str(paths["data"]), str(paths["locked"])}
    assert not check_files(read_files(listed), written=written).problems
    for path in paths.values():
        os.utime(path, ns=(1, 1))
    problems = check_files(read_files(listed), written=written).problems
    assert [each.split()[0] for each in problems] == [str(paths["data"]), str(paths["locked"])]


@pytest.mark.timeout(10)
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Nor a terminal: a kernel may have one open, and nobody writes to it now."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert not is_database(str(pipe))
    write_book(tmp_path, list_of((str(pipe), os.O_RDWR, 0)), 0)
    assert list(tmp_path.iterdir()) == [pipe]


@settings(max_examples=200, deadline=None)
@given(cut=st.integers(9, 400), flip=st.integers(0, 255))
def test_a_list_that_is_damaged_is_refused_or_read_never_worse(cut: int, flip: int) -> None:
    """Any prefix of it, any byte of it changed: our own error, or a list."""
    listed = list_of(("/a/file", 0, 10), ("/another/one", 2, 1 << 40))
    torn = listed[:cut]
    place = cut % len(listed)
    garbled = listed[:place] + bytes([listed[place] ^ flip]) + listed[place + 1 :]
    for each in (torn, garbled):
        try:
            read_files(each)
        except Integrity:
            continue
