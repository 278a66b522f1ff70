"""What a capture asks of whoever watches the cells."""

from __future__ import annotations

from typing import Any, Protocol


class Touched(Protocol):
    """Which variables a cell can have changed."""

    @property
    def everything(self) -> bool: ...
    @property
    def names(self) -> frozenset[str]: ...
    @property
    def mentioned(self) -> frozenset[str]: ...


class Tracking(Protocol):
    """Watches a cell, and says afterwards what it can have touched."""

    def begin(self, source: str, namespace: dict[str, Any]) -> None: ...
    def end(self, seconds: float = ...) -> Touched: ...
    def catch_up(self) -> None: ...
    def start_anew(self, why: str) -> None: ...
