"""Which images belong to a notebook or a kernel, and which kernels there are; no CRIU is asked."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import Integrity, NotFound
from jupyter_rewind.kernels.hosting.process import find_process
from jupyter_rewind.kernels.hosting.record import Hosted, HostedSession, Place
from jupyter_rewind.kernels.images.imaging import ProcessImages
from jupyter_rewind.kernels.images.listing import notebook
from jupyter_rewind.lineage import images_of_notebook
from jupyter_rewind.model.image import IDLE, IMPORTED, ProcessImage
from jupyter_rewind.notebooks.bindings import Bindings
from jupyter_rewind.settings import Rewind
from jupyter_rewind.store import locks
from jupyter_rewind.store.repository import Repository
from tests.support.processimages import add_image


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    with Repository.open(tmp_path / "store", key_folder=tmp_path / "keys", create=True) as found:
        yield found


@pytest.fixture
def images(repository: Repository, tmp_path: Path) -> ProcessImages:
    of_notebook = partial(images_of_notebook, repository)
    return ProcessImages(repository, Rewind(), tmp_path / "runtime", of_notebook)


def ids(found: list[ProcessImage]) -> list[str]:
    return [each.id for each in found]


def test_images_go_along_when_their_notebook_is_renamed(
    repository: Repository, images: ProcessImages, tmp_path: Path
) -> None:
    """Its new name has them all; another notebook that gets the old name has its own alone."""
    old, new = str(tmp_path / "Untitled.ipynb"), str(tmp_path / "analysis.ipynb")
    bindings = Bindings(repository)
    first, second = bindings.name_new(old), bindings.name_new(str(tmp_path))
    with repository.transaction() as tx:
        bindings.bind(tx, old, first, "created")
    before = add_image(repository, "k1", old)
    with repository.transaction() as tx:
        bindings.move(tx, old, new, first)
    after = add_image(repository, "k1", new)
    assert ids(images.of(new)) == [before.id, after.id]
    with pytest.raises(NotFound):
        images.of(old)
    with repository.transaction() as tx:
        bindings.bind(tx, old, second, "created")
    other = add_image(repository, "k2", old)
    assert ids(images.of(old)) == [other.id]
    assert ids(images.of(new)) == ids(images.of("k1")) == [before.id, after.id]


def test_a_notebook_reached_through_a_link_is_the_same(
    repository: Repository, images: ProcessImages, tmp_path: Path
) -> None:
    """Also where the whole served folder is."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    hosted = living(tmp_path, "k1", root=tmp_path / "link")
    assert notebook(hosted) == str(tmp_path / "real" / "a.ipynb")
    made = add_image(repository, "k1", notebook(hosted))
    for folder in ("real", "link"):
        assert ids(images.of(str(tmp_path / folder / "a.ipynb"))) == [made.id]


def test_what_a_kernel_sleeps_in_was_made_here(
    repository: Repository, images: ProcessImages
) -> None:
    """An image of it that was taken in meanwhile is newer, and another state."""
    slept = add_image(repository, "k1", "", reason=IDLE)
    add_image(repository, "k1", "", reason=IMPORTED)
    assert images.asleep_in("k1").id == slept.id
    with pytest.raises(NotFound):
        images.asleep_in("k2")


def living(folder: Path, kernel: str, root: Path | None = None) -> Hosted:
    """The record of a kernel in a room, whose keeper this process stands for."""
    mark = find_process(os.getpid())
    assert mark is not None
    connection = folder / "runtime" / f"kernel-{kernel}.json"
    hosted = Hosted(
        kernel=kernel, name="python3", process=mark, boot=clock.boot_id(), root=str(root or folder),
        cwd=str(folder), connection=str(connection), has_room=True,
        session=HostedSession("s", "a.ipynb", "a.ipynb", "notebook"),
    )  # fmt: skip
    place = Place(connection, kernel)
    connection.parent.mkdir(exist_ok=True)
    place.make()
    place.write(hosted)
    return hosted


@pytest.mark.skipif(sys.platform != "linux", reason="hosted kernels need Linux")
def test_a_damaged_record_costs_its_kernel_alone(
    repository: Repository, images: ProcessImages, tmp_path: Path
) -> None:
    """The others are there; of the one, it is told what is the matter, and no image of it is
    deleted, for it may sleep in that very one."""
    good = living(tmp_path, "good")
    living(tmp_path, "bad")
    (tmp_path / "runtime" / "rewind-host" / "bad" / "record.json").write_text("{")
    assert images.kernels() == [good]
    assert images.find_kernel("good") == good
    with pytest.raises(Integrity):
        images.find_kernel("bad")
    kept = add_image(repository, "bad", "")
    with pytest.raises(Integrity):
        images.delete(kept)
    assert ids(images.of("bad")) == [kept.id]


def test_where_old_images_cannot_go_what_was_asked_for_is_done_all_the_same(
    repository: Repository,
    images: ProcessImages,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """On a file system without locks nothing is removed; the log says so."""

    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    made = [add_image(repository, "k1", "") for _ in range(7)]
    with monkeypatch.context() as patched:
        calls = locks._system_calls(unsupported, (1, 2), 8)
        patched.setattr(locks, "_calls", lambda: calls)
        images._expire("k1")
    assert "still there" in caplog.text and "no working locks" in caplog.text
    assert ids(images.of_kernel("k1")) == ids(made)
    images._expire("k1")
    assert ids(images.of_kernel("k1")) == ids(made[-5:])
