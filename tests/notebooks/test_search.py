"""Which checkpoints had this function."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_rewind.errors import Integrity, InvalidInput, NotFound
from jupyter_rewind.model.checkpoint import Checkpoint, Reason
from jupyter_rewind.notebooks import search as module
from jupyter_rewind.notebooks.contents import Manifest
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.notebooks.search import Hit, search
from jupyter_rewind.store.repository import Repository
from tests.notebooks.support import make_cell, make_notebook

PATH = "/home/a/a.ipynb"


def find(histories: Histories, path: str, text: str, *, regex: bool = False) -> list[Hit]:
    found = search(histories, path, text, regex=regex)
    return list(found.hits)


def keep(histories: Histories, *cells: object) -> Checkpoint:
    return histories.record(PATH, make_notebook(*cells), reason=Reason.SAVE).checkpoint


def test_a_text_is_found_in_the_checkpoints_that_held_it(histories: Histories) -> None:
    keep(histories, "import os")
    first = keep(histories, "import os", "def mean(x):\n    return sum(x) / len(x)")
    last = keep(histories, "import os, re", "def mean(x):\n    return sum(x) / len(x)")
    keep(histories, "import os, re")
    [hit] = find(histories, PATH, "sum(")
    assert (hit.first.id, hit.last.id, hit.cell_id) == (first.id, last.id, "c1")
    assert (hit.line, hit.text) == (2, "return sum(x) / len(x)")


def test_each_state_of_a_cell_is_told_once(histories: Histories) -> None:
    a = keep(histories, "total = 1")
    keep(histories, "total = 1", "2")
    b = keep(histories, "total = 3", "2")
    hits = find(histories, PATH, "total")
    assert [(hit.first.id, hit.text) for hit in hits] == [
        (a.id, "total = 1"),
        (b.id, "total = 3"),
    ]


def test_outputs_are_searched_too(histories: Histories) -> None:
    stream = {"output_type": "stream", "name": "stdout", "text": ["loss\n", "accuracy 0.93\n"]}
    error = {
        "output_type": "error",
        "ename": "ValueError",
        "evalue": "bad",
        "traceback": ["ValueError: bad shape"],
    }
    keep(histories, make_cell("a", "train()", outputs=[stream, error]))
    assert [hit.text for hit in find(histories, PATH, "accuracy")] == ["accuracy 0.93"]
    assert [hit.text for hit in find(histories, PATH, "bad shape")] == ["ValueError: bad shape"]


def test_case_does_not_matter_for_text_and_does_for_expressions(histories: Histories) -> None:
    keep(histories, "DataFrame()")
    assert len(find(histories, PATH, "dataframe")) == 1
    assert find(histories, PATH, "dataframe", regex=True) == []
    assert len(find(histories, PATH, r"Data\w+\(", regex=True)) == 1


def test_text_that_looks_like_an_expression_is_text(histories: Histories) -> None:
    keep(histories, "f(x)[0]")
    assert len(find(histories, PATH, "f(x)[0]")) == 1


def test_files_are_searched_by_line(histories: Histories) -> None:
    histories.record("/home/a/x.py", b"a = 1\nb = 2\n", reason=Reason.SAVE)
    [hit] = find(histories, "/home/a/x.py", "b =")
    assert (hit.cell_id, hit.line, hit.text) == (None, 2, "b = 2")


@pytest.mark.parametrize(("text", "regex"), [("", False), ("(", True)])
def test_what_cannot_be_searched_for_is_refused(
    histories: Histories, text: str, regex: bool
) -> None:
    keep(histories, "1")
    with pytest.raises(InvalidInput):
        find(histories, PATH, text, regex=regex)


def test_a_notebook_without_a_history_is_not_found(histories: Histories) -> None:
    with pytest.raises(NotFound):
        find(histories, PATH, "x")


def test_a_damaged_cell_hides_no_other(
    histories: Histories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first cell of all checkpoints is damaged: what the others say is found all the same."""
    keep(histories, "broken", "total = 1")
    keep(histories, "broken", "total = 2")
    whole = module.read_cell

    def read_cell(repository: Repository, manifest: Manifest, index: int) -> dict[str, Any]:
        if index == 0:
            raise Integrity("Content is damaged.")
        return whole(repository, manifest, index)

    monkeypatch.setattr(module, "read_cell", read_cell)
    assert [hit.text for hit in find(histories, PATH, "total")] == ["total = 1", "total = 2"]
    nothing = search(histories, PATH, "broken")
    assert not nothing.hits
    assert nothing.problems and all(PATH in problem for problem in nothing.problems)


def test_a_text_of_several_lines_is_found(histories: Histories) -> None:
    """As people copy it out of a cell; an expression may go over lines as well."""
    keep(histories, "import os", "def f(x):\n    return x\n")
    [hit] = find(histories, PATH, "def f(x):\n    return")
    assert (hit.line, hit.text) == (1, "def f(x):")
    [hit] = find(histories, PATH, r"f\(x\):\s+return", regex=True)
    assert (hit.line, hit.text) == (1, "def f(x):")
    [hit] = find(histories, PATH, r"^\s+return x$", regex=True)
    assert (hit.line, hit.text) == (2, "return x")


def test_a_line_is_told_once_however_often_it_matches(histories: Histories) -> None:
    keep(histories, "aa a\nb\naaa")
    assert [hit.line for hit in find(histories, PATH, "a")] == [1, 3]


def test_an_expression_that_takes_for_ever_is_given_up(
    histories: Histories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In words; a server goes on answering others meanwhile, and ends when it is told to."""
    keep(histories, "x = '" + "a" * 60 + "!'")
    monkeypatch.setattr(module, "_SECONDS", 0.2)
    with pytest.raises(InvalidInput, match="takes more than"):
        find(histories, PATH, r"(?:(a|aa|aaa)+b?)+(?<=x)\1$", regex=True)


def test_a_state_that_windows_wrote_in_utf_16_is_searched(histories: Histories) -> None:
    raw = make_notebook("def mean(x): pass").decode().encode("utf-16")
    kept = histories.record(PATH, raw, reason=Reason.EXTERNAL_CHANGE).checkpoint
    [hit] = find(histories, PATH, "def mean")
    assert (hit.first.id, "def mean(x): pass" in hit.text) == (kept.id, True)
