"""What a save writes, remembered as it is written.

Read back from the disk, a moment later, it may be what another server has written since.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

from jupyter_server.services.contents.manager import ContentsManager

from jupyter_rewind import clock
from jupyter_rewind.faces.server import request
from jupyter_rewind.faces.server.reading import Stamp

# Whoever uses another method may write, or move, in ways that are not followed here.
_HARMLESS = frozenset({"flush", "fileno", "close", "closed", "encoding", "errors", "name", "mode"})


class Transcript:
    """A file that is being written, and what was written to it: whole strings are only kept, not
    copied."""

    def __init__(self, stream: Any, began_ns: int) -> None:
        self.began_ns = began_ns
        self._stream = stream
        self._parts: list[str | bytes] = []
        self._is_whole = True
        self.stamp: Stamp | None = None
        """The file's, when the last of it was written; None where it could not be told."""

    def write(self, part: Any) -> Any:
        """What the file's own `write` gives."""
        count = self._stream.write(part)
        if isinstance(part, str | bytes):
            self._parts.append(part)
        else:
            self._is_whole = False
        return count

    def __getattr__(self, name: str) -> Any:
        if name not in _HARMLESS:
            self._is_whole = False
        return getattr(self._stream, name)

    def __enter__(self) -> Transcript:
        self._stream.__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        return self._stream.__exit__(*error)

    def end(self, file: str) -> None:
        """All is written. Raises what handing it to the system raises: a file whose flush failed
        once says nothing of it when it is closed."""
        if self._stream.closed:
            return
        self._stream.flush()
        with contextlib.suppress(Exception):  # without a stamp, it is kept all the same
            # Within the block: where a part of us cannot be imported, the user's save goes on.
            from jupyter_rewind.workspace import identify_open

            descriptor = self._stream.fileno()
            self.stamp = Stamp.of(os.fstat(descriptor), identify_open(descriptor, file))

    @property
    def size(self) -> int | None:
        """How many bytes or characters were written; None when that cannot be told."""
        return sum(map(len, self._parts)) if self._is_whole else None

    @property
    def is_certain(self) -> bool:
        """True when `read` is sure to give the bytes, whenever it is asked."""
        if not self._is_whole:
            return False
        if self._is_binary:
            return True
        encoding = str(getattr(self._stream, "encoding", "")).lower()
        return os.linesep == "\n" and encoding in ("utf-8", "utf8")

    @property
    def _is_binary(self) -> bool:
        return all(isinstance(part, bytes) for part in self._parts)

    def read(self) -> bytes | None:
        """The bytes that were written; None when they cannot be told."""
        if not self._is_whole:
            return None
        if self._is_binary:
            return b"".join(self._parts)  # type: ignore[arg-type]  # seen in the line before
        if os.linesep != "\n":
            return None
        try:
            text = "".join(self._parts)  # type: ignore[arg-type]  # the file refused all others
            return text.encode(self._stream.encoding, self._stream.errors or "strict")
        except (TypeError, ValueError, LookupError):
            return None


def remember_writing(manager: ContentsManager) -> None:
    """Each save that the manager does through its `atomic_writing`, as those of files do, has in
    `request.saving` what it wrote to each file. Others are none the worse."""
    original: Callable[..., Any] | None = getattr(manager, "atomic_writing", None)
    if not callable(original):
        return

    @contextlib.contextmanager
    def writing(os_path: str, *args: Any, **kwargs: Any) -> Iterator[Any]:
        under_way, began_ns = request.current_saving(), clock.now_ns()
        with original(os_path, *args, **kwargs) as stream:
            if under_way is None:
                yield stream
                return
            transcript = Transcript(stream, began_ns)
            yield transcript
            transcript.end(os_path)
        under_way.written[os.path.realpath(os_path)] = transcript

    manager.atomic_writing = writing  # type: ignore[attr-defined]  # on purpose
