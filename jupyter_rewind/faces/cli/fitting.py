"""Which columns of a table a terminal has room for: what matters stays whole, the rest goes."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from jupyter_rewind.faces.cli.answers import Table

GAP = 2
FOLDED_WIDTH = 20
"""A folded column is not made narrower: words of one letter a line help nobody."""


def measure(table: Table) -> list[int]:
    """The width that each column needs: all of it, or where it may be folded a part of it."""
    widths = []
    for number, column in enumerate(table.columns):
        widest = max(cell_len(row[number]) for row in table.rows)
        widest = min(widest, FOLDED_WIDTH) if column.fold else widest
        widths.append(max(widest, cell_len(column.name)))
    return widths


def choose_columns(table: Table, width: int) -> list[int]:
    """The columns to show in so many letters a line, by number: those that give way go first, the
    last of them before the others."""
    widths = measure(table)
    shown = list(range(len(table.columns)))
    giving_way = sorted(
        (column.gives_way, number)
        for number, column in enumerate(table.columns)
        if column.gives_way
    )
    while giving_way and total([widths[number] for number in shown]) > width:
        shown.remove(giving_way.pop()[1])
    return shown


def total(widths: Sequence[int]) -> int:
    """The width of columns side by side."""
    return sum(widths) + GAP * (len(widths) - 1)
