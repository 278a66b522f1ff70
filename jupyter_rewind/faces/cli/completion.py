"""What the shell offers after Tab: refs of the notebook at hand, and the names of settings.

Completion never says anything and never fails: where it knows nothing it offers nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import typer

from jupyter_rewind.faces.cli import wording

_MOST = 30


def refs(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Labels and ids of the notebook's newest checkpoints, each with its time and reason."""
    try:
        found = [each for each in _refs(ctx) if each[0].startswith(incomplete)]
    except Exception:  # the prompt is no place for words
        return []
    shell = os.environ.get("_JUPYTER_REWIND_COMPLETE", "").removeprefix("complete_")
    return [(typed, words) for ref, words in found if (typed := _as_typed(ref, shell))]


def _as_typed(ref: str, shell: str) -> str:
    """What the shell is to put there for a ref; "" where it would put another one: bash takes the
    text as it is, zsh loses quotes."""
    if shell == "bash":
        return re.sub(r"([^\w@%+=:,./-])", r"\\\1", ref)
    return "" if shell == "zsh" and re.search(r"[\"'`$\\]", ref) else ref


def _refs(ctx: typer.Context) -> Iterator[tuple[str, str]]:
    from jupyter_rewind.faces.cli.command import Face

    root = ctx.find_root()
    options = {key: ctx.params.get(key) or root.params.get(key) for key in ("store", "set_")}
    notebook = ctx.params.get("notebook")
    if not notebook:
        return
    # On a new machine the histories come first, without a word about it.
    with Face("", options | {"json": True}).workspace() as workspace:
        found = workspace.checkpoints(notebook, newest_first=True)[:_MOST]
    for each in found:
        words = f"{wording.local_time(each.time_ns)}, {each.reason}"
        yield from ((label, words) for label in each.labels)
        yield each.id[: wording.SHORT_ID], words
    yield "head", "the newest"


def keys(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The names of the settings, each with its help."""
    from jupyter_rewind.settings import dotted_key, setting_traits

    rows = [(dotted_key(name), _brief(trait.help)) for name, trait in setting_traits().items()]
    return [row for row in rows if row[0].startswith(incomplete)]


def _brief(words: str) -> str:
    """The first sentence on one line, without what zsh takes for an end of the words."""
    first = " ".join(words.split()).partition(". ")[0].removesuffix(".")
    return first.translate(str.maketrans("'\"", "’’", "`"))
