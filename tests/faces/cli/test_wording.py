"""Words for numbers, times, names and cells."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind.faces.cli import cells, wording


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9949, "9.9 kB"),
        (9960, "10 kB"),
        (999_499, "999 kB"),
        (999_600, "1.0 MB"),
        (25_500_000, "26 MB"),
        (3_000_000_000_000_000, "3000 TB"),
    ],
)
def test_sizes_read_well(size: int, words: str) -> None:
    """Sizes are short, and never round to something like 1000 kB."""
    assert wording.size(size) == words


def test_what_is_not_shown_is_told_in_the_singular_too() -> None:
    assert wording.hidden(1) == "1 more is not shown."
    assert wording.hidden(1200) == "1,200 more are not shown."


@given(st.text())
def test_no_name_steers_the_terminal(text: str) -> None:
    """A file name with escape codes in it is shown, not obeyed."""
    assert wording.visible(text).isprintable()


def test_bytes_of_a_name_that_are_no_text_are_spelled_out() -> None:
    """A file name in an old encoding can still be told from others."""
    assert wording.visible("a\udcff\x1b[2J") == "a\\xff\\x1b[2J"


def test_short_ids_still_differ() -> None:
    """Two checkpoints never look the same in a table."""
    assert wording.short_length(["0123456789abcdef", "f" * 16]) == 8
    assert wording.short_length(["0123456789abcdef", "0123456789ffffff"]) == 11


def test_times_for_programs_are_utc_with_microseconds() -> None:
    """A program reads the same time in every time zone."""
    assert wording.utc_time(1_790_000_000_123_456_789) == "2026-09-21T14:13:20.123456Z"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
KEYS = st.sampled_from(
    [
        "cells",
        "worksheets",
        "metadata",
        "source",
        "input",
        "outputs",
        "output_type",
        "data",
        "text",
        "traceback",
        "id",
    ]
)
ODD = st.dictionaries(
    KEYS, JSON | st.dictionaries(KEYS, JSON) | st.lists(st.dictionaries(KEYS, JSON))
)


@given(ODD)
def test_any_object_reads_as_a_notebook(content: dict[str, object]) -> None:
    """A broken notebook shows what it has; nothing fails."""
    "\n".join(cells.plain_lines(content))
    list(cells.rich_blocks(content))


def test_old_notebooks_are_shown(tmp_path: object) -> None:
    """Format 3, with its worksheets, inputs and picture keys, is shown too."""
    old = {
        "worksheets": [
            {
                "cells": [
                    {
                        "cell_type": "code",
                        "input": ["a = 1\n", "a"],
                        "language": "python",
                        "prompt_number": 7,
                        "outputs": [
                            {"output_type": "pyout", "text": ["1"], "png": "AAAA", "metadata": {}},
                            {"output_type": "pyerr", "traceback": ["\x1b[31mNo\x1b[0m"]},
                        ],
                    }
                ]
            }
        ]
    }
    text = "\n".join(cells.plain_lines(json.loads(json.dumps(old))))
    assert text == "# %% 1 code [7]\na = 1\na\n# > 1\n# > (png, 3 B)\n# > No\n"
