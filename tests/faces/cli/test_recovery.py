"""`jupyter rewind recover`, `traces`, `sessions`, `grep` as a person uses them after a disaster."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest

from jupyter_rewind.faces.cli import app
from tests.faces.cli.conftest import FIRST, SECOND, THIRD, Rewind, cell, notebook_bytes, sources
from tests.support.histories import make_history
from tests.support.processes import anybodys_folder, run_unprivileged


def listing(folder: Path) -> dict[str, bytes]:
    return {str(each): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def test_a_lost_notebook_is_brought_back_by_one_command(
    stale: Path, home: Path, process: Rewind
) -> None:
    """One command, right after installing: the notebook lies beside the lost one, and a page."""
    before = listing(home)
    ended = process("recover", stale)
    assert ended.status == 0, ended.err
    made = stale.with_name("analysis.recovered.ipynb")
    assert sources(made) == ["# Title", "x = 2\nprint(x)", "def helper(): ..."]
    nbformat.validate(nbformat.read(made, as_version=4))
    page = stale.with_name("analysis.recovered.html")
    lines = ended.out.splitlines()
    assert lines[0].startswith("Brought back 3 cells of analysis.ipynb (")
    assert lines[1:4] == [
        f"  {made}",
        "Where each cell came from:",
        f"  {page}",
    ]
    after = listing(home)
    assert set(after) - set(before) == {str(made), str(page)}
    assert {name: after[name] for name in before} == before
    assert made.stat().st_mode & 0o077 == 0


def test_recovering_again_never_writes_over_anything(stale: Path, rewind: Rewind) -> None:
    """What you brought back first, and may have worked on since, stays."""
    assert rewind("recover", stale).status == 0
    made = stale.with_name("analysis.recovered.ipynb")
    made.write_text("mine now")
    assert rewind("recover", stale).status == 0
    assert made.read_text() == "mine now"
    assert sources(stale.with_name("analysis.recovered-2.ipynb"))
    ended = rewind("recover", stale, "--output", made)
    assert ended.status == 4
    assert "nothing is written over" in ended.err
    assert made.read_text() == "mine now"


def test_nothing_found_lists_the_places_that_were_looked_at(home: Path, rewind: Rewind) -> None:
    """Status 3, every kind of place, and what to try next; no store is made just to look."""
    before = listing(home)
    for command in ("recover", "traces"):
        ended = rewind(command, "never.ipynb")
        assert ended.status == 3
        for place in (".ipynb_checkpoints", "history.sqlite", "Trash", "git", "User/History"):
            assert place in ended.err
        assert "--scan" in ended.err
        assert "Is the name right? `jupyter rewind recover` without one lists" in ended.err
    assert listing(home) == before


def test_a_whole_notebook_is_told_to_be_whole(work: Path, home: Path, rewind: Rewind) -> None:
    """When nothing is wrong you are told so, and nothing is written."""
    path = work / "fine.ipynb"
    path.write_bytes(THIRD)
    before = listing(home)
    ended = rewind("recover", path)
    assert ended.status == 0
    assert "is whole on the disk (1 cell)" in ended.out
    assert listing(home) == before


def test_a_whole_notebook_is_written_in_another_form(stale: Path, rewind: Rewind) -> None:
    """Nothing newer was found, and you asked for Python: it is written, beside the notebook."""
    stale.write_bytes(notebook_bytes(cell("load", "x = 2\nprint(x)")))
    (stale.parent / ".ipynb_checkpoints" / "analysis-checkpoint.ipynb").unlink()
    ended = rewind("recover", stale, "--to", "py")
    written = stale.with_name("analysis.recovered.py")
    assert ended.status == 0 and str(written) in ended.out
    assert "# %%\nx = 2\nprint(x)" in written.read_text()


def test_an_older_version_that_has_more_is_offered_and_can_be_chosen(
    stale: Path, rewind: Rewind
) -> None:
    """An old tab wrote over newer work: the file is whole, and what it lacks is told."""
    stale.write_bytes(FIRST)
    os.utime(stale, (1_800_000_000, 1_800_000_000))
    ended = rewind("recover", stale)
    assert ended.status == 0
    assert "no newer state was found" in ended.out
    assert "Another version has 2 cells that are not in it" in ended.out + ended.err
    made = stale.with_name("chosen.ipynb")
    assert rewind("recover", stale, "--from", "analysis-checkpoint", "-o", made).status == 0
    assert sources(made) == ["# Title", "x = 2\nprint(x)", "def helper(): ..."]
    refused = rewind("recover", stale, "--from", "nowhere")
    assert refused.status == 2
    assert "analysis-checkpoint.ipynb" in refused.err


@pytest.mark.parametrize("damage", [b"", b"\0" * 500, SECOND[:200], notebook_bytes()])
def test_an_emptied_or_broken_notebook_is_brought_back(
    stale: Path, damage: bytes, rewind: Rewind
) -> None:
    """The file is there but empty, zeroed, cut short, or of no cells: the checkpoint has it all."""
    stale.write_bytes(damage)
    ended = rewind("recover", stale)
    assert ended.status == 0, ended.err
    assert len(sources(stale.with_name("analysis.recovered.ipynb"))) == 3
    assert stale.read_bytes() == damage


def test_notebook_of_an_unknown_format_is_not_called_whole(work: Path, rewind: Rewind) -> None:
    """What Jupyter does not open is written anew, though each cell of it reads."""
    (work / "strange.ipynb").write_text(json.dumps(json.loads(SECOND) | {"nbformat": 99}))
    ended = rewind("recover", "strange.ipynb")
    assert ended.status == 0, ended.err
    assert "whole" not in ended.out + ended.err
    nbformat.validate(nbformat.read(work / "strange.recovered.ipynb", as_version=4))


def test_form_and_name_must_agree(stale: Path, work: Path, rewind: Rewind) -> None:
    """A script is not written under a notebook's name, nor R as Python."""
    ended = rewind("recover", stale, "--to", "py", "-o", "p.ipynb")
    assert (ended.status, "ends in .ipynb, but --to py is written" in ended.err) == (2, True)
    kept = work / ".ipynb_checkpoints" / "analysis-checkpoint.ipynb"
    book = json.loads(SECOND)
    book["metadata"] = {"language_info": {"name": "R"}}
    kept.write_text(json.dumps(book))
    ended = rewind("recover", stale, "--to", "py")
    assert (ended.status, "is in R, so it was not written as Python" in ended.err) == (2, True)
    assert list(work.glob("*.recovered.*")) == []


def test_a_history_of_another_place_is_read(work: Path, history: Path, rewind: Rewind) -> None:
    """A history.sqlite that was copied away, from a backup or another machine, is read too."""
    moved = work / "from-backup.sqlite"
    shutil.move(history, moved)
    before = moved.read_bytes()
    ended = rewind("grep", "other", "--history", moved)
    assert [row[-1] for row in ended.rows] == ["other = 1"]
    assert moved.read_bytes() == before


def test_a_history_in_a_folder_that_is_scanned_is_read(
    work: Path, home: Path, history: Path, rewind: Rewind
) -> None:
    """You name the folder of a backup, and the history in it is read with all else."""
    backup = home / "backup" / "home" / ".ipython" / "profile_default"
    backup.mkdir(parents=True)
    shutil.move(history, backup)
    ended = rewind("recover", "lost.ipynb", "--scan", home / "backup", "--session", "1")
    assert ended.status == 0, ended.err
    assert "def area(r):\n    return 3 * r * r" in sources(work / "lost.recovered.ipynb")


def test_definitions_are_found_in_all_code_that_was_run(history: Path, rewind: Rewind) -> None:
    """`grep --python "def f"` gives the whole function back."""
    ended = rewind("grep", "--python", "def area")
    assert "def area(r):\n    return 3 * r * r" in ended.out
    assert rewind("grep", "--python", "def volume").status == 3
    assert rewind("grep", "(").status == 2
    assert [row[-1] for row in rewind("grep", "-F", "f area(r)").rows] == ["def area(r):"]


def test_a_hit_that_may_be_changed_says_so_in_every_form(history: Path, rewind: Rewind) -> None:
    """What a damaged history gives of a hurt row is found, and nobody takes it for sound."""
    raw = bytearray(history.read_bytes())
    at = raw.index(b"other = 1")
    raw[at : at + 2] = b"\xff\xfe"
    history.write_bytes(bytes(100) + raw[100:])
    ended = rewind("grep", "other")
    assert [row[-1] for row in ended.rows] == ["other = 1"]
    assert "its history is damaged: this may be changed." in ended.err
    [hit] = rewind("grep", "other", "--json").data["hits"]
    assert hit["words"] == "its history is damaged: this may be changed"


@pytest.mark.parametrize("command", [("sessions",), ("grep", "area")])
def test_no_history_at_all_lists_the_places_that_were_looked_at(
    command: tuple[str, ...], work: Path, rewind: Rewind
) -> None:
    """Status 3, every place where code that was run is kept, and that there is none."""
    ended = rewind(*command)
    assert ended.status == 3
    for place in ("history.sqlite", "kernels that still run", "own store", "there is none"):
        assert place in ended.err
    assert "--history" in ended.err


def test_a_search_without_a_hit_names_what_was_searched(history: Path, rewind: Rewind) -> None:
    """You see which histories were searched, and that a date left some out."""
    ended = rewind("grep", "volume")
    assert ended.status == 3
    assert "No code that was run holds 'volume'." in ended.err
    assert f"searched: {history}" in ended.err
    assert "--since and --until" in rewind("grep", "area", "--since", "2030-01-01").err


@pytest.mark.parametrize("command", [("sessions",), ("grep", "area")])
def test_history_that_may_not_be_read_is_not_called_missing(command: tuple[str, ...]) -> None:
    """A history that is closed to you is named: what was run may be in it."""
    with anybodys_folder() as folder:
        home = folder / "home"
        path = home / ".ipython" / "profile_default" / "history.sqlite"
        make_history(path, [["def area(r): ..."]])
        path.chmod(0o000)

        def look() -> None:
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                os.environ.update(HOME=str(home), XDG_DATA_HOME=str(home / ".local/share"))
                os.chdir(home)
                status = app.main([*command])
            assert status == 3
            assert f"{path}: It could not be" in err.getvalue()

        run_unprivileged(look)


def test_folder_that_may_not_be_written_to_is_told_by_the_names_that_you_know() -> None:
    """The folder is read-only: the file that could not be written is named, and where to put it."""
    with anybodys_folder() as folder:
        home = folder / "home"
        kept = home / ".ipynb_checkpoints" / "analysis-checkpoint.ipynb"
        kept.parent.mkdir(parents=True)
        kept.write_bytes(SECOND)
        kept.chmod(0o644)
        home.chmod(0o555)

        def look() -> None:
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                os.environ.update(HOME=str(home), XDG_DATA_HOME=str(home / ".local/share"))
                os.chdir(home)
                status = app.main(["recover", "analysis.ipynb"])
            told = err.getvalue()
            assert status == 6, told
            assert str(home / "analysis.recovered.ipynb") in told
            assert "rewind-tmp" not in told
            assert "--output PATH/analysis.recovered.ipynb" in told

        run_unprivileged(look)


def test_every_option_of_other_kinds_is_refused_in_words(stale: Path, rewind: Rewind) -> None:
    """What makes no sense is refused before anything is looked at."""
    for words in (
        ["--to", "docx"], ["--since", "whenever"], ["--scan", "nowhere"],
        ["--since", "2026-02-02", "--until", "2026-02-01"],
        ["--history", "nowhere.sqlite"], ["--all"],
    ):  # fmt: skip
        ended = rewind("recover", stale, *words)
        assert (ended.status, ended.out) == (2, ""), words
    assert rewind("recover", "--output", "x.ipynb").status == 2


def test_the_time_until_which_is_yours_to_say(stale: Path, work: Path, rewind: Rewind) -> None:
    """With --until, what was saved later is left out: yesterday's notebook comes back."""
    stale.write_bytes(THIRD)
    ended = rewind("recover", stale, "--until", "2024-01-01", "--output", "then.ipynb")
    assert ended.status == 0, ended.err
    assert len(sources(work / "then.ipynb")) == 3


@pytest.mark.usefixtures("history")
def test_a_time_that_leaves_nothing_is_told(work: Path, rewind: Rewind) -> None:
    """A date before all that was found is named as the reason, not that nothing is left."""
    (work / "analysis.ipynb").write_bytes(SECOND)
    ended = rewind("recover", "analysis.ipynb", "--until", "2020-01-01")
    assert ended.status == 3
    assert "--until left out all that was found: without, there are 2 traces" in ended.err
    assert "No trace of" in ended.err
    assert "of that time was found" in ended.err


def test_the_report_is_one_document_for_programs(stale: Path, rewind: Rewind) -> None:
    """With --json a program reads how many cells came from where, and where they lie."""
    data: dict[str, Any] = rewind("recover", stale, "--json").data
    assert data["cells"] == data["certain"] + data["likely"] + data["doubtful"] == 3
    assert Path(data["path"]).name == "analysis.recovered.ipynb"
    assert [each["kind"] for each in data["used"]] == ["checkpoint"]


def test_notebook_and_page_are_two_files(stale: Path, work: Path, rewind: Rewind) -> None:
    """One name for both is refused before anything is written."""
    ended = rewind("recover", stale, "-o", "both.html", "--report", "both.html")
    assert (ended.status, "name one file" in ended.err) == (2, True)
    assert not (work / "both.html").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "copies/"], "--output copies/ is a folder"),
        (["--report", "pages/"], "--report pages/ is a folder"),
        (["--report", "analysis.ipynb"], "what is written is a web page"),
        (["-o", "analysis.html"], "a notebook is written"),
    ],
)
def test_a_name_of_another_kind_of_file_is_refused(
    stale: Path, work: Path, rewind: Rewind, options: list[str], words: str
) -> None:
    """No page under the lost notebook's name, no notebook under a page's: nothing is written."""
    before = sorted(work.rglob("*"))
    ended = rewind("recover", stale, *options)
    assert (ended.status, words in ended.err) == (2, True), ended.err
    assert "Nothing was changed" in ended.err
    assert sorted(work.rglob("*")) == before


def test_a_page_goes_where_it_is_told(stale: Path, work: Path, rewind: Rewind) -> None:
    """--output alone writes one file; --report says where the page goes."""
    assert rewind("recover", stale, "--output", "a.ipynb").status == 0
    assert not list(work.glob("*.html"))
    ended = rewind("recover", stale, "--output", "b.ipynb", "--report", "b.html")
    assert ended.status == 0, ended.err
    assert "checkpoint" in (work / "b.html").read_text()
    assert rewind("recover", stale, "--output", "c.ipynb", "--report", "b.html").status == 4
    assert not (work / "c.ipynb").exists()


@pytest.mark.parametrize(
    ("form", "mark"), [("py", "# %% [markdown]\n# # Title"), ("md", "# Title")]
)
def test_a_notebook_is_brought_back_as_text(
    form: str, mark: str, stale: Path, rewind: Rewind
) -> None:
    """`--to py` and `--to md` give files that editors and Jupytext open."""
    assert rewind("recover", stale, "--to", form).status == 0
    text = stale.with_name(f"analysis.recovered.{form}").read_text()
    assert mark in text
    assert "def helper(): ..." in text


def test_code_that_only_ran_is_named_beside_a_whole_notebook(
    work: Path, history: Path, rewind: Rewind
) -> None:
    """The file is whole; that tries were run besides is told, and shown where you ask for it."""
    path = work / "areas.ipynb"
    area = "def area(r):\n    return 3 * r * r"
    path.write_bytes(notebook_bytes(cell("a", "import os"), cell("b", area)))
    ended = rewind("recover", path, "--session", "1", "--session", "2", "--json")
    assert ended.status == 0, ended.err
    shown = {each["source"] for each in ended.data["left_out"]}
    made = sources(Path(ended.data["path"] or path))
    assert shown | set(made) == {
        "import os",
        area,
        "sizes = [area(r) for r in range(9)]",
        "other = 1",
    }


def test_a_folder_that_cannot_be_written_to_is_told(home: Path) -> None:
    """You are told where to write instead, and nothing is lost by it."""
    with anybodys_folder() as folder:
        kept = folder / ".ipynb_checkpoints" / "analysis-checkpoint.ipynb"
        kept.parent.mkdir()
        kept.write_bytes(SECOND)

        def check() -> None:
            os.environ["HOME"] = str(folder)
            os.chdir(folder)
            said = io.StringIO()
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
                status = app.main(["recover", "analysis.ipynb"])
            assert (status, "--output PATH" in said.getvalue()) == (6, True), said.getvalue()

        run_unprivileged(check)
        assert [each.name for each in folder.iterdir()] == [".ipynb_checkpoints"]
