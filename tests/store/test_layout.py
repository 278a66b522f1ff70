"""Where a store lies, who may read it, and what is refused."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_rewind.errors import Denied, Format, Integrity, Newer, NotFound, Unavailable
from jupyter_rewind.store.disks import is_network
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.layout import Layout, key_path, open_layout
from jupyter_rewind.store.repository import Repository
from tests.support.processes import anybodys_folder, run_unprivileged


def _open(folder: Path, *, create: bool = True) -> Layout:
    return open_layout(folder / "store", folder / "keys", Files(), create=create)


def _filled(folder: Path) -> Layout:
    with Repository.open(folder / "store", key_folder=folder / "keys") as repository:
        with repository.transaction() as tx:
            tx.add("note", keys=["k"], body={})
        return repository.layout


def test_a_store_and_its_key_are_for_their_owner_alone(tmp_path: Path) -> None:
    layout = _filled(tmp_path)
    key = key_path(tmp_path / "keys", layout.store_id)
    for path in [layout.folder, layout.segments, layout.locks, tmp_path / "keys"]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in [key, layout.folder / "config", *layout.folder.rglob("*")]:
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_opening_again_gives_the_same_store(tmp_path: Path) -> None:
    assert _open(tmp_path) == _open(tmp_path)


def test_looking_makes_no_store(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        _open(tmp_path, create=False)
    assert not any(tmp_path.iterdir())


def test_a_missing_key_is_not_an_empty_store(tmp_path: Path) -> None:
    layout = _filled(tmp_path)
    key_path(tmp_path / "keys", layout.store_id).unlink()
    with pytest.raises(Denied) as caught:
        Repository.open(tmp_path / "store", key_folder=tmp_path / "keys")
    assert caught.value.code == "no_key"


@pytest.mark.parametrize("key", [b"x" * 32, b"short", b""])
def test_a_wrong_key_is_not_an_empty_store(tmp_path: Path, key: bytes) -> None:
    layout = _filled(tmp_path)
    key_path(tmp_path / "keys", layout.store_id).write_bytes(key)
    with pytest.raises(Integrity):
        Repository.open(tmp_path / "store", key_folder=tmp_path / "keys")


@pytest.mark.parametrize("create", [True, False])
def test_a_lost_config_is_not_an_empty_store(tmp_path: Path, create: bool) -> None:
    """No new store is made among the records of the old one."""
    layout = _filled(tmp_path)
    (layout.folder / "config").unlink()
    with pytest.raises(Format, match="lost its config"):
        _open(tmp_path, create=create)
    assert not (layout.folder / "config").exists()


def test_a_folder_of_segments_that_went_away_is_not_an_empty_store(tmp_path: Path) -> None:
    """Such as when a disk is not mounted."""
    _filled(tmp_path)
    with Repository.open(tmp_path / "store", key_folder=tmp_path / "keys") as repository:
        (tmp_path / "store" / "segments").rename(tmp_path / "elsewhere")
        with pytest.raises(Unavailable):
            repository.refresh()
        (tmp_path / "elsewhere").rename(tmp_path / "store" / "segments")
        assert len(repository.entries()) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "\0" * 90])
def test_a_damaged_config_is_refused(tmp_path: Path, text: str) -> None:
    _filled(tmp_path)
    (tmp_path / "store" / "config").write_text(text)
    with pytest.raises(Format):
        _open(tmp_path)


def test_a_store_of_a_later_version_is_refused(tmp_path: Path) -> None:
    config = _filled(tmp_path).folder / "config"
    config.write_text(json.dumps({**json.loads(config.read_text()), "format": 3}))
    with pytest.raises(Newer, match="Upgrade"):
        _open(tmp_path)


def test_a_store_below_a_file_is_an_error_in_our_words(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(Unavailable):
        _open(tmp_path)


def test_a_folder_that_cannot_be_looked_into_is_not_a_missing_store() -> None:
    with anybodys_folder() as folder:
        _filled(folder)
        folder.chmod(0o000)

        def child() -> None:
            with pytest.raises(Denied):
                _open(folder, create=False)

        try:
            run_unprivileged(child)
        finally:
            folder.chmod(0o700)


@pytest.mark.parametrize("links", [True, False])
def test_processes_that_make_a_store_at_once_make_one(tmp_path: Path, links: bool) -> None:
    """Also where the file system knows no hard links."""
    code = (
        "import sys; from pathlib import Path\n"
        "from jupyter_rewind.store.durable import Files\n"
        "from jupyter_rewind.store.repository import Repository\n"
        "def no(self, a, b): raise PermissionError(1, 'no')\n"
        f"if not {links}: Files.link = no\n"
        "sys.stdin.readline()\n"
        "f = Path(sys.argv[1])\n"
        "with Repository.open(f / 'store', key_folder=f / 'keys') as r:\n"
        "    with r.transaction() as tx: tx.add('note', keys=[], body={})\n"
        "    print(r.store_id)\n"
    )
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(5)
    ]
    for maker in makers:
        assert maker.stdin is not None
        maker.stdin.write("\n")
        maker.stdin.flush()
    ids = {maker.communicate(timeout=60)[0].strip() for maker in makers}
    assert len(ids) == 1
    assert len(list((tmp_path / "keys").iterdir())) == 1
    with Repository.open(tmp_path / "store", key_folder=tmp_path / "keys") as repository:
        repository.refresh()
        assert len(repository.entries()) == 5


MOUNTS = r"""
/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb1 /home/local ext4 rw 0 0
//nas/my\040share /mnt/my\040share cifs rw 0 0
me@host: /mnt/ssh fuse.sshfs rw 0 0
enc /mnt/enc fuse.gocryptfs rw 0 0
gpfs /gpfs gpfs rw 0 0
overlay /over overlay rw 0 0
strange line
"""


@pytest.mark.parametrize(
    ("path", "network"),
    [
        ("/var/lib", False),
        ("/home/ada/.local", True),
        ("/homestead", False),
        ("/home/local/x", False),
        ("/mnt/my share/store", True),
        ("/mnt/ssh/store", True),
        ("/mnt/enc/store", False),
        ("/gpfs", True),
        ("/over/x", False),
    ],
)
def test_network_file_systems_are_known_by_their_mounts(path: str, network: bool) -> None:
    """There, the index lies elsewhere: SQLite's locks do not hold."""
    assert is_network(Path(path), MOUNTS) is network


@pytest.mark.parametrize("how", ["missing", "another"])
def test_a_hint_about_the_key_is_a_whole_command(tmp_path: Path, how: str) -> None:
    """What it tells the user to type is accepted as it stands, but for the folder's name."""
    _filled(tmp_path)
    for key in (tmp_path / "keys").iterdir():
        if how == "missing":
            key.unlink()
        else:
            key.write_bytes(bytes(32))
    with pytest.raises((Denied, Integrity)) as caught:
        _open(tmp_path, create=False)
    assert "`jupyter rewind salvage --trust-foreign --into FOLDER`" in caught.value.hint
