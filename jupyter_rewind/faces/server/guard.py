"""Stands before saves, renames and deletions: refuses what would destroy, keeps what would be lost.

In the common case it costs two calls to the system. Only refusals in words pass through to the
user; any fault of ours is logged and lets what was asked for go on.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any

from jupyter_server.services.contents.manager import ContentsManager

from jupyter_rewind import clock
from jupyter_rewind.faces.server import request
from jupyter_rewind.faces.server.calls import look_before, mark_saves, watch_hooks
from jupyter_rewind.faces.server.paths import Paths, count_cells, is_notebook
from jupyter_rewind.faces.server.reading import Stamp, is_json, read_stamp
from jupyter_rewind.faces.server.recorder import Recorder
from jupyter_rewind.faces.server.statuses import Refusal
from jupyter_rewind.faces.server.textbooks import count_text_cells
from jupyter_rewind.faces.server.transcript import remember_writing
from jupyter_rewind.faces.server.turns import SaveTurns
from jupyter_rewind.model.checkpoint import Reason

_MARGIN_BYTES = 64 << 10
_FOLDER_FILES = 5_000
_FOLDER_SECONDS = 10.0
_TOO_MUCH_HELD = (
    "An earlier save of %s may not be kept: too much waits to be stored already. "
    "What the file holds now is whole; save it again when less waits."
)


class Guard:
    """Keeps watch over one contents manager."""

    def __init__(
        self, recorder: Recorder, paths: Paths, *, window_seconds: Callable[[], float]
    ) -> None:
        self._recorder = recorder
        self._paths = paths
        self._window_seconds = window_seconds
        self._manager: ContentsManager | None = None

    def install(self, manager: ContentsManager) -> None:
        """The guard is asked before each save, deletion and rename, and knows when a save is on."""
        register: Callable[[object], None] = manager.register_pre_save_hook
        register(self.before_save)
        self._manager = manager
        turns = SaveTurns(self._recorder, self._paths)
        mark_saves(manager, self._recorder.making_way, self.take_saved, self.end_failed, turns)
        remember_writing(manager)
        watch_hooks(manager, self._paths)
        look_before(manager, "delete_file", self.before_delete)
        look_before(manager, "rename_file", self.before_rename)

    # ------------------------------------------------------------------ saves
    def before_save(
        self, *, model: Mapping[str, Any], path: str, contents_manager: ContentsManager
    ) -> None:
        """Raises Refusal, 409 or 507, for a save that would destroy the file; else returns."""
        try:
            self._check_save(model, path.strip("/"))
        except Refusal as refusal:
            under_way = request.current_saving()
            if under_way is not None:
                under_way.refusal = refusal
            raise
        except Exception as error:
            self._recorder.note_failure(
                "Could not look at %s before it was saved: %r", path, error, error=error
            )

    def take_saved(self, saving: request.Saving) -> Future[None] | None:
        """Done when the bytes that the save wrote are in memory, so that nobody who overwrites the
        file as soon as it is answered takes them along; None where they are, or where a live
        document saves, of which only one state in each interval is kept. Never raises."""
        try:
            if saving.is_partial or saving.kind == "directory":
                return None
            if not self._is_kept(saving.path):
                return None
            readings, file = self._recorder.readings, self._paths.file(saving.path)
            written = None if saving.hooks_changed else saving.written.get(file)
            if self._window_seconds():
                saving.reading = readings.open(file, written) if written is not None else None
                return None
            saving.reading = readings.open(file, written)
            return None if readings.take_at_once(saving.reading) else readings.take(saving.reading)
        except Exception as error:
            self._recorder.note_failure(
                "Could not read %s as it was saved: %r", saving.path, error, error=error
            )
            return None

    def end_failed(self, saving: request.Saving) -> None:
        """No event tells of a save that failed, though it may have written the file: one of the
        user's hooks failed then, and what was saved is kept. Never raises."""
        file = saving.expected
        if file is None:
            return
        try:
            self._recorder.readings.end_wait(file)
            written = saving.written.get(file)
            if written is None or saving.is_partial or not self._is_kept(file):
                return
            reading = self._recorder.readings.open(file, written)
            self._recorder.save(
                file, request.infer_reason(), author=request.current_author(), reading=reading
            )
        except Exception as error:
            self._recorder.note_failure(
                "Could not keep what a failed save left in %s: %r", saving.path, error, error=error
            )

    def _check_save(self, model: Mapping[str, Any], path: str) -> None:
        kind = model.get("type")
        if kind == "directory":
            return
        file = self._paths.file(path)
        if request.is_put() or request.current_handler() is None:
            self._claim(file, path)
        stamp = read_stamp(file)
        self._refuse_without_room(model, file, path, stamp)
        if stamp is not None and stamp.size:
            if self._recorder.settings.notebooks_refuse_empty:
                self._refuse_empty(model, file, path)
            self._keep_external_change(file, path, stamp)
        self._recorder.readings.expect(file)
        under_way = request.current_saving()
        if under_way is not None:
            under_way.expected = file

    def _claim(self, file: str, path: str) -> None:
        if not self._recorder.readings.claim(file):
            self._recorder.note_failure(_TOO_MUCH_HELD, path)

    def _refuse_without_room(
        self, model: Mapping[str, Any], file: str, path: str, stamp: Stamp | None
    ) -> None:
        had, body = stamp.size if stamp else 0, request.body_bytes() or 0
        in_place, is_notebook_saved = not self._copies_first(), model.get("type") == "notebook"

        def needed(size: int) -> int:
            # Jupyter copies the file beside itself, truncates it and writes: all of both must fit.
            # Without that copy, only what the file grows by.
            return max(0, size - had) if in_place else max(had, size)

        wanted = needed(body * request.MOST_INDENTED if is_notebook_saved else body)
        folder = os.path.dirname(file)
        if wanted == 0 or not os.path.isdir(folder):
            return
        try:
            usage = shutil.disk_usage(folder)
        except OSError:
            return
        free = usage.free
        if usage.total <= 0 or not 0 <= free <= usage.total:
            return  # ramfs and some FUSE file systems tell no size, which is not a full disk
        # Most saves are far below that bound. Before one is refused, a closer one is counted, 3 ms
        # a MB, and then what it takes is measured.
        for measure in (request.indented_bytes, request.written_bytes):
            if not is_notebook_saved or free >= wanted + _MARGIN_BYTES:
                break
            size = measure(model.get("content"))
            wanted = needed(size) if size is not None else wanted if in_place else max(had, body)
        if wanted and free < wanted + _MARGIN_BYTES:
            kept = "The file on disk is whole." if stamp else "No file was made."
            raise Refusal(
                507,
                f"{path} was not saved: the disk is full ({free >> 10} KB free, about "
                f"{(wanted + _MARGIN_BYTES) >> 10} KB are needed). {kept} "
                "Free some space on the disk and save again.",
            )

    def _copies_first(self) -> bool:
        return bool(getattr(self._manager, "use_atomic_writing", True))

    def _refuse_empty(self, model: Mapping[str, Any], file: str, path: str) -> None:
        under_way = request.current_saving()
        if model.get("type") == "notebook":
            cells = count_cells(model.get("content"))
        else:  # what is saved as a notebook may be written as text
            cells = under_way.cells if under_way is not None else None
            if cells is None and is_notebook(file):
                # Of a file in pieces, Jupyter asks the hooks about the first alone: it replaces.
                cells = _count_in_text(model)
        if cells != 0:
            return
        reading = self._recorder.readings.open(file)
        raw = reading.take()
        if not (_has_content(raw) if is_notebook(file) else count_text_cells(raw or b"", file)):
            return
        raise Refusal(
            409,
            f"{path} was not saved: it would have no cells, and the notebook on disk has some. The "
            "notebook on disk is whole. Reload it from disk; to empty it on purpose, leave one "
            "empty cell in it, or set notebooks.refuse_empty to false.",
        )

    def _keep_external_change(self, file: str, path: str, stamp: Stamp) -> None:
        if self._recorder.is_known(file, stamp) or not self._is_kept(file):
            return
        reading = self._recorder.readings.open(file)
        if self._recorder.readings.is_expected(file):
            # Another save is under way, which may have written half of the file.
            raw = reading.take()
            if raw is not None and is_notebook(file) and not is_json(raw):
                return
        self._recorder.save(file, Reason.EXTERNAL_CHANGE, reading=reading)
        self._claim(file, path)

    def _is_kept(self, file: str) -> bool:
        return is_notebook(file) or self._recorder.settings.notebooks_text_files

    # ------------------------------------------------------------------ renames
    def before_rename(self, path: str) -> None:
        """What was saved at `path`, or below it, is in memory to be kept; never raises."""
        try:
            file = self._paths.file(path.strip("/"))
            until = clock.monotonic() + _FOLDER_SECONDS
            for unread in self._recorder.readings.unread_below(file):
                if not self._claim_until(unread, until):
                    self._recorder.note_failure(_TOO_MUCH_HELD, path)
                    return
        except Exception as error:
            self._recorder.note_failure(
                "Could not look at %s before it was renamed: %r", path, error, error=error
            )

    # ------------------------------------------------------------------ deletions
    def before_delete(self, path: str) -> None:
        """What lies at `path` is kept; never raises."""
        try:
            self.keep_before_delete(path.strip("/"))
        except Exception as error:
            self._recorder.note_failure(
                "Could not keep %s before it was deleted: %r", path, error, error=error
            )

    def keep_before_delete(self, path: str) -> None:
        """What `path`, a file or a folder, holds and is not kept yet is in memory to be kept."""
        if self._paths.is_link(path):
            return  # what it leads to stays
        file = self._paths.file(path)
        author = request.current_author()
        until = clock.monotonic() + _FOLDER_SECONDS
        for number, found in enumerate(self._files_in(file)):
            if number >= _FOLDER_FILES or not self._keep_one(found, author, until):
                self._recorder.note_failure(
                    "Not every file of %s was kept before it was deleted.", path
                )
                return

    def _keep_one(self, file: str, author: str | None, until: float) -> bool:
        recorder = self._recorder
        recorder.readings.claim(file)
        stamp = read_stamp(file)
        if stamp is None or stamp.size == 0 or recorder.is_known(file, stamp):
            return True
        recorder.save(file, Reason.BEFORE_DELETE, author=author)
        return self._claim_until(file, until)

    def _claim_until(self, file: str, until: float) -> bool:
        while not self._recorder.readings.claim(file):
            if clock.monotonic() > until:
                return False
            time.sleep(0.02)  # so much is in memory already that some must be stored first
        return True

    def _files_in(self, path: str) -> Iterator[str]:
        if not os.path.isdir(path):
            if self._is_kept(path):
                yield path
            return
        found = set()
        for folder, folders, names in os.walk(path):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for file in (os.path.join(folder, name) for name in names if is_notebook(name)):
                # Kept under the name of a link, a notebook would seem to have moved there.
                if not os.path.islink(file):
                    found.add(file)
                    yield file
        yield from (file for file in self._known_in(path) if file not in found)

    def _known_in(self, folder: str) -> list[str]:
        """The files below a folder that have a history, text files and hidden ones among them."""
        workspace = self._recorder.opened
        if workspace is None:
            return []
        histories = workspace.histories
        histories.repository.refresh()
        inside = histories.bindings.inside(folder)
        return [file for file, _ in inside if os.path.isfile(file)]


def _count_in_text(model: Mapping[str, Any]) -> int | None:
    """How many cells a notebook would have that is saved as text or bytes: none where nothing but
    blanks or NULs stand, or JSON without cells; None for what is no JSON, as hands may leave it."""
    text = model.get("content")
    if not isinstance(text, str):
        return None
    try:
        raw = base64.b64decode(text) if model.get("format") == "base64" else text.encode("utf-8")
        if not raw.removeprefix(b"\xef\xbb\xbf").strip(b"\0 \t\r\n\f\v"):
            return 0
        return count_cells(json.loads(raw)) or 0
    except (ValueError, RecursionError):
        return None


def _has_content(raw: bytes | None) -> bool:
    """Whether these are the bytes of a notebook with a cell in which something stands."""
    try:
        content = json.loads(raw or b"")
    except ValueError:
        return False
    if not count_cells(content):
        return False
    sheets = content.get("worksheets", [content])
    cells = [cell for sheet in sheets for cell in sheet["cells"]]
    return any(cell.get("source") or cell.get("input") or cell.get("outputs") for cell in cells)
