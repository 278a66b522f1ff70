"""Which states of which files are kept already, as far as one look at a file can tell."""

from __future__ import annotations

import threading
from collections import OrderedDict

from jupyter_rewind.faces.server.reading import Stamp, read_stamp
from jupyter_rewind.faces.server.worker import is_touched

_LIMIT = 20_000


class Knowledge:
    """The stamps that files had when their states were kept, of the files seen last."""

    def __init__(self) -> None:
        self._stamps: OrderedDict[str, Stamp] = OrderedDict()
        self._lock = threading.Lock()

    def know(self, file: str, stamp: Stamp | None) -> None:
        """`file` holds what its history's head holds, as long as its stamp is `stamp`."""
        with self._lock:
            if stamp is None:
                self._stamps.pop(file, None)
                return
            self._stamps[file] = stamp
            self._stamps.move_to_end(file)
            while len(self._stamps) > _LIMIT:
                self._stamps.popitem(last=False)

    def learn(self, file: str) -> None:
        """What `file` holds now is kept: its stamp is read and remembered."""
        try:
            self.know(file, read_stamp(file))
        except OSError:
            self.know(file, None)

    def is_known(self, file: str, stamp: Stamp) -> bool:
        """Whether the state with this stamp is kept."""
        with self._lock:
            return self._stamps.get(file) == stamp

    def forget(self, path: str) -> None:
        """Nothing is known any more of a file, or of the files in a folder."""
        with self._lock:
            for file in [file for file in self._stamps if is_touched(file, path)]:
                del self._stamps[file]
