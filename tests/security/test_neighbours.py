"""Another user of the same machine: what he can read, write and find out. He is a real one."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_rewind.errors import Denied, NotFound
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.indexfile import make_own_folder
from jupyter_rewind.store.keyfiles import export_key
from jupyter_rewind.store.replica.folder import FolderObjects
from jupyter_rewind.store.replica.push import push
from jupyter_rewind.store.repository import Repository
from tests.notebooks.support import make_notebook, open_store, save
from tests.support.processes import anybodys_folder, run_unprivileged
from tests.support.stores import QuickFiles

pytestmark = pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root to act as another user"
)


@pytest.fixture
def home() -> Iterator[Path]:
    """A home that all may enter, with a store, an exported key and a replica in a folder; made
    with the mask that keeps nobody out."""
    before = os.umask(0)
    try:
        with anybodys_folder() as folder:
            (folder / "replica").mkdir(mode=0o777)
            with open_store(folder) as repository:
                save(Histories(repository), folder / "a.ipynb", make_notebook("the secret work"))
                export_key(repository.layout, folder / "paper.txt", QuickFiles())
                push(repository, FolderObjects(folder / "replica"), "file://x")
            yield folder
    finally:
        os.umask(before)


def files_of(home: Path) -> list[Path]:
    """All that Rewind has written there, but the notebook and the folder of the replica."""
    own = {home / "a.ipynb", home / "replica"}
    return [path for path in home.rglob("*") if path not in own]


def fails(work: Callable[[], object]) -> bool:
    try:
        work()
    except PermissionError:
        return True
    return False


def test_nothing_is_open_to_others_whatever_the_mask(home: Path) -> None:
    """Store, keys, exported key, replica: no bit for group and others on any file, and none on
    the folders that hold them."""
    found = files_of(home)
    assert {"config", "paper.txt", "rewind-replica"} <= {path.name for path in found}
    for path in found:
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_file():
            assert mode & 0o077 == 0, (path, oct(mode))
    for folder in (home / "store", home / "store" / "segments"):
        assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0, folder


def test_another_user_reads_and_changes_nothing(home: Path) -> None:
    """Every file that Rewind wrote, tried one by one by another user's process."""
    found = [path for path in files_of(home) if path.is_file()]

    def try_all() -> None:
        assert os.getuid() != 0
        for path in found:
            assert fails(path.read_bytes), path
            assert fails(lambda path=path: path.write_bytes(b"")), path  # type: ignore[misc]
        assert fails(lambda: os.listdir(home / "store"))
        assert fails(lambda: (home / "store" / "new").write_bytes(b""))

    run_unprivileged(try_all)


def test_another_user_cannot_open_the_store(home: Path) -> None:
    """He is told that he may not, and not that there is none."""

    def try_it() -> None:
        with pytest.raises(Denied):
            Repository.open(home / "store", key_folder=home / "keys", create=False)

    run_unprivileged(try_it)


def test_an_index_is_never_put_where_others_can_write(tmp_path: Path) -> None:
    """Where the home lies on a network, the index goes to a folder that all may write to. One
    that somebody else made there first, a link, or one that is open to others is not used."""
    assert make_own_folder(tmp_path / "mine")
    assert make_own_folder(tmp_path / "mine")
    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == 0o700
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "theirs").mkdir(mode=0o700)
    os.chown(tmp_path / "theirs", 65534, 65534)
    for name in ("link", "open", "theirs"):
        assert not make_own_folder(tmp_path / name), name


def test_with_a_poisoned_place_the_index_stays_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store works all the same, and nothing is written where the other user waits."""
    name = f"tests-{os.getpid()}"
    monkeypatch.setattr("jupyter_rewind.store.repository.clock.user", lambda: name)
    monkeypatch.setattr("jupyter_rewind.store.repository.is_network", lambda path: True)
    trap = Path("/var/tmp") / f"rewind-{name}"
    trap.mkdir()
    trap.chmod(0o777)
    try:
        with open_store(tmp_path) as repository:
            histories = Histories(repository)
            save(histories, tmp_path / "a.ipynb", make_notebook("1"))
            assert histories.checkpoints(str(tmp_path / "a.ipynb"))
            with repository.index() as index:
                assert index.path is None
        assert list(trap.iterdir()) == []
    finally:
        trap.rmdir()


def test_a_replica_that_another_user_put_there_is_refused(home: Path) -> None:
    """Whoever can write to the folder of a replica can put another one in its place: the next
    push does not take it for this store's."""
    with open_store(home) as repository:
        place = FolderObjects(home / "replica")
        text = place.get("rewind-replica").replace(repository.store_id.encode(), b"0" * 32)
        (home / "replica" / "rewind-replica").write_bytes(text)
        from jupyter_rewind.errors import Conflict

        with pytest.raises(Conflict, match="holds another store"):
            push(repository, place, "file://x")


def test_what_is_not_there_is_not_denied(tmp_path: Path) -> None:
    """The words for a store that may not be read and for none differ."""
    with pytest.raises(NotFound):
        Repository.open(tmp_path / "none", key_folder=tmp_path / "keys", create=False)
