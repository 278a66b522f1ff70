"""Watches what the store takes, where it has a quota; tells before anything expires for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_rewind.errors import Conflict, RewindError
from jupyter_rewind.faces.server.announcer import STORE_EVENTS, Announcer
from jupyter_rewind.faces.server.recorder import Recorder

if TYPE_CHECKING:
    from jupyter_rewind.quota import Kept


class QuotaWatch:
    """How the store stood to its quota at the last look."""

    def __init__(self, recorder: Recorder, announcer: Announcer) -> None:
        self._recorder = recorder
        self._announcer = announcer
        self._kept: Kept | None = None

    def look(self) -> None:
        """What is due expires, and who listens hears of each change. Never raises."""
        if not self._recorder.settings.store_quota:
            return
        from jupyter_rewind.quota import keep_quota

        try:
            kept = keep_quota(self._recorder.workspace())
        except Conflict:
            return  # another server is at it, or a command
        except (RewindError, OSError) as error:
            self._recorder.note_failure("Could not keep the quota: %s", error)
            return
        except Exception as error:
            self._recorder.note_failure("Could not keep the quota: %r", error, error=error)
            return
        self._note(kept)

    def row(self) -> dict[str, Any] | None:
        """For the answers of our interface; None where there is no quota, or no look yet."""
        if self._kept is None:
            return None
        allowance = self._kept.allowance
        return {
            "state": str(allowance.room),
            "limit_bytes": allowance.limit_bytes,
            "used_bytes": allowance.used_bytes,
        }

    def notices(self) -> list[str]:
        """What of it the user should know."""
        if self._kept is None or self._kept.allowance.room == "within":
            return []
        allowance = self._kept.allowance
        share = f"{allowance.used_bytes / allowance.limit_bytes:.0%}"
        if allowance.room == "near":
            return [
                f"{share} of the store's quota are used: beyond it the oldest checkpoints and"
                " states expire first. Name or pin what has to stay."
            ]
        return [
            f"{share} of the store's quota are used: the oldest checkpoints and states expire,"
            " at the earliest an hour after this was first said. Name or pin what has to stay."
        ]

    def _note(self, kept: Kept | None) -> None:
        before, self._kept = self._kept, kept
        if kept is None:
            return
        for checkpoint in kept.expired:
            self._recorder.tell(checkpoint, "expired")
        was = "within" if before is None else str(before.allowance.room)
        if was != str(kept.allowance.room) or kept.expired or kept.states:
            row = {**(self.row() or {}), "expired": len(kept.expired) + kept.states}
            self._announcer.announce(STORE_EVENTS, row)
