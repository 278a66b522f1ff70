"""A kind of cells that few programs need, and that is hard on the others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Feature:
    """What the first cell of a program defines, and cells that use it. `{0}`, `{1}` and `{2}` are
    names."""

    name: str
    first: str
    cells: tuple[str, ...]
