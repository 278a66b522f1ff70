"""What else lies under a notebook's name: a pointer of Git LFS, an archive, another kind of file.

Told by the first bytes alone, and only where they can be nothing else.
"""

from __future__ import annotations

import re

HEAD_BYTES = 512
LFS_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n"
    rb"(?:[^\n]{1,200}\n){0,10}?oid sha256:([0-9a-f]{64})\n"
)
_UNPACK = "the notebook may be in it once it is unpacked"
_BEGINNINGS = (
    (b"\x1f\x8b\x08", f"packed with gzip: {_UNPACK}"),
    (b"PK\x03\x04", f"a zip archive: {_UNPACK}"),
    (b"\xfd7zXZ\x00", f"packed with xz: {_UNPACK}"),
    (b"BZh", f"packed with bzip2: {_UNPACK}"),
    (b"\x28\xb5\x2f\xfd", f"packed with zstd: {_UNPACK}"),
    (b"7z\xbc\xaf\x27\x1c", f"a 7-Zip archive: {_UNPACK}"),
    (b"Rar!\x1a\x07", f"a RAR archive: {_UNPACK}"),
    (b"%PDF-", "a PDF"),
    (b"\x89PNG\r\n", "a picture"),
    (b"SQLite format 3\x00", "a database"),
)
_TAR_AT = 257


def strange_content(head: bytes) -> str:
    """What a file is that begins so, in words that follow "it is"; "" where that is not told."""
    if LFS_POINTER.match(head):
        return (
            "a pointer of Git LFS: the notebook itself was not fetched, which `git lfs pull` does"
        )
    if head[_TAR_AT : _TAR_AT + 5] == b"ustar":
        return f"a tar archive: {_UNPACK}"
    return next((words for begin, words in _BEGINNINGS if head.startswith(begin)), "")
