"""Replicas on a SeaweedFS of their own: beside bare obstore, restic and rclone, over 127.0.0.1.

restic and rclone are looked for on the PATH and in REPLICA_TOOLS; without one, its row is left out.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import obstore
from obstore.store import S3Store

from benchmarks.measure import Row, at_least, at_most, run_parts, side_by_side, wall
from benchmarks.replica_peers import PEERS, find
from benchmarks.replica_resume import Work
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.replica.address import open_objects, parse_address
from jupyter_rewind.store.replica.filling import fill as fill_contents
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.pull import found_store, pull
from jupyter_rewind.store.replica.push import push
from jupyter_rewind.store.repository import Repository
from tests.support.object_servers import KEYS, Server, seaweed
from tests.support.stores import QuickFiles

BIG = int(os.environ.get("REPLICA_BIG_MB", "128")) << 20
MANY = int(os.environ.get("REPLICA_MANY", "10000"))
PUSHES = int(os.environ.get("REPLICA_PUSHES", "500"))
LONG = int(os.environ.get("REPLICA_LONG", "100000"))
USERS = int(os.environ.get("REPLICA_USERS", "1000"))
EACH, PER_PUSH = 100, 10
PART = 8 << 20
_NUMBERS = count()
FIRST = """
import sys
from pathlib import Path
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.replica.address import open_objects, parse_address
from jupyter_rewind.store.replica.pull import found_store, pull
from jupyter_rewind.store.repository import Repository
folder, keys, url = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
objects = open_objects(parse_address(url))
found_store(folder, keys, objects, Files())
with Repository.open(folder, key_folder=keys) as store:
    pull(store, objects, url, lazy=True)
    store.refresh()
    assert store.get(store.entries(newest_first=True, limit=1)[0].roots[0])
"""


def measure() -> list[Row]:
    """All rows of this benchmark."""
    return run_parts(PARTS)


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    folder.mkdir(parents=True)
    os.environ.update(KEYS)
    with seaweed(folder) as server:
        yield server


def place(server: Server) -> tuple[str, Objects]:
    """The address of an empty place."""
    url = server.url(f"bench-{next(_NUMBERS)}")
    return url, open_objects(parse_address(url))


def bare(server: Server) -> S3Store:
    """obstore itself, at an empty place, with its own settings."""
    return S3Store(
        server.bucket, endpoint=server.endpoint, region="us-east-1",
        prefix=f"bare-{next(_NUMBERS)}", client_options={"allow_http": True},
    )  # fmt: skip


def open_store(folder: Path) -> Repository:
    return Repository.open(folder / "store", key_folder=folder / "keys")


def fill(folder: Path, size: int) -> list[bytes]:
    """A store with so much that does not compress; its bytes, in parts."""
    with open_store(folder) as store:
        for _ in range(0, size, PART):
            with store.transaction() as change:
                change.add("mark", keys=["k"], body={}, roots=change.put(os.urandom(PART)))
    data = b"".join(path.read_bytes() for path in sorted((folder / "store/segments").iterdir()))
    return [data[at : at + PART] for at in range(0, len(data), PART)]


def put_all(store: S3Store, parts: list[bytes]) -> None:
    with ThreadPoolExecutor(4) as pool:
        names = [f"{number:05d}" for number in range(len(parts))]
        list(
            pool.map(
                lambda name, part: obstore.put(store, name, part, use_multipart=False), names, parts
            )
        )


def get_all(store: S3Store, number: int, folder: Path) -> None:
    """All parts, as files that are on the disk."""

    def fetch(name: str) -> None:
        with open(folder / name, "wb") as file:
            file.write(obstore.get(store, name).bytes())
            file.flush()
            os.fsync(file.fileno())

    folder.mkdir(parents=True)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fetch, [f"{each:05d}" for each in range(number)]))


def transfer(folder: Path) -> list[Row]:
    """The same bytes to the same server and back, in the same sizes, four at once."""
    rows = []
    with served(folder / "server") as server:
        parts = fill(folder, BIG)
        size = sum(map(len, parts))

        def ours(*, sealed: bool) -> float:
            url, objects = place(server)
            with open_store(folder) as store:
                return wall(lambda: push(store, objects, url, sealed=sealed))

        def theirs() -> float:
            store = bare(server)
            return wall(lambda: put_all(store, parts))

        for words, sealed in (("push", False), ("encrypted push", True)):
            mine, peer = side_by_side(lambda sealed=sealed: ours(sealed=sealed), theirs, 7)
            rows.append(_speed(f"{words}, bytes per second", "bare obstore", size, mine, peer))
        url, objects = place(server)
        with open_store(folder) as store:
            push(store, objects, url)
        source = bare(server)
        put_all(source, parts)

        early: list[float] = []

        def pulled() -> float:
            return wall(lambda: early.append(_pull_fresh(_fresh(folder), folder / "keys", url)))

        def got() -> float:
            return wall(lambda: get_all(source, len(parts), _fresh(folder)))

        mine, peer = side_by_side(pulled, got, 3)
        rows.append(_speed("pull, bytes per second", "bare obstore, flushed", size, mine, peer))
        first = statistics.median(early)
        what = f"histories of a store of {size >> 20} MB on an empty machine"
        rows.append(at_most(what, "2 s", first / 2, 1, f"{first:.2f} s"))
    return rows


def _speed(what: str, against: str, size: int, mine: float, peer: float) -> Row:
    figures = f"{size / mine / 1e6:.0f} MB/s against {size / peer / 1e6:.0f} MB/s"
    return at_least(what, against, peer / mine, 0.8, figures)


def _fresh(folder: Path) -> Path:
    return folder / f"fresh-{next(_NUMBERS)}"


def _pull_fresh(folder: Path, keys: Path, url: str) -> float:
    """As `jupyter rewind pull` does it: histories, and then what they hold. How many seconds the
    histories took."""
    begun = time.perf_counter()
    objects = open_objects(parse_address(url))
    found_store(folder, keys, objects, Files())
    with Repository.open(folder, key_folder=keys) as store:
        pull(store, objects, url, lazy=True)
        seconds = time.perf_counter() - begun
        filled = fill_contents(store.layout, store.files, objects)
        assert not filled.left
    return seconds


def checkpoints(folder: Path) -> list[Row]:
    """Small commits: what each costs, all of them at once, and what a fresh machine waits for."""
    with served(folder / "server") as server, open_store(folder) as store:
        url, objects = place(server)

        def commit(number: int) -> None:
            with store.transaction() as change:
                node = change.put_node(b"%d " % number + os.urandom(400), ())
                change.add("checkpoint", keys=["k"], body={"n": number}, roots=[node])

        for number in range(MANY):
            commit(number)
        size = sum(path.stat().st_size for path in (folder / "store/segments").iterdir())
        seconds = wall(lambda: push(store, objects, url))
        parts = [os.urandom(min(PART, size - at)) for at in range(0, size, PART)]
        peer = wall(lambda: put_all(bare(server), parts))
        rows = [
            at_most(
                f"push of {MANY} checkpoints at once", "bare obstore, the same bytes; no bar",
                seconds / peer, float("inf"), f"{seconds:.2f} s, {size / 1e6:.0f} MB",
            ),
            _first_readable(f"pull of {MANY} checkpoints to a readable history", folder, url),
        ]  # fmt: skip
        made = times = 0.0
        early: list[float] = []
        for number in range(PUSHES):
            commit(number)
            begun = wall(lambda: early.append(push(store, objects, url).objects))
            made += early[-1]
            times += begun
        rows += [
            at_most(
                "PUTs of a small commit", "one; the bar is two", made / PUSHES, 2,
                f"{made:.0f} for {PUSHES} pushes, {times / PUSHES * 1e3:.0f} ms each",
            ),
            _first_readable(f"the same, and {PUSHES} pushes of one each", folder, url),
        ]  # fmt: skip
    return rows


def _first_readable(what: str, folder: Path, url: str) -> Row:
    """In a process of its own, from its start to the bytes of the newest checkpoint."""
    command = [sys.executable, "-c", FIRST, str(_fresh(folder)), str(folder / "keys"), url]
    seconds = wall(lambda: subprocess.run(command, check=True))
    return at_most(what, "2 s", seconds / 2, 1, f"{seconds:.2f} s")


def growth(folder: Path) -> list[Row]:
    """What a push of one small commit costs behind a long history, beside a short one."""
    with served(folder / "server") as server:
        places = []
        for number, entries in enumerate((LONG // 100, LONG)):
            store = Repository.open(
                folder / f"store-{number}", key_folder=folder / "keys", files=QuickFiles()
            )
            url, objects = place(server)
            for _ in range(entries):
                _commit(store)
            push(store, objects, url)
            places.append((store, objects, url))

        def one(number: int) -> float:
            store, objects, url = places[number]
            _commit(store)
            return wall(lambda: push(store, objects, url))

        long, short = side_by_side(lambda: one(1), lambda: one(0), 101)
        for store, _, _ in places:
            store.close()
    figures = f"{long * 1e3:.1f} ms against {short * 1e3:.1f} ms"
    what = f"push of a checkpoint behind {LONG} others"
    return [at_most(what, f"behind {LONG // 100}", long / short, 1.5, figures)]


def _commit(store: Repository) -> None:
    with store.transaction() as change:
        node = change.put_node(os.urandom(400), ())
        change.add("checkpoint", keys=["k"], body={}, roots=[node])


def users(folder: Path) -> list[Row]:
    """Many users, each with a store and a prefix, in one bucket: does the last one pay more than
    the first one; and has a fresh machine of some of them everything."""
    with served(folder / "server") as server:
        seconds: list[float] = []
        requests = 0
        for number in range(USERS):
            home = folder / f"user-{number}"
            url = server.url(f"hub/user-{number}")
            times, made = _work(home, url)
            seconds += times
            requests += made
            if number % (USERS // 10) == 0:
                _require_all(home, url)
    tenth = len(seconds) // 10
    first, last = (statistics.median(part) for part in (seconds[:tenth], seconds[-tenth:]))
    figures = (
        f"{last * 1e3:.1f} ms against {first * 1e3:.1f} ms;"
        f" {requests / len(seconds):.1f} requests a push, the first of each user included"
    )
    what = f"a push of the last of {USERS} users x {EACH} checkpoints in a bucket"
    return [at_most(what, "of the first", last / first, 1.5, figures)]


def _work(home: Path, url: str) -> tuple[list[float], int]:
    """What each push of one user took, and how many requests all of them were."""
    objects = Counted(open_objects(parse_address(url)))
    with Repository.open(home / "store", key_folder=home / "keys", files=QuickFiles()) as store:

        def one() -> float:
            for _ in range(PER_PUSH):
                _commit(store)
            return wall(lambda: push(store, objects, url))

        return [one() for _ in range(EACH // PER_PUSH)], objects.count


def _require_all(home: Path, url: str) -> None:
    """A fresh machine of this user has everything."""
    _pull_fresh(home / "again", home / "keys", url)
    with Repository.open(home / "again", key_folder=home / "keys") as store:
        found = store.entries(kind="checkpoint")
        assert len(found) == EACH, len(found)
        assert all(store.get(entry.roots[0]) for entry in found)


class Counted:
    """Objects, and how many requests were made of them."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.count = 0

    def __getattr__(self, name: str) -> Any:
        self.count += name != "place"
        return getattr(self._objects, name)


def new_machine(folder: Path) -> list[Row]:
    """The same store on an empty disk again: with restic, with rclone, with a pull."""
    with served(folder / "server") as server:
        parts = fill(folder, BIG)
        url, objects = place(server)
        with open_store(folder) as store:
            push(store, objects, url)
        rows = []
        for name, prepare in PEERS.items():
            tool = find(name.split()[0])
            if tool is None:
                print(f"{name} is not there: its row is left out", file=sys.stderr)
                continue
            fetch = prepare(tool, server, folder / "store/segments", lambda: _fresh(folder))
            ours, theirs = side_by_side(
                lambda: wall(lambda: _pull_fresh(_fresh(folder), folder / "keys", url)),
                lambda fetch=fetch: wall(fetch),
                3,
            )
            figures = f"{ours:.2f} s against {theirs:.2f} s, {len(parts) * PART >> 20} MB"
            rows.append(at_most("pull on an empty machine", name, ours / theirs, 1, figures))
    return rows


def resumed(folder: Path) -> list[Row]:
    """The work of one machine goes on at an empty one: the command brings the histories, starts a
    kernel and loads its last state, whose variables are compared. restic and rclone bring the same
    bytes, and start nothing."""
    with served(folder / "server") as server:
        url, _ = place(server)
        work = Work(folder / "home", url, BIG)
        rows = []
        for name, prepare in PEERS.items():
            tool = find(name.split()[0])
            if tool is None:
                continue
            fetch = prepare(tool, server, work.segments, lambda: _fresh(folder))
            ours, theirs = side_by_side(work.resume, lambda fetch=fetch: wall(fetch), 3)
            figures = f"{ours:.2f} s against {theirs:.2f} s, {BIG >> 20} MB of variables"
            rows.append(
                at_most(
                    "`resume` on an empty machine, variables in a kernel that answers",
                    f"{name}, which starts none; no bar", ours / theirs, float("inf"), figures,
                )
            )  # fmt: skip
    return rows


PARTS: dict[str, Callable[[Path], list[Row]]] = {
    "transfer": transfer,
    "checkpoints": checkpoints,
    "new-machine": new_machine,
    "resume": resumed,
    "growth": growth,
    "users": users,
}
