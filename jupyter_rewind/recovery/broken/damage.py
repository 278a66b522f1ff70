"""What is wrong with a file, in words that name the bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from jupyter_rewind.recovery.broken.jsonbytes import Buffer

NO_CELL = "is no cell"
BEHIND = "behind the last cell"
_MOST = 40
_PAGE, _SECTOR = 4096, 512
_BEFORE, _JUST_BEHIND, _BEHIND = 8, 24, 160
_ONE_PLACE = 300
_GARBAGE = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xff]")


@dataclass(frozen=True, slots=True)
class Damage:
    """One fault. `is_loss` is False where everything could be read nevertheless."""

    at: int
    words: str
    is_loss: bool = True
    is_seam: bool = False
    """True where sound text follows sound text that it does not belong to."""

    may_blend: bool = False
    """True where it may be that another version goes on, in the middle of a notebook."""

    is_bracket: bool = False
    """True where brackets don't close what is open: what stands before it may be of two places."""

    is_behind: bool = False
    """True behind the end of a whole notebook, where the rest of a longer one may have stayed."""


def too_early(at: int, is_behind: bool) -> Damage:
    """The file ends at `at`, and is not closed; all its cells stand before where `is_behind`."""
    where = f", {BEHIND}" if is_behind else ""
    return Damage(at, f"the file ends too early, at byte {at}{where}")


def describe_bytes(raw: Buffer, at: int, end: int, is_behind: bool = False) -> Damage:
    """The bytes from `at` to `end`, in which nothing reads; `is_behind` all cells."""
    size = end - at
    piece = raw[at : min(end, at + (1 << 16))]
    if at >= len(raw):
        return too_early(at, is_behind)
    if size <= 0:
        return Damage(at, f"at byte {at} the text breaks off")
    count = len(piece) - len(piece.lstrip(b"\0"))
    lost = "1 byte" if size == 1 else f"{size} bytes"
    if count == len(piece):
        return Damage(at, f"bytes {at} to {end} are all NUL ({lost})")
    if count:
        words = f"from byte {at} on there are NULs instead of text ({lost} lost)"
        return Damage(at, words)
    is_seam = not _GARBAGE.search(raw[max(0, at - 8) : at + 32])
    words = f"bytes {at} to {end} do not read ({lost})"
    return Damage(at, words, is_seam=is_seam)


def block_of_turns(damages: list[Damage]) -> int:
    """The size of the blocks in which two versions may take turns; 0 where nothing says so.

    Where sound text breaks off at the borders of blocks, others of these borders may lie within
    texts, unseen. The break shows some letters behind the border, where the text stops to fit.
    One stray byte may make several faults: those of one place are one, and no turns.
    """
    seams = far_apart(damage.at for damage in damages if damage.may_blend)
    told = far_apart(one.at for one in damages if one.may_blend or one.is_seam)
    pages = sum(is_border(at, _PAGE) for at in told)
    if _mostly(told, _SECTOR, _JUST_BEHIND, max(2, pages + 1)):
        return _SECTOR
    if _mostly(seams, _PAGE, _BEHIND, 2) or (len(seams) == 1 and is_border(seams[0], _PAGE)):
        return _PAGE
    if _mostly(seams, _SECTOR, _BEHIND, 3):
        return _SECTOR
    return _PAGE if len(far_apart(one.at for one in damages if one.is_seam)) >= 2 else 0


def is_border(at: int, size: int = _SECTOR, behind: int = _JUST_BEHIND) -> bool:
    """Whether a border of blocks lies just before `at`, or a few bytes behind it."""
    return (at + _BEFORE) % size <= _BEFORE + behind


def _mostly(places: list[int], size: int, behind: int, least: int) -> bool:
    near = sum(is_border(at, size, behind) for at in places)
    return near >= least and 2 * near >= len(places)


def far_apart(places: Iterable[int]) -> list[int]:
    """The first of those that lie nearer to one another than the borders of blocks do."""
    kept: list[int] = []
    last = None
    for at in sorted(places):
        if last is None or at - last > _ONE_PLACE:
            kept.append(at)
        last = at
    return kept


def in_words(damages: list[Damage]) -> tuple[str, ...]:
    """All of them in the order of the file; of very many the first and how many more."""
    words = list(dict.fromkeys(one.words for one in sorted(damages, key=lambda one: one.at)))
    if len(words) > _MOST:
        words[_MOST:] = [f"and {len(words) - _MOST} more faults of this kind"]
    return tuple(words)
