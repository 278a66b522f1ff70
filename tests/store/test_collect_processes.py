"""Collect beside other processes that write, expire and reuse content, and killed in the middle."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.upkeep import collect, verify
from tests.support.stores import fill, noise

_WRITER = """
import sys, hashlib
from pathlib import Path
from jupyter_rewind.store.repository import Repository
folder, seed = Path(sys.argv[1]), sys.argv[2]
store = Repository.open(folder / "store", key_folder=folder / "keys", create=False)
number, base, mine = 0, None, []
# On a machine that is busy, time says little of what was done: so many it writes in any case.
while number < 30 or not (folder / "enough").exists():
    # Some content comes back again and again, from all writers: it may just have become garbage.
    parts = [hashlib.shake_128(f"{number % 40}".encode()).digest(3000),
             hashlib.shake_128(f"{seed} {number}".encode()).digest(1000)]
    with store.transaction() as tx:
        links = [name for part in parts for name in tx.put(part)]
        body = f"{seed} {number} ".encode() * 200
        node = tx.put_node(body, links, base=base)
        entry = tx.add("checkpoint", keys=[seed], body={"n": number}, roots=[node])
    base = node
    print(entry.id, number, flush=True)
    mine.append((number, entry.id))
    if number % 20 == 19:
        with store.transaction(exclusive=True) as tx:
            old = [each for n, each in mine[:-5] if n % 7]
            mine = [(n, each) for n, each in mine if each not in old]
            tx.expire(old)
        print("expired", *old, flush=True)
    if number % 50 == 49:
        store.end_segment()
    number += 1
"""


def _part(text: str, size: int) -> bytes:
    return noise(text, size)


def _check_writer(store: Repository, seed: str, lines: list[str]) -> int:
    alive: dict[str, int] = {}
    for line in lines:
        words = line.split()
        if words and words[0] == "expired":
            for name in words[1:]:
                del alive[name]
        elif len(words) == 2:
            alive[words[0]] = int(words[1])
    for name, number in alive.items():
        node = store.get_node(store.entry(EntryId(name)).roots[0])
        assert node.body == f"{seed} {number} ".encode() * 200
        want = _part(f"{number % 40}", 3000) + _part(f"{seed} {number}", 1000)
        assert store.get_blob(node.links) == want
    return len(alive)


def _start_writers(folder: Path) -> dict[str, subprocess.Popen[str]]:
    """They write until the file `enough` is there."""
    return {
        seed: subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(folder), seed],
            stdout=open(folder / f"{seed}.log", "w"),
            text=True,
        )
        for seed in ("a", "b", "c")
    }


@pytest.mark.slow
def test_collect_beside_busy_writers_loses_nothing(tmp_path: Path) -> None:
    """Three processes write, expire and reuse content while collect runs without a pause."""
    filled = fill(tmp_path, segments=2)
    writers = _start_writers(tmp_path)
    end, removed = time.monotonic() + 6, 0
    with filled.open() as store:
        while any(writer.poll() is None for writer in writers.values()):
            removed += collect(store, threshold=0.01).segments_removed
            if time.monotonic() > end and removed > 3:
                (tmp_path / "enough").touch()
        assert removed > 3
        assert all(filled.reads(store, name) for name in filled.bodies)
    for path in (tmp_path / "store").glob("index*"):
        path.unlink()
    with filled.open() as store:
        store.refresh()
        for seed, writer in writers.items():
            assert writer.returncode == 0
            lines = (tmp_path / f"{seed}.log").read_text().splitlines()
            assert _check_writer(store, seed, lines) > 5
        assert verify(store, read_data=True).ok


_COLLECTOR = """
import sys
from pathlib import Path
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.upkeep import collect
folder = Path(sys.argv[1])
store = Repository.open(folder / "store", key_folder=folder / "keys", create=False)
print("ready", flush=True)
while True:
    collect(store, threshold=0.01)
"""


@pytest.mark.slow
@pytest.mark.crash
def test_killed_collects_lose_nothing(tmp_path: Path) -> None:
    """kill -9 of a collect at random moments, again and again, beside three writers."""
    filled = fill(tmp_path, segments=2)
    writers = _start_writers(tmp_path)
    chance = random.Random(5)
    end, kills = time.monotonic() + 12, 0
    while any(writer.poll() is None for writer in writers.values()):
        collector = subprocess.Popen(
            [sys.executable, "-c", _COLLECTOR, str(tmp_path)], stdout=subprocess.PIPE
        )
        assert collector.stdout is not None
        collector.stdout.readline()
        time.sleep(chance.random() * 0.3)
        os.kill(collector.pid, signal.SIGKILL)
        collector.communicate()
        kills += 1
        if time.monotonic() > end and kills > 5:
            (tmp_path / "enough").touch()
    assert kills > 5
    with filled.open() as store:
        store.refresh()
        for seed, writer in writers.items():
            assert writer.returncode == 0
            lines = (tmp_path / f"{seed}.log").read_text().splitlines()
            assert _check_writer(store, seed, lines) > 5
        assert all(filled.reads(store, name) for name in filled.bodies)
        assert verify(store, read_data=True).ok
        collect(store)
        assert verify(store, read_data=True).ok
