"""A quota over all that a store keeps: checkpoints, states of kernels and process images."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.kernels.archive import Archive
from jupyter_rewind.kernels.hosting.process import FOLDER
from jupyter_rewind.kernels.images.records import (
    IMAGE,
    IMAGE_MARK,
    decode_image,
    image_body,
    image_keys,
    mark_key,
)
from jupyter_rewind.kernels.images.storing import load_folder, store_folder
from jupyter_rewind.model.execution import RUN, run_key
from jupyter_rewind.model.ids import Digest, EntryId, RunId
from jupyter_rewind.model.image import ImageId, ProcessImage
from jupyter_rewind.model.snapshot import Snapshot
from jupyter_rewind.quota import Kept, Room, keep_quota
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.workspace import Workspace
from tests.images.test_storing import PAGE, write_image
from tests.support.cells import Cells
from tests.test_quota import HOUR_NS, Turned, disk_bytes, kept, rewind, write

ROUNDS = 6


class Given:
    """What a store was given, oldest first: of each kind, one in each round."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoints: list[str] = []
        self.states: list[Snapshot] = []
        self.images: list[EntryId] = []
        self.memory = {page: os.urandom(PAGE) for page in range(100)}
        self._roots: tuple[Digest, ...] = ()
        cells = Cells(folder, run="first")
        _begin(cells, "first")
        cells.run("import numpy as np")
        with Workspace.open(rewind(folder)) as workspace:
            for number in range(ROUNDS):
                self.checkpoints.append(write(workspace, folder / "a.ipynb", number))
                source = f"x = np.random.default_rng({number}).bytes(60_000)"
                self.states.append(cells.run(source))
                self._image(workspace.repository, number)
        cells.close()

    def _image(self, repository: Repository, number: int) -> None:
        """Of all of the memory with the first, then of what has changed in it."""
        self.memory |= {page: os.urandom(PAGE) for page in range(number * 15, number * 15 + 15)}
        source = self.folder / f"image-{number}"
        write_image(source, self.memory)
        name, self._roots = keep_image(repository, source, before=self._roots)
        self.images.append(name)


def keep_image(
    repository: Repository, folder: Path, *, kernel: str = "k", before: tuple[Digest, ...] = ()
) -> tuple[EntryId, tuple[Digest, ...]]:
    """An image of a kernel of one notebook is in the store, made now."""
    image = ProcessImage(
        ImageId("unused"), kernel, "python3", "/a.ipynb", clock.now_ns(), 0, 1, "b", "4.2",
        "asked", 1, 1,
    )  # fmt: skip
    with repository.transaction() as tx:
        stored = store_folder(repository, tx, folder, before)
        keys = image_keys(kernel, "/a.ipynb")
        entry = tx.add(IMAGE, keys=keys, body=image_body(image), roots=stored.roots)
    return entry.id, stored.roots


def _begin(cells: Cells, run: str) -> None:
    """A run that has ended, of a machine that is not this one."""
    with cells.store.block() as block:
        body = {
            "format": 1, "phase": "begin", "run": run, "kernel": "k", "connection": "",
            "pid": 0, "host": "elsewhere", "boot": "", "python": "", "executable": "",
            "path": "/a.ipynb", "started_ns": 1,
        }  # fmt: skip
        block.add(RUN, keys=[run_key(run)], body=body)


def images(repository: Repository) -> list[EntryId]:
    return [entry.id for entry in repository.entries(kind=IMAGE)]


def states(repository: Repository) -> list[str]:
    return [str(one.id) for one in Archive(repository).snapshots(RunId("first"))]


def shorten_to(workspace: Workspace, hands: Turned) -> Kept:
    """What is told first, and done an hour later."""
    told = keep_quota(workspace)
    assert told is not None and told.allowance.room is Room.OVER and not told.states
    hands.ahead_ns += HOUR_NS
    done = keep_quota(workspace)
    assert done is not None
    return done


@pytest.fixture
def hands() -> Iterator[Turned]:
    hands = Turned()
    with clock.use(hands):
        yield hands


def test_the_oldest_go_of_whatever_kind(tmp_path: Path, hands: Turned) -> None:
    """Checkpoints, states and images expire in the order in which they were made, and what is
    left of each comes back whole."""
    given = Given(tmp_path)
    quota = disk_bytes(tmp_path) * 3 // 4
    with Workspace.open(rewind(tmp_path, f"{quota // 1000} kB")) as workspace:
        done = shorten_to(workspace, hands)
        assert done.allowance.room is Room.WITHIN and disk_bytes(tmp_path) <= quota
        repository = workspace.repository
        left = {
            "checkpoints": kept(workspace, tmp_path / "a.ipynb"),
            "states": states(repository)[-ROUNDS:],
            "images": images(repository),
        }
        assert left["checkpoints"] == given.checkpoints[-len(left["checkpoints"]) :]
        assert left["states"] == [str(one.id) for one in given.states[-len(left["states"]) :]]
        assert left["images"] == given.images[-len(left["images"]) :]
        counts = [len(each) for each in left.values()]
        assert 0 < min(counts) <= max(counts) < ROUNDS and max(counts) - min(counts) <= 1
        assert done.states >= 2 * ROUNDS - len(left["states"]) - len(left["images"])
        assert workspace.verify(read_data=True).ok
        target = tmp_path / "again"
        target.mkdir()
        entry = repository.entries(kind=IMAGE, newest_first=True, limit=1)[0]
        load_folder(repository, entry.roots, target)
        for path in target.iterdir():
            assert path.read_bytes() == (tmp_path / f"image-{ROUNDS - 1}" / path.name).read_bytes()
    cells = Cells(tmp_path, run="second")
    for number in range(ROUNDS - len(left["states"]), ROUNDS):
        cells.go(given.states[number])
        cells.check(f"x == np.random.default_rng({number}).bytes(60_000)")
    cells.close()


def test_of_each_kind_the_newest_and_what_has_a_name_stay(tmp_path: Path, hands: Turned) -> None:
    """Whatever the quota: the newest state of the last run, a notebook's newest image, and those
    with a label or a pin."""
    given = Given(tmp_path)
    with Workspace.open(rewind(tmp_path, "1 kB")) as workspace:
        repository = workspace.repository
        Archive(repository).label(given.states[1], "good")
        with repository.transaction() as tx:
            key = mark_key(ImageId(given.images[2]))
            tx.add(IMAGE_MARK, keys=[key], body={"image": given.images[2], "pin": True})
        done = shorten_to(workspace, hands)
        assert done.allowance.room is Room.OVER
        assert kept(workspace, tmp_path / "a.ipynb") == given.checkpoints[-1:]
        assert states(repository) == [str(given.states[1].id), str(given.states[-1].id)]
        assert images(repository) == [given.images[2], given.images[-1]]
        marks = repository.entries(kind=IMAGE_MARK, key=mark_key(ImageId(given.images[2])))
        found = repository.entries(kind=IMAGE)[0]
        assert decode_image(found, marks).pinned
        again = keep_quota(workspace)
        assert again is not None and not again.states
        assert workspace.verify(read_data=True).ok


def test_images_of_kernels_that_are_gone_take_no_room_for_ever(
    tmp_path: Path, hands: Turned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many kernels that a notebook had, the last one's image stays, and that of a kernel which
    a server still has, as one that sleeps."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    (tmp_path / "runtime" / FOLDER / "kernel-1").mkdir(parents=True)
    with Workspace.open(rewind(tmp_path, "1 kB")) as workspace:
        made = []
        for number in range(4):
            source = tmp_path / f"image-{number}"
            write_image(source, {page: os.urandom(PAGE) for page in range(5)})
            name, _ = keep_image(workspace.repository, source, kernel=f"kernel-{number}")
            made.append(name)
        shorten_to(workspace, hands)
        assert images(workspace.repository) == [made[1], made[3]]


WITHOUT_FORK = """
import asyncio, importlib.abc, os, sys, typer
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "fcntl":
            raise ImportError("there is no fcntl")
sys.meta_path.insert(0, Missing())
sys.modules.pop("fcntl", None)
del os.fork
from jupyter_rewind.faces.cli.start import main
sys.argv = ["jupyter-rewind", *sys.argv[1:]]
sys.exit(main())
"""


def test_a_quota_is_kept_where_no_kernel_can_be_hosted(tmp_path: Path) -> None:
    """A system without fork has no kernel host; what is too much expires there all the same."""
    settings = rewind(tmp_path)
    with Workspace.open(settings) as workspace:
        for number in range(8):
            write(workspace, tmp_path / "a.ipynb", number)
    names = {"store.path": settings.store_path, "store.key_folder": settings.store_key_folder}
    given = [f"{name}={value}" for name, value in {**names, "store.quota": "200KB"}.items()]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_FORK]
        + [word for each in given for word in ("--set", each)]
        + ["expire", "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(tmp_path)},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"]["quota"]["expired"] > 0
