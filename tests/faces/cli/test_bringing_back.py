"""Commands that bring back."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from jupyter_rewind.settings import Settings
from jupyter_rewind.workspace import Workspace
from tests.faces.cli.conftest import FIRST, SECOND, THIRD, Rewind, cell, notebook_bytes


@pytest.mark.parametrize(("ref", "state"), [("head~1", SECOND), ("head~2", FIRST)])
def test_restore_gives_back_the_bytes(ref: str, state: bytes, book: Path, rewind: Rewind) -> None:
    """The file is as it was, byte for byte, and what was there is kept."""
    book.write_bytes(notebook_bytes(cell("load", "unsaved work")))
    ended = rewind("restore", book, ref)
    assert ended.status == 0, ended.err
    assert book.read_bytes() == state
    kept = [row[0] for row in rewind("history", book).rows if row[2] == "before-restore"]
    assert len(kept) == 1
    assert "unsaved work" in rewind("show", book, kept[0]).out


@pytest.mark.parametrize("broken", [b"", b"\0" * 4096, THIRD[:100], b"not a notebook"])
def test_restore_mends_a_broken_file(broken: bytes, book: Path, rewind: Rewind) -> None:
    """An emptied, truncated or garbled notebook comes back."""
    book.write_bytes(broken)
    assert rewind("restore", book, "head").status == 0
    assert book.read_bytes() == THIRD


def test_restore_of_a_missing_file(book: Path, rewind: Rewind) -> None:
    """A notebook that was removed comes back too."""
    book.unlink()
    assert rewind("restore", book, "head~1").status == 0
    assert book.read_bytes() == SECOND


def test_restore_into_another_file(book: Path, work: Path, rewind: Rewind) -> None:
    """--output leaves the notebook itself alone."""
    ended = rewind("restore", book, "head~2", "--output", "old.ipynb", "--json")
    assert ended.status == 0, ended.err
    assert (work / "old.ipynb").read_bytes() == FIRST
    assert book.read_bytes() == THIRD
    assert ended.data["path"] == str(work / "old.ipynb")


def test_restore_single_cells(book: Path, rewind: Rewind) -> None:
    """--cell brings one cell back and leaves the others as they are."""
    book.write_bytes(notebook_bytes(cell("load", "spoiled"), cell("own", "keep me")))
    assert rewind("restore", book, "head", "--cell", "load").status == 0
    text = book.read_text()
    assert "x = 3" in text
    assert "keep me" in text
    assert "spoiled" not in text
    assert rewind("restore", book, "head", "--cell", "nothing").status == 3


def test_undelete(book: Path, rewind: Rewind) -> None:
    """A deleted notebook is back with its history."""
    book.unlink()
    ended = rewind("undelete", book)
    assert ended.status == 0, ended.err
    assert book.read_bytes() == THIRD
    assert len(rewind("history", book).rows) >= 3


def test_undelete_never_overwrites(book: Path, rewind: Rewind) -> None:
    """Where a file lies, nothing is undeleted over it."""
    ended = rewind("undelete", book, "--output", "elsewhere.ipynb")
    assert ended.status == 7
    assert "jupyter rewind restore" in ended.err
    assert book.read_bytes() == THIRD


def test_a_read_only_notebook_is_not_restored_over(book: Path, work: Path, rewind: Rewind) -> None:
    """Whoever made it read-only wishes that it stays; to another file it goes."""
    book.chmod(0o444)
    ended = rewind("restore", book, "head~1")
    assert ended.status == 6
    assert "read-only" in ended.err
    assert book.read_bytes() == THIRD
    assert len(rewind("history", book).rows) == 3
    assert rewind("restore", book, "head~1", "--output", work / "then.ipynb").status == 0
    book.chmod(0o644)
    assert rewind("restore", book, "head~1").status == 0
    assert book.read_bytes() == SECOND


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="Python sets attributes on Linux only")
def test_what_a_restored_file_has_no_more_is_said(
    book: Path, rewind: Rewind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes come first; an attribute that the system will not take anew is named."""
    try:
        os.setxattr(book, "user.origin", b"mine")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    ended = rewind("restore", book, "head~1")
    assert "attribute" not in ended.err
    assert os.getxattr(book, "user.origin") == b"mine"

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(os, "setxattr", refuse)
    ended = rewind("restore", book, "head~1")
    assert ended.status == 0
    assert "attribute user.origin" in ended.err
    assert rewind("restore", book, "head~1", "--json").data["not_kept"] == []


def test_a_restore_by_the_id_of_the_history(book: Path, work: Path, rewind: Rewind) -> None:
    """The id that `history` tells stands for the notebook, wherever it is by now; that of a deleted
    one says what brings it back, also where another notebook has its name."""
    name = rewind("history", book, "--json").data["history"]["id"]
    moved = work / "moved.ipynb"
    book.rename(moved)
    assert rewind("checkpoint", moved).status == 0
    assert rewind("restore", name, "head~1").status == 0
    assert moved.read_bytes() == SECOND
    moved.unlink()
    assert rewind("restore", name, "head~1").status == 0
    with Workspace.open(Settings.load()) as workspace:
        workspace.histories.delete(str(moved))
    moved.unlink()
    moved.write_bytes(FIRST)
    assert rewind("checkpoint", moved).status == 0
    refused = rewind("restore", name, "head~1")
    assert refused.status == 7
    assert f"undelete {name} --output" in refused.err
    assert moved.read_bytes() == FIRST
    assert rewind("restore", name, "head", "--output", work / "back.ipynb").status == 0


def test_a_restore_of_a_damaged_state_says_so(work: Path, rewind: Rewind) -> None:
    """You get what you asked for, and are told that it is empty and which state is whole."""
    path = work / "a.ipynb"
    path.write_bytes(b"")
    assert rewind("checkpoint", path).status == 0
    ended = rewind("restore", path, "head")
    assert ended.status == 0
    assert "a.ipynb is empty: the file has 0 bytes. So it was at that checkpoint." in ended.err
    path.write_bytes(FIRST)
    assert rewind("checkpoint", path).status == 0
    ended = rewind("restore", path, "head~1")
    assert path.read_bytes() == b""
    assert "brings the last good state back" in ended.err
    way = ended.err[ended.err.index("restore ") :].split("`")[0].split()
    ended = rewind(*way)
    assert path.read_bytes() == FIRST
    assert "So it was" not in ended.err


def test_the_last_good_state_is_that_of_the_notebook_by_its_name_of_today(
    book: Path, work: Path, rewind: Rewind
) -> None:
    """A state that was damaged under another name: the way back names what the notebook has now."""
    book.write_bytes(b"")
    assert rewind("checkpoint", book).status == 0
    book.write_bytes(SECOND)
    assert rewind("checkpoint", book).status == 0
    renamed = book.rename(work / "renamed.ipynb")
    assert rewind("checkpoint", renamed).status == 0
    condition = rewind("restore", renamed, "head~1", "--json").data["condition"]
    assert renamed.read_bytes() == b""
    assert condition["state"] == "empty"
    assert condition["words"] == "renamed.ipynb is empty: the file has 0 bytes."
    assert rewind("show", renamed, condition["last_good"], "--raw").out.encode() == SECOND


def test_an_undelete_of_a_damaged_state_says_so(work: Path, rewind: Rewind) -> None:
    """A notebook that was empty when it went is empty again, and the whole one is named."""
    path = work / "a.ipynb"
    for state in (FIRST, b""):
        path.write_bytes(state)
        assert rewind("checkpoint", path).status == 0
    path.unlink()
    ended = rewind("undelete", path)
    assert ended.status == 0
    assert path.read_bytes() == b""
    assert "a.ipynb is empty: the file has 0 bytes. So it was at that checkpoint." in ended.err
    way = ended.err[ended.err.index("restore ") :].split("`")[0].split()
    assert rewind(*way).status == 0
    assert path.read_bytes() == FIRST


@pytest.mark.parametrize("volatile", ["execution", "trusted"])
def test_a_restore_claims_no_checkpoint_of_timings(
    volatile: str, book: Path, rewind: Rewind
) -> None:
    """Where only timings or trust differ, what was there is not called a checkpoint."""
    data = json.loads(THIRD)
    data["cells"][0]["metadata"][volatile] = {"iopub.status.busy": "2026-01-01T00:00:00Z"}
    book.write_text(json.dumps(data, indent=1))
    ended = rewind("restore", book, "head")
    assert ended.status == 0
    assert book.read_bytes() == THIRD
    assert "What was there before differs from checkpoint" in ended.err
    assert "only in timings and trust, which are not kept." in ended.err
    book.write_text(json.dumps(data, indent=1))
    assert rewind("restore", book, "head", "--json").data["kept_nearly"] is True
    ended = rewind("restore", book, "head~1")
    assert "What was there before is checkpoint" in ended.err
    assert rewind("restore", book, "head~1", "--json").data["kept_nearly"] is False
