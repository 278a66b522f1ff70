"""Whether one byte too many is all that is wrong with a file, as a slip of a finger leaves it.

It tells that nothing else is wrong: no versions were mixed. What the file says there is not mended.
"""

from __future__ import annotations

from collections.abc import Collection

from jupyter_rewind.recovery.broken.damage import Damage, far_apart
from jupyter_rewind.recovery.broken.jsonbytes import Buffer
from jupyter_rewind.recovery.broken.soundness import judge_large

_LARGEST = 1 << 22
_BEFORE, _BEHIND, _WIDEST = 4, 2, 32


def is_one_stray(raw: Buffer, damages: Collection[Damage]) -> bool:
    """Whether the file is sound without one byte where its damage, all in one place, begins."""
    if len(raw) > _LARGEST or len(far_apart(each.at for each in damages)) != 1:
        return False
    first = min(each.at for each in damages)
    last = min(first + _WIDEST, max(each.at for each in damages))
    return any(
        judge_large(raw[:at] + raw[at + 1 :], "it").is_ok
        for at in range(max(0, first - _BEFORE), min(len(raw), last + _BEHIND))
    )
