"""Which fences of a Markdown file are code cells: each format marks them in its own way.

R Markdown and Quarto by a language in braces, MyST by `{code-cell}`: there all other fences are
text. nbconvert does not mark them; two blank lines stand before its cells, where others are text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

from jupyter_rewind.recovery.evidence import EvidenceCell
from jupyter_rewind.recovery.exports.magics import uncomment_magics

FENCE = re.compile(r"(?P<fence>`{3,}|~{3,})\s*(?P<info>[^`]*)\Z")
CODE_CELL, RAW_CELL = "code-cell", "raw-cell"
_OPTION = re.compile(r":[\w-]+:.*\Z")
_MAGIC_LANGUAGES = frozenset(
    {"bash", "sh", "javascript", "js", "perl", "ruby", "sql", "html", "latex", "svg", "r"}
)
_CODE = _MAGIC_LANGUAGES | {
    "python", "python3", "ipython", "ipython3", "py", "julia", "scala", "java", "rust", "go",
    "cpp", "c++", "csharp", "c#", "fsharp", "haskell", "ocaml", "sage", "matlab", "octave",
    "stata", "sas", "lua", "powershell", "typescript", "ts", "clojure", "scheme", "gnuplot",
    "tcl", "xonsh", "kotlin", "groovy", "robotframework",
}  # fmt: skip


class Style(Enum):
    """How a file marks its code cells."""

    PLAIN = "every fence of a language"
    APART = "a fence of a language behind two blank lines"
    BRACED = "a language in braces"
    MYST = "{code-cell}"


def style_of(lines: Sequence[str], front: Mapping[str, Any]) -> Style:
    """How the file whose `lines` these are, below the `front` matter, marks its code cells."""
    fences, at = [], 0
    while at < len(lines):
        fence = fence_at(lines, at)
        if fence is None:
            at += 1
            continue
        fences.append((fence["info"].strip(), is_apart(lines, at)))
        at = find(lines, at + 1, closes(fence["fence"])) + 1
    if _is_myst(front) or any(info.startswith(f"{{{CODE_CELL}}}") for info, _ in fences):
        return Style.MYST
    braced = (info for info, _ in fences if info.startswith("{"))
    if any(_words(info)[:1] and _words(info)[0].lower() in _CODE for info in braced):
        return Style.BRACED
    apart = any(far for info, far in fences if info.lower() in _CODE)
    return Style.APART if apart and not front else Style.PLAIN


def _is_myst(front: Mapping[str, Any]) -> bool:
    told: Any = front
    for key in ("jupytext", "text_representation", "format_name"):
        told = told.get(key) if isinstance(told, Mapping) else None
    return isinstance(told, str) and told == "myst"


def code_of(style: Style, info: str, source: str, language: str) -> EvidenceCell | None:
    """A code cell (or a raw one), if the fence's words say that it is one."""
    info = info.strip()
    words = _words(info)
    if style is Style.MYST:
        kind = {CODE_CELL: "code", RAW_CELL: "raw"}.get(words[0] if words else "")
        return EvidenceCell(kind, _without_options(source)) if kind else None
    braced = info.startswith("{")
    if not words or words[0].startswith((".", "=")) or (style is Style.BRACED and not braced):
        return None
    name = words[0].lower()
    if style is not Style.BRACED and name not in _CODE and name != language.lower():
        return None
    if any(word in (".noeval", "eval=FALSE", ".eval=FALSE") for word in words[1:]):
        return EvidenceCell("raw", source) if 'active=""' in words else None
    text = "" if not source.strip() else source
    text = uncomment_magics(text) if braced else text
    same = {name, language.lower()} <= {"python", "python3", "ipython3", "ipython", "py"}
    is_other = name != language.lower() and not same and name in _MAGIC_LANGUAGES
    if is_other and not text.startswith("%%"):
        text = f"%%{name}\n{text}"
    return EvidenceCell("code", text)


def _words(info: str) -> list[str]:
    return info.replace("{", " ").replace("}", " ").replace(",", " ").split()


def _without_options(source: str) -> str:
    """The text below what MyST says of the cell: YAML between lines of `---`, or `:key: value`."""
    lines = source.split("\n")
    if lines[0] == "---" and "---" in lines[1:]:
        lines = lines[lines.index("---", 1) + 1 :]
    else:
        end = find(lines, 0, lambda line: not _OPTION.match(line))
        lines = lines[end + (0 < end < len(lines) and not lines[end].strip()) :]
    return "\n".join(lines)


def fence_at(lines: Sequence[str], at: int) -> re.Match[str] | None:
    """The fence that opens in this line."""
    return FENCE.match(lines[at]) if lines[at][:3] in ("```", "~~~") else None


def is_apart(lines: Sequence[str], at: int) -> bool:
    """Whether two blank lines stand before this one, or nothing at all."""
    return not any(line.strip() for line in lines[max(0, at - 2) : at])


def closes(fence: str) -> Callable[[str], bool]:
    """Tells the line that closes the fence."""
    return lambda line: line.startswith(fence) and not line.strip(fence[0] + " \t")


def find(lines: Sequence[str], at: int, fits: Callable[[str], bool]) -> int:
    """The first line from this one on that fits; their number where none does."""
    while at < len(lines) and not fits(lines[at]):
        at += 1
    return at
