"""Which notebook a file is called after: as tools name what they make, or as jupytext pairs it.

A pair says itself where its notebook lies (`formats:`), or jupytext's configuration of the folder
does: in another folder or a tree beside it; it may have another name, too. Paths with `..` in them
are not followed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind.recovery.exports.pairing import configured_formats
from jupyter_rewind.recovery.walking import RECOVERED

_FORMATS = re.compile(rb"^#? *formats: *(\S[^\r\n]*)$", re.MULTILINE)
_OF_JUPYTEXT = re.compile(rb"^#? *jupytext:", re.MULTILINE)
_MADE = (".nbconvert", ".slides", ".ipynb")
"""What stands in a name between the notebook's and the suffix."""
_MOST_LEVELS, _MOST_TREES = 6, 100


@dataclass(frozen=True, slots=True)
class _Form:
    """One of the formats of a pair: `ROOT//FOLDER/BEFORE` in front of the name, `AFTER` behind."""

    suffix: str
    root: tuple[str, ...]
    folder: tuple[str, ...]
    before: str
    after: str


def notebook_of(path: Path) -> Path:
    """The notebook that a tool made the file of, by its name alone."""
    stem, plain = path.stem, path.with_suffix(".ipynb")
    made = next((each for each in _MADE if stem.endswith(each) and stem != each), "")
    if not made or os.path.exists(plain):
        return plain
    return path.with_name(stem.removesuffix(made) + ".ipynb")


def is_named_after(path: Path, notebook: Path) -> bool:
    """Whether a file is called as tools call what they make of the notebook."""
    return path.stem in (notebook.stem, *(f"{notebook.stem}{each}" for each in _MADE))


def is_brought_back(path: Path, asked: Path | None) -> bool:
    """Whether the file is one that was brought back; what was made of the notebook that is `asked`
    for, itself one that was brought back once, is a trace of it."""
    if RECOVERED not in path.name:
        return False
    return asked is None or RECOVERED not in asked.stem or not path.name.startswith(asked.stem)


def paired_notebook(path: Path, head: bytes) -> Path | None:
    """The notebook that the file says to be paired with; None where it does not say which."""
    found = _FORMATS.search(head)
    if found is not None:
        return _counterpart(path, found[1].decode("utf-8", "replace").strip().strip("\"'"))
    if not _OF_JUPYTEXT.search(head):
        return None
    made = (_counterpart(path, formats) for formats in configured_formats(path.parent))
    return next((each for each in made if each is not None), None)


def _counterpart(path: Path, formats: str) -> Path | None:
    """The notebook that a file is paired with by these formats; None where they do not fit it."""
    forms = [_form(each.strip()) for each in formats.split(",")]
    target = next((each for each in forms if each.suffix == ".ipynb"), None)
    if target is None:
        return None
    own = (each for each in forms if each.suffix in (path.suffix.lower(), ".auto"))
    made = (_translated(path, each, target) for each in own)
    return next((each for each in made if each is not None), None)


def trees_beside(notebook: Path) -> Iterator[Path]:
    """The folders that lie in trees beside the notebook's as it lies in its own: `scripts/sub` for
    `notebooks/sub`."""
    home = notebook.parent
    for at in list(home.parents)[:_MOST_LEVELS]:
        tree, *rest = home.relative_to(at).parts
        try:
            tops = sorted(each for each in at.iterdir() if not each.name.startswith("."))
        except OSError:
            continue  # a folder of others, perhaps: nothing of the notebook is told to be there
        for top in tops[:_MOST_TREES]:
            if top.name != tree and os.path.isdir(top.joinpath(*rest)):
                yield top.joinpath(*rest)


def _form(text: str) -> _Form:
    prefix, _, name = text.rpartition("/")
    after, _, ending = name.partition(":")[0].rpartition(".")
    root, doubled, inner = prefix.rpartition("//")
    folder, _, before = (inner if doubled else prefix).rpartition("/")
    return _Form(f".{ending.lower()}", _parts(root), _parts(folder), before, after)


def _parts(text: str) -> tuple[str, ...]:
    return tuple(each for each in text.split("/") if each)


def _translated(path: Path, own: _Form, target: _Form) -> Path | None:
    """Where the counterpart lies of a file of the form `own`; None where it is not of that form."""
    name, parts = path.stem, path.parent.parts
    if ".." in (*own.root, *own.folder, *target.folder) or bool(own.root) != bool(target.root):
        return None
    if not name.startswith(own.before) or not name.endswith(own.after):
        return None
    name = name.removeprefix(own.before).removesuffix(own.after)
    if not name or parts[len(parts) - len(own.folder) :] != own.folder:
        return None
    parts = parts[: len(parts) - len(own.folder)]
    size = len(own.root)
    ends = [at for at in range(size, len(parts) + 1) if parts[at - size : at] == own.root]
    if size and not ends:
        return None
    if size:
        parts = (*parts[: ends[-1] - size], *target.root, *parts[ends[-1] :])
    return Path(*parts, *target.folder, f"{target.before}{name}{target.after}.ipynb")
