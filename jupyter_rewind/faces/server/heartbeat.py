"""Looks at the notebooks that are opened or listed: damage is noticed, changes from outside kept.

Each is judged once for each state of it: opened ones at once, large ones when they have been sent,
listed ones in their turn, with rests between. Of those that are only listed a change is kept where
they have a history, or were written to since they were seen first: one at a time, and no more in a
while than leaves the server to its users. A listed one that is the very file that a history is of,
moved here outside Jupyter, counts as opened. Nothing is looked at that nobody asked for, and one
thread does it all.
A damaged state is reported, not recorded: the last good checkpoint stays the head.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jupyter_rewind import clock
from jupyter_rewind.errors import NotFound, RewindError
from jupyter_rewind.faces.server.announcer import NOTEBOOK_EVENTS, Announcer
from jupyter_rewind.faces.server.pacing import Pace
from jupyter_rewind.faces.server.paths import Paths, is_notebook
from jupyter_rewind.faces.server.peeking import LARGEST_BYTES, looks_whole
from jupyter_rewind.faces.server.reading import Reading, Stamp, read_stamp
from jupyter_rewind.faces.server.recorder import Recorder
from jupyter_rewind.faces.server.turns import SaveTurns
from jupyter_rewind.model.checkpoint import Checkpoint, Reason
from jupyter_rewind.model.shell import quoted

if TYPE_CHECKING:
    from jupyter_rewind.workspace import Workspace

_WATCHED = 5_000
_SETTLE_NS = 2_000_000_000
_SETTLE_SECONDS = 2.0
_LONGEST_REST_SECONDS = 1.0
# To read and judge more than this takes time that the answer to who opens it needs.
_LARGE_BYTES = 4 << 20
# A change makes way for saves for less.
_KEPT_SECONDS = 15.0
# Less than the answer to who asks is waited for.
_PENDING_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Damage:
    """In what way a notebook on disk is damaged, and what can be brought back."""

    path: str
    condition: str
    words: str
    last_good: str | None
    is_whole: bool = False
    """Whether nothing of the file is lost, though Jupyter does not open it."""


@dataclass(slots=True)
class _Watched:
    is_opened: bool
    stamp: Stamp | None = None
    is_due: bool = False
    """Whether a listed one was written to, and that is not kept yet."""


class Heartbeat:
    """Which notebooks are watched, and which of them are damaged."""

    def __init__(self, recorder: Recorder, paths: Paths, announcer: Announcer) -> None:
        self._recorder = recorder
        self._paths = paths
        self._announcer = announcer
        self._turns = SaveTurns(recorder, paths)
        self._watched: OrderedDict[str, _Watched] = OrderedDict()
        self._fresh: set[str] = set()
        self._unsettled: set[str] = set()
        self._opening: set[str] = set()
        self._damages: dict[str, Damage] = {}
        self._changed = threading.Condition()
        self._taking_over = threading.Lock()
        self._pace = Pace()
        self._thread: threading.Thread | None = None
        self._stopping = False

    # ------------------------------------------------------------------ what is watched
    def see(self, path: str, *, is_opened: bool) -> None:
        """`path` was opened, or listed: it is looked at soon, and from time to time."""
        with self._changed:
            self._watch(path, is_opened)
            self._fresh.add(path)
            if is_opened:
                self._opening.add(path)
            self._start()
            self._changed.notify_all()

    def watch(self, path: str, *, is_opened: bool = True) -> None:
        """`path` was saved, copied or renamed: it is looked at from time to time."""
        if is_notebook(path):
            with self._changed:
                self._watch(path, is_opened)
                self._start()

    def explain(self, path: str) -> Future[str]:
        """The words for a notebook that could not be opened: what is wrong, what brings it back."""
        path = path.strip("/")
        self.see(path, is_opened=True)

        def act(workspace: Workspace) -> str:
            file = self._paths.file(path)
            pending = self._recorder.pending(file)
            if pending is not None:
                # What was saved last may be the last good state.
                wait([pending], timeout=_PENDING_SECONDS)
            raw = self._recorder.readings.open(file).take()
            damage = None if raw is None else self._judge(workspace, path, file, raw)
            if damage is None:
                return ""
            if damage.last_good is None:
                return f"{path} is damaged: {damage.words} No good state of it was kept."
            return (
                f"{path} is damaged: {damage.words} Its last good state is kept; this brings it "
                f"back: jupyter rewind restore {quoted(file)} {damage.last_good}"
            )

        return self._recorder.view(act)

    @property
    def damages(self) -> list[Damage]:
        """The damaged notebooks, by path."""
        with self._changed:
            return [self._damages[path] for path in sorted(self._damages)]

    @property
    def watched_count(self) -> int:
        return len(self._watched)

    def stop(self) -> None:
        """Nothing is looked at any more."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(5.0)

    def _watch(self, path: str, is_opened: bool) -> None:
        known = self._watched.setdefault(path, _Watched(is_opened))
        known.is_opened = known.is_opened or is_opened
        self._watched.move_to_end(path)
        while len(self._watched) > _WATCHED:
            # What is only listed goes first: somebody works on what is open.
            listed = (one for one, each in self._watched.items() if not each.is_opened)
            dropped = next(listed, next(iter(self._watched)))
            del self._watched[dropped]
            self._damages.pop(dropped, None)

    # ------------------------------------------------------------------ the thread
    def _start(self) -> None:
        if self._thread is None and not self._stopping and self._paths.is_local:
            self._thread = threading.Thread(target=self._beat, name="rewind-heartbeat", daemon=True)
            self._thread.start()

    def _beat(self) -> None:
        seconds = self._recorder.settings.notebooks_scan_seconds
        next_scan = clock.monotonic() + seconds
        while True:
            with self._changed:
                if not self._fresh and not self._stopping:
                    rest = max(0.0, next_scan - clock.monotonic()) if seconds else 3600.0
                    self._changed.wait(min(rest, _SETTLE_SECONDS) if self._unsettled else rest)
                if self._stopping:
                    return
                due = self._fresh
                self._fresh = set()
                if not due:
                    due, self._unsettled = self._unsettled, set()
                if seconds and clock.monotonic() >= next_scan:
                    due = set(self._watched)
                    next_scan = clock.monotonic() + seconds
            self._go_through(due)

    def _go_through(self, due: Iterable[str]) -> None:
        """A look at each, at those first that somebody has open; what is opened meanwhile, or a
        save that is under way, comes before those that are only listed."""
        left = sorted(due, key=self._is_listed_only, reverse=True)
        while left:
            path = left.pop()
            began = clock.monotonic()
            self._look_quietly(path)
            if self._is_listed_only(path):
                self._await_kept()
            if not left or not self._is_listed_only(left[-1]):
                continue
            seconds = max(clock.monotonic() - began, self._recorder.calm_in())
            with self._changed:
                if not self._fresh and not self._stopping:
                    self._changed.wait(min(seconds, _LONGEST_REST_SECONDS))
                if self._fresh or self._stopping:
                    self._fresh.update(left)
                    return

    def _is_listed_only(self, path: str) -> bool:
        watched = self._watched.get(path)
        return watched is not None and not watched.is_opened

    def _look_quietly(self, path: str) -> None:
        watched = self._watched.get(path)
        is_opening = path in self._opening
        self._opening.discard(path)
        if watched is None or self._stopping:
            return
        try:
            if is_opening and self._is_large(path):
                self._unsettled.add(path)
                return
            self.look(path, watched)
        except NotFound:
            self._settle(path, None)
        except (RewindError, OSError) as error:
            self._recorder.note_failure("Could not look at %s: %s", path, error)
        except Exception as error:
            self._recorder.note_failure("Could not look at %s: %r", path, error, error=error)

    def _is_large(self, path: str) -> bool:
        """Whether a look would compete with the answer that whoever opens it waits for."""
        stamp = read_stamp(self._paths.file(path))
        return stamp is not None and stamp.size > _LARGE_BYTES

    # ------------------------------------------------------------------ one look
    def look(self, path: str, watched: _Watched) -> None:
        """Damage of `path` is reported, a change from outside is kept. Raises what reading does."""
        file = self._paths.file(path)
        stamp = read_stamp(file)
        if stamp is None:
            watched.stamp, watched.is_due = None, False
            self._settle(path, None)
            return
        if not watched.is_opened and watched.stamp == stamp:
            if watched.is_due and not self._pace.has_room:
                self._unsettled.add(path)
            if not watched.is_due or not self._pace.has_room:
                return
        watched.is_opened = watched.is_opened or self._has_come(file, stamp)
        is_kept = not self._is_to_keep(file, stamp, watched)
        watched.is_due = watched.is_due and not is_kept
        if watched.stamp == stamp and is_kept:
            return
        if not is_kept and self._recorder.readings.is_expected(file):
            self._unsettled.add(path)
            return
        damage = self._find_damage(path, file, stamp, whole=watched.is_opened and not is_kept)
        # A file that says it is of the future, after a clock was set back, is none being written.
        if damage is not None and abs(clock.now_ns() - stamp.mtime_ns) < _SETTLE_NS:
            self._unsettled.add(path)  # it may be half way through being written
            return
        watched.stamp = stamp
        self._settle(path, damage)
        is_kept = is_kept or not (damage is None or damage.is_whole)
        watched.is_due = not watched.is_opened and not is_kept
        if watched.is_due and not self._pace.has_room:
            self._unsettled.add(path)
        elif not is_kept:
            self._keep(path, file, watched)

    def _is_to_keep(self, file: str, stamp: Stamp, watched: _Watched) -> bool:
        """Whether the state of `file` is not kept yet, and will be."""
        is_unread = not watched.is_opened and stamp.size > LARGEST_BYTES
        if is_unread or self._recorder.is_known(file, stamp):
            return False
        if watched.is_opened or watched.is_due or stamp.is_written_since(watched.stamp):
            return True
        return self._recorder.workspace().histories.find(file) is not None

    def _keep(self, path: str, file: str, watched: _Watched) -> None:
        histories = self._recorder.workspace().histories
        since, reading = histories.glance(file), self._recorder.readings.open(file)
        with self._turns.taken(path):
            raw = reading.take()  # not in the middle of another server's save
        if not watched.is_opened and self._is_head(file, reading, raw):
            return
        after = self._tell_change(path)
        kept = self._recorder.save(
            file, Reason.EXTERNAL_CHANGE, after=after, since=since, reading=reading
        )
        if not watched.is_opened:
            watched.is_due = not reading.too_large  # which is told once
            self._pace.begin(kept, 0 if raw is None else len(raw))

    def _is_head(self, file: str, reading: Reading, raw: bytes | None) -> bool:
        """Whether there is nothing to keep: of most that a server sees in a folder, nobody has
        touched them since they were kept."""
        histories, stamp = self._recorder.workspace().histories, reading.stamp
        if raw is None or stamp is None or not histories.ends_with(file, raw, stamp.identity):
            return False
        self._recorder.knowledge.know(file, stamp)
        return True

    def _await_kept(self) -> None:
        """What is being kept of a listed one is kept, or somebody waits for a look at another."""

        def wake(_: object) -> None:
            with self._changed:
                self._changed.notify_all()

        if (kept := self._pace.under_way) is None:
            return
        kept.add_done_callback(wake)
        with self._changed:
            self._changed.wait_for(
                lambda: kept.done() or self._fresh or self._stopping, _KEPT_SECONDS
            )

    def _has_come(self, file: str, stamp: Stamp) -> bool:
        """Whether `file` is the one that a history is of, under another name than it had."""
        from jupyter_rewind.notebooks.takeover import has_moved_to  # the server starts without

        histories = self._recorder.workspace().histories
        return has_moved_to(histories, file, stamp.identity)

    def _find_damage(self, path: str, file: str, stamp: Stamp, *, whole: bool) -> Damage | None:
        try:
            if not whole and looks_whole(file, stamp.size):
                return None
        except (FileNotFoundError, NotADirectoryError):
            return None  # renamed or deleted since its stamp was read: whoever did so tells of it
        raw = self._recorder.readings.open(file).take()
        if raw is None:
            return None
        return self._judge(self._recorder.workspace(), path, file, raw)

    def _judge(self, workspace: Workspace, path: str, file: str, raw: bytes) -> Damage | None:
        """As `find_damage`; what Jupyter kept of a damaged notebook before us counts, too."""
        damage = find_damage(workspace, path, file, raw)
        prepare = self._recorder.prepare_history
        if damage is None or damage.last_good is not None or prepare is None:
            return damage
        try:
            with self._taking_over:  # the opening and the look at it come at the same moment
                prepare(workspace, file)
        except RewindError as error:
            self._recorder.note_failure(
                "What Jupyter itself kept of %s could not be taken over: %s", path, error
            )
        return replace(damage, last_good=find_last_good(workspace, file))

    def _settle(self, path: str, damage: Damage | None) -> None:
        with self._changed:
            before = self._damages.pop(path, None)
            if damage is not None:
                self._damages[path] = damage
        if damage is not None and damage != before:
            self._recorder.log.warning(
                "%s is damaged: %s%s",
                path,
                damage.words,
                " Its last good checkpoint can be restored." if damage.last_good else "",
            )
            self._announcer.announce(
                NOTEBOOK_EVENTS,
                {
                    "action": "damaged",
                    "path": path,
                    "condition": damage.condition,
                    "words": damage.words,
                    "last_good": damage.last_good,
                },
            )
        elif damage is None and before is not None:
            self._announcer.announce(NOTEBOOK_EVENTS, {"action": "mended", "path": path})

    def _tell_change(self, path: str) -> Callable[[Checkpoint, bool], None]:
        def tell(checkpoint: Checkpoint, created: bool) -> None:
            if created and checkpoint.parent is not None:
                self._announcer.announce(
                    NOTEBOOK_EVENTS,
                    {"action": "changed", "path": path, "checkpoint": checkpoint.id},
                )

        return tell


def find_damage(workspace: Workspace, path: str, file: str, raw: bytes) -> Damage | None:
    """What is wrong with `raw` as the notebook `path`, with its newest whole checkpoint."""
    condition = workspace.condition(raw, file)
    if condition.is_ok:
        return None
    good = find_last_good(workspace, file)
    return Damage(path, condition.state, condition.words, good, condition.is_whole)


def find_last_good(workspace: Workspace, file: str) -> str | None:
    """The id of the newest checkpoint of `file` that is a whole notebook; None without one."""
    try:
        checkpoint = workspace.last_good(file)
    except NotFound:
        return None
    return None if checkpoint is None else checkpoint.id
