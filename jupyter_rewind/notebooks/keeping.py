"""What is kept before a restore: the file as it is, and the live document where there is one."""

from __future__ import annotations

import os
from pathlib import Path

from blake3 import blake3

from jupyter_rewind.model.checkpoint import Checkpoint, FileIdentity, Reason
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.notebooks.files import Document
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.notebooks.reading import Glance


def keep_present(
    histories: Histories,
    path: Path,
    now: Document | None,
    present: bytes | None,
    author: str | None,
    seen: Glance,
) -> tuple[Checkpoint | None, bool]:
    """The checkpoint that stands for what is there, and whether its bytes are others: it is an
    older one then, that differs only in what no checkpoint is made for."""
    kept, is_near = None, False
    states: list[tuple[bytes, FileIdentity | None]]
    states = [] if now is None else [(now.raw, now.identity)]
    if present is not None and (now is None or present != now.raw):
        states.append((present, now.identity if now is not None else None))
    for raw, identity in states:
        recorded = histories.record(
            str(path),
            raw,
            reason=Reason.BEFORE_RESTORE,
            author=author,
            identity=identity,
            exists=os.path.lexists,
            # What another restore has kept and replaced meanwhile must not be the head again.
            since=seen if now is not None and raw == now.raw else None,
        )
        kept = recorded.checkpoint
        is_near |= not recorded.created and kept.raw != Digest(blake3(raw).digest())
    return kept, is_near
