"""Snapshots of the file system, as folders laid out as each system shows them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.recovery.traces.snapshots import SnapshotFinder
from tests.support.processes import anybodys_folder, run_unprivileged
from tests.support.traces import Home, look_with, notebook_text, sources, traces_of

LAYOUTS = {
    "zfs": ".zfs/snapshot/daily-1/work/project",
    "snapper": ".snapshots/17/snapshot/work/project",
    "btrbk": ".snapshots/home.20261120/work/project",
    "netapp": ".snapshot/nightly.0/work/project",
    "samba": "@GMT-2026.11.20-10.00.00/work/project",
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(notebook_text(text))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_the_notebook_in_a_snapshot_is_found(home: Home, layout: str) -> None:
    """Snapshots lie at the top of a file system, which is some folder above the notebook."""
    put(home.path / layout / "analysis.ipynb", "before")
    put(home.path / layout / "other.ipynb", "other")
    scope = home.scope("project/analysis.ipynb")
    finder = SnapshotFinder(home.path / "nowhere")
    [trace] = traces_of(finder, scope)
    assert sources(finder, trace, scope) == ["before"]
    assert trace.notebook == str(home.work / "project/analysis.ipynb")
    everything = traces_of(finder, home.scope(None, folder=home.work / "project"))
    assert len(everything) == 2


@pytest.mark.parametrize(
    "backup",
    [
        "timeshift/snapshots/2026-11-20_10-00-01/localhost",
        "Volumes/Backup/Backups.backupdb/mac/2026-11-20-100001/Macintosh HD",
    ],
)
def test_a_backup_of_the_whole_disk_is_found(home: Home, tmp_path: Path, backup: str) -> None:
    """Backups of whole disks hold the notebook below its full path."""
    root = tmp_path / "root"
    notebook = home.work / "analysis.ipynb"
    put(root / backup / notebook.relative_to("/"), "in the backup")
    finder = SnapshotFinder(root)
    scope = home.scope()
    [trace] = traces_of(finder, scope)
    assert sources(finder, trace, scope) == ["in the backup"]


def test_the_same_state_in_many_snapshots_is_told_once(home: Home) -> None:
    """A notebook that did not change between snapshots is one state, not many."""
    for number in range(5):
        path = home.path / f".zfs/snapshot/daily-{number}/work/analysis.ipynb"
        put(path, "same")
        os.utime(path, (1_700_000_000, 1_700_000_000))
    assert len(traces_of(SnapshotFinder(home.path / "nowhere"), home.scope())) == 1


@pytest.fixture
def ann() -> Iterator[Home]:
    """A home whose snapshots, and those of what is above it, are closed."""
    with anybodys_folder() as top:
        made = Home(top / "ann")
        (made.path / "scratch").chmod(0o777)
        put(made.path / LAYOUTS["snapper"] / "analysis.ipynb", "before")
        yield made
        (made.path / ".snapshots").chmod(0o755)


@pytest.mark.parametrize("name", ["analysis.ipynb", None], ids=["notebook", "folder"])
def test_snapshots_that_only_an_administrator_sees_are_told(ann: Home, name: str | None) -> None:
    """Snapper keeps them closed to you: you learn that they are there, and what to do."""
    (ann.path / ".snapshots").chmod(0o000)

    def look() -> None:
        traces, [problem] = look_with(SnapshotFinder(ann.path / "nowhere"), ann.scope(name))
        assert traces == []
        assert problem.place == str(ann.path / ".snapshots")
        assert "--scan" in problem.words

    run_unprivileged(look)


def test_closed_snapshots_of_another_disk_are_not_told(ann: Home) -> None:
    """The system's own snapshots are closed as well, and have nothing of a home on its own disk."""
    (ann.path / ".snapshots").chmod(0o000)
    mount = ["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(ann.work)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")

    def look() -> None:
        assert look_with(SnapshotFinder(ann.path / "nowhere"), ann.scope()) == ([], [])

    try:
        run_unprivileged(look)
    finally:
        subprocess.run(["umount", str(ann.work)], check=True)
