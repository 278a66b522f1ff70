"""A notebook as text: an .ipynb file, Python in jupytext's percent format, or Markdown.

All three can be opened by Jupyter (the last two with jupytext) and by editors. Outputs are in the
.ipynb only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.recovery.exports.magics import comment_magics
from jupyter_rewind.recovery.notebookjson import to_json

FORMS = ("ipynb", "py", "md")
_FENCE = re.compile(r"^(`{3,}|~{3,})", re.MULTILINE)


def to_text(notebook: Mapping[str, Any], form: str) -> str:
    """The notebook in one of `FORMS`. Raises InvalidInput for another."""
    if form == "ipynb":
        return to_json(notebook).decode()
    if form == "py":
        return _header(notebook, "percent", ".py", "# ") + _to_percent(notebook)
    if form == "md":
        return _header(notebook, "markdown", ".md", "") + _to_markdown(notebook)
    raise InvalidInput(f"A notebook cannot be written as {form}; {', '.join(FORMS)} can be.")


def _text(cell: Mapping[str, Any]) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def to_bytes(notebook: Mapping[str, Any], form: str) -> bytes | bytearray:
    """The same as the bytes of a file."""
    if form == "ipynb":
        return to_json(notebook)
    return to_text(notebook, form).encode("utf-8", "backslashreplace")


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
