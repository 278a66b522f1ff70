"""What `jupyter rewind recover` says of what it did, to people and to programs."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from jupyter_rewind.faces.cli import traces
from jupyter_rewind.rescue import Problem
from tests.faces.cli.conftest import COMMAND, Rewind, cell, notebook_bytes
from tests.support.histories import make_history


def test_each_cell_is_told_to_programs_with_where_it_is_from(
    stale: Path, history: Path, rewind: Rewind
) -> None:
    """With --json a program reads each cell, how sure it is, and where from."""
    ended = rewind("recover", stale, "--session", "2", "--json")
    data = ended.data
    assert data["state"] == "missing"
    assert data["file"] == "analysis.ipynb is not there any more."
    book = json.loads(Path(data["path"]).read_text())
    told = [(each["cell_type"], each["source"]) for each in data["provenance"]]
    assert told == [(each["cell_type"], "".join(each["source"])) for each in book["cells"]]
    for each, cell_ in zip(data["provenance"], book["cells"], strict=True):
        notes = cell_["metadata"]["rewind"]
        assert (each["confidence"], each["origins"]) == (notes["confidence"], notes["origins"])
    kinds = {one["kind"] for each in data["provenance"] for one in each["origins"]}
    assert kinds == {"checkpoint", "history"}


def test_folder_that_was_made_is_told(work: Path, history: Path, rewind: Rewind) -> None:
    """A folder of that name was not there, deleted or misspelt: you are told that it is now."""
    ended = rewind("recover", "nosuch/deep/nb.ipynb", "--session", "1")
    assert ended.status == 0
    assert f"There was no such folder; it was made: {work / 'nosuch' / 'deep'}" in ended.out
    again = rewind("recover", "nosuch/deep/nb.ipynb", "--session", "1")
    assert "it was made" not in again.out


def test_a_newer_file_with_fewer_cells_is_not_called_damaged(stale: Path, rewind: Rewind) -> None:
    """The file is sound and has lost cells: it says how many; you may have deleted them."""
    stale.write_bytes(notebook_bytes(cell("load", "x = 2\nprint(x)")))
    ended = rewind("recover", stale)
    assert "Damaged" not in ended.out + ended.err
    assert f"Not built on: {stale}, newer: it lacks 2 cells of another version" in ended.err
    page = stale.with_name("analysis.recovered.html").read_text()
    assert f"not in {stale}, which is newer" in page
    assert "what is left of" not in page


def test_what_found_no_place_is_told_where_it_is(stale: Path, home: Path, rewind: Rewind) -> None:
    """A script has no metadata, and a page is not always written: nothing else is claimed."""
    history = home / ".ipython" / "profile_default" / "history.sqlite"
    make_history(history, [["x = 2\nprint(x)", "x = (", "def helper(): ...", "helper("]])
    where = "of code that ran and found no place in the notebook are"
    kept, shown = "kept in its metadata", "shown on the page"
    for options, told in (
        ((), f"{kept} and {shown}."),
        (("--to", "py"), f"{shown}."),
        (("--output", "one.ipynb"), f"{kept}."),
        (("--output", "two"), f"{kept}."),
        (("--output", "two.txt"), f"{kept}."),
        (("--output", "three", "--to", "md"), "not in what was written: --report PAGE.html"),
        (("--output", "one.py", "--to", "py"), "not in what was written: --report PAGE.html"),
    ):
        ended = rewind("recover", stale, "--session", "1", *options)
        assert f"2 pieces {where} {told}" in ended.err, ended.err


def test_dash_is_no_file_to_write_to(stale: Path, work: Path, rewind: Rewind) -> None:
    """`--output -` is refused: no file called - is made, and nothing fills the terminal."""
    before = sorted(work.rglob("*"))
    ended = rewind("recover", stale, "--output", "-")
    assert ended.status == 2
    assert "--output - names no file: a notebook is written to a file" in ended.err
    assert sorted(work.rglob("*")) == before


def test_page_has_the_number_of_its_notebook(stale: Path, rewind: Rewind) -> None:
    """The third notebook's page is the third, also where the second's went elsewhere."""
    for options in ((), ("--report", "page.html"), ()):
        assert rewind("recover", stale, *options).status == 0
    names = {each.name for each in stale.parent.glob("analysis.recovered*")}
    assert names == {
        f"analysis.recovered{n}{s}" for n in ("", "-2", "-3") for s in (".ipynb", ".html")
    } - {"analysis.recovered-2.html"}


@pytest.mark.parametrize(("said", "status", "made"), [("n\n", 130, 0), ("y\n", 0, 1)])
def test_you_see_which_notebooks_it_would_be_before_all_are_brought_back(
    stale: Path, work: Path, said: str, status: int, made: int
) -> None:
    """On a terminal the notebooks are named first; a no writes nothing, and says so."""
    main, child = pty.openpty()
    command = [*COMMAND, "recover", "--all"]
    running = subprocess.Popen(command, cwd=work, stdin=subprocess.PIPE, stdout=child, stderr=child)
    os.close(child)
    assert running.stdin is not None
    running.stdin.write(said.encode())
    running.stdin.close()
    seen = b""
    try:
        while piece := os.read(main, 65536):
            seen += piece
    except OSError:
        pass  # it ended, and the terminal with it
    os.close(main)
    assert running.wait(180) == status
    assert f"{stale} (missing)" in seen.decode()
    assert ("Nothing was written." in seen.decode()) == (not made)
    assert len(list(work.glob("*.recovered.ipynb"))) == made


def test_many_troubles_of_one_kind_do_not_bury_the_answer() -> None:
    """A browser ends many processes a second: the first are named, the others are counted."""
    ended = [Problem(f"process {number}", "It has ended.") for number in range(12)]
    told = [each.text for each in traces.problem_remarks([*ended, Problem("/a", "It is empty.")])]
    assert told == [
        "process 0: It has ended.",
        "process 1: It has ended.",
        "process 2: It has ended.",
        "So it is with 9 more: --json names all.",
        "/a: It is empty.",
    ]


def test_a_session_that_may_be_its_newer_work_is_told_at_once(
    stale: Path, home: Path, rewind: Rewind
) -> None:
    """Half of the notebook ran again, and much besides: nobody is told that nothing is newer."""
    book = ["rows = read('sales.csv')", "total = sum(rows)", "best = max(rows)", "show(best)"]
    more = [f"model_{n} = fitted(order={n})" for n in range(30)]
    made = (cell(f"c{n}", each) | {"execution_count": n} for n, each in enumerate(book, 1))
    stale.write_bytes(notebook_bytes(*made))
    (stale.parent / ".ipynb_checkpoints" / "analysis-checkpoint.ipynb").unlink()
    history = home / ".ipython" / "profile_default" / "history.sqlite"
    make_history(history, [book, [*book[:2], *more]])
    ended = rewind("recover", stale)
    assert "(4 cells), and nothing newer was found that is surely its own (see below)." in ended.out
    assert "--session 1 --session 2" in ended.err
