"""A replica on a share that is mounted when somebody goes in, and unmounted when nobody does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.store.replica.folder import FolderObjects
from tests.support import automount


@pytest.fixture
def share(tmp_path: Path) -> Iterator[Path]:
    """The folder where the share comes; nobody has gone in yet."""
    top, real = tmp_path / "auto", tmp_path / "real"
    top.mkdir()
    real.mkdir()
    daemon = subprocess.Popen(
        [sys.executable, automount.__file__, str(top), str(real)], stdout=subprocess.PIPE
    )
    try:
        assert daemon.stdout is not None
        if daemon.stdout.readline() != b"ready\n":
            pytest.skip("this system mounts no autofs here")
        yield top / "share"
    finally:
        subprocess.run(["umount", str(top / "share")], capture_output=True, check=False)
        subprocess.run(["umount", "--lazy", str(top)], capture_output=True, check=False)
        daemon.kill()
        daemon.wait()


def test_a_share_that_comes_when_somebody_goes_in_is_not_called_away(share: Path) -> None:
    """Before anybody went in, and again after it was unmounted for idleness."""
    for _ in range(2):
        objects = FolderObjects(share)
        assert objects.is_mount
        objects.create("a", b"1")
        assert objects.get("a") == b"1"
        subprocess.run(["umount", str(share)], check=True)
