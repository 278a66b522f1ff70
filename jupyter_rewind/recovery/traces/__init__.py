"""All finders, one file each, in the order in which they are asked: cheap and telling ones first.

Documents and kernels come before histories: what they know tells which part of a large history
is worth reading.
"""

from __future__ import annotations

from jupyter_rewind.recovery.evidence import Finder
from jupyter_rewind.recovery.traces.checkpoints import CheckpointFinder

ALL: tuple[Finder, ...] = (
    CheckpointFinder(),
)  # fmt: skip
