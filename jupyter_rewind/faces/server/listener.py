"""Hears what the contents manager did and hands it to the recorder.

It listens to events, which come after the fact, and not in a save hook: nothing here can fail or
slow a save. Renames and deletions reach it only where another checkpoints class is in use; with
ours, the contents manager tells the class itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from posixpath import splitext
from typing import TYPE_CHECKING, Any

from jupyter_rewind.errors import RewindError
from jupyter_rewind.faces.server import request
from jupyter_rewind.faces.server.paths import Paths, is_notebook
from jupyter_rewind.faces.server.recorder import Recorder

if TYPE_CHECKING:
    from jupyter_events import EventLogger

    from jupyter_rewind.faces.server.heartbeat import Heartbeat


class Listener:
    """The coroutine that Jupyter's event logger calls, with what it needs to know."""

    def __init__(
        self,
        recorder: Recorder,
        paths: Paths,
        heartbeat: Heartbeat,
        *,
        follow: Callable[[str], None],
        follows_moves: Callable[[], bool],
        window_seconds: Callable[[], float],
    ) -> None:
        self._recorder = recorder
        self._paths = paths
        self._heartbeat = heartbeat
        self._follow = follow
        self._follows_moves = follows_moves
        self._window_seconds = window_seconds

    async def hear(self, logger: EventLogger, schema_id: str, data: dict[str, Any]) -> None:
        """One event of the contents service; never raises."""
        try:
            self._handle(data)
        except RewindError as error:
            self._recorder.note_failure("Could not follow %s: %s", dict(data), error)
        except Exception as error:
            self._recorder.note_failure("Could not follow %s: %r", dict(data), error, error=error)

    def _handle(self, data: Mapping[str, str]) -> None:
        action, path = data["action"], data["path"].strip("/")
        if action == "get":
            self._look(path)
        elif action in ("save", "upload"):
            self._save(path)
        elif action == "copy":
            self._copy(data.get("source_path", "").strip("/"), path)
        elif action == "rename" and self._follows_moves():
            follow_rename(self._recorder, self._paths, data["source_path"].strip("/"), path)
        elif action == "delete" and self._follows_moves():
            follow_delete(self._recorder, self._paths, path)

    def _look(self, path: str) -> None:
        if request.current_saving() is None and is_notebook(path) and not self._is_own(path):
            opened = request.requested_path()
            is_opened = opened is None or opened == path
            if is_opened or request.is_get():
                self._heartbeat.see(path, is_opened=is_opened)
            else:  # copied, or renamed: that is in the history by itself
                self._heartbeat.watch(path, is_opened=False)
            if is_opened:
                self._follow(self._paths.file(path))

    def _is_own(self, path: str) -> bool:
        """Whether a save asked for what it has just written, and no look finds more: of a damaged
        notebook, one finds it mended. The event may be heard when the save is over."""
        under_way = request.saving.get()
        if under_way is None or under_way.path != path:
            return False
        return all(each.path != path for each in self._heartbeat.damages)

    def _save(self, path: str) -> None:
        under_way = request.saving.get()
        if under_way is not None and under_way.is_partial:
            return
        if not is_notebook(path) and not self._recorder.settings.notebooks_text_files:
            return
        self._heartbeat.watch(path)
        file = self._paths.file(path)
        if request.is_creation():
            follow(self._recorder, lambda workspace: workspace.histories.vacate(file), file)
            source = request.copied_from()
            if source is not None and splitext(source)[1] == splitext(path)[1]:
                self._copy(source, path)  # its own event comes when the history has begun
        self._recorder.save(
            file,
            request.infer_reason(),
            author=request.current_author(),
            window_seconds=self._window_seconds(),
            reading=under_way.hand_over(file) if under_way is not None else None,
        )

    def _copy(self, source: str, path: str) -> None:
        old, new = self._paths.file(source), self._paths.file(path)
        follow(self._recorder, lambda workspace: workspace.histories.copy(old, new), old, new)


def follow(recorder: Recorder, act: Any, *files: str) -> None:
    """`act` happens in its turn; a fault of it is noted, for the file itself is moved already."""

    def quietly(workspace: Any) -> None:
        try:
            act(workspace)
        except (RewindError, OSError) as error:
            recorder.note_failure("Could not follow %s: %s", " to ".join(files), error)

    recorder.submit(quietly, *files)


def follow_rename(recorder: Recorder, paths: Paths, old_path: str, new_path: str) -> None:
    """The histories of a file, of what is paired with it, or of all files in a folder, go by their
    new paths. Never raises."""
    couples = [(old_path, new_path), *paths.moved_along(old_path, new_path)]
    for before, after in couples:
        _follow_one_rename(recorder, paths, before, after)


def _follow_one_rename(recorder: Recorder, paths: Paths, old_path: str, new_path: str) -> None:
    if paths.is_link(new_path):
        # What a link leads to stays where it is, and so does its history.
        return
    try:
        old, new = paths.file(old_path), paths.file(new_path)
    except RewindError as error:
        recorder.note_failure("Could not follow %s to %s: %s", old_path, new_path, error)
        return
    recorder.forget(old)
    # Later it cannot be seen any more: it may have another name again by then.
    is_folder = os.path.isdir(new)

    def act(workspace: Any) -> None:
        if not is_folder:  # a notebook that had the folder's name before it is no part of it
            workspace.histories.rename(old, new)
        workspace.histories.rename_folder(old, new)

    follow(recorder, act, old, new)


def follow_delete(recorder: Recorder, paths: Paths, path: str) -> None:
    """The histories of a file, or of all files in a folder, end in a tombstone. Never raises."""
    try:
        file = paths.file(path)
    except RewindError as error:
        recorder.note_failure("Could not follow the deletion of %s: %s", path, error)
        return
    recorder.forget(file)

    def act(workspace: Any) -> None:
        workspace.histories.delete(file)
        workspace.histories.delete_folder(file)

    follow(recorder, act, file)
