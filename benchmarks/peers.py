"""Other tools that keep all variables as one, as tools of the examiner."""

from __future__ import annotations

import sys
from pathlib import Path
from types import CodeType
from typing import Any

import cloudpickle  # type: ignore[import-untyped, unused-ignore]
import dill  # type: ignore[import-untyped, unused-ignore]
import dill.session  # type: ignore[import-untyped, unused-ignore]


def compiled(source: str, number: int) -> CodeType:
    """A cell that this file's own future imports do not touch."""
    return compile(source, f"<cell {number}>", "exec", dont_inherit=True)


class Plain:
    """Runs cells."""

    def __init__(self, namespace: dict[str, Any], folder: Path) -> None:
        self.namespace = namespace
        self.file = folder / "dump"
        self.cells = 0

    def run(self, source: str) -> None:
        self.cells += 1
        exec(compiled(source, self.cells), self.namespace)


class Dill(Plain):
    """dill.dump_session and dill.load_session."""

    def __init__(self, namespace: dict[str, Any], folder: Path) -> None:
        super().__init__(namespace, folder)
        # It took hold of the main module when it was imported, in the process before this one.
        dill.session._main_module = dill._dill._main_module = sys.modules["__main__"]

    def keep(self) -> None:
        dill.session.dump_session(str(self.file))

    def back(self, names: list[str] | None) -> str:
        dill.session.load_session(str(self.file))
        return ""


class Cloudpickle(Plain):
    """The variables, its imports apart, in one pickle."""

    def __init__(self, namespace: dict[str, Any], folder: Path) -> None:
        super().__init__(namespace, folder)
        self._imports: set[str] = set()

    def run(self, source: str) -> None:
        super().run(source)
        if self.cells == 1:
            self._imports = set(self.namespace)

    def keep(self) -> None:
        mine = {k: v for k, v in self.namespace.items() if k not in self._imports}
        self.file.write_bytes(cloudpickle.dumps(mine))

    def back(self, names: list[str] | None) -> str:
        self.namespace.update(cloudpickle.loads(self.file.read_bytes()))
        return ""
