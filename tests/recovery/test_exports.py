"""Notebooks read back from what the real tools made of them: jupytext, nbconvert, papermill."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest

from jupyter_rewind.recovery.broken.welds import weld_in_words
from jupyter_rewind.recovery.evidence import Evidence, EvidenceCell, Scope, Trace
from jupyter_rewind.recovery.exports.page import read_page
from jupyter_rewind.recovery.exports.reading import read_export
from jupyter_rewind.recovery.formats import to_text
from jupyter_rewind.recovery.normal import cell_of
from jupyter_rewind.recovery.salvage import salvage_notebook
from jupyter_rewind.recovery.traces.exports import ExportFinder
from tests.support.notebooks import corpus_files

PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256))).decode()
FINDER = ExportFinder()


def result(text: str, count: int) -> Any:
    return nbformat.v4.new_output("execute_result", {"text/plain": text}, execution_count=count)


def display(**data: str) -> Any:
    named = {mime.replace("__", "+").replace("_", "/"): text for mime, text in data.items()}
    return nbformat.v4.new_output("display_data", named)


def stream(name: str, text: str) -> Any:
    return nbformat.v4.new_output("stream", name=name, text=text)


def notebook() -> Any:
    """What people write: magics, shell lines, functions, lists, formulas, pictures, an error."""
    v4 = nbformat.v4
    code = v4.new_code_cell
    said = [stream("stdout", "a\nb\n"), stream("stderr", "e\n")]
    fault = v4.new_output(
        "error", ename="ValueError", evalue="bad", traceback=["\x1b[0;31mValueError\x1b[0m: bad"]
    )
    return v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# Title\n\nSome *text* with `code`\n\n- a\n- b\n\n$$x^2$$"),
            code("%matplotlib inline\nimport numpy\n\n\ndef f(x):\n    return x\n\n\n# so\nf(2)"),
            code("2 < 3", execution_count=1, outputs=[result("2 < 3 & 4", 1)]),
            code('%%bash\nls\necho "x"', outputs=said),
            code("x = !ls\n!ls\nnp.array?\n# !important\nf?\n%time f(2)"),
            v4.new_markdown_cell("second"),
            code(
                "plt.plot()",
                execution_count=4,
                metadata={"tags": ["a", "b"]},
                outputs=[
                    display(image_png=PICTURE, text_plain="<Figure>"),
                    display(text_html="<table><td>1 &amp; 2</td></table>", text_plain="df"),
                    fault,
                ],
            ),
            code("# only a comment"),
            code("a = 1\n\nb = 2"),
            code("class A:\n\n    def g(self):\n        pass"),
            v4.new_markdown_cell("The end: [a link](https://jupyter.org)."),
        ],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python", "file_extension": ".py"},
        },
    )  # fmt: skip


def sources(cells: Any) -> list[tuple[str, str]]:
    return [
        (cell.kind, cell.source)
        if isinstance(cell, EvidenceCell)
        else (cell["cell_type"], cell["source"])
        for cell in cells
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    nbformat.write(notebook(), work / "a.ipynb")
    return work


def convert(folder: Path, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "nbconvert", *arguments, "a.ipynb"],
        cwd=folder, check=True, capture_output=True, timeout=240,
    )  # fmt: skip


def find(folder: Path, name: str = "a.ipynb", **more: Any) -> list[Trace]:
    scope = Scope(folder / name, folder, folder, folder / "scratch", **more)
    found = list(FINDER.find(scope))
    assert all(isinstance(one, Trace) for one in found), found
    return [one for one in found if isinstance(one, Trace)]


def read(folder: Path, place: str) -> Evidence:
    """What the finder tells of the one file, having found it by itself."""
    (trace,) = [trace for trace in find(folder) if Path(trace.place).name == place]
    assert trace.notebook == str(folder / "a.ipynb")
    scope = Scope(folder / "a.ipynb", folder, folder, folder / "scratch")
    return FINDER.read(trace, scope)


@pytest.mark.parametrize("form", ["py:percent", "py:hydrogen", "py:light", "md", "md:myst", "Rmd"])
def test_a_paired_file_gives_back_every_cell(folder: Path, form: str) -> None:
    """What jupytext wrote beside the notebook has all its code and Markdown."""
    suffix = form.partition(":")[0]
    jupytext.write(notebook(), folder / f"a.{suffix}", fmt=form)
    (document,) = read(folder, f"a.{suffix}").documents
    want = sources(notebook().cells)
    got = sources(document.cells)
    assert [one for one in want if one not in got] == []
    assert len(got) == len(want)
    assert document.metadata["kernelspec"]["name"] == "python3"


def fenced() -> nbformat.NotebookNode:
    """A notebook whose text shows code that is no cell."""
    return nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# How\n\n```python\nfake = 1\n```"),
            nbformat.v4.new_code_cell("real = 1", metadata={"tags": ["a"]}),
            nbformat.v4.new_markdown_cell("Or so:\n\n```python\nfake = 2\n```\n\nOr not."),
            nbformat.v4.new_markdown_cell("The end."),
        ],
        metadata={"kernelspec": {"name": "other", "language": "python", "display_name": "O"}},
    )


@pytest.mark.parametrize("form", ["Rmd", "md:myst", "md"])
def test_code_that_a_text_cell_shows_is_no_cell(folder: Path, form: str) -> None:
    """These formats mark what is a code cell: a fence in a Markdown cell stays in it."""
    suffix = form.partition(":")[0]
    jupytext.write(fenced(), folder / f"a.{suffix}", fmt=form)
    (document,) = read(folder, f"a.{suffix}").documents
    assert sources(document.cells) == sources(fenced().cells)
    assert document.metadata["kernelspec"]["name"] == "other"


def test_code_that_a_text_cell_shows_is_no_cell_of_nbconverts_markdown(folder: Path) -> None:
    """nbconvert marks nothing, and leaves two blank lines in front of code."""
    book = fenced()
    book.metadata["language_info"] = {"name": "python"}
    nbformat.write(book, folder / "a.ipynb")
    convert(folder, "--to", "markdown")
    (document,) = read(folder, "a.md").documents
    code = [cell.source for cell in document.cells if cell.kind == "code"]
    assert code == ["real = 1"]
    text = "\n\n".join(cell.source for cell in document.cells if cell.kind == "markdown")
    assert text == "\n\n".join(one.source for one in book.cells if one.cell_type == "markdown")


def test_a_note_in_a_markdown_file_is_text(folder: Path) -> None:
    """Words in braces may be a directive, and no language."""
    (folder / "a.md").write_text("Some.\n\n```{note}\nMind.\n```\n\n```python\na = 1\n```\n")
    (document,) = read(folder, "a.md").documents
    assert [cell.source for cell in document.cells if cell.kind == "code"] == ["a = 1"]


def test_a_script_of_nbconvert_gives_back_its_cells(folder: Path) -> None:
    """`nbconvert --to python`: code with its magics, and the comments that were Markdown."""
    convert(folder, "--to", "python")
    (document,) = read(folder, "a.py").documents
    assert sources(document.cells) == sources(notebook().cells)


@pytest.mark.parametrize("template", ["lab", "classic", "basic"])
def test_a_web_page_gives_back_cells_and_outputs(folder: Path, template: str) -> None:
    """nbconvert's pages: code, plain Markdown, and outputs under the cells that made them."""
    convert(folder, "--to", "html", "--template", template)
    (document,) = read(folder, "a.html").documents
    assert sources(document.cells) == sources(notebook().cells)
    outputs = {cell.source: cell.outputs for cell in document.cells}
    assert outputs["2 < 3"] == (dict(result("2 < 3 & 4", 1)),)
    assert [one["name"] for one in outputs['%%bash\nls\necho "x"']] == ["stdout", "stderr"]
    assert outputs['%%bash\nls\necho "x"'][0]["text"] == "a\nb\n"
    picture, table, fault = outputs["plt.plot()"]
    assert picture["data"] == {"image/png": PICTURE}
    assert table["data"] == {"text/html": "<table><td>1 &amp; 2</td></table>"}
    assert (fault["ename"], fault["evalue"]) == ("ValueError", "bad")
    counts = [cell.execution_count for cell in document.cells if cell.source == "plt.plot()"]
    assert counts == [4]


SHOWN = (
    '<div class="jp-Cell jp-CodeCell cell code_cell"><div class="jp-InputArea-editor input_area">'
    "<pre>fake_cell()</pre></div></div>"
)
PAGES = {
    "lab": (
        "jp-Cell jp-CodeCell jp-Notebook-cell", "jp-CodeMirrorEditor jp-InputArea-editor",
        "jp-RenderedHTML jp-OutputArea-output",
    ),
    "classic": (
        "cell border-box-sizing code_cell rendered", "input_area",
        "output_html rendered_html output_subarea",
    ),
}  # fmt: skip
"""The classes of a cell, its input and its output in pages of nbconvert's templates."""


@pytest.mark.parametrize("template", PAGES)
@pytest.mark.parametrize("has_input", [True, False])
def test_what_an_output_shows_as_html_is_no_cell_of_a_page(template: str, has_input: bool) -> None:
    """An output may show a notebook: its code is not the cell's, nor a cell, code shown or not;
    where a page leaves the code out (`--no-input`), its cells are doubted and it is said."""
    outer, inner, shown = PAGES[template]
    mime = ' data-mime-type="text/html"'
    page = "<body><main>"
    for source in ("df", "x = 1"):
        code = f'<div class="{inner}"><div><pre><span>{source}</span></pre></div></div>'
        output = f'<div class="{shown}"{mime}>{SHOWN}</div>' if source == "df" else ""
        page += f'<div class="{outer}">{code if has_input else ""}<div>{output}</div></div>'
    salvaged = read_page(f"{page}</main></body>")
    assert salvaged is not None
    texts = ["df", "x = 1"] if has_input else ["", ""]
    assert sources(salvaged.cells) == [("code", each) for each in texts]
    assert [output["data"] for output in salvaged.cells[0].outputs] == [{"text/html": SHOWN}]
    words = "" if has_input else "its code was left out of the page"
    assert [weld_in_words(cell) for cell in salvaged.cells] == [words, words]
    told = ("the page leaves out the code of 2 cells",)
    assert salvaged.damages == (() if has_input else told)


def test_a_page_saved_under_the_notebooks_name_is_read(folder: Path) -> None:
    """A browser's "save page as" in place of the notebook: what the page shows comes back."""
    convert(folder, "--to", "html")
    salvaged = salvage_notebook((folder / "a.html").read_bytes())
    assert sources(salvaged.cells) == sources(notebook().cells)
    assert "web page" in salvaged.damages[0]


def test_a_login_page_is_told_as_one() -> None:
    """A page without a notebook says what it is and what to do, and makes nothing up."""
    salvaged = salvage_notebook(b"<!DOCTYPE html><html><head><title>Sign in</title></head></html>")
    assert salvaged.cells == ()
    assert "web page (Sign in)" in salvaged.damages[0] and "load" in salvaged.damages[0]


def test_a_notebook_inside_a_page_is_found() -> None:
    """A page that shows the raw file: its cells come back through the page's escapes."""
    raw = nbformat.writes(notebook())
    page = "<html><body><pre>" + raw.replace("&", "&amp;").replace('"', "&quot;").replace(
        "<", "&lt;"
    )
    salvaged = salvage_notebook(f"{page}</pre></body></html>".encode())
    assert sources(salvaged.cells) == sources(notebook().cells)


def test_nbconverts_markdown_has_code_and_pictures(folder: Path) -> None:
    """Code is exact, a picture comes from its file; a text output never goes under a cell."""
    convert(folder, "--to", "markdown")
    (document,) = read(folder, "a.md").documents
    code = [cell for cell in document.cells if cell.kind == "code"]
    assert sources(code) == [one for one in sources(notebook().cells) if one[0] == "code"]
    outputs = {cell.source: cell.outputs for cell in code}
    assert [json.dumps(one["data"]) for one in outputs["plt.plot()"]] == [
        json.dumps({"image/png": PICTURE})
    ]
    assert sum(map(len, outputs.values())) == 1


def test_quartos_file_gives_back_its_cells(folder: Path) -> None:
    """A .qmd as Quarto documents it: front matter, fences with braces, options in comments."""
    (folder / "a.qmd").write_text(
        "---\ntitle: A\njupyter: python3\n---\n\n# Title\n\nSome text.\n\n```{python}\n"
        "#| label: fig-a\nplt.plot()\n```\n\n```bash\nnot run\n```\n\n```{python}\nb = 2\n```\n"
    )
    (document,) = read(folder, "a.qmd").documents
    code = [cell.source for cell in document.cells if cell.kind == "code"]
    assert code == ["#| label: fig-a\nplt.plot()", "b = 2"]
    assert document.cells[0].source == "# Title\n\nSome text."


@pytest.mark.slow
def test_papermills_copy_is_the_notebook_without_its_parameters(folder: Path) -> None:
    """A notebook that papermill ran is a trace of the one it was made from."""
    book = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell("n = 1", metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell("print(n + 1)"),
        ],
        metadata=notebook().metadata,
    )
    nbformat.write(book, folder / "a.ipynb")
    subprocess.run(
        [sys.executable, "-m", "papermill", "a.ipynb", "out of a.ipynb", "-p", "n", "41"],
        cwd=folder, check=True, capture_output=True, timeout=240,
    )  # fmt: skip
    (document,) = read(folder, "out of a.ipynb").documents
    assert sources(document.cells) == sources(book.cells)
    assert document.cells[1].outputs[0]["text"] == "42\n"


def test_files_of_other_names_and_of_no_cells_are_no_traces(folder: Path) -> None:
    """Other people's scripts and pages beside the notebook are left alone."""
    (folder / "b.py").write_text("# %%\nx = 1\n")
    (folder / "a.html").write_text("<html><body>A page of the same name</body></html>")
    (folder / "a.md").write_text("# Notes\n\nNo code here.\n")
    assert find(folder) == []


def test_a_script_without_cells_is_a_fragment(folder: Path) -> None:
    """A plain script of the notebook's name gives its code, with no borders made up."""
    (folder / "a.py").write_text("x = 1\n\n\ndef f():\n    return x\n")
    (fragment,) = read(folder, "a.py").fragments
    assert fragment.source == "x = 1\n\n\ndef f():\n    return x\n"


def test_exports_in_folders_beside_and_below_are_found(folder: Path) -> None:
    """Pairs kept in other folders, and built sites; not what another notebook's folder holds."""
    other = folder / "another"
    other.mkdir()
    nbformat.write(notebook(), other / "a.ipynb")
    jupytext.write(notebook(), other / "a.Rmd", fmt="Rmd")
    inner = folder / "notebooks"
    for place in (inner, folder / "scripts", inner / "_build" / "html"):
        place.mkdir(parents=True)
    jupytext.write(notebook(), folder / "scripts" / "a.py", fmt="py:percent")
    jupytext.write(notebook(), inner / "_build" / "html" / "a.md", fmt="md")
    found = {Path(trace.place).name for trace in find(inner)}
    assert found == {"a.py", "a.md"}


@pytest.mark.parametrize("form", ["py", "md"])
def test_what_is_written_as_text_comes_back(form: str) -> None:
    """`--to py` and `--to md`: this project and jupytext read all cells back."""
    book = notebook()
    text = to_text(book, form)
    ours = read_export(f"a.{form}", text.encode())
    assert ours is not None and sources(ours.cells) == sources(book.cells)
    theirs = jupytext.reads(text, fmt=form)
    assert [cell.source for cell in theirs.cells if cell.cell_type == "markdown"] == [
        cell.source for cell in book.cells if cell.cell_type == "markdown"
    ]
    exact = [one for one in sources(book.cells) if one in sources(theirs.cells)]
    assert len(exact) >= len(book.cells) - 1
    assert theirs.metadata["kernelspec"]["name"] == "python3"
    if form == "py":
        compile(text, "a.py", "exec")


@pytest.mark.slow
def test_real_notebooks_come_back_from_text() -> None:
    """Real Python notebooks written as text and read back: every cell, but for blank ends."""
    for path in corpus_files():
        book = json.loads(path.read_bytes())
        language = book.get("metadata", {}).get("language_info", {}).get("name")
        if language != "python" or book.get("nbformat") != 4:
            continue
        cells = [cell_of(cell) for cell in book["cells"]]
        whole = {
            "cells": [
                {"cell_type": c.kind, "source": c.source, "metadata": dict(c.metadata)}
                for c in cells
            ],
            "metadata": book["metadata"],
        }
        for form in ("py", "md"):
            read_back = read_export(f"a.{form}", to_text(whole, form).encode())
            want = [(c.kind, c.source.strip("\n")) for c in cells]
            assert read_back is not None or not any(kind == "code" for kind, _ in want), path
            if read_back is not None:
                got = [(kind, source.strip("\n")) for kind, source in sources(read_back.cells)]
                assert got == want, (path, form)
