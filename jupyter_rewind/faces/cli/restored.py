"""What the command line says of a restore, with the variables or without: one set of words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jupyter_rewind.faces.cli import views
from jupyter_rewind.faces.cli.answers import Document, Remark
from jupyter_rewind.model.shell import quoted

if TYPE_CHECKING:
    from jupyter_rewind.model.checkpoint import Checkpoint
    from jupyter_rewind.model.entry import Json
    from jupyter_rewind.workspace import Condition, Restored


def restored_json(done: Restored, cells: Sequence[str] = ()) -> dict[str, Json]:
    """What came back, what was there before, and what is not as it was."""
    return {
        "path": str(done.path),
        "from": views.checkpoint_json(done.source),
        "checkpoint": _or_null(done.checkpoint),
        "kept": _or_null(done.kept),
        "kept_nearly": done.kept_nearly,
        "cells": list(cells),
        "not_kept": list(done.not_kept),
        "condition": condition_json(done),
    }


def condition_json(done: Restored) -> Document:
    """In what condition the state is that came back."""
    return {
        "state": done.condition.state,
        "words": done.condition.words,
        "last_good": str(done.last_good.id) if done.last_good else None,
    }


def tell_restored(done: Restored, notebook: str) -> list[Remark]:
    """What became of the state that was there, what the file lost, what is damaged."""
    said: list[Remark] = []
    if done.kept is not None:
        before = f"checkpoint {views.when(done.kept)}"
        only = "only in timings and trust, which are not kept"
        differs = f"differs from {before} {only}" if done.kept_nearly else f"is {before}"
        said.append(Remark(f"What was there before {differs}."))
    if done.not_kept:
        what = ", ".join(done.not_kept)
        said.append(Remark(f"The file could not take over all that it had besides: {what}."))
    return said + tell_damaged(done, notebook)


def tell_damaged(done: Restored, notebook: str) -> list[Remark]:
    """That what is back is no notebook, though its name says so."""
    if done.condition.is_ok:
        return []
    told = "So it was at that checkpoint."
    return tell_condition(done.condition, told, done.last_good, notebook)


def tell_condition(
    condition: Condition, told: str, good: Checkpoint | None, notebook: str
) -> list[Remark]:
    """What is wrong with a notebook (nothing to name in one of an unknown format), what that means,
    and how to get a whole one."""
    words = f"{condition.words} {told}".lstrip()
    if good is not None:
        way = f"jupyter rewind restore {quoted(notebook)} {good.id}"
        words += f" `{way}` brings the last good state back."
    return [Remark(words)]


def _or_null(checkpoint: Checkpoint | None) -> Json:
    return None if checkpoint is None else views.checkpoint_json(checkpoint)
