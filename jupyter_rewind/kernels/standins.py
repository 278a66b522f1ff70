"""What stands in a state for a value that is not in it: it says why."""

from __future__ import annotations

from collections.abc import Iterable

from jupyter_rewind.kernels.codec import Session
from jupyter_rewind.kernels.placeholders import Placeholder
from jupyter_rewind.kernels.pods import Note, Root, Written, write_pod
from jupyter_rewind.kernels.preview import type_name
from jupyter_rewind.model.snapshot import Fidelity

LATE = "there was no time to keep it after this cell"


def write_stand_ins(session: Session, roots: Iterable[Root], reason: str) -> Written:
    """The pod that stands for these roots, none of which is kept."""
    stands: list[Root] = []
    notes: dict[str, tuple[Note, ...]] = {}
    for key, value in roots:
        kind = type_name(value)
        stands.append((key, Placeholder(kind, f"a {kind}", reason)))
        notes[key] = ((Fidelity.MISSING, reason),)
    written = write_pod(session, stands)
    written.notes = notes
    return written


def words_for(error: BaseException | None) -> str:
    """Why a value could not be told."""
    return str(error).partition("\n")[0] or type(error).__name__
