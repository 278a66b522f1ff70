"""What can be asked for about one file: each request waits its turn behind the file's own saves.

Requests are futures, so that asynchronous and synchronous callers ask the same questions. A future
is done when what it promises is durable.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from jupyter_rewind.errors import Denied, NotFound
from jupyter_rewind.faces.server.reading import take_present
from jupyter_rewind.faces.server.recorder import PrepareHistory, Recorder
from jupyter_rewind.model.checkpoint import Checkpoint, Reason

if TYPE_CHECKING:
    from jupyter_rewind.workspace import Recorded, Restored, Workspace

T = TypeVar("T")

#: So long a list waits for the file's own saves: another process may keep the store for a minute.
PATIENCE_SECONDS = 2.0


class Desk:
    """Takes requests for one server's files; `file` is always a real path."""

    def __init__(self, recorder: Recorder, prepare_history: PrepareHistory) -> None:
        self._recorder = recorder
        self._prepare_history = prepare_history

    def settle(self, file: str | None, *, hasten: bool = False) -> Future[object] | None:
        """The last piece of work on `file` (or any file) that a reader should wait for, if any."""
        return self._recorder.pending(file, hasten=hasten)

    def view(self, act: Callable[[Workspace], T]) -> Future[T]:
        """The future of a look at the store. Call `settle` first to see the newest save."""
        return self._recorder.view(act)

    def search(self, act: Callable[[Workspace], T]) -> Future[T]:
        """The future of a search in the store: in a queue of its own, which refuses when it is
        full. Call `settle` first to see the newest save. Raises Unavailable."""
        return self._recorder.search(act)

    def compare(self, act: Callable[[Workspace], T]) -> Future[T]:
        """As `search`, for comparisons, which have a queue of their own."""
        return self._recorder.compare(act)

    def change(self, act: Callable[[Workspace], T], *files: str) -> Future[T]:
        """The future of a change that concerns `files`."""
        return self._recorder.submit(act, *files)

    def list(self, file: str) -> Future[list[Checkpoint]]:
        """The checkpoints of `file`, oldest first, after a stock checkpoint was taken over."""

        def act(workspace: Workspace) -> list[Checkpoint]:
            self._prepare_history(workspace, file)
            return list_checkpoints(workspace, file)

        return self.view(act)

    def create(
        self,
        file: str,
        *,
        live: bytes | None = None,
        author: str | None = None,
        label: str | None = None,
        is_asked: bool = True,
    ) -> Future[Recorded]:
        """The checkpoint that the user asks for: of the file, and of the live document if there is
        one that differs; then the live document's is the answer. Where perhaps nobody has asked,
        as for what JupyterLab opens, the first of a history counts as an autosave.
        """
        recorder = self._recorder
        reading = recorder.readings.open(file)

        def act(workspace: Workspace) -> Recorded:
            raw = take_present(reading, file)
            is_ahead = live is not None and live != raw
            is_meant = is_asked or workspace.histories.find(file) is not None
            kept = recorder.keep(
                workspace,
                file,
                reading,
                Reason.MANUAL if is_meant and not is_ahead else Reason.AUTOSAVE,
                author=author,
                label=None if is_ahead else label,
            )
            if live is not None and is_ahead:
                kept = recorder.record(
                    workspace, file, live, Reason.MANUAL, author=author, label=label
                )
            return kept

        return self.change(act, file)

    def create_from(self, file: str, raw: bytes, author: str | None = None) -> Future[Checkpoint]:
        """The checkpoint of content that the caller holds."""

        def act(workspace: Workspace) -> Checkpoint:
            recorded = self._recorder.record(workspace, file, raw, Reason.MANUAL, author=author)
            return recorded.checkpoint

        return self.change(act, file)

    def restore(
        self,
        file: str,
        ref: str,
        *,
        cells: Sequence[str] = (),
        output: str | None = None,
        live: bytes | None = None,
        author: str | None = None,
    ) -> Future[Restored]:
        """`file` (or `output`) holds the state `ref`; what was there, and `live`, is kept first."""

        def act(workspace: Workspace) -> Restored:
            self._prepare_history(workspace, file)
            restored = workspace.restore(
                file, ref, cells=tuple(cells), output=output, present=live, author=author
            )
            self._note_restored(restored)
            return restored

        return self.change(act, file, *([output] if output else []))

    def undelete(self, target: str, *, author: str | None = None) -> Future[Restored]:
        """The deleted file (or history id) `target` is back on disk as it last was."""

        def act(workspace: Workspace) -> Restored:
            restored = workspace.undelete(target, author=author)
            self._note_restored(restored)
            return restored

        return self.change(act, *([target] if os.path.isabs(target) else []))

    def keep_live(self, file: str, live: bytes, author: str | None) -> Future[Checkpoint]:
        """What a live document still held after the file was restored is kept in the history."""

        def act(workspace: Workspace) -> Checkpoint:
            return self._recorder.record(
                workspace, file, live, Reason.BEFORE_RESTORE, author=author
            ).checkpoint

        return self.change(act, file)

    def read(self, file: str, ref: str) -> Future[tuple[Checkpoint, bytes]]:
        """A checkpoint and its very bytes."""

        def act(workspace: Workspace) -> tuple[Checkpoint, bytes]:
            checkpoint = workspace.resolve(file, ref)
            return checkpoint, workspace.histories.read(checkpoint)

        return self.view(act)

    def delete_checkpoint(self, file: str, checkpoint_id: str) -> Future[Checkpoint]:
        """The checkpoint is gone from its history, unless a label or a pin protects it."""

        def act(workspace: Workspace) -> Checkpoint:
            checkpoint = workspace.histories.get(file, checkpoint_id)
            workspace.histories.delete_checkpoint(checkpoint)
            self._recorder.forget(file)
            self._recorder.tell(checkpoint, "expired")
            return checkpoint

        return self.change(act, file)

    def _note_restored(self, restored: Restored) -> None:
        self._recorder.learn(os.path.realpath(restored.path))
        kept = restored.kept
        if kept is not None and kept.reason is Reason.BEFORE_RESTORE:
            self._recorder.tell(kept, "created")
        if restored.checkpoint is not None:
            self._recorder.tell(restored.checkpoint, "restored")


def list_checkpoints(workspace: Workspace, file: str) -> list[Checkpoint]:
    """The checkpoints of `file`, oldest first; none when nothing was ever kept of it. Raises Denied
    where that cannot be told."""
    try:
        return list(workspace.histories.listing(file).checkpoints)
    except NotFound:
        for name, why in workspace.repository.shut().items():
            raise Denied(f"Its history may stand in segment {name}, and {why}.") from None
        return []


async def wait_for(work: Future[object] | None, seconds: float | None = None) -> None:
    """Returns when `work` is done, well or not, or the time is up; it goes on all the same, and
    whoever asked for it hears of its failure."""
    if work is not None:
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        work.add_done_callback(lambda _: _call_soon(loop, done.set))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), seconds)


def _call_soon(loop: asyncio.AbstractEventLoop, act: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop was closed in between
        loop.call_soon_threadsafe(act)


def encode_file(content: str, file_format: str | None) -> bytes:
    """The bytes that saving text or base64 content writes."""
    if file_format == "base64":
        return base64.decodebytes(content.encode("ascii"))
    return content.encode("utf-8")


def decode_file(raw: bytes) -> tuple[str, str]:
    """Bytes as Jupyter's content and format: text where it is UTF-8, else base64."""
    try:
        return raw.decode("utf-8"), "text"
    except UnicodeDecodeError:
        return base64.encodebytes(raw).decode("ascii"), "base64"
