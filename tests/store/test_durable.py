"""The only module that changes files keeps its word."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from jupyter_rewind.errors import Denied, Full, NotFound, Storage, Unavailable
from jupyter_rewind.store.durable import Files, read_at, read_text_or_empty, translate
from tests.support.processes import anybodys_folder, run_unprivileged


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, Full),
        (errno.EDQUOT, Full),
        (errno.EACCES, Denied),
        (errno.EROFS, Denied),
        (errno.ENOENT, NotFound),
        (errno.EIO, Unavailable),
        (errno.ESTALE, Unavailable),
    ],
)
def test_an_error_of_the_system_becomes_one_of_ours(number: int, kind: type[Exception]) -> None:
    """What the user can do about it decides the class."""
    error = translate(OSError(number, os.strerror(number)), "write to", "/nowhere/x")
    assert type(error) is kind
    assert "/nowhere/x" in str(error)


def test_a_replaced_file_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    """A restore changes the bytes of a notebook and nothing else."""
    real, link = tmp_path / "real.ipynb", tmp_path / "link.ipynb"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    Files().replace_file(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.ipynb", "real.ipynb"]


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """No byte of a notebook can be read by others for a moment."""
    Files().replace_file(tmp_path / "new", b"x")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


def test_the_longest_name_can_be_replaced(tmp_path: Path) -> None:
    """The temporary name is no longer than what file systems take."""
    path = tmp_path / ("ü" * 120 + ".ipynb")
    path.write_bytes(b"old")
    Files().replace_file(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_failed_swap_leaves_the_file_and_no_litter(tmp_path: Path) -> None:
    """When the rename fails, the notebook is as it was."""

    class Stuck(Files):
        def rename(self, source: Path, target: Path) -> None:
            raise Unavailable("no")

    path = tmp_path / "a.ipynb"
    path.write_bytes(b"old")
    with pytest.raises(Unavailable):
        Stuck().replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.ipynb"]


def test_only_one_publishes_a_name(tmp_path: Path) -> None:
    """The second hears that the name is taken, and its bytes stay out."""
    files, target = Files(), tmp_path / "config"
    one, two = files.write_new(target, b"one"), files.write_new(target, b"two")
    assert files.publish(one, target)
    assert not files.publish(two, target)
    assert target.read_bytes() == b"one"


def test_a_link_that_was_made_and_denied_counts(tmp_path: Path) -> None:
    """NFS may say "exists" of the link it has just made."""

    class Forgetful(Files):
        def link(self, source: Path, target: Path) -> None:
            super().link(source, target)
            raise FileExistsError(errno.EEXIST, "exists")

    files, target = Forgetful(), tmp_path / "config"
    assert files.publish(files.write_new(target, b"one"), target)
    assert [path.name for path in tmp_path.iterdir()] == ["config"]


@pytest.mark.parametrize("taken", [False, True])
def test_a_name_is_published_where_there_are_no_links(tmp_path: Path, taken: bool) -> None:
    """FAT and some shares know no hard links; a taken name stays all the same."""

    class Fat(Files):
        def link(self, source: Path, target: Path) -> None:
            raise PermissionError(errno.EPERM, "no links here")

    files, target = Fat(), tmp_path / "config"
    if taken:
        target.write_bytes(b"first")
    assert files.publish(files.write_new(target, b"mine"), target) is not taken
    assert target.read_bytes() == (b"first" if taken else b"mine")


def test_folders_are_made_with_their_parents(tmp_path: Path) -> None:
    """The innermost is private; each name is synced in its parent."""
    synced: list[Path] = []

    class Watched(Files):
        def sync_folder(self, path: Path) -> None:
            synced.append(path)
            super().sync_folder(path)

    folder = tmp_path / "a" / "b" / "c"
    Watched().make_folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {tmp_path, tmp_path / "a", tmp_path / "a" / "b"} <= set(synced)


def test_room_is_reserved_also_where_the_system_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File systems without fallocate get zeros written."""

    def unsupported(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "not here")

    monkeypatch.setattr(os, "posix_fallocate", unsupported)
    files, path = Files(), tmp_path / "x"
    descriptor = files.create(path)
    files.write_at(descriptor, [b"abc"], 0, path)
    files.reserve(descriptor, 3, 5000, path)
    assert read_at(descriptor, 6000, 0) == b"abc" + bytes(5000)
    files.close(descriptor)


def test_many_parts_land_one_after_the_other(tmp_path: Path) -> None:
    """Small and large parts alike."""
    files, path = Files(), tmp_path / "x"
    descriptor = files.create(path)
    parts: list[bytes | memoryview] = [b"a" * 10, memoryview(b"b" * (2 << 20)), b"c"]
    assert files.write_at(descriptor, parts, 5, path) == sum(map(len, parts))
    files.close(descriptor)
    assert path.read_bytes() == bytes(5) + b"".join(parts)


def test_an_existing_file_is_never_taken_for_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"here")
    with pytest.raises(Storage):
        Files().create(tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"here"


def test_removing_what_is_gone_is_no_error(tmp_path: Path) -> None:
    Files().remove(tmp_path / "never")


def test_a_folder_that_takes_no_files_is_said_to_deny() -> None:
    with anybodys_folder() as folder:
        folder.chmod(0o555)

        def child() -> None:
            with pytest.raises(Denied):
                Files().replace_file(folder / "x", b"")

        run_unprivileged(child)


def test_a_disk_that_takes_nothing_is_a_failure_and_no_endless_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that makes no headway ends with words."""
    path = tmp_path / "segment"
    descriptor = Files().create(path)
    with monkeypatch.context() as patch:
        patch.setattr("jupyter_rewind.store.durable._write", lambda *_: 0)
        with pytest.raises(Unavailable, match="nothing is taken"):
            Files().write_at(descriptor, [b"abc"], 0, path)
    os.close(descriptor)


@pytest.mark.skipif(
    not hasattr(os, "setxattr"), reason="Python reads extended attributes on Linux only"
)
def test_a_replaced_file_keeps_what_users_attached_to_it(tmp_path: Path) -> None:
    """Extended attributes of a file are those of its new bytes as well."""
    path = tmp_path / "a"
    path.write_bytes(b"old")
    try:
        os.setxattr(path, "user.rewind.test", b"mine")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    assert Files().replace_file(path, b"new") == ()
    assert path.read_bytes() == b"new"
    assert os.getxattr(path, "user.rewind.test") == b"mine"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="makes a file of another's")
def test_who_replaces_anothers_file_is_told_that_it_is_his_now() -> None:
    """In a folder that many may write, the bytes are new and the owner is."""
    with anybodys_folder() as folder:
        folder.chmod(0o777)
        path = folder / "a"
        path.write_bytes(b"old")
        path.chmod(0o666)

        def replace() -> None:
            assert Files().replace_file(path, b"new") == ("group", "owner")

        run_unprivileged(replace)
        assert path.read_bytes() == b"new"
        assert stat.S_IMODE(path.stat().st_mode) == 0o666


def test_a_small_file_that_is_no_text_is_no_fault(tmp_path: Path) -> None:
    """What was damaged in it says nothing; whoever asks goes on."""
    (tmp_path / "upkeep").write_bytes(b"17\xff")
    assert read_text_or_empty(tmp_path / "upkeep") == "17\ufffd"
    assert read_text_or_empty(tmp_path / "none") == ""


@pytest.mark.skipif(os.name == "nt", reason="files have no such owners there")
def test_what_root_makes_in_a_folder_of_a_users_is_that_users(tmp_path: Path) -> None:
    """With sudo, say; whoever is not root makes what is his own."""
    if os.geteuid() == 0:
        os.chown(tmp_path, 65534, 65534)
    files, path = Files(), tmp_path / "segment"
    files.close(files.create(path))
    files.replace_file(tmp_path / "note", b"x")
    assert {each.stat().st_uid for each in tmp_path.iterdir()} == {tmp_path.stat().st_uid}
