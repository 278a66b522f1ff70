"""Numbers, times and names as people read them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jupyter_rewind.model.shell import quoted

if TYPE_CHECKING:
    from jupyter_rewind.replication import Fault

SHORT_ID = 8
BRING = "`jupyter rewind pull` brings them."
"""What is said after `absent` where nothing else brings them by itself."""
PULL_AGAIN = "`jupyter rewind pull` brings it."
"""What is said where a replica could not be asked."""
AFTER_REMAINS = (
    "`jupyter rewind salvage` keeps what reads of it, and names what is lost; after that `jupyter"
    " rewind replica salvage`, once more, brings what another replica may have of that. Then push"
    " to a new prefix."
)
"""What is said where replicas gave what they have, and that was not all."""


def local_time(time_ns: int) -> str:
    """The moment by the clock on this machine's wall: `2026-11-20 14:05:09`."""
    return datetime.fromtimestamp(time_ns / 1e9).strftime("%Y-%m-%d %H:%M:%S")


def utc_time(time_ns: int) -> str:
    """The moment for programs: ISO 8601 in UTC, with microseconds."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def size(size_bytes: int) -> str:
    """A size in at most five characters and a unit: `999 B`, `1.5 kB`, `25 MB`."""
    if abs(size_bytes) < 1000:
        return f"{size_bytes} B"
    value = float(size_bytes)
    unit = "B"
    for unit in ("kB", "MB", "GB", "TB"):  # noqa: B007 - the one it stops at
        value /= 1000
        if abs(value) < 999.5:
            break
    return f"{value:.1f} {unit}" if abs(value) < 9.95 else f"{value:.0f} {unit}"


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 checkpoint`, `2 checkpoints`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def hidden(number: int) -> str:
    """What is said under a list that has so many more."""
    return f"{number:,} more {'is' if number == 1 else 'are'} not shown."


def absent(size_bytes: int) -> str:
    """What is said of contents that are in a replica alone."""
    return f"{size(size_bytes)} of the contents are in a replica alone, and come as they are read."


def argument(path: str) -> str:
    """A path as it can be typed after a command: quoted where the shell needs that, and never
    taken for an option."""
    return quoted(f"./{path}" if path.startswith("-") else path)


def one_line(name: str) -> str:
    """A file name in a sentence: one that holds line ends does not break the line."""
    return name.replace("\n", "\\n")


def short_length(ids: Iterable[str]) -> int:
    """How many characters of each id are shown, so that no two look alike."""
    names = sorted(ids)
    length = SHORT_ID
    for one, other in itertools.pairwise(names):
        while one != other and one[:length] == other[:length]:
            length += 1
    return length


def visible(text: str, *, keep: str = "") -> str:
    """`text` with control characters spelled out, so that a name cannot steer a terminal.

    Characters in `keep` stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(c if c in keep or c.isprintable() else _spelled(c) for c in text)


def _spelled(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def ahead(count: int) -> str:
    """What other machines have pushed that is not here."""
    return f"Other machines have pushed {size(count)} that are not here: `jupyter rewind pull`."


def faults(found: Sequence[Fault]) -> str:
    """The first of what is wrong in a replica."""
    told = "; ".join(f"{each.key} {each.what}" for each in found[:10])
    return f"{told}; and {len(found) - 10} more" if len(found) > 10 else told
