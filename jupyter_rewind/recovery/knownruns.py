"""What is known of all runs that were found, whichever notebook is asked about. No rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jupyter_rewind.recovery.copies import Copies
from jupyter_rewind.recovery.counts import Lines
from jupyter_rewind.recovery.evidence import FoundRun
from jupyter_rewind.recovery.homes import Words
from jupyter_rewind.recovery.kernelruns import Restart
from jupyter_rewind.recovery.rivals import Rivals
from jupyter_rewind.recovery.sharing import Sharing
from jupyter_rewind.recovery.together import Begun


@dataclass(frozen=True, slots=True)
class Known:
    """The runs with what they ran at each count, and which kernel each one had."""

    runs: Sequence[FoundRun]
    lines: Sequence[Lines]
    words: Words
    rivals: Rivals
    sharing: Sharing
    restarts: Mapping[int, Restart]
    began: Mapping[int, Begun]

    @property
    def copies(self) -> Copies:
        """What files show of the runs beside others."""
        return Copies(self.rivals, self.words.telling)
