"""A file's bytes as UTF-8: byte order marks, UTF-16, and the sides of a git conflict."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from jupyter_rewind.recovery.broken.jsonbytes import Buffer

_STEP = 1 << 20
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_OPENING = re.compile(rb"^<{7}[ \t\r\n]", re.MULTILINE)
_CLOSING = re.compile(rb"^>{7}[ \t\r\n]", re.MULTILINE)
_MARK = re.compile(rb"^(<{7}|\|{7}|={7}|>{7})(?:[ \t]([^\r\n]*))?\r?\n?", re.MULTILINE)
_HIGH = re.compile(rb"[\x80-\xff]+")
_SIGNS = frozenset(
    b"\x80\x85\x91\x92\x93\x94\x96\x97\xa0\xa3\xa7\xa9\xab\xb0\xb1\xb2\xb3\xb5\xb7\xb8\xa8\xba\xbb\xbf"
)
_WORD = re.compile(rb"[A-Za-z0-9]*+[\x80-\xff][A-Za-z0-9\x80-\xff]*+")
_CASED = re.compile(rb"(?:[A-Z\xc0-\xdf]?[a-z\xdf-\xff]*|[A-Z\xc0-\xdf]*)")


def wide_encoding(raw: Buffer) -> tuple[str, int] | None:
    """The encoding of two or four bytes a letter that `raw` is in, and where its text begins."""
    start = bytes(raw[:256])
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name, len(mark)
    if len(start) >= 16 and len(start) % 2 == 0:
        even, odd = start[::2].count(0), start[1::2].count(0)
        half = len(start) // 2
        if odd > 0.8 * half and even == 0:
            return "utf-16-le", 0
        if even > 0.8 * half and odd == 0:
            return "utf-16-be", 0
    return None


def _as_nul(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "\0", error.end


codecs.register_error("rewind-nul", _as_nul)


def to_utf8(raw: Buffer, name: str, start: int) -> bytes:
    """The text in UTF-8; what does not read is a NUL, which no JSON has."""
    decoder = codecs.getincrementaldecoder(name)("rewind-nul")
    made = bytearray()
    for at in range(start, len(raw), _STEP):
        text = decoder.decode(raw[at : at + _STEP], at + _STEP >= len(raw))
        made += text.encode("utf-8", "surrogatepass")
    return bytes(made)


def one_byte_encoding(raw: Buffer) -> str | None:
    """Windows' encoding for western letters or Cyrillic, where `raw` is written in words of it."""
    if _is_all_utf8(raw):
        return None
    runs = letters = total = 0
    for found in _WORD.finditer(raw):
        if not _is_word(found[0]):
            return None
    for found in _HIGH.finditer(raw):
        if _is_utf8(found[0]):
            return None
        runs += 1
        total += len(found[0])
        letters += sum(byte >= 0xC0 for byte in found[0])
    if total == 0:
        return None
    return "cp1251" if total > 2.5 * runs and letters > 0.9 * total else "cp1252"


def _is_all_utf8(raw: Buffer) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for at in range(0, len(raw), _STEP):
            decoder.decode(raw[at : at + _STEP], at + _STEP >= len(raw))
    except UnicodeDecodeError:
        return False
    return True


def _is_word(word: bytes) -> bool:
    """Whether letters and signs stand as they do in words; those of garbage hardly ever do."""
    letters = bytes(byte for byte in word if byte not in _SIGNS)
    if any(0x80 <= byte < 0xC0 or byte in b"\xd7\xf7" for byte in letters):
        return False
    if any(chr(byte).isdigit() for byte in letters if byte < 0x80):
        return len(letters) == len(word) - 1 and word.isascii() is False and len(word) <= 12
    return _CASED.fullmatch(letters) is not None


def _is_utf8(run: bytes) -> bool:
    try:
        run.decode()
    except UnicodeDecodeError:
        return False
    return True


def has_conflict(raw: Buffer) -> bool:
    """Whether git left its marks of an unsolved conflict in the file."""
    return bool(_OPENING.search(raw) and _CLOSING.search(raw))


def conflict_sides(raw: Buffer) -> Iterator[tuple[str, bytes]]:
    """Each side of all conflicts with what both share: its name, and its whole text."""
    names = _names(raw)
    for side, mark in enumerate((b"<", b">")):
        made = bytearray()
        at, is_ours, is_theirs = 0, True, True
        for found in _MARK.finditer(raw):
            if is_ours if mark == b"<" else is_theirs:
                made += raw[at : found.start()]
            at = found.end()
            kind = found[1][:1]
            is_ours, is_theirs = {
                b"<": (True, False),
                b"|": (False, False),
                b"=": (False, True),
                b">": (True, True),
            }[kind]
        made += raw[at:]
        yield names[side], bytes(made)


def _names(raw: Buffer) -> tuple[str, str]:
    names = {b"<": "ours", b">": "theirs"}
    for found in _MARK.finditer(raw):
        if found[2] and found[1][:1] in names:
            names[found[1][:1]] = found[2].decode("utf-8", "replace").strip()[:200]
            if found[1][:1] == b">":
                break
    return names[b"<"], names[b">"]
