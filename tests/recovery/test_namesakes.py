"""Files that are called as the notebook: states of it, or something else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.evidence import Evidence, EvidenceCell, FoundDocument, Trace
from jupyter_rewind.recovery.namesakes import is_called
from jupyter_rewind.recovery.rebuild import Rebuilt, rebuild
from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.report import report
from jupyter_rewind.recovery.survey import survey
from jupyter_rewind.recovery.traces.exports import ExportFinder
from tests.support.evidence import CHECKPOINT, TARGET, document, session, sources_of
from tests.support.histories import make_history
from tests.support.notebooks import book_of, code_cell, to_bytes
from tests.support.traces import Home, notebook_text, traces_of

EARLIER = 1_700_000_000
WORK = ("import numpy as np", "prices = np.loadtxt('prices.csv')", "model = fit(prices)")
README = "# How to run\n\n```python\nimport numpy as np\n```\n\n```python\nrun(Server())\n```\n"
PROGRAM = "# %%\nimport numpy as np\n\n# %%\nrun(Server())\n"
PAIR = (
    "# ---\n# jupyter:\n#   jupytext:\n#     text_representation:\n#       extension: .py\n"
    "#       format_name: percent\n# ---\n\n"
    "# %%\nprices = load(2025)\nprices\n\n# %%\nfit(prices)\n"
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "ann")


def put(path: Path, data: str | bytes, at: int = EARLIER) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    os.utime(path, (at, at))
    return path


def brought_back(home: Home) -> Recovery:
    found = recover(home.scope("analysis.ipynb"))
    assert isinstance(found, Recovery)
    return found


def texts(found: Recovery) -> list[str]:
    return [each.cell.source for each in found.rebuilt.cells]


@pytest.mark.parametrize(("name", "text"), [("md", README), ("py", PROGRAM)])
def test_readme_or_program_of_that_name_is_not_the_notebook(
    home: Home, name: str, text: str
) -> None:
    """A newer README.md or program beside the lost notebook does not take its place; it is told."""
    put(home.work / ".ipynb_checkpoints/analysis-checkpoint.ipynb", notebook_text(*WORK))
    put(home.work / f"analysis.{name}", text, EARLIER + 3600)
    found = brought_back(home)
    assert texts(found) == list(WORK)
    assert [each.trace.place for each in found.others] == [str(home.work / f"analysis.{name}")]


@pytest.mark.parametrize(("name", "text"), [("md", README), ("py", PROGRAM)])
def test_readme_or_program_is_not_what_the_kernel_ran(home: Home, name: str, text: str) -> None:
    """With no document left, what your kernel ran is the notebook, not a README of its name."""
    history = home.path / ".ipython/profile_default/history.sqlite"
    make_history(history, [WORK])
    put(home.work / f"analysis.{name}", text)
    found = recover(home.scope("analysis.ipynb", sessions=(1,)))
    assert isinstance(found, Recovery)
    assert texts(found) == list(WORK)
    script = "\n\n".join(f"# %%\n{each}" for each in (*WORK, "never_run()"))
    put(home.work / "analysis.py", script + "\n", EARLIER + 60)
    found = recover(home.scope("analysis.ipynb", sessions=(1,)))
    assert isinstance(found, Recovery)
    assert texts(found) == [*WORK, "never_run()"]


def test_later_export_with_its_code_is_the_newer_state(home: Home) -> None:
    """A script that was made of the lost notebook after its last checkpoint has more of it."""
    put(home.work / ".ipynb_checkpoints/analysis-checkpoint.ipynb", notebook_text(*WORK))
    script = "\n\n".join(f"# %%\n{each}" for each in (*WORK, "model.score(prices)"))
    put(home.work / "analysis.py", script + "\n", EARLIER + 3600)
    assert texts(brought_back(home)) == [*WORK, "model.score(prices)"]


@pytest.mark.parametrize("name", ["README.md", "program.py"])
def test_folder_tells_of_no_notebook_that_never_was(home: Home, name: str) -> None:
    """A README or a program alone says of no notebook that it is missing."""
    put(home.work / name, README if name.endswith("md") else PROGRAM)
    scope = home.scope(None)
    assert survey(scope, search.look(scope)).standings == ()


def test_markdown_made_of_a_whole_notebook_gives_nothing_new(home: Home) -> None:
    """What a tool made of the file later is no newer state of it: the file stands as it is."""
    put(home.work / "analysis.ipynb", notebook_text(*WORK))
    shown = "\n\n".join(f"```python\n{each}\n```" for each in WORK)
    put(home.work / "analysis.md", f"{shown}\n\n    array([1., 2.])\n", EARLIER + 3600)
    assert brought_back(home).adds_nothing


def test_pair_written_with_the_file_costs_no_output(home: Home) -> None:
    """jupytext writes the script a moment after the notebook; the outputs are the notebook's."""
    shown = {"output_type": "stream", "name": "stdout", "text": ["45"]}
    cells = [
        code_cell(1, source="prices = load(2025)\nprices", outputs=[shown]),
        code_cell(2, source="fit(prices)"),
    ]
    put(home.work / "analysis.ipynb", to_bytes(book_of(cells)))
    put(home.work / "analysis.py", PAIR, EARLIER + 1)
    found = brought_back(home)
    assert found.adds_nothing
    assert [bool(each.cell.outputs) for each in found.rebuilt.cells] == [True, False]
    put(home.work / "analysis.py", PAIR.replace("fit(prices)", "fit(prices, 3)"), EARLIER + 600)
    found = brought_back(home)
    assert texts(found) == ["prices = load(2025)\nprices", "fit(prices, 3)"]
    assert [bool(each.cell.outputs) for each in found.rebuilt.cells] == [True, False]


def test_pair_with_other_cells_is_the_newer_state_and_the_folder_says_so(home: Home) -> None:
    """You wrote on in the script, seconds after the notebook was saved: that is the newest."""
    notebook = home.work / "analysis.ipynb"
    put(notebook, notebook_text("prices = load(2025)\nprices", "fit(prices)"))
    put(home.work / "analysis.py", PAIR + "\n# %%\nscore(prices, folds=5)\n", EARLIER + 2)
    assert texts(brought_back(home))[-1] == "score(prices, folds=5)"
    scope = home.scope(None)
    [standing] = survey(scope, search.look(scope)).standings
    assert (standing.state, standing.can_gain) == ("outdated", True)
    assert standing.words == "analysis.py is newer, and has a cell more than analysis.ipynb."
    put(home.work / "analysis.py", PAIR, EARLIER + 2)
    [standing] = survey(scope, search.look(scope)).standings
    assert standing.state == "whole"
    put(home.work / "analysis.py", PAIR[: PAIR.index("# %%\nfit")], EARLIER + 600)
    [standing] = survey(scope, search.look(scope)).standings
    assert standing.words == "analysis.py is newer, and differs from analysis.ipynb."


def test_script_that_is_newer_is_told_in_the_folder_and_by_name_alike(home: Home) -> None:
    """You wrote on in a script that nothing pairs with the notebook: no answer calls it up to date,
    and nothing of it is taken for the notebook's state."""
    put(home.work / "analysis.ipynb", notebook_text(*WORK))
    script = "".join(f"# %%\n{each}\n\n" for each in WORK)
    for more, count in (("", 0), ("# %%\nscore(prices, folds=5)\n", 1)):
        put(home.work / "analysis.py", script + more, EARLIER + 600)
        scope = home.scope(None)
        [standing] = survey(scope, search.look(scope)).standings
        assert standing.state == "whole"
        told = "analysis.py is newer, and has code of a cell that analysis.ipynb has not."
        assert standing.older == (told if count else "")
        found = brought_back(home)
        assert found.adds_nothing
        assert report(found).newer == count


@pytest.mark.parametrize(
    "name",
    [
        "analysis.ipynb", "analysis (1).ipynb", "analysis-Copy1.ipynb", "Copy of analysis.ipynb",
        "analysis-checkpoint.ipynb", "analysis.ipynb.bak", "analysis.ipynb~", ".~analysis.ipynb",
        "#analysis.ipynb#", "analysis_2026-03-01.ipynb", "analysis~20260301-101500.ipynb",
        "analysis (Ann's conflicted copy 2026-03-01).ipynb", "analysis_v2.ipynb", "analysis.json",
        "analysis (1).ipynb.crdownload", "analysis.sync-conflict-20260301-101500-ABC.ipynb",
    ],
)  # fmt: skip
def test_copies_are_known_by_their_names(name: str) -> None:
    """What browsers, clouds and editors call a copy of your notebook."""
    assert is_called(name, "analysis")


@pytest.mark.parametrize(
    "name",
    [
        "analysis2.ipynb", "analysis_of_prices.ipynb", "my analysis.ipynb", "reanalysis.ipynb",
        "analysis-new-data.ipynb", "other.ipynb", "Analysis.ipynb",
    ],
)  # fmt: skip
def test_notebooks_of_longer_names_are_others(name: str) -> None:
    """Another notebook may have the name of yours in its own."""
    assert not is_called(name, "analysis")


def test_scanned_notebook_of_a_longer_name_does_not_take_its_place(home: Home) -> None:
    """Of a scanned folder your copy comes back, not a newer notebook of a longer name."""
    backup = home.path / "backup"
    put(backup / "analysis (1).ipynb", notebook_text(*WORK))
    put(backup / "analysis_of_taxes.ipynb", notebook_text("taxes = 1"), EARLIER + 3600)
    found = recover(home.scope("analysis.ipynb", scan=(backup,)))
    assert isinstance(found, Recovery)
    assert texts(found) == list(WORK)


def test_scanned_notebook_of_the_same_name_must_have_its_code(home: Home) -> None:
    """Two projects have an analysis.ipynb each: a backup of both gives you yours."""
    backup = home.path / "backup"
    put(home.work / ".ipynb_checkpoints/analysis-checkpoint.ipynb", notebook_text(*WORK))
    put(backup / "mine/analysis.ipynb", notebook_text(*WORK, "model.score()"), EARLIER + 60)
    put(backup / "other/analysis.ipynb", notebook_text("taxes = 1", "pay(taxes)"), EARLIER + 3600)
    found = recover(home.scope("analysis.ipynb", scan=(backup,)))
    assert isinstance(found, Recovery)
    assert texts(found) == [*WORK, "model.score()"]
    assert str(backup / "other/analysis.ipynb") in {each.trace.place for each in found.others}


def test_namesake_in_a_trash_that_notes_no_origin_must_have_its_code(home: Home) -> None:
    """macOS does not say from where a file was thrown away: another Untitled.ipynb is not yours."""
    put(home.work / ".ipynb_checkpoints/analysis-checkpoint.ipynb", notebook_text(*WORK))
    trash = home.path / ".Trash"
    put(trash / "analysis.ipynb", notebook_text("taxes = 1", "pay(taxes)"), EARLIER + 3600)
    found = recover(home.scope("analysis.ipynb", platform="darwin"))
    assert isinstance(found, Recovery)
    assert texts(found) == list(WORK)
    put(trash / "analysis 2.ipynb", notebook_text(*WORK, "model.score()"), EARLIER + 60)
    found = recover(home.scope("analysis.ipynb", platform="darwin"))
    assert isinstance(found, Recovery)
    assert texts(found) == [*WORK, "model.score()"]


def test_link_in_a_circle_costs_itself_alone(home: Home) -> None:
    """A link that leads to itself does not hide the exports beside it."""
    (home.work / "around.py").symlink_to("around.py")
    put(home.work / "analysis.py", PAIR)
    [trace] = traces_of(ExportFinder(), home.scope("analysis.ipynb"))
    assert trace.place == str(home.work / "analysis.py")


FILE = Trace("file", str(TARGET), str(TARGET), words="The file on disk")
BESIDE = Trace("file", str(TARGET.with_name("other.ipynb")), str(TARGET.with_name("other.ipynb")))
OWN = [f"price_{n} = model_{n}.predict(table, depth={n})" for n in range(8)]
OTHER = [f"draw_tree(branch={n}, leaves={n * 3}, colour='green')" for n in range(8)]


def numbered(sources: Sequence[str], trace: Trace, at: int) -> FoundDocument:
    cells = (EvidenceCell("code", each, (), n) for n, each in enumerate(sources, 1))
    return document(*cells, at=at, trace=trace)


def laid_over(file: Sequence[str], ran: Sequence[str], beside: Sequence[str]) -> Rebuilt:
    """The notebook, of which a checkpoint has the first six cells."""
    documents = (numbered(file, FILE, 900), numbered(OWN[:6], CHECKPOINT, 0))
    run = session(1, ran, at=-300, lasting=None, notebook=str(TARGET))
    return rebuild(TARGET, Evidence(documents, (run,), siblings=(numbered(beside, BESIDE, 300),)))


def test_another_notebook_that_was_copied_over_the_file_is_none_of_its_states() -> None:
    """`cp other.ipynb analysis.ipynb`: your work comes back, and nothing of the other one."""
    rebuilt = laid_over(OTHER, OWN, OTHER)
    assert sources_of(rebuilt) == OWN
    [words] = rebuilt.passed_over
    assert "other.ipynb" in words and "copied over" in words


@pytest.mark.parametrize(
    ("ran", "beside"),
    [(OTHER, OTHER), ([*OWN, *OTHER], OTHER), (OWN, OTHER[:5])],
    ids=["all written anew", "rewritten and copied", "another one"],
)
def test_a_file_that_was_written_anew_is_the_notebook(
    ran: Sequence[str], beside: Sequence[str]
) -> None:
    """What your kernel ran, or no notebook beside it has, was copied from nowhere."""
    rebuilt = laid_over(OTHER, ran, beside)
    assert set(OTHER) <= set(sources_of(rebuilt)) and not rebuilt.passed_over
