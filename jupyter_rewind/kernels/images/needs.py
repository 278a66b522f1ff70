"""What a process image needs of the machine it comes back on: the processor, and the very files
that its process has mapped. Asked where an image came from elsewhere.
"""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from pathlib import Path

from jupyter_rewind.kernels.images.firstlife import is_of_first_life
from jupyter_rewind.kernels.images.openfiles import OpenFile, read_files
from jupyter_rewind.model.entry import Json

_NOT_FILES = ("/proc/", "/dev/", "/sys/")
_PART_BYTES = 1 << 20
_SHOWN = 4


def describe(files: bytes, store: Path) -> dict[str, Json]:
    """What this machine has of what the image with these `files` needs; what Rewind had open in
    `store` is left behind in any case."""
    return {
        "machine": platform.machine(),
        "system": platform.release(),
        "processor": [*sorted(processor_flags())],
        "files": {
            file.name: _digest(file.name)
            for file in read_files(files)
            if _is_needed(file)
            and not is_of_first_life(file, store)
            and os.path.getsize(file.name) == file.size
        },
    }


def differences(told: Mapping[str, Json]) -> tuple[str, ...]:
    """What this machine has not, or has otherwise, in words: nothing where an image that told this
    comes back as it was."""
    found = []
    if told.get("machine") != platform.machine():
        found.append(f"it was made on {told.get('machine')}, and this is {platform.machine()}")
    wanted, here = told.get("processor"), processor_flags()
    lacking = sorted({str(e) for e in wanted} - here) if isinstance(wanted, list) and here else []
    if lacking:
        found.append(f"this processor lacks {_some(lacking)}")
    files = told.get("files")
    known = files if isinstance(files, dict) else {}
    gone = [name for name in known if not os.path.isfile(name)]
    if gone:
        found.append(f"there is no {_some(gone)}")
    other = [n for n, digest in known.items() if n not in gone and _digest(n) != digest]
    if other:
        found.append(f"another version is in the place of {_some(other)}")
    return tuple(found)


def processor_flags() -> frozenset[str]:
    """What this processor can do; empty where the system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    line = next((each for each in lines if each.startswith(("flags", "Features"))), "")
    return frozenset(line.partition(":")[2].split())


def _is_needed(file: OpenFile) -> bool:
    is_file = file.size is not None and not file.name.startswith(_NOT_FILES)
    return is_file and not file.is_written and os.path.isfile(file.name)


def _digest(name: str) -> str:
    found = hashlib.sha256()
    try:
        with open(name, "rb") as file:
            while part := file.read(_PART_BYTES):
                found.update(part)
    except OSError as error:
        return f"unreadable: {error.strerror}"
    return found.hexdigest()


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
