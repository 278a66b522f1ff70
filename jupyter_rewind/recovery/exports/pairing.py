"""How jupytext is told to pair the notebooks of a folder: `jupytext.toml` or `pyproject.toml` in it
or above it. Configurations in other formats are left alone."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jupyter_rewind.recovery.regular import is_regular, read_file

_FILES = ("jupytext.toml", ".jupytext.toml", "jupytext", ".jupytext")
_PROJECT = "pyproject.toml"
_LARGEST = 1 << 20
_MOST_LEVELS = 24


def configured_formats(folder: Path) -> Iterator[str]:
    """The formats of the nearest configuration, each as a pair has them in its `formats:`."""
    for place in [folder, *folder.parents][:_MOST_LEVELS]:
        for name in (*_FILES, _PROJECT):
            told: Any = _load(place / name)
            if name == _PROJECT:
                tool = told.get("tool")
                told = tool.get("jupytext", {}) if isinstance(tool, Mapping) else {}
            if isinstance(told, Mapping) and told:
                yield from _in_words(told.get("formats"))
                return


def _load(path: Path) -> Mapping[str, Any]:
    """What stands in the file; nothing where there is none, or it does not read: jupytext itself
    pairs nothing then."""
    if not is_regular(path):
        return {}
    try:
        return tomllib.loads(read_file(path, _LARGEST).decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}


def _in_words(formats: Any) -> Iterator[str]:
    """`{"notebooks/": "ipynb"}` is `notebooks///ipynb`."""
    if isinstance(formats, str):
        yield formats
    elif isinstance(formats, Mapping):
        yield ",".join(f"{root.removesuffix('/')}///{form}" for root, form in formats.items())
    elif isinstance(formats, list):
        for each in formats:
            if not isinstance(each, list):
                yield from _in_words(each)
