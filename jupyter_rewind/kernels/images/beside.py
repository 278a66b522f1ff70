"""Whether an image can come back as a second kernel: what the two would share is told before the
second one is there.
"""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_rewind.errors import RestoreRefused
from jupyter_rewind.kernels.images import linked
from jupyter_rewind.kernels.images.openfiles import (
    LIST,
    OpenFile,
    is_database,
    is_on_disk,
    read_files,
)


def require_alone(folder: Path, own: Path) -> None:
    """Raises RestoreRefused where the process would write into a file that another one of it, which
    lives, writes as well, or has semaphores that both would find by the same names. What lies in
    the folder `own` is its own."""
    if linked.has_semaphores(folder):
        raise RestoreRefused(
            "Two kernels would share the semaphores of processes that work together, as joblib's"
            " do, and disturb each other.",
            hint="Nothing was changed. `joblib.externals.loky.get_reusable_executor().shutdown()`"
            " in a cell ends joblib's: an image that is made after that can come back beside the"
            " kernel, and this one without --beside.",
        )
    files = read_files((folder / LIST).read_bytes())
    shared = sorted(
        {each.name for each in files if _is_shared(each) and own not in Path(each.name).parents}
    )
    if shared:
        raise RestoreRefused(
            f"Two kernels would write into {', '.join(shared[:3])}.",
            hint="Close it in the kernel and make another image, or let the image come back into"
            " the kernel itself. Nothing was changed.",
        )


def _is_shared(file: OpenFile) -> bool:
    return (
        file.is_written
        and not file.is_appended
        and is_on_disk(file.name)
        and os.path.isfile(file.name)
        and not is_database(file.name)
    )
