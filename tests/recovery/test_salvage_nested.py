"""A cell shows another notebook as JSON, and the file is damaged: the shown one's cells are not
this one's, and none of this one's is lost for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_rewind.recovery.salvage import salvage_notebook
from tests.support.notebooks import book_of, code_cell

SHOWN = [f"shown_{number} = {number}\n" for number in range(3)]
OWN = ["import json\n", "JSON(book)\n", "own_after = 3\n"]


def holder(separators: tuple[str, str] = (",", ":")) -> bytes:
    """A notebook on one line whose second cell shows another one."""
    shown = book_of([code_cell(at, source=text) for at, text in enumerate(SHOWN)])
    output = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"application/json": shown, "text/plain": "x"},
    }
    cells = [code_cell(at, source=text) for at, text in enumerate(OWN, 10)]
    cells[1] = code_cell(11, source=OWN[1], outputs=[output])
    return json.dumps(book_of(cells), separators=separators).encode()


def whole_in(raw: bytes) -> list[str]:
    return [cell.source for cell in salvage_notebook(raw).cells if cell.whole]


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["tight", "spaced"])
@pytest.mark.parametrize("damage", [b"\0" * 30, b'\xff}]{"' * 6], ids=["NULs", "garbage"])
def test_cells_of_a_notebook_that_is_shown_are_never_told_as_cells(
    separators: tuple[str, str], damage: bytes
) -> None:
    """Wherever the damage is: before what is shown, over its beginning, inside it, behind it."""
    raw = holder(separators)
    for at in range(0, len(raw), 11):
        broken = raw[:at] + damage + raw[at + len(damage) :]
        told = whole_in(broken)
        assert set(told) <= set(OWN), (at, told)


def test_own_cells_on_both_sides_of_the_damage_come_back() -> None:
    """What is shown costs nothing: the cells before and behind it read as ever."""
    raw = holder()
    at = raw.index(b"application/json") - 40
    assert {OWN[0], OWN[2]} <= set(whole_in(raw[:at] + b"\0" * 30 + raw[at + 30 :]))
    at = raw.index(b"shown_1")
    assert {OWN[0], OWN[2]} <= set(whole_in(raw[:at] + b"\0" * 5 + raw[at + 5 :]))


def test_two_notebooks_in_a_file_both_come_back() -> None:
    """One stands behind the other, and is shown by none, whatever is left over behind it."""

    def of(*sources: str) -> Any:
        return book_of([code_cell(at, source=text) for at, text in enumerate(sources)])

    first, second = (json.dumps(of(*each)).encode() for each in (OWN, SHOWN))
    for rest in (b"", b"}", b"\n]}\n"):
        told = {cell.source for cell in salvage_notebook(first + second + rest).cells}
        assert told == {*OWN, *SHOWN}
    answer = b'{"name": "a.ipynb", "content": ' + first + b', "format": "json"}'
    assert whole_in(answer) == OWN
