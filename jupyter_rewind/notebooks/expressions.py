"""What can be searched for: plain text, or a regular expression that is known to be bounded.

Looking for an expression can be given up after some time, making it ready cannot: while the engine
does that nothing else runs in the process. So its parts are counted first, repetitions multiplied
as the engine lays them out. It refuses what calls itself, and what changes how it is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from jupyter_rewind import clock
from jupyter_rewind.errors import InvalidInput

MAX_LENGTH = 5_000
MAX_PARTS = 50_000

Find = Callable[[str], Iterator[int]]
"""Gives the places of a text at which what is searched for begins. Raises InvalidInput."""

_REPEAT = re.compile(r"\{(\d*)(?:,(\d*))?\}")
_CALL = re.compile(r"\(\?(?:R|&|P>|[+-]?[0-9])")
# With `x` blanks and comments are skipped, with `V1` brackets nest: then the engine would see other
# parts than are counted here.
_FLAGS = re.compile(r"\(\?[A-Za-z0-9-]*[xV][A-Za-z0-9-]*[:)]")


def make_finder(text: str, *, is_expression: bool, seconds: float) -> Find:
    """Looks for `text`, whatever its case, or for the regular expression that it is.

    Raises InvalidInput for one that cannot be used, and `Find` when it takes more than `seconds`.
    """
    if not text:
        raise InvalidInput("There is nothing to search for.")
    if not is_expression:
        plain = re.compile(re.escape(text), re.IGNORECASE)
        return lambda whole: (match.start() for match in plain.finditer(whole))
    # Python's own engine cannot be stopped, and stops the whole process meanwhile.
    import regex

    require_bounded(text)
    try:
        pattern = regex.compile(text, regex.MULTILINE)
    except (RecursionError, OverflowError, MemoryError) as error:
        raise _too_much(text) from error
    except regex.error as error:
        raise InvalidInput(
            f"{text!r} is not a regular expression: {error}.",
            hint="It can be searched for as plain text.",
        ) from error
    end = clock.monotonic() + seconds

    def find(whole: str) -> Iterator[int]:
        left = max(0.01, end - clock.monotonic())
        try:
            for match in pattern.finditer(whole, timeout=left, concurrent=True):
                yield match.start()
        except TimeoutError as error:
            raise InvalidInput(
                f"The regular expression {text!r} takes more than {seconds:.0f} seconds here.",
                hint="Nested repetitions such as (a+)+ are slow: try a simpler one, or plain text.",
            ) from error

    return find


def require_bounded(text: str) -> None:
    """Nothing, where making the expression ready takes no time worth telling.

    Raises InvalidInput for one that is too large, and one that cannot be judged.
    """
    if len(text) > MAX_LENGTH or count_parts(text) > MAX_PARTS:
        raise _too_much(text)


def _too_much(text: str) -> InvalidInput:
    shown = text if len(text) <= 100 else f"{text[:100]}…"
    return InvalidInput(
        f"The regular expression {shown!r} is too large to be searched for.",
        hint="Repetitions within repetitions multiply: try a simpler one, or plain text.",
    )


def count_parts(text: str) -> int:
    """How many single parts the engine makes of an expression, repetitions written out; rather too
    many than too few. Raises InvalidInput for one that cannot be counted."""
    groups: list[int] = []
    total = last = at = 0
    while at < len(text):
        letter = text[at]
        repeat = _REPEAT.match(text, at) if letter == "{" else None
        if repeat is not None:
            times = max((int(one) for one in repeat.groups() if one), default=1)
            total += last * max(times - 1, 0)
            last *= max(times, 1)
            at = repeat.end()
            continue
        if letter == "(" and text.startswith("(?#", at):
            at = (text.find(")", at) + 1) or len(text)
            continue
        if letter == "(":
            _require_plain(text, at)
            groups.append(total)
            total, last = 0, 0
        elif letter == ")":
            if not groups:
                raise InvalidInput(f"{text!r} is not a regular expression: a ) too many.")
            last = total + 1
            total = groups.pop() + last
        else:
            last = 1
            total += 1
        at = _skip(text, at, letter)
    return total + sum(groups)


def _require_plain(text: str, at: int) -> None:
    """Nothing, where the group that begins at `at` neither calls another nor sets such a flag."""
    if _CALL.match(text, at):
        raise InvalidInput(f"{text!r} calls itself, and expressions that do are not searched for.")
    if _FLAGS.match(text, at):
        raise InvalidInput(
            f"{text!r} sets the flag x or V, and expressions that do are not searched for.",
            hint="Write it without blanks and comments, and without sets in sets.",
        )


def _skip(text: str, at: int, letter: str) -> int:
    """Where the part that begins at `at` ends."""
    if letter == "\\":
        return at + 2
    if letter != "[":
        return at + 1
    at += 2 if text.startswith("[^", at) else 1
    if text.startswith("]", at):
        at += 1
    while at < len(text) and text[at] != "]":
        at += 2 if text[at] == "\\" else 1
    return at + 1
