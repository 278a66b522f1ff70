"""Commands that keep, mark and follow."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.faces.cli.conftest import FIRST, SECOND, THIRD, Rewind, cell, notebook_bytes


def test_checkpoint_keeps_the_file(work: Path, process: Rewind) -> None:
    """The very first command makes the store and keeps the notebook."""
    path = work / "new.ipynb"
    path.write_bytes(FIRST)
    ended = process("checkpoint", "new.ipynb", "--label", "start")
    assert ended.status == 0, ended.err
    assert "new.ipynb" in ended.out
    assert process("show", "new.ipynb", "start", "--raw").out.encode() == FIRST


def test_equal_content_makes_no_second_checkpoint(book: Path, rewind: Rewind) -> None:
    """Saying it twice stores it once."""
    ended = rewind("checkpoint", book, "--json")
    assert ended.data["created"] is False
    assert len(rewind("history", book).rows) == 3


@pytest.mark.parametrize("damage", [b"", FIRST[:150], b"\0" * 300, b"no notebook at all"])
def test_checkpoint_of_what_is_no_notebook_says_so(
    damage: bytes, book: Path, rewind: Rewind
) -> None:
    """It is kept as the file that it is, and the last good state is named."""
    book.write_bytes(damage)
    ended = rewind("checkpoint", book)
    assert ended.status == 0
    assert "It is kept as a file." in ended.err
    way = ended.err[ended.err.index("restore ") :].split("`")[0].split()
    assert rewind("show", book, "head", "--raw").out.encode() == damage
    assert rewind(*way).status == 0
    assert book.read_bytes() == THIRD


def test_checkpoint_of_a_missing_file(work: Path, rewind: Rewind) -> None:
    """A file that is not there cannot be kept, and no store is left behind for it."""
    assert rewind("checkpoint", "nothing.ipynb").status == 3


def test_labels(book: Path, rewind: Rewind) -> None:
    """A name finds its checkpoint from then on, and can be taken away."""
    assert rewind("label", book, "head~1", "good").status == 0
    assert rewind("show", book, "good", "--raw").out.encode() == SECOND
    assert rewind("history", book).rows[1][7] == "good"
    assert rewind("unlabel", book, "good", "good").status == 0
    assert rewind("show", book, "good").status == 3


@pytest.mark.parametrize("text", ["head", "head~2", "2026-11-20", "yesterday", ""])
def test_a_label_that_means_something_else_is_refused(
    text: str, book: Path, rewind: Rewind
) -> None:
    """A label never hides a time or an id."""
    assert rewind("label", book, "head", text).status == 2


def test_space_around_a_label_is_no_part_of_it(book: Path, rewind: Rewind) -> None:
    assert rewind("label", book, "head", " good ").status == 0
    assert rewind("unlabel", book, "good", " good ").status == 0
    assert [row[7] for row in rewind("history", book).rows] == ["", "", ""]


def test_pins(book: Path, rewind: Rewind) -> None:
    """A pin shows in the history and can be taken away."""
    assert rewind("pin", book, "head~1").status == 0
    assert [row[7] for row in rewind("history", book).rows] == ["", "(pinned)", ""]
    assert rewind("unpin", book, "head~1").status == 0
    assert [row[7] for row in rewind("history", book).rows] == ["", "", ""]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="takes rights away and back")
def test_a_read_only_folder_still_reads(book: Path, work: Path, process: Rewind) -> None:
    """Listing works from a folder that nobody may write."""
    work.chmod(0o500)
    try:
        assert process("history", book).status == 0
    finally:
        work.chmod(0o700)


def test_odd_names(work: Path, rewind: Rewind) -> None:
    """Spaces, quotes, other scripts, newlines and bytes that are no text: any name works."""
    names = [
        "a b 'c' \"d\".ipynb",
        "測定 α 🎉.ipynb",
        "line\nbreak.ipynb",
        "-dash.ipynb",
        "\udcff.ipynb",
    ]
    for name in names:
        path = work / name
        path.write_bytes(FIRST)
        ended = rewind("checkpoint", path)
        assert ended.status == 0, ended.err
        assert len(rewind("history", path).rows) == 1
        path.write_bytes(b"")
        assert rewind("restore", path, "head").status == 0
        assert path.read_bytes() == FIRST


@pytest.mark.parametrize("how", ["label", "checkpoint"])
def test_a_label_that_moves_says_so(book: Path, rewind: Rewind, how: str) -> None:
    """The checkpoint that had it has lost its protection, and is named."""
    first = rewind("label", book, "head~1", "keep", "--json").data
    assert first["moved_from"] is None
    book.write_bytes(FIRST)
    words = (
        ["label", book, "head", "keep"] if how == "label" else ["checkpoint", book, "-l", "keep"]
    )
    ended = rewind(*words)
    assert ended.status == 0
    assert f"{first['checkpoint']['id'][:8]}" in ended.err
    assert "may expire as others do" in ended.err
    again = ["label", book, "head~2", "keep", "--json"]
    moved = rewind(*again).data
    assert moved["moved_from"] not in (None, moved["checkpoint"]["id"])
    assert rewind(*again).data["moved_from"] is None


@pytest.mark.parametrize(
    "words",
    [
        ["history"],
        ["show"],
        ["search", "value"],
        ["label", "head", "kept"],
        ["export", "states"],
        ["restore", "head~1"],
    ],
    ids=lambda words: words[0],
)
def test_a_notebook_moved_outside_jupyter_brings_its_history_when_asked_for(
    book: Path, work: Path, rewind: Rewind, words: list[str]
) -> None:
    """The first thing that is asked under the new name is answered, there and back again."""
    other = book.with_name("other name.ipynb")
    for before, after in ((book, other), (other, book)):
        before.rename(after)
        ended = rewind(words[0], after, *words[1:])
        assert ended.status == 0, ended.err
        assert len(rewind("history", after).rows) >= 3
        assert rewind("history", before).status == 3
        shutil.rmtree(work / "states", ignore_errors=True)


def test_a_new_notebook_is_taken_for_no_moved_one(book: Path, rewind: Rewind) -> None:
    """Asking for it says that it has no history, and leaves the others theirs."""
    new = book.with_name("new.ipynb")
    new.write_bytes(notebook_bytes(cell("z", "nothing alike")))
    ended = rewind("history", new)
    assert ended.status == 3
    assert "has no history" in ended.err
    assert len(rewind("history", book).rows) == 3


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no line end in a name")
def test_a_notebook_whose_name_is_a_link_now_has_its_earlier_history_named(
    book: Path, work: Path, rewind: Rewind
) -> None:
    """Moved under another name and rewritten, it begins anew; the way to the old states is said."""
    (work / "other.ipynb").write_bytes(notebook_bytes(cell("all", "all = 'else'")))
    book.unlink()
    try:
        book.symlink_to("other.ipynb")
    except OSError:
        pytest.skip("links need a privilege here")
    ended = rewind("history", "analysis.ipynb")
    assert ended.status == 3
    way = ended.err.partition("`jupyter rewind history ")[2].partition("`")[0]
    assert len(rewind("history", way).rows) == 3


def test_a_name_with_a_line_end_stays_on_one_line(work: Path, rewind: Rewind) -> None:
    """A file cannot add lines to an answer by its name."""
    path = work / "a\nb.ipynb"
    path.write_bytes(FIRST)
    ended = rewind("checkpoint", path.name)
    assert ended.status == 0
    assert ended.out.startswith("Stored a\\nb.ipynb: ")
    assert ended.out.count("\n") == 1


@pytest.mark.parametrize("word", ["", " "])
def test_an_empty_store_is_wrong_usage(word: str, work: Path, rewind: Rewind) -> None:
    """An empty `--store` makes no store in the folder that you stand in; `.` does: you ask it."""
    (work / "a.ipynb").write_bytes(FIRST)
    ended = rewind("checkpoint", "a.ipynb", "--store", word)
    assert ended.status == 2
    assert ended.err.startswith("Error: --store is empty")
    assert [each.name for each in work.iterdir()] == ["a.ipynb"]
    assert rewind("checkpoint", "a.ipynb", "--store", ".").status == 0
    assert (work / "config").is_file()
