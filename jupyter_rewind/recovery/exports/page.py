"""Notebooks exported as web pages: nbconvert's (lab, classic, basic) and nbviewer's.

Code and pictures are exact, text outputs are text; Markdown is told as it was rendered, turned back
into Markdown where that is plain. Nothing of the page is run or loaded. A page that leaves code out
has cells of no text: each is doubted, and it is said.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Any

from jupyter_rewind.recovery.broken.welds import marked
from jupyter_rewind.recovery.evidence import EvidenceCell, Output
from jupyter_rewind.recovery.exports.markdown import to_markdown
from jupyter_rewind.recovery.exports.markup import Open, Tag, tags, text_in
from jupyter_rewind.recovery.normal import is_cell_id
from jupyter_rewind.recovery.salvaged import Salvaged

_CELL = frozenset({"jp-Cell", "cell"})
_CODE = frozenset({"jp-CodeMirrorEditor", "jp-InputArea-editor", "input_area"})
_TEXT = frozenset({"jp-RenderedMarkdown", "text_cell_render"})
_PROMPT = frozenset({"jp-InputPrompt", "input_prompt"})
_OUT_PROMPT = frozenset({"jp-OutputPrompt", "output_prompt"})
_OUTPUT = frozenset({"jp-OutputArea-output", "output_subarea"})
_LONGEST_PROMPT = 200
_LEFT_OUT = "its code was left out of the page"
_NUMBER = re.compile(r"\[\s*(\d{1,9})\s*\]")
_DATA = re.compile(r"data:(image/[a-z+.-]+);base64,", re.IGNORECASE)
_FAULT = re.compile(
    r"([A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Warning|Exit|Iteration))(?::\s?(.*))?\Z",
    re.DOTALL,
)
_OLD_MIMES = {
    "output_html": "text/html",
    "output_svg": "image/svg+xml",
    "output_latex": "text/latex",
    "output_markdown": "text/markdown",
    "output_javascript": "application/javascript",
}
_TITLE = re.compile(r"<title[^>]{0,1000}>([^<]{0,1000})</title", re.IGNORECASE)


def page_title(text: str) -> str:
    """What the page calls itself; "" where it doesn't."""
    found = _TITLE.search(text, 0, 1 << 16)
    return " ".join(found[1].split()) if found else ""


def read_page(text: str) -> Salvaged | None:
    """The notebook that the page shows; None where it shows none."""
    page = _Page(text)
    cells = page.read()
    if not cells:
        return None
    name = "python3" if "hl-ipython3" in text or "hl-python" in text else ""
    metadata: dict[str, Any] = {}
    if name:
        metadata["kernelspec"] = {"display_name": name, "language": "python", "name": name}
        metadata["language_info"] = {"name": "python"}
    many = "1 cell" if page.left_out == 1 else f"{page.left_out} cells"
    damages = (f"the page leaves out the code of {many}",) if page.left_out else ()
    return Salvaged(tuple(cells), metadata, damages=damages, whole=False)


@dataclass(slots=True)
class _Cell:
    kind: str = ""
    source: str = ""
    cell_id: str | None = None
    count: int | None = None
    tags: list[str] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    out_count: int | None = None
    has_pre: bool = False
    has_input: bool = False


class _Page:
    """One walk over a page: elements open and close, cells fill."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._open = Open()
        self._inside = {"code": 0, "output": 0, "text": 0}
        self._cell: _Cell | None = None
        self._cells: list[EvidenceCell] = []
        self.left_out = 0
        """How many cells of code it shows without their code."""

    def read(self) -> list[EvidenceCell]:
        for tag in tags(self._text):
            if tag.name and not tag.is_end:
                self._enter(tag)
            for closed in self._open.take(tag):
                self._leave(closed, tag.start)
        while self._open.stack:
            self._leave(self._open.stack.pop(), len(self._text))
        self._finish()
        return self._cells

    def _enter(self, tag: Tag) -> None:
        classes = tag.classes
        if self._inside["output"] == 0 and tag.name == "div" and classes & _CELL:
            self._finish()
            self._cell = _new_cell(tag)
        if self._cell is None:
            return
        # What an output shows may be a notebook, too: its code is none of this one's.
        if classes & _CODE and self._inside["output"] == 0:
            self._inside["code"] += 1
            self._cell.kind = "code"
            self._cell.has_input = True
        if classes & _TEXT:
            self._inside["text"] += 1
        if classes & _OUTPUT and not classes & _TEXT - {"jp-RenderedMarkdown"}:
            self._inside["output"] += 1

    def _leave(self, tag: Tag, end: int) -> None:
        cell, classes = self._cell, tag.classes
        if cell is None:
            return
        text = self._text
        if tag.name == "pre" and self._inside["code"] and not cell.has_pre:
            cell.source = _code_text(text_in(text, tag.end, end))
            cell.has_pre = True
        if classes & _CODE and self._inside["output"] == 0:
            self._inside["code"] -= 1
        if classes & _TEXT:
            self._inside["text"] -= 1
        if classes & _OUTPUT and self._inside["output"]:
            self._inside["output"] -= 1
            if self._inside["output"] == 0 and cell.kind == "code":
                self._take_output(cell, tag, end)
        elif self._inside["output"]:
            return
        elif classes & _TEXT and self._inside["text"] <= 0:
            cell.kind = cell.kind or "markdown"
            if cell.kind == "markdown":
                cell.source = to_markdown(text, tag.end, end)
        elif classes & _OUT_PROMPT:
            cell.out_count = _number(text_in(text, tag.end, min(end, tag.end + _LONGEST_PROMPT)))
        elif classes & _PROMPT and cell.count is None:
            cell.count = _number(text_in(text, tag.end, min(end, tag.end + _LONGEST_PROMPT)))

    def _take_output(self, cell: _Cell, tag: Tag, end: int) -> None:
        output = _output(self._text, tag, end, cell.out_count)
        if output is not None:
            cell.outputs.append(output)
        cell.out_count = None

    def _finish(self) -> None:
        cell, self._cell = self._cell, None
        self._inside = {"code": 0, "output": 0, "text": 0}
        if cell is None or not cell.kind:
            return
        is_code = cell.kind == "code"
        made = EvidenceCell(
            cell.kind,
            cell.source,
            tuple(cell.outputs),
            cell.count if is_code else None,
            cell.cell_id,
            {"tags": cell.tags} if cell.tags else {},
            whole=is_code and (cell.has_input or bool(cell.outputs)),
        )
        if is_code and not cell.has_input:
            self.left_out += 1
            made = marked(made, _LEFT_OUT)
        self._cells.append(made)


def _new_cell(tag: Tag) -> _Cell:
    cell = _Cell()
    name = tag.attributes.get("id", "").removeprefix("cell-id=")
    if tag.attributes.get("id", "").startswith("cell-id=") and is_cell_id(name):
        cell.cell_id = name
    names = tag.attributes.get("class", "").split()
    cell.tags = [one.removeprefix("celltag_") for one in names if one.startswith("celltag_")]
    if "jp-CodeCell" in names or "code_cell" in names:
        cell.kind = "code"
    elif "jp-MarkdownCell" in names or "text_cell" in names:
        cell.kind = "markdown"
    return cell


def _code_text(text: str) -> str:
    text = text.removesuffix("\n")
    return "" if not text.strip() else text


def _number(text: str) -> int | None:
    found = _NUMBER.search(text)
    return int(found[1]) if found else None


def _output(text: str, tag: Tag, end: int, count: int | None) -> Output | None:
    classes = tag.classes
    mime = tag.attributes.get("data-mime-type", "") or next(
        (_OLD_MIMES[name] for name in classes if name in _OLD_MIMES), ""
    )
    picture = _picture(text, tag.end, end)
    inner = text[tag.end : end].strip("\n")
    data: dict[str, Any]
    if (picture is not None and mime in ("", "image/svg+xml")) or "jp-RenderedImage" in classes:
        if picture is None:
            return None
        data = picture
    elif mime in ("text/html", "text/latex", "text/markdown", "image/svg+xml"):
        data = {mime: inner if mime != "text/latex" else text_in(text, tag.end, end).strip("\n")}
    elif mime and not mime.startswith(("text/plain", "application/vnd.jupyter.std")):
        return None  # a script that draws: what it was made from is not in the page
    else:
        return _text_output(text, tag, end, count)
    return _display(data, count, classes)


def _display(data: dict[str, Any], count: int | None, classes: frozenset[str]) -> Output:
    is_result = bool({"jp-OutputArea-executeResult", "output_execute_result"} & classes)
    if is_result or count is not None:
        return {
            "output_type": "execute_result",
            "data": data,
            "metadata": {},
            "execution_count": count,
        }
    return {"output_type": "display_data", "data": data, "metadata": {}}


def _text_output(text: str, tag: Tag, end: int, count: int | None) -> Output | None:
    classes = tag.classes
    said = text_in(text, tag.end, end)
    said = said.removeprefix("\n").removesuffix("\n") if said.endswith("\n") else said.lstrip("\n")
    is_error = "output_error" in classes
    is_stderr = "stderr" in tag.attributes.get("data-mime-type", "") or "output_stderr" in classes
    if is_error or is_stderr:
        lines = said.strip("\n").split("\n")
        fault = next((m for line in reversed(lines) if (m := _FAULT.match(line.strip()))), None)
        if fault is not None and (is_error or "ansi-" in text[tag.end : end]):
            return {
                "output_type": "error",
                "ename": fault[1],
                "evalue": fault[2] or "",
                "traceback": lines,
            }
        return {"output_type": "stream", "name": "stderr", "text": said}
    if count is not None or {"jp-OutputArea-executeResult", "output_execute_result"} & classes:
        return _display({"text/plain": said}, count, classes)
    return {"output_type": "stream", "name": "stdout", "text": said}


def _picture(text: str, at: int, end: int) -> dict[str, Any] | None:
    for tag in tags(text, at, end):
        if tag.name != "img":
            continue
        source = tag.attributes.get("src", "")
        found = _DATA.match(source)
        if found is None:
            continue
        mime, coded = found[1].lower(), source[found.end() :]
        if mime != "image/svg+xml":
            return {mime: coded}
        try:
            return {mime: base64.b64decode(coded, validate=True).decode()}
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None
