"""What other tools made of a notebook: scripts, Markdown, web pages, executed copies."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from jupyter_rewind.recovery.documents import read_notebook
from jupyter_rewind.recovery.evidence import (
    EVERYTHING,
    SCRIPT,
    Evidence,
    EvidenceCell,
    FoundDocument,
    Fragment,
    Holds,
    Problem,
    Scope,
    Trace,
)
from jupyter_rewind.recovery.exports.names import (
    is_brought_back,
    is_named_after,
    notebook_of,
    paired_notebook,
    trees_beside,
)
from jupyter_rewind.recovery.exports.prose import Fetch
from jupyter_rewind.recovery.exports.reading import SUFFIXES, decode, read_export
from jupyter_rewind.recovery.namesakes import (
    ALONE,
    BY_NAME,
    MADE,
    PAIR,
    TOOL,
    names_of_pairs,
)
from jupyter_rewind.recovery.regular import is_regular, open_file, read_file
from jupyter_rewind.recovery.traces.built import built_copies
from jupyter_rewind.recovery.walking import folders_of

_HEAD = 1 << 16
_PAGE_HEAD = 1 << 21  # the style sheets of a page take 300 KB
_STYLED = re.compile(rb"--jp-|jupyter|ipython|notebook|bootstrap", re.IGNORECASE)
_MOST_FOLDERS = 400
_LARGEST = 1 << 29
_SCRIPT = re.compile(
    rb"^(?:#\s?%%(?:[\s\[]|$)|# In\s?\[[\s\d*]*\]:|#\s\+(?:\s|$)|#\s+jupytext:)", re.MULTILINE
)
_PROSE = re.compile(rb"^(?:`{3,}|~{3,})\s*\{?\s*[a-zA-Z]", re.MULTILINE)
_PAGE = re.compile(rb"class=\"[^\"]{0,200}\b(?:jp-Cell|text_cell|code_cell|input_area)\b")
_CODE = frozenset({Holds.CODE, Holds.MARKDOWN, Holds.ORDER})
_SHOWN = _CODE | {Holds.OUTPUTS}
_KINDS = {
    ".py": (_SCRIPT, _CODE, "A script made from the notebook"),
    ".r": (_SCRIPT, _CODE, "A script made from the notebook"),
    ".jl": (_SCRIPT, _CODE, "A script made from the notebook"),
    ".md": (_PROSE, _CODE, "A Markdown file made from the notebook"),
    ".rmd": (_PROSE, _CODE, "An R Markdown file made from the notebook"),
    ".qmd": (_PROSE, _CODE, "A Quarto file made from the notebook"),
    ".html": (_PAGE, _SHOWN, "A web page made from the notebook"),
    ".htm": (_PAGE, _SHOWN, "A web page made from the notebook"),
}
_FIRST, _LAST = 1 << 13, 1 << 16
_EXECUTED = re.compile(rb'"papermill"\s*:\s*\{')
_HEAD_OF_PAIR = re.compile(rb"^#? *jupytext:", re.MULTILINE)
_FORMATS = re.compile(rb"^#? *formats: *\S", re.MULTILINE)
_OF_TOOL = re.compile(
    rb"^# In\s?\[[\s\d*]*\]:|^#? *kernelspec:|^jupyter: *\w|^!\[\w*\]\([^)\s]*_files/", re.MULTILINE
)
_PAIRED = frozenset(
    {
        "scripts", "script", "py", "python", "src", "md", "markdown", "rmd", "qmd", "html", "doc",
        "docs", "notebooks", "exports", "export", "output", "outputs", "reports", "pages", "site",
    }
)  # fmt: skip
"""Folders beside the notebook's own in which pairs and exports are kept."""
_INJECTED = frozenset({"injected-parameters", "papermill-error-cell-tag"})


class ExportFinder:
    """Finds files that jupytext, nbconvert, Quarto, papermill or an editor made of a notebook."""

    kind = "export"
    title = "scripts, web pages and executed copies made from the notebook"
    asked_only = False
    holds: frozenset[Holds] = _SHOWN
    where: Mapping[str, str] = {
        "linux": "`NAME.py`, `NAME.R`, `NAME.jl`, `NAME.md`, `NAME.Rmd`, `NAME.qmd`, `NAME.html`,"
        " `NAME.slides.html` beside the notebook, in the folders beside and below it, or named by"
        " `--scan`; where jupytext's `formats:` or `jupytext.toml` pairs them; papermill's executed"
        " notebooks;"
        " copies of it in what Sphinx, Jupyter Book, nbsphinx, mkdocs or JupyterLite built of it"
        " (`_build`, `build`, `site`, `_output`)",
        "macos": "as on Linux",
        "windows": "as on Linux",
    }

    def find(self, scope: Scope) -> Iterator[Trace | Problem]:
        built = list(built_copies(scope, self.kind))
        yield from built
        seen = {Path(each.place) for each in built}
        for folder in _folders(scope):
            try:
                entries = sorted(os.scandir(folder), key=lambda each: each.name)
            except FileNotFoundError:
                continue
            except OSError as error:
                yield Problem(str(folder), f"It cannot be looked into: {error.strerror}.")
                continue
            for entry in entries:
                path = Path(entry.path)
                if is_regular(path) and path not in seen:
                    seen.add(path)
                    yield from _look(path, scope)
        for path in _in_trees_beside(scope):
            if path not in seen:
                seen.add(path)
                yield from _look(path, scope)
        for path in scope.scan:
            if os.path.isfile(path) and path not in seen:
                yield from _look(path, scope, named=True)

    def read(self, trace: Trace, scope: Scope) -> Evidence:
        path = Path(trace.place)
        if path.stat().st_size > _LARGEST:
            words = f"It is larger than {_LARGEST >> 20} MB; no export of a notebook is."
            return Evidence(problems=(Problem(trace.place, words, trace),))
        if path.suffix == ".ipynb":
            return _without_injected(read_notebook(trace))
        raw = read_file(path)
        read = read_export(path.name, raw, fetch=_fetcher(path.parent))
        if read is None:
            source = decode(raw)
            return Evidence(fragments=(Fragment(trace, SCRIPT, path.name, source),))
        document = read.as_document(trace, trace.time_ns)
        return Evidence(documents=(document,), names=names_of_pairs([trace]))


def _folders(scope: Scope) -> Iterator[Path]:
    """Where exports of the notebook may lie: its folder, those beside and those below."""
    if scope.notebook is None:
        yield from folders_of(scope)
        return
    home = scope.notebook.parent
    siblings = [one for one in _subfolders(home.parent) if one.name.lower() in _PAIRED]
    near = [home, *_subfolders(home), *siblings]
    for name in ("_build", "_site", "build", "docs", "output", "outputs"):
        near += [home / name / "html", *_subfolders(home / name)]
    yield from list(dict.fromkeys(near))[:_MOST_FOLDERS]


def _subfolders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [each.name for each in entries if each.is_dir(follow_symlinks=False)]
    except OSError:
        return []  # told where the folder itself is looked into
    return [folder / name for name in sorted(names) if not name.startswith(".")]


def _in_trees_beside(scope: Scope) -> Iterator[Path]:
    """Files that say themselves to be paired with the notebook, in a tree beside its own."""
    wanted = scope.notebook
    if wanted is None:
        return
    for folder in trees_beside(wanted):
        for path in sorted(folder.glob(f"*{glob.escape(wanted.stem)}*")):
            if path.suffix.lower() in SUFFIXES and _paired(path) == wanted:
                yield path


def _paired(path: Path) -> Path | None:
    """The notebook that the file says to be paired with; None where it says nothing."""
    if path.suffix.lower() in (".html", ".htm") or not is_regular(path):
        return None
    try:
        with open_file(path) as file:
            return paired_notebook(path, file.read(_FIRST))
    except OSError:
        return None  # told where it is looked at


def _look(path: Path, scope: Scope, *, named: bool = False) -> Iterator[Trace | Problem]:
    suffix, wanted = path.suffix.lower(), scope.notebook
    if is_brought_back(path, wanted):
        return
    if suffix == ".ipynb":
        if path != wanted:
            yield from _look_executed(path, wanted)
        return
    if suffix not in SUFFIXES:
        return
    pair = _paired(path) if wanted is None or wanted.stem in path.name else None
    own = wanted or pair or notebook_of(path)
    is_pair = pair == own
    if wanted is None and not own.is_relative_to(scope.folder):
        return  # it is paired with a notebook of a folder that is not looked into
    if wanted is not None and not named and not is_pair and not is_named_after(path, wanted):
        return
    is_elsewhere = wanted is not None and path.parent != wanted.parent
    if is_elsewhere and not is_pair and os.path.exists(path.with_name(own.name)):
        return  # made from the other notebook of this name
    pattern, holds, words = _KINDS[suffix]
    try:
        status = path.stat()
        fits = _fits(path, pattern)
    except OSError as error:
        yield Problem(str(path), f"It cannot be looked at: {error.strerror}.")
        return
    if fits:
        handle = _made(path)
        if handle[MADE] == BY_NAME and not named:
            words = words.replace("made from the notebook", "of the notebook's name")
        yield Trace(
            ExportFinder.kind, str(path), str(own), holds, status.st_mtime_ns, status.st_size,
            words, handle=handle,
        )  # fmt: skip
    elif suffix == ".py" and (named or (path.stem == own.stem and wanted is not None)):
        yield Trace(
            ExportFinder.kind, str(path), str(own), frozenset({Holds.CODE}),
            status.st_mtime_ns, status.st_size, "A script of the same name", handle={MADE: BY_NAME},
        )  # fmt: skip


def _made(path: Path) -> dict[str, str]:
    """How the file was made, as far as its beginning tells."""
    if path.suffix.lower() in (".html", ".htm"):
        return {MADE: TOOL}
    with open_file(path) as file:
        head = file.read(_HEAD)
    if _HEAD_OF_PAIR.search(head, 0, _FIRST):
        return {MADE: PAIR} if _FORMATS.search(head, 0, _FIRST) else {MADE: PAIR, ALONE: "yes"}
    return {MADE: TOOL if _OF_TOOL.search(head) else BY_NAME}


def _fits(path: Path, pattern: re.Pattern[bytes]) -> bool:
    """Whether the file begins like what is made of notebooks."""
    with open_file(path) as file:
        head = file.read(_HEAD)
        if pattern.search(head):
            return True
        if pattern is not _PAGE or not _STYLED.search(head):
            return False
        return _PAGE.search(head + file.read(_PAGE_HEAD)) is not None


def _look_executed(path: Path, wanted: Path | None) -> Iterator[Trace | Problem]:
    """A notebook that says that papermill made it of another."""
    try:
        status = path.stat()
        with open_file(path) as file:
            told = file.read(_FIRST)
            if status.st_size > _FIRST + _LAST:
                file.seek(-_LAST, os.SEEK_END)
            told += file.read(_LAST)
    except OSError as error:
        yield Problem(str(path), f"It cannot be looked at: {error.strerror}.")
        return
    made_by_convert = path.name.endswith(".nbconvert.ipynb")
    origin = _origin(told, path)
    if made_by_convert and origin is None:
        origin = path.with_name(path.name.removesuffix(".nbconvert.ipynb") + ".ipynb")
    if origin is None or (wanted is not None and origin.name != wanted.name):
        return
    yield Trace(
        ExportFinder.kind, str(path), str(wanted or origin), EVERYTHING - {Holds.TIMES},
        status.st_mtime_ns, status.st_size, "A copy of the notebook that a tool ran",
    )  # fmt: skip


def _origin(told: bytes, path: Path) -> Path | None:
    for found in _EXECUTED.finditer(told):
        named = re.compile(rb'"input_path"\s*:\s*("(?:[^"\\]|\\.)*+")').search(told, found.end())
        if named is not None:
            try:
                text = json.loads(named[1])
            except ValueError:
                continue
            return path.parent / PurePosixPath(text.replace("\\", "/")).name if text else None
    return None


def _without_injected(evidence: Evidence) -> Evidence:
    """A document without the cells that papermill itself put in."""
    return Evidence(
        tuple(_own_cells(document) for document in evidence.documents),
        problems=evidence.problems,
    )


def _own_cells(document: FoundDocument) -> FoundDocument:
    own = tuple(cell for cell in document.cells if not _INJECTED & set(_tags(cell)))
    return FoundDocument(
        document.trace, own, document.metadata, document.nbformat, document.time_ns,
        document.complete, document.damages,
    )  # fmt: skip


def _tags(cell: EvidenceCell) -> list[str]:
    tags = cell.metadata.get("tags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def _fetcher(folder: Path) -> Fetch:
    """Reads pictures beside a Markdown file; nothing outside its folder."""

    def fetch(path: str) -> bytes | None:
        place = (folder / path).resolve()
        if not place.is_relative_to(folder.resolve()) or not os.path.isfile(place):
            return None
        return read_file(place) if place.stat().st_size < _LARGEST else None

    return fetch
