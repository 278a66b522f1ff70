"""Where an image's files lie while somebody works with them."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_rewind.kernels.hosting import keeper
from jupyter_rewind.kernels.hosting.record import Place
from jupyter_rewind.kernels.images import inmemory
from tests.support.criu import require_criu
from tests.support.imaged import NOTEBOOK, Imaged

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="images are Linux's")
MB = 1 << 20
MEMORY = Path(keeper.MEMORY)


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., Path]:
    """The system's own files of a machine with so many free megabytes, and with limits."""

    def make(free: int, kind: str = "tmpfs", cgroup: str = "0::/", **limits: str) -> Path:
        told = {
            "proc/self/mounts": f"proc /proc proc rw 0 0\nshm /dev/shm {kind} rw 0 0\n",
            "proc/self/cgroup": f"{cgroup}\n",
            "proc/meminfo": f"MemTotal: 99999999 kB\nMemAvailable: {free << 10} kB\n",
            **limits,
        }
        (tmp_path / "dev/shm").mkdir(parents=True)
        for name, text in told.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return make


def limited(base: str, most: str, taken: str, cached: str) -> dict[str, str]:
    return {
        f"{base}/{most}": f"{1000 * MB}\n",
        f"{base}/{taken}": f"{900 * MB}\n",
        f"{base}/memory.stat": f"anon 5\n{cached} {500 * MB}\n",
    }


def test_there_must_be_room_for_twice_as_much_and_some_more(machine: Callable[..., Path]) -> None:
    """256 MB are left alone."""
    root = machine(free=456)
    assert inmemory.has_room(100 * MB, root)
    assert not inmemory.has_room(101 * MB, root)


@pytest.mark.parametrize(
    ("cgroup", "limits"),
    [
        (
            "0::/a/b",
            limited("sys/fs/cgroup/a", *inmemory._V2) | {"sys/fs/cgroup/a/b/memory.max": "max\n"},
        ),
        (
            "4:cpu,memory:/a/b\n0::/",
            limited("sys/fs/cgroup/memory/a", *inmemory._V1),
        ),
    ],
)
def test_below_the_limit_of_a_container_too(
    machine: Callable[..., Path], cgroup: str, limits: dict[str, str]
) -> None:
    """Of a group of processes that this one is in; what only caches files is free."""
    root = machine(free=99999, cgroup=cgroup, **limits)
    assert inmemory.has_room(172 * MB, root)
    assert not inmemory.has_room(173 * MB, root)


def test_not_where_a_disk_or_nothing_is_in_its_place(
    machine: Callable[..., Path], tmp_path: Path
) -> None:
    assert not inmemory.has_room(1, tmp_path)
    assert not inmemory.has_room(1, machine(free=9999, kind="ext4"))


@pytest.fixture
def link(tmp_path: Path) -> Iterator[Path]:
    """What names a folder in memory, of somebody who was killed."""
    place = Place(tmp_path / "kernel.json", "kernel")
    place.make()
    found = place.folder / f"{keeper.SCRATCH}{secrets.token_hex(8)}"
    folder = inmemory.make_folder(found)
    (folder / "pages-1.img").write_text("secret")
    yield found
    for each in folder.glob("*"):
        each.unlink()
    if folder.exists():
        folder.rmdir()


@pytest.mark.parametrize("by", ["sweep", "clear"])
def test_what_lies_in_memory_is_removed_with_what_names_it(link: Path, by: str) -> None:
    """By whoever is next, and when the kernel's folder goes."""
    folder = link.resolve()
    assert folder.parent == MEMORY
    assert folder.stat().st_mode & 0o077 == 0
    place = Place(link.parent.parent.parent / "kernel.json", "kernel")
    getattr(place, by)()
    assert not folder.exists()
    assert not os.path.lexists(link)


def test_no_link_leads_anywhere_else(tmp_path: Path) -> None:
    """It goes, and what it leads to stays."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine").write_text("1")
    kernel = tmp_path / "kernel"
    kernel.mkdir()
    (kernel / f"{keeper.SCRATCH}1").symlink_to(other)
    folder = os.open(kernel, os.O_RDONLY)
    keeper.sweep(folder)
    os.close(folder)
    assert (other / "mine").exists()
    assert not list(kernel.iterdir())


@pytest.mark.images
def test_images_of_an_encrypted_store_are_on_no_disk(
    start: Callable[..., Imaged], tmp_path: Path
) -> None:
    """Made, brought back, woken: CRIU reads and writes in memory, and nothing is left there."""
    script, used = tmp_path / "watched", tmp_path / "used"
    script.write_text(
        f'#!/bin/sh\nCRIU={require_criu().path}; all="$*"\n'
        f'while [ -n "$1" ]; do [ "$1" = --images-dir ] && echo "$2" >> {used}; shift; done\n'
        "exec $CRIU $all\n"
    )
    script.chmod(0o755)
    imaged = start(criu=str(script), JUPYTER_REWIND_STORE_ENCRYPT="true")
    imaged.run("x = 1")
    first = imaged.command("create", NOTEBOOK)["image"]["id"]
    imaged.command("restore", NOTEBOOK, first)
    imaged.command("create", NOTEBOOK, "--stop")
    imaged.command("restore", NOTEBOOK, "head")
    assert imaged.run("print(x)") == "1\n"
    folders = {Path(line) for line in used.read_text().splitlines()}
    assert len(folders) == 5
    assert all(each.parent == MEMORY and not each.exists() for each in folders)
    assert not list(imaged.place.folder.glob(f"{keeper.SCRATCH}*"))
