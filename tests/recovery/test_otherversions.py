"""Versions beside the newest: told where they have more, and there to be chosen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.recovery.evidence import Evidence, EvidenceCell, Trace
from jupyter_rewind.recovery.otherversions import (
    OtherVersion,
    build_on,
    in_words,
    other_versions,
    sides_in_words,
)
from jupyter_rewind.recovery.rebuild import rebuild
from tests.support.evidence import CHECKPOINT, TARGET, code, document, prose, session

OLD_TAB = document("a = 1", "b = 2", at=100)
EDITOR = document(
    prose("# Work"),
    "a = 1",
    "b = 3",
    "c = 4",
    trace=Trace("vscode", "/h/History/x.ipynb", str(TARGET)),
)
SAME = document("a = 1", at=50)
STRANGE = document("z = 26", trace=Trace("git", "/repo blob 1", None))
EVIDENCE = Evidence((OLD_TAB, EDITOR, SAME, STRANGE))


def test_versions_with_more_cells_are_told() -> None:
    """Only versions of this notebook that have something which the result lacks are told."""
    cells = [each.cell for each in rebuild(TARGET, EVIDENCE).cells]
    (other,) = other_versions(TARGET, EVIDENCE, cells)
    assert (other.trace, other.cells) == (EDITOR.trace, 3)
    assert "--from /h/History/x.ipynb" in in_words([other])[0]


def test_what_is_built_on_is_not_offered_to_build_on() -> None:
    """A saved cell whose text was changed since is told; to build on its file would do nothing."""
    saved = document("start = load(1)", "total = sum(start, 1)", at=100)
    sources = ["start = load(1)", "total = sum(start, 2)"]
    ran = session(1, sources, at=200, notebook=str(TARGET))
    evidence = Evidence((saved, EDITOR), (ran,))
    rebuilt = rebuild(TARGET, evidence)
    cells = [each.cell for each in rebuilt.cells]
    lines = in_words(other_versions(TARGET, evidence, cells, rebuilt.base))
    assert [saved.trace.place in each for each in lines] == [True, False]
    assert ["--from" in each for each in lines] == [False, True]


def test_nothing_is_told_where_nothing_lacks() -> None:
    """Where the result has every cell of every version, there is nothing to choose."""
    assert other_versions(TARGET, Evidence((OLD_TAB, SAME)), OLD_TAB.cells) == ()


def test_outputs_that_were_cleared_are_told_with_the_command() -> None:
    """You cleared all outputs by mistake and saved: the checkpoint has them."""
    shown = [code(f"plot({n})", f"a plot of {n}") for n in range(4)]
    cleared = [replace(each, outputs=(), execution_count=None) for each in shown]
    file = document(*cleared, at=100, trace=Trace("file", str(TARGET), str(TARGET)))
    evidence = Evidence((file, document(*shown), document(*shown, at=-50)))
    [line] = in_words(other_versions(TARGET, evidence, cleared, file.trace))
    assert line.startswith("Another version has the outputs of 4 cells that show nothing in it")
    assert f"--from {CHECKPOINT.place}" in line
    built = rebuild(TARGET, build_on(TARGET, evidence, CHECKPOINT.place))
    assert all(each.cell.outputs for each in built.cells)


def test_outputs_that_gave_way_to_errors_are_told() -> None:
    """You ran all again where the data were missing, and saved: the checkpoint has the plots."""
    shown = [code(f"plot({n})", f"a plot of {n}") for n in range(4)]
    error = {"output_type": "error", "ename": "FileNotFoundError", "evalue": "", "traceback": []}
    failed = [replace(each, outputs=(error,)) for each in shown]
    file = document(*failed, at=100, trace=Trace("file", str(TARGET), str(TARGET)))
    evidence = Evidence((file, document(*shown)))
    [line] = in_words(other_versions(TARGET, evidence, failed, file.trace))
    assert "has the outputs of 4 cells that show nothing in it, or an error" in line
    assert f"--from {CHECKPOINT.place}" in line


def test_a_cell_that_shows_nothing_any_more_is_no_cleared_notebook() -> None:
    """It failed when the checkpoint was made, or says less now: its outputs are not missed."""
    shown = [code(f"plot({n})", f"a plot of {n}") for n in range(4)]
    failed = replace(code("fit()"), outputs=({"output_type": "error", "ename": "E"},))
    now = [replace(shown[0], outputs=()), *shown[1:], code("fit()")]
    assert other_versions(TARGET, Evidence((document(*shown, failed),)), now) == ()


def test_many_versions_are_counted() -> None:
    """Of a hundred versions the newest are told, the others counted."""
    many = Evidence(tuple(document(f"x = {n}", at=n) for n in range(100)))
    lines = in_words(other_versions(TARGET, many, ()))
    assert len(lines) == 6
    assert lines[-1].startswith("95 more versions")


def test_any_version_can_be_built_on() -> None:
    """You choose a version by its place, a part of it, or its kind."""
    for text in ("vscode", "History", "/h/History/x.ipynb"):
        cells = rebuild(TARGET, build_on(TARGET, EVIDENCE, text)).cells
        assert [each.cell.source for each in cells] == ["# Work", "a = 1", "b = 3", "c = 4"]


def test_version_that_is_not_there_is_refused_with_those_that_are() -> None:
    """A word that fits no version is answered with the places that there are."""
    with pytest.raises(InvalidInput) as refused:
        build_on(TARGET, EVIDENCE, "dropbox")
    assert "/h/History/x.ipynb" in (refused.value.hint or "")


def test_sides_of_a_conflict_are_named() -> None:
    """A file with two versions in it: the next step names both."""
    sides = [EvidenceCell("code", "x", metadata={"rewind_version": each}) for each in "ab"]
    assert "a and b" in sides_in_words([code("y"), *sides])[0]
    assert sides_in_words([code("y")]) == ()


def test_saved_text_that_gave_way_is_said_to_be_kept_and_no_page_is_promised() -> None:
    """Which files are written is not known here: what is kept is told where that is known."""
    [line] = in_words([OtherVersion(CHECKPOINT, None, 2, is_base=True)])
    assert line.startswith("2 cells were given a later text, or left out.")
    assert "is kept, too, with what found no place" in line
    assert "page" not in line
    assert "metadata" not in line
