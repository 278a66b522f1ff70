"""What stands in the sentences of an answer can be typed as it is, and read at a glance."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind.recovery.sentences import listed, typed


@pytest.mark.parametrize("name", ["a.ipynb", "my sales.ipynb", "-x.ipynb", "it's $(x).ipynb"])
@pytest.mark.parametrize("folder", [".", "inner", "../beside"])
def test_command_names_the_notebook_from_where_you_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, name: str
) -> None:
    """Asked for a notebook of another folder, the next command is about that one, and no option."""
    for each in ("here/inner", "beside"):
        (tmp_path / each).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    notebook = Path(os.path.normpath(tmp_path / "here" / folder)) / name
    (word,) = shlex.split(typed(notebook))
    assert Path(os.path.abspath(word)) == notebook
    assert not word.startswith("-")


def test_folder_that_is_gone_leaves_the_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who stands in a folder that was deleted can type no shorter one."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert typed(Path("/work/a.ipynb")) == "/work/a.ipynb"


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([3], "3"), ([4, 3], "3 and 4"), ([1, 3, 4], "1, 3 and 4"),
        ([1, 2, 3, 4], "1 to 4"), ([9, *range(1, 6), 11], "1 to 5, 9 and 11"),
    ],
)  # fmt: skip
def test_numbers_in_a_row_are_told_by_the_first_and_the_last(
    numbers: list[int], words: str
) -> None:
    """Twelve sessions make no long sentence."""
    assert listed(numbers) == words


@given(st.sets(st.integers(0, 60), min_size=1))
def test_no_number_is_left_out(numbers: set[int]) -> None:
    """All that were given are told, and no others."""
    told = set[int]()
    for part in listed(numbers).replace(" and ", ", ").split(", "):
        first, _, last = part.partition(" to ")
        told |= set(range(int(first), int(last or first) + 1))
    assert told == numbers
