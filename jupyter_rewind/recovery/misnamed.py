"""Names that one rotten letter made unknown: what stands under them is told, and what is wrong.

Jupyter opens such a notebook and does not show what no name leads to. Only where the proper name is
missing is another one taken for it, and only where a single letter of it is another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
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
_OF_OUTPUTS: dict[str, Callable[[Any], bool]] = {
    "output_type": lambda value: isinstance(value, str),
    "text": lambda value: text_of(value) is not None,
    "data": lambda value: isinstance(value, dict),
    "traceback": lambda value: isinstance(value, list),
}
_HAS = {
    "stream": "text",
    "display_data": "data",
    "execute_result": "data",
    "error": "traceback",
}
"""Under which name each type of output has what it shows."""
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
    kind = _meant(told, _KINDS)
    if kind is not None:
        mended["cell_type"] = kind
        words.append(f"its type is `{told}`, and there is none of that name")
    if isinstance(outputs := mended.get("outputs"), list):
        pairs = [_mend_output(each) for each in outputs]
        mended["outputs"] = [output for output, _ in pairs]
        words += [each for _, told in pairs for each in told]
    return (mended if words else members), tuple(words)


def _mend_output(output: Any) -> tuple[Any, tuple[str, ...]]:
    """The output with what it shows under its proper name, and in words what had another."""
    if not isinstance(output, dict) or _is_usual(output):
        return output, ()
    mended, words = dict(output), list[str]()

    def mend(proper: str) -> None:
        name = _almost(proper, mended, _OF_OUTPUTS[proper]) if proper not in mended else None
        if name is not None:
            mended[proper] = mended.pop(name)
            words.append(f"the {proper} of an output stands under the name `{name}`")

    mend("output_type")
    told = mended.get("output_type")
    kind = _meant(told, _HAS)
    if kind is not None:
        mended["output_type"] = kind
        words.append(f"the type of an output is `{told}`, and there is none of that name")
    shows = _HAS.get(kind or told) if isinstance(told, str) else None
    if shows is not None:
        mend(shows)
    return (mended if words else output), tuple(words)


def _is_usual(output: Mapping[str, Any]) -> bool:
    """There may be very many of them, and nearly all are."""
    kind = output.get("output_type")
    return isinstance(kind, str) and _HAS.get(kind) in output


def _meant(told: Any, kinds: Iterable[str]) -> str | None:
    """The one of `kinds` that was written with one letter wrong."""
    return next((one for one in kinds if isinstance(told, str) and is_almost(told, one)), None)


def _renamed(members: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The names that are not the proper ones, each with the one that it was."""
    for proper, fits in _OF_CELLS.items():
        if proper in members or (proper == "source" and not members.keys().isdisjoint(_SOURCES)):
            continue
        name = _almost(proper, members, fits)
        if name is not None:
            yield name, proper


def _almost(proper: str, members: Mapping[str, Any], fits: Callable[[Any], bool]) -> str | None:
    """The only name that is the proper one but for a letter, and has what fits that."""
    almost = [name for name in members if is_almost(name, proper) and fits(members[name])]
    return almost[0] if len(almost) == 1 else None


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
