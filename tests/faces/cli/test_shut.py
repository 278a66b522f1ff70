"""A segment that this user may not read, as a checkpoint made with sudo leaves it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_rewind.errors import Unavailable
from jupyter_rewind.faces.cli.statuses import Status
from tests.faces.cli.conftest import FIRST, SECOND, Rewind
from tests.support.stores import refuse_to_open


def test_one_segment_that_may_not_be_read_stops_no_command(
    home: Path, work: Path, rewind: Rewind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other checkpoints are listed and made; what may be missing is told with what opens it, and
    nothing goes meanwhile."""
    book = work / "a.ipynb"
    book.write_bytes(FIRST)
    rewind("checkpoint", book)
    segments = home / "data" / "rewind" / "segments"
    before = set(segments.iterdir())
    (work / "b.ipynb").write_bytes(SECOND)
    rewind("checkpoint", work / "b.ipynb")
    [shut] = set(segments.iterdir()) - before
    for path in segments.parent.glob("index*"):
        path.unlink()
    refuse_to_open(shut, monkeypatch)
    listed = rewind("history", book)
    assert listed.status == Status.DAMAGE
    assert len(listed.rows) == 1 and "sudo chown $USER" in listed.out + listed.err
    for line in (("deleted",), ("history", book)):
        [words] = rewind(*line, "--json").data["incomplete"]
        assert f"Of segment {shut.name}" in words
    gone = rewind("deleted")
    assert gone.status == Status.DAMAGE and f"Of segment {shut.name}" in gone.out + gone.err
    book.write_bytes(SECOND)
    assert rewind("checkpoint", book).status == Status.DONE
    told = rewind("verify")
    assert told.status == Status.DAMAGE and str(shut) in told.out
    assert rewind("collect").status == Status.STORAGE
    salvaged = rewind("salvage")
    assert salvaged.status == Status.DAMAGE and shut.name in salvaged.err
    assert shut.exists()
    elsewhere = rewind("salvage", "--into", work / "other")
    assert elsewhere.status == Status.DAMAGE and shut.name in elsewhere.err
    words = "is in order, and lacks what 1 segment of the other store may hold."
    assert f"The store at {work / 'other'} {words}" in " ".join(elsewhere.out.split())
    assert f"sudo chown $USER {shut}" in rewind("doctor").out
    monkeypatch.undo()


def test_what_does_not_read_on_a_sick_disk_is_nobody_elses(
    home: Path, work: Path, rewind: Rewind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who owns the file does not matter then, and doctor advises nothing of the kind."""
    (work / "a.ipynb").write_bytes(FIRST)
    rewind("checkpoint", work / "a.ipynb")
    [segment] = (home / "data" / "rewind" / "segments").iterdir()
    for path in segment.parent.parent.glob("index*"):
        path.unlink()
    refuse_to_open(segment, monkeypatch, kind=Unavailable)
    told = rewind("doctor").out
    assert "input/output error" in told and "chown" not in told
    monkeypatch.undo()
