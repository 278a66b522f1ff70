"""Whether a large notebook that was listed is whole, told without holding up the server.

A small one is read and parsed like an opened one. To parse a large one takes as long as a hundred
answers, so another process does that; one larger still is looked at only at its two ends.
"""

from __future__ import annotations

import os
import subprocess
import sys

SMALL_BYTES = 4 << 20
#: Beyond it nobody reads the whole of what is only listed.
LARGEST_BYTES = 256 << 20
_PEEK_BYTES = 4_096
_PATIENCE_SECONDS = 120.0
# What `faults.judge_opening` asks for, in as few words: a doubt is enough to have it judged.
_PROGRAM = """
import json, sys
with open(sys.argv[1], "rb") as stream:
    raw = stream.read()
book = json.loads(raw)
cells = book.get("cells", book.get("worksheets")) if isinstance(book, dict) else None
parts = [book, *cells] if isinstance(cells, list) and book.get("nbformat") == 4 else []
sound = isinstance(cells, list) and type(book.get("nbformat")) is int
sound = sound and book["nbformat"] in (1, 2, 3, 4) and not raw.startswith(b"\\xef\\xbb\\xbf")
sound = sound and all(isinstance(p, dict) and isinstance(p.get("metadata"), dict) for p in parts)
sys.exit(0 if sound and b"\\0" not in raw else 3)
"""


def looks_whole(file: str, size: int) -> bool:
    """False where the notebook must be judged; True where nothing speaks against it, as far as
    that is looked at. Raises OSError where it cannot be read."""
    if size <= SMALL_BYTES or not _has_ends(file, size):
        return False
    return size > LARGEST_BYTES or _parses(file)


def _has_ends(file: str, size: int) -> bool:
    with open(file, "rb") as stream:
        head = stream.read(_PEEK_BYTES)
        stream.seek(max(0, size - _PEEK_BYTES), os.SEEK_SET)
        tail = stream.read(_PEEK_BYTES)
    return (
        head.lstrip().startswith(b"{")
        and tail.rstrip().endswith(b"}")
        and b"\0" not in head
        and b"\0" not in tail
    )


def _parses(file: str) -> bool:
    if not sys.executable:
        return True
    command = [sys.executable, "-I", "-S", "-c", _PROGRAM, file]
    nothing = subprocess.DEVNULL
    try:
        done = subprocess.run(
            command, stdin=nothing, stdout=nothing, stderr=nothing, check=False,
            timeout=_PATIENCE_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return True  # it is judged when it is opened
    return done.returncode == 0
