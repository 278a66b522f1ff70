"""One door to all exports: which reader a file is for, by its name and by what it holds."""

from __future__ import annotations

from pathlib import PurePath

from jupyter_rewind.recovery.exports.page import read_page
from jupyter_rewind.recovery.exports.prose import Fetch, read_prose
from jupyter_rewind.recovery.exports.scripts import read_script
from jupyter_rewind.recovery.salvaged import Salvaged

SUFFIXES = frozenset({".py", ".r", ".jl", ".md", ".rmd", ".qmd", ".html", ".htm"})


LANGUAGES = {".py": "python", ".r": "R", ".jl": "julia"}
"""What scripts are in that say nothing of it themselves."""


def read_export(name: str, raw: bytes, *, fetch: Fetch | None = None) -> Salvaged | None:
    """The notebook that the file `name` was exported from; None where it shows no cells."""
    suffix = PurePath(name).suffix.lower()
    text = decode(raw)
    if suffix in LANGUAGES:
        return read_script(text, LANGUAGES[suffix])
    if suffix in (".html", ".htm"):
        return read_page(text)
    if suffix in SUFFIXES:
        return read_prose(text, fetch=fetch)
    return None


def decode(raw: bytes) -> str:
    """Text in UTF-8; bytes that are none become what Windows shows for them."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")
