"""What is not kept though it could be told: for its size, or for what a module's variable holds."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Any

from jupyter_rewind.kernels.hubs import Hubs
from jupyter_rewind.kernels.pods import MODULE, Written
from jupyter_rewind.kernels.unkept import TOO_LARGE


class Limits:
    """The limits of one kernel."""

    def __init__(
        self,
        namespace: dict[str, Any],
        hubs: Hubs,
        max_variable_bytes: int | None,
        max_module_bytes: int,
    ) -> None:
        """None is no limit; that of modules holds for each of their variables."""
        self._namespace = namespace
        self._hubs = hubs
        self._max_variable = max_variable_bytes
        self._max_module = max_module_bytes

    def refuse(self, keys: Sequence[str], written: Written) -> str:
        """Why these roots are not kept, or empty."""
        limit = self._max_variable
        if all(key.startswith(MODULE) for key in keys):
            limit = min(limit or self._max_module, self._max_module)
            if any(map(self._is_foreign, written.refs)):
                return "it holds functions or classes that are not the notebook's"
        if limit is None or written.size_bytes <= limit:
            return ""
        return f"{TOO_LARGE} of {limit >> 20} MB a variable"

    def _is_foreign(self, uid: str) -> bool:
        value = self._hubs.get(uid)
        if isinstance(value, types.FunctionType):
            return value.__globals__ is not self._namespace
        home: Any = type.__getattribute__(value, "__module__") if isinstance(value, type) else ""
        return bool(home != "__main__")
