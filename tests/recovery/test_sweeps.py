"""Runs of many cells in the notebook's order are told from work here and there."""

from __future__ import annotations

from dataclasses import replace

from jupyter_rewind.recovery.sweeps import find_sweep
from tests.support.evidence import (
    TARGET,
    code,
    document,
    prose,
    rebuilt_of,
    session,
    sources_of,
)

CELLS = [f"cell {number}" for number in range(20)]


def test_cells_run_in_order_are_a_sweep() -> None:
    """Running all cells is seen as such."""
    sweep = find_sweep(CELLS, [*CELLS])
    assert sweep is not None
    assert sweep.pairs == tuple((at, at) for at in range(20))


def test_sweep_ends_where_work_begins() -> None:
    """After a restart all cells are run to where one works; what follows is work."""
    ran = [*CELLS[:12], "new", "new 2", CELLS[3], "new 3", CELLS[1], CELLS[0], "new"]
    sweep = find_sweep(ran, [*CELLS])
    assert sweep is not None
    assert sweep.length == 12


def test_deleted_cells_leave_gaps() -> None:
    """Cells that are no longer there do not end a sweep."""
    ran = [*CELLS[:5], *CELLS[9:]]
    sweep = find_sweep(ran, [*CELLS])
    assert sweep is not None
    assert sweep.length == len(ran)


def test_jump_ahead_is_not_part_of_it() -> None:
    """Going on far below does not say that the cells between were deleted."""
    sweep = find_sweep([*CELLS[:5], CELLS[18], "work"], [*CELLS])
    assert sweep is not None
    assert sweep.pairs[-1] == (4, 4)


def test_markdown_between_the_cells_does_not_matter() -> None:
    """Only code is run."""
    cells = [text for cell in CELLS for text in (None, cell)]
    sweep = find_sweep(CELLS, cells)
    assert sweep is not None
    assert len(sweep.pairs) == 20


def test_work_here_and_there_is_no_sweep() -> None:
    """Single cells run again are no run of all."""
    assert find_sweep([CELLS[9], "x", CELLS[2], "y", CELLS[15], "z"], [*CELLS]) is None
    assert find_sweep([], [*CELLS]) is None
    assert find_sweep(CELLS, []) is None


def test_cells_of_a_guessed_place_give_way_to_those_of_a_known_one() -> None:
    """Where a new cell was only guessed to stand, a run of all cells says where it stands."""
    cells = ["a", "b", "c", "end", "new", "other"]
    sweep = find_sweep(["a", "b", "c", "other", "new", "end"], cells, frozenset({"new", "other"}))
    assert sweep is not None
    assert sweep.length == 6
    assert sweep.pairs[-1] == (5, 3)


def test_restart_settles_what_a_small_notebook_has() -> None:
    """After a restart you ran all of it: the text before your edit and a failed try are out."""
    base, scale, label = "base = 10", "scale = base * 3\nscale", 'label = "x" * scale\nlen(label)'
    edited, final = scale.replace("3", "4"), "final = label.upper()\nfinal[:4]"
    tried = "wrong = undefined_thing + 1"
    cells = [
        replace(code(each), execution_count=count)
        for count, each in enumerate((base, scale, label), 1)
    ]
    first = session(
        1, [base, scale, label, edited, tried, "scale", final],
        at=-5, lasting=8, notebook=str(TARGET),
    )  # fmt: skip
    again = session(2, [base, edited, label, final], at=4, notebook=str(TARGET))
    rebuilt = rebuilt_of([document(prose("# R"), *cells)], [first, again])
    assert sources_of(rebuilt) == ["# R", base, edited, label, final]
    assert {scale, tried, "scale"} == {each.source for each in rebuilt.alternatives}
