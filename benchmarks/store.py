"""The store against the physical limit of this machine: memcpy, bare appends, raw reads."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

import xxhash

from benchmarks.measure import Row, at_least, at_most, cpu, run_parts, side_by_side, wall
from jupyter_rewind.store.chunks import AVERAGE_SIZE
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.upkeep import verify

BIG = 192 << 20
COMMITS = 400
WRITER = """
import os, sys, time
from pathlib import Path
from jupyter_rewind.store.repository import Repository
folder, count = Path(sys.argv[1]), int(sys.argv[2])
data = [os.urandom(65536) for _ in range(count)]
with Repository.open(folder / "store", key_folder=folder / "keys") as store:
    with store.transaction() as first:
        first.add("warm", keys=[], body={})
    print("ready", flush=True)
    sys.stdin.readline()
    for each in data:
        with store.transaction() as change:
            change.add("mark", keys=[], body={}, roots=change.put(each))
    print("done", flush=True)
    sys.stdin.readline()
"""
BARE = """
import os, sys
data = [os.urandom(65536) for _ in range(int(sys.argv[2]))]
with open(f"{sys.argv[1]}/{os.getpid()}", "wb", buffering=0) as file:
    print("ready", flush=True)
    sys.stdin.readline()
    for each in data:
        file.write(each)
        os.fdatasync(file.fileno())
    print("done", flush=True)
    sys.stdin.readline()
"""


def measure() -> list[Row]:
    """All rows of this benchmark; about two minutes."""
    return run_parts(PARTS)


def open_store(folder: Path) -> Repository:
    folder.mkdir(parents=True, exist_ok=True)
    return Repository.open(folder / "store", key_folder=folder / "keys")


def small_commits(folder: Path) -> list[Row]:
    """4 KB, durably: a commit of the store against a bare append with fdatasync."""
    with open_store(folder) as store, open(folder / "bare", "wb", buffering=0) as bare:
        data = iter([os.urandom(4096) for _ in range(2 * COMMITS + 20)])

        def commit() -> None:
            with store.transaction() as change:
                change.add("mark", keys=["k"], body={}, roots=change.put(next(data)))

        def append() -> None:
            bare.write(next(data))
            os.fdatasync(bare.fileno())

        for _ in range(5):
            commit(), append()
        ours, theirs = side_by_side(lambda: wall(commit), lambda: wall(append), COMMITS)
    return [
        at_most(
            "small durable commit (4 KB), p50", "bare append + fdatasync", ours / theirs, 1.5,
            f"{ours * 1e3:.2f} ms against {theirs * 1e3:.2f} ms",
        )
    ]  # fmt: skip


def writers(folder: Path) -> list[Row]:
    """64 KB commits: four processes at once against one, beside bare appends that do the same."""
    open_store(folder).close()

    def run(count: int, program: str = WRITER) -> float:
        command = [sys.executable, "-c", program, str(folder), str(COMMITS)]
        started = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for _ in range(count)
        ]

        def hear(word: bytes) -> None:
            for process in started:
                assert process.stdout and process.stdout.readline() == word + b"\n"

        def tell() -> None:
            for process in started:
                assert process.stdin
                process.stdin.write(b"\n")
                process.stdin.flush()

        def work() -> None:
            tell()
            hear(b"done")

        hear(b"ready")
        seconds = wall(work)
        # That a process ends is no commit: it takes as long as some dozens of them.
        tell()
        for process in started:
            if process.wait(timeout=300):
                raise RuntimeError("a writer failed")
        return count * COMMITS / seconds

    four, one = side_by_side(lambda: run(4), lambda: run(1), 5)
    bare_four, bare_one = side_by_side(lambda: run(4, BARE), lambda: run(1, BARE), 5)
    limit = bare_four / bare_one
    beyond = ": less than the bar, which no store can reach here" if limit < 3 else ""
    return [
        at_least(
            "4 writers", "1 writer, commits per second", four / one, 3,
            f"{four:.0f}/s against {one:.0f}/s, 64 KB each, {os.cpu_count()} cores;"
            f" this disk: {bare_four:.0f}/s against {bare_one:.0f}/s, {limit:.1f}{beyond}",
        ),
        at_least(
            "4 writers / 1 writer", "the same of bare append + fdatasync", four / one / limit, 0.8,
            f"{four / one:.1f} against {limit:.1f}",
        ),
    ]  # fmt: skip


def large(folder: Path) -> list[Row]:
    """A large array kept whole, read back, verified, and changed in 1 KB."""
    data = os.urandom(BIG)
    rows = []
    taken: list[float] = []
    raw: list[float] = []
    back: list[float] = []
    bare: list[float] = []
    proof: list[float] = []
    copy: list[float] = []
    edit = 0
    for number in range(3):
        with open_store(folder / str(number)) as store:
            names: list[object] = []

            def keep(store: Repository = store, names: list[object] = names) -> None:
                with store.transaction() as change:
                    blob = change.put(data)
                    change.add("snapshot", keys=[], body={}, roots=blob)
                    names.extend(blob)

            taken.append(wall(keep))
            raw.append(wall(lambda n=number: write_raw(folder / f"raw{n}", data)))

            def restore(store: Repository = store, names: list[object] = names) -> bytearray:
                return store.get_buffer(names)  # type: ignore[arg-type]

            back.append(wall(restore))
            restored = restore()
            assert restored == data
            bare.append(wall(lambda n=number: (folder / f"raw{n}").read_bytes()))
            proof.append(cpu(lambda s=store: verify(s, read_data=True)))
            copy.append(cpu(lambda: bytearray(data)))
            changed = bytearray(data)
            changed[BIG // 2 : BIG // 2 + 1024] = os.urandom(1024)
            with store.transaction() as change:
                blob = change.put(bytes(changed))
                edit = change.written_bytes
                change.add("snapshot", keys=[], body={}, roots=blob)
    mid = statistics.median
    size = BIG / 1e6
    for what, against, one, two, bar in (
        ("full snapshot", "raw write + fdatasync", taken, raw, 0.5),
        ("verified restore", "raw read", back, bare, 0.5),
        ("verify, reading all", "memcpy, per CPU second", proof, copy, 0.3),
    ):
        text = f"{size / mid(one):.0f} MB/s against {size / mid(two):.0f} MB/s"
        rows.append(at_least(what, against, mid(two) / mid(one), bar, text))
    ratio = edit / AVERAGE_SIZE
    rows.append(
        at_most("1 KB edit of an array, bytes written", "chunk size", ratio, 4, f"{edit} bytes")
    )
    return rows


def write_raw(path: Path, data: bytes) -> None:
    with open(path, "wb", buffering=0) as file:
        file.write(data)
        os.fdatasync(file.fileno())


def unchanged(_: Path) -> list[Row]:
    """Is this buffer what it was: xxh3-128 against one memcpy of it."""
    data = os.urandom(BIG)
    target = bytearray(BIG)

    def copy() -> None:
        target[:] = data

    copy()
    hashing, copying = side_by_side(
        lambda: cpu(lambda: xxhash.xxh3_128_digest(data)), lambda: cpu(copy), 7
    )
    text = f"{BIG / hashing / 1e6:.0f} MB against {BIG / copying / 1e6:.0f} MB per CPU second"
    return [at_least("unchanged check", "memcpy, per CPU second", copying / hashing, 1.5, text)]


def rebuild(folder: Path) -> list[Row]:
    """The index thrown away and built again from the segments."""
    count = 0
    with open_store(folder) as store:
        for _ in range(60):
            with store.transaction() as change:
                for _ in range(1000):
                    change.put(os.urandom(100))
                change.add("mark", keys=["k"], body={})
                count += 1001
    rates = []
    for number in range(3):
        path = folder / f"index-{number}"

        def build(path: Path = path) -> None:
            with Repository.open(
                folder / "store", key_folder=folder / "keys", index_path=path
            ) as again:
                again.refresh()

        rates.append(count / cpu(build))
    rate = statistics.median(rates)
    return [
        at_least(
            "index rebuild", "100 000 rows per CPU second", rate / 1e5, 1, f"{rate:.0f} rows/CPU-s"
        )
    ]


PARTS = {
    "small": small_commits,
    "writers": writers,
    "large": large,
    "unchanged": unchanged,
    "rebuild": rebuild,
}
