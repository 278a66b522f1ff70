"""The recovery as one HTML page: the notebook's cells, coloured by where each came from.

Self-contained and inert. What a notebook holds is a stranger's: all of it is escaped, nothing of
it is markup here, the page has no script, and its policy lets a browser load nothing and run
nothing. Pictures are shown as pictures; HTML, SVG and JavaScript outputs are named, not shown.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from html import escape
from typing import Any

from jupyter_rewind.recovery.evidence import EvidenceCell, Trace
from jupyter_rewind.recovery.rebuild import GAVE_WAY, RebuiltCell
from jupyter_rewind.recovery.recover import Recovery
from jupyter_rewind.recovery.report import CERTAIN, Report, main_origin, report, sureness

COLORS = 8
_LONGEST_TEXT = 20_000
_LARGEST_PICTURE = 4 << 20
_PICTURES = ("image/png", "image/jpeg", "image/gif")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]|[\ud800-\udfff]")

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
"""
_STYLE = """<style>
:root { color-scheme: light dark; --line: #d0d4da; --dim: #5c6370; --paper: #fff; --ink: #1d2129;
 --code: #f5f6f8; }
@media (prefers-color-scheme: dark) { :root { --line: #3a3f47; --dim: #9aa2ae; --paper: #16181c;
 --ink: #e6e8eb; --code: #1f2329; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 4rem; background: var(--paper);
 color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p.lead { font-size: 1.1rem; margin: .25rem 0 1rem; }
ul { padding-left: 1.2rem; margin: .25rem 0; } li { margin: .2rem 0; overflow-wrap: anywhere; }
pre { margin: 0; padding: .6rem .8rem; white-space: pre-wrap; overflow-wrap: anywhere;
 font: 13px/1.45 ui-monospace, monospace; }
.cell { border-left: .4rem solid var(--own); margin: .9rem 0; background: var(--code);
 border-radius: 0 .3rem .3rem 0; }
.cell.markdown { background: none; border-top: 1px solid var(--line);
 border-bottom: 1px solid var(--line); }
.about { display: flex; flex-wrap: wrap; gap: .2rem .8rem; padding: .35rem .8rem 0;
 font-size: .82rem; color: var(--dim); }
.about b { color: var(--ink); font-weight: 600; }
.sure { border: 1px solid currentColor; border-radius: .6rem; padding: 0 .5rem; }
.sure.likely { border-style: dashed; } .sure.doubtful { border-style: dotted; }
.out { border-top: 1px dashed var(--line); } .out pre { color: var(--dim); }
.out img { display: block; max-width: 100%; padding: .6rem .8rem; background: #fff; }
.note { padding: .3rem .8rem; font-size: .85rem; color: var(--dim); font-style: italic; }
.legend { list-style: none; padding: 0; }
.legend li { border-left: .9rem solid var(--own); padding-left: .6rem; margin: .35rem 0; }
.dim { color: var(--dim); }
details { border: 1px solid var(--line); border-radius: .3rem; margin: .5rem 0; }
summary { cursor: pointer; padding: .4rem .8rem; }
.o0 { --own: #2f6fde; } .o1 { --own: #d9822b; } .o2 { --own: #2e9e6b; } .o3 { --own: #9a4fd0; }
.o4 { --own: #c94057; } .o5 { --own: #1799a8; } .o6 { --own: #a07d16; } .o7 { --own: #6b7686; }
.none { --own: var(--line); }
@media print { details { break-inside: avoid; } .cell { break-inside: avoid; } }
</style>
"""


def as_page(recovery: Recovery) -> str:
    """The page that tells of `recovery`."""
    told = report(recovery)
    colors = _colors(recovery.rebuilt.cells)
    parts = [
        _HEAD,
        f"<title>{_text(told.notebook.name)}: what was brought back</title>\n{_STYLE}</head><body>",
        f"<h1>{_text(told.notebook.name)}</h1>",
        f'<p class="lead">{_lead(told)}</p>',
        f"<p>{_calm(told)}</p>",
        f'<p class="dim">{_text(str(told.notebook))}</p>',
        *_legend(told, colors),
        *_list("What is likely lost", told.likely_lost),
        *_list("What was damaged", told.damages),
        *_list("What it was not built on", told.passed_over),
        *_list("What to try next", told.next_steps),
        *_list("What could not be read", (f"{p.place}: {p.words}" for p in told.problems)),
        "<h2>The notebook</h2>",
        *(_cell(each, colors) for each in recovery.rebuilt.cells),
        *_alternatives(recovery),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _lead(told: Report) -> str:
    parts = [f"<b>{told.certain}</b> certain"]
    parts += [f"<b>{told.likely}</b> likely"] if told.likely else []
    parts += [f"<b>{told.doubtful}</b> doubtful"] if told.doubtful else []
    cells = "1 cell" if told.cells == 1 else f"{told.cells} cells"
    return f"{cells} brought back: {', '.join(parts)}."


def _calm(told: Report) -> str:
    """What a frightened person needs first: what was not touched, and what the words mean."""
    words = ["Nothing that was there was changed; what was brought back is a file of its own."]
    words += [f"Of the cells marked certain at least {CERTAIN:.0%} are right."]
    if told.likely or told.doubtful:
        words += ["Look through the others, most of all those that are marked doubtful."]
    return " ".join(words)


def _colors(cells: Iterable[RebuiltCell]) -> dict[tuple[str, str], str]:
    """A colour's class for each trace that cells come from, in the order of the notebook."""
    found: dict[tuple[str, str], str] = {}
    for cell in cells:
        trace = main_origin(cell)
        if trace is not None and _key(trace) not in found:
            found[_key(trace)] = f"o{min(len(found), COLORS - 1)}"
    return found


def _key(trace: Trace) -> tuple[str, str]:
    return trace.kind, trace.place


def _legend(told: Report, colors: dict[tuple[str, str], str]) -> Iterator[str]:
    yield '<h2>Where it came from</h2><ul class="legend">'
    for used in told.used:
        trace = used.trace
        own = colors.get(_key(trace), "none")
        cells = "1 cell" if used.cells == 1 else f"{used.cells} cells"
        yield (
            f'<li class="{own}"><b>{_text(used.words)}</b>, {cells}'
            f'<br><span class="dim">{_text(trace.place)}{_when(used.time_ns)}</span></li>'
        )
    yield "</ul>"


def _when(time_ns: int | None) -> str:
    if time_ns is None:
        return ""
    return f", {datetime.fromtimestamp(time_ns / 1e9):%Y-%m-%d %H:%M:%S}"


def _list(heading: str, lines: Iterable[str]) -> Iterator[str]:
    items = [f"<li>{_text(line)}</li>" for line in lines]
    if items:
        yield f"<h2>{heading}</h2><ul>{''.join(items)}</ul>"


def _cell(cell: RebuiltCell, colors: dict[tuple[str, str], str]) -> str:
    trace = main_origin(cell)
    own = colors.get(_key(trace), "none") if trace is not None else "none"
    kind = cell.cell.kind if cell.cell.kind in ("code", "markdown", "raw") else "raw"
    sure = sureness(cell.confidence)
    words = "; ".join(dict.fromkeys([*([cell.words] if cell.words else []), *_origins(cell)]))
    about = (
        f'<div class="about"><b>{kind}</b>'
        f'<span class="sure {sure}">{sure}, {math.floor(cell.confidence * 100)}%</span>'
        f"<span>{_text(words)}</span></div>"
    )
    body = f"<pre>{_text(_cut(cell.cell.source))}</pre>"
    outputs = "".join(_outputs(cell.cell))
    return f'<section class="cell {kind} {own}">{about}{body}{outputs}</section>'


def _origins(cell: RebuiltCell) -> list[str]:
    return [origin.words or origin.trace.words for origin in cell.provenance]


def _outputs(cell: EvidenceCell) -> Iterator[str]:
    for output in cell.outputs:
        yield f'<div class="out">{"".join(_output(output))}</div>'


def _output(output: Any) -> Iterator[str]:
    kind = output.get("output_type")
    if kind == "stream":
        yield f"<pre>{_text(_cut(_joined(output.get('text'))))}</pre>"
    elif kind == "error":
        yield f"<pre>{_text(_cut(_traceback(output)))}</pre>"
    else:
        data = output.get("data")
        yield from _bundle(data if isinstance(data, dict) else {})


def _bundle(data: dict[Any, Any]) -> Iterator[str]:
    picture = next((kind for kind in _PICTURES if kind in data), None)
    if picture is not None:
        yield _picture(picture, _joined(data[picture]))
        return
    if "text/plain" in data:
        yield f"<pre>{_text(_cut(_joined(data['text/plain'])))}</pre>"
    others = [str(kind) for kind in data if kind != "text/plain"]
    if others:
        yield f'<div class="note">Also in the notebook: {_text(", ".join(others))}</div>'


def _picture(kind: str, text: str) -> str:
    try:
        raw = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return f'<div class="note">A picture ({_text(kind)}) that cannot be read.</div>'
    if len(raw) > _LARGEST_PICTURE:
        return f'<div class="note">A large picture; it is in the notebook ({_text(kind)}).</div>'
    return f'<img alt="Output" src="data:{kind};base64,{base64.b64encode(raw).decode()}">'


def _traceback(output: Any) -> str:
    lines = output.get("traceback")
    if isinstance(lines, list) and lines:
        return "\n".join(str(line) for line in lines)
    return f"{output.get('ename', 'Error')}: {output.get('evalue', '')}"


def _alternatives(recovery: Recovery) -> Iterator[str]:
    found = recovery.rebuilt.alternatives
    if not found:
        return
    pieces = "1 piece of code has" if len(found) == 1 else f"{len(found)} pieces of code have"
    yield (
        f"<h2>Kept, but not in the notebook</h2><p>{pieces} no place in it: older texts of cells,"
        " tries and looks. Nothing of this is lost: it is here, and in the notebook's metadata.</p>"
        "<details><summary>Show it</summary>"
    )
    for each in sorted(found, key=lambda each: each.words != GAVE_WAY):
        words = "; ".join(word for word in (each.origin.words, each.words) if word)
        note = f'<div class="note">{_text(words)}</div>'
        code = f"<pre>{_text(_cut(each.source))}</pre>"
        yield f'<section class="cell code none">{note}{code}</section>'
    yield "</details>"


def _joined(text: Any) -> str:
    if isinstance(text, list):
        return "".join(str(each) for each in text)
    return text if isinstance(text, str) else str(text or "")


def _cut(text: str) -> str:
    if len(text) <= _LONGEST_TEXT:
        return text
    left = len(text) - _LONGEST_TEXT
    return f"{text[:_LONGEST_TEXT]}\n… {left} more characters are in the notebook"


def _text(text: str) -> str:
    """`text` as text: no markup, no order to a terminal, nothing that no page can hold."""
    return escape(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", _ANSI.sub("", text)), quote=True)
