"""A cell followed through time, and one execution. No rules."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(eq=False, slots=True)
class Slot:
    """One cell followed through time. `origin` is its place in the document, None if new.

    `versions` are its texts and the executions that told them, -1 for the document's. `swept` and
    `skipped` count the sweeps that ran it, and those that left it out since.
    """

    source: str
    code: bool = True
    origin: int | None = None
    born: int = -1
    versions: list[tuple[int, str]] = field(default_factory=list)
    ran: int = 0
    swept: int = 0
    skipped: int = 0
    last_ran: int = -1
    fit: float = 1.0
    """How alike the last change was to what stood there before."""

    told: bool = False
    """A trace names the cell of its last execution, by the cell's id."""

    stays: float = 1.0
    """How likely a saved cell was left as it is, where something like it ran after the save; of
    what ran, how likely it is a cell of its own."""

    @property
    def gone(self) -> bool:
        return self.skipped > 0

    @property
    def touched(self) -> bool:
        """Its text came from an execution, not from the document."""
        return self.origin is None or len(self.versions) > 1


@dataclass(frozen=True, slots=True)
class Step:
    """One execution, in the order of time over all runs."""

    at: int
    run: int
    source: str
    cell_id: str | None = None
