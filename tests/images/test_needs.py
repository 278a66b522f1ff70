"""What an image needs of another machine: words on what differs."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

from jupyter_rewind.kernels.images import needs
from jupyter_rewind.kernels.images.messages import pack_entries, pack_fields

HEAD = struct.pack("<II", 0x54564319, 0x56084025)


def told(*names: Path, flags: int = os.O_RDONLY, store: Path = Path("/none")) -> dict[str, Any]:
    entries = []
    for number, name in enumerate(names):
        inner = [(1, 0, number), (2, 0, flags), (3, 0, 0), (6, 2, os.fsencode(str(name))),
                 (8, 0, name.stat().st_size)]  # fmt: skip
        entries.append(pack_fields([(1, 0, 1), (2, 0, number), (3, 2, pack_fields(inner))]))
    return needs.describe(pack_entries(HEAD, entries), store)


def test_the_same_machine_has_all_of_it(tmp_path: Path) -> None:
    """What the process writes itself is not compared, nor what Rewind has open in its store."""
    library, log = tmp_path / "lib.so", tmp_path / "log"
    library.write_bytes(b"1234")
    log.write_text("1")
    found = told(library)
    assert needs.differences(found) == ()
    assert list(found["files"]) == [str(library)]
    assert told(log, flags=os.O_RDWR)["files"] == {}
    assert told(library, store=tmp_path)["files"] == {}


def test_what_differs_is_named(tmp_path: Path) -> None:
    """A library of the same size with other bytes, one that is gone, a lesser processor."""
    library, gone = tmp_path / "lib.so", tmp_path / "gone.so"
    library.write_bytes(b"1234")
    gone.write_bytes(b"1")
    found = told(library, gone)
    library.write_bytes(b"4321")
    gone.unlink()
    found["processor"].append("warp9")
    found["machine"] = "pdp11"
    words = "; ".join(needs.differences(found))
    assert "made on pdp11" in words and "lacks warp9" in words
    assert f"there is no {gone}" in words
    assert f"another version is in the place of {library}" in words
