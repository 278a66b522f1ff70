"""The states of a run that were to be kept and could not be: for the user, in a line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from jupyter_rewind.model.snapshot import VariableReport

TOO_LARGE = "it is larger than the limit"
_REMEMBERED = 10_000
_SETTLED = 10
_NAMED = 8


class Unkept:
    """Which states are missing, and why. Each cause is told once, until states have been kept for
    a while."""

    def __init__(self) -> None:
        self.present = ""
        """Why no state is being kept now, if so."""
        self._causes: dict[int, str] = {}
        self._told: set[str] = set()
        self._kept = 0
        self.too_large: set[str] = set()
        """Variables that some state was without, for their size."""

    def note(self, count: int, cause: str) -> None:
        """The state after In[count] could not be kept."""
        self.present = cause
        self._kept = 0
        if count and len(self._causes) < _REMEMBERED:
            self._causes[count] = cause

    def note_losses(self, losses: Iterable[VariableReport], tell: Callable[[str], None]) -> None:
        """What is above the limit that the user set is told, each variable once."""
        large = [one for one in losses if one.reason.startswith(TOO_LARGE)]
        new = sorted(one.name for one in large if one.name not in self.too_large)
        self.too_large.update(new)
        if new:
            more = f" and {len(new) - _NAMED} more" if len(new) > _NAMED else ""
            names = ", ".join(new[:_NAMED])
            tell(f"Not kept: {names}{more}: {large[0].reason} (`kernels.max_variable_mb`).")

    def is_news(self, kind: str) -> bool:
        """Whether the user has not heard of this kind of cause; he will have from now on."""
        self._kept = 0
        is_new = kind not in self._told
        self._told.add(kind)
        return is_new

    def settle(self) -> None:
        """A state has been kept."""
        self.present = ""
        self._kept += 1
        if self._kept >= _SETTLED:
            self._told.clear()

    def cause(self, count: int) -> str:
        """Why there is no state after In[count], or ""."""
        return self._causes.get(count, "")

    def lines(self) -> list[str]:
        """A line for each cause, with the cells it befell."""
        cells: dict[str, list[int]] = {}
        for count, cause in self._causes.items():
            cells.setdefault(cause, []).append(count)
        return [f"Not kept: {name_cells(counts)}: {cause}." for cause, counts in cells.items()]


def name_cells(counts: Sequence[int]) -> str:
    """`In[2] to In[5], In[8]`."""
    spans: list[list[int]] = []
    for count in sorted(counts):
        if spans and count == spans[-1][1] + 1:
            spans[-1][1] = count
        else:
            spans.append([count, count])
    return ", ".join(
        f"In[{first}]" if first == last else f"In[{first}] to In[{last}]" for first, last in spans
    )
