"""Which notebook a command runs, told from its words alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_rewind.faces.ipython.launcher import Launcher, Process, read_command

PYTHON = "/env/bin/python3.12"


def read(folder: Path, *command: str, **environment: str) -> Launcher | None:
    return read_command(Process(command, str(folder), environment))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.ipynb", "b.ipynb", "a.b.ipynb"):
        (tmp_path / name).write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ("a.ipynb", "out.ipynb"),
        ("-p", "alpha", "b.ipynb", "a.ipynb", "out.ipynb", "--log-output"),
        ("a.ipynb", "out.ipynb", "-k", "python3", "--parameters_yaml", "{x: 1}"),
        ("s3://bucket/a.ipynb", "out.ipynb", "--engine=nbclient"),
    ],
)
def test_a_run_of_papermill_is_that_of_the_notebook_it_writes(
    folder: Path, words: tuple[str, ...]
) -> None:
    """Whatever its parameters are, and wherever its template lies."""
    wanted = Launcher("papermill", str(folder / "out.ipynb"))
    assert read(folder, PYTHON, "/env/bin/papermill", *words) == wanted
    assert read(folder, PYTHON, "-X", "dev", "-m", "papermill", *words) == wanted
    assert read(folder, "/env/bin/papermill", *words) == wanted


@pytest.mark.parametrize(
    "words",
    [
        ("a.ipynb", "-"),
        ("a.ipynb", "s3://bucket/out.ipynb"),
        ("a.ipynb", "out-{alpha}.ipynb", "-p", "alpha", "1"),
        ("a.ipynb",),
        ("a.ipynb", "out.ipynb", "--unheard-of", "more.ipynb"),
        (),
    ],
)
def test_where_papermill_writes_is_not_guessed(folder: Path, words: tuple[str, ...]) -> None:
    """Output that goes elsewhere, names that papermill fills in, options that nobody knows."""
    assert read(folder, PYTHON, "/env/bin/papermill", *words) == Launcher("papermill")


def test_papermill_works_in_one_folder_and_writes_to_another(folder: Path) -> None:
    """With `--cwd`, names are those of the folder that it was called in, if that is known."""
    (folder / "work").mkdir()
    words = (PYTHON, "papermill", "a.ipynb", "out.ipynb", "--cwd", "work")
    called = Launcher("papermill", str(folder / "out.ipynb"))
    assert read(folder / "work", *words, PWD=str(folder)) == called
    assert read(folder / "work", *words, PWD="/elsewhere") == Launcher("papermill")
    assert read(folder / "work", *words) == Launcher("papermill")


@pytest.mark.parametrize(
    ("script", "words", "name"),
    [
        ("jupyter-execute", ("a.ipynb",), "a.ipynb"),
        ("jupyter-execute", ("a",), "a.ipynb"),
        ("jupyter-execute", ("--timeout", "9", "a.ipynb", "--allow-errors"), "a.ipynb"),
        ("jupyter-execute", ("--inplace", "sub/../a.ipynb"), "sub/../a.ipynb"),
        ("jupyter-execute", ("a.ipynb", "b.ipynb"), ""),
        ("jupyter-nbconvert", ("--execute", "--to", "html", "a.ipynb"), "a.ipynb"),
        ("jupyter-nbconvert", ("--execute", "b"), "b.ipynb"),
        ("jupyter-nbconvert", ("--output", "b.ipynb", "--execute", "a.ipynb"), "a.ipynb"),
        ("jupyter-nbconvert", ("--ExecutePreprocessor.timeout", "9", "a.ipynb"), "a.ipynb"),
        ("jupyter-nbconvert", ("--ExecutePreprocessor.timeout=9", "a.ipynb"), "a.ipynb"),
        ("jupyter-nbconvert", ("--execute", "*.ipynb"), ""),
        ("jupyter-nbconvert", ("--execute", "gone.ipynb"), ""),
        ("jupyter-nbconvert", ("--unheard-of", "b.ipynb", "a.ipynb"), ""),
        ("jupyter-nbconvert", ("--execute", "--", "a.ipynb"), ""),
    ],
)
def test_jupyters_programs_run_the_one_notebook_they_name(
    folder: Path, script: str, words: tuple[str, ...], name: str
) -> None:
    """One that is named without a doubt; of several, none."""
    found = read(folder, PYTHON, f"/env/bin/{script}", *words)
    assert found is not None
    assert found.program == {"execute": "jupyter execute"}.get(script[8:], "nbconvert")
    assert found.notebook == (str(folder / name) if name else "")


@pytest.mark.parametrize(
    "command",
    [
        (PYTHON, "-m", "ipykernel_launcher", "-f", "kernel.json"),
        (PYTHON, "/env/bin/jupyter-lab", "a.ipynb"),
        (PYTHON, "-c", "import papermill", "a.ipynb"),
        (PYTHON, "run.py", "papermill", "a.ipynb"),
        (PYTHON,),
        ("",),
        (),
    ],
)
def test_other_programs_are_none_of_these(folder: Path, command: tuple[str, ...]) -> None:
    """Servers, scripts and kernels run no notebook from beginning to end."""
    assert read(folder, *command) is None
