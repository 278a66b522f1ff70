"""In what condition a notebook's bytes are: whole, empty, cut short, zeroed, or something else."""

from __future__ import annotations

import json
from dataclasses import dataclass

_TAIL = 64


@dataclass(frozen=True, slots=True)
class Condition:
    """`state` is ok, empty, nul, truncated or invalid; `words` say it to the user."""

    state: str
    words: str = ""

    @property
    def is_ok(self) -> bool:
        return self.state == "ok"


def judge_notebook(raw: bytes, name: str) -> Condition:
    """The condition of the notebook `name`, whose file holds `raw`."""
    if not raw:
        return Condition("empty", f"{name} is empty: the file has 0 bytes.")
    zeros = raw.count(0)
    if zeros:
        share = "nothing but" if zeros == len(raw) else f"{zeros} of {len(raw)}"
        return Condition("nul", f"{name} holds {share} NUL bytes, as after a crash of the machine.")
    if not raw.strip():
        return Condition("empty", f"{name} holds nothing but white space.")
    try:
        book = json.loads(raw)
    except UnicodeDecodeError as error:
        return Condition("invalid", f"{name} is not UTF-8 text (byte {error.start}).")
    except RecursionError:
        return Condition("invalid", f"{name} is nested too deeply to be a notebook.")
    except json.JSONDecodeError as error:
        if _ends_early(error, raw):
            return Condition("truncated", f"{name} is cut short: it ends after {len(raw)} bytes.")
        where = f"line {error.lineno}, column {error.colno}"
        return Condition("invalid", f"{name} is not JSON ({error.msg}, {where}).")
    if not isinstance(book, dict):
        return Condition("invalid", f"{name} is JSON, but not a notebook.")
    if not isinstance(book.get("cells", book.get("worksheets")), list):
        return Condition("invalid", f"{name} has no list of cells.")
    return Condition("ok")


def _ends_early(error: json.JSONDecodeError, raw: bytes) -> bool:
    if error.msg.startswith(("Unterminated string", "Invalid \\escape", "Invalid \\uXXXX")):
        # A string that never ends is found at its start, however long it is.
        return b'"' not in raw[-_TAIL:].rstrip() or error.msg.startswith("Unterminated")
    return len(error.doc.rstrip()) - error.pos <= 1
