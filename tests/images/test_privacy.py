"""Images hold memory: whoever does not own them neither lists nor restores them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.errors import Storage, Unavailable
from jupyter_rewind.kernels.hosting.record import Place, places
from jupyter_rewind.kernels.hosting.rooms import ask_keeper
from jupyter_rewind.kernels.images.imaging import ProcessImages
from jupyter_rewind.settings import Rewind
from jupyter_rewind.store.repository import Repository
from tests.support.imaged import NOTEBOOK, Imaged
from tests.support.kernels import Home
from tests.support.processes import anybodys_folder, run_unprivileged

pytestmark = [
    pytest.mark.images,
    pytest.mark.skipif(
        not hasattr(os, "geteuid") or os.geteuid() != 0,
        reason="only root can become a second user",
    ),
]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home that others can reach: what keeps them out is Rewind's own."""
    with anybodys_folder() as folder:
        yield Home(folder)
        for place in places(folder / "runtime"):
            hosted = place.read()
            if hosted is not None and hosted.is_alive:
                os.kill(hosted.process.pid, signal.SIGKILL)


def test_a_second_user_neither_lists_nor_restores_nor_reads_an_image(imaged: Imaged) -> None:
    """Not through the store, not through the kernel's folder, not through its keeper."""
    secret = os.urandom(16).hex()
    imaged.run(f"secret = {secret!r}")
    made = imaged.command("create", NOTEBOOK)["image"]["id"]
    runtime, store = imaged.home.folder / "runtime", imaged.home.folder / "data" / "rewind"
    keys = imaged.home.folder / "config" / "rewind-keys"
    with Repository.open(store, key_folder=keys, create=False) as repository:
        assert [each.id for each in ProcessImages(repository, Rewind(), runtime).all()] == [made]
    for folder in (imaged.home.folder / "config", imaged.home.folder / "data", runtime):
        folder.chmod(0o755)  # as open as a careless umask leaves them
    place = Place(runtime / "kernel.json", imaged.kernel)

    def intrude() -> None:
        assert os.geteuid() != 0
        with pytest.raises(Storage):
            Repository.open(store, key_folder=keys, create=False)
        for path in (store, place.folder, place.folder.parent):
            with pytest.raises(PermissionError):
                os.listdir(path)
        with pytest.raises(Unavailable):
            ask_keeper(place.folder, "end", {})
        with pytest.raises(PermissionError):
            imaged.connection.read_bytes()

    run_unprivileged(intrude)
    assert imaged.run("print(secret)") == f"{secret}\n"
