"""Which code ran: exactly, at no cost to the code (Python 3.12 and later).

Each code object reports itself once, the first time it starts or goes on, and is silent until it
is asked again.
"""

from __future__ import annotations

import sys
import sysconfig
import types
from pathlib import Path
from typing import Any

_NAME = "jupyter-rewind"
_IDS = (4, 3, 1, 2)


class Watch:
    """What ran since it was last asked. There is one at a time in a process."""

    def __init__(self, monitoring: Any, tool: int) -> None:
        self._monitoring = monitoring
        self._tool = tool
        self._ran: dict[int, types.CodeType] = {}
        self._libraries: dict[str, bool] = {}
        self._own = (*_library_folders(), "<frozen")

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

    def take(self) -> list[types.CodeType]:
        """The code that ran since the last time, without that of libraries; listens anew."""
        ran, self._ran = self._ran, {}
        self._monitoring.restart_events()
        return [code for code in ran.values() if not self._is_library(code.co_filename)]

    def _is_library(self, name: str) -> bool:
        found = self._libraries.get(name)
        if found is None:
            found = self._libraries[name] = name.startswith(self._own) or _is_of_module(name)
        return found

    def include(self, name: str) -> None:
        """Code of this file runs in the notebook, whatever else imports the file."""
        self._libraries[name] = False

    def close(self) -> None:
        self._monitoring.set_events(self._tool, 0)
        self._monitoring.free_tool_id(self._tool)


def _is_of_module(name: str) -> bool:
    """Code of an imported module names that module's variables, not the notebook's."""
    return any(
        getattr(module, "__file__", None) == name
        for key, module in list(sys.modules.items())
        if key != "__main__"
    )


def _library_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    found = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    found.add(str(Path(__file__).resolve().parents[1]))
    return tuple(f"{folder}/" for folder in found)
