"""Names that one rotten letter made unknown: what stands under them is told, and what is wrong.

Jupyter opens such a notebook and does not show what no name leads to. Only where the proper name is
missing is another one taken for it, and only where a single letter of it is another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jupyter_rewind.recovery.normal import text_of

_KINDS = ("code", "markdown", "raw")
_SOURCES = ("source", "input", "code", "text")
_OF_CELLS: dict[str, Callable[[Any], bool]] = {
    "source": lambda value: text_of(value) is not None,
    "cell_type": lambda value: isinstance(value, str),
    "outputs": lambda value: isinstance(value, list),
    "attachments": lambda value: isinstance(value, dict),
    "execution_count": lambda value: type(value) is int,
}
_LONGEST = 40


def is_almost(name: str, proper: str) -> bool:
    """Whether just one letter is another one."""
    return len(name) == len(proper) and sum(map(str.__ne__, name, proper)) == 1


def mend_names(members: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The cell's members under their proper names, and in words what had another."""
    renamed = dict(_renamed(members))
    words = [f"its {proper} stands under the name `{name}`" for name, proper in renamed.items()]
    mended = {renamed.get(name, name): value for name, value in members.items()}
    told = mended.get("cell_type")
    kind = next((one for one in _KINDS if isinstance(told, str) and is_almost(told, one)), None)
    if kind is not None:
        mended["cell_type"] = kind
        words.append(f"its type is `{told}`, and there is none of that name")
    return (mended if words else members), tuple(words)


def _renamed(members: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The names that are not the proper ones, each with the one that it was."""
    for proper, fits in _OF_CELLS.items():
        if proper in members or (proper == "source" and not members.keys().isdisjoint(_SOURCES)):
            continue
        almost = [name for name in members if is_almost(name, proper) and fits(members[name])]
        if len(almost) == 1:
            yield almost[0], proper


def misnamed_in(book: Mapping[str, Any]) -> str:
    """What of a notebook that Jupyter opens it does not show, for its name; "" where nothing is."""
    cells = book.get("cells")
    if not isinstance(cells, list):
        return ""
    told = (misnamed_cell(number, cell) for number, cell in enumerate(cells, 1))
    return next((each for each in told if each), "")


def misnamed_cell(number: int, cell: object) -> str:
    """What Jupyter does not show of the cell of that number, for its name; "" where nothing is."""
    words = mend_names(cell)[1] if isinstance(cell, dict) else ()
    return f"cell {number} is damaged ({words[0][: 2 * _LONGEST]})" if words else ""
