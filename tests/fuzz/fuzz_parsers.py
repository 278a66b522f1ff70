"""Coverage-guided fuzzing of every parser of what strangers wrote, with atheris.

Not part of the test run: it goes on until it is stopped or has done its number of runs.

    pip install atheris          # wheels for Linux, Python 3.11 to 3.13
    python tests/fuzz/fuzz_parsers.py PARSER [-runs=100000] [-max_len=4096] [CORPUS_FOLDER]

PARSER is one of `salvage`, `memory`, `script`, `prose`, `page`, `history`, `tables`, `files`,
`archives`. A crash leaves its input behind as `crash-…`; make it a test. `--without-atheris` runs
the parser on random bytes instead.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path


def salvage(raw: bytes) -> None:
    """Whatever the bytes: an answer, a notebook that can be written, words for its faults."""
    from jupyter_rewind.recovery.assembly import as_notebook
    from jupyter_rewind.recovery.formats import to_text
    from jupyter_rewind.recovery.salvage import salvage_notebook

    salvaged = salvage_notebook(raw)
    assert salvaged.whole == (not salvaged.damages)
    book = as_notebook([(cell, {}) for cell in salvaged.cells], salvaged.metadata, {})
    to_text(book, "ipynb").encode()


def memory(raw: bytes) -> None:
    """Only whole cells are told, whatever stands around them."""
    from jupyter_rewind.recovery.memorycells import find_rows, join_rows

    for row in join_rows(find_rows(raw)[0]):
        assert row.cells and all(cell.whole for cell in row.cells)


def _export(suffix: str) -> Callable[[bytes], None]:
    def parse(raw: bytes) -> None:
        from jupyter_rewind.recovery.exports.reading import read_export

        read_export(f"a{suffix}", raw, fetch=lambda _: b"x")

    return parse


def history(raw: bytes) -> None:
    """A history of any bytes, with what lies in its second half as its journal."""
    from jupyter_rewind.errors import RewindError
    from jupyter_rewind.recovery.evidence import Hints, Scope
    from jupyter_rewind.recovery.historyfiles import Stream, load

    with tempfile.TemporaryDirectory(dir=_fast_folder()) as name:
        folder = Path(name)
        path = folder / "history.sqlite"
        path.write_bytes(raw)
        if raw[-1:] > b"\x80":
            Path(f"{path}-journal").write_bytes(raw[len(raw) // 2 :])
        scope = Scope(None, folder, folder, folder, hints=Hints(frozenset({"x"})))
        try:
            load(path, scope)
            list(Stream(path, scope))
        except RewindError as error:
            assert error.message


def tables(raw: bytes) -> None:
    """A database of any bytes where collaboration's or the file ids' should be."""
    import sqlite3

    from jupyter_rewind.errors import RewindError
    from jupyter_rewind.recovery.evidence import Scope
    from jupyter_rewind.recovery.fileids import read_file_ids
    from jupyter_rewind.recovery.ystore import read_keys, read_updates

    with tempfile.TemporaryDirectory(dir=_fast_folder()) as name:
        folder = Path(name)
        path = folder / "table.db"
        path.write_bytes(raw)
        scope = Scope(None, folder, folder, folder)
        with contextlib.suppress(sqlite3.DatabaseError, RewindError):
            read_file_ids(path, scope)
        try:
            for key in read_keys(path):
                read_updates(path, key)
        except sqlite3.DatabaseError:
            pass


def files(raw: bytes) -> None:
    """The small formats: Vim's swap files, git's trees and logs, Windows' trash, connections."""
    from jupyter_rewind.recovery.gitobjects import parse_log, tree_entries
    from jupyter_rewind.recovery.runtime import read_connection
    from jupyter_rewind.recovery.trashcans import parse_recycle_note
    from jupyter_rewind.recovery.vimswap import parse_swap

    parse_swap(raw)
    list(tree_entries(raw))
    list(parse_log(raw))
    parse_recycle_note(raw)
    with tempfile.TemporaryDirectory(dir=_fast_folder()) as name:
        path = Path(name) / "kernel-1.json"
        path.write_bytes(raw)
        with contextlib.suppress(ValueError, OSError):
            read_connection(path)


def archives(raw: bytes) -> None:
    """A zip, a tar or a packed file of any bytes."""
    from jupyter_rewind.errors import RewindError
    from jupyter_rewind.recovery.archives import Copies, notebooks_in, read_member

    with tempfile.TemporaryDirectory(dir=_fast_folder()) as name:
        for suffix in (".zip", ".tar", ".gz"):
            path = Path(name) / f"a{suffix}"
            path.write_bytes(raw)
            with contextlib.suppress(RewindError, OSError):
                for each in notebooks_in(path, Copies(Path(name))):
                    read_member(path, each.name, each.at)
            with contextlib.suppress(RewindError, OSError):
                read_member(path, "")


def _fast_folder() -> str | None:
    return "/dev/shm" if os.path.isdir("/dev/shm") else None


def _database() -> bytes:
    """A small history that is whole."""
    import sqlite3

    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "x.sqlite"
        with sqlite3.connect(path) as connection:
            connection.executescript(
                """PRAGMA page_size = 512;
                CREATE TABLE sessions (session integer primary key, start timestamp,
                    end timestamp, num_cmds integer, remark text);
                CREATE TABLE history (session integer, line integer, source text,
                    source_raw text, PRIMARY KEY (session, line));
                CREATE TABLE Files (id TEXT, path TEXT, ino INTEGER);
                CREATE TABLE yupdates (path TEXT, yupdate BLOB, timestamp REAL);
                INSERT INTO sessions VALUES (1, '2026-01-01 10:00:00', NULL, NULL, '');
                INSERT INTO history VALUES (1, 1, 'x', 'x'), (1, 2, 'y = 1', 'y = 1');
                INSERT INTO Files VALUES ('a', 'b.ipynb', 3);
                INSERT INTO yupdates VALUES ('.notebook:a.y', x'0102', 1.5);"""
            )
        connection.close()
        return path.read_bytes()


def _archives() -> list[bytes]:
    """A zip, a tar and a packed file that are whole."""
    import gzip
    import io
    import tarfile
    import zipfile

    zipped, tarred, raw = io.BytesIO(), io.BytesIO(), b'{"cells": []}' * 9
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.ipynb", raw)
    with tarfile.open(fileobj=tarred, mode="w") as tar:
        member = tarfile.TarInfo("a.ipynb")
        member.size = len(raw)
        tar.addfile(member, io.BytesIO(raw))
    return [zipped.getvalue(), tarred.getvalue(), gzip.compress(raw)]


PARSERS: dict[str, Callable[[bytes], None]] = {
    "salvage": salvage,
    "memory": memory,
    "script": _export(".py"),
    "prose": _export(".md"),
    "page": _export(".html"),
    "history": history,
    "tables": tables,
    "files": files,
    "archives": archives,
}
SEEDS = [
    b'{"path": "a.ipynb", "cells": [{"id": "a", "cell_type": "markdown", "source": "+"}, '
    b'{"cell_type": "code", "metadata": {}, "source": "b", "outputs": []}], "metadata": {}}',
    b'{"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": ["x"]}]}]}',
    b"#!/usr/bin/env python\n# coding: utf-8\n\n# In[1]:\n\n\nx\n\n\n# # Title\n\n# In[2]:\n",
    b"# ---\n# jupyter:\n#   jupytext:\n#     text_representation:\n#       format_name: light\n"
    b'# ---\n\n# + tags=["a"]\n# %time x\n# -\n\n# text\n',
    b'{"cells": [{"cell_type": "code", "source": ["x\\n"], "outputs": []}], "nbformat": 4}',
    b'<<<<<<< a\n{"cells": []}\n=======\n{}\n>>>>>>> b\n',
    b'<html><div class="jp-Cell"><div class="input_area"><pre>x</pre></div></div>',
    b"# %% [markdown]\n# text\n\n# %%\nx = 1\n",
    b"---\njupyter: python3\n---\n\n```{python}\nx\n```\n",
]


def without_atheris(parse: Callable[[bytes], None], runs: int) -> None:
    """Seeds with bytes changed, doubled, and dropped at random."""
    chance = random.Random(0)
    databases = parse in (history, tables)
    seeds = [_database()] if databases else _archives() if parse is archives else SEEDS
    for _ in range(runs):
        raw = bytearray(chance.choice(seeds) * (1 if databases else chance.randint(1, 3)))
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(raw) + 1)
            end = at + chance.randint(0, 12)
            raw[at:end] = chance.choice([b"", chance.randbytes(4), bytes(raw[at:end]) * 2])
        parse(bytes(raw))


def main(arguments: list[str]) -> int:
    name = arguments[1] if len(arguments) > 1 else ""
    if name not in PARSERS:
        sys.stderr.write(f"Name a parser: {', '.join(PARSERS)}\n")
        return 2
    if "--without-atheris" in arguments:
        runs = next((int(one[6:]) for one in arguments if one.startswith("-runs=")), 10_000)
        without_atheris(PARSERS[name], runs)
        return 0
    import atheris

    with atheris.instrument_imports(include=["jupyter_rewind.recovery"]):
        import jupyter_rewind.recovery.archives
        import jupyter_rewind.recovery.exports.reading
        import jupyter_rewind.recovery.fileids
        import jupyter_rewind.recovery.gitobjects
        import jupyter_rewind.recovery.historyfiles
        import jupyter_rewind.recovery.memorycells
        import jupyter_rewind.recovery.runtime
        import jupyter_rewind.recovery.salvage
        import jupyter_rewind.recovery.trashcans
        import jupyter_rewind.recovery.vimswap
        import jupyter_rewind.recovery.ystore  # noqa: F401
    with tempfile.TemporaryDirectory() as folder:
        seeds = [_database()] if name in ("history", "tables") else SEEDS
        seeds = _archives() if name == "archives" else seeds
        for number, seed in enumerate(seeds):
            Path(folder, f"seed-{number}").write_bytes(seed)
        atheris.Setup([arguments[0], *arguments[2:], folder], PARSERS[name])
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    raise SystemExit(main(sys.argv))
