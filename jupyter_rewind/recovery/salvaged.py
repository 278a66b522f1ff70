"""What could be read of a notebook that is broken, or that is no notebook any more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jupyter_rewind.recovery.evidence import EvidenceCell, FoundDocument, Trace


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What could be read. `whole` is True where nothing at all is wrong with the file.

    `complete` is False where cells, or parts of cells, are lost.
    """

    cells: tuple[EvidenceCell, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict, hash=False)
    nbformat: tuple[int, int] = (4, 5)
    damages: tuple[str, ...] = ()
    whole: bool = True
    complete: bool = True

    def as_document(self, trace: Trace, time_ns: int | None = None) -> FoundDocument:
        """The same as a trace's testimony."""
        return FoundDocument(
            trace, self.cells, self.metadata, self.nbformat, time_ns, self.complete, self.damages
        )
