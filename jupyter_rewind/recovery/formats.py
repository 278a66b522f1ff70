"""A notebook as text: an .ipynb file, Python in jupytext's percent format, or Markdown.

All three can be opened by Jupyter (the last two with jupytext) and by editors. Outputs are in the
.ipynb only.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.recovery.exports.magics import comment_magics

FORMS = ("ipynb", "py", "md")
_LONE_HALF = re.compile("[\ud800-\udfff]")
_FENCE = re.compile(r"^(`{3,}|~{3,})", re.MULTILINE)


def to_text(notebook: Mapping[str, Any], form: str) -> str:
    """The notebook in one of `FORMS`. Raises InvalidInput for another."""
    if form == "ipynb":
        return _to_ipynb(notebook)
    if form == "py":
        return _header(notebook, "percent", ".py", "# ") + _to_percent(notebook)
    if form == "md":
        return _header(notebook, "markdown", ".md", "") + _to_markdown(notebook)
    raise InvalidInput(f"A notebook cannot be written as {form}; {', '.join(FORMS)} can be.")


def _to_ipynb(notebook: Mapping[str, Any]) -> str:
    try:
        text = _dump(notebook)
    except ValueError:
        text = _dump(_finite(notebook))
    return _LONE_HALF.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def _dump(notebook: Any) -> str:
    return json.dumps(
        _split(notebook), ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False
    )


def _finite(value: Any) -> Any:
    """`value` with null for numbers that JSON does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


def _split(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """Texts as lists of lines, as Jupyter writes them."""
    cells = []
    for cell in notebook["cells"]:
        made = {**cell, "source": _lines(cell["source"])}
        if "outputs" in cell:
            made["outputs"] = [_split_output(output) for output in cell["outputs"]]
        cells.append(made)
    return {**notebook, "cells": cells}


def _split_output(output: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(output)
    if isinstance(made.get("text"), str):
        made["text"] = _lines(made["text"])
    data = made.get("data")
    if isinstance(data, Mapping):
        made["data"] = {
            mime: _lines(value) if mime.startswith("text/") or mime.endswith("xml") else value
            for mime, value in data.items()
        }
    return made


def _lines(text: Any) -> Any:
    return text.splitlines(keepends=True) if isinstance(text, str) else text


def _text(cell: Mapping[str, Any]) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def _header(notebook: Mapping[str, Any], form: str, extension: str, comment: str) -> str:
    """jupytext's words at the top: the format, and the notebook's kernel."""
    lines = [
        "---", "jupyter:", "  jupytext:", "    text_representation:",
        f"      extension: {extension}", f"      format_name: {form}",
    ]  # fmt: skip
    kernel = notebook.get("metadata", {}).get("kernelspec")
    if isinstance(kernel, Mapping) and {"display_name", "name"} <= kernel.keys():
        lines.append("  kernelspec:")
        for key in ("display_name", "language", "name"):
            if isinstance(kernel.get(key), str):
                lines.append(f"    {key}: {json.dumps(kernel[key])}")
    lines.append("---")
    return "\n".join(f"{comment}{line}" for line in lines) + "\n\n"


def _to_percent(notebook: Mapping[str, Any]) -> str:
    return "\n\n".join(map(_percent, notebook["cells"])) + "\n"


def _percent(cell: Mapping[str, Any]) -> str:
    kind, source = cell["cell_type"], _text(cell)
    tags = cell.get("metadata", {}).get("tags")
    mark = "# %%" if kind == "code" else f"# %% [{kind}]"
    if tags and isinstance(tags, list):
        mark += f" tags={json.dumps(tags)}"
    if kind == "code":
        body = comment_magics(source)
        if source.startswith("%%"):  # the rest need not be Python
            body = "\n".join(f"# {line}" if line else "#" for line in source.split("\n"))
            name = re.match(r"%%(\w+)[ \t]*\n", source)
            if name is not None and name[1] in ("bash", "sh", "html", "javascript", "latex", "R"):
                return f'{mark} language="{name[1]}"\n' + "\n".join(body.split("\n")[1:])
            body = comment_magics(source)
    else:
        body = "\n".join(f"# {line}" if line else "#" for line in source.split("\n"))
    return f"{mark}\n{body}" if source else mark


def _to_markdown(notebook: Mapping[str, Any]) -> str:
    language = notebook.get("metadata", {}).get("language_info", {}).get("name", "python")
    return "\n\n".join(_prose(cell, language) for cell in notebook["cells"]) + "\n"


def _prose(cell: Mapping[str, Any], language: str) -> str:
    kind, source = cell["cell_type"], _text(cell)
    if kind == "raw":
        return f"<!-- #raw -->\n{source}\n<!-- #endraw -->"
    if kind == "markdown":
        return f"<!-- #region -->\n{source}\n<!-- #endregion -->"
    longest = max((len(found[0]) for found in _FENCE.finditer(source)), default=2)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{source}\n{fence}"
