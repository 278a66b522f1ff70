"""Disks are told from others, or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_rewind.store import disks
from jupyter_rewind.store.disks import name_disk


def test_a_disk_has_one_name_wherever_it_is_asked_for(tmp_path: Path) -> None:
    """Deeper folders, and links from elsewhere, lie on the same disk."""
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "link").symlink_to(deep)
    assert name_disk(str(deep)) == name_disk(str(tmp_path)) == name_disk(str(tmp_path / "link"))


def test_other_file_systems_have_other_names(tmp_path: Path) -> None:
    """Where another one is mounted that tells a name."""
    other = "/dev/shm"
    if not os.path.isdir(other) or os.stat(other).st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    named = {name_disk(other), name_disk(str(tmp_path))}
    assert len(named) == 2 or named == {""}


def test_what_is_not_there_has_no_name(tmp_path: Path) -> None:
    assert name_disk(str(tmp_path / "nothing")) == ""


@pytest.fixture(params=["zero", "device", "encoded"])
def without_identity(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that says nothing, or only its device's number."""

    def statvfs(path: str) -> SimpleNamespace:
        device = os.stat(path).st_dev
        encoded = (os.minor(device) & 0xFF) | (os.major(device) << 8)
        return SimpleNamespace(
            f_fsid={"zero": 0, "device": device, "encoded": encoded}[request.param]
        )

    monkeypatch.setattr(os, "statvfs", statvfs)


@pytest.mark.usefixtures("without_identity")
@pytest.mark.parametrize("born", [None, 0, 1_700_000_000_000_000_000])
def test_a_number_of_a_device_is_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, born: int | None
) -> None:
    """Then the birth of its root folder names it, and nothing where that is unknown."""
    asked = []

    def read_birth(descriptor: int, status: os.stat_result) -> int | None:
        asked.append(status.st_ino)
        return born

    monkeypatch.setattr(disks, "read_birth", read_birth)
    root = tmp_path
    while root.parent != root and root.parent.stat().st_dev == tmp_path.stat().st_dev:
        root = root.parent
    found = name_disk(str(tmp_path))
    assert asked == [root.stat().st_ino]
    assert found == (f"r{root.stat().st_ino:x}.{born:x}" if born else "")
