"""`jupyter rewind recover` in a folder: what is told of each notebook, and all at once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest

from tests.faces.cli.conftest import COMMAND, FIRST, SECOND, Rewind, cell, notebook_bytes, sources
from tests.support.histories import make_history


def with_cells(*more: object) -> bytes:
    book = json.loads(FIRST)
    return json.dumps({**book, "cells": [*book["cells"], *more]}).encode()


def without_metadata() -> bytes:
    book = json.loads(FIRST)
    del book["metadata"]
    return json.dumps(book).encode()


def test_a_folder_shows_what_can_be_brought_back(stale: Path, work: Path, rewind: Rewind) -> None:
    """Without a name you see each notebook, how it stands, and what to type next."""
    (work / "fine.ipynb").write_bytes(FIRST)
    (work / "empty.ipynb").write_bytes(b"")
    ended = rewind("recover")
    assert ended.status == 0
    told = {row[0]: row[1] for row in ended.rows}
    assert told == {"analysis.ipynb": "missing"}
    assert "1 notebook here is whole and up to date." in ended.err
    assert "empty.ipynb is there, but it is empty" in ended.err
    assert "jupyter rewind recover analysis.ipynb\n" in ended.err


def test_what_to_type_next_works_where_you_stand(
    stale: Path, work: Path, rewind: Rewind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for another folder, the commands name it; a shell runs nothing of a strange name."""
    inner = work / "inner"
    (inner / ".ipynb_checkpoints").mkdir(parents=True)
    kept = work / ".ipynb_checkpoints/analysis-checkpoint.ipynb"
    kept.rename(inner / ".ipynb_checkpoints/it's $(touch x)-checkpoint.ipynb")
    told = rewind("recover", "inner").err
    assert """recover 'inner/it'"'"'s $(touch x).ipynb'\n""" in told
    assert "recover --all inner\n" in told
    monkeypatch.chdir(inner)
    kept.parent.rmdir()
    (inner / ".ipynb_checkpoints/it's $(touch x)-checkpoint.ipynb").rename(
        inner / ".ipynb_checkpoints/-all-checkpoint.ipynb"
    )
    assert "recover ./-all.ipynb\n" in rewind("recover").err
    (work / "elsewhere").mkdir()
    monkeypatch.chdir(work / "elsewhere")
    assert f"recover {inner}/-all.ipynb\n" in rewind("recover", str(inner)).err


def test_folder_tells_what_an_older_version_has_more(stale: Path, rewind: Rewind) -> None:
    """A file that is whole may be an old state: a checkpoint or an editor's copy has more."""
    stale.write_bytes(FIRST)
    os.utime(stale, (1_800_000_000, 1_800_000_000))
    ended = rewind("recover")
    assert (ended.status, ended.rows) == (0, [])
    assert "analysis.ipynb is whole, but another version of it has a cell more" in ended.err
    assert "up to date" not in ended.err
    [told] = rewind("recover", "--json").data["notebooks"]
    assert (told["state"], told["can_gain"], bool(told["older"])) == ("whole", False, True)
    stale.write_bytes(SECOND)
    assert "1 notebook here is whole and up to date." in rewind("recover").err


def test_folder_tells_of_a_dropped_stash(work: Path, rewind: Rewind) -> None:
    """What you stashed and dropped is told in the folder, as it is told by the notebook's name."""
    path = work / "analysis.ipynb"
    path.write_bytes(FIRST)
    git(work, "init", "-q")
    git(work, "add", ".")
    git(work, "commit", "-q", "-m", "first")
    path.write_bytes(SECOND)
    git(work, "stash", "-q")
    git(work, "stash", "drop", "-q")
    assert path.read_bytes() == FIRST
    now = path.stat().st_mtime
    for each in (work / ".git" / "objects").rglob("*"):
        os.utime(each, (now + 3, now + 3))
    os.utime(path, (now + 5, now + 5))
    ended = rewind("recover")
    assert "analysis.ipynb is whole, but another version of it has 2 cells more" in ended.err
    assert "Another version has" in rewind("recover", "analysis.ipynb").err
    assert "another version of it has 2 cells more" in rewind("recover", "--all").err


def test_folder_names_a_notebook_that_lost_most_of_itself(stale: Path, rewind: Rewind) -> None:
    """The file is newer and whole, but most is gone: it is listed, and --all brings it back."""
    texts = [f"step_{number} = run({number})" for number in range(6)]
    cells = [cell(f"c{number}", each) for number, each in enumerate(texts)]
    kept = stale.parent / ".ipynb_checkpoints" / "analysis-checkpoint.ipynb"
    kept.write_bytes(notebook_bytes(*cells))
    stale.write_bytes(notebook_bytes(*cells[:2]))
    ended = rewind("recover")
    assert {row[0]: row[1] for row in ended.rows} == {"analysis.ipynb": "outdated"}
    assert "another version of it has 4 cells more" in ended.err
    assert rewind("recover", "--all").status == 0
    assert sources(stale.with_name("analysis.recovered.ipynb")) == texts


def git(folder: Path, *words: str) -> None:
    author = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    subprocess.run(["git", *author, *words], cwd=folder, check=True, timeout=60)


def test_folder_tells_what_was_run_and_not_saved(work: Path, home: Path, rewind: Rewind) -> None:
    """The file is whole, but two cells were run since: you are told, and --all has them."""
    book = json.loads(FIRST)
    saved = ["rows = load('rows.csv')", "rows = rows[rows.valid]", "rows.describe_all(deep=True)"]
    book["cells"] = [cell(f"c{number}", each) for number, each in enumerate(saved)]
    (work / "report.ipynb").write_text(json.dumps(book))
    os.utime(work / "report.ipynb", (1_700_000_000, 1_700_000_000))
    cells = [*saved, "total = sum(rows.values())", "share = total / len(rows)"]
    make_history(home / ".ipython" / "profile_default" / "history.sqlite", [cells])
    ended = rewind("recover")
    assert {row[0]: row[1] for row in ended.rows} == {"report.ipynb": "unsaved"}, ended
    assert "report.ipynb: 2 cells were run that the file does not hold." in ended.err
    ended = rewind("recover", "--all")
    assert ended.status == 0, ended.err
    assert sources(work / "report.recovered.ipynb") == cells


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (FIRST.decode().encode("utf-16"), "not in UTF-8"),
        (b"\xef\xbb\xbf" + FIRST, "byte order mark"),
        (notebook_bytes(cell("a", "half = 'X'")).replace(b"X", rb"\ud800"), "half a character"),
        (b"<<<<<<< HEAD\n" + FIRST + b"\n=======\n" + FIRST + b"\n>>>>>>> b\n", "conflict marks"),
        (with_cells(5, None), "2 things in its list of cells are no cell"),
        (with_cells({**cell("z", "z = 1"), "outputs": "no"}), "is not made as a cell is"),
        (with_cells({"cell_type": "code", "source": "z = 1"}), "is not made as a cell is"),
        (without_metadata(), "its metadata are missing"),
    ],
    ids=[
        "utf-16",
        "mark",
        "surrogate",
        "conflict",
        "no-cells",
        "outputs",
        "cell-metadata",
        "metadata",
    ],
)
def test_file_that_jupyter_does_not_open_is_not_called_whole(
    work: Path, rewind: Rewind, raw: bytes, words: str
) -> None:
    """Every cell reads, but Jupyter shows an error: a notebook that it opens is written."""
    (work / "odd.ipynb").write_bytes(raw)
    ended = rewind("recover", "odd.ipynb")
    assert ended.status == 0, ended.err
    assert words in ended.out
    assert "Damaged: " in ended.err
    assert "Likely lost: " not in ended.err
    nbformat.validate(nbformat.read(work / "odd.recovered.ipynb", as_version=4))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "analysis.ipynb is there, but it is empty: the file has 0 bytes."),
        (bytes(5000), "analysis.ipynb is there, but it holds nothing but NUL bytes"),
        (b"<!DOCTYPE html><p>Log in</p>", "analysis.ipynb is there, but it is a web page"),
        (b"[" * 200_000, "analysis.ipynb is there, but it is nested too deeply"),
    ],
    ids=["empty", "nul", "page", "brackets"],
)
def test_file_that_holds_nothing_is_told_first(
    work: Path, rewind: Rewind, raw: bytes, words: str
) -> None:
    """The file is there and worthless: that is said, and no trace claims that it holds anything."""
    (work / "analysis.ipynb").write_bytes(raw)
    ended = rewind("recover", "analysis.ipynb")
    assert ended.status == 3
    assert words in ended.err.splitlines()[0]
    listed = rewind("traces", "analysis.ipynb", "--json")
    [trace] = [each for each in listed.data["traces"] if each["kind"] == "file"]
    assert trace["holds"] == []


@pytest.mark.parametrize("options", [(), ("--all",)])
def test_folder_of_files_that_hold_nothing_ends_as_one_that_left_no_trace(
    work: Path, rewind: Rewind, options: tuple[str, ...]
) -> None:
    """The only notebook has 0 bytes, and nothing else tells of it: 3, with how it stands and the
    list of places; a whole one beside it is something."""
    (work / "analysis.ipynb").write_bytes(b"")
    ended = rewind("recover", *options)
    assert ended.status == 3
    first, second, *_ = (line.removeprefix("Error: ") for line in ended.err.splitlines())
    assert first.startswith("analysis.ipynb is there, but it is empty: the file has 0 bytes.")
    assert second.startswith(f"No other trace of any notebook in {work} was found.")
    assert "  - the trash: " in ended.err and "recover NOTEBOOK --scan DIR" in ended.err
    told = rewind("recover", *options, "--json")
    assert (told.status, "No other trace" in told.err) == (3, True)
    assert [each.name for each in work.iterdir()] == ["analysis.ipynb"]
    (work / "fine.ipynb").write_bytes(FIRST)
    assert rewind("recover", *options).status == 0


def test_folder_says_that_memory_is_looked_into_for_one_notebook(
    stale: Path, rewind: Rewind
) -> None:
    """`recover --memory` without a name looks into no memory, and says what would."""
    ended = rewind("recover", "--memory")
    assert ended.status == 0
    assert "Memory was not looked into" in ended.err
    assert "jupyter rewind recover NAME.ipynb --memory" in ended.err
    assert "Memory was" not in rewind("recover").err


def test_all_notebooks_in_need_are_brought_back_at_once(
    stale: Path, work: Path, rewind: Rewind
) -> None:
    """`--all` writes every notebook that is not whole and has traces, and leaves the others."""
    (work / "fine.ipynb").write_bytes(FIRST)
    deep = work / "deep" / ".ipynb_checkpoints" / "lost-checkpoint.ipynb"
    deep.parent.mkdir(parents=True)
    deep.write_bytes(FIRST)
    ended = rewind("recover", "--all")
    assert ended.status == 0, ended.err
    made = {str(each.relative_to(work)) for each in work.rglob("*.recovered.ipynb")}
    assert made == {"analysis.recovered.ipynb", "deep/lost.recovered.ipynb"}


def test_folder_tells_of_notebooks_without_a_name(work: Path, rewind: Rewind) -> None:
    """A notebook was staged once and deleted: the list says that there is one, and what to type."""
    path = work / "analysis.ipynb"
    path.write_bytes(SECOND)
    git(work, "init", "-q")
    git(work, "add", ".")
    git(work, "rm", "-q", "--cached", path.name)
    path.unlink()
    ended = rewind("recover")
    assert "No trace names a notebook here that can be brought back." in ended.err
    told = "1 notebook without a name (git): where yours is gone, recover it by the name"
    assert told in ended.err
    assert told in rewind("recover", "--all").err
    assert rewind("recover", "analysis.ipynb").status == 0


def test_checkpoint_that_was_committed_is_no_notebook_of_its_own(
    work: Path, rewind: Rewind
) -> None:
    """`git add -A` took `.ipynb_checkpoints`, too: the list has the notebook, also once both are
    gone; a checkpoint whose notebook was never committed stays in it, as all that is left."""
    kept = work / ".ipynb_checkpoints"
    kept.mkdir()
    for name in ("lost", "fine", "alone"):
        (kept / f"{name}-checkpoint.ipynb").write_bytes(FIRST)
        (work / f"{name}.ipynb").write_bytes(SECOND)
    git(work, "init", "-q")
    git(work, "add", ".")
    git(work, "rm", "-q", "--cached", "alone.ipynb")
    git(work, "commit", "-qm", "one")
    assert "3 notebooks here are whole" in rewind("recover").err
    shutil.rmtree(kept)
    (work / "lost.ipynb").unlink()
    ended = rewind("recover")
    assert [row[0] for row in ended.rows] == ["lost.ipynb"]
    assert "Bring one back: jupyter rewind recover lost.ipynb\n" in ended.err
    (work / "alone.ipynb").unlink()
    left = ".ipynb_checkpoints/alone-checkpoint.ipynb"
    assert {row[0] for row in rewind("recover").rows} == {"lost.ipynb", left}
    assert rewind("recover", left).status == 0


def test_what_is_wrong_with_the_file_is_said_once(stale: Path, rewind: Rewind) -> None:
    """The file is empty: one sentence says so."""
    stale.write_bytes(b"")
    ended = rewind("recover", stale)
    assert (ended.out + ended.err).count("0 bytes") == 1


def test_notebook_that_is_kept_as_text_is_not_called_missing(work: Path, rewind: Rewind) -> None:
    """A text notebook that never had an .ipynb is no loss; one that says its pair's name is."""
    for name, formats in (("alone", ""), ("paired", "#     formats: ipynb,py:percent\n")):
        head = f"# ---\n# jupyter:\n#   jupytext:\n{formats}#     text_representation:\n"
        text = f"{head}#       extension: .py\n# ---\n\n# %%\nx = 1\n"
        (work / f"{name}.py").write_text(text)
    ended = rewind("recover", "--json")
    assert [each["notebook"] for each in ended.data["notebooks"]] == [str(work / "paired.ipynb")]
    assert [each["place"] for each in ended.data["texts"]] == [str(work / "alone.py")]
    told = "1 notebook kept as text has no .ipynb (alone.py). Where there was one:"
    assert f"{told} jupyter rewind recover alone.ipynb" in rewind("recover").err
    assert rewind("recover", "--all", "--yes").status == 0
    assert [each.name for each in work.glob("*.ipynb")] == ["paired.recovered.ipynb"]
    assert rewind("recover", "alone.ipynb").status == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("words", [["analysis.ipynb"], ["--all", "--json"]])
def test_what_was_written_is_named_though_the_answer_cannot_be(
    stale: Path, work: Path, words: list[str]
) -> None:
    """The disk of a log is full: the notebook is there, and nobody needs to run it again."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, "recover", *words], stdout=full, stderr=subprocess.PIPE, check=False,
            cwd=work,
        )  # fmt: skip
    told = done.stderr.decode()
    assert done.returncode == 6
    assert "The command is done, but its answer could not be written: No space left" in told
    for suffix in ("ipynb", "html"):
        made = stale.with_name(f"analysis.recovered.{suffix}")
        assert made.exists()
        assert str(made) in told.replace("\n", "")


def test_folder_names_few_of_many_that_left_nothing_but_a_name(work: Path, rewind: Rewind) -> None:
    """Old kernels' files name many notebooks that were deleted long ago: they make no long list."""
    runtime = Path(os.environ["HOME"]) / ".local/share/jupyter/runtime"
    runtime.mkdir(parents=True)
    for number in range(9):
        told = {"jupyter_session": str(work / f"old{number}.ipynb")}
        (runtime / f"kernel-{number}.json").write_text(json.dumps(told))
    ended = rewind("recover")
    assert (ended.status, ended.rows) == (0, [])
    assert ended.err.count("nothing that ran for it is known") == 3
    assert "So it is with 6 more: --json names all." in ended.err
    assert len(rewind("recover", "--json").data["notebooks"]) == 9


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("http://localhost:8888/lab/tree/work/my%20sales.ipynb", "'my sales.ipynb'"),
        ("https://hub.example.org/user/ann/notebooks/a.ipynb?kernel=1", "a.ipynb"),
        ("http://localhost:8888/lab", "NAME.ipynb"),
    ],
)
def test_address_of_a_browser_is_told_to_be_one(address: str, name: str, rewind: Rewind) -> None:
    """Who copies what the browser shows learns what to type instead."""
    ended = rewind("recover", address)
    assert ended.status == 2
    assert "is an address that a browser shows, and no file" in ended.err
    assert f"jupyter rewind recover {name}" in ended.err


def test_address_of_a_file_is_that_file(stale: Path, work: Path, rewind: Rewind) -> None:
    """What a file manager copies names the notebook as well as its path does."""
    ended = rewind("recover", stale.as_uri())
    assert ended.status == 0
    assert (work / "analysis.recovered.ipynb").exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [("notes.md", "# Rows\n\n```python\nx = 1\n```\n"), ("notes.py", "# %%\nx = 1\n")],
)
def test_notebook_that_is_kept_as_text_is_no_damaged_one(
    name: str, text: str, work: Path, rewind: Rewind
) -> None:
    """It is asked for by its name, and is whole: nobody calls it broken JSON."""
    (work / name).write_text(text)
    ended = rewind("recover", name)
    assert ended.status == 0
    assert "x = 1" in sources(work / "notes.recovered.ipynb")
    assert "JSON" not in ended.out + ended.err
    assert "reads" not in ended.err
