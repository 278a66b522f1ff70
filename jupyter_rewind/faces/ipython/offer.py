"""The state of a kernel that ended unexpectedly, offered to the next one, or taken over at once."""

from __future__ import annotations

from jupyter_rewind.errors import RewindError
from jupyter_rewind.faces.ipython.answers import amount, day_and_time
from jupyter_rewind.faces.ipython.verbs import Verbs

_WAIT_SECONDS = 20.0
_MOMENT_SECONDS = 1.0


class Offer:
    """Made once: before the first cell where the user wants it always, else after it, or after the
    first one by whose end it is known whether there is anything to offer."""

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs
        self._is_made = False
        self._patience_seconds = _MOMENT_SECONDS

    def before_cell(self, source: str) -> None:
        """The state is there before the first cell runs, if it is to be taken over always."""
        if self._is_made or self._verbs.session.settings.kernels_resume != "always":
            return
        self._is_made = True
        legacy = self._verbs.predecessor.cut_short(wait_seconds=_WAIT_SECONDS)
        if legacy is None or "%rewind" in source:
            return
        try:
            back = self._verbs.resume(legacy.snapshot.id)
        except RewindError as error:
            self._verbs.session.tell(f"The state of the kernel before is not back: {error}")
            return
        self._verbs.session.tell(str(back))

    def after_cell(self, source: str) -> None:
        """The user knows that there is a state to go on from, if there is one."""
        if self._is_made or self._verbs.session.settings.kernels_resume != "ask":
            return
        if self._verbs.has_resumed:
            # A browser asked for it before the first cell ran.
            self._is_made = True
            return
        # One cell waits for a moment; a store on a slow disk takes longer to be looked through.
        is_known = self._verbs.predecessor.is_over(wait_seconds=self._patience_seconds)
        self._patience_seconds = 0.0
        self._is_made = is_known or "%rewind" in source
        legacy = self._verbs.predecessor.cut_short(wait_seconds=0.0) if is_known else None
        if legacy is None or "%rewind" in source or not legacy.snapshot.counts.variables:
            return
        snapshot = legacy.snapshot
        kept = amount(snapshot.counts.variables, "variable")
        when = f"({day_and_time(snapshot.time_ns)})"
        had = f"after In[{snapshot.count}] {when}" if snapshot.count else f"at the end {when}"
        self._verbs.session.tell(
            f"The kernel of this notebook ended unexpectedly. What it had {had}, {kept}, is"
            " kept: `%rewind resume` brings it back."
        )
