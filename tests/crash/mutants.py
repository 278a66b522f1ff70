"""File layers and stores with one promise broken each: what the sweep must catch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.ids import EntryId
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


class RenameBeforeBytes(RecordingFiles):
    """A new file takes its name first, and its bytes are put on the disk only then."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._late: set[Path] = set()

    def sync_data(self, descriptor: int, path: Path) -> None:
        if path.parent.name == "segments":
            super().sync_data(descriptor, path)
        else:
            self._late.add(path)

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        if source in self._late:
            self._late.discard(source)
            descriptor = self.open(target)
            super().sync_data(descriptor, target)
            self.close(descriptor)


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


def name_before_bytes(patch: pytest.MonkeyPatch) -> None:
    """The entries are on the disk first, and the chunks that they name come with a commit of their
    own, before anything is acknowledged."""
    stage, commit = writer.SegmentWriter.stage, writer.SegmentWriter.commit
    abort = writer.SegmentWriter.abort
    late: dict[writer.SegmentWriter, list[tuple[Any, ...]]] = {}

    def keep_back(self: writer.SegmentWriter, *record: Any) -> None:
        late.setdefault(self, []).append(record)

    def commit_names_first(
        self: writer.SegmentWriter, entries: Sequence[Entry], expired: Sequence[EntryId]
    ) -> segments.Batch:
        records = late.pop(self, [])
        names = commit(self, entries, expired)
        if not records:
            return names
        for record in records:
            stage(self, *record)
        content = commit(self, (), ())
        return replace(content, start=names.start, commit=names.commit)

    def forget(self: writer.SegmentWriter) -> None:
        late.pop(self, None)
        abort(self)

    patch.setattr(writer.SegmentWriter, "stage", keep_back)
    patch.setattr(writer.SegmentWriter, "commit", commit_names_first)
    patch.setattr(writer.SegmentWriter, "abort", forget)


FILE_MUTANTS = (NoDataSync, NoFolderSync)
NOTEBOOK_MUTANTS = (NoDataSync, NoFolderSync, RenameBeforeBytes)
CODE_MUTANTS: tuple[Break, ...] = (
    believe_every_tag,
    trust_the_tail,
    name_what_others_have_not_synced,
    name_before_the_folder,
    acknowledge_before_the_sync,
    name_before_bytes,
)
