"""The command `watch`: checkpoints of notebooks that other programs edit.

Folders are watched through the system's notices; where those cannot come (network file systems,
too many folders) by looking again and again. A file is read once it has come to rest. A look at
everything from time to time finds what a notice missed. One file that cannot be kept is told
about and costs itself alone.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from jupyter_rewind import clock
from jupyter_rewind.errors import NotFound, RewindError
from jupyter_rewind.faces.cli import views, wording
from jupyter_rewind.faces.cli.answers import Answer, Words
from jupyter_rewind.faces.cli.command import Commands, Face

if TYPE_CHECKING:
    import watchfiles

    from jupyter_rewind.workspace import Recorded, Seen, Watcher, Workspace

commands = Commands("Keep and bring back")

REST_SECONDS = 0.5
EMPTY_REST_SECONDS = 3.0
TICK_MS = 250
POLL_MS = 2000
_SKIPPED = {".ipynb_checkpoints", "__pycache__", "node_modules"}


@commands.add("watch")
def watch(
    face: Face,
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH", help="Notebooks, and folders with all below.")
    ],
    poll: Annotated[
        bool, typer.Option("--poll", help="Look again and again; for folders that give no notice.")
    ] = False,
) -> None:
    """Keep notebooks that other programs edit; runs until Ctrl-C.

    For VS Code, PyCharm, git and scripts: JupyterLab's own saves are kept by the server.
    """
    roots = [Path(os.path.realpath(os.path.expanduser(path))) for path in paths]
    for root, said in zip(roots, paths, strict=True):
        if not root.exists():
            raise NotFound(f"There is nothing at {said}.", hint="Nothing is watched.")
    with _ended_by_signals() as stop, face.workspace(create=True) as workspace:
        Watch(face, workspace, roots, stop, poll=poll).run()


class Watch:
    """One run of the command."""

    def __init__(
        self,
        face: Face,
        workspace: Workspace,
        roots: list[Path],
        stop: threading.Event,
        *,
        poll: bool,
    ) -> None:
        self._face = face
        self._workspace = workspace
        self._watcher: Watcher = workspace.watcher()
        self._folders = [root for root in roots if root.is_dir()]
        self._files = [root for root in roots if not root.is_dir()]
        self._stop = stop
        self._poll = poll
        self._due: dict[Path, float] = {}
        self._broken: dict[Path, str] = {}
        self._told: dict[str, type[RewindError]] = {}
        """What files could not be kept for, as far as that was said."""
        self._looks: dict[Path, tuple[int, int, int] | None] = {}
        self._places = {folder: _identify(folder) for folder in self._folders}
        """Which folder stands at each path now, None where there is none."""
        self._is_moved = False
        """Whether notices are of folders that are not at their paths any more."""
        self._is_begun = False
        """Whether notices come since this turn: all that was changed before is to be looked for."""

    def run(self) -> None:
        """Watches until the stop event is set."""
        every = self._workspace.settings.notebooks_scan_seconds or 30
        next_scan: float | None = None
        for changed in self._changes():
            now = clock.monotonic()
            self._due |= dict.fromkeys(changed, now + REST_SECONDS)
            self._look_at_folders()
            self._look_at_files(now)
            self._look_at_due(now)
            if next_scan is None or now >= next_scan or self._is_begun:
                # When notices come already: no change falls in between.
                self._is_begun = False
                roots = [*self._folders, *self._files]
                self._report_scan(self._watcher.scan(roots, stop=self._stop.is_set), now)
                if next_scan is None and not self._stop.is_set():
                    self._tell_start()
                next_scan = clock.monotonic() + every

    def _report_scan(self, seen: Seen, now: float) -> None:
        """What was found; damaged notebooks are told once they have come to rest, and what is
        tried again without a change of the file is told once."""
        problems, told = seen.problems, self._told
        seen.problems = {
            each: why for each, why in problems.items() if told.get(each) is not type(why)
        }
        self._report(seen)
        self._told = {each: type(why) for each, why in problems.items()}
        odd = [one.checkpoint.path for one in seen.recorded if one.checkpoint.kind != "notebook"]
        for path in map(Path, [*seen.damaged, *odd]):
            self._due.setdefault(path, now + REST_SECONDS)

    def _tell_start(self) -> None:
        places = ", ".join(map(str, [*self._folders, *self._files]))
        self._tell("watching", places, f"Watching {places}. Ctrl-C ends it.")

    def _changes(self) -> Iterator[Iterable[Path]]:
        """What changed since the last turn, a few times a second, until the stop."""
        if not self._folders:
            yield from self._ticks()
            return
        from jupyter_rewind.workspace import is_network

        polling = self._poll or any(is_network(folder) for folder in self._folders)
        while not self._stop.is_set():
            there = [folder for folder in self._folders if folder.is_dir()]
            self._is_moved, self._is_begun = False, True
            try:
                yield from self._notices(there, polling) if there else self._ticks()
            except OSError as error:
                if not all(folder.is_dir() for folder in there):
                    continue  # gone this very moment
                if polling:
                    raise
                self._face.screen.remark(f"No notices to be had ({error}): looking every 2 s.")
                polling = True

    def _ticks(self) -> Iterator[Iterable[Path]]:
        """As without notices, as long as there is nothing to have them of."""
        while not self._stop.wait(TICK_MS / 1000) and not self._is_moved:
            yield ()

    def _notices(self, folders: list[Path], polling: bool) -> Iterator[Iterable[Path]]:
        import watchfiles

        for changes in watchfiles.watch(
            *folders,
            watch_filter=lambda change, path: bool(self._touched(change, Path(path))),
            stop_event=self._stop,
            debounce=TICK_MS,
            step=50,
            rust_timeout=TICK_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
            force_polling=polling,
            poll_delay_ms=POLL_MS,
            ignore_permission_denied=True,
        ):
            yield [each for change, path in changes for each in self._touched(change, Path(path))]
            if self._is_moved:
                return

    def _touched(self, change: watchfiles.Change, path: Path) -> list[Path]:
        """The notebooks that a notice of `path` is about: those in a folder that was moved give
        none of their own."""
        if not self._is_ours(path):
            return []
        if path.suffix == ".ipynb":
            return [path]
        if change.name == "deleted":
            return self._watcher.known_below(path)
        if change.name != "added" or not path.is_dir():
            return []
        from jupyter_rewind.workspace import find_notebooks

        return list(find_notebooks([path]))

    def _is_ours(self, path: Path) -> bool:
        for folder in self._folders:
            if path.is_relative_to(folder):
                parts = path.relative_to(folder).parts
                if not any(part.startswith(".") or part in _SKIPPED for part in parts):
                    return True
        return False

    def _look_at_folders(self) -> None:
        """Folders that are gone, or that others have taken the place of: these give no notices."""
        for folder, before in self._places.items():
            place = _identify(folder)
            if place == before:
                continue
            self._places[folder], self._is_moved = place, True
            if place is None:
                way = "`jupyter rewind deleted` names the notebooks that were in it"
                words = f"{folder} is gone; {way}. It is watched again when it is back."
                self._tell("gone", str(folder), words)
                continue
            if before is None:
                self._tell("watching", str(folder), f"{folder} is back, and is watched again.")

    def _look_at_files(self, now: float) -> None:
        """Files that were named themselves: an editor that replaces one ends its notices."""
        for path in self._files:
            try:
                status = path.stat()
                look = (status.st_mtime_ns, status.st_size, status.st_ino)
            except OSError:
                look = None
            if path in self._looks and self._looks[path] != look:
                self._due[path] = now + REST_SECONDS
            self._looks[path] = look

    def _look_at_due(self, now: float) -> None:
        ready = [path for path, due in self._due.items() if due <= now]
        # What is gone comes last: by then it is known under the name that it has now.
        for path in sorted(ready, key=lambda path: not path.exists()):
            del self._due[path]
            if not self._is_empty(path, now):
                self._report(self._watcher.look(path))
                self._judge(path)

    def _is_empty(self, path: Path, now: float) -> bool:
        """Whether there is nothing in the file to keep. It gets some time: it may be in writing."""
        try:
            if path.stat().st_size:
                return False
        except OSError:
            return False
        if self._broken.get(path) == "coming":
            self._judge(path)
        else:
            self._broken[path] = "coming"
            self._due[path] = now + EMPTY_REST_SECONDS
        return True

    def _judge(self, path: Path) -> None:
        """Says it once when a notebook has become broken."""
        if path.suffix != ".ipynb":
            return
        try:
            condition = self._workspace.condition(path.read_bytes(), str(path))
        except OSError:
            self._broken.pop(path, None)
            return
        if condition.is_ok:
            self._broken.pop(path, None)
        elif self._broken.get(path) != condition.state:
            self._broken[path] = condition.state
            good = self._workspace.last_good(str(path))
            named = wording.argument(str(path))
            way = f" `jupyter rewind restore {named} {good.id}` brings it back." if good else ""
            self._tell("broken", str(path), condition.words + way)

    def _report(self, seen: Seen) -> None:
        for recorded in seen.recorded:
            self._tell_kept(recorded)
        for path in seen.gone:
            if path not in seen.moved and self._is_gone_with_folder(Path(path)):
                continue
            self._tell("gone", path, _gone_words(path, seen.moved.get(path)))
        for path, error in seen.problems.items():
            self._told[path] = type(error)
            self._tell_problem(path, error)

    def _is_gone_with_folder(self, path: Path) -> bool:
        return any(
            place is None and path.is_relative_to(folder) for folder, place in self._places.items()
        )

    def _tell_kept(self, recorded: Recorded) -> None:
        kept = recorded.checkpoint
        changes = views.changes_words(kept.counts)
        text = f"Kept {kept.path}: checkpoint {views.when(kept)} {changes}".rstrip()
        data = {"event": "kept", "path": kept.path, "text": text}
        self._face.event(Answer(data | {"checkpoint": views.checkpoint_json(kept)}, [Words(text)]))

    def _tell(self, event: str, path: str, text: str) -> None:
        data = {"event": event, "path": path, "text": text, "checkpoint": None}
        self._face.event(Answer(data, [Words(text)]))

    def _tell_problem(self, path: str, error: RewindError) -> None:
        text = f"{wording.local_time(clock.now_ns())} {path} was not kept: {error}"
        self._tell("problem", path, text)


def _identify(folder: Path) -> tuple[int, int] | None:
    """What tells the folder at this path from another one; None where there is none."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if folder.is_dir() else None


def _gone_words(path: str, place: str | None) -> str:
    """What became of a notebook that is not where it was; a moved one is no loss."""
    if place is not None:
        return f"{path} is {place} now, with its history."
    way = f"`jupyter rewind undelete {wording.argument(path)}` brings it back"
    return f"{path} is gone; {way}, if it was not moved."


@contextmanager
def _ended_by_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set while the block runs."""
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {each: signal.signal(each, end) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
