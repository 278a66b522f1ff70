"""What a process image needs of the machine it comes back on: the processor, and the very files
that its process has mapped. Asked where an image came from elsewhere.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Collection, Mapping
from pathlib import Path

from jupyter_rewind.kernels.images.firstlife import is_of_first_life
from jupyter_rewind.kernels.images.libraries import build_id, digest
from jupyter_rewind.kernels.images.openfiles import OpenFile, read_files
from jupyter_rewind.model.entry import Json

_NOT_FILES = ("/proc/", "/dev/", "/sys/")
_SHOWN = 4


def describe(files: bytes, store: Path, within: Collection[int] = ()) -> dict[str, Json]:
    """What this machine has of what the image with these `files` needs; what Rewind had open in
    `store` is left behind in any case, and those with the numbers `within` are in it."""
    return {
        "machine": platform.machine(),
        "system": platform.release(),
        "processor": [*sorted(processor_flags())],
        "files": {
            file.name: digest(file.name)
            for file in read_files(files)
            if _is_needed(file)
            and file.number not in within
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
    return (*found, *replaced(told.get("files")))


def describe_unnamed(files: bytes, within: Collection[int] = ()) -> dict[str, Json]:
    """What is in the libraries among these `files` whose linker gave them no name: without that,
    CRIU takes another one of their size for the same. Those with the numbers `within` are in the
    image themselves, and whatever has their names now is another one."""
    return {
        file.name: digest(file.name)
        for file in read_files(files)
        if _is_needed(file)
        and file.number not in within
        and not file.build_id
        and build_id(file.name) == b""
    }


def replaced(files: Json) -> tuple[str, ...]:
    """Which of the files that `describe` or `describe_unnamed` told of are gone, or others, in
    words."""
    known = files if isinstance(files, dict) else {}
    gone = [name for name in known if not os.path.isfile(name)]
    other = [name for name, told in known.items() if name not in gone and digest(name) != told]
    return (
        *([f"there is no {_some(gone)}"] if gone else ()),
        *([f"another version is in the place of {_some(other)}"] if other else ()),
    )


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


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
