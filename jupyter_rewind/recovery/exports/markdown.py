"""Rendered Markdown turned back: headings, paragraphs, lists, emphasis, code, links, pictures.

Everything else stays the HTML that it is, which Jupyter renders the same.
"""

from __future__ import annotations

from html import unescape

from jupyter_rewind.recovery.exports.markup import VOID, Open, Tag, tags, text_in

_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}
_INLINE = {"em": "*", "i": "*", "strong": "**", "b": "**", "code": "`"}
_BLOCKS = frozenset({"p", "ul", "ol", "li", "blockquote", "pre", "hr", *_HEADINGS})
_LAYOUT = frozenset({"div", "span"})
_PLAIN = _BLOCKS | _LAYOUT | frozenset(_INLINE) | {"a", "img", "br"}


def to_markdown(text: str, at: int, end: int) -> str:
    """The Markdown that may have been rendered to the HTML between two places of `text`."""
    found = list(tags(text, at, end))
    if any(tag.name and tag.name not in _PLAIN for tag in found):
        return text[at:end].strip()
    return _Writer(text, found, end).write()


class _Writer:
    def __init__(self, text: str, found: list[Tag], end: int) -> None:
        self._text = text
        self._found = found
        self._end = end
        self._blocks: list[str] = []
        self._line: list[str] = []
        self._prefix = ""
        self._lists: list[tuple[str, int]] = []
        self._open = Open()
        self._is_tight = False
        self._quotes = 0

    def write(self) -> str:
        skip_to = -1
        for tag in self._found:
            if tag.start < skip_to:
                continue
            if not tag.name:
                self._line.append(self._words(tag))
            elif tag.name == "pre" and not tag.is_end:
                skip_to = self._code(tag)
            elif tag.name == "a" and not tag.is_end and "anchor-link" in tag.classes:
                skip_to = self._close_of(tag)
            elif tag.is_end:
                for closed in self._open.take(tag):
                    self._leave(closed)
            else:
                self._open.take(tag)
                self._enter(tag)
        while self._open.stack:
            self._leave(self._open.stack.pop())
        self._flush()
        return "\n\n".join(self._blocks)

    def _words(self, tag: Tag) -> str:
        return unescape(self._text[tag.start : tag.end])

    def _close_of(self, tag: Tag) -> int:
        at = self._text.find(f"</{tag.name}", tag.end, self._end)
        return self._end if at < 0 else at + len(tag.name) + 3

    def _code(self, tag: Tag) -> int:
        self._flush()
        end = self._close_of(tag)
        code = text_in(self._text, tag.end, max(tag.end, end - 6)).removesuffix("\n")
        fence = "```"
        while fence in code:
            fence += "`"
        self._blocks.append(f"{fence}\n{code}\n{fence}")
        return end

    def _enter(self, tag: Tag) -> None:
        name = tag.name
        if name in _INLINE:
            self._line.append(_INLINE[name])
        elif name == "br":
            self._line.append("  \n")
        elif name == "a":
            self._line.append("[")
        elif name == "img":
            alt, source = tag.attributes.get("alt", ""), tag.attributes.get("src", "")
            self._line.append(f"![{alt}]({source})")
        elif name in _BLOCKS:
            if name != "p" or not self._prefix:
                self._flush()
            self._begin(name)

    def _begin(self, name: str) -> None:
        if name in _HEADINGS:
            self._prefix = _HEADINGS[name] + " "
        elif name in ("ul", "ol"):
            self._lists.append((name, 0))
        elif name == "li" and self._lists:
            kind, number = self._lists[-1]
            self._lists[-1] = (kind, number + 1)
            mark = "- " if kind == "ul" else f"{number + 1}. "
            self._prefix = "  " * min(len(self._lists) - 1, 20) + mark
        elif name == "blockquote":
            self._quotes = min(self._quotes + 1, 20)
        elif name == "hr":
            self._blocks.append("---")

    def _leave(self, tag: Tag) -> None:
        name = tag.name
        if name in _INLINE:
            self._line.append(_INLINE[name])
        elif name == "a":
            self._line.append(f"]({tag.attributes.get('href', '')})")
        elif name in _BLOCKS and name not in VOID:
            self._flush()
            if name in ("ul", "ol") and self._lists:
                self._lists.pop()
                self._is_tight = bool(self._lists)
            if name == "blockquote":
                self._quotes = max(0, self._quotes - 1)
            self._prefix = ""

    def _flush(self) -> None:
        line = "".join(self._line).strip()
        self._line = []
        if not line:
            return
        quote = "> " * self._quotes
        made = quote + self._prefix + line.replace("\n", f"\n{quote}")
        is_item = bool(self._lists) and bool(self._prefix)
        if is_item and self._is_tight and self._blocks:
            self._blocks[-1] += f"\n{made}"
        else:
            self._blocks.append(made)
        self._is_tight = is_item
        self._prefix = ""
