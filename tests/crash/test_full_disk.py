"""A full disk costs nothing that was acknowledged, and takes one more small commit.

The disk is a small tmpfs where one can be mounted: at once for root, or in a user namespace of
its own, where the test runs itself again. Where neither is allowed, it is skipped with words.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.errors import Full
from jupyter_rewind.settings import Settings
from jupyter_rewind.store import room, writer
from jupyter_rewind.store.durable import Files, free_bytes
from jupyter_rewind.store.layout import open_layout
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.spare import PIECE_BYTES, PIECES, hold_spare, in_spare_room
from jupyter_rewind.store.upkeep import verify
from jupyter_rewind.workspace import Workspace
from tests.crash.scenarios import noise
from tests.support.scenario import Run, true_to

pytestmark = pytest.mark.crash
_INSIDE = "REWIND_TEST_SMALL_DISK"
_MOUNT = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs"]


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of 12 MB, mounted here."""
    monkeypatch.setattr(room, "RESERVE", 1 << 20)
    for name, value in {"_STAGE": 8 << 20, "MAX_SEGMENT": 256 << 20}.items():
        monkeypatch.setattr(writer, name, value)
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run([*_MOUNT, str(place)], capture_output=True, text=True, check=False)
    if done.returncode:
        if os.environ.get(_INSIDE):
            pytest.fail(f"no small disk in the namespace either: {done.stderr}")
        pytest.skip("no disk can be mounted here; tried again in a namespace")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=False)


def _fill(disk: Path) -> Path:
    """Every free byte is taken."""
    filler = disk / "filler"
    with open(filler, "ab", buffering=0) as out:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while out.write(b"f" * size) == size:
                    pass
            except OSError:
                continue
    assert (free_bytes(disk) or 0) < 4096
    return filler


def _rebuilt(run: Run) -> None:
    with Repository.open(
        run.root / "store", key_folder=run.root / "keys", index_path=run.root / "none" / "index"
    ) as repository:
        true_to(repository, run.ledger)
        assert verify(repository, read_data=True).ok


def test_a_full_disk_keeps_all_and_takes_the_last_commit(disk: Path) -> None:
    """Small commits still land in the room held ready; a large one is refused and changes
    nothing; when there is room again, writing goes on."""
    run = Run(disk, Files())
    # The index is on the full disk as well.
    with run.open(index="disk/index.sqlite") as repository:
        for number in range(5):
            run.save(repository, noise(number, 50_000))
        filler = _fill(disk)
        run.save(repository, noise(10, 30_000))
        run.save(repository, b"and one more")
        true_to(repository, run.ledger)
        for _ in range(2):
            with pytest.raises(Full, match="bytes free"):
                run.save(repository, noise(11, 6 << 20))
            true_to(repository, run.ledger)
        run.save(repository, b"after the refusal")
        with pytest.raises(Full):
            for number in range(200):
                run.save(repository, noise(100 + number, 20_000))
        true_to(repository, run.ledger)
        _rebuilt(run)
        filler.unlink()
        run.save(repository, noise(12, 1 << 20))
        true_to(repository, run.ledger)
        _rebuilt(run)
    _rebuilt(run)


def test_a_store_can_be_read_on_a_full_disk_and_a_new_writer_is_told(disk: Path) -> None:
    """A command started when the disk is full lists and reads; it cannot save, and says why."""
    run = Run(disk, Files())
    with run.open(index="disk/index.sqlite") as repository:
        run.save(repository, noise(1, 50_000))
    filler = _fill(disk)
    with run.open(index="disk/index.sqlite") as repository:
        true_to(repository, run.ledger)
        with pytest.raises(Full):
            run.save(repository, noise(2, 100_000))
        true_to(repository, run.ledger)
        filler.unlink()
        run.save(repository, noise(2, 100_000))
        true_to(repository, run.ledger)
    _rebuilt(run)


def test_a_full_disk_can_be_made_room_on(disk: Path, tmp_path: Path) -> None:
    """Old checkpoints expire and are collected without a free byte, and what is kept is whole."""
    settings = Settings.load(
        {
            "store.path": str(disk / "store"),
            "store.key_folder": str(tmp_path / "keys"),
            "retention.keep_last": 2,
            "retention.hourly": 0,
            "retention.daily": 0,
            "retention.weekly": 0,
        }
    )
    notebook = tmp_path / "a.ipynb"
    for number in range(8):
        notebook.write_bytes(noise(number, 200_000))
        with Workspace.open(settings) as workspace:
            workspace.checkpoint(str(notebook))
    for number in range(3):  # the index gives its pages back when it is found to be too large
        _fill(disk).rename(disk / f"filler-{number}")
        with Workspace.open(settings, create=False) as workspace:
            workspace.repository.refresh()
    with Workspace.open(settings, create=False) as workspace:
        with pytest.raises(Full):
            workspace.pin(str(notebook), "head")
        assert len(workspace.expire()) == 6
    with Workspace.open(settings, create=False) as workspace:
        assert workspace.collect().freed_bytes > 1_000_000
        kept = workspace.checkpoints(str(notebook))
        assert [workspace.read(one) for one in kept] == [noise(6, 200_000), noise(7, 200_000)]
        assert workspace.verify(read_data=True).ok
        assert not workspace.collect().freed_bytes
    notebook.write_bytes(noise(9, 200_000))
    with Workspace.open(settings) as workspace:
        assert workspace.checkpoint(str(notebook)).created


def test_room_is_held_in_the_store_once(disk: Path, tmp_path: Path) -> None:
    """A file that a killed process left unfinished is made anew; a full disk has none."""
    files = Files()
    layout = open_layout(disk / "store", tmp_path / "keys", files, create=True)
    layout.spare.mkdir()
    (layout.spare / "3").write_bytes(b"")
    hold_spare(layout, files)
    made = {each: each.stat().st_ino for each in layout.spare.iterdir()}
    assert [each.stat().st_size for each in made] == [PIECE_BYTES] * PIECES
    hold_spare(layout, files)
    assert {each: each.stat().st_ino for each in layout.spare.iterdir()} == made
    for each in made:
        each.unlink()
    _fill(disk)
    hold_spare(layout, files)
    assert not list(layout.spare.iterdir())

    def fail() -> None:
        raise Full("no room")

    with pytest.raises(Full, match="no room"):
        in_spare_room(layout, files, fail)


def test_a_notebook_is_whole_when_there_is_no_room_to_replace_it(disk: Path) -> None:
    """Where stock Jupyter leaves a truncated file."""
    path = disk / "notebook.ipynb"
    path.write_bytes(noise(1, 400_000))
    _fill(disk)
    with pytest.raises(Full):
        Files().replace_file(path, noise(2, 500_000))
    assert path.read_bytes() == noise(1, 400_000)
    assert sorted(each.name for each in disk.iterdir()) == ["filler", "notebook.ipynb"]


def test_the_same_in_a_namespace_where_only_root_may_mount(tmp_path: Path) -> None:
    """The tests above run there when they cannot run here."""
    if os.environ.get(_INSIDE):
        pytest.skip("this is the namespace")
    probe = subprocess.run([*_MOUNT, str(tmp_path)], capture_output=True, check=False)
    if probe.returncode == 0:
        subprocess.run(["umount", str(tmp_path)], check=False)
        pytest.skip("a disk can be mounted without one")
    if not shutil.which("unshare"):
        pytest.skip("there is no unshare")
    inside = ["unshare", "-Urm"]
    if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode:
        pytest.skip("neither mounts nor user namespaces are allowed here")
    done = subprocess.run(
        [*inside, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__],
        env={**os.environ, _INSIDE: "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    # All but this one.
    assert "4 passed, 1 skipped" in done.stdout, done.stdout


def test_a_limit_on_file_size_is_a_full_disk(tmp_path: Path) -> None:
    """Needs no mount: past the limit no byte is taken, and what was saved is whole."""
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from jupyter_rewind.errors import Full\n"
        "from jupyter_rewind.store.durable import Files\n"
        "from tests.crash.scenarios import noise\n"
        "from tests.support.scenario import Run, true_to\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "run = Run(Path(sys.argv[1]), Files())\n"
        "with run.open() as r:\n"
        "    run.save(r, noise(1, 50_000))\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (1_200_000, resource.RLIM_INFINITY))\n"
        "    run.save(r, noise(2, 50_000))\n"
        "    try:\n"
        "        run.save(r, noise(3, 5_000_000)); sys.exit('no error')\n"
        "    except Full: pass\n"
        "    run.save(r, noise(4, 50_000))\n"
        "    true_to(r, run.ledger)\n"
        "with run.open(index='none/x') as r: true_to(r, run.ledger)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
