"""Which code ran: exactly, at no cost to the code (Python 3.12 and later).

Each code object reports itself once, the first time it starts or goes on, and is silent until it
is asked again.
"""

from __future__ import annotations

import enum
import sys
import types
from collections.abc import Iterator
from typing import Any

from jupyter_rewind.kernels.origins import is_of_library, is_of_module

_NAME = "jupyter-rewind"
_IDS = (4, 3, 1, 2)


class Origin(enum.Enum):
    """Whose code it is."""

    LIBRARY = enum.auto()
    MODULE = enum.auto()
    NOTEBOOK = enum.auto()


class Watch:
    """What ran since it was last asked. There is one at a time in a process."""

    def __init__(self, monitoring: Any, tool: int) -> None:
        self._monitoring = monitoring
        self._tool = tool
        self._ran: dict[int, types.CodeType] = {}
        self._origins: dict[str, Origin] = {}

    @classmethod
    def start(cls) -> Watch | None:
        """None where this Python has no monitoring, or other tools have taken all of it."""
        monitoring: Any = getattr(sys, "monitoring", None)
        if monitoring is None:
            return None
        for tool in _IDS:
            if monitoring.get_tool(tool) is None:
                monitoring.use_tool_id(tool, _NAME)
                watch = cls(monitoring, tool)
                watch._listen()
                return watch
        return None

    def _listen(self) -> None:
        events, disable = self._monitoring.events, self._monitoring.DISABLE

        def note(code: types.CodeType, _: int) -> Any:
            self._ran[id(code)] = code
            return disable

        def note_throw(code: types.CodeType, _: int, __: BaseException) -> None:
            self._ran[id(code)] = code

        register = self._monitoring.register_callback
        register(self._tool, events.PY_START, note)
        register(self._tool, events.PY_RESUME, note)
        register(self._tool, events.PY_THROW, note_throw)
        wanted = events.PY_START | events.PY_RESUME | events.PY_THROW
        self._monitoring.set_events(self._tool, wanted)

    def take(self) -> Iterator[tuple[types.CodeType, Origin]]:
        """The code that ran since the last time, without that of libraries, and whose it is;
        listens anew."""
        ran, self._ran = self._ran, {}
        self._monitoring.restart_events()
        for code in ran.values():
            origin = self._origin(code.co_filename)
            if origin is not Origin.LIBRARY:
                yield code, origin

    def _origin(self, file: str) -> Origin:
        found = self._origins.get(file)
        if found is None:
            found = Origin.MODULE if is_of_module(file) else Origin.NOTEBOOK
            found = self._origins[file] = Origin.LIBRARY if is_of_library(file) else found
        return found

    def include(self, name: str) -> None:
        """Code of this file runs in the notebook, whatever else imports the file."""
        self._origins[name] = Origin.NOTEBOOK

    def close(self) -> None:
        self._monitoring.set_events(self._tool, 0)
        self._monitoring.free_tool_id(self._tool)
