"""Tables on a terminal: what matters can be read, however narrow it is."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from jupyter_rewind.faces.cli import fitting, ran, recovered, render, traces, views
from jupyter_rewind.faces.cli.answers import Column, Table

ROW = (
    "7ad53f", "2026-11-21 11:23:36", "external-change", "12", "+12 ~21 -3", "14.2 kB", "somebody",
    "before the talk, (pinned)",
)  # fmt: skip


def shown(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """The lines on a terminal of this width."""
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, no_color=True, color_system=None)
    render._show_table(console, Table(columns, rows))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_a_history_can_be_read_at_usual_widths(width: int) -> None:
    """The id, the time, the reason and the labels stand there whole."""
    lines = shown(views.CHECKPOINT_COLUMNS, [ROW], width)
    text = " ".join(" ".join(line[:width].split()) for line in lines)
    for word in (*ROW[:3], "before", "talk,", "(pinned)"):
        assert word in text, lines
    assert all(len(line.rstrip()) <= width for line in lines)


def test_what_has_no_room_is_named() -> None:
    """The least needed columns go first; nothing is named where all is shown."""
    *_, last = shown(views.CHECKPOINT_COLUMNS, [ROW], 80)
    assert last == "A wider terminal shows: cells, size, author."
    assert not any("wider" in line for line in shown(views.CHECKPOINT_COLUMNS, [ROW], 120))


def test_short_words_leave_room_for_all() -> None:
    """A usual history, without labels, is shown whole on 80 columns."""
    row = ("7ad53f", "2026-11-21 11:23:36", "save", "12", "+1", "14.2 kB", "ada", "")
    assert not any("wider" in line for line in shown(views.CHECKPOINT_COLUMNS, [row], 80))


PLACE = "/home/ann/work/projects/prices/.ipynb_checkpoints/analysis-checkpoint.ipynb"
WHEN = "2026-11-21 11:23:36"
TRACE = (
    "running kernel", WHEN, "14.2 kB", "code, markdown, order, outputs, times",
    "Jupyter's checkpoint", PLACE,
)  # fmt: skip
SESSION = ("12345", WHEN, WHEN, "1200", "100%", PLACE, "import numpy as np", PLACE)
STANDING = ("work/projects/prices/analysis.ipynb", "outdated", "12", WHEN, "checkpoint, history")
USED = ("12", "IPython's history (profile_default), session 12", WHEN, PLACE)


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize(
    ("columns", "row", "needed"),
    [
        (traces.COLUMNS, TRACE, (0, 1, 4, 5)),
        (ran.SESSIONS, SESSION, (0, 1, 3, 5, 6)),
        (recovered.OVERVIEW, STANDING, (0, 1, 3, 4)),
        (recovered.USED, USED, (0, 1, 2, 3)),
    ],
)
def test_what_was_lost_can_be_read_on_a_usual_terminal(
    columns: Sequence[Column], row: Sequence[str], needed: Sequence[int], width: int
) -> None:
    """What was found and where it lies is never left out, on 80 columns either."""
    [head, *lines] = shown(columns, [row], width)
    for number in needed:
        name = columns[number].name
        assert name in head, head
        start = head.index(name)
        following = [head.index(c.name) for c in columns if c.name in head]
        end = min((at for at in following if at > start), default=width)
        if columns[number].right:
            continue
        told = "".join("".join(line[start:end].split()) for line in lines)
        assert told.startswith("".join(row[number].split())), lines


_COLUMNS = st.lists(
    st.builds(Column, st.text("ab", min_size=1, max_size=9), gives_way=st.integers(0, 3)),
    min_size=1,
    max_size=6,
)


@given(_COLUMNS, st.integers(1, 80), st.text("xy宽 ", max_size=30))
def test_columns_give_way_in_order_and_no_more_than_needed(
    columns: list[Column], width: int, value: str
) -> None:
    """Those that never give way stay; one more of the others would not have fitted."""
    table = Table(columns, [[value] * len(columns)])
    chosen = fitting.choose_columns(table, width)
    left = [number for number in range(len(columns)) if number not in chosen]
    assert {number for number, each in enumerate(columns) if not each.gives_way} <= set(chosen)
    widths = fitting.measure(table)
    assert all(each >= cell_len(value) for each in widths)
    if left:
        back = min(left, key=lambda number: (columns[number].gives_way, number))
        assert fitting.total([widths[number] for number in [*chosen, back]]) > width
        kept = [columns[number].gives_way for number in chosen]
        assert max(kept, default=0) <= columns[back].gives_way
