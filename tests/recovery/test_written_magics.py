"""Magics in scripts: written as comments, and back as just what they were."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind.recovery.exports.magics import comment_magics, uncomment_magics
from jupyter_rewind.recovery.exports.reading import read_export


def test_comments_behind_code_stay_as_they_are() -> None:
    """Only a line that is a commented magic turns back into one."""
    text = "# %%\nx = 1  # !ls -l\ny = 2  # %time\n# %time x\n"
    read_back = read_export("a.py", text.encode())
    assert read_back is not None
    assert read_back.cells[0].source == "x = 1  # !ls -l\ny = 2  # %time\n%time x"


def test_what_looks_like_a_magic_in_a_string_stays_as_it_is() -> None:
    """A text over several lines is no code: the script prints what the notebook printed."""
    text = 'print("""\n%%notmagic\n!ls of words\n# %time x\n""")'
    source = f"{text}\n%time x\nquote = ' \"\"\" '\n!echo it's\n%who"
    shown = f"{text}\n# %time x\nquote = ' \"\"\" '\n# !echo it's\n# %who"
    assert comment_magics(source) == shown
    assert uncomment_magics(shown) == source
    compile(shown, "a.py", "exec")


LINES = (
    '"""', "'''", 'x = """ \\', "%time x", "# %time x", "%%bash", "# %%", "# # %% b", "!ls '",
    "it's #", "  # !a", 'y = "\\""', "", "x = !ls", "# x",
)  # fmt: skip


@given(st.lists(st.sampled_from(LINES), max_size=8).map("\n".join))
def test_commented_magics_turn_back_into_just_what_they_were(source: str) -> None:
    """Whatever stands in a cell, and whichever strings are open."""
    assert uncomment_magics(comment_magics(source)) == source
