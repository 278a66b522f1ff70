"""Other tools that keep variables, as tools of the examiner: each keeps all of them as one."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped, unused-ignore]
import dill  # type: ignore[import-untyped, unused-ignore]


class Dumped:
    """The variables of a notebook, its imports apart, dumped together into one file."""

    dumps: Callable[[Any], bytes] = staticmethod(pickle.dumps)
    loads: Callable[[bytes], Any] = staticmethod(pickle.loads)

    def __init__(self, namespace: dict[str, Any], folder: Path) -> None:
        self._namespace = namespace
        self._file = folder / "dump"
        self._imports: set[str] = set()
        self._cells = 0

    def run(self, source: str) -> None:
        self._cells += 1
        code = compile(source, f"<cell {self._cells}>", "exec", dont_inherit=True)
        exec(code, self._namespace)
        if self._cells == 1:
            self._imports = set(self._namespace)

    def keep(self) -> None:
        mine = {k: v for k, v in self._namespace.items() if k not in self._imports}
        self._file.write_bytes(self.dumps(mine))

    def back(self, names: list[str] | None) -> str:
        self._namespace.update(self.loads(self._file.read_bytes()))
        return ""


class Dill(Dumped):
    """With dill."""

    dumps = staticmethod(dill.dumps)
    loads = staticmethod(dill.loads)


class Cloudpickle(Dumped):
    """With cloudpickle."""

    dumps = staticmethod(cloudpickle.dumps)
    loads = staticmethod(cloudpickle.loads)
