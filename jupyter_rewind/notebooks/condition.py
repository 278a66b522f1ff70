"""In what condition a notebook's bytes are: whole, empty, cut short, zeroed, or something else."""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass, replace

from jupyter_rewind.notebooks.strangers import HEAD_BYTES, strange_content

_PAGE = (b"<!doctype", b"<html")
_CONFLICT = (b"<<<<<<< ", b"\n=======", b"\n>>>>>>> ")
_WIDE_MARKS = (
    codecs.BOM_UTF32_LE,
    codecs.BOM_UTF32_BE,
    codecs.BOM_UTF16_LE,
    codecs.BOM_UTF16_BE,
)
_WORDS = ("true", "false", "null", "NaN", "Infinity", "-Infinity")


@dataclass(frozen=True, slots=True)
class Condition:
    """`state` is ok, empty, nul, truncated or invalid; `words` say it to the user. `is_whole` also
    where nothing of the file is lost, though Jupyter does not open it: others may work on it."""

    state: str
    words: str = ""
    is_whole: bool = False

    @property
    def is_ok(self) -> bool:
        return self.state == "ok"


SOUND = Condition("ok", is_whole=True)


def judge_notebook(raw: bytes, name: str) -> Condition:
    """The condition of the notebook `name`, whose file holds `raw`."""
    if not raw:
        return Condition("empty", f"{name} is empty: the file has 0 bytes.")
    strange = strange_content(raw[:HEAD_BYTES])
    if strange:
        return Condition("invalid", f"{name} is {strange}.")
    zeros = raw.count(0)
    if zeros and (wide := _judge_wide(raw, name)) is not None:
        return wide
    if zeros:
        share = "nothing but" if zeros == len(raw) else f"{zeros} of {len(raw)}"
        return Condition("nul", f"{name} holds {share} NUL bytes, as after a crash of the machine.")
    if not raw.strip():
        return Condition("empty", f"{name} holds nothing but white space.")
    try:
        book = json.loads(raw)
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return _cut_short(raw, name)
        return Condition("invalid", f"{name} is not UTF-8 text (byte {error.start}).")
    except RecursionError:
        return Condition("invalid", f"{name} is nested too deeply to be a notebook.")
    except json.JSONDecodeError as error:
        if _ends_early(error):
            return _cut_short(raw, name)
        if raw[:4096].lstrip().lower().startswith(_PAGE):
            words = "a web page, not a notebook: a login or an error page was saved in its place"
            return Condition("invalid", f"{name} is {words}.")
        if all(mark in raw for mark in _CONFLICT):
            return Condition("invalid", f"{name} has git's conflict marks in it.")
        where = f"line {error.lineno}, column {error.colno}"
        return Condition("invalid", f"{name} is not JSON ({error.msg}, {where}).")
    except ValueError:
        return Condition("invalid", f"{name} has a number too long for Python to read.")
    if not isinstance(book, dict):
        return Condition("invalid", f"{name} is JSON, but not a notebook.")
    if not isinstance(book.get("cells", book.get("worksheets")), list):
        return Condition("invalid", f"{name} has no list of cells.")
    return SOUND


def read_wide(raw: bytes) -> bytes | None:
    """The text of `raw` in UTF-8, where it is in UTF-16 or UTF-32, as Windows writes it; else
    None. What does not read stands in it as a question mark."""
    encoding = json.detect_encoding(raw)  # goes by the first four bytes
    if not encoding.startswith(("utf-16", "utf-32")):
        return None
    return raw.decode(encoding, "replace").encode("utf-8", "surrogatepass")


def _judge_wide(raw: bytes, name: str) -> Condition | None:
    """The condition of a notebook in UTF-16 or UTF-32; None for what may not be in it."""
    text = read_wide(raw)
    if text is None:
        return None
    found = judge_notebook(text, name) if text.count(0) == 0 else None
    if found is not None and found.is_ok:
        kind = json.detect_encoding(raw)[:6].upper()
        words = f"Jupyter does not open {name}: it is in {kind}, not in UTF-8."
        return Condition("invalid", words, is_whole=True)
    if found is None or not raw.startswith(_WIDE_MARKS):
        return None
    if found.state == "truncated":
        return _cut_short(raw, name)
    return replace(found, words=f"{found.words.rstrip('.')}, and is in UTF-16.")


def _cut_short(raw: bytes, name: str) -> Condition:
    return Condition("truncated", f"{name} is cut short: it ends after {len(raw)} bytes.")


def _ends_early(error: json.JSONDecodeError) -> bool:
    """True when nothing but the end of the text is wrong."""
    if error.msg.startswith("Unterminated string"):
        return True
    rest = error.doc[error.pos :].strip()
    if error.msg.startswith("Invalid \\uXXXX"):
        return len(rest) < len("\\uXXXX\\uXXXX")
    if rest in ("}", "]"):
        return False  # a comma too many before the end, which is there
    return len(rest) <= 1 or any(word.startswith(rest) for word in _WORDS)
