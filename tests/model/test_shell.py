"""Names in commands that a person is told, as shells read them."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from jupyter_rewind.model.shell import quoted

NAMES = ("analysis.ipynb", "my analysis.ipynb", "it's.ipynb", "$HOME.ipynb", "", "naïve.ipynb")


@pytest.mark.parametrize("name", NAMES)
def test_posix_shell_reads_the_name_as_one_word(name: str) -> None:
    """Paste the command that you are told: it means this very file."""
    assert shlex.split(f"recover {quoted(name, 'linux')}") == ["recover", name]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (r"C:\Users\ana\analysis.ipynb", r"C:\Users\ana\analysis.ipynb"),
        (r"C:\Users\ana\my analysis.ipynb", r'"C:\Users\ana\my analysis.ipynb"'),
        ("it's.ipynb", '"it\'s.ipynb"'),
        ("C:\\my work\\", '"C:\\my work\\\\"'),
        ("a&b.ipynb", '"a&b.ipynb"'),
    ],
)
def test_windows_reads_the_name_as_one_word(name: str, told: str) -> None:
    """The Anaconda Prompt knows double quotes alone, and a path needs none for its backslashes."""
    assert quoted(name, "win32") == told
    # What Windows' own programs take a line apart by; blanks are what this adds quotes for.
    if "&" not in name and "'" not in name:
        assert subprocess.list2cmdline([name]) == told
