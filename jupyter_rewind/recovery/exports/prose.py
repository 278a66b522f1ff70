"""Notebooks exported as Markdown: jupytext's .md and .Rmd, Quarto's .qmd, nbconvert's .md.

Code in fences, text between them. Of nbconvert's outputs the pictures come back, whose files are
numbered by cell; its texts, set in by four places behind a fence, are told as outputs of no cell: a
text cell may begin so.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator

from jupyter_rewind.recovery.evidence import EvidenceCell, Output
from jupyter_rewind.recovery.exports.fences import (
    Style,
    closes,
    code_of,
    fence_at,
    find,
    is_apart,
    style_of,
)
from jupyter_rewind.recovery.exports.metadata import kernel_metadata, read_front_matter
from jupyter_rewind.recovery.salvaged import Salvaged

_OPEN_REGION = re.compile(r"<!-- #(region|raw|md|markdown)\b.*-->\s*\Z")
_CLOSE_REGION = re.compile(r"<!-- #end(?:region|raw|md|markdown)\s*-->\s*\Z")
_PICTURE = re.compile(r"\s*!\[\w*\]\((?P<path>[^)\s]*_files/[^)\s]*_\d+_\d+\.[a-z]+)\)\s*\Z")
_INDENT = "    "
_BREAK = re.compile(r"\+\+\+(?:[ \t]*\{.*\})?[ \t]*\Z")
_MIMES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "svg": "image/svg+xml",
}
Fetch = Callable[[str], bytes | None]
"""Told a path as the text has it, answers with that file's bytes, None if it isn't there."""


def read_prose(text: str, *, fetch: Fetch | None = None) -> Salvaged | None:
    """The notebook in the text of a Markdown file; None where it shows no code."""
    text = text.replace("\r\n", "\n")
    front, body = read_front_matter(text)
    metadata = kernel_metadata(front)
    language = metadata["language_info"]["name"]
    lines = body.split("\n")
    style = style_of(lines, front)
    cells = tuple(_cells(lines, style, language, fetch if not front else None, not front))
    if not any(cell.kind == "code" for cell in cells):
        return None
    return Salvaged(cells, metadata, whole=False)


def _cells(
    lines: list[str], style: Style, language: str, fetch: Fetch | None, has_outputs: bool
) -> Iterator[EvidenceCell]:
    at = 0
    text: list[str] = []
    while at < len(lines):
        region = _OPEN_REGION.match(lines[at]) if lines[at].startswith("<!--") else None
        fence = fence_at(lines, at)
        if region is not None:
            yield from _texts(text)
            text = []
            end = find(lines, at + 1, lambda line: bool(_CLOSE_REGION.match(line)))
            kind = "raw" if region[1] == "raw" else "markdown"
            yield EvidenceCell(kind, "\n".join(lines[at + 1 : end]))
            at = end + 1
        elif fence is not None:
            end = find(lines, at + 1, closes(fence["fence"]))
            code = code_of(style, fence["info"], "\n".join(lines[at + 1 : end]), language)
            if code is None or (style is Style.APART and text and not is_apart(lines, at)):
                text += lines[at : end + 1]
                at = end + 1
                continue
            yield from _texts(text)
            text, at = [], end + 1
            outputs: tuple[Output, ...] = ()
            printed: tuple[Output, ...] = ()
            if has_outputs:
                outputs, printed, at = _outputs(lines, at, fetch)
            yield EvidenceCell(code.kind, code.source, outputs, metadata=code.metadata)
            if printed:
                yield EvidenceCell("raw", "", printed, whole=False)  # no code that could have run
        elif style is Style.MYST and _BREAK.match(lines[at]):
            yield from _texts(text)
            text, at = [], at + 1
        else:
            text.append(lines[at])
            at += 1
    yield from _texts(text)


def _texts(lines: list[str]) -> Iterator[EvidenceCell]:
    """Markdown cells: two blank lines stand between two of them."""
    for block in re.split(r"\n[ \t]*\n[ \t]*\n(?:[ \t]*\n)*", "\n".join(lines).strip("\n")):
        if block.strip():
            yield EvidenceCell("markdown", block.strip("\n"), whole=False)


def _outputs(
    lines: list[str], at: int, fetch: Fetch | None
) -> tuple[tuple[Output, ...], tuple[Output, ...], int]:
    """nbconvert's pictures behind a fence, texts that look like its, and where they end."""
    found: list[Output] = []
    printed: list[Output] = []
    end = at
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        if lines[at].startswith(_INDENT):
            text, at = _printed(lines, at)
            printed.append({"output_type": "stream", "name": "stdout", "text": text})
            end = at
            continue
        picture = _PICTURE.match(lines[at])
        made = _picture(picture["path"], fetch) if picture else None
        if made is None:
            break
        found.append(made)
        at += 1
        end = at
    return tuple(found), tuple(printed), end


def _printed(lines: list[str], at: int) -> tuple[str, int]:
    """The text set in from this line on, up to where two blank lines or others end it."""
    text: list[str] = []
    while at < len(lines) and (lines[at].startswith(_INDENT) or not lines[at].strip()):
        if not lines[at].strip() and (at + 1 == len(lines) or not lines[at + 1].strip()):
            break
        text.append(lines[at].removeprefix(_INDENT))
        at += 1
    return "\n".join(text).rstrip("\n") + "\n", at


def _picture(path: str, fetch: Fetch | None) -> Output | None:
    mime = _MIMES.get(path.rpartition(".")[2].lower())
    raw = fetch(path) if fetch is not None and mime is not None else None
    if raw is None or mime is None:
        return None
    if mime == "image/svg+xml":
        return _display({mime: raw.decode("utf-8", "replace")})
    return _display({mime: base64.b64encode(raw).decode()})


def _display(data: dict[str, str]) -> Output:
    return {"output_type": "display_data", "data": data, "metadata": {}}
