"""Files, connections and what else lives outside: untouched, and told of; registered reducers."""

from __future__ import annotations

import array
import io
import itertools
import logging
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import jupyter_rewind
from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.kernels.placeholders import FilePlaceholder, Placeholder
from jupyter_rewind.kernels.reducers import Registry, lookup
from jupyter_rewind.model.snapshot import Fidelity
from tests.support.pickling import keep, round_trip
from tests.support.values import Foreign, Node, Ones, squares


def test_a_generator_is_a_placeholder_that_says_where_it_stood() -> None:
    """Its words name the function and the line; a later state is another placeholder."""
    generator = squares(5)
    next(generator)
    first = keep(generator)
    next(generator)
    second = keep(generator)
    back = first.load()
    assert "`squares`" in repr(back) and "line" in repr(back)
    with pytest.raises(TypeError, match="squares"):
        next(back)
    with pytest.raises(AttributeError, match="squares"):
        back.send(None)
    assert first.stream != second.stream
    assert next(generator) == 4
    assert first.fidelities == {Fidelity.MISSING}


@pytest.mark.filterwarnings("error::DeprecationWarning")
def test_iterators_go_on_where_they_stood() -> None:
    """Each gives the rest; the one that was kept has not moved."""
    made: list[Any] = [
        iter([1, 2, 3]),
        itertools.count(1),
        itertools.islice([0, 1, 2, 3], 1, None),
        itertools.chain([1], [2, 3]),
        zip([1, 2, 3], "abc", strict=False),
        iter({1: "a", 2: "b", 3: "c"}),
        enumerate([9, 8, 7]),
    ]
    for value in made:
        next(value)
        back = round_trip(value)
        assert [next(back), next(back)][0] == next(value)


_ENDED: dict[str, Callable[[], Any]] = {
    "a list": lambda: iter([1]),
    "a list, from its end": lambda: reversed([1]),
    "a tuple": lambda: iter((1,)),
    "text": lambda: iter("a"),
    "text beyond ASCII": lambda: iter("\u00e9"),
    "bytes": lambda: iter(b"a"),
    "an array": lambda: iter(array.array("b", [1])),
    "a sequence": lambda: iter(Ones()),
}


@pytest.mark.parametrize("make", _ENDED.values(), ids=_ENDED)
def test_an_iterator_that_came_to_its_end_stays_there(make: Callable[[], Any]) -> None:
    """It comes back as the kind that it is, and over nothing."""
    value = make()
    assert type(round_trip(value)) is type(value)
    list(value)
    back = round_trip(value)
    assert type(back) is type(value) and next(back, None) is None
    assert back.__reduce__() == value.__reduce__()


def test_calls_that_came_to_their_end_stay_there() -> None:
    """`iter(function, last)`; the function is not called again."""
    value = iter(int, 0)
    assert list(value) == []
    back = round_trip(value)
    assert type(back) is type(value) and next(back, None) is None


def test_files_are_not_touched_and_can_be_opened_again(tmp_path: Path) -> None:
    """What was pending stays pending, nothing is emptied, and reading goes on at its place."""
    path = tmp_path / "a.txt"
    path.write_text("0123456789")
    with path.open() as reading, path.open("rb+") as changing, path.open("a") as adding:
        reading.read(3)
        changing.seek(5)
        adding.write("pending")
        kept = keep((reading, changing, adding))
        assert path.read_text() == "0123456789"
        back = kept.load()
    assert path.read_text() == "0123456789pending"
    assert all(isinstance(one, FilePlaceholder) for one in back)
    assert [one.reopen().read() for one in back[:2]] == ["3456789pending", b"56789pending"]


def test_a_file_opened_to_be_written_is_not_emptied_by_opening_it_again(tmp_path: Path) -> None:
    """It goes on at its end, and is not made anew where it is gone."""
    path = tmp_path / "a.txt"
    with path.open("w") as writing:
        writing.write("first ")
        back = round_trip(writing)
    with back.reopen() as again:
        again.write("second")
    assert path.read_text() == "first second"
    path.unlink()
    with pytest.raises(FileNotFoundError):
        back.reopen()
    assert not path.exists()


def test_streams_in_memory_keep_their_content_and_place() -> None:
    """They are no files, and come back whole."""
    text, raw = io.StringIO("abcdef"), io.BytesIO(b"abcdef")
    text.read(2)
    raw.seek(3)
    back, back_raw = round_trip((text, raw))
    assert back.read() == "cdef" and back_raw.read() == b"def"


def test_the_standard_streams_are_those_of_the_kernel() -> None:
    """By reference, whatever the kernel puts there."""
    back, kept = round_trip(sys.stdout), keep(sys.stdout)
    assert back is sys.stdout and kept.fidelities == {Fidelity.REFERENCE}


def _live_things(folder: Path) -> dict[str, Any]:
    import asyncio
    import concurrent.futures
    import gzip
    import hashlib
    import mmap
    import multiprocessing
    import shelve
    import socket
    import sqlite3
    import ssl
    import subprocess
    import tempfile
    import zipfile

    return {
        "database": sqlite3.connect(folder / "a.db"),
        "socket": socket.socket(),
        "temporary file": tempfile.NamedTemporaryFile(dir=folder),
        "temporary folder": tempfile.TemporaryDirectory(dir=folder),
        "compressed file": gzip.open(folder / "a.gz", "wb"),
        "archive": zipfile.ZipFile(folder / "a.zip", "w"),
        "shelf": shelve.open(str(folder / "shelf")),
        "process": subprocess.Popen(["true"]),
        "pool of workers": concurrent.futures.ThreadPoolExecutor(1),
        "event loop": asyncio.new_event_loop(),
        "memory map": mmap.mmap(-1, 10),
        "sha256": hashlib.sha256(b"a"),
        "TLS": ssl.create_default_context(),
        "queue between processes": multiprocessing.Queue(),
        "log file": logging.FileHandler(folder / "a.log"),
    }


def test_live_things_are_placeholders_that_say_what_they_were(tmp_path: Path) -> None:
    """None of them is used, closed, flushed or opened; each stands as words in its place."""
    things = _live_things(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    kept = keep(things)
    back = kept.load()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    for words, value in back.items():
        assert isinstance(value, Placeholder), words
        assert words in repr(value)
    assert kept.fidelities == {Fidelity.MISSING}
    things["database"].execute("create table t (x)")
    del back
    assert Path(things["temporary folder"].name).exists()
    for closing in ("database", "socket", "shelf", "compressed file", "archive", "log file"):
        things[closing].close()
    things["event loop"].close()
    things["process"].wait()
    things["pool of workers"].shutdown()


def test_a_registered_reducer_is_used() -> None:
    """`jupyter_rewind.register` decides how values of a class are kept."""
    jupyter_rewind.register(Foreign, lambda value: (Foreign, (value.number,)))
    assert round_trip([Foreign(7)])[0].number == 7


def test_register_refuses_what_is_no_class() -> None:
    """The mistake is told at once, not at the next snapshot."""
    with pytest.raises(InvalidInput):
        jupyter_rewind.register("Foreign", lambda value: "x")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput):
        jupyter_rewind.register(Foreign, None)  # type: ignore[arg-type]


def test_an_entry_point_registers_when_its_package_is_met(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package's reducers are loaded with its first value, not before."""
    import importlib.metadata

    registry, calls = Registry(), list[str]()
    entry = importlib.metadata.EntryPoint("tests", "os:getcwd", "jupyter_rewind.reducers")
    monkeypatch.setattr(
        importlib.metadata.EntryPoint, "load", lambda self: lambda: calls.append(self.name)
    )
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [entry])
    registry.lookup(int)
    assert calls == []
    registry.lookup(Foreign)
    registry.lookup(Node)
    assert calls == ["tests"]


def test_classes_of_the_notebook_are_not_kept_alive_by_the_lookup() -> None:
    """A class that is redefined a thousand times does not stay a thousand times."""
    made = type("Made", (), {"__module__": "__main__"})
    lookup(made)
    ref = weakref.ref(made)
    del made
    import gc

    gc.collect()
    assert ref() is None
