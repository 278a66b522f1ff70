"""Notebooks: saves through a real server, edits, long histories, the command, and git beside it."""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from blake3 import blake3

from benchmarks.measure import Row, at_most, run_parts, side_by_side, wall
from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.notebooks.cutting import cut
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.repository import Repository

LETTERS = "abcdefghijklmnopqrstuvwxyz      \n0123456789=().,"
SAVES = 1000


def measure() -> list[Row]:
    """All rows of this benchmark; about eight minutes."""
    return run_parts(PARTS)


def make_notebook(size: int, *, cells: int, seed: int = 1) -> dict[str, Any]:
    """A notebook of about `size` bytes: code, text outputs, and images (incompressible base64)."""
    chance = random.Random(seed)
    each = size // cells
    made = []
    for number in range(cells):
        image = chance.randbytes(int(each * 0.6)).hex()[: int(each * 0.8)]
        source = "".join(chance.choices(LETTERS, k=max(each - len(image) - 300, 40)))
        made.append(
            {
                "cell_type": "code",
                "execution_count": number,
                "id": f"cell-{number:05d}",
                "metadata": {},
                "outputs": [
                    {
                        "data": {"image/png": image, "text/plain": ["<Figure>"]},
                        "metadata": {},
                        "output_type": "display_data",
                    }
                ],
                "source": source.splitlines(True),
            }
        )
    return {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def as_saved(book: dict[str, Any]) -> bytes:
    """The bytes that Jupyter writes for `book`."""
    return (json.dumps(book, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def edit(book: dict[str, Any], number: int) -> None:
    """One cell of `book`, of about 1 KB, has a new source."""
    chance = random.Random(number)
    cell = book["cells"][number % len(book["cells"])]
    cell["source"] = "".join(chance.choices(LETTERS, k=1000)).splitlines(True)


def puts(folder: Path) -> list[Row]:
    """PUT of 1 MB and 25 MB through two real servers, one with Rewind and one without.

    A full collection of Python's garbage, 150 ms, falls into every other save of 25 MB, with and
    without Rewind: a median of few rounds says no more than where it fell.
    """
    rows = []
    with server(folder / "with", True) as ours, server(folder / "without", False) as theirs:
        for size, rounds in ((1 << 20, 101), (25 << 20, 25)):
            book = make_notebook(size, cells=size >> 14)
            count = [0]

            def save(
                address: str,
                book: dict[str, Any] = book,
                count: list[int] = count,
                size: int = size,
            ) -> float:
                count[0] += 1
                edit(book, count[0])
                model = json.dumps({"type": "notebook", "format": "json", "content": book})
                taken = wall(lambda: put(address, "bench.ipynb", model.encode()))
                # People do not save without a pause; the shortest interval of autosave is 10 s.
                time.sleep(0.3 if size < 1 << 22 else 2.5)
                return taken

            save(ours), save(theirs)
            with_, without = side_by_side(lambda: save(ours), lambda: save(theirs), rounds)
            rows.append(
                at_most(
                    f"PUT of a {size >> 20} MB notebook with Rewind", "without it",
                    with_ / without, 1.05,
                    f"{with_ * 1e3:.0f} ms against {without * 1e3:.0f} ms, median of {rounds}",
                )
            )  # fmt: skip
    return rows


@contextmanager
def server(folder: Path, rewind: bool) -> Iterator[str]:
    """The address (with token) of a Jupyter server over an empty folder."""
    folder.mkdir(parents=True)
    env = environment(folder)
    command = [
        sys.executable, "-m", "jupyter", "server", "--no-browser", "--allow-root",
        "--ServerApp.port=0", "--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=t",
        f"--ServerApp.root_dir={folder}", "--ServerApp.log_level=WARN",
        f'--ServerApp.jpserver_extensions={{"jupyter_rewind": {rewind}}}',
    ]  # fmt: skip
    process = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
    try:
        yield wait_for_address(folder / "runtime", process)
    finally:
        process.terminate()
        process.wait(30)


def environment(folder: Path) -> dict[str, str]:
    """The environment of a user whose home is `folder`."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("JUPYTER")}
    return env | {
        "HOME": str(folder),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
    }


def wait_for_address(runtime: Path, process: subprocess.Popen[bytes]) -> str:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            try:
                url = json.loads(file.read_text())["url"]
                urllib.request.urlopen(f"{url}api/status?token=t", timeout=5).close()
                return str(url)
            except (OSError, ValueError, KeyError):
                continue
        time.sleep(0.02)
    raise RuntimeError("the server did not start")


def put(address: str, name: str, model: bytes) -> None:
    request = urllib.request.Request(f"{address}api/contents/{name}", data=model, method="PUT")
    request.add_header("Authorization", "token t")
    urllib.request.urlopen(request, timeout=120).read()


@contextmanager
def histories(folder: Path) -> Iterator[Histories]:
    folder.mkdir(parents=True, exist_ok=True)
    with Repository.open(folder / "store", key_folder=folder / "keys") as store:
        yield Histories(store)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def large_edit(folder: Path) -> list[Row]:
    """One cell of a 25 MB notebook is edited: how many bytes are new."""
    book = make_notebook(25 << 20, cells=1600)
    first = as_saved(book)
    with histories(folder) as all_of:
        all_of.record("/b.ipynb", first, reason=Reason.SAVE)
        before = all_of.repository.writer.end
        book["cells"][0]["source"] = ["edited = True\n"]
        seconds = wall(lambda: all_of.record("/b.ipynb", as_saved(book), reason=Reason.SAVE))
        new = all_of.repository.writer.end - before
    return [
        at_most(
            "one-cell edit of a 25 MB notebook, new bytes", "its size", new / len(first), 0.001,
            f"{new} bytes of {len(first)}; {seconds:.2f} s",
        )
    ]  # fmt: skip


def long_history(folder: Path) -> list[Row]:
    """1 000 checkpoints of one notebook: bytes, listing, and the whole command."""
    book = make_notebook(300_000, cells=60)
    unique: dict[bytes, int] = {}
    notebook = folder / "home" / "b.ipynb"
    with histories(folder) as all_of:
        for number in range(SAVES):
            edit(book, number)
            raw = as_saved(book)
            for cell in cut(raw).cells:
                for part in (cell.template, *(payload for _, payload in cell.payloads)):
                    unique[blake3(part).digest()] = len(part)
            all_of.record(str(notebook), raw, reason=Reason.SAVE)
        listing = statistics.median(  # each by somebody who has not seen any of them
            wall(lambda: Histories(all_of.repository).checkpoints(str(notebook))) for _ in range(9)
        )
    stored = size_of(folder / "store" / "segments")
    command = [
        sys.executable, "-m", "jupyter_rewind.faces.cli.app", "history", str(notebook),
        "--store", str(folder / "store"), "--set", f"store.key_folder={folder / 'keys'}",
        "--limit", "20",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    whole = statistics.median(
        wall(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(9)
    )
    return [
        at_most(
            "store of 1 000 checkpoints", "the bytes of their distinct cells and outputs",
            stored / sum(unique.values()), 1.2,
            f"{stored} bytes, {sum(unique.values())} in {len(unique)} distinct parts",
        ),
        at_most("list 1 000 checkpoints", "50 ms", listing / 0.05, 1, f"{listing * 1e3:.1f} ms"),
        at_most(
            "`jupyter rewind history`, whole process", "500 ms", whole / 0.5, 1,
            f"{whole * 1e3:.0f} ms",
        ),
    ]  # fmt: skip


def pages(folder: Path) -> list[Row]:
    """A page of a history as the browser's panel asks a real server for it, after each save."""
    with server(folder, True) as address:
        store = Repository.open(
            folder / "data" / "rewind",
            key_folder=folder / "config" / "rewind-keys",
            durability="process",
        )
        with store:
            all_of = Histories(store)
            for name, count in (("short.ipynb", 100), ("long.ipynb", 10_000)):
                for number in range(count):
                    raw = as_saved({**make_notebook(2_000, cells=1), "metadata": {"n": number}})
                    all_of.record(str(folder / name), raw, reason=Reason.SAVE)
                (folder / name).write_bytes(raw)

            def page(name: str, number: int) -> float:
                raw = as_saved({**make_notebook(2_000, cells=1), "metadata": {"m": number}})
                all_of.record(str(folder / name), raw, reason=Reason.SAVE)
                query = f"path={name}&limit=100&newest_first=true&token=t"
                return wall(lambda: get(f"{address}rewind/api/v1/history?{query}"))

            first = page("long.ipynb", 0)
            numbers = iter(range(1, 1_000))
            page("short.ipynb", next(numbers))
            long, short = side_by_side(
                lambda: page("long.ipynb", next(numbers)),
                lambda: page("short.ipynb", next(numbers)),
                21,
            )
    text = f"{long * 1e3:.0f} ms; {short * 1e3:.0f} ms of 100; {first * 1e3:.0f} ms the first time"
    return [at_most("a page of 10 000 checkpoints after a save", "0.2 s", long / 0.2, 1, text)]


def get(url: str) -> None:
    urllib.request.urlopen(url, timeout=120).read()


def start_up(folder: Path) -> list[Row]:
    """A server from its start to its first answer, with Rewind and without."""
    count = [0]

    def start(rewind: bool) -> float:
        count[0] += 1
        began = time.perf_counter()
        with server(folder / str(count[0]), rewind):
            return time.perf_counter() - began

    start(True), start(False)
    ours, theirs = side_by_side(lambda: start(True), lambda: start(False), 5)
    more = ours - theirs
    return [
        at_most(
            "server start-up with Rewind, more than without", "300 ms", more / 0.3, 1,
            f"{ours:.2f} s against {theirs:.2f} s",
        )
    ]  # fmt: skip


def beside_git(folder: Path) -> list[Row]:
    """The same 100 saves kept by Rewind and by `git add && git commit`."""
    if shutil.which("git") is None:
        return []
    work = folder / "work"
    work.mkdir(parents=True)

    def git(*words: str) -> None:
        subprocess.run(["git", "-C", str(work), *words], check=True, capture_output=True)

    git("init", "-q")
    git("config", "user.email", "a@localhost")
    git("config", "user.name", "a")
    git("config", "gc.auto", "0")
    book = make_notebook(2 << 20, cells=100)
    ours, theirs = [], []
    with histories(folder / "rewind") as all_of:
        for number in range(100):
            edit(book, number)
            raw = as_saved(book)
            (work / "b.ipynb").write_bytes(raw)

            def commit() -> None:
                git("add", "b.ipynb")
                git("commit", "-q", "-m", "save")

            theirs.append(wall(commit))
            ours.append(wall(partial(all_of.record, "/b.ipynb", raw, reason=Reason.SAVE)))
    stored, objects = size_of(folder / "rewind" / "store" / "segments"), size_of(work / ".git")
    git("gc", "-q", "--aggressive")
    packed = size_of(work / ".git")
    one, two = statistics.median(ours), statistics.median(theirs)
    text = f"{one * 1e3:.1f} ms against {two * 1e3:.1f} ms, 2 MB notebook"
    size = f"{stored / 1e6:.1f} MB against {objects / 1e6:.1f} MB"
    tight = f"{stored / 1e6:.1f} MB against {packed / 1e6:.1f} MB"
    return [
        at_most("a save kept", "git add && git commit", one / two, 1, text),
        at_most("bytes of 100 saves", "git", stored / objects, 1, size),
        at_most("bytes of 100 saves", "git after gc --aggressive", stored / packed, 1, tight),
    ]


PARTS = {
    "puts": puts,
    "large": large_edit,
    "long": long_history,
    "pages": pages,
    "start": start_up,
    "git": beside_git,
}
