"""Process images travel with the store: to a replica, and from it to a machine that has nothing."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from jupyter_rewind.kernels.hosting.record import Place
from tests.support.imaged import NOTEBOOK, Imaged, run_in
from tests.support.kernels import eventually

pytestmark = pytest.mark.images


def test_an_image_comes_back_from_a_replica_on_a_new_machine(imaged: Imaged) -> None:
    """With the key and the replica's address alone, the newest image and the one before it; what
    the second costs there is what changed."""
    mount = imaged.home.folder / "mount"
    mount.mkdir()
    imaged.run("import os\nblock = os.urandom(8 << 20)\nnumbers = iter(range(9)); next(numbers)")
    first = imaged.command("create", NOTEBOOK)["image"]["id"]
    imaged.rewind("replica", "add", mount.as_uri(), "--encrypt")
    imaged.rewind("replica", "push")
    before = _size(mount)
    imaged.run("next(numbers); marked = True")
    second = imaged.command("create", NOTEBOOK)["image"]["id"]
    imaged.rewind("replica", "push")
    assert _size(mount) - before < before / 2
    hosted = imaged.place.read()
    assert hosted is not None
    imaged.server.stop()
    if hosted.process.is_alive:
        os.kill(hosted.process.pid, signal.SIGKILL)
    eventually(lambda: not hosted.process.is_alive, "the kernel is gone")

    other = imaged.home.folder / "other"
    machine = {f"JUPYTER_{name}_DIR": str(other / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    shutil.copytree(imaged.home.folder / "config" / "rewind-keys", other / "CONFIG" / "rewind-keys")
    for name in ("data", "config", "runtime"):
        shutil.rmtree(imaged.home.folder / name)
    machine["JUPYTER_REWIND_REPLICA_URL"] = mount.as_uri()
    imaged.rewind("replica", "pull", **machine)
    shutil.rmtree(mount)
    listed = imaged.command("list", **machine)["images"]
    assert [each["id"] for each in listed] == [second, first]
    connection = other / "RUNTIME" / imaged.connection.name
    for image, said in ((second, "2 True\n"), (first, "1 False\n")):
        imaged.command("restore", imaged.kernel, image, **machine)
        assert run_in(connection, "print(next(numbers), 'marked' in globals())") == said
    found = Place(connection, imaged.kernel).read()
    assert found is not None
    os.kill(found.process.pid, signal.SIGKILL)


def _size(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
