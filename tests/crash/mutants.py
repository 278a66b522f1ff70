"""File layers and stores with one promise broken each: what the sweep must catch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_rewind.store import repository, segments, writer
from jupyter_rewind.store.durable import Files
from tests.support.recording import RecordingFiles


class NoDataSync(RecordingFiles):
    """Says that bytes are on the disk without having put them there."""

    def sync_data(self, descriptor: int, path: Path) -> None:
        return


class NoFolderSync(RecordingFiles):
    """Leaves the names of new files to chance."""

    def sync_folder(self, path: Path) -> None:
        return


class NameBeforeBytes(RecordingFiles):
    """The commit record goes to the disk first, and the chunks that it names behind the sync."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._late: list[tuple[int, list[bytes | memoryview], int, Path]] = []

    def write_at(
        self, descriptor: int, parts: list[bytes | memoryview], offset: int, path: Path
    ) -> int:
        if path.parent.name != "segments" or len(parts) <= 3:
            return super().write_at(descriptor, parts, offset, path)
        # Head, payload and tag of the commit record are the last three.
        chunks, record = parts[:-3], parts[-3:]
        size = sum(map(len, chunks))
        self._late.append((descriptor, chunks, offset, path))
        return size + super().write_at(descriptor, record, offset + size, path)

    def sync_data(self, descriptor: int, path: Path) -> None:
        super().sync_data(descriptor, path)
        late, self._late = self._late, []
        for mine, chunks, offset, where in late:
            super().write_at(mine, chunks, offset, where)


Break = Callable[[pytest.MonkeyPatch], None]


def believe_every_tag(patch: pytest.MonkeyPatch) -> None:
    """Nothing that was read is checked against its tag."""
    patch.setattr(segments.Seal, "fits", lambda *_: True)
    patch.setattr(segments.SegmentReader, "is_intact", lambda *_: True)


def trust_the_tail(patch: pytest.MonkeyPatch) -> None:
    """Chunks of the last batch are believed unread."""
    patch.setattr(segments.SegmentReader, "_doubt", lambda *_: None)


def name_what_others_have_not_synced(patch: pytest.MonkeyPatch) -> None:
    """Content that another writer wrote a moment ago is named without a sync."""
    patch.setattr(repository.Repository, "_sync_others", lambda *_: None)


def name_before_the_folder(patch: pytest.MonkeyPatch) -> None:
    """The folder of a new file's name is synced, those above it are not."""

    def make_folder(self: Files, path: Path, mode: int = 0o700) -> None:
        missing = [folder for folder in [path, *path.parents] if not folder.exists()]
        for folder in reversed(missing):
            self.add_folder(folder, mode)

    patch.setattr(Files, "make_folder", make_folder)


def acknowledge_before_the_sync(patch: pytest.MonkeyPatch) -> None:
    """A commit is acknowledged when it is written, and synced a second later."""
    before = writer.SegmentWriter.__init__

    def init(self: writer.SegmentWriter, *args: object, **_: object) -> None:
        before(self, *args, power_safe=False)  # type: ignore[arg-type]

    patch.setattr(writer.SegmentWriter, "__init__", init)
    patch.setattr(writer, "GROUP_SECONDS", 3600.0)


FILE_MUTANTS = (NoDataSync, NoFolderSync, NameBeforeBytes)
CODE_MUTANTS: tuple[Break, ...] = (
    believe_every_tag,
    trust_the_tail,
    name_what_others_have_not_synced,
    name_before_the_folder,
    acknowledge_before_the_sync,
)
