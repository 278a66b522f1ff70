"""Where the details of our own faults go: into a file beside the store's segments.

Never to the user's cell, and never to the loggers that his code sets up. A fault that cannot be
written is lost: it is told in a line in any case, and nothing here may fail in turn.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from jupyter_rewind.model.ids import RunId
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.layout import Layout

_OURS = "jupyter_rewind"
_FORM = "%(asctime)s %(name)s: %(message)s"
_RECORDS = 100
_KEPT_FILES = 20


class FaultLog(logging.Handler):
    """Takes what this process's Rewind says of itself, warnings and worse."""

    def __init__(self, layout: Layout, files: Files, run: RunId) -> None:
        super().__init__(logging.WARNING)
        self.setFormatter(logging.Formatter(_FORM))
        self.path = layout.faults / f"{run}.log"
        self._layout = layout
        self._files = files
        self._texts: list[str] = []
        self._propagated = True

    def install(self) -> None:
        """From now on, nobody else hears what Rewind says of itself in this process."""
        ours = logging.getLogger(_OURS)
        self._propagated, ours.propagate = ours.propagate, False
        ours.addHandler(self)

    def remove(self) -> None:
        """As it was before."""
        ours = logging.getLogger(_OURS)
        ours.removeHandler(self)
        ours.propagate = self._propagated
        self.close()

    def emit(self, record: logging.LogRecord) -> None:
        if len(self._texts) >= _RECORDS:
            return
        with suppress(Exception):
            if self._layout.is_encrypted:
                # Its words may name notebooks and variables, which nobody is to read here.
                kind = record.exc_info[0] if record.exc_info else None
                said = f"{record.name} line {record.lineno}: {getattr(kind, '__name__', 'fault')}"
                self._texts.append(said)
            else:
                self._texts.append(self.format(record))
            self._files.make_folder(self.path.parent)
            if not self.path.exists():
                self._make_room()
            self._files.replace_file(self.path, "\n".join([*self._texts, ""]).encode())

    @property
    def hint(self) -> str:
        """Where there is more to read, if there is, for the end of a line."""
        return f" Details: {self.path}" if self._texts and self.path.exists() else ""

    def _make_room(self) -> None:
        def age(path: Path) -> int:
            return path.stat().st_mtime_ns

        present = sorted(self.path.parent.glob("*.log"), key=age, reverse=True)
        for old in present[_KEPT_FILES - 1 :]:
            self._files.remove(old)
