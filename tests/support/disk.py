"""What a power cut may leave of the steps that were done: a model stricter than any real disk.

Only what was synced is sure. Of everything else since, any part may have landed in any order:
each 512-byte sector as it was before, as any later write left it, or with garbage where it was
written to; each change of size; each change of a folder. A rename is atomic, and nothing else is.
What a write does not touch stays as it is, as SQLite too expects of a disk ("powersafe overwrite").
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tests.support.recording import Step

SECTOR = 512
_ZERO = bytes(SECTOR)
Sectors = dict[int, bytes]


@dataclass
class File:
    """What is surely on the disk, and each state of each sector and of the size since then."""

    size: int = 0
    sectors: Sectors = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    versions: dict[int, list[bytes]] = field(default_factory=dict)
    touched: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    """The bytes of a sector that were written to since the last sync: from, to; in order."""

    def now(self, sector: int) -> bytes:
        later = self.versions.get(sector)
        return later[-1] if later else self.sectors.get(sector, _ZERO)

    @property
    def size_now(self) -> int:
        return self.sizes[-1] if self.sizes else self.size

    def write(self, offset: int, data: bytes) -> None:
        at = offset
        end = offset + len(data)
        while at < end:
            sector, start = divmod(at, SECTOR)
            count = min(SECTOR - start, end - at)
            before = self.now(sector)
            part = data[at - offset : at - offset + count]
            self._put(sector, before[:start] + part + before[start + count :], start, start + count)
            at += count
        self.resize(max(self.size_now, end))

    def resize(self, size: int) -> None:
        if size < self.size_now:
            first, start = divmod(size, SECTOR)
            for sector in {*self.sectors, *self.versions}:
                if sector > first or (sector == first and start == 0):
                    self._put(sector, _ZERO, 0, SECTOR)
                elif sector == first:
                    rest = self.now(sector)[:start] + bytes(SECTOR - start)
                    self._put(sector, rest, start, SECTOR)
        if size != self.size_now:
            self.sizes.append(size)

    def sync(self) -> None:
        for sector, later in self.versions.items():
            self.sectors[sector] = later[-1]
        self.size = self.size_now
        self.versions, self.sizes, self.touched = {}, [], {}

    def garbage(self, sector: int) -> bytes:
        """The sector with nonsense wherever it was written to since the last sync."""
        data = self.sectors.get(sector, _ZERO)
        rng = random.Random(sector)
        for low, high in self.touched[sector]:
            data = data[:low] + rng.randbytes(high - low) + data[high:]
        return data

    def _put(self, sector: int, data: bytes, low: int, high: int) -> None:
        if data != self.now(sector):
            self.versions.setdefault(sector, []).append(data)
            ranges: list[tuple[int, int]] = []
            for start, end in sorted([*self.touched.get(sector, ()), (low, high)]):
                if ranges and start <= ranges[-1][1]:
                    ranges[-1] = (ranges[-1][0], max(end, ranges[-1][1]))
                else:
                    ranges.append((start, end))
            self.touched[sector] = ranges


@dataclass(frozen=True, slots=True)
class NameChange:
    """One change of a folder: names that go, and a name that comes with what it names."""

    gone: str = ""
    came: str = ""
    thing: int = -1


@dataclass
class Folder:
    names: dict[str, int] = field(default_factory=dict)
    pending: list[NameChange] = field(default_factory=list)

    def after(self, changes: list[NameChange]) -> dict[str, int]:
        names = dict(self.names)
        for change in changes:
            if change.gone and names.get(change.gone) == change.thing:
                del names[change.gone]
            if change.came:
                names[change.came] = change.thing
        return names

    @property
    def now(self) -> dict[str, int]:
        return self.after(self.pending)

    def sync(self) -> None:
        self.names = self.now
        self.pending = []


Image = dict[str, tuple[int, Sectors] | None]
"""Path -> size and sectors that are not zero; None for a folder."""
Pick = Callable[[str, list[bytes]], bytes]


class Disk:
    """The state of the disk after some steps of a log."""

    def __init__(self) -> None:
        self.things: dict[int, File | Folder] = {0: Folder()}
        self._fresh = itertools.count(1_000_000)

    def apply(self, step: Step) -> None:
        """`step` was done; of its own accord, nothing of it is on the disk yet."""
        if step.kind == "mark":
            return
        getattr(self, f"_{step.kind}")(step)

    def variables(self) -> list[tuple[tuple[object, ...], int]]:
        """Everything that is open: its name, and how many later states it may be in."""
        found: list[tuple[tuple[object, ...], int]] = []
        for number, thing in self.things.items():
            if isinstance(thing, Folder):
                found += [(("name", number, at), 1) for at in range(len(thing.pending))]
            else:
                found += [(("data", number, s), len(v)) for s, v in sorted(thing.versions.items())]
                if thing.sizes:
                    found.append((("size", number), len(thing.sizes)))
        return found

    def image(self, choice: dict[tuple[object, ...], int]) -> Image:
        """The disk with each open thing in the chosen state: 0 before, n its n-th, -1 garbage."""
        image: Image = {}
        self._show(0, PurePosixPath("."), choice, image)
        return image

    def _show(
        self,
        number: int,
        path: PurePosixPath,
        choice: dict[tuple[object, ...], int],
        image: Image,
    ) -> None:
        thing = self.things[number]
        if isinstance(thing, File):
            image[str(path)] = self._content(number, thing, choice)
            return
        image[str(path)] = None
        done = [c for at, c in enumerate(thing.pending) if choice.get(("name", number, at))]
        for name, child in thing.after(done).items():
            self._show(child, path / name, choice, image)

    @staticmethod
    def _content(
        number: int, thing: File, choice: dict[tuple[object, ...], int]
    ) -> tuple[int, Sectors]:
        size_at = choice.get(("size", number), 0)
        size = thing.sizes[size_at - 1] if size_at else thing.size
        sectors = {s: d for s, d in thing.sectors.items() if s not in thing.versions}
        for sector, later in thing.versions.items():
            at = choice.get(("data", number, sector), 0)
            if at < 0:
                sectors[sector] = thing.garbage(sector)
            else:
                sectors[sector] = later[at - 1] if at else thing.sectors.get(sector, _ZERO)
        kept = {s: d for s, d in sectors.items() if s * SECTOR < size and d != _ZERO}
        return size, kept

    # --- steps --------------------------------------------------------------------------

    def _mkdir(self, step: Step) -> None:
        number = next(self._fresh)
        self.things[number] = Folder()
        self._change(step.path, came=number)

    def _create(self, step: Step) -> None:
        self.things[step.number] = File()
        self._change(step.path, came=step.number)

    def _write(self, step: Step) -> None:
        self._file(step).write(step.offset, step.data)

    def _grow(self, step: Step) -> None:
        file = self._file(step)
        file.resize(max(file.size_now, step.offset))

    def _truncate(self, step: Step) -> None:
        self._file(step).resize(step.offset)

    def _sync(self, step: Step) -> None:
        self._file(step).sync()

    def _syncdir(self, step: Step) -> None:
        folder = self.things[self._find(step.path)]
        assert isinstance(folder, Folder)
        folder.sync()

    def _link(self, step: Step) -> None:
        self._change(step.target, came=self._find(step.path))

    def _unlink(self, step: Step) -> None:
        parent, name = self._parent(step.path)
        parent.pending.append(NameChange(gone=name, thing=parent.now[name]))

    def _rename(self, step: Step) -> None:
        number = self._find(step.path)
        parent, name = self._parent(step.path)
        target, new = self._parent(step.target)
        if parent is target:
            parent.pending.append(NameChange(name, new, number))
        else:
            target.pending.append(NameChange(came=new, thing=number))
            parent.pending.append(NameChange(gone=name, thing=number))

    def _change(self, path: str, came: int) -> None:
        parent, name = self._parent(path)
        parent.pending.append(NameChange(came=name, thing=came))

    def _file(self, step: Step) -> File:
        thing = self.things[step.number]
        assert isinstance(thing, File)
        return thing

    def _parent(self, path: str) -> tuple[Folder, str]:
        pure = PurePosixPath(path)
        folder = self.things[self._find(str(pure.parent))]
        assert isinstance(folder, Folder)
        return folder, pure.name

    def _find(self, path: str) -> int:
        number = 0
        for part in PurePosixPath(path).parts:
            folder = self.things[number]
            assert isinstance(folder, Folder)
            number = folder.now[part]
        return number


def choices(
    disk: Disk, rng: random.Random, exhaustive_up_to: int, samples: int
) -> Iterator[dict[tuple[object, ...], int]]:
    """States that a cut may have left: all where they are few, else the telling ones and some."""
    open_things = dict(disk.variables())
    # A sector may also hold garbage.
    ranges = {
        name: range(-1 if name[0] == "data" else 0, count + 1)
        for name, count in open_things.items()
    }
    total = 1
    for states in ranges.values():
        total *= len(states)
        if total > exhaustive_up_to:
            break
    names = list(open_things)
    if total <= exhaustive_up_to:
        for values in itertools.product(*ranges.values()):
            yield dict(zip(names, values, strict=True))
        return
    yield {}
    yield open_things
    for name in _some(names, samples, rng):
        yield {**open_things, name: 0}
        yield {name: open_things[name]}
        if name[0] == "data":
            yield {**open_things, name: -1}
    for _ in range(samples):
        yield {name: rng.choice((0, count)) for name, count in open_things.items()}
        yield {name: rng.choice(states) for name, states in ranges.items()}


def _some(
    names: list[tuple[object, ...]], count: int, rng: random.Random
) -> list[tuple[object, ...]]:
    if len(names) <= count:
        return names
    # The ends of a run of sectors are where heads and commit records stand.
    return [names[0], names[-1], *rng.sample(names[1:-1], max(count - 2, 0))]


def write_image(image: Image, folder: Path) -> None:
    """`folder`, which is new, holds what `image` says."""
    folder.mkdir(mode=0o700)
    for path, content in image.items():
        if content is None:
            (folder / path).mkdir(mode=0o700, exist_ok=True)
            continue
        size, sectors = content
        with open(folder / path, "wb") as handle:
            for sector, data in sectors.items():
                handle.seek(sector * SECTOR)
                handle.write(data[: max(size - sector * SECTOR, 0)])
            handle.truncate(size)
