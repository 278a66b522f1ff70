"""Whether blocks of two versions take turns in a file, told by what comes twice at their borders.

Where one version is longer, a change to the other one says the same bytes again, right behind the
border of a block. In sound files that happens by chance at one border in a thousand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jupyter_rewind.recovery.broken.damage import Damage, is_border
from jupyter_rewind.recovery.broken.jsonbytes import Buffer

_LEAST, _MOST = 16, 700
_LETTERS = 6
_MOST_BYTES = 1 << 26
_ENOUGH, _SHARE = 3, 0.05
_AT_BORDER = 8


def block_of_repeats(raw: Buffer, damages: Iterable[Damage]) -> int:
    """The size of the blocks, 4096 or 512; 0 where nothing tells that there are any.

    Where sound text breaks off right behind a border, one that comes twice is enough.
    """
    breaks = [one.at for one in damages if one.is_seam and is_border(one.at, 512, _AT_BORDER)]
    least = 1 if breaks else _ENOUGH
    size = min(len(raw), _MOST_BYTES)
    twice = list(_repeats(raw, 512, size))
    pages = [at for at in twice if at % 4096 == 0]
    if len(twice) - len(pages) >= max(least, _SHARE * size / 512):
        return 512
    return 4096 if len(pages) >= max(least, _SHARE * size / 4096) else 0


def _repeats(raw: Buffer, block: int, size: int) -> Iterator[int]:
    """The borders behind which the bytes before them come once more, and only once."""
    for at in range(block, size - _LEAST, block):
        begin = raw[at : at + _LEAST]
        if len(set(begin)) < _LETTERS:
            continue
        before = raw[max(0, at - 2 * _MOST) : at]
        shift = len(before) - before.rfind(begin, len(before) - _MOST)
        if shift > _MOST or shift > len(before):
            continue
        last, behind = before[-shift:], raw[at : at + 2 * shift]
        if last == behind[:shift] and last not in (before[-2 * shift : -shift], behind[shift:]):
            yield at
