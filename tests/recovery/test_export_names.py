"""Which notebook an export is of: by the names that tools give, and by jupytext's `formats:`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jupytext
import nbformat.v4
import pytest
from jupytext.formats import long_form_multiple_formats
from jupytext.paired_paths import paired_paths

from jupyter_rewind.recovery.evidence import Trace
from jupyter_rewind.recovery.exports.names import paired_notebook
from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.traces.exports import ExportFinder
from tests.support.traces import Home, traces_of

FINDER = ExportFinder()
PAGE = '<html><div class="jp-Cell">jupyter <pre>x = 1</pre></div></html>'


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def written(path: Path, form: str, *cells: str, formats: str = "", language: str = "") -> Path:
    """A script as jupytext writes it."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
    if formats:
        book.metadata.jupytext = {"formats": formats}
    if language:
        book.metadata.language_info = {"name": language}
    path.parent.mkdir(parents=True, exist_ok=True)
    jupytext.write(book, path, fmt=form)
    return path


def found(home: Home, name: str | None, **more: Any) -> dict[str, str | None]:
    traces: list[Trace] = traces_of(FINDER, home.scope(name, **more))
    return {str(Path(e.place).relative_to(home.work)): e.notebook for e in traces}


@pytest.mark.parametrize(
    ("formats", "notebook", "script"),
    [
        ("notebooks///ipynb,scripts///py:percent", "notebooks/n.ipynb", "scripts/n.py"),
        ("notebooks///ipynb,scripts///py:percent", "notebooks/a/b/n.ipynb", "scripts/a/b/n.py"),
        ("ipynb,.pct.py:percent", "n.ipynb", "n.pct.py"),
        ("ipynb,text/of_/py:percent", "n.ipynb", "text/of_n.py"),
        ("ipynb,scripts//py:percent", "n.ipynb", "scripts/n.py"),
    ],
)
def test_pair_is_found_where_its_formats_say(
    home: Home, formats: str, notebook: str, script: str
) -> None:
    """Notebooks in one tree and scripts in another: the script is a trace of that notebook, and no
    notebook that never was is told to be missing."""
    pairs = paired_paths(str(home.work / notebook), "ipynb", long_form_multiple_formats(formats))
    assert [each for each, _ in pairs] == [str(home.work / notebook), str(home.work / script)]
    written(home.work / script, "py:percent", "x = 1", "y = x", formats=formats)
    (home.work / notebook).parent.mkdir(parents=True, exist_ok=True)
    own = str(home.work / notebook)
    assert found(home, None) == {script: own}
    assert found(home, notebook) == {script: own}
    lost = recover(home.scope(notebook, folder=(home.work / notebook).parent))
    assert isinstance(lost, Recovery)
    assert [each.cell.source for each in lost.rebuilt.cells] == ["x = 1", "y = x"]


@pytest.mark.parametrize(
    "formats",
    ["ipynb,py:percent", "notebooks///ipynb,scripts///py", "py:percent", "ipynb,../x//py", "///"],
)
def test_formats_that_do_not_fit_name_no_notebook(formats: str) -> None:
    """A file that was moved, or is another's: nothing is made up."""
    head = f"# ---\n# jupyter:\n#   jupytext:\n#     formats: {formats}\n# ---\n".encode()
    told = paired_notebook(Path("/w/elsewhere/n.py"), head)
    assert told in (None, Path("/w/elsewhere/n.ipynb"))
    assert paired_notebook(Path("/w/n.py"), b"# %%\nx = 1\n") is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("jupytext.toml", '[formats]\n"notebooks/" = "ipynb"\n"scripts/" = "py:percent"\n'),
        ("jupytext.toml", 'formats = "notebooks///ipynb,scripts///py:percent"\n'),
        (".jupytext.toml", 'formats = ["a///ipynb,b///md", "notebooks///ipynb,scripts///py"]\n'),
        ("pyproject.toml", '[tool.jupytext.formats]\nnotebooks = "ipynb"\nscripts = "py"\n'),
    ],
)
def test_pair_is_found_where_the_folders_configuration_says(
    home: Home, name: str, text: str
) -> None:
    """The script says nothing itself: jupytext's configuration pairs two trees."""
    (home.work / name).write_text(text)
    written(home.work / "scripts/a/n.py", "py:percent", "x = 1", "y = x")
    (home.work / "notebooks/a").mkdir(parents=True)
    own = str(home.work / "notebooks/a/n.ipynb")
    assert found(home, "notebooks/a/n.ipynb") == {"scripts/a/n.py": own}
    assert found(home, None) == {"scripts/a/n.py": own}


@pytest.mark.parametrize("text", ["", "formats = 7\n", "formats = [[]]\n", "[formats\n", "\xff"])
def test_configuration_that_says_nothing_pairs_nothing(home: Home, text: str) -> None:
    """It is empty, or does not read, as jupytext refuses it: a script is of its own name then."""
    (home.work / "jupytext.toml").write_bytes(text.encode("latin-1"))
    script = written(home.work / "scripts/n.py", "py:percent", "x = 1")
    assert paired_notebook(script, script.read_bytes()) is None


def test_plain_code_below_a_configuration_is_no_notebook(home: Home) -> None:
    """Only what jupytext wrote is paired: a module in the same tree is none."""
    (home.work / "jupytext.toml").write_text('formats = "notebooks///ipynb,scripts///py"\n')
    assert paired_notebook(home.work / "scripts/tools.py", b"def f():\n    pass\n") is None


def test_pair_of_another_notebook_of_the_name_is_not_taken(home: Home) -> None:
    """`scripts/a/n.py` is of `notebooks/a/n.ipynb`, not of `notebooks/n.ipynb`."""
    formats = "notebooks///ipynb,scripts///py:percent"
    written(home.work / "scripts/a/n.py", "py:percent", "x = 1", formats=formats)
    (home.work / "notebooks").mkdir()
    assert found(home, "notebooks/n.ipynb") == {}


def test_pair_of_a_notebook_elsewhere_is_no_missing_notebook_here(home: Home) -> None:
    """In `scripts` alone, no notebook is missing: they lie in `notebooks`."""
    formats = "notebooks///ipynb,scripts///py:percent"
    written(home.work / "scripts/n.py", "py:percent", "x = 1", formats=formats)
    assert found(home, None, folder=home.work / "scripts") == {}


@pytest.mark.parametrize(
    ("suffix", "form", "language"),
    [("R", "R:percent", "R"), ("jl", "jl:percent", "julia"), ("jl", "jl:light", "julia")],
)
def test_scripts_of_r_and_julia_bring_back_their_notebook(
    home: Home, suffix: str, form: str, language: str
) -> None:
    """A notebook in R or Julia that is paired with a script comes back from it, in its language."""
    cells = ["x = 1\n\n\nprint(x)", "plot(x)"]
    written(home.work / f"analysis.{suffix}", form, *cells, language=language)
    lost = recover(home.scope())
    assert isinstance(lost, Recovery)
    assert [each.cell.source for each in lost.rebuilt.cells] == cells
    assert lost.rebuilt.metadata["language_info"]["name"] == language


@pytest.mark.parametrize("name", ["e.html", "e.slides.html", "e.nbconvert.html", "e.ipynb.html"])
def test_page_of_any_name_of_nbconverts_is_its_notebooks(home: Home, name: str) -> None:
    """Slides are called `e.slides.html`: a trace of `e.ipynb`, and of nothing else."""
    (home.work / name).write_text(PAGE)
    assert found(home, None) == found(home, "e.ipynb") == {name: str(home.work / "e.ipynb")}


def test_page_of_a_notebook_that_is_called_so_is_its(home: Home) -> None:
    """There is an `e.slides.ipynb`: its page is not that of `e.ipynb`."""
    (home.work / "e.slides.html").write_text(PAGE)
    (home.work / "e.slides.ipynb").write_text("{}")
    assert found(home, None) == {"e.slides.html": str(home.work / "e.slides.ipynb")}


def test_exports_of_a_notebook_that_was_brought_back_are_its_traces(home: Home) -> None:
    """Who goes on in `a.recovered.ipynb` and loses it gets it back from its pair; of `a.ipynb` they
    are none, and no notebook of that name is told to be missing."""
    written(home.work / "a.recovered.py", "py:percent", "x = 1")
    (home.work / "a.recovered.slides.html").write_text(PAGE)
    (home.work / "a.recovered-2.html").write_text(PAGE)
    own = str(home.work / "a.recovered.ipynb")
    names = ["a.recovered.py", "a.recovered.slides.html"]
    assert found(home, "a.recovered.ipynb") == dict.fromkeys(names, own)
    assert found(home, "a.ipynb") == found(home, None) == {}
