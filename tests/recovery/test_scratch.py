"""The folder for copies, and what is left of those of killed processes."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from jupyter_rewind.errors import Full
from jupyter_rewind.recovery import scratch
from jupyter_rewind.recovery.scratch import PREFIX, roomy_folder, scratch_folder

HOLD = """
import sys
from pathlib import Path
from jupyter_rewind.recovery.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "copy.sqlite").write_bytes(b"x")
    print(folder, flush=True)
    sys.stdin.read()
"""


def age(folder: Path) -> None:
    os.utime(folder, (1_600_000_000, 1_600_000_000))


def test_folder_of_a_killed_process_goes_with_the_next_start(tmp_path: Path) -> None:
    """Copies of your history do not stay in the temporary folder, however a command ended."""
    arguments = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        age(left)
        with scratch_folder(tmp_path):
            assert left.is_dir(), "its process still runs"
        process.kill()
        process.wait()
    with scratch_folder(tmp_path) as own:
        assert [each.name for each in tmp_path.iterdir()] == [own.name]
    assert list(tmp_path.iterdir()) == []


def test_young_and_strange_things_are_left_alone(tmp_path: Path) -> None:
    """What may be of a process that just began, and a link of that name, are not touched."""
    (tmp_path / f"{PREFIX}young").mkdir()
    (tmp_path / "kept").mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "kept")
    with scratch_folder(tmp_path):
        assert {f"{PREFIX}young", f"{PREFIX}link"} <= {each.name for each in tmp_path.iterdir()}
    assert (tmp_path / "kept").is_dir()


def test_folder_of_yours_that_is_called_alike_stays(tmp_path: Path) -> None:
    """A download that unpacked to /tmp/jupyter-rewind-main is yours, however old it is."""
    for name in ("main", "tutorial", "a_copy00"):
        mine = tmp_path / f"{PREFIX}{name}"
        mine.mkdir(mode=0o700)
        (mine / "precious.ipynb").write_text("work")
        age(mine)
    with scratch_folder(tmp_path) as made:
        copy = tmp_path / f"{PREFIX}copied00"
        shutil.copytree(made, copy)
        age(copy)
    with scratch_folder(tmp_path):
        for name in ("main", "tutorial", "a_copy00"):
            assert (tmp_path / f"{PREFIX}{name}" / "precious.ipynb").read_text() == "work"
        assert copy.is_dir(), "what tells that it was made here names another folder"


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk with all the usual temporary folders takes not one byte."""

    def refuse() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", refuse)


@pytest.mark.usefixtures("full")
@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no file system in memory here")
def test_copies_go_to_memory_where_the_disk_is_full() -> None:
    """The disk that ran full, and hurt the notebook, is the one with /tmp, too."""
    with scratch_folder() as folder:
        assert folder.parent == Path("/dev/shm")
        (folder / "copy").write_bytes(b"x")


@pytest.mark.usefixtures("full")
def test_no_room_anywhere_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even memory takes copies, you are told how to name another disk."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(Full, match="no temporary folder takes a file") as caught, scratch_folder():
        pass
    assert "TMPDIR=" in str(caught.value.hint)


def test_the_place_with_most_room_is_taken_where_all_have_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A container has 64 MB for files in memory: that is more than a full disk has."""
    rooms = {Path(tempfile.gettempdir()): 1 << 20, Path("/dev/shm"): 64 << 20}
    monkeypatch.setattr(scratch, "free_bytes", lambda folder: rooms[folder])
    most = max((each for each in rooms if os.access(each, os.W_OK)), key=rooms.__getitem__)
    assert roomy_folder() == most
    rooms[Path(tempfile.gettempdir())] = 1 << 30
    assert roomy_folder() == Path(tempfile.gettempdir())
