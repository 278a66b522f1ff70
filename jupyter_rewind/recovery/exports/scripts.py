"""Notebooks exported as scripts: jupytext's percent and light formats, nbconvert's of Python.

The cells come back with their code and Markdown; such files hold no outputs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from jupyter_rewind.recovery.evidence import EvidenceCell
from jupyter_rewind.recovery.exports.magics import uncall_magics, uncomment_magics
from jupyter_rewind.recovery.exports.metadata import kernel_metadata, read_front_matter
from jupyter_rewind.recovery.salvaged import Salvaged

_PERCENT = re.compile(r"#\s?%%(?P<rest>(?:\s|\[).*)?\Z")
_PROMPT = re.compile(r"^# In\s?\[[\s\d*]*\]:[ \t]*$", re.MULTILINE)
_LIGHT = re.compile(r"#\s\+(?P<rest>\s.*)?\Z")
_KIND = re.compile(r"\[(markdown|md|raw|code)\]")
_OPTION = re.compile(r"(?:^|\s)([\w.-]+)=(\"(?:[^\"\\]|\\.)*\"|\[[^\]]*\]|[\w.-]+)")
_HEAD = re.compile(r"\A#!.*\n|^#\s*-?\*?-?\s*coding[:=].*\n", re.MULTILINE)
_QUOTED = re.compile(r'\A\s*r?("""|\'\'\')\n?(.*?)\n?\1\s*\Z', re.DOTALL)
_TAIL = re.compile(r"\n\n\n+(?=#)")


def read_script(text: str, language: str = "python") -> Salvaged | None:
    """The notebook in the text of a script in this language; None where it shows no cells."""
    text = text.replace("\r\n", "\n")
    if _PROMPT.search(text):
        return Salvaged(tuple(_prompts(text)), kernel_metadata({}, language), whole=False)
    front, body = read_front_matter(text, comment="#")
    lines = body.split("\n")
    told = _format_name(front)
    if told != "light" and any(_PERCENT.match(line) for line in lines):
        cells = tuple(_percent(lines, keeps_magics=told == "hydrogen"))
    elif told == "light" or any(_LIGHT.match(line) for line in lines):
        cells = tuple(_light(lines))
    else:
        return None
    return Salvaged(cells, kernel_metadata(front, language), whole=False)


def _format_name(front: dict[str, Any]) -> str:
    at: Any = front
    for key in ("jupyter", "jupytext", "text_representation", "format_name"):
        at = at.get(key) if isinstance(at, dict) else None
    return at if isinstance(at, str) else ""


def _prompts(text: str) -> Iterator[EvidenceCell]:
    """nbconvert's: `# In[1]:`, two blank lines, the code; Markdown as comments between."""
    parts = _PROMPT.split(_HEAD.sub("", text))
    yield from _comments(parts[0].strip("\n"))
    for part in parts[1:]:
        blank = len(part) - len(part.lstrip("\n"))
        body = part.strip("\n")
        if blank > 4 and body.startswith("#"):
            yield EvidenceCell("code", "")
            yield from _comments(body)
            continue
        found = _TAIL.search(body, _comments_from(body))
        code, comments = (body[: found.start()], body[found.end() :]) if found else (body, "")
        yield EvidenceCell("code", uncall_magics(code.strip("\n")))
        yield from _comments(comments)


def _comments_from(body: str) -> int:
    """Where in a cell's text the lines begin that are all comments or blank, up to its end."""
    at = len(body)
    while at > 0:
        start = body.rfind("\n", 0, at) + 1
        if start < at and body[start] != "#":
            return at
        at = start - 1
    return 0


def _comments(text: str) -> Iterator[EvidenceCell]:
    for block in re.split(r"\n\n+", text):
        if block.strip():
            source = "\n".join(_uncomment(line) for line in block.split("\n"))
            yield EvidenceCell("markdown", source.rstrip("\n"), whole=False)


def _uncomment(line: str) -> str:
    return line[2:] if line.startswith("# ") else line[1:] if line.startswith("#") else line


def _percent(lines: list[str], *, keeps_magics: bool) -> Iterator[EvidenceCell]:
    mark: str | None = None
    body: list[str] = []
    for line in [*lines, "# %%"]:
        found = _PERCENT.match(line)
        if found is None:
            body.append(line)
            continue
        if mark is not None or any(body):
            yield _marked(mark or "", body, keeps_magics=keeps_magics)
        mark, body = found["rest"] or "", []


def _marked(mark: str, body: list[str], *, keeps_magics: bool = False) -> EvidenceCell:
    """A cell whose marker says of what kind it is and what its metadata are."""
    while body and not body[-1]:
        body.pop()
    found = _KIND.search(mark)
    kind = "code" if found is None else "markdown" if found[1] == "md" else found[1]
    options = _options(mark)
    if options.get("active") == "":
        kind = "raw"
        del options["active"]
    language = options.pop("language", None)
    text = "\n".join(body)
    if kind == "code" and isinstance(language, str):
        text = f"%%{language}\n" + "\n".join(map(_uncomment, body))
    elif kind == "code":
        text = text if keeps_magics else uncomment_magics(text)
    else:
        quoted = _QUOTED.match(text)
        text = quoted[2] if quoted else "\n".join(map(_uncomment, body))
    return EvidenceCell(kind, text, metadata=options)


def _options(mark: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for key, value in _OPTION.findall(mark[:10_000]):
        try:
            options[key] = json.loads(value)
        except ValueError:
            options[key] = value
    return options


def _light(lines: list[str]) -> Iterator[EvidenceCell]:
    """jupytext's: paragraphs are cells, `# +` and `# -` stand around those with blank lines."""
    at = 0
    while at < len(lines):
        found = _LIGHT.match(lines[at])
        if found is not None:
            end = at + 1
            while end < len(lines) and lines[end] != "# -" and not _LIGHT.match(lines[end]):
                end += 1
            yield _marked(found["rest"] or "", lines[at + 1 : end])
            at = end + (end < len(lines) and lines[end] == "# -")
        elif not lines[at].strip() or lines[at] == "# -":
            at += 1
        else:
            end = _paragraph(lines, at)
            block = lines[at:end]
            is_text = all(line.startswith("#") for line in block)
            if is_text and uncomment_magics(block[0]) == block[0]:
                source = "\n".join(map(_uncomment, block))
                yield EvidenceCell("markdown", source)
            else:
                yield EvidenceCell("code", uncomment_magics("\n".join(block)))
            at = end


def _paragraph(lines: list[str], at: int) -> int:
    """Where the paragraph that begins at `at` ends; what is indented belongs to it."""
    end = at
    while end < len(lines):
        if _LIGHT.match(lines[end]):
            return end
        if not lines[end].strip():
            after = end
            while after < len(lines) and not lines[after].strip():
                after += 1
            if after == len(lines) or not lines[after].startswith((" ", "\t", ")", "]", "}")):
                return end
            end = after
        end += 1
    return end
