"""A notebook's cells and outputs as text: plain lines for a pipe, rich blocks for a terminal.

Reads any notebook leniently, of any format: what is not there is left out, and nothing raises.
Pictures and pages are named with their type and size, never shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jupyter_rewind.faces.cli import wording
from jupyter_rewind.model.entry import Json

if TYPE_CHECKING:
    from rich.console import RenderableType

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")


@dataclass(frozen=True, slots=True)
class Output:
    """One output of a cell. `kind`: `text`, `error` or `data` (then `text` names it)."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Cell:
    """What of a cell is shown."""

    title: str
    kind: str
    source: str
    outputs: tuple[Output, ...]


def cells_of(content: Mapping[str, Json]) -> Iterator[tuple[Cell, str]]:
    """Each cell of a notebook in order, with the name of its language."""
    language = _language(content)
    for number, cell in enumerate(_raw_cells(content), start=1):
        kind = str(cell.get("cell_type", "cell"))
        run = cell.get("execution_count", cell.get("prompt_number"))
        title = f"{number} {kind}"
        title += f" [{run}]" if isinstance(run, int) else ""
        title += f" {cell['id']}" if isinstance(cell.get("id"), str) else ""
        text = joined(cell.get("source", cell.get("input", "")))
        lexer = str(cell.get("language", language)) if kind == "code" else "markdown"
        yield Cell(title, kind, text, tuple(_outputs(cell))), lexer


def plain_lines(content: Mapping[str, Json]) -> Iterator[str]:
    """The notebook as lines of text without colours."""
    for cell, _ in cells_of(content):
        yield f"# %% {cell.title}"
        yield from cell.source.splitlines()
        for output in cell.outputs:
            for line in _ANSI.sub("", output.text).splitlines():
                yield f"# > {line}"
        yield ""


def rich_blocks(content: Mapping[str, Json]) -> Iterator[RenderableType]:
    """The notebook as blocks for rich: code with its colours, outputs set off by a bar."""
    from rich.padding import Padding
    from rich.rule import Rule
    from rich.syntax import Syntax
    from rich.text import Text

    for cell, lexer in cells_of(content):
        yield Rule(Text(wording.visible(cell.title), style="bold cyan"), align="left", style="dim")
        source = wording.visible(cell.source, keep="\n\t")
        yield Syntax(source, lexer, background_color="default", word_wrap=True)
        for output in cell.outputs:
            yield Padding(_rich_output(output), (0, 0, 0, 2))
        yield Text()


def _rich_output(output: Output) -> RenderableType:
    from rich.text import Text

    if output.kind == "data":
        return Text(wording.visible(output.text), style="italic dim")
    text = wording.visible(output.text, keep="\n\t\x1b")
    return Text.from_ansi(text, style="red" if output.kind == "error" else "green")


def joined(value: Json) -> str:
    """Multi-line text, which a notebook keeps as one string or as a list of lines."""
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return "".join(part for part in value if isinstance(part, str))
    return ""


def _raw_cells(content: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    found = content.get("cells")
    lists: list[Json] = [found] if found is not None else []
    sheets = content.get("worksheets")
    if isinstance(sheets, list):
        lists += [sheet.get("cells") for sheet in sheets if isinstance(sheet, Mapping)]
    for cells in lists:
        if isinstance(cells, list):
            yield from (cell for cell in cells if isinstance(cell, Mapping))


def _language(content: Mapping[str, Json]) -> str:
    metadata = content.get("metadata")
    for name, key in (("language_info", "name"), ("kernelspec", "language")):
        part = metadata.get(name) if isinstance(metadata, Mapping) else None
        value = part.get(key) if isinstance(part, Mapping) else None
        if isinstance(value, str):
            return value
    return "python"


def _outputs(cell: Mapping[str, Json]) -> Iterator[Output]:
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else []:
        if not isinstance(output, Mapping):
            continue
        kind = output.get("output_type")
        if kind in ("error", "pyerr"):
            trace = output.get("traceback")
            lines = trace if isinstance(trace, list) else []
            text = "\n".join(line for line in lines if isinstance(line, str))
            yield Output("error", text or joined(output.get("evalue", "")))
        elif kind == "stream":
            yield Output("text", joined(output.get("text", "")))
        else:
            data = output.get("data", output)
            yield from _data(data if isinstance(data, Mapping) else {})


_TEXTS = ("text/plain", "text")
_NOT_DATA = {"output_type", "metadata", "execution_count", "prompt_number", "name", "transient"}


def _data(data: Mapping[str, Json]) -> Iterator[Output]:
    for name, value in data.items():
        if name in _TEXTS:
            yield Output("text", joined(value))
        elif name not in _NOT_DATA:
            text = joined(value)
            bytes_ = len(text) * 3 // 4 if _is_base64(name) else len(text.encode(errors="replace"))
            yield Output("data", f"({name}, {wording.size(bytes_)})" if bytes_ else f"({name})")


def _is_base64(name: str) -> bool:
    return name in ("png", "jpeg") or (name.startswith("image/") and "svg" not in name)
