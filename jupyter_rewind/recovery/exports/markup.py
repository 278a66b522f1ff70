"""HTML as a stream of tags and text, in time that follows its length whatever it holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape

_NAME = re.compile(r"(/?)([a-zA-Z][a-zA-Z0-9:-]*+)")
_ATTRIBUTE = re.compile(r"[\s/]*+([^\s=>/\"']++)\s*+(=?)\s*+")
_BARE = re.compile(r"[^\s>]*+")
_OPAQUE = frozenset({"script", "style"})
VOID = frozenset(
    {
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param",
        "source", "track", "wbr",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag, or the text between two (`name` is ""); `start` and `end` are its places."""

    name: str
    start: int
    end: int
    is_end: bool = False
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def classes(self) -> frozenset[str]:
        return frozenset(self.attributes.get("class", "").split())


def tags(text: str, at: int = 0, limit: int | None = None) -> Iterator[Tag]:
    """Every tag and text of `text` between `at` and `limit`, in order."""
    limit = len(text) if limit is None else limit
    from_ = at
    while True:
        at = text.find("<", at, limit)
        if at < 0:
            break
        end = _skipped(text, at, limit)
        tag = None if end else _tag(text, at, limit)
        if not end and tag is None:
            at += 1
            continue
        if at > from_:
            yield Tag("", from_, at)
        if tag is not None:
            yield tag
            end = tag.end
            if tag.name in _OPAQUE and not tag.is_end:
                end = _opaque(text, tag, limit)
        from_ = at = end
    if limit > from_:
        yield Tag("", from_, limit)


def _skipped(text: str, at: int, limit: int) -> int:
    """The end of a comment or declaration at `at`; 0 where there's none."""
    if text.startswith("<!--", at):
        end = text.find("-->", at + 4, limit)
        return limit if end < 0 else end + 3
    if text.startswith(("<!", "<?"), at):
        end = text.find(">", at, limit)
        return limit if end < 0 else end + 1
    return 0


def _opaque(text: str, tag: Tag, limit: int) -> int:
    found = re.compile(f"</{tag.name}", re.IGNORECASE).search(text, tag.end, limit)
    return limit if found is None else found.start()


def _tag(text: str, at: int, limit: int) -> Tag | None:
    named = _NAME.match(text, at + 1, limit)
    if named is None:
        return None
    attributes: dict[str, str] = {}
    place = named.end()
    while True:
        found = _ATTRIBUTE.match(text, place, limit)
        if found is None:
            break
        place, value = found.end(), ""
        if found[2]:
            quote = text[place : place + 1]
            if quote in ('"', "'") and quote:
                end = text.find(quote, place + 1, limit)
                end = limit if end < 0 else end
                value, place = text[place + 1 : end], min(end + 1, limit)
            else:
                bare = _BARE.match(text, place, limit)
                value, place = (bare[0], bare.end()) if bare else ("", place)
        attributes.setdefault(found[1].lower(), unescape(value) if "&" in value else value)
    close = text.find(">", place, limit)
    end = limit if close < 0 else close + 1
    return Tag(named[2].lower(), at, end, bool(named[1]), attributes)


@dataclass(slots=True)
class Open:
    """Which elements are open; a closing tag shuts those inside its element too."""

    stack: list[Tag] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)

    def take(self, tag: Tag) -> list[Tag]:
        """Notes a tag; the elements that it closed, innermost first."""
        if not tag.name or tag.name in VOID:
            return []
        if not tag.is_end:
            self.stack.append(tag)
            self._counts[tag.name] = self._counts.get(tag.name, 0) + 1
            return []
        closed: list[Tag] = []
        while self._counts.get(tag.name):
            inner = self.stack.pop()
            self._counts[inner.name] -= 1
            closed.append(inner)
            if inner.name == tag.name:
                break
        return closed


def text_in(text: str, at: int, limit: int) -> str:
    """What a person reads between two places: no tags, letters as they are meant."""
    return unescape(
        "".join(text[tag.start : tag.end] for tag in tags(text, at, limit) if not tag.name)
    )
